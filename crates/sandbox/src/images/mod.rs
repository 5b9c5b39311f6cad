//! Container images: found out by their reference, fetched, checked and unpacked, layer by layer, each once.
//!
//! An image is fixed by the digest of its manifest for this machine. What comes of it is a [`Root`]: read-only folders to
//! be laid over one another, and how to start. Never here: mounting.

mod config;
mod documents;
mod error;
mod layout;
mod reference;
mod registry;
mod shelf;
mod tar;
#[cfg(test)]
mod tests;
mod unpack;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::function::Digest;
use domain::image::{Image, ImageConfig};
use domain::{Error, Fault};
use engine::ports::{Clock, HeldImage, Removal};
use engine::tasks;
use tokio::sync::Semaphore;

pub(crate) use self::config::Program;
use self::documents::{
    CONFIGURATION_BYTES_MAX, Configuration, Document, Layer, MANIFEST_BYTES_MAX, Manifest, NESTED_MAX, choose,
};
pub(crate) use self::error::ImageError;
use self::layout::Layout;
use self::reference::{Pick, Place, Reference};
use self::registry::Registry;
use self::shelf::Shelf;
use self::unpack::{Bounds, UNPACKED_BYTES_MAX};
use crate::folders;

/// Layers that are fetched or unpacked at the same time; more only fight over the disk.
const UNPACKING_MAX: usize = 2;

/// The images of this engine.
pub(crate) struct Images {
    shelf: Arc<Shelf>,
    clock: Arc<dyn Clock>,
    room: Semaphore,
}

/// What an environment of an image is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    /// Folders, bottom to top, to be laid over one another and never written to: whiteouts are devices 0:0, opaque
    /// folders have `trusted.overlay.opaque` where we may set it, and `user.overlay.opaque`. None for an image without
    /// layers.
    pub(crate) layers: Vec<PathBuf>,
    /// What to start in it.
    pub(crate) program: Program,
}

/// Where images come from.
enum Source {
    Layout(Arc<Layout>),
    Registry(Box<Registry>),
}

/// An image whose documents are known.
struct Found {
    digest: Digest,
    manifest: Manifest,
    configuration: Configuration,
}

impl Images {
    /// Opens what is kept below the data folder.
    pub(crate) fn open(data: &Path, clock: Arc<dyn Clock>) -> io::Result<Self> {
        Ok(Self { shelf: Arc::new(Shelf::open(data)?), clock, room: Semaphore::new(UNPACKING_MAX) })
    }

    /// Removes what a crash left half made.
    pub(crate) fn sweep(&self) -> Removal {
        let shelf = self.shelf.clone();
        Box::pin(async move {
            let removed = tasks::off_thread("removing images", move || {
                shelf.left().iter().try_for_each(|path| folders::remove(path))
            });
            removed.await?.map_err(|error| Fault::new("removing images", error))
        })
    }

    /// Which image a reference means now. Its manifest and configuration are kept; it is for this machine.
    pub(crate) async fn resolve(&self, uri: &str) -> Result<HeldImage, Error> {
        let resolved = async {
            let reference = Reference::parse(uri)?;
            let source = self.source(&reference).await?;
            let found = self.look_up(&source, &reference.pick).await?;
            let image = Image {
                uri: uri.to_owned(),
                resolved: reference.fixed(found.digest).to_string(),
                digest: found.digest,
            };
            Ok((image, found))
        };
        let (image, found) = resolved.await.map_err(|error: ImageError| error.of(uri))?;
        // Whoever sweeps from here on leaves it.
        let hold = self.shelf.hold(found.digest);
        Ok(HeldImage::new(image, hold))
    }

    /// Brings all layers of an image here; what is here already is not fetched again.
    pub(crate) async fn pull(&self, image: &Image) -> Result<(), Error> {
        self.layers(image).await.map(drop).map_err(|error| error.of(&image.uri))
    }

