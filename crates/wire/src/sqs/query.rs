//! The query protocol: a form in, XML out (Amazon SQS developer guide, "Making Query API requests").
//!
//! Lists and maps are flattened: `AttributeName.1`, `Attribute.1.Name`, `SendMessageBatchRequestEntry.2.MessageBody`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use domain::names::RequestId;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value};

use super::actions::Action;
use super::errors::{Code, Failure};
use super::input::Object;
use crate::server::percent;

const NAMESPACE: &str = "http://queue.amazonaws.com/doc/2012-11-05/";
/// Parts of a key: an entry, its number, an attribute, its number, `Value`, `StringValue`. What follows is one part.
const KEY_PARTS: usize = 6;

/// Members that are lists: the word before the number, and the member.
const LISTS: [(&str, &str); 7] = [
    ("AttributeName", "AttributeNames"),
    ("MessageAttributeName", "MessageAttributeNames"),
    ("MessageSystemAttributeName", "MessageSystemAttributeNames"),
    ("TagKey", "TagKeys"),
    ("SendMessageBatchRequestEntry", "Entries"),
    ("DeleteMessageBatchRequestEntry", "Entries"),
    ("ChangeMessageVisibilityBatchRequestEntry", "Entries"),
];
/// Members that are maps: the word before the number, the member, and what a key is called.
const MAPS: [(&str, &str, &str); 4] = [
    ("Attribute", "Attributes", "Name"),
    ("MessageAttribute", "MessageAttributes", "Name"),
    ("MessageSystemAttribute", "MessageSystemAttributes", "Name"),
    ("Tag", "Tags", "Key"),
];
/// Members that are numbers.
const NUMBERS: [&str; 5] =
    ["DelaySeconds", "MaxNumberOfMessages", "MaxResults", "VisibilityTimeout", "WaitTimeSeconds"];

/// A form as it came: in the query, in the body, or in both.
pub(super) struct Form {
    text: Bytes,
}

impl AsRef<[u8]> for Form {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

/// What a key's parts lead to.
#[derive(Default)]
struct Node {
    text: Option<String>,
    parts: BTreeMap<String, Node>,
}

impl Form {
    pub(super) fn read(query: Option<&str>, body: Bytes) -> Self {
        let text = match query {
            Some(query) if !query.is_empty() => [query.as_bytes(), b"&", &body].concat().into(),
            _ => body,
        };
        Self { text }
    }

    fn items(&self) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
        // Whatever is no UTF-8 is percent-encoded in a form.
        let text = std::str::from_utf8(&self.text).unwrap_or_default();
        let items = text.split('&').filter(|item| !item.is_empty());
        items.map(|item| {
            let (key, value) = item.split_once('=').unwrap_or((item, ""));
            (percent::query_item(key), value)
        })
    }

    /// Which action is asked for.
    pub(super) fn action(&self) -> Option<Cow<'_, str>> {
        self.items().find(|(key, _)| key == "Action").map(|(_, value)| percent::query_item(value))
    }

    /// The same as the object that AWS JSON has for it.
    pub(super) fn input(self) -> Result<Object, Failure> {
        let mut root = Node::default();
        for (key, value) in self.items() {
            let mut node = &mut root;
            for part in key.splitn(KEY_PARTS, '.') {
                node = node.parts.entry(part.to_owned()).or_default();
            }
            node.text = Some(percent::query_item(value).into_owned());
        }
        root.object()
    }
}

