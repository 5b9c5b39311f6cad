//! Resource policies: who may be named in them, and the documents that show them.
//!
//! Never here: whether a call is allowed.

use serde_json::{Map, Value, json};

use crate::arn::{Home, is_account};
use crate::error::Refusal;
use crate::limits;
use crate::settings::{Condition, Statement};

/// What AddPermission asks for, each member as given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permission {
    /// `StatementId`
    pub sid: String,
    /// `Action`
    pub action: String,
    /// `Principal`
    pub principal: String,
    /// `SourceArn`
    pub source_arn: Option<String>,
    /// `SourceAccount`
    pub source_account: Option<String>,
    /// `EventSourceToken`
    pub event_source_token: Option<String>,
    /// `PrincipalOrgID`
    pub principal_organization: Option<String>,
    /// `FunctionUrlAuthType`
    pub url_auth_type: Option<&'static str>,
    /// `InvokedViaFunctionUrl`
    pub via_url: Option<bool>,
}

impl Permission {
    /// The statement that it becomes. Operators and keys as AWS writes them (recorded:
    /// `test_add_lambda_permission_fields`; AWS developer guide, access-control-resource-based and urls-auth).
    ///
    /// # Errors
    /// Nobody has such a principal, or a member is given with an action that does not know it.
    pub fn statement(self) -> Result<Statement, Refusal> {
        if Principal::read(&self.principal).is_none() {
            return Err(Refusal::InvalidPrincipal);
        }
        if self.url_auth_type.is_some() && self.action != "lambda:InvokeFunctionUrl" {
            return Err(Refusal::UrlAuthTypeOfOtherAction);
        }
        let condition = |operator: &str, key: &str, value: Option<String>| {
            value.map(|value| Condition { operator: operator.to_owned(), key: key.to_owned(), value })
        };
        let via_url = self.via_url.filter(|via_url| *via_url).map(|_| "true".to_owned());
        let conditions = [
            condition("StringEquals", "AWS:SourceAccount", self.source_account),
            condition("StringEquals", "lambda:EventSourceToken", self.event_source_token),
            condition("StringEquals", "aws:PrincipalOrgID", self.principal_organization),
            condition("StringEquals", "lambda:FunctionUrlAuthType", self.url_auth_type.map(str::to_owned)),
            condition("Bool", "lambda:InvokedViaFunctionUrl", via_url),
            condition("ArnLike", "AWS:SourceArn", self.source_arn),
        ];
        let Self { sid, action, principal, .. } = self;
        Ok(Statement { sid, action, principal, conditions: conditions.into_iter().flatten().collect() })
    }
}

