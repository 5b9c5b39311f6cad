//! Images of a registry, by the OCI distribution specification: manifests, blobs, anonymous tokens, redirects.
//!
//! Our own small client on what is linked anyway (hyper, rustls): the crate made for it, oci-client, brings reqwest and
//! some 200 crates for four requests. Registries on this machine are spoken to over plain HTTP, all others over TLS. Never
//! here: which image of an index, what is in a blob.

use std::fs::File;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use domain::function::Digest;
use domain::image::ImageProblem;
use engine::ports::Clock;
use engine::tasks;
use http::header::{ACCEPT, AUTHORIZATION, LOCATION, USER_AGENT, WWW_AUTHENTICATE};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::client::WantsClientCert;
use rustls::{ClientConfig, ConfigBuilder};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::documents::{MANIFEST_BYTES_MAX, MANIFEST_TYPES};
use super::error::ImageError;
use super::reference::Pick;

/// How long a registry may take to answer, and how long it may pause in an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// How often one answer may lead to another place.
const REDIRECTS_MAX: usize = 5;
/// Pieces of a blob that wait to be written.
const PIECES_AHEAD: usize = 16;
/// Bytes of an answer with a token.
const TOKEN_BYTES_MAX: u64 = 64 * 1024;

/// One repository.
pub(super) struct Registry {
    base: String,
    name: String,
    /// For registries on this machine.
    plain: Client<HttpConnector, Empty<Bytes>>,
    /// For all others; made when it is needed, since reading the machine's certificates takes a while.
    secure: OnceLock<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>>,
    clock: Arc<dyn Clock>,
    /// What was given to us as nobody in particular.
    token: Mutex<Option<String>>,
}

fn denied(why: impl Into<String>) -> ImageError {
    ImageError::new(ImageProblem::AccessDenied, why)
}

impl Registry {
    pub(super) fn new(host: &str, name: &str, clock: Arc<dyn Clock>) -> Self {
        // Docker's own registry has another host than its images are named with, and official images a hidden folder.
        let (host, name) = match host {
            "docker.io" | "index.docker.io" if !name.contains('/') => {
                ("registry-1.docker.io", format!("library/{name}"))
            }
            "docker.io" | "index.docker.io" => ("registry-1.docker.io", name.to_owned()),
            host => (host, name.to_owned()),
        };
        let scheme = if is_loopback(host) { "http" } else { "https" };
        let plain = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        let (secure, token) = (OnceLock::new(), Mutex::default());
        Self { base: format!("{scheme}://{host}/v2/{name}"), name, plain, secure, clock, token }
    }

