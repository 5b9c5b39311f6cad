//! Events: how fast they are accepted and run, beside what disk and HTTP give in the same minute; and that many which
//! wait cost neither memory, nor a start, nor other functions anything.

use std::io::Read as _;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value as Json, json};

use super::floor::Floor;
use super::{Bench, Figure, median, no, number};
use crate::api::{self, Api};
use crate::process::{now, program, read, say};
use crate::served::Served;

/// How much is measured.
pub(super) struct Events {
    /// Rounds, and seconds of each on each side.
    rounds: u32,
    round: u32,
    /// Events of one function that are throttled while another's is timed.
    throttled: u64,
    /// Events that are queued when memory and a start are measured.
    queued: u64,
    /// Events of the other function.
    samples: usize,
    restarts: usize,
}

pub(super) const FULL: Events =
    Events { rounds: 5, round: 2, throttled: 100_000, queued: 1_000_000, samples: 41, restarts: 5 };
pub(super) const SHORT: Events =
    Events { rounds: 1, round: 1, throttled: 2_000, queued: 10_000, samples: 5, restarts: 1 };

const CLIENTS: u32 = 32;
const PAYLOAD_BYTES: u32 = 1_024;
/// Of those that only have to be there.
const SMALL_BYTES: u32 = 100;
const ACCEPTED_RATIO_MIN: f64 = 0.5;
const DONE_RATIO_MIN: f64 = 0.5;
const OTHERS_MS_MAX: f64 = 100.0;
const MEMORY_MB_MAX: f64 = 8.0;
const READY_MS_MAX: f64 = 1_000.0;
/// Longer than anything here takes; it keeps a hanging engine from hanging us.
const LOOKS_MAX: u32 = 12_000;
const LOOK_PAUSE: Duration = Duration::from_millis(10);
/// `hold` keeps its environment for so many seconds, `tell` opens a connection to that port.
const APP: &[u8] = b"import socket, time
def handler(event, context):
    if 'hold' in event:
        time.sleep(event['hold'])
    if 'tell' in event:
        socket.create_connection(('127.0.0.1', event['tell'])).close()
    return event
";

impl Bench {
    pub(super) fn events(&self, events: &Events, tell: &mut dyn FnMut(Figure)) -> Result<()> {
        let served = self.serve("data-events")?;
        let mut api = Api::of(&served.endpoint);
        let python = self.python_runtime()?;
        for name in ["held", "other", "warm"] {
            let zip = api::zip(&[("app.py", APP)]);
            let body = api::new_function(name, &python, &zip, &json!({"Timeout": 900, "MemorySize": 1769}));
            let answer = api.send("POST", api::FUNCTIONS, &body)?;
            ensure!(answer.status == 201, "CreateFunction answers {}: {}", answer.status, answer.json());
        }
        let told = Told::listen()?;
        // The first one starts an environment.
        told.worst_ms(&mut api, 1)?;
        let alone = told.worst_ms(&mut api, events.samples)?;
        hold(&mut api)?;

        tell(self.accepted(&served, events)?);
        tell(self.done(&served, events)?);
        let mut queued = self.fill(&served, kept(&served)?, events.throttled)?;
        let beside = told.worst_ms(&mut api, events.samples)?;
        tell(Figure {
            what: format!("an event of another function beside {queued} throttled ones, worst of {}", events.samples),
            value: format!("{beside:.1} ms ({alone:.1} ms alone)"),
            promise: format!("{OTHERS_MS_MAX} ms"),
            kept: beside <= OTHERS_MS_MAX,
        });
        queued = self.fill(&served, queued, events.queued / 10)?;
        let (few, before) = (queued, self.pss(&served)?);
        queued = self.fill(&served, queued, events.queued)?;
        let grown = self.pss(&served)? - before;
        tell(Figure {
            what: format!("memory that {queued} queued events take beyond {few}, PSS"),
            value: format!("{grown:.1} MB (on {before:.1} MB)"),
            promise: format!("{MEMORY_MB_MAX} MB"),
            kept: grown <= MEMORY_MB_MAX,
        });
        // As a crash leaves it: an orderly end would wait for the function that holds the slot.
        drop(served);
        let mut ready = Vec::new();
        for _ in 0..events.restarts {
            let served = self.serve("data-events")?;
            ready.push(served.ready_ms);
            if ready.len() > 1 {
                // Some have run between the last look and the kill.
                continue;
            }
            // Nobody holds the slot any more: what has run since the start is not there, and nothing else may be missing. An
            // invocation counts when its runtime has asked for the next event, which may be after its event has gone.
            wait_until("every queued event is there or has run", || {
                let left = kept(&served)?;
                Ok(left + invocations(&served, "held")? >= queued)
            })?;
        }
        let ready = median(&mut ready);
        tell(Figure {
            what: format!("ready after kill -9, {queued} queued events, median of {}", events.restarts),
            value: format!("{ready:.0} ms"),
            promise: format!("{READY_MS_MAX} ms"),
            kept: ready <= READY_MS_MAX,
        });
        Ok(())
    }

