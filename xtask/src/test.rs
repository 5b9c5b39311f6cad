//! `cargo xtask test [ARGUMENTS FOR NEXTEST]`: sets up what the tests need, runs them all, and says what was left out.
//! Arguments go to nextest (`-p wire`, a part of a test's name); with any, the documentation's examples are not run.
//!
//! A test that cannot run here calls `testkit::skip::test`, which writes a line `name: reason` to the file that
//! `LAMBD_TEST_SKIPS` names. They are all listed at the end; with `CI=true` each is a failure.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use regex::Regex;

use crate::process::{self, alone, cargo, print, program, run, say};
use crate::test_tools::{self, Tools};

/// `cargo xtask test [ARGUMENTS]`
pub(crate) fn run_tests(arguments: &[String]) -> Result<()> {
    let tools = test_tools::set_up()?;
    let skips = process::target().join("test-tools/skips");
    fs::write(&skips, "").with_context(|| format!("writing {}", skips.display()))?;

    let mut counts = Counts::default();
    let mut failures: Vec<String> = Vec::new();
    let result = run(with_tools(&mut nextest(&tools, arguments), &tools, &skips));
    failures.extend(result.err().map(|error| format!("{error:#}")));
    counts += junit()?;
    if arguments.is_empty() {
        let mut examples = cargo();
        examples.args(["test", "--doc", "--workspace"]);
        let (counted, result) = doc_tests(with_tools(&mut examples, &tools, &skips))?;
        counts += counted;
        failures.extend(result.err().map(|error| format!("{error:#}")));
    }

    let skips = fs::read_to_string(&skips).context("reading back the list of skipped tests")?;
    let skipped = skipped(&skips);
    // In CI a test that may not be left out fails by itself (`testkit::skip`).
    for (name, reason) in &skipped {
        say(&format!("SKIPPED {name}: {reason}"));
    }
    let left_out = skipped.len();
    print(&format!("{} passed, {} failed, {left_out} skipped", counts.passed.saturating_sub(left_out), counts.failed));
    if !failures.is_empty() {
        bail!("{}", failures.join("\n"));
    }
    Ok(())
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: usize,
    failed: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

fn nextest(tools: &Tools, arguments: &[String]) -> Command {
    // A report of an earlier run must not be taken for this one's; it may as well not exist.
    let _ = fs::remove_file(report());
    // The pinned one, whatever `cargo nextest` is on this machine.
    let mut command = alone(program(tools.in_venv("cargo-nextest")));
    command.args(["nextest", "run"]);
    if !arguments.iter().any(|argument| argument == "-p" || argument.starts_with("--package")) {
        command.arg("--workspace");
    }
    command.args(arguments);
    command
}

fn with_tools<'a>(command: &'a mut Command, tools: &Tools, skips: &Path) -> &'a mut Command {
    command
        .env("LAMBD_TEST_TOOLS", &tools.folder)
        .env("LAMBD_TEST_AWS_V2", &tools.aws_v2)
        .env("LAMBD_TEST_SKIPS", skips)
}

fn report() -> PathBuf {
    process::target().join("nextest/default/junit.xml")
}

/// What nextest counted. Without a report it ran no test: what was wrong has been said.
fn junit() -> Result<Counts> {
    let Ok(text) = fs::read_to_string(report()) else { return Ok(Counts::default()) };
    junit_counts(&text).with_context(|| format!("{} has no totals", report().display()))
}

fn junit_counts(text: &str) -> Option<Counts> {
    let totals = Regex::new(r"<testsuites [^>]*>").expect("a pattern of ours").find(text)?.as_str();
    let number = |name: &str| {
        let pattern = Regex::new(&format!(r#" {name}="(\d+)""#)).expect("a pattern of ours");
        pattern.captures(totals)?[1].parse::<usize>().ok()
    };
    let failed = number("failures")? + number("errors")?;
    Some(Counts { passed: number("tests")?.saturating_sub(failed), failed })
}

/// Runs the documentation's examples, passing on what they print.
fn doc_tests(command: &mut Command) -> Result<(Counts, Result<()>)> {
    let shown = process::shown(command);
    say(&format!("$ {shown}"));
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| format!("starting {shown}"))?;
    let mut counts = Counts::default();
    for line in BufReader::new(child.stdout.take().expect("it was asked to be piped")).lines() {
        let line = line.with_context(|| format!("reading what `{shown}` prints"))?;
        counts += doc_counts(&line).unwrap_or_default();
        print(&line);
    }
    let status = child.wait().with_context(|| format!("waiting for `{shown}`"))?;
    let result = if status.success() { Ok(()) } else { Err(anyhow::anyhow!("`{shown}` failed: {status}")) };
    Ok((counts, result))
}

fn doc_counts(line: &str) -> Option<Counts> {
    let pattern = Regex::new(r"^test result: \w+\. (\d+) passed; (\d+) failed;").expect("a pattern of ours");
    let found = pattern.captures(line)?;
    Some(Counts { passed: found[1].parse().ok()?, failed: found[2].parse().ok()? })
}

/// Each skipped test once.
fn skipped(text: &str) -> BTreeMap<&str, &str> {
    text.lines().map(|line| line.split_once(": ").unwrap_or((line, "no reason given"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read() {
        let report = r#"<?xml version="1.0"?>
<testsuites name="nextest-run" tests="12" failures="2" errors="1" uuid="x" time="1.5">
  <testsuite name="a" tests="12" failures="0" errors="0">"#;
        assert_eq!(junit_counts(report), Some(Counts { passed: 9, failed: 3 }));
        assert_eq!(junit_counts("<testsuites>"), None);
    }

    #[test]
    fn results_of_examples_are_read() {
        let line = "test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(doc_counts(line), Some(Counts { passed: 3, failed: 1 }));
        assert_eq!(doc_counts("running 3 tests"), None);
    }

    #[test]
    fn a_skipped_test_is_listed_once() {
        let text = "a::b: needs root\na::c: no node: really\na::b: needs root\n";
        assert_eq!(
            skipped(text).into_iter().collect::<Vec<_>>(),
            [("a::b", "needs root"), ("a::c", "no node: really")]
        );
    }
}
