//! The attempts, each with why it is denied and where it succeeds.

use serde_json::{Value, json};

use super::scene::Scene;
use crate::host::Kind;

/// See the module.
pub(super) struct Attempt {
    /// Its name and arguments, for the test's function.
    pub(super) what: Vec<Value>,
    /// Errors or sentences, of which one must come.
    pub(super) denied: &'static [&'static str],
    pub(super) control: Control,
}

/// Where an attempt of root's must succeed, so that its denial elsewhere is one.
#[derive(Clone, Copy)]
pub(super) enum Control {
    At(Kind),
    /// Unless the kernel or the rights of this machine's root lack it.
    AtUnless(Kind, &'static [&'static str]),
    /// Nowhere, since no level would allow it, or it cannot be allowed without harm.
    Nowhere,
}

/// Level `process`, with pids of its own, and what is mounted is mounted for it only.
const OWN: Control = Control::At(Kind::OwnPaths);
/// Level `process`, on the host itself.
const REAL: Control = Control::At(Kind::RealFolders);
/// What the kernel was perhaps built without.
const IF_BUILT: Control = Control::AtUnless(
    Kind::OwnPaths,
    &["ENOSYS", "EOPNOTSUPP", "EAFNOSUPPORT", "EPROTONOSUPPORT", "ENODEV", "ESOCKTNOSUPPORT"],
);
/// What root may lack the right to.
const IF_HAD: Control = Control::AtUnless(Kind::OwnPaths, &["EPERM", "ENOSYS", "EACCES", "EIO"]);

macro_rules! attempt {
    ([$($what:expr),+ $(,)?], $denied:expr, $control:expr) => {
        Attempt { what: vec![$(json!($what)),+], denied: &$denied, control: $control }
    };
}

/// All of them.
pub(super) fn all(scene: &Scene) -> Vec<Attempt> {
    [files(scene), processes(scene), network(scene), sockets(), kernel(), rights()].into_iter().flatten().collect()
}

