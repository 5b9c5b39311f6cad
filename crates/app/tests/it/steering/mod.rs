//! Events seen and steered: the admin API and `lambd events`, the clock for tests, faults on purpose.

mod clock;
mod command;
mod faults;
mod house;
mod refusals;

use serde_json::{Value, json};

use self::house::{House, function_query, ids_of};
use crate::engine_process::{Request, poll};
use crate::gate::{self, Gate};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:";

/// Fails at once, and for good, unless it is healed.
fn dead_event(house: &House, name: &str, payload: &str) -> String {
    let id = house.event(name, payload);
    house.wait_for(&id, "dead", 1);
    id
}

/// Creates a function that runs one event at a time, which waits at the gate.
fn create_gated(house: &House, name: &str) -> Gate {
    let gate = Gate::new();
    gate::create(&house.0, name, &[("EVENT_GATE", gate.port())]);
    house.reserve(name, 1);
    gate
}

#[test]
fn events_are_listed_in_order_page_by_page() {
    let house = House::start(&["--test-clock"]);
    house.create("fn");
    house.create("other");
    for name in ["fn", "other"] {
        house.retries(name, 0);
    }
    assert_eq!(house.get("/_lambd/events"), json!({"Events": [], "NextToken": null, "Total": 0}));
    let sent: Vec<String> = (0..23).map(|n| house.event("fn", &format!("\"fail {n}\""))).collect();
    let other = dead_event(&house, "other", "\"fail\"");
    poll("all are dead", || Some(()).filter(|()| house.get("/_lambd/events?state=dead&limit=1")["Total"] == 24));

    let event = &house.get("/_lambd/events?function=other")["Events"][0];
    let members: Vec<&String> = event.as_object().unwrap().keys().collect();
    let named =
        ["RequestId", "FunctionName", "FunctionArn", "State", "Attempts", "AcceptedAt", "NextAttemptAt", "Reason"];
    assert_eq!(members, named);
    let time = regex::Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$").unwrap();
    assert!(time.is_match(event["AcceptedAt"].as_str().unwrap()), "{event}");
    let mut rest = event.clone();
    rest["AcceptedAt"].take();
    let expected = json!({
        "RequestId": other, "FunctionName": "other", "FunctionArn": format!("{ARN}other"), "State": "dead", "Attempts": 1,
        "AcceptedAt": null, "NextAttemptAt": null, "Reason": "RetriesExhausted: it went wrong: ä",
    });
    assert_eq!(rest, expected);

    // Page by page.
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = house.get(&format!("/_lambd/events?limit=10&state=dead&function=fn&token={token}"));
        assert_eq!(page["Total"], 23);
        seen.extend(page["Events"].as_array().unwrap().clone());
        match page["NextToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
        assert_eq!(seen.len() % 10, 0);
    }
    let place = |event: &Value| (event["AcceptedAt"].to_string(), event["RequestId"].to_string());
    assert!(seen.is_sorted_by(|one, next| place(one) < place(next)), "oldest first, then by id, none twice");
    let mut ids: Vec<&str> = seen.iter().map(|event| event["RequestId"].as_str().unwrap()).collect();
    let mut sent: Vec<&str> = sent.iter().map(String::as_str).collect();
    ids.sort_unstable();
    sent.sort_unstable();
    assert_eq!(ids, sent);

    // By function, by state, by age; a form's empty fields say nothing.
    for (query, count) in [
        ("function=&state=&older_than=&limit=&token=".to_owned(), 24),
        ("function=fn".to_owned(), 23),
        (function_query(&format!("{ARN}other")), 1),
        ("function=nobody".to_owned(), 0),
        ("state=dead".to_owned(), 24),
        ("state=queued".to_owned(), 0),
        ("state=running".to_owned(), 0),
        ("older_than=3600".to_owned(), 0),
    ] {
        assert_eq!(house.ids(&query).len(), count, "{query}");
    }
    house.advance(3_601.0);
    let young = dead_event(&house, "other", "\"fail\"");
    assert_eq!(house.ids("older_than=3600").len(), 24);
    assert_eq!(house.ids("older_than=3600&function=other"), std::slice::from_ref(&other));
    assert_eq!(house.ids("older_than=0.0&function=other"), [other, young]);
}

