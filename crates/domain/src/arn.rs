//! Reading and printing every way AWS lets one name a function.
//!
//! Never here: looking the function up.

use std::fmt;
use std::sync::Arc;

use crate::error::Refusal;
use crate::names::{FunctionName, Qualifier};

/// Where this engine lives: the partition, region and account of every ARN it makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// `aws`, `aws-cn`, …
    pub partition: Arc<str>,
    /// `us-east-1`, …
    pub region: Arc<str>,
    /// Twelve digits.
    pub account: Arc<str>,
}

/// A function as one caller named it: read, but not looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The function's unqualified ARN.
    pub arn: FunctionArn,
    /// The qualifier, from the name or from the parameter.
    pub qualifier: Option<Qualifier>,
}

/// The unqualified ARN of a function.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FunctionArn {
    partition: Arc<str>,
    region: Arc<str>,
    account: Arc<str>,
    /// The bare name.
    pub name: FunctionName,
}

impl FunctionArn {
    /// The ARN with a qualifier behind it.
    pub fn qualified(&self, qualifier: &Qualifier) -> String {
        [&self.parts().concat(), ":", qualifier.text().as_ref()].concat()
    }

    /// What its text is made of.
    pub(crate) fn parts(&self) -> [&str; 8] {
        let Self { partition, region, account, name } = self;
        ["arn:", partition, ":lambda:", region, ":", account, ":function:", name.as_str()]
    }

    /// Where it is.
    pub fn home(&self) -> Home {
        let Self { partition, region, account, name: _ } = self;
        Home { partition: partition.clone(), region: region.clone(), account: account.clone() }
    }

    /// The account that owns the function.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The region of the function.
    pub fn region(&self) -> &str {
        &self.region
    }
}

impl fmt::Display for FunctionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().iter().try_for_each(|part| f.write_str(part))
    }
}

impl Target {
    /// Checks that the function as a whole is meant, or its `$LATEST`.
    ///
    /// # Errors
    /// A version or an alias is named (recorded: `test_function_concurrency_exceptions`).
    pub fn check_whole(&self) -> Result<(), Refusal> {
        match &self.qualifier {
            None | Some(Qualifier::Latest) => Ok(()),
            Some(_) => Err(Refusal::FunctionsOnly),
        }
    }

    /// As [`Target::check_whole`], where not even `$LATEST` may be named (recorded:
    /// `test_function_concurrency_exceptions`).
    ///
    /// # Errors
    /// There is a qualifier.
    pub fn check_unqualified(&self) -> Result<(), Refusal> {
        if self.qualifier.is_none() { Ok(()) } else { Err(Refusal::FunctionsOnly) }
    }

    /// The ARN as the caller qualified it: what the function sees as its invoked ARN
    /// (recorded: `test_invocation_with_qualifier`).
    pub fn as_invoked(&self) -> String {
        match &self.qualifier {
            None => self.arn.parts().concat(),
            Some(qualifier) => self.arn.qualified(qualifier),
        }
    }
}

impl Home {
    /// The ARN of a function of this engine.
    pub fn function_arn(&self, name: &FunctionName) -> FunctionArn {
        FunctionArn {
            partition: self.partition.clone(),
            region: self.region.clone(),
            account: self.account.clone(),
            name: name.clone(),
        }
    }

    /// Reads a function's name, partial ARN or ARN, together with the `Qualifier` parameter.
    ///
    /// The forms nest as in the model's pattern `(arn:…:lambda:)?(region:)?(account:)?(function:)?name(:qualifier)?`,
    /// each group taken only while something is left for the name; so an ARN that ends in `:function` names a
    /// function called `function` (recorded: `test_function_name_and_qualifier_validation`).
    ///
    /// # Errors
    /// The name does not have that form, the region or partition is another one, or name and parameter disagree on the
    /// qualifier.
    pub fn read(&self, given: &str, qualifier: Option<&str>) -> Result<Target, Refusal> {
        let malformed = || Refusal::MalformedFunctionName { value: given.into() };
        if !given.contains(':') {
            // The name alone, as it mostly comes.
            let name = FunctionName::parse(given).ok_or_else(malformed)?;
            return Ok(Target { arn: self.function_arn(&name), qualifier: qualifier.map(Qualifier::parse) });
        }
        let mut parts = given.split(':').peekable();
        let mut left = given.split(':').count();
        let mut take = |fits: &dyn Fn(&str) -> bool| -> Option<String> {
            let part = parts.peek().filter(|part| left > 1 && fits(part))?.to_string();
            parts.next();
            left -= 1;
            Some(part)
        };
        let mut partition = None;
        if take(&|part| part == "arn").is_some() {
            partition = Some(take(&|part| part.starts_with("aws")).ok_or_else(malformed)?);
            take(&|part| part == "lambda").ok_or_else(malformed)?;
        }
        let region = take(&is_region);
        let account = take(&is_account);
        take(&|part| part == "function");
        let name = parts.next().and_then(FunctionName::parse).ok_or_else(malformed)?;
        let derived = parts.next();
        if parts.next().is_some() || derived == Some("") {
            return Err(malformed());
        }

        if let Some(asked) = region.filter(|region| **region != *self.region) {
            return Err(Refusal::UnreachableRegion { asked, here: self.region.to_string() });
        }
        let qualifier = match (derived, qualifier) {
            (Some(derived), Some(given)) if derived != given => return Err(Refusal::QualifierMismatch),
            (derived, given) => derived.or(given).map(Qualifier::parse),
        };
        let mut arn = self.function_arn(&name);
        if let Some(account) = account {
            arn.account = account.into();
        }
        // Accounts live in one partition each, so that whose function this is, it is not ours.
        if partition.is_some_and(|partition| *partition != *self.partition) {
            return Err(Refusal::OtherAccount);
        }
        Ok(Target { arn, qualifier })
    }
}