fn files(scene: &Scene) -> Vec<Attempt> {
    let engine = std::process::id();
    let new = |folder: &str| format!("{folder}/lambd-attempt-{engine}");
    vec![
        // What is not shown is not there.
        attempt!(["read", "/etc/shadow"], ["ENOENT"], REAL),
        attempt!(["read", scene.path("secret")], ["ENOENT"], REAL),
        attempt!(["open to write", scene.path("secret")], ["ENOENT"], REAL),
        attempt!(["list", scene.path("data")], ["ENOENT"], REAL),
        attempt!(["list", scene.path("data/environments")], ["ENOENT"], REAL),
        attempt!(["read", scene.path("other/data")], ["ENOENT"], REAL),
        attempt!(["create", scene.path("other/new")], ["ENOENT"], REAL),
        attempt!(["list", "/sys/kernel"], ["ENOENT"], REAL),
        attempt!(["list", "/sys/fs/cgroup"], ["ENOENT"], REAL),
        attempt!(["list", "/var/log"], ["ENOENT"], REAL),
        attempt!(["read", "/dev/tty"], ["ENOENT"], Control::Nowhere),
        attempt!(["read", "/dev/mem"], ["ENOENT"], Control::Nowhere),
        attempt!(
            ["open to write", "/dev/kmsg"],
            ["ENOENT"],
            Control::AtUnless(Kind::RealFolders, &["ENOENT", "EPERM"])
        ),
        attempt!(["read", "/dev/loop-control"], ["ENOENT"], Control::Nowhere),
        attempt!(["list", "/dev/shm"], ["ENOENT"], Control::AtUnless(Kind::RealFolders, &["ENOENT"])),
        attempt!(["link", scene.path("secret"), scene.path("linked")], ["ENOENT"], REAL),
        // What is shown is read-only, whatever its own permissions say.
        attempt!(["open to write", "/var/task/data"], ["EROFS"], Control::Nowhere),
        attempt!(["open to write", "/opt/data"], ["EROFS"], Control::Nowhere),
        attempt!(["create", "/var/task/new"], ["EROFS"], Control::Nowhere),
        attempt!(["create", "/opt/new"], ["EROFS"], Control::Nowhere),
        attempt!(["replace", "/var/task/data", "/var/task/bootstrap"], ["EROFS"], Control::Nowhere),
        attempt!(["link", "/var/task/data", "/tmp/linked"], ["EXDEV"], Control::Nowhere),
        attempt!(["overwrite the running program"], ["EROFS"], REAL),
        attempt!(["create", new("/usr")], ["EROFS", "EACCES"], REAL),
        attempt!(["create", new("/usr/bin")], ["EROFS", "EACCES"], REAL),
        attempt!(["create", new("/etc")], ["EROFS", "EACCES"], REAL),
        attempt!(["create", new("")], ["EROFS", "EACCES"], REAL),
        attempt!(["create", new("/dev")], ["EROFS", "EACCES"], REAL),
        attempt!(["create", new("/run")], ["EROFS", "EACCES"], REAL),
        attempt!(["create", new("/root")], ["EROFS", "EACCES"], REAL),
        attempt!(["create", "/var/runtime/new"], ["EROFS", "EACCES"], Control::Nowhere),
        attempt!(
            ["open to write", "/usr/bin/env"],
            ["EROFS", "EACCES"],
            Control::AtUnless(Kind::RealFolders, &["ETXTBSY"])
        ),
        attempt!(["open to write", "/etc/passwd"], ["EROFS", "EACCES"], REAL),
        attempt!(
            ["open to write", "/etc/hosts"],
            ["EROFS", "EACCES"],
            Control::AtUnless(Kind::RealFolders, &["ENOENT", "EROFS"])
        ),
        // The kernel's settings.
        attempt!(
            ["open to write", "/proc/sysrq-trigger"],
            ["EACCES", "ENOENT"],
            Control::AtUnless(Kind::OwnPaths, &["EROFS", "EACCES", "ENOENT"])
        ),
        attempt!(
            ["open to write", "/proc/sys/kernel/core_pattern"],
            ["EACCES"],
            Control::AtUnless(Kind::OwnPaths, &["EROFS"])
        ),
        attempt!(
            ["open to write", "/proc/sys/kernel/hostname"],
            ["EACCES"],
            Control::AtUnless(Kind::OwnPaths, &["EROFS"])
        ),
        attempt!(
            ["open to write", "/proc/sys/net/ipv4/ip_forward"],
            ["EACCES"],
            Control::AtUnless(Kind::OwnPaths, &["EROFS"])
        ),
        attempt!(
            ["open to write", "/proc/sys/vm/overcommit_memory"],
            ["EACCES"],
            Control::AtUnless(Kind::OwnPaths, &["EROFS"])
        ),
        attempt!(["map users"], ["EPERM"], Control::Nowhere),
        attempt!(
            ["read", "/proc/kcore"],
            ["EACCES", "ENOENT"],
            Control::AtUnless(Kind::OwnPaths, &["ENOENT", "EPERM", "EACCES"])
        ),
        attempt!(["read", "/proc/kmsg"], ["EACCES", "EPERM"], Control::Nowhere),
        // Devices, and what makes programs more than they are.
        attempt!(["make a device", "/tmp/device"], ["EPERM"], Control::AtUnless(Kind::OwnPaths, &["EPERM"])),
        attempt!(["open by handle", "/tmp"], ["EPERM"], OWN),
        attempt!(["give a file to root"], ["EPERM"], OWN),
        attempt!(["give a program a capability"], ["EPERM"], Control::AtUnless(Kind::OwnPaths, &["EOPNOTSUPP"])),
        attempt!(["run a program of root's", "/var/task/setuid"], ["it runs as user 993"], Control::Nowhere),
        attempt!(["run a program of root's", scene.path("attacker/setuid")], ["ENOENT"], REAL),
    ]
}

fn processes(scene: &Scene) -> Vec<Attempt> {
    let engine = std::process::id();
    let [init, runtime] = scene.pids_of_other;
    let (stop, kill) = (libc::SIGSTOP, libc::SIGKILL);
    vec![
        attempt!(["see others"], ["there is nobody else"], OWN),
        attempt!(["list", "/proc/1"], ["ENOENT"], OWN),
        attempt!(["list", "/proc/1/root"], ["ENOENT"], OWN),
        attempt!(["read", "/proc/1/root/etc/passwd"], ["ENOENT"], OWN),
        attempt!(["list", "/proc/1/cwd"], ["ENOENT"], OWN),
        attempt!(["list", "/proc/1/fd"], ["ENOENT"], OWN),
        attempt!(["read", "/proc/1/environ"], ["ENOENT"], OWN),
        attempt!(["read", "/proc/1/exe"], ["ENOENT"], OWN),
        attempt!(["open to write", "/proc/1/mem"], ["ENOENT"], OWN),
        // The kernel keeps it from signals that come from inside even where that is allowed.
        attempt!(["signal", 1, stop], ["EPERM"], OWN),
        attempt!(["signal", 1, kill], ["EPERM"], OWN),
        // Only the right to it is asked for: where it is allowed nobody is hit.
        attempt!(["signal", engine, 0], ["ESRCH"], REAL),
        attempt!(["signal", init, 0], ["ESRCH"], REAL),
        attempt!(["signal", runtime, 0], ["ESRCH"], REAL),
        attempt!(["open a process", engine], ["ESRCH"], REAL),
        attempt!(["open a process", runtime], ["ESRCH"], REAL),
        attempt!(["read", format!("/proc/{engine}/environ")], ["ENOENT"], REAL),
        attempt!(["read", format!("/proc/{runtime}/environ")], ["ENOENT"], REAL),
        // Of the function itself, from another process of its.
        attempt!(["trace"], ["EPERM"], Control::AtUnless(Kind::OwnPaths, &["EPERM"])),
        attempt!(["read the memory of another"], ["EPERM"], Control::AtUnless(Kind::OwnPaths, &["EPERM"])),
        attempt!(["take a descriptor of another"], ["EPERM"], Control::AtUnless(Kind::OwnPaths, &["EPERM", "ENOSYS"])),
        attempt!(["compare with another"], ["EPERM"], IF_BUILT),
        attempt!(["limit another"], ["EPERM"], OWN),
        attempt!(["move the pages of another"], ["EPERM"], Control::Nowhere),
    ]
}

