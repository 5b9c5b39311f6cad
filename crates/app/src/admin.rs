//! The admin listener: health and metrics.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use engine::tasks;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::telemetry::Meters;

/// Answers until `stop`.
pub(crate) async fn serve(listener: TcpListener, meters: Arc<Meters>, stop: impl Future<Output = ()>) {
    let mut stop = std::pin::pin!(stop);
    loop {
        let stream = tokio::select! {
            () = &mut stop => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!("the admin listener cannot accept a connection: {error}");
                    tokio::task::yield_now().await;
                    continue;
                }
            },
        };
        let meters = meters.clone();
        let service = service_fn(move |request: Request<_>| {
            let answer = answer(request.method(), request.uri().path(), &meters);
            async move { Ok::<_, Infallible>(answer.map(Full::new)) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        let talk = async move {
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
