//! The Telemetry API with real processes (AWS developer guide, telemetry-api).

use std::time::Duration;

use domain::environment::InitEnd;
use domain::log::Record;
use domain::names::RequestId;
use engine::ports::Clock as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::host::{Function, Host, Kind, host, in_time};

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// An environment whose extension has subscribed.
async fn subscribed(host: &Host, destination: &Value) -> Function {
    let script = json!({
        "events": ["INVOKE", "SHUTDOWN"],
        "subscribe": {
            "schemaVersion": "2022-12-13",
            "types": ["platform", "function", "extension"],
            "buffering": {"timeoutMs": 25},
            "destination": destination,
        },
    });
    let function = host.with_extensions(&[("collects", script)]).await;
    assert_eq!(function.init().await, InitEnd::Ready);
    assert!(function.lines.take().contains(&"collects subscribed 200 \"OK\"\n".to_owned()));
    function
}

fn started() -> Record {
    Record::Start { request_id: RequestId(Uuid::from_u128(0x1234)), version: "$LATEST".to_owned(), trace: None }
}

/// Moves the clock on while something is awaited: batches are sent by time.
async fn with_time<T>(host: &Host, work: impl Future<Output = T>) -> T {
    let time = async {
        loop {
            host.clock.advance(Duration::from_millis(5));
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        done = in_time(work) => done,
        () = time => unreachable!("it goes on for ever"),
    }
}

fn has(events: &[Value], kind: &str, record: &Value) -> bool {
    events.iter().any(|event| event["type"] == kind && event["record"] == *record && event["time"].is_string())
}

#[tokio::test]
async fn over_tcp_every_event_is_a_line() {
    // At level `sandbox` the listener would have to be inside.
    for kind in [Kind::OwnPaths, Kind::RealFolders] {
        let Some(host) = host(kind).await else { continue };
        let (listener, port) = listener().await;
        let function = subscribed(&host, &json!({"protocol": "TCP", "port": port})).await;
        function.environment.observe(host.clock.now(), &started());
        function.invoke(json!([{"print": "said\n"}])).await;
        in_time(function.environment.settle()).await.unwrap();
        let read = async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut lines = BufReader::new(stream).lines();
            let mut events = Vec::new();
            while !has(&events, "function", &json!("said")) {
                let line = lines.next_line().await.unwrap().unwrap();
                events.push(serde_json::from_str(&line).unwrap());
            }
            events
        };
        let events: Vec<Value> = with_time(&host, read).await;
        let id = "00000000-0000-0000-0000-000000001234";
        assert!(has(&events, "platform.start", &json!({"requestId": id, "version": "$LATEST"})), "{events:?}");
        // What the extension itself wrote, before and after it subscribed.
        let own: Vec<&str> = events
            .iter()
            .filter(|event| event["type"] == "extension")
            .filter_map(|event| event["record"].as_str())
            .collect();
        assert!(own[0].starts_with("collects registered ") && own[1] == "collects subscribed 200 \"OK\"", "{own:?}");
    }
}

#[tokio::test]
async fn over_http_every_batch_is_an_array() {
    let Some(host) = host(Kind::OwnPaths).await else { return };
    let (listener, port) = listener().await;
    let uri = format!("http://sandbox.localdomain:{port}/here");
    let function = subscribed(&host, &json!({"protocol": "HTTP", "URI": uri})).await;
    // The name that extensions listen at is the environment itself.
    assert_eq!(function.ask(json!({"resolve": "sandbox.localdomain"})).await, "127.0.0.1");
    function.ask(json!({"print": "said\n"})).await;
    let read = async {
        let mut events: Vec<Value> = Vec::new();
        while !has(&events, "function", &json!("said")) {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (head, body) = request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            assert!(head.starts_with("POST /here HTTP/1.1\r\n"), "{head}");
            assert!(head.contains(&format!("host: sandbox.localdomain:{port}\r\n")), "{head}");
            assert!(head.contains("content-type: application/json\r\n"), "{head}");
            events.extend(serde_json::from_slice::<Vec<Value>>(&body).unwrap());
        }
    };
    with_time(&host, read).await;
}

