//! What is done to functions, as the writer does it.
//!
//! Never here: what a row means; that is [`super::FunctionRow`].

use domain::function::Digest;
use rusqlite::{Connection, params};

use crate::writer::Step;

/// A version of a function as it is written.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) revision: String,
    pub(crate) package: Digest,
    pub(crate) format: u32,
    pub(crate) document: String,
}

/// Aliases and settings of a function as they are written.
#[derive(Debug)]
pub(crate) struct SettingsColumns {
    pub(crate) format: u32,
    pub(crate) document: String,
}

/// What one step does to the published versions of a function.
#[derive(Debug)]
pub(crate) enum VersionWrite {
    Put(u64, Row),
    Remove(u64),
}

/// One serialisable step on functions; its answer is whether its condition held.
#[derive(Debug)]
pub(crate) enum FunctionChange {
    /// Adds a function if there is none of its name.
    Insert { row: Row, settings: SettingsColumns, versions: Vec<VersionWrite> },
    /// Replaces a function if it is at the revision expected.
    Replace { expected: String, row: Row, settings: SettingsColumns, versions: Vec<VersionWrite> },
    /// Removes a function, with its versions, if it is at the revision expected.
    Remove { name: String, expected: String },
}

impl Step for FunctionChange {
    type Answer = bool;

    fn bytes(&self) -> usize {
        match self {
            Self::Insert { row, settings, versions } | Self::Replace { row, settings, versions, .. } => {
                let of = |version: &VersionWrite| match version {
                    VersionWrite::Put(_, row) => row.document.len(),
                    VersionWrite::Remove(_) => 0,
                };
                row.document.len() + settings.document.len() + versions.iter().map(of).sum::<usize>()
            }
            Self::Remove { name, .. } => name.len(),
        }
    }

    fn apply(&self, connection: &Connection) -> rusqlite::Result<bool> {
        match self {
            Self::Insert { row, settings, versions } => {
                let mut insert = connection.prepare_cached(
                    "INSERT INTO functions (name, revision, package, format, document, settings_format, settings)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (name) DO NOTHING",
                )?;
                let Row { name, revision, package, format, document } = row;
                let (package, SettingsColumns { format: settings_format, document: settings }) =
                    (package.hex(), settings);
                let inserted =
                    insert.execute(params![name, revision, package, format, document, settings_format, settings])? == 1;
                if inserted {
                    apply_versions(connection, name, versions)?;
                }
                Ok(inserted)
            }
            Self::Replace { expected, row, settings, versions } => {
                let mut replace = connection.prepare_cached(
                    "UPDATE functions
                 SET revision = ?2, package = ?3, format = ?4, document = ?5, settings_format = ?6, settings = ?7
                 WHERE name = ?1 AND revision = ?8",
                )?;
                let Row { name, revision, package, format, document } = row;
                let (package, SettingsColumns { format: settings_format, document: settings }) =
                    (package.hex(), settings);
                let replaced = replace.execute(params![
                    name,
                    revision,
                    package,
                    format,
                    document,
                    settings_format,
                    settings,
                    expected
                ])? == 1;
                if replaced {
                    apply_versions(connection, name, versions)?;
                }
                Ok(replaced)
            }
            Self::Remove { name, expected } => {
                let mut remove =
                    connection.prepare_cached("DELETE FROM functions WHERE name = ?1 AND revision = ?2")?;
                Ok(remove.execute(params![name, expected])? == 1)
            }
        }
    }
}

fn apply_versions(connection: &Connection, name: &str, versions: &[VersionWrite]) -> rusqlite::Result<()> {
    for version in versions {
        match version {
            VersionWrite::Put(number, row) => {
                let mut put = connection.prepare_cached(
                    "INSERT OR REPLACE INTO versions (name, version, revision, package, format, document)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?;
                let number = number.cast_signed();
                put.execute(params![name, number, row.revision, row.package.hex(), row.format, row.document])?;
            }
            VersionWrite::Remove(number) => {
                let mut remove = connection.prepare_cached("DELETE FROM versions WHERE name = ?1 AND version = ?2")?;
                remove.execute(params![name, number.cast_signed()])?;
            }
        }
    }
    Ok(())
}
