//! Unpacking a layer that a stranger made into a folder of its own, as overlayfs reads it: nothing leaves the folder, and
//! what counts is what is really written.
//!
//! Every step goes from the folder's own descriptor down, a name at a time, and follows no link; so a link in a layer may
//! lead anywhere, since only the function, inside its root, ever follows it. What a layer takes away from those below is
//! a device 0:0 (a whiteout) or a folder marked opaque. Owners are not kept, set-id bits are taken off, devices and pipes
//! are left out: a function owns nothing of its image and may make none of these. Never here: where layers come from.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use domain::function::Digest;
use flate2::bufread::MultiGzDecoder;
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RawMode, Timespec, Timestamps, UTIME_OMIT, XattrFlags, fchmod, fsetxattr,
    futimens, linkat, mkdirat, mknodat, openat, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;
use ruzstd::decoding::StreamingDecoder;
use sha2::{Digest as _, Sha256};

use super::documents::Layer;
use super::error::ImageError;
use super::tar::{Archive, Entry, Kind};
use crate::folders;

/// Bytes of an image, unpacked (AWS developer guide, gettingstarted-limits: container image code package size).
pub(super) const UNPACKED_BYTES_MAX: u64 = 10 * 1024 * 1024 * 1024;
/// Entries of one layer.
const ENTRIES_MAX: usize = 500_000;
/// What follows the content of a tar: padding, rarely more than 10 KiB.
const TAIL_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Bytes of one name in a path: NAME_MAX of Linux.
const NAME_BYTES_MAX: usize = 255;
/// Bytes of a path, and of what a link says: PATH_MAX of Linux.
const PATH_BYTES_MAX: usize = 4_096;
/// Folders inside one another.
const DEPTH_MAX: usize = 256;
/// What takes one name away, and what takes all of a folder away (OCI image specification, layer).
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// What else the union file system that these come from keeps beside files.
const KEPT_BESIDE: &[u8] = b".wh..wh.";

/// Bounds that tests make smaller.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) bytes: u64,
    pub(super) entries: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { bytes: UNPACKED_BYTES_MAX, entries: ENTRIES_MAX }
    }
}

/// Unpacks a layer into an empty folder and returns the bytes of all its files. Both digests and the size are checked;
/// after an error the folder is to be thrown away.
pub(super) fn unpack(packed: impl Read, layer: &Layer, folder: &Path, bounds: Bounds) -> Result<u64, ImageError> {
    // One byte more than promised, so that too much is seen.
    let mut packed = io::BufReader::with_capacity(128 * 1024, Counted::new(packed.take(layer.bytes.saturating_add(1))));
    let start = peek(&mut packed)?;
    let (bytes, unpacked) = match start {
        [0x1f, 0x8b, ..] => unpack_tar(MultiGzDecoder::new(&mut packed), folder, bounds)?,
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => {
            unpack_tar(Frames::new(&mut packed), folder, bounds)?
        }
        _ => unpack_tar(&mut packed, folder, bounds)?,
    };
    io::copy(&mut packed, &mut io::sink()).map_err(|error| reading(&error))?;
    let Counted { hasher, bytes: read, .. } = packed.into_inner();
    if read != layer.bytes {
        let more = if read > layer.bytes { "more" } else { "fewer" };
        return Err(ImageError::broken(format!(
            "A layer has {more} bytes than the {} that its manifest says",
            layer.bytes
        )));
    }
    if Digest(hasher.finalize().into()) != layer.digest {
        return Err(ImageError::broken(format!("A layer is not what its digest {} says", layer.digest.hex())));
    }
    if unpacked != layer.unpacked {
        return Err(ImageError::broken(format!(
            "A layer does not unpack to what its diff id {} says",
            layer.unpacked.hex()
        )));
    }
    Ok(bytes)
}

fn peek(packed: &mut impl io::BufRead) -> Result<[u8; 4], ImageError> {
    let found = packed.fill_buf().map_err(|error| reading(&error))?;
    let mut start = [0; 4];
    let known = found.len().min(4);
    start[..known].copy_from_slice(&found[..known]);
    Ok(start)
}

