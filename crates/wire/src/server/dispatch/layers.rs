//! The operations on layers: convert, call the engine, convert.

use bytes::Bytes;
use domain::Refusal;
use domain::function::Digest;
use domain::layer::LayerName;
use engine::access::Caller;
use http::Response;

use super::{Answer, Call, Operations, marker, page_items, read_marker, write};
use crate::convert::layer;
use crate::generated::operations as op;
use crate::generated::types;

impl Operations {
    pub(super) async fn publish_layer_version(&self, call: &Call<'_>) -> Answer {
        let (new, source) = layer::new_version(&self.home, call.read_body::<op::PublishLayerVersion>().await?)?;
        let published = self.layers.publish_layer_version(&call.caller, new, source).await?;
        write::<op::PublishLayerVersion>(&layer::published(&published, call.authority))
    }

    pub(super) fn get_layer_version(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::GetLayerVersion>()?;
        let (layer, number) = layer::version(&self.home, &asked.layer_name, asked.version_number)?;
        let found = self.layers.get_layer_version(&call.caller, &layer, number)?;
        write::<op::GetLayerVersion>(&layer::whole(&found, call.authority))
    }

    pub(super) fn get_layer_version_by_arn(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::GetLayerVersionByArn>()?;
        let (layer, number) = self.home.read_layer_version(&asked.arn)?;
        let found = self.layers.get_layer_version(&call.caller, &layer, number)?;
        write::<op::GetLayerVersionByArn>(&layer::whole(&found, call.authority))
    }

    pub(super) fn list_layers(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::ListLayers>()?;
        let filter = layer::filter(asked.compatible_runtime, asked.compatible_architecture);
        let after = read_marker(asked.marker.as_deref(), LayerName::parse)?;
        let page = self.layers.list_layers(&call.caller, filter, after.as_ref(), page_items(asked.max_items))?;
        write::<op::ListLayers>(&types::ListLayersResponse {
            next_marker: page.next.map(|name| marker(name.as_str())),
            layers: Some(page.items.iter().map(|newest| layer::layer(newest)).collect()),
        })
    }

    pub(super) fn list_layer_versions(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::ListLayerVersions>()?;
        let filter = layer::filter(asked.compatible_runtime, asked.compatible_architecture);
        let below = read_marker(asked.marker.as_deref(), |text| text.parse().ok())?;
        let of = self.home.read_layer(&asked.layer_name)?;
        let items_max = page_items(asked.max_items);
        let page = self.layers.list_layer_versions(&call.caller, &of, filter, below, items_max)?;
        write::<op::ListLayerVersions>(&types::ListLayerVersionsResponse {
            next_marker: page.next.map(|number| marker(&number.to_string())),
            layer_versions: Some(page.items.iter().map(|version| layer::listed(version)).collect()),
        })
    }

    pub(super) async fn delete_layer_version(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::DeleteLayerVersion>()?;
        let (layer, number) = layer::version(&self.home, &asked.layer_name, asked.version_number)?;
        self.layers.delete_layer_version(&call.caller, &layer, number).await?;
        write::<op::DeleteLayerVersion>(&())
    }

    pub(super) async fn add_layer_version_permission(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::AddLayerVersionPermission>()?;
        let (layer, number) = layer::version(&self.home, &asked.layer_name, asked.version_number)?;
        let statement = layer::statement(&asked);
        let added = (&layer, number);
        let version =
            self.layers.add_layer_version_permission(&call.caller, added, statement, asked.revision_id).await?;
        let policy = version.policy.as_ref();
        let newest = policy.and_then(|policy| policy.statements.last());
        write::<op::AddLayerVersionPermission>(&types::AddLayerVersionPermissionResponse {
            statement: newest.map(|statement| statement.document(&version.arn()).to_string()),
            revision_id: policy.map(|policy| policy.revision.to_string()),
        })
    }

    pub(super) async fn remove_layer_version_permission(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::RemoveLayerVersionPermission>()?;
        let (layer, number) = layer::version(&self.home, &asked.layer_name, asked.version_number)?;
        let of = (&layer, number);
        self.layers.remove_layer_version_permission(&call.caller, of, asked.statement_id, asked.revision_id).await?;
        write::<op::RemoveLayerVersionPermission>(&())
    }

    pub(super) fn get_layer_version_policy(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::GetLayerVersionPolicy>()?;
        let (layer, number) = layer::version(&self.home, &asked.layer_name, asked.version_number)?;
        let version = self.layers.get_layer_version_policy(&call.caller, &layer, number)?;
        let policy = version.policy.as_ref();
        write::<op::GetLayerVersionPolicy>(&types::GetLayerVersionPolicyResponse {
            policy: policy.map(|policy| policy.document(&version.arn())),
            revision_id: policy.map(|policy| policy.revision.to_string()),
        })
    }

    /// The zip behind GetLayerVersion's `Content.Location`.
    pub(in crate::server) async fn layer_content(&self, path: &str, caller: &Caller) -> Answer {
        let unknown = || Refusal::LayerVersionUnknown;
        let mut parts = path.split('/');
        let mut part = || parts.next().ok_or_else(unknown);
        let layer = self.home.read_layer(part()?)?;
        let number = part()?.parse().map_err(|_| unknown())?;
        let digest = Digest::from_hex(part()?).ok_or_else(unknown)?;
        let zip: Bytes = self.layers.content(caller, &layer, number, digest).await?;
        let mut response = Response::new(zip);
        response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/zip"));
        Ok(response)
    }
}
