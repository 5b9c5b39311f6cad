//! What is left of an engine's network after it: nothing, at the latest at the next start.

use std::io::BufRead as _;
use std::process::{Command, Stdio};

use super::world::{FAR, HOST, greeter, ip, tcp, world};

#[test]
fn nothing_is_left_after_an_engine() {
    let Some(world) = world("nothing_is_left_after_an_engine") else { return };
    let nat = world.nat("engine");
    let (one, other) = (nat.environment(), nat.environment());
    let until = |count| while world.links().iter().filter(|name| name.starts_with("lm")).count() != count {};
    until(2);
    assert!(world.forwards());
    nat.end(one);
    until(1);
    nat.end(other);
    drop(nat);
    assert_eq!(world.links(), ["up0"]);
    assert!(!world.forwards());
    // A table that was left would refuse the name to a new one.
    drop(world.nat("engine"));
}

#[test]
fn what_a_killed_engine_left_goes_at_the_next_start_of_any() {
    let Some(world) = world("what_a_killed_engine_left_goes_at_the_next_start_of_any") else { return };
    for next in ["engine", "other"] {
        let folder = world.folder.path().join("engine");
        std::fs::create_dir_all(&folder).unwrap();
        let start = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox-test-process"));
            command.arg("nat").arg(&folder).stdout(Stdio::piped()).spawn().unwrap()
        };
        let mut engine = world.host.within(start).unwrap();
        let mut line = String::new();
        std::io::BufReader::new(engine.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let dead = line.strip_prefix("linked ").unwrap().trim().to_owned();
        assert!(world.links().contains(&dead));
        let alive = world.try_nat("engine").unwrap_err();
        assert!(alive.to_string().contains("another engine with the same data runs"), "{alive}");
        engine.kill().unwrap();
        engine.wait().unwrap();
        assert!(world.forwards());

        let port = greeter(&world.outside, &[FAR], "outside");
        let nat = world.nat(next);
        assert!(!world.links().contains(&dead), "{:?}", world.links());
        let environment = nat.environment();
        assert_eq!(tcp(&environment.namespace, FAR, port).unwrap(), format!("outside {HOST}"));
        nat.end(environment);
        drop(nat);
        assert!(!world.forwards(), "after the start of {next}");
        assert_eq!(world.links(), ["up0"]);
    }
}

#[test]
fn two_engines_share_a_host() {
    let Some(world) = world("two_engines_share_a_host") else { return };
    let port = greeter(&world.outside, &[FAR], "outside");
    let (first, second) = (world.nat("first"), world.nat("second"));
    let environment = second.environment();
    drop(first);
    assert_eq!(tcp(&environment.namespace, FAR, port).unwrap(), format!("outside {HOST}"));
    second.end(environment);
    drop(second);
    assert!(!world.forwards());
}

#[test]
fn a_host_that_forwards_goes_on_doing_so() {
    let Some(world) = world("a_host_that_forwards_goes_on_doing_so") else { return };
    let forward = || std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    world.host.within(forward).unwrap();
    drop(world.nat("engine"));
    assert!(world.forwards());

    // Somebody else begins to need it while an engine runs.
    world.host.within(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap()).unwrap();
    let nat = world.nat("engine");
    world.host.within(forward).unwrap();
    drop(nat);
    assert!(world.forwards());
}

#[test]
fn a_host_that_lets_nothing_through_refuses_the_start() {
    let Some(world) = world("a_host_that_lets_nothing_through_refuses_the_start") else { return };
    ip(&world.host, &["rule add from 100.64.0.0/10 to 100.64.0.0/10 prohibit"]);
    let refused = world.try_nat("engine").unwrap_err();
    assert!(refused.to_string().contains("another firewall on this machine"), "{refused}");
    assert_eq!(world.links(), ["up0"]);
}
