//! Environments that wait ahead of use, so that a start finds one: blanks, which have everything but a function, and
//! stems, in which a runtime has booted too. Each is given out once, for one function, and another is made when no
//! start is under way.
//!
//! Never here: how one is made, and what becomes of it.

pub(crate) mod nursery;
mod sizing;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::runtime::Family;
use engine::ports::{Clock, Wait};
use engine::tasks::{self, Task};
use tokio::sync::Notify;

use crate::stems::StemKind;
use sizing::{Bounds, Demand};

/// After a start nothing is made for this long: whoever started, and those who come with it, go first.
const REST_AFTER_START: Duration = Duration::from_millis(50);
/// How often the sizes are looked at when nothing happens.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How long nothing is made after an attempt has failed.
const REST_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// Kinds of which account is kept; of Node there is one for each size of memory.
const KINDS_MAX: usize = 64;

/// What can wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Blank,
    Stem(StemKind),
}

impl Kind {
    /// An idle blank holds half a megabyte, an idle Python ten, an idle Node forty.
    fn bounds(self) -> Bounds {
        match self {
            Self::Blank => Bounds { least: 4, most: 16, is_lasting: true },
            Self::Stem(kind) if kind.runtime.family() == Family::Node => {
                Bounds { least: 1, most: 4, is_lasting: false }
            }
            Self::Stem(_) => Bounds { least: 2, most: 8, is_lasting: false },
        }
    }
}

/// Makes what waits.
pub(crate) trait Maker: Send + Sync + 'static {
    /// An environment. Dropping it ends it.
    type Made: Send + 'static;
    /// Why there is none.
    type Error: fmt::Display + Send;

    /// Makes one.
    fn make(&self, kind: Kind) -> Wait<'_, Result<Self::Made, Self::Error>>;
    /// Whether it is still there.
    fn is_there(&self, made: &Self::Made) -> bool;
    /// The share of the machine's memory that is available.
    fn memory_available(&self) -> f64;
}

/// How the stock does, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StockCounts {
    /// Blanks that wait.
    pub blanks: u64,
    /// Stems that wait.
    pub stems: u64,
    /// Starts that found a blank.
    pub found_blank: u64,
    /// Starts that found a stem.
    pub found_stem: u64,
    /// Starts that found nothing.
    pub found_nothing: u64,
}

/// See the module.
pub(crate) struct Stock<M: Maker> {
    inner: Arc<Inner<M>>,
    keeping: Task<()>,
}

struct Inner<M: Maker> {
    maker: M,
    clock: Arc<dyn Clock>,
    shelves: Mutex<Shelves<M::Made>>,
    changed: Notify,
    found_blank: AtomicU64,
    found_stem: AtomicU64,
    found_nothing: AtomicU64,
}

struct Shelves<T> {
    by_kind: HashMap<Kind, Shelf<T>>,
    /// Nothing is made before.
    rest_until: Duration,
}

struct Shelf<T> {
    /// The oldest, which has most likely booted, in front.
    waiting: VecDeque<T>,
    demand: Demand,
}

impl<M: Maker> Stock<M> {
    /// Begins to keep blanks.
    pub(crate) fn start(maker: M, clock: Arc<dyn Clock>) -> Self {
        let blanks = Shelf { waiting: VecDeque::new(), demand: Demand::new(clock.elapsed()) };
        let by_kind = HashMap::from([(Kind::Blank, blanks)]);
        let inner = Arc::new(Inner {
            maker,
            clock,
            shelves: Mutex::new(Shelves { by_kind, rest_until: Duration::ZERO }),
            changed: Notify::new(),
            found_blank: AtomicU64::new(0),
            found_stem: AtomicU64::new(0),
            found_nothing: AtomicU64::new(0),
        });
        let keeping = tasks::spawn("keeping environments ahead of use", inner.clone().keep());
        Self { inner, keeping }
    }

    /// There are functions of this kind, though none has been called yet.
    pub(crate) fn expect(&self, kind: StemKind) {
        let now = self.inner.clock.elapsed();
        if let Some(shelf) = self.inner.lock().shelf(Kind::Stem(kind), now) {
            shelf.demand.expect(now);
        }
        self.inner.changed.notify_one();
    }

