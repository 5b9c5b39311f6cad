//! Python and Node as this machine has them, with our runtime clients: what a function sees, and what its callers see
//! when it does well, fails, ends, hangs, or writes too much. Each test runs on every runtime that was found.

use std::io::Read as _;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::engine_process::{Engine, Request, encoded};
use crate::functions::{Deployed, Ran, cold_log, is_python, normal, platform_error, warm_log};
use crate::tools::Interpreters;

const ACCOUNT: &str = "arn:aws:lambda:us-east-1:000000000000:function";

/// An engine that knows the interpreters; its own environment holds what no function may see.
fn engine(interpreters: &Interpreters) -> Engine {
    let secret = [("LAMBD_TEST_SECRET", "of the engine"), ("AWS_PROFILE", "of the engine"), ("PYTHONSTARTUP", "x")];
    Engine::start_among(&["--config", interpreters.settings(), "--function-logs", "true"], &secret)
}

/// Creates the function for each runtime and hands it over.
fn on_each(test: &str, settings: &Value, check: impl Fn(&Deployed<'_>, &str)) {
    let Some(interpreters) = Interpreters::find(test) else { return };
    let engine = engine(&interpreters);
    for runtime in interpreters.runtimes() {
        check(&Deployed::create_asked(&engine, runtime, "", settings), runtime);
    }
}

#[track_caller]
fn assert_failed(ran: &Ran, payload: &str) {
    // Recorded: in every failure of a function, whoever noticed it (test_lambda_invoke_with_timeout and others).
    assert_eq!((ran.error.as_deref(), ran.text().as_str()), (Some("Unhandled"), payload));
}

#[test]
fn events_and_answers_pass_unchanged() {
    let test = "runtimes::events_and_answers_pass_unchanged";
    on_each(test, &json!({}), |function, runtime| {
        for text in ["null", "true", "-0.5", "\"text\"", "[]", "[1,[2,{}]]", "{\"a\":{\"b\":[null]}}", "12345678901234"]
        {
            let ran = function.send(&function.request(text));
            assert_eq!((ran.error.as_deref(), compact(&ran).as_str()), (None, text), "{runtime}");
        }
        let text = json!({"do": "echo", "value": "ä€😀\u{7f}\"\\\n\u{1}"});
        assert_eq!(function.answer(&text), text["value"], "{runtime}");
        // Recorded: test_reserved_concurrency (no payload is the event `{}`), test_invocation_type_no_return_payload.
        assert_eq!(function.send(&function.request("")).text(), "{}", "{runtime}");
        assert_eq!(function.run(&json!({"do": "nothing"})).text(), "null", "{runtime}");
    });
}

/// The payload without the blanks that Python's `json` puts in.
fn compact(ran: &Ran) -> String {
    ran.json().to_string()
}

#[test]
fn the_context_tells_of_function_and_invocation() {
    let test = "runtimes::the_context_tells_of_function_and_invocation";
    on_each(test, &json!({"MemorySize": 256}), |function, runtime| {
        let name = &function.name;
        let client = json!({"custom": {"key": "ä"}, "env": {"locale": "de"}, "client": {"app_title": "title"}});
        let client = data_encoding::BASE64.encode(client.to_string().as_bytes());
        let trace = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1";
        let request = Request::new("POST", &format!("/2015-03-31/functions/{name}/invocations?Qualifier=%24LATEST"))
            .header("X-Amz-Client-Context", &client)
            .header("X-Amzn-Trace-Id", trace)
            .body(r#"{"do":"context"}"#);
        let ran = function.send(&request);
        let mut told = ran.json();
        let remaining = told["remaining"].take().as_u64().unwrap();
        assert!((1..=3_000).contains(&remaining), "{runtime}: {remaining} ms of the default 3 s remain");
        let stream = told["stream"].take();
        let (day, rest) = stream.as_str().unwrap().split_once("/[$LATEST]").unwrap();
        assert!(
            day.len() == 10 && rest.len() == 32 && rest.bytes().all(|c| c.is_ascii_hexdigit()),
            "{runtime}: {stream}"
        );
        let seen = told["trace"].take();
        let seen: Vec<&str> = seen.as_str().unwrap().split(';').collect();
        // The root and the decision are the caller's, the parent is another (recorded: test_xray_trace_propagation).
        assert_eq!(
            (seen[0], seen[2]),
            ("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700", "Sampled=1"),
            "{runtime}: {seen:?}"
        );
        assert_ne!(seen[1], "Parent=9a9197af755a6419", "{runtime}");
        let expected = json!({
            "function": name,
            "version": "$LATEST",
            // Recorded: test_lambda_alias_moving and its kin: the ARN echoes the qualifier.
            "arn": format!("{ACCOUNT}:{name}:$LATEST"),
            // A text in both languages (recorded: test_introspection_invoke).
            "memory": "256",
            "id": ran.id,
            "group": format!("/aws/lambda/{name}"),
            "stream": null,
            "remaining": null,
            "client": {"custom": {"key": "ä"}, "env": {"locale": "de"}, "title": "title"},
            "identity": null,
            "trace": null,
        });
        assert_eq!(told, expected, "{runtime}");
        let plain = function.answer(&json!({"do": "context"}));
        assert_eq!(plain["arn"], format!("{ACCOUNT}:{name}"), "{runtime}");
        assert_eq!(plain["client"], Value::Null, "{runtime}");
        assert!(plain["trace"].as_str().unwrap().starts_with("Root=1-"), "{runtime}: a trace begins where none came");
    });
}

/// Recorded: test_introspection_invoke, test_lambda_init_environment. What is ours is said beside it.
#[test]
fn the_environment_is_lambdas_and_nothing_of_the_engines() {
    let test = "runtimes::the_environment_is_lambdas_and_nothing_of_the_engines";
    let Some(interpreters) = Interpreters::find(test) else { return };
    let engine = engine(&interpreters);
    for runtime in interpreters.runtimes() {
        let settings = json!({"Environment": {"Variables": {"MINE": "ä=1", "LANG": "C.UTF-8"}}});
        let function = Deployed::create_asked(&engine, runtime, "", &settings);
        let mut seen = function.answer(&json!({"do": "environment"}));
        let name = &function.name;
        let mut expected = json!({
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_SESSION_TOKEN": "test",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_LOG_GROUP_NAME": format!("/aws/lambda/{name}"),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_EXECUTION_ENV": format!("AWS_Lambda_{runtime}"),
            "_HANDLER": "app.handler",
            "LAMBDA_TASK_ROOT": "/var/task",
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "TZ": ":UTC",
            "LD_LIBRARY_PATH":
                "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
            "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
            // Ours: AWS's address is link-local and nobody's here.
            "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
            "_AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1",
            "_AWS_XRAY_DAEMON_PORT": "2000",
            // Ours: SDKs in the function call this engine.
            "AWS_ENDPOINT_URL": engine.endpoint(),
            "LANG": "C.UTF-8",
            "MINE": "ä=1",
        });
        let of_language = if is_python(runtime) {
            json!({"PYTHONPATH": "/var/runtime", "LC_CTYPE": "C.UTF-8", "PWD": "/var/task", "SHLVL": "0"})
        } else {
            let major = runtime.trim_start_matches("nodejs").trim_end_matches(".x");
            json!({"NODE_PATH": format!(
                "/opt/nodejs/node{major}/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:\
                 /var/task"
            )})
        };
        let of_language = of_language.as_object().unwrap().clone();
        expected.as_object_mut().unwrap().extend(of_language);
        let seen = seen.as_object_mut().unwrap();
        let mut differing = |name: &str| seen.remove(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap();
        let address = differing("AWS_LAMBDA_RUNTIME_API");
        assert!(address.starts_with("127.0.0.1:"), "{runtime}: {address}");
        assert!(differing("AWS_LAMBDA_LOG_STREAM_NAME").contains("/[$LATEST]"), "{runtime}");
        assert!(differing("_X_AMZN_TRACE_ID").starts_with("Root=1-"), "{runtime}");
        // AWS's five folders in AWS's order; ours, for what this machine has elsewhere, among them.
        let path = differing("PATH");
        let folders: Vec<&str> = path.split(':').collect();
        let aws = ["/var/lang/bin", "/usr/local/bin", "/usr/bin/", "/bin", "/opt/bin"];
        let of_aws: Vec<&str> = folders.iter().copied().filter(|folder| aws.contains(folder)).collect();
        assert_eq!(of_aws, aws, "{runtime}: {path}");
        assert_eq!(Value::from(seen.clone()), sorted(expected, seen), "{runtime}");
    }
}

/// The expected members in the order of the seen ones, so that a failure shows what differs.
fn sorted(expected: Value, seen: &serde_json::Map<String, Value>) -> Value {
    let Value::Object(mut expected) = expected else { panic!("an object") };
    let mut all = serde_json::Map::new();
    for name in seen.keys() {
        if let Some(value) = expected.remove(name) {
            all.insert(name.clone(), value);
        }
    }
    all.extend(expected);
    all.into()
}

#[test]
fn lines_are_logged_as_on_aws() {
    on_each("runtimes::lines_are_logged_as_on_aws", &json!({}), |function, runtime| {
        // Python: recorded (test_multi_line_prints: a carriage return ends no line) and awslambdaric's format. Node:
        // recorded, `TIME<TAB>ID<TAB>LEVEL<TAB>text`; lines of one call stay together by carriage returns.
        let output = if is_python(runtime) {
            "printed\nanother\rline\nto standard error\n[INFO]\tTIME\tID\tinformed of 7\n[ERROR]\tTIME\tID\ttwo\nlines\n"
        } else {
            "printed\nanother\rline\nto standard error\nTIME\tID\tINFO\tinformed of 7\nTIME\tID\tERROR\ttwo\rlines\n"
        };
        let ran = function.run(&json!({"do": "log"}));
        assert_eq!(ran.log(), cold_log(output, ""), "{runtime}");
        assert_eq!(function.run(&json!({"do": "log"})).log(), warm_log(output, ""), "{runtime}");
    });
}

#[test]
fn exceptions_are_told_in_the_shape_of_the_language() {
    let test = "runtimes::exceptions_are_told_in_the_shape_of_the_language";
    on_each(test, &json!({}), |function, runtime| {
        let ran = function.run(&json!({"do": "raise"}));
        assert_eq!(ran.error.as_deref(), Some("Unhandled"), "{runtime}");
        // REPORT has no status: the runtime told the error itself (recorded: test_invocation_type_event_error).
        let log = ran.log();
        assert!(log.starts_with("START RequestId: ID Version: $LATEST\nbefore\n"), "{runtime}: {log}");
        assert!(log.ends_with("Max Memory Used: N MB\tInit Duration: N ms\t\n"), "{runtime}: {log}");
        let text = ran.text();
        if is_python(runtime) {
            // Recorded: test_lambda_handler_error, test_uncaught_exception_invoke.
            let head = r#"{"errorMessage": "it went wrong: "#;
            assert!(text.starts_with(head), "{runtime}: {text}");
            let told = ran.json();
            assert_eq!(keys(&told), ["errorMessage", "errorType", "requestId", "stackTrace"], "{runtime}");
            assert_eq!(told["errorMessage"], "it went wrong: ä", "{runtime}");
            assert_eq!(
                (&told["errorType"], &told["requestId"]),
                (&"Mishap".into(), &ran.id.clone().into()),
                "{runtime}"
            );
            let frames = told["stackTrace"].as_array().unwrap();
            assert_eq!(frames.len(), 2, "{runtime}: {frames:?}");
            let line = frame_line("raise Mishap");
            let last = format!(
                "  File \"/var/task/app.py\", line {line}, in do_raise\n    raise Mishap(\"it went wrong: ä\")\n"
            );
            assert_eq!(frames[1], last, "{runtime}");
            assert!(
                log.contains("[ERROR] Mishap: it went wrong: ä\rTraceback (most recent call last):\r"),
                "{runtime}: {log}"
            );
        } else {
            let told = ran.json();
            assert_eq!(keys(&told), ["errorType", "errorMessage", "trace"], "{runtime}");
            assert_eq!(
                (&told["errorType"], &told["errorMessage"]),
                (&"Mishap".into(), &"it went wrong: ä".into()),
                "{runtime}"
            );
            let trace = told["trace"].as_array().unwrap();
            assert!(trace[1].as_str().unwrap().contains("file:///var/task/app.mjs:"), "{runtime}: {trace:?}");
            assert!(log.contains("TIME\tID\tERROR\tInvoke Error \t{\"errorType\":\"Mishap\""), "{runtime}: {log}");
        }
        // It stays: a function that raised is not reset.
        assert_eq!(function.answer(&json!({"do": "count"})), 2, "{runtime}");
    });
}

/// The line of the Python function that starts so.
fn frame_line(start: &str) -> usize {
    let source = std::str::from_utf8(crate::functions::PYTHON).unwrap();
    source.lines().position(|line| line.trim_start().starts_with(start)).unwrap() + 1
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// How an initialisation ends, and what the platform says of it.
const FAILED_INITS: [(&str, &str); 3] = [
    // Recorded: test_lambda_runtime_exit.
    ("exit 0", "Runtime exited without providing a reason"),
    ("exit 3", "Runtime exited with error: exit status 3"),
    // Observed on AWS.
    ("signal", "Runtime exited with error: signal: segmentation fault"),
];

#[test]
fn an_initialisation_that_ends_is_tried_twice_and_told_to_the_caller() {
    let test = "runtimes::an_initialisation_that_ends_is_tried_twice_and_told_to_the_caller";
    let Some(interpreters) = Interpreters::find(test) else { return };
    let mut engine = engine(&interpreters);
    let mut expected = Vec::new();
    for runtime in interpreters.runtimes() {
        for (init, text) in FAILED_INITS {
            let settings = json!({"Environment": {"Variables": {"INIT": init}}});
            let suffix = format!("-{}", init.replace(' ', "-"));
            let function = Deployed::create_asked(&engine, runtime, &suffix, &settings);
            let ran = function.run(&json!({"do": "count"}));
            assert_failed(&ran, &platform_error("Runtime.ExitError", text));
            // Without the lines before START, which are in the log alone (recorded: test_invocation_with_logs).
            assert_eq!(ran.log(), warm_log("", "Status: error\tError Type: Runtime.ExitError"), "{runtime} {init}");
            let version = init_start_of(&engine, &interpreters, &function, runtime);
            expected.push((function.name.clone(), ran.id.clone(), version, runtime.to_owned()));
        }
    }
    engine.terminate();
    let log = engine.log();
    for (name, id, start, runtime) in expected {
        // Observed on AWS: both initialisations come before START, and each that failed is reported.
        let init = if is_python(&runtime) { "initialising\n" } else { "TIME\tundefined\tINFO\tinitialising\n" };
        let failed = |phase: &str| {
            format!(
                "{init}INIT_REPORT Init Duration: N ms\tPhase: {phase}\tStatus: error\tError Type: Runtime.ExitError\n"
            )
        };
        let whole = format!(
            "{start}{}{}{}",
            failed("init"),
            failed("invoke"),
            warm_log("", "Status: error\tError Type: Runtime.ExitError")
        );
        assert_eq!(log_of(&log, &name, &id), whole, "{name}");
    }
}

/// What one function wrote, of all that stands in the engine's log.
fn log_of(log: &str, name: &str, id: &str) -> String {
    let mark = format!("{name} | ");
    let lines = log.lines().filter_map(|line| line.strip_prefix(&mark)).map(|line| format!("{line}\n"));
    normal(&lines.collect::<String>().replace(id, "ID"))
}

/// The first line of a new environment: the version is the interpreter's own, written as AWS writes it (observed:
/// `python:3.10.v11`), the ARN the one that GetFunction shows.
fn init_start_of(engine: &Engine, interpreters: &Interpreters, function: &Deployed<'_>, runtime: &str) -> String {
    let output = Command::new(interpreters.command(runtime)).arg("--version").output().unwrap();
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let numbers: Vec<&str> = told.trim().trim_start_matches("Python ").trim_start_matches('v').split('.').collect();
    let version = match (is_python(runtime), &numbers[..]) {
        (true, [major, minor, patch]) => format!("python:{major}.{minor}.v{patch}"),
        (false, [major, minor, _]) => format!("nodejs:{major}.v{minor}"),
        _ => panic!("this is no version: {told}"),
    };
    let target = format!("/2015-03-31/functions/{}/configuration", function.name);
    let shown = engine.send(&Request::new("GET", &target)).json();
    let arn = shown["RuntimeVersionConfig"]["RuntimeVersionArn"].as_str().unwrap();
    format!("INIT_START Runtime Version: {version}\tRuntime Version ARN: {arn}\n")
}

#[test]
fn an_exception_at_initialisation_is_told_in_the_shape_of_the_language() {
    let test = "runtimes::an_exception_at_initialisation_is_told_in_the_shape_of_the_language";
    let settings = json!({"Environment": {"Variables": {"INIT": "raise"}}});
    on_each(test, &settings, |function, runtime| {
        for _ in 0..2 {
            let ran = function.run(&json!({"do": "count"}));
            assert_eq!(ran.error.as_deref(), Some("Unhandled"), "{runtime}");
            let told = ran.json();
            assert_eq!(told["errorMessage"], "no start today", "{runtime}: {told}");
            if is_python(runtime) {
                // Recorded: test_lambda_runtime_error: no id, since nothing was invoked yet.
                assert_eq!(keys(&told), ["errorMessage", "errorType", "requestId", "stackTrace"], "{runtime}");
                assert_eq!((&told["errorType"], &told["requestId"]), (&"ValueError".into(), &"".into()), "{runtime}");
                let frame = told["stackTrace"].as_array().unwrap().last().unwrap().as_str().unwrap().to_owned();
                let line = frame_line("raise ValueError");
                let expected = format!(
                    "  File \"/var/task/app.py\", line {line}, in <module>\n    raise ValueError(\"no start today\")\n"
                );
                assert_eq!(frame, expected, "{runtime}");
            } else {
                assert_eq!(keys(&told), ["errorType", "errorMessage", "trace"], "{runtime}");
                assert_eq!(told["errorType"], "RangeError", "{runtime}");
            }
            let log = ran.log();
            // AWS developer guide, runtimes-api: a type that is not `Runtime.Name` or `Function.Name` is unknown.
            assert!(log.ends_with("N MB\tStatus: error\tError Type: Runtime.Unknown\n"), "{runtime}: {log}");
        }
    });
}

#[test]
fn a_runtime_that_ends_in_the_handler_is_told_and_started_again() {
    let test = "runtimes::a_runtime_that_ends_in_the_handler_is_told_and_started_again";
    // Recorded: test_lambda_handler_exit; observed on AWS: the signals.
    let ends = [
        (json!({"do": "exit", "status": 0}), "leaving\n", "Runtime exited without providing a reason"),
        (json!({"do": "exit", "status": 3}), "leaving\n", "Runtime exited with error: exit status 3"),
        (json!({"do": "signal", "signal": 9}), "", "Runtime exited with error: signal: killed"),
        (json!({"do": "signal", "signal": 11}), "", "Runtime exited with error: signal: segmentation fault"),
        (json!({"do": "signal", "signal": 6}), "", "Runtime exited with error: signal: aborted"),
    ];
    on_each(test, &json!({}), |function, runtime| {
        function.answer(&json!({"do": "keep", "name": "note"}));
        let status = "Status: error\tError Type: Runtime.ExitError";
        for (event, output, text) in &ends {
            let ran = function.run(event);
            assert_failed(&ran, &platform_error("Runtime.ExitError", text));
            assert_eq!(ran.log(), warm_log(output, status), "{runtime}: {event}");
            // A new process, in the same environment; its initialisation is no phase of its own
            // (AWS developer guide, lambda-runtime-environment).
            let ran = function.run(&json!({"do": "count"}));
            assert_eq!((ran.text().as_str(), ran.log()), ("1", warm_log("", "")), "{runtime} after {event}");
        }
        assert_eq!(function.answer(&json!({"do": "kept"})), json!(["note"]), "{runtime}");
    });
}

#[test]
fn a_timeout_resets_the_process_and_keeps_its_files() {
    let test = "runtimes::a_timeout_resets_the_process_and_keeps_its_files";
    on_each(test, &json!({"Timeout": 1}), |function, runtime| {
        function.answer(&json!({"do": "keep", "name": "note"}));
        assert_eq!(function.answer(&json!({"do": "count"})), 2, "{runtime}");
        let ran = function.run(&json!({"do": "wait"}));
        // Recorded: test_lambda_invoke_with_timeout.
        assert_failed(&ran, &platform_error("Sandbox.Timedout", "Task timed out after 1.00 seconds"));
        assert_eq!(ran.log(), warm_log("waiting\n", "Status: timeout"), "{runtime}");
        let log = String::from_utf8_lossy(&ran.tail).into_owned();
        let duration: f64 = log.split_once("\tDuration: ").unwrap().1.split_once(' ').unwrap().0.parse().unwrap();
        assert!((1_000.0..3_000.0).contains(&duration), "{runtime}: {log}");
        // Recorded: test_lambda_invoke_timed_out_environment_reuse.
        assert_eq!(function.answer(&json!({"do": "count"})), 1, "{runtime}");
        assert_eq!(function.answer(&json!({"do": "kept"})), json!(["note"]), "{runtime}");
    });
}

/// Six MiB in, and a hundred bytes more out (AWS developer guide, gettingstarted-limits; recorded:
/// test_lambda_too_large_response, test_lambda_large_response).
#[test]
fn payloads_pass_up_to_their_limits() {
    const REQUEST_BYTES: usize = 6_291_456;
    const RESPONSE_BYTES: usize = 6_291_556;
    let test = "runtimes::payloads_pass_up_to_their_limits";
    on_each(test, &json!({"MemorySize": 512, "Timeout": 60}), |function, runtime| {
        let largest = function.run(&json!({"do": "answer", "characters": RESPONSE_BYTES - 2}));
        assert_eq!((largest.error.as_deref(), largest.payload.len()), (None, RESPONSE_BYTES), "{runtime}");
        assert!(largest.payload[1..RESPONSE_BYTES - 1].iter().all(|byte| *byte == b'x'), "{runtime}");
        let too_large = function.run(&json!({"do": "answer", "characters": RESPONSE_BYTES - 1}));
        let told = r#"{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}"#;
        assert_failed(&too_large, told);
        // The environment stays usable.
        assert_eq!(function.answer(&json!({"do": "echo", "value": "on"})), "on", "{runtime}");

        let event = |bytes: usize| {
            let (head, tail) = (r#"{"do":"measure","value":""#, r#""}"#);
            format!("{head}{}{tail}", "x".repeat(bytes - head.len() - tail.len()))
        };
        let frame = event(100).len() - event(100).matches('x').count();
        let ran = function.send(&function.request(event(REQUEST_BYTES)));
        assert_eq!(ran.text(), (REQUEST_BYTES - frame).to_string(), "{runtime}");
    });
}

#[test]
fn each_environment_has_its_own_files() {
    let test = "runtimes::each_environment_has_its_own_files";
    let Some(interpreters) = Interpreters::find(test) else { return };
    let engine = engine(&interpreters);
    for runtime in interpreters.runtimes() {
        let one = Deployed::create_asked(&engine, runtime, "-one", &json!({}));
        let other = Deployed::create_asked(&engine, runtime, "-other", &json!({}));
        let file = if is_python(runtime) { "app.py" } else { "app.mjs" };
        // Recorded: test_runtime_introspection_*: the working folder, and that the code is read-only (EROFS).
        let expected = json!({"folder": "/var/task", "task": [file], "written": 30});
        assert_eq!(one.answer(&json!({"do": "files"})), expected, "{runtime}");
        assert_eq!(one.answer(&json!({"do": "kept"})), json!([]), "{runtime}: nothing of the host's /tmp");
        one.answer(&json!({"do": "keep", "name": "of-one"}));
        assert_eq!(other.answer(&json!({"do": "kept"})), json!([]), "{runtime}");
        assert_eq!(one.answer(&json!({"do": "kept"})), json!(["of-one"]), "{runtime}");
    }
}

#[test]
fn a_process_left_behind_ends_with_its_environment() {
    let test = "runtimes::a_process_left_behind_ends_with_its_environment";
    let Some(interpreters) = Interpreters::find(test) else { return };
    let mut engine = engine(&interpreters);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // A process is alive as long as the connection that it made stays open.
    let leave_one = |function: &Deployed<'_>| {
        assert_eq!(function.answer(&json!({"do": "leave_behind", "port": port})), Value::Null);
        let (mut connection, _) = listener.accept().unwrap();
        connection.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        connection.read_exact(&mut [0; 5]).unwrap();
        connection
    };
    let assert_gone = |mut connection: std::net::TcpStream, why: &str| {
        // Closed or reset; a process that lives on would let the read time out.
        let read = connection.read(&mut [0]);
        let is_gone = match &read {
            Ok(bytes) => *bytes == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        };
        assert!(is_gone, "{why}: {read:?}");
    };
    for runtime in interpreters.runtimes() {
        let function = Deployed::create_asked(&engine, runtime, "", &json!({}));
        let left = leave_one(&function);
        assert_eq!(function.answer(&json!({"do": "count"})), 2, "{runtime}");
        assert_eq!(function.run(&json!({"do": "exit", "status": 3})).error.as_deref(), Some("Unhandled"));
        assert_gone(left, &format!("{runtime}, reset"));
        let left = leave_one(&function);
        let change = Request::new("PUT", &format!("/2015-03-31/functions/{}/configuration", encoded(&function.name)))
            .body(r#"{"Description":"another"}"#);
        assert_eq!(engine.send(&change).status, 200);
        engine.wait_until_settled(&function.name);
        assert_gone(left, &format!("{runtime}, updated"));
        let left = leave_one(&function);
        function.delete();
        assert_gone(left, &format!("{runtime}, deleted"));
    }
    let runtime = interpreters.python();
    let left = leave_one(&Deployed::create_asked(&engine, runtime, "", &json!({})));
    engine.kill();
    assert_gone(left, "the engine was killed");
}

#[test]
fn output_of_every_kind_is_kept_as_it_was_written() {
    let test = "runtimes::output_of_every_kind_is_kept_as_it_was_written";
    on_each(test, &json!({"Timeout": 60}), |function, runtime| {
        let write = |bytes: &[u8]| function.run(&json!({"do": "write", "bytes": bytes})).tail;
        let contains = |tail: &[u8], part: &[u8]| tail.windows(part.len()).any(|window| window == part);
        let binary = b"\x00\xff\xfe\x80\n\xc3\n";
        let tail = write(binary);
        let after = [b"Version: $LATEST\n".as_slice(), binary, b"END RequestId: "].concat();
        assert!(contains(&tail, &after), "{runtime}: {tail:?}");
        // What is not ended by a newline is an event of its own all the same; nothing is added to its bytes.
        let tail = write(b"no newline");
        assert!(contains(&tail, b"Version: $LATEST\nno newlineEND RequestId: "), "{runtime}: {tail:?}");
        let tail = write(b"\n\n");
        assert!(contains(&tail, b"Version: $LATEST\n\n\nEND RequestId: "), "{runtime}: {tail:?}");

        // 2 MB; the caller gets the last 4 KB of all (API reference, Invoke, LogType).
        let flood = function.run(&json!({"do": "flood", "lines": 20_000}));
        assert_eq!(flood.error, None, "{runtime}: {}", flood.text());
        assert_eq!(flood.tail.len(), 4_096, "{runtime}");
        let text = String::from_utf8(flood.tail.clone()).unwrap();
        let (lines, end) = text.split_at(text.find("END RequestId: ").unwrap());
        let line = format!("{}\n", "x".repeat(99));
        let whole = line.repeat(41);
        assert_eq!(lines, &whole[whole.len() - lines.len()..], "{runtime}");
        let end = format!("START RequestId: ID Version: $LATEST\n{}", normal(&end.replace(&flood.id, "ID")));
        assert_eq!(end, warm_log("", ""), "{runtime}");

        // Nothing that was logged is lost when the process ends at once, however much the pipe holds back.
        let ended = function.run(&json!({"do": "log_and_exit", "lines": 5_000}));
        assert_failed(&ended, &platform_error("Runtime.ExitError", "Runtime exited with error: exit status 3"));
        let log = ended.log();
        let (_, end) = log.split_at(log.find("the last line\n").unwrap_or_else(|| panic!("{runtime}: {log}")));
        let expected = warm_log("the last line\n", "Status: error\tError Type: Runtime.ExitError");
        assert_eq!(format!("START RequestId: ID Version: $LATEST\n{end}"), expected, "{runtime}");
    });
}
