//! Zips that lie, climb or swell.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use domain::error::Refusal;
use domain::{Error, limits};
use engine::ports::Packages;

use crate::archive::{Entry, FILE, FOLDER, LINK, archive, entry};
use crate::{open, run};

/// What is in a folder: by path, `folder MODE`, `file MODE CONTENT` or `link TARGET`.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for listed in fs::read_dir(root).unwrap() {
        let path = listed.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let meta = fs::symlink_metadata(&path).unwrap();
        let mode = meta.permissions().mode() & 0o7777;
        if meta.is_symlink() {
            found.insert(name, format!("link {}", fs::read_link(&path).unwrap().display()));
        } else if meta.is_dir() {
            found.extend(tree(&path).into_iter().map(|(below, what)| (format!("{name}/{below}"), what)));
            found.insert(name, format!("folder {mode:o}"));
        } else {
            found.insert(name, format!("file {mode:o} {}", String::from_utf8_lossy(&fs::read(&path).unwrap())));
        }
    }
    found
}

/// Keeps a zip in a store of its own; what was refused must leave nothing anywhere.
fn keep(zip: Vec<u8>) -> Result<BTreeMap<String, String>, Refusal> {
    let outer = tempfile::tempdir().unwrap();
    fs::write(outer.path().join("victim"), "untouched").unwrap();
    let data = outer.path().join("data");
    let store = open(&data);
    let before: Vec<String> = tree(outer.path()).into_keys().filter(|path| !path.contains("state.")).collect();
    let kept = run(store.keep(zip.into()));
    let result = match kept {
        Ok(kept) => Ok(tree(&store.folder(kept.package.digest))),
        Err(Error::Refused(refusal)) => {
            let after: Vec<String> = tree(outer.path()).into_keys().filter(|path| !path.contains("state.")).collect();
            assert_eq!(before, after, "a refused zip left something: {refusal:?}");
            Err(refusal)
        }
        Err(Error::Fault(fault)) => panic!("the zip's fault was taken for ours: {}", fault.chain()),
    };
    assert_eq!(fs::read_to_string(outer.path().join("victim")).unwrap(), "untouched");
    assert!(fs::read_dir(data.join("packages/tmp")).unwrap().next().is_none(), "something half made stayed");
    result
}

fn check_refused(zip: Vec<u8>, expected: &str) {
    match keep(zip) {
        Err(Refusal::NotAZip { why }) => assert!(why.contains(expected), "{why:?} does not say {expected:?}"),
        other => panic!("expected a refusal with {expected:?}, got {other:?}"),
    }
}

fn check_kept(entries: &[Entry], expected: &[(&str, &str)]) {
    let kept = keep(archive(entries)).unwrap_or_else(|refusal| panic!("refused: {refusal:?}"));
    let expected: BTreeMap<String, String> = expected.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
    assert_eq!(kept, expected);
}

#[test]
fn honest_zips_are_unpacked_as_they_are() {
    check_kept(
        &[
            entry("bootstrap", 0o100_755, "run"),
            entry("lib/", FOLDER, ""),
            entry("lib/a.js", 0o100_600, "a"),
            entry("bin/tool", LINK, "../lib/a.js"),
            entry("missing", LINK, "later/made"),
            entry("secret", 0o106_751, "no set-uid"),
            entry("private/", 0o040_700, ""),
            entry("dos", 0, "no mode at all"),
            entry("with\\back", FILE, ""),
        ],
        &[
            ("bootstrap", "file 755 run"),
            ("lib", "folder 755"),
            ("lib/a.js", "file 644 a"),
            ("bin", "folder 755"),
            ("bin/tool", "link ../lib/a.js"),
            ("missing", "link later/made"),
            ("secret", "file 755 no set-uid"),
            ("private", "folder 755"),
            ("dos", "file 644 no mode at all"),
            ("with\\back", "file 644 "),
        ],
    );
}

#[test]
fn the_code_is_readable_for_whoever_runs_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let package = run(store.keep(archive(&[entry("f", FILE, "")]).into())).unwrap().package;
    let mode = fs::metadata(store.folder(package.digest)).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o755);
}

