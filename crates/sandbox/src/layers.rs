//! Several layers as one folder, where the kernel does not lay folders over one another for us: made of hard links
//! into the store, once for all environments that have the same layers, and gone with the last of them.
//!
//! Never here: `/opt` itself; see `launcher::view`.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use domain::Fault;
use engine::tasks;
use tokio::sync::Mutex;

use crate::folders;

/// One such folder. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Merged {
    pub path: PathBuf,
}

impl Drop for Merged {
    fn drop(&mut self) {
        // Outside of the runtime nothing can wait; it goes at the next start, with all folders of environments.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let path = std::mem::take(&mut self.path);
        let removed = tasks::off_thread("removing merged layers", move || {
            if let Err(error) = folders::remove(&path) {
                tracing::warn!(folder = %path.display(), %error, "merged layers stay until the next start");
            }
        });
        tasks::spawn("removing merged layers", removed).detach();
    }
}

/// All that there are, by their layers.
#[derive(Debug, Default)]
pub(crate) struct Merging {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    folders: HashMap<Vec<PathBuf>, Weak<Merged>>,
    serial: u64,
}

impl Merging {
    /// The folder of these layers, made below `folder` where nobody has it yet.
    pub(crate) async fn of(&self, layers: &[PathBuf], folder: &Path) -> Result<Arc<Merged>, Fault> {
        // Held while one is made: whoever wants the same waits for it.
        let mut known = self.known.lock().await;
        known.folders.retain(|_, merged| merged.strong_count() > 0);
        if let Some(merged) = known.folders.get(layers).and_then(Weak::upgrade) {
            return Ok(merged);
        }
        known.serial += 1;
        let merged = Arc::new(Merged { path: folder.join(format!(".layers-{}", known.serial)) });
        let (from, to) = (layers.to_vec(), merged.path.clone());
        let made = tasks::off_thread("merging layers", move || {
            fs::create_dir(&to)?;
            from.iter().try_for_each(|layer| lay_over(layer, &to))
        });
        made.await?.map_err(|error| Fault::new(format!("merging layers into {}", merged.path.display()), error))?;
        known.folders.insert(layers.to_vec(), Arc::downgrade(&merged));
        Ok(merged)
    }
}

/// Puts what is in `layer` into `under`, in place of what has the same name there; folders are merged. Neither deeper
/// nor more than what the store unpacks.
fn lay_over(layer: &Path, under: &Path) -> io::Result<()> {
    for entry in fs::read_dir(layer)? {
        let entry = entry?;
        let (kind, from, to) = (entry.file_type()?, entry.path(), under.join(entry.file_name()));
        let there = fs::symlink_metadata(&to).ok();
        let both_folders = kind.is_dir() && there.as_ref().is_some_and(fs::Metadata::is_dir);
        match there {
            Some(_) if both_folders => {}
            Some(there) if there.is_dir() => fs::remove_dir_all(&to)?,
            Some(_) => fs::remove_file(&to)?,
            None => {}
        }
        if kind.is_dir() {
            if !both_folders {
                fs::create_dir(&to)?;
            }
            lay_over(&from, &to)?;
            fs::set_permissions(&to, entry.metadata()?.permissions())?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&from)?, &to)?;
        } else {
            // Not every file system has hard links.
            fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(at: &Path, files: &[&str]) -> PathBuf {
        for file in files {
            let path = at.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, at.file_name().unwrap().as_encoded_bytes()).unwrap();
        }
        at.to_owned()
    }

    #[tokio::test]
    async fn a_later_layer_covers_an_earlier_one_and_the_folder_is_shared() {
        let data = tempfile::tempdir().unwrap();
        let one = layer(&data.path().join("one"), &["both/same", "both/first", "file", "folder/inner"]);
        let two = layer(&data.path().join("two"), &["both/same", "both/second", "file/now-a-folder", "folder"]);
        std::os::unix::fs::symlink("both/same", two.join("link")).unwrap();
        let merging = Merging::default();
        let layers = [one.clone(), two.clone()];
        let (merged, again) = tokio::join!(merging.of(&layers, data.path()), merging.of(&layers, data.path()));
        let (merged, again) = (merged.unwrap(), again.unwrap());
        assert!(Arc::ptr_eq(&merged, &again));
        let read = |path: &str| fs::read_to_string(merged.path.join(path)).unwrap();
        for (path, from) in [
            ("both/same", "two"),
            ("both/first", "one"),
            ("both/second", "two"),
            ("file/now-a-folder", "two"),
            ("folder", "two"),
            ("link", "two"),
        ] {
            assert_eq!(read(path), from, "{path}");
        }
        // The layers themselves are as they were.
        assert!(one.join("folder/inner").exists() && !one.join("both/second").exists());
        let other = merging.of(&[two, one], data.path()).await.unwrap();
        assert_eq!(fs::read_to_string(other.path.join("both/same")).unwrap(), "one");

        let path = merged.path.clone();
        drop(merged);
        assert!(path.exists(), "another has it");
        drop(again);
        while path.exists() {
            tokio::task::yield_now().await;
        }
        assert!(other.path.exists());
    }
}
