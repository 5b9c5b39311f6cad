//! Images as tests make them: layers, layouts, archives and a registry, against the real disk.

mod hostile;
mod layouts;
mod overlay;
mod registry;

use std::fs;
use std::future::Future;
use std::io::Write as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::tar::{Builder, EntryType, Header};
use domain::function::Digest;
use domain::image::ImageProblem;
use domain::{Error, Refusal};
use engine::ports::{Clock, Wait};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::documents::{ARCHITECTURE, Layer};
use super::layout::digest_of;
use super::*;

/// A clock that stands: nothing here may wait.
struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
    fn system_now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
    fn wake_at(&self, _at: Duration) -> Wait<'static, ()> {
        Box::pin(std::future::pending())
    }
    fn wake_on(&self, _at: Timestamp) -> Wait<'static, ()> {
        Box::pin(std::future::pending())
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn images(data: &Path) -> Images {
    Images::open(data, Arc::new(Standing)).unwrap()
}

/// One entry of a layer.
#[derive(Clone, Copy)]
enum Made<'a> {
    File(&'a str, &'a str),
    Mode(&'a str, u32),
    Folder(&'a str),
    Link(&'a str, &'a str),
    HardLink(&'a str, &'a str),
    Device(&'a str),
    Pipe(&'a str),
}

/// A tar of these, with names as they are.
fn tar_of(entries: &[Made<'_>]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for entry in entries {
        let mut header = Header::new_gnu();
        header.set_mtime(1_600_000_000);
        header.set_mode(0o644);
        let (name, kind, target, content) = match *entry {
            Made::File(name, content) => (name, EntryType::Regular, "", content),
            Made::Mode(name, mode) => {
                header.set_mode(mode);
                (name, EntryType::Regular, "", "x")
            }
            Made::Folder(name) => {
                header.set_mode(0o555);
                (name, EntryType::Directory, "", "")
            }
            Made::Link(name, target) => (name, EntryType::Symlink, target, ""),
            Made::HardLink(name, target) => (name, EntryType::Link, target, ""),
            Made::Device(name) => (name, EntryType::Char, "", ""),
            Made::Pipe(name) => (name, EntryType::Fifo, "", ""),
        };
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_device_major(0).unwrap();
        header.set_device_minor(0).unwrap();
        // The crate itself refuses hostile names.
        for (name, at) in [(name, 0), (target, 157)] {
            header.as_mut_bytes()[at..at + name.len()].copy_from_slice(name.as_bytes());
        }
        header.set_cksum();
        tar.append(&header, content.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn named(digest: Digest) -> String {
    format!("sha256:{}", digest.hex())
}

/// An image as it lies on a disk or in a registry: blobs by digest, and its manifest.
#[derive(Clone, Default)]
struct Sample {
    blobs: Vec<Vec<u8>>,
    manifest: Vec<u8>,
}

impl Sample {
    /// Of these layers, each packed and with the digest of what is in it.
    fn new(layers: &[(Vec<u8>, Digest)]) -> Self {
        Self::with(layers, ARCHITECTURE, &json!({ "Entrypoint": ["/bootstrap"], "Env": ["A=1"] }))
    }

    fn of_tars(tars: &[Vec<u8>]) -> Self {
        let layers: Vec<_> = tars.iter().map(|tar| (gzip(tar), digest_of(tar))).collect();
        Self::new(&layers)
    }

    fn with(layers: &[(Vec<u8>, Digest)], architecture: &str, run: &Value) -> Self {
        let diff_ids: Vec<String> = layers.iter().map(|(_, unpacked)| named(*unpacked)).collect();
        let configuration = json!({
            "architecture": architecture, "os": "linux", "config": run,
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let configuration = configuration.to_string().into_bytes();
        let described: Vec<Value> = layers
            .iter()
            .map(|(packed, _)| {
                json!({
                    "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                    "digest": named(digest_of(packed)), "size": packed.len(),
                })
            })
            .collect();
        let manifest = json!({
            "schemaVersion": 2,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": named(digest_of(&configuration)), "size": configuration.len(),
            },
            "layers": described,
        });
        let mut blobs: Vec<Vec<u8>> = layers.iter().map(|(packed, _)| packed.clone()).collect();
        blobs.push(configuration);
        Self { blobs, manifest: manifest.to_string().into_bytes() }
    }

    fn digest(&self) -> Digest {
        digest_of(&self.manifest)
    }

    fn descriptor(&self) -> Value {
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": named(self.digest()), "size": self.manifest.len(),
        })
    }

    /// Files of a layout with this image in it, under a name or none.
    fn files(&self, name: Option<&str>) -> Vec<(String, Vec<u8>)> {
        let mut descriptor = self.descriptor();
        if let Some(name) = name {
            descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        }
        let index = json!({ "schemaVersion": 2, "manifests": [descriptor] }).to_string().into_bytes();
        let mut files = vec![("index.json".to_owned(), index)];
        let all = self.blobs.iter().chain(std::iter::once(&self.manifest));
        files.extend(all.map(|blob| (format!("blobs/sha256/{}", digest_of(blob).hex()), blob.clone())));
        files
    }

    /// As a folder.
    fn lay_out(&self, folder: &Path, name: Option<&str>) {
        write(folder, &self.files(name));
    }
}

fn write(folder: &Path, files: &[(String, Vec<u8>)]) {
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// What stands in a folder, one line each: kind, path, and what is in it.
fn tree(folder: &Path) -> Vec<String> {
    fn walk(top: &Path, folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(top).unwrap().display().to_string();
            let about = fs::symlink_metadata(&path).unwrap();
            let kind = about.file_type();
            if kind.is_dir() {
                let opaque = ["trusted.overlay.opaque", "user.overlay.opaque"].iter().any(|attribute| {
                    let mut value = [0; 8];
                    rustix::fs::getxattr(&path, *attribute, &mut value).is_ok_and(|read| value[..read] == *b"y")
                });
                found.push(format!("{name}/{}", if opaque { " opaque" } else { "" }));
                walk(top, &path, found);
            } else if kind.is_symlink() {
                found.push(format!("{name} -> {}", fs::read_link(&path).unwrap().display()));
            } else if kind.is_char_device() {
                found.push(format!("{name} gone {}", about.rdev()));
            } else {
                found.push(format!("{name} = {}", String::from_utf8_lossy(&fs::read(&path).unwrap())));
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found.sort();
    found
}

/// Unpacks a tar, packed in some way, with the bounds given.
fn unpack_packed(packed: &[u8], tar: &[u8], bounds: Bounds) -> Result<(tempfile::TempDir, PathBuf), ImageError> {
    let layer = Layer { digest: digest_of(packed), bytes: packed.len() as u64, unpacked: digest_of(tar) };
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("layer");
    fs::create_dir(&folder).unwrap();
    unpack::unpack(packed, &layer, &folder, bounds).map(|_| (dir, folder))
}

fn unpack_tar(tar: &[u8]) -> Result<(tempfile::TempDir, PathBuf), ImageError> {
    unpack_packed(tar, tar, Bounds::default())
}

#[track_caller]
fn refused<T>(result: Result<T, Error>) -> (ImageProblem, String) {
    match result.map(drop) {
        Err(Error::Refused(Refusal::Image { problem, why, .. })) => (problem, why),
        other => panic!("not refused: {other:?}"),
    }
}
