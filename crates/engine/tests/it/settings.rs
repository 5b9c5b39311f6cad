//! Settings of functions and their qualifiers: policies and revisions, event invoke settings, loops of invocations.

use std::sync::Arc;

use domain::Refusal;
use domain::alias::Alias;
use domain::arn::Target;
use domain::error::Error;
use domain::names::{AliasName, RevisionId, Version, VersionNumber};
use domain::policy::Permission;
use domain::settings::RecursiveLoop;
use engine::access::{Action, Caller};
use engine::functions::{Destinations, EventInvokeEdit, NewAlias, Publication, Usage};
use testkit::house::{Bounds, House};
use testkit::packages::MemoryPackages;
use testkit::records::MemoryRecords;

const CALLER: &Caller = &Caller::Anyone;

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// A function `fn` with a version and an alias of it, `live`.
async fn house() -> Arc<House> {
    filled(crate::invoker::house(Bounds::default())).await
}

async fn filled(house: impl Into<Arc<House>>) -> Arc<House> {
    let house = house.into();
    house.create("fn").await;
    house.functions.publish_version(CALLER, &house.target("fn"), Publication::default()).await.unwrap();
    let version = Version::Published(VersionNumber::new(1).unwrap());
    let new = NewAlias { name: AliasName::new("live"), version, routing: None, description: String::new() };
    house.functions.create_alias(CALLER, &house.target("fn"), new).await.unwrap();
    house
}

fn alias(house: &House) -> Alias {
    house.functions.get_alias(CALLER, &house.target("fn"), &AliasName::new("live")).unwrap()
}

fn revisions(house: &House) -> [RevisionId; 3] {
    let of = |target: &Target| house.functions.get_function(CALLER, Action::GetFunction, target).unwrap().0.revision;
    [of(&house.target("fn")), of(&house.target("fn:1")), alias(house).revision]
}

async fn add(house: &House, name: &str, sid: &str, revision: Option<String>) -> Result<String, Error> {
    let permission = Permission {
        sid: sid.to_owned(),
        action: "lambda:InvokeFunction".to_owned(),
        principal: "s3.amazonaws.com".to_owned(),
        ..Permission::default()
    };
    house.functions.add_permission(CALLER, &house.target(name), permission, revision).await
}

#[tokio::test]
async fn a_permission_changes_the_revision_of_what_it_belongs_to_and_no_other() {
    // Recorded: test_lambda_permission_revisions, test_function_revisions_permissions.
    let house = house().await;
    for (changed, name) in ["fn", "fn:1", "fn:live"].into_iter().enumerate() {
        let remove = |revision: Option<String>| {
            let (functions, target) = (house.functions.clone(), house.target(name));
            async move { functions.remove_permission(CALLER, &target, "s".to_owned(), revision).await }
        };
        for step in ["add", "remove"] {
            let before = revisions(&house);
            let current = Some(before[changed].to_string());
            let stale = Some("wrong".to_owned());
            if step == "add" {
                assert_eq!(refused(add(&house, name, "s", stale).await), Refusal::PolicyRevisionMismatch);
                add(&house, name, "s", current).await.unwrap();
                let (_, revision) = house.functions.get_policy(CALLER, &house.target(name)).unwrap();
                assert_eq!(revision, revisions(&house)[changed], "{name}");
            } else {
                assert_eq!(refused(remove(stale).await), Refusal::RevisionMismatch);
                remove(current).await.unwrap();
            }
            let after = revisions(&house);
            for (index, (before, after)) in before.iter().zip(&after).enumerate() {
                assert_eq!(before != after, index == changed, "{step} {name}: revision {index}");
            }
        }
        let gone = house.functions.get_policy(CALLER, &house.target(name));
        assert_eq!(refused(gone), Refusal::NoSuchResource);
    }
}

#[tokio::test]
async fn a_policy_has_a_limit_and_goes_with_its_qualifier() {
    let house = house().await;
    let sid = |number: usize| format!("{number:0100}");
    let mut count = 0;
    let refusal = loop {
        match add(&house, "fn:live", &sid(count), None).await {
            Ok(_) => count += 1,
            Err(refusal) => break refused::<()>(Err(refusal)),
        }
    };
    let Refusal::PolicyTooLarge { bytes } = refusal else { panic!("{refusal:?}") };
    assert!(bytes > 20_480 && count > 50, "{count} statements, {bytes} bytes");
    let (document, _) = house.functions.get_policy(CALLER, &house.target("fn:live")).unwrap();
    assert!(document.len() <= 20_480 && document.contains(&sid(count - 1)) && !document.contains(&sid(count)));

    house.functions.delete_alias(CALLER, &house.target("fn"), AliasName::new("live")).await.unwrap();
    recreate_alias(&house).await;
    assert_eq!(refused(house.functions.get_policy(CALLER, &house.target("fn:live"))), Refusal::NoSuchResource);
}

async fn recreate_alias(house: &House) {
    let new =
        NewAlias { name: AliasName::new("live"), version: Version::Latest, routing: None, description: String::new() };
    house.functions.create_alias(CALLER, &house.target("fn"), new).await.unwrap();
}

