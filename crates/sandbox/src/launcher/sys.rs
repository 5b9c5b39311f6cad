//! The system calls that have no safe form: processes are cloned here, and only here.
//!
//! Never here: a decision.
#![allow(unsafe_code, reason = "raw clone, fork, exec, signal dispositions and mount attributes have no safe wrapper")]

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_uint, c_ulong};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::ptr;

use domain::environment::Exit;
use rustix::process::Signal;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Which side of a clone one is on.
pub(crate) enum Cloned {
    /// The new process.
    Child,
    /// The old one.
    Parent {
        /// The new process.
        pid: i32,
        /// The same, in a form that never means another process.
        pidfd: OwnedFd,
    },
}

/// Namespaces of a new environment that has paths of its own.
pub(crate) const OWN_MOUNTS_AND_PIDS: c_int = libc::CLONE_NEWNS | libc::CLONE_NEWPID;
/// Namespaces of one that is isolated: all but that of the clock.
pub(crate) const ALL: c_int = OWN_MOUNTS_AND_PIDS
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// Has the kernel kill the program that `command` starts when the thread that starts it ends, however it does: nothing
/// that we ask outlives us. What that program starts itself is its own affair.
pub fn end_with_us(command: &mut Command) -> &mut Command {
    // SAFETY: what runs between fork and exec is one system call; it takes no lock and allocates nothing.
    unsafe {
        command.pre_exec(|| {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            Ok(())
        })
    }
}

/// Clones this process, which must have one thread, as fork does; `namespaces` are the child's own.
pub(crate) fn clone_process(namespaces: c_int) -> io::Result<Cloned> {
    let mut pidfd: RawFd = -1;
    let flags = c_ulong::from((namespaces | libc::CLONE_PIDFD | libc::SIGCHLD).cast_unsigned());
    // SAFETY: without CLONE_VM and with a null stack, clone is fork: the child runs on a copy of this stack. The
    // spawner and the inits have one thread, so no lock is held by a thread that the child does not have. The kernel
    // writes the pidfd into `pidfd`, which outlives the call; the remaining two arguments are unused with these
    // flags, so their order, which differs between architectures, does not matter.
    let pid = unsafe {
        libc::syscall(
            libc::SYS_clone,
            flags,
            ptr::null_mut::<u8>(),
            &raw mut pidfd,
            ptr::null_mut::<c_int>(),
            ptr::null_mut::<u8>(),
        )
    };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Cloned::Child),
        // A kernel before 5.2 knows no CLONE_PIDFD, and says nothing about it.
        pid if pidfd < 0 => {
            // SAFETY: the child is ours and not reaped yet, so the number means it; neither call touches memory.
            unsafe {
                libc::kill(narrow(pid), libc::SIGKILL);
                libc::waitpid(narrow(pid), ptr::null_mut(), 0);
            }
            Err(io::Error::from_raw_os_error(libc::ENOSYS))
        }
        // SAFETY: the kernel has just made this descriptor for us, nobody else owns it.
        pid => Ok(Cloned::Parent { pid: narrow(pid), pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } }),
    }
}

fn narrow(number: c_long) -> i32 {
    i32::try_from(number).expect("pids are 32 bits wide")
}

/// Leaves the namespaces of the parent.
pub(crate) fn unshare(namespaces: c_int) -> io::Result<()> {
    // SAFETY: the flags used (CLONE_NEWNS, CLONE_NEWUSER, both of this process alone) touch no memory and no descriptors.
    zero(unsafe { libc::unshare(namespaces) })
}

/// Ends this process at once: no destructor, no exit handler of the parent's copied state.
pub(crate) fn end(status: i32) -> ! {
    // SAFETY: `_exit` never returns and runs no code of this process.
    unsafe { libc::_exit(status) }
}

/// Lets the loopback interface of this process's network be used.
pub(crate) fn bring_up_loopback() -> io::Result<()> {
    let socket = std::net::UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0))?;
    // SAFETY: an `ifreq` is plain memory, for which zeros are values.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    // SAFETY: both calls read or write the `ifreq`, which outlives them; the flags are the part that they use.
    unsafe {
        zero(libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request))?;
        request.ifr_ifru.ifru_flags |= i16::try_from(libc::IFF_UP).expect("a flag of sixteen bits");
        zero(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request))
    }
}

/// Attributes of a mount (linux/mount.h).
pub(crate) const READ_ONLY: u64 = 1;
pub(crate) const NO_SETUID: u64 = 2;
pub(crate) const NO_DEVICES: u64 = 4;

/// Sets attributes of a mount, or of a whole tree of them.
pub(crate) fn restrict(mount: impl AsFd, attributes: u64, whole_tree: bool) -> io::Result<()> {
    #[repr(C)]
    struct MountAttributes {
        set: u64,
        clear: u64,
        propagation: u64,
        user_namespace: u64,
    }
    let attributes = MountAttributes { set: attributes, clear: 0, propagation: 0, user_namespace: 0 };
    let mut flags = libc::AT_EMPTY_PATH;
    if whole_tree {
        flags |= libc::AT_RECURSIVE;
    }
    // SAFETY: the path is a C string, `attributes` has the layout of `struct mount_attr` and its size is passed; the
    // kernel only reads both.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags.cast_unsigned(),
            &raw const attributes,
            size_of::<MountAttributes>(),
        )
    };
    zero(i32::try_from(result).unwrap_or(-1))
}

/// A set of signals.
fn signals(of: &[c_int]) -> libc::sigset_t {
    // SAFETY: a sigset is plain memory; sigemptyset initialises it before anything reads it.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in of {
            libc::sigaddset(&raw mut set, *signal);
        }
        set
    }
}

