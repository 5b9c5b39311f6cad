//! The records as JSON: a line of a JSON log and an event of the Telemetry API alike.
//!
//! Never here: which of them are written.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::record::{InitPhase, Initialization, Record, Report, RuntimeDone, Span, Status};
use crate::function::LogFormat;
use crate::limits;
use crate::trace::TraceHeader;

impl Record {
    /// `{"time":…,"type":…,"record":…}`: a line of a JSON log and an event of the Telemetry API alike.
    pub fn json(&self, at: Timestamp) -> String {
        let json = match self {
            Self::InitStart(start) => self.enveloped(
                at,
                InitStartJson {
                    initialization_type: start.initialization,
                    phase: start.phase,
                    runtime_version: start.runtime_version.as_deref(),
                    runtime_version_arn: start.runtime_version_arn.as_deref(),
                    function_name: &start.function,
                    function_version: &start.version,
                    instance_id: &start.instance,
                    instance_max_memory: u64::from(start.memory_mb) * limits::MIB,
                },
            ),
            Self::InitRuntimeDone { initialization, phase, status } => self.enveloped(
                at,
                InitEndJson {
                    initialization_type: *initialization,
                    phase: *phase,
                    ended: status.into(),
                    metrics: None,
                },
            ),
            Self::InitReport { initialization, phase, status, duration } => self.enveloped(
                at,
                InitEndJson {
                    initialization_type: *initialization,
                    phase: *phase,
                    ended: status.into(),
                    metrics: Some(Metrics::of(*duration)),
                },
            ),
            Self::Start { request_id, version, trace } => self.enveloped(
                at,
                StartJson { request_id: request_id.to_string(), version, tracing: trace.as_ref().map(Into::into) },
            ),
            Self::RuntimeDone(done) => self.enveloped(at, RuntimeDoneJson::from(done)),
            Self::End { request_id } => self.enveloped(at, EndJson { request_id: request_id.to_string() }),
            Self::Report(report) => self.enveloped(at, ReportJson::from(report)),
            Self::Extension { name, state, events, error_type } => {
                self.enveloped(at, ExtensionJson { name, state, events, error_type: error_type.as_deref() })
            }
            Self::TelemetrySubscription { name, state, types } => {
                self.enveloped(at, SubscriptionJson { name, state, types })
            }
            Self::LogsDropped { reason, records, bytes } => {
                self.enveloped(at, DroppedJson { reason, dropped_records: *records, dropped_bytes: *bytes })
            }
        };
        json.expect("numbers and texts are always JSON")
    }

    fn enveloped(&self, at: Timestamp, record: impl Serialize) -> serde_json::Result<String> {
        serde_json::to_string(&Envelope { time: Moment(at), kind: self.kind(), record })
    }
}

/// Who wrote a line that the platform did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// The function, its runtime or an internal extension.
    Function,
    /// An external extension.
    Extension,
}

/// A line of output as an event of the Telemetry API. Where the function's format is JSON, an object stays one.
pub fn output_event(at: Timestamp, writer: Writer, line: &[u8], format: LogFormat) -> String {
    let kind = match writer {
        Writer::Function => "function",
        Writer::Extension => "extension",
    };
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    if format == LogFormat::Json
        && line.starts_with(b"{")
        && let Ok(record) = serde_json::from_slice::<&serde_json::value::RawValue>(line)
    {
        return as_json(&Envelope { time: Moment(at), kind, record });
    }
    as_json(&Envelope { time: Moment(at), kind, record: String::from_utf8_lossy(line) })
}

fn as_json(envelope: &Envelope<impl Serialize>) -> String {
    serde_json::to_string(envelope).expect("texts are always JSON")
}

/// A moment with three decimals.
struct Moment(Timestamp);

impl Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.3}", self.0))
    }
}

/// A length of time in milliseconds with at most three decimals (observed on AWS: `173.778`, `549.04`).
fn milliseconds(duration: Duration) -> f64 {
    let micros = (duration.as_nanos() + 500) / 1_000;
    #[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
    let micros = micros as f64;
    micros / 1_000.0
}

