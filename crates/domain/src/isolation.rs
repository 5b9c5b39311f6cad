//! How well functions are kept apart from one another and from the machine.
//!
//! Never here: how that is done.

use std::fmt;
use std::str::FromStr;

/// A level, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isolation {
    /// Ordinary processes of the engine's user.
    Process,
    /// Landlock and seccomp, no namespaces.
    Confined,
    /// Namespaces without root.
    Rootless,
    /// Namespaces, own users, no capabilities, limits.
    Sandbox,
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Process => "process",
            Self::Confined => "confined",
            Self::Rootless => "rootless",
            Self::Sandbox => "sandbox",
        })
    }
}

impl FromStr for Isolation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Process, Self::Confined, Self::Rootless, Self::Sandbox]
            .into_iter()
            .find(|level| level.to_string() == text)
            .ok_or_else(|| format!("{text:?} is no isolation level; there are process, confined, rootless and sandbox"))
    }
}
