//! The live counters of concurrency. Each running invocation holds a lease that gives itself back on drop.
//!
//! Never here: the rule of who is admitted; that is [`domain::concurrency::admit`].

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::concurrency::{self, Counts, Limits, Rate, Rates, Shares, Unit, admit};
use domain::error::ThrottleReason;
use domain::names::Version;
use tokio::sync::Notify;

use crate::catalog::Entry;
use crate::ports::Clock;

/// How long a call that would be refused waits for an invocation whose answer is out already to come to its end. A
/// caller who has read the answer may well call again before the runtime has asked for its next event; that time is
/// the caller's on AWS as well, but no client there is so near.
const SETTLING_WAIT: Duration = Duration::from_secs(1);

/// Hands out leases, and knows the account's figures.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    set_aside: AtomicU32,
    account: Mutex<Account>,
    /// Woken when a lease comes back that somebody waits for, and when the last one does.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Account {
    running: u32,
    unreserved: u32,
    answered: Answered,
}

/// The counters of one function. They go from each of its states to the next.
#[derive(Debug, Default)]
pub struct Gauge {
    function: Mutex<Function>,
}

#[derive(Debug, Default)]
struct Function {
    running: u32,
    on_demand: u32,
    answered: Answered,
    rate: Rate,
    /// The versions that run or have run within their provisioned concurrency.
    provisioned: Vec<Provisioned>,
}

#[derive(Debug)]
struct Provisioned {
    version: Version,
    running: u32,
    rate: Rate,
}

/// Invocations whose answers are out, and calls that wait for their ends: never more than there are such invocations.
#[derive(Debug, Default)]
struct Answered {
    settling: u32,
    waiting: u32,
}

/// One held unit of concurrency, from acceptance until the runtime asked for its next event.
#[derive(Debug)]
pub struct Lease {
    admission: Arc<Admission>,
    gauge: Arc<Gauge>,
    version: Version,
    unit: Unit,
    is_answered: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether an invocation counts for how fast they may begin (AWS developer guide, gettingstarted-limits: "asynchronous …
/// unlimited").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It does.
    Limited,
    /// It does not.
    Free,
}

impl Admission {
    /// Counters at zero.
    pub fn new(limits: Limits) -> Self {
        Self { limits, set_aside: AtomicU32::new(0), account: Mutex::default(), freed: Notify::new() }
    }

    /// What the account may use.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// How much of it only certain functions may use.
    pub fn set_aside(&self) -> u32 {
        self.set_aside.load(Ordering::Acquire)
    }

    /// A function with one share has another now.
    pub(crate) fn change_share(&self, before: u32, now: u32) {
        if now >= before {
            self.set_aside.fetch_add(now - before, Ordering::AcqRel);
        } else {
            self.set_aside.fetch_sub(before - now, Ordering::AcqRel);
        }
    }

    /// Takes one unit for an invocation of a version, where there is one or will be at once.
    ///
    /// # Errors
    /// A limit is reached.
    pub async fn lease(
        self: &Arc<Self>,
        entry: &Entry,
        version: Version,
        pace: Pace,
        clock: &dyn Clock,
    ) -> Result<Lease, ThrottleReason> {
        let refused = match self.try_lease(entry, version, pace, clock.elapsed()) {
            Ok(lease) => return Ok(lease),
            Err(reason) => reason,
        };
        let Some(_waiting) = self.wait_for_settling(&entry.gauge, refused) else { return Err(refused) };
        let until = clock.elapsed() + SETTLING_WAIT;
        let mut timer = clock.wake_at(until);
        loop {
            // Made first: what comes back from here on wakes the wait below.
            let freed = self.freed.notified();
            match self.try_lease(entry, version, pace, clock.elapsed()) {
                Ok(lease) => return Ok(lease),
                // What is too fast does not become slower by an end.
                Err(reason) if reason != refused || clock.elapsed() >= until => return Err(reason),
                Err(_) => {}
            }
            tokio::select! {
                () = freed => {}
                () = &mut timer => {}
            }
        }
    }

