//! The network of environments: a link to the host with address translation behind a firewall, name service, and doors
//! to single ports of the host.
//!
//! An environment has a network namespace of its own. What is in this module runs in the host's, but for
//! [`configure_inside`] and the functions that bind sockets inside; all of it needs CAP_NET_ADMIN where it runs.
//! An environment reaches whatever the host reaches, also the networks that the host is in, but not the host itself,
//! no other environment and nothing link-local. It has IPv4 only. Nobody reaches it from outside.
//! Never here: how an environment is started.

mod claim;
pub mod doors;
mod links;
mod namespace;
mod netlink;
mod nftables;
mod ranges;
mod remover;
pub mod resolver;
mod trial;

use std::fmt;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use self::claim::Claim;
pub use self::namespace::NetworkNamespace;
use self::nftables::{Note, Rules};
use self::ranges::{LINK_PREFIX, Range, Slots, slot_name};
use self::remover::{Leaving, Remover};

/// How an environment's link is called inside.
const INSIDE: &str = "eth0";
/// Of a host without any route.
const MTU: u32 = 1500;

/// A step that the kernel refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What was tried.
    pub step: String,
    /// The kernel's answer.
    pub errno: i32,
}

impl Refused {
    fn at(step: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let step = step.into();
        move |error| Self { step, errno: error.raw_os_error().unwrap_or(libc::EIO) }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}: {}", self.step, io::Error::from_raw_os_error(self.errno))
    }
}

impl std::error::Error for Refused {}

/// Which of the engines of a machine this is, for names in the kernel: the same at each start with the same data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance(String);

impl Instance {
    /// That of the engine whose data is in `folder`. Two containers that share a network and both see their data at
    /// the same path are told apart by the disk.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let folder = fs::canonicalize(folder)?;
        let disk = fs::metadata(&folder)?;
        let place = [&disk.dev().to_be_bytes()[..], &disk.ino().to_be_bytes(), folder.as_os_str().as_bytes()].concat();
        Ok(Self(format!("{:08x}", fnv(&place))))
    }

    fn links(&self) -> String {
        format!("lmd{}-", self.0)
    }

    /// A number for links that are to be removed.
    fn group(&self) -> u32 {
        fnv(self.0.as_bytes())
    }

    /// The link of the trial's outside, which is no environment's.
    fn trial_link(&self) -> String {
        format!("lmt{}", self.0)
    }
}

/// FNV-1a of 32 bits: one that no version of a library changes, since a later start must find the names again.
fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// What an environment's network namespace gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    /// Loopback alone.
    Loopback,
    /// Loopback and a link of which the host's end is the way out.
    Linked {
        /// The environment's address.
        address: Ipv4Addr,
        /// The host's.
        gateway: Ipv4Addr,
    },
}

/// Sets up the network namespace of the thread that calls: loopback, and the link that [`Nat::link`] has put there.
pub fn configure_inside(inside: &Inside) -> Result<(), Refused> {
    links::set_loopback_up().map_err(Refused::at("RTM_NEWLINK lo up"))?;
    let Inside::Linked { address, gateway } = *inside else { return Ok(()) };
    let link = links::index_of(INSIDE).map_err(Refused::at("RTM_GETLINK eth0"))?;
    links::set_up(link, address, LINK_PREFIX, false).map_err(Refused::at("RTM_NEWADDR eth0"))?;
    links::add_default_route(link, gateway).map_err(Refused::at("RTM_NEWROUTE default"))
}

/// The way out for the environments of one engine: the firewall's table, and the links.
///
/// When it is closed, or the last of its owners is gone, nothing is left of it: no table, no link, and the host forwards as
/// before. A killed engine leaves all that behind, closed to everything that the firewall refuses, for the next start of any engine.
#[derive(Clone, Debug)]
pub struct Nat(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    instance: Instance,
    range: Range,
    mtu: u32,
    slots: Arc<Mutex<Slots>>,
    remover: Mutex<Remover>,
    /// Whether links can be made: not without the rules.
    is_open: RwLock<bool>,
    /// For as long as there is a table: nobody sweeps what is claimed.
    _claim: Claim,
}

