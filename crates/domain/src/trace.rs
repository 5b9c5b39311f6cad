//! The trace header `Root=…;Parent=…;Sampled=…` that travels through an invocation.
//!
//! Never here: spans, and where they are sent.

use std::fmt;

use jiff::Timestamp;

use crate::lineage::Lineage;

/// A trace header. Fields that nobody here understands (`Lineage`, `Self`) are kept as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceHeader {
    root: String,
    parent: Option<String>,
    sampled: bool,
    rest: Vec<String>,
}

impl TraceHeader {
    /// Reads a caller's header, keys in either case; `None` where it has no usable root.
    pub fn parse(text: &str) -> Option<Self> {
        let mut header = Self { root: String::new(), parent: None, sampled: false, rest: Vec::new() };
        for field in text.split(';').map(str::trim).filter(|field| !field.is_empty()) {
            match field.split_once('=') {
                Some((key, value)) if key.eq_ignore_ascii_case("root") => value.clone_into(&mut header.root),
                Some((key, value)) if key.eq_ignore_ascii_case("parent") => header.parent = Some(value.to_owned()),
                Some((key, value)) if key.eq_ignore_ascii_case("sampled") => header.sampled = value == "1",
                _ => header.rest.push(field.to_owned()),
            }
        }
        let usable = header.root.starts_with("1-") && header.root.bytes().all(|c| c.is_ascii_graphic());
        usable.then_some(header)
    }

    /// A new trace: the root carries the time in seconds as 8 hex digits and 96 random bits
    /// (AWS X-Ray developer guide, xray-api-sendingdata, "trace ID format").
    pub fn new_root(now: Timestamp, random: u128) -> Self {
        let seconds = now.as_second() & 0xffff_ffff;
        let root = format!("1-{seconds:08x}-{:024x}", random & 0xffff_ffff_ffff_ffff_ffff_ffff);
        Self { root, parent: None, sampled: false, rest: Vec::new() }
    }

    /// The header as the function and the caller see it: same root, the invocation's own segment as parent.
    #[must_use]
    pub fn with_parent(mut self, segment: u64) -> Self {
        self.parent = Some(format!("{segment:016x}"));
        self
    }

    /// The header with this lineage in place of its own.
    #[must_use]
    pub fn with_lineage(mut self, lineage: &Lineage) -> Self {
        let is_lineage =
            |field: &String| field.split('=').next().is_some_and(|key| key.eq_ignore_ascii_case("lineage"));
        self.rest.retain(|field| !is_lineage(field));
        self.rest.push(format!("Lineage={lineage}"));
        self
    }
}

impl fmt::Display for TraceHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root={}", self.root)?;
        if let Some(parent) = &self.parent {
            write!(f, ";Parent={parent}")?;
        }
        write!(f, ";Sampled={}", u8::from(self.sampled))?;
        self.rest.iter().try_for_each(|field| write!(f, ";{field}"))
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
    fn a_new_root_carries_the_time() {
        let header = TraceHeader::new_root(Timestamp::from_second(0x6750_eb4b).unwrap(), 7);
        assert_eq!(header.to_string(), "Root=1-6750eb4b-000000000000000000000007;Sampled=0");
    }
}
