//! What a runtime sees as its files: the host's own, with `/var/task`, `/opt`, `/tmp` and `/var/runtime` of its own.
//!
//! This is for fidelity and protects nothing: everything else of the host is there. The spawner makes one base view
//! on a tmpfs, so that the mount points exist whatever the host has; each environment's init, in a mount namespace of
//! its own, puts its folders there and makes it its root.
//! Never here: isolation.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_change, move_mount,
    open_tree, unmount,
};

use super::protocol::{Places, Refused};
use super::sys;

/// How the right to mount is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// As root.
    Own,
    /// As root of a user namespace that maps our user to itself.
    UserNamespace,
}

/// Folders of the host's root that are not shown as they are.
const OWN: [&str; 4] = ["proc", "tmp", "opt", "var"];
/// Folders of the host's `/var` that are not shown as they are.
const OWN_IN_VAR: [&str; 2] = ["task", "runtime"];
/// What the view hides of the host.
const HIDDEN: [&str; 4] = ["/opt", "/tmp", "/var/task", "/var/runtime"];

/// Names a step that failed.
fn step<E: Into<io::Error>>(step: &str) -> impl FnOnce(E) -> Refused {
    let step = step.to_owned();
    move |error| {
        let error: io::Error = error.into();
        Refused { step, errno: error.raw_os_error().unwrap_or(0) }
    }
}

/// Leaves the host's mount namespace and makes the base view on `mount_point`.
pub(crate) fn establish(right: Right, mount_point: &Path) -> Result<(), Refused> {
    match right {
        Right::Own => sys::unshare(libc::CLONE_NEWNS).map_err(step("unshare(CLONE_NEWNS)"))?,
        Right::UserNamespace => enter_user_namespace()?,
    }
    // Mounts of the host still come in, ours never go out.
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .map_err(step("mount(MS_SLAVE)"))?;
    build_base(mount_point)
}

fn enter_user_namespace() -> Result<(), Refused> {
    let (user, group) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    sys::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS).map_err(step("unshare(CLONE_NEWUSER)"))?;
    fs::write("/proc/self/setgroups", "deny").map_err(step("write(/proc/self/setgroups)"))?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1")).map_err(step("write(/proc/self/uid_map)"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1")).map_err(step("write(/proc/self/gid_map)"))
}

/// One entry of the host's root.
enum Shown {
    Mount(OwnedFd, bool),
    Link(PathBuf),
}

