//! What a process behind walls can and cannot do, tried by one.

use std::fs::{self, File};
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

use super::*;

/// Errors of the walls themselves, told apart from those of what is tried behind them.
const OF_THE_WALLS: i32 = 10_000;

/// Folders of one function, and of another.
struct Folders {
    whole: TempDir,
    walls: Walls,
}

impl Folders {
    /// `None` where the kernel has no Landlock.
    fn new(test: &str) -> Option<Self> {
        if let Err(error) = abi() {
            testkit::skip::without_kernel(test, &format!("no Landlock: {error}"));
            return None;
        }
        let whole = tempfile::tempdir().unwrap();
        for folder in ["code", "storage", "other"] {
            fs::create_dir(whole.path().join(folder)).unwrap();
            fs::write(whole.path().join(folder).join("file"), "text").unwrap();
        }
        let at = |name: &str| vec![whole.path().join(name)];
        let walls = Walls { read: at("code"), write: at("storage") };
        Some(Self { whole, walls })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.whole.path().join(name)
    }

    /// What comes of something tried behind the walls: `fine`, or the kernel's answer.
    fn attempt(&self, mut attempt: impl FnMut() -> io::Result<()> + Send + Sync + 'static) -> String {
        let walls = self.walls.clone();
        let mut command = Command::new("true");
        // SAFETY: the allocator of the test program can be used after a fork, and nothing else here takes a lock.
        unsafe {
            command.pre_exec(move || {
                rustix::thread::set_no_new_privs(true)?;
                Rules::new(&walls)
                    .and_then(Rules::enforce)
                    .map_err(|refused| io::Error::from_raw_os_error(OF_THE_WALLS + refused.errno))?;
                attempt()
            })
        };
        match command.status() {
            Ok(status) if status.success() => "fine".to_owned(),
            Ok(status) => status.to_string(),
            Err(error) => match error.raw_os_error() {
                Some(libc::EACCES) => "EACCES".to_owned(),
                Some(libc::EPERM) => "EPERM".to_owned(),
                _ => format!("{error:?}"),
            },
        }
    }
}

#[test]
fn its_own_folders_are_reached_and_others_are_not() {
    let Some(folders) = Folders::new("its_own_folders_are_reached_and_others_are_not") else { return };
    let read = |path: PathBuf| folders.attempt(move || fs::read(&path).map(|_| ()));
    let list = |path: PathBuf| folders.attempt(move || fs::read_dir(&path).map(|_| ()));
    let make = |path: PathBuf| folders.attempt(move || File::create(&path).map(|_| ()));
    for name in ["code/file", "storage/file"] {
        assert_eq!(read(folders.at(name)), "fine", "{name}");
    }
    assert_eq!(read(folders.at("other/file")), "EACCES");
    assert_eq!(list(folders.at("code")), "fine");
    assert_eq!(list(folders.at("other")), "EACCES");
    assert_eq!(list(folders.at("")), "EACCES");
    assert_eq!(make(folders.at("storage/new")), "fine");
    for name in ["code/new", "code/file", "other/new", "other/file", "new"] {
        assert_eq!(make(folders.at(name)), "EACCES", "{name}");
    }
    for (path, answer) in [("/etc/hosts", "fine"), ("/etc/passwd", "EACCES"), ("/etc/shadow", "EACCES")] {
        assert_eq!(read(path.into()), answer, "{path}");
    }
    for path in ["/", "/root", "/home", "/tmp", "/etc", "/run", "/var", "/dev"] {
        if fs::read_dir(path).is_ok() {
            assert_eq!(list(path.into()), "EACCES", "{path}");
        }
    }
    assert_eq!(make("/usr/lambd-probe".into()), "EACCES");
    assert_eq!(folders.attempt(|| fs::write("/dev/null", "x")), "fine");
    assert_eq!(folders.attempt(|| fs::write("/proc/sys/vm/drop_caches", "1")), "EACCES");
}

#[test]
fn storage_is_used_as_any_folder() {
    let Some(folders) = Folders::new("storage_is_used_as_any_folder") else { return };
    let at = folders.at("storage");
    let all = folders.attempt(move || {
        let [a, b] = ["a", "b"].map(|name| at.join(name));
        fs::create_dir(&a)?;
        fs::create_dir(&b)?;
        fs::write(a.join("x"), "text")?;
        fs::rename(a.join("x"), b.join("y"))?;
        fs::hard_link(b.join("y"), a.join("z"))?;
        symlink("z", a.join("link"))?;
        fs::OpenOptions::new().write(true).open(a.join("z"))?.set_len(1)?;
        let program = at.join("program");
        fs::copy("/bin/true", &program)?;
        fs::remove_dir_all(a)
    });
    match abi().unwrap() {
        1 => assert_eq!(all, "Os { code: 18, kind: CrossesDevices, message: \"Invalid cross-device link\" }"),
        _ => assert_eq!(all, "fine"),
    }
    let run = |name: &str| {
        let path = folders.at(name);
        folders.attempt(move || Err(Command::new(&path).exec()))
    };
    assert_eq!(run("storage/program"), "fine");
    fs::copy("/bin/true", folders.at("other/program")).unwrap();
    assert_eq!(run("other/program"), "EACCES");
}

