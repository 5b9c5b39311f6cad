//! What the platform says of an environment and of its invocations: one enum, written as a line of text, as a line of
//! JSON, or as an event of the Telemetry API.
//!
//! Source, where nothing else is said: AWS developer guide, telemetry-schema-reference; the order of the keys is that
//! of execution logs published in 2024. Never here: who gets it.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::decimal::push_decimal;
use crate::function::{LogFormat, LogLevel};
use crate::limits;
use crate::names::RequestId;
use crate::trace::TraceHeader;

/// Room for `START` and `END`.
const LINE_BYTES: usize = 80;
/// Room for `REPORT`.
const REPORT_BYTES: usize = 192;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// An initialisation begins.
    InitStart(InitStart),
    /// The runtime has ended its part of an initialisation.
    InitRuntimeDone {
        /// Why there is one.
        initialization: Initialization,
        /// When it ran.
        phase: InitPhase,
        /// How it ended.
        status: Status,
    },
    /// An initialisation has ended.
    InitReport {
        /// Why there is one.
        initialization: Initialization,
        /// When it ran.
        phase: InitPhase,
        /// How it ended.
        status: Status,
        /// How long it took.
        duration: Duration,
    },
    /// An invocation begins.
    Start {
        /// Whose.
        request_id: RequestId,
        /// `$LATEST` or a number.
        version: String,
        /// Its trace, where it is sampled.
        trace: Option<TraceHeader>,
    },
    /// The runtime has ended its part of an invocation.
    RuntimeDone(RuntimeDone),
    /// Everybody has ended their part of an invocation. Written in text only.
    End {
        /// Whose.
        request_id: RequestId,
    },
    /// An invocation in figures.
    Report(Report),
    /// An extension has registered, or failed to.
    Extension {
        /// The name of its file.
        name: String,
        /// `Registered`, `Ready`, `LaunchError`, ….
        state: String,
        /// `INVOKE`, `SHUTDOWN`.
        events: Vec<String>,
        /// Why it failed.
        error_type: Option<String>,
    },
    /// An extension has subscribed to telemetry.
    TelemetrySubscription {
        /// The extension.
        name: String,
        /// `Subscribed`, `Already subscribed`, ….
        state: String,
        /// `platform`, `function`, `extension`.
        types: Vec<String>,
    },
    /// Lines are missing.
    LogsDropped {
        /// Why.
        reason: String,
        /// How many.
        records: u64,
        /// How much they were in all.
        bytes: u64,
    },
}

/// See [`Record::InitStart`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitStart {
    /// Why there is one.
    pub initialization: Initialization,
    /// When it runs.
    pub phase: InitPhase,
    /// `python:3.12.v38`.
    pub runtime_version: Option<String>,
    /// The ARN of that version.
    pub runtime_version_arn: Option<String>,
    /// The function's bare name.
    pub function: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// The environment, as its log stream is named.
    pub instance: String,
    /// Configured MB.
    pub memory_mb: u32,
}

/// Why an environment is initialised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initialization {
    /// For an invocation that found none.
    #[default]
    OnDemand,
    /// To be there before any invocation.
    ProvisionedConcurrency,
}

impl Initialization {
    /// As `AWS_LAMBDA_INITIALIZATION_TYPE` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::ProvisionedConcurrency => "provisioned-concurrency",
        }
    }
}

/// The phase in which an initialisation ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InitPhase {
    /// Before the invocation, on its own ten seconds.
    Init,
    /// Again, inside the invocation, on the function's timeout.
    Invoke,
}

impl InitPhase {
    fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Invoke => "invoke",
        }
    }
}

/// How an invocation or an initialisation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Well.
    Success,
    /// The function answered with an error, of this type. `REPORT` does not tell (recorded:
    /// `test_invocation_type_event_error`).
    Raised(String),
    /// The platform saw the function fail with this type of error, or its initialisation failed.
    Error(String),
    /// The platform failed, with this type of error.
    Failure(String),
    /// Time was up.
    Timeout,
}

