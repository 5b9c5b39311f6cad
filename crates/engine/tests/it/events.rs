//! Events: accepted, run, tried again, held up, and how they end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::alias::Routing;
use domain::environment::Failure;
use domain::error::ThrottleReason;
use domain::event::State;
use domain::function::Function;
use domain::names::{AliasName, RequestId, Version, VersionNumber};
use domain::{Error, Refusal};
use engine::access::Caller;
use engine::events::{EventView, Selection, Settings};
use engine::functions::{AliasEdit, CodeUpdate, Destinations, EventInvokeEdit, NewAlias, Publication};
use engine::ports::{EventFilter, Metric, Shown};
use serde_json::{Value, json};
use testkit::courier::body;
use testkit::house::{Bounds, House, Outside};
use testkit::layers::MemoryLayers;
use testkit::packages::{MemoryPackages, zip_of};
use testkit::records::MemoryRecords;
use testkit::sandbox::Step;

pub(crate) const CALLER: &Caller = &Caller::Anyone;
pub(crate) const RECORDS: &str = "arn:aws:sqs:us-east-1:000000000000:records";
pub(crate) const LETTERS: &str = "arn:aws:sqs:us-east-1:000000000000:letters";

pub(crate) fn outside() -> Outside {
    let records = Arc::new(MemoryRecords::new());
    let packages = Arc::new(MemoryPackages::beside(records.clone()));
    Outside::new(records, packages, Arc::new(MemoryLayers::default()))
}

/// An engine that runs events, with the functions that are there.
pub(crate) async fn engine(outside: &Outside, settings: Settings) -> Arc<House> {
    let house = Arc::new(House::within(outside, Bounds::default(), settings));
    house.functions.load().await.unwrap();
    house.start_events().await;
    house
}

/// With a function `fn` whose failures are told to a queue.
pub(crate) async fn house() -> Arc<House> {
    let house = engine(&outside(), Settings::default()).await;
    house.create("fn").await;
    tell_failures(&house, "fn", EventInvokeEdit::default()).await;
    house
}

/// Sets what becomes of events, with their failures told to a queue.
pub(crate) async fn tell_failures(house: &House, of: &str, edit: EventInvokeEdit) {
    let destinations = Some(Destinations { on_success: None, on_failure: Some(RECORDS.to_owned()) });
    let edit = EventInvokeEdit { destinations, ..edit };
    house.functions.put_event_invoke_config(CALLER, &house.target(of), edit).await.unwrap();
}

