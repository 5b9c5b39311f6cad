//! What of the API is built: the list behind `docs/compatibility.md` and behind every 501.
//!
//! Never here: what an operation does.

use crate::generated::operations::Operation;

/// How far an operation is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Answers as AWS does.
    Works,
    /// Answers as AWS does but for what the text names, which is refused with 501.
    Partly(&'static str),
    /// Refused with 501.
    NotYet,
}

/// How far `operation` is built.
pub const fn support(operation: Operation) -> Support {
    match operation {
        Operation::CreateFunction => Support::Partly(
            "container images, code from S3, Publish, Layers, DeadLetterConfig, EphemeralStorage beyond 512 MB, JSON logs, Active tracing, FileSystemConfigs, SnapStart, KMSKeyArn, code signing",
        ),
        Operation::UpdateFunctionCode => Support::Partly("container images, code from S3, Publish"),
        Operation::UpdateFunctionConfiguration => Support::Partly(
            "Layers, DeadLetterConfig, EphemeralStorage beyond 512 MB, JSON logs, Active tracing, FileSystemConfigs, SnapStart, KMSKeyArn",
        ),
        Operation::Invoke => Support::Partly(
            "InvocationType Event and DryRun, versions and aliases, TenantId, DurableExecutionName, response streaming",
        ),
        Operation::ListFunctions => {
            Support::Partly("FunctionVersion ALL lists $LATEST only: there are no versions yet")
        }
        Operation::GetFunction | Operation::GetFunctionConfiguration | Operation::DeleteFunction => Support::Works,
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
        | Operation::InvokeWithResponseStream
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
        | Operation::UpdateFunctionUrlConfig => Support::NotYet,
    }
}

/// `docs/compatibility.md`, whole.
pub fn document() -> String {
    let mut text = String::from(
        "<!-- Written by `cargo xtask codegen`. Do not edit. -->\n\
         # Compatibility\n\n\
         What of the AWS Lambda API works in this version of lambd. What does not is refused with\n\
         `NotImplementedException` (501) that names it; nothing is ignored.\n\n\
         | operation | state | not yet |\n| --- | --- | --- |\n",
    );
    let mut rows: Vec<(u8, String)> = Operation::ALL.iter().map(|&operation| row(operation)).collect();
    rows.sort();
    for (_, row) in rows {
        text.push_str(&row);
    }
    text
}

fn row(operation: Operation) -> (u8, String) {
    let name = operation.name();
    match support(operation) {
        Support::Works => (0, format!("| {name} | works | |\n")),
        Support::Partly(missing) => (0, format!("| {name} | partly | {missing} |\n")),
        Support::NotYet => (1, format!("| {name} | not yet | |\n")),
    }
}
