//! The patterns that event filters are written in: the part of EventBridge's that Lambda takes.
//!
//! AWS developer guide, invocation-eventfiltering, "filter rule syntax"; Amazon EventBridge user guide,
//! eb-create-pattern-operators. Never here: what a message looks like.

use serde_json::{Map, Value};

/// How deep patterns may be nested. AWS publishes no number; this bounds the work of one match.
const DEPTH_MAX: usize = 100;

/// All of its fields have to fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    fields: Vec<(String, Field)>,
    /// Of each of these, one pattern at least: `$or`.
    either: Vec<Vec<Pattern>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Field {
    /// The value has fields that fit.
    Nested(Pattern),
    /// The value, or one of several, is as one of these says.
    OneOf(Vec<Rule>),
}

#[derive(Clone, Debug, PartialEq)]
enum Rule {
    Equals(Value),
    EqualsIgnoringCase(String),
    Prefix(String),
    Suffix(String),
    AnythingBut(Vec<Rule>),
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Pattern {
    /// Reads one; none where it is no pattern.
    pub fn read(text: &str) -> Option<Self> {
        match serde_json::from_str(text).ok()? {
            Value::Object(fields) if !fields.is_empty() => Self::of(&fields, DEPTH_MAX),
            _ => None,
        }
    }

    fn of(given: &Map<String, Value>, depth: usize) -> Option<Self> {
        let depth = depth.checked_sub(1)?;
        let mut pattern = Self { fields: Vec::new(), either: Vec::new() };
        for (name, value) in given {
            match value {
                Value::Array(parts) if name == "$or" => {
                    let part = |part: &Value| Self::of(part.as_object().filter(|fields| !fields.is_empty())?, depth);
                    let parts: Vec<Self> = parts.iter().map(part).collect::<Option<_>>()?;
                    // A single one is no choice (EventBridge refuses it).
                    pattern.either.push(Some(parts).filter(|parts| parts.len() > 1)?);
                }
                Value::Object(fields) if !fields.is_empty() => {
                    pattern.fields.push((name.clone(), Field::Nested(Self::of(fields, depth)?)));
                }
                Value::Array(rules) if !rules.is_empty() => {
                    let rules = rules.iter().map(Rule::of).collect::<Option<_>>()?;
                    pattern.fields.push((name.clone(), Field::OneOf(rules)));
                }
                _ => return None,
            }
        }
        Some(pattern)
    }

    /// Whether a value fits.
    pub fn fits(&self, value: &Value) -> bool {
        match value {
            Value::Object(value) => self.fits_object(value),
            // One of several.
            Value::Array(values) => values.iter().any(|value| self.fits(value)),
            _ => false,
        }
    }

    fn fits_object(&self, value: &Map<String, Value>) -> bool {
        let fits = |(name, field): &(String, Field)| field.fits(value.get(name));
        self.fields.iter().all(fits) && self.either.iter().all(|parts| parts.iter().any(|part| part.fits_object(value)))
    }
}

impl Field {
    fn fits(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Self::Nested(pattern), Some(value)) => pattern.fits(value),
            // Only what asks for absence fits.
            (Self::Nested(pattern), None) => pattern.fits_object(&Map::new()),
            (Self::OneOf(rules), value) => rules.iter().any(|rule| rule.fits(value)),
        }
    }
}

impl Rule {
    fn of(given: &Value) -> Option<Self> {
        let Value::Object(given) = given else {
            return (!given.is_array()).then(|| Self::Equals(given.clone()));
        };
        let (name, value) = given.iter().next().filter(|_| given.len() == 1)?;
        match (name.as_str(), value) {
            ("exists", Value::Bool(exists)) => Some(Self::Exists(*exists)),
            ("numeric", Value::Array(comparisons)) => Self::numeric(comparisons),
            ("anything-but", Value::Array(values)) if !values.is_empty() => {
                let plain =
                    |value: &Value| (value.is_string() || value.is_number()).then(|| Self::Equals(value.clone()));
                values.iter().map(plain).collect::<Option<_>>().map(Self::AnythingBut)
            }
            ("anything-but", Value::String(_) | Value::Number(_)) => {
                Some(Self::AnythingBut(vec![Self::Equals(value.clone())]))
            }
            ("anything-but", Value::Object(inner)) => {
                let (name, value) = inner.iter().next().filter(|_| inner.len() == 1)?;
                match value {
                    Value::Array(values) if !values.is_empty() => {
                        let rule = |value: &Value| Self::of_text(name, value);
                        values.iter().map(rule).collect::<Option<_>>().map(Self::AnythingBut)
                    }
                    value => Some(Self::AnythingBut(vec![Self::of_text(name, value)?])),
                }
            }
            _ => Self::of_text(name, value),
        }
    }

    /// A rule for texts.
    fn of_text(name: &str, value: &Value) -> Option<Self> {
        let text = value.as_str()?.to_owned();
        match name {
            "prefix" => Some(Self::Prefix(text)),
            "suffix" => Some(Self::Suffix(text)),
            "equals-ignore-case" => Some(Self::EqualsIgnoringCase(text)),
            _ => None,
        }
    }

