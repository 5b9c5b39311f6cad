//! The built-in queues, as they are kept.

use std::sync::Arc;

use domain::Fault;
use domain::queue::{Counts, MessageBody, NewMessage, Queue, QueueName, Receipt};
use jiff::Timestamp;
use uuid::Uuid;

use super::Wait;

/// Queues and their messages, kept. Every call is one serialisable step; when it returns, it is on disk.
pub trait QueueRecords: Send + Sync {
    /// The queues, once at start.
    fn load_queues(&self) -> Wait<'_, Result<Vec<Queue>, Fault>>;
    /// Writes a queue that may not exist yet, without looking at its id; the id it was given, or none where one of that
    /// name exists.
    fn insert_queue(&self, queue: Queue) -> Wait<'_, Result<Option<u64>, Fault>>;
    /// Replaces a queue; `false` where it is gone.
    fn replace_queue(&self, queue: Arc<Queue>) -> Wait<'_, Result<bool, Fault>>;
    /// Removes a queue and all that is in it; `false` where it is gone.
    fn remove_queue(&self, queue: u64) -> Wait<'_, Result<bool, Fault>>;
    /// Removes all that is in a queue; `false` where it is gone.
    fn purge_queue(&self, queue: u64) -> Wait<'_, Result<bool, Fault>>;
    /// Puts messages into a queue, all or none.
    fn send_messages(&self, sending: Sending) -> Wait<'_, Result<Accepted, Fault>>;
    /// Takes messages that are visible, the longest visible first; none where the queue is gone.
    fn receive_messages(&self, receiving: Receiving) -> Wait<'_, Result<Option<Received>, Fault>>;
    /// Removes messages, each if this is the last receiving of it; whether it was.
    fn delete_messages(&self, queue: u64, receipts: Vec<Receipt>) -> Wait<'_, Result<Vec<bool>, Fault>>;
    /// Gives messages another time at which they are visible again, each if this is the last receiving of it.
    fn change_visibility(
        &self,
        queue: u64,
        changes: Vec<(Receipt, u32)>,
        now: Timestamp,
    ) -> Wait<'_, Result<Vec<Visibility>, Fault>>;
    /// How many messages are in a queue; none where it is gone.
    fn count_messages(&self, queue: u64, now: Timestamp) -> Wait<'_, Result<Option<Counts>, Fault>>;
    /// Removes some of what was sent before a moment, a moment for each queue, and of what purged and removed queues left
    /// behind; whether there may be more.
    fn sweep_messages(&self, sent_before: Vec<(u64, Timestamp)>) -> Wait<'_, Result<bool, Fault>>;
}

/// What is put into a queue.
#[derive(Clone, Debug)]
pub struct Sending {
    /// The queue's id.
    pub queue: u64,
    /// The messages.
    pub messages: Vec<NewMessage>,
    /// As many messages as the queue takes.
    pub messages_max: u64,
    /// When.
    pub now: Timestamp,
}

/// What became of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// They are kept.
    Kept,
    /// The queue is gone.
    NoQueue,
    /// There is no room for them.
    Full,
}

/// What is taken out of a queue.
#[derive(Clone, Debug)]
pub struct Receiving {
    /// The queue's id.
    pub queue: u64,
    /// Its name, for messages that go to its dead-letter queue.
    pub name: QueueName,
    /// How many messages at most.
    pub max: u32,
    /// For how many seconds nobody else gets them.
    pub visibility_seconds: u32,
    /// What was sent before is gone.
    pub sent_after: Timestamp,
    /// Where messages go instead that were received as often as this.
    pub redrive: Option<(QueueName, u32)>,
    /// How many messages may be with receivers.
    pub in_flight_max: u32,
    /// When.
    pub now: Timestamp,
}

/// What was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The messages.
    pub messages: Vec<ReceivedMessage>,
    /// When the next one becomes visible, where none was.
    pub next_at: Option<Timestamp>,
    /// Whether none was taken because too many are with receivers.
    pub is_over_limit: bool,
    /// How many went to the dead-letter queue.
    pub moved: u64,
}

/// A message with who receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// Its id.
    pub id: Uuid,
    /// What deletes it.
    pub receipt: Receipt,
    /// Its content.
    pub body: MessageBody,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When it was first received from this queue.
    pub first_received_at: Timestamp,
    /// The name of the queue that it came from as a dead letter.
    pub dead_letter_source: Option<QueueName>,
}

/// What became of a change of visibility.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// It is as asked.
    Changed,
    /// The message is gone, or was received again.
    Expired,
    /// Nobody has the message.
    NotInFlight,
    /// It would be longer than a message may stay with its receiver.
    TooLong,
}
