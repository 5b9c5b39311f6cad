//! AWS JSON 1.0: `X-Amz-Target: AmazonSQS.Action`, an object in, an object out.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use super::errors::{Code, Failure};
use super::input::Object;

/// Reads a body; none at all is an object without members.
pub(super) fn read(body: &[u8]) -> Result<Object, Failure> {
    if body.is_empty() {
        return Ok(Object::new());
    }
    serde_json::from_slice(body).map_err(|error| Failure::new(Code::Serialization, error.to_string()))
}

/// Writes an answer.
pub(super) fn response(answered: Result<Object, Failure>) -> Response<Bytes> {
    let (status, error, body) = match answered {
        Ok(output) => (StatusCode::OK, None, Value::Object(output)),
        Err(Failure { code, message }) => {
            let spelling = code.spelling();
            let (status, fault) = if code.is_senders() {
                (StatusCode::BAD_REQUEST, "Sender")
            } else {
                (StatusCode::INTERNAL_SERVER_ERROR, "Receiver")
            };
            let error = format!("{};{fault}", spelling.query);
            (status, Some(error), json!({"__type": spelling.json, "message": message}))
        }
    };
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
    if let Some(error) = error.and_then(|error| HeaderValue::from_str(&error).ok()) {
        // By it a client finds the code that it knew before there was JSON.
        headers.insert("x-amzn-query-error", error);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_its_name_and_the_code_from_before() {
        let response = response(Err(domain::queue::Refusal::NoQueue.into()));
        assert_eq!(response.status(), 400);
        let header = &response.headers()["x-amzn-query-error"];
        assert_eq!(header, "AWS.SimpleQueueService.NonExistentQueue;Sender");
        let expected =
            r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}"#;
        assert_eq!(response.body(), expected);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert_eq!(read(b"").unwrap(), Object::new());
        for body in ["[]", "{", "null", "{\"a\":1}x", "\"\""] {
            assert_eq!(read(body.as_bytes()).unwrap_err().code, Code::Serialization, "{body}");
        }
    }
}
