//! Aliases and settings of a function on disk: one document beside `$LATEST`.
//!
//! The rows are types of their own, so that the disk format changes only on purpose. Never here: a rule.

use domain::alias::{Alias, Routing};
use domain::names::{AliasName, Qualifier, RevisionId, Version, VersionNumber};
use domain::settings::{Condition, EventInvokeConfig, Provisioned, RecursiveLoop, Settings, Statement};
use engine::ports::{Aliases, Record};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::functions::RowError;

/// The form of the document. A change of the type needs the next number here, and a reading of the one before.
pub(crate) const FORMAT: u32 = 1;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SettingsRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    last_version: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<AliasRow>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reserved: Option<u32>,
    loops_allowed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policies: Vec<(String, Vec<StatementRow>)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    event_invoke: Vec<(String, EventInvokeRow)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    provisioned: Vec<(String, ProvisionedRow)>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AliasRow {
    name: String,
    /// 0 is `$LATEST`.
    version: u64,
    routing: Option<(u64, f64)>,
    description: String,
    revision: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatementRow {
    sid: String,
    action: String,
    principal: String,
    conditions: Vec<(String, String, String)>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventInvokeRow {
    retries_max: Option<u32>,
    age_seconds_max: Option<u32>,
    on_success: Option<String>,
    on_failure: Option<String>,
    modified_at: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProvisionedRow {
    requested: u32,
    modified_at: String,
}

pub(crate) fn write(record: &Record) -> serde_json::Result<String> {
    // Taken apart in full, so that a new field cannot be forgotten here.
    let Settings { last_version, tags, reserved, recursion, policies, event_invoke, provisioned } = &*record.settings;
    serde_json::to_string(&SettingsRow {
        last_version: last_version.map(VersionNumber::get),
        aliases: record.aliases.values().map(AliasRow::of).collect(),
        tags: tags.clone(),
        reserved: *reserved,
        loops_allowed: *recursion == RecursiveLoop::Allow,
        policies: policies
            .iter()
            .map(|(qualifier, statements)| (qualifier.to_string(), statements.iter().map(StatementRow::of).collect()))
            .collect(),
        event_invoke: event_invoke
            .iter()
            .map(|(qualifier, config)| (qualifier.to_string(), EventInvokeRow::of(config)))
            .collect(),
        provisioned: provisioned
            .iter()
            .map(|(qualifier, Provisioned { requested, modified_at })| {
                (qualifier.to_string(), ProvisionedRow { requested: *requested, modified_at: modified_at.to_string() })
            })
            .collect(),
    })
}

pub(crate) fn read(document: &str) -> Result<(Aliases, Settings), RowError> {
    let row: SettingsRow = serde_json::from_str(document).map_err(|error| RowError::Document(FORMAT, error))?;
    let aliases = row.aliases.into_iter().map(AliasRow::read).collect::<Result<Vec<Alias>, RowError>>()?;
    let settings = Settings {
        last_version: row.last_version.and_then(VersionNumber::new),
        tags: row.tags,
        reserved: row.reserved,
        recursion: if row.loops_allowed { RecursiveLoop::Allow } else { RecursiveLoop::Terminate },
        policies: row
            .policies
            .into_iter()
            .map(|(qualifier, rows)| (Qualifier::parse(&qualifier), rows.into_iter().map(StatementRow::read).collect()))
            .collect(),
        event_invoke: row
            .event_invoke
            .into_iter()
            .map(|(qualifier, row)| Ok((Qualifier::parse(&qualifier), row.read()?)))
            .collect::<Result<_, RowError>>()?,
        provisioned: row
            .provisioned
            .into_iter()
            .map(|(qualifier, ProvisionedRow { requested, modified_at })| {
                let modified_at = timestamp(&modified_at)?;
                Ok((Qualifier::parse(&qualifier), Provisioned { requested, modified_at }))
            })
            .collect::<Result<_, RowError>>()?,
    };
    Ok((aliases.into_iter().map(|alias| (alias.name.clone(), alias)).collect(), settings))
}

fn timestamp(text: &str) -> Result<Timestamp, RowError> {
    text.parse().map_err(|_| RowError::Field("modified_at", text.to_owned()))
}

impl AliasRow {
    fn of(alias: &Alias) -> Self {
        let Alias { name, version, routing, description, revision } = alias;
        Self {
            name: name.to_string(),
            version: match version {
                Version::Latest => 0,
                Version::Published(number) => number.get(),
            },
            routing: routing.map(|Routing { version, weight }| (version.get(), weight)),
            description: description.clone(),
            revision: revision.to_string(),
        }
    }

    fn read(self) -> Result<Alias, RowError> {
        let broken = |what: String| RowError::Field("alias", what);
        let revision = Uuid::parse_str(&self.revision).map_err(|_| broken(self.revision.clone()))?;
        let routing = |(version, weight)| {
            let version = VersionNumber::new(version).ok_or_else(|| broken(format!("{version}")))?;
            Ok(Routing { version, weight })
        };
        Ok(Alias {
            name: AliasName::new(&self.name),
            version: VersionNumber::new(self.version).map_or(Version::Latest, Version::Published),
            routing: self.routing.map(routing).transpose()?,
            description: self.description,
            revision: RevisionId(revision),
        })
    }
}

impl StatementRow {
    fn of(statement: &Statement) -> Self {
        let Statement { sid, action, principal, conditions } = statement;
        let condition = |Condition { operator, key, value }: &Condition| (operator.clone(), key.clone(), value.clone());
        Self {
            sid: sid.clone(),
            action: action.clone(),
            principal: principal.clone(),
            conditions: conditions.iter().map(condition).collect(),
        }
    }

    fn read(self) -> Statement {
        let Self { sid, action, principal, conditions } = self;
        let condition = |(operator, key, value)| Condition { operator, key, value };
        Statement { sid, action, principal, conditions: conditions.into_iter().map(condition).collect() }
    }
}

impl EventInvokeRow {
    fn of(config: &EventInvokeConfig) -> Self {
        let EventInvokeConfig { retries_max, age_seconds_max, on_success, on_failure, modified_at } = config;
        Self {
            retries_max: *retries_max,
            age_seconds_max: *age_seconds_max,
            on_success: on_success.clone(),
            on_failure: on_failure.clone(),
            modified_at: modified_at.to_string(),
        }
    }

    fn read(self) -> Result<EventInvokeConfig, RowError> {
        let Self { retries_max, age_seconds_max, on_success, on_failure, modified_at } = self;
        let modified_at = timestamp(&modified_at)?;
        Ok(EventInvokeConfig { retries_max, age_seconds_max, on_success, on_failure, modified_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A document that the first version wrote. It is not to be edited: users have it on their disks.
    const FIRST: &str = r#"{"last_version":7,"aliases":[{"name":"live","version":6,"routing":[7,0.25],"description":"d",
        "revision":"00000000-0000-0000-0000-000000000001"}],"tags":[["t","v"]],"reserved":3,"loops_allowed":true,
        "policies":[["live",[{"sid":"s","action":"lambda:InvokeFunction","principal":"*",
        "conditions":[["ArnLike","AWS:SourceArn","arn:a"]]}]]],
        "event_invoke":[["$LATEST",{"retries_max":0,"age_seconds_max":60,"on_success":null,"on_failure":"arn:b",
        "modified_at":"2026-11-22T12:34:56.789Z"}]],
        "provisioned":[["7",{"requested":2,"modified_at":"2026-11-22T12:34:56.789Z"}]]}"#;

    #[test]
    fn what_the_first_version_wrote_is_read_and_written_as_it_was() {
        let (aliases, settings) = read(FIRST).unwrap();
        assert_eq!(aliases[&AliasName::new("live")].routing.unwrap().version.get(), 7);
        let latest = std::sync::Arc::new(testkit::contracts::function("fn", 1));
        let record = Record { latest, aliases: aliases.into(), settings: settings.into() };
        let written: serde_json::Value = serde_json::from_str(&write(&record).unwrap()).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(FIRST).unwrap());
    }

    #[test]
    fn a_document_that_cannot_be_read_says_what_of_it() {
        let refused = |document: &str| read(document).unwrap_err().to_string();
        assert_eq!(refused("{"), "its document is not of format 1");
        assert_eq!(refused(&FIRST.replace("2026-11-22", "then")), "its modified_at is \"thenT12:34:56.789Z\"");
        assert!(refused(&FIRST.replace("[7,0.25]", "[0,0.25]")).contains("its alias is"));
    }
}
