//! A service elsewhere that the engine calls: its clients, one for each region, and its failures in one line for people.
//!
//! Endpoint, region and credentials come from where the command line's client has them. Never here: what is asked.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::{AppName, BehaviorVersion, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_lambda::config::StalledStreamProtectionConfig;
use aws_sdk_lambda::config::http::HttpResponse;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};

use super::error::{find, from_sdk};
use super::http::Tls;
use super::settings::Settings;
use super::{ClientError, Target, credentials};

/// How long to wait for a connection, and for the whole call with all its attempts: longer than the longest poll of a
/// queue, 20 seconds.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
const CALL_WAIT: Duration = Duration::from_secs(30);
/// Attempts of the SDK; whoever calls tries again for hours.
const ATTEMPTS: u32 = 2;
/// Regions of one service with a client that is kept.
const CLIENTS_MAX: usize = 32;
/// Bytes of a failure's text.
const TEXT_BYTES_MAX: usize = 1_024;

/// How a service is called.
#[derive(Debug)]
pub(crate) struct Name {
    /// In AWS's settings and after `--endpoint`.
    pub(crate) key: &'static str,
    /// By people.
    pub(crate) spoken: &'static str,
}

/// One service. `C` is the SDK's client.
pub(crate) struct Service<C> {
    name: Name,
    target: Target,
    make: fn(&SdkConfig) -> C,
    kept: Mutex<BTreeMap<String, Arc<Line<C>>>>,
}

impl<C> std::fmt::Debug for Service<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("name", &self.name).field("target", &self.target).finish_non_exhaustive()
    }
}

/// A client, and where it calls.
struct Line<C> {
    client: C,
    at: String,
}

/// Why a call brought nothing.
#[derive(Debug)]
pub(crate) struct Failure {
    /// One line: the service's own words or who did not answer, and what to do.
    pub(crate) why: String,
    /// The service's name of the error; none where nobody answered.
    pub(crate) code: Option<String>,
    /// Where S3 says that the bucket is.
    pub(crate) bucket_region: Option<String>,
}

impl<C: Clone> Service<C> {
    /// The one at the endpoint of its name, else where the environment and the profile say, else AWS's own of the region.
    /// `region` is that of things without one.
    pub(crate) fn new(
        name: Name,
        endpoints: &BTreeMap<String, String>,
        region: &str,
        make: fn(&SdkConfig) -> C,
    ) -> Self {
        let target = Target {
            endpoint_url: endpoints.get(name.key).cloned(),
            aws: false,
            default_endpoint: None,
            region: Some(region.to_owned()),
            profile: None,
            sign: true,
            connect_timeout: Some(CONNECT_WAIT),
            read_timeout: None,
            ca_bundle: None,
            verify_tls: true,
        };
        Self { name, target, make, kept: Mutex::default() }
    }

    /// Calls it in a region, its own where that is empty. A client is kept until a call fails: settings and credentials
    /// that were mended meanwhile count.
    pub(crate) async fn call<T, E, F>(&self, region: &str, ask: impl FnOnce(C) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let line = self.line(region).await.map_err(|error| self.unanswered(&error))?;
        match ask(line.client.clone()).await {
            Ok(answer) => Ok(answer),
            Err(failure) => {
                self.kept.lock().expect("no holder of this lock panics").remove(region);
                Err(self.failure(&failure, &line.at))
            }
        }
    }

