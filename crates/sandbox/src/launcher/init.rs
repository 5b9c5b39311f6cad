//! The init of one environment: PID 1 where it has a pid namespace, a subreaper where it has not. It starts the
//! runtime, reaps, tells how the runtime ended, and ends everything when its socket or the spawner is gone.
//!
//! Never here: a deadline; the engine has the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CString, OsStr};
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Resource, Rlimit, Signal, WaitOptions, wait};

use super::confined::{self, Confinement, Stranger};
use super::kind::{Kind, Walls};
use super::landlock;
use super::packets;
use super::privileges;
use super::probe::Probe;
use super::protocol::{Deed, MESSAGE_BYTES_MAX, Message as _, Order, Preparation, Refused, Start, Told};
use super::seccomp::Filter;
use super::spawner::open_nothing;
use super::sys::{self, Cloned, Reaped};
use super::view::{self, step};
use crate::cgroups::Entrance;
use crate::network::{self, Inside, resolver};

/// Open files that Lambda allows a function (recorded: `test_runtime_ulimits`).
const OPEN_FILES: u64 = 1024;
/// Bytes that it may lock, and of its stack unless it asks for more (the same recording).
const LOCKED_BYTES: u64 = 65_536;
const STACK_BYTES: u64 = 8_388_608;

/// Of these more than are allowed are told of, so that the excess is seen; a folder of thousands is not told whole.
const EXTENSIONS_LISTED_MAX: usize = 16;

/// How often, and how long after one another, it is looked whether all stand still. Who waits for a disk may not do so for
/// long, and starts nobody meanwhile.
const STANDSTILL_LOOKS_MAX: u32 = 50;
const STANDSTILL_AGAIN_AFTER: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// Where the init keeps its socket: the first number after the standard descriptors.
const CONTROL: i32 = 3;
/// Where it keeps the mount of an image until that is its root.
const IMAGE: i32 = CONTROL + 1;

/// What an init is born with.
pub(super) struct Birth<'a> {
    pub walls: Walls<'a>,
    pub mount_point: &'a Path,
    pub preparation: &'a Preparation,
    /// Its end of its control socket.
    pub control: &'a OwnedFd,
    /// What its root is made of, where that is not the base view.
    pub image: Option<OwnedFd>,
    /// Becomes readable when its users are mapped, which only its parent can do.
    pub mapped: Option<OwnedFd>,
    /// The way into its control group.
    pub entrance: Entrance,
    /// Whom it starts, where that is not itself.
    pub stranger: Option<Stranger>,
}

/// Runs as init; never returns to the spawner's code.
pub(super) fn run(birth: Birth<'_>) -> ! {
    let status = match Init::new(birth) {
        Ok(mut init) => {
            let ended = init.serve();
            init.end_everything();
            i32::from(ended.is_err())
        }
        Err(_) => 1,
    };
    sys::end(status)
}

struct Init<'a> {
    walls: Walls<'a>,
    data: &'a Path,
    stranger: Option<Stranger>,
    confinement: Option<Confinement>,
    control: OwnedFd,
    signals: OwnedFd,
    /// Serial and pid of the runtime, while it lives.
    runtime: Option<(u32, i32)>,
    /// The extensions, those that have ended excepted.
    extensions: Vec<Extension>,
}

struct Extension {
    serial: u32,
    number: u32,
    pid: i32,
}

