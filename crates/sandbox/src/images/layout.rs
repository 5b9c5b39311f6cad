//! Images on this machine: a folder in the OCI image layout, a tar file with one in it, or what `docker save` wrote.
//!
//! All three are looked into in the same way: an index, and blobs by their digest. Everything here blocks. Never here:
//! judging what was found.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use domain::function::Digest;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::documents::{
    CONFIGURATION_BYTES_MAX, Configuration, Descriptor, Index, MANIFEST_BYTES_MAX, Manifest, choose,
};
use super::error::ImageError;
use super::reference::Pick;
use super::tar::{Archive, Kind};

/// Files in an archive of images: a handful for each layer.
const FILES_MAX: usize = 10_000;

/// See the module.
pub(super) struct Layout {
    files: Files,
    index: Index,
    /// Documents that were made here, of what `docker save` wrote.
    made: HashMap<Digest, Vec<u8>>,
    /// Files that are not named by their digest.
    by_digest: HashMap<Digest, String>,
}

/// Files by name, below the top.
enum Files {
    Folder(PathBuf),
    Archive(PathBuf, HashMap<String, Spot>),
}

/// A file to be read, and its length.
type Opened = (Box<dyn Read + Send>, u64);

/// A file inside an archive.
#[derive(Clone, Debug)]
enum Spot {
    At {
        offset: u64,
        bytes: u64,
    },
    /// `docker save` writes a layer that it has written before as a link.
    Link(String),
}

/// What `docker save` says of an image.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

