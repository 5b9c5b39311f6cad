//! The execution log of one environment: platform lines and the function's own, in order, with the tail that a
//! caller may have asked for.
//!
//! Never here: where lines are kept.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use domain::function::{LogFormat, LogLevel, Logging};
use domain::log::{self, Record, Tail};
use jiff::Timestamp;

use crate::ports::{Clock, Environment, LogSource, Output, Telemetry};

/// One environment's log.
pub struct EnvironmentLog {
    source: LogSource,
    /// The least levels of a log in JSON.
    application_level: LogLevel,
    system_level: LogLevel,
    telemetry: Arc<dyn Telemetry>,
    clock: Arc<dyn Clock>,
    tail: Mutex<Option<Tail>>,
    /// Whose log it is: its extensions may want to hear of what the platform says.
    environment: OnceLock<Weak<dyn Environment>>,
}

impl EnvironmentLog {
    /// The log of a new environment.
    pub fn new(source: LogSource, logging: &Logging, (telemetry, clock): (Arc<dyn Telemetry>, Arc<dyn Clock>)) -> Self {
        let application_level = match source.format {
            LogFormat::Json => logging.application_level.unwrap_or(LogLevel::Info),
            LogFormat::Text => LogLevel::Trace,
        };
        let system_level = logging.system_level.unwrap_or(LogLevel::Info);
        Self {
            source,
            application_level,
            system_level,
            telemetry,
            clock,
            tail: Mutex::new(None),
            environment: OnceLock::new(),
        }
    }

    /// Whose log it is.
    pub fn belongs_to(&self, environment: &Arc<dyn Environment>) {
        let _ = self.environment.set(Arc::downgrade(environment));
    }

    /// Whether anybody is told what a log in text leaves out.
    pub fn tells_all(&self) -> bool {
        let environment = self.environment.get().and_then(Weak::upgrade);
        self.source.format == LogFormat::Json || environment.is_some_and(|environment| environment.is_observed())
    }

    /// Writes what the platform has to say, as far as the function's format and level let it.
    pub fn record(&self, record: &Record) {
        let now = self.clock.now();
        if let Some(environment) = self.environment.get().and_then(Weak::upgrade) {
            environment.observe(now, record);
        }
        if let Some(line) = record.line(now, self.source.format, self.system_level) {
            self.write(now, line.as_bytes());
        }
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

    fn write(&self, now: Timestamp, line: &[u8]) {
        if let Some(tail) = self.tail.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            tail.push(line);
        }
        self.telemetry.log(&self.source, now, line);
    }
}

impl Output for EnvironmentLog {
    fn line(&self, line: &[u8]) {
        if log::is_kept(line, self.application_level) {
            self.write(self.clock.now(), line);
        }
    }

    fn extension_line(&self, line: &[u8]) {
        // The application's level is not theirs.
        self.write(self.clock.now(), line);
    }

    fn record(&self, record: &Record) {
        self.record(record);
    }
}

impl std::fmt::Debug for EnvironmentLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnvironmentLog").field("source", &self.source).finish_non_exhaustive()
    }
}
