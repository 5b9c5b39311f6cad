//! Polling: one task for each event source mapping that is enabled, which gathers batches and has them run.
//!
//! A message is deleted when the function has processed it, and not before: whatever happens in between, it becomes
//! visible again after its visibility timeout. Windows and visibility timeouts are on the elapsed time. Never here: what
//! a batch says and how many run at a time, which is [`domain::mapping`]; another way to run one than [`crate::invoker`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::invocation::Outcome;
use domain::mapping::Mapping;
use domain::mapping::batch::{self, Processed};
use domain::mapping::pace::{GROWTH_PAUSE, Pace, Room};
use domain::names::RequestId;
use domain::{Error, Refusal};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::access::Caller;
use crate::catalog::{Catalog, Deployed};
use crate::invoker::{Answered, Ask, Invoker};
use crate::ports::{Clock, Dice, QueueFailure, QueueMessage, QueueSource, Receive};
use crate::{resolve, tasks};

/// How long one poll waits for a message.
const POLL_WAIT: Duration = Duration::from_secs(20);
/// Messages of one receipt, at most (Amazon SQS API reference, `ReceiveMessage`).
const RECEIVE_MAX: u32 = 10;
/// How long a queue that cannot be polled is left alone, at first and at most.
const FAILURE_PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How long a mapping without its function waits until it looks again.
const ABSENT_PAUSE: Duration = Duration::from_secs(1);
/// After which time a queue is asked for its visibility timeout again.
const ATTRIBUTES_AGE: Duration = Duration::from_secs(30);
/// How long to wait between tries to delete what was processed.
const DELETE_PAUSES: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(5)];

/// See the module.
pub struct Pollers {
    catalog: Arc<Catalog>,
    invoker: Arc<Invoker>,
    queues: Arc<dyn QueueSource>,
    clock: Arc<dyn Clock>,
    dice: Arc<dyn Dice>,
    running: Mutex<BTreeMap<Uuid, Poller>>,
    /// Set when the engine ends.
    closed: watch::Sender<bool>,
}

/// One task that polls.
struct Poller {
    /// The mapping as it is now; none when it is to end.
    mapping: watch::Sender<Option<Arc<Mapping>>>,
    /// Set when it has ended, its batches included.
    ended: watch::Receiver<bool>,
}

impl Pollers {
    /// Wires it up.
    pub fn new(
        (catalog, invoker): (Arc<Catalog>, Arc<Invoker>),
        queues: Arc<dyn QueueSource>,
        (clock, dice): (Arc<dyn Clock>, Arc<dyn Dice>),
    ) -> Arc<Self> {
        let (running, closed) = (Mutex::default(), watch::Sender::new(false));
        Arc::new(Self { catalog, invoker, queues, clock, dice, running, closed })
    }

    /// Polls for a mapping, or goes on with what it is now.
    pub(crate) fn poll(self: &Arc<Self>, mapping: Arc<Mapping>) {
        let mut running = self.running();
        if *self.closed.borrow() {
            return;
        }
        if let Some(poller) = running.get(&mapping.id) {
            poller.mapping.send_replace(Some(mapping));
            return;
        }
        let id = mapping.id;
        let (sender, receiver) = watch::channel(Some(mapping));
        let (end, ended) = watch::channel(false);
        let work = Polling { pollers: self.clone(), places: Arc::default(), mapping: receiver };
        let task = tasks::spawn("polling for an event source mapping", work.run());
        let watched = async move {
            if let Err(fault) = task.result().await {
                tracing::error!(mapping = %id, "polling has ended and begins again with the next update or start: {}", fault.chain());
            }
            end.send_replace(true);
        };
        tasks::spawn("watching over a poller", watched).detach();
        running.insert(id, Poller { mapping: sender, ended });
    }

    /// Ends polling for a mapping; what it had begun is over when this returns.
    pub(crate) async fn stop(&self, id: Uuid) {
        let ended = self.running().get(&id).map(|poller| {
            poller.mapping.send_replace(None);
            poller.ended.clone()
        });
        if let Some(mut ended) = ended {
            // The sender gone means the same.
            let _ = ended.wait_for(|ended| *ended).await;
            self.running().remove(&id);
        }
    }

    pub(crate) fn close(&self) {
        // Under the lock: none begins after.
        let _running = self.running();
        self.closed.send_replace(true);
    }

