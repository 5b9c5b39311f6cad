//! From the parts of a request to the typed input of its operation, or to AWS's own text of what is wrong with it.

use http::HeaderMap;
use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::router::{Labels, Unroutable};
use super::{bind, validate};
use crate::generated::errors::ErrorCode;
use crate::generated::operations::Operation;
use crate::model::ApiOperation;

/// What a request is made of once it has been routed and its body has been read.
///
/// A member that is the raw body (`Payload` of Invoke) is not part of the typed input: whoever has the parts has it.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// What the path says.
    pub labels: &'a Labels<'a>,
    /// The query, not decoded.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
}

/// A request that is refused before anybody asks what it means.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejected {
    /// Which error it is.
    pub code: ErrorCode,
    /// What the caller reads.
    pub message: String,
}

impl From<Unroutable> for Rejected {
    fn from(unroutable: Unroutable) -> Self {
        let code = match unroutable {
            Unroutable::UnknownPath { .. } => ErrorCode::UnknownOperation,
            Unroutable::MethodNotAllowed { .. } => ErrorCode::MethodNotAllowed,
        };
        Self { code, message: unroutable.to_string() }
    }
}

/// The members of a request as one JSON document, bound and checked against the model.
pub fn document(operation: Operation, parts: &Parts<'_>) -> Result<Map<String, Value>, Rejected> {
    let shape = operation.spec().input;
    let document = bind::document(shape, parts)?;
    validate::check(shape, &document)?;
    Ok(document)
}

/// Reads the input of an operation: bound, checked against the model, typed.
pub fn read<O: ApiOperation>(parts: &Parts<'_>) -> Result<O::Input, Rejected> {
    let document = document(O::OPERATION, parts)?;
    // What the check cannot see is in the text of a blob: whether it is base64.
    O::Input::deserialize(Value::Object(document))
        .map_err(|error| Rejected { code: ErrorCode::Serialization, message: error.to_string() })
}

#[cfg(test)]
mod tests;
