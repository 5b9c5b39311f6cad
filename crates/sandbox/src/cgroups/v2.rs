//! Groups of v2: one folder for everything.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::Pid;

use super::files;
use super::hierarchies::{Controller, Own};

pub(super) const MEMORY_PEAK: &str = "memory.peak";
pub(super) const MEMORY_CURRENT: &str = "memory.current";
/// Of which `oom_kill` is the counter.
pub(super) const MEMORY_EVENTS: &str = "memory.events";
/// The file into which a process writes `0` to enter, where it was not cloned into the group.
pub(super) const ENTRANCE: &str = "cgroup.procs";
/// The group below an environment's own, for all but its init: what is frozen.
pub(super) const INNER: &str = "runtime";

/// No more than `bytes`, and no swap.
pub(super) fn set_memory(group: &Path, bytes: u64) -> io::Result<()> {
    files::write(group, "memory.max", &bytes.to_string())?;
    match files::write(group, "memory.swap.max", "0") {
        // A kernel without swap.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        written => written,
    }
}

/// Whether the kernel, out of memory, kills the whole group and not its largest process alone.
pub(super) fn kill_all_when_out_of_memory(group: &Path, all: bool) -> io::Result<()> {
    files::write(group, "memory.oom.group", if all { "1" } else { "0" })
}

/// A weight in proportion, and no more than `quota_us` of each `period_us`.
pub(super) fn limit_cpu(group: &Path, milli_cores: u64, quota_us: u64, period_us: u64) -> io::Result<()> {
    // A weight of 100 is a core's.
    files::write(group, "cpu.weight", &(milli_cores / 10).clamp(1, 10_000).to_string())?;
    files::write(group, "cpu.max", &format!("{quota_us} {period_us}"))
}

/// As much as there is.
pub(super) fn free_cpu(group: &Path) -> io::Result<()> {
    files::write(group, "cpu.max", "max")?;
    files::write(group, "cpu.weight", "100")
}

pub(super) fn freeze(group: &Path) -> io::Result<()> {
    files::write(group, "cgroup.freeze", "1")
}

pub(super) fn thaw(group: &Path) -> io::Result<()> {
    files::write(group, "cgroup.freeze", "0")
}

pub(super) fn is_frozen(group: &Path) -> io::Result<bool> {
    Ok(files::read_field(&File::open(group.join("cgroup.events"))?, "frozen")? == 1)
}

/// Kills everything in the group and below it, also what is frozen or about to be forked; kernels before 5.14 cannot.
pub(super) fn kill(group: &Path) -> io::Result<()> {
    files::write(group, "cgroup.kill", "1")
}

/// The group below which `wanted` can be given to groups of ours, and what of it can be had there.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) group: PathBuf,
    pub(super) controllers: Vec<Controller>,
}

/// Finds ground for our groups. A group whose controllers are given to the groups below it may hold no process itself
/// (Control Group v2, "No Internal Process Constraint"), and the engine sits in its own group. So, in this order:
/// that group, where nobody sits in it but us, who then move into a leaf beside our groups; the same with everybody in
/// it where it is all that we see, as in a container; the nearest group above that gives its controllers on.
pub(super) fn find_ground(own: &Own, leaf: &str, wanted: &[Controller]) -> io::Result<Ground> {
    let mut best: Option<Ground> = None;
    let mut refused = None;
    // Where we have moved before.
    let from = own.group.parent().filter(|_| own.group.ends_with(leaf)).unwrap_or(&own.group);
    for group in from.ancestors().take_while(|group| group.starts_with(&own.top)) {
        match make_ground(group, own, leaf, wanted) {
            Ok(controllers) if wanted.iter().all(|one| controllers.contains(one)) => {
                return Ok(Ground { group: group.to_owned(), controllers });
            }
            Ok(controllers) => {
                if best.as_ref().is_none_or(|best| best.controllers.len() < controllers.len()) {
                    best = Some(Ground { group: group.to_owned(), controllers });
                }
            }
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    best.ok_or_else(|| refused.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

/// Has `group` give on what it has of `wanted`, and tells what that is.
fn make_ground(group: &Path, own: &Own, leaf: &str, wanted: &[Controller]) -> io::Result<Vec<Controller>> {
    let named = |list: &str| -> Vec<Controller> {
        wanted.iter().copied().filter(|one| list.split_whitespace().any(|name| name == one.name())).collect()
    };
    let there = named(&fs::read_to_string(group.join("cgroup.controllers"))?);
    let given = |group: &Path| Ok::<_, io::Error>(named(&fs::read_to_string(group.join("cgroup.subtree_control"))?));
    if given(group)?.len() == there.len() {
        return Ok(there);
    }
    match give_on(group, &there) {
        // Somebody sits in it.
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) && group == own.group => {
            let inside = files::processes(group)?;
            let is_ours =
                |pid: &Pid| *pid == rustix::process::getpid() || parent_of(*pid) == Some(rustix::process::getpid());
            if group != own.top && !inside.iter().all(is_ours) {
                return Err(error);
            }
            let leaf = group.join(leaf);
            make_folder(&leaf)?;
            // Who comes meanwhile is moved in the next round.
            for _ in 0..8 {
                for pid in files::processes(group)? {
                    match files::write(&leaf, "cgroup.procs", &pid.as_raw_pid().to_string()) {
                        // It has ended.
                        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                        moved => moved?,
                    }
                }
                if give_on(group, &there).is_ok() {
                    break;
                }
            }
        }
        _ => {}
    }
    given(group)
}

/// Gives the controllers to the groups below. Each by itself: one that is refused does not take the others with it.
pub(super) fn give_on(group: &Path, controllers: &[Controller]) -> io::Result<()> {
    let mut result = Ok(());
    for controller in controllers {
        let given = files::write(group, "cgroup.subtree_control", &format!("+{}", controller.name()));
        result = result.and(given);
    }
    result
}

pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    Pid::from_raw(fields.split(' ').nth(1)?.parse().ok()?)
}
