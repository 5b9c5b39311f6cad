//! `lambd up`: the engine for development.

use std::path::PathBuf;

use anyhow::bail;
use clap::{ArgMatches, Args};

use crate::config::{Flags, Places};

/// Run the engine and deploy every function found below a folder, again whenever its files change
///
/// A folder with a lambd.toml is a function (name, runtime, handler, memory, timeout, description, build, package and
/// environment in it); a folder without one is recognised by its files where that leaves no doubt. For each function
/// the commands that invoke it are printed, ready to paste. State is kept in DIR/.lambd.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The folder
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    flags: Flags,
}

pub(super) fn run(arguments: Arguments, matches: &ArgMatches) -> anyhow::Result<u8> {
    let Arguments { folder, flags } = arguments;
    if !folder.is_dir() {
        bail!("{} is no folder; `lambd up DIR` deploys the functions below DIR", folder.display());
    }
    super::serve::start(flags, matches, &Places::of_up(&folder), Some(&folder))
}
