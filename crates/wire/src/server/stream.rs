//! A streamed answer as an event stream: each piece of the function's answer in a message of its own, then one that says
//! how it ended (Smithy specification, "Amazon Event Stream"; service model, InvokeWithResponseStreamResponseEvent).
//!
//! A message is two lengths and their CRC, headers, payload, and the CRC of all that. What a function sends goes through
//! without being copied. Never here: another way to run an invocation.

use std::collections::VecDeque;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut as _, Bytes, BytesMut};
use crc32fast::Hasher;
use engine::invoker::{self, Completed, Streaming};
use http::{HeaderName, HeaderValue, Response, header};
use http_body::Frame;
use tokio::sync::{mpsc, oneshot};

use super::body::Body;
use crate::convert::invocation;

/// The two lengths and their CRC.
const PRELUDE_BYTES: usize = 12;
/// The CRC at the end.
const CRC_BYTES: usize = 4;
/// The type of a header's value: text.
const STRING: u8 = 7;

const PIECE: [(&str, &str); 3] =
    [(":message-type", "event"), (":event-type", "PayloadChunk"), (":content-type", "application/octet-stream")];
const COMPLETE: [(&str, &str); 3] =
    [(":message-type", "event"), (":event-type", "InvokeComplete"), (":content-type", "application/json")];

/// The answer of InvokeWithResponseStream.
pub(super) fn response(streaming: Streaming) -> Response<Body> {
    let Streaming { executed_version, trace, body, completed } = streaming;
    let mut parts = VecDeque::with_capacity(3);
    let pieces = match body {
        invoker::Body::Pieces(pieces) => Some(pieces),
        invoker::Body::Whole(bytes) => {
            if !bytes.is_empty() {
                parts.extend(message(&PIECE, bytes));
            }
            None
        }
    };
    let stream = EventStream { parts, pieces, completed: Some(completed) };
    let mut response = Response::new(Body::Stream(Box::new(stream)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/vnd.amazon.eventstream"));
    headers.insert(HeaderName::from_static("x-amz-executed-version"), invocation::executed_version(executed_version));
    // Printable by construction, but for fields passed on unread.
    if let Ok(value) = HeaderValue::from_str(&trace) {
        headers.insert(HeaderName::from_static("x-amzn-trace-id"), value);
    }
    response
}

/// The engine gave up without a word: the client must not take what it has for the whole.
#[derive(Debug, thiserror::Error)]
#[error("an invocation ended without saying how")]
pub(crate) struct BrokenOff;

/// See the module. Dropped when the client leaves.
pub(crate) struct EventStream {
    /// What is ready to be sent.
    parts: VecDeque<Bytes>,
    /// Where more comes from.
    pieces: Option<mpsc::Receiver<Bytes>>,
    /// How it ended, after the last piece.
    completed: Option<oneshot::Receiver<Completed>>,
}

impl EventStream {
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        loop {
            if let Some(part) = self.parts.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(part))));
            }
            if let Some(pieces) = &mut self.pieces {
                match ready!(pieces.poll_recv(context)) {
                    Some(piece) => self.parts.extend(message(&PIECE, piece)),
                    None => self.pieces = None,
                }
            } else if let Some(completed) = &mut self.completed {
                let told = ready!(Pin::new(completed).poll(context));
                self.completed = None;
                match told {
                    Ok(completed) => self.parts.extend(message(&COMPLETE, invocation::completion(completed))),
                    Err(_) => return Poll::Ready(Some(Err(BrokenOff))),
                }
            } else {
                return Poll::Ready(None);
            }
        }
    }
}

