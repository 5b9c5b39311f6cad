//! Functions as a whole: create, read, list, update, delete.

use domain::Refusal;
use domain::function::{Code, Function};
use domain::names::{FunctionName, Version};
use engine::access::{Action, Caller};
use engine::functions::{CodeUpdate, Listed};
use http::Response;

use super::{Answer, Call, Operations, marker, page_items, read_marker, write};
use crate::convert::function::{self, Detail};
use crate::convert::version::read_version;
use crate::generated::operations as op;
use crate::generated::types;

impl Operations {
    pub(super) async fn create_function(&self, call: &Call<'_>) -> Answer {
        let asked = call.read_body::<op::CreateFunction>().await?;
        let publish = asked.publish == Some(true);
        let (new, contents) = function::new_function(&self.home, asked)?;
        let created = self.functions.create_function(&call.caller, new, contents, publish).await?;
        write::<op::CreateFunction>(&function::configuration(&self.home, &created, None, Detail::Whole))
    }

    pub(super) fn get_function(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::GetFunction>()?;
        let target = self.home.read(&asked.function_name, asked.qualifier.as_deref())?;
        let (found, settings) = self.functions.get_function(&call.caller, Action::GetFunction, &target)?;
        let code = match &found.code {
            Code::Package(package) => types::FunctionCodeLocation {
                repository_type: Some("S3".to_owned()),
                location: Some(format!(
                    "http://{}{}{}/{}",
                    call.authority,
                    crate::server::CODE_PATH,
                    found.arn.name,
                    package.digest.hex()
                )),
                ..types::FunctionCodeLocation::default()
            },
            // Wherever it is from (recorded: test_lambda_image_crud).
            Code::Image(image) => types::FunctionCodeLocation {
                repository_type: Some("ECR".to_owned()),
                image_uri: Some(image.uri.clone()),
                resolved_image_uri: Some(image.resolved.clone()),
                ..types::FunctionCodeLocation::default()
            },
        };
        let tags = (!settings.tags.is_empty()).then(|| settings.tags.iter().cloned().collect());
        let concurrency = settings
            .reserved
            .map(|reserved| types::Concurrency { reserved_concurrent_executions: i32::try_from(reserved).ok() });
        write::<op::GetFunction>(&types::GetFunctionResponse {
            configuration: Some(function::configuration(&self.home, &found, target.qualifier.as_ref(), Detail::Whole)),
            code: Some(code),
            tags,
            concurrency,
            ..types::GetFunctionResponse::default()
        })
    }

    pub(super) fn get_function_configuration(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::GetFunctionConfiguration>()?;
        let target = self.home.read(&asked.function_name, asked.qualifier.as_deref())?;
        let (found, _) = self.functions.get_function(&call.caller, Action::GetFunctionConfiguration, &target)?;
        let shown = function::configuration(&self.home, &found, target.qualifier.as_ref(), Detail::Whole);
        write::<op::GetFunctionConfiguration>(&shown)
    }

    pub(super) fn list_functions(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::ListFunctions>()?;
        function::check_listing(&asked)?;
        let after = read_marker(asked.marker.as_deref(), |marker| {
            let (name, version) = marker.split_once(':')?;
            Some((FunctionName::parse(name)?, read_version(version)?))
        })?;
        let (listed, qualified) = match asked.function_version {
            // Each entry names its version then (API reference, ListFunctions).
            Some(types::FunctionVersion::All) => (Listed::AllVersions, true),
            None => (Listed::Latest, false),
        };
        let items_max = page_items(asked.max_items);
        let page = self.functions.list_functions(&call.caller, listed, after.as_ref(), items_max)?;
        let show = |found: &Function| {
            let qualifier = qualified.then(|| found.version.into());
            function::configuration(&self.home, found, qualifier.as_ref(), Detail::Listed)
        };
        write::<op::ListFunctions>(&types::ListFunctionsResponse {
            next_marker: page.next.map(|(name, version)| marker(&format!("{name}:{version}"))),
            functions: Some(page.items.iter().map(|found| show(found)).collect()),
        })
    }

    pub(super) async fn update_function_code(&self, call: &Call<'_>) -> Answer {
        let asked = call.read_body::<op::UpdateFunctionCode>().await?;
        let target = self.home.read(&asked.function_name, None)?;
        let code = function::new_code(&asked)?;
        let how = CodeUpdate { dry_run: asked.dry_run == Some(true), publish: asked.publish == Some(true) };
        let expected = asked.revision_id.as_deref();
        let updated = self.functions.update_function_code(&call.caller, &target, expected, how, code).await?;
        // A version that was published of it is named (recorded: test_publish_version_on_create).
        let qualifier = Some(updated.version).filter(|version| *version != Version::Latest).map(Into::into);
        let shown = function::configuration(&self.home, &updated, qualifier.as_ref(), Detail::Whole);
        write::<op::UpdateFunctionCode>(&shown)
    }

    pub(super) async fn update_function_configuration(&self, call: &Call<'_>) -> Answer {
        let asked = call.read_body::<op::UpdateFunctionConfiguration>().await?;
        let target = self.home.read(&asked.function_name, None)?;
        let expected = asked.revision_id.clone();
        let edit = function::edit(asked)?;
        let functions = &self.functions;
        let updated = functions.update_function_configuration(&call.caller, &target, edit, expected.as_deref()).await?;
        write::<op::UpdateFunctionConfiguration>(&function::configuration(&self.home, &updated, None, Detail::Whole))
    }

    pub(super) async fn delete_function(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::DeleteFunction>()?;
        let target = self.home.read(&asked.function_name, asked.qualifier.as_deref())?;
        self.functions.delete_function(&call.caller, &target).await?;
        write::<op::DeleteFunction>(&types::DeleteFunctionResponse::default())
    }

    /// The zip behind GetFunction's `Code.Location`.
    pub(in crate::server) async fn code(&self, path: &str, caller: &Caller) -> Answer {
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
