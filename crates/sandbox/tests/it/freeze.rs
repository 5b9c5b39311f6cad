//! Between two invocations an environment stands still (AWS developer guide, lambda-runtime-environment).

use std::fs;
use std::time::Duration;

use rustix::process::Pid;
use serde_json::json;

use crate::host::{Function, Host, KINDS, Kind, children_of, host, in_time};

async fn on_each_kind<F: Future<Output = ()>>(test: impl Fn(Host, Kind) -> F) {
    for kind in KINDS {
        if let Some(host) = host(kind).await {
            test(host, kind).await;
        }
    }
}

/// The runtimes: what the inits have started.
async fn runtimes(host: &Host) -> Vec<Pid> {
    let inits = children_of(host.linux.spawner_pid().await.unwrap());
    inits.into_iter().flat_map(|init| children_of(init.as_raw_pid().unsigned_abs())).collect()
}

/// Whether it was stopped, or its control group is frozen (Linux, Documentation/admin-guide/cgroup-v2.rst and
/// cgroup-v1/freezer-subsystem.rst).
fn stands_still(pid: Pid) -> bool {
    let of = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", pid.as_raw_pid())).unwrap();
    let stat = of("stat");
    let groups = of("cgroup");
    let frozen = groups.lines().any(|line| {
        let (hierarchy, path) = line.split_once(':').and_then(|(_, rest)| rest.split_once(':')).unwrap();
        let reads = |file: String, text: &str| fs::read_to_string(file).is_ok_and(|read| read.contains(text));
        match hierarchy {
            "" => ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
                .iter()
                .any(|root| reads(format!("{root}{path}/cgroup.events"), "frozen 1")),
            "freezer" => reads(format!("/sys/fs/cgroup/freezer{path}/freezer.state"), "FROZEN"),
            _ => false,
        }
    });
    frozen || stat.rsplit_once(") ").unwrap().1.starts_with('T')
}

/// Moves the clock on, as far as it takes, until all runtimes stand still; tells how far.
async fn until_frozen(host: &Host) -> Duration {
    let step = Duration::from_millis(5);
    let pids = runtimes(host).await;
    assert!(!pids.is_empty());
    in_time(async {
        let mut moved = Duration::ZERO;
        loop {
            // Whoever woke has its turn, and the init has time to do as it is told.
            for _ in 0..2000 {
                if pids.iter().all(|pid| stands_still(*pid)) {
                    return moved;
                }
                tokio::task::yield_now().await;
            }
            host.clock.advance(step);
            moved += step;
        }
    })
    .await
}

async fn call(function: &Function, step: serde_json::Value) {
    function.ask(step).await;
}

#[tokio::test]
async fn an_idle_environment_stands_still_until_the_next_event() {
    on_each_kind(|host, kind| async move {
        let function = host.ready().await;
        call(&function, json!({"count on": seen(kind, &function).await})).await;
        let moved = until_frozen(&host).await;
        assert!(moved <= Duration::from_millis(100), "{moved:?}");
        let path = counted(&host, kind);
        let before = fs::read_to_string(&path).unwrap();
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), before);

        // It goes on with the next event, and so does its thread.
        let step = json!({"read": seen(kind, &function).await});
        in_time(async { while function.ask(step.clone()).await.as_str() == Some(before.as_str()) {} }).await;
        assert!(function.environment.is_ready());
        // And so again.
        until_frozen(&host).await;
        call(&function, json!("pid")).await;
    })
    .await;
}

/// The counter's file, as the function names it.
async fn seen(kind: Kind, function: &Function) -> String {
    if kind.has_own_paths() {
        return "/tmp/count".to_owned();
    }
    let variables = function.ask(json!("variables")).await;
    format!("{}/count", variables["TMPDIR"].as_str().unwrap())
}

/// The same, as we name it.
fn counted(host: &Host, _: Kind) -> std::path::PathBuf {
    let environment = host.environments().remove(0);
    host.folder.path().join("data/environments").join(environment).join("tmp/count")
}

#[tokio::test]
async fn calls_that_follow_one_another_are_not_held_up() {
    on_each_kind(|host, _| async move {
        let function = host.ready().await;
        let pids = runtimes(&host).await;
        for _ in 0..50 {
            call(&function, json!("pid")).await;
            host.clock.advance(Duration::from_millis(20));
            assert!(!pids.iter().any(|pid| stands_still(*pid)));
        }
    })
    .await;
}

#[tokio::test]
async fn what_stands_still_can_be_ended_and_reset() {
    on_each_kind(|host, _| async move {
        let function = host.ready().await;
        until_frozen(&host).await;
        assert_eq!(function.init().await, domain::environment::InitEnd::Ready);
        call(&function, json!("pid")).await;
        until_frozen(&host).await;
        in_time(function.environment.stop()).await;
        assert_eq!(host.environments(), Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn extensions_stand_still_too_and_hear_of_the_end() {
    on_each_kind(|host, _| async move {
        let function = host.with_extensions(&[("listener", json!({"events": ["INVOKE", "SHUTDOWN"]}))]).await;
        assert_eq!(function.init().await, domain::environment::InitEnd::Ready);
        call(&function, json!("pid")).await;
        until_frozen(&host).await;
        in_time(function.environment.stop()).await;
        assert!(function.lines.take().iter().any(|line| line.contains("\"shutdownReason\":\"spindown\"")));
    })
    .await;
}

/// Found by the soak: each such environment kept its descriptors, and a timer ran on for it.
#[tokio::test]
async fn what_ends_while_it_is_idle_is_forgotten() {
    on_each_kind(|host, _| async move {
        let function = host.ready().await;
        call(&function, json!("pid")).await;
        let watching = host.clock.sleepers();
        assert!(watching > 0, "it is idle, and somebody looks at it");
        in_time(function.environment.stop()).await;
        in_time(async {
            while host.clock.sleepers() > 0 {
                host.clock.advance(Duration::from_millis(25));
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
            }
        })
        .await;
    })
    .await;
}
