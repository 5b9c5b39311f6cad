//! Tags of functions.

use std::sync::Arc;

use domain::arn::Target;
use domain::settings::Settings;
use domain::tags::{self, Tags};
use domain::{Error, Refusal, network, own_tags};

use super::{Functions, with_settings};
use crate::access::{self, Action, Caller};

/// Tags belong to the function as a whole.
fn check_unqualified(target: &Target) -> Result<(), Refusal> {
    if target.qualifier.is_some() { Err(Refusal::TagsOfQualifier) } else { Ok(()) }
}

fn absent(target: &Target) -> Refusal {
    Refusal::FunctionNotFound { arn: target.arn.to_string() }
}

impl Functions {
    /// TagResource: adds tags and replaces those of the same key.
    ///
    /// # Errors
    /// There is no such function, a part of it is meant, no tag is given, one of ours cannot be read, or it would
    /// have too many.
    pub async fn tag_resource(self: &Arc<Self>, caller: &Caller, target: &Target, more: Tags) -> Result<(), Error> {
        access::check(&self.home, caller, Action::TagResource, &target.arn)?;
        check_unqualified(target)?;
        own_tags::check(&more, self.sandbox.level())?;
        network::check_tags(&more, |network| self.sandbox.gives(network))?;
        self.change(&target.arn.name, absent(target), move |_, entry| {
            let tags = tags::with(&entry.settings.tags, more)?;
            let next = Settings { tags, ..Settings::clone(&entry.settings) };
            Ok((Some(with_settings(entry, next)), ()))
        })
        .await
    }

    /// UntagResource.
    ///
    /// # Errors
    /// There is no such function, or a part of it is meant.
    pub async fn untag_resource(
        self: &Arc<Self>,
        caller: &Caller,
        target: &Target,
        keys: Vec<String>,
    ) -> Result<(), Error> {
        access::check(&self.home, caller, Action::UntagResource, &target.arn)?;
        check_unqualified(target)?;
        self.change(&target.arn.name, absent(target), move |_, entry| {
            let tags = tags::without(&entry.settings.tags, &keys);
            let next = Settings { tags, ..Settings::clone(&entry.settings) };
            Ok((Some(with_settings(entry, next)), ()))
        })
        .await
    }

    /// ListTags.
    ///
    /// # Errors
    /// There is no such function, or a part of it is meant.
    pub fn list_tags(&self, caller: &Caller, target: &Target) -> Result<Tags, Error> {
        access::check(&self.home, caller, Action::ListTags, &target.arn)?;
        check_unqualified(target)?;
        let entry = self.catalog.get(&target.arn.name).ok_or_else(|| absent(target))?;
        Ok(entry.settings.tags.clone())
    }
}
