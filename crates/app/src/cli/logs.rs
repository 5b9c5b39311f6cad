//! `lambd logs`: a function's execution log, from the engine that keeps it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use engine::ports::Clock as _;
use hyper::StatusCode;
use jiff::{Span, SpanRelativeTo, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Advised;
use super::admin_client::{self, AdminClient, DEFAULT_ADMIN, Trouble};
use crate::chance::SystemClock;

/// How often the engine is asked for what is new.
const FOLLOW_PAUSE: Duration = Duration::from_millis(250);

/// Print the execution log of a function, the oldest line first
///
/// All that the function and the platform wrote, as it is kept: at most seven days of it, and 1 GB of all functions.
/// Ends with 254 if there is no such function, with 255 if the engine cannot be reached.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The function: its name or its ARN; with :VERSION the lines of that version
    #[arg(value_name = "NAME")]
    function: String,
    /// Go on with what comes, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Leave out what is older: a length of time such as 10m, 2h or 1d, or a moment such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Since>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
    /// Where the engine's admin API is
    #[arg(long, env = "LAMBD_ADMIN_URL", value_name = "URL", default_value = DEFAULT_ADMIN)]
    admin_url: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// The lines as they were written
    Text,
    /// One JSON object for each: timestamp (milliseconds), logStreamName, message, and bytes (base64) if it is not UTF-8
    Json,
}

/// From when on.
#[derive(Clone, Debug)]
enum Since {
    Moment(Timestamp),
    Before(jiff::SignedDuration),
}

fn since(text: &str) -> Result<Since, String> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(Since::Moment(moment));
    }
    let span = text.parse::<Span>().map_err(|_| "neither a length of time nor a moment".to_owned())?;
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|mistake| mistake.to_string())?;
    Ok(Since::Before(length.abs()))
}

/// A page as the engine answers it.
#[derive(Deserialize)]
struct Page {
    events: Vec<Box<RawValue>>,
    next: String,
    last: bool,
}

/// What of an event is printed.
#[derive(Deserialize)]
struct Event {
    message: String,
    bytes: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    admin_client::run(print(arguments))
}

async fn print(arguments: &Arguments) -> Result<(), Trouble> {
    let clock = SystemClock::new();
    let since = arguments.since.as_ref().map(|since| match since {
        Since::Moment(moment) => *moment,
        Since::Before(length) => clock.now() - *length,
    });
    let mut after = None;
    loop {
        let page = ask(arguments, after.as_deref(), since).await?;
        write_out(&page.events, arguments.output)?;
        after = Some(page.next);
        if page.last {
            if !arguments.follow {
                return Ok(());
            }
            clock.wake_at(clock.elapsed() + FOLLOW_PAUSE).await;
        }
    }
}

fn write_out(events: &[Box<RawValue>], format: Format) -> Result<(), anyhow::Error> {
    let mut text = Vec::new();
    for event in events {
        match format {
            Format::Json => text.extend_from_slice(event.get().as_bytes()),
            Format::Text => {
                let event: Event = serde_json::from_str(event.get()).context("reading an event of the log")?;
                match event.bytes.and_then(|bytes| data_encoding::BASE64.decode(bytes.as_bytes()).ok()) {
                    Some(bytes) => text.extend(bytes),
                    None => text.extend(event.message.into_bytes()),
                }
            }
        }
        if !text.ends_with(b"\n") {
            text.push(b'\n');
        }
    }
    let mut out = std::io::stdout().lock();
    out.write_all(&text).and_then(|()| out.flush())?;
    Ok(())
}

/// Asks for one page.
async fn ask(arguments: &Arguments, after: Option<&str>, since: Option<Timestamp>) -> Result<Page, Trouble> {
    // Names and ARNs need no encoding; what would is no name.
    if !arguments.function.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_:$.".contains(&c)) {
        return Err(Trouble::Refused(Advised {
            message: format!("{:?} is not the name of a function", arguments.function),
            help: "a name has letters, digits, - and _".to_owned(),
        }));
    }
    let mut path = format!("/_lambd/logs/{}?after={}", arguments.function, after.unwrap_or("0.0"));
    if let Some(since) = since {
        write!(path, "&since={}", since.as_millisecond()).expect("a String takes everything");
    }
    let (status, body) = AdminClient::new(&arguments.admin_url).get(&path).await?;
    match status {
        StatusCode::OK => Ok(serde_json::from_slice(&body).context("reading the answer of the engine")?),
        StatusCode::NOT_FOUND => Err(Trouble::Refused(Advised {
            message: format!("there is no function {} and no log of one", arguments.function),
            help: "`aws lambda list-functions` lists what there is; is --admin-url that of the right engine?"
                .to_owned(),
        })),
        StatusCode::BAD_REQUEST => Err(Trouble::Refused(Advised {
            message: String::from_utf8_lossy(&body).into_owned(),
            help: "lambd logs --help tells more".to_owned(),
        })),
        other => {
            let text = String::from_utf8_lossy(&body);
            Err(anyhow::anyhow!("the engine at {} answered {other}: {text}", arguments.admin_url).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_length_or_a_moment() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("2h", 7_200), ("1d", 86_400), ("1h30m", 5_400)] {
            let Since::Before(length) = since(text).unwrap() else { panic!("{text}") };
            assert_eq!(length.as_secs(), seconds, "{text}");
        }
        assert!(matches!(since("1970-01-01T00:00:07Z").unwrap(), Since::Moment(at) if at.as_second() == 7));
        for text in ["", "soon", "10", "1970-01-01"] {
            assert!(since(text).is_err(), "{text}");
        }
    }
}
