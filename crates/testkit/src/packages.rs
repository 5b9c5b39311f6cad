//! `Packages` without unpacking, and zips to give to it.

use std::collections::HashMap;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use domain::error::Refusal;
use domain::function::{Digest, Package};
use domain::{Error, Fault, limits};
use engine::ports::{Kept, Packages, Removal, Wait};
use sha2::Digest as _;
use tempfile::TempDir;
use tokio::sync::watch;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::layers::MemoryLayers;
use crate::records::MemoryRecords;

/// A zip of files, each a path, a mode and its content.
pub fn zip_of(files: &[(&str, u32, &[u8])]) -> Bytes {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, mode, content) in files {
        let options = SimpleFileOptions::default().unix_permissions(*mode);
        zip.start_file(*path, options).expect("memory does not fail");
        zip.write_all(content).expect("memory does not fail");
    }
    zip.finish().expect("memory does not fail").into_inner().into()
}

/// Packages in memory. Their folders exist, and are empty.
#[derive(Debug)]
pub struct MemoryPackages {
    zips: Mutex<HashMap<Digest, Bytes>>,
    /// One entry for each hold there is.
    held: Arc<Mutex<Vec<Digest>>>,
    code: TempDir,
    /// How many folders have been put out of sight.
    doomed: AtomicUsize,
    /// Whether nothing is removed for good.
    is_slow: watch::Sender<bool>,
    records: Arc<MemoryRecords>,
    layers: Arc<MemoryLayers>,
}

impl MemoryPackages {
    /// Packages of the functions in `records`, which it spares.
    pub fn beside(records: Arc<MemoryRecords>) -> Self {
        Self::of(records, Arc::default())
    }

    /// The same, also of the layers in `layers`.
    pub fn of(records: Arc<MemoryRecords>, layers: Arc<MemoryLayers>) -> Self {
        let code = tempfile::tempdir().expect("a temporary folder can be made");
        let (doomed, is_slow) = (AtomicUsize::default(), watch::Sender::default());
        Self { zips: Mutex::default(), held: Arc::default(), code, doomed, is_slow, records, layers }
    }

    /// From now on, until told otherwise, removing for good takes forever.
    pub fn set_slow(&self, is_slow: bool) {
        self.is_slow.send_replace(is_slow);
    }

    fn zips(&self) -> MutexGuard<'_, HashMap<Digest, Bytes>> {
        self.zips.lock().expect("nothing that holds it panics")
    }
}

struct Hold {
    held: Arc<Mutex<Vec<Digest>>>,
    digest: Digest,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.held.lock().expect("nothing that holds it panics");
        if let Some(at) = held.iter().position(|digest| *digest == self.digest) {
            held.swap_remove(at);
        }
    }
}

impl Packages for MemoryPackages {
    fn keep(&self, zip: Bytes) -> Wait<'_, Result<Kept, Error>> {
        Box::pin(async move {
            let zip_bytes = zip.len() as u64;
            if zip_bytes > limits::UNZIPPED_BYTES {
                return Err(Refusal::UnzippedTooLarge.into());
            }
            if let Err(error) = zip::ZipArchive::new(Cursor::new(&zip)) {
                return Err(Refusal::NotAZip { why: error.to_string() }.into());
            }
            let digest = Digest(sha2::Sha256::digest(&zip).into());
            std::fs::create_dir_all(self.folder(digest)).map_err(|error| Fault::new("making a folder", error))?;
            self.zips().insert(digest, zip);
            self.held.lock().expect("nothing that holds it panics").push(digest);
            Ok(Kept::new(Package { digest, zip_bytes }, Hold { held: self.held.clone(), digest }))
        })
    }

    fn hold(&self, package: Package) -> Wait<'_, Result<Option<Kept>, Fault>> {
        Box::pin(async move {
            let is_there = self.zips().contains_key(&package.digest);
            Ok(is_there.then(|| {
                self.held.lock().expect("nothing that holds it panics").push(package.digest);
                Kept::new(package, Hold { held: self.held.clone(), digest: package.digest })
            }))
        })
    }

    fn unpacked_bytes(&self, digest: Digest) -> Wait<'_, Result<u64, Fault>> {
        Box::pin(async move {
            let zip = self.zips().get(&digest).cloned().ok_or_else(|| Fault::bare("measuring what is not kept"))?;
            let failed = |error| Fault::new("measuring a package", error);
            let mut archive = zip::ZipArchive::new(Cursor::new(zip)).map_err(failed)?;
            (0..archive.len()).map(|index| Ok(archive.by_index(index).map_err(failed)?.size())).sum()
        })
    }

    fn zip(&self, digest: Digest) -> Wait<'_, Result<Option<Bytes>, Fault>> {
        Box::pin(async move { Ok(self.zips().get(&digest).cloned()) })
    }

    fn folder(&self, digest: Digest) -> PathBuf {
        self.code.path().join(digest.hex())
    }

    fn retain(&self, used: Vec<Digest>) -> Wait<'_, Result<Removal, Fault>> {
        Box::pin(async move {
            let mut zips = self.zips();
            let held = self.held.lock().expect("nothing that holds it panics").clone();
            let needed = |digest: &Digest| {
                let is_recorded = self.records.needs(*digest) || self.layers.needs(*digest);
                is_recorded || used.contains(digest) || held.contains(digest)
            };
            let unused: Vec<Digest> = zips.keys().copied().filter(|digest| !needed(digest)).collect();
            let mut doomed = Vec::new();
            for digest in unused {
                zips.remove(&digest);
                let number = self.doomed.fetch_add(1, Ordering::Relaxed);
                let folder = self.code.path().join(format!("doomed-{number}"));
                let renamed = std::fs::rename(self.folder(digest), &folder);
                renamed.map_err(|error| Fault::new("renaming a folder", error))?;
                doomed.push(folder);
            }
            let mut is_slow = self.is_slow.subscribe();
            let removal: Removal = Box::pin(async move {
                let _ = is_slow.wait_for(|is_slow| !is_slow).await;
                for folder in doomed {
                    let gone = std::fs::remove_dir_all(folder);
                    gone.map_err(|error| Fault::new("removing a folder", error))?;
                }
                Ok(())
            });
            Ok(removal)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_fake_keeps_the_contract() {
        let (records, layers) = (Arc::new(MemoryRecords::new()), Arc::<MemoryLayers>::default());
        let packages = MemoryPackages::of(records.clone(), layers.clone());
        crate::contracts::packages_contract(&*records, &packages).await;
        crate::contracts::layer_packages_contract((&*records, &*layers), &packages).await;
    }
}
