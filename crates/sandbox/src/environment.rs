//! One execution environment: its folder, its init, and the runtime process that it has now.
//!
//! Never here: when to use it, and what a failure means to the caller.

use std::collections::BTreeSet;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use domain::Fault;
use domain::environment::{Exit, ExtensionError, Failure, InitEnd};
use domain::function::LogFormat;
use domain::limits;
use domain::log::{Record, Writer};
use domain::network::Network;
use engine::ports::{self, Answer, EnvironmentSpec, Event, ImageUse, Output, Wait};
use engine::tasks::{self, Task};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::cgroups::{Cgroup, Entrance, Limits};
use crate::folders;
use crate::freeze::Rest;
use crate::images::{ImageError, Program, Root};
use crate::launcher::client::{Init, LaunchError, Lifetime, Spawner};
use crate::launcher::protocol::{Deed, Furniture, Mounting, Order, Preparation, Refused, Source, Told};
use crate::launcher::{Base, OVERLAY, view_keep};
use crate::layers::Merged;
use crate::memory::ProcessMemory;
use crate::network::Nat;
use crate::networking::Attendants;
use crate::output::OutputPipe;
use crate::runtime_api::extension_routes::ExtensionApi;
use crate::runtime_api::extensions::{Extensions, Facts, Reason};
use crate::runtime_api::{self, conversation::Conversation, conversation::Settling, listen_at};
use crate::runtimes::Interpreter;
use crate::sandbox::Shared;
use crate::settings::Isolation;
use crate::start::{self, Paths};
use crate::stems::{self, Stem, StemKind, may_use_stem};
use crate::stock::nursery::Waiting;
use crate::storage::Disk;
use crate::telemetry::{Overheard, Telemetry};

/// Bytes of the paths of layers that can be laid over one another: mount(2) takes a page, in which each byte may need an
/// escape.
const OVERLAY_BYTES_MAX: usize = 3_500;
/// Disks of each size that wait for an environment.
const DISKS_READY: usize = 4;
/// Where Lambda looks for external extensions (AWS developer guide, runtimes-extensions-api).
const EXTENSIONS: &str = "/opt/extensions";
/// The port of the Runtime API in an environment that has a network of its own, as on AWS.
const RUNTIME_API_PORT: u16 = 9001;
/// How long a runtime that has reported a failed initialisation may take to exit by itself.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How long an init may take to end everything before it is killed itself.
const RESET_LIMIT: Duration = Duration::from_secs(2);
/// What a function with external extensions may take to end: 30 percent of it are the runtime's, the rest is theirs
/// (AWS developer guide, lambda-runtime-environment; source of AWS's runtime interface emulator, `rapid/shutdown.go`).
const SHUTDOWN_EXTERNAL: Duration = Duration::from_secs(2);
const SHUTDOWN_RUNTIME: Duration = Duration::from_millis(600);
/// What one with internal extensions only may take (the same page).
const SHUTDOWN_INTERNAL: Duration = Duration::from_millis(500);
/// How long ending may take altogether, before the folder is removed anyway: a process that the kernel holds.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(10);

/// See the module.
pub(crate) struct Environment {
    shared: Arc<Shared>,
    spec: EnvironmentSpec,
    output: Arc<dyn Output>,
    telemetry: Arc<Telemetry>,
    folder: PathBuf,
    /// Held only by `init`, `stop` and a reset, which come one at a time.
    place: tokio::sync::Mutex<Option<Place>>,
    current: Arc<Current>,
    serials: AtomicU32,
    places: AtomicU32,
    memory_most_bytes: AtomicU64,
    /// Over as soon as it is to be stopped: then nothing is started any more.
    life: Lifetime,
}

/// A step of an environment's life that failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnvironmentError {
    #[error("make the folder {}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("{doing}")]
    Resources { doing: &'static str, source: std::io::Error },
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error("put the layers together")]
    Layers { source: Fault },
    #[error("{remedy}")]
    Interpreter { remedy: String },
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(
        "at level {0} a function sees the folders of this machine; one of an image needs level rootless or sandbox"
    )]
    NoRoot(Isolation),
}

/// The init, and who listens to it.
struct Place {
    number: u32,
    init: Arc<Init>,
    spawner: Arc<Spawner>,
    replies: mpsc::Receiver<Reply>,
    listener: Task<()>,
    /// Who answers at its copy of the engine's port.
    visitors: Option<Task<()>>,
    /// Who answers at its doors and its name service.
    _attendants: Attendants,
    group: Option<Arc<Cgroup>>,
    paths: Paths,
    has_namespace: bool,
    /// What its `/opt` is made of, where that was made for it.
    _layers: Option<Arc<Merged>>,
    /// The runtime that waits in it for its function, until the first start.
    stem: Option<Stem>,
    /// What is run in an image.
    program: Option<Program>,
}

/// The folders of the host that an environment needs.
struct Needs {
    /// Becomes `/var/task`.
    code: PathBuf,
    /// Becomes `/var/runtime`.
    client: PathBuf,
    /// Becomes `/tmp`.
    storage: PathBuf,
    /// Becomes `/tmp` instead, where there is one.
    disk: Option<Disk>,
    /// Become `/opt` together; a later one covers an earlier one.
    layers: Vec<PathBuf>,
    /// What the view would hide and the runtime needs.
    kept: Vec<PathBuf>,
    /// Takes the place of code, client, layers and view.
    image: Option<Root>,
}

/// A control group that nothing is in yet.
pub(crate) async fn make_group(
    shared: &Shared,
    name: &str,
    memory_mb: u32,
) -> Result<Option<Arc<Cgroup>>, EnvironmentError> {
    let Some(cgroups) = shared.cgroups() else { return Ok(None) };
    let id = format!("{name}-{}", shared.groups.fetch_add(1, Ordering::Relaxed));
    let limits = Limits { memory_bytes: u64::from(memory_mb) << 20, pids_max: limits::PROCESSES };
    let made = tasks::off_thread("making a control group", move || cgroups.create(&id, &limits)).await;
    let failed = |source| EnvironmentError::Resources { doing: "make a control group", source };
    let made = made.unwrap_or_else(|fault| Err(std::io::Error::other(fault.chain())));
    made.map(|group| Some(Arc::new(group))).map_err(failed)
}

