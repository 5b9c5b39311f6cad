//! Why a store cannot be opened. Once it is open, what fails is a [`domain::Fault`].

use std::io;
use std::path::PathBuf;

/// A store that cannot be opened; the text says what to do where there is something to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder, or what lies in it, cannot be made, read or locked.
    #[error("cannot use {}: choose another data folder with --data-dir, or make this one readable and writable", path.display())]
    Folder {
        /// What of it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else has it.
    #[error(
        "another engine{holder} is using the data folder {}: stop it, or give this one a folder of its own with --data-dir",
        path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// ` (process 123)`, or nothing where it left no id.
        holder: String,
    },
    /// A file system on which neither locks nor SQLite's shared memory can be trusted.
    #[error(
        "the data folder {} is on a network file system ({kind}), where a database can be damaged: choose a folder on a local disk with --data-dir",
        path.display()
    )]
    Network {
        /// The folder.
        path: PathBuf,
        /// The file system's name.
        kind: &'static str,
    },
    /// The linked SQLite has the bug that WAL mode cannot be used with.
    #[error("this program was built with SQLite {found}; below 3.51.3 a database in WAL mode can be damaged")]
    OldSqlite {
        /// Its version.
        found: &'static str,
    },
    /// A later engine has been here.
    #[error(
        "{} was written by a newer lambd: use that version, or another folder with --data-dir",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
    },
    /// SQLite refuses WAL mode.
    #[error("{} cannot be used in WAL mode, SQLite offers {mode:?}: choose a folder on a local disk with --data-dir", path.display())]
    NoWal {
        /// The database.
        path: PathBuf,
        /// The journal mode that it would use.
        mode: String,
    },
    /// SQLite cannot open it.
    #[error("could not open the database {}", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// Its tables cannot be brought to today's form.
    #[error("could not bring the tables of {} to this version", path.display())]
    Migration {
        /// The database.
        path: PathBuf,
        /// Why.
        source: rusqlite_migration::Error,
    },
    /// The machine gives us no thread.
    #[error("could not start the thread that writes the database")]
    Thread(#[source] io::Error),
}
