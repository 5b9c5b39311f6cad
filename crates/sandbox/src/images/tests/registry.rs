//! Pulling from a registry: one of our own on this machine, which wants a token and leads blobs elsewhere.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::Made::File;
use super::*;

/// What the registry does otherwise than a good one.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
enum Temper {
    #[default]
    Good,
    /// Wants a password.
    Private,
    /// Gives out no token.
    Closed,
    /// Sends other blobs than it should.
    Lying,
    /// Leads to itself for ever.
    Circling,
    /// Leads to a machine elsewhere, without TLS.
    Leading,
    /// Breaks off in the middle of blobs.
    Breaking,
    /// Has trouble of its own.
    Ill,
}

/// An answer, and how it ends.
struct Body(Full<Bytes>, End);

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Well,
    /// After its first piece is on its way.
    BreaksSoon,
    Breaks,
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let end = self.1;
        match Pin::new(&mut self.0).poll_frame(context) {
            Poll::Ready(None) if end == End::BreaksSoon => {
                self.1 = End::Breaks;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(None) if end == End::Breaks => Poll::Ready(Some(Err(io::Error::other("on purpose")))),
            polled => polled.map_err(|never| match never {}),
        }
    }

    fn size_hint(&self) -> SizeHint {
        if self.1 == End::Well { self.0.size_hint() } else { SizeHint::default() }
    }

    fn is_end_stream(&self) -> bool {
        self.1 == End::Well && self.0.is_end_stream()
    }
}

#[derive(Default)]
struct State {
    temper: Temper,
    manifests: HashMap<String, Vec<u8>>,
    blobs: HashMap<String, Vec<u8>>,
    /// Paths asked for, with whether a token came along.
    asked: Mutex<Vec<(String, bool)>>,
    port: u16,
}

impl State {
    fn put(&mut self, tag: &str, sample: &Sample) {
        self.manifests.insert(tag.to_owned(), sample.manifest.clone());
        self.manifests.insert(named(sample.digest()), sample.manifest.clone());
        self.blobs.extend(sample.blobs.iter().map(|blob| (named(digest_of(blob)), blob.clone())));
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let token = request.headers().get("authorization").is_some_and(|token| token == "Bearer open-sesame");
        self.asked.lock().unwrap().push((path.clone(), request.headers().contains_key("authorization")));
        let plain = |status: u16, body: &[u8]| {
            let mut response = Response::new(Body(Full::new(Bytes::copy_from_slice(body)), End::Well));
            *response.status_mut() = status.try_into().unwrap();
            response
        };
        let leading = |to: &str| {
            let mut response = plain(307, b"");
            response.headers_mut().insert("location", to.parse().unwrap());
            response
        };
        if path == "/token" {
            assert_eq!(request.uri().query(), Some("service=the%20registry&scope=repository:team/app:pull"));
            return if self.temper == Temper::Closed {
                plain(403, b"")
            } else {
                plain(200, br#"{"token":"open-sesame"}"#)
            };
        }
        if let Some(digest) = path.strip_prefix("/store/") {
            assert!(!request.headers().contains_key("authorization"), "another place was given the token");
            return plain(200, &self.blobs[digest]);
        }
        if !token {
            let mut response = plain(401, b"");
            let wants = match self.temper {
                Temper::Private => "Basic realm=\"x\"".to_owned(),
                _ => format!(
                    "Bearer realm=\"http://127.0.0.1:{}/token\",service=\"the registry\",scope=\"repository:team/app:pull\"",
                    self.port
                ),
            };
            response.headers_mut().insert("www-authenticate", wants.parse().unwrap());
            return response;
        }
        if self.temper == Temper::Ill {
            return plain(503, b"");
        }
        if let Some(of) = path.strip_prefix("/v2/team/app/manifests/") {
            let accepted = request.headers().get("accept").unwrap().to_str().unwrap();
            assert!(accepted.contains("application/vnd.oci.image.index.v1+json"), "{accepted}");
            return self.manifests.get(of).map_or_else(|| plain(404, b"{}"), |manifest| plain(200, manifest));
        }
        let Some(digest) = path.strip_prefix("/v2/team/app/blobs/") else { return plain(404, b"") };
        match self.temper {
            Temper::Lying => plain(200, b"something else"),
            Temper::Circling => leading(&path),
            Temper::Leading => leading("http://registry.example/blob"),
            Temper::Breaking => {
                let mut response = plain(200, &self.blobs[digest][..10]);
                response.body_mut().1 = End::BreaksSoon;
                response
            }
            // Another name of this machine is another place.
            _ => leading(&format!("http://localhost:{}/store/{digest}", self.port)),
        }
    }
}

/// Runs a test against a registry that has this.
fn with_registry<T, F: Future<Output = T>>(mut state: State, test: impl FnOnce(Arc<State>, String) -> F) -> T {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        state.port = listener.local_addr().unwrap().port();
        let state = Arc::new(state);
        let place = format!("127.0.0.1:{}/team/app", state.port);
        let serving = state.clone();
        let server = tasks::spawn("a registry", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = serving.clone();
                let service = service_fn(move |request| {
                    let response = state.answer(&request);
                    async move { Ok::<_, Infallible>(response) }
                });
                let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tasks::spawn("a connection", async move { drop(connection.await) }).detach();
            }
        });
        let result = test(state, place).await;
        server.abort();
        result
    })
}

