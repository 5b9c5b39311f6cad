//! A host between environments and an outside, each a network namespace.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::thread;
use std::time::Duration;

use sandbox::network::{Inside, Instance, Link, Nat, NetworkNamespace, configure_inside};
use tempfile::TempDir;

/// How long something that arrives may take.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);
/// How long something that must not arrive is waited for. That it is enough is shown by what arrives the same way.
const NEVER: Duration = Duration::from_millis(400);

/// The host's address in its own network.
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// Another address of the host.
pub(crate) const HOST_TOO: Ipv4Addr = Ipv4Addr::new(172, 30, 0, 1);
/// A neighbour in the host's network.
pub(crate) const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);
/// Somebody far away.
pub(crate) const FAR: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 9);
/// A database in a private network that the host reaches.
pub(crate) const DATABASE: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 5);
/// Where clouds have their metadata.
pub(crate) const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

pub(crate) struct World {
    pub host: NetworkNamespace,
    pub outside: NetworkNamespace,
    pub folder: TempDir,
}

/// An environment, or what is like one.
#[derive(Debug)]
pub(crate) struct Environment {
    pub namespace: NetworkNamespace,
    pub address: Ipv4Addr,
    pub gateway: Ipv4Addr,
    pub link: Option<Link>,
}

/// A world, or `None` where this machine cannot have one.
pub(crate) fn world(test: &str) -> Option<World> {
    let made = NetworkNamespace::create().and_then(|host| Ok((host, NetworkNamespace::create()?)));
    let (host, outside) = match made {
        Ok(made) => made,
        Err(error) => {
            testkit::skip::test(test, &format!("no network namespace can be made here: {error}"));
            return None;
        }
    };
    if Command::new("ip").arg("-V").output().is_err() {
        testkit::skip::test(test, "there is no ip(8) to make a world with");
        return None;
    }
    let world = World { host, outside, folder: tempfile::tempdir().unwrap() };
    pair(&world.host, "up0", &world.outside, "eth0");
    ip(&world.host, &["link set lo up", "addr add 203.0.113.1/24 dev up0", "addr add 172.30.0.1/32 dev lo"]);
    ip(
        &world.host,
        &["link set up0 up", "route add default via 203.0.113.2", "route add 169.254.0.0/16 via 203.0.113.2"],
    );
    ip(&world.outside, &["link set lo up", "addr add 203.0.113.2/24 dev eth0", "link set eth0 up"]);
    for address in [FAR, DATABASE, METADATA] {
        ip(&world.outside, &[&format!("addr add {address}/32 dev lo")]);
    }
    Some(world)
}

impl World {
    /// The way out of an engine that has its data in `folder`.
    pub(crate) fn nat(&self, folder: &str) -> InHost<'_> {
        InHost { nat: Some(self.try_nat(folder).unwrap()), world: self }
    }

    pub(crate) fn try_nat(&self, folder: &str) -> Result<Nat, sandbox::network::Refused> {
        let folder = self.folder.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        self.host.within(|| Nat::start(Instance::of(&folder).unwrap())).unwrap()
    }

    /// Names of links of the host.
    pub(crate) fn links(&self) -> Vec<String> {
        let listed = self.host.within(|| Command::new("ip").args(["-o", "link"]).output().unwrap()).unwrap();
        let name = |line: &str| Some(line.split([':', '@']).nth(1)?.trim().to_owned());
        let mut names: Vec<String> = String::from_utf8(listed.stdout).unwrap().lines().filter_map(name).collect();
        names.retain(|name| name != "lo");
        names
    }

    /// Whether the host forwards what comes in by its link to the outside.
    pub(crate) fn forwards(&self) -> bool {
        let read = || std::fs::read_to_string("/proc/sys/net/ipv4/conf/up0/forwarding").unwrap();
        self.host.within(read).unwrap().trim() == "1"
    }

    /// What is linked like an environment, but by hand and with no firewall: the control for what must not arrive.
    pub(crate) fn control(&self) -> Environment {
        let namespace = NetworkNamespace::create().unwrap();
        pair(&self.host, "open0", &namespace, "eth0");
        ip(&self.host, &["addr add 10.9.0.1/24 dev open0", "link set open0 up"]);
        let forward = || std::fs::write("/proc/sys/net/ipv4/conf/open0/forwarding", "1").unwrap();
        self.host.within(forward).unwrap();
        ip(&namespace, &["link set lo up", "addr add 10.9.0.2/24 dev eth0", "link set eth0 up"]);
        ip(&namespace, &["route add default via 10.9.0.1"]);
        ip(&self.outside, &["route add 10.9.0.0/24 via 203.0.113.1"]);
        let (address, gateway) = (Ipv4Addr::new(10, 9, 0, 2), Ipv4Addr::new(10, 9, 0, 1));
        Environment { namespace, address, gateway, link: None }
    }
}

/// An engine's way out. What it does to the network it does as the host.
pub(crate) struct InHost<'a> {
    pub nat: Option<Nat>,
    world: &'a World,
}

impl InHost<'_> {
    pub(crate) fn environment(&self) -> Environment {
        let namespace = NetworkNamespace::create().unwrap();
        let link = self.world.host.within(|| self.nat.as_ref().unwrap().link(&namespace).unwrap()).unwrap();
        let inside = link.inside();
        namespace.within(|| configure_inside(&inside).unwrap()).unwrap();
        self.world.host.within(|| link.settle().unwrap()).unwrap();
        let Inside::Linked { address, gateway } = inside else { panic!("{inside:?}") };
        Environment { namespace, address, gateway, link: Some(link) }
    }

    pub(crate) fn end(&self, mut environment: Environment) {
        let link = environment.link.take();
        self.world.host.within(|| drop(link)).unwrap();
    }
}

