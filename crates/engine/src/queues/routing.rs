//! Which queue an ARN means: one of this engine where there is one of that name, else one elsewhere.
//!
//! Event source mappings look through here and see no difference.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::queue::{self, AttributeValue, Error, QueueName, TRACE_HEADER};

use super::{Ask, Queues};
use crate::ports::{
    MessageAttribute, MessageAttributeValue, NotDone, QueueAttributes, QueueFailure, QueueMessage, QueueSource,
    Receive, ReceivedMessage, Wait,
};

/// Messages of one batch.
const BATCH: usize = domain::limits::QUEUE_BATCH;

/// The source that knows the engine's own queues.
pub struct RoutedSource {
    queues: Arc<Queues>,
    elsewhere: Arc<dyn QueueSource>,
}

impl RoutedSource {
    /// Reads a queue here where there is one of that name, and elsewhere with `elsewhere`.
    pub fn new(queues: Arc<Queues>, elsewhere: Arc<dyn QueueSource>) -> Arc<Self> {
        Arc::new(Self { queues, elsewhere })
    }

    fn here(&self, arn: &str) -> Option<QueueName> {
        self.queues.find(arn).ok()
    }
}

impl QueueSource for RoutedSource {
    fn attributes(&self, queue: String) -> Wait<'_, Result<QueueAttributes, QueueFailure>> {
        let Some(name) = self.here(&queue) else { return self.elsewhere.attributes(queue) };
        let visibility = self.queues.visibility_of(&name).map_err(|refusal| failure(&refusal.into()));
        Box::pin(std::future::ready(visibility.map(|visibility| QueueAttributes { visibility })))
    }

    fn receive(&self, queue: String, ask: Receive) -> Wait<'_, Result<Vec<QueueMessage>, QueueFailure>> {
        let Some(name) = self.here(&queue) else { return self.elsewhere.receive(queue, ask) };
        Box::pin(async move {
            let ask = Ask {
                max: Some(ask.max.into()),
                visibility_seconds: ask.visibility.map(whole_seconds),
                wait_seconds: Some(whole_seconds(ask.wait)),
            };
            let received = self.queues.receive_message(&name, ask).await.map_err(|error| failure(&error))?;
            Ok(received.into_iter().map(|message| self.shown(message)).collect())
        })
    }

    fn delete(&self, queue: String, handles: Vec<String>) -> Wait<'_, Result<Vec<NotDone>, QueueFailure>> {
        let Some(name) = self.here(&queue) else { return self.elsewhere.delete(queue, handles) };
        Box::pin(async move {
            let mut refused = Vec::new();
            for some in handles.chunks(BATCH) {
                let some: Vec<&str> = some.iter().map(String::as_str).collect();
                let answers = self.queues.delete_message_batch(&name, &some).await.map_err(|error| failure(&error))?;
                refused.extend(not_done(&some, answers));
            }
            Ok(refused)
        })
    }

    fn change_visibility(
        &self,
        queue: String,
        handles: Vec<String>,
        timeout: Duration,
    ) -> Wait<'_, Result<Vec<NotDone>, QueueFailure>> {
        let Some(name) = self.here(&queue) else { return self.elsewhere.change_visibility(queue, handles, timeout) };
        Box::pin(async move {
            let mut refused = Vec::new();
            for some in handles.chunks(BATCH) {
                let some: Vec<&str> = some.iter().map(String::as_str).collect();
                let changes: Vec<(&str, i64)> = some.iter().map(|handle| (*handle, whole_seconds(timeout))).collect();
                let answers = self.queues.change_message_visibility_batch(&name, &changes).await;
                refused.extend(not_done(&some, answers.map_err(|error| failure(&error))?));
            }
            Ok(refused)
        })
    }

    fn stops_when_dropped(&self, queue: &str) -> bool {
        self.here(queue).is_some() || self.elsewhere.stops_when_dropped(queue)
    }
}

impl RoutedSource {
    fn shown(&self, message: ReceivedMessage) -> QueueMessage {
        let ReceivedMessage { id, receipt, body, sent_at, first_received_at, dead_letter_source } = message;
        let mut attributes = BTreeMap::from([
            ("ApproximateReceiveCount".to_owned(), receipt.receives.to_string()),
            ("SentTimestamp".to_owned(), sent_at.as_millisecond().to_string()),
            ("SenderId".to_owned(), self.queues.home.account.to_string()),
            ("ApproximateFirstReceiveTimestamp".to_owned(), first_received_at.as_millisecond().to_string()),
        ]);
        attributes.extend(body.trace.map(|trace| (TRACE_HEADER.to_owned(), trace)));
        attributes.extend(body.group.map(|group| ("MessageGroupId".to_owned(), group)));
        let source = dead_letter_source.map(|source| source.arn(&self.queues.home));
        attributes.extend(source.map(|source| ("DeadLetterQueueSourceArn".to_owned(), source)));
        let message_attributes_md5 = queue::md5_of_attributes(&body.attributes);
        let message_attributes = body.attributes.into_iter().map(|one| {
            let value = match one.value {
                AttributeValue::Text(text) => MessageAttributeValue::Text(text),
                AttributeValue::Binary(bytes) => MessageAttributeValue::Binary(bytes),
            };
            (one.name, MessageAttribute { data_type: one.data_type, value })
        });
        QueueMessage {
            id: id.to_string(),
            handle: receipt.handle(),
            body_md5: queue::md5_of(&body.text),
            body: body.text,
            attributes,
            message_attributes: message_attributes.collect(),
            message_attributes_md5,
        }
    }
}

fn not_done(handles: &[&str], answers: Vec<Result<(), queue::Refusal>>) -> Vec<NotDone> {
    let answers = handles.iter().zip(answers);
    let refused = |(handle, answer): (&&str, Result<(), queue::Refusal>)| {
        answer.err().map(|refusal| NotDone { handle: (*handle).to_owned(), why: refusal.to_string() })
    };
    answers.filter_map(refused).collect()
}

fn whole_seconds(length: Duration) -> i64 {
    i64::try_from(length.as_secs()).unwrap_or(i64::MAX)
}

fn failure(error: &Error) -> QueueFailure {
    let why = told(error);
    match error {
        Error::Refused(queue::Refusal::NoQueue) => QueueFailure::Missing { why },
        _ => QueueFailure::Failed { why },
    }
}

/// For people, in one line.
fn told(error: &Error) -> String {
    match error {
        Error::Refused(refusal) => refusal.to_string(),
        Error::Fault(fault) => fault.chain(),
    }
}
