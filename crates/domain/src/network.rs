//! The network that a function asks for.
//!
//! Never here: making one.

use crate::Refusal;

/// The tag by which it asks.
pub const TAG: &str = "lambd:network";

/// What functions have besides the engine and the ports of the host that all of them are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// Whatever is to be had.
    #[default]
    Usual,
    /// The way out, or no function.
    Nat,
    /// Nothing.
    None,
}

impl std::str::FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "nat" => Ok(Self::Nat),
            "none" => Ok(Self::None),
            _ => Err(format!("{text:?} is no network; there are nat and none")),
        }
    }
}

/// What the tags of a function ask for; what cannot be read does not get in ([`check_tags`]), and were it there, would be
/// the least.
pub fn of_tags(tags: &[(String, String)]) -> Network {
    let asked = tags.iter().find(|(key, _)| key == TAG);
    asked.map_or(Network::Usual, |(_, value)| value.parse().unwrap_or(Network::None))
}

/// Checks tags that a function is to get; `gives` says why a network is not to be had here.
///
/// # Errors
/// They ask for what is no network, or for one that is not to be had.
pub fn check_tags(tags: &[(String, String)], gives: impl FnOnce(Network) -> Result<(), String>) -> Result<(), Refusal> {
    let Some((_, value)) = tags.iter().find(|(key, _)| key == TAG) else { return Ok(()) };
    value.parse().and_then(gives).map_err(|why| Refusal::TagNotMet { tag: TAG, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_gets_the_network_that_it_asks_for_or_is_refused() {
        let tags = |value: &str| vec![("other".to_owned(), "x".to_owned()), (TAG.to_owned(), value.to_owned())];
        let no_nat = |network| if network == Network::Nat { Err("no nat".to_owned()) } else { Ok(()) };
        assert_eq!(check_tags(&tags("none"), no_nat), Ok(()));
        assert_eq!(of_tags(&tags("none")), Network::None);
        assert_eq!(of_tags(&tags("nat")), Network::Nat);
        assert_eq!(check_tags(&tags("nat"), no_nat), Err(Refusal::TagNotMet { tag: TAG, why: "no nat".to_owned() }));
        for nonsense in ["", "host", "NAT"] {
            assert!(matches!(check_tags(&tags(nonsense), |_| Ok(())), Err(Refusal::TagNotMet { .. })), "{nonsense}");
            assert_eq!(of_tags(&tags(nonsense)), Network::None);
        }
        assert_eq!(check_tags(&[], |_| Err(String::new())), Ok(()));
        assert_eq!(of_tags(&[]), Network::Usual);
    }
}
