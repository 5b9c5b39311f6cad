//! What an engine holds of the machine at a moment, from `/proc` and its data directory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Counts, and memory in KiB.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    /// Proportional set size of all its processes.
    pub(super) pss_kib: u64,
    /// Open descriptors of all its processes, but for files of kept logs.
    pub(super) descriptors: u64,
    /// The engine, its descendants, and whoever else has something of its data directory open.
    pub(super) processes: u64,
    /// Mounts below the data directory, in whatever namespace.
    pub(super) mounts: u64,
    /// Entries of `environments`, at any depth, and of what is put aside to be removed.
    pub(super) environments: u64,
    /// Entries of `packages` and `code`, at any depth.
    pub(super) packages: u64,
    /// Files of kept logs that are open: so many are not opened again for each line.
    pub(super) log_files: u64,
    /// All other entries of the data directory. Kept logs are none of them: they stay when their function goes, as log
    /// groups do on AWS.
    pub(super) others: u64,
    /// What the database takes on disk, with its log.
    pub(super) database_kib: u64,
    /// Shown where something stays behind.
    pub(super) names: BTreeSet<String>,
}

impl Held {
    pub(super) fn now(engine: u32, data: &Path) -> Result<Self> {
        let data = data.canonicalize().with_context(|| format!("looking for {}", data.display()))?;
        let mut held = Self::default();
        let mut mounts = BTreeSet::new();
        for pid in processes(engine, &data) {
            let process = Path::new("/proc").join(pid.to_string());
            // Whoever ends meanwhile holds nothing.
            let text = |name: &str| fs::read_to_string(process.join(name)).unwrap_or_default();
            let rollup = text("smaps_rollup");
            let pss =
                rollup.lines().find_map(|line| line.strip_prefix("Pss:")?.split_whitespace().next()?.parse().ok());
            held.pss_kib += pss.unwrap_or(0);
            for descriptor in fs::read_dir(process.join("fd")).into_iter().flatten().flatten() {
                let to = fs::read_link(descriptor.path()).unwrap_or_default();
                if to.starts_with(data.join("logs")) {
                    held.log_files += 1;
                    continue;
                }
                held.descriptors += 1;
                let number = descriptor.file_name();
                held.names.insert(format!("descriptor {} of {pid}: {}", number.display(), to.display()));
            }
            held.processes += 1;
            held.names.insert(format!("process {pid}: {}", text("cmdline").replace('\0', " ").trim()));
            let namespace = fs::read_link(process.join("ns/mnt")).unwrap_or_default();
            for mount in text("mountinfo").lines().filter(|line| line.contains(&data.display().to_string())) {
                mounts.insert((namespace.clone(), mount.to_owned()));
            }
        }
        held.mounts = mounts.len() as u64;
        held.read_folder(&data)?;
        Ok(held)
    }

    fn read_folder(&mut self, data: &Path) -> Result<()> {
        for entry in fs::read_dir(data).with_context(|| format!("reading {}", data.display()))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let mut entries = Vec::new();
            walk(&entry.path(), &mut entries);
            let count = entries.len() as u64;
            match name.as_str() {
                _ if name.starts_with("environments") && name != "environments.lock" => self.environments += count,
                "packages" | "code" => self.packages += count,
                _ if name.starts_with("state.db") => {
                    self.database_kib += entry.metadata().map_or(0, |metadata| metadata.len()) / 1024;
                    continue;
                }
                "logs" => continue,
                _ => self.others += count,
            }
            self.names.extend(entries.iter().map(|path| format!("entry {}", path.display())));
        }
        Ok(())
    }
}

/// An entry and all below it.
fn walk(path: &Path, into: &mut Vec<PathBuf>) {
    into.push(path.to_owned());
    let is_folder = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
    if is_folder {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            walk(&entry.path(), into);
        }
    }
}

/// The engine and its descendants, and whoever lives in its data directory.
fn processes(engine: u32, data: &Path) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let all: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for pid in &all {
        if let Some(parent) = parent(*pid) {
            children.entry(parent).or_default().push(*pid);
        }
    }
    let mut found = BTreeSet::from([engine]);
    let mut next = vec![engine];
    while let Some(pid) = next.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            if found.insert(*child) {
                next.push(*child);
            }
        }
    }
    found.extend(all.into_iter().filter(|pid| lives_in(*pid, data)));
    found.into_iter().collect()
}

/// The parent of a process that is not dead (proc(5); the name before may hold anything).
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat[stat.rfind(')')? + 2..].split(' ');
    let state = fields.next()?;
    (state != "X").then(|| fields.next()?.parse().ok())?
}

fn lives_in(pid: u32, data: &Path) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    let is_there = |link: &Path| fs::read_link(link).is_ok_and(|to| to.starts_with(data));
    is_there(&process.join("cwd"))
        || fs::read_dir(process.join("fd")).into_iter().flatten().flatten().any(|entry| is_there(&entry.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_a_file_of_the_folder_counts() {
        let data = std::env::temp_dir().join(format!("lambd-soak-{}", std::process::id()));
        fs::create_dir_all(data.join("environments/one")).expect("a folder for the test");
        fs::write(data.join("environments/one/file"), "x").expect("a file for the test");
        let mut command = std::process::Command::new("sleep");
        let sleeper = command.arg("1000").current_dir(&data).spawn();
        let mut sleeper = sleeper.expect("there is sleep");
        let held = Held::now(sleeper.id(), &data).expect("the folder is there");
        assert_eq!((held.processes, held.environments, held.packages, held.others), (1, 3, 0, 0), "{held:?}");
        assert!(held.descriptors >= 3 && held.pss_kib > 0, "{held:?}");
        sleeper.kill().expect("it is ours");
        sleeper.wait().expect("it is ours");
        fs::remove_dir_all(&data).expect("it is ours");
    }
}
