//! How folders come into an environment that stands already: the spawner, which can reach them, makes detached mounts
//! of them; the init, which cannot, puts these where they belong.
//!
//! Never here: which folders.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::{put, step, take_tree};
use crate::launcher::protocol::{Refused, Source};
use crate::launcher::sys::{self, NO_DEVICES, NO_SETUID, READ_ONLY};

/// The name of the step that fails where folders cannot be laid over one another.
pub(crate) const OVERLAY: &str = "mount(overlay)";

/// What a function may not do with what it has of the host.
const LOCKED: u64 = READ_ONLY | NO_SETUID | NO_DEVICES;

/// Makes a detached mount; `scratch` is the name of a folder to make and to work in, and is gone afterwards.
pub(crate) fn tree(
    source: &Source,
    given: &mut impl Iterator<Item = OwnedFd>,
    scratch: &Path,
) -> Result<OwnedFd, Refused> {
    match source {
        Source::Given => given.next().ok_or_else(|| Refused { step: "take(mount)".to_owned(), errno: libc::EBADF }),
        Source::ReadOnly(path) => read_only(path),
        Source::Storage(path) => {
            let tree = take_tree(path).map_err(step(&format!("open_tree({})", path.display())))?;
            sys::restrict(&tree, NO_SETUID | NO_DEVICES, true).map_err(step("mount_setattr"))?;
            Ok(tree)
        }
        Source::Layers { folders, places } => match (folders.as_slice(), places.as_slice()) {
            ([layer], []) => read_only(layer),
            (folders, places) => made_on(scratch, || lay(folders, places, scratch)),
        },
    }
}

fn read_only(path: &Path) -> Result<OwnedFd, Refused> {
    let tree = take_tree(path).map_err(step(&format!("open_tree({})", path.display())))?;
    sys::restrict(&tree, LOCKED, true).map_err(step("mount_setattr"))?;
    Ok(tree)
}

/// Makes a detached mount, locked, of what `lay` puts together on a tmpfs at `scratch`, which is gone afterwards.
pub(super) fn made_on(scratch: &Path, lay: impl FnOnce() -> Result<OwnedFd, Refused>) -> Result<OwnedFd, Refused> {
    make_folders(scratch).map_err(step("mkdir"))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    let tree =
        mount("tmpfs", scratch, "tmpfs", flags, Some(c"mode=755")).map_err(step("mount(tmpfs)")).and_then(|()| {
            let tree = lay();
            unmount(scratch, UnmountFlags::DETACH).map_err(step("umount2(MNT_DETACH)"))?;
            tree
        });
    let _ = fs::remove_dir(scratch);
    let tree = tree?;
    sys::restrict(&tree, LOCKED, true).map_err(step("mount_setattr"))?;
    Ok(tree)
}

fn lay(folders: &[PathBuf], places: &[PathBuf], scratch: &Path) -> Result<OwnedFd, Refused> {
    let (below, over) = (scratch.join("below"), scratch.join("over"));
    for folder in [&below, &over].into_iter().cloned().chain(places.iter().map(|place| below.join(place))) {
        make_folders(&folder).map_err(step("mkdir"))?;
    }
    let taken = |path: &Path| take_tree(path).map_err(step(&format!("open_tree({})", path.display())));
    if folders.is_empty() {
        return taken(&below);
    }
    let lowest = (!places.is_empty()).then_some(below.as_path());
    let laid = overlay_of(folders.iter().rev().map(PathBuf::as_path).chain(lowest)).and_then(|options| {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::RDONLY;
        Ok(mount("overlay", &over, "overlay", flags, Some(options.as_c_str()))?)
    });
    match (laid, folders) {
        (Ok(()), _) => taken(&over),
        (Err(_), [layer]) => {
            show_entries(layer, &below)?;
            taken(&below)
        }
        (Err(error), _) => Err(step(OVERLAY)(error)),
    }
}

/// The options of an overlay of folders, the uppermost first (Linux, Documentation/filesystems/overlayfs.rst).
pub(super) fn overlay_of<'a>(folders: impl Iterator<Item = &'a Path>) -> io::Result<CString> {
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

/// Shows what is in a layer beside what is there already, which goes first.
fn show_entries(layer: &Path, into: &Path) -> Result<(), Refused> {
    for entry in fs::read_dir(layer).map_err(step("read(layer)"))? {
        let entry = entry.map_err(step("read(layer)"))?;
        let place = into.join(entry.file_name());
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
        sys::restrict(&tree, READ_ONLY, true).map_err(step("mount_setattr"))?;
        put(&tree, &place).map_err(step("move_mount"))?;
    }
    Ok(())
}

/// As the init, puts a mount where it belongs. What must be made for it is added to `made`, and is to be [closed](close).
pub(crate) fn place(tree: impl AsFd, at: &Path, made: &mut Vec<PathBuf>) -> Result<(), Refused> {
    if !at.is_dir() {
        make_place(at, made)?;
    }
    put(tree, at).map_err(step("move_mount"))
}

/// A folder where the view, which is read-only, has none: on a tmpfs over the last folder of the path that is there.
fn make_place(at: &Path, made: &mut Vec<PathBuf>) -> Result<(), Refused> {
    if make_folders(at).is_ok() {
        return Ok(());
    }
    let there = at.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    let is_empty = fs::read_dir(there).map_err(step("read(place)"))?.next().is_none();
    if !is_empty {
        return Err(Refused { step: format!("mkdir({})", at.display()), errno: libc::EROFS });
    }
    mount("tmpfs", there, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(c"mode=755,size=64k"))
        .map_err(step("mount(tmpfs)"))?;
    made.push(there.to_owned());
    make_folders(at).map_err(step("mkdir"))
}

/// Makes read-only what was made for mounts.
pub(crate) fn close(made: &[PathBuf]) -> Result<(), Refused> {
    for folder in made {
        let folder = rustix::fs::openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        sys::restrict(folder.map_err(step("open"))?, READ_ONLY, false).map_err(step("mount_setattr"))?;
    }
    Ok(())
}

fn make_folders(at: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_can_be_part_of_an_overlay() {
        let folders = ["/data:1/b", "/a,b\\c"].map(Path::new);
        assert_eq!(overlay_of(folders.into_iter()).unwrap().to_bytes(), br"lowerdir=/data\:1/b:/a\,b\\c");
    }
}
