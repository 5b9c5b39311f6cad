//! Tests of the courier against services as moto serves them, and against a server that notes what it is asked.

#![expect(clippy::unwrap_used, reason = "a test ends where what it needs is not there")]

mod deliveries;
mod failures;
mod queues;
mod recorder;
mod requests;

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use courier::{Deliveries, Queues};

/// Where buckets are, and whatever has no region.
const REGION: &str = "eu-west-1";

/// All services at one URL.
fn endpoints(url: &str) -> BTreeMap<String, String> {
    ["sqs", "sns", "eventbridge", "s3", "lambda"].map(|service| (service.to_owned(), url.to_owned())).into()
}

fn deliveries(url: &str) -> Deliveries {
    let endpoints = endpoints(url);
    Deliveries::new(&endpoints, REGION, Arc::new(Queues::new(&endpoints, REGION)))
}

/// How a test looks at the services itself.
fn client_config(url: &str, region: &'static str) -> SdkConfig {
    let tls =
        aws_smithy_http_client::tls::Provider::Rustls(aws_smithy_http_client::tls::rustls_provider::CryptoMode::Ring);
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .endpoint_url(url)
        .http_client(aws_smithy_http_client::Builder::new().tls_provider(tls).build_https())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
        .build()
}
