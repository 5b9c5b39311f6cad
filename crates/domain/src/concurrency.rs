//! How many executions may run at once and how many may begin in a second, and who is refused.
//!
//! The account's concurrency is one pool. A reservation takes its share out of it, for the function alone and as its cap;
//! provisioned concurrency takes its share out of the function's reservation, or out of the pool where the function has
//! none (AWS developer guide, lambda-concurrency). Never here: the live counters.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::alias::Alias;
use crate::error::{Refusal, ThrottleReason};
use crate::limits;
use crate::names::{AliasName, Qualifier, Version};
use crate::settings::Settings;

/// What the account may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Concurrent executions of the account.
    pub account: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { account: limits::ACCOUNT_CONCURRENCY }
    }
}

/// What has been promised, as it concerns one function and one of its versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// Executions of the account that only certain functions may use, see [`set_aside`].
    pub set_aside: u32,
    /// The function's reservation.
    pub reserved: Option<u32>,
    /// Provisioned for any version of the function.
    pub provisioned: u32,
    /// Provisioned for this version.
    pub provisioned_here: u32,
}

/// What is running now, from acceptance until the runtime asked for its next event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Executions of the account.
    pub account: u32,
    /// Of those, the ones in the pool that nobody has reserved.
    pub unreserved: u32,
    /// Executions of the function.
    pub function: u32,
    /// Of those, the ones outside of its provisioned concurrency.
    pub on_demand: u32,
    /// Executions of this version within its provisioned concurrency.
    pub provisioned_here: u32,
}

/// The rates at which executions may begin.
#[derive(Debug)]
pub struct Rates<'a> {
    /// Of the function's, outside of provisioned concurrency.
    pub on_demand: &'a mut Rate,
    /// Of this version's, within its provisioned concurrency.
    pub provisioned_here: &'a mut Rate,
}

/// Out of what an execution is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Out of the version's provisioned concurrency.
    Provisioned,
    /// Out of what is left of the function's reservation.
    Reserved,
    /// Out of the account's pool.
    Unreserved,
}

/// Whether one more may run, and as what. Provisioned concurrency comes first; beyond it, by number or by rate, calls
/// are served on demand (AWS developer guide, lambda-concurrency: "spills over").
///
/// # Errors
/// A limit is reached.
pub fn admit(
    limits: Limits,
    shares: &Shares,
    counts: &Counts,
    now: Duration,
    rates: Rates<'_>,
) -> Result<Unit, ThrottleReason> {
    let Rates { on_demand, provisioned_here } = rates;
    let (full, too_fast) = match shares.reserved {
        Some(_) => (
            ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded,
            ThrottleReason::ReservedFunctionInvocationRateLimitExceeded,
        ),
        None => {
            (ThrottleReason::ConcurrentInvocationLimitExceeded, ThrottleReason::FunctionInvocationRateLimitExceeded)
        }
    };
    // The shares below add up to no more than these; but what runs may be left from other shares than today's.
    if shares.reserved.is_some_and(|reserved| counts.function >= reserved) {
        return Err(full);
    }
    if counts.account >= limits.account {
        return Err(ThrottleReason::ConcurrentInvocationLimitExceeded);
    }
    if counts.provisioned_here < shares.provisioned_here && provisioned_here.begin(now, shares.provisioned_here) {
        return Ok(Unit::Provisioned);
    }
    let (unit, running, may_run, paced_by) = if let Some(reserved) = shares.reserved {
        let left = reserved.saturating_sub(shares.provisioned);
        (Unit::Reserved, counts.on_demand, left, left)
    } else {
        let left = limits.account.saturating_sub(shares.set_aside);
        (Unit::Unreserved, counts.unreserved, left, limits.account)
    };
    if running >= may_run {
        Err(full)
    } else if on_demand.begin(now, paced_by) {
        Ok(unit)
    } else {
        Err(too_fast)
    }
}

/// How fast executions begin: ten a second for each unit of concurrency, with a second's worth at once after a pause
/// (AWS developer guide, gettingstarted-limits, "Invocation requests per function per Region (synchronous)").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Until when what has begun is accounted for, in attoseconds, so that a burst is exact at any rate.
    busy_until: u128,
    /// At how many units; what has begun weighs less where there are more.
    units: u32,
}

