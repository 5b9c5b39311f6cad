//! The clock that tests move.

use std::time::Duration;

use serde_json::{Value, json};

use super::house::House;
use crate::engine_process::now;

fn seconds_between(from: &Value, to: &Value) -> f64 {
    let moment = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    moment(to).duration_since(moment(from)).as_secs_f64()
}

/// Three attempts and three minutes of one event; how long it really took.
fn story(house: &House) -> Duration {
    let begun = now();
    let id = house.event("fn", "\"fail\"");
    let first = house.wait_for(&id, "retrying", 1);
    assert_eq!(first["Reason"], "it went wrong: ä");
    let wait = seconds_between(&first["AcceptedAt"], &first["NextAttemptAt"]);
    assert!((60.0..70.0).contains(&wait), "{first}");
    house.advance(60.0);
    let second = house.wait_for(&id, "retrying", 2);
    assert!(seconds_between(&first["NextAttemptAt"], &second["NextAttemptAt"]) >= 120.0, "{second}");
    house.advance(120.0);
    let dead = house.wait_for(&id, "dead", 3);
    let took = begun.elapsed();
    let starts: Vec<&Value> = dead["History"].as_array().unwrap().iter().map(|attempt| &attempt["StartedAt"]).collect();
    let waits: Vec<f64> = starts.windows(2).map(|pair| seconds_between(pair[0], pair[1])).collect();
    assert!(waits[0] >= 60.0 && waits[1] >= 120.0 && waits.iter().sum::<f64>() < 200.0, "{dead}");
    assert_eq!(house.runs_of(&id).len(), 3);
    took
}

#[test]
fn three_attempts_and_three_minutes_take_less_than_a_second() {
    let house = House::start(&["--test-clock"]);
    assert!(house.0.log().contains("--test-clock"), "{}", house.0.log());
    house.create("fn");
    // A machine that is busy with other tests may be late a few times.
    let fastest = (0..5).map(|_| story(&house)).find(|took| *took < Duration::from_secs(1));
    assert!(fastest.is_some(), "each of five took longer than a second");
}

#[test]
fn the_clock_runs_on_and_jumps_forward() {
    let house = House::start(&["--test-clock"]);
    let first = house.advance(0.0);
    assert!(first.ends_with('Z') && first.len() == "2026-01-31T12:00:00.000Z".len(), "{first}");
    let second = house.advance(3_600.25);
    let passed = seconds_between(&json!(first), &json!(second));
    assert!((3_600.25..3_660.0).contains(&passed), "{first} {second}");
    for body in [
        "",
        "{}",
        "[]",
        "null",
        "7",
        "{\"seconds\":\"7\"}",
        "{\"seconds\":-1}",
        "{\"seconds\":null}",
        "{\"seconds\":1e9}",
        "{\"seconds\":1,\"minutes\":1}",
    ] {
        let answer = house.ask("POST", "/_lambd/clock/advance", body);
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        assert!(answer.json()["Message"].as_str().unwrap().contains("seconds"), "{body}: {answer:?}");
    }
    assert_eq!(house.ask("GET", "/_lambd/clock/advance", "").status, 405);
    let foreign = [("Host", "evil.example"), ("Content-Type", "application/json")];
    assert_eq!(house.raw("POST", "/_lambd/clock/advance", &foreign, "{\"seconds\":1}").status, 403);

    let without = House::start(&[]);
    let answer = without.ask("POST", "/_lambd/clock/advance", "{\"seconds\":1}");
    assert_eq!(answer.status, 404, "{answer:?}");
    assert!(answer.json()["Message"].as_str().unwrap().contains("--test-clock"), "{answer:?}");
}
