//! What the account uses, and what is asked of functions besides their configuration.

use std::sync::Arc;

use domain::arn::Target;
use domain::settings::{RecursiveLoop, Settings};
use domain::{Error, Refusal};

use super::{Functions, with_settings};
use crate::access::{self, Action, Caller};

/// What the functions of the account take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many there are.
    pub functions: usize,
    /// Bytes of their packages, zipped, of each version for itself (recorded:
    /// `test_account_settings_total_code_size_config_update`).
    pub code_bytes: u64,
    /// Concurrency that is reserved.
    pub reserved: u32,
}

fn absent(target: &Target) -> Refusal {
    Refusal::FunctionNotFound { arn: target.arn.to_string() }
}

impl Functions {
    /// GetAccountSettings: what is used.
    ///
    /// # Errors
    /// The caller may not.
    pub fn account_usage(&self, caller: &Caller) -> Result<Usage, Error> {
        access::check_account(caller, Action::GetAccountSettings)?;
        let entries = self.catalog.all();
        let code = |entry: &Arc<crate::catalog::Entry>| {
            entry.all_versions().map(|version| version.function.code.bytes()).sum::<u64>()
        };
        Ok(Usage {
            functions: entries.len(),
            code_bytes: entries.values().map(code).sum(),
            reserved: entries.values().filter_map(|entry| entry.settings.reserved).sum(),
        })
    }

    /// PutFunctionRecursionConfig.
    ///
    /// # Errors
    /// There is no such function.
    pub async fn put_recursion_config(
        self: &Arc<Self>,
        caller: &Caller,
        target: &Target,
        recursion: RecursiveLoop,
    ) -> Result<(), Error> {
        access::check(&self.home, caller, Action::PutFunctionRecursionConfig, &target.arn)?;
        target.check_whole()?;
        self.change(&target.arn.name, absent(target), move |_, entry| {
            let settings = Settings { recursion, ..Settings::clone(&entry.settings) };
            Ok((Some(with_settings(entry, settings)), ()))
        })
        .await
    }

    /// GetFunctionRecursionConfig.
    ///
    /// # Errors
    /// There is no such function.
    pub fn get_recursion_config(&self, caller: &Caller, target: &Target) -> Result<RecursiveLoop, Error> {
        access::check(&self.home, caller, Action::GetFunctionRecursionConfig, &target.arn)?;
        target.check_whole()?;
        let entry = self.catalog.get(&target.arn.name).ok_or_else(|| absent(target))?;
        Ok(entry.settings.recursion)
    }

    /// Whether there is such a function, for what is asked of one that has nothing of the kind:
    /// GetFunctionCodeSigningConfig and DeleteFunctionCodeSigningConfig.
    ///
    /// # Errors
    /// There is none.
    pub fn check_function(&self, caller: &Caller, action: Action, target: &Target) -> Result<(), Error> {
        access::check(&self.home, caller, action, &target.arn)?;
        target.check_whole()?;
        self.catalog.get(&target.arn.name).map(drop).ok_or_else(|| absent(target).into())
    }
}
