//! Code packages: files named by what is in them, and their unpacked folders; the port `Packages`.
//!
//! Everything is made under a temporary name, synced, and renamed into place; then the folder of the name is synced. So
//! what has its name is whole, and what a crash left unnamed is swept at the next start. The zip is what is kept; its
//! folder can always be made again from it. Never here: what is in a zip (see `unpack`).

use std::collections::{HashMap, HashSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use domain::error::Refusal;
use domain::function::{Digest, Function, Package};
use domain::{Error, Fault, limits};
use engine::ports::{Kept, Packages, Removal, Wait};
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedMutexGuard, Semaphore};

use crate::error::StoreError;
use crate::folder::{self, Folder};
use crate::holds::Holds;
use crate::unpack::unpack;
use crate::{Store, blocking, schema};

/// Packages unpacked at the same time; more only fight over the disk.
const UNPACKING_MAX: usize = 4;
/// Files and folders up to which each is synced by itself; beyond, one sync of the file system is cheaper.
const SYNCED_SINGLY_MAX: usize = 32;

/// Where the packages are.
#[derive(Debug)]
pub(crate) struct Shelf {
    zips: PathBuf,
    code: PathBuf,
    staging: PathBuf,
    serial: AtomicU64,
    /// Who may touch a package; an entry lives as long as somebody has or waits for it.
    doors: Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>>,
    room: Arc<Semaphore>,
    holds: Arc<Holds>,
    /// Work that outlives its caller keeps the shelf, and so the folder, from the next engine.
    _folder: Folder,
}

impl Packages for Store {
    fn keep(&self, zip: Bytes) -> Wait<'_, Result<Kept, Error>> {
        Box::pin(async move {
            self.writer.check()?;
            self.shelf.keep(zip).await
        })
    }

    fn hold(&self, package: Package) -> Wait<'_, Result<Option<Kept>, Fault>> {
        Box::pin(async move {
            let hold = self.shelf.holds.take(package.digest);
            // Whoever is putting it out of sight is done then, or sees the hold.
            let door = Door::open(&self.shelf, package.digest).await;
            let shelf = self.shelf.clone();
            let is_there = blocking("looking for a package", move || {
                let _door = door;
                shelf.zip_path(package.digest).try_exists()
            })
            .await?;
            match is_there {
                Ok(is_there) => Ok(is_there.then(|| Kept::new(package, hold))),
                Err(error) => Err(Fault::new(format!("looking for package {:?}", package.digest), error)),
            }
        })
    }

    fn unpacked_bytes(&self, digest: Digest) -> Wait<'_, Result<u64, Fault>> {
        let path = self.shelf.code_path(digest);
        Box::pin(async move {
            let measured = blocking("measuring a package", move || measure(&path)).await?;
            measured.map_err(|error| Fault::new(format!("measuring package {digest:?}"), error))
        })
    }

    fn zip(&self, digest: Digest) -> Wait<'_, Result<Option<Bytes>, Fault>> {
        let shelf = self.shelf.clone();
        Box::pin(async move { blocking("reading a package", move || shelf.zip(digest)).await? })
    }

    fn folder(&self, digest: Digest) -> PathBuf {
        self.shelf.code_path(digest)
    }

    /// Besides what is in `used`, it spares what a function on disk is made of, and what somebody holds (see `holds`).
    fn retain(&self, used: Vec<Digest>) -> Wait<'_, Result<Removal, Fault>> {
        Box::pin(async move {
            self.writer.check()?;
            let used: HashSet<Digest> = used.into_iter().collect();
            let shelf = self.shelf.clone();
            let found = blocking("listing the packages", move || shelf.list()).await??;
            let unused: Vec<Digest> = found.into_iter().filter(|digest| !used.contains(digest)).collect();
            let mut doomed: Vec<PathBuf> = Vec::new();
            for digest in unused {
                let door = Door::open(&self.shelf, digest).await;
                let (shelf, database) = (self.shelf.clone(), self.database.clone());
                let put_aside = blocking("putting a package out of sight", move || {
                    let _door = door;
                    // In this order: whoever holds a package lets go only after the row that names it is committed.
                    if shelf.holds.is_held(digest) || is_used(&database, digest)? {
                        return Ok(Vec::new());
                    }
                    shelf.put_aside(digest).map_err(|error| Fault::new(format!("removing package {digest:?}"), error))
                });
                doomed.extend(put_aside.await??);
            }
            let shelf = self.shelf.clone();
            let removal: Removal = Box::pin(async move {
                if doomed.is_empty() {
                    return Ok(());
                }
                blocking("removing packages", move || {
                    // Kept so long, and with it the folder from the next engine, which sweeps there, too.
                    let _shelf = shelf;
                    doomed.iter().try_for_each(|path| {
                        remove(path).map_err(|error| Fault::new(format!("removing {}", path.display()), error))
                    })
                })
                .await?
            });
            Ok(removal)
        })
    }
}

