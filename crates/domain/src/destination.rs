//! Where an event goes when it is done, and what is told there: invocation records and dead letters.
//!
//! The only JSON made here is Lambda's own contract. Never here: calls to SQS, SNS, EventBridge or S3.

use bytes::{BufMut as _, Bytes, BytesMut};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::arn::FunctionArn;
use crate::names::{Qualifier, RequestId, Version};

/// Characters of an error message that a dead letter carries (AWS developer guide, invocation-async-retain-records: "the
/// first 1 KB of the error message").
const MESSAGE_BYTES_MAX: usize = 1_024;

/// How an event ended, as its record names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// The function answered.
    Success,
    /// The function failed, and there is no attempt left.
    RetriesExhausted,
    /// The next attempt would come too late.
    EventAgeExceeded,
    /// The function may not run at all (recorded: `test_reserved_concurrency`).
    ZeroReservedConcurrency,
    /// A loop was stopped. AWS does not tell this word; ours follows the exception of Invoke.
    RecursiveInvocation,
    /// The function, or the version that was asked for, is gone or cannot run. Nothing of AWS is known.
    FunctionUnavailable,
}

impl Condition {
    /// As the record spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::RetriesExhausted => "RetriesExhausted",
            Self::EventAgeExceeded => "EventAgeExceeded",
            Self::ZeroReservedConcurrency => "ZeroReservedConcurrency",
            Self::RecursiveInvocation => "RecursiveInvocation",
            Self::FunctionUnavailable => "FunctionUnavailable",
        }
    }
}

/// What came of the last attempt that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Which version ran.
    pub executed_version: Version,
    /// Whether it failed.
    pub failed: bool,
    /// What it answered, or how it failed.
    pub payload: Bytes,
}

/// All that a record tells.
#[derive(Clone, Debug)]
pub struct Ended<'a> {
    /// When.
    pub at: Timestamp,
    /// The event's.
    pub request_id: RequestId,
    /// The function, with the qualifier as the event was sent; `$LATEST` where there was none.
    pub function: &'a FunctionArn,
    /// See `function`.
    pub qualifier: Option<&'a Qualifier>,
    /// How.
    pub condition: Condition,
    /// How often it ran.
    pub attempts: u32,
    /// The event.
    pub payload: &'a Bytes,
    /// The last answer; none where it never ran.
    pub response: Option<&'a Response>,
}

