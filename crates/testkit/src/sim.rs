//! A seeded simulation of events: functions that fail in every way, a store that fails, targets that are down, a clock
//! that jumps, redrives, purges, and engines that die at any moment and leave only what is on disk.
//!
//! Whatever happens: each accepted event ends exactly one way, attempts are counted right, and what is owed is sent. The
//! same seed is the same story. `cargo xtask sim` runs many.

mod ledger;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use domain::environment::{Exit, Failure};
use domain::fault::Faults;
use domain::names::RequestId;
use engine::access::Caller;
use engine::events::{Selection, Settings};
use engine::functions::{Destinations, EventInvokeEdit};
use engine::ports::{Clock, Dice, Event, EventFilter, EventRecords};
use engine::tasks::Task;

use self::ledger::{FUNCTIONS, Ledger, Outcome};
use crate::courier::FakeCourier;
use crate::dice::LoadedDice;
use crate::faulty::Faulty;
use crate::house::{Bounds, House, Outside};
use crate::layers::MemoryLayers;
use crate::packages::{MemoryPackages, zip_of};
use crate::records::MemoryRecords;
use crate::sandbox::{Plan, Step};

/// Steps of one story, at most.
const STEPS: u64 = 60;
/// Minutes in which everything comes to its end when nothing goes wrong any more: more than an event may become old.
const LAST_MINUTES: u32 = 400;

/// How much of what is written can be seen at the moment when it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// All of it: nothing else goes on at the same time.
    Whole,
    /// What is on disk may be read, or be lost sight of by a crash, before it is known to be written.
    Late,
}

/// What happened in one story, so that a test can see that something did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events accepted.
    pub accepted: u64,
    /// Tries that began.
    pub runs: u64,
    /// Events that succeeded.
    pub succeeded: u64,
    /// Events that were dead at the end.
    pub dead: u64,
    /// Events purged.
    pub purged: u64,
    /// Events redriven.
    pub redriven: u64,
    /// Deliveries that arrived.
    pub delivered: u64,
    /// Engines that died.
    pub crashes: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.runs += other.runs;
        self.succeeded += other.succeeded;
        self.dead += other.dead;
        self.purged += other.purged;
        self.redriven += other.redriven;
        self.delivered += other.delivered;
        self.crashes += other.crashes;
    }
}

