//! `lambd serve`: the engine.

use std::path::Path;

use clap::{ArgMatches, Args};

use crate::config::{Flags, Places, Settings};
use crate::serve;

/// Run the engine: answer the AWS Lambda API and run functions
///
/// When it answers requests it prints one line per listener:
///   lambd: api http://127.0.0.1:4566
///   lambd: admin http://127.0.0.1:4567
/// Its own log goes to standard error. SIGTERM and Ctrl-C let running invocations finish first.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: Flags,
}

pub(super) fn run(arguments: Arguments, matches: &ArgMatches) -> anyhow::Result<u8> {
    let places = Places::of_serve(rustix::process::geteuid().is_root());
    start(arguments.flags, matches, &places, None)
}

/// What `serve` and `up` share: settings, then the engine.
pub(super) fn start(flags: Flags, matches: &ArgMatches, places: &Places, folder: Option<&Path>) -> anyhow::Result<u8> {
    let only_prints = flags.only_prints();
    let settings: Settings = flags.settings(matches, places)?;
    if only_prints {
        super::print(&settings.print())?;
        return Ok(0);
    }
    serve::run(settings, folder.map(Path::to_owned))?;
    Ok(0)
}
