//! The execution logs: `logs/FUNCTION/NUMBER.log`, segments that only grow, the oldest removed when all together are too
//! large or too old.
//!
//! Lines are written by a thread of their own, many at once; nobody who logs waits for the disk, and what finds no more
//! room is dropped and counted in the log itself. A log is not synced: a power cut may take the last seconds, the end
//! of the process does not. Never here: what a line says.

mod entry;
mod segments;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use domain::Fault;
use domain::function::LogLevel;
use domain::log::Record;
use domain::names::FunctionName;
use engine::ports::LogSource;
use jiff::Timestamp;

use crate::error::StoreError;
use crate::logs::segments::{Part, Segments};

/// How long lines are gathered before they are written.
const PAUSE: Duration = Duration::from_millis(100);
/// Bytes that are written without waiting for more.
const BYTES_ENOUGH: usize = 512 * 1024;
/// How long a reader waits for what is being written.
const FLUSH_WAIT: Duration = Duration::from_secs(5);
/// How often what is too old is looked for.
const SWEEP_PAUSE: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

/// What bounds the logs.
#[derive(Clone, Copy, Debug)]
pub struct LogBounds {
    /// Bytes on disk, of all functions.
    pub disk_bytes: u64,
    /// How long a line is kept.
    pub age: jiff::SignedDuration,
    /// Bytes from which on a segment is followed by another.
    pub segment_bytes: u64,
    /// Bytes that may wait to be written.
    pub waiting_bytes: usize,
}

impl LogBounds {
    /// Lines are kept for so long, and so many bytes in all.
    pub fn new(age: jiff::SignedDuration, disk_bytes: u64) -> Self {
        // The oldest go a segment at a time: there are to be several of them.
        Self { disk_bytes, age, segment_bytes: (disk_bytes / 16).min(4 * 1024 * 1024), waiting_bytes: 4 * 1024 * 1024 }
    }
}

/// Seven days and 1 GB.
impl Default for LogBounds {
    fn default() -> Self {
        Self::new(jiff::SignedDuration::from_hours(7 * 24), 1_000_000_000)
    }
}

/// A line of a log as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// The environment's log stream.
    pub stream: String,
    /// The line, with its break where it had one.
    pub bytes: Vec<u8>,
}

/// A place between two lines of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPlace {
    /// The number of the segment.
    pub segment: u64,
    /// Bytes into it.
    pub offset: u64,
}

/// Some lines of a log, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPage {
    /// The lines.
    pub lines: Vec<LogLine>,
    /// Where to go on.
    pub next: LogPlace,
    /// Whether there was nothing behind them.
    pub is_last: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Logs {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    bounds: LogBounds,
    state: Mutex<State>,
    changed: Condvar,
    segments: Mutex<Segments>,
}

#[derive(Debug, Default)]
struct State {
    /// Entries one after another.
    waiting: Vec<u8>,
    /// Whose they are, and how long each is.
    owners: Vec<(FunctionName, usize)>,
    dropped: BTreeMap<FunctionName, Dropped>,
    /// What time it is, if old segments are to be looked for.
    sweep: Option<Timestamp>,
    swept_at: Option<Timestamp>,
    is_due: bool,
    /// Batches begun and done.
    begun: u64,
    done: u64,
    is_over: bool,
}

#[derive(Debug)]
struct Dropped {
    source: LogSource,
    at: Timestamp,
    lines: u64,
    bytes: u64,
}

impl State {
    fn is_empty(&self) -> bool {
        self.owners.is_empty() && self.dropped.is_empty() && self.sweep.is_none()
    }
}

impl Logs {
    /// Opens the logs in a data folder that [`crate::Store`] has claimed.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open(data_dir: &Path, bounds: LogBounds) -> Result<Self, StoreError> {
        let folder = data_dir.join("logs");
        let segments = Segments::open(folder.clone()).map_err(|source| StoreError::Folder { path: folder, source })?;
        let shared = Arc::new(Shared {
            bounds,
            state: Mutex::default(),
            changed: Condvar::new(),
            segments: Mutex::new(segments),
        });
        let writer = shared.clone();
        let thread = thread::Builder::new()
            .name("logs-writer".into())
            .spawn(move || writer.write_all())
            .map_err(StoreError::Thread)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Adds a line; it is on disk soon.
    pub fn add(&self, source: &LogSource, at: Timestamp, line: &[u8]) {
        let mut state = self.shared.lock();
        let bytes = entry::bytes(&source.stream, line);
        if state.waiting.len() + bytes > self.shared.bounds.waiting_bytes {
            state.drop_line(source, at, line.len());
            return;
        }
        let was_empty = state.is_empty();
        entry::append(&mut state.waiting, at, &source.stream, line);
        state.owners.push((source.function.clone(), bytes));
        let is_enough = !state.is_due && state.waiting.len() >= BYTES_ENOUGH;
        state.is_due |= is_enough;
        drop(state);
        if was_empty || is_enough {
            self.shared.changed.notify_all();
        }
    }