    fn numeric(given: &[Value]) -> Option<Self> {
        let pair = |pair: &[Value]| {
            let [comparison, number] = pair else { return None };
            let comparison = match comparison.as_str()? {
                "=" => Comparison::Equal,
                "<" => Comparison::Less,
                "<=" => Comparison::LessOrEqual,
                ">" => Comparison::Greater,
                ">=" => Comparison::GreaterOrEqual,
                _ => return None,
            };
            Some((comparison, number.as_f64()?))
        };
        let comparisons: Vec<_> = given.chunks(2).map(pair).collect::<Option<_>>()?;
        (1..=2).contains(&comparisons.len()).then_some(Self::Numeric(comparisons))
    }

    fn fits(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            // Only what is at the end of a path exists.
            (Self::Exists(exists), value) => *exists == value.is_some_and(|value| !value.is_object()),
            (_, None) => false,
            (_, Some(Value::Array(values))) => values.iter().any(|value| self.fits_one(value)),
            (_, Some(value)) => self.fits_one(value),
        }
    }

    fn fits_one(&self, value: &Value) -> bool {
        let text = value.as_str();
        match self {
            Self::Equals(expected) => match (expected.as_f64(), value.as_f64()) {
                (Some(expected), Some(number)) => expected.total_cmp(&number).is_eq(),
                _ => expected == value,
            },
            Self::EqualsIgnoringCase(expected) => {
                text.is_some_and(|text| text.to_lowercase() == expected.to_lowercase())
            }
            Self::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix)),
            Self::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix)),
            // Of what has fields none is left to compare with.
            Self::AnythingBut(rules) => {
                !matches!(value, Value::Object(_)) && !rules.iter().any(|rule| rule.fits_one(value))
            }
            Self::Numeric(comparisons) => value.as_f64().is_some_and(|number| {
                comparisons.iter().all(|(comparison, other)| match comparison {
                    Comparison::Equal => number.total_cmp(other).is_eq(),
                    Comparison::Less => number < *other,
                    Comparison::LessOrEqual => number <= *other,
                    Comparison::Greater => number > *other,
                    Comparison::GreaterOrEqual => number >= *other,
                })
            }),
            // Judged before; here there is a value.
            Self::Exists(exists) => *exists,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn check(pattern: &Value, fitting: &[Value], others: &[Value]) {
        let read = Pattern::read(&pattern.to_string()).unwrap_or_else(|| panic!("{pattern} is a pattern"));
        for value in fitting {
            assert!(read.fits(value), "{pattern} should fit {value}");
        }
        for value in others {
            assert!(!read.fits(value), "{pattern} should not fit {value}");
        }
    }

    #[test]
    fn every_rule_of_the_guide() {
        // AWS developer guide, invocation-eventfiltering, "filter rule syntax", row by row.
        check(&json!({"a": [null]}), &[json!({"a": null})], &[json!({"a": ""}), json!({})]);
        check(&json!({"a": [""]}), &[json!({"a": ""})], &[json!({"a": null}), json!({"a": " "})]);
        check(
            &json!({"a": ["Alice"]}),
            &[json!({"a": "Alice", "b": 1})],
            &[json!({"a": "alice"}), json!({"b": "Alice"})],
        );
        check(&json!({"a": [{"equals-ignore-case": "alice"}]}), &[json!({"a": "ALICE"})], &[json!({"a": "Alicia"})]);
        check(
            &json!({"a": ["New York"], "b": ["Monday"]}),
            &[json!({"a": "New York", "b": "Monday"})],
            &[json!({"a": "New York"}), json!({"a": "New York", "b": "Tuesday"})],
        );
        check(
            &json!({"a": ["Credit", "Debit"]}),
            &[json!({"a": "Credit"}), json!({"a": "Debit"})],
            &[json!({"a": "Cash"})],
        );
        check(
            &json!({"$or": [{"a": ["New York"]}, {"b": ["Monday"]}]}),
            &[json!({"a": "New York"}), json!({"b": "Monday", "a": "Rome"})],
            &[json!({"a": "Rome", "b": "Tuesday"}), json!({})],
        );
        check(
            &json!({"a": [{"anything-but": ["Raining"]}]}),
            &[json!({"a": "Sunny"})],
            &[json!({"a": "Raining"}), json!({})],
        );
        check(
            &json!({"a": [{"numeric": ["=", 100]}]}),
            &[json!({"a": 100}), json!({"a": 100.0})],
            &[json!({"a": "100"})],
        );
        check(
            &json!({"a": [{"numeric": [">", 10, "<=", 20]}]}),
            &[json!({"a": 10.5}), json!({"a": 20})],
            &[json!({"a": 10}), json!({"a": 20.1})],
        );
        check(
            &json!({"a": [{"exists": true}]}),
            &[json!({"a": 0}), json!({"a": null})],
            &[json!({}), json!({"a": {}})],
        );
        check(&json!({"a": [{"exists": false}]}), &[json!({}), json!({"b": 1})], &[json!({"a": 1})]);
        check(&json!({"a": [{"prefix": "us-"}]}), &[json!({"a": "us-east-1"})], &[json!({"a": "eu"}), json!({"a": 1})]);
        check(&json!({"a": [{"suffix": ".png"}]}), &[json!({"a": "b.png"})], &[json!({"a": "b.jpg"})]);
    }

    #[test]
    fn rules_combine() {
        // Amazon EventBridge user guide, eb-create-pattern-operators.
        check(
            &json!({"body": {"a": {"b": [1, {"prefix": "x"}]}}}),
            &[json!({"body": {"a": {"b": 1}}}), json!({"body": {"a": {"b": "xy", "c": 1}}})],
            &[json!({"body": {"a": {"b": 2}}}), json!({"body": "x"}), json!({"body": {"a": 1}})],
        );
        check(&json!({"a": [{"anything-but": 1}]}), &[json!({"a": 2}), json!({"a": "1"})], &[json!({"a": 1})]);
        check(&json!({"a": [{"anything-but": {"prefix": "x"}}]}), &[json!({"a": "y"})], &[json!({"a": "xy"})]);
        check(&json!({"a": [{"anything-but": {"suffix": ["x", "y"]}}]}), &[json!({"a": "z"})], &[json!({"a": "zy"})]);
        check(&json!({"a": [true]}), &[json!({"a": true})], &[json!({"a": false}), json!({"a": "true"})]);
        // Values that are several: one of them has to fit.
        check(&json!({"a": ["x"]}), &[json!({"a": ["w", "x"]})], &[json!({"a": ["w"]}), json!({"a": []})]);
        check(
            &json!({"a": {"b": ["x"], "c": ["y"]}}),
            &[json!({"a": [{"b": "x", "c": "y"}]})],
            &[json!({"a": [{"b": "x"}, {"c": "y"}]})],
        );
        check(
            &json!({"a": {"b": [{"exists": false}]}}),
            &[json!({}), json!({"a": {"c": 1}})],
            &[json!({"a": {"b": 1}})],
        );
        check(
            &json!({"a": [1], "$or": [{"b": [2]}, {"c": [3]}]}),
            &[json!({"a": 1, "b": 2}), json!({"a": 1, "c": 3})],
            &[json!({"a": 1}), json!({"b": 2})],
        );
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        // Recorded: test_sqs_invalid_event_filter, of the first four.
        for text in [
            "null",
            "simple string",
            r#"{"eventSource":"aws:sqs"}"#,
            r#"{"eventSource":[]}"#,
            "{}",
            "[]",
            r#"{"a":{}}"#,
            r#"{"a":null}"#,
            r#"{"a":[["x"]]}"#,
            r#"{"a":[{}]}"#,
            r#"{"a":[{"prefix":1}]}"#,
            r#"{"a":[{"prefix":"x","suffix":"y"}]}"#,
            r#"{"a":[{"wildcard":"x*"}]}"#,
            r#"{"a":[{"exists":"true"}]}"#,
            r#"{"a":[{"numeric":[]}]}"#,
            r#"{"a":[{"numeric":[">"]}]}"#,
            r#"{"a":[{"numeric":["!",1]}]}"#,
            r#"{"a":[{"numeric":[">",1,"<",3,"=",2]}]}"#,
            r#"{"a":[{"anything-but":[]}]}"#,
            r#"{"a":[{"anything-but":{"exists":true}}]}"#,
            r#"{"$or":[]}"#,
            r#"{"$or":[{"a":[1]}]}"#,
            r#"{"$or":[{"a":[1]},1]}"#,
        ] {
            assert_eq!(Pattern::read(text), None, "{text}");
        }
        let deep = format!("{}[1]{}", "{\"a\":".repeat(DEPTH_MAX + 1), "}".repeat(DEPTH_MAX + 1));
        assert_eq!(Pattern::read(&deep), None);
    }

    proptest! {
        #[test]
        fn a_value_fits_the_pattern_that_names_it(texts in prop::collection::btree_map("[a-z]{1,3}", "[a-z0-9]{0,4}", 1..4)) {
            let pattern: Map<String, Value> = texts.iter().map(|(name, text)| (name.clone(), json!([text]))).collect();
            let pattern = Pattern::read(&Value::Object(pattern).to_string()).unwrap();
            prop_assert!(pattern.fits(&json!(texts)));
            for name in texts.keys() {
                let mut other = texts.clone();
                other.insert(name.clone(), "OTHER".to_owned());
                prop_assert!(!pattern.fits(&json!(other)));
            }
        }

        #[test]
        fn reading_never_fails_otherwise_than_by_saying_so(text in "\\PC{0,60}") {
            let _ = Pattern::read(&text);
        }
    }
}
