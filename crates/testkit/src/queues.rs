//! `QueueRecords` in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use domain::queue::{Counts, MessageBody, Queue, QueueName, Receipt};
use domain::{Fault, limits};
use engine::ports::{Accepted, QueueRecords, Received, ReceivedMessage, Receiving, Sending, Visibility, Wait};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// Queues that live as long as this does.
#[derive(Debug, Default)]
pub struct MemoryQueues(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last_id: u64,
    last_row: i64,
    queues: BTreeMap<u64, Queue>,
    /// In the order in which they were sent.
    messages: Vec<Kept>,
}

#[derive(Clone, Debug)]
struct Kept {
    queue: u64,
    row: i64,
    id: Uuid,
    body: MessageBody,
    sent_at: Timestamp,
    visible_at: Timestamp,
    receives: u32,
    received_at: Option<Timestamp>,
    first_received_at: Option<Timestamp>,
    source: Option<QueueName>,
}

impl MemoryQueues {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing that holds it panics")
    }
}

fn after(now: Timestamp, seconds: u32) -> Timestamp {
    now + SignedDuration::from_secs(seconds.into())
}

impl State {
    fn find(&mut self, queue: u64, receipt: &Receipt) -> Option<usize> {
        self.messages.iter().position(|kept| {
            let is_it = (kept.queue, kept.row, kept.id) == (queue, receipt.row, receipt.message);
            is_it && kept.receives == receipt.receives
        })
    }
}

