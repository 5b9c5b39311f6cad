//! Refusals of the queues in SQS's words, in both protocols: the only such place.
//!
//! Names and codes: Amazon SQS API reference, and `x-amzn-query-error` (its developer guide, "JSON protocol").

use domain::Fault;
use domain::queue::{Error, Refusal};

/// An error as a client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: Code,
    pub(super) message: String,
}

/// Which error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    EmptyBatchRequest,
    InternalError,
    InvalidAction,
    InvalidAddress,
    InvalidAttributeName,
    InvalidAttributeValue,
    InvalidBatchEntryId,
    InvalidMessageContents,
    InvalidParameterValue,
    MessageNotInflight,
    MissingParameter,
    OverLimit,
    PurgeQueueInProgress,
    QueueDoesNotExist,
    QueueNameExists,
    ReceiptHandleIsInvalid,
    RequestThrottled,
    Serialization,
    TooManyEntriesInBatchRequest,
    UnsupportedOperation,
}

/// An error's names.
pub(super) struct Spelling {
    /// `__type` in JSON.
    pub(super) json: &'static str,
    /// `Code` in XML, and in `x-amzn-query-error`.
    pub(super) query: &'static str,
    /// The status in the query protocol; in JSON it is 400, or 500.
    pub(super) query_status: u16,
}

impl Code {
    pub(super) fn spelling(self) -> Spelling {
        let (json, query, query_status) = match self {
            Self::BatchEntryIdsNotDistinct => {
                ("com.amazonaws.sqs#BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", 400)
            }
            Self::BatchRequestTooLong => {
                ("com.amazonaws.sqs#BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong", 400)
            }
            Self::EmptyBatchRequest => {
                ("com.amazonaws.sqs#EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest", 400)
            }
            Self::InternalError => ("com.amazon.coral.service#InternalFailure", "InternalError", 500),
            Self::InvalidAction => ("com.amazon.coral.service#UnknownOperationException", "InvalidAction", 400),
            Self::InvalidAddress => ("com.amazonaws.sqs#InvalidAddress", "InvalidAddress", 404),
            Self::InvalidAttributeName => ("com.amazonaws.sqs#InvalidAttributeName", "InvalidAttributeName", 400),
            Self::InvalidAttributeValue => ("com.amazonaws.sqs#InvalidAttributeValue", "InvalidAttributeValue", 400),
            Self::InvalidBatchEntryId => {
                ("com.amazonaws.sqs#InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId", 400)
            }
            Self::InvalidMessageContents => ("com.amazonaws.sqs#InvalidMessageContents", "InvalidMessageContents", 400),
            Self::InvalidParameterValue => {
                ("com.amazon.coral.service#InvalidParameterValueException", "InvalidParameterValue", 400)
            }
            Self::MessageNotInflight => {
                ("com.amazonaws.sqs#MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", 400)
            }
            Self::MissingParameter => {
                ("com.amazon.coral.service#MissingRequiredParameterException", "MissingParameter", 400)
            }
            Self::OverLimit => ("com.amazonaws.sqs#OverLimit", "OverLimit", 403),
            // Recorded: test_successive_purge_calls_fail.
            Self::PurgeQueueInProgress => {
                ("com.amazonaws.sqs#PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress", 403)
            }
            Self::QueueDoesNotExist => {
                ("com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400)
            }
            Self::QueueNameExists => ("com.amazonaws.sqs#QueueNameExists", "QueueAlreadyExists", 400),
            Self::ReceiptHandleIsInvalid => ("com.amazonaws.sqs#ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404),
            Self::RequestThrottled => ("com.amazonaws.sqs#RequestThrottled", "RequestThrottled", 403),
            Self::Serialization => ("com.amazon.coral.service#SerializationException", "MalformedInput", 400),
            Self::TooManyEntriesInBatchRequest => (
                "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
                400,
            ),
            Self::UnsupportedOperation => {
                ("com.amazonaws.sqs#UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation", 400)
            }
        };
        Spelling { json, query, query_status }
    }

    /// Whether it is the caller's mistake.
    pub(super) fn is_senders(self) -> bool {
        self != Self::InternalError
    }
}

impl Failure {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn missing(parameter: &str) -> Self {
        Refusal::Missing { name: parameter.to_owned() }.into()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::NoQueue => Code::QueueDoesNotExist,
            Refusal::QueueExists { .. } => Code::QueueNameExists,
            Refusal::Fifo | Refusal::NotBuilt { .. } => Code::UnsupportedOperation,
            Refusal::UnknownAttribute { .. } => Code::InvalidAttributeName,
            Refusal::AttributeValue { .. } => Code::InvalidAttributeValue,
            Refusal::InvalidQueueName
            | Refusal::Parameter { .. }
            | Refusal::MessageAttribute { .. }
            | Refusal::MessageTooLong { .. }
            | Refusal::ReceiptExpired { .. }
            | Refusal::TooManyTags => Code::InvalidParameterValue,
            Refusal::Missing { .. } => Code::MissingParameter,
            Refusal::BatchTooLong { .. } => Code::BatchRequestTooLong,
            Refusal::InvalidCharacters => Code::InvalidMessageContents,
            Refusal::InvalidReceipt { .. } => Code::ReceiptHandleIsInvalid,
            Refusal::NotInFlight => Code::MessageNotInflight,
            Refusal::EmptyBatch { .. } => Code::EmptyBatchRequest,
            Refusal::TooManyEntries { .. } => Code::TooManyEntriesInBatchRequest,
            Refusal::EntryIdTwice { .. } => Code::BatchEntryIdsNotDistinct,
            Refusal::InvalidEntryId => Code::InvalidBatchEntryId,
            Refusal::PurgeInProgress { .. } => Code::PurgeQueueInProgress,
            Refusal::TooManyInFlight | Refusal::Full { .. } => Code::OverLimit,
            Refusal::TooManyPolls => Code::RequestThrottled,
            Refusal::InvalidAddress { .. } => Code::InvalidAddress,
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        tracing::error!("a request to a queue failed: {}", fault.chain());
        Self::new(Code::InternalError, "An internal error occurred. The engine's log tells more.")
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Fault(fault) => fault.into(),
        }
    }
}
