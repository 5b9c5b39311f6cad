//! Creating, reading, changing and deleting functions.
//!
//! Never here: a rule that could be a pure function of the domain.

mod account;
mod aliases;
mod concurrency;
mod event_invoke_configs;
mod policies;
mod tags;
mod versions;

use std::collections::HashMap;
use std::future::Future;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use domain::arn::{Home, Target};
use domain::function::{Change, Code, Configuration, Digest, Failing, Function, NewFunction, Program};
use domain::image::Image;
use domain::names::{FunctionName, Qualifier, RevisionId, Version};
use domain::settings::Settings;
use domain::{Error, Fault, Refusal, network, own_tags};

use crate::access::{self, Action, Caller};
use crate::catalog::{self, Catalog, Deployed, Entry, Serving};
use crate::contents::{CodeSource, Contents};
use crate::layers::Layers;
use crate::ports::{Clock, Dice, HeldImage, Images, Kept, Packages, Record, Records, Sandbox};
use crate::{resolve, tasks};

pub use self::account::Usage;
pub use self::aliases::{AliasEdit, NewAlias};
pub use self::concurrency::ProvisionedConcurrency;
pub use self::event_invoke_configs::{Destinations, EventInvokeEdit};
pub use self::versions::Publication;

/// How long a failed activation waits before it is tried again, at first and at most.
const SETTLE_PAUSE_MIN: Duration = Duration::from_secs(1);
const SETTLE_PAUSE_MAX: Duration = Duration::from_secs(30);

/// The functions of this engine.
pub struct Functions {
    home: Home,
    catalog: Arc<Catalog>,
    records: Arc<dyn Records>,
    packages: Arc<dyn Packages>,
    layers: Arc<Layers>,
    sandbox: Arc<dyn Sandbox>,
    images: Arc<dyn Images>,
    clock: Arc<dyn Clock>,
    dice: Arc<dyn Dice>,
    /// States of functions that are no longer shown but may still be running: their code must stay.
    retired: Mutex<Vec<Weak<Serving>>>,
}

/// One page of a listing.
#[derive(Debug)]
pub struct Page<T, K> {
    /// What is on it, in order.
    pub items: Vec<T>,
    /// After which key the next page begins; `None` at the end.
    pub next: Option<K>,
}

impl<T, K> Page<T, K> {
    /// The first of `items`, at most `items_max`; `key` finds the place of one.
    pub(crate) fn of(mut items: impl Iterator<Item = T>, items_max: usize, key: impl FnOnce(&T) -> K) -> Self {
        let page: Vec<T> = items.by_ref().take(items_max).collect();
        let more = items.next().is_some();
        let next = page.last().filter(|_| more).map(key);
        Self { items: page, next }
    }
}

/// What ListFunctions lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// `$LATEST` of each function.
    Latest,
    /// All versions of each function.
    AllVersions,
}

/// How UpdateFunctionCode goes about it.
#[derive(Clone, Copy, Debug, Default)]
pub struct CodeUpdate {
    /// Everything is judged, nothing changed.
    pub dry_run: bool,
    /// A version is published of it.
    pub publish: bool,
}

/// What becomes of the settings of a function.
pub type SettingsEdit = Box<dyn FnOnce(&Configuration) -> Result<Configuration, Refusal> + Send>;

/// What UpdateFunctionConfiguration does to a configuration.
pub struct Edit {
    /// To all but the layers.
    pub settings: SettingsEdit,
    /// The ARNs of the layer versions that take the place of the present ones.
    pub layers: Option<Vec<String>>,
}

impl Edit {
    /// One that leaves the layers as they are.
    pub fn of_settings(
        settings: impl FnOnce(&Configuration) -> Result<Configuration, Refusal> + Send + 'static,
    ) -> Self {
        Self { settings: Box::new(settings), layers: None }
    }
}

