//! Which users of the host stand for the users of an environment: where the engine is root, each environment that lives
//! has a block of numbers that nobody else has, so that what one leaves behind is never another's.
//!
//! Never here: who a function is inside.

use std::collections::BTreeSet;
use std::fs;

use super::kind::Kind;
use super::protocol::Refused;
use super::view::{Right, step};

/// Users and groups of one environment, as many as Linux has had from its beginning.
const BLOCK: u32 = 0x1_0000;
/// Environments that can live at once.
const BLOCKS_MAX: u32 = 4096;

/// The first of its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Block(pub(super) u32);

/// The blocks that are free.
pub(super) struct Users {
    first: u32,
    /// Blocks below this one have been given out at least once.
    fresh: u32,
    returned: BTreeSet<Block>,
}

impl Users {
    pub(super) fn from(first: u32) -> Self {
        Self { first, fresh: 0, returned: BTreeSet::new() }
    }

    /// Numbers that nobody has.
    pub(super) fn take(&mut self) -> Result<Block, Refused> {
        self.free().ok_or(Refused { step: "take(users)".to_owned(), errno: libc::EAGAIN })
    }

    fn free(&mut self) -> Option<Block> {
        if let Some(block) = self.returned.pop_first() {
            return Some(block);
        }
        let block = self.first.checked_add(self.fresh.checked_mul(BLOCK)?)?;
        (self.fresh < BLOCKS_MAX).then(|| self.fresh += 1)?;
        Some(Block(block))
    }

    pub(super) fn give_back(&mut self, block: Block) {
        self.returned.insert(block);
    }

    /// Says who the users of a new process in a user namespace of its own are.
    pub(super) fn map(&mut self, kind: Kind, pid: i32) -> Result<Option<Block>, Refused> {
        let (map, block) = match kind {
            Kind::Isolated(Right::Own) => {
                let block = self.take()?;
                (format!("0 {} {BLOCK}", block.0), Some(block))
            }
            // One user is all that we have, and that is root in our own namespace.
            _ => ("0 0 1".to_owned(), None),
        };
        let written = ["uid_map", "gid_map"].into_iter().try_for_each(|name| {
            fs::write(format!("/proc/{pid}/{name}"), &map).map_err(step(&format!("write({name})")))
        });
        if let (Err(_), Some(block)) = (&written, block) {
            self.give_back(block);
        }
        written.map(|()| block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_environments_that_live_have_a_user_in_common() {
        let mut users = Users::from(0x7000_0000);
        let all: Vec<Block> = std::iter::from_fn(|| users.take().ok()).collect();
        assert_eq!(all.len(), usize::try_from(BLOCKS_MAX).unwrap());
        assert!(all.windows(2).all(|pair| pair[1].0 - pair[0].0 == BLOCK));
        users.give_back(all[7]);
        assert_eq!((users.take().ok(), users.take().ok()), (Some(all[7]), None));
    }

    #[test]
    fn numbers_do_not_run_over() {
        let mut users = Users::from(u32::MAX - BLOCK);
        let taken = [users.take(), users.take(), users.take()].map(|taken| taken.ok().map(|block| block.0));
        assert_eq!(taken, [Some(u32::MAX - BLOCK), Some(u32::MAX), None]);
    }
}
