//! The spawner: makes the base view once, then an init for each environment that it is asked for.
//!
//! Never here: waiting for an environment; its init talks to the engine itself.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{WaitOptions, wait};

use super::init;
use super::packets;
use super::protocol::{
    Configuration, Hello, MESSAGE_BYTES_MAX, Message as _, Order, Places, Refused, Request, Start, Told,
};
use super::sys::{self, Cloned};
use super::view::{self, Right};

/// How environments of this spawner are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// With mount and pid namespaces of their own.
    OwnPaths,
    /// As process groups on real folders.
    RealFolders,
}

/// How long to wait before orphans that still live are looked at again.
const ORPHANS_AGAIN_AFTER: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// How often to look at orphans when the engine is gone.
const LAST_LOOKS: u32 = 20;

/// Serves the engine until it is gone.
pub(crate) fn run(control: OwnedFd) -> io::Result<()> {
    let control = off_standard_input(control)?;
    // Ctrl-C in the engine's terminal is the engine's to answer: it drains, and needs us for that.
    let _ = rustix::process::setpgid(None, None);
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let signals = sys::listen_for(&[libc::SIGCHLD])?;
    let mut buffer = vec![0; MESSAGE_BYTES_MAX];

    let Some((Request::Configure(configuration), _)) = next(&control, &mut buffer)? else {
        return Ok(());
    };
    let refused = choose_kind(&configuration);
    let kind = if refused.is_none() { Kind::OwnPaths } else { Kind::RealFolders };
    let unusable = if kind == Kind::RealFolders { try_init(&configuration.mount_point).err() } else { None };
    packets::send(&control, &Hello { refused, unusable }.encode(), &[])?;

    let mut inits = HashSet::new();
    let mut has_orphans = false;
    loop {
        let mut ready = [PollFd::new(&control, PollFlags::IN), PollFd::new(&signals, PollFlags::IN)];
        // An orphan that the kernel holds cannot be killed now; one that comes when its parent is gone is nobody's news.
        let again = has_orphans.then_some(&ORPHANS_AGAIN_AFTER);
        rustix::io::retry_on_intr(|| poll(&mut ready, again))?;
        let (asked, died) = (!ready[0].revents().is_empty(), !ready[1].revents().is_empty());
        if died || has_orphans {
            while sys::next_signal(&signals).is_some() {}
            has_orphans = reap(&mut inits, kind);
        }
        if asked {
            match next(&control, &mut buffer)? {
                None => {
                    // Nobody else ends the orphans. Those that the kernel holds are killed and go when it lets them.
                    for _ in 0..LAST_LOOKS {
                        if !reap(&mut inits, kind) {
                            break;
                        }
                        let mut died = [PollFd::new(&signals, PollFlags::IN)];
                        rustix::io::retry_on_intr(|| poll(&mut died, Some(&ORPHANS_AGAIN_AFTER)))?;
                        while sys::next_signal(&signals).is_some() {}
                    }
                    return Ok(());
                }
                Some((Request::Prepare(places), Some(init_end))) => {
                    if let Some(pid) = prepare(kind, &configuration.mount_point, &places, &init_end) {
                        inits.insert(pid);
                    }
                }
                // Nothing that this engine sends.
                Some(_) => {}
            }
        }
    }
}

/// Our socket came as standard input; programs expect nothing there.
fn off_standard_input(control: OwnedFd) -> io::Result<OwnedFd> {
    let moved = rustix::io::fcntl_dupfd_cloexec(&control, 3)?;
    let nothing = open_nothing()?;
    rustix::stdio::dup2_stdin(&nothing)?;
    // Descriptor 0 is standard input again, not ours to close.
    std::mem::forget(control);
    Ok(moved)
}

/// An open `/dev/null`.
pub(crate) fn open_nothing() -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    Ok(rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?)
}

fn next(control: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<(Request, Option<OwnedFd>)>> {
    let Some((bytes, mut descriptors)) = packets::receive(control, buffer)? else { return Ok(None) };
    let request = Request::decode(&buffer[..bytes]).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Some((request, descriptors.pop())))
}

/// Tries the ways to give environments paths of their own; each is first tried whole, in a process of its own, because
/// half of it cannot be taken back. `None` means that one works and is in force.
fn choose_kind(configuration: &Configuration) -> Option<Refused> {
    if !configuration.own_paths {
        return Some(Refused { step: "not asked for".to_owned(), errno: 0 });
    }
    let mut first = None;
    for right in [Right::Own, Right::UserNamespace] {
        let tried = apart("clone", 0, || trial(right, &configuration.mount_point))
            .and_then(|()| view::establish(right, &configuration.mount_point));
        match tried {
            Ok(()) => return None,
            Err(refused) => first = first.or(Some(refused)),
        }
    }
    first
}

/// Makes a real environment, without a runtime.
fn trial(right: Right, mount_point: &Path) -> Result<(), Refused> {
    view::establish(right, mount_point)?;
    let folder = mount_point.parent().unwrap_or(mount_point).to_owned();
    let places =
        Places { code: folder.clone(), clients: folder.clone(), storage: folder, layers: Vec::new(), kept: Vec::new() };
    apart("clone(CLONE_NEWNS|CLONE_NEWPID)", sys::OWN_MOUNTS_AND_PIDS, || view::enter(mount_point, &places))
}

