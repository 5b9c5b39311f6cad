//! Seeing events and steering them, for those who run the engine: list, show, redrive, purge.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use domain::Fault;
use domain::event::State;
use domain::names::{FunctionName, RequestId};
use jiff::Timestamp;

use super::Events;
use crate::ports::{EventFilter, Listed, Redriven, Shown};
use crate::tasks;

/// Events that are looked at in one step.
const STEP: usize = 1_000;

/// Which events are to be redriven or purged.
#[derive(Clone, Debug)]
pub enum Selection {
    /// These.
    Ids(Vec<RequestId>),
    /// Those that fit; all of them where the filter says nothing.
    Filter(EventFilter),
}

/// An event as people see it.
#[derive(Clone, Debug)]
pub struct EventView {
    /// What is kept of it; with its state as it is at this moment.
    pub listed: Listed,
    /// The function's ARN, with the qualifier that the event was sent to.
    pub function_arn: String,
    /// Why it is where it is: the last error, what ended it, or what its function waits for.
    pub reason: Option<String>,
}

/// Some events, and where to go on.
#[derive(Clone, Debug)]
pub struct EventPage {
    /// Oldest first, then by id.
    pub events: Vec<EventView>,
    /// Behind this one there are more.
    pub next: Option<(Timestamp, RequestId)>,
    /// How many fit in all.
    pub total: u64,
}

/// What came of steering.
#[derive(Debug)]
pub enum Steered {
    /// So many events were touched.
    Done(u64),
    /// There is no such event; none was touched.
    Unknown(RequestId),
    /// An event was named that is in no state for it; none was touched.
    WrongState(RequestId, State),
}

impl Events {
    /// Events that fit, those behind `after`, `events_max` at most.
    ///
    /// # Errors
    /// The store failed.
    pub async fn list(
        &self,
        filter: EventFilter,
        after: Option<(Timestamp, RequestId)>,
        events_max: usize,
    ) -> Result<EventPage, Fault> {
        let filter = self.as_kept(filter);
        let records = &self.inbox.records;
        let total = records.count_events(filter.clone()).await?;
        let mut found = records.find_events(filter, after, events_max.saturating_add(1)).await?;
        let next = (found.len() > events_max).then(|| {
            found.truncate(events_max);
            found.last().map(|last| (last.accepted_at, last.request_id))
        });
        let running = self.running_ids();
        let events = found.into_iter().map(|listed| self.view(listed, &running)).collect();
        Ok(EventPage { events, next: next.flatten(), total })
    }

