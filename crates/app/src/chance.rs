//! The real clock and the real dice. The only place that asks the system for time or chance.
#![expect(clippy::disallowed_methods, reason = "everybody else gets these handed in")]

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use engine::ports::{Clock, Dice, Wait};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use uuid::Uuid;

/// How long to wait on the calendar without looking at it: it may be set while one waits.
const CALENDAR_LOOK: Duration = Duration::from_secs(30);

/// The system's clocks. The calendar may be moved forward by hand; the time elapsed never is.
#[derive(Debug)]
pub(crate) struct SystemClock {
    start: Instant,
    /// By how many milliseconds the calendar was moved.
    moved: watch::Sender<i64>,
}

impl SystemClock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), moved: watch::Sender::new(0) }
    }

    /// Moves the calendar forward and wakes whoever waited for it; the new time is the answer, none where the calendar
    /// does not reach so far.
    pub(crate) fn advance(&self, by: Duration) -> Option<Timestamp> {
        let by = i64::try_from(by.as_millis()).ok()?;
        let mut now = None;
        self.moved.send_if_modified(|moved| {
            let Some(sum) = moved.checked_add(by) else { return false };
            now = moved_by(sum);
            if now.is_some() {
                *moved = sum;
            }
            now.is_some()
        });
        now
    }
}

fn moved_by(millis: i64) -> Option<Timestamp> {
    Timestamp::now().checked_add(SignedDuration::from_millis(millis)).ok()
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        match *self.moved.borrow() {
            0 => Timestamp::now(),
            moved => moved_by(moved).unwrap_or(Timestamp::MAX),
        }
    }

    fn wake_on(&self, at: Timestamp) -> Wait<'static, ()> {
        let mut moved = self.moved.subscribe();
        Box::pin(async move {
            loop {
                let now = moved_by(*moved.borrow_and_update()).unwrap_or(Timestamp::MAX);
                let left = Duration::try_from(at.duration_since(now)).unwrap_or_default();
                if left.is_zero() {
                    return;
                }
                tokio::select! {
                    () = tokio::time::sleep(left.min(CALENDAR_LOOK)) => {}
                    // The clock is gone at the very end only.
                    Ok(()) = moved.changed() => {}
                }
            }
        })
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
