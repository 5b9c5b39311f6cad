//! `cargo xtask soak [--minutes N | --short]`: a real engine under all kinds of load at once, and what is left of it
//! afterwards: memory, descriptors, processes, mounts and folders must come back to where they began.
//!
//! The engine is compared with itself: as it was when its first function had come and gone, and, for memory, after a first
//! load like the second, since what it opens and allocates once is no leak. The first load is a tenth of the second, at
//! most a minute.

mod chance;
mod held;
mod load;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::process::{self, cargo, now, print, run, say};
use crate::served::Served;
use held::Held;
use load::{CLIENTS, Load};

const MINUTES: u64 = 60;
/// Environments go soon, so that the end comes soon.
const FLAGS: &[&str] = &["--keep-warm-seconds", "2"];
/// How long what is over may take to be gone: the engine looks every five seconds.
const REST_MAX: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What memory may move by, since an allocator keeps some of what it was given back.
const MEMORY_KIB: u64 = 4096;
/// The same where the first load is too short to have met the largest bodies on every path.
const MEMORY_KIB_SHORT: u64 = 32 * 1024;
/// What the store keeps open of kept logs (`OPEN_MAX` of `crates/store/src/logs/segments.rs`), and one it takes turns by.
const LOG_FILES: u64 = 33;
/// The database's log is cut when it has a thousand pages, which are 4 MB; its file keeps what it has grown to.
const DATABASE_KIB: u64 = 8192;

/// How long each part takes.
struct Times {
    first: Duration,
    second: Duration,
    memory_kib: u64,
}

/// `cargo xtask soak`
pub(crate) fn run_soak(arguments: &[String]) -> Result<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let times = match arguments[..] {
        [] => of_minutes(MINUTES),
        ["--short"] => {
            Times { first: Duration::from_secs(5), second: Duration::from_secs(9), memory_kib: MEMORY_KIB_SHORT }
        }
        ["--minutes", minutes] => of_minutes(minutes.parse().context("--minutes takes a number")?),
        _ => bail!("`cargo xtask soak` takes --minutes N, or --short, or nothing"),
    };
    // In CI the tests have built it already; for an hour the one that people run is tried.
    let (profile, short) = if arguments == ["--short"] { ("debug", true) } else { ("release", false) };
    let mut build = cargo();
    build.args(["build", "--package", "app", "--bin", "lambd"]);
    if !short {
        build.arg("--release");
    }
    run(&mut build)?;
    let folder = Folder::new()?;
    soak(&process::target().join(profile).join("lambd"), &folder, &times)
}

fn of_minutes(minutes: u64) -> Times {
    let second = Duration::from_mins(minutes);
    Times { first: (second / 10).min(Duration::from_mins(1)), second, memory_kib: MEMORY_KIB }
}

/// A folder for this run, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let path = process::target().join(format!("soak-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            say(&format!("{} stays behind: {error}", self.0.display()));
        }
    }
}

fn soak(lambd: &std::path::Path, folder: &Folder, times: &Times) -> Result<()> {
    let data = folder.0.join("data");
    let served = Served::start(lambd, &data, &folder.0.join("engine.log"), FLAGS)?;
    let look = || Held::now(served.id(), &data);
    let seed = u64::from(std::process::id());
    say(&format!("{CLIENTS} clients, seed {seed}; the engine is process {}", served.id()));
    let load = Load::new(&served.endpoint, seed);

    let fresh = rest(&look, None)?;
    load.one_function()?;
    let started = rest(&look, Some(&fresh))?;
    let mut most = Held::default();
    load.run(0, || watch(times.first, &look, &mut most)).with_context(|| served.log())?;
    let first = rest(&look, Some(&started))?;
    load.run(1, || watch(times.second, &look, &mut most)).with_context(|| served.log())?;
    let end = rest(&look, Some(&started))?;

    print("\n| done | times |\n|---|---|");
    for (action, count) in load.done() {
        print(&format!("| {action} | {count} |"));
    }
    let rows = rows([&started, &first, &most, &end], times.memory_kib);
    print(
        "\n| held | after one function | after the first load | most | at the end | allowed |  |\n|---|---|---|---|---|---|---|",
    );
    for row in &rows {
        let Row { what, numbers: [started, first, most, end], allowed } = row;
        let verdict = if row.is_fine() { "" } else { "STAYED BEHIND" };
        print(&format!("| {what} | {started} | {first} | {most} | {end} | {allowed} | {verdict} |"));
    }
    let stayed: Vec<&str> = rows.iter().filter(|row| !row.is_fine()).map(|row| row.what).collect();
    if !stayed.is_empty() {
        for name in end.names.difference(&started.names).take(50) {
            say(&format!("at the end: {name}"));
        }
    }
    let mut wrong = load.wrong();
    let log = served.whole_log();
    wrong.extend(log.lines().filter(|line| line.contains("panicked") || line.contains("ERROR")).map(str::to_owned));
    for line in &wrong {
        say(&format!("wrong: {line}"));
    }
    served.stop()?;
    ensure!(wrong.is_empty(), "{} answers or lines of the log are wrong (seed {seed})", wrong.len());
    ensure!(stayed.is_empty(), "something stayed behind: {}", stayed.join(", "));
    Ok(())
}

