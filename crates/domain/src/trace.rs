//! The trace header `Root=…;Parent=…;Sampled=…` that travels through an invocation.
//!
//! Never here: spans, and where they are sent.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use data_encoding::HEXLOWER;
use jiff::Timestamp;

use crate::function::Tracing;
use crate::lineage::Lineage;
use crate::names::FunctionName;

/// Bytes of a root that we make.
const ROOT_BYTES: usize = 35;
/// Room for a lineage of one function, as most are.
const LINEAGE_BYTES: usize = 32;
/// Room for a header with such a root and such a lineage.
const HEADER_BYTES: usize = 128;

/// A trace header. Fields that nobody here understands (`Lineage`, `Self`) are kept as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceHeader {
    root: String,
    parent: Option<String>,
    /// `None`: whoever comes next decides.
    sampled: Option<bool>,
    rest: Vec<String>,
}

impl TraceHeader {
    /// Reads a caller's header, keys in either case; `None` where it has no usable root.
    pub fn parse(text: &str) -> Option<Self> {
        let mut header = Self { root: String::new(), parent: None, sampled: None, rest: Vec::new() };
        for field in text.split(';').map(str::trim).filter(|field| !field.is_empty()) {
            match field.split_once('=') {
                Some((key, value)) if key.eq_ignore_ascii_case("root") => value.clone_into(&mut header.root),
                Some((key, value)) if key.eq_ignore_ascii_case("parent") => header.parent = Some(value.to_owned()),
                Some((key, value)) if key.eq_ignore_ascii_case("sampled") => {
                    header.sampled = match value {
                        "1" => Some(true),
                        "0" => Some(false),
                        _ => None,
                    };
                }
                _ => header.rest.push(field.to_owned()),
            }
        }
        let usable = header.root.starts_with("1-") && header.root.bytes().all(|c| c.is_ascii_graphic());
        usable.then_some(header)
    }

    /// A new trace: the root carries the time in seconds as 8 hex digits and 96 random bits
    /// (AWS X-Ray developer guide, xray-api-sendingdata, "trace ID format").
    pub fn new_root(now: Timestamp, random: u128) -> Self {
        let mut root = String::with_capacity(ROOT_BYTES);
        push_root(now, random, &mut root);
        Self { root, parent: None, sampled: None, rest: Vec::new() }
    }

    /// As [`TraceHeader::new_root`], written.
    pub fn new_text(now: Timestamp, random: u128) -> String {
        let mut text = String::with_capacity(HEADER_BYTES);
        text.push_str("Root=");
        push_root(now, random, &mut text);
        text.push_str(";Sampled=0");
        text
    }

    /// The header as the function and the caller see it: same root, the invocation's own segment as parent.
    #[must_use]
    pub fn with_parent(mut self, segment: u64) -> Self {
        self.parent = Some(HEXLOWER.encode(&segment.to_be_bytes()));
        self
    }

    /// The header with this lineage in place of its own.
    #[must_use]
    pub fn with_lineage(mut self, lineage: &Lineage) -> Self {
        let is_lineage =
            |field: &String| field.split('=').next().is_some_and(|key| key.eq_ignore_ascii_case("lineage"));
        self.rest.retain(|field| !is_lineage(field));
        let mut field = String::with_capacity(LINEAGE_BYTES);
        field.push_str("Lineage=");
        lineage.push_to(&mut field);
        self.rest.push(field);
        self
    }

    /// As it is written.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(HEADER_BYTES);
        text.push_str("Root=");
        text.push_str(&self.root);
        if let Some(parent) = &self.parent {
            text.push_str(";Parent=");
            text.push_str(parent);
        }
        text.push_str(if self.is_sampled() { ";Sampled=1" } else { ";Sampled=0" });
        for field in &self.rest {
            text.push(';');
            text.push_str(field);
        }
        text
    }

    /// `1-…`, the same for all that belongs together.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The segment that all below belongs to: in the header of an invocation, its own.
    pub fn parent(&self) -> Option<&str> {
        self.parent.as_deref()
    }

    /// Whether it is traced; `false` where nobody has decided.
    pub fn is_sampled(&self) -> bool {
        self.sampled == Some(true)
    }

    /// The header once it is decided whether the invocation is traced: the caller's word holds; else a function that
    /// is traced actively lets chance decide, and any other is not traced (AWS developer guide, services-xray).
    #[must_use]
    pub fn decided(mut self, tracing: Tracing, chance: impl FnOnce() -> bool) -> Self {
        self.sampled = self.sampled.or_else(|| Some(tracing == Tracing::Active && chance()));
        self
    }
}

