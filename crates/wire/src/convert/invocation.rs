//! Invocations: what a caller asks for.

use bytes::Bytes;
use domain::Refusal;
use domain::arn::Home;
use domain::invocation::Outcome;
use domain::names::{RequestId, Version};
use engine::events::Accepted;
use engine::invoker::{Answered, Ask, Completed};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use crate::generated::types::{InvocationRequest, InvokeAsyncRequest, InvokeWithResponseStreamRequest, LogType};

const REMAPPED_LENGTH: HeaderName = HeaderName::from_static("x-amzn-remapped-content-length");
const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");
pub(crate) const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Bytes of an error in `InvokeComplete`: escaped as JSON they stay far below what clients take as one message (16 MiB).
const ERROR_DETAILS_BYTES_MAX: usize = 1024 * 1024;

/// Reads Invoke.
///
/// # Errors
/// The name is refused, or it asks for something that is not built yet.
pub(crate) fn ask(
    home: &Home,
    asked: InvocationRequest,
    request_id: RequestId,
    trace: Option<String>,
    payload: Bytes,
) -> Result<Ask, Refusal> {
    let target = home.read(&asked.function_name, asked.qualifier.as_deref())?;
    let not_built = match asked.invocation_type {
        _ if asked.tenant_id.is_some() => Some("Invoke with TenantId"),
        _ if asked.durable_execution_name.is_some() => Some("Invoke with DurableExecutionName"),
        _ => None,
    };
    if let Some(what) = not_built {
        return Err(Refusal::NotBuilt { what: what.to_owned() });
    }
    let tail = asked.log_type == Some(LogType::Tail);
    Ok(Ask { target, request_id, payload, client_context: asked.client_context, trace, tail })
}

/// Reads InvokeAsync, which passes no trace on (API reference, InvokeAsync).
///
/// # Errors
/// The name is refused.
pub(crate) fn ask_async(
    home: &Home,
    asked: &InvokeAsyncRequest,
    request_id: RequestId,
    payload: Bytes,
) -> Result<Ask, Refusal> {
    let target = home.read(&asked.function_name, None)?;
    Ok(Ask { target, request_id, payload, client_context: None, trace: None, tail: false })
}

/// Reads InvokeWithResponseStream.
///
/// # Errors
/// As [`ask`].
pub(crate) fn ask_for_stream(
    home: &Home,
    asked: InvokeWithResponseStreamRequest,
    request_id: RequestId,
    trace: Option<String>,
    payload: Bytes,
) -> Result<Ask, Refusal> {
    let target = home.read(&asked.function_name, asked.qualifier.as_deref())?;
    if asked.tenant_id.is_some() {
        return Err(Refusal::NotBuilt { what: "InvokeWithResponseStream with TenantId".to_owned() });
    }
    let tail = asked.log_type == Some(LogType::Tail);
    Ok(Ask { target, request_id, payload, client_context: asked.client_context, trace, tail })
}

/// The payload of `InvokeComplete` (service model, InvokeWithResponseStreamCompleteEvent): members only where they are
/// set.
pub(crate) fn completion(completed: Completed) -> Bytes {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Complete<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        error_code: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error_details: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        log_result: Option<String>,
    }
    let details = completed.error.as_ref().map(|error| {
        let shown = &error.details[..error.details.len().min(ERROR_DETAILS_BYTES_MAX)];
        String::from_utf8_lossy(shown)
    });
    let complete = Complete {
        error_code: completed.error.as_ref().map(|error| error.code.as_str()),
        error_details: details.as_deref(),
        log_result: completed.tail.map(|tail| data_encoding::BASE64.encode(&tail)),
    };
    serde_json::to_vec(&complete).expect("texts become JSON").into()
}

/// The answer of a dry run that would have run (recorded: `test_invocation_type_dry_run`).
pub(crate) fn dry_run_answer() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// The answer of an event that was accepted (recorded: `test_invocation_type_event`): headers as those of a call, without
/// a version and a content type.
pub(crate) fn accepted_answer(accepted: Accepted) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::ACCEPTED;
    let headers = response.headers_mut();
    headers.insert(REMAPPED_LENGTH, HeaderValue::from_static("0"));
    if let Ok(value) = HeaderValue::try_from(accepted.trace) {
        headers.insert(TRACE_ID, value);
    }
    response
}

/// The value of `X-Amz-Executed-Version`.
pub(crate) fn executed_version(version: Version) -> HeaderValue {
    match version {
        Version::Latest => HeaderValue::from_static("$LATEST"),
        Version::Published(number) => HeaderValue::from(number.get()),
    }
}

/// Writes the answer of Invoke: the function's bytes as they are, everything else in headers.
pub(crate) fn answer(answered: Answered) -> Response<Bytes> {
    let (payload, failed) = match answered.outcome {
        Outcome::Answered(payload) => (payload, false),
        Outcome::FunctionError { payload, .. } => (payload, true),
    };
    let mut response = Response::new(payload);
    let headers = response.headers_mut();
    // Of a function that streams: observed on AWS.
    let content_type = if answered.streamed { "application/octet-stream" } else { "application/json" };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    // Observed on AWS; says nothing.
    headers.insert(REMAPPED_LENGTH, HeaderValue::from_static("0"));
    headers.insert(EXECUTED_VERSION, executed_version(answered.executed_version));
    if failed {
        headers.insert(HeaderName::from_static("x-amz-function-error"), HeaderValue::from_static("Unhandled"));
    }
    if let Some(tail) = answered.tail {
        let tail = data_encoding::BASE64.encode(&tail);
        let value = HeaderValue::from_str(&tail).expect("base64 can stand in a header");
        headers.insert(HeaderName::from_static("x-amz-log-result"), value);
    }
    // A trace header is printable by construction (`TraceHeader::parse`), but for fields passed on unread.
    if let Ok(value) = HeaderValue::from_str(&answered.trace) {
        headers.insert(TRACE_ID, value);
    }
    response
}
