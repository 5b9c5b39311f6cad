//! Functions on disk: `FunctionRow`, the port `Records`.
//!
//! The row is a type of its own, so that the disk format changes only on purpose. The ARN is not on disk: a function
//! belongs to whatever partition, region and account the engine is started as. Never here: a rule.

use std::path::Path;
use std::sync::Arc;

use domain::Fault;
use domain::arn::Home;
use domain::error::Refusal;
use domain::function::{
    Configuration, Digest, FileSystem, Function, LastUpdate, LayerUse, LogFormat, LogLevel, Logging, Network, Package,
    State, Tracing,
};
use domain::names::{FunctionName, RevisionId};
use domain::runtime::Runtime;
use domain::variables::Variables;
use engine::ports::{Records, Wait};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::writer::{Change, Row};
use crate::{Store, blocking, schema};

/// The form of [`FunctionRow`]. A change of the type needs the next number here, and a reading of the one before.
/// Format 2 added what has a default here, so that both are read as one.
const FORMAT: u32 = 2;

/// A function as the column `document` has it; name, revision and package have columns of their own.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FunctionRow {
    runtime: String,
    handler: String,
    role: String,
    description: String,
    timeout_seconds: u32,
    memory_mb: u32,
    storage_mb: u32,
    variables: Option<Vec<(String, String)>>,
    log_group: Option<String>,
    #[serde(default)]
    log_format: LogFormatRow,
    #[serde(default)]
    application_log_level: Option<LogLevelRow>,
    #[serde(default)]
    system_log_level: Option<LogLevelRow>,
    #[serde(default)]
    dead_letter: Option<String>,
    #[serde(default)]
    tracing: TracingRow,
    #[serde(default)]
    layers: Vec<LayerRow>,
    #[serde(default)]
    file_systems: Vec<FileSystemRow>,
    network: Option<NetworkRow>,
    zip_bytes: u64,
    tags: Vec<(String, String)>,
    state: StateRow,
    last_update: Option<LastUpdateRow>,
    modified_at: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkRow {
    subnets: Vec<String>,
    security_groups: Vec<String>,
    ipv6: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerRow {
    arn: String,
    package: String,
    zip_bytes: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSystemRow {
    arn: String,
    mount_path: String,
}

/// A type of this file for each enumeration of the domain that is kept, converted both ways.
macro_rules! row_enum {
    ($row:ident, $of:ident { $($name:ident),* $(,)? }) => {
        #[derive(Clone, Copy, Debug, Serialize, Deserialize)]
        enum $row { $($name),* }

        impl From<$row> for $of {
            fn from(row: $row) -> Self {
                match row { $($row::$name => Self::$name),* }
            }
        }

        impl From<$of> for $row {
            fn from(value: $of) -> Self {
                match value { $($of::$name => Self::$name),* }
            }
        }
    };
}

row_enum!(StateRow, State { Pending, Active });
row_enum!(LastUpdateRow, LastUpdate { InProgress, Successful });
row_enum!(LogFormatRow, LogFormat { Text, Json });
row_enum!(LogLevelRow, LogLevel { Trace, Debug, Info, Warn, Error, Fatal });
row_enum!(TracingRow, Tracing { PassThrough, Active });

impl Default for LogFormatRow {
    fn default() -> Self {
        LogFormat::default().into()
    }
}

impl Default for TracingRow {
    fn default() -> Self {
        Tracing::default().into()
    }
}

/// Why a row is no function.
#[derive(Debug, thiserror::Error)]
enum RowError {
    #[error("its format is {0}; this version reads 1 to {FORMAT}")]
    Format(u32),
    #[error("its document is not of format {0}")]
    Document(u32, #[source] serde_json::Error),
    #[error("its {0} is {1:?}")]
    Field(&'static str, String),
    #[error("its {0} is not accepted by this version: {1:?}")]
    Refused(&'static str, Refusal),
}

impl Records for Store {
    fn load(&self) -> Wait<'_, Result<Vec<Function>, Fault>> {
        Box::pin(async move {
            self.writer.check()?;
            let (database, home) = (self.database.clone(), self.home.clone());
            let functions = blocking("reading the functions", move || read_all(&database, &home)).await??;
            self.restore(&functions).await?;
            Ok(functions)
        })
    }

    fn insert(&self, function: Arc<Function>) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move { self.writer.write(Change::Insert(self.row(&function)?)).await })
    }

    fn replace(&self, expected: RevisionId, function: Arc<Function>) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let row = self.row(&function)?;
            self.writer.write(Change::Replace { expected: expected.to_string(), row }).await
        })
    }

    fn remove(&self, name: FunctionName, expected: RevisionId) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let change = Change::Remove { name: name.to_string(), expected: expected.to_string() };
            self.writer.write(change).await
        })
    }
}

