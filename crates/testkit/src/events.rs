//! `EventRecords` in memory. What may go wrong with it is in [`crate::faulty`].

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use domain::Fault;
use domain::destination::{Condition, Delivery, Purpose};
use domain::event::{Event, State};
use domain::names::{FunctionName, RequestId};
use engine::ports::{
    Backlog, Batch, DeliveryShown, DeliveryState, Due, EventFilter, EventRecords, Listed, Owed, Redriven, Sent,
    Settled, Shown, Wait,
};
use jiff::Timestamp;
use uuid::Uuid;

/// Events that live as long as this does; whoever has it next finds them.
#[derive(Debug)]
pub struct MemoryEvents {
    inner: Mutex<Inner>,
    free_bytes: AtomicU64,
}

impl Default for MemoryEvents {
    fn default() -> Self {
        Self { inner: Mutex::default(), free_bytes: AtomicU64::new(u64::MAX) }
    }
}

#[derive(Debug, Default)]
struct Inner {
    last_seq: u64,
    ids: HashMap<RequestId, u64>,
    events: BTreeMap<u64, Row>,
    deliveries: BTreeMap<u64, DeliveryRow>,
    delivery_ids: HashMap<Uuid, u64>,
    due_events: BTreeSet<(FunctionName, Timestamp, u64)>,
    due_deliveries: BTreeSet<(String, Timestamp, u64)>,
    by_age: BTreeSet<(Timestamp, Uuid)>,
}

#[derive(Debug)]
struct Row {
    event: Event,
    state: State,
    due_at: Option<Timestamp>,
    condition: Option<Condition>,
    deliveries: Vec<u64>,
}

#[derive(Debug)]
struct DeliveryRow {
    owner: u64,
    delivery: Delivery,
    state: DeliveryState,
    attempts: u32,
    tried_from: Timestamp,
    due_at: Option<Timestamp>,
    error: Option<String>,
}

/// Times are kept in milliseconds.
fn kept(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).expect("it was a time before")
}

