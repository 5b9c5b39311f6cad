//! The environments of one function: idle ones as a stack, those that are about to come back, and who waits for them.
//!
//! The last used is given first, those at the bottom age out. Provisioned ones come before all others and do not age.
//! Never here: when to start another one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use domain::environment::Readiness;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Notify, oneshot};

use crate::ports::Environment;
use crate::tasks::{self, Task};
use crate::telemetry::EnvironmentLog;

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
    memory_used: Option<(Duration, u64)>,
    /// Where it is one of the provisioned environments of its pool.
    provisioned: Option<Provisioned>,
    _slot: Slot,
}

/// How old a reading of an environment's memory may be. Reading costs about as much as any step of an invocation, and
/// in so short a time a process cannot take much more.
const MEMORY_READING: Duration = Duration::from_millis(10);

impl Member {
    /// A new one, in the room that was taken for it.
    pub(crate) fn new(environment: Arc<dyn Environment>, log: Arc<EnvironmentLog>, slot: Slot) -> Self {
        Self {
            environment,
            log,
            readiness: None,
            idle_since: Duration::ZERO,
            memory_used: None,
            provisioned: None,
            _slot: slot,
        }
    }

    /// The most memory that it has used so far, in bytes, as of at most ten milliseconds ago.
    pub(crate) fn memory_used_bytes(&mut self, now: Duration) -> u64 {
        match self.memory_used {
            Some((read_at, bytes)) if now < read_at + MEMORY_READING => bytes,
            _ => {
                let bytes = self.environment.memory_used_bytes();
                self.memory_used = Some((now, bytes));
                bytes
            }
        }
    }

    /// Ends the environment, in the background.
    pub fn end(self) {
        self.ending().detach();
    }

    /// Ends the environment; its room is free when it is gone.
    pub(crate) fn ending(mut self) -> Task<()> {
        // From now on another one can take its place.
        self.provisioned = None;
        tasks::spawn("ending an environment", async move {
            self.environment.stop().await;
            drop(self);
        })
    }
}

/// An environment that is about to come back.
pub(crate) type Back = oneshot::Receiver<Member>;

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
    provisioned: ProvisionedState,
}

/// The provisioned environments of a pool.
#[derive(Debug, Default)]
struct ProvisionedState {
    /// How many there are to be.
    wanted: u32,
    /// How many are initialised, idle or not.
    ready: u32,
    /// How many are being started.
    starting: u32,
    /// The last that was started did not initialise.
    has_failed: bool,
    /// The last used on top.
    idle: Vec<Member>,
}

/// One of the provisioned environments of a pool; counted until it is dropped.
#[derive(Debug)]
struct Provisioned(Weak<Pool>);

impl Drop for Provisioned {
    fn drop(&mut self) {
        if let Some(pool) = self.0.upgrade() {
            pool.lock().provisioned.ready -= 1;
        }
    }
}

/// The duty to start one provisioned environment; given back on drop.
#[derive(Debug)]
pub(crate) struct Start(Arc<Pool>);

impl Start {
    /// The pool that wants it.
    pub(crate) fn pool(&self) -> &Pool {
        &self.0
    }

    /// Whether it is still wanted.
    pub(crate) fn is_wanted(&self) -> bool {
        let state = self.0.lock();
        let ProvisionedState { wanted, ready, starting, .. } = state.provisioned;
        !state.retired && ready + starting <= wanted
    }

    /// Says that the environment did not initialise.
    pub(crate) fn has_failed(&self) {
        self.0.lock().provisioned.has_failed = true;
    }

    /// Hands over the environment, initialised.
    pub(crate) fn done(self, mut member: Member, now: Duration) {
        {
            let mut state = self.0.lock();
            state.provisioned.ready += 1;
            state.provisioned.has_failed = false;
        }
        member.provisioned = Some(Provisioned(Arc::downgrade(&self.0)));
        let pool = self.0.clone();
        drop(self);
        pool.give_back(member, now);
    }
}

impl Drop for Start {
    fn drop(&mut self) {
        self.0.lock().provisioned.starting -= 1;
    }
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
    /// Gives out the last used; else, if one is about to come back for nobody else, the wait for it.
    pub(crate) fn take(&self) -> Result<Member, Option<Back>> {
        let mut state = self.lock();
        if let Some(member) = state.pop() {
            return Ok(member);
        }
        state.waiting.retain(|waiting| !waiting.is_closed());
        Err((state.settling > state.waiting.len()).then(|| state.wait()))
    }

    /// Gives out what has come back, or else sees to it that `back` gets the next that does. Nothing comes back to a
    /// retired pool.
    pub(crate) fn take_or_wait(&self, back: &mut Option<Back>) -> Option<Member> {
        let mut state = self.lock();
        match back.as_mut().map(Back::try_recv) {
            Some(Ok(member)) => return Some(member),
            Some(Err(TryRecvError::Empty)) => return None,
            Some(Err(TryRecvError::Closed)) | None => *back = None,
        }
        let idle = state.pop();
        if idle.is_none() && !state.retired {
            *back = Some(state.wait());
        }
        idle
    }

