//! Versions and aliases: numbers, weights, and which environment serves whom.

use std::sync::Arc;

use domain::Refusal;
use domain::alias::Routing;
use domain::arn::Target;
use domain::error::Error;
use domain::function::{Configuration, LastUpdate, State};
use domain::names::{AliasName, Qualifier, Version, VersionNumber};
use engine::access::{Action, Caller};
use engine::functions::{AliasEdit, CodeUpdate, Edit, NewAlias, Publication};
use engine::invoker::Ask;
use testkit::house::{Bounds, House};
use testkit::packages::{MemoryPackages, zip_of};
use testkit::records::MemoryRecords;

fn house() -> Arc<House> {
    crate::invoker::house(Bounds::default())
}

fn ask(house: &House, target: Target) -> Ask {
    Ask { target, ..house.ask("fn", "{}") }
}

fn started(house: &House) -> usize {
    house.sandbox.started.lock().unwrap().len()
}

const CALLER: &Caller = &Caller::Anyone;

fn number(number: u64) -> VersionNumber {
    VersionNumber::new(number).unwrap()
}

fn qualified(house: &House, qualifier: &str) -> Target {
    house.target(&format!("fn:{qualifier}"))
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

async fn publish(house: &House) -> Arc<domain::function::Function> {
    house.functions.publish_version(CALLER, &house.target("fn"), Publication::default()).await.unwrap()
}

async fn change_code(house: &House, code: &str, publish: bool) -> Arc<domain::function::Function> {
    let how = CodeUpdate { dry_run: false, publish };
    let zip = zip_of(&[("app.py", 0o644, code.as_bytes())]);
    let updated = house.functions.update_function_code(CALLER, &house.target("fn"), None, how, zip).await.unwrap();
    house.settled("fn").await;
    updated
}

async fn create_alias(house: &House, version: Version, routing: Option<Routing>) {
    let new = NewAlias { name: AliasName::new("live"), version, routing, description: String::new() };
    house.functions.create_alias(CALLER, &house.target("fn"), new).await.unwrap();
}

#[tokio::test]
async fn publishing_twice_without_a_change_answers_the_same_version() {
    // Recorded: test_version_lifecycle, test_publish_version_on_create.
    let house = house();
    let latest = house.create("fn").await;
    let first = publish(&house).await;
    assert_eq!((first.version, first.state), (Version::Published(number(1)), State::Active));
    assert_eq!(first.last_update, Some(LastUpdate::Successful));
    assert_ne!(house.settled("fn").await.revision, latest.revision);
    let again = publish(&house).await;
    assert_eq!((again.version, again.revision), (first.version, first.revision));
    change_code(&house, "other", false).await;
    assert_eq!(publish(&house).await.version, Version::Published(number(2)));
}

#[tokio::test]
async fn a_number_is_never_given_twice() {
    // AWS developer guide, configuration-versions.
    let house = house();
    house.create("fn").await;
    publish(&house).await;
    house.functions.delete_function(CALLER, &qualified(&house, "1")).await.unwrap();
    assert_eq!(publish(&house).await.version, Version::Published(number(2)));
}

#[tokio::test]
async fn what_the_caller_has_not_seen_is_not_published() {
    // Recorded: test_publish_with_wrong_sha256, test_publish_with_wrong_revisionid.
    let house = house();
    let latest = house.create("fn").await;
    let target = house.target("fn");
    let publish = |asked| house.functions.publish_version(CALLER, &target, asked);
    let wrong = Publication { code: Some("no".to_owned()), ..Publication::default() };
    let current = latest.code.sha256();
    assert_eq!(refused(publish(wrong).await), Refusal::OtherCode { given: "no".to_owned(), current: current.clone() });
    let wrong = Publication { revision: Some("no".to_owned()), ..Publication::default() };
    assert_eq!(refused(publish(wrong).await), Refusal::RevisionMismatch);
    let right = Publication { code: Some(current), revision: Some(latest.revision.to_string()), description: None };
    publish(right).await.unwrap();
}

#[tokio::test]
async fn a_version_keeps_its_code_and_configuration_and_its_environments() {
    let house = house();
    house.create("fn").await;
    let first = publish(&house).await;
    let edit = Edit::of_settings(|current: &Configuration| Ok(Configuration { memory_mb: 256, ..current.clone() }));
    house.functions.update_function_configuration(CALLER, &house.target("fn"), edit, None).await.unwrap();
    house.settled("fn").await;
    let second = change_code(&house, "two", true).await;
    // Recorded: test_publish_version_on_create.
    assert_eq!((second.version, second.state), (Version::Published(number(2)), State::Pending));
    let shown = |qualifier: &str| {
        let target = qualified(&house, qualifier);
        house.functions.get_function(CALLER, Action::GetFunction, &target).unwrap().0
    };
    assert_eq!(shown("2").state, State::Active);
    assert_eq!((shown("1").configuration.memory_mb, shown("2").configuration.memory_mb), (128, 256));
    assert_eq!(shown("1").code, first.code);
    assert_ne!(shown("2").code, first.code);

    // Each version has environments of its own, which say which version they are.
    for (qualifier, environments) in [("1", 1), ("2", 2), ("$LATEST", 3), ("1", 3), ("2", 3), ("$LATEST", 3)] {
        let answered = house.invoker.invoke(CALLER, ask(&house, qualified(&house, qualifier))).await.unwrap();
        assert_eq!(answered.executed_version.to_string(), qualifier);
        house.breathe().await;
        assert_eq!(started(&house), environments, "{qualifier}");
    }
}

#[tokio::test]
async fn an_alias_leads_to_its_version_and_its_weights_are_honoured() {
    let house = house();
    house.create("fn").await;
    publish(&house).await;
    change_code(&house, "two", true).await;
    create_alias(&house, Version::Published(number(1)), Some(Routing { version: number(2), weight: 0.3 })).await;
    let mut second = 0_u32;
    for _ in 0..10_000 {
        let answered = house.invoker.invoke(CALLER, ask(&house, qualified(&house, "live"))).await.unwrap();
        second += u32::from(answered.executed_version == Version::Published(number(2)));
    }
    // Three standard deviations of a binomial distribution: sqrt(10,000 * 0.3 * 0.7) is 45.8.
    assert!(second.abs_diff(3_000) < 138, "{second} of 10,000 ran version 2");

    // The control plane shows the alias's own version.
    let (shown, _) = house.functions.get_function(CALLER, Action::GetFunction, &qualified(&house, "live")).unwrap();
    assert_eq!(shown.version, Version::Published(number(1)));
}

#[tokio::test]
async fn an_alias_follows_its_update_and_guards_its_versions() {
    let house = house();
    house.create("fn").await;
    publish(&house).await;
    change_code(&house, "two", true).await;
    create_alias(&house, Version::Published(number(1)), None).await;
    let arn = house.target("fn").arn.qualified(&Qualifier::Alias(AliasName::new("live")));
    let delete = |qualifier: &'static str| {
        let target = qualified(&house, qualifier);
        let functions = house.functions.clone();
        async move { functions.delete_function(CALLER, &target).await }
    };
    assert_eq!(refused(delete("1").await), Refusal::VersionInUse { aliases: vec![arn] });
    assert_eq!(refused(delete("live").await), Refusal::AliasCannotBeDeleted);
    let name = AliasName::new("live");
    let edit = AliasEdit { version: Some(Version::Published(number(2))), ..AliasEdit::default() };
    let target = house.target("fn");
    let before = house.functions.get_alias(CALLER, &target, &name).unwrap();
    let updated = house.functions.update_alias(CALLER, &target, name.clone(), edit.clone()).await.unwrap();
    assert_ne!(updated.revision, before.revision);
    let stale = AliasEdit { revision: Some(before.revision.to_string()), ..edit };
    assert_eq!(
        refused(house.functions.update_alias(CALLER, &target, name.clone(), stale).await),
        Refusal::RevisionMismatch
    );
    delete("1").await.unwrap();
    let answered = house.invoker.invoke(CALLER, ask(&house, qualified(&house, "live"))).await.unwrap();
    assert_eq!(answered.executed_version, Version::Published(number(2)));
    house.functions.delete_alias(CALLER, &target, name.clone()).await.unwrap();
    // Recorded: test_alias_lifecycle: again is no error.
    house.functions.delete_alias(CALLER, &target, name).await.unwrap();
    let invoked = house.invoker.invoke(CALLER, ask(&house, qualified(&house, "live"))).await;
    assert!(matches!(refused(invoked), Refusal::FunctionNotFound { .. }));
}