fn network(scene: &Scene) -> Vec<Attempt> {
    let service = scene.service.local_addr().unwrap().port();
    vec![
        attempt!(["connect", format!("127.0.0.1:{service}")], ["ECONNREFUSED"], OWN),
        attempt!(["connect to the abstract socket", scene.abstract_name], ["ECONNREFUSED"], OWN),
        attempt!(["connect to the socket", scene.socket.display().to_string()], ["ENOENT"], REAL),
        // Without a network: where there is one, these are for its own tests.
        attempt!(
            ["find a way to", "192.0.2.1:80"],
            ["ENETUNREACH"],
            Control::AtUnless(Kind::OwnPaths, &["ENETUNREACH"])
        ),
        attempt!(
            ["find a way to", "169.254.169.254:80"],
            ["ENETUNREACH"],
            Control::AtUnless(Kind::OwnPaths, &["ENETUNREACH"])
        ),
        // The Runtime API's port is taken, at each address by which it is reached.
        attempt!(["listen at", "127.0.0.1:9001"], ["EADDRINUSE"], Control::Nowhere),
        attempt!(["listen at", "0.0.0.0:9001"], ["EADDRINUSE"], Control::Nowhere),
        attempt!(["listen at", "[::]:9001"], ["EADDRINUSE", "EAFNOSUPPORT", "EADDRNOTAVAIL"], Control::Nowhere),
        attempt!(["share the port", "127.0.0.1:9001"], ["EADDRINUSE"], Control::Nowhere),
        attempt!(["share the port", "0.0.0.0:9001"], ["EADDRINUSE"], Control::Nowhere),
        attempt!(["set up the loopback interface"], ["EPERM"], IF_HAD),
    ]
}

fn sockets() -> Vec<Attempt> {
    use libc::{
        AF_ALG, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK, AF_XDP, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET,
        SOCK_STREAM,
    };
    const SOCK_PACKET: i32 = 10;
    const ALL_PACKETS: i32 = 0x0300;
    vec![
        attempt!(["open a socket", AF_INET, SOCK_RAW, libc::IPPROTO_ICMP], ["EPERM"], IF_HAD),
        attempt!(
            ["open a socket", AF_INET6, SOCK_RAW, libc::IPPROTO_ICMPV6],
            ["EPERM"],
            Control::AtUnless(Kind::OwnPaths, &["EPERM", "EAFNOSUPPORT"])
        ),
        attempt!(
            ["open a socket", AF_INET, SOCK_PACKET, ALL_PACKETS],
            ["EPERM"],
            Control::AtUnless(Kind::OwnPaths, &["EPERM", "EAFNOSUPPORT", "ESOCKTNOSUPPORT"])
        ),
        attempt!(
            ["open a socket", AF_PACKET, SOCK_RAW, ALL_PACKETS],
            ["EPERM"],
            Control::AtUnless(Kind::OwnPaths, &["EPERM", "EAFNOSUPPORT"])
        ),
        attempt!(
            ["open a socket", AF_PACKET, SOCK_DGRAM, ALL_PACKETS],
            ["EPERM"],
            Control::AtUnless(Kind::OwnPaths, &["EPERM", "EAFNOSUPPORT"])
        ),
        attempt!(["open a socket", AF_ALG, SOCK_SEQPACKET, 0], ["EAFNOSUPPORT"], IF_BUILT),
        attempt!(["open a socket", AF_VSOCK, SOCK_STREAM, 0], ["EAFNOSUPPORT"], IF_BUILT),
        attempt!(
            ["open a socket", AF_XDP, SOCK_RAW, 0],
            ["EAFNOSUPPORT"],
            Control::AtUnless(Kind::OwnPaths, &["EPERM", "EAFNOSUPPORT"])
        ),
        attempt!(["open a socket", AF_NETLINK, SOCK_RAW, libc::NETLINK_AUDIT], ["EPROTONOSUPPORT"], IF_BUILT),
        attempt!(["open a socket", AF_NETLINK, SOCK_RAW, libc::NETLINK_NETFILTER], ["EPROTONOSUPPORT"], IF_BUILT),
        attempt!(["open a socket", AF_NETLINK, SOCK_RAW, libc::NETLINK_SOCK_DIAG], ["EPROTONOSUPPORT"], IF_BUILT),
        attempt!(["open a socket", AF_NETLINK, SOCK_RAW, libc::NETLINK_KOBJECT_UEVENT], ["EPROTONOSUPPORT"], IF_BUILT),
        attempt!(["open a socket", AF_NETLINK, SOCK_RAW, libc::NETLINK_GENERIC], ["EPROTONOSUPPORT"], IF_BUILT),
        attempt!(["open a socket", AF_INET, SOCK_STREAM, IPPROTO_MPTCP], ["EPROTONOSUPPORT"], IF_BUILT),
        attempt!(["open a socket", AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP], ["EPROTONOSUPPORT"], IF_BUILT),
    ]
}