impl Store {
    /// Unpacks again what functions need and is not there: somebody removed it, or it was never synced.
    pub(crate) async fn restore(&self, functions: Vec<&Function>) -> Result<(), Fault> {
        let mut needed = HashMap::new();
        for function in functions {
            let layers = function.configuration.layers.iter().map(|layer| layer.package.digest);
            for digest in function.code.package().map(|package| package.digest).into_iter().chain(layers) {
                needed.entry(digest).or_insert_with(|| function.arn.name.to_string());
            }
        }
        self.restore_packages(needed).await
    }

    /// The same for packages, each with what needs it.
    pub(crate) async fn restore_packages(&self, needed: HashMap<Digest, String>) -> Result<(), Fault> {
        let shelf = self.shelf.clone();
        let present = blocking("listing the unpacked packages", move || list(&shelf.code)).await??;
        for (digest, name) in needed {
            if present.contains(&digest) {
                continue;
            }
            let door = Door::open(&self.shelf, digest).await;
            let shelf = self.shelf.clone();
            let restored = blocking("unpacking a package again", move || {
                let _door = door;
                match shelf.zip(digest)? {
                    Some(zip) => shelf.put(digest, &zip),
                    None => Err(Fault::bare("its zip is gone").into()),
                }
            })
            .await?;
            match restored {
                Ok(()) => tracing::warn!(function = %name, ?digest, "the unpacked code was missing; unpacked it again"),
                // The other functions are whole: say which is not, and go on.
                Err(error) => tracing::error!(
                    function = %name,
                    ?digest,
                    error = match error { Error::Fault(fault) => fault.chain(), Error::Refused(refusal) => format!("{refusal:?}") },
                    "the code of a function is lost: update it with its zip again"
                ),
            }
        }
        Ok(())
    }
}

fn is_used(database: &Path, digest: Digest) -> Result<bool, Fault> {
    schema::open_for_reading(database)
        .and_then(|connection| schema::is_used(&connection, digest))
        .map_err(|error| Fault::new("asking which functions use a package", error))
}

impl Shelf {
    /// Makes the folders and sweeps what a crash left half made.
    pub(crate) fn open(folder: Folder, holds: Arc<Holds>) -> Result<Self, StoreError> {
        let packages = folder.path.join("packages");
        let (zips, staging, code) = (packages.join("sha256"), packages.join("tmp"), folder.path.join("code"));
        for path in [&packages, &zips, &staging, &code] {
            make_folder(path).map_err(|source| StoreError::Folder { path: path.clone(), source })?;
        }
        sweep(&staging).map_err(|source| StoreError::Folder { path: staging.clone(), source })?;
        Ok(Self {
            zips,
            code,
            staging,
            serial: AtomicU64::new(0),
            doors: Mutex::default(),
            room: Arc::new(Semaphore::new(UNPACKING_MAX)),
            holds,
            _folder: folder,
        })
    }

