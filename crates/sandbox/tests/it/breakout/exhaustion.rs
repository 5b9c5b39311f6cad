//! Functions that use up what there is: they meet their own limits, and a neighbour goes on answering.

use domain::environment::{Failure, InitEnd};
use domain::names::EnvironmentId;
use engine::ports::Answer;
use sandbox::Strength;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::host::{Function, Host, Kind, host, in_time};

/// The memory of the attackers.
const SMALL_MB: u32 = 128;
/// The memory of the neighbour: that of a function with one processor.
const LARGE_MB: u32 = 1769;
/// More than enough of anything for a limit to be met.
const MANY: u32 = 5000;

struct Street {
    attacker: Function,
    neighbour: Function,
    host: Host,
}

impl Street {
    /// `None` where one of the features that are needed is not enforced, which is said.
    async fn with(needed: &[&str]) -> Option<Self> {
        let host = host(Kind::Sandbox).await?;
        if !enforces(&host, needed).await {
            return None;
        }
        let attacker = inhabitant(&host, 1, SMALL_MB).await;
        let neighbour = inhabitant(&host, 2, LARGE_MB).await;
        Some(Self { attacker, neighbour, host })
    }

    /// Lets the attacker do one thing while the neighbour is asked again and again.
    async fn attack(&self, step: Value) -> Answer {
        let attack = self.attacker.invoke(json!([step]));
        tokio::pin!(attack);
        let mut answers = 0;
        loop {
            let answered = async { assert_eq!(self.neighbour.ask(json!("folder")).await, "/var/task") };
            tokio::pin!(answered);
            tokio::select! {
                biased;
                answer = &mut attack => {
                    answered.await;
                    assert!(answers > 0, "the neighbour was not asked meanwhile");
                    return answer;
                }
                () = &mut answered => answers += 1,
            }
        }
    }

    async fn attempt(&self, what: Value) -> Value {
        let answer = self.attack(json!({"attempt": what})).await;
        in_time(self.attacker.environment.settle()).await.unwrap();
        let Answer::Response(bytes) = answer else { panic!("{answer:?}") };
        let came: Vec<Value> = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(came[0]["allowed"], true, "{}", came[0]);
        came[0]["detail"].clone()
    }
}

async fn enforces(host: &Host, needed: &[&str]) -> bool {
    let report = host.linux.report().await;
    for needed in needed {
        let (_, strength) = report.features.iter().find(|(name, _)| name == needed).unwrap();
        if *strength != Strength::Hard {
            let name = std::thread::current().name().unwrap_or_default().to_owned();
            testkit::skip::without_kernel(&name, &format!("{needed} {strength}"));
            return false;
        }
    }
    true
}

async fn inhabitant(host: &Host, number: u128, memory_mb: u32) -> Function {
    let mut spec = host.spec();
    spec.id = EnvironmentId(Uuid::from_u128(number));
    spec.memory_mb = memory_mb;
    let function = host.start(spec).await;
    assert_eq!(function.init().await, InitEnd::Ready);
    function
}

#[tokio::test]
async fn who_forks_without_end_has_1024_processes() {
    // AWS developer guide, gettingstarted-limits: "Execution processes/threads: 1,024".
    let Some(street) = Street::with(&["pids"]).await else { return };
    for _ in 0..2 {
        // Again, because the first ones have ended.
        let came = street.attempt(json!(["fork", MANY])).await;
        // And the function, and the process that forks.
        assert_eq!(came, json!({"forked": 1022, "errno": "EAGAIN"}));
    }
}

#[tokio::test]
async fn who_opens_files_without_end_has_1024() {
    // AWS developer guide, gettingstarted-limits: "File descriptors: 1,024".
    let Some(street) = Street::with(&[]).await else { return };
    let came = street.attempt(json!(["open files", MANY])).await;
    // Besides its three, the Runtime API's and the pipe that an attempt tells of itself by.
    assert_eq!(came, json!({"opened": 1024 - 5, "errno": "EMFILE"}));
}

