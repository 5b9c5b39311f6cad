//! Which of the function's own lines an execution log keeps.
//!
//! Never here: the platform's records.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;

use crate::function::LogLevel;

/// What is read of a line: the rest may be anything.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    timestamp: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    level: Option<Cow<'a, str>>,
}

/// Whether a line that the function wrote is kept at a least level. Its level counts if it is a JSON object with
/// `timestamp` in the form of RFC 3339 and a known `level`; else it is `INFO` (AWS developer guide,
/// monitoring-cloudwatchlogs-log-level).
pub fn is_kept(line: &[u8], least: LogLevel) -> bool {
    // Below everything: nothing has to be read.
    least == LogLevel::Trace || level_of(line).unwrap_or(LogLevel::Info) >= least
}

fn level_of(line: &[u8]) -> Option<LogLevel> {
    if !line.starts_with(b"{") {
        return None;
    }
    let Line { timestamp, level } = serde_json::from_slice(line).ok()?;
    timestamp?.parse::<Timestamp>().ok()?;
    Some(match level?.to_ascii_uppercase().as_str() {
        "TRACE" => LogLevel::Trace,
        "DEBUG" => LogLevel::Debug,
        "INFO" => LogLevel::Info,
        "WARN" | "WARNING" => LogLevel::Warn,
        "ERROR" => LogLevel::Error,
        "FATAL" | "CRITICAL" => LogLevel::Fatal,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_line_with_time_and_level_has_a_level_of_its_own() {
        use LogLevel::{Debug, Error, Fatal, Info, Trace, Warn};
        let own = |level: &str| format!(r#"{{"timestamp":"2024-05-20T16:29:45.009Z","level":{level},"message":"m"}}"#);
        let cases = [
            (own(r#""TRACE""#), Trace),
            (own(r#""debug""#), Debug),
            (own(r#""Warn""#), Warn),
            // What Python's logging calls them.
            (own(r#""WARNING""#), Warn),
            (own(r#""ERROR""#), Error),
            (own(r#""CRITICAL""#), Fatal),
            (own(r#""\u0044EBUG""#), Debug),
            (own(r#""LOUD""#), Info),
            (own("3"), Info),
            (r#"{"timestamp":"2024-06-18T02:07:06Z","message":"no level"}"#.to_owned(), Info),
            (r#"{"timestamp":"yesterday","level":"DEBUG"}"#.to_owned(), Info),
            (r#"{"level":"DEBUG"}"#.to_owned(), Info),
            (r#"["DEBUG"]"#.to_owned(), Info),
            ("{\"level\":\"ERROR\"".to_owned(), Info),
            ("plain".to_owned(), Info),
            (String::new(), Info),
        ];
        let all = [Trace, Debug, Info, Warn, Error, Fatal];
        for (line, level) in cases {
            for least in all {
                assert_eq!(
                    is_kept(format!("{line}\n").as_bytes(), least),
                    least == Trace || level >= least,
                    "{line} at {least:?}"
                );
            }
        }
        assert!(!is_kept(b"\xff\xfe{\n", Warn) && is_kept(b"\xff\xfe{\n", Info));
    }
}
