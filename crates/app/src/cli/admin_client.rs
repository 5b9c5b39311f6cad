//! The admin API of an engine, as `lambd logs` and `lambd events` ask it; and how they end.

use std::future::Future;
use std::io::ErrorKind;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use engine::ports::Clock as _;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Advised;
use crate::chance::SystemClock;

/// What the engine's listener is if nobody says otherwise.
pub(super) const DEFAULT_ADMIN: &str = "http://127.0.0.1:4567";
/// As for `lambd invoke`: the engine refused.
const REFUSED: u8 = 254;
/// Anything else that went wrong.
const FAILED: u8 = 255;
/// How long the engine may take to tell something.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// How long it may take to change something: millions of events, perhaps.
const CHANGE_WAIT: Duration = Duration::from_hours(1);
/// Bytes of an answer: a page of a log is about 1 MB before it becomes JSON.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Why a command did not do what it was asked.
pub(super) enum Trouble {
    /// The engine refused.
    Refused(Advised),
    /// Anything else.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// Does a command's work; the result is the exit code.
pub(super) fn run(work: impl Future<Output = Result<(), Trouble>>) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the asynchronous runtime")?;
    let (error, code) = match runtime.block_on(work) {
        Ok(()) => return Ok(0),
        Err(Trouble::Refused(refused)) => (anyhow::Error::new(refused), REFUSED),
        Err(Trouble::Failed(error)) => (error, FAILED),
    };
    // Whoever reads has enough: `lambd logs fn | head`.
    if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe) {
        return Ok(0);
    }
    crate::report(&error);
    Ok(code)
}

/// An engine's admin listener.
pub(super) struct AdminClient<'a> {
    url: &'a str,
}

impl<'a> AdminClient<'a> {
    /// The one at `url`, which is looked at when it is asked.
    pub(super) fn new(url: &'a str) -> Self {
        Self { url }
    }

    /// Where it is.
    pub(super) fn url(&self) -> &'a str {
        self.url
    }

    /// Asks for something; the path is encoded already.
    pub(super) async fn get(&self, path: &str) -> Result<(StatusCode, Bytes), Trouble> {
        self.send(Method::GET, path, Bytes::new(), ANSWER_WAIT).await
    }

    /// Has something done.
    pub(super) async fn post(&self, path: &str, body: String) -> Result<(StatusCode, Bytes), Trouble> {
        self.send(Method::POST, path, body.into(), CHANGE_WAIT).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        wait: Duration,
    ) -> Result<(StatusCode, Bytes), Trouble> {
        let base: Uri = self.url.parse().context("--admin-url takes a URL such as http://127.0.0.1:4567")?;
        let (Some("http"), Some(authority)) = (base.scheme_str(), base.authority()) else {
            let other = anyhow::anyhow!("--admin-url takes a URL such as {DEFAULT_ADMIN}, not {:?}", self.url);
            return Err(other.into());
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let address = (host, authority.port_u16().unwrap_or(80));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, authority.as_str())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .context("making the request")?;
        let clock = SystemClock::new();
        let answer = tokio::select! {
            answer = exchange(address, request) => answer,
            () = clock.wake_at(clock.elapsed() + wait) => Err(anyhow::anyhow!("no answer within {} s", wait.as_secs())),
        };
        answer.map_err(|error| {
            Trouble::Failed(anyhow::Error::new(Advised {
                message: format!("no engine answers at {}: {error:#}", self.url),
                help: "`lambd serve` starts one; the line `lambd: admin URL` that it prints is for --admin-url"
                    .to_owned(),
            }))
        })
    }
}

async fn exchange(address: (&str, u16), request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let answering = async {
        let response = sender.send_request(request).await?;
        let (status, body) = (response.status(), Limited::new(response.into_body(), ANSWER_BYTES));
        let bytes = body.collect().await.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
        // Ends the connection, which is driven beside this.
        drop(sender);
        anyhow::Ok((status, bytes))
    };
    let (answer, _) = tokio::join!(answering, connection);
    answer
}
