//! An extension that is made with AWS's own crate `lambda-extension`, unmodified: it registers, hears of each call and of
//! the end, and gets telemetry (AWS developer guide, runtimes-extensions-api and telemetry-api).

use std::fs;

use serde_json::{Value, json};

use crate::engine_process::{Engine, lambd, poll};
use crate::functions::Deployed;
use crate::layers::publish;
use crate::official_clients::rust_programs;
use crate::shell_function::bootstrap;
use crate::tools::Interpreters;

/// What the extension has printed so far; its output is part of the function's log.
fn heard(engine: &Engine) -> Vec<String> {
    let url = format!("http://{}", engine.admin());
    let logs = lambd().args(["logs", "fn", "--admin-url", &url]).output().unwrap();
    assert!(logs.status.success(), "{}", String::from_utf8_lossy(&logs.stderr));
    let log = String::from_utf8(logs.stdout).unwrap();
    log.lines().filter_map(|line| line.strip_prefix("listener ").map(str::to_owned)).collect()
}

#[test]
fn an_extension_of_the_published_crate_runs_unchanged() {
    // Where a function has no paths of its own, its layers are not in /opt.
    let Some(_) = Interpreters::find("real_extension::an_extension_of_the_published_crate_runs_unchanged") else {
        return;
    };
    let program = fs::read(rust_programs("listener").join("listener")).unwrap();
    let engine = Engine::start_with(&["--keep-warm-seconds", "1"]);
    let layer = publish(&engine, "listener", &[("extensions/listener", 0o755, &program)]);
    let code = bootstrap("", "echo said >&2; cat");
    let settings = json!({"Runtime": "provided.al2023", "Layers": [layer]});
    let function = Deployed::create(&engine, "fn", &[("bootstrap", 0o755, code.as_bytes())], &settings);

    let first = function.run(&json!({"call": 1}));
    let second = function.run(&json!({"call": 2}));
    assert_eq!((first.text().as_str(), second.text().as_str()), (r#"{"call":1}"#, r#"{"call":2}"#));
    // The last report is told of when its batch is full or its time is over, or at the end.
    let lines = poll("the extension hears of the end", || {
        let lines = heard(&engine);
        let is_over = lines.iter().any(|line| line.starts_with("SHUTDOWN"));
        let reports = lines.iter().filter(|line| line.contains(r#""platform.report""#)).count();
        (is_over && reports >= 2).then_some(lines)
    });

    assert_eq!(lines[0], "registered fn $LATEST app.handler");
    let called = |id: &str| format!("INVOKE {id} arn:aws:lambda:us-east-1:000000000000:function:fn");
    let events: Vec<&String> =
        lines.iter().filter(|line| line.starts_with("INVOKE") || line.starts_with("SHUTDOWN")).collect();
    assert_eq!(events, [&called(&first.id), &called(&second.id), "SHUTDOWN spindown"]);
    assert_eq!(lines.iter().filter(|line| *line == r#"function "said""#).count(), 2, "{lines:#?}");

    let told: Vec<Value> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("told "))
        .map(|record| serde_json::from_str(record).unwrap())
        .collect();
    let kinds: Vec<&str> = told.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let call = ["platform.start", "platform.runtimeDone", "platform.report"];
    let init = [
        "platform.initStart",
        "platform.telemetrySubscription",
        "platform.extension",
        "platform.initRuntimeDone",
        "platform.initReport",
    ];
    assert_eq!(kinds, [&init[..], &call, &call].concat(), "{lines:#?}");
    for (event, id) in told[init.len()..].iter().zip([[&first.id; 3], [&second.id; 3]].concat()) {
        assert_eq!(event["record"]["requestId"], *id, "{event}");
    }
    let done = &told[init.len() + 1]["record"];
    assert_eq!((&done["status"], &done["metrics"]["producedBytes"]), (&json!("success"), &json!(10)), "{done}");
}
