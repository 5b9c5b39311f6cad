//! The tests of environments once more, as an ordinary user: levels `rootless` and `confined` of an engine that is not
//! root.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::host::{TEST_PROCESS, skipped, test_process};

/// `nobody`, of whom no test machine expects anything.
const USER: &str = "65534";

/// Runs tests of this program as `nobody`; in a user namespace of one user they are the user that they are anyway.
fn as_nobody(tests: &[&str]) {
    if !rustix::process::geteuid().is_root() {
        return skipped("only root can become somebody else; the tests run as an ordinary user already");
    }
    let folder = tempfile::Builder::new().prefix("nobody").tempdir().unwrap();
    let open = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let copy = |from: &Path, name: &str| {
        let to = folder.path().join(name);
        fs::copy(from, &to).unwrap();
        open(&to, 0o755);
        to
    };
    // Who builds may do so where nobody else can look.
    let (program, process) = (copy(&std::env::current_exe().unwrap(), "it"), copy(&test_process(), "process"));
    let own = folder.path().join("tmp");
    fs::create_dir(&own).unwrap();
    open(folder.path(), 0o755);
    open(&own, 0o777);
    let ran = Command::new("setpriv")
        .args(["--reuid", USER, "--regid", USER, "--clear-groups"])
        .arg(program)
        .args(["--test-threads", "2"])
        .args(tests)
        .env(TEST_PROCESS, process)
        .envs([("HOME", Path::new("/nonexistent")), ("TMPDIR", &own)])
        .current_dir("/")
        .output();
    let Ok(ran) = ran else { return skipped("there is no setpriv") };
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    assert!(!said.contains("running 0 tests"), "{said}");
}

#[test]
fn environments_live_and_end_as_roots_do() {
    as_nobody(&["environment::"]);
}

#[test]
fn what_is_killed_leaves_nothing() {
    // Who is killed at random, and is hit, is a matter of luck: here where there is more time for it.
    as_nobody(&["killed::", "--skip", "whoever_is_killed"]);
}

#[test]
fn what_is_idle_stands_still() {
    as_nobody(&["freeze::"]);
}

#[test]
fn extensions_and_telemetry_work() {
    as_nobody(&["extensions::", "telemetry::"]);
}

#[test]
fn python_and_node_run() {
    as_nobody(&["machine::"]);
}
