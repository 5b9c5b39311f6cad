//! One connection of a runtime: HTTP/1.1 as far as the Runtime API needs it, over buffers that are bounded.
//!
//! Written by hand since every warm invocation passes twice through it: a request is read by one system call where it
//! came in one piece, and an answer is written by one, its payload as it is. What a body is for is not known here.

use std::future::{Future, pending};
use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};
use domain::limits;
use engine::ports::Clock;
use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::reply::{Date, Reply};
use super::request::{Body, Fields, Head, Malformed};

/// What is read at once: of heads, and of bodies that are longer than a few of these.
const READ_BYTES: usize = 8 * 1024;
const READ_BODY_BYTES: usize = 64 * 1024;
/// What a runtime may send before it has its answer; more waits in the kernel.
const AHEAD_BYTES_MAX: usize = 64 * 1024;
/// A line with the size of a chunk, its extensions with it.
const SIZE_LINE_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a body that are read for nothing, before the connection is cut: so that the runtime, which reads the answer
/// only after it has sent everything, learns of it.
pub(super) const DISCARDED_BYTES_MAX: usize = 128 * 1024 * 1024;

/// See the module.
pub(super) struct Connection {
    stream: TcpStream,
    clock: Arc<dyn Clock>,
    /// What has been read and is not used yet.
    read: BytesMut,
    /// The head of an answer.
    written: Vec<u8>,
    date: Date,
    /// Of the request at hand.
    body: Body,
    trailers: Option<Fields>,
    awaits_continue: bool,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, clock: Arc<dyn Clock>) -> Self {
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            clock,
            read: BytesMut::new(),
            written: Vec::new(),
            date: Date::default(),
            body: Body::Ended,
            trailers: None,
            awaits_continue: false,
        }
    }

    /// The head of the next request; `None` if the runtime has closed instead.
    pub(super) async fn head(&mut self) -> io::Result<Option<Head>> {
        if self.read.is_empty() && self.read.capacity() > READ_BODY_BYTES {
            // What a long head or body has needed is not kept.
            self.read = BytesMut::new();
        }
        let head = match self.parsed(Head::take).await {
            Ok(Some(head)) => head,
            Ok(None) => return Ok(None),
            Err(Unread::Broken(error)) => return Err(error),
            Err(Unread::Malformed(Malformed(status))) => {
                self.write(&Reply::new(status, "text/plain", Bytes::new()), false, Some("close")).await?;
                return Err(io::Error::new(io::ErrorKind::InvalidData, "what came is no HTTP request"));
            }
        };
        self.body = head.body;
        self.trailers = None;
        self.awaits_continue = head.expects_continue;
        Ok(Some(head))
    }

    /// The next piece of the body, as it comes; `None` at its end.
    pub(super) async fn piece(&mut self) -> io::Result<Option<Bytes>> {
        if std::mem::take(&mut self.awaits_continue) && self.read.is_empty() {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        loop {
            match self.body {
                Body::Ended => return Ok(None),
                Body::Plain(left) => {
                    let piece = self.take_piece(left).await?;
                    let left = left - piece.len() as u64;
                    self.body = if left == 0 { Body::Ended } else { Body::Plain(left) };
                    return Ok(Some(piece));
                }
                Body::Chunk(left) => {
                    let piece = self.take_piece(left).await?;
                    let left = left - piece.len() as u64;
                    self.body = if left == 0 { Body::ChunkEnd } else { Body::Chunk(left) };
                    return Ok(Some(piece));
                }
                Body::ChunkEnd => match &self.read[..] {
                    [b'\r', b'\n', ..] => {
                        self.read.advance(2);
                        self.body = Body::ChunkSize;
                    }
                    [] | [b'\r'] => self.fill_or_fail(READ_BYTES).await?,
                    _ => return Err(bad_chunk()),
                },
                Body::ChunkSize => match httparse::parse_chunk_size(&self.read) {
                    Ok(httparse::Status::Complete((before, 0))) => {
                        let trailers = self.parsed(|read| Fields::take_trailers(read, before)).await;
                        self.trailers = Some(trailers.map_err(io::Error::from)?.ok_or(io::ErrorKind::UnexpectedEof)?);
                        self.body = Body::Ended;
                    }
                    Ok(httparse::Status::Complete((before, size))) => {
                        self.read.advance(before);
                        self.body = Body::Chunk(size);
                    }
                    Ok(httparse::Status::Partial) if self.read.len() < SIZE_LINE_BYTES_MAX => {
                        self.fill_or_fail(READ_BYTES).await?;
                    }
                    _ => return Err(bad_chunk()),
                },
            }
        }
    }

    /// How many bytes the body still has, where that was said before.
    pub(super) fn body_left(&self) -> Option<usize> {
        match self.body {
            Body::Ended => Some(0),
            Body::Plain(left) => usize::try_from(left).ok(),
            _ => None,
        }
    }

    /// What stood behind a body that came in chunks and is at its end.
    pub(super) fn trailers(&self) -> Option<&Fields> {
        self.trailers.as_ref()
    }

    /// What `work` gives, unless the runtime closes before.
    pub(super) async fn while_open<T>(&mut self, work: impl Future<Output = T>) -> io::Result<T> {
        let broken = async {
            while self.read.len() < AHEAD_BYTES_MAX {
                if let Err(error) = self.fill_or_fail(READ_BYTES).await {
                    return error;
                }
            }
            pending().await
        };
        tokio::select! {
            // An event that is for nobody any more stays where it is.
            biased;
            error = broken => Err(error),
            done = work => Ok(done),
        }
    }

    /// Answers the request with this head, and reads what is left of its body. Whether another may come.
    pub(super) async fn answer(&mut self, head: &Head, reply: &Reply) -> io::Result<bool> {
        // Who was never told to send the body may leave it out: nobody knows where the next request begins.
        let keep_alive = head.keep_alive && !self.awaits_continue;
        let connection = match (keep_alive, head.is_old) {
            (false, _) => Some("close"),
            (true, true) => Some("keep-alive"),
            (true, false) => None,
        };
        self.write(reply, head.method != Method::HEAD, connection).await?;
        if self.awaits_continue {
            return Ok(false);
        }
        let mut discarded = 0;
        while let Some(piece) = self.piece().await? {
            discarded += piece.len();
            if discarded > DISCARDED_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a body without end"));
            }
        }
        Ok(keep_alive)
    }

    /// What the kernel knows of it: who had closed before the last answer came refused it.
    pub(super) fn refused(&self) -> Option<io::Error> {
        self.stream.take_error().ok().flatten()
    }

    async fn write(&mut self, reply: &Reply, with_body: bool, connection: Option<&str>) -> io::Result<()> {
        self.written.clear();
        reply.render(&mut self.written, self.date.of(self.clock.system_now()), connection);
        let body: &[u8] = if with_body { &reply.body } else { b"" };
        let mut parts = [IoSlice::new(&self.written), IoSlice::new(body)];
        let mut parts = &mut parts[..];
        while !parts.is_empty() {
            match self.stream.write_vectored(parts).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                bytes => IoSlice::advance_slices(&mut parts, bytes),
            }
        }
        Ok(())
    }

    /// At most so many bytes, of what was read or is read now.
    async fn take_piece(&mut self, most: u64) -> io::Result<Bytes> {
        if self.read.is_empty() {
            // Many a client sends its head, or the size of a chunk, by a write of its own. By default its kernel sends no
            // more before that is acknowledged, and ours acknowledges after 40 ms what it has nothing to answer to.
            let _ = self.stream.set_quickack(true);
            let is_long = most > 4 * READ_BYTES as u64;
            self.fill_or_fail(if is_long { READ_BODY_BYTES } else { READ_BYTES }).await?;
        }
        let bytes = usize::try_from(most).unwrap_or(usize::MAX).min(self.read.len());
        Ok(self.read.split_to(bytes).freeze())
    }

    /// Reads until `parse` finds what it needs at the front; `None` if the runtime closes without a word.
    async fn parsed<T>(
        &mut self,
        parse: impl Fn(&mut BytesMut) -> Result<Option<T>, Malformed>,
    ) -> Result<Option<T>, Unread> {
        let mut seen = 0usize;
        loop {
            // After the first time only what may have become complete: heads can be long, and come byte by byte.
            if !self.read.is_empty()
                && (seen == 0 || has_end(&self.read[seen.saturating_sub(3)..]))
                && let Some(parsed) = parse(&mut self.read).map_err(Unread::Malformed)?
            {
                return Ok(Some(parsed));
            }
            seen = self.read.len();
            if seen >= limits::REQUEST_HEAD_BYTES {
                return Err(Unread::Malformed(Malformed(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)));
            }
            match self.fill(READ_BYTES).await.map_err(Unread::Broken)? {
                0 if self.read.is_empty() => return Ok(None),
                0 => return Err(Unread::Broken(io::ErrorKind::UnexpectedEof.into())),
                _ => {}
            }
        }
    }

    async fn fill_or_fail(&mut self, bytes: usize) -> io::Result<()> {
        if self.fill(bytes).await? == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Reads what is there, about `bytes` at most, lest a short request needs two reads. Tells how much; none at the end.
    async fn fill(&mut self, bytes: usize) -> io::Result<usize> {
        if self.read.capacity() - self.read.len() < bytes / 4 {
            self.read.reserve(bytes);
        }
        self.stream.read_buf(&mut self.read).await
    }
}

/// Why there is no head, or are no trailers.
enum Unread {
    Broken(io::Error),
    Malformed(Malformed),
}

impl From<Unread> for io::Error {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Broken(error) => error,
            Unread::Malformed(_) => bad_chunk(),
        }
    }
}

fn bad_chunk() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what came is no chunk of a body")
}

/// Whether an empty line stands in it.
fn has_end(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|two| two == b"\n\n") || bytes.windows(3).any(|three| three == b"\n\r\n")
}
