//! How much memory a runtime uses and how much the machine has left, read from descriptors that are kept open.
//!
//! Never here: a limit.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// The memory of one runtime process.
#[derive(Debug, Default)]
pub(crate) struct RuntimeMemory {
    files: Option<(File, File)>,
    resident_pages: AtomicU64,
    most_bytes: AtomicU64,
}

impl RuntimeMemory {
    /// From its `statm` and `status`.
    pub(crate) fn new(mut descriptors: Vec<OwnedFd>) -> Self {
        let status = descriptors.pop();
        let files = descriptors.pop().zip(status).map(|(statm, status)| (File::from(statm), File::from(status)));
        Self { files, ..Self::default() }
    }

    /// The most that it has used so far. `statm` is cheap and read each time; the kernel's own peak is in `status`,
    /// which costs ten times as much and is read only when the first has changed.
    pub(crate) fn most_bytes(&self) -> u64 {
        if let Some((statm, status)) = &self.files {
            let mut buffer = [0; 128];
            let pages = read(statm, &mut buffer).and_then(|text| text.split(' ').nth(1)?.parse().ok());
            if let Some(pages) = pages
                && self.resident_pages.swap(pages, Ordering::Relaxed) != pages
            {
                let mut buffer = [0; 4096];
                let peak = read(status, &mut buffer).and_then(|text| kilobytes(text, "VmHWM:"));
                self.most_bytes.fetch_max(peak.unwrap_or(0), Ordering::Relaxed);
            }
        }
        self.most_bytes.load(Ordering::Relaxed)
    }
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
    fn a_process_has_used_what_it_touched() {
        let open = |name: &str| OwnedFd::from(File::open(format!("/proc/self/{name}")).unwrap());
        let memory = RuntimeMemory::new(vec![open("statm"), open("status")]);
        let before = memory.most_bytes();
        assert!(before > 100_000, "{before}");
        let touched = vec![1u8; 32 * 1024 * 1024];
        assert_eq!(touched.iter().filter(|byte| **byte == 1).count(), touched.len());
        assert!(memory.most_bytes() >= before + 16 * 1024 * 1024, "{before} -> {}", memory.most_bytes());
    }
}
