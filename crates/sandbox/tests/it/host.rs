//! A sandbox with real processes in a folder of its own, and a function whose events say what it does.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use domain::environment::InitEnd;
use domain::log::Record;
use domain::names::{EnvironmentId, RequestId};
use domain::network::Network;
use domain::runtime::Runtime;
use domain::variables::Variables;
use engine::ports::{Answer, Clock, Environment, EnvironmentSpec, Event, Output, Sandbox as _};
use rustix::process::Pid;
use sandbox::{Isolation, Linux, NetworkSettings, OpenError, Settings, SpawnerCommand, View};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::clock::HandClock;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::groups::Groups;

/// What no test waits for on a clock that stands still.
pub(crate) const DAY: Duration = Duration::from_hours(24);
/// Far above what any step takes: a test that hangs fails instead of holding up the others.
const STEP_MAX: Duration = Duration::from_mins(1);

/// How functions are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Level `sandbox`.
    Sandbox,
    /// Level `rootless`.
    Rootless,
    /// Level `confined`.
    Confined,
    /// Level `process`, with paths of their own.
    OwnPaths,
    /// Level `process`.
    RealFolders,
}

pub(crate) const KINDS: [Kind; 5] = [Kind::Sandbox, Kind::Rootless, Kind::Confined, Kind::OwnPaths, Kind::RealFolders];

impl Kind {
    pub(crate) fn level(self) -> Isolation {
        match self {
            Self::Sandbox => Isolation::Sandbox,
            Self::Rootless => Isolation::Rootless,
            Self::Confined => Isolation::Confined,
            Self::OwnPaths | Self::RealFolders => Isolation::Process,
        }
    }

    /// Whether functions have `/var/task`, `/opt` and `/tmp` of their own.
    pub(crate) fn has_own_paths(self) -> bool {
        !matches!(self, Self::Confined | Self::RealFolders)
    }
}

/// A folder for data, one for code, and the sandbox on it.
pub(crate) struct Host {
    pub(crate) folder: TempDir,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) linux: Linux,
    /// Goes last: what a sandbox leaves that is dropped without being stopped.
    pub(crate) groups: Groups,
}

/// Everything that a function wrote.
#[derive(Default)]
pub(crate) struct Lines {
    all: Mutex<Vec<Vec<u8>>>,
    /// What was said of extensions.
    pub(crate) records: Mutex<Vec<Record>>,
    came: Notify,
}

impl Output for Lines {
    fn line(&self, line: &[u8]) {
        self.all.lock().unwrap().push(line.to_vec());
        self.came.notify_waiters();
    }

    fn record(&self, record: &Record) {
        self.records.lock().unwrap().push(record.clone());
    }
}

impl Lines {
    pub(crate) fn take(&self) -> Vec<String> {
        let lines = std::mem::take(&mut *self.all.lock().unwrap());
        lines.into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
    }

    /// Waits until a line with this in it has come.
    pub(crate) async fn wait_for_part(&self, part: &str) {
        let wait = async {
            loop {
                let came = self.came.notified();
                if self.all.lock().unwrap().iter().any(|line| String::from_utf8_lossy(line).contains(part)) {
                    return;
                }
                came.await;
            }
        };
        in_time(wait).await;
    }

    /// Waits until a line has come.
    pub(crate) async fn wait_for(&self, line: &str) {
        let wait = async {
            loop {
                let came = self.came.notified();
                if self.all.lock().unwrap().iter().any(|known| known == line.as_bytes()) {
                    return;
                }
                came.await;
            }
        };
        in_time(wait).await;
    }
}

/// Awaits something that must happen.
pub(crate) async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(STEP_MAX, work).await.expect("it takes far too long")
}

/// Awaits a state that nobody tells of.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    in_time(async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// The processes that a process has started and that live.
pub(crate) fn children_of(pid: u32) -> Vec<Pid> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let stats = pids.filter_map(|pid| Some((pid, fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)));
    stats
        .filter(|(_, stat)| stat.rsplit_once(") ").unwrap().1.split(' ').nth(1) == Some(pid.to_string().as_str()))
        .map(|(pid, _)| Pid::from_raw(pid).unwrap())
        .collect()
}

