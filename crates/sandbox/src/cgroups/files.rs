//! Reading and writing the small files by which the kernel shows a group.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// The kernel takes what it is told in one write, and answers it with the write's result.
pub(super) fn write(group: &Path, name: &str, text: &str) -> io::Result<()> {
    open_to_write(&group.join(name))?.write_all(text.as_bytes())
}

/// Such a file is never made by us: one that is not there is one that the kernel does not have.
pub(super) fn open_to_write(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).custom_flags(libc::O_CLOEXEC).open(path)
}

/// What it says now, from its beginning, as far as `buffer` reaches.
pub(super) fn read_text<'a>(file: &File, buffer: &'a mut [u8]) -> io::Result<&'a str> {
    let bytes = file.read_at(buffer, 0)?;
    std::str::from_utf8(&buffer[..bytes]).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// The number that is all it says.
pub(super) fn read_number(file: &File) -> io::Result<u64> {
    let mut buffer = [0; 32];
    let text = read_text(file, &mut buffer)?;
    text.trim_end().parse().map_err(|_| io::ErrorKind::InvalidData.into())
}

/// The number in the line `NAME 123`.
pub(super) fn read_field(file: &File, name: &str) -> io::Result<u64> {
    let mut buffer = [0; 512];
    let text = read_text(file, &mut buffer)?;
    field(text, name).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// The processes in a group; those of a pid namespace that we do not see into have no number.
pub(super) fn processes(group: &Path) -> io::Result<Vec<rustix::process::Pid>> {
    let text = std::fs::read_to_string(group.join("cgroup.procs"))?;
    Ok(text.lines().filter_map(|line| rustix::process::Pid::from_raw(line.parse().ok()?)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let events = "low 0\nhigh 0\nmax 27\noom 1\noom_kill 2\noom_group_kill 1\n";
        assert_eq!(field(events, "oom"), Some(1));
        assert_eq!(field(events, "oom_kill"), Some(2));
        assert_eq!(field("oom_kill_disable 0\nunder_oom 0\noom_kill 3", "oom_kill"), Some(3));
        assert_eq!(field(events, "kill"), None);
    }
}