#[tokio::test]
async fn versions_and_aliases_outlive_a_restart() {
    let records = Arc::new(MemoryRecords::new());
    let packages = Arc::new(MemoryPackages::beside(records.clone()));
    let house = House::over(records.clone(), packages.clone(), Bounds::default());
    house.create("fn").await;
    publish(&house).await;
    change_code(&house, "two", true).await;
    create_alias(&house, Version::Published(number(2)), None).await;
    let house = House::over(records, packages, Bounds::default());
    house.functions.load().await.unwrap();
    let listed = house.functions.list_versions(CALLER, &house.target("fn"), None, 9).unwrap().items;
    let versions: Vec<String> = listed.iter().map(|version| version.version.to_string()).collect();
    assert_eq!(versions, ["$LATEST", "1", "2"]);
    let alias = house.functions.get_alias(CALLER, &house.target("fn"), &AliasName::new("live")).unwrap();
    assert_eq!(alias.version, Version::Published(number(2)));
    // Numbers go on where they were.
    change_code(&house, "three", false).await;
    assert_eq!(publish(&house).await.version, Version::Published(number(3)));
}

#[tokio::test]
async fn a_dry_run_judges_and_runs_nothing() {
    // Recorded: test_invocation_type_dry_run.
    let house = house();
    house.create("fn").await;
    house.invoker.dry_run(CALLER, ask(&house, house.target("fn"))).await.unwrap();
    assert_eq!((started(&house), house.invoker.running()), (0, 0));
    let unknown = refused(house.invoker.dry_run(CALLER, ask(&house, house.target("none"))).await);
    assert!(matches!(unknown, Refusal::FunctionNotFound { .. }));
    let mut bad = ask(&house, house.target("fn"));
    bad.payload = "{".into();
    assert!(matches!(refused(house.invoker.dry_run(CALLER, bad).await), Refusal::PayloadNotJson { .. }));
}

#[tokio::test]
async fn a_version_cannot_be_updated_nor_be_published_again() {
    let house = house();
    house.create("fn").await;
    let first = publish(&house).await;
    let target = qualified(&house, "1");
    let how = CodeUpdate::default();
    let zip = zip_of(&[("app.py", 0o644, b"other")]);
    let updated = house.functions.update_function_code(CALLER, &target, None, how, zip).await;
    assert_eq!(refused(updated), Refusal::FunctionsOnly);
    let edit = Edit::of_settings(|current: &Configuration| Ok(current.clone()));
    let updated = house.functions.update_function_configuration(CALLER, &target, edit, None).await;
    assert_eq!(refused(updated), Refusal::FunctionsOnly);
    let published = house.functions.publish_version(CALLER, &target, Publication::default()).await;
    assert_eq!(refused(published), Refusal::FunctionsOnly);
    let (shown, _) = house.functions.get_function(CALLER, Action::GetFunction, &target).unwrap();
    assert_eq!(*shown, *first);
}
