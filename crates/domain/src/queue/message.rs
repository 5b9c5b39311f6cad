//! Messages: what may be in them, how long they are, and their MD5s.
//!
//! Amazon SQS developer guide, sqs-message-metadata ("Calculating the MD5 message digest for message attributes").

use bytes::Bytes;
use data_encoding::HEXLOWER;
use md5::{Digest as _, Md5};
use uuid::Uuid;

use super::{Attributes, Refusal};
use crate::limits;

/// The one system attribute that can be sent.
pub const TRACE_HEADER: &str = "AWSTraceHeader";
/// Characters in the name or in the type of an attribute.
const ATTRIBUTE_CHARS: usize = 256;

/// A message's content, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageBody {
    /// The text.
    pub text: String,
    /// Its attributes, sorted by their names.
    pub attributes: Vec<MessageAttribute>,
    /// `AWSTraceHeader`
    pub trace: Option<String>,
    /// `MessageGroupId`: it is kept and shown.
    pub group: Option<String>,
}

/// A message that is about to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Its id.
    pub id: Uuid,
    /// Its content.
    pub body: MessageBody,
    /// Seconds until it can be received.
    pub delay_seconds: u32,
}

/// An attribute that a sender has given to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageAttribute {
    /// Its name.
    pub name: String,
    /// `String`, `Number` or `Binary`, with `.anything` behind it.
    pub data_type: String,
    /// Its value.
    pub value: AttributeValue,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// `StringValue`
    Text(String),
    /// `BinaryValue`
    Binary(Bytes),
}

impl AttributeValue {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl MessageBody {
    /// A text without anything.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), attributes: Vec::new(), trace: None, group: None }
    }

    /// Bytes that count for limits: text and attributes. Those that the system adds do not.
    pub fn bytes(&self) -> usize {
        let of = |one: &MessageAttribute| one.name.len() + one.data_type.len() + one.value.bytes().len();
        self.text.len() + self.attributes.iter().map(of).sum::<usize>()
    }

    /// Sorts the attributes and checks all that can be wrong with a message for a queue.
    ///
    /// # Errors
    /// It is empty or too long, or has characters or attributes that it may not have.
    pub fn checked(mut self, queue: &Attributes) -> Result<Self, Refusal> {
        if self.text.is_empty() {
            return Err(Refusal::Missing { name: "MessageBody".into() });
        }
        if !self.text.chars().all(is_allowed) {
            return Err(Refusal::InvalidCharacters);
        }
        if self.attributes.len() > limits::MESSAGE_ATTRIBUTES {
            return Err(Refusal::MessageAttribute {
                why: format!(
                    "Number of message attributes [{}] exceeds the allowed maximum [{}].",
                    self.attributes.len(),
                    limits::MESSAGE_ATTRIBUTES
                ),
            });
        }
        self.attributes.iter().try_for_each(MessageAttribute::check)?;
        self.attributes.sort_by(|one, other| one.name.cmp(&other.name));
        if let Some(group) = self.group.as_deref() {
            let allowed = |c: u8| c.is_ascii_alphanumeric() || c.is_ascii_punctuation();
            if !(1..=128).contains(&group.len()) || !group.bytes().all(allowed) {
                return Err(Refusal::Parameter {
                    value: group.to_owned(),
                    name: "MessageGroupId",
                    reason: "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in \
                             length."
                        .into(),
                });
            }
        }
        if self.bytes() > queue.message_bytes_max as usize {
            return Err(Refusal::MessageTooLong { bytes_max: queue.message_bytes_max });
        }
        Ok(self)
    }
}

impl MessageAttribute {
    fn check(&self) -> Result<(), Refusal> {
        let refused = |why: String| Err(Refusal::MessageAttribute { why });
        let Self { name, data_type, value } = self;
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.');
        if name.is_empty() || !name.bytes().all(allowed) {
            return refused(format!(
                "The message attribute name '{name}' is invalid. Attribute name can contain A-Z, a-z, 0-9, underscore \
                 (_), hyphen (-), and period (.) characters."
            ));
        }
        if name.len() > ATTRIBUTE_CHARS {
            return refused("Message (user) attribute name must be shorter than 256 Bytes".into());
        }
        let lower = name.to_ascii_lowercase();
        if lower.starts_with("aws.") || lower.starts_with("amazon.") {
            return refused(
                "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. \
                            These strings are reserved for internal use."
                    .into(),
            );
        }
        if name.starts_with('.') || name.ends_with('.') || name.contains("..") {
            return refused(
                "You can't start message attribute names with a period, end them with one or have two in a row.".into(),
            );
        }
        if data_type.is_empty() {
            return refused(format!("The message attribute '{name}' must contain non-empty message attribute type."));
        }
        if data_type.len() > ATTRIBUTE_CHARS {
            return refused("Message (user) attribute type must be shorter than 256 Bytes".into());
        }
        let kind = data_type.split('.').next().unwrap_or_default();
        if !matches!(kind, "String" | "Number" | "Binary") {
            return refused(format!(
                "The type of message (user) attribute '{name}' is invalid. You must use only the following supported \
                 type prefixes: Binary, Number, String."
            ));
        }
        let is_binary = matches!(value, AttributeValue::Binary(_));
        if value.bytes().is_empty() || is_binary != (kind == "Binary") {
            let (wanted, kind) = if kind == "Binary" { ("binary", "Binary") } else { ("string", kind) };
            return refused(format!(
                "The message attribute '{name}' with type '{kind}' must use field '{wanted}', which must not be empty."
            ));
        }
        match value {
            AttributeValue::Text(text) if !text.chars().all(is_allowed) => Err(Refusal::InvalidCharacters),
            AttributeValue::Text(text) if kind == "Number" && !is_number(text) => {
                refused(format!("Can't cast the value of message (user) attribute '{name}' to a number."))
            }
            _ => Ok(()),
        }
    }
}

