//! `lambd up`: every function below a folder deployed, and again when its files change.
//!
//! It does what a client would do, through the same use cases. One deployment of a folder is under way at a time; what
//! changes meanwhile is seen by the next look. A function goes only when its folder is known to be gone.

mod build;
mod files;
mod folder;
mod package;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use bytes::Bytes;
use domain::arn::{Home, Target};
use domain::function::{Configuration, Function, NewFunction};
use domain::limits;
use domain::names::FunctionName;
use domain::runtime::Runtime;
use domain::variables::Variables;
use engine::access::{Action, Caller};
use engine::functions::{CodeUpdate, Edit, Functions, Listed};
use engine::ports::{Clock, Sandbox};
use engine::tasks;
use tokio::sync::{Notify, Semaphore};

use self::files::{Files, Written};
use self::folder::{Folder, Found, Unclear, Wanted};

/// Marks a function as ours, with the folder that it came from.
const TAG: &str = "lambd:folder";
/// How often a deployment looks whether the one before has come to its end.
const SETTLE_POLL: Duration = Duration::from_millis(5);
/// How often folders are looked at where changes are not told.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Builds at the same time: most use the whole machine, and one that hangs may not hold up all others.
const BUILDS_MAX: usize = 4;

/// Deploys the functions below one folder.
pub(crate) struct Up {
    root: PathBuf,
    /// Without links in its path.
    data_dir: PathBuf,
    home: Home,
    endpoint: String,
    functions: Arc<Functions>,
    sandbox: Arc<dyn Sandbox>,
    clock: Arc<dyn Clock>,
    /// Each folder that is, or was to be, a function.
    places: Mutex<BTreeMap<PathBuf, Place>>,
    /// What cannot be read, as it was last told.
    unreadable: Mutex<Vec<Unclear>>,
    building: Semaphore,
    /// Something may be different.
    changed: Arc<Notify>,
}

/// What is known of one folder.
#[derive(Default)]
struct Place {
    /// What was there when it was last deployed, or tried.
    seen: Option<(Result<Folder, Unclear>, Files)>,
    /// Whether that is under way; told to, it stops.
    deploying: Option<Arc<Notify>>,
    written: Written,
    /// Whether the commands have been printed.
    is_presented: bool,
}

/// What became of a folder.
enum Deployed {
    Created(Arc<Function>),
    Updated(Arc<Function>),
    Unchanged(Arc<Function>),
}

impl Up {
    pub(crate) fn new(
        (root, data_dir): (PathBuf, &Path),
        (home, endpoint): (Home, String),
        functions: Arc<Functions>,
        (sandbox, clock): (Arc<dyn Sandbox>, Arc<dyn Clock>),
    ) -> Arc<Self> {
        Arc::new(Self {
            root,
            data_dir: data_dir.canonicalize().unwrap_or_else(|_| data_dir.to_owned()),
            home,
            endpoint,
            functions,
            sandbox,
            clock,
            places: Mutex::default(),
            unreadable: Mutex::default(),
            building: Semaphore::new(BUILDS_MAX),
            changed: Arc::default(),
        })
    }

    /// Deploys what is there, and again what changes, for ever.
    pub(crate) async fn run(self: Arc<Self>) {
        let watcher = watch::below(&self.root, &self.data_dir, self.changed.clone());
        if let Err(error) = &watcher {
            say(&format!(
                "changes are not told ({error:#}); looking for them every {} s (inotify's limits are in /proc/sys/fs/inotify)",
                LOOK_EVERY.as_secs()
            ));
        }
        let identity = identity(&self.root);
        if !self.clone().look(identity).await {
            say(&format!(
                "no function is below {} yet: one is a folder with a lambd.toml, an executable bootstrap, or a Python or \
                 JavaScript file that has a handler",
                self.root.display()
            ));
        }
        loop {
            match &watcher {
                Ok(_) => self.changed.notified().await,
                Err(_) => self.clock.wake_at(self.clock.elapsed() + LOOK_EVERY).await,
            }
            self.clone().look(identity).await;
        }
    }

