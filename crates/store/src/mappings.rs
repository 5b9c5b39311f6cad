//! Event source mappings on disk: `MappingRow`, the port `MappingRecords`.
//!
//! As with functions, the row is a type of its own and the ARN of the function is not on disk. Never here: a rule.

use std::path::Path;
use std::sync::Arc;

use domain::Fault;
use domain::arn::{Home, Target};
use domain::mapping::{BatchSize, Filter, Mapping, QueueArn, Settings, State};
use domain::names::{FunctionName, Qualifier};
use engine::ports::{MappingRecords, Wait};
use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::writer::Step;
use crate::{Store, blocking, schema};

/// The form of [`MappingRow`]. A change of the type needs the next number here, and a reading of the one before.
const FORMAT: u32 = 1;

/// A mapping as the column `document` has it; its id has a column of its own.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MappingRow {
    queue: String,
    function: String,
    qualifier: Option<String>,
    batch_size: u32,
    window_seconds: u32,
    filters: Vec<String>,
    reports_failures: bool,
    concurrency_max: Option<u32>,
    tags: Vec<(String, String)>,
    state: String,
    is_enabled: bool,
    modified_at: String,
}

/// Why a row is no mapping.
#[derive(Debug, thiserror::Error)]
enum RowError {
    #[error("its format is {0}; this version reads {FORMAT}")]
    Format(u32),
    #[error("its document is not of format {FORMAT}")]
    Document(#[source] serde_json::Error),
    #[error("its {0} is {1:?}")]
    Field(&'static str, String),
}

/// One serialisable step on mappings; its answer is whether there was one to remove, or was written.
#[derive(Debug)]
enum MappingChange {
    /// Writes one, new or in place of itself.
    Put { id: String, document: String },
    /// Removes one.
    Remove { id: String },
}

impl Step for MappingChange {
    type Answer = bool;

    fn bytes(&self) -> usize {
        match self {
            Self::Put { id, document } => id.len() + document.len(),
            Self::Remove { id } => id.len(),
        }
    }

    fn apply(&self, connection: &Connection) -> rusqlite::Result<bool> {
        match self {
            Self::Put { id, document } => {
                let mut put = connection.prepare_cached(
                    "INSERT INTO event_source_mappings (id, format, document) VALUES (?1, ?2, ?3)
                     ON CONFLICT (id) DO UPDATE SET format = excluded.format, document = excluded.document",
                )?;
                Ok(put.execute(params![id, FORMAT, document])? == 1)
            }
            Self::Remove { id } => {
                let mut remove = connection.prepare_cached("DELETE FROM event_source_mappings WHERE id = ?1")?;
                Ok(remove.execute(params![id])? == 1)
            }
        }
    }
}

impl MappingRecords for Store {
    fn load_mappings(&self) -> Wait<'_, Result<Vec<Mapping>, Fault>> {
        Box::pin(async move {
            self.writer.check()?;
            let (database, home) = (self.database.clone(), self.home.clone());
            blocking("reading the event source mappings", move || read_all(&database, &home)).await?
        })
    }

    fn put_mapping(&self, mapping: Arc<Mapping>) -> Wait<'_, Result<(), Fault>> {
        Box::pin(async move {
            let doing = || format!("writing event source mapping {}", mapping.id);
            if mapping.target.arn != self.home.function_arn(&mapping.target.arn.name) {
                return Err(Fault::new(doing(), "its function is not of this account and region"));
            }
            let document = serde_json::to_string(&MappingRow::of(&mapping));
            let document = document.map_err(|error| Fault::new(doing(), error))?;
            self.writer.write(MappingChange::Put { id: mapping.id.to_string(), document }).await.map(drop)
        })
    }

    fn remove_mapping(&self, id: Uuid) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move { self.writer.write(MappingChange::Remove { id: id.to_string() }).await })
    }
}

