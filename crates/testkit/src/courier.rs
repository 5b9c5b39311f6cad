//! A courier that carries nothing and remembers everything.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use domain::destination::Parcel;
use engine::ports::{Clock, Courier, Undelivered, Wait};
use jiff::Timestamp;

use crate::pauses::Pauses;

/// See the module.
pub struct FakeCourier {
    clock: Arc<dyn Clock>,
    carried: Mutex<Vec<Carried>>,
    down: Mutex<BTreeMap<String, String>>,
    /// Before each answer.
    pub pauses: Pauses,
}

/// One try.
#[derive(Clone, Debug, PartialEq)]
pub struct Carried {
    /// When.
    pub at: Timestamp,
    /// Whose.
    pub target: String,
    /// What.
    pub parcel: Parcel,
    /// Whether it arrived.
    pub arrived: bool,
}

impl FakeCourier {
    /// Every target takes what it is given.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, carried: Mutex::default(), down: Mutex::default(), pauses: Pauses::default() })
    }

    /// From now on nothing arrives at a target, for this reason.
    pub fn fail(&self, target: &str, why: &str) {
        lock(&self.down).insert(target.to_owned(), why.to_owned());
    }

    /// From now on everything arrives there.
    pub fn mend(&self, target: &str) {
        lock(&self.down).remove(target);
    }

    /// Every try so far.
    pub fn carried(&self) -> Vec<Carried> {
        lock(&self.carried).clone()
    }

    /// What has arrived at a target, in order.
    pub fn arrived(&self, target: &str) -> Vec<Parcel> {
        let carried = lock(&self.carried);
        let arrived = carried.iter().filter(|one| one.arrived && one.target == target);
        arrived.map(|one| one.parcel.clone()).collect()
    }
}

/// What a parcel holds.
pub fn body(parcel: &Parcel) -> &Bytes {
    match parcel {
        Parcel::Queue { body, .. } | Parcel::Topic { body, .. } | Parcel::Object { body, .. } => body,
        Parcel::Bus { detail, .. } => detail,
        Parcel::Function { payload, .. } => payload,
    }
}

fn target(parcel: &Parcel) -> String {
    match parcel {
        Parcel::Queue { arn, .. }
        | Parcel::Topic { arn, .. }
        | Parcel::Bus { arn, .. }
        | Parcel::Function { arn, .. } => arn.clone(),
        Parcel::Object { bucket, .. } => format!("arn:aws:s3:::{bucket}"),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Courier for FakeCourier {
    fn send(&self, parcel: Parcel) -> Wait<'_, Result<(), Undelivered>> {
        Box::pin(async move {
            self.pauses.pause().await;
            let target = target(&parcel);
            let why = lock(&self.down).get(&target).cloned();
            lock(&self.carried).push(Carried { at: self.clock.now(), target, parcel, arrived: why.is_none() });
            self.pauses.pause().await;
            why.map_or(Ok(()), |why| Err(Undelivered { why }))
        })
    }
}
