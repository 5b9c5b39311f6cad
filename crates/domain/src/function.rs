//! The function: its configuration, and how its state moves.
//!
//! Never here: zip bytes, and the names that the fields have on the wire.

use std::time::Duration;

use jiff::Timestamp;

use crate::arn::FunctionArn;
use crate::error::Refusal;
use crate::image::{Image, ImageConfig, ImageProblem};
use crate::limits;
use crate::names::{RevisionId, Version, VersionNumber};
use crate::runtime::Runtime;
use crate::variables::Variables;

/// The SHA-256 of a package: its name in the store, and `CodeSha256` on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Lower-case hexadecimal, as files are named.
    pub fn hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }

    /// Base64, as `CodeSha256` is printed.
    pub fn base64(&self) -> String {
        data_encoding::BASE64.encode(&self.0)
    }

    /// Reads what [`Digest::hex`] printed.
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.hex())
    }
}

/// The code of a function, kept and unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package {
    /// What the zip hashes to.
    pub digest: Digest,
    /// Bytes of the zip.
    pub zip_bytes: u64,
}

/// What a function is made of: `PackageType` says which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// A zip.
    Package(Package),
    /// A container image.
    Image(Image),
}

impl Code {
    /// Of the zip, or of the image's manifest.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Package(package) => package.digest,
            Self::Image(image) => image.digest,
        }
    }

    /// The zip, where it is one.
    pub fn package(&self) -> Option<Package> {
        match self {
            Self::Package(package) => Some(*package),
            Self::Image(_) => None,
        }
    }

    /// The image, where it is one.
    pub fn image(&self) -> Option<&Image> {
        match self {
            Self::Package(_) => None,
            Self::Image(image) => Some(image),
        }
    }

    /// `CodeSize`: an image has none (recorded: `test_lambda_image_crud`).
    pub fn bytes(&self) -> u64 {
        self.package().map_or(0, |package| package.zip_bytes)
    }

    /// `CodeSha256`: of an image in hexadecimal, as image digests are written (recorded: `test_lambda_image_crud`).
    pub fn sha256(&self) -> String {
        match self {
            Self::Package(package) => package.digest.base64(),
            Self::Image(image) => image.digest.hex(),
        }
    }
}

/// What runs the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A runtime of Lambda's, which calls a handler.
    Runtime {
        /// Which.
        runtime: Runtime,
        /// What it calls; its form is the runtime's business.
        handler: String,
    },
    /// What the image itself says, with this in its place.
    Image(ImageConfig),
}

/// What the user configures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// What runs the code; of the same kind as the code.
    pub program: Program,
    /// The ARN of the execution role.
    pub role: String,
    /// Free text.
    pub description: String,
    /// Whole seconds, 1 to 900.
    pub timeout_seconds: u32,
    /// MB, 128 to 10,240.
    pub memory_mb: u32,
    /// MB of `/tmp`.
    pub storage_mb: u32,
    /// `None` where never given: the answer then has no `Environment` at all.
    pub variables: Option<Variables>,
    /// How its execution log is written.
    pub logging: Logging,
    /// The ARN of the dead-letter queue or topic.
    pub dead_letter: Option<String>,
    /// Which invocations are traced.
    pub tracing: Tracing,
    /// What lies in `/opt`, in this order; a later one covers an earlier one.
    pub layers: Vec<LayerUse>,
    /// Changes nothing here; kept as given and shown.
    pub network: Option<Network>,
    /// Changes nothing here; kept as given and shown.
    pub file_systems: Vec<FileSystem>,
}

/// `LoggingConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logging {
    /// Text or JSON.
    pub format: LogFormat,
    /// The least level of the function's own lines that is kept, where the format is JSON.
    pub application_level: Option<LogLevel>,
    /// The least level of the platform's lines that is kept, where the format is JSON.
    pub system_level: Option<LogLevel>,
    /// Overrides `/aws/lambda/NAME`.
    pub group: Option<String>,
}

/// The form of an execution log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines as they come.
    #[default]
    Text,
    /// One JSON object for each line.
    Json,
}

