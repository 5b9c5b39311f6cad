//! Who gets which environment: one that is idle, one that comes back, or room for another.
//!
//! Never here: how a process is started.

mod provisioned;

use std::sync::Arc;
use std::time::Duration;

use domain::error::ThrottleReason;
use domain::function::{Function, LogFormat, LogLevel};
use domain::log::Initialization;
use domain::names::EnvironmentId;
use domain::network::{self, Network};
use domain::runtime::Runtime;
use domain::{Error, Fault, Refusal, log, own_tags};

use tokio::sync::oneshot::error::TryRecvError;

use crate::catalog::{Catalog, Serving};
use crate::pool::{Back, Member, Pool, Slot, Slots};
use crate::ports::{Clock, Dice, EnvironmentSpec, ImageUse, LogSource, Metric, Packages, Sandbox, Telemetry};
use crate::tasks::{self, Task};
use crate::telemetry::EnvironmentLog;

/// How long a call waits for an environment whose answer is out and which is about to ask for its next event,
/// before another is started: far less than any start takes, far more than a runtime needs between two events.
const SETTLING_WAIT: Duration = Duration::from_millis(5);
/// How often a call looks for it before it arms a timer, which costs more than a look.
const SETTLING_LOOKS: usize = 4;
/// Turns after each look: one for the connection that the request came over, one for the invocation that ends with it.
const SETTLING_TURNS: usize = 2;
/// How long a call waits on a full machine.
const FULL_WAIT: Duration = Duration::from_secs(1);
/// No environment is started while less of the machine's memory is available.
const MEMORY_SHARE_MIN: f64 = 0.1;

/// What bounds the environments.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Environments on this machine, of all functions.
    pub environments_max: usize,
    /// How long an idle one is kept.
    pub keep_warm: Duration,
    /// Variables that every function gets and may override: `AWS_ENDPOINT_URL` and the like.
    pub variables: Vec<(String, String)>,
}

/// Gives environments out and takes them back.
pub struct Environments {
    settings: Settings,
    catalog: Arc<Catalog>,
    sandbox: Arc<dyn Sandbox>,
    packages: Arc<dyn Packages>,
    telemetry: Arc<dyn Telemetry>,
    clock: Arc<dyn Clock>,
    dice: Arc<dyn Dice>,
    slots: Arc<Slots>,
}

/// What a call got: an environment that has served before, or the right to start one.
#[derive(Debug)]
pub enum CheckedOut {
    /// One that is there.
    Warm(Member),
    /// See [`Environments::start`].
    Room(Room),
}

/// The right to start one environment.
#[derive(Debug)]
pub struct Room(Slot);

impl Environments {
    /// No environments yet.
    pub fn new(
        settings: Settings,
        catalog: Arc<Catalog>,
        (sandbox, packages, telemetry): (Arc<dyn Sandbox>, Arc<dyn Packages>, Arc<dyn Telemetry>),
        (clock, dice): (Arc<dyn Clock>, Arc<dyn Dice>),
    ) -> Self {
        Self { settings, catalog, sandbox, packages, telemetry, clock, dice, slots: Arc::default() }
    }

    /// Finds an environment for one invocation: the last used, else one that is just coming back, else room for
    /// a new one, else the room of another function's longest idle one.
    ///
    /// # Errors
    /// The machine stayed full for a second.
    pub async fn check_out(&self, serving: &Serving) -> Result<CheckedOut, Error> {
        let mut back = match serving.pool.take() {
            Ok(member) => return Ok(CheckedOut::Warm(member)),
            Err(back) => back,
        };
        if let Some(settling) = back {
            match self.wait_for_settling(settling).await {
                Ok(member) => return Ok(CheckedOut::Warm(member)),
                Err(still) => back = still,
            }
        }
        let until = self.clock.elapsed() + FULL_WAIT;
        let mut ending = None;
        loop {
            // Made first: what becomes free or idle from here on wakes the wait below.
            let freed = self.slots.freed.notified();
            if let Some(member) = serving.pool.take_or_wait(&mut back) {
                return Ok(CheckedOut::Warm(member));
            }
            if let Some(slot) = self.take_slot() {
                return Ok(CheckedOut::Room(Room(slot)));
            }
            if self.clock.elapsed() >= until {
                return Err(self.refuse_full(serving));
            }
            if ending.is_none() {
                ending = self.end_longest_idle(&serving.pool);
            }
            tokio::select! {
                biased;
                member = come_back(&mut back) => return Ok(CheckedOut::Warm(member)),
                () = freed => {}
                () = end(&mut ending) => {}
                () = self.clock.wake_at(until) => {}
            }
        }
    }