/// Twelve digits.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|c| c.is_ascii_digit())
}

/// A region's name by the model's pattern `(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}`.
pub fn is_region(text: &str) -> bool {
    let rest = text.strip_prefix("eusc-").unwrap_or(text);
    let mut parts = rest.split('-');
    let lower = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_lowercase());
    let digit = |part: &str| part.len() == 1 && part.as_bytes()[0].is_ascii_digit();
    let country = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let direction_and_number = match rest.as_slice() {
        [direction, number] => Some((direction, number)),
        [partition, direction, number]
            if *partition == "gov" || (partition.starts_with("iso") && partition.len() <= 4) =>
        {
            Some((direction, number))
        }
        _ => None,
    };
    country.len() == 2 && lower(country) && direction_and_number.is_some_and(|(d, n)| lower(d) && digit(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> Home {
        Home { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() }
    }

    fn check(given: &str, qualifier: Option<&str>, expected: Result<&str, Refusal>) {
        let read = home().read(given, qualifier).map(|target| target.as_invoked());
        assert_eq!(read, expected.map(str::to_owned), "reading {given:?} with {qualifier:?}");
    }

    const FN: &str = "arn:aws:lambda:us-east-1:000000000000:function:fn";

    #[test]
    fn every_form_of_a_name_is_read() {
        // Forms: service model, FunctionName; API reference, Invoke.
        for form in [
            "fn",
            "function:fn",
            "000000000000:function:fn",
            "000000000000:fn",
            "us-east-1:000000000000:function:fn",
            FN,
        ] {
            check(form, None, Ok(FN));
            check(&format!("{form}:PROD"), None, Ok(&format!("{FN}:PROD")));
            check(form, Some("$LATEST"), Ok(&format!("{FN}:$LATEST")));
            check(&format!("{form}:7"), Some("7"), Ok(&format!("{FN}:7")));
        }
    }

    #[test]
    fn an_arn_without_a_name_means_a_function_called_function() {
        // Recorded: test_function_name_and_qualifier_validation.
        let arn = "arn:aws:lambda:us-east-1:000000000000:function";
        check(arn, None, Ok(&format!("{arn}:function")));
    }

    #[test]
    fn what_disagrees_is_refused() {
        // Recorded: test_function_name_and_qualifier_validation, test_get_function_wrong_region.
        check(&format!("{FN}:$LATEST"), Some("1"), Err(Refusal::QualifierMismatch));
        check(
            "arn:aws:lambda:eu-west-1:000000000000:function:fn",
            None,
            Err(Refusal::UnreachableRegion { asked: "eu-west-1".into(), here: "us-east-1".into() }),
        );
        for malformed in ["arn:aws:ec2:us-east-1:000000000000:function:fn", "a:b:c:d", "fn:", ""] {
            check(malformed, None, Err(Refusal::MalformedFunctionName { value: malformed.into() }));
        }
    }

    #[test]
    fn another_partition_is_another_account() {
        for partition in ["aws-cn", "aws-us-gov", "awsome"] {
            let arn = format!("arn:{partition}:lambda:us-east-1:000000000000:function:fn");
            check(&arn, None, Err(Refusal::OtherAccount));
            // Name and parameter are judged before.
            check(&format!("{arn}:1"), Some("2"), Err(Refusal::QualifierMismatch));
        }
        let region = Refusal::UnreachableRegion { asked: "cn-north-1".into(), here: "us-east-1".into() };
        check("arn:aws-cn:lambda:cn-north-1:000000000000:function:fn", None, Err(region));
    }

    #[test]
    fn another_account_is_read_and_kept() {
        check(
            "arn:aws:lambda:us-east-1:123456789012:function:fn",
            None,
            Ok("arn:aws:lambda:us-east-1:123456789012:function:fn"),
        );
    }

    #[test]
    fn regions_are_told_from_names() {
        for region in ["us-east-1", "us-gov-west-1", "us-isob-east-1", "eusc-de-east-1"] {
            assert!(is_region(region), "{region}");
        }
        for other in ["us-east", "invalid-region", "us-east-12", "USA-east-1", ""] {
            assert!(!is_region(other), "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn reading_never_panics_and_prints_back(given in "[a-z0-9:$_.-]{0,60}", qualifier in proptest::option::of("[a-zA-Z0-9$_-]{1,10}")) {
            if let Ok(target) = home().read(&given, qualifier.as_deref()) {
                let again = home().read(&target.as_invoked(), None).expect("what we print, we read");
                proptest::prop_assert_eq!(again.as_invoked(), target.as_invoked());
            }
        }
    }
}
