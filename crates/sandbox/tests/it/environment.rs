//! The life of an environment, from outside, with real processes.

use std::time::Duration;

use domain::environment::{Exit, Failure, InitEnd};
use domain::variables::Variables;
use engine::ports::{Answer, EnvironmentSpec, Sandbox as _};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::host::{Function, Host, KINDS, Kind, children_of, host, in_time, until};

/// Runs a test on each kind of environment that this machine has.
async fn on_each_kind<F: Future<Output = ()>>(test: impl Fn(Host, Kind) -> F) {
    for kind in KINDS {
        if let Some(host) = host(kind).await {
            test(host, kind).await;
        }
    }
}

fn response(answer: &Answer) -> Value {
    match answer {
        Answer::Response(bytes) => serde_json::from_slice(bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn failure(answer: Answer) -> Failure {
    match answer {
        Answer::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_function_answers_again_and_again_from_one_process() {
    on_each_kind(|host, _| async move {
        let function = host.ready().await;
        let first = function.ask(json!("pid")).await;
        let second = function.ask(json!("pid")).await;
        assert!(first.is_u64());
        assert_eq!(first, second);
        assert!(function.environment.is_ready());
    })
    .await;
}

#[tokio::test]
async fn the_event_comes_with_the_headers_of_aws() {
    on_each_kind(|host, _| async move {
        let function = host.ready().await;
        let mut event = function.event(&json!(["head"]));
        event.client_context = Some(r#"{"custom":{"a":"b"}}"#.to_owned());
        let head = response(&function.environment.invoke(event).await);
        let head = head[0].as_str().unwrap();
        for line in [
            "HTTP/1.1 200 OK",
            "Content-Type: application/json",
            "Lambda-Runtime-Aws-Request-Id: 00000000-0000-0000-0000-000000001234",
            "Lambda-Runtime-Deadline-Ms: 1713866403000",
            "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:f",
            "Lambda-Runtime-Trace-Id: Root=1-00000000-000000000000000000000000;Parent=0000000000000001;Sampled=0",
            r#"Lambda-Runtime-Client-Context: {"custom":{"a":"b"}}"#,
        ] {
            assert!(head.lines().any(|known| known == line), "{line} is not in\n{head}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_init_that_exits_is_told_by_its_status_and_another_may_succeed() {
    on_each_kind(|host, _| async move {
        host.at_init(&json!([{"print": "starting\n"}, {"exit": 7}]));
        let function = host.start(host.spec()).await;
        assert_eq!(function.init().await, InitEnd::Failed(Failure::Exited(Exit::Status(7))));
        assert_eq!(function.lines.take(), ["starting\n"]);
        assert!(!function.environment.is_ready());
        host.at_init(&json!([]));
        assert_eq!(function.init().await, InitEnd::Ready);
        assert!(function.environment.is_ready());
    })
    .await;
}

#[tokio::test]
async fn an_init_error_is_what_the_runtime_reported() {
    on_each_kind(|host, _| async move {
        let body = r#"{"errorMessage":"no","errorType":"Runtime.MyInitError"}"#;
        host.at_init(&json!([{"init error": body}, {"print": "last words\n"}, {"exit": 1}]));
        let function = host.start(host.spec()).await;
        let expected =
            Failure::Reported { error_type: "Runtime.MyInitError".to_owned(), payload: body.as_bytes().into() };
        assert_eq!(function.init().await, InitEnd::Failed(expected));
        assert_eq!(function.lines.take(), ["last words\n"]);
    })
    .await;
}

#[tokio::test]
async fn an_init_that_hangs_is_ended_at_its_deadline() {
    on_each_kind(|host, _| async move {
        host.at_init(&json!([{"print": "here\n"}, "hang"]));
        let function = host.start(host.spec()).await;
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
async fn a_crash_is_told_by_status_or_signal_after_its_output() {
    on_each_kind(|host, _| async move {
        let function = host.ready().await;
        for (step, exit) in [
            (json!({"exit": 0}), Exit::Status(0)),
            (json!({"exit": 3}), Exit::Status(3)),
            // Not SEGV: the handler of Rust programs lets one that was sent pass.
            (json!({"die": "ABRT"}), Exit::Signal(6)),
            (json!({"die": "KILL"}), Exit::Signal(9)),
        ] {
            let answer = function.invoke(json!([{"print": "one\n"}, {"print error": "two"}, step])).await;
            assert_eq!(failure(answer), Failure::Exited(exit));
            assert_eq!(function.lines.take(), ["one\n", "two"]);
            assert!(!function.environment.is_ready());
            assert_eq!(function.init().await, InitEnd::Ready);
        }
    })
    .await;
}

#[tokio::test]
async fn a_timeout_resets_the_process_and_keeps_tmp() {
    // Recorded: test_lambda_invoke_timed_out_environment_reuse.
    on_each_kind(|host, kind| async move {
        let function = host.ready().await;
        let before = function.ask(json!("pid")).await;
        let file = tmp_of(&function).await + "/file";
        function.ask(json!({"write": file})).await;
        let answer = async { function.invoke(json!([{"print": "late\n"}, "linger", "hang"])).await };
        let time = async {
            function.lines.wait_for("late\n").await;
            host.clock.advance(Duration::from_secs(3));
        };
        let (answer, ()) = tokio::join!(answer, time);
        assert_eq!(failure(answer), Failure::TimedOut(Duration::from_secs(3)));
        assert!(!function.environment.is_ready());
        assert_eq!(function.init().await, InitEnd::Ready);
        assert_eq!(function.ask(json!({"read": file})).await, "kept");
        if !kind.has_own_paths() {
            assert_ne!(function.ask(json!("pid")).await, before);
        }
    })
    .await;
}

/// `/tmp`, or the real folder that stands for it.
async fn tmp_of(function: &Function) -> String {
    let variables = function.ask(json!("variables")).await;
    variables["TMPDIR"].as_str().unwrap_or("/tmp").to_owned()
}

#[tokio::test]
async fn what_is_done_after_the_answer_still_has_the_events_time() {
    on_each_kind(|host, _| async move {
        // A function that answers and then never asks again.
        let code = host.bootstrap(ANSWERS_ONCE, 0o755);
        let mut spec = host.spec();
        spec.code = code;
        let function = host.start(spec).await;
        assert_eq!(function.init().await, InitEnd::Ready);
        assert_eq!(response(&function.invoke(json!([])).await), json!("done"));
        assert!(!function.environment.is_ready());
        let settled = async { in_time(function.environment.settle()).await };
        let time = async {
            function.lines.wait_for("still here\n").await;
            host.clock.advance(Duration::from_secs(3));
        };
        let (settled, ()) = tokio::join!(settled, time);
        assert_eq!(settled, Err(Failure::TimedOut(Duration::from_secs(3))));
    })
    .await;
}

const ANSWERS_ONCE: &str = r#"#!/bin/bash
exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API%:*}/${AWS_LAMBDA_RUNTIME_API#*:}"
printf 'GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n' >&3
while IFS= read -r line <&3; do
  line=${line%$'\r'}
  case $line in
    Lambda-Runtime-Aws-Request-Id:*) id=${line#*: } ;;
    '') break ;;
  esac
done
IFS= read -r -n 2 body <&3
printf 'POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n"done"' "$id" >&3
read -r line <&3
echo still here
sleep 600
"#;

#[tokio::test]
async fn output_comes_in_order_and_before_the_end_of_each_call() {
    on_each_kind(|host, _| async move {
        let function = host.ready().await;
        let steps = json!([{"print": "a\n"}, {"print error": "b\r1\n"}, {"print": "c\nd"}, {"print error": "\n"}]);
        function.invoke(steps).await;
        in_time(function.environment.settle()).await.unwrap();
        assert_eq!(function.lines.take(), ["a\n", "b\r1\n", "c\n", "d\n"]);
        function.ask(json!({"print": "no newline"})).await;
        assert_eq!(function.lines.take(), ["no newline"]);
    })
    .await;
}

#[tokio::test]
async fn a_flood_comes_whole_and_in_order() {
    on_each_kind(|host, _| async move {
        let function = host.ready().await;
        function.ask(json!({"flood": 200_000})).await;
        let lines = function.lines.take();
        assert_eq!(lines.len(), 200_000);
        assert!(lines.iter().enumerate().all(|(n, line)| *line == format!("line {n}\n")));
    })
    .await;
}

#[tokio::test]
async fn a_function_sees_the_variables_of_lambda_and_none_of_ours() {
    on_each_kind(|host, kind| async move {
        let mut spec = host.spec();
        let user = [("MINE", "1"), ("LANG", "C")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        spec.variables = Variables::new(user.into()).unwrap();
        let function = host.start(spec).await;
        assert_eq!(function.init().await, InitEnd::Ready);
        let variables = function.ask(json!("variables")).await;
        let mut keys: Vec<&str> = variables.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        let mut expected = vec![
            "AWS_LAMBDA_FUNCTION_NAME",
            "AWS_LAMBDA_FUNCTION_VERSION",
            "AWS_LAMBDA_RUNTIME_API",
            "AWS_XRAY_CONTEXT_MISSING",
            "AWS_XRAY_DAEMON_ADDRESS",
            "LAMBDA_RUNTIME_DIR",
            "LAMBDA_TASK_ROOT",
            "LANG",
            "LD_LIBRARY_PATH",
            "MINE",
            "PATH",
            "TZ",
            "_AWS_XRAY_DAEMON_ADDRESS",
            "_AWS_XRAY_DAEMON_PORT",
            "_HANDLER",
        ];
        if !kind.has_own_paths() {
            expected.insert(11, "TMPDIR");
        }
        assert_eq!(keys, expected);
        assert_eq!(variables["LANG"], "C");
        assert_eq!(variables["TZ"], ":UTC");
        assert!(variables["AWS_LAMBDA_RUNTIME_API"].as_str().unwrap().starts_with("127.0.0.1:"));
        let path = "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin:/usr/local/sbin:/usr/sbin:/sbin";
        assert_eq!(variables["PATH"], path);
        if kind.has_own_paths() {
            assert_eq!(variables["LAMBDA_TASK_ROOT"], "/var/task");
            assert_eq!(variables["LAMBDA_RUNTIME_DIR"], "/var/runtime");
        }
    })
    .await;
}

#[tokio::test]
async fn a_function_inherits_no_descriptor_limit_or_signal_of_ours() {
    on_each_kind(|host, _| async move {
        let function = host.ready().await;
        let descriptors = function.ask(json!("descriptors")).await;
        let descriptors = descriptors.as_object().unwrap();
        assert_eq!(descriptors["0"], "/dev/null");
        assert!(descriptors["1"].as_str().unwrap().starts_with("pipe:"));
        assert_eq!(descriptors["1"], descriptors["2"]);
        let others: Vec<_> = descriptors.keys().filter(|number| !["0", "1", "2"].contains(&number.as_str())).collect();
        // Its own connection to the Runtime API; the folder it lists is closed again, or is the second.
        assert!(others.len() <= 2, "{descriptors:?}");
        let limits = function.ask(json!("limits")).await;
        let limit = |name: &str| {
            let line = limits.as_str().unwrap().lines().find(|line| line.starts_with(name)).unwrap().to_owned();
            line.split_whitespace().rev().skip(1).take(2).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(limit("Max open files"), ["1024", "1024"]);
        assert_eq!(limit("Max core file size"), ["0", "0"]);
        // Recorded: test_runtime_ulimits.
        assert_eq!(limit("Max locked memory"), ["65536", "65536"]);
        assert_eq!(limit("Max stack size")[1], "8388608");
        let status = function.ask(json!("signals")).await;
        let blocked = status.as_str().unwrap().lines().find(|line| line.starts_with("SigBlk:")).unwrap().to_owned();
        assert_eq!(blocked, "SigBlk:\t0000000000000000");
    })
    .await;
}

#[tokio::test]
async fn with_own_paths_a_function_is_where_it_is_on_aws() {
    let Some(host) = host(Kind::OwnPaths).await else { return };
    let function = host.ready().await;
    assert_eq!(function.ask(json!("folder")).await, "/var/task");
    assert_eq!(function.ask(json!({"try to write": "/var/task/x"})).await, "read-only filesystem or storage medium");
    assert_eq!(function.ask(json!({"try to write": "/opt/x"})).await, "read-only filesystem or storage medium");
    assert_eq!(function.ask(json!({"try to write": "/tmp/x"})).await, Value::Null);
    // Its own process namespace: the init and itself.
    assert_eq!(function.ask(json!("pid")).await, 2);
}

/// A folder with a text file in it for each path: the folder's name.
fn layer(host: &Host, name: &str, files: &[&str]) -> std::path::PathBuf {
    let folder = host.folder.path().join(name);
    for file in files {
        let path = folder.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, name).unwrap();
    }
    folder
}

#[tokio::test]
async fn layers_are_in_opt_and_a_later_one_covers_an_earlier_one() {
    // AWS developer guide, chapter-layers.
    on_each_kind(|host, kind| async move {
        let one = layer(&host, "one", &["bin/tool", "lib/same", "first"]);
        let two = layer(&host, "two", &["lib/same", "lib/second"]);
        // Names that an overlay's options would read as something else.
        let three = layer(&host, "th:r,e\\e", &["third"]);
        for (layers, seen) in [
            (vec![one.clone()], vec![("lib/same", "one"), ("first", "one")]),
            (
                vec![one.clone(), two.clone(), three],
                vec![("bin/tool", "one"), ("lib/same", "two"), ("lib/second", "two"), ("third", "th:r,e\\e")],
            ),
            (vec![two, one], vec![("lib/same", "one"), ("lib/second", "two")]),
        ] {
            let function = host.start(EnvironmentSpec { layers, ..host.spec() }).await;
            assert_eq!(function.init().await, InitEnd::Ready);
            let variables = function.ask(json!("variables")).await;
            let opt = if kind.has_own_paths() {
                assert_eq!(variables["LAMBD_OPT"], Value::Null);
                let denied = function.ask(json!({"try to write": "/opt/x"})).await;
                assert_eq!(denied, "read-only filesystem or storage medium");
                "/opt".to_owned()
            } else {
                variables["LAMBD_OPT"].as_str().unwrap().to_owned()
            };
            for (path, content) in seen {
                assert_eq!(function.ask(json!({"read": format!("{opt}/{path}")})).await, content, "{path}");
            }
            assert!(variables["PATH"].as_str().unwrap().contains(&format!(":{opt}/bin:")), "{variables}");
            assert!(variables["LD_LIBRARY_PATH"].as_str().unwrap().ends_with(&format!(":{opt}/lib")), "{variables}");
            function.environment.stop().await;
        }
        // What was merged for an environment goes with it.
        let merged = || {
            let all = std::fs::read_dir(host.folder.path().join("data/environments")).unwrap();
            all.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with(".layers-"))
        };
        crate::host::until(|| !merged()).await;
    })
    .await;
}

#[tokio::test]
async fn the_bootstrap_may_be_a_layers() {
    // AWS developer guide, runtimes-layers.
    on_each_kind(|host, _| async move {
        let (code, runtime) = (host.code(), host.folder.path().join("runtime"));
        std::fs::create_dir(&runtime).unwrap();
        std::fs::rename(code.join("bootstrap"), runtime.join("bootstrap")).unwrap();
        let function = host.start(EnvironmentSpec { layers: vec![runtime], ..host.spec() }).await;
        assert_eq!(function.init().await, InitEnd::Ready);
    })
    .await;
}

#[tokio::test]
async fn memory_is_the_peak_of_the_runtime() {
    on_each_kind(|host, _| async move {
        let function = host.ready().await;
        function.ask(json!("pid")).await;
        let before = function.environment.memory_used_bytes();
        assert!(before > 0);
        function.ask(json!({"touch memory": 40})).await;
        let after = function.environment.memory_used_bytes();
        assert!(after > before + 30 * 1024 * 1024, "{before} -> {after}");
    })
    .await;
}

#[tokio::test]
async fn a_program_that_cannot_be_run_is_an_invalid_entrypoint() {
    on_each_kind(|host, _| async move {
        let cases = [
            ("#!/bin/sh\n", 0o644, "fork/exec /var/task/bootstrap: permission denied"),
            ("no program", 0o755, "fork/exec /var/task/bootstrap: exec format error"),
            ("#!/no/such/shell\n", 0o755, "fork/exec /var/task/bootstrap: no such file or directory"),
        ];
        for (text, mode, expected) in cases {
            let mut spec = host.spec();
            std::fs::remove_file(spec.code.join("bootstrap")).unwrap();
            spec.code = host.bootstrap(text, mode);
            let function = host.start(spec).await;
            let end = function.init().await;
            assert_eq!(end, InitEnd::Failed(Failure::InvalidEntrypoint(expected.to_owned())), "{text:?}");
            function.environment.stop().await;
        }
        let spec = host.spec();
        std::fs::remove_file(spec.code.join("bootstrap")).unwrap();
        let function = host.start(spec).await;
        let expected = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]".to_owned();
        assert_eq!(function.init().await, InitEnd::Failed(Failure::InvalidEntrypoint(expected)));
    })
    .await;
}

#[tokio::test]
async fn stopping_leaves_neither_folder_nor_process() {
    on_each_kind(|host, _| async move {
        let function = host.ready().await;
        function.ask(json!("linger")).await;
        assert_eq!(host.environments().len(), 1);
        in_time(function.environment.stop()).await;
        assert_eq!(host.environments(), Vec::<String>::new());
        let answer = function.invoke(json!([])).await;
        assert!(matches!(answer, Answer::Failed(Failure::Exited(_))), "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn stopping_ends_an_initialisation_and_no_other_follows() {
    on_each_kind(|host, _| async move {
        host.at_init(&json!([{"print": "here\n"}, "hang"]));
        let function = host.start(host.spec()).await;
        let stop = async {
            function.lines.wait_for("here\n").await;
            in_time(function.environment.stop()).await;
        };
        let (end, ()) = tokio::join!(function.init(), stop);
        assert_eq!(end, InitEnd::Failed(Failure::Exited(Exit::Signal(9))));
        host.at_init(&json!([]));
        assert_eq!(function.init().await, InitEnd::Failed(Failure::Exited(Exit::Signal(9))));
        assert_eq!(host.environments(), Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_stopped_sandbox_starts_nothing() {
    on_each_kind(|host, _| async move {
        let function = host.ready().await;
        let spawner = host.linux.spawner_pid().await;
        in_time(host.linux.stop()).await;
        assert_eq!(function.init().await, InitEnd::Failed(Failure::Exited(Exit::Signal(9))));
        let late = in_time(host.linux.start(host.spec(), function.lines.clone())).await;
        assert!(late.is_err());
        assert_eq!(host.linux.spawner_pid().await, spawner);
        drop(late);
        until(|| host.environments().is_empty()).await;
    })
    .await;
}

#[tokio::test]
async fn a_start_that_hangs_is_given_up_at_its_deadline() {
    on_each_kind(|host, _| async move {
        let function = host.start(host.spec()).await;
        let inits = children_of(host.linux.spawner_pid().await.unwrap());
        for init in inits {
            kill_process(init, Signal::STOP).unwrap();
        }
        let ten = Duration::from_secs(10);
        let time = async {
            until(|| host.clock.sleepers() > 0).await;
            host.clock.advance(ten);
        };
        let (end, ()) = tokio::join!(in_time(function.environment.init(ten, ten)), time);
        assert_eq!(end.unwrap(), InitEnd::Failed(Failure::TimedOut(ten)));
        assert_eq!(function.init().await, InitEnd::Ready);
        in_time(function.environment.stop()).await;
        assert_eq!(host.environments(), Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn the_memory_of_an_invocation_that_failed_is_known() {
    const TOUCHED: u64 = 30 * 1024 * 1024;
    on_each_kind(|host, _| async move {
        let function = host.ready().await;
        let answer = function.invoke(json!([{"touch memory": 40}, {"exit": 1}])).await;
        assert_eq!(failure(answer), Failure::Exited(Exit::Status(1)));
        let used = function.environment.memory_used_bytes();
        assert!(used > TOUCHED, "{used}");
        in_time(function.environment.stop()).await;

        let function = host.ready().await;
        let answer = async { function.invoke(json!([{"touch memory": 40}, {"print": "here\n"}, "hang"])).await };
        let time = async {
            function.lines.wait_for("here\n").await;
            host.clock.advance(Duration::from_secs(3));
        };
        let (answer, ()) = tokio::join!(answer, time);
        assert_eq!(failure(answer), Failure::TimedOut(Duration::from_secs(3)));
        let used = function.environment.memory_used_bytes();
        assert!(used > TOUCHED, "{used}");
    })
    .await;
}