    /// Looks at every folder once and deploys those that are not what was last deployed; tells whether there may be any.
    async fn look(self: Arc<Self>, root: Option<(u64, u64)>) -> bool {
        let up = self.clone();
        let looked = tasks::off_thread("looking for functions", move || {
            let found = folder::find(&up.root, &up.data_dir);
            let files = found.folders.iter().map(|found| match found {
                Ok(folder) => up.files(folder),
                Err(_) => Files::new(),
            });
            let files: Vec<Files> = files.collect();
            (found, files)
        });
        let Ok((mut found, files)) = looked.await else { return true };
        if identity(&self.root) != root {
            // Unmounted, moved away, or put there anew: what is missing in it says nothing.
            let why = "it is not the folder that it was; start `lambd up` again to deploy from it".to_owned();
            found = Found { folders: Vec::new(), unreadable: vec![Unclear { path: self.root.clone(), why }] };
        }
        self.tell_unreadable(&found.unreadable);
        if found.unreadable.iter().any(|unreadable| unreadable.path == self.root) {
            return true;
        }
        self.leave_out_namesakes(&mut found);
        self.delete_missing(&found).await;
        let still_there: BTreeSet<PathBuf> = found.folders.iter().map(|found| path_of(found).to_owned()).collect();
        for (found, files) in found.folders.into_iter().zip(files) {
            self.clone().deploy_if_changed(found, files);
        }
        self.places().retain(|path, place| {
            let is_gone = !still_there.contains(path);
            if let Some(stop) = place.deploying.as_ref().filter(|_| is_gone) {
                stop.notify_one();
            }
            !is_gone || place.deploying.is_some()
        });
        !still_there.is_empty()
    }

    fn files(&self, folder: &Folder) -> Files {
        files::look(&folder.path, folder.description.build.is_some(), &self.data_dir)
    }

    fn tell_unreadable(&self, unreadable: &[Unclear]) {
        let mut told = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        for Unclear { path, why } in unreadable.iter().filter(|one| !told.contains(one)) {
            say(&format!("{}: {why}; functions from there stay as they are", path.display()));
        }
        *told = unreadable.to_vec();
    }

    /// Of several folders that want one name, the one from which the function was deployed keeps it, else the first.
    fn leave_out_namesakes(&self, found: &mut Found) {
        let mut owners: BTreeMap<FunctionName, PathBuf> = BTreeMap::new();
        for folder in found.folders.iter().flatten() {
            let owner = owners.entry(folder.name.clone()).or_insert_with(|| folder.path.clone());
            let deployed = self.current(&folder.name);
            if deployed.is_some_and(|(_, mark)| mark == Some(self.mark(&folder.path))) {
                owner.clone_from(&folder.path);
            }
        }
        for found in &mut found.folders {
            let Ok(folder) = found else { continue };
            let owner = &owners[&folder.name];
            if *owner != folder.path {
                let why = format!("{} has the same name, {}", owner.display(), folder.name);
                *found = Err(Unclear { path: folder.path.clone(), why });
            }
        }
    }

    /// Deletes the functions that were deployed from folders that are gone, or have another name by now.
    async fn delete_missing(&self, found: &Found) {
        let wanted: BTreeSet<&FunctionName> = found.folders.iter().flatten().map(|folder| &folder.name).collect();
        // A mistake in a folder takes nothing away.
        let unclear: BTreeSet<String> =
            found.folders.iter().filter_map(|found| Some(self.mark(&found.as_ref().err()?.path))).collect();
        let busy: BTreeSet<FunctionName> = self.places().values().filter_map(Place::busy_with).collect();
        for (function, mark) in self.deployed() {
            let name = &function.arn.name;
            let is_out_of_sight =
                found.unreadable.iter().any(|unreadable| self.root.join(&mark).starts_with(&unreadable.path));
            // Whoever is busy has this looked at again in the end.
            if wanted.contains(name) || unclear.contains(&mark) || is_out_of_sight || busy.contains(name) {
                continue;
            }
            self.settle(name).await;
            let target = Target { arn: function.arn.clone(), qualifier: None };
            match self.functions.delete_function(&Caller::Anyone, &target).await {
                Ok(()) => say(&format!("{name} is deleted: no folder is this function any more (it was {mark})")),
                Err(error) => say(&format!("{name} cannot be deleted: {}", wire::explain(error))),
            }
        }
    }

    /// What the tag says of a folder: its place below the root.
    fn mark(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        if below.as_os_str().is_empty() { ".".to_owned() } else { below.display().to_string() }
    }

