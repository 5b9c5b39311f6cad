//! The built-in queues: functions named after SQS's operations, and the waiting for messages.
//!
//! Queues are in memory, messages on disk only. Their times are those of the machine, which no test clock moves. Never
//! here: what may be set of a queue (domain), how a message is kept (store), how it is asked for (wire).

mod messages;
mod routing;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use domain::arn::Home;
use domain::queue::{self, Attributes, Error, MessageBody, Queue, QueueName, Refusal, SETTABLE};
use domain::{Fault, limits};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, Notify, Semaphore, watch};

pub use self::messages::{Ask, Message, Sent};
pub use self::routing::RoutedSource;
use crate::ports::{Clock, Dice, QueueRecords};

/// How often messages that are too old are looked for.
const SWEEP_PAUSE: Duration = Duration::from_mins(1);

/// The queues of this engine.
pub struct Queues {
    home: Home,
    records: Arc<dyn QueueRecords>,
    clock: Arc<dyn Clock>,
    dice: Arc<dyn Dice>,
    by_name: ArcSwap<BTreeMap<QueueName, Arc<Entry>>>,
    /// Held by whoever changes a queue, from the look at what is there to the showing of what is new.
    changing: Mutex<()>,
    /// Places for those who wait for messages.
    polls: Semaphore,
    /// Set when nobody is to wait any more.
    stopping: watch::Sender<bool>,
    /// Told when a queue has left messages behind.
    leftovers: Notify,
}

/// A queue, and who waits at it.
#[derive(Clone)]
struct Entry {
    queue: Arc<Queue>,
    /// One of those who wait is told of everything that may make a message visible earlier than he knows. Who leaves
    /// tells the next one, so that somebody always knows when the next message becomes visible.
    arrivals: Arc<Notify>,
    /// The elapsed time of the last purge.
    purged_at: Arc<StdMutex<Option<Duration>>>,
}

impl Queues {
    /// Queues that are kept there; none are known before [`Queues::load`].
    pub fn new(
        home: Home,
        records: Arc<dyn QueueRecords>,
        (clock, dice): (Arc<dyn Clock>, Arc<dyn Dice>),
    ) -> Arc<Self> {
        Arc::new(Self {
            home,
            records,
            clock,
            dice,
            by_name: ArcSwap::default(),
            changing: Mutex::default(),
            polls: Semaphore::new(limits::QUEUE_POLLS),
            stopping: watch::Sender::new(false),
            leftovers: Notify::new(),
        })
    }

