//! The sandbox of this machine: it knows the runtimes, keeps a spawner running, and starts environments.
//!
//! Never here: the life of one environment.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, MutexGuard, PoisonError, Weak};

use domain::function::Digest;
use domain::image::Image;
use domain::runtime::{Family, Runtime};
use domain::{Error, Fault};
use engine::ports::{self, Clock, EnvironmentSpec, HeldImage, Output, Removal, Wait};
use engine::tasks;
use tokio::sync::Mutex;

use crate::environment::{Environment, STOP_LIMIT};
use crate::folders::{self, Folders, FoldersError};
use crate::freeze::Freezer;
use crate::images::Images;
use crate::launcher::client::{LaunchError, Spawner};
use crate::launcher::protocol::{Configuration, Refused};
use crate::layers::Merging;
use crate::memory::MachineMemory;
use crate::report::{self, FoundRuntime, Report, View};
use crate::runtimes::{Runtimes, Search, Version};
use crate::settings::{Isolation, Settings};

/// Why the sandbox cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// More isolation is asked for than there is.
    #[error(
        "isolation: {asked} was asked for ({flag}), {to_be_had} is what can be had: {reason}; \
         start with --isolation {to_be_had} --isolation-min {to_be_had} to run functions without isolation"
    )]
    Isolation {
        /// Which setting asks.
        flag: &'static str,
        /// What it asks for.
        asked: Isolation,
        /// The best there is.
        to_be_had: Isolation,
        /// Why no better.
        reason: &'static str,
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

/// Why there is no more isolation than `process`.
const NOT_BUILT: &str = "this version of lambd has no other level yet";

/// See the module.
pub struct Linux {
    shared: Arc<Shared>,
}

/// What all environments share.
pub(crate) struct Shared {
    pub settings: Settings,
    pub clock: Arc<dyn Clock>,
    pub folders: Folders,
    pub images: Images,
    pub runtimes: Runtimes,
    pub merging: Merging,
    /// Whether the kernel has refused to lay folders over one another.
    pub overlay_refused: AtomicBool,
    pub freezer: Arc<Freezer>,
    spawner: Mutex<Arc<Spawner>>,
    /// All that live, and some that do no more; `None` when the sandbox is stopped.
    environments: std::sync::Mutex<Option<Vec<Weak<Environment>>>>,
    memory: MachineMemory,
}

impl Linux {
    /// Checks that the isolation asked for is there, puts aside what an earlier engine left, starts the spawner, and
    /// begins to look for interpreters.
    pub async fn start(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let to_be_had = Isolation::Process;
        let asked = [("--isolation", settings.isolation), ("--isolation-min", Some(settings.isolation_min))];
        for (flag, asked) in asked {
            if let Some(asked) = asked.filter(|asked| *asked > to_be_had) {
                return Err(OpenError::Isolation { flag, asked, to_be_had, reason: NOT_BUILT });
            }
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
        let spawner = start_spawner(&settings, &folders).await;
        let spawner = spawner.map_err(|error| OpenError::Spawner { source: error.into() })?;
        let runtimes = Runtimes::start(Search {
            named: settings.runtimes.clone(),
            path: settings.search_path.clone(),
            home: settings.home.clone(),
            cache: folders.interpreters(),
            python_client: folders.client(Family::Python),
        });
        let spawner = Mutex::new(Arc::new(spawner));
        let memory = MachineMemory::new();
        Ok(Self {
            shared: Arc::new(Shared {
                freezer: Freezer::new(clock.clone()),
                settings,
                clock,
                folders,
                images,
                runtimes,
                merging: Merging::default(),
                overlay_refused: AtomicBool::new(false),
                spawner,
                environments: std::sync::Mutex::new(Some(Vec::new())),
                memory,
            }),
        })
    }

    /// What can be said at once.
    pub async fn report(&self) -> Report {
        let view = match &self.shared.spawner.lock().await.refused {
            None => View::OwnPaths,
            Some(Refused { step, errno: 0 }) => View::RealFolders { reason: step.clone() },
            Some(Refused { step, errno }) => {
                View::RealFolders { reason: format!("{step}: {}", std::io::Error::from_raw_os_error(*errno)) }
            }
        };
        report::at_process(view)
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
    }

    /// The spawner's process, for those who watch it.
    pub async fn spawner_pid(&self) -> Option<u32> {
        self.shared.spawner.lock().await.pid
    }
}

async fn start_spawner(settings: &Settings, folders: &Folders) -> Result<Spawner, LaunchError> {
    let configuration = Configuration { mount_point: folders.view.clone(), own_paths: settings.own_paths };
    Spawner::start(&settings.spawner, configuration).await
}

impl Shared {
    fn environments(&self) -> MutexGuard<'_, Option<Vec<Weak<Environment>>>> {
        self.environments.lock().unwrap_or_else(PoisonError::into_inner)
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
            *spawner = Arc::new(start_spawner(&self.settings, &self.folders).await?);
        }
        Ok(spawner.clone())
    }
}

impl ports::Images for Linux {
    fn supported(&self) -> Result<(), String> {
        images_run_at(Isolation::Process)
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
    Err(format!(
        "isolation level {level} shows functions the folders of this machine; an image needs level rootless or sandbox, \
         which this version of lambd does not have yet"
    ))
}

impl ports::Sandbox for Linux {
    fn supports(&self, runtime: Runtime) -> Wait<'_, Result<(), String>> {
        Box::pin(async move {
            if runtime.is_provided() {
                return Ok(());
            }
            self.shared.runtimes.interpreter(runtime).await.map(|_| ())
        })
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