impl Functions {
    /// Wires it up; [`Functions::load`] fills the catalog.
    pub fn new(
        home: Home,
        catalog: Arc<Catalog>,
        (records, packages): (Arc<dyn Records>, Arc<dyn Packages>),
        (sandbox, images): (Arc<dyn Sandbox>, Arc<dyn Images>),
        layers: Arc<Layers>,
        (clock, dice): (Arc<dyn Clock>, Arc<dyn Dice>),
    ) -> Arc<Self> {
        let retired = Mutex::default();
        Arc::new(Self { home, catalog, records, packages, layers, sandbox, images, clock, dice, retired })
    }

    /// Shows what is on disk, and goes on with whatever was under way when the engine stopped.
    ///
    /// # Errors
    /// The records cannot be read.
    pub async fn load(self: &Arc<Self>) -> Result<usize, Fault> {
        let functions = self.records.load().await?;
        let count = functions.len();
        let change = self.catalog.change().await;
        let mut unsettled = Vec::new();
        change.fill(functions.into_iter().map(|(record, versions)| {
            let entry = Entry::new(record, versions.into_iter().map(Arc::new));
            if entry.all_versions().any(|version| version.function.is_settling()) {
                unsettled.push(entry.latest.function.arn.name.clone());
            }
            entry
        }));
        drop(change);
        for name in unsettled {
            self.settle_later(name);
        }
        Ok(count)
    }

    /// CreateFunction. With `publish` it has a first version from the start, and that is the answer.
    ///
    /// # Errors
    /// The name is taken or too long, the runtime cannot run here, the code is refused.
    pub async fn create_function(
        self: &Arc<Self>,
        caller: &Caller,
        mut new: NewFunction,
        contents: impl Into<Contents> + Send,
        publish: bool,
    ) -> Result<Arc<Function>, Error> {
        let Contents { code, layers } = contents.into();
        access::check(&self.home, caller, Action::CreateFunction, &new.arn)?;
        let name = new.arn.name.clone();
        if !name.for_creation() {
            return Err(Refusal::FunctionNameTooLong { value: name.to_string() }.into());
        }
        new.check()?;
        own_tags::check(&new.tags, self.sandbox.level())?;
        network::check_tags(&new.tags, |network| self.sandbox.gives(network))?;
        let held = self.layers.resolve(caller, &layers).await?;
        new.configuration.layers.clone_from(&held.uses);
        self.check_program(&new.configuration).await?;
        if self.catalog.get(&name).is_some() {
            return Err(Refusal::FunctionExists { name }.into());
        }
        let kept = self.keep(code).await?;
        if let Some(package) = kept.code().package() {
            self.layers.check_size(package, &held.uses).await?;
        }
        let settings = Settings { tags: new.tags.clone(), ..Settings::default() };
        let latest = Arc::new(new.with(kept.code(), self.new_revision(), self.clock.now()));
        let record = Record { latest: latest.clone(), aliases: Arc::default(), settings: Arc::new(settings) };
        let mut entry = Entry::new(record, []);
        let created = if publish { versions::publish(&mut entry, None, self.new_revision()) } else { latest };
        let functions = self.clone();
        whole("creating a function", async move {
            let _kept = (kept, held);
            let change = functions.catalog.change().await;
            let versions = entry.versions.values().map(|version| version.function.clone()).collect();
            if !functions.records.insert(entry.record(), versions).await? {
                return Err(Refusal::FunctionExists { name }.into());
            }
            change.put(entry);
            drop(change);
            functions.settle_later(name);
            Ok(created)
        })
        .await
    }

    /// GetFunction and GetFunctionConfiguration: one version, and what belongs to the function as a whole.
    ///
    /// # Errors
    /// There is none of that name or qualifier.
    pub fn get_function(
        &self,
        caller: &Caller,
        action: Action,
        target: &Target,
    ) -> Result<(Arc<Function>, Arc<Settings>), Error> {
        access::check(&self.home, caller, action, &target.arn)?;
        let (entry, version) = resolve::function(&self.catalog, target)?;
        Ok((version.function, entry.settings.clone()))
    }

