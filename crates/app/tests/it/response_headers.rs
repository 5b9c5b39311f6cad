//! The headers of the API's answers, all of them: no more and no fewer than AWS sends.

use regex::Regex;

use crate::engine_process::{Answer, Engine, Request};

const UUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
const DATE: &str = "(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT";

/// Of every answer (recorded: `test_function_revisions_permissions`, `test_request_id_format`).
const ALWAYS: [(&str, &str); 3] = [("connection", "keep-alive"), ("date", DATE), ("x-amzn-requestid", UUID)];
/// Of an answer with a body.
const JSON: [(&str, &str); 2] = [("content-type", "application/json"), ("content-length", "[1-9][0-9]*")];
/// Of Invoke (observed on AWS).
const INVOKED: [(&str, &str); 3] = [
    ("x-amzn-remapped-content-length", "0"),
    ("x-amz-executed-version", r"\$LATEST"),
    ("x-amzn-trace-id", "Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01](;Lineage=1:[0-9a-f]{8}:0)?"),
];

/// Compares the names as a set, and each value with its pattern.
#[track_caller]
fn check(what: &str, answer: &Answer, status: u16, groups: &[&[(&str, &str)]]) {
    assert_eq!(answer.status, status, "{what}: {}", String::from_utf8_lossy(&answer.body));
    let mut expected: Vec<(&str, &str)> = groups.iter().flat_map(|group| group.iter().copied()).collect();
    expected.sort_unstable();
    let mut names: Vec<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, expected.iter().map(|(name, _)| *name).collect::<Vec<_>>(), "{what}");
    for (name, pattern) in expected {
        let value = answer.header(name).unwrap();
        assert!(Regex::new(&format!("^({pattern})$")).unwrap().is_match(value), "{what}: {name}: {value}");
    }
}

#[test]
fn every_answer_has_the_headers_of_aws() {
    let engine = Engine::start();
    let function = "/2015-03-31/functions/echo";
    check("CreateFunction", &engine.send(&Request::create_function("echo")), 201, &[&ALWAYS, &JSON]);
    engine.wait_until_settled("echo");
    for (what, target) in [
        ("GetFunction", function.to_owned()),
        ("GetFunctionConfiguration", format!("{function}/configuration")),
        ("ListFunctions", "/2015-03-31/functions/".to_owned()),
    ] {
        check(what, &engine.send(&Request::new("GET", &target)), 200, &[&ALWAYS, &JSON]);
    }

    let invoked = engine.send(&Request::invoke("echo", r#"{"a":1}"#));
    assert_eq!(invoked.body, br#"{"a":1}"#);
    check("Invoke", &invoked, 200, &[&ALWAYS, &JSON, &INVOKED]);
    let tail = engine.send(&Request::invoke("echo", "1").header("X-Amz-Log-Type", "Tail"));
    check(
        "Invoke with the log's tail",
        &tail,
        200,
        &[&ALWAYS, &JSON, &INVOKED, &[("x-amz-log-result", "[A-Za-z0-9+/]+=*")]],
    );

    let errors = [("x-amzn-errortype", "[A-Za-z]+Exception")];
    for (what, request, status) in [
        ("an unknown function", Request::new("GET", "/2015-03-31/functions/none"), 404),
        ("an unknown function, invoked", Request::invoke("none", ""), 404),
        ("a name that is taken", Request::create_function("echo"), 409),
        ("a payload that is not JSON", Request::invoke("echo", "{"), 400),
        ("a payload too large", Request::invoke("echo", vec![b' '; 7_000_000]), 413),
        ("a name against the pattern", Request::new("GET", "/2015-03-31/functions/a!"), 400),
        ("what is not built", Request::invoke("echo", "").header("X-Amz-Tenant-Id", "t"), 501),
        ("an unknown path", Request::new("GET", "/nothing"), 404),
        ("a method not allowed", Request::new("PATCH", function), 405),
    ] {
        let answer = engine.send(&request);
        check(what, &answer, status, &[&ALWAYS, &JSON, &errors]);
        // Compact (recorded: its content-length is that of the compact form).
        assert_eq!(answer.json().to_string().as_bytes(), answer.body, "{what}");
    }

    // Nothing of a body, so nothing about one (recorded: test_function_lifecycle).
    check("DeleteFunction", &engine.send(&Request::new("DELETE", function)), 204, &[&ALWAYS]);
}

#[test]
fn a_failed_function_is_told_in_a_header() {
    // Recorded: test_lambda_runtime_exit, whose status is 200 as that of every function's failure.
    let engine = Engine::start();
    let exits = Request::create_function_of("exits", "#!/bin/sh\nexit 3\n");
    assert_eq!(engine.send(&exits).status, 201);
    engine.wait_until_settled("exits");
    let failed = engine.send(&Request::invoke("exits", "{}"));
    check("a function that exits", &failed, 200, &[&ALWAYS, &JSON, &INVOKED, &[("x-amz-function-error", "Unhandled")]]);
    assert_eq!(failed.json()["errorType"], "Runtime.ExitError");
}

#[test]
fn each_answer_has_an_id_of_its_own() {
    let engine = Engine::start();
    let ask =
        || engine.send(&Request::new("GET", "/2015-03-31/functions")).header("x-amzn-requestid").unwrap().to_owned();
    assert_ne!(ask(), ask());
}
