//! The processes that start runtimes: the spawner (our binary started again, one thread, no async runtime) and, as
//! PID 1 of each environment, an init forked from it.
//!
//! The engine never forks: it has descriptors of every connection and, in tests, threads. It asks the spawner over a
//! SOCK_SEQPACKET pair, and talks to each init over a pair of its own. When the engine goes, however it goes, both
//! kinds of socket end, and with them everything that was started.
//! Never here: HTTP, and what a runtime is asked to do.

pub(crate) mod client;
mod confined;
mod init;
mod kind;
mod landlock;
pub(crate) mod packets;
mod privileges;
mod probe;
pub(crate) mod protocol;
#[cfg(test)]
mod running;
mod seccomp;
mod spawner;
mod sys;
mod trial;
mod users;
mod view;

pub use sys::end_with_us;
pub(crate) use sys::watch;
pub(crate) use view::{Base, OVERLAY, keep as view_keep};

use std::os::fd::RawFd;

/// The descriptor at which a spawner finds its end of the socket: standard input, because that is the one that a
/// parent can set without code between fork and exec.
pub const CONTROL: RawFd = 0;

/// What this kernel's Landlock is too old for.
pub(crate) fn walls_are_too_old_for() -> Vec<&'static str> {
    landlock::abi().map(|abi| landlock::Confined { abi }.missing()).unwrap_or_default()
}

/// Runs the spawner until the engine at the other end of `control` is gone. To be called before the program has
/// started a thread.
pub fn main(control: RawFd) -> ! {
    let status = match spawner::run(sys::adopt(control)) {
        Ok(()) => 0,
        Err(error) => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "lambd spawner: {error}");
            1
        }
    };
    sys::end(status)
}
