//! Answers that are streamed, from the function's first byte to the client's: boto3, and a client of our own that reads
//! slowly or leaves.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::engine_process::{Engine, Request, encoded, poll};
use crate::functions::{Deployed, PYTHON, is_python, normal, platform_error, warm_log};
use crate::tools::{self, Interpreters};

/// The function that streams, in Node.
pub(crate) const STREAM: &[u8] = include_bytes!("../data/functions/stream.mjs");

/// What came in a stream.
#[derive(Debug, Default)]
pub(crate) struct Streamed {
    /// All pieces together.
    pub(crate) body: Vec<u8>,
    /// How many there were.
    pub(crate) pieces: usize,
    /// `InvokeComplete`.
    pub(crate) complete: Value,
}

/// A stream that is being read, at our own pace.
pub(crate) struct Reader {
    connection: BufReader<TcpStream>,
    /// What has been read and not been taken apart.
    unread: Vec<u8>,
}

impl Reader {
    /// Asks for a stream; its head is read, nothing else.
    pub(crate) fn begin(engine: &Engine, function: &str, event: &Value, headers: &[(&str, &str)]) -> Self {
        let path = format!("/2021-11-15/functions/{}/response-streaming-invocations", encoded(function));
        let request = Request::new("POST", &path).body(event.to_string());
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let mut connection = TcpStream::connect(engine.api()).unwrap();
        connection.write_all(&request.bytes()).unwrap();
        let mut connection = BufReader::new(connection);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(connection.read_line(&mut head).unwrap(), 0, "{head}");
        }
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        assert!(head.contains("\r\ncontent-type: application/vnd.amazon.eventstream\r\n"), "{head}");
        assert!(head.contains("\r\nx-amz-executed-version: $latest\r\n"), "{head}");
        assert!(head.contains("\r\ntransfer-encoding: chunked\r\n"), "{head}");
        Self { connection, unread: Vec::new() }
    }

    /// The next message: the type of its event and its payload; none at the end.
    pub(crate) fn next(&mut self) -> Option<(String, Vec<u8>)> {
        loop {
            if let Some(length) = self.unread.first_chunk::<4>() {
                let length = u32::from_be_bytes(*length) as usize;
                if self.unread.len() >= length {
                    let rest = self.unread.split_off(length);
                    return Some(message(&std::mem::replace(&mut self.unread, rest)));
                }
            }
            let mut line = String::new();
            self.connection.read_line(&mut line).unwrap();
            let length =
                usize::from_str_radix(line.trim_end(), 16).unwrap_or_else(|_| panic!("it breaks off: {line:?}"));
            let mut chunk = vec![0; length + 2];
            self.connection.read_exact(&mut chunk).unwrap();
            if length == 0 {
                assert!(self.unread.is_empty(), "half a message");
                return None;
            }
            self.unread.extend_from_slice(&chunk[..length]);
        }
    }

    /// All of it.
    pub(crate) fn all(mut self) -> Streamed {
        let mut streamed = Streamed::default();
        while let Some((event, payload)) = self.next() {
            assert!(streamed.complete.is_null(), "nothing comes after InvokeComplete");
            match event.as_str() {
                "PayloadChunk" => {
                    streamed.body.extend(payload);
                    streamed.pieces += 1;
                }
                "InvokeComplete" => streamed.complete = serde_json::from_slice(&payload).unwrap(),
                other => panic!("{other}"),
            }
        }
        streamed
    }
}

/// Event type and payload of a message.
fn message(bytes: &[u8]) -> (String, Vec<u8>) {
    let headers = u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let (mut headers, payload) = bytes[12..bytes.len() - 4].split_at(headers);
    let mut event = String::new();
    while let Some((&name, rest)) = headers.split_first() {
        let (name, rest) = rest.split_at(name.into());
        let length = u16::from_be_bytes(rest[1..3].try_into().unwrap());
        let (value, rest) = rest[3..].split_at(length.into());
        if name == b":event-type" {
            event = String::from_utf8(value.to_vec()).unwrap();
        }
        headers = rest;
    }
    (event, payload.to_vec())
}