    fn deploy_if_changed(self: Arc<Self>, found: Result<Folder, Unclear>, files: Files) {
        let mut places = self.places();
        let place = places.entry(path_of(&found).to_owned()).or_default();
        if let Some(stop) = &place.deploying {
            // Its end brings the next look. A build whose description has changed is not worth waiting for.
            if place.seen.as_ref().is_some_and(|(seen, _)| *seen != found) {
                stop.notify_one();
            }
            return;
        }
        let now = (found, files);
        if place.seen.as_ref() == Some(&now) {
            return;
        }
        let is_said = place.seen.as_ref().is_some_and(|(seen, _)| *seen == now.0);
        let found = now.0.clone();
        place.seen = Some(now);
        match found {
            Ok(folder) => {
                let stop = Arc::new(Notify::new());
                place.deploying = Some(stop.clone());
                let up = self.clone();
                tasks::spawn("deploying a function", async move { up.deploy_and_tell(folder, stop).await }).detach();
            }
            Err(unclear) if !is_said => {
                drop(places);
                let mark = self.mark(&unclear.path);
                let is_served = self.deployed().iter().any(|(_, deployed)| *deployed == mark);
                say(&refused(&unclear.path, is_served, &unclear.why));
            }
            Err(_) => {}
        }
    }

    /// The functions that `up` deployed, each with the mark of its folder.
    fn deployed(&self) -> Vec<(Arc<Function>, String)> {
        let all = self.functions.list_functions(&Caller::Anyone, Listed::Latest, None, usize::MAX);
        let functions = all.map(|page| page.items).unwrap_or_default();
        let marked = functions.into_iter().filter_map(|function| self.current(&function.arn.name));
        marked.filter_map(|(function, mark)| Some((function, mark?))).collect()
    }

    async fn deploy_and_tell(self: Arc<Self>, folder: Folder, stop: Arc<Notify>) {
        let begun = self.clock.elapsed();
        let is_presented = match self.deploy(&folder, &stop).await {
            // The folder says something else by now: the next look deploys that.
            Ok(None) => false,
            Ok(Some(deployed)) => {
                self.tell(&folder, &deployed, begun);
                true
            }
            Err(error) => {
                let mark = self.mark(&folder.path);
                let is_served =
                    self.current(&folder.name).is_some_and(|(_, deployed)| deployed.as_ref() == Some(&mark));
                say(&refused(&folder.path, is_served, &format!("{error:#}")));
                false
            }
        };
        if let Some(place) = self.places().get_mut(&folder.path) {
            place.deploying = None;
            place.is_presented |= is_presented;
        }
        self.changed.notify_one();
    }

    fn tell(&self, folder: &Folder, deployed: &Deployed, begun: Duration) {
        let is_presented = self.places().get(&folder.path).is_some_and(|place| place.is_presented);
        let (Deployed::Created(function) | Deployed::Updated(function) | Deployed::Unchanged(function)) = deployed;
        let runtime = function.configuration.runtime();
        let shown = format!("{} ({})", folder.name, runtime.map_or("an image", Runtime::identifier));
        if !is_presented {
            say(&format!("{shown} is ready, from {}", folder.path.display()));
            return self.print_commands(folder);
        }
        let took = self.clock.elapsed().saturating_sub(begun).as_millis();
        say(&match deployed {
            Deployed::Unchanged(_) => format!("{shown} is unchanged"),
            Deployed::Created(_) | Deployed::Updated(_) => format!("{shown} is updated, in {took} ms"),
        });
    }

    /// Builds, packs and deploys a folder; `None` if it was told to stop before the build came to its end.
    async fn deploy(self: &Arc<Self>, folder: &Folder, stop: &Notify) -> Result<Option<Deployed>> {
        let runtime = self.runtime(&folder.runtime).await?;
        let configuration = self.configuration(folder, runtime)?;
        if let Some(build) = &folder.description.build {
            let built = tokio::select! {
                biased;
                () = stop.notified() => return Ok(None),
                built = self.build(folder, build) => built,
            };
            built?;
        }
        let (up, packed) = (self.clone(), folder.clone());
        let zip = tasks::off_thread("packing a function", move || package::zip(&packed, &up.data_dir))
            .await
            .map_err(|fault| anyhow::anyhow!(fault.chain()))??;
        self.put(folder, configuration, zip.into()).await.map(Some)
    }

