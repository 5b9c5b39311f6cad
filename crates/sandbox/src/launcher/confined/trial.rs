//! Whether this machine allows level `confined`: an environment is made, and a process in it tries what a function must
//! not be able to do.
//!
//! Never here: what is done where it does not.

use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{WaitOptions, test_kill_process, waitpid};

use super::{Stranger, confine, open_ways, refused};
use crate::launcher::landlock::{Confined, Walls};
use crate::launcher::protocol::{Message as _, Refused, Told};
use crate::launcher::seccomp::{Filter, Surroundings};
use crate::launcher::sys::{self, Cloned};

/// The version of Landlock from which on signals stay inside.
const SIGNALS_SINCE: u32 = 6;

/// Tries it in `folder`, which is made and removed, of the data folder. To be called by a process of one thread.
pub(in crate::launcher) fn trial(data: &Path, folder: &Path, stranger: Option<Stranger>) -> Result<(), Refused> {
    let tried = try_in(data, folder, stranger);
    let _ = fs::remove_dir_all(folder);
    tried
}

fn try_in(data: &Path, folder: &Path, stranger: Option<Stranger>) -> Result<(), Refused> {
    let (storage, secret) = (folder.join("one/tmp"), folder.join("secret"));
    for made in [&storage, &secret] {
        fs::create_dir_all(made).map_err(refused("mkdir"))?;
    }
    fs::write(secret.join("file"), "secret").map_err(refused("write"))?;
    // As open as any file, so that it is the walls that close it.
    fs::set_permissions(&storage, Permissions::from_mode(0o1777)).map_err(refused("chmod"))?;
    let walls = Walls { read: Vec::new(), write: vec![storage.clone()] };
    if let Some(stranger) = stranger {
        open_ways(stranger, data, &walls)?;
    }
    let hidden =
        vec![secret.join("file"), "/etc/passwd".into(), format!("/proc/{}/environ", std::process::id()).into()];
    let filter = Filter::compile(Surroundings::Shared);
    let (told, tell) = pipe_with(PipeFlags::CLOEXEC).map_err(refused("pipe"))?;
    match sys::clone_process(0).map_err(refused("clone"))? {
        Cloned::Child => {
            let tried =
                confine(stranger, &walls, &filter).and_then(|walls| get_out(walls, stranger, &storage, &hidden));
            let _ = rustix::io::write(&tell, &Told::Probed(tried.err()).encode());
            sys::end(0);
        }
        Cloned::Parent { pid, .. } => {
            drop(tell);
            let mut buffer = [0; 4096];
            let bytes = rustix::io::retry_on_intr(|| rustix::io::read(&told, &mut buffer)).unwrap_or(0);
            let pid = rustix::process::Pid::from_raw(pid);
            let _ = rustix::io::retry_on_intr(|| waitpid(pid, WaitOptions::empty()));
            match Told::decode(&buffer[..bytes]) {
                Some(Told::Probed(None)) => Ok(()),
                Some(Told::Probed(Some(refused))) => Err(refused),
                _ => Err(Refused { step: "the trial ended early".to_owned(), errno: 0 }),
            }
        }
    }
}

/// The first thing that should not have worked, or should have and did not, is the answer.
fn get_out(walls: Confined, stranger: Option<Stranger>, storage: &Path, hidden: &[PathBuf]) -> Result<(), Refused> {
    if let Some(Stranger { user, group }) = stranger {
        let numbers = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        held("uid: who a function is", numbers == (user, group))?;
    }
    let capabilities = rustix::thread::capabilities(None).map_err(refused("capget"))?;
    held("uid: it has capabilities", capabilities.permitted.is_empty() && capabilities.effective.is_empty())?;
    for path in hidden {
        held(&format!("fs: {} is read", path.display()), File::open(path).is_err())?;
    }
    held("fs: a file of the host can be made", File::create("/usr/lambd-probe").is_err())?;
    File::open("/usr").map_err(refused("fs: open(/usr)"))?;
    File::create(storage.join("file")).map_err(refused("tmp: open"))?;
    if walls.abi >= SIGNALS_SINCE || stranger.is_some() {
        let parent = rustix::process::getppid();
        let reached = parent.is_some_and(|parent| test_kill_process(parent).is_ok());
        held("pids: the engine's processes are signalled", !reached)?;
    }
    held("net: a Unix socket can be made", UnixDatagram::unbound().is_err())?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(refused("net: bind"))?;
    held("fs: a function leaves its mounts", sys::unshare(libc::CLONE_NEWNS).is_err())
}

fn held(what: &str, holds: bool) -> Result<(), Refused> {
    if holds { Ok(()) } else { Err(Refused { step: what.to_owned(), errno: 0 }) }
}