impl Nat {
    /// Clears away what dead engines have left, loads the firewall, has the host forward, and proves with a trial
    /// environment that packets reach an outside and do not reach the host.
    pub fn start(instance: Instance) -> Result<Self, Refused> {
        let _one_at_a_time = Claim::wait("lambd-nat").map_err(Refused::at("waiting for another engine's start"))?;
        let claim = Claim::take(&claim_name(&instance.0)).map_err(Refused::at("bind of an abstract socket"))?;
        let Some(claim) = claim else {
            return Err(Refused { step: "another engine with the same data runs".to_owned(), errno: libc::EADDRINUSE });
        };
        sweep(&instance).map_err(Refused::at("removing what an earlier engine left"))?;

        let tables = nftables::instances().map_err(Refused::at("NFT_MSG_GETTABLE"))?;
        let routes = links::routes().map_err(Refused::at("RTM_GETROUTE"))?;
        let links = links::all().map_err(Refused::at("RTM_GETLINK"))?;
        let notes: Vec<&Note> = tables.iter().filter_map(|(_, note)| note.as_ref()).collect();
        let of_routes = routes.iter().filter(|route| route.prefix > 0);
        let taken: Vec<Range> = of_routes
            .map(|route| Range { first: route.to, prefix: route.prefix })
            .chain(notes.iter().map(|note| note.range))
            .collect();
        let free = Range::free(fnv(instance.0.as_bytes()), &taken, 2);
        let [range, outside] = free[..] else {
            return Err(Refused { step: "a free range in 100.64.0.0/10".to_owned(), errno: libc::EADDRNOTAVAIL });
        };

        let leads_out = |found: &&links::Found| {
            let has_route = routes.iter().any(|route| route.is_unicast && route.links.contains(&found.index));
            has_route && found.index != links::LOOPBACK && !found.name.starts_with("lmd")
        };
        let ways_out: Vec<&links::Found> = links.iter().filter(leads_out).collect();
        let closed = ways_out.iter().filter(|link| !forwards(&link.name)).map(|link| link.index);
        let closed: Vec<u32> = closed.collect();
        let opened_by_others = ways_out
            .iter()
            .map(|link| link.index)
            .filter(|link| !closed.contains(link) && notes.iter().any(|note| note.opened.contains(link)));
        let opened: Vec<u32> = closed.iter().copied().chain(opened_by_others).collect();

        let rules = Rules { link_prefix: instance.links(), range, opened: opened.clone() };
        let note = Note { range, forwarded_before: forwards("all"), opened };
        nftables::load(&instance.0, &rules, &note).map_err(|rejected| {
            Refused::at(format!("nf_tables batch, message {}", rejected.message))(rejected.error)
        })?;
        let mtu = ways_out.iter().map(|link| link.mtu).filter(|mtu| (576..=MTU).contains(mtu)).min().unwrap_or(MTU);
        let slots = Arc::<Mutex<Slots>>::default();
        let remover = Remover::start(instance.group(), slots.clone()).map_err(Refused::at("starting a thread"))?;
        let (remover, is_open) = (Mutex::new(remover), RwLock::new(true));
        let shared = Shared { instance, range, mtu, slots, remover, is_open, _claim: claim };
        let nat = Self(Arc::new(shared));
        // Packets of environments come in by their links, the answers by these: both must be forwarded. Not
        // net.ipv4.ip_forward, which would open every link that the host has and will have.
        for link in closed {
            links::set_forwarding(link, true).map_err(Refused::at("turning forwarding on"))?;
        }
        trial::run(&nat, outside)?;
        Ok(nat)
    }

    /// Makes the link of the environment whose network namespace is `of`, before anything runs in there.
    pub fn link(&self, of: impl AsFd) -> io::Result<Link> {
        let is_open = self.0.is_open.read().unwrap_or_else(PoisonError::into_inner);
        if !*is_open {
            return Err(io::Error::from_raw_os_error(libc::ESHUTDOWN));
        }
        let slot = self.slots().take().ok_or_else(|| io::Error::from_raw_os_error(libc::EADDRNOTAVAIL))?;
        let (host, address) = self.0.range.pair(slot);
        let name = format!("{}{}", self.0.instance.links(), slot_name(slot));
        let inside = Inside::Linked { address, gateway: host };
        // From here on dropping it clears up.
        let mut link = Link { nat: self.clone(), index: 0, inside, leaving: Some(Leaving { name, slot: Some(slot) }) };
        link.index = links::create_pair(link.name(), INSIDE, of.as_fd(), self.0.mtu)?;
        links::set_up(link.index, host, LINK_PREFIX, true)?;
        Ok(link)
    }