    /// The zip of the code of one of a function's versions.
    ///
    /// # Errors
    /// There is no such function, or its code is another by now.
    pub async fn code(&self, caller: &Caller, target: &Target, digest: Digest) -> Result<Bytes, Error> {
        access::check(&self.home, caller, Action::GetFunction, &target.arn)?;
        let (entry, _) = resolve::function(&self.catalog, target)?;
        let gone = || Error::from(Refusal::FunctionNotFound { arn: target.as_invoked() });
        if !entry
            .all_versions()
            .any(|version| version.function.code.package().is_some_and(|package| package.digest == digest))
        {
            return Err(gone());
        }
        self.packages.zip(digest).await?.ok_or_else(gone)
    }

    /// ListFunctions: what comes behind `after`, by name and version.
    ///
    /// # Errors
    /// The caller may not.
    pub fn list_functions(
        &self,
        caller: &Caller,
        listed: Listed,
        after: Option<&(FunctionName, Version)>,
        items_max: usize,
    ) -> Result<Page<Arc<Function>, (FunctionName, Version)>, Error> {
        access::check_account(caller, Action::ListFunctions)?;
        let entries = self.catalog.all();
        let from = after.map_or(Bound::Unbounded, |(name, _)| Bound::Included(name));
        let found = entries.range::<FunctionName, _>((from, Bound::Unbounded)).flat_map(|(name, entry)| {
            let versions = entry.all_versions().take(if listed == Listed::Latest { 1 } else { usize::MAX });
            let behind = move |version: &&Deployed| {
                after.is_none_or(|(last, number)| last != name || version.function.version > *number)
            };
            versions.filter(behind).map(|version| version.function.clone())
        });
        Ok(Page::of(found, items_max, |last| (last.arn.name.clone(), last.version)))
    }

    /// UpdateFunctionCode. Where a version is published, that is the answer.
    ///
    /// # Errors
    /// There is no such function, it is being updated, its revision is another, the code is refused.
    pub async fn update_function_code(
        self: &Arc<Self>,
        caller: &Caller,
        target: &Target,
        expected: Option<&str>,
        how: CodeUpdate,
        code: impl Into<CodeSource> + Send,
    ) -> Result<Arc<Function>, Error> {
        access::check(&self.home, caller, Action::UpdateFunctionCode, &target.arn)?;
        let code = code.into();
        target.check_whole()?;
        let (_, current) = resolve::function(&self.catalog, target)?;
        current.function.check_updatable(expected)?;
        current.function.check_package_type(matches!(code, CodeSource::Image(_)))?;
        if matches!(code, CodeSource::Image(_)) {
            self.check_program(&current.function.configuration).await?;
        }
        let kept = self.keep(code).await?;
        let code = kept.code();
        if let Some(package) = code.package() {
            self.layers.check_size(package, &current.function.configuration.layers).await?;
        }
        let change = move |function: &Function| {
            // Another function may have come by that name.
            function.check_package_type(code.image().is_some())?;
            Ok(Change::Code(code))
        };
        self.update(target, expected, how, Some(kept), change).await
    }

    /// UpdateFunctionConfiguration.
    ///
    /// # Errors
    /// There is no such function, it is being updated, its revision is another, a value is refused.
    pub async fn update_function_configuration(
        self: &Arc<Self>,
        caller: &Caller,
        target: &Target,
        edit: Edit,
        expected: Option<&str>,
    ) -> Result<Arc<Function>, Error> {
        access::check(&self.home, caller, Action::UpdateFunctionConfiguration, &target.arn)?;
        target.check_whole()?;
        let (_, Deployed { function: current, .. }) = resolve::function(&self.catalog, target)?;
        current.check_updatable(expected)?;
        let mut next = (edit.settings)(&current.configuration)?;
        next.check()?;
        let mut held = None;
        if let Some(layers) = edit.layers {
            if current.code.image().is_some() && !layers.is_empty() {
                return Err(Refusal::ImageWithRuntime.into());
            }
            let found = self.layers.resolve(caller, &layers).await?;
            next.layers.clone_from(&found.uses);
            if let Some(package) = current.code.package() {
                self.layers.check_size(package, &next.layers).await?;
            }
            held = Some(found);
        }
        if next.runtime() != current.configuration.runtime() {
            self.check_program(&next).await?;
        }
        let based_on = current.revision.to_string();
        // The edit was made on `current`; whoever came in between makes it stale.
        let change = move |function: &Function| {
            if function.revision.to_string() == based_on {
                Ok(Change::Configuration(Box::new(next)))
            } else {
                Err(Refusal::UpdateInProgress { arn: function.arn.to_string() })
            }
        };
        self.update(target, expected, CodeUpdate::default(), held, change).await
    }

