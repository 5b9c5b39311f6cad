//! The lines that the platform writes into a function's log, and the tail of it that a caller may ask for.
//!
//! Never here: where the lines are kept.

mod application;
mod json;
mod record;

use jiff::Timestamp;
use uuid::Uuid;

use crate::limits;
use crate::names::Version;

pub use application::is_kept;
pub use json::{Writer, output_event};
pub use record::{InitPhase, InitStart, Initialization, Record, Report, RuntimeDone, Span, Status};

/// The name of an environment's log stream: `2024/04/23/[$LATEST]aa01…` (observed on AWS; recorded: `test_retries`).
pub fn stream_name(now: Timestamp, version: Version, random: Uuid) -> String {
    let day = now.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y/%m/%d");
    format!("{day}/[{version}]{}", random.as_simple())
}

/// The last 4 KB of an invocation's log. It begins at `START` and never begins inside a character.
#[derive(Debug, Default)]
pub struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    /// Adds to the end; what is older than the limit is forgotten.
    pub fn push(&mut self, line: &[u8]) {
        let line = &line[line.len().saturating_sub(limits::LOG_TAIL_BYTES)..];
        self.bytes.extend_from_slice(line);
        // Cut only when twice too long, so that a flood of lines costs no more than its own length.
        if self.bytes.len() > 2 * limits::LOG_TAIL_BYTES {
            self.cut();
        }
    }

    /// The tail as it is now, and an empty one from here on.
    pub fn take(&mut self) -> Vec<u8> {
        self.cut();
        let continues = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
        let broken = self.bytes.iter().take(3).take_while(continues).count();
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.drain(..broken);
        bytes
    }

    fn cut(&mut self) {
        let surplus = self.bytes.len().saturating_sub(limits::LOG_TAIL_BYTES);
        self.bytes.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_named_by_day_version_and_environment() {
        let now: Timestamp = "2024-04-23T10:00:00Z".parse().unwrap();
        let name = stream_name(now, Version::Latest, Uuid::from_u128(0xaa01_846e_bbac_447a_bcf2_0f17_cb27_c146));
        assert_eq!(name, "2024/04/23/[$LATEST]aa01846ebbac447abcf20f17cb27c146");
    }

    proptest::proptest! {
        #[test]
        fn the_tail_is_the_end_and_breaks_no_character(lines in proptest::collection::vec("[aé€😀]{0,600}", 0..40)) {
            let mut tail = Tail::default();
            let mut all = Vec::new();
            for line in &lines {
                tail.push(line.as_bytes());
                all.extend_from_slice(line.as_bytes());
            }
            let kept = tail.take();
            proptest::prop_assert!(all.ends_with(&kept));
            proptest::prop_assert!(std::str::from_utf8(&kept).is_ok());
            proptest::prop_assert!(kept.len() <= limits::LOG_TAIL_BYTES);
            proptest::prop_assert!(kept.len() + 3 >= all.len().min(limits::LOG_TAIL_BYTES));
        }
    }
}
