//! The model's constraints against a document, in AWS's one message for all that is wrong:
//! `2 validation errors detected: Value 'x' at 'functionName' failed to satisfy constraint: …; Value …`.
//!
//! What the text is made of, beyond the model: values print as Java prints them; a path has its first letters lower; the
//! items of a list and the entries of a map answer at the list or map itself; sensitive values are not printed; within
//! one member the pattern comes before the lengths (recorded for DynamoDB and Firehose, which share the validator).

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};

use super::request::Rejected;
use crate::generated::errors::ErrorCode;
use crate::model::{Kind, Shape};

/// Refuses a document that breaks a constraint, naming every one that it breaks.
pub(super) fn check(input: &'static Shape, document: &Map<String, Value>) -> Result<(), Rejected> {
    let mut violations = Violations::default();
    structure(document, input, None, &mut violations);
    match violations.count {
        0 => Ok(()),
        count => Err(Rejected {
            code: ErrorCode::Validation,
            message: format!(
                "{count} validation error{} detected: {}",
                if count == 1 { "" } else { "s" },
                violations.texts
            ),
        }),
    }
}

#[derive(Default)]
struct Violations {
    count: usize,
    texts: String,
}

impl Violations {
    fn add(&mut self, value: Option<&Value>, shape: &'static Shape, at: &Path<'_>, constraint: &dyn fmt::Display) {
        if self.count > 0 {
            self.texts.push_str("; ");
        }
        self.count += 1;
        let value = match value {
            _ if hidden(shape) => String::new(),
            None => " null".to_owned(),
            Some(value) => format!(" '{}'", Java(value, shape)),
        };
        // Writing to a String cannot fail.
        let _ = write!(self.texts, "Value{value} at '{at}' failed to satisfy constraint: {constraint}");
    }
}

/// Where in the document: a chain on the stack, printed only when something is wrong.
#[derive(Clone, Copy)]
struct Path<'a> {
    within: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Member(&'static str),
    Item(usize),
    Entry(&'a str),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(within) = self.within {
            write!(f, "{within}.")?;
        }
        match self.step {
            Step::Member(name) => f.write_str(&lower_first(name)),
            Step::Item(number) => write!(f, "{number}.member"),
            Step::Entry(key) => write!(f, "{key}.member"),
        }
    }
}

/// `KMSKeyArn` is printed `kMSKeyArn`: only the first letter.
fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or(String::new(), |first| first.to_ascii_lowercase().to_string() + letters.as_str())
}

fn structure(object: &Map<String, Value>, shape: &'static Shape, within: Option<&Path<'_>>, found: &mut Violations) {
    for member in shape.members() {
        let at = Path { within, step: Step::Member(member.name) };
        match object.get(member.name).filter(|value| !value.is_null()) {
            Some(value) => any(value, member.shape, &at, found),
            None if member.required => found.add(None, member.shape, &at, &NOT_NULL),
            None => (),
        }
    }
}

fn any(value: &Value, shape: &'static Shape, at: &Path<'_>, found: &mut Violations) {
    match (&shape.kind, value) {
        (Kind::Structure(_), Value::Object(object)) => structure(object, shape, Some(at), found),
        (Kind::List(item), Value::Array(items)) => {
            own_constraints(value, shape, &mut |constraint| found.add(Some(value), shape, at, constraint));
            if holds_structures(item) {
                for (number, value) in (1..).zip(items) {
                    let at = Path { within: Some(at), step: Step::Item(number) };
                    part(value, item, &at, found);
                }
            } else if !items.iter().all(|value| holds(value, item)) {
                found.add(Some(value), shape, at, &format_args!("Member must satisfy constraint: [{}]", AllOf(item)));
            }
        }
        (Kind::Map(key, of), Value::Object(object)) => {
            own_constraints(value, shape, &mut |constraint| found.add(Some(value), shape, at, constraint));
            // A key is a text, whatever else it is.
            if !object.keys().all(|name| holds(&Value::String(name.clone()), key)) {
                found.add(Some(value), shape, at, &format_args!("Map keys must satisfy constraint: [{}]", AllOf(key)));
            }
            if holds_structures(of) {
                for (name, value) in object {
                    let at = Path { within: Some(at), step: Step::Entry(name) };
                    part(value, of, &at, found);
                }
            } else if !object.values().all(|value| holds(value, of)) {
                found.add(Some(value), shape, at, &format_args!("Map value must satisfy constraint: [{}]", AllOf(of)));
            }
        }
        _ => own_constraints(value, shape, &mut |constraint| found.add(Some(value), shape, at, constraint)),
    }
}