    /// DeleteFunction.
    ///
    /// # Errors
    /// There is no such function, or a part of it is meant that cannot be deleted alone.
    pub async fn delete_function(self: &Arc<Self>, caller: &Caller, target: &Target) -> Result<(), Error> {
        access::check(&self.home, caller, Action::DeleteFunction, &target.arn)?;
        // The text never names a version (recorded: test_delete_on_nonexisting_version).
        let arn = target.arn.clone();
        let unknown = move || Refusal::FunctionNotFound { arn: arn.to_string() };
        match &target.qualifier {
            Some(Qualifier::Latest) => return Err(Refusal::LatestCannotBeDeleted.into()),
            // Whether or not there is such a function (recorded:
            // test_function_name_and_qualifier_validation[function_name_and_qualifier_too_long-delete_function]).
            Some(alias) if alias.is_alias_name() => return Err(Refusal::AliasCannotBeDeleted.into()),
            _ => {}
        }
        let (functions, target) = (self.clone(), target.clone());
        whole("deleting a function", async move {
            let name = &target.arn.name;
            let change = functions.catalog.change().await;
            let entry = functions.catalog.get(name).ok_or_else(&unknown)?;
            match &target.qualifier {
                None => {}
                Some(Qualifier::Version(number)) => {
                    return match versions::without(&entry, *number)? {
                        Some(next) => Ok(functions.write(&change, &entry, next).await?),
                        // One that is not there is as good as deleted (recorded: test_delete_on_nonexisting_version).
                        None => Ok(()),
                    };
                }
                Some(_) => return Err(unknown().into()),
            }
            if !functions.records.remove(name.clone(), entry.latest.function.revision).await? {
                return Err(unknown().into());
            }
            entry.all_versions().for_each(|version| functions.remember(&version.serving));
            change.remove(name);
            Ok(())
        })
        .await
    }

    /// Removes the code that no function has and nothing runs any more.
    ///
    /// # Errors
    /// The disk failed.
    pub async fn sweep_packages(&self) -> Result<(), Fault> {
        let removal = {
            // Held, so that no function appears with code that is about to go; no longer than that.
            let _change = self.catalog.change().await;
            let of_packages = self.packages.retain(self.used_packages()).await?;
            (of_packages, self.images.retain_images(self.used_images()).await?)
        };
        removal.0.await?;
        removal.1.await
    }

    fn used_images(&self) -> Vec<Digest> {
        let image = |function: &Function| function.code.image().map(|image| image.digest);
        let entries = self.catalog.all();
        let versions = entries.values().flat_map(|entry| entry.all_versions());
        let mut used: Vec<Digest> = versions
            .flat_map(|version| [image(&version.function), image(&version.serving.function)])
            .flatten()
            .collect();
        let retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        used.extend(retired.iter().filter_map(Weak::upgrade).filter_map(|serving| image(&serving.function)));
        used
    }

    /// Keeps code: a zip whole, of an image what it takes to know it.
    async fn keep(&self, code: CodeSource) -> Result<KeptCode, Error> {
        Ok(match code {
            CodeSource::Package(source) => KeptCode::Package(self.packages.keep(self.layers.zip(source).await?).await?),
            CodeSource::Image(uri) => KeptCode::Image(self.images.resolve(uri).await?),
        })
    }

    fn used_packages(&self) -> Vec<Digest> {
        let mut used: Vec<Digest> = self.layers.used_packages();
        for version in self.catalog.all().values().flat_map(|entry| entry.all_versions()) {
            used.extend(packages_of(&version.function).chain(packages_of(&version.serving.function)));
        }
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        retired.retain(|serving| match serving.upgrade() {
            Some(serving) => {
                used.extend(packages_of(&serving.function));
                true
            }
            None => false,
        });
        used
    }