fn reading(error: &io::Error) -> ImageError {
    ImageError::broken(format!("A layer cannot be read: {error}"))
}

fn unpack_tar(tar: impl Read, folder: &Path, bounds: Bounds) -> Result<(u64, Digest), ImageError> {
    let mut counted = Counted::new(tar);
    // Headers and what is left out count, too: what unpacks to too much is not read to its end.
    counted.left = bounds.bytes.saturating_add(bounds.entries as u64 * 2048).saturating_add(TAIL_BYTES_MAX);
    let mut archive = Archive::new(counted);
    let mut tree = Tree::open(folder, bounds)?;
    while let Some(entry) = archive.next()? {
        tree.add(&entry, &mut archive)?;
    }
    let bytes = tree.bytes;
    let counted = archive.finish(TAIL_BYTES_MAX)?;
    Ok((bytes, Digest(counted.hasher.finalize().into())))
}

/// Counts and hashes what is read.
struct Counted<R> {
    reader: R,
    hasher: Sha256,
    bytes: u64,
    left: u64,
}

impl<R> Counted<R> {
    fn new(reader: R) -> Self {
        Self { reader, hasher: Sha256::new(), bytes: 0, left: u64::MAX }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        self.bytes += read as u64;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other("it unpacks to too much")),
        }
        Ok(read)
    }
}

/// All frames of a zstd stream, one after another; those that are to be skipped are.
struct Frames<R: io::BufRead> {
    reader: Option<R>,
    frame: Option<Box<StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>>,
}

impl<R: io::BufRead> Frames<R> {
    fn new(reader: R) -> Self {
        Self { reader: Some(reader), frame: None }
    }

    /// Begins the next frame; false where there is none.
    fn begin(&mut self) -> io::Result<bool> {
        let Some(mut reader) = self.reader.take() else { return Ok(false) };
        loop {
            let start = reader.fill_buf()?;
            if start.is_empty() {
                return Ok(false);
            }
            // The buffer may have been filled by fewer bytes than this only at the end of the file.
            if start.len() >= 4 && (start[0] & 0xf0 == 0x50) && start[1..4] == [0x2a, 0x4d, 0x18] {
                let mut head = [0; 8];
                reader.read_exact(&mut head)?;
                let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
                io::copy(&mut (&mut reader).take(length.into()), &mut io::sink())?;
                continue;
            }
            let frame = StreamingDecoder::new(reader).map_err(io::Error::other)?;
            self.frame = Some(Box::new(frame));
            return Ok(true);
        }
    }
}

impl<R: io::BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.frame.is_none() && !self.begin()? {
                return Ok(0);
            }
            if let Some(frame) = &mut self.frame {
                match frame.read(buffer)? {
                    0 => self.reader = self.frame.take().map(|frame| frame.into_inner()),
                    read => return Ok(read),
                }
            }
        }
    }
}

/// The folder of a layer while it is being filled.
struct Tree {
    path: PathBuf,
    root: OwnedFd,
    /// The folder that the last entry went into: most entries follow one of the same folder.
    last: Option<(Vec<u8>, OwnedFd)>,
    bounds: Bounds,
    bytes: u64,
    entries: usize,
}

impl Tree {
    fn open(path: &Path, bounds: Bounds) -> Result<Self, ImageError> {
        let root = open_folder(&CWD, path.as_os_str().as_bytes())
            .and_then(|root| fchmod(&root, Mode::from_raw_mode(0o755)).map(|()| root))
            .map_err(|error| ImageError::step("opening the folder of a layer", error))?;
        Ok(Self { path: path.to_owned(), root, last: None, bounds, bytes: 0, entries: 0 })
    }

