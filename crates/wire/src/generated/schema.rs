// Written by `cargo xtask codegen`. Do not edit.
//! What each request may hold: one line a member, where it travels and what shape it has.
#![expect(missing_docs, reason = "the names are the model's")]

use crate::model::{Kind, Location, Pattern, Shape, optional, pattern, required, shape, split_pattern};
use Location::{Body, Header, Path, Payload, Query};

static PATTERN_ACTION: Pattern = pattern(r"(lambda:[*]|lambda:[a-zA-Z]+|[*])");
static PATTERN_ADDITIONAL_VERSION: Pattern = pattern(r"[0-9]+");
static PATTERN_ALIAS: Pattern = split_pattern(r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)", r"[0-9]*[a-zA-Z_-][a-zA-Z0-9-_]*", None);
static PATTERN_ARN: Pattern = split_pattern(
    r"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)",
    r"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]{1})?:([0-9]{12})?:(.*)",
    None,
);
static PATTERN_CALLBACK_ID: Pattern = pattern(r"[A-Za-z0-9+/]+={0,2}");
static PATTERN_CAPACITY_PROVIDER_ARN: Pattern = split_pattern(
    r"arn:aws[a-zA-Z-]*:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:capacity-provider:[a-zA-Z0-9-_]+",
    r"arn:aws[a-zA-Z-]*:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]{1}:[0-9]{12}:capacity-provider:[a-zA-Z0-9-_]+",
    None,
);
static PATTERN_CAPACITY_PROVIDER_NAME: Pattern = split_pattern(
    r"(arn:aws[a-zA-Z-]*:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:capacity-provider:[a-zA-Z0-9-_]+)|[a-zA-Z0-9-_]+",
    r"(arn:aws[a-zA-Z-]*:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]{1}:[0-9]{12}:capacity-provider:[a-zA-Z0-9-_]+)|[a-zA-Z0-9-_]+",
    None,
);
static PATTERN_CLIENT_TOKEN: Pattern = pattern(r"[\x21-\x7E]+");
static PATTERN_CODE_SIGNING_CONFIG_ARN: Pattern = split_pattern(
    r"arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:code-signing-config:csc-[a-z0-9]{17}",
    r"arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]{1}:[0-9]{12}:code-signing-config:csc-[a-z0-9]{17}",
    None,
);
static PATTERN_COLLECTION_NAME: Pattern = split_pattern(r"(^(?!(system\x2e)))(^[_a-zA-Z0-9])([^$]*)", r"[_a-zA-Z0-9][^$]*", Some(r"system\.[\s\S]*"));
static PATTERN_DATABASE_NAME: Pattern = pattern(r"[^ /\.$\x22]*");
static PATTERN_DESTINATION_ARN: Pattern = split_pattern(
    r"$|kafka://([^.]([a-zA-Z0-9\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)",
    r"$|kafka://([^.]([a-zA-Z0-9\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]{1})?:([0-9]{12})?:(.*)",
    None,
);
static PATTERN_DURABLE_EXECUTION_ARN: Pattern = split_pattern(
    r"arn:([a-zA-Z0-9-]+):lambda:([a-zA-Z0-9-]+):(\d{12}):function:([a-zA-Z0-9_-]+):(\$LATEST(?:\.PUBLISHED)?|[0-9]+)/durable-execution/([a-zA-Z0-9_-]+)/([a-zA-Z0-9_-]+)",
    r"arn:([a-zA-Z0-9-]+):lambda:([a-zA-Z0-9-]+):([0-9]{12}):function:([a-zA-Z0-9_-]+):(\$LATEST(?:\.PUBLISHED)?|[0-9]+)/durable-execution/([a-zA-Z0-9_-]+)/([a-zA-Z0-9_-]+)",
    None,
);
static PATTERN_DURABLE_EXECUTION_NAME: Pattern = pattern(r"[a-zA-Z0-9-_]+");
static PATTERN_ENDPOINT: Pattern = pattern(r"(([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9\-]*[a-zA-Z0-9])\.)*([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9\-]*[A-Za-z0-9]):[0-9]{1,5}");
static PATTERN_ENVIRONMENT_VARIABLE_NAME: Pattern = pattern(r"[a-zA-Z]([a-zA-Z0-9_])+");
static PATTERN_EVENT_SOURCE_TOKEN: Pattern = pattern(r"[a-zA-Z0-9._\-]+");
static PATTERN_FILE_SYSTEM_ARN: Pattern = split_pattern(
    r"arn:aws[a-zA-Z-]*:elasticfilesystem:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:access-point/fsap-[a-f0-9]{17}$|^arn:aws[-a-z]*:s3files:[0-9a-z-:]+:file-system/fs-[0-9a-f]{17,40}/access-point/fsap-[0-9a-f]{17,40}",
    r"arn:aws[a-zA-Z-]*:elasticfilesystem:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]{1}:[0-9]{12}:access-point/fsap-[a-f0-9]{17}$|^arn:aws[-a-z]*:s3files:[0-9a-z-:]+:file-system/fs-[0-9a-f]{17,40}/access-point/fsap-[0-9a-f]{17,40}",
    None,
);
static PATTERN_FUNCTION_NAME: Pattern = split_pattern(
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?",
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]{1}:)?([0-9]{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?",
    None,
);
static PATTERN_FUNCTION_RUNTIME_ARN: Pattern = split_pattern(r"arn:[a-z-]+:lambda:[a-z0-9-]+:\d{12}:runtime/.+", r"arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:runtime/.+", None);
static PATTERN_FUNCTION_URL_FUNCTION_NAME: Pattern = split_pattern(
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]{1,64})(:((?!\d+$)[0-9a-zA-Z-_]+))?",
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]:)?([0-9]{12}:)?(function:)?([a-zA-Z0-9-_]{1,64})(:([0-9]*[a-zA-Z_-][0-9a-zA-Z-_]*))?",
    None,
);
static PATTERN_FUNCTION_URL_QUALIFIER: Pattern = split_pattern(r"((?!^\d+$)^[0-9a-zA-Z-_]+$)", r"[0-9]*[a-zA-Z_-][0-9a-zA-Z-_]*", None);
static PATTERN_HANDLER: Pattern = split_pattern(r"[^\s]+", r"[^\t\n\x0B\f\r ]+", None);
static PATTERN_HEADER: Pattern = pattern(r".*");
static PATTERN_INSTANCE_TYPE: Pattern = pattern(r"[a-zA-Z0-9\.\*\-]+");
static PATTERN_KMS_KEY_ARN: Pattern = pattern(r"(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()");
static PATTERN_KMS_KEY_ARN_NON_EMPTY: Pattern = pattern(r"arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*");
static PATTERN_LAYER_NAME_OR_ARN: Pattern = split_pattern(
    r"(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]{1,140}|[a-zA-Z0-9-_]{1,140})",
    r"(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]{1}:[0-9]{12}:layer:[a-zA-Z0-9-_]{1,140}|[a-zA-Z0-9-_]{1,140})",
    None,
);
static PATTERN_LAYER_PERMISSION_ALLOWED_ACTION: Pattern = pattern(r"lambda:GetLayerVersion");
static PATTERN_LAYER_PERMISSION_ALLOWED_PRINCIPAL: Pattern = split_pattern(r"\d{12}|\*|arn:(aws[a-zA-Z-]*):iam::\d{12}:root", r"[0-9]{12}|\*|arn:(aws[a-zA-Z-]*):iam::[0-9]{12}:root", None);
static PATTERN_LAYER_VERSION_ARN: Pattern = split_pattern(
    r"((arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+))",
    r"((arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]{1}:[0-9]{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+))",
    None,
);
static PATTERN_LOCAL_MOUNT_PATH: Pattern = pattern(r"/mnt/[a-zA-Z0-9-_.]+");
static PATTERN_LOG_GROUP: Pattern = pattern(r"[\.\-_/#A-Za-z0-9]+");
static PATTERN_MASTER_REGION: Pattern = split_pattern(r"ALL|(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}", r"ALL|(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]{1}", None);
static PATTERN_NAMESPACED_FUNCTION_NAME: Pattern = split_pattern(
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?",
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]{1}:)?([0-9]{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?",
    None,
);
static PATTERN_NAMESPACED_STATEMENT_ID: Pattern = pattern(r"([a-zA-Z0-9-_.]+)");
static PATTERN_NUMERIC_LATEST_PUBLISHED_OR_ALIAS_QUALIFIER: Pattern = pattern(r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+");
static PATTERN_OPERATION_NAME: Pattern = pattern(r"[\x20-\x7E]+");
static PATTERN_ORGANIZATION_ID: Pattern = pattern(r"o-[a-z0-9]{10,32}");
static PATTERN_PATTERN: Pattern = pattern(r"[\s\S]*");
static PATTERN_POLICY_RESOURCE_ARN: Pattern = split_pattern(
    r"arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:(function:[a-zA-Z0-9-_]+(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_])+)?|runtime/[a-zA-Z0-9-_./]+)",
    r"arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]{1}:[0-9]{12}:(function:[a-zA-Z0-9-_]+(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_])+)?|runtime/[a-zA-Z0-9-_./]+)",
    None,
);
static PATTERN_PROVISIONED_POLLER_GROUP_NAME: Pattern = pattern(r"[a-zA-Z0-9-_]*");
static PATTERN_PUBLISHED_FUNCTION_QUALIFIER: Pattern = pattern(r"(\$LATEST\.PUBLISHED|[0-9]+)");
static PATTERN_QUALIFIER: Pattern = pattern(r"(|[a-zA-Z0-9$_-]+)");
static PATTERN_RESOURCE_POLICY: Pattern = pattern(r"[\s\S]+");
static PATTERN_REVISION_ID: Pattern = pattern(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");
static PATTERN_ROLE_ARN: Pattern = split_pattern(r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+", r"arn:(aws[a-zA-Z-]*)?:iam::[0-9]{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+", None);
static PATTERN_RUNTIME_VERSION_ARN: Pattern = split_pattern(
    r"((arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}::runtime:.+)|(arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:runtime/[A-Za-z0-9_.-]{1,128}/version/[A-Za-z0-9_.-]{1,128}))",
    r"((arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]{1}::runtime:.+)|(arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]{1}:[0-9]{12}:runtime/[A-Za-z0-9_.-]{1,128}/version/[A-Za-z0-9_.-]{1,128}))",
    None,
);
static PATTERN_S3_BUCKET: Pattern = split_pattern(r"[0-9A-Za-z\.\-_]*(?<!\.)", r"([0-9A-Za-z\.\-_]*[0-9A-Za-z\-_])?", None);
static PATTERN_SCHEMA_REGISTRY_URI: Pattern = pattern(r"[a-zA-Z0-9-\/*:_+=.@-]*");
static PATTERN_SECURITY_GROUP_ID: Pattern = pattern(r"sg-[0-9a-zA-Z]*");
static PATTERN_SOURCE_OWNER: Pattern = split_pattern(r"\d{12}", r"[0-9]{12}", None);
static PATTERN_STATEMENT_ID: Pattern = pattern(r"([a-zA-Z0-9-_]+)");
static PATTERN_SUBNET_ID: Pattern = pattern(r"subnet-[0-9a-z]*");
static PATTERN_TAGGABLE_RESOURCE: Pattern = split_pattern(
    r"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)",
    r"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]{1}:[0-9]{12}:(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)",
    None,
);
static PATTERN_TAG_KEY: Pattern = pattern(r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)");
static PATTERN_TENANT_ID: Pattern = pattern(r"[a-zA-Z0-9\._:\/=+\-@ ]+");
static PATTERN_TOPIC: Pattern = pattern(r"[^.]([a-zA-Z0-9\-_.]+)");
static PATTERN_UNQUALIFIED_FUNCTION_NAME: Pattern = split_pattern(
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)",
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]{1}:)?([0-9]{12}:)?(function:)?([a-zA-Z0-9-_]+)",
    None,
);
static PATTERN_URI: Pattern = pattern(r"[ a-zA-Z0-9-\/*:_+=.@-]*");
static PATTERN_VERSION_WITH_LATEST_PUBLISHED: Pattern = pattern(r"(\$LATEST(\.PUBLISHED)?|[0-9]+)");

pub static ACCELERATOR_CONFIG: Shape = shape("AcceleratorConfig", Kind::Structure(&[required("AcceleratorMemorySize", Body, &ACCELERATOR_MEMORY_GB)]));

pub static ACCELERATOR_MEMORY_GB: Shape = shape("AcceleratorMemoryGB", Kind::Integer);
pub static ACTION: Shape = shape("Action", Kind::String).min(0).max(10_000).pattern(&PATTERN_ACTION);
pub static ADD_LAYER_VERSION_PERMISSION_REQUEST: Shape = shape(
    "AddLayerVersionPermissionRequest",
    Kind::Structure(&[
        required("LayerName", Path("LayerName"), &LAYER_NAME_OR_ARN),
        required("VersionNumber", Path("VersionNumber"), &LAYER_VERSION_NUMBER),
        required("StatementId", Body, &STATEMENT_ID),
        required("Action", Body, &LAYER_PERMISSION_ALLOWED_ACTION),
        required("Principal", Body, &LAYER_PERMISSION_ALLOWED_PRINCIPAL),
        optional("OrganizationId", Body, &ORGANIZATION_ID),
        optional("RevisionId", Query("RevisionId"), &STRING),
    ]),
);

pub static ADD_PERMISSION_REQUEST: Shape = shape(
    "AddPermissionRequest",
    Kind::Structure(&[
        required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME),
        required("StatementId", Body, &STATEMENT_ID),
        required("Action", Body, &ACTION),
        required("Principal", Body, &PRINCIPAL),
        optional("SourceArn", Body, &ARN),
        optional("FunctionUrlAuthType", Body, &FUNCTION_URL_AUTH_TYPE),
        optional("InvokedViaFunctionUrl", Body, &INVOKED_VIA_FUNCTION_URL),
        optional("SourceAccount", Body, &SOURCE_OWNER),
        optional("EventSourceToken", Body, &EVENT_SOURCE_TOKEN),
        optional("Qualifier", Query("Qualifier"), &NUMERIC_LATEST_PUBLISHED_OR_ALIAS_QUALIFIER),
        optional("RevisionId", Body, &STRING),
        optional("PrincipalOrgID", Body, &PRINCIPAL_ORG_ID),
    ]),
);

pub static ADDITIONAL_VERSION: Shape = shape("AdditionalVersion", Kind::String).min(1).max(1024).pattern(&PATTERN_ADDITIONAL_VERSION);
pub static ADDITIONAL_VERSION_WEIGHTS: Shape = shape("AdditionalVersionWeights", Kind::Map(&ADDITIONAL_VERSION, &WEIGHT));
pub static ALIAS: Shape = shape("Alias", Kind::String).min(1).max(128).pattern(&PATTERN_ALIAS);
pub static ALIAS_ROUTING_CONFIGURATION: Shape = shape("AliasRoutingConfiguration", Kind::Structure(&[optional("AdditionalVersionWeights", Body, &ADDITIONAL_VERSION_WEIGHTS)]));

pub static ALLOW_CREDENTIALS: Shape = shape("AllowCredentials", Kind::Boolean);
pub static ALLOW_METHODS_LIST: Shape = shape("AllowMethodsList", Kind::List(&METHOD)).min(0).max(6);
pub static ALLOW_ORIGINS_LIST: Shape = shape("AllowOriginsList", Kind::List(&ORIGIN)).min(0).max(100);
pub static ALLOWED_PUBLISHERS: Shape = shape("AllowedPublishers", Kind::Structure(&[required("SigningProfileVersionArns", Body, &SIGNING_PROFILE_VERSION_ARNS)]));

pub static AMAZON_MANAGED_KAFKA_EVENT_SOURCE_CONFIG: Shape =
    shape("AmazonManagedKafkaEventSourceConfig", Kind::Structure(&[optional("ConsumerGroupId", Body, &URI), optional("SchemaRegistryConfig", Body, &KAFKA_SCHEMA_REGISTRY_CONFIG)]));

pub static APPLICATION_LOG_LEVEL: Shape = shape("ApplicationLogLevel", Kind::Enum(&["FATAL", "TRACE", "WARN", "ERROR", "INFO", "DEBUG"]));
pub static ARCHITECTURE: Shape = shape("Architecture", Kind::Enum(&["x86_64", "arm64"]));
pub static ARCHITECTURES_LIST: Shape = shape("ArchitecturesList", Kind::List(&ARCHITECTURE)).min(1).max(1);
pub static ARN: Shape = shape("Arn", Kind::String).min(0).max(10_000).pattern(&PATTERN_ARN);
pub static BATCH_SIZE: Shape = shape("BatchSize", Kind::Integer).min(1).max(10_000);
pub static BINARY_OPERATION_PAYLOAD: Shape = shape("BinaryOperationPayload", Kind::Blob).min(0).max(1_048_576).sensitive();
pub static BISECT_BATCH_ON_FUNCTION_ERROR: Shape = shape("BisectBatchOnFunctionError", Kind::Boolean);
pub static BLOB: Shape = shape("Blob", Kind::Blob).sensitive();
pub static BLOB_STREAM: Shape = shape("BlobStream", Kind::Blob);
pub static BOOLEAN: Shape = shape("Boolean", Kind::Boolean);
pub static CALLBACK_ID: Shape = shape("CallbackId", Kind::String).min(1).max(1024).pattern(&PATTERN_CALLBACK_ID);
pub static CALLBACK_OPTIONS: Shape = shape(
    "CallbackOptions",
    Kind::Structure(&[optional("TimeoutSeconds", Body, &CALLBACK_OPTIONS_TIMEOUT_SECONDS_INTEGER), optional("HeartbeatTimeoutSeconds", Body, &CALLBACK_OPTIONS_HEARTBEAT_TIMEOUT_SECONDS_INTEGER)]),
);

pub static CALLBACK_OPTIONS_HEARTBEAT_TIMEOUT_SECONDS_INTEGER: Shape = shape("CallbackOptionsHeartbeatTimeoutSecondsInteger", Kind::Integer).min(0).max(99_999_999);
pub static CALLBACK_OPTIONS_TIMEOUT_SECONDS_INTEGER: Shape = shape("CallbackOptionsTimeoutSecondsInteger", Kind::Integer).min(0).max(99_999_999);
pub static CAPACITY_PROVIDER_ARN: Shape = shape("CapacityProviderArn", Kind::String).min(1).max(140).pattern(&PATTERN_CAPACITY_PROVIDER_ARN);
pub static CAPACITY_PROVIDER_CONFIG: Shape = shape("CapacityProviderConfig", Kind::Structure(&[required("LambdaManagedInstancesCapacityProviderConfig", Body, &LAMBDA_MANAGED_INSTANCES_CAPACITY_PROVIDER_CONFIG)]));

pub static CAPACITY_PROVIDER_LOGGING_CONFIG: Shape = shape("CapacityProviderLoggingConfig", Kind::Structure(&[optional("SystemLogLevel", Body, &SYSTEM_LOG_LEVEL), optional("LogGroup", Body, &LOG_GROUP)]));

pub static CAPACITY_PROVIDER_MAX_V_CPU_COUNT: Shape = shape("CapacityProviderMaxVCpuCount", Kind::Integer).min(2).max(15_000);
pub static CAPACITY_PROVIDER_NAME: Shape = shape("CapacityProviderName", Kind::String).min(1).max(140).pattern(&PATTERN_CAPACITY_PROVIDER_NAME);
pub static CAPACITY_PROVIDER_PERMISSIONS_CONFIG: Shape = shape("CapacityProviderPermissionsConfig", Kind::Structure(&[required("CapacityProviderOperatorRoleArn", Body, &ROLE_ARN)]));

pub static CAPACITY_PROVIDER_PREDEFINED_METRIC_TYPE: Shape = shape("CapacityProviderPredefinedMetricType", Kind::Enum(&["LambdaCapacityProviderAverageGPUUtilization", "LambdaCapacityProviderAverageCPUUtilization"]));
pub static CAPACITY_PROVIDER_SCALING_CONFIG: Shape = shape(
    "CapacityProviderScalingConfig",
    Kind::Structure(&[
        optional("MaxVCpuCount", Body, &CAPACITY_PROVIDER_MAX_V_CPU_COUNT),
        optional("ScalingMode", Body, &CAPACITY_PROVIDER_SCALING_MODE),
        optional("ScalingPolicies", Body, &CAPACITY_PROVIDER_SCALING_POLICIES_LIST),
    ]),
);

pub static CAPACITY_PROVIDER_SCALING_MODE: Shape = shape("CapacityProviderScalingMode", Kind::Enum(&["Manual", "Auto"]));
pub static CAPACITY_PROVIDER_SCALING_POLICIES_LIST: Shape = shape("CapacityProviderScalingPoliciesList", Kind::List(&TARGET_TRACKING_SCALING_POLICY)).min(1).max(10);
pub static CAPACITY_PROVIDER_SECURITY_GROUP_IDS: Shape = shape("CapacityProviderSecurityGroupIds", Kind::List(&SECURITY_GROUP_ID)).min(0).max(5);
pub static CAPACITY_PROVIDER_STATE: Shape = shape("CapacityProviderState", Kind::Enum(&["Active", "Deleting", "Pending", "Failed"]));
pub static CAPACITY_PROVIDER_SUBNET_IDS: Shape = shape("CapacityProviderSubnetIds", Kind::List(&SUBNET_ID)).min(1).max(16);
pub static CAPACITY_PROVIDER_TELEMETRY_CONFIG: Shape = shape("CapacityProviderTelemetryConfig", Kind::Structure(&[optional("LoggingConfig", Body, &CAPACITY_PROVIDER_LOGGING_CONFIG)]));

pub static CAPACITY_PROVIDER_VPC_CONFIG: Shape =
    shape("CapacityProviderVpcConfig", Kind::Structure(&[required("SubnetIds", Body, &CAPACITY_PROVIDER_SUBNET_IDS), required("SecurityGroupIds", Body, &CAPACITY_PROVIDER_SECURITY_GROUP_IDS)]));

pub static CHAINED_INVOKE_OPTIONS: Shape =
    shape("ChainedInvokeOptions", Kind::Structure(&[required("FunctionName", Body, &NAMESPACED_FUNCTION_NAME), optional("TenantId", Body, &TENANT_ID), optional("XAmznTraceId", Body, &X_AMZN_TRACE_ID)]));

pub static CHECKPOINT_DURABLE_EXECUTION_REQUEST: Shape = shape(
    "CheckpointDurableExecutionRequest",
    Kind::Structure(&[
        required("DurableExecutionArn", Path("DurableExecutionArn"), &DURABLE_EXECUTION_ARN),
        required("CheckpointToken", Body, &CHECKPOINT_TOKEN),
        optional("Updates", Body, &OPERATION_UPDATES),
        optional("ClientToken", Body, &CLIENT_TOKEN),
    ]),
);

pub static CHECKPOINT_TOKEN: Shape = shape("CheckpointToken", Kind::String).min(1).max(2048).pattern(&PATTERN_CALLBACK_ID);
pub static CLIENT_TOKEN: Shape = shape("ClientToken", Kind::String).min(1).max(64).pattern(&PATTERN_CLIENT_TOKEN);
pub static CODE_SIGNING_CONFIG_ARN: Shape = shape("CodeSigningConfigArn", Kind::String).min(0).max(200).pattern(&PATTERN_CODE_SIGNING_CONFIG_ARN);
pub static CODE_SIGNING_POLICIES: Shape = shape("CodeSigningPolicies", Kind::Structure(&[optional("UntrustedArtifactOnDeployment", Body, &CODE_SIGNING_POLICY)]));

pub static CODE_SIGNING_POLICY: Shape = shape("CodeSigningPolicy", Kind::Enum(&["Enforce", "Warn"]));
pub static COLLECTION_NAME: Shape = shape("CollectionName", Kind::String).min(1).max(57).pattern(&PATTERN_COLLECTION_NAME);
pub static COMPATIBLE_ARCHITECTURES: Shape = shape("CompatibleArchitectures", Kind::List(&ARCHITECTURE)).min(0).max(2);
pub static COMPATIBLE_RUNTIMES: Shape = shape("CompatibleRuntimes", Kind::List(&RUNTIME)).min(0).max(15);
pub static CONTEXT_OPTIONS: Shape = shape("ContextOptions", Kind::Structure(&[optional("ReplayChildren", Body, &REPLAY_CHILDREN)]));

pub static CORS: Shape = shape(
    "Cors",
    Kind::Structure(&[
        optional("AllowCredentials", Body, &ALLOW_CREDENTIALS),
        optional("AllowHeaders", Body, &HEADERS_LIST),
        optional("AllowMethods", Body, &ALLOW_METHODS_LIST),
        optional("AllowOrigins", Body, &ALLOW_ORIGINS_LIST),
        optional("ExposeHeaders", Body, &HEADERS_LIST),
        optional("MaxAge", Body, &MAX_AGE),
    ]),
);

pub static CREATE_ALIAS_REQUEST: Shape = shape(
    "CreateAliasRequest",
    Kind::Structure(&[
        required("FunctionName", Path("FunctionName"), &FUNCTION_NAME),
        required("Name", Body, &ALIAS),
        required("FunctionVersion", Body, &VERSION_WITH_LATEST_PUBLISHED),
        optional("Description", Body, &DESCRIPTION),
        optional("RoutingConfig", Body, &ALIAS_ROUTING_CONFIGURATION),
    ]),
);

pub static CREATE_CAPACITY_PROVIDER_REQUEST: Shape = shape(
    "CreateCapacityProviderRequest",
    Kind::Structure(&[
        required("CapacityProviderName", Body, &CAPACITY_PROVIDER_NAME),
        required("VpcConfig", Body, &CAPACITY_PROVIDER_VPC_CONFIG),
        required("PermissionsConfig", Body, &CAPACITY_PROVIDER_PERMISSIONS_CONFIG),
        optional("InstanceRequirements", Body, &INSTANCE_REQUIREMENTS),
        optional("CapacityProviderScalingConfig", Body, &CAPACITY_PROVIDER_SCALING_CONFIG),
        optional("KmsKeyArn", Body, &KMS_KEY_ARN_NON_EMPTY),
        optional("Tags", Body, &TAGS),
        optional("PropagateTags", Body, &PROPAGATE_TAGS),
        optional("TelemetryConfig", Body, &CAPACITY_PROVIDER_TELEMETRY_CONFIG),
    ]),
);

pub static CREATE_CODE_SIGNING_CONFIG_REQUEST: Shape = shape(
    "CreateCodeSigningConfigRequest",
    Kind::Structure(&[optional("Description", Body, &DESCRIPTION), required("AllowedPublishers", Body, &ALLOWED_PUBLISHERS), optional("CodeSigningPolicies", Body, &CODE_SIGNING_POLICIES), optional("Tags", Body, &TAGS)]),
);

pub static CREATE_EVENT_SOURCE_MAPPING_REQUEST: Shape = shape(
    "CreateEventSourceMappingRequest",
    Kind::Structure(&[
        optional("EventSourceArn", Body, &ARN),
        required("FunctionName", Body, &NAMESPACED_FUNCTION_NAME),
        optional("Enabled", Body, &ENABLED),
        optional("BatchSize", Body, &BATCH_SIZE),
        optional("FilterCriteria", Body, &FILTER_CRITERIA),
        optional("KMSKeyArn", Body, &KMS_KEY_ARN),
        optional("MetricsConfig", Body, &EVENT_SOURCE_MAPPING_METRICS_CONFIG),
        optional("LoggingConfig", Body, &EVENT_SOURCE_MAPPING_LOGGING_CONFIG),
        optional("ScalingConfig", Body, &SCALING_CONFIG),
        optional("MaximumBatchingWindowInSeconds", Body, &MAXIMUM_BATCHING_WINDOW_IN_SECONDS),
        optional("ParallelizationFactor", Body, &PARALLELIZATION_FACTOR),
        optional("StartingPosition", Body, &EVENT_SOURCE_POSITION),
        optional("StartingPositionTimestamp", Body, &DATE),
        optional("DestinationConfig", Body, &DESTINATION_CONFIG),
        optional("MaximumRecordAgeInSeconds", Body, &MAXIMUM_RECORD_AGE_IN_SECONDS),
        optional("BisectBatchOnFunctionError", Body, &BISECT_BATCH_ON_FUNCTION_ERROR),
        optional("MaximumRetryAttempts", Body, &MAXIMUM_RETRY_ATTEMPTS_EVENT_SOURCE_MAPPING),
        optional("Tags", Body, &TAGS),
        optional("TumblingWindowInSeconds", Body, &TUMBLING_WINDOW_IN_SECONDS),
        optional("Topics", Body, &TOPICS),
        optional("Queues", Body, &QUEUES),
        optional("SourceAccessConfigurations", Body, &SOURCE_ACCESS_CONFIGURATIONS),
        optional("SelfManagedEventSource", Body, &SELF_MANAGED_EVENT_SOURCE),
        optional("FunctionResponseTypes", Body, &FUNCTION_RESPONSE_TYPE_LIST),
        optional("AmazonManagedKafkaEventSourceConfig", Body, &AMAZON_MANAGED_KAFKA_EVENT_SOURCE_CONFIG),
        optional("SelfManagedKafkaEventSourceConfig", Body, &SELF_MANAGED_KAFKA_EVENT_SOURCE_CONFIG),
        optional("DocumentDBEventSourceConfig", Body, &DOCUMENT_DB_EVENT_SOURCE_CONFIG),
        optional("ProvisionedPollerConfig", Body, &PROVISIONED_POLLER_CONFIG),
    ]),
);

pub static CREATE_FUNCTION_REQUEST: Shape = shape(
    "CreateFunctionRequest",
    Kind::Structure(&[
        required("FunctionName", Body, &FUNCTION_NAME),
        optional("Runtime", Body, &STRING),
        required("Role", Body, &ROLE_ARN),
        optional("Handler", Body, &HANDLER),
        required("Code", Body, &FUNCTION_CODE),
        optional("Description", Body, &DESCRIPTION),
        optional("Timeout", Body, &TIMEOUT),
        optional("MemorySize", Body, &MEMORY_SIZE),
        optional("Publish", Body, &BOOLEAN),
        optional("PublishTo", Body, &FUNCTION_VERSION_LATEST_PUBLISHED),
        optional("VpcConfig", Body, &VPC_CONFIG),
        optional("PackageType", Body, &PACKAGE_TYPE),
        optional("DeadLetterConfig", Body, &DEAD_LETTER_CONFIG),
        optional("Environment", Body, &ENVIRONMENT),
        optional("KMSKeyArn", Body, &KMS_KEY_ARN),
        optional("TracingConfig", Body, &TRACING_CONFIG),
        optional("Tags", Body, &TAGS),
        optional("Layers", Body, &LAYER_LIST),
        optional("FileSystemConfigs", Body, &FILE_SYSTEM_CONFIG_LIST),
        optional("CodeSigningConfigArn", Body, &CODE_SIGNING_CONFIG_ARN),
        optional("ImageConfig", Body, &IMAGE_CONFIG),
        optional("Architectures", Body, &ARCHITECTURES_LIST),
        optional("EphemeralStorage", Body, &EPHEMERAL_STORAGE),
        optional("SnapStart", Body, &SNAP_START),
        optional("LoggingConfig", Body, &LOGGING_CONFIG),
        optional("TenancyConfig", Body, &TENANCY_CONFIG),
        optional("CapacityProviderConfig", Body, &CAPACITY_PROVIDER_CONFIG),
        optional("DurableConfig", Body, &DURABLE_CONFIG),
        optional("RuntimeConfig", Body, &FUNCTION_RUNTIME_CONFIG),
        optional("AcceleratorConfig", Body, &ACCELERATOR_CONFIG),
    ]),
);

pub static CREATE_FUNCTION_URL_CONFIG_REQUEST: Shape = shape(
    "CreateFunctionUrlConfigRequest",
    Kind::Structure(&[
        required("FunctionName", Path("FunctionName"), &FUNCTION_URL_FUNCTION_NAME),
        optional("Qualifier", Query("Qualifier"), &FUNCTION_URL_QUALIFIER),
        required("AuthType", Body, &FUNCTION_URL_AUTH_TYPE),
        optional("Cors", Body, &CORS),
        optional("InvokeMode", Body, &INVOKE_MODE),
    ]),
);

pub static DATABASE_NAME: Shape = shape("DatabaseName", Kind::String).min(1).max(63).pattern(&PATTERN_DATABASE_NAME);
pub static DATE: Shape = shape("Date", Kind::Timestamp);
pub static DEAD_LETTER_CONFIG: Shape = shape("DeadLetterConfig", Kind::Structure(&[optional("TargetArn", Body, &RESOURCE_ARN)]));

pub static DELETE_ALIAS_REQUEST: Shape = shape("DeleteAliasRequest", Kind::Structure(&[required("FunctionName", Path("FunctionName"), &FUNCTION_NAME), required("Name", Path("Name"), &ALIAS)]));

pub static DELETE_CAPACITY_PROVIDER_REQUEST: Shape = shape("DeleteCapacityProviderRequest", Kind::Structure(&[required("CapacityProviderName", Path("CapacityProviderName"), &CAPACITY_PROVIDER_NAME)]));

pub static DELETE_CODE_SIGNING_CONFIG_REQUEST: Shape = shape("DeleteCodeSigningConfigRequest", Kind::Structure(&[required("CodeSigningConfigArn", Path("CodeSigningConfigArn"), &CODE_SIGNING_CONFIG_ARN)]));

pub static DELETE_DURABLE_EXECUTION_REQUEST: Shape = shape("DeleteDurableExecutionRequest", Kind::Structure(&[required("DurableExecutionArn", Path("DurableExecutionArn"), &DURABLE_EXECUTION_ARN)]));

pub static DELETE_EVENT_SOURCE_MAPPING_REQUEST: Shape = shape("DeleteEventSourceMappingRequest", Kind::Structure(&[required("UUID", Path("UUID"), &UUID_STRING)]));

pub static DELETE_FUNCTION_CODE_SIGNING_CONFIG_REQUEST: Shape = shape("DeleteFunctionCodeSigningConfigRequest", Kind::Structure(&[required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME)]));

