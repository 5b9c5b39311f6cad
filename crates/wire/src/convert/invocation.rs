//! Invocations: what a caller asks for.

use bytes::Bytes;
use domain::Refusal;
use domain::arn::Home;
use domain::invocation::Outcome;
use domain::names::{RequestId, Version};
use engine::invoker::{Answered, Ask};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use crate::generated::types::{InvocationRequest, InvocationType, LogType};

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
        Some(InvocationType::Event) => Some("Invoke with InvocationType Event"),
        _ if asked.tenant_id.is_some() => Some("Invoke with TenantId"),
        _ if asked.durable_execution_name.is_some() => Some("Invoke with DurableExecutionName"),
        Some(InvocationType::RequestResponse | InvocationType::DryRun) | None => None,
    };
    if let Some(what) = not_built {
        return Err(Refusal::NotBuilt { what: what.to_owned() });
    }
    let tail = asked.log_type == Some(LogType::Tail);
    Ok(Ask { target, request_id, payload, client_context: asked.client_context, trace, tail })
}

/// The answer of a dry run that would have run (recorded: `test_invocation_type_dry_run`).
pub(crate) fn dry_run_answer() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Writes the answer of Invoke: the function's bytes as they are, everything else in headers.
pub(crate) fn answer(answered: Answered) -> Response<Bytes> {
    let (payload, failed) = match answered.outcome {
        Outcome::Answered(payload) => (payload, false),
        Outcome::FunctionError { payload, .. } => (payload, true),
    };
    let mut response = Response::new(payload);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Observed on AWS; says nothing.
    headers.insert(HeaderName::from_static("x-amzn-remapped-content-length"), HeaderValue::from_static("0"));
    let version = match answered.executed_version {
        Version::Latest => HeaderValue::from_static("$LATEST"),
        Version::Published(number) => HeaderValue::from(number.get()),
    };
    headers.insert(HeaderName::from_static("x-amz-executed-version"), version);
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
        headers.insert(HeaderName::from_static("x-amzn-trace-id"), value);
    }
    response
}
