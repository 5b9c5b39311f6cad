//! Runs real programs for tests of what is done to them.

use std::io::Read as _;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Far above what any of them takes.
const LIMIT: Duration = Duration::from_mins(1);

/// What a program says until it ends; one that hangs is killed.
pub(super) fn output_of(command: &mut Command) -> Output {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a program to test");
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let errors = std::thread::spawn(move || {
        let mut all = Vec::new();
        err.read_to_end(&mut all).map(|_| all)
    });
    let pid = Pid::from_child(&child);
    let (ended, end) = mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if end.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            kill_process(pid, Signal::KILL).unwrap();
        }
    });
    let mut stdout = Vec::new();
    out.read_to_end(&mut stdout).unwrap();
    let stderr = errors.join().unwrap().unwrap();
    drop(ended);
    watch.join().unwrap();
    Output { status: child.wait().unwrap(), stdout, stderr }
}

/// Runs a program that must print `fine` as its last line.
pub(super) fn is_fine(what: &str, command: &mut Command) {
    let Output { status, stdout, stderr } = output_of(command);
    let said = String::from_utf8_lossy(&stdout);
    let errors = String::from_utf8_lossy(&stderr);
    assert!(status.success() && said.ends_with("fine\n"), "{what}: {status}\n{said}\n{errors}");
}

/// Whether this machine has a program; a test of it says so otherwise.
pub(super) fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_err() {
        testkit::skip::without_program(&format!("{program} behind walls"), "it is not installed");
    }
    found.is_ok()
}
