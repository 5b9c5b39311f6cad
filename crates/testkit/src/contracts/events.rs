//! What every implementation of `EventRecords` promises.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::destination::{Attribute, AttributeKind, Condition, Delivery, Purpose, Response};
use domain::event::{Attempt, Event, Progress, State};
use domain::names::{Qualifier, RequestId, Version};
use engine::ports::{
    Batch, DeliveryShown, DeliveryState, Due, EventFilter, EventRecords, Owed, Redriven, Sent, Settled,
};
use jiff::Timestamp;
use uuid::Uuid;

use super::name;

/// A moment of the contract, some seconds after it begins.
fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millisecond(1_713_866_400_123).expect("in range") + Duration::from_secs(seconds)
}

fn id(number: u128) -> RequestId {
    RequestId(Uuid::from_u128(number))
}

/// An event with a value of its own in every field, accepted at some second.
pub fn event(number: u128, function: &str, seconds: u64, payload: &[u8]) -> Event {
    Event {
        request_id: id(number),
        function: name(function),
        qualifier: Some(Qualifier::parse("live")),
        payload: Bytes::copy_from_slice(payload),
        trace: Some(format!("Root=1-{number:08x}")),
        accepted_at: at(seconds),
        progress: Progress::new(at(seconds)),
    }
}

fn delivery(number: u128, of: &Event, purpose: Purpose, target: &str, seconds: u64) -> Delivery {
    let is_letter = purpose == Purpose::DeadLetter;
    let attribute = Attribute { name: "ErrorCode", kind: AttributeKind::Number, value: "200".to_owned() };
    Delivery {
        id: Uuid::from_u128(number),
        event: of.request_id,
        purpose,
        target: target.to_owned(),
        function_arn: format!("arn:aws:lambda:us-east-1:000000000000:function:{}:live", of.function),
        function_name: of.function.to_string(),
        body: if is_letter { of.payload.clone() } else { Bytes::from(format!("record {number}")) },
        attributes: if is_letter { vec![attribute] } else { Vec::new() },
        trace: of.trace.clone(),
        at: at(seconds),
    }
}

/// How far an event is after `attempts` that failed.
fn progress(of: &Event, attempts: u32) -> Progress {
    let attempt = |number: u32| Attempt {
        number,
        started_at: at(number.into()),
        error_type: "E".to_owned(),
        error_message: format!("failed \u{fc} {number}"),
    };
    let payload = Bytes::from(format!("{{\"errorMessage\":\"{attempts}\"}}"));
    Progress {
        attempts,
        history: (1..=attempts).map(attempt).collect(),
        response: Some(Response { executed_version: Version::Latest, failed: true, payload }),
        round: of.progress.round + attempts,
        ..of.progress.clone()
    }
}

/// Due by that second, whatever it is.
fn due<Id>(seconds: u64) -> Due<Id> {
    Due { now: at(seconds), skip: Vec::new(), items_max: 100, bytes_max: usize::MAX }
}

async fn insert(events: &dyn EventRecords, event: &Event) {
    assert!(events.insert_event(Arc::new(event.clone())).await.expect("inserts"), "{:?}", event.request_id);
}

async fn due_ids(events: &dyn EventRecords, function: &str, due: Due<RequestId>) -> (Vec<u128>, Option<Timestamp>) {
    let Batch { items, next_at } = events.due_events(name(function), due).await.expect("reads");
    (items.iter().map(|event| event.request_id.0.as_u128()).collect(), next_at)
}

async fn owed(events: &dyn EventRecords, target: &str, due: Due<Uuid>) -> (Vec<Owed>, Option<Timestamp>) {
    let Batch { items, next_at } = events.due_deliveries(target.to_owned(), due).await.expect("reads");
    (items, next_at)
}

async fn found(events: &dyn EventRecords, filter: EventFilter) -> Vec<u128> {
    let count = events.count_events(filter.clone()).await.expect("counts");
    let found = events.find_events(filter, None, 1_000).await.expect("reads");
    assert_eq!(count, found.len() as u64, "as many are counted as are found");
    found.iter().map(|listed| listed.request_id.0.as_u128()).collect()
}

async fn settle(events: &dyn EventRecords, number: u128, round: u32, settled: Settled) -> bool {
    events.settle_event(id(number), round, settled).await.expect("settles")
}

