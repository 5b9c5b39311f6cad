//! Queues that feed functions: the API's whole answers, and messages on their way through a real function.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};
use testkit::moto::Moto;

use crate::engine_process::{Answer, Engine, Request, poll};
use crate::shell_function::bootstrap;

const PATH: &str = "/2015-03-31/event-source-mappings";
const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";
/// So that what functions print is in the engine's log.
const TOLD: &[&str] = &["--function-logs", "true"];

struct Client(Engine);

impl Client {
    fn of(engine: Engine) -> Self {
        Self(engine)
    }

    /// An engine with a function `f` that hands its events back, and a queue `q`.
    fn start() -> Self {
        let client = Self(Engine::start());
        client.function("f", &bootstrap("", "cat"));
        client.queue("q", "30");
        client
    }

    fn function(&self, name: &str, bootstrap: &str) {
        let answer = self.0.send(&Request::create_function_of(name, bootstrap));
        assert_eq!(answer.status, 201, "{answer:?}");
        self.0.wait_until_settled(name);
    }

    /// A built-in queue: what it takes to send it something.
    fn queue(&self, name: &str, visibility: &str) -> Value {
        self.sqs("CreateQueue", &json!({"QueueName": name, "Attributes": {"VisibilityTimeout": visibility}}))
    }

