//! The pump: takes what is due, runs it, settles what came of it.

use std::sync::Arc;
use std::time::Duration;

use domain::Fault;
use domain::arn::Target;
use domain::destination::{Condition, Delivery, Ended, Purpose, Response, clip, error_message};
use domain::error::{Error, Refusal};
use domain::event::{Attempt, Event, Terms, Tried, Verdict, verdict};
use domain::fault::{self, Faults, happens};
use domain::invocation::Outcome;
use domain::names::{FunctionName, Qualifier, RequestId};
use jiff::Timestamp;

use super::{Events, InHand};
use crate::catalog::Entry;
use crate::invoker::{Answered, Ask};
use crate::lanes::Move;
use crate::ports::{Batch, Due, Metric, Settled};
use crate::tasks;

/// How long an event that is throttled on purpose waits.
const FAULT_WAIT: Duration = Duration::from_secs(1);
/// How long an event waits whose try broke off by a mistake of ours.
const MISTAKE_WAIT: Duration = Duration::from_secs(1);
/// How long to wait before a settlement that could not be written is tried again, at first and at most.
const WRITE_WAIT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// What one try came to.
struct Try {
    tried: Tried,
    /// Why it could not run, for people.
    why: Option<String>,
    /// Whether all events of its function wait, and not this one alone.
    holds_lane: bool,
    /// What the function said, where it ran.
    answered: Option<Answered>,
}

impl Try {
    fn held(until: Timestamp, why: String) -> Self {
        Self { tried: Tried::Held(until), why: Some(why), holds_lane: false, answered: None }
    }

    fn refused(condition: Condition, why: String) -> Self {
        Self { tried: Tried::Refused(condition), why: Some(why), holds_lane: false, answered: None }
    }
}

impl Events {
    /// Runs events and deliveries until the engine ends.
    pub async fn run(self: Arc<Self>) {
        let (inbox, clock) = (self.inbox.clone(), self.inbox.clock.clone());
        let deliveries = tasks::spawn("sending deliveries", self.deliveries.clone().run());
        while !inbox.lanes.is_closed() {
            let (moves, wake_at) = inbox.lanes.next_moves(clock.now());
            for made in moves {
                let events = self.clone();
                match made {
                    Move::Run(function, item) => {
                        tasks::spawn("running an event", async move { events.run_surely(function, item).await })
                            .detach();
                    }
                    Move::Load(function, due) => {
                        tasks::spawn("reading events", async move { events.load_some(function, due).await }).detach();
                    }
                    Move::Sift(function) => {
                        let sift = async move { events.end_those_too_late(&function).await };
                        tasks::spawn("ending events that are too old", sift).detach();
                    }
                }
            }
            inbox.lanes.looked();
            tokio::select! {
                () = inbox.lanes.stirred() => {}
                () = async { clock.wake_on(wake_at.unwrap_or(Timestamp::MAX)).await }, if wake_at.is_some() => {}
            }
        }
        let _ = deliveries.result().await;
    }

    async fn load_some(&self, function: FunctionName, due: Due<RequestId>) {
        let read = tasks::caught("reading events", self.inbox.records.due_events(function.clone(), due)).await;
        let batch = match read.flatten() {
            Ok(Batch { items, next_at }) => {
                let items = items.into_iter().map(|event| InHand { event: Arc::new(event), runs_left: None }).collect();
                Some(Batch { items, next_at })
            }
            Err(fault) => {
                tracing::error!(%function, "events could not be read and wait: {}", fault.chain());
                None
            }
        };
        self.inbox.lanes.loaded(&function, batch, self.inbox.clock.now());
    }

    /// Of a function that is held: those that would be too old when it goes on end at once (recorded:
    /// `test_maxeventage`).
    async fn end_those_too_late(&self, function: &FunctionName) {
        let (lanes, now) = (&self.inbox.lanes, self.inbox.clock.now());
        let Some((until, why)) = lanes.held(function, now) else { return };
        let entry = self.catalog.get(function);
        let ends = |event: &Event| {
            let Event { qualifier, progress, .. } = event;
            let terms = self.terms(entry.as_deref(), qualifier.as_ref());
            match verdict(progress.attempts, progress.aged_from, Tried::Held(until), now, &terms) {
                Verdict::Done(condition) => Some(condition),
                Verdict::Again(_) => None,
            }
        };
        for item in lanes.take_out(function, now, |item| ends(&item.event).is_some()) {
            let Some(condition) = ends(&item.event) else { continue };
            let tried = Try::refused(condition, why.clone());
            let is_ours = self.settle(entry.as_deref(), &item.event, now, condition, tried).await;
            lanes.gave_up(function, &item.event.request_id, again_unless(is_ours, now), now);
        }
    }

