//! The API's contract, through the crate's own door. Each expectation names its source.
#![expect(clippy::unwrap_used, reason = "tests")]

mod compatibility;
mod panics;
mod patience;
mod recorded_validation;
