//! Reading a tar archive that a stranger made, from beginning to end.
//!
//! Ours rather than a crate's, since it bounds what a header may make us keep in memory and reads sparse files of both
//! GNU forms. POSIX ustar with pax records and GNU long names are read. Never here: writing anything.

use std::io::{self, Read, Seek};

use super::error::ImageError;

const BLOCK: usize = 512;
/// Bytes of all pax records, or of a long name, before one entry.
const RECORDS_BYTES_MAX: u64 = 1024 * 1024;
/// Pieces of one sparse file.
const PIECES_MAX: usize = 65_536;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    HardLink,
    /// A device, a pipe, or something that nobody knows.
    Other,
}

/// One entry.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) path: Vec<u8>,
    pub(super) kind: Kind,
    /// Where a link leads.
    pub(super) target: Vec<u8>,
    pub(super) mode: u32,
    /// Seconds since 1970.
    pub(super) modified_at: i64,
    /// Bytes of the file.
    pub(super) bytes: u64,
    /// Offset and length of what is not a hole, in order; one piece for a plain file. The content has these one after
    /// another.
    pub(super) pieces: Vec<(u64, u64)>,
}

/// See the module.
pub(super) struct Archive<R> {
    reader: R,
    /// Content of the current entry that was not read.
    left: u64,
    /// What fills up its last block.
    padding: u64,
}

impl<R: Read + Seek> Archive<R> {
    /// Where the content of the current entry begins, as long as nothing of it was read; and passes over it unread.
    pub(super) fn pass(&mut self) -> Result<u64, ImageError> {
        let rest = self.left.saturating_add(std::mem::take(&mut self.padding));
        self.left = 0;
        let place = self.reader.stream_position();
        let rest = i64::try_from(rest).map_err(|_| broken("a number is too large"))?;
        let passed = place.and_then(|place| self.reader.seek_relative(rest).map(|()| place));
        passed.map_err(|error| reading(&error))
    }
}

/// What stood before an entry and is about it.
#[derive(Default)]
struct About {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    size: Option<u64>,
    modified_at: Option<i64>,
    sparse: Option<Sparse>,
}

#[derive(Default)]
struct Sparse {
    major: Option<u64>,
    name: Option<Vec<u8>>,
    real_bytes: Option<u64>,
}

fn broken(why: impl Into<String>) -> ImageError {
    ImageError::broken(format!("A layer is no proper tar archive: {}", why.into()))
}

fn reading(error: &io::Error) -> ImageError {
    ImageError::broken(format!("A layer cannot be read: {error}"))
}

