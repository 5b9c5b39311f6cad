//! One match over SQS's actions: convert, call the engine, convert.

use data_encoding::BASE64;
use domain::arn::Home;
use domain::queue::{
    self, AttributeValue, Filter, MessageAttribute, QueueName, Refusal, TRACE_HEADER, bounded, check_batch,
};
use engine::ports::ReceivedMessage;
use engine::queues::{Ask, Queues, Sent};
use serde_json::{Value, json};

use super::errors::{Code, Failure};
use super::input::{self, Entry, Input, Object, required};
use super::name_in_url;

/// What can be asked for by `AttributeNames` and `MessageSystemAttributeNames` of ReceiveMessage.
const SYSTEM_ATTRIBUTES: [&str; 10] = [
    "All",
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];

macro_rules! actions {
    ($($name:ident)*) => {
        /// An action of SQS.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Action {
            $($name),*
        }

        impl Action {
            const ALL: &[Self] = &[$(Self::$name),*];

            /// As SQS spells it.
            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name)),*
                }
            }
        }
    };
}

// The operations of the service model.
actions! {
    AddPermission CancelMessageMoveTask ChangeMessageVisibility ChangeMessageVisibilityBatch CreateQueue DeleteMessage
    DeleteMessageBatch DeleteQueue GetQueueAttributes GetQueueUrl ListDeadLetterSourceQueues ListMessageMoveTasks
    ListQueueTags ListQueues PurgeQueue ReceiveMessage RemovePermission SendMessage SendMessageBatch SetQueueAttributes
    StartMessageMoveTask TagQueue UntagQueue
}

impl Action {
    /// Reads an action's name.
    pub(super) fn named(name: &str) -> Result<Self, Failure> {
        let found = Self::ALL.iter().copied().find(|action| action.name() == name);
        let unknown =
            || Failure::new(Code::InvalidAction, format!("The action {name} is not valid for this endpoint."));
        found.ok_or_else(unknown)
    }

    /// Whether its answer has members.
    pub(super) fn has_result(self) -> bool {
        !matches!(
            self,
            Self::AddPermission
                | Self::ChangeMessageVisibility
                | Self::DeleteMessage
                | Self::DeleteQueue
                | Self::PurgeQueue
                | Self::RemovePermission
                | Self::SetQueueAttributes
                | Self::TagQueue
                | Self::UntagQueue
        )
    }

    /// Whether it is about one queue, which a `QueueUrl` names.
    pub(super) fn is_of_a_queue(self) -> bool {
        !matches!(
            self,
            Self::CreateQueue
                | Self::GetQueueUrl
                | Self::ListQueues
                | Self::CancelMessageMoveTask
                | Self::ListMessageMoveTasks
                | Self::StartMessageMoveTask
        )
    }
}

/// What an action needs.
pub(super) struct Call<'a> {
    pub(super) home: &'a Home,
    pub(super) queues: &'a Queues,
    /// Under which address the client reached us.
    pub(super) authority: &'a str,
}

