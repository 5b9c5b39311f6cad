//! Messages of queues: sending, receiving with the wait for the first, deleting, and for how long nobody else gets them.

use std::pin::pin;
use std::time::Duration;

use domain::limits;
use domain::queue::{self, Attributes, Error, MessageBody, NewMessage, QueueName, Receipt, Refusal, bounded};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Entry, Queues};
use crate::ports::{Accepted, ReceivedMessage, Receiving, Sending, Visibility};

/// What SendMessage is given.
#[derive(Clone, Debug)]
pub struct Message {
    /// The content.
    pub body: MessageBody,
    /// `DelaySeconds`
    pub delay_seconds: Option<i64>,
}

/// A message that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its id.
    pub id: Uuid,
    /// `MD5OfMessageBody`
    pub md5_of_body: String,
    /// `MD5OfMessageAttributes`
    pub md5_of_attributes: Option<String>,
    /// `MD5OfMessageSystemAttributes`
    pub md5_of_trace: Option<String>,
}

/// What ReceiveMessage is asked for; where nothing is said the queue's own settings hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask {
    /// `MaxNumberOfMessages`
    pub max: Option<i64>,
    /// `VisibilityTimeout`
    pub visibility_seconds: Option<i64>,
    /// `WaitTimeSeconds`
    pub wait_seconds: Option<i64>,
}

impl Queues {
    /// Sends one message; it is on disk when this returns.
    ///
    /// # Errors
    /// There is no such queue, or it does not take the message.
    pub async fn send_message(&self, name: &QueueName, message: Message) -> Result<Sent, Error> {
        let entry = self.entry(name)?;
        let (message, sent) = self.prepared(message, &entry.queue.attributes)?;
        self.keep(&entry, vec![message]).await?;
        Ok(sent)
    }

    /// Sends messages; those that can be kept are on disk when this returns.
    ///
    /// # Errors
    /// There is no such queue, or the messages are too long together. A single one's refusal stands in its place.
    pub async fn send_message_batch(
        &self,
        name: &QueueName,
        messages: Vec<Message>,
    ) -> Result<Vec<Result<Sent, Refusal>>, Error> {
        let entry = self.entry(name)?;
        queue::check_batch_bytes(messages.iter().map(|message| message.body.bytes()).sum())?;
        let mut kept = Vec::with_capacity(messages.len());
        let mut answers = Vec::with_capacity(messages.len());
        for message in messages {
            answers.push(self.prepared(message, &entry.queue.attributes).map(|(message, sent)| {
                kept.push(message);
                sent
            }));
        }
        if !kept.is_empty() {
            self.keep(&entry, kept).await?;
        }
        Ok(answers)
    }

    fn prepared(&self, message: Message, queue: &Attributes) -> Result<(NewMessage, Sent), Refusal> {
        let delay_seconds = match message.delay_seconds {
            None => queue.delay_seconds,
            Some(delay) => bounded("DelaySeconds", delay, 0..=900, "DelaySeconds must be >= 0 and <= 900.")?,
        };
        let body = message.body.checked(queue)?;
        let id = self.dice.uuid();
        let sent = Sent {
            id,
            md5_of_body: queue::md5_of(&body.text),
            md5_of_attributes: queue::md5_of_attributes(&body.attributes),
            md5_of_trace: body.trace.as_deref().map(queue::md5_of_trace),
        };
        Ok((NewMessage { id, body, delay_seconds }, sent))
    }

    async fn keep(&self, entry: &Entry, messages: Vec<NewMessage>) -> Result<(), Error> {
        let count = messages.len();
        let sending = Sending {
            queue: entry.queue.id,
            messages,
            messages_max: limits::QUEUE_MESSAGES,
            now: self.clock.system_now(),
        };
        match self.records.send_messages(sending).await? {
            Accepted::Kept => {
                for _ in 0..count {
                    entry.arrivals.notify_one();
                }
                Ok(())
            }
            Accepted::NoQueue => Err(Refusal::NoQueue.into()),
            Accepted::Full => Err(Refusal::Full { what: "messages in this queue" }.into()),
        }
    }

