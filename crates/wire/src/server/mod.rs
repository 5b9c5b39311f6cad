//! The server's side of the API: from the parts of an HTTP request to a typed input, and from an output to an answer.

mod bind;
mod body;
mod dispatch;
pub mod percent;
mod plain;
pub mod request;
pub mod response;
pub mod router;
mod stream;
mod validate;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::arn::Home;
use domain::error::Refusal;
use domain::limits;
use domain::names::RequestId;
use engine::access::Caller;
use engine::event_source_mappings::EventSourceMappings;
use engine::events::Events;
use engine::functions::Functions;
use engine::invoker::Invoker;
use engine::layers::Layers;
use engine::ports::{Clock, Dice};
use engine::queues::Queues;
use engine::tasks;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use self::body::Body;
use self::dispatch::{Call, Operations};
use crate::error::Told;
use crate::generated::errors::ErrorCode;
use crate::generated::operations::Operation;
use crate::sqs::{self, Sqs};

/// Where the zip of a function is fetched, as GetFunction tells it.
pub(crate) const CODE_PATH: &str = "/_lambd/code/";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
/// How long a connection may take to send the head of a request.
const HEAD_WAIT: Duration = Duration::from_mins(1);
/// How long a body may go without a further byte.
const BODY_WAIT: Duration = Duration::from_secs(30);
/// How long a body may take in all.
const BODY_TIME: Duration = Duration::from_mins(10);
/// Connections at once; who comes then waits to be accepted.
const CONNECTIONS_MAX: usize = 8_192;
/// KiB of memory for the bodies of all requests together, apart from small ones.
const BODIES_KIB: u32 = 1024 * 1024;
/// Bodies up to this size are small: as many as there may be connections fit into half a gigabyte.
const SMALL_BODY_BYTES: usize = 64 * 1024;
/// Bodies up to this size are copied out of the connection's buffer.
const COPIED_BODY_BYTES: usize = 4 * 1024;
/// How much of an oversized body is read and thrown away, so that the client gets to read the answer.
const DISCARD_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The Lambda API, and the queues' beside it.
pub struct Api {
    operations: Operations,
    sqs: Sqs,
    clock: Arc<dyn Clock>,
    dice: Arc<dyn Dice>,
    connections: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
}

impl Api {
    /// The API over an engine.
    pub fn new(
        home: Home,
        (functions, layers): (Arc<Functions>, Arc<Layers>),
        (invoker, events, mappings): (Arc<Invoker>, Arc<Events>, Arc<EventSourceMappings>),
        queues: Arc<Queues>,
        (clock, dice): (Arc<dyn Clock>, Arc<dyn Dice>),
    ) -> Arc<Self> {
        Arc::new(Self {
            sqs: Sqs::new(home.clone(), queues),
            operations: Operations { home, functions, layers, invoker, events, mappings },
            clock,
            dice,
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            bodies: Arc::new(Semaphore::new(BODIES_KIB as usize)),
        })
    }

    /// Answers connections until `stop`, then lets those that are being answered come to their end; where half a request
    /// has come, nobody waits for the rest.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let graceful = GracefulShutdown::new();
        let (stopping, stopped) = watch::channel(false);
        loop {
            let next = async {
                let place = self.connections.clone().acquire_owned().await.expect("never closed");
                (listener.accept().await, place)
            };
            let (accepted, place) = tokio::select! {
                () = &mut stop => break,
                next = next => next,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, mostly: a pause lets others go first.
                    tracing::warn!("cannot accept a connection: {error}");
                    self.clock.wake_at(self.clock.elapsed() + Duration::from_millis(50)).await;
                    continue;
                }
            };
            // Without it the kernel holds small answers back for the client's next acknowledgement.
            let _ = stream.set_nodelay(true);
            let in_hand = Arc::new(InHand::default());
            let (api, whole) = (self.clone(), in_hand.clone());
            let service = service_fn(move |request| {
                let (api, whole) = (api.clone(), whole.clone());
                async move { Ok::<_, Infallible>(api.answer(request, &whole).await) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_WAIT)
                .max_buf_size(limits::REQUEST_HEAD_BYTES)
                .serve_connection(TokioIo::new(stream), service);
            let connection = graceful.watch(connection);
            let (mut stopped, stop_told) = (stopped.clone(), stopped.clone());
            let talk = async move {
                let _place = place;
                let half = async {
                    let _ = stopped.wait_for(|stopped| *stopped).await;
                    if in_hand.is_there() {
                        std::future::pending::<()>().await;
                    }
                };
                let (mut connection, mut half) = (pin!(connection), pin!(half));
                let mut is_waiting = false;
                let ended = poll_fn(|context| {
                    if let Poll::Ready(ended) = connection.as_mut().poll(context) {
                        return Poll::Ready(Some(ended));
                    }
                    // Asked once, to be woken, and then only when there is something to say: a connection goes on
                    // twice for each request.
                    if is_waiting && !stop_told.has_changed().unwrap_or(true) {
                        return Poll::Pending;
                    }
                    is_waiting = true;
                    half.as_mut().poll(context).map(|()| None)
                });
                match ended.await {
                    Some(Ok(())) => {}
                    Some(Err(error)) => tracing::debug!("a connection ended: {error}"),
                    None => tracing::debug!("a connection is closed before its request has come"),
                }
            };
            tasks::spawn("answering a connection", talk).detach();
        }
        drop(listener);
        stopping.send_replace(true);
        graceful.shutdown().await;
    }

