//! One match over the operations: convert, call the engine, convert.
//!
//! Never here: a second statement of logic.

mod account;
mod concurrency;
mod event_invoke_configs;
mod event_source_mappings;
mod functions;
mod layers;
mod policies;
mod tags;
mod versions;

use bytes::Bytes;
use domain::names::RequestId;
use domain::{Refusal, limits};
use engine::access::Caller;
use engine::event_source_mappings::EventSourceMappings;
use engine::events::Events;
use engine::functions::Functions;
use engine::invoker::Invoker;
use engine::layers::Layers;
use engine::tasks;
use http::Response;

use super::body::Body;
use super::plain;
use super::request::{self, Parts, Rejected};
use super::response;
use super::stream;
use crate::convert::invocation;
use crate::error::Told;
use crate::generated::operations::{self as op, Operation};
use crate::generated::types;
use crate::model::ApiOperation;

/// What the operations need of the engine.
pub(super) struct Operations {
    pub(super) home: domain::arn::Home,
    pub(super) functions: std::sync::Arc<Functions>,
    pub(super) layers: std::sync::Arc<Layers>,
    pub(super) invoker: std::sync::Arc<Invoker>,
    pub(super) events: std::sync::Arc<Events>,
    pub(super) mappings: std::sync::Arc<EventSourceMappings>,
}

/// One request, read and routed.
pub(super) struct Call<'a> {
    pub(super) parts: Parts<'a>,
    pub(super) body: Bytes,
    pub(super) request_id: RequestId,
    /// Under which address the client reached us, for links back.
    pub(super) authority: &'a str,
    pub(super) caller: Caller,
}

/// Bodies from this size on are read on a thread of their own: as JSON with code in it they may take a second.
const READ_OFF_THREAD_BYTES: usize = 128 * 1024;

impl Call<'_> {
    fn read<O: ApiOperation>(&self) -> Result<O::Input, Told> {
        Ok(request::read::<O>(&self.parts)?)
    }

    /// As [`Call::read`], for operations whose input is in the body.
    async fn read_body<O: ApiOperation<Input: Send> + 'static>(&self) -> Result<O::Input, Told> {
        self.off_thread_if_large(request::read::<O>).await
    }

    async fn off_thread_if_large<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Parts<'_>) -> Result<T, Rejected> + Send + 'static,
    ) -> Result<T, Told> {
        if self.body.len() < READ_OFF_THREAD_BYTES {
            return Ok(read(&self.parts)?);
        }
        let (labels, headers, body) = (self.parts.labels.to_owned(), self.parts.headers.clone(), self.body.clone());
        let query = self.parts.query.map(str::to_owned);
        let read = move || read(&Parts { labels: &labels, query: query.as_deref(), headers: &headers, body: &body });
        Ok(tasks::off_thread("reading a request", read).await.map_err(domain::Error::from)??)
    }
}

/// How many items a page has. More than it holds is cut, not refused (API reference, ListFunctions).
fn page_items(asked: Option<i32>) -> usize {
    let most = limits::PAGE_ITEMS as usize;
    asked.and_then(|items| usize::try_from(items).ok()).unwrap_or(most).min(most)
}

/// A marker that leads on behind `key`.
fn marker(key: &str) -> String {
    data_encoding::BASE64.encode(key.as_bytes())
}

/// Reads a marker that [`marker`] made.
fn read_marker<K>(given: Option<&str>, read: impl FnOnce(&str) -> Option<K>) -> Result<Option<K>, Refusal> {
    let Some(given) = given else { return Ok(None) };
    let key = data_encoding::BASE64.decode(given.as_bytes()).ok();
    let key = key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
    key.and_then(read).ok_or(Refusal::InvalidMarker).map(Some)
}

impl From<Rejected> for Told {
    fn from(rejected: Rejected) -> Self {
        Self::new(rejected.code, rejected.message)
    }
}

type Answer = Result<Response<Bytes>, Told>;

fn write<O: ApiOperation>(output: &O::Output) -> Answer {
    response::write::<O>(output)
        .map_err(|unwritable| domain::Error::from(domain::Fault::new("writing an answer", unwritable)).into())
}

