//! What an environment sees as its files.
//!
//! The spawner makes one base view on a tmpfs, so that the mount points exist whatever the host has; each environment's
//! init, in a mount namespace of its own, makes it its root, and gets its folders when its function is known.
//! Never here: which folders these are.

mod furnish;
mod host;
mod image;
mod isolated;

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_change, move_mount,
    open_tree, unmount,
};

use super::protocol::{Configuration, Refused};
use super::sys;

pub(crate) use furnish::{OVERLAY, close, place, tree};
pub(crate) use image::root as image_root;

/// How the right to mount is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// As root.
    Own,
    /// As root of a user namespace that maps one user to ours: to itself where the host's files are shown, to root
    /// where they are not.
    UserNamespace,
}

/// What of the host is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// Everything.
    Host,
    /// Programs and libraries.
    Isolated,
}

/// Names a step that failed.
pub(super) fn step<E: Into<io::Error>>(step: &str) -> impl FnOnce(E) -> Refused {
    let step = step.to_owned();
    move |error| {
        let error: io::Error = error.into();
        Refused { step, errno: error.raw_os_error().unwrap_or(0) }
    }
}

/// Leaves the host's mount namespace and makes the base view.
pub(crate) fn establish(right: Right, base: Base, configuration: &Configuration) -> Result<(), Refused> {
    let mount_point = &configuration.mount_point;
    match right {
        Right::Own => sys::unshare(libc::CLONE_NEWNS).map_err(step("unshare(CLONE_NEWNS)"))?,
        Right::UserNamespace => enter_user_namespace(base)?,
    }
    let (propagation, name) = match base {
        // Mounts of the host still come in, ours never go out.
        Base::Host => (MountPropagationFlags::DOWNSTREAM, "mount(MS_SLAVE)"),
        Base::Isolated => (MountPropagationFlags::PRIVATE, "mount(MS_PRIVATE)"),
    };
    mount_change("/", propagation | MountPropagationFlags::REC).map_err(step(name))?;
    match base {
        Base::Host => host::build(mount_point),
        Base::Isolated => isolated::build(mount_point, &configuration.resolv_conf),
    }
}

fn enter_user_namespace(base: Base) -> Result<(), Refused> {
    let (user, group) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    sys::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS).map_err(step("unshare(CLONE_NEWUSER)"))?;
    let (as_user, as_group) = match base {
        Base::Host => (user, group),
        Base::Isolated => (0, 0),
    };
    fs::write("/proc/self/setgroups", "deny").map_err(step("write(/proc/self/setgroups)"))?;
    fs::write("/proc/self/uid_map", format!("{as_user} {user} 1")).map_err(step("write(/proc/self/uid_map)"))?;
    fs::write("/proc/self/gid_map", format!("{as_group} {group} 1")).map_err(step("write(/proc/self/gid_map)"))
}

/// A copy of the mounts at and below a path, attached nowhere yet.
fn take_tree(path: &Path) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    Ok(open_tree(CWD, path, flags)?)
}

fn put(tree: impl AsFd, at: &Path) -> io::Result<()> {
    Ok(move_mount(tree, c"", CWD, at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Has a file of the view be empty in this mount namespace. One that is not there is left so.
pub(crate) fn empty(file: &Path) -> Result<(), Refused> {
    if !file.is_file() {
        return Ok(());
    }
    let nothing = take_tree(Path::new("/dev/null")).map_err(step("open_tree(/dev/null)"))?;
    put(&nothing, file).map_err(step("move_mount"))
}

/// Makes the view, or an image's root, the root of this process, which has mount and pid namespaces of its own.
pub(crate) fn enter(base: Base, mount_point: &Path, image: Option<&OwnedFd>) -> Result<(), Refused> {
    // In a user namespace of its own it may not move the mounts that it was born with, but a copy of them.
    let view = take_tree(mount_point).map_err(step("open_tree"))?;
    put(&view, mount_point).map_err(step("move_mount"))?;
    if let Some(root) = image {
        image::put_over(root, mount_point)?;
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let options = match base {
        Base::Host => None,
        // Processes of others, the init among them, are not seen.
        Base::Isolated => Some(c"hidepid=2"),
    };
    mount("proc", mount_point.join("proc"), "proc", flags, options).map_err(step("mount(proc)"))?;

    rustix::process::chdir(mount_point).map_err(step("chdir"))?;
    rustix::process::pivot_root(".", ".").map_err(step("pivot_root"))?;
    unmount(".", UnmountFlags::DETACH).map_err(step("umount2(MNT_DETACH)"))?;
    rustix::process::chdir("/").map_err(step("chdir"))
}

/// The folder to keep in the view so that `path`, which the view would hide, is still there; `None` where it is
/// shown anyway. For a program in a folder `bin` that is the folder above, where its library is.
pub(crate) fn keep(path: &Path, base: Base) -> Option<PathBuf> {
    let hidden = match base {
        Base::Host => host::HIDDEN.iter().map(Path::new).find(|hidden| path.starts_with(hidden))?,
        Base::Isolated if isolated::SHOWN.iter().any(|shown| path.starts_with(shown)) => return None,
        Base::Isolated => Path::new("/"),
    };
    let folder = if path.is_dir() { path } else { path.parent()? };
    let above = folder.parent().filter(|above| *above != hidden && above.starts_with(hidden));
    let whole = above.filter(|_| folder.ends_with("bin")).unwrap_or(folder);
    (whole != hidden).then(|| whole.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_view_would_hide_is_kept_with_its_library() {
        let cases = [
            (Base::Host, "/usr/bin/python3.12", None),
            (Base::Host, "/opt/python/bin/python3.12", Some("/opt/python")),
            (Base::Host, "/opt/bin/python3.12", Some("/opt/bin")),
            (Base::Host, "/tmp/clone/target/venv/bin/python", Some("/tmp/clone/target/venv")),
            (Base::Host, "/opt/python3.12", None),
            (Base::Host, "/var/lib/node/bin/node", None),
            (Base::Isolated, "/usr/bin/python3.12", None),
            (Base::Isolated, "/srv/pyenv/versions/3.12/bin/python3", Some("/srv/pyenv/versions/3.12")),
            (Base::Isolated, "/var/lib/node/bin/node", Some("/var/lib/node")),
        ];
        for (base, path, kept) in cases {
            assert_eq!(keep(Path::new(path), base), kept.map(PathBuf::from), "{path}");
        }
    }
}
