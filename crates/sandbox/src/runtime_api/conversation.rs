//! The conversation between one runtime process and the platform: who may say what when, and who waits for it.
//!
//! The states, their names and which steps between them are allowed are those of AWS's supervisor (source of the
//! runtime interface emulator, `core/states.go`). A conversation is for one process; a restarted runtime has a new one.
//! Never here: HTTP.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use domain::environment::{Exit, Failure};
use engine::ports::{Answer, Event, Stream};
use tokio::sync::{mpsc, oneshot};

use crate::output::OutputPipe;

/// Pieces of a streamed answer that wait for their reader. Each is at most what one read of a connection gives.
const PIECES_WAITING: usize = 4;

/// Which of a runtime's connections.
pub(crate) type ConnectionId = u64;

/// See the module.
pub(crate) struct Conversation {
    state: Mutex<State>,
    output: Arc<OutputPipe>,
}

struct State {
    phase: Phase,
    /// Whoever waits for the runtime to be ready: its initialisation, or the end of an invocation.
    waiter: Option<oneshot::Sender<Result<(), Failure>>>,
    /// Whoever waits for its process to end.
    mourner: Option<oneshot::Sender<()>>,
    /// Why it is being ended: an upload that breaks off because of that is no news.
    doom: Option<Failure>,
}

enum Phase {
    Started,
    InitError,
    /// It has asked for an event; the sender wakes its request.
    Ready(oneshot::Sender<Arc<Event>>),
    Running {
        event: Arc<Event>,
        answer: oneshot::Sender<Answer>,
        /// Over which connection it went out; none where it could not be written.
        given_to: Option<ConnectionId>,
    },
    /// It is uploading what came of the event.
    Responding {
        event: Arc<Event>,
        answer: Pending,
        what: Upload,
    },
    ResponseSent(Arc<Event>),
    /// What it streamed broke off; what it does now is of no use to anybody.
    Broken(Failure),
    Ended(Failure),
}

/// Who waits for the end of an upload.
enum Pending {
    Whole(oneshot::Sender<Answer>),
    /// The pieces have gone on already.
    Stream(oneshot::Sender<Result<u64, Failure>>),
}

impl Pending {
    /// `streamed` bytes have gone on already. Nobody listening any more is fine: the caller has left.
    fn tell(self, outcome: Answer, streamed: u64) {
        match (self, outcome) {
            (Self::Whole(answer), outcome) => drop(answer.send(outcome)),
            (Self::Stream(ended), Answer::Failed(failure)) => drop(ended.send(Err(failure))),
            (Self::Stream(ended), _) => drop(ended.send(Ok(streamed))),
        }
    }
}

/// What a runtime uploads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upload {
    /// The function's result.
    Response,
    /// The function's error.
    Error,
}

impl Upload {
    fn state(self) -> &'static str {
        match self {
            Self::Response => "InvocationResponse",
            Self::Error => "InvocationErrorResponse",
        }
    }
}

/// Why a request of the runtime is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The id is not that of the event it works on.
    InvalidRequestId,
    /// The request is out of order.
    InvalidTransition {
        /// The state it is in.
        from: &'static str,
        /// The state that the request would lead to.
        to: &'static str,
    },
}

/// What a request for the next event gets.
pub(crate) enum Next {
    /// The event, at once: it could not be handed over, since the connection broke.
    Again(Arc<Event>),
    /// The event when there is one; an error when the process is to end.
    Later(oneshot::Receiver<Arc<Event>>),
}

impl Phase {
    fn name(&self) -> &'static str {
        match self {
            Self::Started => "Started",
            Self::InitError => "InitError",
            Self::Ready(_) => "Ready",
            Self::Running { .. } => "Running",
            Self::Responding { what, .. } => what.state(),
            Self::ResponseSent(_) | Self::Broken(_) => "RuntimeResponseSentState",
            Self::Ended(_) => "Ended",
        }
    }
}

