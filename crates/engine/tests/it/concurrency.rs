//! Reserved and provisioned concurrency: who runs, who is told why not, and which environments are kept.

use std::sync::Arc;
use std::time::Duration;

use domain::alias::Routing;
use domain::arn::Target;
use domain::concurrency::Provision;
use domain::environment::{Exit, Failure};
use domain::error::ThrottleReason as Reason;
use domain::names::{AliasName, Qualifier, Version, VersionNumber};
use domain::{Error, Refusal};
use engine::access::Caller;
use engine::functions::{AliasEdit, CodeUpdate, NewAlias, ProvisionedConcurrency, Publication};
use engine::invoker::{Answered, Ask};
use engine::ports::Metric;
use engine::tasks::Task;
use testkit::house::{Bounds, House};
use testkit::packages::{MemoryPackages, zip_of};
use testkit::records::MemoryRecords;
use testkit::sandbox::Step;

const CALLER: &Caller = &Caller::Anyone;

fn version(number: u64) -> Version {
    Version::Published(VersionNumber::new(number).unwrap())
}

/// A function `fn` with a version 1 that `live` names.
async fn house() -> Arc<House> {
    let house = crate::invoker::house(Bounds::default());
    house.create("fn").await;
    publish(&house).await;
    let new = NewAlias { name: AliasName::new("live"), version: version(1), routing: None, description: String::new() };
    house.functions.create_alias(CALLER, &house.target("fn"), new).await.unwrap();
    house
}

async fn publish(house: &House) -> Version {
    house.functions.publish_version(CALLER, &house.target("fn"), Publication::default()).await.unwrap().version
}

/// Publishes a second version, with other code.
async fn second_version(house: &House) -> Version {
    let zip = zip_of(&[("app.py", 0o644, b"second")]);
    let target = house.target("fn");
    house.functions.update_function_code(CALLER, &target, None, CodeUpdate::default(), zip).await.unwrap();
    house.settled("fn").await;
    publish(house).await
}

async fn move_alias(house: &House, to: Version) -> Result<(), Error> {
    let edit = AliasEdit { version: Some(to), ..AliasEdit::default() };
    let target = house.target("fn");
    house.functions.update_alias(CALLER, &target, AliasName::new("live"), edit).await.map(drop)
}

async fn reserve(house: &House, reserved: u32) {
    house.functions.put_function_concurrency(CALLER, &house.target("fn"), reserved).await.unwrap();
}

async fn provision(house: &House, of: &str, requested: u32) -> Result<ProvisionedConcurrency, Error> {
    let put = house.functions.put_provisioned_concurrency(CALLER, &house.target(of), requested).await;
    house.breathe().await;
    put
}

fn shown(house: &House, of: &str) -> (u32, Provision) {
    let found = house.functions.get_provisioned_concurrency(CALLER, &house.target(of)).unwrap();
    (found.allocated, found.provision)
}

fn target(house: &House, of: &str) -> Target {
    house.target(of)
}

fn call(house: &Arc<House>, of: &str) -> Task<Result<Answered, Error>> {
    let (running, target) = (house.clone(), target(house, of));
    engine::tasks::spawn("a call", async move {
        let ask = running.ask("fn", "{}");
        running.invoke(Ask { target, ..ask }).await
    })
}

