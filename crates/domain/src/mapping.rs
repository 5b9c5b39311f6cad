//! Event source mappings: a queue that feeds a function, what may be set of it, and its states.
//!
//! Never here: polling. Of the sources that AWS has, a mapping is of an SQS standard queue.

pub mod batch;
pub mod pace;
pub mod pattern;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::arn::{Home, Target};
use crate::error::{Error, Refusal};
use crate::function::Function;
use crate::limits;
use crate::mapping::pattern::Pattern;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// `UUID`.
    pub id: Uuid,
    /// The queue's ARN.
    pub queue: QueueArn,
    /// The function, as it was named; an alias or a version stays one.
    pub target: Target,
    /// How it is fed.
    pub settings: Settings,
    /// Tags, in the order given.
    pub tags: Vec<(String, String)>,
    /// Where it stands.
    pub state: State,
    /// Whether it is to poll, once it has settled.
    pub is_enabled: bool,
    /// When it was last created or updated.
    pub modified_at: Timestamp,
}

/// The ARN of a standard queue, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueArn(Arc<str>);

/// How a function is fed. Defaults and bounds: AWS developer guide, services-sqs-parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Messages of one batch, at most.
    pub batch_size: BatchSize,
    /// How long messages are gathered, in seconds.
    pub window_seconds: u32,
    /// A message that fits none of them is deleted unseen; none let every message through.
    pub filters: Vec<Filter>,
    /// Whether the function tells which messages of a batch it could not process.
    pub reports_failures: bool,
    /// Batches that run at a time, at most.
    pub concurrency_max: Option<u32>,
}

/// 10 unless it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSize(pub u32);

impl Default for BatchSize {
    fn default() -> Self {
        Self(10)
    }
}

/// One filter, as it was given and as it is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    text: String,
    pattern: Pattern,
}

impl Filter {
    /// Reads one.
    ///
    /// # Errors
    /// It is no pattern (recorded: `test_sqs_invalid_event_filter`).
    pub fn read(text: String) -> Result<Self, Refused> {
        let pattern = Pattern::read(&text).ok_or(Refused::InvalidFilter)?;
        Ok(Self { text, pattern })
    }

    /// As it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it lets through.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }
}

/// `State`, as AWS has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It was just made.
    Creating,
    /// It is to poll again.
    Enabling,
    /// It polls.
    Enabled,
    /// What it began is brought to its end; it begins nothing any more.
    Disabling,
    /// It does not poll.
    Disabled,
    /// Something of it was changed.
    Updating,
    /// As [`State::Disabling`], and then it is gone.
    Deleting,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Creating,
        Self::Enabling,
        Self::Enabled,
        Self::Disabling,
        Self::Disabled,
        Self::Updating,
        Self::Deleting,
    ];

    /// As AWS spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Enabling => "Enabling",
            Self::Enabled => "Enabled",
            Self::Disabling => "Disabling",
            Self::Disabled => "Disabled",
            Self::Updating => "Updating",
            Self::Deleting => "Deleting",
        }
    }

    /// Whether nothing is under way.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Enabled | Self::Disabled)
    }
}

/// What CreateEventSourceMapping and UpdateEventSourceMapping may set; what is not given stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edit {
    /// Another function.
    pub target: Option<Target>,
    /// Whether to poll.
    pub is_enabled: Option<bool>,
    /// See [`Settings::batch_size`].
    pub batch_size: Option<u32>,
    /// See [`Settings::window_seconds`].
    pub window_seconds: Option<u32>,
    /// See [`Settings::filters`].
    pub filters: Option<Vec<String>>,
    /// See [`Settings::reports_failures`].
    pub reports_failures: Option<bool>,
    /// See [`Settings::concurrency_max`].
    pub concurrency_max: Option<Option<u32>>,
}

