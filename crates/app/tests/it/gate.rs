//! A function that stops at gates which a test opens: so it is known to be under way, and ends when the test says so.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};

use crate::engine_process::{Engine, Request, poll, zip_of};
use crate::shell_function;

/// A place where a function waits.
pub(crate) struct Gate(TcpListener);

/// A function that waits there. It goes on when this is dropped as well, with nothing read.
pub(crate) struct Waiting(TcpStream);

impl Gate {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    pub(crate) fn port(&self) -> String {
        self.0.local_addr().unwrap().port().to_string()
    }

    /// Waits until a function has come to it.
    pub(crate) fn reached(&self) -> Waiting {
        Waiting(poll("a function comes to the gate", || self.0.accept().ok()).0)
    }
}

impl Waiting {
    /// Lets it go on.
    pub(crate) fn open(mut self) {
        self.0.write_all(b"go\n").unwrap();
    }
}

/// CreateFunction of a function that waits at the gates named by its variables `INIT_GATE`, before it asks for its
/// first event, and `EVENT_GATE`, before each answer, which is the event. It keeps a process that has left its session.
pub(crate) fn create(engine: &Engine, name: &str, variables: &[(&str, String)]) {
    let variables: serde_json::Map<String, serde_json::Value> =
        variables.iter().map(|(key, value)| ((*key).to_owned(), value.clone().into())).collect();
    let bootstrap = shell_function::bootstrap(INIT, HANDLE);
    let body = serde_json::json!({
        "FunctionName": name,
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Role": "arn:aws:iam::111111111111:role/r",
        "Timeout": 600,
        "Environment": { "Variables": variables },
        "Code": { "ZipFile": data_encoding::BASE64.encode(&zip_of(&[("bootstrap", 0o755, bootstrap.as_bytes())])) },
    });
    let created = engine.send(&Request::new("POST", "/2015-03-31/functions").body(body.to_string()));
    assert_eq!(created.status, 201, "{created:?}");
    engine.wait_until_settled(name);
}

const INIT: &str = r#"
wait_at() {
  [ -n "$1" ] || return
  exec 4<>"/dev/tcp/127.0.0.1/$1"
  read -r -u 4 _
  exec 4>&-
}
setsid sleep 1000000 &
wait_at "$INIT_GATE"
"#;
const HANDLE: &str = r#"
wait_at "$EVENT_GATE"
cat
"#;
