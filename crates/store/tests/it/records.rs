//! Functions on disk.

use std::sync::Arc;

use domain::arn::Home;
use engine::ports::Records;
use rusqlite::Connection;
use store::Store;
use testkit::contracts::{function, name, record, records_contract, revision};

use crate::{open, run};

#[test]
fn the_store_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    run(records_contract(&open(dir.path())));
    // A second time in the same folder: it left nothing behind.
    run(records_contract(&open(dir.path())));
}

#[test]
fn a_restart_keeps_everything() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    run(async {
        assert!(store.insert(record(function("one", 1)), Vec::new()).await.unwrap());
        assert!(store.insert(record(function("two", 1)), Vec::new()).await.unwrap());
        let settled = function("one", 1).settled(revision(2));
        assert!(store.replace(revision(1), record(settled), Vec::new()).await.unwrap());
        assert!(store.remove(name("two"), revision(1)).await.unwrap());
    });
    drop(store);
    let loaded = run(open(dir.path()).load()).unwrap();
    assert_eq!(loaded, [(record(function("one", 1).settled(revision(2))), Vec::new())]);
}

#[test]
fn functions_belong_to_whoever_the_engine_is_started_as() {
    let dir = tempfile::tempdir().unwrap();
    assert!(run(open(dir.path()).insert(record(function("fn", 1)), Vec::new())).unwrap());
    let elsewhere = Home { partition: "aws-cn".into(), region: "cn-north-1".into(), account: "123456789012".into() };
    let store = Store::open(dir.path(), elsewhere).unwrap();
    let loaded = run(store.load()).unwrap();
    assert_eq!(loaded[0].0.latest.arn.to_string(), "arn:aws-cn:lambda:cn-north-1:123456789012:function:fn");
    // And one that does not is not taken, for it would come back as another.
    let refused = run(store.insert(record(function("other", 1)), Vec::new())).unwrap_err();
    assert!(refused.chain().contains("is not of this account and region"), "{}", refused.chain());
}

#[test]
fn a_row_that_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for text in ["good", "broken"] {
        assert!(run(store.insert(record(function(text, 1)), Vec::new())).unwrap());
    }
    drop(store);
    let database = Connection::open(dir.path().join("state.db")).unwrap();
    database.execute("UPDATE functions SET format = 7 WHERE name = 'broken'", []).unwrap();
    drop(database);
    let fault = run(open(dir.path()).load()).unwrap_err().chain();
    assert!(fault.contains("reading function broken from") && fault.contains("its format is 7"), "{fault}");
}

#[test]
fn many_at_once_are_all_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(dir.path()));
    run(async {
        let mut tasks = tokio::task::JoinSet::new();
        // More than may wait at a time.
        for at in 0..3_000 {
            let store = store.clone();
            tasks.spawn(async move { store.insert(record(function(&format!("f{at}"), 1)), Vec::new()).await.unwrap() });
        }
        assert_eq!(tasks.join_all().await, vec![true; 3_000]);
    });
    drop(store);
    assert_eq!(run(open(dir.path()).load()).unwrap().len(), 3_000);
}
