//! The one way to run an invocation: resolve, admit, check out, run, give back.
//!
//! Never here: retries, queueing, wire types.

use std::fmt::Write as _;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use domain::arn::{Home, Target};
use domain::concurrency::Limits;
use domain::environment::{Failure, InitEnd, Readiness};
use domain::function::Function;
use domain::invocation::{self, Outcome};
use domain::lineage::Lineage;
use domain::log::{InitPhase, InitStart, Initialization, Record, Report, RuntimeDone, Span, Status};
use domain::names::{RequestId, Version};
use domain::trace::{Sampling, TraceHeader};
use domain::{Error, Fault, Refusal, limits, payload};
use tokio::sync::{mpsc, oneshot};

use crate::access::{self, Action, Caller};
use crate::admission::{Admission, Lease, Pace};
use crate::catalog::{Catalog, Deployed, Entry, Serving};
use crate::environments::{CheckedOut, Environments};
use crate::pool::Member;
use crate::ports::{Answer, Clock, Dice, Event, Metric, Sandbox, Stream, Telemetry};
use crate::{resolve, tasks};

/// Payloads from this size on are checked on a thread of their own: smaller ones cost less than the hand-over.
const CHECK_OFF_THREAD_BYTES: usize = 128 * 1024;

/// What one caller asks for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Of which function.
    pub target: Target,
    /// The id of the request; the function sees the same.
    pub request_id: RequestId,
    /// The event; empty means `{}`.
    pub payload: Bytes,
    /// The client context header, as it came.
    pub client_context: Option<String>,
    /// The trace header, as it came.
    pub trace: Option<String>,
    /// Whether the caller wants the end of the log.
    pub tail: bool,
}

/// What the caller gets once the function ran.
#[derive(Clone, Debug)]
pub struct Answered {
    /// What the function answered, or how it failed.
    pub outcome: Outcome,
    /// Which version ran.
    pub executed_version: Version,
    /// The end of the log, if asked for.
    pub tail: Option<Vec<u8>>,
    /// The trace header of this invocation.
    pub trace: String,
    /// Whether the function streamed it.
    pub streamed: bool,
}

/// What a caller who takes a stream gets once there is something to take.
#[derive(Debug)]
pub struct Streaming {
    /// Which version runs.
    pub executed_version: Version,
    /// The trace header of this invocation.
    pub trace: String,
    /// What the function answers.
    pub body: Body,
    /// How it ended; told after the body.
    pub completed: oneshot::Receiver<Completed>,
}

/// An answer for a caller who takes a stream.
#[derive(Debug)]
pub enum Body {
    /// Of a function that does not stream: in one piece, or nothing where it failed.
    Whole(Bytes),
    /// As it comes. Who drops it has left; the function runs to its end all the same.
    Pieces(mpsc::Receiver<Bytes>),
}

/// How a stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// How the function failed, if it did.
    pub error: Option<StreamError>,
    /// The end of the log, if asked for.
    pub tail: Option<Vec<u8>>,
}

/// What a stream says of a function that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamError {
    /// The error's type.
    pub code: String,
    /// The error as the function or the platform told it.
    pub details: Bytes,
}

/// Runs invocations.
pub struct Invoker {
    home: Home,
    catalog: Arc<Catalog>,
    admission: Arc<Admission>,
    environments: Arc<Environments>,
    sandbox: Arc<dyn Sandbox>,
    telemetry: Arc<dyn Telemetry>,
    clock: Arc<dyn Clock>,
    dice: Arc<dyn Dice>,
    sampling: Mutex<Sampling>,
}

impl Invoker {
    /// Wires it up.
    pub fn new(
        home: Home,
        (catalog, admission, environments): (Arc<Catalog>, Arc<Admission>, Arc<Environments>),
        (sandbox, telemetry): (Arc<dyn Sandbox>, Arc<dyn Telemetry>),
        (clock, dice): (Arc<dyn Clock>, Arc<dyn Dice>),
    ) -> Arc<Self> {
        let sampling = Mutex::default();
        Arc::new(Self { home, catalog, admission, environments, sandbox, telemetry, clock, dice, sampling })
    }