    async fn keep(self: &Arc<Self>, zip: Bytes) -> Result<Kept, Error> {
        let zip_bytes = zip.len() as u64;
        if zip_bytes > limits::UNZIPPED_BYTES {
            return Err(Refusal::UnzippedTooLarge.into());
        }
        let room = self.room.clone().acquire_owned().await.expect("never closed");
        let hashed = zip.clone();
        let digest = blocking("hashing a package", move || Digest(Sha256::digest(&hashed).into())).await?;
        let hold = self.holds.take(digest);
        // Whoever brings the same bytes waits here, and then finds them kept.
        let door = Door::open(self, digest).await;
        let shelf = self.clone();
        blocking("keeping a package", move || {
            let _held = (door, room);
            shelf.put(digest, &zip)
        })
        .await??;
        Ok(Kept::new(Package { digest, zip_bytes }, hold))
    }

    fn put(&self, digest: Digest, zip: &[u8]) -> Result<(), Error> {
        let failed = |error: io::Error| Fault::new(format!("keeping package {digest:?}"), error);
        let (zip_path, code_path) = (self.zip_path(digest), self.code_path(digest));
        let has_zip = zip_path.try_exists().map_err(failed)?;
        let has_code = code_path.try_exists().map_err(failed)?;
        // Unpacked first: what cannot be is not kept.
        let code = if has_code { None } else { Some(self.stage_code(zip)?) };
        if !has_zip {
            let staged = self.stage_zip(zip).map_err(failed)?;
            staged.place(&zip_path).map_err(failed)?;
        }
        if let Some(code) = code {
            code.place(&code_path).map_err(failed)?;
        }
        Ok(())
    }

    fn stage_zip(&self, zip: &[u8]) -> io::Result<Staged> {
        let staged = self.stage();
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&staged.path)?;
        file.write_all(zip)?;
        file.sync_all()?;
        Ok(staged)
    }

    fn stage_code(&self, zip: &[u8]) -> Result<Staged, Error> {
        let staged = self.stage();
        let nodes = unpack(zip, &staged.path)?;
        sync_tree(&staged.path, nodes).map_err(|error| Fault::new("syncing unpacked code", error))?;
        Ok(staged)
    }

    fn stage(&self) -> Staged {
        Staged { path: self.staging_path(), is_placed: false }
    }

    fn staging_path(&self) -> PathBuf {
        self.staging.join(self.serial.fetch_add(1, Ordering::Relaxed).to_string())
    }

    fn zip(&self, digest: Digest) -> Result<Option<Bytes>, Fault> {
        let doing = || format!("reading package {digest:?}");
        let zip = match fs::read(self.zip_path(digest)) {
            Ok(zip) => zip,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Fault::new(doing(), error)),
        };
        if Sha256::digest(&zip).as_slice() != digest.0 {
            return Err(Fault::new(doing(), "the file was damaged or edited: it no longer has the hash in its name"));
        }
        Ok(Some(zip.into()))
    }

    /// Takes a package's name from it, the folder's first: a crash between leaves a zip, which is found unused the next
    /// time. What has no name any more is where the returned paths say.
    fn put_aside(&self, digest: Digest) -> io::Result<Vec<PathBuf>> {
        let mut doomed = Vec::new();
        for (path, parent) in [(self.code_path(digest), &self.code), (self.zip_path(digest), &self.zips)] {
            let aside = self.staging_path();
            match fs::rename(&path, &aside) {
                Ok(()) => doomed.push(aside),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            folder::sync(parent)?;
        }
        Ok(doomed)
    }

    fn list(&self) -> Result<HashSet<Digest>, Fault> {
        let mut all = list(&self.zips)?;
        all.extend(list(&self.code)?);
        Ok(all)
    }

    fn zip_path(&self, digest: Digest) -> PathBuf {
        self.zips.join(format!("{}.zip", digest.hex()))
    }

    fn code_path(&self, digest: Digest) -> PathBuf {
        self.code.join(digest.hex())
    }

    fn doors(&self) -> MutexGuard<'_, HashMap<Digest, Arc<tokio::sync::Mutex<()>>>> {
        self.doors.lock().expect("nothing that holds it panics")
    }
}

