//! Reserved and provisioned concurrency, as requests give and answers show them.

use domain::arn::FunctionArn;
use domain::concurrency::Provision;
use engine::functions::ProvisionedConcurrency;

use crate::generated::types;

/// A number of executions; the model has checked that it is not negative.
pub(crate) fn executions(given: i32) -> u32 {
    u32::try_from(given).unwrap_or(0)
}

/// A number of executions as it is shown.
pub(crate) fn shown(executions: u32) -> Option<i32> {
    i32::try_from(executions).ok()
}

/// Provisioned concurrency as an operation answers it.
macro_rules! provisioned {
    ($shape:ident, $found:ident $(, $member:ident: $value:expr)?) => {
        types::$shape {
            $($member: $value,)?
            requested_provisioned_concurrent_executions: shown($found.requested),
            // What is initialised can be used.
            available_provisioned_concurrent_executions: shown($found.allocated),
            allocated_provisioned_concurrent_executions: shown($found.allocated),
            status: Some(match $found.provision {
                Provision::InProgress => types::ProvisionedConcurrencyStatusEnum::InProgress,
                Provision::Ready => types::ProvisionedConcurrencyStatusEnum::Ready,
                Provision::Failed => types::ProvisionedConcurrencyStatusEnum::Failed,
            }),
            status_reason: match $found.provision {
                Provision::Failed => Some("FUNCTION_ERROR_INIT_FAILURE".to_owned()),
                Provision::InProgress | Provision::Ready => None,
            },
            // Without the milliseconds that other operations show (API reference, PutProvisionedConcurrencyConfig).
            last_modified: Some($found.modified_at.strftime("%Y-%m-%dT%H:%M:%S+0000").to_string()),
        }
    };
}

/// Shows it to who put it.
pub(crate) fn put(found: &ProvisionedConcurrency) -> types::PutProvisionedConcurrencyConfigResponse {
    provisioned!(PutProvisionedConcurrencyConfigResponse, found)
}

/// Shows it to who asked for it.
pub(crate) fn got(found: &ProvisionedConcurrency) -> types::GetProvisionedConcurrencyConfigResponse {
    provisioned!(GetProvisionedConcurrencyConfigResponse, found)
}

/// Shows it in a listing.
pub(crate) fn listed(arn: &FunctionArn, found: &ProvisionedConcurrency) -> types::ProvisionedConcurrencyConfigListItem {
    let arn = arn.qualified(&found.qualifier);
    provisioned!(ProvisionedConcurrencyConfigListItem, found, function_arn: Some(arn))
}
