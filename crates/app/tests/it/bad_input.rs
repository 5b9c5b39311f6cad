//! What no client should send, sent to the built engine: each gets a clear answer, memory stays bounded, and the engine
//! goes on. What waits for time to pass is in `wire/tests/it/patience.rs`, where the test moves the clock.

use crate::engine_process::{Answer, Connection, Engine, Request, zip_of};

const FUNCTIONS: &str = "/2015-03-31/functions";
/// Bytes of a synchronous payload (AWS developer guide, gettingstarted-limits).
const PAYLOAD_BYTES_MAX: usize = 6_291_456;
/// What an engine may hold at most, in KiB, after one caller at a time has sent what it likes to Invoke.
const INVOKE_MEMORY_KIB_MAX: u64 = 80 * 1024;
/// The same with CreateFunction, which takes 70 MB in one request: as it came, as JSON, decoded from base64.
const CREATE_MEMORY_KIB_MAX: u64 = 256 * 1024;

/// A new caller is answered.
#[track_caller]
fn goes_on(engine: &Engine) {
    let answer = engine.send(&Request::new("GET", FUNCTIONS));
    assert_eq!(answer.status, 200, "{}", engine.log());
}

/// Sends bytes as they are and reads the answer; nothing more follows.
#[track_caller]
fn raw(engine: &Engine, bytes: &[u8]) -> Option<Answer> {
    let mut connection = engine.connect();
    // The engine may refuse before it has read everything.
    let _ = connection.write(bytes);
    connection.read("GET")
}

