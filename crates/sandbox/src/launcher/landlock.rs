//! Walls around the files of a function where there are no namespaces: it reaches the host's programs and libraries,
//! its own folders, and nothing else. Level `confined`.
//!
//! What Landlock does not know of stays as it is for any program of the same user (Linux,
//! Documentation/userspace-api/landlock.rst, "Current limitations"): that a file is there, who owns it and when it
//! changed, where a link points, changing the mode, owner, times or extended attributes of what is one's own, watching
//! a folder for changes, and sockets in folders; the last are left to the filter of system calls. Who is root does not
//! run functions as root, so that the rest is for the owners of the files to forbid; where the engine is not root,
//! functions are its user, and a function can do such things to that user's files.
//! Never here: who the function is, and which calls it may make.
#![allow(unsafe_code, reason = "Landlock has raw system calls only")]

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};

use super::protocol::Refused;

/// What one environment reaches beside what all do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Walls {
    /// Folders and files to read and to execute.
    pub(super) read: Vec<PathBuf>,
    /// Folders to fill as it likes.
    pub(super) write: Vec<PathBuf>,
}

/// The walls that stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Confined {
    /// The version of the kernel's Landlock.
    pub(super) abi: u32,
}

impl Confined {
    /// What this kernel's Landlock is too old for; empty where nothing is missing.
    pub(super) fn missing(self) -> Vec<&'static str> {
        let since = [
            (2, "moving files between folders of its own"),
            (3, "keeping files of others from being emptied"),
            (5, "keeping devices from being configured"),
            (6, "keeping processes of others from being signalled"),
        ];
        since.into_iter().filter(|(abi, _)| self.abi < *abi).map(|(_, what)| what).collect()
    }
}

/// Programs, libraries and what they read at their start, of any distribution. What is not there is left out.
const PROGRAMS: [&str; 8] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store"];
/// What of the host's settings names, the clock, the linker, TLS and runtimes need. Not `passwd` and `group`: who has an
/// account is nobody's business.
const SETTINGS: [&str; 26] = [
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/crypto-policies",
    "/etc/debian_version",
    "/etc/fonts",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/java-11-openjdk",
    "/etc/java-17-openjdk",
    "/etc/java-21-openjdk",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/pki",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl",
    "/etc/timezone",
];
/// What runtimes ask about the machine.
const MACHINE: [&str; 11] = [
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys",
    "/proc/uptime",
    "/proc/version",
    "/proc/version_signature",
    "/sys/devices/system",
    "/sys/kernel/mm/transparent_hugepage",
];
/// The process itself. A rule is of one folder and not of what a name means to whoever uses it, so the processes that a
/// runtime starts do not get to theirs; of `/proc` as a whole everybody's command lines would be read.
const ITSELF: &str = "/proc/self";
/// Devices that are everybody's.
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// Rights to files, from linux/landlock.h.
const EXECUTE: u64 = 1 << 0;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const MAKE_CHAR: u64 = 1 << 6;
const MAKE_BLOCK: u64 = 1 << 11;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;
/// Those that a file can have, which is no folder.
const OF_A_FILE: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;
/// Rights that each version added, as their number altogether.
const RIGHTS: [(u32, u32); 4] = [(1, 13), (2, 14), (3, 15), (5, 16)];
/// The version with which the kernel keeps signals and abstract sockets inside.
const SCOPES_SINCE: u32 = 6;
const SCOPE_ABSTRACT_SOCKETS: u64 = 1 << 0;
const SCOPE_SIGNALS: u64 = 1 << 1;

const READ: u64 = EXECUTE | READ_FILE | READ_DIR;

/// `struct landlock_ruleset_attr`. An older kernel takes a longer one whose end is zeros.
#[repr(C)]
struct RulesetAttributes {
    files: u64,
    network: u64,
    scoped: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: i32,
}

/// Walls that are planned. Whoever gives up rights between this and [`Rules::enforce`] has still had them to find the
/// folders.
pub(super) struct Rules {
    ruleset: OwnedFd,
    abi: u32,
}