/// Plays one story over the events that `open` opens, each time after what it made before was dropped.
///
/// # Panics
/// Something was lost, or happened that must not; the text begins with the seed.
pub fn play(seed: u64, sight: Sight, mut open: impl FnMut() -> Arc<dyn EventRecords>) -> Tally {
    let mut story = Story::new(seed, sight);
    loop {
        let kept = Faulty::over(open());
        kept.pauses.begin(story.dice.bits());
        let ledger = story.ledger.clone();
        kept.observe(Arc::new(move |written| ledger.saw(written)));
        let outside = Outside { kept, ..story.outside.clone() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let is_over = runtime.block_on(story.incarnation(outside));
        // Whatever was under way ends here, wherever it was.
        drop(runtime);
        if is_over {
            break;
        }
        story.ledger.crashed();
    }
    let faults = story.ledger.faults();
    assert!(faults.is_empty(), "seed {seed}: {}", faults.join("\n"));
    story.ledger.tally()
}

/// What the functions do.
struct Whims {
    dice: LoadedDice,
    ledger: Arc<Ledger>,
}

impl Plan for Whims {
    fn begins(&self, event: &Event) -> Step {
        let bits = self.dice.bits();
        let time = Duration::from_secs((bits >> 20) % 90);
        let (step, outcome) = match bits % 100 {
            0..45 => (None, Outcome::Succeeds),
            45..60 => (Some(Step::Takes(time)), Outcome::Succeeds),
            60..85 => {
                let payload = Bytes::from_static(br#"{"errorMessage":"no"}"#);
                (Some(Step::Fails(Failure::Reported { error_type: "E".into(), payload })), Outcome::Fails)
            }
            85..90 => (Some(Step::Hangs), Outcome::Fails),
            90..95 => (Some(Step::Fails(Failure::Exited(Exit::Signal(9)))), Outcome::Fails),
            _ => (Some(Step::Panics), Outcome::Breaks),
        };
        self.ledger.begins(event.request_id, outcome);
        step.unwrap_or_else(|| Step::Answers(event.payload.clone()))
    }

    fn ended(&self, event: &Event) {
        self.ledger.ended(event.request_id);
    }
}

struct Story {
    dice: LoadedDice,
    ledger: Arc<Ledger>,
    outside: Outside,
    settings: Settings,
    steps_left: u64,
    is_begun: bool,
    /// Calls that go on.
    calls: Mutex<Vec<Task<()>>>,
}

impl Story {
    fn new(seed: u64, sight: Sight) -> Self {
        let dice = LoadedDice::seeded(seed);
        let records = Arc::new(MemoryRecords::new());
        let packages = Arc::new(MemoryPackages::beside(records.clone()));
        let outside = Outside {
            dice: Arc::new(LoadedDice::seeded(dice.bits())),
            ..Outside::new(records, packages, Arc::new(MemoryLayers::default()))
        };
        outside.courier.pauses.begin(dice.bits());
        let throttle = if dice.bits().is_multiple_of(3) { 0.2 } else { 0.0 };
        let settings = Settings { faults: Faults { throttle, ..Faults::default() }, ..Settings::default() };
        let ledger = Arc::new(Ledger::new(outside.clock.clone(), sight));
        let steps_left = 10 + dice.bits() % (STEPS - 10);
        Self { dice, ledger, outside, settings, steps_left, is_begun: false, calls: Mutex::default() }
    }

    fn below(&self, bound: u64) -> u64 {
        self.dice.bits() % bound
    }

    /// One engine, until it dies or the story ends; tells whether it has ended.
    async fn incarnation(&mut self, outside: Outside) -> bool {
        let house = Arc::new(House::within(&outside, Bounds::default(), self.settings));
        house
            .sandbox
            .follow(Arc::new(Whims { dice: LoadedDice::seeded(self.dice.bits()), ledger: self.ledger.clone() }));
        house.functions.load().await.expect("functions are in memory");
        if !std::mem::replace(&mut self.is_begun, true) {
            self.create_functions(&house).await;
        }
        house.start_events().await;
        while self.steps_left > 0 {
            self.steps_left -= 1;
            self.step(&house).await;
            for _ in 0..self.below(60) {
                tokio::task::yield_now().await;
            }
            if self.below(12) == 0 {
                return false;
            }
        }
        if house.kept.is_broken() {
            return false;
        }
        self.end(&house).await;
        true
    }

    async fn create_functions(&self, house: &House) {
        for (name, retries_max, age_seconds_max, letters, on_success, on_failure) in FUNCTIONS {
            let mut new = house.new_function(name);
            new.configuration.dead_letter = letters.map(str::to_owned);
            let zip = zip_of(&[("app.py", 0o644, name.as_bytes())]);
            house.functions.create_function(&Caller::Anyone, new, zip, false).await.expect("creates");
            house.settled(name).await;
            let target = |target: Option<&str>| target.map(str::to_owned);
            let destinations = Some(Destinations { on_success: target(on_success), on_failure: target(on_failure) });
            let edit = EventInvokeEdit {
                retries_max: Some(retries_max),
                age_seconds_max: Some(age_seconds_max),
                destinations,
            };
            house.functions.put_event_invoke_config(&Caller::Anyone, &house.target(name), edit).await.expect("sets");
        }
    }

    fn function(&self) -> &'static str {
        FUNCTIONS[usize::try_from(self.below(FUNCTIONS.len() as u64)).expect("small")].0
    }

    async fn step(&self, house: &Arc<House>) {
        match self.below(100) {
            0..45 => {
                for _ in 0..=self.below(4) {
                    self.send(house).await;
                }
            }
            45..70 => {
                let seconds = match self.below(10) {
                    0..6 => self.below(5),
                    6..9 => self.below(400),
                    _ => self.below(25_000),
                };
                house.clock.advance(Duration::from_millis(seconds * 1_000 + self.below(1_000)));
            }
            70..78 => {
                let target = house.target(self.function());
                let changed = match self.below(5) {
                    4 => house.functions.delete_function_concurrency(&Caller::Anyone, &target).await,
                    reserved => {
                        let reserved = u32::try_from(reserved).expect("small");
                        house.functions.put_function_concurrency(&Caller::Anyone, &target, reserved).await.map(drop)
                    }
                };
                changed.expect("functions are in memory");
            }
            78..84 => self.break_a_target(&house.courier),
            84..88 => house.kept.fail_writes(u32::try_from(self.below(4)).expect("small")),
            88..91 => house.kept.set_down(self.below(2) == 0),
            91..92 => house.kept.break_at_next_write(),
            92..97 => {
                let selection = self.selection();
                // A store that is down fails this, too.
                let _ = house.events.redrive(selection).await;
            }
            _ => {
                let selection = self.selection();
                let _ = house.events.purge(selection).await;
            }
        }
    }

    async fn send(&self, house: &Arc<House>) {
        let (name, ledger, running) = (self.function(), self.ledger.clone(), house.clone());
        let send = async move {
            if let Ok(id) = running.send(name, "{}").await {
                ledger.answered(id, name);
            }
        };
        // Some callers wait, and some calls go on while other things happen.
        if self.below(2) == 0 {
            send.await;
        } else {
            let call = engine::tasks::spawn("a call", send);
            self.calls.lock().expect("nothing that holds it panics").push(call);
        }
    }

    fn break_a_target(&self, courier: &FakeCourier) {
        let targets: Vec<&str> =
            FUNCTIONS.iter().flat_map(|(.., letters, won, lost)| [*letters, *won, *lost]).flatten().collect();
        let target = targets[usize::try_from(self.below(targets.len() as u64)).expect("small")];
        if self.below(2) == 0 { courier.fail(target, "it is down") } else { courier.mend(target) }
    }

    fn selection(&self) -> Selection {
        let known: Vec<RequestId> = self.ledger.known();
        if known.is_empty() || self.below(4) == 0 {
            return Selection::Filter(EventFilter::default());
        }
        let some = known.iter().filter(|_| self.below(8) == 0).copied();
        Selection::Filter(EventFilter { only: Some(some.collect()), ..EventFilter::default() })
    }

    /// Lets everything that can go on go on. What a real disk does takes its own time: whoever asks it for more is
    /// answered after.
    async fn rest(&self, house: &House) {
        house.breathe().await;
        house.breathe().await;
        if self.ledger.sight == Sight::Late {
            for _ in 0..4 {
                house.kept.purge_events(Vec::new()).await.expect("nothing fails any more");
                house.kept.load_events().await.expect("nothing fails any more");
                house.breathe().await;
            }
        }
    }

    /// Nothing goes wrong any more: everything has to come to its end, without a restart.
    async fn end(&self, house: &Arc<House>) {
        house.kept.fail_writes(0);
        house.kept.set_down(false);
        let calls = std::mem::take(&mut *self.calls.lock().expect("nothing that holds it panics"));
        for call in calls {
            // Some were cut off with their engine.
            let _ = call.result().await;
        }
        for (name, .., letters, on_success, on_failure) in FUNCTIONS {
            [letters, on_success, on_failure].into_iter().flatten().for_each(|target| house.courier.mend(target));
            let target = house.target(name);
            house.functions.delete_function_concurrency(&Caller::Anyone, &target).await.expect("in memory");
        }
        for _ in 0..LAST_MINUTES {
            self.rest(house).await;
            let left = house.kept.load_events().await.expect("nothing fails any more");
            if left.functions.is_empty() && left.targets.is_empty() && house.events.running() == 0 {
                return self.ledger.close(house).await;
            }
            house.clock.advance(Duration::from_mins(1));
        }
        let left = house.kept.load_events().await;
        self.ledger.fault(format!("at {}, something never comes to its end: {left:?}", house.clock.now()));
    }
}
