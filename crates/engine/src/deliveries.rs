//! The outbox: sends what is to be sent because an event has ended, until it has arrived or six hours are over.
//!
//! A target that is down holds its own lane only. Never here: what the documents say, and how a service is spoken to.

use std::sync::Arc;
use std::time::Duration;

use domain::arn::Home;
use domain::destination::{Attribute, Parcel, Purpose};
use domain::event::back_off;
use domain::limits;
use domain::names::{FunctionName, RequestId};
use domain::queue::{self, AttributeValue, MessageAttribute, MessageBody};
use jiff::Timestamp;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::events::{self, Inbox};
use crate::lanes::{Item, Lanes, Move, Room};
use crate::ports::{Batch, Clock, Courier, Due, EventRecords, Metric, Owed, Sent, Telemetry, Undelivered};
use crate::queues::Queues;
use crate::{resolve, tasks};

/// Deliveries to one target that are under way at a time, to begin with, and that wait in hand.
const ROOM: Room = Room { window: 8, ready_max: 64 };
/// How long to wait before an end that could not be written is tried again.
const WRITE_WAIT: Duration = Duration::from_secs(1);

impl Item for Owed {
    type Id = Uuid;

    fn id(&self) -> Uuid {
        self.delivery.id
    }

    fn bytes(&self) -> usize {
        self.delivery.body.len() + 512
    }
}

/// See the module.
pub struct Deliveries {
    home: Home,
    catalog: Arc<Catalog>,
    inbox: Arc<Inbox>,
    records: Arc<dyn EventRecords>,
    queues: Arc<Queues>,
    courier: Arc<dyn Courier>,
    telemetry: Arc<dyn Telemetry>,
    clock: Arc<dyn Clock>,
    lanes: Lanes<String, Owed>,
}

impl Deliveries {
    /// Wires it up.
    pub fn new(
        home: Home,
        (catalog, inbox): (Arc<Catalog>, Arc<Inbox>),
        records: Arc<dyn EventRecords>,
        (queues, courier): (Arc<Queues>, Arc<dyn Courier>),
        (telemetry, clock): (Arc<dyn Telemetry>, Arc<dyn Clock>),
    ) -> Arc<Self> {
        Arc::new(Self { home, catalog, inbox, records, queues, courier, telemetry, clock, lanes: Lanes::new(ROOM) })
    }

    /// Something is or will be due for a target.
    pub(crate) fn due(&self, target: &str, at: Timestamp) {
        self.lanes.due(&target.to_owned(), at, self.clock.now());
    }

    /// Somebody wants deliveries to a target sent again, now.
    pub(crate) fn redriven(&self, target: &String, at: Timestamp) {
        let now = self.clock.now();
        self.lanes.due_again(target, at, now);
        self.lanes.release(target, now);
    }

    pub(crate) fn close(&self) {
        self.lanes.close();
    }

    pub(crate) async fn drained(&self) {
        self.lanes.drained().await;
    }

    pub(crate) async fn caught_up(&self, now: Timestamp) {
        self.lanes.caught_up(now).await;
    }

    pub(crate) async fn run(self: Arc<Self>) {
        while !self.lanes.is_closed() {
            let (moves, wake_at) = self.lanes.next_moves(self.clock.now());
            for made in moves {
                let deliveries = self.clone();
                match made {
                    Move::Run(target, owed) => {
                        tasks::spawn("sending a delivery", async move { deliveries.run_surely(target, owed).await })
                            .detach();
                    }
                    Move::Sift(target) => {
                        let sift = async move { deliveries.give_up_the_old(&target).await };
                        tasks::spawn("giving deliveries up", sift).detach();
                    }
                    Move::Load(target, due) => {
                        tasks::spawn("reading deliveries", async move { deliveries.load_some(target, due).await })
                            .detach();
                    }
                }
            }
            self.lanes.looked();
            tokio::select! {
                () = self.lanes.stirred() => {}
                () = async { self.clock.wake_on(wake_at.unwrap_or(Timestamp::MAX)).await }, if wake_at.is_some() => {}
            }
        }
    }

    async fn load_some(&self, target: String, due: Due<Uuid>) {
        let read = tasks::caught("reading deliveries", self.records.due_deliveries(target.clone(), due)).await;
        let batch: Option<Batch<Owed>> = match read.flatten() {
            Ok(batch) => Some(batch),
            Err(fault) => {
                tracing::error!(%target, "deliveries could not be read and wait: {}", fault.chain());
                None
            }
        };
        self.lanes.loaded(&target, batch, self.clock.now());
    }

    /// Sends one, and lets go of it whatever happens: one that stayed in hand would never be sent again.
    async fn run_surely(&self, target: String, owed: Owed) {
        let id = owed.delivery.id;
        if let Err(fault) = tasks::caught("sending a delivery", self.run_one(target.clone(), owed)).await {
            tracing::error!(%target, "a delivery waits after a mistake of ours: {}", fault.chain());
            let now = self.clock.now();
            self.lanes.gave_up(&target, &id, Some(now + back_off(1)), now);
        }
    }

