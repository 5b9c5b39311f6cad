//! The use cases, over a store in memory, a fake sandbox and a clock that is moved by hand.
#![expect(clippy::unwrap_used, reason = "tests")]

mod concurrency;
mod environments;
mod event_source_mappings;
mod events;
mod functions;
mod images;
mod invoker;
mod layers;
mod log;
mod outbox;
mod queues;
mod settings;
mod simulation;
mod steering;
mod streaming;
mod versions;