    fn sqs(&self, action: &str, input: &Value) -> Value {
        let request = Request::new("POST", "/")
            .header("X-Amz-Target", &format!("AmazonSQS.{action}"))
            .header("Content-Type", "application/x-amz-json-1.0")
            .body(input.to_string());
        let answer = self.0.send(&request);
        assert_eq!(answer.status, 200, "{action} {input}: {}", String::from_utf8_lossy(&answer.body));
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    fn send(&self, name: &str, body: &str) {
        self.sqs("SendMessage", &json!({"QueueUrl": format!("http://h/000000000000/{name}"), "MessageBody": body}));
    }

    /// How many messages there are: visible, and in flight.
    fn counts(&self, name: &str) -> (String, String) {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let url = format!("http://h/000000000000/{name}");
        let answer = self.sqs("GetQueueAttributes", &json!({"QueueUrl": url, "AttributeNames": names}));
        let count = |name: &str| answer["Attributes"][name].as_str().unwrap().to_owned();
        (count(names[0]), count(names[1]))
    }

    fn wait_until_empty(&self, name: &str) {
        poll("the queue is empty", || (self.counts(name) == ("0".to_owned(), "0".to_owned())).then_some(()));
    }

    fn ask(&self, method: &str, target: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.0.send(&Request::new(method, target).body(body))
    }

    #[track_caller]
    fn check(&self, method: &str, target: &str, body: &Value, status: u16) -> Value {
        let answer = self.ask(method, target, body);
        assert_eq!(answer.status, status, "{method} {target}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    #[track_caller]
    fn check_refused(&self, method: &str, target: &str, body: &Value, expected: (u16, &str, &str)) {
        let answer = self.ask(method, target, body);
        let (code, text) = answer.error();
        assert_eq!((answer.status, code.as_str(), text.as_str()), expected, "{method} {target} {body}");
    }

    /// A mapping that polls.
    #[track_caller]
    fn feed(&self, function: &str, queue: &str, more: Value) -> String {
        let mut body = json!({"FunctionName": function, "EventSourceArn": queue});
        let Value::Object(more) = more else { panic!("{more} is no object") };
        body.as_object_mut().unwrap().extend(more);
        let made = self.check("POST", PATH, &body, 202);
        let id = made["UUID"].as_str().unwrap().to_owned();
        self.wait_for(&id, "Enabled");
        id
    }

    fn get(&self, id: &str) -> Value {
        self.check("GET", &format!("{PATH}/{id}"), &Value::Null, 200)
    }

    #[track_caller]
    fn wait_for(&self, id: &str, state: &str) {
        poll(state, || (self.get(id)["State"] == state).then_some(()));
    }

    fn wait_until_gone(&self, id: &str) {
        poll("the mapping is gone", || {
            (self.ask("GET", &format!("{PATH}/{id}"), &Value::Null).status == 404).then_some(())
        });
    }
}

/// A whole answer, without what no two answers have in common.
fn without_date(mut shown: Value) -> Value {
    let members = shown.as_object_mut().unwrap();
    assert!(members.remove("LastModified").unwrap().as_f64().unwrap() > 1_700_000_000.0);
    shown
}

fn shown(id: &str, state: &str) -> Value {
    // Recorded: test_event_source_mapping_default_batch_size; the ARN came later (service model).
    json!({
        "UUID": id,
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "EventSourceArn": QUEUE,
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "State": state,
        "StateTransitionReason": "USER_INITIATED",
        "FunctionResponseTypes": [],
        "EventSourceMappingArn": format!("arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{id}"),
    })
}

fn with(mut shown: Value, more: &Value) -> Value {
    shown.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    shown
}

#[test]
fn a_mapping_is_made_changed_listed_and_deleted() {
    let client = Client::start();
    let made = client.check("POST", PATH, &json!({"FunctionName": "f", "EventSourceArn": QUEUE}), 202);
    let id = made["UUID"].as_str().unwrap().to_owned();
    assert_eq!(without_date(made), shown(&id, "Creating"));
    client.wait_for(&id, "Enabled");
    assert_eq!(without_date(client.get(&id)), shown(&id, "Enabled"));

    // Recorded: test_sqs_event_filter, test_report_batch_item_failures.
    let set = json!({
        "BatchSize": 100, "MaximumBatchingWindowInSeconds": 5, "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "FilterCriteria": {"Filters": [{"Pattern": "{\"body\":{\"a\":[1]}}"}]}, "ScalingConfig": {"MaximumConcurrency": 7},
    });
    let target = format!("{PATH}/{id}");
    let updated = client.check("PUT", &target, &set, 202);
    assert_eq!(without_date(updated), with(shown(&id, "Updating"), &set));
    client.wait_for(&id, "Enabled");
    let unset = json!({
        "BatchSize": 10, "MaximumBatchingWindowInSeconds": 0, "FunctionResponseTypes": [], "FilterCriteria": {},
        "ScalingConfig": {},
    });
    client.check("PUT", &target, &unset, 202);
    client.wait_for(&id, "Enabled");
    assert_eq!(without_date(client.get(&id)), shown(&id, "Enabled"));

    // Recorded: test_fifo_message_group_parallelism (the states).
    let disabling = client.check("PUT", &target, &json!({"Enabled": false}), 202);
    assert_eq!(without_date(disabling), shown(&id, "Disabling"));
    client.wait_for(&id, "Disabled");
    let enabling = client.check("PUT", &target, &json!({"Enabled": true}), 202);
    assert_eq!(without_date(enabling), shown(&id, "Enabling"));
    client.wait_for(&id, "Enabled");

    let list = |query: &str| client.check("GET", &format!("{PATH}{query}"), &Value::Null, 200);
    let all = list("/");
    assert_eq!(all["EventSourceMappings"].as_array().unwrap().len(), 1);
    assert_eq!(without_date(all["EventSourceMappings"][0].clone()), shown(&id, "Enabled"));
    for (query, count) in [
        ("?FunctionName=f", 1),
        ("?FunctionName=g", 0),
        ("?EventSourceArn=arn:aws:sqs:us-east-1:000000000000:q", 1),
        ("?EventSourceArn=arn:aws:sqs:us-east-1:000000000000:r", 0),
        ("?MaxItems=1", 1),
    ] {
        assert_eq!(list(query)["EventSourceMappings"].as_array().unwrap().len(), count, "{query}");
    }

    let deleted = client.check("DELETE", &target, &Value::Null, 202);
    assert_eq!(without_date(deleted), shown(&id, "Deleting"));
    client.wait_until_gone(&id);
    let unknown = (404, "ResourceNotFoundException", "The resource you requested does not exist.");
    for (method, body) in [("GET", Value::Null), ("DELETE", Value::Null), ("PUT", json!({"Enabled": false}))] {
        client.check_refused(method, &target, &body, unknown);
    }
}

#[test]
fn pages_lead_on() {
    let client = Client::start();
    let mut made: Vec<String> = Vec::new();
    for number in 0..3 {
        let name = format!("q{number}");
        client.queue(&name, "30");
        made.push(client.feed("f", &format!("arn:aws:sqs:us-east-1:000000000000:{name}"), json!({"Enabled": true})));
    }
    made.sort_unstable();
    let mut listed: Vec<String> = Vec::new();
    let mut marker = String::new();
    for _ in 0..2 {
        let page = client.check("GET", &format!("{PATH}?MaxItems=2{marker}"), &Value::Null, 200);
        let items = page["EventSourceMappings"].as_array().unwrap();
        listed.extend(items.iter().map(|item| item["UUID"].as_str().unwrap().to_owned()));
        let next = page["NextMarker"].as_str().map(crate::engine_process::encoded);
        marker = next.map(|next| format!("&Marker={next}")).unwrap_or_default();
    }
    assert_eq!((listed, marker.as_str()), (made, ""));
}

#[test]
fn tags_of_a_mapping() {
    let client = Client::start();
    let tagged = json!({"FunctionName": "f", "EventSourceArn": QUEUE, "Tags": {"a": "1"}});
    let made = client.check("POST", PATH, &tagged, 202);
    let arn = made["EventSourceMappingArn"].as_str().unwrap().replace(':', "%3A");
    let path = format!("/2017-03-31/tags/{arn}");
    let tags = || client.check("GET", &path, &Value::Null, 200);
    assert_eq!(tags(), json!({"Tags": {"a": "1"}}));
    assert_eq!(client.ask("POST", &path, &json!({"Tags": {"b": "2"}})).status, 204);
    assert_eq!(client.ask("DELETE", &format!("{path}?tagKeys=a"), &Value::Null).status, 204);
    assert_eq!(tags(), json!({"Tags": {"b": "2"}}));
}

#[test]
fn what_cannot_be_is_refused_in_aws_words() {
    let client = Client::start();
    let invalid = |text: &'static str| (400, "InvalidParameterValueException", text);
    let refuse = |body: &Value, expected: (u16, &str, &str)| client.check_refused("POST", PATH, body, expected);
    let source = |more: Value| with(json!({"FunctionName": "f", "EventSourceArn": QUEUE}), &more);

    // LocalStack: test_event_source_mapping_exceptions.
    refuse(&json!({"FunctionName": "none"}), invalid("Unrecognized event source."));
    refuse(&json!({"FunctionName": "none", "EventSourceArn": QUEUE}), invalid("Function does not exist"));
    refuse(&json!({"FunctionName": "f:live", "EventSourceArn": QUEUE}), invalid("Function does not exist"));
    // Recorded: test_event_source_mapping_default_batch_size.
    let window = "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10";
    refuse(&source(json!({"BatchSize": 11})), invalid(window));
    // Recorded: test_sqs_invalid_event_filter.
    for pattern in ["null", "simple string", r#"{"eventSource":"aws:sqs"}"#, r#"{"eventSource":[]}"#] {
        let criteria = json!({"FilterCriteria": {"Filters": [{"Pattern": pattern}]}});
        refuse(&source(criteria), invalid("Invalid filter pattern definition."));
    }
    // Recorded: test_create_starting_position_validation_exceptions[sqs].
    let position = "StartingPosition is not valid for SQS event sources.";
    refuse(&source(json!({"StartingPosition": "LATEST", "StartingPositionTimestamp": 1})), invalid(position));
    refuse(
        &source(json!({"StartingPosition": "0"})),
        (
            400,
            "ValidationException",
            "1 validation error detected: Value '0' at 'startingPosition' failed to satisfy constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
        ),
    );
    // AWS's users report this one.
    client.queue("short", "2");
    let short = json!({"FunctionName": "f", "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:short"});
    let text = "Queue visibility timeout: 2 seconds is less than Function timeout: 3 seconds";
    refuse(&short, invalid(text));

    // Recorded: test_duplicate_event_source_mappings.
    let id = client.feed("f", QUEUE, json!({}));
    let text = format!(
        "An event source mapping with SQS arn (\" {QUEUE} \") and function (\" f \") already exists. Please update or delete the existing mapping with UUID {id}"
    );
    client.check_refused("POST", PATH, &source(json!({})), (409, "ResourceConflictException", &text));
    client.check_refused("PUT", &format!("{PATH}/{id}"), &json!({"BatchSize": 11}), invalid(window));

    // What is not built says so.
    let version = env!("CARGO_PKG_VERSION");
    let others = [
        ("kinesis:us-east-1:000000000000:stream/s", "Kinesis streams"),
        ("dynamodb:us-east-1:000000000000:table/t/stream/1", "DynamoDB streams"),
        ("kafka:us-east-1:000000000000:cluster/c/1", "Kafka topics"),
        ("mq:us-east-1:000000000000:broker:b:b-1", "Amazon MQ brokers"),
        ("sqs:us-east-1:000000000000:q.fifo", "FIFO queues"),
    ];
    for (arn, what) in others {
        let body =
            json!({"FunctionName": "f", "EventSourceArn": format!("arn:aws:{arn}"), "StartingPosition": "LATEST"});
        let text = format!(
            "Event source mappings of {what} are not built yet in lambd {version}; those of SQS standard queues are. docs/compatibility.md lists what is built."
        );
        refuse(&body, (501, "NotImplementedException", &text));
    }
    let text = format!(
        "CreateEventSourceMapping with KMSKeyArn is not built yet in lambd {version}; docs/compatibility.md lists what is."
    );
    let key = json!({"KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k"});
    refuse(&source(key), (501, "NotImplementedException", &text));
}

#[test]
fn a_dead_letter_queue_is_worked_off_by_a_function() {
    let client = Client::of(Engine::start_with(TOLD));
    client.queue("dead", "10");
    client.function("worker", &bootstrap("", "{ printf 'worked off: '; cat; echo; } >&2; echo {}"));
    client.function("broken", "#!/bin/sh\nexit 1\n");
    let dead = "arn:aws:sqs:us-east-1:000000000000:dead";
    let config = json!({"DeadLetterConfig": {"TargetArn": dead}});
    client.check("PUT", "/2015-03-31/functions/broken/configuration", &config, 200);
    client.0.wait_until_settled("broken");
    let retries = json!({"MaximumRetryAttempts": 0});
    client.check("PUT", "/2019-09-25/functions/broken/event-invoke-config", &retries, 200);
    client.feed("worker", dead, json!({}));

    let event = Request::invoke("broken", r#"{"order":4711}"#).header("X-Amz-Invocation-Type", "Event");
    let accepted = client.0.send(&event);
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let log = poll("the dead letter is worked off", || {
        client.0.log().lines().find(|line| line.contains("worked off: ")).map(str::to_owned)
    });
    // The letter is the event itself, with what became of it beside it (AWS developer guide, invocation-async-retain-records).
    for part in [r#"\"order\":4711"#, r#""messageAttributes":{"#, r#""RequestID""#, r#""eventSource":"aws:sqs""#, dead]
    {
        assert!(log.contains(part), "{part} in {log}");
    }
    client.wait_until_empty("dead");
}

#[test]
fn a_message_that_was_run_but_not_deleted_comes_again() {
    let mut client = Client::of(Engine::start_with(TOLD));
    client.queue("q", "3");
    let handle = "cat >&2; echo >&2; echo its work is done >&2; sleep 2; echo {}";
    client.function("f", &bootstrap("", handle));
    let id = client.feed("f", QUEUE, json!({}));
    client.send("q", "hello");
    let runs = |client: &Client| client.0.log().lines().filter(|line| line.contains("its work is done")).count();
    poll("it runs", || (runs(&client) > 0).then_some(()));
    client.0.restart();
    // The mapping is found again, and the message is visible again after its three seconds.
    assert_eq!(client.get(&id)["State"], "Enabled");
    client.wait_until_empty("q");
    assert!(client.0.log().contains(r#""ApproximateReceiveCount":"2""#), "{}", client.0.log());
    assert_eq!(client.0.terminate().code(), Some(0));
}

#[test]
fn a_disabled_mapping_leaves_messages_where_they_are() {
    let mut client = Client::start();
    let id = client.feed("f", QUEUE, json!({}));
    client.check("PUT", &format!("{PATH}/{id}"), &json!({"Enabled": false}), 202);
    client.wait_for(&id, "Disabled");
    client.send("q", "hello");
    // Also after a restart.
    client.0.restart();
    assert_eq!(client.get(&id)["State"], "Disabled");
    let receive = json!({"QueueUrl": "http://h/000000000000/q", "VisibilityTimeout": 0, "WaitTimeSeconds": 1,
        "AttributeNames": ["ApproximateReceiveCount"]});
    let received = client.sqs("ReceiveMessage", &receive);
    assert_eq!(received["Messages"][0]["Attributes"]["ApproximateReceiveCount"], "1", "{received}");
    client.check("PUT", &format!("{PATH}/{id}"), &json!({"Enabled": true}), 202);
    client.wait_until_empty("q");
}

#[test]
fn messages_of_a_queue_elsewhere_are_worked_off() {
    let Some(moto) = Moto::start("event_source_mappings::messages_of_a_queue_elsewhere_are_worked_off") else { return };
    let sqs = |action: &str, input: &Value| -> Value {
        let body = input.to_string();
        let mut stream = TcpStream::connect(&moto.at).unwrap();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nX-Amz-Target: AmazonSQS.{action}\r\n\
             Content-Type: application/x-amz-json-1.0\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=test/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0\r\n\
             Content-Length: {}\r\n\r\n{body}",
            moto.at,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{action}: {answer}");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap_or_default()
    };
    let made = sqs("CreateQueue", &json!({"QueueName": "away", "Attributes": {"VisibilityTimeout": "5"}}));
    let url = made["QueueUrl"].clone();
    let endpoint = format!("sqs={}", moto.url());
    let variables = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
    let flags = [TOLD, &["--endpoint", &endpoint]].concat();
    let client = Client::of(Engine::start_among(&flags, &variables));
    // The second message is not processed the first time it comes.
    let handle = r#"cat >"$event.copy"; cat "$event.copy" >&2; echo >&2
late=$(grep -o '"messageId":"[^"]*","receiptHandle":"[^"]*","body":"two","attributes":{"ApproximateReceiveCount":"1"' "$event.copy" | cut -d'"' -f4)
if [ -n "$late" ]; then printf '{"batchItemFailures":[{"itemIdentifier":"%s"}]}' "$late"; else echo {}; fi"#;
    client.function("f", &bootstrap("", handle));
    for body in ["one", "two", "three"] {
        sqs("SendMessage", &json!({"QueueUrl": url, "MessageBody": body}));
    }
    let arn = "arn:aws:sqs:us-east-1:123456789012:away";
    client.feed("f", arn, json!({"FunctionResponseTypes": ["ReportBatchItemFailures"]}));
    let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
    let count = || {
        let shown = sqs("GetQueueAttributes", &json!({"QueueUrl": url, "AttributeNames": names}));
        names.map(|name| shown["Attributes"][name].as_str().unwrap().to_owned())
    };
    let second_receipts =
        |log: &str| log.matches(r#""body":"two","attributes":{"ApproximateReceiveCount":"2""#).count();
    // First the message that came twice: moto reads its two counts one after the other, and a message whose timeout
    // ends between them is in neither.
    poll("the second message comes again", || (second_receipts(&client.0.log()) > 0).then_some(()));
    poll("the queue is empty", || (count() == ["0", "0"]).then_some(()));
    let log = client.0.log();
    assert_eq!((second_receipts(&log), log.contains(r#""body":"three""#)), (1, true), "{log}");
    assert!(log.contains(&format!(r#""eventSourceARN":"{arn}","awsRegion":"us-east-1""#)), "{log}");

    // What is not there is said so.
    let none = json!({"FunctionName": "f", "EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:none"});
    let text = "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.";
    client.check_refused("POST", PATH, &none, (400, "InvalidParameterValueException", text));
}
