//! Pages of a listing while functions come and go between them: a marker holds whatever happens to the function that it
//! was made behind.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::engine_process::{Engine, Request, encoded};

/// Functions that are there throughout, and names that come and go.
const LASTING: usize = 12;
const FLEETING: usize = 12;

/// What happens to fleeting functions before each page; a number is one of them, which is made or removed.
fn turns() -> impl Strategy<Value = (u32, Vec<Vec<usize>>)> {
    (1_u32..8, prop::collection::vec(prop::collection::vec(0..FLEETING, 0..4), 40))
}

#[test]
fn markers_hold_while_functions_come_and_go() {
    let engine = Engine::start();
    let lasting: Vec<String> = (0..LASTING).map(|number| format!("n{number:02}-a")).collect();
    for name in &lasting {
        assert_eq!(engine.send(&Request::create_function(name)).status, 201);
    }
    let there = std::cell::RefCell::new(BTreeSet::new());
    let mut runner = TestRunner::new(Config { cases: 20, failure_persistence: None, ..Config::default() });
    let result = runner.run(&turns(), |(items, turns)| {
        let mut there = there.borrow_mut();
        let mut shown: Vec<String> = Vec::new();
        let mut marker: Option<String> = None;
        for turn in turns {
            for number in turn {
                let name = format!("n{number:02}-b");
                let target = format!("/2015-03-31/functions/{name}");
                if there.remove(&name) {
                    assert_eq!(engine.send(&Request::new("DELETE", &target)).status, 204);
                } else {
                    assert_eq!(engine.send(&Request::create_function(&name)).status, 201);
                    there.insert(name);
                }
            }
            let after = marker.as_ref().map_or(String::new(), |marker| format!("&Marker={}", encoded(marker)));
            let page = engine.send(&Request::new("GET", &format!("/2015-03-31/functions?MaxItems={items}{after}")));
            prop_assert_eq!(page.status, 200);
            let page = page.json();
            let names = page["Functions"].as_array().unwrap().iter().map(|one| one["FunctionName"].as_str().unwrap());
            let names: Vec<String> = names.map(str::to_owned).collect();
            prop_assert!(names.len() <= items as usize);
            // What is shown is there, and everything between the last page's end and this one's is shown.
            let last = shown.last().cloned().unwrap_or_default();
            let all: BTreeSet<String> = lasting.iter().chain(there.iter()).cloned().collect();
            let expected: Vec<String> = all.into_iter().filter(|name| *name > last).take(items as usize).collect();
            prop_assert_eq!(&names, &expected);
            shown.extend(names);
            marker = page["NextMarker"].as_str().map(str::to_owned);
            if marker.is_none() {
                break;
            }
        }
        prop_assert!(marker.is_none(), "the listing does not end");
        let seen: Vec<&String> = shown.iter().filter(|name| lasting.contains(name)).collect();
        prop_assert_eq!(seen, lasting.iter().collect::<Vec<_>>());
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}
