//! A queued event: its attempts and its age, and what becomes of it after each try.
//!
//! Source, where nothing else is said: AWS developer guide, invocation-async-error-handling. Never here: sleeping,
//! storing and sending.

use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use crate::destination::{Condition, Response};
use crate::limits;
use crate::names::{FunctionName, Qualifier, RequestId};
use crate::settings::EventInvokeConfig;

/// An event that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The id that its answer carried; every attempt has it.
    pub request_id: RequestId,
    /// For which function.
    pub function: FunctionName,
    /// As it was asked for. Alias and version are looked up when the event runs.
    pub qualifier: Option<Qualifier>,
    /// What the function gets, byte for byte.
    pub payload: Bytes,
    /// The trace header, as it came.
    pub trace: Option<String>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// How far it is.
    pub progress: Progress,
}

/// How far an event is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// How often it ran.
    pub attempts: u32,
    /// From when its age counts: its acceptance, or the last time that it was redriven.
    pub aged_from: Timestamp,
    /// Each attempt that failed, since then.
    pub history: Vec<Attempt>,
    /// What came of the last attempt, where that failed.
    pub response: Option<Response>,
    /// Counts what was written of it: who knows only an earlier round has nothing to say any more.
    pub round: u32,
}

impl Progress {
    /// Of an event that has just been accepted, or redriven.
    pub fn new(aged_from: Timestamp) -> Self {
        Self { attempts: 0, aged_from, history: Vec::new(), response: None, round: 0 }
    }
}

/// One attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its number, from 1.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// The type of its error.
    pub error_type: String,
    /// The message of its error, its first 1 KB.
    pub error_message: String,
}

/// What state an event is in, as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// It has not run yet.
    Queued,
    /// It runs.
    Running,
    /// It failed and will run again.
    Retrying,
    /// It succeeded, and its record has not arrived yet.
    Delivering,
    /// It will not run again unless somebody says so.
    Dead,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Retrying, Self::Delivering, Self::Dead];

    /// As it is spelled everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Delivering => "delivering",
            Self::Dead => "dead",
        }
    }
}

impl FromStr for State {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == text);
        known.ok_or_else(|| {
            let all = Self::ALL.map(Self::as_str).join(", ");
            format!("{text:?} is no state of an event; there are {all}")
        })
    }
}

/// How long and how often an event is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Further attempts after the first.
    pub retries_max: u32,
    /// How old it may become.
    pub age_max: Duration,
    /// The wait after the first failed attempt; after the second it is twice that.
    pub retry_base: Duration,
}

impl Terms {
    /// What a function's configuration says, and AWS's defaults where it says nothing.
    pub fn of(config: Option<&EventInvokeConfig>, retry_base: Duration) -> Self {
        let age_seconds_max = config.and_then(|config| config.age_seconds_max).unwrap_or(limits::EVENT_AGE_SECONDS_MAX);
        Self {
            retries_max: config.and_then(|config| config.retries_max).unwrap_or(limits::EVENT_RETRIES),
            age_max: Duration::from_secs(age_seconds_max.into()),
            retry_base,
        }
    }
}

/// What came of one try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// The function answered.
    Answered,
    /// The function failed: an error, a timeout, a crash. That was an attempt.
    Failed,
    /// It could not run now, for concurrency or for a failure of ours; there is room for the next try then. That was
    /// no attempt.
    Held(Timestamp),
    /// It can never run.
    Refused(Condition),
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is done, like this.
    Done(Condition),
    /// It is tried again then.
    Again(Timestamp),
}

/// Decides. `attempts` counts the one that has just failed.
///
/// The age is looked at ahead: what would come too late ends at once (recorded: `test_maxeventage`).
pub fn verdict(attempts: u32, aged_from: Timestamp, tried: Tried, now: Timestamp, terms: &Terms) -> Verdict {
    let next = match tried {
        Tried::Answered => return Verdict::Done(Condition::Success),
        Tried::Refused(condition) => return Verdict::Done(condition),
        Tried::Failed if attempts > terms.retries_max => return Verdict::Done(Condition::RetriesExhausted),
        Tried::Failed => now + terms.retry_base * attempts,
        Tried::Held(next) => next,
    };
    if next >= aged_from + terms.age_max { Verdict::Done(Condition::EventAgeExceeded) } else { Verdict::Again(next) }
}

