//! Publishing versions, and listing them.

use std::sync::Arc;

use domain::arn::Target;
use domain::function::Function;
use domain::names::{Qualifier, RevisionId, Version, VersionNumber};
use domain::settings::Settings;
use domain::{Error, Refusal};

use super::{Functions, Page};
use crate::access::{self, Action, Caller};
use crate::catalog::{Deployed, Entry};
use crate::ports::VersionChange;
use crate::resolve;

/// What PublishVersion asks for.
#[derive(Clone, Debug, Default)]
pub struct Publication {
    /// Instead of the description of `$LATEST`.
    pub description: Option<String>,
    /// The code that the caller has seen, in base64.
    pub code: Option<String>,
    /// The revision of `$LATEST` that the caller has seen.
    pub revision: Option<String>,
}

impl Functions {
    /// PublishVersion. Where nothing has changed since the last one, that is the answer (recorded:
    /// `test_version_lifecycle`).
    ///
    /// # Errors
    /// There is no such function, it is being updated, its code or revision is another.
    pub async fn publish_version(
        self: &Arc<Self>,
        caller: &Caller,
        target: &Target,
        asked: Publication,
    ) -> Result<Arc<Function>, Error> {
        access::check(&self.home, caller, Action::PublishVersion, &target.arn)?;
        target.check_whole()?;
        let absent = Refusal::FunctionNotFound { arn: target.arn.to_string() };
        self.change(&target.arn.name, absent, move |functions, entry| {
            let latest = &entry.latest.function;
            latest.check_updatable(asked.revision.as_deref())?;
            latest.check_code(asked.code.as_deref())?;
            let last = entry.settings.last_version.and_then(|last| entry.versions.get(&last));
            if let Some(last) = last.filter(|last| last.function.is_same_as(latest)) {
                return Ok((None, last.function.clone()));
            }
            let mut next = entry.clone();
            let version = publish(&mut next, asked.description, functions.new_revision());
            // That of `$LATEST` changes with it (recorded: test_function_revisions_version_and_alias).
            let latest = Function { revision: functions.new_revision(), ..Function::clone(latest) };
            next.latest = next.latest.shown_as(Arc::new(latest));
            Ok((Some(next), version))
        })
        .await
    }

    /// ListVersionsByFunction: `$LATEST` and the versions behind `after`, by number.
    ///
    /// # Errors
    /// There is no such function.
    pub fn list_versions(
        &self,
        caller: &Caller,
        target: &Target,
        after: Option<Version>,
        items_max: usize,
    ) -> Result<Page<Arc<Function>, Version>, Error> {
        access::check(&self.home, caller, Action::ListVersionsByFunction, &target.arn)?;
        target.check_whole()?;
        let (entry, _) = resolve::function(&self.catalog, target)?;
        let versions = entry.all_versions().map(|version| version.function.clone());
        let behind = versions.filter(|version| after.is_none_or(|after| version.version > after));
        Ok(Page::of(behind, items_max, |last| last.version))
    }
}

/// Adds `$LATEST` as it is now as the next version; as long as `$LATEST` has work under way, so has the version.
pub(super) fn publish(entry: &mut Entry, description: Option<String>, revision: RevisionId) -> Arc<Function> {
    let latest = &entry.latest.function;
    let number = VersionNumber::after(entry.settings.last_version);
    let version = latest.published(number, description, revision);
    let version = Arc::new(if latest.is_settling() { version.pending() } else { version });
    entry.versions.insert(number, Deployed::new(version.clone()));
    entry.settings = Arc::new(Settings { last_version: Some(number), ..Settings::clone(&entry.settings) });
    version
}

/// The function without one of its versions; `None` where there is no such version.
pub(super) fn without(entry: &Entry, number: VersionNumber) -> Result<Option<Entry>, Refusal> {
    if !entry.versions.contains_key(&number) {
        return Ok(None);
    }
    let named =
        entry.aliases.values().filter(|alias| alias.versions().any(|named| named == Version::Published(number)));
    let arn = &entry.latest.function.arn;
    let aliases: Vec<String> = named.map(|alias| arn.qualified(&Qualifier::Alias(alias.name.clone()))).collect();
    if !aliases.is_empty() {
        return Err(Refusal::VersionInUse { aliases });
    }
    let mut next = entry.clone();
    next.versions.remove(&number);
    let mut settings = Settings::clone(&entry.settings);
    settings.forget(&Qualifier::Version(number));
    next.settings = Arc::new(settings);
    Ok(Some(next))
}

/// What has to be written of the versions, so that they become those of `next`.
pub(super) fn changes(entry: &Entry, next: &Entry) -> Vec<VersionChange> {
    let removed = entry.versions.keys().filter(|number| !next.versions.contains_key(number));
    let mut changes: Vec<VersionChange> = removed.map(|number| VersionChange::Remove(*number)).collect();
    changes.extend(next.versions.iter().filter_map(|(number, version)| {
        let before = entry.versions.get(number);
        let is_new = before.is_none_or(|before| !Arc::ptr_eq(&before.function, &version.function));
        is_new.then(|| VersionChange::Put(version.function.clone()))
    }));
    changes
}