    /// The checks of an invocation, in AWS's order as far as it is known.
    async fn judge(&self, caller: &Caller, ask: &Ask, bytes_max: usize) -> Result<Judged, Error> {
        access::check(&self.home, caller, Action::InvokeFunction, &ask.target.arn)?;
        let (entry, version) = self.find(&ask.target)?;
        if ask.payload.len() > bytes_max {
            return Err(Refusal::RequestTooLarge { bytes_max, operation: "InvokeFunction" }.into());
        }
        let payload = invocation::event(ask.payload.clone());
        if payload.len() < CHECK_OFF_THREAD_BYTES {
            payload::check(&payload)?;
        } else {
            let payload = payload.clone();
            tasks::off_thread("checking a payload", move || payload::check(&payload)).await??;
        }
        let client_context = ask.client_context.as_deref().map(invocation::client_context).transpose()?;
        Ok(Judged { entry, version, payload, client_context })
    }

    /// The version that a call means, in a state to run.
    fn find(&self, target: &Target) -> Result<(Arc<Entry>, Deployed), Refusal> {
        let (entry, version) = resolve::for_invoke(&self.catalog, target, || self.dice.bits())?;
        version.function.check_invocable()?;
        Ok((entry, version))
    }

    /// The chain of invocations with this one in it.
    fn lineage(ask: &Ask, judged: &Judged) -> Result<Lineage, Refusal> {
        let Judged { entry, version, .. } = judged;
        Lineage::of_header(ask.trace.as_deref()).pass(&version.function.arn, entry.settings.recursion)
    }

    /// Judges an invocation as [`Invoker::invoke`] does and runs nothing.
    ///
    /// # Errors
    /// As for [`Invoker::invoke`], but for concurrency.
    pub async fn dry_run(&self, caller: &Caller, ask: Ask) -> Result<(), Error> {
        let judged = self.judge(caller, &ask, limits::SYNC_REQUEST_BYTES).await?;
        Self::lineage(&ask, &judged)?;
        Ok(())
    }

    /// Judges an event before it is accepted, of so many bytes at most; the answer is what the function will get.
    ///
    /// # Errors
    /// As for [`Invoker::invoke`], but for concurrency and for loops: these are judged when it runs.
    pub async fn judge_event(&self, caller: &Caller, ask: &Ask, bytes_max: usize) -> Result<Bytes, Error> {
        Ok(self.judge(caller, ask, bytes_max).await?.payload)
    }

    /// Runs an event that was accepted, with what the function is by now.
    ///
    /// # Errors
    /// The function cannot run: it is gone, it loops, or there is no room for it now.
    pub async fn run_event(self: &Arc<Self>, ask: Ask) -> Result<Answered, Error> {
        let (entry, version) = self.find(&ask.target)?;
        let judged = Judged { entry, version, payload: ask.payload.clone(), client_context: None };
        self.begin(judged, ask, Kind::Event, Tell::Answer).await
    }

    /// Runs a function and waits for its answer.
    ///
    /// # Errors
    /// The function could not run: permission, name, state, size, payload, concurrency. A function that ran and
    /// failed is no error.
    pub async fn invoke(self: &Arc<Self>, caller: &Caller, ask: Ask) -> Result<Answered, Error> {
        let judged = self.judge(caller, &ask, limits::SYNC_REQUEST_BYTES).await?;
        self.begin(judged, ask, Kind::Answered, Tell::Answer).await
    }

    /// Runs a function and waits for the beginning of its answer.
    ///
    /// # Errors
    /// As [`Invoker::invoke`].
    pub async fn invoke_with_response_stream(self: &Arc<Self>, caller: &Caller, ask: Ask) -> Result<Streaming, Error> {
        let judged = self.judge(caller, &ask, limits::SYNC_REQUEST_BYTES).await?;
        self.begin(judged, ask, Kind::Answered, Tell::Stream).await
    }