impl Node {
    fn object(self) -> Result<Object, Failure> {
        let mut object = Object::new();
        for (name, node) in self.parts {
            if let Some((_, member)) = LISTS.iter().find(|(word, _)| *word == name) {
                let elements = node.elements("Id").into_iter().map(Node::value).collect::<Result<Vec<_>, _>>()?;
                object.insert((*member).to_owned(), elements.into());
            } else if let Some((_, member, key)) = MAPS.iter().find(|(word, ..)| *word == name) {
                let mut map = Map::new();
                for mut element in node.elements(key) {
                    let key = element.parts.remove(*key).and_then(|node| node.text);
                    let key = key.ok_or_else(|| Failure::missing(&format!("{name}.N.Name")))?;
                    let value = element.parts.remove("Value").map(Node::value).transpose()?;
                    map.insert(key, value.unwrap_or_else(|| "".into()));
                }
                object.insert((*member).to_owned(), map.into());
            } else if NUMBERS.contains(&name.as_str()) {
                let text = node.text.unwrap_or_default();
                let number: i64 = text.parse().map_err(|_| {
                    Failure::new(
                        Code::InvalidParameterValue,
                        format!("Value {text} for parameter {name} is invalid. Reason: Must be an integer."),
                    )
                })?;
                object.insert(name, number.into());
            } else if let Some(text) = node.text {
                object.insert(name, text.into());
            }
        }
        Ok(object)
    }

    fn value(self) -> Result<Value, Failure> {
        if self.parts.is_empty() { Ok(self.text.unwrap_or_default().into()) } else { Ok(self.object()?.into()) }
    }

    /// The elements in the order of their numbers; a single one may go without a number.
    fn elements(self, key: &str) -> Vec<Self> {
        if self.parts.contains_key(key) || self.parts.is_empty() {
            return vec![self];
        }
        let mut elements: Vec<(u32, Self)> =
            self.parts.into_iter().map(|(number, node)| (number.parse().unwrap_or(u32::MAX), node)).collect();
        elements.sort_by_key(|(number, _)| *number);
        elements.into_iter().map(|(_, node)| node).collect()
    }
}

/// Writes an answer.
pub(super) fn response(
    action: Option<Action>,
    answered: Result<Object, Failure>,
    request_id: RequestId,
) -> Response<Bytes> {
    let mut xml = Xml(String::from("<?xml version=\"1.0\"?>"));
    let request_id = request_id.to_string();
    let status = match (answered, action) {
        (Ok(output), Some(action)) => {
            let (name, result) = (action.name(), format!("{}Result", action.name()));
            xml.root(&format!("{name}Response"));
            if action.has_result() {
                xml.within(&result, |xml| xml.members(action, &output));
            }
            xml.within("ResponseMetadata", |xml| xml.element("RequestId", &request_id));
            xml.close(&format!("{name}Response"));
            StatusCode::OK
        }
        (answered, _) => {
            let failure = answered.err().unwrap_or_else(|| Failure::missing("Action"));
            let spelling = failure.code.spelling();
            xml.root("ErrorResponse");
            xml.within("Error", |xml| {
                xml.element("Type", if failure.code.is_senders() { "Sender" } else { "Receiver" });
                xml.element("Code", spelling.query);
                xml.element("Message", &failure.message);
                xml.element("Detail", "");
            });
            xml.element("RequestId", &request_id);
            xml.close("ErrorResponse");
            StatusCode::from_u16(spelling.query_status).unwrap_or(StatusCode::BAD_REQUEST)
        }
    };
    let mut response = Response::new(Bytes::from(xml.0));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    response
}

/// What is written of a document.
struct Xml(String);

impl Xml {
    fn root(&mut self, name: &str) {
        self.0.extend(["<", name, " xmlns=\"", NAMESPACE, "\">"]);
    }

    fn close(&mut self, name: &str) {
        self.0.extend(["</", name, ">"]);
    }

    fn within(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.0.extend(["<", name, ">"]);
        write(self);
        self.close(name);
    }

    fn element(&mut self, name: &str, text: &str) {
        self.within(name, |xml| {
            for c in text.chars() {
                match c {
                    '&' => xml.0.push_str("&amp;"),
                    '<' => xml.0.push_str("&lt;"),
                    '>' => xml.0.push_str("&gt;"),
                    '"' => xml.0.push_str("&quot;"),
                    // A parser would make a line feed of it.
                    '\r' => xml.0.push_str("&#xD;"),
                    c => xml.0.push(c),
                }
            }
        });
    }