impl<R: Read> Archive<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, left: 0, padding: 0 }
    }

    /// The next entry; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, ImageError> {
        let mut about = About::default();
        loop {
            self.skip()?;
            let Some(header) = self.header()? else { return Ok(None) };
            let bytes = header.number(124..136)?;
            match header.kind() {
                b'x' => {
                    let records = self.records(bytes)?;
                    about.read(&records)?;
                }
                b'L' => about.path = Some(c_string(&self.records(bytes)?).to_vec()),
                b'K' => about.target = Some(c_string(&self.records(bytes)?).to_vec()),
                // For all that follows: comments, in practice.
                b'g' => self.begin(bytes),
                kind => return self.entry(&header, kind, bytes, about).map(Some),
            }
        }
    }

    fn entry(&mut self, header: &Header, kind: u8, bytes: u64, about: About) -> Result<Entry, ImageError> {
        // Links, folders and devices have no content, whatever size they are said to have, as all readers take it.
        let bytes = if matches!(kind, b'1'..=b'6') { 0 } else { about.size.unwrap_or(bytes) };
        let path = about.path.unwrap_or_else(|| header.path());
        let target = about.target.unwrap_or_else(|| c_string(header.field(157..257)).to_vec());
        let kind_is = match kind {
            // Before POSIX, a folder was a file whose name ends so.
            b'0' | 0 | b'7' if path.ends_with(b"/") => Kind::Folder,
            b'0' | 0 | b'7' | b'S' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Link,
            b'5' => Kind::Folder,
            _ => Kind::Other,
        };
        let modified_at = about.modified_at.unwrap_or_else(|| header.signed(136..148));
        let mut entry = Entry {
            path,
            kind: kind_is,
            target,
            mode: u32::try_from(header.number(100..108)? & 0o7777).unwrap_or(0),
            modified_at,
            bytes,
            pieces: vec![(0, bytes)],
        };
        self.begin(bytes);
        if kind == b'S' {
            (entry.pieces, entry.bytes) = self.old_sparse(header)?;
        } else if let Some(sparse) = about.sparse {
            if sparse.major != Some(1) {
                return Err(broken("it has a sparse file of a form that is not read"));
            }
            entry.path = sparse.name.unwrap_or(entry.path);
            entry.bytes = sparse.real_bytes.ok_or_else(|| broken("a sparse file does not say how long it is"))?;
            entry.pieces = self.sparse_map()?;
        }
        if kind_is == Kind::File {
            entry.check_pieces(self.left)?;
        }
        Ok(entry)
    }

    /// The pieces of GNU's old form: four in the header, more in the blocks after it.
    fn old_sparse(&mut self, header: &Header) -> Result<(Vec<(u64, u64)>, u64), ImageError> {
        let mut pieces = Vec::new();
        let mut add = |block: &Header, at: usize, count: usize| {
            for n in 0..count {
                let at = at + n * 24;
                if block.0[at] == 0 {
                    break;
                }
                pieces.push((block.number(at..at + 12)?, block.number(at + 12..at + 24)?));
            }
            if pieces.len() > PIECES_MAX { Err(broken("a sparse file has too many pieces")) } else { Ok(()) }
        };
        add(header, 386, 4)?;
        let mut more = header.0[482] != 0;
        while more {
            let mut block = [0; BLOCK];
            self.reader.read_exact(&mut block).map_err(|error| reading(&error))?;
            let block = Header(block);
            add(&block, 0, 21)?;
            more = block.0[504] != 0;
        }
        Ok((pieces, header.number(483..495)?))
    }

    /// The pieces of GNU's form 1.0, which stand at the beginning of the content.
    fn sparse_map(&mut self) -> Result<Vec<(u64, u64)>, ImageError> {
        let mut read = 0_usize;
        let mut number = |archive: &mut Self| {
            let mut text = String::new();
            loop {
                let mut byte = [0];
                archive.content().read_exact(&mut byte).map_err(|error| reading(&error))?;
                read += 1;
                match byte[0] {
                    b'\n' => break,
                    digit @ b'0'..=b'9' if text.len() < 20 => text.push(char::from(digit)),
                    _ => return Err(broken("the map of a sparse file has something else than numbers")),
                }
            }
            text.parse::<u64>().map_err(|_| broken("the map of a sparse file has too large a number"))
        };
        let count = number(self)?;
        if count > PIECES_MAX as u64 {
            return Err(broken("a sparse file has too many pieces"));
        }
        let mut pieces = Vec::new();
        for _ in 0..count {
            pieces.push((number(self)?, number(self)?));
        }
        let padding = (BLOCK - read % BLOCK) % BLOCK;
        io::copy(&mut self.content().take(padding as u64), &mut io::sink()).map_err(|error| reading(&error))?;
        Ok(pieces)
    }

    /// The content of the current entry.
    pub(super) fn content(&mut self) -> Content<'_, R> {
        Content(self)
    }

    /// Reads on to the very end of what is below: all bytes count for the digest. No more than `bytes_max`, though.
    pub(super) fn finish(mut self, bytes_max: u64) -> Result<R, ImageError> {
        self.skip()?;
        let mut rest = (&mut self.reader).take(bytes_max.saturating_add(1));
        let read = io::copy(&mut rest, &mut io::sink()).map_err(|error| reading(&error))?;
        if read > bytes_max {
            return Err(broken("something else follows it"));
        }
        Ok(self.reader)
    }

    fn begin(&mut self, bytes: u64) {
        self.left = bytes;
        self.padding = (BLOCK as u64 - bytes % BLOCK as u64) % BLOCK as u64;
    }

    fn skip(&mut self) -> Result<(), ImageError> {
        let rest = self.left.saturating_add(std::mem::take(&mut self.padding));
        self.left = 0;
        let skipped = io::copy(&mut (&mut self.reader).take(rest), &mut io::sink()).map_err(|error| reading(&error))?;
        if skipped == rest { Ok(()) } else { Err(broken("it ends in the middle of a file")) }
    }

    fn records(&mut self, bytes: u64) -> Result<Vec<u8>, ImageError> {
        if bytes > RECORDS_BYTES_MAX {
            return Err(broken("a name or what is said of a file is too long"));
        }
        self.begin(bytes);
        let mut records = Vec::new();
        self.content().read_to_end(&mut records).map_err(|error| reading(&error))?;
        if records.len() as u64 == bytes { Ok(records) } else { Err(broken("it ends in the middle of a name")) }
    }

    /// The next header; `None` at the end of the archive, with or without the two empty blocks that should mark it.
    fn header(&mut self) -> Result<Option<Header>, ImageError> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.reader.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(broken("it ends in the middle of a header")),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(reading(&error)),
            }
        }
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let header = Header(block);
        let sum = |byte: fn(u8) -> i64| {
            header.0.iter().enumerate().map(|(at, c)| if (148..156).contains(&at) { 32 } else { byte(*c) }).sum::<i64>()
        };
        let expected = i64::try_from(header.number(148..156)?).unwrap_or(-1);
        // Some old programs added the bytes up as signed ones.
        if expected != sum(i64::from) && expected != sum(|byte| i64::from(byte.cast_signed())) {
            return Err(broken("the checksum of a header is wrong"));
        }
        Ok(Some(header))
    }
}

