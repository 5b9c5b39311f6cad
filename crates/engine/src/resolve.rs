//! Name and qualifier to one exact version.
//!
//! Never here: choosing an environment.

use std::sync::Arc;

use domain::Refusal;
use domain::arn::Target;
use domain::names::Qualifier;

use crate::catalog::{Catalog, Entry};

/// The function that a control-plane call means.
///
/// # Errors
/// There is none; the text carries the qualifier as it was asked for (recorded: `test_ops_on_nonexisting_version`).
pub fn function(catalog: &Catalog, target: &Target) -> Result<Arc<Entry>, Refusal> {
    // Until versions and aliases are built there is only $LATEST, so that any other qualifier names nothing.
    let known = matches!(target.qualifier, None | Some(Qualifier::Latest));
    let entry = catalog.get(&target.arn.name).filter(|_| known);
    entry.ok_or_else(|| Refusal::FunctionNotFound { arn: target.as_invoked() })
}

/// The function that an invocation means. Only Invoke names `$LATEST` where no qualifier was given
/// (recorded: `test_invoke_exceptions`, 2025).
///
/// # Errors
/// There is none.
pub fn for_invoke(catalog: &Catalog, target: &Target) -> Result<Arc<Entry>, Refusal> {
    function(catalog, target).map_err(|refusal| match (&target.qualifier, refusal) {
        (None, Refusal::FunctionNotFound { .. }) => {
            Refusal::FunctionNotFound { arn: target.arn.qualified(&Qualifier::Latest) }
        }
        (_, refusal) => refusal,
    })
}
