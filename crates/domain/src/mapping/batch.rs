//! A batch of messages as the function gets it, and what the function says of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{QueueArn, Settings};
use crate::limits;

/// One message, as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `MessageId`, the same at each receipt.
    pub id: String,
    /// `ReceiptHandle`, of this receipt.
    pub handle: String,
    /// `Body`
    pub body: String,
    /// `MD5OfBody`, in hex, as the queue told it.
    pub body_md5: String,
    /// System attributes by name: `ApproximateReceiveCount`, `SentTimestamp`, `SenderId`,
    /// `ApproximateFirstReceiveTimestamp`, `AWSTraceHeader` where there is one.
    pub attributes: BTreeMap<String, String>,
    /// What the sender put beside the body, by name.
    pub message_attributes: BTreeMap<String, Attribute>,
    /// `MD5OfMessageAttributes`; none where there are no attributes.
    pub message_attributes_md5: Option<String>,
}

/// One attribute that a sender gave to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// `DataType`: `String`, `Number` or `Binary`, perhaps with the sender's own name for it behind a point.
    pub data_type: String,
    /// The value.
    pub value: AttributeValue,
}

/// What a message attribute holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// `StringValue`, of strings and numbers.
    Text(String),
    /// `BinaryValue`
    Binary(Bytes),
}

/// System attributes in the order in which AWS has them; what it does not name comes after.
const SYSTEM_ATTRIBUTES: [&str; 5] =
    ["ApproximateReceiveCount", "AWSTraceHeader", "SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"];

/// Bytes around the records of a batch.
const FRAME_BYTES: usize = "{\"Records\":[]}".len();

/// One message as the function gets it (recorded: `test_message_body_and_attributes_passed_correctly`). With a batching
/// window AWS says that there is no MD5 of attributes where there are none, without one it says nothing (recorded:
/// `test_sqs_event_source_mapping`, `test_failing_lambda_retries_after_visibility_timeout`).
pub fn record(queue: &QueueArn, settings: &Settings, message: &Message) -> String {
    let mut record = document(queue, message);
    match &message.message_attributes_md5 {
        Some(md5) => drop(record.insert("md5OfMessageAttributes".to_owned(), md5.as_str().into())),
        None if settings.window_seconds > 0 => {
            drop(record.insert("md5OfMessageAttributes".to_owned(), Value::Null));
        }
        None => {}
    }
    Value::Object(record).to_string()
}

fn document(queue: &QueueArn, message: &Message) -> Map<String, Value> {
    let Message { id, handle, body, body_md5, attributes, message_attributes, message_attributes_md5: _ } = message;
    let known = SYSTEM_ATTRIBUTES.iter().filter_map(|&name| attributes.get_key_value(name));
    let others = attributes.iter().filter(|(name, _)| !SYSTEM_ATTRIBUTES.contains(&name.as_str()));
    let attributes: Map<String, Value> =
        known.chain(others).map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let shown = |Attribute { data_type, value }: &Attribute| {
        let mut shown = Map::new();
        match value {
            AttributeValue::Text(text) => shown.insert("stringValue".to_owned(), text.as_str().into()),
            AttributeValue::Binary(bytes) => {
                shown.insert("binaryValue".to_owned(), data_encoding::BASE64.encode(bytes).into())
            }
        };
        // SQS has no lists; AWS shows them all the same.
        shown.insert("stringListValues".to_owned(), json!([]));
        shown.insert("binaryListValues".to_owned(), json!([]));
        shown.insert("dataType".to_owned(), data_type.as_str().into());
        Value::Object(shown)
    };
    let message_attributes: Map<String, Value> =
        message_attributes.iter().map(|(name, attribute)| (name.clone(), shown(attribute))).collect();
    let record = json!({
        "messageId": id,
        "receiptHandle": handle,
        "body": body,
        "attributes": attributes,
        "messageAttributes": message_attributes,
        "md5OfBody": body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.as_str(),
        "awsRegion": queue.region(),
    });
    match record {
        Value::Object(record) => record,
        other => Map::from_iter([("record".to_owned(), other)]),
    }
}

