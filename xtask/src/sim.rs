//! `cargo xtask sim [--seeds N | --seed S]`: stories of events that must not be lost (`testkit::sim`), more of them than the
//! tests play, or one of them again.

use anyhow::{Context as _, Result, bail};

use crate::process::{cargo, run};

/// What the test that plays them reads.
const SEED: &str = "LAMBD_SIM_SEED";
const SEEDS: &str = "LAMBD_SIM_SEEDS";
const SEEDS_DEFAULT: u64 = 10_000;

pub(crate) fn run_sim(args: &[String]) -> Result<()> {
    let (variable, number) = match args {
        [] => (SEEDS, SEEDS_DEFAULT),
        [flag, number] if flag == "--seeds" => (SEEDS, parse(number)?),
        [flag, number] if flag == "--seed" => (SEED, parse(number)?),
        _ => bail!("usage: cargo xtask sim [--seeds N | --seed S]"),
    };
    let mut test = cargo();
    test.args([
        "test",
        "-p",
        "engine",
        "--test",
        "it",
        "--",
        "--exact",
        "simulation::no_story_loses_an_event",
        "--nocapture",
    ]);
    test.env(variable, number.to_string());
    run(&mut test)
}

fn parse(number: &str) -> Result<u64> {
    number.parse().with_context(|| format!("{number:?} is no number"))
}