impl Call<'_> {
    pub(super) async fn act(&self, action: Action, mut given: Object) -> Result<Object, Failure> {
        given.retain(|_, value| !value.is_null());
        let mut input: Input = input::read(given)?;
        let queues = self.queues;
        let output = match action {
            Action::CreateQueue => {
                let name = required(input.queue_name, "QueueName")?;
                let attributes = input.attributes.unwrap_or_default();
                let name = queues.create_queue(&name, &attributes, input.tags.unwrap_or_default()).await?;
                json!({"QueueUrl": self.url(&name)})
            }
            Action::GetQueueUrl => {
                let name = required(input.queue_name, "QueueName")?;
                json!({"QueueUrl": self.url(&queues.get_queue_url(&name, input.owner.as_deref())?)})
            }
            Action::ListQueues => {
                let (after, max) = page(&input)?;
                let prefix = input.queue_name_prefix.as_deref().unwrap_or_default();
                self.listed("QueueUrls", queues.list_queues(prefix, after.as_ref(), max), input.max_results)
            }
            Action::ListDeadLetterSourceQueues => {
                let (after, max) = page(&input)?;
                let found = queues.list_dead_letter_source_queues(&self.queue(&input)?, after.as_ref(), max)?;
                self.listed("queueUrls", found, input.max_results)
            }
            Action::GetQueueAttributes => {
                let asked = input.attribute_names.take().unwrap_or_default();
                let shown = queues.get_queue_attributes(&self.queue(&input)?, &asked).await?;
                let shown: Object = shown.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
                if shown.is_empty() { json!({}) } else { json!({"Attributes": shown}) }
            }
            Action::SetQueueAttributes => {
                let name = self.queue(&input)?;
                queues.set_queue_attributes(&name, &required(input.attributes, "Attributes")?).await?;
                json!({})
            }
            Action::ListQueueTags => {
                let tags = queues.list_queue_tags(&self.queue(&input)?)?;
                if tags.is_empty() { json!({}) } else { json!({"Tags": tags}) }
            }
            Action::TagQueue => {
                let name = self.queue(&input)?;
                queues.tag_queue(&name, required(input.tags, "Tags")?).await?;
                json!({})
            }
            Action::UntagQueue => {
                let name = self.queue(&input)?;
                queues.untag_queue(&name, &required(input.tag_keys, "TagKeys")?).await?;
                json!({})
            }
            Action::DeleteQueue => {
                queues.delete_queue(&self.queue(&input)?).await?;
                json!({})
            }
            Action::PurgeQueue => {
                queues.purge_queue(&self.queue(&input)?).await?;
                json!({})
            }
            Action::SendMessage => {
                let name = self.queue(&input)?;
                sent(&queues.send_message(&name, input.entry.message()?).await?).into()
            }
            Action::SendMessageBatch => self.send_message_batch(input).await?,
            Action::ReceiveMessage => self.receive_message(input).await?,
            Action::DeleteMessage => {
                queues.delete_message(&self.queue(&input)?, input.entry.receipt_handle()?).await?;
                json!({})
            }
            Action::DeleteMessageBatch => {
                let (name, entries) = self.batch(&mut input, "DeleteMessage")?;
                let handles = entries.iter().map(Entry::receipt_handle).collect::<Result<Vec<_>, _>>()?;
                let deleted = queues.delete_message_batch(&name, &handles).await?;
                batch_answer(&entries, deleted.into_iter().map(|one| one.map(|()| Object::new())))
            }
            Action::ChangeMessageVisibility => {
                let name = self.queue(&input)?;
                let seconds = required(input.entry.visibility_timeout, "VisibilityTimeout")?;
                queues.change_message_visibility(&name, input.entry.receipt_handle()?, seconds).await?;
                json!({})
            }
            Action::ChangeMessageVisibilityBatch => {
                let (name, entries) = self.batch(&mut input, "ChangeMessageVisibility")?;
                let change = |entry: &'_ Entry| -> Result<(String, i64), Failure> {
                    let seconds = required(entry.visibility_timeout, "VisibilityTimeout")?;
                    Ok((entry.receipt_handle()?.to_owned(), seconds))
                };
                let changes = entries.iter().map(change).collect::<Result<Vec<_>, _>>()?;
                let changes: Vec<(&str, i64)> = changes.iter().map(|(handle, seconds)| (&**handle, *seconds)).collect();
                let changed = queues.change_message_visibility_batch(&name, &changes).await?;
                batch_answer(&entries, changed.into_iter().map(|one| one.map(|()| Object::new())))
            }
            Action::AddPermission
            | Action::RemovePermission
            | Action::StartMessageMoveTask
            | Action::CancelMessageMoveTask
            | Action::ListMessageMoveTasks => {
                return Err(Refusal::NotBuilt { what: action.name().to_owned() }.into());
            }
        };
        match output {
            Value::Object(output) => Ok(output),
            _ => Ok(Object::new()),
        }
    }

    async fn send_message_batch(&self, mut input: Input) -> Result<Value, Failure> {
        let (name, entries) = self.batch(&mut input, "SendMessage")?;
        let ids: Vec<String> = entries.iter().map(|entry| entry.id().to_owned()).collect();
        let read: Vec<_> = entries.into_iter().map(Entry::message).collect();
        let good = read.iter().filter_map(|message| message.as_ref().ok().cloned()).collect();
        let mut answers = self.queues.send_message_batch(&name, good).await?.into_iter();
        let answers = read.into_iter().map(|message| {
            message?;
            answers.next().unwrap_or(Err(Refusal::NoQueue)).map(|one| sent(&one))
        });
        Ok(answer_of(ids.iter().map(String::as_str), answers))
    }

    async fn receive_message(&self, mut input: Input) -> Result<Value, Failure> {
        let name = self.queue(&input)?;
        let mut asked = input.attribute_names.take().unwrap_or_default();
        asked.extend(input.message_system_attribute_names.take().unwrap_or_default());
        if let Some(unknown) = asked.iter().find(|name| !SYSTEM_ATTRIBUTES.contains(&name.as_str())) {
            return Err(Refusal::UnknownAttribute { name: unknown.clone() }.into());
        }
        let filter = Filter::new(input.message_attribute_names.take().unwrap_or_default());
        let ask = Ask {
            max: input.max_number_of_messages,
            visibility_seconds: input.entry.visibility_timeout,
            wait_seconds: input.wait_time_seconds,
        };
        let messages = self.queues.receive_message(&name, ask).await?;
        if messages.is_empty() {
            return Ok(json!({}));
        }
        let messages: Vec<Value> = messages.iter().map(|message| self.received(message, &asked, &filter)).collect();
        Ok(json!({"Messages": messages}))
    }

    fn received(&self, message: &ReceivedMessage, asked: &[String], filter: &Filter) -> Value {
        let ReceivedMessage { id, receipt, body, sent_at, first_received_at, dead_letter_source } = message;
        let mut shown = Object::new();
        shown.insert("MessageId".to_owned(), id.to_string().into());
        shown.insert("ReceiptHandle".to_owned(), receipt.handle().into());
        shown.insert("MD5OfBody".to_owned(), queue::md5_of(&body.text).into());
        shown.insert("Body".to_owned(), body.text.clone().into());
        let mut attributes = Object::new();
        let mut put = |name: &str, value: Option<String>| {
            if let Some(value) = value
                && asked.iter().any(|asked| asked == name || asked == "All")
            {
                attributes.insert(name.to_owned(), value.into());
            }
        };
        // Nobody is asked who he is: the account sends.
        put("SenderId", Some(self.home.account.to_string()));
        put("ApproximateFirstReceiveTimestamp", Some(first_received_at.as_millisecond().to_string()));
        put("ApproximateReceiveCount", Some(receipt.receives.to_string()));
        put("SentTimestamp", Some(sent_at.as_millisecond().to_string()));
        put(TRACE_HEADER, body.trace.clone());
        put("MessageGroupId", body.group.clone());
        put("DeadLetterQueueSourceArn", dead_letter_source.as_ref().map(|source| source.arn(self.home)));
        if !attributes.is_empty() {
            shown.insert("Attributes".to_owned(), attributes.into());
        }
        let wanted = || body.attributes.iter().filter(|attribute| filter.takes(&attribute.name));
        // Of what is shown, not of what was sent.
        if let Some(md5) = queue::md5_of_attributes(wanted()) {
            shown.insert("MD5OfMessageAttributes".to_owned(), md5.into());
            let attributes: Object = wanted().map(|one| (one.name.clone(), attribute(one))).collect();
            shown.insert("MessageAttributes".to_owned(), attributes.into());
        }
        shown.into()
    }

    /// The queue that the request is about.
    fn queue(&self, input: &Input) -> Result<QueueName, Failure> {
        let url = required(input.queue_url.as_deref(), "QueueUrl")?;
        Ok(self.queues.get_queue_url(&name_in_url(self.home, url)?, None)?)
    }

    /// The queue and the entries of a batch; the queue is looked for first.
    fn batch(&self, input: &mut Input, action: &'static str) -> Result<(QueueName, Vec<Entry>), Failure> {
        let name = self.queue(input)?;
        let entries = input.entries.take().unwrap_or_default();
        check_batch(entries.iter().map(Entry::id), action)?;
        Ok((name, entries))
    }

    fn url(&self, name: &QueueName) -> String {
        format!("http://{}/{}/{name}", self.authority, self.home.account)
    }

    fn listed(&self, member: &str, (names, has_more): (Vec<QueueName>, bool), max: Option<i64>) -> Value {
        let mut shown = Object::new();
        // Without MaxResults there is one page only.
        if has_more
            && max.is_some()
            && let Some(last) = names.last()
        {
            shown.insert("NextToken".to_owned(), BASE64.encode(last.as_str().as_bytes()).into());
        }
        if !names.is_empty() || member == "queueUrls" {
            shown.insert(member.to_owned(), names.iter().map(|name| self.url(name)).collect());
        }
        shown.into()
    }
}

