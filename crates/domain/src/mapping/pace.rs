//! How many batches of one mapping run at a time: a few at first, more while there are messages, fewer while the
//! function fails or is throttled (AWS developer guide, services-sqs-scaling and services-sqs-errorhandling).

use std::time::Duration;

use crate::limits::{MAPPING_CONCURRENCY, MAPPING_CONCURRENCY_MAX, MAPPING_CONCURRENCY_PER_MINUTE};

/// How often it grows.
pub const GROWTH_PAUSE: Duration = Duration::from_secs(1);
/// What a function that fails is left with. AWS says "gradually"; the figures are ours.
const FAILING_MIN: u32 = 2;
/// How long a throttled mapping waits at first and at most. AWS publishes no figures.
const HOLD: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// See the module. Times are on the elapsed clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    most: u32,
    allowed: u32,
    running: u32,
    /// How often in a row it was throttled.
    throttles: u32,
    held_until: Duration,
}

/// Whether a batch may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// So many may.
    For(u32),
    /// None before then.
    HeldUntil(Duration),
    /// None before another ends, or before it grows.
    Full,
}

impl Pace {
    /// Nothing runs yet; `most` is `MaximumConcurrency`.
    pub fn new(most: Option<u32>) -> Self {
        let most = most.unwrap_or(MAPPING_CONCURRENCY_MAX);
        Self { most, allowed: MAPPING_CONCURRENCY.min(most), running: 0, throttles: 0, held_until: Duration::ZERO }
    }

    /// Another `MaximumConcurrency`.
    pub fn limit(&mut self, most: Option<u32>) {
        self.most = most.unwrap_or(MAPPING_CONCURRENCY_MAX);
        self.allowed = self.allowed.min(self.most);
    }

    /// Whether a batch may begin now.
    pub fn room(&self, now: Duration) -> Room {
        if now < self.held_until {
            Room::HeldUntil(self.held_until)
        } else if self.running < self.allowed {
            Room::For(self.allowed - self.running)
        } else {
            Room::Full
        }
    }

    /// A batch began.
    pub fn began(&mut self) {
        self.running += 1;
    }

    /// One that began is over.
    pub fn ended(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// How many run.
    pub fn running(&self) -> u32 {
        self.running
    }

    /// The queue was empty.
    pub fn rested(&mut self) {
        self.allowed = self.allowed.min(MAPPING_CONCURRENCY);
    }

    /// All that may run have run for [`GROWTH_PAUSE`].
    pub fn grow(&mut self) {
        self.allowed = (self.allowed + MAPPING_CONCURRENCY_PER_MINUTE / 60).min(self.most);
    }

    /// The function has done its work.
    pub fn succeeded(&mut self) {
        self.throttles = 0;
        // What a failing or throttled function was taken comes back by and by.
        self.allowed = (self.allowed + 1).min(MAPPING_CONCURRENCY.min(self.most)).max(self.allowed);
    }

    /// The function has failed.
    pub fn failed(&mut self) {
        self.throttles = 0;
        self.allowed = (self.allowed / 2).max(FAILING_MIN.min(self.allowed));
    }

    /// There was no room for the function. Tells when it may be tried again; throttled together means throttled once.
    pub fn throttled(&mut self, now: Duration) -> Duration {
        if now >= self.held_until {
            self.allowed = (self.allowed / 2).max(1);
            self.held_until = now + (HOLD.0 * 2_u32.saturating_pow(self.throttles.min(10))).min(HOLD.1);
            self.throttles += 1;
        }
        self.held_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Duration = Duration::from_secs(100);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn allowed(pace: &Pace) -> u32 {
        match pace.room(START + seconds(1_000)) {
            Room::For(free) => free + pace.running(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn five_at_first_three_hundred_more_in_a_minute_and_a_thousand_at_most() {
        let mut pace = Pace::new(None);
        assert_eq!(allowed(&pace), 5);
        for _ in 0..60 {
            pace.grow();
        }
        assert_eq!(allowed(&pace), 305);
        for _ in 0..600 {
            pace.grow();
        }
        assert_eq!(allowed(&pace), 1_000);
        pace.rested();
        assert_eq!(allowed(&pace), 5);
    }

    #[test]
    fn the_maximum_holds_whatever_happens() {
        let mut pace = Pace::new(Some(2));
        assert_eq!(allowed(&pace), 2);
        pace.grow();
        pace.succeeded();
        assert_eq!(allowed(&pace), 2);
        pace.limit(Some(20));
        pace.grow();
        pace.limit(Some(3));
        assert_eq!(allowed(&pace), 3);
    }

    #[test]
    fn a_function_that_fails_gets_less_until_it_does_its_work() {
        let mut pace = Pace::new(None);
        pace.grow();
        pace.failed();
        assert_eq!(allowed(&pace), 5);
        pace.failed();
        pace.failed();
        assert_eq!(allowed(&pace), 2);
        for _ in 0..10 {
            pace.succeeded();
        }
        assert_eq!(allowed(&pace), 5);
    }

    #[test]
    fn a_throttled_function_is_left_in_peace_for_longer_and_longer() {
        let mut pace = Pace::new(None);
        let mut now = START;
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            let until = pace.throttled(now);
            assert_eq!(until, now + seconds(wait));
            assert_eq!(pace.throttled(now), until, "together with the one before");
            assert_eq!(pace.room(now), Room::HeldUntil(until));
            now = until;
            assert_eq!(pace.room(now), Room::For(if wait == 1 { 2 } else { 1 }));
        }
        pace.succeeded();
        assert_eq!(pace.throttled(now), now + seconds(1));
    }

    proptest! {
        #[test]
        fn there_is_always_a_way_on(steps in prop::collection::vec(0_u8..7, 0..200), most in prop::option::of(2_u32..1_001)) {
            let (mut pace, mut now) = (Pace::new(most), START);
            for step in steps {
                match step {
                    0 => pace.grow(),
                    1 => pace.rested(),
                    2 => pace.failed(),
                    3 => drop(pace.throttled(now)),
                    4 => pace.succeeded(),
                    5 => now += seconds(1),
                    _ => match pace.room(now) {
                        Room::For(free) => {
                            prop_assert!(free > 0);
                            pace.began();
                        }
                        Room::HeldUntil(at) => prop_assert!(at > now && at <= now + seconds(60)),
                        Room::Full => pace.ended(),
                    },
                }
                prop_assert!(pace.running() <= most.unwrap_or(1_000));
            }
            while pace.running() > 0 {
                pace.ended();
            }
            let is_free = matches!(pace.room(now + seconds(60)), Room::For(_));
            prop_assert!(is_free);
        }
    }
}
