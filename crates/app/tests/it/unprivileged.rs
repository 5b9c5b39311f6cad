//! The engine of an ordinary user, and one to which the kernel gives nothing.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use crate::engine_process::{Engine, Request};
use crate::{processes, shell_function};

/// Of the function: its code folder, its `/tmp`, who runs it, what is in its code folder.
const WHERE: &str = r#"text="[\"$LAMBDA_TASK_ROOT\",\"${event%/*}\",\"$(id -u)\",\"$(ls "$LAMBDA_TASK_ROOT")\"]""#;

/// The words before the engine's own that make its user `nobody`; none where the tests are not root's anyway.
fn as_nobody() -> Vec<OsString> {
    if !rustix::process::geteuid().is_root() {
        return Vec::new();
    }
    ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"].map(OsString::from).into()
}

/// In a user namespace whose owner allows none below it and who has given up every right, a process is refused what an
/// ordinary user is refused where the administrator has switched user namespaces off. The host is not changed: the
/// limit is that of the namespace (user_namespaces(7)).
fn where_nothing_is_allowed() -> Vec<OsString> {
    const SHUT: &str = "echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all \
                        --ambient-caps=-all --no-new-privs \"$@\"";
    ["unshare", "--user", "--map-root-user", "sh", "-c", SHUT, "sh"].map(OsString::from).into()
}

/// An engine behind these words, over a folder that its user may use.
fn engine(words: Vec<OsString>, flags: &[&str]) -> Engine {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &std::path::Path| fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    open(folder.path());
    // The program may lie where only its owner can look.
    let program = folder.path().join("lambd");
    fs::copy(env!("CARGO_BIN_EXE_lambd"), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let data_dir = folder.path().join("data");
    let mut all = words;
    all.extend([program.into(), "serve".into(), "--data-dir".into(), data_dir.into()]);
    Engine::not_started(folder, all, flags)
}

fn ask(engine: &Engine) -> serde_json::Value {
    let create = Request::create_function_of("where", &shell_function::bootstrap(WHERE, r#"printf %s "$text""#));
    assert_eq!(engine.send(&create).status, 201);
    engine.wait_until_settled("where");
    let answer = engine.send(&Request::invoke("where", "{}"));
    assert_eq!((answer.status, answer.header("x-amz-function-error")), (200, None), "{answer:?}\n{}", engine.log());
    answer.json()
}

/// Whether this machine lets these words be said at all.
fn works(words: &[OsString]) -> bool {
    let status =
        Command::new(&words[0]).args(&words[1..]).arg("true").stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

#[test]
fn an_ordinary_users_functions_have_their_own_paths() {
    let test = "an_ordinary_users_functions_have_their_own_paths";
    let mut words = as_nobody();
    let mut probe = words.clone();
    probe.extend(["unshare", "--user", "--mount", "--pid", "--fork"].map(OsString::from));
    if !works(&probe) {
        return testkit::skip::test(test, "the kernel gives an ordinary user no user namespace");
    }
    if words.is_empty() {
        words = vec!["env".into()];
    }
    let mut engine = engine(words, &[]);
    engine.begin();
    assert!(engine.log().contains("functions see own /var/task, /opt and /tmp"), "{}", engine.log());
    let told = ask(&engine);
    let user = if rustix::process::geteuid().is_root() { 65534 } else { rustix::process::geteuid().as_raw() };
    assert_eq!(told, serde_json::json!(["/var/task", "/tmp", user.to_string(), "bootstrap"]));
    let tree = processes::tree(engine.pid().as_raw_pid());
    assert_eq!(engine.terminate().code(), Some(0));
    assert!(tree.len() >= 4 && !tree.into_iter().any(processes::is_alive));
}

#[test]
fn an_ordinary_users_functions_are_isolated_without_being_asked() {
    let mut words = as_nobody();
    if words.is_empty() {
        words = vec!["env".into()];
    }
    if !works(&words) {
        return testkit::skip::test(
            "an_ordinary_users_functions_are_isolated_without_being_asked",
            "only root can become somebody else",
        );
    }
    let mut engine = engine(words, &["--isolation", "auto", "--isolation-min", "confined"]);
    engine.begin();
    let log = engine.log();
    let told = ask(&engine);
    if log.contains("isolation: rootless (") {
        // As on AWS, not as outside (recorded: test_runtime_introspection_*).
        assert_eq!(told, serde_json::json!(["/var/task", "/tmp", "993", "bootstrap"]));
    } else {
        assert!(log.contains("isolation: confined (") && log.contains("no rootless: "), "{log}");
        assert!(told[0].as_str().unwrap().starts_with(engine.data_dir().to_str().unwrap()), "{told}");
    }
    let tree = processes::tree(engine.pid().as_raw_pid());
    engine.kill();
    crate::engine_process::poll("no process is left", || {
        (!tree.iter().any(|pid| processes::is_alive(*pid))).then_some(())
    });
    engine.begin();
    let again = engine.send(&Request::invoke("where", "{}"));
    assert_eq!((again.status, again.header("x-amz-function-error")), (200, None), "{again:?}");
}

#[test]
fn where_the_kernel_refuses_functions_run_on_real_folders_and_it_is_said() {
    let test = "where_the_kernel_refuses_functions_run_on_real_folders_and_it_is_said";
    if !works(&where_nothing_is_allowed()) {
        return testkit::skip::test(test, "the kernel gives no user namespace in which it could be tried");
    }
    let mut engine = engine(where_nothing_is_allowed(), &[]);
    engine.begin();
    let log = engine.log();
    assert!(log.contains("functions see real folders, named by LAMBDA_TASK_ROOT (unshare("), "{log}");
    let told = ask(&engine);
    let inside = |part: &str| {
        let path = engine.data_dir().join(part);
        path.to_str().unwrap().to_owned()
    };
    let (task, storage) = (told[0].as_str().unwrap(), told[1].as_str().unwrap());
    assert!(task.starts_with(&inside("code/")), "{told}");
    assert!(storage.starts_with(&inside("environments/")) && storage.ends_with("/tmp"), "{told}");
    assert_eq!(told[3], "bootstrap");

    // Nothing is left here either.
    let tree = processes::tree(engine.pid().as_raw_pid());
    engine.kill();
    crate::engine_process::poll("no process is left", || {
        (!tree.iter().any(|pid| processes::is_alive(*pid)) && processes::that_use(engine.folder()).is_empty())
            .then_some(())
    });
    engine.begin();
    let again = engine.send(&Request::invoke("where", "{}"));
    assert_eq!((again.status, again.header("x-amz-function-error")), (200, None), "{again:?}");
}

#[test]
fn a_data_folder_that_is_not_ours_is_refused_clearly() {
    if !rustix::process::geteuid().is_root() || !works(&as_nobody()) {
        return testkit::skip::test(
            "a_data_folder_that_is_not_ours_is_refused_clearly",
            "only root can become somebody else",
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let mut engine = engine(as_nobody(), &[]);
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let words = as_nobody();
    let ran = Command::new(&words[0])
        .args(&words[1..])
        .arg(engine.folder().join("lambd"))
        .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data-dir"])
        .arg(&closed)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!((ran.status.code(), ran.stdout.len()), (Some(1), 0), "{said}");
    assert!(
        said.contains(&format!("cannot use {}: choose another data folder with --data-dir", closed.display())),
        "{said}"
    );
    assert!(said.contains("Permission denied"), "{said}");
    // The same user with a folder of its own is served.
    engine.begin();
}
