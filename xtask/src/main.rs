//! The house's own commands: `cargo xtask COMMAND`. Development only; each command lives in a file of its own.

mod api;
mod bench;
mod ci;
mod codegen;
mod crashes;
mod process;
mod served;
mod sim;
mod soak;
mod test;
mod test_tools;
mod tidy;

use std::process::ExitCode;

use process::say;

/// One command: its name, one line of help, and what it does with the arguments after its name.
type Command = (&'static str, &'static str, fn(&[String]) -> anyhow::Result<()>);

const COMMANDS: &[Command] = &[
    ("test", "set up what the tests need and run them (arguments go to nextest)", test::run_tests),
    ("ci", "everything that must hold before a change lands", ci::run_steps),
    ("tidy", "check the rules of the house: who names whom, licences, duplicates, files", tidy::run),
    (
        "codegen",
        "write crates/wire/src/generated from the model (--check compares only; --import FILE takes in a new model)",
        codegen::run,
    ),
    (
        "bench",
        "compare the engine with the floor program and with docs/promises.md (--short: seconds)",
        bench::run_bench,
    ),
    (
        "soak",
        "load the engine with everything for an hour and see that nothing stays behind (--minutes N, --short: seconds)",
        soak::run_soak,
    ),
    (
        "kills",
        "kill the engine under events again and again and see that none is lost (--rounds N, 50 by default)",
        crashes::run_kills,
    ),
    (
        "power-cut",
        "cut a disk's power under the store and see that nothing is lost; root (--rounds N, 20 by default)",
        crashes::run_power_cuts,
    ),
    (
        "sim",
        "play stories of failing functions, stores and engines, and see that no event is lost (--seeds N, --seed S)",
        sim::run_sim,
    ),
];

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
