//! What this machine has: isolation levels, and interpreters with which real functions run.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use domain::environment::InitEnd;
use domain::names::EnvironmentId;
use domain::runtime::Runtime;
use engine::ports::{Answer, Sandbox as _};
use sandbox::{Isolation, Linux, RuntimeSetting};
use serde_json::{Value, json};
use testkit::clock::HandClock;

use crate::groups::Groups;
use crate::host::{Function, Host, KINDS, Kind, Lines, host, in_time, settings, until};

#[tokio::test]
async fn less_than_the_least_refuses_the_start_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut wanted = settings(folder.path(), Kind::OwnPaths);
    wanted.isolation_min = Isolation::Confined;
    let refused = Linux::start(wanted, Arc::new(HandClock::default())).await.err().unwrap();
    let text = refused.to_string();
    for part in ["confined", "--isolation process", "--isolation-min process"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[tokio::test]
async fn the_report_names_every_feature() {
    let Some(host) = host(Kind::RealFolders).await else { return };
    let text = host.linux.report().await.to_string();
    assert!(
        text.starts_with(
            "isolation: process (memory none, cpu none, pids none, tmp none, net none, fs none, uid none)"
        ),
        "{text}"
    );
    assert!(text.contains("LAMBDA_TASK_ROOT"), "{text}");
}

#[tokio::test]
async fn a_runtime_without_interpreter_is_not_supported_and_the_text_helps() {
    let Some(host) = host(Kind::RealFolders).await else { return };
    let supports = async |name: &str| in_time(host.linux.supports(Runtime::parse(name).unwrap())).await;
    assert_eq!(supports("provided.al2").await, Ok(()));
    assert!(supports("java21").await.unwrap_err().contains("provided.al2023"));
}

/// A sandbox that looks for interpreters where this machine has them.
async fn searching_host(kind: Kind, named: BTreeMap<String, RuntimeSetting>) -> Option<Host> {
    let mut host = host(kind).await?;
    let mut wanted = settings(&host.folder.path().join("other"), kind);
    wanted.runtimes = named;
    let (path, home) = surroundings();
    wanted.search_path = path;
    wanted.home = home;
    host.linux = Linux::start(wanted, host.clock.clone()).await.unwrap();
    host.groups = Groups::of(&host.folder.path().join("other"));
    Some(host)
}

#[expect(clippy::disallowed_methods, reason = "the test looks where its own interpreters are")]
pub(crate) fn surroundings() -> (Vec<PathBuf>, Option<PathBuf>) {
    let path = std::env::var("PATH").unwrap_or_default();
    (std::env::split_paths(&path).collect(), std::env::var("HOME").ok().map(PathBuf::from))
}

/// Whichever runtime of a family this machine has.
pub(crate) async fn any_of(host: &Host, family: &str) -> Option<Runtime> {
    let found = in_time(host.linux.found_runtimes()).await;
    let found = found.into_iter().map(|found| found.runtime).find(|runtime| runtime.identifier().starts_with(family));
    if found.is_none() {
        crate::host::skipped(&format!("no interpreter for {family}"));
    }
    found
}

async fn run(host: &Host, runtime: Runtime, file: &str, code: &str) -> (Function, Value) {
    run_with(host, runtime, file, code, Vec::new()).await
}

/// Of environments.
static NUMBERS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);

