//! Claims to a name, of which there is one in a network namespace: abstract sockets, which the kernel lets go of when
//! their holder ends, however it ends.
//!
//! Never here: what is done under a claim.

use std::io::{self, Read as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::time::Duration;

/// How long another may hold what we wait for.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How often we may be too late.
const TRIES: usize = 100;

/// The one holder of a name.
#[derive(Debug)]
pub(crate) struct Claim(#[expect(dead_code, reason = "held, never listened to")] UnixListener);

impl Claim {
    /// Takes the name; `None` where somebody else has it.
    pub(crate) fn take(name: &str) -> io::Result<Option<Self>> {
        match UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?) {
            Ok(held) => Ok(Some(Self(held))),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes the name as soon as nobody else has it.
    pub(crate) fn wait(name: &str) -> io::Result<Self> {
        for _ in 0..TRIES {
            if let Some(claim) = Self::take(name)? {
                return Ok(claim);
            }
            // The holder never answers; the connection ends with its socket.
            if let Ok(mut holder) = UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?) {
                holder.set_read_timeout(Some(WAIT_MAX))?;
                match holder.read(&mut [0]) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    _ => {}
                }
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_holder_and_is_free_after_it() {
        let name = format!("lambd-test-{}", std::process::id());
        let held = Claim::take(&name).unwrap().unwrap();
        assert!(Claim::take(&name).unwrap().is_none());
        let waits = std::thread::spawn({
            let name = name.clone();
            move || Claim::wait(&name).unwrap()
        });
        drop(held);
        let held = waits.join().unwrap();
        assert!(Claim::take(&name).unwrap().is_none());
        drop(held);
        assert!(Claim::take(&name).unwrap().is_some());
    }
}