    /// The one way to run one: `tell_as` says how the caller takes the answer.
    async fn begin<T>(
        self: &Arc<Self>,
        judged: Judged,
        ask: Ask,
        kind: Kind,
        tell_as: fn(oneshot::Sender<Result<T, Error>>) -> Tell,
    ) -> Result<T, Error> {
        let lineage = Self::lineage(&ask, &judged)?;
        let Judged { entry, version, payload, client_context } = judged;
        let trace = self.trace(ask.trace.as_deref(), &version.function).with_lineage(&lineage);
        let serving = version.serving;
        let lease = self.admission.lease(&entry, serving.function.version, kind.pace(), &*self.clock).await;
        let lease = lease.map_err(|reason| {
            self.telemetry.count(Metric::Throttles(reason), &serving.function.arn.name);
            Refusal::Throttled { reason }
        })?;
        let checked_out = self.environments.check_out(&serving).await?;

        let (tell, told) = oneshot::channel();
        let run = Run {
            invoker: self.clone(),
            invoked_arn: ask.target.as_invoked(),
            request_id: ask.request_id,
            payload,
            client_context,
            trace: trace.text(),
            sampled: Some(trace).filter(TraceHeader::is_sampled),
            tail: ask.tail,
            serving,
            lease,
        };
        // A task of its own: the function runs to its end even if the caller leaves. On the heap, since a task is moved
        // about ten times on its way in and out of the runtime.
        let task = tasks::spawn("running an invocation", Box::pin(run.run(checked_out, tell_as(tell))));
        match told.await {
            Ok(answer) => answer,
            Err(_) => match task.result().await {
                Err(fault) => Err(fault.into()),
                Ok(()) => Err(Fault::bare("an invocation ended without an answer").into()),
            },
        }
    }

    /// What concurrency is judged by.
    pub fn limits(&self) -> Limits {
        self.admission.limits()
    }

    /// The trace header that an event is kept with: the caller's, or a new root, which is the same in all attempts.
    pub fn accepted_trace(&self, given: Option<&str>) -> String {
        let given = given.filter(|given| TraceHeader::parse(given).is_some());
        let new = || TraceHeader::new_text(self.clock.now(), self.dice.uuid().as_u128());
        given.map_or_else(new, str::to_owned)
    }

    /// The trace header of an invocation: the caller's where there is one, with a segment of its own.
    fn trace(&self, given: Option<&str>, function: &Function) -> TraceHeader {
        let trace = given.and_then(TraceHeader::parse);
        let trace = trace.unwrap_or_else(|| TraceHeader::new_root(self.clock.now(), self.dice.uuid().as_u128()));
        let chance = || {
            let mut sampling = self.sampling.lock().unwrap_or_else(PoisonError::into_inner);
            sampling.decide(&function.arn.name, self.clock.elapsed(), self.dice.bits())
        };
        trace.decided(function.configuration.tracing, chance).with_parent(self.dice.bits())
    }

    /// How many invocations run.
    pub fn running(&self) -> u32 {
        self.admission.running()
    }

    /// Waits until none runs any more, also none whose caller has left.
    pub async fn drained(&self) {
        self.admission.drained().await;
    }
}

/// An invocation that may run.
struct Judged {
    entry: Arc<Entry>,
    version: Deployed,
    payload: Bytes,
    client_context: Option<String>,
}

/// Whether somebody waits for the answer of an invocation.
#[derive(Clone, Copy)]
enum Kind {
    Answered,
    Event,
}

impl Kind {
    fn pace(self) -> Pace {
        match self {
            Self::Answered => Pace::Limited,
            Self::Event => Pace::Free,
        }
    }
}

/// Who waits for the answer, and how it is taken. Nobody listening any more is fine: the caller has left.
enum Tell {
    Answer(oneshot::Sender<Result<Answered, Error>>),
    Stream(oneshot::Sender<Result<Streaming, Error>>),
}

