//! Events and deliveries on disk.

use std::sync::Arc;

use testkit::contracts::events::{events_contract, reopening_contract};

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
