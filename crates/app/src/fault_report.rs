//! Says in the log, again and again, that events are made to fail on purpose: nobody is to look for what is meant to be.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use domain::fault::{self, Faults};
use engine::catalog::Catalog;
use engine::ports::Clock;

/// How often it is said.
const PAUSE: Duration = Duration::from_mins(1);
/// How often it is looked whether something has changed, which is said at once.
const LOOK: Duration = Duration::from_secs(1);
/// Functions that are named; of more it is told how many.
const NAMED_MAX: usize = 5;

/// See the module.
pub(crate) struct FaultReport {
    /// For all functions.
    faults: Faults,
    catalog: Arc<Catalog>,
    /// What was said last, and when.
    told: Option<(String, Duration)>,
}

impl FaultReport {
    /// Nothing is said yet.
    pub(crate) fn new(faults: Faults, catalog: Arc<Catalog>) -> Self {
        Self { faults, catalog, told: None }
    }

    /// Says it as long as the engine runs.
    pub(crate) async fn go_on(mut self, clock: Arc<dyn Clock>) {
        loop {
            clock.wake_at(clock.elapsed() + LOOK).await;
            self.tell(clock.elapsed());
        }
    }

    /// Says it if it is time.
    pub(crate) fn tell(&mut self, elapsed: Duration) {
        let text = self.text();
        match &self.told {
            Some((before, at)) if *before == text && elapsed < *at + PAUSE => return,
            None if text.is_empty() => return,
            _ => {}
        }
        if text.is_empty() {
            tracing::warn!("faults on purpose are off again");
            self.told = None;
        } else {
            tracing::warn!("faults on purpose are on: {text}");
            self.told = Some((text, elapsed));
        }
    }

    /// Which are on, and where; nothing where none are.
    fn text(&self) -> String {
        let functions = self.catalog.all();
        let tagged = functions.iter().filter_map(|(name, entry)| {
            let faults = fault::of_tags(&entry.settings.tags)?.ok().filter(|faults| !faults.are_none())?;
            Some((name, faults))
        });
        let mut text = String::new();
        if !self.faults.are_none() {
            write!(text, "{} for all functions (--fault)", self.faults).expect("a String takes everything");
        }
        let mut more = 0;
        for (index, (name, faults)) in tagged.enumerate() {
            if index >= NAMED_MAX {
                more += 1;
                continue;
            }
            let before = if text.is_empty() { "" } else { "; " };
            write!(text, "{before}{faults} for {name} (its tag {})", fault::TAG).expect("a String takes everything");
        }
        if more > 0 {
            write!(text, "; and {more} more functions by their tags").expect("a String takes everything");
        }
        text
    }
}
