//! `lambd events`: the events of an engine, seen and steered.

mod table;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use domain::event::State;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Advised;
use super::admin_client::{self, AdminClient, DEFAULT_ADMIN, Trouble};
use crate::units::length_of_time;

/// Events that are asked for at a time: the most that the engine answers.
const PAGE: u64 = 1_000;

/// List events, show one, start them again, remove them
///
/// An event is what `--invocation-type Event` sends: it is kept until its function has succeeded and whoever is to be
/// told has been told. States: queued (never run), running, retrying (failed, runs again), delivering (succeeded, its
/// record is on its way), dead (will not run again unless it is redriven).
///
/// Exit codes: 0 done, 252 a mistake on the command line, 254 the engine refused, 255 it cannot be reached.
#[derive(Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Show(Show),
    /// Start dead events again, and the deliveries of delivering ones
    ///
    /// A dead event keeps its request id and its payload and starts with no attempts and a new age. Of a delivering one
    /// only the delivery is repeated. Say which: ids, filters, or --all.
    Redrive(Steer),
    /// Remove events for good, whatever their state, but for those that run
    ///
    /// Say which: ids, filters, or --all.
    Purge(Steer),
}

/// Print events, the oldest first
#[derive(Args, Debug)]
struct List {
    #[command(flatten)]
    filters: Filters,
    /// Print so many events at most; all that fit without
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_items: Option<u64>,
    /// Go on where a list with --max-items ended: its NextToken
    #[arg(long, value_name = "TOKEN")]
    starting_token: Option<String>,
    #[command(flatten)]
    engine: Engine,
}

/// Print one event: its payload, its attempts, its deliveries
#[derive(Args, Debug)]
struct Show {
    /// The event's request id
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    engine: Engine,
}

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("choice").args(["ids", "function_name", "state", "older_than", "all"]).multiple(true).required(true)))]
struct Steer {
    /// Request ids of events
    #[arg(value_name = "ID", conflicts_with_all = ["function_name", "state", "older_than", "all"])]
    ids: Vec<String>,
    #[command(flatten)]
    filters: Filters,
    /// All events
    #[arg(long, conflicts_with_all = ["function_name", "state", "older_than"])]
    all: bool,
    #[command(flatten)]
    engine: Engine,
}

/// Events that fit all of them.
#[derive(Args, Debug)]
struct Filters {
    /// Only events of this function: its name or its ARN
    #[arg(long, value_name = "NAME")]
    function_name: Option<String>,
    /// Only events in this state
    #[arg(long, value_name = "STATE", value_parser = PossibleValuesParser::new(State::ALL.map(State::as_str)))]
    state: Option<String>,
    /// Only events accepted longer ago than that: 30s, 5m, 1h, 2d
    #[arg(long, value_name = "TIME", value_parser = length_of_time)]
    older_than: Option<Duration>,
}

/// Where and how.
#[derive(Args, Debug)]
struct Engine {
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    output: Format,
    /// Where the engine's admin API is
    #[arg(long, env = "LAMBD_ADMIN_URL", value_name = "URL", default_value = DEFAULT_ADMIN)]
    admin_url: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// As the engine's admin API answers it
    Json,
}

/// Whether a command line is for this command.
pub(super) fn is_meant(arguments: &[OsString]) -> bool {
    arguments.get(1).is_some_and(|command| command == "events")
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<u8> {
    match arguments.command {
        Command::List(list) => admin_client::run(list.run()),
        Command::Show(show) => admin_client::run(show.run()),
        Command::Redrive(steer) => admin_client::run(steer.run("redrive", "redriven")),
        Command::Purge(steer) => admin_client::run(steer.run("purge", "purged")),
    }
}

/// A page as the engine answers it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    events: Vec<Box<RawValue>>,
    next_token: Option<String>,
    total: u64,
}

impl List {
    /// Page by page, so that it needs no more memory for a million than for a thousand.
    async fn run(&self) -> Result<(), Trouble> {
        let is_json = self.engine.output == Format::Json;
        let (mut left, mut token) = (self.max_items.unwrap_or(u64::MAX), self.starting_token.clone());
        let mut printed = 0_u64;
        loop {
            let page = self.page(left.min(PAGE), token.as_deref()).await?;
            let mut text = String::new();
            if is_json {
                if printed == 0 {
                    text.push_str("{\"Events\":[");
                }
                for (index, event) in page.events.iter().enumerate() {
                    text.push_str(if printed == 0 && index == 0 { "\n" } else { ",\n" });
                    text.push_str(event.get());
                }
            } else {
                let events: Result<Vec<table::Event<'_>>, _> =
                    page.events.iter().map(|event| serde_json::from_str(event.get())).collect();
                text = table::list(&events.context("reading the events of the engine")?, printed == 0);
            }
            printed += page.events.len() as u64;
            left = left.saturating_sub(page.events.len() as u64);
            let is_last = left == 0 || page.next_token.is_none();
            if is_last && is_json {
                let token = page.next_token.as_ref().map_or(Value::Null, |token| token.as_str().into());
                write!(text, "\n],\"NextToken\":{token},\"Total\":{}}}\n", page.total)
                    .expect("a String takes everything");
            }
            write_out(&text)?;
            if !is_last {
                token = page.next_token;
                continue;
            }
            if !is_json {
                tell_the_rest(printed, &page);
            }
            return Ok(());
        }
    }

