//! Container images: what a function of `PackageType` Image is made of, and why an image is refused.
//!
//! Never here: where images come from, and what is in them.

use crate::function::Digest;

/// An image, fixed: tags may move, this does not (AWS developer guide, images-create: the digest is resolved when the
/// function is created or updated).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `ImageUri`, as given.
    pub uri: String,
    /// `ResolvedImageUri`: the same place with the digest in it.
    pub resolved: String,
    /// The digest of its manifest for this machine's processor; `CodeSha256` on the wire.
    pub digest: Digest,
}

/// `ImageConfig`: what takes the place of the image's own settings. What is not given stays the image's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// Instead of `ENTRYPOINT`; empty where it was not given.
    pub entry_point: Vec<String>,
    /// Instead of `CMD`; empty where it was not given.
    pub command: Vec<String>,
    /// Instead of `WORKDIR`.
    pub working_directory: Option<String>,
}

impl ImageConfig {
    /// Whether it replaces nothing: answers then have no `ImageConfigResponse` at all (recorded:
    /// `test_lambda_image_and_image_config_crud`).
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is wrong with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageProblem {
    /// The reference has none of the forms that are read.
    Malformed,
    /// There is no such image.
    NotFound,
    /// Whoever has it does not give it out, or does not answer.
    AccessDenied,
    /// It is of a kind that cannot be run: another operating system, an artifact, an unknown compression.
    Unsupported,
    /// It is for other processors only.
    OtherArchitecture,
    /// What was found is not what its digest says, or cannot be unpacked.
    Broken,
}

impl ImageProblem {
    /// As `StateReasonCode` and `LastUpdateStatusReasonCode` spell it.
    pub fn reason_code(self) -> &'static str {
        match self {
            Self::NotFound => "ImageDeleted",
            Self::AccessDenied => "ImageAccessDenied",
            Self::Malformed | Self::Unsupported | Self::OtherArchitecture | Self::Broken => "InvalidImage",
        }
    }
}
