//! Seeded dice: the same row of numbers each time.

/// xorshift64*; the seed is not zero.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number from 0 to one less than `sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % sides
    }
}
