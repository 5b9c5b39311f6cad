//! The engine's side: a running spawner, and the init of one environment.
//!
//! Never here: what happens to an environment whose init is gone.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::Fault;
use engine::tasks;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, oneshot};

use super::packets;
use super::protocol::{
    Configuration, Deed, Furniture, Hello, MESSAGE_BYTES_MAX, Message, Order, Preparation, Refused, Request, Told,
};
use super::sys;
use super::view::Base;
use crate::cgroups::{Cgroup, Entrance};
use crate::network::{Inside, Link, Nat};
use crate::settings::Isolation;
use crate::storage::Disk;

/// A step of talking to the spawner or an init that failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    /// The spawner could not be started.
    #[error("start the spawner {program:?}")]
    Start {
        /// What was run.
        program: OsString,
        /// Why not.
        source: std::io::Error,
    },
    /// It isolates less than one before it.
    #[error("isolation was {promised}, and a new spawner offers {to_be_had}")]
    Level {
        /// What holds since the start of the engine.
        promised: Isolation,
        /// What there is now.
        to_be_had: Isolation,
    },
    /// A socket or its messages failed.
    #[error("{doing}")]
    Socket {
        /// What we did.
        doing: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// The other side has ended.
    #[error("the {who} has ended")]
    Ended {
        /// Spawner or init.
        who: &'static str,
    },
    /// The kernel refused a step of preparing the environment.
    #[error("{step} was refused")]
    Unprepared {
        /// The step.
        step: String,
        /// The kernel's answer.
        source: std::io::Error,
    },
}

fn failed(doing: &'static str) -> impl FnOnce(std::io::Error) -> LaunchError {
    move |source| LaunchError::Socket { doing, source }
}

/// How the spawner is started: our own binary with an argument that makes it one.
#[derive(Clone, Debug)]
pub struct SpawnerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// A running spawner. It ends when this is dropped.
pub(crate) struct Spawner {
    socket: Packets,
    state: Arc<Lifetime>,
    kill: KillOnDrop,
    /// How environments are made.
    pub(crate) hello: Hello,
    pub(crate) pid: Option<u32>,
}

/// Whether a process or an environment still runs, and a call when it does no more.
#[derive(Debug, Default)]
pub(crate) struct Lifetime {
    over: AtomicBool,
    ended: Notify,
}

impl Lifetime {
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Ends it; tells whether this is its end, and not a later one.
    pub(crate) fn end(&self) -> bool {
        let is_end = !self.over.swap(true, Ordering::AcqRel);
        self.ended.notify_waiters();
        is_end
    }

    pub(crate) async fn wait(&self) {
        let ended = self.ended.notified();
        tokio::pin!(ended);
        ended.as_mut().enable();
        if !self.is_over() {
            ended.await;
        }
    }
}

impl Spawner {
    /// Lets it end: it does when nobody is at the other end of its socket.
    pub(crate) fn end(&self) {
        let _ = rustix::net::shutdown(self.socket.socket.get_ref(), rustix::net::Shutdown::Both);
    }

    /// Starts one and waits until it has its view.
    pub(crate) async fn start(command: &SpawnerCommand, configuration: Configuration) -> Result<Self, LaunchError> {
        let (ours, theirs) = packets::pair().map_err(|error| failed("make a socket")(error.into()))?;
        let mut process = tokio::process::Command::new(&command.program);
        process
            .args(&command.arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true);
        let mut child = process
            .spawn()
            .map_err(|source| LaunchError::Start { program: command.program.clone().into_os_string(), source })?;
        // Dropping the command closes our copy of the spawner's end, so that its death is seen.
        drop(process);
        let pid = child.id();
        let state = Arc::new(Lifetime::default());
        let kill = Arc::new(Notify::new());
        let (told, killed) = (state.clone(), kill.clone());
        // Not ended with us: its environments hear of its end from here.
        let watch = tasks::spawn("watching the spawner", async move {
            tokio::select! {
                _ = child.wait() => {}
                () = killed.notified() => {
                    let _ = child.kill().await;
                }
            }
            told.end();
        });
        watch.detach();
        let kill = KillOnDrop(kill);

        let socket = Packets::new(ours).map_err(failed("watch the spawner's socket"))?;
        socket.send(&Request::Configure(configuration), &[]).await.map_err(failed("configure the spawner"))?;
        let hello: Option<(Hello, _)> = socket.receive().await.map_err(failed("hear from the spawner"))?;
        let Some((hello, _)) = hello else { return Err(LaunchError::Ended { who: "spawner" }) };
        match hello.unusable {
            Some(refused) => Err(refused.into()),
            None => Ok(Self { socket, state, kill, hello, pid }),
        }
    }

