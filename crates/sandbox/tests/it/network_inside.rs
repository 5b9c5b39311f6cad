//! The network as functions find it, in environments of level `sandbox` whose host is a network namespace of the test.

use std::future::Future;
use std::io::BufRead as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use domain::environment::InitEnd;
use domain::names::EnvironmentId;
use domain::network::Network;
use engine::ports::Sandbox as _;
use sandbox::network::doors::Door;
use sandbox::{Linux, NetworkReport, OpenError};
use serde_json::{Value, json};
use testkit::clock::HandClock;
use uuid::Uuid;

use crate::host::{Function, Host, Kind, host, host_with, in_time, settings, until};
use crate::killed::ENGINE;
use crate::network::world::{DATABASE, FAR, HOST, HOST_TOO, METADATA, World, greeter, greeter_at, ip, world};

/// How long something that must not arrive is waited for.
const NEVER_MS: u64 = 400;
/// The host's resolver, and what it says that every name is.
const RESOLVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 53);
const FOUND: Ipv4Addr = FAR;

/// Does `work` as an engine on the world's host. Threads and processes that it starts are there, too.
fn as_engine<W: Future<Output = ()>>(world: &World, work: impl FnOnce() -> W + Send) {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(work());
    };
    world.host.within(run).unwrap();
}

/// A sandbox whose environments have a way out and these doors.
async fn open_host(world: &World, doors: Vec<Door>) -> Option<Host> {
    let resolv_conf = world.folder.path().join("resolv.conf");
    std::fs::write(&resolv_conf, format!("nameserver {RESOLVER}\nsearch corp.example\n")).unwrap();
    let host = host_with(Kind::Sandbox, |settings| {
        settings.network.nat = true;
        settings.network.doors = doors;
        settings.network.resolv_conf = resolv_conf;
    })
    .await?;
    if let NetworkReport::None { reason } = host.linux.report().await.network {
        crate::host::skipped(&format!("no address translation: {reason}"));
        return None;
    }
    Some(host)
}

async fn ready_with(host: &Host, network: Network) -> Function {
    // Several of them live at once.
    static LATEST: AtomicU32 = AtomicU32::new(100);
    let mut spec = host.spec();
    spec.id = EnvironmentId(Uuid::from_u128(LATEST.fetch_add(1, Ordering::Relaxed).into()));
    spec.network = network;
    let function = host.start(spec).await;
    assert_eq!(function.init().await, InitEnd::Ready, "{:?}", function.lines.take());
    function
}

async fn reach(function: &Function, to: impl Into<IpAddr>, port: u16) -> Value {
    let at = std::net::SocketAddr::from((to.into(), port)).to_string();
    function.ask(json!({"reach": {"at": at}})).await
}

/// That nothing comes back from there, not even that nobody listens.
async fn is_silent(function: &Function, to: Ipv4Addr, port: u16) {
    let asked = function.ask(json!({"reach": {"at": format!("{to}:{port}"), "within ms": NEVER_MS}})).await;
    let error = asked["error"].as_str().unwrap_or_else(|| panic!("{to}:{port} was reached: {asked}"));
    // The kernel says `timed out` or, where the firewall refuses the sender at once, that it may not.
    assert!(["timed out", "permission denied"].contains(&error), "{to}:{port}: {error}");
}

/// Answers every question for an address on the world's host.
fn resolver(world: &World) {
    let socket = world.host.within(|| UdpSocket::bind((RESOLVER, 53)).unwrap()).unwrap();
    thread::spawn(move || {
        let mut bytes = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut bytes) {
            let question = &bytes[..length];
            let name = question[12..].iter().position(|byte| *byte == 0).unwrap() + 12;
            let (end, is_v4) = (name + 5, question[name + 1..name + 3] == [0, 1]);
            // RFC 1035: the header with the answer's flag, the question, and one address for a pointer to its name.
            let mut answer = question[..end].to_vec();
            (answer[2], answer[3], answer[7]) = (0x81, 0x80, u8::from(is_v4));
            answer[8..12].fill(0);
            if is_v4 {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
                answer.extend(FOUND.octets());
            }
            socket.send_to(&answer, from).unwrap();
        }
    });
}

