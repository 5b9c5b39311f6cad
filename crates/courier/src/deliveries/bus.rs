//! An event for a bus of EventBridge.

use std::collections::BTreeMap;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use bytes::Bytes;
use domain::destination::BUS_SOURCE;

use super::{no_arn, text};
use crate::arn::Arn;
use crate::client::service::{Failure, Name, Service};

#[derive(Debug)]
pub(super) struct Buses {
    service: Service<Client>,
}

impl Buses {
    pub(super) fn new(endpoints: &BTreeMap<String, String>, region: &str) -> Self {
        let name = Name { key: "eventbridge", spoken: "EventBridge" };
        Self { service: Service::new(name, endpoints, region, Client::new) }
    }

    /// An entry can be refused although the call succeeds (Amazon EventBridge API reference, PutEvents).
    pub(super) async fn put(
        &self,
        arn: String,
        detail_type: &str,
        resources: Vec<String>,
        detail: &Bytes,
    ) -> Result<(), Failure> {
        let region = Arn::read(&arn, "events").ok_or_else(|| no_arn(&arn, "an event bus"))?.region.to_owned();
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(arn)
            .source(BUS_SOURCE)
            .detail_type(detail_type)
            .set_resources(Some(resources))
            .detail(text(detail)?)
            .build();
        let answer = self.service.call(&region, |client| client.put_events().entries(entry).send()).await?;
        if answer.failed_entry_count() == 0 {
            return Ok(());
        }
        let refused = answer.entries().iter().find(|entry| entry.error_code().is_some());
        let code = refused.and_then(|entry| entry.error_code()).unwrap_or("an entry failed");
        let message = refused.and_then(|entry| entry.error_message()).unwrap_or("no text");
        Err(self.service.refused_entry(code, message))
    }
}
