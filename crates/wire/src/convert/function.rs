//! Functions: what a request asks for, and how a function is shown.

use bytes::Bytes;
use domain::Refusal;
use domain::arn::Home;
use domain::function::{
    Configuration, FileSystem, Function, LastUpdate, LogFormat, LogLevel, Logging, Network, NewFunction, Program,
    State, Tracing,
};
use domain::image::{ImageConfig, ImageProblem};
use domain::names::Qualifier;
use domain::runtime::Runtime;
use domain::variables::Variables;
use engine::contents::{CodeSource, Contents, Source};
use engine::functions::Edit;
use engine::invoker::runtime_version_arn;
use engine::ports::ObjectName;

use crate::generated::types;

/// The processor of this machine, as `Architectures` spells it.
const ARCHITECTURE: types::Architecture =
    if cfg!(target_arch = "aarch64") { types::Architecture::Arm64 } else { types::Architecture::X86_64 };

/// Whether code stays where the user has it. To copy it, which is the other choice, is what happens anyway.
pub(super) fn is_reference(mode: Option<&types::S3ObjectStorageMode>) -> bool {
    mode == Some(&types::S3ObjectStorageMode::Reference)
}

/// What one request names that is not built yet.
pub(super) struct NotBuilt(pub(super) &'static str);

impl NotBuilt {
    pub(super) fn check(&self, parameters: &[(bool, &str)]) -> Result<(), Refusal> {
        match parameters.iter().find(|(given, _)| *given) {
            None => Ok(()),
            Some((_, parameter)) => Err(Refusal::NotBuilt { what: format!("{} with {parameter}", self.0) }),
        }
    }
}

/// The model lets an empty ARN pass; it asks for nothing.
fn is_given(arn: Option<&str>) -> bool {
    arn.is_some_and(|arn| !arn.is_empty())
}

/// Reads ListFunctions: whether everything in it is built.
///
/// # Errors
/// It names something that is not.
pub(crate) fn check_listing(asked: &types::ListFunctionsRequest) -> Result<(), Refusal> {
    NotBuilt("ListFunctions").check(&[(asked.master_region.is_some(), "MasterRegion")])
}

/// The members that CreateFunction and UpdateFunctionConfiguration both have, of either request.
macro_rules! settings {
    ($role:ident, $asked:ident) => {
        Settings {
            role: $role,
            handler: $asked.handler,
            runtime: $asked.runtime,
            description: $asked.description,
            timeout: $asked.timeout,
            memory_size: $asked.memory_size,
            vpc_config: $asked.vpc_config,
            environment: $asked.environment,
            dead_letter_config: $asked.dead_letter_config,
            tracing_config: $asked.tracing_config,
            file_system_configs: $asked.file_system_configs,
            ephemeral_storage: $asked.ephemeral_storage,
            snap_start: $asked.snap_start,
            logging_config: $asked.logging_config,
            image_config: $asked.image_config,
        }
    };
}

/// Reads CreateFunction: the function, and what it is made of.
///
/// # Errors
/// Something is missing, refused by Lambda, or not built yet.
pub(crate) fn new_function(
    home: &Home,
    asked: types::CreateFunctionRequest,
) -> Result<(NewFunction, Contents), Refusal> {
    let target = home.read(&asked.function_name, None)?;
    if target.qualifier.is_some() {
        return Err(Refusal::MalformedFunctionName { value: asked.function_name });
    }
    // Named one by one, so that a new one is not overlooked.
    let types::FunctionCode {
        zip_file,
        s3_bucket,
        s3_key,
        s3_object_version,
        s3_object_storage_mode,
        image_uri,
        source_kms_key_arn,
    } = asked.code;
    NotBuilt("CreateFunction").check(&[
        (is_reference(s3_object_storage_mode.as_ref()), "S3ObjectStorageMode REFERENCE"),
        (is_given(source_kms_key_arn.as_deref()), "SourceKMSKeyArn"),
        (asked.publish_to.is_some(), "PublishTo"),
        (is_given(asked.kms_key_arn.as_deref()), "KMSKeyArn"),
        (asked.code_signing_config_arn.is_some(), "CodeSigningConfigArn"),
        (asked.tenancy_config.is_some(), "TenancyConfig"),
        (asked.capacity_provider_config.is_some(), "CapacityProviderConfig"),
        (asked.durable_config.is_some(), "DurableConfig"),
        (asked.runtime_config.is_some(), "RuntimeConfig"),
        (asked.accelerator_config.is_some(), "AcceleratorConfig"),
    ])?;
    let is_image = asked.package_type == Some(types::PackageType::Image);
    let (role, layers) = (Some(asked.role), asked.layers.unwrap_or_default());
    let settings = settings!(role, asked);
    settings.check_built("CreateFunction")?;
    check_architectures(asked.architectures.as_deref())?;
    let blank = match (&settings.runtime, &settings.handler) {
        (None, None) if is_image && layers.is_empty() => {
            Configuration::of(Program::Image(ImageConfig::default()), String::new())
        }
        _ if is_image => return Err(Refusal::ImageWithRuntime),
        (Some(runtime), Some(handler)) => Configuration::new(Runtime::parse(runtime)?, handler.clone(), String::new()),
        _ => return Err(Refusal::RuntimeAndHandlerMissing),
    };
    let configuration = settings.over(&blank)?;
    let object = (s3_bucket, s3_key, s3_object_version);
    let code = match code(zip_file.map(|zip| zip.0), object, image_uri)? {
        CodeSource::Package(_) if is_image => return Err(Refusal::ImageUriMissing),
        CodeSource::Image(_) if !is_image => return Err(Refusal::ImageForZip),
        code => code,
    };
    let tags = asked.tags.unwrap_or_default().into_iter().collect();
    Ok((NewFunction { arn: target.arn, configuration, tags }, Contents { code, layers }))
}

/// Where code comes from: the request, an object, or an image.
fn code(
    zip: Option<Bytes>,
    object: (Option<String>, Option<String>, Option<String>),
    image: Option<String>,
) -> Result<CodeSource, Refusal> {
    match image {
        None => package(zip, object).map(CodeSource::Package),
        Some(image) if zip.is_none() && object == (None, None, None) => Ok(CodeSource::Image(image)),
        // AWS says something of its own here that nobody has recorded; that there is too much is plain.
        Some(_) => Err(Refusal::CodeTwice),
    }
}

/// Where a package comes from: the request, or bucket, key and version of an object.
///
/// # Errors
/// From nowhere, or from two places at once.
pub(super) fn package(
    zip: Option<Bytes>,
    (bucket, key, version): (Option<String>, Option<String>, Option<String>),
) -> Result<Source, Refusal> {
    match (zip, bucket, key, version) {
        (Some(zip), None, None, None) => Ok(Source::Zip(zip)),
        (Some(_), ..) => Err(Refusal::CodeTwice),
        (None, Some(bucket), Some(key), version) => Ok(Source::Object(ObjectName { bucket, key, version })),
        (None, ..) => Err(Refusal::CodeMissing),
    }
}

/// Reads UpdateFunctionCode: where the code comes from.
///
/// # Errors
/// From nowhere, or it is to come from somewhere that is not built yet.
pub(crate) fn new_code(asked: &types::UpdateFunctionCodeRequest) -> Result<CodeSource, Refusal> {
    NotBuilt("UpdateFunctionCode").check(&[
        (is_reference(asked.s3_object_storage_mode.as_ref()), "S3ObjectStorageMode REFERENCE"),
        (is_given(asked.source_kms_key_arn.as_deref()), "SourceKMSKeyArn"),
        (asked.publish_to.is_some(), "PublishTo"),
    ])?;
    check_architectures(asked.architectures.as_deref())?;
    let object = (asked.s3_bucket.clone(), asked.s3_key.clone(), asked.s3_object_version.clone());
    code(asked.zip_file.clone().map(|zip| zip.0), object, asked.image_uri.clone())
}

/// Reads UpdateFunctionConfiguration: what it does to a configuration.
///
/// # Errors
/// It names something that is not built yet.
pub(crate) fn edit(asked: types::UpdateFunctionConfigurationRequest) -> Result<Edit, Refusal> {
    NotBuilt("UpdateFunctionConfiguration").check(&[
        (is_given(asked.kms_key_arn.as_deref()), "KMSKeyArn"),
        (asked.capacity_provider_config.is_some(), "CapacityProviderConfig"),
        (asked.durable_config.is_some(), "DurableConfig"),
        (asked.runtime_config.is_some(), "RuntimeConfig"),
        (asked.accelerator_config.is_some(), "AcceleratorConfig"),
    ])?;
    let (role, layers) = (asked.role, asked.layers);
    let settings = settings!(role, asked);
    settings.check_built("UpdateFunctionConfiguration")?;
    Ok(Edit { layers, ..Edit::of_settings(move |current| settings.over(current)) })
}

/// What CreateFunction and UpdateFunctionConfiguration both may set.
struct Settings {
    role: Option<String>,
    handler: Option<String>,
    runtime: Option<String>,
    description: Option<String>,
    timeout: Option<i32>,
    memory_size: Option<i32>,
    vpc_config: Option<types::VpcConfig>,
    environment: Option<types::Environment>,
    dead_letter_config: Option<types::DeadLetterConfig>,
    tracing_config: Option<types::TracingConfig>,
    file_system_configs: Option<Vec<types::FileSystemConfig>>,
    ephemeral_storage: Option<types::EphemeralStorage>,
    snap_start: Option<types::SnapStart>,
    logging_config: Option<types::LoggingConfig>,
    image_config: Option<types::ImageConfig>,
}

impl Settings {
    /// Refuses what would change how the function runs and is not built yet; values that ask for nothing pass.
    fn check_built(&self, operation: &'static str) -> Result<(), Refusal> {
        let snap_start = self.snap_start.as_ref().and_then(|config| config.apply_on.as_ref());
        let file_systems = self.file_system_configs.as_deref().unwrap_or_default();
        NotBuilt(operation).check(&[
            (file_systems.iter().any(|config| config.s3_files_config.is_some()), "FileSystemConfigs.S3FilesConfig"),
            (snap_start == Some(&types::SnapStartApplyOn::PublishedVersions), "SnapStart"),
        ])
    }

    /// A configuration with these settings in place of its own.
    fn over(self, current: &Configuration) -> Result<Configuration, Refusal> {
        let mut next = current.clone();
        match &mut next.program {
            Program::Runtime { runtime, handler } => {
                if self.image_config.is_some() {
                    return Err(Refusal::ImageConfigForZip);
                }
                if let Some(given) = self.runtime {
                    *runtime = Runtime::parse(&given)?;
                }
                if let Some(given) = self.handler {
                    *handler = given;
                }
            }
            Program::Image(config) => {
                if self.runtime.is_some() || self.handler.is_some() {
                    return Err(Refusal::ImageWithRuntime);
                }
                // The whole of it is replaced (recorded: test_lambda_image_and_image_config_crud).
                if let Some(given) = self.image_config {
                    *config = ImageConfig {
                        entry_point: given.entry_point.unwrap_or_default(),
                        command: given.command.unwrap_or_default(),
                        working_directory: given.working_directory.filter(|directory| !directory.is_empty()),
                    };
                }
            }
        }
        if let Some(environment) = self.environment {
            next.variables = Some(Variables::new(environment.variables.unwrap_or_default().into_iter().collect())?);
        }
        if let Some(config) = self.logging_config {
            next.logging = logging(config, next.logging)?;
        }
        if let Some(config) = self.vpc_config {
            let network = Network {
                subnets: config.subnet_ids.unwrap_or_default(),
                security_groups: config.security_group_ids.unwrap_or_default(),
                ipv6: config.ipv6_allowed_for_dual_stack.unwrap_or(false),
            };
            next.network = Some(network).filter(|network| *network != Network::default());
        }
        if let Some(config) = self.dead_letter_config {
            // An empty ARN takes it away (API reference, DeadLetterConfig).
            next.dead_letter = config.target_arn.filter(|arn| !arn.is_empty());
        }
        if let Some(mode) = self.tracing_config.and_then(|config| config.mode) {
            next.tracing = match mode {
                types::TracingMode::Active => Tracing::Active,
                types::TracingMode::PassThrough => Tracing::PassThrough,
            };
        }
        if let Some(configs) = self.file_system_configs {
            let file_system =
                |config: types::FileSystemConfig| FileSystem { arn: config.arn, mount_path: config.local_mount_path };
            next.file_systems = configs.into_iter().map(file_system).collect();
        }
        if let Some(asked) = self.ephemeral_storage {
            next.storage_mb = asked.size.try_into().unwrap_or(next.storage_mb);
        }
        next.role = self.role.unwrap_or(next.role);
        next.description = self.description.unwrap_or(next.description);
        next.timeout_seconds = self.timeout.and_then(|seconds| seconds.try_into().ok()).unwrap_or(next.timeout_seconds);
        next.memory_mb = self.memory_size.and_then(|mb| mb.try_into().ok()).unwrap_or(next.memory_mb);
        Ok(next)
    }
}

/// What is given replaces what there is, member by member (recorded: `TestLoggingConfig`).
fn logging(asked: types::LoggingConfig, current: Logging) -> Result<Logging, Refusal> {
    let format = match asked.log_format {
        None => current.format,
        Some(types::LogFormat::Json) => LogFormat::Json,
        Some(types::LogFormat::Text) => LogFormat::Text,
    };
    let group = asked.log_group.or(current.group);
    if format == LogFormat::Text {
        // AWS developer guide, monitoring-cloudwatchlogs-log-level: levels are for JSON.
        if asked.application_log_level.is_some() || asked.system_log_level.is_some() {
            return Err(Refusal::LogLevelWithText);
        }
        return Ok(Logging { format, application_level: None, system_level: None, group });
    }
    let application = asked.application_log_level.map(|level| match level {
        types::ApplicationLogLevel::Trace => LogLevel::Trace,
        types::ApplicationLogLevel::Debug => LogLevel::Debug,
        types::ApplicationLogLevel::Info => LogLevel::Info,
        types::ApplicationLogLevel::Warn => LogLevel::Warn,
        types::ApplicationLogLevel::Error => LogLevel::Error,
        types::ApplicationLogLevel::Fatal => LogLevel::Fatal,
    });
    let system = asked.system_log_level.map(|level| match level {
        types::SystemLogLevel::Debug => LogLevel::Debug,
        types::SystemLogLevel::Info => LogLevel::Info,
        types::SystemLogLevel::Warn => LogLevel::Warn,
    });
    let or_info = |asked: Option<LogLevel>, current: Option<LogLevel>| asked.or(current).or(Some(LogLevel::Info));
    Ok(Logging {
        format,
        application_level: or_info(application, current.application_level),
        system_level: or_info(system, current.system_level),
        group,
    })
}

fn show_logging(function: &Function) -> types::LoggingConfig {
    let logging = &function.configuration.logging;
    types::LoggingConfig {
        log_format: Some(match logging.format {
            LogFormat::Text => types::LogFormat::Text,
            LogFormat::Json => types::LogFormat::Json,
        }),
        application_log_level: logging.application_level.map(|level| match level {
            LogLevel::Trace => types::ApplicationLogLevel::Trace,
            LogLevel::Debug => types::ApplicationLogLevel::Debug,
            LogLevel::Info => types::ApplicationLogLevel::Info,
            LogLevel::Warn => types::ApplicationLogLevel::Warn,
            LogLevel::Error => types::ApplicationLogLevel::Error,
            LogLevel::Fatal => types::ApplicationLogLevel::Fatal,
        }),
        system_log_level: logging.system_level.map(|level| match level {
            LogLevel::Trace | LogLevel::Debug => types::SystemLogLevel::Debug,
            LogLevel::Info => types::SystemLogLevel::Info,
            LogLevel::Warn | LogLevel::Error | LogLevel::Fatal => types::SystemLogLevel::Warn,
        }),
        log_group: Some(function.log_group()),
    }
}

fn check_architectures(asked: Option<&[types::Architecture]>) -> Result<(), Refusal> {
    match asked.and_then(|asked| asked.first()) {
        Some(asked) if *asked != ARCHITECTURE => {
            Err(Refusal::OtherArchitecture { asked: asked.to_string(), here: ARCHITECTURE.as_str() })
        }
        Some(_) | None => Ok(()),
    }
}

/// A list that the answer has only where something is in it.
fn listed<T, U>(items: &[T], show: impl FnMut(&T) -> U) -> Option<Vec<U>> {
    (!items.is_empty()).then(|| items.iter().map(show).collect())
}

fn show_image_config(config: &ImageConfig) -> types::ImageConfigResponse {
    let given = |words: &Vec<String>| (!words.is_empty()).then(|| words.clone());
    types::ImageConfigResponse {
        image_config: Some(types::ImageConfig {
            entry_point: given(&config.entry_point),
            command: given(&config.command),
            working_directory: config.working_directory.clone(),
        }),
        error: None,
    }
}

fn reason_code(problem: ImageProblem) -> types::StateReasonCode {
    match problem {
        ImageProblem::NotFound => types::StateReasonCode::ImageDeleted,
        ImageProblem::AccessDenied => types::StateReasonCode::ImageAccessDenied,
        ImageProblem::Malformed
        | ImageProblem::Unsupported
        | ImageProblem::OtherArchitecture
        | ImageProblem::Broken => types::StateReasonCode::InvalidImage,
    }
}

/// How much of a function an answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Everything.
    Whole,
    /// As in a listing: without state and last update (recorded: `test_list_functions`).
    Listed,
}

