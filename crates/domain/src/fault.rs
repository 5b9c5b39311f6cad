//! Faults on purpose, so that people can test for what AWS only warns of: events that come twice, that are throttled, or
//! late.
//!
//! Never here: rolling the dice and waiting.

use std::str::FromStr;
use std::time::Duration;

use crate::Refusal;

/// The tag that sets them for one function.
pub const TAG: &str = "lambd:fault";

/// Which, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// The share of events that run twice.
    pub duplicate: f64,
    /// The share of tries that find no room.
    pub throttle: f64,
    /// How long each try waits.
    pub delay: Duration,
}

impl Faults {
    /// Whether there are none.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What the tags of a function say; nothing where there is no such tag.
pub fn of_tags(tags: &[(String, String)]) -> Option<Result<Faults, String>> {
    tags.iter().find(|(key, _)| key == TAG).map(|(_, value)| value.parse())
}

/// Checks tags that a function is to get.
///
/// # Errors
/// The faults among them cannot be read.
pub fn check_tags(tags: &[(String, String)]) -> Result<(), Refusal> {
    match of_tags(tags) {
        Some(Err(why)) => Err(Refusal::MalformedFaults { why }),
        Some(Ok(_)) | None => Ok(()),
    }
}

/// Whether something of that share happens, for 64 random bits.
pub fn happens(share: f64, bits: u64) -> bool {
    // 53 bits make every number of this kind.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let roll = (bits >> 11) as f64 / (1_u64 << 53) as f64;
    roll < share
}

/// `NAME=VALUE`, separated by commas or blanks.
impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut faults = Self::default();
        let items = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|item| !item.is_empty());
        for item in items {
            let (name, value) = item.split_once('=').unwrap_or((item, ""));
            let share = || {
                let share = value.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
                share.ok_or_else(|| format!("{item:?}: {name} takes a probability from 0 to 1, as in {name}=0.1"))
            };
            match name {
                "duplicate" => faults.duplicate = share()?,
                "throttle" => faults.throttle = share()?,
                "delay" => {
                    faults.delay = duration(value)
                        .ok_or_else(|| format!("{item:?}: delay takes a time, as in delay=200ms or delay=1s"))?;
                }
                _ => return Err(format!("{item:?} is no fault; there are duplicate, throttle and delay")),
            }
        }
        Ok(faults)
    }
}

/// As they are written.
impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { duplicate, throttle, delay } = self;
        write!(f, "duplicate={duplicate},throttle={throttle},delay={}ms", delay.as_millis())
    }
}

/// `200ms`, `1s`, `5m` or `1h`, with a fraction where one wants; at most a day.
pub fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return None,
    };
    let seconds = number.parse::<f64>().ok()? * unit;
    (seconds <= 86_400.0).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_with_commas_and_with_blanks() {
        let expected = Faults { duplicate: 0.1, throttle: 0.05, delay: Duration::from_millis(200) };
        for text in ["duplicate=0.1,throttle=0.05,delay=200ms", " duplicate=0.1  throttle=0.05 delay=0.2s"] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        assert_eq!("".parse::<Faults>().map(|faults| faults.are_none()), Ok(true));
        assert_eq!(expected.to_string(), "duplicate=0.1,throttle=0.05,delay=200ms");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, named) in [
            ("duplicate=1.1", "\"duplicate=1.1\": duplicate takes a probability"),
            ("delay=200", "\"delay=200\": delay takes a time"),
            ("throttle", "\"throttle\": throttle takes"),
            ("throttle=nan", "\"throttle=nan\""),
            ("loss=1", "\"loss=1\" is no fault"),
        ] {
            let mistake = text.parse::<Faults>().unwrap_err();
            assert!(mistake.starts_with(named), "{mistake}");
        }
    }

    #[test]
    fn a_tag_that_cannot_be_read_is_refused() {
        let tags = |key: &str, value: &str| [("a".to_owned(), "loss=1".to_owned()), (key.to_owned(), value.to_owned())];
        assert_eq!(check_tags(&tags("b", "loss=1")), Ok(()), "others may say what they like");
        assert_eq!(check_tags(&tags(TAG, "duplicate=1 delay=1s")), Ok(()));
        let why = "\"loss=1\" is no fault; there are duplicate, throttle and delay".to_owned();
        assert_eq!(check_tags(&tags(TAG, "delay=1s loss=1")), Err(Refusal::MalformedFaults { why }));
    }

    #[test]
    fn shares_are_kept() {
        assert!(!happens(0.0, 0) && happens(1.0, u64::MAX));
        assert!(happens(0.5, u64::MAX / 2 - 2_000) && !happens(0.5, u64::MAX / 2 + 2_000));
    }
}