pub(crate) fn fails() -> Step {
    let payload = Bytes::from_static(br#"{"errorMessage":"boom","errorType":"Oops"}"#);
    Step::Fails(Failure::Reported { error_type: "Function.Oops".into(), payload })
}

/// Seconds from the first day of the clock to each run.
pub(crate) fn runs(house: &House) -> Vec<i64> {
    let start = testkit::clock::HandClock::default();
    let begin = engine::ports::Clock::now(&start);
    house.sandbox.ran().iter().map(|ran| ran.at.duration_since(begin).as_secs()).collect()
}

pub(crate) fn documents(house: &House, target: &str) -> Vec<Value> {
    house.courier.arrived(target).iter().map(|parcel| serde_json::from_slice(body(parcel)).unwrap()).collect()
}

/// The one record that was told.
pub(crate) fn record(house: &House) -> Value {
    let mut documents = documents(house, RECORDS);
    assert_eq!(documents.len(), 1, "{documents:?}");
    documents.remove(0)
}

fn ending(record: &Value) -> (&str, u64) {
    let context = &record["requestContext"];
    (context["condition"].as_str().unwrap(), context["approximateInvokeCount"].as_u64().unwrap())
}

pub(crate) async fn all(house: &House) -> Vec<EventView> {
    house.events.list(EventFilter::default(), None, 1_000_000).await.unwrap().events
}

pub(crate) async fn shown(house: &House, id: RequestId) -> (EventView, Shown) {
    house.events.show(id).await.unwrap().expect("it is there")
}

pub(crate) async fn state(house: &House, id: RequestId) -> State {
    shown(house, id).await.0.listed.state
}

/// Takes the only slot of `fn` for so many seconds.
pub(crate) async fn hold_slot(house: &Arc<House>, seconds: u64) {
    house.functions.put_function_concurrency(CALLER, &house.target("fn"), 1).await.unwrap();
    house.sandbox.script([Step::Takes(Duration::from_secs(seconds))]);
    let running = house.clone();
    engine::tasks::spawn("a call", async move { running.invoke(running.ask("fn", "\"holds\"")).await }).detach();
    house.breathe().await;
    assert_eq!(house.invoker.running(), 1);
}

fn throttles(house: &House) -> usize {
    let reason = ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded;
    house.telemetry.count_of(Metric::Throttles(reason))
}

#[tokio::test]
async fn a_failing_event_runs_three_times_under_one_id() {
    // Recorded: test_retries, test_invocation_type_event_error.
    let house = house().await;
    house.sandbox.script([fails(), fails(), fails()]);
    let id = house.send("fn", "{\"a\": 1}").await.unwrap();
    house.pass(59).await;
    let (view, seen) = shown(&house, id).await;
    assert_eq!((view.listed.state, view.listed.attempts, view.reason), (State::Retrying, 1, Some("boom".to_owned())));
    assert_eq!((seen.history.len(), seen.history[0].error_type.as_str()), (1, "Function.Oops"));
    house.pass(150).await;
    assert_eq!(runs(&house), [0, 60, 180]);
    assert!(house.sandbox.ran().iter().all(|ran| ran.request_id == id && ran.payload == "{\"a\": 1}"));
    for word in ["START", "END", "REPORT"] {
        let lines = house.telemetry.lines();
        let told = lines.iter().filter(|line| line.starts_with(&format!("{word} RequestId: {id}"))).count();
        assert_eq!(told, 3, "{word}");
    }
    let mut record = record(&house);
    assert!(record["timestamp"].take().as_str().unwrap().ends_with(":03:00.000Z"));
    let expected = json!({
        "version": "1.0",
        "timestamp": null,
        "requestContext": {
            "requestId": id.to_string(),
            "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:fn:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"a": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": "boom", "errorType": "Oops"},
    });
    assert_eq!(record, expected);
    let (view, seen) = shown(&house, id).await;
    assert_eq!((view.listed.state, view.listed.attempts, view.listed.due_at), (State::Dead, 3, None));
    assert_eq!(view.reason.as_deref(), Some("RetriesExhausted: boom"));
    assert_eq!(seen.history.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2, 3]);
    house.pass(600).await;
    assert_eq!(runs(&house).len(), 3, "that was all");
}

#[tokio::test]
async fn retries_and_age_are_as_they_are_set() {
    // Recorded: test_retries (0), test_maxeventage (60, 90); AWS API reference, PutFunctionEventInvokeConfig (1).
    for (retries_max, age_seconds_max, expected, condition) in [
        (Some(0), None, [0].as_slice(), "RetriesExhausted"),
        (Some(1), None, &[0, 60], "RetriesExhausted"),
        (None, Some(60), &[0], "EventAgeExceeded"),
        (None, Some(90), &[0, 60], "EventAgeExceeded"),
        (Some(0), Some(60), &[0], "RetriesExhausted"),
    ] {
        let house = house().await;
        tell_failures(&house, "fn", EventInvokeEdit { retries_max, age_seconds_max, destinations: None }).await;
        house.sandbox.script([fails(), fails(), fails()]);
        let id = house.send("fn", "{}").await.unwrap();
        // It ends with its last attempt, without waiting.
        house.pass(u64::try_from(expected[expected.len() - 1]).unwrap()).await;
        assert_eq!(state(&house, id).await, State::Dead, "{retries_max:?} {age_seconds_max:?}");
        house.pass(300).await;
        assert_eq!(runs(&house), expected, "{retries_max:?} {age_seconds_max:?}");
        assert_eq!(ending(&record(&house)), (condition, expected.len() as u64));
    }
}

#[tokio::test]
async fn timeouts_and_crashes_are_attempts_too() {
    // AWS developer guide, invocation-async-error-handling.
    let house = house().await;
    house.sandbox.script([Step::Hangs, Step::Fails(Failure::Exited(domain::environment::Exit::Status(1)))]);
    let id = house.send("fn", "{}").await.unwrap();
    house.pass(250).await;
    // The timeout of 3 seconds comes first.
    assert_eq!(runs(&house), [0, 63, 183]);
    assert!(house.events.show(id).await.unwrap().is_none(), "what succeeds is gone");
    assert!(documents(&house, RECORDS).is_empty());
    assert_eq!(house.events.kept(), 0);
}

#[tokio::test]
async fn without_concurrency_an_event_ends_without_an_attempt() {
    // Recorded: test_reserved_concurrency.
    let house = house().await;
    house.functions.put_function_concurrency(CALLER, &house.target("fn"), 0).await.unwrap();
    let id = house.send("fn", "{}").await.unwrap();
    house.breathe().await;
    let record = record(&house);
    assert_eq!(ending(&record), ("ZeroReservedConcurrency", 0));
    assert!(record.get("responseContext").is_none() && record.get("responsePayload").is_none(), "{record}");
    assert_eq!((state(&house, id).await, runs(&house).len()), (State::Dead, 0));
}

