//! The contract, once, through three real clients: what `data/contract.json` lists is called by the AWS CLI, by boto3 and
//! by the official Rust SDK, each against an engine of its own, and must come out the same. A case is added there; the
//! SDK alone needs a line for a new operation, in `sdk.rs`.
//!
//! A step calls an `operation` with an `input`, both in AWS's own names, and says where its expectation is from
//! (`source`). It `answers` with at least these members (`{any}`: some value; `{absent}`: none), or is `refused` with
//! `[status, code, message]`. `keep` gives members of the answer names, by which later steps mean them: `{NAME}`.
//! `{arn}` stands for the ARN of a function without its name. `ZipFile` names a package of [`package`]; `Payload` is text.
//! Before a step the functions in `settled` have no creation or update under way. Where a client refuses by itself what
//! should be sent, `not_through` names it.

mod boto3;
mod cli;
mod sdk;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::engine_process::{Engine, Request, zip_of};
use crate::tools;

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function";
const STEPS: &str = include_str!("../../data/contract.json");

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    operation: String,
    #[serde(default)]
    input: Map<String, Value>,
    answers: Option<Value>,
    refused: Option<(u16, String, String)>,
    status: Option<u16>,
    #[serde(default)]
    keep: BTreeMap<String, String>,
    #[serde(default)]
    settled: Vec<String>,
    /// Clients that do not even send it, each with the reason.
    #[serde(default)]
    not_through: BTreeMap<String, String>,
    source: String,
}

/// What a client makes of an answer.
#[derive(Debug, Deserialize)]
struct Told {
    /// Where the client tells.
    status: Option<u16>,
    answer: Option<Value>,
    refused: Option<Refused>,
}

#[derive(Debug, Deserialize)]
struct Refused {
    code: String,
    message: String,
}

/// A real client. Blobs in the input are `{"base64": …}`.
trait Client {
    fn name(&self) -> &'static str;

    fn call(&mut self, operation: &str, input: &Map<String, Value>) -> Told;
}

#[test]
fn through_the_aws_cli() {
    let test = "contract::through_the_aws_cli";
    let Some(aws) = tools::aws_v1(test) else { return };
    let engine = Engine::start();
    check(&engine, &mut cli::Cli::new(aws, &engine));
}

#[test]
fn through_boto3() {
    let test = "contract::through_boto3";
    let Some(python) = tools::tool(test, "venv/bin/python") else { return };
    let engine = Engine::start();
    check(&engine, &mut boto3::Boto3::start(&python, &engine));
}

#[test]
fn through_the_rust_sdk() {
    let engine = Engine::start();
    check(&engine, &mut sdk::Sdk::new(&engine));
}

/// Goes through all steps; everything that is not as it must be is told at once.
#[track_caller]
fn check(engine: &Engine, client: &mut dyn Client) {
    let steps: Vec<Step> = serde_json::from_str(STEPS).unwrap();
    let mut kept = BTreeMap::from([("arn".to_owned(), ARN.to_owned())]);
    let mut wrong = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        assert!(!step.source.is_empty(), "step {number} has no source");
        if step.not_through.contains_key(client.name()) {
            continue;
        }
        for function in &step.settled {
            engine.wait_until_settled(function);
        }
        let input = filled(&Value::Object(step.input.clone()), &kept);
        let Value::Object(input) = with_blobs(input) else { unreachable!("an object stays one") };
        let told = client.call(&step.operation, &input);
        for (member, name) in &step.keep {
            let value = told.answer.as_ref().and_then(|answer| at(answer, member)?.as_str()).unwrap_or_default();
            kept.insert(name.clone(), value.to_owned());
        }
        if let Err(why) = judged(step, &told, &kept) {
            wrong.push(format!("step {number}, {} ({}): {why}\n  {told:?}", step.operation, step.source));
        }
    }
    assert!(wrong.is_empty(), "{} of {} steps:\n{}", wrong.len(), steps.len(), wrong.join("\n"));
}

/// `Code.Location` and the like.
fn at<'a>(answer: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(answer, |value, member| value.get(member))
}

