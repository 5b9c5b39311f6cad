//! Queues on disk: the port `QueueRecords`, and queues as rows. Messages are in `messages`, what they hold in `rows`.
//!
//! Never here: who waits for a message; what the time is.

mod messages;
mod rows;

use std::path::Path;
use std::sync::Arc;

use domain::Fault;
use domain::queue::{Counts, Queue, Receipt};
use engine::ports::{Accepted, QueueRecords, Received, Receiving, Sending, Visibility, Wait};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use self::rows::{FORMAT, QueueRow};
use crate::writer::Step;
use crate::{Store, blocking, schema};

/// One serialisable step on queues.
#[derive(Debug)]
enum QueueChange {
    /// Adds a queue if there is none of its name.
    Insert { name: String, document: String },
    /// Replaces a queue if it is there.
    Replace { id: i64, document: String },
    /// Removes a queue if it is there.
    Remove { id: i64 },
    /// Empties a queue if it is there.
    Purge { id: i64 },
}

impl Step for QueueChange {
    /// The queue's id, if the condition held.
    type Answer = Option<i64>;

    fn bytes(&self) -> usize {
        match self {
            Self::Insert { document, .. } | Self::Replace { document, .. } => document.len(),
            Self::Remove { .. } | Self::Purge { .. } => 0,
        }
    }

    fn apply(&self, connection: &Connection) -> rusqlite::Result<Option<i64>> {
        match self {
            Self::Insert { name, document } => {
                let mut taken = connection.prepare_cached("SELECT 1 FROM sqs_queue WHERE name = ?1")?;
                if taken.exists([name])? {
                    return Ok(None);
                }
                let mut insert = connection.prepare_cached(
                    "INSERT INTO sqs_queue (name, contents, format, document) VALUES (?1, ?2, ?3, ?4)",
                )?;
                Ok(Some(insert.insert(params![name, new_contents(connection)?, FORMAT, document])?))
            }
            Self::Replace { id, document } => {
                let mut replace =
                    connection.prepare_cached("UPDATE sqs_queue SET format = ?2, document = ?3 WHERE id = ?1")?;
                Ok((replace.execute(params![id, FORMAT, document])? == 1).then_some(*id))
            }
            Self::Remove { id } => {
                let Some(contents) = contents_of(connection, *id)? else { return Ok(None) };
                leave(connection, contents)?;
                connection.prepare_cached("DELETE FROM sqs_queue WHERE id = ?1")?.execute([id])?;
                Ok(Some(*id))
            }
            Self::Purge { id } => {
                let Some(contents) = contents_of(connection, *id)? else { return Ok(None) };
                leave(connection, contents)?;
                let mut renew = connection.prepare_cached("UPDATE sqs_queue SET contents = ?2 WHERE id = ?1")?;
                renew.execute([*id, new_contents(connection)?])?;
                Ok(Some(*id))
            }
        }
    }
}

fn new_contents(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("INSERT INTO sqs_contents (messages, is_left) VALUES (0, 0)")?.insert([])
}

/// What a queue holds; none where the queue is gone.
fn contents_of(connection: &Connection, queue: i64) -> rusqlite::Result<Option<i64>> {
    let mut select = connection.prepare_cached("SELECT contents FROM sqs_queue WHERE id = ?1")?;
    select.query_row([queue], |row| row.get(0)).optional()
}

fn leave(connection: &Connection, contents: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE sqs_contents SET is_left = 1 WHERE id = ?1")?.execute([contents])?;
    Ok(())
}

/// A queue's id as its column has it; ids beyond that were never given.
fn column(id: u64) -> Option<i64> {
    i64::try_from(id).ok()
}

