//! Creating, reading, changing and deleting functions.
//!
//! Never here: a rule that could be a pure function of the domain.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use domain::arn::{Home, Target};
use domain::function::{Change, Configuration, Digest, Function, NewFunction};
use domain::names::{FunctionName, Qualifier, RevisionId};
use domain::{Error, Fault, Refusal};

use crate::access::{self, Action, Caller};
use crate::catalog::{self, Catalog, Entry, Serving};
use crate::contents::{Contents, Source};
use crate::layers::Layers;
use crate::ports::{Clock, Dice, Packages, Records, Sandbox};
use crate::{resolve, tasks};

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
    clock: Arc<dyn Clock>,
    dice: Arc<dyn Dice>,
    /// States of functions that are no longer shown but may still be running: their code must stay.
    retired: Mutex<Vec<Weak<Serving>>>,
}

/// One page of a listing.
#[derive(Debug)]
pub struct Page {
    /// The functions, by name.
    pub functions: Vec<Arc<Function>>,
    /// After which name the next page begins; `None` at the end.
    pub next: Option<FunctionName>,
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
        (records, packages, sandbox): (Arc<dyn Records>, Arc<dyn Packages>, Arc<dyn Sandbox>),
        layers: Arc<Layers>,
        (clock, dice): (Arc<dyn Clock>, Arc<dyn Dice>),
    ) -> Arc<Self> {
        let retired = Mutex::default();
        Arc::new(Self { home, catalog, records, packages, layers, sandbox, clock, dice, retired })
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
        change.fill(functions.into_iter().map(|function| {
            let function = Arc::new(function);
            if function.is_settling() {
                unsettled.push(function.arn.name.clone());
            }
            Entry { serving: Serving::new(function.clone()), function }
        }));
        drop(change);
        for name in unsettled {
            self.settle_later(name);
        }
        Ok(count)
    }

    /// CreateFunction.
    ///
    /// # Errors
    /// The name is taken or too long, the runtime cannot run here, the code is refused.
    pub async fn create_function(
        self: &Arc<Self>,
        caller: &Caller,
        mut new: NewFunction,
        contents: impl Into<Contents> + Send,
    ) -> Result<Arc<Function>, Error> {
        let Contents { code, layers } = contents.into();
        access::check(&self.home, caller, Action::CreateFunction, &new.arn)?;
        let name = new.arn.name.clone();
        if !name.for_creation() {
            return Err(Refusal::FunctionNameTooLong { value: name.to_string() }.into());
        }
        new.check()?;
        let held = self.layers.resolve(caller, &layers).await?;
        new.configuration.layers.clone_from(&held.uses);
        self.check_runtime(&new.configuration).await?;
        if self.catalog.get(&name).is_some() {
            return Err(Refusal::FunctionExists { name }.into());
        }
        let kept = self.packages.keep(self.layers.zip(code).await?).await?;
        self.layers.check_size(kept.package, &held.uses).await?;
        let function = Arc::new(new.with(kept.package, self.new_revision(), self.clock.now()));
        let functions = self.clone();
        whole("creating a function", async move {
            let _kept = (kept, held);
            let change = functions.catalog.change().await;
            if !functions.records.insert(function.clone()).await? {
                return Err(Refusal::FunctionExists { name }.into());
            }
            change.put(Entry { function: function.clone(), serving: Serving::new(function.clone()) });
            drop(change);
            functions.settle_later(name);
            Ok(function)
        })
        .await
    }

    /// GetFunction and GetFunctionConfiguration.
    ///
    /// # Errors
    /// There is none of that name or qualifier.
    pub fn get_function(&self, caller: &Caller, action: Action, target: &Target) -> Result<Arc<Function>, Error> {
        access::check(&self.home, caller, action, &target.arn)?;
        Ok(resolve::function(&self.catalog, target)?.function.clone())
    }

    /// The zip of a function's code.
    ///
    /// # Errors
    /// There is no such function, or its code is another by now.
    pub async fn code(&self, caller: &Caller, target: &Target, digest: Digest) -> Result<Bytes, Error> {
        let function = self.get_function(caller, Action::GetFunction, target)?;
        let gone = || Error::from(Refusal::FunctionNotFound { arn: target.as_invoked() });
        if function.package.digest != digest {
            return Err(gone());
        }
        self.packages.zip(digest).await?.ok_or_else(gone)
    }

    /// ListFunctions: the functions behind `after`, by name.
    ///
    /// # Errors
    /// The caller may not.
    pub fn list_functions(
        &self,
        caller: &Caller,
        after: Option<&FunctionName>,
        items_max: usize,
    ) -> Result<Page, Error> {
        access::check_account(caller, Action::ListFunctions)?;
        let entries = self.catalog.all();
        let from = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let mut behind = entries.range::<FunctionName, _>((from, std::ops::Bound::Unbounded));
        let functions: Vec<Arc<Function>> =
            behind.by_ref().take(items_max).map(|(_, entry)| entry.function.clone()).collect();
        let more = behind.next().is_some();
        let next = functions.last().filter(|_| more).map(|last| last.arn.name.clone());
        Ok(Page { functions, next })
    }

    /// UpdateFunctionCode. With `dry_run` everything is judged and nothing changed.
    ///
    /// # Errors
    /// There is no such function, it is being updated, its revision is another, the code is refused.
    pub async fn update_function_code(
        self: &Arc<Self>,
        caller: &Caller,
        target: &Target,
        code: impl Into<Source> + Send,
        expected: Option<&str>,
        dry_run: bool,
    ) -> Result<Arc<Function>, Error> {
        access::check(&self.home, caller, Action::UpdateFunctionCode, &target.arn)?;
        let current = resolve::function(&self.catalog, target)?.function.clone();
        current.check_updatable(expected)?;
        let code = code.into();
        let kept = self.packages.keep(self.layers.zip(code).await?).await?;
        let package = kept.package;
        self.layers.check_size(package, &current.configuration.layers).await?;
        self.update(target, expected, dry_run, Some(kept), move |_| Ok(Change::Code(package))).await
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
        let current = resolve::function(&self.catalog, target)?.function.clone();
        current.check_updatable(expected)?;
        let mut next = (edit.settings)(&current.configuration)?;
        next.check()?;
        let mut held = None;
        if let Some(layers) = edit.layers {
            let found = self.layers.resolve(caller, &layers).await?;
            next.layers.clone_from(&found.uses);
            self.layers.check_size(current.package, &next.layers).await?;
            held = Some(found);
        }
        if next.runtime != current.configuration.runtime {
            self.check_runtime(&next).await?;
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
        self.update(target, expected, false, held, change).await
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
                // A version that is not there is as good as deleted (recorded: test_delete_on_nonexisting_version).
                Some(Qualifier::Version(_)) => return Ok(()),
                Some(_) => return Err(unknown().into()),
                None => {}
            }
            if !functions.records.remove(name.clone(), entry.function.revision).await? {
                return Err(unknown().into());
            }
            functions.remember(&entry.serving);
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
            self.packages.retain(self.used_packages()).await?
        };
        removal.await
    }

    fn used_packages(&self) -> Vec<Digest> {
        let mut used: Vec<Digest> = self.layers.used_packages();
        for entry in self.catalog.all().values() {
            used.extend(packages_of(&entry.function).chain(packages_of(&entry.serving.function)));
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

    async fn check_runtime(&self, configuration: &Configuration) -> Result<(), Refusal> {
        let runtime = configuration.runtime;
        let missing = |remedy| Refusal::MissingRuntime { value: runtime.to_string(), remedy };
        self.sandbox.supports(runtime).await.map_err(missing)
    }

    async fn update(
        self: &Arc<Self>,
        target: &Target,
        expected: Option<&str>,
        dry_run: bool,
        // New code and layers are held until the record that names them is written.
        kept: impl Send + 'static,
        decide: impl FnOnce(&Function) -> Result<Change, Refusal> + Send + 'static,
    ) -> Result<Arc<Function>, Error> {
        let (functions, target, expected) = (self.clone(), target.clone(), expected.map(str::to_owned));
        whole("updating a function", async move {
            let _kept = kept;
            let change = functions.catalog.change().await;
            let entry = resolve::function(&functions.catalog, &target)?;
            let current = &entry.function;
            current.check_updatable(expected.as_deref())?;
            let next = current.updated(decide(current)?, functions.new_revision(), functions.clock.now());
            let next = Arc::new(next);
            if dry_run {
                return Ok(next);
            }
            functions.replace(&change, &entry, next.clone(), entry.serving.clone()).await?;
            drop(change);
            functions.settle_later(target.arn.name);
            Ok(next)
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
        let change = self.catalog.change().await;
        let Some(entry) = self.catalog.get(name).filter(|entry| entry.function.is_settling()) else { return Ok(()) };
        let settled = Arc::new(entry.function.settled(self.new_revision()));
        self.replace(&change, &entry, settled.clone(), Serving::new(settled)).await
    }

    /// Writes the next state of a function, then shows it.
    async fn replace(
        &self,
        change: &catalog::Change<'_>,
        entry: &Entry,
        function: Arc<Function>,
        serving: Arc<Serving>,
    ) -> Result<(), Fault> {
        if !self.records.replace(entry.function.revision, function.clone()).await? {
            return Err(Fault::bare(format!("the record of {} is not what memory shows", entry.function.arn)));
        }
        if !Arc::ptr_eq(&entry.serving, &serving) {
            self.remember(&entry.serving);
        }
        change.put(Entry { function, serving });
        Ok(())
    }

    fn remember(&self, serving: &Arc<Serving>) {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(serving));
    }

    fn new_revision(&self) -> RevisionId {
        RevisionId(self.dice.uuid())
    }
}

/// What a function is made of: its code and its layers.
fn packages_of(function: &Function) -> impl Iterator<Item = Digest> {
    let layers = function.configuration.layers.iter().map(|layer| layer.package.digest);
    std::iter::once(function.package.digest).chain(layers)
}

/// Makes a change as a task of its own, which ends as a whole whether or not the caller stays: what is on disk is then
/// what is shown.
async fn whole<T: Send + 'static>(
    doing: &'static str,
    change: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    tasks::spawn(doing, change).result().await?
}
