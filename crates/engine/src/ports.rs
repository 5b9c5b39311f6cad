//! What is outside, as the engine sees it.
//!
//! Never here: a trait with one implementation and no test twin or fault to inject.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::alias::Alias;
use domain::destination::{Condition, Delivery, Parcel};
use domain::environment::{Failure, InitEnd};
use domain::error::ThrottleReason;
use domain::event::{self, Progress};
use domain::function::{Digest, Function, LogFormat, Package};
use domain::layer::{Layer, LayerName, LayerVersion};
use domain::mapping::Mapping;
use domain::names::{AliasName, EnvironmentId, FunctionName, RequestId, RevisionId, VersionNumber};
use domain::runtime::Runtime;
use domain::settings::Settings;
use domain::{Error, Fault};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

pub use domain::mapping::batch::{
    Attribute as MessageAttribute, AttributeValue as MessageAttributeValue, Message as QueueMessage,
};

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
    /// Removes a version; `false` where there is none.
    fn remove_layer_version(&self, name: LayerName, number: u64) -> Wait<'_, Result<bool, Fault>>;
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

/// What runs functions.
pub trait Sandbox: Send + Sync {
    /// Whether this machine can run a runtime; the text says how to make it so.
    fn supports(&self, runtime: Runtime) -> Wait<'_, Result<(), String>>;
    /// What `INIT_START` says of a runtime: its version as `python:3.11.v7`.
    fn runtime_version(&self, runtime: Runtime) -> String;
    /// Prepares an environment; its runtime is started by [`Environment::init`].
    fn start(&self, spec: EnvironmentSpec, output: Arc<dyn Output>) -> Wait<'_, Result<Arc<dyn Environment>, Fault>>;
    /// The share of the machine's memory that is available now, 0 to 1.
    fn memory_available(&self) -> f64;
}

/// All that an environment needs to know.
#[derive(Clone, Debug)]
pub struct EnvironmentSpec {
    /// Its id; also the name of its folder.
    pub id: EnvironmentId,
    /// Which runtime.
    pub runtime: Runtime,
    /// The unpacked code.
    pub code: PathBuf,
    /// The unpacked layers, merged into `/opt`; a later one covers an earlier one.
    pub layers: Vec<PathBuf>,
    /// The account that the function belongs to.
    pub account: String,
    /// MB of memory configured.
    pub memory_mb: u32,
    /// MB of `/tmp`.
    pub storage_mb: u32,
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
    /// How the upload ended, once it did; the pieces are complete then.
    pub ended: oneshot::Receiver<Result<(), Failure>>,
}

/// Time, handed in.
pub trait Clock: Send + Sync {
    /// The calendar: ages, dates, the deadline that a function is told.
    fn now(&self) -> Timestamp;
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

/// Accepted events and what is owed of them, kept. Every call is one serialisable step; when one that writes returns, it
/// is on disk.
pub trait EventRecords: Send + Sync {
    /// How much room the disk has for more.
    fn free_bytes(&self) -> Result<u64, Fault>;
    /// What there is, once at start.
    fn load_events(&self) -> Wait<'_, Result<Backlog, Fault>>;
    /// Writes an event; `false` where its id is there already.
    fn insert_event(&self, event: Arc<event::Event>) -> Wait<'_, Result<bool, Fault>>;
    /// Events of a function that are due, earliest first.
    fn due_events(&self, function: FunctionName, due: Due<RequestId>) -> Wait<'_, Result<Batch<event::Event>, Fault>>;
    /// Writes what became of an event that was at that round; `false`, and no effect, where it is not any more.
    fn settle_event(&self, id: RequestId, round: u32, settled: Settled) -> Wait<'_, Result<bool, Fault>>;
    /// Deliveries to a target that are due, earliest first.
    fn due_deliveries(&self, target: String, due: Due<Uuid>) -> Wait<'_, Result<Batch<Owed>, Fault>>;
    /// Writes what became of a delivery. The answer counts the events that have gone with it: one that waited for
    /// nothing else, or none.
    fn settle_delivery(&self, id: Uuid, sent: Sent) -> Wait<'_, Result<u64, Fault>>;
    /// Events that fit, oldest first, then by id; those behind `after`.
    fn find_events(
        &self,
        filter: EventFilter,
        after: Option<(Timestamp, RequestId)>,
        events_max: usize,
    ) -> Wait<'_, Result<Vec<Listed>, Fault>>;
    /// How many fit.
    fn count_events(&self, filter: EventFilter) -> Wait<'_, Result<u64, Fault>>;
    /// One event with all that is known of it.
    fn show_event(&self, id: RequestId) -> Wait<'_, Result<Option<Shown>, Fault>>;
    /// Starts dead events again, with no attempts and a new age, and the deliveries of delivering ones; tells which
    /// there were. Others stay as they are.
    fn redrive_events(&self, ids: Vec<RequestId>, now: Timestamp) -> Wait<'_, Result<Vec<Redriven>, Fault>>;
    /// Removes events, in whatever state; tells which there were.
    fn purge_events(&self, ids: Vec<RequestId>) -> Wait<'_, Result<Vec<RequestId>, Fault>>;
}

/// What is kept of events when the engine starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many events, in whatever state.
    pub events: u64,
    /// Functions with events to run, and when the first is due.
    pub functions: Vec<(FunctionName, Timestamp)>,
    /// Targets with deliveries to make, and when the first is due.
    pub targets: Vec<(String, Timestamp)>,
}

/// Which of those that are due are wanted.
#[derive(Clone, Debug)]
pub struct Due<Id> {
    /// Due by then.
    pub now: Timestamp,
    /// Not these: they are in hand.
    pub skip: Vec<Id>,
    /// So many at most.
    pub items_max: usize,
    /// So many bytes of payload at most, but one item at least.
    pub bytes_max: usize,
}