/// Why a mapping is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No source is named, or something that can be none.
    UnknownSource,
    /// A source of which mappings are not built.
    SourceNotBuilt {
        /// Which: `Kinesis streams`.
        what: &'static str,
    },
    /// There is no such function, version or alias.
    NoFunction,
    /// There is no such queue.
    NoQueue,
    /// The queue cannot be asked.
    QueueSilent {
        /// Why, and what to do about it.
        why: String,
    },
    /// A parameter of other kinds of sources.
    NotOfQueues {
        /// Its name.
        parameter: &'static str,
    },
    /// More than ten messages in a batch, and no window to gather them.
    WindowMissing,
    /// A filter that is no pattern.
    InvalidFilter,
    /// More filters than a mapping may have.
    TooManyFilters,
    /// A message would be visible again before the function had to be done with it.
    VisibilityTooShort {
        /// The queue's.
        visibility_seconds: u64,
        /// The function's.
        timeout_seconds: u32,
    },
    /// The queue feeds that function already.
    Exists {
        /// The queue's ARN.
        queue: String,
        /// The function, without account and region.
        function: String,
        /// The mapping that does.
        id: Uuid,
    },
    /// There are as many mappings as the engine keeps.
    TooMany,
    /// There is no such mapping.
    Unknown,
    /// Something is under way with it.
    InUse {
        /// What was asked: `update`, `delete`.
        verb: &'static str,
    },
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self::Mapping(refused)
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused.into())
    }
}

impl QueueArn {
    /// Reads the ARN of a source.
    ///
    /// # Errors
    /// It is another source's, or a FIFO queue's.
    pub fn read(arn: &str) -> Result<Self, Refused> {
        let not_built = |what| Err(Refused::SourceNotBuilt { what });
        let mut parts = arn.splitn(6, ':');
        let (head, service, resource) = (parts.next(), parts.nth(1), parts.nth(2).unwrap_or_default());
        if head != Some("arn") {
            return Err(Refused::UnknownSource);
        }
        match service {
            Some("sqs") if resource.is_empty() || resource.contains(':') => Err(Refused::UnknownSource),
            Some("sqs") if is_fifo(resource) => not_built("FIFO queues"),
            Some("sqs") => Ok(Self(arn.into())),
            Some("kinesis") => not_built("Kinesis streams"),
            Some("dynamodb") => not_built("DynamoDB streams"),
            Some("kafka") => not_built("Kafka topics"),
            Some("mq") => not_built("Amazon MQ brokers"),
            Some("rds") => not_built("DocumentDB change streams"),
            _ => Err(Refused::UnknownSource),
        }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The region of the queue.
    pub fn region(&self) -> &str {
        self.0.split(':').nth(3).unwrap_or_default()
    }
}

impl std::fmt::Display for QueueArn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// By its name, as SQS has it.
fn is_fifo(queue: &str) -> bool {
    queue.rsplit_once('.').is_some_and(|(_, end)| end == "fifo")
}

impl Settings {
    /// These with what an edit gives.
    ///
    /// # Errors
    /// They do not go together, or a filter is none.
    pub fn edited(&self, edit: &Edit) -> Result<Self, Refused> {
        let filters = match &edit.filters {
            None => self.filters.clone(),
            Some(texts) if texts.len() > limits::MAPPING_FILTERS => return Err(Refused::TooManyFilters),
            Some(texts) => texts.iter().cloned().map(Filter::read).collect::<Result<_, _>>()?,
        };
        let settings = Self {
            batch_size: edit.batch_size.map_or(self.batch_size, BatchSize),
            window_seconds: edit.window_seconds.unwrap_or(self.window_seconds),
            filters,
            reports_failures: edit.reports_failures.unwrap_or(self.reports_failures),
            concurrency_max: edit.concurrency_max.unwrap_or(self.concurrency_max),
        };
        // Recorded: test_event_source_mapping_default_batch_size.
        if settings.batch_size.0 > limits::BATCH_WITHOUT_WINDOW && settings.window_seconds == 0 {
            return Err(Refused::WindowMissing);
        }
        Ok(settings)
    }

    /// Whether a message goes to the function.
    pub fn lets_through(&self, queue: &QueueArn, message: &batch::Message) -> bool {
        if self.filters.is_empty() {
            return true;
        }
        let subject = batch::subject(queue, message);
        self.filters.iter().any(|filter| filter.pattern.fits(&subject))
    }

