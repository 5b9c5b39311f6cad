//! What a function that wants out can try: each attempt by name, inside a real environment with another one beside it,
//! and why it is denied. The same attempts at level `process` succeed, so what is tested here can fail.
//!
//! Never here: what the machine itself lacks.

mod attempts;
mod exhaustion;
mod scene;
mod state;

use serde_json::{Value, json};

use crate::host::Kind;
use attempts::{Control, all};
use scene::Scene;

#[tokio::test]
async fn every_attempt_to_break_out_is_denied_for_its_reason() {
    let Some(scene) = Scene::set(Kind::Sandbox).await else { return };
    let mut wrong = Vec::new();
    for attempt in all(&scene) {
        let came = scene.attacker.ask(json!({"attempt": attempt.what})).await;
        let is_denied = came["allowed"] == false && attempt.denied.iter().any(|reason| is(&came, reason));
        if !is_denied {
            wrong.push(format!("{} must be denied with {:?}: {came}", Value::from(attempt.what), attempt.denied));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Nobody was harmed.
    assert_eq!(scene.other.ask(json!({"read": "/var/task/data"})).await, "of the other");
}

fn is(came: &Value, reason: &str) -> bool {
    came["errno"] == reason || came["detail"] == reason
}

#[tokio::test]
async fn the_same_attempts_succeed_where_nothing_isolates() {
    for kind in [Kind::OwnPaths, Kind::RealFolders] {
        let Some(scene) = Scene::set(kind).await else { continue };
        let mut wrong = Vec::new();
        for attempt in all(&scene) {
            let tolerated = match attempt.control {
                Control::At(at) if at == kind => &[][..],
                Control::AtUnless(at, tolerated) if at == kind => tolerated,
                Control::At(_) | Control::AtUnless(..) | Control::Nowhere => continue,
            };
            let came = scene.attacker.ask(json!({"attempt": attempt.what})).await;
            let what = Value::from(attempt.what);
            if tolerated.iter().any(|reason| is(&came, reason)) {
                testkit::skip::without_kernel("break-out, control", &format!("{what} cannot be had here: {came}"));
            } else if came["allowed"] != true {
                wrong.push(format!("{what} must succeed at {kind:?}: {came}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
