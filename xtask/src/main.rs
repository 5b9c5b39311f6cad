//! The house's own commands: `cargo xtask COMMAND`. Development only; each command lives in a file of its own.

mod codegen;

use std::process::ExitCode;

/// One command: its name, one line of help, and what it does with the arguments after its name.
type Command = (&'static str, &'static str, fn(&[String]) -> anyhow::Result<()>);

const COMMANDS: &[Command] = &[(
    "codegen",
    "write crates/wire/src/generated from the model (--check compares only; --import FILE takes in a new model)",
    codegen::run,
)];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let name = args.next();
    let rest: Vec<String> = args.collect();
    let Some((_, _, run)) = COMMANDS.iter().find(|(command, ..)| Some(*command) == name.as_deref()) else {
        usage();
        return ExitCode::from(2);
    };
    match run(&rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn usage() {
    say("usage: cargo xtask COMMAND\n");
    for (name, help, _) in COMMANDS {
        say(&format!("  {name:<10} {help}"));
    }
}

#[expect(clippy::print_stderr, reason = "this is where xtask talks to the person who ran it")]
fn say(line: &str) {
    eprintln!("{line}");
}
