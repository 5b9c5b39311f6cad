//! What a person reads when a delivery did not arrive.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use courier::{Deliveries, Queues};
use domain::destination::Parcel;
use engine::ports::Courier as _;
use testkit::moto::Moto;

use crate::deliveries;
use crate::recorder::Recorder;

/// One for each service, named after its key in the settings.
fn parcels() -> [(&'static str, &'static str, Parcel); 5] {
    let arn = |service: &str, rest: &str| format!("arn:aws:{service}:us-east-1:123456789012:{rest}");
    let body = Bytes::from_static(b"{}");
    let bus = Parcel::Bus {
        arn: arn("events", "event-bus/none"),
        detail_type: "t",
        resources: Vec::new(),
        detail: body.clone(),
    };
    [
        (
            "sqs",
            "SQS",
            Parcel::Queue { arn: arn("sqs", "none"), body: body.clone(), attributes: Vec::new(), trace: None },
        ),
        ("sns", "SNS", Parcel::Topic { arn: arn("sns", "none"), body: body.clone(), attributes: Vec::new() }),
        ("eventbridge", "EventBridge", bus),
        ("s3", "S3", Parcel::Object { bucket: "none".to_owned(), key: "k".to_owned(), body: body.clone() }),
        ("lambda", "Lambda", Parcel::Function { arn: arn("lambda", "function:none"), payload: body, trace: None }),
    ]
}

#[tokio::test]
async fn a_target_that_is_missing() {
    let Some(moto) = Moto::start("failures::a_target_that_is_missing") else { return };
    let courier = deliveries(&moto.url());
    for (key, spoken, parcel) in parcels() {
        let text = match key {
            "sqs" => "AWS.SimpleQueueService.NonExistentQueue: The specified queue does not exist.",
            "sns" => "NotFound: Endpoint does not exist.",
            "eventbridge" => "ResourceNotFoundException: Event bus none does not exist.",
            "s3" => "NoSuchBucket: The specified bucket does not exist.",
            _ => "ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:none.",
        };
        let remedy =
            format!("What to do: create it there, or name the {spoken} that has it with --endpoint {key}=URL.");
        let why = courier.send(parcel).await.unwrap_err().why;
        assert_eq!(why, format!("{spoken} ({}) refused: {text} {remedy}", moto.url()));
    }
}