fn judged(step: &Step, told: &Told, kept: &BTreeMap<String, String>) -> Result<(), String> {
    let same = |what: &str, got: &dyn std::fmt::Debug, expected: &dyn std::fmt::Debug| {
        let (got, expected) = (format!("{got:?}"), format!("{expected:?}"));
        if got == expected { Ok(()) } else { Err(format!("{what} is {got}, not {expected}")) }
    };
    if let Some((status, code, message)) = &step.refused {
        let refused = told.refused.as_ref().ok_or("it is not refused")?;
        same("the code", &refused.code, code)?;
        if message != "{any}" {
            same("the text", &refused.message, &text(message, kept))?;
        }
        return told.status.map_or(Ok(()), |got| same("the status", &got, status));
    }
    let answer = told.answer.as_ref().ok_or("it is refused")?;
    if let (Some(status), Some(got)) = (step.status, told.status) {
        same("the status", &got, &status)?;
    }
    let expected = filled(step.answers.as_ref().unwrap_or(&Value::Null), kept);
    contains(answer, &expected, "")
}

/// Whether an answer has at least the members that are expected.
fn contains(got: &Value, expected: &Value, place: &str) -> Result<(), String> {
    match expected {
        Value::Null => Ok(()),
        Value::Object(members) => members.iter().try_for_each(|(member, expected)| {
            let place = format!("{place}.{member}");
            match (got.get(member).unwrap_or(&Value::Null), expected.as_str()) {
                (Value::Null, Some("{absent}")) => Ok(()),
                (got, Some("{absent}")) => Err(format!("{place} is {got}")),
                (Value::Null, _) => Err(format!("{place} is missing")),
                (_, Some("{any}")) => Ok(()),
                (got, _) => contains(got, expected, &place),
            }
        }),
        Value::Array(items) => {
            let got = got.as_array().ok_or(format!("{place} is {got}"))?;
            if got.len() != items.len() {
                return Err(format!("{place} has {} items, not {}", got.len(), items.len()));
            }
            got.iter()
                .zip(items)
                .enumerate()
                .try_for_each(|(index, (got, expected))| contains(got, expected, &format!("{place}[{index}]")))
        }
        _ if got == expected => Ok(()),
        _ => Err(format!("{place} is {got}, not {expected}")),
    }
}

/// A value with what was kept in the places of its names.
fn filled(value: &Value, kept: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(value) => text(value, kept).into(),
        Value::Array(items) => items.iter().map(|item| filled(item, kept)).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), filled(value, kept))).collect())
        }
        other => other.clone(),
    }
}

fn text(text: &str, kept: &BTreeMap<String, String>) -> String {
    kept.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

fn with_blobs(value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    let blob = |bytes: &[u8]| json!({"base64": data_encoding::BASE64.encode(bytes)});
    let members = members.into_iter().map(|(name, value)| {
        let value = match (name.as_str(), value.as_str()) {
            ("ZipFile", Some(package_name)) => blob(&package(package_name)),
            ("Payload", Some(payload)) => blob(payload.as_bytes()),
            _ => with_blobs(value),
        };
        (name, value)
    });
    Value::Object(members.collect())
}

/// The packages that steps may name.
fn package(name: &str) -> Vec<u8> {
    // The shell that hands its events back, from the engine's own tests.
    let created: Value = serde_json::from_slice(&Request::create_function("any").body).unwrap();
    let echo = data_encoding::BASE64.decode(created["Code"]["ZipFile"].as_str().unwrap().as_bytes()).unwrap();
    match name {
        "echo" => echo,
        "exit" => zip_of(&[("bootstrap", 0o755, b"#!/bin/sh\nexit 3\n")]),
        "no zip" => b"this is no zip".to_vec(),
        _ => panic!("there is no package {name:?}"),
    }
}

#[test]
fn a_wrong_answer_is_found() {
    let got = json!({"a": 1, "b": {"c": "x", "d": null}, "e": [1, 2]});
    for (expected, fine) in [
        (json!({"a": 1}), true),
        (json!({"a": 2}), false),
        (json!({"b": {"c": "{any}", "d": "{absent}"}}), true),
        (json!({"b": {"c": "{absent}"}}), false),
        (json!({"f": "{any}"}), false),
        (json!({"e": [1]}), false),
        (json!({"e": [1, 2]}), true),
    ] {
        assert_eq!(contains(&got, &expected, "").is_ok(), fine, "{expected}");
    }
}
