//! The execution log of one environment: platform lines and the function's own, in order, with the tail that a
//! caller may have asked for.
//!
//! Never here: where lines are kept.

use std::sync::{Arc, Mutex, PoisonError};

use domain::log::Tail;

use crate::ports::{Clock, LogSource, Output, Telemetry};

/// One environment's log.
pub struct EnvironmentLog {
    source: LogSource,
    telemetry: Arc<dyn Telemetry>,
    clock: Arc<dyn Clock>,
    tail: Mutex<Option<Tail>>,
}

impl EnvironmentLog {
    /// The log of a new environment.
    pub fn new(source: LogSource, telemetry: Arc<dyn Telemetry>, clock: Arc<dyn Clock>) -> Self {
        Self { source, telemetry, clock, tail: Mutex::new(None) }
    }

    /// The name of its stream.
    pub fn source(&self) -> &LogSource {
        &self.source
    }

    /// From here on lines are also kept for the tail.
    pub fn keep_tail(&self) {
        *self.tail.lock().unwrap_or_else(PoisonError::into_inner) = Some(Tail::default());
    }

    /// The tail since [`EnvironmentLog::keep_tail`].
    pub fn take_tail(&self) -> Option<Vec<u8>> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).take().map(|mut tail| tail.take())
    }
}

impl Output for EnvironmentLog {
    fn line(&self, line: &[u8]) {
        if let Some(tail) = self.tail.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            tail.push(line);
        }
        self.telemetry.log(&self.source, self.clock.now(), line);
    }
}

impl std::fmt::Debug for EnvironmentLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnvironmentLog").field("source", &self.source).finish_non_exhaustive()
    }
}
