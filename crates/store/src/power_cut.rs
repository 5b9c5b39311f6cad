//! Power cuts: a file system on a loop device is shut down under load, so that everything that was not synced is gone,
//! and mounted again. What was acknowledged before must be there, and what was acknowledged as done must stay done.
//!
//! The same store with `synchronous=NORMAL` must be caught losing, or this test sees nothing. It is here and not beside
//! the other tests because only here can such a store be made.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use domain::event::{Event, Progress};
use domain::function::{Code, Digest};
use domain::names::RequestId;
use engine::ports::{EventRecords as _, Packages as _, Records as _, Settled};
use jiff::Timestamp;
use testkit::contracts::{function, home, name, record};
use testkit::packages::zip_of;
use testkit::skip;
use uuid::Uuid;

use crate::folder::Folder;
use crate::{Store, schema};

/// How often the power is cut. `LAMBD_POWER_CUTS` says otherwise: `cargo xtask power-cut --rounds 20`.
const CUTS: usize = 2;
/// The folder to work in, in a process that the test started.
const CHILD: &str = "STORE_POWER_CUT";
/// Writers of events at a time.
const WRITERS: usize = 16;
/// The first cut comes after so many acknowledgements, each later one after some more.
const ACKNOWLEDGED: (usize, usize) = (400, 230);
const DISK_BYTES: u64 = 512 * 1024 * 1024;
/// Files in a package: synced one by one, and by one sync of the file system.
const FILES: [usize; 2] = [3, 40];

/// What was acknowledged, over all rounds, and how much of it was lost.
#[derive(Debug, Default)]
struct Sum {
    acknowledged: usize,
    lost: usize,
}

#[test]
fn power_cuts_take_back_nothing_that_was_acknowledged() {
    let Some(sum) = cut_power("power_cut::power_cuts_take_back_nothing_that_was_acknowledged", "FULL") else { return };
    assert_eq!(sum.lost, 0, "of {}", sum.acknowledged);
}

#[test]
fn power_cuts_are_seen_to_take_back_what_was_not_synced() {
    let Some(sum) = cut_power("power_cut::power_cuts_are_seen_to_take_back_what_was_not_synced", "NORMAL") else {
        return;
    };
    assert!(sum.lost > 0, "nothing of {} was lost without a sync: power is not cut at all", sum.acknowledged);
}

/// The same program in three parts: the test; under it, in mounts of its own, who cuts; under that, again and again, who
/// writes.
fn cut_power(test: &str, synchronous: &str) -> Option<Sum> {
    match std::env::var_os(CHILD).map(PathBuf::from) {
        Some(dir) if dir.ends_with("data") => write(&dir, synchronous),
        Some(dir) => {
            cut(test, &dir);
            return None;
        }
        None => {}
    }
    if let Err(missing) = needs() {
        skip::without_disk(test, &missing);
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    // Else another namespace pins the dead file system.
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]).arg(std::env::current_exe().unwrap());
    let ended = again(command, test, dir.path()).stderr(Stdio::piped()).output().unwrap();
    let (told, errors) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{}\n{told}\n{errors}", ended.status);
    let mut sum = Sum::default();
    for line in fs::read_to_string(dir.path().join("rounds")).unwrap().lines() {
        let (acknowledged, lost) = line.split_once(' ').unwrap();
        sum.acknowledged += acknowledged.parse::<usize>().unwrap();
        sum.lost += lost.parse::<usize>().unwrap();
    }
    report(synchronous, &sum);
    Some(sum)
}

#[expect(clippy::print_stderr, reason = "what was tried is of interest where it is tried often")]
fn report(synchronous: &str, sum: &Sum) {
    eprintln!("synchronous={synchronous}: {} acknowledged in {} cuts, {} lost", sum.acknowledged, cuts(), sum.lost);
}

fn cuts() -> usize {
    std::env::var_os("LAMBD_POWER_CUTS").map_or(CUTS, |cuts| cuts.to_str().unwrap().parse().unwrap())
}

/// What is missing, where something is.
fn needs() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("only root may mount and shut down a file system".to_owned());
    }
    if !Path::new("/dev/loop-control").exists() {
        return Err("there are no loop devices".to_owned());
    }
    for (program, argument) in [("unshare", "--version"), ("mkfs.ext4", "-V"), ("mount", "-V"), ("python3", "-V")] {
        let tried = Command::new(program).arg(argument).output();
        tried.map_err(|error| format!("{program} cannot be run: {error}"))?;
    }
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::new(dir.path()).map_err(|error| format!("no ext4 on a loop device: {error}"))?;
    let mounts = r#"mount -o loop "$0" "$1" && umount "$1""#;
    let mut trial = Command::new("unshare");
    trial.args(["--mount", "--propagation", "private", "sh", "-c", mounts]).args([&disk.image, &disk.at]);
    well(&mut trial).map_err(|error| format!("no ext4 on a loop device: {error}"))
}