impl Status {
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Raised(_) | Self::Error(_) => "error",
            Self::Failure(_) => "failure",
            Self::Timeout => "timeout",
        }
    }

    pub(super) fn error_type(&self) -> Option<&str> {
        match self {
            Self::Raised(error_type) | Self::Error(error_type) | Self::Failure(error_type) => Some(error_type),
            Self::Success | Self::Timeout => None,
        }
    }

    /// What stands in a line of text; empty where nothing does.
    fn as_text(&self) -> String {
        match self {
            Self::Success | Self::Raised(_) => String::new(),
            Self::Timeout => "Status: timeout".to_owned(),
            Self::Error(error_type) | Self::Failure(error_type) => {
                format!("Status: {}\tError Type: {error_type}", self.as_str())
            }
        }
    }

    /// The level of a record that is worth telling only when something went wrong.
    fn level(&self, of_success: LogLevel) -> LogLevel {
        if *self == Self::Success { of_success } else { LogLevel::Warn }
    }
}

/// See [`Record::RuntimeDone`].
#[derive(Clone, Debug, PartialEq)]
pub struct RuntimeDone {
    /// Whose.
    pub request_id: RequestId,
    /// How it ended.
    pub status: Status,
    /// Its trace, where it is sampled.
    pub trace: Option<TraceHeader>,
    /// Its parts, in order.
    pub spans: Vec<Span>,
    /// From the event to the runtime's next poll.
    pub duration: Duration,
    /// Bytes of the answer, where there is one.
    pub produced_bytes: Option<u64>,
}

/// A part of an invocation: `responseLatency`, `responseDuration`, `runtimeOverhead`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Which.
    pub name: &'static str,
    /// When it began.
    pub start: Timestamp,
    /// How long it took.
    pub duration: Duration,
}

/// See [`Record::Report`].
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Whose.
    pub request_id: RequestId,
    /// From the event until everybody had ended their part.
    pub duration: Duration,
    /// Of the initialisation before it, if there was one and it succeeded.
    pub init: Option<Duration>,
    /// Configured MB.
    pub memory_mb: u32,
    /// The most bytes that the environment has used so far.
    pub memory_used_bytes: u64,
    /// Its trace, where it is sampled.
    pub trace: Option<TraceHeader>,
    /// How it ended.
    pub status: Status,
}

impl Report {
    // Billed Duration includes the initialisation since August 2025 and is rounded up
    // (AWS developer guide, lambda-runtime-environment; observed: 3.10 ms + 542.01 ms -> 546 ms).
    pub(super) fn billed_ms(&self) -> u64 {
        let billed = self.duration + self.init.unwrap_or_default();
        billed.as_secs() * 1_000 + u64::from(billed.subsec_nanos().div_ceil(1_000_000))
    }

    pub(super) fn memory_used_mb(&self) -> u64 {
        self.memory_used_bytes.div_ceil(limits::MIB)
    }

    fn text(&self) -> String {
        let mut text = String::with_capacity(REPORT_BYTES);
        text.push_str("REPORT RequestId: ");
        self.request_id.push_to(&mut text);
        text.push_str("\tDuration: ");
        push_hundredths(&mut text, self.duration);
        text.push_str(" ms\tBilled Duration: ");
        push_decimal(&mut text, self.billed_ms());
        text.push_str(" ms\tMemory Size: ");
        push_decimal(&mut text, self.memory_mb.into());
        text.push_str(" MB\tMax Memory Used: ");
        push_decimal(&mut text, self.memory_used_mb());
        text.push_str(" MB\t");
        if let Some(init) = self.init {
            text.push_str("Init Duration: ");
            push_hundredths(&mut text, init);
            text.push_str(" ms\t");
        }
        text.push_str(&self.status.as_text());
        text.push('\n');
        // A second line of the same event (observed on AWS).
        if let Some(trace) = &self.trace {
            let (root, segment) = (trace.root(), trace.parent().unwrap_or_default());
            writeln!(text, "XRAY TraceId: {root}\tSegmentId: {segment}\tSampled: true\t")
                .expect("a String takes everything");
        }
        text
    }
}