/// From where a list goes on, and how far.
fn page(input: &Input) -> Result<(Option<QueueName>, usize), Failure> {
    let reason = "MaxResults must be an integer between 1 and 1000.";
    let max = bounded("MaxResults", input.max_results.unwrap_or(1_000), 1..=1_000, reason)?;
    let Some(token) = input.next_token.as_deref().filter(|token| !token.is_empty()) else {
        return Ok((None, max as usize));
    };
    let name = BASE64.decode(token.as_bytes()).ok().and_then(|name| String::from_utf8(name).ok());
    let name = name.and_then(|name| QueueName::parse(&name));
    let invalid = || Refusal::Parameter {
        value: token.to_owned(),
        name: "NextToken",
        reason: "Invalid or expired next token.".into(),
    };
    Ok((Some(name.ok_or_else(invalid)?), max as usize))
}

fn sent(sent: &Sent) -> Object {
    let mut shown = Object::new();
    shown.insert("MessageId".to_owned(), sent.id.to_string().into());
    shown.insert("MD5OfMessageBody".to_owned(), sent.md5_of_body.clone().into());
    if let Some(md5) = &sent.md5_of_attributes {
        shown.insert("MD5OfMessageAttributes".to_owned(), md5.clone().into());
    }
    if let Some(md5) = &sent.md5_of_trace {
        shown.insert("MD5OfMessageSystemAttributes".to_owned(), md5.clone().into());
    }
    shown
}

