//! What every implementation of a port promises. A fake that keeps them is as honest as the real one.

pub mod events;
mod queues;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use domain::Error;
use domain::alias::{Alias, Routing};
use domain::arn::Home;
use domain::error::Refusal;
use domain::function::{
    Change, Code, Configuration, Digest, Failing, FileSystem, Function, LayerUse, LogFormat, LogLevel, Logging,
    Network, NewFunction, Package, Program, Tracing,
};
use domain::image::{Image, ImageConfig, ImageProblem};
use domain::layer::{Layer, LayerName, LayerPolicy, LayerStatement, LayerVersion};
use domain::limits;
use domain::names::{AliasName, FunctionName, Qualifier, RevisionId, Version, VersionNumber};
use domain::runtime::Runtime;
use domain::settings::{Condition, EventInvokeConfig, Provisioned, RecursiveLoop, Settings, Statement};
use domain::variables::Variables;
use engine::ports::{LayerRecords, Packages, Record, Records, VersionChange};
use jiff::Timestamp;
use uuid::Uuid;

pub use self::queues::{message, queue, queue_records_contract, receiving};
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
            program: Program::Runtime {
                runtime: Runtime::parse("python3.12").expect("known"),
                handler: "app.handler".into(),
            },
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
        tags: Vec::new(),
    }
    .with(Code::Package(package(9)), revision(at), moment())
}

/// A function of an image in which every field of its own has a value, and whose last update failed.
pub fn image_function(text: &str, at: u128) -> Function {
    let image = Image {
        uri: "localhost:5000/a:v1".into(),
        resolved: "localhost:5000/a@sha256:b".into(),
        digest: Digest([12; 32]),
    };
    let config = ImageConfig {
        entry_point: vec!["/entry".into(), "-v".into()],
        command: vec!["app.handler".into()],
        working_directory: Some("/app".into()),
    };
    let configuration = Configuration::of(Program::Image(config), "arn:aws:iam::000000000000:role/r".into());
    let new = NewFunction { arn: home().function_arn(&name(text)), configuration, tags: Vec::new() };
    let failing = Failing { problem: ImageProblem::AccessDenied, reason: "nobody answers".into() };
    new.with(Code::Image(image), revision(at), moment()).failed(failing, None, revision(at))
}

fn moment() -> Timestamp {
    Timestamp::new(1_700_000_000, 123_456_789).expect("in range")
}

/// A function with aliases and settings in which every field has a value of its own.
pub fn record(latest: Function) -> Record {
    let number = |number| VersionNumber::new(number).expect("not 0");
    let alias = Alias {
        name: AliasName::new("live"),
        version: Version::Published(number(3)),
        routing: Some(Routing { version: number(4), weight: 0.1 }),
        description: "d".into(),
        revision: revision(5),
    };
    let qualifier = Qualifier::Alias(alias.name.clone());
    let condition = Condition { operator: "Bool".into(), key: "k".into(), value: "true".into() };
    let statement =
        Statement { sid: "s".into(), action: "lambda:*".into(), principal: "*".into(), conditions: vec![condition] };
    let event_invoke = EventInvokeConfig {
        retries_max: Some(0),
        age_seconds_max: Some(60),
        on_success: Some("arn:b".into()),
        on_failure: Some("arn:c".into()),
        modified_at: moment(),
    };
    let settings = Settings {
        last_version: Some(number(9)),
        tags: vec![("z".into(), "1".into()), ("a".into(), "2".into())],
        reserved: Some(0),
        recursion: RecursiveLoop::Allow,
        policies: BTreeMap::from([(Qualifier::Latest, vec![statement])]),
        event_invoke: BTreeMap::from([(qualifier.clone(), event_invoke)]),
        provisioned: BTreeMap::from([(qualifier, Provisioned { requested: 7, modified_at: moment() })]),
    };
    Record {
        latest: Arc::new(latest),
        aliases: Arc::new(BTreeMap::from([(alias.name.clone(), alias)])),
        settings: Arc::new(settings),
    }
}

/// A function without aliases and settings.
pub fn plain(latest: Function) -> Record {
    Record { latest: Arc::new(latest), aliases: Arc::default(), settings: Arc::default() }
}

/// A published version of a function, with a package of its own.
pub fn version(text: &str, number: u64) -> Arc<Function> {
    let latest = function(text, 1);
    let digest = package(u8::try_from(100 + number).expect("small"));
    let number = VersionNumber::new(number).expect("not 0");
    Arc::new(Function { code: Code::Package(digest), ..latest.published(number, None, revision(50)) })
}

