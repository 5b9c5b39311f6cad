//! `cargo xtask ci`: everything that must hold before a change lands, in the order in which it fails fastest; the
//! last steps are the README's test command and a short soak. Each step's time is told, since the whole has 20 minutes
//! on two cores.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::process::{cargo, run, say, timed};
use crate::{codegen, soak, test, tidy};

/// Its name, and what it does.
type Step = (&'static str, fn() -> Result<()>);

const STEPS: &[Step] = &[
    ("codegen --check", || codegen::run(&["--check".to_owned()])),
    ("tidy", || tidy::run(&[])),
    ("fmt", || run(cargo().args(["fmt", "--all", "--check"]))),
    ("clippy", clippy),
    ("test", || test::run_tests(&[])),
    ("soak --short", || soak::run_soak(&["--short".to_owned()])),
];

/// `cargo xtask ci`
pub(crate) fn run_steps(arguments: &[String]) -> Result<()> {
    ensure!(arguments.is_empty(), "`cargo xtask ci` takes no arguments");
    let mut times = Vec::new();
    for (name, step) in STEPS {
        say(&format!("== {name}"));
        let (result, time) = timed(step);
        times.push((*name, time));
        result.with_context(|| format!("`{name}` failed after {}", shown(time)))?;
    }
    let total = times.iter().map(|(_, time)| *time).sum();
    let times: Vec<String> = times.iter().map(|(name, time)| format!("{name} {}", shown(*time))).collect();
    say(&format!("ci: {} ({})", shown(total), times.join(", ")));
    Ok(())
}

fn clippy() -> Result<()> {
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn shown(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}