#[tokio::test]
async fn throttled_events_back_off_together_and_lose_no_attempt() {
    // AWS developer guide, invocation-async-error-handling: from 1 second up to 5 minutes.
    let house = house().await;
    hold_slot(&house, 1_200).await;
    let first = house.send("fn", "1").await.unwrap();
    let mut tries = Vec::new();
    for second in 0..1_200 {
        house.breathe().await;
        if throttles(&house) > tries.len() {
            tries.push(second);
        }
        assert_eq!(throttles(&house), tries.len(), "one is tried for all of them");
        if second == 2 {
            for _ in 0..5 {
                house.send("fn", "2").await.unwrap();
            }
        }
        house.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(tries, [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 811, 1_111]);
    let (view, _) = shown(&house, first).await;
    assert_eq!((view.listed.state, view.listed.attempts), (State::Queued, 0));
    assert_eq!(view.reason.as_deref(), Some("ReservedFunctionConcurrentInvocationLimitExceeded"));
    house.pass(310).await;
    assert_eq!(runs(&house)[1..], [1_411; 6], "at most 300 s after the slot was free, and all of them");
    assert_eq!(house.events.kept(), 0);
}

#[tokio::test]
async fn a_second_event_waits_for_the_slot_of_the_first() {
    // Recorded: test_reserved_concurrency_async_queue; a synchronous call meanwhile is refused.
    let house = house().await;
    house.functions.put_function_concurrency(CALLER, &house.target("fn"), 1).await.unwrap();
    house.sandbox.script([Step::Takes(Duration::from_secs(9))]);
    for _ in 0..2 {
        house.send("fn", "{}").await.unwrap();
    }
    house.pass(1).await;
    let refused = house.invoke(house.ask("fn", "{}")).await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::Throttled { .. }))), "{refused:?}");
    house.pass(20).await;
    assert_eq!(runs(&house), [0, 9], "as soon as it is free");
}

#[tokio::test]
async fn what_gets_too_old_while_it_is_held_up_ends_at_once_all_of_it() {
    // Recorded: test_maxeventage: the age is looked at ahead.
    let house = house().await;
    tell_failures(&house, "fn", EventInvokeEdit { age_seconds_max: Some(60), ..EventInvokeEdit::default() }).await;
    hold_slot(&house, 5_000).await;
    for _ in 0..300 {
        house.send("fn", "{}").await.unwrap();
    }
    // The tries are after 0, 1, 3, 7, 15 and 31 seconds; the next one would be after 63.
    house.pass(30).await;
    assert!(documents(&house, RECORDS).is_empty());
    house.pass(1).await;
    settle(&house).await;
    let records = documents(&house, RECORDS);
    assert_eq!((records.len(), runs(&house).len()), (300, 1));
    for record in &records {
        assert_eq!(ending(record), ("EventAgeExceeded", 0));
        assert!(record.get("responseContext").is_none(), "{record}");
    }
    // One that comes while its function is held for longer than it may become old.
    tell_failures(&house, "fn", EventInvokeEdit::default()).await;
    house.send("fn", "1").await.unwrap();
    house.pass(600).await;
    tell_failures(&house, "fn", EventInvokeEdit { age_seconds_max: Some(60), ..EventInvokeEdit::default() }).await;
    house.send("fn", "2").await.unwrap();
    settle(&house).await;
    assert_eq!(documents(&house, RECORDS).len(), 302);
    // Nothing of them is in hand any more: redriven, they run.
    house.functions.delete_function_concurrency(CALLER, &house.target("fn")).await.unwrap();
    house.pass(300).await;
    house.events.redrive(Selection::Filter(EventFilter::default())).await.unwrap();
    settle(&house).await;
    assert_eq!((runs(&house).len(), house.events.kept()), (303, 0));
}

/// Lets many things go on.
pub(crate) async fn settle(house: &House) {
    for _ in 0..200 {
        house.breathe().await;
    }
}

#[tokio::test]
async fn what_waited_too_long_is_not_run() {
    // AWS API reference, PutFunctionEventInvokeConfig: "the maximum age of a request that Lambda sends to a function".
    let outside = outside();
    let first = engine(&outside, Settings::default()).await;
    first.create("fn").await;
    tell_failures(&first, "fn", EventInvokeEdit::default()).await;
    first.events.close();
    let id = first.send("fn", "{}").await.unwrap();
    first.clock.advance(Duration::from_hours(6));
    let second = engine(&outside, Settings::default()).await;
    second.breathe().await;
    assert_eq!((runs(&second).len(), state(&second, id).await), (0, State::Dead));
    assert_eq!(ending(&record(&second)), ("EventAgeExceeded", 0));
}

