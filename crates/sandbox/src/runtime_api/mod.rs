//! The Runtime API: HTTP on a loopback port of its own for each runtime process (AWS developer guide, runtimes-api).
//!
//! Bounded everywhere: connections, heads, bodies. What a function does to its own Runtime API hurts only itself.
//! Never here: deadlines, and what an event is.

mod connection;
pub(crate) mod conversation;
pub(crate) mod extension_routes;
pub(crate) mod extensions;
mod reply;
mod request;

use std::fmt::Write as _;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::environment::{Failure, reported_error_type};
use domain::limits;
use engine::ports::{Answer, Clock, Event};
use engine::tasks;
use http::{Method, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use self::connection::{Connection, DISCARDED_BYTES_MAX};
use self::conversation::{ConnectionId, Conversation, Next, Refused, Upload};
use self::extension_routes::ExtensionApi;
use self::reply::Reply;
use self::request::Fields;

/// Connections that one runtime may hold; AWS's clients use one, threads of a function may ping.
const CONNECTIONS_MAX: usize = 64;
/// Bytes of an error's body. AWS names no limit of its own for it; a function's answer has this one.
const ERROR_BYTES_MAX: usize = limits::SYNC_RESPONSE_BYTES;
/// Trailers name at most an error and its type.
const ERROR_TRAILER_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_TRAILER_BODY: &str = "lambda-runtime-function-error-body";

const BASE: &str = "/2018-06-01";
const ERROR_WITH_CAUSE: &str = "application/vnd.aws.lambda.error.cause+json";

/// How long to wait when the system has no descriptor left for a connection.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Listens at a socket that an environment has in its own network, or at a port of the host's loopback interface.
pub(crate) async fn listen(inside: Option<&OwnedFd>) -> std::io::Result<(TcpListener, String)> {
    let listener = match inside {
        Some(inside) => listen_at(inside.try_clone()?)?,
        None => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
    };
    let at = listener.local_addr()?.to_string();
    Ok((listener, at))
}

/// Lets the async runtime watch a listening socket.
pub(crate) fn listen_at(socket: OwnedFd) -> std::io::Result<TcpListener> {
    let listener = std::net::TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Serves one runtime process until it is dropped, and with it every connection.
pub(crate) async fn serve(
    listener: TcpListener,
    (conversation, extensions): (Arc<Conversation>, Arc<ExtensionApi>),
    clock: Arc<dyn Clock>,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut number: ConnectionId = 0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors, most likely: others must end something before we can go on.
            clock.wake_at(clock.elapsed() + ACCEPT_AGAIN_AFTER).await;
            continue;
        };
        let Ok(place) = room.clone().try_acquire_owned() else { continue };
        let (conversation, extensions) = (conversation.clone(), extensions.clone());
        let mut connection = Connection::new(stream, clock.clone());
        number += 1;
        let number = number;
        connections.spawn(async move {
            let served = converse(&mut connection, number, &conversation, &extensions).await;
            if let Some(error) = served.err().or_else(|| connection.refused()) {
                tracing::debug!(%error, "a connection to the Runtime API ended badly");
                conversation.broke(number);
            }
            drop(place);
        });
    }
}

/// Answers one request after the other, until the runtime closes.
async fn converse(
    connection: &mut Connection,
    number: ConnectionId,
    conversation: &Arc<Conversation>,
    extensions: &ExtensionApi,
) -> io::Result<()> {
    while let Some(head) = connection.head().await? {
        let path = head.path();
        let reply = match extension_routes::route(&head.method, path) {
            None => answer(route(&head.method, path), (conversation, number), connection, &head.fields).await?,
            Some(route) => extension_routes::answer(route, extensions, connection, &head.fields).await?,
        };
        if !connection.answer(&head, &reply).await? {
            break;
        }
    }
    Ok(())
}

/// Everything that a runtime can ask for.
#[derive(Debug, PartialEq, Eq)]
enum Route<'a> {
    Ping,
    Next,
    Upload(&'a str, Upload),
    InitError,
    /// The path is known, the method is not.
    OtherMethod,
    Unknown,
}

