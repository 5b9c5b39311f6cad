//! Network links, their addresses and routes, in the network namespace of the thread that calls.
//!
//! Never here: which links there should be.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use super::netlink::{Message, ROUTES, Told, ask, attributes, text, u16_at, u32_at};

/// The loopback link is the first of every network namespace.
pub(crate) const LOOPBACK: u32 = 1;

const UP: u32 = libc::IFF_UP.cast_unsigned();
const VETH_INFO_PEER: u16 = 1;
const INET_CONF: u16 = 1; // IFLA_INET_CONF of linux/if_link.h
const INET6_ADDR_GEN_MODE: u16 = 8; // IFLA_INET6_ADDR_GEN_MODE
const GENERATE_NO_ADDRESS: u8 = 1; // IN6_ADDR_GEN_MODE_NONE
const OPERATING: u8 = 6; // IF_OPER_UP of linux/if.h
const FORWARDING: u16 = 1; // IPV4_DEVCONF_FORWARDING of linux/ip.h

/// What there is to know of a link.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// The longest packet that it takes.
    pub mtu: u32,
}

/// Makes a pair of links, `name` here and `peer` in the network namespace `of_peer`, and gives the number of ours.
pub(crate) fn create_pair(name: &str, peer: &str, of_peer: BorrowedFd<'_>, mtu: u32) -> io::Result<u32> {
    let exclusively = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
    let mut create = Message::new(libc::RTM_NEWLINK, exclusively, &link_header(0, 0, 0));
    // One queue each way: by default the kernel makes one for every CPU, which takes time and memory.
    let common = |message: &mut Message, name: &str| {
        message.put_text(libc::IFLA_IFNAME, name).put_number(libc::IFLA_MTU, mtu);
        message.put_number(libc::IFLA_NUM_TX_QUEUES, 1).put_number(libc::IFLA_NUM_RX_QUEUES, 1);
    };
    common(&mut create, name);
    create.nest(libc::IFLA_LINKINFO, |info| {
        info.put_text(libc::IFLA_INFO_KIND, "veth").nest(libc::IFLA_INFO_DATA, |data| {
            data.nest(VETH_INFO_PEER, |other| {
                other.raw(&link_header(0, 0, 0));
                common(other, peer);
                other.put_number(libc::IFLA_NET_NS_FD, of_peer.as_raw_fd().cast_unsigned());
            });
        });
    });
    tell(&[create])?;
    index_of(name)
}

/// The number of a link.
pub(crate) fn index_of(name: &str) -> io::Result<u32> {
    let mut question = Message::new(libc::RTM_GETLINK, 0, &link_header(0, 0, 0));
    question.put_text(libc::IFLA_IFNAME, name);
    let told = ask(ROUTES, &[question]).map_err(|rejected| rejected.error)?;
    let found = told.first().and_then(|told| u32_at(&told.payload, 4));
    found.ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))
}

/// Gives a link its address and has it up. It makes itself no IPv6 address.
pub(crate) fn set_up(index: u32, address: Ipv4Addr, prefix: u8, forwards: bool) -> io::Result<()> {
    let up = Message::new(libc::RTM_NEWLINK, 0, &link_header(index, UP, UP));
    tell(&[configuration(index, forwards), address_of(index, address, prefix), up])
}

/// Waits until a link whose other end has just come up sends. The kernel notices that some moments later, and loses
/// what is sent until then: an answer to an environment's first packet, which it then repeats after a second.
pub(crate) fn settle(index: u32) -> io::Result<()> {
    // Kernels since 6.6 make up for it when they are asked how the link is.
    let told = list(Message::new(libc::RTM_GETLINK, 0, &link_header(index, 0, 0)))?;
    let state = told.first().and_then(|told| {
        let found = attributes(told.payload.get(16..)?).find(|(kind, _)| *kind == libc::IFLA_OPERSTATE);
        found.and_then(|(_, value)| value.first().copied())
    });
    if state == Some(OPERATING) {
        return Ok(());
    }
    // A link that comes up while the other end is up sends at once.
    let down = Message::new(libc::RTM_NEWLINK, 0, &link_header(index, 0, UP));
    let up = Message::new(libc::RTM_NEWLINK, 0, &link_header(index, UP, UP));
    tell(&[down, up])
}

/// Has the loopback link up, which gives it its addresses.
pub(crate) fn set_loopback_up() -> io::Result<()> {
    tell(&[Message::new(libc::RTM_NEWLINK, 0, &link_header(LOOPBACK, UP, UP))])
}

fn configuration(index: u32, forwards: bool) -> Message {
    let mut message = Message::new(libc::RTM_NEWLINK, 0, &link_header(index, 0, 0));
    let has_ipv6 = std::path::Path::new("/proc/sys/net/ipv6").exists();
    message.nest(libc::IFLA_AF_SPEC, |families| {
        if has_ipv6 {
            families.nest(narrow(libc::AF_INET6), |inet6| {
                inet6.put(INET6_ADDR_GEN_MODE, &[GENERATE_NO_ADDRESS]);
            });
        }
        families.nest(narrow(libc::AF_INET), |inet| {
            inet.nest(INET_CONF, |settings| {
                settings.put_number(FORWARDING, u32::from(forwards));
            });
        });
    });
    message
}

