//! Counters for `/metrics`, and where the functions' log lines go: to the kept logs, and to standard error where they
//! are wanted.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use domain::error::ThrottleReason;
use domain::names::FunctionName;
use engine::ports::{LogSource, Metric, Telemetry};
use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::stderr::Stderr;

/// See the module.
#[derive(Debug)]
pub(crate) struct Meters {
    registry: Registry,
    invocations: Family<Function, Counter>,
    errors: Family<Function, Counter>,
    throttles: Family<Throttled, Counter>,
    cold_starts: Family<Function, Counter>,
    machine_full: Family<Function, Counter>,
    events_received: Family<Function, Counter>,
    events_dropped: Family<Function, Counter>,
    dead_letter_errors: Family<Function, Counter>,
    destination_failures: Family<Function, Counter>,
    events_kept: Gauge,
    events_running: Gauge,
    waiting: Family<Prestarted, Gauge>,
    /// Counted by the sandbox; shown as it says.
    starts_found: Family<Prestarted, Gauge>,
    /// Of which functions there are counters.
    counted: Mutex<BTreeSet<FunctionName>>,
    /// Where functions' log lines go; `None` where nobody wants them.
    lines: Option<Stderr>,
    /// Where they are kept.
    logs: Option<Arc<store::Logs>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Function {
    function: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Throttled {
    function: String,
    /// As the caller reads it.
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Prestarted {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Isolation {
    /// The word that users write.
    level: String,
}

impl Meters {
    /// Everything at zero; functions' log lines go to `lines`.
    pub(crate) fn new(level: sandbox::Isolation, lines: Option<Stderr>) -> Self {
        let mut registry = Registry::with_prefix("lambd");
        let (invocations, errors, cold_starts, machine_full) = Default::default();
        let (events_received, events_dropped, dead_letter_errors, destination_failures) = Default::default();
        let (events_kept, events_running) = <(Gauge, Gauge)>::default();
        registry.register("events_kept", "Events on disk, in whatever state", events_kept.clone());
        registry.register("events_running", "Events that run", events_running.clone());
        let (waiting, starts_found) = <(Family<Prestarted, Gauge>, Family<Prestarted, Gauge>)>::default();
        let help = "Environments that wait ahead of use: blanks, and stems, in which a runtime has booted too";
        registry.register("prestarted_waiting", help, waiting.clone());
        let help = "Starts by what they found waiting, since the engine started";
        registry.register("prestarted_found", help, starts_found.clone());
        let throttles: Family<Throttled, Counter> = Family::default();
        let help = "Invocations refused for concurrency or for their rate";
        registry.register("throttles", help, throttles.clone());
        let isolation: Family<Isolation, Gauge> = Family::default();
        isolation.get_or_create(&Isolation { level: level.to_string() }).set(1);
        registry.register("isolation_level", "The isolation level in force", isolation);
        let mut counter = |name: &str, help: &str, family: &Family<Function, Counter>| {
            registry.register(name, help, family.clone());
        };
        counter("invocations", "Invocations that ran", &invocations);
        counter("errors", "Invocations that ended in a function error", &errors);
        counter("cold_starts", "Execution environments started", &cold_starts);
        counter("machine_full", "Invocations refused because the machine was full", &machine_full);
        counter("async_events_received", "Events accepted", &events_received);
        counter("async_events_dropped", "Events that ended without success", &events_dropped);
        counter("dead_letter_errors", "Dead letters that did not arrive in time", &dead_letter_errors);
        counter("destination_delivery_failures", "Records that did not arrive in time", &destination_failures);
        Self {
            registry,
            invocations,
            errors,
            throttles,
            cold_starts,
            machine_full,
            events_received,
            events_dropped,
            dead_letter_errors,
            destination_failures,
            events_kept,
            events_running,
            waiting,
            starts_found,
            counted: Mutex::default(),
            lines,
            logs: None,
        }
    }

    /// From here on functions' log lines are kept there as well.
    pub(crate) fn keeping(mut self, logs: Arc<store::Logs>) -> Self {
        self.logs = Some(logs);
        self
    }

    /// Forgets the counters of functions that are gone, so that they do not become ever more.
    pub(crate) fn forget(&self, is_gone: impl Fn(&FunctionName) -> bool) {
        let families = [
            &self.invocations,
            &self.errors,
            &self.cold_starts,
            &self.machine_full,
            &self.events_received,
            &self.events_dropped,
            &self.dead_letter_errors,
            &self.destination_failures,
        ];
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).retain(|function| {
            if is_gone(function) {
                let labels = Function { function: function.to_string() };
                for family in families {
                    family.remove(&labels);
                }
                for reason in ThrottleReason::ALL {
                    self.throttles.remove(&Throttled { function: function.to_string(), reason: reason.as_str() });
                }
                return false;
            }
            true
        });
    }

    fn count_in<L: Clone + Eq + std::hash::Hash>(
        &self,
        family: &Family<L, Counter>,
        labels: &L,
        function: &FunctionName,
    ) {
        if let Some(counter) = family.get(labels) {
            counter.inc();
            return;
        }
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).insert(function.clone());
        family.get_or_create(labels).inc();
    }

    /// How many events there are at this moment.
    pub(crate) fn see_events(&self, kept: u64, running: usize) {
        self.events_kept.set(i64::try_from(kept).unwrap_or(i64::MAX));
        self.events_running.set(i64::try_from(running).unwrap_or(i64::MAX));
    }

    /// How the environments do that wait ahead of use.
    pub(crate) fn see_stock(&self, counts: sandbox::StockCounts) {
        let sandbox::StockCounts { blanks, stems, found_blank, found_stem, found_nothing } = counts;
        let set = |family: &Family<Prestarted, Gauge>, kind, count| {
            family.get_or_create(&Prestarted { kind }).set(i64::try_from(count).unwrap_or(i64::MAX));
        };
        set(&self.waiting, "blank", blanks);
        set(&self.waiting, "stem", stems);
        set(&self.starts_found, "blank", found_blank);
        set(&self.starts_found, "stem", found_stem);
        set(&self.starts_found, "nothing", found_nothing);
    }

    /// The text behind `/metrics`.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a String takes everything");
        text
    }
}

/// A log line as it is shown. Python's runtime client joins the lines of a traceback with carriage returns, so that they
/// are one log event (awslambdaric, `StandardLogSink`); on a terminal they would cover one another.
fn rows(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line).split(|byte| *byte == b'\r')
}

