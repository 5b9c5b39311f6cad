//! The database: how a connection is set up, and how its tables came to be.
//!
//! To look into it while an engine runs: `sqlite3 -readonly state.db`. Never here: rows.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use domain::function::Digest;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, MigrationDefinitionError, Migrations};

use crate::error::StoreError;
use crate::folder;

/// The first SQLite without the WAL-reset bug, which damages databases that several connections use.
const SQLITE_MIN: i32 = 3_051_003;

/// Statements that the writer keeps prepared: more than there are steps.
const STATEMENTS_KEPT: usize = 128;

/// Grows at the end only: what stands here has run on users' disks.
const STEPS: &[M<'static>] = &[
    M::up(include_str!("migrations/001_functions.sql")),
    M::up(include_str!("migrations/002_versions.sql")),
    M::up(include_str!("migrations/003_layers.sql")),
    M::up(include_str!("migrations/004_events.sql")),
    M::up(include_str!("migrations/005_queues.sql")),
    M::up(include_str!("migrations/006_layer_tags.sql")),
    M::up(include_str!("migrations/007_mappings.sql")),
];
const MIGRATIONS: Migrations<'static> = Migrations::from_slice(STEPS);

/// Opens the one connection that writes, making or migrating the database.
pub(crate) fn open_for_writing(path: &Path) -> Result<Connection, StoreError> {
    if rusqlite::version_number() < SQLITE_MIN {
        return Err(StoreError::OldSqlite { found: rusqlite::version() });
    }
    let is_new = !path.exists();
    // SQLite would make it readable for everybody; its WAL takes over the mode of the database.
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    made.map_err(|source| StoreError::Folder { path: path.to_owned(), source })?;

    let failed = |source| StoreError::Database { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    let mode = set_up(&connection).map_err(failed)?;
    if mode != "wal" {
        return Err(StoreError::NoWal { path: path.to_owned(), mode });
    }
    MIGRATIONS.to_latest(&mut connection).map_err(|source| match source {
        rusqlite_migration::Error::MigrationDefinition(MigrationDefinitionError::DatabaseTooFarAhead) => {
            StoreError::Newer { path: path.to_owned() }
        }
        source => StoreError::Migration { path: path.to_owned(), source },
    })?;
    if is_new && let Some(parent) = path.parent() {
        folder::sync(parent).map_err(|source| StoreError::Folder { path: path.to_owned(), source })?;
    }
    Ok(connection)
}

/// Sets the pragmas and returns the journal mode that came of it.
fn set_up(connection: &Connection) -> rusqlite::Result<String> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    // Only before the first table; later it has no effect.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let mode = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    // NORMAL loses acknowledged writes in a power cut: measured, and never to be used here.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // KiB. Of a long queue only its end and what is due are touched, and the kernel keeps pages as well.
    connection.pragma_update(None, "cache_size", -8_192)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // The writer checkpoints when it has nothing else to do. Nor does closing: after an error nothing may be synced again.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(mode)
}

/// Opens a connection that only reads.
pub(crate) fn open_for_reading(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

/// Whether any version of a function or of a layer is made of this package, or a function has it as one of its layers.
pub(crate) fn is_used(connection: &Connection, package: Digest) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            r#"SELECT EXISTS (SELECT 1 FROM functions WHERE package = ?1)
                OR EXISTS (SELECT 1 FROM versions WHERE package = ?1)
                OR EXISTS (SELECT 1 FROM layer_versions WHERE package = ?1)
                OR EXISTS (SELECT 1 FROM functions WHERE instr(document, '"layers":[{') > 0 AND instr(document, ?1) > 0)
                OR EXISTS (SELECT 1 FROM versions WHERE instr(document, '"layers":[{') > 0 AND instr(document, ?1) > 0)"#,
        )?
        .query_row([package.hex()], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pragma(connection: &Connection, name: &str) -> String {
        let value: rusqlite::types::Value = connection.pragma_query_value(None, name, |row| row.get(0)).unwrap();
        match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => panic!("{name} is {other:?}"),
        }
    }

    #[test]
    fn what_durability_rests_on_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.db");
        drop(open_for_writing(&path).unwrap());
        let writer = open_for_writing(&path).unwrap();
        // Numbers as SQLite's manual gives them: FULL is 2, INCREMENTAL is 2, MEMORY is 2.
        for (name, value) in [
            ("journal_mode", "wal"),
            ("synchronous", "2"),
            ("auto_vacuum", "2"),
            ("busy_timeout", "5000"),
            ("foreign_keys", "1"),
            ("temp_store", "2"),
            ("cache_size", "-8192"),
            ("wal_autocheckpoint", "0"),
            ("integrity_check", "ok"),
        ] {
            assert_eq!(pragma(&writer, name), value, "{name}");
        }
        assert!(writer.db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE).unwrap());

        let reader = open_for_reading(&path).unwrap();
        assert_eq!(pragma(&reader, "wal_autocheckpoint"), "0");
        assert!(reader.execute_batch("DELETE FROM functions").is_err(), "a reader could write");
    }

    #[test]
    fn the_migrations_are_valid() {
        MIGRATIONS.validate().unwrap();
    }

    #[test]
    fn the_database_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.db");
        let writer = open_for_writing(&path).unwrap();
        writer.execute_batch("INSERT INTO functions VALUES ('f', 'r', 'p', 1, '{}', 1, '{}')").unwrap();
        for name in ["state.db", "state.db-wal", "state.db-shm"] {
            let mode = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
}
