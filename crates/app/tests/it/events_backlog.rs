//! A function whose events wait for its only slot, and others that are none the slower for it. How fast, and with how
//! many: `cargo xtask bench --events`.

use serde_json::json;

use crate::engine_process::{Engine, Request};
use crate::functions::Deployed;
use crate::gate::Gate;
use crate::ledger::{Ledger, TELL};
use crate::tools::Interpreters;

const THROTTLED: usize = 500;
/// Events of the other function.
const OTHERS: usize = 5;

#[test]
fn throttled_events_of_one_function_hold_up_no_other() {
    let test = "events_backlog::throttled_events_of_one_function_hold_up_no_other";
    let Some(interpreters) = Interpreters::find(test) else { return };
    let ledger = Ledger::open(|ran: &mut Vec<String>, line: &str| ran.push(line.to_owned()));
    let engine = Engine::start_with(&["--config", interpreters.settings()]);
    let handler = r#"
def handler(event, context):
    if event.get("gate"):
        with socket.create_connection(("127.0.0.1", event["gate"])) as gate:
            gate.recv(1)
    else:
        tell(context.function_name)
"#;
    let code = format!("{TELL}{handler}");
    let settings = json!({
        "Runtime": interpreters.python(), "Environment": { "Variables": { "LEDGER": ledger.port() } }, "Timeout": 300,
    });
    for name in ["narrow", "other"] {
        Deployed::create(&engine, name, &[("app.py", 0o644, code.as_bytes())], &settings);
    }
    let one = json!({ "ReservedConcurrentExecutions": 1 }).to_string();
    let narrow = Request::new("PUT", "/2017-10-31/functions/narrow/concurrency").body(one);
    assert_eq!(engine.send(&narrow).status, 200);

    let gate = Gate::new();
    let mut holder = engine.connect();
    let hold = json!({ "gate": gate.port().parse::<u16>().unwrap() }).to_string();
    holder.write(&Request::invoke("narrow", hold).bytes()).unwrap();
    let held = gate.reached();
    let mut connection = engine.connect();
    let mut send = |name: &str| {
        let request = Request::invoke(name, "{}").header("X-Amz-Invocation-Type", "Event");
        connection.write(&request.bytes()).unwrap();
        assert_eq!(connection.read(&request.method).unwrap().status, 202);
    };
    (0..THROTTLED).for_each(|_| send("narrow"));
    for sent in 1..=OTHERS {
        send("other");
        ledger.wait(|ran| (ran.len() < sent).then(|| format!("{sent} of the other function: {ran:?}")));
    }
    assert_eq!(*ledger.read(), ["other"; OTHERS], "something ran although its slot was held");
    held.open();
    assert_eq!(holder.read("POST").unwrap().status, 200);
    ledger.wait(|ran| (ran.len() < THROTTLED + OTHERS).then(|| format!("{} ran", ran.len())));
}
