//! What this machine can do, for the start-up log and `lambd doctor`.
//!
//! Never here: finding it out.

use std::fmt;
use std::path::PathBuf;

use domain::runtime::Runtime;
use rustix::fs::{FsWord, statfs};

use crate::cgroups::Features;
use crate::launcher;
use crate::launcher::protocol::Hello;
use crate::networking::NetworkReport;
use crate::settings::Isolation;

/// How well one feature holds against a function that wants out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// The kernel enforces it.
    Hard,
    /// It is watched, or can be got round.
    Soft,
    /// Nothing.
    None,
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
            Self::None => "none",
        })
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The level in force.
    pub level: Isolation,
    /// Each feature of isolation, by the name that people see.
    pub features: [(&'static str, Strength); 7],
    /// What functions see as `/var/task`, `/opt` and `/tmp`.
    pub view: View,
    /// Why no better level is, the best first.
    pub refused: Vec<(Isolation, String)>,
    /// What the kernel's Landlock, which holds level `confined`, is too old for.
    pub missing: Vec<&'static str>,
    /// `v1` or `v2`, where the kernel has control groups.
    pub cgroup: Option<&'static str>,
    /// What network functions have.
    pub network: NetworkReport,
}

impl fmt::Display for Report {
    /// `isolation: process (memory none, cpu none, …)` and what functions see as their paths, in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "isolation: {} (", self.level)?;
        for (place, (name, strength)) in self.features.iter().enumerate() {
            write!(f, "{}{name} {strength}", if place == 0 { "" } else { ", " })?;
        }
        write!(f, "); network: {}; functions see {}", self.network, self.view)?;
        for (level, reason) in &self.refused {
            write!(f, "; no {level}: {reason}")?;
        }
        for missing in &self.missing {
            write!(f, "; the kernel's Landlock is too old for {missing}")?;
        }
        Ok(())
    }
}

/// What functions see as their paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// Their own, as on AWS.
    OwnPaths,
    /// The host's folders, named by `LAMBDA_TASK_ROOT`.
    RealFolders {
        /// Which step was refused, and how.
        reason: String,
    },
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnPaths => f.write_str("own /var/task, /opt and /tmp"),
            Self::RealFolders { reason } => write!(f, "real folders, named by LAMBDA_TASK_ROOT ({reason})"),
        }
    }
}

/// A runtime that this machine can run by an interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRuntime {
    /// Which.
    pub runtime: Runtime,
    /// The interpreter.
    pub command: PathBuf,
    /// Its version.
    pub version: String,
}

/// What a level gives.
pub(crate) fn of(hello: &Hello, (limited, has_disks): (Option<&Features>, bool), network: NetworkReport) -> Report {
    let level = hello.level;
    let view = match &hello.no_paths {
        None => View::OwnPaths,
        Some(refused) => View::RealFolders { reason: refused.to_string() },
    };
    let is_root = rustix::process::geteuid().is_root();
    let missing = if level == Isolation::Confined { launcher::walls_are_too_old_for() } else { Vec::new() };
    let features = ["memory", "cpu", "pids", "tmp", "net", "fs", "uid"].map(|name| {
        let strength = match (level, name) {
            (Isolation::Sandbox | Isolation::Rootless, "net" | "fs") | (Isolation::Sandbox, "uid") => Strength::Hard,
            (Isolation::Rootless, "uid") => Strength::Soft,
            // One who is not root runs functions as itself: they can change the mode of its files, if not the rest.
            (Isolation::Confined, "fs") if is_root && missing.is_empty() => Strength::Hard,
            (Isolation::Confined, "fs") => Strength::Soft,
            (Isolation::Confined, "uid") if is_root => Strength::Hard,
            (Isolation::Confined, "uid") => Strength::None,
            (Isolation::Confined, "net") => Strength::None,
            (Isolation::Sandbox | Isolation::Rootless, "tmp") if has_disks => Strength::Hard,
            (Isolation::Sandbox | Isolation::Rootless | Isolation::Confined, name) => limit(name, limited),
            _ => Strength::None,
        };
        (name, strength)
    });
    let refused = hello.refused.iter().map(|(level, reason)| (*level, reason.to_string())).collect();
    Report { level, features, view, refused, missing, cgroup: cgroup_version(), network }
}

fn limit(name: &str, limited: Option<&Features>) -> Strength {
    let Some(limited) = limited else { return Strength::None };
    let holds = match name {
        "memory" => limited.memory.is_ok(),
        "cpu" => limited.cpu.is_ok(),
        "pids" => limited.pids.is_ok(),
        _ => false,
    };
    if holds { Strength::Hard } else { Strength::None }
}

fn cgroup_version() -> Option<&'static str> {
    const CGROUP2_SUPER_MAGIC: FsWord = 0x6367_7270; // linux/magic.h
    let kind = statfs("/sys/fs/cgroup").ok()?.f_type;
    if kind == CGROUP2_SUPER_MAGIC {
        return Some("v2");
    }
    std::path::Path::new("/sys/fs/cgroup/memory").exists().then_some("v1")
}