#[tokio::test]
async fn put_replaces_update_merges_and_all_of_it_outlives_a_restart() {
    // Recorded: test_lambda_eventinvokeconfig_exceptions.
    let records = Arc::new(MemoryRecords::new());
    let packages = Arc::new(MemoryPackages::beside(records.clone()));
    let house = filled(House::over(records.clone(), packages.clone(), Bounds::default())).await;
    let (functions, live) = (&house.functions, house.target("fn:live"));
    let retries = |retries| EventInvokeEdit { retries_max: Some(retries), ..EventInvokeEdit::default() };
    let update = functions.update_event_invoke_config(CALLER, &live, retries(1)).await;
    assert_eq!(refused(update), Refusal::NoEventInvokeConfig { arn: live.as_invoked() });
    let on_failure = Some("arn:aws:sqs:us-east-1:000000000000:q".to_owned());
    let destinations = Some(Destinations { on_success: None, on_failure: on_failure.clone() });
    let whole = EventInvokeEdit { retries_max: Some(2), age_seconds_max: Some(60), destinations };
    functions.put_event_invoke_config(CALLER, &live, whole).await.unwrap();
    let updated = functions.update_event_invoke_config(CALLER, &live, retries(0)).await.unwrap();
    let values = (updated.retries_max, updated.age_seconds_max, updated.on_failure.clone());
    assert_eq!(values, (Some(0), Some(60), on_failure));
    let put = functions.put_event_invoke_config(CALLER, &house.target("fn"), retries(0)).await.unwrap();
    assert_eq!((put.retries_max, put.age_seconds_max, put.on_failure), (Some(0), None, None));
    functions.put_recursion_config(CALLER, &house.target("fn"), RecursiveLoop::Allow).await.unwrap();
    add(&house, "fn", "s", None).await.unwrap();
    functions.tag_resource(CALLER, &house.target("fn"), vec![("k".to_owned(), "v".to_owned())]).await.unwrap();
    let policy = functions.get_policy(CALLER, &house.target("fn")).unwrap();

    let house = House::over(records, packages, Bounds::default());
    house.functions.load().await.unwrap();
    let (functions, target) = (&house.functions, house.target("fn"));
    assert_eq!(functions.get_event_invoke_config(CALLER, &live).unwrap(), updated);
    assert_eq!(functions.get_recursion_config(CALLER, &target).unwrap(), RecursiveLoop::Allow);
    assert_eq!(functions.get_policy(CALLER, &target).unwrap(), policy);
    assert_eq!(functions.list_tags(CALLER, &target).unwrap(), [("k".to_owned(), "v".to_owned())]);
    let first = functions.list_event_invoke_configs(CALLER, &target, None, 1).unwrap();
    let rest = functions.list_event_invoke_configs(CALLER, &target, first.next.as_ref(), 9).unwrap();
    let places: Vec<String> = first.items.iter().chain(&rest.items).map(|(place, _)| place.to_string()).collect();
    assert_eq!((places, rest.next), (vec!["$LATEST".to_owned(), "live".to_owned()], None));
}

#[tokio::test]
async fn a_function_of_another_account_is_no_destination_because_of_its_name() {
    let house = house().await;
    house.create("other").await;
    let put = |account: &str| {
        let on_success = Some(format!("arn:aws:lambda:us-east-1:{account}:function:other"));
        let destinations = Some(Destinations { on_success, on_failure: None });
        let edit = EventInvokeEdit { destinations, ..EventInvokeEdit::default() };
        let (functions, target) = (house.functions.clone(), house.target("fn"));
        async move { functions.put_event_invoke_config(CALLER, &target, edit).await }
    };
    let own = house.target("fn").arn.account().to_owned();
    put(&own).await.unwrap();
    assert!(matches!(refused(put("999999999999").await), Refusal::DestinationNotFound { .. }));
}

#[tokio::test]
async fn a_loop_is_stopped_at_the_seventeenth_pass_unless_it_may_go_on() {
    // AWS developer guide, invocation-recursion.
    let house = house().await;
    let mut ask = house.ask("fn", "{}");
    let mut passes = 0;
    let refusal = loop {
        // As an SDK inside the function passes it on; the version that runs does not matter, nor does the root.
        ask.target = house.target(["fn", "fn:1", "fn:live"][passes % 3]);
        match house.invoke(ask.clone()).await {
            Ok(answered) => {
                let (_, lineage) = answered.trace.split_once(";Lineage=").unwrap();
                ask.trace = Some(format!("Root=1-{passes:08x}-0;Sampled=0;Lineage={lineage}"));
            }
            Err(refusal) => break refused::<()>(Err(refusal)),
        }
        passes += 1;
    };
    assert_eq!((refusal, passes), (Refusal::RecursiveInvocation, 16));
    // A header without root says as much.
    let lineage = ask.trace.as_deref().unwrap().split_once(";Lineage=").unwrap().1;
    ask.trace = Some(format!("Lineage={lineage}"));
    assert_eq!(refused(house.invoke(ask.clone()).await), Refusal::RecursiveInvocation);
    // Another function has not looped.
    house.create("other").await;
    ask.target = house.target("other");
    house.invoke(ask.clone()).await.unwrap();
    ask.target = house.target("fn");
    house.functions.put_recursion_config(CALLER, &house.target("fn"), RecursiveLoop::Allow).await.unwrap();
    house.invoke(ask).await.unwrap();
}

#[tokio::test]
async fn each_version_counts_with_its_code() {
    // Recorded: test_account_settings_total_code_size_config_update.
    let house = house().await;
    let (latest, _) = house.functions.get_function(CALLER, Action::GetFunction, &house.target("fn")).unwrap();
    let bytes = latest.code.bytes();
    assert!(bytes > 0);
    let expected = Usage { functions: 1, code_bytes: bytes * 2, reserved: 0 };
    assert_eq!(house.functions.account_usage(CALLER).unwrap(), expected);
}
