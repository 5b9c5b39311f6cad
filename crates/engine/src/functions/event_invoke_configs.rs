//! What becomes of asynchronous events: the settings of each qualifier.

use std::sync::Arc;

use domain::arn::Target;
use domain::names::Qualifier;
use domain::settings::{EventInvokeConfig, Settings};
use domain::{Error, Refusal};

use super::{Functions, Page, with_settings};
use crate::access::{self, Action, Caller};
use crate::catalog::Entry;
use crate::resolve;

/// Where events go when they are done, as far as it is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destinations {
    /// The ARN that is told of successes.
    pub on_success: Option<String>,
    /// The ARN that is told of failures.
    pub on_failure: Option<String>,
}

/// What PutFunctionEventInvokeConfig and UpdateFunctionEventInvokeConfig may set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventInvokeEdit {
    /// How often a failed event is tried again.
    pub retries_max: Option<u32>,
    /// How old an event may become, in seconds.
    pub age_seconds_max: Option<u32>,
    /// Both destinations, also where they are empty.
    pub destinations: Option<Destinations>,
}

/// An event without qualifier goes to `$LATEST` (recorded: `test_lambda_eventinvokeconfig_lifecycle`).
fn place(target: &Target) -> Qualifier {
    target.qualifier.clone().unwrap_or(Qualifier::Latest)
}

fn none(target: &Target) -> Refusal {
    Refusal::NoEventInvokeConfig { arn: target.arn.qualified(&place(target)) }
}

impl Functions {
    /// PutFunctionEventInvokeConfig: replaces what there is.
    ///
    /// # Errors
    /// There is no such function or qualifier, nothing is set, or a destination is refused.
    pub async fn put_event_invoke_config(
        self: &Arc<Self>,
        caller: &Caller,
        target: &Target,
        edit: EventInvokeEdit,
    ) -> Result<EventInvokeConfig, Error> {
        self.edit_event_invoke_config(caller, (Action::PutFunctionEventInvokeConfig, target), edit, |_| Ok(None)).await
    }

    /// UpdateFunctionEventInvokeConfig: what is not given stays.
    ///
    /// # Errors
    /// As for [`Functions::put_event_invoke_config`]; or there is none yet.
    pub async fn update_event_invoke_config(
        self: &Arc<Self>,
        caller: &Caller,
        target: &Target,
        edit: EventInvokeEdit,
    ) -> Result<EventInvokeConfig, Error> {
        let (place, none) = (place(target), none(target));
        let base = move |entry: &Entry| entry.settings.event_invoke.get(&place).cloned().ok_or(none).map(Some);
        self.edit_event_invoke_config(caller, (Action::UpdateFunctionEventInvokeConfig, target), edit, base).await
    }

    async fn edit_event_invoke_config(
        self: &Arc<Self>,
        caller: &Caller,
        (action, target): (Action, &Target),
        edit: EventInvokeEdit,
        base: impl FnOnce(&Entry) -> Result<Option<EventInvokeConfig>, Refusal> + Send + 'static,
    ) -> Result<EventInvokeConfig, Error> {
        access::check(&self.home, caller, action, &target.arn)?;
        // Whether or not there is such a function (recorded: test_lambda_eventinvokeconfig_exceptions,
        // put_functionname_nootherargs).
        if edit == EventInvokeEdit::default() {
            return Err(Refusal::NothingToConfigure.into());
        }
        let target = target.clone();
        self.change(&target.arn.name.clone(), Refusal::FunctionDoesNotExist, move |functions, entry| {
            if resolve::function(&functions.catalog, &target).is_err() {
                return Err(Refusal::FunctionDoesNotExist);
            }
            let base = base(entry)?;
            let base = base.as_ref();
            let destinations = edit.destinations.unwrap_or_else(|| Destinations {
                on_success: base.and_then(|base| base.on_success.clone()),
                on_failure: base.and_then(|base| base.on_failure.clone()),
            });
            let config = EventInvokeConfig {
                retries_max: edit.retries_max.or_else(|| base?.retries_max),
                age_seconds_max: edit.age_seconds_max.or_else(|| base?.age_seconds_max),
                on_success: destinations.on_success,
                on_failure: destinations.on_failure,
                modified_at: functions.clock.now(),
            };
            config.check_destinations(&target.arn)?;
            let is_there = |arn: &str| {
                let read = functions.home.read(arn, None).ok();
                let ours = read.filter(|target| target.arn.account() == &*functions.home.account);
                ours.is_some_and(|target| resolve::function(&functions.catalog, &target).is_ok())
            };
            if let Some(arn) = config.functions().find(|arn| !is_there(arn)) {
                return Err(Refusal::DestinationNotFound { arn: arn.to_owned() });
            }
            let mut settings = Settings::clone(&entry.settings);
            settings.event_invoke.insert(place(&target), config.clone());
            Ok((Some(with_settings(entry, settings)), config))
        })
        .await
    }

    /// GetFunctionEventInvokeConfig.
    ///
    /// # Errors
    /// There is none.
    pub fn get_event_invoke_config(&self, caller: &Caller, target: &Target) -> Result<EventInvokeConfig, Error> {
        access::check(&self.home, caller, Action::GetFunctionEventInvokeConfig, &target.arn)?;
        let entry = self.catalog.get(&target.arn.name);
        let config = entry.and_then(|entry| entry.settings.event_invoke.get(&place(target)).cloned());
        config.ok_or_else(|| none(target).into())
    }

    /// DeleteFunctionEventInvokeConfig.
    ///
    /// # Errors
    /// There is none.
    pub async fn delete_event_invoke_config(self: &Arc<Self>, caller: &Caller, target: &Target) -> Result<(), Error> {
        access::check(&self.home, caller, Action::DeleteFunctionEventInvokeConfig, &target.arn)?;
        let (place, none) = (place(target), none(target));
        self.change(&target.arn.name, none.clone(), move |_, entry| {
            let mut settings = Settings::clone(&entry.settings);
            settings.event_invoke.remove(&place).ok_or(none)?;
            Ok((Some(with_settings(entry, settings)), ()))
        })
        .await
    }

    /// ListFunctionEventInvokeConfigs: those behind `after`, `$LATEST` first, then versions, then aliases (recorded:
    /// `test_lambda_eventinvokeconfig_exceptions`).
    ///
    /// # Errors
    /// There is no such function.
    pub fn list_event_invoke_configs(
        &self,
        caller: &Caller,
        target: &Target,
        after: Option<&Qualifier>,
        items_max: usize,
    ) -> Result<Page<(Qualifier, EventInvokeConfig), Qualifier>, Error> {
        access::check(&self.home, caller, Action::ListFunctionEventInvokeConfigs, &target.arn)?;
        target.check_whole()?;
        let entry = self.catalog.get(&target.arn.name).ok_or(Refusal::FunctionDoesNotExist)?;
        let found = entry.settings.event_invoke.iter().filter(|(place, _)| after.is_none_or(|after| *place > after));
        let found = found.map(|(place, config)| (place.clone(), config.clone()));
        Ok(Page::of(found, items_max, |(place, _)| place.clone()))
    }
}
