//! Real disks, filled through their descriptors, or by a process that changed into them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use rustix::fs::OFlags;

use super::*;
use crate::cgroups::{Cgroups, Limits};

const MIB: u64 = 1 << 20;

fn storage(test: &str, folder: &Path) -> Option<Storage> {
    match Storage::find(folder, None) {
        Ok(storage) if storage.medium() == Medium::Disk => Some(storage),
        other => {
            testkit::skip::without_disk(test, &format!("no disk: {other:?}"));
            None
        }
    }
}

fn create(disk: &Disk, name: &str) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
    rustix::fs::openat(disk, name, flags, Mode::from_raw_mode(0o600))
}

/// Writes until there is no more room; tells how much there was.
fn fill(disk: &Disk) -> u64 {
    let file = create(disk, "filled").unwrap();
    let block = vec![0xa5; 1 << 20];
    let mut bytes = 0;
    loop {
        match rustix::io::write(&file, &block) {
            Ok(written) => bytes += written as u64,
            Err(rustix::io::Errno::NOSPC) => return bytes,
            Err(errno) => panic!("{errno}"),
        }
    }
}

fn free_bytes(disk: &Disk) -> u64 {
    let top = rustix::fs::openat(disk, ".", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let size = rustix::fs::fstatvfs(top).unwrap();
    size.f_bavail * size.f_frsize
}

fn is_attached(folder: &Path) -> bool {
    let devices = fs::read_dir("/sys/block").unwrap().flatten();
    let mut files = devices.filter_map(|device| fs::read_to_string(device.path().join("loop/backing_file")).ok());
    files.any(|file| file.starts_with(folder.to_str().unwrap()))
}

#[track_caller]
fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if holds() {
            return;
        }
        rustix::event::poll(&mut [], Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 1_000_000 })).unwrap();
    }
    panic!("it never held");
}

#[test]
fn a_disk_has_its_size_and_then_no_space_left_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(storage) = storage("a_disk_has_its_size", folder.path()) else { return };
    let disk = storage.take(512).unwrap();
    let top = rustix::fs::statat(&disk, ".", AtFlags::empty()).unwrap();
    assert_eq!(top.st_mode & 0o7777, 0o1777);
    let open = rustix::fs::openat(&disk, ".", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let mut names: Vec<_> =
        rustix::fs::Dir::new(open).unwrap().map(|entry| entry.unwrap().file_name().to_owned()).collect();
    names.sort_unstable();
    assert_eq!(names, [c".".to_owned(), c"..".to_owned()]);
    let bytes = fill(&disk);
    assert!((512 * MIB..520 * MIB).contains(&bytes), "{}", bytes / MIB);
    assert!(is_attached(folder.path()));
    // Files of a kind that use up inodes hurt nobody else.
    rustix::fs::unlinkat(&disk, "filled", AtFlags::empty()).unwrap();
    let refused = (0..100_000).find_map(|number| create(&disk, &number.to_string()).err());
    assert_eq!(refused, Some(rustix::io::Errno::NOSPC));

    // A mount that nobody has any more is gone, and so are its device and its space.
    drop(disk);
    drop(storage);
    until(|| !is_attached(folder.path()));
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["tmp-512-1.ext4"]);
}

#[test]
fn disks_are_empty_and_their_own_and_some_are_ready() {
    let folder = tempfile::tempdir().unwrap();
    let Some(storage) = storage("disks_are_empty_and_their_own", folder.path()) else { return };
    storage.refill(1024, 2).unwrap();
    let (one, other, third) = (storage.take(1024).unwrap(), storage.take(1024).unwrap(), storage.take(1024).unwrap());
    create(&one, "seen").unwrap();
    one.give_to(100_000, 100_000).unwrap();
    for disk in [&other, &third] {
        assert_eq!(rustix::fs::statat(disk, "seen", AtFlags::empty()).err(), Some(rustix::io::Errno::NOENT));
        assert_eq!(rustix::fs::statat(disk, ".", AtFlags::empty()).unwrap().st_uid, 0);
    }
    assert_eq!(rustix::fs::statat(&one, ".", AtFlags::empty()).unwrap().st_uid, 100_000);
    let size = free_bytes(&other);
    assert!((1024 * MIB..1036 * MIB).contains(&size), "{}", size / MIB);
    // The templates' blocks, not their sizes, are what a disk costs.
    let template = fs::metadata(image::template_path(folder.path(), 1024)).unwrap();
    assert!(std::os::unix::fs::MetadataExt::blocks(&template) * 512 < MIB);
}

/// A function of 64 MB fills 512 MB: what it wrote is none of the memory that it cannot have back.
#[test]
fn a_small_function_fills_a_large_disk() {
    let test = "a_small_function_fills_a_large_disk";
    let folder = tempfile::tempdir().unwrap();
    let Some(storage) = storage(test, folder.path()) else { return };
    let Ok(cgroups) = Cgroups::find(&format!("test-{}-storage", std::process::id())) else {
        return testkit::skip::without_kernel(test, "no control groups");
    };
    if let Err(refused) = &cgroups.features().memory {
        return testkit::skip::without_kernel(test, &format!("{refused:?}"));
    }
    let disk = storage.take(512).unwrap();
    let group = cgroups.create("one", &Limits { memory_bytes: 64 * MIB, pids_max: 64 }).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "read line; head -c 600000000 /dev/zero; exec sleep 600"]).stdin(Stdio::piped());
    shell.stdout(File::from(create(&disk, "filled").unwrap())).stderr(Stdio::null());
    let mut shell = shell.spawn().unwrap();
    group.add(rustix::process::Pid::from_child(&shell)).unwrap();
    shell.stdin.take().unwrap().write_all(b"\n").unwrap();
    let filled = || rustix::fs::statat(&disk, "filled", AtFlags::empty()).unwrap().st_size.cast_unsigned();
    until(|| filled() >= 512 * MIB);
    assert_eq!(group.oom_kills().unwrap(), 0);
    assert!(group.peak_bytes().unwrap() <= 64 * MIB);
    assert!(shell.try_wait().unwrap().is_none());
    group.kill().unwrap();
    shell.wait().unwrap();
}

#[test]
fn without_mkfs_it_is_memory_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let disk = match in_memory(16) {
        Ok(disk) => disk,
        Err(refused) => return testkit::skip::without_disk("without_mkfs_it_is_memory", &format!("{refused:?}")),
    };
    assert_eq!(fill(&disk), 16 * MIB);
    // A folder that cannot be: its parent is a file.
    let file = folder.path().join("file");
    File::create(&file).unwrap();
    let storage = Storage::find(&file.join("folder"), None).unwrap();
    assert_eq!(storage.medium(), Medium::Memory);
    assert_eq!(storage.refused(), Some(&Refused { step: "mkdir".into(), errno: libc::ENOTDIR }));
    assert_eq!(fill(&storage.take(20).unwrap()), 20 * MIB);
}
