//! Tags: which resource is meant.

use domain::Refusal;
use domain::arn::{Home, Target};

/// Reads the ARN of a function. Of the other resources that could have tags there are layers, whose tags are not built
/// yet (recorded: `test_tag_exceptions`; the words for code signing configurations are ours).
///
/// # Errors
/// It is that of another resource, or of a function elsewhere.
pub(crate) fn function(home: &Home, arn: &str) -> Result<Target, Refusal> {
    let kind = match arn.split(':').nth(5) {
        Some("layer") => return Err(Refusal::NotBuilt { what: "tagging of layers".to_owned() }),
        Some("code-signing-config") => "Code signing config",
        Some("event-source-mapping") => "Event source mapping",
        Some("capacity-provider") => "Capacity provider",
        _ => return home.read(arn, None),
    };
    Err(Refusal::ResourceNotFound { kind, arn: arn.to_owned() })
}
