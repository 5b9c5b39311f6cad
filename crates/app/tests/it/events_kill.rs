//! An engine that is killed again and again while events come in, run and are settled: each event that was accepted
//! runs, and ends in exactly one way.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use domain::arn::Home;
use domain::event::State;
use domain::names::RequestId;
use engine::ports::{DeliveryShown, DeliveryState, EventFilter, EventRecords as _, Listed, Shown};
use serde_json::json;
use store::Store;

use crate::dice::Dice;
use crate::engine_process::{Connection, Engine, Request};
use crate::functions::Deployed;
use crate::ledger::{Ledger, TELL};
use crate::tools::Interpreters;

/// How often the engine is killed. `LAMBD_KILLS` says otherwise: `cargo xtask kills --rounds 50`.
const KILLS: u64 = 5;
/// Who sends events at a time.
const CLIENTS: u64 = 4;
/// Events that a client sends between two kills, at most.
const EVENTS_MAX: u64 = 20;
/// Does well; always fails; does well, but one at a time.
const FUNCTIONS: [&str; 3] = ["works", "fails", "narrow"];
/// Gets the record of each end.
const RECORDER: &str = "recorder";

/// What the functions say.
#[derive(Default)]
struct Told {
    /// Which events ran, and of which function.
    ran: BTreeMap<String, String>,
    /// How events ended: the condition and the number of attempts.
    ended: BTreeMap<String, BTreeSet<String>>,
    /// Events accepted, begun and ended.
    steps: u64,
}

impl Told {
    fn write(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["ran", function, id] => drop(self.ran.insert(id.to_owned(), function.to_owned())),
            ["ended", id, condition, attempts] => {
                self.ended.entry(id.to_owned()).or_default().insert(format!("{condition} {attempts}"));
            }
            _ => panic!("a function tells {line:?}"),
        }
        self.steps += 1;
    }
}

fn deploy(engine: &Engine, runtime: &str, ledger: &Ledger<Told>) {
    let handlers = r#"
def handler(event, context):
    tell(f"ran {context.function_name} {context.aws_request_id}")
    if context.function_name == "fails":
        raise ValueError("as it always does")
    return event
def record(event, context):
    ended = event["requestContext"]
    tell(f"ended {ended['requestId']} {ended['condition']} {ended['approximateInvokeCount']}")
"#;
    let code = format!("{TELL}{handlers}");
    let files: &[(&str, u32, &[u8])] = &[("app.py", 0o644, code.as_bytes())];
    let variables = json!({ "Variables": { "LEDGER": ledger.port() } });
    // On a machine that has other things to do, an attempt must not fail for its time.
    let settings = json!({ "Runtime": runtime, "Environment": variables, "Timeout": 300 });
    let mut recorder = settings.clone();
    recorder["Handler"] = "app.record".into();
    Deployed::create(engine, RECORDER, files, &recorder);
    let target = json!({ "Destination": format!("arn:aws:lambda:us-east-1:000000000000:function:{RECORDER}") });
    let destinations = json!({ "DestinationConfig": { "OnSuccess": target, "OnFailure": target } }).to_string();
    for name in FUNCTIONS {
        Deployed::create(engine, name, files, &settings);
        let path = format!("/2019-09-25/functions/{name}/event-invoke-config");
        assert_eq!(engine.send(&Request::new("PUT", &path).body(destinations.clone())).status, 200);
    }
    let one = json!({ "ReservedConcurrentExecutions": 1 }).to_string();
    let narrow = Request::new("PUT", "/2017-10-31/functions/narrow/concurrency").body(one);
    assert_eq!(engine.send(&narrow).status, 200);
}

/// Sends so many events, or until the engine is gone; hands out those that were accepted.
fn send(address: SocketAddr, mut dice: Dice, events: u64, ledger: &Ledger<Told>) -> Vec<(String, String)> {
    let mut accepted = Vec::new();
    let Some(mut connection) = Connection::try_to(address) else { return accepted };
    for _ in 0..events {
        let function = FUNCTIONS[usize::try_from(dice.roll(3)).unwrap()];
        let payload = json!({ "filler": "x".repeat(usize::try_from(dice.roll(2_000)).unwrap()) }).to_string();
        let request = Request::invoke(function, payload).header("X-Amz-Invocation-Type", "Event");
        let answer = connection.write(&request.bytes()).ok().and_then(|()| connection.read(&request.method));
        let Some(answer) = answer else { break };
        assert_eq!(answer.status, 202, "{answer:?}");
        accepted.push((answer.header("x-amzn-requestid").unwrap().to_owned(), function.to_owned()));
        ledger.write(|told| told.steps += 1);
    }
    accepted
}

/// What is left on disk when the engine has ended.
fn left(engine: &Engine) -> Vec<Shown> {
    let home = Home { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() };
    let store = Store::open(&engine.data_dir(), home).unwrap();
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        let listed = store.find_events(EventFilter::default(), None, usize::MAX >> 1).await.unwrap();
        let mut shown = Vec::new();
        for Listed { request_id, .. } in listed {
            shown.push(store.show_event(request_id).await.unwrap().unwrap());
        }
        shown
    })
}

