//! `MappingRecords` in memory with its contract, and queues to feed functions from.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use domain::Fault;
use domain::mapping::{BatchSize, Filter, Mapping, QueueArn, Settings, State};
use engine::ports::{
    Clock, MappingRecords, NotDone, QueueAttributes, QueueFailure, QueueMessage, QueueSource, Receive, Wait,
};
use jiff::Timestamp;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::contracts::home;

/// Mappings that live as long as this does.
#[derive(Debug, Default)]
pub struct MemoryMappings(Mutex<BTreeMap<Uuid, Mapping>>);

impl MemoryMappings {
    fn mappings(&self) -> MutexGuard<'_, BTreeMap<Uuid, Mapping>> {
        self.0.lock().expect("nothing that holds it panics")
    }
}

impl MappingRecords for MemoryMappings {
    fn load_mappings(&self) -> Wait<'_, Result<Vec<Mapping>, Fault>> {
        Box::pin(async move { Ok(self.mappings().values().cloned().collect()) })
    }

    fn put_mapping(&self, mapping: Arc<Mapping>) -> Wait<'_, Result<(), Fault>> {
        Box::pin(async move {
            self.mappings().insert(mapping.id, Mapping::clone(&mapping));
            Ok(())
        })
    }

    fn remove_mapping(&self, id: Uuid) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move { Ok(self.mappings().remove(&id).is_some()) })
    }
}

/// A mapping in which every field has a value of its own.
pub fn mapping(number: u128) -> Mapping {
    let filter = Filter::read("{\"body\":{\"\u{fc}\":[1]}}".to_owned()).expect("a pattern");
    Mapping {
        id: Uuid::from_u128(number),
        queue: QueueArn::read("arn:aws:sqs:eu-west-1:111111111111:q").expect("a queue"),
        target: home().read("fn:live", None).expect("a function"),
        settings: Settings {
            batch_size: BatchSize(17),
            window_seconds: 3,
            filters: vec![filter],
            reports_failures: true,
            concurrency_max: Some(7),
        },
        tags: vec![("b".into(), "1".into()), ("a".into(), String::new())],
        state: State::Updating,
        is_enabled: true,
        modified_at: Timestamp::from_millisecond(1_713_866_400_123).expect("in range"),
    }
}

/// The contract of [`MappingRecords`], for an implementation without mappings.
///
/// # Panics
/// The implementation does not keep it.
pub async fn mapping_records_contract(records: &dyn MappingRecords) {
    let all = async || records.load_mappings().await.expect("reads");
    let put = async |mapping: &Mapping| records.put_mapping(Arc::new(mapping.clone())).await.expect("writes");
    assert_eq!(all().await, [], "the contract starts with nothing");

    let bare = Mapping {
        target: home().read("fn", None).expect("a function"),
        settings: Settings::default(),
        tags: Vec::new(),
        is_enabled: false,
        ..mapping(2)
    };
    put(&mapping(1)).await;
    put(&bare).await;
    assert_eq!(all().await, [mapping(1), bare.clone()]);
    for state in State::ALL {
        let next = Mapping { state, ..bare.clone() };
        put(&next).await;
        assert_eq!(all().await, [mapping(1), next]);
    }

    let remove = async |number| records.remove_mapping(Uuid::from_u128(number)).await.expect("writes");
    assert!(remove(2).await && !remove(2).await && !remove(3).await);
    assert_eq!(all().await, [mapping(1)]);
    assert!(remove(1).await);
}

/// Standard queues on a clock that is moved by hand.
pub struct FakeQueues {
    clock: Arc<dyn Clock>,
    queues: Mutex<BTreeMap<String, Queue>>,
    arrived: Notify,
    /// Whether what is dropped while it waits takes nothing any more.
    stops_when_dropped: bool,
}

#[derive(Default)]
struct Queue {
    visibility: Duration,
    messages: Vec<Held>,
    sent: u64,
    received: u64,
    polls: u64,
    is_down: bool,
    deletes_fail: u32,
}

struct Held {
    message: QueueMessage,
    visible_at: Duration,
    receipts: u64,
}

impl FakeQueues {
    /// None yet.
    pub fn new(clock: Arc<dyn Clock>, stops_when_dropped: bool) -> Arc<Self> {
        Arc::new(Self { clock, queues: Mutex::default(), arrived: Notify::new(), stops_when_dropped })
    }

    /// Makes one, or changes its visibility timeout.
    pub fn put(&self, arn: &str, visibility: Duration) {
        self.queues().entry(arn.to_owned()).or_default().visibility = visibility;
    }

    /// Deletes one.
    pub fn remove(&self, arn: &str) {
        self.queues().remove(arn);
        self.arrived.notify_waiters();
    }

    /// Sends a message; its id is `m` and a number, from 1 on.
    ///
    /// # Panics
    /// There is no such queue.
    pub fn send(&self, arn: &str, body: &str) -> String {
        let mut queues = self.queues();
        let queue = queues.get_mut(arn).expect("the test has made it");
        queue.sent += 1;
        let message = QueueMessage {
            id: format!("m{}", queue.sent),
            handle: String::new(),
            body: body.to_owned(),
            body_md5: "md5".to_owned(),
            attributes: BTreeMap::new(),
            message_attributes: BTreeMap::new(),
            message_attributes_md5: None,
        };
        let id = message.id.clone();
        queue.messages.push(Held { message, visible_at: Duration::ZERO, receipts: 0 });
        self.arrived.notify_waiters();
        id
    }