    /// Waits a moment for an environment that is just coming back; else gives the wait back, unless nothing will come.
    async fn wait_for_settling(&self, mut back: Back) -> Result<Member, Option<Back>> {
        for _ in 0..SETTLING_LOOKS {
            // Lets what has already come in be read: mostly that is the request for the next event.
            tokio::task::yield_now().await;
            for _ in 0..SETTLING_TURNS {
                match back.try_recv() {
                    Ok(member) => return Ok(member),
                    Err(TryRecvError::Empty) => tasks::give_way().await,
                    Err(TryRecvError::Closed) => return Err(None),
                }
            }
        }
        tokio::select! {
            biased;
            back = &mut back => return back.map_err(|_| None),
            () = self.clock.wake_at(self.clock.elapsed() + SETTLING_WAIT) => {}
        }
        Err(Some(back))
    }

    fn refuse_full(&self, serving: &Serving) -> Error {
        let name = &serving.function.arn.name;
        tracing::warn!(
            function = %name,
            environments = self.slots.taken(),
            environments_max = self.settings.environments_max,
            memory_available = format!("{:.0} %", self.sandbox.memory_available() * 100.0),
            "throttled: this machine is full, the account's concurrency is not; see --environments-max",
        );
        self.telemetry.count(Metric::MachineFull, name);
        Refusal::Throttled { reason: ThrottleReason::ConcurrentInvocationLimitExceeded }.into()
    }

    fn take_slot(&self) -> Option<Slot> {
        // The first one is started whatever the memory says: ending others would bring nothing.
        if self.slots.taken() > 0 && self.sandbox.memory_available() < MEMORY_SHARE_MIN {
            return None;
        }
        self.slots.take(self.settings.environments_max)
    }

    /// Ends the environment that has been idle longest, of any function but this one. It ends by itself, however long
    /// that takes and whoever waits for it; its room is free then.
    fn end_longest_idle(&self, not: &Pool) -> Option<Task<()>> {
        let entries = self.catalog.all();
        let pools = entries.values().flat_map(|entry| entry.all_versions()).map(|version| &version.serving.pool);
        let others = pools.filter(|pool| !std::ptr::eq(&raw const ***pool, not));
        let oldest = others.filter_map(|pool| Some((pool.longest_idle_since()?, pool))).min_by_key(|(since, _)| *since);
        oldest.and_then(|(_, pool)| pool.take_longest_idle()).map(Member::ending)
    }

    /// Starts an environment for a function; nothing in it is initialised yet.
    ///
    /// # Errors
    /// The sandbox failed.
    pub async fn start(&self, room: Room, function: &Function) -> Result<Member, Fault> {
        self.start_for(room, function, Initialization::OnDemand).await
    }

    async fn start_for(&self, room: Room, function: &Function, why: Initialization) -> Result<Member, Fault> {
        let settings = self.catalog.get(&function.arn.name).map(|entry| entry.settings.clone());
        // A function that has been deleted meanwhile gets the least.
        let network = settings.as_ref().map_or(Network::None, |settings| network::of_tags(&settings.tags));
        // An engine may be started again where it can do less than where the function was made.
        if let Some(settings) = settings {
            let is_met = |tag: &str, why: &str| {
                Fault::bare(format!("the tag {tag} of {} cannot be met: {why}", function.arn.name))
            };
            if let Err(Refusal::TagNotMet { tag, why }) = own_tags::check(&settings.tags, self.sandbox.level()) {
                return Err(is_met(tag, &why));
            }
            self.sandbox.gives(network).map_err(|why| is_met(network::TAG, &why))?;
        }
        let id = EnvironmentId(self.dice.uuid());
        let source = LogSource {
            function: function.arn.name.clone(),
            group: function.log_group(),
            stream: log::stream_name(self.clock.now(), function.version, self.dice.uuid()),
            format: function.configuration.logging.format,
        };
        let user = function.configuration.variables.clone().unwrap_or_default();
        let spec = EnvironmentSpec {
            id,
            runtime: function.configuration.runtime().unwrap_or(Runtime::OS_ONLY),
            code: function.code.package().map(|package| self.packages.folder(package.digest)).unwrap_or_default(),
            image: function.code.image().map(|image| ImageUse {
                image: image.clone(),
                config: function.configuration.image_config().cloned().unwrap_or_default(),
            }),
            layers: {
                let layers = function.configuration.layers.iter();
                layers.map(|layer| self.packages.folder(layer.package.digest)).collect()
            },
            account: function.arn.account().to_owned(),
            memory_mb: function.configuration.memory_mb,
            storage_mb: function.configuration.storage_mb,
            network,
            variables: user.over(self.settings.variables.clone()),
            platform_variables: platform_variables(function, &source, why),
        };
        let log =
            EnvironmentLog::new(source, &function.configuration.logging, (self.telemetry.clone(), self.clock.clone()));
        let log = Arc::new(log);
        self.telemetry.count(Metric::ColdStarts, &function.arn.name);
        let environment = self.sandbox.start(spec, log.clone()).await?;
        log.belongs_to(&environment);
        Ok(Member::new(environment, log, room.0))
    }

