//! Invocations: what a caller asks for.

use bytes::Bytes;
use domain::Refusal;
use domain::arn::Home;
use domain::names::RequestId;
use engine::invoker::Ask;

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
        Some(InvocationType::DryRun) => Some("Invoke with InvocationType DryRun"),
        _ if asked.tenant_id.is_some() => Some("Invoke with TenantId"),
        _ if asked.durable_execution_name.is_some() => Some("Invoke with DurableExecutionName"),
        Some(InvocationType::RequestResponse) | None => None,
    };
    if let Some(what) = not_built {
        return Err(Refusal::NotBuilt { what: what.to_owned() });
    }
    let tail = asked.log_type == Some(LogType::Tail);
    Ok(Ask { target, request_id, payload, client_context: asked.client_context, trace, tail })
}
