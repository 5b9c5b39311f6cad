// Written by `cargo xtask codegen`. Do not edit.
//! The shapes of requests and answers, as AWS names them.
#![expect(missing_docs, reason = "the model's prose is not ours; AWS's API reference has it")]
#![allow(clippy::struct_field_names, reason = "the names are AWS's")]

use serde::{Deserialize, Serialize};

use crate::model::{Answer, Blob, EpochSeconds, Map, wire_enum};

wire_enum!(ApplicationLogLevel {
    Trace = "TRACE",
    Debug = "DEBUG",
    Info = "INFO",
    Warn = "WARN",
    Error = "ERROR",
    Fatal = "FATAL",
});

wire_enum!(Architecture {
    X86_64 = "x86_64",
    Arm64 = "arm64",
});

wire_enum!(CapacityProviderPredefinedMetricType {
    LambdaCapacityProviderAverageCPUUtilization = "LambdaCapacityProviderAverageCPUUtilization",
    LambdaCapacityProviderAverageGPUUtilization = "LambdaCapacityProviderAverageGPUUtilization",
});

wire_enum!(CapacityProviderScalingMode {
    Auto = "Auto",
    Manual = "Manual",
});

wire_enum!(CapacityProviderState {
    Pending = "Pending",
    Active = "Active",
    Failed = "Failed",
    Deleting = "Deleting",
});

wire_enum!(CodeSigningPolicy {
    Warn = "Warn",
    Enforce = "Enforce",
});

wire_enum!(DirectS3Read {
    Enabled = "ENABLED",
    Disabled = "DISABLED",
    Auto = "AUTO",
});

wire_enum!(EndPointType {
    KafkaBootstrapServers = "KAFKA_BOOTSTRAP_SERVERS",
});

wire_enum!(EventSourceMappingMetric {
    EventCount = "EventCount",
    ErrorCount = "ErrorCount",
    KafkaMetrics = "KafkaMetrics",
});

wire_enum!(EventSourceMappingSystemLogLevel {
    Debug = "DEBUG",
    Info = "INFO",
    Warn = "WARN",
});

wire_enum!(EventSourcePosition {
    TrimHorizon = "TRIM_HORIZON",
    Latest = "LATEST",
    AtTimestamp = "AT_TIMESTAMP",
});

wire_enum!(EventType {
    ExecutionStarted = "ExecutionStarted",
    ExecutionSucceeded = "ExecutionSucceeded",
    ExecutionFailed = "ExecutionFailed",
    ExecutionTimedOut = "ExecutionTimedOut",
    ExecutionStopped = "ExecutionStopped",
    ContextStarted = "ContextStarted",
    ContextSucceeded = "ContextSucceeded",
    ContextFailed = "ContextFailed",
    WaitStarted = "WaitStarted",
    WaitSucceeded = "WaitSucceeded",
    WaitCancelled = "WaitCancelled",
    StepStarted = "StepStarted",
    StepSucceeded = "StepSucceeded",
    StepFailed = "StepFailed",
    ChainedInvokeStarted = "ChainedInvokeStarted",
    ChainedInvokeSucceeded = "ChainedInvokeSucceeded",
    ChainedInvokeFailed = "ChainedInvokeFailed",
    ChainedInvokeTimedOut = "ChainedInvokeTimedOut",
    ChainedInvokeStopped = "ChainedInvokeStopped",
    CallbackStarted = "CallbackStarted",
    CallbackSucceeded = "CallbackSucceeded",
    CallbackFailed = "CallbackFailed",
    CallbackTimedOut = "CallbackTimedOut",
    InvocationCompleted = "InvocationCompleted",
    ExecutionPaused = "ExecutionPaused",
    ExecutionResumed = "ExecutionResumed",
});

wire_enum!(ExecutionStatus {
    Running = "RUNNING",
    Succeeded = "SUCCEEDED",
    Failed = "FAILED",
    TimedOut = "TIMED_OUT",
    Stopped = "STOPPED",
    Deleting = "DELETING",
    Pausing = "PAUSING",
    Paused = "PAUSED",
});

wire_enum!(FullDocument {
    UpdateLookup = "UpdateLookup",
    Default = "Default",
});

wire_enum!(FunctionResponseType {
    ReportBatchItemFailures = "ReportBatchItemFailures",
});

wire_enum!(FunctionUrlAuthType {
    None = "NONE",
    AwsIam = "AWS_IAM",
});

wire_enum!(FunctionVersion {
    All = "ALL",
});

wire_enum!(FunctionVersionLatestPublished {
    LatestPublished = "LATEST_PUBLISHED",
});

wire_enum!(InvocationType {
    Event = "Event",
    RequestResponse = "RequestResponse",
    DryRun = "DryRun",
});

wire_enum!(InvokeMode {
    Buffered = "BUFFERED",
    ResponseStream = "RESPONSE_STREAM",
});

wire_enum!(KafkaEventSourceMappingConsumptionMode {
    Stream = "Stream",
    Queue = "Queue",
});

wire_enum!(KafkaSchemaRegistryAuthType {
    BasicAuth = "BASIC_AUTH",
    ClientCertificateTlsAuth = "CLIENT_CERTIFICATE_TLS_AUTH",
    ServerRootCaCertificate = "SERVER_ROOT_CA_CERTIFICATE",
    OauthbearerAuth = "OAUTHBEARER_AUTH",
});

wire_enum!(KafkaSchemaValidationAttribute {
    Key = "KEY",
    Value = "VALUE",
});

wire_enum!(LastUpdateStatus {
    Successful = "Successful",
    Failed = "Failed",
    InProgress = "InProgress",
});

wire_enum!(LogFormat {
    Json = "JSON",
    Text = "Text",
});

wire_enum!(LogType {
    None = "None",
    Tail = "Tail",
});

wire_enum!(OperationAction {
    Start = "START",
    Succeed = "SUCCEED",
    Fail = "FAIL",
    Retry = "RETRY",
    Cancel = "CANCEL",
});

wire_enum!(OperationStatus {
    Started = "STARTED",
    Pending = "PENDING",
    Ready = "READY",
    Succeeded = "SUCCEEDED",
    Failed = "FAILED",
    Cancelled = "CANCELLED",
    TimedOut = "TIMED_OUT",
    Stopped = "STOPPED",
});

wire_enum!(OperationType {
    Execution = "EXECUTION",
    Context = "CONTEXT",
    Step = "STEP",
    Wait = "WAIT",
    Callback = "CALLBACK",
    ChainedInvoke = "CHAINED_INVOKE",
});

wire_enum!(PackageType {
    Zip = "Zip",
    Image = "Image",
});

wire_enum!(PropagateTagsMode {
    None = "None",
    Explicit = "Explicit",
});

wire_enum!(ProvisionedConcurrencyStatusEnum {
    InProgress = "IN_PROGRESS",
    Ready = "READY",
    Failed = "FAILED",
});

wire_enum!(RecursiveLoop {
    Allow = "Allow",
    Terminate = "Terminate",
});

wire_enum!(ResponseStreamingInvocationType {
    RequestResponse = "RequestResponse",
    DryRun = "DryRun",
});