#[test]
fn nothing_is_moved_out_of_other_folders() {
    let Some(folders) = Folders::new("nothing_is_moved_out_of_other_folders") else { return };
    let [other, ours] = ["other/file", "storage/stolen"].map(|name| folders.at(name));
    for moved in [fs::hard_link::<PathBuf, PathBuf>, fs::rename] {
        let (other, ours) = (other.clone(), ours.clone());
        assert_ne!(folders.attempt(move || moved(other.clone(), ours.clone())), "fine");
    }
    let removed = other.clone();
    assert_eq!(folders.attempt(move || fs::remove_file(&removed)), "EACCES");
    if abi().unwrap() >= 3 {
        let path = std::ffi::CString::new(other.to_str().unwrap()).unwrap();
        // SAFETY: the path is a C string that outlives the call.
        let emptied = move || match unsafe { libc::truncate(path.as_ptr(), 0) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        };
        assert_eq!(folders.attempt(emptied), "EACCES");
    }
    // A link inside is no way out.
    let link = folders.at("storage/link");
    symlink(&other, &link).unwrap();
    assert_eq!(folders.attempt(move || fs::read(&link).map(|_| ())), "EACCES");
    assert_eq!(fs::read(folders.at("other/file")).unwrap(), b"text");
}

#[test]
fn other_processes_are_not_looked_into() {
    let Some(folders) = Folders::new("other_processes_are_not_looked_into") else { return };
    let us = std::process::id();
    for name in ["environ", "cmdline", "status", "maps", "mem", "fd"] {
        let path = format!("/proc/{us}/{name}");
        let opened = folders.attempt(move || File::open(&path).map(|_| ()));
        assert_eq!(opened, "EACCES", "{name}");
    }
    assert_eq!(folders.attempt(|| fs::read_dir("/proc").map(|_| ())), "EACCES");
    for own in ["/proc/self/status", "/proc/self/maps", "/proc/thread-self/comm", "/proc/meminfo", "/proc/cpuinfo"] {
        assert_eq!(folders.attempt(move || fs::read(own).map(|_| ())), "fine", "{own}");
    }
    assert_eq!(folders.attempt(|| fs::read_dir("/proc/self/fd").map(|_| ())), "fine");
    let attach = move || {
        // SAFETY: asking to trace touches no memory of ours.
        match unsafe { libc::ptrace(libc::PTRACE_SEIZE, us, 0, 0) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    assert_eq!(folders.attempt(attach), "EPERM");
}

#[test]
fn signals_stay_inside() {
    let Some(folders) = Folders::new("signals_stay_inside") else { return };
    if abi().unwrap() < SCOPES_SINCE {
        testkit::skip::without_kernel("signals_stay_inside", "Landlock keeps signals inside from version 6 on");
        return;
    }
    let us = rustix::process::getpid();
    assert_eq!(folders.attempt(move || Ok(test_kill_process(us)?)), "EPERM");
    // Its own children it may end.
    let child = || {
        let mut child = Command::new("sleep").arg("600").spawn()?;
        let pid = Pid::from_child(&child);
        kill_process(pid, Signal::KILL)?;
        child.wait().map(|_| ())
    };
    assert_eq!(folders.attempt(child), "fine");
}

#[test]
fn abstract_sockets_of_others_are_out_of_reach() {
    let Some(folders) = Folders::new("abstract_sockets_of_others_are_out_of_reach") else { return };
    if abi().unwrap() < SCOPES_SINCE {
        let why = "Landlock keeps abstract sockets inside from version 6 on";
        testkit::skip::without_kernel("abstract_sockets_of_others_are_out_of_reach", why);
        return;
    }
    let address = SocketAddr::from_abstract_name(folders.whole.path().as_os_str().as_encoded_bytes()).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    UnixStream::connect_addr(&address).unwrap();
    assert_eq!(folders.attempt(move || UnixStream::connect_addr(&address).map(|_| ())), "EPERM");
}

#[test]
fn what_is_not_there_is_named() {
    if abi().is_err() {
        testkit::skip::without_kernel("what_is_not_there_is_named", "no Landlock");
        return;
    }
    let walls = Walls { read: vec![Path::new("/does/not/exist").to_owned()], write: Vec::new() };
    let refused = Rules::new(&walls).err();
    assert_eq!(refused, Some(Refused { step: "open(/does/not/exist)".to_owned(), errno: libc::ENOENT }));
}

#[test]
fn what_an_old_kernel_lacks_is_said() {
    assert_eq!(Confined { abi: 1 }.missing().len(), 4);
    assert_eq!(Confined { abi: 5 }.missing(), ["keeping processes of others from being signalled"]);
    assert_eq!(Confined { abi: 6 }.missing(), [""; 0]);
}