impl Store {
    fn row(&self, function: &Function) -> Result<Row, Fault> {
        let doing = || format!("writing function {}", function.arn.name);
        if function.arn != self.home.function_arn(&function.arn.name) {
            return Err(Fault::new(doing(), format!("{} is not of this account and region", function.arn)));
        }
        let document = serde_json::to_string(&FunctionRow::of(function)).map_err(|error| Fault::new(doing(), error))?;
        Ok(Row {
            name: function.arn.name.to_string(),
            revision: function.revision.to_string(),
            package: function.package.digest,
            format: FORMAT,
            document,
        })
    }
}

fn read_all(database: &Path, home: &Home) -> Result<Vec<Function>, Fault> {
    let failed = |error| Fault::new("reading the functions from the database", error);
    let connection = schema::open_for_reading(database).map_err(failed)?;
    let mut select = connection
        .prepare("SELECT name, revision, package, format, document FROM functions ORDER BY name")
        .map_err(failed)?;
    let mut rows = select.query([]).map_err(failed)?;
    let mut functions = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let name: String = row.get(0).map_err(failed)?;
        let column = |index: usize| row.get::<_, String>(index).map_err(failed);
        let (revision, package, document) = (column(1)?, column(2)?, column(4)?);
        let format: u32 = row.get(3).map_err(failed)?;
        let function = read(home, &name, &revision, &package, format, &document)
            .map_err(|error| Fault::new(format!("reading function {name} from {}", database.display()), error))?;
        functions.push(function);
    }
    Ok(functions)
}

fn read(
    home: &Home,
    name: &str,
    revision: &str,
    package: &str,
    format: u32,
    document: &str,
) -> Result<Function, RowError> {
    if !(1..=FORMAT).contains(&format) {
        return Err(RowError::Format(format));
    }
    let field = |field, value: &str| RowError::Field(field, value.to_owned());
    let row: FunctionRow = serde_json::from_str(document).map_err(|error| RowError::Document(format, error))?;
    let name = FunctionName::parse(name).ok_or_else(|| field("name", name))?;
    let revision = Uuid::parse_str(revision).map_err(|_| field("revision", revision))?;
    let digest = Digest::from_hex(package).ok_or_else(|| field("package", package))?;
    let modified_at: Timestamp = row.modified_at.parse().map_err(|_| field("modified_at", &row.modified_at))?;
    let variables = row.variables.map(Variables::new).transpose();
    let layers: Result<Vec<LayerUse>, RowError> = row
        .layers
        .into_iter()
        .map(|LayerRow { arn, package, zip_bytes }| {
            let digest = Digest::from_hex(&package).ok_or_else(|| field("layer", &package))?;
            Ok(LayerUse { arn, package: Package { digest, zip_bytes } })
        })
        .collect();
    Ok(Function {
        arn: home.function_arn(&name),
        configuration: Configuration {
            runtime: Runtime::parse(&row.runtime).map_err(|refusal| RowError::Refused("runtime", refusal))?,
            handler: row.handler,
            role: row.role,
            description: row.description,
            timeout_seconds: row.timeout_seconds,
            memory_mb: row.memory_mb,
            storage_mb: row.storage_mb,
            variables: variables.map_err(|refusal| RowError::Refused("environment", refusal))?,
            logging: Logging {
                format: row.log_format.into(),
                application_level: row.application_log_level.map(Into::into),
                system_level: row.system_log_level.map(Into::into),
                group: row.log_group,
            },
            dead_letter: row.dead_letter,
            tracing: row.tracing.into(),
            layers: layers?,
            file_systems: row
                .file_systems
                .into_iter()
                .map(|FileSystemRow { arn, mount_path }| FileSystem { arn, mount_path })
                .collect(),
            network: row.network.map(|NetworkRow { subnets, security_groups, ipv6 }| Network {
                subnets,
                security_groups,
                ipv6,
            }),
        },
        package: Package { digest, zip_bytes: row.zip_bytes },
        tags: row.tags,
        state: row.state.into(),
        last_update: row.last_update.map(Into::into),
        revision: RevisionId(revision),
        modified_at,
    })
}

