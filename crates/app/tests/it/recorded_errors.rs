//! Every error that AWS was recorded to answer, asked of the built engine: status, code, text, type and the spelling of
//! the text's key, each as recorded. `data/recorded_requests.json` says what is sent, and what is not sent and why.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::engine_process::{Answer, Engine, Request, encoded, zip_of};

/// Of the answers that are asked for, how many must be right, in percent (issue 3, "Bad input").
const RIGHT_PERCENT_MIN: usize = 95;

/// How often a pair of requests is sent until the second meets the first still at work.
const PAIRS_MAX: usize = 200;

/// `data/recorded_errors.json`.
#[derive(Deserialize)]
struct Recordings {
    cases: Vec<Recording>,
}

/// One answer of AWS. `type` is null where AWS sent none; `message_key` is null where it is not known. Where `errors` is
/// there, AWS's one text was recorded as the list of what it is made of, sorted, and without the status.
#[derive(Clone, Debug, Deserialize)]
struct Recording {
    test: String,
    case: String,
    code: String,
    message: Option<String>,
    status: Option<u16>,
    #[serde(rename = "type")]
    fault: Option<String>,
    message_key: Option<String>,
    reason: Option<String>,
    errors: Option<Vec<String>>,
    count: Option<usize>,
}

/// `data/recorded_requests.json`.
#[derive(Deserialize)]
struct Requests {
    cases: Vec<Case>,
    not_asked: Vec<NotAsked>,
}

/// A case that is asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    test: String,
    #[serde(rename = "case")]
    name: String,
    /// Where the request is another than the recorded one.
    #[serde(rename = "note")]
    _note: Option<String>,
    #[serde(default)]
    values: BTreeMap<String, String>,
    #[serde(default)]
    before: Vec<Sent>,
    request: Sent,
    #[serde(default)]
    sent_twice_at_once: bool,
    differs: Option<String>,
}

/// One request, with placeholders.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    method: String,
    path: String,
    #[serde(default)]
    query: BTreeMap<String, String>,
    body: Option<Value>,
    bytes: Option<Bytes>,
}

/// A body that is not JSON of ours.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Bytes {
    Text(String),
    Hex(String),
}

/// Cases that are not asked, by test.
#[derive(Deserialize)]
struct NotAsked {
    reason: String,
    cases: BTreeMap<String, Vec<String>>,
}

/// What placeholders stand for in one case.
struct Values<'c> {
    /// Of every case.
    fixed: [(&'static str, &'static str); 2],
    given: &'c BTreeMap<String, String>,
    /// Of any other placeholder.
    name: String,
}

impl<'c> Values<'c> {
    fn of(number: usize, case: &'c Case) -> Self {
        let fixed = [("<partition>", "aws"), ("<region>", "us-east-1")];
        Self { fixed, given: &case.values, name: format!("recorded-{number}") }
    }

