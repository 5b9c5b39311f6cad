//! What is said to work is proven: each row of `docs/compatibility.md` that is built, at least in part, would make a test
//! fail if it were not. An operation is proven by a step of the contract (`crates/app/tests/data/contract.json`) that it
//! must answer, for which a refusal would not do; anything else by tests that `xtask/proofs.txt` names. What has neither
//! stands in `xtask/unproven.txt`, which may only get shorter.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::Findings;
use crate::process::root;

const ROWS: &str = "docs/compatibility.md";
const PROOFS: &str = "xtask/proofs.txt";
const CONTRACT: &str = "crates/app/tests/data/contract.json";
const UNPROVEN: &str = "xtask/unproven.txt";
/// How many rows may be without a proof. It follows the list down, never up.
const UNPROVEN_MAX: usize = 0;

pub(super) fn check() -> Result<Findings> {
    let read = |path: &str| fs::read_to_string(root().join(path)).with_context(|| format!("reading {path}"));
    let (rows, proofs, unproven) = (read(ROWS)?, read(PROOFS)?, read(UNPROVEN)?);
    let steps: Vec<Step> = serde_json::from_str(&read(CONTRACT)?).with_context(|| format!("reading {CONTRACT}"))?;
    let answered = steps.into_iter().filter(|step| step.answers.is_some()).map(|step| step.operation).collect();
    Ok(judge(&rows, &proofs, &answered, &unproven, &|test| exists(test)))
}

#[derive(Deserialize)]
struct Step {
    operation: String,
    answers: Option<serde_json::Value>,
}

/// Rows that are built: the first column, without the marks around code.
fn built(rows: &str) -> BTreeSet<String> {
    let columns = rows.lines().filter_map(|line| {
        let mut columns = line.strip_prefix("| ")?.split(" | ");
        Some((columns.next()?, columns.next()?))
    });
    let built = columns.filter(|(_, state)| matches!(*state, "works" | "partly"));
    built.map(|(name, _)| name.to_owned()).collect()
}

/// Lines `ROW = TEST, TEST`, each test as `CRATE::MODULE::NAME`.
fn named(proofs: &str) -> BTreeMap<&str, Vec<&str>> {
    let lines = proofs.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split_once(" = ").unwrap_or((line, "")))
        .map(|(row, tests)| (row, tests.split(", ").filter(|test| !test.is_empty()).collect()))
        .collect()
}

fn judge(
    rows: &str,
    proofs: &str,
    answered: &BTreeSet<String>,
    unproven: &str,
    exists: &dyn Fn(&str) -> bool,
) -> Findings {
    let (built, named) = (built(rows), named(proofs));
    let unproven: BTreeSet<&str> = unproven.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mut findings = Findings::new();
    for row in &built {
        let tests = named.get(row.as_str()).map_or(0, Vec::len) + usize::from(answered.contains(row));
        match (tests, unproven.contains(row.as_str())) {
            (0, false) => findings
                .push(format!(
                "{row:?} of {ROWS} is built and nothing would fail without it: it needs a step in {CONTRACT} that is answered, or a test in {PROOFS}"
            )),
            (1.., true) => findings.push(format!("{UNPROVEN}: {row:?} has a test by now: take it out")),
            _ => {}
        }
    }
    for row in named.keys().copied().chain(unproven.iter().copied()).filter(|row| !built.contains(*row)) {
        findings.push(format!("{PROOFS} or {UNPROVEN}: {row:?} is no row of {ROWS} that is built"));
    }
    for (row, tests) in &named {
        for test in tests.iter().filter(|test| !exists(test)) {
            findings.push(format!("{PROOFS}: {row:?}: there is no test {test}"));
        }
    }
    if unproven.len() > UNPROVEN_MAX {
        findings.push(format!("{UNPROVEN} has {} rows; it may only get shorter than {UNPROVEN_MAX}", unproven.len()));
    }
    findings
}

/// Whether a crate's tests have a test of that name in that module: `app::contract::through_boto3` is in
/// `crates/app/tests/it/contract.rs` or `contract/mod.rs`; `domain::arn` may also be in `src`.
fn exists(test: &str) -> bool {
    let mut parts: Vec<&str> = test.split("::").collect();
    let (Some(name), Some((krate, modules))) = (parts.pop(), parts.split_first()) else { return false };
    let path = modules.join("/");
    let files = ["tests/it", "src"].iter().flat_map(|folder| {
        let base = root().join("crates").join(krate).join(folder).join(&path);
        [base.with_extension("rs"), base.join("mod.rs"), base.join("tests.rs")]
    });
    files.into_iter().any(|file| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let function = format!("fn {name}(");
        let mut is_test = false;
        text.lines().any(|line| {
            let line = line.trim_start();
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            } else if line.contains("fn ") {
                let found = is_test && line.contains(&function);
                is_test = false;
                return found;
            }
            false
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "| feature | state | not yet |\n| --- | --- | --- |\n| a, b | works | |\n| C | partly | d |\n| E | not yet | |\n| F | works | |\n";

    #[test]
    fn what_is_built_needs_a_test_that_is_there() {
        let answered = BTreeSet::from(["F".to_owned()]);
        for (proofs, unproven, wrong) in [
            ("a, b = t::one, t::two\nC = t::one\n", "", 0),
            ("# why\na, b = t::one\nC = t::none\n", "", 1),
            ("a, b = t::one\n", "", 1),
            ("a, b = t::one\nC = t::one\nE = t::one\n", "", 1),
            // One too many, and none may be there.
            ("a, b = t::one\n", "C\n", 1),
            ("a, b = t::one\nC = t::one\n", "C\n", 2),
        ] {
            let findings = judge(ROWS, proofs, &answered, unproven, &|test| test != "t::none");
            assert_eq!(findings.len(), wrong, "{proofs}{unproven}: {findings:?}");
        }
    }

    #[test]
    fn a_test_is_found_by_its_name() {
        assert!(exists("app::contract::through_boto3"));
        assert!(!exists("app::contract::check"));
        assert!(!exists("app::contract"));
    }
}