    pub(crate) async fn drained(&self) {
        let all: Vec<_> = self.running().values().map(|poller| poller.ended.clone()).collect();
        for mut ended in all {
            let _ = ended.wait_for(|ended| *ended).await;
        }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<Uuid, Poller>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn pause(&self, pause: Duration) {
        self.clock.wake_at(self.clock.elapsed() + pause).await;
    }

    /// Deletes messages. What cannot be deleted comes again.
    async fn delete(&self, mapping: &Mapping, handles: Vec<String>) {
        if handles.is_empty() {
            return;
        }
        let mut pauses = DELETE_PAUSES.into_iter();
        loop {
            let why = match self.queues.delete(mapping.queue.to_string(), handles.clone()).await {
                Ok(not_done) => {
                    if let Some(first) = not_done.first() {
                        let count = not_done.len();
                        tracing::warn!(queue = %mapping.queue, count, "processed messages come again, since the queue does not delete them: {}", first.why);
                    }
                    return;
                }
                Err(QueueFailure::Missing { .. }) => return,
                Err(QueueFailure::Failed { why }) => why,
            };
            let Some(pause) = pauses.next() else {
                let count = handles.len();
                tracing::warn!(queue = %mapping.queue, count, "processed messages come again, since they could not be deleted: {why}");
                return;
            };
            self.pause(pause).await;
        }
    }

    /// Gives messages back that were received and not run.
    async fn release(&self, mapping: &Mapping, messages: &[Gathered]) {
        if messages.is_empty() {
            return;
        }
        let handles = messages.iter().map(|gathered| gathered.message.handle.clone()).collect();
        // Those that cannot be given back come again a little later.
        let _ = self.queues.change_visibility(mapping.queue.to_string(), handles, Duration::ZERO).await;
    }
}

/// How many batches of one mapping run, and who waits for a place.
#[derive(Default)]
struct Places {
    pace: Mutex<Option<Pace>>,
    freed: Notify,
}

impl Places {
    fn with<T>(&self, look: impl FnOnce(&mut Pace) -> T) -> T {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        look(pace.get_or_insert_with(|| Pace::new(None)))
    }

    fn take(self: &Arc<Self>) -> Place {
        self.with(Pace::began);
        Place(self.clone())
    }
}

/// The place of one batch, given back when it is dropped.
struct Place(Arc<Places>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.with(Pace::ended);
        self.0.freed.notify_one();
    }
}

/// A message that is to be run, as the function gets it.
struct Gathered {
    message: QueueMessage,
    record: String,
    /// When it is visible to others again, as far as is known.
    visible_at: Duration,
}

/// What one look at the queue came to.
enum Looked {
    /// There was nothing.
    Nothing,
    /// There was something, for the mapping as it is by now.
    Found(Arc<Mapping>, Vec<Gathered>),
    /// The queue could not be asked.
    Failed(QueueFailure),
    /// The mapping is to end.
    Ended,
}

/// One task.
struct Polling {
    pollers: Arc<Pollers>,
    places: Arc<Places>,
    mapping: watch::Receiver<Option<Arc<Mapping>>>,
}

impl Polling {
    async fn run(mut self) {
        let mut stop = self.stop();
        let mut visibility: Option<(Duration, Duration)> = None;
        let mut failure_pause = FAILURE_PAUSE.0;
        while let Some(mapping) = self.current() {
            self.places.with(|pace| pace.limit(mapping.settings.concurrency_max));
            if resolve::function(&self.pollers.catalog, &mapping.target).is_err() {
                // Its messages wait rather than wear out their receipts.
                stop.or(self.pollers.pause(ABSENT_PAUSE)).await;
                continue;
            }
            let Some(room) = self.room(&mut stop).await else { break };
            let now = self.pollers.clock.elapsed();
            let known = visibility.filter(|(_, asked_at)| now < *asked_at + ATTRIBUTES_AGE);
            let looked = match known {
                Some((visibility, _)) => self.look(mapping.clone(), room, visibility, &mut stop).await,
                None => match self.pollers.queues.attributes(mapping.queue.to_string()).await {
                    Ok(attributes) => {
                        visibility = Some((attributes.visibility, now));
                        continue;
                    }
                    Err(failure) => Looked::Failed(failure),
                },
            };
            match looked {
                Looked::Nothing => {
                    failure_pause = FAILURE_PAUSE.0;
                    self.places.with(Pace::rested);
                }
                Looked::Found(mapping, messages) => {
                    failure_pause = FAILURE_PAUSE.0;
                    if self.begin(&mapping, messages, &mut stop).await.is_none() {
                        break;
                    }
                }
                Looked::Failed(QueueFailure::Missing { why } | QueueFailure::Failed { why }) => {
                    tracing::warn!(
                        mapping = %mapping.id, queue = %mapping.queue,
                        "a queue could not be polled, trying again in {} s: {why}", failure_pause.as_secs()
                    );
                    visibility = None;
                    stop.or(self.pollers.pause(failure_pause)).await;
                    failure_pause = (failure_pause * 2).min(FAILURE_PAUSE.1);
                }
                Looked::Ended => break,
            }
        }
        // What was begun comes to its end.
        loop {
            let freed = self.places.freed.notified();
            if self.places.with(|pace| pace.running()) == 0 {
                return;
            }
            freed.await;
        }
    }

