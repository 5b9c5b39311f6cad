//! What is outside, as the engine sees it.
//!
//! Never here: a trait with one implementation and no test twin or fault to inject.

mod events;
mod queue_source;
mod queues;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::alias::Alias;
use domain::destination::Parcel;
use domain::environment::{Failure, InitEnd};
use domain::error::ThrottleReason;
use domain::function::{Digest, Function, LogFormat, Package};
use domain::image::{Image, ImageConfig};
use domain::layer::{Layer, LayerName, LayerVersion};
use domain::mapping::Mapping;
use domain::names::{AliasName, EnvironmentId, FunctionName, RequestId, RevisionId, VersionNumber};
use domain::network::Network;
use domain::runtime::Runtime;
use domain::settings::Settings;
use domain::tags::Tags;
use domain::{Error, Fault};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

pub use self::events::{
    Backlog, Batch, DeliveryShown, DeliveryState, Due, EventFilter, EventRecords, Listed, Owed, Redriven, Sent,
    Settled, Shown,
};
pub use self::queue_source::{
    MessageAttribute, MessageAttributeValue, NotDone, QueueAttributes, QueueFailure, QueueMessage, QueueSource, Receive,
};
pub use self::queues::*;

/// A future behind a port.
pub type Wait<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// All that is kept of a function but its published versions.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// `$LATEST`.
    pub latest: Arc<Function>,
    /// Its aliases.
    pub aliases: Arc<Aliases>,
    /// What belongs to no version.
    pub settings: Arc<Settings>,
}

/// A function as it is found at start, with its versions by number.
pub type Loaded = (Record, Vec<Function>);

/// The aliases of one function.
pub type Aliases = BTreeMap<AliasName, Alias>;

/// What one step does to the published versions of a function.
#[derive(Clone, Debug)]
pub enum VersionChange {
    /// Writes one, new or in place of itself.
    Put(Arc<Function>),
    /// Removes one.
    Remove(VersionNumber),
}

/// Functions, kept. Every call is one serialisable step; when it returns, it is on disk.
pub trait Records: Send + Sync {
    /// Everything there is, once at start: each function with its versions by number.
    fn load(&self) -> Wait<'_, Result<Vec<Loaded>, Fault>>;
    /// Writes a function that may not exist yet, with its first versions; `false` where one of that name exists.
    fn insert(&self, record: Record, versions: Vec<Arc<Function>>) -> Wait<'_, Result<bool, Fault>>;
    /// Replaces a function whose `$LATEST` is still at the revision `expected`, and changes its versions, in one step;
    /// `false` where it is not.
    fn replace(
        &self,
        expected: RevisionId,
        record: Record,
        versions: Vec<VersionChange>,
    ) -> Wait<'_, Result<bool, Fault>>;
    /// Removes a function with all its versions if its `$LATEST` is still at the revision `expected`; `false` where it
    /// is not.
    fn remove(&self, name: FunctionName, expected: RevisionId) -> Wait<'_, Result<bool, Fault>>;
}

/// Layers, kept. Every call is one serialisable step; when it returns, it is on disk.
pub trait LayerRecords: Send + Sync {
    /// Everything there is, once at start; layers without versions, too: their numbers go on.
    fn load_layers(&self) -> Wait<'_, Result<Vec<Layer>, Fault>>;
    /// Writes a version under the number after the last that its layer ever had; `false` where that is another.
    fn insert_layer_version(&self, version: Arc<LayerVersion>) -> Wait<'_, Result<bool, Fault>>;
    /// Replaces a version; `false` where there is none.
    fn replace_layer_version(&self, version: Arc<LayerVersion>) -> Wait<'_, Result<bool, Fault>>;
    /// Removes a version, and with the last one the layer's tags; `false` where there is none.
    fn remove_layer_version(&self, name: LayerName, number: u64) -> Wait<'_, Result<bool, Fault>>;
    /// Replaces the tags of a layer; `false` where it never was.
    fn set_layer_tags(&self, name: LayerName, tags: Tags) -> Wait<'_, Result<bool, Fault>>;
}

/// Where users keep code: S3, or what speaks its language.
pub trait Objects: Send + Sync {
    /// An object, whole.
    ///
    /// # Errors
    /// There is none, the caller may not read it, it is larger than `bytes_max`, or nobody answers.
    fn fetch(&self, object: ObjectName, bytes_max: u64) -> Wait<'_, Result<Bytes, Error>>;
}

