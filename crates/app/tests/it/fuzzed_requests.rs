//! Requests to the API, made by chance out of parts that mean something: names and ARNs, queries, headers, bodies. Each is
//! answered in AWS's form, none is a failure of ours, and the engine goes on.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::engine_process::{Answer, Connection, Engine, Request, zip_of};

const CASES: u32 = 3000;
/// What an engine may hold at most, in KiB: each of these requests is small.
const MEMORY_KIB_MAX: u64 = 80 * 1024;

/// A name, an ARN, or something near one, ready for a path.
fn name() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "arn",
        "aws",
        "aws-cn",
        "lambda",
        "us-east-1",
        "eu-west-1",
        "000000000000",
        "111111111111",
        "function",
        "good",
        "f",
        "$LATEST",
        "1",
        "99999999999999999999",
        "alias",
        "%24LATEST",
        "%00",
        "%FF",
        "%2F",
        "%3A",
        "..",
        "*",
        "-",
        "_",
        "%C3%A4",
        "",
        "layer",
        "$latest",
        "%20",
    ]);
    prop_oneof![
        4 => prop::collection::vec(part, 1..9).prop_map(|parts| parts.join(":")),
        2 => Just("good".to_owned()),
        2 => (prop::sample::select(vec!["good", "none"]), prop::sample::select(vec!["$LATEST", "1", "a", "%24", ""]))
            .prop_map(|(name, qualifier)| format!("arn:aws:lambda:us-east-1:000000000000:function:{name}:{qualifier}")),
        1 => "[a-zA-Z0-9:$_.%-]{0,200}",
        1 => (60_usize..300).prop_map(|length| "x".repeat(length)),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![i64::MIN, -1, 0, 1, 127, 128, 900, 901, 10_240, 10_241, i64::from(i32::MAX) + 1])
            .prop_map(Value::from),
        ".{0,30}".prop_map(Value::from),
        prop::sample::select(vec![
            "python3.12",
            "provided.al2023",
            "app.handler",
            "arn:aws:iam::000000000000:role/r",
            "x86_64",
            "$LATEST"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[A-Za-z_]{0,10}", inner), 0..4)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// A good body with some members replaced.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let zip = data_encoding::BASE64.encode(&zip_of(&[("bootstrap", 0o755, b"#!/bin/sh\n")]));
    let good = json!({
        "FunctionName": "fuzzed", "Runtime": "provided.al2023", "Handler": "h", "Role": "arn:aws:iam::111111111111:role/r",
        "Code": {"ZipFile": zip}, "ZipFile": zip, "Timeout": 3, "MemorySize": 128, "Description": "d", "Publish": false,
        "Environment": {"Variables": {"KEY": "value"}}, "Architectures": ["x86_64"], "EphemeralStorage": {"Size": 512},
        "Tags": {"a": "b"}, "Layers": [], "TracingConfig": {"Mode": "Active"}, "LoggingConfig": {"LogFormat": "JSON"},
        "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:q"}, "VpcConfig": {"SubnetIds": ["subnet-1"]},
        "PackageType": "Zip", "RevisionId": "a", "DryRun": true, "FileSystemConfigs": [], "Name": "a",
        "FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}},
        "ReservedConcurrentExecutions": 1, "ProvisionedConcurrentExecutions": 1, "CodeSha256": "x",
    });
    let names: Vec<String> = good.as_object().unwrap().keys().cloned().collect();
    let changes = prop::collection::vec((prop::sample::select(names), prop::option::weighted(0.7, any_json())), 0..5);
    let changed = changes.prop_map(move |changes| {
        let mut body = good.clone();
        for (name, value) in changes {
            match value {
                Some(value) => body[name] = value,
                None => drop(body.as_object_mut().unwrap().remove(&name)),
            }
        }
        body.to_string().into_bytes()
    });
    prop_oneof![
        6 => changed,
        1 => any_json().prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => Just(Vec::new()),
        1 => (1_usize..2000).prop_map(|depth| "[".repeat(depth).into_bytes()),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    let target = prop_oneof![
        3 => name().prop_map(|name| format!("/2015-03-31/functions/{name}/invocations")),
        2 => name().prop_map(|name| format!("/2015-03-31/functions/{name}")),
        2 => name().prop_map(|name| format!("/2015-03-31/functions/{name}/configuration")),
        2 => name().prop_map(|name| format!("/2015-03-31/functions/{name}/code")),
        3 => Just("/2015-03-31/functions".to_owned()),
        1 => name().prop_map(|name| format!("/2015-03-31/functions/{name}/versions")),
        1 => name().prop_map(|name| format!("/2015-03-31/functions/{name}/aliases")),
        1 => (name(), name()).prop_map(|(name, alias)| format!("/2015-03-31/functions/{name}/aliases/{alias}")),
        1 => name().prop_map(|name| format!("/2017-10-31/functions/{name}/concurrency")),
        1 => name().prop_map(|name| format!("/2019-09-30/functions/{name}/provisioned-concurrency")),
        1 => name().prop_map(|name| format!("/2015-03-31/functions/{name}/policy")),
        1 => name().prop_map(|name| format!("/2019-09-25/functions/{name}/event-invoke-config")),
        1 => name().prop_map(|name| format!("/2017-03-31/tags/{name}")),
        1 => (name(), name()).prop_map(|(name, version)| format!("/2018-10-31/layers/{name}/versions/{version}")),
        1 => name().prop_map(|name| format!("/2021-11-15/functions/{name}/response-streaming-invocations")),
        1 => Just("/2016-08-19/account-settings".to_owned()),
        1 => "/[a-z0-9/%.-]{0,60}",
    ];
    let query = prop::option::of(prop_oneof![
        name().prop_map(|name| format!("Qualifier={name}")),
        any::<i32>().prop_map(|items| format!("MaxItems={items}")),
        "[A-Za-z0-9+/=%]{0,40}".prop_map(|marker| format!("Marker={marker}")),
        Just("FunctionVersion=ALL".to_owned()),
        "[A-Za-z0-9&=%+]{0,60}",
    ]);
    let header = prop::sample::select(vec![
        ("X-Amz-Invocation-Type", "RequestResponse"),
        ("X-Amz-Invocation-Type", "Event"),
        ("X-Amz-Invocation-Type", "DryRun"),
        ("X-Amz-Invocation-Type", "\u{e4}"),
        ("X-Amz-Log-Type", "Tail"),
        ("X-Amz-Log-Type", "None"),
        ("X-Amz-Client-Context", "e30="),
        ("X-Amz-Client-Context", "bm8="),
        ("X-Amz-Client-Context", "%"),
        ("X-Amzn-Trace-Id", "Root=1-00000000-000000000000000000000000;Sampled=2"),
        ("X-Amzn-Trace-Id", ";;=;"),
        ("X-Amz-Tenant-Id", "a b"),
        ("Content-Type", "text/plain"),
        ("Authorization", "AWS4-HMAC-SHA256 Credential=///"),
        ("Accept-Encoding", "gzip"),
        ("X-Amz-Date", "0"),
        ("Range", "bytes=0-0"),
        ("If-Match", "*"),
    ]);
    let method = prop::sample::select(vec!["GET", "POST", "POST", "PUT", "DELETE", "PATCH"]);
    (method, target, query, prop::collection::vec(header, 0..4), body()).prop_map(
        |(method, path, query, headers, body)| {
            let target = query.map_or(path.clone(), |query| format!("{path}?{query}"));
            let request = Request::new(method, &target).body(body);
            headers.into_iter().fold(request, |request, (name, value)| request.header(name, value))
        },
    )
}

#[test]
fn every_request_is_answered_and_none_is_our_failure() {
    let engine = Engine::start_with(&["--keep-warm-seconds", "1"]);
    let connection = std::cell::RefCell::new(engine.connect());
    let mut runner =
        TestRunner::new(Config { cases: CASES, failure_persistence: None, max_shrink_iters: 50, ..Config::default() });
    let result = runner.run(&request(), |request| {
        let mut connection = connection.borrow_mut();
        if connection.write(&request.bytes()).is_err() {
            *connection = engine.connect();
            connection.write(&request.bytes()).unwrap();
        }
        let answer = connection.read(&request.method);
        let Some(answer) = answer else {
            *connection = engine.connect();
            return Err(TestCaseError::fail("closed without an answer"));
        };
        if answer.header("connection") == Some("close") {
            *connection = engine.connect();
        }
        is_aws(&answer).map_err(TestCaseError::fail)
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let peak = engine.memory_peak_kib();
    assert!(peak < MEMORY_KIB_MAX, "{peak} KiB");
    assert!(!engine.log().contains("panicked"), "{}", engine.log());
    let mut fresh = Connection::to(engine.api());
    fresh.write(&Request::new("GET", "/2015-03-31/functions").bytes()).unwrap();
    assert_eq!(fresh.read("GET").unwrap().status, 200);
}

/// An answer as AWS gives one, or what no server that reads HTTP could do better.
fn is_aws(answer: &Answer) -> Result<(), String> {
    let shown = || format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body));
    match answer.status {
        200..=299 => Ok(()),
        // HTTP itself was broken.
        400 | 431 if answer.body.is_empty() => Ok(()),
        400..=499 | 501 => {
            let (code, text) = answer.error();
            // AWS gives one of them no text (recorded: AccessDeniedException).
            let told = !code.is_empty() && (!text.is_empty() || answer.status == 403);
            if told { Ok(()) } else { Err(format!("an error without code or text: {}", shown())) }
        }
        _ => Err(format!("a failure of ours: {}", shown())),
    }
}
