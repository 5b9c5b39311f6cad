//! Functions on disk: `FunctionRow`, for `$LATEST` and for published versions, and the port `Records`.
//!
//! The row is a type of its own, so that the disk format changes only on purpose. The ARN is not on disk: a function
//! belongs to whatever partition, region and account the engine is started as. Never here: a rule.

pub(crate) mod steps;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use domain::Fault;
use domain::arn::Home;
use domain::error::Refusal;
use domain::function::{
    Code, Configuration, Digest, Failing, FileSystem, Function, LastUpdate, LayerUse, LogFormat, LogLevel, Logging,
    Network, Package, Program, State, Tracing,
};
use domain::image::{Image, ImageConfig, ImageProblem};
use domain::names::{FunctionName, RevisionId, Version, VersionNumber};
use domain::runtime::Runtime;
use domain::settings::Settings;
use domain::variables::Variables;
use engine::ports::{Aliases, Loaded, Record, Records, VersionChange, Wait};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::steps::{FunctionChange, Row, SettingsColumns, VersionWrite};
use crate::{Store, blocking, schema, settings};

/// The form of [`FunctionRow`]. A change of the type needs the next number here, and a reading of the one before.
/// Formats 2 and 3 added what has a default here, so that all are read as one; 3 has container images.
const FORMAT: u32 = 3;

/// A function as the column `document` has it; name, revision and package have columns of their own.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FunctionRow {
    /// With the handler, of a zip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    runtime: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    handler: Option<String>,
    /// Instead of both; then the column `package` has the digest of its manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image: Option<ImageRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failing: Option<FailingRow>,
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
    /// In the first format only.
    #[serde(default, skip_serializing)]
    tags: Vec<(String, String)>,
    state: StateRow,
    last_update: Option<LastUpdateRow>,
    modified_at: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ImageRow {
    uri: String,
    resolved: String,
    entry_point: Vec<String>,
    command: Vec<String>,
    working_directory: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FailingRow {
    problem: ImageProblemRow,
    reason: String,
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

row_enum!(StateRow, State { Pending, Active, Failed });
row_enum!(LastUpdateRow, LastUpdate { InProgress, Successful, Failed });
row_enum!(ImageProblemRow, ImageProblem { Malformed, NotFound, AccessDenied, Unsupported, OtherArchitecture, Broken });
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
pub(crate) enum RowError {
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
    fn load(&self) -> Wait<'_, Result<Vec<Loaded>, Fault>> {
        Box::pin(async move {
            self.writer.check()?;
            let (database, home) = (self.database.clone(), self.home.clone());
            let functions = blocking("reading the functions", move || read_all(&database, &home)).await??;
            let all = functions.iter().flat_map(|(record, versions)| std::iter::once(&*record.latest).chain(versions));
            self.restore(all.collect()).await?;
            Ok(functions)
        })
    }

    fn insert(&self, record: Record, versions: Vec<Arc<Function>>) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let (row, settings) = self.row(&record)?;
            let versions = versions.into_iter().map(VersionChange::Put).collect();
            let versions = self.version_writes(versions)?;
            self.writer.write(FunctionChange::Insert { row, settings, versions }).await
        })
    }

    fn replace(
        &self,
        expected: RevisionId,
        record: Record,
        versions: Vec<VersionChange>,
    ) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let (row, settings) = self.row(&record)?;
            let versions = self.version_writes(versions)?;
            self.writer.write(FunctionChange::Replace { expected: expected.to_string(), row, settings, versions }).await
        })
    }

    fn remove(&self, name: FunctionName, expected: RevisionId) -> Wait<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let change = FunctionChange::Remove { name: name.to_string(), expected: expected.to_string() };
            self.writer.write(change).await
        })
    }
}

impl Store {
    fn row(&self, record: &Record) -> Result<(Row, SettingsColumns), Fault> {
        let row = self.version_row(&record.latest)?;
        let document = settings::write(record)
            .map_err(|error| Fault::new(format!("writing the settings of function {}", row.name), error))?;
        Ok((row, SettingsColumns { format: settings::FORMAT, document }))
    }

    fn version_writes(&self, changes: Vec<VersionChange>) -> Result<Vec<VersionWrite>, Fault> {
        let write = |change| match change {
            VersionChange::Remove(number) => Ok(VersionWrite::Remove(number.get())),
            VersionChange::Put(function) => match function.version {
                Version::Published(number) => Ok(VersionWrite::Put(number.get(), self.version_row(&function)?)),
                Version::Latest => Err(Fault::bare(format!("writing $LATEST of {} as a version", function.arn.name))),
            },
        };
        changes.into_iter().map(write).collect()
    }