    /// The mapping, as long as it is to be polled.
    fn current(&mut self) -> Option<Arc<Mapping>> {
        if *self.pollers.closed.borrow() {
            return None;
        }
        self.mapping.borrow_and_update().clone()
    }

    fn stop(&self) -> Stop {
        Stop { mapping: self.mapping.clone(), closed: self.pollers.closed.subscribe() }
    }

    /// Waits until batches may begin: how many.
    async fn room(&self, stop: &mut Stop) -> Option<u32> {
        loop {
            let clock = &self.pollers.clock;
            let freed = self.places.freed.notified();
            let wait = async {
                match self.places.with(|pace| pace.room(clock.elapsed())) {
                    Room::For(room) => return Some(room),
                    Room::HeldUntil(at) => clock.wake_at(at).await,
                    Room::Full => {
                        tokio::select! {
                            () = freed => {}
                            () = self.pollers.pause(GROWTH_PAUSE) => self.places.with(Pace::grow),
                        }
                    }
                }
                None
            };
            if let Some(room) = stop.or(wait).await? {
                return Some(room);
            }
        }
    }

    /// Takes what is there; with a window, gathers for as long as that.
    async fn look(&self, mut mapping: Arc<Mapping>, room: u32, visibility: Duration, stop: &mut Stop) -> Looked {
        let clock = &self.pollers.clock;
        let mut gathered: Vec<Gathered> = Vec::new();
        let mut bytes = 0;
        let mut until: Option<Duration> = None;
        loop {
            let (batch_size, window) = (mapping.settings.batch_size.0, mapping.settings.window());
            // Without a window there is nothing to gather for: what comes is parted into as many batches as may run.
            let wanted = if window.is_zero() { batch_size.saturating_mul(room).min(RECEIVE_MAX) } else { batch_size };
            let left = wanted.saturating_sub(u32::try_from(gathered.len()).unwrap_or(u32::MAX));
            if left == 0 {
                return Looked::Found(mapping, gathered);
            }
            let wait = until.map_or(POLL_WAIT, |until| until.saturating_sub(clock.elapsed()).min(POLL_WAIT));
            let max = u8::try_from(left.min(RECEIVE_MAX)).unwrap_or(u8::MAX);
            let received = match self.receive(&mapping, Receive { max, wait, visibility: None }, stop).await {
                Some(Ok(received)) => received,
                Some(Err(failure)) if gathered.is_empty() => return Looked::Failed(failure),
                // What is there is run; the next look meets the failure again.
                Some(Err(_)) => return Looked::Found(mapping, gathered),
                None => {
                    self.pollers.release(&mapping, &gathered).await;
                    return Looked::Ended;
                }
            };
            // It may have been updated while nothing came.
            if let Some(updated) = self.mapping.borrow().clone() {
                mapping = updated;
            }
            let (now, is_empty) = (clock.elapsed(), received.is_empty());
            for new in self.passing(&mapping, received, now + visibility).await {
                bytes += new.record.len() + 1;
                // Received again while others of its batch were awaited.
                match gathered.iter_mut().find(|known| known.message.id == new.message.id) {
                    Some(known) => *known = new,
                    None => gathered.push(new),
                }
            }
            let window = mapping.settings.window();
            if gathered.is_empty() && is_empty {
                return Looked::Nothing;
            }
            if gathered.is_empty() || window.is_zero() || batch::is_full(bytes, 0) {
                return Looked::Found(mapping, gathered);
            }
            // A batch begins while its function can still be done before its first message is visible again.
            let allowed = window.min(visibility.saturating_sub(self.timeout(&mapping)));
            let until = *until.get_or_insert(now + allowed);
            if now >= until {
                return Looked::Found(mapping, gathered);
            }
            // Below a second a queue does not wait.
            if is_empty
                && until.saturating_sub(now) < Duration::from_secs(1)
                && stop.or(clock.wake_at(until)).await.is_none()
            {
                self.pollers.release(&mapping, &gathered).await;
                return Looked::Ended;
            }
        }
    }