impl Operations {
    pub(super) async fn answer(&self, operation: Operation, call: Call<'_>) -> Result<Response<Body>, Told> {
        let whole = match operation {
            Operation::InvokeWithResponseStream => return self.invoke_with_response_stream(call).await,
            Operation::Invoke => self.invoke(call).await,
            Operation::InvokeAsync => self.invoke_async(call).await,
            Operation::CreateFunction => self.create_function(&call).await,
            Operation::GetFunction => self.get_function(&call),
            Operation::GetFunctionConfiguration => self.get_function_configuration(&call),
            Operation::ListFunctions => self.list_functions(&call),
            Operation::UpdateFunctionCode => self.update_function_code(&call).await,
            Operation::UpdateFunctionConfiguration => self.update_function_configuration(&call).await,
            Operation::DeleteFunction => self.delete_function(&call).await,
            Operation::PublishVersion => self.publish_version(&call).await,
            Operation::ListVersionsByFunction => self.list_versions(&call),
            Operation::CreateAlias => self.create_alias(&call).await,
            Operation::GetAlias => self.get_alias(&call),
            Operation::ListAliases => self.list_aliases(&call),
            Operation::UpdateAlias => self.update_alias(&call).await,
            Operation::DeleteAlias => self.delete_alias(&call).await,
            Operation::PutFunctionConcurrency => self.put_function_concurrency(&call).await,
            Operation::GetFunctionConcurrency => self.get_function_concurrency(&call),
            Operation::DeleteFunctionConcurrency => self.delete_function_concurrency(&call).await,
            Operation::PutProvisionedConcurrencyConfig => self.put_provisioned_concurrency(&call).await,
            Operation::GetProvisionedConcurrencyConfig => self.get_provisioned_concurrency(&call),
            Operation::DeleteProvisionedConcurrencyConfig => self.delete_provisioned_concurrency(&call).await,
            Operation::ListProvisionedConcurrencyConfigs => self.list_provisioned_concurrency(&call),
            Operation::AddPermission => self.add_permission(&call).await,
            Operation::RemovePermission => self.remove_permission(&call).await,
            Operation::GetPolicy => self.get_policy(&call),
            Operation::TagResource => self.tag_resource(&call).await,
            Operation::UntagResource => self.untag_resource(&call).await,
            Operation::ListTags => self.list_tags(&call),
            Operation::PutFunctionEventInvokeConfig => self.put_event_invoke_config(&call).await,
            Operation::UpdateFunctionEventInvokeConfig => self.update_event_invoke_config(&call).await,
            Operation::GetFunctionEventInvokeConfig => self.get_event_invoke_config(&call),
            Operation::DeleteFunctionEventInvokeConfig => self.delete_event_invoke_config(&call).await,
            Operation::ListFunctionEventInvokeConfigs => self.list_event_invoke_configs(&call),
            Operation::GetAccountSettings => self.get_account_settings(&call),
            Operation::PutFunctionRecursionConfig => self.put_recursion_config(&call).await,
            Operation::GetFunctionRecursionConfig => self.get_recursion_config(&call),
            Operation::GetFunctionCodeSigningConfig => self.get_function_code_signing_config(&call),
            Operation::DeleteFunctionCodeSigningConfig => self.delete_function_code_signing_config(&call),
            Operation::GetRuntimeManagementConfig => self.get_runtime_management_config(&call),
            Operation::PutRuntimeManagementConfig => self.put_runtime_management_config(&call),
            Operation::PublishLayerVersion => self.publish_layer_version(&call).await,
            Operation::GetLayerVersion => self.get_layer_version(&call),
            Operation::GetLayerVersionByArn => self.get_layer_version_by_arn(&call),
            Operation::ListLayers => self.list_layers(&call),
            Operation::ListLayerVersions => self.list_layer_versions(&call),
            Operation::DeleteLayerVersion => self.delete_layer_version(&call).await,
            Operation::AddLayerVersionPermission => self.add_layer_version_permission(&call).await,
            Operation::RemoveLayerVersionPermission => self.remove_layer_version_permission(&call).await,
            Operation::GetLayerVersionPolicy => self.get_layer_version_policy(&call),
            Operation::CreateEventSourceMapping => self.create_event_source_mapping(&call).await,
            Operation::GetEventSourceMapping => self.get_event_source_mapping(&call),
            Operation::ListEventSourceMappings => self.list_event_source_mappings(&call),
            Operation::UpdateEventSourceMapping => self.update_event_source_mapping(&call).await,
            Operation::DeleteEventSourceMapping => self.delete_event_source_mapping(&call).await,
            Operation::CheckpointDurableExecution
            | Operation::CreateCapacityProvider
            | Operation::CreateCodeSigningConfig
            | Operation::CreateFunctionUrlConfig
            | Operation::DeleteCapacityProvider
            | Operation::DeleteCodeSigningConfig
            | Operation::DeleteDurableExecution
            | Operation::DeleteFunctionUrlConfig
            | Operation::DeleteResourcePolicy
            | Operation::GetCapacityProvider
            | Operation::GetCodeSigningConfig
            | Operation::GetDurableExecution
            | Operation::GetDurableExecutionHistory
            | Operation::GetDurableExecutionState
            | Operation::GetFunctionScalingConfig
            | Operation::GetFunctionUrlConfig
            | Operation::GetResourcePolicy
            | Operation::ListCapacityProviders
            | Operation::ListCodeSigningConfigs
            | Operation::ListDurableExecutionsByFunction
            | Operation::ListFunctionUrlConfigs
            | Operation::ListFunctionVersionsByCapacityProvider
            | Operation::ListFunctionsByCodeSigningConfig
            | Operation::PauseDurableExecution
            | Operation::PutFunctionCodeSigningConfig
            | Operation::PutFunctionScalingConfig
            | Operation::PutResourcePolicy
            | Operation::ResumeDurableExecution
            | Operation::SendDurableExecutionCallbackFailure
            | Operation::SendDurableExecutionCallbackHeartbeat
            | Operation::SendDurableExecutionCallbackSuccess
            | Operation::StopDurableExecution
            | Operation::UpdateCapacityProvider
            | Operation::UpdateCodeSigningConfig
            | Operation::UpdateFunctionUrlConfig => {
                // Judged like any other request first, so that a client sees its own mistakes.
                call.off_thread_if_large(move |parts| request::document(operation, parts)).await?;
                Err(Refusal::NotBuilt { what: operation.name().to_owned() }.into())
            }
        };
        whole.map(|response| response.map(Body::from))
    }

