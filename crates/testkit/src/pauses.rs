//! Pauses by chance, so that what goes on at the same time meets in every order.

use engine::ports::Dice;

use crate::dice::LoadedDice;

/// None, until told otherwise.
#[derive(Debug, Default)]
pub struct Pauses(std::sync::OnceLock<LoadedDice>);

impl Pauses {
    /// From now on there are some.
    pub fn begin(&self, seed: u64) {
        // Who begins twice keeps the first seed.
        let _ = self.0.set(LoadedDice::seeded(seed));
    }

    /// Lets others go first, a few times, mostly not at all.
    pub async fn pause(&self) {
        let Some(dice) = self.0.get() else { return };
        let bits = dice.bits();
        let turns = if bits.is_multiple_of(3) { (bits >> 8) % 12 } else { 0 };
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }
}
