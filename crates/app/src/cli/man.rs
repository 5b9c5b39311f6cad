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
    /// The command to describe, as in `events list`; lambd itself without
    command: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let mut described = super::command();
    let mut whole_name = "lambd".to_owned();
    for name in &arguments.command {
        whole_name = format!("{whole_name}-{name}");
        described = find(&described, name)?.display_name(&whole_name);
    }
    let mut page = Vec::new();
    Man::new(described).render(&mut page)?;
    std::io::stdout().write_all(&page)?;
    Ok(0)
}

fn find(described: &clap::Command, name: &str) -> Result<clap::Command, Advised> {
    if let Some(command) = described.find_subcommand(name) {
        return Ok(command.clone());
    }
    let names: Vec<_> = described.get_subcommands().map(clap::Command::get_name).collect();
    let help = match names.as_slice() {
        [] => format!("{} has no commands of its own", described.get_name()),
        names => format!("the commands are {}", names.join(", ")),
    };
    Err(Advised { message: format!("there is no command {name:?}"), help })
}
