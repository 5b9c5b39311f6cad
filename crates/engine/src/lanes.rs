//! Work that waits on disk, in one lane for each function or target, so that one that is held up holds up no other.
//!
//! A lane takes a little of its work in hand at a time, whatever waits behind; what is in hand is nobody else's. The one
//! that is refused holds its whole lane: a hundred thousand throttled events cost what one costs. Never here: what the
//! work is, and what becomes of it.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::event::back_off;
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::ports::{Batch, Due};

/// Bytes that one reading takes in hand.
const LOAD_BYTES: usize = 1024 * 1024;
/// Bytes in hand of all lanes together, beyond which lanes that are held up take nothing more in hand.
const READY_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Readings at a time.
const LOADING_MAX: usize = 4;
/// A lane in which everything runs and nothing ends for so long gets more room.
const STANDSTILL: Duration = Duration::from_secs(1);
/// The most room that a lane gets.
const WINDOW_MAX: usize = 1_000;

/// A piece of work.
pub(crate) trait Item {
    /// What it is known by.
    type Id: Clone + Eq + Hash;
    /// Its id.
    fn id(&self) -> Self::Id;
    /// How much memory it takes, about.
    fn bytes(&self) -> usize;
}

/// What is to be done next.
pub(crate) enum Move<K, T: Item> {
    /// Runs this; [`Lanes::ended`] or [`Lanes::put_back`] follows.
    Run(K, T),
    /// Reads what is due; [`Lanes::loaded`] follows.
    Load(K, Due<T::Id>),
    /// The lane is held, and longer than before or with something new in it: what cannot wait so long is to be ended, see
    /// [`Lanes::take_out`].
    Sift(K),
}

/// See [`Lanes::stall`].
pub(crate) struct Stall<'a, K: Clone + Ord, T: Item>(&'a Lanes<K, T>);

impl<K: Clone + Ord, T: Item> Drop for Stall<'_, K, T> {
    fn drop(&mut self) {
        self.0.lock().stalled -= 1;
        self.0.stirred.notify_one();
    }
}

/// See the module.
pub(crate) struct Lanes<K, T: Item> {
    state: Mutex<State<K, T>>,
    /// Woken whenever there may be a next move.
    stirred: Notify,
    /// Woken whenever something has come to an end.
    ended: Notify,
    room: Room,
}

/// How much of one lane is in hand.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    /// How much runs at a time, to begin with.
    pub(crate) window: usize,
    /// How much waits for its turn.
    pub(crate) ready_max: usize,
}

impl Room {
    /// From here on down, more is taken in hand.
    fn ready_low(self) -> usize {
        self.ready_max / 4
    }
}

struct State<K, T: Item> {
    lanes: BTreeMap<K, Lane<T>>,
    /// Lanes with a next move, perhaps.
    stirred: BTreeSet<K>,
    /// When to look at a lane again.
    timers: BTreeSet<(Timestamp, K)>,
    loading: usize,
    running: usize,
    ready_bytes: usize,
    /// How many ends cannot be written at present.
    stalled: usize,
    is_closed: bool,
}

struct Lane<T: Item> {
    ready: VecDeque<T>,
    /// Ids of all that is in hand: ready, running, expected, or taken.
    in_hand: HashSet<T::Id>,
    /// What [`Lanes::take`] took.
    taken: HashSet<T::Id>,
    running: HashSet<T::Id>,
    /// When the first that is not in hand is due, at the earliest; none where there is none.
    left_at: Option<Timestamp>,
    /// Counts how often `left_at` was set: a reading that began before knows nothing of it.
    marks: u64,
    /// The reading under way.
    loading: Option<Reading<T::Id>>,
    /// In hand, and perhaps due again on disk: that is looked for when they are let go.
    doubted: HashSet<T::Id>,
    hold: Option<Hold>,
    /// When something was refused last.
    refused_at: Option<Timestamp>,
    /// Whether something has to be looked at because of the hold.
    is_unsifted: bool,
    window: usize,
    /// When something ended last, or everything began to run.
    moved_at: Timestamp,
    /// When it is looked at again.
    timer: Option<Timestamp>,
}

/// What happened since a reading began, of which it may know nothing.
struct Reading<Id> {
    /// The marks when it began.
    marks: u64,
    /// What was let go: how it was read may be how it was before.
    let_go: HashSet<Id>,
}

/// Why a lane waits.
struct Hold {
    until: Timestamp,
    /// How often in a row it was refused.
    step: u32,
    why: String,
    /// Whether the lane goes on, with one at first.
    is_over: bool,
}

impl Hold {
    /// Whether nothing may run. A calendar that was set back does not make a wait longer.
    fn is_on(&self, now: Timestamp) -> bool {
        now < self.until && self.until <= now + back_off(self.step)
    }
}