/// The test of that name again, in that folder.
fn again(mut command: Command, test: &str, dir: &Path) -> Command {
    command.args(["--exact", test, "--nocapture"]).env(CHILD, dir).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// Runs a program; what it says where that does not end well.
fn well(command: &mut Command) -> Result<(), String> {
    let ended = command.output().map_err(|error| error.to_string())?;
    if ended.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&ended.stderr).trim().to_owned()) }
}

/// A file system in a file.
struct Disk {
    image: PathBuf,
    at: PathBuf,
}

impl Disk {
    fn new(dir: &Path) -> Result<Self, String> {
        let disk = Self { image: dir.join("image"), at: dir.join("disk") };
        fs::create_dir(&disk.at).unwrap();
        File::create(&disk.image).unwrap().set_len(DISK_BYTES).unwrap();
        well(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&disk.image))?;
        Ok(disk)
    }

    fn mount(&self) {
        well(Command::new("mount").args(["-o", "loop"]).args([&self.image, &self.at])).unwrap();
    }

    fn unmount(&self) {
        well(Command::new("umount").arg(&self.at)).unwrap();
    }

    /// Who will cut the power when it gets a line.
    fn switch(&self) -> Child {
        // EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH (linux/fs/ext4/ext4.h): what is not on disk stays off it.
        let shut_down = "import fcntl, os, struct, sys\n\
                         disk = os.open(sys.argv[1], os.O_RDONLY)\n\
                         print(flush=True)\n\
                         sys.stdin.readline()\n\
                         fcntl.ioctl(disk, 0x8004587D, struct.pack('I', 2))\n";
        let mut command = Command::new("python3");
        command.args(["-c", shut_down]).arg(&self.at).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut switch = command.spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(switch.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert_eq!(ready, "\n", "the switch does not come up");
        switch
    }
}

/// What the writer said.
#[derive(Default)]
struct Said {
    acknowledged: usize,
    /// Events that are on disk, each with its round.
    events: BTreeMap<String, u32>,
    /// Events for which a later step was begun: they may be further, or gone.
    leaving: BTreeSet<String>,
    /// Events that are done.
    done: BTreeSet<String>,
    /// Functions that are there, each with the digest of its code.
    functions: BTreeMap<String, String>,
}

impl Said {
    fn read(&mut self, line: &str, is_before: bool) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            // Counts whenever it was said: it makes no promise.
            ["leaving", id] => drop(self.leaving.insert(id.to_owned())),
            _ if !is_before => {}
            ["event", id, round] => {
                self.events.insert(id.to_owned(), round.parse().unwrap());
                self.acknowledged += 1;
            }
            ["done", id] => {
                self.events.remove(id);
                self.done.insert(id.to_owned());
                self.acknowledged += 1;
            }
            ["function", name, digest] => {
                self.functions.insert(name.to_owned(), digest.to_owned());
                self.acknowledged += 1;
            }
            // The test harness has its own lines.
            _ => {}
        }
    }

    /// What of it is not so.
    fn lost(&self, data: &Path) -> usize {
        let store = Store::open(data, home()).unwrap();
        let run = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let functions: BTreeSet<String> = run.block_on(store.load()).unwrap().into_iter().map(named).collect();
        let is_lost = |(name, digest): &(&String, &String)| {
            let digest = Digest::from_hex(digest).unwrap();
            let is_whole = matches!(run.block_on(store.zip(digest)), Ok(Some(_))) && has_all(&store.folder(digest));
            // The code was on disk before the function was: whatever SQLite loses, it is there.
            assert!(is_whole, "the code of {name} is lost");
            !functions.contains(*name)
        };
        let functions_lost = self.functions.iter().filter(is_lost).count();
        drop(store);
        let database = schema::open_for_reading(&data.join("state.db")).unwrap();
        let verdict: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok");
        let mut select = database.prepare("SELECT lower(hex(id)), round FROM events").unwrap();
        let rows = select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u32>(1)?))).unwrap();
        let found: BTreeMap<String, u32> = rows.map(Result::unwrap).collect();
        let events_lost = self.events.iter().filter(|(id, round)| match found.get(*id) {
            Some(found) => found < *round,
            None => !self.leaving.contains(*id),
        });
        let undone = self.done.iter().filter(|id| found.contains_key(*id));
        functions_lost + events_lost.count() + undone.count()
    }
}

