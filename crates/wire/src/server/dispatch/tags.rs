//! Tags.

use super::{Answer, Call, Operations, write};
use crate::convert::tag::{self, Tagged};
use crate::generated::operations as op;
use crate::generated::types;

impl Operations {
    pub(super) async fn tag_resource(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::TagResource>()?;
        match tag::resource(&self.home, &asked.resource)? {
            Tagged::Function(target) => self.functions.tag_resource(&call.caller, &target, asked.tags.0).await?,
            Tagged::Layer(layer) => self.layers.tag_resource(&call.caller, &layer, asked.tags.0).await?,
            Tagged::Mapping(arn) => self.mappings.tag_resource(&call.caller, &arn, asked.tags.0).await?,
        }
        write::<op::TagResource>(&())
    }

    pub(super) async fn untag_resource(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::UntagResource>()?;
        match tag::resource(&self.home, &asked.resource)? {
            Tagged::Function(target) => self.functions.untag_resource(&call.caller, &target, asked.tag_keys).await?,
            Tagged::Layer(layer) => self.layers.untag_resource(&call.caller, &layer, asked.tag_keys).await?,
            Tagged::Mapping(arn) => self.mappings.untag_resource(&call.caller, &arn, asked.tag_keys).await?,
        }
        write::<op::UntagResource>(&())
    }

    pub(super) fn list_tags(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::ListTags>()?;
        let tags = match tag::resource(&self.home, &asked.resource)? {
            Tagged::Function(target) => self.functions.list_tags(&call.caller, &target)?,
            Tagged::Layer(layer) => self.layers.list_tags(&call.caller, &layer)?,
            Tagged::Mapping(arn) => self.mappings.list_tags(&call.caller, &arn)?,
        };
        write::<op::ListTags>(&types::ListTagsResponse { tags: Some(tags.into_iter().collect()) })
    }
}
