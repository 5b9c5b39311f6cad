//! The base view of level `process`: the host as it is, but for the folders that a function has of its own.
//!
//! This is for fidelity and protects nothing. Never here: isolation.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, mount};

use super::{open_folder, put, step, take_tree};
use crate::launcher::protocol::Refused;
use crate::launcher::sys::{self, READ_ONLY};

/// Folders of the host's root that are not shown as they are.
const OWN: [&str; 4] = ["proc", "tmp", "opt", "var"];
/// Folders of the host's `/var` that are not shown as they are.
const OWN_IN_VAR: [&str; 2] = ["task", "runtime"];
/// What the view hides of the host.
pub(super) const HIDDEN: [&str; 4] = ["/opt", "/tmp", "/var/task", "/var/runtime"];

/// One entry of the host's root.
enum Shown {
    Mount(OwnedFd, bool),
    Link(PathBuf),
}

/// Makes it on `mount_point`.
pub(super) fn build(mount_point: &Path) -> Result<(), Refused> {
    // All trees are taken before anything is mounted: the mount point lies in one of them.
    let root = shown(Path::new("/"), &OWN).map_err(step("read(/)"))?;
    let var = shown(Path::new("/var"), &OWN_IN_VAR).unwrap_or_default();
    mount("tmpfs", mount_point, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(c"mode=755"))
        .map_err(step("mount(tmpfs)"))?;
    let make = |name: &str| fs::create_dir_all(mount_point.join(name)).map_err(step("mkdir"));
    for name in ["proc", "tmp", "opt", "var/task", "var/runtime"] {
        make(name)?;
    }
    place(root, mount_point)?;
    place(var, &mount_point.join("var"))?;
    // Fidelity only: where a host has no such file, or mounts differently, the name is not known.
    let _ = name_sandbox(mount_point);
    let base = open_folder(mount_point).map_err(step("open"))?;
    sys::restrict(&base, READ_ONLY, false).map_err(step("mount_setattr"))
}

/// Extensions listen for telemetry at a name that is the environment itself (AWS developer guide, telemetry-api): the
/// host's `hosts` file, in this view only, knows it, too.
fn name_sandbox(mount_point: &Path) -> io::Result<()> {
    let mut hosts = fs::read("/etc/hosts")?;
    hosts.extend_from_slice(b"\n127.0.0.1 sandbox.localdomain sandbox\n");
    let new = mount_point.join("hosts");
    fs::write(&new, hosts)?;
    let placed = take_tree(&new).and_then(|tree| put(&tree, &mount_point.join("etc/hosts")));
    fs::remove_file(&new)?;
    placed
}

/// What a folder of the host holds, except `own`. What cannot be shown (a mount that answers nobody) is left out.
fn shown(folder: &Path, own: &[&str]) -> io::Result<Vec<(PathBuf, Shown)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = PathBuf::from(entry.file_name());
        if own.iter().any(|own| Path::new(own) == name) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            all.push((name, Shown::Link(fs::read_link(entry.path())?)));
        } else if (kind.is_dir() || kind.is_file())
            && let Ok(tree) = take_tree(&entry.path())
        {
            all.push((name, Shown::Mount(tree, kind.is_dir())));
        }
    }
    Ok(all)
}

fn place(all: Vec<(PathBuf, Shown)>, under: &Path) -> Result<(), Refused> {
    for (name, what) in all {
        let at = under.join(name);
        match what {
            Shown::Link(target) => std::os::unix::fs::symlink(target, at).map_err(step("symlink"))?,
            Shown::Mount(tree, is_folder) => {
                if is_folder {
                    fs::create_dir(&at).map_err(step("mkdir"))?;
                } else {
                    fs::File::create(&at).map_err(step("create"))?;
                }
                put(&tree, &at).map_err(step("move_mount"))?;
            }
        }
    }
    Ok(())
}
