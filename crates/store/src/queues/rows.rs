//! What a queue and a message hold, as their columns `document` have it. Never here: SQL.

use std::collections::BTreeMap;

use bytes::Bytes;
use data_encoding::BASE64;
use domain::Fault;
use domain::queue::{AttributeValue, Attributes, MessageAttribute, MessageBody, Queue, QueueName, Redrive};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The form of [`QueueRow`] and [`BodyRow`]. A change of a type needs the next number here, and a reading of the one
/// before.
pub(super) const FORMAT: u32 = 1;

/// Why a row is no queue and no message.
#[derive(Debug, thiserror::Error)]
pub(super) enum RowError {
    #[error("its format is {0}; this version reads {FORMAT}")]
    Format(u32),
    #[error("its document is not of format {FORMAT}")]
    Document(#[source] serde_json::Error),
    #[error("its {0} is {1:?}")]
    Field(&'static str, String),
}

/// A queue; id and name have columns of their own.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QueueRow {
    delay_seconds: u32,
    message_bytes_max: u32,
    retention_seconds: u32,
    wait_seconds: u32,
    visibility_seconds: u32,
    redrive: Option<RedriveRow>,
    redrive_allow: Option<String>,
    policy: Option<String>,
    managed_encryption: bool,
    tags: BTreeMap<String, String>,
    created_at: String,
    modified_at: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RedriveRow {
    target: String,
    target_arn: String,
    receives_max: u32,
    text: String,
}

impl QueueRow {
    pub(super) fn document(queue: &Queue) -> Result<String, Fault> {
        // Taken apart in full, so that a new field cannot be forgotten here.
        let Queue { id: _, name, attributes, tags, created_at, modified_at } = queue;
        let Attributes {
            delay_seconds,
            message_bytes_max,
            retention_seconds,
            wait_seconds,
            visibility_seconds,
            redrive,
            redrive_allow,
            policy,
            managed_encryption,
        } = attributes.clone();
        let redrive = redrive.map(|Redrive { target, target_arn, receives_max, text }| RedriveRow {
            target: target.to_string(),
            target_arn,
            receives_max,
            text,
        });
        let row = Self {
            delay_seconds,
            message_bytes_max,
            retention_seconds,
            wait_seconds,
            visibility_seconds,
            redrive,
            redrive_allow,
            policy,
            managed_encryption,
            tags: tags.clone(),
            created_at: created_at.to_string(),
            modified_at: modified_at.to_string(),
        };
        serde_json::to_string(&row).map_err(|error| Fault::new(format!("writing queue {name}"), error))
    }

    pub(super) fn read(id: u64, name: &str, format: u32, document: &str) -> Result<Queue, RowError> {
        let row: Self = read(format, document)?;
        let field = |field, value: &str| RowError::Field(field, value.to_owned());
        let time = |name, text: &str| text.parse::<Timestamp>().map_err(|_| field(name, text));
        let redrive = match row.redrive {
            None => None,
            Some(RedriveRow { target, target_arn, receives_max, text }) => {
                let target = QueueName::parse(&target).ok_or_else(|| field("redrive", &target))?;
                Some(Redrive { target, target_arn, receives_max, text })
            }
        };
        Ok(Queue {
            id,
            name: QueueName::parse(name).ok_or_else(|| field("name", name))?,
            attributes: Attributes {
                delay_seconds: row.delay_seconds,
                message_bytes_max: row.message_bytes_max,
                retention_seconds: row.retention_seconds,
                wait_seconds: row.wait_seconds,
                visibility_seconds: row.visibility_seconds,
                redrive,
                redrive_allow: row.redrive_allow,
                policy: row.policy,
                managed_encryption: row.managed_encryption,
            },
            tags: row.tags,
            created_at: time("created_at", &row.created_at)?,
            modified_at: time("modified_at", &row.modified_at)?,
        })
    }
}

/// A message; its text has a column of its own.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BodyRow {
    attributes: Vec<AttributeRow>,
    trace: Option<String>,
    group: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttributeRow {
    name: String,
    data_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl BodyRow {
    pub(super) fn document(body: &MessageBody) -> Result<String, Fault> {
        let MessageBody { text: _, attributes, trace, group } = body;
        let attributes = attributes.iter().map(|MessageAttribute { name, data_type, value }| {
            let (text, base64) = match value {
                AttributeValue::Text(text) => (Some(text.clone()), None),
                AttributeValue::Binary(bytes) => (None, Some(BASE64.encode(bytes))),
            };
            AttributeRow { name: name.clone(), data_type: data_type.clone(), text, base64 }
        });
        let row = Self { attributes: attributes.collect(), trace: trace.clone(), group: group.clone() };
        serde_json::to_string(&row).map_err(|error| Fault::new("writing a message", error))
    }

    pub(super) fn read(text: String, format: u32, document: &str) -> Result<MessageBody, RowError> {
        let Self { attributes, trace, group } = read(format, document)?;
        let attribute = |AttributeRow { name, data_type, text, base64 }| {
            let value = match (text, base64) {
                (Some(text), None) => AttributeValue::Text(text),
                (None, Some(base64)) => match BASE64.decode(base64.as_bytes()) {
                    Ok(bytes) => AttributeValue::Binary(Bytes::from(bytes)),
                    Err(_) => return Err(RowError::Field("attribute", base64)),
                },
                _ => return Err(RowError::Field("attribute", name)),
            };
            Ok(MessageAttribute { name, data_type, value })
        };
        let attributes = attributes.into_iter().map(attribute).collect::<Result<_, _>>()?;
        Ok(MessageBody { text, attributes, trace, group })
    }
}

fn read<'a, T: Deserialize<'a>>(format: u32, document: &'a str) -> Result<T, RowError> {
    if format != FORMAT {
        return Err(RowError::Format(format));
    }
    serde_json::from_str(document).map_err(RowError::Document)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the first version wrote. These must be read for ever.
    const QUEUE: &str = r#"{"delay_seconds":1,"message_bytes_max":1024,"retention_seconds":60,"wait_seconds":20,"visibility_seconds":0,"redrive":{"target":"d","target_arn":"arn:aws:sqs:us-east-1:000000000000:d","receives_max":3,"text":"{}"},"redrive_allow":null,"policy":"{}","managed_encryption":false,"tags":{"k":"v"},"created_at":"2026-11-22T12:34:56.789Z","modified_at":"2026-11-22T12:34:57Z"}"#;
    const BODY: &str = r#"{"attributes":[{"name":"a","data_type":"String","text":"v"},{"name":"b","data_type":"Binary.x","base64":"AAE="}],"trace":"Root=1-5759e988-bd862e3fe1be46a994272793","group":null}"#;

    #[test]
    fn what_the_first_version_wrote_is_read() {
        let queue = QueueRow::read(7, "q", 1, QUEUE).unwrap();
        assert_eq!((queue.id, queue.name.as_str(), queue.attributes.wait_seconds), (7, "q", 20));
        assert_eq!(QueueRow::document(&queue).unwrap(), QUEUE);
        let body = BodyRow::read("text".into(), 1, BODY).unwrap();
        assert_eq!((body.text.as_str(), body.attributes.len()), ("text", 2));
        assert_eq!(BodyRow::document(&body).unwrap(), BODY);
    }

    #[test]
    fn what_is_none_of_them_says_why() {
        assert_eq!(QueueRow::read(1, "q", 2, QUEUE).unwrap_err().to_string(), "its format is 2; this version reads 1");
        assert_eq!(QueueRow::read(1, "q.q", 1, QUEUE).unwrap_err().to_string(), "its name is \"q.q\"");
        assert!(BodyRow::read(String::new(), 1, "{").is_err());
        let both = BODY.replace(r#""text":"v""#, r#""text":"v","base64":"""#);
        assert_eq!(BodyRow::read(String::new(), 1, &both).unwrap_err().to_string(), "its attribute is \"a\"");
    }
}
