//! The JSON documents of an image, as the OCI image specification and Docker's manifest 2.2 have them: index, manifest and
//! configuration; and which image of an index is for this machine.
//!
//! Never here: where they come from. Whoever calls has checked their digests.

use std::collections::BTreeMap;

use domain::function::Digest;
use domain::image::ImageProblem;
use serde::{Deserialize, Serialize};

use super::error::ImageError;
use super::reference::parse_digest;

/// Bytes of an index or a manifest; registries take no more than this either.
pub(super) const MANIFEST_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Bytes of a configuration.
pub(super) const CONFIGURATION_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Layers of one image: what Docker allows.
const LAYERS_MAX: usize = 127;
/// Indexes inside one another.
pub(super) const NESTED_MAX: usize = 4;

/// This machine's processor, as images name it.
pub(super) const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

/// Media types of indexes and manifests, as a registry is asked for them.
pub(super) const MANIFEST_TYPES: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
const CONFIGURATION_TYPES: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
const LAYER_TYPES: [&str; 6] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
];

/// Names something by its digest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Platform {
    #[serde(default)]
    pub(super) architecture: String,
    #[serde(default)]
    pub(super) os: String,
}

impl Descriptor {
    pub(super) fn digest(&self) -> Result<Digest, ImageError> {
        parse_digest(&self.digest)
            .map_err(|_| ImageError::unsupported(format!("Its digest {:?} is no SHA-256", self.digest)))
    }

    /// The names that a layout has for it.
    pub(super) fn is_named(&self, name: &str) -> bool {
        ["org.opencontainers.image.ref.name", "io.containerd.image.name"]
            .iter()
            .filter_map(|key| self.annotations.get(*key))
            .any(|found| found == name || found.rsplit_once(':').is_some_and(|(_, tag)| tag == name))
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Index {
    pub(super) manifests: Vec<Descriptor>,
}

/// An image.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub(super) schema_version: u32,
    pub(super) config: Descriptor,
    /// Bottom to top.
    pub(super) layers: Vec<Descriptor>,
}

/// Either of them.
pub(super) enum Document {
    Index(Index),
    Manifest(Manifest),
}

impl Document {
    /// What is read follows from its members: media types are often wrong, and the members cannot be.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ImageError> {
        #[derive(Deserialize)]
        struct Members {
            #[serde(rename = "schemaVersion")]
            schema_version: Option<u32>,
            manifests: Option<serde::de::IgnoredAny>,
            layers: Option<serde::de::IgnoredAny>,
        }
        let broken = |error| ImageError::broken(format!("Its manifest cannot be read: {error}"));
        let members: Members = serde_json::from_slice(bytes).map_err(broken)?;
        match (members.schema_version, members.manifests, members.layers) {
            // Two readers that disagree on which it is would run two images.
            (_, Some(_), Some(_)) => Err(ImageError::broken("Its manifest is both an index and an image")),
            (Some(2), Some(_), None) => serde_json::from_slice(bytes).map(Self::Index).map_err(broken),
            (Some(2), None, Some(_)) => serde_json::from_slice(bytes).map(Self::Manifest).map_err(broken),
            _ => Err(ImageError::unsupported("Its manifest is none of version 2")),
        }
    }
}

impl Manifest {
    /// Checks that it is an image and not something else that is kept in the same way.
    pub(super) fn check(&self) -> Result<(), ImageError> {
        if !CONFIGURATION_TYPES.contains(&self.config.media_type.as_str()) {
            let found = &self.config.media_type;
            return Err(ImageError::unsupported(format!("Its configuration is of the type {found:?}")));
        }
        if self.config.size > CONFIGURATION_BYTES_MAX {
            return Err(ImageError::unsupported("Its configuration is too large"));
        }
        if self.layers.len() > LAYERS_MAX {
            let found = self.layers.len();
            return Err(ImageError::unsupported(format!("It has {found} layers, {LAYERS_MAX} are allowed")));
        }
        match self.layers.iter().find(|layer| !LAYER_TYPES.contains(&layer.media_type.as_str())) {
            Some(layer) => Err(ImageError::unsupported(format!("It has a layer of the type {:?}", layer.media_type))),
            None => Ok(()),
        }
    }

