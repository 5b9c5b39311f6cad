//! The pool of execution environments: reuse, start, retire, age out.
//!
//! Idle environments are a stack: the last used is given first, those at the bottom age out.
//! Never here: how a process is started.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::environment::Readiness;
use domain::error::ThrottleReason;
use domain::function::Function;
use domain::names::EnvironmentId;
use domain::{Error, Fault, Refusal, log};
use tokio::sync::{Notify, oneshot};

use crate::catalog::{Catalog, Serving};
use crate::ports::{Clock, Dice, Environment, EnvironmentSpec, LogSource, Metric, Packages, Sandbox, Telemetry};
use crate::tasks;
use crate::telemetry::EnvironmentLog;

/// How long a call waits for an environment whose answer is out and which is about to ask for its next event,
/// before another is started: far less than any start takes, far more than a runtime needs between two events.
const SETTLING_WAIT: Duration = Duration::from_millis(5);
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

/// An environment in the hands of whoever uses it.
#[derive(Debug)]
pub struct Member {
    /// The environment.
    pub environment: Arc<dyn Environment>,
    /// Its log.
    pub log: Arc<EnvironmentLog>,
    /// Whether the next event can be handed over at once. `None`: it was never initialised.
    pub readiness: Option<Readiness>,
    idle_since: Duration,
    _slot: Slot,
}

impl Member {
    /// Ends the environment, in the background.
    pub fn end(self) {
        tasks::spawn("ending an environment", async move { self.environment.stop().await }).detach();
    }
}

/// The environments of one state of a function.
#[derive(Debug, Default)]
pub struct Pool {
    state: Mutex<PoolState>,
}

#[derive(Debug, Default)]
struct PoolState {
    /// The function has moved on: nothing is kept any more.
    retired: bool,
    /// The last used on top.
    idle: Vec<Member>,
    /// Environments whose answer is out and which have not yet asked for their next event.
    settling: usize,
    waiting: VecDeque<oneshot::Sender<Member>>,
}

/// Says that an environment is about to come back; taken back on drop.
#[derive(Debug)]
pub struct Settling(Arc<Pool>);

