//! A disk that takes no more, under the whole engine: events are refused and never accepted for nothing, everything
//! else goes on, and what was accepted runs.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::engine_process::{Answer, Engine, Request};
use crate::functions::Deployed;
use crate::ledger::{Ledger, TELL};
use crate::tools::Interpreters;

/// Which events ran.
type Ran = BTreeSet<String>;

/// Large enough that a disk is soon full of them, small enough to stand in the row.
const PAYLOAD_BYTES: usize = 60_000;

fn write(ran: &mut Ran, id: &str) {
    ran.insert(id.to_owned());
}

/// An engine whose data folder is a file system of its own, which `mount` mounts at `$0` in the engine's own mounts.
fn engine_on(test: &str, folder: tempfile::TempDir, mount: &str, flags: &[&str]) -> Option<Engine> {
    if !rustix::process::geteuid().is_root() {
        testkit::skip::test(test, "only root may mount");
        return None;
    }
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let mount = format!(r#"{mount} && exec "$@""#);
    let words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", &mount];
    let mut program: Vec<std::ffi::OsString> = words.map(Into::into).into();
    program.extend([data.clone().into(), env!("CARGO_BIN_EXE_lambd").into(), "serve".into(), "--data-dir".into()]);
    program.push(data.into());
    let trial = Command::new(&program[0]).args(&program[1..8]).arg("true").output().unwrap();
    if !trial.status.success() {
        testkit::skip::without_disk(test, String::from_utf8_lossy(&trial.stderr).trim());
        return None;
    }
    let mut engine = Engine::not_started(folder, program, flags);
    engine.begin();
    Some(engine)
}

/// The data folder as the engine sees it.
fn seen_from_inside(engine: &Engine) -> PathBuf {
    let root = Path::new("/proc").join(engine.pid().as_raw_nonzero().to_string()).join("root");
    root.join(engine.data_dir().strip_prefix("/").unwrap())
}

fn deploy<'a>(engine: &'a Engine, runtime: &str, ledger: &Ledger<Ran>) -> Deployed<'a> {
    let handler = r"
def handler(event, context):
    tell(context.aws_request_id)
    return len(event)
";
    let code = format!("{TELL}{handler}");
    let settings = json!({
        "Runtime": runtime, "Environment": { "Variables": { "LEDGER": ledger.port() } }, "Timeout": 60,
    });
    let function = Deployed::create(engine, "fn", &[("app.py", 0o644, code.as_bytes())], &settings);
    assert_eq!(function.answer(&json!("four")), 4);
    function
}

fn send(engine: &Engine) -> Answer {
    let payload = json!("x".repeat(PAYLOAD_BYTES)).to_string();
    engine.send(&Request::invoke("fn", payload).header("X-Amz-Invocation-Type", "Event"))
}

/// Sends events until one is refused: as AWS refuses when it cannot, not as if the caller were wrong.
fn send_until_refused(engine: &Engine, accepted: &mut Vec<String>) -> Answer {
    const EVENTS_MAX: usize = 2_000;
    for _ in 0..EVENTS_MAX {
        let answer = send(engine);
        if answer.status != 202 {
            let (error_type, text) = answer.error();
            assert!([500, 503].contains(&answer.status), "{answer:?}");
            assert!(error_type.starts_with("Service") && !text.is_empty(), "{answer:?}");
            return answer;
        }
        accepted.push(answer.header("x-amzn-requestid").unwrap().to_owned());
    }
    panic!("{EVENTS_MAX} events were accepted on a disk that takes no more");
}

/// All but events goes on.
#[track_caller]
fn the_rest_goes_on(engine: &Engine) {
    for _ in 0..5 {
        let answer = engine.send(&Request::invoke("fn", "\"four\""));
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"4".as_slice()), "{answer:?}");
        let shown = engine.send(&Request::new("GET", "/2015-03-31/functions/fn"));
        assert_eq!((shown.status, &shown.json()["Configuration"]["FunctionName"]), (200, &Value::from("fn")));
    }
}

/// Whatever was accepted.
#[track_caller]
fn all_run(ledger: &Ledger<Ran>, accepted: &[String]) {
    ledger.wait(|ran| {
        let left: Vec<usize> = (0..accepted.len()).filter(|at| !ran.contains(&accepted[*at])).collect();
        (!left.is_empty()).then(|| format!("of {}: {left:?}", accepted.len()))
    });
}

/// Takes all the room there is.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    let mut block = vec![1; 64 * 1024];
    while !block.is_empty() {
        if file.write_all(&block).is_err() {
            block.truncate(block.len() / 2);
        }
    }
}

