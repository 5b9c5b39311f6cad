//! Mistakes on the command line of `lambd invoke`, in the words of the AWS CLI (its `argparser.py`), with a hint below.

use std::ffi::OsString;
use std::io::Write;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What the AWS CLI exits with after a mistaken command line.
pub(super) const USAGE: u8 = 252;

/// Prints the mistake; the result is the exit code.
pub(super) fn report(mistake: &clap::Error, command: &clap::Command, arguments: &[OsString]) -> u8 {
    let invoke = command.find_subcommand("invoke").expect("declared in cli");
    let arguments: Vec<String> =
        arguments.iter().skip(2).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let given = Given::read(invoke, &arguments);
    let argument = text(mistake, ContextKind::InvalidArg).unwrap_or_default();
    let name = argument.split(' ').next().unwrap_or_default();

    let mut lines = vec![String::new(), format!("usage: {}", usage_line(invoke)), String::new()];
    match mistake.kind() {
        ErrorKind::InvalidValue if text(mistake, ContextKind::InvalidValue).is_none_or(|value| value.is_empty()) => {
            lines.push(format!("lambd: error: argument {name}: expected one argument"));
        }
        ErrorKind::InvalidValue => {
            lines.push(format!("lambd: error: argument {name}: Invalid choice, valid choices are:"));
            lines.push(String::new());
            let choices = texts(mistake, ContextKind::ValidValue);
            lines.extend(
                choices
                    .chunks(2)
                    .map(|pair| pair.iter().map(|choice| format!("{choice:<40}")).collect::<Vec<_>>().join(" | ")),
            );
        }
        ErrorKind::UnknownArgument if given.has_function_name => {
            lines.push(format!("Unknown options: {}", given.unknown.join(", ")));
        }
        ErrorKind::MissingRequiredArgument | ErrorKind::UnknownArgument => {
            lines.push("lambd: error: the following arguments are required: --function-name".to_owned());
        }
        _ => lines.push(format!("lambd: {}", mistake.to_string().lines().next().unwrap_or_default())),
    }
    lines.push(String::new());
    for unknown in &given.unknown {
        if let Some(nearest) = nearest_flag(invoke, unknown) {
            lines.push(format!("help: there is no {unknown}; did you mean {nearest}?"));
        }
    }
    lines.push("help: lambd invoke --help lists every option".to_owned());
    let mut stderr = std::io::stderr().lock();
    // When stderr is closed there is nobody left to tell.
    let _ = writeln!(stderr, "{}", lines.join("\n"));
    USAGE
}

fn usage_line(invoke: &clap::Command) -> String {
    let usage = invoke.clone().render_usage().to_string();
    usage.trim_start_matches("Usage: ").trim().to_owned()
}

/// What stands on the command line, as far as a mistake lets it be read.
#[derive(Default)]
struct Given {
    has_function_name: bool,
    unknown: Vec<String>,
}

impl Given {
    /// Walks as argparse does: an unknown flag takes no value, the first plain word is the outfile.
    fn read(invoke: &clap::Command, arguments: &[String]) -> Self {
        let mut given = Self::default();
        let mut surplus = Vec::new();
        let mut has_outfile = false;
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            if !word.starts_with("--") || word == "--" {
                if has_outfile {
                    surplus.push(word.clone());
                }
                has_outfile = true;
                continue;
            }
            let (name, value) = word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
            let Some(flag) = find_flag(invoke, name.trim_start_matches('-')) else {
                given.unknown.push(word.clone());
                continue;
            };
            given.has_function_name |= flag.get_long() == Some("function-name");
            if flag.get_action().takes_values() && value.is_none() {
                words.next();
            }
        }
        given.unknown.extend(surplus);
        given
    }
}

/// The flag of this name, or the only one that begins so.
fn find_flag<'a>(invoke: &'a clap::Command, name: &str) -> Option<&'a clap::Arg> {
    let exact = invoke.get_arguments().find(|flag| flag.get_long() == Some(name));
    exact.or_else(|| {
        let mut beginning =
            invoke.get_arguments().filter(|flag| flag.get_long().is_some_and(|long| long.starts_with(name)));
        beginning.next().filter(|_| beginning.next().is_none())
    })
}

/// The flag that was probably meant: not further away than a third of its letters.
fn nearest_flag(invoke: &clap::Command, unknown: &str) -> Option<String> {
    let name = unknown.strip_prefix("--")?.split('=').next()?;
    let (distance, nearest) = invoke
        .get_arguments()
        .filter(|flag| !flag.is_hide_set())
        .filter_map(clap::Arg::get_long)
        .map(|long| (edits(name, long), long))
        .min()?;
    (distance <= nearest.len().max(3) / 3).then(|| format!("--{nearest}"))
}

/// How many letters must be put in, taken out, replaced or swapped with their neighbour.
fn edits(from: &str, to: &str) -> usize {
    let (from, to): (Vec<_>, Vec<_>) = (from.chars().collect(), to.chars().collect());
    let mut table = vec![vec![0; to.len() + 1]; from.len() + 1];
    for row in 0..=from.len() {
        for column in 0..=to.len() {
            table[row][column] = if row == 0 || column == 0 {
                row + column
            } else {
                let replaced = usize::from(from[row - 1] != to[column - 1]);
                let mut least = (table[row - 1][column] + 1)
                    .min(table[row][column - 1] + 1)
                    .min(table[row - 1][column - 1] + replaced);
                if row > 1 && column > 1 && from[row - 1] == to[column - 2] && from[row - 2] == to[column - 1] {
                    least = least.min(table[row - 2][column - 2] + 1);
                }
                least
            };
        }
    }
    table[from.len()][to.len()]
}

fn text(mistake: &clap::Error, kind: ContextKind) -> Option<String> {
    texts(mistake, kind).into_iter().next()
}

fn texts(mistake: &clap::Error, kind: ContextKind) -> Vec<String> {
    match mistake.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}
