//! The filter as a table, as a program that is read here, and as the kernel applies it to real programs.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::Command;

use super::*;
use crate::launcher::running;

const ARCHITECTURES: [Architecture; 2] = [Architecture::X86_64, Architecture::Aarch64];
const SURROUNDINGS: [Surroundings; 2] = [Surroundings::Own, Surroundings::Shared];

/// What the filter is shown of a call.
struct Seen {
    architecture: u32,
    number: u32,
    arguments: [u64; 6],
}

/// Runs a program as the kernel does (Documentation/networking/filter.rst); tells its answer and the instructions run.
fn run(program: &[libc::sock_filter], seen: &Seen) -> (u32, usize) {
    let mut bytes = Vec::new();
    bytes.extend(seen.number.to_le_bytes());
    bytes.extend(seen.architecture.to_le_bytes());
    bytes.extend([0; 8]);
    seen.arguments.iter().for_each(|argument| bytes.extend(argument.to_le_bytes()));
    let (mut at, mut accumulator, mut steps) = (0, 0, 0);
    loop {
        let libc::sock_filter { code, jt, jf, k } = program[at];
        (at, steps) = (at + 1, steps + 1);
        let branch = |holds: bool| usize::from(if holds { jt } else { jf });
        match u32::from(code) {
            0x20 => {
                let place = usize::try_from(k).unwrap();
                accumulator = u32::from_le_bytes(bytes[place..place + 4].try_into().unwrap());
            }
            0x54 => accumulator &= k,
            0x05 => at += usize::try_from(k).unwrap(),
            0x15 => at += branch(accumulator == k),
            0x35 => at += branch(accumulator >= k),
            0x06 => return (k, steps),
            other => panic!("instruction {other:#x}"),
        }
    }
}

fn answer(architecture: Architecture, surroundings: Surroundings, name: &str, arguments: [u64; 6]) -> String {
    let call = calls::all().find(|call| call.name == format!("SYS_{name}"));
    let number = architecture.number(call.unwrap()).unwrap();
    let program = decision(architecture, surroundings).program();
    in_words(run(&program, &Seen { architecture: architecture.audit(), number, arguments }).0)
}

fn in_words(answer: u32) -> String {
    match answer {
        libc::SECCOMP_RET_ALLOW => "allowed".to_owned(),
        libc::SECCOMP_RET_KILL_PROCESS => "killed".to_owned(),
        answer if answer & 0xffff_0000 == libc::SECCOMP_RET_ERRNO => errno_name((answer & 0xffff).cast_signed()),
        other => format!("{other:#x}"),
    }
}

fn errno_name(errno: i32) -> String {
    match errno {
        libc::EPERM => "EPERM".to_owned(),
        libc::ENOSYS => "ENOSYS".to_owned(),
        libc::EAFNOSUPPORT => "EAFNOSUPPORT".to_owned(),
        libc::EPROTONOSUPPORT => "EPROTONOSUPPORT".to_owned(),
        other => format!("errno {other}"),
    }
}

