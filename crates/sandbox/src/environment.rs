//! One execution environment: its folder, its init, and the runtime process that it has now.
//!
//! Never here: when to use it, and what a failure means to the caller.

use std::collections::BTreeSet;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use domain::Fault;
use domain::environment::{Exit, Failure, InitEnd};
use engine::ports::{self, Answer, EnvironmentSpec, Event, Output, Wait};
use engine::tasks::{self, Task};
use tokio::sync::{mpsc, oneshot};

use crate::folders;
use crate::launcher::client::{Init, LaunchError, Lifetime, Spawner};
use crate::launcher::protocol::{Order, Places, Told};
use crate::launcher::view_keep;
use crate::memory::RuntimeMemory;
use crate::output::OutputPipe;
use crate::runtime_api::{self, conversation::Conversation, conversation::Settling};
use crate::runtimes::Interpreter;
use crate::sandbox::Shared;
use crate::start::{self, Paths};

/// How long a runtime that has reported a failed initialisation may take to exit by itself.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How long an init may take to end everything before it is killed itself.
const RESET_LIMIT: Duration = Duration::from_secs(2);
/// How long ending may take altogether, before the folder is removed anyway: a process that the kernel holds.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(10);

/// See the module.
pub(crate) struct Environment {
    shared: Arc<Shared>,
    spec: EnvironmentSpec,
    output: Arc<dyn Output>,
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
    #[error("{remedy}")]
    Interpreter { remedy: String },
}

/// The init, and who listens to it.
struct Place {
    number: u32,
    init: Arc<Init>,
    spawner: Arc<Spawner>,
    replies: mpsc::Receiver<Reply>,
    listener: Task<()>,
    paths: Paths,
    has_namespace: bool,
}

/// What an init says in answer to an order.
type Reply = (Told, Vec<std::os::fd::OwnedFd>);

/// A runtime process, and the news that it is ready.
type Started = (Arc<Process>, oneshot::Receiver<Result<(), Failure>>);

/// The runtime process of the moment.
#[derive(Default)]
struct Current(Mutex<Option<Arc<Process>>>);

struct Process {
    serial: u32,
    /// The place that it was started in: the end of an earlier one does not concern it.
    place: u32,
    conversation: Arc<Conversation>,
    /// Without whom it ends.
    init: Arc<Init>,
    spawner: Arc<Spawner>,
    memory: OnceLock<RuntimeMemory>,
    /// Told by the kernel at its end; 0 before.
    peak_bytes: AtomicU64,
    server: Task<()>,
    pump: Task<()>,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.server.abort();
        self.pump.abort();
    }
}

impl Current {
    fn get(&self) -> Option<Arc<Process>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, process: Option<Arc<Process>>) -> Option<Arc<Process>> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), process)
    }
}

/// The init was killed, and with it the runtime.
const KILLED: Failure = Failure::Exited(Exit::Signal(libc::SIGKILL));

