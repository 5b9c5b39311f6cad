//! `EventRecords` that fail to order, and tell what was done with them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::Fault;
use domain::event::Event;
use domain::names::{FunctionName, RequestId};
use engine::ports::{
    Backlog, Batch, Due, EventFilter, EventRecords, Listed, Owed, Redriven, Sent, Settled, Shown, Wait,
};
use jiff::Timestamp;
use uuid::Uuid;

use crate::pauses::Pauses;

/// See the module.
pub struct Faulty {
    inner: Arc<dyn EventRecords>,
    state: Mutex<State>,
    /// Before and after each step.
    pub pauses: Pauses,
}

/// Hears of what is written, at once.
pub type Observer = Arc<dyn Fn(&Written) + Send + Sync>;

#[derive(Default)]
struct State {
    calls: BTreeMap<&'static str, u64>,
    written: Vec<Written>,
    observer: Option<Observer>,
    is_down: bool,
    failing: u32,
    breaks: bool,
    is_broken: bool,
    is_panicking: bool,
}

/// A step that was carried out, whether or not anybody was told.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// An event was inserted, of this function.
    Inserted(RequestId, FunctionName),
    /// What became of an event.
    Settled(RequestId, Settled),
    /// What became of a delivery.
    Sent(Uuid, Sent),
    /// Events were started again.
    Redriven(Vec<Redriven>),
    /// Events were removed.
    Purged(Vec<RequestId>),
}

impl Faulty {
    /// Nothing fails yet.
    pub fn over(inner: Arc<dyn EventRecords>) -> Arc<Self> {
        Arc::new(Self { inner, state: Mutex::default(), pauses: Pauses::default() })
    }

    /// The same events, opened again.
    pub fn reopened(&self) -> Arc<Self> {
        Self::over(self.inner.clone())
    }

    /// From now on, until told otherwise, every call fails and changes nothing.
    pub fn set_down(&self, is_down: bool) {
        self.state().is_down = is_down;
    }

    /// So many of the next writes fail and change nothing, as on a disk that is full.
    pub fn fail_writes(&self, writes: u32) {
        self.state().failing = writes;
    }

    /// The next write is carried out, and whoever asked for it is told that nobody knows; after it all writes fail, as
    /// with a database that cannot be trusted until it is opened again.
    pub fn break_at_next_write(&self) {
        self.state().breaks = true;
    }

    /// The next call panics.
    pub fn panic_once(&self) {
        self.state().is_panicking = true;
    }

    /// Whether that has happened.
    pub fn is_broken(&self) -> bool {
        let state = self.state();
        state.is_broken || state.breaks
    }

    /// From now on somebody hears of what is written.
    pub fn observe(&self, observer: Observer) {
        self.state().observer = Some(observer);
    }

    /// How often it was called in all.
    pub fn calls(&self) -> u64 {
        self.state().calls.values().sum()
    }

    /// How often one of its methods was called.
    pub fn calls_of(&self, method: &str) -> u64 {
        self.state().calls.get(method).copied().unwrap_or_default()
    }

    /// All that was written so far.
    pub fn written(&self) -> Vec<Written> {
        self.state().written.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, method: &'static str) -> Result<(), Fault> {
        let mut state = self.state();
        *state.calls.entry(method).or_default() += 1;
        assert!(!std::mem::take(&mut state.is_panicking), "the test wants this call to panic");
        if state.is_down { Err(Fault::bare("using the events, which the test has taken down")) } else { Ok(()) }
    }

    async fn read<T>(&self, method: &'static str, read: Wait<'_, Result<T, Fault>>) -> Result<T, Fault> {
        self.pauses.pause().await;
        self.begin(method)?;
        let answer = read.await;
        self.pauses.pause().await;
        answer
    }

