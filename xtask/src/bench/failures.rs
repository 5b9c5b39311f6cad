//! What a crash or a timeout costs the next call: the same environment, reset, with the function's own init.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use data_encoding::BASE64;
use serde_json::json;

use super::{Bench, Figure, Size, median};
use crate::api::{self, Api};
use crate::process::{say, timed};

/// It crashes or hangs as its event says.
const FUNCTION: &str = include_str!("../soak/function.sh");
const NAME: &str = "failing";
/// On top of the function's own init.
const RESET_MS_MAX: f64 = 400.0;
const ECHO: &[u8] = br#"{"do":"echo"}"#;
const TRIES: u32 = 2000;

impl Bench {
    pub(super) fn after_failures(&self, size: &Size) -> Result<Vec<Figure>> {
        let served = self.serve("data-failures")?;
        let mut api = Api::of(&served.endpoint);
        let zip = api::zip(&[("bootstrap", FUNCTION.as_bytes())]);
        let body = api::new_function(NAME, "provided.al2023", &zip, &json!({"Timeout": 1}));
        let created = api.send("POST", api::FUNCTIONS, &body)?;
        ensure!(created.status == 201, "creating a function answers {}", created.json());
        let target = format!("{}/configuration", api::function(NAME));
        let mut tries = 0..TRIES;
        while api.send("GET", &target, b"")?.json()["State"] != "Active" {
            ensure!(tries.next().is_some(), "{NAME} does not settle");
        }
        let init = first_init(&mut api)?;
        say(&format!("{} failures of two kinds, each with the call after it", size.restarts));
        let mut figures = Vec::new();
        for (what, event) in [("a crash", r#"{"do":"crash"}"#), ("a timeout", r#"{"do":"hang"}"#)] {
            let mut times = Vec::new();
            for _ in 0..size.restarts {
                let failed = api.send("POST", &api::invocations(NAME), event.as_bytes())?;
                ensure!(failed.header("x-amz-function-error").is_some(), "{event} answers {}", failed.json());
                let (answer, time) = timed(|| api.send("POST", &api::invocations(NAME), ECHO));
                let answer = answer?;
                ensure!(answer.status == 200 && answer.body == ECHO, "after {what}: {}", answer.json());
                times.push(milliseconds(time));
            }
            let most = times.iter().copied().fold(0.0, f64::max);
            figures.push(Figure {
                what: format!("the call after {what}, slowest of {}", size.restarts),
                value: format!("{most:.0} ms, median {:.0} ms, of which init {init:.0} ms", median(&mut times)),
                promise: format!("{RESET_MS_MAX} ms and init"),
                kept: most <= RESET_MS_MAX + init,
            });
        }
        served.stop()?;
        Ok(figures)
    }
}

/// What the function's own init takes, as its first `REPORT` says.
fn first_init(api: &mut Api) -> Result<f64> {
    let answer = api.send_with("POST", &api::invocations(NAME), "X-Amz-Log-Type: Tail\r\n", ECHO)?;
    let tail = BASE64.decode(answer.header("x-amz-log-result").unwrap_or_default().as_bytes());
    let tail = String::from_utf8(tail.context("reading the tail")?).context("reading the tail")?;
    let told = tail.split_once("\tInit Duration: ").and_then(|(_, rest)| rest.split_once(' '));
    let (init, _) = told.with_context(|| format!("no init in {tail:?}"))?;
    init.parse().with_context(|| format!("{init:?} is no duration"))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
