//! A message for a queue of SQS.

use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends as SystemName, MessageSystemAttributeValue,
};
use bytes::Bytes;
use domain::destination::Attribute;

use super::{plain, text};
use crate::client::service::Failure;
use crate::queues::Queues;

pub(super) async fn send(
    queues: &Queues,
    arn: &str,
    body: &Bytes,
    attributes: &[Attribute],
    trace: Option<String>,
) -> Result<(), Failure> {
    let body = text(body)?;
    let attribute = |one: &Attribute| {
        let value = MessageAttributeValue::builder().data_type(one.kind.as_str()).string_value(plain(&one.value));
        (one.name.to_owned(), value.build().expect("it has a type"))
    };
    let attributes = (!attributes.is_empty()).then(|| attributes.iter().map(attribute).collect());
    let trace = trace.map(|trace| {
        let value = MessageSystemAttributeValue::builder().data_type("String").string_value(trace).build();
        [(SystemName::AwsTraceHeader, value.expect("it has a type"))].into()
    });
    let send = |client: aws_sdk_sqs::Client, url| {
        let message = client.send_message().queue_url(url).message_body(body);
        message.set_message_attributes(attributes).set_message_system_attributes(trace).send()
    };
    queues.call(arn, send).await.map(drop)
}
