//! The shapes of requests, as AWS JSON has them (service model, `sqs` 2012-11-05). What must be there is asked for by the
//! action, in SQS's words.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use domain::queue::{AttributeValue, MessageAttribute, MessageBody, Refusal, TRACE_HEADER};
use engine::queues::Message;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::errors::{Code, Failure};

/// A request or an answer.
pub(super) type Object = Map<String, Value>;

/// All members that a request may have; each action has some of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Input {
    pub(super) queue_url: Option<String>,
    pub(super) queue_name: Option<String>,
    #[serde(rename = "QueueOwnerAWSAccountId")]
    pub(super) owner: Option<String>,
    pub(super) queue_name_prefix: Option<String>,
    pub(super) next_token: Option<String>,
    pub(super) max_results: Option<i64>,
    pub(super) attributes: Option<BTreeMap<String, String>>,
    pub(super) attribute_names: Option<Vec<String>>,
    #[serde(alias = "tags")]
    pub(super) tags: Option<BTreeMap<String, String>>,
    pub(super) tag_keys: Option<Vec<String>>,
    pub(super) message_system_attribute_names: Option<Vec<String>>,
    pub(super) message_attribute_names: Option<Vec<String>>,
    pub(super) max_number_of_messages: Option<i64>,
    pub(super) wait_time_seconds: Option<i64>,
    pub(super) entries: Option<Vec<Entry>>,
    #[serde(flatten)]
    pub(super) entry: Entry,
}

/// One entry of a batch, or what stands for one in a request of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Entry {
    id: Option<String>,
    message_body: Option<String>,
    delay_seconds: Option<i64>,
    message_attributes: Option<BTreeMap<String, Attribute>>,
    message_system_attributes: Option<BTreeMap<String, Attribute>>,
    message_deduplication_id: Option<String>,
    message_group_id: Option<String>,
    receipt_handle: Option<String>,
    pub(super) visibility_timeout: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Attribute {
    data_type: Option<String>,
    string_value: Option<String>,
    binary_value: Option<String>,
    string_list_values: Option<Vec<String>>,
    binary_list_values: Option<Vec<String>>,
}

/// Reads a request.
pub(super) fn read<T: DeserializeOwned>(object: Object) -> Result<T, Failure> {
    serde_json::from_value(Value::Object(object)).map_err(|error| Failure::new(Code::Serialization, error.to_string()))
}

/// What must be there.
pub(super) fn required<T>(member: Option<T>, name: &str) -> Result<T, Failure> {
    member.ok_or_else(|| Failure::missing(name))
}

impl Entry {
    pub(super) fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    pub(super) fn receipt_handle(&self) -> Result<&str, Failure> {
        required(self.receipt_handle.as_deref(), "ReceiptHandle")
    }

    /// The message to send.
    pub(super) fn message(self) -> Result<Message, Refusal> {
        if let Some(value) = self.message_deduplication_id {
            let reason = "The request include parameter that is not valid for this queue type.".to_owned();
            return Err(Refusal::Parameter { value, name: "MessageDeduplicationId", reason });
        }
        let text = self.message_body.ok_or_else(|| Refusal::Missing { name: "MessageBody".into() })?;
        let attributes = self.message_attributes.unwrap_or_default().into_iter();
        let attributes = attributes.map(|(name, attribute)| attribute.read(name)).collect::<Result<_, _>>()?;
        let mut trace = None;
        for (name, attribute) in self.message_system_attributes.unwrap_or_default() {
            if name != TRACE_HEADER {
                return Err(Refusal::Parameter {
                    value: name,
                    name: "MessageSystemAttributes",
                    reason: "Only AWSTraceHeader can be sent.".into(),
                });
            }
            let MessageAttribute { data_type, value, .. } = attribute.read(name)?;
            match value {
                AttributeValue::Text(text) if data_type == "String" && !text.is_empty() => trace = Some(text),
                _ => {
                    let why = "The message system attribute 'AWSTraceHeader' must be of type 'String' and not empty.";
                    return Err(Refusal::MessageAttribute { why: why.into() });
                }
            }
        }
        let body = MessageBody { text, attributes, trace, group: self.message_group_id };
        Ok(Message { body, delay_seconds: self.delay_seconds })
    }
}

impl Attribute {
    fn read(self, name: String) -> Result<MessageAttribute, Refusal> {
        let list = |list: Option<Vec<String>>| list.is_some_and(|list| !list.is_empty());
        if list(self.string_list_values) || list(self.binary_list_values) {
            let why = "Message attribute list values in SendMessage operation are not supported.";
            return Err(Refusal::MessageAttribute { why: why.into() });
        }
        let value = match self.binary_value {
            None => AttributeValue::Text(self.string_value.unwrap_or_default()),
            Some(base64) => {
                let bytes = BASE64.decode(base64.as_bytes()).map_err(|_| Refusal::MessageAttribute {
                    why: format!("The message attribute '{name}' has a BinaryValue that is not base64."),
                })?;
                AttributeValue::Binary(bytes.into())
            }
        };
        Ok(MessageAttribute { name, data_type: self.data_type.unwrap_or_default(), value })
    }
}