#[test]
fn no_call_is_listed_twice() {
    for architecture in ARCHITECTURES {
        let mut numbers = BTreeMap::new();
        for call in calls::all() {
            if let Some(number) = architecture.number(call) {
                let other = numbers.insert(number, call.name);
                assert_eq!(other, None, "{architecture:?} {number} is {}", call.name);
            }
        }
    }
    let mut names: Vec<&str> = calls::all().map(|call| call.name).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn both_architectures_have_the_same_calls() {
    // The successors of what aarch64 never had.
    let successors = [
        ("open", "openat"),
        ("creat", "openat"),
        ("stat", "newfstatat"),
        ("lstat", "newfstatat"),
        ("access", "faccessat"),
        ("dup2", "dup3"),
        ("getdents", "getdents64"),
        ("rename", "renameat"),
        ("mkdir", "mkdirat"),
        ("rmdir", "unlinkat"),
        ("link", "linkat"),
        ("unlink", "unlinkat"),
        ("symlink", "symlinkat"),
        ("readlink", "readlinkat"),
        ("chmod", "fchmodat"),
        ("chown", "fchownat"),
        ("lchown", "fchownat"),
        ("utime", "utimensat"),
        ("utimes", "utimensat"),
        ("futimesat", "utimensat"),
        ("inotify_init", "inotify_init1"),
        ("poll", "ppoll"),
        ("select", "pselect6"),
        ("epoll_create", "epoll_create1"),
        ("epoll_wait", "epoll_pwait"),
        ("eventfd", "eventfd2"),
        ("pipe", "pipe2"),
        ("signalfd", "signalfd4"),
        ("fork", "clone"),
        ("vfork", "clone"),
        ("getpgrp", "getpgid"),
        ("pause", "ppoll"),
        ("alarm", "setitimer"),
        ("time", "gettimeofday"),
        ("mknod", "mknodat"),
    ];
    // What only that architecture's processor has.
    let without = ["arch_prctl", "iopl", "ioperm"];
    let name = |call: Call| call.name.strip_prefix("SYS_").unwrap();
    let mut lacking: Vec<&str> = calls::all().filter(|call| call.aarch64.is_none()).map(name).collect();
    let mut listed: Vec<&str> = successors.iter().map(|(old, _)| *old).chain(without).collect();
    lacking.sort_unstable();
    listed.sort_unstable();
    assert_eq!(lacking, listed);
    for (old, new) in successors {
        let call = calls::all().find(|call| name(*call) == new).unwrap_or_else(|| panic!("{new}, for {old}"));
        assert!(call.aarch64.is_some(), "{new}");
        assert_ne!(call.rule, Rule::Deny, "{new}, for {old}");
    }
}

#[test]
fn each_number_is_answered_as_the_table_says() {
    for (architecture, surroundings) in ARCHITECTURES.into_iter().flat_map(|a| SURROUNDINGS.map(|s| (a, s))) {
        let program = decision(architecture, surroundings).program();
        let listed: BTreeMap<u32, Rule> =
            calls::all().filter_map(|call| Some((architecture.number(call)?, call.rule))).collect();
        // The numbers of x32 are those of x86-64 and one bit, and a debugger's "no call" is the last of all.
        for number in (0..1024).chain(0x4000_0000..0x4000_0400).chain([u32::MAX]) {
            let seen = Seen { architecture: architecture.audit(), number, arguments: [0; 6] };
            let (found, steps) = run(&program, &seen);
            let expected = match listed.get(&number) {
                Some(rule) => run(&of_rule(*rule, surroundings).program(), &seen).0,
                None => libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned(),
            };
            assert_eq!(in_words(found), in_words(expected), "{architecture:?} {surroundings:?} {number}");
            assert!(steps < 30, "{architecture:?} {number} takes {steps} instructions");
        }
        assert!(program.len() < 512, "{} instructions", program.len());
    }
}

#[test]
fn another_architecture_is_killed() {
    const I386: u32 = 0x4000_0003;
    for architecture in ARCHITECTURES {
        let program = decision(architecture, Surroundings::Own).program();
        let others = ARCHITECTURES.into_iter().filter(|other| *other != architecture).map(Architecture::audit);
        for other in others.chain([I386, 0]) {
            let seen = Seen { architecture: other, number: 1, arguments: [0; 6] };
            assert_eq!(in_words(run(&program, &seen).0), "killed", "{other:#x} on {architecture:?}");
        }
    }
}

/// A few bits of the words that the rules look at, in C's names.
const fn word(number: i32) -> u64 {
    number.cast_unsigned() as u64
}

/// What is answered to a call with these first arguments, with namespaces of its own and without.
type Case = (&'static str, &'static [u64], &'static str, &'static str);

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("clone", &[word(libc::SIGCHLD)], "allowed", "allowed"),
    ("clone", &[word(libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_SIGHAND | libc::CLONE_FS)], "allowed", "allowed"),
    ("clone", &[word(libc::CLONE_NEWUSER | libc::SIGCHLD)], "EPERM", "EPERM"),
    ("clone", &[word(libc::CLONE_NEWNS | libc::SIGCHLD)], "EPERM", "EPERM"),
    ("clone", &[word(libc::CLONE_NEWNET)], "EPERM", "EPERM"),
    ("clone", &[word(libc::CLONE_NEWPID)], "EPERM", "EPERM"),
    ("clone", &[word(libc::CLONE_NEWIPC)], "EPERM", "EPERM"),
    ("clone", &[word(libc::CLONE_NEWUTS)], "EPERM", "EPERM"),
    ("clone", &[word(libc::CLONE_NEWCGROUP)], "EPERM", "EPERM"),
    ("unshare", &[word(libc::CLONE_FILES)], "allowed", "allowed"),
    ("unshare", &[word(libc::CLONE_NEWUSER)], "EPERM", "EPERM"),
    ("unshare", &[0x80], "EPERM", "EPERM"),
    ("unshare", &[word(libc::CLONE_NEWNS) | 1 << 32], "EPERM", "EPERM"),
    ("personality", &[0xffff_ffff], "allowed", "allowed"),
    ("personality", &[0], "allowed", "allowed"),
    ("personality", &[0x0004_0000], "EPERM", "EPERM"),
    ("ioctl", &[0, 0x5401], "allowed", "allowed"),
    ("ioctl", &[0, 0x5412], "EPERM", "EPERM"),
    ("ioctl", &[0, 0x1_0000_5412], "EPERM", "EPERM"),
    ("ioctl", &[0, 0x541c], "EPERM", "EPERM"),
    ("mknodat", &[0, 0, 0o010_600], "allowed", "allowed"),
    ("mknodat", &[0, 0, 0o020_600], "EPERM", "EPERM"),
    ("mknodat", &[0, 0, 0o060_600], "EPERM", "EPERM"),
    ("prlimit64", &[0, 7, 0x1000], "allowed", "allowed"),
    ("prlimit64", &[1, 7, 0], "allowed", "allowed"),
    ("prlimit64", &[1, 7, 0x1000], "EPERM", "EPERM"),
    ("prlimit64", &[1, 7, 0x7f00_0000_0000], "EPERM", "EPERM"),
    ("socket", &[word(libc::AF_INET), word(libc::SOCK_STREAM | libc::SOCK_CLOEXEC), 0], "allowed", "allowed"),
    ("socket", &[word(libc::AF_INET6), word(libc::SOCK_DGRAM), word(libc::IPPROTO_UDP)], "allowed", "allowed"),
    ("socket", &[word(libc::AF_INET), word(libc::SOCK_RAW), word(libc::IPPROTO_ICMP)], "EPERM", "EPERM"),
    ("socket", &[word(libc::AF_INET6), word(libc::SOCK_RAW | libc::SOCK_NONBLOCK), 255], "EPERM", "EPERM"),
    ("socket", &[word(libc::AF_INET), SOCK_PACKET as u64, 0], "EPERM", "EPERM"),
    ("socket", &[word(libc::AF_INET), word(libc::SOCK_STREAM), word(libc::IPPROTO_SCTP)], "EPROTONOSUPPORT", "EPROTONOSUPPORT"),
    ("socket", &[word(libc::AF_PACKET), word(libc::SOCK_RAW), 0x0300], "EPERM", "EPERM"),
    ("socket", &[word(libc::AF_NETLINK), word(libc::SOCK_RAW), word(libc::NETLINK_ROUTE)], "allowed", "allowed"),
    ("socket", &[word(libc::AF_NETLINK), word(libc::SOCK_RAW), word(libc::NETLINK_AUDIT)], "EPROTONOSUPPORT", "EPROTONOSUPPORT"),
    ("socket", &[word(libc::AF_NETLINK), word(libc::SOCK_RAW), word(libc::NETLINK_NETFILTER)], "EPROTONOSUPPORT", "EPROTONOSUPPORT"),
    ("socket", &[word(libc::AF_ALG), word(libc::SOCK_SEQPACKET), 0], "EAFNOSUPPORT", "EAFNOSUPPORT"),
    ("socket", &[word(libc::AF_VSOCK), word(libc::SOCK_STREAM), 0], "EAFNOSUPPORT", "EAFNOSUPPORT"),
    ("socket", &[1 << 32 | word(libc::AF_VSOCK), word(libc::SOCK_STREAM), 0], "EAFNOSUPPORT", "EAFNOSUPPORT"),
    ("socket", &[word(libc::AF_UNIX), word(libc::SOCK_STREAM), 0], "allowed", "EPERM"),
    ("socketpair", &[word(libc::AF_UNIX), word(libc::SOCK_STREAM | libc::SOCK_CLOEXEC), 0], "allowed", "allowed"),
    ("socketpair", &[word(libc::AF_UNIX), word(libc::SOCK_DGRAM), 0], "allowed", "EPERM"),
    ("socketpair", &[30, word(libc::SOCK_STREAM), 0], "EAFNOSUPPORT", "EAFNOSUPPORT"),
    ("shmget", &[0, 4096, 0o1600], "allowed", "ENOSYS"),
    ("mq_open", &[0, 0], "allowed", "ENOSYS"),
];