impl<'a> Init<'a> {
    fn new(birth: Birth<'a>) -> io::Result<Self> {
        let Birth { walls, mount_point, preparation, control, image, mapped, entrance, stranger } = birth;
        // The base view is mounted in the folder of environments.
        let data = mount_point.ancestors().nth(2).unwrap_or(mount_point);
        let kind = walls.kind;
        if let Some(mapped) = mapped {
            let mut byte = [0];
            if rustix::io::retry_on_intr(|| rustix::io::read(&mapped, &mut byte))? == 0 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
        entrance.enter()?;
        drop(entrance);
        // Of the spawner's descriptors only our socket, and an image that is mounted next, stay: an init that held the
        // spawner's end of its socket would hide the spawner's death from the engine.
        let image = image.map(|image| rustix::io::fcntl_dupfd_cloexec(image, IMAGE + 1)).transpose()?;
        if control.as_raw_fd() != CONTROL {
            take_number(control, CONTROL)?;
        }
        let control = sys::adopt(CONTROL);
        let image = if let Some(image) = image {
            take_number(&image, IMAGE)?;
            drop(image);
            sys::close_from(IMAGE + 1)?;
            Some(sys::adopt(IMAGE))
        } else {
            sys::close_from(IMAGE)?;
            None
        };
        // While it still has the number of the engine's user: the data folder is nobody else's.
        let entered = enter(kind, mount_point, preparation, image.as_ref());
        drop(image);
        if matches!(kind, Kind::Isolated(_)) {
            privileges::become_root_inside()?;
            // Nobody inside may look into us, also not one who has the same number on the host.
            rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
            rustix::process::setsid()?;
            rustix::system::sethostname(b"sandbox")?;
        }
        // A namespace dies with its init; without one, the init must live long enough to end the others. Asked for
        // only now: a change of the user takes it back.
        rustix::process::set_parent_process_death_signal(Some(if kind.has_namespace() {
            Signal::KILL
        } else {
            Signal::TERM
        }))?;
        let signals = sys::listen_for(&[libc::SIGCHLD, libc::SIGTERM])?;
        // Whoever is let stand still is no news.
        sys::ignore_stopped_children()?;
        match entered {
            Ok(sockets) => {
                let sockets: Vec<_> = sockets.iter().map(OwnedFd::as_fd).collect();
                packets::send(&control, &Told::Entered.encode(), &sockets)?;
            }
            Err(refused) => {
                packets::send(&control, &Told::Unprepared(refused).encode(), &[])?;
                return Err(io::ErrorKind::Other.into());
            }
        }
        let (runtime, extensions) = (None, Vec::new());
        Ok(Self { walls, data, stranger, confinement: None, control, signals, runtime, extensions })
    }

    fn walls(&self) -> Walls<'_> {
        Walls { confinement: self.confinement.as_ref(), ..self.walls }
    }

    /// Lets whom it will start get to these, and remembers that it may get to nothing else.
    fn confine(&mut self, read: Vec<PathBuf>, write: Vec<PathBuf>) -> Result<(), Refused> {
        let walls = landlock::Walls { read, write };
        if let Some(stranger) = self.stranger {
            confined::open_ways(stranger, self.data, &walls)?;
        }
        self.confinement = Some(Confinement { stranger: self.stranger, walls });
        Ok(())
    }