    /// A runtime of Python that this machine has.
    fn python_runtime(&self) -> Result<String> {
        let text = read(program(&self.lambd).args(["doctor", "--output", "json"]))?;
        let told: Json = serde_json::from_str(&text).context("reading what `lambd doctor` prints")?;
        let runtimes = told["runtimes"].as_object().context("`lambd doctor` names no runtimes")?;
        let python = runtimes.keys().rfind(|runtime| runtime.starts_with("python3"));
        python.cloned().context("this machine has no Python that functions could run by")
    }

    /// Accepted by a function whose only slot is held, against the least of three probes in the same round.
    fn accepted(&self, served: &Served, events: &Events) -> Result<Figure> {
        say(&format!("accepted: {} rounds of {} s on each side", events.rounds, events.round));
        let floor = Floor::start(&self.floor, &self.function("lambda_runtime"), 0)?;
        let echo = format!("{}/echo", floor.endpoint());
        let (mut ratios, mut rates, mut leasts, mut errors) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
        for _ in 0..events.rounds {
            let disk = read(program(&self.durable).arg(self.folder.join("durable")))?;
            let disk: Json = serde_json::from_str(disk.trim()).context("reading what the probe prints")?;
            let echoed = self.drive(&["--url", &echo], &[], events.round, PAYLOAD_BYTES)?;
            let told = self.drive_function(served, "held", "Event", events.round, PAYLOAD_BYTES)?;
            errors += failed(&told);
            let probes = [
                f64::from(CLIENTS) * number(&disk, "fdatasync_per_s"),
                number(&disk, "sqlite_per_s"),
                number(&echoed, "rps"),
            ];
            let least = probes.into_iter().fold(f64::INFINITY, f64::min);
            rates.push(number(&told, "rps"));
            leasts.push(least);
            ratios.push(number(&told, "rps") / least);
            say(&format!(
                "  {:.0} /s; 32 × fdatasync {:.0}, SQLite {:.0}, HTTP echo {:.0}",
                number(&told, "rps"),
                probes[0],
                probes[1],
                probes[2]
            ));
        }
        let ratio = median(&mut ratios);
        Ok(Figure {
            what: format!("durable accepts, {CLIENTS} clients, 1 KB, the function's only slot held"),
            value: format!(
                "{ratio:.2} × ({:.0} against {:.0} /s; {errors} errors)",
                median(&mut rates),
                median(&mut leasts)
            ),
            promise: format!("{ACCEPTED_RATIO_MIN} × the least of 32 × fdatasync, SQLite FULL by 32 and HTTP echo"),
            kept: ratio >= ACCEPTED_RATIO_MIN && no(errors),
        })
    }

    /// Accepted, run and settled, against sync calls of the same warm function.
    fn done(&self, served: &Served, events: &Events) -> Result<Figure> {
        say(&format!("done: {} rounds of {} s on each side", events.rounds, events.round));
        let small = SMALL_BYTES;
        self.drive_function(served, "warm", "RequestResponse", 1, small)?;
        let (mut ratios, mut rates, mut calls, mut errors) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
        for _ in 0..events.rounds {
            let called = self.drive_function(served, "warm", "RequestResponse", events.round, small)?;
            let (before, begun) = (kept(served)?, now());
            let told = self.drive_function(served, "warm", "Event", events.round, small)?;
            wait_until("the events are done", || Ok(kept(served)? <= before))?;
            let rate = number(&told, "n") / begun.elapsed().as_secs_f64();
            errors += failed(&called) + failed(&told);
            rates.push(rate);
            calls.push(number(&called, "rps"));
            ratios.push(rate / number(&called, "rps"));
            say(&format!(
                "  {rate:.0} /s; sync {:.0}; accepted at {:.0}",
                number(&called, "rps"),
                number(&told, "rps")
            ));
        }
        let ratio = median(&mut ratios);
        Ok(Figure {
            what: format!("events from their acceptance to their end, {CLIENTS} clients, a warm Python function"),
            value: format!(
                "{ratio:.2} × ({:.0} against {:.0} /s; {errors} errors)",
                median(&mut rates),
                median(&mut calls)
            ),
            promise: format!("{DONE_RATIO_MIN} × sync calls of the same function"),
            kept: ratio >= DONE_RATIO_MIN && no(errors),
        })
    }