impl Drop for InHost<'_> {
    fn drop(&mut self) {
        let nat = self.nat.take();
        self.world.host.within(|| drop(nat)).unwrap();
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        assert!(self.link.is_none() || thread::panicking(), "an environment is ended as the host, by `end`");
        // A link that is removed in the machine's own network would be somebody else's.
        std::mem::forget(self.link.take());
    }
}

/// A pair of links between two namespaces.
fn pair(one: &NetworkNamespace, name: &str, other: &NetworkNamespace, peer: &str) {
    // `ip` takes the number of a process: one in the other namespace that lives until it is done.
    let mut holder = other.within(|| Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap()).unwrap();
    ip(one, &[&format!("link add {name} type veth peer name {peer} netns {}", holder.id())]);
    holder.kill().unwrap();
    holder.wait().unwrap();
}

/// Runs `ip` in a namespace.
pub(crate) fn ip(within: &NetworkNamespace, commands: &[&str]) {
    for command in commands {
        let run = || Command::new("ip").args(command.split(' ')).output().unwrap();
        let ran = within.within(run).unwrap();
        assert!(ran.status.success(), "ip {command}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}

/// Says `greeting` and who asks to whoever comes, by TCP and by UDP, at the same port of some addresses.
pub(crate) fn greeter(within: &NetworkNamespace, at: &[Ipv4Addr], greeting: &'static str) -> u16 {
    let at: Vec<IpAddr> = at.iter().map(|address| (*address).into()).collect();
    greeter_at(within, &at, greeting)
}

pub(crate) fn greeter_at(within: &NetworkNamespace, at: &[IpAddr], greeting: &'static str) -> u16 {
    let bind = |address: IpAddr, port: u16| -> io::Result<(TcpListener, UdpSocket)> {
        let tcp = TcpListener::bind((address, port))?;
        let udp = UdpSocket::bind((address, tcp.local_addr()?.port()))?;
        Ok((tcp, udp))
    };
    let bind_all = || -> io::Result<Vec<(TcpListener, UdpSocket)>> {
        let mut bound = vec![bind(at[0], 0)?];
        let port = bound[0].0.local_addr()?.port();
        for address in &at[1..] {
            bound.push(bind(*address, port)?);
        }
        Ok(bound)
    };
    let bound = within.within(|| (0..50).find_map(|_| bind_all().ok())).unwrap().unwrap();
    let port = bound[0].0.local_addr().unwrap().port();
    for (tcp, udp) in bound {
        thread::spawn(move || {
            for stream in tcp.incoming().flatten() {
                let from = stream.peer_addr().unwrap().ip();
                let _ = write!(&stream, "{greeting} {from}");
            }
        });
        thread::spawn(move || {
            let mut bytes = [0; 64];
            while let Ok((_, from)) = udp.recv_from(&mut bytes) {
                let _ = udp.send_to(format!("{greeting} {}", from.ip()).as_bytes(), from);
            }
        });
    }
    port
}

/// What a greeter says by TCP.
pub(crate) fn tcp(from: &NetworkNamespace, to: impl Into<IpAddr>, port: u16) -> io::Result<String> {
    tcp_within(from, to.into(), port, ARRIVES_WITHIN)
}

fn tcp_within(from: &NetworkNamespace, to: IpAddr, port: u16, within: Duration) -> io::Result<String> {
    from.within(|| {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from((to, port)), within)?;
        stream.set_read_timeout(Some(within))?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    })
    .unwrap()
}

/// What a greeter says by UDP.
pub(crate) fn udp(from: &NetworkNamespace, to: impl Into<IpAddr>, port: u16) -> io::Result<String> {
    udp_within(from, to.into(), port, ARRIVES_WITHIN)
}

fn udp_within(from: &NetworkNamespace, to: IpAddr, port: u16, within: Duration) -> io::Result<String> {
    from.within(|| {
        let any: IpAddr =
            if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0))?;
        socket.set_broadcast(true)?;
        socket.set_read_timeout(Some(within))?;
        socket.send_to(b"hello", (to, port))?;
        let mut bytes = [0; 64];
        let length = socket.recv(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
    })
    .unwrap()
}

/// That nothing comes of asking for what a greeter says, in either way.
#[track_caller]
pub(crate) fn refused(from: &NetworkNamespace, to: impl Into<IpAddr>, port: u16) {
    let to = to.into();
    let (by_tcp, by_udp) = thread::scope(|scope| {
        let by_tcp = scope.spawn(|| tcp_within(from, to, port, NEVER));
        (by_tcp.join().unwrap(), udp_within(from, to, port, NEVER))
    });
    for (way, asked) in [("TCP", by_tcp), ("UDP", by_udp)] {
        let error = asked.expect_err(&format!("{to} by {way}"));
        // The host's own packets are refused to the sender.
        let silent = [ErrorKind::TimedOut, ErrorKind::WouldBlock, ErrorKind::PermissionDenied];
        assert!(silent.contains(&error.kind()), "{to} by {way} must be dropped on the way: {error}");
    }
}