impl Tell {
    fn fault(self, fault: Fault) {
        match self {
            Self::Answer(tell) => drop(tell.send(Err(fault.into()))),
            Self::Stream(tell) => drop(tell.send(Err(fault.into()))),
        }
    }
}

/// What the caller has not been told yet.
enum Owed {
    Answer(oneshot::Sender<Result<Answered, Error>>, Answered),
    Completion(oneshot::Sender<Completed>, Completed),
}

impl Owed {
    fn pay(self, tail: Option<Vec<u8>>) {
        match self {
            Self::Answer(tell, answered) => drop(tell.send(Ok(Answered { tail, ..answered }))),
            Self::Completion(tell, completed) => drop(tell.send(Completed { tail, ..completed })),
        }
    }
}

/// What came of an event that was handed over.
struct Served {
    /// What is told with the log, where the caller wants that.
    owed: Option<Owed>,
    /// How the function failed, if it did.
    error_type: Option<String>,
    /// How long its answer was; `None` where there is none.
    produced_bytes: Option<u64>,
    /// When the last of its answer had come, where it was streamed through.
    streamed_at: Option<Duration>,
    /// Why the environment must be reset.
    broken: Option<Failure>,
}

/// Moments of an invocation, on the time elapsed.
struct Times {
    begun: Duration,
    /// Its answer came, or the first of it.
    answered_at: Duration,
    /// See [`Served`].
    streamed_at: Option<Duration>,
    ended: Duration,
}

/// One invocation that was admitted. It owns its lease and, while it runs, its environment.
struct Run {
    invoker: Arc<Invoker>,
    serving: Arc<Serving>,
    request_id: RequestId,
    invoked_arn: String,
    payload: Bytes,
    client_context: Option<String>,
    trace: String,
    /// The same, where it is sampled.
    sampled: Option<TraceHeader>,
    tail: bool,
    lease: Lease,
}

/// An environment that is ready for the event, or why it is not.
struct Prepared {
    /// How long the initialisation before the invocation took, where there was one and it succeeded.
    init: Option<Duration>,
    /// When the function's own time began.
    begun: Duration,
    /// Why it did not initialise.
    failure: Option<Failure>,
}

impl Run {
    async fn run(mut self, checked_out: CheckedOut, tell: Tell) {
        let member = match checked_out {
            CheckedOut::Warm(member) => Ok(member),
            // On the heap, as everything below that is not done each time: the future is made anew for every invocation.
            CheckedOut::Room(room) => Box::pin(self.invoker.environments.start(room, &self.serving.function)).await,
        };
        let prepared = match member {
            Ok(member) => match self.prepared(&member) {
                Some(prepared) => Ok((member, prepared)),
                None => Box::pin(self.prepare(&member)).await.map(|prepared| (member, prepared)),
            },
            Err(fault) => Err(fault),
        };
        match prepared {
            Ok((member, prepared)) => self.serve(member, prepared, tell).await,
            Err(fault) => tell.fault(fault),
        }
    }

    fn function(&self) -> &Function {
        &self.serving.function
    }

    /// Nothing is left to do where the environment waits for an event already.
    fn prepared(&self, member: &Member) -> Option<Prepared> {
        let is_ready = member.readiness == Some(Readiness::Ready) && member.environment.is_ready();
        is_ready.then(|| Prepared { init: None, begun: self.invoker.clock.elapsed(), failure: None })
    }

