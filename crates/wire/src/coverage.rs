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

/// The operations that are built, at least in part. `dispatch` names every operation; this names what it does of them.
const BUILT: &[(Operation, Support)] = &[
    (Operation::ListFunctions, Support::Partly("MasterRegion")),
    (
        Operation::CreateFunction,
        Support::Partly(
            "S3ObjectStorageMode REFERENCE, PublishTo, SnapStart, KMSKeyArn, SourceKMSKeyArn, code signing, TenancyConfig, CapacityProviderConfig, DurableConfig, RuntimeConfig, AcceleratorConfig",
        ),
    ),
    (Operation::UpdateFunctionCode, Support::Partly("S3ObjectStorageMode REFERENCE, PublishTo, SourceKMSKeyArn")),
    (
        Operation::UpdateFunctionConfiguration,
        Support::Partly(
            "SnapStart, KMSKeyArn, CapacityProviderConfig, DurableConfig, RuntimeConfig, AcceleratorConfig",
        ),
    ),
    (Operation::Invoke, Support::Partly("TenantId, DurableExecutionName")),
    (Operation::InvokeWithResponseStream, Support::Partly("TenantId")),
    (Operation::GetFunction, Support::Works),
    (Operation::InvokeAsync, Support::Works),
    (Operation::GetFunctionConfiguration, Support::Works),
    (Operation::DeleteFunction, Support::Works),
    (Operation::PublishVersion, Support::Partly("PublishTo")),
    (Operation::ListVersionsByFunction, Support::Works),
    (Operation::CreateAlias, Support::Works),
    (Operation::GetAlias, Support::Works),
    (Operation::ListAliases, Support::Works),
    (Operation::UpdateAlias, Support::Works),
    (Operation::DeleteAlias, Support::Works),
    (Operation::PutFunctionConcurrency, Support::Works),
    (Operation::GetFunctionConcurrency, Support::Works),
    (Operation::DeleteFunctionConcurrency, Support::Works),
    (Operation::PutProvisionedConcurrencyConfig, Support::Works),
    (Operation::GetProvisionedConcurrencyConfig, Support::Works),
    (Operation::DeleteProvisionedConcurrencyConfig, Support::Works),
    (Operation::ListProvisionedConcurrencyConfigs, Support::Works),
    (Operation::AddPermission, Support::Works),
    (Operation::RemovePermission, Support::Works),
    (Operation::GetPolicy, Support::Works),
    (Operation::PutFunctionEventInvokeConfig, Support::Works),
    (Operation::UpdateFunctionEventInvokeConfig, Support::Works),
    (Operation::GetFunctionEventInvokeConfig, Support::Works),
    (Operation::DeleteFunctionEventInvokeConfig, Support::Works),
    (Operation::ListFunctionEventInvokeConfigs, Support::Works),
    (Operation::GetAccountSettings, Support::Works),
    (Operation::PutFunctionRecursionConfig, Support::Works),
    (Operation::GetFunctionRecursionConfig, Support::Works),
    (Operation::TagResource, Support::Works),
    (Operation::UntagResource, Support::Works),
    (Operation::ListTags, Support::Works),
    (Operation::GetFunctionCodeSigningConfig, Support::Works),
    (Operation::DeleteFunctionCodeSigningConfig, Support::Works),
    (Operation::GetRuntimeManagementConfig, Support::Works),
    (Operation::PutRuntimeManagementConfig, Support::Partly("UpdateRuntimeOn other than Auto")),
    (Operation::PublishLayerVersion, Support::Partly("S3ObjectStorageMode REFERENCE")),
    (Operation::GetLayerVersion, Support::Works),
    (Operation::GetLayerVersionByArn, Support::Works),
    (Operation::ListLayers, Support::Works),
    (Operation::ListLayerVersions, Support::Works),
    (Operation::DeleteLayerVersion, Support::Works),
    (Operation::AddLayerVersionPermission, Support::Works),
    (Operation::RemoveLayerVersionPermission, Support::Works),
    (Operation::GetLayerVersionPolicy, Support::Works),
    (
        Operation::CreateEventSourceMapping,
        Support::Partly(
            "sources other than SQS standard queues, KMSKeyArn, MetricsConfig, LoggingConfig, ProvisionedPollerConfig",
        ),
    ),
    (Operation::GetEventSourceMapping, Support::Works),
    (Operation::ListEventSourceMappings, Support::Works),
    (
        Operation::UpdateEventSourceMapping,
        Support::Partly("KMSKeyArn, MetricsConfig, LoggingConfig, ProvisionedPollerConfig"),
    ),
    (Operation::DeleteEventSourceMapping, Support::Works),
];