fn read_all(database: &Path, home: &Home) -> Result<Vec<Mapping>, Fault> {
    let failed = |error| Fault::new("reading the event source mappings from the database", error);
    let connection = schema::open_for_reading(database).map_err(failed)?;
    let select = "SELECT id, format, document FROM event_source_mappings ORDER BY id";
    let mut select = connection.prepare(select).map_err(failed)?;
    let mut rows = select.query([]).map_err(failed)?;
    let mut mappings = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let id: String = row.get(0).map_err(failed)?;
        let (format, document): (u32, String) = (row.get(1).map_err(failed)?, row.get(2).map_err(failed)?);
        let mapping = read(home, &id, format, &document).map_err(|error| {
            Fault::new(format!("reading event source mapping {id} from {}", database.display()), error)
        })?;
        mappings.push(mapping);
    }
    Ok(mappings)
}

fn read(home: &Home, id: &str, format: u32, document: &str) -> Result<Mapping, RowError> {
    if format != FORMAT {
        return Err(RowError::Format(format));
    }
    let field = |field, value: &str| RowError::Field(field, value.to_owned());
    let row: MappingRow = serde_json::from_str(document).map_err(RowError::Document)?;
    let filter = |text: String| Filter::read(text.clone()).map_err(|_| field("filter", &text));
    let function = FunctionName::parse(&row.function).ok_or_else(|| field("function", &row.function))?;
    Ok(Mapping {
        id: Uuid::parse_str(id).map_err(|_| field("id", id))?,
        queue: QueueArn::read(&row.queue).map_err(|_| field("queue", &row.queue))?,
        target: Target { arn: home.function_arn(&function), qualifier: row.qualifier.as_deref().map(Qualifier::parse) },
        settings: Settings {
            batch_size: BatchSize(row.batch_size),
            window_seconds: row.window_seconds,
            filters: row.filters.into_iter().map(filter).collect::<Result<_, _>>()?,
            reports_failures: row.reports_failures,
            concurrency_max: row.concurrency_max,
        },
        tags: row.tags,
        state: State::ALL
            .into_iter()
            .find(|state| state.as_str() == row.state)
            .ok_or_else(|| field("state", &row.state))?,
        is_enabled: row.is_enabled,
        modified_at: row.modified_at.parse::<Timestamp>().map_err(|_| field("modified_at", &row.modified_at))?,
    })
}

impl MappingRow {
    fn of(mapping: &Mapping) -> Self {
        // Taken apart in full, so that a new field cannot be forgotten here.
        let Mapping { id: _, queue, target, settings, tags, state, is_enabled, modified_at } = mapping;
        let Settings { batch_size, window_seconds, filters, reports_failures, concurrency_max } = settings;
        Self {
            queue: queue.to_string(),
            function: target.arn.name.to_string(),
            qualifier: target.qualifier.as_ref().map(ToString::to_string),
            batch_size: batch_size.0,
            window_seconds: *window_seconds,
            filters: filters.iter().map(|filter| filter.text().to_owned()).collect(),
            reports_failures: *reports_failures,
            concurrency_max: *concurrency_max,
            tags: tags.clone(),
            state: state.as_str().to_owned(),
            is_enabled: *is_enabled,
            modified_at: modified_at.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row that the first version wrote. It is not to be edited: users have it on their disks.
    const FIRST: &str = r#"{"queue":"arn:aws:sqs:us-east-1:000000000000:q","function":"fn","qualifier":"live",
        "batch_size":20,"window_seconds":3,"filters":["{\"body\":[\"a\"]}"],"reports_failures":true,
        "concurrency_max":7,"tags":[["k","v"]],"state":"Disabling","is_enabled":false,
        "modified_at":"2026-11-22T12:34:56.789Z"}"#;

    #[test]
    fn what_the_first_version_wrote_is_read() {
        let home = Home { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() };
        let id = "00000000-0000-0000-0000-000000000007";
        let mapping = read(&home, id, 1, FIRST).unwrap();
        assert_eq!(mapping.target.as_invoked(), "arn:aws:lambda:us-east-1:000000000000:function:fn:live");
        let written = serde_json::to_value(MappingRow::of(&mapping)).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(FIRST).unwrap());
        let refused = |id, format, document: &str| read(&home, id, format, document).unwrap_err().to_string();
        assert_eq!(refused(id, 2, FIRST), "its format is 2; this version reads 1");
        assert_eq!(refused("7", 1, FIRST), "its id is \"7\"");
        assert_eq!(refused(id, 1, "{"), "its document is not of format 1");
        assert_eq!(refused(id, 1, &FIRST.replace("Disabling", "Gone")), "its state is \"Gone\"");
    }
}