pub static DELETE_FUNCTION_CONCURRENCY_REQUEST: Shape = shape("DeleteFunctionConcurrencyRequest", Kind::Structure(&[required("FunctionName", Path("FunctionName"), &FUNCTION_NAME)]));

pub static DELETE_FUNCTION_EVENT_INVOKE_CONFIG_REQUEST: Shape = shape(
    "DeleteFunctionEventInvokeConfigRequest",
    Kind::Structure(&[required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME), optional("Qualifier", Query("Qualifier"), &NUMERIC_LATEST_PUBLISHED_OR_ALIAS_QUALIFIER)]),
);

pub static DELETE_FUNCTION_REQUEST: Shape =
    shape("DeleteFunctionRequest", Kind::Structure(&[required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME), optional("Qualifier", Query("Qualifier"), &NUMERIC_LATEST_PUBLISHED_OR_ALIAS_QUALIFIER)]));

pub static DELETE_FUNCTION_URL_CONFIG_REQUEST: Shape =
    shape("DeleteFunctionUrlConfigRequest", Kind::Structure(&[required("FunctionName", Path("FunctionName"), &FUNCTION_URL_FUNCTION_NAME), optional("Qualifier", Query("Qualifier"), &FUNCTION_URL_QUALIFIER)]));

pub static DELETE_LAYER_VERSION_REQUEST: Shape =
    shape("DeleteLayerVersionRequest", Kind::Structure(&[required("LayerName", Path("LayerName"), &LAYER_NAME_OR_ARN), required("VersionNumber", Path("VersionNumber"), &LAYER_VERSION_NUMBER)]));

