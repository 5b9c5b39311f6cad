//! `lambd events`.

use serde_json::{Value, json};

use super::house::{House, ids_of};
use crate::engine_process::lambd;

#[test]
fn lambd_events_lists_shows_redrives_and_purges() {
    let house = House::start(&["--test-clock"]);
    house.create("fn");
    house.create("other");
    house.retries("fn", 0);
    let dead: Vec<String> = (0..3).map(|n| house.event("fn", &format!("{{\"fail\":{n}}}"))).collect();
    let retrying = house.event("other", "\"fail\"");
    for id in &dead {
        house.wait_for(id, "dead", 1);
    }
    house.wait_for(&retrying, "retrying", 1);

    let json = |arguments: &[&str]| -> Value {
        serde_json::from_str(&house.printed(&[arguments, &["--output", "json"]].concat())).unwrap()
    };
    assert_eq!(json(&["list"]), house.get("/_lambd/events"));
    assert_eq!(json(&["list", "--state", "retrying"]), house.get("/_lambd/events?state=retrying"));
    assert_eq!(json(&["list", "--older-than", "1h"]), json!({"Events": [], "NextToken": null, "Total": 0}));
    assert_eq!(json(&["show", &dead[1]]), house.show(&dead[1]));
    house.advance(5_400.0);
    house.wait_for(&retrying, "retrying", 2);
    assert_eq!(ids_of(&json(&["list", "--older-than", "1h", "--function-name", "fn"])).len(), 3);

    // A part at a time.
    let first = json(&["list", "--max-items", "3"]);
    let token = first["NextToken"].as_str().unwrap();
    let rest = json(&["list", "--starting-token", token]);
    assert_eq!([ids_of(&first), ids_of(&rest)].concat(), house.ids(""));
    assert_eq!((&first["Total"], &rest["Total"], &rest["NextToken"]), (&json!(4), &json!(4), &Value::Null));

    // For people.
    let table = house.printed(&["list", "--function-name", "fn"]);
    let rows: Vec<&str> = table.lines().collect();
    assert!(rows.len() == 4 && rows[0].starts_with("REQUEST ID ") && rows[0].contains("STATE"), "{table}");
    for id in &dead {
        let row = rows.iter().find(|row| row.starts_with(id.as_str())).unwrap();
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(cells[1..4], ["fn", "dead", "1"], "{table}");
        assert!(row.ends_with("RetriesExhausted: it went wrong: ä"), "{table}");
    }
    let more = house.events(&["list", "--max-items", "1"]);
    let told = String::from_utf8(more.stderr).unwrap();
    assert!(told.starts_with("note: more of these 4 events with --starting-token "), "{told}");
    let none = house.events(&["list", "--state", "delivering"]);
    assert_eq!(
        (none.status.code(), none.stdout.as_slice(), none.stderr.as_slice()),
        (Some(0), &b""[..], &b"no events\n"[..])
    );
    let shown = house.printed(&["show", &dead[2]]);
    for part in ["state         dead\n", "  Shell.Failed: it went wrong: ä\n", "payload (10 bytes)\n{\"fail\":2}\n"] {
        assert!(shown.contains(part), "{shown}");
    }

    house.heal();
    assert_eq!(house.printed(&["redrive", &dead[0]]), "1 event redriven\n");
    house.wait_until_gone(&dead[0]);
    assert_eq!(
        json(&["redrive", "--state", "dead", "--function-name", "fn", "--older-than", "5m"]),
        json!({"Redriven": 2})
    );
    for id in &dead {
        house.wait_until_gone(id);
    }
    assert_eq!(json(&["redrive", "--all"]), json!({"Redriven": 0}));
    assert_eq!(house.printed(&["purge", "--all"]), "1 event purged\n");
    assert_eq!(json(&["purge", "--function-name", "other"]), json!({"Purged": 0}));
}

#[test]
fn lambd_events_says_what_is_wrong() {
    let house = House::start(&[]);
    let id = "6f2e4bd6-6b1f-4c8e-9e51-0a4b7f3f9a11";
    for arguments in [
        &[][..],
        &["list", "--state", "ded"],
        &["list", "--older-than", "5"],
        &["list", "--max-items", "0"],
        &["list", "--output", "xml"],
        &["lsit"],
        &["show"],
        &["redrive"],
        &["purge"],
        &["purge", "--output", "json"],
        &["purge", id, "--all"],
        &["purge", id, "--state", "dead"],
        &["redrive", "--all", "--function-name", "fn"],
    ] {
        let output = house.events(arguments);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(252), 0), "{arguments:?}: {told}");
        assert!(told.contains("--help"), "{arguments:?}: {told}");
    }
    for (arguments, words) in [
        (&["show", id][..], "there is no event"),
        (&["show", "no/body?"], "there is no event \"no/body?\""),
        (&["redrive", id], "there is no event"),
        (&["purge", "nobody"], "there is no event \"nobody\""),
        (&["list", "--function-name", "a b"], "function takes the name or the ARN"),
        (&["list", "--starting-token", "7"], "token takes what NextToken was"),
    ] {
        let output = house.events(arguments);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(254), 0), "{arguments:?}: {told}");
        assert!(told.starts_with("error: ") && told.contains(words) && told.contains("\nhelp: "), "{told}");
    }
    let nowhere = format!("http://{}", std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    for arguments in [&["list"][..], &["show", id], &["redrive", "--all"], &["purge", "--state", "dead"]] {
        let output = lambd().arg("events").args(arguments).args(["--admin-url", &nowhere]).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(255), "{arguments:?}: {told}");
        assert!(told.contains(&nowhere) && told.contains("\nhelp: `lambd serve` starts one"), "{told}");
    }
}

#[test]
fn help_completions_and_manual_come_from_one_declaration() {
    let text = |arguments: &[&str]| {
        let output = lambd().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let help = text(&["events", "purge", "--help"]);
    for part in
        ["--function-name <NAME>", "--state <STATE>", "--older-than <TIME>", "--all", "LAMBD_ADMIN_URL", "delivering"]
    {
        assert!(help.contains(part), "{help}");
    }
    assert!(text(&["events", "--help"]).contains("252 a mistake on the command line"));
    assert!(text(&["man", "events"]).contains("lambd\\-events\\-purge"));
    assert!(text(&["man", "events", "purge"]).contains("\\-\\-older\\-than"));
    assert!(text(&["completions", "bash"]).contains("lambd__subcmd__events__subcmd__purge"));
}
