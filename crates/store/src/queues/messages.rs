//! The steps of messages. A message is visible when its `visible_at` has come; before that it is with a receiver, or
//! delayed where nobody has received it yet. Never here: what the time is.

use domain::queue::{Counts, QueueName, Receipt};
use domain::{Fault, limits};
use engine::ports::{Accepted, Received, ReceivedMessage, Receiving, Sending, Visibility};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::rows::{BodyRow, FORMAT};
use super::{column, contents_of};
use crate::writer::Step;

/// How many looks one step takes at what is visible, where all it sees goes to the dead-letter queue.
const LOOKS_MAX: usize = 50;
/// How many messages one step of sweeping removes.
const SWEEP_MAX: i64 = 500;

/// Puts messages into a queue.
#[derive(Debug)]
pub(super) struct Send {
    id: i64,
    messages: Vec<NewRow>,
    messages_max: i64,
    now: i64,
}

#[derive(Debug)]
struct NewRow {
    message_id: [u8; 16],
    visible_at: i64,
    text: String,
    document: String,
}

impl Send {
    /// None where there was never a queue of that id.
    pub(super) fn new(sending: &Sending) -> Result<Option<Self>, Fault> {
        let Some(id) = column(sending.queue) else { return Ok(None) };
        let now = sending.now.as_millisecond();
        let messages = sending.messages.iter().map(|message| {
            Ok(NewRow {
                message_id: message.id.into_bytes(),
                visible_at: after(now, message.delay_seconds),
                text: message.body.text.clone(),
                document: BodyRow::document(&message.body)?,
            })
        });
        let messages_max = i64::try_from(sending.messages_max).unwrap_or(i64::MAX);
        Ok(Some(Self { id, messages: messages.collect::<Result<_, Fault>>()?, messages_max, now }))
    }
}

fn after(now: i64, seconds: u32) -> i64 {
    now.saturating_add(i64::from(seconds) * 1_000)
}

impl Step for Send {
    type Answer = Accepted;

    fn bytes(&self) -> usize {
        self.messages.iter().map(|message| message.text.len() + message.document.len()).sum()
    }

    fn apply(&self, connection: &Connection) -> rusqlite::Result<Accepted> {
        let Some(contents) = contents_of(connection, self.id)? else { return Ok(Accepted::NoQueue) };
        let count = i64::try_from(self.messages.len()).unwrap_or(i64::MAX);
        let mut room = connection
            .prepare_cached("UPDATE sqs_contents SET messages = messages + ?2 WHERE id = ?1 AND messages + ?2 <= ?3")?;
        if room.execute([contents, count, self.messages_max])? == 0 {
            return Ok(Accepted::Full);
        }
        let mut insert = connection.prepare_cached(
            "INSERT INTO sqs_message (contents, message_id, sent_at, visible_at, receives, received_at, first_received_at)
             VALUES (?1, ?2, ?3, ?4, 0, 0, 0)",
        )?;
        let mut fill =
            connection.prepare_cached("INSERT INTO sqs_body (id, text, format, document) VALUES (?1, ?2, ?3, ?4)")?;
        for message in &self.messages {
            let row = insert.insert(params![contents, message.message_id, self.now, message.visible_at])?;
            fill.execute(params![row, message.text, FORMAT, message.document])?;
        }
        Ok(Accepted::Kept)
    }
}

/// Takes messages out of a queue.
#[derive(Debug)]
pub(super) struct Receive {
    pub(super) id: i64,
    pub(super) receiving: Receiving,
}

/// What was taken, as rows.
#[derive(Debug, Default)]
pub(super) struct Taken {
    rows: Vec<TakenRow>,
    next_at: Option<i64>,
    is_over_limit: bool,
    moved: u64,
}

#[derive(Debug)]
struct TakenRow {
    receipt: Receipt,
    sent_at: i64,
    first_received_at: i64,
    source: Option<String>,
    text: String,
    format: u32,
    document: String,
}

/// A message that is visible.
struct Visible {
    row: i64,
    message_id: [u8; 16],
    sent_at: i64,
    receives: u32,
    first_received_at: i64,
    source: Option<String>,
}