/// One message: its head, its payload as it is, its CRC.
fn message(headers: &[(&str, &str)], payload: Bytes) -> [Bytes; 3] {
    let headers_bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    let all_bytes = PRELUDE_BYTES + headers_bytes + payload.len() + CRC_BYTES;
    let mut head = BytesMut::with_capacity(PRELUDE_BYTES + headers_bytes);
    head.put_u32(length(all_bytes));
    head.put_u32(length(headers_bytes));
    head.put_u32(crc32fast::hash(&head));
    for (name, value) in headers {
        head.put_u8(u8::try_from(name.len()).expect("our names are short"));
        head.put_slice(name.as_bytes());
        head.put_u8(STRING);
        head.put_u16(u16::try_from(value.len()).expect("our values are short"));
        head.put_slice(value.as_bytes());
    }
    let mut crc = Hasher::new();
    crc.update(&head);
    crc.update(&payload);
    [head.freeze(), payload, Bytes::copy_from_slice(&crc.finalize().to_be_bytes())]
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("an answer has a limit far below")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn next(stream: &mut EventStream) -> Option<Result<Bytes, BrokenOff>> {
        let frame = std::future::poll_fn(|context| stream.poll(context)).await?;
        Some(frame.map(|frame| frame.into_data().unwrap()))
    }

    async fn all(streaming: Streaming) -> Vec<u8> {
        let Body::Stream(mut stream) = response(streaming).into_body() else { panic!("a stream") };
        let mut bytes = Vec::new();
        while let Some(part) = next(&mut stream).await {
            bytes.extend_from_slice(&part.unwrap());
        }
        bytes
    }

    fn streaming(body: invoker::Body, completed: Completed) -> Streaming {
        let (tell, told) = oneshot::channel();
        tell.send(completed).unwrap();
        Streaming { executed_version: domain::names::Version::Latest, trace: String::new(), body, completed: told }
    }

    const DONE: Completed = Completed { error: None, tail: None };

    /// What botocore's own `EventStreamBuffer` was seen to read as these events.
    #[tokio::test]
    async fn messages_are_those_that_botocore_reads() {
        let bytes = all(streaming(invoker::Body::Whole(Bytes::from_static(b"hello")), DONE)).await;
        assert_eq!(data_encoding::HEXLOWER.encode(&bytes), include_str!("stream/hello.hex").trim());
    }

    #[tokio::test]
    async fn pieces_go_through_as_they_are_and_one_by_one() {
        let (sender, pieces) = mpsc::channel(2);
        let (tell, completed) = oneshot::channel();
        let body = invoker::Body::Pieces(pieces);
        let streaming =
            Streaming { executed_version: domain::names::Version::Latest, trace: "Root=1".to_owned(), body, completed };
        let response = response(streaming);
        assert_eq!(response.headers()["content-type"], "application/vnd.amazon.eventstream");
        assert_eq!(response.headers()["x-amz-executed-version"], "$LATEST");
        assert_eq!(response.headers()["x-amzn-trace-id"], "Root=1");
        let Body::Stream(mut stream) = response.into_body() else { panic!("a stream") };
        for size in [1, 100_000] {
            let piece = Bytes::from(vec![7; size]);
            sender.send(piece.clone()).await.unwrap();
            next(&mut stream).await.unwrap().unwrap();
            let payload = next(&mut stream).await.unwrap().unwrap();
            assert_eq!((payload.as_ptr(), payload.len()), (piece.as_ptr(), size), "it was copied");
            assert_eq!(next(&mut stream).await.unwrap().unwrap().len(), CRC_BYTES);
        }
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(stream.poll(&mut context).is_pending(), "there is nothing to say yet");
        drop(sender);
        assert!(stream.poll(&mut context).is_pending(), "how it ended is not known yet");
        drop(tell);
        assert!(next(&mut stream).await.unwrap().is_err(), "nobody says how it ended");
    }

    #[tokio::test]
    async fn the_end_tells_what_is_set_and_nothing_else() {
        let details = Bytes::from_static(b"{\"a\":\"\xff\"}");
        let error = Some(invoker::StreamError { code: "Function.X".to_owned(), details });
        let cases = [
            (DONE, "{}".to_owned()),
            (Completed { error: None, tail: Some(b"END".to_vec()) }, r#"{"LogResult":"RU5E"}"#.to_owned()),
            (
                Completed { error, tail: Some(Vec::new()) },
                "{\"ErrorCode\":\"Function.X\",\"ErrorDetails\":\"{\\\"a\\\":\\\"\u{fffd}\\\"}\",\"LogResult\":\"\"}"
                    .to_owned(),
            ),
        ];
        for (completed, json) in cases {
            // A function that failed has no piece.
            let bytes = all(streaming(invoker::Body::Whole(Bytes::new()), completed)).await;
            let text = &bytes[bytes.len() - CRC_BYTES - json.len()..bytes.len() - CRC_BYTES];
            assert_eq!(String::from_utf8_lossy(text), json);
            assert_eq!(usize::try_from(u32::from_be_bytes(bytes[..4].try_into().unwrap())).unwrap(), bytes.len());
        }
    }
}