/// One message as filters see it: the body is read where it is JSON (AWS developer guide, with-sqs-filtering).
pub(super) fn subject(queue: &QueueArn, message: &Message) -> Value {
    let mut subject = document(queue, message);
    if let Ok(body @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(&message.body) {
        subject.insert("body".to_owned(), body);
    }
    Value::Object(subject)
}

/// Parts records of these lengths, so that each part is one event: not more than a batch may have, and not larger than a
/// function takes. What is too large alone stands alone. Tells how many each part has.
pub fn part(batch_size: u32, lengths: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let records_max = usize::try_from(batch_size).unwrap_or(usize::MAX).max(1);
    let mut parts: Vec<usize> = Vec::new();
    let mut bytes = 0;
    for length in lengths {
        match parts.last_mut() {
            Some(records) if *records < records_max && !is_full(bytes, length + 1) => {
                bytes += length + 1;
                *records += 1;
            }
            Some(_) | None => {
                bytes = length + 1;
                parts.push(1);
            }
        }
    }
    parts
}

/// Whether a batch with records of so many bytes is too large for `more`.
pub fn is_full(bytes: usize, more: usize) -> bool {
    FRAME_BYTES + bytes + more > limits::SYNC_REQUEST_BYTES
}

/// The event of a batch.
pub fn event<'a>(records: impl IntoIterator<Item = &'a str>) -> Bytes {
    let mut event = String::from("{\"Records\":[");
    for (at, record) in records.into_iter().enumerate() {
        if at > 0 {
            event.push(',');
        }
        event.push_str(record);
    }
    event.push_str("]}");
    event.into()
}

/// Which messages of a batch were processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Processed {
    /// All.
    All,
    /// None.
    None,
    /// All but those with these ids.
    AllBut(Vec<String>),
}