impl Step for Receive {
    type Answer = Option<Taken>;

    fn bytes(&self) -> usize {
        0
    }

    fn apply(&self, connection: &Connection) -> rusqlite::Result<Option<Taken>> {
        let Receiving { max, visibility_seconds, sent_after, redrive, in_flight_max, now, .. } = &self.receiving;
        let (now, sent_after) = (now.as_millisecond(), sent_after.as_millisecond());
        let Some(contents) = contents_of(connection, self.id)? else { return Ok(None) };
        let mut taken = Taken::default();
        if is_over_limit(connection, contents, *in_flight_max, now)? {
            taken.is_over_limit = true;
            return Ok(Some(taken));
        }
        let redrive = match redrive {
            None => None,
            Some((target, receives_max)) => {
                let mut find = connection.prepare_cached("SELECT contents FROM sqs_queue WHERE name = ?1")?;
                let target: Option<i64> = find.query_row([target.as_str()], |row| row.get(0)).optional()?;
                target.map(|target| (target, *receives_max))
            }
        };
        let mut select = connection.prepare_cached(
            "SELECT id, message_id, sent_at, receives, first_received_at, source FROM sqs_message
             WHERE contents = ?1 AND visible_at <= ?2 AND sent_at > ?3 ORDER BY visible_at LIMIT ?4",
        )?;
        for _ in 0..LOOKS_MAX {
            // Those that were taken for no time at all are seen again.
            let seen = select.query_map(params![contents, now, sent_after, max], |row| {
                Ok(Visible {
                    row: row.get(0)?,
                    message_id: row.get(1)?,
                    sent_at: row.get(2)?,
                    receives: row.get(3)?,
                    first_received_at: row.get(4)?,
                    source: row.get(5)?,
                })
            })?;
            let mut has_moved = false;
            for visible in seen.collect::<rusqlite::Result<Vec<_>>>()? {
                if taken.rows.iter().any(|row| row.receipt.row == visible.row) {
                    continue;
                }
                match redrive {
                    Some((target, receives_max)) if visible.receives >= receives_max => {
                        self.move_on(connection, &visible, (contents, target), now)?;
                        taken.moved += 1;
                        has_moved = true;
                    }
                    _ if taken.rows.len() < *max as usize => {
                        let until = after(now, *visibility_seconds);
                        taken.rows.push(self.take(connection, visible, now, until)?);
                    }
                    _ => {}
                }
            }
            if !has_moved || taken.rows.len() == *max as usize {
                break;
            }
        }
        if taken.rows.is_empty() {
            let mut next = connection.prepare_cached(
                "SELECT visible_at FROM sqs_message WHERE contents = ?1 AND visible_at > ?2 ORDER BY visible_at LIMIT 1",
            )?;
            taken.next_at = next.query_row([contents, now], |row| row.get(0)).optional()?;
        }
        Ok(Some(taken))
    }
}

impl Receive {
    fn take(&self, connection: &Connection, visible: Visible, now: i64, until: i64) -> rusqlite::Result<TakenRow> {
        let Visible { row, message_id, sent_at, receives, first_received_at, source } = visible;
        let receives = receives.saturating_add(1);
        let first_received_at = if first_received_at == 0 { now } else { first_received_at };
        let mut claim = connection.prepare_cached(
            "UPDATE sqs_message SET visible_at = ?2, receives = ?3, received_at = ?4, first_received_at = ?5
             WHERE id = ?1",
        )?;
        claim.execute(params![row, until, receives, now, first_received_at])?;
        let mut read = connection.prepare_cached("SELECT text, format, document FROM sqs_body WHERE id = ?1")?;
        let (text, format, document) = read.query_row([row], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let receipt = Receipt { queue: self.receiving.queue, row, message: Uuid::from_bytes(message_id), receives };
        Ok(TakenRow { receipt, sent_at, first_received_at, source, text, format, document })
    }

    /// To the dead-letter queue, where it begins anew but for its age.
    fn move_on(
        &self,
        connection: &Connection,
        visible: &Visible,
        (from, to): (i64, i64),
        now: i64,
    ) -> rusqlite::Result<()> {
        let mut change = connection.prepare_cached(
            "UPDATE sqs_message SET contents = ?2, visible_at = ?3, receives = 0, received_at = 0,
                 first_received_at = 0, source = ?4 WHERE id = ?1",
        )?;
        change.execute(params![visible.row, to, now, self.receiving.name.as_str()])?;
        count_by(connection, from, -1)?;
        count_by(connection, to, 1)
    }
}

fn is_over_limit(connection: &Connection, contents: i64, in_flight_max: u32, now: i64) -> rusqlite::Result<bool> {
    // Fewer messages than may be in flight need no counting, and few queues have more.
    let mut all = connection.prepare_cached("SELECT messages FROM sqs_contents WHERE id = ?1")?;
    let messages: i64 = all.query_row([contents], |row| row.get(0))?;
    if messages < i64::from(in_flight_max) {
        return Ok(false);
    }
    let mut count = connection.prepare_cached(
        "SELECT count(*) FROM (SELECT 1 FROM sqs_message
             WHERE contents = ?1 AND visible_at > ?2 AND receives > 0 LIMIT ?3)",
    )?;
    let in_flight: u32 = count.query_row(params![contents, now, in_flight_max], |row| row.get(0))?;
    Ok(in_flight >= in_flight_max)
}

