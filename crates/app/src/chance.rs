//! The real clock and the real dice. The only place that asks the system for time or chance.
#![expect(clippy::disallowed_methods, reason = "everybody else gets these handed in")]

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use engine::ports::{Clock, Dice, Wait};
use jiff::Timestamp;
use uuid::Uuid;

/// The system's clocks.
#[derive(Debug)]
pub(crate) struct SystemClock {
    start: Instant,
}

impl SystemClock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn system_now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn wake_at(&self, at: Duration) -> Wait<'static, ()> {
        Box::pin(tokio::time::sleep_until((self.start + at).into()))
    }
}

/// The system's random numbers, fetched some hundred bytes at a time: an invocation needs several.
#[derive(Debug, Default)]
pub(crate) struct SystemDice(Mutex<Pool>);

#[derive(Debug)]
struct Pool {
    bytes: [u8; 512],
    used: usize,
}

impl Default for Pool {
    fn default() -> Self {
        Self { bytes: [0; 512], used: 512 }
    }
}

impl SystemDice {
    fn take<const N: usize>(&self) -> [u8; N] {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.bytes.len() - pool.used < N {
            fill(&mut pool.bytes);
            pool.used = 0;
        }
        let from = pool.used;
        pool.used += N;
        let mut taken = [0; N];
        taken.copy_from_slice(&pool.bytes[from..from + N]);
        taken
    }
}

/// Waits where the kernel has no randomness yet, which is in the first moments of a machine's life.
fn fill(bytes: &mut [u8]) {
    let mut filled = 0;
    while filled < bytes.len() {
        match rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
            Ok(more) => filled += more,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("this machine gives no random numbers: {error}"),
        }
    }
}

impl Dice for SystemDice {
    fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.take()).into_uuid()
    }

    fn bits(&self) -> u64 {
        u64::from_ne_bytes(self.take())
    }
}