    async fn check_program(&self, configuration: &Configuration) -> Result<(), Refusal> {
        match configuration.program {
            Program::Runtime { runtime, .. } => {
                let missing = |remedy| Refusal::MissingRuntime { value: runtime.to_string(), remedy };
                self.sandbox.supports(runtime).await.map_err(missing)
            }
            Program::Image(_) => self.images.supported().map_err(|why| Refusal::ImagesNotHere { why }),
        }
    }

    async fn update(
        self: &Arc<Self>,
        target: &Target,
        expected: Option<&str>,
        CodeUpdate { dry_run, publish }: CodeUpdate,
        // New code and layers are held until the record that names them is written.
        kept: impl Send + 'static,
        decide: impl FnOnce(&Function) -> Result<Change, Refusal> + Send + 'static,
    ) -> Result<Arc<Function>, Error> {
        let (functions, target, expected) = (self.clone(), target.clone(), expected.map(str::to_owned));
        whole("updating a function", async move {
            let _kept = kept;
            let change = functions.catalog.change().await;
            let (entry, current) = resolve::function(&functions.catalog, &target)?;
            let current = &current.function;
            current.check_updatable(expected.as_deref())?;
            let updated = current.updated(decide(current)?, functions.new_revision(), functions.clock.now());
            let updated = Arc::new(updated);
            if dry_run {
                return Ok(updated);
            }
            let mut next = Entry { latest: entry.latest.shown_as(updated.clone()), ..Entry::clone(&entry) };
            let answer = if publish { versions::publish(&mut next, None, functions.new_revision()) } else { updated };
            functions.write(&change, &entry, next).await?;
            drop(change);
            functions.settle_later(target.arn.name);
            Ok(answer)
        })
        .await
    }

    /// Changes a function that is there in one step: `edit` judges it and makes the next state and the answer.
    /// `absent` is the answer where it is not.
    async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        name: &FunctionName,
        absent: Refusal,
        edit: impl FnOnce(&Self, &Entry) -> Result<(Option<Entry>, T), Refusal> + Send + 'static,
    ) -> Result<T, Error> {
        let (functions, name) = (self.clone(), name.clone());
        whole("changing a function", async move {
            let change = functions.catalog.change().await;
            let entry = functions.catalog.get(&name).ok_or(absent)?;
            let (next, answer) = edit(&functions, &entry)?;
            if let Some(next) = next {
                functions.write(&change, &entry, next).await?;
            }
            Ok(answer)
        })
        .await
    }

    /// Ends what is under way on a function: creation or an update. From then on its new state is served.
    fn settle_later(self: &Arc<Self>, name: FunctionName) {
        let functions = self.clone();
        let work = async move {
            let mut pause = SETTLE_PAUSE_MIN;
            while let Err(fault) = functions.settle(&name).await {
                tracing::error!(
                    function = %name,
                    "cannot activate the function, trying again in {} s: {}", pause.as_secs(), fault.chain()
                );
                functions.clock.wake_at(functions.clock.elapsed() + pause).await;
                pause = (pause * 2).min(SETTLE_PAUSE_MAX);
            }
        };
        tasks::spawn("activating a function", work).detach();
    }

    async fn settle(&self, name: &FunctionName) -> Result<(), Fault> {
        let mut pulled: HashMap<Digest, Result<(), Failing>> = HashMap::new();
        loop {
            let change = self.catalog.change().await;
            let Some(entry) = self.catalog.get(name) else { return Ok(()) };
            if !entry.all_versions().any(|version| version.function.is_settling()) {
                return Ok(());
            }
            if let Some(image) = first_unpulled(&entry, &pulled) {
                // It may take minutes, in which other functions change; this one is looked at again.
                drop(change);
                pulled.insert(image.digest, self.pull(&image).await?);
                continue;
            }
            let mut next = Entry::clone(&entry);
            if next.latest.function.is_settling() {
                next.latest = self.settled(&next.latest, &pulled, true);
            }
            for version in next.versions.values_mut().filter(|version| version.function.is_settling()) {
                *version = self.settled(version, &pulled, false);
            }
            return self.write(&change, &entry, next).await;
        }
    }

    /// A version whose work is done. `is_latest`: what was updated is served by new environments.
    fn settled(&self, version: &Deployed, pulled: &HashMap<Digest, Result<(), Failing>>, is_latest: bool) -> Deployed {
        let Deployed { function, serving } = version;
        let failing = pulled.get(&function.code.digest()).and_then(|pulled| pulled.as_ref().err());
        let Some(failing) = failing else {
            let settled = Arc::new(function.settled(self.new_revision()));
            return if is_latest { Deployed::new(settled) } else { version.shown_as(settled) };
        };
        // After a restart what is served is what was to be.
        let before = Some(&*serving.function).filter(|before| before.code != function.code);
        let failed = Arc::new(function.failed(failing.clone(), before, self.new_revision()));
        match before {
            Some(_) => version.shown_as(failed),
            None => Deployed::new(failed),
        }
    }

    /// Brings an image here. That it cannot be had is the function's failure; that our disk fails is not.
    async fn pull(&self, image: &Image) -> Result<Result<(), Failing>, Fault> {
        match self.images.pull(image.clone()).await {
            Ok(()) => Ok(Ok(())),
            Err(Error::Refused(Refusal::Image { problem, why, .. })) => {
                tracing::warn!(image = %image.uri, "the image is refused: {why}");
                Ok(Err(Failing { problem, reason: why }))
            }
            Err(Error::Refused(other)) => Err(Fault::bare(format!("pulling the image {}: {other:?}", image.uri))),
            Err(Error::Fault(fault)) => Err(fault),
        }
    }

    /// Writes the next state of a function, then shows it.
    async fn write(&self, change: &catalog::Change<'_>, entry: &Entry, next: Entry) -> Result<(), Fault> {
        let latest = &entry.latest.function;
        if !self.records.replace(latest.revision, next.record(), versions::changes(entry, &next)).await? {
            return Err(Fault::bare(format!("the record of {} is not what memory shows", latest.arn)));
        }
        for old in entry.all_versions() {
            let now = next.version(old.function.version);
            if now.is_none_or(|now| !Arc::ptr_eq(&now.serving, &old.serving)) {
                self.remember(&old.serving);
            }
        }
        change.put(next);
        Ok(())
    }

    fn remember(&self, serving: &Arc<Serving>) {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(serving));
    }

    fn new_revision(&self) -> RevisionId {
        RevisionId(self.dice.uuid())
    }
}