/// Events and deliveries of functions that no one else uses, from the first to the last; nothing is left behind.
pub async fn events_contract(events: &dyn EventRecords) {
    taking(events).await;
    large_payloads(events).await;
    rounds(events).await;
    finding(events).await;
    deliveries(events).await;
    redriving(events).await;
    purging(events).await;
    let left = events.load_events().await.expect("reads");
    assert_eq!((left.events, left.functions, left.targets), (0, Vec::new(), Vec::new()));
    assert!(events.free_bytes().expect("asks") > 0);
}

/// What is due: earliest first, without those in hand, so many and so much of it, and when the next one is.
async fn taking(events: &dyn EventRecords) {
    for (number, seconds) in [(4, 30), (1, 10), (3, 20), (2, 10)] {
        insert(events, &event(number, "taken", seconds, b"0123456789")).await;
    }
    insert(events, &event(5, "taken-too", 0, b"{}")).await;
    let again = events.insert_event(Arc::new(event(1, "taken", 99, b"other"))).await.expect("answers");
    assert!(!again, "the same id again is the same event");

    assert_eq!(due_ids(events, "taken", due(9)).await, (vec![], Some(at(10))));
    // At the same moment: in the order in which they were accepted.
    assert_eq!(due_ids(events, "taken", due(20)).await, (vec![1, 2, 3], Some(at(30))));
    assert_eq!(due_ids(events, "taken", due(30)).await, (vec![1, 2, 3, 4], None));
    assert_eq!(due_ids(events, "none", due(30)).await, (vec![], None));
    let few = Due { items_max: 2, ..due(30) };
    assert_eq!(due_ids(events, "taken", few).await, (vec![1, 2], Some(at(20))), "the first of the others");
    let small = Due { bytes_max: 25, ..due(30) };
    assert_eq!(due_ids(events, "taken", small).await, (vec![1, 2], Some(at(20))));
    let tiny = Due { bytes_max: 1, ..due(30) };
    assert_eq!(due_ids(events, "taken", tiny).await, (vec![1], Some(at(10))), "one at least");
    let but = Due { skip: vec![id(1), id(3), id(77)], items_max: 1, ..due(30) };
    assert_eq!(due_ids(events, "taken", but).await, (vec![2], Some(at(30))));
    let but = Due { skip: vec![id(1), id(2), id(3)], ..due(20) };
    assert_eq!(due_ids(events, "taken", but).await, (vec![], Some(at(30))));
    let but = Due { skip: vec![id(1), id(2), id(3), id(4)], ..due(30) };
    assert_eq!(due_ids(events, "taken", but).await, (vec![], None), "those in hand are nothing to come back for");

    let read = events.due_events(name("taken"), due(10)).await.expect("reads").items;
    assert_eq!(read[0], event(1, "taken", 10, b"0123456789"), "as it was accepted");
    let plain = Event { qualifier: None, trace: None, ..event(6, "plain", 0, b"") };
    insert(events, &plain).await;
    assert_eq!(events.due_events(name("plain"), due(0)).await.expect("reads").items, [plain]);

    let backlog = events.load_events().await.expect("reads");
    assert_eq!(backlog.events, 6);
    let functions = [("plain", 0), ("taken", 10), ("taken-too", 0)].map(|(text, seconds)| (name(text), at(seconds)));
    assert_eq!(backlog.functions, functions);
    for number in 1..=6 {
        assert!(settle(events, number, 0, Settled::Done).await);
    }
}

/// Payloads up to the limit of an event come back byte for byte.
async fn large_payloads(events: &dyn EventRecords) {
    let sizes = [65_535, 65_536, 65_537, 1_048_576];
    for (number, size) in (1..).zip(sizes) {
        let payload: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).expect("below 251")).collect();
        let large = event(number, "large", 0, &payload);
        insert(events, &large).await;
        let shown = events.show_event(id(number)).await.expect("reads").expect("is there");
        assert!(shown.payload == large.payload, "{size} bytes");
    }
    let Batch { items, .. } = events.due_events(name("large"), due(0)).await.expect("reads");
    assert_eq!(items.iter().map(|item| item.payload.len()).collect::<Vec<_>>(), sizes);
    let small = Due { bytes_max: 200_000, ..due(0) };
    assert_eq!(due_ids(events, "large", small).await, (vec![1, 2, 3], Some(at(0))));
    // The letter is the event, whatever its size, and that size counts.
    for (number, large) in (3_u128..).zip(&items[2..]) {
        let ended = Settled::Ended {
            condition: Condition::RetriesExhausted,
            progress: progress(large, 1),
            deliveries: vec![delivery(40 + number, large, Purpose::DeadLetter, "large:queue", 1)],
        };
        assert!(settle(events, number, 0, ended).await);
    }
    let (letters, _) = owed(events, "large:queue", due(1)).await;
    assert!(letters[0].delivery.body == items[2].payload && letters[1].delivery.body == items[3].payload);
    let (letters, next_at) = owed(events, "large:queue", Due { bytes_max: 200_000, ..due(1) }).await;
    assert_eq!((letters.len(), next_at), (1, Some(at(1))));
    let ids = (1..=4).map(id).collect();
    assert_eq!(events.purge_events(ids).await.expect("purges").len(), 4);
}

