//! What is left when a process of ours is killed, at whatever moment: nothing.

use std::cell::Cell;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use domain::environment::{Exit, Failure, InitEnd};
use domain::names::EnvironmentId;
use engine::ports::{Answer, Clock, Sandbox as _, Wait};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use sandbox::Linux;
use serde_json::json;
use uuid::Uuid;

use crate::host::{DAY, Function, Host, KINDS, Kind, Lines, children_of, host, in_time, settings, until};

/// In whose environment the test's program finds that it is to be an engine, and where.
pub(crate) const ENGINE: &str = "SANDBOX_TEST_ENGINE";

/// Every process whose program or working folder is below a folder, on the host's side of any namespace.
fn processes_below(folder: &Path) -> Vec<i32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        // The Runtime API's address is in every function's environment, and the folder in that of the tests' own.
        fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|environ| environ.windows(MARK.len()).any(|part| part == MARK) && marks(&environ, folder))
    })
    .collect()
}

const MARK: &[u8] = b"TEST_FOLDER=";

fn marks(environ: &[u8], folder: &Path) -> bool {
    let wanted = format!("TEST_FOLDER={}", folder.display());
    environ.split(|byte| *byte == 0).any(|pair| pair == wanted.as_bytes())
}

/// Waits until none of these processes runs any more.
fn wait_for_end(pids: &[i32]) {
    for pid in pids {
        let Ok(process) = pidfd_open(Pid::from_raw(*pid).unwrap(), PidfdFlags::empty()) else { continue };
        let limit = Timespec { tv_sec: 30, tv_nsec: 0 };
        let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&limit)).unwrap();
        assert_eq!(ended, 1, "process {pid} still runs");
    }
}

fn mark(host: &Host, spec: &mut engine::ports::EnvironmentSpec) {
    let folder = host.folder.path().display().to_string();
    spec.platform_variables.push(("TEST_FOLDER".to_owned(), folder));
}