/// Where somebody listens inside: the Runtime API, the engine where that is elsewhere, the doors, and with a way out the
/// name service.
pub(crate) fn preparation(shared: &Shared, has_way_out: bool) -> Preparation {
    let api = shared.inside.get().map(|(port, _)| *port).filter(|port| *port != RUNTIME_API_PORT);
    Preparation {
        ports: std::iter::once(RUNTIME_API_PORT).chain(api).collect(),
        doors: shared.networking.doors(api),
        name_service: has_way_out,
        ..Preparation::default()
    }
}

/// Makes an init that has its folders.
async fn make_init(
    spawner: &Spawner,
    needs: &Needs,
    preparation: &Preparation,
    (group, nat): (Option<&Cgroup>, Option<Nat>),
) -> Result<Init, LaunchError> {
    let mut preparation = if spawner.has_own_network() { preparation.clone() } else { Preparation::default() };
    preparation.is_image = needs.image.is_some();
    preparation.root = needs.image.as_ref().map(|image| image.layers.clone()).unwrap_or_default();
    let mut init = spawner.prepare(preparation, group, nat).await?;
    let furniture = match &needs.image {
        Some(_) => Furniture { mounts: vec![needs.tmp()], extensions_in: vec![EXTENSIONS.into()] },
        None if spawner.has_own_paths() => needs.furniture(),
        None => needs.real_folders(),
    };
    spawner.furnish(&mut init, furniture, needs.disk.as_ref()).await?;
    Ok(init)
}

impl Needs {
    /// What a stem, which has its client already, lacks.
    /// On a disk of its own where that can be had, else in the environment's folder.
    fn tmp(&self) -> Mounting {
        let source = match &self.disk {
            Some(_) => Source::Given,
            None => Source::Storage(self.storage.clone()),
        };
        Mounting { source, at: "/tmp".into() }
    }

    fn furniture_of_stem(&self, empty: &Path) -> Furniture {
        let layers = if self.layers.is_empty() {
            Source::ReadOnly(empty.into())
        } else {
            Source::Layers { folders: self.layers.clone(), places: Vec::new() }
        };
        let mounts = vec![
            Mounting { source: Source::ReadOnly(self.code.clone()), at: "/var/task".into() },
            self.tmp(),
            Mounting { source: layers, at: "/opt".into() },
        ];
        Furniture { mounts, extensions_in: vec![EXTENSIONS.into()] }
    }

    fn furniture(&self) -> Furniture {
        let opt = Path::new("/opt");
        let in_opt = self.kept.iter().filter_map(|path| path.strip_prefix(opt).ok()).map(Path::to_owned).collect();
        let layers = Source::Layers { folders: self.layers.clone(), places: in_opt };
        let read_only = |path: &PathBuf, at: &Path| Mounting { source: Source::ReadOnly(path.clone()), at: at.into() };
        let mut mounts = vec![
            read_only(&self.code, Path::new("/var/task")),
            read_only(&self.client, Path::new("/var/runtime")),
            self.tmp(),
        ];
        if !matches!(&layers, Source::Layers { folders, places } if folders.is_empty() && places.is_empty()) {
            mounts.push(Mounting { source: layers, at: opt.into() });
        }
        mounts.extend(self.kept.iter().map(|path| read_only(path, path)));
        Furniture { mounts, extensions_in: vec![EXTENSIONS.into()] }
    }

    /// Where nothing is mounted, everything is where it is, and extensions are in the layers themselves.
    fn real_folders(&self) -> Furniture {
        let read = [&self.code, &self.client].into_iter().chain(&self.layers).chain(&self.kept);
        let read = read.map(|path| (path, Source::ReadOnly(path.clone())));
        let all = read.chain([(&self.storage, Source::Storage(self.storage.clone()))]);
        let mounts = all.map(|(path, source)| Mounting { source, at: path.clone() }).collect();
        let extensions_in = self.layers.iter().map(|layer| layer.join("extensions")).collect();
        Furniture { mounts, extensions_in }
    }
}

/// What an init says in answer to an order.
type Reply = (Told, Vec<OwnedFd>);

/// A runtime process, and the news that it is ready.
type Started = (Arc<Process>, oneshot::Receiver<Result<(), Failure>>);

/// The runtime process of the moment.
#[derive(Default)]
struct Current {
    process: Mutex<Option<Arc<Process>>>,
    /// One that is still there after a failure, because extensions are to hear of it.
    failing: Mutex<Option<(Arc<Process>, Reason)>>,
}

struct Process {
    serial: u32,
    /// The place that it was started in: the end of an earlier one does not concern it.
    place: u32,
    conversation: Arc<Conversation>,
    /// Without whom it ends.
    init: Arc<Init>,
    spawner: Arc<Spawner>,
    extensions: Arc<Extensions>,
    rest: Arc<Rest>,
    group: Option<Arc<Cgroup>>,
    memory: OnceLock<ProcessMemory>,
    /// That of each external extension.
    extensions_memory: Mutex<Vec<ProcessMemory>>,
    /// The kernel killed it for want of memory: then it had all there was.
    out_of_memory: AtomicBool,
    /// Told by the kernel at its end; 0 before.
    peak_bytes: AtomicU64,
    server: Task<()>,
    /// Readers of what its processes write.
    pumps: Mutex<Vec<Task<()>>>,
    /// What the runtime writes into, until it is started.
    output: Mutex<Option<OwnedFd>>,
    /// Where the Runtime API is.
    at: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.server.abort();
        for pump in self.pumps.get_mut().unwrap_or_else(PoisonError::into_inner) {
            pump.abort();
        }
    }
}

impl Current {
    fn get(&self) -> Option<Arc<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, process: Option<Arc<Process>>) -> Option<Arc<Process>> {
        std::mem::replace(&mut *self.process.lock().unwrap_or_else(PoisonError::into_inner), process)
    }

    fn failing(&self) -> MutexGuard<'_, Option<(Arc<Process>, Reason)>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of which an init may tell something.
    fn find(&self, is_it: impl Fn(&Process) -> bool) -> Option<Arc<Process>> {
        let failing = self.failing().as_ref().map(|(process, _)| process.clone());
        self.get().into_iter().chain(failing).find(|process| is_it(process))
    }
}

/// The init was killed, and with it the runtime.
const KILLED: Failure = Failure::Exited(Exit::KILLED);

