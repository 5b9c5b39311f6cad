//! Reserved and provisioned concurrency of a running engine, seen from inside the functions and by their callers.

use std::path::Path;

use serde_json::{Value, json};

use crate::engine_process::{Answer, Connection, Engine, Request, poll};
use crate::shell_function::bootstrap;

/// How many may run.
const RESERVED: usize = 3;
/// How many want to.
const CALLERS: usize = 20;

fn reserve(engine: &Engine, name: &str, reserved: usize) -> Answer {
    let body = json!({ "ReservedConcurrentExecutions": reserved }).to_string();
    engine.send(&Request::new("PUT", &format!("/2017-10-31/functions/{name}/concurrency")).body(body))
}

fn provisioned(method: &str, name: &str, qualifier: &str) -> Request {
    Request::new(method, &format!("/2019-09-30/functions/{name}/provisioned-concurrency?Qualifier={qualifier}"))
}

fn create(engine: &Engine, name: &str, bootstrap: &str) {
    let created = engine.send(&Request::create_function_of(name, bootstrap));
    assert_eq!(created.status, 201, "{}", created.json());
    engine.wait_until_settled(name);
}

/// A function that says it runs, waits for the word to go, and answers how many say so.
fn gathering(at: &Path) -> String {
    let at = at.display();
    let handle = format!(
        "touch '{at}'/in.$$\nuntil [ -e '{at}/go' ]; do sleep 0.01; done\nls '{at}' | grep -c ^in\nrm '{at}'/in.$$"
    );
    bootstrap("", &handle)
}

/// Sends a call over a connection of its own and does not wait.
fn begin(engine: &Engine, name: &str) -> Connection {
    let mut connection = engine.connect();
    connection.write(&Request::invoke(name, "{}").bytes()).unwrap();
    connection
}