impl Layout {
    /// Opens a folder.
    pub(super) fn folder(path: &Path) -> Result<Self, ImageError> {
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                return Err(ImageError::not_found(format!(
                    "{} is no folder; a tar file is named oci-archive:…",
                    path.display()
                )));
            }
            Err(error) => return Err(unread(path, &error)),
        }
        Self::new(Files::Folder(path.to_owned()))
    }

    /// Opens a tar file.
    pub(super) fn archive(path: &Path) -> Result<Self, ImageError> {
        let spots = scan(path)?;
        Self::new(Files::Archive(path.to_owned(), spots))
    }

    fn new(files: Files) -> Result<Self, ImageError> {
        let mut layout =
            Self { files, index: Index { manifests: Vec::new() }, made: HashMap::new(), by_digest: HashMap::new() };
        match layout.small("index.json", MANIFEST_BYTES_MAX)? {
            Some(index) => {
                layout.index = serde_json::from_slice(&index)
                    .map_err(|error| ImageError::broken(format!("index.json cannot be read: {error}")))?;
            }
            None => match layout.small("manifest.json", MANIFEST_BYTES_MAX)? {
                Some(saved) => layout.read_saved(&saved)?,
                None => return Err(ImageError::not_found("There is neither index.json nor manifest.json in it")),
            },
        }
        Ok(layout)
    }

    /// Makes an index and manifests of what `docker save` says, which has neither.
    fn read_saved(&mut self, saved: &[u8]) -> Result<(), ImageError> {
        let saved: Vec<Saved> = serde_json::from_slice(saved)
            .map_err(|error| ImageError::broken(format!("manifest.json cannot be read: {error}")))?;
        for Saved { config, repo_tags, layers } in saved {
            let bytes = self.small(&config, CONFIGURATION_BYTES_MAX)?;
            let bytes = bytes.ok_or_else(|| ImageError::broken(format!("{config} is not in it")))?;
            let platform = Configuration::read(&bytes)?;
            let described = |media_type: &str, digest: Digest, size: u64| Descriptor {
                media_type: media_type.to_owned(),
                digest: format!("sha256:{}", digest.hex()),
                size,
                platform: None,
                annotations: std::collections::BTreeMap::new(),
            };
            let mut described_layers = Vec::new();
            for layer in layers {
                let (reader, size) =
                    self.open(&layer)?.ok_or_else(|| ImageError::broken(format!("{layer} is not in it")))?;
                let digest = hash(reader)?;
                self.by_digest.insert(digest, layer);
                described_layers.push(described("application/vnd.docker.image.rootfs.diff.tar", digest, size));
            }
            let manifest = Manifest {
                schema_version: 2,
                config: described(
                    "application/vnd.docker.container.image.v1+json",
                    digest_of(&bytes),
                    bytes.len() as u64,
                ),
                layers: described_layers,
            };
            self.by_digest.insert(digest_of(&bytes), config);
            let manifest = serde_json::to_vec(&manifest)
                .map_err(|error| ImageError::broken(format!("manifest.json makes no manifest: {error}")))?;
            let digest = digest_of(&manifest);
            let mut entry =
                described("application/vnd.docker.distribution.manifest.v2+json", digest, manifest.len() as u64);
            entry.platform = Some(super::documents::Platform { architecture: platform.architecture, os: platform.os });
            self.made.insert(digest, manifest);
            let tags = repo_tags.unwrap_or_default();
            self.index.manifests.extend(tags.iter().map(|tag| {
                let mut entry = entry.clone();
                entry.annotations.insert("org.opencontainers.image.ref.name".to_owned(), tag.clone());
                entry
            }));
            if tags.is_empty() {
                self.index.manifests.push(entry);
            }
        }
        Ok(())
    }

    /// The image or index that was asked for.
    pub(super) fn pick(&self, pick: &Pick) -> Result<Digest, ImageError> {
        let entries: Vec<Descriptor> = match pick {
            Pick::Digest(digest) => return Ok(*digest),
            Pick::Named(name) => self.index.manifests.iter().filter(|entry| entry.is_named(name)).cloned().collect(),
            Pick::Only => self.index.manifests.clone(),
        };
        let names = || {
            let names = self
                .index
                .manifests
                .iter()
                .filter_map(|entry| entry.annotations.get("org.opencontainers.image.ref.name"));
            names.take(20).map(String::as_str).collect::<Vec<_>>().join(", ")
        };
        let digests: BTreeSet<&str> = entries.iter().map(|entry| entry.digest.as_str()).collect();
        let chosen = match (digests.len(), pick) {
            (0, Pick::Named(name)) => {
                return Err(ImageError::not_found(format!(
                    "It has no image of the name {name:?}, but these: {}",
                    names()
                )));
            }
            (1, _) => entries[0].clone(),
            _ => {
                let named =
                    entries.iter().any(|entry| entry.annotations.contains_key("org.opencontainers.image.ref.name"));
                if *pick == Pick::Only && named {
                    return Err(ImageError::not_found(format!(
                        "It has several images; which one is named after a colon: {}",
                        names()
                    )));
                }
                choose(&Index { manifests: entries })?.clone()
            }
        };
        chosen.digest()
    }

    /// A document, whole and checked.
    pub(super) fn document(&self, digest: Digest, bytes_max: u64) -> Result<Vec<u8>, ImageError> {
        if let Some(made) = self.made.get(&digest) {
            return Ok(made.clone());
        }
        let found = self.small(&self.name(digest), bytes_max)?;
        let found = found.ok_or_else(|| ImageError::not_found(format!("It has no blob sha256:{}", digest.hex())))?;
        if digest_of(&found) == digest {
            Ok(found)
        } else {
            Err(ImageError::broken(format!("A blob is not what its digest sha256:{} says", digest.hex())))
        }
    }

    /// A blob, to be checked by whoever reads it.
    pub(super) fn blob(&self, digest: Digest) -> Result<impl Read + use<>, ImageError> {
        let found = self.open(&self.name(digest))?;
        let (reader, _) =
            found.ok_or_else(|| ImageError::not_found(format!("It has no blob sha256:{}", digest.hex())))?;
        Ok(reader)
    }

    fn name(&self, digest: Digest) -> String {
        self.by_digest.get(&digest).cloned().unwrap_or_else(|| format!("blobs/sha256/{}", digest.hex()))
    }

    fn small(&self, name: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, ImageError> {
        let Some((reader, bytes)) = self.open(name)? else { return Ok(None) };
        if bytes > bytes_max {
            return Err(ImageError::unsupported(format!("{name} is larger than {bytes_max} bytes")));
        }
        let mut found = Vec::new();
        let read = reader.take(bytes_max).read_to_end(&mut found);
        read.map(|_| Some(found)).map_err(|error| ImageError::broken(format!("{name} cannot be read: {error}")))
    }

    /// A file and its length; `None` where there is none.
    fn open(&self, name: &str) -> Result<Option<Opened>, ImageError> {
        match &self.files {
            Files::Folder(top) => {
                // Names in manifest.json are a stranger's.
                if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
                    return Err(ImageError::broken(format!("It names {name:?}, which is outside")));
                }
                let path = top.join(name);
                match File::open(&path).and_then(|file| Ok((file.metadata()?, file))) {
                    // A pipe would keep us waiting.
                    Ok((found, file)) if found.is_file() => Ok(Some((Box::new(file), found.len()))),
                    Ok(_) => Err(ImageError::broken(format!("{} is no file", path.display()))),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(unread(&path, &error)),
                }
            }
            Files::Archive(path, spots) => {
                let spot = match spots.get(name) {
                    Some(Spot::Link(target)) => spots.get(target),
                    spot => spot,
                };
                let Some(Spot::At { offset, bytes }) = spot else { return Ok(None) };
                let mut file = File::open(path).map_err(|error| unread(path, &error))?;
                file.seek(SeekFrom::Start(*offset)).map_err(|error| unread(path, &error))?;
                Ok(Some((Box::new(file.take(*bytes)), *bytes)))
            }
        }
    }
}

