//! What the environment and the profile say about a call, in the AWS CLI's order (AWS SDKs and Tools reference guide,
//! "Service-specific endpoints"; AWS CLI user guide, "Environment variables").

use std::borrow::Cow;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::{Profile, ProfileFileLoadError, ProfileSet};
use aws_config::provider_config::ProviderConfig;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_runtime::env_config::property::PropertiesKey;
use aws_sdk_lambda::config::Region;
use aws_types::os_shim_internal::{Env, Fs};

use super::http::Tls;
use super::{ClientError, Target};

/// The settings that hold for one call.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) env: Env,
    pub(super) profile_name: String,
    pub(super) profile: Option<Profile>,
    pub(super) endpoint: Option<String>,
    pub(super) is_loopback: bool,
    pub(super) region: Region,
    pub(super) max_attempts: u32,
    pub(super) adaptive_retries: bool,
    pub(super) use_fips: bool,
    pub(super) use_dual_stack: bool,
}

impl Settings {
    /// `service` is named as in AWS's settings: `lambda`.
    pub(super) async fn load(target: &Target, service: &str) -> Result<Self, ClientError> {
        let env = Env::real();
        // The AWS CLI looks at both names, the older one first (botocore/configprovider.py).
        let named = given(target.profile.clone())
            .or_else(|| variable(&env, "AWS_DEFAULT_PROFILE"))
            .or_else(|| variable(&env, "AWS_PROFILE"));
        let profile_name = named.clone().unwrap_or_else(|| "default".to_owned());
        let files = aws_config::profile::load(
            &Fs::real(),
            &env,
            &EnvConfigFiles::default(),
            Some(Cow::Owned(profile_name.clone())),
        )
        .await
        .map_err(|failure| unreadable(&failure))?;
        let profile = files.get_profile(&profile_name).cloned();
        if let (Some(named), None) = (named, &profile) {
            return Err(ClientError::ProfileNotFound(named));
        }
        let lookup = Lookup { env: &env, profile: profile.as_ref() };

        let endpoint = endpoint(target, service, &lookup, &files)?;
        let is_loopback = endpoint.as_deref().is_some_and(is_loopback);
        let region = region(target, &lookup, is_loopback).await?;
        let max_attempts = match lookup.text("AWS_MAX_ATTEMPTS", "max_attempts") {
            None => 3,
            Some(text) => match text.trim().parse() {
                Ok(attempts) if attempts > 0 => attempts,
                _ => return Err(ClientError::InvalidMaxAttempts(text)),
            },
        };
        let adaptive_retries = match lookup.text("AWS_RETRY_MODE", "retry_mode").as_deref() {
            None | Some("standard") => false,
            Some("adaptive") => true,
            Some(other) => return Err(ClientError::InvalidRetryMode(other.to_owned())),
        };
        let use_fips = lookup.flag("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint");
        let use_dual_stack = lookup.flag("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint");
        Ok(Self {
            profile_name,
            profile,
            endpoint,
            is_loopback,
            region: Region::new(region),
            max_attempts,
            adaptive_retries,
            use_fips,
            use_dual_stack,
            env,
        })
    }

    pub(super) fn profile_setting(&self, key: &str) -> Option<&str> {
        self.profile.as_ref()?.get(key)
    }

    pub(super) fn variable(&self, name: &str) -> Option<String> {
        variable(&self.env, name)
    }

    pub(super) fn is_plain_http(&self) -> bool {
        self.endpoint.as_deref().is_some_and(|url| url.starts_with("http://"))
    }

    /// A proxy stands between us and other machines, never between us and this one.
    pub(super) fn uses_proxy(&self) -> bool {
        !self.is_loopback
    }
}

struct Lookup<'a> {
    env: &'a Env,
    profile: Option<&'a Profile>,
}

impl Lookup<'_> {
    fn text(&self, name: &str, key: &str) -> Option<String> {
        variable(self.env, name).or_else(|| given(self.profile?.get(key).map(str::to_owned)))
    }

    fn flag(&self, name: &str, key: &str) -> bool {
        self.text(name, key).is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }
}

fn variable(env: &Env, name: &str) -> Option<String> {
    given(env.get(name).ok())
}

fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// `None` means AWS's own endpoint of the region.
fn endpoint(
    target: &Target,
    service: &str,
    lookup: &Lookup<'_>,
    files: &ProfileSet,
) -> Result<Option<String>, ClientError> {
    if target.aws {
        return Ok(None);
    }
    let ignored = lookup.flag("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls");
    let configured = || {
        variable(lookup.env, &format!("AWS_ENDPOINT_URL_{}", service.to_ascii_uppercase()))
            .or_else(|| variable(lookup.env, "AWS_ENDPOINT_URL"))
            .or_else(|| service_section(service, lookup, files))
            .or_else(|| given(lookup.profile?.get("endpoint_url").map(str::to_owned)))
    };
    let url = match &target.endpoint_url {
        Some(url) => Some(url.clone()),
        None => if ignored { None } else { configured() }.or_else(|| target.default_endpoint.clone()),
    };
    url.as_deref().map_or(Ok(()), check_endpoint)?;
    Ok(url)
}