#[tokio::test]
async fn a_killed_spawner_ends_its_environments_and_another_takes_over() {
    for kind in KINDS {
        let Some(host) = host(kind).await else { continue };
        let mut spec = host.spec();
        mark(&host, &mut spec);
        let function = host.start(spec).await;
        assert_eq!(function.init().await, InitEnd::Ready);
        function.ask(json!("linger")).await;
        function.ask(json!({"write": host_file(kind)})).await;
        let running = processes_below(host.folder.path());
        assert!(running.len() >= 2, "{running:?}");

        let spawner = host.linux.spawner_pid().await.unwrap();
        let answer = async { function.invoke(json!([{"print": "here\n"}, "hang"])).await };
        let kill = async {
            function.lines.wait_for("here\n").await;
            kill_process(Pid::from_raw(spawner.cast_signed()).unwrap(), Signal::KILL).unwrap();
        };
        let (answer, ()) = tokio::join!(answer, kill);
        assert!(matches!(answer, Answer::Failed(Failure::Exited(Exit::Signal(9)))), "{answer:?}");
        tokio::task::spawn_blocking(move || wait_for_end(&running)).await.unwrap();
        assert!(!function.environment.is_ready());

        // A new spawner, a new init, the same folder.
        assert_eq!(function.init().await, InitEnd::Ready);
        assert_ne!(host.linux.spawner_pid().await, Some(spawner));
        in_time(function.environment.stop()).await;
        assert_eq!(processes_below(host.folder.path()), Vec::<i32>::new());
        assert_eq!(host.environments(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_spawner_that_dies_while_it_is_asked_is_replaced() {
    for kind in KINDS {
        let Some(host) = host(kind).await else { continue };
        let spawner = host.linux.spawner_pid().await.unwrap();
        let process = Pid::from_raw(spawner.cast_signed()).unwrap();
        kill_process(process, Signal::STOP).unwrap();
        let kill = async {
            tokio::task::yield_now().await;
            kill_process(process, Signal::KILL).unwrap();
        };
        let (function, ()) = tokio::join!(host.ready(), kill);
        assert_ne!(host.linux.spawner_pid().await, Some(spawner));
        in_time(function.environment.stop()).await;
        assert_eq!(host.environments(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_spawner_that_does_not_end_does_not_hold_up_the_engine() {
    for kind in KINDS {
        let Some(host) = host(kind).await else { continue };
        let spawner = Pid::from_raw(host.linux.spawner_pid().await.unwrap().cast_signed()).unwrap();
        kill_process(spawner, Signal::STOP).unwrap();
        let time = async {
            until(|| host.clock.sleepers() > 0).await;
            host.clock.advance(Duration::from_mins(1));
        };
        tokio::join!(in_time(host.linux.stop()), time);
        assert!(pidfd_open(spawner, PidfdFlags::empty()).is_err());
    }
}

fn host_file(kind: Kind) -> &'static str {
    // The host's own `/tmp` is no place for a test to write to.
    if kind.has_own_paths() { "/tmp/file" } else { "/dev/null" }
}

#[tokio::test]
async fn a_killed_init_ends_its_environment_and_the_next_start_makes_another() {
    for kind in KINDS {
        let Some(host) = host(kind).await else { continue };
        let mut spec = host.spec();
        mark(&host, &mut spec);
        let function = host.start(spec).await;
        assert_eq!(function.init().await, InitEnd::Ready);
        function.ask(json!("linger")).await;
        let running = processes_below(host.folder.path());
        let spawner = host.linux.spawner_pid().await.unwrap().cast_signed();
        let init = *running
            .iter()
            .map(|pid| parent_of(*pid))
            .collect::<Vec<_>>()
            .iter()
            .find(|pid| parent_of(**pid) == spawner)
            .unwrap();
        kill_process(Pid::from_raw(init).unwrap(), Signal::KILL).unwrap();
        tokio::task::spawn_blocking(move || wait_for_end(&running)).await.unwrap();
        assert_eq!(function.init().await, InitEnd::Ready);
        assert!(function.ask(json!("folder")).await.is_string());
        in_time(function.environment.stop()).await;
        assert_eq!(host.environments(), Vec::<String>::new());
    }
}

fn parent_of(pid: i32) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_killed_engine_leaves_no_process_and_the_next_one_no_folder() {
    for kind in KINDS {
        let Some(host) = host(kind).await else { continue };
        let code = host.code();
        host.at_init(&json!(["linger"]));
        let data = host.folder.path().join("engine");
        let mut engine = start_engine(&data, &code, kind, host.folder.path());
        let mut lines = BufReader::new(engine.stdout.take().unwrap()).lines();
        let (engine, ready) = tokio::task::spawn_blocking(move || {
            let ready = lines.any(|line| line.unwrap().contains("the engine is ready"));
            (engine, ready)
        })
        .await
        .unwrap();
        assert!(ready, "the engine ended early");
        let running = processes_below(host.folder.path());
        // The engine itself, its spawner has an empty environment, and the function with what lingers.
        assert!(running.len() >= 3, "{running:?}");
        assert!(has_environment(&data));
        kill_process(Pid::from_child(&engine), Signal::KILL).unwrap();
        tokio::task::spawn_blocking(move || {
            let mut engine = engine;
            engine.wait().unwrap();
            wait_for_end(&running);
        })
        .await
        .unwrap();
        // What was killed has left its folder; the next engine takes it away.
        assert!(has_environment(&data));
        let next = Linux::start(settings(&data, kind), host.clock.clone()).await.unwrap();
        assert!(!has_environment(&data));
        in_time(next.stop()).await;
    }
}

fn has_environment(data: &Path) -> bool {
    let entries = fs::read_dir(data.join("environments")).unwrap();
    entries.map(|entry| entry.unwrap().file_name()).any(|name| !name.to_string_lossy().starts_with('.'))
}

fn start_engine(data: &Path, code: &Path, kind: Kind, folder: &Path) -> Child {
    let told = json!({"data": data, "code": code, "kind": format!("{kind:?}"), "folder": folder});
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::is_an_engine_where_it_was_started_as_one", "--nocapture"])
        .env(ENGINE, told.to_string())
        .env("TEST_FOLDER", folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

struct RealClock(std::time::Instant);

impl Clock for RealClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn system_now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn wake_at(&self, at: Duration) -> Wait<'static, ()> {
        Box::pin(tokio::time::sleep_until((self.0 + at).into()))
    }

    fn wake_on(&self, _: jiff::Timestamp) -> Wait<'static, ()> {
        // No environment asks the calendar to wake it.
        Box::pin(std::future::pending())
    }
}

/// Of a sandbox that was stopped nothing is left on the machine, not even what the kernel itself says only elsewhere.
async fn assert_gone(host: Host) {
    assert_eq!(host.environments(), Vec::<String>::new());
    assert_eq!(host.groups.folders(), Vec::<PathBuf>::new());
    assert_eq!(processes_below(host.folder.path()), Vec::<i32>::new());
    // Disks that wait for use are descriptors of the engine's.
    drop(host.linux);
    let folder = host.folder.path().to_str().unwrap();
    for mounts in fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path().join("mountinfo")) {
        let Ok(mounts) = fs::read_to_string(&mounts) else { continue };
        assert!(!mounts.contains(folder), "{mounts}");
    }
    // The kernel lets go of a disk after the last who had it mounted is gone.
    until(|| {
        let devices = fs::read_dir("/sys/block").into_iter().flatten().flatten();
        let mut behind = devices.map(|device| fs::read_to_string(device.path().join("loop/backing_file")));
        !behind.any(|file| file.is_ok_and(|file| file.contains(folder)))
    })
    .await;
}

#[tokio::test]
async fn a_stopped_sandbox_leaves_nothing_on_the_machine() {
    for kind in KINDS {
        let Some(host) = host(kind).await else { continue };
        let mut spec = host.spec();
        mark(&host, &mut spec);
        let function = host.start(spec).await;
        assert_eq!(function.init().await, InitEnd::Ready);
        function.ask(json!("linger")).await;
        if kind == Kind::Sandbox {
            // Else it would not be seen that they go.
            assert!(host.groups.folders().len() > 1 && !host.groups.processes().is_empty());
        }
        in_time(host.linux.stop()).await;
        drop(function);
        assert_gone(host).await;
    }
}

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, below: u64) -> u64 {
        // Knuth's, of MMIX.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// Starts an environment and tells whether it got ready.
async fn try_start(host: &Host, number: u128) -> Option<(Function, bool)> {
    let mut spec = host.spec();
    spec.id = EnvironmentId(Uuid::from_u128(number));
    mark(host, &mut spec);
    let lines = Arc::new(Lines::default());
    let environment = in_time(host.linux.start(spec, lines.clone())).await.ok()?;
    let function = Function { environment, lines, clock: host.clock.clone() };
    let end = in_time(function.environment.init(host.clock.elapsed() + DAY, DAY)).await;
    Some((function, matches!(end, Ok(InitEnd::Ready))))
}

#[tokio::test]
async fn whoever_is_killed_at_whatever_moment_of_a_start_the_engine_goes_on() {
    for kind in KINDS {
        let Some(host) = host(kind).await else { continue };
        // How often one can look while there is a start.
        let mut looks = 0;
        let count = async {
            loop {
                looks += 1;
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            started = try_start(&host, 1) => in_time(started.unwrap().0.environment.stop()).await,
            () = count => {}
        }

        let mut dice = Dice(1);
        let mut hits = [0, 0];
        for round in 0..30_u32 {
            let spawner = host.linux.spawner_pid().await.unwrap();
            let is_started = Cell::new(false);
            let start = async {
                let started = try_start(&host, 1).await;
                is_started.set(true);
                started
            };
            let moment = dice.throw(looks);
            let kill = async {
                for _ in 0..moment {
                    tokio::task::yield_now().await;
                }
                let is_init = round % 2 == 0;
                let hit = if is_init { children_of(spawner).pop() } else { Pid::from_raw(spawner.cast_signed()) };
                if !is_started.get()
                    && let Some(hit) = hit
                    && kill_process(hit, Signal::KILL).is_ok()
                {
                    hits[usize::from(is_init)] += 1;
                }
            };
            let (started, ()) = tokio::join!(start, kill);
            if let Some((function, _)) = started {
                in_time(function.environment.stop()).await;
            }
            // The engine goes on.
            let (function, is_ready) = try_start(&host, 2).await.unwrap();
            assert!(is_ready, "{kind:?}, after round {round}");
            assert!(function.ask(json!("folder")).await.is_string());
            in_time(function.environment.stop()).await;
            assert_eq!(host.environments(), Vec::<String>::new(), "{kind:?}, round {round}");
        }
        assert!(hits.iter().sum::<u32>() > 0, "{kind:?}: nobody was hit, {hits:?}");
        in_time(host.linux.stop()).await;
        assert_gone(host).await;
    }
}

/// Not a test by itself: the engine that another test kills. It has one environment, ready, and never ends.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a process of its own has a clock and an environment of its own")]
#[expect(clippy::print_stdout, reason = "the test that started it waits for this line")]
async fn is_an_engine_where_it_was_started_as_one() {
    let Ok(told) = std::env::var(ENGINE) else { return };
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let kind = KINDS.into_iter().find(|kind| told["kind"] == format!("{kind:?}")).unwrap();
    let data = Path::new(told["data"].as_str().unwrap());
    let clock = Arc::new(RealClock(std::time::Instant::now()));
    let mut settings = settings(data, kind);
    settings.network.nat = told["has nat"] == true;
    let linux = Linux::start(settings, clock).await.unwrap();
    let spec = engine::ports::EnvironmentSpec {
        id: EnvironmentId(Uuid::from_u128(1)),
        runtime: domain::runtime::Runtime::parse("provided.al2023").unwrap(),
        code: told["code"].as_str().unwrap().into(),
        image: None,
        layers: Vec::new(),
        account: "000000000000".to_owned(),
        memory_mb: 128,
        storage_mb: 512,
        network: domain::network::Network::Usual,
        variables: domain::variables::Variables::default(),
        platform_variables: vec![("TEST_FOLDER".to_owned(), told["folder"].as_str().unwrap().to_owned())],
    };
    let environment = linux.start(spec, Arc::new(Lines::default())).await.unwrap();
    let day = Duration::from_hours(24);
    assert_eq!(environment.init(day, day).await.unwrap(), InitEnd::Ready);
    println!("the engine is ready");
    std::future::pending::<()>().await;
}