/// The function that streams, on this runtime.
fn deploy<'a>(engine: &'a Engine, runtime: &str, timeout: u32) -> Deployed<'a> {
    let name = format!("{}-streams", runtime.replace('.', "-"));
    Deployed::create(engine, &name, &[("app.mjs", 0o644, STREAM)], &json!({"Runtime": runtime, "Timeout": timeout}))
}

#[test]
fn boto3_reads_what_node_streams() {
    let test = "streaming::boto3_reads_what_node_streams";
    let (Some(python), Some(interpreters)) = (tools::tool(test, "venv/bin/python"), Interpreters::find(test)) else {
        return;
    };
    let engine = Engine::start_with(&["--config", interpreters.settings()]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/boto3_stream.py");
    for runtime in interpreters.runtimes().filter(|runtime| !is_python(runtime)) {
        let function = deploy(&engine, runtime, 3);
        let output = Command::new(&python)
            .env_clear()
            .envs([
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
                ("AWS_DEFAULT_REGION", "us-east-1"),
            ])
            .arg(&script)
            .args([&engine.endpoint(), &function.name])
            .output()
            .unwrap();
        assert!(output.status.success(), "{runtime}: {}", String::from_utf8_lossy(&output.stderr));
        check_seen(serde_json::from_slice(&output.stdout).unwrap(), runtime);
    }
}

fn check_seen(mut seen: Value, runtime: &str) {
    let prelude = r#"{"statusCode":201,"headers":{"a":"b"}}"#;
    assert_eq!(seen["held"], json!(["first", "second", {}]), "{runtime}");
    assert_eq!(seen["http"], json!([format!("{prelude}\0\0\0\0\0\0\0\0body"), {}]), "{runtime}");
    assert_eq!(seen["nothing"], json!(["", {}]), "{runtime}");
    assert_eq!(seen["text"], json!([format!("ä{}", "€".repeat(1000)), {}]), "{runtime}");
    for (failure, body, text) in [("fail_early", "", "early"), ("fail_late", "half", "late")] {
        let mut complete = seen[failure][1].take();
        let details: Value = serde_json::from_str(complete["ErrorDetails"].take().as_str().unwrap()).unwrap();
        assert_eq!(
            (&details["errorType"], &details["errorMessage"]),
            (&"RangeError".into(), &text.into()),
            "{runtime}"
        );
        assert!(details["trace"][1].as_str().unwrap().contains("/var/task/app.mjs:"), "{runtime}: {details}");
        assert_eq!(complete, json!({"ErrorCode": "RangeError", "ErrorDetails": null}), "{runtime}");
        assert_eq!(seen[failure][0], body, "{runtime}");
    }
    let platform = |failure: &Value| {
        let details = failure[1]["ErrorDetails"].as_str().unwrap();
        let id = details.split("RequestId: ").nth(1).unwrap().split(' ').next().unwrap();
        (failure[0].clone(), failure[1]["ErrorCode"].clone(), details.replace(id, "ID"))
    };
    // The upload broke off, whatever else became of the process.
    let truncated = platform_error("Runtime.TruncatedResponse", "Response was truncated");
    assert_eq!(platform(&seen["exit"]), ("half".into(), "Runtime.TruncatedResponse".into(), truncated), "{runtime}");
    let late = platform_error("Sandbox.Timedout", "Task timed out after 3.00 seconds");
    assert_eq!(platform(&seen["hang"]), ("half".into(), "Sandbox.Timedout".into(), late), "{runtime}");

    let log = data_encoding::BASE64.decode(seen["tail"]["LogResult"].as_str().unwrap().as_bytes()).unwrap();
    let log = String::from_utf8(log).unwrap();
    let id = log["START RequestId: ".len()..].split(' ').next().unwrap().to_owned();
    let log = normal(&log.replace(&id, "ID"));
    assert!(log.contains("TIME\tID\tERROR\tInvoke Error \t{\"errorType\":\"RangeError\""), "{runtime}: {log}");
    let end = warm_log("", "");
    assert!(log.ends_with(end.split_once('\n').unwrap().1), "{runtime}: {log}");

    assert_eq!(seen["dry run"], 204, "{runtime}");
    assert_eq!(seen["unknown"], json!(["ResourceNotFoundException", 404]), "{runtime}");
    assert_eq!(seen["not JSON"], json!(["InvalidRequestContentException", 400]), "{runtime}");
    assert_eq!(seen["too large"], json!(["RequestEntityTooLargeException", 413]), "{runtime}");
    // Observed on AWS: the content type of a function that streams.
    assert_eq!(seen["buffered"], json!(["onetwo", "application/octet-stream", null]), "{runtime}");
    assert_eq!(seen["buffered failure"], json!(["RangeError", "Unhandled"]), "{runtime}");
}

#[test]
fn a_function_that_does_not_stream_answers_in_one_piece() {
    let test = "streaming::a_function_that_does_not_stream_answers_in_one_piece";
    let Some(interpreters) = Interpreters::find(test) else { return };
    let engine = Engine::start_with(&["--config", interpreters.settings()]);
    let runtime = interpreters.python();
    let function = Deployed::create(&engine, "plain", &[("app.py", 0o644, PYTHON)], &json!({"Runtime": runtime}));
    let stream = |event: Value| Reader::begin(&engine, &function.name, &event, &[]).all();
    let text = "x".repeat(5 << 20);
    let streamed = stream(json!({"do": "echo", "value": text}));
    assert_eq!((streamed.pieces, streamed.body.len(), streamed.complete), (1, text.len() + 2, json!({})));
    let streamed = stream(json!({"do": "raise"}));
    let details: Value = serde_json::from_str(streamed.complete["ErrorDetails"].as_str().unwrap()).unwrap();
    assert_eq!((streamed.pieces, &streamed.complete["ErrorCode"]), (0, &"Mishap".into()));
    assert_eq!((&details["errorType"], &details["errorMessage"]), (&"Mishap".into(), &"it went wrong: ä".into()));
    // Its answer has the limit of one in one piece (recorded: test_lambda_too_large_response).
    let streamed = stream(json!({"do": "answer", "characters": 6 * 1024 * 1024 + 100}));
    let text = r#"{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}"#;
    let expected = json!({"ErrorCode": "Function.ResponseSizeTooLarge", "ErrorDetails": text});
    assert_eq!((streamed.pieces, streamed.complete), (0, expected));
}

/// How much a function streams to whoever does not read.
const MUCH_MIB: usize = 190;
/// What the engine may hold of it: a few pieces and the buffers of two connections, twice.
const HELD_KIB_MAX: u64 = 24 * 1024;

/// The function's word on how far it is.
struct Progress(BufReader<TcpStream>);

impl Progress {
    /// Reads on until there is nothing to read for a while: says whether it has ended.
    fn stalls(&mut self) -> bool {
        self.0.get_ref().set_read_timeout(Some(std::time::Duration::from_millis(500))).unwrap();
        loop {
            match self.0.read(&mut [0; 1024]) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(_) => return true,
            }
        }
    }

    /// Reads to the end: its last word.
    fn end(mut self) -> u8 {
        self.0.get_ref().set_read_timeout(None).unwrap();
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).unwrap();
        *rest.last().unwrap()
    }
}