/// Reads what a function answered that tells which messages it could not process (AWS developer guide,
/// services-sqs-errorhandling, "success and failure conditions"; recorded:
/// `test_report_batch_item_failures_invalid_result_json_batch_fails`,
/// `test_report_batch_item_failures_empty_json_batch_succeeds`).
pub fn read_answer(answer: &[u8], ids: &[&str]) -> Processed {
    if answer.is_empty() {
        return Processed::All;
    }
    let failures = match serde_json::from_slice::<Value>(answer) {
        Ok(Value::Null) => return Processed::All,
        Ok(Value::Object(mut answer)) => answer.remove("batchItemFailures").unwrap_or(Value::Null),
        // Neither empty nor what was agreed: nothing is deleted for it.
        Err(_) | Ok(Value::String(_) | Value::Bool(_) | Value::Number(_) | Value::Array(_)) => {
            return Processed::None;
        }
    };
    let failures = match failures {
        Value::Null => return Processed::All,
        Value::Array(failures) => failures,
        _ => return Processed::None,
    };
    let mut failed = Vec::with_capacity(failures.len());
    for failure in &failures {
        match failure.get("itemIdentifier").and_then(Value::as_str) {
            Some(id) if ids.contains(&id) => failed.push(id.to_owned()),
            Some(_) | None => return Processed::None,
        }
    }
    if failed.is_empty() { Processed::All } else { Processed::AllBut(failed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Edit;
    use proptest::prelude::*;

    fn queue() -> QueueArn {
        QueueArn::read("arn:aws:sqs:us-west-2:000000000000:q").unwrap()
    }

    fn message(body: &str) -> Message {
        let attributes = [
            ("ApproximateFirstReceiveTimestamp", "1545082649185"),
            ("ApproximateReceiveCount", "1"),
            ("DeadLetterQueueSourceArn", "arn:aws:sqs:us-west-2:000000000000:p"),
            ("SenderId", "AIDA"),
            ("SentTimestamp", "1545082649183"),
        ];
        Message {
            id: "059f36b4-87a3-44ab-83d2-661975830a7d".to_owned(),
            handle: "AQEB".to_owned(),
            body: body.to_owned(),
            body_md5: "e4e6".to_owned(),
            attributes: attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            message_attributes: BTreeMap::new(),
            message_attributes_md5: None,
        }
    }

    #[test]
    fn a_record_is_as_aws_sends_it() {
        // Recorded: test_message_body_and_attributes_passed_correctly; of binary values: AWS developer guide, with-sqs.
        let mut message = message("{\"a\": 1}");
        let attribute = |data_type: &str, value| Attribute { data_type: data_type.to_owned(), value };
        let author = attribute("String", AttributeValue::Text("John Grisham".to_owned()));
        let cover = attribute("Binary.png", AttributeValue::Binary(Bytes::from_static(&[0, 255])));
        message.message_attributes = [("Author".to_owned(), author), ("Cover".to_owned(), cover)].into();
        message.message_attributes_md5 = Some("d25a6aea97eb8f585bfa92d314504a92".to_owned());
        let expected = concat!(
            r#"{"messageId":"059f36b4-87a3-44ab-83d2-661975830a7d","receiptHandle":"AQEB","body":"{\"a\": 1}","#,
            r#""attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"1545082649183","SenderId":"AIDA","#,
            r#""ApproximateFirstReceiveTimestamp":"1545082649185","#,
            r#""DeadLetterQueueSourceArn":"arn:aws:sqs:us-west-2:000000000000:p"},"#,
            r#""messageAttributes":{"Author":{"stringValue":"John Grisham","stringListValues":[],"binaryListValues":[],"#,
            r#""dataType":"String"},"Cover":{"binaryValue":"AP8=","stringListValues":[],"binaryListValues":[],"#,
            r#""dataType":"Binary.png"}},"md5OfBody":"e4e6","eventSource":"aws:sqs","#,
            r#""eventSourceARN":"arn:aws:sqs:us-west-2:000000000000:q","awsRegion":"us-west-2","#,
            r#""md5OfMessageAttributes":"d25a6aea97eb8f585bfa92d314504a92"}"#,
        );
        assert_eq!(record(&queue(), &Settings::default(), &message), expected);
        assert_eq!(event([expected, expected]), format!("{{\"Records\":[{expected},{expected}]}}"));
    }

    #[test]
    fn with_a_window_a_missing_md5_is_shown() {
        let windowed = Settings { window_seconds: 1, ..Settings::default() };
        let shown = |settings| {
            let record: Value = serde_json::from_str(&record(&queue(), settings, &message(""))).unwrap();
            record.get("md5OfMessageAttributes").cloned()
        };
        assert_eq!((shown(&Settings::default()), shown(&windowed)), (None, Some(Value::Null)));
    }

    #[test]
    fn filters_read_bodies_that_are_json() {
        // AWS developer guide, with-sqs-filtering, "properly filtering messages": both have to be of one kind.
        let passes = |pattern: &str, body: &str| {
            let edit = Edit { filters: Some(vec![pattern.to_owned()]), ..Edit::default() };
            Settings::default().edited(&edit).unwrap().lets_through(&queue(), &message(body))
        };
        assert!(passes(r#"{"body":{"code":["BBBB"]}}"#, r#"{"code":"BBBB"}"#));
        assert!(!passes(r#"{"body":{"code":["BBBB"]}}"#, r#"{"code":"AAAA"}"#));
        assert!(!passes(r#"{"body":{"code":["BBBB"]}}"#, "BBBB"));
        assert!(passes(r#"{"body":["BBBB"]}"#, "BBBB"));
        assert!(!passes(r#"{"body":["BBBB"]}"#, r#"{"code":"BBBB"}"#));
        assert!(passes(r#"{"eventSource":["aws:sqs"]}"#, "anything"));
        assert!(Settings::default().lets_through(&queue(), &message("anything")));
    }

    #[test]
    fn a_function_tells_what_it_could_not_process() {
        let but = |ids: &[&str]| Processed::AllBut(ids.iter().map(|&id| id.to_owned()).collect());
        for (answer, expected) in [
            // Complete success.
            ("", Processed::All),
            ("null", Processed::All),
            ("{}", Processed::All),
            (r#"{"batchItemFailures":null}"#, Processed::All),
            (r#"{"batchItemFailures":[]}"#, Processed::All),
            // Complete failure.
            (r#""text""#, Processed::None),
            ("{", Processed::None),
            (r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#, Processed::None),
            (r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#, Processed::None),
            (r#"{"batchItemFailures":[{"foo":"a"}]}"#, Processed::None),
            (r#"{"batchItemFailures":[{"itemIdentifier":"c"}]}"#, Processed::None),
            (r#"{"batchItemFailures":["a"]}"#, Processed::None),
            (r#"{"batchItemFailures":"a"}"#, Processed::None),
            // In part.
            (r#"{"batchItemFailures":[{"itemIdentifier":"b"}],"more":1}"#, but(&["b"])),
            (r#"{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"a"}]}"#, but(&["b", "a"])),
        ] {
            assert_eq!(read_answer(answer.as_bytes(), &["a", "b"]), expected, "{answer}");
        }
    }

    proptest! {
        #[test]
        fn parts_lose_nothing_and_fit(sizes in prop::collection::vec(0_usize..3_000_000, 0..12), batch_size in 1_u32..5) {
            let parts = part(batch_size, sizes.iter().copied());
            let mut left = sizes.iter();
            for records in &parts {
                prop_assert!(*records > 0 && *records <= batch_size as usize);
                let records: Vec<String> = left.by_ref().take(*records).map(|size| "x".repeat(*size)).collect();
                let bytes = event(records.iter().map(String::as_str)).len();
                prop_assert!(records.len() == 1 || bytes <= limits::SYNC_REQUEST_BYTES);
            }
            prop_assert_eq!((left.len(), parts.iter().sum::<usize>()), (0, sizes.len()));
        }
    }
}