/// Levels of log lines, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Application only.
    Trace,
    /// Debugging.
    Debug,
    /// The default of both kinds.
    Info,
    /// Warnings.
    Warn,
    /// Application only.
    Error,
    /// Application only.
    Fatal,
}

impl LogLevel {
    /// As AWS spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }
}

/// `TracingConfig`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tracing {
    /// Traced where the caller says so.
    #[default]
    PassThrough,
    /// Sampled by Lambda where the caller says nothing.
    Active,
}

/// A layer version as a function uses it: resolved when it was configured, so that it stays although the layer goes
/// (AWS developer guide, chapter-layers).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerUse {
    /// The ARN of the layer version.
    pub arn: String,
    /// Its contents.
    pub package: Package,
}

/// `FileSystemConfig`, as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// The ARN of the access point.
    pub arn: String,
    /// Where it would be mounted.
    pub mount_path: String,
}

/// `VpcConfig`, as given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Subnet ids.
    pub subnets: Vec<String>,
    /// Security group ids.
    pub security_groups: Vec<String>,
    /// Whether IPv6 may leave.
    pub ipv6: bool,
}

impl Configuration {
    /// A configuration with AWS's defaults for everything else (API reference, CreateFunction).
    pub fn new(runtime: Runtime, handler: String, role: String) -> Self {
        Self::of(Program::Runtime { runtime, handler }, role)
    }

    /// The same of whatever runs it.
    pub fn of(program: Program, role: String) -> Self {
        Self {
            program,
            role,
            description: String::new(),
            timeout_seconds: limits::TIMEOUT_SECONDS_DEFAULT,
            memory_mb: limits::MEMORY_MB_DEFAULT,
            storage_mb: limits::STORAGE_MB_DEFAULT,
            variables: None,
            logging: Logging::default(),
            dead_letter: None,
            tracing: Tracing::default(),
            layers: Vec::new(),
            network: None,
            file_systems: Vec::new(),
        }
    }

    /// The runtime; an image has none.
    pub fn runtime(&self) -> Option<Runtime> {
        match self.program {
            Program::Runtime { runtime, .. } => Some(runtime),
            Program::Image(_) => None,
        }
    }

    /// The handler; an image has none.
    pub fn handler(&self) -> Option<&str> {
        match &self.program {
            Program::Runtime { handler, .. } => Some(handler),
            Program::Image(_) => None,
        }
    }

    /// What takes the place of an image's own settings; a zip has nothing of the kind.
    pub fn image_config(&self) -> Option<&ImageConfig> {
        match &self.program {
            Program::Runtime { .. } => None,
            Program::Image(config) => Some(config),
        }
    }

    /// The time that the initialisation of a provisioned environment may take.
    pub fn provisioned_init_timeout(&self) -> Duration {
        let seconds = u64::from(self.timeout_seconds).max(limits::PROVISIONED_INIT_SECONDS_MIN);
        Duration::from_secs(seconds.min(limits::PROVISIONED_INIT_SECONDS_MAX))
    }

    /// The time that one invocation may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.into())
    }

    /// Checks what the model lets pass and Lambda does not.
    ///
    /// # Errors
    /// Memory or storage beyond what Lambda gives to a function.
    pub fn check(&self) -> Result<(), Refusal> {
        let bounds = [
            (self.memory_mb, "MemorySize", limits::MEMORY_MB_MAX),
            (self.storage_mb, "EphemeralStorage.Size", limits::STORAGE_MB_MAX),
            (self.timeout_seconds, "Timeout", limits::TIMEOUT_SECONDS_MAX),
        ];
        match bounds.into_iter().find(|(value, _, max)| value > max) {
            None => Ok(()),
            Some((value, at, max)) => Err(Refusal::OutOfRange {
                value: value.to_string(),
                at,
                constraint: format!("Member must have value less than or equal to {max}"),
            }),
        }
    }
}

/// Where a function is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Created, not ready.
    Pending,
    /// Ready.
    Active,
    /// It could not be made ready, and will not be until it is updated.
    Failed,
}

