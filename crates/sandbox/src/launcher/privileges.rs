//! Who a function is, and what it may no longer do: between the fork and the exec of every program of an environment
//! that is isolated.
//!
//! Never here: what it sees.

use std::fs;
use std::io;

use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::sys;
use super::view::Right;

/// The user and group that a function is (recorded: `test_runtime_introspection_*`).
pub(super) const USER: u32 = 993;
pub(super) const GROUP: u32 = 990;

/// As a process in a user namespace of its own whose users are mapped: becomes its root.
pub(super) fn become_root_inside() -> io::Result<()> {
    let (root, group) = (Uid::ROOT, Gid::ROOT);
    rustix::thread::set_thread_res_gid(group, group, group)?;
    Ok(rustix::thread::set_thread_res_uid(root, root, root)?)
}

/// Becomes the user that functions are, for good.
pub(super) fn give_up(right: Right) -> io::Result<()> {
    if right == Right::UserNamespace {
        // There is one user only, so the other number comes from one more namespace.
        sys::unshare(libc::CLONE_NEWUSER)?;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{USER} 0 1"))?;
        fs::write("/proc/self/gid_map", format!("{GROUP} 0 1"))?;
    }
    rustix::thread::clear_ambient_capability_set()?;
    for number in 0..64 {
        match rustix::thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
            // The kernel has no more.
            Err(rustix::io::Errno::INVAL) => break,
            removed => removed?,
        }
    }
    if right == Right::Own {
        let (user, group) = (Uid::from_raw(USER), Gid::from_raw(GROUP));
        rustix::thread::set_thread_groups(&[])?;
        rustix::thread::set_thread_res_gid(group, group, group)?;
        rustix::thread::set_thread_res_uid(user, user, user)?;
    }
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    Ok(rustix::thread::set_no_new_privs(true)?)
}
