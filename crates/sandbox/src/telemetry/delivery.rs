//! One subscriber's queue and its delivery: batches by size, number or time, one after another.
//!
//! Never here: who wants what.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::log::Record;
use engine::ports::Clock;
use http::Request;
use http::header::{CONTENT_TYPE, HOST};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::subscription::{Buffering, Destination};
use crate::launcher::client::Init;

/// How many batches may wait for one that is being delivered.
const BATCHES_WAITING: usize = 4;
/// How often a batch is tried, and how long apart.
const TRIES: usize = 3;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// What the platform says of what was dropped (source of AWS's runtime interface emulator, telemetry subscriber).
const TOO_SLOW: &str = "Some logs were dropped because the downstream consumer is slower than the logs production rate";

/// Where an environment's listeners are: on the host's loopback interface, or on its own.
#[derive(Default)]
pub(crate) struct Dialer(Mutex<Option<Arc<Init>>>);

impl Dialer {
    /// From now on connections are made inside.
    pub(crate) fn dial_inside(&self, init: Arc<Init>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(init);
    }

    async fn connect(&self, port: u16) -> std::io::Result<TcpStream> {
        let inside = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match inside {
            Some(init) => init.connect(port).await,
            None => TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await,
        }
    }
}

/// Events that wait for delivery.
pub(super) struct Queue {
    buffering: Buffering,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    events: VecDeque<Bytes>,
    bytes: usize,
    dropped: u64,
    dropped_bytes: u64,
    is_in_a_hurry: bool,
}

