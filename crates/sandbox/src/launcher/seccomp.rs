//! Which system calls a function may make: an allow-list by name, made into one filter that the kernel applies to
//! whatever the function starts.
//!
//! A call that is not listed fails with ENOSYS, as on a kernel that does not have it, so that libraries fall back on
//! what they did before there was one. Calls that programs know to be forbidden fail with EPERM.
//! Never here: files; those are the view's or Landlock's.
#![allow(unsafe_code, reason = "a filter is installed by a raw system call")]

mod calls;
mod program;

use std::io;

use calls::{Call, Rule};
use program::{Decision, Word};

/// The architectures that the filter knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(test), allow(dead_code, reason = "all but one are other machines'"))]
enum Architecture {
    X86_64,
    Aarch64,
}

impl Architecture {
    #[cfg(target_arch = "x86_64")]
    const THIS: Self = Self::X86_64;
    #[cfg(target_arch = "aarch64")]
    const THIS: Self = Self::Aarch64;

    /// Its `AUDIT_ARCH_` number of linux/audit.h.
    fn audit(self) -> u32 {
        match self {
            Self::X86_64 => 0xc000_003e,
            Self::Aarch64 => 0xc000_00b7,
        }
    }

    fn number(self, call: Call) -> Option<u32> {
        match self {
            Self::X86_64 => Some(call.x86_64),
            Self::Aarch64 => call.aarch64,
        }
    }
}

/// What a function shares with the rest of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surroundings {
    /// It has namespaces of its own.
    Own,
    /// It has not: IPC objects and listening Unix sockets are everybody's. Landlock keeps nobody from connecting to a
    /// socket in a folder, and behind some of them (a user's service manager, a container engine) programs are started
    /// outside of any wall. So there is no Unix socket but a connected pair.
    Shared,
}

/// A filter, ready to be installed any number of times.
pub(super) struct Filter(Vec<libc::sock_filter>);

impl Filter {
    /// Makes the filter for this machine.
    pub(super) fn compile(surroundings: Surroundings) -> Self {
        Self(decision(Architecture::THIS, surroundings).program())
    }

