//! Which files a folder has and when they were last written: what tells that a function must be deployed again.
//!
//! Never here: what is in them.

use std::collections::{BTreeMap, HashSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Folders that no package needs and whose changes mean nothing, wherever they are.
pub(super) const LEFT_OUT: [&str; 3] = [".git", ".lambd", "__pycache__"];
/// Folders that only builds fill.
const OUTPUTS: [&str; 4] = ["target", "node_modules", "dist", "build"];
/// Files that are looked at; who has more puts them where builds put theirs.
const FILES_MAX: usize = 100_000;
/// In how many builds in a row a file must have changed to be known as theirs.
const BUILDS_TO_KNOW: u32 = 3;

/// Size and time of each file at and below a folder.
pub(super) type Files = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

/// Looks at a folder's files; at those in the folders of builds only where nothing builds. The folder `except` is
/// passed over.
pub(super) fn look(folder: &Path, is_built: bool, except: &Path) -> Files {
    let mut files = Files::new();
    // Links are followed, as packaging does; each folder is looked at once, wherever links lead.
    let mut visited = HashSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let is_passed_over = |names: &[&str]| names.iter().any(|passed_over| name == **passed_over);
            if is_passed_over(&LEFT_OUT) || is_built && is_passed_over(&OUTPUTS) || files.len() >= FILES_MAX {
                continue;
            }
            let Ok(data) = std::fs::metadata(&path) else { continue };
            if !data.is_dir() {
                files.insert(path, (data.len(), data.modified().ok()));
            } else if visited.insert((data.dev(), data.ino())) && path.canonicalize().is_ok_and(|path| path != except) {
                folders.push(path);
            }
        }
    }
    files
}

/// Tells what a build writes from what people write, where both are in one folder: else each build would be taken for
/// a change and bring the next.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// In how many builds in a row each file that was there before has changed.
    builds: BTreeMap<PathBuf, u32>,
}

impl Written {
    /// What counts as deployed after a build that found `before` and left `after`. What is not in it as it is in
    /// `after` was changed meanwhile by somebody, and is a reason to build again.
    pub(super) fn by_build(&mut self, before: &Files, after: Files, package: &[PathBuf]) -> Files {
        let changed: Vec<PathBuf> = after
            .iter()
            .filter(|(path, data)| before.get(*path).is_some_and(|before| before != *data))
            // What goes into the package is taken from the disk only now, so nothing of it is missed.
            .filter(|(path, _)| !package.iter().any(|part| path.starts_with(part)))
            .map(|(path, _)| path.clone())
            .collect();
        self.builds.retain(|path, builds| *builds >= BUILDS_TO_KNOW || changed.contains(path));
        let mut deployed = after;
        for path in changed {
            let builds = self.builds.entry(path.clone()).or_default();
            *builds = builds.saturating_add(1);
            if *builds < BUILDS_TO_KNOW {
                deployed.insert(path.clone(), before[&path]);
            }
        }
        deployed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_back_up_end() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().canonicalize().unwrap();
        for name in ["a", "b"] {
            std::fs::create_dir(place.join(name)).unwrap();
            std::fs::write(place.join(name).join("file"), name).unwrap();
            std::os::unix::fs::symlink(&place, place.join(name).join("up")).unwrap();
        }
        let files = look(&place, false, Path::new("/nowhere"));
        assert!(files.contains_key(&place.join("a/file")) && files.contains_key(&place.join("b/file")), "{files:?}");
        assert!(files.len() <= 4, "{files:?}");
        assert!(!look(&place, false, &place.join("b")).contains_key(&place.join("b/file")));
    }

    #[test]
    fn what_builds_fill_counts_only_where_nothing_builds() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("dist")).unwrap();
        std::fs::write(root.path().join("dist/index.js"), "").unwrap();
        assert_eq!(look(root.path(), false, Path::new("/nowhere")).len(), 1);
        assert_eq!(look(root.path(), true, Path::new("/nowhere")).len(), 0);
    }

    fn files(all: &[(&str, u64)]) -> Files {
        all.iter().map(|(path, size)| (PathBuf::from(path), (*size, None))).collect()
    }

    #[test]
    fn a_change_during_a_build_is_not_lost() {
        let before = files(&[("main.rs", 1)]);
        let after = files(&[("main.rs", 2), ("new.o", 7)]);
        let deployed = Written::default().by_build(&before, after.clone(), &[]);
        assert_eq!(deployed, files(&[("main.rs", 1), ("new.o", 7)]));
        assert_ne!(deployed, after);
    }

    #[test]
    fn what_a_build_packages_is_no_reason_to_build_again() {
        let (before, after) = (files(&[("out/app", 1), ("main.rs", 1)]), files(&[("out/app", 2), ("main.rs", 1)]));
        assert_eq!(Written::default().by_build(&before, after.clone(), &[PathBuf::from("out")]), after);
    }

    #[test]
    fn a_build_that_always_writes_a_file_comes_to_rest() {
        let mut written = Written::default();
        let mut deployed = files(&[("stamp", 0)]);
        for builds in 1.. {
            let now = files(&[("stamp", builds)]);
            deployed = written.by_build(&deployed, now.clone(), &[]);
            if deployed == now {
                assert_eq!(builds, u64::from(BUILDS_TO_KNOW));
                break;
            }
        }
        // And from then on at once.
        let now = files(&[("stamp", 99)]);
        assert_eq!(written.by_build(&deployed, now.clone(), &[]), now);
    }
}