fn push_root(now: Timestamp, random: u128, text: &mut String) {
    text.push_str("1-");
    HEXLOWER.encode_append(&now.as_second().to_be_bytes()[4..], text);
    text.push('-');
    HEXLOWER.encode_append(&random.to_be_bytes()[4..], text);
}

/// Which invocations of functions that are traced actively are traced where the caller says nothing: the first of each
/// function in each second, and 5 % of the others (AWS developer guide, services-xray).
#[derive(Debug, Default)]
pub struct Sampling {
    second: u64,
    /// What has had its first in that second.
    begun: HashSet<FunctionName>,
}

impl Sampling {
    /// Decides on one invocation. `roll` is evenly distributed over all its values.
    pub fn decide(&mut self, function: &FunctionName, elapsed: Duration, roll: u64) -> bool {
        if self.second != elapsed.as_secs() {
            self.second = elapsed.as_secs();
            self.begun.clear();
        }
        if !self.begun.contains(function) {
            self.begun.insert(function.clone());
            return true;
        }
        roll < u64::MAX / 20
    }
}

impl fmt::Display for TraceHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_root_sampling_and_unknown_fields_are_kept() {
        // Recorded: test_xray_trace_propagation; header form observed on AWS in 2024.
        let given = "Root=1-6750eb4b-235335bc1a1bfcac4eeb4430;Parent=0988e1e6ebd26ab8;Sampled=1;Lineage=1:38a5ab94:0";
        let header = TraceHeader::parse(given).unwrap();
        assert_eq!(header.to_string(), given);
        let passed = header.with_parent(0xab).to_string();
        assert_eq!(passed, given.replace("0988e1e6ebd26ab8", "00000000000000ab"));
        assert_eq!(TraceHeader::parse("root=1-a-b;sampled=0").unwrap().to_string(), "Root=1-a-b;Sampled=0");
        assert_eq!(TraceHeader::parse("Sampled=1"), None);
        assert_eq!(TraceHeader::parse("Root=1-a\r\nX: y"), None);
    }

    #[test]
    fn a_lineage_takes_the_place_of_the_callers() {
        let header = TraceHeader::parse("Root=1-a-b;lineage=1:38a5ab94:0;Self=1-c-d;Sampled=0").unwrap();
        let lineage = Lineage::of_header(Some("Lineage=1:38a5ab94:1"));
        assert_eq!(header.with_lineage(&lineage).to_string(), "Root=1-a-b;Sampled=0;Self=1-c-d;Lineage=1:38a5ab94:1");
    }

    #[test]
    fn the_callers_word_on_sampling_holds() {
        let cases = [
            (";Sampled=1", Tracing::PassThrough, false, true),
            (";Sampled=1", Tracing::Active, false, true),
            (";Sampled=0", Tracing::Active, true, false),
            (";Sampled=?", Tracing::Active, true, true),
            ("", Tracing::Active, true, true),
            ("", Tracing::Active, false, false),
            ("", Tracing::PassThrough, true, false),
        ];
        for (said, tracing, chance, expected) in cases {
            let header = TraceHeader::parse(&format!("Root=1-a-b{said}")).unwrap().decided(tracing, || chance);
            assert_eq!(header.is_sampled(), expected, "{said} {tracing:?} {chance}");
            assert_eq!(header.to_string(), format!("Root=1-a-b;Sampled={}", u8::from(expected)));
        }
    }

    #[test]
    fn one_in_each_second_and_five_percent_of_the_rest() {
        let [one, other] = ["one", "other"].map(|name| FunctionName::parse(name).unwrap());
        let mut sampling = Sampling::default();
        for second in [0, 1, 7] {
            let at = Duration::from_millis(second * 1_000 + 300);
            assert!(sampling.decide(&one, at, u64::MAX));
            assert!(!sampling.decide(&one, at, u64::MAX));
            assert!(sampling.decide(&other, at, u64::MAX), "each function for itself");
        }
        let at = Duration::from_millis(7_900);
        let rolls = (0..10_000_u64).map(|n| n * (u64::MAX / 10_000) + 10_000);
        assert_eq!(rolls.filter(|roll| sampling.decide(&one, at, *roll)).count(), 500);
    }

    #[test]
    fn a_new_root_carries_the_time() {
        let header = TraceHeader::new_root(Timestamp::from_second(0x6750_eb4b).unwrap(), 7);
        assert_eq!(header.to_string(), "Root=1-6750eb4b-000000000000000000000007;Sampled=0");
        let at = Timestamp::from_second(0x6750_eb4b).unwrap();
        assert_eq!(TraceHeader::new_text(at, 7), TraceHeader::new_root(at, 7).to_string());
    }
}
