//! What an `ImageUri` names: `oci:/folder[:ref]`, `oci-archive:/file.tar[:ref]` or `host[:port]/name[:tag|@digest]`.
//!
//! A reference that holds a digest instead of a tag is what a function keeps. Never here: going there.

use std::fmt;
use std::path::PathBuf;

use domain::function::Digest;
use domain::image::ImageProblem;

use super::error::ImageError;

/// How long a reference may be; names in registries have 255 characters at most, paths 4,096.
const REFERENCE_BYTES_MAX: usize = 4_608;
/// A tag (OCI distribution specification, pulling manifests).
const TAG_CHARS_MAX: usize = 128;
/// A name (the same).
const NAME_CHARS_MAX: usize = 255;

/// Where an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(super) place: Place,
    pub(super) pick: Pick,
}

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A folder in the OCI image layout.
    Folder(PathBuf),
    /// A tar file with such a folder in it, or what `docker save` writes.
    Archive(PathBuf),
    /// A repository of a registry.
    Repository {
        /// As given, with the port.
        host: String,
        /// Without host and tag.
        name: String,
    },
}

/// Which of the images there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pick {
    /// The only one; in a registry, `latest`.
    Only,
    /// The one of this name.
    Named(String),
    /// The one of this digest.
    Digest(Digest),
}

fn malformed(why: impl Into<String>) -> ImageError {
    ImageError::new(ImageProblem::Malformed, why)
}

impl Reference {
    /// Reads one.
    pub(crate) fn parse(text: &str) -> Result<Self, ImageError> {
        if text.len() > REFERENCE_BYTES_MAX {
            return Err(malformed(format!("The reference is longer than {REFERENCE_BYTES_MAX} bytes")));
        }
        if text.contains(char::is_control) {
            return Err(malformed("The reference has control characters in it"));
        }
        for (scheme, of) in [("oci:", Place::Folder as fn(PathBuf) -> Place), ("oci-archive:", Place::Archive)] {
            if let Some(rest) = text.strip_prefix(scheme) {
                let (path, pick) = split_path(rest)?;
                if !path.starts_with('/') {
                    return Err(malformed(format!("{scheme} is followed by the absolute path of a file or folder")));
                }
                return Ok(Self { place: of(path.into()), pick });
            }
        }
        Self::parse_repository(text)
    }

    fn parse_repository(text: &str) -> Result<Self, ImageError> {
        const FORMS: &str =
            "It is read as oci:/folder[:ref], oci-archive:/file.tar[:ref] or host[:port]/name[:tag|@digest]";
        let Some((host, rest)) = text.split_once('/') else { return Err(malformed(FORMS)) };
        // As Docker tells a host from the first part of a name.
        if !(host.contains(['.', ':']) || host == "localhost") {
            return Err(malformed(format!("{FORMS}; {host:?} is no host")));
        }
        let is_host = host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]_".contains(c));
        let authority = host.parse::<http::uri::Authority>().ok();
        let has_port = |authority: &http::uri::Authority| authority.port_u16().is_some();
        let is_whole = |authority: &http::uri::Authority| authority.host() == host || has_port(authority);
        if !is_host || !authority.is_some_and(|authority| is_whole(&authority)) {
            return Err(malformed(format!("{host:?} is no host")));
        }
        let (rest, digest) = match rest.split_once('@') {
            None => (rest, None),
            Some((rest, digest)) => (rest, Some(parse_digest(digest)?)),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            None => (rest, None),
            Some((name, tag)) => (name, Some(tag)),
        };
        let is_part = |part: &str| {
            !part.is_empty()
                && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
                && part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.ends_with(|c: char| c.is_ascii_alphanumeric())
        };
        if name.len() > NAME_CHARS_MAX || !name.split('/').all(is_part) {
            return Err(malformed(format!("{name:?} is no name of a repository")));
        }
        let is_tag = |tag: &str| {
            (1..=TAG_CHARS_MAX).contains(&tag.len())
                && tag.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
                && !tag.starts_with(['.', '-'])
        };
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(malformed(format!("{tag:?} is no tag")));
        }
        // Where there are both, the digest decides, as everywhere.
        let pick = match (digest, tag) {
            (Some(digest), _) => Pick::Digest(digest),
            (None, Some(tag)) => Pick::Named(tag.to_owned()),
            (None, None) => Pick::Only,
        };
        Ok(Self { place: Place::Repository { host: host.to_owned(), name: name.to_owned() }, pick })
    }

    /// The same place with this digest in it.
    pub(super) fn fixed(&self, digest: Digest) -> Self {
        Self { place: self.place.clone(), pick: Pick::Digest(digest) }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Folder(path) => write!(f, "oci:{}", path.display())?,
            Place::Archive(path) => write!(f, "oci-archive:{}", path.display())?,
            Place::Repository { host, name } => write!(f, "{host}/{name}")?,
        }
        match &self.pick {
            Pick::Only => Ok(()),
            Pick::Named(name) => write!(f, ":{name}"),
            Pick::Digest(digest) => write!(f, "@sha256:{}", digest.hex()),
        }
    }
}