wire_enum!(Runtime {
    Nodejs = "nodejs",
    Nodejs4_3 = "nodejs4.3",
    Nodejs6_10 = "nodejs6.10",
    Nodejs8_10 = "nodejs8.10",
    Nodejs10X = "nodejs10.x",
    Nodejs12X = "nodejs12.x",
    Nodejs14X = "nodejs14.x",
    Nodejs16X = "nodejs16.x",
    Nodejs18X = "nodejs18.x",
    Nodejs20X = "nodejs20.x",
    Nodejs22X = "nodejs22.x",
    Nodejs24X = "nodejs24.x",
    Java8 = "java8",
    Java8Al2 = "java8.al2",
    Java11 = "java11",
    Java17 = "java17",
    Java21 = "java21",
    Java25 = "java25",
    Python2_7 = "python2.7",
    Python3_6 = "python3.6",
    Python3_7 = "python3.7",
    Python3_8 = "python3.8",
    Python3_9 = "python3.9",
    Python3_10 = "python3.10",
    Python3_11 = "python3.11",
    Python3_12 = "python3.12",
    Python3_13 = "python3.13",
    Python3_14 = "python3.14",
    Dotnetcore1_0 = "dotnetcore1.0",
    Dotnetcore2_0 = "dotnetcore2.0",
    Dotnetcore2_1 = "dotnetcore2.1",
    Dotnetcore3_1 = "dotnetcore3.1",
    Dotnet6 = "dotnet6",
    Dotnet8 = "dotnet8",
    Dotnet10 = "dotnet10",
    Nodejs4_3Edge = "nodejs4.3-edge",
    Go1X = "go1.x",
    Ruby2_5 = "ruby2.5",
    Ruby2_7 = "ruby2.7",
    Ruby3_2 = "ruby3.2",
    Ruby3_3 = "ruby3.3",
    Ruby3_4 = "ruby3.4",
    Ruby4_0 = "ruby4.0",
    Provided = "provided",
    ProvidedAl2 = "provided.al2",
    ProvidedAl2023 = "provided.al2023",
    Nodejs26X = "nodejs26.x",
    Python3_15 = "python3.15",
    Java8Al2023 = "java8.al2023",
    Java11Al2023 = "java11.al2023",
    Java17Al2023 = "java17.al2023",
    Custom = "custom",
});

wire_enum!(S3ObjectStorageMode {
    Copy = "COPY",
    Reference = "REFERENCE",
});

wire_enum!(SchemaRegistryEventRecordFormat {
    Json = "JSON",
    Source = "SOURCE",
});

wire_enum!(SnapStartApplyOn {
    PublishedVersions = "PublishedVersions",
    None = "None",
});

wire_enum!(SnapStartOptimizationStatus {
    On = "On",
    Off = "Off",
});

wire_enum!(SourceAccessType {
    BasicAuth = "BASIC_AUTH",
    VpcSubnet = "VPC_SUBNET",
    VpcSecurityGroup = "VPC_SECURITY_GROUP",
    SaslScram512Auth = "SASL_SCRAM_512_AUTH",
    SaslScram256Auth = "SASL_SCRAM_256_AUTH",
    VirtualHost = "VIRTUAL_HOST",
    ClientCertificateTlsAuth = "CLIENT_CERTIFICATE_TLS_AUTH",
    ServerRootCaCertificate = "SERVER_ROOT_CA_CERTIFICATE",
    OauthbearerAuth = "OAUTHBEARER_AUTH",
    OauthbearerScope = "OAUTHBEARER_SCOPE",
    OauthbearerAudience = "OAUTHBEARER_AUDIENCE",
    OauthbearerLogicalCluster = "OAUTHBEARER_LOGICAL_CLUSTER",
    OauthbearerIdentityPool = "OAUTHBEARER_IDENTITY_POOL",
    IamAuth = "IAM_AUTH",
    IamOauthbearerAuth = "IAM_OAUTHBEARER_AUTH",
});

wire_enum!(State {
    Pending = "Pending",
    Active = "Active",
    Inactive = "Inactive",
    Failed = "Failed",
    Deactivating = "Deactivating",
    Deactivated = "Deactivated",
    ActiveNonInvocable = "ActiveNonInvocable",
    Deleting = "Deleting",
});

wire_enum!(StateReasonCode {
    Idle = "Idle",
    Creating = "Creating",
    Restoring = "Restoring",
    EniLimitExceeded = "EniLimitExceeded",
    InsufficientRolePermissions = "InsufficientRolePermissions",
    InvalidConfiguration = "InvalidConfiguration",
    InternalError = "InternalError",
    SubnetOutOfIPAddresses = "SubnetOutOfIPAddresses",
    InvalidSubnet = "InvalidSubnet",
    InvalidSecurityGroup = "InvalidSecurityGroup",
    ImageDeleted = "ImageDeleted",
    ImageAccessDenied = "ImageAccessDenied",
    InvalidImage = "InvalidImage",
    KMSKeyAccessDenied = "KMSKeyAccessDenied",
    KMSKeyNotFound = "KMSKeyNotFound",
    InvalidStateKMSKey = "InvalidStateKMSKey",
    DisabledKMSKey = "DisabledKMSKey",
    EFSIOError = "EFSIOError",
    EFSMountConnectivityError = "EFSMountConnectivityError",
    EFSMountFailure = "EFSMountFailure",
    EFSMountTimeout = "EFSMountTimeout",
    InvalidRuntime = "InvalidRuntime",
    InvalidZipFileException = "InvalidZipFileException",
    FunctionError = "FunctionError",
    ServiceQuotaExceededException = "ServiceQuotaExceededException",
    VcpuLimitExceeded = "VcpuLimitExceeded",
    CapacityProviderScalingLimitExceeded = "CapacityProviderScalingLimitExceeded",
    InsufficientCapacity = "InsufficientCapacity",
    EC2RequestLimitExceeded = "EC2RequestLimitExceeded",
    FunctionErrorInitTimeout = "FunctionError.InitTimeout",
    FunctionErrorRuntimeInitError = "FunctionError.RuntimeInitError",
    FunctionErrorExtensionInitError = "FunctionError.ExtensionInitError",
    FunctionErrorInvalidEntryPoint = "FunctionError.InvalidEntryPoint",
    FunctionErrorInvalidWorkingDirectory = "FunctionError.InvalidWorkingDirectory",
    FunctionErrorPermissionDenied = "FunctionError.PermissionDenied",
    FunctionErrorTooManyExtensions = "FunctionError.TooManyExtensions",
    FunctionErrorInitResourceExhausted = "FunctionError.InitResourceExhausted",
    DisallowedByVpcEncryptionControl = "DisallowedByVpcEncryptionControl",
    DrainingDurableExecutions = "DrainingDurableExecutions",
    IncompatibleAcceleratorInstanceTypes = "IncompatibleAcceleratorInstanceTypes",
    DependencyError = "DependencyError",
});

wire_enum!(SystemLogLevel {
    Debug = "DEBUG",
    Info = "INFO",
    Warn = "WARN",
});

wire_enum!(TenantIsolationMode {
    PerTenant = "PER_TENANT",
});

wire_enum!(TracingMode {
    Active = "Active",
    PassThrough = "PassThrough",
});

