//! Attempts on files.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::{Arguments, HERE, Tried, call, denied, unless_refused_later};

pub(super) fn attempt(name: &str, arguments: &Arguments<'_>) -> Option<Tried> {
    Some(match name {
        "read" => read(arguments.text(0)),
        "list" => list(arguments.text(0)),
        "open to write" => open_to_write(arguments.text(0)),
        "create" => create(arguments.text(0)),
        "replace" => fs::rename(arguments.text(0), arguments.text(1)).map(|()| json!(null)),
        "link" => link(arguments.text(0), arguments.text(1)),
        "overwrite the running program" => overwrite_program(),
        "map users" => fs::write("/proc/self/uid_map", "0 0 1").map(|()| json!(null)),
        "give a file to root" => with_file(|path| {
            // For a program that is root already: whether it may give away at all.
            let to = u32::from(is_root());
            std::os::unix::fs::chown(path, Some(to), Some(to))
        }),
        "give a program a capability" => with_file(give_capability),
        "make a device" => make_device(arguments.text(0)),
        "open by handle" => open_by_handle(arguments.text(0)),
        "run a program of root's" => run_setuid(arguments.text(0)),
        _ => return None,
    })
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn read(path: &str) -> Tried {
    let mut byte = [0];
    let bytes = File::open(path)?.read(&mut byte)?;
    Ok(json!(bytes))
}

fn list(path: &str) -> Tried {
    let names: io::Result<Vec<_>> = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect();
    Ok(json!(names?))
}

fn open_to_write(path: &str) -> Tried {
    OpenOptions::new().write(true).open(path)?;
    Ok(json!(null))
}

/// With what truncates it, because a mount that is read-only is then looked at before the program is in use.
fn overwrite_program() -> Tried {
    let opened = OpenOptions::new().write(true).truncate(true).open("/proc/self/exe");
    unless_refused_later(opened.map(|_| json!(null)), &[libc::ETXTBSY])
}

fn create(path: &str) -> Tried {
    OpenOptions::new().write(true).create_new(true).open(path)?;
    fs::remove_file(path)?;
    Ok(json!(null))
}

fn link(from: &str, to: &str) -> Tried {
    fs::hard_link(from, to)?;
    fs::remove_file(to)?;
    Ok(json!(null))
}

/// Does something with a file of its own.
fn with_file(work: impl Fn(&Path) -> io::Result<()>) -> Tried {
    let path = std::env::temp_dir().join(format!("attempt-{}", std::process::id()));
    fs::write(&path, "")?;
    let tried = work(&path);
    fs::remove_file(&path)?;
    tried.map(|()| json!(null))
}

fn give_capability(path: &Path) -> io::Result<()> {
    // linux/capability.h: VFS_CAP_REVISION_2 with the effective bit, CAP_SYS_ADMIN permitted, nothing inheritable.
    let capability: [u32; 5] = [0x0200_0001, 1 << 21, 0, 0, 0];
    let bytes: Vec<u8> = capability.iter().flat_map(|word| word.to_le_bytes()).collect();
    Ok(rustix::fs::setxattr(path, "security.capability", &bytes, rustix::fs::XattrFlags::empty())?)
}

fn make_device(path: &str) -> Tried {
    use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
    mknodat(CWD, path, FileType::CharacterDevice, Mode::RUSR, makedev(1, 3))?;
    fs::remove_file(path)?;
    Ok(json!(null))
}

/// As the kernel has it, with room for the longest.
#[repr(C)]
struct Handle {
    bytes: u32,
    kind: i32,
    data: [u8; 128],
}

/// By which a file of a mount is opened though no path leads to it.
fn open_by_handle(path: &str) -> Tried {
    let mut handle = Handle { bytes: 128, kind: 0, data: [0; 128] };
    let mut mount = 0_i32;
    let text = CString::new(path)?;
    let (text, place, mount) = (text.as_ptr() as usize, &raw mut handle as usize, &raw mut mount as usize);
    if call(libc::SYS_name_to_handle_at, [HERE, text, place, mount, 0, 0]).is_err() {
        // Not every file system has handles; the right to open one is looked at all the same.
        handle.bytes = 8;
    }
    let folder = File::open(path)?;
    let anchor = usize::try_from(folder.as_raw_fd()).unwrap();
    let opened = call(libc::SYS_open_by_handle_at, [anchor, &raw const handle as usize, 0, 0, 0, 0]);
    unless_refused_later(opened.map(|_| json!(null)), &[libc::ESTALE, libc::EOPNOTSUPP])
}

/// Runs a program with the setuid bit, that prints who it is.
fn run_setuid(path: &str) -> Tried {
    if is_root() {
        // What has no rights is what such a program would give some.
        rustix::thread::set_thread_groups(&[])?;
        rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(65534))?;
    }
    let output = Command::new(path).arg("who").output()?;
    let user = String::from_utf8(output.stdout).unwrap();
    if user == "0" { Ok(json!(user)) } else { denied(format!("it runs as user {user}")) }
}