    /// What an environment of an image is made of; pulled, where it is not here.
    pub(crate) async fn root(&self, image: &Image, over: &ImageConfig) -> Result<Root, ImageError> {
        let (found, layers) = self.layers(image).await?;
        Ok(Root { layers, program: Program::new(found.configuration.config.as_ref(), over) })
    }

    /// Puts out of sight every image that is neither in `used` nor held.
    pub(crate) async fn retain(&self, used: Vec<Digest>) -> Result<Removal, Fault> {
        let shelf = self.shelf.clone();
        let aside = tasks::off_thread("looking for images that nothing uses", move || shelf.put_aside(&used)).await?;
        aside.map_err(|error| Fault::new("removing images", error))?;
        Ok(self.sweep())
    }

    async fn source(&self, reference: &Reference) -> Result<Source, ImageError> {
        let place = reference.place.clone();
        let open: fn(&Path) -> Result<Layout, ImageError> = match &place {
            Place::Folder(_) => Layout::folder,
            Place::Archive(_) => Layout::archive,
            Place::Repository { host, name } => {
                return Ok(Source::Registry(Box::new(Registry::new(host, name, self.clock.clone()))));
            }
        };
        let (Place::Folder(path) | Place::Archive(path)) = place else { unreachable!("a repository was returned") };
        blocking(move || open(&path)).await.map(|layout| Source::Layout(Arc::new(layout)))
    }

    /// Goes from what was asked for to the image for this machine, and keeps its documents.
    async fn look_up(&self, source: &Source, pick: &Pick) -> Result<Found, ImageError> {
        let (mut digest, mut bytes) = source.top(pick).await?;
        for _ in 0..NESTED_MAX {
            match Document::read(&bytes)? {
                Document::Index(index) => {
                    let chosen = choose(&index)?;
                    if chosen.size > MANIFEST_BYTES_MAX {
                        return Err(ImageError::unsupported("Its manifest is too large"));
                    }
                    digest = chosen.digest()?;
                    bytes = source.manifest(digest).await?;
                }
                Document::Manifest(manifest) => {
                    manifest.check()?;
                    let of = manifest.config.digest()?;
                    let configuration = source.document(of, CONFIGURATION_BYTES_MAX).await?;
                    let found = Self::check(digest, manifest, &configuration)?;
                    let shelf = self.shelf.clone();
                    blocking(move || {
                        shelf.keep_document(of, &configuration)?;
                        shelf.keep_document(digest, &bytes)
                    })
                    .await?;
                    return Ok(found);
                }
            }
        }
        Err(ImageError::unsupported("Its indexes lead on and on"))
    }

    fn check(digest: Digest, manifest: Manifest, configuration: &[u8]) -> Result<Found, ImageError> {
        let configuration = Configuration::read(configuration)?;
        configuration.check()?;
        manifest.layers(&configuration)?;
        Ok(Found { digest, manifest, configuration })
    }

    /// The documents of an image as they were kept; looked up again where they are gone.
    async fn find(&self, image: &Image) -> Result<Found, ImageError> {
        let (shelf, digest) = (self.shelf.clone(), image.digest);
        let kept = blocking(move || {
            let Some(manifest) = shelf.document(digest)? else { return Ok(None) };
            let Document::Manifest(manifest) = Document::read(&manifest)? else { return Ok(None) };
            let Some(configuration) = shelf.document(manifest.config.digest()?)? else { return Ok(None) };
            Self::check(digest, manifest, &configuration).map(Some)
        });
        if let Some(found) = kept.await? {
            return Ok(found);
        }
        let reference = Reference::parse(&image.resolved)?;
        self.look_up(&self.source(&reference).await?, &reference.pick).await
    }

