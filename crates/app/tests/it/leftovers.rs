//! However an engine, its spawner or an environment ends: nothing of it stays behind, and what goes on serves.

use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Signal, kill_process_group};

use crate::engine_process::{Answer, Connection, Engine, Request, now, poll};
use crate::gate::{self, Gate};
use crate::processes;

/// How an engine comes to its end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// Ctrl-C in its terminal: the whole foreground group gets it.
    Interrupt,
    Terminate,
    Kill,
}

fn bring(engine: &Engine, end: End) {
    match end {
        End::Interrupt => kill_process_group(engine.pid(), Signal::INT).unwrap(),
        End::Terminate => processes::send(engine.pid().as_raw_pid(), Signal::TERM),
        End::Kill => processes::send(engine.pid().as_raw_pid(), Signal::KILL),
    }
}

fn engine(flags: &[&str]) -> Engine {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data").into_os_string();
    let program = vec![env!("CARGO_BIN_EXE_lambd").into(), "serve".into(), "--data-dir".into(), data_dir];
    let mut engine = Engine::not_started(folder, program, flags).in_own_group();
    engine.begin();
    engine
}

/// Invokes and hands the connection out, on which the answer will come.
fn begin_invoke(engine: &Engine, function: &str, payload: &str) -> Connection {
    let mut connection = engine.connect();
    connection.write(&Request::invoke(function, payload).bytes()).unwrap();
    connection
}

fn served(answer: &Answer, payload: &str) {
    assert_eq!((answer.status, answer.header("x-amz-function-error")), (200, None), "{answer:?}");
    assert_eq!(String::from_utf8_lossy(&answer.body), payload);
}

/// What is in the folder of environments, and of those that earlier engines left.
fn environments(engine: &Engine) -> Vec<String> {
    let entries = |name: &str| -> Vec<String> {
        let entries = std::fs::read_dir(engine.data_dir().join(name)).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
    };
    entries("environments").into_iter().filter(|name| name != ".view").collect()
}

fn put_aside(engine: &Engine) -> Vec<String> {
    let entries = std::fs::read_dir(engine.data_dir()).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("environments.")).filter(|name| name != "environments.lock").collect()
}

fn no_process_is_left(engine: &Engine, known: &[(i32, Option<u64>)]) {
    poll("no process of the engine is left", || {
        let same = |(pid, started_at): &&(i32, Option<u64>)| {
            processes::is_alive(*pid) && processes::started_at(*pid) == *started_at
        };
        (known.iter().find(same).is_none() && processes::that_use(engine.folder()).is_empty()).then_some(())
    });
}

fn no_mount_is_left(engine: &Engine) {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let folder = engine.folder().canonicalize().unwrap();
    assert!(!mounts.contains(folder.to_str().unwrap()), "{mounts}");
}

/// All processes of the engine, with what tells them from later ones.
fn everything_of(engine: &Engine) -> Vec<(i32, Option<u64>)> {
    let tree = processes::tree(engine.pid().as_raw_pid());
    tree.into_iter().map(|pid| (pid, processes::started_at(pid))).collect()
}

fn spawner(engine: &Engine) -> i32 {
    let children = processes::children(engine.pid().as_raw_pid());
    let spawners: Vec<i32> =
        children.into_iter().filter(|pid| processes::arguments(*pid).contains("__spawner")).collect();
    assert_eq!(spawners.len(), 1, "{spawners:?}");
    spawners[0]
}

