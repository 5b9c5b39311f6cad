//! Network namespaces: making one, and doing something in one.
//!
//! A network namespace belongs to a thread, other than mount and user namespaces, so a thread of its own is enough to
//! look into one; the other threads of the process notice nothing.
#![allow(unsafe_code, reason = "unshare can take descriptors away from other threads, which this one does not")]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;

use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

/// A network namespace. It lives as long as this, or a process or a socket in it.
#[derive(Debug)]
pub struct NetworkNamespace(OwnedFd);

impl NetworkNamespace {
    /// A new one, with nothing but a loopback link that is down.
    pub fn create() -> io::Result<Self> {
        on_a_thread(|| {
            // SAFETY: CLONE_NEWNET changes the network namespace of this thread alone; no memory, no descriptors.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET)? };
            Self::current()
        })
    }

    /// That of the thread that calls.
    pub fn current() -> io::Result<Self> {
        File::open("/proc/thread-self/ns/net").map(|file| Self(file.into()))
    }

    /// Does `work` in it. Sockets that it opens stay in there wherever they are used.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        on_a_thread(|| {
            move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(work())
        })
    }
}

impl AsFd for NetworkNamespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let worker = thread::Builder::new().name("network".to_owned()).spawn_scoped(scope, work)?;
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
