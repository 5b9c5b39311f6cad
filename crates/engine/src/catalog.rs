//! The functions in memory: what every read sees, without a lock and without the database.
//!
//! Never here: the rules of a change. A change is written to [`crate::ports::Records`] first and shown here after.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use domain::function::Function;
use domain::names::FunctionName;
use tokio::sync::{Mutex, MutexGuard};

use crate::pool::Pool;

/// A function: as it is configured, and as it is served. The two differ while an update is under way.
#[derive(Debug)]
pub struct Entry {
    /// What the control plane shows.
    pub function: Arc<Function>,
    /// What invocations get.
    pub serving: Arc<Serving>,
}

/// One state of code and configuration, with the environments that have it.
#[derive(Debug)]
pub struct Serving {
    /// The function as its environments were started with.
    pub function: Arc<Function>,
    /// Its environments.
    pub pool: Arc<Pool>,
}

impl Serving {
    /// A state that no environment has yet.
    pub fn new(function: Arc<Function>) -> Arc<Self> {
        Arc::new(Self { function, pool: Arc::default() })
    }
}

/// All functions, by name.
#[derive(Debug, Default)]
pub struct Catalog {
    entries: ArcSwap<BTreeMap<FunctionName, Arc<Entry>>>,
    changing: Mutex<()>,
}

/// The right to change the catalog, held by one use case at a time. Invocations never ask for it.
pub struct Change<'a> {
    catalog: &'a Catalog,
    _held: MutexGuard<'a, ()>,
}

impl Catalog {
    /// The function of that name, as it is now.
    pub fn get(&self, name: &FunctionName) -> Option<Arc<Entry>> {
        self.entries.load().get(name).cloned()
    }

    /// All functions as they are now.
    pub fn all(&self) -> Arc<BTreeMap<FunctionName, Arc<Entry>>> {
        self.entries.load_full()
    }

    /// Waits for the right to change.
    pub async fn change(&self) -> Change<'_> {
        Change { catalog: self, _held: self.changing.lock().await }
    }
}

impl Change<'_> {
    /// Shows a function in its new state. Where what is served is replaced, the old environments are retired:
    /// idle ones end now, busy ones when they are done.
    pub fn put(&self, entry: Entry) {
        let name = entry.function.arn.name.clone();
        let entry = Arc::new(entry);
        let before = self.edit(|entries| entries.insert(name.clone(), entry.clone()));
        if let Some(before) = before.filter(|before| !Arc::ptr_eq(&before.serving, &entry.serving)) {
            before.serving.pool.retire();
        }
    }

    /// Shows many functions at once, in place of all.
    pub fn fill(&self, entries: impl Iterator<Item = Entry>) {
        let entries = entries.map(|entry| (entry.function.arn.name.clone(), Arc::new(entry)));
        self.catalog.entries.store(Arc::new(entries.collect()));
    }

    /// Forgets a function.
    pub fn remove(&self, name: &FunctionName) {
        if let Some(before) = self.edit(|entries| entries.remove(name)) {
            before.serving.pool.retire();
        }
    }

    fn edit<T>(&self, change: impl FnOnce(&mut BTreeMap<FunctionName, Arc<Entry>>) -> T) -> T {
        let mut entries = BTreeMap::clone(&self.catalog.entries.load());
        let result = change(&mut entries);
        self.catalog.entries.store(Arc::new(entries));
        result
    }
}
