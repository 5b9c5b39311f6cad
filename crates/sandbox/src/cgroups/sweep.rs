//! What an earlier engine of the same name left: found by its folder's name, killed and removed.
//!
//! Never here: a group of another name.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};

use super::hierarchies::{Controller, Hierarchies};
use super::{broom, files, v1, v2};

/// Groups within groups are looked through as deep as this.
const DEPTH_MAX: usize = 12;
/// A killed process is waited for as long as this before its group is looked at again.
const WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// Of a group that forks faster than it is killed so many rounds are killed.
const ROUNDS: usize = 64;

/// Removes all groups in folders called `name`, wherever in the hierarchies: an engine that was started from another
/// session had its groups elsewhere. The folders in `keep` stay. Tells how many groups are gone.
pub(super) fn sweep(hierarchies: &Hierarchies, name: &str, keep: &[&Path]) -> io::Result<usize> {
    let own = Controller::ALL.into_iter().filter_map(|one| hierarchies.v1(one)).chain(&hierarchies.unified);
    let mut tops: Vec<&Path> = own.map(|own| own.top.as_path()).collect();
    tops.sort_unstable();
    tops.dedup();
    let mut bases = Vec::new();
    for top in tops {
        find(top, name, DEPTH_MAX, &mut bases);
    }
    // One environment's groups in all hierarchies at once: what is in one's freezer dies only when it is thawed there.
    let mut groups: Vec<PathBuf> = bases.iter().flat_map(|base| below(base)).collect();
    let count = groups.iter().filter(|group| group.parent().is_some_and(|base| base.ends_with(name))).count();
    groups.extend(bases.into_iter().filter(|base| !keep.contains(&base.as_path())));
    // Inner ones last, from where they are removed first.
    groups.sort_by_key(|group| group.components().count());
    if groups.iter().any(|group| is_ours(group)) {
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    if groups.is_empty() || broom::remove_now(&groups) { Ok(count) } else { Err(io::ErrorKind::ResourceBusy.into()) }
}

fn find(folder: &Path, name: &str, depth: usize, found: &mut Vec<PathBuf>) {
    for inner in folders_in(folder) {
        if inner.file_name().is_some_and(|own| own == name) {
            found.push(inner);
        } else if depth > 0 {
            find(&inner, name, depth - 1, found);
        }
    }
}

/// All groups below, not the one itself.
fn below(folder: &Path) -> Vec<PathBuf> {
    folders_in(folder).into_iter().flat_map(|inner| below(&inner).into_iter().chain([inner])).collect()
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

/// An engine that runs inside an environment of another one does not sweep itself away.
pub(super) fn is_ours(group: &Path) -> bool {
    files::processes(group).is_ok_and(|inside| inside.contains(&rustix::process::getpid()))
}

/// Kills all in these groups and waits a while until they have ended; tells how many they were.
pub(super) fn kill(groups: &[PathBuf]) -> io::Result<usize> {
    let killed = kill_once(groups)?;
    for process in &killed {
        let mut waits = [PollFd::new(process, PollFlags::IN)];
        let _ = rustix::event::poll(&mut waits, Some(&WAIT));
    }
    Ok(killed.len())
}

/// Kills all in these groups, whatever they do, and thaws them: what v1 has frozen dies only then.
pub(super) fn kill_once(groups: &[PathBuf]) -> io::Result<Vec<OwnedFd>> {
    let mut killed: Vec<(Pid, OwnedFd)> = Vec::new();
    for group in groups {
        for _ in 0..ROUNDS {
            let inside = match files::processes(group) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                inside => inside?,
            };
            // A thread of ours that tried the group out counts as all of us until it is gone.
            if inside.contains(&rustix::process::getpid()) {
                break;
            }
            let new: Vec<Pid> = inside.into_iter().filter(|pid| killed.iter().all(|(known, _)| known != pid)).collect();
            if new.is_empty() {
                break;
            }
            // The kernel leaves nobody out; the processes are only needed to wait for them.
            let is_done = v2::kill(group).is_ok();
            for pid in new {
                killed.extend(kill_in(group, pid, is_done).map(|process| (pid, process)));
            }
        }
        // No such file where the group is none of v1's freezer.
        let _ = v1::thaw(group);
    }
    Ok(killed.into_iter().map(|(_, process)| process).collect())
}

/// Kills a process unless it is no longer in the group: its number may be another's by now.
fn kill_in(group: &Path, pid: Pid, is_done: bool) -> Option<OwnedFd> {
    let process = rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()?;
    if !is_done && files::processes(group).ok()?.contains(&pid) {
        rustix::process::pidfd_send_signal(&process, Signal::KILL).ok()?;
    }
    Some(process)
}