/// Which object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// Its version; the latest where there is none.
    pub version: Option<String>,
}

/// Code packages, content-addressed.
pub trait Packages: Send + Sync {
    /// Keeps a zip and its unpacked form; both are on disk when it returns. The same bytes again cost nothing.
    ///
    /// # Errors
    /// The zip is refused (not a zip, hostile names, too large), or the disk failed.
    fn keep(&self, zip: Bytes) -> Wait<'_, Result<Kept, Error>>;
    /// Holds a package that is kept already; `None` where it is not.
    fn hold(&self, package: Package) -> Wait<'_, Result<Option<Kept>, Fault>>;
    /// Bytes of all files of a package, unpacked; of one that is not there: an error.
    fn unpacked_bytes(&self, digest: Digest) -> Wait<'_, Result<u64, Fault>>;
    /// The zip as it was given; `None` where there is none.
    fn zip(&self, digest: Digest) -> Wait<'_, Result<Option<Bytes>, Fault>>;
    /// The folder with the unpacked code, to be mounted or used as `/var/task`.
    fn folder(&self, digest: Digest) -> PathBuf;
    /// Puts out of sight every package that is neither in `used`, nor part of a record, nor held.
    fn retain(&self, used: Vec<Digest>) -> Wait<'_, Result<Removal, Fault>>;
}

/// Removes for good what [`Packages::retain`] put out of sight, which may take long. What it does not get to goes at the
/// next start.
pub type Removal = Wait<'static, Result<(), Fault>>;

/// A package that stays as long as this is held, also before the record of a function names it.
pub struct Kept {
    /// The package.
    pub package: Package,
    _hold: Box<dyn Send + Sync>,
}

impl Kept {
    /// A package, and what keeps it from being removed until it is dropped.
    pub fn new(package: Package, hold: impl Send + Sync + 'static) -> Self {
        Self { package, _hold: Box::new(hold) }
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.package.fmt(f)
    }
}

/// Container images: found, fetched and unpacked; content-addressed.
pub trait Images: Send + Sync {
    /// Whether functions can be made of images here; the text says what that needs.
    ///
    /// # Errors
    /// They cannot.
    fn supported(&self) -> Result<(), String>;
    /// Which image a reference means now, and whether this machine can run it. Its layers are not fetched yet.
    ///
    /// # Errors
    /// The image is refused, or the disk failed.
    fn resolve(&self, uri: String) -> Wait<'_, Result<HeldImage, Error>>;
    /// Brings all of an image here, whole and on disk when it returns. What is here already costs nothing.
    ///
    /// # Errors
    /// The image is refused, or the disk failed.
    fn pull(&self, image: Image) -> Wait<'_, Result<(), Error>>;
    /// Puts out of sight every image that is neither in `used` nor held.
    fn retain_images(&self, used: Vec<Digest>) -> Wait<'_, Result<Removal, Fault>>;
}

/// An image that stays as long as this is held, also before the record of a function names it.
pub struct HeldImage {
    /// The image.
    pub image: Image,
    _hold: Box<dyn Send + Sync>,
}

impl HeldImage {
    /// An image, and what keeps it from being removed until it is dropped.
    pub fn new(image: Image, hold: impl Send + Sync + 'static) -> Self {
        Self { image, _hold: Box::new(hold) }
    }
}

impl std::fmt::Debug for HeldImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.image.fmt(f)
    }
}

/// What runs functions.
pub trait Sandbox: Send + Sync {
    /// Whether this machine can run a runtime; the text says how to make it so.
    fn supports(&self, runtime: Runtime) -> Wait<'_, Result<(), String>>;
    /// How well its environments are kept apart.
    fn level(&self) -> domain::isolation::Isolation;
    /// Whether environments can have a network; the text says why not.
    fn gives(&self, network: Network) -> Result<(), String>;
    /// What `INIT_START` says of a runtime: its version as `python:3.11.v7`.
    fn runtime_version(&self, runtime: Runtime) -> String;
    /// Prepares an environment; its runtime is started by [`Environment::init`].
    fn start(&self, spec: EnvironmentSpec, output: Arc<dyn Output>) -> Wait<'_, Result<Arc<dyn Environment>, Fault>>;
    /// The share of the machine's memory that is available now, 0 to 1.
    fn memory_available(&self) -> f64;
}

