//! What becomes of a process that is to run a function where there are no namespaces: another user where the engine is
//! root, walls around its files, and a filter of its system calls. Level `confined`.
//!
//! A mount could show a folder to somebody who may not pass the folders above it; here there are none. So where the
//! engine is root, each environment is a user of its own, all of one group, and that group, which has no other member,
//! may pass the data folder (0710) on the way to the code, the runtime clients and the storage of an environment. It
//! may not list what is there; names of packages are digests and those of environments random; and what is behind
//! another name is out of reach behind the walls. An environment's own folder is its user's alone (0700).
//! Folders above the data folder are not ours to open: in a home that is closed to others, an engine that is root
//! has no level `confined`.
//! Never here: which folders an environment has.

pub(super) mod trial;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::landlock::{Confined, Rules, Walls};
use super::protocol::Refused;
use super::seccomp::Filter;

/// Who a function is on the host, where its engine is root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stranger {
    /// Nobody else's while the environment lives.
    pub(super) user: u32,
    /// That of all environments of this engine, and of nobody else.
    pub(super) group: u32,
}

/// What stands around what an init starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Confinement {
    /// Another user, where the engine is root.
    pub(super) stranger: Option<Stranger>,
    /// What it reaches.
    pub(super) walls: Walls,
}

/// Lets a stranger get to its folders; `data` is the engine's data folder, and nothing above it is changed. As root.
pub(super) fn open_ways(stranger: Stranger, data: &Path, walls: &Walls) -> Result<(), Refused> {
    for path in walls.read.iter().chain(&walls.write) {
        let path = path.canonicalize().map_err(refused(format!("realpath({})", path.display())))?;
        // A path that is not in there is the host's, and as open as its owner wants it.
        let Ok(below) = path.strip_prefix(data) else { continue };
        let mut way = below.ancestors().skip(1).map(|part| data.join(part));
        way.try_for_each(|folder| open_way(&folder, stranger.group))?;
    }
    for storage in &walls.write {
        if let Some(folder) = storage.parent().filter(|folder| *folder != data && folder.starts_with(data)) {
            own(folder, stranger).map_err(refused(format!("chown({})", folder.display())))?;
        }
    }
    Ok(())
}

/// Lets the group pass a folder, if it cannot already.
fn open_way(folder: &Path, group: u32) -> Result<(), Refused> {
    const PASS_BY_GROUP: u32 = 0o010;
    const PASS_BY_ANYBODY: u32 = 0o001;
    let failed = |call: &str| refused(format!("{call}({})", folder.display()));
    let about = fs::metadata(folder).map_err(failed("stat"))?;
    if about.mode() & PASS_BY_ANYBODY != 0 || about.gid() == group && about.mode() & PASS_BY_GROUP != 0 {
        return Ok(());
    }
    // The rights of the group that it had go with that group.
    let mode = about.mode() & 0o7700 | PASS_BY_GROUP;
    chown(folder, None, Some(group)).map_err(failed("chown"))?;
    fs::set_permissions(folder, Permissions::from_mode(mode)).map_err(failed("chmod"))
}

fn own(folder: &Path, stranger: Stranger) -> io::Result<()> {
    chown(folder, Some(stranger.user), Some(stranger.group))?;
    fs::set_permissions(folder, Permissions::from_mode(0o700))
}

/// Makes this process one that may execute the function's program: to be called last before that, by a process of one
/// thread.
pub(super) fn confine(stranger: Option<Stranger>, walls: &Walls, filter: &Filter) -> Result<Confined, Refused> {
    // While it may still look up every folder.
    let rules = Rules::new(walls)?;
    rustix::thread::clear_ambient_capability_set().map_err(refused("prctl(PR_CAP_AMBIENT)"))?;
    if let Some(Stranger { user, group }) = stranger {
        drop_bounding_set();
        let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
        rustix::thread::set_thread_groups(&[]).map_err(refused("setgroups"))?;
        rustix::thread::set_thread_res_gid(group, group, group).map_err(refused("setresgid"))?;
        rustix::thread::set_thread_res_uid(user, user, user).map_err(refused("setresuid"))?;
    }
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets).map_err(refused("capset"))?;
    rustix::thread::set_no_new_privs(true).map_err(refused("prctl(PR_SET_NO_NEW_PRIVS)"))?;
    let confined = rules.enforce()?;
    // After every change of the user, which takes it back.
    let at_our_end = Some(rustix::process::Signal::KILL);
    rustix::process::set_parent_process_death_signal(at_our_end).map_err(refused("prctl(PR_SET_PDEATHSIG)"))?;
    filter.install().map_err(refused("seccomp"))?;
    Ok(confined)
}

/// With `no_new_privs` the set changes nothing any more; an engine in a container may lack the right to shrink it.
fn drop_bounding_set() {
    for number in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << number);
        if rustix::thread::remove_capability_from_bounding_set(one).is_err() {
            return;
        }
    }
}

fn refused<E: Into<io::Error>>(step: impl Into<String>) -> impl FnOnce(E) -> Refused {
    let step = step.into();
    move |error| Refused { step, errno: error.into().raw_os_error().unwrap_or(0) }
}

#[cfg(test)]
mod tests;