impl Record {
    /// Its type in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::InitStart(_) => "platform.initStart",
            Self::InitRuntimeDone { .. } => "platform.initRuntimeDone",
            Self::InitReport { .. } => "platform.initReport",
            Self::Start { .. } => "platform.start",
            Self::RuntimeDone(_) => "platform.runtimeDone",
            Self::End { .. } => "platform.end",
            Self::Report(_) => "platform.report",
            Self::Extension { .. } => "platform.extension",
            Self::TelemetrySubscription { .. } => "platform.telemetrySubscription",
            Self::LogsDropped { .. } => "platform.logsDropped",
        }
    }

    /// Its level in a log whose format is JSON; `None`: it is never there (AWS developer guide,
    /// monitoring-cloudwatchlogs-log-level; not all of its table is published).
    pub fn level(&self) -> Option<LogLevel> {
        Some(match self {
            Self::End { .. } => return None,
            Self::Start { .. } | Self::InitStart(_) | Self::Extension { .. } | Self::TelemetrySubscription { .. } => {
                LogLevel::Info
            }
            Self::InitReport { initialization: Initialization::ProvisionedConcurrency, status, .. } => {
                status.level(LogLevel::Info)
            }
            Self::InitReport { status, .. } | Self::InitRuntimeDone { status, .. } => status.level(LogLevel::Debug),
            Self::RuntimeDone(done) => done.status.level(LogLevel::Debug),
            Self::Report(report) => report.status.level(LogLevel::Info),
            Self::LogsDropped { .. } => LogLevel::Warn,
        })
    }

    /// What an execution log of this format says of it, the line break included; `None` where it says nothing.
    pub fn line(&self, at: Timestamp, format: LogFormat, least: LogLevel) -> Option<String> {
        match format {
            LogFormat::Text => self.text(),
            LogFormat::Json if self.level()? >= least => Some(self.json(at) + "\n"),
            LogFormat::Json => None,
        }
    }

    /// The line of text, its break included; `None` where text has none.
    pub fn text(&self) -> Option<String> {
        Some(match self {
            Self::InitStart(InitStart { runtime_version, runtime_version_arn, .. }) => {
                // The line tells of nothing else, and an image has no runtime of Lambda's.
                let (version, arn) = (runtime_version.as_ref()?, runtime_version_arn.as_ref()?);
                format!("INIT_START Runtime Version: {version}\tRuntime Version ARN: {arn}\n")
            }
            // Text has none of the first two, and the third only when it failed or timed out, if it was on demand
            // (AWS developer guide, lambda-runtime-environment).
            Self::InitRuntimeDone { .. }
            | Self::RuntimeDone(_)
            | Self::InitReport { initialization: Initialization::OnDemand, status: Status::Success, .. } => {
                return None;
            }
            Self::InitReport { phase, status, duration, .. } => {
                // Here a success is told as well: it is written where initialisations are not on demand.
                let status = if *status == Status::Success { "Status: success".to_owned() } else { status.as_text() };
                let phase = phase.as_str();
                let mut text = String::from("INIT_REPORT Init Duration: ");
                push_hundredths(&mut text, *duration);
                text + " ms\tPhase: " + phase + "\t" + &status + "\n"
            }
            Self::Start { request_id, version, .. } => {
                let mut text = String::with_capacity(LINE_BYTES);
                text.push_str("START RequestId: ");
                request_id.push_to(&mut text);
                text + " Version: " + version + "\n"
            }
            Self::End { request_id } => {
                let mut text = String::with_capacity(LINE_BYTES);
                text.push_str("END RequestId: ");
                request_id.push_to(&mut text);
                text + "\n"
            }
            Self::Report(report) => report.text(),
            Self::Extension { name, state, events, error_type } => {
                let mut text = format!("EXTENSION\tName: {name}\tState: {state}\tEvents: [{}]", events.join(", "));
                if let Some(error_type) = error_type {
                    write!(text, "\tError Type: {error_type}").expect("a String takes everything");
                }
                text + "\n"
            }
            Self::TelemetrySubscription { name, state, types } => {
                let types: Vec<String> = types.iter().map(|name| capitalised(name)).collect();
                format!("TELEMETRY\tName: {name}\tState: {state}\tTypes: [{}]\n", types.join(", "))
            }
            Self::LogsDropped { reason, records, bytes } => {
                format!("LOGS_DROPPED Reason: {reason}\tDropped Records: {records}\tDropped Bytes: {bytes}\n")
            }
        })
    }
}