impl QueueRecords for Store {
    fn load_queues(&self) -> Wait<'_, Result<Vec<Queue>, Fault>> {
        Box::pin(async move {
            self.writer.check()?;
            let database = self.database.clone();
            blocking("reading the queues", move || read_all(&database)).await?
        })
    }

    fn insert_queue(&self, queue: Queue) -> Wait<'_, Result<Option<u64>, Fault>> {
        Box::pin(async move {
            let change = QueueChange::Insert { name: queue.name.to_string(), document: QueueRow::document(&queue)? };
            Ok(self.writer.write(change).await?.map(i64::unsigned_abs))
        })
    }

    fn replace_queue(&self, queue: Arc<Queue>) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let Some(id) = column(queue.id) else { return Ok(false) };
            let change = QueueChange::Replace { id, document: QueueRow::document(&queue)? };
            Ok(self.writer.write(change).await?.is_some())
        })
    }

    fn remove_queue(&self, queue: u64) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let Some(id) = column(queue) else { return Ok(false) };
            Ok(self.writer.write(QueueChange::Remove { id }).await?.is_some())
        })
    }

    fn purge_queue(&self, queue: u64) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let Some(id) = column(queue) else { return Ok(false) };
            Ok(self.writer.write(QueueChange::Purge { id }).await?.is_some())
        })
    }

    fn send_messages(&self, sending: Sending) -> Wait<'_, Result<Accepted, Fault>> {
        Box::pin(async move {
            let Some(step) = messages::Send::new(&sending)? else { return Ok(Accepted::NoQueue) };
            self.writer.write(step).await
        })
    }

    fn receive_messages(&self, receiving: Receiving) -> Wait<'_, Result<Option<Received>, Fault>> {
        Box::pin(async move {
            let Some(id) = column(receiving.queue) else { return Ok(None) };
            let taken = self.writer.write(messages::Receive { id, receiving }).await?;
            taken.map(messages::Taken::read).transpose()
        })
    }

    fn delete_messages(&self, queue: u64, receipts: Vec<Receipt>) -> Wait<'_, Result<Vec<bool>, Fault>> {
        Box::pin(async move {
            let Some(id) = column(queue) else { return Ok(vec![false; receipts.len()]) };
            self.writer.write(messages::Delete { id, receipts }).await
        })
    }

    fn change_visibility(
        &self,
        queue: u64,
        changes: Vec<(Receipt, u32)>,
        now: Timestamp,
    ) -> Wait<'_, Result<Vec<Visibility>, Fault>> {
        Box::pin(async move {
            let Some(id) = column(queue) else { return Ok(vec![Visibility::Expired; changes.len()]) };
            self.writer.write(messages::ChangeVisibility { id, changes, now: now.as_millisecond() }).await
        })
    }

    fn count_messages(&self, queue: u64, now: Timestamp) -> Wait<'_, Result<Option<Counts>, Fault>> {
        Box::pin(async move {
            self.writer.check()?;
            let Some(id) = column(queue) else { return Ok(None) };
            let (database, now) = (self.database.clone(), now.as_millisecond());
            // Not by the writer: there may be many messages to count.
            let count = move || messages::count(&schema::open_for_reading(&database)?, id, now);
            let counts = blocking("counting messages", count).await?;
            counts.map_err(|error| Fault::new("counting the messages of a queue", error))
        })
    }

    fn sweep_messages(&self, sent_before: Vec<(u64, Timestamp)>) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let sent_before = sent_before.into_iter();
            let sent_before = sent_before.filter_map(|(queue, at)| Some((column(queue)?, at.as_millisecond())));
            self.writer.write(messages::Sweep { sent_before: sent_before.collect() }).await
        })
    }
}

fn read_all(database: &Path) -> Result<Vec<Queue>, Fault> {
    let failed = |error| Fault::new("reading the queues from the database", error);
    let connection = schema::open_for_reading(database).map_err(failed)?;
    let mut select = connection.prepare("SELECT id, name, format, document FROM sqs_queue").map_err(failed)?;
    let mut rows = select.query([]).map_err(failed)?;
    let mut queues = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let (id, name): (i64, String) = (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?);
        let (format, document): (u32, String) = (row.get(2).map_err(failed)?, row.get(3).map_err(failed)?);
        let queue = QueueRow::read(id.unsigned_abs(), &name, format, &document);
        queues.push(
            queue.map_err(|error| Fault::new(format!("reading queue {name} from {}", database.display()), error))?,
        );
    }
    Ok(queues)
}
