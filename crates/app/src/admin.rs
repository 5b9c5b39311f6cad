//! The admin listener: health and metrics.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::ports::Clock;
use engine::tasks;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::telemetry::Meters;

/// Connections at once; who comes then waits to be accepted.
const CONNECTIONS_MAX: usize = 64;
/// How long a connection may take to send the head of a request.
const HEAD_WAIT: Duration = Duration::from_secs(30);
/// How long to wait when no connection can be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers until `stop`.
pub(crate) async fn serve(
    listener: TcpListener,
    (meters, clock): (Arc<Meters>, Arc<dyn Clock>),
    stop: impl Future<Output = ()>,
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
        let meters = meters.clone();
        let service = service_fn(move |request: Request<_>| {
            let answer = answer(request.method(), request.uri().path(), &meters);
            async move { Ok::<_, Infallible>(answer.map(Full::new)) }
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

fn answer(method: &Method, path: &str, meters: &Meters) -> Response<Bytes> {
    match (method, path) {
        (&Method::GET, "/_lambd/health" | "/_localstack/health") => wire::server::health(),
        (&Method::GET, "/metrics") => {
            let mut response = Response::new(meters.text().into());
            let text = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(text));
            response
        }
        (_, "/_lambd/health" | "/_localstack/health" | "/metrics") => {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "only GET")
        }
        _ => refuse(
            StatusCode::NOT_FOUND,
            "the admin listener has /_lambd/health and /metrics; the AWS API is on the other one",
        ),
    }
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
    use crate::chance::SystemClock;

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
        let state = (Arc::new(Meters::new(None)), Arc::new(SystemClock::new()) as Arc<dyn Clock>);
        tasks::spawn("the admin listener", serve(listener, state, std::future::pending())).detach();
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
