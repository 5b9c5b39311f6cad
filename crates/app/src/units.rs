//! Sizes and lengths of time as people write them: `500MB`, `7d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

/// The units, the largest first.
const SIZES: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

/// A number and its unit.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim_start())
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (number, unit) = split(text);
            let unit = if unit.is_empty() { "B" } else { unit };
            let (_, factor) = SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
            // A whole number is taken as it is, however large.
            if let Ok(number) = number.parse::<u64>() {
                return number.checked_mul(*factor).map(Self);
            }
            #[expect(clippy::cast_precision_loss, reason = "the units are powers of two, or small")]
            let bytes = number.parse::<f64>().ok()? * *factor as f64;
            // 2^53: from there on not every whole number is one.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "within bounds, never negative"
            )]
            (bytes <= 9_007_199_254_740_992.0).then(|| Self(bytes.round() as u64))
        };
        read().ok_or_else(|| format!("{text:?} is no size; write it as 1GB, 500MB, 1GiB, or as plain bytes"))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = self;
        match SIZES.iter().find(|(_, factor)| *bytes >= *factor && bytes % factor == 0) {
            Some((unit, factor)) => write!(f, "{}{unit}", bytes / factor),
            None => write!(f, "{bytes}B"),
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a size is a number of bytes, or a text such as \"1GB\"")]
        enum Written {
            Bytes(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Bytes(bytes) => Ok(Self(bytes)),
            Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

/// A length of time with its unit: `30s`, `5m`, `1h`, `2d`, also `1.5h`.
///
/// # Errors
/// It is none.
pub(crate) fn length_of_time(text: &str) -> Result<Duration, String> {
    let read = || {
        let (number, unit) = split(text);
        let unit = match unit {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        Duration::try_from_secs_f64(number.parse::<f64>().ok()? * unit).ok()
    };
    read().ok_or_else(|| format!("{text:?} is no length of time; write it as 30s, 5m, 1h or 2d"))
}

/// How long, and up to which size in all, something is kept: `7d,1GB`. What is left out stays as it is by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retention {
    /// How long.
    pub(crate) age: Duration,
    /// How much.
    pub(crate) size: Size,
}

/// Seven days and 1 GB.
impl Default for Retention {
    fn default() -> Self {
        Self { age: Duration::from_hours(7 * 24), size: Size(1_000_000_000) }
    }
}

impl FromStr for Retention {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut age, mut size) = (None, None);
        for item in text.split(',').map(str::trim) {
            // Bytes without a unit would be taken for a number of days.
            let has_unit = item.ends_with(|c: char| c.is_ascii_alphabetic());
            match (length_of_time(item), item.parse()) {
                (Ok(read), _) if age.is_none() => age = Some(read),
                (Err(_), Ok(read)) if has_unit && size.is_none() => size = Some(read),
                _ => return Err(format!("{text:?}: write an age, a size, or both, as in 7d, 1GB or 7d,1GB")),
            }
        }
        let default = Self::default();
        Ok(Self { age: age.unwrap_or(default.age), size: size.unwrap_or(default.size) })
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.age.as_secs(), self.age.subsec_nanos());
        let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
        match units.into_iter().find(|(unit, _)| nanos == 0 && seconds >= *unit && seconds.is_multiple_of(*unit)) {
            Some((unit, name)) => write!(f, "{}{name}", seconds / unit),
            None => write!(f, "{}s", self.age.as_secs_f64()),
        }?;
        write!(f, ",{}", self.size)
    }
}

impl Serialize for Retention {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Retention {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        for (text, bytes, shown) in [
            ("0", 0, "0B"),
            ("1000000000", 1_000_000_000, "1GB"),
            ("18446744073709551615", u64::MAX, "18446744073709551615B"),
            ("1GB", 1_000_000_000, "1GB"),
            ("1gb", 1_000_000_000, "1GB"),
            ("500 MB", 500_000_000, "500MB"),
            ("1GiB", 1 << 30, "1GiB"),
            ("1.5GiB", 3 << 29, "1536MiB"),
            ("64kB", 64_000, "64kB"),
            ("12B", 12, "12B"),
            ("2TB", 2_000_000_000_000, "2TB"),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!((size, size.to_string().as_str()), (Size(bytes), shown), "{text}");
            assert_eq!(size.to_string().parse(), Ok(size), "{text}");
        }
        for text in ["", "GB", "1G", "-1", "1,5GB", "1.2.3GB", "1e9", "99999999999TB", "99999999999.5TB", "much"] {
            let mistake = text.parse::<Size>().unwrap_err();
            assert!(mistake.starts_with(&format!("{text:?} is no size")), "{mistake}");
        }
    }

    #[test]
    fn lengths_of_time_are_read() {
        for (text, seconds) in [("30s", 30.0), ("5m", 300.0), ("1h", 3_600.0), ("2d", 172_800.0), ("0.5s", 0.5)] {
            assert_eq!(length_of_time(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "h", "5", "5x", "-5m", "1h30m", "99999999999999999999d"] {
            assert!(length_of_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_retention_has_an_age_a_size_or_both() {
        let day = Duration::from_hours(24);
        for (text, age, bytes, shown) in [
            ("7d", 7 * day, 1_000_000_000, "7d,1GB"),
            ("500MB", 7 * day, 500_000_000, "7d,500MB"),
            ("36h,2GiB", day * 3 / 2, 2 << 30, "36h,2GiB"),
            ("2GiB, 90m", day / 16, 2 << 30, "90m,2GiB"),
            ("48h", 2 * day, 1_000_000_000, "2d,1GB"),
        ] {
            let read: Retention = text.parse().unwrap();
            assert_eq!(read, Retention { age, size: Size(bytes) }, "{text}");
            assert_eq!(read.to_string(), shown);
            assert_eq!(shown.parse(), Ok(read));
        }
        for text in ["", "7", "7d,8d", "1GB,2GB", "7d,1GB,", "always"] {
            assert!(text.parse::<Retention>().is_err(), "{text}");
        }
    }
}
