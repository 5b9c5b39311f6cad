//! Extensions with real processes: AWS developer guide, runtimes-extensions-api and lambda-runtime-environment; what
//! these leave open is as in the source of AWS's runtime interface emulator.

use std::time::Duration;

use domain::environment::{Exit, ExtensionError, Failure, InitEnd};
use domain::variables::Variables;
use engine::ports::Answer;
use serde_json::{Value, json};

use crate::host::{Function, Host, KINDS, Kind, host, in_time};

async fn on_each_kind<F: Future<Output = ()>>(test: impl Fn(Host, Kind) -> F) {
    for kind in KINDS {
        if let Some(host) = host(kind).await {
            test(host, kind).await;
        }
    }
}

fn both() -> Value {
    json!({"events": ["INVOKE", "SHUTDOWN"]})
}

/// Invokes, and waits until everybody has done.
async fn settled(function: &Function, steps: Value) -> Answer {
    let answer = function.invoke(steps).await;
    in_time(function.environment.settle()).await.unwrap();
    answer
}

fn got(lines: &[String], who: &str) -> Vec<Value> {
    let beginning = format!("{who} got ");
    lines.iter().filter_map(|line| serde_json::from_str(line.strip_prefix(&beginning)?).ok()).collect()
}

#[tokio::test]
async fn an_extension_registers_hears_of_each_invocation_and_of_the_end() {
    on_each_kind(|host, _| async move {
        let function = host.with_extensions(&[("listener", both())]).await;
        assert_eq!(function.init().await, InitEnd::Ready);
        let lines = function.lines.take();
        let registered: Value = serde_json::from_str(lines[0].strip_prefix("listener registered ").unwrap()).unwrap();
        assert_eq!(
            registered,
            json!({"functionName": "f", "functionVersion": "$LATEST", "handler": "app.handler", "accountId": "000000000000"})
        );

        settled(&function, json!([])).await;
        assert_eq!(
            got(&function.lines.take(), "listener"),
            [json!({
                "eventType": "INVOKE",
                "deadlineMs": 1_713_866_403_000_i64,
                "requestId": "00000000-0000-0000-0000-000000001234",
                "invokedFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
                "tracing": {
                    "type": "X-Amzn-Trace-Id",
                    "value": "Root=1-00000000-000000000000000000000000;Parent=0000000000000001;Sampled=0",
                },
            })]
        );
        in_time(function.environment.stop()).await;
        let shutdown = got(&function.lines.take(), "listener").remove(0);
        assert_eq!(shutdown["eventType"], "SHUTDOWN");
        assert_eq!(shutdown["shutdownReason"], "spindown");
        assert!(shutdown["deadlineMs"].as_i64().unwrap() > 1_713_866_400_000);
        assert_eq!(host.environments(), Vec::<String>::new());
    })
    .await;
}