/// Whether packets that come in by this link may leave by another.
pub(crate) fn set_forwarding(index: u32, forwards: bool) -> io::Result<()> {
    let mut message = Message::new(libc::RTM_NEWLINK, 0, &link_header(index, 0, 0));
    message.nest(libc::IFLA_AF_SPEC, |families| {
        families.nest(narrow(libc::AF_INET), |inet| {
            inet.nest(INET_CONF, |settings| {
                settings.put_number(FORWARDING, u32::from(forwards));
            });
        });
    });
    tell(&[message])
}

fn address_of(index: u32, address: Ipv4Addr, prefix: u8) -> Message {
    // struct ifaddrmsg: family, prefix length, flags, scope, link.
    let mut header = vec![family(), prefix, 0, 0];
    header.extend_from_slice(&index.to_ne_bytes());
    let mut message = Message::new(libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &header);
    message.put(libc::IFA_LOCAL, &address.octets()).put(libc::IFA_ADDRESS, &address.octets());
    message
}

/// Sends everything that has no other way to `gateway`.
pub(crate) fn add_default_route(index: u32, gateway: Ipv4Addr) -> io::Result<()> {
    let mut message =
        Message::new(libc::RTM_NEWROUTE, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &route_header(libc::RTPROT_STATIC));
    message.put(libc::RTA_GATEWAY, &gateway.octets()).put_number(libc::RTA_OIF, index);
    tell(&[message])
}

/// Removes the links of these names, as many of them as there still are, all at once: one by one the kernel would wait
/// some 10 ms for each. `group` is a number that nobody else gives to links.
pub(crate) fn remove_all<'a>(names: impl Iterator<Item = &'a str>, group: u32) -> io::Result<()> {
    let mut is_any = false;
    for name in names {
        let mut join = Message::new(libc::RTM_NEWLINK, 0, &link_header(0, 0, 0));
        join.put_text(libc::IFLA_IFNAME, name).put_number(libc::IFLA_GROUP, group);
        is_any |= unless_gone(tell(&[join]))?;
    }
    if is_any {
        let mut remove = Message::new(libc::RTM_DELLINK, 0, &link_header(0, 0, 0));
        remove.put_number(libc::IFLA_GROUP, group);
        unless_gone(tell(&[remove]))?;
    }
    Ok(())
}

fn unless_gone(done: io::Result<()>) -> io::Result<bool> {
    match done {
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(false),
        done => done.map(|()| true),
    }
}

/// All links.
pub(crate) fn all() -> io::Result<Vec<Found>> {
    let told = list(Message::list(libc::RTM_GETLINK, &link_header(0, 0, 0)))?;
    let links = told.iter().filter_map(|told| {
        let rest = told.payload.get(16..)?;
        let of_kind = |wanted| attributes(rest).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
        Some(Found {
            index: u32_at(&told.payload, 4)?,
            name: text(of_kind(libc::IFLA_IFNAME)?)?.to_owned(),
            mtu: u32_at(of_kind(libc::IFLA_MTU)?, 0)?,
        })
    });
    Ok(links.collect())
}

/// Where packets go.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// The network that it leads to.
    pub to: Ipv4Addr,
    /// Bits of `to` that count; a route without any is a default route.
    pub prefix: u8,
    /// The links that it uses.
    pub links: Vec<u32>,
    /// Whether it leads out of the machine, other than routes to the machine's own addresses and to nowhere.
    pub is_unicast: bool,
}

/// All IPv4 routes, of all tables.
pub(crate) fn routes() -> io::Result<Vec<Route>> {
    let told = list(Message::list(libc::RTM_GETROUTE, &route_header(0)))?;
    let routes = told.iter().filter_map(|told| {
        let (prefix, kind) = (*told.payload.get(1)?, *told.payload.get(7)?);
        let mut route =
            Route { to: Ipv4Addr::UNSPECIFIED, prefix, links: Vec::new(), is_unicast: kind == libc::RTN_UNICAST };
        for (kind, value) in attributes(told.payload.get(12..)?) {
            match kind {
                libc::RTA_DST => route.to = Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?),
                libc::RTA_OIF => route.links.push(u32_at(value, 0)?),
                libc::RTA_MULTIPATH => route.links.extend(hops(value)),
                _ => {}
            }
        }
        Some(route)
    });
    Ok(routes.collect())
}

/// The links of a route that has several: `struct rtnexthop`, one after the other.
fn hops(mut bytes: &[u8]) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let (length, link) = (usize::from(u16_at(bytes, 0)?), u32_at(bytes, 4)?);
        bytes = bytes.get(length.max(8).next_multiple_of(4)..).unwrap_or_default();
        Some(link)
    })
}

/// `struct ifinfomsg`.
fn link_header(index: u32, flags: u32, changed: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..].copy_from_slice(&changed.to_ne_bytes());
    header
}

/// `struct rtmsg` of an IPv4 route to everything in the main table.
fn route_header(protocol: u8) -> [u8; 12] {
    [family(), 0, 0, 0, libc::RT_TABLE_MAIN, protocol, libc::RT_SCOPE_UNIVERSE, libc::RTN_UNICAST, 0, 0, 0, 0]
}

fn family() -> u8 {
    u8::try_from(libc::AF_INET).expect("families are small numbers")
}

fn narrow(family: i32) -> u16 {
    u16::try_from(family).expect("families are small numbers")
}

fn list(question: Message) -> io::Result<Vec<Told>> {
    ask(ROUTES, &[question]).map_err(|rejected| rejected.error)
}

fn tell(messages: &[Message]) -> io::Result<()> {
    ask(ROUTES, messages).map(drop).map_err(|rejected| rejected.error)
}
