//! Events and deliveries on disk.

use std::sync::Arc;

use testkit::contracts::events::{events_contract, reopening_contract};
use testkit::sim::{Sight, Tally, play};

use crate::{open, run};

#[test]
fn the_store_keeps_the_contract_of_events() {
    let dir = tempfile::tempdir().unwrap();
    run(events_contract(&open(dir.path())));
    // A second time in the same folder: it left nothing behind.
    run(events_contract(&open(dir.path())));
}

#[test]
fn a_restart_keeps_events_and_what_is_owed_of_them() {
    let dir = tempfile::tempdir().unwrap();
    run(reopening_contract(|| Arc::new(open(dir.path()))));
}

#[test]
fn no_story_loses_an_event_on_disk() {
    // Fewer than in memory: each of these syncs.
    const SEEDS: u64 = 20;
    let mut sum = Tally::default();
    for seed in 0..SEEDS {
        let dir = tempfile::tempdir().unwrap();
        sum += play(seed, Sight::Late, || Arc::new(open(dir.path())));
    }
    assert!(sum.accepted > SEEDS && sum.crashes > SEEDS / 2 && sum.dead > SEEDS, "too little happens: {sum:?}");
}