pub static DELETE_PROVISIONED_CONCURRENCY_CONFIG_REQUEST: Shape =
    shape("DeleteProvisionedConcurrencyConfigRequest", Kind::Structure(&[required("FunctionName", Path("FunctionName"), &FUNCTION_NAME), required("Qualifier", Query("Qualifier"), &QUALIFIER)]));

pub static DELETE_RESOURCE_POLICY_REQUEST: Shape =
    shape("DeleteResourcePolicyRequest", Kind::Structure(&[required("ResourceArn", Path("ResourceArn"), &POLICY_RESOURCE_ARN), optional("RevisionId", Query("RevisionId"), &REVISION_ID)]));

pub static DESCRIPTION: Shape = shape("Description", Kind::String).min(0).max(256);
pub static DESTINATION_ARN: Shape = shape("DestinationArn", Kind::String).min(0).max(350).pattern(&PATTERN_DESTINATION_ARN);
pub static DESTINATION_CONFIG: Shape = shape("DestinationConfig", Kind::Structure(&[optional("OnSuccess", Body, &ON_SUCCESS), optional("OnFailure", Body, &ON_FAILURE)]));

pub static DIRECT_S3_READ: Shape = shape("DirectS3Read", Kind::Enum(&["ENABLED", "AUTO", "DISABLED"]));
pub static DOCUMENT_DB_EVENT_SOURCE_CONFIG: Shape =
    shape("DocumentDBEventSourceConfig", Kind::Structure(&[optional("DatabaseName", Body, &DATABASE_NAME), optional("CollectionName", Body, &COLLECTION_NAME), optional("FullDocument", Body, &FULL_DOCUMENT)]));

pub static DURABLE_CONFIG: Shape =
    shape("DurableConfig", Kind::Structure(&[optional("KMSKeyArn", Body, &KMS_KEY_ARN), optional("RetentionPeriodInDays", Body, &RETENTION_PERIOD_IN_DAYS), optional("ExecutionTimeout", Body, &EXECUTION_TIMEOUT)]));

pub static DURABLE_EXECUTION_ARN: Shape = shape("DurableExecutionArn", Kind::String).min(1).max(1024).pattern(&PATTERN_DURABLE_EXECUTION_ARN);
pub static DURABLE_EXECUTION_NAME: Shape = shape("DurableExecutionName", Kind::String).min(1).max(64).pattern(&PATTERN_DURABLE_EXECUTION_NAME);
pub static ENABLED: Shape = shape("Enabled", Kind::Boolean);
pub static END_POINT_TYPE: Shape = shape("EndPointType", Kind::Enum(&["KAFKA_BOOTSTRAP_SERVERS"]));
pub static ENDPOINT: Shape = shape("Endpoint", Kind::String).min(1).max(300).pattern(&PATTERN_ENDPOINT);
pub static ENDPOINT_LISTS: Shape = shape("EndpointLists", Kind::List(&ENDPOINT)).min(1).max(10);
pub static ENDPOINTS: Shape = shape("Endpoints", Kind::Map(&END_POINT_TYPE, &ENDPOINT_LISTS)).min(1).max(2);
pub static ENVIRONMENT: Shape = shape("Environment", Kind::Structure(&[optional("Variables", Body, &ENVIRONMENT_VARIABLES)]));

pub static ENVIRONMENT_VARIABLE_NAME: Shape = shape("EnvironmentVariableName", Kind::String).pattern(&PATTERN_ENVIRONMENT_VARIABLE_NAME).sensitive();
pub static ENVIRONMENT_VARIABLE_VALUE: Shape = shape("EnvironmentVariableValue", Kind::String).sensitive();
pub static ENVIRONMENT_VARIABLES: Shape = shape("EnvironmentVariables", Kind::Map(&ENVIRONMENT_VARIABLE_NAME, &ENVIRONMENT_VARIABLE_VALUE)).sensitive();
pub static EPHEMERAL_STORAGE: Shape = shape("EphemeralStorage", Kind::Structure(&[required("Size", Body, &EPHEMERAL_STORAGE_SIZE)]));

pub static EPHEMERAL_STORAGE_SIZE: Shape = shape("EphemeralStorageSize", Kind::Integer).min(512).max(32_768);
pub static ERROR_DATA: Shape = shape("ErrorData", Kind::String).sensitive();
pub static ERROR_MESSAGE: Shape = shape("ErrorMessage", Kind::String).sensitive();
pub static ERROR_OBJECT: Shape = shape(
    "ErrorObject",
    Kind::Structure(&[optional("ErrorMessage", Body, &ERROR_MESSAGE), optional("ErrorType", Body, &ERROR_TYPE), optional("ErrorData", Body, &ERROR_DATA), optional("StackTrace", Body, &STACK_TRACE_ENTRIES)]),
);

pub static ERROR_TYPE: Shape = shape("ErrorType", Kind::String).sensitive();
pub static EVENT_SOURCE_MAPPING_LOGGING_CONFIG: Shape = shape("EventSourceMappingLoggingConfig", Kind::Structure(&[optional("SystemLogLevel", Body, &EVENT_SOURCE_MAPPING_SYSTEM_LOG_LEVEL)]));

pub static EVENT_SOURCE_MAPPING_METRIC: Shape = shape("EventSourceMappingMetric", Kind::Enum(&["ErrorCount", "EventCount", "KafkaMetrics"]));
pub static EVENT_SOURCE_MAPPING_METRIC_LIST: Shape = shape("EventSourceMappingMetricList", Kind::List(&EVENT_SOURCE_MAPPING_METRIC)).min(0).max(3);
pub static EVENT_SOURCE_MAPPING_METRICS_CONFIG: Shape = shape("EventSourceMappingMetricsConfig", Kind::Structure(&[optional("Metrics", Body, &EVENT_SOURCE_MAPPING_METRIC_LIST)]));

