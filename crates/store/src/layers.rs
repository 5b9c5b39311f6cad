//! Layers on disk: `LayerVersionRow`, the port `LayerRecords`.
//!
//! As with functions, the row is a type of its own and the ARN is not on disk. Never here: a rule.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use domain::Fault;
use domain::arn::Home;
use domain::function::{Digest, Package};
use domain::layer::{Layer, LayerName, LayerPolicy, LayerStatement, LayerVersion};
use domain::names::RevisionId;
use domain::tags::Tags;
use engine::ports::{LayerRecords, Wait};
use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::writer::Step;
use crate::{Store, blocking, schema};

/// The form of [`LayerVersionRow`]. A change of the type needs the next number here, and a reading of the one before.
const FORMAT: u32 = 1;

/// A layer version as the column `document` has it; name, number and package have columns of their own.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerVersionRow {
    zip_bytes: u64,
    description: String,
    license: Option<String>,
    runtimes: Vec<String>,
    architectures: Vec<String>,
    created_at: String,
    policy: Option<PolicyRow>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyRow {
    revision: String,
    statements: Vec<StatementRow>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatementRow {
    id: String,
    principal: String,
    organization: Option<String>,
}

/// Why a row is no layer version.
#[derive(Debug, thiserror::Error)]
enum RowError {
    #[error("its format is {0}; this version reads {FORMAT}")]
    Format(u32),
    #[error("its document is not of format {FORMAT}")]
    Document(#[source] serde_json::Error),
    #[error("its {0} is {1:?}")]
    Field(&'static str, String),
}

/// One serialisable step on layers; its answer is whether its condition held.
#[derive(Debug)]
pub(crate) enum LayerChange {
    /// Adds a version if it is the next one of its layer.
    Insert(Row),
    /// Replaces a version if there is one.
    Replace(Row),
    /// Removes a version if there is one.
    Remove { name: String, number: i64 },
    /// Replaces the tags of a layer, as JSON.
    SetTags { name: String, tags: String },
}

/// A layer version as it is written.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    number: i64,
    package: Digest,
    document: String,
}

impl Step for LayerChange {
    type Answer = bool;

    fn bytes(&self) -> usize {
        match self {
            Self::Insert(row) | Self::Replace(row) => row.document.len(),
            Self::Remove { name, .. } => name.len(),
            Self::SetTags { tags, .. } => tags.len(),
        }
    }

    fn apply(&self, connection: &Connection) -> rusqlite::Result<bool> {
        match self {
            Self::Insert(Row { name, number, package, document }) => {
                let mut count = connection.prepare_cached(
                    "INSERT INTO layers (name, last_number) SELECT ?1, ?2
                     WHERE ?2 = coalesce((SELECT last_number FROM layers WHERE name = ?1), 0) + 1
                     ON CONFLICT (name) DO UPDATE SET last_number = excluded.last_number",
                )?;
                if count.execute(params![name, number])? == 0 {
                    return Ok(false);
                }
                let mut insert = connection.prepare_cached(
                    "INSERT INTO layer_versions (name, number, package, format, document) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?;
                Ok(insert.execute(params![name, number, package.hex(), FORMAT, document])? == 1)
            }
            Self::Replace(Row { name, number, package, document }) => {
                let mut replace = connection.prepare_cached(
                    "UPDATE layer_versions SET package = ?3, format = ?4, document = ?5
                     WHERE name = ?1 AND number = ?2",
                )?;
                Ok(replace.execute(params![name, number, package.hex(), FORMAT, document])? == 1)
            }
            Self::Remove { name, number } => {
                let mut remove =
                    connection.prepare_cached("DELETE FROM layer_versions WHERE name = ?1 AND number = ?2")?;
                let was_there = remove.execute(params![name, number])? == 1;
                let mut untag = connection.prepare_cached(
                    "UPDATE layers SET tags = '[]'
                     WHERE name = ?1 AND NOT EXISTS (SELECT 1 FROM layer_versions WHERE name = ?1)",
                )?;
                untag.execute(params![name])?;
                Ok(was_there)
            }
            Self::SetTags { name, tags } => {
                let mut set = connection.prepare_cached("UPDATE layers SET tags = ?2 WHERE name = ?1")?;
                Ok(set.execute(params![name, tags])? == 1)
            }
        }
    }
}

impl LayerRecords for Store {
    fn load_layers(&self) -> Wait<'_, Result<Vec<Layer>, Fault>> {
        Box::pin(async move {
            self.writer.check()?;
            let (database, home) = (self.database.clone(), self.home.clone());
            let layers = blocking("reading the layers", move || read_all(&database, &home)).await??;
            let versions = layers.iter().flat_map(|layer| layer.versions.values());
            let needed = versions.map(|version| (version.package.digest, version.arn())).collect();
            self.restore_packages(needed).await?;
            Ok(layers)
        })
    }

    fn insert_layer_version(&self, version: Arc<LayerVersion>) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move { self.writer.write(LayerChange::Insert(self.layer_row(&version)?)).await })
    }

    fn replace_layer_version(&self, version: Arc<LayerVersion>) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move { self.writer.write(LayerChange::Replace(self.layer_row(&version)?)).await })
    }

    fn remove_layer_version(&self, name: LayerName, number: u64) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            // Numbers beyond what the column holds were never given.
            let Ok(number) = i64::try_from(number) else { return Ok(false) };
            self.writer.write(LayerChange::Remove { name: name.to_string(), number }).await
        })
    }

    fn set_layer_tags(&self, name: LayerName, tags: Tags) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let tags =
                serde_json::to_string(&tags).map_err(|error| Fault::new("writing the tags of a layer", error))?;
            self.writer.write(LayerChange::SetTags { name: name.to_string(), tags }).await
        })
    }
}

