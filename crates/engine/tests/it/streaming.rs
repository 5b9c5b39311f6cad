//! An invocation whose caller takes the answer piece by piece.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::environment::Failure;
use domain::invocation::Outcome;
use domain::names::Version;
use domain::{Error, Refusal, limits};
use engine::invoker::{Body, Completed, StreamError, Streaming};
use engine::ports::Metric;
use testkit::house::{Bounds, House};
use testkit::sandbox::Step;

use crate::invoker::house;

async fn with_function(step: Step) -> Arc<House> {
    let house = house(Bounds::default());
    house.create("fn").await;
    house.sandbox.script([step]);
    house
}

fn pieces(texts: &[&'static str]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect()
}

/// The body and how it ended.
async fn taken(streaming: Streaming) -> (Vec<Bytes>, Completed) {
    let mut body = Vec::new();
    match streaming.body {
        Body::Whole(bytes) => body.push(bytes),
        Body::Pieces(mut pieces) => {
            while let Some(piece) = pieces.recv().await {
                body.push(piece);
            }
        }
    }
    (body, streaming.completed.await.unwrap())
}

const DONE: Completed = Completed { error: None, tail: None };

fn failed(code: &str, details: impl Into<Bytes>) -> Completed {
    Completed { error: Some(StreamError { code: code.to_owned(), details: details.into() }), tail: None }
}

#[tokio::test]
async fn pieces_come_before_the_function_has_ended() {
    let house = with_function(Step::Streams(pieces(&["one", "two", "three"]), None)).await;
    let mut streaming = house.stream(house.ask("fn", "{}")).await.unwrap();
    assert_eq!(streaming.executed_version, Version::Latest);
    assert!(streaming.trace.starts_with("Root=1-"));
    let Body::Pieces(pieces) = &mut streaming.body else { panic!("a stream") };
    assert_eq!(pieces.recv().await.unwrap(), "one");
    house.breathe().await;
    assert_eq!(house.invoker.running(), 1, "who does not read holds the function up");
    assert_eq!(taken(streaming).await, (vec!["two".into(), "three".into()], DONE));
    house.breathe().await;
    assert_eq!(house.invoker.running(), 0);
    // Its environment serves the next.
    house.invoke(house.ask("fn", "{}")).await.unwrap();
    assert_eq!(house.sandbox.started.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn whoever_takes_it_whole_gets_all_pieces_together() {
    let house = with_function(Step::Streams(pieces(&["one", "two"]), None)).await;
    let answered = house.invoke(house.ask("fn", "{}")).await.unwrap();
    assert!(answered.streamed && matches!(answered.outcome, Outcome::Answered(bytes) if bytes == "onetwo"));
    let answered = house.invoke(house.ask("fn", "1")).await.unwrap();
    assert!(!answered.streamed);
}

#[tokio::test]
async fn a_function_that_does_not_stream_answers_in_one_piece() {
    let house = with_function(Step::Answers(Bytes::from_static(b"whole"))).await;
    let streaming = house.stream(house.ask("fn", "{}")).await.unwrap();
    assert!(matches!(&streaming.body, Body::Whole(_)));
    assert_eq!(taken(streaming).await, (vec!["whole".into()], DONE));
}

#[tokio::test]
async fn how_it_failed_is_told_at_the_end() {
    let too_large = Failure::ResponseTooLarge { bytes_max: limits::STREAMED_RESPONSE_BYTES };
    let text = r#"{"errorMessage":"Response payload size exceeded maximum allowed payload size (209715200 bytes).","errorType":"Function.ResponseSizeTooLarge"}"#;
    let own = Bytes::from_static(br#"{"errorType":"TypeError","errorMessage":"x"}"#);
    let reported = Failure::Reported { error_type: "Runtime.Unknown".to_owned(), payload: own.clone() };
    let cases = [
        (Step::Streams(pieces(&["one"]), Some(reported.clone())), "one", failed("TypeError", own.clone())),
        (Step::Streams(pieces(&["one"]), Some(too_large)), "one", failed("Function.ResponseSizeTooLarge", text)),
        // Before it streamed anything.
        (Step::Fails(reported), "", failed("TypeError", own)),
    ];
    for (step, body, completed) in cases {
        let house = with_function(step).await;
        let got = taken(house.stream(house.ask("fn", "{}")).await.unwrap()).await;
        assert_eq!(got, (vec![Bytes::from_static(body.as_bytes())], completed));
        house.breathe().await;
        assert_eq!(house.telemetry.count_of(Metric::Errors), 1);
        house.invoke(house.ask("fn", "{}")).await.unwrap();
        assert_eq!(house.sandbox.started.lock().unwrap().len(), 1, "the environment stays usable");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_resets_the_environment() {
    let house = with_function(Step::Streams(pieces(&["one"]), Some(Failure::ResponseTruncated))).await;
    let mut ask = house.ask("fn", "{}");
    ask.tail = true;
    let id = ask.request_id;
    let (body, completed) = taken(house.stream(ask).await.unwrap()).await;
    assert_eq!(body, ["one"]);
    let text = format!(
        r#"{{"errorType":"Runtime.TruncatedResponse","errorMessage":"RequestId: {id} Error: Response was truncated"}}"#
    );
    assert_eq!(completed.error, failed("Runtime.TruncatedResponse", text).error);
    let tail = String::from_utf8(completed.tail.unwrap()).unwrap();
    assert!(tail.starts_with("START RequestId: "), "{tail}");
    assert!(tail.ends_with("Status: error\tError Type: Runtime.TruncatedResponse\n"), "{tail}");
}

#[tokio::test]
async fn a_reader_slower_than_the_function_may_be_meets_its_timeout() {
    let house = with_function(Step::Streams(pieces(&["one", "two", "three"]), None)).await;
    let ask = house.ask("fn", "{}");
    let id = ask.request_id;
    let streaming = house.stream(ask).await.unwrap();
    house.breathe().await;
    house.clock.advance(Duration::from_secs(3));
    house.breathe().await;
    assert_eq!(house.invoker.running(), 0, "the concurrency is free although nobody has read");
    let (body, completed) = taken(streaming).await;
    assert_eq!(body, ["one"]);
    let text = format!(
        r#"{{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: {id} Error: Task timed out after 3.00 seconds"}}"#
    );
    assert_eq!(completed, failed("Sandbox.Timedout", text));
}

#[tokio::test]
async fn a_caller_who_leaves_a_stream_does_not_end_the_function() {
    let house = with_function(Step::Streams(pieces(&["one", "two", "three"]), None)).await;
    drop(house.stream(house.ask("fn", "{}")).await.unwrap());
    house.breathe().await;
    assert_eq!(house.invoker.running(), 0, "it ran to its end");
    assert_eq!(house.telemetry.count_of(Metric::Errors), 0);
    assert!(house.telemetry.lines().pop().unwrap().starts_with("REPORT"));
    house.invoke(house.ask("fn", "{}")).await.unwrap();
    assert_eq!(house.sandbox.started.lock().unwrap().len(), 1, "its environment serves the next");
}

#[tokio::test]
async fn what_is_refused_is_refused_before_a_stream_begins() {
    let house = with_function(Step::Streams(Vec::new(), None)).await;
    let refused = house.stream(house.ask("fn", "nope")).await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::PayloadNotJson { .. }))), "{refused:?}");
    let refused = house.stream(house.ask("other", "{}")).await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::FunctionNotFound { .. }))), "{refused:?}");
}

#[tokio::test]
async fn the_end_of_the_log_comes_with_the_end_of_the_stream() {
    let house = with_function(Step::Streams(pieces(&["one"]), None)).await;
    let mut ask = house.ask("fn", "{}");
    ask.tail = true;
    let (_, completed) = taken(house.stream(ask).await.unwrap()).await;
    let tail = String::from_utf8(completed.tail.unwrap()).unwrap();
    assert!(tail.starts_with("START RequestId: ") && tail.contains("\nREPORT RequestId: "), "{tail}");
}