/// Blocks `of` and gives a descriptor that is readable when one of them is pending.
pub(crate) fn listen_for(of: &[c_int]) -> io::Result<OwnedFd> {
    let set = signals(of);
    // SAFETY: `set` is an initialised sigset that outlives both calls; the descriptor made is ours alone.
    unsafe {
        zero(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()))?;
        let descriptor = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        zero(descriptor.min(0))?;
        Ok(OwnedFd::from_raw_fd(descriptor))
    }
}

/// Takes the next pending signal from a descriptor of [`listen_for`]; `None` where none is pending.
pub(crate) fn next_signal(from: &OwnedFd) -> Option<c_int> {
    const SIZE: usize = size_of::<libc::signalfd_siginfo>();
    let mut bytes = [0u8; SIZE];
    // The number is the first field, 32 bits.
    (rustix::io::read(from, &mut bytes) == Ok(SIZE))
        .then(|| i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// Gives every signal its default meaning again and blocks none. Rust's start-up ignores SIGPIPE, which an executed
/// program would inherit.
pub(crate) fn forget_signals() {
    let none = signals(&[]);
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: SIG_DFL installs no code of ours; for SIGKILL, SIGSTOP and reserved numbers the call fails, harmlessly.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: `none` is an initialised sigset.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut()) };
}

/// Closes every descriptor from `first` on.
pub(crate) fn close_from(first: RawFd) -> io::Result<()> {
    match close_range(first, 0) {
        // A kernel before 5.9.
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => close_one_by_one(first),
        closed => closed,
    }
}

fn close_one_by_one(first: RawFd) -> io::Result<()> {
    let entries = std::fs::read_dir("/proc/self/fd")?;
    let open: Vec<RawFd> = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for descriptor in open.into_iter().filter(|descriptor| *descriptor >= first) {
        // SAFETY: as for `close_range`. The one that listed them is closed already, which the kernel says and no more.
        unsafe { libc::close(descriptor) };
    }
    Ok(())
}

/// Lets every descriptor from `first` on be closed by the next exec. All that we open are marked so from their
/// beginning; this is for what a library may have opened. Kernels before 5.11 do without.
pub(crate) fn close_from_at_exec(first: RawFd) -> io::Result<()> {
    match close_range(first, libc::CLOSE_RANGE_CLOEXEC.cast_signed()) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) => Ok(()),
        marked => marked,
    }
}

fn close_range(first: RawFd, flags: c_int) -> io::Result<()> {
    // SAFETY: callers own no descriptor object at or above `first` that they use afterwards.
    let result =
        unsafe { libc::syscall(libc::SYS_close_range, first.cast_unsigned(), c_uint::MAX, flags.cast_unsigned()) };
    zero(i32::try_from(result).unwrap_or(-1))
}

/// A child that has ended and is no more.
pub(crate) struct Reaped {
    /// Its pid.
    pub pid: i32,
    /// How it ended.
    pub exit: Exit,
    /// The most memory that it, or a child that it waited for, ever had.
    pub peak_bytes: u64,
}

/// Takes note of a child that has ended; `None` where there is none.
pub(crate) fn reap() -> Option<Reaped> {
    let mut status = 0;
    // SAFETY: `rusage` is plain numbers, for which zeros are values.
    let mut used: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes into both, which outlive the call.
    let pid = unsafe { libc::wait4(-1, &raw mut status, libc::WNOHANG, &raw mut used) };
    let exit = match status {
        status if libc::WIFEXITED(status) => Exit::Status(libc::WEXITSTATUS(status)),
        status => Exit::Signal(libc::WTERMSIG(status)),
    };
    let peak_bytes = u64::try_from(used.ru_maxrss).unwrap_or(0) * 1024;
    (pid > 0).then_some(Reaped { pid, exit, peak_bytes })
}

/// Takes over a descriptor that was left open for us at a known number.
pub(crate) fn adopt(descriptor: RawFd) -> OwnedFd {
    // SAFETY: the caller says that the parent left this descriptor for us; nothing else in this process names it.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

/// Runs a program in place of this one; returns only where that failed.
pub(crate) fn execute(program: &CStr, arguments: &[CString], variables: &[CString]) -> io::Error {
    let list = |texts: &[CString]| -> Vec<*const c_char> {
        texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
    };
    let (arguments, variables) = (list(arguments), list(variables));
    // SAFETY: both lists end with a null pointer and point to C strings that outlive the call.
    unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), variables.as_ptr()) };
    io::Error::last_os_error()
}

/// Signals every process that this one may signal, itself excepted: as init of a pid namespace, all in it, at once.
pub(crate) fn signal_all(signal: Signal) {
    // SAFETY: kill touches no memory.
    unsafe { libc::kill(-1, signal.as_raw()) };
}

/// Asks not to be signalled when a child has been stopped or goes on.
pub(crate) fn ignore_stopped_children() -> io::Result<()> {
    // SAFETY: a sigaction is plain memory, for which zeros are values (SIG_DFL, no flags, an empty set).
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_flags = libc::SA_NOCLDSTOP;
    // SAFETY: SIG_DFL installs no code of ours, and `action` outlives the call.
    zero(unsafe { libc::sigaction(libc::SIGCHLD, &raw const action, ptr::null_mut()) })
}

/// Lets the async runtime watch a descriptor.
pub(crate) fn watch(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` names the same open descriptor for as long as it lives, and `AsyncFd` keeps it until it has
    // taken it off the watch.
    let watched = unsafe { AsyncFd::register_with_interest(descriptor, interest) };
    watched.map_err(|refused| refused.into_parts().1)
}

fn zero(result: c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
