//! The mixed load: clients that create, update, run and remove functions, each action with what must come of it. An
//! operation that is built is added to [`ACTIONS`], and a line to what [`Client::remove_all`] removes.
//!
//! A client has functions of its own, of which it knows exactly what must be answered, and meets the others at the
//! shared ones, where whoever comes at the wrong moment may be told so.

mod concurrency;
mod layers;
mod settings;
mod streams;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use data_encoding::BASE64;
use serde_json::{Value as Json, json};

use super::chance::Chance;
use crate::api::{self, Answer, Api};
use crate::process::now;

const FUNCTION: &str = include_str!("function.sh");
const RUNTIME: &str = "provided.al2023";
pub(super) const CLIENTS: usize = 8;
const OWN: usize = 3;
const SHARED: usize = 3;
/// Seconds that an invocation has: more than it takes on a machine that is busy with all the others.
const TIMEOUT: u64 = 60;
/// How long a function, or an environment of its own, may take to be ready, on such a machine; and how often to ask.
const SETTLE_MAX: Duration = Duration::from_mins(1);
const ASK_EVERY: Duration = Duration::from_millis(1);
/// Unexpected answers that are told; all are counted.
const TOLD: usize = 20;

/// What all clients share.
pub(super) struct Load {
    endpoint: String,
    seed: u64,
    packages: AtomicU64,
    stop: AtomicBool,
    done: Mutex<BTreeMap<&'static str, u64>>,
    wrong: Mutex<Vec<String>>,
}

/// One client.
struct Client {
    load: Arc<Load>,
    api: Api,
    chance: Chance,
    own: [Own; OWN],
}

/// A function of one client.
struct Own {
    name: String,
    /// Whether it is there; with what `INIT`.
    there: Option<&'static str>,
}

/// Its name, how often it comes among the others, and what it does.
type Action = (&'static str, usize, fn(&mut Client) -> Result<()>);

const ACTIONS: &[Action] = &[
    ("create or delete", 10, Client::create_or_delete),
    ("invoke", 60, Client::invoke),
    ("invoke, log tail", 10, Client::invoke_with_tail),
    ("invoke, failing", 8, |client| client.invoke_badly("fail", Some("Soak.Failure"))),
    ("invoke, exiting", 4, |client| client.invoke_badly("exit", Some("Runtime.ExitError"))),
    ("invoke, crashing", 4, |client| client.invoke_badly("crash", Some("Runtime.ExitError"))),
    ("invoke, timing out", 2, Client::time_out),
    ("invoke, half an answer", 3, |client| client.invoke_badly("half", None)),
    ("invoke and leave", 4, Client::invoke_and_leave),
    ("invoke by ARN", 6, Client::invoke_by_arn),
    ("invoke a shared one", 20, Client::invoke_shared),
    ("change a shared one", 4, Client::change_shared),
    ("update code", 5, Client::update_code),
    ("update configuration", 5, Client::update_configuration),
    ("publish and alias", 5, Client::publish),
    ("stream", 10, Client::stream),
    ("stream, half an answer", 2, Client::stream_broken),
    ("use layers", 4, Client::use_layers),
    ("reserve concurrency", 3, Client::reserve),
    ("provision concurrency", 3, Client::provision),
    ("tag", 4, Client::tag),
    ("permit", 4, Client::permit),
    ("configure events", 4, Client::configure_events),
    ("dry run", 3, Client::dry_run),
    ("read", 15, Client::read),
    ("list", 3, Client::list),
    ("be refused", 8, Client::be_refused),
];

impl Load {
    pub(super) fn new(endpoint: &str, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            endpoint: endpoint.to_owned(),
            seed,
            packages: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            done: Mutex::default(),
            wrong: Mutex::default(),
        })
    }

    /// One function comes, runs and goes.
    pub(super) fn one_function(self: &Arc<Self>) -> Result<()> {
        let mut client = Client::new(self, CLIENTS, 0);
        client.invoke()?;
        client.remove_all()
    }

    /// Runs all clients while `meanwhile` runs, then removes all that they made.
    pub(super) fn run(self: &Arc<Self>, round: u64, meanwhile: impl FnOnce() -> Result<()>) -> Result<()> {
        self.stop.store(false, Ordering::Relaxed);
        std::thread::scope(|scope| {
            for number in 0..CLIENTS {
                scope.spawn(move || Client::new(self, number, round).run());
            }
            let result = meanwhile();
            self.stop.store(true, Ordering::Relaxed);
            result
        })?;
        Client::new(self, CLIENTS, round).remove_all()
    }

    /// How often each action was done.
    pub(super) fn done(&self) -> BTreeMap<&'static str, u64> {
        self.done.lock().expect("no client panics with it").clone()
    }

    /// What was not answered as it must be.
    pub(super) fn wrong(&self) -> Vec<String> {
        self.wrong.lock().expect("no client panics with it").clone()
    }

    /// A package that nothing else has.
    fn package(&self) -> Vec<u8> {
        let number = self.packages.fetch_add(1, Ordering::Relaxed);
        api::zip(&[("bootstrap", FUNCTION.replace("NUMBER", &number.to_string()).as_bytes())])
    }
}

