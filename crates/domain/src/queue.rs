//! The built-in queue's nouns: queues, what may be set of them, their messages, and why a call on them is refused.
//!
//! Standard queues only. Sources: Amazon SQS API reference and developer guide. Never here: who waits for messages, and
//! how refusals are written down for a protocol.

mod attributes;
mod message;
mod receipt;
mod refusal;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::Timestamp;

use crate::arn::Home;
use crate::{Fault, limits};

pub use self::attributes::{Attributes, Counts, Redrive, SETTABLE};
pub use self::message::{
    AttributeValue, Filter, MessageAttribute, MessageBody, NewMessage, TRACE_HEADER, check_batch_bytes, md5_of,
    md5_of_attributes, md5_of_trace, mended,
};
pub use self::receipt::Receipt;
pub use self::refusal::Refusal;

/// The end of a FIFO queue's name.
pub const FIFO: &str = ".fifo";

/// Why a call on a queue has no result.
#[derive(Debug)]
pub enum Error {
    /// The caller asked for something that cannot be had.
    Refused(Refusal),
    /// We failed.
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

/// The name of a standard queue: 1 to 80 letters, digits, hyphens and underscores.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueName(Arc<str>);

impl QueueName {
    /// Reads a name; none where no standard queue can have it.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        let is_name = (1..=limits::QUEUE_NAME_CHARS).contains(&text.len()) && text.bytes().all(allowed);
        is_name.then(|| Self(text.into()))
    }

    /// Reads the name of a queue that is to be made.
    ///
    /// # Errors
    /// No queue can have it, or only a FIFO queue.
    pub fn of_new(text: &str) -> Result<Self, Refusal> {
        if text.ends_with(FIFO) {
            return Err(Refusal::Fifo);
        }
        Self::parse(text).ok_or(Refusal::InvalidQueueName)
    }