pub static EVENT_SOURCE_MAPPING_SYSTEM_LOG_LEVEL: Shape = shape("EventSourceMappingSystemLogLevel", Kind::Enum(&["WARN", "INFO", "DEBUG"]));
pub static EVENT_SOURCE_POSITION: Shape = shape("EventSourcePosition", Kind::Enum(&["LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"]));
pub static EVENT_SOURCE_TOKEN: Shape = shape("EventSourceToken", Kind::String).min(0).max(256).pattern(&PATTERN_EVENT_SOURCE_TOKEN);
pub static EXECUTION_ENVIRONMENT_MEMORY_GI_B_PER_V_CPU: Shape = shape("ExecutionEnvironmentMemoryGiBPerVCpu", Kind::Double).min(2).max(8);
pub static EXECUTION_STATUS: Shape = shape("ExecutionStatus", Kind::Enum(&["SUCCEEDED", "TIMED_OUT", "DELETING", "STOPPED", "PAUSED", "PAUSING", "FAILED", "RUNNING"]));
pub static EXECUTION_STATUS_LIST: Shape = shape("ExecutionStatusList", Kind::List(&EXECUTION_STATUS)).min(1).max(10);
pub static EXECUTION_TIMEOUT: Shape = shape("ExecutionTimeout", Kind::Integer).min(1).max(31_622_400);
pub static EXECUTION_TIMEOUT_PAUSED: Shape = shape("ExecutionTimeoutPaused", Kind::Boolean);
pub static EXECUTION_TIMESTAMP: Shape = shape("ExecutionTimestamp", Kind::Timestamp);
pub static FILE_SYSTEM_ARN: Shape = shape("FileSystemArn", Kind::String).min(0).max(256).pattern(&PATTERN_FILE_SYSTEM_ARN);
pub static FILE_SYSTEM_CONFIG: Shape =
    shape("FileSystemConfig", Kind::Structure(&[required("Arn", Body, &FILE_SYSTEM_ARN), required("LocalMountPath", Body, &LOCAL_MOUNT_PATH), optional("S3FilesConfig", Body, &S3_FILES_CONFIG)]));

pub static FILE_SYSTEM_CONFIG_LIST: Shape = shape("FileSystemConfigList", Kind::List(&FILE_SYSTEM_CONFIG)).min(0).max(1);
pub static FILTER: Shape = shape("Filter", Kind::Structure(&[optional("Pattern", Body, &PATTERN)]));

pub static FILTER_CRITERIA: Shape = shape("FilterCriteria", Kind::Structure(&[optional("Filters", Body, &FILTER_LIST)]));

pub static FILTER_LIST: Shape = shape("FilterList", Kind::List(&FILTER));
pub static FULL_DOCUMENT: Shape = shape("FullDocument", Kind::Enum(&["Default", "UpdateLookup"]));
pub static FUNCTION_CODE: Shape = shape(
    "FunctionCode",
    Kind::Structure(&[
        optional("ZipFile", Body, &BLOB),
        optional("S3Bucket", Body, &S3_BUCKET),
        optional("S3Key", Body, &S3_KEY),
        optional("S3ObjectVersion", Body, &S3_OBJECT_VERSION),
        optional("S3ObjectStorageMode", Body, &S3_OBJECT_STORAGE_MODE),
        optional("ImageUri", Body, &STRING),
        optional("SourceKMSKeyArn", Body, &KMS_KEY_ARN),
    ]),
);

pub static FUNCTION_NAME: Shape = shape("FunctionName", Kind::String).min(1).max(140).pattern(&PATTERN_FUNCTION_NAME);
pub static FUNCTION_RESPONSE_TYPE: Shape = shape("FunctionResponseType", Kind::Enum(&["ReportBatchItemFailures"]));
pub static FUNCTION_RESPONSE_TYPE_LIST: Shape = shape("FunctionResponseTypeList", Kind::List(&FUNCTION_RESPONSE_TYPE)).min(0).max(1);
pub static FUNCTION_RUNTIME_ALIAS: Shape = shape("FunctionRuntimeAlias", Kind::String).min(1).max(128);
pub static FUNCTION_RUNTIME_ARN: Shape = shape("FunctionRuntimeArn", Kind::String).min(48).max(2048).pattern(&PATTERN_FUNCTION_RUNTIME_ARN);
pub static FUNCTION_RUNTIME_CONFIG: Shape = shape("FunctionRuntimeConfig", Kind::Structure(&[required("RuntimeArn", Body, &FUNCTION_RUNTIME_ARN), required("RuntimeAlias", Body, &FUNCTION_RUNTIME_ALIAS)]));

pub static FUNCTION_SCALING_CONFIG: Shape = shape(
    "FunctionScalingConfig",
    Kind::Structure(&[optional("MinExecutionEnvironments", Body, &FUNCTION_SCALING_CONFIG_EXECUTION_ENVIRONMENTS), optional("MaxExecutionEnvironments", Body, &FUNCTION_SCALING_CONFIG_EXECUTION_ENVIRONMENTS)]),
);

pub static FUNCTION_SCALING_CONFIG_EXECUTION_ENVIRONMENTS: Shape = shape("FunctionScalingConfigExecutionEnvironments", Kind::Integer).min(0).max(15_000);
pub static FUNCTION_URL_AUTH_TYPE: Shape = shape("FunctionUrlAuthType", Kind::Enum(&["AWS_IAM", "NONE"]));
pub static FUNCTION_URL_FUNCTION_NAME: Shape = shape("FunctionUrlFunctionName", Kind::String).min(1).max(140).pattern(&PATTERN_FUNCTION_URL_FUNCTION_NAME);
pub static FUNCTION_URL_QUALIFIER: Shape = shape("FunctionUrlQualifier", Kind::String).min(1).max(128).pattern(&PATTERN_FUNCTION_URL_QUALIFIER);
pub static FUNCTION_VERSION: Shape = shape("FunctionVersion", Kind::Enum(&["ALL"]));
pub static FUNCTION_VERSION_LATEST_PUBLISHED: Shape = shape("FunctionVersionLatestPublished", Kind::Enum(&["LATEST_PUBLISHED"]));
pub static GET_ACCOUNT_SETTINGS_REQUEST: Shape = shape("GetAccountSettingsRequest", Kind::Structure(&[]));

pub static GET_ALIAS_REQUEST: Shape = shape("GetAliasRequest", Kind::Structure(&[required("FunctionName", Path("FunctionName"), &FUNCTION_NAME), required("Name", Path("Name"), &ALIAS)]));

pub static GET_CAPACITY_PROVIDER_REQUEST: Shape = shape("GetCapacityProviderRequest", Kind::Structure(&[required("CapacityProviderName", Path("CapacityProviderName"), &CAPACITY_PROVIDER_NAME)]));

pub static GET_CODE_SIGNING_CONFIG_REQUEST: Shape = shape("GetCodeSigningConfigRequest", Kind::Structure(&[required("CodeSigningConfigArn", Path("CodeSigningConfigArn"), &CODE_SIGNING_CONFIG_ARN)]));

pub static GET_DURABLE_EXECUTION_HISTORY_REQUEST: Shape = shape(
    "GetDurableExecutionHistoryRequest",
    Kind::Structure(&[
        required("DurableExecutionArn", Path("DurableExecutionArn"), &DURABLE_EXECUTION_ARN),
        optional("IncludeExecutionData", Query("IncludeExecutionData"), &INCLUDE_EXECUTION_DATA),
        optional("MaxItems", Query("MaxItems"), &ITEM_COUNT),
        optional("Marker", Query("Marker"), &STRING),
        optional("ReverseOrder", Query("ReverseOrder"), &REVERSE_ORDER),
    ]),
);

pub static GET_DURABLE_EXECUTION_REQUEST: Shape = shape(
    "GetDurableExecutionRequest",
    Kind::Structure(&[required("DurableExecutionArn", Path("DurableExecutionArn"), &DURABLE_EXECUTION_ARN), optional("IncludeExecutionData", Query("IncludeExecutionData"), &INCLUDE_EXECUTION_DATA)]),
);

pub static GET_DURABLE_EXECUTION_STATE_REQUEST: Shape = shape(
    "GetDurableExecutionStateRequest",
    Kind::Structure(&[
        required("DurableExecutionArn", Path("DurableExecutionArn"), &DURABLE_EXECUTION_ARN),
        required("CheckpointToken", Query("CheckpointToken"), &CHECKPOINT_TOKEN),
        optional("Marker", Query("Marker"), &STRING),
        optional("MaxItems", Query("MaxItems"), &ITEM_COUNT),
    ]),
);

pub static GET_EVENT_SOURCE_MAPPING_REQUEST: Shape = shape("GetEventSourceMappingRequest", Kind::Structure(&[required("UUID", Path("UUID"), &UUID_STRING)]));

pub static GET_FUNCTION_CODE_SIGNING_CONFIG_REQUEST: Shape = shape("GetFunctionCodeSigningConfigRequest", Kind::Structure(&[required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME)]));

pub static GET_FUNCTION_CONCURRENCY_REQUEST: Shape = shape("GetFunctionConcurrencyRequest", Kind::Structure(&[required("FunctionName", Path("FunctionName"), &FUNCTION_NAME)]));

pub static GET_FUNCTION_CONFIGURATION_REQUEST: Shape = shape(
    "GetFunctionConfigurationRequest",
    Kind::Structure(&[required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME), optional("Qualifier", Query("Qualifier"), &NUMERIC_LATEST_PUBLISHED_OR_ALIAS_QUALIFIER)]),
);

pub static GET_FUNCTION_EVENT_INVOKE_CONFIG_REQUEST: Shape = shape(
    "GetFunctionEventInvokeConfigRequest",
    Kind::Structure(&[required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME), optional("Qualifier", Query("Qualifier"), &NUMERIC_LATEST_PUBLISHED_OR_ALIAS_QUALIFIER)]),
);

pub static GET_FUNCTION_RECURSION_CONFIG_REQUEST: Shape = shape("GetFunctionRecursionConfigRequest", Kind::Structure(&[required("FunctionName", Path("FunctionName"), &UNQUALIFIED_FUNCTION_NAME)]));

pub static GET_FUNCTION_REQUEST: Shape =
    shape("GetFunctionRequest", Kind::Structure(&[required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME), optional("Qualifier", Query("Qualifier"), &NUMERIC_LATEST_PUBLISHED_OR_ALIAS_QUALIFIER)]));

pub static GET_FUNCTION_SCALING_CONFIG_REQUEST: Shape =
    shape("GetFunctionScalingConfigRequest", Kind::Structure(&[required("FunctionName", Path("FunctionName"), &UNQUALIFIED_FUNCTION_NAME), required("Qualifier", Query("Qualifier"), &PUBLISHED_FUNCTION_QUALIFIER)]));

pub static GET_FUNCTION_URL_CONFIG_REQUEST: Shape =
    shape("GetFunctionUrlConfigRequest", Kind::Structure(&[required("FunctionName", Path("FunctionName"), &FUNCTION_URL_FUNCTION_NAME), optional("Qualifier", Query("Qualifier"), &FUNCTION_URL_QUALIFIER)]));

pub static GET_LAYER_VERSION_BY_ARN_REQUEST: Shape = shape("GetLayerVersionByArnRequest", Kind::Structure(&[required("Arn", Query("Arn"), &LAYER_VERSION_ARN)]));

pub static GET_LAYER_VERSION_POLICY_REQUEST: Shape =
    shape("GetLayerVersionPolicyRequest", Kind::Structure(&[required("LayerName", Path("LayerName"), &LAYER_NAME_OR_ARN), required("VersionNumber", Path("VersionNumber"), &LAYER_VERSION_NUMBER)]));

pub static GET_LAYER_VERSION_REQUEST: Shape =
    shape("GetLayerVersionRequest", Kind::Structure(&[required("LayerName", Path("LayerName"), &LAYER_NAME_OR_ARN), required("VersionNumber", Path("VersionNumber"), &LAYER_VERSION_NUMBER)]));

pub static GET_POLICY_REQUEST: Shape =
    shape("GetPolicyRequest", Kind::Structure(&[required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME), optional("Qualifier", Query("Qualifier"), &NUMERIC_LATEST_PUBLISHED_OR_ALIAS_QUALIFIER)]));

pub static GET_PROVISIONED_CONCURRENCY_CONFIG_REQUEST: Shape =
    shape("GetProvisionedConcurrencyConfigRequest", Kind::Structure(&[required("FunctionName", Path("FunctionName"), &FUNCTION_NAME), required("Qualifier", Query("Qualifier"), &QUALIFIER)]));

pub static GET_RESOURCE_POLICY_REQUEST: Shape = shape("GetResourcePolicyRequest", Kind::Structure(&[required("ResourceArn", Path("ResourceArn"), &POLICY_RESOURCE_ARN)]));

pub static GET_RUNTIME_MANAGEMENT_CONFIG_REQUEST: Shape = shape(
    "GetRuntimeManagementConfigRequest",
    Kind::Structure(&[required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME), optional("Qualifier", Query("Qualifier"), &NUMERIC_LATEST_PUBLISHED_OR_ALIAS_QUALIFIER)]),
);

pub static HANDLER: Shape = shape("Handler", Kind::String).min(0).max(128).pattern(&PATTERN_HANDLER);
pub static HEADER: Shape = shape("Header", Kind::String).min(0).max(1024).pattern(&PATTERN_HEADER);
pub static HEADERS_LIST: Shape = shape("HeadersList", Kind::List(&HEADER)).min(0).max(100);
pub static IMAGE_CONFIG: Shape = shape("ImageConfig", Kind::Structure(&[optional("EntryPoint", Body, &STRING_LIST), optional("Command", Body, &STRING_LIST), optional("WorkingDirectory", Body, &WORKING_DIRECTORY)]));

