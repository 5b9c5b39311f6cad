//! The pool: who gets which environment, who waits, what ends.

use std::sync::Arc;
use std::time::Duration;

use domain::error::ThrottleReason;
use domain::{Error, Refusal};
use engine::functions::CodeUpdate;
use engine::invoker::Answered;
use engine::ports::Metric;
use testkit::house::{Bounds, House};
use testkit::sandbox::Step;

use crate::invoker::house;

async fn invoke(house: &House, name: &str) {
    house.invoke(house.ask(name, "{}")).await.unwrap();
    house.breathe().await;
}

fn started(house: &House) -> usize {
    house.sandbox.started.lock().unwrap().len()
}

#[tokio::test]
async fn a_warm_environment_is_used_again_and_ages_out() {
    // Recorded: test_lambda_cache_local.
    let house = house(Bounds::default());
    house.create("fn").await;
    for _ in 0..5 {
        invoke(&house, "fn").await;
    }
    assert_eq!(started(&house), 1);
    house.clock.advance(Duration::from_secs(599));
    house.environments.reap();
    house.breathe().await;
    assert_eq!(house.sandbox.alive(), 1);
    house.clock.advance(Duration::from_secs(2));
    house.environments.reap();
    house.breathe().await;
    assert_eq!((house.sandbox.alive(), house.environments.count()), (0, 0));
}

#[tokio::test]
async fn concurrent_calls_get_environments_of_their_own() {
    // Recorded: an environment handles one invocation at a time (AWS developer guide, lambda-concurrency).
    let house = house(Bounds::default());
    house.create("fn").await;
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let house = house.clone();
            engine::tasks::spawn("a call", async move { house.invoke(house.ask("fn", "{}")).await })
        })
        .collect();
    for call in calls {
        call.result().await.unwrap().unwrap();
    }
    assert_eq!((started(&house), house.sandbox.running_most()), (4, 4));
}

#[tokio::test]
async fn an_update_replaces_environments_and_fails_no_running_call() {
    // Recorded: test_function_update_during_invoke.
    let house = house(Bounds::default());
    house.create("fn").await;
    invoke(&house, "fn").await;
    house.sandbox.script([Step::Hangs]);
    let running = house.clone();
    let call = engine::tasks::spawn("a call", async move { running.invoke(running.ask("fn", "{}")).await });
    house.breathe().await;
    let zip = testkit::packages::zip_of(&[("app.py", 0o644, b"new")]);
    let caller = engine::access::Caller::Anyone;
    let target = house.target("fn");
    house.functions.update_function_code(&caller, &target, None, CodeUpdate::default(), zip).await.unwrap();
    let updated = house.settled("fn").await;
    invoke(&house, "fn").await;
    assert_eq!(started(&house), 2, "the new code got an environment of its own");
    let codes: Vec<_> = house.sandbox.started.lock().unwrap().iter().map(|spec| spec.code.clone()).collect();
    assert_ne!(codes[0], codes[1]);
    assert!(codes[1].to_string_lossy().contains(&updated.code.digest().hex()));
    house.clock.advance(Duration::from_secs(3));
    call.result().await.unwrap().unwrap();
    house.breathe().await;
    assert_eq!(house.sandbox.alive(), 1, "the old one ended with its last call");
}

#[tokio::test]
async fn a_full_machine_takes_the_longest_idle_environment_of_another_function() {
    let house = house(Bounds { environments_max: 2, ..Bounds::default() });
    for name in ["a", "b", "c"] {
        house.create(name).await;
    }
    invoke(&house, "a").await;
    house.clock.advance(Duration::from_secs(1));
    invoke(&house, "b").await;
    invoke(&house, "c").await;
    assert_eq!((house.sandbox.alive(), started(&house)), (2, 3));
    invoke(&house, "b").await;
    assert_eq!(started(&house), 3, "b was idle for less long than a and is still there");
}

