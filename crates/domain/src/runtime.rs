//! The runtimes of Lambda: which identifiers exist, which are retired, and what family runs them.
//!
//! Never here: which interpreters this machine has.

use std::fmt;

use crate::error::Refusal;

/// What kind of program answers the Runtime API for a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// CPython of one minor version.
    Python,
    /// Node.js of one major version.
    Node,
    /// The function's own `bootstrap`.
    Provided,
    /// Java; not run here, `provided.al2023` is the way.
    Java,
    /// Ruby; likewise.
    Ruby,
    /// .NET; likewise.
    DotNet,
}

/// A runtime that functions can be created with on AWS.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Runtime {
    identifier: &'static str,
    family: Family,
}

/// In the order that AWS prints them when it refuses an unknown one (recorded: `invalid_runtime_exc`, January 2026).
const CURRENT: [(&str, Family); 25] = [
    ("nodejs20.x", Family::Node),
    ("python3.14", Family::Python),
    ("provided.al2023", Family::Provided),
    ("python3.12", Family::Python),
    ("python3.13", Family::Python),
    ("nodejs24.x", Family::Node),
    ("nodejs22.x", Family::Node),
    ("java25", Family::Java),
    ("python3.10", Family::Python),
    ("python3.11", Family::Python),
    ("java21", Family::Java),
    ("ruby3.3", Family::Ruby),
    ("ruby3.4", Family::Ruby),
    ("ruby3.2", Family::Ruby),
    ("python3.8", Family::Python),
    ("python3.9", Family::Python),
    ("java17", Family::Java),
    ("nodejs16.x", Family::Node),
    ("dotnet10", Family::DotNet),
    ("dotnet8", Family::DotNet),
    ("java11", Family::Java),
    ("dotnet6", Family::DotNet),
    ("nodejs18.x", Family::Node),
    ("provided.al2", Family::Provided),
    ("java8.al2", Family::Java),
];

/// Identifiers of the service model that AWS refuses as no longer supported
/// (recorded: `test_create_deprecated_function_runtime_with_validation_enabled`; service model, `Runtime`).
const RETIRED: [&str; 20] = [
    "nodejs",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs6.10",
    "nodejs8.10",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "java8",
    "python2.7",
    "python3.6",
    "python3.7",
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
    "go1.x",
    "provided",
    "ruby2.5",
    "ruby2.7",
];

impl Runtime {
    /// What an environment of a container image is started as: like the program of an OS-only runtime, an image asks for
    /// its events by itself.
    pub const OS_ONLY: Self = Self { identifier: "provided.al2023", family: Family::Provided };

    /// Reads an identifier that a function may be created with.
    ///
    /// # Errors
    /// Nobody knows the identifier, or AWS has retired it.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if let Some((identifier, family)) = CURRENT.iter().copied().find(|(identifier, _)| *identifier == text) {
            return Ok(Self { identifier, family });
        }
        let value = text.to_owned();
        if RETIRED.contains(&text) {
            return Err(Refusal::RetiredRuntime { value });
        }
        Err(Refusal::UnknownRuntime { value })
    }

    /// Every runtime, in AWS's order.
    pub fn all() -> impl Iterator<Item = Self> {
        CURRENT.iter().map(|&(identifier, family)| Self { identifier, family })
    }

    /// AWS's name for it: `python3.12`.
    pub fn identifier(self) -> &'static str {
        self.identifier
    }

    /// What runs it.
    pub fn family(self) -> Family {
        self.family
    }

    /// The interpreter's version within its family: `3.12`, `20`; empty where there is none.
    pub fn version(self) -> &'static str {
        match self.family {
            Family::Python => self.identifier.trim_start_matches("python"),
            Family::Node => self.identifier.trim_start_matches("nodejs").trim_end_matches(".x"),
            Family::Provided | Family::Java | Family::Ruby | Family::DotNet => "",
        }
    }

    /// The version's numbers, to be compared: `python3.8` comes before `python3.12`.
    pub fn version_numbers(self) -> impl Ord {
        let numbers = self.version().split('.').filter_map(|part| part.parse().ok());
        numbers.collect::<Vec<u32>>()
    }

    /// Whether the function brings its own `bootstrap`.
    pub fn is_provided(self) -> bool {
        self.family == Family::Provided
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.identifier)
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.identifier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_sorted_into_current_retired_and_unknown() {
        assert_eq!(Runtime::parse("python3.12").map(Runtime::version), Ok("3.12"));
        assert_eq!(Runtime::parse("nodejs22.x").map(Runtime::version), Ok("22"));
        assert_eq!(Runtime::parse("provided.al2").map(Runtime::is_provided), Ok(true));
        let [older, newer] = ["python3.8", "python3.12"].map(|runtime| Runtime::parse(runtime).unwrap());
        assert!(older.version_numbers() < newer.version_numbers());
        // Recorded: test_create_deprecated_function_runtime_with_validation_enabled, uppercase_runtime_exc.
        for retired in
            ["java8", "go1.x", "provided", "ruby2.7", "nodejs14.x", "python3.7", "dotnetcore3.1", "nodejs12.x"]
        {
            assert_eq!(Runtime::parse(retired), Err(Refusal::RetiredRuntime { value: retired.into() }));
        }
        for unknown in ["PYTHON3.9", "non-existent-runtime", ""] {
            assert_eq!(Runtime::parse(unknown), Err(Refusal::UnknownRuntime { value: unknown.into() }));
        }
    }
}
