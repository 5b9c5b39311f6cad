//! The credentials of a call, from the sources and in the order that the AWS CLI uses.

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_lambda::config::{Credentials, ProvideCredentials};

use super::http::Tls;
use super::settings::Settings;
use super::{ClientError, Target, error};

/// The credentials found. Towards this machine missing ones are `test`/`test`, as emulators have it; an engine that
/// checks signatures refuses them with AWS's own error.
pub(super) async fn find(target: &Target, settings: &Settings, tls: &Tls) -> Result<Credentials, ClientError> {
    let has_variable = |name| settings.variable(name).is_some();
    // A profile given as a flag goes before the environment (botocore/credentials.py, create_credential_resolver).
    let from_environment = target.profile.is_none();
    if from_environment && has_variable("AWS_ACCESS_KEY_ID") && !has_variable("AWS_SECRET_ACCESS_KEY") {
        return Err(ClientError::PartialCredentials { missing: "AWS_SECRET_ACCESS_KEY" });
    }
    let outward =
        ProviderConfig::without_region().with_region(Some(settings.region.clone())).with_http_client(tls.client(true));
    let inward = outward.clone().with_http_client(tls.client(false));

    let profile = ProfileFileCredentialsProvider::builder()
        .configure(&outward)
        .profile_name(settings.profile_name.clone())
        .build();
    let mut chain = if from_environment {
        CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
            .or_else("Profile", profile)
    } else {
        CredentialsProviderChain::first_try("Profile", profile)
    };
    if has_variable("AWS_WEB_IDENTITY_TOKEN_FILE") {
        let provider = WebIdentityTokenCredentialsProvider::builder().configure(&outward).build();
        chain = chain.or_else("WebIdentityToken", provider);
    }
    if has_variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || has_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
        chain = chain.or_else("EcsContainer", EcsCredentialsProvider::builder().configure(&inward).build());
    }
    match chain.provide_credentials().await {
        Ok(credentials) => Ok(credentials),
        Err(CredentialsError::CredentialsNotLoaded(_)) if settings.is_loopback => {
            Ok(Credentials::new("test", "test", None, None, "lambd"))
        }
        Err(CredentialsError::CredentialsNotLoaded(_)) => {
            let metadata_service = ImdsCredentialsProvider::builder().configure(&inward).build();
            // Whatever this last source says: on a machine that is not AWS's, anything may answer at its address.
            metadata_service.provide_credentials().await.map_err(|_| ClientError::NoCredentials)
        }
        Err(failure) => Err(ClientError::Credentials(error::innermost(&failure))),
    }
}
