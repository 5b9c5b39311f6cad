//! The built binary from outside.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it says")]

mod bad_input;
mod code_from_s3;
mod concurrency;
mod contract;
mod durability;
mod engine_process;
mod function_settings;
mod functions;
mod fuzzed_requests;
mod gate;
mod hostile_runtime;
mod invoke_cli;
mod layers;
mod leftovers;
mod listing;
mod logs;
mod official_clients;
mod processes;
mod queues;
mod real_clients;
mod recorded_errors;
mod response_headers;
mod runtimes;
mod settings;
mod shell_function;
mod slow_reader;
mod streaming;
mod tools;
mod unprivileged;
mod up;