    /// The name in a queue's ARN or in its own words; none where that is not one of this engine's.
    pub fn of(home: &Home, arn_or_name: &str) -> Option<Self> {
        let Some(rest) = arn_or_name.strip_prefix("arn:") else { return Self::parse(arn_or_name) };
        let parts: Vec<&str> = rest.split(':').collect();
        let [partition, "sqs", region, account, name] = parts[..] else { return None };
        let is_here = partition == &*home.partition && region == &*home.region && account == &*home.account;
        if is_here { Self::parse(name) } else { None }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ARN of the queue of this engine that is called so.
    pub fn arn(&self, home: &Home) -> String {
        format!("arn:{}:sqs:{}:{}:{self}", home.partition, home.region, home.account)
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A queue without its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Told apart from one that had the name before; given by who keeps it, and never given again.
    pub id: u64,
    /// Its name.
    pub name: QueueName,
    /// What can be set.
    pub attributes: Attributes,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// `CreatedTimestamp`.
    pub created_at: Timestamp,
    /// `LastModifiedTimestamp`.
    pub modified_at: Timestamp,
}

/// Checks the entries of a batch by their ids; `action` is the word before `BatchRequestEntry`.
///
/// # Errors
/// There are none or too many, or an id is malformed or there twice (recorded: `test_invalid_batch_id`,
/// `test_too_many_entries_in_batch_request`).
pub fn check_batch<'a>(ids: impl ExactSizeIterator<Item = &'a str>, action: &'static str) -> Result<(), Refusal> {
    let given = ids.len();
    if given == 0 {
        return Err(Refusal::EmptyBatch { action });
    }
    if given > limits::QUEUE_BATCH {
        return Err(Refusal::TooManyEntries { given });
    }
    let mut seen: Vec<&str> = Vec::with_capacity(given);
    for id in ids {
        // Made of the same characters as the name of a queue, and as long at most.
        if QueueName::parse(id).is_none() {
            return Err(Refusal::InvalidEntryId);
        }
        if seen.contains(&id) {
            return Err(Refusal::EntryIdTwice { id: id.to_owned() });
        }
        seen.push(id);
    }
    Ok(())
}

/// Reads a number of seconds, or of something else, within its bounds.
///
/// # Errors
/// It is beyond them; the reason is AWS's.
pub fn bounded(name: &'static str, value: i64, bounds: RangeInclusive<u32>, reason: &str) -> Result<u32, Refusal> {
    let number = u32::try_from(value).ok().filter(|number| bounds.contains(number));
    number.ok_or_else(|| Refusal::Parameter { value: value.to_string(), name, reason: reason.to_owned() })
}

/// Puts tags on a queue, in place of those of the same keys.
///
/// # Errors
/// There would be too many.
pub fn tag(tags: &mut BTreeMap<String, String>, new: BTreeMap<String, String>) -> Result<(), Refusal> {
    tags.extend(new);
    if tags.len() > limits::QUEUE_TAGS { Err(Refusal::TooManyTags) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> Home {
        Home { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() }
    }

    #[test]
    fn names_are_told_from_what_is_none() {
        let longest = "q".repeat(80);
        for name in ["a", "A-b_9", &longest] {
            assert_eq!(QueueName::of_new(name).unwrap().as_str(), name);
        }
        for (text, refusal) in [
            ("", Refusal::InvalidQueueName),
            ("a.b", Refusal::InvalidQueueName),
            ("a b", Refusal::InvalidQueueName),
            ("\u{e9}", Refusal::InvalidQueueName),
            (&*"q".repeat(81), Refusal::InvalidQueueName),
            ("orders.fifo", Refusal::Fifo),
        ] {
            assert_eq!(QueueName::of_new(text), Err(refusal), "{text}");
            assert_eq!(QueueName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_arn_means_a_queue_of_this_engine_only() {
        let name = QueueName::parse("q").unwrap();
        assert_eq!(name.arn(&home()), "arn:aws:sqs:us-east-1:000000000000:q");
        assert_eq!(QueueName::of(&home(), &name.arn(&home())), Some(name.clone()));
        assert_eq!(QueueName::of(&home(), "q"), Some(name));
        for other in [
            "arn:aws:sqs:eu-west-1:000000000000:q",
            "arn:aws:sqs:us-east-1:111111111111:q",
            "arn:aws-cn:sqs:us-east-1:000000000000:q",
            "arn:aws:sns:us-east-1:000000000000:q",
            "arn:aws:sqs:us-east-1:000000000000:q:r",
            "arn:aws:sqs:us-east-1:000000000000:q.fifo",
        ] {
            assert_eq!(QueueName::of(&home(), other), None, "{other}");
        }
    }

    #[test]
    fn a_batch_has_one_to_ten_entries_with_ids_of_their_own() {
        let check = |ids: &[&str]| check_batch(ids.iter().copied(), "SendMessage");
        let ids: Vec<String> = (0..11).map(|number| format!("id-{number}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        assert_eq!(check(&ids[..10]), Ok(()));
        assert_eq!(check(&ids), Err(Refusal::TooManyEntries { given: 11 }));
        assert_eq!(check(&[]), Err(Refusal::EmptyBatch { action: "SendMessage" }));
        assert_eq!(check(&["a", "b", "a"]), Err(Refusal::EntryIdTwice { id: "a".into() }));
        for id in ["", "invalid:id", &"testLongId".repeat(9)] {
            assert_eq!(check(&[id]), Err(Refusal::InvalidEntryId), "{id}");
        }
    }

    #[test]
    fn a_queue_has_fifty_tags_at_most() {
        let some = |from: usize, to: usize| (from..to).map(|number| (number.to_string(), String::new())).collect();
        let mut tags = some(0, 50);
        assert_eq!(tag(&mut tags, some(10, 20)), Ok(()));
        assert_eq!(tag(&mut tags, some(50, 51)), Err(Refusal::TooManyTags));
    }
}
