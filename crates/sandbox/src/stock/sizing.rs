//! How many environments of a kind are to wait: a rule over what was taken lately and how much memory is left.
//!
//! Never here: environments.

use std::time::Duration;

/// What was taken counts by half after this time.
const HALF_LIFE: Duration = Duration::from_mins(1);
/// A kind that nobody took for this long is no longer in use.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(10);
/// Below this share of the machine's memory nothing more is made ahead of use.
const SCARCE: f64 = 0.15;
/// Below this one what waits is given up.
const SHORT: f64 = 0.08;

/// How few and how many of a kind may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub least: usize,
    pub most: usize,
    /// Whether the least wait also when nobody took one for long.
    pub is_lasting: bool,
}

/// How often a kind is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    /// How many were asked for, the longer ago the less.
    weight: f64,
    at: Duration,
}

/// What is to wait of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Where there are fewer, more are made.
    pub fill_to: usize,
    /// Where there are more, some are given up.
    pub keep: usize,
}

impl Demand {
    /// One that is in use from now on.
    pub(crate) fn new(now: Duration) -> Self {
        Self { weight: 0.0, at: now }
    }

    /// One was asked for, whether there was one or not.
    pub(crate) fn asked(&mut self, now: Duration) {
        self.weight = self.weight_at(now) + 1.0;
        self.at = self.at.max(now);
    }

    /// It is in use, though nobody asks yet.
    pub(crate) fn expect(&mut self, now: Duration) {
        self.weight = self.weight_at(now);
        self.at = self.at.max(now);
    }

    fn weight_at(&self, now: Duration) -> f64 {
        let half_lives = now.saturating_sub(self.at).as_secs_f64() / HALF_LIFE.as_secs_f64();
        self.weight * (-half_lives).exp2()
    }

    /// Whether nobody asked for so long that it is no longer in use.
    pub(crate) fn is_forgotten(&self, now: Duration) -> bool {
        now.saturating_sub(self.at) > FORGOTTEN_AFTER
    }

    /// How many are to wait: as many as were asked for lately, within bounds. `memory` is the share that is available.
    pub(crate) fn size(&self, bounds: Bounds, now: Duration, memory: f64) -> Size {
        if memory < SHORT || (!bounds.is_lasting && self.is_forgotten(now)) {
            return Size { fill_to: 0, keep: 0 };
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and not negative")]
        let lately = self.weight_at(now).round() as usize;
        let wanted = lately.clamp(bounds.least, bounds.most);
        Size { fill_to: if memory < SCARCE { 0 } else { wanted }, keep: wanted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEMS: Bounds = Bounds { least: 2, most: 8, is_lasting: false };
    const BLANKS: Bounds = Bounds { least: 4, most: 16, is_lasting: true };
    const PLENTY: f64 = 0.5;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn asked(times: usize, now: Duration) -> Demand {
        let mut demand = Demand::new(now);
        (0..times).for_each(|_| demand.asked(now));
        demand
    }

    #[track_caller]
    fn check(demand: Demand, bounds: Bounds, now: Duration, memory: f64, fill_to: usize, keep: usize) {
        assert_eq!(demand.size(bounds, now, memory), Size { fill_to, keep });
    }

    #[test]
    fn the_least_wait_until_a_kind_is_forgotten() {
        let demand = asked(1, at(100));
        check(demand, STEMS, at(100), PLENTY, 2, 2);
        check(demand, STEMS, at(700), PLENTY, 2, 2);
        check(demand, STEMS, at(701), PLENTY, 0, 0);
        check(asked(0, at(100)), BLANKS, at(100_000), PLENTY, 4, 4);
    }

    #[test]
    fn what_is_expected_counts_as_in_use() {
        let mut demand = Demand::new(at(0));
        demand.expect(at(600));
        check(demand, STEMS, at(1_000), PLENTY, 2, 2);
    }

    #[test]
    fn as_many_wait_as_were_asked_for_lately_but_not_more_than_the_most() {
        check(asked(5, at(10)), STEMS, at(10), PLENTY, 5, 5);
        check(asked(100, at(10)), STEMS, at(10), PLENTY, 8, 8);
        check(asked(100, at(10)), BLANKS, at(10), PLENTY, 16, 16);
    }

    #[test]
    fn a_burst_is_forgotten_by_halves() {
        let demand = asked(8, at(0));
        for (seconds, wanted) in [(0, 8), (60, 4), (120, 2), (600, 2)] {
            check(demand, STEMS, at(seconds), PLENTY, wanted, wanted);
        }
    }

    #[test]
    fn nothing_is_made_when_memory_is_scarce_and_nothing_kept_when_it_is_short() {
        let demand = asked(5, at(0));
        check(demand, STEMS, at(0), 0.15, 5, 5);
        check(demand, STEMS, at(0), 0.149, 0, 5);
        check(demand, STEMS, at(0), 0.079, 0, 0);
        check(demand, BLANKS, at(0), 0.0, 0, 0);
    }

    #[test]
    fn a_clock_that_was_read_earlier_does_no_harm() {
        let mut demand = asked(3, at(100));
        demand.asked(at(99));
        check(demand, STEMS, at(98), PLENTY, 4, 4);
    }
}
