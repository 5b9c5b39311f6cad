//! The environments of one function: idle ones as a stack, those that are about to come back, and who waits for them.
//!
//! The last used is given first, those at the bottom age out. Never here: when to start another one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    _slot: Slot,
}

/// How old a reading of an environment's memory may be. Reading costs about as much as any step of an invocation, and
/// in so short a time a process cannot take much more.
const MEMORY_READING: Duration = Duration::from_millis(10);

impl Member {
    /// A new one, in the room that was taken for it.
    pub(crate) fn new(environment: Arc<dyn Environment>, log: Arc<EnvironmentLog>, slot: Slot) -> Self {
        Self { environment, log, readiness: None, idle_since: Duration::ZERO, memory_used: None, _slot: slot }
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
    pub(crate) fn ending(self) -> Task<()> {
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
        if let Some(member) = state.idle.pop() {
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
        let idle = state.idle.pop();
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

    /// Takes an environment back: the longest waiting call gets it, else it is the top of the stack.
    pub(crate) fn give_back(&self, mut member: Member, now: Duration) {
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