pub static INCLUDE_EXECUTION_DATA: Shape = shape("IncludeExecutionData", Kind::Boolean);
pub static INSTANCE_REQUIREMENTS: Shape = shape(
    "InstanceRequirements",
    Kind::Structure(&[optional("Architectures", Body, &ARCHITECTURES_LIST), optional("AllowedInstanceTypes", Body, &INSTANCE_TYPE_SET), optional("ExcludedInstanceTypes", Body, &INSTANCE_TYPE_SET)]),
);

pub static INSTANCE_TYPE: Shape = shape("InstanceType", Kind::String).min(1).max(30).pattern(&PATTERN_INSTANCE_TYPE);
pub static INSTANCE_TYPE_SET: Shape = shape("InstanceTypeSet", Kind::List(&INSTANCE_TYPE)).min(0).max(400);
pub static INVOCATION_REQUEST: Shape = shape(
    "InvocationRequest",
    Kind::Structure(&[
        required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME),
        optional("InvocationType", Header("x-amz-invocation-type"), &INVOCATION_TYPE),
        optional("LogType", Header("x-amz-log-type"), &LOG_TYPE),
        optional("ClientContext", Header("x-amz-client-context"), &STRING),
        optional("DurableExecutionName", Header("x-amz-durable-execution-name"), &DURABLE_EXECUTION_NAME),
        optional("Payload", Payload, &BLOB),
        optional("Qualifier", Query("Qualifier"), &NUMERIC_LATEST_PUBLISHED_OR_ALIAS_QUALIFIER),
        optional("TenantId", Header("x-amz-tenant-id"), &TENANT_ID),
    ]),
);

pub static INVOCATION_TYPE: Shape = shape("InvocationType", Kind::Enum(&["DryRun", "RequestResponse", "Event"]));
pub static INVOKE_ASYNC_REQUEST: Shape = shape("InvokeAsyncRequest", Kind::Structure(&[required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME), optional("InvokeArgs", Payload, &BLOB_STREAM)]));

pub static INVOKE_MODE: Shape = shape("InvokeMode", Kind::Enum(&["RESPONSE_STREAM", "BUFFERED"]));
pub static INVOKE_WITH_RESPONSE_STREAM_REQUEST: Shape = shape(
    "InvokeWithResponseStreamRequest",
    Kind::Structure(&[
        required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME),
        optional("LogType", Header("x-amz-log-type"), &LOG_TYPE),
        optional("ClientContext", Header("x-amz-client-context"), &STRING),
        optional("Qualifier", Query("Qualifier"), &NUMERIC_LATEST_PUBLISHED_OR_ALIAS_QUALIFIER),
        optional("Payload", Payload, &BLOB),
        optional("TenantId", Header("x-amz-tenant-id"), &TENANT_ID),
        optional("InvocationType", Header("x-amz-invocation-type"), &RESPONSE_STREAMING_INVOCATION_TYPE),
    ]),
);

pub static INVOKED_VIA_FUNCTION_URL: Shape = shape("InvokedViaFunctionUrl", Kind::Boolean);
pub static ITEM_COUNT: Shape = shape("ItemCount", Kind::Integer).min(0).max(1000);
pub static KMS_KEY_ARN: Shape = shape("KMSKeyArn", Kind::String).min(0).max(10_000).pattern(&PATTERN_KMS_KEY_ARN);
pub static KMS_KEY_ARN_NON_EMPTY: Shape = shape("KMSKeyArnNonEmpty", Kind::String).min(0).max(10_000).pattern(&PATTERN_KMS_KEY_ARN_NON_EMPTY);
pub static KAFKA_EVENT_SOURCE_MAPPING_CONSUMPTION_MODE: Shape = shape("KafkaEventSourceMappingConsumptionMode", Kind::Enum(&["Stream", "Queue"]));
pub static KAFKA_SCHEMA_REGISTRY_ACCESS_CONFIG: Shape = shape("KafkaSchemaRegistryAccessConfig", Kind::Structure(&[optional("Type", Body, &KAFKA_SCHEMA_REGISTRY_AUTH_TYPE), optional("URI", Body, &ARN)]));

pub static KAFKA_SCHEMA_REGISTRY_ACCESS_CONFIG_LIST: Shape = shape("KafkaSchemaRegistryAccessConfigList", Kind::List(&KAFKA_SCHEMA_REGISTRY_ACCESS_CONFIG));
pub static KAFKA_SCHEMA_REGISTRY_AUTH_TYPE: Shape = shape("KafkaSchemaRegistryAuthType", Kind::Enum(&["CLIENT_CERTIFICATE_TLS_AUTH", "OAUTHBEARER_AUTH", "SERVER_ROOT_CA_CERTIFICATE", "BASIC_AUTH"]));
pub static KAFKA_SCHEMA_REGISTRY_CONFIG: Shape = shape(
    "KafkaSchemaRegistryConfig",
    Kind::Structure(&[
        optional("SchemaRegistryURI", Body, &SCHEMA_REGISTRY_URI),
        optional("EventRecordFormat", Body, &SCHEMA_REGISTRY_EVENT_RECORD_FORMAT),
        optional("AccessConfigs", Body, &KAFKA_SCHEMA_REGISTRY_ACCESS_CONFIG_LIST),
        optional("SchemaValidationConfigs", Body, &KAFKA_SCHEMA_VALIDATION_CONFIG_LIST),
    ]),
);

pub static KAFKA_SCHEMA_VALIDATION_ATTRIBUTE: Shape = shape("KafkaSchemaValidationAttribute", Kind::Enum(&["VALUE", "KEY"]));
pub static KAFKA_SCHEMA_VALIDATION_CONFIG: Shape = shape("KafkaSchemaValidationConfig", Kind::Structure(&[optional("Attribute", Body, &KAFKA_SCHEMA_VALIDATION_ATTRIBUTE)]));

pub static KAFKA_SCHEMA_VALIDATION_CONFIG_LIST: Shape = shape("KafkaSchemaValidationConfigList", Kind::List(&KAFKA_SCHEMA_VALIDATION_CONFIG));
pub static LAMBDA_MANAGED_INSTANCES_CAPACITY_PROVIDER_CONFIG: Shape = shape(
    "LambdaManagedInstancesCapacityProviderConfig",
    Kind::Structure(&[
        required("CapacityProviderArn", Body, &CAPACITY_PROVIDER_ARN),
        optional("PerExecutionEnvironmentMaxConcurrency", Body, &PER_EXECUTION_ENVIRONMENT_MAX_CONCURRENCY),
        optional("ExecutionEnvironmentMemoryGiBPerVCpu", Body, &EXECUTION_ENVIRONMENT_MEMORY_GI_B_PER_V_CPU),
    ]),
);

pub static LAYER_LIST: Shape = shape("LayerList", Kind::List(&LAYER_VERSION_ARN));
pub static LAYER_NAME_OR_ARN: Shape = shape("LayerNameOrArn", Kind::String).min(1).max(2048).pattern(&PATTERN_LAYER_NAME_OR_ARN);
pub static LAYER_PERMISSION_ALLOWED_ACTION: Shape = shape("LayerPermissionAllowedAction", Kind::String).min(0).max(22).pattern(&PATTERN_LAYER_PERMISSION_ALLOWED_ACTION);
pub static LAYER_PERMISSION_ALLOWED_PRINCIPAL: Shape = shape("LayerPermissionAllowedPrincipal", Kind::String).min(0).max(10_000).pattern(&PATTERN_LAYER_PERMISSION_ALLOWED_PRINCIPAL);
pub static LAYER_VERSION_ARN: Shape = shape("LayerVersionArn", Kind::String).min(1).max(2048).pattern(&PATTERN_LAYER_VERSION_ARN);
pub static LAYER_VERSION_CONTENT_INPUT: Shape = shape(
    "LayerVersionContentInput",
    Kind::Structure(&[
        optional("S3Bucket", Body, &S3_BUCKET),
        optional("S3Key", Body, &S3_KEY),
        optional("S3ObjectVersion", Body, &S3_OBJECT_VERSION),
        optional("S3ObjectStorageMode", Body, &S3_OBJECT_STORAGE_MODE),
        optional("ZipFile", Body, &BLOB),
    ]),
);

pub static LAYER_VERSION_NUMBER: Shape = shape("LayerVersionNumber", Kind::Long);
pub static LICENSE_INFO: Shape = shape("LicenseInfo", Kind::String).min(0).max(512).pattern(&PATTERN_HEADER);
pub static LIST_ALIASES_REQUEST: Shape = shape(
    "ListAliasesRequest",
    Kind::Structure(&[
        required("FunctionName", Path("FunctionName"), &FUNCTION_NAME),
        optional("FunctionVersion", Query("FunctionVersion"), &VERSION_WITH_LATEST_PUBLISHED),
        optional("Marker", Query("Marker"), &STRING),
        optional("MaxItems", Query("MaxItems"), &MAX_LIST_ITEMS),
    ]),
);

pub static LIST_CAPACITY_PROVIDERS_REQUEST: Shape = shape(
    "ListCapacityProvidersRequest",
    Kind::Structure(&[optional("State", Query("State"), &CAPACITY_PROVIDER_STATE), optional("Marker", Query("Marker"), &STRING), optional("MaxItems", Query("MaxItems"), &MAX_FIFTY_LIST_ITEMS)]),
);

pub static LIST_CODE_SIGNING_CONFIGS_REQUEST: Shape = shape("ListCodeSigningConfigsRequest", Kind::Structure(&[optional("Marker", Query("Marker"), &STRING), optional("MaxItems", Query("MaxItems"), &MAX_LIST_ITEMS)]));

pub static LIST_DURABLE_EXECUTIONS_BY_FUNCTION_REQUEST: Shape = shape(
    "ListDurableExecutionsByFunctionRequest",
    Kind::Structure(&[
        required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME),
        optional("Qualifier", Query("Qualifier"), &NUMERIC_LATEST_PUBLISHED_OR_ALIAS_QUALIFIER),
        optional("DurableExecutionName", Query("DurableExecutionName"), &DURABLE_EXECUTION_NAME),
        optional("Statuses", Query("Statuses"), &EXECUTION_STATUS_LIST),
        optional("StartedAfter", Query("StartedAfter"), &EXECUTION_TIMESTAMP),
        optional("StartedBefore", Query("StartedBefore"), &EXECUTION_TIMESTAMP),
        optional("ReverseOrder", Query("ReverseOrder"), &REVERSE_ORDER),
        optional("Marker", Query("Marker"), &STRING),
        optional("MaxItems", Query("MaxItems"), &ITEM_COUNT),
    ]),
);

pub static LIST_EVENT_SOURCE_MAPPINGS_REQUEST: Shape = shape(
    "ListEventSourceMappingsRequest",
    Kind::Structure(&[
        optional("EventSourceArn", Query("EventSourceArn"), &ARN),
        optional("FunctionName", Query("FunctionName"), &NAMESPACED_FUNCTION_NAME),
        optional("Marker", Query("Marker"), &STRING),
        optional("MaxItems", Query("MaxItems"), &MAX_LIST_ITEMS),
    ]),
);

pub static LIST_FUNCTION_EVENT_INVOKE_CONFIGS_REQUEST: Shape = shape(
    "ListFunctionEventInvokeConfigsRequest",
    Kind::Structure(&[
        required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME),
        optional("Marker", Query("Marker"), &STRING),
        optional("MaxItems", Query("MaxItems"), &MAX_FUNCTION_EVENT_INVOKE_CONFIG_LIST_ITEMS),
    ]),
);

pub static LIST_FUNCTION_URL_CONFIGS_REQUEST: Shape = shape(
    "ListFunctionUrlConfigsRequest",
    Kind::Structure(&[required("FunctionName", Path("FunctionName"), &FUNCTION_URL_FUNCTION_NAME), optional("Marker", Query("Marker"), &STRING), optional("MaxItems", Query("MaxItems"), &MAX_ITEMS)]),
);

pub static LIST_FUNCTION_VERSIONS_BY_CAPACITY_PROVIDER_REQUEST: Shape = shape(
    "ListFunctionVersionsByCapacityProviderRequest",
    Kind::Structure(&[
        required("CapacityProviderName", Path("CapacityProviderName"), &CAPACITY_PROVIDER_NAME),
        optional("Marker", Query("Marker"), &STRING),
        optional("MaxItems", Query("MaxItems"), &MAX_FIFTY_LIST_ITEMS),
    ]),
);

pub static LIST_FUNCTIONS_BY_CODE_SIGNING_CONFIG_REQUEST: Shape = shape(
    "ListFunctionsByCodeSigningConfigRequest",
    Kind::Structure(&[required("CodeSigningConfigArn", Path("CodeSigningConfigArn"), &CODE_SIGNING_CONFIG_ARN), optional("Marker", Query("Marker"), &STRING), optional("MaxItems", Query("MaxItems"), &MAX_LIST_ITEMS)]),
);

pub static LIST_FUNCTIONS_REQUEST: Shape = shape(
    "ListFunctionsRequest",
    Kind::Structure(&[
        optional("MasterRegion", Query("MasterRegion"), &MASTER_REGION),
        optional("FunctionVersion", Query("FunctionVersion"), &FUNCTION_VERSION),
        optional("Marker", Query("Marker"), &STRING),
        optional("MaxItems", Query("MaxItems"), &MAX_LIST_ITEMS),
    ]),
);

pub static LIST_LAYER_VERSIONS_REQUEST: Shape = shape(
    "ListLayerVersionsRequest",
    Kind::Structure(&[
        optional("CompatibleArchitecture", Query("CompatibleArchitecture"), &ARCHITECTURE),
        optional("CompatibleRuntime", Query("CompatibleRuntime"), &RUNTIME),
        required("LayerName", Path("LayerName"), &LAYER_NAME_OR_ARN),
        optional("Marker", Query("Marker"), &STRING),
        optional("MaxItems", Query("MaxItems"), &MAX_LAYER_LIST_ITEMS),
    ]),
);

