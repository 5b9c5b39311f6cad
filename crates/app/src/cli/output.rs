//! How an answer is printed: the formats of the AWS CLI v2, to the byte (its `formatter.py`).

mod table;
mod text;
mod yaml;

use super::value::Value;

/// A format, by the AWS CLI's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Text,
    Table,
    Yaml,
    YamlStream,
}

impl Format {
    /// The names in the order of the AWS CLI.
    pub(super) const NAMES: [&'static str; 5] = ["json", "text", "table", "yaml", "yaml-stream"];

    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "json" => Self::Json,
            "text" => Self::Text,
            "table" => Self::Table,
            "yaml" => Self::Yaml,
            "yaml-stream" => Self::YamlStream,
            _ => return None,
        })
    }
}

/// How a table may look.
#[derive(Debug, Clone, Copy)]
pub(super) struct TableStyle {
    pub(super) width: usize,
    pub(super) is_coloured: bool,
}

/// The text of an answer. An empty object prints as nothing in every format.
pub(super) fn render(answer: &Value, format: Format, style: TableStyle) -> Result<String, String> {
    let is_empty = matches!(answer, Value::Object(fields) if fields.is_empty());
    Ok(match format {
        _ if is_empty => String::new(),
        Format::Json => answer.to_json_indented() + "\n",
        Format::Text => text::render(answer),
        Format::Table => table::render("Invoke", answer, style)?,
        Format::Yaml => yaml::render(answer),
        Format::YamlStream => yaml::render(&Value::List(vec![answer.clone()])),
    })
}