fn part(value: &Value, shape: &'static Shape, at: &Path<'_>, found: &mut Violations) {
    if value.is_null() {
        found.add(None, shape, at, &NOT_NULL);
    } else {
        any(value, shape, at, found);
    }
}

fn holds_structures(shape: &Shape) -> bool {
    matches!(shape.kind, Kind::Structure(_))
}

/// Whether a part of a list or map keeps every constraint. Null keeps none.
fn holds(value: &Value, shape: &'static Shape) -> bool {
    let mut fine = !value.is_null();
    own_constraints(value, shape, &mut |_| fine = false);
    fine && match (&shape.kind, value) {
        (Kind::List(item), Value::Array(items)) => items.iter().all(|value| holds(value, item)),
        (Kind::Map(key, of), Value::Object(object)) => {
            object.iter().all(|(name, value)| holds(&Value::String(name.clone()), key) && holds(value, of))
        }
        _ => true,
    }
}

/// Calls back for each constraint of the shape itself that the value breaks.
fn own_constraints(value: &Value, shape: &'static Shape, broken: &mut dyn FnMut(&dyn fmt::Display)) {
    let size = match (&shape.kind, value) {
        (Kind::Enum(values), Value::String(text)) => {
            if !values.contains(&text.as_str()) {
                broken(&EnumOf(values));
            }
            return;
        }
        (Kind::String, Value::String(text)) => {
            if let Some(pattern) = shape.pattern.filter(|pattern| !pattern.matches(text)) {
                broken(&MatchOf(pattern.published));
            }
            Size::Length(text.chars().count())
        }
        (Kind::List(_), Value::Array(items)) => Size::Length(items.len()),
        (Kind::Map(..), Value::Object(entries)) => Size::Length(entries.len()),
        (Kind::Integer | Kind::Long | Kind::Double, Value::Number(number)) => {
            Size::Value(number.as_f64().unwrap_or_default())
        }
        _ => return,
    };
    if let Some(max) = shape.max.filter(|max| size.is_above(*max)) {
        broken(&AtMost(shape, max));
    }
    if let Some(min) = shape.min.filter(|min| size.is_below(*min)) {
        broken(&AtLeast(shape, min));
    }
}

enum Size {
    Length(usize),
    Value(f64),
}

#[expect(clippy::cast_precision_loss, reason = "the bounds of the model are far below 2^53")]
impl Size {
    fn is_above(&self, max: i64) -> bool {
        match self {
            Size::Length(length) => i64::try_from(*length).is_ok_and(|length| length > max),
            Size::Value(value) => *value > max as f64,
        }
    }

    fn is_below(&self, min: i64) -> bool {
        match self {
            Size::Length(length) => i64::try_from(*length).is_ok_and(|length| length < min),
            Size::Value(value) => *value < min as f64,
        }
    }
}

const NOT_NULL: &str = "Member must not be null";

struct AtMost<'a>(&'a Shape, i64);

impl fmt::Display for AtMost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Member must have {} less than or equal to {}", measure(self.0), Bound(self.0, self.1))
    }
}

struct AtLeast<'a>(&'a Shape, i64);

impl fmt::Display for AtLeast<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Member must have {} greater than or equal to {}", measure(self.0), Bound(self.0, self.1))
    }
}

fn measure(shape: &Shape) -> &'static str {
    if matches!(shape.kind, Kind::Integer | Kind::Long | Kind::Double) { "value" } else { "length" }
}