    /// Takes an environment back after use.
    pub fn give_back(&self, serving: &Serving, member: Member) {
        let is_spent = serving.pool.give_back(member, self.clock.elapsed());
        if is_spent {
            self.catalog.is_unprovisioned(serving.function.arn.name.clone());
        }
        // Whoever waits on a full machine may now have this one ended.
        self.slots.freed.notify_waiters();
    }

    /// Ends what has been idle for longer than `keep_warm`, and what has died.
    pub fn reap(&self) {
        for version in self.catalog.all().values().flat_map(|entry| entry.all_versions()) {
            if version.serving.pool.is_short() {
                self.catalog.is_unprovisioned(version.function.arn.name.clone());
            }
        }
        let Some(moment) = self.clock.elapsed().checked_sub(self.settings.keep_warm) else { return };
        for version in self.catalog.all().values().flat_map(|entry| entry.all_versions()) {
            version.serving.pool.take_older_than(moment).into_iter().for_each(Member::end);
        }
    }

    /// How many environments there are.
    pub fn count(&self) -> usize {
        self.slots.taken()
    }
}

/// Waits for what comes back; forever where nothing will.
async fn come_back(back: &mut Option<Back>) -> Member {
    if let Some(waiting) = back {
        if let Ok(member) = waiting.await {
            return member;
        }
        *back = None;
    }
    std::future::pending().await
}

/// Waits for the end of an environment; forever where none is ending.
async fn end(ending: &mut Option<Task<()>>) {
    match ending {
        Some(task) => task.end().await,
        None => std::future::pending().await,
    }
    *ending = None;
}

/// What Lambda sets and nobody overrides (recorded: `test_introspection_invoke`). Credentials are `test` until
/// permissions are built.
fn platform_variables(function: &Function, source: &LogSource, why: Initialization) -> Vec<(String, String)> {
    let configuration = &function.configuration;
    let region = function.arn.region();
    let mut variables = vec![
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_SESSION_TOKEN", "test".to_owned()),
        ("AWS_REGION", region.to_owned()),
        ("AWS_DEFAULT_REGION", region.to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", function.arn.name.to_string()),
        ("AWS_LAMBDA_FUNCTION_VERSION", function.version.to_string()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", configuration.memory_mb.to_string()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", source.group.clone()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", source.stream.clone()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", why.as_str().to_owned()),
    ];
    // What an image starts with, its own entry point sets (aws-lambda-base-images, lambda-entrypoint.sh).
    if let Some(handler) = configuration.handler() {
        variables.push(("_HANDLER", handler.to_owned()));
    }
    // Runtimes write what they log in the format of the function's log (AWS developer guide,
    // monitoring-cloudwatchlogs-logformat).
    if configuration.logging.format == LogFormat::Json {
        variables.push(("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()));
        let level = configuration.logging.application_level.unwrap_or(LogLevel::Info);
        variables.push(("AWS_LAMBDA_LOG_LEVEL", level.as_str().to_owned()));
    }
    // Neither OS-only runtimes nor images have it (AWS developer guide, configuration-envvars).
    if let Some(runtime) = configuration.runtime().filter(|runtime| !runtime.is_provided()) {
        variables.push(("AWS_EXECUTION_ENV", format!("AWS_Lambda_{runtime}")));
    }
    if configuration.logging.format == LogFormat::Json {
        // Read by AWS's own runtime clients (awslambdaric, aws-lambda-nodejs-runtime-interface-client).
        let level = configuration.logging.application_level.unwrap_or(LogLevel::Info);
        variables.push(("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()));
        variables.push(("AWS_LAMBDA_LOG_LEVEL", level.as_str().to_owned()));
    }
    variables.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