/// Who knows only an earlier round has nothing to say any more.
async fn rounds(events: &dyn EventRecords) {
    let first = event(1, "rounds", 0, b"{}");
    insert(events, &first).await;
    let again = |due_seconds: u64, attempts: u32| {
        let progress = progress(&first, attempts);
        Settled::Again { due_at: at(due_seconds), progress }
    };
    assert!(!settle(events, 1, 1, again(60, 1)).await, "of a round to come");
    assert!(!settle(events, 99, 0, Settled::Done).await, "of no event");
    assert!(settle(events, 1, 0, again(60, 1)).await);
    assert!(!settle(events, 1, 0, again(61, 1)).await, "a second time");
    assert!(!settle(events, 1, 0, Settled::Done).await);
    assert_eq!(due_ids(events, "rounds", due(59)).await, (vec![], Some(at(60))));
    let read = events.due_events(name("rounds"), due(60)).await.expect("reads").items;
    assert_eq!(read, [Event { progress: progress(&first, 1), ..first.clone() }], "with all that happened to it");

    // Without a new answer the last one stays.
    let held = Progress { round: 2, response: None, ..progress(&first, 1) };
    assert!(settle(events, 1, 1, Settled::Again { due_at: at(70), progress: held }).await);
    let read = events.due_events(name("rounds"), due(70)).await.expect("reads").items;
    assert_eq!(read[0].progress, Progress { round: 2, ..progress(&first, 1) });
    assert!(settle(events, 1, 2, Settled::Done).await);
    assert!(!settle(events, 1, 2, Settled::Done).await, "it is gone");
    assert!(events.show_event(id(1)).await.expect("reads").is_none());
}