    /// Puts this thread, and whatever it starts, behind the filter for good; `no_new_privs` must be set. Allocates
    /// nothing and takes no lock, so that it may be called between fork and exec.
    pub(super) fn install(&self) -> io::Result<()> {
        let program = libc::sock_fprog {
            len: u16::try_from(self.0.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?,
            filter: self.0.as_ptr().cast_mut(),
        };
        // SAFETY: `program` has the layout of `struct sock_fprog` and points to as many instructions as it says; the
        // kernel copies them and writes nothing.
        let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

/// What programs are told of a call that is not made.
fn fail(errno: i32) -> Decision {
    Decision::Answer(libc::SECCOMP_RET_ERRNO | errno.cast_unsigned())
}

fn allow() -> Decision {
    Decision::Answer(libc::SECCOMP_RET_ALLOW)
}

/// The whole filter of one architecture.
fn decision(architecture: Architecture, surroundings: Surroundings) -> Decision {
    let mut listed: Vec<(u32, Rule)> =
        calls::all().filter_map(|call| Some((architecture.number(call)?, call.rule))).collect();
    listed.sort_unstable_by_key(|(number, _)| *number);
    let mut ranges: Vec<(u32, Decision)> = Vec::new();
    let mut from = |number: u32, decision: Decision| {
        if ranges.last().is_none_or(|(_, last)| *last != decision) {
            ranges.push((number, decision));
        }
    };
    let mut next = 0;
    for (number, rule) in listed {
        if number > next {
            from(next, fail(libc::ENOSYS));
        }
        from(number, of_rule(rule, surroundings));
        next = number + 1;
    }
    // Whatever is newer, and the numbers of x32, which begin at 2^30.
    from(next, fail(libc::ENOSYS));
    // A program of 32 bits would make calls by other numbers.
    Decision::one_of(
        Word::Architecture,
        &[architecture.audit()],
        Decision::ByNumber(ranges),
        Decision::Answer(libc::SECCOMP_RET_KILL_PROCESS),
    )
}

/// New namespaces, in the flags of `clone` and `unshare`.
const NAMESPACES: i32 = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;
/// In the flags of `unshare` only; for `clone` that bit is part of a signal's number.
const NEW_TIME: i32 = 0x80;

/// Types into a terminal, which its owner's shell would then run.
const TYPE_INTO_TERMINAL: u32 = 0x5412; // TIOCSTI
/// The same by way of the console's selection.
const PASTE_INTO_CONSOLE: u32 = 0x541c; // TIOCLINUX

/// What `personality` takes for a question.
const WHICH_PERSONALITY: u32 = u32::MAX;

fn of_rule(rule: Rule, surroundings: Surroundings) -> Decision {
    let argument = Word::Argument;
    let no_flag =
        |word: Word, flags: i32| Decision::masked(word, flags.cast_unsigned(), &[0], allow(), fail(libc::EPERM));
    let no_device =
        |mode: Word| Decision::masked(mode, libc::S_IFMT, &[libc::S_IFCHR, libc::S_IFBLK], fail(libc::EPERM), allow());
    match (rule, surroundings) {
        (Rule::Allow, _) | (Rule::OwnIpc, Surroundings::Own) => allow(),
        (Rule::OwnIpc, Surroundings::Shared) => fail(libc::ENOSYS),
        (Rule::Deny, _) => fail(libc::EPERM),
        (Rule::Clone, _) => no_flag(argument(0), NAMESPACES),
        (Rule::Unshare, _) => no_flag(argument(0), NAMESPACES | NEW_TIME),
        (Rule::Socket, _) => socket(surroundings),
        (Rule::SocketPair, _) => socket_pair(surroundings),
        (Rule::Personality, _) => Decision::one_of(argument(0), &[0, WHICH_PERSONALITY], allow(), fail(libc::EPERM)),
        (Rule::Control, _) => {
            Decision::one_of(argument(1), &[TYPE_INTO_TERMINAL, PASTE_INTO_CONSOLE], fail(libc::EPERM), allow())
        }
        (Rule::MakeNode, _) => no_device(argument(1)),
        (Rule::MakeNodeAt, _) => no_device(argument(2)),
        // Of one user's processes one may limit the other, the engine included.
        (Rule::LimitOf, _) => {
            let asks = Decision::one_of(Word::UpperHalf(2), &[0], allow(), fail(libc::EPERM));
            let other = Decision::one_of(argument(2), &[0], asks, fail(libc::EPERM));
            Decision::one_of(argument(0), &[0], allow(), other)
        }
    }
}

/// The bits of a socket's type that say what it is; the others are flags.
const SOCKET_TYPE: u32 = 0xf;
/// SOCK_PACKET of linux/net.h: what AF_PACKET was before it was a family.
const SOCK_PACKET: u32 = 10;
/// Packets as they are on the wire.
const RAW: [u32; 2] = [libc::SOCK_RAW.cast_unsigned(), SOCK_PACKET];

/// Internet and Unix sockets, and netlink's questions about the network, which libraries ask to find addresses. What
/// else there is fails as on a kernel that was built without it; raw sockets as for a program without rights.
fn socket(surroundings: Surroundings) -> Decision {
    let [family, kind, protocol] = [0, 1, 2].map(Word::Argument);
    let number = i32::cast_unsigned;
    // With its own number or the one that is usual for the type: TCP, UDP and ping.
    let usual = [0, libc::IPPROTO_TCP, libc::IPPROTO_UDP, libc::IPPROTO_ICMP, libc::IPPROTO_ICMPV6].map(number);
    let protocol_of_internet = Decision::one_of(protocol, &usual, allow(), fail(libc::EPROTONOSUPPORT));
    let internet = Decision::masked(kind, SOCKET_TYPE, &RAW, fail(libc::EPERM), protocol_of_internet);
    let route = [number(libc::NETLINK_ROUTE)];
    let netlink = Decision::one_of(protocol, &route, allow(), fail(libc::EPROTONOSUPPORT));
    let unix = match surroundings {
        Surroundings::Own => allow(),
        Surroundings::Shared => fail(libc::EPERM),
    };
    let mut otherwise = fail(libc::EAFNOSUPPORT);
    for (families, decision) in [
        (&[libc::AF_PACKET][..], fail(libc::EPERM)),
        (&[libc::AF_NETLINK], netlink),
        (&[libc::AF_UNIX], unix),
        (&[libc::AF_INET, libc::AF_INET6], internet),
    ] {
        let families: Vec<u32> = families.iter().copied().map(number).collect();
        otherwise = Decision::one_of(family, &families, decision, otherwise);
    }
    otherwise
}

/// A connected pair reaches nobody else, unless each packet may have an address of its own.
fn socket_pair(surroundings: Surroundings) -> Decision {
    let pair = match surroundings {
        Surroundings::Own => allow(),
        Surroundings::Shared => {
            let connected = [libc::SOCK_STREAM, libc::SOCK_SEQPACKET].map(i32::cast_unsigned);
            Decision::masked(Word::Argument(1), SOCKET_TYPE, &connected, allow(), fail(libc::EPERM))
        }
    };
    Decision::one_of(Word::Argument(0), &[libc::AF_UNIX.cast_unsigned()], pair, fail(libc::EAFNOSUPPORT))
}

#[cfg(test)]
mod tests;