impl FunctionRow {
    fn of(function: &Function) -> Self {
        // Taken apart in full, so that a new field cannot be forgotten here.
        let Function { arn: _, configuration, package, tags, state, last_update, revision: _, modified_at } = function;
        let Configuration {
            runtime,
            handler,
            role,
            description,
            timeout_seconds,
            memory_mb,
            storage_mb,
            variables,
            logging: Logging { format, application_level, system_level, group },
            dead_letter,
            tracing,
            layers,
            network,
            file_systems,
        } = configuration;
        Self {
            runtime: runtime.identifier().to_owned(),
            handler: handler.clone(),
            role: role.clone(),
            description: description.clone(),
            timeout_seconds: *timeout_seconds,
            memory_mb: *memory_mb,
            storage_mb: *storage_mb,
            variables: variables.as_ref().map(|variables| variables.pairs().to_vec()),
            log_group: group.clone(),
            log_format: (*format).into(),
            application_log_level: application_level.map(Into::into),
            system_log_level: system_level.map(Into::into),
            dead_letter: dead_letter.clone(),
            tracing: (*tracing).into(),
            layers: layers
                .iter()
                .map(|LayerUse { arn, package: Package { digest, zip_bytes } }| LayerRow {
                    arn: arn.clone(),
                    package: digest.hex(),
                    zip_bytes: *zip_bytes,
                })
                .collect(),
            file_systems: file_systems
                .iter()
                .map(|FileSystem { arn, mount_path }| FileSystemRow {
                    arn: arn.clone(),
                    mount_path: mount_path.clone(),
                })
                .collect(),
            network: network.as_ref().map(|Network { subnets, security_groups, ipv6 }| NetworkRow {
                subnets: subnets.clone(),
                security_groups: security_groups.clone(),
                ipv6: *ipv6,
            }),
            zip_bytes: package.zip_bytes,
            tags: tags.clone(),
            state: (*state).into(),
            last_update: last_update.map(Into::into),
            modified_at: modified_at.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row that the first version wrote. It is not to be edited: users have it on their disks.
    const FIRST: &str = r#"{"runtime":"python3.12","handler":"app.handler","role":"arn:aws:iam::000000000000:role/r",
        "description":"d","timeout_seconds":3,"memory_mb":128,"storage_mb":512,"variables":[["K","V"]],"log_group":null,
        "network":{"subnets":["s"],"security_groups":[],"ipv6":false},"zip_bytes":10,"tags":[["t","v"]],
        "state":"Active","last_update":"Successful","modified_at":"2026-11-22T12:34:56.789Z"}"#;
    const REVISION: &str = "00000000-0000-0000-0000-000000000001";

    fn check(package: &str, format: u32, document: &str) -> Result<Function, String> {
        let home = Home { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() };
        read(&home, "fn", REVISION, package, format, document)
            .map_err(|error| Fault::new("reading function fn", error).chain())
    }

    #[test]
    fn what_the_first_version_wrote_is_read() {
        let digest = "07".repeat(32);
        let function = check(&digest, 1, FIRST).unwrap();
        assert_eq!(function.arn.to_string(), "arn:aws:lambda:us-east-1:000000000000:function:fn");
        assert_eq!(function.modified_at.to_string(), "2026-11-22T12:34:56.789Z");
        assert_eq!(function.package, Package { digest: Digest([7; 32]), zip_bytes: 10 });
        // All that format 1 had is written as it was; what came later has its default.
        let written = serde_json::to_value(FunctionRow::of(&function)).unwrap();
        let first: serde_json::Map<String, serde_json::Value> = serde_json::from_str(FIRST).unwrap();
        for (field, value) in first {
            assert_eq!(written[&field], value, "{field}");
        }
        assert_eq!(function.configuration.logging, Logging::default());
    }

    #[test]
    fn a_row_that_cannot_be_read_says_what_of_it() {
        let digest = "07".repeat(32);
        let refused = |format, document: &str| check(&digest, format, document).unwrap_err();
        assert_eq!(refused(3, FIRST), "reading function fn: its format is 3; this version reads 1 to 2");
        assert!(refused(1, "{").starts_with("reading function fn: its document is not of format 1: EOF"));
        assert!(refused(1, &FIRST.replace("\"tags\"", "\"labels\"")).contains("unknown field `labels`"));
        assert!(refused(1, &FIRST.replace("python3.12", "python2.7")).contains("its runtime is not accepted"));
        assert!(refused(1, &FIRST.replace("2026-11-22", "yesterday")).contains("its modified_at is \"yesterday"));
        assert_eq!(check("zz", 1, FIRST).unwrap_err(), "reading function fn: its package is \"zz\"");
    }
}
