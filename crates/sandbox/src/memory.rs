//! How much memory a runtime or an extension uses and how much the machine has left, read from descriptors that are kept open.
//!
//! Never here: a limit.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// Page faults after which the kernel's own peak is read again. Fewer change nothing that a number of MB shows, or
/// are noticed with the next ones.
const FAULTS: u64 = 16;

/// The memory of one process.
#[derive(Debug, Default)]
pub(crate) struct ProcessMemory {
    files: Option<(File, File)>,
    faults_seen: AtomicU64,
    most_bytes: AtomicU64,
}

impl ProcessMemory {
    /// From its `stat` and `status`.
    pub(crate) fn new(mut descriptors: Vec<OwnedFd>) -> Self {
        let status = descriptors.pop();
        let files = descriptors.pop().zip(status).map(|(stat, status)| (File::from(stat), File::from(status)));
        Self { files, ..Self::default() }
    }

    /// The most that it has used so far. The kernel's own peak is in `status`, which takes three times as long to
    /// read as `stat`; it can only have risen by page faults, and those `stat` counts.
    pub(crate) fn most_bytes(&self) -> u64 {
        let most = self.most_bytes.load(Ordering::Relaxed);
        let Some((stat, status)) = &self.files else { return most };
        let mut buffer = [0; 1024];
        let Some(faults) = read(stat, &mut buffer).and_then(faults) else { return most };
        if most > 0 && faults < self.faults_seen.load(Ordering::Relaxed) + FAULTS {
            return most;
        }
        self.faults_seen.store(faults, Ordering::Relaxed);
        let mut buffer = [0; 4096];
        let peak = read(status, &mut buffer).and_then(|text| kilobytes(text, "VmHWM:")).unwrap_or(0);
        self.most_bytes.fetch_max(peak, Ordering::Relaxed).max(peak)
    }
}

/// Page faults, minor and major, from a `stat` file; the name in it may hold anything, so the fields are counted from
/// its last parenthesis (proc_pid_stat(5): fields 10 and 12, of which 3 is the first after the name).
fn faults(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.trim_start().split(' ');
    let minor: u64 = fields.nth(7)?.parse().ok()?;
    let major: u64 = fields.nth(1)?.parse().ok()?;
    Some(minor + major)
}

/// The memory of the machine.
#[derive(Debug)]
pub(crate) struct MachineMemory(Option<File>);

impl MachineMemory {
    pub(crate) fn new() -> Self {
        Self(File::open("/proc/meminfo").ok())
    }

    /// The share that is available, 0 to 1; 1 where the kernel does not say.
    pub(crate) fn available(&self) -> f64 {
        let mut buffer = [0; 4096];
        let shares = self.0.as_ref().and_then(|file| {
            let text = read(file, &mut buffer)?;
            Some((kilobytes(text, "MemAvailable:")?, kilobytes(text, "MemTotal:")?))
        });
        match shares {
            #[expect(clippy::cast_precision_loss, reason = "a share needs no 53 bits")]
            Some((available, total)) if total > 0 => available as f64 / total as f64,
            _ => 1.0,
        }
    }
}

fn read<'a>(file: &File, buffer: &'a mut [u8]) -> Option<&'a str> {
    let bytes = file.read_at(buffer, 0).ok().filter(|bytes| *bytes > 0)?;
    std::str::from_utf8(&buffer[..bytes]).ok()
}

/// The bytes that a line `NAME   123 kB` names.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_some_memory_left_but_not_all() {
        let share = MachineMemory::new().available();
        assert!(share > 0.0 && share < 1.0, "{share}");
    }

    #[test]
    fn faults_are_counted_behind_any_name() {
        let stat = "7 (a) b) (c) S 1 2 3 4 5 6 100 0 20 0 1 2";
        assert_eq!(faults(stat), Some(120));
        assert_eq!(faults("7 (a"), None);
    }

    #[test]
    fn a_process_has_used_what_it_touched() {
        let open = |name: &str| OwnedFd::from(File::open(format!("/proc/self/{name}")).unwrap());
        let memory = ProcessMemory::new(vec![open("stat"), open("status")]);
        let before = memory.most_bytes();
        assert!(before > 100_000, "{before}");
        let touched = vec![1u8; 32 * 1024 * 1024];
        assert_eq!(touched.iter().map(|byte| u64::from(*byte)).sum::<u64>(), 32 * 1024 * 1024);
        assert!(memory.most_bytes() >= before + 16 * 1024 * 1024, "{before} -> {}", memory.most_bytes());
    }
}