#[test]
fn nothing_is_left_however_the_engine_ends() {
    for end in [End::Interrupt, End::Terminate, End::Kill] {
        let mut engine = engine(&["--drain-seconds", "0"]);
        let gate = Gate::new();
        gate::create(&engine, "idle", &[]);
        gate::create(&engine, "busy", &[("EVENT_GATE", gate.port())]);
        served(&engine.send(&Request::invoke("idle", "1")), "1");
        let _answer = begin_invoke(&engine, "busy", "2");
        let _waiting = gate.reached();
        let known = everything_of(&engine);
        // Engine, spawner, and of each environment its init, its bootstrap and what that has started.
        assert!(known.len() >= 8, "{known:?}");
        assert_eq!(environments(&engine).len(), 2);

        bring(&engine, end);
        let status = engine.wait();
        no_process_is_left(&engine, &known);
        no_mount_is_left(&engine);
        if end != End::Kill {
            assert_eq!(status.code(), Some(0), "{end:?}: {}", engine.log());
            assert_eq!(environments(&engine), [""; 0], "{end:?}");
        }
        engine.begin();
        assert_eq!(environments(&engine), [""; 0], "{end:?}");
        poll("what was left is removed", || put_aside(&engine).is_empty().then_some(()));
        served(&engine.send(&Request::invoke("idle", "3")), "3");
    }
}

#[test]
fn after_its_spawner_was_killed_the_engine_serves_again() {
    let engine = engine(&[]);
    let gate = Gate::new();
    gate::create(&engine, "idle", &[]);
    gate::create(&engine, "busy", &[("EVENT_GATE", gate.port())]);
    served(&engine.send(&Request::invoke("idle", "1")), "1");
    let mut answer = begin_invoke(&engine, "busy", "2");
    let _waiting = gate.reached();
    let first = spawner(&engine);
    let known: Vec<_> =
        everything_of(&engine).into_iter().filter(|(pid, _)| *pid != engine.pid().as_raw_pid()).collect();

    processes::send(first, Signal::KILL);
    let failed = answer.read("POST").unwrap();
    assert_eq!((failed.status, failed.header("x-amz-function-error")), (200, Some("Unhandled")), "{failed:?}");
    for payload in ["3", "4"] {
        served(&engine.send(&Request::invoke("idle", payload)), payload);
    }
    assert_ne!(spawner(&engine), first);
    poll("what the spawner had started is gone", || {
        known.iter().all(|(pid, at)| !processes::is_alive(*pid) || processes::started_at(*pid) != *at).then_some(())
    });
    no_mount_is_left(&engine);
}

#[test]
fn after_an_init_was_killed_its_function_is_served_again() {
    let mut engine = engine(&["--drain-seconds", "0"]);
    let gate = Gate::new();
    gate::create(&engine, "idle", &[]);
    gate::create(&engine, "busy", &[("EVENT_GATE", gate.port())]);
    served(&engine.send(&Request::invoke("idle", "1")), "1");
    let mut answer = begin_invoke(&engine, "busy", "2");
    let _waiting = gate.reached();
    let known = everything_of(&engine);
    let inits = processes::children(spawner(&engine));
    assert_eq!(inits.len(), 2);

    for init in inits {
        processes::send(init, Signal::KILL);
    }
    let failed = answer.read("POST").unwrap();
    assert_eq!((failed.status, failed.header("x-amz-function-error")), (200, Some("Unhandled")), "{failed:?}");
    // A call that comes in the very moment of the end may still be handed to it, and fails as on AWS; the next is served.
    poll("the other is served again", || {
        let answer = engine.send(&Request::invoke("idle", "4"));
        (answer.header("x-amz-function-error").is_none()).then(|| served(&answer, "4"))
    });
    let mut answer = begin_invoke(&engine, "busy", "5");
    gate.reached().open();
    served(&answer.read("POST").unwrap(), "5");

    let known: Vec<_> = known.into_iter().chain(everything_of(&engine)).collect();
    bring(&engine, End::Terminate);
    assert_eq!(engine.wait().code(), Some(0));
    no_process_is_left(&engine, &known);
    assert_eq!(environments(&engine), [""; 0]);
}

