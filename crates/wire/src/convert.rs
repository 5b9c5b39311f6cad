//! Shapes to domain and back, one file per noun.
//!
//! Never here: defaults that AWS documents as behaviour.

pub(crate) mod concurrency;
pub(crate) mod function;
pub(crate) mod invocation;
pub(crate) mod layer;
pub(crate) mod version;
