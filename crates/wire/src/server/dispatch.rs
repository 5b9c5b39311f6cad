//! One match over the operations: convert, call the engine, convert.
//!
//! Never here: a second statement of logic.

use bytes::Bytes;
use domain::names::{FunctionName, Qualifier, RequestId};
use domain::{Refusal, limits};
use engine::access::{Action, Caller};
use engine::functions::Functions;
use engine::invoker::Invoker;
use engine::tasks;
use http::Response;

use super::body::Body;
use super::request::{self, Parts, Rejected};
use super::response;
use super::stream;
use crate::convert::function::{self, Detail};
use crate::convert::invocation;
use crate::error::Told;
use crate::generated::operations::{self as op, Operation};
use crate::generated::types;
use crate::model::ApiOperation;

/// What the operations need of the engine.
pub(super) struct Operations {
    pub(super) home: domain::arn::Home,
    pub(super) functions: std::sync::Arc<Functions>,
    pub(super) invoker: std::sync::Arc<Invoker>,
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
            Operation::CreateFunction => self.create_function(&call).await,
            Operation::GetFunction => self.get_function(&call),
            Operation::GetFunctionConfiguration => self.get_function_configuration(&call),
            Operation::ListFunctions => self.list_functions(&call),
            Operation::UpdateFunctionCode => self.update_function_code(&call).await,
            Operation::UpdateFunctionConfiguration => self.update_function_configuration(&call).await,
            Operation::DeleteFunction => self.delete_function(&call).await,
            Operation::AddLayerVersionPermission
            | Operation::AddPermission
            | Operation::CheckpointDurableExecution
            | Operation::CreateAlias
            | Operation::CreateCapacityProvider
            | Operation::CreateCodeSigningConfig
            | Operation::CreateEventSourceMapping
            | Operation::CreateFunctionUrlConfig
            | Operation::DeleteAlias
            | Operation::DeleteCapacityProvider
            | Operation::DeleteCodeSigningConfig
            | Operation::DeleteDurableExecution
            | Operation::DeleteEventSourceMapping
            | Operation::DeleteFunctionCodeSigningConfig
            | Operation::DeleteFunctionConcurrency
            | Operation::DeleteFunctionEventInvokeConfig
            | Operation::DeleteFunctionUrlConfig
            | Operation::DeleteLayerVersion
            | Operation::DeleteProvisionedConcurrencyConfig
            | Operation::DeleteResourcePolicy
            | Operation::GetAccountSettings
            | Operation::GetAlias
            | Operation::GetCapacityProvider
            | Operation::GetCodeSigningConfig
            | Operation::GetDurableExecution
            | Operation::GetDurableExecutionHistory
            | Operation::GetDurableExecutionState
            | Operation::GetEventSourceMapping
            | Operation::GetFunctionCodeSigningConfig
            | Operation::GetFunctionConcurrency
            | Operation::GetFunctionEventInvokeConfig
            | Operation::GetFunctionRecursionConfig
            | Operation::GetFunctionScalingConfig
            | Operation::GetFunctionUrlConfig
            | Operation::GetLayerVersion
            | Operation::GetLayerVersionByArn
            | Operation::GetLayerVersionPolicy
            | Operation::GetPolicy
            | Operation::GetProvisionedConcurrencyConfig
            | Operation::GetResourcePolicy
            | Operation::GetRuntimeManagementConfig
            | Operation::InvokeAsync
            | Operation::ListAliases
            | Operation::ListCapacityProviders
            | Operation::ListCodeSigningConfigs
            | Operation::ListDurableExecutionsByFunction
            | Operation::ListEventSourceMappings
            | Operation::ListFunctionEventInvokeConfigs
            | Operation::ListFunctionUrlConfigs
            | Operation::ListFunctionVersionsByCapacityProvider
            | Operation::ListFunctionsByCodeSigningConfig
            | Operation::ListLayerVersions
            | Operation::ListLayers
            | Operation::ListProvisionedConcurrencyConfigs
            | Operation::ListTags
            | Operation::ListVersionsByFunction
            | Operation::PauseDurableExecution
            | Operation::PublishLayerVersion
            | Operation::PublishVersion
            | Operation::PutFunctionCodeSigningConfig
            | Operation::PutFunctionConcurrency
            | Operation::PutFunctionEventInvokeConfig
            | Operation::PutFunctionRecursionConfig
            | Operation::PutFunctionScalingConfig
            | Operation::PutProvisionedConcurrencyConfig
            | Operation::PutResourcePolicy
            | Operation::PutRuntimeManagementConfig
            | Operation::RemoveLayerVersionPermission
            | Operation::RemovePermission
            | Operation::ResumeDurableExecution
            | Operation::SendDurableExecutionCallbackFailure
            | Operation::SendDurableExecutionCallbackHeartbeat
            | Operation::SendDurableExecutionCallbackSuccess
            | Operation::StopDurableExecution
            | Operation::TagResource
            | Operation::UntagResource
            | Operation::UpdateAlias
            | Operation::UpdateCapacityProvider
            | Operation::UpdateCodeSigningConfig
            | Operation::UpdateEventSourceMapping
            | Operation::UpdateFunctionEventInvokeConfig
            | Operation::UpdateFunctionUrlConfig => {
                // Judged like any other request first, so that a client sees its own mistakes.
                call.off_thread_if_large(move |parts| request::document(operation, parts)).await?;
                Err(Refusal::NotBuilt { what: operation.name().to_owned() }.into())
            }
        };
        whole.map(|response| response.map(Body::from))
    }

    async fn invoke(&self, call: Call<'_>) -> Answer {
        let asked = call.read::<op::Invoke>()?;
        let trace = call.parts.headers.get("x-amzn-trace-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let ask = invocation::ask(&self.home, asked, call.request_id, trace, call.body)?;
        let answered = self.invoker.invoke(&call.caller, ask).await?;
        Ok(invocation::answer(answered))
    }

    async fn invoke_with_response_stream(&self, call: Call<'_>) -> Result<Response<Body>, Told> {
        let asked = call.read::<op::InvokeWithResponseStream>()?;
        let trace = call.parts.headers.get("x-amzn-trace-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let ask = invocation::ask_for_stream(&self.home, asked, call.request_id, trace, call.body)?;
        let streaming = self.invoker.invoke_with_response_stream(&call.caller, ask).await?;
        Ok(stream::response(streaming))
    }

    async fn create_function(&self, call: &Call<'_>) -> Answer {
        let (new, zip) = function::new_function(&self.home, call.read_body::<op::CreateFunction>().await?)?;
        let created = self.functions.create_function(&call.caller, new, zip).await?;
        write::<op::CreateFunction>(&function::configuration(&self.home, &created, None, Detail::Whole))
    }

    fn get_function(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::GetFunction>()?;
        let target = self.home.read(&asked.function_name, asked.qualifier.as_deref())?;
        let found = self.functions.get_function(&call.caller, Action::GetFunction, &target)?;
        let location =
            format!("http://{}{}{}/{}", call.authority, super::CODE_PATH, found.arn.name, found.package.digest.hex());
        let tags = (!found.tags.is_empty()).then(|| found.tags.iter().cloned().collect());
        write::<op::GetFunction>(&types::GetFunctionResponse {
            configuration: Some(function::configuration(&self.home, &found, target.qualifier.as_ref(), Detail::Whole)),
            code: Some(types::FunctionCodeLocation {
                repository_type: Some("S3".to_owned()),
                location: Some(location),
                ..types::FunctionCodeLocation::default()
            }),
            tags,
            ..types::GetFunctionResponse::default()
        })
    }

    fn get_function_configuration(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::GetFunctionConfiguration>()?;
        let target = self.home.read(&asked.function_name, asked.qualifier.as_deref())?;
        let found = self.functions.get_function(&call.caller, Action::GetFunctionConfiguration, &target)?;
        let shown = function::configuration(&self.home, &found, target.qualifier.as_ref(), Detail::Whole);
        write::<op::GetFunctionConfiguration>(&shown)
    }

    fn list_functions(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::ListFunctions>()?;
        function::check_listing(&asked)?;
        // MaxItems beyond what a page holds is cut, not refused (API reference, ListFunctions).
        let page_max = limits::PAGE_ITEMS as usize;
        let items_max = asked.max_items.and_then(|items| usize::try_from(items).ok()).unwrap_or(page_max).min(page_max);
        let after =
            asked.marker.as_deref().map(|marker| read_marker(marker).ok_or(Refusal::InvalidMarker)).transpose()?;
        let page = self.functions.list_functions(&call.caller, after.as_ref(), items_max)?;
        // With FunctionVersion=ALL each entry names its version (API reference, ListFunctions).
        let qualifier = asked.function_version.map(|types::FunctionVersion::All| Qualifier::Latest);
        let show = |found| function::configuration(&self.home, found, qualifier.as_ref(), Detail::Listed);
        write::<op::ListFunctions>(&types::ListFunctionsResponse {
            next_marker: page.next.map(|name| data_encoding::BASE64.encode(name.as_str().as_bytes())),
            functions: Some(page.functions.iter().map(|found| show(found)).collect()),
        })
    }

    async fn update_function_code(&self, call: &Call<'_>) -> Answer {
        let asked = call.read_body::<op::UpdateFunctionCode>().await?;
        let target = self.home.read(&asked.function_name, None)?;
        let zip = function::new_code(&asked)?;
        let dry_run = asked.dry_run == Some(true);
        let expected = asked.revision_id.as_deref();
        let updated = self.functions.update_function_code(&call.caller, &target, zip, expected, dry_run).await?;
        write::<op::UpdateFunctionCode>(&function::configuration(&self.home, &updated, None, Detail::Whole))
    }

    async fn update_function_configuration(&self, call: &Call<'_>) -> Answer {
        let asked = call.read_body::<op::UpdateFunctionConfiguration>().await?;
        let target = self.home.read(&asked.function_name, None)?;
        let expected = asked.revision_id.clone();
        let edit = function::edit(asked)?;
        let functions = &self.functions;
        let updated = functions.update_function_configuration(&call.caller, &target, edit, expected.as_deref()).await?;
        write::<op::UpdateFunctionConfiguration>(&function::configuration(&self.home, &updated, None, Detail::Whole))
    }

    async fn delete_function(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::DeleteFunction>()?;
        let target = self.home.read(&asked.function_name, asked.qualifier.as_deref())?;
        self.functions.delete_function(&call.caller, &target).await?;
        write::<op::DeleteFunction>(&types::DeleteFunctionResponse::default())
    }

    /// The zip behind GetFunction's `Code.Location`.
    pub(super) async fn code(&self, path: &str, caller: &Caller) -> Answer {
        let unknown = || Refusal::FunctionNotFound { arn: path.to_owned() };
        let (name, digest) = path.split_once('/').ok_or_else(unknown)?;
        let digest = domain::function::Digest::from_hex(digest).ok_or_else(unknown)?;
        let target = self.home.read(name, None)?;
        let zip = self.functions.code(caller, &target, digest).await?;
        let mut response = Response::new(zip);
        response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/zip"));
        Ok(response)
    }
}

fn read_marker(marker: &str) -> Option<FunctionName> {
    let name = data_encoding::BASE64.decode(marker.as_bytes()).ok()?;
    FunctionName::parse(std::str::from_utf8(&name).ok()?)
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