/// Has a function stream very much, and takes the first piece of it.
fn begin_much(engine: &Engine, function: &Deployed<'_>) -> (Reader, Progress) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let event = json!({"do": "much", "mib": MUCH_MIB, "port": listener.local_addr().unwrap().port()});
    let mut reader = Reader::begin(engine, &function.name, &event, &[]);
    assert_eq!(reader.next().unwrap().0, "PayloadChunk");
    (reader, Progress(BufReader::new(listener.accept().unwrap().0)))
}

#[test]
fn who_reads_slowly_holds_up_the_function_and_not_the_memory() {
    let test = "streaming::who_reads_slowly_holds_up_the_function_and_not_the_memory";
    let Some(interpreters) = Interpreters::find(test) else { return };
    let engine = Engine::start_with(&["--config", interpreters.settings()]);
    let function = deploy(&engine, interpreters.node(), 60);
    Reader::begin(&engine, &function.name, &json!({"do": "count"}), &[]).all();
    let before = engine.memory_peak_kib();
    let (reader, mut progress) = begin_much(&engine, &function);
    assert!(progress.stalls(), "{MUCH_MIB} MiB went out although nobody read");
    let streamed = reader.all();
    // The first piece was read before.
    assert!(streamed.body.len() > (MUCH_MIB - 8) << 20, "{}", streamed.body.len());
    assert_eq!(streamed.complete, json!({}));
    assert_eq!(progress.end(), b'!');
    let held = engine.memory_peak_kib() - before;
    assert!(held <= HELD_KIB_MAX, "the engine held {held} KiB");
}

