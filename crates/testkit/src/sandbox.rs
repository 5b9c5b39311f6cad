//! A sandbox without Linux: environments that do what the test tells them.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use domain::Fault;
use domain::environment::{Failure, InitEnd};
use domain::isolation::Isolation;
use domain::names::RequestId;
use domain::network::Network;
use domain::runtime::Runtime;
use engine::ports::{Answer, Clock, Environment, EnvironmentSpec, Event, Output, Sandbox, Stream, Wait};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

/// What one environment does, step by step; what is not scripted succeeds.
#[derive(Clone, Debug)]
pub enum Step {
    /// The next initialisation fails like this, or never ends before its deadline (`Failure::TimedOut`).
    InitFails(Failure),
    /// The next initialisation takes this long.
    InitTakes(Duration),
    /// The next invocation answers this.
    Answers(Bytes),
    /// The next invocation streams these pieces, and then fails like that if it does; to a caller who takes it whole
    /// it answers them together.
    Streams(Vec<Bytes>, Option<Failure>),
    /// The next invocation fails like this.
    Fails(Failure),
    /// The next invocation never ends before its deadline.
    Hangs,
    /// The next invocation answers with its event after this time.
    Takes(Duration),
    /// The next invocation makes the sandbox itself panic: a mistake of ours.
    Panics,
    /// After the next answer the runtime does not ask for the next event, and fails like this.
    SettleFails(Failure),
    /// After the next answer the runtime asks for the next event only after this time.
    SettleTakes(Duration),
    /// The next invocation prints this before it answers.
    Prints(&'static str),
    /// The next environment that is told to end takes this long.
    StopTakes(Duration),
}

/// One invocation that began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// When, on the calendar.
    pub at: Timestamp,
    /// Its request id.
    pub request_id: RequestId,
    /// What the function was told to be.
    pub invoked_arn: String,
    /// The event.
    pub payload: Bytes,
    /// The code that ran.
    pub code: PathBuf,
}

/// Decides what invocations do, where the script says nothing.
pub trait Plan: Send + Sync {
    /// One begins.
    fn begins(&self, event: &Event) -> Step;
    /// It has ended, and the engine will hear of it unless it dies before.
    fn ended(&self, _event: &Event) {}
}

/// See the module.
pub struct FakeSandbox {
    clock: Arc<dyn Clock>,
    script: Arc<Mutex<VecDeque<Step>>>,
    /// Specs of all environments started, in order.
    pub started: Mutex<Vec<EnvironmentSpec>>,
    ran: Arc<Mutex<Vec<Ran>>>,
    plan: Arc<Mutex<Option<Arc<dyn Plan>>>>,
    alive: Arc<AtomicUsize>,
    running: Arc<AtomicUsize>,
    running_most: Arc<AtomicUsize>,
    memory_full: AtomicBool,
    unsupported: Mutex<Vec<Runtime>>,
    level: Mutex<Isolation>,
    ungiven: Mutex<Vec<Network>>,
}

