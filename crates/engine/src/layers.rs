//! Publishing, reading and deleting layer versions, who may use them, and what functions are given of them.
//!
//! All versions are in memory; a change is written first and shown after. Never here: how layers become `/opt`.

mod tags;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use domain::arn::Home;
use domain::function::{Digest, LayerUse, Package};
use domain::layer::{self, Layer, LayerArn, LayerName, LayerPolicy, LayerStatement, LayerVersion};
use domain::names::RevisionId;
use domain::{Error, Fault, Refusal, limits};
use tokio::sync::Mutex;

use crate::access::{self, Action, Caller};
use crate::contents::Source;
use crate::functions::Page;
use crate::ports::{Clock, Dice, Kept, LayerRecords, Objects, Packages};
use crate::tasks;

/// The processor of this machine, as `CompatibleArchitectures` spells it.
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };

/// The layers of this engine.
pub struct Layers {
    home: Home,
    records: Arc<dyn LayerRecords>,
    packages: Arc<dyn Packages>,
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
    dice: Arc<dyn Dice>,
    by_name: ArcSwap<BTreeMap<LayerName, Arc<Layer>>>,
    /// Held by whoever changes something, from the look at what is there to the showing of what is new.
    changing: Mutex<()>,
}

/// What PublishLayerVersion is given.
#[derive(Clone, Debug)]
pub struct NewVersion {
    /// Of which layer.
    pub layer: LayerArn,
    /// Free text.
    pub description: String,
    /// A licence.
    pub license: Option<String>,
    /// The runtimes it says it is for.
    pub runtimes: Vec<String>,
    /// The processors it says it is for.
    pub architectures: Vec<String>,
}

/// What a listing asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only what says it is for this runtime.
    pub runtime: Option<&'a str>,
    /// Only what says it is for this processor.
    pub architecture: Option<&'a str>,
}

/// Layer versions as a function uses them, kept until the function's record names them.
#[derive(Debug, Default)]
pub struct Held {
    /// In order.
    pub uses: Vec<LayerUse>,
    kept: Vec<Kept>,
}

impl Layers {
    /// Wires it up; [`Layers::load`] fills it.
    pub fn new(
        home: Home,
        (records, packages, objects): (Arc<dyn LayerRecords>, Arc<dyn Packages>, Arc<dyn Objects>),
        (clock, dice): (Arc<dyn Clock>, Arc<dyn Dice>),
    ) -> Arc<Self> {
        let (by_name, changing) = (ArcSwap::default(), Mutex::default());
        Arc::new(Self { home, records, packages, objects, clock, dice, by_name, changing })
    }

    /// Shows what is on disk.
    ///
    /// # Errors
    /// The records cannot be read.
    pub async fn load(&self) -> Result<(), Fault> {
        let all = self.records.load_layers().await?;
        self.by_name.store(Arc::new(all.into_iter().map(|layer| (layer.arn.name.clone(), Arc::new(layer))).collect()));
        Ok(())
    }

    /// PublishLayerVersion.
    ///
    /// # Errors
    /// The layer is another account's or region's, the code is refused.
    pub async fn publish_layer_version(
        self: &Arc<Self>,
        caller: &Caller,
        new: NewVersion,
        source: Source,
    ) -> Result<Arc<LayerVersion>, Error> {
        let arn = new.layer.clone();
        access::check_layer(&self.home, caller, Action::PublishLayerVersion, &arn, arn.to_string())?;
        if arn.is_of_another_region(&self.home) {
            return Err(Refusal::LayerVersionUnknown.into());
        }
        let zip = source.zip(&self.objects).await?;
        let kept = self.packages.keep(zip).await?;
        let layers = self.clone();
        whole("publishing a layer version", async move {
            let kept = kept;
            let _changing = layers.changing.lock().await;
            let before = layers.by_name.load().get(&arn.name).cloned();
            let mut layer = before.map_or_else(|| Layer::new(arn.clone()), |layer| Layer::clone(&layer));
            let NewVersion { layer: _, description, license, runtimes, architectures } = new;
            let version = Arc::new(LayerVersion {
                layer: arn,
                number: layer.last + 1,
                package: kept.package,
                description,
                license,
                runtimes,
                architectures,
                created_at: layers.clock.now(),
                policy: None,
            });
            if !layers.records.insert_layer_version(version.clone()).await? {
                return Err(differs(&version).into());
            }
            layer.last = version.number;
            layer.versions.insert(version.number, version.clone());
            layers.show(layer);
            Ok(version)
        })
        .await
    }

