//! Asynchronous invocation: an event is on disk before it is accepted, and runs later, until it is done.
//!
//! Claim, decide, settle: nothing is removed before its successor is written, so that a crash repeats a step and never
//! loses one. Never here: when an event is tried again, which is [`domain::event`]; another way to run one than
//! [`crate::invoker`].

mod pump;
mod steer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use domain::arn::{Home, Target};
use domain::event::{Event, Progress};
use domain::fault::Faults;
use domain::names::FunctionName;
use domain::names::RequestId;
use domain::{Error, Refusal, limits};

pub use self::steer::{EventPage, EventView, Selection, Steered};
use crate::access::Caller;
use crate::catalog::Catalog;
use crate::deliveries::Deliveries;
use crate::invoker::{Ask, Invoker};
use crate::lanes::{Item, Lanes, Room};
use crate::ports::{Backlog, Clock, Dice, EventRecords, Metric, Telemetry};
use crate::tasks;

/// Events of one function that run at a time, to begin with: enough to keep a machine busy, few enough not to fill it.
/// And that wait in hand: what has to be read back from disk costs twice.
const ROOM: Room = Room { window: 16, ready_max: 512 };
/// The share of the bound from which on it is said that the queue gets full.
const NEARLY_FULL_PERCENT: u64 = 80;
/// For how long a disk that had room is taken to have it: to ask costs a tenth of what an event costs. Much shorter than
/// it takes to write the reserve full.
const DISK_LOOK: Duration = Duration::from_millis(100);
/// What to do when it gets full.
const HOW_TO_EMPTY: &str = "beyond that events are refused with 503. `lambd events list --state dead` shows those that \
                            will not run again, `lambd events purge` removes them";

/// What an operator may choose.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The wait after the first failed attempt.
    pub retry_base: Duration,
    /// Events that are kept at most, dead ones included.
    pub events_max: u64,
    /// Bytes of the disk that events leave free.
    pub disk_reserve_bytes: u64,
    /// Faults on purpose, for all functions.
    pub faults: Faults,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retry_base: Duration::from_mins(1),
            events_max: 10_000_000,
            disk_reserve_bytes: 1_000_000_000,
            faults: Faults::default(),
        }
    }
}

/// An event that was accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Its trace header.
    pub trace: String,
}

/// An event in hand.
pub(crate) struct InHand {
    event: Arc<Event>,
    /// How often it still runs this time; nothing has been decided before its first try.
    runs_left: Option<u32>,
}

impl Item for InHand {
    type Id = RequestId;

    fn id(&self) -> RequestId {
        self.event.request_id
    }

    fn bytes(&self) -> usize {
        self.event.payload.len() + 512
    }
}

pub(crate) type EventLanes = Lanes<FunctionName, InHand>;

/// Where events are put: on disk, and then in the lane of their function.
pub struct Inbox {
    records: Arc<dyn EventRecords>,
    lanes: EventLanes,
    telemetry: Arc<dyn Telemetry>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    /// How many are kept.
    kept: AtomicU64,
    /// Until when the disk need not be looked at again, in milliseconds of the time elapsed.
    disk_seen_until: AtomicU64,
}

