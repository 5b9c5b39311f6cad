//! The Telemetry API and the Logs API before it: what an environment's platform, function and extensions say is
//! delivered to the extensions that have subscribed (AWS developer guide, telemetry-api).
//!
//! Bounded: what a slow listener does not take is dropped, and it is told so. Never here: what a record says.

mod delivery;
mod subscription;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use domain::function::LogFormat;
use domain::log::{Record, Writer, output_event};
use engine::ports::{Clock, Output};
use engine::tasks::{self, Task};
use jiff::Timestamp;

use delivery::{Dialer, Queue};
pub(crate) use subscription::{Api, Subscription};

/// Bytes of what is kept for those who have not subscribed yet: an initialisation's first words.
const EARLY_BYTES_MAX: usize = 256 * 1024;

/// See the module.
pub(crate) struct Telemetry {
    clock: Arc<dyn Clock>,
    format: LogFormat,
    pub(crate) dialer: Arc<Dialer>,
    /// Somebody listens, or may yet subscribe: else nothing else is looked at.
    is_heard: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What was said before anybody could subscribe; `None` when nobody can any more.
    early: Option<VecDeque<Said>>,
    early_bytes: usize,
    subscribers: Vec<Subscriber>,
}

struct Subscriber {
    name: String,
    subscription: Subscription,
    queue: Arc<Queue>,
    task: Task<()>,
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Something that was said.
#[derive(Clone)]
struct Said {
    kind: Kind,
    event: Bytes,
}

/// What the categories of a subscription and the older API distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A record that both APIs know.
    Platform,
    /// One that only the Telemetry API knows.
    NewPlatform,
    /// One that only the Logs API knows.
    OldPlatform,
    Function,
    Extension,
}

impl Telemetry {
    pub(crate) fn new(clock: Arc<dyn Clock>, format: LogFormat) -> Arc<Self> {
        let state = State { early: Some(VecDeque::new()), ..State::default() };
        Arc::new(Self {
            clock,
            format,
            dialer: Arc::default(),
            is_heard: AtomicBool::new(true),
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An initialisation begins: everybody subscribes anew.
    pub(crate) fn begin(&self) {
        let mut state = self.state();
        state.subscribers.clear();
        state.early.get_or_insert_default();
        self.is_heard.store(true, Ordering::Release);
    }

    /// The initialisation has ended: nobody subscribes any more.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.early = None;
        state.early_bytes = 0;
        self.is_heard.store(!state.subscribers.is_empty(), Ordering::Release);
    }

    /// An extension subscribes. It also gets what was said before; a subscription that it had is replaced.
    pub(crate) fn subscribe(&self, name: &str, subscription: Subscription) {
        let mut state = self.state();
        state.subscribers.retain(|known| known.name != name);
        let queue = Queue::new(subscription.buffering);
        for said in state.early.iter().flatten().filter(|said| subscription.wants(said.kind)) {
            queue.push(said.event.clone());
        }
        let work =
            delivery::deliver(queue.clone(), subscription.destination.clone(), self.dialer.clone(), self.clock.clone());
        let task = tasks::spawn("delivering telemetry", work);
        state.subscribers.push(Subscriber { name: name.to_owned(), subscription, queue, task });
        self.is_heard.store(true, Ordering::Release);
    }

    /// Whether anybody hears what is said, or may yet.
    pub(crate) fn is_heard(&self) -> bool {
        self.is_heard.load(Ordering::Acquire)
    }

    /// The platform says something.
    pub(crate) fn record(&self, at: Timestamp, record: &Record) {
        if !self.is_heard() {
            return;
        }
        let kind = match record {
            Record::Start { .. } | Record::Report(_) | Record::Extension { .. } | Record::LogsDropped { .. } => {
                Kind::Platform
            }
            // Schema version 2021-03-18 of the Logs API knows it, too.
            Record::RuntimeDone(_) => Kind::Platform,
            Record::End { .. } => Kind::OldPlatform,
            Record::InitStart(_)
            | Record::InitRuntimeDone { .. }
            | Record::InitReport { .. }
            | Record::TelemetrySubscription { .. } => Kind::NewPlatform,
        };
        self.say(Said { kind, event: record.json(at).into() });
    }

    /// The function or an extension writes a line.
    fn line(&self, writer: Writer, line: &[u8]) {
        if !self.is_heard() {
            return;
        }
        let kind = match writer {
            Writer::Function => Kind::Function,
            Writer::Extension => Kind::Extension,
        };
        self.say(Said { kind, event: output_event(self.clock.now(), writer, line, self.format).into() });
    }

    fn say(&self, said: Said) {
        let mut state = self.state();
        for subscriber in state.subscribers.iter().filter(|known| known.subscription.wants(said.kind)) {
            subscriber.queue.push(said.event.clone());
        }
        let State { early, early_bytes, .. } = &mut *state;
        if let Some(early) = early {
            *early_bytes += said.event.len();
            early.push_back(said);
            while *early_bytes > EARLY_BYTES_MAX
                && let Some(oldest) = early.pop_front()
            {
                *early_bytes -= oldest.event.len();
            }
        }
    }

    /// Everything ends: what is there is delivered without waiting for more.
    pub(crate) fn hurry(&self) {
        self.state().subscribers.iter().for_each(|subscriber| subscriber.queue.hurry());
    }

    /// Everything has ended.
    pub(crate) fn end(&self) {
        self.state().subscribers.clear();
    }
}

/// Lines on their way to the log, of which subscribers hear.
pub(crate) struct Overheard {
    pub log: Arc<dyn Output>,
    pub telemetry: Arc<Telemetry>,
    pub writer: Writer,
}

impl Output for Overheard {
    fn line(&self, line: &[u8]) {
        match self.writer {
            Writer::Function => self.log.line(line),
            Writer::Extension => self.log.extension_line(line),
        }
        self.telemetry.line(self.writer, line);
    }

    fn record(&self, record: &Record) {
        self.log.record(record);
    }
}