    /// GetLayerVersion and GetLayerVersionByArn.
    ///
    /// # Errors
    /// There is none, or it is another account's.
    pub fn get_layer_version(
        &self,
        caller: &Caller,
        layer: &LayerArn,
        number: u64,
    ) -> Result<Arc<LayerVersion>, Refusal> {
        access::check_layer(&self.home, caller, Action::GetLayerVersion, layer, layer.version(number))?;
        self.find(layer, number).ok_or(Refusal::LayerVersionUnknown)
    }

    /// The zip of a layer version.
    ///
    /// # Errors
    /// There is none, or it has another content.
    pub async fn content(
        &self,
        caller: &Caller,
        layer: &LayerArn,
        number: u64,
        digest: Digest,
    ) -> Result<Bytes, Error> {
        let version = self.get_layer_version(caller, layer, number)?;
        let zip = if version.package.digest == digest { self.packages.zip(digest).await? } else { None };
        zip.ok_or_else(|| Refusal::LayerVersionUnknown.into())
    }

    /// ListLayers: each layer's newest version that was asked for, by name. A layer without a version that was asked for is not listed.
    ///
    /// # Errors
    /// The caller may not.
    pub fn list_layers(
        &self,
        caller: &Caller,
        filter: Filter<'_>,
        after: Option<&LayerName>,
        items_max: usize,
    ) -> Result<Page<Arc<LayerVersion>, LayerName>, Refusal> {
        access::check_account(caller, Action::ListLayers)?;
        let layers = self.by_name.load();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = layers.range::<LayerName, _>((from, Bound::Unbounded));
        let found = behind.filter_map(|(_, layer)| layer.newest_for(filter.runtime, filter.architecture));
        Ok(Page::of(found.cloned(), items_max, |last| last.layer.name.clone()))
    }

    /// Bytes of all layer versions, zipped (recorded: `test_account_settings_total_code_size`).
    pub fn code_bytes(&self) -> u64 {
        let layers = self.by_name.load();
        layers.values().flat_map(|layer| layer.versions.values()).map(|version| version.package.zip_bytes).sum()
    }

    /// ListLayerVersions: newest first; of a layer that does not exist none (LocalStack: `test_layer_exceptions`).
    ///
    /// # Errors
    /// The layer is another account's.
    pub fn list_layer_versions(
        &self,
        caller: &Caller,
        layer: &LayerArn,
        filter: Filter<'_>,
        below: Option<u64>,
        items_max: usize,
    ) -> Result<Page<Arc<LayerVersion>, u64>, Refusal> {
        access::check_layer(&self.home, caller, Action::ListLayerVersions, layer, layer.to_string())?;
        let Some(layer) = self.layer(layer) else { return Ok(Page { items: Vec::new(), next: None }) };
        let behind = layer.versions.range(..below.unwrap_or(u64::MAX)).rev().map(|(_, version)| version);
        let found = behind.filter(|version| version.is_for(filter.runtime, filter.architecture));
        Ok(Page::of(found.cloned(), items_max, |last| last.number))
    }

    /// DeleteLayerVersion; one that is not there is as good as deleted (LocalStack: `test_layer_lifecycle`). Functions
    /// that use it keep it.
    ///
    /// # Errors
    /// The layer is another account's.
    pub async fn delete_layer_version(
        self: &Arc<Self>,
        caller: &Caller,
        layer: &LayerArn,
        number: u64,
    ) -> Result<(), Error> {
        access::check_layer(&self.home, caller, Action::DeleteLayerVersion, layer, layer.version(number))?;
        let (layers, arn) = (self.clone(), layer.clone());
        whole("deleting a layer version", async move {
            let _changing = layers.changing.lock().await;
            let Some(version) = layers.find(&arn, number) else { return Ok(()) };
            if !layers.records.remove_layer_version(arn.name.clone(), number).await? {
                return Err(differs(&version).into());
            }
            layers.edit(&arn, |layer| {
                layer.versions.remove(&number);
                if layer.versions.is_empty() {
                    layer.tags.clear();
                }
            });
            Ok(())
        })
        .await
    }