    fn add(&mut self, entry: &Entry, archive: &mut Archive<impl Read>) -> Result<(), ImageError> {
        self.entries += 1;
        if self.entries > self.bounds.entries {
            return Err(ImageError::unsupported(format!("A layer has more than {} files", self.bounds.entries)));
        }
        let path = Names::of(&entry.path)?;
        let Some((name, above)) = path.0.split_last() else {
            // The root itself, whose mode is ours.
            return match entry.kind {
                Kind::Folder => Ok(()),
                _ => Err(hostile(&entry.path, "takes the place of the root")),
            };
        };
        if above.iter().any(|part| part.starts_with(WHITEOUT)) {
            return Err(hostile(&entry.path, "has the name of a whiteout in it"));
        }
        if *name == OPAQUE {
            let folder = self.folder(above)?;
            return make_opaque(&folder).map_err(|error| writing(&entry.path, error));
        }
        if name.starts_with(KEPT_BESIDE) {
            return Ok(());
        }
        if let Some(gone) = name.strip_prefix(WHITEOUT) {
            if matches!(gone, b"" | b"." | b"..") {
                return Err(hostile(&entry.path, "takes nothing away"));
            }
            return self.take_away(&entry.path, above, gone);
        }
        match entry.kind {
            Kind::Folder => self.make_folder(entry, above, name),
            Kind::File => self.make_file(entry, above, name, archive),
            Kind::Link => self.make_link(entry, above, name),
            Kind::HardLink => self.make_hard_link(entry, above, name),
            // A device 0:0 would be a whiteout, another one a way to the machine.
            Kind::Other => Ok(()),
        }
    }

    fn make_folder(&mut self, entry: &Entry, above: &[&[u8]], name: &[u8]) -> Result<(), ImageError> {
        let within = self.folder(above)?;
        let folder = self.enter(&within, above, name, true).map_err(|why| why.of(&entry.path))?;
        // The engine must be able to remove it again; a function never is the owner.
        let mode = entry.mode & 0o1777 | 0o700;
        fchmod(&folder, Mode::from_raw_mode(mode as RawMode)).map_err(|error| writing(&entry.path, error))
    }

