//! Layers: their names and versions, who may use a version, and what a function may be made of.
//!
//! Never here: the contents of a layer, and where it is unpacked.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::arn::{Home, is_account};
use crate::error::Refusal;
use crate::function::Package;
use crate::limits;
use crate::names::RevisionId;
use crate::tags::Tags;

/// The bare name of a layer.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerName(Arc<str>);

impl LayerName {
    /// Reads a bare name: letters, digits, `-` and `_`, at most 140 (service model, `LayerNameOrArn`).
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
        let is_name = (1..=limits::LAYER_NAME_CHARS).contains(&text.len()) && text.bytes().all(fits);
        is_name.then(|| Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LayerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for LayerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The ARN of a layer, without a version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LayerArn {
    partition: Arc<str>,
    region: Arc<str>,
    account: Arc<str>,
    /// The bare name.
    pub name: LayerName,
}

impl LayerArn {
    /// The ARN of one version.
    pub fn version(&self, number: u64) -> String {
        format!("{self}:{number}")
    }

    /// Whether it belongs to another account; a partition has accounts of its own.
    pub fn is_of_another_account(&self, home: &Home) -> bool {
        self.account != home.account || self.partition != home.partition
    }

    /// Whether it lies in another region.
    pub fn is_of_another_region(&self, home: &Home) -> bool {
        self.region != home.region
    }
}

impl fmt::Display for LayerArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:{}:lambda:{}:{}:layer:{}", self.partition, self.region, self.account, self.name)
    }
}

impl Home {
    /// The ARN of a layer of this engine.
    pub fn layer_arn(&self, name: &LayerName) -> LayerArn {
        LayerArn {
            partition: self.partition.clone(),
            region: self.region.clone(),
            account: self.account.clone(),
            name: name.clone(),
        }
    }

    /// Reads what the API calls `LayerName`: a name or the ARN of a layer.
    ///
    /// # Errors
    /// It is neither.
    pub fn read_layer(&self, given: &str) -> Result<LayerArn, Refusal> {
        if let Some(name) = LayerName::parse(given) {
            return Ok(self.layer_arn(&name));
        }
        read(given).filter(|(_, version)| version.is_none()).map(|(arn, _)| arn).ok_or(Refusal::LayerVersionUnknown)
    }

    /// Reads the ARN of a layer version.
    ///
    /// # Errors
    /// It is none, or one of AWS's own, which have no account (`arn:aws:lambda:::awslayer:NAME`).
    pub fn read_layer_version(&self, given: &str) -> Result<(LayerArn, u64), Refusal> {
        match read(given) {
            Some((arn, Some(version))) => Ok((arn, version)),
            _ => Err(Refusal::LayerOfAnotherAccount {
                arn: given.to_owned(),
                action: "GetLayerVersion".to_owned(),
                account: self.account.to_string(),
            }),
        }
    }
}

fn read(given: &str) -> Option<(LayerArn, Option<u64>)> {
    let parts: Vec<&str> = given.split(':').collect();
    let (["arn", partition, "lambda", region, account, "layer", name], version) = parts.split_first_chunk::<7>()?
    else {
        return None;
    };
    let version = match version {
        [] => None,
        [version] => Some(version.parse().ok()?),
        _ => return None,
    };
    let name = LayerName::parse(name)?;
    let arn = LayerArn { partition: (*partition).into(), region: (*region).into(), account: (*account).into(), name };
    Some((arn, version))
}

/// A layer: all its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its ARN, with its name.
    pub arn: LayerArn,
    /// The number of the version published last, also where it has been deleted.
    pub last: u64,
    /// The versions there are, by number.
    pub versions: BTreeMap<u64, Arc<LayerVersion>>,
    /// Those of all versions together.
    pub tags: Tags,
}

impl Layer {
    /// A layer without versions.
    pub fn new(arn: LayerArn) -> Self {
        Self { arn, last: 0, versions: BTreeMap::new(), tags: Tags::new() }
    }

    /// The newest version that is for a runtime and a processor, where these are asked for.
    pub fn newest_for(&self, runtime: Option<&str>, architecture: Option<&str>) -> Option<&Arc<LayerVersion>> {
        self.versions.values().rev().find(|version| version.is_for(runtime, architecture))
    }
}

/// One version of a layer; only its policy ever changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerVersion {
    /// Of which layer.
    pub layer: LayerArn,
    /// Counts from 1; a number is never given twice, also not after a deletion.
    pub number: u64,
    /// Its contents.
    pub package: Package,
    /// Free text.
    pub description: String,
    /// A licence's name, its text or where that is.
    pub license: Option<String>,
    /// The runtimes it says it is for, as given; nothing but the filters of listings asks for them.
    pub runtimes: Vec<String>,
    /// The processors it says it is for, as given.
    pub architectures: Vec<String>,
    /// When it was published.
    pub created_at: Timestamp,
    /// Who else may use it; `None` where nobody was ever named.
    pub policy: Option<LayerPolicy>,
}

