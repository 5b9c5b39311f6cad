//! Runs one case with one client, and makes what came out comparable.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;

use regex::{Captures, Regex};
use sandbox::clients;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use super::runtime_api::{Event, Post, RuntimeApi};

/// Far above what any case takes: a client that hangs fails its test instead of holding it up.
const CASE_TIME_MAX: Duration = Duration::from_mins(1);

/// A function, what it is sent, and how the Runtime API takes its answers.
#[derive(Default)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) files: Vec<(&'static str, String)>,
    pub(super) handler: &'static str,
    pub(super) env: Vec<(&'static str, String)>,
    pub(super) events: Vec<Event>,
    pub(super) statuses: Vec<u16>,
    /// Standard error carries log frames.
    pub(super) has_frames: bool,
    /// The function ends the process in a way for which the interpreter prints frames of the client.
    pub(super) ignores_stderr: bool,
}

pub(super) fn case(name: &'static str, file: &'static str, code: &str) -> Case {
    Case { name, files: vec![(file, code.to_owned())], handler: "app.handler", ..Case::default() }.event("{}")
}

impl Case {
    pub(super) fn handler(mut self, handler: &'static str) -> Self {
        self.handler = handler;
        self
    }

    pub(super) fn file(mut self, path: &'static str, text: &str) -> Self {
        self.files.push((path, text.to_owned()));
        self
    }

    pub(super) fn env(mut self, name: &'static str, value: &str) -> Self {
        self.env.push((name, value.to_owned()));
        self
    }

    pub(super) fn event(mut self, body: &str) -> Self {
        self.events.push(Event { body: body.into(), headers: Vec::new() });
        self
    }

    /// Only these events instead of the one `{}` that `case` gives.
    pub(super) fn events(mut self, bodies: &[&str]) -> Self {
        self.events.clear();
        bodies.iter().fold(self, |case, body| case.event(body))
    }

    /// A header of the last event.
    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        let event = self.events.last_mut().unwrap();
        event.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn statuses(mut self, statuses: &[u16]) -> Self {
        self.statuses = statuses.to_vec();
        self
    }

    /// The client is to write its log frames to standard error.
    pub(super) fn has_frames(mut self) -> Self {
        self.has_frames = true;
        self.env("_LAMBDA_TELEMETRY_LOG_FD", "2")
    }

    pub(super) fn ignores_stderr(mut self) -> Self {
        self.ignores_stderr = true;
        self
    }
}

/// A client: the command that starts it.
#[derive(Clone)]
pub(super) struct Program {
    pub(super) command: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) env: Vec<(&'static str, String)>,
    /// It boots before it is told its function, by a line on its descriptor 3.
    pub(super) is_stem: bool,
}

impl Program {
    pub(super) fn as_stem(&self) -> Self {
        Self { is_stem: true, ..self.clone() }
    }

    /// Starts it for the function that `variables` describe.
    async fn start(&self, variables: &[(&str, String)], task_root: &Path) -> Child {
        const OF_THE_STEM: [&str; 3] = ["PATH", "LANG", "TZ"];
        let mut command = if self.is_stem {
            // Which leaves the program with its own descriptor 3, and nothing of the shell.
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", r#"exec "$0" "$@" 3<&0 </dev/null"#]).arg(&self.command);
            shell
        } else {
            Command::new(&self.command)
        };
        command.args(&self.arguments).env_clear();
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let variables = variables.iter().cloned().chain(self.env.iter().cloned());
        if !self.is_stem {
            return command.envs(variables).current_dir(task_root).stdin(Stdio::null()).spawn().unwrap();
        }
        let known = variables.clone().filter(|(name, _)| OF_THE_STEM.contains(name));
        let mut child = command
            .envs(known.chain(self.env.iter().cloned()))
            .env(clients::STEM_VARIABLE, "1")
            .current_dir("/")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let owned: Vec<_> = variables.map(|(name, value)| (name.to_owned(), value)).collect();
        let told = clients::describe(&owned, task_root);
        // A client that ends at once has closed it, which the case will tell.
        let _ = child.stdin.take().unwrap().write_all(&told).await;
        child
    }
}

/// What a client did with a case. `exit` is none where it waits for more.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) posts: Vec<Post>,
    pub(super) exit: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Outcome {
    fn sides_by_side(&self, other: &Self) -> Vec<(String, String, String)> {
        let mut pairs = vec![
            ("exit".to_owned(), format!("{:?}", self.exit), format!("{:?}", other.exit)),
            ("stdout".to_owned(), format!("{:?}", self.stdout), format!("{:?}", other.stdout)),
            ("stderr".to_owned(), format!("{:?}", self.stderr), format!("{:?}", other.stderr)),
        ];
        let shown = |outcome: &Self, index| {
            // The beginning of a large answer is enough to see what it is; its length tells the rest.
            outcome.posts.get(index).map_or("nothing".to_owned(), |post: &Post| {
                let mut short = post.clone();
                short.body.truncate(4096);
                let whole = (post.body.len(), data_digest(&post.body));
                format!("{short:#?} of {whole:?}")
            })
        };
        for index in 0..self.posts.len().max(other.posts.len()) {
            pairs.push((format!("post {index}"), shown(self, index), shown(other, index)));
        }
        pairs
    }
}

