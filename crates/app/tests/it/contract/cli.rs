//! The AWS CLI: input by `--cli-input-json`, blobs by the options and files that people use.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value};
use tempfile::TempDir;

use super::{Client, Refused, Told};
use crate::engine_process::Engine;
use crate::tools;

pub(super) struct Cli {
    program: PathBuf,
    endpoint: String,
    folder: TempDir,
}

impl Cli {
    pub(super) fn new(program: PathBuf, engine: &Engine) -> Self {
        Self { program, endpoint: engine.endpoint(), folder: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }
}

impl Client for Cli {
    fn name(&self) -> &'static str {
        "the AWS CLI"
    }

    fn call(&mut self, operation: &str, input: &Map<String, Value>) -> Told {
        let mut input = input.clone();
        let mut command = tools::alone(&self.program, self.folder.path());
        command
            .env("AWS_MAX_ATTEMPTS", "1")
            .args(["--endpoint-url", &self.endpoint, "--output", "json", "--no-paginate", "lambda"])
            .arg(option_name(operation));
        if let Some(zip) = taken(&mut input, "ZipFile") {
            self.write("code.zip", &zip);
            command.args(["--zip-file", "fileb://code.zip"]);
        }
        if let Some(payload) = taken(&mut input, "Payload") {
            self.write("payload", &payload);
            command.args(["--payload", "fileb://payload"]);
        }
        let has_outfile = operation.starts_with("Invoke");
        if has_outfile {
            // With a file for the payload it wants its options as such.
            for (member, value) in &input {
                command.args([&format!("--{}", option_name(member)), value.as_str().unwrap()]);
            }
            self.write("out", b"");
            command.arg("out");
        } else {
            self.write("input.json", Value::Object(input).to_string().as_bytes());
            command.args(["--cli-input-json", "file://input.json"]);
        }
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        if output.status.success() {
            let printed = text(&output.stdout);
            // An operation without an answer prints nothing.
            let printed = if printed.trim().is_empty() { "{}" } else { &printed };
            let mut answer: Value = serde_json::from_str(printed).unwrap();
            if has_outfile {
                answer["Payload"] = fs::read_to_string(self.folder.path().join("out")).unwrap().into();
            }
            return Told { status: None, answer: Some(answer), refused: None };
        }
        let line = text(&output.stderr);
        let refused = refused(line.trim()).unwrap_or_else(|| panic!("{operation}: the AWS CLI says {line}"));
        Told { status: None, answer: None, refused: Some(refused) }
    }
}

/// `CreateFunction` as `create-function`.
fn option_name(operation: &str) -> String {
    let mut name = String::new();
    for letter in operation.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// Takes a blob out of the input, at the top or within a member.
fn taken(input: &mut Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    if let Some(blob) = input.remove(name) {
        return Some(data_encoding::BASE64.decode(blob["base64"].as_str().unwrap().as_bytes()).unwrap());
    }
    let (member, blob) =
        input.iter_mut().find_map(|(member, value)| Some((member.clone(), taken(value.as_object_mut()?, name)?)))?;
    // Nothing else was in it.
    if input[&member].as_object().is_some_and(Map::is_empty) {
        input.remove(&member);
    }
    Some(blob)
}

/// `An error occurred (CODE) when calling the X operation: TEXT`.
fn refused(line: &str) -> Option<Refused> {
    let (_, rest) = line.split_once("An error occurred (")?;
    let (code, rest) = rest.split_once(')')?;
    let (_, message) = rest.split_once(" operation: ").or_else(|| rest.split_once("): "))?;
    Some(Refused { code: code.to_owned(), message: message.to_owned() })
}
