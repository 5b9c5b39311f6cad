//! The alias: a name for a version, or for two of them by weight.
//!
//! Never here: whether the versions exist.

use crate::error::Refusal;
use crate::names::{AliasName, RevisionId, Version, VersionNumber};

/// A name for one version of a function, or for two.
#[derive(Clone, Debug, PartialEq)]
pub struct Alias {
    /// Its name, unique within the function.
    pub name: AliasName,
    /// The version that it names.
    pub version: Version,
    /// Which share of the invocations another version gets.
    pub routing: Option<Routing>,
    /// Free text.
    pub description: String,
    /// Changes with everything else.
    pub revision: RevisionId,
}

/// A second version with its weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Routing {
    /// The second version.
    pub version: VersionNumber,
    /// Which share of the invocations it gets, 0 to 1.
    pub weight: f64,
}

impl Routing {
    /// Reads `AdditionalVersionWeights`; an empty map means that there is no second version.
    ///
    /// # Errors
    /// There is more than one (recorded: `test_notfound_and_invalid_routingconfigs`).
    pub fn read(weights: impl IntoIterator<Item = (VersionNumber, f64)>) -> Result<Option<Self>, Refusal> {
        let mut weights = weights.into_iter().map(|(version, weight)| Self { version, weight });
        let routing = weights.next();
        if weights.next().is_some() { Err(Refusal::TooManyVersionWeights) } else { Ok(routing) }
    }
}

impl Alias {
    /// Checks what can be said without knowing which versions exist.
    ///
    /// # Errors
    /// The second version is the first, or the first may not be weighed (recorded:
    /// `test_notfound_and_invalid_routingconfigs`).
    pub fn check(&self) -> Result<(), Refusal> {
        match (self.version, self.routing) {
            (Version::Latest, Some(_)) => Err(Refusal::LatestCannotBeWeighed),
            (Version::Published(number), Some(routing)) if routing.version == number => {
                Err(Refusal::VersionAlreadyRouted { version: number })
            }
            (_, Some(_) | None) => Ok(()),
        }
    }

    /// The versions that it names.
    pub fn versions(&self) -> impl Iterator<Item = Version> + use<> {
        [Some(self.version), self.routing.map(|routing| Version::Published(routing.version))].into_iter().flatten()
    }

    /// The version that one invocation runs, by 64 random bits.
    pub fn pick(&self, bits: u64) -> Version {
        match self.routing {
            // 53 bits are what a double holds exactly: evenly spread over 0 to 1, 1 itself excluded.
            #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
            Some(routing) if ((bits >> 11) as f64) < routing.weight * (1_u64 << 53) as f64 => {
                Version::Published(routing.version)
            }
            Some(_) | None => self.version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn number(number: u64) -> VersionNumber {
        VersionNumber::new(number).unwrap()
    }

    fn alias(version: Version, routing: Option<Routing>) -> Alias {
        let revision = RevisionId(Uuid::nil());
        Alias { name: AliasName::new("live"), version, routing, description: String::new(), revision }
    }

    #[test]
    fn the_second_version_is_another_published_one() {
        // Recorded: test_notfound_and_invalid_routingconfigs.
        let second = Some(Routing { version: number(1), weight: 0.5 });
        let first = Version::Published(number(1));
        assert_eq!(alias(first, second).check(), Err(Refusal::VersionAlreadyRouted { version: number(1) }));
        assert_eq!(alias(Version::Latest, second).check(), Err(Refusal::LatestCannotBeWeighed));
        assert_eq!(alias(Version::Published(number(2)), second).check(), Ok(()));
        assert_eq!(alias(Version::Latest, None).check(), Ok(()));
        let two = [(number(1), 0.1), (number(2), 0.1)];
        assert_eq!(Routing::read(two), Err(Refusal::TooManyVersionWeights));
        assert_eq!(Routing::read([]), Ok(None));
    }

    proptest! {
        #[test]
        fn the_pick_is_the_weight_and_nothing_else(bits: u64, weight in 0.0..=1.0_f64) {
            let alias = alias(Version::Latest, Some(Routing { version: number(7), weight }));
            #[expect(clippy::cast_precision_loss, reason = "the same figure, computed by division")]
            let share = (bits >> 11) as f64 / (1_u64 << 53) as f64;
            prop_assert_eq!(alias.pick(bits) == Version::Published(number(7)), share < weight);
        }
    }

    #[test]
    fn no_weight_is_never_and_a_whole_weight_always() {
        let of = |weight| alias(Version::Latest, Some(Routing { version: number(7), weight }));
        for bits in [0, 1, u64::MAX / 2, u64::MAX] {
            assert_eq!(of(0.0).pick(bits), Version::Latest);
            assert_eq!(of(1.0).pick(bits), Version::Published(number(7)));
        }
    }
}
