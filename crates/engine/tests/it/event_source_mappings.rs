//! Queues that feed functions: making and changing mappings, and what becomes of messages.

use std::sync::Arc;
use std::time::Duration;

use domain::environment::Failure;
use domain::mapping::{Edit, Mapping, Refused, State};
use domain::{Error, Refusal};
use engine::access::Caller;
use engine::event_source_mappings::{EventSourceMappings, Filter, NewMapping};
use engine::ports::{Clock, MappingRecords};
use testkit::house::{Bounds, House};
use testkit::mappings::{FakeQueues, MemoryMappings};
use testkit::packages::MemoryPackages;
use testkit::records::MemoryRecords;
use testkit::sandbox::Step;

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";
const VISIBILITY: Duration = Duration::from_secs(30);

struct Works {
    house: House,
    queues: Arc<FakeQueues>,
    records: Arc<MemoryMappings>,
    mappings: Arc<EventSourceMappings>,
}

async fn works_with(bounds: Bounds, stops_when_dropped: bool) -> Works {
    let records = Arc::new(MemoryRecords::new());
    let house = House::over(records.clone(), Arc::new(MemoryPackages::beside(records)), bounds);
    let queues = FakeQueues::new(house.clock.clone(), stops_when_dropped);
    queues.put(QUEUE, VISIBILITY);
    let records = Arc::new(MemoryMappings::default());
    let mappings = house.mappings(records.clone(), queues.clone());
    house.create("fn").await;
    Works { house, queues, records, mappings }
}

async fn works() -> Works {
    works_with(Bounds::default(), true).await
}

fn edit() -> Edit {
    Edit::default()
}

fn failure() -> Failure {
    Failure::Reported { error_type: "E".into(), payload: "{}".into() }
}

fn answer(text: &'static str) -> Step {
    Step::Answers(text.into())
}

