//! What a machine may lack: AWS's clients, which `cargo xtask test` sets up and names, and interpreters. A test whose
//! tool is missing says so by its name and is left out.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::NamedTempFile;

/// What is there, or a word about what is missing.
fn or_skip<T>(test: &str, found: Result<T, String>) -> Option<T> {
    found.map_err(|reason| testkit::skip::test(test, &reason)).ok()
}

/// A path below the folder of tools that `LAMBD_TEST_TOOLS` names.
pub(crate) fn tool(test: &str, path: &str) -> Option<PathBuf> {
    or_skip(
        test,
        match std::env::var_os("LAMBD_TEST_TOOLS").map(PathBuf::from) {
            None => {
                Err("LAMBD_TEST_TOOLS names no folder with AWS's clients (`cargo xtask test` sets it up)".to_owned())
            }
            Some(tools) => {
                let tool = tools.join(path);
                if tool.exists() { Ok(tool) } else { Err(format!("{} is missing", tool.display())) }
            }
        },
    )
}

/// The AWS CLI v1.
pub(crate) fn aws_v1(test: &str) -> Option<PathBuf> {
    tool(test, "venv/bin/aws")
}

/// The AWS CLI v2: `LAMBD_TEST_AWS_V2`, else the one of the system. The `aws` first on the path may be another.
pub(crate) fn aws_v2(test: &str) -> Option<PathBuf> {
    let path = std::env::var_os("LAMBD_TEST_AWS_V2").map_or_else(|| PathBuf::from("/usr/bin/aws"), PathBuf::from);
    let version = Command::new(&path).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let is_v2 = version.starts_with(b"aws-cli/2.");
    let missing = || "no AWS CLI v2 (package awscli, or LAMBD_TEST_AWS_V2)".to_owned();
    or_skip(test, is_v2.then_some(path).ok_or_else(missing))
}

/// Interpreters of this machine, each with the runtime that it runs, and what `lambd doctor` says beside.
pub(crate) struct Interpreters {
    /// Runtime and interpreter, by name.
    found: Vec<(String, PathBuf)>,
    /// Names them all to an engine that is started without a home to find them in.
    settings: NamedTempFile,
}

impl Interpreters {
    /// Asks `lambd doctor`; the test is left out where it finds no Python, no Node, or no paths of a function's own.
    pub(crate) fn find(test: &str) -> Option<Self> {
        let output = Command::new(env!("CARGO_BIN_EXE_lambd")).args(["doctor", "--output", "json"]).output().unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["refusal"], Value::Null, "the engine would not start");
        let runtimes = told["runtimes"].as_object().unwrap();
        let mut found: Vec<(String, PathBuf)> = runtimes
            .iter()
            .filter(|(runtime, _)| !runtime.starts_with("provided"))
            .map(|(runtime, about)| (runtime.clone(), about["command"].as_str().unwrap().into()))
            .collect();
        found.sort();
        let missing =
            ["python3", "nodejs"].iter().find(|name| !found.iter().any(|(runtime, _)| runtime.starts_with(*name)));
        or_skip(
            test,
            match missing {
                Some(name) => Err(format!("no interpreter for any {name} runtime")),
                None if told["paths"] != "own /var/task, /opt and /tmp" => {
                    Err(format!("the kernel gives functions no paths of their own: {}", told["paths"]))
                }
                None => Ok(()),
            },
        )?;
        let settings = NamedTempFile::with_suffix(".toml").unwrap();
        let tables = found
            .iter()
            .map(|(runtime, command)| format!("[runtimes.{runtime:?}]\ncommand = {:?}\n", command.to_str().unwrap()));
        std::fs::write(&settings, tables.collect::<String>()).unwrap();
        Some(Self { found, settings })
    }

    /// The runtimes that they run.
    pub(crate) fn runtimes(&self) -> impl Iterator<Item = &str> {
        self.found.iter().map(|(runtime, _)| runtime.as_str())
    }

    /// The newest runtime of Python.
    pub(crate) fn python(&self) -> &str {
        // By number: 3.8 is older than 3.10.
        self.newest("python3.")
    }

    /// The newest runtime of Node.
    pub(crate) fn node(&self) -> &str {
        self.newest("nodejs")
    }

    fn newest(&self, family: &str) -> &str {
        let number = |runtime: &&str| {
            runtime.strip_prefix(family).and_then(|number| number.trim_end_matches(".x").parse::<u32>().ok())
        };
        self.runtimes().filter(|runtime| number(runtime).is_some()).max_by_key(number).unwrap()
    }

    /// The interpreter of a runtime.
    pub(crate) fn command(&self, runtime: &str) -> &Path {
        self.found.iter().find(|(known, _)| known == runtime).map(|(_, command)| command.as_path()).unwrap()
    }

    /// The value of `--config`.
    pub(crate) fn settings(&self) -> &str {
        self.settings.path().to_str().unwrap()
    }
}

/// An AWS client that sees nothing of this machine's settings: its home and working folder are `folder`.
pub(crate) fn alone(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("HOME", folder)
        .env("PATH", "/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .current_dir(folder);
    command
}
