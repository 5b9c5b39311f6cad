//! Name service and doors, asked from inside an environment without a link: they work with no network at all.

use std::future::Future;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sandbox::network::doors::{Door, carry};
use sandbox::network::resolver::{Resolvers, Sockets, serve};
use sandbox::network::{Inside, NetworkNamespace, configure_inside};
use testkit::clock::HandClock;

use super::world::{World, world};

const PATIENCE: Duration = Duration::from_secs(10);

/// An environment with loopback alone.
fn environment() -> NetworkNamespace {
    let namespace = NetworkNamespace::create().unwrap();
    namespace.within(|| configure_inside(&Inside::Loopback).unwrap()).unwrap();
    namespace
}

/// Does `work` as the engine would, on the host, until the test is over.
fn on_host<W: Future>(world: &World, work: impl FnOnce() -> W + Send + 'static) {
    let start = move || {
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { work().await });
        });
    };
    world.host.within(start).unwrap();
}

/// A resolver on the host that answers with a code and its own number, by UDP and TCP.
fn resolver(world: &World, at: Ipv4Addr, code: u8, number: u8) {
    let bind = || (UdpSocket::bind((at, 53)).unwrap(), TcpListener::bind((at, 53)).unwrap());
    let (udp, tcp) = world.host.within(bind).unwrap();
    let answer = move |question: &[u8]| {
        let mut answer = question.to_vec();
        answer[2] |= 0x80;
        answer[3] = code;
        answer.push(number);
        answer
    };
    thread::spawn(move || {
        let mut bytes = [0; 512];
        while let Ok((length, from)) = udp.recv_from(&mut bytes) {
            // Answers to another question, and questions, are not for the asker.
            let mut other = answer(&bytes[..length]);
            other[0] ^= 1;
            udp.send_to(&other, from).unwrap();
            udp.send_to(&bytes[..length], from).unwrap();
            udp.send_to(&answer(&bytes[..length]), from).unwrap();
        }
    });
    thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut question).unwrap();
            let answer = answer(&question);
            stream.write_all(&u16::try_from(answer.len()).unwrap().to_be_bytes()).unwrap();
            stream.write_all(&answer).unwrap();
        }
    });
}

fn question(id: u8) -> Vec<u8> {
    let mut question = vec![id, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    question.extend(b"\x07example\x03com\0\0\x01\0\x01");
    question
}

/// What comes of a question by UDP: the code, and the number of the resolver that answered.
fn ask(within: &NetworkNamespace, id: u8) -> (u8, u8) {
    let asked = || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        // Neither is a question, so neither is passed on.
        socket.send_to(b"short", (Ipv4Addr::LOCALHOST, 53)).unwrap();
        socket.send_to(&[0xff; 40], (Ipv4Addr::LOCALHOST, 53)).unwrap();
        socket.send_to(&question(id), (Ipv4Addr::LOCALHOST, 53)).unwrap();
        let mut bytes = [0; 512];
        let length = socket.recv(&mut bytes).unwrap();
        assert_eq!(bytes[..2], question(id)[..2]);
        (bytes[3] & 0xf, bytes[length - 1])
    };
    within.within(asked).unwrap()
}

fn name_service(world: &World, environment: &NetworkNamespace, resolv_conf: &str) -> Arc<HandClock> {
    let clock = Arc::new(HandClock::default());
    let file = world.folder.path().join("resolv.conf");
    std::fs::write(&file, resolv_conf).unwrap();
    let resolvers = Arc::new(Resolvers::of(file, clock.clone()));
    let sockets = environment.within(|| Sockets::bind_inside().unwrap()).unwrap();
    on_host(world, move || serve(sockets, resolvers));
    clock
}

