//! The use cases of Lambda, one small struct per noun, and the ports to what is outside.
//!
//! Asynchronous, but without HTTP, SQL or Linux: those implement the traits in [`ports`].

pub mod access;
pub mod admission;
pub mod catalog;
pub mod contents;
pub mod deliveries;
pub mod environments;
pub mod event_source_mappings;
pub mod events;
pub mod functions;
pub mod invoker;
mod lanes;
pub mod layers;
pub mod pollers;
pub mod pool;
pub mod ports;
pub mod queues;
pub mod resolve;
pub mod tasks;
pub mod telemetry;
