//! Files that hold an empty file system: one per size is made by mkfs, the others are copies of its few full blocks.
//!
//! Never here: a device or a mount.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags, SeekFrom};

const MIB: u64 = 1 << 20;
/// Part of the templates' names: those of another form are not taken.
const FORM: &str = "1";

/// The program that makes file systems, in one of these folders or those where an administrator's programs are.
pub(super) fn find_mkfs(search_path: Option<&OsStr>) -> Option<PathBuf> {
    let named = search_path.map(|path| std::env::split_paths(path).collect::<Vec<_>>()).unwrap_or_default();
    let usual = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from);
    named.into_iter().chain(usual).map(|folder| folder.join("mkfs.ext4")).find(|program| program.is_file())
}

/// Where the template of a size is, or will be.
pub(super) fn template_path(folder: &Path, megabytes: u32) -> PathBuf {
    folder.join(format!("tmp-{megabytes}-{FORM}.ext4"))
}

/// An empty file system in a sparse file, with room for `megabytes` of files. No journal: nobody needs it after a
/// crash. No blocks reserved for root, and one inode for 16 KB, so that neither can be used up before the other by
/// ordinary files.
pub(super) fn make(mkfs: &Path, at: &Path, megabytes: u32) -> io::Result<()> {
    let bytes = u64::from(megabytes) * MIB;
    // Of 256 bytes for 16 KB are the inodes; a fiftieth, but no more than 16 MB, the kernel keeps to itself
    // (ext4_calculate_resv_clusters); the rest is group descriptors and bitmaps.
    let bytes = (bytes + bytes / 62 + (bytes / 48).min(16 * MIB) + MIB).next_multiple_of(MIB);
    File::create(at)?.set_len(bytes)?;
    let mut command = Command::new(mkfs);
    command.args(["-q", "-F", "-m", "0", "-b", "4096", "-i", "16384", "-I", "256"]);
    // Inode tables that nobody has written are holes of the file, and stay holes (`noinit_itable`).
    command.args([
        "-O",
        "^has_journal,^resize_inode,metadata_csum",
        "-E",
        "lazy_itable_init=1,nodiscard,root_owner=0:0",
    ]);
    let made = command.arg(at).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    if made.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&made.stderr).trim().to_owned()))
}

/// A copy that has no name: with the last descriptor, device or mount of it the disk has its space back, whatever
/// happens to us.
pub(super) fn copy(template: &File, folder: &Path) -> io::Result<File> {
    let copy = unnamed(folder)?;
    if rustix::fs::ioctl_ficlone(&copy, template).is_ok() {
        return Ok(copy);
    }
    let bytes = template.metadata()?.len();
    copy.set_len(bytes)?;
    let mut at = 0;
    while at < bytes {
        // No more data, only holes.
        let Ok(data) = rustix::fs::seek(template, SeekFrom::Data(at)) else { break };
        let hole = rustix::fs::seek(template, SeekFrom::Hole(data))?;
        copy_part(template, &copy, data, hole)?;
        at = hole;
    }
    Ok(copy)
}

fn copy_part(from: &File, to: &File, mut at: u64, end: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    let mut buffer = vec![0; 64 * 1024];
    while at < end {
        let part = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
        let bytes = from.read_at(&mut buffer[..part], at)?;
        if bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all_at(&buffer[..bytes], at)?;
        at += bytes as u64;
    }
    Ok(())
}

fn unnamed(folder: &Path) -> io::Result<File> {
    let mode = Mode::RUSR | Mode::WUSR;
    match rustix::fs::open(folder, OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, mode) {
        Ok(file) => Ok(file.into()),
        // File systems that know no file without a name: it has one for a moment.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR) => {
            let path = folder.join(format!("copy-{}-{:?}", std::process::id(), std::thread::current().id()));
            let file = File::options().read(true).write(true).create_new(true).open(&path)?;
            fs::remove_file(&path)?;
            Ok(file)
        }
        Err(error) => Err(error.into()),
    }
}
