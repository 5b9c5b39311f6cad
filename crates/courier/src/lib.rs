//! What we send to AWS-compatible services, by the official SDK; only this crate may name an `aws-sdk-*` crate.
//!
//! Never here: what a document says, when to try a delivery again, and the queue that we serve ourselves.

pub mod client;

pub use client::objects::ObjectStore;
