//! Versions and aliases: what a request asks for, and how an alias is shown.

use domain::Refusal;
use domain::alias::{Alias, Routing};
use domain::arn::Target;
use domain::names::{Qualifier, Version, VersionNumber};

use crate::generated::types;

/// A version as AWS prints it.
pub(crate) fn read_version(text: &str) -> Option<Version> {
    match text {
        "$LATEST" => Some(Version::Latest),
        number => VersionNumber::parse(number).map(Version::Published),
    }
}

/// A version as it was asked for; a number that none can have is one that does not exist.
///
/// # Errors
/// It is such a number.
pub(crate) fn version_or_missing(target: &Target, text: &str) -> Result<Version, Refusal> {
    read_version(text).ok_or_else(|| Refusal::FunctionNotFound { arn: format!("{}:{text}", target.arn) })
}

/// Reads PublishVersion: whether everything in it is built.
///
/// # Errors
/// It names something that is not.
pub(crate) fn check_publication(asked: &types::PublishVersionRequest) -> Result<(), Refusal> {
    match asked.publish_to {
        None => Ok(()),
        Some(_) => Err(Refusal::NotBuilt { what: "PublishVersion with PublishTo".to_owned() }),
    }
}

/// Reads the additional version of an alias. The model has checked keys and weights.
///
/// # Errors
/// There is more than one.
pub(crate) fn routing(config: Option<types::AliasRoutingConfiguration>) -> Result<Option<Routing>, Refusal> {
    let weights = config.and_then(|config| config.additional_version_weights).unwrap_or_default();
    Routing::read(weights.into_iter().filter_map(|(version, weight)| Some((VersionNumber::parse(&version)?, weight))))
}

/// Shows an alias.
pub(crate) fn alias(target: &Target, alias: &Alias) -> types::AliasConfiguration {
    let weights = |routing: Routing| types::AliasRoutingConfiguration {
        additional_version_weights: Some([(routing.version.to_string(), routing.weight)].into_iter().collect()),
    };
    types::AliasConfiguration {
        alias_arn: Some(target.arn.qualified(&Qualifier::Alias(alias.name.clone()))),
        name: Some(alias.name.to_string()),
        function_version: Some(alias.version.to_string()),
        description: Some(alias.description.clone()),
        routing_config: alias.routing.map(weights),
        revision_id: Some(alias.revision.to_string()),
    }
}
