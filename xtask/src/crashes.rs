//! `cargo xtask kills [--rounds N]` and `cargo xtask power-cut [--rounds N]`: the tests of crashes, which `cargo xtask
//! test` runs a few times over, as often as it takes to believe them.

use anyhow::{Result, bail};

use crate::process::{cargo, run};

/// `cargo xtask kills [--rounds N]`
pub(crate) fn run_kills(arguments: &[String]) -> Result<()> {
    let test = ["test", "--package", "app", "--test", "it", "events_kill::"];
    run_often("LAMBD_KILLS", rounds(arguments, 50)?, &test)
}

/// `cargo xtask power-cut [--rounds N]`
pub(crate) fn run_power_cuts(arguments: &[String]) -> Result<()> {
    let test = ["test", "--package", "store", "--lib", "power_cut::"];
    run_often("LAMBD_POWER_CUTS", rounds(arguments, 20)?, &test)
}

fn rounds(arguments: &[String], usual: u32) -> Result<u32> {
    match arguments {
        [] => Ok(usual),
        [flag, number] if flag == "--rounds" => match number.parse() {
            Ok(rounds) if rounds > 0 => Ok(rounds),
            _ => bail!("--rounds {number}: a number from 1 on"),
        },
        _ => bail!("the one argument is --rounds N"),
    }
}

/// What cannot run here fails and says what is missing: who asked for it wants it done.
fn run_often(variable: &str, rounds: u32, test: &[&str]) -> Result<()> {
    run(cargo().args(test).args(["--", "--nocapture"]).env(variable, rounds.to_string()).env("CI", "true"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_read() {
        let read = |arguments: &[&str]| {
            rounds(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>(), 7).map_err(|error| error.to_string())
        };
        assert_eq!(read(&[]), Ok(7));
        assert_eq!(read(&["--rounds", "3"]), Ok(3));
        for wrong in [&["--rounds", "0"][..], &["--rounds"], &["3"], &["--rounds", "x"]] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
