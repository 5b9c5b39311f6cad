//! Accepted events and their deliveries on disk, and the port `EventRecords`.
//!
//! A claim is no row here: one engine has the folder for its own, and what it had in hand when it died is due again.
//! Never here: when an event is tried again, and what a document says.

mod rows;
mod steps;

use std::collections::HashSet;
use std::sync::Arc;

use domain::Fault;
use domain::event::{Event, State};
use domain::names::{FunctionName, RequestId};
use engine::ports::{
    Backlog, Batch, Due, EventFilter, EventRecords, Listed, Owed, Redriven, Sent, Settled, Shown, Wait,
};
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};
use uuid::Uuid;

use self::rows::{millis, state_column};
use self::steps::{Insert, Purge, Redrive, Send, Settle};
use crate::Store;
use crate::reader::ReadError;

impl EventRecords for Store {
    fn free_bytes(&self) -> Result<u64, Fault> {
        let found = rustix::fs::statvfs(&self.database);
        let found = found.map_err(|error| Fault::new("asking how full the disk is", error))?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn load_events(&self) -> Wait<'_, Result<Backlog, Fault>> {
        Box::pin(async move {
            self.writer.check()?;
            self.reader.read("reading the backlog of events", backlog).await
        })
    }

    fn insert_event(&self, event: Arc<Event>) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move { self.writer.write(Insert(event)).await })
    }

    fn due_events(&self, function: FunctionName, due: Due<RequestId>) -> Wait<'_, Result<Batch<Event>, Fault>> {
        Box::pin(async move {
            self.reader
                .read("reading events that are due", move |connection| due_events(connection, &function, &due))
                .await
        })
    }

    fn settle_event(&self, id: RequestId, round: u32, settled: Settled) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move { self.writer.write(Settle { id, round, settled }).await })
    }

    fn due_deliveries(&self, target: String, due: Due<Uuid>) -> Wait<'_, Result<Batch<Owed>, Fault>> {
        Box::pin(async move {
            let read = move |connection: &Connection| due_deliveries(connection, &target, &due);
            self.reader.read("reading deliveries that are due", read).await
        })
    }

    fn settle_delivery(&self, id: Uuid, sent: Sent) -> Wait<'_, Result<u64, Fault>> {
        Box::pin(async move { self.writer.write(Send { id, sent }).await })
    }

    fn find_events(
        &self,
        filter: EventFilter,
        after: Option<(Timestamp, RequestId)>,
        events_max: usize,
    ) -> Wait<'_, Result<Vec<Listed>, Fault>> {
        Box::pin(async move {
            let read = move |connection: &Connection| find(connection, &filter, after, events_max);
            self.reader.read("listing events", read).await
        })
    }

    fn count_events(&self, filter: EventFilter) -> Wait<'_, Result<u64, Fault>> {
        Box::pin(async move { self.reader.read("counting events", move |connection| count(connection, &filter)).await })
    }

    fn show_event(&self, id: RequestId) -> Wait<'_, Result<Option<Shown>, Fault>> {
        Box::pin(async move { self.reader.read("reading an event", move |connection| show(connection, id)).await })
    }

    fn redrive_events(&self, ids: Vec<RequestId>, now: Timestamp) -> Wait<'_, Result<Vec<Redriven>, Fault>> {
        Box::pin(async move { self.writer.write(Redrive { ids, now }).await })
    }

    fn purge_events(&self, ids: Vec<RequestId>) -> Wait<'_, Result<Vec<RequestId>, Fault>> {
        Box::pin(async move { self.writer.write(Purge(ids)).await })
    }
}

/// From one function to the next by the index, so that it takes as long as there are functions, not events.
fn backlog(connection: &Connection) -> Result<Backlog, ReadError> {
    let events: i64 = connection.query_row("SELECT count(*) FROM events", [], |row| row.get(0))?;
    let mut found = Backlog { events: events.unsigned_abs(), ..Backlog::default() };
    for (name, due_at) in first_of_each(connection, "events", "function")? {
        let name = FunctionName::parse(&name).ok_or_else(|| ReadError::field("the function of an event", name))?;
        found.functions.push((name, due_at));
    }
    found.targets = first_of_each(connection, "deliveries", "target")?;
    Ok(found)
}

