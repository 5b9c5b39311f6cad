//! A server for one client at a time: it plays the answer that goes with the function's name, and keeps the requests.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A request as it came.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query, as sent.
    pub(super) target: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// `KEY/DATE/REGION/SERVICE/aws4_request` without the date; nothing for an unsigned request.
    pub(super) fn signed_by(&self) -> Option<String> {
        let scope = self.header("authorization")?.split("Credential=").nth(1)?.split(',').next()?;
        let parts: Vec<_> = scope.split('/').collect();
        Some([parts[0], parts[2], parts[3]].join("/"))
    }

    fn function(&self) -> &str {
        self.target.split("/functions/").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default()
    }
}

/// Answers of the service: `status`, headers, body; the forms are those recorded of AWS (see each test).
struct Answer {
    status: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static [u8],
}

const JSON: (&str, &str) = ("Content-Type", "application/json");
const LATEST: (&str, &str) = ("X-Amz-Executed-Version", "$LATEST");

fn answer(function: &str) -> Answer {
    let ok = |headers, body| Answer { status: "200 OK", headers, body };
    let refused = |status, headers, body| Answer { status, headers, body };
    match function {
        "failed" => ok(
            &[JSON, LATEST, ("X-Amz-Function-Error", "Unhandled")],
            br#"{"errorMessage":"boom","errorType":"Exception"}"#,
        ),
        "logged" => ok(&[JSON, LATEST, ("X-Amz-Log-Result", "U1RBUlQgUmVxdWVzdElkOiA=")], b"null"),
        "long-log" => ok(
            &[
                JSON,
                LATEST,
                ("X-Amz-Log-Result", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB"),
            ],
            b"{}",
        ),
        "versioned" => ok(&[JSON, ("X-Amz-Executed-Version", "7")], b"\"text\""),
        "durable" => ok(&[JSON, LATEST, ("X-Amz-Durable-Execution-Arn", "arn:aws:lambda:x")], b"{}"),
        "queued" => Answer { status: "202 Accepted", headers: &[], body: b"" },
        "tried" => Answer { status: "204 No Content", headers: &[], body: b"" },
        "missing" => refused(
            "404 Not Found",
            &[JSON, ("x-amzn-errortype", "ResourceNotFoundException")],
            br#"{"Type":"User","Message":"Function not found: arn:aws:lambda:us-east-1:000000000000:function:missing:$LATEST"}"#,
        ),
        "throttled" => refused(
            "429 Too Many Requests",
            &[JSON, ("x-amzn-errortype", "TooManyRequestsException")],
            br#"{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}"#,
        ),
        "broken" => refused(
            "500 Internal Server Error",
            &[JSON, ("x-amzn-errortype", "ServiceException:http://internal.amazon.com/coral/x/")],
            br#"{"Type":"Service","Message":"boom"}"#,
        ),
        "not-json" => refused(
            "400 Bad Request",
            &[JSON, ("x-amzn-errortype", "InvalidRequestContentException")],
            br#"{"Type":"User","message":"Could not parse request body into json: Could not parse payload into json: Unrecognized token 'hello'"}"#,
        ),
        "proxy" => refused("502 Bad Gateway", &[("Content-Type", "text/html")], b"<html>no</html>"),
        "page" => refused("404 Not Found", &[("Content-Type", "text/html")], b"<p>no</p>"),
        "silent" => refused("403 Forbidden", &[], b""),
        "null-message" => refused(
            "403 Forbidden",
            &[JSON, ("x-amzn-errortype", "AccessDeniedException")],
            br#"{"Message":null}"#,
        ),
        "code-in-body" => refused("400 Bad Request", &[JSON], br#"{"code":"Odd","message":"m"}"#),
        "type-in-body" => refused("400 Bad Request", &[JSON], br#"{"__type":"com.amazon#Odd","message":"m"}"#),
        "moved" => refused("307 Temporary Redirect", &[("Location", "/elsewhere")], b""),
        _ => ok(&[JSON, LATEST], br#"{"answer": 42}"#),
    }
}

/// A server on a port of its own, until the process ends.
pub(super) struct Server {
    scheme: &'static str,
    port: u16,
    requests: Arc<Received>,
}

#[derive(Default)]
struct Received {
    requests: Mutex<Vec<Request>>,
    came: Condvar,
}

impl Server {
    pub(super) fn start() -> Self {
        Self::serve("http", converse::<TcpStream>)
    }

    /// With a certificate that only its own authority vouches for.
    pub(super) fn start_tls() -> Self {
        let certificates = CertificateDer::pem_file_iter(super::fixture("server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(super::fixture("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(certificates.collect::<Result<_, _>>().unwrap(), key)
            .unwrap();
        let config = Arc::new(config);
        Self::serve("https", move |connection, requests| {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            converse(rustls::StreamOwned::new(session, connection), requests);
        })
    }

    fn serve(scheme: &'static str, converse: impl Fn(TcpStream, &Received) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::<Received>::default();
        let kept = Arc::clone(&requests);
        let converse = Arc::new(converse);
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (kept, converse) = (Arc::clone(&kept), Arc::clone(&converse));
                thread::spawn(move || converse(connection.unwrap(), &kept));
            }
        });
        Self { scheme, port, requests }
    }

    pub(super) fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.requests.requests.lock().unwrap())
    }

    /// Waits until a request is here.
    pub(super) fn wait_for_request(&self) {
        let requests = self.requests.requests.lock().unwrap();
        drop(self.requests.came.wait_while(requests, |requests| requests.is_empty()).unwrap());
    }
}

/// Answers one request after the other until the client hangs up.
fn converse<C: Read + Write>(connection: C, received: &Received) {
    let mut connection = BufReader::new(connection);
    while let Some(request) = read_request(&mut connection) {
        let function = request.function().to_owned();
        received.requests.lock().unwrap().push(request);
        received.came.notify_all();
        let client = connection.get_mut();
        // A client that has given up is no concern of the server's.
        let written = match function.as_str() {
            "hung-up" => return,
            // Never answers; the client's timeout ends it.
            "stalled" => return drop(connection.read_to_end(&mut Vec::new())),
            "cut" => {
                let _ = client.write_all(
                    b"HTTP/1.1 200 OK\r\nX-Amz-Executed-Version: $LATEST\r\nContent-Length: 100\r\n\r\npartial",
                );
                let _ = client.flush();
                return;
            }
            "stalls-midway" => {
                let _ = client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npartial");
                let _ = client.flush();
                return drop(connection.read_to_end(&mut Vec::new()));
            }
            function => client.write_all(&answer(function).to_bytes()).and_then(|()| client.flush()),
        };
        if written.is_err() {
            return;
        }
    }
}

impl Answer {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {}\r\n", self.status).into_bytes();
        for (name, value) in self.headers {
            bytes.extend(format!("{name}: {value}\r\n").into_bytes());
        }
        if !self.status.starts_with("204") {
            bytes.extend(format!("Content-Length: {}\r\n", self.body.len()).into_bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(self.body);
        bytes
    }
}

fn read_request(connection: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    connection.read_line(&mut line).ok().filter(|&read| read > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    connection.read_exact(&mut body).ok()?;
    Some(Request { method, target, headers, body })
}