fn named((record, _): engine::ports::Loaded) -> String {
    record.latest.arn.name.to_string()
}

/// Whether a package's folder has the files that it should have, each with its content.
fn has_all(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let contents: Vec<String> =
        entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap_or_default()).collect();
    FILES.contains(&contents.len()) && contents.iter().all(|content| content.starts_with("content "))
}

/// Who cuts: lets the writer write, cuts, mounts again, and looks.
fn cut(test: &str, dir: &Path) {
    let disk = Disk::new(dir).unwrap();
    disk.mount();
    let data = disk.at.join("data");
    let mut rounds = File::create(dir.join("rounds")).unwrap();
    for round in 0..cuts() {
        let mut switch = disk.switch();
        let mut writer =
            again(Command::new(std::env::current_exe().unwrap()), test, &data).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut said = Said::default();
        while said.acknowledged < ACKNOWLEDGED.0 + round * ACKNOWLEDGED.1 {
            said.read(&lines.next().expect("the writer writes until its end"), true);
        }
        // Only what was read before counts: a sync that is under way when the power goes may yet return well.
        switch.stdin.take().unwrap().write_all(b"\n").unwrap();
        assert!(switch.wait().unwrap().success(), "the power was not cut");
        writer.kill().unwrap();
        writer.wait().unwrap();
        lines.for_each(|line| said.read(&line, false));
        disk.unmount();
        disk.mount();
        writeln!(rounds, "{} {}", said.acknowledged, said.lost(&data)).unwrap();
    }
    disk.unmount();
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // After the cut nobody listens any more, some time.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Who writes, until it is ended: events that are settled soon, later or never, and functions with their code.
fn write(data: &Path, synchronous: &str) -> ! {
    let folder = Folder::claim(data).unwrap();
    let database = folder.path.join("state.db");
    let connection = schema::open_for_writing(&database).unwrap();
    connection.pragma_update(None, "synchronous", synchronous).unwrap();
    let store = Store::assemble(folder, connection, home()).unwrap();
    let me = std::process::id();
    let events = |writer: usize| {
        let store = &store;
        async move {
            // A store that has lost its disk says so: this writer has written its last.
            for turn in 0_u64.. {
                let id = RequestId(Uuid::from_u64_pair((u64::from(me) << 32) | writer as u64, turn));
                let text = id.0.simple().to_string();
                let Ok(true) = store.insert_event(Arc::new(event(id))).await else { break };
                say(&format!("event {text} 0"));
                let mut round = 0;
                if turn % 3 == 0 {
                    let progress = Progress { attempts: 1, round: 1, ..Progress::new(Timestamp::UNIX_EPOCH) };
                    let settled = Settled::Again { due_at: Timestamp::UNIX_EPOCH, progress };
                    let Ok(true) = store.settle_event(id, round, settled).await else { break };
                    round = 1;
                    say(&format!("event {text} 1"));
                }
                if turn % 2 == 0 {
                    say(&format!("leaving {text}"));
                    let Ok(true) = store.settle_event(id, round, Settled::Done).await else { break };
                    say(&format!("done {text}"));
                }
            }
        }
    };
    let functions = async {
        for turn in 0_usize.. {
            let text = format!("f{me}-{turn}");
            let Ok(kept) = store.keep(package(&text, FILES[turn % FILES.len()])).await else { break };
            let mut made = function(&text, 1);
            made.code = Code::Package(kept.package);
            let Ok(true) = store.insert(record(made), Vec::new()).await else { break };
            say(&format!("function {} {}", name(&text), kept.package.digest.hex()));
        }
    };
    let run = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    run.block_on(async {
        let mut writers: Vec<_> = (0..WRITERS).map(|writer| Box::pin(events(writer))).collect();
        let all = std::future::poll_fn(|context| {
            writers.retain_mut(|writer| writer.as_mut().poll(context).is_pending());
            if writers.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        });
        tokio::join!(all, functions);
    });
    // Whoever cuts ends us.
    loop {
        std::thread::park();
    }
}

fn event(request_id: RequestId) -> Event {
    Event {
        request_id,
        function: name("f"),
        qualifier: None,
        payload: Bytes::from(vec![b'x'; 1_024]),
        trace: None,
        accepted_at: Timestamp::UNIX_EPOCH,
        progress: Progress::new(Timestamp::UNIX_EPOCH),
    }
}

fn package(text: &str, files: usize) -> Bytes {
    let content = format!("content of {text}");
    let names: Vec<String> = (0..files).map(|at| at.to_string()).collect();
    let files: Vec<(&str, u32, &[u8])> = names.iter().map(|name| (name.as_str(), 0o644, content.as_bytes())).collect();
    zip_of(&files)
}