impl Environment {
    /// Makes the folder and the view of a new environment.
    pub(crate) async fn prepare(
        shared: Arc<Shared>,
        spec: EnvironmentSpec,
        output: Arc<dyn Output>,
    ) -> Result<Self, EnvironmentError> {
        let folder = shared.folders.environments.join(spec.id.to_string());
        let environment = Self {
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
        let client = self.shared.folders.client(self.spec.runtime.family());
        let code = std::path::absolute(&self.spec.code)
            .map_err(|source| EnvironmentError::Folder { path: self.spec.code.clone(), source })?;
        let kept = interpreter.map(kept).unwrap_or_default();
        let places = Places { code: code.clone(), clients: client.clone(), storage: self.storage(), kept };
        let mut spawner = self.shared.spawner().await?;
        let init = match spawner.prepare(places.clone()).await {
            // It, or the init, was killed meanwhile.
            Err(LaunchError::Socket { .. } | LaunchError::Ended { .. }) => {
                spawner = self.shared.spawner().await?;
                spawner.prepare(places).await?
            }
            prepared => prepared?,
        };
        let init = Arc::new(init);
        let has_namespace = spawner.refused.is_none();
        let paths = if has_namespace {
            Paths::own()
        } else {
            Paths { task: code, runtime: client, storage: Some(self.storage()) }
        };
        let number = self.places.fetch_add(1, Ordering::Relaxed);
        let (tell, replies) = mpsc::channel(4);
        let listener = tasks::spawn(
            "listening to an environment",
            listen(init.clone(), spawner.lifetime(), tell, (self.current.clone(), number), has_namespace),
        );
        Ok(Place { number, init, spawner, replies, listener, paths, has_namespace })
    }

    /// Starts a runtime process in place of the one before.
    async fn start_process(
        &self,
        place: &mut Place,
        interpreter: Option<&Interpreter>,
    ) -> Result<Result<Started, Failure>, EnvironmentError> {
        let failed = |doing| move |source| EnvironmentError::Resources { doing, source };
        let (listener, at) = runtime_api::bind().await.map_err(failed("bind a port for the Runtime API"))?;
        let (output, written_to) = OutputPipe::new(self.output.clone()).map_err(failed("make a pipe for output"))?;
        let serial = self.serials.fetch_add(1, Ordering::Relaxed);
        let conversation = Conversation::new(output.clone());
        let server = runtime_api::serve(listener, conversation.clone(), self.shared.clock.clone());
        let process = Arc::new(Process {
            serial,
            place: place.number,
            conversation,
            init: place.init.clone(),
            spawner: place.spawner.clone(),
            memory: OnceLock::new(),
            peak_bytes: AtomicU64::new(0),
            server: tasks::spawn("serving the Runtime API", server),
            pump: tasks::spawn("reading a function's output", output.pump()),
        });
        // Before it runs: it may be ready, or at its end, before we hear that it was started.
        let ready = process.conversation.expect_ready();
        self.current.set(Some(process.clone()));
        let order = Order::Start(start::start(serial, &self.spec, interpreter, &place.paths, &at));
        place.init.order(&order, &[written_to.as_fd()]).await?;
        drop(written_to);
        loop {
            match place.replies.recv().await {
                Some((Told::Started, descriptors)) => {
                    let _ = process.memory.set(RuntimeMemory::new(descriptors));
                    return Ok(Ok((process, ready)));
                }
                Some((Told::NoProgram, _)) => {
                    let text = match interpreter {
                        None => start::no_bootstrap(),
                        Some(gone) => start::not_executed(&gone.command, &place.paths, libc::ENOENT),
                    };
                    return Ok(Err(Failure::InvalidEntrypoint(text)));
                }
                Some((Told::NotExecuted { program, errno }, _)) => {
                    let text = start::not_executed(&program, &place.paths, errno);
                    return Ok(Err(Failure::InvalidEntrypoint(text)));
                }
                // The answer to an order that nobody waited for.
                Some(_) => {}
                None => return Err(LaunchError::Ended { who: "init" }.into()),
            }
        }
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
                if let Some(process) = self.take_current() {
                    process.conversation.end(&failure);
                }
                return Ok(InitEnd::Failed(failure));
            }
        };
        let failure = tokio::select! {
            biased;
            ready = ready => match ready {
                Ok(Ok(())) => {
                    // Should the first invocation be the last, this is what is known.
                    self.note_memory(&process);
                    return Ok(InitEnd::Ready);
                }
                Ok(Err(failure)) => failure,
                Err(_) => KILLED,
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
        drop(process);
        self.reset(&mut place, &failure).await;
        Ok(InitEnd::Failed(failure))
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
        if let Some(standing) = place {
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
        if let Some(process) = self.take_current() {
            process.conversation.end(failure);
        }
    }

    /// The current process is no longer; what is known of its memory stays.
    fn take_current(&self) -> Option<Arc<Process>> {
        let process = self.current.set(None)?;
        self.note_memory(&process);
        Some(process)
    }

    fn note_memory(&self, process: &Process) {
        let alive = process.memory.get().map_or(0, RuntimeMemory::most_bytes);
        let most = alive.max(process.peak_bytes.load(Ordering::Relaxed));
        self.memory_most_bytes.fetch_max(most, Ordering::Relaxed);
    }

    /// Ends whatever runs because of a failure.
    async fn break_off(&self, failure: Failure) -> Failure {
        if let Some(process) = self.current.get() {
            process.conversation.doom(&failure);
        }
        let mut place = self.place.lock().await;
        self.reset(&mut place, &failure).await;
        failure
    }

    async fn invoke(&self, event: Event) -> Answer {
        let Some(process) = self.current.get() else { return Answer::Failed(KILLED) };
        let (deadline, allowed) = (event.deadline, event.allowed);
        let answer = match process.conversation.invoke(event) {
            Ok(answer) => answer,
            Err(failure) => return Answer::Failed(failure),
        };
        let answer = tokio::select! {
            biased;
            answer = answer => answer.unwrap_or(Answer::Failed(KILLED)),
            () = self.shared.clock.wake_at(deadline) => {
                Answer::Failed(self.break_off(Failure::TimedOut(allowed)).await)
            }
        };
        match answer {
            // An answer that broke off leaves a runtime that goes on with whatever it does.
            Answer::Failed(failure) if failure.breaks_environment() && !process.conversation.has_ended() => {
                Answer::Failed(self.break_off(failure).await)
            }
            answer => answer,
        }
    }

    async fn settle(&self) -> Result<(), Failure> {
        let Some(process) = self.current.get() else { return Err(KILLED) };
        let settled = match process.conversation.settle() {
            Settling::Done(done) => done,
            Settling::Wait(event, settled) => tokio::select! {
                biased;
                settled = settled => settled.unwrap_or(Err(KILLED)),
                () = self.shared.clock.wake_at(event.deadline) => Err(Failure::TimedOut(event.allowed)),
            },
        };
        match settled {
            // The time is up, or a stream broke off: the runtime goes on with whatever it does.
            Err(failure) if !process.conversation.has_ended() => Err(self.break_off(failure).await),
            settled => settled,
        }
    }

    pub(crate) async fn end(&self) {
        if !self.life.end() {
            return;
        }
        let place = self.place.lock().await.take();
        if let Some(process) = self.take_current() {
            process.conversation.end(&KILLED);
        }
        clear(place, self.folder.clone(), self.shared.clone()).await;
    }
}

/// Ends an environment's processes and removes its folder.
async fn clear(place: Option<Place>, folder: PathBuf, shared: Arc<Shared>) {
    if let Some(place) = place {
        place.listener.abort();
        place.init.kill(!place.has_namespace);
        tokio::select! {
            () = place.init.gone() => {}
            () = shared.clock.wake_at(shared.clock.elapsed() + STOP_LIMIT) => {
                tracing::warn!(folder = %folder.display(), "a process of an environment does not end");
            }
        }
    }
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
    init: Arc<Init>,
    spawner: Arc<Lifetime>,
    replies: mpsc::Sender<Reply>,
    (current, number): (Arc<Current>, u32),
    has_namespace: bool,
) {
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
                if let Some(process) = current.get().filter(|process| process.serial == serial) {
                    process.peak_bytes.store(peak_bytes, Ordering::Relaxed);
                    process.conversation.end(&Failure::Exited(exit));
                }
            }
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
    if let Some(process) = current.get().filter(|process| process.place == number) {
        process.conversation.end(&KILLED);
    }
}

/// Folders that the runtime needs and the view would hide.
fn kept(interpreter: &Interpreter) -> Vec<PathBuf> {
    let command = &interpreter.command;
    let needed = [Some(command.clone()), command.canonicalize().ok(), interpreter.packages.clone()];
    let kept: BTreeSet<PathBuf> =
        needed.into_iter().flatten().filter_map(|path| view_keep(&path)).filter(|path| path.is_dir()).collect();
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
