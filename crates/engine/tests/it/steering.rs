//! Bounds of the queue, a store that fails, faults on purpose, purging and the end of the engine.

use std::sync::Arc;
use std::time::Duration;

use domain::event::State;
use domain::fault::Faults;
use domain::{Error, Refusal};
use engine::events::{Selection, Settings, Steered};
use engine::ports::{EventFilter, Metric};
use testkit::house::{House, Outside};
use testkit::sandbox::Step;

use crate::events::{CALLER, all, engine, fails, hold_slot, house, outside, runs, shown, state};

fn is_full<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Refused(Refusal::QueueFull { .. })))
}

async fn with(settings: Settings) -> Arc<House> {
    let house = engine(&outside(), settings).await;
    house.create("fn").await;
    house
}

fn with_faults(faults: &str) -> Settings {
    Settings { faults: faults.parse::<Faults>().unwrap(), ..Settings::default() }
}

#[tokio::test]
async fn never_more_are_kept_than_may_be() {
    let house = with(Settings { events_max: 10, ..Settings::default() }).await;
    hold_slot(&house, 1_000).await;
    // All at once, so that each sees room before any is written.
    let sends: Vec<_> = (0..50)
        .map(|_| {
            let house = house.clone();
            engine::tasks::spawn("a call", async move { house.send("fn", "{}").await })
        })
        .collect();
    let (mut accepted, mut refused) = (Vec::new(), 0);
    for send in sends {
        match send.result().await.unwrap() {
            Ok(id) => accepted.push(id),
            other if is_full(&other) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((accepted.len(), refused, all(&house).await.len()), (10, 40, 10));
    // What is purged makes room, and so does what could not be written.
    house.events.purge(Selection::Ids(accepted[..1].to_vec())).await.unwrap();
    house.kept.fail_writes(1);
    assert!(matches!(house.send("fn", "{}").await, Err(Error::Fault(_))));
    house.send("fn", "{}").await.unwrap();
    assert!(is_full(&house.send("fn", "{}").await));
    assert_eq!(house.events.kept(), 10);
}

#[tokio::test]
async fn the_disk_keeps_its_reserve() {
    let mut outside = outside();
    let kept = Arc::new(testkit::events::MemoryEvents::default());
    outside.kept = testkit::faulty::Faulty::over(kept.clone());
    let house = engine(&outside, Settings { disk_reserve_bytes: 1_000, ..Settings::default() }).await;
    house.create("fn").await;
    kept.set_free_bytes(999);
    assert!(is_full(&house.send("fn", "{}").await));
    kept.set_free_bytes(1_000);
    house.send("fn", "{}").await.unwrap();
    house.breathe().await;
    assert_eq!(runs(&house).len(), 1, "what was refused never runs");
    // It is looked at again before anybody could have written the reserve full.
    kept.set_free_bytes(999);
    house.clock.advance(Duration::from_millis(100));
    assert!(is_full(&house.send("fn", "{}").await));
}

#[tokio::test]
async fn what_could_not_be_written_was_not_accepted_and_never_runs() {
    let house = house().await;
    house.kept.fail_writes(1);
    assert!(matches!(house.send("fn", "{}").await, Err(Error::Fault(_))));
    house.kept.set_down(true);
    assert!(matches!(house.send("fn", "{}").await, Err(Error::Fault(_))));
    house.kept.set_down(false);
    house.pass(1_000).await;
    assert_eq!((runs(&house).len(), house.events.kept()), (0, 0));
}

#[tokio::test]
async fn an_end_that_cannot_be_written_is_written_later_and_nothing_new_begins() {
    let house = house().await;
    house.sandbox.script([Step::Takes(Duration::from_secs(1)), fails()]);
    house.send("fn", "1").await.unwrap();
    house.breathe().await;
    // The disk is full when it ends.
    house.kept.fail_writes(3);
    house.pass(1).await;
    house.kept.fail_writes(u32::MAX);
    house.kept.set_down(false);
    house.pass(60).await;
    assert_eq!(runs(&house).len(), 1);
    house.kept.fail_writes(0);
    house.pass(11).await;
    assert_eq!((runs(&house).len(), house.events.kept()), (1, 0), "it ran once and is gone");
    house.send("fn", "2").await.unwrap();
    house.pass(61).await;
    assert_eq!(runs(&house).len(), 3, "all goes on");
}

#[tokio::test]
async fn while_an_end_cannot_be_written_the_next_event_waits() {
    let house = house().await;
    house.functions.put_function_concurrency(CALLER, &house.target("fn"), 1).await.unwrap();
    house.sandbox.script([Step::Takes(Duration::from_secs(2))]);
    for _ in 0..3 {
        house.send("fn", "{}").await.unwrap();
    }
    house.breathe().await;
    house.kept.fail_writes(u32::MAX);
    house.pass(120).await;
    assert_eq!(runs(&house).len(), 1, "should the engine die now, one event runs again and not three");
    house.kept.fail_writes(0);
    house.pass(60).await;
    assert_eq!((runs(&house).len(), house.events.kept()), (3, 0));
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_asked_again_but_not_all_the_time() {
    let house = house().await;
    house.sandbox.script([fails()]);
    house.send("fn", "{}").await.unwrap();
    house.breathe().await;
    house.kept.set_down(true);
    let before = house.kept.calls_of("due_events");
    house.pass(160).await;
    let asked = house.kept.calls_of("due_events") - before;
    assert!((90..=110).contains(&asked), "{asked} times in 100 seconds");
    house.kept.set_down(false);
    house.pass(2).await;
    assert_eq!((runs(&house).len(), house.events.kept()), (2, 0));
}

#[tokio::test]
async fn after_an_end_that_nobody_knows_of_nothing_is_lost() {
    let outside = outside();
    let first = engine(&outside, Settings::default()).await;
    first.create("fn").await;
    first.sandbox.script([Step::Takes(Duration::from_secs(1))]);
    first.send("fn", "1").await.unwrap();
    first.send("fn", "2").await.unwrap();
    first.breathe().await;
    first.kept.break_at_next_write();
    first.pass(100).await;
    assert!(matches!(first.send("fn", "3").await, Err(Error::Fault(_))), "until it is opened again");
    drop(first);

    let kept = outside.kept.reopened();
    let second = engine(&Outside { kept, ..outside }, Settings::default()).await;
    second.pass(10).await;
    assert_eq!((second.events.kept(), all(&second).await.len()), (0, 0));
}

#[tokio::test]
async fn duplicates_on_purpose_run_exactly_twice_and_are_one_attempt() {
    let house = with(with_faults("duplicate=1")).await;
    let id = house.send("fn", "1").await.unwrap();
    house.breathe().await;
    let ran = house.sandbox.ran();
    assert_eq!(ran.iter().map(|ran| ran.request_id).collect::<Vec<_>>(), [id, id]);
    assert_eq!(house.events.kept(), 0);

    // One attempt, whatever it is retried for; the retry runs once.
    house.sandbox.script([fails(), fails()]);
    let id = house.send("fn", "2").await.unwrap();
    house.breathe().await;
    assert_eq!(shown(&house, id).await.0.listed.attempts, 1);
    house.pass(61).await;
    assert_eq!((house.sandbox.ran().len(), house.events.kept()), (5, 0));
}

#[tokio::test]
async fn duplicates_that_compete_for_a_slot_still_run_exactly_twice() {
    let house = with(with_faults("duplicate=1")).await;
    house.functions.put_function_concurrency(CALLER, &house.target("fn"), 2).await.unwrap();
    house.sandbox.script((0..40).map(|_| Step::Takes(Duration::from_secs(1))));
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(house.send("fn", "{}").await.unwrap());
    }
    house.pass(400).await;
    assert_eq!(house.events.kept(), 0);
    let ran = house.sandbox.ran();
    for id in ids {
        assert_eq!(ran.iter().filter(|ran| ran.request_id == id).count(), 2);
    }
}

#[tokio::test]
async fn throttles_and_delays_on_purpose_cost_no_attempt() {
    let house = with(with_faults("delay=2s")).await;
    house.functions.tag_resource(CALLER, &house.target("fn"), tag("throttle=1")).await.unwrap();
    let id = house.send("fn", "{}").await.unwrap();
    house.pass(20).await;
    let (view, _) = shown(&house, id).await;
    assert_eq!((view.listed.state, view.listed.attempts, runs(&house).len()), (State::Queued, 0, 0));
    house.functions.tag_resource(CALLER, &house.target("fn"), tag("delay=5s")).await.unwrap();
    house.pass(7).await;
    assert_eq!((runs(&house).len(), house.events.kept()), (1, 0));
    // Without the tag it is as for all functions.
    let keys = vec!["lambd:fault".to_owned()];
    house.functions.untag_resource(CALLER, &house.target("fn"), keys).await.unwrap();
    house.send("fn", "{}").await.unwrap();
    house.pass(1).await;
    assert_eq!(runs(&house).len(), 1);
    house.pass(1).await;
    assert_eq!(runs(&house).len(), 2);
}

fn tag(value: &str) -> Vec<(String, String)> {
    vec![("lambd:fault".to_owned(), value.to_owned())]
}

#[tokio::test]
async fn what_is_purged_never_runs_and_what_runs_is_not_purged() {
    let house = house().await;
    hold_slot(&house, 5).await;
    let mut ids = Vec::new();
    for _ in 0..100 {
        ids.push(house.send("fn", "{}").await.unwrap());
    }
    house.breathe().await;
    let steered = house.events.purge(Selection::Filter(EventFilter::default())).await.unwrap();
    assert!(matches!(steered, Steered::Done(100)), "{steered:?}");
    house.pass(100).await;
    assert_eq!((runs(&house).len(), house.events.kept()), (1, 0));

    house.sandbox.script([Step::Takes(Duration::from_secs(9))]);
    let running = house.send("fn", "{}").await.unwrap();
    house.breathe().await;
    assert_eq!(state(&house, running).await, State::Running);
    let steered = house.events.purge(Selection::Ids(vec![running])).await.unwrap();
    assert!(matches!(steered, Steered::WrongState(id, State::Running) if id == running), "{steered:?}");
    let steered = house.events.purge(Selection::Filter(EventFilter::default())).await.unwrap();
    assert!(matches!(steered, Steered::Done(0)), "{steered:?}");
    let steered = house.events.purge(Selection::Ids(vec![running, ids[0]])).await.unwrap();
    assert!(matches!(steered, Steered::Unknown(id) if id == ids[0]), "{steered:?}");
    let steered = house.events.redrive(Selection::Ids(vec![running])).await.unwrap();
    assert!(matches!(steered, Steered::WrongState(..)), "{steered:?}");
    house.pass(10).await;
    assert_eq!(house.events.kept(), 0);
}

/// Does some steps of it and leaves.
async fn leave(work: impl Future, steps: u64) {
    let mut work = Box::pin(work);
    for _ in 0..steps {
        tokio::select! {
            biased;
            _ = &mut work => return,
            () = tokio::task::yield_now() => {}
        }
    }
}

#[tokio::test]
async fn what_steering_began_goes_on_when_its_caller_leaves() {
    for seed in 0..40 {
        let outside = outside();
        let house = engine(&outside, Settings::default()).await;
        house.create("fn").await;
        house.sandbox.script((0..3).map(|_| fails()));
        let dead = house.send("fn", "{}").await.unwrap();
        house.pass(200).await;
        assert_eq!(state(&house, dead).await, State::Dead);
        hold_slot(&house, 5).await;
        let queued = house.send("fn", "{}").await.unwrap();
        house.breathe().await;
        outside.kept.pauses.begin(seed);
        leave(house.events.purge(Selection::Ids(vec![queued])), seed % 20).await;
        leave(house.events.redrive(Selection::Ids(vec![dead])), seed % 19).await;
        house.pass(400).await;
        let left = all(&house).await;
        let is_over = left.iter().all(|event| event.listed.state == State::Dead);
        assert!(is_over, "seed {seed}: removed, or run, or dead as before, but not {left:?}");
    }
}

#[tokio::test]
async fn dead_events_are_redriven_and_purged_by_what_they_have_in_common() {
    let house = house().await;
    house.create("other").await;
    house.sandbox.script((0..18).map(|_| fails()));
    for name in ["fn", "fn", "fn", "other", "other", "other"] {
        house.send(name, "{}").await.unwrap();
    }
    house.pass(200).await;
    let dead = |function: &str| EventFilter {
        state: Some(State::Dead),
        function: Some(house.target(function).arn.name),
        ..EventFilter::default()
    };
    assert_eq!(house.events.list(dead("fn"), None, 2).await.unwrap().total, 3);
    assert!(house.events.list(dead("fn"), None, 2).await.unwrap().next.is_some());
    let steered = house.events.redrive(Selection::Filter(dead("fn"))).await.unwrap();
    assert!(matches!(steered, Steered::Done(3)), "{steered:?}");
    house.breathe().await;
    assert_eq!((runs(&house).len(), house.events.kept()), (21, 3));
    let steered = house.events.purge(Selection::Filter(dead("other"))).await.unwrap();
    assert!(matches!(steered, Steered::Done(3)), "{steered:?}");
    assert_eq!((house.events.kept(), all(&house).await.len()), (0, 0));
    assert_eq!(house.telemetry.count_of(Metric::AsyncEventsDropped), 6);
}

#[tokio::test]
async fn at_its_end_the_engine_settles_what_runs_and_leaves_the_rest_on_disk() {
    let outside = outside();
    let first = engine(&outside, Settings::default()).await;
    first.create("fn").await;
    first.functions.put_function_concurrency(CALLER, &first.target("fn"), 1).await.unwrap();
    first.sandbox.script([Step::Takes(Duration::from_secs(5))]);
    for _ in 0..3 {
        first.send("fn", "{}").await.unwrap();
    }
    first.breathe().await;
    first.events.close();
    let drained = first.events.drained();
    tokio::pin!(drained);
    first.pass(4).await;
    assert!(tokio::time::timeout(Duration::ZERO, &mut drained).await.is_err(), "one runs");
    first.pass(1).await;
    assert!(tokio::time::timeout(Duration::ZERO, &mut drained).await.is_ok());
    first.pass(100).await;
    assert_eq!((runs(&first).len(), all(&first).await.len()), (1, 2), "nothing begins any more");
    let second = engine(&outside, Settings::default()).await;
    assert_eq!(second.events.kept(), 2);
    second.pass(2).await;
    assert_eq!((runs(&second).len(), second.events.kept()), (2, 0));
}

#[tokio::test]
async fn an_attempt_that_is_cut_off_costs_none() {
    let outside = outside();
    let lost = outside.clone();
    // An engine with a runtime of its own, which dies with everything in memory.
    let dies = std::thread::spawn(move || {
        let own = tokio::runtime::Builder::new_current_thread().build().unwrap();
        own.block_on(async {
            let first = engine(&lost, Settings::default()).await;
            first.create("fn").await;
            first.sandbox.script([fails(), Step::Hangs]);
            let id = first.send("fn", "{}").await.unwrap();
            first.pass(61).await;
            assert_eq!(runs(&first), [0, 60]);
            id
        })
    });
    let id = dies.join().unwrap();
    let second = engine(&outside, Settings::default()).await;
    second.sandbox.script([fails(), fails()]);
    second.pass(200).await;
    assert_eq!(runs(&second), [61, 181], "the second attempt again, and then the third");
    let (view, _) = shown(&second, id).await;
    assert_eq!((view.listed.state, view.listed.attempts), (State::Dead, 3));
}