    /// Makes the function what the folder says.
    async fn put(&self, folder: &Folder, configuration: Configuration, zip: Bytes) -> Result<Deployed> {
        let (name, mark) = (&folder.name, self.mark(&folder.path));
        self.settle(name).await;
        let target = Target { arn: self.home.function_arn(name), qualifier: None };
        let told = |error| anyhow::anyhow!(wire::explain(error));
        let mut current = self.current(name);
        match &current {
            Some((_, None)) => {
                bail!(
                    "a function called {name} exists that `up` did not deploy; delete it or give this one another name"
                )
            }
            // Its folder was moved: made anew, it says so.
            Some((_, Some(other))) if *other != mark => {
                self.functions.delete_function(&Caller::Anyone, &target).await.map_err(told)?;
                current = None;
            }
            _ => {}
        }
        let Some((current, _)) = current else {
            let new = NewFunction { arn: target.arn, configuration, tags: vec![(TAG.to_owned(), mark)] };
            let created = self.functions.create_function(&Caller::Anyone, new, zip, false).await.map_err(told)?;
            self.settle(name).await;
            return Ok(Deployed::Created(created));
        };
        let try_only = CodeUpdate { dry_run: true, publish: false };
        let tried = self
            .functions
            .update_function_code(&Caller::Anyone, &target, None, try_only, zip.clone())
            .await
            .map_err(told)?;
        let mut deployed = Deployed::Unchanged(current.clone());
        if tried.code != current.code {
            let how = CodeUpdate::default();
            let updated =
                self.functions.update_function_code(&Caller::Anyone, &target, None, how, zip).await.map_err(told)?;
            self.settle(name).await;
            deployed = Deployed::Updated(updated);
        }
        if configuration != current.configuration {
            let edit = Edit::of_settings(move |_: &Configuration| Ok(configuration));
            let updated = self
                .functions
                .update_function_configuration(&Caller::Anyone, &target, edit, None)
                .await
                .map_err(told)?;
            self.settle(name).await;
            deployed = Deployed::Updated(updated);
        }
        Ok(deployed)
    }

    /// The runtime that a folder wants, if this machine has it.
    async fn runtime(&self, wanted: &Wanted) -> Result<Runtime> {
        match wanted {
            Wanted::Exactly(identifier) => {
                let runtime =
                    Runtime::parse(identifier).map_err(|refusal| anyhow::anyhow!(wire::explain(refusal.into())))?;
                self.sandbox.supports(runtime).await.map_err(|remedy| anyhow::anyhow!(remedy))?;
                Ok(runtime)
            }
            Wanted::Newest(family) => {
                let mut runtimes: Vec<Runtime> =
                    Runtime::all().filter(|runtime| runtime.identifier().starts_with(family)).collect();
                runtimes.sort_by_key(|runtime| std::cmp::Reverse(runtime.version_numbers()));
                let mut remedy = format!("there is no {family} runtime");
                for runtime in runtimes {
                    match self.sandbox.supports(runtime).await {
                        Ok(()) => return Ok(runtime),
                        Err(missing) => remedy = missing,
                    }
                }
                bail!(remedy)
            }
        }
    }

    fn configuration(&self, folder: &Folder, runtime: Runtime) -> Result<Configuration> {
        let described = &folder.description;
        let told = |refusal: domain::Refusal| anyhow::anyhow!(wire::explain(refusal.into()));
        let variables = (!described.environment.is_empty())
            .then(|| Variables::new(described.environment.clone().into_iter().collect()))
            .transpose()
            .map_err(told)?;
        let role = format!("arn:{}:iam::{}:role/lambd-up", self.home.partition, self.home.account);
        let mut configuration = Configuration::new(runtime, folder.handler.clone(), role);
        configuration.description = described.description.clone().unwrap_or_default();
        configuration.timeout_seconds = described.timeout.unwrap_or(configuration.timeout_seconds);
        configuration.memory_mb = described.memory.unwrap_or(configuration.memory_mb);
        configuration.variables = variables;
        if configuration.timeout_seconds == 0 || configuration.memory_mb < limits::MEMORY_MB_DEFAULT {
            bail!(
                "timeout takes 1 to {} seconds, memory {} to {} MB",
                limits::TIMEOUT_SECONDS_MAX,
                limits::MEMORY_MB_DEFAULT,
                limits::MEMORY_MB_MAX
            );
        }
        configuration.check().map_err(told)?;
        Ok(configuration)
    }

