//! Packages that somebody has kept and not yet put into a function.
//!
//! `Packages::keep` and the `Records` call that names the package are two steps; between them nothing on disk says that
//! the package is wanted. So keeping hands out a hold, and held packages are never removed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use domain::function::Digest;

/// How many holds there are on each package.
#[derive(Debug, Default)]
pub(crate) struct Holds(Mutex<HashMap<Digest, usize>>);

impl Holds {
    /// Takes a hold, which is given back when it is dropped.
    pub(crate) fn take(self: &Arc<Self>, package: Digest) -> Hold {
        *self.counts().entry(package).or_default() += 1;
        Hold { holds: self.clone(), package }
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
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut counts = self.holds.counts();
        if let Some(count) = counts.get_mut(&self.package) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.package);
            }
        }
    }
}