    /// Initialises the environment. An initialisation that fails or takes longer than ten
    /// seconds is repeated inside the invocation, on the function's own time; so is that of an environment that
    /// was reset (AWS developer guide, troubleshooting-invocation; recorded: `test_lambda_runtime_exit_segfault`).
    async fn prepare(&self, member: &Member) -> Result<Prepared, Fault> {
        let clock = &self.invoker.clock;
        let mut begun = clock.elapsed();
        if member.readiness.is_none() {
            self.write_init_start(member);
            let allowed = Duration::from_secs(limits::INIT_SECONDS);
            match member.environment.init(begun + allowed, allowed).await? {
                InitEnd::Ready => {
                    let init = clock.elapsed().saturating_sub(begun);
                    self.write_init_end(member, begun, InitPhase::Init, &Status::Success);
                    return Ok(Prepared { init: Some(init), begun: clock.elapsed(), failure: None });
                }
                InitEnd::Failed(failure) => {
                    self.write_init_end(member, begun, InitPhase::Init, &seen(&failure));
                    member.environment.recover().await;
                }
            }
            begun = clock.elapsed();
        }
        let allowed = self.function().configuration.timeout();
        match member.environment.init(begun + allowed, allowed).await? {
            InitEnd::Ready => {
                self.write_init_end(member, begun, InitPhase::Invoke, &Status::Success);
                Ok(Prepared { init: None, begun, failure: None })
            }
            InitEnd::Failed(failure) => {
                self.write_init_end(member, begun, InitPhase::Invoke, &seen(&failure));
                Ok(Prepared { init: None, begun, failure: Some(failure) })
            }
        }
    }

    /// Hands the event over, tells the caller as soon as there is an answer, and goes on until the runtime asks for
    /// its next event: only then are the log and the environment free.
    async fn serve(&mut self, mut member: Member, prepared: Prepared, tell: Tell) {
        let Prepared { init, begun, failure: init_failure } = prepared;
        let init_failed = init_failure.is_some();
        if self.tail {
            member.log.keep_tail();
        }
        member.log.record(&Record::Start {
            request_id: self.request_id,
            version: self.function().version.to_string(),
            trace: self.sampled.clone(),
        });
        let takes_stream = matches!(tell, Tell::Stream(_));
        let answer = match init_failure {
            Some(failure) => Answer::Failed(failure),
            None => member.environment.invoke(self.event(begun, takes_stream)).await,
        };
        let invoker = &self.invoker;
        let answered_at = invoker.clock.elapsed();
        let Served { owed, error_type, produced_bytes, streamed_at, broken } = match answer {
            Answer::Stream(stream) => Box::pin(self.pass_on(stream, tell, &member)).await,
            Answer::Response(bytes) => self.hand_over(Ok((bytes, false)), tell, &member, init_failed).await,
            Answer::Collected(bytes) => self.hand_over(Ok((bytes, true)), tell, &member, init_failed).await,
            Answer::Failed(failure) => self.hand_over(Err(failure), tell, &member, init_failed).await,
        };
        let now = invoker.clock.elapsed();
        let failed = error_type.is_some();
        let status = match (&broken, error_type) {
            (Some(failure), _) => seen(failure),
            (None, Some(error_type)) => Status::Raised(error_type),
            (None, None) => Status::Success,
        };
        let times = Times { begun, answered_at, streamed_at, ended: now };
        self.write_end(&mut member, times, init, (status, failed, produced_bytes));
        let name = &self.function().arn.name;
        invoker.telemetry.count(Metric::Invocations, name);
        if failed || broken.is_some() {
            invoker.telemetry.count(Metric::Errors, name);
        }
        if let Some(owed) = owed {
            owed.pay(member.log.take_tail());
        }
        if broken.is_some() {
            // Its time is nobody's: the caller has been told, and the next call waits for no reset.
            member.environment.recover().await;
        }
        member.readiness = Some(if broken.is_some() { Readiness::Reset } else { Readiness::Ready });
        invoker.environments.give_back(&self.serving, member);
    }