    async fn line(&self, region: &str) -> Result<Arc<Line<C>>, ClientError> {
        if let Some(line) = self.kept.lock().expect("no holder of this lock panics").get(region) {
            return Ok(Arc::clone(line));
        }
        let mut target = self.target.clone();
        if !region.is_empty() {
            target.region = Some(region.to_owned());
        }
        let settings = Settings::load(&target, self.name.key).await?;
        let tls = Tls::new(&target, &settings)?;
        let tls = if settings.is_plain_http() { Tls::none() } else { tls };
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(settings.region.clone())
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_WAIT).operation_timeout(CALL_WAIT).build())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS.min(settings.max_attempts)))
            // A queue without messages says nothing for 20 seconds: that is no stalled stream.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .app_name(AppName::new("lambd").expect("a valid application name"))
            .use_fips(settings.use_fips)
            .use_dual_stack(settings.use_dual_stack)
            .http_client(tls.client(settings.uses_proxy()));
        config.set_endpoint_url(settings.endpoint.clone());
        let at = match &settings.endpoint {
            Some(url) => url.clone(),
            None => format!("AWS's own of {} in {}", self.name.spoken, settings.region),
        };
        let sources = Sources { target, service: self.name.key };
        let config = config.credentials_provider(SharedCredentialsProvider::new(sources)).build();
        let line = Arc::new(Line { client: (self.make)(&config), at });
        let mut kept = self.kept.lock().expect("no holder of this lock panics");
        if kept.len() >= CLIENTS_MAX {
            kept.clear();
        }
        kept.insert(region.to_owned(), Arc::clone(&line));
        Ok(line)
    }

    fn failure<E>(&self, failure: &SdkError<E, HttpResponse>, at: &str) -> Failure
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let SdkError::ServiceError(refused) = failure else {
            // A source of credentials speaks through the SDK.
            return match find::<ClientError>(failure) {
                Some(error) => self.unanswered(error),
                None => self.unanswered(&from_sdk(failure, at.to_owned(), 0, u32::MAX)),
            };
        };
        let status = refused.raw().status().as_u16();
        let code = refused.err().code().map_or_else(|| status.to_string(), str::to_owned);
        let message = refused.err().message().filter(|message| !message.is_empty()).unwrap_or("no text");
        let bucket_region = refused.raw().headers().get("x-amz-bucket-region").map(str::to_owned);
        Failure { why: self.refused(&code, message, at), code: Some(code), bucket_region }
    }

    /// A refusal inside of an answer.
    pub(crate) fn refused_entry(&self, code: &str, message: &str) -> Failure {
        let why = self.refused(code, message, "");
        Failure { why, code: Some(code.to_owned()), bucket_region: None }
    }

    fn refused(&self, code: &str, message: &str, at: &str) -> String {
        let Name { key, spoken } = self.name;
        let at = if at.is_empty() { String::new() } else { format!(" ({at})") };
        let stop = if message.ends_with('.') { "" } else { "." };
        let remedy = match Remedy::of(code) {
            None => String::new(),
            Some(Remedy::Create) => {
                format!(" What to do: create it there, or name the {spoken} that has it with --endpoint {key}=URL.")
            }
            Some(Remedy::Credentials) => format!(
                " What to do: give the engine credentials that may do it, or name another {spoken} with --endpoint \
                 {key}=URL."
            ),
        };
        one_line(&format!("{spoken}{at} refused: {code}: {message}{stop}{remedy}"))
    }

    /// The text for one who was not reached, or not even called.
    fn unanswered(&self, error: &ClientError) -> Failure {
        let Name { key, spoken } = self.name;
        let variable = key.to_ascii_uppercase();
        let remedy = match error {
            ClientError::NoCredentials | ClientError::PartialCredentials { .. } | ClientError::Credentials(_) => {
                format!(
                    "give the engine credentials for {spoken} (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
                 AWS_PROFILE), or name another {spoken} with --endpoint {key}=URL"
                )
            }
            _ => format!("{spoken} is AWS's, or where --endpoint {key}=URL or AWS_ENDPOINT_URL_{variable} say"),
        };
        Failure { why: one_line(&format!("{error}. What to do: {remedy}.")), code: None, bucket_region: None }
    }
}

impl Failure {
    /// What is wrong before anybody is called.
    pub(crate) fn of(why: &str) -> Self {
        Self { why: one_line(why), code: None, bucket_region: None }
    }
}

/// What helps against a refusal.
enum Remedy {
    Create,
    Credentials,
}

impl Remedy {
    fn of(code: &str) -> Option<Self> {
        // The services' API references, "Common errors"; each says it in its own way.
        match code {
            "AWS.SimpleQueueService.NonExistentQueue"
            | "QueueDoesNotExist"
            | "NotFound"
            | "NotFoundException"
            | "ResourceNotFoundException"
            | "NoSuchBucket" => Some(Self::Create),
            "AccessDenied"
            | "AccessDeniedException"
            | "AuthorizationError"
            | "AuthFailure"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "IncompleteSignature"
            | "InvalidAccessKeyId"
            | "InvalidClientTokenId"
            | "InvalidSecurity"
            | "InvalidSignatureException"
            | "InvalidToken"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClientException" => Some(Self::Credentials),
            _ => None,
        }
    }
}

fn one_line(text: &str) -> String {
    let mut line: String = text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
    line.truncate(line.floor_char_boundary(TEXT_BYTES_MAX));
    line
}

/// Where credentials are looked for, each time that the SDK wants some.
#[derive(Debug)]
struct Sources {
    target: Target,
    service: &'static str,
}

impl Sources {
    async fn find(&self) -> Result<aws_credential_types::Credentials, ClientError> {
        let settings = Settings::load(&self.target, self.service).await?;
        let tls = Tls::new(&self.target, &settings)?;
        credentials::find(&self.target, &settings, &tls).await
    }
}

impl ProvideCredentials for Sources {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async { self.find().await.map_err(CredentialsError::provider_error) })
    }
}
