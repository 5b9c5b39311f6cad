//! The control groups of a sandbox, found by its data folder.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Groups of ours are as deep as this below where they can be mounted.
const DEPTH: usize = 6;
/// How often, and after which pause, what the kernel still holds is tried again.
const TRIES: usize = 400;
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };

/// Those of one sandbox. Dropped, they are removed with all that lives in them: a test that does not stop its sandbox
/// leaves nothing on the machine.
pub(crate) struct Groups {
    name: String,
}

impl Groups {
    /// Of the sandbox on this data folder, which must be there.
    pub(crate) fn of(data: &Path) -> Self {
        // As `Folders::name` has it.
        let mut hasher = DefaultHasher::new();
        data.canonicalize().unwrap().hash(&mut hasher);
        Self { name: format!("lambd-{:016x}", hasher.finish()) }
    }

    /// The folders that are there, the outer ones first.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let mut bases = Vec::new();
        find(Path::new("/sys/fs/cgroup"), &self.name, DEPTH, &mut bases);
        let mut all = Vec::new();
        for base in bases {
            with_inner(base, &mut all);
        }
        all
    }

    /// The processes that are in one.
    pub(crate) fn processes(&self) -> Vec<Pid> {
        let mut all: Vec<Pid> = self.folders().iter().flat_map(|folder| processes_of(folder)).collect();
        all.sort_unstable_by_key(|pid| pid.as_raw_pid());
        all.dedup();
        all
    }
}

fn processes_of(group: &Path) -> Vec<Pid> {
    let listed = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    listed.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect()
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    // A hierarchy may be mounted under two names, of which one is a link.
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
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

fn with_inner(folder: PathBuf, all: &mut Vec<PathBuf>) {
    let inner = folders_in(&folder);
    all.push(folder);
    for inner in inner {
        with_inner(inner, all);
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for _ in 0..TRIES {
            let folders = self.folders();
            if folders.is_empty() {
                return;
            }
            for folder in folders.iter().rev() {
                for pid in processes_of(folder) {
                    if let Ok(process) = pidfd_open(pid, PidfdFlags::empty())
                        && processes_of(folder).contains(&pid)
                    {
                        let _ = pidfd_send_signal(&process, Signal::KILL);
                        // What v1 has frozen ends when it is thawed.
                        let _ = fs::write(folder.join("freezer.state"), "THAWED");
                        let _ = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&PAUSE));
                    }
                }
                let _ = fs::remove_dir(folder);
            }
            let _ = poll(&mut [], Some(&PAUSE));
        }
    }
}
