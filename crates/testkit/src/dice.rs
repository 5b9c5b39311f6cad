//! Loaded dice: every run throws the same.

use std::sync::atomic::{AtomicU64, Ordering};

use engine::ports::Dice;
use uuid::Uuid;

/// Counts up from 1, spread over the whole width.
#[derive(Debug, Default)]
pub struct LoadedDice(AtomicU64);

impl LoadedDice {
    /// Another sequence for each seed.
    pub fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(Self(AtomicU64::new(seed)).bits()))
    }
}

impl Dice for LoadedDice {
    fn uuid(&self) -> Uuid {
        Uuid::from_u64_pair(self.bits(), self.bits())
    }

    fn bits(&self) -> u64 {
        // SplitMix64 of the count: neighbours look unrelated, and the sequence is the same each time.
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