/// See [`Archive::content`].
pub(super) struct Content<'a, R>(&'a mut Archive<R>);

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(usize::try_from(self.0.left).unwrap_or(usize::MAX));
        if room == 0 {
            return Ok(0);
        }
        let read = self.0.reader.read(&mut buffer[..room])?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends in the middle of a file"));
        }
        self.0.left -= read as u64;
        Ok(read)
    }
}

impl Entry {
    fn check_pieces(&self, content: u64) -> Result<(), ImageError> {
        let mut end = 0_u64;
        let mut sum = 0_u64;
        for (offset, bytes) in &self.pieces {
            let after = offset.checked_add(*bytes).filter(|_| *offset >= end);
            end = after.ok_or_else(|| broken("the pieces of a sparse file overlap"))?;
            sum = sum.saturating_add(*bytes);
        }
        if end <= self.bytes && sum <= content {
            Ok(())
        } else {
            Err(broken("the pieces of a sparse file are more than the file"))
        }
    }
}

impl About {
    /// Reads pax records: `LENGTH KEY=VALUE\n`, the length of the whole.
    fn read(&mut self, mut records: &[u8]) -> Result<(), ImageError> {
        while !records.is_empty() {
            let wrong = || broken("what is said of a file cannot be read");
            let blank = records.iter().take(20).position(|byte| *byte == b' ').ok_or_else(wrong)?;
            let length = std::str::from_utf8(&records[..blank]).ok().and_then(|text| text.parse::<usize>().ok());
            let length = length.filter(|length| (blank + 2..=records.len()).contains(length)).ok_or_else(wrong)?;
            let record = records[blank + 1..length].strip_suffix(b"\n").ok_or_else(wrong)?;
            let is = record.iter().position(|byte| *byte == b'=').ok_or_else(wrong)?;
            self.set(&record[..is], &record[is + 1..])?;
            records = &records[length..];
        }
        Ok(())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), ImageError> {
        let text = || std::str::from_utf8(value).map_err(|_| broken("a number is none"));
        let number = || text()?.parse::<u64>().map_err(|_| broken("a number is none"));
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.target = Some(value.to_vec()),
            b"size" => self.size = Some(number()?),
            // With a fraction, which is dropped.
            b"mtime" => self.modified_at = text()?.split('.').next().and_then(|whole| whole.parse().ok()),
            b"GNU.sparse.major" => self.sparse().major = Some(number()?),
            b"GNU.sparse.name" => self.sparse().name = Some(value.to_vec()),
            b"GNU.sparse.realsize" => self.sparse().real_bytes = Some(number()?),
            key if key.starts_with(b"GNU.sparse.") => drop(self.sparse()),
            // Owners, times of access, extended attributes: nothing that a function would get.
            _ => {}
        }
        Ok(())
    }

    fn sparse(&mut self) -> &mut Sparse {
        self.sparse.get_or_insert_default()
    }
}

struct Header([u8; BLOCK]);

impl Header {
    fn field(&self, range: std::ops::Range<usize>) -> &[u8] {
        &self.0[range]
    }

    fn kind(&self) -> u8 {
        self.0[156]
    }

    /// A number in octal digits, or in base 256 where it does not fit.
    fn number(&self, range: std::ops::Range<usize>) -> Result<u64, ImageError> {
        let field = self.field(range);
        if field[0] & 0x80 != 0 {
            let wrong = || broken("a number is too large");
            let first = field[0] & 0x7f;
            return std::iter::once(first).chain(field[1..].iter().copied()).try_fold(0_u64, |number, byte| {
                number.checked_mul(256).and_then(|number| number.checked_add(byte.into())).ok_or_else(wrong)
            });
        }
        let text = std::str::from_utf8(c_string(field)).unwrap_or("x").trim();
        if text.is_empty() { Ok(0) } else { u64::from_str_radix(text, 8).map_err(|_| broken("a number is none")) }
    }

    /// A time: before 1970 is as good as 1970.
    fn signed(&self, range: std::ops::Range<usize>) -> i64 {
        self.number(range).ok().and_then(|number| i64::try_from(number).ok()).unwrap_or(0)
    }

    fn path(&self) -> Vec<u8> {
        let name = c_string(self.field(0..100));
        let prefix = c_string(self.field(345..500));
        // GNU's own format has other things where POSIX has the beginning of a long name.
        if self.field(257..263) == b"ustar\0" && !prefix.is_empty() {
            [prefix, b"/", name].concat()
        } else {
            name.to_vec()
        }
    }
}

fn c_string(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}