    /// Takes messages, waiting for the first for as long as asked.
    ///
    /// # Errors
    /// There is no such queue, a number is beyond its bounds, or too many messages are with receivers.
    pub async fn receive_message(&self, name: &QueueName, ask: Ask) -> Result<Vec<ReceivedMessage>, Error> {
        let max =
            bounded("MaxNumberOfMessages", ask.max.unwrap_or(1), 1..=10, "Must be between 1 and 10, if provided.")?;
        let visibility_seconds = ask.visibility_seconds.map(|seconds| {
            let reason = "Must be >= 0 and <= 43200, if provided.";
            bounded("VisibilityTimeout", seconds, 0..=limits::VISIBILITY_SECONDS, reason)
        });
        let visibility_seconds = visibility_seconds.transpose()?;
        let entry = self.entry(name)?;
        let wait_seconds = match ask.wait_seconds {
            None => entry.queue.attributes.wait_seconds,
            Some(seconds) => bounded("WaitTimeSeconds", seconds, 0..=20, "Must be >= 0 and <= 20, if provided.")?,
        };
        let deadline = self.clock.elapsed() + Duration::from_secs(wait_seconds.into());
        let mut stopping = self.stopping.subscribe();
        let mut place = None;
        loop {
            // Anew each time: its settings may have changed, and it may be gone.
            let entry = self.entry(name)?;
            let mut arrival = pin!(entry.arrivals.notified());
            // From here on no arrival is missed.
            arrival.as_mut().enable();
            let now = self.clock.system_now();
            let received = self.records.receive_messages(entry.receiving(max, visibility_seconds, now)).await?;
            let received = received.ok_or(Refusal::NoQueue)?;
            if received.moved > 0 {
                self.tell_dead_letters(&entry, received.moved);
            }
            if received.is_over_limit && wait_seconds == 0 {
                return Err(Refusal::TooManyInFlight.into());
            }
            let is_over = self.clock.elapsed() >= deadline || *stopping.borrow_and_update();
            if !received.messages.is_empty() || is_over {
                // Who else waits does not know when these come back, or what this one knew.
                if place.is_some() || !received.messages.is_empty() {
                    entry.arrivals.notify_one();
                }
                return Ok(received.messages);
            }
            if place.is_none() {
                place = Some(self.polls.try_acquire().map_err(|_| Refusal::TooManyPolls)?);
            }
            let next_at = received.next_at.map(|at| self.clock.elapsed() + length(at.duration_since(now)));
            let until = next_at.map_or(deadline, |next| next.min(deadline));
            tokio::select! {
                () = arrival => {}
                () = self.clock.wake_at(until) => {}
                // The sender lives as long as we do.
                _ = stopping.changed() => {}
            }
        }
    }

    /// Messages have come to the dead-letter queue of a queue.
    fn tell_dead_letters(&self, entry: &Entry, count: u64) {
        let target = entry.queue.attributes.redrive.as_ref().and_then(|redrive| self.entry(&redrive.target).ok());
        if let Some(target) = target {
            for _ in 0..count {
                target.arrivals.notify_one();
            }
        }
    }

    /// Removes a message that was received; one that is gone or was received again since is no error.
    ///
    /// # Errors
    /// There is no such queue, or the handle is not one of it.
    pub async fn delete_message(&self, name: &QueueName, handle: &str) -> Result<(), Error> {
        let deleted = self.delete_message_batch(name, &[handle]).await?;
        deleted.into_iter().try_for_each(|one| one).map_err(Error::from)
    }