fn count_by(connection: &Connection, contents: i64, change: i64) -> rusqlite::Result<()> {
    let mut count = connection.prepare_cached("UPDATE sqs_contents SET messages = messages + ?2 WHERE id = ?1")?;
    count.execute([contents, change])?;
    Ok(())
}

impl Taken {
    /// As the engine has it; away from the thread that writes.
    pub(super) fn read(self) -> Result<Received, Fault> {
        let time = |at: i64| Timestamp::from_millisecond(at).map_err(|error| Fault::new("reading a message", error));
        let messages = self.rows.into_iter().map(|row| {
            let id = row.receipt.message;
            let body = BodyRow::read(row.text, row.format, &row.document);
            Ok(ReceivedMessage {
                id,
                receipt: row.receipt,
                body: body.map_err(|error| Fault::new(format!("reading message {id}"), error))?,
                sent_at: time(row.sent_at)?,
                first_received_at: time(row.first_received_at)?,
                dead_letter_source: row.source.as_deref().and_then(QueueName::parse),
            })
        });
        Ok(Received {
            messages: messages.collect::<Result<_, Fault>>()?,
            next_at: self.next_at.map(time).transpose()?,
            is_over_limit: self.is_over_limit,
            moved: self.moved,
        })
    }
}

/// Removes messages.
#[derive(Debug)]
pub(super) struct Delete {
    pub(super) id: i64,
    pub(super) receipts: Vec<Receipt>,
}

impl Step for Delete {
    type Answer = Vec<bool>;

    fn bytes(&self) -> usize {
        0
    }

    fn apply(&self, connection: &Connection) -> rusqlite::Result<Vec<bool>> {
        let Some(contents) = contents_of(connection, self.id)? else { return Ok(vec![false; self.receipts.len()]) };
        let mut delete = connection.prepare_cached(
            "DELETE FROM sqs_message WHERE id = ?1 AND contents = ?2 AND message_id = ?3 AND receives = ?4",
        )?;
        let deleted = self.receipts.iter().map(|Receipt { row, message, receives, .. }| {
            if delete.execute(params![row, contents, message.into_bytes(), receives])? == 0 {
                return Ok(false);
            }
            forget(connection, *row)?;
            count_by(connection, contents, -1)?;
            Ok(true)
        });
        deleted.collect()
    }
}

fn forget(connection: &Connection, row: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM sqs_body WHERE id = ?1")?.execute([row])?;
    Ok(())
}

/// Makes messages visible at another time.
#[derive(Debug)]
pub(super) struct ChangeVisibility {
    pub(super) id: i64,
    pub(super) changes: Vec<(Receipt, u32)>,
    pub(super) now: i64,
}

impl Step for ChangeVisibility {
    type Answer = Vec<Visibility>;

    fn bytes(&self) -> usize {
        0
    }