impl Environment {
    /// Makes the folder and the view of a new environment.
    pub(crate) async fn prepare(
        shared: Arc<Shared>,
        spec: EnvironmentSpec,
        output: Arc<dyn Output>,
    ) -> Result<Self, EnvironmentError> {
        let folder = shared.folders.environments.join(spec.id.to_string());
        let is_json =
            spec.platform_variables.iter().any(|(key, value)| key == "AWS_LAMBDA_LOG_FORMAT" && value == "JSON");
        let format = if is_json { LogFormat::Json } else { LogFormat::Text };
        let environment = Self {
            telemetry: Telemetry::new(shared.clock.clone(), format),
            shared,
            spec,
            output,
            folder,
            place: tokio::sync::Mutex::new(None),
            current: Arc::default(),
            serials: AtomicU32::new(0),
            places: AtomicU32::new(0),
            memory_most_bytes: AtomicU64::new(0),
            life: Lifetime::default(),
        };
        let storage = environment.storage();
        folders::make_storage(&storage).map_err(|source| EnvironmentError::Folder { path: storage, source })?;
        let interpreter = environment.interpreter().await?;
        let place = environment.make_place(interpreter.as_ref()).await?;
        *environment.place.lock().await = Some(place);
        Ok(environment)
    }

    fn storage(&self) -> PathBuf {
        self.folder.join("tmp")
    }

    async fn interpreter(&self) -> Result<Option<Interpreter>, EnvironmentError> {
        if self.spec.runtime.is_provided() {
            return Ok(None);
        }
        let found = self.shared.runtimes.interpreter(self.spec.runtime).await;
        found.map(Some).map_err(|remedy| EnvironmentError::Interpreter { remedy })
    }

    async fn make_place(&self, interpreter: Option<&Interpreter>) -> Result<Place, EnvironmentError> {
        let mut spawner = self.shared.spawner().await?;
        let mut needs = self.needs(interpreter, &spawner)?;
        if let Some(ImageUse { image, config }) = &self.spec.image {
            if spawner.base() != Base::Isolated {
                return Err(EnvironmentError::NoRoot(spawner.hello.level));
            }
            needs.image = Some(self.shared.images.root(image, config).await?);
        }
        let mut merged = self.lay_out_layers(&mut needs, spawner.has_own_paths()).await?;
        let api = self.shared.inside.get().filter(|(port, _)| *port != RUNTIME_API_PORT);
        let nat = self.shared.networking.nat(self.spec.network);
        let preparation = preparation(&self.shared, nat.is_some());
        needs.disk = self.take_disk(&spawner).await;
        let (mut waiting, group, stem) = match self.take_waiting(&needs, &spawner).await {
            Some(Waiting { init, group, stem, .. }) => (Some(init), group, stem),
            None => (None, self.make_group().await?, None),
        };
        let mut is_first = true;
        let mut init = loop {
            let made = match waiting.take() {
                Some(init) => Ok(init),
                None => make_init(&spawner, &needs, &preparation, (group.as_deref(), nat.clone())).await,
            };
            if made.is_err() {
                // What was mounted is gone with its environment.
                needs.disk = self.take_disk(&spawner).await;
            }
            match made {
                // It, or the init, was killed meanwhile.
                Err(LaunchError::Socket { .. } | LaunchError::Ended { .. }) if is_first => {
                    spawner = self.shared.spawner().await?;
                }
                Err(LaunchError::Unprepared { step, source }) if step == OVERLAY && merged.is_none() => {
                    if !self.shared.overlay_refused.swap(true, Ordering::Relaxed) {
                        tracing::info!(%source, "the kernel lays no folders over one another; layers are merged instead");
                    }
                    merged = self.lay_out_layers(&mut needs, false).await?;
                    continue;
                }
                made => break made?,
            }
            is_first = false;
        };
        let mut sockets = init.sockets.split_off(init.sockets.len().min(1));
        let visitors = match api {
            Some((_, visit)) if !sockets.is_empty() => {
                Some(listen_at(sockets.remove(0)).map(|listener| visit(listener)))
            }
            _ => None,
        };
        let attendants = self.shared.networking.attend(sockets, api.map(|(port, _)| *port));
        let visitors = visitors.transpose().map_err(|source| {
            let doing = "listen at the engine's port inside";
            EnvironmentError::Resources { doing, source }
        })?;
        let init = Arc::new(init);
        if spawner.has_own_network() {
            self.telemetry.dialer.dial_inside(init.clone());
        }
        let has_namespace = spawner.has_own_paths();
        let paths = if has_namespace {
            Paths::own()
        } else {
            Paths { task: needs.code, runtime: needs.client, storage: Some(needs.storage), opt: needs.layers.pop() }
        };
        let number = self.places.fetch_add(1, Ordering::Relaxed);
        let (tell, replies) = mpsc::channel(4);
        let listener = tasks::spawn(
            "listening to an environment",
            listen(
                (init.clone(), group.clone()),
                spawner.lifetime(),
                tell,
                (self.current.clone(), number),
                has_namespace,
            ),
        );
        Ok(Place {
            number,
            init,
            spawner,
            replies,
            listener,
            visitors,
            _attendants: attendants,
            group,
            paths,
            has_namespace,
            _layers: merged,
            stem,
            program: needs.image.map(|image| image.program),
        })
    }

    /// A disk for `/tmp`; `None` where `/tmp` is a folder.
    async fn take_disk(&self, spawner: &Spawner) -> Option<Disk> {
        if !spawner.has_own_network() {
            return None;
        }
        let storage = self.shared.storage().await?;
        let megabytes = self.spec.storage_mb;
        let taken = if let Some(ready) = storage.take_ready(megabytes) {
            Ok(ready)
        } else {
            let storage = storage.clone();
            let made = tasks::off_thread("making a disk", move || storage.take(megabytes)).await;
            made.unwrap_or_else(|fault| Err(Refused { step: fault.chain(), errno: 0 }))
        };
        let refill = tasks::off_thread("making disks ahead of use", move || storage.refill(megabytes, DISKS_READY));
        tasks::spawn("making disks ahead of use", refill).detach();
        match taken {
            Ok(disk) => Some(disk),
            Err(refused) => {
                tracing::warn!("a function's /tmp has no size of its own: {refused}");
                None
            }
        }
    }

