//! What the sandbox keeps on disk below the data folder: a folder for each environment, and the runtime clients.
//!
//! Never here: functions' code; that is the store's.

use std::ffi::{CStr, CString};
use std::fs::{self, DirBuilder, File, Permissions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use domain::runtime::Family;
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, chmodat, flock, openat, renameat, rmdir, statat,
    unlinkat,
};
use rustix::io::Errno;

use crate::clients::{self, RuntimeFile};

/// See the module.
#[derive(Debug)]
pub(crate) struct Folders {
    data: PathBuf,
    /// One folder for each environment.
    pub environments: PathBuf,
    /// Where the spawner mounts the base view.
    pub view: PathBuf,
    clients: PathBuf,
    /// Stands in for the code and for the layers while a function is not known: nothing but an empty `lib`, since the
    /// dynamic loader never looks again into a folder of LD_LIBRARY_PATH that was missing when the interpreter started.
    pub placeholder: PathBuf,
    /// What `/opt` is without layers.
    pub empty: PathBuf,
    _lock: File,
}

/// Why the folders cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FoldersError {
    /// Another engine uses them.
    #[error("the data folder {} is in use by another engine", folder.display())]
    InUse {
        /// The data folder.
        folder: PathBuf,
    },
    /// A step failed.
    #[error("prepare {}", path.display())]
    Step {
        /// What was to be made.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Folders {
    /// Makes what is missing, and puts aside what an engine that was killed has left; [`Folders::left`] names it.
    pub(crate) fn open(data: &Path) -> Result<Self, FoldersError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| FoldersError::Step { path, source }
        };
        private_folder(data).map_err(at(data))?;
        // Whatever is mounted is mounted from here, so links and `..` are resolved once.
        let data = data.canonicalize().map_err(at(data))?;
        let lock_path = data.join("environments.lock");
        let lock = File::create(&lock_path).map_err(at(&lock_path))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| FoldersError::InUse { folder: data.clone() })?;
        let environments = data.join("environments");
        let left = (0..=u32::MAX).map(|n| data.join(format!("environments.left-{n}"))).find(|path| !path.exists());
        let left = left.expect("no disk holds so many");
        match fs::rename(&environments, &left) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&environments)(error)),
            _ => {}
        }
        let view = environments.join(".view");
        private_folder(&view).map_err(at(&view))?;
        let prestart = data.join("prestart");
        let (placeholder, empty) = (prestart.join("placeholder"), prestart.join("empty"));
        private_folder(&prestart).map_err(at(&prestart))?;
        for folder in [&placeholder, &placeholder.join("lib"), &empty] {
            private_folder(folder).map_err(at(folder))?;
            // Functions look into it as another user.
            fs::set_permissions(folder, Permissions::from_mode(0o755)).map_err(at(folder))?;
        }
        let clients = data.join("clients").join(version_of_clients());
        lay_out_clients(&clients).map_err(at(&clients))?;
        Ok(Self { data, environments, view, clients, placeholder, empty, _lock: lock })
    }

    /// Where disks for `/tmp` are made.
    pub(crate) fn disks(&self) -> PathBuf {
        self.data.join("disks")
    }

    /// Tells the engine on this data folder from others on the machine, in the names of what it makes outside of it.
    pub(crate) fn name(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.data.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// What earlier engines have left; to be removed.
    pub(crate) fn left(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.data).into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("environments.left-"))
            .map(|entry| entry.path())
            .collect()
    }

    /// Where knowledge about interpreters is kept.
    pub(crate) fn interpreters(&self) -> PathBuf {
        self.data.join("interpreters.json")
    }

    /// What becomes `/var/runtime`.
    pub(crate) fn client(&self, family: Family) -> PathBuf {
        self.clients.join(match family {
            Family::Python => "python",
            Family::Node => "nodejs",
            Family::Provided | Family::Java | Family::Ruby | Family::DotNet => "provided",
        })
    }
}

fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A folder that a function may fill, as `/tmp` is on AWS (recorded: `test_runtime_introspection_*`).
pub(crate) fn make_storage(path: &Path) -> io::Result<()> {
    private_folder(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o1777))
}

/// The clients of another version of this program are another folder: environments of it may still use theirs.
fn version_of_clients() -> String {
    let mut hasher = DefaultHasher::new();
    (clients::PYTHON, clients::NODEJS).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

const CLIENTS: [(&str, &[RuntimeFile]); 3] =
    [("python", clients::PYTHON), ("nodejs", clients::NODEJS), ("provided", &[])];

/// Nothing of it is synced: what a power cut has left of it is seen here, and made again.
fn lay_out_clients(at: &Path) -> io::Result<()> {
    if are_laid_out(at) {
        return Ok(());
    }
    let new = at.with_extension("new");
    for old in [&new, at] {
        match fs::remove_dir_all(old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    for (family, files) in CLIENTS {
        let folder = new.join(family);
        fs::create_dir_all(&folder)?;
        for (path, bytes) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap_or(&folder))?;
            fs::write(path, bytes)?;
        }
    }
    fs::rename(new, at)
}

fn are_laid_out(at: &Path) -> bool {
    CLIENTS.iter().all(|(family, files)| {
        let folder = at.join(family);
        let is_whole = |(path, bytes): &RuntimeFile| fs::read(folder.join(path)).is_ok_and(|found| found == *bytes);
        folder.is_dir() && files.iter().all(is_whole)
    })
}

/// Removes a folder with all that a function may have put there, also what it made unreadable for its own user.
///
/// How deep the folders go is the function's choice, so nothing here goes down: each folder found is moved up to the
/// top under a fresh name and emptied there. Neither the stack nor the number of open descriptors depends on the depth.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    let gone = |result: io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    };
    match fs::symlink_metadata(folder) {
        Ok(about) if about.is_dir() => gone(remove_folder(folder)),
        Ok(_) => gone(fs::remove_file(folder)),
        Err(error) => gone(Err(error)),
    }
}

fn remove_folder(folder: &Path) -> io::Result<()> {
    let top = open_folder(CWD, folder)?;
    let (mut found, mut moved) = (Vec::new(), 0u64);
    loop {
        let was_empty = empty(&top, |name| {
            found.push(name.to_owned());
            Ok(())
        })?;
        while let Some(name) = found.pop() {
            let inner = match open_folder(&top, &*name) {
                // A folder that was moved took the place of an empty one that had its name.
                Err(Errno::NOENT) => continue,
                inner => inner?,
            };
            loop {
                let was_empty =
                    empty(&inner, |name| move_up(&inner, name, &top, &mut moved).map(|name| found.push(name)))?;
                match unlinkat(&top, &*name, AtFlags::REMOVEDIR) {
                    // Not every file system lists all there is while some of it goes.
                    Err(Errno::NOTEMPTY) if !was_empty => {}
                    removed => break removed?,
                }
            }
        }
        match rmdir(folder) {
            Err(Errno::NOTEMPTY) if !was_empty => {}
            removed => return Ok(removed?),
        }
    }
}