impl Queue {
    pub(super) fn new(buffering: Buffering) -> Arc<Self> {
        let state = State { events: VecDeque::new(), bytes: 0, dropped: 0, dropped_bytes: 0, is_in_a_hurry: false };
        Arc::new(Self { buffering, state: Mutex::new(state), changed: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, event: Bytes) {
        let mut state = self.state();
        let is_full = state.events.len() >= BATCHES_WAITING * self.buffering.items_max
            || state.bytes + event.len() > BATCHES_WAITING * self.buffering.bytes_max;
        if is_full && !state.events.is_empty() {
            state.dropped += 1;
            state.dropped_bytes += event.len() as u64;
            return;
        }
        state.bytes += event.len();
        state.events.push_back(event);
        let is_news = state.events.len() == 1 || self.is_batch(&state);
        drop(state);
        if is_news {
            self.changed.notify_one();
        }
    }

    pub(super) fn hurry(&self) {
        self.state().is_in_a_hurry = true;
        self.changed.notify_one();
    }

    fn is_batch(&self, state: &State) -> bool {
        state.is_in_a_hurry || state.events.len() >= self.buffering.items_max || state.bytes >= self.buffering.bytes_max
    }

    /// Waits for a batch: for its first event, and then until it is full or has waited long enough.
    async fn batch(&self, clock: &dyn Clock) -> Vec<Bytes> {
        while self.state().events.is_empty() {
            self.changed.notified().await;
        }
        let until = clock.wake_at(clock.elapsed() + self.buffering.timeout);
        tokio::pin!(until);
        while !self.is_batch(&self.state()) {
            tokio::select! {
                () = self.changed.notified() => {}
                () = &mut until => break,
            }
        }
        let mut state = self.state();
        let mut batch = Vec::new();
        if state.dropped > 0 {
            batch.push(dropped(clock, TOO_SLOW, state.dropped, state.dropped_bytes));
            (state.dropped, state.dropped_bytes) = (0, 0);
        }
        let mut bytes = 0;
        while batch.len() < self.buffering.items_max
            && let Some(event) = state.events.front()
            && (batch.is_empty() || bytes + event.len() <= self.buffering.bytes_max)
        {
            bytes += event.len();
            state.bytes -= event.len();
            batch.extend(state.events.pop_front());
        }
        batch
    }

    /// What could not be delivered is told of in front of all others.
    fn lose(&self, clock: &dyn Clock, batch: &[Bytes], error: &std::io::Error) {
        let bytes = batch.iter().map(Bytes::len).sum::<usize>() as u64;
        let event = dropped(clock, &format!("could not send events: {error}"), batch.len() as u64, bytes);
        let mut state = self.state();
        state.bytes += event.len();
        state.events.push_front(event);
    }
}

fn dropped(clock: &dyn Clock, reason: &str, records: u64, bytes: u64) -> Bytes {
    Record::LogsDropped { reason: reason.to_owned(), records, bytes }.json(clock.now()).into()
}

/// Delivers what comes into the queue, until it is ended.
pub(super) async fn deliver(queue: Arc<Queue>, destination: Destination, dialer: Arc<Dialer>, clock: Arc<dyn Clock>) {
    let mut line = None;
    loop {
        let batch = queue.batch(&*clock).await;
        let mut tries = 1;
        let failed = loop {
            // A listener that stands still between two invocations takes it when it goes on: there is no time limit.
            match send(&destination, &batch, &dialer, &mut line).await {
                Ok(()) => break None,
                Err(error) if tries == TRIES => break Some(error),
                Err(_) => tries += 1,
            }
            line = None;
            clock.wake_at(clock.elapsed() + TRY_AGAIN_AFTER).await;
        };
        if let Some(error) = failed {
            line = None;
            queue.lose(&*clock, &batch, &error);
            // Not at once again: it would be lost the same way.
            clock.wake_at(clock.elapsed() + queue.buffering.timeout).await;
        }
    }
}

async fn send(
    destination: &Destination,
    batch: &[Bytes],
    dialer: &Dialer,
    line: &mut Option<TcpStream>,
) -> std::io::Result<()> {
    match destination {
        Destination::Http { host, port, path } => post(dialer.connect(*port).await?, host, path, array(batch)).await,
        Destination::Tcp { port } => {
            let stream = match line {
                Some(stream) => stream,
                None => line.insert(dialer.connect(*port).await?),
            };
            let mut text = BytesMut::new();
            for event in batch {
                text.extend_from_slice(event);
                text.extend_from_slice(b"\n");
            }
            stream.write_all(&text).await
        }
    }
}

fn array(batch: &[Bytes]) -> Bytes {
    let mut text = BytesMut::with_capacity(batch.iter().map(|event| event.len() + 1).sum::<usize>() + 2);
    text.extend_from_slice(b"[");
    for (n, event) in batch.iter().enumerate() {
        if n > 0 {
            text.extend_from_slice(b",");
        }
        text.extend_from_slice(event);
    }
    text.extend_from_slice(b"]");
    text.freeze()
}

async fn post(stream: TcpStream, host: &str, path: &str, body: Bytes) -> std::io::Result<()> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
    let request = Request::post(path)
        .header(HOST, host)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::<Bytes>::new(body).map_err(|never: Infallible| match never {}))
        .map_err(std::io::Error::other)?;
    let answered = async {
        let answer = sender.send_request(request).await.map_err(std::io::Error::other)?;
        let status = answer.status();
        // What it says is not looked at.
        let _ = http_body_util::Limited::new(answer.into_body(), 64 * 1024).collect().await;
        if status.is_success() { Ok(()) } else { Err(std::io::Error::other(format!("the listener answered {status}"))) }
    };
    let connection = async {
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        answered = answered => answered,
        () = connection => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_bounded_and_counts_what_it_drops() {
        let buffering = Buffering { items_max: 1_000, bytes_max: 262_144, timeout: Duration::from_secs(1) };
        let queue = Queue::new(buffering);
        for _ in 0..5_000 {
            queue.push(Bytes::from_static(b"{}"));
        }
        let state = queue.state();
        assert_eq!((state.events.len(), state.dropped, state.dropped_bytes), (4_000, 1_000, 2_000));
    }

    #[test]
    fn a_batch_is_an_array() {
        assert_eq!(array(&[Bytes::from_static(b"{}"), Bytes::from_static(b"1")]), "[{},1]");
        assert_eq!(array(&[]), "[]");
    }
}
