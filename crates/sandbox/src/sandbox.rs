//! The sandbox of this machine: it knows the runtimes, keeps a spawner running, and starts environments.
//!
//! Never here: the life of one environment.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, MutexGuard, OnceLock, PoisonError, Weak};

use domain::function::Digest;
use domain::image::Image;
use domain::network::Network;
use domain::runtime::{Family, Runtime};
use domain::{Error, Fault};
use engine::ports::{self, Clock, EnvironmentSpec, HeldImage, Output, Removal, Wait};
use engine::tasks::{self, Task};
use tokio::sync::{Mutex, OnceCell};

use crate::allocator::GiveBack;
use crate::cgroups::{Cgroups, Features};
use crate::environment::{Environment, STOP_LIMIT};
use crate::folders::{self, Folders, FoldersError};
use crate::freeze::Freezer;
use crate::images::Images;
use crate::launcher::client::{LaunchError, Spawner};
use crate::launcher::protocol::{Configuration, Hello, Refused};
use crate::layers::Merging;
use crate::memory::MachineMemory;
use crate::networking::{self, Networking};
use crate::report::{self, FoundRuntime, Report};
use crate::runtimes::{Runtimes, Search, Version};
use crate::settings::{Isolation, Settings};
use crate::stems::StemKind;
use crate::stock::nursery::Nursery;
use crate::stock::{Stock, StockCounts};
use crate::storage::Storage;