#[test]
fn of_two_entries_with_one_name_the_later_stays() {
    check_kept(&[entry("a", FILE, "first"), entry("a", FILE, "second")], &[("a", "file 644 second")]);
    check_kept(&[entry("a", FILE, "longer than"), entry("./a", FILE, "this")], &[("a", "file 644 this")]);
    check_kept(&[entry("a", LINK, "x"), entry(".//a", LINK, "y")], &[("a", "link y")]);
}

#[test]
fn names_that_are_not_utf8_are_read_as_the_format_says() {
    // APPNOTE.TXT appendix D: without the flag names are in code page 437, where 0x81 is ü.
    let name = b"f\x81r.txt".to_vec();
    check_kept(&[Entry { name, ..entry("", FILE, "x") }], &[("f\u{fc}r.txt", "file 644 x")]);
    let name = "f\u{fc}r.txt";
    check_kept(&[entry(name, FILE, "x")], &[(name, "file 644 x")]);
}

#[test]
fn names_that_leave_the_folder_are_refused() {
    for name in ["../victim", "a/../../victim", "/victim", "a/../b", "..", "a/.."] {
        check_refused(archive(&[entry("ok", FILE, "x"), entry(name, FILE, "evil")]), "the name");
        check_refused(archive(&[entry("ok", FILE, "x"), entry(&format!("{name}/"), FOLDER, "")]), "the name");
    }
    check_refused(archive(&[entry("a\0b", FILE, "x")]), "the name");
    check_refused(archive(&[entry(&"x".repeat(256), FILE, "x")]), "too long");
    check_refused(archive(&[entry(&"x/".repeat(200), FOLDER, "")]), "too deep");
    check_refused(archive(&[entry("./", FILE, "x"), entry(".", FILE, "x")]), "names the folder itself");
}

#[test]
fn links_that_leave_the_folder_are_refused() {
    for target in ["/etc/passwd", "..", "../../victim", "x/../../victim", ""] {
        check_refused(archive(&[entry("ok", FILE, "x"), entry("l", LINK, target)]), "the link");
    }
    check_refused(archive(&[entry("l", LINK, &"x".repeat(5_000))]), "the link");
    // Each alone stays inside; together they would not.
    let chain = [entry("p/q/up", LINK, "../.."), entry("out", LINK, "p/q/up/../../victim")];
    check_refused(archive(&chain), "goes up after going down");
}

#[test]
fn nothing_is_written_through_a_link() {
    check_refused(archive(&[entry("d", LINK, "."), entry("d/f", FILE, "x")]), "both");
    check_refused(archive(&[entry("d", LINK, "e"), entry("e/", FOLDER, ""), entry("d/l", LINK, "x")]), "both");
    check_refused(archive(&[entry("f", LINK, "g"), entry("./f", FILE, "x")]), "both");
    check_refused(archive(&[entry("./f", FILE, "x"), entry("f", LINK, "g")]), "both");
}

#[test]
fn what_is_both_file_and_folder_is_refused() {
    check_refused(archive(&[entry("a", FILE, "x"), entry("a/b", FILE, "x")]), "both");
    check_refused(archive(&[entry("a/b", FILE, "x"), entry("a", FILE, "x")]), "both");
}

#[test]
fn entries_that_are_no_files_are_refused() {
    for (kind, mode) in [("device", 0o020_666), ("block", 0o060_666), ("pipe", 0o010_666), ("socket", 0o140_666)] {
        check_refused(archive(&[entry(kind, mode, "")]), "neither file, folder nor link");
    }
    check_refused(archive(&[entry("l/", LINK, "x")]), "neither file, folder nor link");
}

