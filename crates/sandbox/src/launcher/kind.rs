//! The ways in which an environment is kept from the rest of the machine.
//!
//! Never here: which of them this machine allows.

use std::ffi::c_int;

use super::seccomp::Filter;
use super::sys;
use super::view::{Base, Right};

/// What stands around what an init starts.
#[derive(Clone, Copy)]
pub(super) struct Walls<'a> {
    pub kind: Kind,
    /// The system calls that are left; `None` where all are.
    pub filter: Option<&'a Filter>,
}

/// How environments of a spawner are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// In namespaces and with users of their own: level `sandbox` as root, else `rootless`.
    Isolated(Right),
    /// Level `process`, with mount and pid namespaces of their own.
    OwnPaths,
    /// Level `process`, as process groups on real folders.
    RealFolders,
}

impl Kind {
    /// Whether everything in it ends with its init.
    pub(super) fn has_namespace(self) -> bool {
        self.namespaces() & libc::CLONE_NEWPID != 0
    }

    pub(super) fn namespaces(self) -> c_int {
        match self {
            Self::Isolated(_) => sys::ALL,
            Self::OwnPaths => sys::OWN_MOUNTS_AND_PIDS,
            Self::RealFolders => 0,
        }
    }

    /// What it sees; `None` where that is the host itself.
    pub(super) fn base(self) -> Option<Base> {
        match self {
            Self::Isolated(_) => Some(Base::Isolated),
            Self::OwnPaths => Some(Base::Host),
            Self::RealFolders => None,
        }
    }
}