    /// An environment that has waited for a function, furnished for this one. Whatever is in the way, an ordinary start
    /// does without, and tells of it if it lasts.
    async fn take_waiting(&self, needs: &Needs, spawner: &Arc<Spawner>) -> Option<Waiting> {
        if needs.image.is_some() {
            return None;
        }
        // What waits has a way out, if there is one.
        let stock = self.shared.stock().filter(|_| self.spec.network != Network::None)?;
        let has_extensions = needs.layers.iter().any(|layer| layer.join("extensions").exists());
        let is_for_stem = may_use_stem(&self.spec.variables, has_extensions)
            && self.serials.load(Ordering::Relaxed) == stems::SERIAL
            // What the interpreter needs would be below the layers, or below `/tmp`.
            && !needs.kept.iter().any(|path| path.starts_with("/opt") || path.starts_with("/tmp"));
        let kind = StemKind::of(self.spec.runtime, self.spec.memory_mb).filter(|_| is_for_stem);
        let mut waiting = stock.take(kind)?;
        if !Arc::ptr_eq(&waiting.spawner, spawner) {
            return None;
        }
        if let Some(group) = &waiting.group {
            group.set_memory(u64::from(self.spec.memory_mb) << 20).ok()?;
        }
        let empty = &self.shared.folders.empty;
        let furniture = if waiting.stem.is_some() { needs.furniture_of_stem(empty) } else { needs.furniture() };
        match spawner.furnish(&mut waiting.init, furniture, needs.disk.as_ref()).await {
            Ok(()) => Some(waiting),
            Err(error) => {
                tracing::debug!(%error, "an environment that waited could not be furnished");
                None
            }
        }
    }

    /// The control group of one place; one before may still be on its way out.
    async fn make_group(&self) -> Result<Option<Arc<Cgroup>>, EnvironmentError> {
        make_group(&self.shared, &self.spec.id.to_string(), self.spec.memory_mb).await
    }

    fn needs(&self, interpreter: Option<&Interpreter>, spawner: &Spawner) -> Result<Needs, EnvironmentError> {
        let code = match &self.spec.image {
            Some(_) => PathBuf::new(),
            None => std::path::absolute(&self.spec.code)
                .map_err(|source| EnvironmentError::Folder { path: self.spec.code.clone(), source })?,
        };
        Ok(Needs {
            code,
            client: self.shared.folders.client(self.spec.runtime.family()),
            storage: self.storage(),
            disk: None,
            image: None,
            layers: Vec::new(),
            kept: interpreter.map(|interpreter| kept(interpreter, spawner.base())).unwrap_or_default(),
        })
    }

    /// Says in which folders the layers are: each in its own where the kernel lays them over one another, else all in
    /// one, which is merged of several.
    async fn lay_out_layers(
        &self,
        needs: &mut Needs,
        can_overlay: bool,
    ) -> Result<Option<Arc<Merged>>, EnvironmentError> {
        let absolute = |path: &PathBuf| {
            std::path::absolute(path).map_err(|source| EnvironmentError::Folder { path: path.clone(), source })
        };
        needs.layers = self.spec.layers.iter().map(absolute).collect::<Result<_, _>>()?;
        let bytes: usize = needs.layers.iter().map(|path| path.as_os_str().len() * 2).sum();
        let can_overlay =
            can_overlay && bytes < OVERLAY_BYTES_MAX && !self.shared.overlay_refused.load(Ordering::Relaxed);
        if needs.layers.len() < 2 || can_overlay {
            return Ok(None);
        }
        let shared = &self.shared;
        let merged = shared.merging.of(&needs.layers, &shared.folders.environments).await;
        let merged = merged.map_err(|source| EnvironmentError::Layers { source })?;
        needs.layers = vec![merged.path.clone()];
        Ok(Some(merged))
    }

    /// Starts what comes first, in place of what was before: the extensions, or where there are none the runtime.
    async fn start_process(
        &self,
        place: &mut Place,
        interpreter: Option<&Interpreter>,
    ) -> Result<Result<Started, Failure>, EnvironmentError> {
        let failed = |doing| move |source| EnvironmentError::Resources { doing, source };
        // Of two that serve one socket the one before would get what is meant for this one.
        if let Some(before) = self.current.get() {
            before.server.abort();
        }
        let (listener, at) =
            runtime_api::listen(place.init.sockets.first()).await.map_err(failed("bind a port for the Runtime API"))?;
        let mut serial = self.serials.fetch_add(1, Ordering::Relaxed);
        let mut stem = place.stem.take();
        if let Some(useless) = stem.take_if(|_| serial != stems::SERIAL || !place.init.extensions.is_empty()) {
            // Its end is nobody's.
            serial = self.serials.fetch_add(1, Ordering::Relaxed);
            drop(useless);
        }
        let sink = self.overheard(Writer::Function);
        let (output, written_to) = match &stem {
            None => OutputPipe::new(sink).map(|(output, written_to)| (output, Some(written_to))),
            Some(stem) => {
                stem.output.try_clone().and_then(|read| OutputPipe::reading(read, sink)).map(|output| (output, None))
            }
        }
        .map_err(failed("make a pipe for output"))?;
        if let Some(group) = &place.group {
            group.free_cpu().map_err(failed("free the processor for an init"))?;
            if group.can_freeze() {
                group.thaw().map_err(failed("let a control group go on"))?;
            }
        }
        let conversation = Conversation::new(output.clone());
        // An identifier that was random stays one when others of its bits change.
        let seed = uuid::Uuid::from_u128(self.spec.id.0.as_u128() ^ (u128::from(serial) << 16));
        let extensions = Extensions::new(self.facts(), seed);
        let api = (
            conversation.clone(),
            Arc::new(ExtensionApi {
                extensions: extensions.clone(),
                telemetry: self.telemetry.clone(),
                output: self.output.clone(),
            }),
        );
        let server = runtime_api::serve(listener, api, self.shared.clock.clone());
        self.telemetry.begin();
        let process = Arc::new(Process {
            serial,
            place: place.number,
            conversation,
            init: place.init.clone(),
            spawner: place.spawner.clone(),
            extensions,
            rest: Rest::new(place.init.clone(), place.group.clone()),
            group: place.group.clone(),
            memory: OnceLock::new(),
            extensions_memory: Mutex::default(),
            out_of_memory: AtomicBool::new(false),
            peak_bytes: AtomicU64::new(0),
            server: tasks::spawn("serving the Runtime API", server),
            pumps: Mutex::new(vec![tasks::spawn("reading a function's output", output.pump())]),
            output: Mutex::new(written_to),
            at,
        });
        // Before it runs: it may be ready, or at its end, before we hear that it was started.
        let ready = process.conversation.expect_ready();
        self.current.set(Some(process.clone()));
        let launched = if let Some(stem) = stem {
            self.start_stem(place, interpreter, &process, stem)?;
            Ok(())
        } else if place.init.extensions.is_empty() {
            self.start_runtime(place, interpreter, &process).await?
        } else {
            self.start_extensions(place, &process).await?
        };
        Ok(launched.map(|()| (process, ready)))
    }