    fn lock(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces that an environment's answer is out.
    pub fn settling(self: &Arc<Self>) -> Settling {
        self.lock().settling += 1;
        Settling(self.clone())
    }

    /// Takes an environment back: the longest waiting call gets it, else it is the top of the stack. Says whether it
    /// was a provisioned one that is not kept.
    pub(crate) fn give_back(&self, mut member: Member, now: Duration) -> bool {
        member.idle_since = now;
        let mut state = self.lock();
        if state.retired || state.is_spent(&member) {
            drop(state);
            let is_spent = member.provisioned.is_some();
            member.end();
            return is_spent;
        }
        while let Some(waiting) = state.waiting.pop_front() {
            match waiting.send(member) {
                Ok(()) => return false,
                Err(back) => member = back,
            }
        }
        match member.provisioned {
            Some(_) => state.provisioned.idle.push(member),
            None => state.idle.push(member),
        }
        false
    }

    /// From now on so many environments are kept initialised: those that there are too many are ended, what is missing
    /// is to be started.
    pub(crate) fn provision(self: &Arc<Self>, wanted: u32) -> Vec<Start> {
        let (ending, starting) = {
            let mut state = self.lock();
            let provisioned = &mut state.provisioned;
            provisioned.wanted = wanted;
            provisioned.has_failed &= wanted > 0;
            let surplus = provisioned.ready.saturating_sub(wanted) as usize;
            let kept = provisioned.idle.len().saturating_sub(surplus);
            let ending = provisioned.idle.split_off(kept);
            let is_retired = state.retired;
            let provisioned = &mut state.provisioned;
            let missing = wanted.saturating_sub(provisioned.ready + provisioned.starting);
            let starting = if is_retired { 0 } else { missing };
            provisioned.starting += starting;
            (ending, starting)
        };
        ending.into_iter().for_each(Member::end);
        (0..starting).map(|_| Start(self.clone())).collect()
    }

    /// Forgets that an environment did not initialise: it is tried anew.
    pub(crate) fn forget_failure(&self) {
        self.lock().provisioned.has_failed = false;
    }

    /// How many provisioned environments are initialised, and whether the last that was started did not initialise.
    pub fn provisioned(&self) -> (u32, bool) {
        let ProvisionedState { ready, has_failed, .. } = self.lock().provisioned;
        (ready, has_failed)
    }

    /// Ends the provisioned environments that have died while they were idle; says whether any is missing.
    pub(crate) fn is_short(&self) -> bool {
        let (dead, mut is_short) = {
            let mut state = self.lock();
            let provisioned = &mut state.provisioned;
            if provisioned.wanted == 0 {
                return false;
            }
            let idle = std::mem::take(&mut provisioned.idle);
            let (alive, dead): (Vec<_>, Vec<_>) = idle.into_iter().partition(|member| member.environment.is_ready());
            provisioned.idle = alive;
            (dead, !state.retired && state.provisioned.ready + state.provisioned.starting < state.provisioned.wanted)
        };
        is_short |= !dead.is_empty();
        dead.into_iter().for_each(Member::end);
        is_short
    }

    /// Ends what is idle, and what comes back from now on.
    pub fn retire(&self) {
        let idle = {
            let mut state = self.lock();
            state.retired = true;
            state.waiting.clear();
            let provisioned = std::mem::take(&mut state.provisioned.idle);
            (std::mem::take(&mut state.idle), provisioned)
        };
        idle.0.into_iter().chain(idle.1).for_each(Member::end);
    }

    /// Takes out what has been idle since before `moment`.
    pub(crate) fn take_older_than(&self, moment: Duration) -> Vec<Member> {
        let mut state = self.lock();
        let old = state.idle.iter().take_while(|member| member.idle_since < moment).count();
        state.idle.drain(..old).collect()
    }

    /// Since when its longest idle environment has been idle.
    pub(crate) fn longest_idle_since(&self) -> Option<Duration> {
        self.lock().idle.first().map(|member| member.idle_since)
    }

    /// Takes out its longest idle environment.
    pub(crate) fn take_longest_idle(&self) -> Option<Member> {
        let mut state = self.lock();
        (!state.idle.is_empty()).then(|| state.idle.remove(0))
    }
}

impl PoolState {
    /// The last used, of the provisioned ones first (recorded: `test_lambda_provisioned_concurrency_scheduling`).
    fn pop(&mut self) -> Option<Member> {
        self.provisioned.idle.pop().or_else(|| self.idle.pop())
    }

    /// Whether a provisioned environment is kept no longer: it broke, so that another takes its place, or there are
    /// more than wanted.
    fn is_spent(&self, member: &Member) -> bool {
        let ProvisionedState { wanted, ready, .. } = self.provisioned;
        member.provisioned.is_some() && (member.readiness != Some(Readiness::Ready) || ready > wanted)
    }

    /// Where the pool is retired the wait never ends: what comes back is ended instead.
    fn wait(&mut self) -> Back {
        let (tell, told) = oneshot::channel();
        self.waiting.push_back(tell);
        told
    }
}

/// One of the environments that this machine bears; given back on drop.
#[derive(Debug)]
pub(crate) struct Slot(Arc<Slots>);

/// How many environments there are on this machine.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    taken: AtomicUsize,
    /// Wakes whoever waits for one.
    pub(crate) freed: Notify,
}

impl Slots {
    /// Takes one if there are fewer than `max`.
    pub(crate) fn take(self: &Arc<Self>, max: usize) -> Option<Slot> {
        let fits = |taken: usize| (taken < max).then_some(taken + 1);
        let taken = self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits);
        taken.ok().map(|_| Slot(self.clone()))
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_waiters();
    }
}
