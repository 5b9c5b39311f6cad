//! A line on disk: the length of the rest, the time in milliseconds, the length of the stream's name, that name, the
//! line; numbers little-endian.
//!
//! Never here: which file.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use jiff::Timestamp;

use crate::logs::LogLine;

/// What a segment begins with: its format.
pub(super) const MAGIC: &[u8; 8] = b"lambdl01";
/// Bytes before the name of the stream.
const HEAD_BYTES: usize = 4 + 8 + 2;
/// Bytes of an entry; a line has at most 256 KB.
const BYTES_MAX: u32 = 1024 * 1024;

/// How long an entry is.
pub(super) fn bytes(stream: &str, line: &[u8]) -> usize {
    HEAD_BYTES + stream.len() + line.len()
}

/// Adds an entry.
pub(super) fn append(to: &mut Vec<u8>, at: Timestamp, stream: &str, line: &[u8]) {
    let rest = bytes(stream, line) - 4;
    to.extend_from_slice(&u32::try_from(rest).unwrap_or(u32::MAX).to_le_bytes());
    to.extend_from_slice(&at.as_millisecond().to_le_bytes());
    to.extend_from_slice(&u16::try_from(stream.len()).unwrap_or(u16::MAX).to_le_bytes());
    to.extend_from_slice(stream.as_bytes());
    to.extend_from_slice(line);
}

/// The time of an entry that [`append`] made.
pub(super) fn time(entry: &[u8]) -> Timestamp {
    let millis = entry.get(4..12).and_then(|bytes| bytes.try_into().ok()).map_or(0, i64::from_le_bytes);
    Timestamp::from_millisecond(millis).unwrap_or_default()
}

/// Reads a segment.
pub(super) struct Reader {
    file: BufReader<File>,
    offset: u64,
    end: u64,
}

impl Reader {
    /// Begins at an offset, which is where an entry begins, or 0; nothing is read from `end` on.
    pub(super) fn open(path: &Path, offset: u64, end: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut magic = [0; MAGIC.len()];
        let is_ours = end >= MAGIC.len() as u64 && file.read_exact(&mut magic).is_ok() && magic == *MAGIC;
        let offset = offset.max(MAGIC.len() as u64);
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self { file: BufReader::with_capacity(64 * 1024, file), offset, end: if is_ours { end } else { 0 } })
    }

    /// Where the next entry begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next entry; `None` at the end, and at what is no whole entry.
    pub(super) fn next(&mut self) -> io::Result<Option<LogLine>> {
        let mut head = [0; HEAD_BYTES];
        if self.offset + HEAD_BYTES as u64 > self.end || !self.fill(&mut head)? {
            return Ok(None);
        }
        let (length, rest) = head.split_at(4);
        let (millis, stream) = rest.split_at(8);
        let length = u32::from_le_bytes(length.try_into().expect("four bytes"));
        let millis = i64::from_le_bytes(millis.try_into().expect("eight bytes"));
        let stream = usize::from(u16::from_le_bytes(stream.try_into().expect("two bytes")));
        let rest = (length as usize).checked_sub(HEAD_BYTES - 4).filter(|rest| stream <= *rest && length <= BYTES_MAX);
        let (Some(rest), Ok(at)) = (rest, Timestamp::from_millisecond(millis)) else { return Ok(None) };
        let end = self.offset + 4 + u64::from(length);
        let mut name = vec![0; rest];
        if end > self.end || !self.fill(&mut name)? {
            return Ok(None);
        }
        let bytes = name.split_off(stream);
        self.offset = end;
        Ok(Some(LogLine { at, stream: String::from_utf8_lossy(&name).into_owned(), bytes }))
    }

    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        match self.file.read_exact(buffer) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}