#[test]
fn a_redrive_repeats_the_event_as_it_was() {
    let mut house = House::start(&["--retry-base-seconds", "0"]);
    house.create("fn");
    house.retries("fn", 1);
    let payload = "{ \"fail\" : 1.0,\t\"a\":\"\\u00e4ä\\/\" }\n";
    let id = house.event("fn", payload);
    let before = house.wait_for(&id, "dead", 2);
    assert_eq!(before["Payload"], payload);
    assert_eq!(before["Deliveries"], json!([]));
    let history = before["History"].as_array().unwrap();
    for (index, attempt) in history.iter().enumerate() {
        let Value::Object(mut attempt) = attempt.clone() else { panic!("{attempt}") };
        assert!(attempt.remove("StartedAt").unwrap().as_str() >= before["AcceptedAt"].as_str());
        let expected = json!({"Attempt": index + 1, "ErrorType": "Shell.Failed", "ErrorMessage": "it went wrong: ä"});
        assert_eq!(Value::Object(attempt), expected);
    }
    assert_eq!(history.len(), 2);

    // Again from the start; it fails again.
    assert_eq!(house.post("/_lambd/events/redrive", &json!({"ids": [id, id]})), json!({"Redriven": 1}));
    let again = poll("it has run four times", || {
        Some(house.show(&id)).filter(|event| event["State"] == "dead" && house.runs_of(&id).len() == 4)
    });
    assert_eq!((&again["Attempts"], &again["AcceptedAt"]), (&json!(2), &before["AcceptedAt"]));
    assert_ne!(again["History"], before["History"]);
    // A dead event outlives the engine.
    house.0.restart();
    assert_eq!(house.show(&id), again);
    house.heal();
    assert_eq!(house.post("/_lambd/events/redrive", &json!({"state": "dead"})), json!({"Redriven": 1}));
    house.wait_until_gone(&id);
    assert_eq!(house.runs_of(&id), vec![payload.as_bytes().to_vec(); 5]);
    assert_eq!(house.post("/_lambd/events/redrive", &json!({"all": true})), json!({"Redriven": 0}));
}

#[test]
fn all_but_running_events_are_purged() {
    let mut house = House::start(&[]);
    house.create("fails");
    house.retries("fails", 0);
    let gate = create_gated(&house, "gated");
    let running = house.event("gated", "\"running\"");
    let waiting = gate.reached();
    let queued: Vec<String> = (0..3).map(|n| house.event("gated", &n.to_string())).collect();
    let [dead, also_dead] = ["\"fail\"", "\"fail too\""].map(|payload| dead_event(&house, "fails", payload));

    let shown = poll("they are throttled", || Some(house.show(&queued[0])).filter(|event| !event["Reason"].is_null()));
    assert_eq!(
        (&shown["State"], &shown["Attempts"], &shown["Reason"]),
        (&json!("queued"), &json!(0), &json!("ReservedFunctionConcurrentInvocationLimitExceeded"))
    );
    assert!(shown["NextAttemptAt"].as_str() > shown["AcceptedAt"].as_str(), "{shown}");
    assert_eq!(house.ids("state=queued"), queued);
    assert_eq!(house.ids("state=running"), std::slice::from_ref(&running));
    assert_eq!(house.show(&running)["NextAttemptAt"], Value::Null);

    // What is in no state for it is told, and nothing happens.
    for (what, named, state) in
        [("purge", &running, "running"), ("redrive", &running, "running"), ("redrive", &queued[0], "queued")]
    {
        let answer = house.ask("POST", &format!("/_lambd/events/{what}"), &json!({"ids": [dead, named]}).to_string());
        assert_eq!(answer.status, 409, "{answer:?}");
        let message = answer.json()["Message"].as_str().unwrap().to_owned();
        assert!(message.contains(named.as_str()) && message.contains(&format!("is {state} ")), "{message}");
    }
    let missing = json!({"ids": [dead, "6f2e4bd6-6b1f-4c8e-9e51-0a4b7f3f9a11"]}).to_string();
    assert_eq!(house.ask("POST", "/_lambd/events/purge", &missing).status, 404);
    assert_eq!(house.get("/_lambd/events")["Total"], 6);
    assert!(metrics(&house).contains("lambd_events_kept 6\n") && metrics(&house).contains("lambd_events_running 1\n"));

    let purge = |body: Value| house.post("/_lambd/events/purge", &body)["Purged"].as_u64().unwrap();
    assert_eq!(purge(json!({"ids": [dead, queued[1]]})), 2);
    assert_eq!(purge(json!({"state": "running"})), 0);
    assert_eq!(purge(json!({"state": "dead", "older_than": 3600})), 0);
    assert_eq!(purge(json!({"state": "dead", "function": "gated"})), 0);
    assert_eq!(purge(json!({"state": "dead", "function": format!("{ARN}fails"), "older_than": 0.0})), 1);
    assert!(house.show(&also_dead).is_null());
    assert_eq!(purge(json!({"all": true})), 2);
    assert_eq!(house.ids(""), std::slice::from_ref(&running));

    // What was cut off runs again; what was purged never does.
    drop(waiting);
    house.0.restart();
    let waiting = gate.reached();
    assert_eq!(house.ids("state=running"), std::slice::from_ref(&running));
    assert_eq!(house.show(&running)["Attempts"], 0);
    waiting.open();
    house.wait_until_gone(&running);
    assert_eq!(house.get("/_lambd/events")["Total"], 0);
    let next = house.event("gated", "\"next\"");
    gate.reached().open();
    house.wait_until_gone(&next);
    assert!(metrics(&house).contains("lambd_events_kept 0\n"));
}

fn metrics(house: &House) -> String {
    String::from_utf8(house.ask("GET", "/metrics", "").body).unwrap()
}

