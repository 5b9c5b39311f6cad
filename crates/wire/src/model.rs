//! What the generated tables are made of: shapes and where their members travel, patterns, operations, error codes,
//! and the few value types that the wire has and Rust has not. Never here: a table, or what a value means.

use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;
use http::{Method, StatusCode};
use regex::Regex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::generated::operations::Operation;

/// What a request may hold at one place: its kind and its bounds, as the service model states them.
#[derive(Debug)]
pub struct Shape {
    /// The model's name of the shape; AWS prints it where it prints a structure.
    pub name: &'static str,
    /// What sort of value it is.
    pub kind: Kind,
    /// Least length of a string or list, least value of a number.
    pub min: Option<i64>,
    /// Greatest length of a string or list, greatest value of a number.
    pub max: Option<i64>,
    /// What a string must look like, whole.
    pub pattern: Option<&'static Pattern>,
    /// Whether AWS leaves the value out of its texts.
    pub sensitive: bool,
}

/// The sorts of values of the model.
#[derive(Debug)]
pub enum Kind {
    /// Named members.
    Structure(&'static [Member]),
    /// Items of one shape.
    List(&'static Shape),
    /// Keys of one shape, values of another.
    Map(&'static Shape, &'static Shape),
    /// Text.
    String,
    /// One of these texts, in the order in which AWS prints them.
    Enum(&'static [&'static str]),
    /// 32 bits, with sign.
    Integer,
    /// 64 bits, with sign.
    Long,
    /// A floating-point number.
    Double,
    /// True or false.
    Boolean,
    /// Bytes, as base64 within JSON.
    Blob,
    /// A moment: epoch seconds within JSON, ISO 8601 in a query.
    Timestamp,
}

/// One member of a structure.
#[derive(Debug)]
pub struct Member {
    /// The model's name, which is also the key in a JSON body.
    pub name: &'static str,
    /// Whether a request without it is refused.
    pub required: bool,
    /// Where it travels.
    pub location: Location,
    /// What it holds.
    pub shape: &'static Shape,
}

/// Where a member of a request travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// Within the JSON body.
    Body,
    /// In the path, at the label of that name.
    Path(&'static str),
    /// In the query, under that name.
    Query(&'static str),
    /// In the header of that name (lower case).
    Header(&'static str),
    /// The body is this member: JSON for a structure, raw bytes for a blob.
    Payload,
}

/// A pattern of the model: printed as published, matched in linear time.
///
/// Five of the model's patterns look around, which the engine cannot (and on hostile text should not); the generator
/// holds their hand-made equivalents: what must match and what must not.
#[derive(Debug)]
pub struct Pattern {
    /// As the model publishes it and AWS prints it.
    pub published: &'static str,
    pub(crate) must: &'static str,
    must_not: Option<&'static str>,
    compiled: OnceLock<(Regex, Option<Regex>)>,
}

impl Pattern {
    /// Whether the whole text has this form, as Java's `matches` decides.
    pub fn matches(&self, text: &str) -> bool {
        let (must, must_not) = self.compiled.get_or_init(|| (compile(self.must), self.must_not.map(compile)));
        must.is_match(text) && !must_not.as_ref().is_some_and(|pattern| pattern.is_match(text))
    }
}

fn compile(pattern: &str) -> Regex {
    Regex::new(&format!(r"\A(?:{pattern})\z")).expect("the generator compiled each pattern it wrote")
}

/// A pattern that the engine takes as it stands.
pub(crate) const fn pattern(published: &'static str) -> Pattern {
    Pattern { published, must: published, must_not: None, compiled: OnceLock::new() }
}

/// A pattern that has to be put differently to be matched.
pub(crate) const fn split_pattern(
    published: &'static str,
    must: &'static str,
    must_not: Option<&'static str>,
) -> Pattern {
    Pattern { published, must, must_not, compiled: OnceLock::new() }
}

/// A shape without bounds.
pub(crate) const fn shape(name: &'static str, kind: Kind) -> Shape {
    Shape { name, kind, min: None, max: None, pattern: None, sensitive: false }
}

impl Shape {
    pub(crate) const fn min(self, min: i64) -> Shape {
        Shape { min: Some(min), ..self }
    }

    pub(crate) const fn max(self, max: i64) -> Shape {
        Shape { max: Some(max), ..self }
    }

    pub(crate) const fn pattern(self, pattern: &'static Pattern) -> Shape {
        Shape { pattern: Some(pattern), ..self }
    }

    pub(crate) const fn sensitive(self) -> Shape {
        Shape { sensitive: true, ..self }
    }

    /// The members, if this is a structure.
    pub const fn members(&self) -> &'static [Member] {
        match self.kind {
            Kind::Structure(members) => members,
            _ => &[],
        }
    }
}

/// A member that a request must have.
pub(crate) const fn required(name: &'static str, location: Location, shape: &'static Shape) -> Member {
    Member { name, required: true, location, shape }
}

/// A member that a request may leave out.
pub(crate) const fn optional(name: &'static str, location: Location, shape: &'static Shape) -> Member {
    Member { name, required: false, location, shape }
}

/// One operation as the model describes it.
#[derive(Debug)]
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// The HTTP method.
    pub method: Method,
    /// The path, with `{Label}`s.
    pub path: &'static str,
    /// A query item that tells this operation from another of the same path.
    pub query_literal: Option<(&'static str, &'static str)>,
    /// The status of success.
    pub status: StatusCode,
    /// What its request may hold.
    pub input: &'static Shape,
}

/// An operation as a type, so that its input and output are known to the compiler.
pub trait ApiOperation {
    /// What a request becomes.
    type Input: DeserializeOwned;
    /// What an answer is made of; `()` for an operation that answers nothing.
    type Output: Answer;
    /// The same operation as a value.
    const OPERATION: Operation;
}

/// What an output sends besides its JSON body.
pub trait Answer: Serialize {
    /// Whether the answer has a JSON body at all.
    const JSON: bool = true;