    async fn run_one(&self, target: String, owed: Owed) {
        let sent = tasks::caught("sending a delivery", self.send(&owed)).await;
        let sent = sent.unwrap_or_else(|fault| Err(Undelivered { why: fault.chain() }));
        let now = self.clock.now();
        let id = owed.delivery.id;
        match sent {
            Ok(()) => {
                self.keep(id, Sent::Delivered).await;
                self.lanes.ended(&target, &id, None, self.clock.now());
            }
            Err(Undelivered { why }) => {
                let attempts = owed.attempts + 1;
                tracing::warn!(%target, event = %owed.delivery.event, attempts, "a delivery did not arrive: {why}");
                let held_until = self.lanes.hold(&target, &why, now);
                let due_at = held_until.max(now + back_off(attempts));
                let again_at = if due_at >= last_try(&owed) {
                    self.fail(&owed, attempts, why).await;
                    None
                } else {
                    self.keep(id, Sent::Again { due_at, attempts, error: why }).await;
                    Some(due_at)
                };
                self.lanes.gave_up(&target, &id, again_at, self.clock.now());
            }
        }
    }

    /// Of a target that is held: those for which it would be too late when it goes on.
    async fn give_up_the_old(&self, target: &String) {
        let now = self.clock.now();
        let Some((until, why)) = self.lanes.held(target, now) else { return };
        for owed in self.lanes.take_out(target, now, |owed| until >= last_try(owed)) {
            self.fail(&owed, owed.attempts, why.clone()).await;
            self.lanes.gave_up(target, &owed.delivery.id, None, now);
        }
    }

    async fn fail(&self, owed: &Owed, attempts: u32, error: String) {
        let delivery = &owed.delivery;
        tracing::error!(
            target = %delivery.target, event = %delivery.event,
            "a delivery is given up after {} hours; `lambd events redrive {}` sends it again: {error}",
            limits::DELIVERY_HOURS, delivery.event
        );
        let metric = match delivery.purpose {
            Purpose::DeadLetter => Metric::DeadLetterErrors,
            Purpose::OnSuccess | Purpose::OnFailure => Metric::DestinationDeliveryFailures,
        };
        if let Some(function) = FunctionName::parse(&delivery.function_name) {
            self.telemetry.count(metric, &function);
        }
        self.keep(delivery.id, Sent::Failed { attempts, error }).await;
    }

    async fn send(&self, owed: &Owed) -> Result<(), Undelivered> {
        let delivery = &owed.delivery;
        let Some(parcel) = delivery.parcel() else {
            let why = format!("{} is no target that deliveries can have", delivery.target);
            return Err(Undelivered { why });
        };
        match parcel {
            Parcel::Function { arn, payload, trace } if self.is_ours(&arn) => {
                let Ok(target) = self.home.read(&arn, None) else {
                    return Err(Undelivered { why: format!("{arn} names no function") });
                };
                if resolve::function(&self.catalog, &target).is_err() {
                    return Err(Undelivered { why: format!("Function not found: {arn}") });
                }
                // Its id is the delivery's: sent again after a crash, it is the same event.
                let event = events::made(RequestId(delivery.id), target, payload, trace, self.clock.now());
                let undelivered = |error| match error {
                    domain::Error::Refused(refusal) => Undelivered { why: format!("it was not accepted: {refusal:?}") },
                    domain::Error::Fault(fault) => Undelivered { why: fault.chain() },
                };
                self.inbox.put(event).await.map_err(undelivered)
            }
            // The ARN decides: a queue of our own, or one elsewhere.
            Parcel::Queue { arn, body, attributes, trace } if self.queues.has(&arn) => {
                let sent = self.queues.send(&arn, message(&body, attributes, trace)).await;
                sent.map(drop).map_err(|error| match error {
                    queue::Error::Refused(refusal) => Undelivered { why: refusal.to_string() },
                    queue::Error::Fault(fault) => Undelivered { why: fault.chain() },
                })
            }
            parcel => self.courier.send(parcel).await,
        }
    }

    fn is_ours(&self, arn: &str) -> bool {
        self.home.read(arn, None).is_ok_and(|target| target.arn.account() == &*self.home.account)
    }

    /// Writes what became of a delivery. Where that fails the delivery is sent again.
    async fn keep(&self, id: Uuid, sent: Sent) {
        let mut stall = None;
        loop {
            match self.records.settle_delivery(id, sent.clone()).await {
                Ok(gone) => return self.inbox.discount(gone),
                Err(fault) => {
                    tracing::error!("what became of a delivery could not be written: {}", fault.chain());
                }
            }
            if self.lanes.is_closed() {
                return;
            }
            stall.get_or_insert_with(|| self.lanes.stall());
            self.clock.wake_at(self.clock.elapsed() + WRITE_WAIT).await;
        }
    }
}

fn message(body: &[u8], attributes: Vec<Attribute>, trace: Option<String>) -> MessageBody {
    let attribute = |Attribute { name, kind, value }: Attribute| MessageAttribute {
        name: name.to_owned(),
        data_type: kind.as_str().to_owned(),
        value: AttributeValue::Text(queue::mended(&value)),
    };
    let mut attributes: Vec<MessageAttribute> = attributes.into_iter().map(attribute).collect();
    attributes.sort_by(|one, other| one.name.cmp(&other.name));
    // Payloads and records are JSON, which is UTF-8.
    MessageBody { text: String::from_utf8_lossy(body).into_owned(), attributes, trace, group: None }
}

fn last_try(owed: &Owed) -> Timestamp {
    owed.tried_from + Duration::from_secs(limits::DELIVERY_HOURS * 3_600)
}
