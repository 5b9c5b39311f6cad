//! AWS's APIs, answered: requests become calls of the engine, and what comes back becomes answers that AWS's own
//! clients understand. The only crate that knows HTTP towards those clients.

mod convert;
pub mod coverage;
mod error;
pub mod generated;
pub mod model;
pub mod server;