#[test]
fn a_full_disk_refuses_events_until_there_is_room_again() {
    let test = "events_disk::a_full_disk_refuses_events_until_there_is_room_again";
    let Some(interpreters) = Interpreters::find(test) else { return };
    let ledger = Ledger::<Ran>::open(write);
    let mount = r#"mount -t tmpfs -o size=32m tmpfs "$0""#;
    let flags = ["--config", interpreters.settings(), "--disk-reserve", "0"];
    let folder = tempfile::tempdir().unwrap();
    let Some(mut engine) = engine_on(test, folder, mount, &flags) else { return };
    deploy(&engine, interpreters.python(), &ledger);
    let filler = seen_from_inside(&engine).join("filler");

    let mut accepted = Vec::new();
    for _ in 0..3 {
        fill(&filler);
        send_until_refused(&engine, &mut accepted);
        the_rest_goes_on(&engine);
        std::fs::remove_file(&filler).unwrap();
        let answer = send(&engine);
        assert_eq!(answer.status, 202, "there is room again: {answer:?}");
        accepted.push(answer.header("x-amzn-requestid").unwrap().to_owned());
    }
    all_run(&ledger, &accepted);
    assert_eq!(engine.terminate().code(), Some(0));
}

#[test]
fn a_disk_below_its_reserve_refuses_events() {
    let test = "events_disk::a_disk_below_its_reserve_refuses_events";
    let Some(interpreters) = Interpreters::find(test) else { return };
    let ledger = Ledger::<Ran>::open(write);
    let mount = r#"mount -t tmpfs -o size=64m tmpfs "$0""#;
    let flags = ["--config", interpreters.settings(), "--disk-reserve", "48000000"];
    let folder = tempfile::tempdir().unwrap();
    let Some(engine) = engine_on(test, folder, mount, &flags) else { return };
    deploy(&engine, interpreters.python(), &ledger);
    let answer = send(&engine);
    assert_eq!(answer.status, 202, "{answer:?}");
    let filler = seen_from_inside(&engine).join("filler");
    std::fs::write(&filler, vec![1; 24 * 1024 * 1024]).unwrap();
    let refused = send_until_refused(&engine, &mut Vec::new());
    assert_eq!(refused.status, 503, "{refused:?}");
    the_rest_goes_on(&engine);
    std::fs::remove_file(&filler).unwrap();
    assert_eq!(send(&engine).status, 202);
}

/// What Linux does with a disk that fails: the file system becomes read-only under whoever uses it.
#[test]
fn a_disk_that_becomes_read_only_refuses_events_until_a_restart() {
    let test = "events_disk::a_disk_that_becomes_read_only_refuses_events_until_a_restart";
    let Some(interpreters) = Interpreters::find(test) else { return };
    let ledger = Ledger::<Ran>::open(write);
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    File::create(&image).unwrap().set_len(64 * 1024 * 1024).unwrap();
    let made = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image).output();
    if !made.is_ok_and(|made| made.status.success()) {
        return testkit::skip::without_disk(test, "mkfs.ext4 does not work here");
    }
    let mount = format!(r#"mount -o loop '{}' "$0""#, image.display());
    let flags = ["--config", interpreters.settings(), "--disk-reserve", "0"];
    let Some(mut engine) = engine_on(test, folder, &mount, &flags) else { return };
    deploy(&engine, interpreters.python(), &ledger);
    let mut accepted: Vec<String> = (0..20)
        .map(|_| {
            let answer = send(&engine);
            assert_eq!(answer.status, 202, "{answer:?}");
            answer.header("x-amzn-requestid").unwrap().to_owned()
        })
        .collect();

    // As ext4(5) has it: "Simulate the effects of calling ext4_abort() for debugging purposes."
    let abort = Command::new("nsenter")
        .args(["--mount", "--target", &engine.pid().as_raw_nonzero().to_string()])
        .args(["mount", "-o", "remount,abort"])
        .arg(engine.data_dir())
        .output()
        .unwrap();
    let write = std::fs::write(seen_from_inside(&engine).join("more"), "x");
    assert!(write.is_err(), "the disk is not read-only: {}", String::from_utf8_lossy(&abort.stderr));
    send_until_refused(&engine, &mut accepted);
    the_rest_goes_on(&engine);
    send_until_refused(&engine, &mut accepted);

    engine.kill();
    // What the engine had started ends with it, but not in the same moment; until then the disk is in use as it is.
    let in_use = || !Command::new("losetup").arg("-j").arg(&image).output().unwrap().stdout.is_empty();
    assert!((0..5_000).any(|_| !in_use()), "something still uses the disk of an engine that was killed");
    engine.restart();
    let answer = send(&engine);
    assert_eq!(answer.status, 202, "{answer:?}");
    accepted.push(answer.header("x-amzn-requestid").unwrap().to_owned());
    all_run(&ledger, &accepted);
}