/// What is due.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch<T> {
    /// Some of it.
    pub items: Vec<T>,
    /// When the first of the others is due, which may be already; none where there are no others.
    pub next_at: Option<Timestamp>,
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Settled {
    /// It is done, and nobody is to be told.
    Done,
    /// It is tried again.
    Again {
        /// When.
        due_at: Timestamp,
        /// How far it is.
        progress: Progress,
    },
    /// It is done: dead, unless it succeeded; then it is there until its record has arrived.
    Ended {
        /// How.
        condition: Condition,
        /// How far it came.
        progress: Progress,
        /// What is to be sent.
        deliveries: Vec<Delivery>,
    },
}

/// A delivery that has not arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Owed {
    /// What is to be sent.
    pub delivery: Delivery,
    /// How often that was tried.
    pub attempts: u32,
    /// Since when.
    pub tried_from: Timestamp,
}

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The target has it.
    Delivered,
    /// It is tried again.
    Again {
        /// When.
        due_at: Timestamp,
        /// How often it was tried.
        attempts: u32,
        /// Why it did not arrive.
        error: String,
    },
    /// It is not tried any more until somebody says so.
    Failed {
        /// How often it was tried.
        attempts: u32,
        /// Why it did not arrive.
        error: String,
    },
}

/// Which events are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Of this function.
    pub function: Option<FunctionName>,
    /// In this state; running is none that is kept.
    pub state: Option<event::State>,
    /// Accepted before.
    pub accepted_before: Option<Timestamp>,
    /// One of these.
    pub only: Option<Vec<RequestId>>,
    /// None of these.
    pub but: Vec<RequestId>,
}

/// An event as listings have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub request_id: RequestId,
    /// Its function.
    pub function: FunctionName,
    /// As it was asked for.
    pub qualifier: Option<domain::names::Qualifier>,
    /// As it is kept: never running.
    pub state: event::State,
    /// How often it ran.
    pub attempts: u32,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When it is tried next.
    pub due_at: Option<Timestamp>,
    /// How it ended, where it has.
    pub condition: Option<String>,
    /// The last error's message, where there was one.
    pub error_message: Option<String>,
}

/// An event with all that is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// What listings have.
    pub listed: Listed,
    /// What the function gets.
    pub payload: Bytes,
    /// The attempts that failed.
    pub history: Vec<event::Attempt>,
    /// What is or was to be sent.
    pub deliveries: Vec<DeliveryShown>,
}

/// A delivery as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryShown {
    /// The target's ARN.
    pub target: String,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next.
    pub due_at: Option<Timestamp>,
    /// Why it did not arrive the last time.
    pub error: Option<String>,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is tried again.
    Pending,
    /// The target has it.
    Delivered,
    /// It was tried for long enough.
    Failed,
}

impl DeliveryState {
    /// As it is spelled everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// An event that was started again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redriven {
    /// Its id.
    pub request_id: RequestId,
    /// Its function, where it runs again.
    pub function: Option<FunctionName>,
    /// The targets of its deliveries, where these are sent again.
    pub targets: Vec<String>,
}

/// Queues that functions are fed from: the built-in ones, and those of an SQS elsewhere.
///
/// Standard queues, so a message can come twice and in any order. One that was received stays invisible to others for
/// its visibility timeout and comes again afterwards, under a new handle, unless it was deleted. `queue` is the ARN.
/// Dropping a call gives it up; what it had received by then comes again.
pub trait QueueSource: Send + Sync {
    /// What a mapping must know of a queue before it polls.
    fn attributes(&self, queue: String) -> Wait<'_, Result<QueueAttributes, QueueFailure>>;
    /// Takes messages that are visible; none after `wait` without one.
    fn receive(&self, queue: String, ask: Receive) -> Wait<'_, Result<Vec<QueueMessage>, QueueFailure>>;
    /// Deletes messages, any number of them, by the handles of their last receipt. What was not deleted is given back.
    fn delete(&self, queue: String, handles: Vec<String>) -> Wait<'_, Result<Vec<NotDone>, QueueFailure>>;
    /// Lets messages become visible again after `timeout` from now, at once with zero. What was not changed is given
    /// back: a message that is visible already, for one.
    fn change_visibility(
        &self,
        queue: String,
        handles: Vec<String>,
        timeout: Duration,
    ) -> Wait<'_, Result<Vec<NotDone>, QueueFailure>>;
    /// Whether a receipt that is dropped while it waits takes no message any more. Elsewhere it may go on for as long as
    /// it was to wait, and hide what comes.
    fn stops_when_dropped(&self, _queue: &str) -> bool {
        false
    }
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

/// What a queue says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueAttributes {
    /// `VisibilityTimeout`: how long a message stays invisible where [`Receive::visibility`] says nothing.
    pub visibility: Duration,
}

/// How to receive. Durations are in whole seconds; what is below one counts as none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receive {
    /// 1 to 10 messages.
    pub max: u8,
    /// How long to wait for a first message; at most 20 seconds. Less than `max` may come although there are more.
    pub wait: Duration,
    /// How long they stay invisible; as the queue has it where there is none. At most 12 hours.
    pub visibility: Option<Duration>,
}

/// One message of a batch that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotDone {
    /// Its handle.
    pub handle: String,
    /// For people: the queue's own words.
    pub why: String,
}

/// Why a queue did not do as it was asked. Asking again may help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueFailure {
    /// There is no such queue.
    Missing {
        /// For people, in one line.
        why: String,
    },
    /// It was refused, or nobody answered.
    Failed {
        /// For people, in one line.
        why: String,
    },
}
