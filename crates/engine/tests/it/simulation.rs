//! Many stories of events that must not be lost; see `testkit::sim`.
#![expect(clippy::print_stderr, reason = "what was played is of interest where more is asked for than the usual")]

use std::sync::Arc;

use engine::ports::EventRecords;
use testkit::events::MemoryEvents;
use testkit::sim::{Sight, Tally, play};

/// Stories in each run of the tests; `cargo xtask sim` sets another number, or one seed.
const SEEDS: u64 = 1_000;

/// What `cargo xtask sim` asks for.
#[expect(clippy::disallowed_methods, reason = "the one way to hand something to a test")]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn story(seed: u64) -> Tally {
    let events: Arc<dyn EventRecords> = Arc::new(MemoryEvents::default());
    play(seed, Sight::Whole, || events.clone())
}

#[test]
fn no_story_loses_an_event() {
    // The panics that stories ask for are not for people.
    std::panic::set_hook(Box::new(|panic| {
        if !panic.payload_as_str().is_some_and(|text| text.starts_with("the test wants")) {
            eprintln!("{panic}");
        }
    }));
    if let Some(seed) = asked("LAMBD_SIM_SEED") {
        eprintln!("seed {seed}: {:?}", story(seed));
        return;
    }
    let seeds = asked("LAMBD_SIM_SEEDS").unwrap_or(SEEDS);
    let halves = [0, 1].map(|half| {
        std::thread::spawn(move || {
            let mut sum = Tally::default();
            (half..seeds).step_by(2).for_each(|seed| sum += story(seed));
            sum
        })
    });
    let mut sum = Tally::default();
    for half in halves {
        sum += half.join().expect("the seed is in the text above; `cargo xtask sim --seed N` plays it again");
    }
    eprintln!("{seeds} seeds: {sum:?}");
    let Tally { accepted, runs, succeeded, dead, purged, redriven, delivered, crashes } = sum;
    let least = accepted.min(runs).min(succeeded).min(dead).min(purged).min(redriven).min(delivered).min(crashes);
    assert!(least >= seeds / 4, "too little happens to prove anything: {sum:?}");
}
