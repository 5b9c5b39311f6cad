//! Queues of an SQS elsewhere: where deliveries go, and what functions are fed from (the port `QueueSource`).
//!
//! Never here: when to poll, and the queues that we serve ourselves.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName, QueueAttributeName,
};
use bytes::Bytes;
use engine::ports::{
    MessageAttribute, MessageAttributeValue, NotDone, QueueAttributes, QueueFailure, QueueMessage, QueueSource,
    Receive, Wait,
};

use crate::arn::Arn;
use crate::client::service::{Failure, Name, Service};

/// Queues whose URL is remembered.
const URLS_MAX: usize = 1_000;
/// Entries of a batch (Amazon SQS API reference, DeleteMessageBatch).
const BATCH_MAX: usize = 10;

/// Queues of SQS, by their ARNs.
#[derive(Debug)]
pub struct Queues {
    service: Service<Client>,
    urls: Mutex<BTreeMap<String, String>>,
}

impl Queues {
    /// Those of the SQS at the endpoint `sqs`, else where the environment and the profile say, else of AWS's own. Each is
    /// called in the region of its ARN.
    pub fn new(endpoints: &BTreeMap<String, String>, region: &str) -> Self {
        let service = Service::new(Name { key: "sqs", spoken: "SQS" }, endpoints, region, Client::new);
        Self { service, urls: Mutex::default() }
    }

    /// Calls SQS with the URL of a queue. The URL is asked for once, and again when there is no such queue any more.
    pub(crate) async fn call<T, E, F>(&self, arn: &str, ask: impl FnOnce(Client, String) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let found = Arn::read(arn, "sqs").ok_or_else(|| Failure::of(&format!("{arn} is no ARN of a queue")))?;
        let known = self.urls.lock().expect("no holder of this lock panics").get(arn).cloned();
        let url = match known {
            Some(url) => url,
            None => self.find(arn, &found).await?,
        };
        let answer = self.service.call(found.region, |client| ask(client, url)).await;
        if answer.as_ref().is_err_and(is_missing) {
            self.urls.lock().expect("no holder of this lock panics").remove(arn);
        }
        answer
    }

    async fn find(&self, arn: &str, found: &Arn<'_>) -> Result<String, Failure> {
        let ask = |client: Client| {
            client.get_queue_url().queue_name(found.resource).queue_owner_aws_account_id(found.account).send()
        };
        let answer = self.service.call(found.region, ask).await?;
        let url = answer.queue_url.ok_or_else(|| Failure::of("SQS answered without the queue's URL"))?;
        let mut urls = self.urls.lock().expect("no holder of this lock panics");
        if urls.len() >= URLS_MAX {
            urls.clear();
        }
        urls.insert(arn.to_owned(), url.clone());
        Ok(url)
    }

    async fn ask_attributes(&self, arn: &str) -> Result<QueueAttributes, Failure> {
        let wanted = QueueAttributeName::VisibilityTimeout;
        let ask = |client: Client, url| client.get_queue_attributes().queue_url(url).attribute_names(wanted).send();
        let answer = self.call(arn, ask).await?;
        let seconds = answer.attributes().and_then(|all| all.get(&QueueAttributeName::VisibilityTimeout)?.parse().ok());
        let seconds = seconds.ok_or_else(|| Failure::of("SQS answered without a VisibilityTimeout"))?;
        Ok(QueueAttributes { visibility: Duration::from_secs(seconds) })
    }

