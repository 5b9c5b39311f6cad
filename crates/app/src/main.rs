//! `lambd`: AWS Lambda's `invoke` on your own machine.

mod admin;
mod chance;
mod cli;
mod config;
mod fault_report;
mod isolation;
mod serve;
mod stderr;
mod telemetry;
mod units;
mod up;

use std::io::Write;
use std::process::ExitCode;

use cli::Advised;

fn main() -> ExitCode {
    // Before anything else: a spawner may not have a second thread, nor anything of ours open.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == serve::SPAWNER) {
        sandbox::launcher::main(sandbox::launcher::CONTROL);
    }
    match cli::run() {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            report(&failure);
            ExitCode::FAILURE
        }
    }
}

/// The one printer of errors. When stderr is closed there is nobody left to tell.
fn report(failure: &anyhow::Error) {
    let mut stderr = anstream::stderr().lock();
    let _ = writeln!(stderr, "error: {failure}");
    for cause in failure.chain().skip(1) {
        let _ = writeln!(stderr, "caused by: {cause}");
    }
    if let Some(advised) = failure.chain().find_map(|cause| cause.downcast_ref::<Advised>()) {
        let _ = writeln!(stderr, "help: {}", advised.help);
    }
}