    /// The text with every placeholder replaced.
    fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, placeholder, after)) = placeholder(rest) {
            filled.push_str(before);
            filled.push_str(&self.value(placeholder));
            rest = after;
        }
        filled + rest
    }

    fn value(&self, placeholder: &str) -> String {
        if let Some((_, value)) = self.fixed.iter().find(|(name, _)| *name == placeholder) {
            return (*value).to_owned();
        }
        if placeholder == "<code-sha256:1>" {
            let digest = Sha256::digest(archive("<zip>").unwrap());
            return data_encoding::BASE64.encode(&digest);
        }
        if let Some(value) = self.given.get(placeholder) {
            return self.fill(value);
        }
        match number_in(placeholder, ":len(", ")>") {
            Some(length) => placeholder[1..2].repeat(length),
            None => self.name.clone(),
        }
    }

    /// As [`Values::fill`], in every text of a document; and zips made where they are asked for.
    fn fill_document(&self, document: &Value) -> Value {
        match document {
            Value::String(text) => Value::String(zip(text).unwrap_or_else(|| self.fill(text))),
            Value::Array(items) => items.iter().map(|item| self.fill_document(item)).collect(),
            Value::Object(members) => {
                let members = members.iter().map(|(key, value)| (key.clone(), self.fill_document(value)));
                Value::Object(members.collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }

    fn request(&self, sent: &Sent) -> Request {
        let segments: Vec<String> = sent.path.split('/').map(|segment| encoded(&self.fill(segment))).collect();
        let query: Vec<String> = sent.query.iter().map(|(k, v)| format!("{k}={}", encoded(&self.fill(v)))).collect();
        let mut target = segments.join("/");
        if !query.is_empty() {
            write!(target, "?{}", query.join("&")).unwrap();
        }
        let body = match (&sent.body, &sent.bytes) {
            (Some(document), None) => self.fill_document(document).to_string().into_bytes(),
            (None, Some(Bytes::Text(text))) => text.clone().into_bytes(),
            (None, Some(Bytes::Hex(hex))) => data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap(),
            (None, None) => Vec::new(),
            (Some(_), Some(_)) => panic!("{} {target} has two bodies", sent.method),
        };
        Request::new(&sent.method, &target).body(body)
    }
}

/// The first placeholder of a text, with what is before and after it.
fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find('<')?;
    let end = start + text[start..].find('>')? + 1;
    Some((&text[..start], &text[start..end], &text[end..]))
}

fn number_in(text: &str, before: &str, after: &str) -> Option<usize> {
    text.split_once(before)?.1.strip_suffix(after)?.parse().ok()
}

/// The base64 of a zip, where the text asks for one.
fn zip(text: &str) -> Option<String> {
    archive(text).map(|bytes| data_encoding::BASE64.encode(&bytes))
}

fn archive(text: &str) -> Option<Vec<u8>> {
    let bootstrap = ("bootstrap", 0o755, b"#!/bin/sh\n".as_slice());
    let bytes = if text == "<zip>" {
        zip_of(&[bootstrap])
    } else if text == "<no zip>" {
        b"this is a text and no zip".to_vec()
    } else if let Some(bytes) = number_in(text, "<zip of ", " bytes>") {
        // Zeros in front of the archive, which readers must find by its end.
        let archive = zip_of(&[bootstrap]);
        let mut bytes = vec![0; bytes - archive.len()];
        bytes.extend(archive);
        bytes
    } else {
        let bytes = number_in(text, "<zip that unpacks to ", " bytes>")?;
        zip_of(&[("bootstrap", 0o755, &vec![0; bytes])])
    };
    Some(bytes)
}

/// How our answer differs from the recorded one; nothing where it does not.
fn differences(recording: &Recording, values: &Values<'_>, answer: &Answer) -> Vec<String> {
    let mut found = Vec::new();
    let mut differ = |what: &str, aws: String, us: String| {
        if aws != us {
            found.push(format!("{what}\n      AWS: {aws}\n      us:  {us}"));
        }
    };
    let body = answer.json();
    if let Some(status) = recording.status {
        differ("status", status.to_string(), answer.status.to_string());
    }
    differ("code", recording.code.clone(), answer.header("x-amzn-errortype").unwrap_or_default().to_owned());
    if let Some(key) = &recording.message_key {
        let ours = ["Message", "message"].into_iter().find(|key| body.get(key).is_some());
        differ("key of the text", key.clone(), ours.unwrap_or("none").to_owned());
    }
    if recording.status.is_some() {
        let ours = |member| body.get(member).and_then(Value::as_str).map(str::to_owned);
        differ("Type", format!("{:?}", recording.fault), format!("{:?}", ours("Type")));
        differ("Reason", format!("{:?}", recording.reason), format!("{:?}", ours("Reason")));
    }
    let (_, ours) = answer.error();
    match (&recording.errors, &recording.message) {
        (Some(errors), _) => {
            let count = recording.count.unwrap();
            let mut errors: Vec<String> = errors.iter().map(|error| values.fill(error)).collect();
            let (head, tail) = ours.split_once(" detected: ").unwrap_or_default();
            let mut parts: Vec<String> = tail.split("; ").map(str::to_owned).collect();
            errors.sort();
            parts.sort();
            differ("text", format!("{count} {errors:#?}"), format!("{} {parts:#?}", head.split(' ').next().unwrap()));
        }
        (None, None) => {
            // AWS has the key, and null under it.
            let null = body.get("Message").or_else(|| body.get("message")) == Some(&Value::Null);
            differ("text", "null".to_owned(), if null { "null".to_owned() } else { ours });
        }
        (None, Some(text)) => match values.fill(text).strip_suffix('…') {
            // The recording was cut there.
            Some(start) => differ("text", start.to_owned(), ours.chars().take(start.chars().count()).collect()),
            None => differ("text", values.fill(text), ours),
        },
    }
    found
}

/// Sends what the case asks and gives back the answer that counts.
fn ask(engine: &Engine, case: &Case, values: &Values<'_>) -> Answer {
    for step in &case.before {
        let answer = engine.send(&values.request(step));
        assert!(
            (200..300).contains(&answer.status),
            "{} {}: {} {} was refused: {} {:?}",
            case.test,
            case.name,
            step.method,
            step.path,
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        if matches!(step.method.as_str(), "POST" | "PUT") {
            engine.wait_until_settled(&values.name);
        }
    }
    let request = values.request(&case.request);
    if !case.sent_twice_at_once {
        return engine.send(&request);
    }
    let pair = [request.bytes(), request.bytes()].concat();
    for _ in 0..PAIRS_MAX {
        let mut connection = engine.connect();
        connection.write(&pair).unwrap();
        assert_eq!(connection.read(&request.method).unwrap().status, 200, "{} {}", case.test, case.name);
        let second = connection.read(&request.method).unwrap();
        engine.wait_until_settled(&values.name);
        if second.status != 200 {
            return second;
        }
    }
    panic!("{} {}: of {PAIRS_MAX} pairs no second one met the first at work", case.test, case.name);
}

fn recordings() -> (HashMap<(String, String), Recording>, Requests) {
    let recordings: Recordings = serde_json::from_str(include_str!("../data/recorded_errors.json")).unwrap();
    // The later of two is the newer, and the only one that counts.
    let recordings = recordings.cases.into_iter().map(|case| ((case.test.clone(), case.case.clone()), case)).collect();
    (recordings, serde_json::from_str(include_str!("../data/recorded_requests.json")).unwrap())
}

#[test]
fn every_recording_is_asked_or_has_a_reason_not_to_be() {
    let (recordings, requests) = recordings();
    let mut named = HashSet::new();
    let asked = requests.cases.iter().map(|case| (case.test.clone(), case.name.clone()));
    let not_asked = requests.not_asked.iter().flat_map(|group| {
        assert!(!group.reason.is_empty());
        group.cases.iter().flat_map(|(test, cases)| cases.iter().map(|case| (test.clone(), case.clone())))
    });
    for name in asked.chain(not_asked) {
        assert!(recordings.contains_key(&name), "{name:?} is not recorded");
        assert!(named.insert(name.clone()), "{name:?} is there twice");
    }
    let missing: Vec<_> = recordings.keys().filter(|name| !named.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:#?} are neither asked nor have a reason");
}

#[test]
fn what_aws_refuses_is_refused_in_its_words() {
    let (recordings, requests) = recordings();
    let engine = Engine::start_with(&["--account-id", "111111111111", "--region", "us-east-1"]);
    let (mut wrong, mut better, mut right) = (String::new(), String::new(), 0);
    for (number, case) in requests.cases.iter().enumerate() {
        let recording = &recordings[&(case.test.clone(), case.name.clone())];
        let values = Values::of(number, case);
        let answer = ask(&engine, case, &values);
        let differences = differences(recording, &values, &answer);
        match (&case.differs, differences.is_empty()) {
            (None, true) => right += 1,
            (None, false) => {
                writeln!(wrong, "  {} ({})\n    {}", case.test, case.name, differences.join("\n    ")).unwrap();
            }
            (Some(_), false) => {}
            (Some(reason), true) => writeln!(better, "  {} ({}): {reason}", case.test, case.name).unwrap(),
        }
    }
    assert!(wrong.is_empty(), "answers that are not AWS's:\n{wrong}");
    assert!(better.is_empty(), "answers that are AWS's by now; take `differs` away:\n{better}");
    let asked = requests.cases.len();
    assert!(right * 100 >= asked * RIGHT_PERCENT_MIN, "only {right} of {asked} are AWS's");
}
