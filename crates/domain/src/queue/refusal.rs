//! Why a call on a queue is refused.

use std::fmt;

use crate::limits;

/// Each variant holds what its message needs; the message is in AWS's words where they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No queue of that name.
    NoQueue,
    /// CreateQueue under a name that is taken, with other attributes.
    QueueExists {
        /// The first that differs.
        attribute: String,
    },
    /// A name that no queue can have.
    InvalidQueueName,
    /// A FIFO queue is asked for.
    Fifo,
    /// Something else that is not built.
    NotBuilt {
        /// What.
        what: String,
    },
    /// An attribute that standard queues do not have.
    UnknownAttribute {
        /// Its name.
        name: String,
    },
    /// An attribute's value is beyond what is allowed.
    AttributeValue {
        /// The attribute.
        name: &'static str,
    },
    /// A parameter's value makes no sense.
    Parameter {
        /// As given.
        value: String,
        /// Which parameter.
        name: &'static str,
        /// Why, in AWS's words.
        reason: String,
    },
    /// A parameter is missing.
    Missing {
        /// Which.
        name: String,
    },
    /// A message attribute that cannot be; the text says why.
    MessageAttribute {
        /// In AWS's words.
        why: String,
    },
    /// A message beyond the queue's limit.
    MessageTooLong {
        /// The limit.
        bytes_max: u32,
    },
    /// The messages of a batch are too long together.
    BatchTooLong {
        /// What they are.
        bytes: usize,
    },
    /// A character that XML 1.0 does not have.
    InvalidCharacters,
    /// Not a receipt handle, or one of another queue.
    InvalidReceipt {
        /// As given.
        handle: String,
    },
    /// ChangeMessageVisibility of a message that is not there any more, or was received again since.
    ReceiptExpired {
        /// As given.
        handle: String,
    },
    /// ChangeMessageVisibility of a message that nobody has.
    NotInFlight,
    /// A batch without entries.
    EmptyBatch {
        /// The word before `BatchRequestEntry`.
        action: &'static str,
    },
    /// A batch of more entries than allowed.
    TooManyEntries {
        /// How many.
        given: usize,
    },
    /// Two entries of a batch have one id.
    EntryIdTwice {
        /// The id.
        id: String,
    },
    /// An entry's id is malformed.
    InvalidEntryId,
    /// A second PurgeQueue too soon.
    PurgeInProgress {
        /// The queue's name.
        queue: String,
    },
    /// Too many messages were received and not deleted.
    TooManyInFlight,
    /// The engine takes no more of something.
    Full {
        /// What it has as many of as it takes.
        what: &'static str,
    },
    /// Too many wait already.
    TooManyPolls,
    /// More tags than a queue may have.
    TooManyTags,
    /// The address names no queue.
    InvalidAddress {
        /// As given.
        address: String,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoQueue => f.write_str("The specified queue does not exist."),
            // Recorded: test_create_queue_with_different_attributes_raises_exception.
            Self::QueueExists { attribute } => {
                write!(f, "A queue already exists with the same name and a different value for attribute {attribute}")
            }
            Self::InvalidQueueName => {
                f.write_str("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
            }
            Self::Fifo => f.write_str(
                "FIFO queues are not built: lambd has standard queues only. Leave out FifoQueue and the end .fifo of \
                 the name, or name a service that has FIFO queues with --endpoint sqs=URL",
            ),
            Self::NotBuilt { what } => write!(f, "{what} is not built in lambd's queues"),
            Self::UnknownAttribute { name } => write!(f, "Unknown Attribute {name}."),
            Self::AttributeValue { name } => write!(f, "Invalid value for the parameter {name}."),
            // Recorded: test_send_receive_max_number_of_messages.
            Self::Parameter { value, name, reason } => {
                write!(f, "Value {value} for parameter {name} is invalid. Reason: {reason}")
            }
            Self::Missing { name } => write!(f, "The request must contain the parameter {name}."),
            Self::MessageAttribute { why } => f.write_str(why),
            // Recorded: test_send_oversized_message.
            Self::MessageTooLong { bytes_max } => {
                write!(f, "One or more parameters are invalid. Reason: Message must be shorter than {bytes_max} bytes.")
            }
            // Recorded: test_send_message_batch_with_oversized_contents.
            Self::BatchTooLong { bytes } => write!(
                f,
                "Batch requests cannot be longer than {} bytes. You have sent {bytes} bytes.",
                limits::MESSAGE_BYTES
            ),
            Self::InvalidCharacters => f.write_str(
                "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to \
                 #xFFFD | #x10000 to #x10FFFF",
            ),
            Self::InvalidReceipt { handle } => {
                write!(f, "The input receipt handle \"{handle}\" is not a valid receipt handle.")
            }
            Self::ReceiptExpired { handle } => write!(
                f,
                "Value {handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not \
                 available for visibility timeout change."
            ),
            Self::NotInFlight => f.write_str("The message referred to isn't in flight."),
            Self::EmptyBatch { action } => {
                write!(f, "There should be at least one {action}BatchRequestEntry in the request.")
            }
            // Recorded: test_too_many_entries_in_batch_request.
            Self::TooManyEntries { given } => {
                write!(f, "Maximum number of entries per request are {}. You have sent {given}.", limits::QUEUE_BATCH)
            }
            Self::EntryIdTwice { id } => write!(f, "Id {id} repeated."),
            // Recorded: test_invalid_batch_id.
            Self::InvalidEntryId => f.write_str(
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at \
                 most 80 letters long.",
            ),
            // Recorded: test_successive_purge_calls_fail.
            Self::PurgeInProgress { queue } => {
                write!(
                    f,
                    "Only one PurgeQueue operation on {queue} is allowed every {} seconds.",
                    limits::PURGE_SECONDS
                )
            }
            Self::TooManyInFlight => {
                write!(f, "Too many messages in flight: {} at most.", limits::QUEUE_IN_FLIGHT)
            }
            Self::Full { what } => write!(f, "The engine has as many {what} as it takes."),
            Self::TooManyPolls => {
                write!(f, "{} calls of ReceiveMessage are waiting already. Try again.", limits::QUEUE_POLLS)
            }
            Self::TooManyTags => write!(f, "Too many tags added for queue: {} at most.", limits::QUEUE_TAGS),
            Self::InvalidAddress { address } => write!(f, "The address {address} is not valid for this endpoint."),
        }
    }
}
