//! What every implementation of a port promises. A fake that keeps them is as honest as the real one.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use domain::Error;
use domain::arn::Home;
use domain::error::Refusal;
use domain::function::{
    Change, Configuration, Digest, FileSystem, Function, LayerUse, LogFormat, LogLevel, Logging, Network, NewFunction,
    Package, Tracing,
};
use domain::limits;
use domain::names::{FunctionName, RevisionId};
use domain::runtime::Runtime;
use domain::variables::Variables;
use engine::ports::{Packages, Records};
use jiff::Timestamp;
use uuid::Uuid;

use crate::packages::zip_of;

/// The home of the functions that the contracts make; an implementation that asks for one is opened with it.
pub fn home() -> Home {
    Home { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() }
}

/// A valid name.
pub fn name(text: &str) -> FunctionName {
    FunctionName::parse(text).expect("the test's own name is valid")
}

/// A revision, by number.
pub fn revision(number: u128) -> RevisionId {
    RevisionId(Uuid::from_u128(number))
}

/// A package that no one has kept.
pub fn package(number: u8) -> Package {
    Package { digest: Digest([number; 32]), zip_bytes: u64::from(number) }
}

/// A function in which every field has a value of its own, at a given revision.
pub fn function(text: &str, at: u128) -> Function {
    let variables = vec![("B".into(), "2 \u{1f600} \"'\\".into()), ("A".into(), String::new())];
    NewFunction {
        arn: home().function_arn(&name(text)),
        configuration: Configuration {
            runtime: Runtime::parse("python3.12").expect("known"),
            handler: "app.handler".into(),
            role: "arn:aws:iam::000000000000:role/r".into(),
            description: "what it does, \u{fc}ber\nlines".into(),
            timeout_seconds: 7,
            memory_mb: 129,
            storage_mb: 513,
            variables: Some(Variables::new(variables).expect("allowed")),
            logging: Logging {
                format: LogFormat::Json,
                application_level: Some(LogLevel::Fatal),
                system_level: Some(LogLevel::Debug),
                group: Some("/other".into()),
            },
            dead_letter: Some("arn:aws:sqs:us-east-1:000000000000:q".into()),
            tracing: Tracing::Active,
            layers: vec![LayerUse {
                arn: "arn:aws:lambda:us-east-1:000000000000:layer:l:1".into(),
                package: package(11),
            }],
            network: Some(Network { subnets: vec!["s".into()], security_groups: vec!["g".into()], ipv6: true }),
            file_systems: vec![FileSystem { arn: "arn:a".into(), mount_path: "/mnt/a".into() }],
        },
        tags: vec![("z".into(), "1".into()), ("a".into(), "2".into())],
    }
    .with(package(9), revision(at), Timestamp::new(1_700_000_000, 123_456_789).expect("in range"))
}

async fn loaded(records: &dyn Records) -> BTreeMap<FunctionName, Function> {
    let all = records.load().await.expect("loads");
    let count = all.len();
    let by_name: BTreeMap<_, _> = all.into_iter().map(|function| (function.arn.name.clone(), function)).collect();
    assert_eq!(by_name.len(), count, "a name was loaded twice");
    by_name
}

/// The contract of [`Records`], for an implementation that is empty; it is empty again afterwards.
pub async fn records_contract(records: &dyn Records) {
    assert!(loaded(records).await.is_empty(), "the contract starts with nothing");

    // A name is taken once; the second is told so and changes nothing.
    let first = function("one", 1);
    assert!(records.insert(Arc::new(first.clone())).await.expect("inserts"));
    assert!(!records.insert(Arc::new(function("one", 2))).await.expect("answers"));
    assert_eq!(loaded(records).await, BTreeMap::from([(name("one"), first.clone())]));

    // What is absent stays absent, and apart from what is empty.
    let mut bare = function("two", 1);
    bare.configuration.variables = None;
    bare.configuration.logging = Logging::default();
    bare.configuration.dead_letter = None;
    bare.configuration.layers.clear();
    bare.configuration.file_systems.clear();
    bare.configuration.network = None;
    bare.tags.clear();
    let mut empty = function("three", 1);
    empty.configuration.variables = Some(Variables::default());
    empty.configuration.network = Some(Network::default());
    assert!(records.insert(Arc::new(bare.clone())).await.expect("inserts"));
    assert!(records.insert(Arc::new(empty.clone())).await.expect("inserts"));
    let all = loaded(records).await;
    assert_eq!((&all[&name("two")], &all[&name("three")]), (&bare, &empty));

    // Every state is kept, under the revision that is expected next.
    let mut now = first;
    for (at, next) in [
        (2, now.settled(revision(2))),
        (3, now.settled(revision(2)).updated(Change::Code(package(8)), revision(3), Timestamp::UNIX_EPOCH)),
        (4, now.settled(revision(4))),
    ] {
        let stale = revision(77);
        assert!(!records.replace(stale, Arc::new(next.clone())).await.expect("answers"), "a stale revision won");
        assert_eq!(loaded(records).await[&name("one")], now);
        assert!(records.replace(now.revision, Arc::new(next.clone())).await.expect("replaces"), "to revision {at}");
        now = next;
        assert_eq!(loaded(records).await[&name("one")], now);
    }

    // Of those who start from the same revision one wins.
    let rivals: Vec<_> = (10..14).map(|at| Arc::new(now.settled(revision(at)))).collect();
    let replace = |at: usize| records.replace(now.revision, rivals[at].clone());
    let (a, b, c, d) = tokio::join!(replace(0), replace(1), replace(2), replace(3));
    let won: Vec<bool> = [a, b, c, d].into_iter().map(|answer| answer.expect("answers")).collect();
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
    let winner = &rivals[won.iter().position(|won| *won).expect("one")];
    assert_eq!(loaded(records).await[&name("one")], **winner);

    // So it is with a name that is free.
    let rivals: Vec<_> = (1..5).map(|at| Arc::new(function("four", at))).collect();
    let insert = |at: usize| records.insert(rivals[at].clone());
    let (a, b, c, d) = tokio::join!(insert(0), insert(1), insert(2), insert(3));
    let won: Vec<bool> = [a, b, c, d].into_iter().map(|answer| answer.expect("answers")).collect();
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");

    // What is not there is neither replaced nor removed; removing asks for the revision, too.
    assert!(!records.replace(revision(1), Arc::new(function("none", 2))).await.expect("answers"));
    assert!(!records.remove(name("none"), revision(1)).await.expect("answers"));
    assert!(!records.remove(name("one"), revision(77)).await.expect("answers"));
    for (function, at) in loaded(records).await.values().map(|function| (function.arn.name.clone(), function.revision))
    {
        assert!(records.remove(function.clone(), at).await.expect("removes"));
        assert!(!records.remove(function, at).await.expect("answers"), "removed twice");
    }
    assert!(loaded(records).await.is_empty());

    // The name is free again.
    assert!(records.insert(Arc::new(function("one", 1))).await.expect("inserts"));
    assert!(records.remove(name("one"), revision(1)).await.expect("removes"));
}