    /// AddLayerVersionPermission; gives back the version with its new policy.
    ///
    /// # Errors
    /// There is no such version, the statement's id is taken, the revision is another, the policy gets too long.
    pub async fn add_layer_version_permission(
        self: &Arc<Self>,
        caller: &Caller,
        (layer, number): (&LayerArn, u64),
        statement: LayerStatement,
        expected: Option<String>,
    ) -> Result<Arc<LayerVersion>, Error> {
        let arn = layer.version(number);
        let add = move |before: Option<&LayerPolicy>, revision| {
            let policy = LayerPolicy::with(before, statement, expected.as_deref(), revision)?;
            let bytes = policy.document(&arn).len();
            if bytes > limits::POLICY_BYTES { Err(Refusal::PolicyTooLarge { bytes }) } else { Ok(Some(policy)) }
        };
        self.change_policy(caller, Action::AddLayerVersionPermission, (layer, number), add).await
    }

    /// RemoveLayerVersionPermission.
    ///
    /// # Errors
    /// There is no such version or statement, the revision is another.
    pub async fn remove_layer_version_permission(
        self: &Arc<Self>,
        caller: &Caller,
        (layer, number): (&LayerArn, u64),
        id: String,
        expected: Option<String>,
    ) -> Result<(), Error> {
        let remove = move |before: Option<&LayerPolicy>, revision| {
            LayerPolicy::without(before, &id, expected.as_deref(), revision)
        };
        self.change_policy(caller, Action::RemoveLayerVersionPermission, (layer, number), remove).await.map(drop)
    }

    /// GetLayerVersionPolicy: the version, which has one.
    ///
    /// # Errors
    /// There is no such version, or it has none.
    pub fn get_layer_version_policy(
        &self,
        caller: &Caller,
        layer: &LayerArn,
        number: u64,
    ) -> Result<Arc<LayerVersion>, Refusal> {
        access::check_layer(&self.home, caller, Action::GetLayerVersionPolicy, layer, layer.version(number))?;
        let version = self.find(layer, number).ok_or_else(|| not_found(layer, number, false))?;
        if version.policy.is_some() { Ok(version) } else { Err(Refusal::NoPolicy) }
    }

    /// The layer versions that a function is to use, held. In AWS's order, one after the other: account, region,
    /// existence, twice the same (LocalStack: `test_layer_function_exceptions`).
    ///
    /// # Errors
    /// See there; or there are too many, or one is for another processor.
    pub async fn resolve(&self, caller: &Caller, arns: &[String]) -> Result<Held, Error> {
        if arns.len() > limits::LAYERS {
            return Err(Refusal::TooManyLayers.into());
        }
        let mut held = Held::default();
        let mut seen: Vec<(LayerArn, u64)> = Vec::new();
        for arn in arns {
            let (layer, number) = self.home.read_layer_version(arn)?;
            access::check_layer(&self.home, caller, Action::GetLayerVersion, &layer, arn.clone())?;
            if layer.is_of_another_region(&self.home) {
                return Err(Refusal::LayerOfAnotherRegion { here: self.home.region.to_string() }.into());
            }
            let unknown = || not_found(&layer, number, true);
            let version = self.find(&layer, number).ok_or_else(unknown)?;
            layer::check_beside(&seen, &layer, number)?;
            if !version.architectures.is_empty() && !version.is_for(None, Some(ARCHITECTURE)) {
                let asked = version.architectures.join(", ");
                return Err(Refusal::LayerOfOtherArchitecture { arn: version.arn(), asked, here: ARCHITECTURE }.into());
            }
            // Deleted and swept since the line before: it is as unknown as a moment later.
            let kept = self.packages.hold(version.package).await?.ok_or_else(unknown)?;
            held.uses.push(LayerUse { arn: version.arn(), package: version.package });
            held.kept.push(kept);
            seen.push((layer, number));
        }
        Ok(held)
    }

