//! `lambd doctor`: what this machine can do.

use clap::{ArgMatches, Args, ValueEnum};

use crate::config::{Flags, Places};
use crate::serve;

/// Tell what this machine can do: isolation, limits, runtimes
///
/// Ends with 1 if `lambd serve` with the same flags would refuse to start.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For scripts
    Json,
}

pub(super) fn run(arguments: Arguments, matches: &ArgMatches) -> anyhow::Result<u8> {
    let places = Places::of_serve(rustix::process::geteuid().is_root());
    let settings = arguments.flags.settings(matches, &places)?;
    let diagnosis = serve::diagnose(&settings)?;
    super::print(&match arguments.output {
        Format::Text => diagnosis.text(),
        Format::Json => diagnosis.json(),
    })?;
    Ok(u8::from(diagnosis.refusal.is_some()))
}