/// The address of the link, and the gateway's, as a function sees them.
async fn addresses(function: &Function) -> (Ipv4Addr, Ipv4Addr) {
    let routes = function.ask(json!({"read": "/proc/net/route"})).await;
    let default = routes.as_str().unwrap().lines().find(|line| line.split('\t').nth(1) == Some("00000000"));
    let gateway = default.unwrap().split('\t').nth(2).unwrap();
    let gateway = Ipv4Addr::from(u32::from_str_radix(gateway, 16).unwrap().to_le_bytes());
    (Ipv4Addr::from_bits(gateway.to_bits() | 1), gateway)
}

#[test]
fn a_function_reaches_the_outside_and_neither_the_host_nor_others() {
    let Some(world) = world("a_function_reaches_the_outside_and_neither_the_host_nor_others") else { return };
    let outside = greeter(&world.outside, &[FAR, DATABASE, METADATA], "outside");
    let on_host = greeter(&world.host, &[HOST, HOST_TOO], "host");
    as_engine(&world, || async {
        let Some(host) = open_host(&world, Vec::new()).await else { return };
        let (one, other) = (ready_with(&host, Network::Usual).await, ready_with(&host, Network::Nat).await);
        for function in [&one, &other] {
            assert_eq!(reach(function, FAR, outside).await, format!("outside {HOST}"));
            assert_eq!(reach(function, DATABASE, outside).await, format!("outside {HOST}"));
        }
        let (neighbour, gateway) = addresses(&other).await;
        is_silent(&one, METADATA, outside).await;
        for address in [HOST, HOST_TOO, gateway] {
            is_silent(&one, address, on_host).await;
        }
        // There, nobody listens, which would be said at once.
        is_silent(&one, neighbour, 9001).await;
        in_time(host.linux.stop()).await;
    });
}

#[test]
fn names_are_those_of_the_host() {
    let Some(world) = world("names_are_those_of_the_host") else { return };
    resolver(&world);
    as_engine(&world, || async {
        let Some(host) = open_host(&world, Vec::new()).await else { return };
        let function = ready_with(&host, Network::Usual).await;
        let file = function.ask(json!({"read": "/etc/resolv.conf"})).await;
        assert_eq!(file, "nameserver 127.0.0.1\nsearch corp.example\n");
        assert_eq!(function.ask(json!({"resolve": "database.example"})).await, FOUND.to_string());
        assert_eq!(function.ask(json!({"resolve": "host.lambd.internal"})).await, "127.0.0.1");
        in_time(host.linux.stop()).await;
    });
}

#[test]
fn a_door_leads_to_its_port_and_no_other() {
    let Some(world) = world("a_door_leads_to_its_port_and_no_other") else { return };
    ip(&world.host, &["link set lo up"]);
    let open = greeter(&world.host, &[Ipv4Addr::LOCALHOST], "open");
    let closed = greeter(&world.host, &[Ipv4Addr::LOCALHOST], "closed");
    let six = greeter_at(&world.host, &[Ipv6Addr::LOCALHOST.into()], "six");
    as_engine(&world, || async {
        let url = format!("http://[::1]:{six}").parse().unwrap();
        let doors = vec![Door::to_port(open), Door::for_url(&url).unwrap(), Door::to_port(open)];
        let Some(host) = open_host(&world, doors).await else { return };
        for network in [Network::Usual, Network::None] {
            let function = ready_with(&host, network).await;
            assert_eq!(reach(&function, Ipv4Addr::LOCALHOST, open).await, "open 127.0.0.1");
            assert_eq!(reach(&function, Ipv6Addr::LOCALHOST, six).await, "six ::1");
            let by_name = json!({"reach": {"at": format!("host.lambd.internal:{open}")}});
            assert_eq!(function.ask(by_name).await, "open 127.0.0.1");
            let refused = json!({"error": "connection refused"});
            assert_eq!(reach(&function, Ipv4Addr::LOCALHOST, closed).await, refused);
            in_time(function.environment.stop()).await;
        }
        in_time(host.linux.stop()).await;
    });
}