#[derive(Serialize)]
struct Envelope<R> {
    time: Moment,
    #[serde(rename = "type")]
    kind: &'static str,
    record: R,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InitStartJson<'a> {
    initialization_type: Initialization,
    phase: InitPhase,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_version_arn: Option<&'a str>,
    function_name: &'a str,
    function_version: &'a str,
    instance_id: &'a str,
    instance_max_memory: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InitEndJson<'a> {
    initialization_type: Initialization,
    phase: InitPhase,
    #[serde(flatten)]
    ended: Ended<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<Metrics>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ended<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'a str>,
}

impl<'a> From<&'a Status> for Ended<'a> {
    fn from(status: &'a Status) -> Self {
        Self { status: status.as_str(), error_type: status.error_type() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    produced_bytes: Option<u64>,
}

impl Metrics {
    fn of(duration: Duration) -> Self {
        Self { duration_ms: milliseconds(duration), produced_bytes: None }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StartJson<'a> {
    request_id: String,
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracing: Option<TracingJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EndJson {
    request_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TracingJson {
    span_id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    value: String,
}

impl From<&TraceHeader> for TracingJson {
    fn from(trace: &TraceHeader) -> Self {
        let span_id = trace.parent().unwrap_or_default().to_owned();
        Self { span_id, kind: "X-Amzn-Trace-Id", value: trace.to_string() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpanJson {
    name: &'static str,
    start: Moment,
    duration_ms: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuntimeDoneJson<'a> {
    request_id: String,
    #[serde(flatten)]
    ended: Ended<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracing: Option<TracingJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    spans: Vec<SpanJson>,
    metrics: Metrics,
}

impl<'a> From<&'a RuntimeDone> for RuntimeDoneJson<'a> {
    fn from(done: &'a RuntimeDone) -> Self {
        let span = |span: &Span| SpanJson {
            name: span.name,
            start: Moment(span.start),
            duration_ms: milliseconds(span.duration),
        };
        Self {
            request_id: done.request_id.to_string(),
            ended: (&done.status).into(),
            tracing: done.trace.as_ref().map(Into::into),
            spans: done.spans.iter().map(span).collect(),
            metrics: Metrics { duration_ms: milliseconds(done.duration), produced_bytes: done.produced_bytes },
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportJson<'a> {
    request_id: String,
    metrics: ReportMetrics,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracing: Option<TracingJson>,
    #[serde(flatten)]
    ended: Ended<'a>,
}

#[derive(Serialize)]
struct ReportMetrics {
    #[serde(rename = "durationMs")]
    duration: f64,
    #[serde(rename = "billedDurationMs")]
    billed_duration: u64,
    #[serde(rename = "memorySizeMB")]
    memory_size: u32,
    #[serde(rename = "maxMemoryUsedMB")]
    max_memory_used: u64,
    #[serde(rename = "initDurationMs", skip_serializing_if = "Option::is_none")]
    init_duration: Option<f64>,
}

impl<'a> From<&'a Report> for ReportJson<'a> {
    fn from(report: &'a Report) -> Self {
        let metrics = ReportMetrics {
            duration: milliseconds(report.duration),
            billed_duration: report.billed_ms(),
            memory_size: report.memory_mb,
            max_memory_used: report.memory_used_mb(),
            init_duration: report.init.map(milliseconds),
        };
        Self {
            request_id: report.request_id.to_string(),
            metrics,
            tracing: report.trace.as_ref().map(Into::into),
            ended: (&report.status).into(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExtensionJson<'a> {
    name: &'a str,
    state: &'a str,
    events: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'a str>,
}

#[derive(Serialize)]
struct SubscriptionJson<'a> {
    name: &'a str,
    state: &'a str,
    types: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DroppedJson<'a> {
    reason: &'a str,
    dropped_records: u64,
    dropped_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::record::tests::{ID, TRACE, id, init_report, init_start, report, runtime_done};

    #[track_caller]
    fn check_json(record: &Record, expected: &str) {
        let at: Timestamp = "2024-05-20T16:29:45.0074Z".parse().unwrap();
        assert_eq!(record.json(at), expected.replace("NOW", "2024-05-20T16:29:45.007Z").replace("ID", ID));
    }

    #[test]
    fn json_is_that_of_execution_logs_seen_on_aws() {
        // Logs of 2024 published by their owners, the figures and names changed; instanceId and instanceMaxMemory have
        // joined since.
        check_json(
            &init_start(),
            r#"{"time":"NOW","type":"platform.initStart","record":{"initializationType":"on-demand","phase":"init","runtimeVersion":"python:3.12.v38","runtimeVersionArn":"arn:aws:lambda:eu-west-3::runtime:b475","functionName":"fn","functionVersion":"$LATEST","instanceId":"2024/05/20/[$LATEST]aa01","instanceMaxMemory":134217728}}"#,
        );
        let (initialization, phase) = (Initialization::OnDemand, InitPhase::Init);
        check_json(
            &Record::InitRuntimeDone { initialization, phase, status: Status::Success },
            r#"{"time":"NOW","type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"init","status":"success"}}"#,
        );
        check_json(
            &init_report(initialization, phase, Status::Timeout),
            r#"{"time":"NOW","type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","status":"timeout","metrics":{"durationMs":9999.47}}}"#,
        );
        check_json(
            &Record::Start { request_id: id(), version: "$LATEST".into(), trace: None },
            r#"{"time":"NOW","type":"platform.start","record":{"requestId":"ID","version":"$LATEST"}}"#,
        );
        check_json(
            &runtime_done(Status::Success),
            r#"{"time":"NOW","type":"platform.runtimeDone","record":{"requestId":"ID","status":"success","spans":[{"name":"responseLatency","start":"2024-05-20T16:29:45.008Z","durationMs":2.215}],"metrics":{"durationMs":11.185,"producedBytes":40}}}"#,
        );
        let cold = Report { init: Some(Duration::from_micros(174_055)), ..report() };
        check_json(
            &Record::Report(cold),
            r#"{"time":"NOW","type":"platform.report","record":{"requestId":"ID","metrics":{"durationMs":3.01,"billedDurationMs":178,"memorySizeMB":128,"maxMemoryUsedMB":36,"initDurationMs":174.055},"status":"success"}}"#,
        );
    }

    #[test]
    fn json_tells_failures_and_traces() {
        check_json(
            &Record::Start { request_id: id(), version: "1".into(), trace: TraceHeader::parse(TRACE) },
            &format!(
                r#"{{"time":"NOW","type":"platform.start","record":{{"requestId":"ID","version":"1","tracing":{{"spanId":"35465b3a9e2f7c6a","type":"X-Amzn-Trace-Id","value":"{TRACE}"}}}}}}"#
            ),
        );
        let exited = Report { status: Status::Error("Runtime.ExitError".into()), ..report() };
        check_json(
            &Record::Report(exited),
            r#"{"time":"NOW","type":"platform.report","record":{"requestId":"ID","metrics":{"durationMs":3.01,"billedDurationMs":4,"memorySizeMB":128,"maxMemoryUsedMB":36},"status":"error","errorType":"Runtime.ExitError"}}"#,
        );
        check_json(
            &Record::LogsDropped { reason: "full".into(), records: 40, bytes: 12_000 },
            r#"{"time":"NOW","type":"platform.logsDropped","record":{"reason":"full","droppedRecords":40,"droppedBytes":12000}}"#,
        );
    }

    #[test]
    fn output_is_an_event_too() {
        let at = Timestamp::UNIX_EPOCH;
        let text = output_event(at, Writer::Function, b"hello \xff\n", LogFormat::Text);
        assert_eq!(text, r#"{"time":"1970-01-01T00:00:00.000Z","type":"function","record":"hello �"}"#);
        let line = b"{\"b\": 1, \"a\": 2}\n";
        let object = output_event(at, Writer::Extension, line, LogFormat::Json);
        assert_eq!(object, r#"{"time":"1970-01-01T00:00:00.000Z","type":"extension","record":{"b": 1, "a": 2}}"#);
        assert!(output_event(at, Writer::Function, line, LogFormat::Text).contains(r#""record":"{\"b\": 1"#));
    }
}
