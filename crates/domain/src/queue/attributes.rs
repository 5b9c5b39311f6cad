//! What can be set of a queue, and within which bounds (Amazon SQS API reference, SetQueueAttributes).

use std::ops::RangeInclusive;

use serde_json::Value;

use super::{QueueName, Refusal};
use crate::arn::Home;
use crate::limits;

/// The attributes that can be set, in the order in which AWS lists them.
pub const SETTABLE: [&str; 9] = [
    "Policy",
    "VisibilityTimeout",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "DelaySeconds",
    "ReceiveMessageWaitTimeSeconds",
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "SqsManagedSseEnabled",
];
/// What only FIFO queues have.
const OF_FIFO: [&str; 4] = ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"];
/// What needs a key service.
const OF_KMS: [&str; 2] = ["KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"];

/// What can be set of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// `DelaySeconds`
    pub delay_seconds: u32,
    /// `MaximumMessageSize`
    pub message_bytes_max: u32,
    /// `MessageRetentionPeriod`
    pub retention_seconds: u32,
    /// `ReceiveMessageWaitTimeSeconds`
    pub wait_seconds: u32,
    /// `VisibilityTimeout`
    pub visibility_seconds: u32,
    /// `RedrivePolicy`
    pub redrive: Option<Redrive>,
    /// `RedriveAllowPolicy`, as given: it is kept and shown.
    pub redrive_allow: Option<String>,
    /// `Policy`, as given: it is kept and shown.
    pub policy: Option<String>,
    /// `SqsManagedSseEnabled`: it is kept and shown.
    pub managed_encryption: bool,
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            delay_seconds: 0,
            message_bytes_max: 1_048_576,
            retention_seconds: 345_600,
            wait_seconds: 0,
            visibility_seconds: 30,
            redrive: None,
            redrive_allow: None,
            policy: None,
            managed_encryption: true,
        }
    }
}

/// Where messages go that were received too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrive {
    /// The dead-letter queue, of this engine.
    pub target: QueueName,
    /// Its ARN.
    pub target_arn: String,
    /// How often a message is received before it goes there.
    pub receives_max: u32,
    /// The policy as it was given.
    pub text: String,
}

/// How many messages a queue has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// To be received.
    pub visible: u64,
    /// With somebody.
    pub in_flight: u64,
    /// Not there yet.
    pub delayed: u64,
}

impl Attributes {
    /// Sets one attribute; an empty text takes a policy away.
    ///
    /// # Errors
    /// There is no such attribute, or it cannot have that value.
    pub fn set(&mut self, home: &Home, name: &str, value: &str) -> Result<(), Refusal> {
        match name {
            "DelaySeconds" => self.delay_seconds = number("DelaySeconds", value, 0..=900)?,
            "MaximumMessageSize" => {
                self.message_bytes_max = number("MaximumMessageSize", value, 1_024..=1_048_576)?;
            }
            "MessageRetentionPeriod" => {
                self.retention_seconds = number("MessageRetentionPeriod", value, 60..=1_209_600)?;
            }
            "ReceiveMessageWaitTimeSeconds" => {
                self.wait_seconds = number("ReceiveMessageWaitTimeSeconds", value, 0..=20)?;
            }
            "VisibilityTimeout" => {
                self.visibility_seconds = number("VisibilityTimeout", value, 0..=limits::VISIBILITY_SECONDS)?;
            }
            "RedrivePolicy" if value.is_empty() => self.redrive = None,
            "RedrivePolicy" => self.redrive = Some(Redrive::parse(home, value)?),
            "RedriveAllowPolicy" => self.redrive_allow = policy("RedriveAllowPolicy", value)?,
            "Policy" => self.policy = policy("Policy", value)?,
            "SqsManagedSseEnabled" => {
                self.managed_encryption =
                    value.parse().map_err(|_| Refusal::AttributeValue { name: "SqsManagedSseEnabled" })?;
            }
            "FifoQueue" if value == "true" => return Err(Refusal::Fifo),
            // No key is no encryption, which is what there is.
            name if OF_KMS.contains(&name) && value.is_empty() => {}
            name if OF_KMS.contains(&name) => return Err(Refusal::NotBuilt { what: format!("Attribute {name}") }),
            name => return Err(Refusal::UnknownAttribute { name: name.to_owned() }),
        }
        Ok(())
    }

