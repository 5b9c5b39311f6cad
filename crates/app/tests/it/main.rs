//! The built binary from outside.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it says")]

mod bad_input;
mod engine_process;
mod invoke_cli;
mod recorded_errors;
mod response_headers;