fn attribute(attribute: &MessageAttribute) -> Value {
    match &attribute.value {
        AttributeValue::Text(text) => json!({"StringValue": text, "DataType": attribute.data_type}),
        AttributeValue::Binary(bytes) => json!({"BinaryValue": BASE64.encode(bytes), "DataType": attribute.data_type}),
    }
}

fn batch_answer(entries: &[Entry], answers: impl Iterator<Item = Result<Object, Refusal>>) -> Value {
    answer_of(entries.iter().map(Entry::id), answers)
}

/// Each entry's own answer, under its id.
fn answer_of<'a>(ids: impl Iterator<Item = &'a str>, answers: impl Iterator<Item = Result<Object, Refusal>>) -> Value {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (id, answer) in ids.zip(answers) {
        match answer {
            Ok(mut shown) => {
                shown.insert("Id".to_owned(), id.into());
                successful.push(Value::Object(shown));
            }
            Err(refusal) => {
                let Failure { code, message } = refusal.into();
                let code = code.spelling().query;
                failed.push(json!({"Id": id, "SenderFault": true, "Code": code, "Message": message}));
            }
        }
    }
    let mut shown = Object::new();
    if !successful.is_empty() {
        shown.insert("Successful".to_owned(), successful.into());
    }
    if !failed.is_empty() {
        shown.insert("Failed".to_owned(), failed.into());
    }
    shown.into()
}
