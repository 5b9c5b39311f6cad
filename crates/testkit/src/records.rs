//! `Records` in memory, with an outage or a slow disk to order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use domain::Fault;
use domain::function::{Digest, Function};
use domain::names::{FunctionName, RevisionId, Version};
use engine::ports::{Loaded, Record, Records, VersionChange, Wait};
use tokio::sync::watch;

/// Functions that live as long as this does.
#[derive(Debug, Default)]
pub struct MemoryRecords {
    inner: Mutex<Inner>,
    /// Whether answers are kept back.
    is_slow: watch::Sender<bool>,
}

/// A function with its published versions.
type Kept = (Record, BTreeMap<Version, Arc<Function>>);

#[derive(Debug, Default)]
struct Inner {
    functions: BTreeMap<FunctionName, Kept>,
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
        self.inner().functions.values().any(|(record, versions)| {
            std::iter::once(&record.latest).chain(versions.values()).any(|version| {
                let mut layers = version.configuration.layers.iter();
                version.code.digest() == package || layers.any(|layer| layer.package.digest == package)
            })
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
    fn load(&self) -> Wait<'_, Result<Vec<Loaded>, Fault>> {
        Box::pin(async move {
            let whole = |(record, versions): &Kept| {
                (record.clone(), versions.values().map(|version| Function::clone(version)).collect())
            };
            Ok(self.up()?.functions.values().map(whole).collect())
        })
    }

    fn insert(&self, record: Record, versions: Vec<Arc<Function>>) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let is_free = {
                let mut inner = self.up()?;
                let name = record.latest.arn.name.clone();
                let is_free = !inner.functions.contains_key(&name);
                if is_free {
                    let versions = versions.into_iter().map(|version| (version.version, version)).collect();
                    inner.functions.insert(name, (record, versions));
                }
                is_free
            };
            Ok(self.answered(is_free).await)
        })
    }

    fn replace(
        &self,
        expected: RevisionId,
        record: Record,
        changes: Vec<VersionChange>,
    ) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let is_there = {
                let mut inner = self.up()?;
                let found = inner.functions.get_mut(&record.latest.arn.name);
                let found = found.filter(|(found, _)| found.latest.revision == expected);
                found
                    .map(|(found, versions)| {
                        *found = record;
                        for change in changes {
                            match change {
                                VersionChange::Put(version) => drop(versions.insert(version.version, version)),
                                VersionChange::Remove(number) => drop(versions.remove(&Version::Published(number))),
                            }
                        }
                    })
                    .is_some()
            };
            Ok(self.answered(is_there).await)
        })
    }

    fn remove(&self, name: FunctionName, expected: RevisionId) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let is_there = {
                let mut inner = self.up()?;
                let is_there = inner.functions.get(&name).is_some_and(|(found, _)| found.latest.revision == expected);
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
        let record = crate::contracts::record(crate::contracts::function("fn", 1));
        records.set_down(true);
        assert!(records.insert(record.clone(), Vec::new()).await.is_err());
        records.set_down(false);
        assert!(records.insert(record, Vec::new()).await.unwrap());
    }
}