    /// Runs one, and lets go of it whatever happens: one that stayed in hand would never run again.
    async fn run_surely(&self, function: FunctionName, item: InHand) {
        let (lanes, clock, id) = (&self.inbox.lanes, &self.inbox.clock, item.event.request_id);
        if let Err(fault) = tasks::caught("running an event", self.run_one(function.clone(), item)).await {
            tracing::error!(request_id = %id, %function, "an event waits after a mistake of ours: {}", fault.chain());
            lanes.gave_up(&function, &id, Some(clock.now() + MISTAKE_WAIT), clock.now());
        }
    }

    async fn run_one(&self, function: FunctionName, mut item: InHand) {
        let (lanes, clock) = (&self.inbox.lanes, &self.inbox.clock);
        let entry = self.catalog.get(&function);
        let started_at = self.now();
        let tried = tasks::caught("running an event", self.try_once(entry.as_deref(), &mut item)).await;
        let tried = tried.unwrap_or_else(|fault| self.hold(&item.event, &fault.chain()));
        let (event, now) = (&item.event, self.now());
        let terms = self.terms(entry.as_deref(), event.qualifier.as_ref());
        let attempts = event.progress.attempts + u32::from(tried.answered.is_some());
        let is_held = matches!(tried.tried, Tried::Held(_));
        let again_at = match verdict(attempts, event.progress.aged_from, tried.tried, now, &terms) {
            // The lane waits; for the event itself nothing has changed.
            Verdict::Again(_) if tried.holds_lane => return lanes.put_back(&function, item, clock.now()),
            Verdict::Again(due_at) => {
                let mut progress = event.progress.clone();
                progress.round += 1;
                if let Some(answered) = &tried.answered {
                    progress.attempts = attempts;
                    progress.history.push(attempt(attempts, started_at, &answered.outcome));
                    progress.response = Some(response(answered));
                }
                let is_ours = self.keep(event, Settled::Again { due_at, progress }).await;
                again_unless(is_ours, now).or(Some(due_at))
            }
            Verdict::Done(condition) => {
                let is_ours = self.settle(entry.as_deref(), event, started_at, condition, tried).await;
                again_unless(is_ours, now)
            }
        };
        if is_held {
            lanes.gave_up(&function, &event.request_id, again_at, clock.now());
        } else {
            lanes.ended(&function, &event.request_id, again_at, clock.now());
        }
    }

    /// One try: the same way as every other invocation.
    async fn try_once(&self, entry: Option<&Entry>, item: &mut InHand) -> Try {
        let event = item.event.clone();
        let Some(entry) = entry else {
            let why = format!("Function not found: {}", self.home.function_arn(&event.function));
            return Try::refused(Condition::FunctionUnavailable, why);
        };
        if entry.settings.reserved == Some(0) {
            let why = "the function's reserved concurrency is 0".to_owned();
            return Try::refused(Condition::ZeroReservedConcurrency, why);
        }
        // It may have waited longer than was foreseen, for others or for the engine (AWS API reference,
        // PutFunctionEventInvokeConfig: "the maximum age of a request that Lambda sends to a function").
        let Event { qualifier, progress, .. } = &*event;
        if self.now() >= progress.aged_from + self.terms(Some(entry), qualifier.as_ref()).age_max {
            return Try::refused(Condition::EventAgeExceeded, "it waited too long".to_owned());
        }
        let faults = self.faults(entry);
        if !faults.are_none() {
            let clock = &self.inbox.clock;
            clock.wake_at(clock.elapsed() + faults.delay).await;
            if happens(faults.throttle, self.dice.bits()) {
                return Try::held(self.now() + FAULT_WAIT, "throttled on purpose".to_owned());
            }
        }
        if item.runs_left.is_none() {
            let is_first = event.progress.attempts == 0;
            let runs = if is_first && happens(faults.duplicate, self.dice.bits()) { 2 } else { 1 };
            item.runs_left = Some(runs);
        }
        while item.runs_left > Some(1) {
            match self.invoke_once(&event).await {
                Ok(_) => item.runs_left = Some(1),
                Err(error) => return self.not_run(&event, error),
            }
        }
        match self.invoke_once(&event).await {
            Ok(answered) => {
                let failed = matches!(answered.outcome, Outcome::FunctionError { .. });
                let tried = if failed { Tried::Failed } else { Tried::Answered };
                Try { tried, why: None, holds_lane: false, answered: Some(answered) }
            }
            Err(error) => self.not_run(&event, error),
        }
    }

