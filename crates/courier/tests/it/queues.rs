//! Queues that functions are fed from, as moto serves them.

use std::time::Duration;

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::MessageAttributeValue as Given;
use courier::Queues;
use engine::ports::{
    MessageAttribute, MessageAttributeValue, QueueAttributes, QueueFailure, QueueMessage, QueueSource as _, Receive,
};
use testkit::moto::Moto;

use crate::{REGION, client_config, endpoints};

const AT_ONCE: Receive = Receive { max: 10, wait: Duration::ZERO, visibility: None };
const HOUR: Duration = Duration::from_hours(1);

/// A queue of moto's, and ours of the same server.
struct Bench {
    sqs: aws_sdk_sqs::Client,
    url: String,
    queues: Queues,
    arn: String,
    _moto: Moto,
}

impl Bench {
    async fn start(test: &str) -> Option<Self> {
        let moto = Moto::start(test)?;
        let sqs = aws_sdk_sqs::Client::new(&client_config(&moto.url(), "us-west-2"));
        let visibility = aws_sdk_sqs::types::QueueAttributeName::VisibilityTimeout;
        let queue = sqs.create_queue().queue_name("q").attributes(visibility, "77").send().await.unwrap();
        let queues = Queues::new(&endpoints(&moto.url()), REGION);
        let arn = "arn:aws:sqs:us-west-2:123456789012:q".to_owned();
        Some(Self { sqs, url: queue.queue_url.unwrap(), queues, arn, _moto: moto })
    }

    async fn send(&self, body: &str) {
        self.sqs.send_message().queue_url(&self.url).message_body(body).send().await.unwrap();
    }

    /// Until there is nothing any more.
    async fn receive_all(&self, visibility: Duration) -> Vec<QueueMessage> {
        let mut all = Vec::new();
        let ask = Receive { visibility: Some(visibility), ..AT_ONCE };
        loop {
            let some = self.queues.receive(self.arn.clone(), ask).await.unwrap();
            if some.is_empty() {
                return all;
            }
            all.extend(some);
        }
    }
}

#[tokio::test]
async fn a_message_is_received_with_all_that_was_sent() {
    let Some(bench) = Bench::start("queues::a_message_is_received_with_all_that_was_sent").await else { return };
    let text = |kind: &str, value: &str| Given::builder().data_type(kind).string_value(value).build().unwrap();
    let binary = Given::builder().data_type("Binary").binary_value(Blob::new([0, 255])).build().unwrap();
    let sent = bench.sqs.send_message().queue_url(&bench.url).message_body("{\"ä\": 1}");
    let sent = sent
        .message_attributes("text", text("String", "ü"))
        .message_attributes("number", text("Number.int", "7"))
        .message_attributes("bytes", binary);
    let sent = sent.send().await.unwrap();

    let ask = Receive { max: 10, wait: Duration::from_secs(10), visibility: Some(HOUR) };
    let mut got = bench.queues.receive(bench.arn.clone(), ask).await.unwrap();
    assert_eq!(got.len(), 1);
    let got = got.pop().unwrap();
    assert_eq!((got.body.as_str(), Some(got.id)), ("{\"ä\": 1}", sent.message_id));
    assert_eq!(Some(got.body_md5), sent.md5_of_message_body);
    assert_eq!(got.message_attributes_md5, sent.md5_of_message_attributes);
    assert!(got.message_attributes_md5.is_some() && !got.handle.is_empty());
    let attribute = |kind: &str, value| MessageAttribute { data_type: kind.to_owned(), value };
    let expected = [
        ("bytes", attribute("Binary", MessageAttributeValue::Binary(vec![0, 255].into()))),
        ("number", attribute("Number.int", MessageAttributeValue::Text("7".to_owned()))),
        ("text", attribute("String", MessageAttributeValue::Text("ü".to_owned()))),
    ];
    assert_eq!(got.message_attributes, expected.map(|(name, value)| (name.to_owned(), value)).into());
    assert_eq!(got.attributes["ApproximateReceiveCount"], "1");
    for name in ["SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"] {
        assert!(got.attributes.contains_key(name), "{name} in {:?}", got.attributes);
    }
}

#[tokio::test]
async fn messages_are_hidden_shown_and_deleted_by_their_handles() {
    let Some(bench) = Bench::start("queues::messages_are_hidden_shown_and_deleted_by_their_handles").await else {
        return;
    };
    // More than a batch of SQS.
    for number in 0..12 {
        bench.send(&number.to_string()).await;
    }
    let first = bench.receive_all(HOUR).await;
    assert_eq!(first.len(), 12);
    assert!(bench.receive_all(HOUR).await.is_empty(), "they are invisible");

    let handles: Vec<String> = first.iter().map(|message| message.handle.clone()).collect();
    let shown = bench.queues.change_visibility(bench.arn.clone(), handles, Duration::ZERO).await.unwrap();
    assert_eq!(shown, []);
    let again = bench.receive_all(HOUR).await;
    assert_eq!(again.len(), 12);
    assert!(again.iter().all(|message| message.attributes["ApproximateReceiveCount"] == "2"));

    // One of them stays.
    let mut handles: Vec<String> = again[1..].iter().map(|message| message.handle.clone()).collect();
    handles.insert(10, "nobody's".to_owned());
    let refused = bench.queues.delete(bench.arn.clone(), handles).await.unwrap();
    assert_eq!(refused.iter().map(|refused| refused.handle.as_str()).collect::<Vec<_>>(), ["nobody's"]);
    assert!(refused[0].why.contains("ReceiptHandleIsInvalid"), "{}", refused[0].why);
    let last = vec![again[0].handle.clone()];
    bench.queues.change_visibility(bench.arn.clone(), last, Duration::ZERO).await.unwrap();
    let left = bench.receive_all(HOUR).await;
    assert_eq!(left.iter().map(|message| &message.id).collect::<Vec<_>>(), [&again[0].id]);
}

#[tokio::test]
async fn a_queue_says_how_long_messages_stay_invisible() {
    let Some(bench) = Bench::start("queues::a_queue_says_how_long_messages_stay_invisible").await else { return };
    let attributes = bench.queues.attributes(bench.arn.clone()).await.unwrap();
    assert_eq!(attributes, QueueAttributes { visibility: Duration::from_secs(77) });
}

#[tokio::test]
async fn a_queue_that_is_missing_is_told_from_one_that_is_out_of_reach() {
    let Some(bench) = Bench::start("queues::a_queue_that_is_missing_is_told_from_one_that_is_out_of_reach").await
    else {
        return;
    };
    // Also one that was there before.
    bench.queues.attributes(bench.arn.clone()).await.unwrap();
    bench.sqs.delete_queue().queue_url(&bench.url).send().await.unwrap();
    for _ in 0..2 {
        let failure = bench.queues.receive(bench.arn.clone(), AT_ONCE).await.unwrap_err();
        assert!(matches!(&failure, QueueFailure::Missing { why } if why.contains("--endpoint sqs=URL")), "{failure:?}");
    }
    let queues = Queues::new(&endpoints("http://127.0.0.1:1"), REGION);
    let failure = queues.attributes(bench.arn.clone()).await.unwrap_err();
    let told = "Could not connect to the endpoint URL: \"http://127.0.0.1:1\"";
    assert!(matches!(&failure, QueueFailure::Failed { why } if why.starts_with(told)), "{failure:?}");
}
