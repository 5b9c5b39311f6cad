//! Event source mappings: making, reading, changing and deleting them.
//!
//! All are in memory; a change is written first and shown after. What is under way is found again at the next start from
//! the state itself. Never here: polling, which is [`crate::pollers`].

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use domain::arn::{Home, Target};
use domain::mapping::{self, Edit, Mapping, QueueArn, Refused, Settings, State};
use domain::{Error, Fault, Refusal, limits};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::access::{self, Action, Caller};
use crate::catalog::Catalog;
use crate::functions::Page;
use crate::pollers::Pollers;
use crate::ports::{Clock, Dice, MappingRecords, QueueFailure, QueueSource};
use crate::{resolve, tasks};

/// How long a change that could not be brought to its end waits before it is tried again, at first and at most.
const SETTLE_PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// The event source mappings of this engine.
pub struct EventSourceMappings {
    home: Home,
    catalog: Arc<Catalog>,
    records: Arc<dyn MappingRecords>,
    queues: Arc<dyn QueueSource>,
    pollers: Arc<Pollers>,
    clock: Arc<dyn Clock>,
    dice: Arc<dyn Dice>,
    by_id: ArcSwap<BTreeMap<Uuid, Arc<Mapping>>>,
    /// Held by whoever changes something, from the look at what is there to the showing of what is new.
    changing: Mutex<()>,
}

/// What CreateEventSourceMapping is given.
#[derive(Clone, Debug)]
pub struct NewMapping {
    /// `EventSourceArn`
    pub source: Option<String>,
    /// The function.
    pub target: Target,
    /// All the rest.
    pub edit: Edit,
    /// Tags, in the order given.
    pub tags: Vec<(String, String)>,
}

/// What a listing asks for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those of this source.
    pub source: Option<String>,
    /// Only those that name the function so: with that alias or version, or with none.
    pub target: Option<Target>,
}

impl EventSourceMappings {
    /// Wires it up; [`EventSourceMappings::load`] fills it and begins to poll.
    pub fn new(
        home: Home,
        catalog: Arc<Catalog>,
        (records, queues): (Arc<dyn MappingRecords>, Arc<dyn QueueSource>),
        pollers: Arc<Pollers>,
        (clock, dice): (Arc<dyn Clock>, Arc<dyn Dice>),
    ) -> Arc<Self> {
        let (by_id, changing) = (ArcSwap::default(), Mutex::default());
        Arc::new(Self { home, catalog, records, queues, pollers, clock, dice, by_id, changing })
    }

    /// Shows what is on disk, polls for what is enabled, and goes on with what was under way when the engine stopped.
    ///
    /// # Errors
    /// The records cannot be read.
    pub async fn load(self: &Arc<Self>) -> Result<(), Fault> {
        let all = self.records.load_mappings().await?.into_iter().map(|mapping| (mapping.id, Arc::new(mapping)));
        let all: BTreeMap<_, _> = all.collect();
        self.by_id.store(Arc::new(all.clone()));
        for mapping in all.into_values() {
            if mapping.state == State::Enabled {
                self.pollers.poll(mapping);
            } else if !mapping.state.is_settled() {
                self.settle_later(mapping.id);
            }
        }
        Ok(())
    }

    /// Begins no batch any more.
    pub fn close(&self) {
        self.pollers.close();
    }

    /// Waits until the batches that were begun are over.
    pub async fn drained(&self) {
        self.pollers.drained().await;
    }

    /// CreateEventSourceMapping. Without a source the function is not looked at, without a function the queue is not
    /// (LocalStack: `test_event_source_mapping_exceptions`).
    ///
    /// # Errors
    /// Source, function or settings cannot be, or the queue feeds the function already.
    pub async fn create_event_source_mapping(
        self: &Arc<Self>,
        caller: &Caller,
        new: NewMapping,
    ) -> Result<Arc<Mapping>, Error> {
        access::check(&self.home, caller, Action::CreateEventSourceMapping, &new.target.arn)?;
        let NewMapping { source, target, edit, tags } = new;
        let queue = QueueArn::read(source.as_deref().ok_or(Refused::UnknownSource)?)?;
        let settings = Settings::default().edited(&edit)?;
        if tags.len() > limits::TAGS {
            return Err(Refusal::TooManyTags.into());
        }
        self.check_function(&target)?;
        self.check_free(&queue, &target, None)?;
        self.check_queue(&queue, &target).await?;
        let mappings = self.clone();
        whole("creating an event source mapping", async move {
            let _changing = mappings.changing.lock().await;
            mappings.check_free(&queue, &target, None)?;
            if mappings.by_id.load().len() >= limits::MAPPINGS {
                return Err(Refused::TooMany.into());
            }
            let mapping = Mapping {
                id: mappings.dice.uuid(),
                queue,
                target,
                settings,
                tags,
                state: State::Creating,
                is_enabled: edit.is_enabled.unwrap_or(true),
                modified_at: mappings.clock.now(),
            };
            let mapping = mappings.write(mapping).await?;
            mappings.settle_later(mapping.id);
            Ok(mapping)
        })
        .await
    }

