//! What is kept on disk: functions, layers, events and queues in SQLite, packages as files named by their content, logs as
//! segments.
//!
//! Under the data folder: `state.lock`, `state.db` (with `-wal` and `-shm`), `packages/sha256/HEX.zip`,
//! `packages/tmp/` for what is being written, `code/HEX/`, the packages unpacked, and `logs/FUNCTION/NUMBER.log`. A call
//! that returned is on disk, but for logs: neither `kill -9` nor a power cut takes it back. Never here: a rule; what the time is.

mod error;
mod events;
mod folder;
mod functions;
mod holds;
mod layers;
mod logs;
mod mappings;
mod packages;
#[cfg(test)]
mod power_cut;
mod queues;
mod reader;
mod schema;
mod settings;
mod unpack;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::Fault;
use domain::arn::Home;
use rusqlite::Connection;

pub use crate::error::StoreError;
use crate::folder::Folder;
use crate::holds::Holds;
pub use crate::logs::{LogBounds, LogLine, LogPage, LogPlace, Logs};
use crate::packages::Shelf;
use crate::reader::Reader;
use crate::writer::Writer;

/// The engine's state, in one folder that is its own. Implements `Records`, `LayerRecords`, `EventRecords`, `QueueRecords`,
/// `MappingRecords` and `Packages`.
#[derive(Debug)]
pub struct Store {
    // Before the shelf, which holds the folder's lock: the database is closed when the lock goes.
    writer: Writer,
    reader: Reader,
    shelf: Arc<Shelf>,
    database: PathBuf,
    home: Home,
}

impl Store {
    /// Opens the state in a folder, which is made where it is missing; `home` says whose functions these are.
    ///
    /// Blocks for a few milliseconds. Dropping the store waits for the writes that were let in.
    ///
    /// # Errors
    /// The folder is another engine's or not to be trusted, or what lies in it cannot be read; the text says what to do.
    pub fn open(data_dir: &Path, home: Home) -> Result<Self, StoreError> {
        let folder = Folder::claim(data_dir)?;
        let connection = schema::open_for_writing(&folder.path.join("state.db"))?;
        Self::assemble(folder, connection, home)
    }

    fn assemble(folder: Folder, connection: Connection, home: Home) -> Result<Self, StoreError> {
        let database = folder.path.join("state.db");
        let holds = Arc::<Holds>::default();
        let shelf = Shelf::open(folder, holds)?;
        let writer = Writer::start(connection).map_err(StoreError::Thread)?;
        let reader = Reader::new(database.clone());
        Ok(Self { writer, reader, shelf: Arc::new(shelf), database, home })
    }
}

/// Runs what blocks where it may. A panic in it is our failure, not the caller's.
async fn blocking<T: Send + 'static>(doing: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Fault::new(doing, error))
}