#[tokio::test]
async fn the_configuration_is_that_of_the_moment_of_execution() {
    // Recorded: test_async_invoke_queue_upon_function_update.
    let house = house().await;
    hold_slot(&house, 5).await;
    house.send("fn", "{}").await.unwrap();
    house.pass(2).await;
    let zip = zip_of(&[("app.py", 0o644, b"other")]);
    let target = house.target("fn");
    house.functions.update_function_code(CALLER, &target, None, CodeUpdate::default(), zip).await.unwrap();
    house.settled("fn").await;
    house.pass(20).await;
    let ran = house.sandbox.ran();
    assert_eq!(ran.len(), 2);
    assert_ne!(ran[0].code, ran[1].code, "what was queued runs with the new code");
}

async fn publish(house: &House) -> Arc<Function> {
    house.functions.publish_version(CALLER, &house.target("fn"), Publication::default()).await.unwrap()
}

async fn with_alias() -> Arc<House> {
    let house = house().await;
    publish(&house).await;
    let target = house.target("fn");
    let zip = zip_of(&[("app.py", 0o644, b"second")]);
    house.functions.update_function_code(CALLER, &target, None, CodeUpdate::default(), zip).await.unwrap();
    house.settled("fn").await;
    publish(&house).await;
    let version = Version::Published(VersionNumber::new(1).unwrap());
    let new = NewAlias { name: AliasName::new("live"), version, routing: None, description: String::new() };
    house.functions.create_alias(CALLER, &target, new).await.unwrap();
    house
}

#[tokio::test]
async fn an_event_to_an_alias_follows_the_alias() {
    // Recorded: test_lambda_eventinvokeconfig_lifecycle (each qualifier has its own); the record names the alias.
    let house = with_alias().await;
    tell_failures(&house, "fn:live", EventInvokeEdit { retries_max: Some(1), ..EventInvokeEdit::default() }).await;
    house.sandbox.script([fails(), fails()]);
    house.send("fn:live", "{}").await.unwrap();
    house.pass(100).await;
    assert_eq!(runs(&house), [0, 60], "the retries of the alias");
    let record = record(&house);
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:fn:live";
    assert_eq!((record["requestContext"]["functionArn"].as_str(), ending(&record).1), (Some(arn), 2));
    assert_eq!(record["responseContext"]["executedVersion"], "1");
    assert_eq!(house.sandbox.ran()[0].invoked_arn, arn);
}

#[tokio::test]
async fn the_weights_of_an_alias_hold_for_events() {
    // AWS developer guide, configuring-alias-routing.
    let house = with_alias().await;
    let routing = Some(Routing { version: VersionNumber::new(2).unwrap(), weight: 0.3 });
    let edit = AliasEdit { routing: Some(routing), ..AliasEdit::default() };
    house.functions.update_alias(CALLER, &house.target("fn"), AliasName::new("live"), edit).await.unwrap();
    for _ in 0..200 {
        house.send("fn:live", "{}").await.unwrap();
        house.breathe().await;
    }
    let lines = house.telemetry.lines();
    let of = |version: u8| lines.iter().filter(|line| line.ends_with(&format!(" Version: {version}"))).count();
    assert_eq!(of(1) + of(2), 200);
    assert!((40..80).contains(&of(2)), "{} of 200 at a weight of 0.3", of(2));
}

#[tokio::test]
async fn an_event_to_a_version_has_the_settings_of_that_version() {
    // Recorded: test_lambda_eventinvokeconfig_lifecycle: a version inherits nothing.
    let house = with_alias().await;
    house.sandbox.script([fails(), fails(), fails()]);
    let id = house.send("fn:1", "{}").await.unwrap();
    house.pass(200).await;
    assert_eq!((runs(&house), documents(&house, RECORDS).len()), (vec![0, 60, 180], 0));
    let (view, _) = shown(&house, id).await;
    assert_eq!(view.function_arn, "arn:aws:lambda:us-east-1:000000000000:function:fn:1");
    house.send("fn:1", "{}").await.unwrap();
    house.breathe().await;
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:fn:1";
    assert_eq!(house.sandbox.ran()[3].invoked_arn, arn);
}

