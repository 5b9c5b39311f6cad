//! Layers that strangers made: what they become, and what is refused.

use std::os::unix::fs::PermissionsExt as _;

use super::Made::{Device, File, Folder, HardLink, Link, Mode, Pipe};
use super::*;

#[track_caller]
fn becomes(case: &str, entries: &[Made<'_>], expected: &[&str]) {
    let (_dir, folder) = unpack_tar(&tar_of(entries)).unwrap_or_else(|error| panic!("{case}: {error:?}"));
    assert_eq!(tree(&folder), expected, "{case}");
}

/// Refused with these words in the reason, and nothing but the layer's own folder was touched.
#[track_caller]
fn is_refused(case: &str, tar: &[u8], reason: &str) {
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("layer");
    fs::create_dir(&folder).unwrap();
    let layer = Layer { digest: digest_of(tar), bytes: tar.len() as u64, unpacked: digest_of(tar) };
    match unpack::unpack(tar, &layer, &folder, Bounds::default()) {
        Err(ImageError::Refused { why, .. }) => assert!(why.contains(reason), "{case}: {why}"),
        other => panic!("{case}: {other:?}"),
    }
    let beside: Vec<_> = fs::read_dir(outside.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside, ["layer"], "{case}");
}

#[test]
fn a_layer_becomes_what_overlayfs_reads() {
    becomes(
        "plain",
        &[Folder("usr/"), File("usr/a", "1"), File("./etc/deep/b", "2"), Link("bin", "usr/bin"), Link("up", "../../x")],
        &["bin -> usr/bin", "etc/", "etc/deep/", "etc/deep/b = 2", "up -> ../../x", "usr/", "usr/a = 1"],
    );
    becomes("absolute and dotted names", &[File("/a", "1"), File("x/../b", "2")], &["a = 1", "b = 2"]);
    becomes("a whiteout", &[File("etc/.wh.gone", ""), File(".wh.top", "")], &["etc/", "etc/gone gone 0", "top gone 0"]);
    becomes("an opaque folder", &[File("etc/.wh..wh..opq", ""), File("etc/a", "1")], &["etc/ opaque", "etc/a = 1"]);
    becomes("files beside", &[File(".wh..wh.plnk", ""), File("a", "1")], &["a = 1"]);
    becomes(
        "a hard link",
        &[File("a", "1"), HardLink("d/b", "a"), HardLink("c", "/d/b")],
        &["a = 1", "c = 1", "d/", "d/b = 1"],
    );
    becomes("a hard link to a link", &[Link("a", "/etc"), HardLink("b", "a")], &["a -> /etc", "b -> /etc"]);
    becomes("a hard link to itself", &[File("a", "1"), HardLink("a", "a")], &["a = 1"]);
    becomes("devices and pipes", &[Device("null"), Pipe("pipe"), File("a", "1")], &["a = 1"]);
}

#[test]
fn the_later_of_two_counts() {
    becomes("a file twice", &[File("a", "long"), File("a", "2")], &["a = 2"]);
    becomes(
        "a file with a second name, replaced",
        &[File("a", "1"), HardLink("b", "a"), File("a", "2")],
        &["a = 2", "b = 1"],
    );
    becomes("a file for a folder", &[File("d/x/y", "1"), File("d", "2")], &["d = 2"]);
    becomes("a folder for a file", &[File("d", "1"), Folder("d/"), File("d/a", "2")], &["d/ opaque", "d/a = 2"]);
    becomes("a folder for a link", &[Link("d", "/etc"), Folder("d"), File("d/a", "2")], &["d/ opaque", "d/a = 2"]);
    becomes("a link for a folder", &[File("d/a", "1"), Link("d", "/etc")], &["d -> /etc"]);
    becomes("a file for a link", &[Link("a", "/etc/passwd"), File("a", "2")], &["a = 2"]);
    becomes(
        "what a folder remembered",
        &[File("d/a", "1"), File("d", "2"), Folder("d"), File("d/b", "3")],
        &["d/ opaque", "d/b = 3"],
    );
    // A whiteout takes away what is below only, wherever it stands.
    becomes(
        "a whiteout and a file",
        &[File("a", "1"), File(".wh.a", ""), File(".wh.b", ""), File("b", "2")],
        &["a = 1", "b = 2"],
    );
    becomes(
        "a whiteout and a folder",
        &[File("d/a", "1"), File(".wh.d", ""), File(".wh.e", ""), File("e/a", "2")],
        &["d/ opaque", "d/a = 1", "e/ opaque", "e/a = 2"],
    );
}

#[test]
fn what_leads_outside_is_refused() {
    let cases: [(&str, &[Made<'_>], &str); 14] = [
        ("a name that climbs", &[File("../evil", "1")], "leaves the image"),
        ("a name that climbs later", &[File("a/../../evil", "1")], "leaves the image"),
        ("an absolute name that climbs", &[File("/../evil", "1")], "leaves the image"),
        ("a file through a link", &[Link("etc/evil", "/tmp"), File("etc/evil/pwn", "1")], "leads through a link"),
        ("a file through a relative link", &[Link("e", "../.."), File("e/pwn", "1")], "leads through a link"),
        ("a folder through a link", &[Link("e", "/tmp"), Folder("e/pwn")], "leads through a link"),
        ("a link through a link", &[Link("e", "/tmp"), Link("e/pwn", "x")], "leads through a link"),
        ("a whiteout through a link", &[Link("e", "/tmp"), File("e/.wh.pwn", "")], "leads through a link"),
        ("an opaque link", &[Link("e", "/tmp"), File("e/.wh..wh..opq", "")], "leads through a link"),
        ("a hard link to outside", &[HardLink("passwd", "../../etc/passwd")], "leaves the image"),
        ("a hard link through a link", &[Link("e", "/etc"), HardLink("p", "e/passwd")], "does not have"),
        ("a file through a file", &[File("a", "1"), File("a/b", "2")], "leads through a file"),
        ("the root as a file", &[File("./", "1"), Link(".", "/etc")], "takes the place of the root"),
        ("a whiteout of the folder above", &[File("a/.wh...", "")], "takes nothing away"),
    ];
    for (case, entries, reason) in cases {
        is_refused(case, &tar_of(entries), reason);
    }
    for (case, entries, reason) in [
        ("a hard link to what is below", &[HardLink("a", "missing")][..], "does not have"),
        ("a hard link to a folder", &[Folder("d"), HardLink("a", "d")], "does not have"),
        ("a hard link over what it names", &[File("d/a", "1"), HardLink("d", "d/a")], "does not have"),
        ("a hard link to a whiteout", &[File(".wh.a", ""), HardLink("b", "a")], "does not have"),
        ("a whiteout as a folder", &[File(".wh.a/b", "")], "name of a whiteout"),
        ("a link to nowhere", &[Link("a", "")], "link to nowhere"),
    ] {
        is_refused(case, &tar_of(entries), reason);
    }
}

#[test]
fn modes_and_times_are_kept_but_no_rights() {
    let tar = tar_of(&[Mode("suid", 0o6755), Mode("none", 0), Folder("d"), Mode("d/x", 0o1777)]);
    let (_dir, folder) = unpack_tar(&tar).unwrap();
    let mode = |name: &str| fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!([mode("suid"), mode("none"), mode("d"), mode("d/x")], [0o755, 0o400, 0o755, 0o777]);
    assert_eq!(mode(""), 0o755);
    assert_eq!(fs::metadata(folder.join("suid")).unwrap().mtime(), 1_600_000_000);
}

#[test]
fn every_compression_is_read_and_checked() {
    let tar = tar_of(&[File("a", &"content ".repeat(10_000))]);
    let other = tar_of(&[File("a", "other")]);
    let two_members = [gzip(&tar[..700]), gzip(&tar[700..])].concat();
    let two_frames = [zstd(&tar[..700]), b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec(), zstd(&tar[700..])].concat();
    for (case, packed) in [
        ("plain", tar.clone()),
        ("gzip", gzip(&tar)),
        ("gzip in two members", two_members),
        ("zstd", zstd(&tar)),
        ("zstd in two frames", two_frames),
    ] {
        let (_dir, folder) =
            unpack_packed(&packed, &tar, Bounds::default()).unwrap_or_else(|error| panic!("{case}: {error:?}"));
        assert_eq!(fs::read_to_string(folder.join("a")).unwrap().len(), 80_000, "{case}");
        let reason = |result: Result<(tempfile::TempDir, PathBuf), ImageError>| result.unwrap_err().to_string();
        assert!(reason(unpack_packed(&packed, &other, Bounds::default())).contains("does not unpack to"), "{case}");
        let cut = &packed[..packed.len() / 2];
        assert!(unpack_packed(cut, &tar, Bounds::default()).is_err(), "{case}, cut");
    }
    // What is promised is compared with what comes: digest and size.
    let dir = tempfile::tempdir().unwrap();
    let good = Layer { digest: digest_of(&tar), bytes: tar.len() as u64, unpacked: digest_of(&tar) };
    for (n, (layer, reason)) in [
        (Layer { digest: digest_of(b"x"), ..good }, "is not what its digest"),
        (Layer { bytes: good.bytes + 1, ..good }, "fewer bytes"),
        (Layer { bytes: good.bytes - 1, ..good }, "more bytes"),
    ]
    .into_iter()
    .enumerate()
    {
        let folder = dir.path().join(n.to_string());
        fs::create_dir(&folder).unwrap();
        let refused = unpack::unpack(tar.as_slice(), &layer, &folder, Bounds::default()).unwrap_err();
        assert!(refused.to_string().contains(reason), "{refused}");
    }
}

#[test]
fn bombs_are_refused() {
    let bounds = Bounds { bytes: 1_000_000, entries: 3 };
    let reason = |packed: &[u8], tar: &[u8]| unpack_packed(packed, tar, bounds).unwrap_err().to_string();
    let large = tar_of(&[File("a", &"\0".repeat(1_000_001))]);
    assert!(reason(&gzip(&large), &large).contains("larger than 1000000 bytes"));
    let many = tar_of(&[File("a", ""), File("b", ""), File("c", ""), File("d", "")]);
    assert!(reason(&many, &many).contains("more than 3 files"));
    // Not by the content of a file: what follows the archive, what is left out, what a name is said to be.
    let tail = [tar_of(&[File("a", "")]), vec![0; 20 * 1024 * 1024]].concat();
    assert!(reason(&gzip(&tail), &tail).contains("something else follows"));
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::new(b'L'));
    header.set_size(1 << 40);
    header.set_cksum();
    let name = header.as_bytes().to_vec();
    assert!(reason(&name, &name).contains("too long"));
    header.set_entry_type(EntryType::new(b'g'));
    header.set_cksum();
    let mut comment = header.as_bytes().to_vec();
    comment.resize(30 * 1024 * 1024, 0);
    assert!(reason(&gzip(&comment), &comment).contains("unpacks to too much"));
}

#[test]
fn what_is_no_tar_is_refused() {
    let good = tar_of(&[File("a", "content")]);
    let mut wrong_sum = good.clone();
    wrong_sum[0] = b'b';
    is_refused("a wrong checksum", &wrong_sum, "checksum");
    is_refused("half a header", &good[..100], "in the middle of a header");
    is_refused("half a file", &good[..515], "in the middle of a file");
    is_refused("noise", &[7; 2048], "no proper tar archive");
    let long = format!("{}/a", "d/".repeat(257));
    let mut tar = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o644);
    tar.append_data(&mut header, &long, &b"x"[..]).unwrap();
    is_refused("too deep", &tar.into_inner().unwrap(), "too deep");
}

#[test]
fn long_names_are_read_in_both_ways() {
    let long = format!("{}/{}", "d".repeat(150), "f".repeat(200));
    let check = |case: &str, tar: Vec<u8>| {
        let (_dir, folder) = unpack_tar(&tar).unwrap_or_else(|error| panic!("{case}: {error:?}"));
        assert_eq!(fs::read_to_string(folder.join(&long)).unwrap(), "x", "{case}");
        assert_eq!(fs::read_link(folder.join("link")).unwrap(), Path::new(&long), "{case}");
    };
    let mut gnu = Builder::new(Vec::new());
    let header = |kind: EntryType, size: u64| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header
    };
    gnu.append_data(&mut header(EntryType::Regular, 1), &long, &b"x"[..]).unwrap();
    gnu.append_link(&mut header(EntryType::Symlink, 0), "link", &long).unwrap();
    check("GNU", gnu.into_inner().unwrap());

    let mut pax = Builder::new(Vec::new());
    for (kind, key, name) in [(EntryType::Regular, "path", "short"), (EntryType::Symlink, "linkpath", "link")] {
        pax.append_pax_extensions([(key, long.as_bytes()), ("mtime", b"1600000000.5")]).unwrap();
        let mut header = header(kind, u64::from(kind == EntryType::Regular));
        header.set_path(name).unwrap();
        header.set_cksum();
        pax.append(&header, if kind == EntryType::Regular { &b"x"[..] } else { b"" }).unwrap();
    }
    check("pax", pax.into_inner().unwrap());
}