wire_enum!(UpdateRuntimeOn {
    Auto = "Auto",
    Manual = "Manual",
    FunctionUpdate = "FunctionUpdate",
});

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AcceleratorConfig {
    pub accelerator_memory_size: i32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccountLimit {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_code_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_size_unzipped: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_size_zipped: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent_executions: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreserved_concurrent_executions: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccountUsage {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_code_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_count: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct AddLayerVersionPermissionRequest {
    pub layer_name: String,
    pub version_number: i64,
    pub statement_id: String,
    pub action: String,
    pub principal: String,
    pub organization_id: Option<String>,
    pub revision_id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AddLayerVersionPermissionResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_id: Option<String>,
}

impl Answer for AddLayerVersionPermissionResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct AddPermissionRequest {
    pub function_name: String,
    pub statement_id: String,
    pub action: String,
    pub principal: String,
    pub source_arn: Option<String>,
    pub function_url_auth_type: Option<FunctionUrlAuthType>,
    pub invoked_via_function_url: Option<bool>,
    pub source_account: Option<String>,
    pub event_source_token: Option<String>,
    pub qualifier: Option<String>,
    pub revision_id: Option<String>,
    #[serde(rename = "PrincipalOrgID")]
    pub principal_org_id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AddPermissionResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
}

impl Answer for AddPermissionResponse {}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AliasConfiguration {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_config: Option<AliasRoutingConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_id: Option<String>,
}

impl Answer for AliasConfiguration {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AliasRoutingConfiguration {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_version_weights: Option<Map<String, f64>>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AllowedPublishers {
    pub signing_profile_version_arns: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AmazonManagedKafkaEventSourceConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer_group_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_registry_config: Option<KafkaSchemaRegistryConfig>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallbackDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallbackFailedDetails {
    pub error: EventError,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct CallbackOptions {
    pub timeout_seconds: Option<i32>,
    pub heartbeat_timeout_seconds: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallbackStartedDetails {
    pub callback_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat_timeout: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallbackSucceededDetails {
    pub result: EventResult,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallbackTimedOutDetails {
    pub error: EventError,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CapacityProvider {
    pub capacity_provider_arn: String,
    pub state: CapacityProviderState,
    pub vpc_config: CapacityProviderVpcConfig,
    pub permissions_config: CapacityProviderPermissionsConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_requirements: Option<InstanceRequirements>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_provider_scaling_config: Option<CapacityProviderScalingConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub propagate_tags: Option<PropagateTags>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telemetry_config: Option<CapacityProviderTelemetryConfig>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CapacityProviderConfig {
    pub lambda_managed_instances_capacity_provider_config: LambdaManagedInstancesCapacityProviderConfig,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CapacityProviderLoggingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_log_level: Option<SystemLogLevel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_group: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CapacityProviderPermissionsConfig {
    pub capacity_provider_operator_role_arn: String,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CapacityProviderScalingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_v_cpu_count: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaling_mode: Option<CapacityProviderScalingMode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaling_policies: Option<Vec<TargetTrackingScalingPolicy>>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CapacityProviderTelemetryConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging_config: Option<CapacityProviderLoggingConfig>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CapacityProviderVpcConfig {
    pub subnet_ids: Vec<String>,
    pub security_group_ids: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChainedInvokeDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChainedInvokeFailedDetails {
    pub error: EventError,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct ChainedInvokeOptions {
    pub function_name: String,
    pub tenant_id: Option<String>,
    pub x_amzn_trace_id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChainedInvokeStartedDetails {
    pub function_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<EventInput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executed_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durable_execution_arn: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChainedInvokeStoppedDetails {
    pub error: EventError,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChainedInvokeSucceededDetails {
    pub result: EventResult,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChainedInvokeTimedOutDetails {
    pub error: EventError,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct CheckpointDurableExecutionRequest {
    pub durable_execution_arn: String,
    pub checkpoint_token: String,
    pub updates: Option<Vec<OperationUpdate>>,
    pub client_token: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CheckpointDurableExecutionResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_token: Option<String>,
    pub new_execution_state: CheckpointUpdatedExecutionState,
}

impl Answer for CheckpointDurableExecutionResponse {}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CheckpointUpdatedExecutionState {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<Operation>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CodeSigningConfig {
    pub code_signing_config_id: String,
    pub code_signing_config_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub allowed_publishers: AllowedPublishers,
    pub code_signing_policies: CodeSigningPolicies,
    pub last_modified: String,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CodeSigningPolicies {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untrusted_artifact_on_deployment: Option<CodeSigningPolicy>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Concurrency {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserved_concurrent_executions: Option<i32>,
}

impl Answer for Concurrency {}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContextDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay_children: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContextFailedDetails {
    pub error: EventError,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct ContextOptions {
    pub replay_children: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ContextStartedDetails {}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContextSucceededDetails {
    pub result: EventResult,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Cors {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_credentials: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_headers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_methods: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_origins: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expose_headers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<i32>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct CreateAliasRequest {
    pub function_name: String,
    pub name: String,
    pub function_version: String,
    pub description: Option<String>,
    pub routing_config: Option<AliasRoutingConfiguration>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct CreateCapacityProviderRequest {
    pub capacity_provider_name: String,
    pub vpc_config: CapacityProviderVpcConfig,
    pub permissions_config: CapacityProviderPermissionsConfig,
    pub instance_requirements: Option<InstanceRequirements>,
    pub capacity_provider_scaling_config: Option<CapacityProviderScalingConfig>,
    pub kms_key_arn: Option<String>,
    pub tags: Option<Map<String, String>>,
    pub propagate_tags: Option<PropagateTags>,
    pub telemetry_config: Option<CapacityProviderTelemetryConfig>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateCapacityProviderResponse {
    pub capacity_provider: CapacityProvider,
}

impl Answer for CreateCapacityProviderResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct CreateCodeSigningConfigRequest {
    pub description: Option<String>,
    pub allowed_publishers: AllowedPublishers,
    pub code_signing_policies: Option<CodeSigningPolicies>,
    pub tags: Option<Map<String, String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateCodeSigningConfigResponse {
    pub code_signing_config: CodeSigningConfig,
}

impl Answer for CreateCodeSigningConfigResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct CreateEventSourceMappingRequest {
    pub event_source_arn: Option<String>,
    pub function_name: String,
    pub enabled: Option<bool>,
    pub batch_size: Option<i32>,
    pub filter_criteria: Option<FilterCriteria>,
    #[serde(rename = "KMSKeyArn")]
    pub kms_key_arn: Option<String>,
    pub metrics_config: Option<EventSourceMappingMetricsConfig>,
    pub logging_config: Option<EventSourceMappingLoggingConfig>,
    pub scaling_config: Option<ScalingConfig>,
    pub maximum_batching_window_in_seconds: Option<i32>,
    pub parallelization_factor: Option<i32>,
    pub starting_position: Option<EventSourcePosition>,
    pub starting_position_timestamp: Option<EpochSeconds>,
    pub destination_config: Option<DestinationConfig>,
    pub maximum_record_age_in_seconds: Option<i32>,
    pub bisect_batch_on_function_error: Option<bool>,
    pub maximum_retry_attempts: Option<i32>,
    pub tags: Option<Map<String, String>>,
    pub tumbling_window_in_seconds: Option<i32>,
    pub topics: Option<Vec<String>>,
    pub queues: Option<Vec<String>>,
    pub source_access_configurations: Option<Vec<SourceAccessConfiguration>>,
    pub self_managed_event_source: Option<SelfManagedEventSource>,
    pub function_response_types: Option<Vec<FunctionResponseType>>,
    pub amazon_managed_kafka_event_source_config: Option<AmazonManagedKafkaEventSourceConfig>,
    pub self_managed_kafka_event_source_config: Option<SelfManagedKafkaEventSourceConfig>,
    #[serde(rename = "DocumentDBEventSourceConfig")]
    pub document_db_event_source_config: Option<DocumentDBEventSourceConfig>,
    pub provisioned_poller_config: Option<ProvisionedPollerConfig>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct CreateFunctionRequest {
    pub function_name: String,
    pub runtime: Option<String>,
    pub role: String,
    pub handler: Option<String>,
    pub code: FunctionCode,
    pub description: Option<String>,
    pub timeout: Option<i32>,
    pub memory_size: Option<i32>,
    pub publish: Option<bool>,
    pub publish_to: Option<FunctionVersionLatestPublished>,
    pub vpc_config: Option<VpcConfig>,
    pub package_type: Option<PackageType>,
    pub dead_letter_config: Option<DeadLetterConfig>,
    pub environment: Option<Environment>,
    #[serde(rename = "KMSKeyArn")]
    pub kms_key_arn: Option<String>,
    pub tracing_config: Option<TracingConfig>,
    pub tags: Option<Map<String, String>>,
    pub layers: Option<Vec<String>>,
    pub file_system_configs: Option<Vec<FileSystemConfig>>,
    pub code_signing_config_arn: Option<String>,
    pub image_config: Option<ImageConfig>,
    pub architectures: Option<Vec<Architecture>>,
    pub ephemeral_storage: Option<EphemeralStorage>,
    pub snap_start: Option<SnapStart>,
    pub logging_config: Option<LoggingConfig>,
    pub tenancy_config: Option<TenancyConfig>,
    pub capacity_provider_config: Option<CapacityProviderConfig>,
    pub durable_config: Option<DurableConfig>,
    pub runtime_config: Option<FunctionRuntimeConfig>,
    pub accelerator_config: Option<AcceleratorConfig>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct CreateFunctionUrlConfigRequest {
    pub function_name: String,
    pub qualifier: Option<String>,
    pub auth_type: FunctionUrlAuthType,
    pub cors: Option<Cors>,
    pub invoke_mode: Option<InvokeMode>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateFunctionUrlConfigResponse {
    pub function_url: String,
    pub function_arn: String,
    pub auth_type: FunctionUrlAuthType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    pub creation_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoke_mode: Option<InvokeMode>,
}

impl Answer for CreateFunctionUrlConfigResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeadLetterConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_arn: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteAliasRequest {
    pub function_name: String,
    pub name: String,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteCapacityProviderRequest {
    pub capacity_provider_name: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteCapacityProviderResponse {
    pub capacity_provider: CapacityProvider,
}

impl Answer for DeleteCapacityProviderResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteCodeSigningConfigRequest {
    pub code_signing_config_arn: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DeleteCodeSigningConfigResponse {}

impl Answer for DeleteCodeSigningConfigResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteDurableExecutionRequest {
    pub durable_execution_arn: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteDurableExecutionResponse {
    pub deletion_request_timestamp: EpochSeconds,
}

impl Answer for DeleteDurableExecutionResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteEventSourceMappingRequest {
    #[serde(rename = "UUID")]
    pub uuid: String,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteFunctionCodeSigningConfigRequest {
    pub function_name: String,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteFunctionConcurrencyRequest {
    pub function_name: String,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteFunctionEventInvokeConfigRequest {
    pub function_name: String,
    pub qualifier: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteFunctionRequest {
    pub function_name: String,
    pub qualifier: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteFunctionResponse {
    #[serde(skip)]
    pub status_code: Option<u16>,
}

impl Answer for DeleteFunctionResponse {
    fn status(&self) -> Option<http::StatusCode> {
        self.status_code.and_then(|status| http::StatusCode::from_u16(status).ok())
    }
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteFunctionUrlConfigRequest {
    pub function_name: String,
    pub qualifier: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteLayerVersionRequest {
    pub layer_name: String,
    pub version_number: i64,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteProvisionedConcurrencyConfigRequest {
    pub function_name: String,
    pub qualifier: String,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteResourcePolicyRequest {
    pub resource_arn: String,
    pub revision_id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DestinationConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_success: Option<OnSuccess>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DocumentDBEventSourceConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_document: Option<FullDocument>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DurableConfig {
    #[serde(rename = "KMSKeyArn", skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_period_in_days: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_timeout: Option<i32>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct Environment {
    pub variables: Option<Map<String, String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EnvironmentError {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EnvironmentResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variables: Option<Map<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<EnvironmentError>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EphemeralStorage {
    pub size: i32,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ErrorObject {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_trace: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Event {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<EventType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_timestamp: Option<EpochSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_started_details: Option<ExecutionStartedDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_succeeded_details: Option<ExecutionSucceededDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_failed_details: Option<ExecutionFailedDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_timed_out_details: Option<ExecutionTimedOutDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_stopped_details: Option<ExecutionStoppedDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_started_details: Option<ContextStartedDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_succeeded_details: Option<ContextSucceededDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_failed_details: Option<ContextFailedDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_started_details: Option<WaitStartedDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_succeeded_details: Option<WaitSucceededDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_cancelled_details: Option<WaitCancelledDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_started_details: Option<StepStartedDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_succeeded_details: Option<StepSucceededDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_failed_details: Option<StepFailedDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chained_invoke_started_details: Option<ChainedInvokeStartedDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chained_invoke_succeeded_details: Option<ChainedInvokeSucceededDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chained_invoke_failed_details: Option<ChainedInvokeFailedDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chained_invoke_timed_out_details: Option<ChainedInvokeTimedOutDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chained_invoke_stopped_details: Option<ChainedInvokeStoppedDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_started_details: Option<CallbackStartedDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_succeeded_details: Option<CallbackSucceededDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_failed_details: Option<CallbackFailedDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_timed_out_details: Option<CallbackTimedOutDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invocation_completed_details: Option<InvocationCompletedDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_paused_details: Option<ExecutionPausedDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_resumed_details: Option<ExecutionResumedDetails>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventError {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<ErrorObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventInput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventPauseReason {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventResult {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventResumeReason {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventSourceMappingConfiguration {
    #[serde(rename = "UUID", skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starting_position: Option<EventSourcePosition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starting_position_timestamp: Option<EpochSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_batching_window_in_seconds: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallelization_factor: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_source_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_criteria: Option<FilterCriteria>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_criteria_error: Option<FilterCriteriaError>,
    #[serde(rename = "KMSKeyArn", skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_config: Option<EventSourceMappingMetricsConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging_config: Option<EventSourceMappingLoggingConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaling_config: Option<ScalingConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<EpochSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_processing_result: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_transition_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_config: Option<DestinationConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topics: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queues: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_access_configurations: Option<Vec<SourceAccessConfiguration>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub self_managed_event_source: Option<SelfManagedEventSource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_record_age_in_seconds: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bisect_batch_on_function_error: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_retry_attempts: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tumbling_window_in_seconds: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_response_types: Option<Vec<FunctionResponseType>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amazon_managed_kafka_event_source_config: Option<AmazonManagedKafkaEventSourceConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub self_managed_kafka_event_source_config: Option<SelfManagedKafkaEventSourceConfig>,
    #[serde(rename = "DocumentDBEventSourceConfig", skip_serializing_if = "Option::is_none")]
    pub document_db_event_source_config: Option<DocumentDBEventSourceConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_source_mapping_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provisioned_poller_config: Option<ProvisionedPollerConfig>,
}

impl Answer for EventSourceMappingConfiguration {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventSourceMappingLoggingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_log_level: Option<EventSourceMappingSystemLogLevel>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventSourceMappingMetricsConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Vec<EventSourceMappingMetric>>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Execution {
    pub durable_execution_arn: String,
    pub durable_execution_name: String,
    pub function_arn: String,
    pub status: ExecutionStatus,
    pub start_timestamp: EpochSeconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_timestamp: Option<EpochSeconds>,
    #[serde(rename = "KMSKeyArn", skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecutionDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_payload: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecutionFailedDetails {
    pub error: EventError,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecutionPausedDetails {
    pub pause_request_timestamp: EpochSeconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<EventPauseReason>,
    pub execution_timeout_paused: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecutionResumedDetails {
    pub resume_request_timestamp: EpochSeconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<EventResumeReason>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecutionStartedDetails {
    pub input: EventInput,
    pub execution_timeout: i32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecutionStoppedDetails {
    pub error: EventError,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecutionSucceededDetails {
    pub result: EventResult,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecutionTimedOutDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<EventError>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FileSystemConfig {
    pub arn: String,
    pub local_mount_path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_files_config: Option<S3FilesConfig>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Filter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FilterCriteria {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<Vec<Filter>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FilterCriteriaError {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionCode {
    pub zip_file: Option<Blob>,
    pub s3_bucket: Option<String>,
    pub s3_key: Option<String>,
    pub s3_object_version: Option<String>,
    pub s3_object_storage_mode: Option<S3ObjectStorageMode>,
    pub image_uri: Option<String>,
    #[serde(rename = "SourceKMSKeyArn")]
    pub source_kms_key_arn: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionCodeLocation {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_image_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_s3_object: Option<ResolvedS3Object>,
    #[serde(rename = "SourceKMSKeyArn", skip_serializing_if = "Option::is_none")]
    pub source_kms_key_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<FunctionCodeLocationError>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionCodeLocationError {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionConfiguration {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handler: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_size: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_config: Option<VpcConfigResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter_config: Option<DeadLetterConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentResponse>,
    #[serde(rename = "KMSKeyArn", skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing_config: Option<TracingConfigResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<Vec<Layer>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_reason_code: Option<StateReasonCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_update_status: Option<LastUpdateStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_update_status_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_update_status_reason_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_system_configs: Option<Vec<FileSystemConfig>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_profile_version_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_job_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_type: Option<PackageType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_config_response: Option<ImageConfigResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architectures: Option<Vec<Architecture>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ephemeral_storage: Option<EphemeralStorage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snap_start: Option<SnapStartResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_version_config: Option<RuntimeVersionConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging_config: Option<LoggingConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenancy_config: Option<TenancyConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_provider_config: Option<CapacityProviderConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durable_config: Option<DurableConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_config: Option<FunctionRuntimeConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accelerator_config: Option<AcceleratorConfig>,
}

impl Answer for FunctionConfiguration {}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionEventInvokeConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<EpochSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_retry_attempts: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_event_age_in_seconds: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_config: Option<DestinationConfig>,
}

impl Answer for FunctionEventInvokeConfig {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionRuntimeConfig {
    pub runtime_arn: String,
    pub runtime_alias: String,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionScalingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_execution_environments: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_execution_environments: Option<i32>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionUrlConfig {
    pub function_url: String,
    pub function_arn: String,
    pub creation_time: String,
    pub last_modified_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    pub auth_type: FunctionUrlAuthType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoke_mode: Option<InvokeMode>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionVersionsByCapacityProviderListItem {
    pub function_arn: String,
    pub state: State,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct GetAccountSettingsRequest {}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetAccountSettingsResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_limit: Option<AccountLimit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_usage: Option<AccountUsage>,
}

impl Answer for GetAccountSettingsResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetAliasRequest {
    pub function_name: String,
    pub name: String,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetCapacityProviderRequest {
    pub capacity_provider_name: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetCapacityProviderResponse {
    pub capacity_provider: CapacityProvider,
}

impl Answer for GetCapacityProviderResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetCodeSigningConfigRequest {
    pub code_signing_config_arn: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetCodeSigningConfigResponse {
    pub code_signing_config: CodeSigningConfig,
}

impl Answer for GetCodeSigningConfigResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetDurableExecutionHistoryRequest {
    pub durable_execution_arn: String,
    pub include_execution_data: Option<bool>,
    pub max_items: Option<i32>,
    pub marker: Option<String>,
    pub reverse_order: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetDurableExecutionHistoryResponse {
    pub events: Vec<Event>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
}

impl Answer for GetDurableExecutionHistoryResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetDurableExecutionRequest {
    pub durable_execution_arn: String,
    pub include_execution_data: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetDurableExecutionResponse {
    pub durable_execution_arn: String,
    pub durable_execution_name: String,
    pub function_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
    pub start_timestamp: EpochSeconds,
    pub status: ExecutionStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_timestamp: Option<EpochSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_header: Option<TraceHeader>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_data_included: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durable_config: Option<DurableConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_details: Option<PauseDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_execution_timeout_timestamp: Option<EpochSeconds>,
}

impl Answer for GetDurableExecutionResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetDurableExecutionStateRequest {
    pub durable_execution_arn: String,
    pub checkpoint_token: String,
    pub marker: Option<String>,
    pub max_items: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetDurableExecutionStateResponse {
    pub operations: Vec<Operation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
}

impl Answer for GetDurableExecutionStateResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetEventSourceMappingRequest {
    #[serde(rename = "UUID")]
    pub uuid: String,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetFunctionCodeSigningConfigRequest {
    pub function_name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetFunctionCodeSigningConfigResponse {
    pub code_signing_config_arn: String,
    pub function_name: String,
}

impl Answer for GetFunctionCodeSigningConfigResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetFunctionConcurrencyRequest {
    pub function_name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetFunctionConcurrencyResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserved_concurrent_executions: Option<i32>,
}

impl Answer for GetFunctionConcurrencyResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetFunctionConfigurationRequest {
    pub function_name: String,
    pub qualifier: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetFunctionEventInvokeConfigRequest {
    pub function_name: String,
    pub qualifier: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetFunctionRecursionConfigRequest {
    pub function_name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetFunctionRecursionConfigResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recursive_loop: Option<RecursiveLoop>,
}

impl Answer for GetFunctionRecursionConfigResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetFunctionRequest {
    pub function_name: String,
    pub qualifier: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetFunctionResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<FunctionConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<FunctionCodeLocation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Map<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags_error: Option<TagsError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
}

impl Answer for GetFunctionResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetFunctionScalingConfigRequest {
    pub function_name: String,
    pub qualifier: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetFunctionScalingConfigResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_function_scaling_config: Option<FunctionScalingConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_function_scaling_config: Option<FunctionScalingConfig>,
}

impl Answer for GetFunctionScalingConfigResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetFunctionUrlConfigRequest {
    pub function_name: String,
    pub qualifier: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetFunctionUrlConfigResponse {
    pub function_url: String,
    pub function_arn: String,
    pub auth_type: FunctionUrlAuthType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    pub creation_time: String,
    pub last_modified_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoke_mode: Option<InvokeMode>,
}

impl Answer for GetFunctionUrlConfigResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetLayerVersionByArnRequest {
    pub arn: String,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetLayerVersionPolicyRequest {
    pub layer_name: String,
    pub version_number: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetLayerVersionPolicyResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_id: Option<String>,
}

impl Answer for GetLayerVersionPolicyResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetLayerVersionRequest {
    pub layer_name: String,
    pub version_number: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetLayerVersionResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<LayerVersionContentOutput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_version_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compatible_architectures: Option<Vec<Architecture>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compatible_runtimes: Option<Vec<Runtime>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license_info: Option<String>,
}

impl Answer for GetLayerVersionResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetPolicyRequest {
    pub function_name: String,
    pub qualifier: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetPolicyResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_id: Option<String>,
}

impl Answer for GetPolicyResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetProvisionedConcurrencyConfigRequest {
    pub function_name: String,
    pub qualifier: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetProvisionedConcurrencyConfigResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_provisioned_concurrent_executions: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_provisioned_concurrent_executions: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocated_provisioned_concurrent_executions: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ProvisionedConcurrencyStatusEnum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

impl Answer for GetProvisionedConcurrencyConfigResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetResourcePolicyRequest {
    pub resource_arn: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetResourcePolicyResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_id: Option<String>,
}

impl Answer for GetResourcePolicyResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct GetRuntimeManagementConfigRequest {
    pub function_name: String,
    pub qualifier: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetRuntimeManagementConfigResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_runtime_on: Option<UpdateRuntimeOn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_version_arn: Option<String>,
}

impl Answer for GetRuntimeManagementConfigResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_point: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageConfigError {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageConfigResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_config: Option<ImageConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ImageConfigError>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InstanceRequirements {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architectures: Option<Vec<Architecture>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_instance_types: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excluded_instance_types: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InvocationCompletedDetails {
    pub start_timestamp: EpochSeconds,
    pub end_timestamp: EpochSeconds,
    pub request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<EventError>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct InvocationRequest {
    pub function_name: String,
    pub invocation_type: Option<InvocationType>,
    pub log_type: Option<LogType>,
    pub client_context: Option<String>,
    pub durable_execution_name: Option<String>,
    pub qualifier: Option<String>,
    pub tenant_id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InvocationResponse {
    #[serde(skip)]
    pub status_code: Option<u16>,
    #[serde(skip)]
    pub function_error: Option<String>,
    #[serde(skip)]
    pub log_result: Option<String>,
    #[serde(skip)]
    pub payload: Option<bytes::Bytes>,
    #[serde(skip)]
    pub executed_version: Option<String>,
    #[serde(skip)]
    pub durable_execution_arn: Option<String>,
}

impl Answer for InvocationResponse {
    const JSON: bool = false;

    fn status(&self) -> Option<http::StatusCode> {
        self.status_code.and_then(|status| http::StatusCode::from_u16(status).ok())
    }

    fn headers(&self) -> Vec<(&'static str, &str)> {
        [("x-amz-function-error", &self.function_error), ("x-amz-log-result", &self.log_result), ("x-amz-executed-version", &self.executed_version), ("x-amz-durable-execution-arn", &self.durable_execution_arn)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
            .collect()
    }

    fn payload(&self) -> Option<&bytes::Bytes> {
        self.payload.as_ref()
    }
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct InvokeAsyncRequest {
    pub function_name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InvokeAsyncResponse {
    #[serde(skip)]
    pub status: Option<u16>,
}

impl Answer for InvokeAsyncResponse {
    fn status(&self) -> Option<http::StatusCode> {
        self.status.and_then(|status| http::StatusCode::from_u16(status).ok())
    }
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct InvokeWithResponseStreamRequest {
    pub function_name: String,
    pub log_type: Option<LogType>,
    pub client_context: Option<String>,
    pub qualifier: Option<String>,
    pub tenant_id: Option<String>,
    pub invocation_type: Option<ResponseStreamingInvocationType>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InvokeWithResponseStreamResponse {
    #[serde(skip)]
    pub status_code: Option<u16>,
    #[serde(skip)]
    pub executed_version: Option<String>,
    #[serde(skip)]
    pub response_stream_content_type: Option<String>,
}

impl Answer for InvokeWithResponseStreamResponse {
    const JSON: bool = false;

    fn status(&self) -> Option<http::StatusCode> {
        self.status_code.and_then(|status| http::StatusCode::from_u16(status).ok())
    }

    fn headers(&self) -> Vec<(&'static str, &str)> {
        [("x-amz-executed-version", &self.executed_version), ("content-type", &self.response_stream_content_type)].into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect()
    }
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct KafkaSchemaRegistryAccessConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<KafkaSchemaRegistryAuthType>,
    #[serde(rename = "URI", skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct KafkaSchemaRegistryConfig {
    #[serde(rename = "SchemaRegistryURI", skip_serializing_if = "Option::is_none")]
    pub schema_registry_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_record_format: Option<SchemaRegistryEventRecordFormat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_configs: Option<Vec<KafkaSchemaRegistryAccessConfig>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_validation_configs: Option<Vec<KafkaSchemaValidationConfig>>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct KafkaSchemaValidationConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribute: Option<KafkaSchemaValidationAttribute>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LambdaManagedInstancesCapacityProviderConfig {
    pub capacity_provider_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_execution_environment_max_concurrency: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_environment_memory_gi_b_per_v_cpu: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Layer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_profile_version_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_job_arn: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct LayerVersionContentInput {
    pub s3_bucket: Option<String>,
    pub s3_key: Option<String>,
    pub s3_object_version: Option<String>,
    pub s3_object_storage_mode: Option<S3ObjectStorageMode>,
    pub zip_file: Option<Blob>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LayerVersionContentOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_profile_version_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_job_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_s3_object: Option<ResolvedS3Object>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LayerVersionsListItem {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_version_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compatible_architectures: Option<Vec<Architecture>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compatible_runtimes: Option<Vec<Runtime>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license_info: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LayersListItem {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest_matching_version: Option<LayerVersionsListItem>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct ListAliasesRequest {
    pub function_name: String,
    pub function_version: Option<String>,
    pub marker: Option<String>,
    pub max_items: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListAliasesResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aliases: Option<Vec<AliasConfiguration>>,
}

impl Answer for ListAliasesResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct ListCapacityProvidersRequest {
    pub state: Option<CapacityProviderState>,
    pub marker: Option<String>,
    pub max_items: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListCapacityProvidersResponse {
    pub capacity_providers: Vec<CapacityProvider>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
}

impl Answer for ListCapacityProvidersResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct ListCodeSigningConfigsRequest {
    pub marker: Option<String>,
    pub max_items: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListCodeSigningConfigsResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_signing_configs: Option<Vec<CodeSigningConfig>>,
}

impl Answer for ListCodeSigningConfigsResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct ListDurableExecutionsByFunctionRequest {
    pub function_name: String,
    pub qualifier: Option<String>,
    pub durable_execution_name: Option<String>,
    pub statuses: Option<Vec<ExecutionStatus>>,
    pub started_after: Option<EpochSeconds>,
    pub started_before: Option<EpochSeconds>,
    pub reverse_order: Option<bool>,
    pub marker: Option<String>,
    pub max_items: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListDurableExecutionsByFunctionResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durable_executions: Option<Vec<Execution>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
}

impl Answer for ListDurableExecutionsByFunctionResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct ListEventSourceMappingsRequest {
    pub event_source_arn: Option<String>,
    pub function_name: Option<String>,
    pub marker: Option<String>,
    pub max_items: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListEventSourceMappingsResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_source_mappings: Option<Vec<EventSourceMappingConfiguration>>,
}

impl Answer for ListEventSourceMappingsResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct ListFunctionEventInvokeConfigsRequest {
    pub function_name: String,
    pub marker: Option<String>,
    pub max_items: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListFunctionEventInvokeConfigsResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_event_invoke_configs: Option<Vec<FunctionEventInvokeConfig>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
}

impl Answer for ListFunctionEventInvokeConfigsResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct ListFunctionUrlConfigsRequest {
    pub function_name: String,
    pub marker: Option<String>,
    pub max_items: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListFunctionUrlConfigsResponse {
    pub function_url_configs: Vec<FunctionUrlConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
}

impl Answer for ListFunctionUrlConfigsResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct ListFunctionVersionsByCapacityProviderRequest {
    pub capacity_provider_name: String,
    pub marker: Option<String>,
    pub max_items: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListFunctionVersionsByCapacityProviderResponse {
    pub capacity_provider_arn: String,
    pub function_versions: Vec<FunctionVersionsByCapacityProviderListItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
}

impl Answer for ListFunctionVersionsByCapacityProviderResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct ListFunctionsByCodeSigningConfigRequest {
    pub code_signing_config_arn: String,
    pub marker: Option<String>,
    pub max_items: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListFunctionsByCodeSigningConfigResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_arns: Option<Vec<String>>,
}

impl Answer for ListFunctionsByCodeSigningConfigResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct ListFunctionsRequest {
    pub master_region: Option<String>,
    pub function_version: Option<FunctionVersion>,
    pub marker: Option<String>,
    pub max_items: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListFunctionsResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub functions: Option<Vec<FunctionConfiguration>>,
}

impl Answer for ListFunctionsResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct ListLayerVersionsRequest {
    pub compatible_architecture: Option<Architecture>,
    pub compatible_runtime: Option<Runtime>,
    pub layer_name: String,
    pub marker: Option<String>,
    pub max_items: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListLayerVersionsResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_versions: Option<Vec<LayerVersionsListItem>>,
}

impl Answer for ListLayerVersionsResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct ListLayersRequest {
    pub compatible_architecture: Option<Architecture>,
    pub compatible_runtime: Option<Runtime>,
    pub marker: Option<String>,
    pub max_items: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListLayersResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<Vec<LayersListItem>>,
}

impl Answer for ListLayersResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct ListProvisionedConcurrencyConfigsRequest {
    pub function_name: String,
    pub marker: Option<String>,
    pub max_items: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListProvisionedConcurrencyConfigsResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provisioned_concurrency_configs: Option<Vec<ProvisionedConcurrencyConfigListItem>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
}

impl Answer for ListProvisionedConcurrencyConfigsResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct ListTagsRequest {
    pub resource: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListTagsResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Map<String, String>>,
}

impl Answer for ListTagsResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct ListVersionsByFunctionRequest {
    pub function_name: String,
    pub marker: Option<String>,
    pub max_items: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListVersionsByFunctionResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versions: Option<Vec<FunctionConfiguration>>,
}

impl Answer for ListVersionsByFunctionResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LoggingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<LogFormat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_log_level: Option<ApplicationLogLevel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_log_level: Option<SystemLogLevel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_group: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct OnFailure {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct OnSuccess {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Operation {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub r#type: OperationType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_type: Option<String>,
    pub start_timestamp: EpochSeconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_timestamp: Option<EpochSeconds>,
    pub status: OperationStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_details: Option<ExecutionDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_details: Option<ContextDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_details: Option<StepDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_details: Option<WaitDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_details: Option<CallbackDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chained_invoke_details: Option<ChainedInvokeDetails>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct OperationUpdate {
    pub id: String,
    pub parent_id: Option<String>,
    pub name: Option<String>,
    pub r#type: OperationType,
    pub sub_type: Option<String>,
    pub action: OperationAction,
    pub payload: Option<String>,
    pub error: Option<ErrorObject>,
    pub context_options: Option<ContextOptions>,
    pub step_options: Option<StepOptions>,
    pub wait_options: Option<WaitOptions>,
    pub callback_options: Option<CallbackOptions>,
    pub chained_invoke_options: Option<ChainedInvokeOptions>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PauseDetails {
    pub pause_request_timestamp: EpochSeconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub execution_timeout_paused: bool,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct PauseDurableExecutionRequest {
    pub durable_execution_arn: String,
    pub client_token: Option<String>,
    pub reason: Option<String>,
    pub execution_timeout_paused: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PauseDurableExecutionResponse {}

impl Answer for PauseDurableExecutionResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PropagateTags {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<PropagateTagsMode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explicit_tags: Option<Map<String, String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProvisionedConcurrencyConfigListItem {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_provisioned_concurrent_executions: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_provisioned_concurrent_executions: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocated_provisioned_concurrent_executions: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ProvisionedConcurrencyStatusEnum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProvisionedPollerConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_pollers: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_pollers: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poller_group_name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct PublishLayerVersionRequest {
    pub layer_name: String,
    pub description: Option<String>,
    pub content: LayerVersionContentInput,
    pub compatible_architectures: Option<Vec<Architecture>>,
    pub compatible_runtimes: Option<Vec<Runtime>>,
    pub license_info: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PublishLayerVersionResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<LayerVersionContentOutput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_version_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compatible_architectures: Option<Vec<Architecture>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compatible_runtimes: Option<Vec<Runtime>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license_info: Option<String>,
}

impl Answer for PublishLayerVersionResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct PublishVersionRequest {
    pub function_name: String,
    pub code_sha256: Option<String>,
    pub description: Option<String>,
    pub revision_id: Option<String>,
    pub publish_to: Option<FunctionVersionLatestPublished>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct PutFunctionCodeSigningConfigRequest {
    pub code_signing_config_arn: String,
    pub function_name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PutFunctionCodeSigningConfigResponse {
    pub code_signing_config_arn: String,
    pub function_name: String,
}

impl Answer for PutFunctionCodeSigningConfigResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct PutFunctionConcurrencyRequest {
    pub function_name: String,
    pub reserved_concurrent_executions: i32,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct PutFunctionEventInvokeConfigRequest {
    pub function_name: String,
    pub qualifier: Option<String>,
    pub maximum_retry_attempts: Option<i32>,
    pub maximum_event_age_in_seconds: Option<i32>,
    pub destination_config: Option<DestinationConfig>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct PutFunctionRecursionConfigRequest {
    pub function_name: String,
    pub recursive_loop: RecursiveLoop,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PutFunctionRecursionConfigResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recursive_loop: Option<RecursiveLoop>,
}

impl Answer for PutFunctionRecursionConfigResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct PutFunctionScalingConfigRequest {
    pub function_name: String,
    pub qualifier: String,
    pub function_scaling_config: Option<FunctionScalingConfig>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PutFunctionScalingConfigResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_state: Option<State>,
}

impl Answer for PutFunctionScalingConfigResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct PutProvisionedConcurrencyConfigRequest {
    pub function_name: String,
    pub qualifier: String,
    pub provisioned_concurrent_executions: i32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PutProvisionedConcurrencyConfigResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_provisioned_concurrent_executions: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocated_provisioned_concurrent_executions: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_provisioned_concurrent_executions: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ProvisionedConcurrencyStatusEnum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

impl Answer for PutProvisionedConcurrencyConfigResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct PutResourcePolicyRequest {
    pub resource_arn: String,
    pub policy: String,
    pub revision_id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PutResourcePolicyResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_id: Option<String>,
}

impl Answer for PutResourcePolicyResponse {}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct PutRuntimeManagementConfigRequest {
    pub function_name: String,
    pub qualifier: Option<String>,
    pub update_runtime_on: UpdateRuntimeOn,
    pub runtime_version_arn: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PutRuntimeManagementConfigResponse {
    pub update_runtime_on: UpdateRuntimeOn,
    pub function_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_version_arn: Option<String>,
}

impl Answer for PutRuntimeManagementConfigResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct RemoveLayerVersionPermissionRequest {
    pub layer_name: String,
    pub version_number: i64,
    pub statement_id: String,
    pub revision_id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct RemovePermissionRequest {
    pub function_name: String,
    pub statement_id: String,
    pub qualifier: Option<String>,
    pub revision_id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResolvedS3Object {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_bucket: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_object_version: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct ResumeDurableExecutionRequest {
    pub durable_execution_arn: String,
    pub client_token: Option<String>,
    pub reason: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ResumeDurableExecutionResponse {}

impl Answer for ResumeDurableExecutionResponse {}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RetryDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_attempt: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_delay_seconds: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RuntimeVersionConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_version_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<RuntimeVersionError>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RuntimeVersionError {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct S3FilesConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direct_s3_read: Option<DirectS3Read>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ScalingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_concurrency: Option<i32>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SelfManagedEventSource {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Map<EndPointType, Vec<String>>>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SelfManagedKafkaEventSourceConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer_group_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_registry_config: Option<KafkaSchemaRegistryConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumption_mode: Option<KafkaEventSourceMappingConsumptionMode>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct SendDurableExecutionCallbackFailureRequest {
    pub callback_id: String,
    pub error: Option<ErrorObject>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SendDurableExecutionCallbackFailureResponse {}

impl Answer for SendDurableExecutionCallbackFailureResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct SendDurableExecutionCallbackHeartbeatRequest {
    pub callback_id: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SendDurableExecutionCallbackHeartbeatResponse {}

impl Answer for SendDurableExecutionCallbackHeartbeatResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct SendDurableExecutionCallbackSuccessRequest {
    pub callback_id: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SendDurableExecutionCallbackSuccessResponse {}

impl Answer for SendDurableExecutionCallbackSuccessResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct SnapStart {
    pub apply_on: Option<SnapStartApplyOn>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SnapStartResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apply_on: Option<SnapStartApplyOn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimization_status: Option<SnapStartOptimizationStatus>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SourceAccessConfiguration {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<SourceAccessType>,
    #[serde(rename = "URI", skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StepDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_timestamp: Option<EpochSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StepFailedDetails {
    pub error: EventError,
    pub retry_details: RetryDetails,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct StepOptions {
    pub next_attempt_delay_seconds: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StepStartedDetails {}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StepSucceededDetails {
    pub result: EventResult,
    pub retry_details: RetryDetails,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct StopDurableExecutionRequest {
    pub durable_execution_arn: String,
    pub error: Option<ErrorObject>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StopDurableExecutionResponse {
    pub stop_timestamp: EpochSeconds,
}

impl Answer for StopDurableExecutionResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct TagResourceRequest {
    pub resource: String,
    pub tags: Map<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagsError {
    pub error_code: String,
    pub message: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TargetTrackingScalingPolicy {
    pub predefined_metric_type: CapacityProviderPredefinedMetricType,
    pub target_value: f64,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TenancyConfig {
    pub tenant_isolation_mode: TenantIsolationMode,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TraceHeader {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x_amzn_trace_id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct TracingConfig {
    pub mode: Option<TracingMode>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TracingConfigResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<TracingMode>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct UntagResourceRequest {
    pub resource: String,
    pub tag_keys: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateAliasRequest {
    pub function_name: String,
    pub name: String,
    pub function_version: Option<String>,
    pub description: Option<String>,
    pub routing_config: Option<AliasRoutingConfiguration>,
    pub revision_id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateCapacityProviderRequest {
    pub capacity_provider_name: String,
    pub capacity_provider_scaling_config: Option<CapacityProviderScalingConfig>,
    pub propagate_tags: Option<PropagateTags>,
    pub telemetry_config: Option<CapacityProviderTelemetryConfig>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateCapacityProviderResponse {
    pub capacity_provider: CapacityProvider,
}

impl Answer for UpdateCapacityProviderResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateCodeSigningConfigRequest {
    pub code_signing_config_arn: String,
    pub description: Option<String>,
    pub allowed_publishers: Option<AllowedPublishers>,
    pub code_signing_policies: Option<CodeSigningPolicies>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateCodeSigningConfigResponse {
    pub code_signing_config: CodeSigningConfig,
}

impl Answer for UpdateCodeSigningConfigResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateEventSourceMappingRequest {
    #[serde(rename = "UUID")]
    pub uuid: String,
    pub function_name: Option<String>,
    pub enabled: Option<bool>,
    pub batch_size: Option<i32>,
    pub filter_criteria: Option<FilterCriteria>,
    #[serde(rename = "KMSKeyArn")]
    pub kms_key_arn: Option<String>,
    pub metrics_config: Option<EventSourceMappingMetricsConfig>,
    pub logging_config: Option<EventSourceMappingLoggingConfig>,
    pub scaling_config: Option<ScalingConfig>,
    pub maximum_batching_window_in_seconds: Option<i32>,
    pub parallelization_factor: Option<i32>,
    pub destination_config: Option<DestinationConfig>,
    pub maximum_record_age_in_seconds: Option<i32>,
    pub bisect_batch_on_function_error: Option<bool>,
    pub maximum_retry_attempts: Option<i32>,
    pub tumbling_window_in_seconds: Option<i32>,
    pub source_access_configurations: Option<Vec<SourceAccessConfiguration>>,
    pub function_response_types: Option<Vec<FunctionResponseType>>,
    pub amazon_managed_kafka_event_source_config: Option<AmazonManagedKafkaEventSourceConfig>,
    pub self_managed_kafka_event_source_config: Option<SelfManagedKafkaEventSourceConfig>,
    #[serde(rename = "DocumentDBEventSourceConfig")]
    pub document_db_event_source_config: Option<DocumentDBEventSourceConfig>,
    pub provisioned_poller_config: Option<ProvisionedPollerConfig>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateFunctionCodeRequest {
    pub function_name: String,
    pub zip_file: Option<Blob>,
    pub s3_bucket: Option<String>,
    pub s3_key: Option<String>,
    pub s3_object_version: Option<String>,
    pub s3_object_storage_mode: Option<S3ObjectStorageMode>,
    pub image_uri: Option<String>,
    pub architectures: Option<Vec<Architecture>>,
    pub publish: Option<bool>,
    pub publish_to: Option<FunctionVersionLatestPublished>,
    pub dry_run: Option<bool>,
    pub revision_id: Option<String>,
    #[serde(rename = "SourceKMSKeyArn")]
    pub source_kms_key_arn: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateFunctionConfigurationRequest {
    pub function_name: String,
    pub role: Option<String>,
    pub handler: Option<String>,
    pub description: Option<String>,
    pub timeout: Option<i32>,
    pub memory_size: Option<i32>,
    pub vpc_config: Option<VpcConfig>,
    pub environment: Option<Environment>,
    pub runtime: Option<String>,
    pub dead_letter_config: Option<DeadLetterConfig>,
    #[serde(rename = "KMSKeyArn")]
    pub kms_key_arn: Option<String>,
    pub tracing_config: Option<TracingConfig>,
    pub revision_id: Option<String>,
    pub layers: Option<Vec<String>>,
    pub file_system_configs: Option<Vec<FileSystemConfig>>,
    pub image_config: Option<ImageConfig>,
    pub ephemeral_storage: Option<EphemeralStorage>,
    pub snap_start: Option<SnapStart>,
    pub logging_config: Option<LoggingConfig>,
    pub capacity_provider_config: Option<CapacityProviderConfig>,
    pub durable_config: Option<DurableConfig>,
    pub runtime_config: Option<FunctionRuntimeConfig>,
    pub accelerator_config: Option<AcceleratorConfig>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateFunctionEventInvokeConfigRequest {
    pub function_name: String,
    pub qualifier: Option<String>,
    pub maximum_retry_attempts: Option<i32>,
    pub maximum_event_age_in_seconds: Option<i32>,
    pub destination_config: Option<DestinationConfig>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateFunctionUrlConfigRequest {
    pub function_name: String,
    pub qualifier: Option<String>,
    pub auth_type: Option<FunctionUrlAuthType>,
    pub cors: Option<Cors>,
    pub invoke_mode: Option<InvokeMode>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateFunctionUrlConfigResponse {
    pub function_url: String,
    pub function_arn: String,
    pub auth_type: FunctionUrlAuthType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    pub creation_time: String,
    pub last_modified_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoke_mode: Option<InvokeMode>,
}

impl Answer for UpdateFunctionUrlConfigResponse {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct VpcConfig {
    pub subnet_ids: Option<Vec<String>>,
    pub security_group_ids: Option<Vec<String>>,
    pub ipv6_allowed_for_dual_stack: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct VpcConfigResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet_ids: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_group_ids: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6_allowed_for_dual_stack: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct WaitCancelledDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<EventError>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct WaitDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_end_timestamp: Option<EpochSeconds>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct WaitOptions {
    pub wait_seconds: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct WaitStartedDetails {
    pub duration: i32,
    pub scheduled_end_timestamp: EpochSeconds,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct WaitSucceededDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<i32>,
}
