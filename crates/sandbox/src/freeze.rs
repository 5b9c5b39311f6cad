//! Between two invocations an environment stands still (AWS developer guide, lambda-runtime-environment, "Lambda
//! freezes the execution environment").
//!
//! Calls that follow one another pay nothing for it: only what has been idle for a while is stopped, and one timer
//! serves all environments; where all stand still or are at work there is none. Never here: how a process is stopped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::ports::Clock;
use engine::tasks;

use crate::cgroups::Cgroup;
use crate::launcher::client::{Init, Said};
use crate::launcher::protocol::Deed;

/// How often idle environments are looked at; one that is still idle at the second look is stopped, so after one to two
/// of these. A busy thread of a function gets at most 100 ms between two invocations, whatever the timer costs.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Stops what is idle.
pub(crate) struct Freezer {
    clock: Arc<dyn Clock>,
    watched: Mutex<Watched>,
}

#[derive(Default)]
struct Watched {
    all: Vec<Arc<Rest>>,
    /// Somebody looks at them.
    is_looked_at: bool,
}

/// Whether the processes of one environment are at work.
#[derive(Debug)]
pub(crate) struct Rest {
    init: Arc<Init>,
    /// Where it can be frozen without its noticing.
    group: Option<Arc<Cgroup>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    /// How often it was idle.
    times: u64,
    /// Which of these times was seen at the last look.
    seen: u64,
    is_watched: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Busy,
    Idle,
    Frozen,
}

impl Freezer {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, watched: Mutex::default() })
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(self: &Arc<Self>, rest: Arc<Rest>) {
        let mut watched = self.watched();
        watched.all.push(rest);
        if !std::mem::replace(&mut watched.is_looked_at, true) {
            tasks::spawn("freezing idle environments", self.clone().look()).detach();
        }
    }

    async fn look(self: Arc<Self>) {
        loop {
            self.clock.wake_at(self.clock.elapsed() + LOOK_EVERY).await;
            let mut watched = self.watched();
            watched.all.retain(|rest| rest.is_still_watched());
            if watched.all.is_empty() {
                watched.is_looked_at = false;
                return;
            }
        }
    }
}

impl Rest {
    /// Processes that are at work.
    pub(crate) fn new(init: Arc<Init>, group: Option<Arc<Cgroup>>) -> Arc<Self> {
        let state = State { mode: Mode::Busy, times: 0, seen: 0, is_watched: false };
        Arc::new(Self { init, group: group.filter(|group| group.can_freeze()), state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is nothing to do for now.
    pub(crate) fn idle(self: &Arc<Self>, freezer: &Arc<Freezer>) {
        let mut state = self.state();
        if state.mode != Mode::Busy {
            return;
        }
        state.mode = Mode::Idle;
        state.times += 1;
        if !std::mem::replace(&mut state.is_watched, true) {
            drop(state);
            freezer.watch(self.clone());
        }
    }

    /// There is something to do. What the processes are sent before they run again is there when they do.
    pub(crate) async fn busy(&self) {
        let was = std::mem::replace(&mut self.state().mode, Mode::Busy);
        match &self.group {
            _ if was != Mode::Frozen => {}
            // That fails only where the group is gone, and with it whoever could go on.
            Some(group) => drop(group.thaw()),
            // Its orders come one after another, so this one after that to freeze.
            None => self.init.quietly(Deed::Thaw).await,
        }
    }

    fn freeze(&self) -> Said {
        match &self.group {
            None => self.init.quietly_now(Deed::Freeze),
            Some(group) if group.freeze().is_ok() => Said::Now,
            Some(_) => Said::ToNobody,
        }
    }

    /// Stops it at the second look at the same time of idleness.
    fn is_still_watched(&self) -> bool {
        let mut state = self.state();
        let is_same = state.seen == state.times;
        state.seen = state.times;
        match state.mode {
            Mode::Idle if !is_same => {}
            Mode::Idle => match self.freeze() {
                Said::Now => {
                    state.mode = Mode::Frozen;
                    state.is_watched = false;
                }
                // Another time.
                Said::NotYet => {}
                // It ended while it was idle: nobody needs to look at it, and nothing may keep its descriptors.
                Said::ToNobody => state.is_watched = false,
            },
            Mode::Busy | Mode::Frozen => state.is_watched = false,
        }
        state.is_watched
    }
}
