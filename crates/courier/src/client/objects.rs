//! Code from S3, or from what speaks its language; the port `Objects`.
//!
//! Endpoint, region and credentials come from where the command line's client has them. Never here: what a package is.

use std::time::Duration;

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{AppName, BehaviorVersion};
use aws_sdk_s3::error::SdkError;
use bytes::{Bytes, BytesMut};
use domain::Error;
use domain::error::Refusal;
use engine::ports::{ObjectName, Objects, Wait};
use tokio::sync::Semaphore;

use super::error::from_sdk;
use super::http::Tls;
use super::settings::Settings;
use super::{ClientError, Target, credentials};

/// Objects fetched at the same time: each is in memory whole.
const FETCHES_MAX: usize = 2;
/// How long to wait for a connection, and between two reads.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
const READ_WAIT: Duration = Duration::from_secs(30);

/// An object store.
#[derive(Debug)]
pub struct ObjectStore {
    target: Target,
    room: Semaphore,
}

impl ObjectStore {
    /// The one at `endpoint`, else what the environment and the profile name, else AWS's own of the region.
    pub fn new(endpoint: Option<String>, region: String) -> Self {
        let target = Target {
            endpoint_url: endpoint,
            aws: false,
            default_endpoint: None,
            region: Some(region),
            profile: None,
            sign: true,
            connect_timeout: Some(CONNECT_WAIT),
            read_timeout: Some(READ_WAIT),
            ca_bundle: None,
            verify_tls: true,
        };
        Self { target, room: Semaphore::new(FETCHES_MAX) }
    }

    /// Made anew for each object, so that credentials that were renewed or configured meanwhile count.
    async fn client(&self) -> Result<(aws_sdk_s3::Client, Settings), ClientError> {
        let settings = Settings::load(&self.target, "s3").await?;
        let tls = Tls::new(&self.target, &settings)?;
        let credentials = credentials::find(&self.target, &settings, &tls).await?;
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_WAIT).read_timeout(READ_WAIT);
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(settings.region.clone())
            .credentials_provider(credentials)
            .timeout_config(timeouts.build())
            .retry_config(RetryConfig::standard().with_max_attempts(settings.max_attempts))
            .app_name(AppName::new("lambd").expect("a valid application name"))
            // A bucket's name before a host of somebody's own is a name that nobody resolves.
            .force_path_style(settings.endpoint.is_some())
            .use_fips(settings.use_fips)
            .use_dual_stack(settings.use_dual_stack);
        config.set_endpoint_url(settings.endpoint.clone());
        let tls = if settings.is_plain_http() { Tls::none() } else { tls };
        config = config.http_client(tls.client(settings.uses_proxy()));
        Ok((aws_sdk_s3::Client::from_conf(config.build()), settings))
    }

    async fn get(&self, object: ObjectName, bytes_max: u64) -> Result<Bytes, Error> {
        let _room = self.room.acquire().await.expect("never closed");
        let (client, settings) = self.client().await.map_err(|error| unreachable(&error))?;
        let request =
            client.get_object().bucket(object.bucket).key(object.key).set_version_id(object.version).send().await;
        let mut found = match request {
            Ok(found) => found,
            Err(SdkError::ServiceError(refused)) => {
                let about = refused.err().meta();
                let code = about.code().map_or_else(|| refused.raw().status().to_string(), str::to_owned);
                let message = about.message().unwrap_or_default().to_owned();
                return Err(Refusal::ObjectRefused { code, message }.into());
            }
            Err(failure) => {
                let url = settings.endpoint.unwrap_or_else(|| "AWS's own for S3".to_owned());
                return Err(unreachable(&from_sdk(&failure, url, 0, u32::MAX)));
            }
        };
        let announced = found.content_length().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
        let too_large = |bytes: u64| if bytes > bytes_max { Err(Refusal::UnzippedTooLarge) } else { Ok(()) };
        too_large(announced)?;
        let mut whole = BytesMut::with_capacity(usize::try_from(announced).unwrap_or(0));
        while let Some(piece) = found.body.next().await {
            let piece = piece.map_err(|error| unreachable(&ClientError::Other(error.to_string())))?;
            whole.extend_from_slice(&piece);
            too_large(whole.len() as u64)?;
        }
        Ok(whole.freeze())
    }
}

impl Objects for ObjectStore {
    fn fetch(&self, object: ObjectName, bytes_max: u64) -> Wait<'_, Result<Bytes, Error>> {
        Box::pin(self.get(object, bytes_max))
    }
}

/// Nobody gave an answer; the text says what to do about it.
fn unreachable(error: &ClientError) -> Error {
    let remedy = match error {
        ClientError::NoCredentials | ClientError::PartialCredentials { .. } | ClientError::Credentials(_) => {
            "give the engine credentials for S3 (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE), or name \
             another service with --endpoint s3=URL"
        }
        _ => "code from S3 is fetched from AWS, or from where --endpoint s3=URL or AWS_ENDPOINT_URL_S3 say",
    };
    Refusal::ObjectStoreUnreachable { why: format!("{error}. What to do: {remedy}.") }.into()
}