/// The digests that name the entries of a folder; anything else in it is not ours.
fn list(folder: &Path) -> Result<HashSet<Digest>, Fault> {
    let failed = |error| Fault::new(format!("listing {}", folder.display()), error);
    let mut found = HashSet::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let digest = name.to_str().and_then(|name| Digest::from_hex(name.strip_suffix(".zip").unwrap_or(name)));
        found.extend(digest);
    }
    Ok(found)
}

/// Bytes of all files below a folder; unpacking bounds how many and how deep.
fn measure(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.metadata()?;
        bytes += match () {
            () if found.is_dir() => measure(&entry.path())?,
            () if found.is_file() => found.len(),
            () => 0,
        };
    }
    Ok(bytes)
}

fn make_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => folder::sync(path.parent().expect("it is inside the data folder")),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn sweep(staging: &Path) -> io::Result<()> {
    for entry in fs::read_dir(staging)? {
        remove(&entry?.path())?;
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

fn sync_tree(root: &Path, nodes: usize) -> io::Result<()> {
    if nodes > SYNCED_SINGLY_MAX {
        return Ok(rustix::fs::syncfs(File::open(root)?)?);
    }
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sync_tree(&entry.path(), nodes)?;
        } else if kind.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    folder::sync(root)
}

/// Something that has no name yet; gone if it never gets one.
struct Staged {
    path: PathBuf,
    is_placed: bool,
}

impl Staged {
    /// Gives it its name, durably.
    fn place(mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.is_placed = true;
        folder::sync(path.parent().expect("it is inside the data folder"))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.is_placed
            && let Err(error) = remove(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "swept at the next start");
        }
    }
}

/// The right to touch one package, for one at a time.
struct Door {
    shelf: Arc<Shelf>,
    digest: Digest,
    passed: Option<OwnedMutexGuard<()>>,
}

impl Door {
    async fn open(shelf: &Arc<Shelf>, digest: Digest) -> Self {
        let lock = shelf.doors().entry(digest).or_default().clone();
        // Made first, so that a caller who goes while waiting leaves no entry behind.
        let mut door = Self { shelf: shelf.clone(), digest, passed: None };
        door.passed = Some(lock.lock_owned().await);
        door
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.passed = None;
        let mut doors = self.shelf.doors();
        // The map's own is the last; new ones are made only under this lock.
        if doors.get(&self.digest).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            doors.remove(&self.digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(dir: &Path) -> Arc<Shelf> {
        Arc::new(Shelf::open(Folder::claim(dir).unwrap(), Arc::default()).unwrap())
    }

    #[test]
    fn what_a_crash_left_half_made_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        drop(shelf(dir.path()));
        let staging = dir.path().join("packages/tmp");
        fs::create_dir_all(staging.join("3/deep")).unwrap();
        fs::write(staging.join("3/deep/file"), "half").unwrap();
        fs::write(staging.join("4"), "half").unwrap();
        drop(shelf(dir.path()));
        assert_eq!(fs::read_dir(&staging).unwrap().count(), 0);
    }

    #[test]
    fn a_door_lets_one_through_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = shelf(dir.path());
        let digest = Digest([1; 32]);
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let first = Door::open(&shelf, digest).await;
            {
                let mut second = std::pin::pin!(Door::open(&shelf, digest));
                let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                assert!(second.as_mut().poll(&mut context).is_pending(), "two were let through");
            }
            drop(first);
            drop(Door::open(&shelf, digest).await);
        });
        assert!(shelf.doors().is_empty());
    }
}
