//! An object for a bucket of S3.

use std::collections::BTreeMap;
use std::sync::Mutex;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use crate::client::service::{Failure, Name, Service};

/// Buckets of another region that are remembered.
const BUCKETS_MAX: usize = 1_000;

#[derive(Debug)]
pub(super) struct Objects {
    service: Service<Client>,
    regions: Mutex<BTreeMap<String, String>>,
}

impl Objects {
    pub(super) fn new(endpoints: &BTreeMap<String, String>, region: &str) -> Self {
        // A bucket's name before a host of somebody's own is a name that nobody resolves.
        let make = |config: &aws_config::SdkConfig| {
            let path_style = config.endpoint_url().is_some();
            Client::from_conf(Builder::from(config).force_path_style(path_style).build())
        };
        let service = Service::new(Name { key: "s3", spoken: "S3" }, endpoints, region, make);
        Self { service, regions: Mutex::default() }
    }

    /// A bucket's ARN has no region. S3 refuses a call in the wrong one and names the right one (Amazon S3 user guide,
    /// "Request routing"); then it is called once more.
    pub(super) async fn put(&self, bucket: String, key: String, body: Bytes) -> Result<(), Failure> {
        let put = |client: Client| {
            let body = ByteStream::from(body.clone());
            client.put_object().bucket(&bucket).key(&key).content_type("application/json").body(body).send()
        };
        let known = self.regions.lock().expect("no holder of this lock panics").get(&bucket).cloned();
        let known = known.unwrap_or_default();
        let Err(failure) = self.service.call(&known, put).await else { return Ok(()) };
        let elsewhere = match failure.bucket_region {
            Some(ref region) if *region != known && is_of_region(failure.code.as_deref()) => region.clone(),
            _ => return Err(failure),
        };
        self.service.call(&elsewhere, put).await?;
        let mut regions = self.regions.lock().expect("no holder of this lock panics");
        if regions.len() >= BUCKETS_MAX {
            regions.clear();
        }
        regions.insert(bucket, elsewhere);
        Ok(())
    }
}

/// Whether S3 means the region. It names the bucket's in other refusals, too.
fn is_of_region(code: Option<&str>) -> bool {
    const OF_REGION: [&str; 4] = [
        "PermanentRedirect",
        "TemporaryRedirect",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
    ];
    code.is_some_and(|code| OF_REGION.contains(&code))
}
