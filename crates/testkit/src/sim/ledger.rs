//! What must be true of a story, kept apart from the engine that plays in it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::destination::{Condition, Parcel};
use domain::event::State;
use domain::names::RequestId;
use engine::ports::{Clock, DeliveryState, EventFilter, EventRecords, Redriven, Sent, Settled};
use jiff::Timestamp;
use uuid::Uuid;

use super::{Sight, Tally};
use crate::clock::HandClock;
use crate::faulty::Written;
use crate::house::House;

/// Name, retries, age, dead-letter queue, and who is told of successes and failures.
type Kind = (&'static str, u32, u32, Option<&'static str>, Option<&'static str>, Option<&'static str>);

const LETTERS: &str = "arn:aws:sqs:us-east-1:000000000000:letters";
const WON: &str = "arn:aws:sqs:us-east-1:000000000000:won";
const LOST: &str = "arn:aws:sns:us-east-1:000000000000:lost";

pub(super) const FUNCTIONS: [Kind; 4] = [
    ("plain", 2, 21_600, None, None, None),
    ("letters", 1, 21_600, Some(LETTERS), None, None),
    ("told", 2, 90, None, Some(WON), Some(LOST)),
    ("all", 0, 3_600, Some(LETTERS), Some(WON), Some(LOST)),
];

/// What a try comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Succeeds,
    Fails,
    /// Our own mistake: no attempt.
    Breaks,
}

/// How an event is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Gone,
    Purged,
    Delivering,
    Dead,
}

#[derive(Debug)]
struct Known {
    kind: Option<Kind>,
    attempts: u32,
    due_at: Timestamp,
    over: Option<Over>,
    /// The try that runs.
    running: Option<Outcome>,
    /// The try that has ended, and of which nothing is written yet.
    unwritten: Option<Outcome>,
    /// When the last try ended.
    ended_at: Timestamp,
    has_succeeded: bool,
}

#[derive(Debug, Default)]
struct Inner {
    events: HashMap<RequestId, Known>,
    heard: BTreeMap<Uuid, &'static str>,
    purged: HashSet<RequestId>,
    owed: HashMap<Uuid, (RequestId, String)>,
    delivered: BTreeMap<(String, Uuid), u64>,
    faults: Vec<String>,
    tally: Tally,
}

/// See the module.
pub(super) struct Ledger {
    clock: Arc<HandClock>,
    pub(super) sight: Sight,
    inner: Mutex<Inner>,
}

impl Ledger {
    pub(super) fn new(clock: Arc<HandClock>, sight: Sight) -> Self {
        Self { clock, sight, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fault(&self, fault: String) {
        self.inner().faults.push(fault);
    }

    pub(super) fn faults(&self) -> Vec<String> {
        self.inner().faults.clone()
    }

    pub(super) fn tally(&self) -> Tally {
        self.inner().tally
    }

    /// Ids that somebody may name.
    pub(super) fn known(&self) -> Vec<RequestId> {
        self.inner().heard.keys().map(|id| RequestId(*id)).collect()
    }

    /// A caller was told that the event is accepted.
    pub(super) fn answered(&self, id: RequestId, function: &'static str) {
        let mut inner = self.inner();
        inner.tally.accepted += 1;
        inner.heard.insert(id.0, function);
        if !inner.events.contains_key(&id) {
            inner.faults.push(format!("{id} was accepted before it was written"));
        }
    }

    /// The engine is dead, and all that it had not written.
    pub(super) fn crashed(&self) {
        let mut inner = self.inner();
        inner.tally.crashes += 1;
        for known in inner.events.values_mut() {
            (known.running, known.unwritten) = (None, None);
        }
    }

    fn event<'a>(&self, inner: &'a mut Inner, id: RequestId) -> &'a mut Known {
        let now = self.clock.now();
        inner.events.entry(id).or_insert_with(|| Known {
            kind: None,
            attempts: 0,
            due_at: now,
            over: None,
            running: None,
            unwritten: None,
            ended_at: now,
            has_succeeded: false,
        })
    }

