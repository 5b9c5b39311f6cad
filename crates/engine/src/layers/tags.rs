//! Tags of layers. They belong to the layer as a whole, and go with its last version.

use std::sync::Arc;

use domain::layer::{Layer, LayerArn};
use domain::tags::{self, Tags};
use domain::{Error, Fault, Refusal};

use super::{Layers, whole};
use crate::access::{self, Action, Caller};

impl Layers {
    /// TagResource: adds tags and replaces those of the same key.
    ///
    /// # Errors
    /// There is no such layer, no tag is given, or it would have too many.
    pub async fn tag_resource(self: &Arc<Self>, caller: &Caller, layer: &LayerArn, more: Tags) -> Result<(), Error> {
        self.change_tags(caller, Action::TagResource, layer, |before| tags::with(before, more)).await
    }

    /// UntagResource.
    ///
    /// # Errors
    /// There is no such layer.
    pub async fn untag_resource(
        self: &Arc<Self>,
        caller: &Caller,
        layer: &LayerArn,
        keys: Vec<String>,
    ) -> Result<(), Error> {
        self.change_tags(caller, Action::UntagResource, layer, move |before| Ok(tags::without(before, &keys))).await
    }

    /// ListTags.
    ///
    /// # Errors
    /// There is no such layer.
    pub fn list_tags(&self, caller: &Caller, layer: &LayerArn) -> Result<Tags, Refusal> {
        access::check_layer(&self.home, caller, Action::ListTags, layer, layer.to_string())?;
        Ok(self.tagged(layer)?.tags.clone())
    }

    async fn change_tags(
        self: &Arc<Self>,
        caller: &Caller,
        action: Action,
        layer: &LayerArn,
        decide: impl FnOnce(&[(String, String)]) -> Result<Tags, Refusal> + Send + 'static,
    ) -> Result<(), Error> {
        access::check_layer(&self.home, caller, action, layer, layer.to_string())?;
        let (layers, arn) = (self.clone(), layer.clone());
        whole("changing the tags of a layer", async move {
            let _changing = layers.changing.lock().await;
            let tags = decide(&layers.tagged(&arn)?.tags)?;
            if !layers.records.set_layer_tags(arn.name.clone(), tags.clone()).await? {
                return Err(Fault::bare(format!("the record of {arn} is not there")).into());
            }
            layers.edit(&arn, |layer| layer.tags = tags);
            Ok(())
        })
        .await
    }

    /// A layer without versions is none.
    fn tagged(&self, arn: &LayerArn) -> Result<Arc<Layer>, Refusal> {
        let layer = self.layer(arn).filter(|layer| !layer.versions.is_empty());
        layer.ok_or_else(|| Refusal::ResourceNotFound { kind: "Layer", arn: arn.to_string() })
    }
}
