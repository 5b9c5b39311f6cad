//! What can go wrong with a call, each in botocore's words (`botocore/exceptions.py`, `botocore/parsers.py`), for these
//! are the lines that the AWS CLI prints and that people search for.

use std::error::Error;
use std::path::PathBuf;

use aws_sdk_lambda::config::http::HttpResponse;
use aws_sdk_lambda::error::SdkError;

/// Why a call brought no answer of a function.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The profile named by flag or environment is in no file.
    #[error("The config profile ({0}) could not be found")]
    ProfileNotFound(String),
    /// A configuration file is not in the format of AWS's.
    #[error("Unable to parse config file: {path}")]
    ConfigUnreadable {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The endpoint is no URL with a host.
    #[error("Invalid endpoint: {0}")]
    InvalidEndpoint(String),
    /// The endpoint has a scheme other than `http` and `https`.
    #[error("An HTTP Client raised an unhandled exception: Not supported URL scheme {0}")]
    UnknownScheme(String),
    /// No region is given or configured.
    #[error("You must specify a region.")]
    NoRegion,
    /// The region cannot be part of a host name.
    #[error("Provided region_name '{0}' doesn't match a supported format.")]
    InvalidRegion(String),
    /// A retry mode that the AWS CLI v2 does not know.
    #[error("Invalid value provided to \"mode\": \"{0}\" must be one of: \"standard\" or \"adaptive\"")]
    InvalidRetryMode(String),
    /// A number of attempts that is none.
    #[error("Value provided to \"max_attempts\": {0} must be an integer greater than or equal to one.")]
    InvalidMaxAttempts(String),
    /// The certificates to trust cannot be read.
    #[error("Could not find a suitable TLS CA certificate bundle, invalid path: {}", .0.display())]
    NoCaBundle(PathBuf),
    /// No source has credentials.
    #[error("Unable to locate credentials")]
    NoCredentials,
    /// One half of a key pair is set.
    #[error("Partial credentials found in env, missing: {missing}")]
    PartialCredentials {
        /// The variable that is missing.
        missing: &'static str,
    },
    /// A source of credentials failed.
    #[error("Error when retrieving credentials: {0}")]
    Credentials(String),
    /// Nobody listens, or the name is unknown.
    #[error("Could not connect to the endpoint URL: \"{url}\"")]
    CannotConnect {
        /// The URL of the request.
        url: String,
    },
    /// The connection was not made in time.
    #[error("Connect timeout on endpoint URL: \"{url}\"")]
    ConnectTimeout {
        /// The URL of the request.
        url: String,
    },
    /// The answer did not come in time.
    #[error("Read timeout on endpoint URL: \"{url}\"")]
    ReadTimeout {
        /// The URL of the request.
        url: String,
    },
    /// The server hung up without a whole answer.
    #[error("Connection was closed before we received a valid response from endpoint URL: \"{url}\".")]
    ConnectionClosed {
        /// The URL of the request.
        url: String,
    },
    /// No trust in the server's certificate, or no TLS at all.
    #[error("SSL validation failed for {url} {reason}")]
    Tls {
        /// The URL of the request.
        url: String,
        /// What rustls found wrong.
        reason: String,
    },
    /// The connection broke in the middle of the payload.
    #[error("{read} read, but total bytes expected is {expected}.")]
    PayloadCutShort {
        /// Bytes that came.
        read: u64,
        /// Bytes that were announced.
        expected: u64,
    },
    /// The service refused.
    #[error("An error occurred ({code}) when calling the Invoke operation{}: {message}", .retries.map_or_else(String::new, |retries| format!(" (reached max retries: {retries})")))]
    Service {
        /// AWS's name of the error.
        code: String,
        /// The service's text.
        message: String,
        /// How often the call was repeated, when no attempt was left.
        retries: Option<u32>,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// What the SDK reports, in our words. botocore says "reached max retries" whenever no attempt was left, also when the
/// last error was none to retry (`botocore/retries/standard.py`, `MaxAttemptsChecker`).
pub(super) fn from_sdk<E>(failure: &SdkError<E>, url: String, attempts: u32, max_attempts: u32) -> ClientError
where
    E: Error + Send + Sync + 'static,
{
    match failure {
        SdkError::ServiceError(_) | SdkError::ResponseError(_) => match failure.raw_response() {
            Some(response) if !response.status().is_success() => {
                let (code, message) = service_error(response);
                let retries = (attempts >= max_attempts).then(|| attempts.saturating_sub(1));
                ClientError::Service { code, message, retries }
            }
            _ => ClientError::Other(innermost(failure)),
        },
        SdkError::TimeoutError(_) => ClientError::ReadTimeout { url },
        SdkError::DispatchFailure(dispatch) => {
            let Some(connector) = dispatch.as_connector_error() else {
                return ClientError::Other(innermost(failure));
            };
            let tls = find::<rustls::Error>(connector);
            let connecting = find::<hyper_util::client::legacy::Error>(connector)
                .is_some_and(hyper_util::client::legacy::Error::is_connect);
            if connector.is_timeout() {
                if connecting { ClientError::ConnectTimeout { url } } else { ClientError::ReadTimeout { url } }
            } else if let Some(tls) = tls {
                ClientError::Tls { url, reason: tls.to_string() }
            } else if connecting {
                ClientError::CannotConnect { url }
            } else if connector.is_user() {
                ClientError::Other(innermost(failure))
            } else {
                ClientError::ConnectionClosed { url }
            }
        }
        _ => ClientError::Other(innermost(failure)),
    }
}

/// Code and message as botocore reads them (`botocore/parsers.py`, `RestJSONParser`): the code from the header or the
/// body, the body itself as the message when it is no JSON, and the status alone when a proxy answered for the service.
fn service_error(response: &HttpResponse) -> (String, String) {
    let status = response.status().as_u16();
    let body = response.body().bytes().unwrap_or_default();
    let trimmed = body.trim_ascii();
    if status >= 500 && (trimmed.is_empty() || trimmed.starts_with(b"<html>")) {
        let reason = ::http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        return (status.to_string(), reason.unwrap_or_default().to_owned());
    }
    let text = String::from_utf8_lossy(body);
    let fields = if body.is_empty() {
        serde_json::Map::new()
    } else {
        match serde_json::from_slice(body) {
            Ok(serde_json::Value::Object(fields)) => fields,
            _ => [("message".to_owned(), serde_json::Value::from(text.as_ref()))].into_iter().collect(),
        }
    };
    let message = fields.get("message").or_else(|| fields.get("Message")).map_or_else(String::new, as_python);
    let header = response.headers().get("x-amzn-errortype");
    let code = if let Some(header) = header {
        header.split(':').next().unwrap_or_default().to_owned()
    } else if let Some(code) = fields.get("code").or_else(|| fields.get("Code")) {
        as_python(code)
    } else if let Some(kind) = fields.get("__type") {
        let kind = as_python(kind);
        kind.rsplit('#').next().unwrap_or_default().to_owned()
    } else {
        status.to_string()
    };
    (code, message)
}

/// A JSON value as Python's `str` shows it: a message of `null` is printed as `None`.
fn as_python(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "None".to_owned(),
        serde_json::Value::Bool(true) => "True".to_owned(),
        serde_json::Value::Bool(false) => "False".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The last cause: what really happened, without the layers that passed it on.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map_or_else(String::new, ToString::to_string)
}

pub(super) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref::<E>())
}

/// The error and its causes. The payload of an `io::Error` is one of them, though `source` skips it.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<std::io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    })
}
