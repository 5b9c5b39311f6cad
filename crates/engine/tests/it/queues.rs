//! The built-in queues over a fake store and a clock moved by hand: who waits, for how long, and who wakes him.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::arn::Home;
use domain::queue::{AttributeValue, Error, MessageAttribute, MessageBody, QueueName, Refusal};
use engine::ports::{
    NotDone, QueueAttributes, QueueFailure, QueueMessage, QueueRecords, QueueSource, Receive, ReceivedMessage, Wait,
};
use engine::queues::{Ask, Message, Queues, RoutedSource};
use engine::tasks::{self, Task};
use testkit::clock::HandClock;
use testkit::dice::LoadedDice;
use testkit::queues::MemoryQueues;

struct Bench {
    clock: Arc<HandClock>,
    records: Arc<MemoryQueues>,
    queues: Arc<Queues>,
}

type Polled = Task<Result<Vec<ReceivedMessage>, Error>>;

impl Bench {
    fn new() -> Self {
        let (clock, records) = (Arc::new(HandClock::default()), Arc::new(MemoryQueues::default()));
        let queues = over(&records, &clock);
        Self { clock, records, queues }
    }

    async fn create(&self, name: &str, attributes: &[(&str, &str)]) -> QueueName {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.queues.create_queue(name, &attributes, BTreeMap::new()).await.unwrap()
    }

    async fn send(&self, queue: &QueueName, text: &str, delay_seconds: Option<i64>) {
        let message = Message { body: MessageBody::plain(text), delay_seconds };
        self.queues.send_message(queue, message).await.unwrap();
    }

    async fn receive(&self, queue: &QueueName) -> Result<Vec<ReceivedMessage>, Error> {
        self.queues.receive_message(queue, Ask::default()).await
    }

    /// Begins to wait, and waits for that.
    async fn poll(&self, queue: &QueueName, wait_seconds: i64) -> Polled {
        let (queues, queue) = (self.queues.clone(), queue.clone());
        let sleepers = self.clock.sleepers();
        let polled = tasks::spawn("polling", async move {
            queues.receive_message(&queue, Ask { wait_seconds: Some(wait_seconds), ..Ask::default() }).await
        });
        while self.clock.sleepers() == sleepers {
            tokio::task::yield_now().await;
        }
        polled
    }

    /// Moves the clock, after everybody has done what he can, and lets them do so again.
    async fn pass(&self, millis: u64) {
        self.breathe().await;
        self.clock.advance(Duration::from_millis(millis));
        self.breathe().await;
    }

    async fn breathe(&self) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
}

fn over(records: &Arc<MemoryQueues>, clock: &Arc<HandClock>) -> Arc<Queues> {
    let home = Home { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() };
    Queues::new(home, records.clone(), (clock.clone(), Arc::new(LoadedDice::default())))
}

/// The texts that it brought, at once.
#[track_caller]
fn texts(received: Result<Vec<ReceivedMessage>, Error>) -> Vec<String> {
    received.unwrap().into_iter().map(|message| message.body.text).collect()
}

fn refusal<T>(answer: Result<T, Error>) -> Refusal {
    match answer {
        Err(Error::Refused(refusal)) => refusal,
        Err(Error::Fault(fault)) => panic!("{}", fault.chain()),
        Ok(_) => panic!("it is not refused"),
    }
}

#[tokio::test]
async fn whoever_waits_is_woken_by_a_message() {
    let bench = Bench::new();
    let queue = bench.create("q", &[]).await;
    let polled = bench.poll(&queue, 20).await;
    bench.send(&queue, "m", None).await;
    assert_eq!(texts(polled.result().await.unwrap()), ["m"]);

    // One message wakes one, several as many; nobody gets another's.
    let polls = [bench.poll(&queue, 20).await, bench.poll(&queue, 20).await, bench.poll(&queue, 20).await];
    let batch = ["1", "2", "3"].map(|text| Message { body: MessageBody::plain(text), delay_seconds: None });
    bench.queues.send_message_batch(&queue, batch.into()).await.unwrap();
    let mut all = Vec::new();
    for polled in polls {
        all.extend(texts(polled.result().await.unwrap()));
    }
    all.sort();
    assert_eq!(all, ["1", "2", "3"]);
}

#[tokio::test]
async fn whoever_waits_in_vain_gets_an_empty_answer_at_his_time() {
    let bench = Bench::new();
    // The queue's own time holds where the call says nothing.
    let queue = bench.create("q", &[("ReceiveMessageWaitTimeSeconds", "3")]).await;
    let (queues, name) = (bench.queues.clone(), queue.clone());
    let mut polled = tasks::spawn("polling", async move { queues.receive_message(&name, Ask::default()).await });
    bench.pass(2_999).await;
    assert_eq!(bench.clock.sleepers(), 1, "it did not wait");
    bench.pass(1).await;
    assert_eq!(bench.clock.sleepers(), 0);
    polled.end().await;
    let zero = Ask { wait_seconds: Some(0), ..Ask::default() };
    assert!(texts(bench.queues.receive_message(&queue, zero).await).is_empty());
}