    fn members(&mut self, action: Action, object: &Object) {
        for (name, value) in object {
            let as_map = MAPS.iter().find(|(_, member, _)| member == name);
            match (value, as_map) {
                (Value::Object(map), Some((word, _, key))) => {
                    for (name, value) in map {
                        self.within(word, |xml| {
                            xml.element(key, name);
                            xml.value(action, "Value", value);
                        });
                    }
                }
                (Value::Array(elements), _) => {
                    let word = match name.as_str() {
                        "QueueUrls" | "queueUrls" => "QueueUrl".to_owned(),
                        "Messages" => "Message".to_owned(),
                        "Failed" => "BatchResultErrorEntry".to_owned(),
                        "Successful" => format!("{}ResultEntry", action.name()),
                        other => other.to_owned(),
                    };
                    for value in elements {
                        self.value(action, &word, value);
                    }
                }
                _ => self.value(action, name, value),
            }
        }
    }

    fn value(&mut self, action: Action, name: &str, value: &Value) {
        match value {
            Value::Object(object) => self.within(name, |xml| xml.members(action, object)),
            Value::String(text) => self.element(name, text),
            other => self.element(name, &other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn input(form: &'static str) -> Result<Value, Failure> {
        Form::read(None, Bytes::from_static(form.as_bytes())).input().map(Value::Object)
    }

    #[test]
    fn a_form_becomes_the_object_of_aws_json() {
        // The forms of the API reference's examples.
        for (form, expected) in [
            ("", json!({})),
            ("MessageBody=a+b%26c&DelaySeconds=45", json!({"MessageBody": "a b&c", "DelaySeconds": 45})),
            ("Attribute.Name=VisibilityTimeout&Attribute.Value=35", json!({"Attributes": {"VisibilityTimeout": "35"}})),
            ("AttributeName.2=b&AttributeName.10=c&AttributeName.1=a", json!({"AttributeNames": ["a", "b", "c"]})),
            ("AttributeName=All", json!({"AttributeNames": ["All"]})),
            ("Tag.1.Key=k&Tag.1.Value=v&Tag.2.Key=e", json!({"Tags": {"k": "v", "e": ""}})),
            (
                "MessageAttribute.1.Name=n&MessageAttribute.1.Value.StringValue=v&MessageAttribute.1.Value.DataType=String",
                json!({"MessageAttributes": {"n": {"StringValue": "v", "DataType": "String"}}}),
            ),
            (
                "SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=x.y\
                 &SendMessageBatchRequestEntry.1.DelaySeconds=1&SendMessageBatchRequestEntry.1.MessageAttribute.1.Name=n\
                 &SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType=String",
                json!({"Entries": [{"Id": "a", "MessageBody": "x.y", "DelaySeconds": 1,
                    "MessageAttributes": {"n": {"DataType": "String"}}}]}),
            ),
            ("a.b=c&DeleteMessageBatchRequestEntry.1.Id=a", json!({"Entries": [{"Id": "a"}]})),
        ] {
            assert_eq!(input(form).unwrap(), expected, "{form}");
        }
        assert_eq!(input("DelaySeconds=x").unwrap_err().code, Code::InvalidParameterValue);
        assert_eq!(input("Attribute.1.Value=x").unwrap_err().code, Code::MissingParameter);
        let form = Form::read(Some("Action=ListQueues&Version=2012-11-05"), Bytes::from_static(b"QueueNamePrefix=a"));
        assert_eq!(form.action().unwrap(), "ListQueues");
        let expected = json!({"Action": "ListQueues", "Version": "2012-11-05", "QueueNamePrefix": "a"});
        assert_eq!(Value::Object(form.input().unwrap()), expected);
    }

    #[test]
    fn a_key_of_many_parts_takes_no_more_than_its_length() {
        let form = format!("{}=v", "a.".repeat(500_000));
        assert_eq!(Form::read(None, form.into()).input().unwrap(), Object::new());
    }

    fn xml(action: &str, output: Value) -> String {
        let Value::Object(output) = output else { panic!("{output}") };
        let id = RequestId(uuid::Uuid::nil());
        let response = response(Some(Action::named(action).unwrap()), Ok(output), id);
        assert_eq!(response.status(), 200);
        let text = String::from_utf8(response.body().to_vec()).unwrap();
        let head = format!("<?xml version=\"1.0\"?><{action}Response xmlns=\"{NAMESPACE}\">");
        let tail = format!("<ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{action}Response>");
        text.strip_prefix(&head).unwrap().strip_suffix(&tail).unwrap().to_owned()
    }

    #[test]
    fn an_answer_is_written_as_the_api_reference_shows_it() {
        for (action, output, expected) in [
            ("DeleteMessage", json!({}), ""),
            ("ListQueues", json!({}), "<ListQueuesResult></ListQueuesResult>"),
            (
                "ListQueues",
                json!({"QueueUrls": ["a", "b"], "NextToken": "t"}),
                "<ListQueuesResult><QueueUrl>a</QueueUrl><QueueUrl>b</QueueUrl><NextToken>t</NextToken></ListQueuesResult>",
            ),
            (
                "GetQueueAttributes",
                json!({"Attributes": {"DelaySeconds": "0"}}),
                "<GetQueueAttributesResult><Attribute><Name>DelaySeconds</Name><Value>0</Value></Attribute></GetQueueAttributesResult>",
            ),
            (
                "ListQueueTags",
                json!({"Tags": {"k": "v"}}),
                "<ListQueueTagsResult><Tag><Key>k</Key><Value>v</Value></Tag></ListQueueTagsResult>",
            ),
            (
                "ReceiveMessage",
                json!({"Messages": [{"Body": "<&>\"\r\n", "Attributes": {"SenderId": "1"},
                    "MessageAttributes": {"n": {"StringValue": "v", "DataType": "String"}}}]}),
                "<ReceiveMessageResult><Message><Body>&lt;&amp;&gt;&quot;&#xD;\n</Body><Attribute><Name>SenderId</Name>\
                 <Value>1</Value></Attribute><MessageAttribute><Name>n</Name><Value><StringValue>v</StringValue>\
                 <DataType>String</DataType></Value></MessageAttribute></Message></ReceiveMessageResult>",
            ),
            (
                "DeleteMessageBatch",
                json!({"Successful": [{"Id": "a"}], "Failed": [{"Id": "b", "SenderFault": true, "Code": "c"}]}),
                "<DeleteMessageBatchResult><DeleteMessageBatchResultEntry><Id>a</Id></DeleteMessageBatchResultEntry>\
                 <BatchResultErrorEntry><Id>b</Id><SenderFault>true</SenderFault><Code>c</Code></BatchResultErrorEntry>\
                 </DeleteMessageBatchResult>",
            ),
        ] {
            assert_eq!(xml(action, output), expected, "{action}");
        }
    }

    #[test]
    fn an_error_is_written_as_recorded() {
        let failure = Failure::from(domain::queue::Refusal::PurgeInProgress { queue: "q".into() });
        let response = response(None, Err(failure), RequestId(uuid::Uuid::nil()));
        assert_eq!(response.status(), 403);
        let expected = format!(
            "<?xml version=\"1.0\"?><ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type>\
             <Code>AWS.SimpleQueueService.PurgeQueueInProgress</Code><Message>Only one PurgeQueue operation on q is \
             allowed every 60 seconds.</Message><Detail></Detail></Error><RequestId>00000000-0000-0000-0000-000000000000\
             </RequestId></ErrorResponse>"
        );
        assert_eq!(response.body(), &expected);
    }
}
