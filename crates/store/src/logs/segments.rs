//! Which segments there are, whose they are and how large: in memory, so that nothing has to be looked for on disk.
//!
//! Never here: what lies in them.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use domain::names::FunctionName;
use jiff::Timestamp;

use crate::logs::LogPlace;
use crate::logs::entry::{MAGIC, Reader};

/// Files kept open.
const OPEN_MAX: usize = 32;
/// What a file takes on disk at least.
const BLOCK_BYTES: u64 = 4_096;

/// See the module.
#[derive(Debug)]
pub(super) struct Segments {
    folder: PathBuf,
    functions: BTreeMap<FunctionName, VecDeque<Segment>>,
    /// The last segment of whom, the last used at the back.
    open: VecDeque<(FunctionName, File)>,
    disk_bytes: u64,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    bytes: u64,
    /// Of its last line.
    last: Timestamp,
    /// Whether it certainly ends with a whole entry: one of an earlier start may not.
    is_whole: bool,
}

impl Segment {
    fn disk_bytes(&self) -> u64 {
        self.bytes.next_multiple_of(BLOCK_BYTES)
    }

    /// Cuts off what is no whole entry at its end.
    fn make_whole(&mut self, mut file: &File, path: &Path) -> io::Result<()> {
        if !self.is_whole {
            self.bytes = whole_bytes(path, self.bytes)?;
            file.set_len(self.bytes)?;
            if self.bytes == 0 {
                file.write_all(MAGIC)?;
                self.bytes = MAGIC.len() as u64;
            }
            self.is_whole = true;
        }
        Ok(())
    }
}

/// What there is to read.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

