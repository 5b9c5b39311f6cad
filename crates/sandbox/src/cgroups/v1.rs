//! Groups of v1: one folder in the hierarchy of each controller.

use std::fs::File;
use std::io;
use std::path::Path;

use super::files;

pub(super) const MEMORY_PEAK: &str = "memory.max_usage_in_bytes";
pub(super) const MEMORY_CURRENT: &str = "memory.usage_in_bytes";
/// Of which `oom_kill` is the counter.
pub(super) const MEMORY_EVENTS: &str = "memory.oom_control";
/// The file into which a process writes `0` to enter. `tasks` moves one thread; where that is the only one of its
/// process, the kernel need not wait for every processor, as `cgroup.procs` does (8 ms on a busy machine against 2).
pub(super) const ENTRANCE: &str = "tasks";

/// No more than `bytes`, and no swap.
pub(super) fn set_memory(group: &Path, bytes: u64) -> io::Result<()> {
    let limit = || files::write(group, "memory.limit_in_bytes", &bytes.to_string());
    // There without swap accounting in the kernel only the one: then swapping is what is forbidden.
    let with_swap = || match files::write(group, "memory.memsw.limit_in_bytes", &bytes.to_string()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => files::write(group, "memory.swappiness", "0"),
        written => written,
    };
    // Memory with swap is never less than memory alone, at any moment: up from the one, down from the other.
    match with_swap() {
        Ok(()) => limit(),
        Err(_) => limit().and_then(|()| with_swap()),
    }
}

/// A share in proportion, and no more than `quota_us` of each `period_us`.
pub(super) fn limit_cpu(group: &Path, milli_cores: u64, quota_us: u64, period_us: u64) -> io::Result<()> {
    // 1,024 shares are a core's; the kernel wants 2 at least.
    files::write(group, "cpu.shares", &(milli_cores * 1024 / 1000).max(2).to_string())?;
    files::write(group, "cpu.cfs_period_us", &period_us.to_string())?;
    match files::write(group, "cpu.cfs_quota_us", &quota_us.to_string()) {
        // More than a group above has: that one's limit then is ours too.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => files::write(group, "cpu.cfs_quota_us", "-1"),
        written => written,
    }
}

/// As much as there is.
pub(super) fn free_cpu(group: &Path) -> io::Result<()> {
    files::write(group, "cpu.cfs_quota_us", "-1")?;
    files::write(group, "cpu.shares", "1024")
}

pub(super) fn freeze(group: &Path) -> io::Result<()> {
    files::write(group, "freezer.state", "FROZEN")
}

pub(super) fn thaw(group: &Path) -> io::Result<()> {
    files::write(group, "freezer.state", "THAWED")
}

pub(super) fn is_frozen(group: &Path) -> io::Result<bool> {
    // Reading it lets the kernel look whether the last one has stopped.
    Ok(files::read_text(&File::open(group.join("freezer.state"))?, &mut [0; 32])? == "FROZEN\n")
}