/// An error as AWS writes one: status, code, and a text in JSON with some words in it.
#[track_caller]
fn check(answer: &Answer, status: u16, code: &str, words: &str) {
    let (got_code, text) = answer.error();
    assert_eq!((answer.status, got_code.as_str()), (status, code), "{text}");
    assert!(text.contains(words), "{text:?} does not say {words:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.header("x-amzn-requestid").is_some());
}

/// Sends chunks without end until the engine has had enough.
fn pour(connection: &mut Connection, chunk: &[u8]) {
    let chunk = [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
    // An engine that took it all would fill its memory long before this ends.
    for _ in 0..100_000 {
        if connection.write(&chunk).is_err() {
            return;
        }
    }
    panic!("the engine reads on and on");
}

#[test]
fn a_body_that_never_ends_is_refused_and_not_kept() {
    let engine = Engine::start();
    for (path, operation, bytes_max, memory_kib_max) in [
        ("/2015-03-31/functions/any/invocations", "InvokeFunction", PAYLOAD_BYTES_MAX, INVOKE_MEMORY_KIB_MAX),
        (FUNCTIONS, "CreateFunction", 70_167_211, CREATE_MEMORY_KIB_MAX),
    ] {
        let mut connection = engine.connect();
        connection
            .write(format!("POST {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n").as_bytes())
            .unwrap();
        pour(&mut connection, &vec![b' '; 1 << 20]);
        let answer = connection.read("POST").unwrap();
        let text = format!("Request must be smaller than {bytes_max} bytes for the {operation} operation");
        check(&answer, 413, "RequestEntityTooLargeException", &text);
        assert_eq!(answer.header("connection"), Some("close"));
        let peak = engine.memory_peak_kib();
        assert!(peak < memory_kib_max, "{operation}: {peak} KiB");
        goes_on(&engine);
    }
}

#[test]
fn a_content_length_that_lies_is_found_out() {
    let engine = Engine::start();
    // More is announced than comes.
    let mut connection = engine.connect();
    connection
        .write(format!("POST {FUNCTIONS} HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{{}}").as_bytes())
        .unwrap();
    connection.end_of_request();
    check(&connection.read("POST").unwrap(), 400, "InvalidRequestContentException", "after 2 bytes");
    assert!(connection.is_closed());
    // Less is announced than comes: the rest is read as the next request, and is none.
    let mut connection = engine.connect();
    let two = format!("POST {FUNCTIONS} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{{}}and more of it\r\n\r\n");
    connection.write(two.as_bytes()).unwrap();
    check(&connection.read("POST").unwrap(), 400, "ValidationException", "'functionName'");
    assert_eq!(connection.read("POST").unwrap().status, 400);
    assert!(connection.is_closed());
    // None of these is a length.
    for length in ["-1", "two", "1, 2", "99999999999999999999", "0x10", "1 1"] {
        let head = format!("POST {FUNCTIONS} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{{}}");
        assert_eq!(raw(&engine, head.as_bytes()).unwrap().status, 400, "{length}");
    }
    let head = format!("POST {FUNCTIONS} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{{}} ");
    assert_eq!(raw(&engine, head.as_bytes()).unwrap().status, 400);
    // A length beyond everything is refused before a byte of the body has come.
    let head = format!("POST {FUNCTIONS} HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n");
    let answer = raw(&engine, head.as_bytes()).unwrap();
    check(&answer, 413, "RequestEntityTooLargeException", "for the CreateFunction operation");
    assert_eq!(answer.header("connection"), Some("close"));
    goes_on(&engine);
}

#[test]
fn a_head_is_read_up_to_a_bound() {
    let engine = Engine::start();
    let head = |headers: &str| raw(&engine, format!("GET {FUNCTIONS} HTTP/1.1\r\nHost: h\r\n{headers}\r\n").as_bytes());
    let large = "x".repeat(2 << 20);
    assert_eq!(head(&format!("X-Large: {large}\r\n")).unwrap().status, 431);
    let many = "X-Many: 1\r\n".repeat(5_000);
    assert_eq!(head(&many).unwrap().status, 431);
    let target = format!("GET {FUNCTIONS}/{large} HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(matches!(raw(&engine, target.as_bytes()).unwrap().status, 414 | 431));
    // What AWS takes passes: its limit is 1 MB for all headers together (developer guide, gettingstarted-limits).
    assert_eq!(head(&format!("X-Large: {}\r\n", "x".repeat(512 * 1024))).unwrap().status, 200);
    let peak = engine.memory_peak_kib();
    assert!(peak < INVOKE_MEMORY_KIB_MAX, "{peak} KiB");
    goes_on(&engine);
}

#[test]
fn what_is_not_http_is_told_so() {
    let engine = Engine::start();
    for garbage in [
        b"\0\0\0\0\0\0\0\0\r\n\r\n".as_slice(),
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n: no name\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: \0\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        // What a client of TLS begins with.
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut connection = engine.connect();
        connection.write(garbage).unwrap();
        let shown = String::from_utf8_lossy(garbage);
        // A second version of HTTP is not even an answer's business: such a client is hung up on.
        if let Some(answer) = connection.read("GET") {
            assert!((400..600).contains(&answer.status), "{shown:?}: {answer:?}");
        }
        assert!(connection.is_closed(), "{shown:?}");
    }
    // A chunk that is none.
    let mut connection = engine.connect();
    connection
        .write(
            format!("POST {FUNCTIONS} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n").as_bytes(),
        )
        .unwrap();
    check(&connection.read("POST").unwrap(), 400, "InvalidRequestContentException", "broke off");
    assert!(connection.is_closed());
    goes_on(&engine);
}

#[test]
fn connections_that_say_nothing_hold_nobody_up() {
    let engine = Engine::start();
    let mut silent: Vec<Connection> = (0..200).map(|_| engine.connect()).collect();
    for (number, connection) in silent.iter_mut().enumerate() {
        // Half of them begin.
        if number % 2 == 0 {
            connection.write(b"POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nContent-Le").unwrap();
        }
    }
    goes_on(&engine);
    let peak = engine.memory_peak_kib();
    assert!(peak < INVOKE_MEMORY_KIB_MAX, "{peak} KiB");
    drop(silent);
    goes_on(&engine);
}

#[test]
fn paths_and_methods_that_are_not_there_are_named() {
    let engine = Engine::start();
    let unknown = "No operation of the Lambda API has the path";
    for (method, target, status, code, words) in [
        ("GET", "/", 404, "UnknownOperationException", unknown),
        ("GET", "/2015-03-31/nothing", 404, "UnknownOperationException", unknown),
        ("POST", "/2015-03-31/functions/f/invocation", 404, "UnknownOperationException", unknown),
        ("POST", "/2015-03-31//functions", 404, "UnknownOperationException", unknown),
        ("POST", "/2015-03-31/functions/../functions", 404, "UnknownOperationException", unknown),
        ("GET", "/_lambd/nothing", 404, "UnknownOperationException", "/_lambd/nothing"),
        ("PATCH", "/2015-03-31/functions/f", 405, "MethodNotAllowedException", "does not take PATCH, only DELETE, GET"),
        ("GET", "/2015-03-31/functions/f/invocations", 405, "MethodNotAllowedException", "only POST"),
        ("OPTIONS", "/2015-03-31/functions", 405, "MethodNotAllowedException", "does not take OPTIONS"),
        ("BREW", "/2015-03-31/functions", 405, "MethodNotAllowedException", "does not take BREW"),
        ("post", "/2015-03-31/functions", 405, "MethodNotAllowedException", "does not take post"),
    ] {
        check(&engine.send(&Request::new(method, target)), status, code, words);
    }
    // An answer to HEAD has a head only.
    let answer = engine.send(&Request::new("HEAD", FUNCTIONS));
    assert_eq!((answer.status, answer.header("x-amzn-errortype")), (405, Some("MethodNotAllowedException")));
    goes_on(&engine);
}

#[test]
fn what_is_not_utf_8_is_refused_wherever_it_stands() {
    let engine = Engine::start();
    let function = "/2015-03-31/functions/f";
    let not_utf_8 = |before: &str, after: &str| [before.as_bytes(), b"\xff\xfe", after.as_bytes()].concat();
    // Encoded, in a path, in a query, and in a header that has a pattern.
    check(
        &engine.send(&Request::new("GET", "/2015-03-31/functions/%FF")),
        400,
        "ValidationException",
        "'functionName'",
    );
    let query = format!("{function}?Qualifier=%FF%FE");
    check(&engine.send(&Request::new("GET", &query)), 400, "ValidationException", "'qualifier'");
    let head = format!("POST {function}/invocations HTTP/1.1\r\nContent-Length: 0\r\nX-Amz-Tenant-Id: ");
    check(&raw(&engine, &not_utf_8(&head, "\r\n\r\n")).unwrap(), 400, "ValidationException", "'tenantId'");
    // Bare, where HTTP has only ASCII.
    for request in [
        not_utf_8(&format!("GET {FUNCTIONS}/"), " HTTP/1.1\r\n\r\n"),
        not_utf_8(&format!("GET {function}?Qualifier="), " HTTP/1.1\r\n\r\n"),
        not_utf_8("G", " / HTTP/1.1\r\n\r\n"),
        not_utf_8(&format!("GET {FUNCTIONS} HTTP/1.1\r\nX-"), ": 1\r\n\r\n"),
    ] {
        assert_eq!(raw(&engine, &request).unwrap().status, 400, "{}", String::from_utf8_lossy(&request));
    }
    // In a body that is JSON of ours; that of Invoke is among the recorded answers.
    let body = not_utf_8(r#"{"FunctionName":""#, r#""}"#);
    check(&engine.send(&Request::new("POST", FUNCTIONS).body(body)), 400, "SerializationException", "json");
    goes_on(&engine);
}

#[test]
fn what_is_encoded_wrongly_stands_for_itself() {
    let engine = Engine::start();
    for path in ["f%", "f%4", "f%zz", "%", "%25"] {
        let answer = engine.send(&Request::new("GET", &format!("{FUNCTIONS}/{path}")));
        check(&answer, 400, "ValidationException", &format!("Value '{}'", path.replace("%25", "%")));
    }
    for query in ["Qualifier=%", "Qualifier=a%2", "Qualifier=%zz"] {
        check(
            &engine.send(&Request::new("GET", &format!("{FUNCTIONS}/f?{query}"))),
            400,
            "ValidationException",
            "'qualifier'",
        );
    }
    // Signs that carry nothing, and a name that is said twice: the first counts.
    for query in ["&&&", "=", "?", "Other=1&Other=2", "Qualifier=1&Qualifier=2"] {
        let answer = engine.send(&Request::new("GET", &format!("{FUNCTIONS}/f?{query}")));
        let qualifier = if query.starts_with("Qualifier") { ":1" } else { "" };
        let text = format!("Function not found: arn:aws:lambda:us-east-1:000000000000:function:f{qualifier}");
        assert_eq!(answer.error(), ("ResourceNotFoundException".to_owned(), text), "{query}");
    }
    goes_on(&engine);
}

#[test]
fn a_payload_may_have_six_mebibytes_and_not_a_byte_more() {
    let engine = Engine::start();
    assert_eq!(engine.send(&Request::create_function("echo")).status, 201);
    engine.wait_until_settled("echo");
    let payload = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    let answer = engine.send(&Request::invoke("echo", payload(PAYLOAD_BYTES_MAX)));
    assert_eq!((answer.status, answer.header("x-amz-function-error")), (200, None), "{}", engine.log());
    assert!(answer.body == payload(PAYLOAD_BYTES_MAX).into_bytes(), "{} bytes came back", answer.body.len());
    // Observed on AWS; in one piece, in many, and far beyond.
    let text = "Request must be smaller than 6291456 bytes for the InvokeFunction operation";
    let one_more = engine.send(&Request::invoke("echo", payload(PAYLOAD_BYTES_MAX + 1)));
    check(&one_more, 413, "RequestEntityTooLargeException", text);
    let mut chunked = engine.connect();
    chunked
        .write(b"POST /2015-03-31/functions/echo/invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        .unwrap();
    for piece in payload(PAYLOAD_BYTES_MAX + 1).as_bytes().chunks(100_000) {
        chunked.write(&[format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()).unwrap();
    }
    chunked.write(b"0\r\n\r\n").unwrap();
    let answer = chunked.read("POST").unwrap();
    assert_eq!((answer.status, &answer.body), (413, &one_more.body));
    // The connection is as good as before.
    assert_eq!(answer.header("connection"), Some("keep-alive"));
    chunked.write(&Request::invoke("echo", "1").bytes()).unwrap();
    assert_eq!(chunked.read("POST").unwrap().body, b"1");
    let answer = engine.send(&Request::invoke("echo", vec![b' '; 60_000_000]));
    assert_eq!((answer.status, &answer.body), (413, &one_more.body));
    let peak = engine.memory_peak_kib();
    assert!(peak < INVOKE_MEMORY_KIB_MAX, "{peak} KiB");
    goes_on(&engine);
}

#[test]
fn a_large_body_that_makes_no_sense_costs_what_it_weighs() {
    let engine = Engine::start();
    let create = |body: Vec<u8>| engine.send(&Request::new("POST", FUNCTIONS).body(body));
    check(&create(vec![b'x'; 60_000_000]), 400, "SerializationException", "json");
    check(&create(vec![b'['; 60_000_000]), 400, "SerializationException", "json");
    let zeros = data_encoding::BASE64.encode(&vec![0; 45_000_000]);
    let body = format!(
        r#"{{"FunctionName":"f","Runtime":"provided.al2023","Handler":"h","Role":"arn:aws:iam::000000000000:role/r","Code":{{"ZipFile":"{zeros}"}}}}"#
    );
    check(&create(body.into_bytes()), 400, "InvalidParameterValueException", "Could not unzip uploaded file");
    let peak = engine.memory_peak_kib();
    assert!(peak < CREATE_MEMORY_KIB_MAX, "{peak} KiB");
    goes_on(&engine);
}

#[test]
fn json_may_nest_as_deep_as_it_likes() {
    let engine = Engine::start();
    assert_eq!(engine.send(&Request::create_function("echo")).status, 201);
    engine.wait_until_settled("echo");
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    // An event is checked and not built, so that depth costs nothing; a request of ours is built.
    let answer = engine.send(&Request::invoke("echo", nested(1_000_000)));
    assert_eq!((answer.status, answer.body.len()), (200, 2_000_000));
    let body = format!(r#"{{"FunctionName":{}}}"#, nested(1_000_000));
    check(&engine.send(&Request::new("POST", FUNCTIONS).body(body)), 400, "SerializationException", "");
    let body = format!(r#"{{"Unknown":{}}}"#, nested(1_000_000));
    check(&engine.send(&Request::new("POST", FUNCTIONS).body(body)), 400, "SerializationException", "");
    let body = format!("{}1{}", r#"{"Environment":"#.repeat(100_000), "}".repeat(100_000));
    check(&engine.send(&Request::new("POST", FUNCTIONS).body(body)), 400, "SerializationException", "");
    goes_on(&engine);
}

#[test]
fn documents_of_the_wrong_kind_are_told_so() {
    let engine = Engine::start();
    for (body, words) in [
        ("", "'functionName'"),
        ("null", "'functionName'"),
        ("{}", "'functionName'"),
        ("[]", ""),
        ("1", ""),
        ("\"text\"", ""),
        ("{", ""),
        ("{}}", ""),
        (r#"{"FunctionName":1}"#, ""),
        (r#"{"FunctionName":"f","Code":"c"}"#, ""),
        (r#"{"FunctionName":"f","Timeout":1e99}"#, ""),
        (r#"{"FunctionName":"f","Timeout":99999999999}"#, ""),
        (r#"{"FunctionName":"f","Tags":{"a":{}}}"#, ""),
        (r#"{"FunctionName":"\ud800"}"#, ""),
    ] {
        let answer = engine.send(&Request::new("POST", FUNCTIONS).body(body));
        assert_eq!(answer.status, 400, "{body}");
        let (code, text) = answer.error();
        assert!(matches!(code.as_str(), "ValidationException" | "SerializationException"), "{body}: {code}");
        assert!(!text.is_empty() && text.contains(words), "{body}: {text}");
    }
    // Base64 that is none.
    let body = r#"{"FunctionName":"f","Runtime":"provided.al2023","Handler":"h","Role":"arn:aws:iam::000000000000:role/r","Code":{"ZipFile":"!"}}"#;
    check(&engine.send(&Request::new("POST", FUNCTIONS).body(body)), 400, "SerializationException", "");
    goes_on(&engine);
}

#[test]
fn older_and_quicker_clients_are_answered_too() {
    let engine = Engine::start();
    // HTTP/1.0: one answer, and the connection ends.
    let mut connection = engine.connect();
    connection.write(format!("GET {FUNCTIONS} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
    let answer = connection.read("GET").unwrap();
    assert_eq!((answer.version.as_str(), answer.status), ("HTTP/1.0", 200));
    assert_ne!(answer.header("connection"), Some("keep-alive"));
    assert!(connection.is_closed());
    // Many requests before the first answer.
    let mut connection = engine.connect();
    let targets: Vec<String> = (0..50).map(|number| format!("{FUNCTIONS}/f{number}")).collect();
    let requests: Vec<u8> = targets.iter().flat_map(|target| Request::new("GET", target).bytes()).collect();
    connection.write(&requests).unwrap();
    for number in 0..50 {
        let (_, text) = connection.read("GET").unwrap().error();
        assert!(text.ends_with(&format!(":function:f{number}")), "{text}");
    }
    // The caller says when it is the last.
    connection.write(&Request::new("GET", FUNCTIONS).header("Connection", "close").bytes()).unwrap();
    let answer = connection.read("GET").unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert!(connection.is_closed());
    // A byte at a time.
    let mut connection = engine.connect();
    for byte in Request::new("GET", FUNCTIONS).bytes() {
        connection.write(&[byte]).unwrap();
    }
    assert_eq!(connection.read("GET").unwrap().status, 200);
    // `Expect: 100-continue`, as curl asks for before a large body.
    let mut connection = engine.connect();
    let zip = data_encoding::BASE64.encode(&zip_of(&[("bootstrap", 0o755, b"")]));
    let body = format!(
        r#"{{"FunctionName":"f","Runtime":"provided.al2023","Handler":"h","Role":"arn:aws:iam::000000000000:role/r","Code":{{"ZipFile":"{zip}"}}}}"#
    );
    let head = format!("POST {FUNCTIONS} HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n", body.len());
    connection.write(head.as_bytes()).unwrap();
    assert_eq!(connection.read("HEAD").unwrap().status, 100);
    connection.write(body.as_bytes()).unwrap();
    assert_eq!(connection.read("POST").unwrap().status, 201);
    goes_on(&engine);
}

#[test]
fn callers_that_hang_up_are_forgotten() {
    let engine = Engine::start();
    let before = descriptors(&engine);
    for number in 0..200 {
        let mut connection = engine.connect();
        match number % 3 {
            0 => connection
                .write(format!("POST {FUNCTIONS} HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{{").as_bytes())
                .unwrap(),
            1 => connection.write(&Request::new("GET", FUNCTIONS).bytes()).unwrap(),
            _ => {}
        }
    }
    // Each is noticed when the engine has its turn; a request of ours is behind all of them.
    while descriptors(&engine) > before + 1 {
        goes_on(&engine);
    }
}

/// How many descriptors the engine has open.
fn descriptors(engine: &Engine) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", engine.pid().as_raw_nonzero())).unwrap().count()
}