    fn overheard(&self, writer: Writer) -> Arc<dyn Output> {
        Arc::new(Overheard { log: self.output.clone(), telemetry: self.telemetry.clone(), writer })
    }

    /// What extensions are told of the function.
    fn facts(&self) -> Facts {
        let of = |key: &str| {
            let found = self.spec.platform_variables.iter().find(|(known, _)| known == key);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        Facts {
            name: of("AWS_LAMBDA_FUNCTION_NAME"),
            version: of("AWS_LAMBDA_FUNCTION_VERSION"),
            handler: of("_HANDLER"),
            account: self.spec.account.clone(),
        }
    }

    /// Makes the runtime that waits the function's.
    fn start_stem(
        &self,
        place: &Place,
        interpreter: Option<&Interpreter>,
        process: &Process,
        stem: Stem,
    ) -> Result<(), EnvironmentError> {
        let variables = start::variables(&self.spec, interpreter, &place.paths, &process.at);
        process.extensions.runtime_started();
        // One that has died in between tells nobody else of it.
        stem.become_runtime(&variables, &place.paths).map_err(|_| LaunchError::Ended { who: "stem" })?;
        let _ = process.memory.set(ProcessMemory::new(stem.files));
        Ok(())
    }

    async fn start_runtime(
        &self,
        place: &mut Place,
        interpreter: Option<&Interpreter>,
        process: &Arc<Process>,
    ) -> Result<Result<(), Failure>, EnvironmentError> {
        let start = match &place.program {
            None => start::start(process.serial, &self.spec, interpreter, &place.paths, &process.at),
            Some(program) => match start::of_image(process.serial, &self.spec, program, &process.at) {
                Some(start) => start,
                None => return Ok(Err(Failure::InvalidEntrypoint(start::NO_ENTRY_POINT.to_owned()))),
            },
        };
        let output = process.output.lock().unwrap_or_else(PoisonError::into_inner).take();
        let entrance = frozen_entrance(place.group.as_ref())?;
        let descriptors: Vec<_> = output.iter().chain(&entrance).map(|output| output.as_fd()).collect();
        // It may end before it is heard of that it was started.
        process.extensions.runtime_started();
        place.init.order(&Order::Start(start), &descriptors).await?;
        drop(descriptors);
        drop(output);
        let failure = loop {
            match place.replies.recv().await {
                Some((Told::Started, descriptors)) => {
                    let _ = process.memory.set(ProcessMemory::new(descriptors));
                    return Ok(Ok(()));
                }
                Some((Told::NoProgram, _)) => match interpreter {
                    None if place.program.is_some() => {
                        let words = place.program.iter().flat_map(Program::words).next();
                        break start::not_executed(
                            Path::new(words.map_or("", |word| word)),
                            &place.paths,
                            libc::ENOENT,
                        );
                    }
                    None => break start::no_bootstrap(),
                    Some(gone) => break start::not_executed(&gone.command, &place.paths, libc::ENOENT),
                },
                Some((Told::NotExecuted { program, errno }, _)) => {
                    break start::not_executed(&program, &place.paths, errno);
                }
                // The answer to an order that nobody waited for.
                Some(_) => {}
                None => return Err(LaunchError::Ended { who: "init" }.into()),
            }
        };
        process.extensions.runtime_ended();
        Ok(Err(Failure::InvalidEntrypoint(failure)))
    }

    /// Starts the external extensions, each with an output of its own.
    async fn start_extensions(
        &self,
        place: &mut Place,
        process: &Arc<Process>,
    ) -> Result<Result<(), Failure>, EnvironmentError> {
        let programs = place.init.extensions.clone();
        for (number, program) in programs.into_iter().enumerate() {
            let (output, written_to) = OutputPipe::new(self.overheard(Writer::Extension))
                .map_err(|source| EnvironmentError::Resources { doing: "make a pipe for output", source })?;
            let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
            process.extensions.expect(&name, output.clone());
            let pump = tasks::spawn("reading an extension's output", output.pump());
            process.pumps.lock().unwrap_or_else(PoisonError::into_inner).push(pump);
            let refused = |error_type: &str, text: String| {
                process.extensions.not_launched(error_type);
                Ok(Err(Failure::Extension { error: ExtensionError::Launch, text }))
            };
            if number >= limits::EXTENSIONS {
                let text = format!("Extension limit ({}) reached", limits::EXTENSIONS);
                return refused("TooManyExtensions", text);
            }
            let start = start::extension(process.serial, &self.spec, program, &process.at);
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let entrance = frozen_entrance(place.group.as_ref())?;
            let descriptors: Vec<_> = std::iter::once(&written_to).chain(&entrance).map(OwnedFd::as_fd).collect();
            place.init.order(&Order::StartExtension { number, start }, &descriptors).await?;
            drop(descriptors);
            loop {
                match place.replies.recv().await {
                    Some((Told::ExtensionStarted, descriptors)) => {
                        let mut all = process.extensions_memory.lock().unwrap_or_else(PoisonError::into_inner);
                        all.push(ProcessMemory::new(descriptors));
                        break;
                    }
                    Some((Told::NotExecuted { program, errno }, _)) => {
                        let error_type = if errno == libc::EACCES { "PermissionDenied" } else { "UnknownError" };
                        return refused(error_type, start::not_executed(&program, &place.paths, errno));
                    }
                    Some(_) => {}
                    None => return Err(LaunchError::Ended { who: "init" }.into()),
                }
            }
        }
        Ok(Ok(()))
    }

    /// Whatever it waits for, the environment's end is not made to wait for it: what is half done `end` takes away.
    async fn init(&self, deadline: Duration, allowed: Duration) -> Result<InitEnd, EnvironmentError> {
        tokio::select! {
            biased;
            () = self.life.wait() => Ok(InitEnd::Failed(KILLED)),
            end = self.init_unless_stopped(deadline, allowed) => end,
        }
    }

    async fn init_unless_stopped(&self, deadline: Duration, allowed: Duration) -> Result<InitEnd, EnvironmentError> {
        let interpreter = self.interpreter().await?;
        let mut place = self.place.lock().await;
        self.finish_failing(&mut place).await;
        self.take_current();
        let clock = &self.shared.clock;
        let started = tokio::select! {
            biased;
            started = self.start_anywhere(&mut place, interpreter.as_ref()) => started?,
            () = clock.wake_at(deadline) => {
                // An init that does not follow orders does not end gently either.
                if let Some(place) = place.take() {
                    place.init.kill(false);
                }
                Err(Failure::TimedOut(allowed))
            }
        };
        let (process, ready) = match started {
            Ok(started) => started,
            Err(failure) => {
                if let Some(process) = self.current.get() {
                    self.tell_of(&process.extensions);
                }
                self.fail(&mut place, &failure).await;
                return Ok(InitEnd::Failed(failure));
            }
        };
        let failure = tokio::select! {
            biased;
            ready = self.get_ready(&mut place, interpreter.as_ref(), &process, ready) => match ready? {
                Ok(()) => {
                    self.tell_of(&process.extensions);
                    // Should the first invocation be the last, this is what is known.
                    self.note_memory(&process);
                    // Its share of the processor is what it has from here on; an initialisation has all there is.
                    if let Some(group) = &process.group
                        && let Err(error) = group.limit_cpu(self.spec.memory_mb.into())
                    {
                        tracing::warn!(%error, "a function's share of the processor is not limited");
                    }
                    process.rest.idle(&self.shared.freezer);
                    return Ok(InitEnd::Ready);
                }
                Err(failure) => failure,
            },
            () = clock.wake_at(deadline) => Failure::TimedOut(allowed),
        };
        if let Failure::Reported { .. } = &failure {
            // Its last lines are worth waiting for; it is about to exit.
            let until = deadline.min(clock.elapsed() + LAST_WORDS);
            tokio::select! {
                biased;
                _ = process.conversation.expect_end() => {}
                () = clock.wake_at(until) => {}
            }
        }
        self.tell_of(&process.extensions);
        drop(process);
        self.fail(&mut place, &failure).await;
        Ok(InitEnd::Failed(failure))
    }

    /// At the end of an initialisation: what became of each extension.
    fn tell_of(&self, extensions: &Extensions) {
        if extensions.any() {
            extensions.statuses().iter().for_each(|status| self.output.record(status));
        }
        self.telemetry.close();
    }

    /// Waits until the external extensions have registered, starts the runtime, and waits until it is ready and every
    /// extension has asked for its first event.
    async fn get_ready(
        &self,
        place: &mut Option<Place>,
        interpreter: Option<&Interpreter>,
        process: &Arc<Process>,
        ready: oneshot::Receiver<Result<(), Failure>>,
    ) -> Result<Result<(), Failure>, EnvironmentError> {
        if process.extensions.any_external() {
            if let Err(failure) = process.extensions.registered().await {
                return Ok(Err(failure));
            }
            let Some(place) = place.as_mut() else { return Ok(Err(KILLED)) };
            if let Err(failure) = self.start_runtime(place, interpreter, process).await? {
                return Ok(Err(failure));
            }
        }
        match ready.await {
            Ok(Ok(())) => Ok(process.extensions.ready().await),
            Ok(Err(failure)) => Ok(Err(failure)),
            Err(_) => Ok(Err(KILLED)),
        }
    }

    /// Starts a runtime process where the one before was, or in a new place.
    async fn start_anywhere(
        &self,
        place: &mut Option<Place>,
        interpreter: Option<&Interpreter>,
    ) -> Result<Result<Started, Failure>, EnvironmentError> {
        // An init or a spawner that was killed is replaced once; the folder, and so `/tmp`, stays.
        let mut is_new = false;
        loop {
            let usable = place.take().filter(|place| !place.replies.is_closed());
            let usable = if let Some(usable) = usable {
                place.insert(usable)
            } else {
                is_new = true;
                place.insert(self.make_place(interpreter).await?)
            };
            match self.start_process(usable, interpreter).await {
                Err(EnvironmentError::Launch(_)) if !is_new => *place = None,
                started => return started,
            }
        }
    }

    /// Ends whatever runs; what it wrote has been handed on when this returns.
    async fn reset(&self, place: &mut Option<Place>, failure: &Failure) {
        // Of a process that is gone the kernel tells no more.
        if let Some(process) = self.current.get() {
            self.note_memory(&process);
        }
        self.end_all(place).await;
        if let Some(process) = self.take_current() {
            process.conversation.end(failure);
        }
    }

    /// Has the init end everything, or ends it.
    async fn end_all(&self, place: &mut Option<Place>) {
        let Some(standing) = place else { return };
        // What stands still does not always end.
        if let Some(process) = self.current.get() {
            process.rest.busy().await;
        }
        let limit = self.shared.clock.wake_at(self.shared.clock.elapsed() + RESET_LIMIT);
        let done = async {
            standing.init.order(&Order::Reset, &[]).await.ok()?;
            loop {
                if let (Told::WasReset, _) = standing.replies.recv().await? {
                    return Some(());
                }
            }
        };
        let done = tokio::select! { biased; done = done => done, () = limit => None };
        if done.is_none() {
            standing.init.kill(!standing.has_namespace);
            *place = None;
        }
    }

    /// The current process is no longer; what is known of its memory stays.
    fn take_current(&self) -> Option<Arc<Process>> {
        let process = self.current.set(None)?;
        self.note_memory(&process);
        Some(process)
    }

    fn note_memory(&self, process: &Process) {
        let alive = process.memory.get().map_or(0, ProcessMemory::most_bytes);
        let runtime = alive.max(process.peak_bytes.load(Ordering::Relaxed));
        // Extensions share the function's memory (AWS developer guide, lambda-extensions).
        let extensions = process.extensions_memory.lock().unwrap_or_else(PoisonError::into_inner);
        let most = runtime + extensions.iter().map(ProcessMemory::most_bytes).sum::<u64>();
        let limit = u64::from(self.spec.memory_mb) << 20;
        let most = if process.out_of_memory.load(Ordering::Relaxed) { limit } else { most };
        self.memory_most_bytes.fetch_max(most, Ordering::Relaxed);
    }

    /// Ends whatever runs because of a failure.
    async fn break_off(&self, failure: Failure) -> Failure {
        if let Some(process) = self.current.get() {
            process.conversation.doom(&failure);
        }
        // On the heap: it is rare, and would make every invocation's future several times as large.
        Box::pin(async {
            let mut place = self.place.lock().await;
            self.fail(&mut place, &failure).await;
        })
        .await;
        failure
    }

    /// Ends whatever runs at once; where there are extensions, which hear of it, [`Environment::recover`] does.
    async fn fail(&self, place: &mut Option<Place>, failure: &Failure) {
        let Some(process) = self.current.get().filter(|process| process.extensions.any()) else {
            return self.reset(place, failure).await;
        };
        process.extensions.begin_to_end();
        process.conversation.end(failure);
        *self.current.failing() = Some((process, Reason::of(failure)));
        self.take_current();
    }

    /// Ends what a failure has left.
    async fn recover(&self) {
        let mut place = self.place.lock().await;
        tokio::select! {
            biased;
            () = self.life.wait() => {}
            () = self.finish_failing(&mut place) => {}
        }
    }

    async fn finish_failing(&self, place: &mut Option<Place>) {
        // It stays where it is until it is done: what is broken off is begun again by whoever comes next.
        let failing = self.current.failing().clone();
        let Some((process, reason)) = failing else { return };
        self.shut_down(&process, reason).await;
        self.end_all(place).await;
        process.extensions.all_ended();
        self.telemetry.end();
        self.current.failing().take_if(|(failing, _)| Arc::ptr_eq(failing, &process));
    }

    /// The shutdown phase: the runtime is asked to end, then the extensions; each has its time.
    async fn shut_down(&self, process: &Process, reason: Reason) {
        let extensions = &process.extensions;
        if !extensions.any() {
            return;
        }
        extensions.begin_to_end();
        process.rest.busy().await;
        let clock = &self.shared.clock;
        let begun = clock.elapsed();
        let is_external = extensions.any_external();
        let (all, runtime) =
            if is_external { (SHUTDOWN_EXTERNAL, SHUTDOWN_RUNTIME) } else { (SHUTDOWN_INTERNAL, SHUTDOWN_INTERNAL) };
        if extensions.has_runtime() {
            process.init.quietly(Deed::TerminateRuntime).await;
            tokio::select! {
                biased;
                () = extensions.runtime_gone() => {}
                () = clock.wake_at(begun + runtime) => process.init.quietly(Deed::KillRuntime).await,
            }
        }
        if is_external {
            self.telemetry.hurry();
            let left = (begun + all).saturating_sub(clock.elapsed());
            let deadline_ms = (clock.now() + left).as_millisecond();
            tokio::select! {
                biased;
                () = extensions.shut_down(deadline_ms, reason) => {}
                () = clock.wake_at(begun + all) => {}
            }
        }
    }

    async fn invoke(&self, event: Event) -> Answer {
        let Some(process) = self.current.get() else { return Answer::Failed(KILLED) };
        let (deadline, allowed) = (event.deadline, event.allowed);
        let event = Arc::new(event);
        process.rest.busy().await;
        let answer = match process.conversation.invoke(event.clone()) {
            Ok(answer) => answer,
            Err(failure) => return Answer::Failed(self.break_off_unless_gone(&process, failure).await),
        };
        process.extensions.invoke(&event);
        let answer = tokio::select! {
            biased;
            answer = answer => answer.unwrap_or(Answer::Failed(KILLED)),
            () = self.shared.clock.wake_at(deadline) => {
                Answer::Failed(self.break_off(Failure::TimedOut(allowed)).await)
            }
        };
        match answer {
            // An answer that broke off leaves a runtime that goes on with whatever it does.
            Answer::Failed(failure) if failure.breaks_environment() => {
                Answer::Failed(self.break_off_unless_gone(&process, failure).await)
            }
            answer => answer,
        }
    }

    /// Ends what is left after a failure, if anything is.
    async fn break_off_unless_gone(&self, process: &Process, failure: Failure) -> Failure {
        let is_left = !process.conversation.has_ended() || process.extensions.any();
        let is_current = self.current.get().is_some_and(|current| current.serial == process.serial);
        if is_left && is_current { self.break_off(failure).await } else { failure }
    }

    async fn settle(&self) -> Result<(), Failure> {
        let Some(process) = self.current.get() else { return Err(KILLED) };
        let settled = match process.conversation.settle() {
            Settling::Done(Ok(())) if !process.extensions.any() => Ok(()),
            Settling::Done(Err(failure)) => Err(failure),
            Settling::Done(Ok(())) => match process.extensions.last_event() {
                Some(event) => self.settle_all(&process, None, &event).await,
                None => Ok(()),
            },
            Settling::Wait(event, settled) => self.settle_all(&process, Some(settled), &event).await,
        };
        match settled {
            Ok(()) => {
                process.rest.idle(&self.shared.freezer);
                Ok(())
            }
            Err(failure) => Err(self.break_off_unless_gone(&process, failure).await),
        }
    }

    /// Waits for the runtime and for every extension that was told of the event, until its deadline.
    async fn settle_all(
        &self,
        process: &Process,
        runtime: Option<oneshot::Receiver<Result<(), Failure>>>,
        event: &Event,
    ) -> Result<(), Failure> {
        let settled = async {
            if let Some(runtime) = runtime {
                runtime.await.unwrap_or(Err(KILLED))?;
            }
            if process.extensions.any() { process.extensions.settled().await } else { Ok(()) }
        };
        tokio::select! {
            biased;
            settled = settled => settled,
            () = self.shared.clock.wake_at(event.deadline) => Err(Failure::TimedOut(event.allowed)),
        }
    }

    pub(crate) async fn end(&self) {
        if !self.life.end() {
            return;
        }
        let place = self.place.lock().await.take();
        let failing = self.current.failing().clone();
        if let Some((process, reason)) = failing {
            self.shut_down(&process, reason).await;
        }
        if let Some(process) = self.current.get() {
            self.shut_down(&process, Reason::Spindown).await;
            process.conversation.end(&KILLED);
        }
        self.take_current();
        self.telemetry.end();
        clear(place, self.folder.clone(), self.shared.clone()).await;
    }
}

/// The way into the group of those that stand still between two calls.
pub(crate) fn frozen_entrance(group: Option<&Arc<Cgroup>>) -> Result<Vec<OwnedFd>, EnvironmentError> {
    let Some(group) = group else { return Ok(Vec::new()) };
    let entrance = group.frozen_entrance().map(Entrance::into_descriptors);
    entrance.map_err(|source| EnvironmentError::Resources { doing: "open a control group", source })
}

/// Ends an environment's processes and removes its folder.
async fn clear(place: Option<Place>, folder: PathBuf, shared: Arc<Shared>) {
    if let Some(place) = place {
        place.listener.abort();
        if let Some(visitors) = &place.visitors {
            visitors.abort();
        }
        if let Some(group) = &place.group {
            let _ = group.thaw();
        }
        place.init.kill(!place.has_namespace);
        tokio::select! {
            () = place.init.gone() => {}
            () = shared.clock.wake_at(shared.clock.elapsed() + STOP_LIMIT) => {
                tracing::warn!(folder = %folder.display(), "a process of an environment does not end");
            }
        }
        place.init.unlink();
        // Who looks after idle environments may look at this one once more.
        if let Some(group) = &place.group {
            group.end();
        }
    }
    shared.give_back.soon(&shared.clock);
    let shown = folder.display().to_string();
    let removed = tasks::off_thread("removing an environment's folder", move || folders::remove(&folder)).await;
    match removed {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(folder = shown, %error, "the folder of an environment stays until the next start");
        }
        Err(fault) => tracing::warn!(folder = shown, error = fault.chain(), "the folder of an environment stays"),
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        if self.life.is_over() {
            return;
        }
        self.current.set(None);
        let place = self.place.get_mut().take();
        // Outside of the runtime nothing can wait; the init ends with its socket, and the folder at the next start.
        if tokio::runtime::Handle::try_current().is_ok() {
            let ended = clear(place, self.folder.clone(), self.shared.clone());
            tasks::spawn("ending an environment", ended).detach();
        }
    }
}