pub static LIST_LAYERS_REQUEST: Shape = shape(
    "ListLayersRequest",
    Kind::Structure(&[
        optional("CompatibleArchitecture", Query("CompatibleArchitecture"), &ARCHITECTURE),
        optional("CompatibleRuntime", Query("CompatibleRuntime"), &RUNTIME),
        optional("Marker", Query("Marker"), &STRING),
        optional("MaxItems", Query("MaxItems"), &MAX_LAYER_LIST_ITEMS),
    ]),
);

pub static LIST_PROVISIONED_CONCURRENCY_CONFIGS_REQUEST: Shape = shape(
    "ListProvisionedConcurrencyConfigsRequest",
    Kind::Structure(&[
        required("FunctionName", Path("FunctionName"), &FUNCTION_NAME),
        optional("Marker", Query("Marker"), &STRING),
        optional("MaxItems", Query("MaxItems"), &MAX_PROVISIONED_CONCURRENCY_CONFIG_LIST_ITEMS),
    ]),
);

pub static LIST_TAGS_REQUEST: Shape = shape("ListTagsRequest", Kind::Structure(&[required("Resource", Path("Resource"), &TAGGABLE_RESOURCE)]));

pub static LIST_VERSIONS_BY_FUNCTION_REQUEST: Shape = shape(
    "ListVersionsByFunctionRequest",
    Kind::Structure(&[required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME), optional("Marker", Query("Marker"), &STRING), optional("MaxItems", Query("MaxItems"), &MAX_LIST_ITEMS)]),
);

pub static LOCAL_MOUNT_PATH: Shape = shape("LocalMountPath", Kind::String).min(0).max(160).pattern(&PATTERN_LOCAL_MOUNT_PATH);
pub static LOG_FORMAT: Shape = shape("LogFormat", Kind::Enum(&["JSON", "Text"]));
pub static LOG_GROUP: Shape = shape("LogGroup", Kind::String).min(1).max(512).pattern(&PATTERN_LOG_GROUP);
pub static LOG_TYPE: Shape = shape("LogType", Kind::Enum(&["Tail", "None"]));
pub static LOGGING_CONFIG: Shape = shape(
    "LoggingConfig",
    Kind::Structure(&[
        optional("LogFormat", Body, &LOG_FORMAT),
        optional("ApplicationLogLevel", Body, &APPLICATION_LOG_LEVEL),
        optional("SystemLogLevel", Body, &SYSTEM_LOG_LEVEL),
        optional("LogGroup", Body, &LOG_GROUP),
    ]),
);

pub static MASTER_REGION: Shape = shape("MasterRegion", Kind::String).min(1).max(50).pattern(&PATTERN_MASTER_REGION);
pub static MAX_AGE: Shape = shape("MaxAge", Kind::Integer).min(0).max(86_400);
pub static MAX_FIFTY_LIST_ITEMS: Shape = shape("MaxFiftyListItems", Kind::Integer).min(1).max(50);
pub static MAX_FUNCTION_EVENT_INVOKE_CONFIG_LIST_ITEMS: Shape = shape("MaxFunctionEventInvokeConfigListItems", Kind::Integer).min(1).max(50);
pub static MAX_ITEMS: Shape = shape("MaxItems", Kind::Integer).min(1).max(50);
pub static MAX_LAYER_LIST_ITEMS: Shape = shape("MaxLayerListItems", Kind::Integer).min(1).max(50);
pub static MAX_LIST_ITEMS: Shape = shape("MaxListItems", Kind::Integer).min(1).max(10_000);
pub static MAX_PROVISIONED_CONCURRENCY_CONFIG_LIST_ITEMS: Shape = shape("MaxProvisionedConcurrencyConfigListItems", Kind::Integer).min(1).max(50);
pub static MAXIMUM_BATCHING_WINDOW_IN_SECONDS: Shape = shape("MaximumBatchingWindowInSeconds", Kind::Integer).min(0).max(300);
pub static MAXIMUM_CONCURRENCY: Shape = shape("MaximumConcurrency", Kind::Integer).min(2).max(1000);
pub static MAXIMUM_EVENT_AGE_IN_SECONDS: Shape = shape("MaximumEventAgeInSeconds", Kind::Integer).min(60).max(21_600);
pub static MAXIMUM_NUMBER_OF_POLLERS: Shape = shape("MaximumNumberOfPollers", Kind::Integer).min(1).max(10_000);
pub static MAXIMUM_RECORD_AGE_IN_SECONDS: Shape = shape("MaximumRecordAgeInSeconds", Kind::Integer).min(-1).max(604_800);
pub static MAXIMUM_RETRY_ATTEMPTS: Shape = shape("MaximumRetryAttempts", Kind::Integer).min(0).max(2);
pub static MAXIMUM_RETRY_ATTEMPTS_EVENT_SOURCE_MAPPING: Shape = shape("MaximumRetryAttemptsEventSourceMapping", Kind::Integer).min(-1).max(10_000);
pub static MEMORY_SIZE: Shape = shape("MemorySize", Kind::Integer).min(128).max(32_768);
pub static METHOD: Shape = shape("Method", Kind::String).min(0).max(6).pattern(&PATTERN_HEADER);
pub static METRIC_TARGET_VALUE: Shape = shape("MetricTargetValue", Kind::Double).min(0).max(100);
pub static MINIMUM_NUMBER_OF_POLLERS: Shape = shape("MinimumNumberOfPollers", Kind::Integer).min(1).max(200);
pub static NAMESPACED_FUNCTION_NAME: Shape = shape("NamespacedFunctionName", Kind::String).min(1).max(256).pattern(&PATTERN_NAMESPACED_FUNCTION_NAME);
pub static NAMESPACED_STATEMENT_ID: Shape = shape("NamespacedStatementId", Kind::String).min(1).max(100).pattern(&PATTERN_NAMESPACED_STATEMENT_ID);
pub static NULLABLE_BOOLEAN: Shape = shape("NullableBoolean", Kind::Boolean);
pub static NUMERIC_LATEST_PUBLISHED_OR_ALIAS_QUALIFIER: Shape = shape("NumericLatestPublishedOrAliasQualifier", Kind::String).min(1).max(128).pattern(&PATTERN_NUMERIC_LATEST_PUBLISHED_OR_ALIAS_QUALIFIER);
pub static ON_FAILURE: Shape = shape("OnFailure", Kind::Structure(&[optional("Destination", Body, &DESTINATION_ARN)]));

pub static ON_SUCCESS: Shape = shape("OnSuccess", Kind::Structure(&[optional("Destination", Body, &DESTINATION_ARN)]));

pub static OPERATION_ACTION: Shape = shape("OperationAction", Kind::Enum(&["SUCCEED", "START", "RETRY", "CANCEL", "FAIL"]));
pub static OPERATION_ID: Shape = shape("OperationId", Kind::String).min(1).max(64).pattern(&PATTERN_DURABLE_EXECUTION_NAME);
pub static OPERATION_NAME: Shape = shape("OperationName", Kind::String).min(1).max(256).pattern(&PATTERN_OPERATION_NAME);
pub static OPERATION_PAYLOAD: Shape = shape("OperationPayload", Kind::String).min(0).max(6_291_456).sensitive();
pub static OPERATION_SUB_TYPE: Shape = shape("OperationSubType", Kind::String).min(1).max(32).pattern(&PATTERN_DURABLE_EXECUTION_NAME);
pub static OPERATION_TYPE: Shape = shape("OperationType", Kind::Enum(&["CALLBACK", "STEP", "CONTEXT", "WAIT", "CHAINED_INVOKE", "EXECUTION"]));
pub static OPERATION_UPDATE: Shape = shape(
    "OperationUpdate",
    Kind::Structure(&[
        required("Id", Body, &OPERATION_ID),
        optional("ParentId", Body, &OPERATION_ID),
        optional("Name", Body, &OPERATION_NAME),
        required("Type", Body, &OPERATION_TYPE),
        optional("SubType", Body, &OPERATION_SUB_TYPE),
        required("Action", Body, &OPERATION_ACTION),
        optional("Payload", Body, &OPERATION_PAYLOAD),
        optional("Error", Body, &ERROR_OBJECT),
        optional("ContextOptions", Body, &CONTEXT_OPTIONS),
        optional("StepOptions", Body, &STEP_OPTIONS),
        optional("WaitOptions", Body, &WAIT_OPTIONS),
        optional("CallbackOptions", Body, &CALLBACK_OPTIONS),
        optional("ChainedInvokeOptions", Body, &CHAINED_INVOKE_OPTIONS),
    ]),
);

pub static OPERATION_UPDATES: Shape = shape("OperationUpdates", Kind::List(&OPERATION_UPDATE));
pub static ORGANIZATION_ID: Shape = shape("OrganizationId", Kind::String).min(0).max(34).pattern(&PATTERN_ORGANIZATION_ID);
pub static ORIGIN: Shape = shape("Origin", Kind::String).min(1).max(253).pattern(&PATTERN_HEADER);
pub static PACKAGE_TYPE: Shape = shape("PackageType", Kind::Enum(&["Zip", "Image"]));
pub static PARALLELIZATION_FACTOR: Shape = shape("ParallelizationFactor", Kind::Integer).min(1).max(10);
pub static PATTERN: Shape = shape("Pattern", Kind::String).min(0).max(4096).pattern(&PATTERN_PATTERN);
pub static PAUSE_DURABLE_EXECUTION_REQUEST: Shape = shape(
    "PauseDurableExecutionRequest",
    Kind::Structure(&[
        required("DurableExecutionArn", Path("DurableExecutionArn"), &DURABLE_EXECUTION_ARN),
        optional("ClientToken", Body, &CLIENT_TOKEN),
        optional("Reason", Body, &PAUSE_REASON),
        optional("ExecutionTimeoutPaused", Body, &EXECUTION_TIMEOUT_PAUSED),
    ]),
);

pub static PAUSE_REASON: Shape = shape("PauseReason", Kind::String).min(0).max(1024).sensitive();
pub static PER_EXECUTION_ENVIRONMENT_MAX_CONCURRENCY: Shape = shape("PerExecutionEnvironmentMaxConcurrency", Kind::Integer).min(1).max(1600);
pub static POLICY_RESOURCE_ARN: Shape = shape("PolicyResourceArn", Kind::String).min(0).max(512).pattern(&PATTERN_POLICY_RESOURCE_ARN);
pub static POSITIVE_INTEGER: Shape = shape("PositiveInteger", Kind::Integer).min(1);
pub static PRINCIPAL: Shape = shape("Principal", Kind::String).min(0).max(2048).pattern(&PATTERN_HANDLER);
pub static PRINCIPAL_ORG_ID: Shape = shape("PrincipalOrgID", Kind::String).min(12).max(34).pattern(&PATTERN_ORGANIZATION_ID);
pub static PROPAGATE_TAGS: Shape = shape("PropagateTags", Kind::Structure(&[optional("Mode", Body, &PROPAGATE_TAGS_MODE), optional("ExplicitTags", Body, &PROPAGATE_TAGS_EXPLICIT_TAGS_MAP)]));

pub static PROPAGATE_TAGS_EXPLICIT_TAGS_MAP: Shape = shape("PropagateTagsExplicitTagsMap", Kind::Map(&TAG_KEY, &TAG_VALUE)).min(0).max(40);
pub static PROPAGATE_TAGS_MODE: Shape = shape("PropagateTagsMode", Kind::Enum(&["Explicit", "None"]));
pub static PROVISIONED_POLLER_CONFIG: Shape = shape(
    "ProvisionedPollerConfig",
    Kind::Structure(&[optional("MinimumPollers", Body, &MINIMUM_NUMBER_OF_POLLERS), optional("MaximumPollers", Body, &MAXIMUM_NUMBER_OF_POLLERS), optional("PollerGroupName", Body, &PROVISIONED_POLLER_GROUP_NAME)]),
);

pub static PROVISIONED_POLLER_GROUP_NAME: Shape = shape("ProvisionedPollerGroupName", Kind::String).min(0).max(128).pattern(&PATTERN_PROVISIONED_POLLER_GROUP_NAME);
pub static PUBLISH_LAYER_VERSION_REQUEST: Shape = shape(
    "PublishLayerVersionRequest",
    Kind::Structure(&[
        required("LayerName", Path("LayerName"), &LAYER_NAME_OR_ARN),
        optional("Description", Body, &DESCRIPTION),
        required("Content", Body, &LAYER_VERSION_CONTENT_INPUT),
        optional("CompatibleArchitectures", Body, &COMPATIBLE_ARCHITECTURES),
        optional("CompatibleRuntimes", Body, &COMPATIBLE_RUNTIMES),
        optional("LicenseInfo", Body, &LICENSE_INFO),
    ]),
);

pub static PUBLISH_VERSION_REQUEST: Shape = shape(
    "PublishVersionRequest",
    Kind::Structure(&[
        required("FunctionName", Path("FunctionName"), &FUNCTION_NAME),
        optional("CodeSha256", Body, &STRING),
        optional("Description", Body, &DESCRIPTION),
        optional("RevisionId", Body, &STRING),
        optional("PublishTo", Body, &FUNCTION_VERSION_LATEST_PUBLISHED),
    ]),
);

pub static PUBLISHED_FUNCTION_QUALIFIER: Shape = shape("PublishedFunctionQualifier", Kind::String).min(1).max(128).pattern(&PATTERN_PUBLISHED_FUNCTION_QUALIFIER);
pub static PUT_FUNCTION_CODE_SIGNING_CONFIG_REQUEST: Shape =
    shape("PutFunctionCodeSigningConfigRequest", Kind::Structure(&[required("CodeSigningConfigArn", Body, &CODE_SIGNING_CONFIG_ARN), required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME)]));

pub static PUT_FUNCTION_CONCURRENCY_REQUEST: Shape =
    shape("PutFunctionConcurrencyRequest", Kind::Structure(&[required("FunctionName", Path("FunctionName"), &FUNCTION_NAME), required("ReservedConcurrentExecutions", Body, &RESERVED_CONCURRENT_EXECUTIONS)]));