fn build_base(mount_point: &Path) -> Result<(), Refused> {
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
    sys::make_read_only(&base, false).map_err(step("mount_setattr"))
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

/// Makes the view of one environment the root of this process, which has mount and pid namespaces of its own.
pub(crate) fn enter(mount_point: &Path, places: &Places) -> Result<(), Refused> {
    // Taken before anything is mounted, so that the data folder may lie anywhere, also under `/tmp` or `/var`.
    let read_only = |path: &Path| -> Result<OwnedFd, Refused> {
        let tree = take_tree(path).map_err(step("open_tree"))?;
        sys::make_read_only(&tree, true).map_err(step("mount_setattr"))?;
        Ok(tree)
    };
    let code = read_only(&places.code)?;
    let clients = read_only(&places.clients)?;
    let storage = take_tree(&places.storage).map_err(step("open_tree"))?;
    let kept: Vec<(&PathBuf, OwnedFd)> =
        places.kept.iter().map(|path| Ok((path, read_only(path)?))).collect::<Result<_, Refused>>()?;

    let at = |path: &str| mount_point.join(path.trim_start_matches('/'));
    put(&code, &at("/var/task")).map_err(step("move_mount"))?;
    put(&clients, &at("/var/runtime")).map_err(step("move_mount"))?;
    put(&storage, &at("/tmp")).map_err(step("move_mount"))?;
    let is_in_opt = |path: &Path| path.starts_with("/opt");
    let has_own = kept.iter().any(|(path, _)| is_in_opt(path));
    if has_own {
        mount("tmpfs", at("/opt"), "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(c"mode=755"))
            .map_err(step("mount(tmpfs)"))?;
        for (path, _) in kept.iter().filter(|(path, _)| is_in_opt(path)) {
            let place = mount_point.join(path.strip_prefix("/").unwrap_or(path));
            fs::DirBuilder::new().recursive(true).mode(0o755).create(&place).map_err(step("mkdir"))?;
        }
    }
    show_layers(&places.layers, &at("/opt"), has_own)?;
    for (path, tree) in kept {
        let place = mount_point.join(path.strip_prefix("/").unwrap_or(path));
        fs::DirBuilder::new().recursive(true).mode(0o755).create(&place).map_err(step("mkdir"))?;
        put(&tree, &place).map_err(step("move_mount"))?;
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", at("/proc"), "proc", flags, None).map_err(step("mount(proc)"))?;

    rustix::process::chdir(mount_point).map_err(step("chdir"))?;
    rustix::process::pivot_root(".", ".").map_err(step("pivot_root"))?;
    unmount(".", UnmountFlags::DETACH).map_err(step("umount2(MNT_DETACH)"))?;
    rustix::process::chdir("/").map_err(step("chdir"))
}

/// The name of the step that fails where folders cannot be laid over one another.
pub(crate) const OVERLAY: &str = "mount(overlay)";

/// Makes the layers `/opt`, over the places that something else needs there.
fn show_layers(layers: &[PathBuf], opt: &Path, has_own: bool) -> Result<(), Refused> {
    match layers {
        [] => Ok(()),
        [layer] if !has_own => {
            let tree = take_tree(layer).map_err(step("open_tree"))?;
            sys::make_read_only(&tree, true).map_err(step("mount_setattr"))?;
            put(&tree, opt).map_err(step("move_mount"))
        }
        layers => {
            let places = has_own.then_some(opt);
            let folders = layers.iter().rev().map(PathBuf::as_path).chain(places);
            let laid = overlay_of(folders).and_then(|options| {
                let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::RDONLY;
                Ok(mount("overlay", opt, "overlay", flags, Some(options.as_c_str()))?)
            });
            match (laid, layers) {
                (Ok(()), _) => Ok(()),
                (Err(_), [layer]) => show_entries(layer, opt),
                (Err(error), _) => Err(step(OVERLAY)(error)),
            }
        }
    }
}

/// The options of an overlay of folders, the uppermost first (Linux, Documentation/filesystems/overlayfs.rst).
fn overlay_of<'a>(folders: impl Iterator<Item = &'a Path>) -> io::Result<CString> {
    let mut options = b"lowerdir=".to_vec();
    for (number, folder) in folders.enumerate() {
        if number > 0 {
            options.push(b':');
        }
        for byte in folder.as_os_str().as_bytes() {
            if matches!(byte, b'\\' | b':' | b',') {
                options.push(b'\\');
            }
            options.push(*byte);
        }
    }
    Ok(CString::new(options)?)
}

/// Shows what is in a layer beside what is in `/opt` already, which goes first.
fn show_entries(layer: &Path, opt: &Path) -> Result<(), Refused> {
    for entry in fs::read_dir(layer).map_err(step("read(layer)"))? {
        let entry = entry.map_err(step("read(layer)"))?;
        let place = opt.join(entry.file_name());
        if place.exists() {
            continue;
        }
        let kind = entry.file_type().map_err(step("read(layer)"))?;
        if kind.is_symlink() {
            let target = fs::read_link(entry.path()).map_err(step("readlink"))?;
            std::os::unix::fs::symlink(target, place).map_err(step("symlink"))?;
            continue;
        }
        if kind.is_dir() {
            fs::create_dir(&place).map_err(step("mkdir"))?;
        } else {
            fs::File::create(&place).map_err(step("create"))?;
        }
        let tree = take_tree(&entry.path()).map_err(step("open_tree"))?;
        sys::make_read_only(&tree, true).map_err(step("mount_setattr"))?;
        put(&tree, &place).map_err(step("move_mount"))?;
    }
    Ok(())
}

/// The folder to keep in the view so that `path`, which the view would hide, is still there; `None` where it is
/// shown anyway. For a program in a folder `bin` that is the folder above, where its library is.
pub(crate) fn keep(path: &Path) -> Option<PathBuf> {
    let hidden = HIDDEN.iter().map(Path::new).find(|hidden| path.starts_with(hidden))?;
    let folder = if path.is_dir() { path } else { path.parent()? };
    let above = folder.parent().filter(|above| *above != hidden && above.starts_with(hidden));
    let whole = above.filter(|_| folder.ends_with("bin")).unwrap_or(folder);
    (whole != hidden).then(|| whole.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_can_be_part_of_an_overlay() {
        let folders = ["/data:1/b", "/a,b\\c"].map(Path::new);
        assert_eq!(overlay_of(folders.into_iter()).unwrap().to_bytes(), br"lowerdir=/data\:1/b:/a\,b\\c");
    }

    #[test]
    fn what_the_view_would_hide_is_kept_with_its_library() {
        let cases = [
            ("/usr/bin/python3.12", None),
            ("/opt/python/bin/python3.12", Some("/opt/python")),
            ("/opt/bin/python3.12", Some("/opt/bin")),
            ("/tmp/clone/target/venv/bin/python", Some("/tmp/clone/target/venv")),
            ("/opt/python3.12", None),
            ("/var/lib/node/bin/node", None),
        ];
        for (path, kept) in cases {
            assert_eq!(keep(Path::new(path)), kept.map(PathBuf::from), "{path}");
        }
    }
}
