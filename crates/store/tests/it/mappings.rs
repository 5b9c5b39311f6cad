//! Event source mappings on disk.

use std::sync::Arc;

use engine::ports::MappingRecords;
use testkit::mappings::{mapping, mapping_records_contract};

use crate::{open, run};

#[test]
fn the_store_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    run(mapping_records_contract(&open(dir.path())));
}

#[test]
fn a_restart_keeps_mappings() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    run(async {
        store.put_mapping(Arc::new(mapping(1))).await.unwrap();
        store.put_mapping(Arc::new(mapping(2))).await.unwrap();
        assert!(store.remove_mapping(mapping(1).id).await.unwrap());
    });
    drop(store);
    assert_eq!(run(open(dir.path()).load_mappings()).unwrap(), [mapping(2)]);
}