/// Hears what an init tells until it, or the spawner that it depends on, is gone.
async fn listen(
    (init, group): (Arc<Init>, Option<Arc<Cgroup>>),
    spawner: Arc<Lifetime>,
    replies: mpsc::Sender<Reply>,
    (current, number): (Arc<Current>, u32),
    has_namespace: bool,
) {
    let mut ooms_seen = 0;
    loop {
        let told = tokio::select! {
            told = init.told() => told,
            () = spawner.wait() => None,
        };
        match told {
            None => break,
            Some((Told::Exited { serial, exit, peak_bytes }, _)) => {
                // What it sent before it ended may have arrived together with this: connections go first.
                tokio::task::yield_now().await;
                if let Some(process) = current.find(|process| process.serial == serial) {
                    process.peak_bytes.store(peak_bytes, Ordering::Relaxed);
                    process.extensions.runtime_ended();
                    let ooms = group.as_ref().and_then(|group| group.oom_kills().ok()).unwrap_or(0);
                    let is_oom = exit == Exit::KILLED && ooms > ooms_seen;
                    ooms_seen = ooms;
                    if is_oom {
                        process.out_of_memory.store(true, Ordering::Relaxed);
                    }
                    process.conversation.end(&if is_oom { Failure::OutOfMemory } else { Failure::Exited(exit) });
                }
            }
            Some((Told::ExtensionExited { serial, number, exit }, _)) => {
                tokio::task::yield_now().await;
                if let Some(process) = current.find(|process| process.serial == serial) {
                    let number = usize::try_from(number).unwrap_or(usize::MAX);
                    if let Some(failure) = process.extensions.exited(number, exit) {
                        process.conversation.end(&failure);
                    }
                }
            }
            Some((Told::Socket, mut descriptors)) => init.give_socket(descriptors.pop()),
            Some(reply) => {
                if replies.send(reply).await.is_err() {
                    break;
                }
            }
        }
    }
    init.kill(!has_namespace);
    init.gone().await;
    drop(replies);
    while let Some(process) = current.find(|process| process.place == number && !process.extensions.has_ended()) {
        process.extensions.all_ended();
        process.conversation.end(&KILLED);
    }
}