    /// One event with all that is known of it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn show(&self, id: RequestId) -> Result<Option<(EventView, Shown)>, Fault> {
        let shown = self.inbox.records.show_event(id).await?;
        Ok(shown.map(|shown| (self.view(shown.listed.clone(), &self.running_ids()), shown)))
    }

    /// Starts dead events again, with their payloads and ids, no attempts and a new age; of those that are delivering,
    /// only the delivery.
    ///
    /// # Errors
    /// The store failed; some may have been started.
    pub async fn redrive(self: &Arc<Self>, selection: Selection) -> Result<Steered, Fault> {
        let filter = match selection {
            Selection::Ids(ids) => {
                let found = match self.check(&ids, |state| matches!(state, State::Dead | State::Delivering)).await? {
                    Ok(found) => found,
                    Err(refused) => return Ok(refused),
                };
                let mut redriven = 0;
                for step in found.chunks(STEP) {
                    redriven += self.redrive_step(step).await?;
                }
                return Ok(Steered::Done(redriven));
            }
            Selection::Filter(filter) => filter,
        };
        let mut redriven = 0;
        for state in [State::Dead, State::Delivering] {
            if filter.state.is_some_and(|wanted| wanted != state) {
                continue;
            }
            let filter = EventFilter { state: Some(state), ..filter.clone() };
            let mut after = None;
            loop {
                let step = self.inbox.records.find_events(filter.clone(), after, STEP).await?;
                let Some(last) = step.last() else { break };
                after = Some((last.accepted_at, last.request_id));
                redriven += self.redrive_step(&step).await?;
            }
        }
        Ok(Steered::Done(redriven))
    }

    /// A task of its own: the caller may leave, and what was started again has to come into its lane.
    async fn redrive_step(self: &Arc<Self>, found: &[Listed]) -> Result<u64, Fault> {
        let ids = found.iter().map(|listed| listed.request_id).collect();
        let events = self.clone();
        let step = tasks::spawn("redriving events", async move {
            let now = events.now();
            let redriven = events.inbox.records.redrive_events(ids, now).await?;
            let count = redriven.len() as u64;
            for Redriven { function, targets, .. } in redriven {
                if let Some(function) = function {
                    events.inbox.lanes.due_again(&function, now, now);
                }
                for target in &targets {
                    events.deliveries.redriven(target, now);
                }
            }
            Ok(count)
        });
        step.result().await?
    }

    /// Removes events, whatever their state, but for those that run.
    ///
    /// # Errors
    /// The store failed; some may have been removed.
    pub async fn purge(self: &Arc<Self>, selection: Selection) -> Result<Steered, Fault> {
        let filter = match selection {
            Selection::Ids(ids) => {
                let found = match self.check(&ids, |state| state != State::Running).await? {
                    Ok(found) => found,
                    Err(refused) => return Ok(refused),
                };
                let mut purged = 0;
                for step in found.chunks(STEP) {
                    purged += self.purge_step(step).await?;
                }
                return Ok(Steered::Done(purged));
            }
            Selection::Filter(filter) if filter.state == Some(State::Running) => return Ok(Steered::Done(0)),
            Selection::Filter(filter) => filter,
        };
        let (mut purged, mut after) = (0, None);
        loop {
            let step = self.inbox.records.find_events(filter.clone(), after, STEP).await?;
            let Some(last) = step.last() else { return Ok(Steered::Done(purged)) };
            after = Some((last.accepted_at, last.request_id));
            purged += self.purge_step(&step).await?;
        }
    }

    /// While they are removed nothing runs them. A task of its own: the caller may leave, and what was taken out of its
    /// lane has to come back.
    async fn purge_step(self: &Arc<Self>, found: &[Listed]) -> Result<u64, Fault> {
        let mut by_function: BTreeMap<FunctionName, Vec<RequestId>> = BTreeMap::new();
        for listed in found {
            by_function.entry(listed.function.clone()).or_default().push(listed.request_id);
        }
        let inbox = self.inbox.clone();
        let step = tasks::spawn("purging events", async move {
            let mut purged = 0;
            for (function, ids) in by_function {
                let taken = inbox.lanes.take(&function, &ids, inbox.clock.now());
                let removed = inbox.records.purge_events(taken.clone()).await;
                inbox.lanes.give_back(&function, &taken, inbox.clock.now());
                let removed = removed?.len() as u64;
                inbox.discount(removed);
                purged += removed;
            }
            Ok(purged)
        });
        step.result().await?
    }

    /// Finds the events of these ids, or says which is not there or in no state for it.
    async fn check(
        &self,
        ids: &[RequestId],
        may: impl Fn(State) -> bool,
    ) -> Result<Result<Vec<Listed>, Steered>, Fault> {
        let only = EventFilter { only: Some(ids.to_vec()), ..EventFilter::default() };
        let found = self.inbox.records.find_events(only, None, ids.len()).await?;
        let known: HashSet<RequestId> = found.iter().map(|listed| listed.request_id).collect();
        if let Some(unknown) = ids.iter().find(|id| !known.contains(id)) {
            return Ok(Err(Steered::Unknown(*unknown)));
        }
        let running = self.running_ids();
        for listed in &found {
            let state = if running.contains(&listed.request_id) { State::Running } else { listed.state };
            if !may(state) {
                return Ok(Err(Steered::WrongState(listed.request_id, state)));
            }
        }
        Ok(Ok(found))
    }

    fn running_ids(&self) -> HashSet<RequestId> {
        self.inbox.lanes.running().into_iter().map(|(_, id)| id).collect()
    }

    /// A filter in terms of what is kept: what runs is queued or retrying there.
    fn as_kept(&self, filter: EventFilter) -> EventFilter {
        match filter.state {
            Some(State::Running) => {
                let running = self.running_ids().into_iter();
                let wanted = running.filter(|id| filter.only.as_ref().is_none_or(|only| only.contains(id)));
                EventFilter { state: None, only: Some(wanted.collect()), ..filter }
            }
            Some(State::Queued | State::Retrying) => {
                EventFilter { but: self.running_ids().into_iter().collect(), ..filter }
            }
            Some(State::Delivering | State::Dead) | None => filter,
        }
    }

    fn view(&self, mut listed: Listed, running: &HashSet<RequestId>) -> EventView {
        let arn = self.home.function_arn(&listed.function);
        let function_arn =
            listed.qualifier.as_ref().map_or_else(|| arn.to_string(), |qualifier| arn.qualified(qualifier));
        let mut reason = match (&listed.condition, &listed.error_message) {
            (Some(condition), Some(message)) if !message.is_empty() => Some(format!("{condition}: {message}")),
            (Some(condition), _) => Some(condition.clone()),
            (None, message) => message.clone(),
        };
        if matches!(listed.state, State::Queued | State::Retrying) {
            if running.contains(&listed.request_id) {
                (listed.state, listed.due_at) = (State::Running, None);
            } else if let Some((until, why)) = self.inbox.lanes.held(&listed.function, self.now()) {
                listed.due_at = listed.due_at.map(|due_at| due_at.max(until));
                reason.get_or_insert(why);
            }
        }
        EventView { listed, function_arn, reason }
    }
}
