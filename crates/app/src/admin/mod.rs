//! The admin listener: health, metrics, execution logs, and what steers events.

mod clock;
mod events;
mod guard;
mod problem;

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::arn::Home;
use domain::names::{FunctionName, Qualifier};
use engine::catalog::Catalog;
use engine::events::Events;
use engine::ports::Clock;
use engine::tasks;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use serde::Serialize;
use store::{LogLine, LogPlace};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use self::problem::Problem;
use crate::chance::SystemClock;
use crate::telemetry::Meters;

/// Connections at once; who comes then waits to be accepted.
const CONNECTIONS_MAX: usize = 64;
/// How long a connection may take to send the head of a request.
const HEAD_WAIT: Duration = Duration::from_secs(30);
/// How long to wait when no connection can be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What it tells of, and what it steers.
pub(crate) struct Admin {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    pub(crate) meters: Arc<Meters>,
    pub(crate) logs: Arc<store::Logs>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) home: Home,
    pub(crate) events: Arc<Events>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The clock that can be moved, with `--test-clock` only.
    pub(crate) test_clock: Option<Arc<SystemClock>>,
    /// The answer of `GET /_lambd/isolation`.
    pub(crate) isolation: Bytes,
    /// How the environments do that wait ahead of use.
    pub(crate) stock: Box<dyn Fn() -> sandbox::StockCounts + Send + Sync>,
}

/// Answers until `stop`.
pub(crate) async fn serve(listener: TcpListener, admin: Admin, stop: impl Future<Output = ()>) {
    let clock = admin.clock.clone();
    let admin = Arc::new(admin);
    let answer = move |request| {
        let admin = admin.clone();
        async move { admin.answer(request).await }
    };
    listen(listener, answer, (clock, stop)).await;
}

/// Accepts connections, and no more at once than may be.
async fn listen<A: Future<Output = Response<Bytes>> + Send + 'static>(
    listener: TcpListener,
    answer: impl Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    (clock, stop): (Arc<dyn Clock>, impl Future<Output = ()>),
) {
    let mut stop = std::pin::pin!(stop);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await.expect("never closed");
            match listener.accept().await {
                Ok((stream, _)) => Some((stream, place)),
                Err(error) => {
                    // Out of descriptors, mostly: a pause lets others go first.
                    tracing::warn!("the admin listener cannot accept a connection: {error}");
                    clock.wake_at(clock.elapsed() + ACCEPT_PAUSE).await;
                    None
                }
            }
        };
        let (stream, place) = tokio::select! {
            () = &mut stop => return,
            next = next => match next {
                Some(next) => next,
                None => continue,
            },
        };
        let answer = answer.clone();
        let service = service_fn(move |request| {
            let answer = answer(request);
            async move { Ok::<_, Infallible>(answer.await.map(Full::new)) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WAIT)
            .serve_connection(TokioIo::new(stream), service);
        let talk = async move {
            let _place = place;
            if let Err(error) = connection.await {
                tracing::debug!("an admin connection ended: {error}");
            }
        };
        tasks::spawn("answering an admin connection", talk).detach();
    }
}

/// How well functions are kept apart.
const ISOLATION: &str = "/_lambd/isolation";
/// Below it are the names of functions.
const LOGS: &str = "/_lambd/logs/";

impl Admin {
    async fn answer(&self, request: Request<Incoming>) -> Response<Bytes> {
        if let Some(steered) = events::Route::of(request.uri().path()) {
            return self.steer(steered, request).await.unwrap_or_else(Problem::into_response);
        }
        if request.uri().path() == clock::PATH {
            return self.advance(request).await.unwrap_or_else(Problem::into_response);
        }
        let query = request.uri().query().unwrap_or_default();
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/_lambd/health" | "/_localstack/health") => wire::server::health(),
            (&Method::GET, "/metrics") => {
                self.meters.see_events(self.events.kept(), self.events.running());
                self.meters.see_stock((self.stock)());
                let mut response = Response::new(self.meters.text().into());
                let text = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(text));
                response
            }
            (&Method::GET, ISOLATION) => {
                let mut response = Response::new(self.isolation.clone());
                let json = header::HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, json);
                response
            }
            (_, "/_lambd/health" | "/_localstack/health" | "/metrics" | ISOLATION) => {
                refuse(StatusCode::METHOD_NOT_ALLOWED, "only GET")
            }
            (method, path) => match path.strip_prefix(LOGS) {
                Some(_) if *method != Method::GET => refuse(StatusCode::METHOD_NOT_ALLOWED, "only GET"),
                Some(function) => self.log(function, query).await,
                None => refuse(
                    StatusCode::NOT_FOUND,
                    "the admin listener has /_lambd/health, /_lambd/isolation, /_lambd/logs/NAME, /_lambd/events and \
                     /metrics; the AWS API is on the other one",
                ),
            },
        }
    }

    /// A page of a function's execution log. Logs stay when their function is deleted, as on AWS.
    async fn log(&self, function: &str, query: &str) -> Response<Bytes> {
        let ask = match LogAsk::read(&self.home, function, query) {
            Ok(ask) => ask,
            Err(mistake) => return refuse(StatusCode::BAD_REQUEST, mistake),
        };
        let told = match self.logs.read(ask.function.clone(), ask.after, ask.since).await {
            Ok(None) if self.catalog.get(&ask.function).is_none() => {
                return refuse(StatusCode::NOT_FOUND, "there is no such function, nor a log of one");
            }
            Ok(page) => {
                let nothing = || store::LogPage { is_last: true, next: ask.after, ..store::LogPage::default() };
                let (page, version) = (page.unwrap_or_else(nothing), ask.version);
                // Thousands of lines: other requests need the thread.
                tasks::off_thread("telling of a log", move || told(&page, version.as_deref())).await
            }
            Err(fault) => Err(fault),
        };
        match told {
            Ok(body) => json(body),
            Err(fault) => {
                tracing::warn!("{}", fault.chain());
                refuse(StatusCode::INTERNAL_SERVER_ERROR, "the log cannot be read; the engine's log says why")
            }
        }
    }
}

