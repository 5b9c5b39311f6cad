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
        let path = counted(&host, kind).await;
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
async fn counted(host: &Host, kind: Kind) -> std::path::PathBuf {
    if kind == Kind::Sandbox {
        // On a disk of its own, which only its own processes see.
        let runtime = runtimes(host).await[0];
        return format!("/proc/{}/root/tmp/count", runtime.as_raw_pid()).into();
    }
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

/// A function whose processes start others all the time, also between two events: the hardest moment to be stopped at.
const BUSY: &str = r#"#!/bin/bash
for worker in 1 2 3; do
  while :; do /bin/true; done &
done
exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API/://}"
# The head of an answer, and its body.
hear() {
  while IFS= read -r -u 3 line; do
    line=${line%$'\r'}
    case "${line,,}" in
      '') IFS= read -r -N "$length" -u 3 body; return ;;
      lambda-runtime-aws-request-id:*) id=${line#*: } ;;
      content-length:*) length=${line#*: } ;;
    esac
  done
  exit 1
}
runtime=/2018-06-01/runtime/invocation
while :; do
  printf 'GET %s/next HTTP/1.1\r\nHost: x\r\n\r\n' "$runtime" >&3
  hear
  /bin/true
  printf 'POST %s/%s/response HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\n%s' "$runtime" "$id" "${#body}" "$body" >&3
  hear
done
"#;

/// Everybody below the inits.
async fn everybody(host: &Host) -> Vec<Pid> {
    let mut all = runtimes(host).await;
    let mut looked_at = 0;
    while let Some(parent) = all.get(looked_at) {
        all.extend(children_of(parent.as_raw_pid().unsigned_abs()));
        looked_at += 1;
    }
    all
}

/// As [`state`], of whoever may be gone meanwhile.
fn state_if_there(pid: Pid) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Found by the soak: a call in 5,000 hung, since a process that was being born while all were stopped and let go on
/// again was stopped for good, and its parent waited for it.
#[tokio::test]
async fn who_is_born_while_all_are_stopped_goes_on_with_them() {
    on_each_kind(|host, _| async move {
        let mut spec = host.spec();
        fs::remove_file(spec.code.join("bootstrap")).unwrap();
        spec.code = host.bootstrap(BUSY, 0o755);
        let function = host.start(spec).await;
        assert_eq!(function.init().await, domain::environment::InitEnd::Ready);
        for number in 0..50 {
            // Stopped at the second look, and woken by an event at once, as it happens on a busy machine.
            for _ in 0..3 {
                host.clock.advance(Duration::from_millis(25));
                for _ in 0..number % 8 {
                    tokio::task::yield_now().await;
                }
            }
            assert_eq!(in_time(function.ask(json!(number))).await, json!(number));
            // Whoever is stopped now has been left behind: it is too early for the next time.
            in_time(async {
                let mut stopped = everybody(&host).await;
                while !stopped.is_empty() {
                    tokio::task::yield_now().await;
                    stopped.retain(|pid| state_if_there(*pid) == Some('T'));
                }
            })
            .await;
        }
        in_time(function.environment.stop()).await;
    })
    .await;
}