/// A bound, as a number of the shape's own sort.
struct Bound<'a>(&'a Shape, i64);

impl fmt::Display for Bound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.1, if matches!(self.0.kind, Kind::Double) { ".0" } else { "" })
    }
}

struct MatchOf(&'static str);

impl fmt::Display for MatchOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Member must satisfy regular expression pattern: {}", self.0)
    }
}

struct EnumOf<'a>(&'a [&'static str]);

impl fmt::Display for EnumOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Member must satisfy enum value set: [{}]", self.0.join(", "))
    }
}

/// All constraints of a part, broken or not, as AWS lists them for the items of a list and the entries of a map. Numbers
/// and enums have "not null" at the end, strings have not: so in every recording.
struct AllOf<'a>(&'a Shape);

impl fmt::Display for AllOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = self.0;
        let mut texts: Vec<String> = Vec::new();
        texts.extend(shape.max.map(|max| AtMost(shape, max).to_string()));
        texts.extend(shape.min.map(|min| AtLeast(shape, min).to_string()));
        texts.extend(shape.pattern.map(|pattern| MatchOf(pattern.published).to_string()));
        match shape.kind {
            Kind::Enum(values) => texts.push(EnumOf(values).to_string()),
            Kind::List(item) => texts.push(format!("Member must satisfy constraint: [{}]", AllOf(item))),
            _ => (),
        }
        if texts.is_empty() || !matches!(shape.kind, Kind::String | Kind::List(_) | Kind::Map(..)) {
            texts.push(NOT_NULL.to_owned());
        }
        f.write_str(&texts.join(", "))
    }
}

/// Whether AWS leaves the value out of its text.
fn hidden(shape: &Shape) -> bool {
    shape.sensitive
        || match shape.kind {
            Kind::List(item) => hidden(item),
            Kind::Map(key, of) => hidden(key) || hidden(of),
            _ => false,
        }
}

/// A value as Java's `toString` prints it.
struct Java<'a>(&'a Value, &'static Shape);

impl fmt::Display for Java<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Java(value, shape) = self;
        match (&shape.kind, value) {
            (_, Value::Null) => f.write_str("null"),
            _ if hidden(shape) => f.write_str("*** Sensitive Data Redacted ***"),
            (Kind::Structure(members), Value::Object(object)) => {
                write!(f, "{}(", shape.name)?;
                for (at, member) in members.iter().enumerate() {
                    let comma = if at > 0 { ", " } else { "" };
                    let value = object.get(member.name).unwrap_or(&Value::Null);
                    write!(f, "{comma}{}={}", lower_first(member.name), Java(value, member.shape))?;
                }
                f.write_str(")")
            }
            (Kind::List(item), Value::Array(items)) => {
                f.write_str("[")?;
                for (at, value) in items.iter().enumerate() {
                    write!(f, "{}{}", if at > 0 { ", " } else { "" }, Java(value, item))?;
                }
                f.write_str("]")
            }
            (Kind::Map(_, of), Value::Object(object)) => {
                f.write_str("{")?;
                for (at, (key, value)) in object.iter().enumerate() {
                    write!(f, "{}{key}={}", if at > 0 { ", " } else { "" }, Java(value, of))?;
                }
                f.write_str("}")
            }
            (Kind::Double, Value::Number(number)) => f.write_str(&java_double(number.as_f64().unwrap_or_default())),
            (_, Value::String(text)) => f.write_str(text),
            (_, other) => write!(f, "{other}"),
        }
    }
}

/// `Double.toString`: always a fraction, and an exponent outside of 10^-3 to 10^7.
fn java_double(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{number:?}");
    }
    let text = format!("{number:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_print_as_java_prints_them() {
        for (number, text) in
            [(2.0, "2.0"), (-1.0, "-1.0"), (0.5, "0.5"), (1e7, "1.0E7"), (1.5e-4, "1.5E-4"), (0.0, "0.0")]
        {
            assert_eq!(java_double(number), text);
        }
    }
}