#[tokio::test]
async fn messages_come_back_and_delays_end_while_somebody_waits() {
    let bench = Bench::new();
    let queue = bench.create("q", &[("VisibilityTimeout", "5")]).await;
    bench.send(&queue, "back", None).await;
    bench.receive(&queue).await.unwrap();
    let polled = bench.poll(&queue, 20).await;
    bench.pass(4_999).await;
    assert_eq!(bench.clock.sleepers(), 1);
    bench.pass(2).await;
    let back = polled.result().await.unwrap().unwrap();
    assert_eq!((back[0].body.text.as_str(), back[0].receipt.receives), ("back", 2));
    bench.queues.delete_message(&queue, &back[0].receipt.handle()).await.unwrap();

    // Sent while somebody waits, visible later.
    let polled = bench.poll(&queue, 20).await;
    bench.send(&queue, "late", Some(10)).await;
    bench.pass(9_999).await;
    bench.pass(2).await;
    let late = polled.result().await.unwrap().unwrap();
    assert_eq!(late[0].body.text, "late");

    // Given back before its time.
    let polled = bench.poll(&queue, 20).await;
    bench.queues.change_message_visibility(&queue, &late[0].receipt.handle(), 0).await.unwrap();
    assert_eq!(texts(polled.result().await.unwrap()), ["late"]);
}

#[tokio::test]
async fn whoever_leaves_hands_on_what_he_knows() {
    let bench = Bench::new();
    let queue = bench.create("q", &[("VisibilityTimeout", "6")]).await;
    let first = bench.poll(&queue, 2).await;
    let second = bench.poll(&queue, 20).await;
    // One of both is told of it; whichever it is, the message is received at its time.
    bench.send(&queue, "late", Some(10)).await;
    bench.pass(2_001).await;
    assert!(texts(first.result().await.unwrap()).is_empty());
    bench.pass(8_001).await;
    assert_eq!(texts(second.result().await.unwrap()), ["late"]);

    // Taken by one while another waits: it comes back within the other's time.
    let (taker, waiter) = (bench.poll(&queue, 20).await, bench.poll(&queue, 20).await);
    bench.send(&queue, "taken", None).await;
    bench.breathe().await;
    bench.pass(6_001).await;
    let both = [texts(taker.result().await.unwrap()), texts(waiter.result().await.unwrap())].concat();
    assert!(both.iter().all(|text| text == "taken" || text == "late") && both.len() == 2, "{both:?}");
}

#[tokio::test]
async fn nobody_waits_for_a_queue_that_goes_or_an_engine_that_ends() {
    let bench = Bench::new();
    let queue = bench.create("q", &[]).await;
    let polled = bench.poll(&queue, 20).await;
    bench.queues.delete_queue(&queue).await.unwrap();
    assert_eq!(refusal(polled.result().await.unwrap()), Refusal::NoQueue);

    let queue = bench.create("q", &[]).await;
    let polled = bench.poll(&queue, 20).await;
    bench.queues.stop();
    assert!(texts(polled.result().await.unwrap()).is_empty());
    assert!(
        texts(bench.queues.receive_message(&queue, Ask { wait_seconds: Some(20), ..Ask::default() }).await).is_empty()
    );
}

#[tokio::test]
async fn a_dead_letter_wakes_who_waits_for_it() {
    let bench = Bench::new();
    let dead = bench.create("dead", &[]).await;
    let redrive = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":1}"#;
    let queue = bench.create("q", &[("RedrivePolicy", redrive), ("VisibilityTimeout", "0")]).await;
    let listed = bench.queues.list_dead_letter_source_queues(&dead, None, 10).unwrap();
    assert_eq!(listed, (vec![queue.clone()], false));
    bench.send(&queue, "m", None).await;
    assert_eq!(texts(bench.receive(&queue).await), ["m"]);
    let polled = bench.poll(&dead, 20).await;
    assert!(texts(bench.receive(&queue).await).is_empty());
    let letter = polled.result().await.unwrap().unwrap();
    assert_eq!((letter[0].body.text.as_str(), &letter[0].dead_letter_source), ("m", &Some(queue)));
    // It must be there when it is named.
    let nowhere = BTreeMap::from([("RedrivePolicy".to_owned(), redrive.replace("dead", "nowhere"))]);
    assert!(matches!(refusal(bench.queues.set_queue_attributes(&dead, &nowhere).await), Refusal::Parameter { .. }));
}