    fn try_lease(
        self: &Arc<Self>,
        entry: &Entry,
        version: Version,
        pace: Pace,
        now: Duration,
    ) -> Result<Lease, ThrottleReason> {
        let settings = &entry.settings;
        let (provisioned, provisioned_here) = if settings.provisioned.is_empty() {
            (0, 0)
        } else {
            let here = concurrency::provisioned_for(settings, &entry.aliases, version);
            (concurrency::provisioned(settings), here)
        };
        let shares = Shares { set_aside: self.set_aside(), reserved: settings.reserved, provisioned, provisioned_here };
        // Always in this order.
        let mut function = lock(&entry.gauge.function);
        let mut account = lock(&self.account);
        let Function { running, on_demand, rate, provisioned, .. } = &mut *function;
        let at = (provisioned_here > 0).then(|| place_of(provisioned, version, now));
        let (mut none, mut free) = <(Rate, Rate)>::default();
        let (running_here, rate_here) = match at.map(|at| &mut provisioned[at]) {
            Some(here) => (here.running, &mut here.rate),
            None => (0, &mut none),
        };
        let counts = Counts {
            account: account.running,
            unreserved: account.unreserved,
            function: *running,
            on_demand: *on_demand,
            provisioned_here: running_here,
        };
        let rates = match pace {
            Pace::Limited => Rates { on_demand: rate, provisioned_here: rate_here },
            Pace::Free => Rates { on_demand: &mut free, provisioned_here: &mut none },
        };
        let unit = admit(self.limits, &shares, &counts, now, rates)?;
        *running += 1;
        account.running += 1;
        match (unit, at) {
            (Unit::Provisioned, Some(at)) => provisioned[at].running += 1,
            (Unit::Provisioned, None) => {}
            (Unit::Reserved, _) => *on_demand += 1,
            (Unit::Unreserved, _) => {
                *on_demand += 1;
                account.unreserved += 1;
            }
        }
        let gauge = entry.gauge.clone();
        Ok(Lease { admission: self.clone(), gauge, version, unit, is_answered: AtomicBool::new(false) })
    }

    /// Waits on behalf of one invocation that is about to end; none where nothing is, or others wait already.
    fn wait_for_settling<'a>(&'a self, gauge: &'a Gauge, refused: ThrottleReason) -> Option<Waiting<'a>> {
        let of = match refused {
            ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded => Some(gauge),
            ThrottleReason::ConcurrentInvocationLimitExceeded => None,
            ThrottleReason::FunctionInvocationRateLimitExceeded
            | ThrottleReason::ReservedFunctionInvocationRateLimitExceeded => return None,
        };
        let take_place = |answered: &mut Answered| {
            let has_place = answered.settling > answered.waiting;
            answered.waiting += u32::from(has_place);
            has_place
        };
        let has_place = match of {
            Some(gauge) => take_place(&mut lock(&gauge.function).answered),
            None => take_place(&mut lock(&self.account).answered),
        };
        has_place.then(|| Waiting { admission: self, of })
    }

    /// How many leases are out.
    pub fn running(&self) -> u32 {
        lock(&self.account).running
    }

    /// Waits until no lease is out.
    pub async fn drained(&self) {
        loop {
            let freed = self.freed.notified();
            if self.running() == 0 {
                return;
            }
            freed.await;
        }
    }
}

/// Where the counters of a version are; made where there are none yet.
fn place_of(provisioned: &mut Vec<Provisioned>, version: Version, now: Duration) -> usize {
    if let Some(at) = provisioned.iter().position(|one| one.version == version) {
        return at;
    }
    // Those that are gone are not kept for ever.
    provisioned.retain(|one| one.running > 0 || !one.rate.is_rested(now));
    provisioned.push(Provisioned { version, running: 0, rate: Rate::default() });
    provisioned.len() - 1
}

/// A call that waits for the end of an invocation of a function, or of any.
struct Waiting<'a> {
    admission: &'a Admission,
    of: Option<&'a Gauge>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        match self.of {
            Some(gauge) => lock(&gauge.function).answered.waiting -= 1,
            None => lock(&self.admission.account).answered.waiting -= 1,
        }
    }
}

impl Lease {
    /// Says that the answer is there: soon the lease comes back.
    pub fn answered(&self) {
        if !self.is_answered.swap(true, Ordering::Relaxed) {
            lock(&self.gauge.function).answered.settling += 1;
            lock(&self.admission.account).answered.settling += 1;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let has_to_tell = {
            let mut function = lock(&self.gauge.function);
            let mut account = lock(&self.admission.account);
            function.running -= 1;
            account.running -= 1;
            match self.unit {
                Unit::Provisioned => {
                    let here = function.provisioned.iter_mut().find(|one| one.version == self.version);
                    // What runs is never forgotten.
                    if let Some(here) = here {
                        here.running -= 1;
                    }
                }
                Unit::Reserved => function.on_demand -= 1,
                Unit::Unreserved => {
                    function.on_demand -= 1;
                    account.unreserved -= 1;
                }
            }
            if *self.is_answered.get_mut() {
                function.answered.settling -= 1;
                account.answered.settling -= 1;
            }
            function.answered.waiting + account.answered.waiting > 0 || account.running == 0
        };
        if has_to_tell {
            self.admission.freed.notify_waiters();
        }
    }
}
