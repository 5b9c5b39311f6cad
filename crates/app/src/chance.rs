//! The real clock and the real dice. The only place that asks the system for time or chance.
#![expect(clippy::disallowed_methods, reason = "everybody else gets these handed in")]

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

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn wake_at(&self, at: Duration) -> Wait<'static, ()> {
        Box::pin(tokio::time::sleep_until((self.start + at).into()))
    }
}

/// The system's random numbers.
#[derive(Debug)]
pub(crate) struct SystemDice;

impl Dice for SystemDice {
    fn uuid(&self) -> Uuid {
        Uuid::new_v4()
    }

    fn bits(&self) -> u64 {
        let (bits, _) = Uuid::new_v4().as_u64_pair();
        let (_, more) = Uuid::new_v4().as_u64_pair();
        // The two halves each have fixed bits, at different places.
        bits ^ more.rotate_left(32)
    }
}