#[test]
fn nothing_is_left_when_it_is_killed_during_its_start() {
    let mut engine = engine(&[]);
    gate::create(&engine, "idle", &[]);
    engine.kill();
    // Each time a little later, by what it has made so far; at the end it is about to be ready.
    let stages: [fn(&Path, i32) -> bool; 4] = [
        |_, _| true,
        |folder, pid| {
            std::fs::read_to_string(folder.join("data/state.lock")).is_ok_and(|lock| lock.trim() == pid.to_string())
        },
        |_, pid| !processes::children(pid).is_empty(),
        |folder, _| folder.join("data/interpreters.json").exists(),
    ];
    for stage in stages {
        let _ = std::fs::remove_file(engine.data_dir().join("interpreters.json"));
        let mut child = engine.spawn();
        let pid = child.id().cast_signed();
        poll("it comes so far", || (stage(engine.folder(), pid) || child.try_wait().unwrap().is_some()).then_some(()));
        child.kill().unwrap();
        child.wait().unwrap();
        no_process_is_left(&engine, &[]);
        no_mount_is_left(&engine);
    }
    engine.begin();
    assert_eq!(environments(&engine), [""; 0]);
    served(&engine.send(&Request::invoke("idle", "1")), "1");
}

#[test]
fn nothing_is_left_when_it_is_killed_while_a_function_starts() {
    let mut engine = engine(&["--drain-seconds", "0"]);
    let gate = Gate::new();
    gate::create(&engine, "slow", &[("INIT_GATE", gate.port())]);
    for end in [End::Kill, End::Terminate, End::Interrupt] {
        let _answer = begin_invoke(&engine, "slow", "1");
        let _waiting = gate.reached();
        let known = everything_of(&engine);
        bring(&engine, end);
        let begun = now();
        engine.wait();
        // Without waiting for the ten seconds that an initialisation may take.
        assert!(begun.elapsed() < Duration::from_secs(8), "{end:?}: {:?}", begun.elapsed());
        no_process_is_left(&engine, &known);
        engine.begin();
        assert_eq!(environments(&engine), [""; 0], "{end:?}");
    }
}

#[test]
fn a_running_invocation_finishes_and_nobody_new_is_let_in() {
    for end in [End::Terminate, End::Interrupt] {
        let mut engine = engine(&["--drain-seconds", "50"]);
        let gate = Gate::new();
        gate::create(&engine, "busy", &[("EVENT_GATE", gate.port())]);
        let mut answer = begin_invoke(&engine, "busy", "\"finished\"");
        let waiting = gate.reached();
        let known = everything_of(&engine);

        bring(&engine, end);
        poll("nobody is let in any more", || TcpStream::connect(engine.api()).err());
        assert!(processes::is_alive(engine.pid().as_raw_pid()));
        poll("it is told why", || engine.log().contains("that still run (1) get up to 50 s").then_some(()));
        waiting.open();
        served(&answer.read("POST").unwrap(), "\"finished\"");
        assert_eq!(engine.wait().code(), Some(0));
        no_process_is_left(&engine, &known);
        assert_eq!(environments(&engine), [""; 0]);
    }
}

#[test]
fn an_invocation_whose_caller_has_left_finishes_too() {
    let mut engine = engine(&["--drain-seconds", "50", "--function-logs", "true"]);
    let gate = Gate::new();
    gate::create(&engine, "busy", &[("EVENT_GATE", gate.port())]);
    let caller = begin_invoke(&engine, "busy", "1");
    let waiting = gate.reached();
    drop(caller);
    bring(&engine, End::Terminate);
    poll("nobody is let in any more", || TcpStream::connect(engine.api()).err());
    assert!(processes::is_alive(engine.pid().as_raw_pid()), "{}", engine.log());
    waiting.open();
    assert_eq!(engine.wait().code(), Some(0));
    let log = engine.log();
    let report = log.lines().find(|line| line.starts_with("busy | REPORT ")).expect("it ran to its end");
    assert!(!report.contains("Status: "), "it was not ended: {report}");
}

