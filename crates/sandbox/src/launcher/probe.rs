//! What a function could do to get out, tried from inside at the start of the engine: by a process that has given up
//! everything that a function's program gives up.
//!
//! It is a trial of this machine, not of all attempts there are. Never here: what a failure of it means.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;

use rustix::mount::{MountFlags, mount};

use super::privileges::{GROUP, USER};
use super::protocol::Refused;
use super::sys;
use super::trial::PROBE_FILE;
use super::view::step;

/// What must be out of reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    /// Files and folders of the host.
    pub hidden: Vec<PathBuf>,
    /// A port of the host's loopback interface at which somebody listens.
    pub host_port: u16,
}

impl Probe {
    /// Tries everything; the first thing that should not have worked, or should have and did not, is the answer.
    pub(super) fn run(&self) -> Result<(), Refused> {
        let numbers = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        held("uid: who a function is", numbers == (USER, GROUP))?;
        let capabilities = rustix::thread::capabilities(None).map_err(step("capget"))?;
        held("uid: it has capabilities", capabilities.permitted.is_empty() && capabilities.effective.is_empty())?;

        for hidden in &self.hidden {
            held(&format!("fs: {} is seen", hidden.display()), fs::symlink_metadata(hidden).is_err())?;
        }
        for read_only in ["/var/task/probe", "/usr/probe", "/etc/probe", "/probe"] {
            held(&format!("fs: {read_only} can be made"), File::create(read_only).is_err())?;
        }
        let path = PathBuf::from("/tmp").join(PROBE_FILE);
        File::create(&path).map_err(step("tmp: open(/tmp/probe)"))?;
        let mounted = mount("tmpfs", "/tmp", "tmpfs", MountFlags::empty(), None);
        held("fs: a function can mount", mounted.is_err())?;

        held("pids: other processes are seen", processes().map_err(step("pids: read(/proc)"))? == 1)?;
        let connected = TcpStream::connect((Ipv4Addr::LOCALHOST, self.host_port));
        held("net: the host's loopback is reached", connected.is_err())?;
        let unshared = sys::unshare(libc::CLONE_NEWNET);
        held("net: a function leaves its network", unshared.is_err())
    }
}

fn held(what: &str, holds: bool) -> Result<(), Refused> {
    if holds { Ok(()) } else { Err(Refused { step: what.to_owned(), errno: 0 }) }
}

fn processes() -> io::Result<usize> {
    let entries = fs::read_dir("/proc")?.flatten();
    Ok(entries.filter(|entry| entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit())).count())
}