    /// Follows orders until there is nobody left to give them.
    fn serve(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; MESSAGE_BYTES_MAX];
        loop {
            let mut ready = [PollFd::new(&self.control, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
            rustix::io::retry_on_intr(|| poll(&mut ready, None))?;
            let (asked, signalled) = (!ready[0].revents().is_empty(), !ready[1].revents().is_empty());
            if signalled {
                while let Some(signal) = sys::next_signal(&self.signals) {
                    if signal == libc::SIGTERM {
                        return Ok(());
                    }
                }
                self.reap()?;
            }
            if asked {
                let Some((bytes, mut descriptors)) = packets::receive(&self.control, &mut buffer)? else {
                    return Ok(());
                };
                match Order::decode(&buffer[..bytes]).ok_or(io::ErrorKind::InvalidData)? {
                    Order::Furnish { at, extensions_in } => {
                        let told = match furnish(&at, descriptors) {
                            Ok(()) => Told::Prepared { extensions: files_in(&extensions_in) },
                            Err(refused) => Told::Unprepared(refused),
                        };
                        self.tell(&told, &[])?;
                    }
                    Order::Confine { read, write, extensions_in } => {
                        let told = match self.confine(read, write) {
                            Ok(()) => Told::Prepared { extensions: files_in(&extensions_in) },
                            Err(refused) => Told::Unprepared(refused),
                        };
                        self.tell(&told, &[])?;
                    }
                    Order::Unfurnished(refused) => self.tell(&Told::Unprepared(refused), &[])?,
                    Order::Socket => match new_socket() {
                        Ok(socket) => self.tell(&Told::Socket, &[socket.as_fd()])?,
                        Err(_) => self.tell(&Told::Socket, &[])?,
                    },
                    Order::Network(inside) => {
                        let told = match configure(&inside) {
                            Ok(()) => Told::Networked,
                            Err(refused) => Told::Unprepared(refused),
                        };
                        self.tell(&told, &[])?;
                    }
                    Order::Probe(probe) => {
                        let nothing = first(&mut descriptors)?;
                        let refused = try_out(self.walls(), &probe, &nothing).err();
                        self.tell(&Told::Probed(refused), &[])?;
                    }
                    Order::Reset => {
                        self.end_everything();
                        self.tell(&Told::WasReset, &[])?;
                    }
                    Order::Start(start) => {
                        self.end_all_but(start.serial);
                        let output = first(&mut descriptors)?;
                        self.start(&start, (output, None, Entrance::new(descriptors)))?;
                    }
                    Order::StartStem(start) => {
                        self.end_all_but(start.serial);
                        let (output, told) = (first(&mut descriptors)?, first(&mut descriptors)?);
                        self.start(&start, (output, Some(told), Entrance::new(descriptors)))?;
                    }
                    Order::StartExtension { number, start } => {
                        self.end_all_but(start.serial);
                        let output = first(&mut descriptors)?;
                        self.start_extension(number, &start, (output, None, Entrance::new(descriptors)))?;
                    }
                    Order::Quietly(deed) => self.perform(deed),
                }
            }
        }
    }

    fn tell(&self, told: &Told, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        Ok(packets::send(&self.control, &told.encode(), descriptors)?)
    }

    /// With the files that say what memory the process uses.
    fn tell_of_start(&self, told: &Told, pid: i32) -> io::Result<()> {
        let of = |name: &str| open_for_reading(&PathBuf::from(format!("/proc/{pid}/{name}")));
        match (of("stat"), of("status")) {
            (Ok(stat), Ok(status)) => self.tell(told, &[stat.as_fd(), status.as_fd()]),
            _ => self.tell(told, &[]),
        }
    }

    fn start(&mut self, start: &Start, ways: Ways) -> io::Result<()> {
        let Some(program) = start.programs.iter().find(|program| program.is_file()) else {
            return self.tell(&Told::NoProgram, &[]);
        };
        match execute_apart(self.walls(), program, start, ways) {
            Ok(pid) => {
                self.runtime = Some((start.serial, pid));
                self.tell_of_start(&Told::Started, pid)
            }
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(0);
                self.tell(&Told::NotExecuted { program: program.clone(), errno }, &[])
            }
        }
    }

