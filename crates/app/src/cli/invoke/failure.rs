//! How an error ends `lambd invoke`: the AWS CLI's line word for word, the AWS CLI v2's exit code (its
//! `errorhandler.py`), and below, on lines of their own, what to do about it.

use std::io::Write;
use std::path::Path;

use courier::client::{ClientError, LambdaClient};

use super::input;
use crate::cli::usage::USAGE;
use crate::cli::value::python_repr;

const CONFIGURATION: u8 = 253;
const SERVICE: u8 = 254;
const GENERAL: u8 = 255;

/// An error as it is printed.
#[derive(Debug)]
pub(super) struct Failure {
    line: String,
    code: u8,
    hints: Vec<String>,
    is_payload_refused: bool,
}

impl Failure {
    pub(super) fn usage(line: impl Into<String>) -> Self {
        Self::new(line.into(), USAGE)
    }

    pub(super) fn general(line: impl Into<String>) -> Self {
        Self::new(line.into(), GENERAL)
    }

    fn new(line: String, code: u8) -> Self {
        Self { line, code, hints: Vec::new(), is_payload_refused: false }
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(super) fn of_outfile(error: &std::io::Error, path: &Path) -> Self {
        Self::general(format!("{}: {}", input::os_error(error), python_repr(&path.to_string_lossy())))
            .with_hint("the function has run, but its answer could not be written")
    }

    pub(super) fn of_client(error: &ClientError, client: Option<&LambdaClient>) -> Self {
        let line = error.to_string();
        match error {
            ClientError::NoRegion => Self::new(
                format!("{line} You can also configure your region by running \"aws configure\"."),
                CONFIGURATION,
            )
            .with_hint("name one with --region or AWS_REGION"),
            ClientError::NoCredentials => {
                Self::new(format!("{line}. You can configure credentials by running \"aws configure\"."), CONFIGURATION)
                    .with_hint("--profile names a profile that has some; --no-sign-request needs none")
            }
            ClientError::Service { code, .. } => {
                let mut failure = Self::new(line, SERVICE);
                failure.is_payload_refused = code == "InvalidRequestContentException";
                failure
            }
            ClientError::CannotConnect { .. } => match client.and_then(LambdaClient::endpoint) {
                Some(endpoint) if client.is_some_and(LambdaClient::is_loopback) => Self::general(line)
                    .with_hint(format!("nothing listens at {endpoint}; start an engine with: lambd serve"))
                    .with_hint("--endpoint-url calls another endpoint, --aws calls AWS itself"),
                Some(endpoint) => {
                    Self::general(line).with_hint(format!("{endpoint} was configured; --aws calls AWS itself"))
                }
                None => Self::general(line),
            },
            ClientError::ReadTimeout { .. } => Self::general(line)
                .with_hint("each attempt was an invocation of its own, and the function may still be running")
                .with_hint("--cli-read-timeout SECONDS waits longer, 0 without limit"),
            ClientError::ConnectTimeout { .. } => {
                Self::general(line).with_hint("--cli-connect-timeout SECONDS waits longer, 0 without limit")
            }
            ClientError::ProfileNotFound(_) => Self::general(line)
                .with_hint("profiles stand in ~/.aws/config as [profile NAME] and in ~/.aws/credentials as [NAME]"),
            ClientError::ConfigUnreadable { reason, .. } => Self::general(line).with_hint(reason.replace('\n', " ")),
            ClientError::Tls { .. } => Self::general(line)
                .with_hint("--ca-bundle FILE trusts other certificates; an engine on this machine speaks http://"),
            _ => Self::general(line),
        }
    }

    /// When the service could not read the payload: where it is no JSON.
    pub(super) fn with_payload_hint(self, payload: Option<&[u8]>) -> Self {
        let Some(payload) = payload.filter(|_| self.is_payload_refused) else {
            return self;
        };
        match serde_json::from_slice::<serde::de::IgnoredAny>(payload) {
            Ok(_) => self,
            Err(error) if input::is_base64_of_json(payload) => self
                .with_hint(format!("the payload is no JSON: {error}"))
                .with_hint("it is base64 of JSON: add --cli-binary-format base64, or give the JSON as it is"),
            Err(error) => self
                .with_hint(format!("the payload is no JSON: {error}"))
                .with_hint("a text needs quotes of its own: --payload '\"text\"'; a file is given as file://PATH"),
        }
    }

    /// Prints the error; the result is the exit code.
    pub(super) fn report(self) -> u8 {
        let mut stderr = std::io::stderr().lock();
        // When stderr is closed there is nobody left to tell.
        let _ = writeln!(stderr, "\n{}", self.line);
        for hint in &self.hints {
            let _ = writeln!(stderr, "help: {hint}");
        }
        self.code
    }
}
