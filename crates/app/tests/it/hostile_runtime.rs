//! A function whose runtime is an enemy: the test itself speaks to the Runtime API of a real engine, in sequences of
//! moves that no client makes. Whatever it does, its caller gets an answer, others are served, memory stays bounded.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::engine_process::{Answer, Connection, Engine, Request, poll, zip_of};

/// What an engine may hold at most, in KiB, whatever one function does to it.
const MEMORY_KIB_MAX: u64 = 160 * 1024;
const CASES: u32 = 48;
const FOREIGN: &str = "00000000-0000-0000-0000-000000001234";

/// Tells the test where the Runtime API is, and leaves the rest to it.
const PUPPET: &str = r#"#!/bin/bash
exec 3<>"/dev/tcp/127.0.0.1/$GATE"
printf '%s\n' "$AWS_LAMBDA_RUNTIME_API" >&3
exec sleep 100000
"#;

/// What the runtime does next.
#[derive(Clone, Debug)]
enum Move {
    /// Bytes over a connection of their own; read until silence or not at all, then closed.
    Bytes { text: String, read: bool },
    /// The same, byte by byte.
    Drip(String),
    /// A request with a header of so many bytes.
    HugeHeader { line: &'static str, name: &'static str, bytes: usize },
    /// An answer to the event, or to another, that announces so many bytes and sends so many.
    HalfBody { own: bool, announced: usize, sent: usize },
    /// An answer in chunks, which ends or does not.
    Chunks { own: bool, bytes: usize, ends: bool },
    /// Connections that say nothing.
    Idle(usize),
    /// The answer twice.
    Twice,
    /// An error report with a body that may be anything.
    Error(String),
}

fn line() -> impl Strategy<Value = String> {
    let method = prop::sample::select(vec!["GET", "POST", "PUT", "DELETE", "HEAD", "get", "\u{0}"]);
    let path = prop::sample::select(vec![
        "/2018-06-01/runtime/invocation/next",
        "/2018-06-01/runtime/invocation/ID/response",
        "/2018-06-01/runtime/invocation/ID/error",
        "/2018-06-01/runtime/invocation/00000000-0000-0000-0000-000000001234/response",
        "/2018-06-01/runtime/invocation//response",
        "/2018-06-01/runtime/invocation/%00%ff/error",
        "/2018-06-01/runtime/init/error",
        "/2018-06-01/runtime/restore/next",
        "/2020-01-01/extension/register",
        "/2020-01-01/extension/event/next",
        "/2022-07-01/telemetry",
        "/",
        "*",
        "//",
        "/../../etc/passwd",
    ]);
    let version = prop::sample::select(vec![" HTTP/1.1", " HTTP/1.0", " HTTP/2", ""]);
    (method, path, version).prop_map(|(method, path, version)| format!("{method} {path}{version}\r\n"))
}

fn request() -> impl Strategy<Value = String> {
    let header = prop::sample::select(vec![
        "Host: x\r\n",
        "Content-Length: 2\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Lambda-Runtime-Function-Response-Mode: streaming\r\n",
        "Lambda-Runtime-Function-Response-Mode: \u{1}\r\n",
        "Lambda-Runtime-Function-Error-Type: A.B\r\n",
        "Lambda-Runtime-Function-XRay-Error-Cause: {{{{\r\n",
        "Lambda-Extension-Name: ../x\r\n",
        "Expect: 100-continue\r\n",
        "Upgrade: websocket\r\nConnection: upgrade\r\n",
        "Trailer: Lambda-Runtime-Function-Error-Type\r\n",
        "no colon\r\n",
    ]);
    let body =
        prop::sample::select(vec!["", "{}", "1", "0\r\n\r\n", "ffffffffffffffff\r\n", "2\r\n{}\r\n", "\u{0}\u{ff}"]);
    (line(), prop::collection::vec(header, 0..4), body)
        .prop_map(|(line, headers, body)| format!("{line}{}\r\n{body}", headers.concat()))
}

fn a_move() -> impl Strategy<Value = Move> {
    let sizes = prop::sample::select(vec![0, 1, 100, 70_000, 1 << 20, 7_000_000, 20_000_000]);
    prop_oneof![
        4 => (prop::collection::vec(request(), 1..4), any::<bool>())
            .prop_map(|(requests, read)| Move::Bytes { text: requests.concat(), read }),
        1 => request().prop_map(Move::Drip),
        1 => (
            prop::sample::select(vec![
                "GET /2018-06-01/runtime/invocation/next",
                "POST /2018-06-01/runtime/invocation/ID/error",
                "POST /2018-06-01/runtime/invocation/ID/response",
            ]),
            prop::sample::select(vec![
                "X",
                "Lambda-Runtime-Function-Error-Type",
                "Lambda-Runtime-Function-XRay-Error-Cause",
                "Content-Type",
            ]),
            sizes.clone(),
        )
            .prop_map(|(line, name, bytes)| Move::HugeHeader { line, name, bytes }),
        2 => (any::<bool>(), sizes.clone(), sizes.clone())
            .prop_map(|(own, announced, sent)| Move::HalfBody { own, announced, sent: sent.min(announced) }),
        2 => (any::<bool>(), sizes, any::<bool>()).prop_map(|(own, bytes, ends)| Move::Chunks { own, bytes, ends }),
        1 => (1_usize..300).prop_map(Move::Idle),
        1 => Just(Move::Twice),
        1 => ".{0,40}".prop_map(Move::Error),
    ]
}

/// The Runtime API of one environment, as its enemy has it.
struct Enemy {
    at: String,
    id: String,
    /// Nothing of it is closed before the case is over.
    open: Vec<TcpStream>,
}

