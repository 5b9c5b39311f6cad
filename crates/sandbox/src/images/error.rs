//! Why an image cannot be had: something is wrong with it, or we failed.

use std::io;

use domain::image::ImageProblem;
use domain::{Error, Fault, Refusal};

/// See the module.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    /// Something is wrong with the image, or with where it should be.
    #[error("{why}")]
    Refused {
        /// What kind of thing.
        problem: ImageProblem,
        /// For people, in a sentence without a full stop.
        why: String,
    },
    /// Our own disk or memory.
    #[error("{doing}")]
    Step {
        /// What was to be done.
        doing: String,
        /// Why it was not.
        source: io::Error,
    },
}

impl ImageError {
    pub(super) fn new(problem: ImageProblem, why: impl Into<String>) -> Self {
        Self::Refused { problem, why: why.into() }
    }

    pub(super) fn broken(why: impl Into<String>) -> Self {
        Self::new(ImageProblem::Broken, why)
    }

    pub(super) fn unsupported(why: impl Into<String>) -> Self {
        Self::new(ImageProblem::Unsupported, why)
    }

    pub(super) fn not_found(why: impl Into<String>) -> Self {
        Self::new(ImageProblem::NotFound, why)
    }

    pub(super) fn step(doing: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Step { doing: doing.into(), source: source.into() }
    }

    /// As the engine hears of it.
    pub(super) fn of(self, uri: &str) -> Error {
        match self {
            Self::Refused { problem, why } => Refusal::Image { uri: uri.to_owned(), problem, why }.into(),
            Self::Step { .. } => Fault::new(format!("fetching the image {uri}"), self).into(),
        }
    }
}
