//! One invocation: its answer, its log, and what it leaves behind.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::environment::{Exit, Failure};
use domain::error::ThrottleReason;
use domain::invocation::Outcome;
use domain::{Error, Refusal};
use engine::invoker::{Answered, Ask};
use engine::ports::Metric;
use testkit::house::{Bounds, House};
use testkit::packages::MemoryPackages;
use testkit::records::MemoryRecords;
use testkit::sandbox::Step;

pub(crate) fn house(bounds: Bounds) -> Arc<House> {
    let records = Arc::new(MemoryRecords::new());
    let packages = Arc::new(MemoryPackages::beside(records.clone()));
    Arc::new(House::over(records, packages, bounds))
}

async fn with_function() -> Arc<House> {
    let house = house(Bounds::default());
    house.create("fn").await;
    house
}

fn text(answered: &Answered) -> String {
    let (Outcome::Answered(payload) | Outcome::FunctionError { payload, .. }) = &answered.outcome;
    String::from_utf8(payload.to_vec()).unwrap()
}

fn refusal(result: Result<Answered, Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Runs a call while the clock is moved on by `steps`.
async fn invoke_while(house: &Arc<House>, ask: Ask, steps: &[u64]) -> Result<Answered, Error> {
    let running = house.clone();
    let call = engine::tasks::spawn("a call", async move { running.invoke(ask).await });
    for seconds in steps {
        house.breathe().await;
        house.clock.advance(Duration::from_secs(*seconds));
    }
    call.result().await.unwrap()
}

#[tokio::test]
async fn an_event_goes_through_and_the_log_tells() {
    let house = with_function().await;
    house.sandbox.script([Step::Prints("hello\n")]);
    let mut ask = house.ask("fn", "{\"a\":1}");
    ask.tail = true;
    let id = ask.request_id;
    let answered = house.invoke(ask).await.unwrap();
    assert_eq!(text(&answered), "{\"a\":1}");
    assert_eq!(answered.executed_version, domain::names::Version::Latest);
    // Recorded: test_invocation_with_logs. The tail begins at START; INIT_START is in the log only.
    let expected = format!(
        "START RequestId: {id} Version: $LATEST\nhello\nEND RequestId: {id}\nREPORT RequestId: {id}\tDuration: 0.00 ms\tBilled Duration: 0 ms\tMemory Size: 128 MB\tMax Memory Used: 30 MB\tInit Duration: 0.00 ms\t\n"
    );
    assert_eq!(String::from_utf8(answered.tail.unwrap()).unwrap(), expected);
    assert!(house.telemetry.lines()[0].starts_with(
        "INIT_START Runtime Version: fake:python3.12\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:"
    ));
}

#[tokio::test]
async fn a_call_without_payload_is_an_empty_object() {
    // Recorded: test_reserved_concurrency.
    let house = with_function().await;
    assert_eq!(text(&house.invoke(house.ask("fn", "")).await.unwrap()), "{}");
}

#[tokio::test]
async fn what_is_no_json_or_no_function_is_refused_before_anything_starts() {
    let house = with_function().await;
    assert!(matches!(refusal(house.invoke(house.ask("fn", "nope")).await), Refusal::PayloadNotJson { .. }));
    // Recorded: test_invoke_exceptions (2025): only Invoke names $LATEST.
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:other:$LATEST".to_owned();
    assert_eq!(refusal(house.invoke(house.ask("other", "{}")).await), Refusal::FunctionNotFound { arn });
    // Recorded: test_lambda_alias_moving.
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:fn:PROD".to_owned();
    assert_eq!(refusal(house.invoke(house.ask("fn:PROD", "{}")).await), Refusal::FunctionNotFound { arn });
    let mut ask = house.ask("fn", "{}");
    ask.client_context = Some("bm9wZQ==".to_owned());
    assert_eq!(refusal(house.invoke(ask).await), Refusal::ClientContextInvalid);
    assert_eq!(house.sandbox.alive(), 0);
}

#[tokio::test]
async fn a_timeout_resets_the_environment_and_the_next_call_initialises_again() {
    // Recorded: test_lambda_invoke_timed_out_environment_reuse; AWS developer guide, lambda-runtime-environment.
    let house = with_function().await;
    house.sandbox.script([Step::Hangs]);
    let mut ask = house.ask("fn", "{}");
    ask.tail = true;
    let id = ask.request_id;
    let answered = invoke_while(&house, ask, &[3]).await.unwrap();
    let message = format!("RequestId: {id} Error: Task timed out after 3.00 seconds");
    assert_eq!(text(&answered), format!(r#"{{"errorType":"Sandbox.Timedout","errorMessage":"{message}"}}"#));
    let tail = String::from_utf8(answered.tail.unwrap()).unwrap();
    assert!(tail.ends_with("Duration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: 30 MB\tInit Duration: 0.00 ms\tStatus: timeout\n"), "{tail}");

    let mut ask = house.ask("fn", "{}");
    ask.tail = true;
    let again = house.invoke(ask).await.unwrap();
    assert_eq!(house.sandbox.started.lock().unwrap().len(), 1, "the same environment, /tmp kept");
    let tail = String::from_utf8(again.tail.unwrap()).unwrap();
    assert!(!tail.contains("Init Duration"), "the second initialisation is inside the invocation: {tail}");
}

#[tokio::test]
async fn an_init_that_fails_runs_again_inside_the_invocation() {
    // Observed on AWS: both INIT_REPORT lines come before START.
    let house = with_function().await;
    let crash = || Step::InitFails(Failure::Exited(Exit::Status(1)));
    house.sandbox.script([crash(), crash()]);
    let ask = house.ask("fn", "{}");
    let id = ask.request_id;
    let answered = house.invoke(ask).await.unwrap();
    let message = format!("RequestId: {id} Error: Runtime exited with error: exit status 1");
    assert_eq!(text(&answered), format!(r#"{{"errorType":"Runtime.ExitError","errorMessage":"{message}"}}"#));
    house.breathe().await;
    let lines = house.telemetry.lines();
    let begins: Vec<&str> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(begins, ["INIT_START", "INIT_REPORT", "INIT_REPORT", "START", "END", "REPORT"]);
    assert_eq!(
        lines[1],
        "INIT_REPORT Init Duration: 0.00 ms\tPhase: init\tStatus: error\tError Type: Runtime.ExitError"
    );
    assert!(lines[2].contains("\tPhase: invoke\t"), "{}", lines[2]);
    assert!(lines[5].ends_with("\tStatus: error\tError Type: Runtime.ExitError"), "{}", lines[5]);
}

#[tokio::test]
async fn a_slow_init_gets_ten_seconds_and_then_the_functions_own_time() {
    // AWS developer guide, troubleshooting-invocation: an init beyond ten seconds runs again under the timeout.
    let house = with_function().await;
    let slow = || Step::InitFails(Failure::TimedOut(Duration::ZERO));
    house.sandbox.script([slow(), slow()]);
    let answered = invoke_while(&house, house.ask("fn", "{}"), &[10, 3]).await.unwrap();
    assert!(text(&answered).contains("Task timed out after 3.00 seconds"), "{}", text(&answered));
    house.breathe().await;
    let lines = house.telemetry.lines();
    assert_eq!(lines[1], "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout");
}

#[tokio::test]
async fn an_init_within_ten_seconds_is_not_charged_to_the_timeout() {
    // AWS developer guide, lambda-runtime-environment; Billed Duration includes it since August 2025.
    let house = with_function().await;
    house.sandbox.script([Step::InitTakes(Duration::from_secs(9))]);
    let mut ask = house.ask("fn", "{}");
    ask.tail = true;
    let answered = invoke_while(&house, ask, &[9]).await.unwrap();
    let tail = String::from_utf8(answered.tail.unwrap()).unwrap();
    assert!(tail.contains("Duration: 0.00 ms\tBilled Duration: 9000 ms\t"), "{tail}");
    assert!(tail.contains("Init Duration: 9000.00 ms\t"), "{tail}");
}

#[tokio::test]
async fn a_handlers_error_passes_byte_for_byte_and_says_nothing_in_report() {
    // Recorded: test_uncaught_exception_invoke, test_invocation_type_event_error.
    let house = with_function().await;
    let payload = Bytes::from_static(b"{\"errorMessage\": \"x\"}");
    house.sandbox.script([Step::Fails(Failure::Reported { error_type: "Runtime.Unknown".into(), payload })]);
    let mut ask = house.ask("fn", "{}");
    ask.tail = true;
    let answered = house.invoke(ask).await.unwrap();
    assert!(matches!(answered.outcome, Outcome::FunctionError { .. }));
    assert_eq!(text(&answered), "{\"errorMessage\": \"x\"}");
    assert!(answered.tail.unwrap().ends_with(b"Init Duration: 0.00 ms\t\n"));
    assert_eq!(house.telemetry.count_of(Metric::Errors), 1);
    house.invoke(house.ask("fn", "{}")).await.unwrap();
    assert_eq!(house.sandbox.started.lock().unwrap().len(), 1, "the environment stays usable");
}

#[tokio::test]
async fn a_crash_after_the_answer_leaves_the_answer() {
    let house = with_function().await;
    house.sandbox.script([Step::SettleFails(Failure::Exited(Exit::Signal(9)))]);
    let answered = house.invoke(house.ask("fn", "{\"ok\":1}")).await.unwrap();
    assert_eq!(text(&answered), "{\"ok\":1}");
    house.breathe().await;
    let report = house.telemetry.lines().pop().unwrap();
    assert!(report.ends_with("Status: error\tError Type: Runtime.ExitError"), "{report}");
}

#[tokio::test]
async fn a_trace_keeps_its_root_and_gets_a_segment() {
    // Recorded: test_xray_trace_propagation.
    let house = with_function().await;
    let mut ask = house.ask("fn", "{}");
    ask.trace = Some("Root=1-6750eb4b-235335bc1a1bfcac4eeb4430;Parent=0988e1e6ebd26ab8;Sampled=1".to_owned());
    let trace = house.invoke(ask).await.unwrap().trace;
    assert!(trace.starts_with("Root=1-6750eb4b-235335bc1a1bfcac4eeb4430;Parent="), "{trace}");
    assert!(trace.contains(";Sampled=1;Lineage=1:") && !trace.contains("0988e1e6ebd26ab8"), "{trace}");
    let made = house.invoke(house.ask("fn", "{}")).await.unwrap().trace;
    assert!(made.starts_with("Root=1-") && made.contains(";Sampled=0;Lineage=1:") && made.ends_with(":0"), "{made}");
}

#[tokio::test]
async fn never_more_run_than_the_account_may_and_the_rest_is_told_why() {
    // Recorded shape: test_lambda_concurrency_block; the reason for the account was observed on AWS.
    let house = house(Bounds { account_concurrency: 3, ..Bounds::default() });
    house.create("fn").await;
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let house = house.clone();
            engine::tasks::spawn("a call", async move { house.invoke(house.ask("fn", "{}")).await })
        })
        .collect();
    let mut throttled = 0;
    for call in calls {
        match call.result().await.unwrap() {
            Ok(_) => {}
            refused => {
                let reason = ThrottleReason::ConcurrentInvocationLimitExceeded;
                assert_eq!(refusal(refused), Refusal::Throttled { reason });
                throttled += 1;
            }
        }
    }
    assert_eq!((house.sandbox.running_most(), throttled), (3, 7));
    let reason = ThrottleReason::ConcurrentInvocationLimitExceeded;
    assert_eq!(house.telemetry.count_of(Metric::Throttles(reason)), 7);
    house.breathe().await;
    assert_eq!(house.invoker.running(), 0, "every lease came back");
}

#[tokio::test]
async fn a_caller_who_leaves_does_not_end_the_function() {
    let house = with_function().await;
    house.sandbox.script([Step::Hangs]);
    {
        let call = house.invoke(house.ask("fn", "{}"));
        tokio::pin!(call);
        assert!(tokio::time::timeout(Duration::ZERO, &mut call).await.is_err());
    }
    house.breathe().await;
    assert_eq!(house.invoker.running(), 1, "it still runs");
    house.clock.advance(Duration::from_secs(3));
    house.breathe().await;
    assert_eq!(house.invoker.running(), 0);
    assert!(house.telemetry.lines().pop().unwrap().ends_with("Status: timeout"));
}

#[tokio::test]
async fn draining_waits_for_those_whose_callers_have_left() {
    let house = with_function().await;
    house.invoker.drained().await;
    house.sandbox.script([Step::Hangs, Step::Hangs]);
    for _ in 0..2 {
        let call = house.invoke(house.ask("fn", "{}"));
        tokio::pin!(call);
        assert!(tokio::time::timeout(Duration::ZERO, &mut call).await.is_err());
        house.breathe().await;
        house.clock.advance(Duration::from_secs(1));
    }
    let drained = house.invoker.drained();
    tokio::pin!(drained);
    // The first of the two ends after two more seconds, the second after three.
    for _ in 0..2 {
        house.breathe().await;
        assert!(tokio::time::timeout(Duration::ZERO, &mut drained).await.is_err(), "it drains");
        house.clock.advance(Duration::from_secs(1));
    }
    house.breathe().await;
    assert!(tokio::time::timeout(Duration::ZERO, &mut drained).await.is_ok(), "it is drained");
}
