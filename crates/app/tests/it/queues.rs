//! The built-in queues: unmodified clients in both protocols, and what a killed engine leaves behind.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::engine_process::{Answer, Engine, Request, encoded, now, zip_of};
use crate::tools::{self, Interpreters};

/// A wait of 20 seconds that ends within this was ended by something.
const SOON: Duration = Duration::from_secs(12);

fn request(action: &str, input: &Value) -> Request {
    Request::new("POST", "/")
        .header("X-Amz-Target", &format!("AmazonSQS.{action}"))
        .header("Content-Type", "application/x-amz-json-1.0")
        .body(input.to_string())
}

/// A call in AWS JSON that succeeds.
#[track_caller]
fn call(engine: &Engine, action: &str, input: &Value) -> Value {
    let answer = engine.send(&request(action, input));
    assert_eq!(answer.status, 200, "{action} {input}: {}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

/// A call as SDKs sent it before there was JSON: a form.
fn form(path: &str, items: &[(&str, &str)]) -> Request {
    let items: Vec<String> = items.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
    let kind = "application/x-www-form-urlencoded; charset=utf-8";
    Request::new("POST", path).header("Content-Type", kind).body(items.join("&"))
}

/// The text of an answer in XML, apart from what no two answers have in common.
fn xml(answer: &Answer) -> String {
    assert_eq!(answer.header("content-type"), Some("text/xml"));
    let text = String::from_utf8(answer.body.clone()).unwrap();
    let id = answer.header("x-amzn-requestid").unwrap();
    let text = text.strip_prefix("<?xml version=\"1.0\"?>").unwrap().replace(id, "ID");
    text.replace(" xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"", "")
}

fn between<'t>(text: &'t str, element: &str) -> &'t str {
    text.split_once(&format!("<{element}>")).unwrap().1.split_once(&format!("</{element}>")).unwrap().0
}

#[test]
fn boto3_works() {
    let test = "queues::boto3_works";
    let Some(python) = tools::tool(test, "venv/bin/python") else { return };
    let engine = Engine::start();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/boto3_queues.py");
    let output = tools::alone(&python, engine.folder()).arg(script).arg(engine.endpoint()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let invalid = |text: &str| json!(["InvalidParameterValue", 400, text]);
    let own = |code: &str, text: &str| json!([format!("AWS.SimpleQueueService.{code}"), 400, text]);
    let fifo = "FIFO queues are not built: lambd has standard queues only. Leave out FifoQueue and the end .fifo of the \
                name, or name a service that has FIFO queues with --endpoint sqs=URL";
    let too_long = "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.";
    let no_queue = own("NonExistentQueue", "The specified queue does not exist.");
    let receipt = "The input receipt handle \"garbage\" is not a valid receipt handle.";
    let expected = json!({
        "attributes": ["AWSTraceHeader", "ApproximateFirstReceiveTimestamp", "ApproximateReceiveCount", "SenderId", "SentTimestamp"],
        "failed": [{
            "Id": "too-late", "SenderFault": true, "Code": "InvalidParameterValue",
            "Message": "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
        }],
        "counts": [[2, 0, 1], [0, 2, 1], [0, 0, 1], [0, 0, 0]],
        "received": ["1", "4"],
        "not deleted": [{"Id": "x", "SenderFault": true, "Code": "ReceiptHandleIsInvalid", "Message": receipt}],
        "dead letter": ["poison", {"DeadLetterQueueSourceArn": "arn:aws:sqs:us-east-1:000000000000:q"}],
        "pages": [["page-0", "page-1"], ["page-2"]],
        "errors": {
            "old receipt": invalid("Value HANDLE for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."),
            "taken": ["QueueAlreadyExists", 400, "A queue already exists with the same name and a different value for attribute DelaySeconds"],
            "name": invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"),
            "FIFO": own("UnsupportedOperation", fifo),
            "attribute": ["InvalidAttributeName", 400, "Unknown Attribute Nothing."],
            "attribute's value": ["InvalidAttributeValue", 400, "Invalid value for the parameter DelaySeconds."],
            "no queue": no_queue,
            "other account": no_queue,
            "deleted": no_queue,
            "characters": ["InvalidMessageContents", 400, "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"],
            "too long": invalid(too_long),
            "far too long": invalid(too_long),
            "batch too long": own("BatchRequestTooLong", "Batch requests cannot be longer than 1048576 bytes. You have sent 1200000 bytes."),
            "no entries": own("EmptyBatchRequest", "There should be at least one SendMessageBatchRequestEntry in the request."),
            "many entries": own("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent 11."),
            "id twice": own("BatchEntryIdsNotDistinct", "Id a repeated."),
            "id": own("InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."),
            "number": invalid("Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."),
            "receipt": ["ReceiptHandleIsInvalid", 400, receipt],
            "purge": own("PurgeQueueInProgress", "Only one PurgeQueue operation on q is allowed every 60 seconds."),
            "task": own("UnsupportedOperation", "StartMessageMoveTask is not built in lambd's queues"),
        },
    });
    assert_eq!(seen, expected);
}

#[test]
fn the_aws_cli_v1_works() {
    if let Some(aws) = tools::aws_v1("queues::the_aws_cli_v1_works") {
        check_cli(&aws);
    }
}

#[test]
fn the_aws_cli_v2_works() {
    if let Some(aws) = tools::aws_v2("queues::the_aws_cli_v2_works") {
        check_cli(&aws);
    }
}

fn check_cli(program: &Path) {
    let engine = Engine::start();
    let sqs = |arguments: &[&str]| -> Result<Value, String> {
        let mut command: Command = tools::alone(program, engine.folder());
        command.env("AWS_PAGER", "").args(["--endpoint-url", &engine.endpoint(), "--output", "json", "sqs"]);
        let output = command.args(arguments).output().unwrap();
        if !output.status.success() {
            return Err(String::from_utf8(output.stderr).unwrap().trim().to_owned());
        }
        let text = String::from_utf8(output.stdout).unwrap();
        Ok(if text.trim().is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    };
    let url = sqs(&["create-queue", "--queue-name", "q", "--attributes", "VisibilityTimeout=9"]).unwrap();
    let url = url["QueueUrl"].as_str().unwrap();
    assert_eq!(sqs(&["get-queue-url", "--queue-name", "q"]).unwrap()["QueueUrl"], url);
    let of = |action: &'static str| [action, "--queue-url", url];
    let attribute = r#"{"a":{"DataType":"String","StringValue":"v"}}"#;
    let send = [&of("send-message")[..], &["--message-body", "one", "--message-attributes", attribute]].concat();
    let sent = sqs(&send).unwrap();
    // `echo -n one | md5sum`
    assert_eq!(sent["MD5OfMessageBody"], "f97c5d29941bfb1b2fdab0874906ab82");
    let batch = r#"[{"Id":"b","MessageBody":"two"}]"#;
    let batched = sqs(&[&of("send-message-batch")[..], &["--entries", batch]].concat()).unwrap();
    assert_eq!(batched["Successful"][0]["Id"], "b");
    let receive = ["--max-number-of-messages", "10", "--message-attribute-names", "All", "--wait-time-seconds", "1"];
    let received = sqs(&[&of("receive-message")[..], &receive].concat()).unwrap();
    let messages = received["Messages"].as_array().unwrap();
    let bodies: BTreeSet<&str> = messages.iter().map(|message| message["Body"].as_str().unwrap()).collect();
    assert_eq!(bodies, BTreeSet::from(["one", "two"]));
    let one = messages.iter().find(|message| message["Body"] == "one").unwrap();
    assert_eq!(one["MD5OfMessageAttributes"], sent["MD5OfMessageAttributes"]);
    assert_eq!(one["MessageAttributes"]["a"]["StringValue"], "v");
    let all = sqs(&[&of("get-queue-attributes")[..], &["--attribute-names", "All"]].concat()).unwrap();
    let shown = |name: &str| all["Attributes"][name].as_str().unwrap().to_owned();
    assert_eq!((shown("ApproximateNumberOfMessagesNotVisible"), shown("VisibilityTimeout")), ("2".into(), "9".into()));
    let handle = one["ReceiptHandle"].as_str().unwrap();
    sqs(&[&of("delete-message")[..], &["--receipt-handle", handle]].concat()).unwrap();
    sqs(&of("purge-queue")).unwrap();
    sqs(&of("delete-queue")).unwrap();
    let refused = sqs(&of("purge-queue")).unwrap_err();
    assert!(
        refused.contains("(AWS.SimpleQueueService.NonExistentQueue) when calling the PurgeQueue operation"),
        "{refused}"
    );
}

#[test]
fn sdks_from_before_json_work() {
    let engine = Engine::start();
    let ask = |path: &str, items: &[(&str, &str)]| {
        let mut all = vec![("Version", "2012-11-05")];
        all.extend(items);
        engine.send(&form(path, &all))
    };
    let created = ask(
        "/",
        &[
            ("Action", "CreateQueue"),
            ("QueueName", "q"),
            ("Attribute.1.Name", "VisibilityTimeout"),
            ("Attribute.1.Value", "40"),
            ("Tag.1.Key", "k"),
            ("Tag.1.Value", "v"),
        ],
    );
    // The address by which the client reached us.
    let expected = "<CreateQueueResponse><CreateQueueResult><QueueUrl>http://lambd.test/000000000000/q</QueueUrl>\
                    </CreateQueueResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></CreateQueueResponse>";
    assert_eq!((created.status, xml(&created).as_str()), (200, expected));

    let queue = "/000000000000/q";
    let sent = ask(
        queue,
        &[
            ("Action", "SendMessage"),
            ("MessageBody", "a+b <&> \u{e9}\r\n"),
            ("MessageAttribute.1.Name", "Foo"),
            ("MessageAttribute.1.Value.DataType", "String"),
            ("MessageAttribute.1.Value.StringValue", "Bar"),
        ],
    );
    // Recorded: test_receive_message_attribute_names_filters.
    assert_eq!(between(&xml(&sent), "MD5OfMessageAttributes"), "ae7155c6026991b6d54b11589678bf9c");
    let id = between(&xml(&sent), "MessageId").to_owned();

    let received = ask(
        queue,
        &[
            ("Action", "ReceiveMessage"),
            ("MaxNumberOfMessages", "10"),
            ("AttributeName.1", "ApproximateReceiveCount"),
            ("MessageAttributeName.1", "All"),
        ],
    );
    let text = xml(&received);
    assert_eq!(between(&text, "MessageId"), id);
    assert_eq!(between(&text, "Body"), "a+b &lt;&amp;&gt; \u{e9}&#xD;\n");
    let attributes = "<Attribute><Name>ApproximateReceiveCount</Name><Value>1</Value></Attribute>";
    let own = "<MessageAttribute><Name>Foo</Name><Value><StringValue>Bar</StringValue><DataType>String</DataType></Value></MessageAttribute>";
    assert!(text.contains(attributes) && text.contains(own), "{text}");

    let deleted = ask(queue, &[("Action", "DeleteMessage"), ("ReceiptHandle", between(&text, "ReceiptHandle"))]);
    let expected =
        "<DeleteMessageResponse><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></DeleteMessageResponse>";
    assert_eq!((deleted.status, xml(&deleted).as_str()), (200, expected));

    // By GET, and by QueueUrl.
    let read = Request::new(
        "GET",
        "/?Action=GetQueueAttributes&QueueUrl=http%3A%2F%2Fx%2F000000000000%2Fq&AttributeName.1=VisibilityTimeout",
    );
    let shown = xml(&engine.send(&read));
    assert!(shown.contains("<Attribute><Name>VisibilityTimeout</Name><Value>40</Value></Attribute>"), "{shown}");

    let batched = ask(
        queue,
        &[
            ("Action", "SendMessageBatch"),
            ("SendMessageBatchRequestEntry.1.Id", "a"),
            ("SendMessageBatchRequestEntry.1.MessageBody", "1"),
            ("SendMessageBatchRequestEntry.2.Id", "b"),
            ("SendMessageBatchRequestEntry.2.MessageBody", "2"),
            ("SendMessageBatchRequestEntry.2.DelaySeconds", "901"),
        ],
    );
    let text = xml(&batched);
    assert_eq!(between(between(&text, "SendMessageBatchResultEntry"), "Id"), "a");
    let failed = between(&text, "BatchResultErrorEntry");
    assert_eq!((between(failed, "Id"), between(failed, "SenderFault")), ("b", "true"));

    for (items, status, code) in [
        (
            &[("Action", "SendMessage"), ("QueueUrl", "http://h/000000000000/none"), ("MessageBody", "m")][..],
            400,
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
        (
            &[
                ("Action", "CreateQueue"),
                ("QueueName", "q.fifo"),
                ("Attribute.1.Name", "FifoQueue"),
                ("Attribute.1.Value", "true"),
            ],
            400,
            "AWS.SimpleQueueService.UnsupportedOperation",
        ),
        (&[("Action", "CreateQueue")], 400, "MissingParameter"),
        (&[("Action", "Nothing")], 400, "InvalidAction"),
        (&[("QueueName", "q")], 400, "MissingParameter"),
        (
            &[("Action", "DeleteMessage"), ("QueueUrl", "http://h/000000000000/q"), ("ReceiptHandle", "x")],
            404,
            "ReceiptHandleIsInvalid",
        ),
        (
            &[("Action", "ReceiveMessage"), ("QueueUrl", "http://h/000000000000/q"), ("WaitTimeSeconds", "x")],
            400,
            "InvalidParameterValue",
        ),
    ] {
        let answer = ask("/", items);
        let text = xml(&answer);
        assert_eq!((answer.status, between(&text, "Code"), between(&text, "Type")), (status, code, "Sender"), "{text}");
    }
}

#[test]
fn no_acknowledged_message_is_lost_and_no_receipt_forgotten() {
    let mut engine = Engine::start();
    let created =
        call(&engine, "CreateQueue", &json!({"QueueName": "q", "Attributes": {"VisibilityTimeout": "43200"}}));
    // Of the address that the first engine had.
    let url = created["QueueUrl"].as_str().unwrap().to_owned();
    let mut left = BTreeSet::new();
    let mut handles = Vec::new();
    for round in 0..5 {
        for number in 0..6 {
            let sent =
                call(&engine, "SendMessage", &json!({"QueueUrl": url, "MessageBody": format!("{round}.{number}")}));
            left.insert(sent["MessageId"].as_str().unwrap().to_owned());
        }
        // One is with a receiver when the engine dies, another is not there any more.
        let received = call(&engine, "ReceiveMessage", &json!({"QueueUrl": url, "MaxNumberOfMessages": 2}));
        let messages = received["Messages"].as_array().unwrap();
        assert_eq!(messages.len(), 2);
        handles.push(messages[0]["ReceiptHandle"].clone());
        call(&engine, "DeleteMessage", &json!({"QueueUrl": url, "ReceiptHandle": messages[1]["ReceiptHandle"]}));
        assert!(left.remove(messages[1]["MessageId"].as_str().unwrap()));
        engine.restart();
    }
    // Receipts of engines that were killed do what they are for.
    for handle in &handles {
        let give_back = json!({"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 0});
        call(&engine, "ChangeMessageVisibility", &give_back);
    }
    let mut found = BTreeSet::new();
    loop {
        let received = call(&engine, "ReceiveMessage", &json!({"QueueUrl": url, "MaxNumberOfMessages": 10}));
        let Some(messages) = received["Messages"].as_array() else { break };
        for message in messages {
            assert!(found.insert(message["MessageId"].as_str().unwrap().to_owned()), "{message} came twice");
        }
    }
    assert_eq!(found, left);
}

#[test]
fn an_engine_that_ends_ends_the_waiting() {
    let mut engine = Engine::start();
    let url = call(&engine, "CreateQueue", &json!({"QueueName": "q"}))["QueueUrl"].clone();
    let mut polled = engine.connect();
    polled.write(&request("ReceiveMessage", &json!({"QueueUrl": url, "WaitTimeSeconds": 20})).bytes()).unwrap();
    // Answered after the poll was taken in: the engine does one thing at a time.
    call(&engine, "GetQueueAttributes", &json!({"QueueUrl": url, "AttributeNames": ["All"]}));
    let begun = now();
    assert!(engine.terminate().success());
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
    // Nothing at all where the poll had not been read yet.
    if let Some(answer) = polled.read("POST") {
        assert_eq!((answer.status, answer.json()), (200, json!({})));
    }
}

/// Sends its event to a queue of the engine, whose address AWS's own SDKs would take from the same variable.
const SENDER: &[u8] = b"
import json, os, urllib.request

def handler(event, context):
    body = json.dumps({'QueueUrl': event, 'MessageBody': 'from a function'}).encode()
    headers = {'X-Amz-Target': 'AmazonSQS.SendMessage', 'Content-Type': 'application/x-amz-json-1.0'}
    request = urllib.request.Request(os.environ['AWS_ENDPOINT_URL'], body, headers)
    return json.load(urllib.request.urlopen(request))['MessageId']
";

#[test]
fn a_function_sends_to_a_queue() {
    let test = "queues::a_function_sends_to_a_queue";
    let Some(interpreters) = Interpreters::find(test) else { return };
    let engine = Engine::start_with(&["--config", interpreters.settings()]);
    let url = call(&engine, "CreateQueue", &json!({"QueueName": "q"}))["QueueUrl"].clone();
    let zip = zip_of(&[("app.py", 0o644, SENDER)]);
    let create = json!({
        "FunctionName": "sender", "Runtime": interpreters.python(), "Handler": "app.handler",
        "Role": "arn:aws:iam::111111111111:role/r", "Timeout": 30,
        "Code": {"ZipFile": data_encoding::BASE64.encode(&zip)},
    });
    let created = engine.send(&Request::new("POST", "/2015-03-31/functions").body(create.to_string()));
    assert_eq!(created.status, 201, "{created:?}");
    engine.wait_until_settled("sender");
    let id = engine.send(&Request::invoke("sender", url.to_string())).json();
    let received = call(&engine, "ReceiveMessage", &json!({"QueueUrl": url, "WaitTimeSeconds": 20}));
    let message = &received["Messages"][0];
    assert_eq!((&message["MessageId"], &message["Body"]), (&id, &json!("from a function")));
}