impl Store {
    fn layer_row(&self, version: &LayerVersion) -> Result<Row, Fault> {
        let doing = || format!("writing layer version {}", version.arn());
        if version.layer != self.home.layer_arn(&version.layer.name) {
            return Err(Fault::new(doing(), "it is not of this account and region"));
        }
        let number = i64::try_from(version.number).map_err(|error| Fault::new(doing(), error))?;
        let row = LayerVersionRow::of(version);
        let document = serde_json::to_string(&row).map_err(|error| Fault::new(doing(), error))?;
        Ok(Row { name: version.layer.name.to_string(), number, package: version.package.digest, document })
    }
}

fn read_all(database: &Path, home: &Home) -> Result<Vec<Layer>, Fault> {
    let failed = |error| Fault::new("reading the layers from the database", error);
    let connection = schema::open_for_reading(database).map_err(failed)?;
    let mut layers: BTreeMap<String, Layer> = BTreeMap::new();
    let mut select = connection.prepare("SELECT name, last_number, tags FROM layers").map_err(failed)?;
    let mut rows = select.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let (text, last): (String, i64) = (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?);
        let name = LayerName::parse(&text)
            .ok_or_else(|| Fault::bare(format!("a layer in the database is called {text:?}")))?;
        let tags: String = row.get(2).map_err(failed)?;
        let tags = serde_json::from_str(&tags)
            .map_err(|error| Fault::new(format!("reading the tags of layer {text} from the database"), error))?;
        layers.insert(text, Layer { last: last.unsigned_abs(), tags, ..Layer::new(home.layer_arn(&name)) });
    }
    let mut select = connection
        .prepare("SELECT name, number, package, format, document FROM layer_versions ORDER BY name, number")
        .map_err(failed)?;
    let mut rows = select.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let (name, number): (String, i64) = (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?);
        let (package, format): (String, u32) = (row.get(2).map_err(failed)?, row.get(3).map_err(failed)?);
        let document: String = row.get(4).map_err(failed)?;
        let doing = || format!("reading version {number} of layer {name} from {}", database.display());
        let layer = layers.get_mut(&name).ok_or_else(|| Fault::new(doing(), "its layer is not there"))?;
        let version = read(layer, number.unsigned_abs(), &package, format, &document)
            .map_err(|error| Fault::new(doing(), error))?;
        layer.versions.insert(version.number, Arc::new(version));
    }
    Ok(layers.into_values().collect())
}