    pub(super) fn begins(&self, id: RequestId, outcome: Outcome) {
        let now = self.clock.now();
        let inner = &mut *self.inner();
        inner.tally.runs += 1;
        let known = self.event(inner, id);
        let mut faults = Vec::new();
        if known.running.is_some() {
            faults.push(format!("{id} runs twice at a time"));
        }
        if self.sight == Sight::Whole {
            if known.unwritten.is_some() {
                faults.push(format!("{id} runs again before its end is written"));
            }
            if let Some(over) = known.over {
                faults.push(format!("{id} runs at {now} although it is over: {over:?}"));
            }
            // Kept times have milliseconds.
            if now + Duration::from_millis(1) <= known.due_at {
                faults.push(format!("{id} runs at {now} and is due at {}", known.due_at));
            }
        }
        known.running = (outcome != Outcome::Breaks).then_some(outcome);
        inner.faults.extend(faults);
    }

    pub(super) fn ended(&self, id: RequestId) {
        let now = self.clock.now();
        let inner = &mut *self.inner();
        let known = self.event(inner, id);
        known.unwritten = known.running.take();
        known.ended_at = now;
        known.has_succeeded |= known.unwritten == Some(Outcome::Succeeds);
    }

    /// Something was written.
    pub(super) fn saw(&self, written: &Written) {
        let now = self.clock.now();
        let inner = &mut *self.inner();
        match written {
            Written::Inserted(id, function) => {
                let kind = FUNCTIONS.into_iter().find(|kind| kind.0 == function.as_str());
                self.event(inner, *id).kind = kind;
            }
            Written::Settled(id, settled) => self.saw_settled(inner, *id, settled),
            Written::Sent(delivery, sent) => {
                if let (Sent::Delivered, Some((id, target))) = (sent, inner.owed.get(delivery)) {
                    *inner.delivered.entry((target.clone(), id.0)).or_default() += 1;
                    inner.tally.delivered += 1;
                }
            }
            Written::Redriven(redriven) => {
                for Redriven { request_id: id, function, .. } in redriven {
                    inner.tally.redriven += 1;
                    let known = self.event(inner, *id);
                    let expected = if function.is_some() { Over::Dead } else { Over::Delivering };
                    let over = known.over;
                    if function.is_some() {
                        (known.over, known.attempts, known.due_at) = (None, 0, now);
                        inner.owed.retain(|_, (owner, _)| owner != id);
                    }
                    if over != Some(expected) && self.sight == Sight::Whole {
                        inner.faults.push(format!("{id} is redriven and was {over:?}, not {expected:?}"));
                    }
                }
            }
            Written::Purged(ids) => {
                for id in ids {
                    inner.tally.purged += 1;
                    inner.purged.insert(*id);
                    self.event(inner, *id).over = Some(Over::Purged);
                    inner.owed.retain(|_, (owner, _)| owner != id);
                }
            }
        }
    }

    fn saw_settled(&self, inner: &mut Inner, id: RequestId, settled: &Settled) {
        let known = self.event(inner, id);
        let (before, tried, kind) = (known.attempts, known.unwritten.take(), known.kind);
        let (over, ended_at) = (known.over, known.ended_at);
        let attempted = before + u32::from(tried.is_some());
        let mut faults = Vec::new();
        let mut check = |holds: bool, what: &str| {
            if !holds && self.sight == Sight::Whole {
                let from = format!("{before} attempts, {tried:?}, {over:?}");
                faults.push(format!("{id} is settled and {what}: {from}, {settled:?}"));
            }
        };
        check(over.is_none(), "was over");
        match settled {
            Settled::Done => {
                known.over = Some(Over::Gone);
                check(tried == Some(Outcome::Succeeds), "did not succeed");
                check(kind.is_none_or(|kind| kind.4.is_none()), "somebody was to be told");
                inner.tally.succeeded += 1;
            }
            Settled::Again { due_at, progress } => {
                (known.attempts, known.due_at) = (progress.attempts, *due_at);
                check(tried != Some(Outcome::Succeeds), "has succeeded");
                check(progress.attempts == attempted, "counts its attempts wrongly");
                check(progress.history.len() as u64 == u64::from(attempted), "tells its attempts wrongly");
                if let Some((_, retries, ..)) = kind {
                    check(attempted <= retries, "has no attempt left");
                }
                let wait = Duration::from_mins(1) * attempted;
                check(tried.is_none() || *due_at + Duration::from_millis(1) > ended_at + wait, "comes too soon");
            }
            Settled::Ended { condition, progress, deliveries } => {
                let succeeded = *condition == Condition::Success;
                known.over = Some(if succeeded { Over::Delivering } else { Over::Dead });
                known.attempts = progress.attempts;
                check(progress.attempts == attempted, "counts its attempts wrongly");
                check(succeeded == (tried == Some(Outcome::Succeeds)), "ends another way than it ran");
                if let Some((_, retries, _, letters, won, lost)) = kind {
                    let exhausted = *condition == Condition::RetriesExhausted;
                    check(exhausted == (tried == Some(Outcome::Fails) && attempted == retries + 1), "ends wrongly");
                    let expected: BTreeSet<&str> =
                        if succeeded { won.into_iter().collect() } else { letters.into_iter().chain(lost).collect() };
                    let told: BTreeSet<&str> = deliveries.iter().map(|one| one.target.as_str()).collect();
                    check(told == expected && deliveries.len() == expected.len(), "tells others than it should");
                }
                inner.tally.succeeded += u64::from(succeeded);
                inner.owed.extend(deliveries.iter().map(|one| (one.id, (id, one.target.clone()))));
            }
        }
        inner.faults.extend(faults);
    }