    async fn invoke_once(&self, event: &Event) -> Result<Answered, Error> {
        let Event { request_id, qualifier, payload, trace, .. } = event;
        let arn = self.home.function_arn(&event.function);
        let ask = Ask {
            target: Target { arn, qualifier: qualifier.clone() },
            request_id: *request_id,
            payload: payload.clone(),
            client_context: None,
            trace: trace.clone(),
            tail: false,
        };
        self.invoker.run_event(ask).await
    }

    fn not_run(&self, event: &Event, error: Error) -> Try {
        match error {
            Error::Refused(Refusal::FunctionNotFound { arn }) => {
                Try::refused(Condition::FunctionUnavailable, format!("Function not found: {arn}"))
            }
            Error::Refused(Refusal::RecursiveInvocation) => {
                Try::refused(Condition::RecursiveInvocation, "a loop of invocations was stopped".to_owned())
            }
            Error::Refused(Refusal::Throttled { reason }) => self.hold(event, reason.as_str()),
            Error::Refused(refusal) => self.hold(event, &format!("the function cannot run now: {refusal:?}")),
            Error::Fault(fault) => {
                tracing::error!(request_id = %event.request_id, "an event could not be run and waits: {}", fault.chain());
                self.hold(event, "the engine failed; its log says how")
            }
        }
    }

    /// Throttled, or our own failure: all events of the function wait.
    fn hold(&self, event: &Event, why: &str) -> Try {
        let until = self.inbox.lanes.hold(&event.function, why, self.now());
        Try { holds_lane: true, ..Try::held(until, why.to_owned()) }
    }

    fn faults(&self, entry: &Entry) -> Faults {
        // What cannot be read was refused when the tag was set.
        fault::of_tags(&entry.settings.tags).and_then(Result::ok).unwrap_or(self.inbox.settings.faults)
    }

    /// How long and how often, by the configuration of the qualifier that the event was sent to.
    fn terms(&self, entry: Option<&Entry>, qualifier: Option<&Qualifier>) -> Terms {
        let place = qualifier.unwrap_or(&Qualifier::Latest);
        Terms::of(entry.and_then(|entry| entry.settings.event_invoke.get(place)), self.inbox.settings.retry_base)
    }

    /// Writes the end of an event, with what is to be sent because of it. Whether it was still ours to write.
    async fn settle(
        &self,
        entry: Option<&Entry>,
        event: &Event,
        started_at: Timestamp,
        condition: Condition,
        tried: Try,
    ) -> bool {
        let mut progress = event.progress.clone();
        progress.round += 1;
        if let Some(answered) = &tried.answered {
            progress.attempts += 1;
            if matches!(answered.outcome, Outcome::FunctionError { .. }) {
                progress.history.push(attempt(progress.attempts, started_at, &answered.outcome));
            }
            progress.response = Some(response(answered));
        } else {
            tracing::info!(
                request_id = %event.request_id, function = %event.function,
                "an event ends without another attempt ({}): {}", condition.as_str(), tried.why.as_deref().unwrap_or_default()
            );
        }
        let deliveries = entry.map(|entry| self.deliveries_of(entry, event, condition, &progress)).unwrap_or_default();
        if condition != Condition::Success {
            self.inbox.telemetry.count(Metric::AsyncEventsDropped, &event.function);
        }
        let targets: Vec<String> = deliveries.iter().map(|delivery| delivery.target.clone()).collect();
        let is_gone = condition == Condition::Success && deliveries.is_empty();
        let settled = if is_gone { Settled::Done } else { Settled::Ended { condition, progress, deliveries } };
        let is_ours = self.keep(event, settled).await;
        if is_ours {
            self.inbox.discount(u64::from(is_gone));
            let now = self.inbox.clock.now();
            for target in &targets {
                self.deliveries.due(target, now);
            }
        }
        is_ours
    }