    /// The best that waits for a start: a stem where one may be used, else a blank.
    pub(crate) fn take(&self, stem: Option<StemKind>) -> Option<M::Made> {
        let inner = &self.inner;
        let now = inner.clock.elapsed();
        let mut shelves = inner.lock();
        shelves.rest_until = now + REST_AFTER_START;
        let kinds = stem.map(Kind::Stem).into_iter().chain([Kind::Blank]);
        let mut found = None;
        for kind in kinds {
            let Some(shelf) = shelves.shelf(kind, now) else { continue };
            shelf.demand.asked(now);
            while let Some(made) = shelf.waiting.pop_front() {
                // One whose process or spawner died meanwhile is let go.
                if inner.maker.is_there(&made) {
                    found = Some((kind, made));
                    break;
                }
            }
            if found.is_some() {
                break;
            }
        }
        drop(shelves);
        let count = match found {
            Some((Kind::Blank, _)) => &inner.found_blank,
            Some((Kind::Stem(_), _)) => &inner.found_stem,
            None => &inner.found_nothing,
        };
        count.fetch_add(1, Ordering::Relaxed);
        inner.changed.notify_one();
        found.map(|(_, made)| made)
    }

    /// How it does.
    pub(crate) fn counts(&self) -> StockCounts {
        let inner = &self.inner;
        let (mut blanks, mut stems) = (0, 0);
        for (kind, shelf) in &inner.lock().by_kind {
            let count = u64::try_from(shelf.waiting.len()).unwrap_or(u64::MAX);
            match kind {
                Kind::Blank => blanks += count,
                Kind::Stem(_) => stems += count,
            }
        }
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        StockCounts {
            blanks,
            stems,
            found_blank: of(&inner.found_blank),
            found_stem: of(&inner.found_stem),
            found_nothing: of(&inner.found_nothing),
        }
    }
}

impl<M: Maker> Drop for Stock<M> {
    fn drop(&mut self) {
        self.keeping.abort();
        // The task may hold the rest for a moment longer; nothing is to wait then.
        self.inner.lock().by_kind.clear();
    }
}

impl<T> Shelves<T> {
    /// The shelf of a kind; `None` where there are too many kinds.
    fn shelf(&mut self, kind: Kind, now: Duration) -> Option<&mut Shelf<T>> {
        if self.by_kind.len() >= KINDS_MAX && !self.by_kind.contains_key(&kind) {
            return None;
        }
        let empty = || Shelf { waiting: VecDeque::new(), demand: Demand::new(now) };
        Some(self.by_kind.entry(kind).or_insert_with(empty))
    }
}

/// What is to be done next.
#[derive(Debug, PartialEq)]
enum Next {
    Make(Kind),
    WaitUntil(Duration),
}

impl<M: Maker> Inner<M> {
    fn lock(&self) -> MutexGuard<'_, Shelves<M::Made>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep(self: Arc<Self>) {
        loop {
            match self.next() {
                Next::Make(kind) => match self.maker.make(kind).await {
                    Ok(made) => {
                        // A kind that was forgotten meanwhile is not wanted any more.
                        if let Some(shelf) = self.lock().by_kind.get_mut(&kind) {
                            shelf.waiting.push_back(made);
                        }
                    }
                    Err(error) => {
                        tracing::debug!(?kind, %error, "nothing could be started ahead of use");
                        self.lock().rest_until = self.clock.elapsed() + REST_AFTER_FAILURE;
                    }
                },
                Next::WaitUntil(until) => tokio::select! {
                    () = self.changed.notified() => {}
                    () = self.clock.wake_at(until) => {}
                },
            }
        }
    }

    /// Gives up what is too much or has died, and says what is missing most.
    fn next(&self) -> Next {
        let now = self.clock.elapsed();
        let memory = self.maker.memory_available();
        let mut given_up = Vec::new();
        let mut shelves = self.lock();
        let mut missing: Option<(usize, Kind)> = None;
        shelves.by_kind.retain(|kind, shelf| {
            let (there, gone) = shelf.waiting.drain(..).partition(|made| self.maker.is_there(made));
            shelf.waiting = there;
            given_up.push(gone);
            let size = shelf.demand.size(kind.bounds(), now, memory);
            given_up.push(shelf.waiting.split_off(size.keep.min(shelf.waiting.len())));
            let lack = size.fill_to.saturating_sub(shelf.waiting.len());
            if lack > 0 && missing.is_none_or(|(most, _)| lack > most) {
                missing = Some((lack, *kind));
            }
            // Under pressure its demand is remembered.
            size.keep > 0 || kind.bounds().is_lasting || !shelf.demand.is_forgotten(now)
        });
        let rest_until = shelves.rest_until;
        drop(shelves);
        // Ending them takes a while, for which nobody has to wait who takes one.
        drop(given_up);
        match missing {
            Some(_) if now < rest_until => Next::WaitUntil(rest_until),
            Some((_, kind)) => Next::Make(kind),
            None => Next::WaitUntil(now + LOOK_AGAIN_AFTER),
        }
    }
}

#[cfg(test)]
mod tests;
