//! An event for a function that another Lambda has.

use std::collections::BTreeMap;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use bytes::Bytes;

use super::no_arn;
use crate::arn::Arn;
use crate::client::service::{Failure, Name, Service};

#[derive(Debug)]
pub(super) struct Functions {
    service: Service<Client>,
}

impl Functions {
    pub(super) fn new(endpoints: &BTreeMap<String, String>, region: &str) -> Self {
        Self { service: Service::new(Name { key: "lambda", spoken: "Lambda" }, endpoints, region, Client::new) }
    }

    pub(super) async fn invoke(&self, arn: &str, payload: &Bytes, trace: Option<String>) -> Result<(), Failure> {
        let found = Arn::read(arn, "lambda").ok_or_else(|| no_arn(arn, "a function"))?;
        // function:NAME[:QUALIFIER]
        let qualifier = found.resource.splitn(3, ':').nth(2);
        let unqualified = qualifier.map_or(arn, |qualifier| &arn[..arn.len() - qualifier.len() - 1]);
        let invoke = |client: Client| {
            client
                .invoke()
                .function_name(unqualified)
                .set_qualifier(qualifier.map(str::to_owned))
                .invocation_type(InvocationType::Event)
                .payload(Blob::new(payload.as_ref()))
                .customize()
                .mutate_request(move |request| {
                    if let Some(trace) = &trace {
                        // What is no header's value came from no header; then there is no loop to be found.
                        let _ = request.headers_mut().try_insert("x-amzn-trace-id", trace.clone());
                    }
                })
                .send()
        };
        self.service.call(found.region, invoke).await.map(drop)
    }
}