impl Enemy {
    fn connect(&self) -> Option<TcpStream> {
        // An environment that has ended takes no more.
        let stream = TcpStream::connect(&self.at).ok()?;
        stream.set_nodelay(true).unwrap();
        // Long enough for an answer that comes, short enough for one that does not.
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
        Some(stream)
    }

    fn send(&mut self, parts: &[&[u8]], read: bool) {
        let Some(mut stream) = self.connect() else { return };
        // It may have been refused meanwhile.
        if parts.iter().all(|part| stream.write_all(part).is_ok()) && read {
            let _ = stream.read(&mut [0; 4096]);
        }
        self.open.push(stream);
    }

    fn target(&self, own: bool) -> String {
        format!("POST /2018-06-01/runtime/invocation/{}/response", if own { &self.id } else { FOREIGN })
    }

    fn make(&mut self, step: &Move) {
        match step {
            Move::Bytes { text, read } => {
                self.send(&[text.replace("/ID/", &format!("/{}/", self.id)).as_bytes()], *read);
            }
            Move::Drip(text) => {
                let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
                self.send(&bytes, true);
            }
            Move::HugeHeader { line, name, bytes } => {
                let line = line.replace("/ID/", &format!("/{}/", self.id));
                let head = format!("{line} HTTP/1.1\r\nHost: x\r\n{name}: ");
                self.send(&[head.as_bytes(), &vec![b'x'; *bytes], b"\r\nContent-Length: 2\r\n\r\n{}"], true);
            }
            Move::HalfBody { own, announced, sent } => {
                let head = format!("{} HTTP/1.1\r\nHost: x\r\nContent-Length: {announced}\r\n\r\n", self.target(*own));
                self.send(&[head.as_bytes(), &vec![b'1'; *sent]], false);
                if let Some(stream) = self.open.last() {
                    let _ = stream.shutdown(Shutdown::Write);
                }
            }
            Move::Chunks { own, bytes, ends } => {
                let head = format!(
                    "{} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
                    self.target(*own),
                    (*bytes).max(1)
                );
                let end: &[u8] = if *ends { b"\r\n0\r\n\r\n" } else { b"\r\n" };
                self.send(&[head.as_bytes(), &vec![b'1'; (*bytes).max(1)], end], true);
            }
            Move::Idle(count) => {
                let more: Vec<TcpStream> = (0..*count).map_while(|_| self.connect()).collect();
                self.open.extend(more);
            }
            Move::Twice => {
                let answer = format!("{} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1", self.target(true));
                self.send(&[answer.as_bytes(), answer.as_bytes()], true);
            }
            Move::Error(body) => {
                let target = self.target(true).replace("/response", "/error");
                let head = format!("{target} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
                self.send(&[head.as_bytes(), body.as_bytes()], true);
            }
        }
    }
}

#[test]
fn whatever_a_runtime_does_its_caller_is_answered_and_others_are_served() {
    let engine = Engine::start();
    assert_eq!(engine.send(&Request::create_function("good")).status, 201);
    engine.wait_until_settled("good");
    let gate = TcpListener::bind("127.0.0.1:0").unwrap();
    gate.set_nonblocking(true).unwrap();
    let mut runner =
        TestRunner::new(Config { cases: CASES, failure_persistence: None, max_shrink_iters: 20, ..Config::default() });
    let result = runner.run(&prop::collection::vec(a_move(), 1..8), |moves| {
        let answer = case(&engine, &gate, &moves);
        // What the function said, or what is said in its place.
        prop_assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let other = engine.send(&Request::invoke("good", "[1]"));
        prop_assert_eq!((other.status, other.body), (200, b"[1]".to_vec()));
        let peak = engine.memory_peak_kib();
        prop_assert!(peak < MEMORY_KIB_MAX, "{} KiB", peak);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(!engine.log().contains("panicked"), "{}", engine.log());
}

/// One function, one call, and what its runtime does meanwhile.
fn case(engine: &Engine, gate: &TcpListener, moves: &[Move]) -> Answer {
    let body = json!({
        "FunctionName": "hostile",
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Role": "arn:aws:iam::111111111111:role/r",
        "Timeout": 3,
        "Environment": {"Variables": {"GATE": gate.local_addr().unwrap().port().to_string()}},
        "Code": {"ZipFile": data_encoding::BASE64.encode(&zip_of(&[("bootstrap", 0o755, PUPPET.as_bytes())]))},
    });
    let created = engine.send(&Request::new("POST", "/2015-03-31/functions").body(body.to_string()));
    assert_eq!(created.status, 201, "{created:?}");
    engine.wait_until_settled("hostile");
    let mut caller = engine.connect();
    caller.write(&Request::invoke("hostile", r#"{"do":"harm"}"#).bytes()).unwrap();
    let mut stream = poll("the runtime starts", || gate.accept().ok()).0;
    stream.set_nonblocking(false).unwrap();
    let mut at = String::new();
    while !at.ends_with('\n') {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        at.push(byte[0].into());
    }
    let at = at.trim().to_owned();
    let mut runtime = Connection::to(at.parse().unwrap());
    runtime.write(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let event = runtime.read("GET").unwrap();
    let id = event.header("lambda-runtime-aws-request-id").unwrap().to_owned();
    let mut enemy = Enemy { at, id: id.clone(), open: Vec::new() };
    for step in moves {
        enemy.make(step);
    }
    let answer =
        format!("POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]");
    // It may have been ended already.
    let _ = runtime.write(answer.as_bytes());
    let answered = caller.read("POST").unwrap();
    drop(enemy);
    assert_eq!(engine.send(&Request::new("DELETE", "/2015-03-31/functions/hostile")).status, 204);
    answered
}
