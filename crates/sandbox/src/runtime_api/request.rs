//! What stands in front of a request's body, and behind one that came in chunks.
//!
//! Never here: what a path means.

use std::mem::MaybeUninit;
use std::ops::Range;

use bytes::{Buf as _, Bytes, BytesMut};
use http::{Method, StatusCode};

/// Header lines of one head, or of one set of trailers.
const LINES_MAX: usize = 100;

/// The head of a request.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) fields: Fields,
    path: Range<usize>,
    pub(super) body: Body,
    /// HTTP/1.0, whose clients have to be told that the connection stays.
    pub(super) is_old: bool,
    pub(super) keep_alive: bool,
    /// The client sends its body only when it has been told to go on.
    pub(super) expects_continue: bool,
}

/// How a body comes, and how much of it is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Ended,
    /// So many bytes and no more.
    Plain(u64),
    /// So many bytes, and then the line break that ends a chunk.
    Chunk(u64),
    ChunkEnd,
    /// The line with the size of the next chunk.
    ChunkSize,
}

/// Header lines, where they were read.
#[derive(Debug)]
pub(super) struct Fields {
    bytes: Bytes,
    lines: Vec<(Range<usize>, Range<usize>)>,
}

/// What is not HTTP, or more of it than anybody needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) StatusCode);

impl From<httparse::Error> for Malformed {
    fn from(error: httparse::Error) -> Self {
        Self(match error {
            httparse::Error::TooManyHeaders => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        })
    }
}

impl Head {
    /// Takes a head off the front of what was read; `None` if it is not all there.
    pub(super) fn take(read: &mut BytesMut) -> Result<Option<Self>, Malformed> {
        // Some clients send a line break too many behind a body.
        let blank = read.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        read.advance(blank);
        let mut lines = [const { MaybeUninit::uninit() }; LINES_MAX];
        let mut parsed = httparse::Request::new(&mut []);
        let length = match parsed.parse_with_uninit_headers(read, &mut lines)? {
            httparse::Status::Complete(length) => length,
            httparse::Status::Partial => return Ok(None),
        };
        let bad = Malformed(StatusCode::BAD_REQUEST);
        let (method, path) = parsed.method.zip(parsed.path).ok_or(bad)?;
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| bad)?;
        let path = place(read, path_of(path).as_bytes());
        let is_old = parsed.version == Some(0);
        let framing = Framing::of(parsed.headers, is_old).ok_or(bad)?;
        let lines = places(read, parsed.headers);
        let fields = Fields { bytes: read.split_to(length).freeze(), lines };
        Ok(Some(Self {
            method,
            fields,
            path,
            body: framing.body,
            is_old,
            keep_alive: framing.keep_alive,
            expects_continue: framing.expects_continue,
        }))
    }

    /// What the request is about, without its query.
    pub(super) fn path(&self) -> &str {
        std::str::from_utf8(&self.fields.bytes[self.path.clone()]).unwrap_or_default()
    }
}

/// The path in the target of a request.
fn path_of(target: &str) -> &str {
    let is_end = |byte: &u8| matches!(byte, b'?' | b'#');
    let path = if target.starts_with('/') {
        target
    } else {
        // As one asks a proxy. Whatever else it is, it is not one of our paths.
        let after_host = target.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
        after_host.unwrap_or_default()
    };
    &path[..path.as_bytes().iter().position(is_end).unwrap_or(path.len())]
}

/// What header lines say of the connection and of the body (RFC 9112, 6.3 and 9.3).
struct Framing {
    body: Body,
    keep_alive: bool,
    expects_continue: bool,
}

impl Framing {
    /// `None` where it is not clear where the body ends.
    fn of(lines: &[httparse::Header<'_>], is_old: bool) -> Option<Self> {
        let (mut close, mut keep, mut expects_continue) = (false, false, false);
        let (mut length, mut chunked) = (None, None);
        for line in lines {
            let is = |name: &str| line.name.eq_ignore_ascii_case(name);
            let has = |token: &str| {
                line.value
                    .split(|byte| *byte == b',')
                    .any(|one| one.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
            };
            if is("content-length") {
                let given = content_length(line.value)?;
                if length.is_some_and(|length| length != given) {
                    return None;
                }
                length = Some(given);
            } else if is("transfer-encoding") {
                let last = line.value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
                chunked = Some(last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
            } else if is("connection") {
                close |= has("close");
                keep |= has("keep-alive");
            } else if is("expect") {
                expects_continue = line.value.eq_ignore_ascii_case(b"100-continue");
            }
        }
        let body = match (chunked, length) {
            (Some(true), _) if !is_old => Body::ChunkSize,
            (Some(_), _) => return None,
            (None, None | Some(0)) => Body::Ended,
            (None, Some(length)) => Body::Plain(length),
        };
        // Both at once is how requests are smuggled: it is the last over its connection.
        let is_clear = chunked.is_none() || length.is_none();
        let keep_alive = !close && is_clear && (!is_old || keep);
        Some(Self { body, keep_alive, expects_continue: expects_continue && !is_old && body != Body::Ended })
    }
}

/// Digits and nothing else.
fn content_length(value: &[u8]) -> Option<u64> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| is_number)?.parse().ok()
}

impl Fields {
    /// Takes the trailers off the front of what was read, where the line before them has `before` bytes; `None` if they
    /// are not all there.
    pub(super) fn take_trailers(read: &mut BytesMut, before: usize) -> Result<Option<Self>, Malformed> {
        let mut lines = [httparse::EMPTY_HEADER; LINES_MAX];
        let (length, parsed) = match httparse::parse_headers(&read[before..], &mut lines)? {
            httparse::Status::Complete(parsed) => parsed,
            httparse::Status::Partial => return Ok(None),
        };
        let lines = places(read, parsed);
        Ok(Some(Self { bytes: read.split_to(before + length).freeze(), lines }))
    }

    /// The value of the first line of this name, which is given in lower case.
    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        let is_it = |line: &&(Range<usize>, Range<usize>)| {
            line.0.len() == name.len() && self.bytes[line.0.clone()].eq_ignore_ascii_case(name.as_bytes())
        };
        self.lines.iter().find(is_it).map(|(_, value)| &self.bytes[value.clone()])
    }

    /// The same, if it is nothing but visible characters, blanks and tabs.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let value = self.get(name)?;
        let is_text = value.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
        std::str::from_utf8(value).ok().filter(|_| is_text)
    }
}

/// Where `part` is in `whole`, which it is a piece of.
fn place(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    // The value of an empty line may be no piece of it.
    if part.is_empty() { 0..0 } else { start..start + part.len() }
}

fn places(whole: &[u8], lines: &[httparse::Header<'_>]) -> Vec<(Range<usize>, Range<usize>)> {
    lines.iter().map(|line| (place(whole, line.name.as_bytes()), place(whole, line.value))).collect()
}