/// Opens a folder for listing, whatever the function allowed.
fn open_folder(within: impl AsFd, name: impl rustix::path::Arg + Copy) -> Result<OwnedFd, Errno> {
    // Moving a folder needs the right to write to it. That it cannot be given shows in the steps that follow.
    let _ = chmodat(&within, name, Mode::RWXU, AtFlags::empty());
    openat(&within, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// Unlinks all files of a folder and hands over its folders; tells whether there was neither.
fn empty(folder: &OwnedFd, mut each_folder: impl FnMut(&CStr) -> Result<(), Errno>) -> Result<bool, Errno> {
    let mut was_empty = true;
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if [c".", c".."].contains(&name) {
            continue;
        }
        was_empty = false;
        let is_folder = match entry.file_type() {
            FileType::Directory => true,
            FileType::Unknown => {
                let about = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(about.st_mode) == FileType::Directory
            }
            _ => false,
        };
        if is_folder {
            each_folder(name)?;
        } else {
            unlinkat(folder, name, AtFlags::empty())?;
        }
    }
    Ok(was_empty)
}

/// Moves a folder to `top` under a name that is free there, and gives the name.
fn move_up(folder: &OwnedFd, name: &CStr, top: &OwnedFd, moved: &mut u64) -> Result<CString, Errno> {
    let _ = chmodat(folder, name, Mode::RWXU, AtFlags::empty());
    loop {
        *moved += 1;
        let fresh = CString::new(format!(".removed-{moved}")).expect("digits are no zero bytes");
        match renameat(folder, name, top, &*fresh) {
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
            result => return result.map(|()| fresh),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_engine_left_is_put_aside_and_two_engines_do_not_share() {
        let data = tempfile::tempdir().unwrap();
        let first = Folders::open(data.path()).unwrap();
        fs::create_dir_all(first.environments.join("an-environment/tmp")).unwrap();
        assert!(matches!(Folders::open(data.path()), Err(FoldersError::InUse { .. })));
        drop(first);
        let second = Folders::open(data.path()).unwrap();
        assert!(!second.environments.join("an-environment").exists());
        let left = second.left();
        assert_eq!(left.len(), 1);
        remove(&left[0]).unwrap();
        assert!(second.left().is_empty());
    }

    /// What a power cut makes of files that were not synced: they are there and empty.
    #[test]
    fn runtime_clients_that_were_damaged_are_made_again() {
        let data = tempfile::tempdir().unwrap();
        let client = Folders::open(data.path()).unwrap().client(Family::Python);
        let (name, bytes) = clients::PYTHON[0];
        fs::write(client.join(name), "").unwrap();
        drop(Folders::open(data.path()).unwrap());
        assert_eq!(fs::read(client.join(name)).unwrap(), bytes);
        fs::remove_dir(client.parent().unwrap().join("provided")).unwrap();
        drop(Folders::open(data.path()).unwrap());
        assert!(client.parent().unwrap().join("provided").is_dir());
    }

    #[test]
    fn a_folder_that_was_locked_up_is_removed() {
        let data = tempfile::tempdir().unwrap();
        let inner = data.path().join("tmp/a/b");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("file"), "x").unwrap();
        for path in [inner.clone(), inner.parent().unwrap().to_owned()] {
            fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap();
        }
        remove(&data.path().join("tmp")).unwrap();
        assert!(!data.path().join("tmp").exists());
    }

    #[test]
    fn a_folder_of_any_depth_is_removed() {
        use rustix::fs::mkdirat;
        let data = tempfile::tempdir().unwrap();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut deepest = openat(CWD, data.path(), flags, Mode::empty()).unwrap();
        for _ in 0..50_000 {
            mkdirat(&deepest, "tmp", Mode::RWXU).unwrap();
            deepest = openat(&deepest, "tmp", flags, Mode::empty()).unwrap();
        }
        drop(deepest);
        remove(&data.path().join("tmp")).unwrap();
        assert!(!data.path().join("tmp").exists());
    }

    #[test]
    fn a_link_is_removed_and_what_it_leads_to_stays() {
        let data = tempfile::tempdir().unwrap();
        let (kept, gone) = (data.path().join("kept"), data.path().join("gone"));
        fs::create_dir_all(gone.join("inner")).unwrap();
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("file"), "x").unwrap();
        for link in [gone.join("link"), gone.join("inner/link")] {
            std::os::unix::fs::symlink(&kept, link).unwrap();
        }
        remove(&gone).unwrap();
        assert!(!gone.exists());
        assert!(kept.join("file").exists());
        std::os::unix::fs::symlink(&kept, &gone).unwrap();
        remove(&gone).unwrap();
        assert!(kept.join("file").exists());
        remove(&data.path().join("never made")).unwrap();
    }
}