    async fn page(&self, limit: u64, token: Option<&str>) -> Result<Page, Trouble> {
        let mut path = format!("/_lambd/events?limit={limit}");
        let older_than = self.filters.older_than.map(|age| age.as_secs_f64().to_string());
        for (key, value) in [
            ("function", self.filters.function_name.as_deref()),
            ("state", self.filters.state.as_deref()),
            ("older_than", older_than.as_deref()),
            ("token", token),
        ] {
            if let Some(value) = value {
                write!(path, "&{key}={}", encoded(value)).expect("a String takes everything");
            }
        }
        let client = self.engine.client();
        let answer = client.get(&path).await?;
        serde_json::from_slice(&said(&client, answer)?)
            .context("reading the answer of the engine")
            .map_err(Trouble::from)
    }
}

/// On standard error: what is on standard output are rows and nothing else.
fn tell_the_rest(printed: u64, page: &Page) {
    let text = match &page.next_token {
        Some(token) => format!("note: more of these {} events with --starting-token {token}\n", page.total),
        None if printed == 0 => "no events\n".to_owned(),
        None => return,
    };
    // When stderr is closed there is nobody left to tell.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

impl Show {
    async fn run(&self) -> Result<(), Trouble> {
        let client = self.engine.client();
        let answer = client.get(&format!("/_lambd/events/{}", encoded(&self.id))).await?;
        let body = said(&client, answer)?;
        match self.engine.output {
            Format::Json => write_out(&(String::from_utf8_lossy(&body).into_owned() + "\n"))?,
            Format::Table => {
                let event = serde_json::from_slice(&body).context("reading the answer of the engine")?;
                write_out(&table::one(&event))?;
            }
        }
        Ok(())
    }
}

impl Steer {
    async fn run(&self, what: &str, done: &str) -> Result<(), Trouble> {
        let client = self.engine.client();
        let answer = client.post(&format!("/_lambd/events/{what}"), self.body()).await?;
        let body = said(&client, answer)?;
        if self.engine.output == Format::Json {
            return Ok(write_out(&(String::from_utf8_lossy(&body).into_owned() + "\n"))?);
        }
        let counts: Map<String, Value> = serde_json::from_slice(&body).context("reading the answer of the engine")?;
        let count = counts.values().find_map(Value::as_u64).context("the engine's answer has no number")?;
        Ok(write_out(&format!("{count} {} {done}\n", if count == 1 { "event" } else { "events" }))?)
    }

    fn body(&self) -> String {
        let Self { ids, filters: Filters { function_name, state, older_than }, all, .. } = self;
        let mut body = Map::new();
        if !ids.is_empty() {
            body.insert("ids".to_owned(), ids.as_slice().into());
        }
        if *all {
            body.insert("all".to_owned(), true.into());
        }
        if let Some(function) = function_name {
            body.insert("function".to_owned(), function.as_str().into());
        }
        if let Some(state) = state {
            body.insert("state".to_owned(), state.as_str().into());
        }
        if let Some(age) = older_than {
            body.insert("older_than".to_owned(), age.as_secs_f64().into());
        }
        Value::Object(body).to_string()
    }
}

impl Engine {
    fn client(&self) -> AdminClient<'_> {
        AdminClient::new(&self.admin_url)
    }
}

/// What the engine refuses with.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refused {
    message: String,
}

/// The body of an answer, unless it is a refusal.
fn said(client: &AdminClient<'_>, (status, body): (StatusCode, Bytes)) -> Result<Bytes, Trouble> {
    if status.is_success() {
        return Ok(body);
    }
    let url = client.url();
    let Ok(Refused { message }) = serde_json::from_slice(&body) else {
        // Something else than an engine of this version answers there.
        let text = String::from_utf8_lossy(&body);
        return Err(anyhow::anyhow!("what is at {url} answered {status}: {}", text.trim()).into());
    };
    if status.is_server_error() {
        return Err(anyhow::anyhow!("the engine at {url} answered {status}: {message}").into());
    }
    let help = match status {
        StatusCode::NOT_FOUND => "`lambd events list` lists what there is; is --admin-url that of the right engine?",
        StatusCode::CONFLICT => "`lambd events show ID` tells more of an event",
        _ => "lambd events --help tells more",
    };
    Err(Trouble::Refused(Advised { message, help: help.to_owned() }))
}

/// A text as one segment of a path, or one value of a query.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            encoded.push(byte.into());
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes everything");
        }
    }
    encoded
}

fn write_out(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())?;
    Ok(())
}
