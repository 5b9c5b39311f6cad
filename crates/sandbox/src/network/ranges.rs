//! The addresses of environments: a range for each engine, and in it two addresses for each environment.
//!
//! Ranges are from 100.64.0.0/10, which is meant for networks behind address translation (RFC 6598); an environment
//! and the host's end of its link are a network of two addresses (RFC 3021).
//! Never here: links.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

/// A network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// Its first address.
    pub first: Ipv4Addr,
    /// How many bits of it are the network's.
    pub prefix: u8,
}

/// Bits of an engine's range.
const PREFIX: u8 = 16;
/// How many such ranges there are to choose from.
const CHOICES: u32 = 64;
/// Bits of an environment's network.
pub(crate) const LINK_PREFIX: u8 = 31;
/// Environments that may have a link at once: as many as there are pairs of addresses.
const SLOTS: u16 = 1 << 15;

impl Range {
    /// Whether the two have an address in common.
    pub(crate) fn overlaps(self, other: Self) -> bool {
        let shared = u32::from(self.prefix.min(other.prefix));
        let mask = u32::MAX.checked_shl(32 - shared).unwrap_or(0);
        u32::from(self.first) & mask == u32::from(other.first) & mask
    }

    /// `count` ranges for engines that overlap none of `taken`; where to begin to look is `from`. Fewer where there
    /// are no more.
    pub(crate) fn free(from: u32, taken: &[Self], count: usize) -> Vec<Self> {
        let choice = |number: u32| {
            let bits = u32::from(Ipv4Addr::new(100, 64, 0, 0)) | ((number % CHOICES) << 16);
            Self { first: Ipv4Addr::from(bits), prefix: PREFIX }
        };
        let choices = (0..CHOICES).map(|step| choice((from % CHOICES) + step));
        choices.filter(|one| !taken.iter().any(|other| one.overlaps(*other))).take(count).collect()
    }

    /// The addresses of a slot: the host's end of the link, and the environment's.
    pub(crate) fn pair(self, slot: u16) -> (Ipv4Addr, Ipv4Addr) {
        let host = u32::from(self.first) | (u32::from(slot) << 1);
        (Ipv4Addr::from(host), Ipv4Addr::from(host | 1))
    }
}

/// Which slots are taken. One that was given back is used again as late as can be, because its link may live on for
/// some moments.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    fresh: u16,
    given_back: VecDeque<u16>,
}

impl Slots {
    /// A slot that nobody has.
    pub(crate) fn take(&mut self) -> Option<u16> {
        if self.fresh < SLOTS {
            self.fresh += 1;
            return Some(self.fresh - 1);
        }
        self.given_back.pop_front()
    }

    /// To be called once for each that was taken.
    pub(crate) fn give_back(&mut self, slot: u16) {
        self.given_back.push_back(slot);
    }
}

/// A slot in as few characters as a link's name has left: three, of letters and digits.
pub(crate) fn slot_name(slot: u16) -> String {
    let digit = |value: u16| char::from_digit(u32::from(value % 36), 36).expect("less than 36");
    [digit(slot / 36 / 36), digit(slot / 36), digit(slot)].iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: [u8; 4], prefix: u8) -> Range {
        Range { first: first.into(), prefix }
    }

    #[test]
    fn a_range_in_use_is_not_chosen() {
        let taken = [range([100, 65, 3, 0], 24), range([100, 66, 0, 0], 15)];
        let free = Range::free(1, &taken, 2);
        assert_eq!(free, [range([100, 68, 0, 0], 16), range([100, 69, 0, 0], 16)]);
        assert!(Range::free(7, &[range([100, 0, 0, 0], 8)], 1).is_empty());
        assert_eq!(Range::free(63, &[range([100, 127, 0, 0], 16)], 1), [range([100, 64, 0, 0], 16)]);
    }

    #[test]
    fn every_slot_has_addresses_and_a_name_of_its_own() {
        let range = range([100, 70, 0, 0], 16);
        assert_eq!(range.pair(0), ([100, 70, 0, 0].into(), [100, 70, 0, 1].into()));
        assert_eq!(range.pair(SLOTS - 1), ([100, 70, 255, 254].into(), [100, 70, 255, 255].into()));
        let names: std::collections::HashSet<String> = (0..SLOTS).map(slot_name).collect();
        assert_eq!(names.len(), usize::from(SLOTS));
        assert!(names.iter().all(|name| name.len() == 3));
    }

    #[test]
    fn a_slot_is_used_again_only_after_all_others() {
        let mut slots = Slots::default();
        assert_eq!(slots.take(), Some(0));
        slots.give_back(0);
        let rest: Vec<u16> = std::iter::from_fn(|| slots.take()).collect();
        assert_eq!(rest.len(), usize::from(SLOTS));
        assert_eq!(rest.last(), Some(&0));
        assert_eq!(slots.take(), None);
    }
}