/// Shows a function; its ARN echoes the qualifier of the request.
pub(crate) fn configuration(
    home: &Home,
    function: &Function,
    asked: Option<&Qualifier>,
    detail: Detail,
) -> types::FunctionConfiguration {
    let configuration = &function.configuration;
    let pending = function.state == State::Pending && detail == Detail::Whole;
    let updating = function.last_update == Some(LastUpdate::InProgress) && detail == Detail::Whole;
    let failing = function.failing.as_ref().filter(|_| detail == Detail::Whole);
    let text = |text: &str| Some(text.to_owned());
    types::FunctionConfiguration {
        function_name: text(function.arn.name.as_str()),
        function_arn: Some(match asked {
            None => function.arn.to_string(),
            Some(qualifier) => function.arn.qualified(qualifier),
        }),
        runtime: configuration.runtime().map(|runtime| runtime.identifier().to_owned()),
        role: text(&configuration.role),
        handler: configuration.handler().map(str::to_owned),
        code_size: function.code.bytes().try_into().ok(),
        description: text(&configuration.description),
        timeout: configuration.timeout_seconds.try_into().ok(),
        memory_size: configuration.memory_mb.try_into().ok(),
        last_modified: Some(function.modified_at.strftime("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()),
        code_sha256: Some(function.code.sha256()),
        version: Some(function.version.to_string()),
        vpc_config: configuration.network.as_ref().map(|network| types::VpcConfigResponse {
            subnet_ids: Some(network.subnets.clone()),
            security_group_ids: Some(network.security_groups.clone()),
            vpc_id: text(""),
            ipv6_allowed_for_dual_stack: Some(network.ipv6),
        }),
        environment: configuration.variables.as_ref().map(|variables| types::EnvironmentResponse {
            variables: Some(variables.pairs().iter().cloned().collect()),
            error: None,
        }),
        tracing_config: Some(types::TracingConfigResponse {
            mode: Some(match configuration.tracing {
                Tracing::PassThrough => types::TracingMode::PassThrough,
                Tracing::Active => types::TracingMode::Active,
            }),
        }),
        revision_id: Some(function.revision.to_string()),
        state: (detail == Detail::Whole).then_some(match function.state {
            State::Pending => types::State::Pending,
            State::Active => types::State::Active,
            State::Failed => types::State::Failed,
        }),
        state_reason: match failing.filter(|_| function.state == State::Failed) {
            Some(failing) => Some(failing.reason.clone()),
            None => pending.then(|| "The function is being created.".to_owned()),
        },
        state_reason_code: match failing.filter(|_| function.state == State::Failed) {
            Some(failing) => Some(reason_code(failing.problem)),
            None => pending.then_some(types::StateReasonCode::Creating),
        },
        last_update_status: function.last_update.filter(|_| detail == Detail::Whole).map(|update| match update {
            LastUpdate::InProgress => types::LastUpdateStatus::InProgress,
            LastUpdate::Successful => types::LastUpdateStatus::Successful,
            LastUpdate::Failed => types::LastUpdateStatus::Failed,
        }),
        // Yes: AWS writes the same words on updates (recorded: test_function_state, test_lambda_concurrent_code_updates).
        last_update_status_reason: match failing {
            Some(failing) => Some(failing.reason.clone()),
            None => updating.then(|| "The function is being created.".to_owned()),
        },
        last_update_status_reason_code: match failing {
            Some(failing) => Some(failing.problem.reason_code().to_owned()),
            None => updating.then(|| "Creating".to_owned()),
        },
        package_type: Some(match configuration.program {
            Program::Runtime { .. } => types::PackageType::Zip,
            Program::Image(_) => types::PackageType::Image,
        }),
        image_config_response: configuration.image_config().filter(|config| !config.is_empty()).map(show_image_config),
        architectures: Some(vec![ARCHITECTURE]),
        ephemeral_storage: configuration.storage_mb.try_into().ok().map(|size| types::EphemeralStorage { size }),
        snap_start: Some(types::SnapStartResponse {
            apply_on: Some(types::SnapStartApplyOn::None),
            optimization_status: Some(types::SnapStartOptimizationStatus::Off),
        }),
        // An image has no version of a runtime (recorded: test_lambda_image_crud).
        runtime_version_config: configuration.runtime().map(|runtime| types::RuntimeVersionConfig {
            runtime_version_arn: Some(runtime_version_arn(home, runtime)),
            error: None,
        }),
        logging_config: Some(show_logging(function)),
        dead_letter_config: configuration
            .dead_letter
            .as_ref()
            .map(|arn| types::DeadLetterConfig { target_arn: text(arn) }),
        layers: listed(&configuration.layers, |layer| types::Layer {
            arn: text(&layer.arn),
            code_size: layer.package.zip_bytes.try_into().ok(),
            ..types::Layer::default()
        }),
        file_system_configs: listed(&configuration.file_systems, |file_system| types::FileSystemConfig {
            arn: file_system.arn.clone(),
            local_mount_path: file_system.mount_path.clone(),
            s3_files_config: None,
        }),
        ..types::FunctionConfiguration::default()
    }
}

#[cfg(test)]
mod tests {
    use domain::function::{Code, Digest, Failing};
    use domain::image::Image;
    use domain::names::FunctionName;
    use serde_json::{Value, json};

    use super::*;

    /// A request with one more member.
    fn with(request: &Value, member: &str, value: Value) -> Value {
        let mut request = request.clone();
        request[member] = value;
        request
    }

    #[track_caller]
    fn create(request: Value) -> Result<(), Refusal> {
        let home = Home { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() };
        new_function(&home, serde_json::from_value(request).unwrap()).map(drop)
    }

    #[track_caller]
    fn update_code(request: Value) -> Result<(), Refusal> {
        new_code(&serde_json::from_value(request).unwrap()).map(drop)
    }

    #[track_caller]
    fn update_configuration(request: Value) -> Result<(), Refusal> {
        let current = Configuration::new(Runtime::parse("python3.12").unwrap(), "h".to_owned(), "r".to_owned());
        (edit(serde_json::from_value(request).unwrap())?.settings)(&current).map(drop)
    }

    fn creation() -> Value {
        json!({
            "FunctionName": "fn", "Runtime": "python3.12", "Handler": "app.handler",
            "Role": "arn:aws:iam::000000000000:role/r", "Code": { "ZipFile": "UEs=" },
        })
    }

    fn not_built(what: &str) -> Result<(), Refusal> {
        Err(Refusal::NotBuilt { what: what.to_owned() })
    }

    #[test]
    fn what_is_not_built_is_named_also_beside_what_is() {
        assert_eq!(create(creation()), Ok(()));
        let code = json!({ "FunctionName": "fn", "ZipFile": "UEs=" });
        assert_eq!(update_code(code.clone()), Ok(()));
        let copied = update_code(with(&code, "S3ObjectStorageMode", "COPY".into()));
        assert_eq!(copied, Ok(()));
        for (member, value, named) in [
            ("S3ObjectStorageMode", "REFERENCE", "S3ObjectStorageMode REFERENCE"),
            ("SourceKMSKeyArn", "arn:aws:kms:us-east-1:000000000000:key/k", "SourceKMSKeyArn"),
        ] {
            let created = create(with(&creation(), "Code", with(&json!({ "ZipFile": "UEs=" }), member, value.into())));
            assert_eq!(created, not_built(&format!("CreateFunction with {named}")));
            let updated = update_code(with(&code, member, value.into()));
            assert_eq!(updated, not_built(&format!("UpdateFunctionCode with {named}")));
        }
        let listing = serde_json::from_value(json!({ "MasterRegion": "ALL", "FunctionVersion": "ALL" })).unwrap();
        assert_eq!(check_listing(&listing), not_built("ListFunctions with MasterRegion"));
    }

    #[test]
    fn code_comes_from_one_place() {
        let source = |code: Value| {
            let home = Home { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() };
            let request = with(&creation(), "Code", code.clone());
            let created = new_function(&home, serde_json::from_value(request).unwrap()).map(|(_, made)| made.code);
            let updated = new_code(&serde_json::from_value(with(&code, "FunctionName", "fn".into())).unwrap());
            assert_eq!(created, updated, "{code}");
            created
        };
        let object = |version: Option<&str>| {
            let (bucket, key) = ("b".to_owned(), "k".to_owned());
            Ok(Source::Object(ObjectName { bucket, key, version: version.map(str::to_owned) }).into())
        };
        assert_eq!(source(json!({ "ZipFile": "UEs=" })), Ok(Source::Zip("PK".into()).into()));
        assert_eq!(source(json!({ "S3Bucket": "b", "S3Key": "k" })), object(None));
        assert_eq!(source(json!({ "S3Bucket": "b", "S3Key": "k", "S3ObjectVersion": "v" })), object(Some("v")));
        assert_eq!(source(json!({ "ZipFile": "UEs=", "S3Key": "k" })), Err(Refusal::CodeTwice));
        for half in [json!({}), json!({ "S3Bucket": "b" }), json!({ "S3Key": "k", "S3ObjectVersion": "v" })] {
            assert_eq!(source(half), Err(Refusal::CodeMissing));
        }
    }

    #[test]
    fn an_image_takes_the_place_of_runtime_handler_and_layers() {
        let uri = "localhost:5000/a:v1";
        let image = json!({
            "FunctionName": "fn", "Role": "arn:aws:iam::000000000000:role/r", "PackageType": "Image",
            "Code": { "ImageUri": uri }, "ImageConfig": { "Command": ["app.handler"], "WorkingDirectory": "" },
        });
        let home = Home { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() };
        let (new, contents) = new_function(&home, serde_json::from_value(image.clone()).unwrap()).unwrap();
        assert_eq!(contents.code, CodeSource::Image(uri.to_owned()));
        let config = ImageConfig { command: vec!["app.handler".to_owned()], ..ImageConfig::default() };
        assert_eq!(new.configuration.program, Program::Image(config));

        for (member, value) in [
            ("Runtime", json!("python3.12")),
            ("Handler", json!("app.handler")),
            ("Layers", json!(["arn:aws:lambda:us-east-1:000000000000:layer:l:1"])),
        ] {
            assert_eq!(create(with(&image, member, value)), Err(Refusal::ImageWithRuntime), "{member}");
        }
        let both = json!({ "ImageUri": uri, "ZipFile": "UEs=" });
        assert_eq!(create(with(&image, "Code", both)), Err(Refusal::CodeTwice));
        assert_eq!(create(with(&image, "Code", json!({ "ZipFile": "UEs=" }))), Err(Refusal::ImageUriMissing));
        assert_eq!(create(with(&creation(), "Code", json!({ "ImageUri": uri }))), Err(Refusal::ImageForZip));
        assert_eq!(create(with(&creation(), "ImageConfig", json!({}))), Err(Refusal::ImageConfigForZip));
        assert_eq!(create(with(&creation(), "PackageType", "Zip".into())), Ok(()));

        // What UpdateFunctionConfiguration says replaces all of it (recorded: test_lambda_image_and_image_config_crud).
        let current = new.configuration;
        let updated =
            |update: Value| (edit(serde_json::from_value(update).unwrap()).map_err(|_| ()).unwrap().settings)(&current);
        let next = updated(json!({ "FunctionName": "fn", "ImageConfig": { "EntryPoint": ["sh"] } })).unwrap();
        let config = ImageConfig { entry_point: vec!["sh".to_owned()], ..ImageConfig::default() };
        assert_eq!(next.program, Program::Image(config));
        let next = updated(json!({ "FunctionName": "fn", "ImageConfig": {} })).unwrap();
        assert_eq!(next.program, Program::Image(ImageConfig::default()));
        assert_eq!(updated(json!({ "FunctionName": "fn", "MemorySize": 256 })).unwrap().program, current.program);
        let refused = updated(json!({ "FunctionName": "fn", "Handler": "h" }));
        assert_eq!(refused, Err(Refusal::ImageWithRuntime));
    }

    #[test]
    fn a_function_of_an_image_is_shown_as_recorded() {
        // Recorded: test_lambda_image_crud, test_lambda_image_and_image_config_crud.
        let home = Home { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() };
        let created = image_function(&home, ImageConfig::default());
        let show =
            |function: &Function, detail| serde_json::to_value(configuration(&home, function, None, detail)).unwrap();
        let shown = show(&created, Detail::Whole);
        assert_eq!(shown["PackageType"], "Image");
        assert_eq!((&shown["CodeSize"], &shown["CodeSha256"]), (&json!(0), &json!("0c".repeat(32))));
        assert_eq!((&shown["State"], &shown["StateReasonCode"]), (&json!("Pending"), &json!("Creating")));
        for absent in ["Runtime", "Handler", "RuntimeVersionConfig", "ImageConfigResponse", "Layers"] {
            assert_eq!(shown.get(absent).filter(|value| !value.is_null()), None, "{absent}");
        }
        let config = ImageConfig { command: vec!["c".to_owned()], ..ImageConfig::default() };
        let shown = show(&image_function(&home, config), Detail::Whole);
        assert_eq!(shown["ImageConfigResponse"], json!({ "ImageConfig": { "Command": ["c"] } }));

        let failing = Failing { problem: ImageProblem::AccessDenied, reason: "nobody answers".to_owned() };
        let failed = created.failed(failing.clone(), None, created.revision);
        let shown = show(&failed, Detail::Whole);
        assert_eq!(
            [&shown["State"], &shown["StateReasonCode"], &shown["StateReason"], &shown["LastUpdateStatus"]],
            ["Failed", "ImageAccessDenied", "nobody answers", "Failed"]
        );
        let active = created.settled(created.revision);
        let shown = show(&active.failed(failing, Some(&active), active.revision), Detail::Whole);
        assert_eq!([&shown["State"], &shown["LastUpdateStatusReasonCode"]], ["Active", "ImageAccessDenied"]);
        assert!(shown.get("StateReason").is_none_or(Value::is_null));
    }

    fn image_function(home: &Home, config: ImageConfig) -> Function {
        let digest = Digest([12; 32]);
        let image = Image { uri: "a.b/c".to_owned(), resolved: "a.b/c@sha256:0c".to_owned(), digest };
        let configuration = Configuration::of(Program::Image(config), "r".to_owned());
        let arn = home.function_arn(&FunctionName::parse("fn").unwrap());
        let revision = domain::names::RevisionId(uuid::Uuid::nil());
        NewFunction { arn, configuration, tags: Vec::new() }.with(
            Code::Image(image),
            revision,
            jiff::Timestamp::UNIX_EPOCH,
        )
    }

    #[test]
    fn what_asks_for_nothing_passes() {
        assert_eq!(create(with(&creation(), "KMSKeyArn", "".into())), Ok(()));
        assert_eq!(create(with(&creation(), "Code", json!({ "ZipFile": "UEs=", "SourceKMSKeyArn": "" }))), Ok(()));
        assert_eq!(update_code(json!({ "FunctionName": "fn", "ZipFile": "UEs=", "SourceKMSKeyArn": "" })), Ok(()));
        assert_eq!(update_configuration(json!({ "FunctionName": "fn", "KMSKeyArn": "" })), Ok(()));
        let key = json!({ "FunctionName": "fn", "KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k" });
        assert_eq!(update_configuration(key), not_built("UpdateFunctionConfiguration with KMSKeyArn"));
    }

    #[test]
    fn text_has_no_log_levels() {
        // AWS developer guide, monitoring-cloudwatchlogs-log-level: levels are for JSON.
        for logging in [
            json!({ "ApplicationLogLevel": "INFO" }),
            json!({ "SystemLogLevel": "WARN" }),
            json!({ "LogFormat": "Text", "SystemLogLevel": "WARN" }),
        ] {
            assert_eq!(create(with(&creation(), "LoggingConfig", logging.clone())), Err(Refusal::LogLevelWithText));
            let update = json!({ "FunctionName": "fn", "LoggingConfig": logging });
            assert_eq!(update_configuration(update), Err(Refusal::LogLevelWithText));
        }
        let logging = json!({ "LogFormat": "JSON", "SystemLogLevel": "WARN" });
        assert_eq!(create(with(&creation(), "LoggingConfig", logging)), Ok(()));
    }
}
