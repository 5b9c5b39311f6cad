//! Receipt handles: which receiving of which message. They name rows, so that they outlive the engine.

use data_encoding::BASE64;
use uuid::Uuid;

/// The first byte of a handle; a change of its form needs the next number.
const VERSION: u8 = 1;
const BYTES: usize = 1 + 8 + 8 + 16 + 4;

/// What a receipt handle says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The queue's id.
    pub queue: u64,
    /// The message's row.
    pub row: i64,
    /// The message's id, since a row is used again when it is free.
    pub message: Uuid,
    /// Which receiving of it this was, from 1.
    pub receives: u32,
}

impl Receipt {
    /// As clients get it.
    pub fn handle(&self) -> String {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.push(VERSION);
        bytes.extend(self.queue.to_be_bytes());
        bytes.extend(self.row.to_be_bytes());
        bytes.extend(self.message.as_bytes());
        bytes.extend(self.receives.to_be_bytes());
        BASE64.encode(&bytes)
    }

    /// Reads a handle; none where it is not one of ours.
    pub fn parse(handle: &str) -> Option<Self> {
        let bytes: [u8; BYTES] = BASE64.decode(handle.as_bytes()).ok()?.try_into().ok()?;
        let (version, rest) = bytes.split_first()?;
        let (queue, rest) = rest.split_first_chunk()?;
        let (row, rest) = rest.split_first_chunk()?;
        let (message, rest) = rest.split_first_chunk()?;
        let receives = rest.first_chunk()?;
        (*version == VERSION).then(|| Self {
            queue: u64::from_be_bytes(*queue),
            row: i64::from_be_bytes(*row),
            message: Uuid::from_bytes(*message),
            receives: u32::from_be_bytes(*receives),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_says_what_it_was_made_of() {
        let receipt = Receipt { queue: 3, row: 1 << 40, message: Uuid::from_u128(7), receives: 9 };
        assert_eq!(Receipt::parse(&receipt.handle()), Some(receipt));
    }

    #[test]
    fn what_is_no_handle_of_ours_is_none() {
        let other_form = BASE64.encode(&[2; BYTES]);
        for text in ["", "garbage", "AQ==", &*other_form, "\u{e9}"] {
            assert_eq!(Receipt::parse(text), None, "{text}");
        }
    }
}
