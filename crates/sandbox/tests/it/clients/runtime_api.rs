//! A Runtime API for tests: gives out the events of a script and keeps what is posted.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use engine::tasks::{Task, spawn};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// An event as `next` gives it out.
#[derive(Clone)]
pub(super) struct Event {
    pub(super) body: Vec<u8>,
    pub(super) headers: Vec<(String, String)>,
}

/// What a client posted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Post {
    pub(super) path: String,
    pub(super) content_type: String,
    pub(super) error_type: String,
    pub(super) xray_cause: String,
    /// `streaming`, or nothing.
    pub(super) mode: String,
    pub(super) body: Bytes,
    /// An error that came after the body: its type, and its text.
    pub(super) late_error: Option<(String, String)>,
}

#[derive(Default)]
struct Script {
    events: VecDeque<Event>,
    /// Status of the answer to the nth post, 202 where there is none.
    statuses: VecDeque<u16>,
    given: usize,
    /// A client polls and there is no event left.
    is_drained: bool,
    posts: Vec<Post>,
}

/// The server; it goes with the value.
pub(super) struct RuntimeApi {
    pub(super) address: SocketAddr,
    script: Arc<Mutex<Script>>,
    idle: Arc<Notify>,
    accepting: Task<()>,
}

impl RuntimeApi {
    pub(super) async fn start(events: Vec<Event>, statuses: Vec<u16>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script =
            Arc::new(Mutex::new(Script { events: events.into(), statuses: statuses.into(), ..Script::default() }));
        let idle = Arc::new(Notify::new());
        let (for_task, idle_for_task) = (Arc::clone(&script), Arc::clone(&idle));
        let accepting = spawn("accepting clients", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, idle) = (Arc::clone(&for_task), Arc::clone(&idle_for_task));
                let serving = spawn("serving a client", async move {
                    let service = service_fn(|request| answer(request, &script, &idle));
                    // How a connection ends says nothing: clients are killed at the end.
                    let _ = http1::Builder::new()
                        .max_buf_size(4 * 1024 * 1024)
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
                serving.detach();
            }
        });
        Self { address, script, idle, accepting }
    }

    /// Waits until a client polls with no event left, and has posted what came of each.
    pub(super) async fn idle(&self) {
        self.idle.notified().await;
    }

    pub(super) fn posts(&self) -> Vec<Post> {
        self.script.lock().unwrap().posts.clone()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn answer(
    request: Request<Incoming>,
    script: &Mutex<Script>,
    idle: &Notify,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() == Method::GET {
        {
            let mut script = script.lock().unwrap();
            if let Some(response) = script.next() {
                return Ok(response);
            }
            script.is_drained = true;
            if script.posts.len() >= script.given {
                idle.notify_one();
            }
        }
        return std::future::pending().await;
    }
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .map_or(String::new(), |value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let mut post = Post {
        path: request.uri().path().to_owned(),
        content_type: header("content-type"),
        error_type: header("lambda-runtime-function-error-type"),
        xray_cause: header("lambda-runtime-function-xray-error-cause"),
        mode: header("lambda-runtime-function-response-mode"),
        body: Bytes::new(),
        late_error: None,
    };
    let body = request.into_body().collect().await.unwrap();
    post.late_error = body.trailers().map(|trailers| {
        let text = |name| trailers.get(name).map_or("", |value| value.to_str().unwrap());
        let error = data_encoding::BASE64.decode(text("lambda-runtime-function-error-body").as_bytes()).unwrap();
        (text("lambda-runtime-function-error-type").to_owned(), String::from_utf8(error).unwrap())
    });
    post.body = body.to_bytes();
    let mut script = script.lock().unwrap();
    script.posts.push(post);
    if script.is_drained && script.posts.len() >= script.given {
        idle.notify_one();
    }
    let status = script.statuses.pop_front().unwrap_or(202);
    let body = if status == 202 {
        "{\"status\":\"OK\"}\n"
    } else {
        "{\"errorMessage\":\"refused\",\"errorType\":\"Refused\"}\n"
    };
    Ok(Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .unwrap())
}

impl Script {
    fn next(&mut self) -> Option<Response<Full<Bytes>>> {
        let event = self.events.pop_front()?;
        self.given += 1;
        let mut response = Response::builder()
            .header("Content-Type", "application/json")
            .header("Lambda-Runtime-Aws-Request-Id", format!("00000000-0000-4000-8000-{:012}", self.given))
            // The year 2100, so that no run is short of time.
            .header("Lambda-Runtime-Deadline-Ms", "4102444800000")
            .header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:fn");
        for (name, value) in &event.headers {
            let headers = response.headers_mut().unwrap();
            let name: http::HeaderName = name.parse().unwrap();
            headers.insert(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        Some(response.body(Full::new(event.body.into())).unwrap())
    }
}
