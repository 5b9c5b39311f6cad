//! Netlink: messages to the kernel with attributes, and its answers.
//!
//! Never here: what a message means to links or to the firewall.

use std::io;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

/// Links, addresses and routes (NETLINK_ROUTE, which is number 0).
pub(crate) const ROUTES: Option<Protocol> = None;
/// The firewall.
pub(crate) const FIREWALL: Option<Protocol> = Some(netlink::NETFILTER);

/// Longest answer that we can take; the kernel sends lists in parts of at most 32 KB.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The kernel answers within the call that asks; this is only against waiting for ever.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Bytes of the header of every message (`struct nlmsghdr`).
const HEADER: usize = 16;
/// An attribute that holds attributes.
const NESTED: u16 = 1 << 15;

/// One request, or one batch member.
pub(crate) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// A message that the kernel confirms; `header` is that of its family.
    pub(crate) fn new(kind: u16, flags: i32, header: &[u8]) -> Self {
        Self::with_flags(kind, flags | libc::NLM_F_ACK, header)
    }

    /// A message that gets no confirmation.
    pub(crate) fn unconfirmed(kind: u16, header: &[u8]) -> Self {
        Self::with_flags(kind, 0, header)
    }

    /// The question for a whole list.
    pub(crate) fn list(kind: u16, header: &[u8]) -> Self {
        Self::with_flags(kind, libc::NLM_F_DUMP, header)
    }

    fn with_flags(kind: u16, flags: i32, header: &[u8]) -> Self {
        let flags = u16::try_from(flags | libc::NLM_F_REQUEST).expect("flags are 16 bits wide");
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(header);
        Self { bytes }
    }

    /// Adds an attribute.
    pub(crate) fn put(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        self.nest_as(kind, |inner| inner.raw(value))
    }

    /// Adds a text that ends with a zero byte.
    pub(crate) fn put_text(&mut self, kind: u16, text: &str) -> &mut Self {
        self.nest_as(kind, |inner| {
            inner.raw(text.as_bytes());
            inner.raw(&[0]);
        })
    }

    /// Adds a number in the machine's order of bytes, as routes and links have it.
    pub(crate) fn put_number(&mut self, kind: u16, number: u32) -> &mut Self {
        self.put(kind, &number.to_ne_bytes())
    }

    /// Adds a number in the network's order of bytes, as the firewall has it.
    pub(crate) fn put_big_endian(&mut self, kind: u16, number: u32) -> &mut Self {
        self.put(kind, &number.to_be_bytes())
    }

    /// Adds an attribute that `fill` fills with attributes.
    pub(crate) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        self.nest_as(kind | NESTED, fill)
    }

    /// Adds bytes that are no attribute: the header within one.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn nest_as(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let at = self.bytes.len();
        self.raw(&[0; 4]);
        fill(self);
        let length = u16::try_from(self.bytes.len() - at).expect("our attributes are short");
        self.bytes[at..at + 2].copy_from_slice(&length.to_ne_bytes());
        self.bytes[at + 2..at + 4].copy_from_slice(&kind.to_ne_bytes());
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    fn numbered(&self, number: u32, into: &mut Vec<u8>) {
        let at = into.len();
        into.extend_from_slice(&self.bytes);
        let length = u32::try_from(self.bytes.len()).expect("our messages are short");
        into[at..at + 4].copy_from_slice(&length.to_ne_bytes());
        into[at + 8..at + 12].copy_from_slice(&number.to_ne_bytes());
    }

    fn flags(&self) -> i32 {
        i32::from(u16_at(&self.bytes, 6).unwrap_or_default())
    }
}

/// One thing that the kernel told.
pub(crate) struct Told {
    /// What follows the header of the message.
    pub payload: Vec<u8>,
}

/// The kernel refused one of the messages.
#[derive(Debug)]
pub(crate) struct Rejected {
    /// Which, by its place in what was sent.
    pub message: usize,
    /// Why.
    pub error: io::Error,
}

/// Sends `messages` at once and gives what the kernel says to them. Every call has a socket of its own, so that no
/// answer of an earlier one can be taken for one of this.
pub(crate) fn ask(protocol: Option<Protocol>, messages: &[Message]) -> Result<Vec<Told>, Rejected> {
    let all = |error: rustix::io::Errno| Rejected { message: 0, error: error.into() };
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol).map_err(all)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(ANSWER_WITHIN)).map_err(all)?;
    let mut bytes = Vec::new();
    let mut open = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let number = u32::try_from(at + 1).expect("few messages");
        message.numbered(number, &mut bytes);
        if message.flags() & (libc::NLM_F_ACK | libc::NLM_F_DUMP) != 0 {
            open.push(number);
        }
    }
    send(&socket, &bytes, SendFlags::empty()).map_err(all)?;
    let mut told = Vec::new();
    let mut answer = vec![0; ANSWER_BYTES_MAX];
    while !open.is_empty() {
        let (length, _) = recv(&socket, &mut answer[..], RecvFlags::empty()).map_err(all)?;
        let mut rest = &answer[..length];
        while let Some((kind, number, payload)) = next_message(&mut rest) {
            let is_done = match kind {
                NOOP => false,
                ERROR => {
                    // Zero confirms.
                    let errno = i32_at(payload, 0).unwrap_or(-libc::EBADMSG);
                    if errno != 0 {
                        let message = usize::try_from(number).unwrap_or(1).saturating_sub(1);
                        return Err(Rejected { message, error: io::Error::from_raw_os_error(-errno) });
                    }
                    true
                }
                DONE => true,
                _ => {
                    told.push(Told { payload: payload.to_vec() });
                    false
                }
            };
            if is_done {
                open.retain(|one| *one != number);
            }
        }
    }
    Ok(told)
}

const NOOP: u16 = 1;
const ERROR: u16 = 2;
const DONE: u16 = 3;

fn next_message<'a>(rest: &mut &'a [u8]) -> Option<(u16, u32, &'a [u8])> {
    let length = usize::try_from(u32_at(rest, 0)?).ok()?;
    let (kind, number) = (u16_at(rest, 4)?, u32_at(rest, 8)?);
    let payload = rest.get(HEADER..length)?;
    *rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, number, payload))
}

/// The attributes in `bytes`, by kind.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & !NESTED;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The text of an attribute, without its zero byte.
pub(crate) fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value.strip_suffix(&[0]).unwrap_or(value)).ok()
}

/// The number at `at`, in the machine's order of bytes.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// The number at `at`, in the machine's order of bytes.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    u32_at(bytes, at).map(u32::cast_signed)
}
