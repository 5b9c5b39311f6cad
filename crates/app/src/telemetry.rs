//! Counters for `/metrics`, and the functions' log lines on standard error where they are wanted.

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use domain::names::FunctionName;
use engine::ports::{LogSource, Metric, Telemetry};
use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// See the module.
#[derive(Debug)]
pub(crate) struct Meters {
    registry: Registry,
    invocations: Family<Function, Counter>,
    errors: Family<Function, Counter>,
    throttles: Family<Function, Counter>,
    cold_starts: Family<Function, Counter>,
    machine_full: Family<Function, Counter>,
    /// Lines not yet written; `None` where nobody wants them.
    lines: Option<Mutex<Vec<u8>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Function {
    function: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Isolation {
    level: Level,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Level {
    #[expect(non_camel_case_types, reason = "the label's value is the word that users write")]
    process,
}

/// Lines are written together, and at once when this many bytes have come together.
const LINES_BYTES: usize = 64 * 1024;

impl Meters {
    /// Everything at zero.
    pub(crate) fn new(print_lines: bool) -> Self {
        let mut registry = Registry::with_prefix("lambd");
        let (invocations, errors, throttles, cold_starts, machine_full) = Default::default();
        let isolation: Family<Isolation, Gauge> = Family::default();
        isolation.get_or_create(&Isolation { level: Level::process }).set(1);
        registry.register("isolation_level", "The isolation level in force", isolation);
        let mut counter = |name: &str, help: &str, family: &Family<Function, Counter>| {
            registry.register(name, help, family.clone());
        };
        counter("invocations", "Invocations that ran", &invocations);
        counter("errors", "Invocations that ended in a function error", &errors);
        counter("throttles", "Invocations refused for the account's concurrency", &throttles);
        counter("cold_starts", "Execution environments started", &cold_starts);
        counter("machine_full", "Invocations refused because the machine was full", &machine_full);
        let lines = print_lines.then(Mutex::default);
        Self { registry, invocations, errors, throttles, cold_starts, machine_full, lines }
    }

    /// The text behind `/metrics`.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a String takes everything");
        text
    }

    /// Writes out the lines that have come together.
    pub(crate) fn flush(&self) {
        if let Some(lines) = &self.lines {
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            write_out(&mut lines);
        }
    }
}

/// When standard error is closed there is nobody left to tell.
fn write_out(lines: &mut Vec<u8>) {
    if !lines.is_empty() {
        let _ = std::io::stderr().lock().write_all(lines);
        lines.clear();
    }
}

impl Telemetry for Meters {
    fn log(&self, source: &LogSource, _: Timestamp, line: &[u8]) {
        let Some(lines) = &self.lines else { return };
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.extend_from_slice(source.function.as_str().as_bytes());
        lines.extend_from_slice(b" | ");
        lines.extend_from_slice(line);
        if !line.ends_with(b"\n") {
            lines.push(b'\n');
        }
        if lines.len() >= LINES_BYTES {
            write_out(&mut lines);
        }
    }

    fn count(&self, metric: Metric, function: &FunctionName) {
        let family = match metric {
            Metric::Invocations => &self.invocations,
            Metric::Errors => &self.errors,
            Metric::Throttles => &self.throttles,
            Metric::ColdStarts => &self.cold_starts,
            Metric::MachineFull => &self.machine_full,
        };
        family.get_or_create(&Function { function: function.to_string() }).inc();
    }
}