#[test]
fn broken_archives_are_refused() {
    let whole = archive(&[entry("a", FILE, "content")]);
    check_refused(Vec::new(), "");
    check_refused(b"hello, world".to_vec(), "");
    check_refused(whole[..whole.len() - 23].to_vec(), "");
    check_refused(archive(&[]), "Uploaded file must be a non-empty zip");

    let lied = |change: &dyn Fn(&mut Entry)| {
        let mut lying = entry("a", FILE, "content");
        change(&mut lying);
        archive(&[entry("before", FILE, "x"), lying])
    };
    check_refused(lied(&|lying| lying.crc ^= 1), "checksum");
    check_refused(lied(&|lying| lying.declared -= 1), "larger than its declared");
    check_refused(lied(&|lying| lying.declared += 1), "declares 8 bytes and has 7");
    check_refused(lied(&|lying| lying.flags |= 1), "assword");
    check_refused(lied(&|lying| lying.method = 14), "ompression");
    // Says that it is deflated, and is not.
    check_refused(lied(&|lying| lying.method = 8), "\"a\"");
}

/// Deflated zeros; `size` says what the headers are to claim instead of the truth.
fn bomb(files: u64, bytes: u64) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let block = vec![0; 1 << 20];
    for file in 0..files {
        zip.start_file(file.to_string(), zip::write::SimpleFileOptions::default()).unwrap();
        let mut left = bytes;
        while left > 0 {
            let now = left.min(block.len() as u64);
            zip.write_all(&block[..usize::try_from(now).unwrap()]).unwrap();
            left -= now;
        }
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn what_counts_is_what_is_really_written() {
    assert_eq!(keep(bomb(2, limits::UNZIPPED_BYTES / 2 + 1)), Err(Refusal::UnzippedTooLarge));

    // The same, but each header claims a hundred bytes.
    let mut zip = bomb(1, limits::UNZIPPED_BYTES + 1);
    let claimed = u32::try_from(limits::UNZIPPED_BYTES + 1).unwrap().to_le_bytes();
    let places: Vec<usize> =
        zip.windows(4).enumerate().filter(|(_, bytes)| *bytes == claimed).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    for at in places {
        zip[at..at + 4].copy_from_slice(&100_u32.to_le_bytes());
    }
    check_refused(zip, "larger than its declared");
}

#[test]
fn exactly_as_much_as_is_allowed_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let package = run(store.keep(bomb(1, limits::UNZIPPED_BYTES).into())).unwrap().package;
    assert_eq!(fs::metadata(store.folder(package.digest).join("0")).unwrap().len(), limits::UNZIPPED_BYTES);
}

#[test]
fn too_many_entries_are_refused() {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for file in 0..=limits::ZIP_ENTRIES {
        zip.add_directory(format!("{file:x}"), zip::write::SimpleFileOptions::default()).unwrap();
    }
    check_refused(zip.finish().unwrap().into_inner(), "100001 entries");

    // Few entries can ask for many folders.
    let deep = |at: u32| entry(&format!("{}f", format!("{at}/").repeat(120)), FILE, "");
    let entries: Vec<Entry> = (0..900).map(deep).collect();
    check_refused(archive(&entries), "more than 100000 files and folders");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 150, failure_persistence: None, ..Default::default() })]
    #[test]
    fn damage_anywhere_is_kept_or_refused_but_never_our_fault(changes in proptest::collection::vec((0_usize..1_000, 0_u8..), 1..6)) {
        let mut zip = archive(&[
            entry("a/b", FILE, "content"), entry("l", LINK, "a/b"), entry("d/", FOLDER, ""), entry("x", 0o100_755, "y"),
        ]);
        let length = zip.len();
        for (at, byte) in changes {
            zip[at % length] = byte;
        }
        // It asserts that nothing outside was touched and nothing half made stayed.
        keep_quietly(zip);
    }
}

/// As [`keep`], for zips whose names may be anything.
fn keep_quietly(zip: Vec<u8>) {
    let outer = tempfile::tempdir().unwrap();
    let data = outer.path().join("data");
    let store = open(&data);
    match run(store.keep(zip.into())) {
        Ok(_) | Err(Error::Refused(_)) => {}
        Err(Error::Fault(fault)) => panic!("{}", fault.chain()),
    }
    assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(data.join("packages/tmp")).unwrap().count(), 0);
}