    /// An answer that is there as a whole: the bytes, and whether the function streamed them.
    async fn hand_over(
        &self,
        answer: Result<(Bytes, bool), Failure>,
        tell: Tell,
        member: &Member,
        init_failed: bool,
    ) -> Served {
        self.lease.answered();
        let (outcome, streamed, failure) = match answer {
            Ok((bytes, streamed)) => (Outcome::Answered(bytes), streamed, None),
            Err(failure) => (Outcome::of_failure(&failure, self.request_id), false, Some(failure)),
        };
        let (error_type, produced_bytes) = match &outcome {
            Outcome::Answered(bytes) => (None, Some(bytes.len() as u64)),
            Outcome::FunctionError { error_type, .. } => (Some(error_type.clone()), None),
        };
        let owed = match tell {
            Tell::Answer(tell) => {
                let (executed_version, trace) = (self.function().version, self.trace.clone());
                Some(Owed::Answer(tell, Answered { outcome, executed_version, tail: None, trace, streamed }))
            }
            Tell::Stream(tell) => {
                let body = match &outcome {
                    Outcome::Answered(bytes) => bytes.clone(),
                    Outcome::FunctionError { .. } => Bytes::new(),
                };
                let completion = self.begin_stream(tell, Body::Whole(body));
                Some(Owed::Completion(completion, Completed::of(outcome)))
            }
        };
        let owed = self.unless_tail(owed);
        let broken = match failure {
            Some(failure) if failure.breaks_environment() || init_failed => Some(failure),
            _ => {
                let settling = self.serving.pool.settling();
                let settled = member.environment.settle().await;
                drop(settling);
                settled.err()
            }
        };
        Served { owed, error_type, produced_bytes, streamed_at: None, broken }
    }

    /// An answer that is still coming: the caller gets it as it comes, and is told of its end.
    async fn pass_on(&self, stream: Stream, tell: Tell, member: &Member) -> Served {
        let Stream { pieces, ended } = stream;
        let completion = match tell {
            Tell::Stream(tell) => Some(self.begin_stream(tell, Body::Pieces(pieces))),
            Tell::Answer(tell) => {
                // Nothing asked for a stream; what comes of it is thrown away.
                let why = "an answer is streamed to a caller who takes it whole";
                drop(tell.send(Err(Fault::bare(why).into())));
                None
            }
        };
        let mut settling = None;
        let upload = async {
            // The environment says it before it is gone.
            let (outcome, bytes) = match ended.await {
                Ok(Ok(bytes)) => (Outcome::Answered(Bytes::new()), Some(bytes)),
                Ok(Err(failure)) => (Outcome::of_failure(&failure, self.request_id), None),
                Err(_) => (Outcome::of_failure(&Failure::ResponseTruncated, self.request_id), None),
            };
            let streamed_at = self.invoker.clock.elapsed();
            self.lease.answered();
            settling = Some(self.serving.pool.settling());
            let error_type = match &outcome {
                Outcome::Answered(_) => None,
                Outcome::FunctionError { error_type, .. } => Some(error_type.clone()),
            };
            let owed = completion.map(|tell| Owed::Completion(tell, Completed::of(outcome)));
            (self.unless_tail(owed), error_type, bytes, streamed_at)
        };
        let ((owed, error_type, produced_bytes, streamed_at), settled) =
            tokio::join!(upload, member.environment.settle());
        drop(settling);
        Served { owed, error_type, produced_bytes, streamed_at: Some(streamed_at), broken: settled.err() }
    }

    fn begin_stream(&self, tell: oneshot::Sender<Result<Streaming, Error>>, body: Body) -> oneshot::Sender<Completed> {
        let (completion, completed) = oneshot::channel();
        let (executed_version, trace) = (self.function().version, self.trace.clone());
        drop(tell.send(Ok(Streaming { executed_version, trace, body, completed })));
        completion
    }

    /// Tells it at once, unless the end of the log, which is not written yet, belongs to it.
    fn unless_tail(&self, owed: Option<Owed>) -> Option<Owed> {
        if self.tail {
            return owed;
        }
        if let Some(owed) = owed {
            owed.pay(None);
        }
        None
    }

    /// The event, which there is once.
    fn event(&mut self, begun: Duration, takes_stream: bool) -> Event {
        let clock = &self.invoker.clock;
        let allowed = self.function().configuration.timeout();
        let left = (begun + allowed).saturating_sub(clock.elapsed());
        Event {
            request_id: self.request_id,
            invoked_arn: mem::take(&mut self.invoked_arn),
            trace: self.trace.clone(),
            client_context: self.client_context.take(),
            deadline_at: clock.now() + left,
            deadline: begun + allowed,
            allowed,
            payload: mem::take(&mut self.payload),
            takes_stream,
        }
    }

