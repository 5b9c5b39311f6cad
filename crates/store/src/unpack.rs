//! Unpacking a zip that a stranger made: nothing leaves the folder, and what counts is what is really written.
//!
//! First a plan from the names alone, in which each path is one thing: a folder, a file or a link. Then folders, files and
//! at last links, so that nothing is ever written through a link. A link may climb only before it descends, and never
//! above the root; so no chain of them leaves. The folder is written through a capability (`cap_std::fs::Dir`), which
//! would stop what these rules overlook. Never here: where the folder stands.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs::DirBuilder;
use std::io::{self, Cursor, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, Permissions, PermissionsExt};
use domain::error::Refusal;
use domain::{Error, Fault, limits};
use zip::ZipArchive;

/// Bytes of one name in a path: NAME_MAX of Linux.
const NAME_BYTES_MAX: usize = 255;
/// Bytes of a path, and of what a link says: PATH_MAX of Linux, less the room for `/var/task/` before it.
const PATH_BYTES_MAX: usize = 4_000;
/// Folders inside one another; a tree is removed with a descriptor open for each.
const DEPTH_MAX: usize = 128;

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// Unpacks into a folder that does not exist yet, and returns how many files, folders and links it made.
pub(crate) fn unpack(zip: &[u8], folder: &Path) -> Result<usize, Error> {
    bound_index(zip)?;
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(broken)?;
    if archive.is_empty() {
        // AWS's own text for a zip without entries (seen in many reports, for instance tobilg/lsh issue 1).
        return Err(not_a_zip("Uploaded file must be a non-empty zip"));
    }
    if archive.len() > limits::ZIP_ENTRIES {
        return Err(not_a_zip(format!("{} entries, {} are allowed", archive.len(), limits::ZIP_ENTRIES)));
    }
    let entries: Vec<Entry> = (0..archive.len()).map(|index| entry(&archive, index)).collect::<Result<_, _>>()?;
    let plan = plan(&entries)?;

    let root = DirBuilder::new()
        .mode(0o700)
        .create(folder)
        .and_then(|()| Dir::open_ambient_dir(folder, ambient_authority()))
        .map_err(|error| failed("making the folder", ".", error))?;
    make_folders(&root, &plan)?;
    write_files(&root, &entries, &mut archive)?;
    make_links(&root, &entries, &mut archive)?;
    open_to_all(&root, ".")?;
    Ok(plan.len())
}

/// Bounds the index that the reader builds in memory before it tells us how long it is.
///
/// Each entry of the index begins with these four bytes. They also occur inside: in archives that the zip contains
/// uncompressed, hence twice the number that is allowed.
fn bound_index(zip: &[u8]) -> Result<(), Error> {
    const ENTRY: &[u8; 4] = b"PK\x01\x02";
    const ENTRY_BYTES_MIN: usize = 46;
    let entries_max = 2 * limits::ZIP_ENTRIES;
    if zip.len() / ENTRY_BYTES_MIN > entries_max && zip.windows(4).filter(|bytes| bytes == ENTRY).count() > entries_max
    {
        return Err(not_a_zip(format!("more than {} entries", limits::ZIP_ENTRIES)));
    }
    Ok(())
}

/// What may stand at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Folder,
    File,
    Link,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folder => "a folder",
            Self::File => "a file",
            Self::Link => "a link",
        })
    }
}

/// An entry of the archive, as we understand it.
struct Entry {
    index: usize,
    path: String,
    kind: Kind,
    mode: u32,
}

fn entry(archive: &Archive<'_>, index: usize) -> Result<Entry, Error> {
    let entry = archive.by_index_data(index).map_err(broken)?;
    let name = entry.name().map_err(broken)?;
    let path = path_of(&name)?;
    let mode = entry.unix_mode().unwrap_or(0);
    let is_folder = name.ends_with('/');
    // The type bits of `st_mode`; archives made elsewhere than on Unix have none.
    let kind = match mode & 0o170_000 {
        0o040_000 => Kind::Folder,
        0 | 0o100_000 if is_folder => Kind::Folder,
        0 | 0o100_000 => Kind::File,
        0o120_000 if !is_folder => Kind::Link,
        other => return Err(not_a_zip(format!("{name:?} is neither file, folder nor link (type {other:o})"))),
    };
    if path.is_empty() && kind != Kind::Folder {
        return Err(not_a_zip(format!("{name:?} names the folder itself")));
    }
    Ok(Entry { index, path, kind, mode })
}