const ATTOSECONDS_PER_NANOSECOND: u128 = 1_000_000_000;
const ATTOSECONDS_PER_SECOND: u128 = 1_000_000_000 * ATTOSECONDS_PER_NANOSECOND;

impl Rate {
    /// Whether nothing is left of what has begun: it is as good as a new one.
    pub fn is_rested(&self, now: Duration) -> bool {
        self.busy_until <= now.as_nanos() * ATTOSECONDS_PER_NANOSECOND
    }

    /// Begins one where that is not too fast for so many units.
    pub fn begin(&mut self, now: Duration, units: u32) -> bool {
        let per_second = u128::from(units) * limits::REQUESTS_PER_SECOND_AND_UNIT;
        if per_second == 0 {
            return false;
        }
        let now = now.as_nanos() * ATTOSECONDS_PER_NANOSECOND;
        let mut busy_for = self.busy_until.saturating_sub(now);
        if self.units != units {
            busy_for = busy_for * u128::from(self.units) / u128::from(units);
        }
        let busy_for = busy_for + ATTOSECONDS_PER_SECOND / per_second;
        let fits = busy_for <= ATTOSECONDS_PER_SECOND;
        if fits {
            *self = Self { busy_until: now + busy_for, units };
        }
        fits
    }
}

/// How much of the account's concurrency only one function may use.
pub fn set_aside(settings: &Settings) -> u32 {
    let provisioned = provisioned(settings);
    settings.reserved.map_or(provisioned, |reserved| reserved.max(provisioned))
}

/// How much is provisioned for all versions of a function together.
pub fn provisioned(settings: &Settings) -> u32 {
    settings.provisioned.values().fold(0, |sum, config| sum.saturating_add(config.requested))
}

/// How much is provisioned for one version: by its own configuration, or by those of aliases that name it.
pub fn provisioned_for(settings: &Settings, aliases: &BTreeMap<AliasName, Alias>, version: Version) -> u32 {
    let meant = settings.provisioned.iter().filter(|(qualifier, _)| provides(aliases, qualifier) == Some(version));
    meant.fold(0, |sum, (_, config)| sum.saturating_add(config.requested))
}

/// For which version environments are kept where the configuration is that of `qualifier`. The second version of an
/// alias gets none.
pub fn provides(aliases: &BTreeMap<AliasName, Alias>, qualifier: &Qualifier) -> Option<Version> {
    match qualifier {
        Qualifier::Latest => Some(Version::Latest),
        Qualifier::Version(number) => Some(Version::Published(*number)),
        Qualifier::Alias(name) => aliases.get(name).map(|alias| alias.version),
    }
}

/// What stays unreserved at least. An account with less than that in all cannot reserve anything (AWS developer guide,
/// configuration-concurrency).
fn unreserved_min(limits: Limits) -> u32 {
    limits.account.min(limits::UNRESERVED_CONCURRENCY_MIN)
}

/// Whether a function may reserve so much, where `others` is what all other functions have set aside.
///
/// # Errors
/// Too little would be left for them, or for the function's own provisioned concurrency.
pub fn check_reservation(limits: Limits, others: u32, own: &Settings, reserved: u32) -> Result<(), Refusal> {
    let provisioned = provisioned(own);
    if reserved < provisioned {
        return Err(Refusal::ReservedBelowProvisioned { reserved, provisioned });
    }
    let min = unreserved_min(limits);
    // To stop a function is always possible.
    if reserved > 0 && limits.account.saturating_sub(others) < reserved.saturating_add(min) {
        return Err(Refusal::ReservedTooMuch { unreserved_min: min });
    }
    Ok(())
}

