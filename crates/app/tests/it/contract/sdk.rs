//! The official Rust SDK. It is typed, so each operation has its lines here: which setter takes which member of the
//! input, and which members of the answer are shown.

use std::collections::HashMap;

use aws_sdk_lambda::config::http::HttpResponse;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvokeWithResponseStreamResponseEvent as Event;
use aws_sdk_lambda::types::{AliasRoutingConfiguration, Environment, FunctionCode, LayerVersionContentInput};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use super::{Client, Refused, Told};
use crate::engine_process::Engine;

pub(super) struct Sdk {
    client: aws_sdk_lambda::Client,
    runtime: Runtime,
}

impl Sdk {
    pub(super) fn new(engine: &Engine) -> Self {
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let config = aws_sdk_lambda::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .endpoint_url(engine.endpoint())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "the test"))
            // One attempt: what the engine answers is seen as it is.
            .retry_config(RetryConfig::disabled())
            .build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { client: aws_sdk_lambda::Client::from_conf(config), runtime }
    }
}

/// A member of the input in the type that its setter takes.
trait Taken: Sized {
    fn taken(value: &Value) -> Self;
}

macro_rules! taken {
    ($($type:ty: $value:ident => $read:expr;)+) => {
        $(impl Taken for $type {
            fn taken($value: &Value) -> Self {
                $read
            }
        })+
    };
}

taken! {
    String: value => value.as_str().unwrap().to_owned();
    i32: value => i32::try_from(value.as_i64().unwrap()).unwrap();
    i64: value => value.as_i64().unwrap();
    bool: value => value.as_bool().unwrap();
    LayerVersionContentInput: value => {
        LayerVersionContentInput::builder().zip_file(Blob::taken(&value["ZipFile"])).build()
    };
    aws_sdk_lambda::types::Architecture: value => value.as_str().unwrap().into();
    aws_sdk_lambda::types::ResponseStreamingInvocationType: value => value.as_str().unwrap().into();
    Blob: value => Blob::new(data_encoding::BASE64.decode(value["base64"].as_str().unwrap().as_bytes()).unwrap());
    FunctionCode: value => FunctionCode::builder().zip_file(Blob::taken(&value["ZipFile"])).build();
    Environment: value => Environment::builder().set_variables(Some(HashMap::taken(&value["Variables"]))).build();
    HashMap<String, String>: value => {
        value.as_object().unwrap().iter().map(|(key, value)| (key.clone(), String::taken(value))).collect()
    };
    AliasRoutingConfiguration: value => {
        let weights = value["AdditionalVersionWeights"].as_object().unwrap();
        let weights = weights.iter().map(|(version, weight)| (version.clone(), weight.as_f64().unwrap())).collect();
        AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights)).build()
    };
    aws_sdk_lambda::types::Runtime: value => value.as_str().unwrap().into();
    aws_sdk_lambda::types::InvocationType: value => value.as_str().unwrap().into();
    aws_sdk_lambda::types::LogType: value => value.as_str().unwrap().into();
    aws_sdk_lambda::types::FunctionVersion: value => value.as_str().unwrap().into();
    aws_sdk_lambda::types::RecursiveLoop: value => value.as_str().unwrap().into();
}

impl<T: Taken> Taken for Vec<T> {
    fn taken(value: &Value) -> Self {
        value.as_array().unwrap().iter().map(T::taken).collect()
    }
}

/// What a client can see of a member of an answer.
trait Shown {
    fn shown(&self) -> Value;
}

macro_rules! shown {
    ($($type:ty: $value:ident => $show:expr;)+) => {
        $(impl Shown for $type {
            fn shown(&self) -> Value {
                let $value = self;
                $show
            }
        })+
    };
}

