//! What is refused of event source mappings, in AWS's words.

use domain::mapping::Refused;

use super::Told;
use crate::generated::errors::ErrorCode;

/// Sources: where nothing is said, error messages that AWS's users have published.
pub(super) fn told(refused: Refused) -> Told {
    let invalid = |text: String| Told::new(ErrorCode::InvalidParameterValue, text);
    match refused {
        // LocalStack: test_event_source_mapping_exceptions.
        Refused::UnknownSource => invalid("Unrecognized event source.".to_owned()),
        Refused::SourceNotBuilt { what } => Told::new(
            ErrorCode::NotImplemented,
            format!(
                "Event source mappings of {what} are not built yet in lambd {}; those of SQS standard queues are. docs/compatibility.md lists what is built.",
                env!("CARGO_PKG_VERSION")
            ),
        ),
        // LocalStack: test_event_source_mapping_exceptions.
        Refused::NoFunction => invalid("Function does not exist".to_owned()),
        Refused::NoQueue => invalid(
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist."
                .to_owned(),
        ),
        // Of our own: AWS's SQS is always there.
        Refused::QueueSilent { why } => invalid(format!("Error occurred while GetQueueAttributes. {why}")),
        // Recorded: test_create_starting_position_validation_exceptions[sqs], of StartingPosition.
        Refused::NotOfQueues { parameter } => invalid(format!("{parameter} is not valid for SQS event sources.")),
        // Recorded: test_event_source_mapping_default_batch_size.
        Refused::WindowMissing => invalid(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10".to_owned(),
        ),
        // Recorded: test_sqs_invalid_event_filter.
        Refused::InvalidFilter => invalid("Invalid filter pattern definition.".to_owned()),
        // The words are ours.
        Refused::TooManyFilters => invalid(format!(
            "An event source mapping cannot have more than {} filters.",
            domain::limits::MAPPING_FILTERS
        )),
        Refused::VisibilityTooShort { visibility_seconds, timeout_seconds } => invalid(format!(
            "Queue visibility timeout: {visibility_seconds} seconds is less than Function timeout: {timeout_seconds} seconds"
        )),
        // Recorded: test_duplicate_event_source_mappings.
        Refused::Exists { queue, function, id } => Told::new(
            ErrorCode::ResourceConflict,
            format!(
                "An event source mapping with SQS arn (\" {queue} \") and function (\" {function} \") already exists. Please update or delete the existing mapping with UUID {id}"
            ),
        ),
        // The words are ours.
        Refused::TooMany => invalid(format!(
            "There cannot be more than {} event source mappings.",
            domain::limits::MAPPINGS
        )),
        // LocalStack: test_event_source_mapping_exceptions.
        Refused::Unknown => Told::new(ErrorCode::ResourceNotFound, "The resource you requested does not exist."),
        Refused::InUse { verb } => Told::new(
            ErrorCode::ResourceInUse,
            format!("Cannot {verb} the event source mapping because it is in use."),
        ),
    }
}
