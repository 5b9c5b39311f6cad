//! Whose the data folder is, and what it must be.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rusqlite::Connection;
use store::{Store, StoreError};
use testkit::contracts::{function, home, record};

use crate::{chain, open};

fn refused(dir: &Path) -> String {
    chain(&Store::open(dir, home()).expect_err("opened"))
}

#[test]
fn a_second_engine_in_the_same_folder_is_told_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let why = refused(dir.path());
    let folder = dir.path().canonicalize().unwrap();
    assert!(
        why.contains(&format!("(process {}) is using the data folder {}", std::process::id(), folder.display())),
        "{why}"
    );
    assert!(why.contains("--data-dir"), "{why}");
    drop(store);
    open(dir.path());
}

#[test]
fn the_lock_of_an_engine_that_died_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    // As a child between fork and exec has it, of an engine that is no more.
    let lock = fs::File::options().write(true).truncate(true).open(dir.path().join("state.lock")).unwrap();
    let mut gone = std::process::Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    fs::write(dir.path().join("state.lock"), format!("{}\n", gone.id())).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    let (begun, has_begun) = std::sync::mpsc::channel();
    let path = dir.path().to_owned();
    let opening = std::thread::spawn(move || {
        begun.send(()).unwrap();
        open(&path);
    });
    has_begun.recv().unwrap();
    drop(lock);
    opening.join().unwrap();
}

#[test]
fn the_folder_is_made_and_closed_to_others() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("a/b");
    open(&dir);
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn what_cannot_be_a_folder_is_named() {
    let outer = tempfile::tempdir().unwrap();
    let file = outer.path().join("file");
    fs::write(&file, "").unwrap();
    let why = refused(&file.join("data"));
    assert!(why.contains(&file.display().to_string()) && why.contains("Not a directory"), "{why}");
}

#[test]
fn what_a_newer_version_wrote_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let database = Connection::open(dir.path().join("state.db")).unwrap();
    database.pragma_update(None, "user_version", 1_000).unwrap();
    drop(database);
    let error = Store::open(dir.path(), home()).unwrap_err();
    assert!(matches!(error, StoreError::Newer { .. }), "{error:?}");
}

#[test]
fn what_is_no_database_is_refused_and_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    fs::write(&path, "my diary, and nothing that SQLite could read\n".repeat(100)).unwrap();
    let why = refused(dir.path());
    assert!(why.contains("could not open the database") && why.contains("not a database"), "{why}");
    assert!(fs::read_to_string(&path).unwrap().starts_with("my diary"));
}

#[test]
fn a_flipped_byte_is_found_or_harmless_but_never_an_empty_store() {
    use engine::ports::Records;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for at in 0..20 {
        assert!(crate::run(store.insert(record(function(&format!("f{at}"), 1)), Vec::new())).unwrap());
    }
    drop(store);
    let path = dir.path().join("state.db");
    let whole = fs::read(&path).unwrap();
    let mut found = 0;
    for at in (0..whole.len()).step_by(977) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        fs::write(&path, bytes).unwrap();
        match Store::open(dir.path(), home()) {
            Err(_) => found += 1,
            Ok(store) => match crate::run(store.load()) {
                Err(_) => found += 1,
                Ok(functions) => assert_eq!(functions.len(), 20, "byte {at}"),
            },
        }
    }
    assert!(found > 0, "no damage was ever noticed");
}
