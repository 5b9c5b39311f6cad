//! `LayerRecords` in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use domain::Fault;
use domain::function::Digest;
use domain::layer::{Layer, LayerName, LayerVersion};
use domain::tags::Tags;
use engine::ports::{LayerRecords, Wait};

/// Layers that live as long as this does.
#[derive(Debug, Default)]
pub struct MemoryLayers(Mutex<BTreeMap<LayerName, Layer>>);

impl MemoryLayers {
    /// Whether a package is a layer version's.
    pub(crate) fn needs(&self, package: Digest) -> bool {
        let layers = self.layers();
        layers.values().flat_map(|layer| layer.versions.values()).any(|version| version.package.digest == package)
    }

    fn layers(&self) -> MutexGuard<'_, BTreeMap<LayerName, Layer>> {
        self.0.lock().expect("nothing that holds it panics")
    }
}

impl LayerRecords for MemoryLayers {
    fn load_layers(&self) -> Wait<'_, Result<Vec<Layer>, Fault>> {
        Box::pin(async move { Ok(self.layers().values().cloned().collect()) })
    }

    fn insert_layer_version(&self, version: Arc<LayerVersion>) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let mut layers = self.layers();
            let last = layers.get(&version.layer.name).map_or(0, |layer| layer.last);
            let is_next = version.number == last + 1;
            if is_next {
                let new = || Layer::new(version.layer.clone());
                let layer = layers.entry(version.layer.name.clone()).or_insert_with(new);
                layer.last = version.number;
                layer.versions.insert(version.number, version);
            }
            Ok(is_next)
        })
    }

    fn replace_layer_version(&self, version: Arc<LayerVersion>) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let mut layers = self.layers();
            let found = layers.get_mut(&version.layer.name).and_then(|layer| layer.versions.get_mut(&version.number));
            Ok(found.map(|found| *found = version).is_some())
        })
    }

    fn remove_layer_version(&self, name: LayerName, number: u64) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let mut layers = self.layers();
            let Some(layer) = layers.get_mut(&name) else { return Ok(false) };
            let was_there = layer.versions.remove(&number).is_some();
            if layer.versions.is_empty() {
                layer.tags.clear();
            }
            Ok(was_there)
        })
    }

    fn set_layer_tags(&self, name: LayerName, tags: Tags) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move { Ok(self.layers().get_mut(&name).map(|layer| layer.tags = tags).is_some()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_fake_keeps_the_contract() {
        crate::contracts::layer_records_contract(&MemoryLayers::default()).await;
    }
}
