//! What is told at the end of an event, to whom, and what happens when nobody takes it.

use std::sync::Arc;
use std::time::Duration;

use domain::destination::Parcel;
use domain::event::State;
use domain::names::RequestId;
use engine::events::{Selection, Settings, Steered};
use engine::functions::{Destinations, EventInvokeEdit};
use engine::ports::{DeliveryState, Metric};
use testkit::house::House;
use testkit::packages::zip_of;
use testkit::sandbox::Step;

use crate::events::{
    CALLER, LETTERS, RECORDS, all, documents, engine, fails, outside, record, runs, settle, shown, state, tell_failures,
};

/// A function with a dead-letter queue, whose failures are also told to a queue; events are tried once.
async fn with_both() -> Arc<House> {
    let house = engine(&outside(), Settings::default()).await;
    let zip = zip_of(&[("app.py", 0o644, b"")]);
    let mut new = house.new_function("fn");
    new.configuration.dead_letter = Some(LETTERS.to_owned());
    house.functions.create_function(CALLER, new, zip, false).await.unwrap();
    house.settled("fn").await;
    tell_failures(&house, "fn", EventInvokeEdit { retries_max: Some(0), ..EventInvokeEdit::default() }).await;
    house
}

async fn tell_successes(house: &House, of: &str, target: &str) {
    let destinations = Some(Destinations { on_success: Some(target.to_owned()), on_failure: None });
    let edit = EventInvokeEdit { destinations, ..EventInvokeEdit::default() };
    house.functions.put_event_invoke_config(CALLER, &house.target(of), edit).await.unwrap();
}

fn letter(house: &House) -> (String, Vec<(String, String)>) {
    let mut letters = house.courier.arrived(LETTERS);
    assert_eq!(letters.len(), 1);
    let Parcel::Queue { body, attributes, .. } = letters.remove(0) else { panic!("no message") };
    let attributes = attributes.into_iter().map(|one| (one.name.to_owned(), one.value)).collect();
    (String::from_utf8(body.to_vec()).unwrap(), attributes)
}

#[tokio::test]
async fn a_dead_letter_and_a_record_are_both_sent() {
    // Recorded: test_dead_letter_queue, test_assess_lambda_destination_invocation.
    let house = with_both().await;
    house.sandbox.script([fails()]);
    let id = house.send("fn", "{\"a\" : 1}").await.unwrap();
    house.breathe().await;
    let (body, attributes) = letter(&house);
    assert_eq!(body, "{\"a\" : 1}", "the event itself, byte for byte");
    let expected = [("RequestID", id.to_string()), ("ErrorCode", "200".into()), ("ErrorMessage", "boom".into())];
    assert_eq!(attributes, expected.map(|(name, value)| (name.to_owned(), value)));
    assert_eq!(record(&house)["requestContext"]["requestId"], id.to_string());
    let (view, seen) = shown(&house, id).await;
    assert_eq!(view.listed.state, State::Dead, "it stays, delivered or not");
    assert!(seen.deliveries.iter().all(|one| one.state == DeliveryState::Delivered && one.attempts == 1));
}

#[tokio::test]
async fn a_loop_of_events_ends_in_the_dead_letter_queue() {
    // AWS developer guide, invocation-recursion.
    let house = with_both().await;
    let called = house.invoke(house.ask("fn", "{}")).await.unwrap().trace;
    let (head, _) = called.rsplit_once(':').unwrap();
    let mut ask = house.ask("fn", "{}");
    ask.trace = Some(format!("{head}:16"));
    let id = ask.request_id;
    house.events.invoke(CALLER, ask).await.unwrap();
    house.breathe().await;
    let (_, attributes) = letter(&house);
    assert_eq!(attributes[2], ("ErrorMessage".to_owned(), "RecursiveInvocation".to_owned()));
    assert_eq!((state(&house, id).await, runs(&house).len()), (State::Dead, 1));
}

#[tokio::test]
async fn a_success_is_told_and_gone_when_it_has_arrived() {
    // Recorded: test_assess_lambda_destination_invocation.
    let house = with_both().await;
    tell_successes(&house, "fn", RECORDS).await;
    house.courier.fail(RECORDS, "it is down");
    let id = house.send("fn", "{\"a\":1}").await.unwrap();
    house.breathe().await;
    let (view, seen) = shown(&house, id).await;
    assert_eq!((view.listed.state, view.listed.attempts), (State::Delivering, 1));
    assert_eq!(seen.deliveries[0].error.as_deref(), Some("it is down"));
    assert_eq!(house.events.kept(), 1);
    house.courier.mend(RECORDS);
    house.pass(2).await;
    let record = record(&house);
    assert_eq!(record["requestContext"]["condition"], "Success");
    assert_eq!(record["responseContext"]["functionError"], serde_json::Value::Null);
    assert_eq!(record["responsePayload"], serde_json::json!({"a": 1}));
    assert!(house.events.show(id).await.unwrap().is_none());
    assert_eq!((house.events.kept(), runs(&house).len()), (0, 1));
    assert!(house.courier.arrived(LETTERS).is_empty());
}

#[tokio::test]
async fn a_success_that_nobody_wants_to_hear_of_is_told_to_nobody() {
    let house = with_both().await;
    house.send("fn", "{}").await.unwrap();
    house.pass(10).await;
    assert_eq!((house.events.kept(), house.courier.carried().len()), (0, 0));
}