impl FakeSandbox {
    /// Nothing scripted: each event is answered with itself.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            script: Arc::default(),
            started: Mutex::default(),
            ran: Arc::default(),
            plan: Arc::default(),
            alive: Arc::default(),
            running: Arc::default(),
            running_most: Arc::default(),
            memory_full: AtomicBool::new(false),
            unsupported: Mutex::default(),
            level: Mutex::new(Isolation::Process),
            ungiven: Mutex::default(),
        })
    }

    /// Adds to what comes next.
    pub fn script(&self, steps: impl IntoIterator<Item = Step>) {
        lock(&self.script).extend(steps);
    }

    /// From now on somebody decides what invocations do that are not scripted.
    pub fn follow(&self, plan: Arc<dyn Plan>) {
        *lock(&self.plan) = Some(plan);
    }

    /// Every invocation that began, in order.
    pub fn ran(&self) -> Vec<Ran> {
        lock(&self.ran).clone()
    }

    /// How many environments there are.
    pub fn alive(&self) -> usize {
        self.alive.load(Ordering::Acquire)
    }

    /// How many invocations ran at the same time, at most.
    pub fn running_most(&self) -> usize {
        self.running_most.load(Ordering::Acquire)
    }

    /// Whether the machine says that its memory is used up.
    pub fn set_memory_full(&self, full: bool) {
        self.memory_full.store(full, Ordering::Release);
    }

    /// From now on that level is in force.
    pub fn set_level(&self, level: Isolation) {
        *lock(&self.level) = level;
    }

    /// From now on that network is not to be had.
    pub fn remove_network(&self, network: Network) {
        lock(&self.ungiven).push(network);
    }

    /// From now on that runtime is missing.
    pub fn remove_runtime(&self, runtime: Runtime) {
        lock(&self.unsupported).push(runtime);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sandbox for FakeSandbox {
    fn supports(&self, runtime: Runtime) -> Wait<'_, Result<(), String>> {
        let missing = lock(&self.unsupported).contains(&runtime);
        Box::pin(async move { if missing { Err(format!("{runtime} was not found")) } else { Ok(()) } })
    }

    fn level(&self) -> Isolation {
        *lock(&self.level)
    }

    fn gives(&self, network: Network) -> Result<(), String> {
        if lock(&self.ungiven).contains(&network) { Err("it is not to be had".to_owned()) } else { Ok(()) }
    }

    fn runtime_version(&self, runtime: Runtime) -> String {
        format!("fake:{runtime}")
    }

    fn start(&self, spec: EnvironmentSpec, output: Arc<dyn Output>) -> Wait<'_, Result<Arc<dyn Environment>, Fault>> {
        let code = match &spec.image {
            None => spec.code.clone(),
            Some(used) => used.image.resolved.clone().into(),
        };
        lock(&self.started).push(spec);
        self.alive.fetch_add(1, Ordering::AcqRel);
        let environment = FakeEnvironment {
            clock: self.clock.clone(),
            script: self.script.clone(),
            ran: self.ran.clone(),
            plan: self.plan.clone(),
            code,
            output,
            ready: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            alive: self.alive.clone(),
            running: self.running.clone(),
            running_most: self.running_most.clone(),
            uploading: Mutex::default(),
        };
        Box::pin(async move { Ok(Arc::new(environment) as Arc<dyn Environment>) })
    }

    fn memory_available(&self) -> f64 {
        if self.memory_full.load(Ordering::Acquire) { 0.05 } else { 0.5 }
    }
}

struct FakeEnvironment {
    clock: Arc<dyn Clock>,
    script: Arc<Mutex<VecDeque<Step>>>,
    ran: Arc<Mutex<Vec<Ran>>>,
    plan: Arc<Mutex<Option<Arc<dyn Plan>>>>,
    code: PathBuf,
    output: Arc<dyn Output>,
    ready: AtomicBool,
    stopped: AtomicBool,
    alive: Arc<AtomicUsize>,
    running: Arc<AtomicUsize>,
    running_most: Arc<AtomicUsize>,
    uploading: Mutex<Option<Uploading>>,
}

/// A stream under way: what is still to be sent, to whom, how it ends, and when its time is up.
struct Uploading {
    left: std::vec::IntoIter<Bytes>,
    pieces: mpsc::Sender<Bytes>,
    ended: oneshot::Sender<Result<u64, Failure>>,
    failure: Option<Failure>,
    event: Event,
}

impl std::fmt::Debug for FakeEnvironment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeEnvironment")
    }
}

impl FakeEnvironment {
    /// The first scripted step that `fits`, taken out of the script.
    fn take(&self, fits: impl Fn(&Step) -> bool) -> Option<Step> {
        let mut script = lock(&self.script);
        let at = script.iter().position(fits)?;
        script.remove(at)
    }
}