    fn version_row(&self, function: &Function) -> Result<Row, Fault> {
        let doing = || format!("writing function {}", function.arn.name);
        if function.arn != self.home.function_arn(&function.arn.name) {
            return Err(Fault::new(doing(), format!("{} is not of this account and region", function.arn)));
        }
        let document = serde_json::to_string(&FunctionRow::of(function)).map_err(|error| Fault::new(doing(), error))?;
        Ok(Row {
            name: function.arn.name.to_string(),
            revision: function.revision.to_string(),
            package: function.code.digest(),
            format: FORMAT,
            document,
        })
    }
}

/// The columns that `functions` and `versions` share, read.
struct Columns {
    name: String,
    revision: String,
    package: String,
    format: u32,
    document: String,
}

impl Columns {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            name: row.get("name")?,
            revision: row.get("revision")?,
            package: row.get("package")?,
            format: row.get("format")?,
            document: row.get("document")?,
        })
    }
}

fn read_all(database: &Path, home: &Home) -> Result<Vec<Loaded>, Fault> {
    let failed = |error| Fault::new("reading the functions from the database", error);
    let broken = |name: &str, error| Fault::new(format!("reading function {name} from {}", database.display()), error);
    let connection = schema::open_for_reading(database).map_err(failed)?;

    let mut select = connection.prepare("SELECT * FROM versions ORDER BY name, version").map_err(failed)?;
    let mut rows = select.query([]).map_err(failed)?;
    let mut versions: HashMap<String, Vec<Function>> = HashMap::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let columns = Columns::read(row).map_err(failed)?;
        let number: i64 = row.get("version").map_err(failed)?;
        let (function, _) = read(home, number, &columns).map_err(|error| broken(&columns.name, error))?;
        versions.entry(columns.name).or_default().push(function);
    }

    let mut select = connection.prepare("SELECT * FROM functions ORDER BY name").map_err(failed)?;
    let mut rows = select.query([]).map_err(failed)?;
    let mut functions = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let columns = Columns::read(row).map_err(failed)?;
        let (format, document): (u32, String) =
            (row.get("settings_format").map_err(failed)?, row.get("settings").map_err(failed)?);
        let broken = |error| broken(&columns.name, error);
        let (latest, tags) = read(home, 0, &columns).map_err(broken)?;
        let (aliases, settings) = match format {
            // Before there was any of this only the tags were kept, with the function.
            0 => (Aliases::new(), Settings { tags, ..Settings::default() }),
            settings::FORMAT => settings::read(&document).map_err(broken)?,
            other => return Err(broken(RowError::Format(other))),
        };
        let record = Record { latest: Arc::new(latest), aliases: Arc::new(aliases), settings: Arc::new(settings) };
        functions.push((record, versions.remove(&columns.name).unwrap_or_default()));
    }
    Ok(functions)
}