    fn start_extension(&mut self, number: u32, start: &Start, ways: Ways) -> io::Result<()> {
        let Some(program) = start.programs.first() else { return self.tell(&Told::NoProgram, &[]) };
        match execute_apart(self.walls(), program, start, ways) {
            Ok(pid) => {
                self.extensions.push(Extension { serial: start.serial, number, pid });
                self.tell_of_start(&Told::ExtensionStarted, pid)
            }
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(0);
                self.tell(&Told::NotExecuted { program: program.clone(), errno }, &[])
            }
        }
    }

    fn perform(&self, deed: Deed) {
        let runtime = self.runtime.map(|(_, pid)| pid);
        match deed {
            Deed::Freeze => {
                self.signal_everything(Signal::STOP);
                await_standstill();
            }
            Deed::Thaw => self.signal_everything(Signal::CONT),
            Deed::TerminateRuntime => runtime.into_iter().for_each(|pid| signal(pid, Signal::TERM)),
            Deed::KillRuntime => runtime.into_iter().for_each(kill),
        }
    }

    /// In a pid namespace that is one call, which no process can run away from by forking; elsewhere whoever is found.
    fn signal_everything(&self, sent: Signal) {
        match self.walls.kind {
            Kind::Isolated(_) | Kind::OwnPaths => sys::signal_all(sent),
            Kind::Confined | Kind::RealFolders => {
                let mut known = BTreeSet::new();
                loop {
                    let new: Vec<i32> =
                        descendants_of_this_process().into_iter().filter(|pid| known.insert(*pid)).collect();
                    if new.is_empty() {
                        return;
                    }
                    for pid in new {
                        signal(pid, sent);
                    }
                }
            }
        }
    }

    /// Reaps whoever ended; when it was the runtime, the rest ends with it, unless there are extensions, which hear of
    /// it first.
    fn reap(&mut self) -> io::Result<()> {
        while let Some(Reaped { pid, exit, peak_bytes }) = sys::reap() {
            if let Some((serial, runtime)) = self.runtime
                && runtime == pid
            {
                if self.extensions.is_empty() {
                    self.end_everything();
                }
                self.runtime = None;
                self.tell(&Told::Exited { serial, exit, peak_bytes }, &[])?;
            }
            if let Some(at) = self.extensions.iter().position(|extension| extension.pid == pid) {
                let Extension { serial, number, .. } = self.extensions.swap_remove(at);
                self.tell(&Told::ExtensionExited { serial, number, exit }, &[])?;
            }
        }
        Ok(())
    }

    /// Ends whatever runs, unless extensions of this serial are all there is.
    fn end_all_but(&mut self, serial: u32) {
        let is_one_start = self.extensions.iter().all(|extension| extension.serial == serial);
        if self.runtime.is_some() || self.extensions.is_empty() || !is_one_start {
            self.end_everything();
        }
    }

    /// Kills and reaps every process of the environment, and returns when there is none.
    fn end_everything(&mut self) {
        self.runtime = None;
        self.extensions.clear();
        loop {
            match self.walls.kind {
                Kind::Isolated(_) | Kind::OwnPaths => sys::signal_all(Signal::KILL),
                Kind::Confined | Kind::RealFolders => children_of_this_process().into_iter().for_each(kill),
            }
            // Reaping one may make its children ours, so look again after each.
            if rustix::io::retry_on_intr(|| wait(WaitOptions::empty())).is_err() {
                return;
            }
        }
    }
}

/// Where what a program writes goes, where a stem hears of its function, and the way into the control group of those
/// that stand still between two calls.
type Ways = (OwnedFd, Option<OwnedFd>, Entrance);

fn first(descriptors: &mut Vec<OwnedFd>) -> io::Result<OwnedFd> {
    if descriptors.is_empty() { Err(io::ErrorKind::InvalidData.into()) } else { Ok(descriptors.remove(0)) }
}

/// Has a process that is what a function would be try to get out.
fn try_out(walls: Walls<'_>, probe: &Probe, output: &OwnedFd) -> Result<(), Refused> {
    let (told, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(step("pipe"))?;
    match sys::clone_process(0).map_err(step("clone"))? {
        Cloned::Child => {
            let tried = become_runtime(walls, Path::new("/"), output, None).map_err(step("become a function"));
            let refused = tried.and_then(|()| probe.run()).err();
            let _ = rustix::io::write(&tell, &Told::Probed(refused).encode());
            sys::end(0);
        }
        Cloned::Parent { .. } => {
            drop(tell);
            let mut buffer = [0; 4096];
            let bytes = rustix::io::retry_on_intr(|| rustix::io::read(&told, &mut buffer)).unwrap_or(0);
            match Told::decode(&buffer[..bytes]) {
                Some(Told::Probed(None)) => Ok(()),
                Some(Told::Probed(Some(refused))) => Err(refused),
                _ => Err(Refused { step: "the probe ended early".to_owned(), errno: 0 }),
            }
        }
    }
}

/// Gives a descriptor this number as well, whatever has it now.
fn take_number(descriptor: impl AsFd, number: i32) -> io::Result<()> {
    let mut place = sys::adopt(number);
    let taken = rustix::io::dup3(descriptor, &mut place, rustix::io::DupFlags::CLOEXEC);
    std::mem::forget(place);
    Ok(taken?)
}

/// Makes what is seen, as far as it does not depend on the function.
fn enter(
    kind: Kind,
    mount_point: &Path,
    preparation: &Preparation,
    image: Option<&OwnedFd>,
) -> Result<Vec<OwnedFd>, Refused> {
    let mut sockets = Vec::new();
    if let Kind::Isolated(_) = kind {
        sys::bring_up_loopback().map_err(step("ioctl(SIOCSIFFLAGS)"))?;
        for port in &preparation.ports {
            sockets.push(TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).map_err(step("bind"))?.into());
        }
        for door in &preparation.doors {
            let bound = TcpListener::bind(door).map_err(step(&format!("bind({door})")))?;
            sockets.push(bound.into());
        }
        if preparation.name_service {
            let resolver::Sockets { udp, tcp } = resolver::Sockets::bind_inside().map_err(step("bind(53)"))?;
            sockets.extend([OwnedFd::from(udp), OwnedFd::from(tcp)]);
        }
    }
    if let Some(base) = kind.base() {
        view::enter(base, mount_point, image)?;
    } else {
        let us = rustix::process::getpid();
        rustix::process::set_child_subreaper(Some(us)).map_err(step("prctl(PR_SET_CHILD_SUBREAPER)"))?;
    }
    Ok(sockets)
}