    /// Messages as their function gets them; those that fit no filter are deleted.
    async fn passing(&self, mapping: &Mapping, received: Vec<QueueMessage>, visible_at: Duration) -> Vec<Gathered> {
        let settings = &mapping.settings;
        let (passing, others): (Vec<_>, Vec<_>) =
            received.into_iter().partition(|message| settings.lets_through(&mapping.queue, message));
        self.pollers.delete(mapping, others.into_iter().map(|message| message.handle).collect()).await;
        let gathered = |message| {
            let record = batch::record(&mapping.queue, settings, &message);
            Gathered { message, record, visible_at }
        };
        passing.into_iter().map(gathered).collect()
    }

    /// Receives messages; nothing where the mapping is to end.
    async fn receive(
        &self,
        mapping: &Mapping,
        ask: Receive,
        stop: &mut Stop,
    ) -> Option<Result<Vec<QueueMessage>, QueueFailure>> {
        let pollers = &self.pollers;
        let receipt = pollers.queues.receive(mapping.queue.to_string(), ask);
        if pollers.queues.stops_when_dropped(mapping.queue.as_str()) {
            return stop.or(receipt).await;
        }
        let mut receipt = receipt;
        if let Some(received) = stop.or(&mut receipt).await {
            return Some(received);
        }
        // The queue would go on without us and hide what comes. Only the end of the engine does not wait for that.
        let received = tokio::select! {
            received = receipt => received.unwrap_or_default(),
            () = stop.closed() => Vec::new(),
        };
        let handles: Vec<_> = received.into_iter().map(|message| message.handle).collect();
        if !handles.is_empty() {
            let _ = pollers.queues.change_visibility(mapping.queue.to_string(), handles, Duration::ZERO).await;
        }
        None
    }

    fn timeout(&self, mapping: &Mapping) -> Duration {
        let found = resolve::function(&self.pollers.catalog, &mapping.target);
        found.map_or(Duration::ZERO, |(_, Deployed { function, .. })| function.configuration.timeout())
    }

    /// Has messages run, in as many batches as they need; each waits for a place.
    async fn begin(&self, mapping: &Arc<Mapping>, messages: Vec<Gathered>, stop: &mut Stop) -> Option<()> {
        let mut batches = parted(mapping, messages).into_iter();
        while let Some(batch) = batches.next() {
            if self.room(stop).await.is_none() {
                self.pollers.release(mapping, &batch).await;
                for batch in batches {
                    self.pollers.release(mapping, &batch).await;
                }
                return None;
            }
            if batch.iter().any(|gathered| gathered.visible_at <= self.pollers.clock.elapsed()) {
                // There was no place for too long: somebody else may have them by now.
                continue;
            }
            let run = Run {
                pollers: self.pollers.clone(),
                mapping: mapping.clone(),
                timeout: self.timeout(mapping),
                stop: self.stop(),
                place: self.places.take(),
            };
            tasks::spawn("running a batch", run.run(batch)).detach();
        }
        Some(())
    }
}

fn parted(mapping: &Mapping, messages: Vec<Gathered>) -> Vec<Vec<Gathered>> {
    let lengths = messages.iter().map(|gathered| gathered.record.len());
    let counts = batch::part(mapping.settings.batch_size.0, lengths);
    let mut messages = messages.into_iter();
    counts.into_iter().map(|count| messages.by_ref().take(count).collect()).collect()
}

/// Tells when a mapping is not to be polled any more.
struct Stop {
    mapping: watch::Receiver<Option<Arc<Mapping>>>,
    closed: watch::Receiver<bool>,
}

