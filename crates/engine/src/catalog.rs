//! The functions in memory: what every read sees, without a lock and without the database.
//!
//! Never here: the rules of a change. A change is written to [`crate::ports::Records`] first and shown here after.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex as ShortMutex, PoisonError};

use arc_swap::ArcSwap;
use domain::concurrency;
use domain::function::Function;
use domain::names::{FunctionName, Version, VersionNumber};
use domain::settings::Settings;
use tokio::sync::{Mutex, MutexGuard, Notify};

use crate::admission::{Admission, Gauge};
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
    /// What runs of it now.
    pub gauge: Arc<Gauge>,
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
        Self { latest: Deployed::new(latest), versions, aliases, settings, gauge: Arc::default() }
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
#[derive(Debug)]
pub struct Catalog {
    entries: ArcSwap<BTreeMap<FunctionName, Arc<Entry>>>,
    changing: Mutex<()>,
    admission: Arc<Admission>,
    /// Functions whose provisioned environments may be too few or too many.
    unprovisioned: ShortMutex<BTreeSet<FunctionName>>,
    provision: Notify,
}

/// The right to change the catalog, held by one use case at a time. Invocations never ask for it.
pub struct Change<'a> {
    catalog: &'a Catalog,
    _held: MutexGuard<'a, ()>,
}

impl Default for Catalog {
    fn default() -> Self {
        Self::new(Arc::new(Admission::new(concurrency::Limits::default())))
    }
}

impl Catalog {
    /// No functions, which share what `admission` has to give.
    pub fn new(admission: Arc<Admission>) -> Self {
        let (entries, changing, unprovisioned, provision) = Default::default();
        Self { entries, changing, admission, unprovisioned, provision }
    }

    /// What they share.
    pub fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    /// Says that the provisioned environments of a function are not as they should be.
    pub(crate) fn is_unprovisioned(&self, name: FunctionName) {
        self.unprovisioned.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
        self.provision.notify_one();
    }

    /// Waits for functions whose provisioned environments are not as they should be. One task does so.
    pub(crate) async fn unprovisioned(&self) -> BTreeSet<FunctionName> {
        loop {
            let names = std::mem::take(&mut *self.unprovisioned.lock().unwrap_or_else(PoisonError::into_inner));
            if !names.is_empty() {
                return names;
            }
            self.provision.notified().await;
        }
    }

    /// Keeps account of what a function has set aside for itself.
    fn share(&self, before: Option<&Entry>, now: Option<&Entry>) {
        let set_aside = |entry: Option<&Entry>| entry.map_or(0, |entry| concurrency::set_aside(&entry.settings));
        self.admission.change_share(set_aside(before), set_aside(now));
        let has_provisioned = |entry: &&Entry| !entry.settings.provisioned.is_empty();
        if let Some(entry) = now
            && [before, now].iter().flatten().any(has_provisioned)
        {
            self.is_unprovisioned(entry.latest.function.arn.name.clone());
        }
    }

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
        let before = self.edit(|entries| entries.insert(name, entry.clone()));
        self.catalog.share(before.as_deref(), Some(&entry));
        let Some(before) = before else { return };
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
        let entries: Arc<BTreeMap<_, _>> = Arc::new(entries.collect());
        let before = self.catalog.entries.swap(entries.clone());
        before.values().for_each(|entry| self.catalog.share(Some(entry), None));
        entries.values().for_each(|entry| self.catalog.share(None, Some(entry)));
    }

    /// Forgets a function.
    pub fn remove(&self, name: &FunctionName) {
        if let Some(before) = self.edit(|entries| entries.remove(name)) {
            self.catalog.share(Some(&before), None);
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