impl Rules {
    /// Looks up what is to be reached. By the process that goes behind the walls: `/proc/self` is its own.
    pub(super) fn new(walls: &Walls) -> Result<Self, Refused> {
        let abi = abi().map_err(refused("landlock_create_ruleset"))?;
        let known = RIGHTS.iter().rev().find(|(since, _)| *since <= abi).map_or(0, |(_, rights)| *rights);
        let handled = (1 << known) - 1;
        let scoped = if abi >= SCOPES_SINCE { SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS } else { 0 };
        let ruleset = create(&RulesetAttributes { files: handled, network: 0, scoped })
            .map_err(refused("landlock_create_ruleset"))?;
        let rules = Self { ruleset, abi };

        let everywhere = [(&PROGRAMS[..], READ), (&SETTINGS[..], READ), (&MACHINE[..], READ)];
        let own = [(&[ITSELF][..], READ | WRITE_FILE), (&DEVICES[..], READ_FILE | WRITE_FILE | IOCTL_DEV)];
        for (paths, rights) in everywhere.into_iter().chain(own) {
            for path in paths {
                // Where there is no such thing, there is nothing to be reached.
                if let Ok(place) = open(Path::new(path)) {
                    rules.allow(&place, rights & handled)?;
                }
            }
        }
        let all = handled & !(MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV);
        for (paths, rights) in [(&walls.read, READ), (&walls.write, all)] {
            for path in paths {
                let place = open(path).map_err(refused(format!("open({})", path.display())))?;
                rules.allow(&place, rights & handled)?;
            }
        }
        Ok(rules)
    }

    fn allow(&self, place: &OwnedFd, rights: u64) -> Result<(), Refused> {
        let about = fstat(place).map_err(refused("fstat"))?;
        let is_folder = FileType::from_raw_mode(about.st_mode) == FileType::Directory;
        let allowed = if is_folder { rights } else { rights & OF_A_FILE };
        add(&self.ruleset, &PathBeneath { allowed, parent: place.as_raw_fd() }).map_err(refused("landlock_add_rule"))
    }

    /// Puts this process, and whatever it starts, behind the walls for good; `no_new_privs` must be set. What has been
    /// opened before stays open.
    pub(super) fn enforce(self) -> Result<Confined, Refused> {
        // SAFETY: the descriptor is a ruleset of ours; the call touches no memory.
        let result = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, self.ruleset.as_raw_fd(), 0) };
        number(result).map_err(refused("landlock_restrict_self"))?;
        Ok(Confined { abi: self.abi })
    }
}

/// The version of the kernel's Landlock; an error where it has none, or it is not in force.
pub(super) fn abi() -> io::Result<u32> {
    const VERSION: u32 = 1; // LANDLOCK_CREATE_RULESET_VERSION
    // SAFETY: with this flag the kernel reads no memory.
    number(unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0usize, 0usize, VERSION) })
}

fn create(attributes: &RulesetAttributes) -> io::Result<OwnedFd> {
    let size = size_of::<RulesetAttributes>();
    let attributes: *const RulesetAttributes = attributes;
    // SAFETY: the kernel reads as many bytes as it is told, which is what there is.
    let ruleset = number(unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, attributes, size, 0) })?;
    // SAFETY: the kernel has just made this descriptor for us (close-on-exec), nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(ruleset.cast_signed()) })
}

fn add(ruleset: &OwnedFd, rule: &PathBeneath) -> io::Result<()> {
    const PATH_BENEATH: i32 = 1; // LANDLOCK_RULE_PATH_BENEATH
    let rule: *const PathBeneath = rule;
    let ruleset = ruleset.as_fd().as_raw_fd();
    // SAFETY: the kernel reads a rule of this layout, which outlives the call.
    number(unsafe { libc::syscall(libc::SYS_landlock_add_rule, ruleset, PATH_BENEATH, rule, 0) }).map(|_| ())
}

fn number(result: libc::c_long) -> io::Result<u32> {
    u32::try_from(result).map_err(|_| io::Error::last_os_error())
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    Ok(openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

fn refused<E: Into<io::Error>>(step: impl Into<String>) -> impl FnOnce(E) -> Refused {
    let step = step.into();
    move |error| Refused { step, errno: error.into().raw_os_error().unwrap_or(0) }
}

#[cfg(test)]
mod tests;
