//! Packages on disk.

use std::fs;
use std::sync::Arc;

use domain::function::{Code, Function, Package};
use engine::ports::{Packages, Records};
use store::Store;
use testkit::contracts::{function, layer_packages_contract, packages_contract, record};
use testkit::packages::zip_of;

use crate::{open, run};

#[test]
fn the_store_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    run(packages_contract(&store, &store));
    run(layer_packages_contract((&store, &store), &store));
}

fn keep(store: &Store, content: &str) -> Package {
    run(store.keep(zip_of(&[("f", 0o644, content.as_bytes())]))).unwrap().package
}

async fn tidy(store: &Store) {
    store.retain(Vec::new()).await.unwrap().await.unwrap();
}

fn insert(store: &Store, text: &str, package: Package) {
    assert!(
        run(store.insert(record(Function { code: Code::Package(package), ..function(text, 1) }), Vec::new())).unwrap()
    );
}

#[test]
fn a_restart_keeps_packages_and_ends_holds() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let used = keep(&store, "used");
    let hold = run(store.keep(zip_of(&[("f", 0o644, b"unused")]))).unwrap();
    let unused = hold.package;
    insert(&store, "fn", used);
    run(tidy(&store));
    assert!(run(store.zip(unused.digest)).unwrap().is_some(), "kept, and perhaps about to be used");
    drop((hold, store));

    let store = open(dir.path());
    assert_eq!(fs::read_to_string(store.folder(used.digest).join("f")).unwrap(), "used");
    run(tidy(&store));
    assert!(run(store.zip(used.digest)).unwrap().is_some());
    assert_eq!(run(store.zip(unused.digest)).unwrap(), None);
    assert!(!store.folder(unused.digest).exists());
}

#[test]
fn code_that_went_missing_is_unpacked_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (one, two) = (keep(&store, "one"), keep(&store, "two"));
    insert(&store, "one", one);
    drop(store);
    let store = open(dir.path());
    for package in [one, two] {
        fs::remove_dir_all(store.folder(package.digest)).unwrap();
    }
    // What functions are made of, when they are loaded; what nobody needs, when it is brought again.
    assert_eq!(run(store.load()).unwrap().len(), 1);
    assert_eq!(fs::read_to_string(store.folder(one.digest).join("f")).unwrap(), "one");
    assert!(!store.folder(two.digest).exists());
    assert_eq!(keep(&store, "two"), two);
    assert_eq!(fs::read_to_string(store.folder(two.digest).join("f")).unwrap(), "two");
}

#[test]
fn a_function_whose_zip_is_gone_does_not_keep_the_others_from_loading() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (one, two) = (keep(&store, "one"), keep(&store, "two"));
    insert(&store, "one", one);
    insert(&store, "two", two);
    fs::remove_dir_all(store.folder(one.digest)).unwrap();
    fs::remove_file(dir.path().join(format!("packages/sha256/{}.zip", one.digest.hex()))).unwrap();
    drop(store);
    let store = open(dir.path());
    assert_eq!(run(store.load()).unwrap().len(), 2);
    assert!(store.folder(two.digest).join("f").exists());
}

#[test]
fn a_damaged_zip_is_not_given_out() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let package = keep(&store, "content");
    let path = dir.path().join(format!("packages/sha256/{}.zip", package.digest.hex()));
    fs::write(&path, "something else").unwrap();
    let fault = run(store.zip(package.digest)).unwrap_err().chain();
    assert!(fault.contains("damaged or edited"), "{fault}");
}

#[test]
fn the_same_bytes_from_many_at_once_are_unpacked_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(dir.path()));
    let files: Vec<String> = (0..200).map(|at| format!("d/{at}")).collect();
    let files: Vec<(&str, u32, &[u8])> = files.iter().map(|path| (path.as_str(), 0o644, &b"x"[..])).collect();
    let zip = zip_of(&files);
    let kept = run(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (store, zip) = (store.clone(), zip.clone());
            tasks.spawn(async move { store.keep(zip).await.unwrap().package });
        }
        tasks.join_all().await
    });
    assert!(kept.iter().all(|package| *package == kept[0]));
    assert_eq!(fs::read_dir(store.folder(kept[0].digest).join("d")).unwrap().count(), 200);
    assert_eq!(fs::read_dir(dir.path().join("packages/tmp")).unwrap().count(), 0);
}

#[test]
fn tidying_never_takes_what_is_being_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(dir.path()));
    run(async {
        let mut tasks = tokio::task::JoinSet::new();
        for at in 0..30_u32 {
            let store = store.clone();
            tasks.spawn(async move {
                // Two share each package, so that one's removal meets the other's creation.
                let content = (at / 2).to_string();
                let kept = store.keep(zip_of(&[("f", 0o644, content.as_bytes())])).await.unwrap();
                let package = kept.package;
                tokio::task::yield_now().await;
                let made = Function { code: Code::Package(package), ..function(&format!("f{at}"), 1) };
                let (name, revision) = (made.arn.name.clone(), made.revision);
                assert!(store.insert(record(made), Vec::new()).await.unwrap());
                let read = std::fs::read_to_string(store.folder(package.digest).join("f"));
                assert_eq!(read.ok().as_deref(), Some(content.as_str()), "function {at} lost its code");
                assert!(store.remove(name, revision).await.unwrap());
                tidy(&store).await;
            });
        }
        tasks.join_all().await;
        tidy(&store).await;
    });
    assert_eq!(fs::read_dir(dir.path().join("code")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(dir.path().join("packages/sha256")).unwrap().count(), 0);
}

#[test]
fn what_nobody_uses_is_out_of_sight_before_it_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let aside = || fs::read_dir(dir.path().join("packages/tmp")).unwrap().count();
    let store = open(dir.path());
    let package = keep(&store, "unused");
    let removal = run(store.retain(Vec::new())).unwrap();
    assert!(!store.folder(package.digest).exists());
    assert_eq!((run(store.zip(package.digest)).unwrap(), aside()), (None, 2), "its folder and its zip");
    // Kept again meanwhile, it stays.
    assert_eq!(keep(&store, "unused"), package);
    run(removal).unwrap();
    assert_eq!(fs::read_to_string(store.folder(package.digest).join("f")).unwrap(), "unused");
    assert_eq!(aside(), 0);
    // What is never removed goes at the next start.
    drop(run(store.retain(Vec::new())).unwrap());
    assert_eq!(aside(), 2);
    drop(store);
    drop(open(dir.path()));
    assert_eq!(aside(), 0);
}
