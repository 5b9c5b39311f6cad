//! A disk that takes no more: an error, not a lie, and a store that is whole afterwards.

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use domain::Error;
use engine::ports::{Packages, Record, Records};
use rustix::process::{Resource, Rlimit, setrlimit};
use testkit::contracts::{function, record};
use testkit::packages::zip_of;
use testkit::skip;

use crate::{child, child_dir, open, run};

fn large(at: usize) -> Record {
    let mut large = function(&format!("f{at}"), 1);
    large.configuration.description = "x".repeat(30_000);
    record(large)
}

/// Starts this test again under a launcher, and expects it to end well.
fn expect_well(name: &str, dir: &Path, launcher: &[&str]) {
    let ended = child(name, dir, launcher).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    assert!(
        ended.status.success(),
        "{:?}, signal {:?}\n{}{}",
        ended.status,
        ended.status.signal(),
        String::from_utf8_lossy(&ended.stdout),
        String::from_utf8_lossy(&ended.stderr)
    );
}

/// A write that fails with anything but "no space": whether it happened is unknown, so the store stops.
#[test]
fn a_write_that_fails_stops_the_store_until_a_restart() {
    const NAME: &str = "disk_full::a_write_that_fails_stops_the_store_until_a_restart";
    let Some(dir) = child_dir() else {
        let dir = tempfile::tempdir().unwrap();
        // Files may not grow (EFBIG), and the signal that would kill us for trying is ignored.
        expect_well(NAME, dir.path(), &["sh", "-c", r#"trap '' XFSZ; exec "$0" "$@""#]);
        let acknowledged: usize = fs::read_to_string(dir.path().join("acknowledged")).unwrap().parse().unwrap();
        let store = open(&dir.path().join("data"));
        let loaded = run(store.load()).unwrap();
        assert!(loaded.len() == acknowledged, "{} of {acknowledged}", loaded.len());
        assert!(run(store.insert(large(acknowledged), Vec::new())).unwrap());
        return;
    };
    let data = dir.join("data");
    let store = open(&data);
    let mut acknowledged = 0;
    while acknowledged < 3 {
        assert!(run(store.insert(large(acknowledged), Vec::new())).unwrap());
        acknowledged += 1;
    }
    let limit = |bytes| setrlimit(Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
    limit(Some(fs::metadata(data.join("state.db-wal")).unwrap().len() + 100_000));
    let fault = loop {
        match run(store.insert(large(acknowledged), Vec::new())) {
            Ok(inserted) => assert!(inserted),
            Err(fault) => break fault.chain(),
        }
        acknowledged += 1;
        assert!(acknowledged < 100, "the limit was never met");
    };
    assert!(fault.contains("whether it was stored is known after a restart"), "{fault}");
    limit(None);
    for fault in [
        run(store.insert(large(1_000), Vec::new())).unwrap_err().chain(),
        run(store.load()).unwrap_err().chain(),
        run(store.retain(Vec::new())).map(drop).unwrap_err().chain(),
    ] {
        assert!(fault.contains("needs a restart of the engine"), "{fault}");
    }
    let kept = run(store.keep(zip_of(&[("f", 0o644, b"x")])));
    assert!(matches!(kept, Err(Error::Fault(_))), "{kept:?}");
    drop(store);
    fs::write(dir.join("acknowledged"), acknowledged.to_string()).unwrap();
}

/// No space: the write did not happen, and the next one may once there is room again.
#[test]
fn a_full_disk_is_an_error_that_passes() {
    const NAME: &str = "disk_full::a_full_disk_is_an_error_that_passes";
    let Some(dir) = child_dir() else {
        let dir = tempfile::tempdir().unwrap();
        let mount = r#"mount -t tmpfs -o size=4m tmpfs "$STORE_TEST_CHILD" && exec "$0" "$@""#;
        let launcher = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount];
        let trial = Command::new(launcher[0])
            .args(&launcher[1..5])
            .arg(r#"mount -t tmpfs tmpfs "$0""#)
            .arg(dir.path())
            .output();
        match trial {
            Ok(ended) if ended.status.success() => expect_well(NAME, dir.path(), &launcher),
            Ok(ended) => skip::test(NAME, String::from_utf8_lossy(&ended.stderr).trim()),
            Err(error) => skip::test(NAME, &error.to_string()),
        }
        return;
    };
    let store = open(&dir);
    assert!(run(store.insert(large(0), Vec::new())).unwrap());
    let package = run(store.keep(zip_of(&[("f", 0o644, b"before")]))).unwrap().package;
    fill(&dir.join("filler"));

    let mut acknowledged = 1;
    let fault = loop {
        match run(store.insert(large(acknowledged), Vec::new())) {
            Ok(inserted) => assert!(inserted),
            Err(fault) => break fault.chain(),
        }
        acknowledged += 1;
        assert!(acknowledged < 200, "the disk was never full");
    };
    assert!(fault.contains("nothing of it was stored") && fault.contains("full"), "{fault}");
    match run(store.keep(zip_of(&[("f", 0o644, &vec![7; 100_000])]))) {
        Err(Error::Fault(fault)) => assert!(fault.chain().contains("No space left"), "{}", fault.chain()),
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read_dir(dir.join("packages/tmp")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(dir.join("code")).unwrap().count(), 1);
    assert!(run(store.zip(package.digest)).unwrap().is_some());
    assert_eq!(run(store.load()).unwrap().len(), acknowledged);

    fs::remove_file(dir.join("filler")).unwrap();
    assert!(run(store.insert(large(acknowledged), Vec::new())).unwrap(), "there was room again");
    run(store.keep(zip_of(&[("f", 0o644, b"after")]))).unwrap();
    drop(store);
    assert_eq!(run(open(&dir).load()).unwrap().len(), acknowledged + 1);
}

/// Takes all the room there is.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    let mut block = vec![1; 64 * 1024];
    while !block.is_empty() {
        if file.write_all(&block).is_err() {
            block.truncate(block.len() / 2);
        }
    }
}