impl<T: Item> Lane<T> {
    fn new(window: usize, now: Timestamp) -> Self {
        Self {
            ready: VecDeque::new(),
            in_hand: HashSet::new(),
            taken: HashSet::new(),
            running: HashSet::new(),
            left_at: None,
            marks: 0,
            loading: None,
            doubted: HashSet::new(),
            hold: None,
            refused_at: None,
            is_unsifted: false,
            window,
            moved_at: now,
            timer: None,
        }
    }

    /// It is looked at again then, or before.
    fn look_again<K: Ord>(&mut self, at: Timestamp, key: K, timers: &mut BTreeSet<(Timestamp, K)>) {
        match self.timer {
            Some(before) if before <= at => {}
            later => {
                let mut timer = (later.unwrap_or(at), key);
                timers.remove(&timer);
                timer.0 = at;
                timers.insert(timer);
                self.timer = Some(at);
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.in_hand.is_empty() && self.left_at.is_none() && self.loading.is_none()
    }

    fn mark(&mut self, at: Timestamp) {
        self.left_at = Some(self.left_at.map_or(at, |left| left.min(at)));
        self.marks += 1;
    }

    /// Whether something is due that is not in hand.
    fn is_behind(&self, now: Timestamp) -> bool {
        self.left_at.is_some_and(|at| at <= now)
    }

    /// Whether something was refused just now.
    fn is_full(&self, now: Timestamp) -> bool {
        self.refused_at.is_some_and(|at| at <= now && now < at + STANDSTILL)
    }

    /// It is in hand no more.
    fn let_go(&mut self, id: &T::Id, now: Timestamp) {
        self.in_hand.remove(id);
        if let Some(reading) = &mut self.loading {
            reading.let_go.insert(id.clone());
        }
        if self.doubted.remove(id) {
            self.mark(now);
        }
    }
}

impl<K: Clone + Ord, T: Item> Lanes<K, T> {
    /// No work yet.
    pub(crate) fn new(room: Room) -> Self {
        let state = State {
            lanes: BTreeMap::new(),
            stirred: BTreeSet::new(),
            timers: BTreeSet::new(),
            loading: 0,
            running: 0,
            ready_bytes: 0,
            stalled: 0,
            is_closed: false,
        };
        Self { state: Mutex::new(state), stirred: Notify::new(), ended: Notify::new(), room }
    }

    fn lock(&self) -> MutexGuard<'_, State<K, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_lane<R>(&self, key: &K, now: Timestamp, change: impl FnOnce(&mut Lane<T>, &mut usize) -> R) -> R {
        let mut state = self.lock();
        let State { lanes, ready_bytes, .. } = &mut *state;
        let lane = lanes.entry(key.clone()).or_insert_with(|| Lane::new(self.room.window, now));
        let result = change(lane, ready_bytes);
        self.stir(state, key);
        result
    }

    /// Has the lane looked at.
    fn stir(&self, mut state: MutexGuard<'_, State<K, T>>, key: &K) {
        state.stirred.insert(key.clone());
        drop(state);
        self.stirred.notify_one();
    }

    /// Something is about to be written, and is in hand from now on, so that nobody finds it on disk before
    /// [`Lanes::arrived`] or [`Lanes::stayed_away`]. `false` where it is in hand already.
    pub(crate) fn expect(&self, key: &K, id: T::Id, now: Timestamp) -> bool {
        let mut state = self.lock();
        let lane = state.lanes.entry(key.clone()).or_insert_with(|| Lane::new(self.room.window, now));
        lane.in_hand.insert(id)
    }

    /// Something that was expected may or may not have been written: it is looked for.
    pub(crate) fn stayed_away(&self, key: &K, id: &T::Id, now: Timestamp) {
        self.with_lane(key, now, |lane, _| {
            lane.let_go(id, now);
            lane.mark(now);
        });
    }

    /// Something that was expected is there, and due: it stays in hand if there is room and nothing waits on disk before
    /// it, and is found on disk later if not.
    pub(crate) fn arrived(&self, key: &K, item: T, now: Timestamp) {
        let mut state = self.lock();
        let State { lanes, ready_bytes, .. } = &mut *state;
        let lane = lanes.entry(key.clone()).or_insert_with(|| Lane::new(self.room.window, now));
        let (id, bytes, was_behind) = (item.id(), item.bytes(), lane.is_behind(now));
        let has_room = lane.ready.len() < self.room.ready_max && *ready_bytes + bytes <= READY_BYTES_MAX;
        if lane.taken.contains(&id) {
            lane.mark(now);
        } else if has_room && !was_behind && lane.in_hand.contains(&id) {
            *ready_bytes += bytes;
            lane.ready.push_back(item);
            lane.is_unsifted = true;
        } else {
            lane.let_go(&id, now);
            lane.mark(now);
        }
        // What comes behind others on disk changes nothing for a lane that was looked at because of those.
        if !was_behind {
            self.stir(state, key);
        }
    }

    /// Something on disk will be due.
    pub(crate) fn due(&self, key: &K, at: Timestamp, now: Timestamp) {
        self.with_lane(key, now, |lane, _| lane.mark(at));
    }

    /// The same, where it may be something that is in hand and about to be let go.
    pub(crate) fn due_again(&self, key: &K, at: Timestamp, now: Timestamp) {
        self.with_lane(key, now, |lane, _| {
            lane.mark(at);
            lane.doubted.clone_from(&lane.in_hand);
        });
    }

    /// A lane that is held goes on.
    pub(crate) fn release(&self, key: &K, now: Timestamp) {
        self.with_lane(key, now, |lane, _| {
            lane.hold = None;
            lane.window = lane.window.max(self.room.window);
        });
    }

    /// What to do next, and when to ask again at the latest.
    pub(crate) fn next_moves(&self, now: Timestamp) -> (Vec<Move<K, T>>, Option<Timestamp>) {
        let mut state = self.lock();
        let mut moves = Vec::new();
        if state.is_closed || state.stalled > 0 {
            return (moves, None);
        }
        while let Some((at, _)) = state.timers.first()
            && *at <= now
        {
            let (_, key) = state.timers.pop_first().expect("it is there");
            if let Some(lane) = state.lanes.get_mut(&key) {
                lane.timer = None;
            }
            state.stirred.insert(key);
        }
        for key in std::mem::take(&mut state.stirred) {
            state.look_at(&key, now, self.room, &mut moves);
        }
        (moves, state.timers.first().map(|(at, _)| *at))
    }

    /// Waits until there may be a next move.
    pub(crate) async fn stirred(&self) {
        self.stirred.notified().await;
    }

    /// A reading is done; none where it failed, which is tried again.
    pub(crate) fn loaded(&self, key: &K, batch: Option<Batch<T>>, now: Timestamp) {
        let mut state = self.lock();
        state.loading -= 1;
        drop(state);
        self.with_lane(key, now, |lane, ready_bytes| {
            let Some(Reading { marks, let_go }) = lane.loading.take() else { return };
            let Some(Batch { items, next_at }) = batch else {
                // Whatever is due by then: nothing is read before.
                lane.left_at = Some(now + back_off(1));
                return;
            };
            // What was marked since the reading began may not have been seen by it.
            if marks == lane.marks {
                lane.left_at = next_at;
            } else if let Some(next_at) = next_at {
                lane.mark(next_at);
            }
            for item in items {
                // Whoever lets go marks what is still there: it is read as it is by now.
                if !let_go.contains(&item.id()) && lane.in_hand.insert(item.id()) {
                    *ready_bytes += item.bytes();
                    lane.ready.push_back(item);
                    lane.is_unsifted = true;
                }
            }
        });
        self.ended.notify_waiters();
    }

    /// Something that ran is settled; if it is still there, it is due `again_at`. The lane goes on.
    pub(crate) fn ended(&self, key: &K, id: &T::Id, again_at: Option<Timestamp>, now: Timestamp) {
        self.let_go(key, id, again_at, now, |lane| {
            lane.hold = None;
            // Others take its place. One more is tried where nothing was refused of late: else a function with one slot
            // would be asked for all the room there is each time that one ends.
            if lane.window < self.room.window && !lane.is_full(now) {
                lane.window += 1;
            }
        });
    }

    /// As [`Lanes::ended`], of something that found no room: the lane stays held.
    pub(crate) fn gave_up(&self, key: &K, id: &T::Id, again_at: Option<Timestamp>, now: Timestamp) {
        self.let_go(key, id, again_at, now, |_| ());
    }

    fn let_go(
        &self,
        key: &K,
        id: &T::Id,
        again_at: Option<Timestamp>,
        now: Timestamp,
        also: impl FnOnce(&mut Lane<T>),
    ) {
        let ran = self.with_lane(key, now, |lane, _| {
            lane.let_go(id, now);
            lane.moved_at = now;
            also(lane);
            if let Some(at) = again_at {
                lane.mark(at);
            }
            lane.running.remove(id)
        });
        self.lock().running -= usize::from(ran);
        self.ended.notify_waiters();
    }

    /// Holds a lane that was refused, longer each time in a row; tells until when. A lane that is held already stays so.
    pub(crate) fn hold(&self, key: &K, why: &str, now: Timestamp) -> Timestamp {
        self.with_lane(key, now, |lane, _| {
            lane.refused_at = Some(now);
            let step = match &lane.hold {
                Some(hold) if hold.is_on(now) => return hold.until,
                Some(hold) => hold.step + 1,
                None => 1,
            };
            let until = now + back_off(step);
            lane.hold = Some(Hold { until, step, why: why.to_owned(), is_over: false });
            lane.is_unsifted = true;
            until
        })
    }

    /// Something that was to run did not: it is next when the lane goes on. Those that still run found room.
    pub(crate) fn put_back(&self, key: &K, item: T, now: Timestamp) {
        self.with_lane(key, now, |lane, ready_bytes| {
            let id = item.id();
            lane.running.remove(&id);
            lane.window = lane.running.len().max(1);
            let bytes = item.bytes();
            if *ready_bytes + bytes <= READY_BYTES_MAX {
                *ready_bytes += bytes;
                lane.ready.push_front(item);
                lane.is_unsifted = true;
            } else {
                lane.let_go(&id, now);
                lane.mark(now);
            }
        });
        self.lock().running -= 1;
        self.ended.notify_waiters();
    }

    /// Takes out of what is ready in a lane, and still in hand, what `is_over`; [`Lanes::gave_up`] follows for each.
    pub(crate) fn take_out(&self, key: &K, now: Timestamp, mut is_over: impl FnMut(&T) -> bool) -> Vec<T> {
        self.with_lane(key, now, |lane, ready_bytes| {
            let (over, ready): (VecDeque<T>, VecDeque<T>) =
                std::mem::take(&mut lane.ready).into_iter().partition(|item| is_over(item));
            lane.ready = ready;
            *ready_bytes -= over.iter().map(Item::bytes).sum::<usize>();
            over.into()
        })
    }

    /// Takes items in hand by their ids, so that nothing runs them; those that run stay out of it and are not in the
    /// answer. [`Lanes::give_back`] follows for the others.
    pub(crate) fn take(&self, key: &K, ids: &[T::Id], now: Timestamp) -> Vec<T::Id> {
        self.with_lane(key, now, |lane, ready_bytes| {
            let free: HashSet<&T::Id> = ids.iter().filter(|id| !lane.running.contains(id)).collect();
            lane.ready.retain(|item| {
                let stays = !free.contains(&item.id());
                if !stays {
                    *ready_bytes -= item.bytes();
                }
                stays
            });
            lane.in_hand.extend(free.iter().map(|id| (*id).clone()));
            lane.taken.extend(free.iter().map(|id| (*id).clone()));
            free.into_iter().cloned().collect()
        })
    }

    /// Gives items back that [`Lanes::take`] took; what is still there of them is found on disk.
    pub(crate) fn give_back(&self, key: &K, ids: &[T::Id], now: Timestamp) {
        self.with_lane(key, now, |lane, _| {
            for id in ids {
                lane.taken.remove(id);
                lane.let_go(id, now);
            }
            lane.mark(now);
        });
    }

    /// What ended cannot be written: nothing is begun until this is dropped, or it would run for nothing should the
    /// engine end.
    pub(crate) fn stall(&self) -> Stall<'_, K, T> {
        self.lock().stalled += 1;
        self.ended.notify_waiters();
        Stall(self)
    }