fn data_digest(bytes: &[u8]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    std::hash::Hash::hash(bytes, &mut hasher);
    std::hash::Hasher::finish(&hasher)
}

fn search_path() -> String {
    std::env::var_os("PATH").unwrap_or_default().into_string().unwrap()
}

pub(super) async fn run(case: &Case, program: &Program) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let task_root = folder.path().canonicalize().unwrap();
    for (path, text) in &case.files {
        let file = task_root.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let api = RuntimeApi::start(case.events.clone(), case.statuses.clone()).await;
    let given = [
        ("PATH", search_path()),
        ("AWS_LAMBDA_RUNTIME_API", api.address.to_string()),
        ("_HANDLER", case.handler.to_owned()),
        ("LAMBDA_TASK_ROOT", task_root.to_str().unwrap().to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", "fn".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/fn".to_owned()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]0".to_owned()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("TZ", ":UTC".to_owned()),
    ];
    let variables: Vec<_> = given.into_iter().chain(case.env.iter().cloned()).collect();
    let mut child = program.start(&variables, &task_root).await;
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let until_idle_or_ended = async {
        let exit = tokio::select! {
            status = child.wait() => Some(status.unwrap().code().unwrap_or(-1)),
            () = api.idle() => None,
        };
        if exit.is_none() {
            child.kill().await.unwrap();
        }
        exit
    };
    let all = async { tokio::join!(until_idle_or_ended, read_all(out), read_all(err)) };
    let (exit, out, mut err) = tokio::time::timeout(CASE_TIME_MAX, all)
        .await
        .unwrap_or_else(|_| panic!("{}: neither idle nor ended", case.name));
    if case.has_frames {
        err = frames_as_text(&err).into_bytes();
    }
    let read = |bytes: Vec<u8>| normal(&String::from_utf8_lossy(&bytes), &task_root);
    let (stdout, stderr) = (read(out), read(err));
    let posts = api.posts().into_iter();
    Outcome {
        posts: posts.map(|post| normal_post(post, &task_root)).collect(),
        exit,
        stdout,
        stderr: if case.ignores_stderr { String::new() } else { stderr },
    }
}

async fn read_all(mut from: impl tokio::io::AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).await.unwrap();
    bytes
}

/// Runs each case with both clients, ours also as a stem; panics with every difference.
pub(super) async fn compare(cases: &[Case], ours: &Program, official: &Program) {
    let mut differences = String::new();
    for case in cases {
        let expected = run(case, official).await;
        for (how, ours) in [("ours", ours.clone()), ("stem", ours.as_stem())] {
            let got = run(case, &ours).await;
            for (what, expected, got) in expected.sides_by_side(&got) {
                if got != expected {
                    writeln!(differences, "\n{}, {what}:\n  official: {expected}\n  {how}:     {got}\n", case.name)
                        .unwrap();
                }
            }
        }
    }
    assert!(differences.is_empty(), "the clients differ in\n{differences}");
}

/// Each log frame as its type and message; the time is only checked to be one of our days.
fn frames_as_text(mut bytes: &[u8]) -> String {
    let mut text = String::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<16>() {
        let number =
            |range: std::ops::Range<usize>| head[range].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        let length = usize::try_from(number(4..8)).unwrap();
        let (message, rest) = rest.split_at(length);
        assert!(number(8..16) > 1_700_000_000_000_000, "not in microseconds");
        let message = String::from_utf8_lossy(message);
        writeln!(text, "{:x} {message}", number(0..4)).unwrap();
        bytes = rest;
    }
    assert!(bytes.is_empty(), "half a frame: {bytes:?}");
    text
}

