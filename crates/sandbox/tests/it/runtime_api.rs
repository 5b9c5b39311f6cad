//! The Runtime API byte by byte: the test is the runtime. Texts and states are those of AWS's supervisor (source of
//! the runtime interface emulator).

use bytes::Bytes;
use domain::environment::{Failure, InitEnd};
use engine::ports::{Answer, Event, Stream};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::host::{DAY, Function, Host, Kind, host, in_time};

/// The id of the test's events.
const ID: &str = "00000000-0000-0000-0000-000000001234";
const ACCEPTED: &str = "{\"status\":\"OK\"}\n";
const INVALID_ID: &str = "{\"errorMessage\":\"Invalid request ID\",\"errorType\":\"InvalidRequestID\"}\n";

/// A connection to the Runtime API of an environment.
struct Client(TcpStream, Vec<u8>);

/// Status, head and body.
struct Reply(u16, String, Vec<u8>);

impl Client {
    async fn connect(at: &str) -> Self {
        Self(TcpStream::connect(at).await.unwrap(), Vec::new())
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    async fn ask(&mut self, line: &str, headers: &str, body: &[u8]) -> Reply {
        let head = format!("{line} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
        self.send(&[head.as_bytes(), body].concat()).await;
        self.reply().await
    }

    async fn reply(&mut self) -> Reply {
        in_time(async {
            loop {
                if let Some(end) = self.1.windows(4).position(|four| four == b"\r\n\r\n") {
                    let head = String::from_utf8(self.1[..end].to_vec()).unwrap();
                    let length: usize = head
                        .lines()
                        .find_map(|line| line.strip_prefix("Content-Length: "))
                        .map_or(0, |length| length.parse().unwrap());
                    if self.1.len() >= end + 4 + length {
                        let rest = self.1.split_off(end + 4 + length);
                        let body = std::mem::replace(&mut self.1, rest).split_off(end + 4);
                        return Reply(head[9..12].parse().unwrap(), head, body);
                    }
                }
                let read = self.0.read_buf(&mut self.1).await.unwrap();
                assert_ne!(read, 0, "closed after {:?}", String::from_utf8_lossy(&self.1));
            }
        })
        .await
    }

    /// Reads until the other side closes.
    async fn rest(mut self) -> String {
        // A reset is one way to close; what came before it is what counts.
        let _ = in_time(self.0.read_to_end(&mut self.1)).await;
        String::from_utf8_lossy(&self.1).into_owned()
    }

    /// Asks for the next event, and does not wait for it.
    async fn next(&mut self) {
        self.send(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n").await;
    }

    #[track_caller]
    fn check(reply: &Reply, status: u16, body: &str) {
        assert_eq!((reply.0, String::from_utf8_lossy(&reply.2).as_ref()), (status, body), "{}", reply.1);
    }
}

fn respond(id: &str) -> String {
    format!("POST /2018-06-01/runtime/invocation/{id}/response")
}

/// An environment whose process does nothing, so that the test can be its runtime.
async fn puppet(host: &Host) -> (Function, String) {
    let mut spec = host.spec();
    std::fs::remove_file(spec.code.join("bootstrap")).unwrap();
    spec.code = host.bootstrap("#!/bin/sh\necho $AWS_LAMBDA_RUNTIME_API\nexec sleep 600\n", 0o755);
    let function = host.start(spec).await;
    let at = {
        let init = function.environment.init(DAY, DAY);
        tokio::pin!(init);
        let at = loop {
            tokio::select! {
                _ = &mut init => panic!("nobody asked for an event"),
                () = tokio::task::yield_now() => {}
            }
            if let Some(line) = function.lines.take().pop() {
                break line.trim().to_owned();
            }
        };
        let mut client = Client::connect(&at).await;
        client.next().await;
        assert_eq!(in_time(init).await.unwrap(), InitEnd::Ready);
        at
    };
    // The first connection has gone; the next request for an event takes its place. Before that is known, an event would
    // go out over it.
    in_time(async {
        while function.environment.is_ready() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    (function, at)
}

/// A puppet, or the end of the test where this machine has no such environment.
macro_rules! puppet {
    ($function:ident, $at:ident) => {
        let Some(host) = host(Kind::RealFolders).await else { return };
        let ($function, $at) = puppet(&host).await;
    };
}

#[tokio::test]
async fn requests_out_of_order_are_refused_in_the_words_of_aws() {
    puppet!(function, at);
    let mut client = Client::connect(&at).await;
    Client::check(&client.ask("GET /2018-06-01/ping", "", b"").await, 200, "pong");
    Client::check(&client.ask("GET /nowhere", "", b"").await, 404, "404 page not found\n");
    Client::check(&client.ask("POST /2018-06-01/runtime/invocation/next", "", b"").await, 405, "");
    Client::check(&client.ask(&respond(ID), "", b"1").await, 400, INVALID_ID);
    Client::check(&client.ask(&respond("not-an-id"), "", b"1").await, 400, INVALID_ID);
    let refused = "{\"errorMessage\":\"State transition from Ready to InitError failed for runtime. Error: State transition is not allowed\",\"errorType\":\"InvalidStateTransition\"}\n";
    Client::check(&client.ask("POST /2018-06-01/runtime/init/error", "", b"{}").await, 403, refused);

    let runtime = async {
        client.next().await;
        let event = client.reply().await;
        Client::check(&event, 200, "[]");
        // Once more, before an answer, over this connection or another: it has its event.
        let refused = "{\"errorMessage\":\"State transition from Running to Ready failed for runtime. Error: State transition is not allowed\",\"errorType\":\"InvalidStateTransition\"}\n";
        client.next().await;
        Client::check(&client.reply().await, 403, refused);
        let mut other = Client::connect(&at).await;
        other.next().await;
        Client::check(&other.reply().await, 403, refused);
        Client::check(&client.ask(&respond(ID), "", b"42").await, 202, ACCEPTED);
        Client::check(&client.ask(&respond(ID), "", b"43").await, 400, INVALID_ID);
    };
    let (answer, ()) = tokio::join!(function.invoke(json!([])), runtime);
    assert!(matches!(answer, Answer::Response(bytes) if bytes == "42"));
}

#[tokio::test]
async fn answer_and_next_request_in_one_write_are_both_taken() {
    puppet!(function, at);
    let mut client = Client::connect(&at).await;
    client.next().await;
    for n in 0..3 {
        let runtime = async {
            Client::check(&client.reply().await, 200, "[]");
            let body = n.to_string();
            let both = format!(
                "{} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n",
                respond(ID),
                body.len()
            );
            client.send(both.as_bytes()).await;
            Client::check(&client.reply().await, 202, ACCEPTED);
        };
        let (answer, ()) = tokio::join!(function.invoke(json!([])), runtime);
        assert!(matches!(answer, Answer::Response(bytes) if bytes == n.to_string()));
        in_time(function.environment.settle()).await.unwrap();
        assert!(function.environment.is_ready());
    }
}

#[tokio::test]
async fn an_answer_may_have_six_megabytes_and_a_hundred_bytes_and_no_more() {
    // Recorded: test_lambda_too_large_response; the environment stays usable.
    puppet!(function, at);
    let mut client = Client::connect(&at).await;
    let most = vec![b'7'; domain::limits::SYNC_RESPONSE_BYTES];
    let too_large = "{\"errorMessage\":\"Exceeded maximum allowed payload size (6291556 bytes).\",\"errorType\":\"RequestEntityTooLarge\"}\n";
    for (body, status, text) in [
        (most.clone(), 202, ACCEPTED),
        ([most.clone(), b"7".to_vec()].concat(), 413, too_large),
        (vec![b'7'; 20_000_000], 413, too_large),
        (b"small".to_vec(), 202, ACCEPTED),
    ] {
        client.next().await;
        in_time(function.environment.settle()).await.unwrap();
        let runtime = async {
            client.reply().await;
            Client::check(&client.ask(&respond(ID), "", &body).await, status, text);
        };
        let (answer, ()) = tokio::join!(function.invoke(json!([])), runtime);
        match answer {
            Answer::Response(bytes) => assert!(status == 202 && bytes == body),
            Answer::Failed(Failure::ResponseTooLarge { bytes_max: 6_291_556 }) => assert_eq!(status, 413),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn errors_are_passed_on_as_they_were_posted() {
    puppet!(function, at);
    let mut client = Client::connect(&at).await;
    let post = format!("POST /2018-06-01/runtime/invocation/{ID}/error");
    let cases = [
        ("Lambda-Runtime-Function-Error-Type: Function.Mine\r\n", "{\"errorMessage\":\"x\"}", "Function.Mine", None),
        ("Lambda-Runtime-Function-Error-Type: ValueError\r\n", "any \\ bytes", "Runtime.Unknown", None),
        ("", "", "Runtime.Unknown", None),
        (
            "Content-Type: application/vnd.aws.lambda.error.cause+json\r\n",
            "{\"errorMessage\":\"m\",\"errorCause\":{}}",
            "Runtime.Unknown",
            Some("{\"errorMessage\":\"m\"}"),
        ),
    ];
    for (headers, body, error_type, passed_on) in cases {
        client.next().await;
        in_time(function.environment.settle()).await.unwrap();
        let runtime = async {
            client.reply().await;
            Client::check(&client.ask(&post, headers, body.as_bytes()).await, 202, ACCEPTED);
        };
        let (answer, ()) = tokio::join!(function.invoke(json!([])), runtime);
        let Answer::Failed(failure) = answer else { panic!("{answer:?}") };
        let payload = Bytes::from(passed_on.unwrap_or(body));
        assert_eq!(failure, Failure::Reported { error_type: error_type.to_owned(), payload });
    }
}

#[tokio::test]
async fn a_streamed_answer_is_collected_and_its_trailers_may_say_that_it_failed() {
    puppet!(function, at);
    let mut client = Client::connect(&at).await;
    let head = format!(
        "{} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n\
         Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n",
        respond(ID)
    );
    let trailers = "Lambda-Runtime-Function-Error-Type: Runtime.Broke\r\nLambda-Runtime-Function-Error-Body: e30=\r\n";
    for trailers in ["", trailers] {
        client.next().await;
        in_time(function.environment.settle()).await.unwrap();
        let runtime = async {
            client.reply().await;
            client.send(format!("{head}{trailers}\r\n").as_bytes()).await;
            Client::check(&client.reply().await, 202, ACCEPTED);
        };
        let (answer, ()) = tokio::join!(function.invoke(json!([])), runtime);
        match answer {
            Answer::Collected(bytes) => assert!(trailers.is_empty() && bytes == "onetwo"),
            Answer::Failed(failure) => {
                let expected = Failure::Reported { error_type: "Runtime.Broke".to_owned(), payload: Bytes::from("{}") };
                assert_eq!(failure, expected);
            }
            other => panic!("{other:?}"),
        }
    }
    // A mode that nobody knows.
    client.next().await;
    in_time(function.environment.settle()).await.unwrap();
    let runtime = async {
        client.reply().await;
        let reply = client.ask(&respond(ID), "Lambda-Runtime-Function-Response-Mode: fast\r\n", b"").await;
        let text =
            "{\"errorMessage\":\"Invalid function response mode\",\"errorType\":\"InvalidFunctionResponseMode\"}\n";
        Client::check(&reply, 400, text);
    };
    let (answer, ()) = tokio::join!(function.invoke(json!([])), runtime);
    let Answer::Failed(failure) = answer else { panic!("{answer:?}") };
    assert_eq!(failure.error_type(), "Runtime.InvalidResponseModeHeader");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_truncated() {
    puppet!(function, at);
    let mut client = Client::connect(&at).await;
    let runtime = async {
        client.next().await;
        client.reply().await;
        let head = format!("{} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n123", respond(ID));
        client.send(head.as_bytes()).await;
        drop(client);
    };
    let (answer, ()) = tokio::join!(function.invoke(json!([])), runtime);
    assert!(matches!(answer, Answer::Failed(Failure::ResponseTruncated)), "{answer:?}");
    // The runtime has been ended, and its Runtime API with it.
    in_time(async { while TcpStream::connect(&at).await.is_ok() {} }).await;
    assert!(!function.environment.is_ready());
}

#[tokio::test]
async fn an_answer_with_a_line_too_many_behind_it_is_taken_at_once() {
    puppet!(function, at);
    let mut client = Client::connect(&at).await;
    for _ in 0..2 {
        client.next().await;
        in_time(function.environment.settle()).await.unwrap();
        let runtime = async {
            client.reply().await;
            let answer = format!("{} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1\r\n", respond(ID));
            client.send(answer.as_bytes()).await;
            Client::check(&client.reply().await, 202, ACCEPTED);
        };
        let (answer, ()) = tokio::join!(function.invoke(json!([])), runtime);
        assert!(matches!(answer, Answer::Response(bytes) if bytes == "1"));
    }
}

#[tokio::test]
async fn a_hostile_client_gets_nowhere_and_the_runtime_goes_on() {
    puppet!(function, at);
    // A head that never ends.
    let mut endless = Client::connect(&at).await;
    endless.send(b"GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n").await;
    let header = format!("X: {}\r\n", "x".repeat(64 * 1024));
    let mut refused = false;
    for _ in 0..40 {
        if endless.0.write_all(header.as_bytes()).await.is_err() {
            refused = true;
            break;
        }
        tokio::task::yield_now().await;
    }
    let rest = endless.rest().await;
    assert!(refused || rest.is_empty() || rest.starts_with("HTTP/1.1 431"), "{rest}");
    // What is not HTTP is cut off.
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"GET /2018-06-01/ping HTTP/1.1\r\nno header\r\n\r\n",
    ] {
        let mut other = Client::connect(&at).await;
        other.send(bytes).await;
        let rest = other.rest().await;
        assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 400"), "{rest:?}");
    }
    // More connections than there are places, each sending nothing.
    let mut runtime = Client::connect(&at).await;
    Client::check(&runtime.ask("GET /2018-06-01/ping", "", b"").await, 200, "pong");
    let mut idle = Vec::new();
    for _ in 0..200 {
        idle.push(TcpStream::connect(&at).await.unwrap());
    }
    let mut last = idle.pop().unwrap();
    assert_eq!(in_time(last.read(&mut [0; 1])).await.unwrap_or(0), 0, "the last is turned away");
    // The runtime's own connection still works.
    let work = async {
        runtime.next().await;
        runtime.reply().await;
        Client::check(&runtime.ask(&respond(ID), "", b"1").await, 202, ACCEPTED);
    };
    let (answer, ()) = tokio::join!(function.invoke(json!([])), work);
    assert!(matches!(answer, Answer::Response(_)));
}

#[tokio::test]
async fn an_event_for_a_connection_that_broke_waits_for_the_next() {
    puppet!(function, at);
    let mut first = Client::connect(&at).await;
    first.next().await;
    // It has been heard when a second connection gets an answer.
    let mut second = Client::connect(&at).await;
    Client::check(&second.ask("GET /2018-06-01/ping", "", b"").await, 200, "pong");
    drop(first);
    in_time(async {
        while function.environment.is_ready() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let runtime = async {
        second.next().await;
        Client::check(&second.reply().await, 200, "[]");
        Client::check(&second.ask(&respond(ID), "", b"1").await, 202, ACCEPTED);
    };
    let (answer, ()) = tokio::join!(function.invoke(json!([])), runtime);
    assert!(matches!(answer, Answer::Response(_)));
}

/// What asks for a stream.
fn streamed(function: &Function) -> Event {
    Event { takes_stream: true, ..function.event(&json!([])) }
}

/// Head of an upload that streams.
fn stream_head() -> String {
    format!(
        "{} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n\
         Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n",
        respond(ID)
    )
}

/// Hands over an event whose answer is awaited as a stream, begins to upload this, and gives the stream.
async fn begin_stream(function: &Function, client: &mut Client, first: &str) -> Stream {
    client.next().await;
    in_time(function.environment.settle()).await.unwrap();
    let runtime = async {
        client.reply().await;
        client.send(format!("{}{first}", stream_head()).as_bytes()).await;
    };
    let (answer, ()) = tokio::join!(in_time(function.environment.invoke(streamed(function))), runtime);
    let Answer::Stream(stream) = answer else { panic!("{answer:?}") };
    stream
}

#[tokio::test]
async fn a_streamed_answer_is_passed_on_while_it_comes() {
    puppet!(function, at);
    let mut client = Client::connect(&at).await;
    let trailers = "Lambda-Runtime-Function-Error-Type: Function.Broke\r\nLambda-Runtime-Function-Error-Body: e30=\r\n";
    for trailers in ["", trailers] {
        let mut stream = begin_stream(&function, &mut client, "3\r\none\r\n").await;
        assert_eq!(in_time(stream.pieces.recv()).await.unwrap(), "one", "the upload is not over");
        client.send(b"3\r\ntwo\r\n").await;
        assert_eq!(in_time(stream.pieces.recv()).await.unwrap(), "two");
        assert!(stream.ended.try_recv().is_err(), "nobody knows yet how it ends");
        client.send(format!("0\r\n{trailers}\r\n").as_bytes()).await;
        assert_eq!(in_time(stream.pieces.recv()).await, None);
        let reported = Failure::Reported { error_type: "Function.Broke".to_owned(), payload: Bytes::from("{}") };
        let expected = if trailers.is_empty() { Ok(6) } else { Err(reported) };
        assert_eq!(in_time(stream.ended).await.unwrap(), expected);
        // AWS developer guide, runtimes-custom: an error in the trailers is an answer like any other to the runtime.
        Client::check(&client.reply().await, 202, ACCEPTED);
    }
    client.next().await;
    in_time(function.environment.settle()).await.unwrap();
    assert!(function.environment.is_ready());
}

#[tokio::test]
async fn an_error_of_a_hundred_kilobytes_fits_into_the_trailers() {
    puppet!(function, at);
    let mut client = Client::connect(&at).await;
    let stream = begin_stream(&function, &mut client, "").await;
    let body = data_encoding::BASE64.encode(&vec![b'x'; 100_000]);
    let trailers =
        format!("0\r\nLambda-Runtime-Function-Error-Body: {body}\r\nLambda-Runtime-Function-Error-Type: E\r\n\r\n");
    client.send(trailers.as_bytes()).await;
    let Err(Failure::Reported { error_type, payload }) = in_time(stream.ended).await.unwrap() else {
        panic!("an error")
    };
    assert_eq!((error_type.as_str(), payload.len()), ("Runtime.Unknown", 100_000));
}

#[tokio::test]
async fn a_function_that_does_not_stream_answers_who_would_take_a_stream() {
    puppet!(function, at);
    let mut client = Client::connect(&at).await;
    client.next().await;
    in_time(function.environment.settle()).await.unwrap();
    let runtime = async {
        client.reply().await;
        Client::check(&client.ask(&respond(ID), "", b"42").await, 202, ACCEPTED);
    };
    let (answer, ()) = tokio::join!(in_time(function.environment.invoke(streamed(&function))), runtime);
    assert!(matches!(answer, Answer::Response(bytes) if bytes == "42"));
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_truncated_and_ends_the_runtime() {
    puppet!(function, at);
    let mut client = Client::connect(&at).await;
    let mut stream = begin_stream(&function, &mut client, "3\r\none\r\n").await;
    assert_eq!(in_time(stream.pieces.recv()).await.unwrap(), "one");
    drop(client);
    let (ended, settled) = tokio::join!(in_time(stream.ended), in_time(function.environment.settle()));
    assert_eq!((ended.unwrap(), settled), (Err(Failure::ResponseTruncated), Err(Failure::ResponseTruncated)));
    assert_eq!(in_time(stream.pieces.recv()).await, None);
    in_time(async { while TcpStream::connect(&at).await.is_ok() {} }).await;
    assert!(!function.environment.is_ready());
}

#[tokio::test]
async fn a_stream_has_the_functions_time_and_no_more() {
    puppet!(function, at);
    let mut client = Client::connect(&at).await;
    let mut stream = begin_stream(&function, &mut client, "3\r\none\r\n").await;
    let time = std::time::Duration::from_secs(3);
    let late = async {
        assert_eq!(stream.pieces.recv().await.unwrap(), "one");
        function.clock.advance(time);
        // The environment is ended, and with it whoever fills the pieces.
        assert_eq!(stream.pieces.recv().await, None);
        stream.ended.await.unwrap()
    };
    let (settled, ended) = tokio::join!(in_time(function.environment.settle()), in_time(late));
    assert_eq!((settled, ended), (Err(Failure::TimedOut(time)), Err(Failure::TimedOut(time))));
    drop(client);
}

#[tokio::test]
async fn who_reads_slowly_holds_up_the_upload_and_who_leaves_does_not() {
    puppet!(function, at);
    let mut client = Client::connect(&at).await;
    let mut stream = begin_stream(&function, &mut client, "").await;
    let piece = vec![b'x'; 1 << 20];
    let chunk = [b"100000\r\n", piece.as_slice(), b"\r\n"].concat();
    // Nobody reads: what the kernel and a few pieces hold goes out, and then no more.
    let mut sent = 0;
    loop {
        let more = &chunk[sent % chunk.len()..];
        match tokio::time::timeout(std::time::Duration::from_millis(300), client.0.write(more)).await {
            Ok(written) => sent += written.unwrap(),
            Err(_) => break,
        }
        assert!(sent < 64 << 20, "{sent} bytes were taken although nobody reads them");
    }
    assert!(!in_time(stream.pieces.recv()).await.unwrap().is_empty());
    // The caller leaves: the rest is read to its end, accepted, and thrown away.
    drop(stream.pieces);
    let pieces = sent / chunk.len() + 1 + 20;
    let rest = async {
        client.send(&chunk[sent % chunk.len()..]).await;
        for _ in 0..20 {
            client.send(&chunk).await;
        }
        client.send(b"0\r\n\r\n").await;
        Client::check(&client.reply().await, 202, ACCEPTED);
    };
    in_time(rest).await;
    assert_eq!(in_time(stream.ended).await.unwrap(), Ok((pieces * piece.len()) as u64));
}

#[tokio::test]
async fn a_stream_may_have_two_hundred_megabytes_and_no_more() {
    // AWS developer guide, gettingstarted-limits.
    puppet!(function, at);
    let mut client = Client::connect(&at).await;
    let mib = vec![b'x'; 1 << 20];
    let chunk = [b"100000\r\n", mib.as_slice(), b"\r\n"].concat();
    let too_large = "{\"errorMessage\":\"Exceeded maximum allowed payload size (209715200 bytes).\",\"errorType\":\"RequestEntityTooLarge\"}\n";
    let most = domain::limits::STREAMED_RESPONSE_BYTES;
    for (last, status, text) in [("0\r\n\r\n", 202, ACCEPTED), ("1\r\nx\r\n0\r\n\r\n", 413, too_large)] {
        let mut stream = begin_stream(&function, &mut client, "").await;
        let upload = async {
            for _ in 0..200 {
                client.send(&chunk).await;
            }
            client.send(last.as_bytes()).await;
            Client::check(&client.reply().await, status, text);
        };
        let read = async {
            let mut bytes = 0;
            while let Some(piece) = stream.pieces.recv().await {
                bytes += piece.len();
            }
            bytes
        };
        let ((), bytes) = tokio::join!(upload, read);
        assert_eq!(bytes, most, "what is beyond is cut off");
        let expected = if status == 202 { Ok(most as u64) } else { Err(Failure::ResponseTooLarge { bytes_max: most }) };
        assert_eq!(in_time(stream.ended).await.unwrap(), expected);
    }
    client.next().await;
    in_time(function.environment.settle()).await.unwrap();
}

/// A request to upload to an event that is not there, which is refused whatever its body is.
const FOREIGN: &str = "POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\r\nHost: x\r\n";

#[tokio::test]
async fn requests_may_come_in_pieces_of_any_size() {
    puppet!(function, at);
    let requests = [
        ("GET /2018-06-01/ping?a=b HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 200, "pong"),
        (format!("{FOREIGN}Content-Length: 5\r\n\r\n12345"), 400, INVALID_ID),
        ("GET http://x:1/2018-06-01/ping HTTP/1.1\nhost: x\n\n".to_owned(), 200, "pong"),
        (
            format!(
                "{FOREIGN}transfer-encoding: Chunked\r\n\r\n3;a=\"b\"\r\none\r\n01\r\n.\r\n0\r\nA: b\r\nC:\r\n\r\n"
            ),
            400,
            INVALID_ID,
        ),
        ("\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".to_owned(), 404, "404 page not found\n"),
        (format!("{FOREIGN}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400, INVALID_ID),
        ("GET /2018-06-01/ping HTTP/1.0\r\nConnection: close\r\n\r\n".to_owned(), 200, "pong"),
    ];
    let all: Vec<u8> = requests.iter().flat_map(|(request, ..)| request.bytes()).collect();
    let mut other = Client::connect(&at).await;
    for cut in 1..all.len() {
        let mut client = Client::connect(&at).await;
        client.send(&all[..cut]).await;
        // Once this has been answered the first part has been read.
        Client::check(&other.ask("GET /2018-06-01/ping", "", b"").await, 200, "pong");
        client.send(&all[cut..]).await;
        for (request, status, body) in &requests {
            let reply = client.reply().await;
            assert_eq!(reply.0, *status, "cut at {cut}: {request:?}: {}", reply.1);
            Client::check(&reply, *status, body);
        }
        assert_eq!(client.rest().await, "", "the last closes the connection");
    }
    drop(function);
}

#[tokio::test]
async fn what_is_refused_is_read_to_its_end_and_the_connection_stays() {
    puppet!(function, at);
    let mut client = Client::connect(&at).await;
    Client::check(&client.ask(&respond("x"), "", &vec![b'x'; 20_000_000]).await, 400, INVALID_ID);
    Client::check(&client.ask("GET /2018-06-01/ping", "", b"").await, 200, "pong");
    // A body that is not wanted need not come.
    let mut client = Client::connect(&at).await;
    client.send(format!("{FOREIGN}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n").as_bytes()).await;
    let rest = client.rest().await;
    assert!(rest.starts_with("HTTP/1.1 400") && rest.contains("\r\nConnection: close\r\n"), "{rest}");
    drop(function);
}

#[tokio::test]
async fn who_waits_to_be_told_to_go_on_is_told() {
    puppet!(function, at);
    let mut client = Client::connect(&at).await;
    client.next().await;
    in_time(function.environment.settle()).await.unwrap();
    let runtime = async {
        client.reply().await;
        let head = format!("{} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", respond(ID));
        client.send(head.as_bytes()).await;
        let go_on = client.reply().await;
        assert_eq!((go_on.0, go_on.1.as_str()), (100, "HTTP/1.1 100 Continue"));
        client.send(b"42").await;
        Client::check(&client.reply().await, 202, ACCEPTED);
    };
    let (answer, ()) = tokio::join!(function.invoke(json!([])), runtime);
    assert!(matches!(answer, Answer::Response(bytes) if bytes == "42"));
}

#[tokio::test]
async fn a_body_that_is_sent_apart_from_its_head_is_not_waited_for() {
    puppet!(function, at);
    let mut client = Client::connect(&at).await;
    // As sockets are by default: what is short is held back until what went before has been acknowledged.
    client.0.set_nodelay(false).unwrap();
    let mut took = Vec::new();
    for _ in 0..40 {
        client.next().await;
        in_time(function.environment.settle()).await.unwrap();
        let runtime = async {
            client.reply().await;
            let begun = tokio::time::Instant::now();
            client.send(format!("{} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n", respond(ID)).as_bytes()).await;
            // The head goes out alone, and has been read.
            tokio::task::yield_now().await;
            client.send(b"4").await;
            client.send(b"2").await;
            Client::check(&client.reply().await, 202, ACCEPTED);
            begun.elapsed()
        };
        let (answer, after) = tokio::join!(function.invoke(json!([])), runtime);
        assert!(matches!(answer, Answer::Response(bytes) if bytes == "42"));
        took.push(after);
    }
    // The kernel's delay is 40 ms at least; on a busy machine some take as long for other reasons.
    took.sort();
    assert!(took[10] < std::time::Duration::from_millis(35), "{took:?}");
}

#[tokio::test]
async fn clients_of_another_kind_are_understood() {
    puppet!(function, at);
    // HTTP/1.0: the connection stays only where it is asked for, and that is said.
    let mut client = Client::connect(&at).await;
    for _ in 0..2 {
        client.send(b"GET /2018-06-01/ping HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").await;
        let reply = client.reply().await;
        Client::check(&reply, 200, "pong");
        assert!(reply.1.contains("\r\nConnection: keep-alive"), "{}", reply.1);
    }
    client.send(b"GET /2018-06-01/ping HTTP/1.0\r\n\r\n").await;
    assert!(client.rest().await.ends_with("\r\n\r\npong"));
    // No body follows an answer to HEAD, whatever its length is said to be.
    let mut client = Client::connect(&at).await;
    client.send(b"HEAD /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let rest = client.rest().await;
    assert!(rest.starts_with("HTTP/1.1 404") && rest.contains("Content-Length: 19") && rest.ends_with("\r\n\r\n"));
    drop(function);
}

#[tokio::test]
async fn where_a_body_ends_is_never_guessed() {
    puppet!(function, at);
    for headers in [
        "Content-Length: -1\r\n",
        "Content-Length: 1x\r\n",
        "Content-Length: \r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
    ] {
        let mut client = Client::connect(&at).await;
        client.send(format!("{FOREIGN}{headers}\r\n").as_bytes()).await;
        let rest = client.rest().await;
        assert!(rest.starts_with("HTTP/1.1 400") && rest.contains("Content-Length: 0\r\n"), "{headers}: {rest}");
    }
    for chunks in ["x\r\n", "ffffffffffffffffff\r\n", "1\r\nab\r\n", "0\r\nno colon\r\n\r\n"] {
        let mut client = Client::connect(&at).await;
        client.send(format!("{FOREIGN}Transfer-Encoding: chunked\r\n\r\n{chunks}GET /\r\n\r\n").as_bytes()).await;
        let rest = client.rest().await;
        assert_eq!(rest.matches("HTTP/1.1").count(), 1, "{chunks:?}: {rest}");
    }
    // Both at once: the chunks count, and nothing behind them.
    let mut client = Client::connect(&at).await;
    let both = "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nGET /ping HTTP/1.1\r\n\r\n";
    client.send(format!("{FOREIGN}{both}").as_bytes()).await;
    let rest = client.rest().await;
    assert!(rest.starts_with("HTTP/1.1 400") && !rest.contains("pong"), "{rest}");
    drop(function);
}