impl Conversation {
    pub(crate) fn new(output: Arc<OutputPipe>) -> Arc<Self> {
        let state = State { phase: Phase::Started, waiter: None, mourner: None, doom: None };
        Arc::new(Self { state: Mutex::new(state), output })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // The runtime's side.

    /// The runtime asks for the next event, over `connection`.
    pub(crate) fn next(&self, connection: ConnectionId) -> Result<Next, Refused> {
        // What it wrote belongs to what it has just done, and is complete before anybody hears that it is done.
        self.output.drain();
        let mut state = self.state();
        match &mut state.phase {
            Phase::Running { event, given_to: given_to @ None, .. } => {
                *given_to = Some(connection);
                return Ok(Next::Again(event.clone()));
            }
            Phase::Started | Phase::ResponseSent(_) | Phase::Ready(_) => {}
            Phase::InitError
            | Phase::Running { .. }
            | Phase::Responding { .. }
            | Phase::Broken(_)
            | Phase::Ended(_) => {
                return Err(Refused::InvalidTransition { from: state.phase.name(), to: "Ready" });
            }
        }
        let (wake, event) = oneshot::channel();
        state.phase = Phase::Ready(wake);
        if let Some(waiter) = state.waiter.take() {
            let _ = waiter.send(Ok(()));
        }
        Ok(Next::Later(event))
    }

    /// The event that `next` promised goes out.
    pub(crate) fn given(&self, event: &Arc<Event>, connection: ConnectionId) {
        if let Phase::Running { event: current, given_to, .. } = &mut self.state().phase
            && Arc::ptr_eq(current, event)
        {
            *given_to = Some(connection);
        }
    }

    /// A connection broke. The event that went out over it may never have arrived: the runtime may ask again.
    pub(crate) fn broke(&self, connection: ConnectionId) {
        if let Phase::Running { given_to, .. } = &mut self.state().phase {
            given_to.take_if(|given_to| *given_to == connection);
        }
    }

    /// The runtime begins to upload what came of the event `id`.
    pub(crate) fn begin_upload(self: &Arc<Self>, id: &str, what: Upload) -> Result<Uploading, Refused> {
        let mut state = self.state();
        let is_current = |event: &Event| uuid::Uuid::try_parse(id).is_ok_and(|id| id == event.request_id.0);
        let refused = match &state.phase {
            Phase::Running { event, .. } if is_current(event) => None,
            Phase::Responding { event, .. } if is_current(event) => {
                Some(Refused::InvalidTransition { from: state.phase.name(), to: what.state() })
            }
            _ => Some(Refused::InvalidRequestId),
        };
        if let Some(refused) = refused {
            return Err(refused);
        }
        state.phase = match std::mem::replace(&mut state.phase, Phase::Started) {
            Phase::Running { event, answer, .. } => Phase::Responding { event, answer: Pending::Whole(answer), what },
            other => other,
        };
        Ok(Uploading { conversation: self.clone(), is_done: false })
    }

    /// The runtime says that its initialisation failed; whoever waits for it is told after the upload.
    pub(crate) fn begin_init_error(&self) -> Result<(), Refused> {
        let mut state = self.state();
        if !matches!(state.phase, Phase::Started) {
            return Err(Refused::InvalidTransition { from: state.phase.name(), to: "InitError" });
        }
        state.phase = Phase::InitError;
        Ok(())
    }

    /// The body of the error above has come.
    pub(crate) fn finish_init_error(&self, error_type: String, payload: Bytes) {
        let waiter = self.state().waiter.take();
        if let Some(waiter) = waiter {
            let _ = waiter.send(Err(Failure::Reported { error_type, payload }));
        }
    }

    fn finish_upload(&self, outcome: Answer, streamed: u64) {
        let mut state = self.state();
        let outcome = state.doom.clone().map_or(outcome, Answer::Failed);
        state.phase = match std::mem::replace(&mut state.phase, Phase::Started) {
            Phase::Responding { answer: answer @ Pending::Stream(_), event, .. } => {
                let broken = match &outcome {
                    Answer::Failed(failure) if failure.breaks_environment() => Some(failure.clone()),
                    _ => None,
                };
                answer.tell(outcome, streamed);
                match broken {
                    None => Phase::ResponseSent(event),
                    Some(failure) => {
                        if let Some(waiter) = state.waiter.take() {
                            let _ = waiter.send(Err(failure.clone()));
                        }
                        Phase::Broken(failure)
                    }
                }
            }
            Phase::Responding { event, answer, .. } => {
                answer.tell(outcome, streamed);
                Phase::ResponseSent(event)
            }
            other => other,
        };
    }

    /// What is uploaded goes on piece by piece, if whoever asked takes it so.
    fn stream(&self) -> Option<mpsc::Sender<Bytes>> {
        self.output.drain();
        let mut state = self.state();
        let Phase::Responding { event, answer, .. } = &mut state.phase else { return None };
        if !event.takes_stream {
            return None;
        }
        let (tell, ended) = oneshot::channel();
        match std::mem::replace(answer, Pending::Stream(tell)) {
            Pending::Whole(answer) => {
                let (sender, pieces) = mpsc::channel(PIECES_WAITING);
                let _ = answer.send(Answer::Stream(Stream { pieces, ended }));
                Some(sender)
            }
            begun @ Pending::Stream(_) => {
                *answer = begun;
                None
            }
        }
    }

    // The platform's side.

    /// Waits for the initialisation; to be called before the process runs.
    pub(crate) fn expect_ready(&self) -> oneshot::Receiver<Result<(), Failure>> {
        let (tell, told) = oneshot::channel();
        self.state().waiter = Some(tell);
        told
    }

    /// Hands over an event; the answer comes through the receiver.
    pub(crate) fn invoke(&self, event: Arc<Event>) -> Result<oneshot::Receiver<Answer>, Failure> {
        let (answer, answered) = oneshot::channel();
        let mut state = self.state();
        let running = Phase::Running { event: event.clone(), answer, given_to: None };
        match std::mem::replace(&mut state.phase, running) {
            Phase::Ready(wake) => {
                // Where its connection has broken, the runtime gets the event when it asks again.
                let _ = wake.send(event);
                Ok(answered)
            }
            Phase::Ended(failure) => {
                state.phase = Phase::Ended(failure.clone());
                Err(failure)
            }
            other => {
                state.phase = other;
                Err(Failure::Exited(Exit::Signal(rustix::process::Signal::KILL.as_raw())))
            }
        }
    }

    /// How the runtime comes to be ready again after an answer.
    pub(crate) fn settle(&self) -> Settling {
        let mut state = self.state();
        match &state.phase {
            Phase::Ready(_) => Settling::Done(Ok(())),
            Phase::Broken(failure) | Phase::Ended(failure) => Settling::Done(Err(failure.clone())),
            Phase::Running { event, .. } | Phase::Responding { event, .. } | Phase::ResponseSent(event) => {
                let event = event.clone();
                let (tell, told) = oneshot::channel();
                state.waiter = Some(tell);
                Settling::Wait(event, told)
            }
            Phase::Started | Phase::InitError => {
                Settling::Done(Err(Failure::Exited(Exit::Signal(rustix::process::Signal::KILL.as_raw()))))
            }
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        matches!(&self.state().phase, Phase::Ready(wake) if !wake.is_closed())
    }

    /// Whether the process is gone.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(&self.state().phase, Phase::Ended(_))
    }

    /// Waits for the end of the process.
    pub(crate) fn expect_end(&self) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        let mut state = self.state();
        if !matches!(state.phase, Phase::Ended(_)) {
            state.mourner = Some(tell);
        }
        told
    }