    async fn secure(&self) -> Result<&Client<HttpsConnector<HttpConnector>, Empty<Bytes>>, ImageError> {
        if let Some(secure) = self.secure.get() {
            return Ok(secure);
        }
        let tls = super::blocking(|| {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let tls = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|error| ImageError::step("preparing TLS", std::io::Error::other(error)))?;
            let tls = tls.with_native_roots();
            tls.map(ConfigBuilder::<ClientConfig, WantsClientCert>::with_no_client_auth)
                .map_err(|error| ImageError::step("reading the certificates of this machine", error))
        });
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls.await?).https_only().enable_http1().build();
        Ok(self.secure.get_or_init(|| Client::builder(TokioExecutor::new()).build(connector)))
    }

    /// The manifest or index that was asked for, and its digest.
    pub(super) async fn manifest(&self, pick: &Pick) -> Result<(Digest, Vec<u8>), ImageError> {
        let (of, expected) = match pick {
            Pick::Only => ("latest".to_owned(), None),
            Pick::Named(tag) => (tag.clone(), None),
            Pick::Digest(digest) => (format!("sha256:{}", digest.hex()), Some(*digest)),
        };
        let mut response = self.get(&format!("{}/manifests/{of}", self.base), true).await?;
        let bytes = self.collect(&mut response, MANIFEST_BYTES_MAX).await?;
        let digest = super::layout::digest_of(&bytes);
        if expected.is_some_and(|expected| expected != digest) {
            return Err(ImageError::broken(format!("The registry's manifest is not what its digest {of} says")));
        }
        Ok((digest, bytes))
    }

    /// A small blob, checked.
    pub(super) async fn document(&self, digest: Digest, bytes_max: u64) -> Result<Vec<u8>, ImageError> {
        let mut response = self.get(&self.blob_url(digest), false).await?;
        let bytes = self.collect(&mut response, bytes_max).await?;
        if super::layout::digest_of(&bytes) == digest {
            Ok(bytes)
        } else {
            Err(ImageError::broken(format!("The registry's blob is not what its digest sha256:{} says", digest.hex())))
        }
    }

    /// Writes a blob of this size into a new file, checked.
    pub(super) async fn fetch(&self, digest: Digest, bytes: u64, path: &Path) -> Result<(), ImageError> {
        let mut response = self.get(&self.blob_url(digest), false).await?;
        let (send, pieces) = mpsc::channel(PIECES_AHEAD);
        let path = path.to_owned();
        let written = tasks::off_thread("writing a layer", move || write(pieces, digest, bytes, &path));
        let read = async {
            while let Some(piece) = self.piece(&mut response).await? {
                // The writer stops listening when it has seen enough.
                if send.send(piece).await.is_err() {
                    break;
                }
            }
            drop(send);
            Ok(())
        };
        let (read, written) = tokio::join!(read, written);
        let written =
            written.unwrap_or_else(|fault| Err(ImageError::step("writing a layer", std::io::Error::other(fault))));
        // That a registry breaks off is the better reason.
        read.and(written)
    }

    fn blob_url(&self, digest: Digest) -> String {
        format!("{}/blobs/sha256:{}", self.base, digest.hex())
    }

    /// Asks for something, with a token where one is wanted, and wherever it leads.
    async fn get(&self, url: &str, is_manifest: bool) -> Result<Response<Incoming>, ImageError> {
        let mut response = self.follow(url, is_manifest).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            let token = self.fetch_token(response.headers()).await?;
            *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
            response = self.follow(url, is_manifest).await?;
        }
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::NOT_FOUND => Err(ImageError::not_found(format!("The registry does not have it ({url})"))),
            status => Err(denied(format!("The registry answers {status} ({url})"))),
        }
    }

    async fn follow(&self, url: &str, is_manifest: bool) -> Result<Response<Incoming>, ImageError> {
        let first = read_url(url)?;
        let mut url = first.clone();
        for _ in 0..=REDIRECTS_MAX {
            let mut request = Request::get(url.clone()).header(USER_AGENT, "lambd");
            if is_manifest {
                request = request.header(ACCEPT, MANIFEST_TYPES.join(", "));
            }
            let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
            // Nobody else gets to see it.
            if let Some(token) =
                token.filter(|_| (url.scheme(), url.authority()) == (first.scheme(), first.authority()))
            {
                request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            }
            let response = self.send(request).await?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let to = to.ok_or_else(|| denied(format!("The registry leads nowhere ({url})")))?;
            url = beside(&url, to)?;
        }
        Err(denied(format!("The registry leads on and on ({url})")))
    }

    async fn send(&self, request: http::request::Builder) -> Result<Response<Incoming>, ImageError> {
        let request =
            request.body(Empty::new()).map_err(|error| denied(format!("The registry cannot be asked: {error}")))?;
        let url = request.uri().clone();
        let answer = match url.scheme_str() {
            Some("http") => self.in_time(self.plain.request(request)).await,
            _ => self.in_time(self.secure().await?.request(request)).await,
        };
        match answer {
            None => Err(denied(format!("The registry does not answer within {} s ({url})", ANSWER_LIMIT.as_secs()))),
            Some(Ok(response)) => Ok(response),
            Some(Err(error)) => Err(denied(format!("The registry cannot be reached: {} ({url})", chain(&error)))),
        }
    }

    /// Asks whoever the registry names for a token, as nobody (Docker registry token specification).
    async fn fetch_token(&self, headers: &HeaderMap) -> Result<String, ImageError> {
        let asked =
            headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|asked| asked.to_str().ok()).find_map(challenge);
        let asked =
            asked.ok_or_else(|| denied("The registry wants a password; only what anybody may read can be pulled"))?;
        let scope = asked.scope.unwrap_or_else(|| format!("repository:{}:pull", self.name));
        let mut url = asked.realm;
        for (key, value) in [("service", asked.service.as_deref()), ("scope", Some(&*scope))] {
            if let Some(value) = value {
                url.push(if url.contains('?') { '&' } else { '?' });
                url.extend([key, "=", &escaped(value)]);
            }
        }
        let mut response = self.send(Request::get(read_url(&url)?).header(USER_AGENT, "lambd")).await?;
        if response.status() != StatusCode::OK {
            return Err(denied(format!("Nobody in particular gets no token: {} ({url})", response.status())));
        }
        let bytes = self.collect(&mut response, TOKEN_BYTES_MAX).await?;
        let token: Option<Token> = serde_json::from_slice(&bytes).ok();
        let token = token.and_then(|found| found.token.or(found.access_token));
        token.ok_or_else(|| denied(format!("The answer has no token in it ({url})")))
    }

    async fn collect(&self, response: &mut Response<Incoming>, bytes_max: u64) -> Result<Vec<u8>, ImageError> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.piece(response).await? {
            bytes.extend_from_slice(&piece);
            if bytes.len() as u64 > bytes_max {
                return Err(ImageError::unsupported(format!("The registry sends more than {bytes_max} bytes")));
            }
        }
        Ok(bytes)
    }

    /// The next piece of an answer; `None` at its end.
    async fn piece(&self, response: &mut Response<Incoming>) -> Result<Option<Bytes>, ImageError> {
        loop {
            match self.in_time(response.body_mut().frame()).await {
                None => return Err(denied(format!("The registry sends nothing for {} s", ANSWER_LIMIT.as_secs()))),
                Some(None) => return Ok(None),
                Some(Some(Ok(frame))) => {
                    if let Ok(piece) = frame.into_data() {
                        return Ok(Some(piece));
                    }
                }
                Some(Some(Err(error))) => return Err(denied(format!("The registry breaks off: {}", chain(&error)))),
            }
        }
    }

    async fn in_time<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            answer = answer => Some(answer),
            () = self.clock.wake_at(self.clock.elapsed() + ANSWER_LIMIT) => None,
        }
    }
}