    /// One attribute as it is shown; none where it is not set.
    pub fn get(&self, name: &str) -> Option<String> {
        match name {
            "DelaySeconds" => Some(self.delay_seconds.to_string()),
            "MaximumMessageSize" => Some(self.message_bytes_max.to_string()),
            "MessageRetentionPeriod" => Some(self.retention_seconds.to_string()),
            "ReceiveMessageWaitTimeSeconds" => Some(self.wait_seconds.to_string()),
            "VisibilityTimeout" => Some(self.visibility_seconds.to_string()),
            "RedrivePolicy" => self.redrive.as_ref().map(|redrive| redrive.text.clone()),
            "RedriveAllowPolicy" => self.redrive_allow.clone(),
            "Policy" => self.policy.clone(),
            "SqsManagedSseEnabled" => Some(self.managed_encryption.to_string()),
            _ => None,
        }
    }

    /// Checks that the name is one that GetQueueAttributes knows.
    ///
    /// # Errors
    /// It is not.
    pub fn check_readable(name: &str) -> Result<(), Refusal> {
        const COMPUTED: [&str; 7] = [
            "All",
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
            "CreatedTimestamp",
            "LastModifiedTimestamp",
            "QueueArn",
        ];
        let lists: [&[&str]; 4] = [&SETTABLE, &COMPUTED, &OF_FIFO, &OF_KMS];
        if lists.iter().any(|list| list.contains(&name)) {
            Ok(())
        } else {
            Err(Refusal::UnknownAttribute { name: name.to_owned() })
        }
    }
}

impl Redrive {
    /// Reads a policy.
    ///
    /// # Errors
    /// It is none, or names no standard queue of this engine (recorded:
    /// `test_invalid_dead_letter_arn_rejected_before_lookup`).
    pub fn parse(home: &Home, text: &str) -> Result<Self, Refusal> {
        let invalid = |reason: &str| Refusal::Parameter {
            value: text.to_owned(),
            name: "RedrivePolicy",
            reason: reason.to_owned(),
        };
        let Ok(Value::Object(policy)) = serde_json::from_str(text) else {
            return Err(invalid("Redrive policy is not a valid JSON map."));
        };
        let Some(Value::String(target_arn)) = policy.get("deadLetterTargetArn") else {
            return Err(invalid("Redrive policy does not contain mandatory attribute: deadLetterTargetArn."));
        };
        if target_arn.starts_with("arn:") && target_arn.ends_with(super::FIFO) {
            return Err(Refusal::Fifo);
        }
        let target = target_arn.starts_with("arn:").then(|| QueueName::of(home, target_arn)).flatten();
        let target = target.ok_or_else(|| invalid("Invalid value for deadLetterTargetArn."))?;
        let receives_max = match policy.get("maxReceiveCount") {
            None => return Err(invalid("Redrive policy does not contain mandatory attribute: maxReceiveCount.")),
            // Tools send it either way.
            Some(Value::String(text)) => text.parse().ok(),
            Some(value) => value.as_u64(),
        };
        match receives_max.and_then(|max| u32::try_from(max).ok()).filter(|max| (1..=1_000).contains(max)) {
            Some(receives_max) => {
                Ok(Self { target, target_arn: target_arn.clone(), receives_max, text: text.to_owned() })
            }
            None => Err(invalid("Invalid value for maxReceiveCount: must be between 1 and 1000.")),
        }
    }
}

fn number(name: &'static str, value: &str, bounds: RangeInclusive<u32>) -> Result<u32, Refusal> {
    let number = value.parse().ok().filter(|number| bounds.contains(number));
    number.ok_or(Refusal::AttributeValue { name })
}