pub static PUT_FUNCTION_EVENT_INVOKE_CONFIG_REQUEST: Shape = shape(
    "PutFunctionEventInvokeConfigRequest",
    Kind::Structure(&[
        required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME),
        optional("Qualifier", Query("Qualifier"), &NUMERIC_LATEST_PUBLISHED_OR_ALIAS_QUALIFIER),
        optional("MaximumRetryAttempts", Body, &MAXIMUM_RETRY_ATTEMPTS),
        optional("MaximumEventAgeInSeconds", Body, &MAXIMUM_EVENT_AGE_IN_SECONDS),
        optional("DestinationConfig", Body, &DESTINATION_CONFIG),
    ]),
);

pub static PUT_FUNCTION_RECURSION_CONFIG_REQUEST: Shape =
    shape("PutFunctionRecursionConfigRequest", Kind::Structure(&[required("FunctionName", Path("FunctionName"), &UNQUALIFIED_FUNCTION_NAME), required("RecursiveLoop", Body, &RECURSIVE_LOOP)]));

pub static PUT_FUNCTION_SCALING_CONFIG_REQUEST: Shape = shape(
    "PutFunctionScalingConfigRequest",
    Kind::Structure(&[
        required("FunctionName", Path("FunctionName"), &UNQUALIFIED_FUNCTION_NAME),
        required("Qualifier", Query("Qualifier"), &PUBLISHED_FUNCTION_QUALIFIER),
        optional("FunctionScalingConfig", Body, &FUNCTION_SCALING_CONFIG),
    ]),
);

pub static PUT_PROVISIONED_CONCURRENCY_CONFIG_REQUEST: Shape = shape(
    "PutProvisionedConcurrencyConfigRequest",
    Kind::Structure(&[required("FunctionName", Path("FunctionName"), &FUNCTION_NAME), required("Qualifier", Query("Qualifier"), &QUALIFIER), required("ProvisionedConcurrentExecutions", Body, &POSITIVE_INTEGER)]),
);

pub static PUT_RESOURCE_POLICY_REQUEST: Shape =
    shape("PutResourcePolicyRequest", Kind::Structure(&[required("ResourceArn", Path("ResourceArn"), &POLICY_RESOURCE_ARN), required("Policy", Body, &RESOURCE_POLICY), optional("RevisionId", Body, &REVISION_ID)]));

pub static PUT_RUNTIME_MANAGEMENT_CONFIG_REQUEST: Shape = shape(
    "PutRuntimeManagementConfigRequest",
    Kind::Structure(&[
        required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME),
        optional("Qualifier", Query("Qualifier"), &NUMERIC_LATEST_PUBLISHED_OR_ALIAS_QUALIFIER),
        required("UpdateRuntimeOn", Body, &UPDATE_RUNTIME_ON),
        optional("RuntimeVersionArn", Body, &RUNTIME_VERSION_ARN),
    ]),
);

pub static QUALIFIER: Shape = shape("Qualifier", Kind::String).min(1).max(128).pattern(&PATTERN_QUALIFIER);
pub static QUEUE: Shape = shape("Queue", Kind::String).min(1).max(1000).pattern(&PATTERN_PATTERN);
pub static QUEUES: Shape = shape("Queues", Kind::List(&QUEUE)).min(1).max(1);
pub static RECURSIVE_LOOP: Shape = shape("RecursiveLoop", Kind::Enum(&["Terminate", "Allow"]));
pub static REMOVE_LAYER_VERSION_PERMISSION_REQUEST: Shape = shape(
    "RemoveLayerVersionPermissionRequest",
    Kind::Structure(&[
        required("LayerName", Path("LayerName"), &LAYER_NAME_OR_ARN),
        required("VersionNumber", Path("VersionNumber"), &LAYER_VERSION_NUMBER),
        required("StatementId", Path("StatementId"), &STATEMENT_ID),
        optional("RevisionId", Query("RevisionId"), &STRING),
    ]),
);

pub static REMOVE_PERMISSION_REQUEST: Shape = shape(
    "RemovePermissionRequest",
    Kind::Structure(&[
        required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME),
        required("StatementId", Path("StatementId"), &NAMESPACED_STATEMENT_ID),
        optional("Qualifier", Query("Qualifier"), &NUMERIC_LATEST_PUBLISHED_OR_ALIAS_QUALIFIER),
        optional("RevisionId", Query("RevisionId"), &STRING),
    ]),
);

pub static REPLAY_CHILDREN: Shape = shape("ReplayChildren", Kind::Boolean);
pub static RESERVED_CONCURRENT_EXECUTIONS: Shape = shape("ReservedConcurrentExecutions", Kind::Integer).min(0);
pub static RESOURCE_ARN: Shape = shape("ResourceArn", Kind::String).min(0).max(10_000).pattern(&PATTERN_KMS_KEY_ARN);
pub static RESOURCE_POLICY: Shape = shape("ResourcePolicy", Kind::String).min(1).max(20_480).pattern(&PATTERN_RESOURCE_POLICY);
pub static RESPONSE_STREAMING_INVOCATION_TYPE: Shape = shape("ResponseStreamingInvocationType", Kind::Enum(&["DryRun", "RequestResponse"]));
pub static RESUME_DURABLE_EXECUTION_REQUEST: Shape = shape(
    "ResumeDurableExecutionRequest",
    Kind::Structure(&[required("DurableExecutionArn", Path("DurableExecutionArn"), &DURABLE_EXECUTION_ARN), optional("ClientToken", Body, &CLIENT_TOKEN), optional("Reason", Body, &RESUME_REASON)]),
);

pub static RESUME_REASON: Shape = shape("ResumeReason", Kind::String).min(0).max(1024).sensitive();
pub static RETENTION_PERIOD_IN_DAYS: Shape = shape("RetentionPeriodInDays", Kind::Integer).min(1).max(90);
pub static REVERSE_ORDER: Shape = shape("ReverseOrder", Kind::Boolean);
pub static REVISION_ID: Shape = shape("RevisionId", Kind::String).min(36).max(36).pattern(&PATTERN_REVISION_ID);
pub static ROLE_ARN: Shape = shape("RoleArn", Kind::String).min(0).max(10_000).pattern(&PATTERN_ROLE_ARN);
pub static RUNTIME: Shape = shape(
    "Runtime",
    Kind::Enum(&[
        "dotnetcore1.0",
        "python3.7",
        "nodejs8.10",
        "ruby2.7",
        "dotnetcore2.0",
        "python3.8",
        "java21",
        "java8.al2023",
        "dotnet6",
        "dotnetcore2.1",
        "python3.9",
        "java11",
        "nodejs6.10",
        "provided",
        "dotnetcore3.1",
        "dotnet8",
        "java25",
        "java17",
        "nodejs",
        "nodejs4.3",
        "java8.al2",
        "java17.al2023",
        "custom",
        "go1.x",
        "dotnet10",
        "nodejs20.x",
        "nodejs10.x",
        "provided.al2023",
        "nodejs22.x",
        "java11.al2023",
        "python3.10",
        "java8",
        "nodejs12.x",
        "python3.11",
        "nodejs24.x",
        "python3.12",
        "nodejs14.x",
        "nodejs26.x",
        "python3.13",
        "python3.14",
        "nodejs16.x",
        "python3.15",
        "provided.al2",
        "ruby4.0",
        "nodejs4.3-edge",
        "nodejs18.x",
        "ruby3.2",
        "ruby3.3",
        "ruby3.4",
        "ruby2.5",
        "python3.6",
        "python2.7",
    ]),
);
pub static RUNTIME_VERSION_ARN: Shape = shape("RuntimeVersionArn", Kind::String).min(26).max(2048).pattern(&PATTERN_RUNTIME_VERSION_ARN);
pub static S3_BUCKET: Shape = shape("S3Bucket", Kind::String).min(3).max(63).pattern(&PATTERN_S3_BUCKET);
pub static S3_FILES_CONFIG: Shape = shape("S3FilesConfig", Kind::Structure(&[optional("DirectS3Read", Body, &DIRECT_S3_READ)]));

pub static S3_KEY: Shape = shape("S3Key", Kind::String).min(1).max(1024).pattern(&PATTERN_HEADER);
pub static S3_OBJECT_STORAGE_MODE: Shape = shape("S3ObjectStorageMode", Kind::Enum(&["REFERENCE", "COPY"]));
pub static S3_OBJECT_VERSION: Shape = shape("S3ObjectVersion", Kind::String).min(1).max(1024).pattern(&PATTERN_HEADER);
pub static SCALING_CONFIG: Shape = shape("ScalingConfig", Kind::Structure(&[optional("MaximumConcurrency", Body, &MAXIMUM_CONCURRENCY)]));

pub static SCHEMA_REGISTRY_EVENT_RECORD_FORMAT: Shape = shape("SchemaRegistryEventRecordFormat", Kind::Enum(&["JSON", "SOURCE"]));
pub static SCHEMA_REGISTRY_URI: Shape = shape("SchemaRegistryUri", Kind::String).min(1).max(10_000).pattern(&PATTERN_SCHEMA_REGISTRY_URI);
pub static SECURITY_GROUP_ID: Shape = shape("SecurityGroupId", Kind::String).min(0).max(1024).pattern(&PATTERN_SECURITY_GROUP_ID);
pub static SECURITY_GROUP_IDS: Shape = shape("SecurityGroupIds", Kind::List(&SECURITY_GROUP_ID)).min(0).max(5);
pub static SELF_MANAGED_EVENT_SOURCE: Shape = shape("SelfManagedEventSource", Kind::Structure(&[optional("Endpoints", Body, &ENDPOINTS)]));

pub static SELF_MANAGED_KAFKA_EVENT_SOURCE_CONFIG: Shape = shape(
    "SelfManagedKafkaEventSourceConfig",
    Kind::Structure(&[optional("ConsumerGroupId", Body, &URI), optional("SchemaRegistryConfig", Body, &KAFKA_SCHEMA_REGISTRY_CONFIG), optional("ConsumptionMode", Body, &KAFKA_EVENT_SOURCE_MAPPING_CONSUMPTION_MODE)]),
);

pub static SEND_DURABLE_EXECUTION_CALLBACK_FAILURE_REQUEST: Shape =
    shape("SendDurableExecutionCallbackFailureRequest", Kind::Structure(&[required("CallbackId", Path("CallbackId"), &CALLBACK_ID), optional("Error", Payload, &ERROR_OBJECT)]));

pub static SEND_DURABLE_EXECUTION_CALLBACK_HEARTBEAT_REQUEST: Shape = shape("SendDurableExecutionCallbackHeartbeatRequest", Kind::Structure(&[required("CallbackId", Path("CallbackId"), &CALLBACK_ID)]));

pub static SEND_DURABLE_EXECUTION_CALLBACK_SUCCESS_REQUEST: Shape =
    shape("SendDurableExecutionCallbackSuccessRequest", Kind::Structure(&[required("CallbackId", Path("CallbackId"), &CALLBACK_ID), optional("Result", Payload, &BINARY_OPERATION_PAYLOAD)]));

pub static SIGNING_PROFILE_VERSION_ARNS: Shape = shape("SigningProfileVersionArns", Kind::List(&ARN)).min(1).max(20);
pub static SNAP_START: Shape = shape("SnapStart", Kind::Structure(&[optional("ApplyOn", Body, &SNAP_START_APPLY_ON)]));

pub static SNAP_START_APPLY_ON: Shape = shape("SnapStartApplyOn", Kind::Enum(&["PublishedVersions", "None"]));
pub static SOURCE_ACCESS_CONFIGURATION: Shape = shape("SourceAccessConfiguration", Kind::Structure(&[optional("Type", Body, &SOURCE_ACCESS_TYPE), optional("URI", Body, &URI)]));

pub static SOURCE_ACCESS_CONFIGURATIONS: Shape = shape("SourceAccessConfigurations", Kind::List(&SOURCE_ACCESS_CONFIGURATION)).min(0).max(23);
pub static SOURCE_ACCESS_TYPE: Shape = shape(
    "SourceAccessType",
    Kind::Enum(&[
        "CLIENT_CERTIFICATE_TLS_AUTH",
        "OAUTHBEARER_AUDIENCE",
        "OAUTHBEARER_SCOPE",
        "OAUTHBEARER_AUTH",
        "IAM_AUTH",
        "VPC_SUBNET",
        "OAUTHBEARER_IDENTITY_POOL",
        "VPC_SECURITY_GROUP",
        "SERVER_ROOT_CA_CERTIFICATE",
        "IAM_OAUTHBEARER_AUTH",
        "BASIC_AUTH",
        "SASL_SCRAM_512_AUTH",
        "VIRTUAL_HOST",
        "OAUTHBEARER_LOGICAL_CLUSTER",
        "SASL_SCRAM_256_AUTH",
    ]),
);
pub static SOURCE_OWNER: Shape = shape("SourceOwner", Kind::String).min(0).max(12).pattern(&PATTERN_SOURCE_OWNER);
pub static STACK_TRACE_ENTRIES: Shape = shape("StackTraceEntries", Kind::List(&STACK_TRACE_ENTRY));
pub static STACK_TRACE_ENTRY: Shape = shape("StackTraceEntry", Kind::String).sensitive();
pub static STATEMENT_ID: Shape = shape("StatementId", Kind::String).min(1).max(100).pattern(&PATTERN_STATEMENT_ID);
pub static STEP_OPTIONS: Shape = shape("StepOptions", Kind::Structure(&[optional("NextAttemptDelaySeconds", Body, &STEP_OPTIONS_NEXT_ATTEMPT_DELAY_SECONDS_INTEGER)]));