#[test]
fn accepted_events_survive_kills_at_any_moment_and_end_in_one_way() {
    let Some(interpreters) =
        Interpreters::find("events_kill::accepted_events_survive_kills_at_any_moment_and_end_in_one_way")
    else {
        return;
    };
    let kills = std::env::var_os("LAMBD_KILLS").map_or(KILLS, |kills| kills.to_str().unwrap().parse().unwrap());
    let ledger = Ledger::open(Told::write);
    let mut engine = Engine::start_with(&[
        "--config",
        interpreters.settings(),
        "--retry-base-seconds",
        "0",
        "--function-logs",
        "true",
    ]);
    deploy(&engine, interpreters.python(), &ledger);

    let mut dice = Dice(0x5EED);
    let mut accepted: BTreeMap<String, String> = BTreeMap::new();
    for _ in 0..kills {
        let before = ledger.read().steps;
        let clients: Vec<(Dice, u64)> =
            (0..CLIENTS).map(|_| (Dice(dice.roll(u64::MAX) | 1), 1 + dice.roll(EVENTS_MAX))).collect();
        // Each is accepted, runs and ends.
        let moment = before + dice.roll(3 * clients.iter().map(|(_, events)| events).sum::<u64>());
        let address = engine.api();
        std::thread::scope(|scope| {
            let begin = |(dice, events)| {
                let ledger = &ledger;
                scope.spawn(move || send(address, dice, events, ledger))
            };
            let clients: Vec<_> = clients.into_iter().map(begin).collect();
            ledger.wait(|told| (told.steps < moment).then(|| format!("{} of {moment} steps", told.steps)));
            engine.kill();
            for client in clients {
                accepted.extend(client.join().unwrap());
            }
        });
        engine.begin();
    }
    assert!(accepted.len() as u64 > kills, "only {} events were accepted: the kills come too early", accepted.len());

    // Also those whose sender never heard of it.
    ledger.wait(|told| accepted.keys().chain(told.ran.keys()).find(|id| !told.ended.contains_key(*id)).cloned());
    let mut shown = left_at_the_end(&mut engine);
    let told = ledger.read();
    for (id, function) in accepted.iter().chain(&told.ran) {
        assert_eq!(told.ran.get(id), Some(function), "{id} was accepted and never ran");
        // An attempt that was cut off is none.
        let end = if function == "fails" { "RetriesExhausted 3" } else { "Success 1" };
        let ends: Vec<&String> = told.ended[id].iter().collect();
        assert_eq!(ends, [end], "{id} of {function}; its log:\n{}", log_of(&engine, id));
    }
    shown.retain(|shown| {
        let Listed { request_id: RequestId(id), ref function, state, attempts, ref condition, .. } = shown.listed;
        let numbers: Vec<u32> = shown.history.iter().map(|attempt| attempt.number).collect();
        let is_arrived = matches!(shown.deliveries[..], [DeliveryShown { state: DeliveryState::Delivered, .. }]);
        let is_well = function.as_str() == "fails"
            && told.ended.contains_key(&id.to_string())
            && (state, attempts, condition.as_deref()) == (State::Dead, 3, Some("RetriesExhausted"))
            && numbers == [1, 2, 3]
            && shown.history.iter().all(|attempt| attempt.error_type == "ValueError")
            && is_arrived;
        !is_well
    });
    assert!(shown.is_empty(), "{shown:#?}");
    let (ran, ended) = (told.ran.len(), told.ended.len());
    assert_eq!(ran, ended, "something ended that never ran");
    report(kills, accepted.len(), ran);
}

/// What the engine and the function logged of one event.
fn log_of(engine: &Engine, id: &str) -> String {
    engine.log().lines().filter(|line| line.contains(id)).collect::<Vec<_>>().join("\n")
}

/// What is kept once nothing is under way any more.
fn left_at_the_end(engine: &mut Engine) -> Vec<Shown> {
    // A record that was told may not be settled yet; an engine that ends settles it, and one that begins finds the rest.
    const LIVES: usize = 20;
    for _ in 0..LIVES {
        assert_eq!(engine.terminate().code(), Some(0));
        let shown = left(engine);
        let at_rest = |shown: &Shown| {
            shown.listed.state == State::Dead
                && shown.deliveries.iter().all(|delivery| delivery.state == DeliveryState::Delivered)
        };
        if shown.iter().all(at_rest) {
            return shown;
        }
        engine.begin();
        assert_eq!(engine.send(&Request::new("GET", "/2015-03-31/functions")).status, 200);
    }
    panic!("events are still under way after {LIVES} lives: {:#?}", left(engine));
}

#[expect(clippy::print_stderr, reason = "what was tried is of interest where it is tried often")]
fn report(kills: u64, accepted: usize, ran: usize) {
    eprintln!("{kills} kills, {accepted} events accepted, {ran} ran: none lost, each ended in one way");
}
