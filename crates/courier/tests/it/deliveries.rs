//! What arrives at each target, as moto keeps it.

use aws_sdk_eventbridge::types::Target;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use bytes::Bytes;
use domain::destination::{Attribute, AttributeKind, Parcel};
use engine::ports::Courier as _;
use serde_json::{Value, json};
use testkit::moto::Moto;

use crate::{REGION, client_config, deliveries};

/// Where queues, topics and buses are: not where the engine is.
const ELSEWHERE: &str = "us-west-2";
const TRACE: &str = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1";

fn attributes() -> Vec<Attribute> {
    let string = AttributeKind::String;
    vec![
        Attribute { name: "RequestID", kind: string, value: "00000000-0000-0000-0000-000000000001".to_owned() },
        Attribute { name: "ErrorCode", kind: AttributeKind::Number, value: "200".to_owned() },
        Attribute { name: "ErrorMessage", kind: string, value: "bööm \u{1b}[31m".to_owned() },
    ]
}

async fn new_queue(sqs: &aws_sdk_sqs::Client, name: &str) -> (String, String) {
    let url = sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap();
    (url, format!("arn:aws:sqs:{ELSEWHERE}:123456789012:{name}"))
}

async fn only_message(sqs: &aws_sdk_sqs::Client, url: &str) -> Message {
    let ask = sqs.receive_message().queue_url(url).max_number_of_messages(10).wait_time_seconds(10);
    let ask = ask.message_system_attribute_names(MessageSystemAttributeName::All).message_attribute_names("All");
    let mut messages = ask.send().await.unwrap().messages.unwrap();
    assert_eq!(messages.len(), 1, "{messages:?}");
    messages.pop().unwrap()
}

#[tokio::test]
async fn a_queue_gets_body_attributes_and_trace() {
    let Some(moto) = Moto::start("deliveries::a_queue_gets_body_attributes_and_trace") else { return };
    let sqs = aws_sdk_sqs::Client::new(&client_config(&moto.url(), ELSEWHERE));
    let (url, arn) = new_queue(&sqs, "q").await;
    let courier = deliveries(&moto.url());

    let body = Bytes::from_static("{\"ä\": 1}".as_bytes());
    let parcel = Parcel::Queue { arn: arn.clone(), body, attributes: attributes(), trace: Some(TRACE.to_owned()) };
    courier.send(parcel).await.unwrap();
    let message = only_message(&sqs, &url).await;
    assert_eq!(message.body.as_deref(), Some("{\"ä\": 1}"));
    let system = message.attributes.unwrap();
    assert_eq!(system[&MessageSystemAttributeName::AwsTraceHeader], TRACE);
    let mut got: Vec<(String, String, String)> = message
        .message_attributes
        .unwrap()
        .into_iter()
        .map(|(name, value)| (name, value.data_type, value.string_value.unwrap()))
        .collect();
    got.sort();
    let expected = [
        ("ErrorCode", "Number", "200"),
        ("ErrorMessage", "String", "bööm \u{fffd}[31m"),
        ("RequestID", "String", "00000000-0000-0000-0000-000000000001"),
    ];
    assert_eq!(got, expected.map(|(name, kind, value)| (name.to_owned(), kind.to_owned(), value.to_owned())));
    sqs.purge_queue().queue_url(&url).send().await.unwrap();

    // A record has neither.
    let body = Bytes::from_static(b"{}");
    courier.send(Parcel::Queue { arn, body, attributes: Vec::new(), trace: None }).await.unwrap();
    let message = only_message(&sqs, &url).await;
    assert_eq!((message.body.as_deref(), message.message_attributes), (Some("{}"), None));
    assert!(!message.attributes.unwrap().contains_key(&MessageSystemAttributeName::AwsTraceHeader));
}

