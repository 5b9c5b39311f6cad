//! Streamed answers, read to their end or left halfway.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value as Json, json};

use super::Client;

/// Pieces that the function sends, and the bytes of each.
const PIECES: usize = 40;
const PIECE_BYTES: usize = 65_536;

impl Client {
    /// A stream that is read to its end, or one that the client leaves halfway: the function runs to its end all the
    /// same, which its next call shows.
    pub(super) fn stream(&mut self) -> Result<()> {
        let name = self.some_function()?;
        let event = json!({"do": "stream", "pieces": PIECES}).to_string();
        let target = format!("/2021-11-15/functions/{name}/response-streaming-invocations");
        if self.chance.below(3) == 0 {
            let at_most = self.chance.below(PIECES * PIECE_BYTES);
            self.api.read_stream(&target, event.as_bytes(), at_most)?;
            return Ok(());
        }
        let stream = self.api.read_stream(&target, event.as_bytes(), usize::MAX)?;
        let (bytes, complete) = taken_apart(&stream)?;
        ensure!(bytes == PIECES * PIECE_BYTES, "{bytes} bytes were streamed");
        ensure!(complete == json!({}), "the stream ends with {complete}");
        Ok(())
    }

    /// A function that breaks off in the middle of its stream.
    pub(super) fn stream_broken(&mut self) -> Result<()> {
        let name = self.some_function()?;
        let target = format!("/2021-11-15/functions/{name}/response-streaming-invocations");
        let stream = self.api.read_stream(&target, br#"{"do":"half"}"#, usize::MAX)?;
        let (_, complete) = taken_apart(&stream)?;
        ensure!(complete["ErrorCode"].is_string(), "half a stream ends with {complete}");
        Ok(())
    }
}

/// The bytes of all `PayloadChunk`s, and what `InvokeComplete` says (Amazon event stream encoding: total length, length
/// of the headers, checksum; headers; payload; checksum).
fn taken_apart(mut stream: &[u8]) -> Result<(usize, Json)> {
    let number = |bytes: &[u8], at: usize| -> Result<usize> {
        let bytes = bytes.get(at..at + 4).context("a message breaks off")?;
        Ok(u32::from_be_bytes(bytes.try_into().context("four bytes")?) as usize)
    };
    let mut streamed = 0;
    let mut complete = None;
    while !stream.is_empty() {
        ensure!(complete.is_none(), "something comes after InvokeComplete");
        let (total, headers) = (number(stream, 0)?, number(stream, 4)?);
        let (message, rest) = stream.split_at_checked(total).context("a message breaks off")?;
        let payload = message.get(12 + headers..total.saturating_sub(4)).context("a message without a payload")?;
        let name = &message[12..12 + headers];
        if name.windows(12).any(|part| part == b"PayloadChunk") {
            streamed += payload.len();
        } else {
            complete = Some(serde_json::from_slice(payload).context("reading InvokeComplete")?);
        }
        stream = rest;
    }
    Ok((streamed, complete.context("a stream without InvokeComplete")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(event: &str, payload: &[u8]) -> Vec<u8> {
        let header =
            [&[11][..], b":event-type", &[7, 0, u8::try_from(event.len()).unwrap()], event.as_bytes()].concat();
        let length = |bytes: usize| u32::try_from(bytes).unwrap().to_be_bytes();
        let total = 12 + header.len() + payload.len() + 4;
        [&length(total)[..], &length(header.len()), &[0; 4], &header, payload, &[0; 4]].concat()
    }

    #[test]
    fn a_stream_that_breaks_off_is_seen() {
        let whole = [message("PayloadChunk", b"abc"), message("InvokeComplete", b"{}")].concat();
        assert_eq!(taken_apart(&whole).unwrap(), (3, json!({})));
        assert!(taken_apart(&whole[..whole.len() - 1]).is_err());
        assert!(taken_apart(&message("PayloadChunk", b"abc")).is_err());
        assert!(taken_apart(&[whole.clone(), message("PayloadChunk", b"d")].concat()).is_err());
    }
}