    /// Judges whether code and layers fit into one function together.
    ///
    /// # Errors
    /// They do not; or a package cannot be measured.
    pub async fn check_size(&self, code: Package, uses: &[LayerUse]) -> Result<(), Error> {
        if uses.is_empty() {
            // By itself it was measured when it was unpacked.
            return Ok(());
        }
        let mut bytes = self.packages.unpacked_bytes(code.digest).await?;
        for layer in uses {
            bytes += self.packages.unpacked_bytes(layer.package.digest).await?;
        }
        if bytes > limits::UNZIPPED_BYTES { Err(Refusal::LayersTooLarge { bytes }.into()) } else { Ok(()) }
    }

    /// The zip that a source means.
    ///
    /// # Errors
    /// See [`Source::zip`].
    pub async fn zip(&self, source: Source) -> Result<Bytes, Error> {
        source.zip(&self.objects).await
    }

    /// What the versions are made of; functions may need more.
    pub fn used_packages(&self) -> Vec<Digest> {
        let layers = self.by_name.load();
        layers.values().flat_map(|layer| layer.versions.values()).map(|version| version.package.digest).collect()
    }

    async fn change_policy(
        self: &Arc<Self>,
        caller: &Caller,
        action: Action,
        (layer, number): (&LayerArn, u64),
        decide: impl FnOnce(Option<&LayerPolicy>, RevisionId) -> Result<Option<LayerPolicy>, Refusal> + Send + 'static,
    ) -> Result<Arc<LayerVersion>, Error> {
        access::check_layer(&self.home, caller, action, layer, layer.version(number))?;
        let (layers, arn) = (self.clone(), layer.clone());
        whole("changing the policy of a layer version", async move {
            let _changing = layers.changing.lock().await;
            let before = layers.find(&arn, number).ok_or_else(|| not_found(&arn, number, false))?;
            let policy = decide(before.policy.as_ref(), RevisionId(layers.dice.uuid()))?;
            let after = Arc::new(LayerVersion { policy, ..LayerVersion::clone(&before) });
            if !layers.records.replace_layer_version(after.clone()).await? {
                return Err(differs(&after).into());
            }
            layers.edit(&arn, |layer| {
                layer.versions.insert(number, after.clone());
            });
            Ok(after)
        })
        .await
    }

    /// A layer of this region; of another there is none here.
    fn layer(&self, arn: &LayerArn) -> Option<Arc<Layer>> {
        self.by_name.load().get(&arn.name).filter(|layer| layer.arn == *arn).cloned()
    }

    fn find(&self, arn: &LayerArn, number: u64) -> Option<Arc<LayerVersion>> {
        self.layer(arn)?.versions.get(&number).cloned()
    }

    fn edit(&self, arn: &LayerArn, change: impl FnOnce(&mut Layer)) {
        if let Some(layer) = self.layer(arn) {
            let mut layer = Layer::clone(&layer);
            change(&mut layer);
            self.show(layer);
        }
    }

    fn show(&self, layer: Layer) {
        let mut all = BTreeMap::clone(&self.by_name.load());
        all.insert(layer.arn.name.clone(), Arc::new(layer));
        self.by_name.store(Arc::new(all));
    }
}

fn not_found(layer: &LayerArn, number: u64, is_for_function: bool) -> Refusal {
    Refusal::LayerVersionNotFound { arn: layer.version(number), is_for_function }
}

fn differs(version: &LayerVersion) -> Fault {
    Fault::bare(format!("the record of {} is not what memory shows", version.arn()))
}

/// Makes a change as a task of its own, which ends as a whole whether or not the caller stays.
async fn whole<T: Send + 'static>(
    doing: &'static str,
    change: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    tasks::spawn(doing, change).result().await?
}