async fn full(house: Arc<House>) -> Result<(), Refusal> {
    let waiting = house.clone();
    let call = engine::tasks::spawn("a call", async move { waiting.invoke(waiting.ask("b", "{}")).await });
    house.breathe().await;
    house.clock.advance(Duration::from_secs(1));
    house.breathe().await;
    match tokio::time::timeout(Duration::ZERO, call.result()).await.expect("nobody waits longer").unwrap() {
        Ok(_) => Ok(()),
        Err(Error::Refused(refusal)) => Err(refusal),
        Err(Error::Fault(fault)) => panic!("{fault:?}"),
    }
}

#[tokio::test]
async fn a_full_machine_without_idle_ones_makes_wait_and_then_refuses() {
    let house = house(Bounds { environments_max: 1, ..Bounds::default() });
    house.create("a").await;
    house.create("b").await;
    house.sandbox.script([Step::Hangs]);
    let running = house.clone();
    let call = engine::tasks::spawn("a call", async move { running.invoke(running.ask("a", "{}")).await });
    house.breathe().await;
    let reason = ThrottleReason::ConcurrentInvocationLimitExceeded;
    assert_eq!(full(house.clone()).await, Err(Refusal::Throttled { reason }));
    assert_eq!(house.telemetry.count_of(Metric::MachineFull), 1);
    assert_eq!(house.invoker.running(), 1, "the refused call gave its lease back");
    house.clock.advance(Duration::from_secs(3));
    call.result().await.unwrap().unwrap();
    house.breathe().await;
    invoke(&house, "b").await;
}

/// A call in the background.
fn call(house: &Arc<House>, name: &'static str) -> engine::tasks::Task<Result<Answered, Error>> {
    let house = house.clone();
    engine::tasks::spawn("a call", async move { house.invoke(house.ask(name, "{}")).await })
}

/// The call ends well without the clock being moved.
async fn answered(house: &House, call: engine::tasks::Task<Result<Answered, Error>>) {
    house.breathe().await;
    let ended = tokio::time::timeout(Duration::ZERO, call.result()).await;
    ended.expect("it ends by now").unwrap().unwrap();
}

/// A machine for one environment, in which `a` runs for half a second more; calls wait for a second.
async fn full_for_half_a_second() -> (Arc<House>, engine::tasks::Task<Result<Answered, Error>>) {
    let house = house(Bounds { environments_max: 1, ..Bounds::default() });
    house.create("a").await;
    house.create("b").await;
    house.sandbox.script([Step::Hangs]);
    let running = call(&house, "a");
    house.breathe().await;
    house.clock.advance(Duration::from_millis(2_500));
    (house, running)
}

#[tokio::test]
async fn an_environment_that_becomes_idle_makes_room_for_whoever_waits() {
    let (house, running) = full_for_half_a_second().await;
    let (first, second) = (call(&house, "b"), call(&house, "a"));
    house.breathe().await;
    house.clock.advance(Duration::from_millis(500));
    // The second waited for that very environment; the first takes its room when it is done.
    for call in [running, second, first] {
        answered(&house, call).await;
    }
    assert_eq!(house.telemetry.count_of(Metric::MachineFull), 0);
}

#[tokio::test]
async fn a_call_that_waits_survives_the_update_of_its_function() {
    let (house, running) = full_for_half_a_second().await;
    let waiting = call(&house, "b");
    house.breathe().await;
    let zip = testkit::packages::zip_of(&[("app.py", 0o644, b"new")]);
    let caller = engine::access::Caller::Anyone;
    house.functions.update_function_code(&caller, &house.target("b"), None, CodeUpdate::default(), zip).await.unwrap();
    house.settled("b").await;
    house.clock.advance(Duration::from_millis(500));
    answered(&house, running).await;
    answered(&house, waiting).await;
}

#[tokio::test]
async fn an_environment_that_is_slow_to_end_holds_nobody_beyond_the_wait() {
    let house = house(Bounds { environments_max: 1, ..Bounds::default() });
    house.create("a").await;
    house.create("b").await;
    house.sandbox.script([Step::StopTakes(Duration::from_secs(5))]);
    invoke(&house, "a").await;
    let reason = ThrottleReason::ConcurrentInvocationLimitExceeded;
    assert_eq!(full(house.clone()).await, Err(Refusal::Throttled { reason }));
    assert_eq!((house.sandbox.alive(), house.environments.count()), (1, 1), "its room is not free before it is gone");
    house.clock.advance(Duration::from_secs(4));
    house.breathe().await;
    assert_eq!((house.sandbox.alive(), house.environments.count()), (0, 0), "it ended without its caller");
    invoke(&house, "b").await;
}