/// An image as a function uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageUse {
    /// Which; pulled.
    pub image: Image,
    /// What takes the place of its own settings.
    pub config: ImageConfig,
}

/// All that an environment needs to know.
#[derive(Clone, Debug)]
pub struct EnvironmentSpec {
    /// Its id; also the name of its folder.
    pub id: EnvironmentId,
    /// Which runtime; for an image, which brings its own, one that is OS-only.
    pub runtime: Runtime,
    /// The unpacked code; empty where there is an image.
    pub code: PathBuf,
    /// The image, where the function is one.
    pub image: Option<ImageUse>,
    /// The unpacked layers, merged into `/opt`; a later one covers an earlier one.
    pub layers: Vec<PathBuf>,
    /// The account that the function belongs to.
    pub account: String,
    /// MB of memory configured.
    pub memory_mb: u32,
    /// MB of `/tmp`.
    pub storage_mb: u32,
    /// What network it has.
    pub network: Network,
    /// Variables of which the user may override any; the sandbox adds its own defaults below these
    /// (`PATH`, `LD_LIBRARY_PATH`, `PYTHONPATH`, `NODE_PATH`).
    pub variables: domain::variables::Variables,
    /// Variables that the user cannot override; the sandbox adds `AWS_LAMBDA_RUNTIME_API`, `LAMBDA_TASK_ROOT` and
    /// `LAMBDA_RUNTIME_DIR`.
    pub platform_variables: Vec<(String, String)>,
}

/// Where an environment's output goes: complete lines, the line break included, or the rest of an unfinished one.
pub trait Output: Send + Sync {
    /// One line of the function's standard output or error.
    fn line(&self, line: &[u8]);
    /// One line of an external extension's.
    fn extension_line(&self, line: &[u8]) {
        self.line(line);
    }
    /// What the sandbox has to say of extensions.
    fn record(&self, record: &domain::log::Record);
}

/// One execution environment. Its calls come one at a time.
///
/// Deadlines are on the elapsed time of [`Clock::elapsed`]. When a call returns, every line that the
/// function had written by then has been given to [`Output`].
pub trait Environment: Send + Sync + std::fmt::Debug {
    /// Starts the runtime, ending the one before, and waits until it asks for its first event.
    fn init(&self, deadline: Duration, allowed: Duration) -> Wait<'_, Result<InitEnd, Fault>>;
    /// Hands over an event and waits for the answer, or for the beginning of a streamed one.
    fn invoke(&self, event: Event) -> Wait<'_, Answer>;
    /// Waits until the runtime asks for its next event; its time is still that of the last event. A streamed answer
    /// that breaks off ends the runtime.
    fn settle(&self) -> Wait<'_, Result<(), Failure>>;
    /// After an initialisation or an invocation that failed: ends what is left of it. Extensions hear of it and have
    /// their time to end; done when it returns. Where nobody calls it, the next [`Environment::init`] does the same.
    fn recover(&self) -> Wait<'_, ()> {
        Box::pin(std::future::ready(()))
    }
    /// The platform has said something of this environment, of which its extensions may want to hear.
    fn observe(&self, _at: Timestamp, _record: &domain::log::Record) {}
    /// Whether [`Environment::observe`] reaches anybody: else there is no need to call it.
    fn is_observed(&self) -> bool {
        false
    }
    /// Whether the runtime is alive and waits for an event.
    fn is_ready(&self) -> bool;
    /// The most memory that it has used so far.
    fn memory_used_bytes(&self) -> u64;
    /// Ends everything in it and removes what it left; done when it returns. Dropping does the same, unobserved.
    fn stop(&self) -> Wait<'_, ()>;
}

/// An event as the runtime gets it.
#[derive(Clone, Debug)]
pub struct Event {
    /// `Lambda-Runtime-Aws-Request-Id`.
    pub request_id: RequestId,
    /// `Lambda-Runtime-Invoked-Function-Arn`.
    pub invoked_arn: String,
    /// `Lambda-Runtime-Trace-Id`.
    pub trace: String,
    /// `Lambda-Runtime-Client-Context`: JSON text in one line.
    pub client_context: Option<String>,
    /// `Lambda-Runtime-Deadline-Ms`, on the calendar.
    pub deadline_at: Timestamp,
    /// The same moment on the elapsed time.
    pub deadline: Duration,
    /// What was allowed in all; a timeout's text names it.
    pub allowed: Duration,
    /// The event itself.
    pub payload: Bytes,
    /// Whether the caller takes the answer piece by piece: only then is there an [`Answer::Stream`].
    pub takes_stream: bool,
}