    /// Has it thaw the groups in a folder when we are gone.
    pub(crate) async fn thaw_at_end(&self, base: PathBuf) -> Result<(), LaunchError> {
        self.socket.send(&Request::ThawAtEnd(base), &[]).await.map_err(failed("ask the spawner"))
    }

    /// Whether environments have `/var/task`, `/opt` and `/tmp` of their own, and end with their inits.
    pub(crate) fn has_own_paths(&self) -> bool {
        self.hello.no_paths.is_none()
    }

    /// Whether they have a network of their own.
    pub(crate) fn has_own_network(&self) -> bool {
        self.hello.level >= Isolation::Rootless
    }

    /// What of the host they reach.
    pub(crate) fn base(&self) -> Base {
        if self.hello.level >= Isolation::Confined { Base::Isolated } else { Base::Host }
    }

    /// Whether it has not closed its socket.
    pub(crate) fn is_there(&self) -> bool {
        all_open([&self.socket])
    }

    pub(crate) fn lifetime(&self) -> Arc<Lifetime> {
        self.state.clone()
    }

    /// Ends it at once, if it has not ended.
    pub(crate) fn kill(&self) {
        self.kill.0.notify_one();
    }

    /// Starts the init of a new environment and waits until it waits for its folders. With a `nat` it has a way out,
    /// where it has a network of its own.
    pub(crate) async fn prepare(
        &self,
        preparation: Preparation,
        group: Option<&Cgroup>,
        nat: Option<Nat>,
    ) -> Result<Init, LaunchError> {
        self.unless_gone(async {
            let entrance = group.map_or(Ok(Vec::new()), |group| group.entrance().map(Entrance::into_descriptors));
            let entrance = entrance.map_err(failed("open a control group"))?;
            let (ours, theirs) = packets::pair().map_err(|error| failed("make a socket")(error.into()))?;
            let beside: Vec<_> = std::iter::once(&theirs).chain(&entrance).map(OwnedFd::as_fd).collect();
            let sent = self.socket.send(&Request::Prepare(preparation), &beside).await;
            drop((theirs, entrance));
            sent.map_err(failed("ask the spawner"))?;
            let socket = Packets::new(ours).map_err(failed("watch the init's socket"))?;
            let (mut process, mut sockets, mut linking) = (None, None, None);
            while process.is_none() || sockets.is_none() {
                match socket.hear().await? {
                    (Told::Spawned { pid }, mut descriptors) => {
                        if let (Some(group), Some(pid)) = (group, Pid::from_raw(pid)) {
                            group.take_in(pid).map_err(failed("move an init into its control group"))?;
                            // Not every root may. Then what it starts is killed first, for that is larger.
                            let _ = group.spare(pid);
                        }
                        if descriptors.is_empty() {
                            return Err(LaunchError::Ended { who: "init" });
                        }
                        let pidfd = descriptors.remove(0);
                        // Beside what the init does, and apart: the kernel lets one link be made after the other.
                        let network = descriptors.pop();
                        linking = nat.as_ref().zip(network).map(|(nat, network)| {
                            let nat = nat.clone();
                            let made = tasks::off_thread("linking an environment", move || nat.link(network));
                            tasks::spawn("linking an environment", made)
                        });
                        process = Some(sys::watch(pidfd, Interest::READABLE).map_err(failed("watch the init"))?);
                    }
                    (Told::Entered, descriptors) => sockets = Some(descriptors),
                    (Told::Unprepared(refused), _) => return Err(refused.into()),
                    _ => {}
                }
            }
            let process = process.expect("the loop ends only with it");
            let sockets = sockets.unwrap_or_default();
            let mut init = Init {
                socket,
                process,
                sockets,
                link: Mutex::default(),
                extensions: Vec::new(),
                asked: Mutex::default(),
            };
            if self.has_own_network() {
                let link = match linking {
                    Some(linking) => Some(in_task(linking.result().await.and_then(|made| made))?),
                    None => None,
                };
                init.link = Mutex::new(init.configure_network(link).await?);
            }
            Ok(init)
        })
        .await
    }