#[tokio::test]
async fn who_uses_up_its_memory_is_ended_and_starts_again() {
    let Some(street) = Street::with(&["memory"]).await else { return };
    for _ in 0..2 {
        let answer = street.attack(json!({"touch memory": 2 * SMALL_MB})).await;
        assert!(matches!(answer, Answer::Failed(Failure::OutOfMemory)), "{answer:?}");
        assert_eq!(street.attacker.environment.memory_used_bytes(), u64::from(SMALL_MB) << 20);
        assert_eq!(street.attacker.init().await, InitEnd::Ready);
        assert_eq!(street.attacker.ask(json!("folder")).await, "/var/task");
    }
}

#[tokio::test]
async fn a_process_beside_the_function_that_uses_up_its_memory_ends_alone_or_with_it() {
    // Whoever the kernel ends is of this environment; the function may go on where it was not the one.
    let Some(street) = Street::with(&["memory"]).await else { return };
    let answer = street.attack(json!({"attempt": ["use memory", 2 * SMALL_MB]})).await;
    match answer {
        Answer::Response(bytes) => {
            let came: Vec<Value> = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(came[0]["errno"], "SIGKILL", "{}", came[0]);
            in_time(street.attacker.environment.settle()).await.unwrap();
        }
        Answer::Failed(failure) => {
            assert_eq!(failure, Failure::OutOfMemory);
            assert_eq!(street.attacker.init().await, InitEnd::Ready);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(street.attacker.ask(json!("folder")).await, "/var/task");
}

#[tokio::test]
async fn who_fills_tmp_has_as_much_as_was_asked_for() {
    let Some(street) = Street::with(&["tmp"]).await else { return };
    let came = street.attempt(json!(["fill", "/tmp/full", 600])).await;
    assert_eq!(came["errno"], "ENOSPC");
    // A file system needs some for itself.
    let megabytes = came["megabytes"].as_u64().unwrap();
    assert!((450..=512).contains(&megabytes), "{came}");
    // It is not memory of the function.
    assert!(street.attacker.environment.is_ready());
}

/// More than any buffer between the function and who reads its lines.
const LINES: usize = 200_000;

#[tokio::test]
async fn who_writes_lines_without_end_holds_nobody_up() {
    let Some(street) = Street::with(&[]).await else { return };
    let answer = street.attack(json!({"flood": LINES})).await;
    assert!(matches!(answer, Answer::Response(_)), "{answer:?}");
    in_time(street.attacker.environment.settle()).await.unwrap();
    assert!(street.neighbour.lines.take().is_empty());
    let lines = street.attacker.lines.take();
    assert_eq!(lines.last().unwrap(), &format!("line {}\n", LINES - 1));
}

#[tokio::test]
async fn who_computes_without_end_has_its_share_of_a_processor() {
    // AWS developer guide, configuration-memory: "At 1,769 MB, a function has the equivalent of one vCPU".
    let Some(street) = Street::with(&["cpu"]).await else { return };
    let came = street.attempt(json!(["spin", 1000])).await;
    let had = came["milliseconds"].as_u64().unwrap();
    // A share of 72, one period of it more at each end, and what the kernel hands out in slices.
    assert!(had <= 150, "{had} of 1000 ms");
    drop(street.host);

    // Where nothing limits it, it has more, unless others need this machine's processors just then.
    let Some(free) = host(Kind::OwnPaths).await else { return };
    let function = inhabitant(&free, 1, SMALL_MB).await;
    let mut most = 0;
    for _ in 0..10 {
        let came = function.ask(json!({"attempt": ["spin", 1000]})).await;
        most = most.max(came["detail"]["milliseconds"].as_u64().unwrap());
        if most > 150 {
            break;
        }
    }
    assert!(most > 150, "{most} of 1000 ms");
}
