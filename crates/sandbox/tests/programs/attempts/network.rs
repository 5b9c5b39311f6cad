//! Attempts on the network and on the services of others.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixStream};
use std::time::Duration;

use rustix::net::sockopt;
use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
use serde_json::json;

use super::{Arguments, Tried, short};

/// Who does not answer for so long is out of reach.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn attempt(name: &str, arguments: &Arguments<'_>) -> Option<Tried> {
    let number = |at: usize| usize::try_from(arguments.number(at)).unwrap();
    Some(match name {
        "connect" => connect(arguments.text(0)),
        "find a way to" => find_way(arguments.text(0)),
        "connect to the abstract socket" => connect_abstract(arguments.text(0)),
        "connect to the socket" => UnixStream::connect(arguments.text(0)).map(|_| json!(null)),
        "listen at" => TcpListener::bind(arguments.text(0)).map(|_| json!(null)),
        "share the port" => share(arguments.text(0)),
        "open a socket" => short(libc::SYS_socket, &[number(0), number(1), number(2)]),
        "set up the loopback interface" => set_up_loopback(),
        _ => return None,
    })
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn connect(to: &str) -> Tried {
    let connected = TcpStream::connect_timeout(&address(to), PATIENCE);
    connected.map(|_| json!(null)).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => io::Error::from_raw_os_error(libc::ETIMEDOUT),
        _ => error,
    })
}

/// Sends nothing: the kernel looks for the way when it is told of the address.
fn find_way(to: &str) -> Tried {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(address(to))?;
    Ok(json!(socket.local_addr()?))
}

fn connect_abstract(name: &str) -> Tried {
    UnixStream::connect_addr(&UnixAddress::from_abstract_name(name)?).map(|_| json!(null))
}

/// Listens where somebody listens already.
fn share(at: &str) -> Tried {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    bind(&socket, &address(at))?;
    listen(&socket, 1)?;
    Ok(json!(null))
}

/// As it is.
fn set_up_loopback() -> Tried {
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    let descriptor = usize::try_from(std::os::fd::AsRawFd::as_raw_fd(&socket)).unwrap();
    let mut request = [0_u8; 40]; // struct ifreq: a name of 16 bytes, then what is asked for
    request[..2].copy_from_slice(b"lo");
    let place = request.as_mut_ptr() as usize;
    short(libc::SYS_ioctl, &[descriptor, usize::try_from(libc::SIOCGIFMTU).unwrap(), place])?;
    short(libc::SYS_ioctl, &[descriptor, usize::try_from(libc::SIOCSIFMTU).unwrap(), place])
}
