//! What it costs that many functions are registered: one engine with ten beside one with ten thousand, which share a
//! package as copies of one function would.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value as Json, json};

use super::{Bench, FUNCTIONS_AT_START, Figure, median, no, number};
use crate::api::{self, Api};
use crate::process::{now, read, say, timed};
use crate::served::Served;

/// How much is measured.
pub(super) struct Many {
    functions: usize,
    /// Rounds on each side, of a second each.
    rounds: u32,
    /// Creations, pages and restarts on each side.
    samples: usize,
    restarts: usize,
}

pub(super) const FULL: Many = Many { functions: 10_000, rounds: 20, samples: 101, restarts: 15 };
pub(super) const SHORT: Many = Many { functions: 1_000, rounds: 1, samples: 11, restarts: 3 };

const CONNECTIONS: usize = 8;
const READY_MS_MAX: f64 = 100.0;
/// 5 % is what a median may move by.
const WARM_RATIO_MAX: f64 = 1.05;
const CREATIONS_PER_SECOND_MIN: f64 = 100.0;
const CREATION_RATIO_MAX: f64 = 3.0;
const KB_PER_FUNCTION_MAX: f64 = 20.0;
/// What all but the measured function hold: it is never run.
const SCRIPT: &[u8] = b"#!/bin/sh\nexit 1\n";
const NAMELESS: &str = "the function";

impl Bench {
    pub(super) fn many(&self, many: &Many) -> Result<Vec<Figure>> {
        let (few, lots) = (self.serve("data-few")?, self.serve("data-many")?);
        say(&format!("{} functions over {CONNECTIONS} connections", many.functions));
        for served in [&few, &lots] {
            self.create(served, &[("echo".to_owned(), "lambda_runtime")])?;
        }
        create_many(&few, 1, FUNCTIONS_AT_START - 1)?;
        let rate = create_many(&lots, CONNECTIONS, many.functions - 1)?;
        let count = many.functions;
        let mut figures = vec![Figure {
            what: format!("creations over {CONNECTIONS} connections, up to {count} functions"),
            value: format!("{rate:.0} /s"),
            promise: format!("{CREATIONS_PER_SECOND_MIN} /s"),
            kept: rate >= CREATIONS_PER_SECOND_MIN,
        }];
        figures.push(creations(&few, &lots, many)?);
        figures.push(pages(&few, &lots, many)?);
        figures.push(self.warm(&few, &lots, many)?);
        let created = self.pss(&lots)? - self.pss(&few)?;
        few.stop()?;
        lots.stop()?;
        let (mut ready, mut loaded) = (Vec::new(), Vec::new());
        for _ in 0..many.restarts {
            let (few, lots) = (self.serve("data-few")?, self.serve("data-many")?);
            ready.push(lots.ready_ms);
            loaded.push(self.pss(&lots)? - self.pss(&few)?);
            few.stop()?;
            lots.stop()?;
        }
        let ready = median(&mut ready);
        figures.push(Figure {
            what: format!("ready after start, {count} functions, median of {}", many.restarts),
            value: format!("{ready:.1} ms"),
            promise: format!("{READY_MS_MAX} ms"),
            kept: ready <= READY_MS_MAX,
        });
        #[expect(clippy::cast_precision_loss, reason = "far fewer functions than that")]
        let [created, loaded] =
            [created, median(&mut loaded)].map(|mb| mb * 1024.0 / (count - FUNCTIONS_AT_START) as f64);
        figures.push(Figure {
            what: "idle memory per registered function, PSS".to_owned(),
            value: format!("{loaded:.1} KB after a start, {created:.1} KB where they were created"),
            promise: format!("{KB_PER_FUNCTION_MAX} KB"),
            kept: loaded <= KB_PER_FUNCTION_MAX && created <= KB_PER_FUNCTION_MAX,
        });
        Ok(figures)
    }

    pub(super) fn pss(&self, served: &Served) -> Result<f64> {
        let text = read(self.driver().args(["mem", &served.id().to_string()]))?;
        let tree: Json = serde_json::from_str(text.trim()).context("reading what the driver prints")?;
        Ok(number(&tree, "pss_mb"))
    }

