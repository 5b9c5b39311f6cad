//! What we send to AWS-compatible services, by the official SDK; only this crate may name an `aws-sdk-*` crate.
//!
//! Never here: what a document says, when to try a delivery again, and the queue that we serve ourselves.

mod arn;
pub mod client;
mod deliveries;
mod queues;

pub use client::objects::ObjectStore;
pub use deliveries::Deliveries;
pub use queues::Queues;
