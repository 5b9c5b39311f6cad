//! A clock that the test moves by hand: sleepers wake when it has been advanced past them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use engine::ports::{Clock, Wait};
use jiff::Timestamp;
use tokio::sync::oneshot;

/// See the module.
#[derive(Debug)]
pub struct HandClock {
    state: Mutex<State>,
    start_at: Timestamp,
}

#[derive(Debug, Default)]
struct State {
    elapsed: Duration,
    sleepers: Vec<(Duration, oneshot::Sender<()>)>,
}

impl Default for HandClock {
    /// The calendar begins on 2024-04-23, a day of many of AWS's recordings.
    fn default() -> Self {
        let start_at = Timestamp::from_second(1_713_866_400).unwrap_or(Timestamp::UNIX_EPOCH);
        Self { state: Mutex::default(), start_at }
    }
}

impl HandClock {
    /// Moves calendar and elapsed time on, and wakes whoever waited for it.
    pub fn advance(&self, by: Duration) {
        let due: Vec<oneshot::Sender<()>> = {
            let mut state = self.lock();
            state.elapsed += by;
            let now = state.elapsed;
            let (due, later) = std::mem::take(&mut state.sleepers).into_iter().partition(|(at, _)| *at <= now);
            state.sleepers = later;
            due.into_iter().map(|(_, wake)| wake).collect()
        };
        for wake in due {
            // A sleeper that is gone needs no waking.
            let _ = wake.send(());
        }
    }

    /// How many wait.
    pub fn sleepers(&self) -> usize {
        let mut state = self.lock();
        state.sleepers.retain(|(_, wake)| !wake.is_closed());
        state.sleepers.len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        self.start_at + self.lock().elapsed
    }

    fn system_now(&self) -> Timestamp {
        self.now()
    }

    fn elapsed(&self) -> Duration {
        self.lock().elapsed
    }

    fn wake_at(&self, at: Duration) -> Wait<'static, ()> {
        let (wake, woken) = oneshot::channel();
        let mut state = self.lock();
        if at <= state.elapsed {
            return Box::pin(std::future::ready(()));
        }
        state.sleepers.push((at, wake));
        Box::pin(async move {
            // The clock is gone with the test; then nobody wakes any more.
            if woken.await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }

    fn wake_on(&self, at: Timestamp) -> Wait<'static, ()> {
        self.wake_at(Duration::try_from(at.duration_since(self.start_at)).unwrap_or_default())
    }
}