impl MemoryEvents {
    /// From now on the disk has so much room left.
    pub fn set_free_bytes(&self, bytes: u64) {
        self.free_bytes.store(bytes, Ordering::Relaxed);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn next_seq(&mut self) -> u64 {
        self.last_seq += 1;
        self.last_seq
    }

    fn set_due(&mut self, seq: u64, due_at: Option<Timestamp>) {
        let Some(row) = self.events.get_mut(&seq) else { return };
        let before = std::mem::replace(&mut row.due_at, due_at.map(kept));
        let (name, after) = (row.event.function.clone(), row.due_at);
        if let Some(at) = before {
            self.due_events.remove(&(name.clone(), at, seq));
        }
        if let Some(at) = after {
            self.due_events.insert((name, at, seq));
        }
    }

    fn set_delivery_due(&mut self, seq: u64, due_at: Option<Timestamp>) {
        let Some(row) = self.deliveries.get_mut(&seq) else { return };
        let before = std::mem::replace(&mut row.due_at, due_at.map(kept));
        let (target, after) = (row.delivery.target.clone(), row.due_at);
        if let Some(at) = before {
            self.due_deliveries.remove(&(target.clone(), at, seq));
        }
        if let Some(at) = after {
            self.due_deliveries.insert((target, at, seq));
        }
    }

    fn remove_deliveries(&mut self, seq: u64) {
        let of = self.events.get_mut(&seq).map(|row| std::mem::take(&mut row.deliveries));
        for delivery in of.unwrap_or_default() {
            self.set_delivery_due(delivery, None);
            if let Some(row) = self.deliveries.remove(&delivery) {
                self.delivery_ids.remove(&row.delivery.id);
            }
        }
    }

    fn remove(&mut self, id: RequestId) -> bool {
        let Some(seq) = self.ids.remove(&id) else { return false };
        self.remove_deliveries(seq);
        self.set_due(seq, None);
        if let Some(row) = self.events.remove(&seq) {
            self.by_age.remove(&(row.event.accepted_at, id.0));
        }
        true
    }

    fn insert(&mut self, event: &Event) -> bool {
        if self.ids.contains_key(&event.request_id) {
            return false;
        }
        let seq = self.next_seq();
        let mut event = event.clone();
        event.accepted_at = kept(event.accepted_at);
        event.progress.aged_from = kept(event.progress.aged_from);
        event.progress.response = None;
        let due_at = event.accepted_at;
        self.ids.insert(event.request_id, seq);
        self.by_age.insert((due_at, event.request_id.0));
        let (state, condition, deliveries) = (State::Queued, None, Vec::new());
        self.events.insert(seq, Row { event, state, due_at: None, condition, deliveries });
        self.set_due(seq, Some(due_at));
        true
    }

    /// The row of an event that is at that round.
    fn at_round(&mut self, id: RequestId, round: u32) -> Option<(u64, &mut Row)> {
        let seq = *self.ids.get(&id)?;
        let row = self.events.get_mut(&seq).filter(|row| row.event.progress.round == round)?;
        Some((seq, row))
    }

    fn settle(&mut self, id: RequestId, round: u32, settled: Settled) -> bool {
        let Some((seq, row)) = self.at_round(id, round) else { return false };
        match settled {
            Settled::Done => return self.remove(id),
            Settled::Again { due_at, mut progress } => {
                progress.aged_from = row.event.progress.aged_from;
                progress.response = progress.response.or_else(|| row.event.progress.response.take());
                row.state = if progress.attempts == 0 { State::Queued } else { State::Retrying };
                (row.condition, row.event.progress) = (None, progress);
                self.set_due(seq, Some(due_at));
            }
            Settled::Ended { condition, mut progress, deliveries } => {
                (progress.aged_from, progress.response) = (row.event.progress.aged_from, None);
                row.state = if condition == Condition::Success { State::Delivering } else { State::Dead };
                (row.condition, row.event.progress) = (Some(condition), progress);
                self.set_due(seq, None);
                for mut delivery in deliveries {
                    delivery.at = kept(delivery.at);
                    self.add_delivery(seq, delivery);
                }
            }
        }
        true
    }

    fn add_delivery(&mut self, owner: u64, delivery: Delivery) {
        let seq = self.next_seq();
        let (at, id) = (delivery.at, delivery.id);
        let row = DeliveryRow {
            owner,
            delivery,
            state: DeliveryState::Pending,
            attempts: 0,
            tried_from: at,
            due_at: None,
            error: None,
        };
        self.deliveries.insert(seq, row);
        self.delivery_ids.insert(id, seq);
        if let Some(event) = self.events.get_mut(&owner) {
            event.deliveries.push(seq);
        }
        self.set_delivery_due(seq, Some(at));
    }

    fn settle_delivery(&mut self, id: Uuid, sent: Sent) -> u64 {
        let Some(&seq) = self.delivery_ids.get(&id) else { return 0 };
        let Some(row) = self.deliveries.get_mut(&seq).filter(|row| row.state == DeliveryState::Pending) else {
            return 0;
        };
        match sent {
            Sent::Again { due_at, attempts, error } => {
                (row.attempts, row.error) = (attempts, Some(error));
                self.set_delivery_due(seq, Some(due_at));
                0
            }
            Sent::Failed { attempts, error } => {
                (row.state, row.attempts, row.error) = (DeliveryState::Failed, attempts, Some(error));
                self.set_delivery_due(seq, None);
                0
            }
            Sent::Delivered => {
                (row.state, row.attempts, row.error) = (DeliveryState::Delivered, row.attempts + 1, None);
                let owner = row.owner;
                self.set_delivery_due(seq, None);
                let Some(event) = self.events.get(&owner) else { return 0 };
                let has_arrived =
                    |seq| self.deliveries.get(seq).is_none_or(|one| one.state == DeliveryState::Delivered);
                let is_gone = event.state == State::Delivering && event.deliveries.iter().all(has_arrived);
                let id = event.event.request_id;
                u64::from(is_gone && self.remove(id))
            }
        }
    }

    fn redrive(&mut self, id: RequestId, now: Timestamp) -> Option<Redriven> {
        let seq = *self.ids.get(&id)?;
        let row = self.events.get_mut(&seq)?;
        match row.state {
            State::Dead => {
                let progress = &mut row.event.progress;
                (progress.attempts, progress.aged_from) = (0, kept(now));
                progress.history.clear();
                progress.round += 1;
                (row.state, row.condition) = (State::Queued, None);
                let function = Some(row.event.function.clone());
                self.remove_deliveries(seq);
                self.set_due(seq, Some(now));
                Some(Redriven { request_id: id, function, targets: Vec::new() })
            }
            State::Delivering => {
                let mut targets = Vec::new();
                for delivery in row.deliveries.clone() {
                    let Some(row) = self.deliveries.get_mut(&delivery) else { continue };
                    if row.state == DeliveryState::Delivered {
                        continue;
                    }
                    (row.state, row.attempts, row.error) = (DeliveryState::Pending, 0, None);
                    row.tried_from = kept(now);
                    targets.push(row.delivery.target.clone());
                    self.set_delivery_due(delivery, Some(now));
                }
                Some(Redriven { request_id: id, function: None, targets })
            }
            State::Queued | State::Running | State::Retrying => None,
        }
    }

    fn owed(&self, seq: u64) -> Option<Owed> {
        let row = self.deliveries.get(&seq)?;
        let event = &self.events.get(&row.owner)?.event;
        let mut delivery = row.delivery.clone();
        if delivery.purpose == Purpose::DeadLetter {
            delivery.body = event.payload.clone();
        }
        delivery.trace.clone_from(&event.trace);
        Some(Owed { delivery, attempts: row.attempts, tried_from: row.tried_from })
    }

    fn find(&self, filter: &EventFilter, after: Option<(Timestamp, RequestId)>) -> impl Iterator<Item = Listed> {
        let only: Option<HashSet<&RequestId>> = filter.only.as_ref().map(|ids| ids.iter().collect());
        let but: HashSet<&RequestId> = filter.but.iter().collect();
        let fits = move |row: &&Row| {
            let id = &row.event.request_id;
            filter.function.as_ref().is_none_or(|name| *name == row.event.function)
                && filter.state.is_none_or(|state| state == row.state)
                && filter.accepted_before.is_none_or(|before| row.event.accepted_at < kept(before))
                && only.as_ref().is_none_or(|only| only.contains(id))
                && !but.contains(id)
        };
        let behind = after.map(|(at, id)| (kept(at), id.0));
        let found = self.by_age.iter().filter(move |key| behind.is_none_or(|behind| **key > behind));
        found.filter_map(|(_, id)| self.events.get(self.ids.get(&RequestId(*id))?)).filter(fits).map(listed)
    }
}

fn listed(row: &Row) -> Listed {
    let Event { request_id, function, qualifier, accepted_at, progress, .. } = &row.event;
    Listed {
        request_id: *request_id,
        function: function.clone(),
        qualifier: qualifier.clone(),
        state: row.state,
        attempts: progress.attempts,
        accepted_at: *accepted_at,
        due_at: row.due_at,
        condition: row.condition.map(|condition| condition.as_str().to_owned()),
        error_message: progress.history.last().map(|attempt| attempt.error_message.clone()),
    }
}

/// Takes what is due out of a list in the order of due times.
fn take<Id: Eq + Hash, T>(
    due: &Due<Id>,
    list: impl Iterator<Item = (Timestamp, u64)>,
    read: impl Fn(u64) -> Option<(Id, usize, T)>,
) -> Batch<T> {
    let skip: HashSet<&Id> = due.skip.iter().collect();
    let (mut batch, mut bytes) = (Batch { items: Vec::new(), next_at: None }, 0);
    for (due_at, seq) in list {
        let Some((id, size, item)) = read(seq) else { continue };
        if skip.contains(&id) {
            continue;
        }
        let fits = batch.items.is_empty() || bytes + size <= due.bytes_max;
        if due_at > due.now || batch.items.len() == due.items_max || !fits {
            batch.next_at = Some(due_at);
            break;
        }
        bytes += size;
        batch.items.push(item);
    }
    batch
}

fn first_of_each<K: Clone + PartialEq>(due: &BTreeSet<(K, Timestamp, u64)>) -> Vec<(K, Timestamp)> {
    let mut first: Vec<(K, Timestamp)> = due.iter().map(|(key, at, _)| (key.clone(), *at)).collect();
    first.dedup_by(|later, earlier| later.0 == earlier.0);
    first
}

fn ready<T: Send + 'static>(answer: T) -> Wait<'static, Result<T, Fault>> {
    Box::pin(std::future::ready(Ok(answer)))
}

impl EventRecords for MemoryEvents {
    fn free_bytes(&self) -> Result<u64, Fault> {
        Ok(self.free_bytes.load(Ordering::Relaxed))
    }