    /// The warm median of the same function in both, in alternating rounds.
    fn warm(&self, few: &Served, lots: &Served, many: &Many) -> Result<Figure> {
        say(&format!("warm: {} rounds of 1 s on each side", many.rounds));
        let load = |rounds: u32| -> Result<Vec<Json>> {
            let mut command = self.driver();
            command
                .args(["load", "--function", "echo", "--label", "many", "--endpoint", &lots.endpoint])
                .args(["--b-function", "echo", "--b-label", "few", "--b-endpoint", &few.endpoint])
                .args(["--concurrency", "1", "--duration", "1", "--repeat", &rounds.to_string()])
                .args(["--pid", &lots.id().to_string(), "--b-pid", &few.id().to_string()]);
            let text = read(&mut command).with_context(|| lots.log())?;
            text.lines().map(|line| serde_json::from_str(line).context("reading what the driver prints")).collect()
        };
        load(1)?;
        let lines = load(many.rounds)?;
        ensure!(lines.len() == 3, "the driver printed {} lines", lines.len());
        let errors: f64 = ["socket_errors", "timeouts", "http_errors"].map(|kind| number(&lines[0], kind)).iter().sum();
        let ratio = number(&lines[2], "p50");
        let cpu = |side: &Json| side["cpu_us_per_req"][0].as_f64().unwrap_or(f64::NAN);
        Ok(Figure {
            what: format!("warm sync p50 among {} functions, lambda_runtime, 1 client", many.functions),
            value: format!(
                "{ratio:.3} × ({:.3} against {:.3} ms; {errors} errors; CPU {:.0} against {:.0} µs)",
                number(&lines[0], "p50_ms"),
                number(&lines[1], "p50_ms"),
                cpu(&lines[0]),
                cpu(&lines[1])
            ),
            promise: format!("{WARM_RATIO_MAX} × that among {FUNCTIONS_AT_START}"),
            kept: ratio <= WARM_RATIO_MAX && no(errors),
        })
    }
}

/// Creates that many, all with one package; how many a second.
fn create_many(served: &Served, connections: usize, count: usize) -> Result<f64> {
    let zip = api::zip(&[("bootstrap", SCRIPT)]);
    let next = AtomicUsize::new(0);
    let (created, time) = timed(|| {
        std::thread::scope(|scope| {
            let work = || -> Result<()> {
                let mut api = Api::of(&served.endpoint);
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return Ok(());
                    }
                    create(&mut api, &format!("function-{number:05}"), &zip)?;
                }
            };
            let threads: Vec<_> = (0..connections).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("a client does not panic"))
        })
    });
    created.with_context(|| served.log())?;
    #[expect(clippy::cast_precision_loss, reason = "far fewer functions than that")]
    Ok(count as f64 / time.as_secs_f64())
}

fn create(api: &mut Api, name: &str, zip: &[u8]) -> Result<()> {
    let body = api::new_function(name, "provided.al2023", zip, &json!({"Description": NAMELESS, "Timeout": 30}));
    let answer = api.send("POST", api::FUNCTIONS, &body)?;
    ensure!(answer.status == 201, "CreateFunction answers {}: {}", answer.status, answer.json());
    Ok(())
}

/// What one creation costs on each side, in turn; each is deleted again.
fn creations(few: &Served, lots: &Served, many: &Many) -> Result<Figure> {
    let zip = api::zip(&[("bootstrap", SCRIPT)]);
    sides(few, lots, many, "one creation", format!("{CREATION_RATIO_MAX} × that among {FUNCTIONS_AT_START}"), |api| {
        let begun = now();
        // In the middle of the others.
        create(api, "function-05000x", &zip)?;
        let took = begun.elapsed().as_secs_f64() * 1e3;
        let answer = api.send("DELETE", &api::function("function-05000x"), b"")?;
        ensure!(answer.status == 204, "DeleteFunction answers {}: {}", answer.status, answer.json());
        Ok(took)
    })
}

/// What a page of ten costs on each side, in turn.
fn pages(few: &Served, lots: &Served, many: &Many) -> Result<Figure> {
    let of = format!("{CREATION_RATIO_MAX} × that among {FUNCTIONS_AT_START}");
    sides(few, lots, many, "one page of ten in a listing", of, |api| {
        let begun = now();
        let answer = api.send("GET", &format!("{}?MaxItems=10", api::FUNCTIONS), b"")?;
        let took = begun.elapsed().as_secs_f64() * 1e3;
        let shown = answer.json()["Functions"].as_array().map_or(0, Vec::len);
        ensure!(shown == 10, "ListFunctions answers {} with {shown} functions", answer.status);
        Ok(took)
    })
}

fn sides(
    few: &Served,
    lots: &Served,
    many: &Many,
    what: &str,
    promise: String,
    mut one: impl FnMut(&mut Api) -> Result<f64>,
) -> Result<Figure> {
    let (mut to_few, mut to_lots) = (Api::of(&few.endpoint), Api::of(&lots.endpoint));
    let (mut few_ms, mut lots_ms) = (Vec::new(), Vec::new());
    for _ in 0..many.samples {
        few_ms.push(one(&mut to_few).with_context(|| few.log())?);
        lots_ms.push(one(&mut to_lots).with_context(|| lots.log())?);
    }
    let (few_ms, lots_ms) = (median(&mut few_ms), median(&mut lots_ms));
    let ratio = lots_ms / few_ms;
    Ok(Figure {
        what: format!("{what} among {} functions, median of {}", many.functions, many.samples),
        value: format!("{ratio:.2} × ({lots_ms:.2} against {few_ms:.2} ms)"),
        promise,
        kept: ratio <= CREATION_RATIO_MAX,
    })
}
