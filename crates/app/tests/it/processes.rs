//! What runs on this machine, from `/proc`.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// The processes that have something of a folder: an open file, a mount, their place. The dead do not count.
pub(crate) fn that_use(folder: &Path) -> Vec<i32> {
    let folder = folder.canonicalize().unwrap();
    let me = std::process::id().cast_signed();
    all().into_iter().filter(|pid| *pid != me && is_alive(*pid) && uses(*pid, &folder)).collect()
}

fn uses(pid: i32, folder: &Path) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    let has_open = |name: &str| {
        fs::read_dir(process.join(name))
            .into_iter()
            .flatten()
            .flatten()
            .any(|entry| fs::read_link(entry.path()).is_ok_and(|to| to.starts_with(folder)))
    };
    has_open("fd")
        || fs::read_link(process.join("cwd")).is_ok_and(|to| to.starts_with(folder))
        || fs::read_to_string(process.join("mountinfo")).is_ok_and(|mounts| mounts.contains(folder.to_str().unwrap()))
}

/// The children of a process.
pub(crate) fn children(of: i32) -> Vec<i32> {
    all().into_iter().filter(|pid| stat(*pid).is_some_and(|(_, parent, _)| parent == of)).collect()
}

/// The process, its children, and theirs.
pub(crate) fn tree(of: i32) -> Vec<i32> {
    let mut tree = vec![of];
    let mut next = 0;
    while next < tree.len() {
        tree.extend(children(tree[next]));
        next += 1;
    }
    tree
}

/// Whether a process runs.
pub(crate) fn is_alive(pid: i32) -> bool {
    stat(pid).is_some_and(|(state, _, _)| state != 'Z' && state != 'X')
}

/// What tells a process from a later one with its number: when it was started.
pub(crate) fn started_at(pid: i32) -> Option<u64> {
    stat(pid).map(|(_, _, started_at)| started_at)
}

/// The arguments of a process.
pub(crate) fn arguments(pid: i32) -> String {
    String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()).replace('\0', " ")
}

/// Sends a signal to one process.
pub(crate) fn send(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

fn all() -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// State, parent and start (proc(5)); the name before them may hold anything.
fn stat(pid: i32) -> Option<(char, i32, u64)> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after = stat.iter().rposition(|byte| *byte == b')')? + 2;
    let fields: Vec<&str> = std::str::from_utf8(stat.get(after..)?).ok()?.split(' ').collect();
    Some((fields[0].chars().next()?, fields[1].parse().ok()?, fields[19].parse().ok()?))
}
