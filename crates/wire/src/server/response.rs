//! From the output of an operation to an answer: status, header members, and a body that is compact JSON, the raw
//! payload, or nothing.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use crate::model::{Answer as _, ApiOperation};

/// An output that cannot be put on the wire: a fault of ours.
#[derive(Debug, thiserror::Error)]
pub enum Unwritable {
    /// The body could not be made.
    #[error("the output does not become JSON")]
    Json(#[from] serde_json::Error),
    /// A header could not be made.
    #[error("the output's header {name} has a value that no header can have")]
    Header {
        /// The header.
        name: &'static str,
        /// Why.
        source: http::header::InvalidHeaderValue,
    },
}

/// Writes the answer of an operation.
pub fn write<O: ApiOperation>(output: &O::Output) -> Result<Response<Bytes>, Unwritable> {
    let status = output.status().unwrap_or(O::OPERATION.spec().status);
    let json = O::Output::JSON && status != StatusCode::NO_CONTENT;
    let body = if json { serde_json::to_vec(output)?.into() } else { output.payload().cloned().unwrap_or_default() };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if json {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for (name, value) in output.headers() {
        let value = HeaderValue::from_str(value).map_err(|source| Unwritable::Header { name, source })?;
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generated::operations::{DeleteAlias, DeleteFunction, GetAlias, Invoke, InvokeAsync};
    use crate::generated::types::{
        AliasConfiguration, DeleteFunctionResponse, InvocationResponse, InvokeAsyncResponse,
    };

    #[test]
    fn json_answers_leave_out_what_is_not_set() {
        let alias = AliasConfiguration {
            alias_arn: Some("arn:aws:lambda:us-east-1:000000000000:function:f:a".to_owned()),
            description: Some(String::new()),
            ..AliasConfiguration::default()
        };
        let response = write::<GetAlias>(&alias).unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        let body = br#"{"AliasArn":"arn:aws:lambda:us-east-1:000000000000:function:f:a","Description":""}"#;
        assert_eq!(response.body(), body.as_slice());
    }

    #[test]
    fn what_travels_in_headers_is_not_in_the_body() {
        // Recorded: test_invocation_type_request_response.
        let output = InvocationResponse {
            payload: Some(Bytes::from_static(b"{}")),
            executed_version: Some("$LATEST".to_owned()),
            ..InvocationResponse::default()
        };
        let response = write::<Invoke>(&output).unwrap();
        assert_eq!(response.headers().len(), 1);
        assert_eq!(response.headers()["x-amz-executed-version"], "$LATEST");
        assert_eq!(response.body(), b"{}".as_slice());

        // Recorded: test_invocation_type_event.
        let accepted = InvocationResponse { status_code: Some(202), ..InvocationResponse::default() };
        let response = write::<Invoke>(&accepted).unwrap();
        assert_eq!((response.status().as_u16(), response.headers().len(), response.body().len()), (202, 0, 0));
    }

    #[test]
    fn a_header_cannot_be_split() {
        let output = InvocationResponse { function_error: Some("a\r\nb: c".to_owned()), ..Default::default() };
        assert!(matches!(write::<Invoke>(&output), Err(Unwritable::Header { name: "x-amz-function-error", .. })));
    }

    #[test]
    fn no_content_is_no_body() {
        // Recorded: test_function_lifecycle, where DeleteFunction answers 204.
        let response = write::<DeleteFunction>(&DeleteFunctionResponse::default()).unwrap();
        assert_eq!((response.status().as_u16(), response.body().len()), (204, 0));
        let response = write::<DeleteAlias>(&()).unwrap();
        assert_eq!((response.status().as_u16(), response.body().len()), (204, 0));
        let response = write::<InvokeAsync>(&InvokeAsyncResponse::default()).unwrap();
        assert_eq!((response.status().as_u16(), response.body().as_ref()), (202, b"{}".as_slice()));
    }
}