fn write(mut pieces: mpsc::Receiver<Bytes>, digest: Digest, bytes: u64, path: &Path) -> Result<(), ImageError> {
    let failed = |error| ImageError::step("writing a layer", error);
    let mut file = File::create_new(path).map_err(failed)?;
    let (mut hasher, mut read) = (Sha256::new(), 0_u64);
    while let Some(piece) = pieces.blocking_recv() {
        read += piece.len() as u64;
        if read > bytes {
            break;
        }
        hasher.update(&piece);
        file.write_all(&piece).map_err(failed)?;
    }
    if read == bytes && Digest(hasher.finalize().into()) == digest {
        Ok(())
    } else {
        Err(ImageError::broken(format!("The registry's blob is not what its digest sha256:{} says", digest.hex())))
    }
}

/// What whoever gives out tokens answers.
#[derive(serde::Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// What a registry wants before it answers.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    service: Option<String>,
    scope: Option<String>,
}

/// Reads `Bearer realm="…",service="…",scope="…"`.
fn challenge(text: &str) -> Option<Challenge> {
    let (scheme, mut rest) = text.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut realm, mut service, mut scope) = (None, None, None);
    while let Some((key, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        let place = match key.trim_matches([' ', ',']).to_ascii_lowercase().as_str() {
            "realm" => &mut realm,
            "service" => &mut service,
            "scope" => &mut scope,
            _ => &mut None,
        };
        *place = Some(value.to_owned());
        rest = after;
    }
    Some(Challenge { realm: realm?, service, scope })
}

/// Whether a registry is on this machine.
fn is_loopback(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<http::uri::Authority>() else { return false };
    let host = authority.host().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Reads the address of something to ask for; without TLS only on this machine.
fn read_url(text: &str) -> Result<Uri, ImageError> {
    let url: Uri = text.parse().map_err(|_| denied(format!("The registry leads to {text:?}, which is no address")))?;
    match (url.scheme_str(), url.authority()) {
        (Some("https"), Some(_)) => Ok(url),
        (Some("http"), Some(authority)) if is_loopback(authority.as_str()) => Ok(url),
        _ => Err(denied(format!("The registry leads to {text:?}, which is not protected by TLS"))),
    }
}

/// Where a redirect leads, which may be a path only.
fn beside(from: &Uri, to: &str) -> Result<Uri, ImageError> {
    if to.starts_with('/') && !to.starts_with("//") {
        let (scheme, authority) =
            (from.scheme_str().unwrap_or("https"), from.authority().map_or("", |name| name.as_str()));
        return read_url(&format!("{scheme}://{authority}{to}"));
    }
    read_url(to)
}

fn escaped(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.extend(["%", &data_encoding::HEXUPPER.encode(&[byte])]);
        }
    }
    text
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let read = |text| challenge(text).map(|found| (found.realm, found.service, found.scope));
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            read(r#"Bearer realm="https://a/t",service="reg, istry",scope="repository:a/b:pull,push""#),
            Some(("https://a/t".to_owned(), some("reg, istry"), some("repository:a/b:pull,push")))
        );
        assert_eq!(read("bearer Realm=https://a/t , error=x"), Some(("https://a/t ".to_owned(), None, None)));
        for none in [r#"Basic realm="x""#, "Bearer", "Bearer service=\"x\"", r#"Bearer realm="open"#, ""] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn only_this_machine_is_spoken_to_without_tls() {
        for here in ["localhost", "localhost:5000", "127.0.0.1:1", "127.8.9.1", "[::1]:5000"] {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in ["a.b", "localhost.evil.com", "10.0.0.1:5000", "[::2]", "127.0.0.1.evil.com"] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
        for refused in ["http://a.b/x", "ftp://localhost/x", "file:///etc/passwd", "/x", "nothing at all"] {
            assert!(read_url(refused).is_err(), "{refused}");
        }
        let from = "http://localhost:1/a".parse().unwrap();
        assert_eq!(beside(&from, "/b?c").unwrap(), "http://localhost:1/b?c");
        assert_eq!(beside(&from, "https://a.b/c").unwrap(), "https://a.b/c");
        assert!(beside(&from, "//a.b/c").is_err());
        assert!(beside(&"https://a.b/".parse().unwrap(), "http://a.b/c").is_err());
    }
}