    async fn write<T>(
        &self,
        method: &'static str,
        write: Wait<'_, Result<T, Fault>>,
        done: impl FnOnce(&T) -> Option<Written>,
    ) -> Result<T, Fault> {
        self.pauses.pause().await;
        self.begin(method)?;
        {
            let mut state = self.state();
            if state.is_broken || state.failing > 0 {
                state.failing = state.failing.saturating_sub(1);
                return Err(Fault::bare("writing an event, which the test has forbidden"));
            }
        }
        let answer = write.await?;
        let is_broken = {
            let mut state = self.state();
            if let Some(written) = done(&answer) {
                if let Some(observer) = &state.observer {
                    observer(&written);
                }
                state.written.push(written);
            }
            // Others may be under way that began before.
            state.is_broken |= std::mem::take(&mut state.breaks);
            state.is_broken
        };
        self.pauses.pause().await;
        if is_broken { Err(Fault::bare("writing an event; nobody knows whether it was written")) } else { Ok(answer) }
    }
}

impl EventRecords for Faulty {
    fn free_bytes(&self) -> Result<u64, Fault> {
        self.inner.free_bytes()
    }

    fn load_events(&self) -> Wait<'_, Result<Backlog, Fault>> {
        Box::pin(self.read("load_events", self.inner.load_events()))
    }

    fn insert_event(&self, event: Arc<Event>) -> Wait<'_, Result<bool, Fault>> {
        let (id, function) = (event.request_id, event.function.clone());
        let done = move |is_new: &bool| is_new.then_some(Written::Inserted(id, function));
        Box::pin(self.write("insert_event", self.inner.insert_event(event), done))
    }

    fn due_events(&self, function: FunctionName, due: Due<RequestId>) -> Wait<'_, Result<Batch<Event>, Fault>> {
        Box::pin(self.read("due_events", self.inner.due_events(function, due)))
    }

    fn settle_event(&self, id: RequestId, round: u32, settled: Settled) -> Wait<'_, Result<bool, Fault>> {
        let write = self.inner.settle_event(id, round, settled.clone());
        Box::pin(self.write("settle_event", write, move |is_ours| is_ours.then_some(Written::Settled(id, settled))))
    }

    fn due_deliveries(&self, target: String, due: Due<Uuid>) -> Wait<'_, Result<Batch<Owed>, Fault>> {
        Box::pin(self.read("due_deliveries", self.inner.due_deliveries(target, due)))
    }

    fn settle_delivery(&self, id: Uuid, sent: Sent) -> Wait<'_, Result<u64, Fault>> {
        let write = self.inner.settle_delivery(id, sent.clone());
        Box::pin(self.write("settle_delivery", write, move |_| Some(Written::Sent(id, sent))))
    }

    fn find_events(
        &self,
        filter: EventFilter,
        after: Option<(Timestamp, RequestId)>,
        events_max: usize,
    ) -> Wait<'_, Result<Vec<Listed>, Fault>> {
        Box::pin(self.read("find_events", self.inner.find_events(filter, after, events_max)))
    }

    fn count_events(&self, filter: EventFilter) -> Wait<'_, Result<u64, Fault>> {
        Box::pin(self.read("count_events", self.inner.count_events(filter)))
    }

    fn show_event(&self, id: RequestId) -> Wait<'_, Result<Option<Shown>, Fault>> {
        Box::pin(self.read("show_event", self.inner.show_event(id)))
    }

    fn redrive_events(&self, ids: Vec<RequestId>, now: Timestamp) -> Wait<'_, Result<Vec<Redriven>, Fault>> {
        let done = |redriven: &Vec<Redriven>| Some(Written::Redriven(redriven.clone()));
        Box::pin(self.write("redrive_events", self.inner.redrive_events(ids, now), done))
    }

    fn purge_events(&self, ids: Vec<RequestId>) -> Wait<'_, Result<Vec<RequestId>, Fault>> {
        let done = |purged: &Vec<RequestId>| Some(Written::Purged(purged.clone()));
        Box::pin(self.write("purge_events", self.inner.purge_events(ids), done))
    }
}
