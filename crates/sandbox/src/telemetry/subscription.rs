//! What an extension asks for when it subscribes (AWS developer guide, telemetry-api and telemetry-api-reference;
//! runtimes-logs-api for the API before it).
//!
//! Never here: who may subscribe.

use std::time::Duration;

use serde::Deserialize;

use super::Kind;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Telemetry,
    Logs,
}

impl Api {
    fn versions(self) -> &'static [&'static str] {
        match self {
            Self::Telemetry => &["2022-07-01", "2022-12-13", "2025-01-29"],
            Self::Logs => &["2020-08-15", "2021-03-18"],
        }
    }
}

/// A subscription that can be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub api: Api,
    pub types: Vec<String>,
    pub buffering: Buffering,
    pub destination: Destination,
}

/// When a batch is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Buffering {
    pub items_max: usize,
    pub bytes_max: usize,
    pub timeout: Duration,
}

/// Where batches go: a port of the environment itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// One POST of a JSON array for each batch.
    Http {
        /// As the request names it.
        host: String,
        port: u16,
        path: String,
    },
    /// JSON, an event a line.
    Tcp { port: u16 },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    schema_version: Option<String>,
    types: Vec<String>,
    buffering: Option<BufferingRequest>,
    destination: DestinationRequest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BufferingRequest {
    max_items: Option<u64>,
    max_bytes: Option<u64>,
    timeout_ms: Option<u64>,
}

#[derive(Deserialize)]
struct DestinationRequest {
    protocol: String,
    #[serde(rename = "URI")]
    uri: Option<String>,
    port: Option<u64>,
    #[serde(rename = "method")]
    method: Option<String>,
}

impl Subscription {
    /// Reads a request; the error says what is wrong with it.
    pub(crate) fn parse(api: Api, body: &[u8]) -> Result<Self, String> {
        let request: Request = serde_json::from_slice(body).map_err(|error| format!("Invalid JSON: {error}"))?;
        if let Some(version) = request.schema_version
            && !api.versions().contains(&version.as_str())
        {
            return Err(format!("schemaVersion {version} is not one of {}", api.versions().join(", ")));
        }
        if request.types.is_empty() {
            return Err("types must name at least one type".to_owned());
        }
        if let Some(other) =
            request.types.iter().find(|kind| !["platform", "function", "extension"].contains(&&***kind))
        {
            return Err(format!("types: {other} is not one of platform, function, extension"));
        }
        let asked =
            request.buffering.unwrap_or(BufferingRequest { max_items: None, max_bytes: None, timeout_ms: None });
        let buffering = Buffering {
            items_max: number("maxItems", asked.max_items, 10_000, 1_000, 10_000)?,
            bytes_max: number("maxBytes", asked.max_bytes, 262_144, 262_144, 1_048_576)?,
            timeout: Duration::from_millis(number("timeoutMs", asked.timeout_ms, 1_000, 25, 30_000)?),
        };
        let destination = destination(&request.destination)?;
        Ok(Self { api, types: request.types, buffering, destination })
    }

    pub(super) fn wants(&self, kind: Kind) -> bool {
        let (name, is_known) = match kind {
            Kind::Platform => ("platform", true),
            Kind::NewPlatform => ("platform", self.api == Api::Telemetry),
            Kind::OldPlatform => ("platform", self.api == Api::Logs),
            Kind::Function => ("function", true),
            Kind::Extension => ("extension", true),
        };
        is_known && self.types.iter().any(|wanted| wanted == name)
    }
}

fn number<T: TryFrom<u64>>(name: &str, asked: Option<u64>, default: u64, least: u64, most: u64) -> Result<T, String> {
    let number = asked.unwrap_or(default);
    let outside = || format!("buffering: {name} {number} is not between {least} and {most}");
    if !(least..=most).contains(&number) {
        return Err(outside());
    }
    T::try_from(number).map_err(|_| outside())
}