async fn invoke(house: &Arc<House>, of: &str) -> Result<(), Refusal> {
    let answered = call(house, of).result().await.unwrap();
    house.breathe().await;
    match answered {
        Ok(_) => Ok(()),
        Err(error) => Err(refused::<()>(Err(error))),
    }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn throttled(reason: Reason) -> Result<(), Refusal> {
    Err(Refusal::Throttled { reason })
}

/// `AWS_LAMBDA_INITIALIZATION_TYPE` of the environments started so far, and the versions in them.
fn started(house: &House) -> Vec<(String, String)> {
    let variable = |spec: &engine::ports::EnvironmentSpec, name: &str| {
        let found = spec.platform_variables.iter().find(|(key, _)| key == name);
        found.unwrap().1.clone()
    };
    let started = house.sandbox.started.lock().unwrap();
    let about =
        |spec| (variable(spec, "AWS_LAMBDA_INITIALIZATION_TYPE"), variable(spec, "AWS_LAMBDA_FUNCTION_VERSION"));
    started.iter().map(about).collect()
}

fn kept(version: &str) -> (String, String) {
    ("provisioned-concurrency".to_owned(), version.to_owned())
}

fn on_demand(version: &str) -> (String, String) {
    ("on-demand".to_owned(), version.to_owned())
}

#[tokio::test]
async fn a_reservation_is_a_cap_for_all_versions_and_a_guarantee() {
    // AWS developer guide, configuration-concurrency; recorded: test_reserved_concurrency.
    let house = house().await;
    house.create("other").await;
    reserve(&house, 3).await;
    let (calls, others) = (
        (0..10).map(|n| call(&house, if n % 2 == 0 { "fn" } else { "fn:1" })).collect::<Vec<_>>(),
        (0..5).map(|_| call(&house, "other")).collect::<Vec<_>>(),
    );
    let mut ran = 0;
    for call in calls {
        match call.result().await.unwrap() {
            Ok(_) => ran += 1,
            refusal => assert_eq!(
                refused(refusal),
                Refusal::Throttled { reason: Reason::ReservedFunctionConcurrentInvocationLimitExceeded }
            ),
        }
    }
    for other in others {
        other.result().await.unwrap().unwrap();
    }
    assert_eq!((ran, house.sandbox.running_most()), (3, 8));
    let reason = Reason::ReservedFunctionConcurrentInvocationLimitExceeded;
    assert_eq!(house.telemetry.count_of(Metric::Throttles(reason)), 7);
    reserve(&house, 0).await;
    assert_eq!(invoke(&house, "fn:live").await, throttled(reason));
    house.functions.delete_function_concurrency(CALLER, &house.target("fn")).await.unwrap();
    assert_eq!(invoke(&house, "fn:live").await, Ok(()));
}

#[tokio::test]
async fn what_is_reserved_is_nobody_elses() {
    let house = crate::invoker::house(Bounds { account_concurrency: 103, environments_max: 200 });
    for name in ["fn", "other"] {
        house.create(name).await;
    }
    reserve(&house, 3).await;
    let others: Vec<_> = (0..103).map(|_| call(&house, "other")).collect();
    house.breathe().await;
    let own: Vec<_> = (0..3).map(|_| call(&house, "fn")).collect();
    let mut refusals = Vec::new();
    for other in others {
        if let Err(error) = other.result().await.unwrap() {
            refusals.push(refused::<()>(Err(error)));
        }
    }
    assert_eq!(refusals, vec![Refusal::Throttled { reason: Reason::ConcurrentInvocationLimitExceeded }; 3]);
    for own in own {
        own.result().await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn more_than_ten_a_second_and_unit_are_too_many() {
    // AWS developer guide, gettingstarted-limits.
    let house = house().await;
    reserve(&house, 1).await;
    for _ in 0..10 {
        assert_eq!(invoke(&house, "fn").await, Ok(()));
    }
    let reason = Reason::ReservedFunctionInvocationRateLimitExceeded;
    assert_eq!(invoke(&house, "fn:1").await, throttled(reason), "all versions share it");
    house.clock.advance(Duration::from_millis(100));
    assert_eq!(invoke(&house, "fn").await, Ok(()));
    assert_eq!(invoke(&house, "fn").await, throttled(reason));
    house.functions.delete_function_concurrency(CALLER, &house.target("fn")).await.unwrap();
    assert_eq!(invoke(&house, "fn").await, Ok(()), "the account's rate is far higher");
}

#[tokio::test]
async fn provisioned_environments_are_there_before_anybody_calls() {
    // Recorded: test_provisioned_concurrency, test_lambda_provisioned_concurrency_scheduling.
    let house = house().await;
    let put = provision(&house, "fn:1", 2).await.unwrap();
    assert_eq!((put.requested, put.allocated, put.provision), (2, 0, Provision::InProgress));
    assert_eq!(shown(&house, "fn:1"), (2, Provision::Ready));
    assert_eq!(started(&house), [kept("1"), kept("1")]);
    let lines = house.telemetry.lines();
    assert!(lines[1].starts_with("INIT_REPORT") && lines[1].ends_with("Phase: init\tStatus: success"), "{lines:?}");
    house.clock.advance(Duration::from_hours(1));
    house.environments.reap();
    house.breathe().await;
    assert_eq!(house.sandbox.alive(), 2, "they do not age");
    let calls = [call(&house, "fn:1"), call(&house, "fn:live"), call(&house, "fn:1")];
    for call in calls {
        call.result().await.unwrap().unwrap();
    }
    house.breathe().await;
    assert_eq!(started(&house), [kept("1"), kept("1"), on_demand("1")], "the third spilled over");
    invoke(&house, "fn").await.unwrap();
    assert_eq!(started(&house).last(), Some(&on_demand("$LATEST")));
    house.functions.delete_provisioned_concurrency(CALLER, &house.target("fn:1")).await.unwrap();
    house.breathe().await;
    assert_eq!(house.sandbox.alive(), 2, "those on demand are left");
    let gone = house.functions.get_provisioned_concurrency(CALLER, &house.target("fn:1"));
    assert_eq!(refused(gone), Refusal::NothingProvisioned);
}

#[tokio::test]
async fn what_is_provisioned_leaves_nothing_of_a_reservation_of_the_same_size() {
    // Recorded: test_reserved_provisioned_overlap, test_lambda_concurrency_block.
    let house = house().await;
    provision(&house, "fn:1", 2).await.unwrap();
    let low = house.functions.put_function_concurrency(CALLER, &house.target("fn"), 1).await;
    assert_eq!(refused(low), Refusal::ReservedBelowProvisioned { reserved: 1, provisioned: 2 });
    reserve(&house, 2).await;
    let reason = Reason::ReservedFunctionConcurrentInvocationLimitExceeded;
    assert_eq!(invoke(&house, "fn").await, throttled(reason));
    assert_eq!(invoke(&house, "fn:1").await, Ok(()));
    let calls = [call(&house, "fn:1"), call(&house, "fn:1"), call(&house, "fn:1")];
    let mut ran = 0;
    for call in calls {
        ran += usize::from(call.result().await.unwrap().is_ok());
    }
    assert_eq!((ran, house.sandbox.running_most()), (2, 2));
    assert_eq!(refused(provision(&house, "fn:1", 3).await), Refusal::ProvisionedBeyondReserved);
    assert!(started(&house).iter().all(|(kind, _)| kind == "provisioned-concurrency"));
}

#[tokio::test]
async fn environments_move_with_the_alias() {
    // Recorded: test_lambda_provisioned_concurrency_moves_with_alias.
    let house = house().await;
    provision(&house, "fn:live", 2).await.unwrap();
    assert_eq!((shown(&house, "fn:live"), house.sandbox.alive()), ((2, Provision::Ready), 2));
    let of_version = house.functions.get_provisioned_concurrency(CALLER, &house.target("fn:1"));
    assert_eq!(refused(of_version), Refusal::NothingProvisioned);
    let second = second_version(&house).await;
    house.sandbox.script([Step::InitTakes(Duration::from_secs(1)), Step::InitTakes(Duration::from_secs(1))]);
    move_alias(&house, second).await.unwrap();
    house.breathe().await;
    assert_eq!(shown(&house, "fn:live"), (0, Provision::InProgress));
    house.clock.advance(Duration::from_secs(1));
    house.breathe().await;
    assert_eq!((shown(&house, "fn:live"), house.sandbox.alive()), ((2, Provision::Ready), 2));
    assert_eq!(started(&house)[2..], [kept("2"), kept("2")]);
    invoke(&house, "fn:1").await.unwrap();
    assert_eq!(started(&house)[4..], [on_demand("1")]);
    assert_eq!(refused(move_alias(&house, Version::Latest).await), Refusal::ProvisionedForLatest);
    let target = house.target("fn");
    house.functions.delete_alias(CALLER, &target, AliasName::new("live")).await.unwrap();
    house.breathe().await;
    assert_eq!(house.sandbox.alive(), 1);
}

#[tokio::test]
async fn a_version_has_them_by_one_name_only() {
    // Recorded: test_lambda_provisioned_lifecycle.
    let house = house().await;
    provision(&house, "fn:1", 1).await.unwrap();
    assert_eq!(refused(provision(&house, "fn:live", 1).await), Refusal::ProvisionedByVersion);
    house.functions.delete_provisioned_concurrency(CALLER, &house.target("fn:1")).await.unwrap();
    provision(&house, "fn:live", 1).await.unwrap();
    assert_eq!(refused(provision(&house, "fn:1", 1).await), Refusal::ProvisionedByAlias);
    let second = second_version(&house).await;
    provision(&house, "fn:2", 1).await.unwrap();
    assert_eq!(refused(move_alias(&house, second).await), Refusal::ProvisionedByVersion);
    let page = house.functions.list_provisioned_concurrency(CALLER, &house.target("fn"), None, 1).unwrap();
    assert_eq!((page.items.len(), page.next.clone()), (1, Some(page.items[0].qualifier.clone())));
    let rest =
        house.functions.list_provisioned_concurrency(CALLER, &house.target("fn"), page.next.as_ref(), 9).unwrap();
    assert_eq!((rest.items[0].qualifier.to_string().as_str(), rest.next), ("live", None));
    let Version::Published(second) = second else { panic!("it is published") };
    let routing = Some(Some(Routing { version: second, weight: 0.5 }));
    let edit = AliasEdit { routing, ..AliasEdit::default() };
    house.functions.update_alias(CALLER, &house.target("fn"), AliasName::new("live"), edit).await.unwrap();
    assert_eq!(refused(provision(&house, "fn:live", 1).await), Refusal::ProvisionedForWeights);
}

#[tokio::test]
async fn one_that_breaks_is_replaced() {
    let house = house().await;
    provision(&house, "fn:1", 1).await.unwrap();
    house.sandbox.script([Step::Fails(Failure::Exited(Exit::Signal(9)))]);
    invoke(&house, "fn:1").await.unwrap();
    assert_eq!((shown(&house, "fn:1"), house.sandbox.alive()), ((1, Provision::Ready), 1));
    assert_eq!(started(&house), [kept("1"), kept("1")]);
}

#[tokio::test]
async fn a_function_that_does_not_initialise_has_failed_and_is_tried_again() {
    // Recorded: StatusReason FUNCTION_ERROR_INIT_FAILURE.
    let house = house().await;
    house.sandbox.script([Step::InitFails(Failure::Exited(Exit::Status(1)))]);
    provision(&house, "fn:1", 1).await.unwrap();
    assert_eq!((shown(&house, "fn:1"), house.sandbox.alive()), ((0, Provision::Failed), 0));
    house.clock.advance(Duration::from_secs(1));
    house.breathe().await;
    assert_eq!(shown(&house, "fn:1"), (1, Provision::Ready));
}

#[tokio::test]
async fn initialising_ahead_may_take_longer_than_on_demand() {
    // AWS developer guide, lambda-runtime-environment.
    let house = house().await;
    house.sandbox.script([Step::InitFails(Failure::TimedOut(Duration::ZERO))]);
    provision(&house, "fn:1", 1).await.unwrap();
    house.clock.advance(Duration::from_millis(129_999));
    house.breathe().await;
    assert_eq!(shown(&house, "fn:1"), (0, Provision::InProgress));
    // Whoever calls meanwhile is served on demand.
    invoke(&house, "fn:1").await.unwrap();
    assert_eq!(started(&house), [kept("1"), on_demand("1")]);
    house.clock.advance(Duration::from_millis(1));
    house.breathe().await;
    assert_eq!(shown(&house, "fn:1"), (0, Provision::Failed));
}

#[tokio::test]
async fn a_full_machine_gives_up_what_is_idle_and_the_rest_waits() {
    let house = crate::invoker::house(Bounds { environments_max: 1, ..Bounds::default() });
    house.create("fn").await;
    publish(&house).await;
    house.create("other").await;
    call(&house, "other").result().await.unwrap().unwrap();
    house.breathe().await;
    provision(&house, "fn:1", 2).await.unwrap();
    assert_eq!((shown(&house, "fn:1"), house.sandbox.alive()), ((1, Provision::InProgress), 1));
    // Fewer are wanted: what waits for room gives up.
    provision(&house, "fn:1", 1).await.unwrap();
    assert_eq!(shown(&house, "fn:1"), (1, Provision::Ready));
    house.clock.advance(Duration::from_secs(1));
    house.breathe().await;
    assert_eq!(started(&house).len(), 2);
}

#[tokio::test]
async fn provisioned_concurrency_survives_a_restart() {
    let records = Arc::new(MemoryRecords::new());
    let packages = Arc::new(MemoryPackages::beside(records.clone()));
    {
        let house = House::over(records.clone(), packages.clone(), Bounds::default());
        house.create("fn").await;
        publish(&house).await;
        reserve(&house, 5).await;
        provision(&house, "fn:1", 2).await.unwrap();
    }
    let house = House::over(records, packages, Bounds { account_concurrency: 106, environments_max: 9 });
    house.functions.load().await.unwrap();
    house.breathe().await;
    assert_eq!((shown(&house, "fn:1"), house.sandbox.alive()), ((2, Provision::Ready), 2));
    assert_eq!(house.functions.get_function_concurrency(CALLER, &house.target("fn")).unwrap(), Some(5));
    // What it has reserved is known again.
    house.create("other").await;
    let too_much = house.functions.put_function_concurrency(CALLER, &house.target("other"), 2).await;
    assert_eq!(refused(too_much), Refusal::ReservedTooMuch { unreserved_min: 100 });
    house.functions.delete_function(CALLER, &house.target("fn")).await.unwrap();
    house.breathe().await;
    assert_eq!(house.sandbox.alive(), 0);
    house.functions.put_function_concurrency(CALLER, &house.target("other"), 6).await.unwrap();
}

#[tokio::test]
async fn who_calls_again_with_the_answer_in_hand_is_not_throttled() {
    // The answer is out before the runtime asks for its next event.
    let house = house().await;
    reserve(&house, 1).await;
    house.sandbox.script([Step::SettleTakes(Duration::from_millis(20))]);
    call(&house, "fn").result().await.unwrap().unwrap();
    assert_eq!(house.invoker.running(), 1, "it still counts");
    let (again, beside) = (call(&house, "fn"), call(&house, "fn"));
    house.breathe().await;
    house.clock.advance(Duration::from_millis(20));
    again.result().await.unwrap().unwrap();
    let reason = Reason::ReservedFunctionConcurrentInvocationLimitExceeded;
    assert_eq!(refused(beside.result().await.unwrap()), Refusal::Throttled { reason }, "only one waits for one");
}

#[tokio::test]
async fn what_cannot_have_concurrency_of_its_own_says_so() {
    // Recorded: test_function_concurrency_exceptions, test_provisioned_concurrency_exceptions.
    let house = house().await;
    for of in ["fn:1", "fn:live", "fn:$LATEST"] {
        let put = house.functions.put_function_concurrency(CALLER, &house.target(of), 0).await;
        assert_eq!(refused(put), Refusal::FunctionsOnly);
    }
    assert_eq!(refused(provision(&house, "fn:$LATEST", 1).await), Refusal::ProvisionedForLatest);
    let read = house.functions.get_provisioned_concurrency(CALLER, &house.target("fn:$LATEST"));
    assert_eq!(refused(read), Refusal::NeitherAliasNorVersion);
    let arn = format!("{}:9", house.target("fn").arn);
    assert_eq!(refused(provision(&house, "fn:9", 1).await), Refusal::FunctionNotFound { arn });
    let arn = house.target("fn").arn.qualified(&Qualifier::Alias(AliasName::new("none")));
    assert_eq!(refused(provision(&house, "fn:none", 1).await), Refusal::AliasNotFound { arn });
}
