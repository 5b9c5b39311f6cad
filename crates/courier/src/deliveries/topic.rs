//! A message for a topic of SNS.

use std::collections::BTreeMap;

use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;
use bytes::Bytes;
use domain::destination::Attribute;

use super::{no_arn, plain, text};
use crate::arn::Arn;
use crate::client::service::{Failure, Name, Service};

#[derive(Debug)]
pub(super) struct Topics {
    service: Service<Client>,
}

impl Topics {
    pub(super) fn new(endpoints: &BTreeMap<String, String>, region: &str) -> Self {
        Self { service: Service::new(Name { key: "sns", spoken: "SNS" }, endpoints, region, Client::new) }
    }

    pub(super) async fn publish(&self, arn: String, body: &Bytes, attributes: &[Attribute]) -> Result<(), Failure> {
        let region = Arn::read(&arn, "sns").ok_or_else(|| no_arn(&arn, "a topic"))?.region.to_owned();
        let body = text(body)?;
        let attribute = |one: &Attribute| {
            let value = MessageAttributeValue::builder().data_type(one.kind.as_str()).string_value(plain(&one.value));
            (one.name.to_owned(), value.build().expect("it has a type"))
        };
        let attributes = (!attributes.is_empty()).then(|| attributes.iter().map(attribute).collect());
        let publish =
            |client: Client| client.publish().topic_arn(arn).message(body).set_message_attributes(attributes).send();
        self.service.call(&region, publish).await.map(drop)
    }
}