fn sample(content: &str) -> Sample {
    let base = tar_of(&[File("base", "shared")]);
    Sample::of_tars(&[base, tar_of(&[File("app", content)])])
}

fn state(temper: Temper) -> State {
    let mut state = State { temper, ..State::default() };
    state.put("v1", &sample("one"));
    state
}

#[test]
fn an_image_is_pulled_by_tag_and_by_digest_and_no_layer_twice() {
    let mut state = state(Temper::Good);
    state.put("latest", &sample("two"));
    let dir = tempfile::tempdir().unwrap();
    let images = images(dir.path());
    with_registry(state, async |state, place| {
        let blobs = || {
            let asked = state.asked.lock().unwrap();
            asked
                .iter()
                .filter(|(path, _)| path.starts_with("/store/"))
                .map(|(path, _)| path.clone())
                .collect::<Vec<_>>()
        };
        let held = images.resolve(&format!("{place}:v1")).await.unwrap();
        assert_eq!(held.image.resolved, format!("{place}@{}", named(sample("one").digest())));
        assert_eq!(blobs().len(), 1, "the configuration only");
        // Two at once do the work once.
        let (one, two) = tokio::join!(images.pull(&held.image), images.pull(&held.image));
        one.unwrap();
        two.unwrap();
        assert_eq!(blobs().len(), 3);
        let root = images.root(&held.image, &ImageConfig::default()).await.unwrap();
        let shown: Vec<_> = root.layers.iter().map(|layer| tree(layer)).collect();
        assert_eq!(shown, [["base = shared"], ["app = one"]]);
        assert_eq!(blobs().len(), 3);
        // Another image with the same base: its own layer and configuration.
        let other = images.resolve(&place).await.unwrap();
        assert_eq!(other.image.digest, sample("two").digest());
        images.pull(&other.image).await.unwrap();
        let all = blobs();
        assert_eq!(all.len(), 5);
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 5, "{all:?}");
        let fixed = images.resolve(&held.image.resolved).await.unwrap();
        assert_eq!(fixed.image.digest, held.image.digest);
        // And a token was fetched where it was asked for only, and not for each request.
        let tokens = state.asked.lock().unwrap().iter().filter(|(path, _)| path == "/token").count();
        assert!(tokens <= 5, "{tokens}");
    });
}

#[test]
fn an_index_of_a_registry_is_followed() {
    let mut state = state(Temper::Good);
    let ours = sample("one");
    let mut descriptor = ours.descriptor();
    descriptor["platform"] = json!({ "os": "linux", "architecture": ARCHITECTURE });
    let index = json!({ "schemaVersion": 2, "manifests": [descriptor] }).to_string().into_bytes();
    state.manifests.insert("many".to_owned(), index);
    let dir = tempfile::tempdir().unwrap();
    let images = images(dir.path());
    with_registry(state, async |_, place| {
        let held = images.resolve(&format!("{place}:many")).await.unwrap();
        assert_eq!(held.image.digest, ours.digest());
    });
}

#[test]
fn a_registry_that_does_not_give_it_out_is_named() {
    for (temper, problem, words) in [
        (Temper::Private, ImageProblem::AccessDenied, "wants a password"),
        (Temper::Closed, ImageProblem::AccessDenied, "gets no token"),
        (Temper::Lying, ImageProblem::Broken, "is not what its digest"),
        (Temper::Circling, ImageProblem::AccessDenied, "on and on"),
        (Temper::Leading, ImageProblem::AccessDenied, "not protected by TLS"),
        (Temper::Breaking, ImageProblem::AccessDenied, "breaks off"),
        (Temper::Ill, ImageProblem::AccessDenied, "503"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let images = images(dir.path());
        let (found, why) =
            with_registry(state(temper), async |_, place| refused(images.resolve(&format!("{place}:v1")).await));
        assert!(found == problem && why.contains(words), "{temper:?}: {found:?} {why}");
    }
    let dir = tempfile::tempdir().unwrap();
    let images = images(dir.path());
    let (found, why) =
        with_registry(state(Temper::Good), async |_, place| refused(images.resolve(&format!("{place}:v9")).await));
    assert!(found == ImageProblem::NotFound && why.contains("does not have it"), "{why}");
    // Nobody listens there: the listener is gone with its registry.
    let place = with_registry(State::default(), async |_, place| place);
    let (found, why) = run(async { refused(images.resolve(&place).await) });
    assert!(found == ImageProblem::AccessDenied && why.contains("cannot be reached"), "{why}");
}

#[test]
fn a_manifest_that_is_not_what_was_asked_for_is_refused() {
    let mut state = state(Temper::Good);
    let asked = Digest([7; 32]);
    state.manifests.insert(named(asked), sample("one").manifest);
    let dir = tempfile::tempdir().unwrap();
    let images = images(dir.path());
    let (found, why) =
        with_registry(state, async |_, place| refused(images.resolve(&format!("{place}@{}", named(asked))).await));
    assert!(found == ImageProblem::Broken && why.contains("is not what its digest"), "{why}");
}
