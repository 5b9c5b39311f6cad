//! What an environment reaches and what it does not, and who reaches it.

use std::net::{Ipv4Addr, UdpSocket};
use std::thread;

use super::world::{
    DATABASE, Environment, FAR, HOST, HOST_TOO, METADATA, NEIGHBOUR, greeter, greeter_at, ip, refused, tcp, udp, world,
};

const ANYWHERE: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const SOMEBODY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 77);

#[test]
fn an_environment_reaches_what_the_host_reaches_under_the_hosts_address() {
    let Some(world) = world("an_environment_reaches_what_the_host_reaches_under_the_hosts_address") else { return };
    let port = greeter(&world.outside, &[FAR, NEIGHBOUR, DATABASE, METADATA], "outside");
    let nat = world.nat("engine");
    let environment = nat.environment();
    for to in [FAR, NEIGHBOUR, DATABASE] {
        assert_eq!(tcp(&environment.namespace, to, port).unwrap(), format!("outside {HOST}"), "{to}");
        assert_eq!(udp(&environment.namespace, to, port).unwrap(), format!("outside {HOST}"), "{to}");
    }
    let loopback = greeter(&environment.namespace, &[Ipv4Addr::LOCALHOST], "itself");
    assert_eq!(tcp(&environment.namespace, Ipv4Addr::LOCALHOST, loopback).unwrap(), "itself 127.0.0.1");
    nat.end(environment);
}

#[test]
fn an_environment_does_not_reach_the_host_or_anything_link_local() {
    let Some(world) = world("an_environment_does_not_reach_the_host_or_anything_link_local") else { return };
    let outside = greeter(&world.outside, &[FAR, NEIGHBOUR, DATABASE, METADATA], "outside");
    let control = world.control();
    let host = greeter(&world.host, &[HOST, HOST_TOO, control.gateway], "host");
    let nat = world.nat("engine");
    let environment = nat.environment();

    // The control shows that each of these is there and would be reached without the firewall.
    let both = [(HOST, host, "host"), (HOST_TOO, host, "host"), (METADATA, outside, "outside")];
    for (to, port, greeting) in both {
        assert_eq!(tcp(&control.namespace, to, port).unwrap(), format!("{greeting} {}", control.address));
        assert_eq!(udp(&control.namespace, to, port).unwrap(), format!("{greeting} {}", control.address));
    }
    assert_eq!(tcp(&control.namespace, control.gateway, host).unwrap(), format!("host {}", control.address));

    let ours: Vec<(Ipv4Addr, u16)> = both.iter().map(|(to, port, _)| (*to, *port)).collect();
    let more = [
        (environment.gateway, host),
        (control.gateway, host),
        (Ipv4Addr::new(169, 254, 0, 1), outside),
        // Nobody has these addresses of the engine's range: they are not to be asked for in the host's network.
        (Ipv4Addr::from(u32::from(environment.address) + 100), outside),
    ];
    thread::scope(|scope| {
        for (to, port) in ours.into_iter().chain(more) {
            let from = &environment.namespace;
            scope.spawn(move || refused(from, to, port));
        }
    });
    // Still there for whom it is meant.
    assert_eq!(tcp(&environment.namespace, FAR, outside).unwrap(), format!("outside {HOST}"));
    nat.end(environment);
}

#[test]
fn a_service_on_the_hosts_loopback_and_broadcasts_are_out_of_reach() {
    let Some(world) = world("a_service_on_the_hosts_loopback_and_broadcasts_are_out_of_reach") else { return };
    let loopback = greeter(&world.host, &[Ipv4Addr::LOCALHOST], "host");
    let any = greeter(&world.host, &[ANYWHERE], "host");
    let nat = world.nat("engine");
    let environment = nat.environment();
    // What an attacker with all rights in an environment and a careless host would need.
    let control = world.control();
    let route_loopback = || std::fs::write("/proc/sys/net/ipv4/conf/all/route_localnet", "1").unwrap();
    world.host.within(route_loopback).unwrap();
    for from in [&control, &environment] {
        from.namespace.within(route_loopback).unwrap();
        let by_the_link = format!("route add 127.0.0.1/32 via {}", from.gateway);
        ip(&from.namespace, &["addr del 127.0.0.1/8 dev lo", "link set lo down", &by_the_link]);
    }
    assert_eq!(tcp(&control.namespace, Ipv4Addr::LOCALHOST, loopback).unwrap(), "host 10.9.0.2");
    refused(&environment.namespace, Ipv4Addr::LOCALHOST, loopback);
    for to in [Ipv4Addr::BROADCAST, Ipv4Addr::new(224, 0, 0, 1)] {
        let silent = environment.namespace.within(|| {
            let socket = UdpSocket::bind((ANYWHERE, 0)).unwrap();
            socket.set_broadcast(true).unwrap();
            socket.set_read_timeout(Some(std::time::Duration::from_millis(400))).unwrap();
            socket.send_to(b"hello", (to, any)).unwrap();
            socket.recv(&mut [0; 8]).is_err()
        });
        assert!(silent.unwrap(), "{to}");
    }
    nat.end(environment);
}

