//! Refusals and faults in the words of AWS's API. The only such place; the statuses are in the generated table.

mod mapping;

use bytes::Bytes;
use domain::image::ImageProblem;
use domain::{Error, Refusal};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use crate::generated::errors::ErrorCode;

/// An error as a client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) code: ErrorCode,
    /// Where AWS sends none, the body has a null.
    pub(crate) message: Option<String>,
    /// `Reason`, where the error has one.
    reason: Option<&'static str>,
    type_shown: TypeShown,
}

/// What the body says of `Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TypeShown {
    /// What the table has for the error.
    ByTable,
    /// `"Type":null` (observed on AWS).
    Null,
    /// Nothing.
    Absent,
}

impl Told {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()), reason: None, type_shown: TypeShown::ByTable }
    }

    /// An error that AWS answers without its type.
    fn untyped(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { type_shown: TypeShown::Absent, ..Self::new(code, message) }
    }

    /// The answer: compact JSON, `Reason` before `Type` before the text (observed on AWS).
    pub(crate) fn response(&self) -> Response<Full<Bytes>> {
        let shape = self.code.shape();
        let mut body = serde_json::Map::new();
        if let Some(reason) = self.reason {
            body.insert("Reason".to_owned(), reason.into());
        }
        match (self.type_shown, shape.fault) {
            (TypeShown::Null, _) => drop(body.insert("Type".to_owned(), serde_json::Value::Null)),
            (TypeShown::ByTable, Some(fault)) => drop(body.insert("Type".to_owned(), fault.into())),
            (TypeShown::ByTable, None) | (TypeShown::Absent, _) => {}
        }
        body.insert(shape.message_key.to_owned(), self.message.clone().into());
        let mut response = Response::new(Full::new(serde_json::Value::Object(body).to_string().into()));
        *response.status_mut() = StatusCode::from_u16(shape.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("x-amzn-errortype", HeaderValue::from_static(shape.name));
        response
    }
}

impl From<Error> for Told {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => Self::from(refusal),
            Error::Fault(fault) => {
                tracing::error!("a request failed: {}", fault.chain());
                Self::new(ErrorCode::Service, "An internal error occurred. The engine's log tells more.")
            }
        }
    }
}

