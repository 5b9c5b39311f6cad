//! `Records` in memory, with an outage to order.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use domain::Fault;
use domain::function::{Digest, Function};
use domain::names::{FunctionName, RevisionId};
use engine::ports::{Records, Wait};

/// Functions that live as long as this does.
#[derive(Debug, Default)]
pub struct MemoryRecords(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    functions: BTreeMap<FunctionName, Arc<Function>>,
    /// Packages that were kept and are not in a function yet; see [`crate::packages::MemoryPackages`].
    holds: HashMap<Digest, usize>,
    is_down: bool,
}

impl MemoryRecords {
    /// No functions.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on, until told otherwise, every call fails and changes nothing.
    pub fn set_down(&self, is_down: bool) {
        self.inner().is_down = is_down;
    }

    pub(crate) fn hold(&self, package: Digest) {
        *self.inner().holds.entry(package).or_default() += 1;
    }

    /// Whether a package is held or part of a function.
    pub(crate) fn needs(&self, package: Digest) -> bool {
        let inner = self.inner();
        inner.holds.contains_key(&package) || inner.functions.values().any(|f| f.package.digest == package)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("nothing that holds it panics")
    }

    fn up(&self) -> Result<MutexGuard<'_, Inner>, Fault> {
        let inner = self.inner();
        if inner.is_down { Err(Fault::bare("using the records, which the test has taken down")) } else { Ok(inner) }
    }
}

impl Inner {
    fn release(&mut self, package: Digest) {
        if let Some(count) = self.holds.get_mut(&package) {
            *count -= 1;
            if *count == 0 {
                self.holds.remove(&package);
            }
        }
    }
}

impl Records for MemoryRecords {
    fn load(&self) -> Wait<'_, Result<Vec<Function>, Fault>> {
        Box::pin(async move { Ok(self.up()?.functions.values().map(|function| Function::clone(function)).collect()) })
    }

    fn insert(&self, function: Arc<Function>) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let mut inner = self.up()?;
            inner.release(function.package.digest);
            let name = function.arn.name.clone();
            let is_free = !inner.functions.contains_key(&name);
            inner.functions.entry(name).or_insert(function);
            Ok(is_free)
        })
    }

    fn replace(&self, expected: RevisionId, function: Arc<Function>) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let mut inner = self.up()?;
            let package = function.package.digest;
            let found = inner.functions.get_mut(&function.arn.name).filter(|found| found.revision == expected);
            let Some(found) = found else { return Ok(false) };
            let before = std::mem::replace(found, function);
            if before.package.digest != package {
                inner.release(package);
            }
            Ok(true)
        })
    }

    fn remove(&self, name: FunctionName, expected: RevisionId) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let mut inner = self.up()?;
            let is_there = inner.functions.get(&name).is_some_and(|found| found.revision == expected);
            if is_there {
                inner.functions.remove(&name);
            }
            Ok(is_there)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_fake_keeps_the_contract() {
        crate::contracts::records_contract(&MemoryRecords::new()).await;
    }

    #[tokio::test]
    async fn while_it_is_down_nothing_changes() {
        let records = MemoryRecords::new();
        let function = Arc::new(crate::contracts::function("fn", 1));
        records.set_down(true);
        assert!(records.insert(function.clone()).await.is_err());
        records.set_down(false);
        assert!(records.insert(function).await.unwrap());
    }
}