    /// Gives an environment its folders; to be called before anybody else listens to its init.
    pub(crate) async fn furnish(
        &self,
        init: &mut Init,
        furniture: Furniture,
        given: Option<&Disk>,
    ) -> Result<(), LaunchError> {
        self.unless_gone(async {
            let beside: Vec<_> =
                std::iter::once(init.socket.socket.get_ref().as_fd()).chain(given.map(Disk::as_fd)).collect();
            let sent = self.socket.send(&Request::Furnish(furniture), &beside).await;
            sent.map_err(failed("ask the spawner"))?;
            loop {
                match init.socket.hear().await? {
                    (Told::Prepared { extensions }, _) => {
                        init.extensions = extensions;
                        return Ok(());
                    }
                    (Told::Unprepared(refused), _) => return Err(refused.into()),
                    _ => {}
                }
            }
        })
        .await
    }

    async fn unless_gone<T>(&self, done: impl Future<Output = Result<T, LaunchError>>) -> Result<T, LaunchError> {
        tokio::select! {
            biased;
            done = done => done,
            () = self.state.wait() => Err(LaunchError::Ended { who: "spawner" }),
        }
    }
}

impl From<Refused> for LaunchError {
    fn from(Refused { step, errno }: Refused) -> Self {
        Self::Unprepared { step, source: std::io::Error::from_raw_os_error(errno) }
    }
}

/// What became of a step with a link.
fn in_task<T>(done: Result<std::io::Result<T>, Fault>) -> Result<T, LaunchError> {
    done.unwrap_or_else(|fault| Err(std::io::Error::other(fault.chain()))).map_err(failed("link an environment"))
}

/// Kills the spawner when dropped.
struct KillOnDrop(Arc<Notify>);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// What became of something that was to be said at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It was said.
    Now,
    /// Its socket is full.
    NotYet,
    /// It is gone.
    ToNobody,
}

/// The init of one environment. Dropping it ends the environment, unobserved.
#[derive(Debug)]
pub(crate) struct Init {
    socket: Packets,
    process: AsyncFd<OwnedFd>,
    /// Those that listen in its network, as they were asked for.
    pub(crate) sockets: Vec<OwnedFd>,
    /// Its way out, if it has one.
    link: Mutex<Option<Link>>,
    /// The external extensions that its view has.
    pub(crate) extensions: Vec<PathBuf>,
    /// Who waits for a socket, in the order in which they are made.
    asked: Mutex<VecDeque<oneshot::Sender<OwnedFd>>>,
}

impl Init {
    /// Has its network set up as its link says; to be called before anybody else listens to it.
    async fn configure_network(&self, link: Option<Link>) -> Result<Option<Link>, LaunchError> {
        let inside = link.as_ref().map_or(Inside::Loopback, Link::inside);
        self.order(&Order::Network(inside), &[]).await?;
        loop {
            match self.socket.hear().await? {
                (Told::Networked, _) => break,
                (Told::Unprepared(refused), _) => return Err(refused.into()),
                _ => {}
            }
        }
        let Some(link) = link else { return Ok(None) };
        let settled = tasks::off_thread("settling a link", move || link.settle().map(|()| link)).await;
        in_task(settled).map(Some)
    }

