//! `cargo xtask tidy`: the rules of the house that no compiler checks. What is wrong is told all at once, each with the
//! place and the way out; what is merely large is listed.

mod crates;
mod files;
mod proofs;

use anyhow::{Result, bail, ensure};

use crate::process::say;

/// What was found wrong, one line each.
type Findings = Vec<String>;

/// `cargo xtask tidy`
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    ensure!(arguments.is_empty(), "`cargo xtask tidy` takes no arguments");
    let mut findings = crates::check()?;
    findings.extend(files::check()?);
    findings.extend(proofs::check()?);
    if findings.is_empty() {
        return Ok(());
    }
    for finding in &findings {
        say(&format!("tidy: {finding}"));
    }
    bail!("{} things are not as they should be", findings.len())
}
