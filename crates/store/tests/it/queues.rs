//! Queues on disk.

use std::process::Stdio;

use engine::ports::{Accepted, QueueRecords, Receiving, Sending};
use jiff::Timestamp;
use testkit::contracts::{message, queue, queue_records_contract, receiving};

use crate::{open, run};

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn sending(queue: u64, numbers: std::ops::Range<u128>) -> Sending {
    let messages = numbers.map(|number| message(number, 0)).collect();
    Sending { queue, messages, messages_max: 1_000_000, now: now() }
}

/// Rows of all tables of messages.
fn rows(dir: &std::path::Path) -> String {
    let sql = "SELECT (SELECT count(*) FROM sqs_contents), (SELECT count(*) FROM sqs_message), (SELECT count(*) FROM sqs_body)";
    let database = dir.join("state.db");
    let mut sqlite = std::process::Command::new("sqlite3");
    let output = sqlite.arg("-readonly").arg(database).arg(sql).stderr(Stdio::inherit()).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_store_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    run(queue_records_contract(&open(dir.path())));
}

#[test]
fn a_restart_keeps_queues_messages_and_receipts() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut kept = queue("kept");
    let taken = run(async {
        kept.id = store.insert_queue(kept.clone()).await.unwrap().unwrap();
        assert_eq!(store.send_messages(sending(kept.id, 0..3)).await.unwrap(), Accepted::Kept);
        store.receive_messages(receiving(&kept, 1, now())).await.unwrap().unwrap()
    });
    drop(store);
    let store = open(dir.path());
    run(async {
        assert_eq!(store.load_queues().await.unwrap(), [kept.clone()]);
        let asked = Receiving { visibility_seconds: 0, ..receiving(&kept, 10, now()) };
        let left = store.receive_messages(asked).await.unwrap().unwrap();
        let texts: Vec<&str> = left.messages.iter().map(|message| message.body.text.as_str()).collect();
        assert_eq!(texts, ["1", "2"]);
        assert_eq!(store.delete_messages(kept.id, vec![taken.messages[0].receipt]).await.unwrap(), [true]);
        assert!(store.remove_queue(kept.id).await.unwrap());
    });
    drop(store);
    let store = open(dir.path());
    let again = run(store.insert_queue(queue("kept"))).unwrap().unwrap();
    assert!(again > kept.id, "an id was given twice");
}

#[test]
fn what_is_left_behind_is_removed_bit_by_bit() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    run(async {
        let purged = store.insert_queue(queue("purged")).await.unwrap().unwrap();
        let removed = store.insert_queue(queue("removed")).await.unwrap().unwrap();
        for id in [purged, removed] {
            store.send_messages(sending(id, 0..1_300)).await.unwrap();
        }
        assert!(store.purge_queue(purged).await.unwrap() && store.remove_queue(removed).await.unwrap());
        store.send_messages(sending(purged, 0..7)).await.unwrap();
        assert_eq!(rows(dir.path()), "3|2607|2607");
        let mut steps = 0;
        while store.sweep_messages(Vec::new()).await.unwrap() {
            steps += 1;
        }
        assert!((3..20).contains(&steps), "{steps} steps");
        assert_eq!(rows(dir.path()), "1|7|7");
        let old = Timestamp::from_second(1_900_000_000).unwrap();
        assert!(!store.sweep_messages(vec![(purged, old), (removed, old)]).await.unwrap());
        assert_eq!(rows(dir.path()), "1|0|0");
    });
}

#[test]
fn receivers_find_messages_by_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    run(async {
        let mut full = queue("full");
        full.id = store.insert_queue(full.clone()).await.unwrap().unwrap();
        for group in 0..20_u128 {
            store.send_messages(sending(full.id, group * 1_000..(group + 1) * 1_000)).await.unwrap();
        }
        let plan = |sql: &str| {
            let mut sqlite = std::process::Command::new("sqlite3");
            let output = sqlite.arg("-readonly").arg(dir.path().join("state.db"));
            let output = output.arg(format!("EXPLAIN QUERY PLAN {sql}")).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        // What is measured in time fails on a slow day; what the database reads does not change.
        for sql in [
            "SELECT id FROM sqs_message WHERE contents = 1 AND visible_at <= 2 AND sent_at > 3 ORDER BY visible_at LIMIT 4",
            "SELECT visible_at FROM sqs_message WHERE contents = 1 AND visible_at > 2 ORDER BY visible_at LIMIT 1",
            "SELECT id FROM sqs_message WHERE contents = 1 AND sent_at <= 2 ORDER BY sent_at LIMIT 3",
        ] {
            let plan = plan(sql);
            assert!(plan.contains("USING") && plan.contains("INDEX") && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
        }
        let taken = store.receive_messages(receiving(&full, 10, now())).await.unwrap().unwrap();
        assert_eq!(taken.messages.len(), 10);
    });
}
