//! The live counters of concurrency. Each running invocation holds a lease that gives itself back on drop.
//!
//! Never here: the rule of who is admitted; that is [`domain::concurrency::admit`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use domain::Refusal;
use domain::concurrency::{Counts, Limits, admit};

/// Hands out leases.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    running: Arc<AtomicU32>,
}

/// One held unit of concurrency, from acceptance until the runtime asked for its next event.
#[derive(Debug)]
pub struct Lease {
    running: Arc<AtomicU32>,
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
        let mut account = self.running.load(Ordering::Relaxed);
        loop {
            admit(self.limits, Counts { account })?;
            match self.running.compare_exchange_weak(account, account + 1, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Ok(Lease { running: self.running.clone() }),
                Err(now) => account = now,
            }
        }
    }

    /// How many leases are out.
    pub fn running(&self) -> u32 {
        self.running.load(Ordering::Acquire)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.running.fetch_sub(1, Ordering::AcqRel);
    }
}
