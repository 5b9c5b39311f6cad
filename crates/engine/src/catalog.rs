//! The functions in memory: what every read sees, without a lock and without the database.
//!
//! Never here: the rules of a change. A change is written to [`crate::ports::Records`] first and shown here after.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use domain::function::Function;
use domain::names::{FunctionName, Version, VersionNumber};
use domain::settings::Settings;
use tokio::sync::{Mutex, MutexGuard};

use crate::pool::Pool;
use crate::ports::{Aliases, Record};

/// A function: its versions, its aliases, and what belongs to it as a whole.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `$LATEST`.
    pub latest: Deployed,
    /// The published versions.
    pub versions: BTreeMap<VersionNumber, Deployed>,
    /// The aliases, each of versions that are here.
    pub aliases: Arc<Aliases>,
    /// What belongs to no version.
    pub settings: Arc<Settings>,
}

/// One version of a function: as it is configured, and as it is served. The two differ while an update is under way.
#[derive(Clone, Debug)]
pub struct Deployed {
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

impl Deployed {
    /// A version that no environment has yet.
    pub fn new(function: Arc<Function>) -> Self {
        Self { serving: Serving::new(function.clone()), function }
    }

    /// Another state of the version, served by the environments that serve it now.
    #[must_use]
    pub fn shown_as(&self, function: Arc<Function>) -> Self {
        Self { function, serving: self.serving.clone() }
    }
}

impl Entry {
    /// What is kept of it.
    pub fn new(record: Record, versions: impl IntoIterator<Item = Arc<Function>>) -> Self {
        let number = |function: &Function| match function.version {
            Version::Published(number) => Some(number),
            Version::Latest => None,
        };
        let versions =
            versions.into_iter().filter_map(|function| Some((number(&function)?, Deployed::new(function)))).collect();
        let Record { latest, aliases, settings } = record;
        Self { latest: Deployed::new(latest), versions, aliases, settings }
    }

    /// The version of that name.
    pub fn version(&self, version: Version) -> Option<&Deployed> {
        match version {
            Version::Latest => Some(&self.latest),
            Version::Published(number) => self.versions.get(&number),
        }
    }

    /// All versions, `$LATEST` first, then by number.
    pub fn all_versions(&self) -> impl Iterator<Item = &Deployed> {
        std::iter::once(&self.latest).chain(self.versions.values())
    }

    /// What is to be kept of it, besides its versions.
    pub fn record(&self) -> Record {
        Record { latest: self.latest.function.clone(), aliases: self.aliases.clone(), settings: self.settings.clone() }
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
    /// Shows a function in its new state. Where what is served is replaced or gone, the old environments are retired:
    /// idle ones end now, busy ones when they are done.
    pub fn put(&self, entry: Entry) {
        let name = entry.latest.function.arn.name.clone();
        let entry = Arc::new(entry);
        let Some(before) = self.edit(|entries| entries.insert(name, entry.clone())) else { return };
        for old in before.all_versions() {
            let now = entry.version(old.function.version);
            if now.is_none_or(|now| !Arc::ptr_eq(&now.serving, &old.serving)) {
                old.serving.pool.retire();
            }
        }
    }

    /// Shows many functions at once, in place of all.
    pub fn fill(&self, entries: impl Iterator<Item = Entry>) {
        let entries = entries.map(|entry| (entry.latest.function.arn.name.clone(), Arc::new(entry)));
        self.catalog.entries.store(Arc::new(entries.collect()));
    }

    /// Forgets a function.
    pub fn remove(&self, name: &FunctionName) {
        if let Some(before) = self.edit(|entries| entries.remove(name)) {
            before.all_versions().for_each(|version| version.serving.pool.retire());
        }
    }

    fn edit<T>(&self, change: impl FnOnce(&mut BTreeMap<FunctionName, Arc<Entry>>) -> T) -> T {
        let mut entries = BTreeMap::clone(&self.catalog.entries.load());
        let result = change(&mut entries);
        self.catalog.entries.store(Arc::new(entries));
        result
    }
}
