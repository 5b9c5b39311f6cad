//! What was acknowledged is there after any end; what was not is there whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::dice::Dice;
use crate::engine_process::{Engine, Request, encoded, poll, zip_of};

/// How often the engine is killed.
const KILLS: u64 = 10;
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// What a function should be: the digest of its code, and its memory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shown {
    digest: String,
    memory: u64,
}

/// The code of a function, told apart by a number; and its digest as Lambda shows it.
fn code(number: u64) -> (Vec<u8>, String) {
    let zip = zip_of(&[("bootstrap", 0o755, b"#!/bin/sh\n"), ("number", 0o644, number.to_string().as_bytes())]);
    let digest = data_encoding::BASE64.encode(&Sha256::digest(&zip));
    (zip, digest)
}

fn path(name: &str) -> String {
    format!("/2015-03-31/functions/{}", encoded(name))
}

fn create(name: &str, zip: &[u8]) -> Request {
    let body = serde_json::json!({
        "FunctionName": name, "Runtime": "provided.al2023", "Handler": "x", "Role": "arn:aws:iam::111111111111:role/r",
        "Code": { "ZipFile": data_encoding::BASE64.encode(zip) },
    });
    Request::new("POST", "/2015-03-31/functions").body(body.to_string())
}

/// One change of a function: the request, and what the function then is; nothing if it is gone.
fn change(dice: &mut Dice, name: &str, now: Option<&Shown>) -> (Request, Option<Shown>) {
    let (zip, digest) = code(dice.roll(12));
    match now {
        None => (create(name, &zip), Some(Shown { digest, memory: 128 })),
        Some(now) => match dice.roll(4) {
            0 => (Request::new("DELETE", &path(name)), None),
            1 | 2 => {
                let body = serde_json::json!({ "ZipFile": data_encoding::BASE64.encode(&zip) });
                let request = Request::new("PUT", &format!("{}/code", path(name))).body(body.to_string());
                (request, Some(Shown { digest, memory: now.memory }))
            }
            _ => {
                let memory = 128 + dice.roll(1000);
                let body = serde_json::json!({ "MemorySize": memory });
                let request = Request::new("PUT", &format!("{}/configuration", path(name))).body(body.to_string());
                (request, Some(Shown { digest: now.digest.clone(), memory }))
            }
        },
    }
}

/// All functions as ListFunctions shows them.
fn listed(engine: &Engine) -> BTreeMap<String, Shown> {
    let list = engine.send(&Request::new("GET", "/2015-03-31/functions")).json();
    let text = |function: &serde_json::Value, member: &str| function[member].as_str().unwrap().to_owned();
    let shown = |function: &serde_json::Value| Shown {
        digest: text(function, "CodeSha256"),
        memory: function["MemorySize"].as_u64().unwrap(),
    };
    let functions = list["Functions"].as_array().unwrap();
    functions.iter().map(|function| (text(function, "FunctionName"), shown(function))).collect()
}

/// The packages on disk, by the digest in the name of the zip and of the unpacked folder.
fn packages(data_dir: &Path) -> (BTreeSet<String>, BTreeSet<String>) {
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(data_dir.join(folder)).unwrap().flatten();
        entries.map(|entry| entry.file_name().to_str().unwrap().trim_end_matches(".zip").to_owned()).collect()
    };
    (names("packages/sha256"), names("code"))
}

fn hex(digest: &str) -> String {
    data_encoding::HEXLOWER.encode(&data_encoding::BASE64.decode(digest.as_bytes()).unwrap())
}

