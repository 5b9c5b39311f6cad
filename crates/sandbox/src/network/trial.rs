//! The trial at start: a real environment's network, an outside behind the host, and packets between them.
//!
//! What the kernel offers says little: another firewall on the host may let nothing through (Docker has iptables drop
//! whatever it does not know). So packets are sent, and looked for where they should and should not arrive.
//! Never here: anything that stays.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::time::Duration;

use super::ranges::{LINK_PREFIX, Range};
use super::remover::Leaving;
use super::{INSIDE, Inside, Nat, NetworkNamespace, Refused, configure_inside, links};

/// How long a packet may take on its way through this machine.
const ARRIVES_WITHIN: Duration = Duration::from_secs(1);

/// Sends packets from a trial environment of `nat` to an outside with addresses of `range`, and to the host.
pub(super) fn run(nat: &Nat, range: Range) -> Result<(), Refused> {
    let name = nat.0.instance.trial_link();
    let outside = NetworkNamespace::create().map_err(Refused::at("unshare CLONE_NEWNET"))?;
    let (host_address, outside_address) = range.pair(0);
    let leaving = Leaving { name: name.clone(), slot: None };
    let index =
        links::create_pair(&name, INSIDE, outside.as_fd(), nat.0.mtu).map_err(Refused::at("RTM_NEWLINK veth"))?;
    let _removed = Removed(nat, Some(leaving));
    links::set_up(index, host_address, LINK_PREFIX, true).map_err(Refused::at("RTM_NEWADDR veth"))?;
    let far = bound_in(&outside, Inside::Linked { address: outside_address, gateway: host_address }, outside_address)?;
    links::settle(index).map_err(Refused::at("RTM_GETLINK veth"))?;
    let host = UdpSocket::bind((host_address, 0)).map_err(Refused::at("bind on a link of the host"))?;

    let environment = NetworkNamespace::create().map_err(Refused::at("unshare CLONE_NEWNET"))?;
    let link = nat.link(&environment).map_err(Refused::at("RTM_NEWLINK veth"))?;
    let near = bound_in(&environment, link.inside(), Ipv4Addr::UNSPECIFIED)?;
    link.settle().map_err(Refused::at("RTM_GETLINK veth"))?;

    let address = |socket: &UdpSocket| socket.local_addr().map_err(Refused::at("getsockname"));
    near.send_to(b"host", address(&host)?).map_err(Refused::at("sendto the host"))?;
    near.send_to(b"outside", address(&far)?).map_err(Refused::at("sendto an outside"))?;
    let through = "sending from a trial environment through the host: another firewall on this machine drops what is \
                   forwarded (where that is Docker's, `iptables -I DOCKER-USER -i lmd+ -j ACCEPT` and the same with -o \
                   let environments through)";
    let from = receive(&far, b"outside", through)?;
    if from.ip() != host_address {
        return Err(Refused { step: "masquerading a trial environment's address".to_owned(), errno: libc::EPROTO });
    }
    far.send_to(b"answer", from).map_err(Refused::at("sendto an environment"))?;
    receive(&near, b"answer", through)?;
    // The packet to the host was sent first, by the same link.
    host.set_nonblocking(true).map_err(Refused::at("fcntl O_NONBLOCK"))?;
    match host.recv_from(&mut [0; 16]) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        _ => Err(Refused { step: "keeping a trial environment from the host".to_owned(), errno: libc::EPROTO }),
    }
}

fn bound_in(namespace: &NetworkNamespace, inside: Inside, address: Ipv4Addr) -> Result<UdpSocket, Refused> {
    let bound = namespace.within(|| {
        configure_inside(&inside)?;
        let socket = UdpSocket::bind((address, 0)).map_err(Refused::at("bind in a trial environment"))?;
        socket.set_read_timeout(Some(ARRIVES_WITHIN)).map_err(Refused::at("setsockopt SO_RCVTIMEO"))?;
        Ok(socket)
    });
    bound.map_err(Refused::at("setns CLONE_NEWNET"))?
}

fn receive(at: &UdpSocket, what: &[u8], step: &str) -> Result<SocketAddr, Refused> {
    let mut bytes = [0; 16];
    match at.recv_from(&mut bytes) {
        Ok((length, from)) if bytes[..length] == *what => Ok(from),
        Ok(_) => Err(Refused { step: step.to_owned(), errno: libc::EPROTO }),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(Refused { step: step.to_owned(), errno: libc::ETIMEDOUT })
        }
        Err(error) => Err(Refused::at(step)(error)),
    }
}

/// Has a link removed at the end.
struct Removed<'a>(&'a Nat, Option<Leaving>);

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        if let Some(leaving) = self.1.take() {
            self.0.remove(leaving);
        }
    }
}
