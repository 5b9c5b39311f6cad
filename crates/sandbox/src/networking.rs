//! The network that the environments of this engine get, and who answers at the sockets that are bound inside.
//!
//! Never here: links, rules and questions for names; `network` has them.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::network::Network;
use engine::ports::Clock;
use engine::tasks::{self, Task};

use crate::folders::Folders;
use crate::network::doors::{self, Door};
use crate::network::resolver::{self, Resolvers};
use crate::network::{Instance, Nat};
use crate::settings::Isolation;

/// Connections of one environment through one door at a time; more wait.
const CONNECTIONS_MAX: usize = 256;
/// Doors that there can be: their sockets, and four more, come beside one message.
pub(crate) const DOORS_MAX: usize = 24;
/// What an environment has at its own loopback: the Runtime API and, where it has a way out, name service.
const TAKEN: [(u16, &str); 2] = [(9001, "the Runtime API"), (53, "name service")];

/// What the network of environments is to be.
#[derive(Clone, Debug)]
pub struct NetworkSettings {
    /// Whether they get a way out where that can be had.
    pub nat: bool,
    /// Ports of the host that they have.
    pub doors: Vec<Door>,
    /// The host's `resolv.conf`.
    pub resolv_conf: PathBuf,
}

/// How the network of environments is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkReport {
    /// The host's own.
    Host,
    /// They have a way out, behind a firewall.
    Nat,
    /// Loopback alone.
    None {
        /// Why no more.
        reason: String,
    },
}

impl std::fmt::Display for NetworkReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host => f.write_str("the host's own, not isolated"),
            Self::Nat => f.write_str("nat"),
            Self::None { reason } => write!(f, "none: {reason}"),
        }
    }
}

/// See the module.
pub(crate) struct Networking {
    way_out: Mutex<WayOut>,
    doors: Vec<Door>,
    resolvers: Arc<Resolvers>,
    clock: Arc<dyn Clock>,
}

enum WayOut {
    /// The level has the host's network.
    Needless,
    Open(Nat),
    Closed(String),
}

/// Those that serve an environment's sockets. Dropping it ends them.
#[derive(Default)]
pub(crate) struct Attendants(Vec<Task<()>>);

impl Drop for Attendants {
    fn drop(&mut self) {
        self.0.iter().for_each(Task::abort);
    }
}

/// Why a port of the host cannot be had inside; `None` where it can.
pub(crate) fn clash(doors: &[Door]) -> Option<String> {
    if doors.len() > DOORS_MAX {
        return Some(format!("there are {} endpoints and ports of the host, and {DOORS_MAX} is the most", doors.len()));
    }
    let is_own = |door: &Door, port: u16| door.inside.port() == port && door.inside.ip() == Ipv4Addr::LOCALHOST;
    let (door, has) = doors.iter().find_map(|door| {
        let (_, has) = TAKEN.iter().find(|(port, _)| is_own(door, *port))?;
        Some((door, has))
    })?;
    let at = door.inside;
    Some(format!("{at} of the host cannot be had in environments, which have {has} there; let it listen elsewhere"))
}

impl Networking {
    /// One without a way out yet.
    pub(crate) fn new(settings: &NetworkSettings, clock: Arc<dyn Clock>) -> Self {
        let mut doors: Vec<Door> = Vec::new();
        for door in &settings.doors {
            // Two services may be served at one port.
            if !doors.iter().any(|known| known.inside == door.inside) {
                doors.push(door.clone());
            }
        }
        let resolvers = Arc::new(Resolvers::of(settings.resolv_conf.clone(), clock.clone()));
        Self { way_out: Mutex::new(WayOut::Needless), doors, resolvers, clock }
    }

    /// The `resolv.conf` of environments that have a way out.
    pub(crate) fn resolv_conf(&self) -> String {
        self.resolvers.inside_file()
    }

