//! The live counters of concurrency. Each running invocation holds a lease that gives itself back on drop.
//!
//! Never here: the rule of who is admitted; that is [`domain::concurrency::admit`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use domain::Refusal;
use domain::concurrency::{Counts, Limits, admit};
use tokio::sync::Notify;

/// Hands out leases.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    running: Arc<Running>,
}

#[derive(Debug, Default)]
struct Running {
    count: AtomicU32,
    /// Woken when the last lease came back.
    none: Notify,
}

/// One held unit of concurrency, from acceptance until the runtime asked for its next event.
#[derive(Debug)]
pub struct Lease {
    running: Arc<Running>,
}

impl Admission {
    /// Counters at zero.
    pub fn new(limits: Limits) -> Self {
        Self { limits, running: Arc::default() }
    }

    /// Takes one unit.
    ///
    /// # Errors
    /// The limit is reached.
    pub fn lease(&self) -> Result<Lease, Refusal> {
        let count = &self.running.count;
        let mut account = count.load(Ordering::Relaxed);
        loop {
            admit(self.limits, Counts { account })?;
            match count.compare_exchange_weak(account, account + 1, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Ok(Lease { running: self.running.clone() }),
                Err(now) => account = now,
            }
        }
    }

    /// What is judged by.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// How many leases are out.
    pub fn running(&self) -> u32 {
        self.running.count.load(Ordering::Acquire)
    }

    /// Waits until no lease is out.
    pub async fn drained(&self) {
        loop {
            let none = self.running.none.notified();
            if self.running() == 0 {
                return;
            }
            none.await;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.running.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.running.none.notify_waiters();
        }
    }
}