pub static STEP_OPTIONS_NEXT_ATTEMPT_DELAY_SECONDS_INTEGER: Shape = shape("StepOptionsNextAttemptDelaySecondsInteger", Kind::Integer).min(1).max(31_622_400);
pub static STOP_DURABLE_EXECUTION_REQUEST: Shape =
    shape("StopDurableExecutionRequest", Kind::Structure(&[required("DurableExecutionArn", Path("DurableExecutionArn"), &DURABLE_EXECUTION_ARN), optional("Error", Payload, &ERROR_OBJECT)]));

pub static STRING: Shape = shape("String", Kind::String);
pub static STRING_LIST: Shape = shape("StringList", Kind::List(&STRING)).min(0).max(1500);
pub static SUBNET_ID: Shape = shape("SubnetId", Kind::String).min(0).max(1024).pattern(&PATTERN_SUBNET_ID);
pub static SUBNET_IDS: Shape = shape("SubnetIds", Kind::List(&SUBNET_ID)).min(0).max(16);
pub static SYSTEM_LOG_LEVEL: Shape = shape("SystemLogLevel", Kind::Enum(&["WARN", "INFO", "DEBUG"]));
pub static TAG_KEY: Shape = shape("TagKey", Kind::String).min(1).max(128).pattern(&PATTERN_TAG_KEY);
pub static TAG_KEY_LIST: Shape = shape("TagKeyList", Kind::List(&TAG_KEY));
pub static TAG_RESOURCE_REQUEST: Shape = shape("TagResourceRequest", Kind::Structure(&[required("Resource", Path("Resource"), &TAGGABLE_RESOURCE), required("Tags", Body, &TAGS)]));

pub static TAG_VALUE: Shape = shape("TagValue", Kind::String).min(0).max(256).pattern(&PATTERN_TAG_KEY);
pub static TAGGABLE_RESOURCE: Shape = shape("TaggableResource", Kind::String).min(1).max(10_000).pattern(&PATTERN_TAGGABLE_RESOURCE);
pub static TAGS: Shape = shape("Tags", Kind::Map(&TAG_KEY, &TAG_VALUE));
pub static TARGET_TRACKING_SCALING_POLICY: Shape =
    shape("TargetTrackingScalingPolicy", Kind::Structure(&[required("PredefinedMetricType", Body, &CAPACITY_PROVIDER_PREDEFINED_METRIC_TYPE), required("TargetValue", Body, &METRIC_TARGET_VALUE)]));

pub static TENANCY_CONFIG: Shape = shape("TenancyConfig", Kind::Structure(&[required("TenantIsolationMode", Body, &TENANT_ISOLATION_MODE)]));

pub static TENANT_ID: Shape = shape("TenantId", Kind::String).min(1).max(256).pattern(&PATTERN_TENANT_ID);
pub static TENANT_ISOLATION_MODE: Shape = shape("TenantIsolationMode", Kind::Enum(&["PER_TENANT"]));
pub static TIMEOUT: Shape = shape("Timeout", Kind::Integer).min(1).max(5400);
pub static TOPIC: Shape = shape("Topic", Kind::String).min(1).max(249).pattern(&PATTERN_TOPIC);
pub static TOPICS: Shape = shape("Topics", Kind::List(&TOPIC)).min(1).max(1);
pub static TRACING_CONFIG: Shape = shape("TracingConfig", Kind::Structure(&[optional("Mode", Body, &TRACING_MODE)]));

pub static TRACING_MODE: Shape = shape("TracingMode", Kind::Enum(&["Active", "PassThrough"]));
pub static TUMBLING_WINDOW_IN_SECONDS: Shape = shape("TumblingWindowInSeconds", Kind::Integer).min(0).max(900);
pub static URI: Shape = shape("URI", Kind::String).min(1).max(200).pattern(&PATTERN_URI);
pub static UUID_STRING: Shape = shape("UUIDString", Kind::String).min(36).max(36);
pub static UNQUALIFIED_FUNCTION_NAME: Shape = shape("UnqualifiedFunctionName", Kind::String).min(1).max(140).pattern(&PATTERN_UNQUALIFIED_FUNCTION_NAME);
pub static UNTAG_RESOURCE_REQUEST: Shape = shape("UntagResourceRequest", Kind::Structure(&[required("Resource", Path("Resource"), &TAGGABLE_RESOURCE), required("TagKeys", Query("tagKeys"), &TAG_KEY_LIST)]));

pub static UPDATE_ALIAS_REQUEST: Shape = shape(
    "UpdateAliasRequest",
    Kind::Structure(&[
        required("FunctionName", Path("FunctionName"), &FUNCTION_NAME),
        required("Name", Path("Name"), &ALIAS),
        optional("FunctionVersion", Body, &VERSION_WITH_LATEST_PUBLISHED),
        optional("Description", Body, &DESCRIPTION),
        optional("RoutingConfig", Body, &ALIAS_ROUTING_CONFIGURATION),
        optional("RevisionId", Body, &STRING),
    ]),
);

pub static UPDATE_CAPACITY_PROVIDER_REQUEST: Shape = shape(
    "UpdateCapacityProviderRequest",
    Kind::Structure(&[
        required("CapacityProviderName", Path("CapacityProviderName"), &CAPACITY_PROVIDER_NAME),
        optional("CapacityProviderScalingConfig", Body, &CAPACITY_PROVIDER_SCALING_CONFIG),
        optional("PropagateTags", Body, &PROPAGATE_TAGS),
        optional("TelemetryConfig", Body, &CAPACITY_PROVIDER_TELEMETRY_CONFIG),
    ]),
);

pub static UPDATE_CODE_SIGNING_CONFIG_REQUEST: Shape = shape(
    "UpdateCodeSigningConfigRequest",
    Kind::Structure(&[
        required("CodeSigningConfigArn", Path("CodeSigningConfigArn"), &CODE_SIGNING_CONFIG_ARN),
        optional("Description", Body, &DESCRIPTION),
        optional("AllowedPublishers", Body, &ALLOWED_PUBLISHERS),
        optional("CodeSigningPolicies", Body, &CODE_SIGNING_POLICIES),
    ]),
);

pub static UPDATE_EVENT_SOURCE_MAPPING_REQUEST: Shape = shape(
    "UpdateEventSourceMappingRequest",
    Kind::Structure(&[
        required("UUID", Path("UUID"), &UUID_STRING),
        optional("FunctionName", Body, &NAMESPACED_FUNCTION_NAME),
        optional("Enabled", Body, &ENABLED),
        optional("BatchSize", Body, &BATCH_SIZE),
        optional("FilterCriteria", Body, &FILTER_CRITERIA),
        optional("KMSKeyArn", Body, &KMS_KEY_ARN),
        optional("MetricsConfig", Body, &EVENT_SOURCE_MAPPING_METRICS_CONFIG),
        optional("LoggingConfig", Body, &EVENT_SOURCE_MAPPING_LOGGING_CONFIG),
        optional("ScalingConfig", Body, &SCALING_CONFIG),
        optional("MaximumBatchingWindowInSeconds", Body, &MAXIMUM_BATCHING_WINDOW_IN_SECONDS),
        optional("ParallelizationFactor", Body, &PARALLELIZATION_FACTOR),
        optional("DestinationConfig", Body, &DESTINATION_CONFIG),
        optional("MaximumRecordAgeInSeconds", Body, &MAXIMUM_RECORD_AGE_IN_SECONDS),
        optional("BisectBatchOnFunctionError", Body, &BISECT_BATCH_ON_FUNCTION_ERROR),
        optional("MaximumRetryAttempts", Body, &MAXIMUM_RETRY_ATTEMPTS_EVENT_SOURCE_MAPPING),
        optional("TumblingWindowInSeconds", Body, &TUMBLING_WINDOW_IN_SECONDS),
        optional("SourceAccessConfigurations", Body, &SOURCE_ACCESS_CONFIGURATIONS),
        optional("FunctionResponseTypes", Body, &FUNCTION_RESPONSE_TYPE_LIST),
        optional("AmazonManagedKafkaEventSourceConfig", Body, &AMAZON_MANAGED_KAFKA_EVENT_SOURCE_CONFIG),
        optional("SelfManagedKafkaEventSourceConfig", Body, &SELF_MANAGED_KAFKA_EVENT_SOURCE_CONFIG),
        optional("DocumentDBEventSourceConfig", Body, &DOCUMENT_DB_EVENT_SOURCE_CONFIG),
        optional("ProvisionedPollerConfig", Body, &PROVISIONED_POLLER_CONFIG),
    ]),
);

pub static UPDATE_FUNCTION_CODE_REQUEST: Shape = shape(
    "UpdateFunctionCodeRequest",
    Kind::Structure(&[
        required("FunctionName", Path("FunctionName"), &FUNCTION_NAME),
        optional("ZipFile", Body, &BLOB),
        optional("S3Bucket", Body, &S3_BUCKET),
        optional("S3Key", Body, &S3_KEY),
        optional("S3ObjectVersion", Body, &S3_OBJECT_VERSION),
        optional("S3ObjectStorageMode", Body, &S3_OBJECT_STORAGE_MODE),
        optional("ImageUri", Body, &STRING),
        optional("Architectures", Body, &ARCHITECTURES_LIST),
        optional("Publish", Body, &BOOLEAN),
        optional("PublishTo", Body, &FUNCTION_VERSION_LATEST_PUBLISHED),
        optional("DryRun", Body, &BOOLEAN),
        optional("RevisionId", Body, &STRING),
        optional("SourceKMSKeyArn", Body, &KMS_KEY_ARN),
    ]),
);

pub static UPDATE_FUNCTION_CONFIGURATION_REQUEST: Shape = shape(
    "UpdateFunctionConfigurationRequest",
    Kind::Structure(&[
        required("FunctionName", Path("FunctionName"), &FUNCTION_NAME),
        optional("Role", Body, &ROLE_ARN),
        optional("Handler", Body, &HANDLER),
        optional("Description", Body, &DESCRIPTION),
        optional("Timeout", Body, &TIMEOUT),
        optional("MemorySize", Body, &MEMORY_SIZE),
        optional("VpcConfig", Body, &VPC_CONFIG),
        optional("Environment", Body, &ENVIRONMENT),
        optional("Runtime", Body, &STRING),
        optional("DeadLetterConfig", Body, &DEAD_LETTER_CONFIG),
        optional("KMSKeyArn", Body, &KMS_KEY_ARN),
        optional("TracingConfig", Body, &TRACING_CONFIG),
        optional("RevisionId", Body, &STRING),
        optional("Layers", Body, &LAYER_LIST),
        optional("FileSystemConfigs", Body, &FILE_SYSTEM_CONFIG_LIST),
        optional("ImageConfig", Body, &IMAGE_CONFIG),
        optional("EphemeralStorage", Body, &EPHEMERAL_STORAGE),
        optional("SnapStart", Body, &SNAP_START),
        optional("LoggingConfig", Body, &LOGGING_CONFIG),
        optional("CapacityProviderConfig", Body, &CAPACITY_PROVIDER_CONFIG),
        optional("DurableConfig", Body, &DURABLE_CONFIG),
        optional("RuntimeConfig", Body, &FUNCTION_RUNTIME_CONFIG),
        optional("AcceleratorConfig", Body, &ACCELERATOR_CONFIG),
    ]),
);

pub static UPDATE_FUNCTION_EVENT_INVOKE_CONFIG_REQUEST: Shape = shape(
    "UpdateFunctionEventInvokeConfigRequest",
    Kind::Structure(&[
        required("FunctionName", Path("FunctionName"), &NAMESPACED_FUNCTION_NAME),
        optional("Qualifier", Query("Qualifier"), &NUMERIC_LATEST_PUBLISHED_OR_ALIAS_QUALIFIER),
        optional("MaximumRetryAttempts", Body, &MAXIMUM_RETRY_ATTEMPTS),
        optional("MaximumEventAgeInSeconds", Body, &MAXIMUM_EVENT_AGE_IN_SECONDS),
        optional("DestinationConfig", Body, &DESTINATION_CONFIG),
    ]),
);

pub static UPDATE_FUNCTION_URL_CONFIG_REQUEST: Shape = shape(
    "UpdateFunctionUrlConfigRequest",
    Kind::Structure(&[
        required("FunctionName", Path("FunctionName"), &FUNCTION_URL_FUNCTION_NAME),
        optional("Qualifier", Query("Qualifier"), &FUNCTION_URL_QUALIFIER),
        optional("AuthType", Body, &FUNCTION_URL_AUTH_TYPE),
        optional("Cors", Body, &CORS),
        optional("InvokeMode", Body, &INVOKE_MODE),
    ]),
);

pub static UPDATE_RUNTIME_ON: Shape = shape("UpdateRuntimeOn", Kind::Enum(&["FunctionUpdate", "Manual", "Auto"]));
pub static VERSION_WITH_LATEST_PUBLISHED: Shape = shape("VersionWithLatestPublished", Kind::String).min(1).max(1024).pattern(&PATTERN_VERSION_WITH_LATEST_PUBLISHED);
pub static VPC_CONFIG: Shape =
    shape("VpcConfig", Kind::Structure(&[optional("SubnetIds", Body, &SUBNET_IDS), optional("SecurityGroupIds", Body, &SECURITY_GROUP_IDS), optional("Ipv6AllowedForDualStack", Body, &NULLABLE_BOOLEAN)]));

pub static WAIT_OPTIONS: Shape = shape("WaitOptions", Kind::Structure(&[optional("WaitSeconds", Body, &WAIT_OPTIONS_WAIT_SECONDS_INTEGER)]));

pub static WAIT_OPTIONS_WAIT_SECONDS_INTEGER: Shape = shape("WaitOptionsWaitSecondsInteger", Kind::Integer).min(1).max(31_622_400);
pub static WEIGHT: Shape = shape("Weight", Kind::Double).min(0).max(1);
pub static WORKING_DIRECTORY: Shape = shape("WorkingDirectory", Kind::String).min(0).max(1000);
pub static X_AMZN_TRACE_ID: Shape = shape("XAmznTraceId", Kind::String).min(0).max(8192);