fn refused<T: std::fmt::Debug>(answer: Result<T, impl Into<Error>>) -> Refused {
    match answer.unwrap_err().into() {
        Error::Refused(Refusal::Mapping(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

impl Works {
    fn new_mapping(&self, function: &str, edit: Edit) -> NewMapping {
        NewMapping { source: Some(QUEUE.to_owned()), target: self.house.target(function), edit, tags: Vec::new() }
    }

    async fn create(&self, new: NewMapping) -> Result<Arc<Mapping>, Error> {
        self.mappings.create_event_source_mapping(&Caller::Anyone, new).await
    }

    /// A mapping that polls.
    async fn feed(&self, edit: Edit) -> String {
        let made = self.create(self.new_mapping("fn", edit)).await.unwrap();
        assert_eq!(made.state, State::Creating);
        self.house.breathe().await;
        assert_eq!(self.state(&made.id.to_string()), Some(State::Enabled));
        made.id.to_string()
    }

    fn state(&self, id: &str) -> Option<State> {
        Some(self.mappings.get_event_source_mapping(&Caller::Anyone, id).ok()?.state)
    }

    async fn update(&self, id: &str, edit: Edit) -> Result<Arc<Mapping>, Error> {
        self.mappings.update_event_source_mapping(&Caller::Anyone, id, edit).await
    }

    async fn set_enabled(&self, id: &str, is_enabled: bool) -> State {
        let state = self.update(id, Edit { is_enabled: Some(is_enabled), ..edit() }).await.unwrap().state;
        self.house.breathe().await;
        state
    }

    async fn delete(&self, id: &str) -> Result<Arc<Mapping>, Error> {
        self.mappings.delete_event_source_mapping(&Caller::Anyone, id).await
    }

    fn send(&self, bodies: &[&str]) {
        for body in bodies {
            self.queues.send(QUEUE, body);
        }
    }

    async fn wait(&self, seconds: u64) {
        self.house.breathe().await;
        for _ in 0..seconds {
            self.house.clock.advance(Duration::from_secs(1));
            self.house.breathe().await;
        }
    }

    fn left(&self) -> Vec<String> {
        self.queues.left(QUEUE)
    }

    /// How many invocations began.
    fn runs(&self) -> usize {
        self.house.telemetry.lines().iter().filter(|line| line.starts_with("START")).count()
    }
}

#[tokio::test]
async fn messages_are_run_and_deleted() {
    let works = works().await;
    works.feed(edit()).await;
    works.send(&["a", "b", "c"]);
    works.wait(0).await;
    assert_eq!(works.left(), [""; 0]);
    assert!(works.runs() >= 1);
}

#[tokio::test]
async fn what_failed_comes_again_after_its_visibility_timeout() {
    // Recorded: test_failing_lambda_retries_after_visibility_timeout.
    let works = works().await;
    works.feed(edit()).await;
    works.house.sandbox.script([Step::Fails(failure())]);
    works.send(&["a"]);
    works.wait(29).await;
    assert_eq!((works.left(), works.runs()), (vec!["m1".to_owned()], 1));
    works.wait(1).await;
    assert_eq!((works.left(), works.runs()), (Vec::new(), 2));
    assert_eq!(works.queues.receipts(QUEUE), 2);
}

#[tokio::test]
async fn what_a_function_names_comes_again_and_the_rest_does_not() {
    // Recorded: test_report_batch_item_failures.
    let works = works().await;
    works.send(&["a", "b", "c"]);
    works.house.sandbox.script([answer(r#"{"batchItemFailures":[{"itemIdentifier":"m2"}]}"#), answer("{}")]);
    works.feed(Edit { reports_failures: Some(true), ..edit() }).await;
    works.wait(1).await;
    assert_eq!((works.left(), works.runs()), (vec!["m2".to_owned()], 1));
    works.wait(30).await;
    assert_eq!((works.left(), works.runs()), (Vec::new(), 2));
}

#[tokio::test]
async fn an_answer_that_names_nothing_right_fails_the_batch() {
    // Recorded: test_report_batch_item_failures_invalid_result_json_batch_fails; without the setting nobody reads it.
    for (reports, left) in [(true, vec!["m1".to_owned()]), (false, Vec::new())] {
        let works = works().await;
        works.send(&["a"]);
        works.house.sandbox.script([answer(r#"{"batchItemFailures":[{"foo":"notvalid"}]}"#)]);
        works.feed(Edit { reports_failures: Some(reports), ..edit() }).await;
        works.wait(1).await;
        assert_eq!(works.left(), left);
    }
}

#[tokio::test]
async fn batches_are_no_larger_than_they_may_be() {
    let works = works().await;
    works.send(&["a"; 7]);
    works.feed(Edit { batch_size: Some(3), ..edit() }).await;
    works.wait(0).await;
    assert_eq!((works.left(), works.runs()), (Vec::new(), 3));
}

#[tokio::test]
async fn a_batch_stays_below_six_megabytes() {
    let works = works().await;
    let large = "x".repeat(2_500_000);
    works.send(&[&large, &large, &large]);
    works.feed(edit()).await;
    // Large payloads are judged on another thread.
    while !works.left().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(works.runs(), 2);
}

#[tokio::test]
async fn with_a_window_messages_are_gathered() {
    let works = works().await;
    works.feed(Edit { batch_size: Some(100), window_seconds: Some(5), ..edit() }).await;
    works.send(&["a"; 12]);
    works.wait(3).await;
    works.send(&["b"]);
    works.wait(1).await;
    assert_eq!((works.left().len(), works.runs()), (13, 0), "the window is five seconds");
    works.wait(1).await;
    assert_eq!((works.left(), works.runs()), (Vec::new(), 1));
    // A full batch does not wait for its window.
    works.send(&["c"; 100]);
    works.wait(0).await;
    assert_eq!((works.left(), works.runs()), (Vec::new(), 2));
}

#[tokio::test]
async fn a_window_ends_before_its_first_message_is_visible_again() {
    let works = works().await;
    works.feed(Edit { batch_size: Some(100), window_seconds: Some(300), ..edit() }).await;
    works.send(&["a"]);
    // The visibility timeout is 30 s, the function's own 3 s.
    works.wait(26).await;
    assert_eq!(works.runs(), 0);
    works.wait(2).await;
    assert_eq!((works.left(), works.runs(), works.queues.receipts(QUEUE)), (Vec::new(), 1, 1));
}

#[tokio::test]
async fn what_fits_no_filter_is_deleted_unseen() {
    // AWS developer guide, with-sqs-filtering.
    let works = works().await;
    works.send(&[r#"{"a":1}"#, r#"{"a":2}"#, "text"]);
    let filters = vec![r#"{"body":{"a":[1]}}"#.to_owned()];
    let id = works.feed(Edit { filters: Some(filters), ..edit() }).await;
    works.wait(0).await;
    assert_eq!((works.left(), works.runs()), (Vec::new(), 1));
    // Without filters again everything passes.
    works.update(&id, Edit { filters: Some(Vec::new()), ..edit() }).await.unwrap();
    works.send(&["text"]);
    works.wait(0).await;
    assert_eq!((works.left(), works.runs()), (Vec::new(), 2));
}

#[tokio::test]
async fn no_more_batches_run_than_may() {
    let works = works().await;
    works.send(&["a"; 20]);
    works.feed(Edit { batch_size: Some(1), concurrency_max: Some(Some(2)), ..edit() }).await;
    works.wait(60).await;
    assert_eq!((works.left(), works.runs()), (Vec::new(), 20));
    assert_eq!(works.house.sandbox.running_most(), 2);
}

#[tokio::test]
async fn there_are_five_batches_at_first_and_more_while_there_are_messages() {
    // AWS developer guide, services-sqs-scaling.
    let works = works().await;
    works.house.sandbox.script(vec![Step::Hangs; 40]);
    works.send(&["a"; 40]);
    works.feed(Edit { batch_size: Some(1), ..edit() }).await;
    works.wait(0).await;
    assert_eq!(works.runs(), 5);
    works.wait(1).await;
    assert_eq!(works.runs(), 10);
}

#[tokio::test]
async fn a_throttled_batch_is_tried_again_without_another_receipt() {
    let works = works_with(Bounds { account_concurrency: 1, ..Bounds::default() }, true).await;
    works.house.create("other").await;
    works.house.sandbox.script([Step::Hangs]);
    let ask = works.house.ask("other", "{}");
    let invoker = works.house.invoker.clone();
    let busy = engine::tasks::spawn("a call", async move { invoker.invoke(&Caller::Anyone, ask).await });
    works.house.breathe().await;
    works.send(&["a"]);
    works.feed(edit()).await;
    works.wait(1).await;
    assert_eq!((works.left().len(), works.runs()), (1, 1), "the account has one, and it is taken");
    works.wait(3).await;
    busy.result().await.unwrap().unwrap();
    assert_eq!((works.left(), works.runs(), works.queues.receipts(QUEUE)), (Vec::new(), 2, 1));
}

#[tokio::test]
async fn a_batch_that_finds_no_room_goes_back() {
    let works = works().await;
    let target = works.house.target("fn");
    works.house.functions.put_function_concurrency(&Caller::Anyone, &target, 0).await.unwrap();
    works.send(&["a"]);
    works.feed(edit()).await;
    works.wait(29).await;
    assert_eq!((works.left().len(), works.queues.receipts(QUEUE)), (1, 1));
    works.wait(60).await;
    assert!(works.queues.receipts(QUEUE) >= 2, "it was visible again");
    works.house.functions.delete_function_concurrency(&Caller::Anyone, &target).await.unwrap();
    works.wait(60).await;
    assert_eq!((works.left(), works.runs()), (Vec::new(), 1));
}

#[tokio::test]
async fn a_disabled_mapping_no_longer_polls() {
    for stops_when_dropped in [true, false] {
        let works = works_with(Bounds::default(), stops_when_dropped).await;
        let id = works.feed(edit()).await;
        assert_eq!(works.set_enabled(&id, false).await, State::Disabling);
        if !stops_when_dropped {
            // The poll that is under way ends first; what it still brings is given back.
            assert_eq!(works.state(&id), Some(State::Disabling));
            works.send(&["a"]);
            works.wait(1).await;
            assert_eq!((works.left().len(), works.queues.visible(QUEUE).len()), (1, 1));
        }
        assert_eq!(works.state(&id), Some(State::Disabled));
        let polls = works.queues.polls(QUEUE);
        works.send(&["b"]);
        works.wait(60).await;
        assert_eq!((works.queues.polls(QUEUE), works.runs()), (polls, 0));
        assert_eq!(works.queues.visible(QUEUE), works.left());
        assert_eq!(works.set_enabled(&id, true).await, State::Enabling);
        works.wait(0).await;
        assert_eq!((works.state(&id), works.left()), (Some(State::Enabled), Vec::new()));
    }
}

#[tokio::test]
async fn disabling_waits_for_what_runs() {
    let works = works().await;
    let id = works.feed(edit()).await;
    works.house.sandbox.script([Step::Hangs]);
    works.send(&["a"]);
    works.wait(0).await;
    works.set_enabled(&id, false).await;
    assert_eq!(works.state(&id), Some(State::Disabling));
    assert_eq!(refused(works.update(&id, edit()).await), Refused::InUse { verb: "update" });
    assert_eq!(refused(works.delete(&id).await), Refused::InUse { verb: "delete" });
    works.wait(3).await;
    assert_eq!(works.state(&id), Some(State::Disabled));
}

#[tokio::test]
async fn a_mapping_made_disabled_does_not_begin() {
    // Recorded: test_fifo_message_group_parallelism (the states).
    let works = works().await;
    let made = works.create(works.new_mapping("fn", Edit { is_enabled: Some(false), ..edit() })).await.unwrap();
    assert_eq!(made.state, State::Creating);
    works.send(&["a"]);
    works.wait(1).await;
    assert_eq!((works.state(&made.id.to_string()), works.runs()), (Some(State::Disabled), 0));
}

#[tokio::test]
async fn a_deleted_mapping_is_gone() {
    let works = works().await;
    let id = works.feed(edit()).await;
    assert_eq!(works.delete(&id).await.unwrap().state, State::Deleting);
    works.wait(0).await;
    assert_eq!(works.state(&id), None);
    assert_eq!(refused(works.delete(&id).await), Refused::Unknown);
    works.send(&["a"]);
    works.wait(1).await;
    assert_eq!((works.queues.visible(QUEUE).len(), works.runs()), (1, 0));
    // The queue is free for another.
    works.feed(edit()).await;
    works.wait(0).await;
    assert_eq!(works.left(), [""; 0]);
}

#[tokio::test]
async fn a_change_counts_from_the_next_batch_on() {
    // Recorded: test_sqs_event_source_mapping_update.
    let works = works().await;
    works.house.create("fn2").await;
    let id = works.feed(edit()).await;
    let target = Some(works.house.target("fn2"));
    let updated = works.update(&id, Edit { target, batch_size: Some(1), ..edit() }).await.unwrap();
    assert_eq!((updated.state, updated.settings.batch_size.0), (State::Updating, 1));
    works.wait(0).await;
    assert_eq!(works.state(&id), Some(State::Enabled));
    works.send(&["a", "b"]);
    works.wait(0).await;
    let starts = works.house.sandbox.started.lock().unwrap().clone();
    assert!(!starts.is_empty() && works.left().is_empty());
    let is_fn2 = |spec: &engine::ports::EnvironmentSpec| {
        spec.platform_variables.contains(&("AWS_LAMBDA_FUNCTION_NAME".to_owned(), "fn2".to_owned()))
    };
    assert!(starts.iter().all(is_fn2), "{starts:#?}");
}

#[tokio::test]
async fn what_was_under_way_is_found_again_at_start() {
    let works = works().await;
    let polling = works.feed(edit()).await;
    works.mappings.close();
    works.mappings.drained().await;
    works.send(&["a"]);
    works.wait(30).await;
    assert_eq!((works.left().len(), works.runs()), (1, 0), "a closed engine polls no more");

    // The engine ended in the middle of each of these.
    for (number, state, is_enabled) in
        [(1, State::Creating, true), (2, State::Disabling, false), (3, State::Deleting, false)]
    {
        let queue = format!("{QUEUE}{number}");
        works.queues.put(&queue, VISIBILITY);
        let found = works.mappings.get_event_source_mapping(&Caller::Anyone, &polling).unwrap();
        let id = uuid::Uuid::from_u128(number);
        let queue = domain::mapping::QueueArn::read(&queue).unwrap();
        let mapping = Mapping { id, queue, state, is_enabled, ..Mapping::clone(&found) };
        works.records.put_mapping(Arc::new(mapping)).await.unwrap();
    }
    let again = works.house.mappings(works.records.clone(), works.queues.clone());
    again.load().await.unwrap();
    works.wait(0).await;
    assert_eq!((works.left(), works.runs()), (Vec::new(), 1));
    let states: Vec<State> = works.records.load_mappings().await.unwrap().iter().map(|mapping| mapping.state).collect();
    assert_eq!(states.len(), 3);
    assert_eq!(states.iter().filter(|state| **state == State::Enabled).count(), 2);
    assert!(states.contains(&State::Disabled));
}

#[tokio::test]
async fn a_queue_that_does_not_answer_is_asked_again() {
    let works = works().await;
    works.feed(edit()).await;
    works.send(&["a"]);
    works.wait(0).await;
    works.queues.set_down(QUEUE, true);
    works.wait(40).await;
    let polls = works.queues.polls(QUEUE);
    works.wait(60).await;
    assert_eq!(works.queues.polls(QUEUE), polls, "one that is down is polled by nobody");
    works.queues.set_down(QUEUE, false);
    works.send(&["b"]);
    works.wait(31).await;
    assert_eq!((works.left(), works.runs()), (Vec::new(), 2));
}

#[tokio::test]
async fn what_was_processed_is_deleted_in_the_end() {
    let works = works().await;
    works.feed(edit()).await;
    works.queues.fail_deletes(QUEUE, 2);
    works.send(&["a"]);
    works.wait(3).await;
    assert_eq!((works.left(), works.runs()), (Vec::new(), 1));
}

#[tokio::test]
async fn without_its_function_a_mapping_takes_no_messages() {
    let works = works().await;
    works.feed(edit()).await;
    works.house.functions.delete_function(&Caller::Anyone, &works.house.target("fn")).await.unwrap();
    // The poll that is under way.
    works.wait(21).await;
    works.send(&["a"]);
    works.wait(60).await;
    assert_eq!(works.queues.receipts(QUEUE), 0);
    works.house.create("fn").await;
    works.wait(1).await;
    assert_eq!((works.left(), works.runs()), (Vec::new(), 1));
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let works = works().await;
    let with = |source: Option<&str>, function: &str, edit| {
        let source = source.map(str::to_owned);
        NewMapping { source, ..works.new_mapping(function, edit) }
    };
    // LocalStack: test_event_source_mapping_exceptions.
    assert_eq!(refused(works.create(with(None, "none", edit())).await), Refused::UnknownSource);
    let nowhere = "arn:aws:sqs:us-east-1:000000000000:none";
    assert_eq!(refused(works.create(with(Some(nowhere), "none", edit())).await), Refused::NoFunction);
    assert_eq!(refused(works.create(with(Some(nowhere), "fn", edit())).await), Refused::NoQueue);
    assert_eq!(refused(works.create(with(Some(QUEUE), "fn:live", edit())).await), Refused::NoFunction);
    works.queues.set_down(QUEUE, true);
    let silent = Refused::QueueSilent { why: "nobody answers".to_owned() };
    assert_eq!(refused(works.create(with(Some(QUEUE), "fn", edit())).await), silent);
    works.queues.set_down(QUEUE, false);
    works.queues.put(QUEUE, Duration::from_secs(2));
    let short = Refused::VisibilityTooShort { visibility_seconds: 2, timeout_seconds: 3 };
    assert_eq!(refused(works.create(with(Some(QUEUE), "fn", edit())).await), short);
    works.queues.put(QUEUE, VISIBILITY);

    // Recorded: test_duplicate_event_source_mappings.
    let id = works.feed(edit()).await;
    let exists = Refused::Exists { queue: QUEUE.to_owned(), function: "fn".to_owned(), id: id.parse().unwrap() };
    assert_eq!(refused(works.create(with(Some(QUEUE), "fn", edit())).await), exists);
    works.house.create("fn2").await;
    let other = works.create(with(Some(QUEUE), "fn2", edit())).await.unwrap().id.to_string();
    works.house.breathe().await;
    let target = Some(works.house.target("fn"));
    assert_eq!(refused(works.update(&other, Edit { target, ..edit() }).await), exists);

    // Recorded: test_event_source_mapping_default_batch_size.
    let eleven = Edit { batch_size: Some(11), ..edit() };
    assert_eq!(refused(works.update(&id, eleven).await), Refused::WindowMissing);
    for unknown in ["00000000-0000-0000-0000-000000000000", "x"] {
        assert_eq!(refused(works.update(unknown, edit()).await), Refused::Unknown);
        assert_eq!(refused(works.delete(unknown).await), Refused::Unknown);
    }
}

#[tokio::test]
async fn listings_have_pages_and_filters() {
    let works = works().await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        works.house.create(name).await;
        ids.push(works.create(works.new_mapping(name, edit())).await.unwrap().id);
    }
    ids.sort_unstable();
    let list = |filter: &Filter, after, max| {
        let page = works.mappings.list_event_source_mappings(&Caller::Anyone, filter, after, max).unwrap();
        (page.items.iter().map(|mapping| mapping.id).collect::<Vec<_>>(), page.next)
    };
    let all = Filter::default();
    assert_eq!(list(&all, None, 2), (ids[..2].to_vec(), Some(ids[1])));
    assert_eq!(list(&all, Some(ids[1]), 2), (ids[2..].to_vec(), None));
    let of = |source: Option<&str>, target| Filter { source: source.map(str::to_owned), target };
    assert_eq!(list(&of(Some(QUEUE), None), None, 9).0, ids);
    assert_eq!(list(&of(Some("arn:aws:sqs:us-east-1:000000000000:none"), None), None, 9).0, ids[..0]);
    assert_eq!(list(&of(None, Some(works.house.target("b"))), None, 9).0.len(), 1);
    assert_eq!(list(&of(None, Some(works.house.target("b:live"))), None, 9).0, ids[..0]);
}

#[tokio::test]
async fn mappings_have_tags() {
    let works = works().await;
    let id = works.feed(edit()).await;
    let arn = format!("arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{id}");
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let (mappings, caller) = (&works.mappings, &Caller::Anyone);
    mappings.tag_resource(caller, &arn, vec![pair("a", "1"), pair("b", "2")]).await.unwrap();
    mappings.tag_resource(caller, &arn, vec![pair("a", "3")]).await.unwrap();
    assert_eq!(mappings.list_tags(caller, &arn).unwrap(), [pair("a", "3"), pair("b", "2")]);
    mappings.untag_resource(caller, &arn, vec!["a".to_owned(), "none".to_owned()]).await.unwrap();
    assert_eq!(mappings.list_tags(caller, &arn).unwrap(), [pair("b", "2")]);
    assert_eq!(works.state(&id), Some(State::Enabled));
    let many = (0..50).map(|number| pair(&number.to_string(), "")).collect();
    let answer = mappings.tag_resource(caller, &arn, many).await;
    assert!(matches!(answer, Err(Error::Refused(Refusal::TooManyTags))), "{answer:?}");
    assert!(works.house.clock.now() >= mappings.get_event_source_mapping(caller, &id).unwrap().modified_at);
}