/// Calls that are refused whatever their arguments are.
const REFUSED: [&str; 46] = [
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "open_tree",
    "move_mount",
    "fsopen",
    "mount_setattr",
    "setns",
    "open_by_handle_at",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "pidfd_getfd",
    "kcmp",
    "perf_event_open",
    "bpf",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "add_key",
    "request_key",
    "keyctl",
    "migrate_pages",
    "move_pages",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "init_module",
    "finit_module",
    "delete_module",
    "syslog",
    "vhangup",
    "acct",
    "swapon",
    "quotactl",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "sethostname",
    "setdomainname",
    "fanotify_init",
    "fanotify_mark",
];

fn six(arguments: &[u64]) -> [u64; 6] {
    let mut six = [0; 6];
    six[..arguments.len()].copy_from_slice(arguments);
    six
}

#[test]
fn arguments_decide_on_both_architectures() {
    for architecture in ARCHITECTURES {
        for (name, arguments, own, shared) in CASES {
            let found = SURROUNDINGS.map(|surroundings| answer(architecture, surroundings, name, six(arguments)));
            assert_eq!(found, [*own, *shared], "{architecture:?} {name} {arguments:x?}");
        }
        for name in REFUSED {
            for surroundings in SURROUNDINGS {
                assert_eq!(answer(architecture, surroundings, name, [u64::MAX; 6]), "EPERM", "{architecture:?} {name}");
            }
        }
    }
}