impl Environment for FakeEnvironment {
    fn init(&self, deadline: Duration, allowed: Duration) -> Wait<'_, Result<InitEnd, Fault>> {
        Box::pin(async move {
            self.ready.store(false, Ordering::Release);
            let end = match self.take(|step| matches!(step, Step::InitFails(_) | Step::InitTakes(_))) {
                Some(Step::InitFails(Failure::TimedOut(_))) => {
                    self.clock.wake_at(deadline).await;
                    InitEnd::Failed(Failure::TimedOut(allowed))
                }
                Some(Step::InitFails(failure)) => InitEnd::Failed(failure),
                Some(Step::InitTakes(time)) => {
                    self.clock.wake_at(self.clock.elapsed() + time).await;
                    InitEnd::Ready
                }
                _ => InitEnd::Ready,
            };
            self.ready.store(end == InitEnd::Ready, Ordering::Release);
            Ok(end)
        })
    }

    fn invoke(&self, event: Event) -> Wait<'_, Answer> {
        Box::pin(async move {
            let now = self.running.fetch_add(1, Ordering::AcqRel) + 1;
            self.running_most.fetch_max(now, Ordering::AcqRel);
            // Others get their turn while this one runs.
            tokio::task::yield_now().await;
            if let Some(Step::Prints(text)) = self.take(|step| matches!(step, Step::Prints(_))) {
                self.output.line(text.as_bytes());
            }
            lock(&self.ran).push(Ran {
                at: self.clock.now(),
                request_id: event.request_id,
                invoked_arn: event.invoked_arn.clone(),
                payload: event.payload.clone(),
                code: self.code.clone(),
            });
            let fits = |step: &Step| {
                let runs = matches!(step, Step::Answers(_) | Step::Fails(_) | Step::Hangs | Step::Streams(..));
                runs || matches!(step, Step::Takes(_) | Step::Panics)
            };
            let plan = lock(&self.plan).clone();
            let asked = event.clone();
            let step = self.take(fits).or_else(|| plan.as_ref().map(|plan| plan.begins(&event)));
            let answer = match step {
                Some(Step::Streams(left, None)) if !event.takes_stream => Answer::Collected(left.concat().into()),
                Some(Step::Streams(_, Some(failure))) if !event.takes_stream => Answer::Failed(failure),
                Some(Step::Streams(left, failure)) => {
                    let ((pieces, taken), (ended, told)) = (mpsc::channel(1), oneshot::channel());
                    let left = left.into_iter();
                    *lock(&self.uploading) = Some(Uploading { left, pieces, ended, failure, event });
                    Answer::Stream(Stream { pieces: taken, ended: told })
                }
                Some(Step::Answers(bytes)) => Answer::Response(bytes),
                Some(Step::Fails(failure)) => Answer::Failed(failure),
                Some(Step::Hangs) => {
                    self.clock.wake_at(event.deadline).await;
                    Answer::Failed(Failure::TimedOut(event.allowed))
                }
                Some(Step::Takes(time)) => {
                    self.clock.wake_at(self.clock.elapsed() + time).await;
                    Answer::Response(event.payload)
                }
                Some(Step::Panics) => panic!("the test wants the sandbox to panic"),
                _ => Answer::Response(event.payload),
            };
            self.running.fetch_sub(1, Ordering::AcqRel);
            if let Some(plan) = plan {
                plan.ended(&asked);
            }
            if let Answer::Failed(failure) = &answer {
                self.ready.store(!failure.breaks_environment(), Ordering::Release);
            }
            answer
        })
    }

    fn settle(&self) -> Wait<'_, Result<(), Failure>> {
        Box::pin(async move {
            let uploading = lock(&self.uploading).take();
            if let Some(Uploading { left, pieces, ended, failure, event }) = uploading {
                let bytes = left.as_slice().iter().map(|piece| piece.len() as u64).sum();
                let send = async {
                    for piece in left {
                        // Thrown away where nobody listens any more.
                        let _ = pieces.send(piece).await;
                    }
                };
                let failure = tokio::select! {
                    biased;
                    () = send => failure,
                    () = self.clock.wake_at(event.deadline) => Some(Failure::TimedOut(event.allowed)),
                };
                drop(pieces);
                let _ = ended.send(failure.clone().map_or(Ok(bytes), Err));
                if let Some(failure) = failure.filter(Failure::breaks_environment) {
                    self.ready.store(false, Ordering::Release);
                    return Err(failure);
                }
            }
            match self.take(|step| matches!(step, Step::SettleFails(_) | Step::SettleTakes(_))) {
                Some(Step::SettleTakes(time)) => {
                    self.clock.wake_at(self.clock.elapsed() + time).await;
                    Ok(())
                }
                Some(Step::SettleFails(failure)) => {
                    self.ready.store(false, Ordering::Release);
                    Err(failure)
                }
                _ => Ok(()),
            }
        })
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    fn memory_used_bytes(&self) -> u64 {
        30 * domain::limits::MIB
    }

    fn stop(&self) -> Wait<'_, ()> {
        Box::pin(async move {
            if let Some(Step::StopTakes(time)) = self.take(|step| matches!(step, Step::StopTakes(_))) {
                self.clock.wake_at(self.clock.elapsed() + time).await;
            }
            if !self.stopped.swap(true, Ordering::AcqRel) {
                self.alive.fetch_sub(1, Ordering::AcqRel);
            }
        })
    }
}

impl Drop for FakeEnvironment {
    fn drop(&mut self) {
        if !self.stopped.swap(true, Ordering::AcqRel) {
            self.alive.fetch_sub(1, Ordering::AcqRel);
        }
    }
}