/// Listings, in order and page by page.
async fn finding(events: &dyn EventRecords) {
    for (number, function, seconds) in [(3, "found", 10), (2, "found", 10), (1, "found", 20), (4, "found-too", 5)] {
        insert(events, &event(number, function, seconds, b"{}")).await;
    }
    let all = EventFilter::default;
    assert_eq!(found(events, all()).await, [4, 2, 3, 1], "oldest first, then by id");
    let first = events.find_events(all(), None, 2).await.expect("reads");
    let after = first.last().map(|last| (last.accepted_at, last.request_id));
    let rest = events.find_events(all(), after, 2).await.expect("reads");
    let ids: Vec<u128> = first.iter().chain(&rest).map(|listed| listed.request_id.0.as_u128()).collect();
    assert_eq!(ids, [4, 2, 3, 1], "two pages");
    assert!(events.find_events(all(), Some((at(20), id(1))), 2).await.expect("reads").is_empty());

    assert_eq!(found(events, EventFilter { function: Some(name("found")), ..all() }).await, [2, 3, 1]);
    assert_eq!(found(events, EventFilter { accepted_before: Some(at(10)), ..all() }).await, [4]);
    assert_eq!(found(events, EventFilter { only: Some(vec![id(1), id(2), id(9)]), ..all() }).await, [2, 1]);
    assert_eq!(found(events, EventFilter { only: Some(Vec::new()), ..all() }).await, []);
    assert_eq!(found(events, EventFilter { but: vec![id(2), id(4)], ..all() }).await, [3, 1]);

    // One in each state.
    let retrying = event(2, "found", 10, b"{}");
    let again = Settled::Again { due_at: at(70), progress: progress(&retrying, 1) };
    assert!(settle(events, 2, 0, again).await);
    let held = Progress { round: 1, ..Progress::new(at(20)) };
    assert!(settle(events, 1, 0, Settled::Again { due_at: at(25), progress: held }).await);
    let dead = event(3, "found", 10, b"{}");
    let ended =
        Settled::Ended { condition: Condition::RetriesExhausted, progress: progress(&dead, 3), deliveries: Vec::new() };
    assert!(settle(events, 3, 0, ended).await);
    let ended = Settled::Ended {
        condition: Condition::Success,
        progress: Progress { attempts: 1, round: 1, ..Progress::new(at(5)) },
        deliveries: vec![delivery(40, &event(4, "found-too", 5, b"{}"), Purpose::OnSuccess, "found:queue", 6)],
    };
    assert!(settle(events, 4, 0, ended).await);
    for (state, expected) in [
        (State::Queued, [1].as_slice()),
        (State::Retrying, &[2]),
        (State::Delivering, &[4]),
        (State::Dead, &[3]),
        (State::Running, &[]),
    ] {
        assert_eq!(found(events, EventFilter { state: Some(state), ..all() }).await, expected, "{state:?}");
    }
    let both = EventFilter { state: Some(State::Dead), function: Some(name("found-too")), ..all() };
    assert_eq!(found(events, both).await, []);
    let listed = events.find_events(all(), None, 9).await.expect("reads");
    let told = listed.iter().map(|listed| {
        let message = listed.error_message.as_deref().unwrap_or("-");
        let due_at = listed.due_at.map_or(-1, |due_at| due_at.duration_since(at(0)).as_secs());
        let condition = listed.condition.as_deref().unwrap_or("-");
        format!("{} {} {due_at} {condition} {message}", listed.state.as_str(), listed.attempts)
    });
    let expected = [
        "delivering 1 -1 Success -",
        "retrying 1 70 - failed \u{fc} 1",
        "dead 3 -1 RetriesExhausted failed \u{fc} 3",
        "queued 0 25 - -",
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    let shown = events.show_event(id(3)).await.expect("reads").expect("is there");
    assert_eq!((&shown.history, &shown.payload), (&progress(&dead, 3).history, &dead.payload));
    assert_eq!(shown.listed, listed[2]);
    assert_eq!(events.purge_events((1..=4).map(id).collect()).await.expect("purges").len(), 4);
}

/// The outbox: what is owed, until it has arrived or was given up.
async fn deliveries(events: &dyn EventRecords) {
    let done = event(1, "sends", 0, b"{\"a\":1}");
    let dead = event(2, "sends", 0, b"{\"a\":2}");
    insert(events, &done).await;
    insert(events, &dead).await;
    let record = delivery(11, &done, Purpose::OnSuccess, "sends:a", 5);
    let ended = |condition, progress, deliveries| Settled::Ended { condition, progress, deliveries };
    let once = Progress { attempts: 1, round: 1, ..Progress::new(at(0)) };
    assert!(settle(events, 1, 0, ended(Condition::Success, once, vec![record.clone()])).await);
    let both = vec![
        delivery(21, &dead, Purpose::OnFailure, "sends:a", 4),
        delivery(22, &dead, Purpose::DeadLetter, "sends:b", 4),
    ];
    assert!(settle(events, 2, 0, ended(Condition::RetriesExhausted, progress(&dead, 3), both.clone())).await);
    assert!(!settle(events, 2, 0, ended(Condition::RetriesExhausted, progress(&dead, 3), both.clone())).await);
    let backlog = events.load_events().await.expect("reads");
    assert!(backlog.functions.is_empty(), "nothing is to run");
    assert_eq!(backlog.targets, [("sends:a".to_owned(), at(4)), ("sends:b".to_owned(), at(4))]);

    let of =
        |delivery: &Delivery, attempts, seconds| Owed { delivery: delivery.clone(), attempts, tried_from: at(seconds) };
    assert_eq!(owed(events, "sends:a", due(5)).await, (vec![of(&both[0], 0, 4), of(&record, 0, 5)], None));
    assert_eq!(owed(events, "sends:b", due(5)).await, (vec![of(&both[1], 0, 4)], None), "the letter is the event");
    let but = Due { skip: vec![both[0].id], ..due(4) };
    assert_eq!(owed(events, "sends:a", but).await, (vec![], Some(at(5))));
    let tiny = Due { bytes_max: 1, ..due(5) };
    assert_eq!(owed(events, "sends:a", tiny).await, (vec![of(&both[0], 0, 4)], Some(at(5))));

    // Tried again, arrived, given up.
    let send = |number: u128, sent: Sent| events.settle_delivery(Uuid::from_u128(number), sent);
    let again = |seconds, attempts| Sent::Again { due_at: at(seconds), attempts, error: format!("no {attempts}") };
    assert_eq!(send(11, again(9, 1)).await.expect("writes"), 0);
    assert_eq!(owed(events, "sends:a", due(9)).await.0, [of(&both[0], 0, 4), of(&record, 1, 5)]);
    assert_eq!(send(11, Sent::Delivered).await.expect("writes"), 1, "the event waited for nothing else");
    assert_eq!(send(11, Sent::Delivered).await.expect("writes"), 0);
    assert!(events.show_event(id(1)).await.expect("reads").is_none());
    assert_eq!(send(22, Sent::Delivered).await.expect("writes"), 0, "a dead event stays");
    assert_eq!(send(22, again(9, 7)).await.expect("writes"), 0);
    let error = "gone".to_owned();
    assert_eq!(send(21, Sent::Failed { attempts: 9, error }).await.expect("writes"), 0);
    assert_eq!(send(21, Sent::Delivered).await.expect("writes"), 0, "too late");
    assert_eq!(owed(events, "sends:a", due(99)).await, (vec![], None));
    assert_eq!(owed(events, "sends:b", due(99)).await, (vec![], None));
    let shown = events.show_event(id(2)).await.expect("reads").expect("is there").deliveries;
    let (failed, delivered) = (DeliveryState::Failed, DeliveryState::Delivered);
    let expected = [("sends:a", failed, 9, Some("gone")), ("sends:b", delivered, 1, None)];
    let expected = expected.map(|(target, state, attempts, error)| DeliveryShown {
        target: target.to_owned(),
        state,
        attempts,
        due_at: None,
        error: error.map(str::to_owned),
    });
    assert_eq!(shown, expected);
    assert_eq!(events.load_events().await.expect("reads").targets, []);
    assert_eq!(events.purge_events(vec![id(2)]).await.expect("purges"), [id(2)]);
}

/// Dead events start again from nothing; of those that are delivering only what has not arrived is sent again.
async fn redriving(events: &dyn EventRecords) {
    let made: Vec<Event> = (1..=4).map(|number| event(number, "redriven", 0, b"{\"a\":1}")).collect();
    for one in &made {
        insert(events, one).await;
    }
    let letter = delivery(20, &made[1], Purpose::DeadLetter, "redriven:a", 4);
    let dead = Settled::Ended {
        condition: Condition::RetriesExhausted,
        progress: progress(&made[1], 3),
        deliveries: vec![letter],
    };
    assert!(settle(events, 2, 0, dead).await);
    let two = ["redriven:a", "redriven:b"].into_iter().zip(30..);
    let two = two.map(|(target, number)| delivery(number, &made[2], Purpose::OnSuccess, target, 4)).collect();
    let once = Progress { attempts: 1, round: 1, ..Progress::new(at(0)) };
    let succeeded = Settled::Ended { condition: Condition::Success, progress: once, deliveries: two };
    assert!(settle(events, 3, 0, succeeded).await);
    assert!(settle(events, 4, 0, Settled::Again { due_at: at(60), progress: progress(&made[3], 1) }).await);
    for (number, sent) in [(30, Sent::Delivered), (31, Sent::Failed { attempts: 9, error: "gone".to_owned() })] {
        assert_eq!(events.settle_delivery(Uuid::from_u128(number), sent).await.expect("writes"), 0);
    }

    let ids = [1, 2, 3, 4, 99].map(id).to_vec();
    let redriven = events.redrive_events(ids, at(50)).await.expect("redrives");
    let expected = [
        Redriven { request_id: id(2), function: Some(name("redriven")), targets: Vec::new() },
        Redriven { request_id: id(3), function: None, targets: vec!["redriven:b".to_owned()] },
    ];
    assert_eq!(redriven, expected, "those that wait to run stay as they are");
    let read = events.due_events(name("redriven"), due(60)).await.expect("reads").items;
    assert_eq!(read[0], made[0]);
    let fresh = Progress { round: 4, ..Progress::new(at(50)) };
    assert_eq!(read[1], Event { progress: fresh, ..made[1].clone() }, "with its payload, and as if it were new");
    assert_eq!(read[2].progress, progress(&made[3], 1));
    let shown = events.show_event(id(2)).await.expect("reads").expect("is there");
    assert_eq!((shown.listed.state, shown.deliveries, shown.history), (State::Queued, Vec::new(), Vec::new()));
    assert_eq!((shown.listed.condition, shown.listed.accepted_at), (None, at(0)));
    assert!(!settle(events, 2, 3, Settled::Done).await, "whoever ran it before has nothing to say");

    assert_eq!(owed(events, "redriven:a", due(99)).await, (vec![], None));
    let (resent, _) = owed(events, "redriven:b", due(50)).await;
    assert_eq!((resent.len(), resent[0].attempts, resent[0].tried_from), (1, 0, at(50)));
    assert_eq!(events.settle_delivery(resent[0].delivery.id, Sent::Delivered).await.expect("writes"), 1);
    assert_eq!(events.purge_events([1, 2, 3, 4].map(id).to_vec()).await.expect("purges"), [1, 2, 4].map(id));
}

/// What is removed takes everything with it.
async fn purging(events: &dyn EventRecords) {
    for number in 1..=2 {
        let payload = vec![b'1'; 70_000];
        insert(events, &event(number, "purged", 0, &payload)).await;
    }
    let dead = event(1, "purged", 0, b"{}");
    let deliveries = vec![delivery(10, &dead, Purpose::OnFailure, "purged:a", 4)];
    let ended = Settled::Ended { condition: Condition::RetriesExhausted, progress: progress(&dead, 3), deliveries };
    assert!(settle(events, 1, 0, ended).await);
    assert!(settle(events, 2, 0, Settled::Again { due_at: at(9), progress: progress(&dead, 1) }).await);
    assert_eq!(events.purge_events(vec![id(3), id(1), id(2), id(1)]).await.expect("purges"), [id(1), id(2)]);
    assert_eq!(events.settle_delivery(Uuid::from_u128(10), Sent::Delivered).await.expect("writes"), 0);
    assert!(!settle(events, 2, 1, Settled::Done).await);
    // An id that was there may come again, as new.
    insert(events, &event(2, "purged", 0, b"{}")).await;
    let read = events.due_events(name("purged"), due(0)).await.expect("reads").items;
    assert_eq!(read, [event(2, "purged", 0, b"{}")]);
    assert_eq!(events.purge_events(vec![id(2)]).await.expect("purges").len(), 1);
}

/// All of it is there when it is opened again, by `open`, after what that made before was dropped.
pub async fn reopening_contract(mut open: impl FnMut() -> Arc<dyn EventRecords>) {
    let large = vec![b'1'; 100_000];
    let (queued, retrying, dead) =
        (event(1, "stays", 3, &large), event(2, "stays", 2, b"{}"), event(3, "stays", 1, b"{}"));
    let letter = delivery(30, &dead, Purpose::DeadLetter, "stays:a", 5);
    {
        let events = open();
        for one in [&queued, &retrying, &dead] {
            insert(&*events, one).await;
        }
        let again = Settled::Again { due_at: at(62), progress: progress(&retrying, 1) };
        assert!(settle(&*events, 2, 0, again).await);
        let ended = Settled::Ended {
            condition: Condition::EventAgeExceeded,
            progress: progress(&dead, 2),
            deliveries: vec![letter.clone()],
        };
        assert!(settle(&*events, 3, 0, ended).await);
        let again = Sent::Again { due_at: at(7), attempts: 1, error: "no".to_owned() };
        assert_eq!(events.settle_delivery(letter.id, again).await.expect("writes"), 0);
    }
    let events = open();
    let backlog = events.load_events().await.expect("reads");
    assert_eq!(backlog.events, 3);
    assert_eq!(backlog.functions, [(name("stays"), at(3))]);
    assert_eq!(backlog.targets, [("stays:a".to_owned(), at(7))]);
    let read = events.due_events(name("stays"), due(62)).await.expect("reads").items;
    assert_eq!(read, [queued, Event { progress: progress(&retrying, 1), ..retrying.clone() }]);
    let (owes, _) = owed(&*events, "stays:a", due(7)).await;
    assert_eq!(owes, [Owed { delivery: letter, attempts: 1, tried_from: at(5) }]);
    assert!(settle(&*events, 2, 1, Settled::Done).await, "rounds are kept, too");
    assert_eq!(events.redrive_events(vec![id(3)], at(99)).await.expect("redrives").len(), 1);
    assert_eq!(events.purge_events([1, 3].map(id).to_vec()).await.expect("purges").len(), 2);
}
