//! The root of an environment that is made of a container image: its layers over one another, read-only, above a few
//! folders that every environment has.
//!
//! What an image names `/dev` or `/etc/hosts` is its author's choice: nothing is mounted where it leads elsewhere.
//! Never here: fetching and unpacking images.

use std::fs;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string,
    fsmount, fsopen, mount,
};

use super::furnish::{made_on, overlay_of};
use super::{Right, put, step, take_tree};
use crate::launcher::protocol::Refused;

/// Bytes of the paths of layers that mount(2) takes: a page, in which each byte may need an escape.
const OPTIONS_BYTES_MAX: usize = 3_500;
/// Folders that an environment has, whatever its image.
const FOLDERS: [&str; 4] = ["dev", "proc", "tmp", "etc"];
/// Files of the base view that take the place of the image's own: who a name is, is the host's affair.
const FILES: [&str; 2] = ["etc/hosts", "etc/resolv.conf"];

/// Makes a detached mount of an image's layers, the first one lowest; `scratch` is the name of a folder to make and to
/// work in, and is gone afterwards.
pub(crate) fn root(layers: &[PathBuf], right: Right, scratch: &Path) -> Result<OwnedFd, Refused> {
    made_on(scratch, || lay(layers, right, scratch))
}

fn lay(layers: &[PathBuf], right: Right, scratch: &Path) -> Result<OwnedFd, Refused> {
    let (below, over) = (scratch.join("below"), scratch.join("over"));
    for folder in FOLDERS.iter().map(|name| below.join(name)).chain([over.clone()]) {
        fs::create_dir_all(folder).map_err(step("mkdir"))?;
    }
    for file in FILES {
        fs::File::create(below.join(file)).map_err(step("create"))?;
    }
    if layers.is_empty() {
        return take_tree(&below).map_err(step("open_tree"));
    }
    let folders = || layers.iter().rev().map(PathBuf::as_path).chain([below.as_path()]);
    let bytes: usize = folders().map(|folder| folder.as_os_str().len() * 2).sum();
    let marks_are_users = right == Right::UserNamespace;
    if bytes > OPTIONS_BYTES_MAX {
        return lay_one_by_one(folders(), marks_are_users).map_err(step("fsconfig(overlay)"));
    }
    let mut options = overlay_of(folders()).map_err(step("mount(overlay)"))?.into_bytes();
    if marks_are_users {
        options.extend_from_slice(b",userxattr");
    }
    let options = std::ffi::CString::new(options).map_err(|_| Refused { step: "mount(overlay)".into(), errno: 0 })?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::RDONLY;
    mount("overlay", &over, "overlay", flags, Some(options.as_c_str())).map_err(step("mount(overlay)"))?;
    take_tree(&over).map_err(step("open_tree"))
}

/// For more layers than one call takes: Linux 6.8 and later.
fn lay_one_by_one<'a>(folders: impl Iterator<Item = &'a Path>, marks_are_users: bool) -> rustix::io::Result<OwnedFd> {
    let overlay = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for folder in folders {
        fsconfig_set_string(overlay.as_fd(), "lowerdir+", folder)?;
    }
    if marks_are_users {
        fsconfig_set_flag(overlay.as_fd(), "userxattr")?;
    }
    fsconfig_create(overlay.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NOSUID;
    fsmount(overlay.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// Puts an image's root over the base view, with what it takes from there.
pub(super) fn put_over(root: &OwnedFd, mount_point: &Path) -> Result<(), Refused> {
    let taken = |name: &str| take_tree(&mount_point.join(name)).map_err(step("open_tree"));
    let devices = taken("dev")?;
    let files: Vec<(&str, OwnedFd)> =
        FILES.iter().map(|name| Ok((*name, taken(name)?))).collect::<Result<_, Refused>>()?;
    put(root, mount_point).map_err(step("move_mount"))?;
    for name in FOLDERS {
        let kind = fs::symlink_metadata(mount_point.join(name)).map_err(step("stat"))?.file_type();
        if !kind.is_dir() {
            return Err(Refused { step: format!("the image has something else than a folder at /{name}"), errno: 0 });
        }
    }
    put(&devices, &mount_point.join("dev")).map_err(step("move_mount"))?;
    for (name, file) in files {
        let at = mount_point.join(name);
        if fs::symlink_metadata(&at).is_ok_and(|about| about.is_file()) {
            put(&file, &at).map_err(step("move_mount"))?;
        }
    }
    Ok(())
}
