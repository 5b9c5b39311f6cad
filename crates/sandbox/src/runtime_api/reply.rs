//! What is answered, and how it is written.
//!
//! Never here: when.

use std::io::Write as _;

use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    status: StatusCode,
    /// Header lines beside those that every answer has.
    more: Vec<u8>,
    content_type: &'static str,
    pub(super) body: Bytes,
}

impl Reply {
    pub(super) fn new(status: StatusCode, content_type: &'static str, body: Bytes) -> Self {
        Self { status, more: Vec::new(), content_type, body }
    }

    /// Makes room for header lines of so many bytes.
    pub(super) fn with_room(mut self, bytes: usize) -> Self {
        self.more.reserve_exact(bytes);
        self
    }

    /// Adds a header line. What cannot stand in one (a control character in a client context) is left out, not invented.
    pub(super) fn add(&mut self, name: &str, value: &[u8]) {
        // Without a branch, so that many bytes are looked at at once.
        let is_control = |byte: &u8| matches!(byte, 0..=8 | 10..=31 | 127);
        if !value.iter().fold(false, |found, byte| found | is_control(byte)) {
            self.more.reserve(name.len() + value.len() + ": \r\n".len());
            for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                self.more.extend_from_slice(part);
            }
        }
    }

    /// Writes the head. Names are spelled as AWS spells them; clients made of shell and grep look for exactly that.
    pub(super) fn render(&self, to: &mut Vec<u8>, date: &str, connection: Option<&str>) {
        to.extend_from_slice(b"HTTP/1.1 ");
        to.extend_from_slice(self.status.as_str().as_bytes());
        to.push(b' ');
        to.extend_from_slice(self.status.canonical_reason().unwrap_or_default().as_bytes());
        to.extend_from_slice(b"\r\nContent-Type: ");
        to.extend_from_slice(self.content_type.as_bytes());
        to.extend_from_slice(b"\r\n");
        to.extend_from_slice(&self.more);
        // Writing to a vector does not fail.
        let _ = write!(to, "Content-Length: {}\r\nDate: ", self.body.len());
        to.extend_from_slice(date.as_bytes());
        if let Some(connection) = connection {
            to.extend_from_slice(b"\r\nConnection: ");
            to.extend_from_slice(connection.as_bytes());
        }
        to.extend_from_slice(b"\r\n\r\n");
    }
}

/// The time as HTTP writes it, which is good for a second.
#[derive(Debug, Default)]
pub(super) struct Date {
    second: i64,
    text: String,
}

impl Date {
    pub(super) fn of(&mut self, now: Timestamp) -> &str {
        if self.text.is_empty() || self.second != now.as_second() {
            self.second = now.as_second();
            self.text = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap_or_default();
        }
        &self.text
    }
}