impl QueueRecords for MemoryQueues {
    fn load_queues(&self) -> Wait<'_, Result<Vec<Queue>, Fault>> {
        Box::pin(async move { Ok(self.state().queues.values().cloned().collect()) })
    }

    fn insert_queue(&self, mut queue: Queue) -> Wait<'_, Result<Option<u64>, Fault>> {
        Box::pin(async move {
            let mut state = self.state();
            if state.queues.values().any(|there| there.name == queue.name) {
                return Ok(None);
            }
            state.last_id += 1;
            queue.id = state.last_id;
            state.queues.insert(queue.id, queue.clone());
            Ok(Some(queue.id))
        })
    }

    fn replace_queue(&self, queue: Arc<Queue>) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let mut state = self.state();
            Ok(state.queues.get_mut(&queue.id).map(|there| *there = Queue::clone(&queue)).is_some())
        })
    }

    fn remove_queue(&self, queue: u64) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let mut state = self.state();
            state.messages.retain(|kept| kept.queue != queue);
            Ok(state.queues.remove(&queue).is_some())
        })
    }

    fn purge_queue(&self, queue: u64) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let mut state = self.state();
            state.messages.retain(|kept| kept.queue != queue);
            Ok(state.queues.contains_key(&queue))
        })
    }

    fn send_messages(&self, sending: Sending) -> Wait<'_, Result<Accepted, Fault>> {
        Box::pin(async move {
            let mut state = self.state();
            if !state.queues.contains_key(&sending.queue) {
                return Ok(Accepted::NoQueue);
            }
            let there = state.messages.iter().filter(|kept| kept.queue == sending.queue).count();
            if (there + sending.messages.len()) as u64 > sending.messages_max {
                return Ok(Accepted::Full);
            }
            for message in sending.messages {
                state.last_row += 1;
                let kept = Kept {
                    queue: sending.queue,
                    row: state.last_row,
                    id: message.id,
                    body: message.body,
                    sent_at: sending.now,
                    visible_at: after(sending.now, message.delay_seconds),
                    receives: 0,
                    received_at: None,
                    first_received_at: None,
                    source: None,
                };
                state.messages.push(kept);
            }
            Ok(Accepted::Kept)
        })
    }

    fn receive_messages(&self, receiving: Receiving) -> Wait<'_, Result<Option<Received>, Fault>> {
        Box::pin(async move {
            let Receiving { queue, name, max, visibility_seconds, sent_after, redrive, in_flight_max, now } = receiving;
            let mut state = self.state();
            if !state.queues.contains_key(&queue) {
                return Ok(None);
            }
            let mut received = Received::default();
            let with_receivers = |kept: &&Kept| kept.queue == queue && kept.visible_at > now && kept.receives > 0;
            if state.messages.iter().filter(with_receivers).count() >= in_flight_max as usize {
                received.is_over_limit = true;
                return Ok(Some(received));
            }
            let target = redrive.and_then(|(target, most)| {
                let target = state.queues.values().find(|there| there.name == target)?;
                Some((target.id, most))
            });
            let is_visible =
                |kept: &&mut Kept| kept.queue == queue && kept.visible_at <= now && kept.sent_at > sent_after;
            let mut visible: Vec<&mut Kept> = state.messages.iter_mut().filter(is_visible).collect();
            visible.sort_by_key(|kept| kept.visible_at);
            for kept in visible {
                if received.messages.len() == max as usize {
                    break;
                }
                match target {
                    Some((target, most)) if kept.receives >= most => {
                        (kept.queue, kept.visible_at, kept.receives) = (target, now, 0);
                        (kept.received_at, kept.first_received_at) = (None, None);
                        kept.source = Some(name.clone());
                        received.moved += 1;
                    }
                    _ => {
                        kept.receives += 1;
                        kept.visible_at = after(now, visibility_seconds);
                        kept.received_at = Some(now);
                        received.messages.push(ReceivedMessage {
                            id: kept.id,
                            receipt: Receipt { queue, row: kept.row, message: kept.id, receives: kept.receives },
                            body: kept.body.clone(),
                            sent_at: kept.sent_at,
                            first_received_at: *kept.first_received_at.get_or_insert(now),
                            dead_letter_source: kept.source.clone(),
                        });
                    }
                }
            }
            if received.messages.is_empty() {
                let later = state.messages.iter().filter(|kept| kept.queue == queue && kept.visible_at > now);
                received.next_at = later.map(|kept| kept.visible_at).min();
            }
            Ok(Some(received))
        })
    }

    fn delete_messages(&self, queue: u64, receipts: Vec<Receipt>) -> Wait<'_, Result<Vec<bool>, Fault>> {
        Box::pin(async move {
            let mut state = self.state();
            let delete = |receipt: &Receipt| match state.find(queue, receipt) {
                Some(at) => {
                    state.messages.remove(at);
                    true
                }
                None => false,
            };
            Ok(receipts.iter().map(delete).collect())
        })
    }

    fn change_visibility(
        &self,
        queue: u64,
        changes: Vec<(Receipt, u32)>,
        now: Timestamp,
    ) -> Wait<'_, Result<Vec<Visibility>, Fault>> {
        Box::pin(async move {
            let mut state = self.state();
            let change = |(receipt, seconds): (Receipt, u32)| {
                let Some(at) = state.find(queue, &receipt) else { return Visibility::Expired };
                let kept = &mut state.messages[at];
                if kept.visible_at <= now {
                    return Visibility::NotInFlight;
                }
                let until = after(now, seconds);
                if kept.received_at.is_some_and(|at| until > after(at, limits::VISIBILITY_SECONDS)) {
                    return Visibility::TooLong;
                }
                kept.visible_at = until;
                Visibility::Changed
            };
            Ok(changes.into_iter().map(change).collect())
        })
    }

    fn count_messages(&self, queue: u64, now: Timestamp) -> Wait<'_, Result<Option<Counts>, Fault>> {
        Box::pin(async move {
            let state = self.state();
            let mut counts = Counts::default();
            for kept in state.messages.iter().filter(|kept| kept.queue == queue) {
                let counted = match (kept.visible_at <= now, kept.receives) {
                    (true, _) => &mut counts.visible,
                    (false, 0) => &mut counts.delayed,
                    (false, _) => &mut counts.in_flight,
                };
                *counted += 1;
            }
            Ok(state.queues.contains_key(&queue).then_some(counts))
        })
    }

    fn sweep_messages(&self, sent_before: Vec<(u64, Timestamp)>) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let mut state = self.state();
            for (queue, at) in sent_before {
                state.messages.retain(|kept| kept.queue != queue || kept.sent_at > at);
            }
            Ok(false)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_fake_keeps_the_contract() {
        crate::contracts::queue_records_contract(&MemoryQueues::default()).await;
    }
}
