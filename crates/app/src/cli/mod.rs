//! The command line: one clap declaration per flag, from which the parser, `--help`, the shell completions and the man
//! pages all come. One file per command; never an `if` about Lambda.

mod admin_client;
mod completions;
mod doctor;
mod env;
mod events;
mod invoke;
mod logs;
mod man;
mod output;
mod query;
mod serve;
mod up;
mod usage;
mod value;

use anyhow::Context as _;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// AWS Lambda's `invoke` on your own machine
///
/// One binary answers the AWS Lambda API, so that unmodified AWS clients work, and runs functions for real.
#[derive(Debug, Parser)]
#[command(name = "lambd", version, propagate_version = true, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The commands in the order of `--help`: an engine's first, then a client's, then the shell's.
#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<serve::Arguments>),
    Up(Box<up::Arguments>),
    Invoke(Box<invoke::Arguments>),
    Logs(Box<logs::Arguments>),
    Events(Box<events::Arguments>),
    Doctor(Box<doctor::Arguments>),
    Env(env::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

/// An error whose remedy is known.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Advised {
    /// What went wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) help: String,
}

/// Reads the command line and does what it says; the result is the exit code.
pub(crate) fn run() -> anyhow::Result<u8> {
    let arguments: Vec<_> = std::env::args_os().collect();
    if invoke::asks_for_help(&arguments) {
        return invoke::print_help();
    }
    let parsed = command().try_get_matches_from(&arguments).and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches)?;
        Ok((cli, matches.subcommand().map(|(_, matches)| matches.clone()).unwrap_or_default()))
    });
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(mistake) if invoke::is_meant(&arguments) && mistake.use_stderr() => {
            return Ok(usage::report(&mistake, &command(), &arguments));
        }
        Err(mistake) if events::is_meant(&arguments) && mistake.use_stderr() => {
            // When stderr is closed there is nobody left to tell.
            let _ = mistake.print();
            return Ok(usage::USAGE);
        }
        Err(mistake) => mistake.exit(),
    };
    match cli.command {
        Command::Serve(arguments) => serve::run(*arguments, &matches),
        Command::Up(arguments) => up::run(*arguments, &matches),
        Command::Doctor(arguments) => doctor::run(*arguments, &matches),
        Command::Invoke(arguments) => invoke::run(&arguments),
        Command::Logs(arguments) => logs::run(&arguments),
        Command::Events(arguments) => events::run(*arguments),
        Command::Env(arguments) => env::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
    }
}

/// Writes to standard output.
fn print(text: &str) -> anyhow::Result<()> {
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes()).context("writing to standard output")
}

/// The whole declaration, with everything derived that clap derives late.
fn command() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    command
}