/// Where the files of an archive are.
fn scan(path: &Path) -> Result<HashMap<String, Spot>, ImageError> {
    let file = File::open(path).map_err(|error| unread(path, &error))?;
    if !file.metadata().is_ok_and(|found| found.is_file()) {
        return Err(ImageError::not_found(format!("{} is no file; a folder is named oci:…", path.display())));
    }
    let mut reader = BufReader::new(file);
    let mut start = [0; 2];
    if reader.read_exact(&mut start).is_ok() && start == [0x1f, 0x8b] {
        return Err(ImageError::unsupported("The archive itself is compressed: unpack it with gunzip first"));
    }
    reader.rewind().map_err(|error| unread(path, &error))?;
    let mut archive = Archive::new(reader);
    let mut spots = HashMap::new();
    while let Some(entry) = archive.next()? {
        let name = String::from_utf8_lossy(&entry.path).trim_start_matches("./").to_owned();
        let offset = archive.pass()?;
        let spot = match entry.kind {
            // A sparse file is not one piece; none of these is.
            Kind::File if entry.pieces == [(0, entry.bytes)] => Spot::At { offset, bytes: entry.bytes },
            Kind::Link => Spot::Link(beside(&name, &String::from_utf8_lossy(&entry.target))),
            Kind::HardLink => Spot::Link(String::from_utf8_lossy(&entry.target).into_owned()),
            _ => continue,
        };
        spots.insert(name, spot);
        if spots.len() > FILES_MAX {
            return Err(ImageError::unsupported(format!("The archive has more than {FILES_MAX} files")));
        }
    }
    Ok(spots)
}

/// What a link means that lies beside other files of an archive.
fn beside(link: &str, target: &str) -> String {
    let mut names: Vec<&str> = link.split('/').collect();
    names.pop();
    for name in target.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    names.join("/")
}

pub(super) fn digest_of(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

fn hash(mut reader: impl Read) -> Result<Digest, ImageError> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(Digest(hasher.finalize().into())),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) => return Err(ImageError::broken(format!("A layer cannot be read: {error}"))),
        }
    }
}

fn unread(path: &Path, error: &io::Error) -> ImageError {
    let why = format!("{}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ImageError::not_found(why),
        _ => ImageError::new(domain::image::ImageProblem::AccessDenied, why),
    }
}
