//! What is done to events and deliveries, as the writer does it. The columns are described in
//! `migrations/004_events.sql`.

use std::sync::Arc;

use domain::destination::{Condition, Delivery, Purpose};
use domain::event::{Event, Progress, State};
use domain::names::RequestId;
use engine::ports::{Redriven, Sent, Settled};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::rows::{
    IN_ROW_BYTES, attributes_column, history_column, millis, purpose_column, state_column, version_column,
};
use crate::writer::Step;

/// Bytes of a row without its documents, about.
const ROW_BYTES: usize = 256;

/// Adds an event; the answer is whether its id was new.
pub(super) struct Insert(pub(super) Arc<Event>);

impl Step for Insert {
    type Answer = bool;

    fn bytes(&self) -> usize {
        ROW_BYTES + self.0.payload.len()
    }

    fn is_one_statement(&self) -> bool {
        self.0.payload.len() <= IN_ROW_BYTES
    }

    fn apply(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let Event { request_id, function, qualifier, payload, trace, accepted_at, progress } = &*self.0;
        let in_row = (payload.len() <= IN_ROW_BYTES).then(|| payload.as_ref());
        let mut insert = connection.prepare_cached(
            "INSERT INTO events (id, function, qualifier, trace, accepted_at, aged_from, state, due_at, round, attempts,
                                 history, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?5, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO NOTHING",
        )?;
        let inserted = insert.execute(params![
            request_id.0.as_bytes(),
            function.as_str(),
            qualifier.as_ref().map(ToString::to_string),
            trace,
            millis(*accepted_at),
            millis(progress.aged_from),
            progress.round,
            progress.attempts,
            history_column(&progress.history),
            in_row,
        ])? == 1;
        if inserted && in_row.is_none() {
            let mut insert =
                connection.prepare_cached("INSERT INTO event_payloads (event, payload) VALUES (?1, ?2)")?;
            insert.execute(params![connection.last_insert_rowid(), payload.as_ref()])?;
        }
        Ok(inserted)
    }
}

/// Writes what became of an event; the answer is whether it was still at that round.
pub(super) struct Settle {
    pub(super) id: RequestId,
    pub(super) round: u32,
    pub(super) settled: Settled,
}

impl Step for Settle {
    type Answer = bool;

    fn bytes(&self) -> usize {
        let of_response = |progress: &Progress| progress.response.as_ref().map_or(0, |response| response.payload.len());
        ROW_BYTES
            + match &self.settled {
                Settled::Done => 0,
                Settled::Again { progress, .. } => of_response(progress),
                Settled::Ended { deliveries, .. } => deliveries.iter().map(|delivery| delivery.body.len()).sum(),
            }
    }

    fn is_one_statement(&self) -> bool {
        matches!(self.settled, Settled::Done)
    }

    fn apply(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let id = self.id.0.as_bytes();
        match &self.settled {
            Settled::Done => {
                let mut delete = connection.prepare_cached("DELETE FROM events WHERE id = ?1 AND round = ?2")?;
                Ok(delete.execute(params![id, self.round])? == 1)
            }
            Settled::Again { due_at, progress } => {
                let state = if progress.attempts == 0 { State::Queued } else { State::Retrying };
                let Some(seq) = self.update(connection, state, Some(*due_at), None, progress)? else {
                    return Ok(false);
                };
                if let Some(response) = &progress.response {
                    let mut put = connection.prepare_cached(
                        "INSERT OR REPLACE INTO event_responses (event, executed_version, payload) VALUES (?1, ?2, ?3)",
                    )?;
                    put.execute(params![seq, version_column(response.executed_version), response.payload.as_ref()])?;
                }
                Ok(true)
            }
            Settled::Ended { condition, progress, deliveries } => {
                let state = if *condition == Condition::Success { State::Delivering } else { State::Dead };
                let Some(seq) = self.update(connection, state, None, Some(*condition), progress)? else {
                    return Ok(false);
                };
                // It stands in the record; a redrive starts without it.
                connection.prepare_cached("DELETE FROM event_responses WHERE event = ?1")?.execute([seq])?;
                deliveries.iter().try_for_each(|delivery| insert_delivery(connection, seq, delivery))?;
                Ok(true)
            }
        }
    }
}

impl Settle {
    /// The row's number, where it was at the round.
    fn update(
        &self,
        connection: &Connection,
        state: State,
        due_at: Option<Timestamp>,
        condition: Option<Condition>,
        progress: &Progress,
    ) -> rusqlite::Result<Option<i64>> {
        let mut update = connection.prepare_cached(
            "UPDATE events SET state = ?3, due_at = ?4, condition = ?5, attempts = ?6, history = ?7, round = ?8
             WHERE id = ?1 AND round = ?2 RETURNING seq",
        )?;
        let row = params![
            self.id.0.as_bytes(),
            self.round,
            state_column(state),
            due_at.map(millis),
            condition.map(Condition::as_str),
            progress.attempts,
            history_column(&progress.history),
            progress.round,
        ];
        update.query_row(row, |row| row.get(0)).optional()
    }
}

