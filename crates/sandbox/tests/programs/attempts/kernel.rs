//! Attempts on the kernel: system calls that functions have no use for.

use std::ffi::CStr;
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;

use serde_json::json;

use super::{Arguments, HERE, Tried, short, unless_refused_later};

/// Where nothing is.
const NOWHERE: &CStr = c"/nowhere";

pub(super) fn attempt(name: &str, arguments: &Arguments<'_>) -> Option<Tried> {
    let nowhere = NOWHERE.as_ptr() as usize;
    let bad = usize::MAX;
    let later = |tried: Tried, reasons: &[i32]| unless_refused_later(tried, reasons);
    Some(match name {
        // Mounts.
        "mount" => mount(),
        "unmount" => later(
            short(libc::SYS_umount2, &[c"/".as_ptr() as usize, UMOUNT_NOFOLLOW | libc::MNT_EXPIRE as usize]),
            &[libc::EBUSY, libc::EINVAL, libc::EAGAIN],
        ),
        "pivot_root" => later(short(libc::SYS_pivot_root, &[nowhere, nowhere]), &[libc::ENOENT]),
        "chroot" => short(libc::SYS_chroot, &[c"/".as_ptr() as usize]),
        "open_tree" => short(libc::SYS_open_tree, &[HERE, c"/".as_ptr() as usize, OPEN_TREE_CLONE]),
        "move_mount" => {
            later(short(libc::SYS_move_mount, &[bad, nowhere, bad, nowhere, 0]), &[libc::ENOENT, libc::EBADF])
        }
        "fsopen" => short(libc::SYS_fsopen, &[c"tmpfs".as_ptr() as usize, 0]),
        "fspick" => later(short(libc::SYS_fspick, &[HERE, nowhere, 0]), &[libc::ENOENT]),
        "mount_setattr" => later(
            short(libc::SYS_mount_setattr, &[HERE, nowhere, 0, [0_u64; 4].as_ptr() as usize, 32]),
            &[libc::ENOENT],
        ),
        // Namespaces.
        "unshare users" => short(libc::SYS_unshare, &[libc::CLONE_NEWUSER as usize]),
        "unshare mounts" => short(libc::SYS_unshare, &[libc::CLONE_NEWNS as usize]),
        "unshare the network" => short(libc::SYS_unshare, &[libc::CLONE_NEWNET as usize]),
        "unshare control groups" => short(libc::SYS_unshare, &[libc::CLONE_NEWCGROUP as usize]),
        "unshare the clock" => short(libc::SYS_unshare, &[0x80]),
        "clone into new users" => clone(libc::CLONE_NEWUSER),
        "clone into new mounts" => clone(libc::CLONE_NEWNS),
        "clone3" => clone3(),
        "setns" => setns(),
        // What has been a way out of containers.
        "bpf" => {
            later(short(libc::SYS_bpf, &[BPF_MAP_CREATE, [1_u32, 4, 4, 1, 0, 0, 0, 0].as_ptr() as usize, 32]), &[])
        }
        "io_uring" => io_uring(),
        "userfaultfd" => short(libc::SYS_userfaultfd, &[0]),
        "perf_event_open" => perf(),
        "keyctl" => short(libc::SYS_keyctl, &[0, KEY_SPEC_SESSION_KEYRING, 1]),
        "add_key" => add_key(),
        "request_key" => {
            later(short(libc::SYS_request_key, &[c"user".as_ptr() as usize, nowhere, 0, 0]), &[libc::ENOENT, ENOKEY])
        }
        "fanotify" => short(libc::SYS_fanotify_init, &[0, 0]),
        "memfd_secret" => short(447, &[0]),
        "ask for handles of cookies" => short(libc::SYS_lookup_dcookie, &[0, 0, 0]),
        "type into a terminal" => later(
            short(libc::SYS_ioctl, &[0, usize::try_from(libc::TIOCSTI).unwrap(), c"x".as_ptr() as usize]),
            &[libc::ENOTTY, libc::EIO],
        ),
        "paste into the console" => {
            later(short(libc::SYS_ioctl, &[0, 0x541c, c"\x02".as_ptr() as usize]), &[libc::ENOTTY, libc::EINVAL])
        }
        "execute what is readable" => short(libc::SYS_personality, &[libc::READ_IMPLIES_EXEC as usize]),
        "x32" => short(0x4000_0000 + libc::SYS_getpid, &[]),
        #[cfg(target_arch = "x86_64")]
        "i386" => i386(),
        #[cfg(target_arch = "x86_64")]
        "modify_ldt" => short(libc::SYS_modify_ldt, &[0, [0_u8; 16].as_ptr() as usize, 16]),
        #[cfg(target_arch = "x86_64")]
        "iopl" => short(libc::SYS_iopl, &[3]),
        #[cfg(target_arch = "x86_64")]
        "ioperm" => short(libc::SYS_ioperm, &[0x80, 1, 1]),
        // The machine.
        "kexec_load" => later(short(libc::SYS_kexec_load, &[0, 1 << 20, 0, 0]), &[libc::EINVAL]),
        "kexec_file_load" => {
            later(short(libc::SYS_kexec_file_load, &[bad, bad, 0, 0, 0x8000_0000]), &[libc::EINVAL, libc::EBADF])
        }
        "init_module" => {
            later(short(libc::SYS_init_module, &[c"".as_ptr() as usize, 1, c"".as_ptr() as usize]), &[libc::ENOEXEC])
        }
        "finit_module" => later(short(libc::SYS_finit_module, &[bad, c"".as_ptr() as usize, 0]), &[libc::EBADF]),
        "delete_module" => {
            later(short(libc::SYS_delete_module, &[c"no such module".as_ptr() as usize, 0]), &[libc::ENOENT])
        }
        "reboot" => later(short(libc::SYS_reboot, &[0, 0, 0, 0]), &[libc::EINVAL]),
        "swapon" => later(short(libc::SYS_swapon, &[nowhere, 0]), &[libc::ENOENT]),
        "acct" => later(short(libc::SYS_acct, &[nowhere]), &[libc::ENOENT]),
        "quotactl" => later(short(libc::SYS_quotactl, &[Q_SYNC, nowhere, 0, 0]), &[libc::ENOENT, libc::ENODEV]),
        "read the kernel's log" => short(libc::SYS_syslog, &[3, [0_u8; 64].as_mut_ptr() as usize, 64]),
        "settimeofday" => {
            later(short(libc::SYS_settimeofday, &[[0_u64, 2_000_000].as_ptr() as usize, 0]), &[libc::EINVAL])
        }
        "clock_settime" => {
            later(short(libc::SYS_clock_settime, &[0, [0_u64, 2_000_000_000].as_ptr() as usize]), &[libc::EINVAL])
        }
        "adjtimex" => adjtimex(),
        "sethostname" => later(short(libc::SYS_sethostname, &[nowhere, bad]), &[libc::EINVAL]),
        "setdomainname" => later(short(libc::SYS_setdomainname, &[nowhere, bad]), &[libc::EINVAL]),
        // Rights.
        "become root" => short(libc::SYS_setresuid, &[0, 0, 0]),
        "become root's group" => short(libc::SYS_setresgid, &[0, 0, 0]),
        "join groups" => short(libc::SYS_setgroups, &[1, [0_u32].as_ptr() as usize]),
        "take capabilities" => take_capabilities(),
        "open more files" => raise(libc::RLIMIT_NOFILE),
        "lock more memory" => raise(libc::RLIMIT_MEMLOCK),
        "go first" => short(libc::SYS_setpriority, &[0, 0, (-10_isize).cast_unsigned()]),
        "run in real time" => short(libc::SYS_sched_setscheduler, &[0, 1, [1_u32].as_ptr() as usize]),
        "read and write first" => short(libc::SYS_ioprio_set, &[1, 0, 1 << 13]),
        "weigh less where memory lacks" => {
            fs::write("/proc/self/oom_score_adj", arguments.text(0)).map(|()| json!(null))
        }
        _ => return None,
    })
}