async fn loaded(records: &dyn Records) -> BTreeMap<FunctionName, (Record, Vec<Function>)> {
    let all = records.load().await.expect("loads");
    let count = all.len();
    let by_name: BTreeMap<_, _> = all.into_iter().map(|found| (found.0.latest.arn.name.clone(), found)).collect();
    assert_eq!(by_name.len(), count, "a name was loaded twice");
    by_name
}

/// The contract of [`Records`], for an implementation that is empty; it is empty again afterwards.
pub async fn records_contract(records: &dyn Records) {
    assert!(loaded(records).await.is_empty(), "the contract starts with nothing");

    // A name is taken once; the second is told so and changes nothing.
    let first = function("one", 1);
    assert!(records.insert(record(first.clone()), Vec::new()).await.expect("inserts"));
    assert!(!records.insert(record(function("one", 2)), vec![version("one", 1)]).await.expect("answers"));
    assert_eq!(loaded(records).await, BTreeMap::from([(name("one"), (record(first.clone()), Vec::new()))]));

    // What is absent stays absent, and apart from what is empty.
    let mut bare = function("two", 1);
    bare.configuration.variables = None;
    bare.configuration.logging = Logging::default();
    bare.configuration.dead_letter = None;
    bare.configuration.layers.clear();
    bare.configuration.file_systems.clear();
    bare.configuration.network = None;
    let mut empty = function("three", 1);
    empty.configuration.variables = Some(Variables::default());
    empty.configuration.network = Some(Network::default());
    let bare = plain(bare);
    assert!(records.insert(bare.clone(), Vec::new()).await.expect("inserts"));
    assert!(records.insert(record(empty.clone()), Vec::new()).await.expect("inserts"));
    let image = record(image_function("five", 1));
    assert!(records.insert(image.clone(), Vec::new()).await.expect("inserts"));
    let all = loaded(records).await;
    assert_eq!(all[&name("five")].0, image);
    assert_eq!((&all[&name("two")].0, &all[&name("three")].0), (&bare, &record(empty)));

    // Every state is kept, under the revision that is expected next.
    let mut now = first;
    for (at, next) in [
        (2, now.settled(revision(2))),
        (
            3,
            now.settled(revision(2)).updated(
                Change::Code(Code::Package(package(8))),
                revision(3),
                Timestamp::UNIX_EPOCH,
            ),
        ),
        (4, now.settled(revision(4))),
    ] {
        let stale = revision(77);
        let replaced = records.replace(stale, record(next.clone()), Vec::new());
        assert!(!replaced.await.expect("answers"), "a stale revision won");
        assert_eq!(loaded(records).await[&name("one")].0, record(now.clone()));
        let replaced = records.replace(now.revision, record(next.clone()), Vec::new());
        assert!(replaced.await.expect("replaces"), "to revision {at}");
        now = next;
        assert_eq!(loaded(records).await[&name("one")].0, record(now.clone()));
    }

    // Versions come and go with the record, in the same step or not at all.
    let put = |number| VersionChange::Put(version("one", number));
    let remove = |number| VersionChange::Remove(VersionNumber::new(number).expect("not 0"));
    let same = || record(now.clone());
    let stale = records.replace(revision(77), same(), vec![put(1)]);
    assert!(!stale.await.expect("answers"));
    assert_eq!(loaded(records).await[&name("one")].1, Vec::new());
    assert!(records.replace(now.revision, same(), vec![put(1), put(2), put(10)]).await.expect("replaces"));
    assert!(records.replace(now.revision, same(), vec![put(2), remove(1)]).await.expect("replaces"));
    let expected: Vec<Function> = [2, 10].map(|number| Function::clone(&version("one", number))).into();
    assert_eq!(loaded(records).await[&name("one")].1, expected);

    // Of those who start from the same revision one wins.
    let rivals: Vec<_> = (10..14).map(|at| record(now.settled(revision(at)))).collect();
    let replace = |at: usize| records.replace(now.revision, rivals[at].clone(), Vec::new());
    let (a, b, c, d) = tokio::join!(replace(0), replace(1), replace(2), replace(3));
    let won: Vec<bool> = [a, b, c, d].into_iter().map(|answer| answer.expect("answers")).collect();
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
    let winner = &rivals[won.iter().position(|won| *won).expect("one")];
    assert_eq!(loaded(records).await[&name("one")].0, *winner);

    // So it is with a name that is free.
    let rivals: Vec<_> = (1..5).map(|at| record(function("four", at))).collect();
    let insert = |at: usize| records.insert(rivals[at].clone(), vec![version("four", 1)]);
    let (a, b, c, d) = tokio::join!(insert(0), insert(1), insert(2), insert(3));
    let won: Vec<bool> = [a, b, c, d].into_iter().map(|answer| answer.expect("answers")).collect();
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");

    // What is not there is neither replaced nor removed; removing asks for the revision, too.
    assert!(!records.replace(revision(1), record(function("none", 2)), Vec::new()).await.expect("answers"));
    assert!(!records.remove(name("none"), revision(1)).await.expect("answers"));
    assert!(!records.remove(name("one"), revision(77)).await.expect("answers"));
    for (record, _) in loaded(records).await.into_values() {
        let (function, at) = (record.latest.arn.name.clone(), record.latest.revision);
        assert!(records.remove(function.clone(), at).await.expect("removes"));
        assert!(!records.remove(function, at).await.expect("answers"), "removed twice");
    }
    assert!(loaded(records).await.is_empty());

    // The name is free again, and the versions went with the function.
    assert!(records.insert(record(function("one", 1)), Vec::new()).await.expect("inserts"));
    assert_eq!(loaded(records).await[&name("one")].1, Vec::new());
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
    let bytes = usize::try_from(limits::UNZIPPED_BYTES).expect("fits") + 1;
    let refused = packages.keep(vec![0; bytes].into()).await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::UnzippedTooLarge))), "{refused:?}");

    // Between keeping and the record that needs it, nobody else's tidying removes it, as long as one hold is left.
    drop(same_hold);
    tidy(packages, Vec::new()).await;
    assert_eq!(packages.zip(kept.digest).await.expect("reads"), Some(zip.clone()));

    // Nor while a function is made of it, or somebody says that it is used.
    let made = |text: &str, at, package| record(Function { code: Code::Package(package), ..function(text, at) });
    let published =
        |package| vec![Arc::new(Function { code: Code::Package(package), ..Function::clone(&version("two", 1)) })];
    assert!(records.insert(made("one", 1, kept), Vec::new()).await.expect("inserts"));
    assert!(records.insert(made("two", 1, other), published(kept)).await.expect("inserts"));
    assert!(records.replace(revision(1), made("one", 2, other), Vec::new()).await.expect("replaces"));
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
    assert!(!records.insert(made("one", 3, kept), Vec::new()).await.expect("answers"));
    drop(again);
    assert!(records.remove(name("one"), revision(2)).await.expect("removes"));
    tidy(packages, Vec::new()).await;
    for digest in [kept.digest, other.digest] {
        assert_eq!(packages.zip(digest).await.expect("answers"), None);
        assert!(!packages.folder(digest).exists());
    }
}