#[track_caller]
fn assert_throttled(answer: &Answer, reason: &str) {
    // Recorded: test_reserved_concurrency, and the order of the members was observed on AWS.
    let body = format!(r#"{{"Reason":"{reason}","Type":"User","message":"Rate Exceeded."}}"#);
    assert_eq!((answer.status, String::from_utf8_lossy(&answer.body).into_owned()), (429, body));
    assert_eq!(answer.header("x-amzn-errortype"), Some("TooManyRequestsException"));
}

fn exactly_so_many_run(engine: &Engine, name: &str, may_run: usize, reason: &str) {
    let folder = engine.folder().join(name);
    std::fs::create_dir(&folder).unwrap();
    let inside = || std::fs::read_dir(&folder).unwrap().count();
    create(engine, name, &gathering(&folder));
    if reason.starts_with("Reserved") {
        assert_eq!(reserve(engine, name, may_run).status, 200);
    }
    let mut calls: Vec<Connection> = (0..CALLERS).map(|_| begin(engine, name)).collect();
    // As many as may are inside at once, before anyone is let out.
    poll("they are inside", || (inside() == may_run).then_some(()));
    std::fs::write(folder.join("go"), "").unwrap();
    let answers: Vec<Answer> = calls.iter_mut().map(|call| call.read("POST").unwrap()).collect();
    let (ran, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(ran.len(), may_run);
    for ran in ran {
        let seen: usize = String::from_utf8_lossy(&ran.body).trim().parse().unwrap();
        assert!(seen <= may_run, "{seen} ran at once");
    }
    for answer in &refused {
        assert_throttled(answer, reason);
    }
    // One after the other, each with the answer of the one before in hand: as many as may in a second.
    for _ in 0..may_run {
        assert_eq!(engine.send(&Request::invoke(name, "{}")).status, 200);
    }
}

#[test]
fn never_more_run_than_reserved_and_never_fewer() {
    let engine = Engine::start();
    let reason = "ReservedFunctionConcurrentInvocationLimitExceeded";
    exactly_so_many_run(&engine, "reserved", RESERVED, reason);
    assert_eq!(reserve(&engine, "reserved", 0).status, 200);
    assert_throttled(&engine.send(&Request::invoke("reserved", "{}")), reason);
    let shown = engine.send(&Request::new("GET", "/2015-03-31/functions/reserved")).json();
    assert_eq!(shown["Concurrency"], json!({ "ReservedConcurrentExecutions": 0 }));
    let path = "/2017-10-31/functions/reserved/concurrency";
    let deleted = engine.send(&Request::new("DELETE", path));
    assert_eq!((deleted.status, deleted.body.as_slice()), (204, &b""[..]));
    let shown = engine.send(&Request::new("GET", "/2019-09-30/functions/reserved/concurrency"));
    assert_eq!((shown.status, shown.json()), (200, json!({})));
    assert_eq!(engine.send(&Request::invoke("reserved", "{}")).status, 200);
}

#[test]
fn never_more_run_than_the_account_may_and_never_fewer() {
    let engine = Engine::start_with(&["--account-concurrency", "3"]);
    exactly_so_many_run(&engine, "account", 3, "ConcurrentInvocationLimitExceeded");
}

#[test]
fn more_than_ten_a_second_and_unit_are_told_so() {
    // AWS developer guide, gettingstarted-limits. A second's worth may come at once.
    let engine = Engine::start();
    create(&engine, "fast", &bootstrap("", "cat"));
    let mut connection = engine.connect();
    let mut call = || {
        connection.write(&Request::invoke("fast", "{}").bytes()).unwrap();
        connection.read("POST").unwrap()
    };
    assert_eq!(call().status, 200, "an environment is there");
    assert_eq!(reserve(&engine, "fast", 1).status, 200);
    let begun = crate::engine_process::now();
    let mut ran = 0;
    let refused = loop {
        let answer = call();
        if answer.status == 200 {
            ran += 1;
        } else {
            break answer;
        }
    };
    assert_throttled(&refused, "ReservedFunctionInvocationRateLimitExceeded");
    let most = 10.0 + begun.elapsed().as_secs_f64() * 10.0;
    assert!(ran >= 9 && f64::from(ran) <= most, "{ran} of at most {most}");
}

/// Waits until what was asked for is there.
fn ready(engine: &Engine, name: &str, qualifier: &str) -> Value {
    poll("the environments are ready", || {
        let shown = engine.send(&provisioned("GET", name, qualifier));
        assert_eq!(shown.status, 200, "{}", shown.json());
        Some(shown.json()).filter(|shown| shown["Status"] == "READY")
    })
}

#[test]
fn provisioned_environments_are_kept_and_come_back_after_a_restart() {
    let mut engine = Engine::start();
    let handle = r#"if grep -q die; then exit 1; fi; echo "\"$AWS_LAMBDA_INITIALIZATION_TYPE $$\"""#;
    create(&engine, "kept", &bootstrap("", handle));
    let published = engine.send(&Request::new("POST", "/2015-03-31/functions/kept/versions").body("{}"));
    assert_eq!(published.status, 201);
    let invoke = |engine: &Engine, name: &str| -> (String, String) {
        let answer = engine.send(&Request::invoke(name, "{}"));
        assert_eq!(answer.status, 200, "{}", answer.json());
        let text = answer.json().as_str().unwrap().to_owned();
        let (kind, pid) = text.split_once(' ').unwrap();
        (kind.to_owned(), pid.to_owned())
    };
    let body = json!({ "ProvisionedConcurrentExecutions": 1 }).to_string();
    let put = engine.send(&provisioned("PUT", "kept", "1").body(body));
    // Recorded: test_provisioned_concurrency.
    assert_eq!(put.status, 202);
    let mut put = put.json();
    let modified = put["LastModified"].take();
    let begun = json!({
        "RequestedProvisionedConcurrentExecutions": 1,
        "AvailableProvisionedConcurrentExecutions": 0,
        "AllocatedProvisionedConcurrentExecutions": 0,
        "Status": "IN_PROGRESS",
        "LastModified": null,
    });
    assert_eq!(put, begun);
    let done = json!({
        "RequestedProvisionedConcurrentExecutions": 1,
        "AvailableProvisionedConcurrentExecutions": 1,
        "AllocatedProvisionedConcurrentExecutions": 1,
        "Status": "READY",
        "LastModified": modified,
    });
    assert_eq!(ready(&engine, "kept", "1"), done);
    let (kind, first) = invoke(&engine, "kept:1");
    assert_eq!(kind, "provisioned-concurrency");
    assert_eq!(invoke(&engine, "kept").0, "on-demand");
    let died = engine.send(&Request::invoke("kept:1", "\"die\""));
    assert_eq!(died.header("x-amz-function-error"), Some("Unhandled"));
    let (kind, second) = poll("another one takes its place", || {
        ready(&engine, "kept", "1");
        Some(invoke(&engine, "kept:1")).filter(|(kind, _)| kind == "provisioned-concurrency")
    });
    assert_eq!(kind, "provisioned-concurrency");
    assert_ne!(first, second);
    engine.restart();
    let listed = poll("they are back", || {
        let path = "/2019-09-30/functions/kept/provisioned-concurrency?List=ALL";
        let listed = engine.send(&Request::new("GET", path)).json();
        Some(listed).filter(|listed| listed["ProvisionedConcurrencyConfigs"][0]["Status"] == "READY")
    });
    let mut item = done;
    item["FunctionArn"] = "arn:aws:lambda:us-east-1:000000000000:function:kept:1".into();
    assert_eq!(listed, json!({ "ProvisionedConcurrencyConfigs": [item] }));
    assert_eq!(invoke(&engine, "kept:1").0, "provisioned-concurrency");
    assert_eq!(engine.send(&provisioned("DELETE", "kept", "1")).status, 204);
    assert_eq!(engine.send(&provisioned("GET", "kept", "1")).status, 404);
    assert_eq!(invoke(&engine, "kept:1").0, "on-demand");
}

#[test]
fn a_function_that_cannot_initialise_is_not_provisioned() {
    let engine = Engine::start();
    create(&engine, "broken", "#!/bin/sh\nexit 1\n");
    engine.send(&Request::new("POST", "/2015-03-31/functions/broken/versions").body("{}"));
    let body = json!({ "ProvisionedConcurrentExecutions": 1 }).to_string();
    assert_eq!(engine.send(&provisioned("PUT", "broken", "1").body(body)).status, 202);
    let shown = poll("it has failed", || {
        let shown = engine.send(&provisioned("GET", "broken", "1")).json();
        Some(shown).filter(|shown| shown["Status"] == "FAILED")
    });
    assert_eq!(shown["StatusReason"], "FUNCTION_ERROR_INIT_FAILURE");
    assert_eq!(shown["AllocatedProvisionedConcurrentExecutions"], 0);
}