const UMOUNT_NOFOLLOW: usize = 8;
const OPEN_TREE_CLONE: usize = 1;
const BPF_MAP_CREATE: usize = 0;
const KEY_SPEC_SESSION_KEYRING: usize = (-3_isize).cast_unsigned();
const KEY_SPEC_PROCESS_KEYRING: usize = (-2_isize).cast_unsigned();
const ENOKEY: i32 = 126;
/// `QCMD(Q_SYNC, USRQUOTA)`.
const Q_SYNC: usize = 0x8000_0100;

fn mount() -> Tried {
    let (kind, at) = (c"tmpfs".as_ptr() as usize, c"/tmp".as_ptr() as usize);
    // Where it is allowed, it is allowed in mounts of its own, that end with this process.
    let _ = short(libc::SYS_unshare, &[libc::CLONE_NEWNS as usize]);
    let private = libc::MS_REC | libc::MS_PRIVATE;
    let _ = short(libc::SYS_mount, &[0, c"/".as_ptr() as usize, 0, usize::try_from(private).unwrap(), 0]);
    short(libc::SYS_mount, &[kind, at, kind, 0, 0])
}

fn clone(flags: i32) -> Tried {
    let flags = (flags | libc::SIGCHLD).cast_unsigned();
    let pid = short(libc::SYS_clone, &[flags as usize, 0, 0, 0, 0])?;
    if pid == 0 {
        // SAFETY: this is the clone, of which nothing is wanted.
        unsafe { libc::_exit(0) }
    }
    Ok(pid)
}

