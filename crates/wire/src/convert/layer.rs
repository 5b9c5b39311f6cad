//! Layers: what a request asks for, and how a layer version is shown.

use std::str::FromStr;

use domain::Refusal;
use domain::arn::Home;
use domain::layer::{LayerArn, LayerStatement, LayerVersion};
use engine::contents::Source;
use engine::layers::{Filter, NewVersion};

use super::function::{NotBuilt, is_reference, package};
use crate::generated::types;

/// Where the zip of a layer version is fetched, as GetLayerVersion tells it: behind an authority.
pub(crate) const CONTENT_PATH: &str = "/_lambd/layers/";

/// Reads PublishLayerVersion: what is published, and its contents.
///
/// # Errors
/// There are none, or they are to come from somewhere that is not built yet.
pub(crate) fn new_version(
    home: &Home,
    asked: types::PublishLayerVersionRequest,
) -> Result<(NewVersion, Source), Refusal> {
    let layer = home.read_layer(&asked.layer_name)?;
    let types::LayerVersionContentInput { s3_bucket, s3_key, s3_object_version, s3_object_storage_mode, zip_file } =
        asked.content;
    NotBuilt("PublishLayerVersion")
        .check(&[(is_reference(s3_object_storage_mode.as_ref()), "S3ObjectStorageMode REFERENCE")])?;
    let source = package(zip_file.map(|zip| zip.0), (s3_bucket, s3_key, s3_object_version))?;
    let new = NewVersion {
        layer,
        description: asked.description.unwrap_or_default(),
        license: asked.license_info,
        runtimes: asked.compatible_runtimes.unwrap_or_default().iter().map(ToString::to_string).collect(),
        architectures: asked.compatible_architectures.unwrap_or_default().iter().map(ToString::to_string).collect(),
    };
    Ok((new, source))
}

/// Reads a layer and a version of it.
///
/// # Errors
/// The number is less than one (LocalStack: `test_layer_exceptions`), or the name is none.
pub(crate) fn version(home: &Home, name: &str, number: i64) -> Result<(LayerArn, u64), Refusal> {
    match u64::try_from(number) {
        Ok(number) if number > 0 => Ok((home.read_layer(name)?, number)),
        _ => Err(Refusal::LayerVersionTooSmall),
    }
}

/// Reads AddLayerVersionPermission: the statement. The model lets one action pass, and organizations only behind `*`.
pub(crate) fn statement(asked: &types::AddLayerVersionPermissionRequest) -> LayerStatement {
    LayerStatement {
        id: asked.statement_id.clone(),
        principal: asked.principal.clone(),
        organization: asked.organization_id.clone(),
    }
}

/// What a listing asks for, as text.
pub(crate) fn filter(runtime: Option<types::Runtime>, architecture: Option<types::Architecture>) -> Filter<'static> {
    Filter { runtime: runtime.map(types::Runtime::as_str), architecture: architecture.map(types::Architecture::as_str) }
}

/// A layer version whole, as PublishLayerVersion shows it.
pub(crate) fn published(version: &LayerVersion, authority: &str) -> types::PublishLayerVersionResponse {
    let types::GetLayerVersionResponse {
        content,
        layer_arn,
        layer_version_arn,
        description,
        created_date,
        version,
        compatible_architectures,
        compatible_runtimes,
        license_info,
    } = whole(version, authority);
    types::PublishLayerVersionResponse {
        content,
        layer_arn,
        layer_version_arn,
        description,
        created_date,
        version,
        compatible_architectures,
        compatible_runtimes,
        license_info,
    }
}

/// A layer version whole, as GetLayerVersion shows it (recorded: `test_layer_compatibilities`, `test_layer_lifecycle`).
pub(crate) fn whole(version: &LayerVersion, authority: &str) -> types::GetLayerVersionResponse {
    let types::LayerVersionsListItem {
        layer_version_arn,
        version: number,
        description,
        created_date,
        compatible_architectures,
        compatible_runtimes,
        license_info,
    } = listed(version);
    let digest = version.package.digest;
    let location =
        format!("http://{authority}{CONTENT_PATH}{}/{}/{}", version.layer.name, version.number, digest.hex());
    types::GetLayerVersionResponse {
        content: Some(types::LayerVersionContentOutput {
            location: Some(location),
            code_sha256: Some(digest.base64()),
            code_size: version.package.zip_bytes.try_into().ok(),
            ..types::LayerVersionContentOutput::default()
        }),
        layer_arn: Some(version.layer.to_string()),
        layer_version_arn,
        description,
        created_date,
        version: number,
        compatible_architectures,
        compatible_runtimes,
        license_info,
    }
}

/// A layer version as listings show it.
pub(crate) fn listed(version: &LayerVersion) -> types::LayerVersionsListItem {
    types::LayerVersionsListItem {
        layer_version_arn: Some(version.arn()),
        version: version.number.try_into().ok(),
        description: Some(version.description.clone()),
        created_date: Some(version.created_at.strftime("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()),
        compatible_architectures: read_back(&version.architectures),
        compatible_runtimes: read_back(&version.runtimes),
        license_info: version.license.clone(),
    }
}

/// What was given as values of the model's enumeration, as such; nothing where nothing was given.
fn read_back<T: FromStr>(texts: &[String]) -> Option<Vec<T>> {
    (!texts.is_empty()).then(|| texts.iter().filter_map(|text| text.parse().ok()).collect())
}

/// A layer with its newest version.
pub(crate) fn layer(newest: &LayerVersion) -> types::LayersListItem {
    types::LayersListItem {
        layer_name: Some(newest.layer.name.to_string()),
        layer_arn: Some(newest.layer.to_string()),
        latest_matching_version: Some(listed(newest)),
    }
}