#[test]
fn what_was_acknowledged_survives_kills_at_any_moment() {
    let mut dice = Dice(0x5EED);
    let mut engine = Engine::start();
    let mut expected: BTreeMap<String, Shown> = BTreeMap::new();
    let mut acknowledged = 0;
    for kill in 0..KILLS {
        // Changes one after the other, for as long as the engine lives; the last has no answer.
        let moment = dice.roll(400_000);
        let address = engine.api();
        let pid = engine.pid();
        let killer = std::thread::spawn(move || {
            std::thread::park_timeout(std::time::Duration::from_micros(moment));
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        });
        let in_doubt = loop {
            let name = NAMES[usize::try_from(dice.roll(4)).unwrap()];
            let (request, next) = change(&mut dice, name, expected.get(name));
            let answer = crate::engine_process::Connection::try_to(address).and_then(|mut connection| {
                connection.write(&request.bytes()).ok()?;
                connection.read(&request.method)
            });
            match answer {
                None => break (name, next),
                Some(answer) if (200..300).contains(&answer.status) => {
                    acknowledged += 1;
                    match next {
                        Some(next) => expected.insert(name.to_owned(), next),
                        None => expected.remove(name),
                    };
                }
                // Its last change is still being activated: AWS's own refusal, which changes nothing.
                Some(answer) => assert_eq!(answer.status, 409, "{answer:?}"),
            }
        };
        killer.join().unwrap();
        engine.restart();

        let shown = listed(&engine);
        let (name, next) = in_doubt;
        let mut with = expected.clone();
        match next {
            Some(next) => with.insert(name.to_owned(), next),
            None => with.remove(name),
        };
        assert!(shown == expected || shown == with, "kill {kill}: {shown:?} is neither\n{expected:?} nor\n{with:?}");
        expected = shown;
        // Nothing is stuck, and nothing half made.
        for (name, function) in &expected {
            engine.wait_until_settled(name);
            let hex = hex(&function.digest);
            let zip = fs::read(engine.data_dir().join("packages/sha256").join(format!("{hex}.zip"))).unwrap();
            assert_eq!(data_encoding::BASE64.encode(&Sha256::digest(&zip)), function.digest);
            assert!(engine.data_dir().join("code").join(&hex).join("number").is_file());
        }
        assert_eq!(fs::read_dir(engine.data_dir().join("packages/tmp")).unwrap().count(), 0);
    }
    assert!(acknowledged > 20, "only {acknowledged} changes were acknowledged: the kills come too early");
    // What nobody uses any more is swept.
    poll("unused packages are removed", || {
        let used: BTreeSet<String> = expected.values().map(|function| hex(&function.digest)).collect();
        (packages(&engine.data_dir()) == (used.clone(), used)).then_some(())
    });
}

#[test]
fn functions_survive_an_orderly_restart() {
    let mut engine = Engine::start();
    assert_eq!(engine.send(&Request::create_function("fn")).status, 201);
    engine.wait_until_settled("fn");
    let before = engine.send(&Request::new("GET", "/2015-03-31/functions/fn/configuration")).json();
    assert_eq!(engine.terminate().code(), Some(0));
    engine.restart();
    let after = engine.send(&Request::new("GET", "/2015-03-31/functions/fn/configuration")).json();
    assert_eq!(after, before);
    let answer = engine.send(&Request::invoke("fn", "[1]"));
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"[1]".as_slice()));
}

#[test]
fn a_code_folder_removed_by_hand_is_made_again() {
    let mut engine = Engine::start();
    assert_eq!(engine.send(&Request::create_function("fn")).status, 201);
    engine.wait_until_settled("fn");
    engine.kill();
    fs::remove_dir_all(engine.data_dir().join("code")).unwrap();
    engine.begin();
    assert!(engine.log().contains("the unpacked code was missing; unpacked it again"), "{}", engine.log());
    let answer = engine.send(&Request::invoke("fn", "[2]"));
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"[2]".as_slice()));
}

#[test]
fn code_that_is_lost_is_reported_and_the_others_serve() {
    let mut engine = Engine::start();
    let (zip, digest) = code(1);
    assert_eq!(engine.send(&create("lost", &zip)).status, 201);
    assert_eq!(engine.send(&Request::create_function("kept")).status, 201);
    for name in ["lost", "kept"] {
        engine.wait_until_settled(name);
    }
    engine.kill();
    let hex = hex(&digest);
    fs::remove_dir_all(engine.data_dir().join("code").join(&hex)).unwrap();
    fs::remove_file(engine.data_dir().join("packages/sha256").join(format!("{hex}.zip"))).unwrap();
    engine.begin();
    let log = engine.log();
    assert!(log.contains("the code of a function is lost: update it with its zip again"), "{log}");
    assert!(log.contains("function=lost") && log.contains("its zip is gone"), "{log}");
    assert_eq!(engine.send(&Request::invoke("kept", "[3]")).body, b"[3]");
    // Bringing the same code again mends it.
    let body = serde_json::json!({ "ZipFile": data_encoding::BASE64.encode(&zip) });
    let mended = engine.send(&Request::new("PUT", "/2015-03-31/functions/lost/code").body(body.to_string()));
    assert_eq!((mended.status, &mended.json()["CodeSha256"]), (200, &digest.into()));
    assert!(engine.data_dir().join("code").join(&hex).join("bootstrap").is_file());
}
