//! The built binary from outside.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it says")]

mod bad_input;
mod durability;
mod engine_process;
mod gate;
mod invoke_cli;
mod leftovers;
mod processes;
mod recorded_errors;
mod response_headers;
mod settings;
mod unprivileged;
mod up;