async fn run_with(host: &Host, runtime: Runtime, file: &str, code: &str, layers: Vec<PathBuf>) -> (Function, Value) {
    let folder = host.folder.path().join("function");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(file), code).unwrap();
    let mut spec = host.spec();
    // The one before may still be on its way out.
    spec.id = EnvironmentId(uuid::Uuid::from_u128(NUMBERS.fetch_add(1, std::sync::atomic::Ordering::Relaxed).into()));
    spec.code = folder;
    spec.runtime = runtime;
    spec.layers = layers;
    for (key, value) in [("_HANDLER", "app.handler"), ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")] {
        spec.platform_variables.retain(|(known, _)| known != key);
        spec.platform_variables.push((key.to_owned(), value.to_owned()));
    }
    let lines = Arc::new(Lines::default());
    let environment = in_time(host.linux.start(spec, lines.clone())).await.unwrap();
    let function = Function { environment, lines, clock: host.clock.clone() };
    let end = function.init().await;
    assert_eq!(end, InitEnd::Ready, "{:?}", function.lines.take());
    let answer = function.invoke(json!({"a": 20})).await;
    let Answer::Response(bytes) = answer else { panic!("{answer:?} {:?}", function.lines.take()) };
    in_time(function.environment.settle()).await.unwrap();
    (function, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn python_and_node_find_what_is_in_layers() {
    // AWS developer guide, packaging-layers, "Layer paths for each Lambda runtime".
    for kind in KINDS {
        let Some(host) = searching_host(kind, BTreeMap::new()).await else { continue };
        let layer = |name: &str, file: &str, content: &str| {
            let path = host.folder.path().join(name).join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
            host.folder.path().join(name)
        };
        if let Some(python) = any_of(&host, "python").await {
            let one = layer("p1", "python/one.py", "WORD = 'one'\n");
            let two =
                layer("p2", &format!("python/lib/{}/site-packages/two.py", python.identifier()), "WORD = 'two'\n");
            let code = "import one, two\ndef handler(event, context):\n    return [one.WORD, two.WORD]\n";
            let (_, answer) = run_with(&host, python, "app.py", code, vec![one, two]).await;
            assert_eq!(answer, json!(["one", "two"]), "{kind:?}");
        }
        if let Some(node) = any_of(&host, "nodejs").await {
            let one = layer("n1", "nodejs/node_modules/one/index.js", "exports.WORD = 'one';");
            let two = format!("nodejs/node{}/node_modules/two/index.js", node.version());
            let two = layer("n2", &two, "exports.WORD = 'two';");
            let code = "exports.handler = async () => [require('one').WORD, require('two').WORD];";
            let (_, answer) = run_with(&host, node, "app.js", code, vec![one, two]).await;
            assert_eq!(answer, json!(["one", "two"]), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn a_python_function_runs_on_a_python_of_this_machine() {
    for kind in KINDS {
        let Some(host) = searching_host(kind, BTreeMap::new()).await else { continue };
        let Some(runtime) = any_of(&host, "python").await else { continue };
        let code = "import os, sys\ndef handler(event, context):\n    print('seen')\n    return [event['a'] + 22, list(sys.version_info[:2]), os.getcwd()]\n";
        let (function, answer) = run(&host, runtime, "app.py", code).await;
        assert_eq!(answer[0], 42);
        let version = format!("python{}.{}", answer[1][0], answer[1][1]);
        assert_eq!(version, runtime.identifier());
        assert_eq!(function.lines.take(), ["seen\n"]);
        assert!(host.linux.runtime_version(runtime).starts_with("python:3."));
    }
}

#[tokio::test]
async fn a_node_function_runs_on_a_node_of_this_machine() {
    for kind in KINDS {
        let Some(host) = searching_host(kind, BTreeMap::new()).await else { continue };
        let Some(runtime) = any_of(&host, "nodejs").await else { continue };
        let code = "exports.handler = async (event) => [event.a + 22, process.version, process.cwd()];\n";
        let (_function, answer) = run(&host, runtime, "app.js", code).await;
        assert_eq!(answer[0], 42);
        let version = answer[1].as_str().unwrap();
        assert!(version.starts_with(&format!("v{}.", runtime.version())), "{version}");
    }
}

#[tokio::test]
async fn an_error_after_the_answer_ends_the_node_process_and_takes_no_event() {
    let Some(host) = searching_host(Kind::RealFolders, BTreeMap::new()).await else { return };
    let found = in_time(host.linux.found_runtimes()).await.into_iter().map(|found| found.runtime);
    let callbacks = ["nodejs16.x", "nodejs18.x", "nodejs20.x", "nodejs22.x"];
    let Some(runtime) = found.into_iter().find(|runtime| callbacks.contains(&runtime.identifier())) else {
        crate::host::skipped("no node whose handlers call back");
        return;
    };
    let late = "const { existsSync } = require('fs');
    const fail = () => {
        if (existsSync(__dirname + '/now')) throw new Error('late');
        setImmediate(fail);
    };
    exports.handler = (event, context, callback) => {
        context.callbackWaitsForEmptyEventLoop = false;
        callback(null, event.a);
        if (event.a === 20) setImmediate(fail);
    };";
    // Nothing is left to do, so the answer is null; then there is another.
    let twice = "exports.handler = (event, context, callback) => {
        process.once('beforeExit', () => setImmediate(() => setImmediate(() => callback(new Error('again')))));
    };";
    let (function, answer) = run(&host, runtime, "app.js", late).await;
    assert_eq!(answer, 20);
    // It is idle, and polls.
    fs::write(host.folder.path().join("function/now"), "").unwrap();
    until(|| !function.environment.is_ready()).await;
    assert!(function.lines.take().concat().contains("late"));
    assert_eq!(function.init().await, InitEnd::Ready);
    assert!(matches!(function.invoke(json!({"a": 1})).await, Answer::Response(bytes) if bytes == "1"));
    in_time(function.environment.stop()).await;

    // What is answered twice has been answered once, and is followed by one poll.
    let (function, answer) = run(&host, runtime, "app.js", twice).await;
    assert_eq!(answer, Value::Null);
    for _ in 0..2 {
        until(|| function.lines.take().concat().contains("again")).await;
        let answer = function.invoke(json!({})).await;
        assert!(matches!(&answer, Answer::Response(bytes) if bytes == "null"), "{answer:?}");
        in_time(function.environment.settle()).await.unwrap();
    }
}

#[tokio::test]
async fn an_interpreter_below_tmp_is_still_there_in_the_view() {
    let Some(searching) = searching_host(Kind::OwnPaths, BTreeMap::new()).await else { return };
    let Some(runtime) = any_of(&searching, "python").await else { return };
    let found = searching.linux.found_runtimes().await.into_iter().find(|found| found.runtime == runtime).unwrap();
    // As a virtual environment is: a link in a folder below /tmp, and packages beside it.
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let (bin, packages) = (folder.path().join("venv/bin"), folder.path().join("packages"));
    fs::create_dir_all(&bin).unwrap();
    fs::create_dir_all(&packages).unwrap();
    fs::write(packages.join("beside.py"), "answer = 42\n").unwrap();
    std::os::unix::fs::symlink(&found.command, bin.join("python")).unwrap();
    fs::write(folder.path().join("venv/pyvenv.cfg"), format!("home = {}\n", found.command.parent().unwrap().display()))
        .unwrap();
    let setting = RuntimeSetting { command: bin.join("python"), packages: Some(packages) };
    let named = BTreeMap::from([(runtime.identifier().to_owned(), setting)]);
    let Some(host) = searching_host(Kind::OwnPaths, named).await else { return };
    let code = "import sys, beside\ndef handler(event, context):\n    return [beside.answer, sys.prefix]\n";
    let (_function, answer) = run(&host, runtime, "app.py", code).await;
    assert_eq!(answer, json!([42, folder.path().join("venv")]));
}

#[tokio::test]
async fn a_wrapper_that_is_missing_ends_the_start_with_127() {
    // Recorded: test_lambda_runtime_wrapper_not_found.
    use domain::environment::{Exit, Failure};
    let Some(host) = searching_host(Kind::RealFolders, BTreeMap::new()).await else { return };
    let Some(runtime) = any_of(&host, "python").await else { return };
    let mut spec = host.spec();
    spec.runtime = runtime;
    let wrapper = ("AWS_LAMBDA_EXEC_WRAPPER".to_owned(), "/opt/no-such-wrapper".to_owned());
    spec.variables = domain::variables::Variables::new(vec![wrapper]).unwrap();
    let function = host.start(spec).await;
    assert_eq!(function.init().await, InitEnd::Failed(Failure::Exited(Exit::Status(127))));
    assert!(function.lines.take().concat().contains("/opt/no-such-wrapper"));
}

#[tokio::test]
async fn an_interpreter_that_has_gone_is_named() {
    use domain::environment::Failure;
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let node = folder.path().join("node");
    fs::write(&node, "#!/bin/sh\necho v20.1.2\n").unwrap();
    fs::set_permissions(&node, fs::Permissions::from_mode(0o755)).unwrap();
    let setting = RuntimeSetting { command: node.clone(), packages: None };
    let named = BTreeMap::from([("nodejs20.x".to_owned(), setting)]);
    let Some(host) = searching_host(Kind::RealFolders, named).await else { return };
    let runtime = Runtime::parse("nodejs20.x").unwrap();
    assert_eq!(in_time(host.linux.supports(runtime)).await, Ok(()));
    fs::remove_file(&node).unwrap();
    let mut spec = host.spec();
    spec.runtime = runtime;
    let function = host.start(spec).await;
    let expected = format!("fork/exec {}: no such file or directory", node.display());
    assert_eq!(function.init().await, InitEnd::Failed(Failure::InvalidEntrypoint(expected)));
}
