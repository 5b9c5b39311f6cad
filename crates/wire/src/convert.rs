//! Shapes to domain and back, one file per noun.
//!
//! Never here: defaults that AWS documents as behaviour.

pub(crate) mod concurrency;
pub(crate) mod event_invoke_config;
pub(crate) mod function;
pub(crate) mod invocation;
pub(crate) mod layer;
pub(crate) mod mapping;
pub(crate) mod permission;
pub(crate) mod tag;
pub(crate) mod version;
