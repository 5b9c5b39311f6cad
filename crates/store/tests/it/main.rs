//! The store as its callers see it: a folder, two ports, and what can befall both.

#![expect(clippy::unwrap_used, reason = "what the tests share is test, too")]

mod archive;
mod disk_full;
mod events;
mod folder;
mod hostile;
mod kill;
mod layers;
mod mappings;
mod packages;
mod queues;
mod records;

use std::path::Path;
use std::process::Command;

use store::Store;
use testkit::contracts::home;

/// Set in a process that a test started to break it.
const CHILD: &str = "STORE_TEST_CHILD";

fn open(dir: &Path) -> Store {
    Store::open(dir, home()).expect("opens")
}

/// Runs a test's steps as the engine does, on one thread.
fn run<T>(steps: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(steps)
}

/// What to start to run the test `name` of this binary again, as a child that works in `dir`.
fn child(name: &str, dir: &Path, launcher: &[&str]) -> Command {
    let exe = std::env::current_exe().unwrap();
    let mut command = match launcher {
        [] => Command::new(exe),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(exe);
            command
        }
    };
    command.args(["--exact", name, "--nocapture"]).env(CHILD, dir);
    command
}

/// The folder to work in, in a child.
fn child_dir() -> Option<std::path::PathBuf> {
    std::env::var_os(CHILD).map(Into::into)
}

/// The whole chain of an error.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