#[tokio::test]
async fn what_is_too_old_is_gone_and_swept() {
    let bench = Bench::new();
    let queue = bench.create("q", &[("MessageRetentionPeriod", "60")]).await;
    let id = bench.records.load_queues().await.unwrap()[0].id;
    bench.send(&queue, "old", None).await;
    bench.pass(59_000).await;
    bench.send(&queue, "new", None).await;
    bench.pass(1_000).await;
    assert_eq!(texts(bench.receive(&queue).await), ["new"]);
    bench.queues.sweep().await.unwrap();
    let counts = bench.records.count_messages(id, engine::ports::Clock::system_now(&*bench.clock)).await.unwrap();
    assert_eq!(counts.unwrap().visible, 0);
    bench.pass(29_000).await;
    assert!(texts(bench.receive(&queue).await).is_empty(), "its visibility has not ended");
    bench.pass(1_000).await;
    assert_eq!(texts(bench.receive(&queue).await), ["new"]);
}

#[tokio::test]
async fn a_queue_is_purged_once_a_minute() {
    let bench = Bench::new();
    let queue = bench.create("q", &[]).await;
    bench.send(&queue, "m", None).await;
    bench.queues.purge_queue(&queue).await.unwrap();
    assert!(texts(bench.receive(&queue).await).is_empty());
    bench.pass(59_999).await;
    assert_eq!(refusal(bench.queues.purge_queue(&queue).await), Refusal::PurgeInProgress { queue: "q".into() });
    bench.pass(1).await;
    bench.queues.purge_queue(&queue).await.unwrap();
}

#[tokio::test]
async fn the_engine_itself_finds_queues_and_sends_to_them() {
    let bench = Bench::new();
    bench.create("q", &[("DelaySeconds", "7")]).await;
    let arn = "arn:aws:sqs:us-east-1:000000000000:q";
    for (name, is_there) in [("q", true), (arn, true), ("r", false), ("arn:aws:sqs:eu-west-1:000000000000:q", false)] {
        assert_eq!(bench.queues.has(name), is_there, "{name}");
    }
    let sent = bench.queues.send(arn, MessageBody::plain("m")).await.unwrap();
    assert_eq!(sent.md5_of_body, "6f8f57715090da2632453988d9a1501b");
    assert_eq!(refusal(bench.queues.send("r", MessageBody::plain("m")).await), Refusal::NoQueue);

    // Another engine over the same store knows the same.
    let again = over(&bench.records, &bench.clock);
    assert!(!again.has("q"));
    again.load().await.unwrap();
    let queue = again.find(arn).unwrap();
    assert!(texts(again.receive_message(&queue, Ask::default()).await).is_empty());
    bench.pass(7_000).await;
    let taken = again.receive_message(&queue, Ask::default()).await.unwrap();
    assert_eq!(taken[0].id, sent.id);
    // And takes the handle of the first.
    bench.queues.delete_message(&queue, &taken[0].receipt.handle()).await.unwrap();
    let handle = taken[0].receipt.handle();
    assert!(matches!(
        refusal(bench.queues.change_message_visibility(&queue, &handle, 1).await),
        Refusal::ReceiptExpired { .. }
    ));
}

#[tokio::test]
async fn a_queue_that_is_there_is_found_again_unless_it_differs() {
    let bench = Bench::new();
    let given = |value: &str| BTreeMap::from([("VisibilityTimeout".to_owned(), value.to_owned())]);
    let queue = bench.create("q", &[("VisibilityTimeout", "5")]).await;
    let create =
        async |attributes: BTreeMap<String, String>| bench.queues.create_queue("q", &attributes, BTreeMap::new()).await;
    assert_eq!(create(given("5")).await.unwrap(), queue);
    assert_eq!(create(BTreeMap::new()).await.unwrap(), queue);
    let differs = Refusal::QueueExists { attribute: "VisibilityTimeout".into() };
    assert_eq!(refusal(create(given("6")).await), differs);
    bench.queues.set_queue_attributes(&queue, &given("6")).await.unwrap();
    assert_eq!(create(given("6")).await.unwrap(), queue);
    // All or nothing.
    let mut some = given("7");
    some.insert("Wrong".into(), String::new());
    assert!(matches!(
        refusal(bench.queues.set_queue_attributes(&queue, &some).await),
        Refusal::UnknownAttribute { .. }
    ));
    let shown = bench.queues.get_queue_attributes(&queue, &["VisibilityTimeout".into()]).await.unwrap();
    assert_eq!(shown, [("VisibilityTimeout", "6".to_owned())]);
    let fifo = bench.queues.create_queue("q.fifo", &BTreeMap::new(), BTreeMap::new()).await;
    assert_eq!(refusal(fifo), Refusal::Fifo);
}

