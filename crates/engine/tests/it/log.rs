//! What an invocation leaves in the log, by the function's format and levels, and by what of it is traced.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::environment::Failure;
use domain::function::{LogFormat, LogLevel, Logging, Tracing};
use engine::access::Caller;
use engine::invoker::{Answered, Body};
use serde_json::Value;
use testkit::house::{Bounds, House};
use testkit::sandbox::Step;

use crate::invoker::house;

/// A house with the function `fn`.
async fn with(logging: Logging, tracing: Tracing) -> Arc<House> {
    let house = house(Bounds::default());
    let mut new = house.new_function("fn");
    new.configuration.logging = logging;
    new.configuration.tracing = tracing;
    let zip = testkit::packages::zip_of(&[("app.py", 0o644, b"")]);
    house.functions.create_function(&Caller::Anyone, new, zip, false).await.unwrap();
    house.settled("fn").await;
    house
}

async fn run(house: &House, trace: Option<&str>) -> Answered {
    let mut ask = house.ask("fn", "{}");
    ask.tail = true;
    ask.trace = trace.map(str::to_owned);
    house.invoke(ask).await.unwrap()
}

fn json(application: LogLevel, system: LogLevel) -> Logging {
    Logging {
        format: LogFormat::Json,
        application_level: Some(application),
        system_level: Some(system),
        ..Logging::default()
    }
}

fn types(lines: &[String]) -> Vec<String> {
    let kind = |line: &String| -> Option<String> {
        let line: Value = serde_json::from_str(line).ok()?;
        Some(line["type"].as_str()?.to_owned())
    };
    lines.iter().map(|line| kind(line).unwrap_or_else(|| line.clone())).collect()
}

#[tokio::test]
async fn json_has_each_record_that_its_level_lets_through() {
    // The order was seen on AWS, in an execution log published in 2024.
    let house = with(json(LogLevel::Info, LogLevel::Debug), Tracing::PassThrough).await;
    house.sandbox.script([Step::Prints("hello\n")]);
    let tail = run(&house, None).await.tail.unwrap();
    let kinds = ["initStart", "initRuntimeDone", "initReport", "start"].map(|kind| format!("platform.{kind}"));
    let mut expected = kinds.to_vec();
    expected.extend(["hello", "platform.runtimeDone", "platform.report"].map(str::to_owned));
    assert_eq!(types(&house.telemetry.lines()), expected);
    let tail: Vec<String> = String::from_utf8(tail).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(types(&tail), expected[3..]);

    let started = house.sandbox.started.lock().unwrap();
    let variables = &started[0].platform_variables;
    for (name, value) in [("AWS_LAMBDA_LOG_FORMAT", "JSON"), ("AWS_LAMBDA_LOG_LEVEL", "INFO")] {
        assert!(variables.contains(&(name.to_owned(), value.to_owned())), "{variables:?}");
    }
}

#[tokio::test]
async fn levels_hold_for_both_kinds_of_lines() {
    let house = with(json(LogLevel::Warn, LogLevel::Warn), Tracing::PassThrough).await;
    let told = r#"{"timestamp":"2024-06-18T02:07:06Z","level":"ERROR","message":"m"}"#;
    house.sandbox.script([Step::Prints("hello\n")]);
    run(&house, None).await;
    assert_eq!(house.telemetry.lines(), Vec::<String>::new());
    house.sandbox.script([Step::Prints(told)]);
    house.sandbox.script([Step::Fails(Failure::Reported {
        error_type: "Runtime.Unknown".to_owned(),
        payload: Bytes::from_static(b"{}"),
    })]);
    run(&house, None).await;
    assert_eq!(types(&house.telemetry.lines()), [told, "platform.runtimeDone", "platform.report"]);
}

#[tokio::test]
async fn text_keeps_every_line_and_names_no_format_to_the_function() {
    let house = with(Logging::default(), Tracing::PassThrough).await;
    let told = r#"{"timestamp":"2024-06-18T02:07:06Z","level":"TRACE","message":"m"}"#;
    house.sandbox.script([Step::Prints(told)]);
    run(&house, None).await;
    let lines = house.telemetry.lines();
    assert!(lines.contains(&told.to_owned()), "{lines:?}");
    let started = house.sandbox.started.lock().unwrap();
    assert!(!started[0].platform_variables.iter().any(|(name, _)| name.starts_with("AWS_LAMBDA_LOG_F")));
}

#[tokio::test]
async fn what_is_sampled_is_told_with_its_segment() {
    let root = "1-5bef4de7-ad49b0e87f6ef6c87fc2e700";
    let sampled = |answered: Answered| {
        let segment = answered.trace.split(';').find_map(|field| field.strip_prefix("Parent=")).unwrap().to_owned();
        let tail = String::from_utf8(answered.tail.unwrap()).unwrap();
        let told = tail.ends_with(&format!("\tSegmentId: {segment}\tSampled: true\t\n"));
        assert_eq!(told, answered.trace.contains(";Sampled=1"), "{} {tail}", answered.trace);
        assert_eq!(told, tail.contains("XRAY"), "{tail}");
        told
    };
    let pass = with(Logging::default(), Tracing::PassThrough).await;
    assert!(sampled(run(&pass, Some(&format!("Root={root};Parent=9a9197af755a6419;Sampled=1"))).await));
    assert!(!sampled(run(&pass, Some(&format!("Root={root};Sampled=0"))).await));
    assert!(!sampled(run(&pass, None).await));

    let active = with(Logging::default(), Tracing::Active).await;
    assert!(!sampled(run(&active, Some(&format!("Root={root};Sampled=0"))).await), "the caller's word holds");
    assert!(sampled(run(&active, None).await), "the first in a second");
    let mut more = 0;
    for _ in 0..400 {
        more += u32::from(sampled(run(&active, None).await));
    }
    assert!((5..40).contains(&more), "{more} of 400 is not about 5 %");
    active.clock.advance(std::time::Duration::from_secs(1));
    assert!(sampled(run(&active, None).await), "the first in another second");
}

#[tokio::test]
async fn what_was_streamed_is_measured() {
    let house = with(json(LogLevel::Info, LogLevel::Debug), Tracing::PassThrough).await;
    let pieces = ["one", "two", "three"].map(|text| Bytes::from_static(text.as_bytes())).to_vec();
    house.sandbox.script([Step::Streams(pieces, None)]);
    let mut streaming = house.stream(house.ask("fn", "{}")).await.unwrap();
    let Body::Pieces(pieces) = &mut streaming.body else { panic!("a stream") };
    assert_eq!(pieces.recv().await.unwrap(), "one");
    house.breathe().await;
    // One waits in the channel, the last before it.
    house.clock.advance(Duration::from_millis(250));
    assert_eq!(pieces.recv().await.unwrap(), "two");
    assert_eq!(pieces.recv().await.unwrap(), "three");
    house.breathe().await;
    let lines = house.telemetry.lines();
    let done = lines.iter().find(|line| line.contains("platform.runtimeDone")).unwrap();
    let done: Value = serde_json::from_str(done).unwrap();
    assert_eq!(done["record"]["metrics"]["producedBytes"], 11, "{done}");
    let spans: Vec<(&str, f64)> = done["record"]["spans"]
        .as_array()
        .unwrap()
        .iter()
        .map(|span| (span["name"].as_str().unwrap(), span["durationMs"].as_f64().unwrap()))
        .collect();
    assert_eq!(spans, [("responseLatency", 0.0), ("responseDuration", 250.0), ("runtimeOverhead", 0.0)]);
}