/// Parts a path from the name or digest behind it. A colon that is part of the path is followed by a slash somewhere.
fn split_path(text: &str) -> Result<(&str, Pick), ImageError> {
    if let Some((path, digest)) = text.rsplit_once("@sha256:") {
        let digest = Digest::from_hex(digest).ok_or_else(|| malformed("The digest is no SHA-256"))?;
        return Ok((path, Pick::Digest(digest)));
    }
    Ok(match text.rsplit_once(':') {
        Some((_, "")) => return Err(malformed("Nothing follows the last colon")),
        Some((path, name)) if !name.contains('/') => (path, Pick::Named(name.to_owned())),
        _ => (text, Pick::Only),
    })
}

/// Reads `sha256:…`, the only kind that is used.
pub(super) fn parse_digest(text: &str) -> Result<Digest, ImageError> {
    text.strip_prefix("sha256:")
        .and_then(Digest::from_hex)
        .ok_or_else(|| malformed(format!("{text:?} is no digest of the form sha256:<64 hexadecimal digits>")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn what_is_read_is_what_was_meant() {
        let digest = || Pick::Digest(Digest::from_hex(HEX).unwrap());
        let named = |name: &str| Pick::Named(name.to_owned());
        let repository = |host: &str, name: &str| Place::Repository { host: host.into(), name: name.into() };
        for (text, place, pick) in [
            ("oci:/a/layout", Place::Folder("/a/layout".into()), Pick::Only),
            ("oci:/a/layout:v1", Place::Folder("/a/layout".into()), named("v1")),
            ("oci:/a folder/layout:v1", Place::Folder("/a folder/layout".into()), named("v1")),
            ("oci:/a:b/layout", Place::Folder("/a:b/layout".into()), Pick::Only),
            ("oci:/a:b/layout:v1", Place::Folder("/a:b/layout".into()), named("v1")),
            ("oci-archive:/a/i.tar", Place::Archive("/a/i.tar".into()), Pick::Only),
            ("oci-archive:/a/i.tar:v1", Place::Archive("/a/i.tar".into()), named("v1")),
            ("localhost/a", repository("localhost", "a"), Pick::Only),
            ("localhost:5000/a/b_c:v1", repository("localhost:5000", "a/b_c"), named("v1")),
            ("[::1]:5000/a:v1", repository("[::1]:5000", "a"), named("v1")),
            (
                "123456789012.dkr.ecr.us-east-1.amazonaws.com/repo:latest",
                repository("123456789012.dkr.ecr.us-east-1.amazonaws.com", "repo"),
                named("latest"),
            ),
        ] {
            let read = Reference::parse(text).unwrap();
            assert_eq!((&read.place, &read.pick), (&place, &pick), "{text}");
            assert_eq!(read.to_string(), text);
        }
        for (text, place) in [
            ("oci:/a/layout", Place::Folder("/a/layout".into())),
            ("oci-archive:/a/i.tar", Place::Archive("/a/i.tar".into())),
            ("127.0.0.1:5000/a", repository("127.0.0.1:5000", "a")),
        ] {
            let text = format!("{text}@sha256:{HEX}");
            let read = Reference::parse(&text).unwrap();
            assert_eq!((read.place.clone(), read.pick.clone(), read.to_string()), (place, digest(), text.clone()));
        }
        assert_eq!(Reference::parse(&format!("a.b/c:tag@sha256:{HEX}")).unwrap().pick, digest());
    }

    #[test]
    fn what_names_nothing_is_refused() {
        for text in [
            "",
            "python",
            "library/python:3",
            "oci:relative/layout",
            "oci:/layout:",
            "oci-archive:i.tar",
            "localhost:5000/",
            "localhost:5000/UPPER",
            "localhost:5000/a//b",
            "localhost:5000/../b",
            "localhost:5000/a:",
            "localhost:5000/a:-x",
            "localhost:5000/a@sha256:12",
            "localhost:5000/a@md5:12",
            "local host/a",
            "user:secret@localhost/a",
            "localhost:port/a",
            "a.b/c?x=y",
        ] {
            let refused = Reference::parse(text);
            let is_refused = matches!(refused, Err(ImageError::Refused { problem: ImageProblem::Malformed, .. }));
            assert!(is_refused, "{text}: {refused:?}");
        }
    }
}
