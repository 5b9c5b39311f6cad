//! The Lambda client that our command line uses: one `Invoke`, as the AWS CLI would have sent it.
//!
//! Where it calls, with which credentials, and what can go wrong on the way, each error in the words of botocore, so
//! that scripts which read the AWS CLI's error line read ours. Never here: what is printed, and exit codes.

mod credentials;
mod error;
mod http;
pub(crate) mod objects;
pub(crate) mod service;
mod settings;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_lambda::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::config::{
    AppName, BehaviorVersion, ConfigBag, Intercept, RuntimeComponents, StalledStreamProtectionConfig,
};
use aws_sdk_lambda::error::BoxError;
use aws_sdk_lambda::primitives::{Blob, ByteStream, SdkBody};
use aws_sdk_lambda::types::{InvocationType, LogType};
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use bytes::Bytes;

pub use error::ClientError;
use settings::Settings;

/// Where to call, and how; what a flag did not say is taken from the environment and the profile.
#[derive(Debug, Clone)]
pub struct Target {
    /// The endpoint given by the user; goes before everything configured.
    pub endpoint_url: Option<String>,
    /// Call AWS itself, whatever endpoint is configured.
    pub aws: bool,
    /// Called when no endpoint is given or configured; AWS itself where there is none.
    pub default_endpoint: Option<String>,
    /// The region given by the user.
    pub region: Option<String>,
    /// The profile given by the user.
    pub profile: Option<String>,
    /// Whether requests are signed; without, no credentials are looked for.
    pub sign: bool,
    /// How long to wait for a connection; `None` waits forever.
    pub connect_timeout: Option<Duration>,
    /// How long to wait between two reads of the socket; `None` waits forever.
    pub read_timeout: Option<Duration>,
    /// The certificates to trust, given by the user (a PEM file).
    pub ca_bundle: Option<PathBuf>,
    /// Whether the server's certificate is verified.
    pub verify_tls: bool,
}

/// What to invoke; the names are those of the `Invoke` operation.
#[derive(Debug, Clone, Default)]
pub struct Invocation {
    /// Name, partial ARN or ARN of the function.
    pub function_name: String,
    /// `RequestResponse`, `Event` or `DryRun`; passed on as written, the service judges it.
    pub invocation_type: Option<String>,
    /// `None` or `Tail`.
    pub log_type: Option<String>,
    /// Base64 of a JSON document.
    pub client_context: Option<String>,
    /// Name of the durable execution.
    pub durable_execution_name: Option<String>,
    /// The event.
    pub payload: Option<Vec<u8>>,
    /// Version or alias.
    pub qualifier: Option<String>,
    /// Tenant of a function with tenant isolation.
    pub tenant_id: Option<String>,
}

/// The service's answer. The payload is still on its way.
#[derive(Debug)]
pub struct Invoked {
    /// The status of the HTTP answer.
    pub status_code: u16,
    /// Set when the function failed.
    pub function_error: Option<String>,
    /// The tail of the log, base64.
    pub log_result: Option<String>,
    /// The version that ran.
    pub executed_version: Option<String>,
    /// The durable execution that was started.
    pub durable_execution_arn: Option<String>,
    /// What the function answered.
    pub payload: Payload,
}

/// The body of an answer, read as it comes.
#[derive(Debug)]
pub struct Payload {
    stream: ByteStream,
    bytes_read: u64,
    bytes_expected: Option<u64>,
    read_timeout: Option<Duration>,
    url: String,
}

impl Payload {
    /// The next bytes, or `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        let next = self.stream.next();
        let read = match self.read_timeout {
            Some(limit) => tokio::time::timeout(limit, next)
                .await
                .map_err(|_| ClientError::ReadTimeout { url: self.url.clone() })?,
            None => next.await,
        };
        match read {
            Some(Ok(bytes)) => {
                self.bytes_read += bytes.len() as u64;
                Ok(Some(bytes))
            }
            Some(Err(source)) => Err(match self.bytes_expected {
                Some(expected) if self.bytes_read < expected => {
                    ClientError::PayloadCutShort { read: self.bytes_read, expected }
                }
                _ => ClientError::Other(error::innermost(&source)),
            }),
            None => Ok(None),
        }
    }
}

/// A client of one Lambda endpoint.
#[derive(Debug)]
pub struct LambdaClient {
    target: Target,
    settings: Settings,
}

impl LambdaClient {
    /// Finds out where to call. Credentials are looked for only when something is invoked, as the AWS CLI does, so
    /// that a mistaken parameter is reported before a missing credential.
    pub async fn connect(target: Target) -> Result<Self, ClientError> {
        let settings = Settings::load(&target, "lambda").await?;
        Ok(Self { target, settings })
    }

    /// The endpoint that will be called; `None` means AWS's own for the region.
    pub fn endpoint(&self) -> Option<&str> {
        self.settings.endpoint.as_deref()
    }

    /// Whether the endpoint is on this machine.
    pub fn is_loopback(&self) -> bool {
        self.settings.is_loopback
    }

    /// A setting of the environment, or else of the selected profile.
    pub fn setting(&self, variable: &str, key: &str) -> Option<String> {
        self.settings.variable(variable).or_else(|| self.settings.profile_setting(key).map(str::to_owned))
    }