/// Folders that the runtime needs and the view would hide.
pub(crate) fn kept(interpreter: &Interpreter, base: Base) -> Vec<PathBuf> {
    let command = &interpreter.command;
    let needed = [Some(command.clone()), command.canonicalize().ok(), interpreter.packages.clone()];
    let kept: BTreeSet<PathBuf> =
        needed.into_iter().flatten().filter_map(|path| view_keep(&path, base)).filter(|path| path.is_dir()).collect();
    kept.into_iter().collect()
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment")
            .field("id", &self.spec.id)
            .field("runtime", &self.spec.runtime)
            .finish_non_exhaustive()
    }
}

impl ports::Environment for Environment {
    fn init(&self, deadline: Duration, allowed: Duration) -> Wait<'_, Result<InitEnd, Fault>> {
        Box::pin(
            async move { self.init(deadline, allowed).await.map_err(|error| Fault::new("start a runtime", error)) },
        )
    }

    fn invoke(&self, event: Event) -> Wait<'_, Answer> {
        Box::pin(self.invoke(event))
    }

    fn settle(&self) -> Wait<'_, Result<(), Failure>> {
        Box::pin(self.settle())
    }

    fn recover(&self) -> Wait<'_, ()> {
        Box::pin(self.recover())
    }

    fn observe(&self, at: Timestamp, record: &Record) {
        self.telemetry.record(at, record);
    }

    fn is_observed(&self) -> bool {
        self.telemetry.is_heard()
    }

    fn is_ready(&self) -> bool {
        // Asked of the kernel: what was killed in between has perhaps not been heard of.
        let is_ready =
            |process: Arc<Process>| process.conversation.is_ready() && process.init.is_there(&process.spawner);
        self.current.get().is_some_and(is_ready)
    }

    fn memory_used_bytes(&self) -> u64 {
        if let Some(process) = self.current.get() {
            self.note_memory(&process);
        }
        self.memory_most_bytes.load(Ordering::Relaxed)
    }

    fn stop(&self) -> Wait<'_, ()> {
        Box::pin(self.end())
    }
}