shown! {
    str: value => value.into();
    String: value => value.as_str().into();
    i32: value => (*value).into();
    i64: value => (*value).into();
    Option<i32>: value => json!(value);
    aws_sdk_lambda::types::RecursiveLoop: value => value.as_str().into();
    aws_sdk_lambda::types::ProvisionedConcurrencyStatusEnum: value => value.as_str().into();
    aws_sdk_lambda::types::ProvisionedConcurrencyConfigListItem: value => {
        provisioned!(value, { "FunctionArn" => function_arn })
    };
    aws_sdk_lambda::types::FunctionEventInvokeConfig: value => event_invoke!(value);
    aws_sdk_lambda::types::AccountLimit: value => members!(value, {
        "TotalCodeSize" => total_code_size, "CodeSizeUnzipped" => code_size_unzipped,
        "CodeSizeZipped" => code_size_zipped, "ConcurrentExecutions" => concurrent_executions,
        "UnreservedConcurrentExecutions" => unreserved_concurrent_executions,
    });
    aws_sdk_lambda::types::AccountUsage: value => members!(value, { "FunctionCount" => function_count });
    Blob: value => String::from_utf8(value.as_ref().to_vec()).unwrap().into();
    aws_sdk_lambda::types::Runtime: value => value.as_str().into();
    aws_sdk_lambda::types::State: value => value.as_str().into();
    aws_sdk_lambda::types::LastUpdateStatus: value => value.as_str().into();
    aws_sdk_lambda::types::PackageType: value => value.as_str().into();
    aws_sdk_lambda::types::EnvironmentResponse: value => json!({"Variables": value.variables()});
    aws_sdk_lambda::types::FunctionCodeLocation: value => members!(value, {
        "RepositoryType" => repository_type, "Location" => location,
    });
    aws_sdk_lambda::types::FunctionConfiguration: value => configuration!(value);
    HashMap<String, String>: value => json!(value);
    aws_sdk_lambda::types::Architecture: value => value.as_str().into();
    aws_sdk_lambda::types::LayersListItem: value => members!(value, {
        "LayerName" => layer_name, "LayerArn" => layer_arn, "LatestMatchingVersion" => latest_matching_version,
    });
    aws_sdk_lambda::types::LayerVersionsListItem: value => layer!(value, {});
    aws_sdk_lambda::types::LayerVersionContentOutput: value => members!(value, {
        "Location" => location, "CodeSha256" => code_sha256, "CodeSize" => code_size,
    });
    aws_sdk_lambda::types::AliasConfiguration: value => alias!(value);
    aws_sdk_lambda::types::AliasRoutingConfiguration: value => {
        json!({"AdditionalVersionWeights": value.additional_version_weights()})
    };
}

impl<T: Shown + ?Sized> Shown for Option<&T> {
    fn shown(&self) -> Value {
        self.map_or(Value::Null, Shown::shown)
    }
}

impl<T: Shown> Shown for &[T] {
    fn shown(&self) -> Value {
        self.iter().map(Shown::shown).collect()
    }
}

/// Members of an answer, each by its accessor.
macro_rules! members {
    ($from:expr, { $($name:literal => $accessor:ident),* $(,)? }) => {
        json!({ $($name: Shown::shown(&$from.$accessor())),* })
    };
}
use members;

/// A function's configuration, which the SDK has as a type of its own for each operation.
macro_rules! configuration {
    ($from:expr) => {
        members!($from, {
            "FunctionName" => function_name, "FunctionArn" => function_arn, "Runtime" => runtime, "Role" => role,
            "Handler" => handler, "CodeSize" => code_size, "Description" => description, "Timeout" => timeout,
            "MemorySize" => memory_size, "LastModified" => last_modified, "CodeSha256" => code_sha256,
            "Version" => version, "Environment" => environment, "RevisionId" => revision_id, "State" => state,
            "StateReason" => state_reason, "LastUpdateStatus" => last_update_status, "PackageType" => package_type,
        })
    };
}
use configuration;

/// An alias, likewise.
macro_rules! alias {
    ($from:expr) => {
        members!($from, {
            "AliasArn" => alias_arn, "Name" => name, "FunctionVersion" => function_version,
            "Description" => description, "RoutingConfig" => routing_config, "RevisionId" => revision_id,
        })
    };
}
use alias;