    /// Removes what is too old by now, now and then.
    pub fn sweep(&self, now: Timestamp) {
        let mut state = self.shared.lock();
        if state.swept_at.is_none_or(|at| now.duration_since(at) >= SWEEP_PAUSE) {
            state.swept_at = Some(now);
            state.sweep = Some(now);
            drop(state);
            self.shared.changed.notify_all();
        }
    }

    /// Reads a function's log from a place on, the lines added so far included; `None` where there is none.
    /// A page has some lines, not all: one goes on at its `next`.
    ///
    /// # Errors
    /// The disk failed.
    pub async fn read(
        &self,
        function: FunctionName,
        from: LogPlace,
        since: Option<Timestamp>,
    ) -> Result<Option<LogPage>, Fault> {
        let shared = self.shared.clone();
        crate::blocking("reading an execution log", move || {
            shared.flush();
            let parts = shared.segments().parts(&function, from, since);
            parts.map(|parts| read_page(&parts, from, since)).transpose()
        })
        .await?
        .map_err(|error| Fault::new("reading an execution log", error))
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer of execution logs panicked");
        }
    }
}

impl State {
    fn drop_line(&mut self, source: &LogSource, at: Timestamp, bytes: usize) {
        let dropped = self.dropped.entry(source.function.clone()).or_insert_with(|| Dropped {
            source: source.clone(),
            at,
            lines: 0,
            bytes: 0,
        });
        dropped.at = at;
        dropped.lines += 1;
        dropped.bytes += bytes as u64;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn segments(&self) -> MutexGuard<'_, Segments> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until what was added before is written.
    fn flush(&self) {
        let mut state = self.lock();
        let batch = state.begun + u64::from(!state.is_empty());
        if batch > state.begun {
            state.is_due = true;
            self.changed.notify_all();
        }
        let unwritten = |state: &mut State| state.done < batch;
        drop(self.changed.wait_timeout_while(state, FLUSH_WAIT, unwritten));
    }

    /// The thread's whole life.
    fn write_all(&self) {
        let (mut bytes, mut owners) = (Vec::new(), Vec::new());
        let mut is_failing = false;
        loop {
            let wait = |state: &mut State| state.is_empty() && !state.is_over;
            let state = self.changed.wait_while(self.lock(), wait).unwrap_or_else(PoisonError::into_inner);
            let gather = |state: &mut State| !state.is_due && !state.is_over;
            let (mut state, _) =
                self.changed.wait_timeout_while(state, PAUSE, gather).unwrap_or_else(PoisonError::into_inner);
            if state.is_empty() && state.is_over {
                return;
            }
            std::mem::swap(&mut bytes, &mut state.waiting);
            std::mem::swap(&mut owners, &mut state.owners);
            let dropped = std::mem::take(&mut state.dropped);
            let sweep = state.sweep.take();
            state.is_due = false;
            state.begun += 1;
            drop(state);

            let written = self.write(gathered(&bytes, &owners, &dropped), sweep);
            match &written {
                Err(error) if !is_failing => {
                    tracing::warn!("execution logs cannot be written, lines are lost: {error}");
                }
                Ok(()) if is_failing => tracing::warn!("execution logs are written again"),
                _ => {}
            }
            is_failing = written.is_err();
            bytes.clear();
            owners.clear();
            // After a flood its room is given back.
            bytes.shrink_to(BYTES_ENOUGH);
            owners.shrink_to(BYTES_ENOUGH / 64);
            self.lock().done += 1;
            self.changed.notify_all();
        }
    }

    /// Writes what each function has; one that cannot be written does not take the others with it.
    fn write(&self, batch: BTreeMap<&FunctionName, Batch>, sweep: Option<Timestamp>) -> std::io::Result<()> {
        let mut result = Ok(());
        for (function, Batch { bytes, last }) in batch {
            // Held for one function at a time, so that readers get their turn.
            let written = self.segments().append(function, &bytes, last, self.bounds.segment_bytes);
            result = result.and(written);
        }
        let mut segments = self.segments();
        segments.shrink_to(self.bounds.disk_bytes);
        if let Some(now) = sweep {
            segments.remove_before(now - self.bounds.age);
        }
        result
    }
}

/// What one function has in a batch.
struct Batch {
    bytes: Vec<u8>,
    last: Timestamp,
}

fn gathered<'a>(
    mut bytes: &[u8],
    owners: &'a [(FunctionName, usize)],
    dropped: &'a BTreeMap<FunctionName, Dropped>,
) -> BTreeMap<&'a FunctionName, Batch> {
    let mut batches: BTreeMap<&FunctionName, Batch> = BTreeMap::new();
    for (function, length) in owners {
        let (entry, rest) = bytes.split_at(*length);
        bytes = rest;
        let last = entry::time(entry);
        let batch = batches.entry(function).or_insert_with(|| Batch { bytes: Vec::new(), last });
        batch.bytes.extend_from_slice(entry);
        batch.last = last;
    }
    for (function, Dropped { source, at, lines, bytes }) in dropped {
        let record = Record::LogsDropped {
            reason: "the disk takes them more slowly than they come".to_owned(),
            records: *lines,
            bytes: *bytes,
        };
        let Some(line) = record.line(*at, source.format, LogLevel::Warn) else { continue };
        let batch = batches.entry(function).or_insert_with(|| Batch { bytes: Vec::new(), last: *at });
        entry::append(&mut batch.bytes, *at, &source.stream, line.as_bytes());
        batch.last = *at;
    }
    batches
}