#[tokio::test]
async fn a_caller_who_leaves_does_not_keep_an_environment_from_ending() {
    let house = house(Bounds { environments_max: 1, ..Bounds::default() });
    house.create("a").await;
    house.create("b").await;
    house.sandbox.script([Step::StopTakes(Duration::from_millis(500))]);
    invoke(&house, "a").await;
    let leaving = call(&house, "b");
    house.breathe().await;
    leaving.abort();
    house.clock.advance(Duration::from_millis(499));
    house.breathe().await;
    assert_eq!((house.sandbox.alive(), house.environments.count()), (1, 1), "it is still ending");
    house.clock.advance(Duration::from_millis(1));
    house.breathe().await;
    assert_eq!((house.sandbox.alive(), house.environments.count()), (0, 0));
}

#[tokio::test]
async fn no_environment_is_started_while_memory_is_short() {
    let house = house(Bounds::default());
    house.create("a").await;
    house.create("b").await;
    invoke(&house, "a").await;
    house.sandbox.script([Step::Hangs]);
    let running = house.clone();
    let call = engine::tasks::spawn("a call", async move { running.invoke(running.ask("a", "{}")).await });
    house.breathe().await;
    house.sandbox.set_memory_full(true);
    assert!(full(house.clone()).await.is_err());
    house.sandbox.set_memory_full(false);
    house.clock.advance(Duration::from_secs(3));
    call.result().await.unwrap().unwrap();
    house.breathe().await;
    invoke(&house, "b").await;
}

#[tokio::test]
async fn a_call_on_a_full_machine_gets_the_room_of_an_environment_that_becomes_idle() {
    let house = house(Bounds { environments_max: 1, ..Bounds::default() });
    house.create("a").await;
    house.create("b").await;
    house.sandbox.script([Step::Hangs]);
    let running = house.clone();
    let first = engine::tasks::spawn("a call", async move { running.invoke(running.ask("a", "{}")).await });
    house.breathe().await;
    house.clock.advance(Duration::from_millis(2_500));
    house.breathe().await;
    let waiting = house.clone();
    let second = engine::tasks::spawn("a call", async move { waiting.invoke(waiting.ask("b", "{}")).await });
    house.breathe().await;
    // The first one times out and its environment becomes idle; the second has waited for half of its second.
    house.clock.advance(Duration::from_millis(500));
    first.result().await.unwrap().unwrap();
    second.result().await.unwrap().unwrap();
}

#[tokio::test]
async fn an_update_while_calls_wait_on_a_full_machine_fails_none_of_them() {
    let house = house(Bounds { environments_max: 1, ..Bounds::default() });
    house.create("a").await;
    house.sandbox.script([Step::Hangs]);
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let house = house.clone();
            engine::tasks::spawn("a call", async move { house.invoke(house.ask("a", "{}")).await })
        })
        .collect();
    house.breathe().await;
    let zip = testkit::packages::zip_of(&[("app.py", 0o644, b"new")]);
    let caller = engine::access::Caller::Anyone;
    house.functions.update_function_code(&caller, &house.target("a"), None, CodeUpdate::default(), zip).await.unwrap();
    house.settled("a").await;
    house.breathe().await;
    // The waiting ones have a second; the running one is over before.
    house.clock.advance(Duration::from_millis(900));
    house.breathe().await;
    for _ in 0..4 {
        house.clock.advance(Duration::from_millis(700));
        house.breathe().await;
    }
    for call in calls {
        // Served or refused for a full machine: an answer, not a panic.
        match call.result().await.unwrap() {
            Ok(_) | Err(Error::Refused(Refusal::Throttled { .. })) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}
