//! What is kept of images, below `images` in the data folder: documents and unpacked layers, each named by its digest.
//!
//! A layer is made under a temporary name, synced, and renamed into place: what has its name is whole, and what a crash
//! left unnamed is swept at the next start. Never here: what is in a layer.

use std::collections::{HashMap, HashSet};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use domain::function::Digest;
use serde::{Deserialize, Serialize};

use super::documents::{Document, Layer};
use super::error::ImageError;
use crate::folders;

/// See the module.
#[derive(Debug)]
pub(super) struct Shelf {
    documents: PathBuf,
    layers: PathBuf,
    staging: PathBuf,
    serial: AtomicU64,
    /// Who may make a layer: one at a time, whoever else wants it waits for it.
    doors: Mutex<HashMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
    /// Images that no record names yet.
    holds: Mutex<HashMap<Digest, usize>>,
}

/// What is known of a layer that was unpacked.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct About {
    /// Bytes of all files.
    bytes: u64,
    /// Of the tar that it was: another image may claim another one for the same layer.
    unpacked: [u8; 32],
}

/// The files of a layer inside its folder, beside what is known of it.
const TREE: &str = "tree";
const ABOUT: &str = "layer.json";
const LEFT: &str = "left-";

impl Shelf {
    /// Makes the folders, and puts aside what a crash left half made; [`Shelf::left`] names it.
    pub(super) fn open(data: &Path) -> io::Result<Self> {
        let images = data.join("images");
        let shelf = Self {
            documents: images.join("documents"),
            layers: images.join("layers").join("sha256"),
            staging: images.join("tmp"),
            serial: AtomicU64::new(0),
            doors: Mutex::default(),
            holds: Mutex::default(),
        };
        let left = (0..=u32::MAX).map(|n| images.join(format!("{LEFT}{n}"))).find(|path| !path.exists());
        match fs::rename(&shelf.staging, left.expect("no disk holds so many")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        for path in [&shelf.documents, &shelf.layers, &shelf.staging] {
            DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        }
        Ok(shelf)
    }

    /// What crashes and [`Shelf::put_aside`] have left; to be removed.
    pub(super) fn left(&self) -> Vec<PathBuf> {
        let images = self.staging.parent().unwrap_or(&self.staging);
        let entries = fs::read_dir(images).into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(LEFT))
            .map(|entry| entry.path())
            .collect()
    }

    /// A path that is free, for something that has no name yet.
    pub(super) fn stage(&self) -> Staged {
        Staged(self.staging.join(self.serial.fetch_add(1, Ordering::Relaxed).to_string()))
    }

    /// The right to make a layer.
    pub(super) fn door(&self, digest: Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        doors.retain(|_, door| door.strong_count() > 0);
        if let Some(door) = doors.get(&digest).and_then(Weak::upgrade) {
            return door;
        }
        let door = Arc::default();
        doors.insert(digest, Arc::downgrade(&door));
        door
    }

