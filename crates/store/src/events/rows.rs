//! Rows of events and deliveries, read. The columns are described in `migrations/004_events.sql`.

use bytes::Bytes;
use domain::destination::{Attribute, AttributeKind, Delivery, Purpose, Response};
use domain::event::{Attempt, Event, Progress, State};
use domain::names::{FunctionName, Qualifier, RequestId, Version, VersionNumber};
use engine::ports::{DeliveryShown, DeliveryState, Listed, Owed};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::reader::ReadError;

/// Payloads up to this size stand in the row.
pub(super) const IN_ROW_BYTES: usize = 64 * 1024;

/// The columns of [`listed`].
pub(super) const LISTED_COLUMNS: &str =
    "id, function, qualifier, state, attempts, accepted_at, due_at, condition, history";

pub(super) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

pub(super) fn moment(millis: i64) -> Result<Timestamp, ReadError> {
    Timestamp::from_millisecond(millis).map_err(|_| ReadError::field("a time", millis))
}

pub(super) fn uuid(bytes: [u8; 16]) -> Uuid {
    Uuid::from_bytes(bytes)
}

pub(super) fn request_id(bytes: [u8; 16]) -> RequestId {
    RequestId(uuid(bytes))
}

/// What is kept of a state; running is in memory only.
pub(super) fn state_column(state: State) -> Option<i64> {
    match state {
        State::Queued => Some(0),
        State::Running => None,
        State::Retrying => Some(1),
        State::Delivering => Some(2),
        State::Dead => Some(3),
    }
}

fn state(column: i64) -> Result<State, ReadError> {
    let known = super::KEPT_STATES.into_iter().find(|state| state_column(*state) == Some(column));
    known.ok_or_else(|| ReadError::field("the state of an event", column))
}

fn function(name: &str) -> Result<FunctionName, ReadError> {
    FunctionName::parse(name).ok_or_else(|| ReadError::field("the function of an event", name))
}

pub(super) fn version_column(version: Version) -> i64 {
    match version {
        Version::Latest => 0,
        Version::Published(number) => number.get().cast_signed(),
    }
}

/// An attempt as the column `history` has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttemptRow {
    number: u32,
    started_at: i64,
    error_type: String,
    error_message: String,
}

pub(super) fn history_column(history: &[Attempt]) -> String {
    let row = |Attempt { number, started_at, error_type, error_message }: &Attempt| AttemptRow {
        number: *number,
        started_at: millis(*started_at),
        error_type: error_type.clone(),
        error_message: error_message.clone(),
    };
    let rows: Vec<AttemptRow> = history.iter().map(row).collect();
    serde_json::to_string(&rows).expect("texts and numbers become JSON")
}

fn history(column: &str) -> Result<Vec<Attempt>, ReadError> {
    let rows: Vec<AttemptRow> =
        serde_json::from_str(column).map_err(|_| ReadError::field("the history of an event", column))?;
    let attempt = |AttemptRow { number, started_at, error_type, error_message }| {
        Ok(Attempt { number, started_at: moment(started_at)?, error_type, error_message })
    };
    rows.into_iter().map(attempt).collect()
}

/// An attribute of a dead letter as the column `attributes` has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttributeRow {
    name: String,
    number: bool,
    value: String,
}

pub(super) fn attributes_column(attributes: &[Attribute]) -> String {
    let row = |Attribute { name, kind, value }: &Attribute| AttributeRow {
        name: (*name).to_owned(),
        number: *kind == AttributeKind::Number,
        value: value.clone(),
    };
    let rows: Vec<AttributeRow> = attributes.iter().map(row).collect();
    serde_json::to_string(&rows).expect("texts become JSON")
}

fn attributes(column: &str) -> Result<Vec<Attribute>, ReadError> {
    let rows: Vec<AttributeRow> =
        serde_json::from_str(column).map_err(|_| ReadError::field("the attributes of a delivery", column))?;
    let attribute = |AttributeRow { name, number, value }: AttributeRow| {
        let known = ["RequestID", "ErrorCode", "ErrorMessage"].into_iter().find(|known| *known == name);
        let name = known.ok_or_else(|| ReadError::field("an attribute of a delivery", &name))?;
        let kind = if number { AttributeKind::Number } else { AttributeKind::String };
        Ok(Attribute { name, kind, value })
    };
    rows.into_iter().map(attribute).collect()
}

pub(super) fn purpose_column(purpose: Purpose) -> i64 {
    match purpose {
        Purpose::OnSuccess => 0,
        Purpose::OnFailure => 1,
        Purpose::DeadLetter => 2,
    }
}

fn purpose(column: i64) -> Result<Purpose, ReadError> {
    Ok(match column {
        0 => Purpose::OnSuccess,
        1 => Purpose::OnFailure,
        2 => Purpose::DeadLetter,
        other => return Err(ReadError::field("the purpose of a delivery", other)),
    })
}