    /// An image and the folders of its layers, bottom to top.
    async fn layers(&self, image: &Image) -> Result<(Found, Vec<PathBuf>), ImageError> {
        let _hold = self.shelf.hold(image.digest);
        let found = self.find(image).await?;
        let mut source = None;
        let (mut folders, mut bytes) = (Vec::new(), 0_u64);
        for layer in found.manifest.layers(&found.configuration)? {
            // Whoever comes second finds it made.
            let door = self.shelf.door(layer.digest);
            let _passed = door.lock().await;
            let mut kept = self.kept(layer).await?;
            if kept.is_none() {
                let from = match source.take() {
                    Some(from) => from,
                    None => self.source(&Reference::parse(&image.resolved)?).await?,
                };
                self.make(source.insert(from), layer).await?;
                kept = self.kept(layer).await?;
            }
            let (folder, of_layer) =
                kept.ok_or_else(|| ImageError::step("finding a layer again", io::ErrorKind::NotFound))?;
            bytes = bytes.saturating_add(of_layer);
            if bytes > UNPACKED_BYTES_MAX {
                return Err(ImageError::unsupported(format!("It is larger than {UNPACKED_BYTES_MAX} bytes, unpacked")));
            }
            folders.push(folder);
        }
        Ok((found, folders))
    }

    async fn kept(&self, layer: Layer) -> Result<Option<(PathBuf, u64)>, ImageError> {
        let shelf = self.shelf.clone();
        blocking(move || shelf.layer(&layer)).await
    }

    async fn make(&self, source: &Source, layer: Layer) -> Result<(), ImageError> {
        if layer.bytes > UNPACKED_BYTES_MAX {
            return Err(ImageError::unsupported(format!("A layer is larger than {UNPACKED_BYTES_MAX} bytes")));
        }
        let _room = self.room.acquire().await.map_err(|error| ImageError::step("waiting", io::Error::other(error)))?;
        let shelf = self.shelf.clone();
        match source {
            Source::Layout(layout) => {
                let layout = layout.clone();
                blocking(move || {
                    let blob = layout.blob(layer.digest)?;
                    shelf.make_layer(&layer, |folder| unpack::unpack(blob, &layer, folder, Bounds::default()))
                })
                .await
            }
            Source::Registry(registry) => {
                let staged = self.shelf.stage();
                registry.fetch(layer.digest, layer.bytes, staged.path()).await?;
                blocking(move || {
                    let blob = std::fs::File::open(staged.path())
                        .map_err(|error| ImageError::step("reading a layer that was fetched", error))?;
                    shelf.make_layer(&layer, |folder| unpack::unpack(blob, &layer, folder, Bounds::default()))
                })
                .await
            }
        }
    }
}

impl Source {
    /// What was asked for, image or index, and its digest.
    async fn top(&self, pick: &Pick) -> Result<(Digest, Vec<u8>), ImageError> {
        match self {
            Self::Registry(registry) => registry.manifest(pick).await,
            Self::Layout(layout) => {
                let (layout, pick) = (layout.clone(), pick.clone());
                blocking(move || {
                    let digest = layout.pick(&pick)?;
                    Ok((digest, layout.document(digest, MANIFEST_BYTES_MAX)?))
                })
                .await
            }
        }
    }

    async fn manifest(&self, digest: Digest) -> Result<Vec<u8>, ImageError> {
        match self {
            Self::Registry(registry) => registry.manifest(&Pick::Digest(digest)).await.map(|(_, bytes)| bytes),
            Self::Layout(_) => self.document(digest, MANIFEST_BYTES_MAX).await,
        }
    }

    async fn document(&self, digest: Digest, bytes_max: u64) -> Result<Vec<u8>, ImageError> {
        match self {
            Self::Registry(registry) => registry.document(digest, bytes_max).await,
            Self::Layout(layout) => {
                let layout = layout.clone();
                blocking(move || layout.document(digest, bytes_max)).await
            }
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImageError> + Send + 'static,
) -> Result<T, ImageError> {
    let done = tasks::off_thread("working on an image", work).await;
    done.unwrap_or_else(|fault| Err(ImageError::step("working on an image", io::Error::other(fault))))
}