    async fn answer(&self, request: Request<Incoming>, in_hand: &InHand) -> Response<Body> {
        in_hand.set(false);
        let request_id = RequestId::made_at(self.clock.now(), self.dice.uuid());
        let (head, mut body) = request.into_parts();
        let stays = head.version == Version::HTTP_11 && !asks_to_close(&head.headers);
        let mut body_read = body.is_end_stream();
        let dispatched = {
            // Pinned here: it is large, and to hand it on would be to copy it.
            let dispatching = pin!(self.dispatch(&head, (&mut body, &mut body_read, in_hand), request_id));
            tasks::caught("answering a request", dispatching).await
        };
        let mut response = match dispatched {
            Ok(Ok(response)) => response,
            Ok(Err(told)) => told.response().map(Body::Whole),
            Err(panicked) => Told::from(domain::Error::from(panicked)).response().map(Body::Whole),
        };
        // It may be refused before all of it has come.
        in_hand.set(true);
        let mut id = [0; uuid::fmt::Hyphenated::LENGTH];
        let id = HeaderValue::from_str(request_id.0.as_hyphenated().encode_lower(&mut id));
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, id.expect("a UUID is plain ASCII"));
        if !body_read {
            // What is left of the body would be read as the next request.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        } else if stays {
            // HTTP/1.1 means it anyway; AWS says it (recorded: test_function_revisions_permissions).
            headers.insert(header::CONNECTION, HeaderValue::from_static("keep-alive"));
        }
        response
    }

    async fn dispatch(
        &self,
        head: &http::request::Parts,
        (body, body_read, in_hand): (&mut Incoming, &mut bool, &InHand),
        request_id: RequestId,
    ) -> Result<Response<Body>, Told> {
        if let Some(path) = head.uri.path().strip_prefix("/_") {
            in_hand.set(true);
            return Ok(self.own(path).await?.map(Body::from));
        }
        let invoke = router::invoke(&head.method, head.uri.path());
        if invoke.is_none()
            && let Some(protocol) = sqs::protocol(head)
        {
            let read = self.read_body(body, body_read, BodyBound::OF_QUEUES).await;
            let (body, _room) = match read {
                Ok((body, room)) => (Some(body), room),
                Err(told) if told.code == ErrorCode::RequestEntityTooLarge => (None, None),
                Err(told) => return Err(told),
            };
            in_hand.set(true);
            return Ok(self.sqs.answer(protocol, head, body, request_id).await.map(Body::from));
        }
        let route = match invoke {
            Some(route) => route,
            None => router::route(&head.method, head.uri.path(), head.uri.query()).map_err(request::Rejected::from)?,
        };
        // The room is given back when the answer is made: until then the body is in memory.
        let (body, _room) = self.read_body(body, body_read, BodyBound::of(route.operation)).await?;
        in_hand.set(true);
        let parts =
            request::Parts { labels: &route.labels, query: head.uri.query(), headers: &head.headers, body: &body };
        let authority = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        let call = Call { parts, body: body.clone(), request_id, authority, caller: Caller::Anyone };
        self.operations.answer(route.operation, call).await
    }

    /// What is ours on this listener: health, and the zips behind the links of GetFunction and GetLayerVersion.
    async fn own(&self, path: &str) -> Result<Response<Bytes>, Told> {
        if path == "lambd/health" || path == "localstack/health" {
            return Ok(health());
        }
        if let Some(content) = path.strip_prefix("lambd/layers/") {
            return self.operations.layer_content(content, &Caller::Anyone).await;
        }
        match path.strip_prefix("lambd/code/") {
            Some(code) => self.operations.code(code, &Caller::Anyone).await,
            None if path.starts_with("lambd/") => Err(Told::new(
                ErrorCode::UnknownOperation,
                format!("/_{path} is not served here; if it is an admin route, it is on the admin listener"),
            )),
            None => Err(Told::new(ErrorCode::UnknownOperation, format!("No operation has the path /_{path}"))),
        }
    }

    /// Reads a body up to the operation's limit into one piece; `to_its_end` tells whether nothing of it is left.
    async fn read_body(
        &self,
        body: &mut Incoming,
        to_its_end: &mut bool,
        BodyBound { bytes_max, named, copies }: BodyBound,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Told> {
        let too_large = || Told::from(Refusal::RequestTooLarge { bytes_max, operation: named });
        let declared = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
        if declared.is_some_and(|bytes| bytes > DISCARD_BYTES_MAX) {
            return Err(too_large());
        }
        let mut room = None;
        if declared.is_some_and(|bytes| bytes > SMALL_BODY_BYTES && bytes <= bytes_max) {
            room = Some(self.room(declared.unwrap_or(bytes_max), copies).await?);
        }
        let begun = self.clock.elapsed();
        let mut whole: Option<Bytes> = None;
        let mut pieces = BytesMut::new();
        let mut seen = 0;
        loop {
            // Begun where there is nothing yet, which is rare.
            let quiet = async {
                let until = (self.clock.elapsed() + BODY_WAIT).min(begun + BODY_TIME);
                self.clock.wake_at(until).await;
            };
            let frame = tokio::select! {
                biased;
                frame = body.frame() => frame,
                () = quiet => return Err(Told::new(ErrorCode::InvalidRequestContent, format!(
                    "The body stopped after {seen} bytes: it may be quiet for {} seconds and take {} in all.",
                    BODY_WAIT.as_secs(), BODY_TIME.as_secs()
                ))),
            };
            let Some(frame) = frame else { break };
            let broken = |error: hyper::Error| {
                Told::new(ErrorCode::InvalidRequestContent, format!("The body broke off after {seen} bytes: {error}"))
            };
            let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
            seen += data.len();
            if room.is_none() && seen > SMALL_BODY_BYTES && seen <= bytes_max {
                // Its length was not declared: it may become as long as is allowed.
                room = Some(self.room(bytes_max, copies).await?);
            }
            if seen > DISCARD_BYTES_MAX {
                return Err(too_large());
            }
            if seen > bytes_max {
                // Read on and forget: a client that is still sending would not read the answer.
                (whole, pieces) = (None, BytesMut::new());
            } else if whole.is_none() && pieces.is_empty() {
                // Most bodies come in one piece, and large ones of them are never copied.
                whole = Some(data);
            } else {
                if let Some(first) = whole.take() {
                    pieces.reserve(declared.unwrap_or(seen).max(seen));
                    pieces.extend_from_slice(&first);
                }
                pieces.extend_from_slice(&data);
            }
        }
        *to_its_end = true;
        if seen > bytes_max {
            return Err(too_large());
        }
        let body = match whole {
            // As a part of the buffer it would keep all of it for as long as the function runs, and the connection would
            // need another for its next request.
            Some(small) if small.len() <= COPIED_BODY_BYTES => Bytes::copy_from_slice(&small),
            Some(whole) => whole,
            None => pieces.freeze(),
        };
        Ok((body, room))
    }

    /// Room in memory for a large body, waited for as long as for a quiet one.
    async fn room(&self, bytes: usize, copies: usize) -> Result<OwnedSemaphorePermit, Told> {
        let kib = u32::try_from(bytes.div_ceil(1024) * copies).unwrap_or(BODIES_KIB).min(BODIES_KIB);
        tokio::select! {
            biased;
            room = self.bodies.clone().acquire_many_owned(kib) => Ok(room.expect("never closed")),
            () = self.clock.wake_at(self.clock.elapsed() + BODY_WAIT) => Err(Told::new(
                ErrorCode::TooManyRequests,
                "Too many large requests are being answered at this moment. Try again.",
            )),
        }
    }
}

