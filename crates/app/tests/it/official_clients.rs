//! AWS's own runtime clients, unmodified, in functions of an OS-only runtime: awslambdaric, aws-lambda-ric 3 and 4, the
//! crate `lambda_runtime`; and a client of nobody's, the shell of the example `disk-report`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::engine_process::Engine;
use crate::functions::{Deployed, NODE, PYTHON, cold_log, warm_log};
use crate::streaming::{Reader, STREAM};
use crate::tools::{self, Interpreters};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function";

/// A file of a function's code.
type CodeFile = (String, u32, Vec<u8>);

/// Creates a function of `provided.al2023` whose bootstrap is this script.
fn deploy<'a>(engine: &'a Engine, name: &str, bootstrap: &[u8], code: &[CodeFile]) -> Deployed<'a> {
    let mut files = vec![("bootstrap", 0o755, bootstrap)];
    files.extend(code.iter().map(|(path, mode, content)| (path.as_str(), *mode, content.as_slice())));
    Deployed::create(engine, name, &files, &json!({"Runtime": "provided.al2023", "Timeout": 10}))
}

/// A file, or all files below a folder, to lie at `at` in the code.
fn collect(from: &Path, at: &str, code: &mut Vec<CodeFile>) {
    if from.is_file() {
        code.push((at.to_owned(), 0o644, fs::read(from).unwrap()));
        return;
    }
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name != "__pycache__" {
            collect(&path, &format!("{at}/{name}"), code);
        }
    }
}