    /// As [`Queues::delete_message`], for several in one step.
    ///
    /// # Errors
    /// There is no such queue. A single one's refusal stands in its place.
    pub async fn delete_message_batch(
        &self,
        name: &QueueName,
        handles: &[&str],
    ) -> Result<Vec<Result<(), Refusal>>, Error> {
        let entry = self.entry(name)?;
        let receipts: Vec<_> = handles.iter().map(|handle| entry.receipt(handle)).collect();
        let valid: Vec<Receipt> = receipts.iter().filter_map(|receipt| receipt.as_ref().ok().copied()).collect();
        if !valid.is_empty() {
            self.records.delete_messages(entry.queue.id, valid).await?;
        }
        Ok(receipts.into_iter().map(|receipt| receipt.map(|_| ())).collect())
    }

    /// Changes for how long nobody else gets a message, from now on.
    ///
    /// # Errors
    /// There is no such queue or message, nobody has the message, or the time is beyond its bounds.
    pub async fn change_message_visibility(&self, name: &QueueName, handle: &str, seconds: i64) -> Result<(), Error> {
        let changed = self.change_message_visibility_batch(name, &[(handle, seconds)]).await?;
        changed.into_iter().try_for_each(|one| one).map_err(Error::from)
    }

    /// As [`Queues::change_message_visibility`], for several in one step.
    ///
    /// # Errors
    /// There is no such queue. A single one's refusal stands in its place.
    pub async fn change_message_visibility_batch(
        &self,
        name: &QueueName,
        changes: &[(&str, i64)],
    ) -> Result<Vec<Result<(), Refusal>>, Error> {
        let entry = self.entry(name)?;
        let read = |(handle, seconds): &(&str, i64)| {
            let reason = "VisibilityTimeout must be an integer between 0 and 43200.";
            let seconds = bounded("VisibilityTimeout", *seconds, 0..=limits::VISIBILITY_SECONDS, reason)?;
            Ok((entry.receipt(handle)?, seconds))
        };
        let read: Vec<Result<(Receipt, u32), Refusal>> = changes.iter().map(read).collect();
        let valid: Vec<(Receipt, u32)> = read.iter().filter_map(|change| change.as_ref().ok().copied()).collect();
        let mut changed = Vec::new();
        if !valid.is_empty() {
            changed = self.records.change_visibility(entry.queue.id, valid, self.clock.system_now()).await?;
            // They may be visible earlier than those who wait know.
            for _ in changed.iter().filter(|one| **one == Visibility::Changed) {
                entry.arrivals.notify_one();
            }
        }
        let mut changed = changed.into_iter();
        let answers = read.into_iter().zip(changes).map(|(read, (handle, seconds))| {
            read?;
            match changed.next().unwrap_or(Visibility::Expired) {
                Visibility::Changed => Ok(()),
                Visibility::Expired => Err(Refusal::ReceiptExpired { handle: (*handle).to_owned() }),
                Visibility::NotInFlight => Err(Refusal::NotInFlight),
                Visibility::TooLong => Err(Refusal::Parameter {
                    value: seconds.to_string(),
                    name: "VisibilityTimeout",
                    reason: "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]".into(),
                }),
            }
        });
        Ok(answers.collect())
    }
}

impl Entry {
    fn receiving(&self, max: u32, visibility_seconds: Option<u32>, now: Timestamp) -> Receiving {
        let attributes = &self.queue.attributes;
        let redrive = attributes.redrive.as_ref();
        Receiving {
            queue: self.queue.id,
            name: self.queue.name.clone(),
            max,
            visibility_seconds: visibility_seconds.unwrap_or(attributes.visibility_seconds),
            sent_after: self.sent_after(now),
            redrive: redrive.map(|redrive| (redrive.target.clone(), redrive.receives_max)),
            in_flight_max: limits::QUEUE_IN_FLIGHT,
            now,
        }
    }

    fn receipt(&self, handle: &str) -> Result<Receipt, Refusal> {
        Receipt::parse(handle)
            .filter(|receipt| receipt.queue == self.queue.id)
            .ok_or_else(|| Refusal::InvalidReceipt { handle: handle.to_owned() })
    }
}

/// A length of time; none where it is negative, and not so short that it would end before the moment it leads to.
fn length(span: SignedDuration) -> Duration {
    Duration::try_from(span).unwrap_or_default() + Duration::from_millis(1)
}
