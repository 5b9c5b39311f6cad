//! Layers through the built engine: functions find what is in them where AWS puts it, and every mistake is answered in
//! AWS's words.

use serde_json::{Value, json};

use crate::engine_process::{Answer, Engine, Request, zip_of};
use crate::functions::{Deployed, ROLE, is_python};
use crate::tools::Interpreters;

const LAYER: &str = "arn:aws:lambda:us-east-1:000000000000:layer";

/// Publishes a version with these files; its ARN.
pub(crate) fn publish(engine: &Engine, name: &str, files: &[(&str, u32, &[u8])]) -> String {
    let body = json!({"Content": {"ZipFile": data_encoding::BASE64.encode(&zip_of(files))}});
    let published = send(engine, "POST", &format!("{name}/versions"), &body);
    assert_eq!(published.status, 201, "{}", published.json());
    published.json()["LayerVersionArn"].as_str().unwrap().to_owned()
}

fn send(engine: &Engine, method: &str, path: &str, body: &Value) -> Answer {
    let request = Request::new(method, &format!("/2018-10-31/layers{}{path}", if path.is_empty() { "" } else { "/" }));
    engine.send(&if body.is_null() { request } else { request.body(body.to_string()) })
}

#[track_caller]
fn check_refused(answer: &Answer, status: u16, code: &str, text: &str) {
    let (told, message) = answer.error();
    assert_eq!((answer.status, told.as_str(), message.as_str()), (status, code, text));
}

