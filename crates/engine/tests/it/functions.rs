//! Creating, listing, changing, deleting, and what a restart finds.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use domain::function::{Configuration, Function, State};
use domain::names::FunctionName;
use domain::runtime::Runtime;
use domain::{Error, Refusal};
use engine::access::{Action, Caller};
use engine::functions::{CodeUpdate, Edit, Listed};
use engine::ports::Records as _;
use testkit::contracts::plain;
use testkit::house::{Bounds, House};
use testkit::packages::{MemoryPackages, zip_of};
use testkit::records::MemoryRecords;

use crate::invoker::house;

fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_function_is_pending_first_and_then_active_under_another_revision() {
    // Recorded: test_function_state, TestLambdaRevisions.
    let house = house(Bounds::default());
    let zip = zip_of(&[("app.py", 0o644, b"x")]);
    let created = house.functions.create_function(&Caller::Anyone, house.new_function("fn"), zip, false).await.unwrap();
    assert_eq!(created.state, State::Pending);
    let active = house.settled("fn").await;
    assert_ne!(active.revision, created.revision);
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let house = house(Bounds::default());
    house.create("fn").await;
    let zip = zip_of(&[("app.py", 0o644, b"x")]);
    let name = FunctionName::parse("fn").unwrap();
    let again = house.functions.create_function(&Caller::Anyone, house.new_function("fn"), zip, false).await;
    assert_eq!(refusal(again), Refusal::FunctionExists { name });
}

#[tokio::test]
async fn a_missing_interpreter_is_told_at_creation() {
    let house = house(Bounds::default());
    house.sandbox.remove_runtime(Runtime::parse("python3.12").unwrap());
    let zip = zip_of(&[("app.py", 0o644, b"x")]);
    let created = house.functions.create_function(&Caller::Anyone, house.new_function("fn"), zip, false).await;
    let remedy = "python3.12 was not found".to_owned();
    assert_eq!(refusal(created), Refusal::MissingRuntime { value: "python3.12".into(), remedy });
}

#[tokio::test]
async fn lists_are_paged_by_name() {
    let house = house(Bounds::default());
    for name in ["b", "a", "c"] {
        house.create(name).await;
    }
    let mut names = Vec::new();
    let mut after = None;
    loop {
        let page = house.functions.list_functions(&Caller::Anyone, Listed::Latest, after.as_ref(), 2).unwrap();
        names.push(page.items.iter().map(|function| function.arn.name.to_string()).collect::<Vec<_>>());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(names, [vec!["a", "b"], vec!["c"]]);
}

#[tokio::test]
async fn updates_exclude_one_another_and_need_the_revision_if_one_is_given() {
    // Recorded: test_lambda_concurrent_config_updates, test_function_revisions_basic.
    let house = house(Bounds::default());
    let ready = house.create("fn").await;
    let target = house.target("fn");
    let edit = |description: &'static str| -> Edit {
        Edit::of_settings(move |current: &Configuration| {
            Ok(Configuration { description: description.to_owned(), ..current.clone() })
        })
    };
    let functions = &house.functions;
    let caller = Caller::Anyone;
    let wrong = functions.update_function_configuration(&caller, &target, edit("x"), Some("wrong")).await;
    assert_eq!(refusal(wrong), Refusal::RevisionMismatch);
    let revision = ready.revision.to_string();
    let (first, second) = tokio::join!(
        functions.update_function_configuration(&caller, &target, edit("one"), Some(&revision)),
        functions.update_function_configuration(&caller, &target, edit("two"), None),
    );
    let first = first.unwrap();
    assert_eq!(refusal(second), Refusal::UpdateInProgress { arn: first.arn.to_string() });
    assert_eq!(house.settled("fn").await.configuration.description, "one");
}

#[tokio::test]
async fn deleting_names_the_function_and_not_the_version() {
    // Recorded: test_delete_on_nonexisting_version, test_ops_with_arn_qualifier_mismatch[delete_function],
    // test_function_name_and_qualifier_validation[…-delete_function].
    let house = house(Bounds::default());
    house.create("fn").await;
    let delete = async |name: &str| house.functions.delete_function(&Caller::Anyone, &house.target(name)).await;
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:fn".to_owned();
    assert_eq!(refusal(delete("fn:$LATEST").await), Refusal::LatestCannotBeDeleted);
    for _ in 0..2 {
        delete("fn:7").await.unwrap();
        assert_eq!(refusal(delete("fn:alias").await), Refusal::AliasCannotBeDeleted);
        assert_eq!(refusal(delete("fn:$latest").await), Refusal::FunctionNotFound { arn: arn.clone() });
    }
    delete("fn").await.unwrap();
    for gone in ["fn", "fn:7", "fn:$latest"] {
        assert_eq!(refusal(delete(gone).await), Refusal::FunctionNotFound { arn: arn.clone() });
    }
    assert_eq!(refusal(delete("fn:alias").await), Refusal::AliasCannotBeDeleted);
}

#[test]
fn a_restart_finds_everything_and_ends_what_was_under_way() {
    let records = Arc::new(MemoryRecords::new());
    let packages = Arc::new(MemoryPackages::beside(records.clone()));
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime().block_on(async {
        let house = House::over(records.clone(), packages.clone(), Bounds::default());
        let ready = house.create("ready").await;
        // The engine died before this one was activated.
        let pending = house.new_function("pending").with(ready.code.clone(), ready.revision, ready.modified_at);
        assert!(records.insert(plain(pending), Vec::new()).await.unwrap());
    });
    runtime().block_on(async {
        let house = House::over(records, packages, Bounds::default());
        assert_eq!(house.functions.load().await.unwrap(), 2);
        let found = |name: &str| {
            house.functions.get_function(&Caller::Anyone, Action::GetFunction, &house.target(name)).unwrap().0
        };
        assert_eq!((found("ready").state, found("pending").state), (State::Active, State::Pending));
        assert_eq!(house.settled("pending").await.state, State::Active);
    });
}