    async fn poll(&self, arn: &str, Receive { max, wait, visibility }: Receive) -> Result<Vec<QueueMessage>, Failure> {
        let ask = |client: Client, url| {
            client
                .receive_message()
                .queue_url(url)
                .max_number_of_messages(max.into())
                .wait_time_seconds(seconds(wait))
                .set_visibility_timeout(visibility.map(seconds))
                .message_system_attribute_names(MessageSystemAttributeName::All)
                .message_attribute_names("All")
                .send()
        };
        let answer = self.call(arn, ask).await?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(received).collect())
    }

    async fn delete_all(&self, arn: &str, handles: &[String]) -> Result<Vec<NotDone>, Failure> {
        let mut refused = Vec::new();
        for batch in handles.chunks(BATCH_MAX) {
            let entry = |(id, handle): (usize, &String)| {
                let entry = DeleteMessageBatchRequestEntry::builder().id(id.to_string()).receipt_handle(handle);
                entry.build().expect("it has an id and a handle")
            };
            let entries = batch.iter().enumerate().map(entry).collect();
            let ask =
                |client: Client, url| client.delete_message_batch().queue_url(url).set_entries(Some(entries)).send();
            refused.extend(not_done(batch, &self.call(arn, ask).await?.failed));
        }
        Ok(refused)
    }

    async fn hide_all(&self, arn: &str, handles: &[String], timeout: Duration) -> Result<Vec<NotDone>, Failure> {
        let mut refused = Vec::new();
        for batch in handles.chunks(BATCH_MAX) {
            let entry = |(id, handle): (usize, &String)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(id.to_string())
                    .receipt_handle(handle)
                    .visibility_timeout(seconds(timeout));
                entry.build().expect("it has an id and a handle")
            };
            let entries = batch.iter().enumerate().map(entry).collect();
            let ask = |client: Client, url| {
                client.change_message_visibility_batch().queue_url(url).set_entries(Some(entries)).send()
            };
            refused.extend(not_done(batch, &self.call(arn, ask).await?.failed));
        }
        Ok(refused)
    }
}

impl QueueSource for Queues {
    fn attributes(&self, queue: String) -> Wait<'_, Result<QueueAttributes, QueueFailure>> {
        Box::pin(async move { self.ask_attributes(&queue).await.map_err(told) })
    }

    fn receive(&self, queue: String, ask: Receive) -> Wait<'_, Result<Vec<QueueMessage>, QueueFailure>> {
        Box::pin(async move { self.poll(&queue, ask).await.map_err(told) })
    }

    fn delete(&self, queue: String, handles: Vec<String>) -> Wait<'_, Result<Vec<NotDone>, QueueFailure>> {
        Box::pin(async move { self.delete_all(&queue, &handles).await.map_err(told) })
    }

    fn change_visibility(
        &self,
        queue: String,
        handles: Vec<String>,
        timeout: Duration,
    ) -> Wait<'_, Result<Vec<NotDone>, QueueFailure>> {
        Box::pin(async move { self.hide_all(&queue, &handles, timeout).await.map_err(told) })
    }
}

/// The code has two names: of SQS itself, and that which it has in the JSON protocol (Amazon SQS developer guide, "AWS
/// JSON protocol").
fn is_missing(failure: &Failure) -> bool {
    matches!(failure.code.as_deref(), Some("AWS.SimpleQueueService.NonExistentQueue" | "QueueDoesNotExist"))
}

fn told(failure: Failure) -> QueueFailure {
    if is_missing(&failure) {
        QueueFailure::Missing { why: failure.why }
    } else {
        QueueFailure::Failed { why: failure.why }
    }
}

fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}

/// Entries have their place in the batch as their id.
fn not_done(batch: &[String], failed: &[BatchResultErrorEntry]) -> Vec<NotDone> {
    let told = |entry: &BatchResultErrorEntry| {
        let handle = batch.get(entry.id.parse::<usize>().ok()?)?.clone();
        Some(NotDone { handle, why: format!("{}: {}", entry.code, entry.message.as_deref().unwrap_or("no text")) })
    };
    failed.iter().filter_map(told).collect()
}

/// Without an id or a handle it cannot be worked on: it comes again.
fn received(message: Message) -> Option<QueueMessage> {
    let attributes = message.attributes.unwrap_or_default().into_iter();
    let message_attributes = message.message_attributes.unwrap_or_default().into_iter().filter_map(|(name, value)| {
        let data_type = value.data_type;
        let value = match (value.string_value, value.binary_value) {
            (Some(text), _) => MessageAttributeValue::Text(text),
            (None, Some(blob)) => MessageAttributeValue::Binary(Bytes::from(blob.into_inner())),
            (None, None) => return None,
        };
        Some((name, MessageAttribute { data_type, value }))
    });
    Some(QueueMessage {
        id: message.message_id?,
        handle: message.receipt_handle?,
        body: message.body.unwrap_or_default(),
        body_md5: message.md5_of_body.unwrap_or_default(),
        attributes: attributes.map(|(name, value)| (name.as_str().to_owned(), value)).collect(),
        message_attributes: message_attributes.collect(),
        message_attributes_md5: message.md5_of_message_attributes,
    })
}
