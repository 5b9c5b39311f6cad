//! Name and qualifier to one exact version.
//!
//! Never here: choosing an environment.

use std::sync::Arc;

use domain::Refusal;
use domain::alias::Alias;
use domain::arn::Target;
use domain::names::{Qualifier, Version};

use crate::catalog::{Catalog, Deployed, Entry};

/// The function that a control-plane call means, with the version that it names; that of an alias is its first.
///
/// # Errors
/// There is none; the text carries the qualifier as it was asked for (recorded: `test_ops_on_nonexisting_version`).
pub fn function(catalog: &Catalog, target: &Target) -> Result<(Arc<Entry>, Deployed), Refusal> {
    find(catalog, target, |alias| alias.version)
}

/// The version that an invocation runs. Where an alias weighs two, `bits` decide. Only Invoke names `$LATEST` where no
/// qualifier was given (recorded: `test_invoke_exceptions`, 2025).
///
/// # Errors
/// There is none.
pub fn for_invoke(
    catalog: &Catalog,
    target: &Target,
    bits: impl FnOnce() -> u64,
) -> Result<(Arc<Entry>, Deployed), Refusal> {
    find(catalog, target, |alias| if alias.routing.is_some() { alias.pick(bits()) } else { alias.version }).map_err(
        |refusal| match (&target.qualifier, refusal) {
            (None, Refusal::FunctionNotFound { .. }) => {
                Refusal::FunctionNotFound { arn: target.arn.qualified(&Qualifier::Latest) }
            }
            (_, refusal) => refusal,
        },
    )
}

fn find(
    catalog: &Catalog,
    target: &Target,
    choose: impl FnOnce(&Alias) -> Version,
) -> Result<(Arc<Entry>, Deployed), Refusal> {
    let unknown = || Refusal::FunctionNotFound { arn: target.as_invoked() };
    let entry = catalog.get(&target.arn.name).ok_or_else(unknown)?;
    let version = match &target.qualifier {
        None | Some(Qualifier::Latest) => Version::Latest,
        Some(Qualifier::Version(number)) => Version::Published(*number),
        Some(Qualifier::Alias(name)) => choose(entry.aliases.get(name).ok_or_else(unknown)?),
    };
    let deployed = entry.version(version).ok_or_else(unknown)?.clone();
    Ok((entry, deployed))
}
