//! The built binary from outside.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it says")]

mod after_failures;
mod bad_input;
mod code_from_s3;
mod concurrency;
mod contract;
mod dice;
mod durability;
mod engine_process;
mod event_source_mappings;
mod events_backlog;
mod events_disk;
mod events_kill;
mod function_settings;
mod functions;
mod fuzzed_requests;
mod gate;
mod hostile_runtime;
mod images;
mod invoke_cli;
mod isolation;
mod layers;
mod ledger;
mod leftovers;
mod listing;
mod logs;
mod official_clients;
mod processes;
mod queues;
mod real_clients;
mod real_extension;
mod recorded_errors;
mod response_headers;
mod runtimes;
mod settings;
mod shell_function;
mod slow_reader;
mod steering;
mod streaming;
mod tools;
mod unprivileged;
mod up;
