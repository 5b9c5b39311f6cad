//! Connections that read, beside the one that writes. Kept open: setting one up costs more than most reads.
//!
//! Never here: what is read.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use domain::Fault;
use rusqlite::Connection;

use crate::{blocking, schema};

/// Connections that are kept while nobody reads.
const IDLE_MAX: usize = 4;

/// See the module.
#[derive(Debug)]
pub(crate) struct Reader {
    database: PathBuf,
    idle: std::sync::Arc<Mutex<Vec<Connection>>>,
}

impl Reader {
    pub(crate) fn new(database: PathBuf) -> Self {
        Self { database, idle: std::sync::Arc::default() }
    }

    /// Reads on a thread where that may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, Fault> {
        let (database, idle) = (self.database.clone(), self.idle.clone());
        let read = move || {
            let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match kept {
                Some(connection) => connection,
                None => schema::open_for_reading(&database)?,
            };
            let read = work(&connection)?;
            let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < IDLE_MAX {
                idle.push(connection);
            }
            Ok::<T, ReadError>(read)
        };
        blocking(doing, read).await?.map_err(|error| Fault::new(doing, error))
    }
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the database cannot be read")]
    Database(#[from] rusqlite::Error),
    #[error("in the database, {what} is {value:?}, which this version does not read")]
    Field { what: &'static str, value: String },
}

impl ReadError {
    pub(crate) fn field(what: &'static str, value: impl std::fmt::Debug) -> Self {
        Self::Field { what, value: format!("{value:?}") }
    }
}