    async fn invoke(&self, call: Call<'_>) -> Answer {
        let asked = match plain::invoke(&call.parts) {
            Some(asked) => asked,
            None => call.read::<op::Invoke>()?,
        };
        let trace =
            call.parts.headers.get(invocation::TRACE_ID).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let invocation_type = asked.invocation_type;
        let ask = invocation::ask(&self.home, asked, call.request_id, trace, call.body)?;
        match invocation_type {
            Some(types::InvocationType::DryRun) => {
                self.invoker.dry_run(&call.caller, ask).await?;
                Ok(invocation::dry_run_answer())
            }
            Some(types::InvocationType::Event) => {
                let accepted = self.events.invoke(&call.caller, ask).await?;
                Ok(invocation::accepted_answer(accepted))
            }
            Some(types::InvocationType::RequestResponse) | None => {
                let answered = self.invoker.invoke(&call.caller, ask).await?;
                Ok(invocation::answer(answered))
            }
        }
    }

    async fn invoke_async(&self, call: Call<'_>) -> Answer {
        let asked = call.read::<op::InvokeAsync>()?;
        let ask = invocation::ask_async(&self.home, &asked, call.request_id, call.body)?;
        self.events.invoke_async(&call.caller, ask).await?;
        write::<op::InvokeAsync>(&types::InvokeAsyncResponse::default())
    }

    async fn invoke_with_response_stream(&self, call: Call<'_>) -> Result<Response<Body>, Told> {
        let asked = call.read::<op::InvokeWithResponseStream>()?;
        let trace =
            call.parts.headers.get(invocation::TRACE_ID).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let is_dry_run = asked.invocation_type == Some(types::ResponseStreamingInvocationType::DryRun);
        let ask = invocation::ask_for_stream(&self.home, asked, call.request_id, trace, call.body)?;
        if is_dry_run {
            self.invoker.dry_run(&call.caller, ask).await?;
            return Ok(invocation::dry_run_answer().map(Body::from));
        }
        let streaming = self.invoker.invoke_with_response_stream(&call.caller, ask).await?;
        Ok(stream::response(streaming))
    }
}

#[cfg(test)]
mod tests {
    use super::super::router::Labels;
    use super::*;

    #[tokio::test]
    async fn a_large_body_holds_nobody_up() {
        let (here, headers, labels) = (std::thread::current().id(), http::HeaderMap::new(), Labels::default());
        for (bytes, is_here) in [(READ_OFF_THREAD_BYTES - 1, true), (READ_OFF_THREAD_BYTES, false)] {
            let body = Bytes::from(vec![b' '; bytes]);
            let parts = Parts { labels: &labels, query: Some("a=b"), headers: &headers, body: &body };
            let request_id = RequestId(uuid::Uuid::nil());
            let call = Call { parts, body: body.clone(), request_id, authority: "h", caller: Caller::Anyone };
            let read = call.off_thread_if_large(move |parts| {
                assert_eq!((parts.query, parts.body.len()), (Some("a=b"), bytes));
                Ok(std::thread::current().id())
            });
            assert_eq!(read.await.unwrap() == here, is_here, "{bytes} bytes");
        }
    }
}