fn read(layer: &Layer, number: u64, package: &str, format: u32, document: &str) -> Result<LayerVersion, RowError> {
    if format != FORMAT {
        return Err(RowError::Format(format));
    }
    let field = |field, value: &str| RowError::Field(field, value.to_owned());
    let row: LayerVersionRow = serde_json::from_str(document).map_err(RowError::Document)?;
    let digest = Digest::from_hex(package).ok_or_else(|| field("package", package))?;
    let created_at: Timestamp = row.created_at.parse().map_err(|_| field("created_at", &row.created_at))?;
    let policy = match row.policy {
        None => None,
        Some(PolicyRow { revision, statements }) => {
            let revision = Uuid::parse_str(&revision).map_err(|_| field("revision", &revision))?;
            let statement =
                |StatementRow { id, principal, organization }| LayerStatement { id, principal, organization };
            let statements = statements.into_iter().map(statement).collect();
            Some(LayerPolicy { statements, revision: RevisionId(revision) })
        }
    };
    Ok(LayerVersion {
        layer: layer.arn.clone(),
        number,
        package: Package { digest, zip_bytes: row.zip_bytes },
        description: row.description,
        license: row.license,
        runtimes: row.runtimes,
        architectures: row.architectures,
        created_at,
        policy,
    })
}

impl LayerVersionRow {
    fn of(version: &LayerVersion) -> Self {
        // Taken apart in full, so that a new field cannot be forgotten here.
        let LayerVersion {
            layer: _,
            number: _,
            package,
            description,
            license,
            runtimes,
            architectures,
            created_at,
            policy,
        } = version;
        let statement = |LayerStatement { id, principal, organization }: &LayerStatement| StatementRow {
            id: id.clone(),
            principal: principal.clone(),
            organization: organization.clone(),
        };
        Self {
            zip_bytes: package.zip_bytes,
            description: description.clone(),
            license: license.clone(),
            runtimes: runtimes.clone(),
            architectures: architectures.clone(),
            created_at: created_at.to_string(),
            policy: policy.as_ref().map(|LayerPolicy { statements, revision }| PolicyRow {
                revision: revision.to_string(),
                statements: statements.iter().map(statement).collect(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row that the first version wrote. It is not to be edited: users have it on their disks.
    const FIRST: &str = r#"{"zip_bytes":10,"description":"d","license":null,"runtimes":["python3.12"],
        "architectures":["x86_64"],"created_at":"2026-11-22T12:34:56.789Z","policy":{"revision":
        "00000000-0000-0000-0000-000000000001","statements":[{"id":"s","principal":"*","organization":null}]}}"#;

    #[test]
    fn what_the_first_version_wrote_is_read() {
        let home = Home { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() };
        let layer = Layer::new(home.layer_arn(&LayerName::parse("l").unwrap()));
        let digest = "07".repeat(32);
        let version = read(&layer, 3, &digest, 1, FIRST).unwrap();
        assert_eq!(version.arn(), "arn:aws:lambda:us-east-1:000000000000:layer:l:3");
        let written = serde_json::to_value(LayerVersionRow::of(&version)).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(FIRST).unwrap());
        let refused =
            |package, format, document: &str| read(&layer, 3, package, format, document).unwrap_err().to_string();
        assert_eq!(refused(&digest, 2, FIRST), "its format is 2; this version reads 1");
        assert_eq!(refused("zz", 1, FIRST), "its package is \"zz\"");
        assert_eq!(refused(&digest, 1, "{"), "its document is not of format 1");
    }
}
