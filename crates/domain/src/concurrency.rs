//! How many executions may run at once, and who is refused.
//!
//! Never here: the live counters.

use crate::error::{Refusal, ThrottleReason};

/// The limits that one invocation is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Concurrent executions of the account.
    pub account: u32,
}

/// What is running now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Executions of the account, from acceptance until the runtime asked for its next event.
    pub account: u32,
}

/// Whether one more may run.
///
/// # Errors
/// The account's concurrency is used up.
pub fn admit(limits: Limits, counts: Counts) -> Result<(), Refusal> {
    if counts.account < limits.account {
        Ok(())
    } else {
        Err(Refusal::Throttled { reason: ThrottleReason::ConcurrentInvocationLimitExceeded })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn never_more_and_never_fewer_than_the_limit(limit in 0_u32..2_000, running in 0_u32..2_000) {
            let admitted = admit(Limits { account: limit }, Counts { account: running }).is_ok();
            proptest::prop_assert_eq!(admitted, running < limit);
        }
    }
}