fn first_of_each(connection: &Connection, table: &str, key: &str) -> Result<Vec<(String, Timestamp)>, ReadError> {
    let sql = format!(
        "SELECT {key}, due_at FROM {table} WHERE due_at IS NOT NULL AND {key} > ?1 ORDER BY {key}, due_at LIMIT 1"
    );
    let mut next = connection.prepare(&sql)?;
    let (mut found, mut last) = (Vec::new(), String::new());
    while let Some((key, due_at)) =
        next.query_row([&last], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))).optional()?
    {
        found.push((key.clone(), rows::moment(due_at)?));
        last = key;
    }
    Ok(found)
}

/// What is taken of a list in the order of due times, and when the first that is left is due.
struct Taking<Id> {
    due: Due<Id>,
    skip: HashSet<Id>,
    items: usize,
    bytes: usize,
}

impl<Id: Clone + Eq + std::hash::Hash> Taking<Id> {
    fn new(due: &Due<Id>) -> Self {
        Self { due: due.clone(), skip: due.skip.iter().cloned().collect(), items: 0, bytes: 0 }
    }

    /// As many rows as it may have to see.
    fn rows_max(&self) -> i64 {
        i64::try_from(self.skip.len() + self.due.items_max + 1).unwrap_or(i64::MAX)
    }

    fn skips(&self, id: &Id) -> bool {
        self.skip.contains(id)
    }

    /// Whether the next one is taken.
    fn takes(&mut self, due_at: Timestamp, bytes: usize) -> bool {
        let fits = self.items == 0 || self.bytes + bytes <= self.due.bytes_max;
        let takes = due_at <= self.due.now && self.items < self.due.items_max && fits;
        if takes {
            self.items += 1;
            self.bytes += bytes;
        }
        takes
    }

    /// Reads what is due of one function or target: rows of a number, an id, a due time and bytes, earliest first.
    fn batch<T>(
        mut self,
        connection: &Connection,
        (sql, of): (&str, &str),
        id: fn([u8; 16]) -> Id,
        read: fn(&Connection, i64) -> Result<T, ReadError>,
    ) -> Result<Batch<T>, ReadError> {
        let mut batch = Batch { items: Vec::new(), next_at: None };
        let mut select = connection.prepare_cached(sql)?;
        let mut rows = select.query(params![of, self.rows_max()])?;
        while let Some(row) = rows.next()? {
            if self.skips(&id(row.get(1)?)) {
                continue;
            }
            let due_at = rows::moment(row.get(2)?)?;
            let bytes: i64 = row.get(3)?;
            if !self.takes(due_at, usize::try_from(bytes).unwrap_or(usize::MAX)) {
                batch.next_at = Some(due_at);
                break;
            }
            batch.items.push(read(connection, row.get(0)?)?);
        }
        Ok(batch)
    }
}

fn due_events(
    connection: &Connection,
    function: &FunctionName,
    due: &Due<RequestId>,
) -> Result<Batch<Event>, ReadError> {
    // The large payloads are read only where they are taken.
    let sql = "SELECT seq, id, due_at, coalesce(length(payload),
                    (SELECT length(payload) FROM event_payloads WHERE event = seq))
         FROM events WHERE function = ?1 AND due_at IS NOT NULL ORDER BY due_at LIMIT ?2";
    Taking::new(due).batch(connection, (sql, function.as_str()), rows::request_id, rows::event)
}