    /// What the log says at the end of an invocation.
    fn write_end(
        &self,
        member: &mut Member,
        Times { begun, answered_at, streamed_at, ended: now }: Times,
        init: Option<Duration>,
        (status, failed, produced_bytes): (Status, bool, Option<u64>),
    ) {
        let request_id = self.request_id;
        let duration = now.saturating_sub(begun);
        if member.log.tells_all() {
            let spans = if failed {
                Vec::new()
            } else {
                let ended = self.invoker.clock.now();
                let span = |name, from: Duration, to: Duration| Span {
                    name,
                    start: ended - now.saturating_sub(from),
                    duration: to.saturating_sub(from),
                };
                // An answer that is not streamed is there as a whole.
                let mut spans = vec![span("responseLatency", begun, answered_at)];
                spans.extend(streamed_at.map(|at| span("responseDuration", answered_at, at)));
                spans.push(span("runtimeOverhead", streamed_at.unwrap_or(answered_at), now));
                spans
            };
            let trace = self.sampled.clone();
            let done = RuntimeDone { request_id, status: status.clone(), trace, spans, duration, produced_bytes };
            member.log.record(&Record::RuntimeDone(done));
        }
        member.log.record(&Record::End { request_id });
        let report = Report {
            request_id,
            duration,
            init,
            memory_mb: self.function().configuration.memory_mb,
            memory_used_bytes: member.memory_used_bytes(now),
            trace: self.sampled.clone(),
            status,
        };
        member.log.record(&Record::Report(report));
    }

    fn write_init_start(&self, member: &Member) {
        let function = self.function();
        let runtime = function.configuration.runtime();
        member.log.record(&Record::InitStart(InitStart {
            initialization: Initialization::OnDemand,
            phase: InitPhase::Init,
            runtime_version: runtime.map(|runtime| self.invoker.sandbox.runtime_version(runtime)),
            runtime_version_arn: runtime.map(|runtime| runtime_version_arn(&self.invoker.home, runtime)),
            function: function.arn.name.to_string(),
            version: function.version.to_string(),
            instance: member.log.source().stream.clone(),
            memory_mb: function.configuration.memory_mb,
        }));
    }

    fn write_init_end(&self, member: &Member, begun: Duration, phase: InitPhase, status: &Status) {
        let initialization = Initialization::OnDemand;
        let duration = self.invoker.clock.elapsed().saturating_sub(begun);
        member.log.record(&Record::InitRuntimeDone { initialization, phase, status: status.clone() });
        member.log.record(&Record::InitReport { initialization, phase, status: status.clone(), duration });
    }
}

/// How the log names a failure that the platform saw.
pub(crate) fn seen(failure: &Failure) -> Status {
    match failure {
        Failure::TimedOut(_) => Status::Timeout,
        other => Status::Error(other.error_type().to_owned()),
    }
}

impl Completed {
    fn of(outcome: Outcome) -> Self {
        let error = match outcome {
            Outcome::Answered(_) => None,
            Outcome::FunctionError { error_type, payload } => {
                Some(StreamError { code: invocation::error_code(&error_type, &payload), details: payload })
            }
        };
        Self { error, tail: None }
    }
}

/// The ARN of a runtime's version: 64 hex digits that AWS does not explain; ours follow from the identifier, so
/// that they stay the same.
pub fn runtime_version_arn(home: &Home, runtime: domain::runtime::Runtime) -> String {
    let name = runtime.identifier().as_bytes();
    let mut arn = format!("arn:{}:lambda:{}::runtime:", home.partition, home.region);
    for word in 0..4_u64 {
        // FNV-1a; any fixed function of the name would do.
        let start = 0xcbf2_9ce4_8422_2325_u64 ^ word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let hash = name.iter().fold(start, |hash, &c| (hash ^ u64::from(c)).wrapping_mul(0x0100_0000_01b3));
        write!(arn, "{hash:016x}").expect("a String takes everything");
    }
    arn
}