/// A text with what no message may contain replaced, as error messages in colour have it.
pub fn mended(text: &str) -> String {
    text.chars().map(|c| if is_allowed(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// Of which characters text may be (Amazon SQS API reference, SendMessage).
fn is_allowed(c: char) -> bool {
    matches!(c, '\u{9}' | '\u{a}' | '\u{d}' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn is_number(text: &str) -> bool {
    let is_plain = text.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'+' | b'-' | b'.' | b'e' | b'E'));
    is_plain && text.parse::<f64>().is_ok()
}

/// Checks that the messages of a batch are not too long together.
///
/// # Errors
/// They are.
pub fn check_batch_bytes(bytes: usize) -> Result<(), Refusal> {
    if bytes > limits::MESSAGE_BYTES { Err(Refusal::BatchTooLong { bytes }) } else { Ok(()) }
}

/// Which attributes ReceiveMessage is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter(Vec<String>);

impl Filter {
    /// Of the names as given: `All`, `.*`, `prefix.*` or a name.
    pub fn new(names: Vec<String>) -> Self {
        Self(names)
    }

    /// Whether an attribute is one of them (recorded: `test_receive_message_message_attribute_names_filters`).
    pub fn takes(&self, name: &str) -> bool {
        self.0.iter().any(|asked| match asked.strip_suffix(".*") {
            Some(prefix) => name.starts_with(prefix),
            None => asked == "All" || asked == name,
        })
    }
}

/// `MD5OfMessageBody`
pub fn md5_of(text: &str) -> String {
    HEXLOWER.encode(&Md5::digest(text))
}

/// `MD5OfMessageAttributes` of attributes that are sorted by their names; none where there are none.
pub fn md5_of_attributes<'a>(attributes: impl IntoIterator<Item = &'a MessageAttribute>) -> Option<String> {
    let mut digest = Md5::new();
    let mut is_empty = true;
    for MessageAttribute { name, data_type, value } in attributes {
        is_empty = false;
        put(&mut digest, name.as_bytes());
        put(&mut digest, data_type.as_bytes());
        digest.update([if matches!(value, AttributeValue::Text(_)) { 1 } else { 2 }]);
        put(&mut digest, value.bytes());
    }
    (!is_empty).then(|| HEXLOWER.encode(&digest.finalize()))
}

/// `MD5OfMessageSystemAttributes`, of the one that there can be.
pub fn md5_of_trace(trace: &str) -> String {
    let value = AttributeValue::Text(trace.to_owned());
    let attribute = MessageAttribute { name: TRACE_HEADER.into(), data_type: "String".into(), value };
    md5_of_attributes([&attribute]).expect("there is one")
}

fn put(digest: &mut Md5, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("no part of a message is longer than it may be");
    digest.update(length.to_be_bytes());
    digest.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str, value: &str) -> MessageAttribute {
        typed(name, "String", AttributeValue::Text(value.into()))
    }

    fn typed(name: &str, data_type: &str, value: AttributeValue) -> MessageAttribute {
        MessageAttribute { name: name.into(), data_type: data_type.into(), value }
    }

    #[test]
    fn digests_are_those_that_aws_gave() {
        // Recorded: test_receive_message_message_attribute_names_filters.
        assert_eq!(md5_of("msg"), "6e2baaf3b97dbeef01c0043275f9a0e7");
        let all = [text("General", "Kenobi"), text("Hello", "There"), text("Help.Me", "Me")];
        let md5 = |names: &[&str]| md5_of_attributes(all.iter().filter(|one| names.contains(&one.name.as_str())));
        for (names, expected) in [
            (&["General", "Hello", "Help.Me"][..], "4c360f3fdafd970e05fae2f149d997f5"),
            (&["General", "Hello"], "fca026605781cb4126a1e9044df24232"),
            (&["Hello"], "a311262e065454b75da111d535b8dacd"),
            (&["Hello", "Help.Me"], "83fee93c1bcd8b9a5a923ffacdc636c7"),
        ] {
            assert_eq!(md5(names).as_deref(), Some(expected), "{names:?}");
        }
        assert_eq!(md5(&[]), None);
        // Recorded: test_receive_message_attribute_names_filters, test_send_message_with_binary_attributes.
        assert_eq!(md5_of_attributes(&[text("Foo", "Bar")]).unwrap(), "ae7155c6026991b6d54b11589678bf9c");
        let trace = b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01";
        let binary = typed("attr1", "Binary", AttributeValue::Binary(Bytes::from_static(trace)));
        assert_eq!(md5_of_attributes(&[binary]).unwrap(), "8cbe4db156db8a94db8b801b7addb984");
    }

    #[test]
    fn a_filter_takes_names_prefixes_or_all() {
        // Recorded: test_receive_message_message_attribute_names_filters.
        let takes =
            |asked: &[&str], name: &str| Filter::new(asked.iter().map(ToString::to_string).collect()).takes(name);
        for (asked, name, taken) in [
            (&["All"][..], "Hello", true),
            (&[".*"], "Hello", true),
            (&["Hel.*"], "Help.Me", true),
            (&["Hel.*"], "General", false),
            (&["Hello", "NotHere"], "Hello", true),
            (&["Help"], "Help.Me", false),
            (&["*"], "Hello", false),
            (&[], "Hello", false),
        ] {
            assert_eq!(takes(asked, name), taken, "{asked:?} {name}");
        }
    }

    #[test]
    fn what_a_message_may_not_have_is_refused() {
        let queue = Attributes { message_bytes_max: 1_024, ..Attributes::default() };
        let check = |body: MessageBody| body.checked(&queue).map(|_| ());
        assert_eq!(check(MessageBody::plain("a\t\r\n\u{e000}\u{1f600}")), Ok(()));
        assert_eq!(check(MessageBody::plain("")), Err(Refusal::Missing { name: "MessageBody".into() }));
        for bad in ["\u{0}", "a\u{b}", "\u{fffe}", "\u{1f}"] {
            assert_eq!(check(MessageBody::plain(bad)), Err(Refusal::InvalidCharacters), "{bad:?}");
        }
        assert_eq!(check(MessageBody::plain("a".repeat(1_024))), Ok(()));
        let too_long = Err(Refusal::MessageTooLong { bytes_max: 1_024 });
        assert_eq!(check(MessageBody::plain("a".repeat(1_025))), too_long);
        let with =
            |attributes: Vec<MessageAttribute>| MessageBody { attributes, ..MessageBody::plain("a".repeat(1_000)) };
        // 3 + 6 + 14 bytes, and one more.
        assert_eq!(check(with(vec![text("abc", &"v".repeat(15))])), Ok(()));
        assert_eq!(check(with(vec![text("abc", &"v".repeat(16))])), too_long);
        assert!(check(MessageBody { group: Some("a b".into()), ..MessageBody::plain("x") }).is_err());
    }

    #[test]
    fn attributes_have_names_types_and_values() {
        let queue = Attributes::default();
        let check = |attributes: Vec<MessageAttribute>| {
            MessageBody { attributes, ..MessageBody::plain("m") }.checked(&queue).map(|body| body.attributes)
        };
        let binary = || AttributeValue::Binary(Bytes::from_static(b"\x00"));
        let good = vec![
            text("b", "2"),
            typed("a", "Number.int", AttributeValue::Text("-1.5e3".into())),
            typed("c-_.9", "Binary.gif", binary()),
        ];
        let names: Vec<String> = check(good).unwrap().into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["a", "b", "c-_.9"]);
        for bad in [
            text("", "v"),
            text("a b", "v"),
            text("AWS.x", "v"),
            text("amazon.x", "v"),
            text(".a", "v"),
            text("a.", "v"),
            text("a..b", "v"),
            text(&"a".repeat(257), "v"),
            text("a", ""),
            typed("a", "", AttributeValue::Text("v".into())),
            typed("a", "string", AttributeValue::Text("v".into())),
            typed("a", "Strings", AttributeValue::Text("v".into())),
            typed("a", "Binary", AttributeValue::Text("v".into())),
            typed("a", "String", binary()),
            typed("a", "Number", AttributeValue::Text("inf".into())),
            typed("a", "Number", AttributeValue::Text("one".into())),
        ] {
            let refused = check(vec![bad.clone()]);
            assert!(matches!(refused, Err(Refusal::MessageAttribute { .. })), "{bad:?}: {refused:?}");
        }
        assert_eq!(check(vec![text("a", "\u{0}")]), Err(Refusal::InvalidCharacters));
        let eleven = (0..11).map(|number| text(&number.to_string(), "v")).collect();
        assert!(matches!(check(eleven), Err(Refusal::MessageAttribute { .. })));
    }
}
