//! boto3, by `data/contract_client.py`, which calls whatever operation it is told.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Map, Value, json};

use super::{Client, Told};
use crate::engine_process::Engine;

/// Ended when dropped.
pub(super) struct Boto3 {
    child: Child,
    steps: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Boto3 {
    pub(super) fn start(python: &Path, engine: &Engine) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/contract_client.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(engine.endpoint())
            .env_clear()
            .env("HOME", engine.folder())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (steps, told) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, steps, told }
    }
}

impl Client for Boto3 {
    fn name(&self) -> &'static str {
        "boto3"
    }

    fn call(&mut self, operation: &str, input: &Map<String, Value>) -> Told {
        writeln!(self.steps, "{}", json!({"operation": operation, "input": input})).unwrap();
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{operation}: boto3 says {line:?}: {error}"))
    }
}

impl Drop for Boto3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
