//! The files of the tree: nothing of one machine in them, no test that does not run or that waits, `unsafe` only where
//! it belongs, each file saying what it is for. The largest are listed, for those who look for something to split.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use regex::Regex;

use super::Findings;
use crate::process::{print, program, read, root};

const GENERATED: &str = "// Written by `cargo xtask codegen`. Do not edit.";
/// Rust that is no part of the house: example functions, and the programs of the benchmark.
const GUESTS: &[&str] = &["examples/", "bench/"];
/// AWS's own user in an execution environment, whose folder HOME names there.
const AWS_HOME: &str = "/home/sbx_user1051";
const LARGEST: usize = 5;

/// What must not stand in a line: where, what, and why not.
struct Rule {
    applies: fn(&str) -> bool,
    pattern: Regex,
    why: &'static str,
}

fn rules() -> Vec<Rule> {
    let rule = |applies: fn(&str) -> bool, pattern: &str, why| Rule {
        applies,
        pattern: Regex::new(pattern).expect("a pattern of ours"),
        why,
    };
    vec![
        rule(|_| true, r"(?:^|[^\w.$}/-])/(?:root|home)/[\w.]", "a path of somebody's machine"),
        rule(
            |path| path.ends_with("package-lock.json"),
            r#""resolved": "https?:"#,
            "a lock file names versions and checksums; where from is the machine's affair (npm's omit-lockfile-registry-resolved)",
        ),
        rule(
            |path| path.ends_with("Cargo.lock"),
            r#"^source = "(?:git|registry\+https?://[^g])"#,
            "crates come from the registry, so that they stay to be had",
        ),
        rule(
            is_rust,
            r"^\s*#\[ignore",
            "a test that does not run proves nothing: `testkit::skip::test` names its reason",
        ),
        rule(
            |path| is_rust(path) && path.contains("/tests/"),
            r"(?:thread|time)::sleep\s*\(",
            "a test waits for what it wants to see (`tokio::time::timeout` bounds it), never for a time",
        ),
        rule(
            |path| is_house_rust(path) && !path.starts_with("crates/sandbox/"),
            r"^[^/]*(?:\bunsafe\s*(?:\{|fn\b|impl\b|extern\b|trait\b)|#!?\[unsafe\(|\((?:unsafe_code\b|.*, *unsafe_code\b))",
            "only crates/sandbox may be unsafe",
        ),
    ]
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

fn is_house_rust(path: &str) -> bool {
    is_rust(path) && !GUESTS.iter().any(|guest| path.starts_with(guest))
}

pub(super) fn check() -> Result<Findings> {
    let list = read(program("git").args(["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate"]))
        .context("listing the files of the tree (tidy works in a git clone)")?;
    let rules = rules();
    let mut findings = Findings::new();
    let mut sizes = Vec::new();
    for path in list.lines() {
        // Deleted and not yet committed, or no text.
        let Ok(text) = fs::read_to_string(root().join(path)) else { continue };
        findings.extend(lines(&rules, path, &text));
        findings.extend(opening(path, &text));
        if is_house_rust(path) && !path.contains("/generated/") {
            sizes.push((text.lines().count(), path));
        }
    }
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let largest: Vec<String> = sizes.iter().take(LARGEST).map(|(lines, path)| format!("{path} ({lines})")).collect();
    print(&format!("largest files: {}", largest.join(", ")));
    Ok(findings)
}

fn lines(rules: &[Rule], path: &str, text: &str) -> Findings {
    let rules: Vec<&Rule> = rules.iter().filter(|rule| (rule.applies)(path)).collect();
    let mut findings = Findings::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.replace(AWS_HOME, "");
        for rule in rules.iter().filter(|rule| rule.pattern.is_match(&line)) {
            findings.push(format!("{path}:{}: {}", number + 1, rule.why));
        }
    }
    findings
}

/// How a Rust file begins.
fn opening(path: &str, text: &str) -> Option<String> {
    if !is_house_rust(path) {
        return None;
    }
    let mut text = text;
    if path.contains("/generated/") {
        let Some(rest) = text.strip_prefix(GENERATED) else {
            return Some(format!("{path}: what is generated begins with `{GENERATED}`"));
        };
        text = rest.trim_start();
    }
    (!text.starts_with("//! ")).then(|| format!("{path}: a file opens with what it is for, in a `//!` comment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, line: &str) -> usize {
        lines(&rules(), path, line).len()
    }

    #[test]
    fn lines_that_must_not_be() {
        // In two parts each, since these lines are checked as well.
        let cases = [
            ("README.md", ["see /ro", "ot/.cargo"], 1),
            ("README.md", ["/ho", "me/me/lambd"], 1),
            ("README.md", ["https://example.com/ho", "me/page"], 0),
            ("a.rs", ["\"/ho", "me/sbx_user1051\""], 0),
            ("crates/a/tests/it/b.rs", ["    #[ign", "ore]"], 1),
            ("crates/a/tests/it/b.rs", ["std::thread::sl", "eep(a)"], 1),
            ("crates/a/src/b.rs", ["tokio::time::sl", "eep(a)"], 0),
            ("crates/app/src/b.rs", ["    uns", "afe { x() }"], 1),
            ("crates/app/src/b.rs", ["#![expect(uns", "afe_code, reason = \"\")]"], 1),
            ("crates/app/src/b.rs", ["// uns", "afe { x() }"], 0),
            ("crates/sandbox/src/b.rs", ["uns", "afe { x() }"], 0),
            ("bench/Cargo.lock", ["source = \"gi", "t+https://example.com\""], 1),
        ];
        for (path, [first, second], expected) in cases {
            let line = format!("{first}{second}");
            assert_eq!(findings(path, &line), expected, "{path}: {line}");
        }
    }

    #[test]
    fn files_open_with_what_they_are_for() {
        for (path, text, fine) in [
            ("crates/a/src/b.rs", "//! For this.\n", true),
            ("crates/a/src/b.rs", "use std::fs;\n", false),
            ("examples/a/src/b.rs", "use std::fs;\n", true),
            ("crates/a/src/generated/b.rs", "//! By hand.\n", false),
            ("a.md", "text", true),
        ] {
            assert_eq!(opening(path, text).is_none(), fine, "{path}: {text}");
        }
        let generated = format!("{GENERATED}\n//! Tables.\n");
        assert_eq!(opening("crates/a/src/generated/b.rs", &generated), None);
    }
}