async fn tidy(packages: &dyn Packages, used: Vec<Digest>) {
    packages.retain(used).await.expect("tidies").await.expect("removes");
}

/// The contract of [`Packages`] beside the [`Records`] that use them; both empty, and empty again afterwards.
pub async fn packages_contract(records: &dyn Records, packages: &dyn Packages) {
    let zip = zip_of(&[("bootstrap", 0o755, b"#!/bin/sh\n"), ("lib/data", 0o644, b"data")]);
    let other_zip = zip_of(&[("other", 0o644, b"other")]);

    // Kept under what it hashes to, the same again for the same bytes, also when they come at once.
    let (one, two) = tokio::join!(packages.keep(zip.clone()), packages.keep(zip.clone()));
    let (hold, same_hold) = (one.expect("keeps"), two.expect("keeps"));
    let kept = hold.package;
    assert_eq!(kept, same_hold.package);
    assert_eq!(kept.zip_bytes, zip.len() as u64);
    let other_hold = packages.keep(other_zip.clone()).await.expect("keeps");
    let other = other_hold.package;
    assert_ne!(kept.digest, other.digest);
    assert_eq!(packages.zip(kept.digest).await.expect("reads"), Some(zip.clone()));
    assert_eq!(packages.zip(package(1).digest).await.expect("answers"), None);
    assert!(packages.folder(kept.digest).is_dir());
    assert!(packages.folder(kept.digest).is_absolute());

    // What is no package is refused and leaves nothing.
    for bad in [Bytes::new(), Bytes::from_static(b"PK\x03\x04 and then nothing"), zip.slice(..zip.len() - 30)] {
        let refused = packages.keep(bad).await;
        assert!(matches!(refused, Err(Error::Refused(Refusal::NotAZip { .. }))), "{refused:?}");
    }
    let bytes = usize::try_from(limits::ZIPPED_BYTES).expect("fits") + 1;
    let refused = packages.keep(vec![0; bytes].into()).await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::ZippedTooLarge))), "{refused:?}");

    // Between keeping and the record that needs it, nobody else's tidying removes it, as long as one hold is left.
    drop(same_hold);
    tidy(packages, Vec::new()).await;
    assert_eq!(packages.zip(kept.digest).await.expect("reads"), Some(zip.clone()));

    // Nor while a function is made of it, or somebody says that it is used.
    let made = |text: &str, at, package| Arc::new(Function { package, ..function(text, at) });
    assert!(records.insert(made("one", 1, kept)).await.expect("inserts"));
    assert!(records.insert(made("two", 1, kept)).await.expect("inserts"));
    assert!(records.replace(revision(1), made("one", 2, other)).await.expect("replaces"));
    drop((hold, other_hold));
    tidy(packages, Vec::new()).await;
    assert!(packages.folder(kept.digest).is_dir() && packages.folder(other.digest).is_dir());
    assert!(records.remove(name("two"), revision(1)).await.expect("removes"));
    tidy(packages, vec![kept.digest]).await;
    assert!(packages.zip(kept.digest).await.expect("reads").is_some());

    // Then it goes, and only it: out of sight first, so that it can be kept again while it is being removed.
    let removal = packages.retain(Vec::new()).await.expect("tidies");
    assert_eq!(packages.zip(kept.digest).await.expect("answers"), None);
    assert!(!packages.folder(kept.digest).exists());
    assert_eq!(packages.zip(other.digest).await.expect("reads"), Some(other_zip));

    // What went can come back, and a creation that was refused holds nothing.
    let again = packages.keep(zip.clone()).await.expect("keeps");
    assert_eq!(again.package, kept);
    removal.await.expect("removes");
    assert_eq!(packages.zip(kept.digest).await.expect("reads"), Some(zip));
    assert!(packages.folder(kept.digest).is_dir());
    assert!(!records.insert(made("one", 3, kept)).await.expect("answers"));
    drop(again);
    assert!(records.remove(name("one"), revision(2)).await.expect("removes"));
    tidy(packages, Vec::new()).await;
    for digest in [kept.digest, other.digest] {
        assert_eq!(packages.zip(digest).await.expect("answers"), None);
        assert!(!packages.folder(digest).exists());
    }
}