    /// Invokes a function.
    pub async fn invoke(&self, invocation: Invocation) -> Result<Invoked, ClientError> {
        let witness = Witness::default();
        let request = self
            .sdk_client()
            .await?
            .invoke()
            .function_name(invocation.function_name)
            .set_invocation_type(invocation.invocation_type.as_deref().map(InvocationType::from))
            .set_log_type(invocation.log_type.as_deref().map(LogType::from))
            .set_client_context(invocation.client_context)
            .set_durable_execution_name(invocation.durable_execution_name)
            .set_payload(invocation.payload.map(Blob::new))
            .set_qualifier(invocation.qualifier)
            .set_tenant_id(invocation.tenant_id)
            .customize()
            .interceptor(witness.clone());
        let answer = request.send().await;
        let seen = witness.into_seen();
        match answer {
            Ok(output) => Ok(Invoked {
                status_code: seen.status,
                function_error: output.function_error,
                log_result: output.log_result,
                executed_version: output.executed_version,
                durable_execution_arn: output.durable_execution_arn,
                payload: Payload {
                    stream: ByteStream::new(seen.body),
                    bytes_read: 0,
                    bytes_expected: seen.content_length,
                    read_timeout: self.target.read_timeout,
                    url: seen.url,
                },
            }),
            Err(failure) => Err(error::from_sdk(&failure, seen.url, seen.attempts, self.settings.max_attempts)),
        }
    }

    async fn sdk_client(&self) -> Result<aws_sdk_lambda::Client, ClientError> {
        let tls = http::Tls::new(&self.target, &self.settings)?;
        let mut timeouts = TimeoutConfig::builder();
        timeouts = match self.target.connect_timeout {
            Some(limit) => timeouts.connect_timeout(limit),
            None => timeouts.disable_connect_timeout(),
        };
        timeouts = match self.target.read_timeout {
            Some(limit) => timeouts.read_timeout(limit),
            None => timeouts.disable_read_timeout(),
        };
        // Back-off of the AWS CLI v2: random(0..1) * 2^n seconds, at most 20 (botocore/retries/standard.py).
        let retries = if self.settings.adaptive_retries { RetryConfig::adaptive() } else { RetryConfig::standard() }
            .with_max_attempts(self.settings.max_attempts)
            .with_initial_backoff(Duration::from_secs(1))
            .with_max_backoff(Duration::from_secs(20));
        let mut config = aws_sdk_lambda::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(self.settings.region.clone())
            .timeout_config(timeouts.build())
            .retry_config(retries)
            // A function may think for minutes without a byte on the wire: that is no stalled stream.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .app_name(AppName::new("lambd").expect("a valid application name"))
            .use_fips(self.settings.use_fips)
            .use_dual_stack(self.settings.use_dual_stack);
        config.set_endpoint_url(self.settings.endpoint.clone());
        if self.target.sign {
            config = config.credentials_provider(credentials::find(&self.target, &self.settings, &tls).await?);
        } else {
            config = config.allow_no_auth();
        }
        let tls = if self.settings.is_plain_http() { http::Tls::none() } else { tls };
        config = config.http_client(tls.client(self.settings.uses_proxy()));
        Ok(aws_sdk_lambda::Client::from_conf(config.build()))
    }
}

/// What passed by on the wire, which the SDK does not tell.
#[derive(Debug)]
struct Seen {
    url: String,
    attempts: u32,
    status: u16,
    content_length: Option<u64>,
    body: SdkBody,
}

/// Sees each attempt, and keeps the body of a successful answer away from the SDK: the SDK would read it whole before
/// it says that the call was successful, and would call again when the connection breaks in the middle of it, although
/// the function has already run.
#[derive(Debug, Clone)]
struct Witness {
    attempts: Arc<AtomicU32>,
    seen: Arc<Mutex<Seen>>,
}

impl Default for Witness {
    fn default() -> Self {
        let seen = Seen { url: String::new(), attempts: 0, status: 0, content_length: None, body: SdkBody::empty() };
        Self { attempts: Arc::default(), seen: Arc::new(Mutex::new(seen)) }
    }
}

impl Witness {
    fn into_seen(self) -> Seen {
        let mut seen = self.seen.lock().expect("no holder of this lock panics");
        Seen {
            url: std::mem::take(&mut seen.url),
            attempts: self.attempts.load(Ordering::Relaxed),
            status: seen.status,
            content_length: seen.content_length,
            body: std::mem::replace(&mut seen.body, SdkBody::empty()),
        }
    }
}

#[dyn_dispatch_hint]
impl Intercept for Witness {
    fn name(&self) -> &'static str {
        "Witness"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let mut seen = self.seen.lock().expect("no holder of this lock panics");
        context.request().uri().clone_into(&mut seen.url);
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        if response.status().is_success() {
            let mut seen = self.seen.lock().expect("no holder of this lock panics");
            seen.status = response.status().as_u16();
            seen.content_length = response.headers().get("content-length").and_then(|length| length.parse().ok());
            seen.body = response.take_body();
            *response.body_mut() = SdkBody::empty();
        }
        Ok(())
    }
}
