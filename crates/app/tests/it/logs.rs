//! Execution logs: what stands in them, in text and in JSON, and `lambd logs`, which prints what is kept.

use std::io::{BufRead as _, BufReader};
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::engine_process::{Engine, Request, lambd};
use crate::functions::{Deployed, Ran, is_python, normal};
use crate::shell_function::bootstrap;
use crate::tools::Interpreters;

/// A function in the shell that prints its event and hands it back; what it prints once it has answered is late.
fn talkative() -> String {
    let function = bootstrap("", "tee -a /dev/stderr; echo >&2");
    let late = function.replace("  read_answer /dev/null\n", "  read_answer /dev/null\n  echo late\n");
    assert_ne!(late, function);
    late
}

fn create_talkative(engine: &Engine, name: &str) {
    let created = engine.send(&Request::create_function_of(name, &talkative()));
    assert_eq!(created.status, 201, "{created:?}");
    engine.wait_until_settled(name);
}

fn logs(engine: &Engine, arguments: &[&str]) -> Output {
    let url = format!("http://{}", engine.admin());
    lambd().arg("logs").args(arguments).args(["--admin-url", &url]).output().unwrap()
}

#[track_caller]
fn printed(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), told.as_ref()), (Some(0), ""));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A log with ids and versions replaced as well.
fn plain(log: &str) -> String {
    let id = regex::Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").unwrap();
    let init = regex::Regex::new(
        "INIT_START Runtime Version: \\S+\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}",
    )
    .unwrap();
    init.replace_all(&id.replace_all(&normal(log), "ID"), "INIT").into_owned()
}

fn invocation(event: &str, init: &str) -> String {
    format!(
        "START RequestId: ID Version: $LATEST\n{event}\nlate\nEND RequestId: ID\nREPORT RequestId: ID\tDuration: N ms\tBilled \
         Duration: N ms\tMemory Size: 128 MB\tMax Memory Used: N MB\t{init}\n"
    )
}

#[test]
fn lambd_logs_prints_what_is_kept_oldest_first() {
    let mut engine = Engine::start();
    create_talkative(&engine, "fn");
    create_talkative(&engine, "other");
    assert_eq!(printed(&logs(&engine, &["fn"])), "", "nothing has run");
    for (name, event) in [("fn", "\"one\""), ("other", "\"of another\""), ("fn", "\"two\"")] {
        // The answer to a call that wants the tail comes after REPORT.
        let answer = engine.send(&Request::invoke(name, event).header("X-Amz-Log-Type", "Tail"));
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let expected = format!("INIT\n{}{}", invocation("\"one\"", "Init Duration: N ms\t"), invocation("\"two\"", ""));
    assert_eq!(plain(&printed(&logs(&engine, &["fn"]))), expected);

    // The same by ARN and by version.
    let log = printed(&logs(&engine, &["fn"]));
    for name in ["fn:$LATEST", "arn:aws:lambda:us-east-1:000000000000:function:fn"] {
        assert_eq!(printed(&logs(&engine, &[name])), log, "{name}");
    }
    assert_eq!(printed(&logs(&engine, &["fn:7"])), "", "version 7 has logged nothing");
    // From a time on.
    assert_eq!(printed(&logs(&engine, &["fn", "--since", "1h"])), log);
    assert_eq!(printed(&logs(&engine, &["fn", "--since", "2999-01-01T00:00:00Z"])), "");
    // For programs.
    let events = printed(&logs(&engine, &["fn", "--output", "json"]));
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let messages: String = events.iter().map(|event| event["message"].as_str().unwrap()).collect();
    assert_eq!(messages, log);
    assert!(events[0]["timestamp"].as_i64().unwrap() > 1_700_000_000_000);
    assert!(events[0]["logStreamName"].as_str().unwrap().contains("/[$LATEST]"), "{}", events[0]);

    // It stays when the engine is killed, and when the function is deleted, as on AWS.
    engine.restart();
    assert_eq!(printed(&logs(&engine, &["fn"])), log);
    assert_eq!(engine.send(&Request::new("DELETE", "/2015-03-31/functions/fn")).status, 204);
    assert_eq!(printed(&logs(&engine, &["fn"])), log);
}

#[test]
fn lambd_logs_says_what_is_wrong() {
    let engine = Engine::start();
    create_talkative(&engine, "fn");
    for (name, text) in [
        ("nobody", "there is no function nobody"),
        ("..", "there is no function .."),
        ("fn:PROD", "an alias has no log"),
        ("a/b", "is not the name of a function"),
    ] {
        let output = logs(&engine, &[name]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(254), "{name}: {told}");
        assert!(told.starts_with("error: ") && told.contains(text) && told.contains("\nhelp: "), "{name}: {told}");
    }
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in [format!("http://{nowhere}"), "https://127.0.0.1".to_owned(), "here".to_owned()] {
        let output = lambd().args(["logs", "fn", "--admin-url", &url]).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(255), "{told}");
        assert!(told.contains(&url) || told.contains("--admin-url takes a URL"), "{told}");
    }
}