impl Client {
    fn new(load: &Arc<Load>, number: usize, round: u64) -> Self {
        let own = |index| Own { name: format!("own-{number}-{index}"), there: None };
        let seed = load.seed.wrapping_add(round * 1000 + number as u64);
        Self {
            load: load.clone(),
            api: Api::of(&load.endpoint),
            chance: Chance::of(seed),
            own: std::array::from_fn(own),
        }
    }

    fn run(&mut self) {
        let weights: usize = ACTIONS.iter().map(|(_, weight, _)| weight).sum();
        while !self.load.stop.load(Ordering::Relaxed) {
            let mut at = self.chance.below(weights);
            let chosen = ACTIONS.iter().find(|(_, weight, _)| {
                let found = at < *weight;
                at = at.saturating_sub(*weight);
                found
            });
            let (name, _, act) = chosen.expect("the weights are those of the actions");
            if let Err(error) = act(self) {
                let mut wrong = self.load.wrong.lock().expect("no client panics with it");
                if wrong.len() < TOLD {
                    wrong.push(format!("{name}: {error:#}"));
                }
                drop(wrong);
                // What the client knows of its functions may be wrong now.
                self.forget();
            }
            *self.load.done.lock().expect("no client panics with it").entry(*name).or_default() += 1;
        }
    }

    /// Removes its own functions whether or not they are there, so that the next action finds what it expects.
    fn forget(&mut self) {
        for own in &mut self.own {
            own.there = None;
            let _ = self.api.send("DELETE", &api::function(&own.name), b"");
        }
        for what in ["hanging", "layered", "reserved", "provisioned"] {
            let _ = self.api.send("DELETE", &api::function(&format!("{}-{what}", self.own[0].name)), b"");
        }
    }

    fn pick(&mut self) -> usize {
        self.chance.below(OWN)
    }

    /// A function of its own that is there and can start; it is made if need be.
    fn some_function(&mut self) -> Result<String> {
        let index = self.pick();
        match self.own[index].there {
            Some("") => {}
            Some(_) => {
                self.delete(index)?;
                self.create(index, "")?;
            }
            None => self.create(index, "")?,
        }
        Ok(self.own[index].name.clone())
    }

    fn create(&mut self, index: usize, init: &'static str) -> Result<()> {
        let more = json!({"Timeout": TIMEOUT, "Environment": {"Variables": {"INIT": init}}});
        let name = self.own[index].name.clone();
        let body = api::new_function(&name, RUNTIME, &self.load.package(), &more);
        expect(&self.api.send("POST", api::FUNCTIONS, &body)?, 201)?;
        self.own[index].there = Some(init);
        self.settle(&name)
    }

    fn delete(&mut self, index: usize) -> Result<()> {
        let target = api::function(&self.own[index].name);
        expect(&self.api.send("DELETE", &target, b"")?, 204)?;
        self.own[index].there = None;
        expect(&self.api.send("GET", &target, b"")?, 404)
    }

