//! Packages that somebody has kept and not yet put into a function.
//!
//! `Packages::keep` and the `Records` call that names the package are two steps; between them nothing on disk says that
//! the package is wanted. So keeping takes a hold, and the write that puts the package into a function gives one back:
//! an insert whatever its answer, a replace that changes the package. Held packages are never removed. A hold whose write
//! never comes ends with the process; then `retain` finds the package unused.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use domain::function::Digest;

/// How many holds there are on each package.
#[derive(Debug, Default)]
pub(crate) struct Holds(Mutex<HashMap<Digest, usize>>);

impl Holds {
    /// Takes a hold that is given back if it is dropped before [`Hold::stay`].
    pub(crate) fn take(self: &Arc<Self>, package: Digest) -> Hold {
        *self.counts().entry(package).or_default() += 1;
        Hold { holds: self.clone(), package, stays: false }
    }

    /// Gives one back, if there is one.
    pub(crate) fn release(&self, package: Digest) {
        let mut counts = self.counts();
        if let Some(count) = counts.get_mut(&package) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&package);
            }
        }
    }

    /// Whether there is any.
    pub(crate) fn is_held(&self, package: Digest) -> bool {
        self.counts().contains_key(&package)
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Digest, usize>> {
        self.0.lock().expect("nothing that holds it panics")
    }
}

/// One hold.
pub(crate) struct Hold {
    holds: Arc<Holds>,
    package: Digest,
    stays: bool,
}

impl Hold {
    /// Leaves the hold to the write that is to come.
    pub(crate) fn stay(mut self) {
        self.stays = true;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.stays {
            self.holds.release(self.package);
        }
    }
}
