//! The environment of a function's process: what the user set, what Lambda sets, and who wins.
//!
//! Never here: the engine's own environment, of which a function inherits nothing.

use crate::error::Refusal;
use crate::limits;

/// The variables that the user configured, in the order given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables(Vec<(String, String)>);

/// Keys that Lambda does not let anyone set (AWS developer guide, configuration-envvars, "reserved").
const RESERVED: [&str; 17] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

impl Variables {
    /// Takes what the user configured.
    ///
    /// # Errors
    /// A key is reserved, or all together are beyond 4 KB.
    pub fn new(pairs: Vec<(String, String)>) -> Result<Self, Refusal> {
        let keys: Vec<String> =
            pairs.iter().filter(|(key, _)| RESERVED.contains(&key.as_str())).map(|(key, _)| key.clone()).collect();
        if !keys.is_empty() {
            return Err(Refusal::ReservedVariables { keys });
        }
        let variables = Self(pairs);
        let json = variables.as_json();
        if json.len() > limits::VARIABLES_BYTES {
            return Err(Refusal::VariablesTooLarge { json });
        }
        Ok(variables)
    }

    /// The pairs, in the order given.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// These variables laid over `defaults`.
    #[must_use]
    pub fn over(&self, defaults: Vec<(String, String)>) -> Self {
        Self(lay_over(defaults, self, Vec::new()))
    }

    fn as_json(&self) -> String {
        let quoted = |text: &String| serde_json::Value::from(text.as_str()).to_string();
        let members: Vec<String> =
            self.0.iter().map(|(key, value)| format!("{}:{}", quoted(key), quoted(value))).collect();
        format!("{{{}}}", members.join(","))
    }
}

/// Lays the groups of variables over one another, the later the stronger: the platform's defaults, which the user
/// may override (`PATH`, `LANG`, `PYTHONPATH`, …), then the user's, then what the platform keeps for itself
/// (AWS developer guide, configuration-envvars).
pub fn lay_over(
    defaults: Vec<(String, String)>,
    user: &Variables,
    platform: Vec<(String, String)>,
) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::with_capacity(defaults.len() + user.0.len() + platform.len());
    for (key, value) in defaults.into_iter().chain(user.0.iter().cloned()).chain(platform) {
        match all.iter_mut().find(|(known, _)| *known == key) {
            Some(place) => place.1 = value,
            None => all.push((key, value)),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn reserved_keys_are_named_in_the_order_given() {
        // AWS's text lists the keys used in the request (observed, contract of CreateFunction).
        let refused = Variables::new(vec![pair("AWS_REGION", "x"), pair("OK", "x"), pair("_HANDLER", "x")]);
        assert_eq!(refused, Err(Refusal::ReservedVariables { keys: vec!["AWS_REGION".into(), "_HANDLER".into()] }));
    }

    #[test]
    fn four_kilobytes_are_measured_on_the_json() {
        // Recorded: test_large_environment_variables_fails; test_large_environment_fails_multiple_keys keeps the order.
        let room = limits::VARIABLES_BYTES - r#"{"K":""}"#.len();
        assert!(Variables::new(vec![pair("K", &"x".repeat(room))]).is_ok());
        let refused = Variables::new(vec![pair("SMALL_VAR", "ok"), pair("A", &"x".repeat(room))]);
        let Err(Refusal::VariablesTooLarge { json }) = refused else { panic!("{refused:?}") };
        assert!(json.starts_with(r#"{"SMALL_VAR":"ok","A":"xxx"#), "{json}");
    }

    #[test]
    fn the_platform_wins_over_the_user_and_the_user_over_defaults() {
        let user = Variables::new(vec![pair("PATH", "/mine"), pair("MINE", "1")]).unwrap();
        let all = lay_over(vec![pair("PATH", "/usr/bin"), pair("LANG", "C")], &user, vec![pair("AWS_REGION", "r")]);
        assert_eq!(all, [pair("PATH", "/mine"), pair("LANG", "C"), pair("MINE", "1"), pair("AWS_REGION", "r")]);
    }
}
