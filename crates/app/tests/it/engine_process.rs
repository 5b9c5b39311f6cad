//! The built `lambd serve` as a process of its own: started on free ports with an empty environment, spoken to by plain
//! HTTP/1.1, ended in every way there is. Nothing of it is left when it is dropped.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::shell_function;

/// Longer than anything here takes; it only keeps a hanging engine from hanging the tests.
pub(crate) const GUARD: Duration = Duration::from_mins(1);

/// A running engine. See the module.
pub(crate) struct Engine {
    running: Option<Running>,
    /// The program and what it is called with, but for the addresses.
    program: Vec<OsString>,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    own_group: bool,
    folder: TempDir,
    api: SocketAddr,
    admin: SocketAddr,
}

struct Running {
    child: Child,
    printed: Arc<Printed>,
}

/// What it has printed after its ready lines, as it comes.
#[derive(Default)]
struct Printed {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

/// `lambd` with an environment that has only what finds interpreters.
pub(crate) fn lambd() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_lambd")))
}

/// Takes the environment of the tests away from a command.
pub(crate) fn clean(mut command: Command) -> Command {
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    // Most tests watch what a function does to files of theirs, which it sees at level `process` alone.
    let level = std::env::var_os("LAMBD_TEST_ISOLATION").unwrap_or_else(|| "process".into());
    command.env("LAMBD_ISOLATION", &level).env("LAMBD_ISOLATION_MIN", level);
    command
}

/// Looks again and again until there is something to see, for as long as a test may take.
#[track_caller]
pub(crate) fn poll<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(begun.elapsed() < GUARD, "{what}: not within {} s", GUARD.as_secs());
        // What is waited for needs the processor more than we do.
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// The moment, for deadlines of tests.
#[expect(clippy::disallowed_methods, reason = "the tests of a whole process live in its time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[allow(dead_code, reason = "each test uses its part")]
impl Engine {
    /// Starts one over an empty folder and waits until it answers.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with further flags of `lambd serve`.
    pub(crate) fn start_with(flags: &[&str]) -> Self {
        Self::start_among(flags, &[])
    }

    /// Starts one with variables in its environment as well.
    pub(crate) fn start_among(flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data").into_os_string();
        let program = vec![env!("CARGO_BIN_EXE_lambd").into(), "serve".into(), "--data-dir".into(), data_dir];
        let mut engine = Self::not_started(folder, program, flags);
        engine.variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        engine.begin();
        engine
    }