    /// The process will be ended for this reason.
    pub(crate) fn doom(&self, failure: &Failure) {
        self.state().doom = Some(failure.clone());
    }

    /// The process is gone: everybody who waits is told, after everything that it wrote.
    pub(crate) fn end(&self, failure: &Failure) {
        self.output.drain();
        let mut state = self.state();
        let phase = match &state.phase {
            Phase::Ended(_) => return,
            _ => std::mem::replace(&mut state.phase, Phase::Ended(failure.clone())),
        };
        let (waiter, mourner) = (state.waiter.take(), state.mourner.take());
        drop(state);
        match phase {
            Phase::Running { answer, .. } => Pending::Whole(answer).tell(Answer::Failed(failure.clone()), 0),
            Phase::Responding { answer, .. } => answer.tell(Answer::Failed(failure.clone()), 0),
            _ => {}
        }
        if let Some(waiter) = waiter {
            let _ = waiter.send(Err(failure.clone()));
        }
        if let Some(mourner) = mourner {
            let _ = mourner.send(());
        }
    }
}

/// See [`Conversation::settle`].
pub(crate) enum Settling {
    /// It is, or will never be.
    Done(Result<(), Failure>),
    /// Not yet; the time is still that of the event.
    Wait(Arc<Event>, oneshot::Receiver<Result<(), Failure>>),
}

/// An upload under way. One that is given up without an end has been truncated.
pub(crate) struct Uploading {
    conversation: Arc<Conversation>,
    is_done: bool,
}

impl Uploading {
    /// Where its pieces go from now on; nowhere if it is to be handed on as a whole.
    pub(crate) fn stream(&self) -> Option<mpsc::Sender<Bytes>> {
        self.conversation.stream()
    }

    pub(crate) fn finish(self, outcome: Answer) {
        self.finish_streamed(outcome, 0);
    }

    /// The end of an upload of which so many bytes have gone on already.
    pub(crate) fn finish_streamed(mut self, outcome: Answer, bytes: u64) {
        self.is_done = true;
        self.conversation.finish_upload(outcome, bytes);
    }
}

impl Drop for Uploading {
    fn drop(&mut self) {
        if !self.is_done {
            self.conversation.finish_upload(Answer::Failed(Failure::ResponseTruncated), 0);
        }
    }
}