impl From<Refusal> for Told {
    fn from(refusal: Refusal) -> Self {
        let invalid = |message: String| Self::new(ErrorCode::InvalidParameterValue, message);
        match refusal {
            Refusal::FunctionNotFound { arn } => {
                Self::new(ErrorCode::ResourceNotFound, format!("Function not found: {arn}"))
            }
            Refusal::FunctionExists { name } => {
                Self::new(ErrorCode::ResourceConflict, format!("Function already exist: {name}"))
            }
            Refusal::MalformedFunctionName { value } => Self::new(
                ErrorCode::Validation,
                format!(
                    "1 validation error detected: Value '{value}' at 'functionName' failed to satisfy constraint: Member must be the name, partial ARN or ARN of a function"
                ),
            ),
            Refusal::FunctionNameTooLong { value } => invalid(format!(
                "1 validation error detected: Value '{value}' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to {}",
                domain::limits::FUNCTION_NAME_CHARS
            )),
            Refusal::UnreachableRegion { asked, here } => Self::new(
                ErrorCode::ResourceNotFound,
                format!("Functions from '{asked}' are not reachable in this region ('{here}')"),
            ),
            Refusal::OtherAccount => {
                Self { code: ErrorCode::AccessDenied, message: None, reason: None, type_shown: TypeShown::ByTable }
            }
            Refusal::QualifierMismatch => invalid(
                "The derived qualifier from the function name does not match the specified qualifier.".to_owned(),
            ),
            Refusal::OtherCode { given, current } => invalid(format!(
                "CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({current}). Please try again with the CodeSHA256 in $LATEST."
            )),
            Refusal::FunctionsOnly => invalid(
                "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN."
                    .to_owned(),
            ),
            Refusal::AliasNotFound { arn } => {
                Self::new(ErrorCode::ResourceNotFound, format!("Cannot find alias arn: {arn}"))
            }
            Refusal::NoAliasToUpdate { arn } => {
                Self::new(ErrorCode::ResourceNotFound, format!("Alias not found: {arn}"))
            }
            Refusal::AliasExists { arn } => {
                Self::new(ErrorCode::ResourceConflict, format!("Alias already exists: {arn}"))
            }
            Refusal::TooManyVersionWeights => {
                invalid("Number of items in AdditionalVersionWeights cannot be greater than 1".to_owned())
            }
            Refusal::VersionAlreadyRouted { version } => invalid(format!(
                "Invalid function version {version}. Function version {version} is already included in routing configuration."
            )),
            Refusal::LatestCannotBeWeighed => Self::untyped(
                ErrorCode::InvalidParameterValue,
                "$LATEST is not supported for an alias pointing to more than 1 version",
            ),
            Refusal::VersionInUse { aliases } => Self::new(
                ErrorCode::ResourceConflict,
                format!("Version cannot be deleted because it is currently referenced by the following aliases: {}", aliases.join(", ")),
            ),
            Refusal::LatestCannotBeDeleted => {
                invalid("$LATEST version cannot be deleted without deleting the function.".to_owned())
            }
            Refusal::AliasCannotBeDeleted => invalid("Deletion of aliases is not currently supported.".to_owned()),
            Refusal::RevisionMismatch => Self::new(
                ErrorCode::PreconditionFailed,
                "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
            ),
            Refusal::UpdateInProgress { arn } => Self::new(
                ErrorCode::ResourceConflict,
                format!("The operation cannot be performed at this time. An update is in progress for resource: {arn}"),
            ),
            Refusal::WrongState { state } => Self::new(
                ErrorCode::ResourceConflict,
                format!(
                    "The operation cannot be performed at this time. The function is currently in the following state: {state}"
                ),
            ),
            Refusal::UnknownRuntime { value } => invalid(unknown_runtime(&value)),
            Refusal::RetiredRuntime { value } => invalid(format!(
                "The runtime parameter of {value} is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions."
            )),
            Refusal::MissingRuntime { value, remedy } => {
                invalid(format!("The runtime {value} cannot run on this machine: {remedy}"))
            }
            Refusal::RuntimeAndHandlerMissing => invalid(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages."
                    .to_owned(),
            ),
            Refusal::ImageWithRuntime => invalid(
                "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image."
                    .to_owned(),
            ),
            Refusal::ImageUriMissing | Refusal::ZipForImage => {
                invalid("Please provide ImageUri when updating a function with packageType Image.".to_owned())
            }
            Refusal::ImageForZip => {
                invalid("Please don't provide ImageUri when updating a function with packageType Zip.".to_owned())
            }
            Refusal::ImageConfigForZip => {
                invalid("Please don't provide ImageConfig for a function with packageType Zip.".to_owned())
            }
            Refusal::ImagesNotHere { why } => invalid(format!("Container images cannot run here: {why}")),
            Refusal::Image { uri, problem, why } => invalid(image(&uri, problem, &why)),
            Refusal::CodeMissing => invalid("Please provide a source for function code.".to_owned()),
            Refusal::OtherArchitecture { asked, here } => invalid(format!(
                "This machine runs {here} functions only; the package is for {asked}. Leave Architectures out or ask for {here}."
            )),
            Refusal::LayerOfOtherArchitecture { arn, asked, here } => {
                invalid(format!("This machine runs {here} functions only; the layer {arn} is for {asked}."))
            }
            Refusal::CodeTwice => {
                invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.".to_owned())
            }
            Refusal::ObjectRefused { code, message } => invalid(format!(
                "Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
            )),
            Refusal::ObjectStoreUnreachable { why } => invalid(format!("Error occurred while GetObject. {why}")),
            Refusal::LayerVersionUnknown | Refusal::NoSuchResource => {
                Self::new(ErrorCode::ResourceNotFound, "The resource you requested does not exist.")
            }
            Refusal::LayerVersionNotFound { arn, is_for_function } => {
                let code = if is_for_function { ErrorCode::InvalidParameterValue } else { ErrorCode::ResourceNotFound };
                Self::new(code, format!("Layer version {arn} does not exist."))
            }
            Refusal::LayerVersionTooSmall => invalid("Layer Version Cannot be less than 1".to_owned()),
            // Nobody is asked who they are yet, so that it is the account's own root who may not.
            Refusal::LayerOfAnotherAccount { arn, action, account } => Self::new(
                ErrorCode::AccessDenied,
                format!(
                    "User: arn:aws:iam::{account}:root is not authorized to perform: lambda:{action} on resource: {arn} because no resource-based policy allows the lambda:{action} action"
                ),
            ),
            Refusal::LayerOfAnotherRegion { here } => invalid(format!(
                "Layers are not in the same region as the function. Layers are expected to be in region {here}."
            )),
            Refusal::TooManyLayers => {
                invalid(format!("Cannot reference more than {} layers.", domain::limits::LAYERS))
            }
            Refusal::LayerTwice { first, second } => invalid(format!(
                "Two different versions of the same layer are not allowed to be referenced in the same function. {first} and {second} are versions of the same layer."
            )),
            Refusal::LayersTooLarge { bytes } => invalid(format!(
                "Function code combined with layers exceeds the maximum allowed size of {} bytes. The actual size is {bytes} bytes.",
                domain::limits::UNZIPPED_BYTES
            )),
            Refusal::NoPolicy => {
                Self::new(ErrorCode::ResourceNotFound, "No policy is associated with the given resource.")
            }
            Refusal::StatementExists { id } => Self::new(
                ErrorCode::ResourceConflict,
                format!(
                    "The statement id ({id}) provided already exists. Please provide a new statement id, or remove the existing statement."
                ),
            ),
            Refusal::StatementUnknown { id } => {
                Self::new(ErrorCode::ResourceNotFound, format!("Statement {id} is not found in resource policy."))
            }
            Refusal::LayerRevisionMismatch => Self::new(
                ErrorCode::PreconditionFailed,
                "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the latest Revision Id",
            ),
            Refusal::PolicyTooLarge { bytes } => Self::new(
                ErrorCode::PolicyLengthExceeded,
                format!("The final policy size ({bytes}) is bigger than the limit ({}).", domain::limits::POLICY_BYTES),
            ),
            Refusal::NotAZip { why } => {
                tracing::warn!("a package was refused: {why}");
                invalid("Could not unzip uploaded file. Please check your file, then try to upload again.".to_owned())
            }
            Refusal::ZippedTooLarge => Self::new(
                ErrorCode::RequestEntityTooLarge,
                format!("Zipped size must be smaller than {} bytes", domain::limits::ZIPPED_BYTES),
            ),
            Refusal::UnzippedTooLarge => {
                invalid(format!("Unzipped size must be smaller than {} bytes", domain::limits::UNZIPPED_BYTES))
            }
            Refusal::RequestTooLarge { bytes_max, operation } => Self::new(
                ErrorCode::RequestEntityTooLarge,
                format!("Request must be smaller than {bytes_max} bytes for the {operation} operation"),
            ),
            Refusal::VariablesTooLarge { json } => invalid(format!(
                "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: {json}"
            )),
            Refusal::ReservedVariables { keys } => invalid(format!(
                "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {}",
                keys.join(", ")
            )),
            Refusal::TooManyTags => invalid("Number of tags exceeds resource tag limit.".to_owned()),
            Refusal::NoTags => invalid("An error occurred and the request cannot be processed.".to_owned()),
            Refusal::TagNotMet { tag, why } => invalid(format!("The tag {tag} cannot be met: {why}")),
            Refusal::MalformedFaults { why } => invalid(format!("The tag {} cannot be read: {why}", domain::fault::TAG)),
            Refusal::TagsOfQualifier => invalid(
                "Tags on function aliases and versions are not supported. Please specify a function ARN.".to_owned(),
            ),
            Refusal::ResourceNotFound { kind, arn } => {
                Self::new(ErrorCode::ResourceNotFound, format!("{kind} not found: {arn}"))
            }
            Refusal::PolicyOfLatest => invalid("We currently do not support adding policies for $LATEST.".to_owned()),
            Refusal::InvalidPrincipal => invalid(
                "The provided principal was invalid. Please check the principal and try again.".to_owned(),
            ),
            Refusal::UrlAuthTypeOfOtherAction => {
                invalid("FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action".to_owned())
            }
            Refusal::PolicyRevisionMismatch => Self::new(
                ErrorCode::PreconditionFailed,
                "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id",
            ),
            Refusal::NoPolicyFound { arn } => {
                Self::new(ErrorCode::ResourceNotFound, format!("No policy found for: {arn}"))
            }
            Refusal::FunctionDoesNotExist => {
                Self::new(ErrorCode::ResourceNotFound, "The function doesn't exist.")
            }
            Refusal::NothingToConfigure => {
                invalid("You must specify at least one of error handling or destination setting.".to_owned())
            }
            Refusal::NoEventInvokeConfig { arn } => {
                Self::new(ErrorCode::ResourceNotFound, format!("The function {arn} doesn't have an EventInvokeConfig"))
            }
            Refusal::DestinationNotFound { arn } => invalid(format!("The destination ARN {arn} is invalid.")),
            Refusal::DestinationIsItself => {
                invalid("You can't specify the function as a destination for itself.".to_owned())
            }
            Refusal::InvalidDestinations { on_success, on_failure } => {
                let shown = |name: &str, arn: Option<String>| {
                    arn.map_or_else(|| "null".to_owned(), |arn| format!("{name}(destination={arn})"))
                };
                invalid(format!(
                    "The provided destination config DestinationConfig(onSuccess={}, onFailure={}) is invalid.",
                    shown("OnSuccess", on_success),
                    shown("OnFailure", on_failure)
                ))
            }
            Refusal::RecursiveInvocation => Self::new(
                ErrorCode::RecursiveInvocation,
                "Lambda has detected your function being invoked in a recursive loop with other Amazon Web Services resources and stopped your function's invocation.",
            ),
            Refusal::OutOfRange { value: _, at, constraint } => {
                invalid(format!("'{at}' value failed to satisfy constraint: {constraint}"))
            }
            Refusal::LogLevelWithText => invalid(
                "LogLevel is not supported when LogFormat is set to \"Text\". Remove LogLevel from your request or change the LogFormat to \"JSON\" and try again."
                    .to_owned(),
            ),
            Refusal::InvalidMarker => {
                invalid("Invalid Marker: it is not one that an earlier page returned.".to_owned())
            }
            Refusal::PayloadNotJson { reason } => Self::new(
                ErrorCode::InvalidRequestContent,
                format!("Could not parse request body into json: Could not parse payload into json: {reason}"),
            ),
            Refusal::ClientContextInvalid => Self {
                code: ErrorCode::InvalidRequestContent,
                message: Some("Client context must be a valid Base64-encoded JSON object.".to_owned()),
                reason: None,
                type_shown: TypeShown::Null,
            },
            Refusal::ReservedTooMuch { unreserved_min } => Self::untyped(
                ErrorCode::InvalidParameterValue,
                format!("Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{unreserved_min}]."),
            ),
            // The blanks are AWS's.
            Refusal::ReservedBelowProvisioned { reserved, provisioned } => Self::untyped(
                ErrorCode::InvalidParameterValue,
                format!(" ReservedConcurrentExecutions  {reserved} should not be lower than function's total provisioned concurrency [{provisioned}]."),
            ),
            Refusal::ProvisionedBeyondReserved => invalid(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
                    .to_owned(),
            ),
            Refusal::ProvisionedBeyondUnreserved { unreserved } => Self::untyped(
                ErrorCode::InvalidParameterValue,
                format!("Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [{unreserved}]."),
            ),
            Refusal::ProvisionedTooMuch { unreserved_min } => Self::untyped(
                ErrorCode::InvalidParameterValue,
                format!("Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{unreserved_min}]."),
            ),
            Refusal::ProvisionedForLatest => invalid(
                "Provisioned Concurrency Configs cannot be applied to unpublished function versions.".to_owned(),
            ),
            Refusal::NeitherAliasNorVersion => {
                invalid("The function resource provided must be an alias or a published version.".to_owned())
            }
            Refusal::ProvisionedForWeights => {
                invalid("Alias with weights can not be used with Provisioned Concurrency".to_owned())
            }
            Refusal::ProvisionedByVersion => Self::new(
                ErrorCode::ResourceConflict,
                "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version",
            ),
            Refusal::ProvisionedByAlias => {
                Self::new(ErrorCode::ResourceConflict, "Version is pointed by a Provisioned Concurrency alias")
            }
            Refusal::NothingProvisioned => Self::new(
                ErrorCode::ProvisionedConcurrencyConfigNotFound,
                "No Provisioned Concurrency Config found for this function",
            ),
            Refusal::Throttled { reason } => Self {
                code: ErrorCode::TooManyRequests,
                message: Some("Rate Exceeded.".to_owned()),
                reason: Some(reason.as_str()),
                type_shown: TypeShown::ByTable,
            },
            // AWS has no such bound, and no such error in the model; its front doors answer so when they are overrun.
            Refusal::QueueFull { why } => {
                Self::new(ErrorCode::ServiceUnavailable, format!("The event was not accepted: {why}."))
            }
            Refusal::Mapping(refused) => mapping::told(refused),
            Refusal::NotBuilt { what } => Self::new(
                ErrorCode::NotImplemented,
                format!(
                    "{what} is not built yet in lambd {}; docs/compatibility.md lists what is.",
                    env!("CARGO_PKG_VERSION")
                ),
            ),
        }
    }
}

/// AWS's words for what is wrong with an image (seen in many reports, for instance terraform-provider-aws issues), and ours
/// for why, which AWS leaves to be guessed.
fn image(uri: &str, problem: ImageProblem, why: &str) -> String {
    match problem {
        ImageProblem::Malformed | ImageProblem::Broken | ImageProblem::AccessDenied => {
            format!("Source image {uri} is not valid. Provide a valid source image. {why}.")
        }
        ImageProblem::NotFound => {
            format!("Source image {uri} does not exist. Provide a valid source image. {why}.")
        }
        ImageProblem::Unsupported => format!(
            "The image manifest, config or layer media type for the source image {uri} is not supported. {why}."
        ),
        ImageProblem::OtherArchitecture => format!("Source image {uri} is not for this machine. {why}."),
    }
}

/// Another layer of AWS than the validation of the model, with a list of its own (recorded: `invalid_runtime_exc`).
fn unknown_runtime(value: &str) -> String {
    let known: Vec<&str> = domain::runtime::Runtime::all().map(domain::runtime::Runtime::identifier).collect();
    format!(
        "Value {value} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] or be a valid ARN",
        known.join(", ")
    )
}