/// A page as JSON; of one version only where one is named.
fn told(page: &store::LogPage, version: Option<&str>) -> String {
    let wanted = |line: &&LogLine| version.is_none_or(|version| line.stream.contains(version));
    let page = Page {
        events: page.lines.iter().filter(wanted).map(Event::from).collect(),
        next: format!("{}.{}", page.next.segment, page.next.offset),
        last: page.is_last,
    };
    serde_json::to_string(&page).expect("texts and numbers are always JSON")
}

#[derive(Serialize)]
struct Page<'a> {
    events: Vec<Event<'a>>,
    next: String,
    last: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    timestamp: i64,
    log_stream_name: &'a str,
    message: Cow<'a, str>,
    /// The message as it was, where it is no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
}

impl<'a> From<&'a LogLine> for Event<'a> {
    fn from(line: &'a LogLine) -> Self {
        let message = String::from_utf8_lossy(&line.bytes);
        let bytes = matches!(message, Cow::Owned(_)).then(|| data_encoding::BASE64.encode(&line.bytes));
        Self { timestamp: line.at.as_millisecond(), log_stream_name: &line.stream, message, bytes }
    }
}

/// Which part of which log is asked for.
struct LogAsk {
    function: FunctionName,
    /// Of which version only.
    version: Option<String>,
    after: LogPlace,
    since: Option<Timestamp>,
}

impl LogAsk {
    fn read(home: &Home, function: &str, query: &str) -> Result<Self, &'static str> {
        let target = home.read(&function.replace("%3A", ":").replace("%24", "$"), None);
        let target = target.map_err(|_| "the path ends in the name or the ARN of a function")?;
        let version = match target.qualifier {
            None => None,
            Some(Qualifier::Alias(_)) => return Err("an alias has no log; its versions have"),
            Some(version) => Some(format!("[{version}]")),
        };
        let mut ask = Self { function: target.arn.name, version, after: LogPlace::default(), since: None };
        for item in query.split('&').filter(|item| !item.is_empty()) {
            let (key, value) = item.split_once('=').unwrap_or((item, ""));
            match key {
                "after" => {
                    let place = value.split_once('.').and_then(|(segment, offset)| {
                        Some(LogPlace { segment: segment.parse().ok()?, offset: offset.parse().ok()? })
                    });
                    ask.after = place.ok_or("after takes what next was in the answer before")?;
                }
                "since" => {
                    let moment = value.parse().ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
                    ask.since = Some(moment.ok_or("since takes milliseconds since 1970")?);
                }
                _ => return Err("the query has after and since, and nothing else"),
            }
        }
        Ok(ask)
    }
}

fn json(body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

fn refuse(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    async fn ask(stream: &mut TcpStream) {
        stream.write_all(b"GET /_lambd/health HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    }

    async fn answered(stream: &mut TcpStream) {
        let mut answer = [0; 1024];
        let bytes = stream.read(&mut answer).await.unwrap();
        assert!(answer[..bytes].starts_with(b"HTTP/1.1 200 OK\r\n"));
    }

    #[tokio::test]
    async fn there_are_so_many_connections_and_no_more() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let answer = async |_| wire::server::health();
        let answer = move |request| Box::pin(answer(request));
        tasks::spawn("the admin listener", listen(listener, answer, (clock, std::future::pending()))).detach();
        let mut open = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            let mut stream = TcpStream::connect(address).await.unwrap();
            ask(&mut stream).await;
            answered(&mut stream).await;
            open.push(stream);
        }
        let mut late = TcpStream::connect(address).await.unwrap();
        ask(&mut late).await;
        // Whoever was there before is still answered, many times over.
        for stream in &mut open {
            ask(stream).await;
            answered(stream).await;
        }
        let nothing = late.try_read(&mut [0; 1]).unwrap_err();
        assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
        open.pop();
        answered(&mut late).await;
    }
}
