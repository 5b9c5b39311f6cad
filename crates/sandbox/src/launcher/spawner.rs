//! The spawner: makes the base view once, then an init for each environment that it is asked for.
//!
//! Never here: waiting for an environment; its init talks to the engine itself.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{WaitOptions, wait};

use super::confined::Stranger;
use super::init::{self, Birth};
use super::kind::{Kind, Walls};
use super::packets;
use super::protocol::{Furniture, MESSAGE_BYTES_MAX, Message as _, Order, Preparation, Refused, Request, Source, Told};
use super::seccomp::Filter;
use super::sys::{self, Cloned};
use super::trial;
use super::users::{self, Users};
use super::view::{self, step};
use crate::cgroups::{self, Entrance};

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
    let (kind, hello) = trial::choose(&configuration);
    packets::send(&control, &hello.encode(), &[])?;

    let mut nursery = Nursery::new(kind, &configuration.mount_point, configuration.first_user);
    let mut has_orphans = false;
    let mut thaw_at_end: Option<PathBuf> = None;
    loop {
        let mut ready = [PollFd::new(&control, PollFlags::IN), PollFd::new(&signals, PollFlags::IN)];
        // An orphan that the kernel holds cannot be killed now; one that comes when its parent is gone is nobody's news.
        let again = has_orphans.then_some(&ORPHANS_AGAIN_AFTER);
        rustix::io::retry_on_intr(|| poll(&mut ready, again))?;
        let (asked, died) = (!ready[0].revents().is_empty(), !ready[1].revents().is_empty());
        if died || has_orphans {
            while sys::next_signal(&signals).is_some() {}
            has_orphans = nursery.reap();
        }
        if asked {
            match next(&control, &mut buffer)? {
                None => {
                    if let Some(base) = &thaw_at_end {
                        cgroups::thaw_all(base);
                    }
                    // Nobody else ends the orphans. Those that the kernel holds are killed and go when it lets them.
                    for _ in 0..LAST_LOOKS {
                        if !nursery.reap() {
                            break;
                        }
                        let mut died = [PollFd::new(&signals, PollFlags::IN)];
                        rustix::io::retry_on_intr(|| poll(&mut died, Some(&ORPHANS_AGAIN_AFTER)))?;
                        while sys::next_signal(&signals).is_some() {}
                    }
                    return Ok(());
                }
                Some((Request::Prepare(preparation), mut descriptors)) if !descriptors.is_empty() => {
                    let init_end = descriptors.remove(0);
                    nursery.prepare(&preparation, &init_end, Entrance::new(descriptors));
                }
                Some((Request::Furnish(furniture), descriptors)) => {
                    let mut given = descriptors.into_iter();
                    if let Some(engine_end) = given.next() {
                        nursery.furnish(&furniture, given, &engine_end);
                    }
                }
                Some((Request::ThawAtEnd(base), _)) => thaw_at_end = Some(base),
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

/// The network namespace of a process.
fn namespace_of(pid: i32) -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    Ok(rustix::fs::open(format!("/proc/{pid}/ns/net"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

/// An open `/dev/null`.
pub(crate) fn open_nothing() -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    Ok(rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?)
}

fn next(control: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<(Request, Vec<OwnedFd>)>> {
    let Some((bytes, descriptors)) = packets::receive(control, buffer)? else { return Ok(None) };
    let request = Request::decode(&buffer[..bytes]).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Some((request, descriptors)))
}

/// The inits that live, and how new ones are made.
pub(super) struct Nursery {
    kind: Kind,
    filter: Option<Filter>,
    mount_point: PathBuf,
    users: Users,
    /// The group of those who are strangers to the host.
    group: u32,
    /// Each with the block of users that is its own.
    inits: HashMap<i32, Option<users::Block>>,
    /// Of inits that have ended, while somebody whom they have left may still live.
    returning: Vec<users::Block>,
}

impl Nursery {
    pub(super) fn new(kind: Kind, mount_point: &Path, first_user: u32) -> Self {
        Self {
            kind,
            filter: kind.filter(),
            mount_point: mount_point.to_owned(),
            users: Users::from(first_user),
            group: first_user,
            inits: HashMap::new(),
            returning: Vec::new(),
        }
    }

    /// Starts an init; whatever comes of it, the engine is told at the init's own socket.
    pub(super) fn prepare(&mut self, preparation: &Preparation, control: &OwnedFd, entrance: Entrance) {
        if let Err(refused) = self.try_prepare(preparation, control, entrance) {
            let _ = packets::send(control, &Told::Unprepared(refused).encode(), &[]);
        }
    }

    fn try_prepare(&mut self, preparation: &Preparation, control: &OwnedFd, entrance: Entrance) -> Result<(), Refused> {
        let (mapped, map) = match self.kind {
            Kind::Isolated(_) => {
                let ends = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(step("pipe"))?;
                (Some(ends.0), Some(ends.1))
            }
            Kind::Confined | Kind::OwnPaths | Kind::RealFolders => (None, None),
        };
        let (kind, mount_point) = (self.kind, self.mount_point.as_path());
        let image = match (kind, preparation.is_image) {
            (Kind::Isolated(right), true) => {
                Some(view::image_root(&preparation.root, right, &mount_point.with_file_name(".scratch"))?)
            }
            _ => None,
        };
        // Where the engine is not root, functions are its user.
        let is_strange = kind == Kind::Confined && rustix::process::geteuid().is_root();
        let own = if is_strange { Some(self.users.take()?) } else { None };
        let stranger = own.map(|block| Stranger { user: block.0, group: self.group });
        let walls = Walls { kind, filter: self.filter.as_ref(), confinement: None };
        let cloned = sys::clone_process(kind.namespaces()).map_err(step("clone"));
        if let (Err(_), Some(block)) = (&cloned, own) {
            self.users.give_back(block);
        }
        match cloned? {
            Cloned::Child => {
                drop(map);
                init::run(Birth { walls, mount_point, preparation, control, image, mapped, entrance, stranger })
            }
            Cloned::Parent { pid, pidfd } => {
                // While it still waits, for later nobody may look at it.
                let network = match kind {
                    Kind::Isolated(_) => Some(namespace_of(pid).map_err(step("open(/proc/PID/ns/net)"))?),
                    Kind::Confined | Kind::OwnPaths | Kind::RealFolders => None,
                };
                let block = match map {
                    None => own,
                    Some(map) => {
                        // Where that fails the pipe is closed, and the init ends by itself.
                        let block = self.users.map(kind, pid)?;
                        rustix::io::write(&map, &[1]).map_err(step("write"))?;
                        block
                    }
                };
                self.inits.insert(pid, block);
                let beside: Vec<_> = std::iter::once(&pidfd).chain(&network).map(OwnedFd::as_fd).collect();
                packets::send(control, &Told::Spawned { pid }.encode(), &beside).map_err(step("sendmsg"))
            }
        }
    }

    /// Sends an init its folders, in the engine's name.
    pub(super) fn furnish(&self, furniture: &Furniture, given: impl Iterator<Item = OwnedFd>, engine_end: &OwnedFd) {
        let (order, trees) = match self.kind {
            Kind::Isolated(_) | Kind::OwnPaths => self.mount(furniture, given),
            Kind::Confined => (confine(furniture), Vec::new()),
            Kind::RealFolders => {
                (Order::Furnish { at: Vec::new(), extensions_in: furniture.extensions_in.clone() }, Vec::new())
            }
        };
        let trees: Vec<_> = trees.iter().map(OwnedFd::as_fd).collect();
        // Who is gone needs no folders, and the engine hears of it at the socket itself.
        while packets::send(engine_end, &order.encode(), &trees) == Err(rustix::io::Errno::AGAIN) {
            let mut room = [PollFd::new(engine_end, PollFlags::OUT)];
            let _ = rustix::io::retry_on_intr(|| poll(&mut room, None));
        }
    }

    fn mount(&self, furniture: &Furniture, mut given: impl Iterator<Item = OwnedFd>) -> (Order, Vec<OwnedFd>) {
        let scratch = self.mount_point.with_file_name(".scratch");
        let trees: Result<Vec<OwnedFd>, Refused> =
            furniture.mounts.iter().map(|mounting| view::tree(&mounting.source, &mut given, &scratch)).collect();
        match trees {
            Ok(trees) => {
                let at = furniture.mounts.iter().map(|mounting| mounting.at.clone()).collect();
                (Order::Furnish { at, extensions_in: furniture.extensions_in.clone() }, trees)
            }
            Err(refused) => (Order::Unfurnished(refused), Vec::new()),
        }
    }

    /// Takes note of inits that ended. On real folders their children have become ours: they end too. Tells whether
    /// some of these still live.
    pub(super) fn reap(&mut self) -> bool {
        while let Ok(Some((pid, _))) = wait(WaitOptions::NOHANG) {
            if let Some(Some(block)) = self.inits.remove(&pid.as_raw_pid()) {
                self.returning.push(block);
            }
        }
        if self.kind.has_namespace() {
            self.return_users();
            return false;
        }
        let orphans: Vec<i32> =
            init::children_of_this_process().into_iter().filter(|pid| !self.inits.contains_key(pid)).collect();
        orphans.iter().copied().for_each(init::kill);
        if orphans.is_empty() {
            self.return_users();
        }
        !orphans.is_empty()
    }

    fn return_users(&mut self) {
        self.returning.drain(..).for_each(|block| self.users.give_back(block));
    }
}

/// Where nothing can be mounted, everything is where it is, and the rest is out of reach.
fn confine(furniture: &Furniture) -> Order {
    let (mut read, mut write) = (Vec::new(), Vec::new());
    for mounting in &furniture.mounts {
        match &mounting.source {
            Source::ReadOnly(path) => read.push(path.clone()),
            Source::Storage(path) => write.push(path.clone()),
            // A disk, which can only be mounted; nobody makes one where nothing can be.
            Source::Given => {}
            Source::Layers { folders, .. } => read.extend(folders.iter().cloned()),
        }
    }
    Order::Confine { read, write, extensions_in: furniture.extensions_in.clone() }
}
