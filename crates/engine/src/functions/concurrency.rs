//! Reserved and provisioned concurrency.

use std::sync::Arc;

use domain::arn::Target;
use domain::concurrency::{self, Provision};
use domain::names::Qualifier;
use domain::settings::{Provisioned, Settings};
use domain::{Error, Refusal};
use jiff::Timestamp;

use super::{Functions, Page};
use crate::access::{self, Action, Caller};
use crate::catalog::Entry;
use crate::resolve;

/// Provisioned concurrency as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvisionedConcurrency {
    /// Of which version or alias.
    pub qualifier: Qualifier,
    /// How many environments were asked for.
    pub requested: u32,
    /// How many there are, busy or not.
    pub allocated: u32,
    /// Whether that is all.
    pub provision: Provision,
    /// When it was last asked for.
    pub modified_at: Timestamp,
}

fn with_settings(entry: &Entry, edit: impl FnOnce(&mut Settings)) -> Entry {
    let mut settings = Settings::clone(&entry.settings);
    edit(&mut settings);
    Entry { settings: Arc::new(settings), ..entry.clone() }
}

/// The qualifier that a call on provisioned concurrency names, where there is such a version or alias.
fn existing(entry: Option<&Entry>, target: &Target, latest: &Refusal) -> Result<Qualifier, Refusal> {
    let arn = target.as_invoked();
    match &target.qualifier {
        // Whether or not there is such a function; the model asks for a qualifier.
        None | Some(Qualifier::Latest) => Err(latest.clone()),
        Some(qualifier @ Qualifier::Version(number)) => {
            let is_there = entry.is_some_and(|entry| entry.versions.contains_key(number));
            if is_there { Ok(qualifier.clone()) } else { Err(Refusal::FunctionNotFound { arn }) }
        }
        Some(qualifier @ Qualifier::Alias(name)) => {
            let is_there = entry.is_some_and(|entry| entry.aliases.contains_key(name));
            if is_there { Ok(qualifier.clone()) } else { Err(Refusal::AliasNotFound { arn }) }
        }
    }
}

/// Shows the configuration of one qualifier.
fn shown(entry: &Entry, qualifier: &Qualifier, config: &Provisioned) -> ProvisionedConcurrency {
    let version = concurrency::provides(&entry.aliases, qualifier);
    let pool = version.and_then(|version| entry.version(version)).map(|version| &version.serving.pool);
    let (ready, has_failed) = pool.map_or((0, false), |pool| pool.provisioned());
    let same = entry.settings.provisioned.iter();
    let same = same.filter(|(other, _)| concurrency::provides(&entry.aliases, other) == version);
    let meant = same.map(|(other, config)| (other, config.requested));
    let (allocated, provision) = concurrency::progress(meant, qualifier, ready, has_failed);
    let Provisioned { requested, modified_at } = *config;
    ProvisionedConcurrency { qualifier: qualifier.clone(), requested, allocated, provision, modified_at }
}

impl Functions {
    /// PutFunctionConcurrency.
    ///
    /// # Errors
    /// There is no such function, or too little is left for others or for what is provisioned.
    pub async fn put_function_concurrency(
        self: &Arc<Self>,
        caller: &Caller,
        target: &Target,
        reserved: u32,
    ) -> Result<(), Error> {
        access::check(&self.home, caller, Action::PutFunctionConcurrency, &target.arn)?;
        target.check_unqualified()?;
        // Recorded: test_function_concurrency_exceptions.
        let absent = Refusal::FunctionNotFound { arn: target.arn.qualified(&Qualifier::Latest) };
        self.change(&target.arn.name, absent, move |functions, entry| {
            let (limits, others) = functions.left_by_others(entry);
            concurrency::check_reservation(limits, others, &entry.settings, reserved)?;
            Ok((Some(with_settings(entry, |settings| settings.reserved = Some(reserved))), ()))
        })
        .await
    }

    /// GetFunctionConcurrency.
    ///
    /// # Errors
    /// There is no such function.
    pub fn get_function_concurrency(&self, caller: &Caller, target: &Target) -> Result<Option<u32>, Error> {
        access::check(&self.home, caller, Action::GetFunctionConcurrency, &target.arn)?;
        target.check_unqualified()?;
        let (entry, _) = resolve::function(&self.catalog, target)?;
        Ok(entry.settings.reserved)
    }

    /// DeleteFunctionConcurrency. A function without a reservation stays without.
    ///
    /// # Errors
    /// There is no such function.
    pub async fn delete_function_concurrency(self: &Arc<Self>, caller: &Caller, target: &Target) -> Result<(), Error> {
        access::check(&self.home, caller, Action::DeleteFunctionConcurrency, &target.arn)?;
        target.check_unqualified()?;
        let absent = Refusal::FunctionNotFound { arn: target.arn.to_string() };
        self.change(&target.arn.name, absent, move |_, entry| {
            let next = entry.settings.reserved.map(|_| with_settings(entry, |settings| settings.reserved = None));
            Ok((next, ()))
        })
        .await
    }

