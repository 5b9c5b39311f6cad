// Written by `cargo xtask codegen`. Do not edit.
//! The API as tables and types, from the service model. See `crates/wire/model`.

#[rustfmt::skip]
pub mod errors;
#[rustfmt::skip]
pub mod operations;
#[rustfmt::skip]
pub mod schema;
#[rustfmt::skip]
pub mod types;