/// Whether the last request of a connection has come as a whole.
#[derive(Debug, Default)]
struct InHand(AtomicBool);

impl InHand {
    fn set(&self, is_there: bool) {
        self.0.store(is_there, Ordering::Relaxed);
    }

    fn is_there(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How much of a body is read.
#[derive(Clone, Copy)]
struct BodyBound {
    bytes_max: usize,
    /// As the refusal of more names the operation.
    named: &'static str,
    /// How often it is in memory until the answer is made.
    copies: usize,
}

impl BodyBound {
    const OF_QUEUES: Self = Self { bytes_max: limits::QUEUE_REQUEST_BYTES, named: "SendMessage", copies: 3 };

    fn of(operation: Operation) -> Self {
        let (bytes_max, named, copies) = match operation {
            Operation::Invoke => (limits::SYNC_REQUEST_BYTES, "InvokeFunction", 1),
            Operation::InvokeWithResponseStream => (limits::SYNC_REQUEST_BYTES, operation.name(), 1),
            // Code comes as base64 within JSON: read, decoded and unpacked it is there up to three times.
            other => (limits::CODE_REQUEST_BYTES, other.name(), 3),
        };
        Self { bytes_max, named, copies }
    }
}

fn asks_to_close(headers: &HeaderMap) -> bool {
    let options = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    options.flat_map(|value| value.split(',')).any(|option| option.trim().eq_ignore_ascii_case("close"))
}

/// `GET /_lambd/health`, on every listener.
pub fn health() -> Response<Bytes> {
    let text = format!(
        r#"{{"status":"ok","version":"{}","services":{{"lambda":"running","sqs":"running"}}}}"#,
        env!("CARGO_PKG_VERSION")
    );
    let mut response = Response::new(Bytes::from(text));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