#[test]
fn sparse_files_are_read_in_both_ways_and_keep_their_holes() {
    // `data` at 1 MiB, nothing after it up to 2 MiB.
    const AT: u64 = 1 << 20;
    let check = |case: &str, tar: Vec<u8>| {
        let (_dir, folder) = unpack_tar(&tar).unwrap_or_else(|error| panic!("{case}: {error:?}"));
        let bytes = fs::read(folder.join("sparse")).unwrap();
        assert_eq!(bytes.len() as u64, 2 * AT, "{case}");
        let at = usize::try_from(AT).unwrap();
        assert_eq!(&bytes[at..at + 4], b"data", "{case}");
        assert!(bytes[..at].iter().chain(&bytes[at + 4..]).all(|byte| *byte == 0), "{case}");
        let blocks = fs::metadata(folder.join("sparse")).unwrap().blocks();
        assert!(blocks * 512 < AT, "{case}: {blocks} blocks");
        assert_eq!(fs::read_to_string(folder.join("after")).unwrap(), "x", "{case}");
    };
    let after = tar_of(&[File("after", "x")]);

    let mut old = Header::new_gnu();
    old.set_path("sparse").unwrap();
    old.set_mode(0o644);
    old.set_size(4);
    old.set_entry_type(EntryType::new(b'S'));
    old.as_mut_bytes()[386..386 + 24].copy_from_slice(format!("{AT:011o}\0{:011o}\0", 4).as_bytes());
    old.as_mut_bytes()[483..483 + 12].copy_from_slice(format!("{:011o}\0", 2 * AT).as_bytes());
    old.set_cksum();
    let mut tar = Builder::new(Vec::new());
    tar.append(&old, &b"data"[..]).unwrap();
    let mut old_form = tar.into_inner().unwrap();
    old_form.truncate(1024);
    check("old form", [old_form.clone(), after.clone()].concat());

    let mut map = format!("1\n{AT}\n4\n").into_bytes();
    map.resize(512, 0);
    map.extend(b"data");
    let mut tar = Builder::new(Vec::new());
    let real = (2 * AT).to_string();
    tar.append_pax_extensions([
        ("GNU.sparse.major", &b"1"[..]),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"sparse"),
        ("GNU.sparse.realsize", real.as_bytes()),
    ])
    .unwrap();
    let mut header = Header::new_gnu();
    header.set_path("GNUSparseFile.0/sparse").unwrap();
    header.set_mode(0o644);
    header.set_size(map.len() as u64);
    header.set_cksum();
    tar.append(&header, map.as_slice()).unwrap();
    let mut new_form = tar.into_inner().unwrap();
    new_form.truncate(new_form.len() - 1024);
    check("form 1.0", [new_form, after].concat());

    // Pieces beyond the end.
    let mut beyond = old_form.clone();
    beyond[483..483 + 12].copy_from_slice(format!("{AT:011o}\0").as_bytes());
    let sum: u32 = beyond[..512]
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
        .sum();
    beyond[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    is_refused("pieces beyond the end", &beyond, "more than the file");
}