fn capitalised(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}

/// Adds a length of time in milliseconds with two decimals.
fn push_hundredths(text: &mut String, duration: Duration) {
    let hundredths = duration.as_secs() * 100_000 + u64::from((duration.subsec_nanos() + 5_000) / 10_000);
    push_decimal(text, hundredths / 100);
    text.push('.');
    push_decimal(text, hundredths / 10 % 10);
    push_decimal(text, hundredths % 10);
}

#[cfg(test)]
pub(super) mod tests {
    use uuid::Uuid;

    use super::*;

    pub(in crate::log) const ID: &str = "00000000-0000-0000-0000-000000000000";
    pub(in crate::log) const TRACE: &str = "Root=1-6352a70e-1e2c502e358361800241fd45;Parent=35465b3a9e2f7c6a;Sampled=1";

    pub(in crate::log) fn id() -> RequestId {
        RequestId(Uuid::nil())
    }

    pub(in crate::log) fn report() -> Report {
        Report {
            request_id: id(),
            duration: Duration::from_micros(3_010),
            init: None,
            memory_mb: 128,
            memory_used_bytes: 36 * limits::MIB - 5,
            trace: None,
            status: Status::Success,
        }
    }

    pub(in crate::log) fn init_start() -> Record {
        Record::InitStart(InitStart {
            initialization: Initialization::OnDemand,
            phase: InitPhase::Init,
            runtime_version: Some("python:3.12.v38".into()),
            runtime_version_arn: Some("arn:aws:lambda:eu-west-3::runtime:b475".into()),
            function: "fn".into(),
            version: "$LATEST".into(),
            instance: "2024/05/20/[$LATEST]aa01".into(),
            memory_mb: 128,
        })
    }

    pub(in crate::log) fn init_report(initialization: Initialization, phase: InitPhase, status: Status) -> Record {
        Record::InitReport { initialization, phase, status, duration: Duration::from_micros(9_999_470) }
    }

    pub(in crate::log) fn runtime_done(status: Status) -> Record {
        let start: Timestamp = "2024-05-20T16:29:45.008Z".parse().unwrap();
        Record::RuntimeDone(RuntimeDone {
            request_id: id(),
            status,
            trace: None,
            spans: vec![Span { name: "responseLatency", start, duration: Duration::from_nanos(2_215_499) }],
            duration: Duration::from_micros(11_185),
            produced_bytes: Some(40),
        })
    }

    #[test]
    fn report_lines_are_aws_lines() {
        // Recorded: test_invocation_type_event_error; AWS developer guide, lambda-runtime-environment.
        let warm = format!(
            "REPORT RequestId: {ID}\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t\n"
        );
        assert_eq!(report().text(), warm);
        let cold =
            Report { duration: Duration::from_micros(3_100), init: Some(Duration::from_micros(542_010)), ..report() };
        assert!(cold.text().contains("Billed Duration: 546 ms\t"), "{}", cold.text());
        let ends = [
            (cold, "Max Memory Used: 36 MB\tInit Duration: 542.01 ms\t\n"),
            (Report { status: Status::Timeout, ..report() }, "36 MB\tStatus: timeout\n"),
            (
                Report { status: Status::Error("Runtime.ExitError".into()), ..report() },
                "36 MB\tStatus: error\tError Type: Runtime.ExitError\n",
            ),
            (Report { status: Status::Raised("Runtime.Unknown".into()), ..report() }, "36 MB\t\n"),
            (
                Report { trace: TraceHeader::parse(TRACE), ..report() },
                "36 MB\t\nXRAY TraceId: 1-6352a70e-1e2c502e358361800241fd45\tSegmentId: 35465b3a9e2f7c6a\tSampled: true\t\n",
            ),
        ];
        for (report, end) in ends {
            assert!(report.text().ends_with(end), "{}", report.text());
        }
    }