#[tokio::test]
async fn code_stays_while_a_function_has_it_and_goes_afterwards() {
    let house = house(Bounds::default());
    let function = house.create("fn").await;
    let target = house.target("fn");
    house.functions.sweep_packages().await.unwrap();
    let digest = function.code.digest();
    assert!(house.functions.code(&Caller::Anyone, &target, digest).await.is_ok());
    house.functions.delete_function(&Caller::Anyone, &target).await.unwrap();
    house.create("other").await;
    house.functions.sweep_packages().await.unwrap();
    assert!(matches!(
        refusal(house.functions.code(&Caller::Anyone, &target, digest).await),
        Refusal::FunctionNotFound { .. }
    ));
}

/// Begins `work` and drops it before it ends, as the server does when a client leaves.
async fn leave(house: &House, work: impl Future) {
    {
        let mut work = std::pin::pin!(work);
        for _ in 0..50 {
            assert!(tokio::time::timeout(Duration::ZERO, &mut work).await.is_err(), "it waits for the disk");
        }
    }
    house.breathe().await;
}

#[tokio::test]
async fn a_client_that_leaves_takes_nothing_back_and_hides_nothing() {
    let records = Arc::new(MemoryRecords::new());
    let packages = Arc::new(MemoryPackages::beside(records.clone()));
    let house = House::over(records.clone(), packages, Bounds::default());
    let (functions, caller, target) = (&house.functions, Caller::Anyone, house.target("fn"));
    let zip = |content: &[u8]| zip_of(&[("app.py", 0o644, content)]);
    let shown = || functions.get_function(&caller, Action::GetFunction, &target).unwrap().0;

    records.set_slow(true);
    leave(&house, functions.create_function(&caller, house.new_function("fn"), zip(b"one"), false)).await;
    records.set_slow(false);
    house.breathe().await;
    assert_eq!(shown().state, State::Active);

    let first = shown().code.digest();
    records.set_slow(true);
    leave(&house, functions.update_function_code(&caller, &target, None, CodeUpdate::default(), zip(b"two"))).await;
    records.set_slow(false);
    house.breathe().await;
    assert_ne!(shown().code.digest(), first);

    let edit = |current: &Configuration| Ok(Configuration { timeout_seconds: 7, ..current.clone() });
    records.set_slow(true);
    leave(&house, functions.update_function_configuration(&caller, &target, Edit::of_settings(edit), None)).await;
    records.set_slow(false);
    house.breathe().await;
    assert_eq!(shown().configuration.timeout_seconds, 7);
    assert_eq!(records.load().await.unwrap(), [(plain(Function::clone(&shown())), Vec::new())]);

    records.set_slow(true);
    leave(&house, functions.delete_function(&caller, &target)).await;
    records.set_slow(false);
    house.breathe().await;
    let listed = functions.list_functions(&caller, Listed::Latest, None, 9).unwrap().items;
    assert_eq!((listed.len(), records.load().await.unwrap().len()), (0, 0));
    house.create("fn").await;
}

#[tokio::test]
async fn an_activation_that_failed_is_tried_again() {
    let records = Arc::new(MemoryRecords::new());
    let packages = Arc::new(MemoryPackages::beside(records.clone()));
    let house = House::over(records.clone(), packages, Bounds::default());
    let ready = house.create("before").await;
    let pending = house.new_function("fn").with(ready.code.clone(), ready.revision, ready.modified_at);
    records.insert(plain(pending), Vec::new()).await.unwrap();
    house.functions.load().await.unwrap();
    // Down before the activation has its turn.
    records.set_down(true);
    house.breathe().await;
    let state =
        || house.functions.get_function(&Caller::Anyone, Action::GetFunction, &house.target("fn")).unwrap().0.state;
    // The pauses double up to half a minute.
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        assert_eq!((state(), house.clock.sleepers()), (State::Pending, 1));
        house.clock.advance(Duration::from_millis(pause * 1_000 - 1));
        house.breathe().await;
        assert_eq!(house.clock.sleepers(), 1, "not before {pause} s");
        house.clock.advance(Duration::from_millis(1));
        house.breathe().await;
    }
    records.set_down(false);
    house.clock.advance(Duration::from_secs(30));
    house.breathe().await;
    assert_eq!((state(), house.clock.sleepers()), (State::Active, 0));
}

#[tokio::test]
async fn removing_old_code_holds_up_no_change() {
    let records = Arc::new(MemoryRecords::new());
    let packages = Arc::new(MemoryPackages::beside(records.clone()));
    let house = Arc::new(House::over(records, packages.clone(), Bounds::default()));
    house.create("old").await;
    house.functions.delete_function(&Caller::Anyone, &house.target("old")).await.unwrap();
    packages.set_slow(true);
    let functions = house.functions.clone();
    let sweep = engine::tasks::spawn("sweeping", async move { functions.sweep_packages().await });
    house.breathe().await;
    let creator = house.clone();
    engine::tasks::spawn("creating", async move { creator.create("new").await }).detach();
    house.breathe().await;
    let shown = house.functions.get_function(&Caller::Anyone, Action::GetFunction, &house.target("new"));
    assert_eq!(shown.unwrap().0.state, State::Active);
    packages.set_slow(false);
    sweep.result().await.unwrap().unwrap();
}