    fn create_or_delete(&mut self) -> Result<()> {
        let index = self.pick();
        if self.own[index].there.is_some() {
            return self.delete(index);
        }
        // One in eight never starts.
        let init = *self.chance.one_of(&["", "", "", "", "", "", "exit", "fail"]);
        self.create(index, init)?;
        if init.is_empty() {
            return Ok(());
        }
        let name = self.own[index].name.clone();
        let answer = self.api.send("POST", &api::invocations(&name), b"{}")?;
        let error_type = if init == "exit" { "Runtime.ExitError" } else { "Soak.Init" };
        failed(&answer, Some(error_type))
    }

    fn settle(&mut self, name: &str) -> Result<()> {
        let begun = now();
        while begun.elapsed() < SETTLE_MAX {
            let answer = self.api.send("GET", &format!("{}/configuration", api::function(name)), b"")?;
            expect(&answer, 200)?;
            let shown = answer.json();
            if shown["State"] == "Active" && shown["LastUpdateStatus"] != "InProgress" {
                return Ok(());
            }
            std::thread::sleep(ASK_EVERY);
        }
        bail!("{name} does not settle within {} s", SETTLE_MAX.as_secs())
    }

    fn invoke(&mut self) -> Result<()> {
        let name = self.some_function()?;
        let ways = ["echo", "echo", "echo", "echo", "log", "leave", "large"];
        let way = *self.chance.one_of(&ways);
        let event = json!({"do": way, "number": self.chance.below(1_000_000)}).to_string();
        let answer = self.api.send("POST", &api::invocations(&name), event.as_bytes())?;
        answered(&answer, way, &event)
    }

    fn invoke_with_tail(&mut self) -> Result<()> {
        let name = self.some_function()?;
        let event = json!({"do": "log"}).to_string();
        let answer =
            self.api.send_with("POST", &api::invocations(&name), "X-Amz-Log-Type: Tail\r\n", event.as_bytes())?;
        answered(&answer, "log", &event)?;
        let tail = BASE64.decode(answer.header("x-amz-log-result").unwrap_or_default().as_bytes());
        let tail = String::from_utf8(tail.context("reading the tail")?).context("the tail breaks a character")?;
        ensure!(tail.contains("line 499 of") && tail.contains("REPORT RequestId: "), "the tail is {tail:?}");
        Ok(())
    }

    fn invoke_badly(&mut self, way: &str, error_type: Option<&str>) -> Result<()> {
        let name = self.some_function()?;
        let event = json!({"do": way}).to_string();
        let answer = self.api.send("POST", &api::invocations(&name), event.as_bytes())?;
        failed(&answer, error_type)
    }