/// A version of a function, `$LATEST` by the number 0, and the tags that the first format kept with it.
fn read(home: &Home, number: i64, columns: &Columns) -> Result<(Function, Vec<(String, String)>), RowError> {
    let Columns { name, revision, package, format, document } = columns;
    let format = *format;
    if !(1..=FORMAT).contains(&format) {
        return Err(RowError::Format(format));
    }
    let field = |field, value: &str| RowError::Field(field, value.to_owned());
    let row: FunctionRow = serde_json::from_str(document).map_err(|error| RowError::Document(format, error))?;
    let name = FunctionName::parse(name).ok_or_else(|| field("name", name))?;
    let version = u64::try_from(number).map_err(|_| field("version", &number.to_string()))?;
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
    let (program, code) = match (row.image, row.runtime, row.handler) {
        (Some(ImageRow { uri, resolved, entry_point, command, working_directory }), None, None) => (
            Program::Image(ImageConfig { entry_point, command, working_directory }),
            Code::Image(Image { uri, resolved, digest }),
        ),
        (None, Some(runtime), Some(handler)) => {
            let runtime = Runtime::parse(&runtime).map_err(|refusal| RowError::Refused("runtime", refusal))?;
            let package = Package { digest, zip_bytes: row.zip_bytes };
            (Program::Runtime { runtime, handler }, Code::Package(package))
        }
        (_, runtime, _) => return Err(field("runtime", &runtime.unwrap_or_default())),
    };
    let function = Function {
        arn: home.function_arn(&name),
        version: VersionNumber::new(version).map_or(Version::Latest, Version::Published),
        configuration: Configuration {
            program,
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
        code,
        state: row.state.into(),
        last_update: row.last_update.map(Into::into),
        failing: row.failing.map(|FailingRow { problem, reason }| Failing { problem: problem.into(), reason }),
        revision: RevisionId(revision),
        modified_at,
    };
    Ok((function, row.tags))
}

impl FunctionRow {
    fn of(function: &Function) -> Self {
        // Taken apart in full, so that a new field cannot be forgotten here.
        let Function { arn: _, version: _, configuration, code, state, last_update, failing, revision: _, modified_at } =
            function;
        let Configuration {
            program,
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
        let (runtime, handler) = match program {
            Program::Runtime { runtime, handler } => (Some(runtime.identifier().to_owned()), Some(handler.clone())),
            Program::Image(_) => (None, None),
        };
        let image = code.image().map(|Image { uri, resolved, digest: _ }| {
            let ImageConfig { entry_point, command, working_directory } =
                configuration.image_config().cloned().unwrap_or_default();
            ImageRow { uri: uri.clone(), resolved: resolved.clone(), entry_point, command, working_directory }
        });
        let failing = failing.as_ref();
        Self {
            runtime,
            handler,
            image,
            failing: failing
                .map(|Failing { problem, reason }| FailingRow { problem: (*problem).into(), reason: reason.clone() }),
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
            zip_bytes: code.bytes(),
            tags: Vec::new(),
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
        let (name, revision) = ("fn".into(), REVISION.into());
        let columns = Columns { name, revision, package: package.into(), format, document: document.into() };
        read(&home, 0, &columns)
            .map(|(function, tags)| {
                assert_eq!(tags, [("t".to_owned(), "v".to_owned())]);
                function
            })
            .map_err(|error| Fault::new("reading function fn", error).chain())
    }

    #[test]
    fn what_the_first_version_wrote_is_read() {
        let digest = "07".repeat(32);
        let function = check(&digest, 1, FIRST).unwrap();
        assert_eq!(function.arn.to_string(), "arn:aws:lambda:us-east-1:000000000000:function:fn");
        assert_eq!(function.modified_at.to_string(), "2026-11-22T12:34:56.789Z");
        assert_eq!(function.code, Code::Package(Package { digest: Digest([7; 32]), zip_bytes: 10 }));
        // All that format 1 had is written as it was; what came later has its default.
        let written = serde_json::to_value(FunctionRow::of(&function)).unwrap();
        let first: serde_json::Map<String, serde_json::Value> = serde_json::from_str(FIRST).unwrap();
        for (field, value) in first.into_iter().filter(|(field, _)| field != "tags") {
            assert_eq!(written[&field], value, "{field}");
        }
        assert_eq!(function.configuration.logging, Logging::default());
    }

    #[test]
    fn a_row_that_cannot_be_read_says_what_of_it() {
        let digest = "07".repeat(32);
        let refused = |format, document: &str| check(&digest, format, document).unwrap_err();
        assert_eq!(refused(4, FIRST), "reading function fn: its format is 4; this version reads 1 to 3");
        assert!(refused(1, "{").starts_with("reading function fn: its document is not of format 1: EOF"));
        assert!(refused(1, &FIRST.replace("\"tags\"", "\"labels\"")).contains("unknown field `labels`"));
        assert!(refused(1, &FIRST.replace("python3.12", "python2.7")).contains("its runtime is not accepted"));
        let with_image = r#""image":{"uri":"u","resolved":"r","entry_point":[],"command":[],"working_directory":null}"#;
        let both = refused(3, &FIRST.replacen('{', &format!("{{{with_image},"), 1));
        assert_eq!(both, "reading function fn: its runtime is \"python3.12\"");
        let neither = refused(3, &FIRST.replace(r#""runtime":"python3.12","handler":"app.handler","#, ""));
        assert_eq!(neither, "reading function fn: its runtime is \"\"");
        assert!(refused(1, &FIRST.replace("2026-11-22", "yesterday")).contains("its modified_at is \"yesterday"));
        assert_eq!(check("zz", 1, FIRST).unwrap_err(), "reading function fn: its package is \"zz\"");
    }
}
