//! The names Lambda gives to things, valid by construction.
//!
//! Never here: a raw `String` that still needs checking.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

/// The bare name of a function, without account, region or qualifier.
///
/// Lookups take any length, because AWS answers an over-long name with "not found"; only creation limits it
/// (recorded: `function_name_too_long`), see [`FunctionName::for_creation`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionName(Arc<str>);

impl FunctionName {
    /// Reads a bare name: letters, digits, `-`, `_` and (for lookups) `.`.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
        (!text.is_empty() && text.bytes().all(fits)).then(|| Self(text.into()))
    }

    /// Whether a function may be created under this name: at most 64 characters, no dot.
    pub fn for_creation(&self) -> bool {
        self.0.len() <= crate::limits::FUNCTION_NAME_CHARS && !self.0.contains('.')
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which of a function's versions is meant. In the order of AWS's listings: `$LATEST`, versions, aliases (recorded:
/// `test_lambda_eventinvokeconfig_lifecycle`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Qualifier {
    /// `$LATEST`, the mutable copy.
    Latest,
    /// A published version. Digits only, as written (`007` is not version 7 on AWS, it does not exist).
    Version(VersionNumber),
    /// Anything else that passes the pattern: the name of an alias, existing or not.
    Alias(AliasName),
}

impl Qualifier {
    /// Reads a qualifier: all digits is a version, `$LATEST` the mutable copy, anything else an alias
    /// (AWS developer guide, configuration-versions).
    pub fn parse(text: &str) -> Self {
        if text == "$LATEST" {
            return Self::Latest;
        }
        match VersionNumber::parse(text) {
            Some(number) => Self::Version(number),
            None => Self::Alias(AliasName(text.into())),
        }
    }

    /// Whether an alias can have this name. `$latest` passes the pattern of qualifiers and still names none, nor do
    /// digits alone (recorded: `test_function_name_and_qualifier_validation[lowercase_latest_qualifier-delete_function]`,
    /// `test_alias_naming`).
    pub fn is_alias_name(&self) -> bool {
        let Self::Alias(AliasName(name)) = self else { return false };
        !name.contains('$') && !name.bytes().all(|c| c.is_ascii_digit())
    }

    /// As it is written.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Latest => Cow::Borrowed("$LATEST"),
            Self::Version(number) => Cow::Owned(number.to_string()),
            Self::Alias(name) => Cow::Borrowed(name.as_str()),
        }
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// The name of an alias, existing or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AliasName(Arc<str>);

impl AliasName {
    /// A name that passed the pattern of aliases.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AliasName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One version of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// `$LATEST`, the mutable copy.
    Latest,
    /// A published one, which never changes.
    Published(VersionNumber),
}

impl From<Version> for Qualifier {
    fn from(version: Version) -> Self {
        match version {
            Version::Latest => Self::Latest,
            Version::Published(number) => Self::Version(number),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("$LATEST"),
            Self::Published(number) => fmt::Display::fmt(number, f),
        }
    }
}

/// The number of a published version; they start at 1 and are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionNumber(u64);

impl VersionNumber {
    /// Reads a version number as AWS prints it: digits without a leading zero.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|c| c.is_ascii_digit()) && !text.starts_with('0');
        plain.then(|| text.parse().ok().map(Self)).flatten()
    }

    /// A number that was given before; 0 is none.
    pub fn new(number: u64) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// The number that follows the last one given.
    pub fn after(last: Option<Self>) -> Self {
        Self(last.map_or(0, Self::get) + 1)
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

macro_rules! uuid_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Adds it to a text.
            pub fn push_to(self, text: &mut String) {
                text.push_str(self.0.as_hyphenated().encode_lower(&mut [0; uuid::fmt::Hyphenated::LENGTH]));
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.as_hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

uuid_name! {
    /// The id of one request; for Invoke it is also the id in the function's context and in its log
    /// (recorded: `test_request_id_invoke`).
    RequestId
}

impl RequestId {
    /// One made at a moment. Those that are made one after the other stand beside one another in an index, which then
    /// writes one page and not one for each. The rest is by chance; the form is that of AWS's ids, version 4.
    pub fn made_at(at: Timestamp, by_chance: Uuid) -> Self {
        let mut bytes = by_chance.into_bytes();
        bytes[..6].copy_from_slice(&at.as_millisecond().to_be_bytes()[2..]);
        Self(Uuid::from_bytes(bytes))
    }
}
uuid_name! {
    /// The id of one state of a function; every change makes a new one (recorded: `TestLambdaRevisions`).
    RevisionId
}
uuid_name! {
    /// The id of one execution environment.
    EnvironmentId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_follow_one_another_and_have_the_form_of_aws() {
        let made = |millis, bits| {
            let by_chance = uuid::Builder::from_random_bytes([bits; 16]).into_uuid();
            RequestId::made_at(Timestamp::from_millisecond(millis).unwrap(), by_chance).0
        };
        let now = 1_795_396_170_292;
        assert!(made(now, 0xff) < made(now + 1, 0));
        assert_ne!(made(now, 1), made(now, 2));
        assert_eq!((made(now, 7).get_version_num(), made(now, 7).get_variant()), (4, uuid::Variant::RFC4122));
        assert_eq!(made(now, 0).to_string(), "01a205f3-7234-4000-8000-000000000000");
    }
}
