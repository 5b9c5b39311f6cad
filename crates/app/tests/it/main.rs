//! The built binary from outside.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it says")]

mod bad_input;
mod engine_process;
mod functions;
mod invoke_cli;
mod official_clients;
mod real_clients;
mod recorded_errors;
mod response_headers;
mod runtimes;
mod tools;
