//! What a caller makes something of: code that comes with the request or lies in an object store, and layers.
//!
//! Never here: what a package is, and where it is kept.

use std::sync::Arc;

use bytes::Bytes;
use domain::{Error, Refusal, limits};

use crate::ports::{ObjectName, Objects};

/// Where code comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// From the request.
    Zip(Bytes),
    /// From an object store.
    Object(ObjectName),
}

/// What the code of a function is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeSource {
    /// A zip.
    Package(Source),
    /// A container image, by its `ImageUri`.
    Image(String),
}

/// What a new function is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Its own code.
    pub code: CodeSource,
    /// The ARNs of its layer versions, in order.
    pub layers: Vec<String>,
}

impl From<Bytes> for Source {
    fn from(zip: Bytes) -> Self {
        Self::Zip(zip)
    }
}

impl From<Source> for CodeSource {
    fn from(source: Source) -> Self {
        Self::Package(source)
    }
}

impl From<Bytes> for CodeSource {
    fn from(zip: Bytes) -> Self {
        Self::Package(zip.into())
    }
}

impl From<Bytes> for Contents {
    fn from(zip: Bytes) -> Self {
        Self { code: zip.into(), layers: Vec::new() }
    }
}

impl Source {
    /// The zip. Only one that comes with the request is bounded by itself; one from an object store may be as large
    /// as what is in it (AWS developer guide, gettingstarted-limits).
    ///
    /// # Errors
    /// It is too large, or the object store does not give it out.
    pub async fn zip(self, objects: &Arc<dyn Objects>) -> Result<Bytes, Error> {
        match self {
            Self::Zip(zip) if zip.len() as u64 > limits::ZIPPED_BYTES => Err(Refusal::ZippedTooLarge.into()),
            Self::Zip(zip) => Ok(zip),
            Self::Object(object) => objects.fetch(object, limits::UNZIPPED_BYTES).await,
        }
    }
}