/// How long a function's events wait after it was refused `step` times in a row, 1 at least: 1 s, doubled each time, at
/// most 5 minutes.
pub fn back_off(step: u32) -> Duration {
    let doubled = 1_u64.checked_shl(step.saturating_sub(1)).unwrap_or(u64::MAX);
    Duration::from_secs(doubled.min(limits::EVENT_BACK_OFF_SECONDS_MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_713_866_400 + seconds).unwrap()
    }

    fn terms(retries_max: u32, age_seconds: u64) -> Terms {
        Terms { retries_max, age_max: Duration::from_secs(age_seconds), retry_base: Duration::from_mins(1) }
    }

    #[test]
    fn a_failing_event_is_tried_again_after_one_and_after_two_minutes() {
        // Recorded: test_retries.
        let terms = Terms::of(None, Duration::from_mins(1));
        assert_eq!(terms, self::terms(2, 21_600));
        assert_eq!(verdict(1, at(0), Tried::Failed, at(1), &terms), Verdict::Again(at(61)));
        assert_eq!(verdict(2, at(0), Tried::Failed, at(62), &terms), Verdict::Again(at(182)));
        assert_eq!(verdict(3, at(0), Tried::Failed, at(183), &terms), Verdict::Done(Condition::RetriesExhausted));
        assert_eq!(verdict(1, at(0), Tried::Answered, at(1), &terms), Verdict::Done(Condition::Success));
    }

    #[test]
    fn what_would_come_too_late_ends_at_once() {
        // Recorded: test_maxeventage, with 60 and with 90 seconds.
        let exceeded = Verdict::Done(Condition::EventAgeExceeded);
        assert_eq!(verdict(1, at(0), Tried::Failed, at(0), &terms(2, 60)), exceeded);
        assert_eq!(verdict(1, at(0), Tried::Failed, at(1), &terms(2, 90)), Verdict::Again(at(61)));
        assert_eq!(verdict(2, at(0), Tried::Failed, at(62), &terms(2, 90)), exceeded);
        // No attempt left goes before no time left (recorded: test_retries, MaximumRetryAttempts 0).
        let exhausted = Verdict::Done(Condition::RetriesExhausted);
        assert_eq!(verdict(1, at(0), Tried::Failed, at(0), &terms(0, 60)), exhausted);
    }

    #[test]
    fn being_held_costs_no_attempt_but_age() {
        for attempts in [0, 3] {
            assert_eq!(verdict(attempts, at(0), Tried::Held(at(5)), at(4), &terms(0, 60)), Verdict::Again(at(5)));
            let exceeded = Verdict::Done(Condition::EventAgeExceeded);
            assert_eq!(verdict(attempts, at(0), Tried::Held(at(60)), at(4), &terms(0, 60)), exceeded);
        }
    }

    #[test]
    fn back_off_doubles_up_to_five_minutes() {
        let seconds: Vec<u64> = (0..12).map(|step| back_off(step).as_secs()).collect();
        assert_eq!(seconds, [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(back_off(u32::MAX).as_secs(), 300);
    }

    #[test]
    fn states_are_read_as_they_are_written() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        let mistake = "\"ded\" is no state of an event; there are queued, running, retrying, delivering, dead";
        assert_eq!("ded".parse::<State>(), Err(mistake.to_owned()));
    }

    proptest! {
        /// However its tries end, an event comes to an end within its age or its attempts.
        #[test]
        fn each_event_ends(tries in prop::collection::vec((0_u8..2, 0_i64..400), 600), retries in 0_u32..3, age in 60_u64..2_000) {
            let terms = terms(retries, age);
            let (mut now, mut attempts, mut step) = (at(0), 0, 0);
            for (kind, delay) in tries {
                let tried = if kind == 0 {
                    attempts += 1;
                    step = 0;
                    Tried::Failed
                } else {
                    step += 1;
                    Tried::Held(now + back_off(step))
                };
                match verdict(attempts, at(0), tried, now, &terms) {
                    Verdict::Done(condition) => {
                        prop_assert!(attempts <= retries + 1);
                        prop_assert!(condition != Condition::Success);
                        return Ok(());
                    }
                    Verdict::Again(next) => {
                        prop_assert!(next > now, "it would be tried for ever");
                        prop_assert!(next < at(0) + terms.age_max);
                        now = next + Duration::from_secs(delay.unsigned_abs());
                    }
                }
            }
            prop_assert!(false, "it did not end");
        }
    }
}
