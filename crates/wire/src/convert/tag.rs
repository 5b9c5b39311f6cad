//! Tags: which resource is meant.

use domain::Refusal;
use domain::arn::{Home, Target};
use domain::layer::LayerArn;

/// What has tags.
pub(crate) enum Tagged {
    /// A function.
    Function(Target),
    /// A layer as a whole.
    Layer(LayerArn),
    /// An event source mapping, by its ARN.
    Mapping(String),
}

/// Reads the ARN of what is to have tags (recorded: `test_tag_exceptions`; the words for layers and code signing
/// configurations are ours).
///
/// # Errors
/// It is that of another resource, or of a function elsewhere.
pub(crate) fn resource(home: &Home, arn: &str) -> Result<Tagged, Refusal> {
    let kind = match arn.split(':').nth(5) {
        Some("layer") => return home.read_layer(arn).map(Tagged::Layer),
        Some("event-source-mapping") => return Ok(Tagged::Mapping(arn.to_owned())),
        Some("code-signing-config") => "Code signing config",
        Some("capacity-provider") => "Capacity provider",
        _ => return home.read(arn, None).map(Tagged::Function),
    };
    Err(Refusal::ResourceNotFound { kind, arn: arn.to_owned() })
}