fn furnish(at: &[PathBuf], trees: Vec<OwnedFd>) -> Result<(), Refused> {
    let mut made = Vec::new();
    for (tree, at) in trees.into_iter().zip(at) {
        view::place(tree, at, &mut made)?;
    }
    view::close(&made)
}

/// Sets up its network namespace. Where that has loopback alone, nobody is asked for names.
fn configure(inside: &Inside) -> Result<(), Refused> {
    network::configure_inside(inside).map_err(|network::Refused { step, errno }| Refused { step, errno })?;
    match inside {
        Inside::Loopback => view::empty(Path::new("/etc/resolv.conf")),
        Inside::Linked { .. } => Ok(()),
    }
}

fn new_socket() -> io::Result<OwnedFd> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?)
}

fn open_for_reading(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Starts the program in a process of its own; returns when it runs, or why it does not.
fn execute_apart(
    walls: Walls<'_>,
    program: &Path,
    start: &Start,
    (output, told_at, entrance): Ways,
) -> io::Result<i32> {
    let text = |text: &OsStr| CString::new(text.as_bytes()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL));
    let path = text(program.as_os_str())?;
    let mut arguments = vec![path.clone()];
    for argument in &start.arguments {
        arguments.push(text(argument)?);
    }
    let variables: Vec<CString> = start.variables.iter().map(|pair| text(pair)).collect::<io::Result<_>>()?;
    // Closed by a successful exec; else it brings the reason.
    let (told, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    match sys::clone_process(0)? {
        Cloned::Child => {
            let became =
                entrance.enter().and_then(|()| become_runtime(walls, &start.folder, &output, told_at.as_ref()));
            let error = match became {
                Ok(()) => sys::execute(&path, &arguments, &variables),
                Err(error) => error,
            };
            let _ = rustix::io::write(&tell, &error.raw_os_error().unwrap_or(0).to_ne_bytes());
            sys::end(127);
        }
        Cloned::Parent { pid, .. } => {
            drop((tell, output, told_at, entrance));
            let mut errno = [0; 4];
            match rustix::io::retry_on_intr(|| rustix::io::read(&told, &mut errno)) {
                Ok(4) => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno))),
                _ => Ok(pid),
            }
        }
    }
}

/// Everything between fork and exec: a group of its own, the pipe as output, Lambda's limits, nothing inherited, and
/// no privilege where there is isolation.
fn become_runtime(walls: Walls<'_>, folder: &Path, output: &OwnedFd, told_at: Option<&OwnedFd>) -> io::Result<()> {
    rustix::process::setpgid(None, None)?;
    // As after any exec: until then its files in /proc are not its own.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable)?;
    rustix::stdio::dup2_stdin(&open_nothing()?)?;
    rustix::stdio::dup2_stdout(output)?;
    rustix::stdio::dup2_stderr(output)?;
    // Should memory run out on the host, functions go before the engine. Not every kernel lets us say so.
    let _ = fs::write("/proc/self/oom_score_adj", "500");
    limit(Resource::Nofile, OPEN_FILES)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Memlock, LOCKED_BYTES)?;
    let stack = rustix::process::getrlimit(Resource::Stack);
    let current = Some(stack.maximum.map_or(STACK_BYTES, |most| most.min(STACK_BYTES)));
    rustix::process::setrlimit(Resource::Stack, Rlimit { current, maximum: stack.maximum })?;
    rustix::process::umask(Mode::WGRP | Mode::WOTH);
    rustix::process::chdir(folder)?;
    sys::forget_signals();
    sys::close_from_at_exec(3)?;
    if let Some(told_at) = told_at {
        // In the place of the init's socket, which this process does not need.
        let mut place = sys::adopt(CONTROL);
        let placed = rustix::io::dup2(told_at, &mut place);
        std::mem::forget(place);
        placed?;
    }
    match walls.kind {
        Kind::Isolated(right) => privileges::give_up(right)?,
        Kind::Confined => return confine(walls),
        Kind::OwnPaths | Kind::RealFolders => {}
    }
    // After every change of the user, which takes it back.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    walls.filter.map_or(Ok(()), Filter::install)
}