    /// What runs, with its lane.
    pub(crate) fn running(&self) -> Vec<(K, T::Id)> {
        let state = self.lock();
        let of = |(key, lane): (&K, &Lane<T>)| {
            let key = key.clone();
            lane.running.iter().map(move |id| (key.clone(), id.clone())).collect::<Vec<_>>()
        };
        state.lanes.iter().flat_map(of).collect()
    }

    /// Until when a lane is held, and why.
    pub(crate) fn held(&self, key: &K, now: Timestamp) -> Option<(Timestamp, String)> {
        let state = self.lock();
        let hold = state.lanes.get(key)?.hold.as_ref()?;
        hold.is_on(now).then(|| (hold.until, hold.why.clone()))
    }

    /// Nothing is begun any more.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.stirred.notify_one();
        self.ended.notify_waiters();
    }

    /// Whether nothing is begun any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Waits until nothing runs.
    pub(crate) async fn drained(&self) {
        self.when(|state| state.running == 0).await;
    }

    /// Waits until everything that was due at some moment is in hand or waits for room.
    pub(crate) async fn caught_up(&self, now: Timestamp) {
        self.when(|state| {
            let is_behind = |lane: &Lane<T>| {
                let has_room =
                    lane.hold.as_ref().is_none_or(|hold| !hold.is_on(now)) && lane.running.len() < lane.window;
                lane.loading.is_some() || (has_room && (!lane.ready.is_empty() || lane.is_behind(now)))
            };
            let is_caught_up = state.stirred.is_empty() && !state.lanes.values().any(is_behind);
            state.is_closed || state.stalled > 0 || is_caught_up
        })
        .await;
    }

    async fn when(&self, mut holds: impl FnMut(&State<K, T>) -> bool) {
        loop {
            // Made first: what ends from here on wakes the wait below.
            let ended = self.ended.notified();
            if holds(&self.lock()) {
                return;
            }
            ended.await;
        }
    }

    /// Says that a round of moves is done, to those who wait for [`Lanes::caught_up`].
    pub(crate) fn looked(&self) {
        self.ended.notify_waiters();
    }
}