fn destination(asked: &DestinationRequest) -> Result<Destination, String> {
    let port =
        |port: u64| u16::try_from(port).ok().filter(|port| *port > 0).ok_or("destination: no such port".to_owned());
    match asked.protocol.as_str() {
        "HTTP" => {
            if asked.method.as_deref().is_some_and(|method| method != "POST" && method != "PUT") {
                return Err("destination: method is not one of POST, PUT".to_owned());
            }
            let text = asked.uri.as_deref().ok_or("destination: URI is missing")?;
            let uri: http::Uri = text.parse().map_err(|_| format!("destination: {text} is no URI"))?;
            let host = uri.host().unwrap_or_default();
            // The environment itself: at level `process` its loopback interface is the host's.
            if uri.scheme_str() != Some("http") || !["sandbox.localdomain", "sandbox"].contains(&host) {
                return Err(format!("destination: {text} does not begin with http://sandbox.localdomain"));
            }
            let number = port(uri.port_u16().map_or(80, u64::from))?;
            let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
            Ok(Destination::Http { host: format!("{host}:{number}"), port: number, path })
        }
        "TCP" => Ok(Destination::Tcp { port: port(asked.port.ok_or("destination: port is missing")?)? }),
        other => Err(format!("destination: protocol {other} is not one of HTTP, TCP")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_has_defaults() {
        let body = br#"{"schemaVersion":"2022-07-01","types":["platform","function"],
            "destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:8080/telemetry"}}"#;
        let subscription = Subscription::parse(Api::Telemetry, body).unwrap();
        let buffering = Buffering { items_max: 10_000, bytes_max: 262_144, timeout: Duration::from_secs(1) };
        assert_eq!(subscription.buffering, buffering);
        let host = "sandbox.localdomain:8080".to_owned();
        assert_eq!(subscription.destination, Destination::Http { host, port: 8080, path: "/telemetry".to_owned() });
        assert!(subscription.wants(Kind::NewPlatform) && subscription.wants(Kind::Function));
        assert!(!subscription.wants(Kind::Extension) && !subscription.wants(Kind::OldPlatform));
    }

    #[test]
    fn what_cannot_be_served_is_refused() {
        let body = |types: &str, buffering: &str, destination: &str, version: &str| {
            format!(
                r#"{{"schemaVersion":"{version}","types":{types},"buffering":{buffering},"destination":{destination}}}"#
            )
        };
        let (types, tcp, version) = (r#"["platform"]"#, r#"{"protocol":"TCP","port":9000}"#, "2022-12-13");
        assert!(Subscription::parse(Api::Telemetry, body(types, "{}", tcp, version).as_bytes()).is_ok());
        assert!(Subscription::parse(Api::Telemetry, body(types, "{}", tcp, "2025-01-29").as_bytes()).is_ok());
        let cases = [
            body("[]", "{}", tcp, version),
            body(r#"["other"]"#, "{}", tcp, version),
            body(types, r#"{"maxItems":999}"#, tcp, version),
            body(types, r#"{"maxItems":10001}"#, tcp, version),
            body(types, r#"{"maxBytes":262143}"#, tcp, version),
            body(types, r#"{"maxBytes":1048577}"#, tcp, version),
            body(types, r#"{"timeoutMs":24}"#, tcp, version),
            body(types, r#"{"timeoutMs":30001}"#, tcp, version),
            body(types, "{}", tcp, "2020-01-01"),
            body(types, "{}", r#"{"protocol":"TCP","port":0}"#, version),
            body(types, "{}", r#"{"protocol":"TCP"}"#, version),
            body(types, "{}", r#"{"protocol":"UDP","port":1}"#, version),
            body(types, "{}", r#"{"protocol":"HTTP","URI":"http://example.com:80"}"#, version),
            body(types, "{}", r#"{"protocol":"HTTP","URI":"https://sandbox.localdomain:80"}"#, version),
            "{".to_owned(),
        ];
        for case in cases {
            assert!(Subscription::parse(Api::Telemetry, case.as_bytes()).is_err(), "{case}");
        }
    }
}