    /// How long messages are gathered.
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.window_seconds.into())
    }
}

impl Mapping {
    /// Its own ARN.
    pub fn arn(&self, home: &Home) -> String {
        arn(home, self.id)
    }

    /// The mapping with an edit, on its way to what it is to be. AWS answers what is under way (recorded:
    /// `test_fifo_message_group_parallelism`, `test_sqs_event_source_mapping_update`).
    ///
    /// # Errors
    /// Something is under way already, or the settings cannot be.
    pub fn edited(&self, edit: &Edit, now: Timestamp) -> Result<Self, Refused> {
        if !self.state.is_settled() {
            return Err(Refused::InUse { verb: "update" });
        }
        let is_enabled = edit.is_enabled.unwrap_or(self.is_enabled);
        let state = match (self.is_enabled, is_enabled) {
            (false, true) => State::Enabling,
            (true, false) => State::Disabling,
            (true, true) | (false, false) => State::Updating,
        };
        let target = edit.target.clone().unwrap_or_else(|| self.target.clone());
        let settings = self.settings.edited(edit)?;
        Ok(Self { target, settings, state, is_enabled, modified_at: now, ..self.clone() })
    }

    /// The mapping on its way out.
    ///
    /// # Errors
    /// Something is under way that did not begin with its making (service model, `ResourceInUseException`).
    pub fn deleted(&self, now: Timestamp) -> Result<Self, Refused> {
        if !self.state.is_settled() && self.state != State::Creating {
            return Err(Refused::InUse { verb: "delete" });
        }
        Ok(Self { state: State::Deleting, is_enabled: false, modified_at: now, ..self.clone() })
    }

    /// The mapping once nothing is under way any more; none where it is gone then.
    pub fn settled(&self) -> Option<Self> {
        let state = match (self.state, self.is_enabled) {
            (State::Deleting, _) => return None,
            (_, true) => State::Enabled,
            (_, false) => State::Disabled,
        };
        Some(Self { state, ..self.clone() })
    }

    /// Whether batches may begin.
    pub fn polls(&self) -> bool {
        self.is_enabled && self.state != State::Deleting
    }
}

/// The ARN of a mapping.
pub fn arn(home: &Home, id: Uuid) -> String {
    let Home { partition, region, account } = home;
    format!("arn:{partition}:lambda:{region}:{account}:event-source-mapping:{id}")
}