    /// Reads the queues that there are.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn load(&self) -> Result<(), Fault> {
        let _changing = self.changing.lock().await;
        let queues = self.records.load_queues().await?;
        let entries = queues.into_iter().map(|queue| (queue.name.clone(), Arc::new(Entry::of(queue))));
        self.by_name.store(Arc::new(entries.collect()));
        Ok(())
    }

    /// Removes messages that are too old, and what purged and deleted queues left behind, for as long as the engine runs.
    pub async fn keep_house(self: Arc<Self>) {
        loop {
            if let Err(fault) = self.sweep().await {
                tracing::warn!("messages that nobody sees stay on disk: {}", fault.chain());
            }
            tokio::select! {
                () = self.clock.wake_at(self.clock.elapsed() + SWEEP_PAUSE) => {}
                () = self.leftovers.notified() => {}
            }
        }
    }

    /// Removes all messages that are too old, and what was left behind, step by step.
    ///
    /// # Errors
    /// The disk fails.
    pub async fn sweep(&self) -> Result<(), Fault> {
        loop {
            let now = self.clock.system_now();
            let entries = self.by_name.load_full();
            let sent_before = entries.values().map(|entry| (entry.queue.id, entry.sent_after(now)));
            if !self.records.sweep_messages(sent_before.collect()).await? {
                return Ok(());
            }
        }
    }

    /// Lets nobody wait any more: whoever waits gets an empty answer.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Whether there is such a queue, by its name or its ARN.
    pub fn has(&self, arn_or_name: &str) -> bool {
        self.find(arn_or_name).is_ok()
    }

    /// The name of a queue that there is, from its name or its ARN.
    ///
    /// # Errors
    /// There is none.
    pub fn find(&self, arn_or_name: &str) -> Result<QueueName, Refusal> {
        let name = QueueName::of(&self.home, arn_or_name).ok_or(Refusal::NoQueue)?;
        self.entry(&name)?;
        Ok(name)
    }

    /// Sends a message from within the engine, to a queue by its name or its ARN; it is on disk when this returns.
    ///
    /// # Errors
    /// There is no such queue, it does not take the message, or the disk fails.
    pub async fn send(&self, arn_or_name: &str, body: MessageBody) -> Result<Sent, Error> {
        let name = self.find(arn_or_name)?;
        self.send_message(&name, Message { body, delay_seconds: None }).await
    }

    /// Makes a queue, or finds one of that name that does not differ in what is given.
    ///
    /// # Errors
    /// The name, an attribute or a tag cannot be, or the queue there is differs.
    pub async fn create_queue(
        &self,
        name: &str,
        given: &BTreeMap<String, String>,
        tags: BTreeMap<String, String>,
    ) -> Result<QueueName, Error> {
        // Told first, since it explains why the name is refused as well.
        let mut attributes = Attributes::default();
        for (name, value) in given {
            attributes.set(&self.home, name, value)?;
        }
        let name = QueueName::of_new(name)?;
        let mut all_tags = BTreeMap::new();
        queue::tag(&mut all_tags, tags)?;
        let _changing = self.changing.lock().await;
        if let Ok(entry) = self.entry(&name) {
            let differs = |name: &&String| attributes.get(name) != entry.queue.attributes.get(name);
            return match given.keys().find(differs) {
                Some(attribute) => Err(Refusal::QueueExists { attribute: attribute.clone() }.into()),
                None => Ok(name),
            };
        }
        self.check_redrive(&attributes)?;
        if self.by_name.load().len() >= limits::QUEUES {
            return Err(Refusal::Full { what: "queues" }.into());
        }
        let now = self.clock.system_now();
        let mut queue =
            Queue { id: 0, name: name.clone(), attributes, tags: all_tags, created_at: now, modified_at: now };
        let id = self.records.insert_queue(queue.clone()).await?;
        queue.id = id.ok_or_else(|| Fault::bare(format!("queue {name} is on disk and was not known")))?;
        self.show(&name, Some(Entry::of(queue)));
        Ok(name)
    }

    /// The name of a queue that there is.
    ///
    /// # Errors
    /// There is none, or it is asked for in another account.
    pub fn get_queue_url(&self, name: &str, account: Option<&str>) -> Result<QueueName, Refusal> {
        if account.is_some_and(|account| account != &*self.home.account) {
            return Err(Refusal::NoQueue);
        }
        let name = QueueName::parse(name).ok_or(Refusal::NoQueue)?;
        self.entry(&name)?;
        Ok(name)
    }

    /// Queues by name, at most `max` behind the one named `after`; and whether there are more.
    pub fn list_queues(&self, prefix: &str, after: Option<&QueueName>, max: usize) -> (Vec<QueueName>, bool) {
        self.list(after, max, |queue| queue.name.as_str().starts_with(prefix))
    }

    /// The queues that have a queue as their dead-letter queue, as [`Queues::list_queues`] lists them.
    ///
    /// # Errors
    /// There is no such queue.
    pub fn list_dead_letter_source_queues(
        &self,
        name: &QueueName,
        after: Option<&QueueName>,
        max: usize,
    ) -> Result<(Vec<QueueName>, bool), Refusal> {
        self.entry(name)?;
        let leads_there =
            |queue: &Queue| queue.attributes.redrive.as_ref().is_some_and(|redrive| redrive.target == *name);
        Ok(self.list(after, max, leads_there))
    }

    fn list(&self, after: Option<&QueueName>, max: usize, is_asked: impl Fn(&Queue) -> bool) -> (Vec<QueueName>, bool) {
        let entries = self.by_name.load();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut names = entries
            .range::<QueueName, _>((from, Bound::Unbounded))
            .filter(|(_, entry)| is_asked(&entry.queue))
            .map(|(name, _)| name.clone());
        let page: Vec<QueueName> = names.by_ref().take(max).collect();
        let has_more = names.next().is_some();
        (page, has_more)
    }

    /// Attributes of a queue, those asked for or `All`.
    ///
    /// # Errors
    /// There is no such queue or attribute.
    pub async fn get_queue_attributes(
        &self,
        name: &QueueName,
        asked: &[String],
    ) -> Result<Vec<(&'static str, String)>, Error> {
        let entry = self.entry(name)?;
        asked.iter().try_for_each(|name| Attributes::check_readable(name))?;
        let queue = &entry.queue;
        let asks = |name: &str| asked.iter().any(|asked| asked == name || asked == "All");
        let mut shown: Vec<(&'static str, String)> = vec![
            ("QueueArn", name.arn(&self.home)),
            ("CreatedTimestamp", queue.created_at.as_second().to_string()),
            ("LastModifiedTimestamp", queue.modified_at.as_second().to_string()),
        ];
        if asks("ApproximateNumberOfMessages")
            || asks("ApproximateNumberOfMessagesNotVisible")
            || asks("ApproximateNumberOfMessagesDelayed")
        {
            let counts = self.records.count_messages(queue.id, self.clock.system_now()).await?;
            let counts = counts.ok_or(Refusal::NoQueue)?;
            shown.push(("ApproximateNumberOfMessages", counts.visible.to_string()));
            shown.push(("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string()));
            shown.push(("ApproximateNumberOfMessagesDelayed", counts.delayed.to_string()));
        }
        shown.extend(SETTABLE.iter().filter_map(|name| Some((*name, queue.attributes.get(name)?))));
        shown.retain(|(name, _)| asks(name));
        Ok(shown)
    }

    /// Sets attributes of a queue, all or none.
    ///
    /// # Errors
    /// There is no such queue, or an attribute cannot be.
    pub async fn set_queue_attributes(&self, name: &QueueName, given: &BTreeMap<String, String>) -> Result<(), Error> {
        let now = self.clock.system_now();
        self.change(name, |queue| {
            for (name, value) in given {
                queue.attributes.set(&self.home, name, value)?;
            }
            queue.modified_at = now;
            if given.contains_key("RedrivePolicy") { self.check_redrive(&queue.attributes) } else { Ok(()) }
        })
        .await
    }

    /// The tags of a queue.
    ///
    /// # Errors
    /// There is no such queue.
    pub fn list_queue_tags(&self, name: &QueueName) -> Result<BTreeMap<String, String>, Refusal> {
        Ok(self.entry(name)?.queue.tags.clone())
    }

    /// Puts tags on a queue.
    ///
    /// # Errors
    /// There is no such queue, or there would be too many tags.
    pub async fn tag_queue(&self, name: &QueueName, tags: BTreeMap<String, String>) -> Result<(), Error> {
        self.change(name, |queue| queue::tag(&mut queue.tags, tags)).await
    }

    /// Takes tags off a queue.
    ///
    /// # Errors
    /// There is no such queue.
    pub async fn untag_queue(&self, name: &QueueName, keys: &[String]) -> Result<(), Error> {
        self.change(name, |queue| {
            queue.tags.retain(|key, _| !keys.contains(key));
            Ok(())
        })
        .await
    }

    /// Removes a queue and all that is in it.
    ///
    /// # Errors
    /// There is no such queue.
    pub async fn delete_queue(&self, name: &QueueName) -> Result<(), Error> {
        let _changing = self.changing.lock().await;
        let entry = self.entry(name)?;
        self.records.remove_queue(entry.queue.id).await?;
        self.show(name, None);
        // Whoever waits is told that there is nothing to wait for.
        entry.arrivals.notify_waiters();
        self.leftovers.notify_one();
        Ok(())
    }

    /// Removes all that is in a queue.
    ///
    /// # Errors
    /// There is no such queue, or it was purged within the last minute.
    pub async fn purge_queue(&self, name: &QueueName) -> Result<(), Error> {
        let entry = self.entry(name)?;
        let now = self.clock.elapsed();
        let before = {
            let mut purged_at = entry.purged_at.lock().unwrap_or_else(PoisonError::into_inner);
            if purged_at.is_some_and(|at| now < at + Duration::from_secs(limits::PURGE_SECONDS)) {
                return Err(Refusal::PurgeInProgress { queue: name.to_string() }.into());
            }
            purged_at.replace(now)
        };
        let purged = self.records.purge_queue(entry.queue.id).await;
        if purged.is_err() {
            *entry.purged_at.lock().unwrap_or_else(PoisonError::into_inner) = before;
        }
        self.leftovers.notify_one();
        if purged? { Ok(()) } else { Err(Refusal::NoQueue.into()) }
    }

    /// For how long nobody else gets a message of a queue that was received.
    ///
    /// # Errors
    /// There is no such queue.
    pub fn visibility_of(&self, name: &QueueName) -> Result<Duration, Refusal> {
        Ok(Duration::from_secs(self.entry(name)?.queue.attributes.visibility_seconds.into()))
    }

    fn entry(&self, name: &QueueName) -> Result<Arc<Entry>, Refusal> {
        self.by_name.load().get(name).cloned().ok_or(Refusal::NoQueue)
    }

    /// The dead-letter queue must be there when it is named.
    fn check_redrive(&self, attributes: &Attributes) -> Result<(), Refusal> {
        match &attributes.redrive {
            Some(redrive) if self.entry(&redrive.target).is_err() => Err(Refusal::Parameter {
                value: redrive.text.clone(),
                name: "RedrivePolicy",
                reason: "Dead letter target does not exist.".into(),
            }),
            _ => Ok(()),
        }
    }

    async fn change(
        &self,
        name: &QueueName,
        change: impl FnOnce(&mut Queue) -> Result<(), Refusal>,
    ) -> Result<(), Error> {
        let _changing = self.changing.lock().await;
        let entry = self.entry(name)?;
        let mut queue = Queue::clone(&entry.queue);
        change(&mut queue)?;
        let queue = Arc::new(queue);
        if !self.records.replace_queue(queue.clone()).await? {
            return Err(Refusal::NoQueue.into());
        }
        self.show(name, Some(Entry { queue, ..Entry::clone(&entry) }));
        Ok(())
    }

    fn show(&self, name: &QueueName, entry: Option<Entry>) {
        let mut all = BTreeMap::clone(&self.by_name.load());
        match entry {
            Some(entry) => all.insert(name.clone(), Arc::new(entry)),
            None => all.remove(name),
        };
        self.by_name.store(Arc::new(all));
    }
}

impl Entry {
    fn of(queue: Queue) -> Self {
        Self { queue: Arc::new(queue), arrivals: Arc::default(), purged_at: Arc::default() }
    }

    /// What was sent before is gone.
    fn sent_after(&self, now: Timestamp) -> Timestamp {
        let retention = SignedDuration::from_secs(self.queue.attributes.retention_seconds.into());
        now.checked_sub(retention).unwrap_or(Timestamp::MIN)
    }
}
