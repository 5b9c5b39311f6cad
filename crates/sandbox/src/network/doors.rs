//! Doors: single ports of the host's loopback that environments have on their own.
//!
//! The socket of a door is bound inside, so that nothing but the environment can come by it; the engine takes the
//! connections and carries them.
//! Never here: the engine's own API, which answers by itself what comes in by its socket.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use engine::ports::Clock;
use engine::tasks;
use http::Uri;
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Bytes on their way in each direction of a connection.
const BUFFER_BYTES: usize = 16 * 1024;
/// How long to let it be where the process has no descriptors left.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// One port of the host that environments have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// Where it is bound inside.
    pub inside: SocketAddr,
    /// Where it leads, in the order to be tried.
    pub to: Vec<SocketAddr>,
}

impl Door {
    /// The door to a port of the host's loopback.
    pub fn to_port(port: u16) -> Self {
        let loopback = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
        Self { inside: (Ipv4Addr::LOCALHOST, port).into(), to: loopback.map(|at| (at, port).into()).into() }
    }

    /// The door that makes a URL work inside as it does on the host; `None` where it needs none, because it does not
    /// lead to the host's loopback.
    pub fn for_url(url: &Uri) -> Option<Self> {
        let default = match url.scheme_str() {
            Some("https") => 443,
            _ => 80,
        };
        let port = url.port_u16().unwrap_or(default);
        let host = url.host()?.trim_start_matches('[').trim_end_matches(']');
        // All names below it mean loopback (RFC 6761), as LocalStack's users have them.
        if host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost") {
            return Some(Self::to_port(port));
        }
        let address: IpAddr = host.parse().ok()?;
        let at = SocketAddr::from((address, port));
        address.to_canonical().is_loopback().then(|| Self { inside: at, to: vec![at] })
    }

    /// Binds its socket in the network namespace of the thread that calls.
    pub fn bind_inside(&self) -> io::Result<TcpListener> {
        TcpListener::bind(self.inside)
    }
}

/// Carries every connection that comes to `listener` to the first of `to` that takes it, `connections_max` at a time;
/// more wait at the socket. Ends when it is dropped, and all connections with it.
pub async fn carry(
    listener: TcpListener,
    to: Vec<SocketAddr>,
    connections_max: usize,
    clock: Arc<dyn Clock>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let free = Arc::new(Semaphore::new(connections_max));
    let mut carried = tokio::task::JoinSet::new();
    loop {
        let Ok(permit) = free.clone().acquire_owned().await else { return Ok(()) };
        while carried.try_join_next().is_some() {}
        let Ok((inside, _)) = listener.accept().await else {
            clock.wake_at(clock.elapsed() + ACCEPT_AGAIN_AFTER).await;
            continue;
        };
        let to = to.clone();
        carried.spawn(async move {
            let _ = tasks::caught("carrying a connection through a door", carry_one(inside, &to)).await;
            drop(permit);
        });
    }
}

async fn carry_one(mut inside: TcpStream, to: &[SocketAddr]) {
    let Ok(mut outside) = TcpStream::connect(to).await else {
        // As a port that nobody listens at.
        reset(&inside);
        return;
    };
    // Neither end is to wait for more bytes than its peer wrote at once.
    let _ = (inside.set_nodelay(true), outside.set_nodelay(true));
    let carried = copy_bidirectional_with_sizes(&mut inside, &mut outside, BUFFER_BYTES, BUFFER_BYTES).await;
    if carried.is_err() {
        // One end broke it off: the other must not take that for an orderly end.
        reset(&inside);
        reset(&outside);
    }
}

/// Has a connection broken off where it would be closed.
fn reset(connection: &TcpStream) {
    let _ = rustix::net::sockopt::set_socket_linger(connection, Some(Duration::ZERO));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hosts_loopback_needs_a_door() {
        let door = |url: &str| Door::for_url(&url.parse().unwrap());
        let at = |address: &str| address.parse::<SocketAddr>().unwrap();
        let both = Door { inside: at("127.0.0.1:4566"), to: vec![at("127.0.0.1:4566"), at("[::1]:4566")] };
        assert_eq!(door("http://localhost:4566"), Some(both.clone()));
        assert_eq!(door("http://sqs.eu-west-1.LOCALHOST:4566/000000000000/queue"), Some(both));
        assert_eq!(door("https://127.0.0.2/x").unwrap().inside, at("127.0.0.2:443"));
        assert_eq!(door("http://[::1]:9000").unwrap().to, [at("[::1]:9000")]);
        assert_eq!(door("http://127.0.0.1").unwrap().inside, at("127.0.0.1:80"));
        for elsewhere in
            ["http://10.0.0.5:4566", "https://sqs.eu-west-1.amazonaws.com", "http://localhost.example:80", "/x"]
        {
            assert_eq!(door(elsewhere), None, "{elsewhere}");
        }
    }
}