#[tokio::test]
async fn a_function_may_be_the_target() {
    // AWS developer guide, invocation-async-retain-records: the record is the payload of an asynchronous invocation.
    let house = with_both().await;
    house.create("next").await;
    tell_successes(&house, "fn", &house.target("next").arn.to_string()).await;
    let id = house.send("fn", "{}").await.unwrap();
    house.breathe().await;
    let ran = house.sandbox.ran();
    assert_eq!(ran.len(), 2);
    assert_ne!(ran[1].request_id, id, "an invocation of its own");
    let payload: serde_json::Value = serde_json::from_slice(&ran[1].payload).unwrap();
    assert_eq!(payload["requestContext"]["requestId"], id.to_string());
    assert_eq!(house.events.kept(), 0);
}

#[tokio::test]
async fn after_six_hours_a_delivery_is_given_up_kept_counted_and_sent_again_by_redrive() {
    let house = with_both().await;
    tell_successes(&house, "fn", RECORDS).await;
    house.courier.fail(RECORDS, "it is down");
    let ids: Vec<RequestId> = many(&house, 100).await;
    for _ in 0..6 * 60 {
        house.clock.advance(Duration::from_mins(1));
        house.breathe().await;
    }
    settle(&house).await;
    let tries = house.courier.carried().len();
    assert!((70..150).contains(&tries), "{tries} tries in six hours for all of them");
    for id in &ids {
        let (view, seen) = shown(&house, *id).await;
        assert_eq!(view.listed.state, State::Delivering);
        let delivery = &seen.deliveries[0];
        assert_eq!((delivery.state, delivery.due_at), (DeliveryState::Failed, None));
        assert_eq!(delivery.error.as_deref(), Some("it is down"));
    }
    assert_eq!(house.telemetry.count_of(Metric::DestinationDeliveryFailures), 100);
    house.pass(600).await;
    assert_eq!(house.courier.carried().len(), tries, "nothing more by itself");

    house.courier.mend(RECORDS);
    let steered = house.events.redrive(Selection::Ids(ids)).await.unwrap();
    assert!(matches!(steered, Steered::Done(100)), "{steered:?}");
    settle(&house).await;
    assert_eq!((documents(&house, RECORDS).len(), house.events.kept()), (100, 0));
    assert_eq!(runs(&house).len(), 100, "only the delivery is repeated");
}

async fn many(house: &House, count: usize) -> Vec<RequestId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(house.send("fn", "{}").await.unwrap());
        house.breathe().await;
    }
    ids
}

#[tokio::test]
async fn a_redrive_does_not_wait_for_a_target_that_is_held() {
    let house = with_both().await;
    tell_successes(&house, "fn", RECORDS).await;
    house.courier.fail(RECORDS, "it is down");
    let ids = many(&house, 3).await;
    house.pass(600).await;
    house.courier.mend(RECORDS);
    house.breathe().await;
    assert!(documents(&house, RECORDS).is_empty(), "it is tried again in some minutes");
    house.events.redrive(Selection::Ids(ids)).await.unwrap();
    house.breathe().await;
    assert_eq!((documents(&house, RECORDS).len(), house.events.kept()), (3, 0));
}

#[tokio::test]
async fn a_target_that_is_down_holds_up_no_other() {
    let house = with_both().await;
    house.courier.fail(LETTERS, "it is down");
    house.sandbox.script((0..20).map(|_| fails()));
    many(&house, 20).await;
    assert_eq!(documents(&house, RECORDS).len(), 20);
    house.courier.mend(LETTERS);
    house.pass(3).await;
    assert_eq!(house.courier.arrived(LETTERS).len(), 20);
}

#[tokio::test]
async fn what_became_of_a_delivery_is_written_even_if_that_takes_long() {
    // Else what arrived would be sent again, and again.
    let house = with_both().await;
    tell_successes(&house, "fn", RECORDS).await;
    house.sandbox.script([Step::Takes(Duration::from_secs(1))]);
    house.send("fn", "{}").await.unwrap();
    house.breathe().await;
    house.clock.advance(Duration::from_secs(1));
    // The settlement of the event is the first write, that of its delivery the next.
    while house.courier.carried().is_empty() {
        tokio::task::yield_now().await;
    }
    house.kept.fail_writes(5);
    house.pass(10).await;
    assert_eq!((house.courier.carried().len(), house.events.kept()), (1, 0));
}

#[tokio::test]
async fn a_redriven_event_starts_from_nothing_under_its_own_id() {
    let house = with_both().await;
    house.sandbox.script([fails()]);
    let id = house.send("fn", "{\"a\" : 1}").await.unwrap();
    house.pass(30_000 / 60).await;
    let (before, _) = shown(&house, id).await;
    house.clock.advance(Duration::from_mins(500));
    tell_failures(&house, "fn", EventInvokeEdit { retries_max: Some(1), ..EventInvokeEdit::default() }).await;
    house.sandbox.script([fails(), fails()]);
    house.events.redrive(Selection::Ids(vec![id])).await.unwrap();
    house.breathe().await;
    let (view, seen) = shown(&house, id).await;
    assert_eq!((view.listed.state, view.listed.attempts), (State::Retrying, 1), "with a new age");
    assert_eq!((view.listed.accepted_at, seen.deliveries.len()), (before.listed.accepted_at, 0));
    house.pass(61).await;
    let ran = house.sandbox.ran();
    assert_eq!(ran.len(), 3);
    assert!(ran.iter().all(|one| one.request_id == id && one.payload == "{\"a\" : 1}"));
    let (view, seen) = shown(&house, id).await;
    assert_eq!((view.listed.state, view.listed.attempts, seen.history.len()), (State::Dead, 2, 2));
    assert_eq!((documents(&house, RECORDS).len(), house.courier.arrived(LETTERS).len()), (2, 2), "both follow again");
    assert_eq!(all(&house).await.len(), 1);
}
