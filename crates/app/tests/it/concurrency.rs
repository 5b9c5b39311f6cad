//! Reserved and provisioned concurrency of a running engine, seen from inside the functions and by their callers.

use std::io::{ErrorKind, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use serde_json::{Value, json};

use crate::engine_process::{Answer, Engine, Request, poll};
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

/// A function that says to the test that it runs, and waits for the word to go.
fn gathering(listener: &TcpListener) -> String {
    let port = listener.local_addr().unwrap().port();
    bootstrap("", &format!("exec 4<>/dev/tcp/127.0.0.1/{port}\nread -r -u 4 word\nexec 4>&-\necho 1"))
}

/// Lets one go that has said that it runs.
fn let_go(mut inside: TcpStream) {
    inside.write_all(b"go\n").unwrap();
}

#[track_caller]
fn assert_throttled(answer: &Answer, reason: &str) {
    // Recorded: test_reserved_concurrency, and the order of the members was observed on AWS.
    let body = format!(r#"{{"Reason":"{reason}","Type":"User","message":"Rate Exceeded."}}"#);
    assert_eq!((answer.status, String::from_utf8_lossy(&answer.body).into_owned()), (429, body));
    assert_eq!(answer.header("x-amzn-errortype"), Some("TooManyRequestsException"));
}

fn exactly_so_many_run(engine: &Engine, name: &str, may_run: usize, reason: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    create(engine, name, &gathering(&listener));
    if reason.starts_with("Reserved") {
        assert_eq!(reserve(engine, name, may_run).status, 200);
    }
    let call = |answers: mpsc::Sender<Answer>| answers.send(engine.send(&Request::invoke(name, "{}"))).unwrap();
    std::thread::scope(|scope| {
        let (tell, answers) = mpsc::channel();
        for _ in 0..CALLERS {
            let tell = tell.clone();
            scope.spawn(move || call(tell));
        }
        // As many as may are inside at once, and all others are refused while they are.
        let inside: Vec<TcpStream> = (0..may_run).map(|_| listener.accept().unwrap().0).collect();
        for _ in may_run..CALLERS {
            assert_throttled(&answers.recv().unwrap(), reason);
        }
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "nobody else came in");
        listener.set_nonblocking(false).unwrap();
        inside.into_iter().for_each(let_go);
        for _ in 0..may_run {
            assert_eq!(answers.recv().unwrap().status, 200);
        }
        // One after the other, each with the answer of the one before in hand.
        for _ in 0..may_run {
            let tell = tell.clone();
            scope.spawn(move || call(tell));
            let_go(listener.accept().unwrap().0);
            assert_eq!(answers.recv().unwrap().status, 200);
        }
    });
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
    let (mut ran, mut refused) = (0, 0);
    for _ in 0..60 {
        let answer = call();
        if answer.status == 200 {
            ran += 1;
        } else {
            assert_throttled(&answer, "ReservedFunctionInvocationRateLimitExceeded");
            refused += 1;
        }
    }
    // A slow machine may not get to the limit; nobody gets beyond.
    let most = 10.0 + begun.elapsed().as_secs_f64() * 10.0;
    assert!(f64::from(ran) <= most && (refused > 0 || most >= 60.0), "{ran} of at most {most}");
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
    let handle =
        r#"if grep -q die; then exit 1; fi; echo "\"$AWS_LAMBDA_INITIALIZATION_TYPE $AWS_LAMBDA_LOG_STREAM_NAME\"""#;
    create(&engine, "kept", &bootstrap("", handle));
    let published = engine.send(&Request::new("POST", "/2015-03-31/functions/kept/versions").body("{}"));
    assert_eq!(published.status, 201);
    let invoke = |engine: &Engine, name: &str| -> (String, String) {
        let answer = engine.send(&Request::invoke(name, "{}"));
        assert_eq!(answer.status, 200, "{}", answer.json());
        let text = answer.json().as_str().unwrap().to_owned();
        let (kind, stream) = text.split_once(' ').unwrap();
        (kind.to_owned(), stream.to_owned())
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