    /// GetEventSourceMapping.
    ///
    /// # Errors
    /// There is none.
    pub fn get_event_source_mapping(&self, caller: &Caller, id: &str) -> Result<Arc<Mapping>, Refusal> {
        access::check_account(caller, Action::GetEventSourceMapping)?;
        Ok(self.find(id)?)
    }

    /// ListEventSourceMappings, by id. What is asked for need not exist (LocalStack:
    /// `test_event_source_mapping_exceptions`).
    ///
    /// # Errors
    /// The caller may not.
    pub fn list_event_source_mappings(
        &self,
        caller: &Caller,
        filter: &Filter,
        after: Option<Uuid>,
        items_max: usize,
    ) -> Result<Page<Arc<Mapping>, Uuid>, Refusal> {
        access::check_account(caller, Action::ListEventSourceMappings)?;
        let all = self.by_id.load();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let is_asked = |mapping: &&Arc<Mapping>| {
            filter.source.as_deref().is_none_or(|source| source == mapping.queue.as_str())
                && filter.target.as_ref().is_none_or(|target| *target == mapping.target)
        };
        let found = all.range((from, Bound::Unbounded)).map(|(_, mapping)| mapping).filter(is_asked);
        Ok(Page::of(found.cloned(), items_max, |last| last.id))
    }

    /// UpdateEventSourceMapping.
    ///
    /// # Errors
    /// There is none, something is under way with it, or what it is to be cannot be.
    pub async fn update_event_source_mapping(
        self: &Arc<Self>,
        caller: &Caller,
        id: &str,
        edit: Edit,
    ) -> Result<Arc<Mapping>, Error> {
        access::check_account(caller, Action::UpdateEventSourceMapping)?;
        let found = self.find(id)?;
        // Judged once before the queue is asked, which takes its time.
        let next = found.edited(&edit, self.clock.now())?;
        if let Some(target) = &edit.target {
            access::check(&self.home, caller, Action::UpdateEventSourceMapping, &target.arn)?;
            self.check_function(target)?;
            self.check_free(&found.queue, target, Some(found.id))?;
        }
        // One that is switched off may have lost its queue.
        if next.is_enabled && (edit.target.is_some() || next.state == State::Enabling) {
            self.check_queue(&next.queue, &next.target).await?;
        }
        let (mappings, id) = (self.clone(), found.id);
        whole("updating an event source mapping", async move {
            let _changing = mappings.changing.lock().await;
            let current = mappings.by_id.load().get(&id).cloned().ok_or(Refused::Unknown)?;
            let next = current.edited(&edit, mappings.clock.now())?;
            mappings.check_free(&next.queue, &next.target, Some(id))?;
            let next = mappings.write(next).await?;
            mappings.settle_later(id);
            Ok(next)
        })
        .await
    }

    /// DeleteEventSourceMapping: as it is on its way out.
    ///
    /// # Errors
    /// There is none, or something is under way with it.
    pub async fn delete_event_source_mapping(
        self: &Arc<Self>,
        caller: &Caller,
        id: &str,
    ) -> Result<Arc<Mapping>, Error> {
        access::check_account(caller, Action::DeleteEventSourceMapping)?;
        let (mappings, id) = (self.clone(), self.find(id)?.id);
        whole("deleting an event source mapping", async move {
            let _changing = mappings.changing.lock().await;
            let current = mappings.by_id.load().get(&id).cloned().ok_or(Refused::Unknown)?;
            let next = mappings.write(current.deleted(mappings.clock.now())?).await?;
            mappings.settle_later(id);
            Ok(next)
        })
        .await
    }

    /// The tags of a mapping.
    ///
    /// # Errors
    /// There is no such mapping.
    pub fn list_tags(&self, caller: &Caller, arn: &str) -> Result<Vec<(String, String)>, Refusal> {
        access::check_account(caller, Action::ListTags)?;
        Ok(self.of_arn(arn)?.tags.clone())
    }