#[tokio::test]
async fn what_names_nothing_any_more_is_dead_and_kept() {
    // Where AWS documents nothing: docs/open-points.md.
    let house = with_alias().await;
    hold_slot(&house, 40).await;
    let (to_alias, to_function) = (house.send("fn:live", "1").await.unwrap(), house.send("fn", "2").await.unwrap());
    house.functions.delete_alias(CALLER, &house.target("fn"), AliasName::new("live")).await.unwrap();
    house.pass(1).await;
    let (view, _) = shown(&house, to_alias).await;
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:fn:live";
    assert_eq!((view.listed.condition.as_deref(), view.function_arn.as_str()), (Some("FunctionUnavailable"), arn));
    house.functions.delete_function(CALLER, &house.target("fn")).await.unwrap();
    house.pass(40).await;
    assert_eq!(state(&house, to_function).await, State::Dead);
    assert_eq!(all(&house).await.len(), 2, "somebody may want them");
}

#[tokio::test]
async fn the_caller_hears_what_is_wrong_with_the_call_and_nothing_of_what_comes_later() {
    // AWS developer guide, invocation-async; concurrency and loops are judged when it runs (recorded:
    // test_reserved_concurrency).
    let house = house().await;
    let refused = house.send("other", "{}").await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::FunctionNotFound { .. }))), "{refused:?}");
    let refused = house.send("fn", "nope").await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::PayloadNotJson { .. }))), "{refused:?}");
    let mut ask = house.ask("fn", "{}");
    ask.payload = Bytes::from(vec![b'1'; domain::limits::ASYNC_REQUEST_BYTES + 1]);
    let refused = house.events.invoke(CALLER, ask.clone()).await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::RequestTooLarge { .. }))), "{refused:?}");
    ask.payload.truncate(domain::limits::ASYNC_REQUEST_BYTES);
    house.events.invoke(CALLER, ask).await.unwrap();
    assert_eq!(house.telemetry.count_of(Metric::AsyncEventsReceived), 1);
}

#[tokio::test]
async fn a_panic_while_an_event_runs_costs_no_attempt() {
    let house = house().await;
    house.sandbox.script([Step::Panics]);
    let id = house.send("fn", "{}").await.unwrap();
    house.breathe().await;
    let (view, _) = shown(&house, id).await;
    assert_eq!((view.listed.state, view.listed.attempts), (State::Queued, 0));
    assert_eq!(view.reason.as_deref(), Some("the engine failed; its log says how"));
    house.pass(2).await;
    assert_eq!((runs(&house), house.events.kept()), (vec![0, 1], 0));
}

#[tokio::test]
async fn a_panic_in_the_store_holds_nothing_in_hand() {
    // Else the event would never run again, and its function would have less room.
    let house = house().await;
    house.sandbox.script([Step::Takes(Duration::from_secs(1))]);
    house.send("fn", "{}").await.unwrap();
    house.breathe().await;
    // The next call is the settlement.
    house.kept.panic_once();
    house.pass(3).await;
    assert_eq!((runs(&house), house.events.kept()), (vec![0, 2], 0));
    // And a reading.
    house.sandbox.script([fails()]);
    house.send("fn", "{}").await.unwrap();
    house.breathe().await;
    house.kept.panic_once();
    house.pass(63).await;
    assert_eq!((house.sandbox.ran().len(), house.events.kept()), (4, 0));
}

#[tokio::test]
async fn a_hundred_thousand_throttled_events_delay_no_other() {
    const MANY: u64 = 100_000;
    let house = house().await;
    house.create("other").await;
    hold_slot(&house, 10_000).await;
    for _ in 0..MANY {
        house.send("fn", "{}").await.unwrap();
    }
    house.breathe().await;
    let before = (house.kept.calls(), house.clock.sleepers());
    let at = engine::ports::Clock::elapsed(&*house.clock);
    house.send("other", "{}").await.unwrap();
    house.breathe().await;
    assert_eq!(house.sandbox.ran().last().unwrap().invoked_arn, house.target("other").arn.to_string());
    assert_eq!(engine::ports::Clock::elapsed(&*house.clock), at, "without any time");
    assert_eq!(house.kept.calls() - before.0, 2, "written and removed, whatever else waits");
    // An hour of being refused costs as much as for one.
    let (calls, refused) = (house.kept.calls(), throttles(&house));
    house.pass(3_600).await;
    assert!(throttles(&house) - refused < 25, "{}", throttles(&house) - refused);
    assert!(house.kept.calls() - calls < 25, "{}", house.kept.calls() - calls);
    assert_eq!(house.events.kept(), MANY);
}