/// A policy that is kept as it is: JSON of an object.
fn policy(name: &'static str, value: &str) -> Result<Option<String>, Refusal> {
    if value.is_empty() {
        return Ok(None);
    }
    match serde_json::from_str(value) {
        Ok(Value::Object(_)) => Ok(Some(value.to_owned())),
        _ => Err(Refusal::AttributeValue { name }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> Home {
        Home { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() }
    }

    #[test]
    fn defaults_and_bounds_are_those_of_aws() {
        for (name, default, least, most) in [
            ("DelaySeconds", 0, 0, 900),
            ("MaximumMessageSize", 1_048_576, 1_024, 1_048_576),
            ("MessageRetentionPeriod", 345_600, 60, 1_209_600),
            ("ReceiveMessageWaitTimeSeconds", 0, 0, 20),
            ("VisibilityTimeout", 30, 0, 43_200_u32),
        ] {
            let mut attributes = Attributes::default();
            assert_eq!(attributes.get(name), Some(default.to_string()), "{name}");
            for value in [least, most] {
                attributes.set(&home(), name, &value.to_string()).unwrap();
                assert_eq!(attributes.get(name), Some(value.to_string()), "{name}");
            }
            let beyond = [(most + 1).to_string(), (i64::from(least) - 1).to_string(), String::new(), "1.5".into()];
            for value in beyond {
                let refused = attributes.set(&home(), name, &value);
                assert!(
                    matches!(refused, Err(Refusal::AttributeValue { name: named }) if named == name),
                    "{name} {value}"
                );
            }
        }
    }

    #[test]
    fn what_standard_queues_do_not_have_is_refused() {
        let mut attributes = Attributes::default();
        let mut set = |name: &str, value: &str| attributes.set(&home(), name, value);
        assert_eq!(set("FifoQueue", "true"), Err(Refusal::Fifo));
        for name in ["FifoQueue", "ContentBasedDeduplication", "QueueArn", "Nothing", "All"] {
            assert_eq!(set(name, "false"), Err(Refusal::UnknownAttribute { name: name.into() }));
        }
        assert!(matches!(set("KmsMasterKeyId", "alias/aws/sqs"), Err(Refusal::NotBuilt { .. })));
        assert_eq!(set("KmsMasterKeyId", ""), Ok(()));
        assert_eq!(set("SqsManagedSseEnabled", "maybe"), Err(Refusal::AttributeValue { name: "SqsManagedSseEnabled" }));
        assert_eq!(set("Policy", "[]"), Err(Refusal::AttributeValue { name: "Policy" }));
        assert_eq!(attributes, Attributes::default());
        for name in SETTABLE.iter().chain(&["All", "FifoQueue", "QueueArn", "KmsMasterKeyId"]) {
            Attributes::check_readable(name).unwrap();
        }
        assert!(Attributes::check_readable("all").is_err());
    }

    #[test]
    fn policies_are_kept_as_given_and_taken_away() {
        let mut attributes = Attributes::default();
        for name in ["Policy", "RedriveAllowPolicy"] {
            attributes.set(&home(), name, "{ }").unwrap();
            assert_eq!(attributes.get(name).as_deref(), Some("{ }"));
            attributes.set(&home(), name, "").unwrap();
        }
        let redrive = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:d","maxReceiveCount":"3"}"#;
        attributes.set(&home(), "RedrivePolicy", redrive).unwrap();
        assert_eq!(attributes.get("RedrivePolicy").as_deref(), Some(redrive));
        let read = attributes.redrive.clone().unwrap();
        assert_eq!((read.target.as_str(), read.receives_max), ("d", 3));
        attributes.set(&home(), "RedrivePolicy", "").unwrap();
        assert_eq!(attributes, Attributes::default());
    }

    #[test]
    fn a_redrive_policy_names_a_queue_and_a_number() {
        // Recorded: test_invalid_dead_letter_arn_rejected_before_lookup.
        let text = r#"{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}"#;
        let refused = Redrive::parse(&home(), text).unwrap_err().to_string();
        let expected = format!(
            "Value {text} for parameter RedrivePolicy is invalid. Reason: Invalid value for deadLetterTargetArn."
        );
        assert_eq!(refused, expected);
        let arn = "arn:aws:sqs:us-east-1:000000000000:d";
        for rest in ["}", r#","maxReceiveCount":0}"#, r#","maxReceiveCount":1001}"#, r#","maxReceiveCount":"x"}"#] {
            let text = format!(r#"{{"deadLetterTargetArn":"{arn}"{rest}"#);
            assert!(matches!(Redrive::parse(&home(), &text), Err(Refusal::Parameter { .. })), "{text}");
        }
        for text in ["", "[]", r#"{"maxReceiveCount":1}"#] {
            assert!(matches!(Redrive::parse(&home(), text), Err(Refusal::Parameter { .. })), "{text}");
        }
        let fifo = format!(r#"{{"deadLetterTargetArn":"{arn}.fifo","maxReceiveCount":1}}"#);
        assert_eq!(Redrive::parse(&home(), &fifo), Err(Refusal::Fifo));
    }
}