#[test]
fn without_network_there_is_loopback_alone() {
    let Some(world) = world("without_network_there_is_loopback_alone") else { return };
    resolver(&world);
    let outside = greeter(&world.outside, &[FAR], "outside");
    as_engine(&world, || async {
        let Some(host) = open_host(&world, Vec::new()).await else { return };
        let function = ready_with(&host, Network::None).await;
        assert_eq!(world.links().iter().filter(|name| name.starts_with("lmd")).count(), 0);
        let links = function.ask(json!({"read": "/proc/net/dev"})).await;
        assert!(!links.as_str().unwrap().contains("eth0"), "{links}");
        assert_eq!(reach(&function, FAR, outside).await, json!({"error": "network unreachable"}));
        assert_eq!(reach(&function, Ipv4Addr::LOCALHOST, 53).await, json!({"error": "connection refused"}));
        assert_eq!(function.ask(json!({"read": "/etc/resolv.conf"})).await, "");
        // Beside it one that has a network has it.
        let other = ready_with(&host, Network::Usual).await;
        assert_eq!(reach(&other, FAR, outside).await, format!("outside {HOST}"));
        in_time(host.linux.stop()).await;
    });
}

#[test]
fn nothing_of_the_network_is_left_after_the_engine() {
    let Some(world) = world("nothing_of_the_network_is_left_after_the_engine") else { return };
    as_engine(&world, || async {
        let Some(host) = open_host(&world, Vec::new()).await else { return };
        let (_one, other) = (ready_with(&host, Network::Usual).await, ready_with(&host, Network::Usual).await);
        let links = || world.links().iter().filter(|name| name.starts_with("lmd")).count();
        assert_eq!(links(), 2);
        assert!(world.forwards());
        in_time(other.environment.stop()).await;
        until(|| links() == 1).await;
        in_time(host.linux.stop()).await;
        // While the test still holds an environment.
        assert_eq!(world.links(), ["up0"]);
        assert!(!world.forwards());
    });
}

#[test]
fn nothing_of_the_network_is_left_after_the_start_that_follows_a_kill() {
    let Some(world) = world("nothing_of_the_network_is_left_after_the_start_that_follows_a_kill") else { return };
    as_engine(&world, || async {
        let Some(host) = open_host(&world, Vec::new()).await else { return };
        in_time(host.linux.stop()).await;
        let data = host.folder.path().join("killed");
        let told = json!({
            "data": data, "code": host.code(), "kind": "Sandbox", "folder": host.folder.path(), "has nat": true
        });
        let mut engine = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::is_an_engine_where_it_was_started_as_one", "--nocapture"])
            .env(ENGINE, told.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = std::io::BufReader::new(engine.stdout.take().unwrap()).lines();
        assert!(lines.map(Result::unwrap).any(|line| line.contains("the engine is ready")));
        engine.kill().unwrap();
        engine.wait().unwrap();
        assert!(world.forwards(), "the kill left something");

        let mut wanted = settings(&data, Kind::Sandbox);
        wanted.network.nat = true;
        let next = Linux::start(wanted, Arc::new(HandClock::default())).await.unwrap();
        let left = || world.links().into_iter().filter(|name| name.starts_with("lm")).collect::<Vec<_>>();
        until(|| left().is_empty()).await;
        in_time(next.stop()).await;
        assert_eq!(world.links(), ["up0"]);
        assert!(!world.forwards());
    });
}

#[tokio::test]
async fn a_network_that_cannot_be_had_is_refused_and_says_why() {
    if let Some(host) = host(Kind::OwnPaths).await {
        assert!(host.linux.gives(Network::None).unwrap_err().contains("network of the host"));
        assert_eq!(host.linux.gives(Network::Nat), Ok(()));
        assert_eq!(host.linux.report().await.network, NetworkReport::Host);
    }
    // These have none, so that the network of this machine stays as it is.
    if let Some(host) = host(Kind::Sandbox).await {
        assert_eq!(host.linux.gives(Network::None), Ok(()));
        assert_eq!(host.linux.gives(Network::Nat), Err("functions have no way out here: not asked for".to_owned()));
        let report = host.linux.report().await;
        assert!(report.to_string().contains("net hard") && report.to_string().contains("network: none: not asked for"));
    }
}

#[tokio::test]
async fn a_door_where_environments_have_something_of_their_own_is_refused() {
    for (port, what) in [(9001, "the Runtime API"), (53, "name service")] {
        let folder = tempfile::tempdir().unwrap();
        let mut wanted = settings(folder.path(), Kind::Sandbox);
        wanted.network.doors = vec![Door::to_port(port)];
        match Linux::start(wanted, Arc::new(HandClock::default())).await {
            Err(refused @ OpenError::Isolation { .. }) => crate::host::skipped(&refused.to_string()),
            Err(refused) => assert!(refused.to_string().contains(what), "{refused}"),
            Ok(_) => panic!("a door at port {port} was taken"),
        }
    }
}