/// A version of a layer, with what not all answers have.
macro_rules! layer {
    ($from:expr, { $($name:literal => $accessor:ident),* }) => {
        members!($from, {
            "LayerVersionArn" => layer_version_arn, "Version" => version, "Description" => description,
            "CreatedDate" => created_date, "CompatibleArchitectures" => compatible_architectures,
            "CompatibleRuntimes" => compatible_runtimes, "LicenseInfo" => license_info, $($name => $accessor),*
        })
    };
}
use layer;

/// Provisioned concurrency, likewise.
macro_rules! provisioned {
    ($from:expr, { $($name:literal => $accessor:ident),* }) => {
        members!($from, {
            "RequestedProvisionedConcurrentExecutions" => requested_provisioned_concurrent_executions,
            "AvailableProvisionedConcurrentExecutions" => available_provisioned_concurrent_executions,
            "Status" => status, "LastModified" => last_modified, $($name => $accessor),*
        })
    };
}
use provisioned;

/// What holds for a function's events, likewise.
macro_rules! event_invoke {
    ($from:expr) => {
        members!($from, {
            "FunctionArn" => function_arn, "MaximumRetryAttempts" => maximum_retry_attempts,
            "MaximumEventAgeInSeconds" => maximum_event_age_in_seconds,
        })
    };
}
use event_invoke;

/// Calls an operation with the members of the input that its setters take; a member that none takes is a mistake here.
macro_rules! call {
    ($sdk:ident.$operation:ident($input:ident) { $($name:literal => $setter:ident),* $(,)? }, $answer:ident => $shown:expr) => {{
        let request = $sdk.client.$operation();
        let input = $input.clone();
        $(
            let mut input = input;
            let request = match input.remove($name) {
                Some(value) => request.$setter(Some(Taken::taken(&value))),
                None => request,
            };
        )*
        assert!(input.is_empty(), "no setter is named for {input:?}");
        match $sdk.runtime.block_on(request.send()) {
            Ok($answer) => Told { status: None, answer: Some($shown), refused: None },
            Err(error) => refused(&error),
        }
    }};
}

fn refused<E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static>(
    error: &SdkError<E, HttpResponse>,
) -> Told {
    let status = error.raw_response().map(|response| response.status().as_u16());
    let (Some(code), Some(message)) = (error.code(), error.message()) else { panic!("the SDK says {error:?}") };
    let refused = Refused { code: code.to_owned(), message: message.to_owned() };
    Told { status, answer: None, refused: Some(refused) }
}