/// Looks now and then, and keeps the most that was seen.
fn watch(time: Duration, look: &impl Fn() -> Result<Held>, most: &mut Held) -> Result<()> {
    let begun = now();
    while let Some(left) = time.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) {
        std::thread::sleep(left.min(LOOK_EVERY));
        let held = look()?;
        for (most, now) in most.numbers_mut().into_iter().zip(held.numbers()) {
            *most = now.max(*most);
        }
    }
    Ok(())
}

/// Waits until what is over is gone, or has had its time, and nothing changes any more; then what is held.
fn rest(look: &impl Fn() -> Result<Held>, began: Option<&Held>) -> Result<Held> {
    let begun = now();
    let mut before = Held::default();
    let mut calm = 0;
    loop {
        std::thread::sleep(LOOK_EVERY);
        let held = look()?;
        let is_back =
            began.is_none_or(|began| held.counts().iter().zip(began.counts()).all(|(now, then)| *now <= then));
        // Memory follows a little later than processes.
        calm = if is_back && held.counts() == before.counts() { calm + 1 } else { 0 };
        if calm >= 3 || begun.elapsed() > REST_MAX {
            say(&format!("at rest after {:.1} s", begun.elapsed().as_secs_f64()));
            return Ok(held);
        }
        before = held;
    }
}

impl Held {
    /// All numbers, memory first, the database last.
    fn numbers(&self) -> [u64; 9] {
        [
            self.pss_kib,
            self.descriptors,
            self.processes,
            self.mounts,
            self.environments,
            self.packages,
            self.others,
            self.log_files,
            self.database_kib,
        ]
    }

    fn numbers_mut(&mut self) -> [&mut u64; 9] {
        [
            &mut self.pss_kib,
            &mut self.descriptors,
            &mut self.processes,
            &mut self.mounts,
            &mut self.environments,
            &mut self.packages,
            &mut self.others,
            &mut self.log_files,
            &mut self.database_kib,
        ]
    }

    /// What is waited for; descriptors are closed with it.
    fn counts(&self) -> [u64; 5] {
        let [_, _, processes, mounts, environments, packages, others, ..] = self.numbers();
        [processes, mounts, environments, packages, others]
    }
}

/// A line of the table.
struct Row {
    what: &'static str,
    /// After one function, after the first load, at most, at the end.
    numbers: [u64; 4],
    allowed: u64,
}

impl Row {
    fn is_fine(&self) -> bool {
        self.numbers[3] <= self.allowed
    }
}

/// What was held after one function, after the first load, at most, and at the end.
fn rows(held: [&Held; 4], memory_kib: u64) -> Vec<Row> {
    const NAMES: [&str; 9] = [
        "memory of all processes, PSS, KiB",
        "open descriptors",
        "processes",
        "mounts",
        "entries of environments",
        "entries of packages and code",
        "other entries of the data directory",
        "open files of kept logs",
        "database, KiB",
    ];
    let columns = held.map(Held::numbers);
    NAMES
        .into_iter()
        .enumerate()
        .map(|(index, what)| {
            let numbers = columns.map(|column| column[index]);
            let [started, first, ..] = numbers;
            let allowed = match index {
                0 => (first + first / 10).max(first + memory_kib),
                7 => LOG_FILES,
                8 => started + DATABASE_KIB,
                _ => started,
            };
            Row { what, numbers, allowed }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_behind_is_found() {
        let began = Held { pss_kib: 10_000, descriptors: 20, processes: 2, ..Held::default() };
        let stays = |end: &Held| -> Vec<&str> {
            rows([&began, &began, end, end], MEMORY_KIB)
                .iter()
                .filter(|row| !row.is_fine())
                .map(|row| row.what)
                .collect()
        };
        assert_eq!(stays(&began), Vec::<&str>::new());
        assert_eq!(stays(&Held { pss_kib: 14_000, ..began.clone() }), Vec::<&str>::new());
        assert_eq!(stays(&Held { pss_kib: 15_000, ..began.clone() }), ["memory of all processes, PSS, KiB"]);
        assert_eq!(stays(&Held { descriptors: 21, mounts: 1, ..began.clone() }), ["open descriptors", "mounts"]);
        assert_eq!(stays(&Held { environments: 1, packages: 1, ..began.clone() }).len(), 2);
    }
}