    fn make_file(
        &mut self,
        entry: &Entry,
        above: &[&[u8]],
        name: &[u8],
        archive: &mut Archive<impl Read>,
    ) -> Result<(), ImageError> {
        self.bytes = self.bytes.saturating_add(entry.bytes);
        if self.bytes > self.bounds.bytes {
            return Err(ImageError::unsupported(format!("It is larger than {} bytes, unpacked", self.bounds.bytes)));
        }
        let failed = |error: io::Error| writing(&entry.path, error);
        let within = self.folder(above)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = |within: &OwnedFd| openat(within, name, flags, Mode::RUSR | Mode::WUSR);
        let file = match open(&within) {
            Err(Errno::EXIST) => {
                self.remove(&within, above, name).map_err(|error| writing(&entry.path, error))?;
                open(&within)
            }
            opened => opened,
        };
        let mut file = File::from(file.map_err(|error| failed(error.into()))?);
        let mut buffer = vec![0; 64 * 1024];
        for (offset, bytes) in &entry.pieces {
            let (mut at, end) = (*offset, offset + bytes);
            while at < end {
                let room = buffer.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
                let read = archive.content().read(&mut buffer[..room]).map_err(|error| reading(&error))?;
                if read == 0 {
                    return Err(ImageError::broken("A layer ends in the middle of a file"));
                }
                // What is empty stays a hole, so that a file of nothing takes nothing.
                if buffer[..read].iter().any(|byte| *byte != 0) {
                    file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(&buffer[..read])).map_err(failed)?;
                }
                at += read as u64;
            }
        }
        file.set_len(entry.bytes).map_err(failed)?;
        let mode = entry.mode & 0o777 | 0o400;
        fchmod(&file, Mode::from_raw_mode(mode as RawMode)).map_err(|error| failed(error.into()))?;
        // Python, for one, looks whether what it has compiled is of the same time.
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: entry.modified_at, tv_nsec: 0 },
        };
        futimens(&file, &times).map_err(|error| failed(error.into()))
    }

    fn make_link(&mut self, entry: &Entry, above: &[&[u8]], name: &[u8]) -> Result<(), ImageError> {
        let target = entry.target.as_slice();
        if target.is_empty() || target.len() >= PATH_BYTES_MAX || target.contains(&0) {
            return Err(hostile(&entry.path, "is a link to nowhere"));
        }
        let within = self.folder(above)?;
        let made = match symlinkat(target, &within, name) {
            Err(Errno::EXIST) => {
                self.remove(&within, above, name).map_err(|error| writing(&entry.path, error))?;
                symlinkat(target, &within, name)
            }
            made => made,
        };
        made.map_err(|error| writing(&entry.path, error))
    }

    /// A second name of a file that this layer has. One of a layer below would be another file there: image builders
    /// write such a file again.
    fn make_hard_link(&mut self, entry: &Entry, above: &[&[u8]], name: &[u8]) -> Result<(), ImageError> {
        let target = Names::of(&entry.target)?;
        let missing = || hostile(&entry.path, "is a second name of a file that its layer does not have");
        let (target_name, target_above) = target.0.split_last().ok_or_else(missing)?;
        let mut from = self.root.try_clone().map_err(|error| ImageError::step("unpacking a layer", error))?;
        for part in target_above {
            from = open_folder(&from, part).map_err(|_| missing())?;
        }
        let found = statat(&from, *target_name, AtFlags::SYMLINK_NOFOLLOW).map_err(|_| missing())?;
        if !matches!(FileType::from_raw_mode(found.st_mode), FileType::RegularFile | FileType::Symlink) {
            return Err(missing());
        }
        let within = self.folder(above)?;
        let link = || linkat(&from, *target_name, &within, name, AtFlags::empty());
        let made = match link() {
            Err(Errno::EXIST) => {
                let there = statat(&within, name, AtFlags::SYMLINK_NOFOLLOW);
                if there.is_ok_and(|there| (there.st_dev, there.st_ino) == (found.st_dev, found.st_ino)) {
                    return Ok(());
                }
                // Where it lies above what it names, both would go.
                if target.0.starts_with(&[above, &[name]].concat()) {
                    return Err(missing());
                }
                self.remove(&within, above, name).map_err(|error| writing(&entry.path, error))?;
                link()
            }
            made => made,
        };
        made.map_err(|error| writing(&entry.path, error))
    }

    /// Takes a name away from the layers below; what this layer itself has of that name stays, in its place.
    fn take_away(&mut self, path: &[u8], above: &[&[u8]], name: &[u8]) -> Result<(), ImageError> {
        let within = self.folder(above)?;
        let made = match mknodat(&within, name, FileType::CharacterDevice, Mode::empty(), 0) {
            Err(Errno::EXIST) => match open_folder(&within, name) {
                Ok(folder) => make_opaque(&folder),
                Err(_) => Ok(()),
            },
            made => made,
        };
        made.map_err(|error| writing(path, error))
    }

    /// The folder of these names; made, where an archive did not say that it is there.
    fn folder(&mut self, names: &[&[u8]]) -> Result<OwnedFd, ImageError> {
        let joined = names.join(&b'/');
        let failed = |error: io::Error| ImageError::step("unpacking a layer", error);
        if let Some((path, folder)) = &self.last
            && *path == joined
        {
            return folder.try_clone().map_err(failed);
        }
        let mut folder = self.root.try_clone().map_err(failed)?;
        for (depth, name) in names.iter().enumerate() {
            folder = self.enter(&folder, &names[..depth], name, false).map_err(|why| why.of(&joined))?;
        }
        self.last = Some((joined, folder.try_clone().map_err(failed)?));
        Ok(folder)
    }

    /// Opens a folder inside another, and makes it where it is not. `replace`: whatever else stands there goes.
    fn enter(&mut self, within: &OwnedFd, above: &[&[u8]], name: &[u8], replace: bool) -> Result<OwnedFd, NoFolder> {
        match mkdirat(within, name, Mode::RWXU) {
            Ok(()) => {
                let folder = open_folder(within, name)?;
                fchmod(&folder, Mode::from_raw_mode(0o755))?;
                return Ok(folder);
            }
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let there = statat(within, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(there.st_mode);
        match kind {
            FileType::Directory => return Ok(open_folder(within, name)?),
            // Our own whiteout: what was taken away below comes back as another folder.
            FileType::CharacterDevice => {}
            _ if replace => {}
            FileType::Symlink => return Err(NoFolder::Link),
            _ => return Err(NoFolder::File),
        }
        self.remove(within, above, name).map_err(NoFolder::Failed)?;
        mkdirat(within, name, Mode::RWXU)?;
        let folder = open_folder(within, name)?;
        fchmod(&folder, Mode::from_raw_mode(0o755))?;
        // What it replaces hid what is below, and so does it.
        make_opaque(&folder)?;
        Ok(folder)
    }

    /// Removes what stands at a name, whatever it is.
    fn remove(&mut self, within: &OwnedFd, above: &[&[u8]], name: &[u8]) -> io::Result<()> {
        match unlinkat(within, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => {}
            done => return Ok(done?),
        }
        // The folder remembered may be inside.
        self.last = None;
        let mut path = self.path.clone();
        path.extend(above.iter().map(|part| OsStr::from_bytes(part)));
        folders::remove(&path.join(OsStr::from_bytes(name)))
    }
}

/// Why there is no folder of a name.
enum NoFolder {
    Link,
    File,
    Failed(io::Error),
}

impl From<Errno> for NoFolder {
    fn from(error: Errno) -> Self {
        Self::Failed(error.into())
    }
}

impl NoFolder {
    fn of(self, path: &[u8]) -> ImageError {
        match self {
            Self::Link => hostile(path, "leads through a link"),
            Self::File => hostile(path, "leads through a file"),
            Self::Failed(error) => writing(path, error),
        }
    }
}

/// The names in a path, below the root: an absolute one begins there, too, and `..` goes up, but not out, as Docker reads
/// them.
struct Names<'a>(Vec<&'a [u8]>);