#[test]
fn lambd_logs_follows() {
    let engine = Engine::start();
    create_talkative(&engine, "fn");
    let url = format!("http://{}", engine.admin());
    let mut follower =
        lambd().args(["logs", "fn", "--follow", "--admin-url", &url]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    for event in ["\"first\"", "\"second\""] {
        assert_eq!(engine.send(&Request::invoke("fn", event)).status, 200);
        assert!(lines.any(|line| line.unwrap() == event), "the follower has ended");
    }
    follower.kill().unwrap();
    follower.wait().unwrap();
}

/// Creates the function for each runtime, its log in JSON.
fn in_json(test: &str, levels: (&str, &str), check: impl Fn(&Deployed<'_>, &str)) {
    let Some(interpreters) = Interpreters::find(test) else { return };
    let engine = Engine::start_with(&["--config", interpreters.settings()]);
    let (application, system) = levels;
    let logging = json!({
        "LogFormat": "JSON", "ApplicationLogLevel": application, "SystemLogLevel": system,
    });
    for runtime in interpreters.runtimes() {
        check(&Deployed::create_asked(&engine, runtime, "", &json!({"LoggingConfig": logging})), runtime);
    }
}

/// The lines of the tail; what is no JSON as a text.
fn lines(ran: &Ran) -> Vec<Value> {
    let text = String::from_utf8(ran.tail.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| line.into())).collect()
}

fn kinds(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["type"].as_str()).collect()
}

#[test]
fn a_log_in_json_is_that_of_aws() {
    let test = "logs::a_log_in_json_is_that_of_aws";
    in_json(test, ("DEBUG", "DEBUG"), |function, runtime| {
        let environment = function.answer(&json!({"do": "environment"}));
        assert_eq!(environment["AWS_LAMBDA_LOG_FORMAT"], "JSON", "{runtime}");
        assert_eq!(environment["AWS_LAMBDA_LOG_LEVEL"], "DEBUG", "{runtime}");
        let ran = function.run(&json!({"do": "log"}));
        let told = lines(&ran);
        assert_eq!(kinds(&told), ["platform.start", "platform.runtimeDone", "platform.report"], "{runtime}: {told:?}");
        assert_eq!(told[0]["record"], json!({"requestId": ran.id, "version": "$LATEST"}), "{runtime}");
        let done = &told[told.len() - 2]["record"];
        assert_eq!((&done["status"], &done["metrics"]["producedBytes"]), (&json!("success"), &json!(4)), "{runtime}");
        let report = &told[told.len() - 1]["record"];
        assert_eq!((&report["status"], &report["metrics"]["memorySizeMB"]), (&json!("success"), &json!(128)));
        // What the function's logger wrote, by AWS's own runtime clients: level, request, time.
        let logged: Vec<&Value> = told.iter().filter(|line| line["level"].is_string()).collect();
        let informed =
            logged.iter().find(|line| line["message"] == "informed of 7").unwrap_or_else(|| panic!("{told:?}"));
        assert_eq!((&informed["level"], &informed["requestId"]), (&json!("INFO"), &json!(ran.id)), "{runtime}");
        assert!(informed["timestamp"].as_str().unwrap().ends_with('Z'), "{runtime}: {informed}");

        let failed = function.run(&json!({"do": "raise"}));
        let told = lines(&failed);
        assert_eq!(told[told.len() - 1]["record"]["status"], "error", "{runtime}: {told:?}");
        assert!(
            told.iter().any(|line| line["errorMessage"] == "it went wrong: ä"
                || line["message"]["errorMessage"] == "it went wrong: ä"),
            "{runtime}: {told:?}"
        );

        let exited = function.run(&json!({"do": "exit", "status": 3}));
        let told = lines(&exited);
        let report = &told[told.len() - 1]["record"];
        assert_eq!(
            (&report["status"], &report["errorType"]),
            (&json!("error"), &json!("Runtime.ExitError")),
            "{runtime}"
        );
    });
}