/// What stands at each path, the folders above each entry included.
fn plan(entries: &[Entry]) -> Result<HashMap<&str, Kind>, Error> {
    let mut plan = HashMap::with_capacity(entries.len());
    for Entry { path, kind, .. } in entries {
        let mut place = (path.as_str(), *kind);
        while !place.0.is_empty() {
            let (path, kind) = place;
            match plan.insert(path, kind) {
                None => {}
                // What is above it stands already.
                Some(before) if before == kind => break,
                Some(before) => return Err(not_a_zip(format!("{path:?} is both {before} and {kind}"))),
            }
            place = (path.rsplit_once('/').map_or("", |(above, _)| above), Kind::Folder);
        }
        if plan.len() > limits::ZIP_ENTRIES {
            return Err(not_a_zip(format!("more than {} files and folders", limits::ZIP_ENTRIES)));
        }
    }
    Ok(plan)
}

fn make_folders(root: &Dir, plan: &HashMap<&str, Kind>) -> Result<(), Error> {
    let mut folders: Vec<&str> =
        plan.iter().filter(|(_, kind)| **kind == Kind::Folder).map(|(path, _)| *path).collect();
    // A folder's path is longer than that of the one above it.
    folders.sort_unstable_by_key(|path| path.len());
    for path in folders {
        root.create_dir(path).map_err(|error| failed("making a folder", path, error))?;
        open_to_all(root, path)?;
    }
    Ok(())
}

/// Folders are readable for everybody, whatever the archive or our own mask says.
fn open_to_all(root: &Dir, folder: &str) -> Result<(), Error> {
    root.set_permissions(folder, Permissions::from_mode(0o755))
        .map_err(|error| failed("setting the mode of a folder", folder, error))
}

/// Of a file's mode only the execute bits count. A later file of the same path replaces the one before.
fn write_files(root: &Dir, entries: &[Entry], archive: &mut Archive<'_>) -> Result<(), Error> {
    let mut buffer = vec![0; 64 * 1024];
    let mut total = 0;
    for Entry { index, path, mode, .. } in entries.iter().filter(|entry| entry.kind == Kind::File) {
        let writing = |error| failed("writing a file", path, error);
        let mut content = archive.by_index(*index).map_err(broken)?;
        let declared = content.size();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        let mut file = root.open_with(path, &options).map_err(writing)?;
        let mut written = 0;
        loop {
            let read = content.read(&mut buffer).map_err(|error| not_a_zip(format!("{path:?}: {error}")))?;
            if read == 0 {
                break;
            }
            written += read as u64;
            total += read as u64;
            if total > limits::UNZIPPED_BYTES {
                return Err(Refusal::UnzippedTooLarge.into());
            }
            file.write_all(&buffer[..read]).map_err(writing)?;
        }
        if written != declared {
            return Err(not_a_zip(format!("{path:?} declares {declared} bytes and has {written}")));
        }
        file.set_permissions(Permissions::from_mode(0o644 | (mode & 0o111))).map_err(writing)?;
    }
    Ok(())
}

/// What a link leads to may be missing, as in any folder; it may not be outside.
fn make_links(root: &Dir, entries: &[Entry], archive: &mut Archive<'_>) -> Result<(), Error> {
    let mut links: HashMap<&str, Vec<u8>> = HashMap::new();
    for Entry { index, path, .. } in entries.iter().filter(|entry| entry.kind == Kind::Link) {
        let mut target = Vec::new();
        let content = archive.by_index(*index).map_err(broken)?;
        let read = content.take(PATH_BYTES_MAX as u64 + 1).read_to_end(&mut target);
        read.map_err(|error| not_a_zip(format!("{path:?}: {error}")))?;
        check_link(path, &target).map_err(|why| not_a_zip(format!("the link {path:?} {why}")))?;
        links.insert(path, target);
    }
    for (path, target) in &links {
        root.symlink(Path::new(OsStr::from_bytes(target)), path)
            .map_err(|error| failed("making a link", path, error))?;
    }
    for path in links.keys() {
        if let Err(error) = root.metadata(path)
            && error.kind() == io::ErrorKind::PermissionDenied
        {
            return Err(not_a_zip(format!("the link {path:?} leaves the folder")));
        }
    }
    Ok(())
}