/// The function with other settings. With another network it gets other environments.
fn with_settings(entry: &Entry, settings: Settings) -> Entry {
    let mut next = Entry { settings: Arc::new(settings), ..entry.clone() };
    if network::of_tags(&next.settings.tags) != network::of_tags(&entry.settings.tags) {
        for version in std::iter::once(&mut next.latest).chain(next.versions.values_mut()) {
            version.serving = Serving::new(version.serving.function.clone());
        }
    }
    next
}

/// An image that a version waits for and that nobody has tried to pull.
fn first_unpulled(entry: &Entry, pulled: &HashMap<Digest, Result<(), Failing>>) -> Option<Image> {
    let settling = entry.all_versions().filter(|version| version.function.is_settling());
    let mut images = settling.filter_map(|version| version.function.code.image());
    images.find(|image| !pulled.contains_key(&image.digest)).cloned()
}

/// The zips that a function is made of: its code and its layers.
fn packages_of(function: &Function) -> impl Iterator<Item = Digest> {
    let layers = function.configuration.layers.iter().map(|layer| layer.package.digest);
    function.code.package().map(|package| package.digest).into_iter().chain(layers)
}

/// Code that stays until the record that names it is written.
enum KeptCode {
    Package(Kept),
    Image(HeldImage),
}

impl KeptCode {
    fn code(&self) -> Code {
        match self {
            Self::Package(kept) => Code::Package(kept.package),
            Self::Image(held) => Code::Image(held.image.clone()),
        }
    }
}

/// Makes a change as a task of its own, which ends as a whole whether or not the caller stays: what is on disk is then
/// what is shown.
async fn whole<T: Send + 'static>(
    doing: &'static str,
    change: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    tasks::spawn(doing, change).result().await?
}