#[tokio::test]
async fn a_topic_gets_message_and_attributes() {
    let Some(moto) = Moto::start("deliveries::a_topic_gets_message_and_attributes") else { return };
    let config = client_config(&moto.url(), ELSEWHERE);
    let (sqs, sns) = (aws_sdk_sqs::Client::new(&config), aws_sdk_sns::Client::new(&config));
    let (url, queue) = new_queue(&sqs, "q").await;
    let arn = sns.create_topic().name("t").send().await.unwrap().topic_arn.unwrap();
    sns.subscribe().topic_arn(&arn).protocol("sqs").endpoint(queue).send().await.unwrap();

    let body = Bytes::from_static(br#"{"a": 1}"#);
    deliveries(&moto.url()).send(Parcel::Topic { arn, body, attributes: attributes() }).await.unwrap();
    let told: Value = serde_json::from_str(only_message(&sqs, &url).await.body().unwrap()).unwrap();
    assert_eq!(told["Message"], r#"{"a": 1}"#);
    let expected = json!({
        "RequestID": {"Type": "String", "Value": "00000000-0000-0000-0000-000000000001"},
        "ErrorCode": {"Type": "Number", "Value": "200"},
        "ErrorMessage": {"Type": "String", "Value": "bööm \u{fffd}[31m"},
    });
    assert_eq!(told["MessageAttributes"], expected);
}

#[tokio::test]
async fn a_bus_gets_an_event_of_lambda() {
    let Some(moto) = Moto::start("deliveries::a_bus_gets_an_event_of_lambda") else { return };
    let config = client_config(&moto.url(), ELSEWHERE);
    let (sqs, events) = (aws_sdk_sqs::Client::new(&config), aws_sdk_eventbridge::Client::new(&config));
    let (url, queue) = new_queue(&sqs, "q").await;
    let arn = events.create_event_bus().name("b").send().await.unwrap().event_bus_arn.unwrap();
    let pattern = r#"{"source": ["lambda"]}"#;
    events.put_rule().name("r").event_bus_name("b").event_pattern(pattern).send().await.unwrap();
    let target = Target::builder().id("q").arn(queue).build().unwrap();
    events.put_targets().rule("r").event_bus_name("b").targets(target).send().await.unwrap();

    let function = "arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST";
    let parcel = Parcel::Bus {
        arn: arn.clone(),
        detail_type: "Lambda Function Invocation Result - Failure",
        resources: vec![arn.clone(), function.to_owned()],
        detail: Bytes::from_static(br#"{"version":"1.0","requestPayload":{"a":1}}"#),
    };
    deliveries(&moto.url()).send(parcel).await.unwrap();
    let told: Value = serde_json::from_str(only_message(&sqs, &url).await.body().unwrap()).unwrap();
    assert_eq!(told["source"], "lambda");
    assert_eq!(told["detail-type"], "Lambda Function Invocation Result - Failure");
    assert_eq!(told["resources"], json!([arn, function]));
    assert_eq!(told["detail"], json!({"version": "1.0", "requestPayload": {"a": 1}}));
    assert_eq!(told["region"], ELSEWHERE);
}

#[tokio::test]
async fn a_bucket_gets_an_object() {
    let Some(moto) = Moto::start("deliveries::a_bucket_gets_an_object") else { return };
    let config = client_config(&moto.url(), "us-east-1");
    let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
    let s3 = aws_sdk_s3::Client::from_conf(config);
    s3.create_bucket().bucket("bucket").send().await.unwrap();

    let key = "aws/lambda/async/fn/2024/04/23/2024-04-23T10.00.01-00000000-0000-0000-0000-000000000000";
    let body = Bytes::from(vec![b'1'; 3 * 1024 * 1024]);
    let parcel = Parcel::Object { bucket: "bucket".to_owned(), key: key.to_owned(), body: body.clone() };
    deliveries(&moto.url()).send(parcel).await.unwrap();
    let found = s3.get_object().bucket("bucket").key(key).send().await.unwrap();
    assert_eq!(found.content_type(), Some("application/json"));
    assert!(found.body.collect().await.unwrap().into_bytes() == body, "another object, in {REGION}");
}