    /// One that is not started yet, by any command that ends in a `lambd serve` or `lambd up`.
    pub(crate) fn not_started(folder: TempDir, program: Vec<OsString>, flags: &[&str]) -> Self {
        let arguments = flags.iter().map(ToString::to_string).collect();
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            running: None,
            program,
            arguments,
            variables: Vec::new(),
            own_group: false,
            folder,
            api: nowhere,
            admin: nowhere,
        }
    }

    /// One that is not started yet, in a process group of its own, as a terminal would have it.
    pub(crate) fn in_own_group(mut self) -> Self {
        self.own_group = true;
        self
    }

    /// Starts it again over the same folder, on other ports, ending it before if it runs.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.begin();
    }

    /// Starts it without waiting for anything.
    pub(crate) fn spawn(&self) -> Child {
        let log = File::options().create(true).append(true).open(self.log_path()).unwrap();
        let mut command = clean(Command::new(&self.program[0]));
        command
            .args(&self.program[1..])
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .args(&self.arguments)
            .env("HOME", self.folder.path())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        if self.own_group {
            command.process_group(0);
        }
        command.spawn().unwrap()
    }

    pub(crate) fn begin(&mut self) {
        let mut child = self.spawn();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut ready = |name: &str| -> Option<SocketAddr> {
            let mut line = String::new();
            stdout.read_line(&mut line).ok()?;
            line.trim_end().strip_prefix(&format!("lambd: {name} http://"))?.parse().ok()
        };
        let (api, admin) = (ready("api"), ready("admin"));
        let printed = Arc::<Printed>::default();
        let into = printed.clone();
        // Ends with the engine.
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                into.lines.lock().unwrap().push(line);
                into.more.notify_all();
            }
        });
        self.running = Some(Running { child, printed });
        let (Some(api), Some(admin)) = (api, admin) else {
            panic!("the engine is not ready; it says:\n{}", self.log())
        };
        (self.api, self.admin) = (api, admin);
    }

    /// What it has printed in this life after its ready lines.
    pub(crate) fn printed(&self) -> Vec<String> {
        self.running.as_ref().unwrap().printed.lines.lock().unwrap().clone()
    }

    /// Waits until it prints a line that has all of `parts`, behind the first `after` lines; says which line it is.
    #[track_caller]
    pub(crate) fn wait_for_line(&self, after: usize, parts: &[&str]) -> usize {
        let printed = &self.running.as_ref().unwrap().printed;
        let mut lines = printed.lines.lock().unwrap();
        let begun = now();
        loop {
            let is_it = |line: &String| parts.iter().all(|part| line.contains(part));
            if let Some(found) = lines.iter().skip(after).position(is_it) {
                return after + found;
            }
            let left = GUARD.checked_sub(begun.elapsed()).unwrap_or_else(|| {
                panic!(
                    "no line with {parts:?} in\n{}\nthe engine says:\n{}",
                    lines[after.min(lines.len())..].join("\n"),
                    self.log()
                )
            });
            lines = printed.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// Waits until it has ended, and says how.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut running = self.running.take().unwrap();
        poll("the engine ends", || running.child.try_wait().unwrap())
    }

    /// The folder that it runs in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it as a power cut would, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.child.kill().unwrap();
            running.child.wait().unwrap();
        }
    }

    /// Asks it to end, waits, and says how it ended.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        kill_process(self.pid(), Signal::TERM).unwrap();
        self.running.take().unwrap().child.wait().unwrap()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.running.as_ref().unwrap().child)
    }

    /// Where the AWS API is, as clients are told.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.api)
    }

    /// Where the AWS API is.
    pub(crate) fn api(&self) -> SocketAddr {
        self.api
    }

    /// Where health and metrics are.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Where it keeps what must survive it.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("engine.log")
    }

    /// What it has written to standard error, over all its lives.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The most memory it ever held, in KiB: `VmHWM`.
    pub(crate) fn memory_peak_kib(&self) -> u64 {
        let status = Path::new("/proc").join(self.pid().as_raw_nonzero().to_string()).join("status");
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// A connection of its own to the API.
    pub(crate) fn connect(&self) -> Connection {
        Connection::to(self.api)
    }

    /// Sends one request to the API over a connection of its own.
    pub(crate) fn send(&self, request: &Request) -> Answer {
        let mut connection = self.connect();
        // An engine that has refused already need not read to the end: what counts is its answer.
        let _ = connection.write(&request.bytes());
        connection.read(&request.method).unwrap_or_else(|| {
            panic!(
                "{} {}: the engine closed without an answer; it says:\n{}",
                request.method,
                request.target,
                self.log()
            )
        })
    }

    /// Waits until no creation and no update of the function is under way.
    pub(crate) fn wait_until_settled(&self, function: &str) {
        let ask = Request::new("GET", &format!("/2015-03-31/functions/{}/configuration", encoded(function)));
        loop {
            let shown = self.send(&ask);
            assert_eq!(shown.status, 200, "{shown:?}");
            let shown = shown.json();
            if shown["State"] == "Active" && shown["LastUpdateStatus"] == "Successful" {
                return;
            }
            std::thread::yield_now();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            // Into the test's captured output, which a plain write to the descriptor would miss.
            #[expect(clippy::print_stderr, reason = "what the engine said explains the failure")]
            if !log.is_empty() {
                eprintln!("the engine says:\n{log}");
            }
        }
        if let Some(mut running) = self.running.take() {
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}

/// One request as it goes over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `GET`, …
    pub(crate) method: String,
    /// Path and query, encoded.
    pub(crate) target: String,
    /// Beside `Host` and `Content-Length`.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

#[allow(dead_code, reason = "each test uses its part")]
impl Request {
    /// Without headers and body.
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// With a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a body.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// CreateFunction of a function that hands its events back and needs no interpreter but the shell.
    pub(crate) fn create_function(name: &str) -> Self {
        Self::create_function_of(name, &shell_function::bootstrap("", "cat"))
    }

    /// CreateFunction of a script.
    pub(crate) fn create_function_of(name: &str, bootstrap: &str) -> Self {
        let body = serde_json::json!({
            "FunctionName": name,
            "Runtime": "provided.al2023",
            "Handler": "bootstrap",
            "Role": "arn:aws:iam::111111111111:role/r",
            "Code": { "ZipFile": data_encoding::BASE64.encode(&zip_of(&[("bootstrap", 0o755, bootstrap.as_bytes())])) },
        });
        Self::new("POST", "/2015-03-31/functions").body(body.to_string())
    }

    /// Invoke.
    pub(crate) fn invoke(name: &str, payload: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", &format!("/2015-03-31/functions/{}/invocations", encoded(name))).body(payload)
    }

    /// The bytes of the request.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\nHost: lambd.test\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
        bytes.extend(format!("Content-Length: {}\r\n\r\n", self.body.len()).bytes());
        bytes.extend(&self.body);
        bytes
    }
}

/// A zip of files, each a path, a mode and its content.
pub(crate) fn zip_of(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, mode, content) in files {
        let options = zip::write::SimpleFileOptions::default().unix_permissions(*mode);
        zip.start_file(*path, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A text as one segment of a path, or one value of a query.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
    }
    encoded
}

/// One connection, for requests that no ordinary client would send.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

#[allow(dead_code, reason = "each test uses its part")]
impl Connection {
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self::try_to(address).unwrap()
    }

    /// One to whoever may be gone.
    pub(crate) fn try_to(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(GUARD)).unwrap();
        stream.set_write_timeout(Some(GUARD)).unwrap();
        Some(Self { stream: BufReader::new(stream) })
    }

    /// Sends bytes as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Says that nothing more is sent.
    pub(crate) fn end_of_request(&mut self) {
        self.stream.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// Reads one answer to a request of that method; nothing where the engine has closed.
    pub(crate) fn read(&mut self, method: &str) -> Option<Answer> {
        let mut line = String::new();
        // A reset is a close as well: the engine has not read all that was sent.
        if self.stream.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        let mut words = line.trim_end().splitn(3, ' ');
        let version = words.next().unwrap().to_owned();
        let status = words.next().and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("this is no answer: {line:?}"));
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.stream.read_line(&mut line).unwrap(), 0, "the head of the answer breaks off: {headers:?}");
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap();
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { version, status, headers, body: Vec::new() };
        if method == "HEAD" || status == 204 || status == 304 {
            return Some(answer);
        }
        match answer.header("content-length") {
            Some(length) => {
                answer.body = vec![0; length.parse().unwrap()];
                self.stream.read_exact(&mut answer.body).unwrap();
            }
            None => {
                self.stream.read_to_end(&mut answer.body).unwrap();
            }
        }
        Some(answer)
    }

    /// Whether the engine closes without a further byte.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0) | Err(_))
    }
}

/// One answer as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// `HTTP/1.1`, …
    pub(crate) version: String,
    /// The status.
    pub(crate) status: u16,
    /// Names in lower case, in the order they came.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

#[allow(dead_code, reason = "each test uses its part")]
impl Answer {
    /// The value of a header that is there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let value = values.next();
        assert_eq!(values.next(), None, "{name} is there more than once");
        value
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {} {text}", self.status))
    }

    /// AWS's name of the error, and its text.
    pub(crate) fn error(&self) -> (String, String) {
        let body = self.json();
        let text = body.get("Message").or_else(|| body.get("message")).and_then(|text| text.as_str());
        (self.header("x-amzn-errortype").unwrap_or_default().to_owned(), text.unwrap_or_default().to_owned())
    }
}