impl LayerVersion {
    /// Its ARN.
    pub fn arn(&self) -> String {
        self.layer.version(self.number)
    }

    /// Whether it says that it is for a runtime and a processor, where these are asked for.
    pub fn is_for(&self, runtime: Option<&str>, architecture: Option<&str>) -> bool {
        let names = |all: &[String], asked: Option<&str>| asked.is_none_or(|asked| all.iter().any(|one| one == asked));
        names(&self.runtimes, runtime) && names(&self.architectures, architecture)
    }
}

/// The policy of a layer version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerPolicy {
    /// In the order added.
    pub statements: Vec<LayerStatement>,
    /// Changes with the statements.
    pub revision: RevisionId,
}

/// One permission: to use a layer version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerStatement {
    /// Its id, given by the user.
    pub id: String,
    /// An account's id or the ARN of its root, or `*`.
    pub principal: String,
    /// Only accounts of this organization.
    pub organization: Option<String>,
}

impl LayerPolicy {
    /// The policy with one more statement.
    ///
    /// # Errors
    /// The id is taken or the revision another one, judged in this order (LocalStack: `test_layer_policy_exceptions`).
    pub fn with(
        before: Option<&Self>,
        statement: LayerStatement,
        expected: Option<&str>,
        revision: RevisionId,
    ) -> Result<Self, Refusal> {
        let statements = before.map(|policy| policy.statements.as_slice()).unwrap_or_default();
        if statements.iter().any(|other| other.id == statement.id) {
            return Err(Refusal::StatementExists { id: statement.id });
        }
        Self::check(before, expected)?;
        Ok(Self { statements: [statements, &[statement]].concat(), revision })
    }

    /// The policy with one statement less; nothing at all without the last one.
    ///
    /// # Errors
    /// The revision is another one, or there is no such statement.
    pub fn without(
        before: Option<&Self>,
        id: &str,
        expected: Option<&str>,
        revision: RevisionId,
    ) -> Result<Option<Self>, Refusal> {
        Self::check(before, expected)?;
        let all = before.map(|policy| policy.statements.as_slice()).unwrap_or_default();
        let statements: Vec<LayerStatement> = all.iter().filter(|statement| statement.id != id).cloned().collect();
        if statements.len() == all.len() {
            return Err(Refusal::StatementUnknown { id: id.to_owned() });
        }
        Ok((!statements.is_empty()).then_some(Self { statements, revision }))
    }

    /// The policy as GetLayerVersionPolicy gives it out, for the layer version `resource` (recorded:
    /// `test_layer_policy_lifecycle`).
    pub fn document(&self, resource: &str) -> String {
        let statements: Vec<Value> = self.statements.iter().map(|statement| statement.document(resource)).collect();
        json!({"Version": "2012-10-17", "Id": "default", "Statement": statements}).to_string()
    }

    fn check(before: Option<&Self>, expected: Option<&str>) -> Result<(), Refusal> {
        let current = before.map(|policy| policy.revision.to_string());
        match expected {
            Some(expected) if current.as_deref() != Some(expected) => Err(Refusal::LayerRevisionMismatch),
            _ => Ok(()),
        }
    }
}

impl LayerStatement {
    /// The statement as it stands in the policy of the layer version `resource`.
    pub fn document(&self, resource: &str) -> Value {
        // An account's id stands for its root, as in the policy of a function (recorded: test_add_lambda_permission_fields).
        let principal = match self.principal.as_str() {
            "*" => json!("*"),
            account if is_account(account) => {
                let partition = resource.split(':').nth(1).unwrap_or("aws");
                json!({"AWS": format!("arn:{partition}:iam::{account}:root")})
            }
            arn => json!({"AWS": arn}),
        };
        let mut document = json!({
            "Sid": self.id,
            "Effect": "Allow",
            "Principal": principal,
            "Action": "lambda:GetLayerVersion",
            "Resource": resource,
        });
        if let Some(organization) = &self.organization {
            document["Condition"] = json!({"StringEquals": {"aws:PrincipalOrgID": organization}});
        }
        document
    }
}

