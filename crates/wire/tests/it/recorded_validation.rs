//! What AWS itself said of requests that break the model, recorded; the same request must get the same text here.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Uri};
use serde::Deserialize;
use wire::server::request::{self, Parts};
use wire::server::router;

#[derive(Deserialize)]
struct Recordings {
    cases: Vec<Recording>,
}

#[derive(Deserialize)]
struct Recording {
    test: String,
    case: String,
    operation: String,
    method: String,
    uri: String,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    body: Option<serde_json::Value>,
    status: u16,
    code: String,
    message: String,
}

/// What we say: operation, status, code, message.
fn answer(recording: &Recording) -> (String, u16, String, String) {
    let method: Method = recording.method.parse().unwrap();
    let uri: Uri = recording.uri.parse().unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in &recording.headers {
        headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    let body = recording.body.as_ref().map_or(Bytes::new(), |body| serde_json::to_vec(body).unwrap().into());
    let route = router::route(&method, uri.path(), uri.query()).unwrap();
    let parts = Parts { labels: &route.labels, query: uri.query(), headers: &headers, body: &body };
    let name = route.operation.name().to_owned();
    match request::document(route.operation, &parts) {
        Ok(document) => (name, 0, String::new(), format!("accepted: {document:?}")),
        Err(rejected) => {
            let shape = rejected.code.shape();
            (name, shape.status, shape.name.to_owned(), rejected.message)
        }
    }
}

#[test]
fn every_recorded_refusal_comes_out_to_the_letter() {
    let recordings: Recordings = serde_json::from_str(include_str!("../data/recorded_validation.json")).unwrap();
    let mut wrong = Vec::new();
    for recording in &recordings.cases {
        let expected =
            (recording.operation.clone(), recording.status, recording.code.clone(), recording.message.clone());
        let got = answer(recording);
        if got != expected {
            wrong.push(format!("{} ({})\n  AWS: {expected:?}\n  us:  {got:?}", recording.test, recording.case));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), recordings.cases.len(), wrong.join("\n"));
}
