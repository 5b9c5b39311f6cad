//! How often a chain of invocations has passed each function: the field `Lineage` of the trace header, by which loops
//! are found.
//!
//! AWS documents what it is for (developer guide, invocation-recursion) and not how it counts. Observed are
//! `Lineage=7acea675:0|47d82b4f:0` and `Lineage=1:38a5ab94:0`: eight hex digits that stand for a function, and a number.
//! Here the number is how often the function was passed again. Never here: the rest of the trace header.

use std::fmt;

use data_encoding::HEXLOWER;

use crate::arn::FunctionArn;
use crate::decimal::push_decimal;
use crate::error::Refusal;
use crate::limits;
use crate::settings::RecursiveLoop;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    passed: Vec<Passed>,
}

/// One part of a lineage.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Passed {
    /// A function, and how often it was passed again.
    Function { mark: u32, again: u32 },
    /// What somebody else wrote; it is passed on.
    Unread(String),
}

/// The version in front of a lineage, as AWS writes it.
const VERSION: &str = "1:";

impl Lineage {
    /// The lineage of a chain that arrives with this trace header; empty where it has none.
    pub fn of_header(header: Option<&str>) -> Self {
        let fields = header.unwrap_or_default().split(';').map(str::trim);
        let text =
            fields.filter_map(|field| field.split_once('=')).find(|(key, _)| key.eq_ignore_ascii_case("lineage"));
        let text = text.map_or("", |(_, value)| value);
        let text = text.strip_prefix(VERSION).unwrap_or(text);
        Self { passed: text.split('|').filter(|part| !part.is_empty()).map(Passed::read).collect() }
    }

    /// The lineage as the function sees it, which it thereby passes once more.
    ///
    /// # Errors
    /// It was passed too often, and its loops are stopped.
    pub fn pass(mut self, arn: &FunctionArn, loops: RecursiveLoop) -> Result<Self, Refusal> {
        let function = mark(arn);
        let known = self.passed.iter_mut().find_map(|passed| match passed {
            Passed::Function { mark, again } if *mark == function => Some(again),
            _ => None,
        });
        match known {
            Some(again) if *again + 1 >= limits::LOOP_PASSES && loops == RecursiveLoop::Terminate => {
                return Err(Refusal::RecursiveInvocation);
            }
            Some(again) => *again = again.saturating_add(1).min(u32::MAX - 1),
            None => self.passed.push(Passed::Function { mark: function, again: 0 }),
        }
        // The oldest are forgotten first.
        let excess = self.passed.len().saturating_sub(limits::LINEAGE_FUNCTIONS);
        self.passed.drain(..excess);
        Ok(self)
    }

    /// Adds it to a text.
    pub(crate) fn push_to(&self, text: &mut String) {
        text.push_str(VERSION);
        for (index, passed) in self.passed.iter().enumerate() {
            if index > 0 {
                text.push('|');
            }
            match passed {
                Passed::Function { mark, again } => {
                    HEXLOWER.encode_append(&mark.to_be_bytes(), text);
                    text.push(':');
                    push_decimal(text, (*again).into());
                }
                Passed::Unread(unread) => text.push_str(unread),
            }
        }
    }
}

impl Passed {
    fn read(part: &str) -> Self {
        let read = || {
            let (mark, again) = part.split_once(':')?;
            let is_mark = mark.len() == 8 && mark.bytes().all(|c| c.is_ascii_hexdigit());
            let mark = u32::from_str_radix(mark, 16).ok().filter(|_| is_mark)?;
            let is_number = again.bytes().all(|c| c.is_ascii_digit());
            let again: u32 = again.parse().ok().filter(|_| is_number)?;
            Some(Self::Function { mark, again: again.min(u32::MAX - 1) })
        };
        read().unwrap_or_else(|| Self::Unread(part.to_owned()))
    }
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.push_to(&mut text);
        f.write_str(&text)
    }
}

/// What stands for a function. AWS does not say how it comes about; ours follows from the ARN, so that it is the same
/// for all versions and after a restart. FNV-1a; any fixed function of the ARN would do.
fn mark(arn: &FunctionArn) -> u32 {
    let bytes = arn.parts().into_iter().flat_map(str::bytes);
    bytes.fold(0x811c_9dc5, |hash, c| (hash ^ u32::from(c)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arn::Home;
    use crate::names::FunctionName;

    fn arn(name: &str) -> FunctionArn {
        let home = Home { partition: "aws".into(), region: "us-east-1".into(), account: "111111111111".into() };
        home.function_arn(&FunctionName::parse(name).unwrap())
    }

    fn again(lineage: &Lineage) -> Lineage {
        Lineage::of_header(Some(&format!("Root=1-a-b;lineage={lineage}")))
    }

    #[test]
    fn the_seventeenth_pass_of_one_function_is_refused_and_that_of_another_is_not() {
        // AWS developer guide, invocation-recursion: "approximately 16 times".
        let mut lineage = Lineage::default();
        for pass in 1..=16 {
            lineage = again(&lineage.pass(&arn("a"), RecursiveLoop::Terminate).unwrap());
            assert_eq!(lineage.to_string(), format!("1:{:08x}:{}", mark(&arn("a")), pass - 1));
        }
        assert_eq!(lineage.clone().pass(&arn("a"), RecursiveLoop::Terminate), Err(Refusal::RecursiveInvocation));
        assert!(again(&lineage).pass(&arn("b"), RecursiveLoop::Terminate).is_ok());
        let allowed = again(&lineage.pass(&arn("a"), RecursiveLoop::Allow).unwrap());
        assert_eq!(allowed.pass(&arn("a"), RecursiveLoop::Terminate), Err(Refusal::RecursiveInvocation));
    }

    #[test]
    fn a_loop_over_two_functions_is_one() {
        let mut lineage = Lineage::default();
        for _ in 1..=16 {
            for name in ["a", "b"] {
                lineage = again(&lineage.pass(&arn(name), RecursiveLoop::Terminate).unwrap());
            }
        }
        assert_eq!(lineage.pass(&arn("a"), RecursiveLoop::Terminate), Err(Refusal::RecursiveInvocation));
    }

    #[test]
    fn what_others_wrote_is_kept() {
        for text in ["1:38a5ab94:0", "1:7acea675:0|47d82b4f:3", "1:what|38a5ab94:1|38a5ab94:x|+8a5ab94:1"] {
            assert_eq!(Lineage::of_header(Some(&format!("Lineage={text}"))).to_string(), text);
        }
        let first = Lineage::of_header(Some("Lineage=7acea675:0|47d82b4f:0")).to_string();
        assert_eq!(first, "1:7acea675:0|47d82b4f:0");
        assert_eq!(Lineage::of_header(None), Lineage::default());
    }

    proptest::proptest! {
        #[test]
        fn reading_never_panics_and_a_lineage_never_grows_without_end(text in "[0-9a-f:|;=]{0,400}") {
            let lineage = Lineage::of_header(Some(&format!("Lineage={text}")));
            if let Ok(passed) = lineage.pass(&arn("a"), RecursiveLoop::Allow) {
                proptest::prop_assert!(passed.passed.len() <= limits::LINEAGE_FUNCTIONS);
                proptest::prop_assert_eq!(Lineage::of_header(Some(&format!("Lineage={passed}"))), passed);
            }
        }
    }
}
