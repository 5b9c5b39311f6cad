//! Events as rows and lines for people. What a function wrote cannot move the cursor of who reads it.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Deserialize;

/// Letters of a reason that stand in a row; the whole is shown with its event.
const REASON_MAX: usize = 60;

/// An event of a list.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Event<'a> {
    #[serde(borrow)]
    request_id: Cow<'a, str>,
    #[serde(borrow)]
    function_name: Cow<'a, str>,
    #[serde(borrow)]
    function_arn: Cow<'a, str>,
    #[serde(borrow)]
    state: Cow<'a, str>,
    attempts: u32,
    #[serde(borrow)]
    accepted_at: Cow<'a, str>,
    next_attempt_at: Option<String>,
    reason: Option<String>,
}

/// An event shown alone.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EventAlone<'a> {
    #[serde(flatten, borrow)]
    event: Event<'a>,
    payload: String,
    history: Vec<Attempt>,
    deliveries: Vec<Delivery>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attempt {
    #[serde(rename = "Attempt")]
    number: u32,
    started_at: String,
    error_type: String,
    error_message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Delivery {
    target: String,
    state: String,
    attempts: u32,
    next_attempt_at: Option<String>,
    last_error: Option<String>,
}

/// Rows, with a head where they are the first; columns are as wide as they have to be.
pub(super) fn list(events: &[Event<'_>], is_first: bool) -> String {
    let mut rows: Vec<[Cow<'_, str>; 7]> = Vec::new();
    if is_first && !events.is_empty() {
        let head = ["REQUEST ID", "FUNCTION", "STATE", "ATTEMPTS", "ACCEPTED", "NEXT ATTEMPT", "REASON"];
        rows.push(head.map(Cow::Borrowed));
    }
    rows.extend(events.iter().map(|event| {
        [
            event.request_id.as_ref().into(),
            event.function_name.as_ref().into(),
            event.state.as_ref().into(),
            event.attempts.to_string().into(),
            event.accepted_at.as_ref().into(),
            event.next_attempt_at.as_deref().unwrap_or("-").into(),
            event.reason.as_deref().map_or("-".into(), |reason| clipped(&plain(reason)).into()),
        ]
    }));
    let mut text = String::new();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    // Pages follow one another: what is of one length always is so in each of them.
    let widths = [36, width(1).max(8), 10, 8, 24, 24];
    for row in &rows {
        for (cell, width) in row.iter().zip(widths) {
            write!(text, "{cell:<width$}  ").expect("a String takes everything");
        }
        text.push_str(&row[6]);
        text.push('\n');
    }
    text
}

/// One event, line by line.
pub(super) fn one(shown: &EventAlone<'_>) -> String {
    let EventAlone { event, payload, history, deliveries } = shown;
    let mut text = String::new();
    for (name, value) in [
        ("request id", event.request_id.as_ref()),
        ("function", event.function_arn.as_ref()),
        ("state", event.state.as_ref()),
        ("attempts", &event.attempts.to_string()),
        ("accepted", event.accepted_at.as_ref()),
        ("next attempt", event.next_attempt_at.as_deref().unwrap_or("-")),
        ("reason", &event.reason.as_deref().map_or("-".into(), plain)),
    ] {
        writeln!(text, "{name:<14}{value}").expect("a String takes everything");
    }
    if !history.is_empty() {
        text.push_str("\nattempts that failed\n");
    }
    for Attempt { number, started_at, error_type, error_message } in history {
        let (error_type, message) = (plain(error_type), plain(error_message));
        writeln!(text, "  {number}  {started_at}  {error_type}: {message}").expect("a String takes everything");
    }
    if !deliveries.is_empty() {
        text.push_str("\ndeliveries\n");
    }
    for Delivery { target, state, attempts, next_attempt_at, last_error } in deliveries {
        let tries = if *attempts == 1 { "try" } else { "tries" };
        write!(text, "  {state}  {target}  {attempts} {tries}").expect("a String takes everything");
        if let Some(next) = next_attempt_at {
            write!(text, ", next at {next}").expect("a String takes everything");
        }
        if let Some(error) = last_error {
            write!(text, ": {}", plain(error)).expect("a String takes everything");
        }
        text.push('\n');
    }
    writeln!(text, "\npayload ({} bytes)\n{payload}", payload.len()).expect("a String takes everything");
    text
}

/// A text in one line, without what a terminal would obey.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for letter in text.chars() {
        match letter {
            '\n' | '\r' | '\t' => plain.push(' '),
            control if control.is_control() => plain.extend(control.escape_default()),
            letter => plain.push(letter),
        }
    }
    plain
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(REASON_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"RequestId":"6f2e4bd6-6b1f-4c8e-9e51-0a4b7f3f9a11","FunctionName":"thumb",
        "FunctionArn":"arn:aws:lambda:us-east-1:000000000000:function:thumb:PROD","State":"retrying","Attempts":1,
        "AcceptedAt":"2026-01-31T12:00:00.000Z","NextAttemptAt":"2026-01-31T12:01:00.125Z",
        "Reason":"it \u001b[31mwent\nwrong"}"#;

    #[test]
    fn events_are_rows_under_one_head() {
        let event = || serde_json::from_str(EVENT).unwrap();
        let row = "6f2e4bd6-6b1f-4c8e-9e51-0a4b7f3f9a11  thumb     retrying    1         2026-01-31T12:00:00.000Z  \
                   2026-01-31T12:01:00.125Z  it \\u{1b}[31mwent wrong\n";
        let head = "REQUEST ID                            FUNCTION  STATE       ATTEMPTS  ACCEPTED                  \
                    NEXT ATTEMPT              REASON\n";
        assert_eq!(list(&[event()], true), format!("{head}{row}"));
        assert_eq!(list(&[event(), event()], false), format!("{row}{row}"));
        assert_eq!(list(&[], true), "");
        let long = Event { reason: Some("ä".repeat(61)), ..event() };
        assert!(list(&[long], false).ends_with(&format!("  {}…\n", "ä".repeat(60))));
    }

    #[test]
    fn one_event_is_shown_with_all_that_is_known() {
        let mut alone: serde_json::Value = serde_json::from_str(EVENT).unwrap();
        alone["Payload"] = "{\"a\":\"ä\"}".into();
        alone["History"] = serde_json::json!([{
            "Attempt": 1, "StartedAt": "2026-01-31T12:00:00.001Z", "ErrorType": "E", "ErrorMessage": "a\nb",
        }]);
        alone["Deliveries"] = serde_json::json!([
            {"Target": "arn:q", "State": "pending", "Attempts": 1, "NextAttemptAt": "T", "LastError": "down"},
            {"Target": "arn:r", "State": "delivered", "Attempts": 2, "NextAttemptAt": null, "LastError": null},
        ]);
        let text = alone.to_string();
        let expected = "request id    6f2e4bd6-6b1f-4c8e-9e51-0a4b7f3f9a11\n\
                        function      arn:aws:lambda:us-east-1:000000000000:function:thumb:PROD\n\
                        state         retrying\n\
                        attempts      1\n\
                        accepted      2026-01-31T12:00:00.000Z\n\
                        next attempt  2026-01-31T12:01:00.125Z\n\
                        reason        it \\u{1b}[31mwent wrong\n\n\
                        attempts that failed\n  1  2026-01-31T12:00:00.001Z  E: a b\n\n\
                        deliveries\n  pending  arn:q  1 try, next at T: down\n  delivered  arn:r  2 tries\n\n\
                        payload (10 bytes)\n{\"a\":\"ä\"}\n";
        assert_eq!(one(&serde_json::from_str(&text).unwrap()), expected);
    }
}