/// The whole event.
pub(super) fn event(connection: &Connection, seq: i64) -> Result<Event, ReadError> {
    let mut select = connection.prepare_cached(
        "SELECT id, function, qualifier, trace, accepted_at, aged_from, round, attempts, history,
                coalesce(payload, (SELECT payload FROM event_payloads WHERE event = seq))
         FROM events WHERE seq = ?1",
    )?;
    let mut rows = select.query([seq])?;
    let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let qualifier: Option<String> = row.get(2)?;
    let payload: Vec<u8> = row.get(9)?;
    Ok(Event {
        request_id: request_id(row.get(0)?),
        function: function(&row.get::<_, String>(1)?)?,
        qualifier: qualifier.as_deref().map(Qualifier::parse),
        payload: Bytes::from(payload),
        trace: row.get(3)?,
        accepted_at: moment(row.get(4)?)?,
        progress: Progress {
            attempts: row.get(7)?,
            aged_from: moment(row.get(5)?)?,
            history: history(&row.get::<_, String>(8)?)?,
            response: response(connection, seq)?,
            round: row.get(6)?,
        },
    })
}

fn response(connection: &Connection, seq: i64) -> Result<Option<Response>, ReadError> {
    let mut select =
        connection.prepare_cached("SELECT executed_version, payload FROM event_responses WHERE event = ?1")?;
    let found = select.query_row([seq], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))).optional()?;
    Ok(found.map(|(version, payload)| Response {
        executed_version: VersionNumber::new(version.unsigned_abs()).map_or(Version::Latest, Version::Published),
        failed: true,
        payload: payload.into(),
    }))
}

/// One of a list.
pub(super) fn listed(row: &Row<'_>) -> Result<Listed, ReadError> {
    let qualifier: Option<String> = row.get(2)?;
    let due_at: Option<i64> = row.get(6)?;
    let history = history(&row.get::<_, String>(8)?)?;
    Ok(Listed {
        request_id: request_id(row.get(0)?),
        function: function(&row.get::<_, String>(1)?)?,
        qualifier: qualifier.as_deref().map(Qualifier::parse),
        state: state(row.get(3)?)?,
        attempts: row.get(4)?,
        accepted_at: moment(row.get(5)?)?,
        due_at: due_at.map(moment).transpose()?,
        condition: row.get(7)?,
        error_message: history.into_iter().next_back().map(|attempt| attempt.error_message),
    })
}

/// A delivery with what it needs of its event.
pub(super) fn owed(connection: &Connection, seq: i64) -> Result<Owed, ReadError> {
    let mut select = connection.prepare_cached(
        "SELECT deliveries.id, events.id, purpose, target, function_arn, function,
                coalesce(body, payload, (SELECT payload FROM event_payloads WHERE event = events.seq)),
                attributes, trace, ended_at, deliveries.attempts, tried_from
         FROM deliveries JOIN events ON events.seq = deliveries.event WHERE deliveries.seq = ?1",
    )?;
    let mut rows = select.query([seq])?;
    let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let body: Vec<u8> = row.get(6)?;
    Ok(Owed {
        delivery: Delivery {
            id: uuid(row.get(0)?),
            event: request_id(row.get(1)?),
            purpose: purpose(row.get(2)?)?,
            target: row.get(3)?,
            function_arn: row.get(4)?,
            function_name: row.get(5)?,
            body: body.into(),
            attributes: attributes(&row.get::<_, String>(7)?)?,
            trace: row.get(8)?,
            at: moment(row.get(9)?)?,
        },
        attempts: row.get(10)?,
        tried_from: moment(row.get(11)?)?,
    })
}

/// The deliveries of an event, in the order in which they were made.
pub(super) fn deliveries(connection: &Connection, event: i64) -> Result<Vec<DeliveryShown>, ReadError> {
    let mut select = connection.prepare_cached(
        "SELECT target, state, attempts, due_at, error FROM deliveries WHERE event = ?1 ORDER BY seq",
    )?;
    let mut rows = select.query([event])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let state = match row.get(1)? {
            0 => DeliveryState::Pending,
            1 => DeliveryState::Delivered,
            2 => DeliveryState::Failed,
            other => return Err(ReadError::field("the state of a delivery", other)),
        };
        let due_at: Option<i64> = row.get(3)?;
        let due_at = due_at.map(moment).transpose()?;
        found.push(DeliveryShown { target: row.get(0)?, state, attempts: row.get(2)?, due_at, error: row.get(4)? });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_first_version_wrote_is_read() {
        // Columns on users' disks; not to be edited.
        let written = r#"[{"number":1,"started_at":1713866400123,"error_type":"E","error_message":"m"}]"#;
        let read = history(written).unwrap();
        assert_eq!(read[0].started_at.to_string(), "2024-04-23T10:00:00.123Z");
        assert_eq!(history_column(&read), written);
        let written = r#"[{"name":"ErrorCode","number":true,"value":"200"}]"#;
        assert_eq!(attributes_column(&attributes(written).unwrap()), written);
        assert_eq!(
            history("{").unwrap_err().to_string(),
            "in the database, the history of an event is \"\\\"{\\\"\", which this version does not read"
        );
    }
}