/// Judges whether a function may have one layer more.
///
/// # Errors
/// It has another version of it already (LocalStack: `test_layer_function_exceptions`).
pub fn check_beside(used: &[(LayerArn, u64)], layer: &LayerArn, number: u64) -> Result<(), Refusal> {
    match used.iter().find(|(other, _)| other == layer) {
        None => Ok(()),
        Some((_, other)) => Err(Refusal::LayerTwice { first: layer.version(*other), second: layer.version(number) }),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn home() -> Home {
        Home { partition: "aws".into(), region: "us-east-1".into(), account: "000000000000".into() }
    }

    const LAYER: &str = "arn:aws:lambda:us-east-1:000000000000:layer:l";

    #[test]
    fn layers_are_named_by_name_and_arn() {
        for given in ["l", LAYER] {
            assert_eq!(home().read_layer(given).unwrap().to_string(), LAYER, "{given}");
        }
        for given in ["", "a b", "arn:aws:lambda:us-east-1:000000000000:layer:l:1", "arn:aws:s3:::layer:l"] {
            assert_eq!(home().read_layer(given), Err(Refusal::LayerVersionUnknown), "{given}");
        }
        let (layer, number) = home().read_layer_version(&format!("{LAYER}:7")).unwrap();
        assert_eq!((layer.version(number), layer.is_of_another_account(&home())), (format!("{LAYER}:7"), false));
        let other = home().read_layer("arn:aws:lambda:eu-west-1:123456789012:layer:l").unwrap();
        assert!(other.is_of_another_account(&home()) && other.is_of_another_region(&home()));
        for given in [LAYER, "arn:aws:lambda:::awslayer:AmazonLinux1703"] {
            assert!(
                matches!(home().read_layer_version(given), Err(Refusal::LayerOfAnotherAccount { .. })),
                "{given} has no version of ours"
            );
        }
    }

    #[test]
    fn a_function_has_one_version_of_a_layer() {
        let layer = |name| home().read_layer(name).unwrap();
        let used = [(layer("a"), 2), (layer("l"), 1)];
        assert_eq!(check_beside(&used, &layer("b"), 1), Ok(()));
        let twice = Refusal::LayerTwice { first: format!("{LAYER}:1"), second: format!("{LAYER}:2") };
        assert_eq!(check_beside(&used, &layer("l"), 2), Err(twice));
    }

    #[test]
    fn a_statement_names_accounts_by_their_roots() {
        let arn = format!("{LAYER}:1");
        let statement = |principal: &str, organization: Option<&str>| LayerStatement {
            id: "s".into(),
            principal: principal.into(),
            organization: organization.map(str::to_owned),
        };
        let document = |statement: LayerStatement| statement.document(&arn).to_string();
        assert_eq!(
            document(statement("*", Some("o-1"))),
            format!(
                r#"{{"Sid":"s","Effect":"Allow","Principal":"*","Action":"lambda:GetLayerVersion","Resource":"{arn}","Condition":{{"StringEquals":{{"aws:PrincipalOrgID":"o-1"}}}}}}"#
            )
        );
        let root = r#""Principal":{"AWS":"arn:aws:iam::123456789012:root"}"#;
        for principal in ["123456789012", "arn:aws:iam::123456789012:root"] {
            assert!(document(statement(principal, None)).contains(root), "{principal}");
        }
    }

    #[test]
    fn a_policy_grows_and_shrinks_under_new_revisions() {
        // LocalStack, whose tests are checked against AWS: test_layer_policy_exceptions, test_layer_policy_lifecycle.
        let revision = |n| RevisionId(Uuid::from_u128(n));
        let statement = |id: &str| LayerStatement { id: id.into(), principal: "*".into(), organization: None };
        let one = LayerPolicy::with(None, statement("s1"), None, revision(1)).unwrap();
        let taken = LayerPolicy::with(Some(&one), statement("s1"), Some("wrong"), revision(2));
        assert_eq!(taken, Err(Refusal::StatementExists { id: "s1".into() }));
        let stale = LayerPolicy::with(Some(&one), statement("s2"), Some("wrong"), revision(2));
        assert_eq!(stale, Err(Refusal::LayerRevisionMismatch));
        let two = LayerPolicy::with(Some(&one), statement("s2"), Some(&revision(1).to_string()), revision(2)).unwrap();
        assert_eq!((two.statements.len(), two.revision), (2, revision(2)));
        let unknown = LayerPolicy::without(Some(&two), "s3", None, revision(3));
        assert_eq!(unknown, Err(Refusal::StatementUnknown { id: "s3".into() }));
        let left = LayerPolicy::without(Some(&two), "s1", Some(&revision(2).to_string()), revision(3)).unwrap();
        assert_eq!(left.as_ref().map(|policy| policy.statements[0].id.as_str()), Some("s2"));
        assert_eq!(LayerPolicy::without(left.as_ref(), "s2", None, revision(4)), Ok(None));
        assert_eq!(
            LayerPolicy::without(None, "s", None, revision(4)),
            Err(Refusal::StatementUnknown { id: "s".into() })
        );
    }
}