/// Whether a queue leaves the function its time.
///
/// # Errors
/// It does not (AWS developer guide, services-sqs-configure).
pub fn check_visibility(visibility: Duration, function: &Function) -> Result<(), Refused> {
    let (visibility_seconds, timeout_seconds) = (visibility.as_secs(), function.configuration.timeout_seconds);
    if visibility_seconds < u64::from(timeout_seconds) {
        return Err(Refused::VisibilityTooShort { visibility_seconds, timeout_seconds });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> Home {
        Home { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() }
    }

    fn mapping(state: State, is_enabled: bool) -> Mapping {
        Mapping {
            id: Uuid::nil(),
            queue: QueueArn::read("arn:aws:sqs:us-east-1:000000000000:q").unwrap(),
            target: home().read("fn:live", None).unwrap(),
            settings: Settings::default(),
            tags: Vec::new(),
            state,
            is_enabled,
            modified_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn sources_are_told_apart() {
        let not_built = |what| Err(Refused::SourceNotBuilt { what });
        for (arn, expected) in [
            ("arn:aws:sqs:us-east-1:000000000000:q", Ok("us-east-1")),
            ("arn:aws:sqs:us-east-1:000000000000:q.fifo", not_built("FIFO queues")),
            ("arn:aws:sqs:us-east-1:000000000000:", Err(Refused::UnknownSource)),
            ("arn:aws:sqs:us-east-1:000000000000:a:b", Err(Refused::UnknownSource)),
            ("arn:aws:kinesis:us-east-1:000000000000:stream/s", not_built("Kinesis streams")),
            ("arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/1", not_built("DynamoDB streams")),
            ("arn:aws:kafka:us-east-1:000000000000:cluster/c/1", not_built("Kafka topics")),
            ("arn:aws:mq:us-east-1:000000000000:broker:b:1", not_built("Amazon MQ brokers")),
            ("arn:aws:rds:us-east-1:000000000000:cluster:c", not_built("DocumentDB change streams")),
            ("arn:aws:s3:::bucket", Err(Refused::UnknownSource)),
            ("q", Err(Refused::UnknownSource)),
        ] {
            let read = QueueArn::read(arn);
            assert_eq!(read.as_ref().map(QueueArn::region).map_err(Clone::clone), expected, "{arn}");
        }
    }

    #[test]
    fn settings_have_defaults_and_go_together() {
        // Recorded: test_event_source_mapping_default_batch_size.
        let defaults = Settings::default().edited(&Edit::default()).unwrap();
        assert_eq!((defaults.batch_size.0, defaults.window_seconds, defaults.concurrency_max), (10, 0, None));
        let eleven = Edit { batch_size: Some(11), ..Edit::default() };
        assert_eq!(defaults.edited(&eleven), Err(Refused::WindowMissing));
        let windowed = Edit { window_seconds: Some(1), ..eleven };
        let windowed = defaults.edited(&windowed).unwrap();
        assert_eq!(windowed.batch_size.0, 11);
        let without = Edit { window_seconds: Some(0), ..Edit::default() };
        assert_eq!(windowed.edited(&without), Err(Refused::WindowMissing));
        let filters = |count| Edit { filters: Some(vec!["{\"body\":[\"a\"]}".to_owned(); count]), ..Edit::default() };
        assert_eq!(defaults.edited(&filters(5)).unwrap().filters.len(), 5);
        assert_eq!(defaults.edited(&filters(6)), Err(Refused::TooManyFilters));
        let five = defaults.edited(&filters(5)).unwrap();
        assert_eq!(five.edited(&filters(0)).unwrap().filters, []);
        let no_pattern = Edit { filters: Some(vec!["null".to_owned()]), ..Edit::default() };
        assert_eq!(defaults.edited(&no_pattern), Err(Refused::InvalidFilter));
    }

    #[test]
    fn states_follow_one_another_as_on_aws() {
        let now = Timestamp::from_second(1).unwrap();
        let to = |is_enabled| Edit { is_enabled, ..Edit::default() };
        for (state, is_enabled, edit, expected, settled) in [
            (State::Enabled, true, to(Some(false)), State::Disabling, Some(State::Disabled)),
            (State::Enabled, true, to(None), State::Updating, Some(State::Enabled)),
            (State::Enabled, true, to(Some(true)), State::Updating, Some(State::Enabled)),
            (State::Disabled, false, to(Some(true)), State::Enabling, Some(State::Enabled)),
            (State::Disabled, false, to(None), State::Updating, Some(State::Disabled)),
        ] {
            let edited = mapping(state, is_enabled).edited(&edit, now).unwrap();
            assert_eq!((edited.state, edited.modified_at), (expected, now));
            assert_eq!(edited.settled().map(|mapping| mapping.state), settled);
        }
        for state in State::ALL.into_iter().filter(|state| !state.is_settled()) {
            let refused = mapping(state, true).edited(&to(None), now).unwrap_err();
            assert_eq!(refused, Refused::InUse { verb: "update" });
        }
        for state in State::ALL {
            let deleted = mapping(state, true).deleted(now);
            if state.is_settled() || state == State::Creating {
                let deleted = deleted.unwrap();
                assert!(deleted.state == State::Deleting && !deleted.polls() && deleted.settled().is_none());
            } else {
                assert_eq!(deleted, Err(Refused::InUse { verb: "delete" }));
            }
        }
        assert!(mapping(State::Creating, true).polls() && !mapping(State::Creating, false).polls());
    }

    #[test]
    fn a_mapping_has_an_arn() {
        let arn = mapping(State::Enabled, true).arn(&home());
        let id = "00000000-0000-0000-0000-000000000000";
        assert_eq!(arn, format!("arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{id}"));
    }
}