impl State {
    /// As AWS spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Active => "Active",
            Self::Failed => "Failed",
        }
    }
}

/// Where the last update is; a function that is still Pending has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastUpdate {
    /// Under way.
    InProgress,
    /// Done.
    Successful,
    /// Not done: what there was before is served.
    Failed,
}

/// Why a function is `Failed`, or its last update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// What is wrong with its image.
    pub problem: ImageProblem,
    /// For people.
    pub reason: String,
}

/// One version of a function: the mutable copy that `$LATEST` names, or a published one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// The unqualified ARN of the function, with its name.
    pub arn: FunctionArn,
    /// Which version this is.
    pub version: Version,
    /// What the user configured.
    pub configuration: Configuration,
    /// Its code.
    pub code: Code,
    /// Where it is in its life.
    pub state: State,
    /// Where its last update is.
    pub last_update: Option<LastUpdate>,
    /// Why it, or its last update, is `Failed`.
    pub failing: Option<Failing>,
    /// Changes with everything else.
    pub revision: RevisionId,
    /// When code or configuration last changed.
    pub modified_at: Timestamp,
}

/// A function as CreateFunction makes it.
#[derive(Clone, Debug)]
pub struct NewFunction {
    /// Under which ARN.
    pub arn: FunctionArn,
    /// What the user configured.
    pub configuration: Configuration,
    /// Tags, in the order given.
    pub tags: Vec<(String, String)>,
}

impl NewFunction {
    /// Checks what the model lets pass and Lambda does not.
    ///
    /// # Errors
    /// See [`Configuration::check`]; or there are too many tags (recorded: `test_tag_limits`), or one of ours that cannot
    /// be read.
    pub fn check(&self) -> Result<(), Refusal> {
        self.configuration.check()?;
        if self.tags.len() > limits::TAGS { Err(Refusal::TooManyTags) } else { Ok(()) }
    }

    /// The function, Pending until it is activated.
    pub fn with(self, code: Code, revision: RevisionId, now: Timestamp) -> Function {
        Function {
            arn: self.arn,
            version: Version::Latest,
            configuration: self.configuration,
            code,
            state: State::Pending,
            last_update: None,
            failing: None,
            revision,
            modified_at: now,
        }
    }
}

impl Function {
    /// Whether work on the function is under way that must end before the next: activation or an update.
    pub fn is_settling(&self) -> bool {
        self.state == State::Pending || self.last_update == Some(LastUpdate::InProgress)
    }

    /// The function once that work is done, under a new revision (recorded: `TestLambdaRevisions`).
    #[must_use]
    pub fn settled(&self, revision: RevisionId) -> Self {
        let last_update = Some(LastUpdate::Successful);
        Self { state: State::Active, last_update, failing: None, revision, ..self.clone() }
    }

    /// The function when that work has come to nothing. Where something else was served before, that stays, with its
    /// code: only the update is `Failed`. Else there is nothing to serve (AWS developer guide, functions-states).
    #[must_use]
    pub fn failed(&self, failing: Failing, before: Option<&Self>, revision: RevisionId) -> Self {
        let (failing, last_update) = (Some(failing), Some(LastUpdate::Failed));
        match before.filter(|before| before.state == State::Active) {
            Some(before) => {
                let (code, configuration) = (before.code.clone(), before.configuration.clone());
                Self { code, configuration, state: State::Active, last_update, failing, revision, ..self.clone() }
            }
            None => Self { state: State::Failed, last_update, failing, revision, ..self.clone() },
        }
    }

    /// Whether an invocation may be served: a Pending function is not (AWS developer guide,
    /// troubleshooting-invocation), one under update is, by its old code.
    ///
    /// # Errors
    /// The function's state forbids it.
    pub fn check_invocable(&self) -> Result<(), Refusal> {
        match self.state {
            State::Active => Ok(()),
            State::Pending | State::Failed => Err(Refusal::WrongState { state: self.state.as_str() }),
        }
    }