    /// The folder of a layer and the bytes of its files; `None` where it is not there.
    ///
    /// # Errors
    /// It is there, and does not unpack to what this image says.
    pub(super) fn layer(&self, layer: &Layer) -> Result<Option<(PathBuf, u64)>, ImageError> {
        let folder = self.layers.join(layer.digest.hex());
        let about = match fs::read(folder.join(ABOUT)) {
            Ok(about) => about,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ImageError::step("looking for a layer", error)),
        };
        let about: About = serde_json::from_slice(&about)
            .map_err(|error| ImageError::step("looking for a layer", io::Error::other(error)))?;
        if Digest(about.unpacked) == layer.unpacked {
            Ok(Some((folder.join(TREE), about.bytes)))
        } else {
            Err(ImageError::broken(format!(
                "A layer does not unpack to what its diff id {} says",
                layer.unpacked.hex()
            )))
        }
    }

    /// Makes a layer: `fill` unpacks into the folder that it is given and returns the bytes of its files.
    pub(super) fn make_layer(
        &self,
        layer: &Layer,
        fill: impl FnOnce(&Path) -> Result<u64, ImageError>,
    ) -> Result<(), ImageError> {
        let failed = |error| ImageError::step("keeping a layer", error);
        let staged = self.stage();
        let tree = staged.path().join(TREE);
        DirBuilder::new().recursive(true).mode(0o700).create(&tree).map_err(failed)?;
        let about = About { bytes: fill(&tree)?, unpacked: layer.unpacked.0 };
        let about = serde_json::to_vec(&about).map_err(|error| failed(error.into()))?;
        fs::write(staged.path().join(ABOUT), about).map_err(failed)?;
        // One for thousands of files.
        let synced = File::open(staged.path()).and_then(|folder| Ok(rustix::fs::syncfs(&folder)?));
        synced.map_err(failed)?;
        staged.place(&self.layers.join(layer.digest.hex())).map_err(failed)
    }

    /// A document that is kept; `None` where it is not.
    pub(super) fn document(&self, digest: Digest) -> Result<Option<Vec<u8>>, ImageError> {
        match fs::read(self.documents.join(digest.hex())) {
            // A damaged one is fetched again.
            Ok(bytes) if super::layout::digest_of(&bytes) == digest => Ok(Some(bytes)),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ImageError::step("reading a document of an image", error)),
        }
    }

    /// Keeps a document.
    pub(super) fn keep_document(&self, digest: Digest, bytes: &[u8]) -> Result<(), ImageError> {
        let failed = |error| ImageError::step("keeping a document of an image", error);
        let staged = self.stage();
        let file = fs::write(staged.path(), bytes).and_then(|()| File::open(staged.path()));
        file.and_then(|file| file.sync_all()).map_err(failed)?;
        staged.place(&self.documents.join(digest.hex())).map_err(failed)
    }

    /// Keeps an image from being removed as long as what is returned lives.
    pub(super) fn hold(self: &Arc<Self>, digest: Digest) -> Hold {
        *self.holds().entry(digest).or_default() += 1;
        Hold { shelf: self.clone(), digest }
    }

    fn holds(&self) -> MutexGuard<'_, HashMap<Digest, usize>> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes their names from all images that are neither used nor held, with the layers that no other image has. They
    /// are where [`Shelf::left`] says.
    pub(super) fn put_aside(&self, used: &[Digest]) -> Result<(), ImageError> {
        let failed = |error| ImageError::step("looking for images that nothing uses", error);
        let mut kept: HashSet<Digest> = used.iter().copied().collect();
        kept.extend(self.holds().keys());
        let mut layers = HashSet::new();
        for digest in kept.clone() {
            let Some(bytes) = self.document(digest)? else { continue };
            let Ok(Document::Manifest(manifest)) = Document::read(&bytes) else { continue };
            kept.extend(manifest.config.digest());
            layers.extend(manifest.layers.iter().filter_map(|layer| layer.digest().ok()));
        }
        let mut doomed = Vec::new();
        for (folder, kept) in [(&self.documents, &kept), (&self.layers, &layers)] {
            for entry in fs::read_dir(folder).map_err(failed)? {
                let name = entry.map_err(failed)?.file_name();
                let digest = name.to_str().and_then(Digest::from_hex);
                if digest.is_some_and(|digest| !kept.contains(&digest)) {
                    doomed.push(folder.join(name));
                }
            }
        }
        for path in doomed {
            let mut names = std::iter::repeat_with(|| self.serial.fetch_add(1, Ordering::Relaxed));
            let free = names.find_map(|n| {
                let aside = self.staging.with_file_name(format!("{LEFT}{n}"));
                (!aside.exists()).then_some(aside)
            });
            fs::rename(path, free.expect("no disk holds so many")).map_err(failed)?;
        }
        Ok(())
    }
}

/// See [`Shelf::hold`].
#[derive(Debug)]
pub(super) struct Hold {
    shelf: Arc<Shelf>,
    digest: Digest,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut holds = self.shelf.holds();
        if let Some(count) = holds.get_mut(&self.digest) {
            *count -= 1;
            if *count == 0 {
                holds.remove(&self.digest);
            }
        }
    }
}

/// Something that has no name yet; gone if it never gets one.
pub(super) struct Staged(PathBuf);

impl Staged {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Gives it its name, durably; what had it is gone.
    fn place(self, path: &Path) -> io::Result<()> {
        match fs::rename(&self.0, path) {
            // A layer that lost what is known of it.
            Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => {
                folders::remove(path)?;
                fs::rename(&self.0, path)?;
            }
            renamed => renamed?,
        }
        File::open(path.parent().unwrap_or(path))?.sync_all()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Err(error) = folders::remove(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "swept at the next start");
        }
    }
}
