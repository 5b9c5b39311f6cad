//! What is asked of services in requests of which moto looks at less than AWS.

use bytes::Bytes;
use domain::destination::Parcel;
use engine::ports::Courier as _;

use crate::deliveries;
use crate::recorder::Recorder;

#[tokio::test]
async fn a_function_elsewhere_gets_an_event() {
    let lambda = Recorder::start(&[(202, "", ""), (202, "", "")]);
    let courier = deliveries(&lambda.url);
    for arn in [
        "arn:aws:lambda:us-west-2:222222222222:function:other:live",
        "arn:aws:lambda:us-west-2:222222222222:function:g",
    ] {
        let trace = Some("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Lineage=a87bd80c:1".to_owned());
        let payload = Bytes::from_static(br#"{"version":"1.0"}"#);
        courier.send(Parcel::Function { arn: arn.to_owned(), payload, trace }).await.unwrap();
    }
    let asked = lambda.finish();
    let path = |rest: &str| {
        let arn = "arn%3Aaws%3Alambda%3Aus-west-2%3A222222222222%3Afunction%3A";
        format!("POST /2015-03-31/functions/{arn}{rest} HTTP/1.1")
    };
    assert_eq!(asked[0].line, path("other/invocations?Qualifier=live"));
    assert_eq!(asked[1].line, path("g/invocations"));
    for request in asked {
        assert_eq!(request.header("x-amz-invocation-type"), "Event");
        assert_eq!(request.header("x-amzn-trace-id"), "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Lineage=a87bd80c:1");
        assert_eq!(request.body, r#"{"version":"1.0"}"#);
        let signature = request.header("authorization");
        assert!(signature.contains("/us-west-2/lambda/"), "{signature}");
    }
}

#[tokio::test]
async fn a_queues_url_is_asked_for_with_its_owner_and_again_when_the_queue_is_gone() {
    const JSON: &str = "Content-Type: application/x-amz-json-1.0\r\n";
    const URL: &str = r#"{"QueueUrl":"http://somewhere/222222222222/q"}"#;
    const SENT: &str = r#"{"MessageId":"m","MD5OfMessageBody":"99914b932bd37a50b983c5e7c90ae93b"}"#;
    const GONE: &str =
        r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}"#;
    let sqs = Recorder::start(&[
        (200, JSON, URL),
        (200, JSON, SENT),
        (200, JSON, SENT),
        (400, JSON, GONE),
        (200, JSON, URL),
        (200, JSON, SENT),
    ]);
    let courier = deliveries(&sqs.url);
    let send = || {
        let (body, arn) = (Bytes::from_static(b"{}"), "arn:aws:sqs:us-west-2:222222222222:q".to_owned());
        courier.send(Parcel::Queue { arn, body, attributes: Vec::new(), trace: None })
    };
    send().await.unwrap();
    send().await.unwrap();
    let gone = send().await.unwrap_err().why;
    assert!(gone.contains("QueueDoesNotExist: The specified queue does not exist. What to do: create it"), "{gone}");
    send().await.unwrap();
    let asked = sqs.finish();
    let operations: Vec<&str> = asked.iter().map(|request| request.header("x-amz-target")).collect();
    let (find, message) = ("AmazonSQS.GetQueueUrl", "AmazonSQS.SendMessage");
    assert_eq!(operations, [find, message, message, message, find, message]);
    assert_eq!(asked[0].body, r#"{"QueueName":"q","QueueOwnerAWSAccountId":"222222222222"}"#);
    assert!(asked[1].body.contains(r#""QueueUrl":"http://somewhere/222222222222/q""#), "{}", asked[1].body);
    assert!(asked[1].header("authorization").contains("/us-west-2/sqs/"));
}

#[tokio::test]
async fn a_bucket_of_another_region_is_found_and_remembered() {
    const MOVED: &str = "<Error><Code>PermanentRedirect</Code><Message>The bucket you are attempting to access must be \
                         addressed using the specified endpoint.</Message></Error>";
    let s3 = Recorder::start(&[(301, "x-amz-bucket-region: ap-south-1\r\n", MOVED), (200, "", ""), (200, "", "")]);
    let courier = deliveries(&s3.url);
    for key in ["one", "two"] {
        let body = Bytes::from_static(b"{}");
        courier.send(Parcel::Object { bucket: "bucket".to_owned(), key: key.to_owned(), body }).await.unwrap();
    }
    let asked = s3.finish();
    for (request, (key, region)) in
        asked.iter().zip([("one", "eu-west-1"), ("one", "ap-south-1"), ("two", "ap-south-1")])
    {
        assert!(request.line.starts_with(&format!("PUT /bucket/{key}?")), "{}", request.line);
        assert!(request.header("authorization").contains(&format!("/{region}/s3/")));
        assert_eq!(request.body, "{}");
    }
}