impl Telemetry for Meters {
    fn log(&self, source: &LogSource, at: Timestamp, line: &[u8]) {
        if let Some(logs) = &self.logs {
            logs.add(source, at, line);
        }
        let Some(lines) = &self.lines else { return };
        for row in rows(line) {
            lines.line(&[source.function.as_str().as_bytes(), b" | ", row, b"\n"]);
        }
    }

    fn count(&self, metric: Metric, function: &FunctionName) {
        let name = function.as_str().to_owned();
        let family = match metric {
            Metric::Invocations => &self.invocations,
            Metric::Errors => &self.errors,
            Metric::Throttles(reason) => {
                let labels = Throttled { function: name, reason: reason.as_str() };
                return self.count_in(&self.throttles, &labels, function);
            }
            Metric::ColdStarts => &self.cold_starts,
            Metric::MachineFull => &self.machine_full,
            Metric::AsyncEventsReceived => &self.events_received,
            Metric::AsyncEventsDropped => &self.events_dropped,
            Metric::DeadLetterErrors => &self.dead_letter_errors,
            Metric::DestinationDeliveryFailures => &self.destination_failures,
        };
        self.count_in(family, &Function { function: name }, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_cover_what_is_before_it_gets_a_row_of_its_own() {
        let traceback = "[ERROR] KeyError: 'a'\rTraceback (most recent call last):\r  File \"a.py\", line 2";
        let rows_of = |line: &str| -> Vec<String> {
            rows(line.as_bytes()).map(|row| String::from_utf8(row.to_vec()).unwrap()).collect()
        };
        for end in ["", "\n", "\r\n"] {
            assert_eq!(
                rows_of(&format!("{traceback}{end}")),
                ["[ERROR] KeyError: 'a'", "Traceback (most recent call last):", "  File \"a.py\", line 2"]
            );
        }
        assert_eq!(rows_of("\n"), [""]);
    }

    #[test]
    fn functions_that_are_gone_are_not_counted_for_ever() {
        let meters = Meters::new(sandbox::Isolation::Process, None);
        let [stays, goes] = ["stays", "goes"].map(|name| FunctionName::parse(name).unwrap());
        let throttles = ThrottleReason::ALL.map(Metric::Throttles);
        let others = [
            Metric::Invocations,
            Metric::Errors,
            Metric::ColdStarts,
            Metric::MachineFull,
            Metric::AsyncEventsReceived,
            Metric::AsyncEventsDropped,
            Metric::DeadLetterErrors,
            Metric::DestinationDeliveryFailures,
        ];
        for metric in throttles.into_iter().chain(others) {
            meters.count(metric, &stays);
            meters.count(metric, &goes);
            meters.count(metric, &goes);
        }
        assert_eq!(meters.text().matches("{function=\"goes\"} 2\n").count(), 8, "{}", meters.text());
        assert_eq!(meters.text().matches("{function=\"goes\",reason=\"").count(), 4, "{}", meters.text());
        meters.forget(|name| *name == goes);
        let text = meters.text();
        assert!(!text.contains("goes"), "{text}");
        assert_eq!(text.matches("{function=\"stays\"} 1\n").count(), 8, "{text}");
        // One of the same name begins anew.
        meters.count(Metric::Invocations, &goes);
        assert!(meters.text().contains("lambd_invocations_total{function=\"goes\"} 1\n"));
        meters.forget(|name| *name == goes);
        assert!(!meters.text().contains("goes"));
    }
}
