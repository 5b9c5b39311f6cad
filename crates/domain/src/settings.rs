//! What belongs to a function as a whole, or to its qualifiers, and travels with no version of it.
//!
//! Never here: what a setting does to an invocation.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::arn::FunctionArn;
use crate::error::Refusal;
use crate::names::{Qualifier, VersionNumber};

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The last version number that was given, also if that version is gone.
    pub last_version: Option<VersionNumber>,
    /// Tags, in the order given.
    pub tags: Vec<(String, String)>,
    /// Reserved concurrency: guarantee and cap; 0 stops the function.
    pub reserved: Option<u32>,
    /// What happens to loops of invocations.
    pub recursion: RecursiveLoop,
    /// Resource policies; that of the function itself is at `$LATEST`, which cannot have one of its own (recorded:
    /// `test_lambda_permission_fn_versioning`). None is empty.
    pub policies: BTreeMap<Qualifier, Vec<Statement>>,
    /// What becomes of asynchronous events.
    pub event_invoke: BTreeMap<Qualifier, EventInvokeConfig>,
    /// Environments that are kept initialised.
    pub provisioned: BTreeMap<Qualifier, Provisioned>,
}

impl Settings {
    /// Forgets everything that belongs to one version or alias.
    pub fn forget(&mut self, qualifier: &Qualifier) {
        self.policies.remove(qualifier);
        self.event_invoke.remove(qualifier);
        self.provisioned.remove(qualifier);
    }
}

/// `RecursiveLoop`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecursiveLoop {
    /// They are stopped.
    #[default]
    Terminate,
    /// They go on.
    Allow,
}

/// One statement of a resource policy, as AddPermission makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its id, unique within the policy.
    pub sid: String,
    /// `lambda:InvokeFunction` and the like, as given.
    pub action: String,
    /// A service, an account, an ARN or `*`, as given.
    pub principal: String,
    /// Under which conditions it holds, all of them.
    pub conditions: Vec<Condition>,
}

/// A condition of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// `ArnLike`, `StringEquals` or `Bool`.
    pub operator: String,
    /// `AWS:SourceArn` and the like.
    pub key: String,
    /// What it is compared with.
    pub value: String,
}

/// What becomes of the asynchronous events of one qualifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventInvokeConfig {
    /// How often a failed event is tried again, 0 to 2.
    pub retries_max: Option<u32>,
    /// How old an event may become, in seconds, 60 to 21,600.
    pub age_seconds_max: Option<u32>,
    /// The ARN that is told of successes.
    pub on_success: Option<String>,
    /// The ARN that is told of failures.
    pub on_failure: Option<String>,
    /// When it was last put or updated.
    pub modified_at: Timestamp,
}

impl EventInvokeConfig {
    /// Whether its destinations are such that an event can have: of a service that takes them, and no function's own.
    /// Whether they exist is not judged here.
    ///
    /// # Errors
    /// They are not.
    pub fn check_destinations(&self, function: &FunctionArn) -> Result<(), Refusal> {
        let fits = |arn: &Option<String>| arn.as_deref().is_none_or(|arn| service(arn).is_some_and(can_be_destination));
        if !fits(&self.on_success) || !fits(&self.on_failure) {
            let (on_success, on_failure) = (self.on_success.clone(), self.on_failure.clone());
            return Err(Refusal::InvalidDestinations { on_success, on_failure });
        }
        let own = function.to_string();
        let is_own = |arn: &str| arn.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
        if self.destinations().any(is_own) { Err(Refusal::DestinationIsItself) } else { Ok(()) }
    }

    /// The destinations that are given.
    pub fn destinations(&self) -> impl Iterator<Item = &str> {
        [&self.on_success, &self.on_failure].into_iter().filter_map(|arn| arn.as_deref())
    }

    /// Those that are functions.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.destinations().filter(|arn| service(arn) == Some("lambda"))
    }
}

/// The service in an ARN.
fn service(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.split(':').nth(1)
}

/// AWS developer guide, invocation-async-retain-records.
fn can_be_destination(service: &str) -> bool {
    matches!(service, "lambda" | "sqs" | "sns" | "events" | "s3")
}

/// How many environments are kept initialised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioned {
    /// How many were asked for.
    pub requested: u32,
    /// When.
    pub modified_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arn::Home;

    #[test]
    fn destinations_are_judged_by_their_service_and_by_whose_they_are() {
        // Recorded: test_lambda_eventinvokeconfig_exceptions; AWS developer guide, invocation-async-retain-records.
        let home = Home { partition: "aws".into(), region: "us-east-1".into(), account: "111111111111".into() };
        let function = home.read("fn", None).unwrap().arn;
        let arn = |service: &str, rest: &str| format!("arn:aws:{service}:us-east-1:111111111111:{rest}");
        let check = |on_success: Option<&str>, on_failure: Option<&str>| {
            let (on_success, on_failure) = (on_success.map(str::to_owned), on_failure.map(str::to_owned));
            let modified_at = Timestamp::UNIX_EPOCH;
            let config =
                EventInvokeConfig { retries_max: None, age_seconds_max: None, on_success, on_failure, modified_at };
            config.check_destinations(&function)
        };
        for target in [arn("sqs", "q"), arn("sns", "t"), arn("events", "event-bus/b"), arn("lambda", "function:fn2")] {
            assert_eq!(check(Some(&target), Some(&target)), Ok(()), "{target}");
        }
        for own in [arn("lambda", "function:fn"), arn("lambda", "function:fn:live")] {
            assert_eq!(check(None, Some(&own)), Err(Refusal::DestinationIsItself), "{own}");
        }
        for other in [arn("iam", "function:fn"), "kafka://topic".to_owned()] {
            let refusal = Refusal::InvalidDestinations { on_success: Some(other.clone()), on_failure: None };
            assert_eq!(check(Some(&other), None), Err(refusal), "{other}");
        }
    }
}
