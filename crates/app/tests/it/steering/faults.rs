//! Faults on purpose: what the flag and the tag do, what they refuse, and that the log says so.

use serde_json::json;

use super::house::House;
use crate::engine_process::{Request, encoded, poll};

const TAGS: &str = "/2017-03-31/tags/";

fn tag(house: &House, name: &str, value: &str) -> crate::engine_process::Answer {
    let arn = encoded(&format!("arn:aws:lambda:us-east-1:000000000000:function:{name}"));
    let body = json!({"Tags": {"lambd:fault": value}}).to_string();
    house.0.send(&Request::new("POST", &format!("{TAGS}{arn}")).body(body))
}

#[test]
fn an_event_comes_twice_and_late_where_that_was_asked_for() {
    let house = House::start(&["--fault", "duplicate=1,delay=300ms"]);
    assert!(
        house
            .0
            .log()
            .contains("faults on purpose are on: duplicate=1,throttle=0,delay=300ms for all functions (--fault)"),
        "{}",
        house.0.log()
    );
    house.create("fn");
    let begun = crate::engine_process::now();
    let id = house.event("fn", "\"well\"");
    house.wait_until_gone(&id);
    assert!(begun.elapsed().as_millis() >= 300);
    assert_eq!(house.runs_of(&id).len(), 2);
    // Its tag goes before the flag.
    assert_eq!(tag(&house, "fn", "").status, 204);
    let id = house.event("fn", "\"well\"");
    house.wait_until_gone(&id);
    assert_eq!(house.runs_of(&id).len(), 1);
}

#[test]
fn a_tag_sets_faults_for_one_function() {
    let house = House::start(&["--test-clock"]);
    house.create("fn");
    house.create("other");
    assert!(!house.0.log().contains("faults on purpose"), "{}", house.0.log());
    assert_eq!(tag(&house, "fn", "throttle=1 delay=1ms").status, 204);
    poll("the log says so", || {
        Some(()).filter(|()| {
            house
                .0
                .log()
                .contains("faults on purpose are on: duplicate=0,throttle=1,delay=1ms for fn (its tag lambd:fault)")
        })
    });
    let [held, well] = ["fn", "other"].map(|name| house.event(name, "\"well\""));
    house.wait_until_gone(&well);
    for _ in 0..3 {
        house.advance(10.0);
        let shown = poll("it was throttled", || Some(house.show(&held)).filter(|event| event["State"] == "queued"));
        assert_eq!(shown["Attempts"], 0);
    }
    assert_eq!(house.runs_of(&held).len(), 0);
    assert_eq!(tag(&house, "fn", "duplicate=1").status, 204);
    house.advance(10.0);
    house.wait_until_gone(&held);
    assert_eq!(house.runs_of(&held).len(), 2);
    assert_eq!(tag(&house, "fn", "duplicate=0").status, 204);
    poll("the log says so", || Some(()).filter(|()| house.0.log().contains("faults on purpose are off again")));
}

#[test]
fn faults_that_cannot_be_read_are_refused() {
    let house = House::start(&[]);
    house.create("fn");
    for (value, item) in [
        ("loss=1", "\"loss=1\" is no fault"),
        ("delay=1s duplicate=2", "\"duplicate=2\": duplicate takes a probability"),
    ] {
        let refused = tag(&house, "fn", value);
        let told = format!("The tag lambd:fault cannot be read: {item}");
        assert_eq!(
            (refused.status, refused.error().0.as_str()),
            (400, "InvalidParameterValueException"),
            "{refused:?}"
        );
        assert!(refused.error().1.starts_with(&told), "{refused:?}");
        let mut create: serde_json::Value = serde_json::from_slice(&Request::create_function("new").body).unwrap();
        create["Tags"] = json!({"lambd:fault": value});
        let refused = house.0.send(&Request::new("POST", "/2015-03-31/functions").body(create.to_string()));
        assert_eq!(
            (refused.status, refused.error().0.as_str()),
            (400, "InvalidParameterValueException"),
            "{refused:?}"
        );
        assert!(refused.error().1.starts_with(&told), "{refused:?}");
    }
}