    /// The status, where it is a member of the output and set.
    fn status(&self) -> Option<StatusCode> {
        None
    }

    /// Header members, by header name.
    fn headers(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }

    /// The body, where it is a member of the output.
    fn payload(&self) -> Option<&Bytes> {
        None
    }
}

impl Answer for () {
    const JSON: bool = false;
}

/// How one kind of error looks on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorShape {
    /// What `x-amzn-errortype` says.
    pub name: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The key under which the body has its text: AWS uses both spellings.
    pub message_key: &'static str,
    /// What the body's `Type` says, if it has one.
    pub fault: Option<&'static str>,
}

/// Bytes that travel as base64 within JSON.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Blob(pub Bytes);

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&data_encoding::BASE64.encode_display(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Base64;
        impl serde::de::Visitor<'_> for Base64 {
            type Value = Blob;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("base64")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Blob, E> {
                let bytes = data_encoding::BASE64.decode(text.as_bytes());
                bytes.map(|bytes| Blob(bytes.into())).map_err(|error| E::custom(format_args!("not base64: {error}")))
            }
        }
        deserializer.deserialize_str(Base64)
    }
}

/// A map whose order is that of the request: AWS's texts print it so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map<K, V>(pub Vec<(K, V)>);

impl<K, V> IntoIterator for Map<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<K, V> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl<K: Serialize, V: Serialize> Serialize for Map<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Map<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<K, V>(std::marker::PhantomData<(K, V)>);
        impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> serde::de::Visitor<'de> for Pairs<K, V> {
            type Value = Map<K, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut entries: A) -> Result<Map<K, V>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = entries.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Map(pairs))
            }
        }
        deserializer.deserialize_map(Pairs(std::marker::PhantomData))
    }
}

/// A moment that travels as a number: seconds since 1970, to the millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct EpochSeconds(pub jiff::Timestamp);

impl Serialize for EpochSeconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of any calendar date fit 53 bits")]
        serializer.serialize_f64(self.0.as_millisecond() as f64 / 1000.0)
    }
}

impl<'de> Deserialize<'de> for EpochSeconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        #[expect(clippy::cast_possible_truncation, reason = "saturates, and jiff refuses what is no date")]
        let milliseconds = (seconds * 1000.0).round() as i64;
        let moment = jiff::Timestamp::from_millisecond(milliseconds);
        moment.map(EpochSeconds).map_err(serde::de::Error::custom)
    }
}

/// An enum whose values are texts of the wire: closed, so that a match over it is complete.
macro_rules! wire_enum {
    ($name:ident { $($variant:ident = $text:literal,)+ }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($variant,)+ }

        impl $name {
            /// All values, in the model's order.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// As the wire spells it.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::model::UnknownValue;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok($name::$variant),)+
                    _ => Err($crate::model::UnknownValue { of: stringify!($name), value: text.to_owned() }),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::model::parse_text(deserializer)
            }
        }
    };
}
pub(crate) use wire_enum;

/// A text that is none of an enum's values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is no value of {of}")]
pub struct UnknownValue {
    /// The enum.
    pub of: &'static str,
    /// The text.
    pub value: String,
}

/// Reads a text and lets it parse itself.
pub(crate) fn parse_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err = UnknownValue>,
{
    struct Text<T>(std::marker::PhantomData<T>);
    impl<T: std::str::FromStr<Err = UnknownValue>> serde::de::Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }
    deserializer.deserialize_str(Text(std::marker::PhantomData))
}

/// The operations as types: `Name: Input => Output`.
macro_rules! api_operations {
    ($($name:ident: $input:ty => $output:ty,)+) => {
        $(
            #[derive(Clone, Copy, Debug)]
            pub struct $name;

            impl $crate::model::ApiOperation for $name {
                type Input = $input;
                type Output = $output;
                const OPERATION: Operation = Operation::$name;
            }
        )+

        /// Whether a document becomes the operation's typed input.
        #[cfg(test)]
        pub(crate) fn typed(operation: Operation, document: serde_json::Value) -> serde_json::Result<()> {
            use serde::Deserialize as _;
            match operation {
                $(Operation::$name => <$input>::deserialize(document).map(drop),)+
            }
        }
    };
}
pub(crate) use api_operations;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_travels_as_seconds_with_milliseconds() {
        let moment = EpochSeconds(jiff::Timestamp::from_millisecond(1_711_542_301_250).unwrap());
        assert_eq!(serde_json::to_string(&moment).unwrap(), "1711542301.25");
        for text in ["1711542301.25", "1.71154230125E9"] {
            assert_eq!(serde_json::from_str::<EpochSeconds>(text).unwrap(), moment);
        }
        assert!(serde_json::from_str::<EpochSeconds>("1e300").is_err());
    }

    #[test]
    fn bytes_travel_as_base64() {
        let blob = Blob(Bytes::from_static(b"PK\x03\x04"));
        assert_eq!(serde_json::to_string(&blob).unwrap(), r#""UEsDBA==""#);
        assert_eq!(serde_json::from_str::<Blob>(r#""UEsDBA==""#).unwrap(), blob);
        assert!(serde_json::from_str::<Blob>(r#""UEsDBA""#).is_err());
    }
}