/// A file of the code folder, by the name that processes of the function see.
fn seen(host: &Host, kind: Kind, file: &str) -> String {
    if kind.has_own_paths() {
        return format!("/var/task/{file}");
    }
    host.code().join(file).to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_answer_does_not_wait_for_extensions_and_the_end_does() {
    on_each_kind(|host, kind| async move {
        let mut script = both();
        script["INVOKE"] = json!([{"print": "at work\n"}, {"await file": seen(&host, kind, "go-on")}]);
        let function = host.with_extensions(&[("slow", script)]).await;
        assert_eq!(function.init().await, InitEnd::Ready);
        assert!(matches!(function.invoke(json!([])).await, Answer::Response(_)));
        let end = async { in_time(function.environment.settle()).await };
        let release = async {
            function.lines.wait_for("at work\n").await;
            std::fs::write(host.code().join("go-on"), "").unwrap();
        };
        let (end, ()) = tokio::join!(end, release);
        assert_eq!(end, Ok(()));
    })
    .await;
}

#[tokio::test]
async fn the_timeout_covers_extensions_which_are_told_of_it() {
    on_each_kind(|host, _| async move {
        let mut script = both();
        script["INVOKE"] = json!([{"print": "at work\n"}, "hang"]);
        let function = host.with_extensions(&[("hangs", script), ("listener", both())]).await;
        assert_eq!(function.init().await, InitEnd::Ready);
        assert!(matches!(function.invoke(json!([])).await, Answer::Response(_)));
        let end = async { in_time(function.environment.settle()).await };
        let time = async {
            function.lines.wait_for("at work\n").await;
            host.clock.advance(Duration::from_secs(3));
        };
        let (end, ()) = tokio::join!(end, time);
        assert_eq!(end, Err(Failure::TimedOut(Duration::from_secs(3))));

        // The one that hangs is waited for until its two seconds are over.
        let recovered = in_time(function.environment.recover());
        let time = async {
            function.lines.wait_for_part("\"SHUTDOWN\"").await;
            host.clock.advance(Duration::from_secs(2));
        };
        tokio::join!(recovered, time);
        let shutdown = got(&function.lines.take(), "listener").pop().unwrap();
        assert_eq!(shutdown["shutdownReason"], "timeout");
        assert_eq!(shutdown["deadlineMs"], 1_713_866_405_000_i64);
        assert!(!function.environment.is_ready());
        assert_eq!(function.init().await, InitEnd::Ready);
        assert!(function.lines.take().iter().any(|line| line.starts_with("listener registered ")));
    })
    .await;
}

#[tokio::test]
async fn a_crash_of_the_runtime_is_told_to_extensions() {
    on_each_kind(|host, _| async move {
        let function = host.with_extensions(&[("listener", both())]).await;
        assert_eq!(function.init().await, InitEnd::Ready);
        let answer = function.invoke(json!([{"exit": 3}])).await;
        assert!(matches!(answer, Answer::Failed(Failure::Exited(Exit::Status(3)))), "{answer:?}");
        in_time(function.environment.recover()).await;
        let events = got(&function.lines.take(), "listener");
        assert_eq!(events.last().unwrap()["shutdownReason"], "failure");
        // Whoever does not recover it gets it recovered by the next init.
        assert_eq!(function.init().await, InitEnd::Ready);
        function.invoke(json!([{"exit": 3}])).await;
        assert_eq!(function.init().await, InitEnd::Ready);
        let events = got(&function.lines.take(), "listener");
        assert_eq!(events.last().unwrap()["shutdownReason"], "failure");
        settled(&function, json!([])).await;
    })
    .await;
}

#[tokio::test]
async fn an_extension_that_ends_takes_the_function_with_it() {
    let crash = |text: &str| Failure::Extension { error: ExtensionError::Crash, text: text.to_owned() };
    for (step, failure) in [
        (json!({"exit": 0}), crash("exit code 0")),
        (json!({"exit": 7}), crash("exit status 7")),
        (json!({"die": "KILL"}), crash("signal: killed")),
    ] {
        on_each_kind(|host, _| {
            let (step, failure) = (step.clone(), failure.clone());
            async move {
                let mut script = both();
                script["INVOKE"] = json!([step]);
                let function = host.with_extensions(&[("breaks", script.clone())]).await;
                assert_eq!(function.init().await, InitEnd::Ready);
                let answer = function.invoke(json!(["hang"])).await;
                assert!(matches!(&answer, Answer::Failed(known) if *known == failure), "{answer:?}");
                in_time(function.environment.stop()).await;

                script["at start"] = json!([step]);
                let function = host.with_extensions(&[("breaks", script)]).await;
                assert_eq!(function.init().await, InitEnd::Failed(failure));
                in_time(function.environment.stop()).await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn what_an_extension_reports_is_why_it_ends() {
    on_each_kind(|host, _| async move {
        let script = json!({"events": [], "init error": "Extension.NoConfiguration"});
        let function = host.with_extensions(&[("gives-up", script)]).await;
        let failure = Failure::Extension { error: ExtensionError::Init, text: "exit status 3".to_owned() };
        assert_eq!(function.init().await, InitEnd::Failed(failure));
        let lines = function.lines.take();
        assert!(lines.contains(&"gives-up init error HTTP/1.1 202 Accepted\n".to_owned()), "{lines:?}");
    })
    .await;
}

#[tokio::test]
async fn an_extension_that_cannot_be_started_or_is_one_too_many_fails_the_start() {
    on_each_kind(|host, _| async move {
        let mut spec = host.spec();
        let layer = host.layer(&[]);
        std::fs::write(layer.join("extensions/no-program"), "nothing").unwrap();
        spec.layers = vec![layer.clone()];
        let function = host.start(spec.clone()).await;
        let end = function.init().await;
        let InitEnd::Failed(Failure::Extension { error: ExtensionError::Launch, text }) = end else {
            panic!("{end:?}")
        };
        assert!(
            text.starts_with("fork/exec /") && text.ends_with("/extensions/no-program: permission denied"),
            "{text}"
        );
        in_time(function.environment.stop()).await;

        std::fs::remove_file(layer.join("extensions/no-program")).unwrap();
        let eleven: Vec<String> = (0..11).map(|n| format!("e{n:02}")).collect();
        let eleven: Vec<(&str, Value)> = eleven.iter().map(|name| (name.as_str(), both())).collect();
        host.layer(&eleven);
        let function = host.start(spec).await;
        let failure =
            Failure::Extension { error: ExtensionError::Launch, text: "Extension limit (10) reached".to_owned() };
        assert_eq!(function.init().await, InitEnd::Failed(failure));
    })
    .await;
}

#[tokio::test]
async fn an_init_waits_for_every_extension_and_ends_at_its_deadline() {
    on_each_kind(|host, _| async move {
        let script = json!({"events": ["INVOKE"], "registered": [{"print": "here\n"}, "hang"]});
        let function = host.with_extensions(&[("late", script)]).await;
        let ten = Duration::from_secs(10);
        let end = async { in_time(function.environment.init(ten, ten)).await.unwrap() };
        let time = async {
            function.lines.wait_for("here\n").await;
            host.clock.advance(ten);
        };
        let (end, ()) = tokio::join!(end, time);
        assert_eq!(end, InitEnd::Failed(Failure::TimedOut(ten)));
    })
    .await;
}

#[tokio::test]
async fn an_internal_extension_hears_of_invocations_and_the_runtime_is_asked_to_end() {
    on_each_kind(|host, _| async move {
        let internal = json!({"internal extension": {"name": "inside", "events": ["INVOKE"]}});
        // It goes on when the other has registered, as an agent that is part of a runtime does.
        host.at_init(&json!([internal]));
        let function = host.start(host.spec()).await;
        assert_eq!(function.init().await, InitEnd::Ready);
        function.lines.wait_for_part("inside registered ").await;
        settled(&function, json!([])).await;
        assert_eq!(got(&function.lines.take(), "inside").len(), 1);
        let refused = function.ask(register("late", "INVOKE")).await;
        check_refused(&refused, "Extension.RegistrationClosed", "Extension registration closed already");
        // SIGTERM ends it.
        in_time(function.environment.stop()).await;
        assert_eq!(host.environments(), Vec::<String>::new());
    })
    .await;
}

fn register(name: &str, event: &str) -> Value {
    json!({"call": {
        "method": "POST",
        "path": "/2020-01-01/extension/register",
        "headers": [format!("Lambda-Extension-Name: {name}")],
        "body": json!({"events": [event]}).to_string(),
    }})
}

#[track_caller]
fn check_refused(answer: &Value, error_type: &str, message: &str) {
    assert!(answer["head"].as_str().unwrap().starts_with("HTTP/1.1 403 Forbidden"), "{answer}");
    // An extension that was told of this invocation has asked for the next one already, or not yet.
    let body = answer["body"].as_str().unwrap().replace("from Running to", "from Ready to");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body, json!({"errorMessage": message, "errorType": error_type}));
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_as_on_aws() {
    let Some(host) = host(Kind::OwnPaths).await else { return };
    let function = host.with_extensions(&[("listener", both())]).await;
    assert_eq!(function.init().await, InitEnd::Ready);
    let base = "/2020-01-01/extension";
    let id = "Lambda-Extension-Identifier: 12345678-1234-4123-8123-123456789012";
    let post = |path: &str, headers: &[&str], body: &str| json!({"call": {"method": "POST", "path": format!("{base}{path}"), "headers": headers, "body": body}});
    let get =
        |headers: &[&str]| json!({"call": {"method": "GET", "path": format!("{base}/event/next"), "headers": headers}});
    let cases = [
        (post("/register", &[], "{}"), "Extension.InvalidExtensionName", "Empty extension name"),
        (
            register("listener", "INVOKE"),
            "Extension.InvalidExtensionState",
            "State transition from Ready to Registered failed for extension listener. Error: State transition is not allowed",
        ),
        (
            register("other", "SHUTDOWN"),
            "Extension.InvalidEventType",
            "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension",
        ),
        (register("listener", "NO\"NE"), "Extension.InvalidEventType", "NO\"NE: ErrorInvalidEventType"),
        (get(&[]), "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header"),
        (
            get(&["Lambda-Extension-Identifier: me"]),
            "Extension.InvalidExtensionIdentifier",
            "Invalid Lambda-Extension-Identifier",
        ),
        (get(&[id]), "Extension.UnknownExtensionIdentifier", "Unknown extension 12345678-1234-4123-8123-123456789012"),
        (post("/exit/error", &[id], "{}"), "Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found"),
        (
            post("/init/error", &[id, "Lambda-Extension-Function-Error-Type: A.B"], "{}"),
            "Extension.UnknownExtensionIdentifier",
            "Unknown Lambda-Extension-Identifier",
        ),
    ];
    for (call, error_type, message) in cases {
        check_refused(&function.ask(call).await, error_type, message);
    }
    let unreadable = function.ask(post("/register", &["Lambda-Extension-Name: x"], "{")).await;
    assert!(unreadable["body"].as_str().unwrap().contains("\"InvalidRequestFormat\""), "{unreadable}");
}

#[tokio::test]
async fn extensions_have_variables_of_their_own() {
    // AWS developer guide, runtimes-extensions-api, "Environment variables".
    on_each_kind(|host, _| async move {
        let mut spec = host.spec();
        let user =
            [("MINE", "1"), ("AWS_LAMBDA_EXEC_WRAPPER", "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        spec.variables = Variables::new(user.into()).unwrap();
        for key in ["AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_REGION"] {
            spec.platform_variables.push((key.to_owned(), "x".to_owned()));
        }
        let script = json!({"events": [], "at start": ["say variables"]});
        spec.layers = vec![host.layer(&[("looks", script)])];
        let function = host.start(spec).await;
        assert_eq!(function.init().await, InitEnd::Ready);
        let lines = function.lines.take();
        assert!(lines.contains(&"folder /\n".to_owned()), "{lines:?}");
        let mut keys: Vec<&str> = lines.iter().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        keys.sort_unstable();
        let expected = [
            "AWS_LAMBDA_EXEC_WRAPPER",
            "AWS_LAMBDA_FUNCTION_NAME",
            "AWS_LAMBDA_FUNCTION_VERSION",
            "AWS_LAMBDA_RUNTIME_API",
            "AWS_REGION",
            "LANG",
            "LD_LIBRARY_PATH",
            "MINE",
            "PATH",
            "TZ",
        ];
        assert_eq!(keys, expected);
    })
    .await;
}

#[tokio::test]
async fn the_runtime_has_its_time_to_end_where_there_are_extensions_and_none_where_there_are_not() {
    on_each_kind(|host, _| async move {
        // Its shell is asked, too: all of the runtime is one process group.
        let code = host.bootstrap(SAYS_WHEN_ASKED, 0o755);
        for layers in [vec![host.layer(&[("listener", both())])], Vec::new()] {
            let mut spec = host.spec();
            spec.code.clone_from(&code);
            spec.layers = layers.clone();
            let function = host.start(spec).await;
            assert_eq!(function.init().await, InitEnd::Ready);
            in_time(function.environment.stop()).await;
            let was_asked = function.lines.take().contains(&"asked to end\n".to_owned());
            assert_eq!(was_asked, !layers.is_empty());
        }
    })
    .await;
}

const SAYS_WHEN_ASKED: &str = r#"#!/bin/bash
trap 'echo asked to end; exit 0' TERM
exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API%:*}/${AWS_LAMBDA_RUNTIME_API#*:}"
printf 'GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n' >&3
IFS= read -r line <&3 &
wait
wait
"#;

#[tokio::test]
async fn the_memory_of_extensions_is_the_functions() {
    const TOUCHED_MB: u64 = 64;
    on_each_kind(|host, _| async move {
        let function = host.with_extensions(&[("small", both())]).await;
        assert_eq!(function.init().await, InitEnd::Ready);
        let without = function.environment.memory_used_bytes();
        in_time(function.environment.stop()).await;

        let mut script = both();
        script["at start"] = json!([{"touch memory": TOUCHED_MB}]);
        let mut spec = host.spec();
        // They share it with the function.
        spec.memory_mb = 512;
        spec.layers = vec![host.layer(&[("large", script.clone()), ("larger", script)])];
        let function = host.start(spec).await;
        assert_eq!(function.init().await, InitEnd::Ready);
        let with = function.environment.memory_used_bytes();
        assert!(with >= without + 2 * (TOUCHED_MB << 20), "{without} -> {with}");
    })
    .await;
}
