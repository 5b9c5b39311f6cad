//! Aliases: names for versions.

use std::sync::Arc;

use domain::alias::{Alias, Routing};
use domain::arn::{FunctionArn, Target};
use domain::names::{AliasName, Qualifier, Version};
use domain::settings::Settings;
use domain::{Error, Refusal};

use super::{Functions, Page, concurrency};
use crate::access::{self, Action, Caller};
use crate::catalog::Entry;
use crate::ports::Aliases;
use crate::resolve;

/// What CreateAlias asks for.
#[derive(Clone, Debug)]
pub struct NewAlias {
    /// Its name.
    pub name: AliasName,
    /// What it names.
    pub version: Version,
    /// A second version.
    pub routing: Option<Routing>,
    /// Free text.
    pub description: String,
}

/// What UpdateAlias changes; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct AliasEdit {
    /// What it names.
    pub version: Option<Version>,
    /// A second version, or none.
    pub routing: Option<Option<Routing>>,
    /// Free text.
    pub description: Option<String>,
    /// The revision that the caller has seen.
    pub revision: Option<String>,
}

fn alias_arn(arn: &FunctionArn, name: &AliasName) -> String {
    arn.qualified(&Qualifier::Alias(name.clone()))
}

pub(super) fn with_aliases(entry: &Entry, edit: impl FnOnce(&mut Aliases)) -> Entry {
    let mut aliases = Aliases::clone(&entry.aliases);
    edit(&mut aliases);
    Entry { aliases: Arc::new(aliases), ..entry.clone() }
}

/// Every version that an alias names exists (recorded: `test_notfound_and_invalid_routingconfigs`).
fn check_versions(entry: &Entry, alias: &Alias) -> Result<(), Refusal> {
    match alias.versions().find(|version| entry.version(*version).is_none()) {
        None => Ok(()),
        Some(version) => Err(Refusal::FunctionNotFound { arn: entry.latest.function.arn.qualified(&version.into()) }),
    }
}

impl Functions {
    /// CreateAlias.
    ///
    /// # Errors
    /// The function or a version does not exist, the name is taken, the routing is refused.
    pub async fn create_alias(
        self: &Arc<Self>,
        caller: &Caller,
        target: &Target,
        new: NewAlias,
    ) -> Result<Alias, Error> {
        access::check(&self.home, caller, Action::CreateAlias, &target.arn)?;
        target.check_whole()?;
        let NewAlias { name, version, routing, description } = new;
        let arn = target.arn.clone();
        let absent = Refusal::FunctionNotFound { arn: arn.qualified(&version.into()) };
        self.change(&target.arn.name, absent, move |functions, entry| {
            let alias = Alias { name, version, routing, description, revision: functions.new_revision() };
            check_versions(entry, &Alias { routing: None, ..alias.clone() })?;
            if entry.aliases.contains_key(&alias.name) {
                return Err(Refusal::AliasExists { arn: alias_arn(&arn, &alias.name) });
            }
            alias.check()?;
            check_versions(entry, &alias)?;
            let next = with_aliases(entry, |aliases| drop(aliases.insert(alias.name.clone(), alias.clone())));
            Ok((Some(next), alias))
        })
        .await
    }

    /// GetAlias.
    ///
    /// # Errors
    /// There is none.
    pub fn get_alias(&self, caller: &Caller, target: &Target, name: &AliasName) -> Result<Alias, Error> {
        access::check(&self.home, caller, Action::GetAlias, &target.arn)?;
        target.check_whole()?;
        let entry = self.catalog.get(&target.arn.name);
        let alias = entry.and_then(|entry| entry.aliases.get(name).cloned());
        alias.ok_or_else(|| Refusal::AliasNotFound { arn: alias_arn(&target.arn, name) }.into())
    }

    /// ListAliases: those behind `after`, by name; only those that name `version`, where one is given.
    ///
    /// # Errors
    /// There is no such function.
    pub fn list_aliases(
        &self,
        caller: &Caller,
        target: &Target,
        version: Option<Version>,
        after: Option<&AliasName>,
        items_max: usize,
    ) -> Result<Page<Alias, AliasName>, Error> {
        access::check(&self.home, caller, Action::ListAliases, &target.arn)?;
        target.check_whole()?;
        let (entry, _) = resolve::function(&self.catalog, target)?;
        let found = entry.aliases.values().filter(|alias| {
            after.is_none_or(|after| alias.name > *after)
                && version.is_none_or(|version| alias.versions().any(|named| named == version))
        });
        Ok(Page::of(found.cloned(), items_max, |last| last.name.clone()))
    }

    /// UpdateAlias.
    ///
    /// # Errors
    /// The alias or a version does not exist, its revision is another, the routing is refused.
    pub async fn update_alias(
        self: &Arc<Self>,
        caller: &Caller,
        target: &Target,
        name: AliasName,
        edit: AliasEdit,
    ) -> Result<Alias, Error> {
        access::check(&self.home, caller, Action::UpdateAlias, &target.arn)?;
        target.check_whole()?;
        let unknown = Refusal::NoAliasToUpdate { arn: alias_arn(&target.arn, &name) };
        self.change(&target.arn.name, unknown.clone(), move |functions, entry| {
            let alias = entry.aliases.get(&name).ok_or(unknown)?;
            if edit.revision.is_some_and(|expected| expected != alias.revision.to_string()) {
                return Err(Refusal::RevisionMismatch);
            }
            let alias = Alias {
                name: alias.name.clone(),
                version: edit.version.unwrap_or(alias.version),
                routing: edit.routing.unwrap_or(alias.routing),
                description: edit.description.unwrap_or_else(|| alias.description.clone()),
                revision: functions.new_revision(),
            };
            alias.check()?;
            check_versions(entry, &alias)?;
            concurrency::check_moved(&entry.settings, &alias)?;
            let next = with_aliases(entry, |aliases| drop(aliases.insert(alias.name.clone(), alias.clone())));
            Ok((Some(next), alias))
        })
        .await
    }

    /// DeleteAlias. One that is not there is as good as deleted (recorded: `test_alias_lifecycle`).
    ///
    /// # Errors
    /// There is no such function.
    pub async fn delete_alias(
        self: &Arc<Self>,
        caller: &Caller,
        target: &Target,
        name: AliasName,
    ) -> Result<(), Error> {
        access::check(&self.home, caller, Action::DeleteAlias, &target.arn)?;
        target.check_whole()?;
        let absent = Refusal::FunctionNotFound { arn: target.arn.to_string() };
        self.change(&target.arn.name, absent, move |_, entry| {
            if !entry.aliases.contains_key(&name) {
                return Ok((None, ()));
            }
            let mut next = with_aliases(entry, |aliases| drop(aliases.remove(&name)));
            let mut settings = Settings::clone(&entry.settings);
            settings.forget(&Qualifier::Alias(name));
            next.settings = Arc::new(settings);
            Ok((Some(next), ()))
        })
        .await
    }
}
