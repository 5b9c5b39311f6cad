//! The ways in which an environment is kept from the rest of the machine.
//!
//! Never here: which of them this machine allows.

use std::ffi::c_int;

use super::confined::Confinement;
use super::seccomp::{Filter, Surroundings};
use super::sys;
use super::view::{Base, Right};

/// What stands around what an init starts.
#[derive(Clone, Copy)]
pub(super) struct Walls<'a> {
    pub kind: Kind,
    /// The system calls that are left; `None` where all are.
    pub filter: Option<&'a Filter>,
    /// At level `confined`, once its folders are known.
    pub confinement: Option<&'a Confinement>,
}

/// How environments of a spawner are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// In namespaces and with users of their own: level `sandbox` as root, else `rootless`.
    Isolated(Right),
    /// As process groups on real folders, of which they reach their own only: level `confined`.
    Confined,
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
            Self::Confined | Self::RealFolders => 0,
        }
    }

    /// What it sees; `None` where that is the host itself.
    pub(super) fn base(self) -> Option<Base> {
        match self {
            Self::Isolated(_) => Some(Base::Isolated),
            Self::OwnPaths => Some(Base::Host),
            Self::Confined | Self::RealFolders => None,
        }
    }

    /// The filter for what it shares with others; `None` where all calls are left.
    pub(super) fn filter(self) -> Option<Filter> {
        match self {
            Self::Isolated(_) => Some(Filter::compile(Surroundings::Own)),
            Self::Confined => Some(Filter::compile(Surroundings::Shared)),
            Self::OwnPaths | Self::RealFolders => None,
        }
    }
}
