//! Carries parcels to SQS, SNS, EventBridge, S3 and Lambda, wherever each of them is; the port `Courier`.
//!
//! Never here: what a document says, and when to try again.

mod bus;
mod function;
mod object;
mod queue;
mod topic;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use domain::destination::Parcel;
use engine::ports::{Courier, Undelivered, Wait};

use crate::client::service::Failure;
use crate::queues::Queues;

/// The services that take deliveries. Clients are made when they are first needed.
#[derive(Debug)]
pub struct Deliveries {
    queues: Arc<Queues>,
    topics: topic::Topics,
    buses: bus::Buses,
    objects: object::Objects,
    functions: function::Functions,
}

impl Deliveries {
    /// Each service at its endpoint (`sns`, `eventbridge`, `s3`, `lambda`), else where the environment and the profile
    /// say, else AWS's own. A target is called in the region of its ARN; `region` is that of buckets. The queues are
    /// handed in, since functions are fed from them, too.
    pub fn new(endpoints: &BTreeMap<String, String>, region: &str, queues: Arc<Queues>) -> Self {
        Self {
            queues,
            topics: topic::Topics::new(endpoints, region),
            buses: bus::Buses::new(endpoints, region),
            objects: object::Objects::new(endpoints, region),
            functions: function::Functions::new(endpoints, region),
        }
    }

    async fn carry(&self, parcel: Parcel) -> Result<(), Undelivered> {
        let carried = match parcel {
            Parcel::Queue { arn, body, attributes, trace } => {
                queue::send(&self.queues, &arn, &body, &attributes, trace).await
            }
            Parcel::Topic { arn, body, attributes } => self.topics.publish(arn, &body, &attributes).await,
            Parcel::Bus { arn, detail_type, resources, detail } => {
                self.buses.put(arn, detail_type, resources, &detail).await
            }
            Parcel::Object { bucket, key, body } => self.objects.put(bucket, key, body).await,
            Parcel::Function { arn, payload, trace } => self.functions.invoke(&arn, &payload, trace).await,
        };
        carried.map_err(|failure| Undelivered { why: failure.why })
    }
}

impl Courier for Deliveries {
    fn send(&self, parcel: Parcel) -> Wait<'_, Result<(), Undelivered>> {
        Box::pin(self.carry(parcel))
    }
}

/// A message's text; SQS, SNS and EventBridge take nothing else.
fn text(body: &Bytes) -> Result<String, Failure> {
    std::str::from_utf8(body).map(str::to_owned).map_err(|_| Failure::of("the message is no UTF-8 text"))
}

/// An attribute without the characters that SQS refuses, each of which would keep the message from ever arriving: an
/// error's message in colours has them (Amazon SQS API reference, SendMessage: "A message can include only XML, JSON,
/// and unformatted text").
fn plain(value: &str) -> String {
    let allowed = |one: char| matches!(one, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}');
    value.chars().map(|one| if allowed(one) { one } else { char::REPLACEMENT_CHARACTER }).collect()
}

fn no_arn(arn: &str, of: &str) -> Failure {
    Failure::of(&format!("{arn} is no ARN of {of}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_have_no_character_that_sqs_refuses() {
        assert_eq!(plain("\u{1b}[31mno\u{0}\tüber 😀\n\u{fffe}"), "\u{fffd}[31mno\u{fffd}\tüber 😀\n\u{fffd}");
    }
}