#[test]
fn connections_on_which_nothing_is_asked_do_not_delay_the_end() {
    let mut engine = engine(&["--drain-seconds", "600"]);
    gate::create(&engine, "idle", &[]);
    let mut used = engine.connect();
    used.write(&Request::invoke("idle", "1").bytes()).unwrap();
    served(&used.read("POST").unwrap(), "1");
    let mut fresh = engine.connect();
    // That it has taken these connections in is seen by its answer on a later one.
    assert_eq!(engine.send(&Request::new("GET", "/_lambd/health")).status, 200);

    bring(&engine, End::Terminate);
    let begun = now();
    assert_eq!(engine.wait().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(used.is_closed() && fresh.is_closed());
}

#[test]
fn half_a_request_does_not_delay_the_end() {
    let mut engine = engine(&["--drain-seconds", "600"]);
    gate::create(&engine, "idle", &[]);
    let whole = Request::invoke("idle", "1").bytes();
    let head = whole.len() - b"\r\n1".len();
    // In the middle of a head, after a head, and both again on connections that were of use before.
    let mut halves = Vec::new();
    for (bytes, was_used) in [(head, false), (whole.len() - 1, false), (head, true), (whole.len() - 1, true)] {
        let mut connection = engine.connect();
        if was_used {
            connection.write(&whole).unwrap();
            served(&connection.read("POST").unwrap(), "1");
        }
        connection.write(&whole[..bytes]).unwrap();
        halves.push(connection);
    }
    let mut admin = crate::engine_process::Connection::to(engine.admin());
    admin.write(b"GET /_lambd/health HTTP/1.1\r\nHo").unwrap();
    // That it has taken these connections in is seen by its answer on a later one.
    assert_eq!(engine.send(&Request::new("GET", "/_lambd/health")).status, 200);

    bring(&engine, End::Terminate);
    let begun = now();
    assert_eq!(engine.wait().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(halves.iter_mut().all(crate::engine_process::Connection::is_closed));
    assert!(admin.is_closed());
}

#[test]
fn an_invocation_that_hangs_is_ended_after_the_drain() {
    let mut engine = engine(&["--drain-seconds", "1"]);
    let gate = Gate::new();
    gate::create(&engine, "busy", &[("EVENT_GATE", gate.port())]);
    let mut answer = begin_invoke(&engine, "busy", "1");
    let _waiting = gate.reached();
    let known = everything_of(&engine);
    bring(&engine, End::Terminate);
    let begun = now();
    assert_eq!(engine.wait().code(), Some(0));
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(engine.log().contains("invocations still run after 1 s and are ended"), "{}", engine.log());
    // The caller is told, not left with a closed connection.
    let ended = answer.read("POST").unwrap();
    assert_eq!((ended.status, ended.header("x-amz-function-error")), (200, Some("Unhandled")), "{ended:?}");
    no_process_is_left(&engine, &known);
    assert_eq!(environments(&engine), [""; 0]);
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let mut engine = engine(&["--drain-seconds", "600"]);
    let gate = Gate::new();
    gate::create(&engine, "busy", &[("EVENT_GATE", gate.port())]);
    let _answer = begin_invoke(&engine, "busy", "1");
    let _waiting = gate.reached();
    let known = everything_of(&engine);
    bring(&engine, End::Interrupt);
    poll("the first has been taken in", || TcpStream::connect(engine.api()).err());
    bring(&engine, End::Interrupt);
    let begun = now();
    assert_eq!(engine.wait().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    no_process_is_left(&engine, &known);
    assert_eq!(environments(&engine), [""; 0]);
}

#[test]
fn an_interpreter_that_does_not_answer_does_not_delay_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let node = folder.path().join("node");
    std::fs::write(&node, "#!/bin/sh\nexec sleep 1000000\n").unwrap();
    std::fs::set_permissions(&node, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let config = folder.path().join("settings.toml");
    std::fs::write(&config, format!("[runtimes.\"nodejs20.x\"]\ncommand = {node:?}\n")).unwrap();
    let mut engine = engine(&["--config", config.to_str().unwrap()]);
    poll("it is asked", || {
        let children = processes::children(engine.pid().as_raw_pid());
        children.into_iter().find(|pid| processes::arguments(*pid).contains("sleep"))
    });
    let known = everything_of(&engine);
    bring(&engine, End::Terminate);
    let begun = now();
    assert_eq!(engine.wait().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    no_process_is_left(&engine, &known);
}
