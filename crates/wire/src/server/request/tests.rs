//! Requests as clients send them, and as nobody should.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::*;
use crate::generated::operations::{self, CreateFunction, Invoke, TagResource, UpdateAlias};
use crate::model::{Kind, Location, Shape};
use crate::server::router::route;

/// The answer to a request, as `status code: text` if it is refused.
fn answer(method: &Method, uri: &str, headers: &[(&'static str, &str)], body: &str) -> Result<Value, String> {
    let (path, query) = uri.split_once('?').map_or((uri, None), |(path, query)| (path, Some(query)));
    let route = route(method, path, query).unwrap();
    let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
    let parts = Parts { labels: &route.labels, query, headers: &headers.collect(), body: body.as_bytes() };
    document(route.operation, &parts).map(Value::Object).map_err(|rejected| {
        let shape = rejected.code.shape();
        format!("{} {}: {}", shape.status, shape.name, rejected.message)
    })
}

fn post(uri: &str, body: &str) -> Result<Value, String> {
    answer(&Method::POST, uri, &[], body)
}

const CREATE: &str = "/2015-03-31/functions";

#[test]
fn members_come_from_where_they_travel() {
    let uri = "/2015-03-31/functions/my%20fn/invocations?Qualifier=a%2Bb&Qualifier=c";
    let refused = answer(&Method::POST, uri, &[("x-amz-log-type", "Tail")], "not json");
    // A blank is no part of a name, and what is wrong is said in one text.
    let refused = refused.unwrap_err();
    assert!(
        refused.starts_with("400 ValidationException: 2 validation errors detected: Value 'my fn' at 'functionName'")
    );
    assert!(refused.contains("; Value 'a+b' at 'qualifier' failed"), "{refused}");

    let uri = "/2015-03-31/functions/f/aliases/a?unknown=1";
    let document = answer(&Method::PUT, uri, &[], r#"{"Name":"b","Description":null,"FunctionVersion":"1","New":1}"#);
    assert_eq!(document.unwrap(), serde_json::json!({"FunctionName": "f", "Name": "a", "FunctionVersion": "1"}));

    let uri = "/2025-12-01/functions/f/durable-executions?Statuses=RUNNING&Statuses=FAILED&ReverseOrder=TRUE&MaxItems=3&StartedAfter=2026-01-02T03:04:05.5Z";
    let document = answer(&Method::GET, uri, &[], "").unwrap();
    assert_eq!(
        document,
        serde_json::json!({"FunctionName": "f", "Statuses": ["RUNNING", "FAILED"], "ReverseOrder": true,
            "MaxItems": 3, "StartedAfter": 1_767_323_045.5})
    );
}

#[test]
fn values_of_the_wrong_sort_are_refused_in_awss_words() {
    for (body, text) in [
        ("{", "Could not parse request body into json: EOF while parsing an object at line 1 column 1"),
        ("[]", "Start of list found where not expected"),
        ("7", "Expected structure or map or null"),
        // Seen on real accounts for a variable that is a number.
        (r#"{"Environment":{"Variables":{"A1":1}}}"#, "NUMBER_VALUE can not be converted to a String"),
        (r#"{"Environment":{"Variables":{"A1":true}}}"#, "TRUE_VALUE can not be converted to a String"),
        (r#"{"Timeout":"3"}"#, "STRING_VALUE can not be converted to an Integer"),
        (r#"{"Timeout":3.5}"#, "NUMBER_VALUE can not be converted to an Integer"),
        (r#"{"Timeout":4294967296}"#, "NUMBER_VALUE can not be converted to an Integer"),
        (r#"{"Publish":"yes"}"#, "STRING_VALUE can not be converted to a Boolean"),
        (r#"{"Layers":"a"}"#, "Expected list or null"),
        (r#"{"Layers":{}}"#, "Start of structure or map found where not expected."),
        (r#"{"Handler":["a"]}"#, "Start of list found where not expected"),
        (r#"{"Code":"a"}"#, "Expected structure or map or null"),
    ] {
        assert_eq!(post(CREATE, body).unwrap_err(), format!("400 SerializationException: {text}"), "{body}");
    }
    let uri = "/2015-03-31/functions?MaxItems=many";
    let refused = answer(&Method::GET, uri, &[], "").unwrap_err();
    assert_eq!(refused, "400 SerializationException: STRING_VALUE can not be converted to an Integer");
}

#[test]
fn a_blob_that_is_no_base64_is_refused() {
    let headers = HeaderMap::new();
    let read = |zip: &str| {
        let body =
            format!(r#"{{"FunctionName":"f","Role":"arn:aws:iam::000000000000:role/r","Code":{{"ZipFile":"{zip}"}}}}"#);
        let parts = Parts { labels: &Labels::default(), query: None, headers: &headers, body: body.as_bytes() };
        super::read::<CreateFunction>(&parts)
    };
    assert_eq!(read("UEsDBA==").unwrap().code.zip_file.unwrap().0, Bytes::from_static(b"PK\x03\x04"));
    assert_eq!(read("not base64").unwrap_err().code, ErrorCode::Serialization);
}

#[test]
fn what_is_missing_is_null() {
    let text = "400 ValidationException: 3 validation errors detected: \
        Value null at 'functionName' failed to satisfy constraint: Member must not be null; \
        Value null at 'role' failed to satisfy constraint: Member must not be null; \
        Value null at 'code' failed to satisfy constraint: Member must not be null";
    for body in ["", "{}", "null", r#"{"Role":null}"#] {
        assert_eq!(post(CREATE, body).unwrap_err(), text);
    }
}

#[test]
fn texts_name_the_place_and_keep_secrets() {
    let with =
        |more: &str| format!(r#"{{"FunctionName":"f","Role":"arn:aws:iam::000000000000:role/r","Code":{{}},{more}}}"#);
    for (more, text) in [
        // Seen on real accounts: the variables themselves are not printed.
        (
            r#""Environment":{"Variables":{"a":"secret"}}"#,
            "Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: \
             [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]",
        ),
        // Recorded for IAM: the items of a list of structures are counted from one.
        (
            r#""FileSystemConfigs":[{"Arn":"arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0","LocalMountPath":"/x"}]"#,
            "Value '/x' at 'fileSystemConfigs.1.member.localMountPath' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: /mnt/[a-zA-Z0-9-_.]+",
        ),
        (
            r#""KMSKeyArn":"x""#,
            "Value 'x' at 'kMSKeyArn' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()",
        ),
        (
            r#""Architectures":[null]"#,
            "Value '[null]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: \
             [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]",
        ),
        (
            r#""VpcConfig":{"SecurityGroupIds":["sg-1","sg-2","sg-3","sg-4","sg-5","sg-6"]}"#,
            "Value '[sg-1, sg-2, sg-3, sg-4, sg-5, sg-6]' at 'vpcConfig.securityGroupIds' failed to satisfy \
             constraint: Member must have length less than or equal to 5",
        ),
    ] {
        let text = format!("400 ValidationException: 1 validation error detected: {text}");
        assert_eq!(post(CREATE, &with(more)).unwrap_err(), text);
    }
}

#[test]
fn an_unknown_way_to_invoke_is_refused() {
    let uri = "/2015-03-31/functions/f/invocations";
    assert_eq!(
        answer(&Method::POST, uri, &[("x-amz-invocation-type", "Bogus")], "").unwrap_err(),
        "400 ValidationException: 1 validation error detected: Value 'Bogus' at 'invocationType' failed to satisfy \
         constraint: Member must satisfy enum value set: [DryRun, RequestResponse, Event]"
    );
}

#[test]
fn inputs_are_typed() {
    let headers =
        HeaderMap::from_iter([(HeaderName::from_static("x-amz-invocation-type"), HeaderValue::from_static("Event"))]);
    let route = route(&Method::POST, "/2015-03-31/functions/f/invocations", None).unwrap();
    let parts = Parts { labels: &route.labels, query: Some("Qualifier=1"), headers: &headers, body: b"{}" };
    let input = read::<Invoke>(&parts).unwrap();
    assert_eq!(input.function_name, "f");
    assert_eq!(input.invocation_type, Some(crate::generated::types::InvocationType::Event));
    assert_eq!(input.qualifier.as_deref(), Some("1"));

    let headers = HeaderMap::new();
    let parts = |labels, body| Parts { labels, query: None, headers: &headers, body };
    let uri = "/2015-03-31/functions/f/aliases/a";
    let route_to = |method: Method, uri: &'static str| route_of(&method, uri);
    let update = route_to(Method::PUT, uri);
    let body = br#"{"RoutingConfig":{"AdditionalVersionWeights":{"2":0.25}}}"#;
    let input = read::<UpdateAlias>(&parts(&update, body)).unwrap();
    let weights = input.routing_config.unwrap().additional_version_weights.unwrap();
    assert_eq!(weights.into_iter().collect::<Vec<_>>(), [("2".to_owned(), 0.25)]);
    let tag = route_to(Method::POST, "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af");
    let input = read::<TagResource>(&parts(&tag, br#"{"Tags":{"k":"v"}}"#)).unwrap();
    assert_eq!(input.resource, "arn:aws:lambda:us-east-1:000000000000:function:f");
    assert_eq!(input.tags.into_iter().collect::<Vec<_>>(), [("k".to_owned(), "v".to_owned())]);
}

fn route_of(method: &Method, uri: &'static str) -> Labels<'static> {
    route(method, uri, None).unwrap().labels
}

/// Values for a shape: mostly of its sort, sometimes of any.
fn value_for(shape: &'static Shape) -> BoxedStrategy<Value> {
    let text = prop_oneof![
        Just("f".to_owned()),
        Just("arn:aws:lambda:us-east-1:000000000000:function:f:1".to_owned()),
        Just("2026-01-02T03:04:05Z".to_owned()),
        Just("UEsDBA==".to_owned()),
        "[a-z0-9:$-]{0,20}",
        ".{0,8}",
    ];
    let other = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(serde_json::json!([1])),
        Just(serde_json::json!({"a": "b"})),
    ];
    let apt = match shape.kind {
        Kind::Structure(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|member| {
                    let often = if member.required { 0.97 } else { 0.2 };
                    prop::option::weighted(often, value_for(member.shape)).prop_map(|value| Some((member.name, value?)))
                })
                .collect();
            members
                .prop_map(|members| {
                    members.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)).collect()
                })
                .boxed()
        }
        Kind::List(item) => prop::collection::vec(value_for(item), 0..3).prop_map(Value::Array).boxed(),
        Kind::Map(_, of) => prop::collection::vec((text, value_for(of)), 0..3)
            .prop_map(|entries| Value::Object(entries.into_iter().collect()))
            .boxed(),
        Kind::Enum(values) => prop::sample::select(values).prop_map(Value::from).boxed(),
        Kind::Integer | Kind::Long => {
            let (min, max) = (shape.min.unwrap_or(0), shape.max.unwrap_or(1000));
            prop_oneof![9 => min..=max, 1 => any::<i64>()].prop_map(Value::from).boxed()
        }
        Kind::Double | Kind::Timestamp => prop_oneof![0.0..10.0_f64, any::<f64>()].prop_map(Value::from).boxed(),
        Kind::Boolean => any::<bool>().prop_map(Value::Bool).boxed(),
        Kind::String | Kind::Blob => {
            let min = usize::try_from(shape.min.unwrap_or(0)).unwrap();
            let max = shape.max.map_or(min + 8, |max| usize::try_from(max).unwrap().min(min + 8));
            let letters = prop::collection::vec(prop::char::range('a', 'z'), min..=max)
                .prop_map(|letters| letters.into_iter().collect::<String>());
            // Anchors within a pattern are more than the maker of texts understands.
            let fitting = shape.pattern.and_then(|pattern| prop::string::string_regex(pattern.must).ok());
            let fitting = fitting.map_or(letters.boxed(), Strategy::boxed);
            prop_oneof![2 => fitting, 1 => text].prop_map(Value::String).boxed()
        }
    };
    prop_oneof![40 => apt, 1 => other].boxed()
}

/// A request of any operation: what travels outside of the body as text, the rest as JSON.
fn request() -> impl Strategy<Value = (Operation, Value)> {
    prop::sample::select(&Operation::ALL[..])
        .prop_flat_map(|operation| (Just(operation), value_for(operation.spec().input)))
}

/// A request of each operation that fits its shapes is soon found, accepted, and becomes the typed input: so no
/// operation's tables, paths and types contradict one another.
#[test]
fn every_operation_accepts_a_request_that_fits_it() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for operation in Operation::ALL {
        let inputs = value_for(operation.spec().input);
        let mut last = String::new();
        let accepted = (0..500).any(|_| {
            let input = inputs.new_tree(&mut runner).unwrap().current();
            let (path, query, headers, body) = sent(operation, &input);
            let route = route(&operation.spec().method, &path, query.as_deref()).unwrap();
            let parts = Parts { labels: &route.labels, query: query.as_deref(), headers: &headers, body: &body };
            let typed = document(operation, &parts).map_err(|rejected| rejected.message).and_then(|document| {
                operations::typed(operation, Value::Object(document)).map_err(|error| error.to_string())
            });
            typed.map_err(|why| last = why).is_ok()
        });
        assert!(accepted, "no request was good enough for {}: {last}", operation.name());
    }
}

/// Sends the members to where they travel.
fn sent(operation: Operation, input: &Value) -> (String, Option<String>, HeaderMap, Vec<u8>) {
    let spec = operation.spec();
    let encoded = |value: &Value| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02x}"))
    };
    let (mut path, mut query, mut headers, mut body) = (
        spec.path.to_owned(),
        spec.query_literal.map(|(key, value)| format!("{key}={value}")),
        HeaderMap::new(),
        input.clone(),
    );
    for member in spec.input.members() {
        let value = input.get(member.name);
        match member.location {
            Location::Path(name) => {
                let value = value.map(&encoded).filter(|text| !text.is_empty()).unwrap_or("x".to_owned());
                path = path.replace(&format!("{{{name}}}"), &value);
            }
            Location::Query(name) => {
                let items = value.map(|value| value.as_array().cloned().unwrap_or(vec![value.clone()]));
                for item in items.unwrap_or_default() {
                    query = Some(format!("{}&{name}={}", query.unwrap_or_default(), encoded(&item)));
                }
            }
            Location::Header(name) => {
                if let Some(value) = value.and_then(|value| HeaderValue::from_bytes(value.as_str()?.as_bytes()).ok()) {
                    headers.insert(name, value);
                }
            }
            Location::Payload => body = value.cloned().unwrap_or_default(),
            Location::Body => (),
        }
    }
    (path, query, headers, serde_json::to_vec(&body).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_passes_the_check_becomes_the_typed_input((operation, input) in request()) {
        let (path, query, headers, body) = sent(operation, &input);
        let route = route(&operation.spec().method, &path, query.as_deref()).unwrap();
        prop_assert_eq!(route.operation, operation);
        let parts = Parts { labels: &route.labels, query: query.as_deref(), headers: &headers, body: &body };
        match document(operation, &parts) {
            Ok(document) => {
                if let Err(error) = operations::typed(operation, Value::Object(document)) {
                    // Only what a text holds is left to the types: base64, and moments that no calendar has.
                    let text = error.to_string();
                    prop_assert!(text.starts_with("not base64") || text.contains("timestamp"), "{operation:?}: {text}");
                }
            }
            Err(rejected) => prop_assert!(!rejected.message.is_empty()),
        }
    }

    #[test]
    fn no_bytes_make_it_panic(
        operation in prop::sample::select(&Operation::ALL[..]),
        path in ".{0,40}",
        query in prop::option::of("[A-Za-z%&=+0-9]{0,60}"),
        header in prop::collection::vec(32_u8..255, 0..20),
        body in prop_oneof![prop::collection::vec(any::<u8>(), 0..60), "[\\[\\]{}\":,a-zA-Z0-9]{0,60}".prop_map(String::into_bytes)],
    ) {
        let headers: HeaderMap = operation.spec().input.members().iter().filter_map(|member| match member.location {
            Location::Header(name) => Some((HeaderName::from_static(name), HeaderValue::from_bytes(&header).ok()?)),
            _ => None,
        }).collect();
        let route = route(&operation.spec().method, &path, query.as_deref());
        let labels = route.map(|route| route.labels).unwrap_or_default();
        let _ = document(operation, &Parts { labels: &labels, query: query.as_deref(), headers: &headers, body: &body });
    }
}
