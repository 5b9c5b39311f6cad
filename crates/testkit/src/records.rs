//! `Records` in memory, with an outage or a slow disk to order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use domain::Fault;
use domain::function::{Digest, Function};
use domain::names::{FunctionName, RevisionId};
use engine::ports::{Records, Wait};
use tokio::sync::watch;

/// Functions that live as long as this does.
#[derive(Debug, Default)]
pub struct MemoryRecords {
    inner: Mutex<Inner>,
    /// Whether answers are kept back.
    is_slow: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Inner {
    functions: BTreeMap<FunctionName, Arc<Function>>,
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

    /// From now on, until told otherwise, what is asked is done and nobody gets an answer: as with a disk that syncs.
    pub fn set_slow(&self, is_slow: bool) {
        self.is_slow.send_replace(is_slow);
    }

    /// Whether a package is part of a function.
    pub(crate) fn needs(&self, package: Digest) -> bool {
        self.inner().functions.values().any(|function| {
            let mut layers = function.configuration.layers.iter();
            function.package.digest == package || layers.any(|layer| layer.package.digest == package)
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing that holds it panics")
    }

    async fn answered<T>(&self, answer: T) -> T {
        let _ = self.is_slow.subscribe().wait_for(|is_slow| !is_slow).await;
        answer
    }

    fn up(&self) -> Result<MutexGuard<'_, Inner>, Fault> {
        let inner = self.inner();
        if inner.is_down { Err(Fault::bare("using the records, which the test has taken down")) } else { Ok(inner) }
    }
}

impl Records for MemoryRecords {
    fn load(&self) -> Wait<'_, Result<Vec<Function>, Fault>> {
        Box::pin(async move { Ok(self.up()?.functions.values().map(|function| Function::clone(function)).collect()) })
    }

    fn insert(&self, function: Arc<Function>) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let is_free = {
                let mut inner = self.up()?;
                let name = function.arn.name.clone();
                let is_free = !inner.functions.contains_key(&name);
                inner.functions.entry(name).or_insert(function);
                is_free
            };
            Ok(self.answered(is_free).await)
        })
    }

    fn replace(&self, expected: RevisionId, function: Arc<Function>) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let is_there = {
                let mut inner = self.up()?;
                let found = inner.functions.get_mut(&function.arn.name).filter(|found| found.revision == expected);
                found.map(|found| *found = function).is_some()
            };
            Ok(self.answered(is_there).await)
        })
    }

    fn remove(&self, name: FunctionName, expected: RevisionId) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let is_there = {
                let mut inner = self.up()?;
                let is_there = inner.functions.get(&name).is_some_and(|found| found.revision == expected);
                if is_there {
                    inner.functions.remove(&name);
                }
                is_there
            };
            Ok(self.answered(is_there).await)
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