/// A layer version in which every field has a value of its own.
pub fn layer_version(text: &str, number: u64) -> LayerVersion {
    LayerVersion {
        layer: home().layer_arn(&LayerName::parse(text).expect("the test's own name is valid")),
        number,
        package: package(21),
        description: "what is in it, \u{fc}ber\nlines".into(),
        license: Some("MIT".into()),
        runtimes: vec!["python3.12".into(), "nodejs22.x".into()],
        architectures: vec!["x86_64".into()],
        created_at: Timestamp::new(1_700_000_000, 123_456_789).expect("in range"),
        policy: None,
    }
}

async fn loaded_layers(records: &dyn LayerRecords) -> BTreeMap<String, Layer> {
    let all = records.load_layers().await.expect("loads");
    all.into_iter().map(|layer| (layer.arn.name.to_string(), layer)).collect()
}

/// The contract of [`LayerRecords`], for an implementation without layers.
pub async fn layer_records_contract(records: &dyn LayerRecords) {
    assert!(loaded_layers(records).await.is_empty(), "the contract starts with nothing");

    // Numbers go up by one; any other changes nothing.
    let insert =
        async |version: &LayerVersion| records.insert_layer_version(Arc::new(version.clone())).await.expect("answers");
    let first = layer_version("one", 1);
    for (number, is_next) in [(0, false), (2, false), (1, true), (1, false), (3, false)] {
        assert_eq!(insert(&layer_version("one", number)).await, is_next, "number {number}");
    }
    let bare = LayerVersion {
        license: None,
        runtimes: Vec::new(),
        architectures: Vec::new(),
        description: String::new(),
        ..layer_version("one", 2)
    };
    assert!(insert(&bare).await && insert(&layer_version("two", 1)).await);
    let all = loaded_layers(records).await;
    assert_eq!((&*all["one"].versions[&1], &*all["one"].versions[&2]), (&first, &bare));
    assert_eq!((all["one"].last, all["two"].last, all.len()), (2, 1, 2));

    // A policy comes and goes.
    let statement = LayerStatement { id: "s".into(), principal: "*".into(), organization: Some("o-1".into()) };
    let policy = LayerPolicy { statements: vec![statement], revision: revision(7) };
    for policy in [Some(policy), None] {
        let with = LayerVersion { policy, ..first.clone() };
        assert!(records.replace_layer_version(Arc::new(with.clone())).await.expect("answers"));
        assert_eq!(*loaded_layers(records).await["one"].versions[&1], with);
    }
    assert!(!records.replace_layer_version(Arc::new(layer_version("one", 9))).await.expect("answers"));

    // Tags are the layer's, in order.
    let name = |text: &str| LayerName::parse(text).expect("valid");
    let tags = |keys: &[&str]| keys.iter().map(|key| ((*key).to_owned(), "\u{fc}".to_owned())).collect::<Vec<_>>();
    for keys in [&["b", "a"][..], &[], &["c"]] {
        assert!(records.set_layer_tags(name("one"), tags(keys)).await.expect("answers"));
        let all = loaded_layers(records).await;
        assert_eq!((&all["one"].tags, &all["two"].tags), (&tags(keys), &Vec::new()));
    }
    assert!(!records.set_layer_tags(name("none"), tags(&["a"])).await.expect("answers"));

    // What goes leaves its number behind, and with the last version the tags go.
    let remove = async |text: &str, number| {
        let name = LayerName::parse(text).expect("valid");
        records.remove_layer_version(name, number).await.expect("answers")
    };
    assert!(remove("one", 1).await);
    assert_eq!(loaded_layers(records).await["one"].tags, tags(&["c"]));
    assert!(remove("one", 2).await && remove("two", 1).await);
    for (text, number) in [("one", 2), ("one", 0), ("one", u64::MAX), ("none", 1)] {
        assert!(!remove(text, number).await, "{text} {number}");
    }
    let all = loaded_layers(records).await;
    assert!(all["one"].versions.is_empty() && all["one"].tags.is_empty());
    assert_eq!((all["one"].last, all["two"].last), (2, 1));
    assert!(!insert(&layer_version("one", 1)).await && insert(&layer_version("one", 3)).await);
    assert!(remove("one", 3).await);
}

