//! Tags by which a function asks something of the engine itself; AWS reads none of them.
//!
//! Never here: faults on purpose, which have a module of their own.

use crate::isolation::Isolation;
use crate::{Refusal, fault};

/// The tag that asks for at least one level of isolation.
pub const ISOLATION: &str = "lambd:isolation";

/// Checks tags that a function is to get, where `level` is in force.
///
/// # Errors
/// One of ours cannot be read, or asks for what is not to be had here.
pub fn check(tags: &[(String, String)], level: Isolation) -> Result<(), Refusal> {
    fault::check_tags(tags)?;
    match isolation_asked(tags) {
        Some(Err(why)) => Err(Refusal::TagNotMet { tag: ISOLATION, why }),
        Some(Ok(asked)) if asked > level => Err(Refusal::TagNotMet {
            tag: ISOLATION,
            why: format!(
                "{asked} is asked for, and this engine isolates functions at level {level}; `lambd doctor --isolation \
                 {asked}` tells why"
            ),
        }),
        Some(Ok(_)) | None => Ok(()),
    }
}

fn isolation_asked(tags: &[(String, String)]) -> Option<Result<Isolation, String>> {
    tags.iter().find(|(key, _)| key == ISOLATION).map(|(_, value)| value.parse())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_gets_the_level_that_it_asks_for_or_is_refused() {
        let cases = [
            ("process", Isolation::Process, true),
            ("confined", Isolation::Process, false),
            ("sandbox", Isolation::Rootless, false),
            ("rootless", Isolation::Sandbox, true),
            ("sandbox", Isolation::Sandbox, true),
            ("Sandbox", Isolation::Sandbox, false),
            ("auto", Isolation::Sandbox, false),
            ("", Isolation::Sandbox, false),
        ];
        for (asked, level, is_met) in cases {
            let tags = [("other".to_owned(), "none".to_owned()), (ISOLATION.to_owned(), asked.to_owned())];
            assert_eq!(check(&tags, level).is_ok(), is_met, "{asked} at {level}");
        }
        assert_eq!(check(&[("lambd:folder".to_owned(), "sandbox".to_owned())], Isolation::Process), Ok(()));
        let faults = [(fault::TAG.to_owned(), "loss=1".to_owned())];
        assert!(matches!(check(&faults, Isolation::Sandbox), Err(Refusal::MalformedFaults { .. })));
    }
}