    /// Removes all of it, whoever still has links.
    pub fn close(&self) {
        self.0.close();
    }

    fn remove(&self, link: Leaving) {
        self.0.remover.lock().unwrap_or_else(PoisonError::into_inner).take(link);
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, Slots> {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn close(&self) {
        let mut is_open = self.is_open.write().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut *is_open, false) {
            return;
        }
        self.remover.lock().unwrap_or_else(PoisonError::into_inner).end();
        let one_at_a_time = Claim::wait("lambd-nat");
        if let Err(error) = one_at_a_time.and_then(|_| remove(&self.instance.0)) {
            tracing::warn!(%error, "the network of the environments could not be removed; the next start does");
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.close();
    }
}

/// An environment's link. Dropping it removes it, some moments later.
#[derive(Debug)]
pub struct Link {
    nat: Nat,
    index: u32,
    inside: Inside,
    /// Until it is dropped.
    leaving: Option<Leaving>,
}

impl Link {
    /// What to configure at its other end.
    pub fn inside(&self) -> Inside {
        self.inside
    }

    /// What the host calls its end.
    pub fn name(&self) -> &str {
        self.leaving.as_ref().map_or("", |leaving| leaving.name.as_str())
    }

    /// To be called when [`configure_inside`] is done: from then on nothing that is sent to the environment is lost.
    pub fn settle(&self) -> io::Result<()> {
        links::settle(self.index)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(leaving) = self.leaving.take() {
            self.nat.remove(leaving);
        }
    }
}

/// Removes what engines that are no more have left: this one's earlier life, and others'.
fn sweep(ours: &Instance) -> io::Result<()> {
    remove(&ours.0)?;
    for (other, _) in nftables::instances()? {
        if let Some(_dead) = Claim::take(&claim_name(&other))? {
            remove(&other)?;
        }
    }
    Ok(())
}

fn claim_name(instance: &str) -> String {
    format!("lambd-nat-{instance}")
}

/// Removes everything of `instance`: its links while its rules still hold, then what it changed on the host, then the rules.
fn remove(instance: &str) -> io::Result<()> {
    let instance = Instance(instance.to_owned());
    let links = links::all()?;
    let names = links.iter().map(|link| link.name.as_str());
    let is_left = |name: &&str| name.starts_with(&instance.links()) || *name == instance.trial_link();
    links::remove_all(names.filter(is_left), instance.group())?;
    let tables = nftables::instances()?;
    let Some((_, note)) = tables.iter().find(|(name, _)| *name == instance.0) else { return Ok(()) };
    if let Some(note) = note {
        let others = || tables.iter().filter(|(name, _)| *name != instance.0).filter_map(|(_, note)| note.as_ref());
        for link in &note.opened {
            // Where somebody has turned forwarding on for the whole host meanwhile, it is not ours any more.
            let is_ours =
                forwards("all") == note.forwarded_before && !others().any(|other| other.opened.contains(link));
            if is_ours && links.iter().any(|found| found.index == *link) {
                links::set_forwarding(*link, false)?;
            }
        }
    }
    nftables::remove(&instance.0)
}

/// Whether packets that come in by the link of this name may leave by another.
fn forwards(link: &str) -> bool {
    let setting = fs::read_to_string(format!("/proc/sys/net/ipv4/conf/{link}/forwarding"));
    setting.is_ok_and(|setting| setting.trim() == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_links_fit_the_kernel() {
        let folder = std::env::temp_dir();
        let instance = Instance::of(&folder).unwrap();
        assert_eq!(instance, Instance::of(&folder.join(".")).unwrap());
        assert_eq!(format!("{}{}", instance.links(), slot_name(0)).len(), 15);
        assert_eq!(fnv(b"foobar"), 0xbf9c_f968, "the published vector");
    }
}