    #[test]
    fn lines_of_text_are_aws_lines() {
        use Initialization::{OnDemand, ProvisionedConcurrency};
        let cases = [
            (
                init_start(),
                Some(
                    "INIT_START Runtime Version: python:3.12.v38\tRuntime Version ARN: arn:aws:lambda:eu-west-3::runtime:b475\n",
                ),
            ),
            (
                Record::Start { request_id: id(), version: "7".into(), trace: TraceHeader::parse(TRACE) },
                Some("START RequestId: 00000000-0000-0000-0000-000000000000 Version: 7\n"),
            ),
            (Record::End { request_id: id() }, Some("END RequestId: 00000000-0000-0000-0000-000000000000\n")),
            // AWS developer guide, lambda-runtime-environment.
            (
                init_report(OnDemand, InitPhase::Init, Status::Timeout),
                Some("INIT_REPORT Init Duration: 9999.47 ms\tPhase: init\tStatus: timeout\n"),
            ),
            (
                init_report(OnDemand, InitPhase::Invoke, Status::Error("Runtime.ExitError".into())),
                Some(
                    "INIT_REPORT Init Duration: 9999.47 ms\tPhase: invoke\tStatus: error\tError Type: Runtime.ExitError\n",
                ),
            ),
            (init_report(OnDemand, InitPhase::Init, Status::Success), None),
            (
                init_report(ProvisionedConcurrency, InitPhase::Init, Status::Success),
                Some("INIT_REPORT Init Duration: 9999.47 ms\tPhase: init\tStatus: success\n"),
            ),
            (runtime_done(Status::Success), None),
            (
                Record::Extension {
                    name: "agent".into(),
                    state: "Ready".into(),
                    events: vec!["INVOKE".into(), "SHUTDOWN".into()],
                    error_type: None,
                },
                Some("EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n"),
            ),
            (
                Record::TelemetrySubscription {
                    name: "agent".into(),
                    state: "Subscribed".into(),
                    types: vec!["platform".into(), "function".into()],
                },
                Some("TELEMETRY\tName: agent\tState: Subscribed\tTypes: [Platform, Function]\n"),
            ),
        ];
        for (record, text) in cases {
            assert_eq!(record.text().as_deref(), text, "{record:?}");
        }
    }

    #[test]
    fn levels_are_aws_levels() {
        use Initialization::{OnDemand, ProvisionedConcurrency};
        use LogLevel::{Debug, Info, Warn};
        let failed = || Status::Raised("E".into());
        let cases = [
            (init_start(), Some(Info)),
            (Record::Start { request_id: id(), version: "1".into(), trace: None }, Some(Info)),
            (runtime_done(Status::Success), Some(Debug)),
            (runtime_done(failed()), Some(Warn)),
            (Record::End { request_id: id() }, None),
            (Record::Report(report()), Some(Info)),
            (Record::Report(Report { status: Status::Timeout, ..report() }), Some(Warn)),
            (init_report(OnDemand, InitPhase::Init, Status::Success), Some(Debug)),
            (init_report(OnDemand, InitPhase::Init, Status::Timeout), Some(Warn)),
            (init_report(ProvisionedConcurrency, InitPhase::Init, Status::Success), Some(Info)),
        ];
        for (record, level) in cases {
            assert_eq!(record.level(), level, "{record:?}");
        }
        let at = Timestamp::UNIX_EPOCH;
        assert_eq!(runtime_done(Status::Success).line(at, LogFormat::Json, Info), None);
        assert!(runtime_done(failed()).line(at, LogFormat::Json, Warn).unwrap().ends_with("}\n"));
        assert!(Record::Report(report()).line(at, LogFormat::Text, Warn).is_some(), "levels are for JSON only");
    }
}