    /// The record for a destination, and the dead letter: each where one is configured (AWS developer guide,
    /// invocation-async-retain-records; the dead-letter queue is that of the version, the destination that of the
    /// qualifier).
    fn deliveries_of(
        &self,
        entry: &Entry,
        event: &Event,
        condition: Condition,
        progress: &domain::event::Progress,
    ) -> Vec<Delivery> {
        let arn = self.home.function_arn(&event.function);
        let at = self.now();
        let ended = Ended {
            at,
            request_id: event.request_id,
            function: &arn,
            qualifier: event.qualifier.as_ref(),
            condition,
            attempts: progress.attempts,
            payload: &event.payload,
            response: progress.response.as_ref(),
        };
        let delivery = |purpose, target: String| Delivery {
            id: RequestId::made_at(at, self.dice.uuid()).0,
            event: event.request_id,
            purpose,
            target,
            function_arn: ended.function_arn(),
            function_name: event.function.to_string(),
            body: if purpose == Purpose::DeadLetter { event.payload.clone() } else { ended.record() },
            attributes: if purpose == Purpose::DeadLetter { ended.dead_letter_attributes() } else { Vec::new() },
            trace: event.trace.clone(),
            at,
        };
        let place = event.qualifier.clone().unwrap_or(Qualifier::Latest);
        let config = entry.settings.event_invoke.get(&place);
        if condition == Condition::Success {
            let target = config.and_then(|config| config.on_success.clone());
            return target.map(|target| delivery(Purpose::OnSuccess, target)).into_iter().collect();
        }
        let on_failure = config.and_then(|config| config.on_failure.clone());
        let version = match &event.qualifier {
            Some(Qualifier::Version(number)) => entry.versions.get(number),
            Some(Qualifier::Alias(name)) => entry.aliases.get(name).and_then(|alias| entry.version(alias.version)),
            Some(Qualifier::Latest) | None => None,
        };
        let dead_letter = version.unwrap_or(&entry.latest).function.configuration.dead_letter.clone();
        let on_failure = on_failure.map(|target| delivery(Purpose::OnFailure, target));
        on_failure.into_iter().chain(dead_letter.map(|target| delivery(Purpose::DeadLetter, target))).collect()
    }

    /// Writes a settlement, however long that takes: what ran must not run again because a disk was full for a moment.
    /// Whether it was still ours to write.
    async fn keep(&self, event: &Event, settled: Settled) -> bool {
        let (mut wait, wait_max) = WRITE_WAIT;
        let (clock, lanes) = (&self.inbox.clock, &self.inbox.lanes);
        let mut stall = None;
        loop {
            let written =
                self.inbox.records.settle_event(event.request_id, event.progress.round, settled.clone()).await;
            let fault: Fault = match written {
                Ok(is_ours) => return is_ours,
                Err(fault) => fault,
            };
            tracing::error!(
                request_id = %event.request_id,
                "what came of an event could not be written and is tried again; should the engine end before, the event runs again: {}",
                fault.chain()
            );
            if lanes.is_closed() {
                return false;
            }
            stall.get_or_insert_with(|| lanes.stall());
            clock.wake_at(clock.elapsed() + wait).await;
            wait = (wait * 2).min(wait_max);
        }
    }
}

/// What was not ours to write is on disk otherwise than we know it: it is looked for.
fn again_unless(is_ours: bool, now: Timestamp) -> Option<Timestamp> {
    (!is_ours).then_some(now)
}

fn response(answered: &Answered) -> Response {
    let (failed, payload) = match &answered.outcome {
        Outcome::Answered(payload) => (false, payload.clone()),
        Outcome::FunctionError { payload, .. } => (true, payload.clone()),
    };
    Response { executed_version: answered.executed_version, failed, payload }
}

fn attempt(number: u32, started_at: Timestamp, outcome: &Outcome) -> Attempt {
    let (error_type, error_message) = match outcome {
        Outcome::FunctionError { error_type, payload } => {
            (domain::invocation::error_code(error_type, payload), error_message(payload))
        }
        Outcome::Answered(_) => (String::new(), String::new()),
    };
    Attempt { number, started_at, error_type: clip(error_type), error_message }
}