impl Stop {
    /// What comes of the work, unless the mapping is to end first.
    async fn or<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let Self { mapping, closed } = self;
        tokio::select! {
            biased;
            // A sender that is gone means the same.
            _ = closed.wait_for(|closed| *closed) => None,
            _ = mapping.wait_for(Option::is_none) => None,
            done = work => Some(done),
        }
    }

    async fn closed(&mut self) {
        let _ = self.closed.wait_for(|closed| *closed).await;
    }
}

/// One batch.
struct Run {
    pollers: Arc<Pollers>,
    mapping: Arc<Mapping>,
    /// The function's.
    timeout: Duration,
    stop: Stop,
    place: Place,
}

impl Run {
    async fn run(mut self, batch: Vec<Gathered>) {
        let event = batch::event(batch.iter().map(|gathered| gathered.record.as_str()));
        // One trace for all; that of the first that has one. It also carries the chain of invocations.
        let trace = batch.iter().find_map(|gathered| gathered.message.attributes.get("AWSTraceHeader").cloned());
        let visible_at = batch.iter().map(|gathered| gathered.visible_at).min().unwrap_or_default();
        loop {
            let ask = Ask {
                target: self.mapping.target.clone(),
                request_id: RequestId(self.pollers.dice.uuid()),
                payload: event.clone(),
                client_context: None,
                trace: trace.clone(),
                tail: false,
            };
            let why = match self.pollers.invoker.invoke(&Caller::Anyone, ask).await {
                Ok(answered) => return self.settle(&batch, answered).await,
                Err(Error::Refused(refusal @ (Refusal::RecursiveInvocation | Refusal::RequestTooLarge { .. }))) => {
                    // Trying again at once would come to the same.
                    self.pace(Pace::failed);
                    return self.warn(&batch, &format!("the function was not run: {refusal:?}"));
                }
                Err(Error::Refused(Refusal::Throttled { reason })) => reason.as_str().to_owned(),
                Err(Error::Refused(refusal)) => format!("{refusal:?}"),
                Err(Error::Fault(fault)) => fault.chain(),
            };
            // A batch that found no room is tried again while nobody else sees its messages (AWS developer guide,
            // services-sqs-errorhandling).
            let clock = &self.pollers.clock;
            let until = self.place.0.with(|pace| pace.throttled(clock.elapsed()));
            if until + self.timeout >= visible_at {
                return self.warn(&batch, &format!("there was no room for the function: {why}"));
            }
            if self.stop.or(clock.wake_at(until)).await.is_none() {
                return self.pollers.release(&self.mapping, &batch).await;
            }
        }
    }

    fn pace(&self, change: fn(&mut Pace)) {
        self.place.0.with(change);
    }

    /// Deletes what was processed; the rest becomes visible again after its visibility timeout.
    async fn settle(&self, batch: &[Gathered], answered: Answered) {
        let reports = self.mapping.settings.reports_failures;
        let processed = match answered.outcome {
            Outcome::FunctionError { error_type, .. } => {
                // One that reports its failures is not slowed down by them (AWS developer guide,
                // services-sqs-errorhandling).
                if !reports {
                    self.pace(Pace::failed);
                }
                return self.warn(batch, &format!("the function failed: {error_type}"));
            }
            Outcome::Answered(_) if !reports => Processed::All,
            Outcome::Answered(answer) => {
                let ids: Vec<&str> = batch.iter().map(|gathered| gathered.message.id.as_str()).collect();
                batch::read_answer(&answer, &ids)
            }
        };
        self.pace(Pace::succeeded);
        let is_processed = |gathered: &&Gathered| match &processed {
            Processed::All => true,
            Processed::None => false,
            Processed::AllBut(ids) => !ids.contains(&gathered.message.id),
        };
        match &processed {
            Processed::All => {}
            Processed::None => self.warn(batch, "the function's answer names no message as processed"),
            Processed::AllBut(failed) => tracing::info!(
                mapping = %self.mapping.id, function = %self.mapping.target.arn.name, failed = failed.len(),
                "messages of a batch were not processed and come again after their visibility timeout"
            ),
        }
        let handles = batch.iter().filter(is_processed).map(|gathered| gathered.message.handle.clone()).collect();
        self.pollers.delete(&self.mapping, handles).await;
    }

    fn warn(&self, batch: &[Gathered], why: &str) {
        tracing::warn!(
            mapping = %self.mapping.id, function = %self.mapping.target.arn.name, messages = batch.len(),
            "a batch was not processed; its messages come again after their visibility timeout: {why}"
        );
    }
}