/// How far `operation` is built.
pub fn support(operation: Operation) -> Support {
    BUILT.iter().find(|(built, _)| *built == operation).map_or(Support::NotYet, |(_, support)| *support)
}

/// What the reference page of `aws lambda invoke` promises, one by one.
const FEATURES: &[(&str, Support)] = &[
    ("functions named by name, partial ARN and ARN", Support::Works),
    ("versions and aliases, weighted routing, qualifiers", Support::Works),
    ("`RequestResponse`: the connection is held until the function answers or times out", Support::Works),
    ("payloads up to 6,291,456 bytes, answers up to 6,291,556", Support::Works),
    ("`Event`: queue, retries, dead-letter queue, destinations", Support::Works),
    (
        "queues: an SQS-compatible endpoint on the same listener, AWS JSON and query protocol",
        Support::Partly(
            "FIFO queues, `AddPermission`, `RemovePermission`, message move tasks, `KmsMasterKeyId`; policies are kept and shown",
        ),
    ),
    ("`DryRun`", Support::Works),
    ("`LogType=Tail`, `X-Amz-Executed-Version`, `ClientContext`", Support::Works),
    ("function errors as 200 with `X-Amz-Function-Error`", Support::Works),
    ("timeouts, crashes, the init limit of 10 s and the second init", Support::Works),
    (
        "concurrency: the account's, reserved, provisioned; the rate of 10 per second and unit",
        Support::Partly("the scaling rate of 1,000 environments in 10 seconds, the rates of the control plane"),
    ),
    (
        "permissions",
        Support::Partly("every caller may do everything; credentials are not checked, policies are kept and shown"),
    ),
    (
        "execution log: text and JSON, levels, kept for `lambd logs`",
        Support::Partly("`_LAMBDA_TELEMETRY_LOG_FD`: runtime clients write to standard output instead"),
    ),
    ("trace header in and out, sampling, the XRAY line, loop detection", Support::Partly("segments are sent nowhere")),
    ("Runtime API, response streaming", Support::Works),
    ("runtimes", Support::Partly("Java, Ruby and .NET: use `provided.al2023` with a bootstrap of your own")),
    (
        "isolation: levels `sandbox`, `rootless`, `confined`, `process`; the tag `lambd:isolation`",
        Support::Partly("one kernel for all: hardened containers, no virtual machines"),
    ),
    ("layers", Support::Partly("layers of other accounts, AWS's own included: publish a copy here")),
    ("code and layers from S3, or from what speaks its language", Support::Works),
    (
        "container images",
        Support::Partly("levels `sandbox` and `rootless`; from a layout, an archive or a registry without passwords"),
    ),
    ("between invocations an environment stands still; shutdown phase", Support::Works),
    ("extensions, Telemetry API, Logs API", Support::Works),
    (
        "event source mappings of SQS: batches, windows, filters, partial responses, maximum concurrency",
        Support::Partly("FIFO queues, provisioned pollers; sources other than SQS"),
    ),
    ("function URLs", Support::NotYet),
    ("durable functions, tenants, capacity providers", Support::NotYet),
];

/// `docs/compatibility.md`, whole.
pub fn document() -> String {
    let mut text = String::from(
        "<!-- Written by `cargo xtask codegen`. Do not edit. -->\n\
         # Compatibility\n\n\
         What works in this version of lambd. What does not is refused with `NotImplementedException` (501) that names\n\
         it; no parameter is ignored.\n\n\
         ## Features\n\n| feature | state | not yet |\n| --- | --- | --- |\n",
    );
    text.extend(FEATURES.iter().map(|(feature, support)| row(feature, *support)));
    text.push_str("\n## Operations\n\n| operation | state | not yet |\n| --- | --- | --- |\n");
    let (not_yet, built): (Vec<Operation>, Vec<Operation>) =
        Operation::ALL.iter().partition(|&&operation| support(operation) == Support::NotYet);
    text.extend(built.iter().chain(&not_yet).map(|&operation| row(operation.name(), support(operation))));
    text
}

fn row(what: &str, support: Support) -> String {
    match support {
        Support::Works => format!("| {what} | works | |\n"),
        Support::Partly(missing) => format!("| {what} | partly | {missing} |\n"),
        Support::NotYet => format!("| {what} | not yet | |\n"),
    }
}
