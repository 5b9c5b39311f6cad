//! `lambd completions`: the script that teaches a shell our flags.

use std::io::Write;

use clap::Args;
use clap_complete::Shell;

/// Print the completion script of a shell
///
/// For bash: lambd completions bash > ~/.local/share/bash-completion/completions/lambd
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::command(), "lambd", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(0)
}