    /// Whether it may be updated by a caller who believes it to be at `expected`.
    ///
    /// # Errors
    /// Another update is under way (recorded: `test_lambda_concurrent_code_updates`), or the revision is another
    /// (recorded: `test_function_revisions_basic`).
    pub fn check_updatable(&self, expected: Option<&str>) -> Result<(), Refusal> {
        if expected.is_some_and(|expected| expected != self.revision.to_string()) {
            return Err(Refusal::RevisionMismatch);
        }
        if self.state == State::Pending {
            return Err(Refusal::WrongState { state: self.state.as_str() });
        }
        if self.is_settling() {
            return Err(Refusal::UpdateInProgress { arn: self.arn.to_string() });
        }
        Ok(())
    }

    /// The function with an update under way.
    #[must_use]
    pub fn updated(&self, change: Change, revision: RevisionId, now: Timestamp) -> Self {
        let last_update = Some(LastUpdate::InProgress);
        let mut next = Self { last_update, failing: None, revision, modified_at: now, ..self.clone() };
        match change {
            Change::Code(code) => next.code = code,
            Change::Configuration(configuration) => next.configuration = *configuration,
        }
        next
    }

    /// This state as a published version, in the state of its life that it has itself.
    #[must_use]
    pub fn published(&self, number: VersionNumber, description: Option<String>, revision: RevisionId) -> Self {
        let mut version = Self { version: Version::Published(number), revision, ..self.clone() };
        if let Some(description) = description {
            version.configuration.description = description;
        }
        version
    }

    /// The same, not yet ready: what UpdateFunctionCode with `Publish` answers (recorded:
    /// `test_publish_version_on_create`).
    #[must_use]
    pub fn pending(self) -> Self {
        Self { state: State::Pending, last_update: None, failing: None, ..self }
    }

    /// Checks that new code is of the kind that there is (recorded: `test_lambda_image_crud`,
    /// `test_lambda_zip_file_to_image`).
    ///
    /// # Errors
    /// A zip cannot become an image, nor an image a zip.
    pub fn check_package_type(&self, is_image: bool) -> Result<(), Refusal> {
        match (&self.code, is_image) {
            (Code::Package(_), false) | (Code::Image(_), true) => Ok(()),
            (Code::Package(_), true) => Err(Refusal::ImageForZip),
            (Code::Image(_), false) => Err(Refusal::ZipForImage),
        }
    }

    /// Whether code and configuration are those of `other`. The description is each version's own.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let described =
            |function: &Self| Configuration { description: String::new(), ..function.configuration.clone() };
        self.code == other.code && described(self) == described(other)
    }

    /// Checks that the code is the one that the caller has seen.
    ///
    /// # Errors
    /// It is another (recorded: `test_publish_with_wrong_sha256`).
    pub fn check_code(&self, expected: Option<&str>) -> Result<(), Refusal> {
        let current = self.code.sha256();
        match expected {
            Some(given) if given != current => Err(Refusal::OtherCode { given: given.to_owned(), current }),
            Some(_) | None => Ok(()),
        }
    }

    /// The ARN of this version, as logs and listings name it.
    pub fn qualified_arn(&self) -> String {
        self.arn.qualified(&self.version.into())
    }

    /// The log group its environments write to.
    pub fn log_group(&self) -> String {
        self.configuration.logging.group.clone().unwrap_or_else(|| format!("/aws/lambda/{}", self.arn.name))
    }
}

/// What an update replaces.
#[derive(Clone, Debug)]
pub enum Change {
    /// UpdateFunctionCode.
    Code(Code),
    /// UpdateFunctionConfiguration, already merged with what was not given.
    Configuration(Box<Configuration>),
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::arn::Home;
    use crate::names::FunctionName;
    use uuid::Uuid;

    pub(crate) fn function() -> Function {
        let home = Home { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() };
        NewFunction {
            arn: home.function_arn(&FunctionName::parse("fn").unwrap()),
            configuration: Configuration::new(
                Runtime::parse("python3.12").unwrap(),
                "app.handler".into(),
                "arn:aws:iam::000000000000:role/r".into(),
            ),
            tags: Vec::new(),
        }
        .with(
            Code::Package(Package { digest: Digest([7; 32]), zip_bytes: 10 }),
            revision(1),
            Timestamp::UNIX_EPOCH,
        )
    }