/// The contract of [`Packages`] beside the [`LayerRecords`] that use them; no packages before and after.
pub async fn layer_packages_contract((records, layers): (&dyn Records, &dyn LayerRecords), packages: &dyn Packages) {
    let zip = zip_of(&[("python/mod.py", 0o644, b"data"), ("bin/tool", 0o755, b"#!/bin/sh\n")]);
    let kept = packages.keep(zip.clone()).await.expect("keeps");
    let package_kept = kept.package;
    assert_eq!(packages.unpacked_bytes(package_kept.digest).await.expect("measures"), 14);
    assert!(packages.unpacked_bytes(package(1).digest).await.is_err());
    assert!(packages.hold(package(1)).await.expect("answers").is_none());

    // A hold on what is kept keeps it; so does a layer version.
    let held = packages.hold(package_kept).await.expect("answers").expect("it is there");
    drop(kept);
    tidy(packages, Vec::new()).await;
    assert_eq!(packages.zip(package_kept.digest).await.expect("reads"), Some(zip.clone()));
    let layer = LayerVersion { package: package_kept, ..layer_version("packed", 1) };
    assert!(layers.insert_layer_version(Arc::new(layer.clone())).await.expect("inserts"));
    drop(held);
    tidy(packages, Vec::new()).await;
    assert!(packages.folder(package_kept.digest).is_dir());

    // And a function that uses it, when the layer version has gone; also one whose published version alone does.
    let layered = |mut made: Function| {
        made.configuration.layers = vec![LayerUse { arn: layer.arn(), package: package_kept }];
        made
    };
    let published = Arc::new(layered(Function::clone(&version("layered", 1))));
    assert!(records.insert(record(layered(function("layered", 1))), Vec::new()).await.expect("inserts"));
    assert!(layers.remove_layer_version(layer.layer.name.clone(), 1).await.expect("removes"));
    tidy(packages, Vec::new()).await;
    assert!(packages.folder(package_kept.digest).is_dir());
    assert!(records.insert(record(function("published", 1)), vec![published]).await.expect("inserts"));
    assert!(records.remove(name("layered"), revision(1)).await.expect("removes"));
    tidy(packages, Vec::new()).await;
    assert!(packages.folder(package_kept.digest).is_dir());
    assert!(records.remove(name("published"), revision(1)).await.expect("removes"));
    tidy(packages, Vec::new()).await;
    assert!(!packages.folder(package_kept.digest).exists());
    assert!(packages.hold(package_kept).await.expect("answers").is_none());
}
