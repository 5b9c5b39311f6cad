//! Resource policies: what is kept and shown of them. Nobody is judged by them yet; that will be `access`.

use std::sync::Arc;

use domain::arn::Target;
use domain::function::Function;
use domain::names::{Qualifier, RevisionId};
use domain::policy::{self, Permission};
use domain::settings::Settings;
use domain::{Error, Refusal};

use super::aliases::with_aliases;
use super::{Functions, with_settings};
use crate::access::{self, Action, Caller};
use crate::catalog::Entry;

/// Under which qualifier the policy is kept: that of the function itself is at `$LATEST`. Nothing where `$LATEST` was
/// asked for, which cannot have one of its own.
fn place(target: &Target) -> Option<Qualifier> {
    match &target.qualifier {
        None => Some(Qualifier::Latest),
        Some(Qualifier::Latest) => None,
        Some(other) => Some(other.clone()),
    }
}

/// The revision of what a qualifier names. That of the policy is the same (recorded: `test_lambda_permission_revisions`).
fn revision(entry: &Entry, place: &Qualifier) -> Option<RevisionId> {
    match place {
        Qualifier::Latest => Some(entry.latest.function.revision),
        Qualifier::Version(number) => Some(entry.versions.get(number)?.function.revision),
        Qualifier::Alias(name) => Some(entry.aliases.get(name)?.revision),
    }
}

/// As [`revision`], or in the words of AddPermission and RemovePermission that there is no such thing (recorded:
/// `test_permission_exceptions`).
fn existing(entry: &Entry, target: &Target, place: &Qualifier) -> Result<RevisionId, Refusal> {
    revision(entry, place).ok_or_else(|| {
        let arn = target.arn.qualified(place);
        if place.is_alias_name() { Refusal::AliasNotFound { arn } } else { Refusal::FunctionNotFound { arn } }
    })
}

/// The function with another policy of `place`, which thereby gets a new revision, and nothing else one (recorded:
/// `test_lambda_permission_revisions`).
fn with_policy(entry: &Entry, place: &Qualifier, settings: Settings, revision: RevisionId) -> Entry {
    let mut next = with_settings(entry, settings);
    let revised = |function: &Function| Arc::new(Function { revision, ..function.clone() });
    match place {
        Qualifier::Latest => next.latest = next.latest.shown_as(revised(&next.latest.function)),
        Qualifier::Version(number) => {
            if let Some(version) = next.versions.get_mut(number) {
                *version = version.shown_as(revised(&version.function));
            }
        }
        Qualifier::Alias(name) => {
            next = with_aliases(&next, |aliases| {
                if let Some(alias) = aliases.get_mut(name) {
                    alias.revision = revision;
                }
            });
        }
    }
    next
}

impl Functions {
    /// AddPermission: the statement as it is shown.
    ///
    /// # Errors
    /// There is no such function or qualifier, its revision is another, the statement is refused or is there.
    pub async fn add_permission(
        self: &Arc<Self>,
        caller: &Caller,
        target: &Target,
        permission: Permission,
        expected: Option<String>,
    ) -> Result<String, Error> {
        access::check(&self.home, caller, Action::AddPermission, &target.arn)?;
        let place = place(target).ok_or(Refusal::PolicyOfLatest)?;
        let absent = Refusal::FunctionNotFound { arn: target.arn.to_string() };
        let target = target.clone();
        self.change(&target.arn.name.clone(), absent, move |functions, entry| {
            let current = existing(entry, &target, &place)?;
            let mut settings = Settings::clone(&entry.settings);
            let statements = settings.policies.entry(place.clone()).or_default();
            if expected.is_some_and(|expected| expected != current.to_string()) {
                // Recorded: test_function_revisions_permissions and test_lambda_permission_fn_versioning without a
                // policy, test_lambda_permission_revisions with one.
                let has_policy = !statements.is_empty();
                return Err(if has_policy { Refusal::RevisionMismatch } else { Refusal::PolicyRevisionMismatch });
            }
            let sid = permission.sid.clone();
            if statements.iter().any(|statement| statement.sid == sid) {
                return Err(Refusal::StatementExists { id: sid });
            }
            let statement = permission.statement()?;
            let resource = target.as_invoked();
            let shown = policy::statement(&functions.home, &resource, &statement);
            statements.push(statement);
            policy::check_size(&policy::document(&functions.home, &resource, statements))?;
            Ok((Some(with_policy(entry, &place, settings, functions.new_revision())), shown))
        })
        .await
    }

    /// RemovePermission. The policy goes with its last statement (recorded: `test_remove_multi_permissions`).
    ///
    /// # Errors
    /// There is no such function, qualifier, policy or statement, or its revision is another.
    pub async fn remove_permission(
        self: &Arc<Self>,
        caller: &Caller,
        target: &Target,
        sid: String,
        expected: Option<String>,
    ) -> Result<(), Error> {
        access::check(&self.home, caller, Action::RemovePermission, &target.arn)?;
        let absent = Refusal::NoPolicyFound { arn: target.arn.to_string() };
        let target = target.clone();
        self.change(&target.arn.name.clone(), absent, move |functions, entry| {
            let place = place(&target).ok_or(Refusal::NoPolicy)?;
            let current = existing(entry, &target, &place)?;
            let mut settings = Settings::clone(&entry.settings);
            let statements = settings.policies.get_mut(&place).ok_or(Refusal::NoPolicy)?;
            let Some(index) = statements.iter().position(|statement| statement.sid == sid) else {
                return Err(Refusal::StatementUnknown { id: sid });
            };
            if expected.is_some_and(|expected| expected != current.to_string()) {
                return Err(Refusal::RevisionMismatch);
            }
            statements.remove(index);
            if statements.is_empty() {
                settings.policies.remove(&place);
            }
            Ok((Some(with_policy(entry, &place, settings, functions.new_revision())), ()))
        })
        .await
    }

    /// GetPolicy: the document, and the revision of what it belongs to.
    ///
    /// # Errors
    /// There is none.
    pub fn get_policy(&self, caller: &Caller, target: &Target) -> Result<(String, RevisionId), Error> {
        access::check(&self.home, caller, Action::GetPolicy, &target.arn)?;
        let found = || {
            let (entry, place) = (self.catalog.get(&target.arn.name)?, place(target)?);
            let statements = entry.settings.policies.get(&place)?;
            let document = policy::document(&self.home, &target.as_invoked(), statements);
            Some((document, revision(&entry, &place)?))
        };
        found().ok_or_else(|| Refusal::NoSuchResource.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::arn::Home;

    #[test]
    fn a_policy_of_latest_is_nobodys() {
        let home = Home { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() };
        let place = |name: &str| place(&home.read(name, None).unwrap());
        assert_eq!(place("fn"), Some(Qualifier::Latest));
        assert_eq!(place("fn:$LATEST"), None);
        assert_eq!(place("fn:live"), Some(Qualifier::parse("live")));
    }
}