fn route<'a>(method: &Method, path: &'a str) -> Route<'a> {
    let Some(path) = path.strip_prefix(BASE) else {
        return if path == "/ping" && method == Method::GET { Route::Ping } else { Route::Unknown };
    };
    let (expected, route) = match path {
        "/ping" => (Method::GET, Route::Ping),
        "/runtime/invocation/next" => (Method::GET, Route::Next),
        "/runtime/init/error" => (Method::POST, Route::InitError),
        _ => match path.strip_prefix("/runtime/invocation/").and_then(|rest| rest.split_once('/')) {
            Some((id, "response")) => (Method::POST, Route::Upload(id, Upload::Response)),
            Some((id, "error")) => (Method::POST, Route::Upload(id, Upload::Error)),
            _ => return Route::Unknown,
        },
    };
    if *method == expected { route } else { Route::OtherMethod }
}

async fn answer(
    route: Route<'_>,
    (conversation, number): (&Arc<Conversation>, ConnectionId),
    connection: &mut Connection,
    fields: &Fields,
) -> io::Result<Reply> {
    Ok(match route {
        Route::Ping => Reply::new(StatusCode::OK, "text/plain", Bytes::from_static(b"pong")),
        Route::Next => connection.while_open(next(conversation, number)).await?,
        Route::Upload(id, what) => upload(conversation, id, what, fields, connection).await,
        Route::InitError => init_error(conversation, fields, connection).await,
        Route::OtherMethod => Reply::new(StatusCode::METHOD_NOT_ALLOWED, "text/plain", Bytes::new()),
        Route::Unknown => Reply::new(StatusCode::NOT_FOUND, "text/plain", Bytes::from_static(b"404 page not found\n")),
    })
}

async fn next(conversation: &Arc<Conversation>, connection: ConnectionId) -> Reply {
    let mut asked = conversation.next(connection);
    if asked.is_err() {
        // Some clients send the end of a stream over another connection just before: that goes first.
        tokio::task::yield_now().await;
        asked = conversation.next(connection);
    }
    let event = match asked {
        Err(refused) => return refusal(refused),
        Ok(Next::Again(event)) => event,
        Ok(Next::Later(event)) => match event.await {
            Ok(event) => {
                conversation.given(&event, connection);
                event
            }
            // Another request took its place, or the runtime is being ended; it must exit either way.
            Err(_) => return error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "Internal Server Error"),
        },
    };
    hand_over(&event)
}

fn hand_over(event: &Event) -> Reply {
    let mut reply = Reply::new(StatusCode::OK, "application/json", event.payload.clone()).with_room(512);
    let mut id = [0; uuid::fmt::Hyphenated::LENGTH];
    let id = event.request_id.0.hyphenated().encode_lower(&mut id);
    reply.add("Lambda-Runtime-Aws-Request-Id", id.as_bytes());
    reply.add("Lambda-Runtime-Deadline-Ms", event.deadline_at.as_millisecond().to_string().as_bytes());
    reply.add("Lambda-Runtime-Invoked-Function-Arn", event.invoked_arn.as_bytes());
    if !event.trace.is_empty() {
        reply.add("Lambda-Runtime-Trace-Id", event.trace.as_bytes());
    }
    if let Some(context) = &event.client_context {
        reply.add("Lambda-Runtime-Client-Context", context.as_bytes());
    }
    reply
}