/// Bytes of lines in a page, about.
const PAGE_BYTES: usize = 1024 * 1024;
/// Bytes looked through for a page.
const PAGE_READ_BYTES: u64 = 32 * 1024 * 1024;

fn read_page(parts: &[Part], from: LogPlace, since: Option<Timestamp>) -> std::io::Result<LogPage> {
    let mut page = LogPage { next: from, ..LogPage::default() };
    let (mut taken, mut looked) = (0, 0);
    for part in parts {
        let begin = if part.number == from.segment { from.offset } else { 0 };
        let mut entries = match entry::Reader::open(&part.path, begin, part.bytes) {
            Ok(entries) => entries,
            // Removed meanwhile, as the oldest is when there is no more room.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        loop {
            page.next = LogPlace { segment: part.number, offset: entries.offset() };
            if taken >= PAGE_BYTES || looked >= PAGE_READ_BYTES {
                return Ok(page);
            }
            let Some(line) = entries.next()? else { break };
            looked += entries.offset() - page.next.offset;
            if since.is_none_or(|since| line.at >= since) {
                taken += line.bytes.len() + line.stream.len();
                page.lines.push(line);
            }
        }
    }
    page.is_last = true;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use domain::function::LogFormat;

    use super::*;

    fn source(function: &str) -> LogSource {
        LogSource {
            function: FunctionName::parse(function).unwrap(),
            group: format!("/aws/lambda/{function}"),
            stream: "2024/04/23/[$LATEST]aa01".to_owned(),
            format: LogFormat::Text,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn small() -> LogBounds {
        LogBounds { segment_bytes: 1_000, disk_bytes: 64 * 1024, ..LogBounds::default() }
    }

    /// The whole log, page after page.
    fn all(logs: &Logs, function: &str, since: Option<Timestamp>) -> Option<Vec<LogLine>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (mut lines, mut from) = (Vec::new(), LogPlace::default());
        loop {
            let name = FunctionName::parse(function).unwrap();
            let page = runtime.block_on(logs.read(name, from, since)).unwrap()?;
            lines.extend(page.lines);
            from = page.next;
            if page.is_last {
                return Some(lines);
            }
        }
    }

    fn texts(logs: &Logs, function: &str) -> Vec<String> {
        let lines = all(logs, function, None).unwrap();
        lines.into_iter().map(|line| String::from_utf8(line.bytes).unwrap()).collect()
    }

    #[test]
    fn lines_come_back_in_order_also_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let mut expected = Vec::new();
        for round in 0..3 {
            let logs = Logs::open(dir.path(), small()).unwrap();
            for number in 0..40 {
                let line = format!("round {round} line {number}\n");
                logs.add(&source("fn"), at(number), line.as_bytes());
                logs.add(&source("other"), at(number), b"of another\n");
                expected.push(line);
            }
            assert_eq!(texts(&logs, "fn"), expected);
            assert_eq!(texts(&logs, "other").len(), 40 * (round + 1));
            assert_eq!(all(&logs, "nobody", None), None);
        }
        let segments = std::fs::read_dir(dir.path().join("logs/fn")).unwrap().count();
        assert!(segments > 1, "{segments} segments");
    }

    #[test]
    fn bytes_stay_what_they_were_and_a_reader_goes_on_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let logs = Logs::open(dir.path(), LogBounds::default()).unwrap();
        let long = vec![0xfe; 300_000];
        for line in [&b"\0\xff\n"[..], b"no break", b"", &long] {
            logs.add(&source("fn"), at(5), line);
        }
        let lines = all(&logs, "fn", None).unwrap();
        assert_eq!(
            lines.iter().map(|line| &line.bytes[..]).collect::<Vec<_>>(),
            [&b"\0\xff\n"[..], b"no break", b"", &long]
        );
        assert_eq!((lines[0].at, lines[0].stream.as_str()), (at(5), "2024/04/23/[$LATEST]aa01"));

        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let read = |from| runtime.block_on(logs.read(source("fn").function, from, None)).unwrap().unwrap();
        let end = read(LogPlace::default()).next;
        assert_eq!(read(end), LogPage { lines: Vec::new(), next: end, is_last: true });
        logs.add(&source("fn"), at(6), b"later\n");
        assert_eq!(read(end).lines.len(), 1);
        assert_eq!(all(&logs, "fn", Some(at(6))).unwrap().len(), 1);
    }

    #[test]
    fn a_torn_end_is_cut_off_and_nothing_else_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let logs = Logs::open(dir.path(), LogBounds::default()).unwrap();
        logs.add(&source("fn"), at(1), b"whole\n");
        logs.add(&source("fn"), at(1), b"torn\n");
        drop(logs);
        let path = dir.path().join("logs/fn/00000001.log");
        let whole = std::fs::read(&path).unwrap();
        for missing in 1..40 {
            std::fs::write(&path, &whole[..whole.len() - missing]).unwrap();
            let logs = Logs::open(dir.path(), LogBounds::default()).unwrap();
            assert_eq!(texts(&logs, "fn"), ["whole\n"], "{missing} bytes missing");
            logs.add(&source("fn"), at(2), b"after\n");
            assert_eq!(texts(&logs, "fn"), ["whole\n", "after\n"], "{missing} bytes missing");
        }
    }

    #[test]
    fn all_logs_together_are_bounded_and_the_oldest_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let logs = Logs::open(dir.path(), small()).unwrap();
        logs.add(&source("old"), at(1), b"old\n");
        assert_eq!(texts(&logs, "old").len(), 1);
        for number in 0..200 {
            let line = format!("{number:0>900}\n");
            logs.add(&source("fn"), at(10 + number), line.as_bytes());
            // Written one by one, as they would be over time.
            logs.shared.flush();
        }
        let left = texts(&logs, "fn");
        assert!(left.last().unwrap().ends_with("199\n") && left.len() < 70, "{} lines left", left.len());
        assert_eq!(all(&logs, "old", None), None);
        assert!(!dir.path().join("logs/old").exists());
        drop(logs);
        let logs = Logs::open(dir.path(), small()).unwrap();
        assert_eq!(texts(&logs, "fn"), left, "what is left is also left after a restart");
    }

    #[test]
    fn what_is_too_old_goes() {
        let dir = tempfile::tempdir().unwrap();
        let logs = Logs::open(dir.path(), small()).unwrap();
        let day = 24 * 3_600;
        for number in 0..10 {
            let line = format!("{number:0>1000}\n");
            logs.add(&source("fn"), at(number * day), line.as_bytes());
            logs.shared.flush();
        }
        logs.sweep(at(10 * day));
        let left = all(&logs, "fn", None).unwrap();
        assert_eq!(left.first().unwrap().at, at(3 * day), "seven days are left");
    }

    #[test]
    fn what_finds_no_room_is_dropped_and_counted_in_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let bounds = LogBounds { waiting_bytes: 10_000, ..LogBounds::default() };
        let logs = Logs::open(dir.path(), bounds).unwrap();
        // The disk stands still as long as this is held.
        let disk = logs.shared.segments();
        for _ in 0..1_000 {
            logs.add(&source("fn"), at(1), b"a line of 20 bytes.\n");
        }
        drop(disk);
        let lines = texts(&logs, "fn");
        let dropped: u64 = lines
            .iter()
            .filter_map(|line| line.split("Dropped Records: ").nth(1)?.split('\t').next()?.parse::<u64>().ok())
            .sum();
        let kept = lines.iter().filter(|line| line.starts_with("a line")).count() as u64;
        assert_eq!(dropped + kept, 1_000);
        assert!(dropped >= 700, "{dropped}");
        assert!(lines.iter().any(|line| line.ends_with(&format!("Dropped Bytes: {}\n", 20 * dropped))), "{lines:?}");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_on_disk_make_it_panic(junk in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(dir.path().join("logs/fn")).unwrap();
            std::fs::write(dir.path().join("logs/fn/00000003.log"), &junk).unwrap();
            std::fs::write(dir.path().join("logs/fn/notes.txt"), "").unwrap();
            let logs = Logs::open(dir.path(), LogBounds::default()).unwrap();
            logs.add(&source("fn"), at(1), b"fine\n");
            let lines = all(&logs, "fn", None).unwrap();
            proptest::prop_assert_eq!(&lines.last().unwrap().bytes[..], b"fine\n");
        }
    }
}
