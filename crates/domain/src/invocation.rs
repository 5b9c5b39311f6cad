//! What is asked of a function, and what came of it.
//!
//! Never here: transport and retries.

use bytes::Bytes;

use crate::environment::{Exit, Failure};
use crate::error::Refusal;
use crate::names::RequestId;

/// What came of an invocation that ran. A failing function is a value like any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The function answered.
    Answered(Bytes),
    /// The function failed; always `Unhandled` on AWS today (every recording since 2021).
    FunctionError {
        /// For logs and metrics.
        error_type: String,
        /// What the caller gets.
        payload: Bytes,
    },
}

impl Outcome {
    /// What the caller gets of a failure: a runtime's own report byte for byte, the platform's in its own shape
    /// (recorded: `test_lambda_invoke_with_timeout`, `test_lambda_runtime_exit`, `test_lambda_too_large_response`).
    pub fn of_failure(failure: &Failure, request_id: RequestId) -> Self {
        let error_type = failure.error_type().to_owned();
        let platform = |text: String| {
            let message = format!("RequestId: {request_id} Error: {text}");
            format!(r#"{{"errorType":{},"errorMessage":{}}}"#, quoted(&error_type), quoted(&message)).into()
        };
        let payload = match failure {
            Failure::Reported { payload, .. } => payload.clone(),
            Failure::Exited(exit) => platform(exit.to_string()),
            Failure::OutOfMemory => platform(Exit::KILLED.to_string()),
            Failure::TimedOut(allowed) => {
                platform(format!("Task timed out after {:.2} seconds", allowed.as_secs_f64()))
            }
            Failure::InvalidEntrypoint(text) | Failure::Extension { text, .. } => platform(text.clone()),
            Failure::ResponseTruncated => platform("Response was truncated".to_owned()),
            Failure::ResponseTooLarge { bytes_max } => {
                let text = format!("Response payload size exceeded maximum allowed payload size ({bytes_max} bytes).");
                format!(r#"{{"errorMessage":{},"errorType":{}}}"#, quoted(&text), quoted(&error_type)).into()
            }
        };
        Self::FunctionError { error_type, payload }
    }
}

/// `ErrorCode` of a stream that failed: the type that the runtime told or the platform names; where the runtime's is not
/// one of AWS's forms, the type that stands in the error itself (`Error`, `TypeError`, …).
pub fn error_code(error_type: &str, payload: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Told {
        error_type: String,
    }
    let own = || serde_json::from_slice::<Told>(payload).ok().map(|told| told.error_type);
    let own = if error_type.ends_with(".Unknown") { own() } else { None };
    own.filter(|own| !own.is_empty()).unwrap_or_else(|| error_type.to_owned())
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The event as the function gets it: a call without payload is the event `{}` (recorded: `test_reserved_concurrency`).
pub fn event(payload: Bytes) -> Bytes {
    if payload.is_empty() { Bytes::from_static(b"{}") } else { payload }
}

/// Reads the client context header: base64 of a JSON object; the function gets the JSON text.
///
/// # Errors
/// It is not that (text observed on AWS).
pub fn client_context(base64: &str) -> Result<String, Refusal> {
    let decoded = data_encoding::BASE64.decode(base64.as_bytes()).map_err(|_| Refusal::ClientContextInvalid)?;
    let text = String::from_utf8(decoded).map_err(|_| Refusal::ClientContextInvalid)?;
    let is_object = text.trim_start().starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
    // The text becomes a header, where line breaks cannot stand; inside JSON's strings there are none.
    is_object.then(|| text.replace(['\n', '\r'], " ")).ok_or(Refusal::ClientContextInvalid)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use uuid::Uuid;

    fn payload(failure: &Failure) -> String {
        let Outcome::FunctionError { payload, .. } = Outcome::of_failure(failure, RequestId(Uuid::nil())) else {
            panic!("a failure is a function error")
        };
        String::from_utf8(payload.to_vec()).unwrap()
    }

    #[test]
    fn platform_failures_have_aws_shapes() {
        let id = "RequestId: 00000000-0000-0000-0000-000000000000 Error: ";
        let cases = [
            // Recorded: test_lambda_invoke_with_timeout (2025).
            (
                Failure::TimedOut(Duration::from_secs(1)),
                format!(r#"{{"errorType":"Sandbox.Timedout","errorMessage":"{id}Task timed out after 1.00 seconds"}}"#),
            ),
            // Recorded: test_lambda_runtime_exit.
            (
                Failure::Exited(Exit::Status(0)),
                format!(r#"{{"errorType":"Runtime.ExitError","errorMessage":"{id}Runtime exited without providing a reason"}}"#),
            ),
            // Recorded: test_lambda_too_large_response; note the order of the keys.
            (
                Failure::ResponseTooLarge { bytes_max: crate::limits::SYNC_RESPONSE_BYTES },
                r#"{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}"#.to_owned(),
            ),
        ];
        for (failure, expected) in cases {
            assert_eq!(payload(&failure), expected);
        }
        let own =
            Failure::Reported { error_type: "Runtime.Unknown".into(), payload: Bytes::from_static(b" {\"x\": 1}") };
        assert_eq!(payload(&own), " {\"x\": 1}", "passed on byte for byte (recorded: test_uncaught_exception_invoke)");
    }

    #[test]
    fn the_code_of_an_error_is_its_type() {
        let own: &[u8] = br#"{"errorType":"TypeError","errorMessage":"x"}"#;
        let cases = [
            ("Runtime.Unknown", own, "TypeError"),
            ("Function.Unknown", own, "TypeError"),
            ("Function.Mine", own, "Function.Mine"),
            ("Runtime.Unknown", b"{}", "Runtime.Unknown"),
            ("Runtime.Unknown", b"[1]", "Runtime.Unknown"),
            ("Sandbox.Timedout", b"", "Sandbox.Timedout"),
        ];
        for (error_type, payload, expected) in cases {
            assert_eq!(error_code(error_type, payload), expected, "{error_type}");
        }
    }

    #[test]
    fn a_client_context_is_base64_of_an_object() {
        let encode = |text: &str| data_encoding::BASE64.encode(text.as_bytes());
        assert_eq!(
            client_context(&encode("{\"custom\":\n{\"b\":1,\"a\":2}}")),
            Ok(r#"{"custom": {"b":1,"a":2}}"#.into())
        );
        for bad in ["%%%", &encode("[1]"), &encode("nope")] {
            assert_eq!(client_context(bad), Err(Refusal::ClientContextInvalid), "{bad}");
        }
    }
}