fn clone3() -> Tried {
    // struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal and so on.
    let mut arguments = [0_u64; 11];
    arguments[4] = u64::try_from(libc::SIGCHLD).unwrap();
    let pid = short(libc::SYS_clone3, &[arguments.as_ptr() as usize, size_of_val(&arguments)])?;
    if pid == 0 {
        // SAFETY: this is the clone, of which nothing is wanted.
        unsafe { libc::_exit(0) }
    }
    Ok(pid)
}

fn setns() -> Tried {
    let own = File::open("/proc/self/ns/net")?;
    short(libc::SYS_setns, &[usize::try_from(own.as_raw_fd()).unwrap(), libc::CLONE_NEWNET as usize])
}

fn io_uring() -> Tried {
    let mut parameters = [0_u32; 30];
    short(libc::SYS_io_uring_setup, &[1, parameters.as_mut_ptr() as usize])
}

/// Asks for a length of the clock's tick that no clock has.
fn adjtimex() -> Tried {
    // struct timex: what to set, ADJ_TICK, is first.
    let mut settings = [0_u64; 26];
    settings[0] = 0x4000;
    unless_refused_later(short(libc::SYS_adjtimex, &[settings.as_mut_ptr() as usize]), &[libc::EINVAL])
}

fn perf() -> Tried {
    // struct perf_event_attr: PERF_TYPE_SOFTWARE, its size, PERF_COUNT_SW_CPU_CLOCK.
    let mut attributes = [0_u32; 32];
    attributes[0] = 1;
    attributes[1] = 128;
    short(libc::SYS_perf_event_open, &[attributes.as_ptr() as usize, 0, usize::MAX, usize::MAX, 0])
}

fn add_key() -> Tried {
    let (kind, name) = (c"user".as_ptr() as usize, c"attempt".as_ptr() as usize);
    short(libc::SYS_add_key, &[kind, name, c"x".as_ptr() as usize, 1, KEY_SPEC_PROCESS_KEYRING])
}

/// Of this process.
fn take_capabilities() -> Tried {
    // linux/capability.h: version 3, this process; then effective, permitted and inheritable, twice.
    let header = [0x2008_0522_u32, 0];
    let sets = [1_u32 << 21, 1 << 21, 0, 0, 0, 0];
    short(libc::SYS_capset, &[header.as_ptr() as usize, sets.as_ptr() as usize])
}

/// By one more than there are.
fn raise(resource: libc::__rlimit_resource_t) -> Tried {
    let mut limit = [0_u64; 2];
    let resource = resource as usize;
    short(libc::SYS_prlimit64, &[0, resource, 0, limit.as_mut_ptr() as usize])?;
    limit[1] += 1;
    short(libc::SYS_prlimit64, &[0, resource, limit.as_ptr() as usize, 0])
}

/// `getpid`, as a program of 32 bits calls it.
#[cfg(target_arch = "x86_64")]
fn i386() -> Tried {
    let mut result: i64 = 20;
    // SAFETY: the call takes no argument and changes no memory.
    unsafe {
        std::arch::asm!("int 0x80", inout("rax") result, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
    if result > 0 { Ok(json!(result)) } else { Err(std::io::Error::from_raw_os_error(38)) }
}