#[test]
fn a_client_that_leaves_ends_nothing() {
    let test = "streaming::a_client_that_leaves_ends_nothing";
    let Some(interpreters) = Interpreters::find(test) else { return };
    let engine = Engine::start_with(&["--config", interpreters.settings(), "--function-logs", "true"]);
    let function = deploy(&engine, interpreters.node(), 60);
    let count = || Reader::begin(&engine, &function.name, &json!({"do": "count"}), &[]).all().body;
    assert_eq!(count(), b"1");
    let reports = || engine.log().lines().filter(|line| line.contains("REPORT RequestId")).count();
    poll("the first is over", || (reports() == 1).then_some(()));
    let (reader, progress) = begin_much(&engine, &function);
    drop(reader);
    // Everything was taken: the function ran to its end and was told so.
    assert_eq!(progress.end(), b'!');
    poll("the second is over", || (reports() == 2).then_some(()));
    assert!(!engine.log().contains("Status: "), "it did not fail");
    assert_eq!(count(), b"2", "its environment serves the next");
}

/// A limit as AWS has it: what is beyond is cut off, and the end says so.
#[test]
fn a_stream_ends_at_two_hundred_megabytes() {
    let test = "streaming::a_stream_ends_at_two_hundred_megabytes";
    let Some(interpreters) = Interpreters::find(test) else { return };
    let engine = Engine::start_with(&["--config", interpreters.settings()]);
    let function = deploy(&engine, interpreters.node(), 60);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let event = json!({"do": "much", "mib": 201, "port": listener.local_addr().unwrap().port()});
    let streamed = Reader::begin(&engine, &function.name, &event, &[]).all();
    assert_eq!(streamed.body.len(), 209_715_200);
    assert_eq!(streamed.complete["ErrorCode"], "Function.ResponseSizeTooLarge");
}

/// What `lambda_runtime` streams has a prelude: status, headers and cookies of an HTTP answer.
#[test]
fn lambda_runtime_streams() {
    let engine = Engine::start();
    let programs = crate::official_clients::rust_programs("echo");
    let bootstrap = fs::read(programs.join("streamed")).unwrap();
    let settings = json!({"Runtime": "provided.al2023", "Timeout": 10});
    let function = Deployed::create(&engine, "streamed", &[("bootstrap", 0o755, &bootstrap)], &settings);
    let prelude = r#"{"statusCode":200,"headers":{"content-type":"application/octet-stream"},"cookies":[]}"#;
    let expected = format!("{prelude}\0\0\0\0\0\0\0\0onetwo");
    let event = json!({"pieces": ["one", "two"]});
    for _ in 0..3 {
        let streamed = Reader::begin(&engine, &function.name, &event, &[]).all();
        assert_eq!((String::from_utf8(streamed.body).unwrap(), streamed.complete), (expected.clone(), json!({})));
        let ran = function.run(&event);
        assert_eq!((ran.error.as_deref(), ran.text()), (None, expected.clone()));
    }
    let streamed = Reader::begin(&engine, &function.name, &json!({}), &[]).all();
    let details: Value = serde_json::from_str(streamed.complete["ErrorDetails"].as_str().unwrap()).unwrap();
    assert_eq!((streamed.pieces, &details["errorMessage"]), (0, &"no pieces".into()));
    assert_eq!(streamed.complete["ErrorCode"], details["errorType"]);
}