    fn load_events(&self) -> Wait<'_, Result<Backlog, Fault>> {
        let inner = self.inner();
        ready(Backlog {
            events: inner.events.len() as u64,
            functions: first_of_each(&inner.due_events),
            targets: first_of_each(&inner.due_deliveries),
        })
    }

    fn insert_event(&self, event: Arc<Event>) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move { Ok(self.inner().insert(&event)) })
    }

    fn due_events(&self, function: FunctionName, due: Due<RequestId>) -> Wait<'_, Result<Batch<Event>, Fault>> {
        Box::pin(async move {
            let inner = self.inner();
            let from = inner.due_events.range((function.clone(), Timestamp::MIN, 0)..);
            let list = from.take_while(|(name, ..)| *name == function).map(|(_, at, seq)| (*at, *seq));
            Ok(take(&due, list, |seq| {
                let event = &inner.events.get(&seq)?.event;
                Some((event.request_id, event.payload.len(), event.clone()))
            }))
        })
    }

    fn settle_event(&self, id: RequestId, round: u32, settled: Settled) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move { Ok(self.inner().settle(id, round, settled)) })
    }

    fn due_deliveries(&self, target: String, due: Due<Uuid>) -> Wait<'_, Result<Batch<Owed>, Fault>> {
        Box::pin(async move {
            let inner = self.inner();
            let from = inner.due_deliveries.range((target.clone(), Timestamp::MIN, 0)..);
            let list = from.take_while(|(name, ..)| *name == target).map(|(_, at, seq)| (*at, *seq));
            Ok(take(&due, list, |seq| {
                let owed = inner.owed(seq)?;
                Some((owed.delivery.id, owed.delivery.body.len(), owed))
            }))
        })
    }

    fn settle_delivery(&self, id: Uuid, sent: Sent) -> Wait<'_, Result<u64, Fault>> {
        Box::pin(async move { Ok(self.inner().settle_delivery(id, sent)) })
    }

    fn find_events(
        &self,
        filter: EventFilter,
        after: Option<(Timestamp, RequestId)>,
        events_max: usize,
    ) -> Wait<'_, Result<Vec<Listed>, Fault>> {
        Box::pin(async move { Ok(self.inner().find(&filter, after).take(events_max).collect()) })
    }

    fn count_events(&self, filter: EventFilter) -> Wait<'_, Result<u64, Fault>> {
        Box::pin(async move { Ok(self.inner().find(&filter, None).count() as u64) })
    }

    fn show_event(&self, id: RequestId) -> Wait<'_, Result<Option<Shown>, Fault>> {
        Box::pin(async move {
            let inner = self.inner();
            let row = inner.ids.get(&id).and_then(|seq| inner.events.get(seq));
            Ok(row.map(|row| Shown {
                listed: listed(row),
                payload: Bytes::clone(&row.event.payload),
                history: row.event.progress.history.clone(),
                deliveries: row.deliveries.iter().filter_map(|seq| inner.deliveries.get(seq)).map(shown).collect(),
            }))
        })
    }

    fn redrive_events(&self, ids: Vec<RequestId>, now: Timestamp) -> Wait<'_, Result<Vec<Redriven>, Fault>> {
        Box::pin(async move {
            let mut inner = self.inner();
            Ok(ids.into_iter().filter_map(|id| inner.redrive(id, now)).collect())
        })
    }

    fn purge_events(&self, ids: Vec<RequestId>) -> Wait<'_, Result<Vec<RequestId>, Fault>> {
        Box::pin(async move {
            let mut inner = self.inner();
            Ok(ids.into_iter().filter(|id| inner.remove(*id)).collect())
        })
    }
}

fn shown(row: &DeliveryRow) -> DeliveryShown {
    DeliveryShown {
        target: row.delivery.target.clone(),
        state: row.state,
        attempts: row.attempts,
        due_at: row.due_at,
        error: row.error.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_fake_keeps_the_contract() {
        crate::contracts::events::events_contract(&MemoryEvents::default()).await;
    }

    #[tokio::test]
    async fn the_fake_is_found_again() {
        let events: Arc<dyn EventRecords> = Arc::new(MemoryEvents::default());
        crate::contracts::events::reopening_contract(|| events.clone()).await;
    }
}