async fn upload(
    conversation: &Arc<Conversation>,
    id: &str,
    what: Upload,
    fields: &Fields,
    connection: &mut Connection,
) -> Reply {
    let uploading = match conversation.begin_upload(id, what) {
        Ok(uploading) => uploading,
        Err(refused) => return refusal(refused),
    };
    let mode = fields.get("lambda-runtime-function-response-mode").filter(|_| what == Upload::Response);
    if mode.is_some_and(|mode| !mode.eq_ignore_ascii_case(b"streaming")) {
        let error_type = "Runtime.InvalidResponseModeHeader".to_owned();
        uploading.finish(Answer::Failed(Failure::Reported { error_type, payload: Bytes::new() }));
        return error(StatusCode::BAD_REQUEST, "InvalidFunctionResponseMode", "Invalid function response mode");
    }
    let pieces = mode.and_then(|_| uploading.stream());
    let most = match what {
        Upload::Response if pieces.is_some() => limits::STREAMED_RESPONSE_BYTES,
        Upload::Response => limits::SYNC_RESPONSE_BYTES,
        Upload::Error => ERROR_BYTES_MAX,
    };
    let taken = match pieces {
        None => collect(connection, most).await.map(|payload| (payload, 0)),
        // What has gone on already is not handed on once more.
        Some(pieces) => pass_on(connection, pieces, most).await.map(|bytes| (Bytes::new(), bytes)),
    };
    match taken {
        Ok((payload, streamed)) => {
            let outcome = match what {
                Upload::Response => streamed_error(connection.trailers()).unwrap_or(match mode {
                    None => Answer::Response(payload),
                    Some(_) => Answer::Collected(payload),
                }),
                Upload::Error => Answer::Failed(reported(fields, payload)),
            };
            uploading.finish_streamed(outcome, streamed);
            // Whoever waits for the answer hands it on before the runtime is told that it was taken: the caller is in
            // more of a hurry. Two turns: one for the invocation, one for the caller's connection.
            tasks::give_way().await;
            tasks::give_way().await;
            accepted()
        }
        Err(Broken::TooLarge) => {
            uploading.finish(Answer::Failed(Failure::ResponseTooLarge { bytes_max: most }));
            let text = format!("Exceeded maximum allowed payload size ({most} bytes).");
            error(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &text)
        }
        Err(Broken::Truncated) => {
            uploading.finish(Answer::Failed(Failure::ResponseTruncated));
            error(StatusCode::BAD_REQUEST, "TruncatedHTTPRequest", "HTTP request detected as truncated")
        }
    }
}

async fn init_error(conversation: &Arc<Conversation>, fields: &Fields, connection: &mut Connection) -> Reply {
    if let Err(refused) = conversation.begin_init_error() {
        return refusal(refused);
    }
    // A body that broke off is passed on as far as it came, as AWS's supervisor does.
    let payload = collect(connection, ERROR_BYTES_MAX).await.unwrap_or_default();
    let Failure::Reported { error_type, payload } = reported(fields, payload) else { unreachable!() };
    conversation.finish_init_error(error_type, payload);
    accepted()
}

/// An error that the runtime reported: the type from its header, the body as it came, unless it is an envelope.
fn reported(fields: &Fields, payload: Bytes) -> Failure {
    let header = fields.text("lambda-runtime-function-error-type");
    let is_envelope =
        fields.get("content-type").is_some_and(|value| value.eq_ignore_ascii_case(ERROR_WITH_CAUSE.as_bytes()));
    let payload = if is_envelope { without_cause(&payload) } else { payload };
    Failure::Reported { error_type: reported_error_type(header), payload }
}

/// The error in an envelope that also carries its cause for X-Ray (source of AWS's runtime interface emulator,
/// `error_with_cause`).
fn without_cause(envelope: &[u8]) -> Bytes {
    let Ok(serde_json::Value::Object(members)) = serde_json::from_slice(envelope) else {
        return Bytes::from_static(b"\"Invalid error body\"");
    };
    let kept: serde_json::Map<_, _> = members
        .into_iter()
        .filter(|(key, _)| matches!(key.as_str(), "errorMessage" | "errorType" | "stackTrace"))
        .collect();
    Bytes::from(serde_json::Value::Object(kept).to_string())
}

/// An error that a streaming runtime noticed after it had begun to answer: it stands in the trailers, its body in
/// base64 (AWS developer guide, runtimes-custom, "Implementing response streaming").
fn streamed_error(trailers: Option<&Fields>) -> Option<Answer> {
    let trailers = trailers?;
    trailers.get(ERROR_TRAILER_TYPE)?;
    let error_type = trailers.text(ERROR_TRAILER_TYPE);
    let body = trailers.get(ERROR_TRAILER_BODY).unwrap_or_default();
    let payload = data_encoding::BASE64.decode(body).unwrap_or_default();
    Some(Answer::Failed(Failure::Reported {
        error_type: reported_error_type(error_type),
        payload: Bytes::from(payload),
    }))
}

/// Why a body was not taken.
enum Broken {
    TooLarge,
    Truncated,
}