impl<'a> Names<'a> {
    fn of(path: &'a [u8]) -> Result<Self, ImageError> {
        let mut names = Vec::new();
        for name in path.split(|byte| *byte == b'/') {
            match name {
                b"" | b"." => {}
                b".." => drop(names.pop().ok_or_else(|| hostile(path, "leaves the image"))?),
                name if name.contains(&0) => return Err(hostile(path, "has a zero byte")),
                name if name.len() > NAME_BYTES_MAX => return Err(hostile(path, "has too long a name")),
                name => names.push(name),
            }
        }
        if names.len() > DEPTH_MAX || path.len() >= PATH_BYTES_MAX {
            return Err(hostile(path, "is too long or too deep"));
        }
        Ok(Self(names))
    }
}

fn hostile(path: &[u8], why: &str) -> ImageError {
    let shown: String = String::from_utf8_lossy(path).chars().take(200).collect();
    ImageError::broken(format!("In a layer, {shown:?} {why}"))
}

fn writing(path: &[u8], error: impl Into<io::Error>) -> ImageError {
    let shown: String = String::from_utf8_lossy(path).chars().take(200).collect();
    ImageError::step(format!("unpacking {shown:?} of a layer"), error)
}

fn open_folder(within: &impl std::os::fd::AsFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    openat(within, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// Marks a folder so that nothing of the layers below shows in it. The first is read where overlayfs was mounted by root,
/// the second where it was mounted with `userxattr`, as in a user namespace; a user who is not root may set the second.
fn make_opaque(folder: &OwnedFd) -> Result<(), Errno> {
    let set = |name: &str| fsetxattr(folder, name, b"y", XattrFlags::empty());
    let (trusted, user) = (set("trusted.overlay.opaque"), set("user.overlay.opaque"));
    if trusted.is_ok() || user.is_ok() { Ok(()) } else { user }
}
