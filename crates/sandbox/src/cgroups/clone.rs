//! A process that begins in a group of v2.
#![allow(unsafe_code, reason = "clone3 has no safe wrapper")]

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::ptr;

/// CLONE_INTO_CGROUP of linux/sched.h. The one of libc is 32 bits wide, where it is nothing.
const INTO_CGROUP: u64 = 0x2_0000_0000;

/// Lets a process that does nothing begin and end in the group: the trial whether one may.
pub(super) fn pass_through(group: impl AsFd) -> io::Result<()> {
    // SAFETY: `clone_args` is plain numbers, for which zeros are values.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = INTO_CGROUP;
    arguments.exit_signal = u64::from(libc::SIGCHLD.cast_unsigned());
    arguments.cgroup = u64::from(group.as_fd().as_raw_fd().cast_unsigned());
    // SAFETY: without CLONE_VM and with a null stack this is fork. The child may have been one of many threads, so it
    // does nothing but end: `_exit` takes no lock. The kernel only reads `arguments`.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<libc::clone_args>()) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: as above.
        0 => unsafe { libc::_exit(0) },
        // SAFETY: the child is ours; nobody asks how it ended.
        pid => {
            let pid = i32::try_from(pid).map_err(|_| io::ErrorKind::InvalidData)?;
            unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
            Ok(())
        }
    }
}
