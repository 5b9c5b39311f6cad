//! AWS's APIs, answered: requests become calls of the engine, and what comes back becomes answers that AWS's own
//! clients understand. The only crate that knows HTTP towards those clients.

mod convert;
pub mod coverage;
mod error;
pub mod generated;
pub mod model;
pub mod server;
mod sqs;

/// An error in AWS's words, for those of us who are not clients: `lambd up` tells why a folder cannot be deployed.
pub fn explain(error: domain::Error) -> String {
    let told = error::Told::from(error);
    let name = told.code.shape().name;
    told.message.map_or_else(|| name.to_owned(), |message| format!("{message} ({name})"))
}