impl Inbox {
    /// Nothing in it that is known of yet.
    pub fn new(
        records: Arc<dyn EventRecords>,
        telemetry: Arc<dyn Telemetry>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Arc<Self> {
        let (kept, disk_seen_until) = Default::default();
        Arc::new(Self { records, lanes: Lanes::new(ROOM), telemetry, clock, settings, kept, disk_seen_until })
    }

    /// Keeps an event; it is on disk when this returns. The same id again is the same event.
    ///
    /// # Errors
    /// There is no room for it, or the disk failed. Nobody has accepted it then.
    pub async fn put(self: &Arc<Self>, event: Event) -> Result<(), Error> {
        self.check_disk()?;
        self.take_room()?;
        let event = Arc::new(event);
        let coming = Coming::new(self.clone(), event.clone());
        // The caller may leave, and what is written has to come into its lane.
        let kept = tasks::to_its_end("keeping an event", async move {
            if coming.inbox.records.insert_event(event).await? {
                coming.inbox.telemetry.count(Metric::AsyncEventsReceived, &coming.event.function);
                coming.arrived();
            }
            Ok::<(), domain::Fault>(())
        });
        Ok(kept.await??)
    }

    /// Room for one more, counted before it is written: however many come at once, there are never too many.
    fn take_room(&self) -> Result<(), Refusal> {
        let events_max = self.settings.events_max;
        let more = |kept| (kept < events_max).then_some(kept + 1);
        match self.kept.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(before) => {
                self.warn_when_nearly_full(before + 1);
                Ok(())
            }
            Err(_) => Err(Refusal::QueueFull { why: format!("{events_max} events are kept already (--events-max)") }),
        }
    }

    fn check_disk(&self) -> Result<(), Error> {
        let reserve = self.settings.disk_reserve_bytes;
        let elapsed = millis(self.clock.elapsed());
        if elapsed < self.disk_seen_until.load(Ordering::Relaxed) {
            return Ok(());
        }
        if self.records.free_bytes()? < reserve {
            let why = format!("the disk has less than {reserve} bytes left (--disk-reserve)");
            return Err(Refusal::QueueFull { why }.into());
        }
        self.disk_seen_until.store(elapsed + millis(DISK_LOOK), Ordering::Relaxed);
        Ok(())
    }

    fn warn_when_nearly_full(&self, kept: u64) {
        // Once on the way up, not with every event.
        if kept == self.nearly_full() {
            self.warn(kept);
        }
    }

    /// So many are many: the share of the bound, rounded up.
    fn nearly_full(&self) -> u64 {
        self.settings.events_max.saturating_mul(NEARLY_FULL_PERCENT).div_ceil(100)
    }

    fn warn(&self, kept: u64) {
        let events_max = self.settings.events_max;
        tracing::warn!("{kept} events are kept of the {events_max} that may be (--events-max); {HOW_TO_EMPTY}");
    }

    /// Knows how many there are on disk when the engine starts.
    fn count_kept(&self, kept: u64) {
        self.kept.store(kept, Ordering::Relaxed);
        if kept >= self.nearly_full() {
            self.warn(kept);
        }
    }

    pub(crate) fn discount(&self, events: u64) {
        self.kept.fetch_sub(events, Ordering::Relaxed);
    }

    /// How many events are kept, in whatever state.
    pub fn kept(&self) -> u64 {
        self.kept.load(Ordering::Relaxed)
    }
}

/// An event that is being written, for which there is room.
struct Coming {
    inbox: Arc<Inbox>,
    event: Arc<Event>,
    /// Whether it is in hand for us, and not because the same event is there already.
    is_expected: bool,
    is_there: bool,
}

impl Coming {
    fn new(inbox: Arc<Inbox>, event: Arc<Event>) -> Self {
        let is_expected = inbox.lanes.expect(&event.function, event.request_id, inbox.clock.now());
        Self { inbox, event, is_expected, is_there: false }
    }

    fn arrived(mut self) {
        self.is_there = true;
        let (lanes, now) = (&self.inbox.lanes, self.inbox.clock.now());
        let event = self.event.clone();
        if self.is_expected {
            lanes.arrived(&self.event.function, InHand { event, runs_left: None }, now);
        } else {
            lanes.due_again(&event.function, now, now);
        }
    }
}

/// Where it did not arrive, its room is free again. It may have been written all the same.
impl Drop for Coming {
    fn drop(&mut self) {
        if self.is_there {
            return;
        }
        self.inbox.discount(1);
        if self.is_expected {
            let Event { function, request_id, .. } = &*self.event;
            self.inbox.lanes.stayed_away(function, request_id, self.inbox.clock.now());
        }
    }
}