/// What a runtime made of an event.
#[derive(Debug)]
pub enum Answer {
    /// Posted to `/response` as a whole.
    Response(Bytes),
    /// Streamed to `/response`, and collected, since the caller takes it as a whole only.
    Collected(Bytes),
    /// Being streamed to `/response`. It goes on during [`Environment::settle`].
    Stream(Stream),
    /// Posted to `/error`, or seen by the platform.
    Failed(Failure),
}

/// An answer while the runtime uploads it.
#[derive(Debug)]
pub struct Stream {
    /// What has come, in order; few pieces, so that whoever reads slowly holds the runtime up and not the memory. When
    /// nobody listens any more, the rest of the upload is thrown away.
    pub pieces: mpsc::Receiver<Bytes>,
    /// How the upload ended, once it did, and the bytes of all pieces, which are complete then.
    pub ended: oneshot::Receiver<Result<u64, Failure>>,
}

/// Time, handed in.
pub trait Clock: Send + Sync {
    /// The calendar: ages, dates, the deadline that a function is told.
    fn now(&self) -> Timestamp;
    /// The calendar as the machine has it, which no test moves: queues, whose times must outlive the engine.
    fn system_now(&self) -> Timestamp;
    /// The time elapsed since some moment before the start of the engine; never goes back.
    fn elapsed(&self) -> Duration;
    /// Wakes when the elapsed time has reached `at`.
    fn wake_at(&self, at: Duration) -> Wait<'static, ()>;
    /// Wakes when the calendar has reached `at`, however it came there.
    fn wake_on(&self, at: Timestamp) -> Wait<'static, ()>;
}

/// Chance, handed in.
pub trait Dice: Send + Sync {
    /// A random UUID, version 4.
    fn uuid(&self) -> Uuid;
    /// 64 random bits.
    fn bits(&self) -> u64;
}

/// Where log lines and counts go.
pub trait Telemetry: Send + Sync {
    /// One line of a function's execution log, line break included.
    fn log(&self, source: &LogSource, at: Timestamp, line: &[u8]);
    /// One more of something.
    fn count(&self, metric: Metric, function: &FunctionName);
}

/// Which log a line belongs to.
#[derive(Clone, Debug)]
pub struct LogSource {
    /// The function.
    pub function: FunctionName,
    /// `/aws/lambda/NAME` or what the function's configuration names.
    pub group: String,
    /// One per environment.
    pub stream: String,
    /// What the platform's lines are written in.
    pub format: LogFormat,
}

/// What is counted, named as AWS names it in CloudWatch where AWS has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Invocations that ran.
    Invocations,
    /// Invocations that ended in a function error.
    Errors,
    /// Invocations refused for concurrency or for their rate.
    Throttles(ThrottleReason),
    /// Environments started.
    ColdStarts,
    /// Invocations refused because the machine, not the account, was full.
    MachineFull,
    /// Events accepted.
    AsyncEventsReceived,
    /// Events that ended without success.
    AsyncEventsDropped,
    /// Dead letters that did not arrive in time.
    DeadLetterErrors,
    /// Records that did not arrive in time.
    DestinationDeliveryFailures,
}

/// What carries deliveries to services elsewhere.
pub trait Courier: Send + Sync {
    /// Sends it; the target has taken it when this returns. The same may be sent again after a crash.
    ///
    /// # Errors
    /// It was not taken, or nobody knows; the text says why and what to do about it.
    fn send(&self, parcel: Parcel) -> Wait<'_, Result<(), Undelivered>>;
}

/// Why a delivery did not arrive. It is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// For people: the service's own words, or who did not answer.
    pub why: String,
}

/// Event source mappings, kept. Every call is one serialisable step; when it returns, it is on disk.
pub trait MappingRecords: Send + Sync {
    /// Everything there is, once at start.
    fn load_mappings(&self) -> Wait<'_, Result<Vec<Mapping>, Fault>>;
    /// Writes one, new or in place of itself.
    fn put_mapping(&self, mapping: Arc<Mapping>) -> Wait<'_, Result<(), Fault>>;
    /// Removes one; `false` where there is none.
    fn remove_mapping(&self, id: Uuid) -> Wait<'_, Result<bool, Fault>>;
}