#[test]
fn names_are_asked_of_the_hosts_own_loopback() {
    let Some(world) = world("names_are_asked_of_the_hosts_own_loopback") else { return };
    let (environment, other) = (environment(), environment());
    resolver(&world, Ipv4Addr::new(127, 0, 0, 53), 0, 53);
    name_service(&world, &environment, "nameserver 127.0.0.53\n");
    for id in 0..3 {
        assert_eq!(ask(&environment, id), (0, 53));
    }
    let by_tcp = || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, 53)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        for id in 0..3 {
            let question = question(id);
            stream.write_all(&u16::try_from(question.len()).unwrap().to_be_bytes()).unwrap();
            stream.write_all(&question).unwrap();
            let mut answer = vec![0; question.len() + 3];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!((answer[2], answer[3], answer.last()), (id, 7, Some(&53)));
        }
    };
    environment.within(by_tcp).unwrap();
    // An environment that has no name service learns so at once.
    let refused = || TcpStream::connect((Ipv4Addr::LOCALHOST, 53)).unwrap_err().kind();
    assert_eq!(other.within(refused).unwrap(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn the_next_resolver_is_asked_where_one_fails() {
    let Some(world) = world("the_next_resolver_is_asked_where_one_fails") else { return };
    let environment = environment();
    // At the first nobody listens, the second says that it fails.
    resolver(&world, Ipv4Addr::new(127, 0, 0, 2), 2, 2);
    resolver(&world, Ipv4Addr::new(127, 0, 0, 3), 3, 3);
    name_service(&world, &environment, "nameserver 127.0.0.1\nnameserver 127.0.0.2\nnameserver 127.0.0.3\n");
    assert_eq!(ask(&environment, 1), (3, 3));
}

#[test]
fn a_silent_resolver_is_given_up_and_where_all_are_the_asker_is_told() {
    let Some(world) = world("a_silent_resolver_is_given_up_and_where_all_are_the_asker_is_told") else { return };
    let environment = environment();
    let silent = world.host.within(|| UdpSocket::bind((Ipv4Addr::LOCALHOST, 53)).unwrap()).unwrap();
    let clock = name_service(&world, &environment, "nameserver 127.0.0.1\n");
    thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&environment, 1));
        silent.set_read_timeout(Some(PATIENCE)).unwrap();
        silent.recv(&mut [0; 512]).unwrap();
        // The wait may begin a moment after the question: as often as it takes.
        while !asked.is_finished() {
            clock.advance(Duration::from_secs(2));
            thread::yield_now();
        }
        let (code, _) = asked.join().unwrap();
        assert_eq!(code, 2, "SERVFAIL");
    });
}

/// Sends back what it got, in capitals, when the sender has said all.
fn capitals(world: &World) -> u16 {
    let listener = world.host.within(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut text = Vec::new();
                let _ = stream.read_to_end(&mut text);
                text.make_ascii_uppercase();
                let _ = stream.write_all(&text);
            });
        }
    });
    port
}

fn door(world: &World, environment: &NetworkNamespace, port: u16, connections_max: usize) {
    let door = Door::to_port(port);
    let listener = environment.within(|| door.bind_inside().unwrap()).unwrap();
    on_host(world, move || carry(listener, door.to, connections_max, Arc::new(HandClock::default())));
}

fn connect(within: &NetworkNamespace, port: u16) -> std::io::Result<TcpStream> {
    let stream = within.within(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port))).unwrap()?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn in_capitals(mut stream: TcpStream, text: &[u8]) -> Vec<u8> {
    let mut back = Vec::new();
    thread::scope(|scope| {
        let mut writer = stream.try_clone().unwrap();
        scope.spawn(move || {
            writer.write_all(text).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        stream.read_to_end(&mut back).unwrap();
    });
    back
}

#[test]
fn a_door_leads_to_its_one_port() {
    let Some(world) = world("a_door_leads_to_its_one_port") else { return };
    let environment = environment();
    let (open, closed) = (capitals(&world), capitals(&world));
    door(&world, &environment, open, 100);
    let long = b"a line of some length\n".repeat(100_000);
    assert!(in_capitals(connect(&environment, open).unwrap(), &long) == long.to_ascii_uppercase());
    assert_eq!(connect(&environment, closed).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_door_takes_no_more_connections_than_it_may() {
    let Some(world) = world("a_door_takes_no_more_connections_than_it_may") else { return };
    let environment = environment();
    let port = capitals(&world);
    door(&world, &environment, port, 2);
    let held = [connect(&environment, port).unwrap(), connect(&environment, port).unwrap()];
    // Taken by the kernel, but not by us before another is done.
    let third = connect(&environment, port).unwrap();
    (&third).write_all(b"third").unwrap();
    third.shutdown(Shutdown::Write).unwrap();
    third.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!((&third).read(&mut [0; 8]).is_err());
    let [first, _second] = held;
    assert_eq!(in_capitals(first, b"first"), b"FIRST");
    third.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut text = String::new();
    (&third).read_to_string(&mut text).unwrap();
    assert_eq!(text, "THIRD");
}

#[test]
fn a_door_to_a_port_without_a_service_is_like_one() {
    let Some(world) = world("a_door_to_a_port_without_a_service_is_like_one") else { return };
    let environment = environment();
    let bound = world.host.within(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).unwrap();
    let address: SocketAddr = bound.local_addr().unwrap();
    drop(bound);
    door(&world, &environment, address.port(), 2);
    // By the time of the first use it is broken off.
    let mut stream = connect(&environment, address.port()).unwrap();
    assert_eq!(stream.read(&mut [0; 8]).unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}