/// The asynchronous half of Invoke.
pub struct Events {
    home: Home,
    catalog: Arc<Catalog>,
    invoker: Arc<Invoker>,
    inbox: Arc<Inbox>,
    deliveries: Arc<Deliveries>,
    dice: Arc<dyn Dice>,
}

impl Events {
    /// Wires it up; [`Events::load`] and [`Events::run`] follow.
    pub fn new(
        home: Home,
        (catalog, invoker): (Arc<Catalog>, Arc<Invoker>),
        (inbox, deliveries): (Arc<Inbox>, Arc<Deliveries>),
        dice: Arc<dyn Dice>,
    ) -> Arc<Self> {
        Arc::new(Self { home, catalog, invoker, inbox, deliveries, dice })
    }

    /// Finds what was left when the engine ended.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn load(&self) -> Result<(), domain::Fault> {
        let Backlog { events, functions, targets } = self.inbox.records.load_events().await?;
        self.inbox.count_kept(events);
        let now = self.inbox.clock.now();
        for (function, due_at) in functions {
            self.inbox.lanes.due(&function, due_at, now);
        }
        for (target, due_at) in targets {
            self.deliveries.due(&target, due_at);
        }
        Ok(())
    }

    /// Accepts an event; it is on disk when this returns.
    ///
    /// # Errors
    /// It is refused as a call is, but for concurrency; or there is no room for it.
    pub async fn invoke(&self, caller: &Caller, ask: Ask) -> Result<Accepted, Error> {
        self.accept(caller, ask, limits::ASYNC_REQUEST_BYTES).await
    }

    /// InvokeAsync, the legacy form of the same.
    ///
    /// # Errors
    /// As [`Events::invoke`].
    pub async fn invoke_async(&self, caller: &Caller, ask: Ask) -> Result<(), Error> {
        self.accept(caller, ask, limits::INVOKE_ASYNC_REQUEST_BYTES).await.map(drop)
    }

    async fn accept(&self, caller: &Caller, ask: Ask, bytes_max: usize) -> Result<Accepted, Error> {
        let payload = self.invoker.judge_event(caller, &ask, bytes_max).await?;
        let Ask { target: Target { arn, qualifier }, request_id, trace, .. } = ask;
        let header = self.invoker.accepted_trace(trace.as_deref());
        // One root for all attempts.
        let accepted_at = self.now();
        let progress = Progress::new(accepted_at);
        let (function, trace) = (arn.name, Some(header.clone()));
        self.inbox.put(Event { request_id, function, qualifier, payload, trace, accepted_at, progress }).await?;
        Ok(Accepted { trace: header })
    }

    /// Now, as precisely as it is kept.
    fn now(&self) -> jiff::Timestamp {
        let millis = self.inbox.clock.now().as_millisecond();
        jiff::Timestamp::from_millisecond(millis).unwrap_or_else(|_| self.inbox.clock.now())
    }

    /// How many events are kept, in whatever state.
    pub fn kept(&self) -> u64 {
        self.inbox.kept()
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.inbox.lanes.running().len()
    }

    /// Begins nothing any more; what waits stays on disk.
    pub fn close(&self) {
        self.inbox.lanes.close();
        self.deliveries.close();
    }

    /// Waits until what was begun is settled.
    pub async fn drained(&self) {
        self.inbox.lanes.drained().await;
        self.deliveries.drained().await;
    }

    /// Waits until everything that is due has been begun, as far as there is room for it: what `--test-clock` promises.
    pub async fn caught_up(&self) {
        let now = self.inbox.clock.now();
        self.inbox.lanes.caught_up(now).await;
        self.deliveries.caught_up(now).await;
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The event of somebody's own making, such as a record for another function.
pub(crate) fn made(
    request_id: RequestId,
    target: Target,
    payload: Bytes,
    trace: Option<String>,
    accepted_at: jiff::Timestamp,
) -> Event {
    let Target { arn, qualifier } = target;
    let progress = Progress::new(accepted_at);
    Event { request_id, function: arn.name, qualifier, payload, trace, accepted_at, progress }
}
