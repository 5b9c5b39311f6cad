//! What belongs to a function as a whole, or to its qualifiers, and travels with no version of it.
//!
//! Never here: what a setting does to an invocation.

use std::collections::BTreeMap;

use jiff::Timestamp;

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

/// How many environments are kept initialised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioned {
    /// How many were asked for.
    pub requested: u32,
    /// When.
    pub modified_at: Timestamp,
}