    /// Takes its way out away, whoever still has it.
    pub(crate) fn unlink(&self) {
        drop(self.link.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Gives an order.
    pub(crate) async fn order(&self, order: &Order, descriptors: &[BorrowedFd<'_>]) -> Result<(), LaunchError> {
        self.socket.send(order, descriptors).await.map_err(failed("order the init"))
    }

    /// A connection to a port of its loopback interface, in its network.
    pub(crate) async fn connect(&self, port: u16) -> std::io::Result<TcpStream> {
        let (give, given) = oneshot::channel();
        self.asked().push_back(give);
        // All of these orders are alike, so it does not matter whose is first.
        self.order(&Order::Socket, &[]).await.map_err(std::io::Error::other)?;
        let socket = given.await.map_err(|_| std::io::ErrorKind::ConnectionAborted)?;
        TcpSocket::from_std_stream(std::net::TcpStream::from(socket)).connect((Ipv4Addr::LOCALHOST, port).into()).await
    }

    /// Hands a socket to whoever asked first.
    pub(crate) fn give_socket(&self, socket: Option<OwnedFd>) {
        if let (Some(asked), Some(socket)) = (self.asked().pop_front(), socket) {
            let _ = asked.send(socket);
        }
    }

    fn asked(&self) -> MutexGuard<'_, VecDeque<oneshot::Sender<OwnedFd>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has it do something, if that can be said at once.
    pub(crate) fn quietly_now(&self, deed: Deed) -> Said {
        match packets::send(self.socket.socket.get_ref(), &Order::Quietly(deed).encode(), &[]) {
            Ok(()) => Said::Now,
            Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS) => Said::NotYet,
            Err(_) => Said::ToNobody,
        }
    }

    /// Has it do something. One that is gone does nothing, of which others tell.
    pub(crate) async fn quietly(&self, deed: Deed) {
        if self.quietly_now(deed) == Said::NotYet {
            let _ = self.order(&Order::Quietly(deed), &[]).await;
        }
    }

    /// The next thing it tells; `None` when it is gone.
    pub(crate) async fn told(&self) -> Option<(Told, Vec<OwnedFd>)> {
        self.socket.receive().await.ok().flatten()
    }

    /// Whether neither it nor the spawner, without which it ends, has closed its socket: so an end is seen that nobody
    /// has told of yet.
    pub(crate) fn is_there(&self, spawner: &Spawner) -> bool {
        all_open([&self.socket, &spawner.socket])
    }

    /// Kills it, and with it everything in its pid namespace; without a namespace it ends the others first.
    pub(crate) fn kill(&self, gently: bool) {
        let signal = if gently { Signal::TERM } else { Signal::KILL };
        let _ = rustix::process::pidfd_send_signal(self.process.get_ref(), signal);
    }

    /// Returns when it, and everything in its pid namespace, is gone.
    pub(crate) async fn gone(&self) {
        // A pidfd becomes readable when the process has ended, which for the init of a pid namespace is after all
        // others in it have.
        let _ = self.process.readable().await;
    }
}

/// Whether nobody at the other ends has gone.
fn all_open<const N: usize>(sockets: [&Packets; N]) -> bool {
    // A hang-up is told without being asked for.
    let mut ends = sockets.map(|packets| PollFd::new(&packets.socket, PollFlags::empty()));
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    !matches!(poll(&mut ends, Some(&at_once)), Ok(1..))
}

/// Packets without blocking.
#[derive(Debug)]
struct Packets {
    socket: AsyncFd<OwnedFd>,
}

impl Packets {
    fn new(socket: OwnedFd) -> std::io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(Self { socket: sys::watch(socket, Interest::READABLE | Interest::WRITABLE)? })
    }

    async fn send(&self, message: &impl Message, descriptors: &[BorrowedFd<'_>]) -> std::io::Result<()> {
        let bytes = message.encode();
        self.socket.async_io(Interest::WRITABLE, |socket| Ok(packets::send(socket, &bytes, descriptors)?)).await
    }

    /// What an init that must be there tells.
    async fn hear(&self) -> Result<(Told, Vec<OwnedFd>), LaunchError> {
        let told = self.receive().await.map_err(failed("hear from the init"))?;
        told.ok_or(LaunchError::Ended { who: "init" })
    }

    async fn receive<M: Message>(&self) -> std::io::Result<Option<(M, Vec<OwnedFd>)>> {
        let mut buffer = Vec::new();
        let received = self
            .socket
            .async_io(Interest::READABLE, |socket| {
                // The buffer is made when there is something to read: most of the time there is not.
                buffer.resize(MESSAGE_BYTES_MAX.min(8192), 0);
                match packets::receive(socket, &mut buffer) {
                    // A closed socket is the same to us as an orderly end.
                    Err(Errno::CONNRESET) => Ok(None),
                    received => Ok(received?),
                }
            })
            .await?;
        let Some((bytes, descriptors)) = received else { return Ok(None) };
        let message = M::decode(&buffer[..bytes]).ok_or(std::io::ErrorKind::InvalidData)?;
        Ok(Some((message, descriptors)))
    }
}