fn insert_delivery(connection: &Connection, event: i64, delivery: &Delivery) -> rusqlite::Result<()> {
    let Delivery { id, event: _, purpose, target, function_arn, function_name: _, body, attributes, trace: _, at } =
        delivery;
    // A dead letter is the event itself, which is there already.
    let body = (*purpose != Purpose::DeadLetter).then(|| body.as_ref());
    let mut insert = connection.prepare_cached(
        "INSERT INTO deliveries (id, event, target, purpose, function_arn, attributes, ended_at, tried_from, due_at,
                                 attempts, state, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?7, 0, 0, ?8)",
    )?;
    insert.execute(params![
        id.as_bytes(),
        event,
        target,
        purpose_column(*purpose),
        function_arn,
        attributes_column(attributes),
        millis(*at),
        body,
    ])?;
    Ok(())
}

/// Writes what became of a delivery; the answer counts the events that have gone with it.
pub(super) struct Send {
    pub(super) id: Uuid,
    pub(super) sent: Sent,
}

impl Step for Send {
    type Answer = u64;

    fn bytes(&self) -> usize {
        ROW_BYTES
    }

    fn apply(&self, connection: &Connection) -> rusqlite::Result<u64> {
        let id = self.id.as_bytes();
        match &self.sent {
            Sent::Delivered => {
                let mut update = connection.prepare_cached(
                    "UPDATE deliveries SET state = 1, due_at = NULL, attempts = attempts + 1, error = NULL, body = NULL
                     WHERE id = ?1 AND state = 0 RETURNING event",
                )?;
                let event: Option<i64> = update.query_row(params![id], |row| row.get(0)).optional()?;
                let Some(event) = event else { return Ok(0) };
                let mut delete = connection.prepare_cached(
                    "DELETE FROM events WHERE seq = ?1 AND state = 2
                     AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = ?1 AND state <> 1)",
                )?;
                Ok(delete.execute([event])? as u64)
            }
            Sent::Again { due_at, attempts, error } => {
                let mut update = connection.prepare_cached(
                    "UPDATE deliveries SET due_at = ?2, attempts = ?3, error = ?4 WHERE id = ?1 AND state = 0",
                )?;
                update.execute(params![id, millis(*due_at), attempts, error])?;
                Ok(0)
            }
            Sent::Failed { attempts, error } => {
                let mut update = connection.prepare_cached(
                    "UPDATE deliveries SET state = 2, due_at = NULL, attempts = ?2, error = ?3
                     WHERE id = ?1 AND state = 0",
                )?;
                update.execute(params![id, attempts, error])?;
                Ok(0)
            }
        }
    }
}

/// Starts dead events and the deliveries of delivering ones again.
pub(super) struct Redrive {
    pub(super) ids: Vec<RequestId>,
    pub(super) now: Timestamp,
}

impl Step for Redrive {
    type Answer = Vec<Redriven>;

    fn bytes(&self) -> usize {
        ROW_BYTES * self.ids.len()
    }

    fn apply(&self, connection: &Connection) -> rusqlite::Result<Vec<Redriven>> {
        let mut redriven = Vec::new();
        for &request_id in &self.ids {
            let mut select = connection.prepare_cached("SELECT seq, state, function FROM events WHERE id = ?1")?;
            let found: Option<(i64, i64, String)> = select
                .query_row([request_id.0.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let Some((seq, state, function)) = found else { continue };
            if Some(state) == state_column(State::Dead) {
                connection.prepare_cached("DELETE FROM deliveries WHERE event = ?1")?.execute([seq])?;
                let mut restart = connection.prepare_cached(
                    "UPDATE events SET state = 0, due_at = ?2, aged_from = ?2, attempts = 0, condition = NULL,
                                       history = '[]', round = round + 1 WHERE seq = ?1",
                )?;
                restart.execute(params![seq, millis(self.now)])?;
                let function = domain::names::FunctionName::parse(&function);
                redriven.push(Redriven { request_id, function, targets: Vec::new() });
            } else if Some(state) == state_column(State::Delivering) {
                let mut resend = connection.prepare_cached(
                    "UPDATE deliveries SET state = 0, due_at = ?2, tried_from = ?2, attempts = 0, error = NULL
                     WHERE event = ?1 AND state <> 1 RETURNING target",
                )?;
                let targets = resend.query_map(params![seq, millis(self.now)], |row| row.get(0))?;
                let targets = targets.collect::<rusqlite::Result<_>>()?;
                redriven.push(Redriven { request_id, function: None, targets });
            }
        }
        Ok(redriven)
    }
}

/// Removes events; the answer is which there were.
pub(super) struct Purge(pub(super) Vec<RequestId>);

impl Step for Purge {
    type Answer = Vec<RequestId>;

    fn bytes(&self) -> usize {
        ROW_BYTES * self.0.len()
    }

    fn apply(&self, connection: &Connection) -> rusqlite::Result<Vec<RequestId>> {
        let mut purged = Vec::new();
        for id in &self.0 {
            let mut delete = connection.prepare_cached("DELETE FROM events WHERE id = ?1")?;
            if delete.execute([id.0.as_bytes()])? == 1 {
                purged.push(*id);
            }
        }
        Ok(purged)
    }
}
