//! What the admin API refuses, and why.

use serde_json::json;

use super::house::House;
use crate::engine_process::Request;

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let house = House::start(&[]);
    house.create("fn");
    house.retries("fn", 0);
    let id = house.event("fn", "\"fail\"");
    let before = house.wait_for(&id, "dead", 1);
    let get = |query: &str| ("GET", format!("/_lambd/events{query}"), String::new());
    let post = |body: &str| ("POST", "/_lambd/events/purge".to_owned(), body.to_owned());
    let large = json!({"ids": vec![&id; 30_000]}).to_string();
    for ((method, target, body), status, words) in [
        (get("?state=ded"), 400, "\"ded\" is no state of an event; there are queued, running"),
        (get("?limit=0"), 400, "limit is a number from 1 to 1000"),
        (get("?limit=1001"), 400, "limit is"),
        (get("?limit=ten"), 400, "limit is"),
        (get("?token=7"), 400, "token takes what NextToken was"),
        (get("?older_than=1h"), 400, "older_than is a number of seconds"),
        (get("?older_than=-1"), 400, "older_than is"),
        (get("?older_than=NaN"), 400, "older_than is"),
        (get("?function=a%20b"), 400, "function takes the name or the ARN"),
        (get("?function=fn:live"), 400, "function takes"),
        (get("?status=dead"), 400, "no \"status\""),
        (get("?state=dead&state=queued"), 400, "state is given twice"),
        (get("/nobody"), 404, "there is no event \"nobody\""),
        (get("/6f2e4bd6-6b1f-4c8e-9e51-0a4b7f3f9a11"), 404, "there is no event"),
        (get("/purge"), 405, "only POST"),
        (("POST", "/_lambd/events".to_owned(), "{}".to_owned()), 405, "only GET"),
        (("DELETE", format!("/_lambd/events/{id}"), String::new()), 405, "only GET"),
        (post(""), 400, "exactly one of"),
        (post("{}"), 400, "exactly one of"),
        (post("[]"), 400, "exactly one of"),
        (post("{\"all\":false}"), 400, "exactly one of"),
        (post("{\"all\":1}"), 400, "exactly one of"),
        (post("{\"all\":true,\"state\":\"dead\"}"), 400, "exactly one of"),
        (post(&json!({"ids": [id], "state": "dead"}).to_string()), 400, "exactly one of"),
        (post(&json!({"ids": [id], "all": true}).to_string()), 400, "exactly one of"),
        (post("{\"ids\":[]}"), 400, "ids is a list"),
        (post(&json!({"ids": id}).to_string()), 400, "ids is a list"),
        (post("{\"ids\":[7]}"), 400, "ids is a list"),
        (post("{\"ids\":[\"nobody\"]}"), 404, "there is no event \"nobody\""),
        (post("{\"state\":\"ded\"}"), 400, "\"ded\" is no state"),
        (post("{\"state\":\"\"}"), 400, "\"\" is no state"),
        (post("{\"state\":null}"), 400, "state is a text"),
        (post("{\"function\":\"\"}"), 400, "function takes"),
        (post("{\"older_than\":\"1h\"}"), 400, "older_than is"),
        (post("{\"state\":\"dead\",\"limit\":1}"), 400, "no \"limit\""),
        (post(&large), 413, "name fewer ids"),
    ] {
        let answer = house.ask(method, &target, &body);
        let told = format!("{method} {target} {body:.80}: {answer:?}");
        assert_eq!(answer.status, status, "{told}");
        assert!(answer.json()["Message"].as_str().unwrap().contains(words), "{told}");
    }
    assert_eq!(house.show(&id), before);
}

#[test]
fn only_who_means_this_engine_changes_something() {
    let house = House::start(&[]);
    house.create("fn");
    house.retries("fn", 0);
    let id = house.event("fn", "\"fail\"");
    house.wait_for(&id, "dead", 1);
    let at = house.0.admin();
    let (here, json) = (at.to_string(), ("Content-Type", "application/json"));
    let (by_name, foreign) = (format!("localhost:{}", at.port()), format!("evil.example:{}", at.port()));
    let origin = format!("http://{foreign}");
    for (headers, status) in [
        (vec![json], 403),
        (vec![("Host", foreign.as_str()), json], 403),
        (vec![("Host", "127.0.0.1:1"), json], 403),
        (vec![("Host", here.as_str()), ("Origin", "null"), json], 403),
        (vec![("Host", here.as_str()), ("Origin", origin.as_str()), json], 403),
        (vec![("Host", here.as_str())], 415),
        (vec![("Host", here.as_str()), ("Content-Type", "text/plain")], 415),
        (vec![("Host", here.as_str()), ("Content-Type", "application/x-www-form-urlencoded")], 415),
    ] {
        for what in ["redrive", "purge"] {
            let answer = house.raw("POST", &format!("/_lambd/events/{what}"), &headers, "{\"all\":true}");
            assert_eq!(answer.status, status, "{headers:?}: {answer:?}");
        }
    }
    assert_eq!(house.show(&id)["State"], "dead");
    let ours = [
        ("Host", by_name.as_str()),
        ("Origin", &format!("http://{here}")),
        ("Content-Type", "application/json;charset=utf-8"),
    ];
    let answer = house.raw("POST", "/_lambd/events/purge", &ours, "{\"all\":true}");
    assert_eq!((answer.status, answer.json()), (200, json!({"Purged": 1})));
}

#[test]
fn the_api_listener_knows_nothing_of_it() {
    let house = House::start(&["--test-clock"]);
    for (method, target) in [
        ("GET", "/_lambd/events"),
        ("GET", "/_lambd/events/6f2e4bd6-6b1f-4c8e-9e51-0a4b7f3f9a11"),
        ("POST", "/_lambd/events/redrive"),
        ("POST", "/_lambd/events/purge"),
        ("POST", "/_lambd/clock/advance"),
    ] {
        let answer = house.0.send(&Request::new(method, target).header("Content-Type", "application/json").body("{}"));
        assert_eq!(answer.status, 404, "{answer:?}");
        assert!(answer.error().1.contains("admin listener"), "{answer:?}");
    }
}