    /// PutProvisionedConcurrencyConfig. The environments are started in the background.
    ///
    /// # Errors
    /// There is no such version or alias, it cannot have provisioned concurrency, or there is not so much left.
    pub async fn put_provisioned_concurrency(
        self: &Arc<Self>,
        caller: &Caller,
        target: &Target,
        requested: u32,
    ) -> Result<ProvisionedConcurrency, Error> {
        access::check(&self.home, caller, Action::PutProvisionedConcurrencyConfig, &target.arn)?;
        let latest = Refusal::ProvisionedForLatest;
        let absent = existing(None, target, &latest).err().unwrap_or(latest.clone());
        let asked = target.clone();
        self.change(&target.arn.name, absent, move |functions, entry| {
            let qualifier = existing(Some(entry), &asked, &latest)?;
            let settings = &entry.settings;
            concurrency::check_provides(settings, &entry.aliases, &qualifier)?;
            let (limits, others) = functions.left_by_others(entry);
            concurrency::check_provisioned(limits, others, settings, &qualifier, requested)?;
            let config = Provisioned { requested, modified_at: functions.clock.now() };
            let next = with_settings(entry, |settings| {
                settings.provisioned.insert(qualifier.clone(), config.clone());
            });
            let version = concurrency::provides(&entry.aliases, &qualifier);
            if let Some(version) = version.and_then(|version| entry.version(version)) {
                version.serving.pool.forget_failure();
            }
            // It is said to be under way even where nothing is left to do (recorded: test_provisioned_concurrency).
            let answer =
                ProvisionedConcurrency { provision: Provision::InProgress, ..shown(&next, &qualifier, &config) };
            Ok((Some(next), answer))
        })
        .await
    }

    /// GetProvisionedConcurrencyConfig.
    ///
    /// # Errors
    /// There is no such version or alias, or it has none.
    pub fn get_provisioned_concurrency(
        &self,
        caller: &Caller,
        target: &Target,
    ) -> Result<ProvisionedConcurrency, Error> {
        access::check(&self.home, caller, Action::GetProvisionedConcurrencyConfig, &target.arn)?;
        let entry = self.catalog.get(&target.arn.name);
        let qualifier = existing(entry.as_deref(), target, &Refusal::NeitherAliasNorVersion)?;
        let found = entry.as_deref().and_then(|entry| {
            let config = entry.settings.provisioned.get(&qualifier)?;
            Some(shown(entry, &qualifier, config))
        });
        found.ok_or_else(|| Refusal::NothingProvisioned.into())
    }

    /// DeleteProvisionedConcurrencyConfig. None is as good as deleted (recorded:
    /// `test_provisioned_concurrency_exceptions`).
    ///
    /// # Errors
    /// There is no such version or alias.
    pub async fn delete_provisioned_concurrency(
        self: &Arc<Self>,
        caller: &Caller,
        target: &Target,
    ) -> Result<(), Error> {
        access::check(&self.home, caller, Action::DeleteProvisionedConcurrencyConfig, &target.arn)?;
        let latest = Refusal::NeitherAliasNorVersion;
        // Here the text names a version also where there is no function (recorded: same).
        let absent = existing(None, target, &latest).err().unwrap_or(latest.clone());
        let asked = target.clone();
        self.change(&target.arn.name, absent, move |_, entry| {
            let qualifier = existing(Some(entry), &asked, &latest)?;
            let next = entry.settings.provisioned.contains_key(&qualifier).then(|| {
                with_settings(entry, |settings| {
                    settings.provisioned.remove(&qualifier);
                })
            });
            Ok((next, ()))
        })
        .await
    }

    /// ListProvisionedConcurrencyConfigs: those behind `after`, by qualifier.
    ///
    /// # Errors
    /// There is no such function.
    pub fn list_provisioned_concurrency(
        &self,
        caller: &Caller,
        target: &Target,
        after: Option<&Qualifier>,
        items_max: usize,
    ) -> Result<Page<ProvisionedConcurrency, Qualifier>, Error> {
        access::check(&self.home, caller, Action::ListProvisionedConcurrencyConfigs, &target.arn)?;
        target.check_whole()?;
        let (entry, _) = resolve::function(&self.catalog, target)?;
        let configs = entry.settings.provisioned.iter();
        let behind = configs.filter(|(qualifier, _)| after.is_none_or(|after| *qualifier > after));
        let found = behind.map(|(qualifier, config)| shown(&entry, qualifier, config));
        Ok(Page::of(found, items_max, |last| last.qualifier.clone()))
    }

    /// What the account may use, and how much of it all functions but this one have set aside.
    fn left_by_others(&self, entry: &Entry) -> (concurrency::Limits, u32) {
        let admission = self.catalog.admission();
        (admission.limits(), admission.set_aside() - concurrency::set_aside(&entry.settings))
    }
}

/// Whether an alias may be as it is, seen that it may have provisioned concurrency.
///
/// # Errors
/// It has, and names a version that cannot have any from it.
pub(super) fn check_moved(settings: &Settings, alias: &domain::alias::Alias) -> Result<(), Refusal> {
    if settings.provisioned.contains_key(&Qualifier::Alias(alias.name.clone())) {
        concurrency::check_alias(settings, alias)
    } else {
        Ok(())
    }
}