/// Why the sandbox cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// More isolation is asked for than there is.
    #[error("isolation: {asked} was asked for ({flag}), {to_be_had} is what can be had: {reason}; {remedy}")]
    Isolation {
        /// Which setting asks.
        flag: &'static str,
        /// What it asks for.
        asked: Isolation,
        /// The best there is.
        to_be_had: Isolation,
        /// Why no better.
        reason: String,
        /// What to do about it.
        remedy: String,
    },
    /// Two settings that exclude one another.
    #[error("--isolation {asked} is below --isolation-min {least}; to accept it, add --isolation-min {asked}")]
    BelowMinimum {
        /// What is asked for.
        asked: Isolation,
        /// What is the least.
        least: Isolation,
    },
    /// A port of the host that environments cannot have.
    #[error("--endpoint and --host-port: {why}")]
    Doors {
        /// Why not.
        why: String,
    },
    /// The data folder.
    #[error(transparent)]
    Folders(#[from] FoldersError),
    /// The spawner.
    #[error("start the process that starts functions")]
    Spawner {
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The first of the users of the host that stand for those of functions: above all that people and their containers
/// use by custom, below the numbers that are negative to some programs.
const FIRST_USER: u32 = 0x7000_0000;

/// The memory of functions that ask for no other (AWS Lambda API reference, CreateFunction, `MemorySize`).
const MEMORY_MB_USUAL: u32 = 128;

/// See the module.
pub struct Linux {
    shared: Arc<Shared>,
}

/// Answers who comes to a listening socket, until it is ended.
pub type Visitors = Arc<dyn Fn(tokio::net::TcpListener) -> Task<()> + Send + Sync>;

/// Environments that wait ahead of use.
enum Prestart {
    NotYet,
    Runs(Arc<Stock<Nursery>>),
    /// They are not wanted or cannot be, or the sandbox is stopped.
    Never,
}

/// What all environments share.
pub(crate) struct Shared {
    pub settings: Settings,
    pub clock: Arc<dyn Clock>,
    pub folders: Folders,
    pub images: Images,
    /// The level that functions run at.
    pub level: Isolation,
    pub runtimes: Runtimes,
    pub merging: Merging,
    /// Whether the kernel has refused to lay folders over one another.
    pub overlay_refused: AtomicBool,
    pub freezer: Arc<Freezer>,
    pub networking: Networking,
    /// The engine's port, at which functions that have a network of their own find it, too, and who answers there.
    pub inside: OnceLock<(u16, Visitors)>,
    /// Where limits are to be had; `None` when the sandbox is stopped, too.
    cgroups: std::sync::Mutex<Option<Arc<Cgroups>>>,
    /// Disks for `/tmp`, once they have been looked for; `None` where there are none.
    storage: OnceCell<Option<Arc<Storage>>>,
    /// How many groups were made.
    pub groups: AtomicU64,
    /// What can be limited.
    limited: Option<Features>,
    spawner: Mutex<Arc<Spawner>>,
    /// All that live, and some that do no more; `None` when the sandbox is stopped.
    environments: std::sync::Mutex<Option<Vec<Weak<Environment>>>>,
    pub memory: MachineMemory,
    /// What ended environments have left.
    pub give_back: GiveBack,
    stock: std::sync::Mutex<Prestart>,
}

impl Linux {
    /// Checks that the isolation asked for is there, puts aside what an earlier engine left, starts the spawner, and
    /// begins to look for interpreters.
    pub async fn start(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        if let Some(asked) = settings.isolation.filter(|asked| *asked < settings.isolation_min) {
            return Err(OpenError::BelowMinimum { asked, least: settings.isolation_min });
        }
        let folders = Folders::open(&settings.data_dir)?;
        let images = Images::open(&settings.data_dir, clock.clone());
        let images = images.map_err(|source| FoldersError::Step { path: settings.data_dir.join("images"), source })?;
        let swept = images.sweep();
        tasks::spawn("removing what was left of images", async move {
            if let Err(fault) = swept.await {
                tracing::warn!("what an earlier engine left of images stays: {}", fault.chain());
            }
        })
        .detach();
        let left = folders.left();
        if !left.is_empty() {
            let removed = tasks::off_thread("removing what an earlier engine left", move || {
                for folder in left {
                    if let Err(error) = folders::remove(&folder) {
                        tracing::warn!(folder = %folder.display(), %error, "what an earlier engine left stays");
                    }
                }
            });
            tasks::spawn("removing what an earlier engine left", removed).detach();
        }
        let networking = Networking::new(&settings.network, clock.clone());
        let spawner = start_spawner(&settings, (&folders, &networking)).await;
        let spawner = spawner.map_err(|error| OpenError::Spawner { source: error.into() })?;
        enough(&settings, &spawner.hello)?;
        let level = spawner.hello.level;
        if level >= Isolation::Rootless
            && let Some(why) = networking::clash(&settings.network.doors)
        {
            return Err(OpenError::Doors { why });
        }
        let (cgroups, ()) =
            tokio::join!(find_cgroups(level, &folders), networking.open(level, &settings.network, &folders));
        let is_root = rustix::process::geteuid().is_root();
        let thaw_at_end = cgroups.as_ref().and_then(Cgroups::thaw_before_death).map(Path::to_owned);
        if let Some(base) = &thaw_at_end {
            let told = spawner.thaw_at_end(base.clone()).await;
            told.map_err(|error| OpenError::Spawner { source: error.into() })?;
        }
        let runtimes = Runtimes::start(Search {
            named: settings.runtimes.clone(),
            path: settings.search_path.clone(),
            home: settings.home.clone(),
            cache: folders.interpreters(),
            python_client: folders.client(Family::Python),
            for_strangers: spawner.hello.level == Isolation::Confined && is_root,
        });
        let level = spawner.hello.level;
        let may_prestart = settings.prestart && spawner.has_own_network();
        let spawner = Mutex::new(Arc::new(spawner));
        let memory = MachineMemory::new();
        Ok(Self {
            shared: Arc::new(Shared {
                freezer: Freezer::new(clock.clone()),
                networking,
                settings,
                clock,
                folders,
                images,
                level,
                runtimes,
                merging: Merging::default(),
                overlay_refused: AtomicBool::new(false),
                inside: OnceLock::new(),
                storage: OnceCell::new(),
                groups: AtomicU64::new(0),
                limited: cgroups.as_ref().map(|cgroups| cgroups.features().clone()),
                cgroups: std::sync::Mutex::new(cgroups.map(Arc::new)),
                spawner,
                environments: std::sync::Mutex::new(Some(Vec::new())),
                memory,
                give_back: GiveBack::default(),
                stock: std::sync::Mutex::new(if may_prestart { Prestart::NotYet } else { Prestart::Never }),
            }),
        })
    }

    /// Has functions that have a network of their own find the engine at its port, too. To be said before the first
    /// environment is started.
    pub fn serve_inside(&self, port: u16, visitors: Visitors) {
        let _ = self.shared.inside.set((port, visitors));
        self.shared.begin_stock();
    }

    /// What can be said at once.
    pub async fn report(&self) -> Report {
        let spawner = self.shared.spawner.lock().await.clone();
        let has_disks = spawner.hello.level >= Isolation::Rootless && self.shared.storage().await.is_some();
        report::of(&spawner.hello, (self.shared.limited.as_ref(), has_disks), self.shared.networking.report())
    }

    /// The runtimes that have an interpreter; waits for the search.
    pub async fn found_runtimes(&self) -> Vec<FoundRuntime> {
        let found = self.shared.runtimes.all().await;
        let text = |Version(major, minor, patch)| format!("{major}.{minor}.{patch}");
        found
            .into_iter()
            .map(|(runtime, interpreter)| FoundRuntime {
                runtime,
                command: interpreter.command,
                version: text(interpreter.version),
            })
            .collect()
    }

    /// Ends every environment and the spawner; done when it returns.
    pub async fn stop(&self) {
        let environments = self.shared.environments().take().unwrap_or_default();
        drop(std::mem::replace(&mut *self.shared.prestart(), Prestart::Never));
        let stopping: Vec<_> = environments
            .into_iter()
            .filter_map(|environment| environment.upgrade())
            .map(|environment| tasks::spawn("ending an environment", async move { environment.end().await }))
            .collect();
        for stopped in stopping {
            if let Err(fault) = stopped.result().await {
                tracing::warn!(error = fault.chain(), "an environment did not end as it should");
            }
        }
        let spawner = self.shared.spawner.lock().await.clone();
        spawner.end();
        let cgroups = self.shared.cgroups.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(cgroups) = cgroups.and_then(Arc::into_inner) {
            let _ = tasks::off_thread("removing control groups", move || cgroups.close()).await;
        }
        let clock = &self.shared.clock;
        let lifetime = spawner.lifetime();
        tokio::select! {
            biased;
            () = lifetime.wait() => {}
            () = clock.wake_at(clock.elapsed() + STOP_LIMIT) => {
                tracing::warn!("the process that starts functions does not end; it is killed");
                spawner.kill();
                lifetime.wait().await;
            }
        }
        self.shared.networking.close().await;
    }

    /// How many environments wait ahead of use, and how many starts found one; `None` where none are to wait.
    pub fn stock(&self) -> Option<StockCounts> {
        self.shared.stock().map(|stock| stock.counts())
    }

    /// The spawner's process, for those who watch it.
    pub async fn spawner_pid(&self) -> Option<u32> {
        self.shared.spawner.lock().await.pid
    }
}

/// The control groups of this engine, of which what an earlier one left is removed. Without them a level that isolates
/// has no limits, which the report says.
async fn find_cgroups(level: Isolation, folders: &Folders) -> Option<Cgroups> {
    if level < Isolation::Confined {
        return None;
    }
    let name = folders.name();
    let found = tasks::off_thread("looking for control groups", move || {
        let cgroups = Cgroups::find(&name)?;
        match cgroups.sweep() {
            Ok(0) => {}
            Ok(swept) => tracing::info!(swept, "control groups of an earlier engine are removed"),
            Err(error) => tracing::warn!(%error, "control groups of an earlier engine stay"),
        }
        Ok::<_, Refused>(cgroups)
    });
    match found.await {
        Ok(Ok(cgroups)) => Some(cgroups),
        Ok(Err(refused)) => {
            tracing::warn!("functions have no limit of memory, processor and processes: {refused}");
            None
        }
        Err(fault) => {
            tracing::warn!("functions have no limit of memory, processor and processes: {}", fault.chain());
            None
        }
    }
}

/// Whether what the spawner found is as much as was asked for.
fn enough(settings: &Settings, hello: &Hello) -> Result<(), OpenError> {
    let to_be_had = hello.level;
    let asked = [("--isolation", settings.isolation), ("--isolation-min", Some(settings.isolation_min))];
    let Some((flag, asked)) =
        asked.into_iter().find_map(|(flag, asked)| Some((flag, asked.filter(|level| *level > to_be_had)?)))
    else {
        return Ok(());
    };
    let why = hello.refused.iter().filter(|(level, _)| *level >= asked).map(|(level, why)| format!("{level}: {why}"));
    let reason = why.collect::<Vec<_>>().join("; ");
    let accept = format!("start with --isolation {to_be_had} --isolation-min {to_be_had} to accept {to_be_had}");
    let is_root = rustix::process::geteuid().is_root();
    let remedy = match asked {
        Isolation::Sandbox if !is_root => format!("start lambd as root, or {accept}"),
        Isolation::Rootless if is_root => {
            format!("start lambd as another user than root, or with --isolation sandbox, or {accept}")
        }
        _ => format!("{accept}{}", if to_be_had == Isolation::Process { ", which is no isolation" } else { "" }),
    };
    Err(OpenError::Isolation { flag, asked, to_be_had, reason, remedy })
}

async fn start_spawner(
    settings: &Settings,
    (folders, networking): (&Folders, &Networking),
) -> Result<Spawner, LaunchError> {
    let configuration = Configuration {
        mount_point: folders.view.clone(),
        best: settings.isolation.unwrap_or(Isolation::Sandbox),
        own_paths: settings.own_paths,
        first_user: FIRST_USER,
        resolv_conf: networking.resolv_conf(),
    };
    Spawner::start(&settings.spawner, configuration).await
}

impl Shared {
    /// Disks for `/tmp`: looked for at the first call.
    pub(crate) async fn storage(&self) -> Option<Arc<Storage>> {
        let find = async || {
            let folder = self.folders.disks();
            let path = std::env::join_paths(&self.settings.search_path).unwrap_or_default();
            let found = tasks::off_thread("looking for disks", move || Storage::find(&folder, Some(&path))).await;
            match found.unwrap_or_else(|fault| Err(Refused { step: fault.chain(), errno: 0 })) {
                Ok(storage) => {
                    if let Some(refused) = storage.refused() {
                        tracing::warn!("/tmp of functions is in memory, and counts as theirs: {refused}");
                    }
                    Some(Arc::new(storage))
                }
                Err(refused) => {
                    tracing::warn!("/tmp of functions has no size: {refused}");
                    None
                }
            }
        };
        self.storage.get_or_init(find).await.clone()
    }

    pub(crate) fn cgroups(&self) -> Option<Arc<Cgroups>> {
        self.cgroups.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn environments(&self) -> MutexGuard<'_, Option<Vec<Weak<Environment>>>> {
        self.environments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn prestart(&self) -> MutexGuard<'_, Prestart> {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits ahead of use, if anything does.
    pub(crate) fn stock(&self) -> Option<Arc<Stock<Nursery>>> {
        match &*self.prestart() {
            Prestart::Runs(stock) => Some(stock.clone()),
            Prestart::NotYet | Prestart::Never => None,
        }
    }

    /// Begins to keep environments ahead of use, where that is wanted: when it is known what they must have.
    fn begin_stock(self: &Arc<Self>) {
        let mut prestart = self.prestart();
        if let Prestart::NotYet = *prestart {
            let nursery = Nursery { shared: Arc::downgrade(self) };
            *prestart = Prestart::Runs(Arc::new(Stock::start(nursery, self.clock.clone())));
        }
    }

    /// Takes note of a new environment; false where the sandbox has been stopped meanwhile.
    fn note(&self, environment: &Arc<Environment>) -> bool {
        let mut environments = self.environments();
        let Some(environments) = environments.as_mut() else { return false };
        // Forgets the dead when the list would grow, so that it is never longer than twice what lives.
        if environments.len() == environments.capacity() {
            environments.retain(|environment| environment.strong_count() > 0);
        }
        environments.push(Arc::downgrade(environment));
        true
    }

    /// The spawner; a new one where the last has died, and none when the sandbox is stopped.
    pub(crate) async fn spawner(&self) -> Result<Arc<Spawner>, LaunchError> {
        let mut spawner = self.spawner.lock().await;
        if self.environments().is_none() {
            return Err(LaunchError::Ended { who: "sandbox" });
        }
        if spawner.lifetime().is_over() || !spawner.is_there() {
            tracing::error!("the process that starts functions has died; starting another");
            let new = start_spawner(&self.settings, (&self.folders, &self.networking)).await?;
            if new.hello.level < self.level {
                // What has been promised holds, or nothing is started.
                return Err(LaunchError::Level { promised: self.level, to_be_had: new.hello.level });
            }
            let base = self.cgroups().and_then(|cgroups| cgroups.thaw_before_death().map(Path::to_owned));
            if let Some(base) = base {
                new.thaw_at_end(base).await?;
            }
            *spawner = Arc::new(new);
        }
        Ok(spawner.clone())
    }
}

impl ports::Images for Linux {
    fn supported(&self) -> Result<(), String> {
        images_run_at(self.shared.level)
    }

    fn resolve(&self, uri: String) -> Wait<'_, Result<HeldImage, Error>> {
        Box::pin(async move { self.shared.images.resolve(&uri).await })
    }

    fn pull(&self, image: Image) -> Wait<'_, Result<(), Error>> {
        Box::pin(async move { self.shared.images.pull(&image).await })
    }

    fn retain_images(&self, used: Vec<Digest>) -> Wait<'_, Result<Removal, Fault>> {
        Box::pin(self.shared.images.retain(used))
    }
}