    /// Runs a folder's own build command, and takes note of what it has written.
    async fn build(self: &Arc<Self>, folder: &Folder, build: &str) -> Result<()> {
        let _room = self.building.acquire().await?;
        say(&format!("{} is being built: {build}", folder.name));
        let built = build::run(build, &folder.path).await;
        let (up, of) = (self.clone(), folder.clone());
        let after = tasks::off_thread("looking at what a build wrote", move || up.files(&of)).await;
        let after = after.map_err(|fault| anyhow::anyhow!(fault.chain()))?;
        if let Some(place) = self.places().get_mut(&folder.path)
            && let Some((_, seen)) = &mut place.seen
        {
            let package: Vec<PathBuf> =
                folder.description.package.iter().flatten().map(|part| folder.path.join(part)).collect();
            *seen = place.written.by_build(seen, after, &package);
        }
        built
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The function as it is, and what it was deployed from, if it was by `up`.
    fn current(&self, name: &FunctionName) -> Option<(Arc<Function>, Option<String>)> {
        let target = Target { arn: self.home.function_arn(name), qualifier: None };
        let (function, settings) = self.functions.get_function(&Caller::Anyone, Action::GetFunction, &target).ok()?;
        let mark = settings.tags.iter().find(|(key, _)| key == TAG).map(|(_, value)| value.clone());
        Some((function, mark))
    }

    /// Waits until no work on a function is under way.
    async fn settle(&self, name: &FunctionName) {
        while self.current(name).is_some_and(|(function, _)| function.is_settling()) {
            self.clock.wake_at(self.clock.elapsed() + SETTLE_POLL).await;
        }
    }

    /// The commands that invoke a function, each a line of its own to be pasted as it stands.
    fn print_commands(&self, folder: &Folder) {
        let event = folder.path.join("event.json");
        let payload = if event.is_file() { format!(" --payload fileb://{}", shell(&event)) } else { String::new() };
        let (endpoint, region, name) = (&self.endpoint, &self.home.region, &folder.name);
        let lambd = shell(&this_program());
        print(&format!(
            "  aws lambda invoke --endpoint-url {endpoint} --region {region} --no-sign-request --function-name {name}{payload} /dev/stdout\n  {lambd} invoke --endpoint-url {endpoint} --function-name {name}{payload}\n"
        ));
    }
}

impl Place {
    /// The function that is being deployed from here.
    fn busy_with(&self) -> Option<FunctionName> {
        let (found, _) = self.seen.as_ref().filter(|_| self.deploying.is_some())?;
        Some(found.as_ref().ok()?.name.clone())
    }
}

fn path_of(found: &Result<Folder, Unclear>) -> &Path {
    match found {
        Ok(folder) => &folder.path,
        Err(unclear) => &unclear.path,
    }
}

/// What tells a folder from another one that is put in its place.
fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|data| (data.dev(), data.ino()))
}

/// What is said of a folder that could not be deployed.
fn refused(path: &Path, is_served: bool, why: &str) -> String {
    let state = if is_served { "stays as it was deployed before" } else { "is left out" };
    format!("{} {state}: {why}", path.display())
}

/// How this program is called from the current folder.
fn this_program() -> PathBuf {
    let Ok(program) = std::env::current_exe() else { return PathBuf::from("lambd") };
    let here = std::env::current_dir().unwrap_or_default();
    match program.strip_prefix(&here) {
        // A name alone would be looked for on PATH.
        Ok(name) if name.components().count() == 1 => Path::new(".").join(name),
        Ok(below) => below.to_owned(),
        Err(_) => program,
    }
}

/// A path as one word for a shell.
fn shell(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@,+".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// One line on standard output.
fn say(text: &str) {
    print(&format!("lambd: {text}\n"));
}

/// Writes in one piece. When standard output is closed there is nobody left to tell.
fn print(text: &str) {
    let mut out = anstream::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