/// The whole body. One that came in one piece is passed on as that piece; one that is too large is read on without
/// being kept.
async fn collect(connection: &mut Connection, most: usize) -> Result<Bytes, Broken> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    let mut length = 0usize;
    while let Some(piece) = connection.piece().await.map_err(|_| Broken::Truncated)? {
        length += piece.len();
        if length > most {
            (first, all) = (Bytes::new(), BytesMut::new());
            if length > DISCARDED_BYTES_MAX {
                break;
            }
        } else if all.is_empty() && first.is_empty() {
            first = piece;
        } else {
            if all.is_empty() {
                let left = connection.body_left().unwrap_or(0);
                all.reserve(length.saturating_add(left).min(most));
                all.extend_from_slice(&std::mem::take(&mut first));
            }
            all.extend_from_slice(&piece);
        }
    }
    if length > most {
        return Err(Broken::TooLarge);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// Hands a body on as it comes, no faster than it is taken. What is beyond `most`, or what nobody takes any more, is
/// read on without being kept: a caller who leaves does not end the function. Tells how many bytes came.
async fn pass_on(connection: &mut Connection, pieces: mpsc::Sender<Bytes>, most: usize) -> Result<u64, Broken> {
    let mut pieces = Some(pieces);
    let mut length = 0usize;
    while let Some(mut piece) = connection.piece().await.map_err(|_| Broken::Truncated)? {
        let room = most.saturating_sub(length);
        length += piece.len();
        piece.truncate(room);
        if let Some(taker) = &pieces
            && !piece.is_empty()
            && taker.send(piece).await.is_err()
        {
            pieces = None;
        }
        if length > most.saturating_add(DISCARDED_BYTES_MAX) {
            break;
        }
    }
    if length > most { Err(Broken::TooLarge) } else { Ok(length as u64) }
}

fn accepted() -> Reply {
    Reply::new(StatusCode::ACCEPTED, "application/json", Bytes::from_static(b"{\"status\":\"OK\"}\n"))
}

/// The texts are fixed and hold nothing that JSON would escape.
fn error(status: StatusCode, error_type: &str, message: &str) -> Reply {
    let mut body = String::new();
    let _ = writeln!(body, r#"{{"errorMessage":"{message}","errorType":"{error_type}"}}"#);
    Reply::new(status, "application/json", Bytes::from(body))
}

fn refusal(refused: Refused) -> Reply {
    match refused {
        Refused::InvalidRequestId => error(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"),
        Refused::InvalidTransition { from, to } => {
            let text = format!(
                "State transition from {from} to {to} failed for runtime. Error: State transition is not allowed"
            );
            error(StatusCode::FORBIDDEN, "InvalidStateTransition", &text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_its_route() {
        let get = Method::GET;
        let post = Method::POST;
        let cases = [
            (&get, "/2018-06-01/runtime/invocation/next", Route::Next),
            (&post, "/2018-06-01/runtime/invocation/next", Route::OtherMethod),
            (&post, "/2018-06-01/runtime/invocation/x/response", Route::Upload("x", Upload::Response)),
            (&post, "/2018-06-01/runtime/invocation/x/error", Route::Upload("x", Upload::Error)),
            (&get, "/2018-06-01/runtime/invocation/x/error", Route::OtherMethod),
            (&post, "/2018-06-01/runtime/invocation/x/y/error", Route::Unknown),
            (&post, "/2018-06-01/runtime/init/error", Route::InitError),
            (&get, "/2018-06-01/ping", Route::Ping),
            (&get, "/ping", Route::Ping),
            (&get, "/", Route::Unknown),
            (&get, "/2018-06-01", Route::Unknown),
            (&get, "/2020-01-01/extension/event/next", Route::Unknown),
        ];
        for (method, path, expected) in cases {
            assert_eq!(route(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn the_envelope_gives_up_its_cause_and_keeps_the_rest() {
        let envelope = br#"{"errorMessage":"m","errorType":"t","stackTrace":["a"],"errorCause":{"x":1}}"#;
        assert_eq!(&without_cause(envelope)[..], br#"{"errorMessage":"m","errorType":"t","stackTrace":["a"]}"#);
        assert_eq!(&without_cause(b"not json")[..], b"\"Invalid error body\"");
    }
}
