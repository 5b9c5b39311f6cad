//! Tags: which resource is meant.

use domain::Refusal;
use domain::arn::{Home, Target};

/// What can have tags here.
pub(crate) enum Tagged {
    /// A function.
    Function(Target),
    /// An event source mapping, by its ARN.
    Mapping(String),
}

/// Reads the ARN of a resource. Of those that could have tags there are also layers, whose tags are not built yet
/// (recorded: `test_tag_exceptions`; the words for code signing configurations are ours).
///
/// # Errors
/// It is that of another resource, or of a function elsewhere.
pub(crate) fn resource(home: &Home, arn: &str) -> Result<Tagged, Refusal> {
    let kind = match arn.split(':').nth(5) {
        Some("layer") => return Err(Refusal::NotBuilt { what: "tagging of layers".to_owned() }),
        Some("event-source-mapping") => return Ok(Tagged::Mapping(arn.to_owned())),
        Some("code-signing-config") => "Code signing config",
        Some("capacity-provider") => "Capacity provider",
        _ => return home.read(arn, None).map(Tagged::Function),
    };
    Err(Refusal::ResourceNotFound { kind, arn: arn.to_owned() })
}
