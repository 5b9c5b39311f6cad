//! Real programs confined, by an engine that is root and by one that is not.
#![allow(unsafe_code, reason = "a program is confined between fork and exec")]

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::launcher::landlock;
use crate::launcher::running;
use crate::launcher::seccomp::Surroundings;

const GROUP: u32 = 0x7000_0000;

/// A data folder with packages and environments.
struct Data {
    folder: TempDir,
}

/// One environment in it.
struct Cell {
    stranger: Option<Stranger>,
    walls: Walls,
}

impl Data {
    /// `None` where the kernel has no Landlock.
    fn new(test: &str) -> Option<Self> {
        if let Err(error) = landlock::abi() {
            testkit::skip::without_kernel(test, &format!("no Landlock: {error}"));
            return None;
        }
        // As the engine makes it.
        let folder = tempfile::tempdir().unwrap();
        for name in ["", "packages", "packages/1", "packages/2", "environments"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
            fs::set_permissions(folder.path().join(name), Permissions::from_mode(0o700)).unwrap();
        }
        for name in ["packages/1/code", "packages/2/code"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::set_permissions(folder.path().join(name), Permissions::from_mode(0o755)).unwrap();
            fs::write(folder.path().join(name).join("text"), name).unwrap();
        }
        Some(Self { folder })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn cell(&self, number: u32) -> Cell {
        let storage = self.at(&format!("environments/{number}/tmp"));
        fs::create_dir_all(&storage).unwrap();
        fs::set_permissions(storage.parent().unwrap(), Permissions::from_mode(0o700)).unwrap();
        fs::set_permissions(&storage, Permissions::from_mode(0o1777)).unwrap();
        let walls = Walls { read: vec![self.at(&format!("packages/{number}/code"))], write: vec![storage] };
        let is_root = rustix::process::geteuid().is_root();
        let stranger = is_root.then(|| Stranger { user: GROUP + number, group: GROUP });
        if let Some(stranger) = stranger {
            open_ways(stranger, self.folder.path(), &walls).unwrap();
        }
        Cell { stranger, walls }
    }
}

impl Cell {
    fn storage(&self) -> &Path {
        &self.walls.write[0]
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let filter = Filter::compile(Surroundings::Shared);
        let (stranger, walls) = (self.stranger, self.walls.clone());
        let mut command = Command::new(program);
        let variables = [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LANG", "C.UTF-8"), ("SURROUNDINGS", "Shared")];
        command.args(arguments).env_clear().envs(variables).env("TMPDIR", self.storage()).current_dir(self.storage());
        // SAFETY: the allocator of the test program can be used after a fork, and nothing else here takes a lock.
        unsafe {
            command.pre_exec(move || {
                // A number is all that is told of an error.
                confine(stranger, &walls, &filter).map_err(|refused| io::Error::from_raw_os_error(refused.errno))?;
                Ok(())
            })
        };
        command
    }

    /// What a shell says that runs this.
    fn shell(&self, script: &str) -> String {
        let output = running::output_of(&mut self.command("/bin/sh", &["-c", script]));
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    fn is_fine(&self, program: &str, arguments: &[&str]) {
        if running::has(program) {
            running::is_fine(program, &mut self.command(program, arguments));
        }
    }
}

#[test]
fn programs_run_confined() {
    let Some(data) = Data::new("programs_run_confined") else { return };
    let cell = data.cell(1);
    let bash = "set -e; echo a > $TMPDIR/x; [ $(cat $TMPDIR/x) = a ]; sleep 0 & wait $!; \
        mkfifo $TMPDIR/p; mv $TMPDIR/p $TMPDIR/q; [ $(sort <<< b) = b ]; echo fine";
    cell.is_fine("/bin/bash", &["-c", bash]);
    cell.is_fine("/usr/bin/python3", &["-c", include_str!("../../../tests/programs/behind_walls.py")]);
    cell.is_fine("/usr/bin/node", &["-e", include_str!("../../../tests/programs/behind_walls.cjs")]);
}

#[test]
fn a_java_virtual_machine_runs_confined() {
    let Some(data) = Data::new("a_java_virtual_machine_runs_confined") else { return };
    let cell = data.cell(1);
    let source = cell.storage().join("BehindWalls.java");
    fs::write(&source, include_str!("../../../tests/programs/BehindWalls.java")).unwrap();
    let folder = format!("-Djava.io.tmpdir={}", cell.storage().display());
    cell.is_fine("/usr/bin/java", &[&folder, source.to_str().unwrap()]);
}

#[test]
fn one_environment_does_not_reach_another() {
    let Some(data) = Data::new("one_environment_does_not_reach_another") else { return };
    let (one, other) = (data.cell(1), data.cell(2));
    let secret = other.storage().join("secret");
    fs::write(&secret, "secret").unwrap();
    let [mine, theirs] = [&one, &other].map(|cell| cell.walls.read[0].join("text"));
    assert_eq!(one.shell(&format!("cat {}", mine.display())), "packages/1/code");
    for path in [theirs, secret] {
        let said = one.shell(&format!("cat {}", path.display()));
        assert!(said.ends_with(": Permission denied\n"), "{said}");
    }
    for path in [data.at("packages"), data.at("environments"), data.at("")] {
        let said = one.shell(&format!("ls {}", path.display()));
        assert!(said.ends_with(": Permission denied\n"), "{said}");
    }
    for folder in [mine.parent().unwrap(), other.storage(), data.folder.path(), Path::new("/usr"), Path::new("/tmp")] {
        let said = one.shell(&format!("echo x > {}/new", folder.display()));
        assert!(said.contains("new: Permission denied"), "{said}");
    }
    assert_eq!(one.shell("echo mine > own && cat own"), "mine\n");
    assert_eq!(fs::read_dir(other.storage()).unwrap().count(), 1);
}

#[test]
fn a_function_has_no_rights() {
    let Some(data) = Data::new("a_function_has_no_rights") else { return };
    let cell = data.cell(1);
    // The shell looks at itself: a program that it starts has no way to its own folder of `/proc`.
    let status = cell.shell("while read -r key values; do echo \"$key $values\"; done < /proc/self/status");
    let of = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_else(|| panic!("{key} in {status}")).split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(of(set), ["0000000000000000"], "{set}");
    }
    assert_eq!((of("NoNewPrivs:"), of("Seccomp:")), (vec!["1".to_owned()], vec!["2".to_owned()]));
    if let Some(Stranger { user, group }) = cell.stranger {
        assert_eq!(of("Uid:"), vec![user.to_string(); 4]);
        assert_eq!(of("Gid:"), vec![group.to_string(); 4]);
        assert_eq!(of("Groups:"), [""; 0]);
        assert_eq!(of("CapBnd:"), ["0000000000000000"]);
    }
}

#[test]
fn a_way_is_opened_no_further_than_needed() {
    let Some(data) = Data::new("a_way_is_opened_no_further_than_needed") else { return };
    let (cell, again) = (data.cell(1), data.cell(1));
    assert_eq!(cell.walls, again.walls);
    let Some(Stranger { user, group }) = cell.stranger else {
        testkit::skip::without_kernel("a_way_is_opened_no_further_than_needed", "only root makes other users");
        return;
    };
    let about = |name: &str| {
        let about = fs::metadata(data.at(name)).unwrap();
        (about.mode() & 0o7777, about.uid(), about.gid())
    };
    for name in ["", "packages", "packages/1", "environments"] {
        assert_eq!(about(name), (0o710, 0, group), "{name:?}");
    }
    assert_eq!(about("environments/1"), (0o700, user, group));
    // What no environment needs stays closed.
    assert_eq!(about("packages/2").0, 0o700);
    assert_eq!(about("packages/1/code").0, 0o755);
}

/// What a trial says, made by a process of one thread, as the spawner is.
fn tried(data: &Path, stranger: Option<Stranger>) -> String {
    let said = tempfile::NamedTempFile::new().unwrap();
    let (data, path) = (data.to_owned(), said.path().to_owned());
    let mut command = Command::new("true");
    // SAFETY: the allocator of the test program can be used after a fork, and nothing else here takes a lock.
    unsafe {
        command.pre_exec(move || {
            let said = match trial::trial(&data, &data.join("environments/.trial"), stranger) {
                Ok(()) => "fine".to_owned(),
                Err(refused) => refused.to_string(),
            };
            fs::write(&path, said)
        })
    };
    assert!(command.status().unwrap().success());
    fs::read_to_string(said.path()).unwrap()
}

#[test]
fn the_trial_tells_whether_the_walls_hold() {
    let Some(data) = Data::new("the_trial_tells_whether_the_walls_hold") else { return };
    let is_root = rustix::process::geteuid().is_root();
    let stranger = is_root.then_some(Stranger { user: GROUP + 1, group: GROUP });
    assert_eq!(tried(data.folder.path(), stranger), "fine");
    assert_eq!(fs::read_dir(data.at("environments")).unwrap().count(), 0);
    if is_root {
        // A folder above the data folder that is closed to others, as root's home may be.
        let closed = data.at("packages/closed");
        fs::create_dir_all(closed.join("data/environments")).unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
        assert_eq!(tried(&closed.join("data"), stranger), "tmp: open: Permission denied (os error 13)");
    }
}
