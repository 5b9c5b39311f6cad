//! The nouns of Lambda and the decisions about them.
//!
//! Pure and synchronous: nothing here awaits, reads a clock, rolls a die or opens a file. `now` and every
//! random choice are arguments. What is *absent* is the point: this crate knows no HTTP, no SQL and no Linux.

pub mod alias;
pub mod arn;
pub mod concurrency;
mod decimal;
pub mod destination;
pub mod environment;
pub mod error;
pub mod event;
pub mod fault;
pub mod function;
pub mod image;
pub mod invocation;
pub mod isolation;
pub mod layer;
pub mod limits;
pub mod lineage;
pub mod log;
pub mod mapping;
pub mod names;
pub mod network;
pub mod own_tags;
pub mod payload;
pub mod policy;
pub mod queue;
pub mod runtime;
pub mod settings;
pub mod tags;
pub mod trace;
pub mod variables;

pub use error::{Error, Fault, Refusal};
