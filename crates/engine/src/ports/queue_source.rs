//! Queues that functions are fed from, as the engine sees them.
//!
//! Never here: which function is fed, and how queues are kept.

use std::time::Duration;

pub use domain::mapping::batch::{
    Attribute as MessageAttribute, AttributeValue as MessageAttributeValue, Message as QueueMessage,
};

use super::Wait;

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