impl Drop for Settling {
    fn drop(&mut self) {
        self.0.lock().settling -= 1;
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces that an environment's answer is out.
    pub fn settling(self: &Arc<Self>) -> Settling {
        self.lock().settling += 1;
        Settling(self.clone())
    }

    /// Takes an environment back: the longest waiting call gets it, else it is the top of the stack.
    fn give_back(&self, mut member: Member, now: Duration) {
        member.idle_since = now;
        let mut state = self.lock();
        if state.retired {
            drop(state);
            return member.end();
        }
        while let Some(waiting) = state.waiting.pop_front() {
            match waiting.send(member) {
                Ok(()) => return,
                Err(back) => member = back,
            }
        }
        state.idle.push(member);
    }

    /// Ends what is idle, and what comes back from now on.
    pub fn retire(&self) {
        let idle = {
            let mut state = self.lock();
            state.retired = true;
            state.waiting.clear();
            std::mem::take(&mut state.idle)
        };
        idle.into_iter().for_each(Member::end);
    }

    /// Takes out what has been idle since before `moment`.
    fn take_older_than(&self, moment: Duration) -> Vec<Member> {
        let mut state = self.lock();
        let old = state.idle.iter().take_while(|member| member.idle_since < moment).count();
        state.idle.drain(..old).collect()
    }

    fn longest_idle_since(&self) -> Option<Duration> {
        self.lock().idle.first().map(|member| member.idle_since)
    }

    fn take_longest_idle(&self) -> Option<Member> {
        let mut state = self.lock();
        (!state.idle.is_empty()).then(|| state.idle.remove(0))
    }
}

/// One of the environments that this machine bears.
#[derive(Debug)]
struct Slot(Arc<Slots>);

#[derive(Debug, Default)]
struct Slots {
    taken: AtomicUsize,
    freed: Notify,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_waiters();
    }
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
        let mut waiting = {
            let mut state = serving.pool.lock();
            if let Some(member) = state.idle.pop() {
                return Ok(CheckedOut::Warm(member));
            }
            (state.settling > state.waiting.len()).then(|| state.wait())
        };
        if let Some(back) = &mut waiting {
            let enough = self.clock.wake_at(self.clock.elapsed() + SETTLING_WAIT);
            tokio::select! {
                biased;
                Ok(member) = back => return Ok(CheckedOut::Warm(member)),
                () = enough => {}
            }
        }
        let until = self.clock.elapsed() + FULL_WAIT;
        loop {
            let freed = self.slots.freed.notified();
            if let Some(slot) = self.take_slot() {
                // The wait may have been answered in the meantime; what came is used, the room given up.
                return Ok(match waiting.as_mut().and_then(|back| back.try_recv().ok()) {
                    Some(member) => CheckedOut::Warm(member),
                    None => CheckedOut::Room(Room(slot)),
                });
            }
            if self.end_longest_idle(&serving.pool).await {
                continue;
            }
            let back = waiting.get_or_insert_with(|| serving.pool.lock().wait());
            tokio::select! {
                biased;
                Ok(member) = back => return Ok(CheckedOut::Warm(member)),
                () = freed => {}
                () = self.clock.wake_at(until) => return Err(self.refuse_full(serving)),
            }
        }
    }

    fn refuse_full(&self, serving: &Serving) -> Error {
        let name = &serving.function.arn.name;
        tracing::warn!(
            function = %name,
            environments = self.slots.taken.load(Ordering::Relaxed),
            environments_max = self.settings.environments_max,
            memory_available = format!("{:.0} %", self.sandbox.memory_available() * 100.0),
            "throttled: this machine is full, the account's concurrency is not; see --environments-max",
        );
        self.telemetry.count(Metric::MachineFull, name);
        Refusal::Throttled { reason: ThrottleReason::ConcurrentInvocationLimitExceeded }.into()
    }

    fn take_slot(&self) -> Option<Slot> {
        let max = self.settings.environments_max;
        let fits = |taken: usize| (taken < max).then_some(taken + 1);
        let alone = self.slots.taken.load(Ordering::Acquire) == 0;
        if !alone && self.sandbox.memory_available() < MEMORY_SHARE_MIN {
            return None;
        }
        let taken = self.slots.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits);
        taken.ok().map(|_| Slot(self.slots.clone()))
    }

    /// Ends the environment that has been idle longest, of any function but this one.
    async fn end_longest_idle(&self, not: &Pool) -> bool {
        let entries = self.catalog.all();
        let others =
            entries.values().map(|entry| &entry.serving.pool).filter(|pool| !std::ptr::eq(&raw const ***pool, not));
        let oldest = others.filter_map(|pool| Some((pool.longest_idle_since()?, pool))).min_by_key(|(since, _)| *since);
        let Some(member) = oldest.and_then(|(_, pool)| pool.take_longest_idle()) else { return false };
        member.environment.stop().await;
        true
    }

    /// Starts an environment for a function; nothing in it is initialised yet.
    ///
    /// # Errors
    /// The sandbox failed.
    pub async fn start(&self, room: Room, function: &Function) -> Result<Member, Fault> {
        let id = EnvironmentId(self.dice.uuid());
        let source = LogSource {
            function: function.arn.name.clone(),
            group: function.log_group(),
            stream: log::stream_name(self.clock.now(), "$LATEST", self.dice.uuid()),
        };
        let user = function.configuration.variables.clone().unwrap_or_default();
        let spec = EnvironmentSpec {
            id,
            runtime: function.configuration.runtime,
            code: self.packages.folder(function.package.digest),
            memory_mb: function.configuration.memory_mb,
            storage_mb: function.configuration.storage_mb,
            variables: user.over(self.settings.variables.clone()),
            platform_variables: platform_variables(function, &source),
        };
        let log = Arc::new(EnvironmentLog::new(source, self.telemetry.clone(), self.clock.clone()));
        self.telemetry.count(Metric::ColdStarts, &function.arn.name);
        let environment = self.sandbox.start(spec, log.clone()).await?;
        Ok(Member { environment, log, readiness: None, idle_since: Duration::ZERO, _slot: room.0 })
    }

    /// Takes an environment back after use.
    pub fn give_back(&self, serving: &Serving, member: Member) {
        serving.pool.give_back(member, self.clock.elapsed());
    }

    /// Ends what has been idle for longer than `keep_warm`.
    pub fn reap(&self) {
        let Some(moment) = self.clock.elapsed().checked_sub(self.settings.keep_warm) else { return };
        for entry in self.catalog.all().values() {
            entry.serving.pool.take_older_than(moment).into_iter().for_each(Member::end);
        }
    }

    /// How many environments there are.
    pub fn count(&self) -> usize {
        self.slots.taken.load(Ordering::Relaxed)
    }
}

impl PoolState {
    fn wait(&mut self) -> oneshot::Receiver<Member> {
        let (tell, told) = oneshot::channel();
        self.waiting.push_back(tell);
        told
    }
}

/// What Lambda sets and nobody overrides (recorded: `test_introspection_invoke`). Credentials are `test` until
/// permissions are built.
fn platform_variables(function: &Function, source: &LogSource) -> Vec<(String, String)> {
    let configuration = &function.configuration;
    let region = function.arn.region();
    let mut variables = vec![
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_SESSION_TOKEN", "test".to_owned()),
        ("AWS_REGION", region.to_owned()),
        ("AWS_DEFAULT_REGION", region.to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", function.arn.name.to_string()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", configuration.memory_mb.to_string()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", source.group.clone()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", source.stream.clone()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("_HANDLER", configuration.handler.clone()),
    ];
    if !configuration.runtime.is_provided() {
        variables.push(("AWS_EXECUTION_ENV", format!("AWS_Lambda_{}", configuration.runtime)));
    }
    variables.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
