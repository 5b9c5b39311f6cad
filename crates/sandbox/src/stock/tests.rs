//! The stock with numbers in place of environments, and a clock that stands.

use std::sync::atomic::AtomicBool;

use domain::runtime::Runtime;
use jiff::Timestamp;

use super::*;

/// Time stands where it was put.
#[derive(Default)]
struct Standing(Mutex<Duration>);

impl Standing {
    fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn system_now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn elapsed(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn wake_at(&self, _at: Duration) -> Wait<'static, ()> {
        Box::pin(std::future::pending())
    }

    fn wake_on(&self, _at: Timestamp) -> Wait<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// Makes numbers, of which some die.
#[derive(Default)]
struct Numbers {
    made: AtomicU64,
    alive_from: AtomicU64,
    is_failing: AtomicBool,
    memory_is_short: AtomicBool,
}

impl Maker for Arc<Numbers> {
    type Made = (Kind, u64);
    type Error = &'static str;

    fn make(&self, kind: Kind) -> Wait<'_, Result<(Kind, u64), &'static str>> {
        Box::pin(async move {
            if self.is_failing.load(Ordering::Relaxed) {
                return Err("no more processes");
            }
            Ok((kind, self.made.fetch_add(1, Ordering::Relaxed)))
        })
    }

    fn is_there(&self, (_, number): &(Kind, u64)) -> bool {
        *number >= self.alive_from.load(Ordering::Relaxed)
    }

    fn memory_available(&self) -> f64 {
        if self.memory_is_short.load(Ordering::Relaxed) { 0.05 } else { 0.5 }
    }
}

struct Bench {
    clock: Arc<Standing>,
    numbers: Arc<Numbers>,
    stock: Stock<Arc<Numbers>>,
}

fn bench() -> Bench {
    let (clock, numbers) = (Arc::<Standing>::default(), Arc::<Numbers>::default());
    let stock = Stock::start(numbers.clone(), clock.clone());
    Bench { clock, numbers, stock }
}

impl Bench {
    /// Lets it make what it wants.
    async fn settle(&self) {
        self.clock.advance(REST_AFTER_START);
        self.settle_at_once().await;
    }

    async fn settle_at_once(&self) {
        self.stock.inner.changed.notify_one();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    fn waiting(&self) -> (u64, u64) {
        let counts = self.stock.counts();
        (counts.blanks, counts.stems)
    }
}

fn python() -> StemKind {
    StemKind::of(Runtime::parse("python3.12").unwrap(), 128).unwrap()
}

fn node(memory_mb: u32) -> StemKind {
    StemKind::of(Runtime::parse("nodejs20.x").unwrap(), memory_mb).unwrap()
}

#[tokio::test]
async fn blanks_wait_from_the_start_and_stems_when_their_runtime_is_in_use() {
    let bench = bench();
    bench.settle().await;
    assert_eq!(bench.waiting(), (4, 0));
    bench.stock.expect(python());
    bench.stock.expect(node(128));
    bench.settle().await;
    assert_eq!(bench.waiting(), (4, 3));
}

#[tokio::test]
async fn a_start_gets_the_stem_of_its_kind_and_no_other() {
    let bench = bench();
    bench.stock.expect(python());
    bench.stock.expect(node(128));
    bench.settle().await;
    assert_eq!(bench.stock.take(Some(python())).unwrap().0, Kind::Stem(python()));
    assert_eq!(bench.stock.take(Some(node(512))).unwrap().0, Kind::Blank);
    assert_eq!(bench.stock.take(None).unwrap().0, Kind::Blank);
    let counts = bench.stock.counts();
    assert_eq!((counts.found_stem, counts.found_blank, counts.found_nothing), (1, 2, 0));
    // The next one of that size finds its own.
    bench.settle().await;
    assert_eq!(bench.stock.take(Some(node(512))).unwrap().0, Kind::Stem(node(512)));
}

#[tokio::test]
async fn each_is_given_out_once_and_the_oldest_first() {
    let bench = bench();
    bench.settle().await;
    let taken: Vec<u64> = std::iter::from_fn(|| bench.stock.take(None)).map(|(_, number)| number).collect();
    assert_eq!(taken, [0, 1, 2, 3]);
    assert_eq!(bench.stock.counts().found_nothing, 1);
}

#[tokio::test]
async fn nothing_is_made_right_after_a_start() {
    let bench = bench();
    bench.settle().await;
    bench.stock.take(None).unwrap();
    bench.settle_at_once().await;
    assert_eq!(bench.waiting(), (3, 0));
    bench.settle().await;
    assert_eq!(bench.waiting(), (4, 0));
}

#[tokio::test]
async fn after_a_burst_more_wait_for_the_next_one() {
    let bench = bench();
    bench.settle().await;
    for _ in 0..30 {
        bench.stock.take(None);
    }
    bench.settle().await;
    assert_eq!(bench.waiting(), (16, 0));
    bench.clock.advance(Duration::from_mins(10));
    bench.settle().await;
    assert_eq!(bench.waiting(), (4, 0));
}

#[tokio::test]
async fn what_died_is_not_given_out_and_replaced() {
    let bench = bench();
    bench.settle().await;
    bench.numbers.alive_from.store(3, Ordering::Relaxed);
    assert_eq!(bench.stock.take(None).unwrap().1, 3);
    assert_eq!(bench.stock.take(None), None);
    bench.settle().await;
    bench.numbers.alive_from.store(u64::MAX, Ordering::Relaxed);
    assert_eq!(bench.stock.take(None), None);
}

#[tokio::test]
async fn short_memory_empties_the_stock_until_there_is_some_again() {
    let bench = bench();
    bench.stock.expect(python());
    bench.settle().await;
    bench.numbers.memory_is_short.store(true, Ordering::Relaxed);
    bench.settle().await;
    assert_eq!(bench.waiting(), (0, 0));
    bench.numbers.memory_is_short.store(false, Ordering::Relaxed);
    bench.settle().await;
    assert_eq!(bench.waiting(), (4, 2));
}

#[tokio::test]
async fn after_a_failure_nothing_is_tried_for_a_while() {
    let bench = bench();
    bench.numbers.is_failing.store(true, Ordering::Relaxed);
    bench.settle().await;
    bench.numbers.is_failing.store(false, Ordering::Relaxed);
    bench.settle().await;
    assert_eq!(bench.waiting(), (0, 0));
    bench.clock.advance(REST_AFTER_FAILURE);
    bench.settle().await;
    assert_eq!(bench.waiting(), (4, 0));
}

#[tokio::test]
async fn stems_of_a_runtime_that_nobody_uses_any_more_are_given_up() {
    let bench = bench();
    bench.stock.expect(python());
    bench.settle().await;
    bench.clock.advance(Duration::from_secs(601));
    bench.settle().await;
    assert_eq!(bench.waiting(), (4, 0));
}

#[tokio::test]
async fn accounts_are_kept_of_so_many_kinds_only() {
    let bench = bench();
    (0..200).for_each(|memory_mb| bench.stock.expect(node(128 + memory_mb)));
    assert_eq!(bench.stock.inner.lock().by_kind.len(), KINDS_MAX);
    bench.settle().await;
    assert_eq!(bench.waiting().1, u64::try_from(KINDS_MAX - 1).unwrap());
}