/// What a function that does as it is asked answers, whoever's client it has: three calls to one environment, the
/// context, and that it goes on after an error.
fn check(function: &Deployed<'_>, output: &str) {
    let name = &function.name;
    for count in 1..=3 {
        let ran = function.run(&json!({"do": "count"}));
        let log = if count == 1 { cold_log("", "") } else { warm_log("", "") };
        assert_eq!((ran.text(), ran.log()), (count.to_string(), log), "{name}");
    }
    let text = json!({"do": "echo", "value": {"text": "ä€😀\n", "list": [null, 1.5, true]}});
    assert_eq!(function.answer(&text), text["value"], "{name}");
    assert_eq!(function.run(&json!({"do": "log"})).log(), warm_log(output, ""), "{name}");

    let client = data_encoding::BASE64.encode(br#"{"custom":{"k":"v"},"env":{},"client":{"app_title":"t"}}"#);
    let ran = function.send(&function.request(r#"{"do":"context"}"#).header("X-Amz-Client-Context", &client));
    let mut told = ran.json();
    assert!((1..=10_000).contains(&told["remaining"].take().as_u64().unwrap()), "{name}");
    assert!(told["trace"].take().as_str().unwrap().starts_with("Root=1-"), "{name}");
    assert!(told["stream"].take().as_str().unwrap().contains("/[$LATEST]"), "{name}");
    let expected = json!({
        "function": name,
        "version": "$LATEST",
        "arn": format!("{ARN}:{name}"),
        "memory": "128",
        "id": ran.id,
        "group": format!("/aws/lambda/{name}"),
        "stream": null,
        "remaining": null,
        "client": {"custom": {"k": "v"}, "env": {}, "title": "t"},
        "identity": null,
        "trace": null,
    });
    assert_eq!(told, expected, "{name}");

    let ran = function.run(&json!({"do": "raise"}));
    assert_eq!(ran.error.as_deref(), Some("Unhandled"), "{name}");
    let told = ran.json();
    let error = ["errorMessage", "errorType"].map(|key| &told[key]);
    assert_eq!(error, ["it went wrong: ä", "Mishap"], "{name}: {told}");
    let next = function.answer(&json!({"do": "count"}));
    assert_eq!(next, 8, "{name}: the environment is the same still");
}

#[test]
fn awslambdaric_runs_unchanged() {
    let test = "official_clients::awslambdaric_runs_unchanged";
    let Some(python) = tools::tool(test, "venv/bin/python") else { return };
    // Not the virtual environment's own path: that may be where functions see their own files.
    let question = "import awslambdaric, sys, sysconfig\nprint(sys.base_prefix + '/bin/python%d.%d' % sys.version_info[:2])\n\
                    print(sysconfig.get_path('platlib'))";
    let told = Command::new(python).args(["-c", question]).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let (interpreter, packages) = told.trim().split_once('\n').unwrap();
    let mut code = vec![("app.py".to_owned(), 0o644, PYTHON.to_vec())];
    for entry in fs::read_dir(packages).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_needed = ["awslambdaric", "simplejson", "snapshot_restore_py.py"].contains(&name);
        if is_needed || name.starts_with("runtime_client.") {
            collect(&path, name, &mut code);
        }
    }
    let engine = Engine::start();
    let bootstrap = format!("#!/bin/sh\nexec {interpreter} -m awslambdaric \"$_HANDLER\"\n");
    let function = deploy(&engine, "awslambdaric", bootstrap.as_bytes(), &code);
    let output =
        "printed\nanother\rline\nto standard error\n[INFO]\tTIME\tID\tinformed of 7\n[ERROR]\tTIME\tID\ttwo\nlines\n";
    check(&function, output);
    // Recorded: test_introspection_invoke: an OS-only runtime has no name there.
    let seen = function.answer(&json!({"do": "environment"}));
    assert_eq!((&seen["AWS_EXECUTION_ENV"], &seen["_HANDLER"]), (&Value::Null, &"app.handler".into()));
}

#[test]
fn aws_lambda_ric_3_runs_unchanged() {
    let test = "official_clients::aws_lambda_ric_3_runs_unchanged";
    check_node(test, "aws-lambda-ric-3", &["package.json", "bin", "dist"], "bin/index.mjs");
}

#[test]
fn aws_lambda_ric_4_runs_unchanged() {
    let test = "official_clients::aws_lambda_ric_4_runs_unchanged";
    check_node(test, "aws-lambda-ric", &["package.json", "index.mjs", "rapid-client.node"], "index.mjs");
}

fn check_node(test: &str, package: &str, parts: &[&str], entry: &str) {
    let Some(folder) = tools::tool(test, &format!("node_modules/{package}")) else { return };
    let Some(interpreters) = Interpreters::find(test) else { return };
    let node = interpreters.command(interpreters.node()).display();
    let mut code = vec![("app.mjs".to_owned(), 0o644, NODE.to_vec())];
    for part in parts {
        collect(&folder.join(part), &format!("node_modules/aws-lambda-ric/{part}"), &mut code);
    }
    let engine = Engine::start();
    let bootstrap = format!("#!/bin/sh\nexec {node} node_modules/aws-lambda-ric/{entry} \"$_HANDLER\"\n");
    let function = deploy(&engine, package, bootstrap.as_bytes(), &code);
    check(
        &function,
        "printed\nanother\rline\nto standard error\nTIME\tID\tINFO\tinformed of 7\nTIME\tID\tERROR\ttwo\rlines\n",
    );
    function.delete();
    code[0].2 = STREAM.to_vec();
    check_streams(&engine, &deploy(&engine, package, bootstrap.as_bytes(), &code));
}

/// A function that streams, and goes on in the same environment after errors. The client asks for its next event while
/// the last bytes of a failed stream are still under way, over another connection.
fn check_streams(engine: &Engine, function: &Deployed<'_>) {
    // With the log comes the word that the environment is free.
    let stream = |event: Value| {
        let mut streamed = Reader::begin(engine, &function.name, &event, &[("X-Amz-Log-Type", "Tail")]).all();
        let log = streamed.complete["LogResult"].take();
        let log = data_encoding::BASE64.decode(log.as_str().unwrap().as_bytes()).unwrap();
        let log = String::from_utf8(log).unwrap();
        assert!(log.contains("\nREPORT ") && !log.contains("Status: "), "{event}: {log}");
        streamed
    };
    for round in 1..=20 {
        let streamed = stream(json!({"do": "echo", "pieces": ["one", "two"]}));
        assert_eq!((streamed.body.as_slice(), streamed.complete), (b"onetwo".as_slice(), json!({"LogResult": null})));
        for (deed, body) in [("fail_early", ""), ("fail_late", "half")] {
            let streamed = stream(json!({"do": deed}));
            assert_eq!(streamed.body, body.as_bytes(), "{deed}");
            assert_eq!(streamed.complete["ErrorCode"], "RangeError", "{deed}: {}", streamed.complete);
        }
        assert_eq!(
            stream(json!({"do": "count"})).body,
            round.to_string().as_bytes(),
            "it is the same environment still"
        );
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a deadline is judged by the test's own clock")]
fn lambda_runtime_runs_unchanged() {
    let engine = Engine::start();
    let programs = rust_programs("echo");
    let function = |name: &str| deploy(&engine, name, &fs::read(programs.join(name)).unwrap(), &[]);

    let echo = function("echo");
    for (count, text) in ["{\"a\":[1,null,\"ä\"]}", "null", "\"text\""].into_iter().enumerate() {
        let ran = echo.send(&echo.request(text));
        let log = if count == 0 { cold_log("", "") } else { warm_log("", "") };
        assert_eq!((ran.text().as_str(), ran.log()), (text, log));
    }

    let told = function("told");
    // This client wants every member, and takes no event without.
    let members = ["installationId", "appTitle", "appVersionName", "appVersionCode", "appPackageName"];
    let members: serde_json::Map<String, Value> =
        members.map(|name| (name.to_owned(), "x".into())).into_iter().collect();
    let client = json!({"custom": {"k": "v"}, "env": {}, "client": members});
    let client = data_encoding::BASE64.encode(client.to_string().as_bytes());
    for count in 1..=3 {
        let request = told.request(r#"{"x":1}"#).header("X-Amz-Client-Context", &client);
        let ran = told.send(&request);
        let output = format!("call {count}\n");
        assert_eq!(ran.log(), if count == 1 { cold_log(&output, "") } else { warm_log(&output, "") });
        let mut answer = ran.json();
        let deadline = answer["deadline"].take().as_i64().unwrap();
        let left = deadline - jiff::Timestamp::now().as_millisecond();
        assert!((1..=10_000).contains(&left), "{left} ms are left of 10 s");
        assert!(answer["trace"].take().as_str().unwrap().starts_with("Root=1-"));
        let expected = json!({
            "event": {"x": 1},
            "count": count,
            "id": ran.id,
            "arn": format!("{ARN}:told"),
            "deadline": null,
            "client": {"k": "v"},
            "trace": null,
            "function": "told",
            "memory": 128,
            "version": "$LATEST",
        });
        assert_eq!(answer, expected);
    }
    let ran = told.run(&json!({"fail": "no thanks"}));
    assert_eq!(ran.error.as_deref(), Some("Unhandled"));
    let error = ran.json();
    // Recorded of the official Rust runtime: test_uncaught_exception_invoke.
    let error_type = error["errorType"].as_str().unwrap();
    assert!(
        error_type.starts_with("alloc::boxed::Box<dyn core::error::Error")
            || error_type.starts_with("&alloc::boxed::Box<dyn core::error::Error"),
        "{error}"
    );
    assert_eq!(error["errorMessage"], "no thanks");
    assert_eq!(told.answer(&json!({}))["count"], 5, "the environment is the same still");
}

/// The folder with the programs of a package below `bench`, built once where `cargo xtask bench` builds as well.
pub(crate) fn rust_programs(package: &str) -> PathBuf {
    let lambd = Path::new(env!("CARGO_BIN_EXE_lambd"));
    let target = lambd.ancestors().nth(2).unwrap().join("bench");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/Cargo.toml");
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--locked", "--package", package, "--manifest-path"])
        .arg(&manifest)
        .arg("--target-dir")
        .arg(&target)
        // A program of a hundred MB is no function.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        // What cargo sets for the tests is not meant for this build.
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    target.join("debug")
}

/// The example as it lies in the repository, with the event that lies beside it.
#[test]
fn the_example_in_shell_runs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/disk-report");
    let engine = Engine::start();
    let function = deploy(&engine, "disk-report", &fs::read(folder.join("bootstrap")).unwrap(), &[]);
    let event: Value = serde_json::from_slice(&fs::read(folder.join("event.json")).unwrap()).unwrap();
    for count in 0..3 {
        let ran = function.run(&event);
        let mut answer = ran.json();
        let used = answer["used_percent"].as_u64().unwrap();
        let path = event["path"].as_str().unwrap();
        let output = format!("{path}: {used} % used\n");
        assert_eq!(ran.log(), if count == 0 { cold_log(&output, "") } else { warm_log(&output, "") });
        let [size, used_kb, free] = ["size_kb", "used_kb", "free_kb"].map(|key| answer[key].take().as_u64().unwrap());
        assert!(size >= used_kb && size >= free, "{size} {used_kb} {free}");
        let limit = event["warn_at_percent"].as_u64().unwrap();
        let expected = json!({
            "path": path,
            "size_kb": null,
            "used_kb": null,
            "free_kb": null,
            "used_percent": used,
            "verdict": if used >= limit { "full" } else { "ok" },
        });
        assert_eq!(answer, expected);
    }
    let failed = function.run(&json!({"path": "/none"}));
    let told = r#"{"errorType":"PathNotFound","errorMessage":"there is no /none","stackTrace":[]}"#;
    assert_eq!((failed.error.as_deref(), failed.text().as_str()), (Some("Unhandled"), told));
    assert_eq!(failed.log(), warm_log("", ""));
}