    /// Makes the way out, where the level leaves environments without one; that there is none is said aloud.
    pub(crate) async fn open(&self, level: Isolation, settings: &NetworkSettings, folders: &Folders) {
        let way_out = match level {
            Isolation::Process | Isolation::Confined => WayOut::Needless,
            Isolation::Rootless => WayOut::Closed("a link to the host's network needs root".to_owned()),
            Isolation::Sandbox if !settings.nat => WayOut::Closed("not asked for".to_owned()),
            Isolation::Sandbox => {
                let data = folders.environments.clone();
                let opened = tasks::off_thread("making a network for functions", move || {
                    let instance = Instance::of(&data).map_err(|error| format!("{}: {error}", data.display()))?;
                    Nat::start(instance).map_err(|refused| refused.to_string())
                });
                match opened.await.unwrap_or_else(|fault| Err(fault.chain())) {
                    Ok(nat) => WayOut::Open(nat),
                    Err(reason) => {
                        tracing::warn!(
                            "functions have no network but the ports of the host that they are given: {reason}"
                        );
                        WayOut::Closed(reason)
                    }
                }
            }
        };
        *self.lock() = way_out;
    }

    /// The way out, where there is one and it is not to be left out.
    pub(crate) fn nat(&self, network: Network) -> Option<Nat> {
        match &*self.lock() {
            WayOut::Open(nat) if network != Network::None => Some(nat.clone()),
            WayOut::Open(_) | WayOut::Needless | WayOut::Closed(_) => None,
        }
    }

    /// Whether a function can have what it asks for; the text says why not.
    pub(crate) fn gives(&self, network: Network) -> Result<(), String> {
        match (network, &*self.lock()) {
            (Network::None, WayOut::Needless) => {
                Err("where functions have the network of the host, it cannot be kept from \
                them; levels `rootless` and `sandbox` can, and `lambd doctor` tells why they are not to be had"
                    .to_owned())
            }
            // The host's network leads out as well.
            (Network::Nat, WayOut::Closed(reason)) => Err(format!("functions have no way out here: {reason}")),
            _ => Ok(()),
        }
    }

    pub(crate) fn report(&self) -> NetworkReport {
        match &*self.lock() {
            WayOut::Needless => NetworkReport::Host,
            WayOut::Open(_) => NetworkReport::Nat,
            WayOut::Closed(reason) => NetworkReport::None { reason: reason.clone() },
        }
    }

    /// Where environments listen in behalf of the host; at the engine's own port the engine answers by itself.
    pub(crate) fn doors(&self, api_port: Option<u16>) -> Vec<SocketAddr> {
        self.led_through(api_port).map(|door| door.inside).collect()
    }

    fn led_through(&self, api_port: Option<u16>) -> impl Iterator<Item = &Door> {
        let is_api = move |door: &Door| door.inside.ip() == Ipv4Addr::LOCALHOST && Some(door.inside.port()) == api_port;
        self.doors.iter().filter(move |door| !is_api(door))
    }

    /// Answers at an environment's sockets: those of the doors, and those of the name service if there are more.
    pub(crate) fn attend(&self, sockets: Vec<OwnedFd>, api_port: Option<u16>) -> Attendants {
        let mut sockets = sockets.into_iter();
        let mut attendants = Vec::new();
        for (door, socket) in self.led_through(api_port).zip(sockets.by_ref()) {
            let carried = doors::carry(socket.into(), door.to.clone(), CONNECTIONS_MAX, self.clock.clone());
            attendants.push(tasks::spawn("carrying connections through a door", told("a door", carried)));
        }
        if let (Some(udp), Some(tcp)) = (sockets.next(), sockets.next()) {
            let sockets = resolver::Sockets { udp: udp.into(), tcp: tcp.into() };
            let served = resolver::serve(sockets, self.resolvers.clone());
            attendants
                .push(tasks::spawn("answering an environment's questions for names", told("name service", served)));
        }
        Attendants(attendants)
    }

    /// Removes the way out; nothing of it is left when this returns.
    pub(crate) async fn close(&self) {
        let stopped = WayOut::Closed("the sandbox is stopped".to_owned());
        let way_out = std::mem::replace(&mut *self.lock(), stopped);
        if let WayOut::Open(nat) = way_out {
            let _ = tasks::off_thread("removing the network of functions", move || nat.close()).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, WayOut> {
        self.way_out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn told(what: &str, served: impl Future<Output = std::io::Result<()>>) {
    if let Err(error) = served.await {
        tracing::warn!(%error, "{what} of an environment could not be served");
    }
}