impl Segments {
    /// Finds what is there. What is not ours is left alone.
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let mut functions: BTreeMap<FunctionName, VecDeque<Segment>> = BTreeMap::new();
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_str().and_then(FunctionName::parse).filter(FunctionName::for_creation);
            let (Some(name), true) = (name, entry.file_type()?.is_dir()) else { continue };
            let mut segments = Vec::new();
            for entry in fs::read_dir(entry.path())? {
                let entry = entry?;
                let number = entry.file_name().to_str().and_then(number_of);
                let (Some(number), true) = (number, entry.file_type()?.is_file()) else { continue };
                let found = entry.metadata()?;
                let last = found.modified().ok().and_then(|at| Timestamp::try_from(at).ok()).unwrap_or_default();
                segments.push(Segment { number, bytes: found.len(), last, is_whole: false });
            }
            segments.sort_by_key(|segment| segment.number);
            if !segments.is_empty() {
                functions.insert(name, segments.into());
            }
        }
        let disk_bytes = functions.values().flatten().map(Segment::disk_bytes).sum();
        Ok(Self { folder, functions, open: VecDeque::new(), disk_bytes })
    }

    fn path(&self, function: &FunctionName, number: u64) -> PathBuf {
        path(&self.folder, function, number)
    }

    /// The segments from a place on, but for those whose last line came before `since`.
    pub(super) fn parts(&self, function: &FunctionName, from: LogPlace, since: Option<Timestamp>) -> Option<Vec<Part>> {
        let segments = self.functions.get(function)?.iter();
        let wanted = segments
            .filter(|segment| segment.number >= from.segment && since.is_none_or(|since| segment.last >= since));
        let part = |segment: &Segment| Part {
            number: segment.number,
            path: self.path(function, segment.number),
            bytes: segment.bytes,
        };
        Some(wanted.map(part).collect())
    }

    /// Adds entries to a function's last segment, or to a new one.
    pub(super) fn append(
        &mut self,
        function: &FunctionName,
        entries: &[u8],
        last: Timestamp,
        segment_bytes: u64,
    ) -> io::Result<()> {
        let mut file = self.take_file(function, segment_bytes)?;
        let segments = self.functions.get_mut(function).expect("there is one once there is a file");
        let segment = segments.back_mut().expect("there is one once there is a file");
        self.disk_bytes -= segment.disk_bytes();
        let written = file.write_all(entries);
        match &written {
            Ok(()) => {
                segment.bytes += entries.len() as u64;
                segment.last = segment.last.max(last);
            }
            // A part of it may be there: what follows must not be taken for its rest.
            Err(_) => segment.is_whole = file.set_len(segment.bytes).is_ok(),
        }
        self.disk_bytes += segment.disk_bytes();
        if segment.is_whole {
            self.open.push_back((function.clone(), file));
            if self.open.len() > OPEN_MAX {
                self.open.pop_front();
            }
        }
        written
    }

    /// The file that a function's next lines go to.
    fn take_file(&mut self, function: &FunctionName, segment_bytes: u64) -> io::Result<File> {
        let opened = self.open.iter().position(|(name, _)| name == function);
        let opened = opened.and_then(|at| self.open.remove(at)).map(|(_, file)| file);
        let folder = self.folder.join(function.as_str());
        let segments = self.functions.entry(function.clone()).or_default();
        if let Some(segment) = segments.back_mut().filter(|segment| segment.bytes < segment_bytes) {
            let path = path(&self.folder, function, segment.number);
            let file = opened.map_or_else(|| OpenOptions::new().append(true).open(&path), Ok);
            match file {
                Ok(file) => {
                    self.disk_bytes -= segment.disk_bytes();
                    let made_whole = segment.make_whole(&file, &path);
                    self.disk_bytes += segment.disk_bytes();
                    return made_whole.map(|()| file);
                }
                // Somebody has cleared it away: a new one does as well.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        let number = segments.back().map_or(1, |segment| segment.number + 1);
        let made = new_file(&folder, &path(&self.folder, function, number));
        if made.is_ok() {
            let segment = Segment { number, bytes: MAGIC.len() as u64, last: Timestamp::UNIX_EPOCH, is_whole: true };
            self.disk_bytes += segment.disk_bytes();
            segments.push_back(segment);
        } else if segments.is_empty() {
            self.functions.remove(function);
        }
        made
    }

    /// Removes the oldest until all together take no more than that.
    pub(super) fn shrink_to(&mut self, disk_bytes: u64) {
        if self.disk_bytes <= disk_bytes {
            return;
        }
        // Some more at once, so that not every line makes us look for the oldest.
        let wanted = disk_bytes - disk_bytes / 16;
        while self.disk_bytes > wanted {
            let firsts = self.functions.iter().filter_map(|(name, segments)| Some((name, segments.front()?.last)));
            let Some(oldest) = firsts.min_by_key(|(_, last)| *last).map(|(name, _)| name.clone()) else { return };
            self.remove_first(&oldest);
        }
    }

    /// Removes what ended before a moment.
    pub(super) fn remove_before(&mut self, moment: Timestamp) {
        let is_old = |segments: &VecDeque<Segment>| segments.front().is_some_and(|segment| segment.last < moment);
        let old: Vec<FunctionName> =
            self.functions.iter().filter(|(_, segments)| is_old(segments)).map(|(name, _)| name.clone()).collect();
        for name in old {
            while self.functions.get(&name).is_some_and(is_old) {
                self.remove_first(&name);
            }
        }
    }

    fn remove_first(&mut self, function: &FunctionName) {
        let Some(segments) = self.functions.get_mut(function) else { return };
        let Some(first) = segments.pop_front() else { return };
        let is_last = segments.is_empty();
        self.disk_bytes -= first.disk_bytes();
        let path = self.path(function, first.number);
        if is_last {
            self.functions.remove(function);
            self.open.retain(|(name, _)| name != function);
        }
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!("an old execution log stays at {}: {error}", path.display());
        } else if is_last {
            // Stays where somebody has put something into it.
            fs::remove_dir(self.folder.join(function.as_str())).ok();
        }
    }
}

fn path(folder: &Path, function: &FunctionName, number: u64) -> PathBuf {
    folder.join(function.as_str()).join(format!("{number:08}.log"))
}

fn number_of(file_name: &str) -> Option<u64> {
    let digits = file_name.strip_suffix(".log")?;
    let plain = digits.len() >= 8 && digits.bytes().all(|c| c.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

fn new_file(folder: &Path, path: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(MAGIC).inspect_err(|_| drop(fs::remove_file(path)))?;
    Ok(file)
}

/// Up to where a segment has whole entries; 0 where it is none of ours.
fn whole_bytes(path: &Path, bytes: u64) -> io::Result<u64> {
    let mut magic = [0; MAGIC.len()];
    let mut file = File::open(path)?;
    if io::Read::read_exact(&mut file, &mut magic).is_err() || magic != *MAGIC {
        return Ok(0);
    }
    let mut entries = Reader::open(path, 0, bytes)?;
    while entries.next()?.is_some() {}
    Ok(entries.offset())
}