#[test]
fn environments_do_not_reach_one_another() {
    let Some(world) = world("environments_do_not_reach_one_another") else { return };
    let engine = world.nat("engine");
    let other_engine = world.nat("other");
    let environments = [engine.environment(), engine.environment(), other_engine.environment()];
    let ports = environments.each_ref().map(|one| greeter(&one.namespace, &[ANYWHERE], "environment"));
    let own = environments.each_ref().map(|one| one.address);
    for (n, environment) in environments.iter().enumerate() {
        // Each is there for itself.
        assert_eq!(tcp(&environment.namespace, own[n], ports[n]).unwrap(), format!("environment {}", own[n]));
    }
    thread::scope(|scope| {
        for from in &environments {
            for (to, port) in own.iter().zip(ports).filter(|(to, _)| **to != from.address) {
                scope.spawn(move || refused(&from.namespace, *to, port));
            }
        }
    });
    let [a, b, c] = environments;
    engine.end(a);
    engine.end(b);
    other_engine.end(c);
}

#[test]
fn nobody_reaches_an_environment_and_the_host_becomes_no_router() {
    let Some(world) = world("nobody_reaches_an_environment_and_the_host_becomes_no_router") else { return };
    let control = world.control();
    let nat = world.nat("engine");
    let environment = nat.environment();
    let port = greeter(&environment.namespace, &[ANYWHERE], "environment");
    let behind = greeter(&control.namespace, &[ANYWHERE], "control");
    ip(&world.outside, &["route add 100.64.0.0/10 via 203.0.113.1"]);
    refused(&world.outside, environment.address, port);
    refused(&world.host, environment.address, port);
    // The host did not forward for its neighbours before there was an engine, and does not now.
    assert!(world.forwards());
    assert_eq!(tcp(&world.host, control.address, behind).unwrap(), format!("control {}", control.gateway));
    refused(&world.outside, control.address, behind);
    nat.end(environment);
}

#[test]
fn a_spoofed_sender_is_dropped() {
    let Some(world) = world("a_spoofed_sender_is_dropped") else { return };
    let nat = world.nat("engine");
    let (environment, other) = (nat.environment(), nat.environment());
    let receiver = world.outside.within(|| UdpSocket::bind((FAR, 0)).unwrap()).unwrap();
    receiver.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    let to = receiver.local_addr().unwrap();
    let send = |by: &Environment, from: Ipv4Addr, text: &'static str| {
        let sent = || UdpSocket::bind((from, 0)).unwrap().send_to(text.as_bytes(), to).unwrap();
        by.namespace.within(sent).unwrap();
    };
    let receive = || {
        let mut bytes = [0; 16];
        let (length, from) = receiver.recv_from(&mut bytes).unwrap();
        (String::from_utf8_lossy(&bytes[..length]).into_owned(), from.ip())
    };
    let control = world.control();
    ip(&control.namespace, &[&format!("addr add {SOMEBODY}/32 dev lo")]);
    send(&control, SOMEBODY, "spoofed");
    assert_eq!(receive(), ("spoofed".to_owned(), SOMEBODY.into()));
    // The other environment's address, one of the host, and somebody's.
    for spoofed in [other.address, HOST, SOMEBODY] {
        ip(&environment.namespace, &[&format!("addr add {spoofed}/32 dev lo")]);
        send(&environment, spoofed, "spoofed");
    }
    send(&environment, environment.address, "honest");
    assert_eq!(receive(), ("honest".to_owned(), HOST.into()));
    nat.end(environment);
    nat.end(other);
}

#[test]
fn an_environment_has_no_ipv6() {
    let Some(world) = world("an_environment_has_no_ipv6") else { return };
    let nat = world.nat("engine");
    let environment = nat.environment();
    let name = environment.link.as_ref().unwrap().name().to_owned();
    let listed = |what: &sandbox::network::NetworkNamespace| {
        let run =
            || std::process::Command::new("ip").args(["-6", "-o", "addr", "show", "scope", "link"]).output().unwrap();
        String::from_utf8(what.within(run).unwrap().stdout).unwrap()
    };
    assert_eq!(listed(&environment.namespace), "");
    assert!(!listed(&world.host).contains(&name));
    // Nor by force.
    ip(&world.host, &[&format!("addr add fd00:7::1/64 dev {name} nodad")]);
    ip(&environment.namespace, &["addr add fd00:7::2/64 dev eth0 nodad"]);
    let to: std::net::Ipv6Addr = "fd00:7::1".parse().unwrap();
    let host = greeter_at(&world.host, &[to.into()], "host");
    assert_eq!(tcp(&world.host, to, host).unwrap(), "host fd00:7::1");
    refused(&environment.namespace, to, host);
    nat.end(environment);
}
