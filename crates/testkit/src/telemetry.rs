//! Telemetry that remembers.

use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::names::FunctionName;
use engine::ports::{LogSource, Metric, Telemetry};
use jiff::Timestamp;

/// Every line and every count, in order.
#[derive(Debug, Default)]
pub struct Remembered {
    lines: Mutex<Vec<String>>,
    counts: Mutex<Vec<Metric>>,
}

impl Remembered {
    /// The lines so far, without their breaks.
    pub fn lines(&self) -> Vec<String> {
        lock(&self.lines).clone()
    }

    /// How often something was counted.
    pub fn count_of(&self, metric: Metric) -> usize {
        lock(&self.counts).iter().filter(|counted| **counted == metric).count()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Telemetry for Remembered {
    fn log(&self, _: &LogSource, _: Timestamp, line: &[u8]) {
        lock(&self.lines).push(String::from_utf8_lossy(line).trim_end_matches('\n').to_owned());
    }

    fn count(&self, metric: Metric, _: &FunctionName) {
        lock(&self.counts).push(metric);
    }
}