pub(crate) fn settings(data_dir: &Path, kind: Kind) -> Settings {
    Settings {
        data_dir: data_dir.to_owned(),
        isolation: Some(kind.level()),
        isolation_min: Isolation::Process,
        runtimes: BTreeMap::new(),
        search_path: Vec::new(),
        home: None,
        own_paths: kind == Kind::OwnPaths,
        prestart: false,
        // The network of the machine that runs the tests is left alone.
        network: NetworkSettings { nat: false, doors: Vec::new(), resolv_conf: "/etc/resolv.conf".into() },
        spawner: SpawnerCommand { program: test_process(), arguments: vec!["spawner".into()] },
    }
}

/// The program that is a spawner or a function. Tests that run as another user have a copy that this user can reach.
pub(crate) fn test_process() -> PathBuf {
    std::env::var_os(TEST_PROCESS).map_or_else(|| env!("CARGO_BIN_EXE_sandbox-test-process").into(), PathBuf::from)
}

/// Whether these tests have been started by others, as another user.
fn is_another_user() -> bool {
    std::env::var_os(TEST_PROCESS).is_some()
}

/// Names that program.
pub(crate) const TEST_PROCESS: &str = "SANDBOX_TEST_PROCESS";

/// A sandbox; `None` where the kernel does not allow this kind, which is said, and is a failure in CI.
pub(crate) async fn host(kind: Kind) -> Option<Host> {
    host_with(kind, |_| {}).await
}

