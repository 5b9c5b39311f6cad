//! The two ways an operation ends without a result: the caller is refused, or we failed.
//!
//! A function that fails is neither: that is an ordinary [`crate::invocation::Outcome`].
//! Never here: status codes and the names of AWS's exceptions.

use std::error::Error as StdError;
use std::fmt;

use crate::image::ImageProblem;
use crate::names::{FunctionName, VersionNumber};

/// Why an operation has no result.
#[derive(Debug)]
pub enum Error {
    /// The caller asked for something that cannot be had; the caller is told why.
    Refused(Refusal),
    /// We failed; the caller gets a request id, the log gets the chain.
    Fault(Fault),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Our own failure: what we were doing, and the chain of causes. Only the log reads it.
#[derive(Debug)]
pub struct Fault {
    doing: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Fault {
    /// A failure with its cause.
    pub fn new(doing: impl Into<String>, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { doing: doing.into(), source: Some(source.into()) }
    }

    /// A failure that has no further cause.
    pub fn bare(doing: impl Into<String>) -> Self {
        Self { doing: doing.into(), source: None }
    }

    /// The whole chain in one line, outermost first.
    pub fn chain(&self) -> String {
        let mut text = self.doing.clone();
        let mut next = StdError::source(self);
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.doing)
    }
}

impl StdError for Fault {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}

/// Why a call was throttled, in the words of the API's `ThrottleReason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ThrottleReason {
    /// The account's concurrency is used up, or the machine is full.
    ConcurrentInvocationLimitExceeded,
    /// The function's reservation is used up.
    ReservedFunctionConcurrentInvocationLimitExceeded,
    /// More than ten calls a second for each unit of the account's concurrency.
    FunctionInvocationRateLimitExceeded,
    /// More than ten calls a second for each unit of the function's reservation.
    ReservedFunctionInvocationRateLimitExceeded,
}

impl ThrottleReason {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::ConcurrentInvocationLimitExceeded,
        Self::ReservedFunctionConcurrentInvocationLimitExceeded,
        Self::FunctionInvocationRateLimitExceeded,
        Self::ReservedFunctionInvocationRateLimitExceeded,
    ];

    /// As AWS spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConcurrentInvocationLimitExceeded => "ConcurrentInvocationLimitExceeded",
            Self::ReservedFunctionConcurrentInvocationLimitExceeded => {
                "ReservedFunctionConcurrentInvocationLimitExceeded"
            }
            Self::FunctionInvocationRateLimitExceeded => "FunctionInvocationRateLimitExceeded",
            Self::ReservedFunctionInvocationRateLimitExceeded => "ReservedFunctionInvocationRateLimitExceeded",
        }
    }
}