    /// A function that has a second and takes more, with a second call that meets the environment as it was reset.
    fn time_out(&mut self) -> Result<()> {
        let name = format!("{}-hanging", self.own[0].name);
        let more = json!({"Timeout": 1});
        let body = api::new_function(&name, RUNTIME, &self.load.package(), &more);
        expect(&self.api.send("POST", api::FUNCTIONS, &body)?, 201)?;
        self.settle(&name)?;
        for _ in 0..2 {
            let answer = self.api.send("POST", &api::invocations(&name), br#"{"do":"hang"}"#)?;
            failed(&answer, Some("Sandbox.Timedout"))?;
        }
        expect(&self.api.send("DELETE", &api::function(&name), b"")?, 204)
    }

    fn invoke_and_leave(&mut self) -> Result<()> {
        let name = self.some_function()?;
        let event = r#"{"do":"echo"}"#;
        // Half of them before the body is sent.
        let length = if self.chance.below(2) == 0 { event.len() } else { event.len() + 100 };
        let head = format!("POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n", api::invocations(&name));
        self.api.send_and_leave(&[head.as_bytes(), event.as_bytes()].concat())
    }

    fn invoke_by_arn(&mut self) -> Result<()> {
        let name = self.some_function()?;
        let event = r#"{"do":"echo"}"#;
        let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{name}:$LATEST");
        let answer = self.api.send("POST", &api::invocations(&arn.replace(':', "%3A")), event.as_bytes())?;
        answered(&answer, "echo", event)
    }

    fn shared(&mut self) -> String {
        format!("shared-{}", self.chance.below(SHARED))
    }

    fn invoke_shared(&mut self) -> Result<()> {
        let name = self.shared();
        let event = r#"{"do":"echo","shared":true}"#;
        let answer = self.api.send("POST", &api::invocations(&name), event.as_bytes())?;
        match answer.status {
            // Gone, or still being created.
            404 | 409 => Ok(()),
            _ => answered(&answer, "echo", event),
        }
    }

    fn change_shared(&mut self) -> Result<()> {
        let name = self.shared();
        let target = api::function(&name);
        let (answer, fine): (Answer, &[u16]) = match self.chance.below(4) {
            0 => (self.api.send("DELETE", &target, b"")?, &[204, 404]),
            1 => {
                let body = json!({"ZipFile": BASE64.encode(&self.load.package())}).to_string();
                (self.api.send("PUT", &format!("{target}/code"), body.as_bytes())?, &[200, 404, 409])
            }
            _ => {
                let more = json!({"Timeout": TIMEOUT});
                let body = api::new_function(&name, RUNTIME, &self.load.package(), &more);
                (self.api.send("POST", api::FUNCTIONS, &body)?, &[201, 409])
            }
        };
        ensure!(fine.contains(&answer.status), "answered {}: {}", answer.status, answer.json());
        Ok(())
    }

    fn update_code(&mut self) -> Result<()> {
        let name = self.some_function()?;
        let body = json!({"ZipFile": BASE64.encode(&self.load.package())}).to_string();
        expect(&self.api.send("PUT", &format!("{}/code", api::function(&name)), body.as_bytes())?, 200)?;
        self.settle(&name)
    }

    fn update_configuration(&mut self) -> Result<()> {
        let name = self.some_function()?;
        let value = self.chance.below(1_000_000).to_string();
        let body =
            json!({"Description": value, "Environment": {"Variables": {"INIT": "", "VALUE": value}}}).to_string();
        let target = format!("{}/configuration", api::function(&name));
        expect(&self.api.send("PUT", &target, body.as_bytes())?, 200)?;
        self.settle(&name)?;
        let shown = self.api.send("GET", &target, b"")?.json();
        ensure!(shown["Description"] == *value, "what was written is not shown: {shown}");
        Ok(())
    }

    /// A version and an alias of it, both of which go with the function, or an alias alone before.
    fn publish(&mut self) -> Result<()> {
        let name = self.some_function()?;
        let target = api::function(&name);
        let answer = self.api.send("POST", &format!("{target}/versions"), b"{}")?;
        expect(&answer, 201)?;
        let version = answer.json()["Version"].as_str().unwrap_or_default().to_owned();
        let body = json!({"Name": "live", "FunctionVersion": version}).to_string();
        let answer = self.api.send("POST", &format!("{target}/aliases"), body.as_bytes())?;
        ensure!(matches!(answer.status, 201 | 409), "answered {}: {}", answer.status, answer.json());
        let body = json!({"FunctionVersion": version}).to_string();
        expect(&self.api.send("PUT", &format!("{target}/aliases/live"), body.as_bytes())?, 200)?;
        let event = r#"{"do":"echo"}"#;
        let invoked = format!("{}?Qualifier=live", api::invocations(&name));
        let answer = self.api.send("POST", &invoked, event.as_bytes())?;
        answered(&answer, "echo", event)?;
        let executed = answer.header("x-amz-executed-version");
        ensure!(executed == Some(version.as_str()), "version {executed:?} ran, not {version}");
        if self.chance.below(2) == 0 {
            expect(&self.api.send("DELETE", &format!("{target}/aliases/live"), b"")?, 204)?;
            expect(&self.api.send("DELETE", &format!("{target}?Qualifier={version}"), b"")?, 204)?;
        }
        Ok(())
    }

    fn dry_run(&mut self) -> Result<()> {
        let name = self.some_function()?;
        let header = "X-Amz-Invocation-Type: DryRun\r\n";
        expect(&self.api.send_with("POST", &api::invocations(&name), header, b"{}")?, 204)
    }

    fn read(&mut self) -> Result<()> {
        let name = self.some_function()?;
        let answer = self.api.send("GET", &api::function(&name), b"")?;
        expect(&answer, 200)?;
        let location = answer.json()["Code"]["Location"].as_str().unwrap_or_default().to_owned();
        let path =
            location.strip_prefix(self.load.endpoint.as_str()).with_context(|| format!("code is at {location:?}"))?;
        let code = self.api.send("GET", path, b"")?;
        expect(&code, 200)?;
        let size = answer.json()["Configuration"]["CodeSize"].as_u64();
        ensure!(size == Some(code.body.len() as u64), "{} bytes of code, not {size:?}", code.body.len());
        Ok(())
    }

    fn list(&mut self) -> Result<()> {
        let mut marker = String::new();
        let mut last = String::new();
        loop {
            let answer = self.api.send("GET", &format!("{}?MaxItems=5{marker}", api::FUNCTIONS), b"")?;
            expect(&answer, 200)?;
            let page = answer.json();
            for function in page["Functions"].as_array().context("a page without functions")? {
                let name = function["FunctionName"].as_str().unwrap_or_default().to_owned();
                ensure!(name > last, "{name} comes after {last}");
                last = name;
            }
            match page["NextMarker"].as_str() {
                Some(next) => marker = format!("&Marker={}", next.replace('+', "%2B").replace('=', "%3D")),
                None => return Ok(()),
            }
        }
    }

    fn be_refused(&mut self) -> Result<()> {
        let name = self.some_function()?;
        let (answer, status) = match self.chance.below(6) {
            0 => (self.api.send("POST", &api::invocations("none"), b"{}")?, 404),
            1 => (self.api.send("POST", &api::invocations(&name), b"{")?, 400),
            2 => (self.api.send("POST", api::FUNCTIONS, br#"{"FunctionName":"!"}"#)?, 400),
            3 => {
                let body = api::new_function(&name, RUNTIME, &self.load.package(), &Json::Null);
                (self.api.send("POST", api::FUNCTIONS, &body)?, 409)
            }
            4 => {
                let body = api::new_function("not-a-zip", RUNTIME, b"PK nothing", &Json::Null);
                (self.api.send("POST", api::FUNCTIONS, &body)?, 400)
            }
            _ => (self.api.send("POST", &api::invocations(&name), &vec![b' '; 6_291_457])?, 413),
        };
        expect(&answer, status)
    }

    /// Removes all functions and layers that are there.
    fn remove_all(&mut self) -> Result<()> {
        loop {
            let page = self.api.send("GET", api::FUNCTIONS, b"")?.json();
            let functions = page["Functions"].as_array().context("a page without functions")?;
            if functions.is_empty() {
                return layers::remove_all(&mut self.api);
            }
            for function in functions {
                let name = function["FunctionName"].as_str().context("a function without a name")?;
                expect(&self.api.send("DELETE", &api::function(name), b"")?, 204)?;
            }
        }
    }
}

fn expect(answer: &Answer, status: u16) -> Result<()> {
    ensure!(answer.status == status, "answered {} instead of {status}: {}", answer.status, answer.json());
    Ok(())
}

/// An answer of the function itself.
fn answered(answer: &Answer, way: &str, event: &str) -> Result<()> {
    expect(answer, 200)?;
    ensure!(answer.header("x-amz-function-error").is_none(), "the function failed: {}", answer.json());
    let right = if way == "large" { answer.body.len() == 2_000_002 } else { answer.body == event.as_bytes() };
    ensure!(right, "{} bytes came back for {event}", answer.body.len());
    Ok(())
}

/// An answer in place of a function that failed.
fn failed(answer: &Answer, error_type: Option<&str>) -> Result<()> {
    expect(answer, 200)?;
    ensure!(answer.header("x-amz-function-error") == Some("Unhandled"), "the function did not fail");
    let told = answer.json();
    ensure!(error_type.is_none_or(|expected| told["errorType"] == expected), "another error: {told}");
    Ok(())
}