#[test]
fn lines_below_the_level_are_left_out() {
    let test = "logs::lines_below_the_level_are_left_out";
    in_json(test, ("ERROR", "WARN"), |function, runtime| {
        let told = lines(&function.run(&json!({"do": "log"})));
        // Python's `print` is a text and so INFO; Node's `console.log` is INFO by its own word.
        assert_eq!(kinds(&told), Vec::<&str>::new(), "{runtime}: {told:?}");
        let levels: Vec<&Value> = told.iter().map(|line| &line["level"]).collect();
        assert!(!levels.is_empty() && levels.iter().all(|level| **level == "ERROR"), "{runtime}: {told:?}");
        let told = lines(&function.run(&json!({"do": "raise"})));
        assert_eq!(kinds(&told), ["platform.runtimeDone", "platform.report"], "{runtime}: {told:?}");
    });
}

#[test]
fn a_sampled_invocation_says_so_in_its_report() {
    let test = "logs::a_sampled_invocation_says_so_in_its_report";
    let Some(interpreters) = Interpreters::find(test) else { return };
    let engine = Engine::start_with(&["--config", interpreters.settings()]);
    for runtime in interpreters.runtimes() {
        let function = Deployed::create_asked(&engine, runtime, "", &json!({}));
        let ask =
            |header: &str| function.send(&function.request(r#"{"do":"context"}"#).header("X-Amzn-Trace-Id", header));
        let ran = ask("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1");
        let trace = ran.json()["trace"].as_str().unwrap().to_owned();
        let segment = trace.split(';').find_map(|field| field.strip_prefix("Parent=")).unwrap();
        let line =
            format!("\nXRAY TraceId: 1-5bef4de7-ad49b0e87f6ef6c87fc2e700\tSegmentId: {segment}\tSampled: true\t\n");
        let tail = String::from_utf8(ran.tail).unwrap();
        assert!(tail.ends_with(&line), "{runtime}: {tail}");
        let plain = ask("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0");
        assert!(!plain.log().contains("XRAY"), "{runtime}: {}", plain.log());
        assert!(plain.json()["trace"].as_str().unwrap().contains(";Sampled=0"), "{runtime}");

        let active = Deployed::create_asked(&engine, runtime, "-active", &json!({"TracingConfig": {"Mode": "Active"}}));
        assert!(
            active.run(&json!({})).log().contains("\tSampled: true\t\n"),
            "{runtime}: the first in a second is traced"
        );
    }
}

#[test]
fn a_flood_is_kept_or_counted_and_hurts_nobody() {
    let test = "logs::a_flood_is_kept_or_counted_and_hurts_nobody";
    let Some(interpreters) = Interpreters::find(test) else { return };
    let engine = Engine::start_with(&["--config", interpreters.settings()]);
    let runtime = interpreters.runtimes().find(|runtime| is_python(runtime)).unwrap();
    let function = Deployed::create_asked(&engine, runtime, "", &json!({"Timeout": 60}));
    let before = engine.memory_peak_kib();
    let lines = 300_000;
    let ran = function.run(&json!({"do": "flood", "lines": lines}));
    assert_eq!((ran.error.as_deref(), ran.tail.len()), (None, 4_096));
    assert!(ran.tail.ends_with(b"\t\n"), "{}", ran.log());
    function.answer(&json!({"do": "write", "bytes": [0, 255, 254, 10, 195, 40, 10]}));

    let output = logs(&engine, &[&function.name]);
    assert_eq!(output.status.code(), Some(0));
    let log = output.stdout;
    let kept = log.split(|byte| *byte == b'\n').filter(|line| line.len() == 99 && line.starts_with(b"xxx")).count();
    let text = String::from_utf8_lossy(&log);
    let dropped: usize = text
        .split("Dropped Records: ")
        .skip(1)
        .map(|rest| rest.split('\t').next().unwrap().parse::<usize>().unwrap())
        .sum();
    // What the platform had to say meanwhile may be among what was dropped: START, END, REPORT of two invocations.
    assert!((lines..=lines + 6).contains(&(kept + dropped)), "{kept} kept, {dropped} dropped");
    // Bytes come out as they went in.
    assert!(log.windows(7).any(|bytes| bytes == [0, 255, 254, 10, 195, 40, 10]));
    // A line beyond what CloudWatch takes comes in pieces.
    let long = "y".repeat(600_000);
    function.answer(&json!({"do": "write", "bytes": long.as_bytes()}));
    let events = printed(&logs(&engine, &[&function.name, "--output", "json", "--since", "1m"]));
    let pieces = events.lines().filter_map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        event["message"].as_str().filter(|message| message.starts_with("yyy")).map(str::len)
    });
    assert_eq!(pieces.collect::<Vec<_>>(), [262_144, 262_144, 75_712]);
    // With what a line takes beside its 100 bytes they are 48 MB.
    let grown = engine.memory_peak_kib() - before;
    assert!(grown < 28 * 1024, "the engine grew by {grown} KiB");
}