    /// Everything has come to its end: is everything there that has to be?
    pub(super) async fn close(&self, house: &House) {
        let kept = house.kept.find_events(EventFilter::default(), None, usize::MAX).await.expect("reads");
        if house.events.kept() != kept.len() as u64 {
            self.fault(format!("{} events are counted and {} are kept", house.events.kept(), kept.len()));
        }
        let arrived = arrived(house);
        for listed in &kept {
            let id = listed.request_id;
            let shown = house.kept.show_event(id).await.expect("reads").expect("it was listed");
            let inner = &mut *self.inner();
            let is_dead = listed.state == State::Dead;
            inner.tally.dead += u64::from(is_dead);
            // A success stays only where nobody took its record for six hours.
            let has_failed = shown.deliveries.iter().any(|one| one.state == DeliveryState::Failed);
            if !(is_dead || listed.state == State::Delivering && has_failed) {
                inner.faults.push(format!("{id} stays for nothing: {shown:?}"));
            }
            for delivery in &shown.deliveries {
                let has_arrived = arrived.contains_key(&(delivery.target.clone(), id.0));
                if delivery.state == DeliveryState::Pending
                    || delivery.state == DeliveryState::Delivered && !has_arrived
                {
                    inner.faults.push(format!("{id} was not told to {}: {:?}", delivery.target, delivery.state));
                }
            }
            let over = self.event(inner, id).over;
            let expected = if is_dead { Over::Dead } else { Over::Delivering };
            if self.sight == Sight::Whole && over != Some(expected) {
                inner.faults.push(format!("{id} is {expected:?} on disk, and was seen {over:?}"));
            }
        }
        let is_kept: HashSet<RequestId> = kept.iter().map(|listed| listed.request_id).collect();
        let inner = &mut *self.inner();
        for id in inner.heard.keys().map(|id| RequestId(*id)) {
            let known = &inner.events[&id];
            let ways = [is_kept.contains(&id), inner.purged.contains(&id), known.has_succeeded];
            if !ways.contains(&true) {
                inner.faults.push(format!("{id} is lost: {known:?}"));
            }
        }
        for ((target, id), count) in &inner.delivered {
            if arrived.get(&(target.clone(), *id)).is_none_or(|arrived| arrived < count) {
                inner.faults.push(format!("the end of {id} never arrived at {target}"));
            }
        }
        if self.sight == Sight::Whole {
            // Whoever was told of an event is one who was to be told.
            for (target, id) in arrived.keys() {
                let kind = inner.events.get(&RequestId(*id)).and_then(|known| known.kind);
                let may = kind.is_some_and(|kind| [kind.3, kind.4, kind.5].contains(&Some(target.as_str())));
                if !may {
                    inner.faults.push(format!("{target} was told of {id}, of {kind:?}"));
                }
            }
        }
    }
}

/// How often each target was told of each event.
fn arrived(house: &House) -> BTreeMap<(String, Uuid), u64> {
    let mut arrived = BTreeMap::new();
    for one in house.courier.carried().into_iter().filter(|one| one.arrived) {
        let told = match &one.parcel {
            Parcel::Queue { attributes, .. } if !attributes.is_empty() => Some(attributes[0].value.clone()),
            parcel => {
                let record: serde_json::Value =
                    serde_json::from_slice(crate::courier::body(parcel)).unwrap_or_default();
                record["requestContext"]["requestId"].as_str().map(str::to_owned)
            }
        };
        if let Some(id) = told.and_then(|id| Uuid::parse_str(&id).ok()) {
            *arrived.entry((one.target, id)).or_default() += 1;
        }
    }
    arrived
}
