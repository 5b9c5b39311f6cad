//! The server's side of the API: from the parts of an HTTP request to a typed input, and from an output to an answer.

mod bind;
mod percent;
pub mod request;
pub mod response;
pub mod router;
mod validate;