impl<K: Clone + Ord, T: Item> State<K, T> {
    fn look_at(&mut self, key: &K, now: Timestamp, room: Room, moves: &mut Vec<Move<K, T>>) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        let is_backlogged = |lane: &Lane<T>| !lane.ready.is_empty() || lane.is_behind(now);
        match &mut lane.hold {
            Some(hold) if hold.is_on(now) => {
                let until = hold.until;
                lane.look_again(until, key.clone(), &mut self.timers);
                if std::mem::take(&mut lane.is_unsifted) && !lane.ready.is_empty() {
                    moves.push(Move::Sift(key.clone()));
                }
            }
            hold => {
                if let Some(hold) = hold
                    && !hold.is_over
                {
                    // One more than those that found room before: that one tells whether there is room again.
                    hold.is_over = true;
                    lane.window = lane.running.len() + 1;
                    lane.moved_at = now;
                }
                if lane.running.is_empty() && !is_backlogged(lane) {
                    lane.window = room.window;
                }
                let stands_still = lane.running.len() >= lane.window && is_backlogged(lane);
                if stands_still && lane.moved_at + STANDSTILL <= now {
                    lane.window = (lane.window * 2).min(WINDOW_MAX);
                    lane.moved_at = now;
                }
                while lane.running.len() < lane.window
                    && let Some(item) = lane.ready.pop_front()
                {
                    self.ready_bytes -= item.bytes();
                    lane.running.insert(item.id());
                    self.running += 1;
                    if lane.running.len() == lane.window {
                        lane.moved_at = now;
                    }
                    moves.push(Move::Run(key.clone(), item));
                }
                if lane.running.len() >= lane.window && is_backlogged(lane) {
                    lane.look_again(lane.moved_at + STANDSTILL, key.clone(), &mut self.timers);
                }
            }
        }
        match lane.left_at {
            Some(at) if at > now => lane.look_again(at, key.clone(), &mut self.timers),
            Some(_) if lane.loading.is_none() && lane.ready.len() <= room.ready_low() => {
                if self.loading >= LOADING_MAX {
                    // Looked at again when a reading is done.
                    self.stirred.insert(key.clone());
                } else if self.ready_bytes <= READY_BYTES_MAX || lane.ready.is_empty() {
                    self.loading += 1;
                    lane.loading = Some(Reading { marks: lane.marks, let_go: HashSet::new() });
                    moves.push(Move::Load(
                        key.clone(),
                        Due {
                            now,
                            skip: lane.in_hand.iter().cloned().collect(),
                            items_max: room.ready_max - lane.ready.len(),
                            bytes_max: LOAD_BYTES,
                        },
                    ));
                }
            }
            _ => {}
        }
        if lane.is_idle() {
            if let Some(at) = lane.timer {
                self.timers.remove(&(at, key.clone()));
            }
            self.lanes.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    struct Piece(u32);

    impl Item for Piece {
        type Id = u32;

        fn id(&self) -> u32 {
            self.0
        }

        fn bytes(&self) -> usize {
            10
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    /// One arrives, as everything does.
    fn come(lanes: &Few, lane: &'static str, id: u32, now: Timestamp) {
        assert!(lanes.expect(&lane, id, now));
        lanes.arrived(&lane, Piece(id), now);
    }

    type Few = Lanes<&'static str, Piece>;

    fn few(window: usize) -> Few {
        Few::new(Room { window, ready_max: 64 })
    }

    /// What the next moves are, as `run LANE ID`, `load LANE COUNT but SKIPPED` and `sift LANE`.
    fn check(lanes: &Few, now: i64, expected: &[&str], wake: Option<i64>) {
        let (moves, at_last) = lanes.next_moves(at(now));
        let told = moves.iter().map(|made| match made {
            Move::Run(lane, Piece(id)) => format!("run {lane} {id}"),
            Move::Load(lane, due) => format!("load {lane} {} but {}", due.items_max, due.skip.len()),
            Move::Sift(lane) => format!("sift {lane}"),
        });
        assert_eq!(told.collect::<Vec<_>>(), expected, "at {now}");
        assert_eq!(at_last, wake.map(at), "when to look again, at {now}");
    }

    fn batch(ids: &[u32], next_at: Option<i64>) -> Batch<Piece> {
        Batch { items: ids.iter().map(|id| Piece(*id)).collect(), next_at: next_at.map(at) }
    }

    #[test]
    fn what_arrives_runs_within_the_window_of_its_lane() {
        let lanes = few(2);
        for id in 0..3 {
            come(&lanes, "a", id, at(0));
        }
        come(&lanes, "b", 9, at(0));
        check(&lanes, 0, &["run a 0", "run a 1", "run b 9"], Some(1));
        lanes.ended(&"a", &0, None, at(0));
        check(&lanes, 0, &["run a 2"], Some(1));
        for (lane, id) in [("a", 1), ("a", 2), ("b", 9)] {
            lanes.ended(&lane, &id, None, at(0));
        }
        check(&lanes, 1, &[], None);
        assert!(lanes.lock().lanes.is_empty(), "a lane without work is forgotten");
    }

    #[test]
    fn a_lane_in_which_nothing_ends_gets_more_room() {
        let lanes = few(1);
        for id in 0..8 {
            come(&lanes, "a", id, at(0));
        }
        check(&lanes, 0, &["run a 0"], Some(1));
        check(&lanes, 1, &["run a 1"], Some(2));
        check(&lanes, 2, &["run a 2", "run a 3"], Some(3));
    }

    #[test]
    fn a_refusal_holds_the_lane_and_no_other() {
        let lanes = few(4);
        for id in 0..3 {
            come(&lanes, "a", id, at(0));
        }
        check(&lanes, 0, &["run a 0", "run a 1", "run a 2"], None);
        for id in 0..3 {
            assert_eq!(lanes.hold(&"a", "full", at(0)), at(1), "all of them at once are one refusal");
            lanes.put_back(&"a", Piece(id), at(0));
        }
        come(&lanes, "b", 9, at(0));
        check(&lanes, 0, &["sift a", "run b 9"], Some(1));
        // With one it is tried again.
        check(&lanes, 1, &["run a 2"], Some(2));
        assert_eq!(lanes.hold(&"a", "full", at(1)), at(3));
        lanes.put_back(&"a", Piece(2), at(1));
        assert_eq!(lanes.held(&"a", at(2)), Some((at(3), "full".to_owned())));
        check(&lanes, 2, &["sift a"], Some(3));
        check(&lanes, 3, &["run a 2"], Some(4));
        lanes.ended(&"a", &2, None, at(3));
        check(&lanes, 3, &["run a 1", "run a 0"], Some(4));
        assert_eq!(lanes.hold(&"a", "full", at(3)), at(4), "a success forgets earlier refusals");
    }

    #[test]
    fn a_lane_that_is_tried_with_one_has_caught_up_while_that_one_runs() {
        let lanes = few(4);
        let has_caught_up = |now| {
            let mut asking = Context::from_waker(Waker::noop());
            pin!(lanes.caught_up(at(now))).poll(&mut asking).is_ready()
        };
        for id in 0..3 {
            come(&lanes, "a", id, at(0));
        }
        assert!(!has_caught_up(0), "nothing of it runs");
        check(&lanes, 0, &["run a 0", "run a 1", "run a 2"], None);
        for id in 0..3 {
            lanes.hold(&"a", "full", at(0));
            lanes.put_back(&"a", Piece(id), at(0));
        }
        check(&lanes, 0, &["sift a"], Some(1));
        assert!(has_caught_up(0), "it waits until second 1");
        assert!(!has_caught_up(1), "it may go on");
        check(&lanes, 1, &["run a 2"], Some(2));
        assert!(has_caught_up(1), "the others wait for the one that runs");
    }

    #[test]
    fn what_is_due_is_read_and_nothing_twice() {
        let lanes = few(1);
        lanes.due(&"a", at(5), at(0));
        check(&lanes, 0, &[], Some(5));
        check(&lanes, 5, &["load a 64 but 0"], None);
        lanes.loaded(&"a", Some(batch(&[1, 2], Some(9))), at(5));
        check(&lanes, 5, &["run a 1"], Some(6));
        lanes.due(&"a", at(5), at(5));
        check(&lanes, 5, &["load a 63 but 2"], Some(6));
        // What came while it was read is not lost.
        lanes.due(&"a", at(5), at(5));
        lanes.loaded(&"a", Some(batch(&[2, 3], None)), at(5));
        check(&lanes, 5, &["load a 62 but 3"], Some(6));
        // A reading that failed is repeated, but not at once, whatever comes.
        lanes.loaded(&"a", None, at(5));
        lanes.due(&"a", at(9), at(5));
        check(&lanes, 5, &[], Some(6));
        lanes.ended(&"a", &1, None, at(5));
        check(&lanes, 6, &["run a 2", "load a 63 but 2"], Some(7));
    }

    #[test]
    fn one_is_tried_after_a_refusal_also_while_others_run() {
        // Else a slot that is free again stays so until one of those that run has ended.
        let lanes = few(4);
        for id in 0..6 {
            come(&lanes, "a", id, at(0));
        }
        check(&lanes, 0, &["run a 0", "run a 1", "run a 2", "run a 3"], Some(1));
        for id in [2, 3] {
            lanes.hold(&"a", "full", at(0));
            lanes.put_back(&"a", Piece(id), at(0));
        }
        check(&lanes, 1, &["run a 3"], Some(2));
        // It found room; so may others.
        check(&lanes, 2, &["run a 2", "run a 4", "run a 5"], None);
        assert_eq!(lanes.hold(&"a", "full", at(2)), at(4), "the second in a row");
        for id in [2, 4, 5] {
            lanes.put_back(&"a", Piece(id), at(2));
        }
        check(&lanes, 2, &["sift a"], Some(4));
        lanes.ended(&"a", &0, None, at(3));
        // In the place of the one that ended, and one more.
        check(&lanes, 3, &["run a 5", "run a 4"], Some(4));
    }

    #[test]
    fn a_function_with_one_slot_is_not_asked_for_all_the_room_at_each_end() {
        let lanes = few(4);
        for id in 0..60 {
            come(&lanes, "a", id, at(0));
        }
        let (mut has_slot, mut ran, mut refused) = (false, 0, 0);
        // Each runs for a tenth of a second.
        for tenth in 0..50 {
            let now = at(0) + Duration::from_millis(tenth * 100);
            for made in lanes.next_moves(now).0 {
                let Move::Run(lane, piece) = made else { continue };
                if std::mem::replace(&mut has_slot, true) {
                    lanes.hold(&lane, "full", now);
                    lanes.put_back(&lane, piece, now);
                    refused += 1;
                }
            }
            let running = lanes.running();
            assert_eq!(running.len(), 1, "at {now}");
            lanes.ended(&"a", &running[0].1, None, now);
            has_slot = false;
            ran += 1;
        }
        assert_eq!(ran, 50, "the slot is never free");
        // Three at first, and one in each second.
        assert_eq!(refused, 7);
        // Once there is room for all, all of it is taken.
        let mut most = 0;
        for tenth in 60..66 {
            let now = at(0) + Duration::from_millis(tenth * 100);
            lanes.next_moves(now);
            most = lanes.running().len();
            for (lane, id) in lanes.running().into_iter().take(1) {
                lanes.ended(&lane, &id, None, now);
            }
        }
        assert_eq!(most, 4);
    }

    #[test]
    fn a_calendar_that_is_set_back_holds_nothing_up() {
        let lanes = few(1);
        come(&lanes, "a", 1, at(10_000));
        check(&lanes, 10_000, &["run a 1"], None);
        lanes.hold(&"a", "full", at(10_000));
        lanes.put_back(&"a", Piece(1), at(10_000));
        check(&lanes, 10_000, &["sift a"], Some(10_001));
        come(&lanes, "a", 2, at(500));
        assert_eq!(lanes.held(&"a", at(500)), None);
        let (moves, _) = lanes.next_moves(at(500));
        assert!(matches!(moves[..], [Move::Run("a", Piece(1))]));
    }

    #[test]
    fn what_was_let_go_while_it_was_read_is_not_run_as_it_was() {
        // Else an event that has just succeeded runs again.
        let lanes = few(4);
        lanes.due(&"a", at(0), at(0));
        check(&lanes, 0, &["load a 64 but 0"], None);
        for (id, again_at) in [(1, None), (2, Some(at(60)))] {
            lanes.with_lane(&"a", at(0), |lane, _| lane.in_hand.insert(id));
            lanes.ended(&"a", &id, again_at, at(0));
        }
        lanes.loaded(&"a", Some(batch(&[1, 2, 3], None)), at(0));
        // What is still there of them is read again.
        check(&lanes, 0, &["run a 3", "load a 64 but 1"], None);
        lanes.loaded(&"a", Some(batch(&[], Some(60))), at(0));
        lanes.ended(&"a", &3, None, at(0));
        check(&lanes, 0, &[], Some(60));
    }

    #[test]
    fn what_is_redriven_while_it_is_let_go_is_found() {
        let lanes = few(4);
        come(&lanes, "a", 1, at(0));
        check(&lanes, 0, &["run a 1"], None);
        // Its end is on disk, and redriven, and the lane has not heard of it yet.
        lanes.due_again(&"a", at(0), at(0));
        check(&lanes, 0, &["load a 64 but 1"], None);
        lanes.loaded(&"a", Some(batch(&[], None)), at(0));
        lanes.ended(&"a", &1, None, at(0));
        check(&lanes, 0, &["load a 64 but 0"], None);
    }

    #[test]
    fn what_waits_on_disk_goes_before_what_arrives() {
        // Else those on disk starve while events come as fast as they run.
        let lanes = few(1);
        for id in 0..70 {
            come(&lanes, "a", id, at(0));
        }
        for id in 0..40 {
            check(&lanes, 0, &[&format!("run a {id}")], Some(1));
            lanes.ended(&"a", &id, None, at(0));
        }
        assert_eq!(lanes.lock().ready_bytes, 240);
        come(&lanes, "a", 70, at(0));
        assert_eq!(lanes.lock().ready_bytes, 240, "it waits its turn on disk");
    }

    #[test]
    fn what_is_being_written_is_found_by_nobody_else() {
        // Else one that was written, read, run and settled before its writer heard of it runs again.
        let lanes = few(4);
        assert!(lanes.expect(&"a", 1, at(0)));
        lanes.due(&"a", at(0), at(0));
        check(&lanes, 0, &["load a 64 but 1"], None);
        lanes.loaded(&"a", Some(batch(&[], None)), at(0));
        assert!(!lanes.expect(&"a", 1, at(0)), "the same once more");
        lanes.arrived(&"a", Piece(1), at(0));
        check(&lanes, 0, &["run a 1"], None);
        // Somebody removes it meanwhile, or has done so: it is looked for, and not run.
        assert!(lanes.expect(&"a", 2, at(0)) && lanes.expect(&"a", 3, at(0)));
        let taken = lanes.take(&"a", &[2, 3], at(0));
        lanes.arrived(&"a", Piece(2), at(0));
        check(&lanes, 0, &["load a 64 but 3"], None);
        lanes.give_back(&"a", &taken, at(0));
        lanes.arrived(&"a", Piece(3), at(0));
        lanes.loaded(&"a", Some(batch(&[2, 3], None)), at(0));
        check(&lanes, 0, &["load a 64 but 1"], None);
        // Nobody knows whether it was written.
        assert!(lanes.expect(&"b", 3, at(0)));
        lanes.stayed_away(&"b", &3, at(0));
        check(&lanes, 0, &["load b 64 but 0"], None);
    }

    #[test]
    fn while_ends_cannot_be_written_nothing_begins() {
        let lanes = few(1);
        let stalls = [lanes.stall(), lanes.stall()];
        come(&lanes, "a", 1, at(0));
        for stall in stalls {
            check(&lanes, 0, &[], None);
            drop(stall);
        }
        check(&lanes, 0, &["run a 1"], None);
    }

    #[test]
    fn lanes_that_wait_for_a_reading_do_not_spin() {
        let lanes = Lanes::<u32, Piece>::new(Room { window: 1, ready_max: 64 });
        for lane in 0..10 {
            lanes.due(&lane, at(0), at(0));
        }
        assert_eq!(lanes.next_moves(at(0)).0.len(), LOADING_MAX);
        assert!(lanes.next_moves(at(0)).0.is_empty());
        let mut woken = std::pin::pin!(lanes.stirred());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(woken.as_mut().poll(&mut context).is_ready(), "for what was due");
        let mut woken = std::pin::pin!(lanes.stirred());
        assert!(woken.as_mut().poll(&mut context).is_pending(), "and not for those that wait");
        lanes.loaded(&0, Some(batch(&[], None)), at(0));
        assert!(woken.as_mut().poll(&mut context).is_ready());
        assert_eq!(lanes.next_moves(at(0)).0.len(), 1);
    }

    #[test]
    fn what_is_taken_is_not_run() {
        let lanes = few(1);
        for id in 0..3 {
            come(&lanes, "a", id, at(0));
        }
        check(&lanes, 0, &["run a 0"], Some(1));
        let mut taken = lanes.take(&"a", &[0, 1, 7], at(0));
        taken.sort_unstable();
        assert_eq!(taken, [1, 7], "what runs stays out of it");
        lanes.ended(&"a", &0, None, at(0));
        check(&lanes, 0, &["run a 2"], Some(1));
        lanes.give_back(&"a", &[1, 7], at(0));
        check(&lanes, 0, &["load a 64 but 1"], Some(1));
    }

    #[test]
    fn too_much_to_hold_is_left_on_disk() {
        let lanes = few(1);
        for id in 0..100 {
            come(&lanes, "a", id, at(0));
        }
        assert_eq!(lanes.lock().ready_bytes, 640);
        check(&lanes, 0, &["run a 0"], Some(1));
        let over = lanes.take_out(&"a", at(0), |piece| piece.0 < 60);
        assert_eq!(over.len(), 59);
        check(&lanes, 0, &["load a 60 but 64"], Some(1));
        for piece in &over {
            lanes.gave_up(&"a", &piece.0, None, at(0));
        }
        assert_eq!(lanes.lock().ready_bytes, 40);
    }
}
