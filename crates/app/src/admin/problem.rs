//! Why a request is not done, as the admin API says it: a status, and a message that says what to do.

use bytes::Bytes;
use domain::Fault;
use hyper::{Response, StatusCode, header};
use serde::Serialize;

/// See the module.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    message: &'a str,
}

impl Problem {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// The request makes no sense.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// Another method is taken here.
    pub(super) fn method(allowed: &str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("only {allowed}"))
    }

    pub(super) fn into_response(self) -> Response<Bytes> {
        let body = serde_json::to_string(&Body { message: &self.message }).expect("a text is always JSON");
        let mut response = super::json(body);
        *response.status_mut() = self.status;
        if let Some(allowed) = self.message.strip_prefix("only ").filter(|_| self.status == 405)
            && let Ok(allowed) = header::HeaderValue::from_str(allowed)
        {
            response.headers_mut().insert(header::ALLOW, allowed);
        }
        response
    }
}

/// We failed: the log says how.
impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        tracing::error!("an admin request failed: {}", fault.chain());
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the engine failed; its log says how")
    }
}