/// The same with other settings.
pub(crate) async fn host_with(kind: Kind, change: impl FnOnce(&mut Settings)) -> Option<Host> {
    // One is for root, the other for everybody else; `rootless.rs` is everybody else.
    let is_root = rustix::process::geteuid().is_root();
    if kind == Kind::Sandbox && !is_root || kind == Kind::Rootless && is_root {
        return None;
    }
    if kind.level() == Isolation::Process && is_another_user() {
        // Of which nothing depends on the user.
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    if kind == Kind::Confined {
        // As where an engine that is root has its data; what is above a data folder is not the engine's to open.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
    }
    let clock = Arc::new(HandClock::default());
    let mut settings = settings(&folder.path().join("data"), kind);
    change(&mut settings);
    let linux = match Linux::start(settings, clock.clone()).await {
        Err(refused @ OpenError::Isolation { .. }) => {
            skipped(&refused.to_string());
            return None;
        }
        linux => linux.unwrap(),
    };
    if kind == Kind::OwnPaths
        && let View::RealFolders { reason } = linux.report().await.view
    {
        skipped(&format!("no mount namespace: {reason}"));
        return None;
    }
    let groups = Groups::of(&folder.path().join("data"));
    Some(Host { folder, clock, linux, groups })
}

/// Says that this test cannot run here.
pub(crate) fn skipped(reason: &str) {
    testkit::skip::test(std::thread::current().name().unwrap_or_default(), reason);
}

impl Host {
    /// A code folder whose bootstrap is the test's function.
    pub(crate) fn code(&self) -> PathBuf {
        let code = self.folder.path().join("code");
        if !code.exists() {
            fs::create_dir(&code).unwrap();
            let program = test_process();
            fs::hard_link(&program, code.join("bootstrap"))
                .or_else(|_| fs::copy(&program, code.join("bootstrap")).map(|_| ()))
                .unwrap();
        }
        code
    }

    /// What the function does at its initialisation.
    pub(crate) fn at_init(&self, steps: &Value) {
        fs::write(self.code().join("init.json"), steps.to_string()).unwrap();
    }

    pub(crate) fn spec(&self) -> EnvironmentSpec {
        EnvironmentSpec {
            id: EnvironmentId(Uuid::from_u128(1)),
            runtime: Runtime::parse("provided.al2023").unwrap(),
            code: self.code(),
            image: None,
            layers: Vec::new(),
            account: "000000000000".to_owned(),
            memory_mb: 512,
            storage_mb: 512,
            network: Network::Usual,
            variables: Variables::default(),
            platform_variables: [
                ("_HANDLER", "app.handler"),
                ("AWS_LAMBDA_FUNCTION_NAME", "f"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        }
    }

    pub(crate) async fn start(&self, spec: EnvironmentSpec) -> Function {
        let lines = Arc::new(Lines::default());
        let environment = in_time(self.linux.start(spec, lines.clone())).await.unwrap();
        Function { environment, lines, clock: self.clock.clone() }
    }

    /// A layer with the test's extensions, by name; the scripts say what they do.
    pub(crate) fn layer(&self, extensions: &[(&str, Value)]) -> PathBuf {
        let layer = self.folder.path().join("layer");
        let folder = layer.join("extensions");
        fs::create_dir_all(&folder).unwrap();
        for (name, script) in extensions {
            let program = test_process();
            let place = folder.join(name);
            if !place.exists() {
                fs::hard_link(&program, &place).or_else(|_| fs::copy(&program, &place).map(|_| ())).unwrap();
            }
            fs::write(layer.join(format!("{name}.json")), script.to_string()).unwrap();
        }
        layer
    }

    /// An environment with these extensions.
    pub(crate) async fn with_extensions(&self, extensions: &[(&str, Value)]) -> Function {
        let mut spec = self.spec();
        spec.layers = vec![self.layer(extensions)];
        self.start(spec).await
    }

    /// An environment that waits for its first event.
    pub(crate) async fn ready(&self) -> Function {
        let function = self.start(self.spec()).await;
        assert_eq!(function.init().await, InitEnd::Ready);
        function
    }

    pub(crate) fn environments(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join("data/environments")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.starts_with('.')).collect()
    }

    /// Writes a bootstrap of another kind.
    pub(crate) fn bootstrap(&self, text: &str, mode: u32) -> PathBuf {
        let code = self.folder.path().join("code");
        fs::create_dir_all(&code).unwrap();
        fs::write(code.join("bootstrap"), text).unwrap();
        fs::set_permissions(code.join("bootstrap"), fs::Permissions::from_mode(mode)).unwrap();
        code
    }
}

/// An environment, and what its function wrote.
pub(crate) struct Function {
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) lines: Arc<Lines>,
    pub(crate) clock: Arc<HandClock>,
}

impl Function {
    pub(crate) async fn init(&self) -> InitEnd {
        in_time(self.environment.init(self.clock.elapsed() + DAY, DAY)).await.unwrap()
    }

    pub(crate) fn event(&self, payload: &Value) -> Event {
        Event {
            request_id: RequestId(Uuid::from_u128(0x1234)),
            invoked_arn: "arn:aws:lambda:us-east-1:000000000000:function:f".to_owned(),
            trace: "Root=1-00000000-000000000000000000000000;Parent=0000000000000001;Sampled=0".to_owned(),
            client_context: None,
            deadline_at: self.clock.now() + Duration::from_secs(3),
            deadline: self.clock.elapsed() + Duration::from_secs(3),
            allowed: Duration::from_secs(3),
            payload: Bytes::from(payload.to_string()),
            takes_stream: false,
        }
    }

    pub(crate) async fn invoke(&self, steps: Value) -> Answer {
        in_time(self.environment.invoke(self.event(&steps))).await
    }

    /// Lets the function do one thing, and gives what came of it.
    pub(crate) async fn ask(&self, step: Value) -> Value {
        let Answer::Response(bytes) = self.invoke(json!([step])).await else { panic!("the function failed") };
        in_time(self.environment.settle()).await.unwrap();
        let mut results: Vec<Value> = serde_json::from_slice(&bytes).unwrap();
        results.remove(0)
    }
}