/// A program behind the filter.
fn behind(surroundings: Surroundings, program: &str) -> Command {
    let filter = Filter::compile(surroundings);
    let mut command = Command::new(program);
    // SAFETY: the closure makes system calls only; the filter was made before.
    unsafe {
        command.pre_exec(move || {
            rustix::thread::set_no_new_privs(true)?;
            filter.install()
        })
    };
    command
}

/// What the kernel itself answers to a call made behind the filter.
fn made(surroundings: Surroundings, number: u32, arguments: [u64; 6]) -> String {
    let mut command = behind(surroundings, "true");
    // SAFETY: one system call, which the filter stops: none of these calls is let through with these arguments.
    unsafe {
        command.pre_exec(move || {
            let [first, second, third, others @ ..] = arguments;
            let number = libc::c_long::from(number);
            match libc::syscall(number, first, second, third, others[0], others[1], others[2]) {
                -1 => Err(io::Error::last_os_error()),
                _ => Ok(()),
            }
        })
    };
    match command.spawn() {
        Ok(mut child) => format!("made, {}", child.wait().unwrap()),
        Err(error) => errno_name(error.raw_os_error().unwrap_or(0)),
    }
}

#[test]
fn the_kernel_refuses_what_is_refused() {
    let number = |name: &str| {
        let call = calls::all().find(|call| call.name == format!("SYS_{name}")).unwrap();
        Architecture::THIS.number(call).unwrap()
    };
    for name in REFUSED {
        // Arguments that mean nothing: without a filter most of these would fail in another way.
        assert_eq!(made(Surroundings::Own, number(name), [u64::MAX; 6]), "EPERM", "{name}");
    }
    for (name, arguments, own, shared) in CASES {
        for (surroundings, expected) in SURROUNDINGS.into_iter().zip([own, shared]) {
            if *expected != "allowed" {
                assert_eq!(made(surroundings, number(name), six(arguments)), *expected, "{name} {arguments:x?}");
            }
        }
    }
    // Not listed: `clone3` and a number that no kernel has; on x86-64 also `read` by its x32 number.
    for number in [435, 1000, 0x4000_0000] {
        assert_eq!(made(Surroundings::Own, number, [0; 6]), "ENOSYS", "{number}");
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_call_of_32_bits_is_the_last() {
    let mut command = behind(Surroundings::Own, "true");
    // SAFETY: `getpid` by its number on i386 touches no memory.
    unsafe {
        command.pre_exec(|| {
            std::arch::asm!("int 0x80", inout("eax") 20 => _);
            Ok(())
        })
    };
    // Dead before its exec, which is not told as a failure to start.
    let status = command.spawn().unwrap().wait().unwrap();
    assert_eq!(status.signal(), Some(libc::SIGSYS), "{status}");
}

#[test]
fn the_filter_needs_no_new_privileges_and_stays() {
    let output = behind(Surroundings::Own, "sh").args(["-c", "cat /proc/self/status"]).output().unwrap();
    let status = String::from_utf8(output.stdout).unwrap();
    assert!(status.contains("\nNoNewPrivs:\t1\n") && status.contains("\nSeccomp:\t2\n"), "{status}");
}

fn is_fine(program: &str, arguments: &[&str]) {
    if !running::has(program) {
        return;
    }
    for surroundings in SURROUNDINGS {
        let mut command = behind(surroundings, program);
        command.args(arguments).env("SURROUNDINGS", format!("{surroundings:?}"));
        running::is_fine(&format!("{program}, {surroundings:?}"), &mut command);
    }
}

#[test]
fn bash_runs() {
    let script = "set -e; f=$(mktemp); trap 'rm -f $f' EXIT; (echo a; echo b) | sort -r > $f; read x < $f; [ $x = b ]; \
        cat <(echo c) >/dev/null; sleep 0 & wait $!; mkfifo $f.p; rm $f.p; ulimit -n >/dev/null; \
        chmod 600 $f; ln -s $f $f.l; rm $f.l; date >/dev/null; ls /proc/self/fd >/dev/null; echo fine";
    is_fine("bash", &["-c", script]);
}

#[test]
fn python_runs() {
    is_fine("python3", &["-c", include_str!("../../../tests/programs/behind_walls.py")]);
}

#[test]
fn node_runs() {
    is_fine("node", &["-e", include_str!("../../../tests/programs/behind_walls.cjs")]);
}

#[test]
fn a_java_virtual_machine_runs() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("BehindWalls.java");
    fs::write(&source, include_str!("../../../tests/programs/BehindWalls.java")).unwrap();
    is_fine("java", &[source.to_str().unwrap()]);
}