fn due_deliveries(connection: &Connection, target: &str, due: &Due<Uuid>) -> Result<Batch<Owed>, ReadError> {
    let sql = "SELECT seq, id, due_at, coalesce(length(body),
                    (SELECT length(payload) FROM events WHERE events.seq = deliveries.event),
                    (SELECT length(payload) FROM event_payloads WHERE event_payloads.event = deliveries.event))
         FROM deliveries WHERE target = ?1 AND due_at IS NOT NULL ORDER BY due_at LIMIT ?2";
    Taking::new(due).batch(connection, (sql, target), rows::uuid, rows::owed)
}

/// The filter as SQL, with its parameters.
fn condition(filter: &EventFilter) -> (String, Vec<Value>) {
    let EventFilter { function, state, accepted_before, only, but } = filter;
    let (mut sql, mut values) = (String::from("TRUE"), Vec::new());
    let mut add = |piece: &str, value: Value| {
        values.push(value);
        sql.push_str(" AND ");
        sql.push_str(&piece.replace('?', &format!("?{}", values.len())));
    };
    if let Some(function) = function {
        add("function = ?", Value::Text(function.to_string()));
    }
    if let Some(state) = state {
        add("state = ?", state_column(*state).map_or(Value::Null, Value::Integer));
    }
    if let Some(before) = accepted_before {
        add("accepted_at < ?", Value::Integer(millis(*before)));
    }
    let list = |ids: &[RequestId]| {
        let ids: Vec<String> = ids.iter().map(|id| id.0.simple().to_string()).collect();
        Value::Text(serde_json::to_string(&ids).expect("texts become JSON"))
    };
    if let Some(only) = only {
        add("id IN (SELECT unhex(value) FROM json_each(?))", list(only));
    }
    if !but.is_empty() {
        add("id NOT IN (SELECT unhex(value) FROM json_each(?))", list(but));
    }
    (sql, values)
}

fn find(
    connection: &Connection,
    filter: &EventFilter,
    after: Option<(Timestamp, RequestId)>,
    events_max: usize,
) -> Result<Vec<Listed>, ReadError> {
    let (mut sql, mut values) = condition(filter);
    if let Some((at, id)) = after {
        values.push(Value::Integer(millis(at)));
        values.push(Value::Blob(id.0.as_bytes().to_vec()));
        sql = format!("{sql} AND (accepted_at, id) > (?{}, ?{})", values.len() - 1, values.len());
    }
    values.push(Value::Integer(i64::try_from(events_max).unwrap_or(i64::MAX)));
    let sql = format!(
        "SELECT {} FROM events WHERE {sql} ORDER BY accepted_at, id LIMIT ?{}",
        rows::LISTED_COLUMNS,
        values.len()
    );
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = select.query(params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(rows::listed(row)?);
    }
    Ok(found)
}

fn count(connection: &Connection, filter: &EventFilter) -> Result<u64, ReadError> {
    let (sql, values) = condition(filter);
    let mut count = connection.prepare_cached(&format!("SELECT count(*) FROM events WHERE {sql}"))?;
    Ok(count.query_row(params_from_iter(values), |row| row.get::<_, i64>(0))?.unsigned_abs())
}

fn show(connection: &Connection, id: RequestId) -> Result<Option<Shown>, ReadError> {
    // What is shown belongs together.
    let reading = connection.unchecked_transaction()?;
    let filter = EventFilter { only: Some(vec![id]), ..EventFilter::default() };
    let Some(listed) = find(&reading, &filter, None, 1)?.pop() else { return Ok(None) };
    let mut seq = reading.prepare_cached("SELECT seq FROM events WHERE id = ?1")?;
    let seq: i64 = seq.query_row([id.0.as_bytes()], |row| row.get(0))?;
    let event = rows::event(&reading, seq)?;
    let deliveries = rows::deliveries(&reading, seq)?;
    Ok(Some(Shown { listed, payload: event.payload, history: event.progress.history, deliveries }))
}

/// States that are kept, for the counts of the metrics.
pub(crate) const KEPT_STATES: [State; 4] = [State::Queued, State::Retrying, State::Delivering, State::Dead];
