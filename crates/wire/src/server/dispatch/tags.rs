//! Tags.

use super::{Answer, Call, Operations, write};
use crate::convert::tag;
use crate::generated::operations as op;
use crate::generated::types;

impl Operations {
    pub(super) async fn tag_resource(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::TagResource>()?;
        let target = tag::function(&self.home, &asked.resource)?;
        self.functions.tag_resource(&call.caller, &target, asked.tags.0).await?;
        write::<op::TagResource>(&())
    }

    pub(super) async fn untag_resource(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::UntagResource>()?;
        let target = tag::function(&self.home, &asked.resource)?;
        self.functions.untag_resource(&call.caller, &target, asked.tag_keys).await?;
        write::<op::UntagResource>(&())
    }

    pub(super) fn list_tags(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::ListTags>()?;
        let target = tag::function(&self.home, &asked.resource)?;
        let tags = self.functions.list_tags(&call.caller, &target)?;
        write::<op::ListTags>(&types::ListTagsResponse { tags: Some(tags.into_iter().collect()) })
    }
}
