//! The levels of isolation, as whoever starts and calls an engine sees them.

use std::process::Output;

use serde_json::Value;

use crate::engine_process::{Connection, Engine, Request, lambd};

/// From the best to the least.
const LEVELS: [&str; 4] = ["sandbox", "rootless", "confined", "process"];

fn run(arguments: &[&str]) -> Output {
    lambd().args(arguments).env_remove("LAMBD_ISOLATION").env_remove("LAMBD_ISOLATION_MIN").output().unwrap()
}

/// What `doctor` tells with these flags, and how it ends.
fn doctor(flags: &[&str]) -> (Option<i32>, Value) {
    let told = run(&[&["doctor", "--output", "json"], flags].concat());
    (told.status.code(), serde_json::from_slice(&told.stdout).unwrap())
}

fn is_at_least(level: &str, least: &str) -> bool {
    let place = |wanted: &str| LEVELS.iter().position(|known| *known == wanted).unwrap();
    place(level) <= place(least)
}

#[test]
fn the_best_level_is_the_default_and_nothing_below_confined_is() {
    let (code, told) = doctor(&["--isolation-min", "process"]);
    assert_eq!(code, Some(0), "{told}");
    let level = told["isolation"].as_str().unwrap();
    let (code, told) = doctor(&[]);
    if is_at_least(level, "confined") {
        assert_eq!((code, told["isolation"].as_str()), (Some(0), Some(level)));
    } else {
        assert_eq!(code, Some(1), "{told}");
        assert!(told["refusal"].as_str().unwrap().contains("confined was asked for (--isolation-min)"), "{told}");
    }
}

#[test]
fn a_level_is_had_or_refused_with_the_reason_and_a_remedy() {
    let mut had = 0;
    for level in LEVELS {
        let flags = ["--isolation", level, "--isolation-min", level];
        let (code, told) = doctor(&flags);
        if code == Some(0) {
            had += 1;
            assert_eq!((told["isolation"].as_str(), &told["refusal"]), (Some(level), &Value::Null));
            let of = |name: &str| told["features"][name].as_str().unwrap().to_owned();
            let kept = ["net", "fs"].map(of);
            match level {
                "sandbox" => assert_eq!((of("uid"), kept), ("hard".to_owned(), ["hard", "hard"].map(str::to_owned))),
                "rootless" => assert_eq!((of("uid"), kept), ("soft".to_owned(), ["hard", "hard"].map(str::to_owned))),
                "confined" => assert!(kept[0] == "none" && kept[1] != "none", "{told}"),
                _ => assert!(told["features"].as_object().unwrap().values().all(|strength| strength == "none")),
            }
            continue;
        }
        assert_eq!(code, Some(1), "{told}");
        // The start says the same, and nothing on standard output.
        let refused =
            run(&[&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"], &flags[..]].concat());
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0), "{said}");
        for said in [said.as_str(), told["refusal"].as_str().unwrap()] {
            for part in [
                &format!("{level} was asked for (--isolation)"),
                "is what can be had",
                &format!("{level}: "),
                "start with --isolation ",
                "--isolation-min ",
            ] {
                assert!(said.contains(part), "{part:?} is not in {said}");
            }
        }
    }
    assert!(had > 0);
}

#[test]
fn an_engine_tells_its_level_and_a_function_may_ask_for_it() {
    // Whichever level the tests run at.
    let engine = Engine::start();
    let get = |path: &str| {
        let mut connection = Connection::to(engine.admin());
        connection.write(&Request::new("GET", path).bytes()).unwrap();
        connection.read("GET").unwrap()
    };
    let told = get("/_lambd/isolation").json();
    let level = told["isolation"].as_str().unwrap();
    assert_eq!(told["features"].as_object().unwrap().len(), 7);
    assert!(["none", "v1", "v2"].contains(&told["cgroup"].as_str().unwrap()));
    let metrics = String::from_utf8(get("/metrics").body).unwrap();
    assert!(metrics.contains(&format!("lambd_isolation_level{{level=\"{level}\"}} 1")), "{metrics}");

    let create = |name: &str, asked: &str| {
        let mut request = Request::create_function(name);
        let mut body: Value = serde_json::from_slice(&request.body).unwrap();
        body["Tags"] = serde_json::json!({ "lambd:isolation": asked });
        request.body = body.to_string().into();
        engine.send(&request)
    };
    for asked in LEVELS {
        let answer = create(asked, asked);
        if is_at_least(level, asked) {
            assert_eq!(answer.status, 201, "{answer:?}");
            engine.wait_until_settled(asked);
            assert_eq!(engine.send(&Request::invoke(asked, "{}")).status, 200);
        } else {
            let text = format!(
                "The tag lambd:isolation cannot be met: {asked} is asked for, and this engine isolates functions at level \
                 {level}; `lambd doctor --isolation {asked}` tells why"
            );
            let refused = (answer.status, answer.error());
            assert_eq!(refused, (400, ("InvalidParameterValueException".to_owned(), text)));
        }
    }
    let unknown = create("unknown", "most");
    assert_eq!((unknown.status, unknown.error().0.as_str()), (400, "InvalidParameterValueException"));
    assert!(unknown.error().1.contains("\"most\" is no isolation level"), "{unknown:?}");

    // A tag that comes later is judged alike.
    let arn = create("later", "process").json()["FunctionArn"].as_str().unwrap().to_owned();
    let target = format!("/2017-03-31/tags/{}", crate::engine_process::encoded(&arn));
    let tag = |asked: &str| {
        let body = serde_json::json!({ "Tags": { "lambd:isolation": asked } }).to_string();
        engine.send(&Request::new("POST", &target).body(body))
    };
    assert_eq!(tag(level).status, 204);
    assert_eq!(tag("most").status, 400);
}