    fn apply(&self, connection: &Connection) -> rusqlite::Result<Vec<Visibility>> {
        let contents = contents_of(connection, self.id)?;
        let mut find = connection.prepare_cached(
            "SELECT visible_at, received_at FROM sqs_message
             WHERE id = ?1 AND contents = ?2 AND message_id = ?3 AND receives = ?4",
        )?;
        let mut change = connection.prepare_cached("UPDATE sqs_message SET visible_at = ?2 WHERE id = ?1")?;
        let changed = self.changes.iter().map(|(Receipt { row, message, receives, .. }, seconds)| {
            let found: Option<(i64, i64)> = find
                .query_row(params![row, contents, message.into_bytes(), receives], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((visible_at, received_at)) = found else { return Ok(Visibility::Expired) };
            if visible_at <= self.now {
                return Ok(Visibility::NotInFlight);
            }
            let until = after(self.now, *seconds);
            if until > after(received_at, limits::VISIBILITY_SECONDS) {
                return Ok(Visibility::TooLong);
            }
            change.execute([*row, until])?;
            Ok(Visibility::Changed)
        });
        changed.collect()
    }
}

/// Removes some of what nobody will see any more.
#[derive(Debug)]
pub(super) struct Sweep {
    pub(super) sent_before: Vec<(i64, i64)>,
}

impl Step for Sweep {
    /// Whether there may be more.
    type Answer = bool;

    fn bytes(&self) -> usize {
        0
    }

    fn apply(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let mut left = SWEEP_MAX;
        let mut old = connection.prepare_cached(
            "SELECT id FROM sqs_message WHERE contents = ?1 AND sent_at <= ?2 ORDER BY sent_at LIMIT ?3",
        )?;
        for (queue, sent_before) in &self.sent_before {
            let Some(contents) = contents_of(connection, *queue)? else { continue };
            let rows = old.query_map(params![contents, sent_before, left], |row| row.get(0))?;
            left -= remove(connection, contents, &rows.collect::<rusqlite::Result<Vec<i64>>>()?)?;
            if left == 0 {
                return Ok(true);
            }
        }
        let mut contents = connection.prepare_cached("SELECT id FROM sqs_contents WHERE is_left = 1")?;
        let contents = contents.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
        let mut any = connection.prepare_cached("SELECT id FROM sqs_message WHERE contents = ?1 LIMIT ?2")?;
        for contents in contents {
            let rows = any.query_map(params![contents, left], |row| row.get(0))?;
            left -= remove(connection, contents, &rows.collect::<rusqlite::Result<Vec<i64>>>()?)?;
            if left == 0 {
                return Ok(true);
            }
            connection.prepare_cached("DELETE FROM sqs_contents WHERE id = ?1")?.execute([contents])?;
        }
        Ok(false)
    }
}

fn remove(connection: &Connection, contents: i64, rows: &[i64]) -> rusqlite::Result<i64> {
    let mut delete = connection.prepare_cached("DELETE FROM sqs_message WHERE id = ?1")?;
    for row in rows {
        delete.execute([row])?;
        forget(connection, *row)?;
    }
    let removed = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    if removed > 0 {
        count_by(connection, contents, -removed)?;
    }
    Ok(removed)
}

/// How many messages a queue has.
pub(super) fn count(connection: &Connection, queue: i64, now: i64) -> rusqlite::Result<Option<Counts>> {
    // In one statement, so that all numbers are of one moment.
    let mut select = connection.prepare(
        "SELECT c.messages,
                (SELECT count(*) FROM sqs_message WHERE contents = c.id AND visible_at > ?2 AND receives > 0),
                (SELECT count(*) FROM sqs_message WHERE contents = c.id AND visible_at > ?2 AND receives = 0)
         FROM sqs_queue q JOIN sqs_contents c ON c.id = q.contents WHERE q.id = ?1",
    )?;
    let counts = |row: &rusqlite::Row<'_>| {
        let (all, in_flight, delayed): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let visible = u64::try_from(all - in_flight - delayed).unwrap_or_default();
        Ok(Counts { visible, in_flight: in_flight.unsigned_abs(), delayed: delayed.unsigned_abs() })
    };
    select.query_row([queue, now], counts).optional()
}