/// Whether functions of images run at a level: an image is a root folder of its own, which takes a view of the machine of
/// one's own. The one place that says so.
fn images_run_at(level: Isolation) -> Result<(), String> {
    if level < Isolation::Rootless {
        return Err(format!(
            "isolation level {level} shows functions the folders of this machine; an image needs level rootless or sandbox"
        ));
    }
    Ok(())
}

impl ports::Sandbox for Linux {
    fn supports(&self, runtime: Runtime) -> Wait<'_, Result<(), String>> {
        Box::pin(async move {
            if runtime.is_provided() {
                return Ok(());
            }
            self.shared.runtimes.interpreter(runtime).await?;
            // Asked before a function is made, which will soon be called.
            self.shared.begin_stock();
            if let (Some(stock), Some(kind)) = (self.shared.stock(), StemKind::of(runtime, MEMORY_MB_USUAL)) {
                stock.expect(kind);
            }
            Ok(())
        })
    }

    fn level(&self) -> Isolation {
        self.shared.level
    }

    fn gives(&self, network: Network) -> Result<(), String> {
        self.shared.networking.gives(network)
    }

    fn runtime_version(&self, runtime: Runtime) -> String {
        let version = self.shared.runtimes.known(runtime).map(|interpreter| interpreter.version);
        match (runtime.family(), version) {
            (Family::Python, Some(Version(major, minor, patch))) => format!("python:{major}.{minor}.v{patch}"),
            (Family::Node, Some(Version(major, minor, _))) => format!("nodejs:{major}.v{minor}"),
            _ => match runtime.identifier().split_once('.') {
                Some(("provided", system)) => format!("provided:{system}.v1"),
                _ => format!("{}.v1", runtime.identifier()),
            },
        }
    }

    fn start(
        &self,
        spec: EnvironmentSpec,
        output: Arc<dyn Output>,
    ) -> Wait<'_, Result<Arc<dyn ports::Environment>, Fault>> {
        Box::pin(async move {
            let environment = Environment::prepare(self.shared.clone(), spec, output).await;
            let environment = environment.map_err(|error| Fault::new("prepare an execution environment", error))?;
            let environment = Arc::new(environment);
            if !self.shared.note(&environment) {
                environment.end().await;
                let stopped = LaunchError::Ended { who: "sandbox" };
                return Err(Fault::new("prepare an execution environment", stopped));
            }
            Ok(environment as Arc<dyn ports::Environment>)
        })
    }

    fn memory_available(&self) -> f64 {
        self.shared.memory.available()
    }
}
