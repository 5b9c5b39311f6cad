//! What every implementation of [`QueueRecords`] promises.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use domain::limits;
use domain::queue::{
    AttributeValue, Attributes, Counts, MessageAttribute, MessageBody, NewMessage, Queue, QueueName, Redrive,
};
use engine::ports::{Accepted, QueueRecords, Received, Receiving, Sending, Visibility};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// A queue in which every field has a value of its own.
pub fn queue(name: &str) -> Queue {
    let target = QueueName::parse("dead").expect("valid");
    let redrive = Redrive {
        target_arn: target.arn(&super::home()),
        target,
        receives_max: 3,
        text: "{ \"deadLetterTargetArn\": \"…\" }".into(),
    };
    Queue {
        id: 0,
        name: QueueName::parse(name).expect("the test's own name is valid"),
        attributes: Attributes {
            delay_seconds: 1,
            message_bytes_max: 2_048,
            retention_seconds: 61,
            wait_seconds: 4,
            visibility_seconds: 5,
            redrive: Some(redrive),
            redrive_allow: Some("{}".into()),
            policy: Some("{\"a\":1}".into()),
            managed_encryption: false,
        },
        tags: BTreeMap::from([("k\u{fc}".into(), "v".into()), ("empty".into(), String::new())]),
        created_at: Timestamp::new(1_700_000_000, 123_456_789).expect("in range"),
        modified_at: Timestamp::new(1_700_000_001, 0).expect("in range"),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("in range")
}

/// A message whose text is a number.
pub fn message(number: u128, delay_seconds: u32) -> NewMessage {
    NewMessage { id: Uuid::from_u128(number), body: MessageBody::plain(number.to_string()), delay_seconds }
}

/// ReceiveMessage as it is mostly asked: for 30 seconds, of what was sent at any time.
pub fn receiving(queue: &Queue, max: u32, now: Timestamp) -> Receiving {
    Receiving {
        queue: queue.id,
        name: queue.name.clone(),
        max,
        visibility_seconds: 30,
        sent_after: Timestamp::MIN,
        redrive: None,
        in_flight_max: limits::QUEUE_IN_FLIGHT,
        now,
    }
}

async fn inserted(records: &dyn QueueRecords, name: &str) -> Queue {
    let mut queue = queue(name);
    queue.id = records.insert_queue(queue.clone()).await.expect("answers").expect("there is none of that name");
    queue
}

async fn send(records: &dyn QueueRecords, queue: &Queue, messages: Vec<NewMessage>, now: Timestamp) -> Accepted {
    let sending = Sending { queue: queue.id, messages, messages_max: 100, now };
    records.send_messages(sending).await.expect("answers")
}

async fn receive(records: &dyn QueueRecords, receiving: Receiving) -> Received {
    records.receive_messages(receiving).await.expect("answers").expect("the queue is there")
}

/// The texts of what is there to be received now, in their order; they stay visible.
async fn visible(records: &dyn QueueRecords, queue: &Queue, now: Timestamp) -> Vec<String> {
    let asked = Receiving { visibility_seconds: 0, ..receiving(queue, 100, now) };
    texts(&receive(records, asked).await)
}

fn texts(received: &Received) -> Vec<String> {
    received.messages.iter().map(|message| message.body.text.clone()).collect()
}

/// The contract of [`QueueRecords`], for an implementation without queues.
pub async fn queue_records_contract(records: &dyn QueueRecords) {
    queues_come_change_and_go(records).await;
    messages_are_received_by_one_at_a_time(records).await;
    visibility_changes(records).await;
    too_often_received_is_moved(records).await;
    bounds_hold(records).await;
    what_is_old_or_purged_goes(records).await;
    for queue in records.load_queues().await.expect("answers") {
        assert!(records.remove_queue(queue.id).await.expect("answers"));
    }
    assert!(!records.sweep_messages(Vec::new()).await.expect("answers"));
}

async fn queues_come_change_and_go(records: &dyn QueueRecords) {
    assert!(records.load_queues().await.expect("answers").is_empty(), "the contract starts with nothing");
    let mut one = inserted(records, "one").await;
    assert_eq!(records.insert_queue(queue("one")).await.expect("answers"), None);
    let two = inserted(records, "two").await;
    assert_ne!(one.id, two.id);
    one.attributes = Attributes::default();
    one.tags.clear();
    assert!(records.replace_queue(Arc::new(one.clone())).await.expect("answers"));
    let mut all = records.load_queues().await.expect("answers");
    all.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(all, [one.clone(), two.clone()]);

    assert!(records.remove_queue(two.id).await.expect("answers"));
    assert!(records.remove_queue(one.id).await.expect("answers"));
    for gone in [&one, &two] {
        assert!(!records.remove_queue(gone.id).await.expect("answers"));
        assert!(!records.purge_queue(gone.id).await.expect("answers"));
        assert!(!records.replace_queue(Arc::new(gone.clone())).await.expect("answers"));
        assert_eq!(send(records, gone, vec![message(1, 0)], at(0)).await, Accepted::NoQueue);
        assert_eq!(records.receive_messages(receiving(gone, 1, at(0))).await.expect("answers"), None);
        assert_eq!(records.count_messages(gone.id, at(0)).await.expect("answers"), None);
    }
    let again = inserted(records, "two").await;
    assert!(again.id > two.id && again.id > one.id, "an id was given twice");
    assert!(records.remove_queue(again.id).await.expect("answers"));
}

async fn messages_are_received_by_one_at_a_time(records: &dyn QueueRecords) {
    let queue = inserted(records, "receiving").await;
    let full = MessageBody {
        text: "text \u{1f600}\r\n".into(),
        attributes: vec![
            MessageAttribute {
                name: "a".into(),
                data_type: "Number.x".into(),
                value: AttributeValue::Text("1".into()),
            },
            MessageAttribute {
                name: "b".into(),
                data_type: "Binary".into(),
                value: AttributeValue::Binary(Bytes::from_static(b"\x00\xff")),
            },
        ],
        trace: Some("Root=1".into()),
        group: Some("g".into()),
    };
    let first = NewMessage { id: Uuid::from_u128(1), body: full.clone(), delay_seconds: 0 };
    assert_eq!(send(records, &queue, vec![first, message(2, 0)], at(0)).await, Accepted::Kept);
    assert_eq!(send(records, &queue, vec![message(3, 10)], at(1)).await, Accepted::Kept);
    let counts = async |now| records.count_messages(queue.id, now).await.expect("answers").expect("it is there");
    assert_eq!(counts(at(1)).await, Counts { visible: 2, in_flight: 0, delayed: 1 });

    let taken = receive(records, receiving(&queue, 10, at(1))).await;
    assert_eq!((taken.next_at, taken.moved, taken.is_over_limit), (None, 0, false));
    let [one, two] = &taken.messages[..] else { panic!("{taken:?}") };
    assert_eq!((one.id, &one.body, one.sent_at, one.first_received_at), (Uuid::from_u128(1), &full, at(0), at(1)));
    assert_eq!((one.receipt.message, one.receipt.receives, one.receipt.queue), (one.id, 1, queue.id));
    assert_eq!(two.body.text, "2");
    assert_eq!(counts(at(1)).await, Counts { visible: 0, in_flight: 2, delayed: 1 });

    // Nobody else gets them before their time; who asks is told when that is.
    let none = receive(records, receiving(&queue, 10, at(2))).await;
    assert_eq!((none.messages.len(), none.next_at), (0, Some(at(11))));
    let delayed = receive(records, receiving(&queue, 1, at(11))).await;
    assert_eq!(texts(&delayed), ["3"]);
    assert_eq!(receive(records, receiving(&queue, 10, at(12))).await.next_at, Some(at(31)));
    let again = receive(records, receiving(&queue, 1, at(31))).await;
    let [again] = &again.messages[..] else { panic!("{again:?}") };
    assert_eq!((again.id, again.receipt.receives, again.first_received_at), (one.id, 2, at(1)));

    // The last receiving deletes; also after its time, as long as nobody else has it.
    let delete = async |receipts: Vec<_>| records.delete_messages(queue.id, receipts).await.expect("answers");
    assert_eq!(delete(vec![one.receipt, again.receipt, again.receipt]).await, [false, true, false]);
    assert_eq!(delete(vec![two.receipt]).await, [true]);
    let elsewhere = inserted(records, "elsewhere").await;
    let third = delayed.messages[0].receipt;
    assert_eq!(records.delete_messages(elsewhere.id, vec![third]).await.expect("answers"), [false]);
    assert_eq!(counts(at(40)).await, Counts { visible: 0, in_flight: 1, delayed: 0 });
    assert_eq!(delete(vec![third]).await, [true]);
    assert_eq!(counts(at(50)).await, Counts::default());
}

async fn visibility_changes(records: &dyn QueueRecords) {
    let queue = inserted(records, "visibility").await;
    send(records, &queue, vec![message(1, 0)], at(0)).await;
    let taken = receive(records, receiving(&queue, 1, at(0))).await.messages.remove(0).receipt;
    let change = async |receipt, seconds, now| {
        let changes = vec![(receipt, seconds)];
        records.change_visibility(queue.id, changes, now).await.expect("answers").remove(0)
    };
    assert_eq!(change(taken, 100, at(10)).await, Visibility::Changed);
    assert_eq!(visible(records, &queue, at(109)).await, Vec::<String>::new());
    assert_eq!(change(taken, limits::VISIBILITY_SECONDS - 9, at(10)).await, Visibility::TooLong);
    assert_eq!(change(taken, limits::VISIBILITY_SECONDS - 10, at(10)).await, Visibility::Changed);
    assert_eq!(change(taken, 0, at(10)).await, Visibility::Changed);
    assert_eq!(change(taken, 5, at(10)).await, Visibility::NotInFlight);
    let again = receive(records, receiving(&queue, 1, at(10))).await.messages.remove(0).receipt;
    assert_eq!(change(taken, 5, at(11)).await, Visibility::Expired);
    assert_eq!(records.delete_messages(queue.id, vec![again]).await.expect("answers"), [true]);
    assert_eq!(change(again, 5, at(11)).await, Visibility::Expired);
}

async fn too_often_received_is_moved(records: &dyn QueueRecords) {
    let (queue, dead) = (inserted(records, "source").await, inserted(records, "dead").await);
    let asked = |now| {
        let redrive = Some((dead.name.clone(), 2));
        Receiving { visibility_seconds: 0, redrive, ..receiving(&queue, 1, now) }
    };
    let eleven = (1..=11).map(|number| message(number, 0)).collect();
    send(records, &queue, eleven, at(0)).await;
    let all = Receiving { max: 20, ..asked(at(1)) };
    for _ in 0..2 {
        let taken = receive(records, all.clone()).await;
        assert_eq!((taken.messages.len(), taken.moved), (11, 0));
    }
    // They stand before another one that is to be received, and go.
    send(records, &queue, vec![message(12, 0)], at(2)).await;
    let taken = receive(records, asked(at(2))).await;
    assert_eq!((texts(&taken), taken.moved), (vec!["12".to_owned()], 11));
    let arrived = receive(records, receiving(&dead, 20, at(3))).await;
    assert_eq!(arrived.messages.len(), 11);
    for message in &arrived.messages {
        assert_eq!(message.dead_letter_source.as_ref(), Some(&queue.name));
        assert_eq!((message.sent_at, message.first_received_at, message.receipt.receives), (at(0), at(3), 1));
    }
    let old = taken.messages[0].receipt;
    assert_eq!(receive(records, asked(at(4))).await.messages.len(), 1);
    assert_eq!(receive(records, asked(at(5))).await.moved, 1);
    assert_eq!(records.delete_messages(queue.id, vec![old]).await.expect("answers"), [false]);

    // Where there is no dead-letter queue, messages stay.
    send(records, &queue, vec![message(20, 0)], at(6)).await;
    assert!(records.remove_queue(dead.id).await.expect("answers"));
    for _ in 0..4 {
        assert_eq!(texts(&receive(records, asked(at(6))).await), ["20"]);
    }
}

async fn bounds_hold(records: &dyn QueueRecords) {
    let queue = inserted(records, "bounds").await;
    let sending = |count: u128| Sending {
        queue: queue.id,
        messages: (0..count).map(|number| message(number, 0)).collect(),
        messages_max: 5,
        now: at(0),
    };
    for (count, accepted) in [(6, Accepted::Full), (3, Accepted::Kept), (3, Accepted::Full), (2, Accepted::Kept)] {
        assert_eq!(records.send_messages(sending(count)).await.expect("answers"), accepted, "{count}");
    }
    let asked = |max| Receiving { in_flight_max: 4, ..receiving(&queue, max, at(0)) };
    assert_eq!(receive(records, asked(4)).await.messages.len(), 4);
    let refused = receive(records, asked(1)).await;
    assert_eq!((refused.messages.len(), refused.is_over_limit), (0, true));
    let free = receive(records, Receiving { now: at(30), ..asked(1) }).await;
    assert_eq!((free.messages.len(), free.is_over_limit), (1, false));
}

async fn what_is_old_or_purged_goes(records: &dyn QueueRecords) {
    let (old, purged) = (inserted(records, "old").await, inserted(records, "purged").await);
    for number in 1..=4 {
        send(records, &old, vec![message(number, 0)], at(i64::try_from(number).expect("small"))).await;
        send(records, &purged, vec![message(number, 0)], at(0)).await;
    }
    // What is too old is not received, and then not there.
    let asked = Receiving { sent_after: at(2), visibility_seconds: 0, ..receiving(&old, 10, at(10)) };
    assert_eq!(texts(&receive(records, asked).await), ["3", "4"]);
    let taken = receive(records, receiving(&purged, 1, at(1))).await.messages.remove(0).receipt;
    assert!(records.purge_queue(purged.id).await.expect("answers"));
    assert_eq!(visible(records, &purged, at(100)).await, Vec::<String>::new());
    assert_eq!(records.delete_messages(purged.id, vec![taken]).await.expect("answers"), [false]);
    let counts = async |queue: &Queue| records.count_messages(queue.id, at(100)).await.expect("answers");
    assert_eq!(counts(&purged).await, Some(Counts::default()));
    send(records, &purged, vec![message(9, 0)], at(1)).await;
    while records.sweep_messages(vec![(old.id, at(3)), (purged.id, at(0))]).await.expect("answers") {}
    assert_eq!(visible(records, &old, at(10) + SignedDuration::from_secs(90)).await, ["4"]);
    assert_eq!(counts(&old).await, Some(Counts { visible: 1, ..Counts::default() }));
    assert_eq!(visible(records, &purged, at(100)).await, ["9"]);
}
