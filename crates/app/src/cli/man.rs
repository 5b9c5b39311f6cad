//! `lambd man`: the manual pages, as roff.

use std::io::Write;

use clap::Args;
use clap_mangen::Man;

use super::Advised;

/// Print a manual page, as roff
///
/// To read one: lambd man invoke | man -l -
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The command to describe; lambd itself without
    command: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let lambd = super::command();
    let described = match &arguments.command {
        None => lambd,
        Some(name) => find(&lambd, name)?,
    };
    let mut page = Vec::new();
    Man::new(described).render(&mut page)?;
    std::io::stdout().write_all(&page)?;
    Ok(0)
}

fn find(lambd: &clap::Command, name: &str) -> Result<clap::Command, Advised> {
    if let Some(command) = lambd.find_subcommand(name) {
        return Ok(command.clone().display_name(format!("lambd-{name}")));
    }
    let names: Vec<_> = lambd.get_subcommands().map(clap::Command::get_name).collect();
    let help = format!("the commands are {}", names.join(", "));
    Err(Advised { message: format!("there is no command {name:?}"), help })
}