impl Client for Sdk {
    fn name(&self) -> &'static str {
        "the Rust SDK"
    }

    fn call(&mut self, operation: &str, input: &Map<String, Value>) -> Told {
        match operation {
            "CreateFunction" => call!(self.create_function(input) {
                "FunctionName" => set_function_name, "Runtime" => set_runtime, "Role" => set_role,
                "Handler" => set_handler, "Code" => set_code, "Description" => set_description,
                "Timeout" => set_timeout, "MemorySize" => set_memory_size, "Environment" => set_environment,
                "Publish" => set_publish, "Tags" => set_tags,
            }, answer => configuration!(answer)),
            "GetFunction" => call!(self.get_function(input) {
                "FunctionName" => set_function_name, "Qualifier" => set_qualifier,
            }, answer => members!(answer, {
                "Configuration" => configuration, "Code" => code, "Tags" => tags,
            })),
            "GetFunctionConfiguration" => call!(self.get_function_configuration(input) {
                "FunctionName" => set_function_name, "Qualifier" => set_qualifier,
            }, answer => configuration!(answer)),
            "ListFunctions" => call!(self.list_functions(input) {
                "FunctionVersion" => set_function_version, "Marker" => set_marker, "MaxItems" => set_max_items,
            }, answer => members!(answer, { "Functions" => functions, "NextMarker" => next_marker })),
            "UpdateFunctionCode" => call!(self.update_function_code(input) {
                "FunctionName" => set_function_name, "ZipFile" => set_zip_file, "Publish" => set_publish,
                "DryRun" => set_dry_run, "RevisionId" => set_revision_id,
            }, answer => configuration!(answer)),
            "UpdateFunctionConfiguration" => call!(self.update_function_configuration(input) {
                "FunctionName" => set_function_name, "Role" => set_role, "Handler" => set_handler,
                "Description" => set_description, "Timeout" => set_timeout, "MemorySize" => set_memory_size,
                "Environment" => set_environment, "Runtime" => set_runtime, "RevisionId" => set_revision_id,
            }, answer => configuration!(answer)),
            "DeleteFunction" => call!(self.delete_function(input) {
                "FunctionName" => set_function_name, "Qualifier" => set_qualifier,
            }, _answer => json!({})),
            "Invoke" => call!(self.invoke(input) {
                "FunctionName" => set_function_name, "InvocationType" => set_invocation_type,
                "LogType" => set_log_type, "ClientContext" => set_client_context, "Payload" => set_payload,
                "Qualifier" => set_qualifier,
            }, answer => members!(answer, {
                "StatusCode" => status_code, "FunctionError" => function_error, "LogResult" => log_result,
                "Payload" => payload, "ExecutedVersion" => executed_version,
            })),
            "PublishVersion" => call!(self.publish_version(input) {
                "FunctionName" => set_function_name, "CodeSha256" => set_code_sha256,
                "Description" => set_description, "RevisionId" => set_revision_id,
            }, answer => configuration!(answer)),
            "ListVersionsByFunction" => call!(self.list_versions_by_function(input) {
                "FunctionName" => set_function_name, "Marker" => set_marker, "MaxItems" => set_max_items,
            }, answer => members!(answer, { "Versions" => versions, "NextMarker" => next_marker })),
            "CreateAlias" => call!(self.create_alias(input) {
                "FunctionName" => set_function_name, "Name" => set_name, "FunctionVersion" => set_function_version,
                "Description" => set_description, "RoutingConfig" => set_routing_config,
            }, answer => alias!(answer)),
            "GetAlias" => call!(self.get_alias(input) {
                "FunctionName" => set_function_name, "Name" => set_name,
            }, answer => alias!(answer)),
            "UpdateAlias" => call!(self.update_alias(input) {
                "FunctionName" => set_function_name, "Name" => set_name, "FunctionVersion" => set_function_version,
                "Description" => set_description, "RoutingConfig" => set_routing_config,
                "RevisionId" => set_revision_id,
            }, answer => alias!(answer)),
            "DeleteAlias" => call!(self.delete_alias(input) {
                "FunctionName" => set_function_name, "Name" => set_name,
            }, _answer => json!({})),
            "ListAliases" => call!(self.list_aliases(input) {
                "FunctionName" => set_function_name, "FunctionVersion" => set_function_version,
                "Marker" => set_marker, "MaxItems" => set_max_items,
            }, answer => members!(answer, { "Aliases" => aliases, "NextMarker" => next_marker })),
            "PublishLayerVersion" => call!(self.publish_layer_version(input) {
                "LayerName" => set_layer_name, "Description" => set_description, "Content" => set_content,
                "CompatibleArchitectures" => set_compatible_architectures,
                "CompatibleRuntimes" => set_compatible_runtimes, "LicenseInfo" => set_license_info,
            }, answer => layer!(answer, { "LayerArn" => layer_arn, "Content" => content })),
            "GetLayerVersion" => call!(self.get_layer_version(input) {
                "LayerName" => set_layer_name, "VersionNumber" => set_version_number,
            }, answer => layer!(answer, { "LayerArn" => layer_arn, "Content" => content })),
            "GetLayerVersionByArn" => call!(self.get_layer_version_by_arn(input) {
                "Arn" => set_arn,
            }, answer => layer!(answer, { "LayerArn" => layer_arn, "Content" => content })),
            "ListLayerVersions" => call!(self.list_layer_versions(input) {
                "LayerName" => set_layer_name, "Marker" => set_marker, "MaxItems" => set_max_items,
            }, answer => members!(answer, { "LayerVersions" => layer_versions, "NextMarker" => next_marker })),
            "ListLayers" => call!(self.list_layers(input) {
                "Marker" => set_marker, "MaxItems" => set_max_items,
            }, answer => members!(answer, { "Layers" => layers, "NextMarker" => next_marker })),
            "AddLayerVersionPermission" => call!(self.add_layer_version_permission(input) {
                "LayerName" => set_layer_name, "VersionNumber" => set_version_number,
                "StatementId" => set_statement_id, "Action" => set_action, "Principal" => set_principal,
            }, answer => members!(answer, { "Statement" => statement, "RevisionId" => revision_id })),
            "GetLayerVersionPolicy" => call!(self.get_layer_version_policy(input) {
                "LayerName" => set_layer_name, "VersionNumber" => set_version_number,
            }, answer => members!(answer, { "Policy" => policy, "RevisionId" => revision_id })),
            "RemoveLayerVersionPermission" => call!(self.remove_layer_version_permission(input) {
                "LayerName" => set_layer_name, "VersionNumber" => set_version_number,
                "StatementId" => set_statement_id, "RevisionId" => set_revision_id,
            }, _answer => json!({})),
            "DeleteLayerVersion" => call!(self.delete_layer_version(input) {
                "LayerName" => set_layer_name, "VersionNumber" => set_version_number,
            }, _answer => json!({})),
            "InvokeWithResponseStream" => call!(self.invoke_with_response_stream(input) {
                "FunctionName" => set_function_name, "InvocationType" => set_invocation_type,
                "LogType" => set_log_type, "ClientContext" => set_client_context, "Payload" => set_payload,
                "Qualifier" => set_qualifier,
            }, answer => {
                let mut answer = answer;
                let mut shown = members!(answer, {
                    "StatusCode" => status_code, "ExecutedVersion" => executed_version,
                    "ResponseStreamContentType" => response_stream_content_type,
                });
                let mut events = Vec::new();
                while let Some(event) = self.runtime.block_on(answer.event_stream.recv()).unwrap() {
                    events.push(match event {
                        Event::PayloadChunk(chunk) => json!({"PayloadChunk": members!(chunk, { "Payload" => payload })}),
                        Event::InvokeComplete(end) => json!({"InvokeComplete": members!(end, {
                            "ErrorCode" => error_code, "ErrorDetails" => error_details, "LogResult" => log_result,
                        })}),
                        other => panic!("the SDK does not know {other:?}"),
                    });
                }
                shown["EventStream"] = events.into();
                shown
            }),
            "ListTags" => call!(self.list_tags(input) {
                "Resource" => set_resource,
            }, answer => members!(answer, { "Tags" => tags })),
            "TagResource" => call!(self.tag_resource(input) {
                "Resource" => set_resource, "Tags" => set_tags,
            }, _answer => json!({})),
            "UntagResource" => call!(self.untag_resource(input) {
                "Resource" => set_resource, "TagKeys" => set_tag_keys,
            }, _answer => json!({})),
            "PutFunctionConcurrency" => call!(self.put_function_concurrency(input) {
                "FunctionName" => set_function_name,
                "ReservedConcurrentExecutions" => set_reserved_concurrent_executions,
            }, answer => members!(answer, { "ReservedConcurrentExecutions" => reserved_concurrent_executions })),
            "GetFunctionConcurrency" => call!(self.get_function_concurrency(input) {
                "FunctionName" => set_function_name,
            }, answer => members!(answer, { "ReservedConcurrentExecutions" => reserved_concurrent_executions })),
            "DeleteFunctionConcurrency" => call!(self.delete_function_concurrency(input) {
                "FunctionName" => set_function_name,
            }, _answer => json!({})),
            "PutProvisionedConcurrencyConfig" => call!(self.put_provisioned_concurrency_config(input) {
                "FunctionName" => set_function_name, "Qualifier" => set_qualifier,
                "ProvisionedConcurrentExecutions" => set_provisioned_concurrent_executions,
            }, answer => provisioned!(answer, {})),
            "GetProvisionedConcurrencyConfig" => call!(self.get_provisioned_concurrency_config(input) {
                "FunctionName" => set_function_name, "Qualifier" => set_qualifier,
            }, answer => provisioned!(answer, {})),
            "ListProvisionedConcurrencyConfigs" => call!(self.list_provisioned_concurrency_configs(input) {
                "FunctionName" => set_function_name, "Marker" => set_marker, "MaxItems" => set_max_items,
            }, answer => members!(answer, { "ProvisionedConcurrencyConfigs" => provisioned_concurrency_configs })),
            "DeleteProvisionedConcurrencyConfig" => call!(self.delete_provisioned_concurrency_config(input) {
                "FunctionName" => set_function_name, "Qualifier" => set_qualifier,
            }, _answer => json!({})),
            "GetAccountSettings" => call!(self.get_account_settings(input) {}, answer => members!(answer, {
                "AccountLimit" => account_limit, "AccountUsage" => account_usage,
            })),
            "AddPermission" => call!(self.add_permission(input) {
                "FunctionName" => set_function_name, "StatementId" => set_statement_id, "Action" => set_action,
                "Principal" => set_principal, "SourceArn" => set_source_arn, "Qualifier" => set_qualifier,
            }, answer => members!(answer, { "Statement" => statement })),
            "GetPolicy" => call!(self.get_policy(input) {
                "FunctionName" => set_function_name, "Qualifier" => set_qualifier,
            }, answer => members!(answer, { "Policy" => policy, "RevisionId" => revision_id })),
            "RemovePermission" => call!(self.remove_permission(input) {
                "FunctionName" => set_function_name, "StatementId" => set_statement_id,
                "Qualifier" => set_qualifier, "RevisionId" => set_revision_id,
            }, _answer => json!({})),
            "PutFunctionEventInvokeConfig" => call!(self.put_function_event_invoke_config(input) {
                "FunctionName" => set_function_name, "Qualifier" => set_qualifier,
                "MaximumRetryAttempts" => set_maximum_retry_attempts,
                "MaximumEventAgeInSeconds" => set_maximum_event_age_in_seconds,
            }, answer => event_invoke!(answer)),
            "UpdateFunctionEventInvokeConfig" => call!(self.update_function_event_invoke_config(input) {
                "FunctionName" => set_function_name, "Qualifier" => set_qualifier,
                "MaximumRetryAttempts" => set_maximum_retry_attempts,
                "MaximumEventAgeInSeconds" => set_maximum_event_age_in_seconds,
            }, answer => event_invoke!(answer)),
            "GetFunctionEventInvokeConfig" => call!(self.get_function_event_invoke_config(input) {
                "FunctionName" => set_function_name, "Qualifier" => set_qualifier,
            }, answer => event_invoke!(answer)),
            "ListFunctionEventInvokeConfigs" => call!(self.list_function_event_invoke_configs(input) {
                "FunctionName" => set_function_name, "Marker" => set_marker, "MaxItems" => set_max_items,
            }, answer => members!(answer, { "FunctionEventInvokeConfigs" => function_event_invoke_configs })),
            "DeleteFunctionEventInvokeConfig" => call!(self.delete_function_event_invoke_config(input) {
                "FunctionName" => set_function_name, "Qualifier" => set_qualifier,
            }, _answer => json!({})),
            "PutFunctionRecursionConfig" => call!(self.put_function_recursion_config(input) {
                "FunctionName" => set_function_name, "RecursiveLoop" => set_recursive_loop,
            }, answer => members!(answer, { "RecursiveLoop" => recursive_loop })),
            "GetFunctionRecursionConfig" => call!(self.get_function_recursion_config(input) {
                "FunctionName" => set_function_name,
            }, answer => members!(answer, { "RecursiveLoop" => recursive_loop })),
            _ => panic!("{operation} has no lines in contract/sdk.rs yet"),
        }
    }
}