    /// From now on nobody answers for a queue, until told otherwise.
    pub fn set_down(&self, arn: &str, is_down: bool) {
        self.with(arn, |queue| queue.is_down = is_down);
        self.arrived.notify_waiters();
    }

    /// So many deletions fail.
    pub fn fail_deletes(&self, arn: &str, times: u32) {
        self.with(arn, |queue| queue.deletes_fail = times);
    }

    /// Ids of the messages that are left, hidden ones included, in the order sent.
    pub fn left(&self, arn: &str) -> Vec<String> {
        self.with(arn, |queue| queue.messages.iter().map(|held| held.message.id.clone()).collect())
    }

    /// Ids of the messages that are left and visible.
    pub fn visible(&self, arn: &str) -> Vec<String> {
        let now = self.clock.elapsed();
        self.with(arn, |queue| {
            let visible = queue.messages.iter().filter(|held| held.visible_at <= now);
            visible.map(|held| held.message.id.clone()).collect()
        })
    }

    /// How often messages were received.
    pub fn receipts(&self, arn: &str) -> u64 {
        self.with(arn, |queue| queue.received)
    }

    /// How often it was polled.
    pub fn polls(&self, arn: &str) -> u64 {
        self.with(arn, |queue| queue.polls)
    }

    fn queues(&self) -> MutexGuard<'_, BTreeMap<String, Queue>> {
        self.queues.lock().expect("nothing that holds it panics")
    }

    fn with<T>(&self, arn: &str, look: impl FnOnce(&mut Queue) -> T) -> T {
        look(self.queues().get_mut(arn).expect("the test has made it"))
    }

    fn reached<T>(&self, arn: &str, look: impl FnOnce(&mut Queue) -> T) -> Result<T, QueueFailure> {
        let mut queues = self.queues();
        let missing = QueueFailure::Missing { why: "there is no such queue".to_owned() };
        let queue = queues.get_mut(arn).ok_or(missing)?;
        if queue.is_down {
            return Err(QueueFailure::Failed { why: "nobody answers".to_owned() });
        }
        Ok(look(queue))
    }

    /// What is visible, or when the next one is.
    fn take(&self, arn: &str, ask: Receive) -> Result<(Vec<QueueMessage>, Option<Duration>), QueueFailure> {
        let now = self.clock.elapsed();
        self.reached(arn, |queue| {
            let visibility = ask.visibility.unwrap_or(queue.visibility);
            let visible = queue.messages.iter_mut().filter(|held| held.visible_at <= now);
            let mut taken = Vec::new();
            for held in visible.take(ask.max.into()) {
                queue.received += 1;
                held.receipts += 1;
                held.visible_at = now + visibility;
                held.message.handle = format!("{}-{}", held.message.id, held.receipts);
                held.message.attributes.insert("ApproximateReceiveCount".to_owned(), held.receipts.to_string());
                taken.push(held.message.clone());
            }
            (taken, queue.messages.iter().map(|held| held.visible_at).min())
        })
    }
}

impl QueueSource for FakeQueues {
    fn attributes(&self, queue: String) -> Wait<'_, Result<QueueAttributes, QueueFailure>> {
        Box::pin(async move { self.reached(&queue, |queue| QueueAttributes { visibility: queue.visibility }) })
    }

    fn receive(&self, queue: String, ask: Receive) -> Wait<'_, Result<Vec<QueueMessage>, QueueFailure>> {
        assert!((1..=10).contains(&ask.max) && ask.wait <= Duration::from_secs(20), "SQS refuses {ask:?}");
        Box::pin(async move {
            self.reached(&queue, |queue| queue.polls += 1)?;
            let until = self.clock.elapsed() + Duration::from_secs(ask.wait.as_secs());
            loop {
                let arrived = self.arrived.notified();
                let (taken, next_at) = self.take(&queue, ask)?;
                if !taken.is_empty() || self.clock.elapsed() >= until {
                    return Ok(taken);
                }
                let wake_at = next_at.map_or(until, |next_at| next_at.min(until));
                tokio::select! {
                    () = arrived => {}
                    () = self.clock.wake_at(wake_at) => {}
                }
            }
        })
    }

    fn delete(&self, queue: String, handles: Vec<String>) -> Wait<'_, Result<Vec<NotDone>, QueueFailure>> {
        Box::pin(async move {
            self.reached(&queue, |queue| {
                if queue.deletes_fail > 0 {
                    queue.deletes_fail -= 1;
                    return Err(QueueFailure::Failed { why: "told to fail".to_owned() });
                }
                queue.messages.retain(|held| !handles.contains(&held.message.handle));
                Ok(Vec::new())
            })?
        })
    }

    fn change_visibility(
        &self,
        queue: String,
        handles: Vec<String>,
        timeout: Duration,
    ) -> Wait<'_, Result<Vec<NotDone>, QueueFailure>> {
        let visible_at = self.clock.elapsed() + timeout;
        Box::pin(async move {
            let changed = self.reached(&queue, |queue| {
                let meant = queue.messages.iter_mut().filter(|held| handles.contains(&held.message.handle));
                meant.for_each(|held| held.visible_at = visible_at);
            });
            self.arrived.notify_waiters();
            changed.map(|()| Vec::new())
        })
    }

    fn stops_when_dropped(&self, _queue: &str) -> bool {
        self.stops_when_dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_fake_keeps_the_contract() {
        mapping_records_contract(&MemoryMappings::default()).await;
    }
}