/// Whether so much may be provisioned for one qualifier of a function; `others` as for [`check_reservation`].
///
/// # Errors
/// The function's reservation or the account's concurrency does not allow it.
pub fn check_provisioned(
    limits: Limits,
    others: u32,
    own: &Settings,
    qualifier: &Qualifier,
    requested: u32,
) -> Result<(), Refusal> {
    let before = own.provisioned.get(qualifier).map_or(0, |config| config.requested);
    let for_others = provisioned(own) - before;
    let total = for_others.saturating_add(requested);
    if let Some(reserved) = own.reserved {
        return if total > reserved { Err(Refusal::ProvisionedBeyondReserved) } else { Ok(()) };
    }
    let unreserved = limits.account.saturating_sub(others).saturating_sub(for_others);
    let min = unreserved_min(limits);
    if requested > unreserved {
        Err(Refusal::ProvisionedBeyondUnreserved { unreserved })
    } else if unreserved - requested < min {
        Err(Refusal::ProvisionedTooMuch { unreserved_min: min })
    } else {
        Ok(())
    }
}

/// Whether a qualifier may have provisioned concurrency of its own, besides that of others.
///
/// # Errors
/// It names what cannot have any, or what has it by another name (recorded: `test_lambda_provisioned_lifecycle`).
pub fn check_provides(
    settings: &Settings,
    aliases: &BTreeMap<AliasName, Alias>,
    qualifier: &Qualifier,
) -> Result<(), Refusal> {
    match qualifier {
        Qualifier::Latest => Err(Refusal::ProvisionedForLatest),
        Qualifier::Alias(name) => aliases.get(name).map_or(Ok(()), |alias| {
            // Observed on AWS; recorded nowhere.
            if alias.routing.is_some() { Err(Refusal::ProvisionedForWeights) } else { check_alias(settings, alias) }
        }),
        Qualifier::Version(number) => {
            let is_pointed_at =
                |name: &AliasName| aliases.get(name).is_some_and(|alias| alias.version == Version::Published(*number));
            let by_alias = settings.provisioned.keys().any(|other| match other {
                Qualifier::Alias(name) => is_pointed_at(name),
                Qualifier::Latest | Qualifier::Version(_) => false,
            });
            if by_alias { Err(Refusal::ProvisionedByAlias) } else { Ok(()) }
        }
    }
}

/// Whether an alias with provisioned concurrency may name the version that it names.
///
/// # Errors
/// That one is not published, or has provisioned concurrency of its own.
pub fn check_alias(settings: &Settings, alias: &Alias) -> Result<(), Refusal> {
    match alias.version {
        Version::Latest => Err(Refusal::ProvisionedForLatest),
        Version::Published(number) if settings.provisioned.contains_key(&Qualifier::Version(number)) => {
            Err(Refusal::ProvisionedByVersion)
        }
        Version::Published(_) => Ok(()),
    }
}

/// How far provisioned concurrency is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provision {
    /// Environments are being started.
    InProgress,
    /// All that were asked for are there.
    Ready,
    /// The function does not initialise.
    Failed,
}