    /// Each layer with the digest of its unpacked bytes.
    pub(super) fn layers(&self, of: &Configuration) -> Result<Vec<Layer>, ImageError> {
        if self.layers.len() != of.rootfs.diff_ids.len() {
            return Err(ImageError::broken("Its manifest and its configuration differ in how many layers there are"));
        }
        let layer = |(layer, diff_id): (&Descriptor, &String)| {
            let unpacked = parse_digest(diff_id)
                .map_err(|_| ImageError::unsupported(format!("The digest {diff_id:?} of a layer is no SHA-256")))?;
            Ok(Layer { digest: layer.digest()?, bytes: layer.size, unpacked })
        };
        self.layers.iter().zip(&of.rootfs.diff_ids).map(layer).collect()
    }
}

/// A layer as it is fetched and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layer {
    /// Of the bytes as they are kept.
    pub(super) digest: Digest,
    /// How many.
    pub(super) bytes: u64,
    /// Of the tar inside.
    pub(super) unpacked: Digest,
}

/// The configuration of an image.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Configuration {
    #[serde(default)]
    pub(super) architecture: String,
    #[serde(default)]
    pub(super) os: String,
    #[serde(default)]
    pub(super) config: Option<Run>,
    #[serde(default)]
    pub(super) rootfs: RootFs,
}

/// How it is run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Run {
    #[serde(default)]
    pub(super) entrypoint: Option<Vec<String>>,
    #[serde(default)]
    pub(super) cmd: Option<Vec<String>>,
    #[serde(default)]
    pub(super) env: Option<Vec<String>>,
    #[serde(default)]
    pub(super) working_dir: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RootFs {
    #[serde(default)]
    pub(super) diff_ids: Vec<String>,
}

impl Configuration {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ImageError> {
        serde_json::from_slice(bytes)
            .map_err(|error| ImageError::broken(format!("Its configuration cannot be read: {error}")))
    }

    /// Checks that it runs on this machine.
    pub(super) fn check(&self) -> Result<(), ImageError> {
        if self.os != "linux" {
            return Err(ImageError::unsupported(format!("It is for the operating system {:?}", self.os)));
        }
        if self.architecture == ARCHITECTURE { Ok(()) } else { Err(for_others([self.architecture.as_str()])) }
    }
}

/// The image of an index that runs on this machine.
pub(super) fn choose(index: &Index) -> Result<&Descriptor, ImageError> {
    // Build records lie in the same index, with the platform `unknown`.
    let images: Vec<&Descriptor> = index
        .manifests
        .iter()
        .filter(|entry| entry.media_type.is_empty() || MANIFEST_TYPES.contains(&entry.media_type.as_str()))
        .filter(|entry| entry.platform.as_ref().is_none_or(|platform| platform.os != "unknown"))
        .collect();
    let is_ours = |platform: &Platform| platform.os == "linux" && platform.architecture == ARCHITECTURE;
    // The first, as the specification says.
    if let Some(ours) = images.iter().find(|entry| entry.platform.as_ref().is_some_and(is_ours)) {
        return Ok(ours);
    }
    match images.as_slice() {
        [] => Err(ImageError::not_found("Its index has no image")),
        // What it is for is in its configuration.
        [only] if only.platform.is_none() => Ok(only),
        others => Err(for_others(others.iter().map(|entry| match &entry.platform {
            Some(platform) => platform.architecture.as_str(),
            None => "unknown",
        }))),
    }
}

fn for_others<'a>(found: impl IntoIterator<Item = &'a str>) -> ImageError {
    let found: Vec<&str> = found.into_iter().take(20).collect();
    ImageError::new(
        ImageProblem::OtherArchitecture,
        format!("It is for {}, this machine runs linux/{ARCHITECTURE}", found.join(", ")),
    )
}