    /// Adds tags to a mapping, and replaces those of the same key.
    ///
    /// # Errors
    /// There is no such mapping, no tag is given, or it would have too many.
    pub async fn tag_resource(
        self: &Arc<Self>,
        caller: &Caller,
        arn: &str,
        tags: Vec<(String, String)>,
    ) -> Result<(), Error> {
        access::check_account(caller, Action::TagResource)?;
        if tags.is_empty() {
            return Err(Refusal::NoTags.into());
        }
        self.change_tags(arn, |all| {
            for (key, value) in tags {
                match all.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, old)) => *old = value,
                    None => all.push((key, value)),
                }
            }
        })
        .await
    }

    /// Takes tags off a mapping.
    ///
    /// # Errors
    /// There is no such mapping.
    pub async fn untag_resource(self: &Arc<Self>, caller: &Caller, arn: &str, keys: Vec<String>) -> Result<(), Error> {
        access::check_account(caller, Action::UntagResource)?;
        self.change_tags(arn, move |all| all.retain(|(key, _)| !keys.contains(key))).await
    }

    async fn change_tags(
        self: &Arc<Self>,
        arn: &str,
        change: impl FnOnce(&mut Vec<(String, String)>) + Send + 'static,
    ) -> Result<(), Error> {
        let (mappings, arn) = (self.clone(), arn.to_owned());
        whole("tagging an event source mapping", async move {
            let _changing = mappings.changing.lock().await;
            let found = mappings.of_arn(&arn)?;
            let mut next = Mapping::clone(&found);
            change(&mut next.tags);
            if next.tags.len() > limits::TAGS {
                return Err(Refusal::TooManyTags.into());
            }
            mappings.write(next).await?;
            Ok(())
        })
        .await
    }

    fn find(&self, id: &str) -> Result<Arc<Mapping>, Refused> {
        let id = Uuid::parse_str(id).map_err(|_| Refused::Unknown)?;
        self.by_id.load().get(&id).cloned().ok_or(Refused::Unknown)
    }

    fn of_arn(&self, arn: &str) -> Result<Arc<Mapping>, Refusal> {
        let id = arn.rsplit(':').next().and_then(|id| Uuid::parse_str(id).ok());
        let found = id.and_then(|id| self.by_id.load().get(&id).cloned());
        let found = found.filter(|mapping| mapping.arn(&self.home) == arn.to_lowercase());
        found.ok_or_else(|| Refusal::ResourceNotFound { kind: "Event source mapping", arn: arn.to_owned() })
    }

    fn check_function(&self, target: &Target) -> Result<(), Refused> {
        resolve::function(&self.catalog, target).map(drop).map_err(|_| Refused::NoFunction)
    }

    /// A queue feeds a function once (recorded: `test_duplicate_event_source_mappings`).
    fn check_free(&self, queue: &QueueArn, target: &Target, but: Option<Uuid>) -> Result<(), Refused> {
        let all = self.by_id.load();
        let mut others = all.values().filter(|mapping| Some(mapping.id) != but);
        match others.find(|mapping| mapping.queue == *queue && mapping.target == *target) {
            None => Ok(()),
            Some(other) => {
                let mut function = target.arn.name.to_string();
                if let Some(qualifier) = &target.qualifier {
                    function = format!("{function}:{qualifier}");
                }
                Err(Refused::Exists { queue: queue.to_string(), function, id: other.id })
            }
        }
    }

    /// Asks the queue whether it is there and leaves the function its time.
    async fn check_queue(&self, queue: &QueueArn, target: &Target) -> Result<(), Refused> {
        let attributes = self.queues.attributes(queue.to_string()).await.map_err(|failure| match failure {
            QueueFailure::Missing { .. } => Refused::NoQueue,
            QueueFailure::Failed { why } => Refused::QueueSilent { why },
        })?;
        let (_, version) = resolve::function(&self.catalog, target).map_err(|_| Refused::NoFunction)?;
        mapping::check_visibility(attributes.visibility, &version.function)
    }

    /// Brings what is under way to its end.
    fn settle_later(self: &Arc<Self>, id: Uuid) {
        let mappings = self.clone();
        let work = async move {
            let mut pause = SETTLE_PAUSE.0;
            while let Err(fault) = mappings.settle(id).await {
                tracing::error!(
                    mapping = %id,
                    "an event source mapping stays as it is, trying again in {} s: {}", pause.as_secs(), fault.chain()
                );
                mappings.clock.wake_at(mappings.clock.elapsed() + pause).await;
                pause = (pause * 2).min(SETTLE_PAUSE.1);
            }
        };
        tasks::spawn("settling an event source mapping", work).detach();
    }

    async fn settle(&self, id: Uuid) -> Result<(), Fault> {
        let Some(mapping) = self.by_id.load().get(&id).cloned() else { return Ok(()) };
        if !mapping.polls() {
            // Not under the lock: a batch that runs may take its time.
            self.pollers.stop(id).await;
        }
        let _changing = self.changing.lock().await;
        let Some(mapping) = self.by_id.load().get(&id).cloned() else { return Ok(()) };
        if mapping.state.is_settled() {
            return Ok(());
        }
        let Some(settled) = mapping.settled() else {
            if !self.records.remove_mapping(id).await? {
                return Err(Fault::bare(format!("the record of event source mapping {id} is not what memory shows")));
            }
            self.show(id, None);
            return Ok(());
        };
        let settled = self.write(settled).await?;
        if settled.polls() {
            self.pollers.poll(settled);
        }
        Ok(())
    }

    async fn write(&self, mapping: Mapping) -> Result<Arc<Mapping>, Fault> {
        let mapping = Arc::new(mapping);
        self.records.put_mapping(mapping.clone()).await?;
        self.show(mapping.id, Some(mapping.clone()));
        Ok(mapping)
    }

    fn show(&self, id: Uuid, mapping: Option<Arc<Mapping>>) {
        let mut all = BTreeMap::clone(&self.by_id.load());
        match mapping {
            Some(mapping) => all.insert(id, mapping),
            None => all.remove(&id),
        };
        self.by_id.store(Arc::new(all));
    }
}

/// Makes a change as a task of its own, which ends as a whole whether or not the caller stays.
async fn whole<T: Send + 'static>(
    doing: &'static str,
    change: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    tasks::spawn(doing, change).result().await?
}