/// `services = NAME` in the profile, `[services NAME]` with `lambda =` (or `s3 =`) and an indented `endpoint_url` in the file.
fn service_section(service: &str, lookup: &Lookup<'_>, files: &ProfileSet) -> Option<String> {
    let key = PropertiesKey::builder()
        .section_key("services")
        .section_name(lookup.profile?.get("services")?)
        .property_name(service)
        .sub_property_name("endpoint_url")
        .build()
        .ok()?;
    given(files.other_sections().get(&key).cloned())
}

fn check_endpoint(url: &str) -> Result<(), ClientError> {
    let invalid = || ClientError::InvalidEndpoint(url.to_owned());
    let uri: ::http::Uri = url.parse().map_err(|_| invalid())?;
    let host = uri.host().ok_or_else(invalid)?;
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_ipv6 = host.starts_with('[');
    if !is_ipv6 && !host.strip_suffix('.').unwrap_or(host).split('.').all(is_label) {
        return Err(invalid());
    }
    match uri.scheme_str() {
        Some("http" | "https") => Ok(()),
        Some(other) => Err(ClientError::UnknownScheme(other.to_owned())),
        None => Err(invalid()),
    }
}

fn is_loopback(url: &str) -> bool {
    let Ok(uri) = url.parse::<::http::Uri>() else {
        return false;
    };
    let Some(host) = uri.host() else { return false };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = host.parse::<std::net::IpAddr>() {
        return address.is_loopback();
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

async fn region(target: &Target, lookup: &Lookup<'_>, is_loopback: bool) -> Result<String, ClientError> {
    let region = match given(target.region.clone()) {
        Some(region) => region,
        None => match EnvironmentVariableRegionProvider::new().region().await.map(|region| region.to_string()) {
            Some(region) if !region.is_empty() => region,
            _ => match given(lookup.profile.and_then(|profile| profile.get("region")).map(str::to_owned)) {
                Some(region) => region,
                None if is_loopback => "us-east-1".to_owned(),
                None => region_of_this_machine().await.ok_or(ClientError::NoRegion)?,
            },
        },
    };
    // botocore/utils.py, validate_region_name: what can stand in a host name.
    let is_label = region.len() <= 63
        && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !region.starts_with('-')
        && !region.ends_with('-')
        && !region.bytes().all(|byte| byte.is_ascii_digit());
    if is_label { Ok(region) } else { Err(ClientError::InvalidRegion(region)) }
}

/// On EC2, as the AWS CLI v2 does; the provider heeds `AWS_EC2_METADATA_DISABLED`.
async fn region_of_this_machine() -> Option<String> {
    let config = ProviderConfig::without_region().with_http_client(Tls::none().client(false));
    let region = ImdsRegionProvider::builder().configure(&config).build().region().await?;
    Some(region.to_string())
}

fn unreadable(failure: &ProfileFileLoadError) -> ClientError {
    let reason = super::error::innermost(failure);
    // "error parsing PATH on line N:", aws-runtime's text of a parse error
    let path = match failure {
        ProfileFileLoadError::ParseError { .. } => {
            reason.strip_prefix("error parsing ").and_then(|rest| rest.split(" on line ").next()).map(str::to_owned)
        }
        ProfileFileLoadError::CouldNotReadFile { .. } => failure.to_string().split('`').nth(1).map(str::to_owned),
    };
    ClientError::ConfigUnreadable { path: path.unwrap_or_default(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_names() {
        for url in [
            "http://127.0.0.1:4566",
            "http://127.9.9.9",
            "http://localhost/",
            "https://Api.LocalHost:1",
            "http://[::1]:1",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["http://10.0.0.1", "http://localhost.example.com", "https://lambda.us-east-1.amazonaws.com", "x"] {
            assert!(!is_loopback(url), "{url}");
        }
    }

    #[test]
    fn an_endpoint_has_a_scheme_and_a_host() {
        for url in ["http://localhost:4566", "https://a-b.example/prefix/", "http://[::1]:1", "http://under_score"] {
            assert!(check_endpoint(url).is_ok(), "{url}");
        }
        for url in ["http://", "localhost:4566", "http://bad host/", "http://-x", "http://a..b", ""] {
            assert!(matches!(check_endpoint(url), Err(ClientError::InvalidEndpoint(_))), "{url}");
        }
        assert!(matches!(check_endpoint("ftp://x"), Err(ClientError::UnknownScheme(scheme)) if scheme == "ftp"));
    }
}