impl Ended<'_> {
    /// The ARN as records have it: always qualified (recorded: `test_assess_lambda_destination_invocation`).
    pub fn function_arn(&self) -> String {
        self.function.qualified(self.qualifier.unwrap_or(&Qualifier::Latest))
    }

    /// The invocation record, keys in AWS's order (recorded: `test_retries`, `test_maxeventage`).
    pub fn record(&self) -> Bytes {
        let response = self.response.map(|response| response.payload.as_ref());
        let mut text = BytesMut::with_capacity(self.payload.len() + response.map_or(0, <[u8]>::len) + 512);
        let mut put = |piece: &[u8]| text.put_slice(piece);
        put(br#"{"version":"1.0","timestamp":""#);
        put(millis(self.at).as_bytes());
        put(br#"","requestContext":{"requestId":""#);
        put(self.request_id.to_string().as_bytes());
        put(br#"","functionArn":"#);
        put(quoted(&self.function_arn()).as_bytes());
        put(br#","condition":""#);
        put(self.condition.as_str().as_bytes());
        put(format!(r#"","approximateInvokeCount":{}}},"requestPayload":"#, self.attempts).as_bytes());
        put(self.payload);
        if let Some(Response { executed_version, failed, payload }) = self.response {
            put(format!(r#","responseContext":{{"statusCode":200,"executedVersion":"{executed_version}""#).as_bytes());
            if *failed {
                put(br#","functionError":"Unhandled""#);
            }
            put(br#"},"responsePayload":"#);
            if serde_json::from_slice::<serde::de::IgnoredAny>(payload).is_ok() {
                put(payload);
            } else if payload.is_empty() {
                put(b"null");
            } else {
                // A runtime may answer what is no JSON; the record stays JSON.
                put(quoted(&String::from_utf8_lossy(payload)).as_bytes());
            }
        }
        put(b"}");
        text.freeze()
    }

    /// What a dead letter says besides the event (AWS developer guide, invocation-async-retain-records; recorded:
    /// `test_dead_letter_queue`).
    pub fn dead_letter_attributes(&self) -> Vec<Attribute> {
        let code = if self.response.is_some() { "200" } else { "429" };
        let message = self.response.map(|response| error_message(&response.payload));
        let message = message.unwrap_or_else(|| self.condition.as_str().to_owned());
        let mut attributes = vec![
            Attribute { name: "RequestID", kind: AttributeKind::String, value: self.request_id.to_string() },
            Attribute { name: "ErrorCode", kind: AttributeKind::Number, value: code.to_owned() },
        ];
        // SQS and SNS refuse an attribute that is empty.
        if !message.is_empty() {
            attributes.push(Attribute { name: "ErrorMessage", kind: AttributeKind::String, value: message });
        }
        attributes
    }
}

/// `errorMessage` of an error's payload, its first 1 KB.
pub fn error_message(payload: &[u8]) -> String {
    let text = match serde_json::from_slice::<Value>(payload) {
        Ok(Value::Object(mut fields)) => match fields.remove("errorMessage") {
            Some(Value::String(text)) => text,
            _ => String::new(),
        },
        _ => String::new(),
    };
    clip(text)
}

/// Cut to what a message may have, never within a character.
pub fn clip(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MESSAGE_BYTES_MAX));
    text
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// RFC 3339 in UTC with milliseconds.
pub fn millis(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// One message attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: AttributeKind,
    /// Its value.
    pub value: String,
}

/// The type of a message attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeKind {
    /// `String`
    String,
    /// `Number`
    Number,
}

impl AttributeKind {
    /// As SQS and SNS spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::Number => "Number",
        }
    }
}

/// What a delivery is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The record of an event that succeeded.
    OnSuccess,
    /// The record of one that did not.
    OnFailure,
    /// The event itself, which did not succeed.
    DeadLetter,
}

/// What is to be sent, to whom, as it is kept until it has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: Uuid,
    /// Of which event.
    pub event: RequestId,
    /// What for.
    pub purpose: Purpose,
    /// The target's ARN.
    pub target: String,
    /// The function's ARN as the record has it.
    pub function_arn: String,
    /// The bare name of the function.
    pub function_name: String,
    /// The record, or the event itself.
    pub body: Bytes,
    /// What goes with a dead letter.
    pub attributes: Vec<Attribute>,
    /// The trace header of the invocation.
    pub trace: Option<String>,
    /// When the event ended.
    pub at: Timestamp,
}

/// A delivery in the words of the service that takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parcel {
    /// A message for a queue of SQS.
    Queue {
        /// The queue's ARN.
        arn: String,
        /// The message.
        body: Bytes,
        /// Its attributes.
        attributes: Vec<Attribute>,
        /// Its system attribute `AWSTraceHeader`.
        trace: Option<String>,
    },
    /// A message for a topic of SNS.
    Topic {
        /// The topic's ARN.
        arn: String,
        /// The message.
        body: Bytes,
        /// Its attributes.
        attributes: Vec<Attribute>,
    },
    /// An event for a bus of EventBridge.
    Bus {
        /// The bus's ARN.
        arn: String,
        /// `detail-type`.
        detail_type: &'static str,
        /// `resources`
        resources: Vec<String>,
        /// `detail`
        detail: Bytes,
    },
    /// An object for a bucket of S3.
    Object {
        /// The bucket.
        bucket: String,
        /// Its key.
        key: String,
        /// What is in it.
        body: Bytes,
    },
    /// An event for another function.
    Function {
        /// Its ARN, with a qualifier if there is one.
        arn: String,
        /// The event.
        payload: Bytes,
        /// The trace header, by which loops are found.
        trace: Option<String>,
    },
}

/// `source` of what comes from Lambda on a bus (recorded: `test_invoke_lambda_eventbridge`).
pub const BUS_SOURCE: &str = "lambda";

impl Delivery {
    /// In the words of the target's service; none where the ARN names no service that takes deliveries.
    pub fn parcel(&self) -> Option<Parcel> {
        let mut parts = self.target.strip_prefix("arn:")?.splitn(5, ':').skip(1);
        let (service, rest) = (parts.next()?, parts.nth(2)?);
        let (arn, body) = (self.target.clone(), self.body.clone());
        Some(match service {
            "sqs" => Parcel::Queue { arn, body, attributes: self.attributes.clone(), trace: self.trace.clone() },
            "sns" => Parcel::Topic { arn, body, attributes: self.attributes.clone() },
            "lambda" => Parcel::Function { arn, payload: body, trace: self.trace.clone() },
            "events" => {
                let resources = vec![arn.clone(), self.function_arn.clone()];
                let detail_type = match self.purpose {
                    Purpose::OnSuccess => "Lambda Function Invocation Result - Success",
                    Purpose::OnFailure | Purpose::DeadLetter => "Lambda Function Invocation Result - Failure",
                };
                Parcel::Bus { arn, detail_type, resources, detail: body }
            }
            "s3" => Parcel::Object { bucket: rest.split('/').next()?.to_owned(), key: self.object_key(), body },
            _ => return None,
        })
    }

    /// AWS developer guide, invocation-async-retain-records.
    fn object_key(&self) -> String {
        let (day, second) = (self.at.strftime("%Y/%m/%d"), self.at.strftime("%Y-%m-%dT%H.%M.%S"));
        format!("aws/lambda/async/{}/{day}/{second}-{}", self.function_name, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arn::Home;

    fn arn() -> FunctionArn {
        let home = Home { partition: "aws".into(), region: "us-east-1".into(), account: "111111111111".into() };
        home.read("fn", None).unwrap().arn
    }

    fn check(
        condition: Condition,
        qualifier: Option<&str>,
        attempts: u32,
        response: Option<&Response>,
        expected: &str,
    ) {
        let (function, payload) = (arn(), Bytes::from_static(br#"{"a": 1}"#));
        let qualifier = qualifier.map(Qualifier::parse);
        let ended = Ended {
            at: "2019-11-14T18:16:05.568Z".parse().unwrap(),
            request_id: RequestId(Uuid::nil()),
            function: &function,
            qualifier: qualifier.as_ref(),
            condition,
            attempts,
            payload: &payload,
            response,
        };
        assert_eq!(std::str::from_utf8(&ended.record()).unwrap(), expected);
    }

    #[test]
    fn records_are_what_aws_writes() {
        let head = |arn: &str, condition: &str, count: u32| {
            format!(
                r#"{{"version":"1.0","timestamp":"2019-11-14T18:16:05.568Z","requestContext":{{"requestId":"00000000-0000-0000-0000-000000000000","functionArn":"{arn}","condition":"{condition}","approximateInvokeCount":{count}}},"requestPayload":{{"a": 1}}"#
            )
        };
        let arn = arn().to_string();
        // Recorded: test_assess_lambda_destination_invocation.
        let answer = |failed, payload: &'static [u8]| {
            Some(Response { executed_version: Version::Latest, failed, payload: Bytes::from_static(payload) })
        };
        check(
            Condition::Success,
            None,
            1,
            answer(false, b"[1, 2]").as_ref(),
            &(head(&format!("{arn}:$LATEST"), "Success", 1)
                + r#","responseContext":{"statusCode":200,"executedVersion":"$LATEST"},"responsePayload":[1, 2]}"#),
        );
        // Recorded: test_retries.
        check(
            Condition::RetriesExhausted,
            Some("live"),
            3,
            answer(true, br#"{"errorMessage":"no"}"#).as_ref(),
            &(head(&format!("{arn}:live"), "RetriesExhausted", 3)
                + r#","responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"responsePayload":{"errorMessage":"no"}}"#),
        );
        // Recorded: test_reserved_concurrency.
        check(
            Condition::ZeroReservedConcurrency,
            None,
            0,
            None,
            &(head(&format!("{arn}:$LATEST"), "ZeroReservedConcurrency", 0) + "}"),
        );
        // What is no JSON becomes text; nothing becomes null.
        for (payload, told) in [(&b"\xffx\""[..], r#""�x\"""#), (b"", "null")] {
            let rest = format!(
                r#","responseContext":{{"statusCode":200,"executedVersion":"$LATEST"}},"responsePayload":{told}}}"#
            );
            check(
                Condition::Success,
                None,
                1,
                answer(false, payload).as_ref(),
                &(head(&format!("{arn}:$LATEST"), "Success", 1) + &rest),
            );
        }
    }

    #[test]
    fn dead_letters_say_why_in_attributes() {
        // Recorded: test_dead_letter_queue; AWS developer guide, invocation-async-retain-records.
        let (function, payload) = (arn(), Bytes::from_static(b"{}"));
        let long = "é".repeat(2_000);
        let cases = [
            (Some(r#"{"errorMessage":"boom","errorType":"E"}"#.to_owned()), "200", Some("boom".to_owned())),
            (Some(format!(r#"{{"errorMessage":"{long}"}}"#)), "200", Some("é".repeat(512))),
            (Some(r#"{"other":1}"#.to_owned()), "200", None),
            (None, "429", Some("EventAgeExceeded".to_owned())),
        ];
        for (told, code, message) in cases {
            let payload_of =
                |text: String| Response { executed_version: Version::Latest, failed: true, payload: text.into() };
            let response = told.map(payload_of);
            let ended = Ended {
                at: Timestamp::UNIX_EPOCH,
                request_id: RequestId(Uuid::nil()),
                function: &function,
                qualifier: None,
                condition: Condition::EventAgeExceeded,
                attempts: 1,
                payload: &payload,
                response: response.as_ref(),
            };
            let attributes = ended.dead_letter_attributes();
            let value = |name| attributes.iter().find(|one| one.name == name).map(|one| one.value.clone());
            assert_eq!(value("RequestID").unwrap(), Uuid::nil().to_string());
            assert_eq!(value("ErrorCode").unwrap(), code);
            assert_eq!(attributes[1].kind.as_str(), "Number");
            assert_eq!(value("ErrorMessage"), message);
        }
    }

    #[test]
    fn each_service_gets_it_in_its_own_words() {
        // AWS developer guide, invocation-async-retain-records; recorded: test_invoke_lambda_eventbridge.
        let delivery = |service: &str, rest: &str| Delivery {
            id: Uuid::nil(),
            event: RequestId(Uuid::nil()),
            purpose: Purpose::OnFailure,
            target: format!("arn:aws:{service}:us-east-1:111111111111:{rest}"),
            function_arn: "fn-arn".into(),
            function_name: "fn".into(),
            body: Bytes::from_static(b"{}"),
            attributes: Vec::new(),
            trace: Some("Root=1".into()),
            at: "2024-04-23T10:00:01Z".parse().unwrap(),
        };
        assert!(matches!(delivery("sqs", "q").parcel(), Some(Parcel::Queue { trace: Some(_), .. })));
        assert!(matches!(delivery("sns", "t").parcel(), Some(Parcel::Topic { .. })));
        assert!(matches!(delivery("lambda", "function:g:live").parcel(), Some(Parcel::Function { .. })));
        let Some(Parcel::Bus { arn, detail_type, resources, .. }) = delivery("events", "event-bus/b").parcel() else {
            panic!("a bus takes records")
        };
        assert_eq!(detail_type, "Lambda Function Invocation Result - Failure");
        assert_eq!(resources, [arn, "fn-arn".to_owned()]);
        let object = Delivery { target: "arn:aws:s3:::bucket".into(), ..delivery("s3", "") };
        let expected = Parcel::Object {
            bucket: "bucket".into(),
            key: "aws/lambda/async/fn/2024/04/23/2024-04-23T10.00.01-00000000-0000-0000-0000-000000000000".into(),
            body: Bytes::from_static(b"{}"),
        };
        assert_eq!(object.parcel(), Some(expected));
        assert_eq!(delivery("iam", "x").parcel(), None);
    }
}
