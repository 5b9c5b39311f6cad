//! Events and deliveries, as they are kept.

use std::sync::Arc;

use bytes::Bytes;
use domain::Fault;
use domain::destination::{Condition, Delivery};
use domain::event::{self, Progress};
use domain::names::{FunctionName, Qualifier, RequestId};
use jiff::Timestamp;
use uuid::Uuid;

use super::Wait;

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
    pub qualifier: Option<Qualifier>,
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