#[test]
fn of_a_delivering_event_only_the_delivery_is_repeated() {
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let house = House::start(&["--endpoint", &format!("sqs=http://{nowhere}")]);
    house.create("fn");
    let target = "arn:aws:sqs:us-east-1:000000000000:records";
    let config = json!({"DestinationConfig": {"OnSuccess": {"Destination": target}}}).to_string();
    let put = house.0.send(&Request::new("PUT", "/2019-09-25/functions/fn/event-invoke-config").body(config));
    assert_eq!(put.status, 200, "{put:?}");
    let id = house.event("fn", "\"well\"");
    let tried = |id: &str| {
        poll("its delivery was tried", || {
            Some(house.show(id)).filter(|event| event["Deliveries"][0]["Attempts"].as_u64() >= Some(1))
        })
    };
    let shown = tried(&id);
    assert_eq!(
        (&shown["State"], &shown["Attempts"], &shown["NextAttemptAt"]),
        (&json!("delivering"), &json!(1), &Value::Null)
    );
    let delivery = &shown["Deliveries"][0];
    assert_eq!((&delivery["Target"], &delivery["State"]), (&json!(target), &json!("pending")));
    assert!(delivery["NextAttemptAt"].as_str() > shown["AcceptedAt"].as_str(), "{delivery}");
    assert!(delivery["LastError"].as_str().is_some_and(|error| !error.is_empty()), "{delivery}");

    assert_eq!(house.post("/_lambd/events/redrive", &json!({"ids": [id]})), json!({"Redriven": 1}));
    tried(&id);
    assert_eq!(house.runs_of(&id).len(), 1);
    assert_eq!(house.post("/_lambd/events/purge", &json!({"state": "delivering"})), json!({"Purged": 1}));
    assert!(house.show(&id).is_null());
}

#[test]
fn events_of_a_deleted_function_end_dead() {
    let house = House::start(&[]);
    let gate = create_gated(&house, "gated");
    let running = house.event("gated", "\"running\"");
    let waiting = gate.reached();
    let queued = house.event("gated", "\"queued\"");
    assert_eq!(house.0.send(&Request::new("DELETE", "/2015-03-31/functions/gated")).status, 204);
    let dead = house.wait_for(&queued, "dead", 0);
    assert_eq!(dead["Reason"], "FunctionUnavailable");
    waiting.open();
    house.wait_until_gone(&running);
    // They can still be seen, by the name that they were sent to, and removed.
    assert_eq!(house.ids("function=gated"), std::slice::from_ref(&queued));
    assert_eq!(house.post("/_lambd/events/purge", &json!({"function": "gated"})), json!({"Purged": 1}));
}

#[test]
fn an_event_sent_to_an_alias_is_shown_with_it() {
    let house = House::start(&[]);
    house.create("fn");
    let published = house.0.send(&Request::new("POST", "/2015-03-31/functions/fn/versions").body("{}"));
    assert_eq!(published.status, 201, "{published:?}");
    let alias = json!({"Name": "live", "FunctionVersion": "1"}).to_string();
    assert_eq!(house.0.send(&Request::new("POST", "/2015-03-31/functions/fn/aliases").body(alias)).status, 201);
    let config = json!({"MaximumRetryAttempts": 0}).to_string();
    let target = "/2019-09-25/functions/fn/event-invoke-config?Qualifier=live";
    assert_eq!(house.0.send(&Request::new("PUT", target).body(config)).status, 200);
    let id = dead_event(&house, "fn:live", "\"fail\"");
    let page = house.get("/_lambd/events?function=fn");
    assert_eq!(ids_of(&page), std::slice::from_ref(&id));
    assert_eq!(page["Events"][0]["FunctionArn"], format!("{ARN}fn:live"));
    assert_eq!(page["Events"][0]["FunctionName"], "fn");
}

#[test]
fn a_full_queue_is_told_of_in_time_and_refuses_more() {
    let mut house = House::start(&["--events-max", "5"]);
    house.create("fn");
    house.retries("fn", 0);
    let full = "4 events are kept of the 5 that may be (--events-max)";
    for n in 1..=3 {
        dead_event(&house, "fn", &format!("\"fail {n}\""));
    }
    assert!(!house.0.log().contains("events are kept"), "{}", house.0.log());
    dead_event(&house, "fn", "\"fail 4\"");
    assert_eq!(house.0.log().matches(full).count(), 1, "{}", house.0.log());
    house.0.restart();
    assert_eq!(house.0.log().matches(full).count(), 2, "{}", house.0.log());
    dead_event(&house, "fn", "\"fail 5\"");
    let refused = house.0.send(&Request::invoke("fn", "\"fail 6\"").header("X-Amz-Invocation-Type", "Event"));
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.error().1.contains("--events-max"), "{refused:?}");
    // Dead events count until they are purged.
    assert_eq!(house.post("/_lambd/events/purge", &json!({"all": true})), json!({"Purged": 5}));
    dead_event(&house, "fn", "\"fail 7\"");
}