/// Whom a statement names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal<'a> {
    /// `*`
    Everyone,
    /// Twelve digits.
    Account(&'a str),
    /// A user, a role, a session.
    Arn(&'a str),
    /// `s3.amazonaws.com` and the like.
    Service(&'a str),
}

impl<'a> Principal<'a> {
    /// Reads `Principal` as it is given to AddPermission. Which services there are is not known here; what is no domain
    /// of AWS's is none (recorded: `test_permission_exceptions`, `add_permission_principal_invalid`).
    pub fn read(text: &'a str) -> Option<Self> {
        let of_aws = |domain: &str| text.strip_suffix(domain).is_some_and(|service| !service.is_empty());
        match text {
            "*" => Some(Self::Everyone),
            account if is_account(account) => Some(Self::Account(account)),
            arn if arn.starts_with("arn:aws") && arn.split(':').count() >= 6 => Some(Self::Arn(arn)),
            service if [".amazonaws.com", ".amazonaws.com.cn", ".amazon.com"].into_iter().any(of_aws) => {
                Some(Self::Service(service))
            }
            _ => None,
        }
    }

    fn shown(self, home: &Home) -> Value {
        match self {
            Self::Everyone => json!("*"),
            Self::Account(account) => json!({"AWS": format!("arn:{}:iam::{account}:root", home.partition)}),
            Self::Arn(arn) => json!({ "AWS": arn }),
            Self::Service(service) => json!({ "Service": service }),
        }
    }
}

/// A statement as AWS shows it, of the policy of `resource`.
pub fn statement(home: &Home, resource: &str, statement: &Statement) -> String {
    statement_value(home, resource, statement).to_string()
}

/// The policy of `resource` as AWS shows it.
pub fn document(home: &Home, resource: &str, statements: &[Statement]) -> String {
    let statements: Vec<Value> =
        statements.iter().map(|statement| statement_value(home, resource, statement)).collect();
    json!({"Version": "2012-10-17", "Id": "default", "Statement": statements}).to_string()
}

/// Whether a policy has the size that one may have.
///
/// # Errors
/// It is larger.
pub fn check_size(document: &str) -> Result<(), Refusal> {
    let bytes = document.len();
    if bytes > limits::POLICY_BYTES { Err(Refusal::PolicyTooLarge { bytes }) } else { Ok(()) }
}

fn statement_value(home: &Home, resource: &str, statement: &Statement) -> Value {
    let Statement { sid, action, principal, conditions } = statement;
    // Read before it was kept; whatever else it is, it is shown as it is.
    let principal = Principal::read(principal).map_or_else(|| json!(principal), |read| read.shown(home));
    let mut shown = json!({
        "Sid": sid, "Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource,
    });
    let mut operators = Map::new();
    for Condition { operator, key, value } in conditions {
        let keys = operators.entry(operator.clone()).or_insert_with(|| json!({}));
        keys[key.as_str()] = json!(value);
    }
    if !operators.is_empty() {
        shown["Condition"] = Value::Object(operators);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const FN: &str = "arn:aws:lambda:us-east-1:111111111111:function:f";

    fn home() -> Home {
        Home { partition: "aws".into(), region: "us-east-1".into(), account: "111111111111".into() }
    }

    fn permission(principal: &str) -> Permission {
        let (action, principal) = ("lambda:InvokeFunction".to_owned(), principal.to_owned());
        Permission { sid: "s".to_owned(), action, principal, ..Permission::default() }
    }

    fn check(permission: Permission, principal: &str, condition: &str) {
        let action = permission.action.clone();
        let made = permission.statement().unwrap();
        let expected = format!(
            r#"{{"Sid":"s","Effect":"Allow","Principal":{principal},"Action":"{action}","Resource":"{FN}"{condition}}}"#
        );
        assert_eq!(statement(&home(), FN, &made), expected);
    }

    #[test]
    fn principals_are_mapped_as_aws_maps_them() {
        // Recorded: test_add_lambda_permission_fields.
        check(permission("*"), r#""*""#, "");
        check(permission("s3.amazonaws.com"), r#"{"Service":"s3.amazonaws.com"}"#, "");
        check(permission("alexa-appkit.amazon.com"), r#"{"Service":"alexa-appkit.amazon.com"}"#, "");
        check(permission("222222222222"), r#"{"AWS":"arn:aws:iam::222222222222:root"}"#, "");
        check(permission("arn:aws:iam::222222222222:user/u"), r#"{"AWS":"arn:aws:iam::222222222222:user/u"}"#, "");
        // Recorded: test_permission_exceptions.
        for nobody in ["invalid.nonaws.com", "somebody", "12345", ".amazonaws.com", "arn:aws:iam"] {
            assert_eq!(permission(nobody).statement(), Err(Refusal::InvalidPrincipal), "{nobody}");
        }
    }

    #[test]
    fn conditions_stand_under_their_operators() {
        // AWS developer guide, access-control-resource-based.
        let of_bucket = Permission {
            source_arn: Some("arn:aws:s3:::b".to_owned()),
            source_account: Some("111111111111".to_owned()),
            ..permission("s3.amazonaws.com")
        };
        check(
            of_bucket,
            r#"{"Service":"s3.amazonaws.com"}"#,
            r#","Condition":{"StringEquals":{"AWS:SourceAccount":"111111111111"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::b"}}"#,
        );
        // Recorded: test_add_lambda_permission_fields.
        let of_url = Permission {
            action: "lambda:InvokeFunctionUrl".to_owned(),
            principal_organization: Some("o-1234567890".to_owned()),
            url_auth_type: Some("NONE"),
            ..permission("*")
        };
        check(
            of_url,
            r#""*""#,
            r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1234567890","lambda:FunctionUrlAuthType":"NONE"}}"#,
        );
        check(
            Permission { event_source_token: Some("t".to_owned()), ..permission("*") },
            r#""*""#,
            r#","Condition":{"StringEquals":{"lambda:EventSourceToken":"t"}}"#,
        );
        check(
            Permission { via_url: Some(true), ..permission("*") },
            r#""*""#,
            r#","Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}"#,
        );
        check(Permission { via_url: Some(false), ..permission("*") }, r#""*""#, "");
        let wrong = Permission { url_auth_type: Some("NONE"), ..permission("*") };
        assert_eq!(wrong.statement(), Err(Refusal::UrlAuthTypeOfOtherAction));
    }

    #[test]
    fn a_policy_is_its_statements_and_has_a_limit() {
        let one = permission("*").statement().unwrap();
        let shown = statement(&home(), FN, &one);
        let policy = document(&home(), FN, &[one.clone(), one]);
        assert_eq!(policy, format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{shown},{shown}]}}"#));
        assert_eq!(check_size(&" ".repeat(20_480)), Ok(()));
        assert_eq!(check_size(&" ".repeat(20_481)), Err(Refusal::PolicyTooLarge { bytes: 20_481 }));
    }
}