/// Why the caller is refused. Each variant holds the data that its message needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such function, version or alias. `arn` is printed as it was asked for.
    FunctionNotFound {
        /// The ARN, with the qualifier where the operation prints one.
        arn: String,
    },
    /// CreateFunction under a name that is taken.
    FunctionExists {
        /// The bare name.
        name: FunctionName,
    },
    /// A name that has none of the forms that AWS reads.
    MalformedFunctionName {
        /// As given.
        value: String,
    },
    /// A name too long to create a function under.
    FunctionNameTooLong {
        /// As given.
        value: String,
    },
    /// An ARN of another region.
    UnreachableRegion {
        /// The region in the ARN.
        asked: String,
        /// Ours.
        here: String,
    },
    /// An ARN of another account that grants us nothing.
    OtherAccount,
    /// Name and `Qualifier` disagree.
    QualifierMismatch,
    /// PublishVersion or UpdateAlias expected other code than there is.
    OtherCode {
        /// What the caller expected, in base64.
        given: String,
        /// What there is, in base64.
        current: String,
    },
    /// A version or an alias was named where only a function as a whole can be meant.
    FunctionsOnly,
    /// No such alias, where the text says so.
    AliasNotFound {
        /// The ARN of the alias.
        arn: String,
    },
    /// UpdateAlias of an alias that does not exist.
    NoAliasToUpdate {
        /// The ARN of the alias.
        arn: String,
    },
    /// CreateAlias under a name that is taken.
    AliasExists {
        /// The ARN of the alias.
        arn: String,
    },
    /// More than one additional version.
    TooManyVersionWeights,
    /// The additional version is the alias's own.
    VersionAlreadyRouted {
        /// Which.
        version: VersionNumber,
    },
    /// An alias of `$LATEST` with an additional version.
    LatestCannotBeWeighed,
    /// DeleteFunction of a version that an alias names.
    VersionInUse {
        /// The ARNs of the aliases.
        aliases: Vec<String>,
    },
    /// DeleteFunction of `$LATEST` alone.
    LatestCannotBeDeleted,
    /// DeleteFunction of an alias.
    AliasCannotBeDeleted,
    /// The caller's `RevisionId` is not the current one.
    RevisionMismatch,
    /// An update while another one is under way.
    UpdateInProgress {
        /// The function's ARN.
        arn: String,
    },
    /// The function's state does not allow the operation.
    WrongState {
        /// As AWS spells it: `Pending`, `Failed`, …
        state: &'static str,
    },
    /// A runtime that no one knows.
    UnknownRuntime {
        /// As given.
        value: String,
    },
    /// A runtime that AWS has retired.
    RetiredRuntime {
        /// As given.
        value: String,
    },
    /// A runtime that AWS has and this machine does not, with what to do about it.
    MissingRuntime {
        /// The identifier.
        value: String,
        /// What to do.
        remedy: String,
    },
    /// CreateFunction of a zip package without runtime or handler.
    RuntimeAndHandlerMissing,
    /// No code was given.
    CodeMissing,
    /// CreateFunction of an image with runtime, handler or layers.
    ImageWithRuntime,
    /// `PackageType` Image without an `ImageUri`, or with other code beside it.
    ImageUriMissing,
    /// An `ImageUri` for a function of `PackageType` Zip.
    ImageForZip,
    /// A zip for a function of `PackageType` Image.
    ZipForImage,
    /// `ImageConfig` for a function of `PackageType` Zip.
    ImageConfigForZip,
    /// Something is wrong with an image.
    Image {
        /// As given.
        uri: String,
        /// What kind of thing.
        problem: ImageProblem,
        /// For people, in a sentence without a full stop.
        why: String,
    },
    /// Images cannot be run here.
    ImagesNotHere {
        /// Why, and what to do about it.
        why: String,
    },
    /// The package is for another processor than this machine's.
    OtherArchitecture {
        /// As asked.
        asked: String,
        /// Ours.
        here: &'static str,
    },
    /// A layer that says it is for other processors than this machine's.
    LayerOfOtherArchitecture {
        /// The ARN of its version.
        arn: String,
        /// What it is for.
        asked: String,
        /// Ours.
        here: &'static str,
    },
    /// A zip together with an object, or half of what names an object.
    CodeTwice,
    /// An object store refuses to give the code out.
    ObjectRefused {
        /// As S3 names it: `NoSuchKey`.
        code: String,
        /// In its words.
        message: String,
    },
    /// No object store gives an answer.
    ObjectStoreUnreachable {
        /// Why, and what to do about it.
        why: String,
    },
    /// GetLayerVersion of what does not exist.
    LayerVersionUnknown,
    /// A layer version that a function or a policy names does not exist.
    LayerVersionNotFound {
        /// Its ARN.
        arn: String,
        /// Whether a function is to use it, or a policy to be of it.
        is_for_function: bool,
    },
    /// A version number of zero or less.
    LayerVersionTooSmall,
    /// A layer version of an account that grants us nothing.
    LayerOfAnotherAccount {
        /// Its ARN.
        arn: String,
        /// What was to be done, as in a policy: `GetLayerVersion`.
        action: String,
        /// Ours.
        account: String,
    },
    /// A layer version of another region.
    LayerOfAnotherRegion {
        /// Ours.
        here: String,
    },
    /// More layers than a function may have.
    TooManyLayers,
    /// Two versions of one layer in one function.
    LayerTwice {
        /// The ARN of the one named first.
        first: String,
        /// And of the other.
        second: String,
    },
    /// Code and layers together are larger than a function may be.
    LayersTooLarge {
        /// Bytes of all of them, unpacked.
        bytes: u64,
    },
    /// A policy without statements is none.
    NoPolicy,
    /// A statement's id is taken.
    StatementExists {
        /// The id.
        id: String,
    },
    /// A policy has no such statement.
    StatementUnknown {
        /// The id.
        id: String,
    },
    /// The `RevisionId` given is not that of the layer version's policy.
    LayerRevisionMismatch,
    /// A policy beyond 20 KB.
    PolicyTooLarge {
        /// Its bytes.
        bytes: usize,
    },
    /// The bytes are not a zip that can be unpacked; `why` goes to the log only.
    NotAZip {
        /// What was wrong.
        why: String,
    },
    /// More bytes zipped than allowed.
    ZippedTooLarge,
    /// More bytes unpacked than allowed.
    UnzippedTooLarge,
    /// A request body beyond the operation's limit.
    RequestTooLarge {
        /// The limit.
        bytes_max: usize,
        /// As the text names it: `InvokeFunction`, `CreateFunction`, …
        operation: &'static str,
    },
    /// Environment variables beyond 4 KB.
    VariablesTooLarge {
        /// The variables as compact JSON, in the order given.
        json: String,
    },
    /// Environment variables that Lambda keeps for itself.
    ReservedVariables {
        /// The keys, in the order given.
        keys: Vec<String>,
    },
    /// More tags than a function may have.
    TooManyTags,
    /// TagResource without a tag.
    NoTags,
    /// Tags of a version or an alias.
    TagsOfQualifier,
    /// A tag that asks something of the engine that it cannot read, or cannot do.
    TagNotMet {
        /// Its key.
        tag: &'static str,
        /// Why not.
        why: String,
    },
    /// A tag that sets faults on purpose and cannot be read.
    MalformedFaults {
        /// Which of its items is wrong, and what it takes.
        why: String,
    },
    /// No such resource of another kind than functions.
    ResourceNotFound {
        /// As the text names it: `Event source mapping`.
        kind: &'static str,
        /// Its ARN, as given.
        arn: String,
    },
    /// A policy of `$LATEST`, which cannot have one.
    PolicyOfLatest,
    /// A principal that nobody can be.
    InvalidPrincipal,
    /// `FunctionUrlAuthType` with another action than that of URLs.
    UrlAuthTypeOfOtherAction,
    /// AddPermission of a resource without policy: the caller's `RevisionId` is not the current one.
    PolicyRevisionMismatch,
    /// GetPolicy where there is none, or nothing that could have one.
    NoSuchResource,
    /// RemovePermission of a function that does not exist.
    NoPolicyFound {
        /// The function's ARN.
        arn: String,
    },
    /// No such function, version or alias, where the text does not name it.
    FunctionDoesNotExist,
    /// An EventInvokeConfig that says nothing.
    NothingToConfigure,
    /// There is no EventInvokeConfig.
    NoEventInvokeConfig {
        /// The function's ARN, qualified.
        arn: String,
    },
    /// A destination that does not exist.
    DestinationNotFound {
        /// Its ARN.
        arn: String,
    },
    /// A function as a destination of its own.
    DestinationIsItself,
    /// A destination of a service that cannot be one.
    InvalidDestinations {
        /// Both destinations, as the text lists them.
        on_success: Option<String>,
        /// See there.
        on_failure: Option<String>,
    },
    /// The function was passed too often by one chain of invocations.
    RecursiveInvocation,
    /// A value beyond what Lambda allows although the model would let it pass.
    OutOfRange {
        /// As given.
        value: String,
        /// The path of the member, as the API names it: `MemorySize`.
        at: &'static str,
        /// The constraint in AWS's words.
        constraint: String,
    },
    /// A log level for logs that are text.
    LogLevelWithText,
    /// `Marker` is not one of ours.
    InvalidMarker,
    /// The payload is not JSON; `reason` is the parser's text.
    PayloadNotJson {
        /// The parser's text, with line and column.
        reason: String,
    },
    /// The client context is not base64 of a JSON object.
    ClientContextInvalid,
    /// The reservation would leave too little for other functions.
    ReservedTooMuch {
        /// What must stay unreserved.
        unreserved_min: u32,
    },
    /// The reservation would be less than what is provisioned.
    ReservedBelowProvisioned {
        /// As asked.
        reserved: u32,
        /// For all versions together.
        provisioned: u32,
    },
    /// More would be provisioned than the function has reserved.
    ProvisionedBeyondReserved,
    /// More would be provisioned than is unreserved.
    ProvisionedBeyondUnreserved {
        /// What is.
        unreserved: u32,
    },
    /// What would be provisioned would leave too little for other functions.
    ProvisionedTooMuch {
        /// What must stay unreserved.
        unreserved_min: u32,
    },
    /// Provisioned concurrency for `$LATEST`.
    ProvisionedForLatest,
    /// Provisioned concurrency of `$LATEST` was asked for.
    NeitherAliasNorVersion,
    /// Provisioned concurrency for an alias that names two versions.
    ProvisionedForWeights,
    /// The alias names a version that has provisioned concurrency of its own.
    ProvisionedByVersion,
    /// An alias that has provisioned concurrency names the version.
    ProvisionedByAlias,
    /// There is no provisioned concurrency for that alias or version.
    NothingProvisioned,
    /// Too many at once.
    Throttled {
        /// Which limit.
        reason: ThrottleReason,
    },
    /// No further event can be kept.
    QueueFull {
        /// Which bound is reached.
        why: String,
    },
    /// An event source mapping that cannot be.
    Mapping(crate::mapping::Refused),
    /// The parameter's or operation's feature is not built yet.
    NotBuilt {
        /// What was asked for: `CreateFunction with Layers`.
        what: String,
    },
}