/// Starts an init on real folders and has it start what is a file and no program: when the kernel refuses just that,
/// it allows all that comes before.
fn try_init(folder: &Path) -> Result<(), Refused> {
    let unable = |error: io::Error| Refused { step: "socketpair".to_owned(), errno: error.raw_os_error().unwrap_or(0) };
    let (ours, theirs) = packets::pair().map_err(|error| unable(error.into()))?;
    let [code, clients, storage] = [(); 3].map(|()| folder.to_owned());
    let places = Places { code, clients, storage, layers: Vec::new(), kept: Vec::new() };
    let init = prepare(Kind::RealFolders, folder, &places, &theirs);
    drop(theirs);
    let order = Order::Start(Start {
        serial: 0,
        programs: vec!["/proc/self/status".into()],
        arguments: Vec::new(),
        variables: Vec::new(),
        folder: folder.to_owned(),
    });
    let nothing = open_nothing().map_err(unable)?;
    // Where there is no init, what it was told instead is still there to be read.
    let _ = packets::send(&ours, &order.encode(), &[nothing.as_fd()]);
    let mut buffer = [0; 4096];
    let result = loop {
        let told = packets::receive(&ours, &mut buffer).ok().flatten();
        match told.and_then(|(bytes, _)| Told::decode(&buffer[..bytes])) {
            Some(Told::Spawned { .. } | Told::Prepared { .. }) => {}
            Some(Told::NotExecuted { errno: libc::EACCES, .. }) => break Ok(()),
            Some(Told::NotExecuted { errno, .. }) => break Err(Refused { step: "start a program".to_owned(), errno }),
            Some(Told::Unprepared(refused)) => break Err(refused),
            _ => break Err(Refused { step: "an init that was tried ended early".to_owned(), errno: 0 }),
        }
    };
    // It ends with its socket.
    drop(ours);
    if init.is_some() {
        let _ = rustix::io::retry_on_intr(|| wait(WaitOptions::empty()));
    }
    result
}

/// Does `work` in a process of its own, which ends with it.
fn apart(step: &str, namespaces: i32, work: impl FnOnce() -> Result<(), Refused>) -> Result<(), Refused> {
    let unable = |error: io::Error| Refused { step: step.to_owned(), errno: error.raw_os_error().unwrap_or(0) };
    let (ours, theirs) = packets::pair().map_err(|error| unable(error.into()))?;
    match sys::clone_process(namespaces).map_err(unable)? {
        Cloned::Child => {
            drop(ours);
            let refused = work().err();
            let _ = packets::send(&theirs, &Hello { refused, unusable: None }.encode(), &[]);
            sys::end(0);
        }
        Cloned::Parent { .. } => {
            drop(theirs);
            let mut buffer = [0; 4096];
            let answer = packets::receive(&ours, &mut buffer).ok().flatten();
            let answer = answer.and_then(|(bytes, _)| Hello::decode(&buffer[..bytes]));
            let _ = rustix::io::retry_on_intr(|| wait(WaitOptions::empty()));
            match answer {
                Some(Hello { refused: None, .. }) => Ok(()),
                Some(Hello { refused: Some(refused), .. }) => Err(refused),
                None => Err(Refused { step: "the trial ended early".to_owned(), errno: 0 }),
            }
        }
    }
}

/// Starts an init; whatever comes of it, the engine is told at the init's own socket.
fn prepare(kind: Kind, mount_point: &Path, places: &Places, init_end: &OwnedFd) -> Option<i32> {
    let namespaces = match kind {
        Kind::OwnPaths => sys::OWN_MOUNTS_AND_PIDS,
        Kind::RealFolders => 0,
    };
    let told = match sys::clone_process(namespaces) {
        Ok(Cloned::Child) => init::run(kind, mount_point, places, init_end),
        Ok(Cloned::Parent { pid, pidfd }) => {
            let _ = packets::send(init_end, &Told::Spawned { pid }.encode(), &[pidfd.as_fd()]);
            return Some(pid);
        }
        Err(error) => Told::Unprepared(Refused { step: "clone".to_owned(), errno: error.raw_os_error().unwrap_or(0) }),
    };
    let _ = packets::send(init_end, &told.encode(), &[]);
    None
}

/// Takes note of inits that ended. On real folders their children have become ours: they end too. Tells whether some
/// of these still live.
fn reap(inits: &mut HashSet<i32>, kind: Kind) -> bool {
    while let Ok(Some((pid, _))) = wait(WaitOptions::NOHANG) {
        inits.remove(&pid.as_raw_pid());
    }
    if kind == Kind::OwnPaths {
        return false;
    }
    let orphans: Vec<i32> = init::children_of_this_process().into_iter().filter(|pid| !inits.contains(pid)).collect();
    orphans.iter().copied().for_each(init::kill);
    !orphans.is_empty()
}