#[tokio::test]
async fn a_service_that_is_down() {
    // Port 1 is nobody's.
    let courier = deliveries("http://127.0.0.1:1");
    for (key, spoken, parcel) in parcels() {
        let variable = key.to_uppercase();
        let why = courier.send(parcel).await.unwrap_err().why;
        assert_eq!(
            why,
            format!(
                "Could not connect to the endpoint URL: \"http://127.0.0.1:1\". What to do: {spoken} is AWS's, or where \
                 --endpoint {key}=URL or AWS_ENDPOINT_URL_{variable} say."
            )
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_says_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let courier = deliveries(&url);
    for (key, _, parcel) in parcels() {
        let began = tokio::time::Instant::now();
        let why = courier.send(parcel).await.unwrap_err().why;
        assert!(why.contains(&format!("timeout on endpoint URL: \"{url}\"")) && why.contains(key), "{why}");
        assert!(began.elapsed().as_secs() <= 30, "{key}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn an_answer_that_is_none_of_aws() {
    for (key, spoken, parcel) in parcels() {
        let proxy = Recorder::start(&[(404, "Content-Type: text/html\r\n", "<html>\nno such page\n</html>")]);
        let why = deliveries(&proxy.url).send(parcel).await.unwrap_err().why;
        assert!(why.starts_with(&format!("{spoken} ({}) refused: ", proxy.url)) && why.contains("404"), "{key}: {why}");
        assert!(!why.contains('\n'), "{why}");
        proxy.finish();
    }
}

#[tokio::test]
async fn credentials_that_are_refused() {
    let refusal = (
        403,
        "x-amzn-errortype: ExpiredTokenException\r\n",
        r#"{"message":"The security token included in the request is expired"}"#,
    );
    let [.., (_, _, parcel)] = parcels();
    let lambda = Recorder::start(Box::leak(Box::new([refusal])));
    let why = deliveries(&lambda.url).send(parcel).await.unwrap_err().why;
    let text = "refused: ExpiredTokenException: The security token included in the request is expired. What to do: give \
                the engine credentials that may do it, or name another Lambda with --endpoint lambda=URL.";
    assert!(why.ends_with(text), "{why}");
    lambda.finish();
}

/// Says that the test runs in the process that it has started, without this machine's own credentials.
const ALONE: &str = "LAMBD_TEST_ALONE";

#[tokio::test]
async fn credentials_that_are_missing() {
    if std::env::var_os(ALONE).is_none() {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "failures::credentials_that_are_missing"]).env_clear();
        let settings = [("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_CONFIG_FILE", "/none"), ("HOME", "/none")];
        let output = again.env(ALONE, "1").envs(settings).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
        return;
    }
    let endpoints = BTreeMap::new();
    let courier = Deliveries::new(&endpoints, "us-east-1", Arc::new(Queues::new(&endpoints, "us-east-1")));
    for (key, spoken, parcel) in parcels() {
        let why = courier.send(parcel).await.unwrap_err().why;
        let text = format!(
            "Unable to locate credentials. What to do: give the engine credentials for {spoken} (AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or AWS_PROFILE), or name another {spoken} with --endpoint {key}=URL."
        );
        assert_eq!(why, text);
    }
}

#[tokio::test]
async fn an_entry_that_a_bus_refuses() {
    let Some(moto) = Moto::start("failures::an_entry_that_a_bus_refuses") else { return };
    let parcel = Parcel::Bus {
        arn: "arn:aws:events:us-east-1:123456789012:event-bus/default".to_owned(),
        detail_type: "t",
        resources: Vec::new(),
        detail: Bytes::from_static(b"{"),
    };
    let why = deliveries(&moto.url()).send(parcel).await.unwrap_err().why;
    assert_eq!(why, "EventBridge refused: MalformedDetail: Detail is malformed.");
}

#[tokio::test]
async fn a_message_that_is_too_large() {
    let Some(moto) = Moto::start("failures::a_message_that_is_too_large") else { return };
    let url = moto.url();
    let sns = aws_sdk_sns::Client::new(&crate::client_config(&url, "us-east-1"));
    let arn = sns.create_topic().name("t").send().await.unwrap().topic_arn.unwrap();
    let body = Bytes::from(vec![b'1'; 262_145]);
    let why = deliveries(&url).send(Parcel::Topic { arn, body, attributes: Vec::new() }).await.unwrap_err().why;
    assert!(why.contains("refused: InvalidParameter: ") && why.contains("Message too long"), "{why}");
}

#[tokio::test]
async fn what_is_no_arn_of_a_target() {
    let courier = deliveries("http://127.0.0.1:1");
    for (_, _, parcel) in parcels() {
        let (parcel, expected) = match parcel {
            Parcel::Queue { body, attributes, trace, .. } => (
                Parcel::Queue { arn: "arn:aws:sqs".to_owned(), body, attributes, trace },
                "arn:aws:sqs is no ARN of a queue",
            ),
            Parcel::Topic { body, attributes, .. } => {
                (Parcel::Topic { arn: "t".to_owned(), body, attributes }, "t is no ARN of a topic")
            }
            Parcel::Bus { detail_type, resources, detail, .. } => {
                (Parcel::Bus { arn: "b".to_owned(), detail_type, resources, detail }, "b is no ARN of an event bus")
            }
            Parcel::Function { payload, trace, .. } => {
                (Parcel::Function { arn: "f".to_owned(), payload, trace }, "f is no ARN of a function")
            }
            Parcel::Object { .. } => continue,
        };
        assert_eq!(courier.send(parcel).await.unwrap_err().why, expected);
    }
}