/// Files of a layer.
type Files = Vec<(String, &'static str)>;

/// A function and its two layers, as AWS lays them out for Python (AWS developer guide, packaging-layers, "Layer paths
/// for each Lambda runtime").
fn python(runtime: &str) -> (&'static str, Files, Files) {
    let code = "import first, second, both, shutil\ndef handler(event, context):\n    \
                return [first.WORD, second.WORD, both.WORD, shutil.which('tool')]\n";
    let (one, two) = ("WORD = 'first'\n", "WORD = 'second'\n");
    let first = vec![("python/first.py".into(), one), ("python/both.py".into(), one)];
    let site_packages = format!("python/lib/{runtime}/site-packages/second.py");
    (code, first, vec![(site_packages, two), ("python/both.py".into(), two)])
}

/// The same for Node.
fn node(runtime: &str) -> (&'static str, Files, Files) {
    let code = "const words = ['first', 'second', 'both'].map((name) => require(name).WORD);\n\
                const tool = require('child_process').execSync('command -v tool').toString().trim();\n\
                exports.handler = async () => [...words, tool];\n";
    let (one, two) = ("exports.WORD = 'first';", "exports.WORD = 'second';");
    let modules = |name: &str| format!("nodejs/node_modules/{name}/index.js");
    let number = runtime.trim_start_matches("nodejs").trim_end_matches(".x");
    let first = vec![(modules("first"), one), (modules("both"), one)];
    (code, first, vec![(format!("nodejs/node{number}/node_modules/second/index.js"), two), (modules("both"), two)])
}

#[test]
fn functions_find_what_is_in_their_layers() {
    let Some(interpreters) = Interpreters::find("layers::functions_find_what_is_in_their_layers") else { return };
    let mut engine = Engine::start_with(&["--config", interpreters.settings()]);
    for runtime in interpreters.runtimes() {
        let name = runtime.replace('.', "-");
        let publish = |suffix: &str, files: &[(String, &str)]| {
            let files = files.iter().map(|(path, content)| (path.as_str(), 0o644, content.as_bytes()));
            let tool: (&str, u32, &[u8]) = ("bin/tool", 0o755, b"#!/bin/sh\n");
            publish(&engine, &format!("{name}-{suffix}"), &files.chain([tool]).collect::<Vec<_>>())
        };
        let (code, first, second) = if is_python(runtime) { python(runtime) } else { node(runtime) };
        let (first, second) = (publish("first", &first), publish("second", &second));
        for (suffix, layers, both) in [("", [&first, &second], "second"), ("-turned", [&second, &first], "first")] {
            let settings = json!({"Runtime": runtime, "Layers": layers});
            let file = if is_python(runtime) { "app.py" } else { "app.js" };
            let files = [(file, 0o644, code.as_bytes())];
            let function = Deployed::create(&engine, &format!("{name}{suffix}"), &files, &settings);
            assert_eq!(function.answer(&json!({})), json!(["first", "second", both, "/opt/bin/tool"]), "{runtime}");
        }
        // They stay without the layer, also over a restart.
        let short = format!("{name}-first/versions/1");
        assert_eq!(send(&engine, "DELETE", &short, &Value::Null).status, 204);
    }
    engine.kill();
    engine.restart();
    for runtime in interpreters.runtimes() {
        let answer = engine.send(&Request::invoke(&runtime.replace('.', "-"), "{}"));
        let answer = answer.json();
        assert_eq!(answer, json!(["first", "second", "second", "/opt/bin/tool"]), "{runtime}");
    }
}

#[test]
fn every_mistake_is_answered_in_the_words_of_aws() {
    let engine = Engine::start();
    let one = publish(&engine, "l", &[("f", 0o644, b"1")]);
    let two = publish(&engine, "l", &[("f", 0o644, b"2")]);
    // LocalStack, whose tests are checked against AWS: test_layer_exceptions.
    let unknown = "The resource you requested does not exist.";
    for path in ["none/versions/1", "l/versions/9", "?find=LayerVersion&Arn="] {
        let answer = match path.strip_prefix('?') {
            None => send(&engine, "GET", path, &Value::Null),
            Some(query) => engine.send(&Request::new("GET", &format!("/2018-10-31/layers?{query}{LAYER}:l:9"))),
        };
        check_refused(&answer, 404, "ResourceNotFoundException", unknown);
    }
    for (method, path) in [("GET", "l/versions/0"), ("GET", "none/versions/-1"), ("DELETE", "l/versions/0")] {
        let answer = send(&engine, method, path, &Value::Null);
        check_refused(&answer, 400, "InvalidParameterValueException", "Layer Version Cannot be less than 1");
    }
    assert_eq!(send(&engine, "GET", "none/versions", &Value::Null).json(), json!({"LayerVersions": []}));
    assert_eq!(send(&engine, "DELETE", "none/versions/7", &Value::Null).status, 204);
    let by_name = engine.send(&Request::new("GET", &format!("/2018-10-31/layers?find=LayerVersion&Arn={LAYER}:l")));
    assert_eq!((by_name.status, by_name.error().0.as_str()), (400, "ValidationException"), "{}", by_name.json());
    let unzipped = json!({"Content": {"ZipFile": data_encoding::BASE64.encode(b"this is a text and no zip")}});
    check_refused(
        &send(&engine, "POST", "l/versions", &unzipped),
        400,
        "InvalidParameterValueException",
        "Could not unzip uploaded file. Please check your file, then try to upload again.",
    );
    let runtimes = json!({"CompatibleRuntimes": ["cobol"], "Content": {}});
    let refused = send(&engine, "POST", "l/versions", &runtimes);
    assert_eq!(refused.error().0, "ValidationException");
    assert!(refused.error().1.starts_with(
        "1 validation error detected: Value '[cobol]' at 'compatibleRuntimes' failed to satisfy constraint: Member must \
         satisfy constraint: [Member must satisfy enum value set: ["
    ));

    // LocalStack, whose tests are checked against AWS: test_layer_policy_exceptions.
    let permission = |action: &str| json!({"StatementId": "s", "Action": action, "Principal": "*"});
    check_refused(
        &send(&engine, "POST", "l/versions/1/policy", &permission("*")),
        400,
        "ValidationException",
        "1 validation error detected: Value '*' at 'action' failed to satisfy constraint: Member must satisfy regular \
         expression pattern: lambda:GetLayerVersion",
    );
    for (method, path, body) in [
        ("POST", "l/versions/9/policy", permission("lambda:GetLayerVersion")),
        ("GET", "l/versions/9/policy", Value::Null),
        ("DELETE", "l/versions/9/policy/s", Value::Null),
    ] {
        let text = format!("Layer version {LAYER}:l:9 does not exist.");
        check_refused(&send(&engine, method, path, &body), 404, "ResourceNotFoundException", &text);
    }

    // LocalStack, whose tests are checked against AWS: test_layer_function_exceptions, test_layer_function_quota_exception.
    let create = |layers: &[&str]| {
        let code = data_encoding::BASE64.encode(&zip_of(&[("bootstrap", 0o755, b"#!/bin/sh\n")]));
        let body = json!({
            "FunctionName": "fn", "Runtime": "provided.al2023", "Handler": "h", "Role": ROLE,
            "Code": {"ZipFile": code}, "Layers": layers,
        });
        engine.send(&Request::new("POST", "/2015-03-31/functions").body(body.to_string()))
    };
    let invalid = |layers: &[&str], text: &str| {
        check_refused(&create(layers), 400, "InvalidParameterValueException", text);
    };
    invalid(
        &[&one, &two],
        &format!(
            "Two different versions of the same layer are not allowed to be referenced in the same function. {one} and \
             {two} are versions of the same layer."
        ),
    );
    invalid(&[&format!("{LAYER}:none:1")], &format!("Layer version {LAYER}:none:1 does not exist."));
    invalid(
        &["arn:aws:lambda:eu-west-1:000000000000:layer:l:1"],
        "Layers are not in the same region as the function. Layers are expected to be in region us-east-1.",
    );
    invalid(&[one.as_str(); 6], "Cannot reference more than 5 layers.");
    let theirs = "arn:aws:lambda:us-east-1:123456789012:layer:l:1";
    check_refused(
        &create(&[theirs]),
        403,
        "AccessDeniedException",
        &format!(
            "User: arn:aws:iam::000000000000:root is not authorized to perform: lambda:GetLayerVersion on resource: \
             {theirs} because no resource-based policy allows the lambda:GetLayerVersion action"
        ),
    );
    let unversioned = create(&[&format!("{LAYER}:l")]);
    assert_eq!(unversioned.error().0, "ValidationException", "{}", unversioned.json());
    let other = if cfg!(target_arch = "aarch64") { "x86_64" } else { "arm64" };
    let foreign = json!({
        "CompatibleArchitectures": [other],
        "Content": {"ZipFile": data_encoding::BASE64.encode(&zip_of(&[("f", 0o644, b"x")]))},
    });
    assert_eq!(send(&engine, "POST", "foreign/versions", &foreign).status, 201);
    let refused = create(&[&format!("{LAYER}:foreign:1")]).error().1;
    assert!(refused.starts_with("This machine runs ") && refused.ends_with(&format!("is for {other}.")), "{refused}");
}