const IPPROTO_MPTCP: i32 = 262;
const IPPROTO_SCTP: i32 = 132;

fn kernel() -> Vec<Attempt> {
    // Refused as to any program without rights; in the second list as by a kernel that has no such call.
    let refused = [
        ("mount", OWN),
        ("unmount", OWN),
        ("pivot_root", OWN),
        ("chroot", OWN),
        ("open_tree", OWN),
        ("move_mount", OWN),
        ("fsopen", OWN),
        ("fspick", OWN),
        ("mount_setattr", OWN),
        ("unshare users", IF_HAD),
        ("unshare mounts", OWN),
        ("unshare the network", OWN),
        ("unshare control groups", OWN),
        ("unshare the clock", IF_HAD),
        ("clone into new users", IF_HAD),
        ("clone into new mounts", OWN),
        ("setns", OWN),
        ("bpf", IF_HAD),
        ("io_uring", IF_HAD),
        ("userfaultfd", IF_HAD),
        ("perf_event_open", IF_HAD),
        ("keyctl", IF_HAD),
        ("add_key", IF_HAD),
        ("request_key", IF_HAD),
        ("fanotify", IF_HAD),
        ("ask for handles of cookies", Control::Nowhere),
        ("type into a terminal", IF_HAD),
        ("paste into the console", IF_HAD),
        ("execute what is readable", OWN),
        ("kexec_load", IF_HAD),
        ("kexec_file_load", IF_HAD),
        ("init_module", IF_HAD),
        ("finit_module", IF_HAD),
        ("delete_module", IF_HAD),
        ("reboot", IF_HAD),
        ("swapon", IF_HAD),
        ("acct", IF_HAD),
        ("quotactl", IF_HAD),
        ("read the kernel's log", IF_HAD),
        ("settimeofday", IF_HAD),
        ("clock_settime", IF_HAD),
        ("adjtimex", IF_HAD),
        ("sethostname", OWN),
        ("setdomainname", OWN),
        #[cfg(target_arch = "x86_64")]
        ("iopl", IF_HAD),
        #[cfg(target_arch = "x86_64")]
        ("ioperm", IF_HAD),
    ];
    let unknown = [
        ("clone3", OWN),
        ("memfd_secret", IF_HAD),
        // Most kernels are built without it.
        ("x32", Control::Nowhere),
        #[cfg(target_arch = "x86_64")]
        ("modify_ldt", IF_HAD),
    ];
    let mut all: Vec<Attempt> =
        refused.into_iter().map(|(name, control)| attempt!([name], ["EPERM"], control)).collect();
    all.extend(unknown.into_iter().map(|(name, control)| attempt!([name], ["ENOSYS"], control)));
    if cfg!(target_arch = "x86_64") {
        let control = Control::AtUnless(Kind::OwnPaths, &["ENOSYS", "SIGSEGV"]);
        all.push(attempt!(["i386"], ["SIGSYS"], control));
    }
    all
}

fn rights() -> Vec<Attempt> {
    vec![
        attempt!(["become root"], ["EPERM"], OWN),
        attempt!(["become root's group"], ["EPERM"], OWN),
        attempt!(["join groups"], ["EPERM"], OWN),
        attempt!(["take capabilities"], ["EPERM"], OWN),
        attempt!(["open more files"], ["EPERM"], IF_HAD),
        attempt!(["lock more memory"], ["EPERM"], IF_HAD),
        attempt!(["go first"], ["EACCES"], IF_HAD),
        attempt!(["run in real time"], ["EPERM"], IF_HAD),
        attempt!(["read and write first"], ["EPERM"], IF_HAD),
        attempt!(["weigh less where memory lacks", "-1000"], ["EACCES"], IF_HAD),
    ]
}