/// How far one configuration is, of those `meant` that provide for the same version, in order of their qualifiers: how
/// many of the version's `ready` environments are its own, and what that makes it.
pub fn progress<'a>(
    meant: impl Iterator<Item = (&'a Qualifier, u32)>,
    asked: &Qualifier,
    ready: u32,
    has_failed: bool,
) -> (u32, Provision) {
    let mut left = ready;
    for (qualifier, requested) in meant {
        let own = requested.min(left);
        if qualifier == asked {
            let provision = match (own == requested, has_failed) {
                (true, _) => Provision::Ready,
                (false, true) => Provision::Failed,
                (false, false) => Provision::InProgress,
            };
            return (own, provision);
        }
        left -= own;
    }
    (0, if has_failed { Provision::Failed } else { Provision::InProgress })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::names::VersionNumber;
    use crate::settings::Provisioned;

    const A: Limits = Limits { account: 1_000 };

    fn version(number: u64) -> Qualifier {
        Qualifier::Version(VersionNumber::new(number).unwrap())
    }

    fn settings(reserved: Option<u32>, provisioned: &[(u64, u32)]) -> Settings {
        let config = |requested| Provisioned { requested, modified_at: Timestamp::UNIX_EPOCH };
        let provisioned = provisioned.iter().map(|(number, requested)| (version(*number), config(*requested)));
        Settings { reserved, provisioned: provisioned.collect(), ..Settings::default() }
    }

    #[test]
    fn a_hundred_stay_for_those_who_reserve_nothing() {
        // Recorded: test_function_concurrency_limits, test_provisioned_concurrency_limits; AWS developer guide.
        let none = settings(None, &[]);
        assert_eq!(check_reservation(A, 0, &none, 900), Ok(()));
        let refused = Err(Refusal::ReservedTooMuch { unreserved_min: 100 });
        assert_eq!(check_reservation(A, 0, &none, 901), refused);
        assert_eq!(check_reservation(A, 500, &none, 401), refused);
        assert_eq!(check_reservation(A, 900, &none, 0), Ok(()), "to stop a function needs nothing");
        let one = version(1);
        assert_eq!(check_provisioned(A, 0, &none, &one, 900), Ok(()));
        assert_eq!(check_provisioned(A, 0, &none, &one, 901), Err(Refusal::ProvisionedTooMuch { unreserved_min: 100 }));
        assert_eq!(
            check_provisioned(A, 0, &none, &one, 1_001),
            Err(Refusal::ProvisionedBeyondUnreserved { unreserved: 1_000 })
        );
        // A new account has ten, and the text names them.
        let small = Limits { account: 10 };
        assert_eq!(check_reservation(small, 0, &none, 1), Err(Refusal::ReservedTooMuch { unreserved_min: 10 }));
    }

    #[test]
    fn what_is_provisioned_fits_into_the_reservation() {
        // Recorded: test_reserved_provisioned_overlap.
        let two = settings(None, &[(1, 2)]);
        let refused = Err(Refusal::ReservedBelowProvisioned { reserved: 1, provisioned: 2 });
        assert_eq!(check_reservation(A, 0, &two, 1), refused);
        assert_eq!(check_reservation(A, 0, &two, 2), Ok(()));
        let full = settings(Some(2), &[(1, 2)]);
        assert_eq!(check_provisioned(A, 0, &full, &version(2), 1), Err(Refusal::ProvisionedBeyondReserved));
        assert_eq!(check_provisioned(A, 0, &full, &version(1), 3), Err(Refusal::ProvisionedBeyondReserved));
        assert_eq!(check_provisioned(A, 0, &full, &version(1), 1), Ok(()));
        assert_eq!((set_aside(&full), set_aside(&two), set_aside(&settings(Some(7), &[]))), (2, 2, 7));
    }

    #[test]
    fn environments_are_shared_out_in_order() {
        let (a, b) = (version(1), version(2));
        let meant = || [(&a, 2), (&b, 3)].into_iter();
        let of = |asked, ready, failed| progress(meant(), asked, ready, failed);
        assert_eq!(of(&a, 0, false), (0, Provision::InProgress));
        assert_eq!(of(&a, 4, false), (2, Provision::Ready));
        assert_eq!(of(&b, 4, false), (2, Provision::InProgress));
        assert_eq!(of(&b, 4, true), (2, Provision::Failed));
        assert_eq!(of(&b, 9, true), (3, Provision::Ready));
    }

    fn reason_of(result: Result<Unit, ThrottleReason>) -> ThrottleReason {
        result.unwrap_err()
    }

    fn judge(shares: &Shares, counts: &Counts) -> Result<Unit, ThrottleReason> {
        let (mut one, mut other) = Default::default();
        admit(A, shares, counts, Duration::ZERO, Rates { on_demand: &mut one, provisioned_here: &mut other })
    }

    #[test]
    fn each_limit_has_its_reason() {
        use ThrottleReason as Reason;
        let idle = Counts::default();
        let reserved = |reserved| Shares { set_aside: 5, reserved: Some(reserved), ..Shares::default() };
        // Recorded: test_reserved_concurrency.
        assert_eq!(reason_of(judge(&reserved(0), &idle)), Reason::ReservedFunctionConcurrentInvocationLimitExceeded);
        assert_eq!(judge(&reserved(1), &idle), Ok(Unit::Reserved));
        let open = Shares { set_aside: 900, ..Shares::default() };
        let others = |unreserved| Counts { account: unreserved, unreserved, ..idle };
        assert_eq!(judge(&open, &others(99)), Ok(Unit::Unreserved));
        assert_eq!(reason_of(judge(&open, &others(100))), Reason::ConcurrentInvocationLimitExceeded);
        // Recorded: test_reserved_provisioned_overlap: nothing is left for $LATEST, the version is served.
        let all = Shares { set_aside: 2, reserved: Some(2), provisioned: 2, provisioned_here: 0 };
        assert_eq!(reason_of(judge(&all, &idle)), Reason::ReservedFunctionConcurrentInvocationLimitExceeded);
        assert_eq!(judge(&Shares { provisioned_here: 2, ..all }, &idle), Ok(Unit::Provisioned));
    }

    #[test]
    fn too_many_a_second_have_a_reason_of_their_own() {
        for (reserved, reason) in [
            (Some(1), ThrottleReason::ReservedFunctionInvocationRateLimitExceeded),
            (None, ThrottleReason::FunctionInvocationRateLimitExceeded),
        ] {
            let (mut on_demand, mut provisioned_here) = <(Rate, Rate)>::default();
            let shares = Shares { reserved, ..Shares::default() };
            let mut begin = |at| {
                let rates = Rates { on_demand: &mut on_demand, provisioned_here: &mut provisioned_here };
                admit(Limits { account: 1 }, &shares, &Counts::default(), Duration::from_millis(at), rates)
            };
            for _ in 0..10 {
                begin(0).unwrap();
            }
            assert_eq!(begin(99), Err(reason));
            begin(100).unwrap();
            assert_eq!(begin(199), Err(reason));
        }
    }

    #[test]
    fn provisioned_concurrency_spills_over_by_number_and_by_rate() {
        // AWS developer guide, lambda-concurrency.
        let shares = Shares { set_aside: 1, provisioned: 1, provisioned_here: 1, reserved: None };
        let (mut on_demand, mut provisioned_here) = <(Rate, Rate)>::default();
        let mut begin = |counts: &Counts| {
            let rates = Rates { on_demand: &mut on_demand, provisioned_here: &mut provisioned_here };
            admit(A, &shares, counts, Duration::ZERO, rates)
        };
        let busy = Counts { account: 1, function: 1, provisioned_here: 1, ..Counts::default() };
        assert_eq!(begin(&busy), Ok(Unit::Unreserved));
        for _ in 0..10 {
            assert_eq!(begin(&Counts::default()), Ok(Unit::Provisioned));
        }
        assert_eq!(begin(&Counts::default()), Ok(Unit::Unreserved));
    }

    #[test]
    fn what_has_begun_weighs_as_much_as_its_share_of_the_rate() {
        let mut rate = Rate::default();
        let mut begin = |units| rate.begin(Duration::ZERO, units);
        assert!((0..10).all(|_| begin(1)) && !begin(1));
        assert!((0..10).all(|_| begin(2)) && !begin(2), "ten are begun, twenty may be");
        assert!(!begin(1));
    }

    /// Some functions with two versions each, whose shares the checks above allowed.
    #[derive(Clone, Debug)]
    struct World {
        limits: Limits,
        functions: Vec<Settings>,
    }

    fn world() -> impl Strategy<Value = World> {
        let function = (prop::option::of(0_u32..60), 0_u32..20, 0_u32..20);
        (100_u32..400, prop::collection::vec(function, 1..5)).prop_map(|(account, asked)| {
            let limits = Limits { account };
            let mut functions: Vec<Settings> = Vec::new();
            for (reserved, first, second) in asked {
                let others: u32 = functions.iter().map(set_aside).sum();
                let mut own = settings(None, &[]);
                if let Some(reserved) = reserved.filter(|n| check_reservation(limits, others, &own, *n).is_ok()) {
                    own.reserved = Some(reserved);
                }
                for (number, n) in [(1, first), (2, second)] {
                    if n > 0 && check_provisioned(limits, others, &own, &version(number), n).is_ok() {
                        let config = Provisioned { requested: n, modified_at: Timestamp::UNIX_EPOCH };
                        own.provisioned.insert(version(number), config);
                    }
                }
                functions.push(own);
            }
            World { limits, functions }
        })
    }

    /// What runs: function, version (0 is `$LATEST`), unit.
    type Running = Vec<(usize, u64, Unit)>;

    fn count(running: &Running, fits: impl Fn(&(usize, u64, Unit)) -> bool) -> u32 {
        u32::try_from(running.iter().filter(|one| fits(one)).count()).unwrap()
    }

    proptest! {
        #[test]
        fn never_more_and_never_fewer_than_the_shares(
            world in world(),
            steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>(), 0_u64..3), 1..400),
        ) {
            let limits = world.limits;
            let all: u32 = world.functions.iter().map(set_aside).sum();
            prop_assert!(all + 100 <= limits.account);
            let mut running = Running::new();
            for (ends, at, number) in steps {
                if ends && running.len() > 20 {
                    running.swap_remove(at.index(running.len()));
                    continue;
                }
                let at = at.index(world.functions.len());
                let own = &world.functions[at];
                let requested = |qualifier| own.provisioned.get(&qualifier).map_or(0, |config| config.requested);
                let here = if number == 0 { 0 } else { requested(version(number)) };
                let shares =
                    Shares { set_aside: all, reserved: own.reserved, provisioned: provisioned(own), provisioned_here: here };
                let counts = Counts {
                    account: count(&running, |_| true),
                    unreserved: count(&running, |(_, _, unit)| *unit == Unit::Unreserved),
                    function: count(&running, |(of, ..)| *of == at),
                    on_demand: count(&running, |(of, _, unit)| *of == at && *unit != Unit::Provisioned),
                    provisioned_here:
                        count(&running, |(of, n, unit)| *of == at && *n == number && *unit == Unit::Provisioned),
                };
                // Whatever runs elsewhere, a promised unit is there.
                let promised = counts.provisioned_here < here
                    || own.reserved.is_some_and(|reserved| counts.on_demand < reserved - provisioned(own))
                    || own.reserved.is_none() && counts.unreserved < limits.account - all;
                let (mut one, mut other) = <(Rate, Rate)>::default();
                let rates = Rates { on_demand: &mut one, provisioned_here: &mut other };
                let admitted = admit(limits, &shares, &counts, Duration::ZERO, rates);
                prop_assert_eq!(admitted.is_ok(), promised, "{:?} {:?}", shares, counts);
                if let Ok(unit) = admitted {
                    running.push((at, number, unit));
                }
                prop_assert!(count(&running, |_| true) <= limits.account);
                if let Some(reserved) = own.reserved {
                    prop_assert!(count(&running, |(of, ..)| *of == at) <= reserved);
                }
            }
        }

        #[test]
        fn a_rate_is_ten_a_second_and_unit_with_a_second_at_once(
            units in 1_u32..5_000,
            pauses in prop::collection::vec(0_u64..3_000_000, 1..2_000),
        ) {
            let mut rate = Rate::default();
            let (mut now, mut begun) = (Duration::from_secs(5), 0_u64);
            let start = now;
            for pause in pauses {
                now += Duration::from_nanos(pause);
                let before = rate;
                if rate.begin(now, units) {
                    begun += 1;
                } else {
                    prop_assert_eq!(before, rate, "what is refused costs nothing");
                }
            }
            let allowed = now.saturating_sub(start).as_secs_f64().mul_add(f64::from(units) * 10.0, f64::from(units) * 10.0);
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let begun = begun as f64;
            prop_assert!(begun <= allowed + 1e-6, "{begun} of {allowed}");
        }

        #[test]
        fn whoever_keeps_to_the_rate_is_never_refused(units in 1_u32..100_000, calls in 1_u32..500) {
            let mut rate = Rate::default();
            for call in 0..calls {
                let at = Duration::from_secs_f64(f64::from(call) / (f64::from(units) * 10.0));
                prop_assert!(rate.begin(at, units), "call {call}");
            }
        }
    }
}