async fn request(stream: &mut tokio::net::TcpStream) -> (String, Vec<u8>) {
    let mut all = Vec::new();
    loop {
        stream.read_buf(&mut all).await.unwrap();
        let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(all[..end + 2].to_vec()).unwrap();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse::<usize>().unwrap();
        if all.len() >= end + 4 + length {
            return (head, all[end + 4..].to_vec());
        }
    }
}

#[tokio::test]
async fn at_the_end_what_is_left_is_delivered_and_what_could_not_be_is_told_of() {
    let Some(host) = host(Kind::OwnPaths).await else { return };
    let (listener, port) = listener().await;
    let function = subscribed(&host, &json!({"protocol": "TCP", "port": port})).await;
    function.ask(json!({"print": "last words\n"})).await;
    let read = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut lines = BufReader::new(stream).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("last words") {
                return;
            }
        }
        panic!("the last words are lost");
    };
    // Without any time passing.
    tokio::join!(in_time(function.environment.stop()), in_time(read));
}

#[tokio::test]
async fn subscriptions_that_cannot_be_served_are_refused() {
    let Some(host) = host(Kind::OwnPaths).await else { return };
    let tcp = json!({"protocol": "TCP", "port": 9});
    let script = json!({"events": [], "subscribe": {"types": ["other"], "destination": tcp}});
    let function = host.with_extensions(&[("collects", script)]).await;
    assert_eq!(function.init().await, InitEnd::Ready);
    let lines = function.lines.take();
    let refused = lines.iter().find_map(|line| line.strip_prefix("collects subscribed ")).unwrap();
    let body: Value = serde_json::from_str(refused.strip_prefix("400 ").unwrap()).unwrap();
    let message = "types: other is not one of platform, function, extension";
    assert_eq!(body, json!({"errorMessage": message, "errorType": "ValidationError"}));
    let records = std::mem::take(&mut *function.lines.records.lock().unwrap());
    let expected = Record::Extension {
        name: "collects".to_owned(),
        state: "Ready".to_owned(),
        events: Vec::new(),
        error_type: None,
    };
    assert_eq!(records, [expected]);
    // Nobody has that identifier; and without one nobody subscribes.
    for (headers, error_type) in [
        (vec![], "Extension.MissingExtensionIdentifier"),
        (
            vec!["Lambda-Extension-Identifier: 12345678-1234-4123-8123-123456789012"],
            "Extension.UnknownExtensionIdentifier",
        ),
    ] {
        let call =
            json!({"call": {"method": "PUT", "path": "/2022-07-01/telemetry", "headers": headers, "body": "{}"}});
        let answer = function.ask(call).await;
        assert!(answer["head"].as_str().unwrap().starts_with("HTTP/1.1 403 "), "{answer}");
        assert!(answer["body"].as_str().unwrap().contains(error_type), "{answer}");
    }
}

#[tokio::test]
async fn nobody_subscribes_after_the_initialisation() {
    let Some(host) = host(Kind::OwnPaths).await else { return };
    let tcp = json!({"protocol": "TCP", "port": 9});
    let subscribe = json!({"types": ["platform"], "destination": tcp});
    // An internal extension that registers during the initialisation, and asks again in an invocation.
    host.at_init(&json!([{"internal extension": {"name": "inside", "events": ["INVOKE"], "INVOKE": [{"subscribe again": subscribe}]}}]));
    let function = host.start(host.spec()).await;
    assert_eq!(function.init().await, InitEnd::Ready);
    function.invoke(json!([])).await;
    in_time(function.environment.settle()).await.unwrap();
    let lines = function.lines.take();
    let refused = lines.iter().find_map(|line| line.strip_prefix("again 403 ")).unwrap();
    let body: Value = serde_json::from_str(refused).unwrap();
    let message = "Telemetry API subscription is closed";
    assert_eq!(body, json!({"errorMessage": message, "errorType": "Telemetry.SubscriptionClosed"}));
}