/// Reads an entry's name as a path below the root, without empty parts and dots; empty for the root itself.
fn path_of(name: &str) -> Result<String, Error> {
    let refused = |why: &str| Err(not_a_zip(format!("the name {name:?} {why}")));
    if name.starts_with('/') {
        return refused("is absolute");
    }
    if name.contains('\0') {
        return refused("has a zero byte");
    }
    let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return refused("leaves the folder");
    }
    if parts.len() > DEPTH_MAX || name.len() > PATH_BYTES_MAX || parts.iter().any(|part| part.len() > NAME_BYTES_MAX) {
        return refused("is too long or too deep");
    }
    Ok(parts.join("/"))
}

/// Checks that a link stays inside wherever it is followed: relative, first up, then down, and never above the root.
///
/// Were `..` allowed after a name, a name that is itself a link upwards would make it lead outside.
fn check_link(path: &str, target: &[u8]) -> Result<(), &'static str> {
    if target.is_empty() || target.contains(&0) || target.len() > PATH_BYTES_MAX {
        return Err("is empty, too long or has a zero byte");
    }
    if target.starts_with(b"/") {
        return Err("is absolute");
    }
    let mut ups = 0;
    let mut is_down = false;
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if is_down => return Err("goes up after going down"),
            b".." => ups += 1,
            part if part.len() > NAME_BYTES_MAX => return Err("has too long a name"),
            _ => is_down = true,
        }
    }
    if ups > path.matches('/').count() {
        return Err("leaves the folder");
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "reads well in map_err")]
fn broken(error: zip::result::ZipError) -> Error {
    not_a_zip(error.to_string())
}

fn not_a_zip(why: impl Into<String>) -> Error {
    Refusal::NotAZip { why: why.into() }.into()
}

fn failed(doing: &str, path: &str, error: io::Error) -> Error {
    Fault::new(format!("{doing} of a package: {path:?}"), error).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_paths_below_the_folder() {
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        let deep = "d/".repeat(DEPTH_MAX + 1);
        let cases = [
            ("a", Some("a")),
            ("a/b", Some("a/b")),
            ("./a//b/", Some("a/b")),
            ("./", Some("")),
            (r"C:\x", Some(r"C:\x")),
            ("...", Some("...")),
            ("/etc/passwd", None),
            ("..", None),
            ("a/../../b", None),
            ("a/../b", None),
            ("a\0b", None),
            (&long, None),
            (&deep, None),
        ];
        for (name, expected) in cases {
            assert_eq!(path_of(name).ok().as_deref(), expected, "{name:?}");
        }
    }

    #[test]
    fn links_lead_up_and_then_down_inside() {
        let cases: [(&str, &str, bool); 11] = [
            ("bin/tool", "../lib/tool.js", true),
            ("tool", "lib/tool.js", true),
            ("a/b/c", "../..", true),
            ("tool", ".", true),
            ("tool", "..", false),
            ("a/b", "../../x", false),
            ("a/b", "/etc/passwd", false),
            // With `p/q/x` leading to `../..`, this would end two above the root.
            ("y", "p/q/x/../..", false),
            ("a", "", false),
            ("a", "x\0y", false),
            ("a", "./../x", false),
        ];
        for (path, target, fits) in cases {
            assert_eq!(check_link(path, target.as_bytes()).is_ok(), fits, "{path} -> {target}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(zip in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let dir = tempfile::tempdir().unwrap();
            let refused = unpack(&zip, &dir.path().join("out"));
            let is_refused = matches!(refused, Err(Error::Refused(Refusal::NotAZip { .. })));
            proptest::prop_assert!(is_refused);
        }
    }
}
