//! The account as a whole, and what is asked of a function besides its configuration.

use bytes::Bytes;
use domain::settings::RecursiveLoop;
use domain::{Refusal, limits};
use engine::access::Action;
use http::{HeaderValue, Response, header};

use super::{Answer, Call, Operations, write};
use crate::generated::operations as op;
use crate::generated::types;

fn shown(recursion: RecursiveLoop) -> types::RecursiveLoop {
    match recursion {
        RecursiveLoop::Allow => types::RecursiveLoop::Allow,
        RecursiveLoop::Terminate => types::RecursiveLoop::Terminate,
    }
}

/// As many as fit: no count here comes near the end.
fn number<T: TryFrom<U>, U>(value: U) -> Option<T> {
    T::try_from(value).ok()
}

impl Operations {
    pub(super) fn get_account_settings(&self, call: &Call<'_>) -> Answer {
        call.read::<op::GetAccountSettings>()?;
        let usage = self.functions.account_usage(&call.caller)?;
        let account = self.invoker.limits().account;
        write::<op::GetAccountSettings>(&types::GetAccountSettingsResponse {
            account_limit: Some(types::AccountLimit {
                total_code_size: number(limits::CODE_STORAGE_BYTES),
                code_size_unzipped: number(limits::UNZIPPED_BYTES),
                code_size_zipped: number(limits::ZIPPED_BYTES),
                concurrent_executions: number(account),
                unreserved_concurrent_executions: number(account.saturating_sub(usage.reserved)),
            }),
            account_usage: Some(types::AccountUsage {
                total_code_size: number(usage.code_bytes + self.layers.code_bytes()),
                function_count: number(usage.functions),
            }),
        })
    }

    pub(super) async fn put_recursion_config(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::PutFunctionRecursionConfig>()?;
        let target = self.home.read(&asked.function_name, None)?;
        let recursion = match asked.recursive_loop {
            types::RecursiveLoop::Allow => RecursiveLoop::Allow,
            types::RecursiveLoop::Terminate => RecursiveLoop::Terminate,
        };
        self.functions.put_recursion_config(&call.caller, &target, recursion).await?;
        let recursive_loop = Some(shown(recursion));
        write::<op::PutFunctionRecursionConfig>(&types::PutFunctionRecursionConfigResponse { recursive_loop })
    }

    pub(super) fn get_recursion_config(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::GetFunctionRecursionConfig>()?;
        let target = self.home.read(&asked.function_name, None)?;
        let recursive_loop = Some(shown(self.functions.get_recursion_config(&call.caller, &target)?));
        write::<op::GetFunctionRecursionConfig>(&types::GetFunctionRecursionConfigResponse { recursive_loop })
    }

    /// No function has one, which AWS says with an empty document (recorded: `test_code_signing_not_found_excs`); the
    /// model's answer cannot be empty.
    pub(super) fn get_function_code_signing_config(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::GetFunctionCodeSigningConfig>()?;
        let target = self.home.read(&asked.function_name, None)?;
        self.functions.check_function(&call.caller, Action::GetFunctionCodeSigningConfig, &target)?;
        let mut response = Response::new(Bytes::from_static(b"{}"));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    /// As good as deleted (recorded: `test_code_signing_not_found_excs`, `nothing_to_delete_response`).
    pub(super) fn delete_function_code_signing_config(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::DeleteFunctionCodeSigningConfig>()?;
        let target = self.home.read(&asked.function_name, None)?;
        self.functions.check_function(&call.caller, Action::DeleteFunctionCodeSigningConfig, &target)?;
        write::<op::DeleteFunctionCodeSigningConfig>(&())
    }

    pub(super) fn get_runtime_management_config(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::GetRuntimeManagementConfig>()?;
        let target = self.home.read(&asked.function_name, asked.qualifier.as_deref())?;
        self.functions.get_function(&call.caller, Action::GetRuntimeManagementConfig, &target)?;
        write::<op::GetRuntimeManagementConfig>(&types::GetRuntimeManagementConfigResponse {
            update_runtime_on: Some(types::UpdateRuntimeOn::Auto),
            function_arn: Some(target.as_invoked()),
            runtime_version_arn: None,
        })
    }

    /// A machine has one version of each runtime, so nothing but `Auto` can be kept.
    pub(super) fn put_runtime_management_config(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::PutRuntimeManagementConfig>()?;
        let target = self.home.read(&asked.function_name, asked.qualifier.as_deref())?;
        self.functions.get_function(&call.caller, Action::PutRuntimeManagementConfig, &target)?;
        if asked.update_runtime_on != types::UpdateRuntimeOn::Auto {
            let what = format!("PutRuntimeManagementConfig with UpdateRuntimeOn {}", asked.update_runtime_on.as_str());
            return Err(Refusal::NotBuilt { what }.into());
        }
        write::<op::PutRuntimeManagementConfig>(&types::PutRuntimeManagementConfigResponse {
            update_runtime_on: asked.update_runtime_on,
            function_arn: target.as_invoked(),
            runtime_version_arn: None,
        })
    }
}
