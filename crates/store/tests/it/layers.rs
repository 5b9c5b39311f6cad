//! Layers on disk.

use std::fs;
use std::sync::Arc;

use domain::function::LayerUse;
use domain::layer::LayerVersion;
use engine::ports::{LayerRecords, Packages, Records};
use testkit::contracts::{function, layer_records_contract, layer_version, record};
use testkit::packages::zip_of;

use crate::{open, run};

#[test]
fn the_store_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    run(layer_records_contract(&open(dir.path())));
}

#[test]
fn a_restart_keeps_versions_and_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    run(async {
        for number in 1..=2 {
            assert!(store.insert_layer_version(Arc::new(layer_version("l", number))).await.unwrap());
        }
        assert!(store.remove_layer_version(layer_version("l", 2).layer.name, 2).await.unwrap());
    });
    drop(store);
    let store = open(dir.path());
    let layers = run(store.load_layers()).unwrap();
    assert_eq!((layers.len(), layers[0].last, layers[0].versions.len()), (1, 2, 1));
    assert_eq!(*layers[0].versions[&1], layer_version("l", 1));
    assert!(!run(store.insert_layer_version(Arc::new(layer_version("l", 2)))).unwrap(), "a number was given twice");
    assert!(run(store.insert_layer_version(Arc::new(layer_version("l", 3)))).unwrap());
}

#[test]
fn the_contents_of_layers_are_unpacked_again_where_they_went_missing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let keep = |content: &str| run(store.keep(zip_of(&[("f", 0o644, content.as_bytes())]))).unwrap().package;
    let (published, used) = (keep("published"), keep("used"));
    let version = LayerVersion { package: published, ..layer_version("l", 1) };
    assert!(run(store.insert_layer_version(Arc::new(version))).unwrap());
    let mut made = function("fn", 1);
    made.code = domain::function::Code::Package(used);
    made.configuration.layers = vec![LayerUse { arn: "arn:gone".into(), package: used }];
    assert!(run(store.insert(record(made), Vec::new())).unwrap());
    drop(store);
    let store = open(dir.path());
    for package in [published, used] {
        fs::remove_dir_all(store.folder(package.digest)).unwrap();
    }
    run(store.load_layers()).unwrap();
    run(store.load()).unwrap();
    for (package, content) in [(published, "published"), (used, "used")] {
        assert_eq!(fs::read_to_string(store.folder(package.digest).join("f")).unwrap(), content);
    }
}