#[tokio::test]
async fn queues_are_listed_page_by_page() {
    let bench = Bench::new();
    for name in ["b", "a1", "a3", "a2"] {
        bench.create(name, &[]).await;
    }
    let page = |prefix: &str, after: Option<&str>, max| {
        let after = after.and_then(QueueName::parse);
        let (names, has_more) = bench.queues.list_queues(prefix, after.as_ref(), max);
        (names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "), has_more)
    };
    assert_eq!(page("", None, 10), ("a1 a2 a3 b".into(), false));
    assert_eq!(page("a", None, 2), ("a1 a2".into(), true));
    assert_eq!(page("a", Some("a2"), 2), ("a3".into(), false));
    assert_eq!(page("a", Some("a1"), 2), ("a2 a3".into(), false));
    assert_eq!(page("c", None, 2), (String::new(), false));
}

/// A source that has one queue, and no message in it.
struct Elsewhere;

impl QueueSource for Elsewhere {
    fn attributes(&self, _: String) -> Wait<'_, Result<QueueAttributes, QueueFailure>> {
        Box::pin(std::future::ready(Ok(QueueAttributes { visibility: Duration::from_secs(77) })))
    }

    fn receive(&self, _: String, _: Receive) -> Wait<'_, Result<Vec<QueueMessage>, QueueFailure>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn delete(&self, _: String, handles: Vec<String>) -> Wait<'_, Result<Vec<NotDone>, QueueFailure>> {
        let refused = handles.into_iter().map(|handle| NotDone { handle, why: "elsewhere".into() });
        Box::pin(std::future::ready(Ok(refused.collect())))
    }

    fn change_visibility(
        &self,
        queue: String,
        handles: Vec<String>,
        _: Duration,
    ) -> Wait<'_, Result<Vec<NotDone>, QueueFailure>> {
        self.delete(queue, handles)
    }
}

#[tokio::test]
async fn a_source_reads_queues_here_and_elsewhere() {
    let bench = Bench::new();
    let (here, away) =
        ("arn:aws:sqs:us-east-1:000000000000:q".to_owned(), "arn:aws:sqs:us-east-1:000000000000:r".to_owned());
    bench.create("q", &[("VisibilityTimeout", "33")]).await;
    let source = RoutedSource::new(bench.queues.clone(), Arc::new(Elsewhere));
    let visibility = async |arn: &String| source.attributes(arn.clone()).await.unwrap().visibility.as_secs();
    assert_eq!((visibility(&here).await, visibility(&away).await), (33, 77));

    for number in 0..12 {
        let attribute = MessageAttribute {
            name: "a".into(),
            data_type: "String".into(),
            value: AttributeValue::Text(number.to_string()),
        };
        let body = MessageBody { attributes: vec![attribute], trace: Some("Root=1".into()), ..MessageBody::plain("m") };
        bench.queues.send(&here, body).await.unwrap();
    }
    let ask = Receive { max: 10, wait: Duration::ZERO, visibility: Some(Duration::from_secs(5)) };
    assert_eq!(source.receive(away.clone(), ask).await.unwrap(), []);
    let mut messages = source.receive(here.clone(), ask).await.unwrap();
    messages.extend(source.receive(here.clone(), ask).await.unwrap());
    assert_eq!(messages.len(), 12);
    let first = &messages[0];
    assert_eq!((first.body.as_str(), first.body_md5.as_str()), ("m", "6f8f57715090da2632453988d9a1501b"));
    assert_eq!(first.attributes["AWSTraceHeader"], "Root=1");
    assert_eq!(first.attributes["ApproximateReceiveCount"], "1");
    assert_eq!(first.message_attributes.len(), 1);

    // More than a batch; what cannot be done is told, one by one.
    let mut handles: Vec<String> = messages.iter().map(|message| message.handle.clone()).collect();
    handles.push("garbage".into());
    let again = source.change_visibility(here.clone(), handles.clone(), Duration::ZERO).await.unwrap();
    assert_eq!(again.iter().map(|one| one.handle.as_str()).collect::<Vec<_>>(), ["garbage"]);
    let twice = source.change_visibility(here.clone(), vec![handles[11].clone()], Duration::ZERO).await.unwrap();
    assert_eq!(twice.len(), 1);
    let deleted = source.delete(here.clone(), handles).await.unwrap();
    assert_eq!(deleted.len(), 1);
    assert_eq!(source.receive(here.clone(), ask).await.unwrap(), []);
    assert_eq!(source.delete(away, vec!["h".into()]).await.unwrap()[0].why, "elsewhere");

    // A queue that goes is looked for elsewhere.
    bench.queues.delete_queue(&bench.queues.find(&here).unwrap()).await.unwrap();
    assert_eq!(visibility(&here).await, 77);
}
