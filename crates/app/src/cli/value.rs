//! A JSON value that keeps the order of its keys, and prints itself as Python does: the AWS CLI's output is Python's.

use std::fmt::Write;

/// A JSON value; the keys of an object stand in the order in which they were written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Value {
    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Object(fields) => fields.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// What Python takes for true; a number is false when it is zero.
    pub(super) fn is_true_in_python(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Number(number) => number.as_f64() != Some(0.0),
            Self::Text(text) => !text.is_empty(),
            Self::List(elements) => !elements.is_empty(),
            Self::Object(fields) => !fields.is_empty(),
        }
    }

    pub(super) fn is_scalar(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Object(_))
    }

    /// Python's `str`.
    pub(super) fn to_python_str(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            other => other.to_python_repr(),
        }
    }

    fn to_python_repr(&self) -> String {
        match self {
            Self::Null => "None".to_owned(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => python_repr(text),
            Self::List(elements) => {
                let elements: Vec<_> = elements.iter().map(Self::to_python_repr).collect();
                format!("[{}]", elements.join(", "))
            }
            Self::Object(fields) => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(key, value)| format!("{}: {}", python_repr(key), value.to_python_repr()))
                    .collect();
                format!("{{{}}}", fields.join(", "))
            }
        }
    }

    /// Python's `json.dumps(value, indent=4, ensure_ascii=False)`.
    pub(super) fn to_json_indented(&self) -> String {
        let mut text = String::new();
        self.write_json(&mut text, Some(0));
        text
    }

    /// Python's `json.dumps(value, separators=(',', ':'))`, without its escapes of letters beyond ASCII.
    pub(super) fn to_json_compact(&self) -> String {
        let mut text = String::new();
        self.write_json(&mut text, None);
        text
    }

    fn write_json(&self, out: &mut String, indent: Option<usize>) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::Text(text) => write_json_text(text, out),
            Self::List(elements) => {
                write_json_members(out, ['[', ']'], elements, indent, |element, out, indent| {
                    element.write_json(out, indent);
                });
            }
            Self::Object(fields) => {
                write_json_members(out, ['{', '}'], fields, indent, |(key, value), out, indent| {
                    write_json_text(key, out);
                    out.push_str(if indent.is_some() { ": " } else { ":" });
                    value.write_json(out, indent);
                });
            }
        }
    }
}

fn write_json_members<T>(
    out: &mut String,
    [open, close]: [char; 2],
    members: &[T],
    indent: Option<usize>,
    write: impl Fn(&T, &mut String, Option<usize>),
) {
    out.push(open);
    let inner = indent.map(|indent| indent + 1);
    let line = |out: &mut String, indent: Option<usize>| {
        if let Some(indent) = indent {
            out.push('\n');
            out.push_str(&"    ".repeat(indent));
        }
    };
    for (index, member) in members.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        line(out, inner);
        write(member, out, inner);
    }
    if !members.is_empty() {
        line(out, indent);
    }
    out.push(close);
}

fn write_json_text(text: &str, out: &mut String) {
    // serde_json escapes exactly what Python escapes: quote, backslash and the control characters below 0x20.
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// Python's `repr` of a string, as it stands in its error messages.
pub(super) fn python_repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            letter if letter == quote => out.extend(['\\', letter]),
            letter if letter.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push(quote);
    out
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// serde_json keeps the order as well (its feature `preserve_order`).
impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => Self::Number(number),
            serde_json::Value::String(text) => Self::Text(text),
            serde_json::Value::Array(elements) => Self::List(elements.into_iter().map(Self::from).collect()),
            serde_json::Value::Object(fields) => {
                Self::Object(fields.into_iter().map(|(key, value)| (key, Self::from(value))).collect())
            }
        }
    }
}