/// Frames of the clients themselves differ by nature, and so do times and folders.
fn normal(text: &str, task_root: &Path) -> String {
    static FRAME_IN_JSON: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#",?"    at (?:[^"\\]|\\.)*""#).unwrap());
    static FRAME_IN_TEXT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"([\r\n]|\\n) {4,6}at ([^()\r\n"\\]*\([^()]*\)|(async )?[^ \r\n"\\]*)"#).unwrap()
    });
    static PYTHON_FRAME_IN_JSON: LazyLock<Regex> = LazyLock::new(|| {
        let own = r#"(, )?"  File \\"[^"\\]*/(awslambdaric|lambd_runtime)/(?:[^"\\]|\\.)*""#;
        Regex::new(own).unwrap()
    });
    static PYTHON_FRAME_IN_TEXT: LazyLock<Regex> = LazyLock::new(|| {
        let own = r#"[\r\n]\x{a0}{2}File "[^"]*/(awslambdaric|lambd_runtime)/[^\r\n]*[\r\n]\x{a0}{4}[^\r\n]*"#;
        Regex::new(own).unwrap()
    });
    static TIME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z").unwrap());
    static PROCESS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\(node:\d+\)").unwrap());
    static MILLISECONDS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\[\d{13}\]").unwrap());
    static ENTRY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(file://)?/[^\s"\\]*(aws-lambda-ric-3/dist|aws-lambda-ric|lambd-runtime)/index\.mjs"#).unwrap()
    });
    let root = task_root.to_str().unwrap();
    let of_function = |frame: &Captures<'_>| {
        if frame[0].contains(root) { frame[0].to_owned() } else { String::new() }
    };
    let text = FRAME_IN_JSON.replace_all(text, of_function);
    let text = FRAME_IN_TEXT.replace_all(&text, of_function);
    let text = PYTHON_FRAME_IN_JSON.replace_all(&text, "");
    let text = PYTHON_FRAME_IN_TEXT.replace_all(&text, "");
    let text = TIME.replace_all(&text, "TIME");
    let text = PROCESS.replace_all(&text, "(node:PID)");
    let text = MILLISECONDS.replace_all(&text, "[MS]");
    let text = ENTRY.replace_all(&text, "/var/runtime/index.mjs");
    text.replace(root, "/var/task")
}

fn normal_post(mut post: Post, task_root: &Path) -> Post {
    if let Ok(text) = std::str::from_utf8(&post.body) {
        post.body = normal(text, task_root).into();
    }
    if let Some((_, error)) = &mut post.late_error {
        *error = normal(error, task_root);
    }
    if let Ok(mut cause) = serde_json::from_str::<Value>(&post.xray_cause) {
        let is_of_function = |path: &Value| {
            let path = path.as_str().unwrap_or_default();
            path.trim_start_matches("file://").starts_with(task_root.to_str().unwrap())
        };
        for exception in cause["exceptions"].as_array_mut().unwrap() {
            let frames = exception["stack"].as_array_mut().unwrap();
            frames.retain(|frame| is_of_function(&frame["path"]));
        }
        let paths = cause["paths"].as_array_mut().unwrap();
        paths.retain(is_of_function);
        paths.sort_by_key(ToString::to_string);
        post.xray_cause = normal(&cause.to_string(), task_root);
    }
    post
}

/// Writes the files of a client below `folder`, which is named so that `normal` knows it.
pub(super) fn lay_out(files: &[sandbox::clients::RuntimeFile], folder: &Path) -> PathBuf {
    let runtime = folder.join("lambd-runtime");
    for (path, bytes) in files {
        let file = runtime.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
    runtime
}

/// Gives two events, the second in chunks, to a client whose handler multiplies by seven, and reads
/// what it writes: each answer must come with the next poll in one piece.
pub(super) async fn answers_and_polls_in_one_write(program: &Program, task_root: &Path) {
    const HEADERS: &str = "Lambda-Runtime-Aws-Request-Id: 1-2\r\n\
        Lambda-Runtime-Deadline-Ms: 4102444800000\r\n\
        Lambda-Runtime-Invoked-Function-Arn: arn\r\nContent-Type: application/json\r\n";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let path = search_path();
    let root = task_root.to_str().unwrap().to_owned();
    let variables = [
        ("PATH", path),
        ("AWS_LAMBDA_RUNTIME_API", address.clone()),
        ("_HANDLER", "app.handler".to_owned()),
        ("LAMBDA_TASK_ROOT", root),
    ];
    let mut child = program.start(&variables, task_root).await;
    let (mut stream, _) = listener.accept().await.unwrap();
    let poll = format!("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let answer = |body: &str| {
        let length = body.len();
        format!(
            "POST /2018-06-01/runtime/invocation/1-2/response HTTP/1.1\r\nhost: {address}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}{poll}"
        )
    };
    assert_eq!(read_once(&mut stream).await, poll);
    let event = format!("HTTP/1.1 200 OK\r\n{HEADERS}Content-Length: 2\r\n\r\n11");
    stream.write_all(event.as_bytes()).await.unwrap();
    assert_eq!(read_once(&mut stream).await, answer("77"));
    let accepted = "HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";
    let chunks = "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\n10\r\n1\r\n0\r\n0\r\n\r\n";
    let event = format!("{accepted}HTTP/1.1 200 OK\r\n{HEADERS}{chunks}");
    stream.write_all(event.as_bytes()).await.unwrap();
    assert_eq!(read_once(&mut stream).await, answer("700"));
    child.kill().await.unwrap();
}

async fn read_once(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 4096];
    let count = stream.read(&mut bytes).await.unwrap();
    String::from_utf8(bytes[..count].to_vec()).unwrap()
}