fn confine(walls: Walls<'_>) -> io::Result<()> {
    // Nothing is started before it is known what it may reach.
    let (Some(confinement), Some(filter)) = (walls.confinement, walls.filter) else {
        return Err(io::ErrorKind::PermissionDenied.into());
    };
    let confined = confined::confine(confinement.stranger, &confinement.walls, filter);
    confined.map(|_| ()).map_err(|Refused { errno, .. }| io::Error::from_raw_os_error(errno))
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    // A lower limit that is in force already stays: raising it would need a right.
    let most = rustix::process::getrlimit(resource).maximum.map_or(most, |in_force| in_force.min(most));
    Ok(rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}

/// The files in folders, which need not be there, in the order of their names; of two of one name the later.
fn files_in(folders: &[PathBuf]) -> Vec<PathBuf> {
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flat_map(Iterator::flatten);
    let files = entries.map(|entry| entry.path()).filter(|path| !path.is_dir());
    let by_name: BTreeMap<_, _> = files.map(|path| (path.file_name().map(OsStr::to_owned), path)).collect();
    by_name.into_values().take(EXTENSIONS_LISTED_MAX).collect()
}

/// Kills one process.
pub(super) fn kill(pid: i32) {
    signal(pid, Signal::KILL);
}

fn signal(pid: i32, sent: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, sent);
    }
}

/// Waits until every process of the environment stands still, or has had its time.
///
/// Whoever is just being forked when SIGSTOP comes is born with it, and a SIGCONT that comes before the birth does not
/// take it back: the kernel drops a signal that its receiver ignores before it looks at forks under way
/// (`send_signal_locked` in `kernel/signal.c`). Its parent would wait for it for good. An order to go on is followed
/// after this one.
fn await_standstill() {
    for _ in 0..STANDSTILL_LOOKS_MAX {
        let all_stand = descendants_of_this_process()
            .into_iter()
            .all(|pid| parent_and_state(pid).is_none_or(|(_, state)| matches!(state, b'T' | b't' | b'Z' | b'X')));
        if all_stand {
            return;
        }
        let _ = poll(&mut [], Some(&STANDSTILL_AGAIN_AFTER));
    }
}

/// The pids of this process's children, of theirs, and so on.
fn descendants_of_this_process() -> Vec<i32> {
    let Ok(all) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let parents: Vec<(i32, i32)> = pids.filter_map(|pid| Some((pid, parent_and_state(pid)?.0))).collect();
    let mut found = vec![rustix::process::getpid().as_raw_pid()];
    let mut looked_at = 0;
    while let Some(&parent) = found.get(looked_at) {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        looked_at += 1;
    }
    found.split_off(1)
}

/// The pids of this process's children, the dead that nobody reaped yet excepted.
pub(super) fn children_of_this_process() -> Vec<i32> {
    let me = rustix::process::getpid().as_raw_pid();
    let Ok(all) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| parent_and_state(*pid).is_some_and(|(parent, state)| parent == me && state != b'Z')).collect()
}

/// From `/proc/PID/stat`: the name may hold anything, so the fields are counted from its last parenthesis.
fn parent_and_state(pid: i32) -> Option<(i32, u8)> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after = stat.iter().rposition(|byte| *byte == b')')? + 2;
    let rest = std::str::from_utf8(stat.get(after..)?).ok()?;
    let mut fields = rest.split(' ');
    let state = *fields.next()?.as_bytes().first()?;
    Some((fields.next()?.parse().ok()?, state))
}