    /// Events of the function whose slot is held, until so many are kept.
    fn fill(&self, served: &Served, mut kept_before: u64, wanted: u64) -> Result<u64> {
        say(&format!("{wanted} events"));
        while kept_before < wanted {
            let told = self.drive_function(served, "held", "Event", 1, SMALL_BYTES)?;
            ensure!(no(failed(&told)), "events are refused: {told}\n{}", served.log());
            kept_before = kept(served)?;
        }
        Ok(kept_before)
    }

    fn drive_function(&self, served: &Served, name: &str, kind: &str, seconds: u32, bytes: u32) -> Result<Json> {
        let more = ["--type", kind];
        self.drive(&["--endpoint", &served.endpoint, "--function", name], &more, seconds, bytes)
            .with_context(|| served.log())
    }

    fn drive(&self, target: &[&str], more: &[&str], seconds: u32, bytes: u32) -> Result<Json> {
        let mut command = self.driver();
        command.arg("load").args(target).args(more).args(["--repeat", "1", "--warm", "1", "--pause", "0"]);
        command.args(["--concurrency", &CLIENTS.to_string(), "--duration", &seconds.to_string()]);
        command.args(["--payload-bytes", &bytes.to_string()]);
        let text = read(&mut command)?;
        let line = text.lines().next().context("the driver printed nothing")?;
        serde_json::from_str(line).context("reading what the driver prints")
    }
}

fn failed(told: &Json) -> f64 {
    ["socket_errors", "timeouts", "http_errors"].map(|kind| number(told, kind)).iter().sum()
}

/// How many events the engine keeps.
fn kept(served: &Served) -> Result<u64> {
    let answer = Api::of(&served.admin).send("GET", "/_lambd/events?limit=1", b"")?;
    answer.json()["Total"].as_u64().with_context(|| format!("/_lambd/events answers {}", answer.status))
}

/// How often a function was invoked since the start.
fn invocations(served: &Served, function: &str) -> Result<u64> {
    let text = Api::of(&served.admin).send("GET", "/metrics", b"")?.body;
    let text = String::from_utf8(text).context("reading the metrics")?;
    let line = format!("lambd_invocations_total{{function=\"{function}\"}} ");
    let count = text.lines().find_map(|found| found.strip_prefix(&line));
    count.map_or(Ok(0), |count| count.parse().context("reading a counter"))
}

/// Takes the only slot of the function `held`, and keeps it.
fn hold(api: &mut Api) -> Result<()> {
    let one = json!({ "ReservedConcurrentExecutions": 1 }).to_string();
    let answer = api.send("PUT", "/2017-10-31/functions/held/concurrency", one.as_bytes())?;
    ensure!(answer.status == 200, "PutFunctionConcurrency answers {}: {}", answer.status, answer.json());
    let body = json!({ "hold": 800 }).to_string();
    let head =
        format!("POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", api::invocations("held"), body.len());
    // Whoever called leaves; the function runs on.
    api.send_and_leave(format!("{head}{body}").as_bytes())?;
    wait_until("the slot is held", || Ok(api.send("POST", &api::invocations("held"), b"{}")?.status == 429))
}

fn wait_until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    for _ in 0..LOOKS_MAX {
        if holds()? {
            return Ok(());
        }
        thread::sleep(LOOK_PAUSE);
    }
    bail!("{what}: it never came to that")
}

/// Hears of events of the function `other` when they run.
struct Told {
    listener: TcpListener,
    port: u16,
}

impl Told {
    fn listen() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("listening for a function")?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// From sending an event to its run.
    fn times_ms(&self, api: &mut Api, samples: usize) -> Result<Vec<f64>> {
        let body = json!({ "tell": self.port }).to_string();
        let mut times = Vec::new();
        for _ in 0..samples {
            let begun = now();
            let header = "X-Amz-Invocation-Type: Event\r\n";
            let answer = api.send_with("POST", &api::invocations("other"), header, body.as_bytes())?;
            ensure!(answer.status == 202, "Invoke answers {}: {}", answer.status, answer.json());
            let (mut stream, _) = self.listener.accept().context("hearing of an event")?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            // Until the function has gone on.
            let _ = stream.read(&mut [0]);
        }
        Ok(times)
    }

    fn worst_ms(&self, api: &mut Api, samples: usize) -> Result<f64> {
        Ok(self.times_ms(api, samples)?.into_iter().fold(0.0, f64::max))
    }
}