    fn revision(n: u128) -> RevisionId {
        RevisionId(Uuid::from_u128(n))
    }

    #[test]
    fn a_function_is_born_pending_and_settles_under_a_new_revision() {
        // Recorded: test_function_state; TestLambdaRevisions.
        let born = function();
        assert_eq!((born.state, born.last_update), (State::Pending, None));
        assert_eq!(born.check_invocable(), Err(Refusal::WrongState { state: "Pending" }));
        let ready = born.settled(revision(2));
        assert_eq!((ready.state, ready.last_update), (State::Active, Some(LastUpdate::Successful)));
        assert_ne!(ready.revision, born.revision);
        assert_eq!(ready.check_invocable(), Ok(()));
    }

    #[test]
    fn an_update_excludes_the_next_and_is_served_meanwhile() {
        // Recorded: test_lambda_concurrent_code_updates, test_function_update_during_invoke.
        let ready = function().settled(revision(2));
        let package = Package { digest: Digest([8; 32]), zip_bytes: 11 };
        let updating = ready.updated(Change::Code(Code::Package(package)), revision(3), Timestamp::UNIX_EPOCH);
        assert_eq!(updating.state, State::Active);
        assert_eq!(updating.check_updatable(None), Err(Refusal::UpdateInProgress { arn: updating.arn.to_string() }));
        assert_eq!(updating.check_invocable(), Ok(()));
        assert_eq!(updating.settled(revision(4)).check_updatable(None), Ok(()));
    }

    #[test]
    fn what_fails_leaves_what_was_served_or_nothing() {
        let failing = || Failing { problem: ImageProblem::Broken, reason: "torn".into() };
        let born = function();
        let failed = born.failed(failing(), None, revision(2));
        assert_eq!((failed.state, failed.last_update), (State::Failed, Some(LastUpdate::Failed)));
        assert_eq!(failed.check_invocable(), Err(Refusal::WrongState { state: "Failed" }));
        assert!(!failed.is_settling());
        // It can be updated, and is well then.
        let package = Package { digest: Digest([8; 32]), zip_bytes: 11 };
        assert_eq!(failed.check_updatable(None), Ok(()));
        let change = || Change::Code(Code::Package(package));
        let updating = failed.updated(change(), revision(3), Timestamp::UNIX_EPOCH);
        assert_eq!((updating.state, &updating.failing), (State::Failed, &None));
        let well = updating.settled(revision(4));
        assert_eq!((well.state, well.last_update), (State::Active, Some(LastUpdate::Successful)));
        // An update that fails changes neither code nor configuration.
        let again = well.updated(change(), revision(5), Timestamp::UNIX_EPOCH);
        let kept = again.failed(failing(), Some(&born.settled(revision(1))), revision(6));
        assert_eq!((kept.state, kept.last_update), (State::Active, Some(LastUpdate::Failed)));
        assert_eq!((&kept.code, &kept.failing), (&born.code, &Some(failing())));
        // What had failed before is nothing to go back to.
        assert_eq!(again.failed(failing(), Some(&failed), revision(6)).state, State::Failed);
    }

    #[test]
    fn an_old_revision_is_refused_before_anything_else() {
        // Recorded: test_function_revisions_basic.
        let ready = function().settled(revision(2));
        assert_eq!(ready.check_updatable(Some("wrong")), Err(Refusal::RevisionMismatch));
        assert_eq!(ready.check_updatable(Some(&revision(2).to_string())), Ok(()));
    }

    #[test]
    fn lambda_gives_less_memory_than_the_model_allows() {
        let mut configuration = function().configuration;
        configuration.memory_mb = 10_241;
        assert!(matches!(configuration.check(), Err(Refusal::OutOfRange { at: "MemorySize", .. })));
    }
}
