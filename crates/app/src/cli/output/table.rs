//! `--output table`: boxes, nested values in boxes inside (the AWS CLI's `table.py` and `formatter.py`).

use std::cmp::Ordering;
use std::fmt::Write;

use super::TableStyle;
use crate::cli::value::Value;

/// Each cell has two blanks on either side.
const PADDING: usize = 4;

pub(super) fn render(title: &str, value: &Value, style: TableStyle) -> Result<String, String> {
    let mut table = Table { sections: Vec::new() };
    if !table.build(Some(title), value, 0)? {
        return Ok(String::new());
    }
    let mut width = table.width();
    if width > style.width {
        table.sections.iter_mut().for_each(Section::stand_upright);
        width = table.width();
    }
    let mut out = "-".repeat(width) + "\n";
    for section in &table.sections {
        section.render(width, style, &mut out);
    }
    Ok(out)
}

struct Table {
    sections: Vec<Section>,
}

impl Table {
    fn width(&self) -> usize {
        self.sections.iter().map(Section::width).max().unwrap_or(0)
    }

    fn section(&mut self) -> &mut Section {
        self.sections.last_mut().expect("a section is opened with each title")
    }

    fn build(&mut self, title: Option<&str>, value: &Value, indent: usize) -> Result<bool, String> {
        if !value.is_true_in_python() {
            return Ok(false);
        }
        if let Some(title) = title {
            self.sections.push(Section { title: title.to_owned(), indent, ..Section::default() });
        }
        match value {
            Value::List(elements) if matches!(elements[0], Value::Object(_)) => {
                self.build_from_objects(elements, indent, title.unwrap_or_default())?;
            }
            Value::List(elements) => {
                for element in elements {
                    match element {
                        Value::List(cells) if cells.iter().all(Value::is_scalar) => {
                            self.section().add_row(cells.iter().map(Value::to_python_str).collect())?;
                        }
                        scalar if scalar.is_scalar() => self.section().add_row(vec![scalar.to_python_str()])?,
                        nested => {
                            self.build(None, nested, 0)?;
                        }
                    }
                }
            }
            Value::Object(fields) => self.build_from_object(value, fields, indent)?,
            _ => {}
        }
        Ok(true)
    }

    fn build_from_object(&mut self, object: &Value, fields: &[(String, Value)], indent: usize) -> Result<(), String> {
        let (headers, more) = group(fields);
        let cell = |key: &str| object.field(key).map_or_else(String::new, Value::to_python_str);
        if let [header] = headers.as_slice() {
            self.section().add_row(vec![(*header).to_owned(), cell(header)])?;
        } else if !headers.is_empty() {
            let row = headers.iter().map(|key| cell(key)).collect();
            self.section().add_header(&headers);
            self.section().add_row(row)?;
        }
        for key in more {
            self.build(Some(key), object.field(key).unwrap_or(&Value::Null), indent + 1)?;
        }
        Ok(())
    }

    fn build_from_objects(&mut self, elements: &[Value], indent: usize, title: &str) -> Result<(), String> {
        let mut headers = Vec::new();
        let mut more = Vec::new();
        for element in elements {
            if let Value::Object(fields) = element {
                let (scalars, others) = group(fields);
                headers.extend(scalars);
                more.extend(others);
            }
        }
        for keys in [&mut headers, &mut more] {
            keys.sort_unstable();
            keys.dedup();
        }
        self.section().add_header(&headers);
        for (index, element) in elements.iter().enumerate() {
            if index > 0 && !more.is_empty() {
                self.sections.push(Section { title: title.to_owned(), indent, ..Section::default() });
                self.section().add_header(&headers);
            }
            let row = headers.iter().map(|key| element.field(key).map_or_else(String::new, Value::to_python_str));
            self.section().add_row(row.collect())?;
            for key in &more {
                if let Some(value) = element.field(key) {
                    self.build(Some(key), value, indent + 1)?;
                }
            }
        }
        Ok(())
    }
}

/// The names of the scalar fields and of the others, each sorted.
fn group(fields: &[(String, Value)]) -> (Vec<&str>, Vec<&str>) {
    let names = |is_wanted: fn(&Value) -> bool| {
        let mut names: Vec<_> =
            fields.iter().filter(|(_, value)| is_wanted(value)).map(|(key, _)| key.as_str()).collect();
        names.sort_unstable();
        names
    };
    (names(Value::is_scalar), names(|value| !value.is_scalar()))
}

#[derive(Default)]
struct Section {
    title: String,
    headers: Vec<String>,
    rows: Vec<Vec<String>>,
    indent: usize,
    columns: Option<usize>,
    widths: Vec<usize>,
}

impl Section {
    fn add_header(&mut self, headers: &[&str]) {
        self.headers = headers.iter().map(|&header| header.to_owned()).collect();
        self.columns.get_or_insert(headers.len());
        let headers = self.headers.clone();
        self.widen(&headers);
    }

    fn add_row(&mut self, row: Vec<String>) -> Result<(), String> {
        let columns = *self.columns.get_or_insert(row.len());
        if row.len() != columns {
            return Err(format!("Row should have {columns} elements, instead it has {}", row.len()));
        }
        self.widen(&row);
        self.rows.push(row);
        Ok(())
    }

    fn widen(&mut self, row: &[String]) {
        if self.widths.is_empty() {
            self.widths = vec![0; row.len()];
        }
        for (width, cell) in self.widths.iter_mut().zip(row) {
            *width = (*width).max(columns_of(cell));
        }
    }

    /// A section of one row whose table is too wide becomes one line per field.
    fn stand_upright(&mut self) {
        if self.rows.len() != 1 || self.headers.is_empty() {
            return;
        }
        let mut upright = Self { title: self.title.clone(), indent: self.indent, ..Self::default() };
        for (header, cell) in self.headers.iter().zip(&self.rows[0]) {
            upright.add_row(vec![header.clone(), cell.clone()]).expect("each row has two cells");
        }
        *self = upright;
    }

    fn width(&self) -> usize {
        let cells: usize = self.widths.iter().map(|width| width + PADDING).sum();
        columns_of(&self.title).max(cells) + 2 + 2 * self.indent
    }

    /// The widths of the columns, stretched so that they fill the table.
    fn scaled_widths(&self, width: usize) -> Vec<usize> {
        let natural: Vec<usize> = self.widths.iter().map(|width| width + PADDING).collect();
        let sum: usize = natural.iter().sum();
        if sum == 0 {
            return natural;
        }
        #[expect(clippy::cast_precision_loss, reason = "widths of a table are small")]
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "widths of a table are small")]
        let mut scaled: Vec<usize> = natural
            .iter()
            .map(|&column| (width as f64 / sum as f64 * column as f64).round_ties_even() as usize)
            .collect();
        loop {
            let total: usize = scaled.iter().sum();
            match total.cmp(&width) {
                Ordering::Greater => {
                    let surplus = total - width;
                    scaled.iter_mut().take(surplus).for_each(|column| *column = column.saturating_sub(1));
                }
                Ordering::Less => {
                    let missing = width - total;
                    scaled.iter_mut().rev().take(missing).for_each(|column| *column += 1);
                }
                Ordering::Equal => return scaled,
            }
        }
    }

    fn render(&self, table_width: usize, style: TableStyle, out: &mut String) {
        let width = table_width - 2 * self.indent;
        let mut lines = Vec::new();
        if !self.title.is_empty() {
            lines.push(centred(&self.title, width, "|"));
            if self.headers.is_empty() && self.rows.is_empty() {
                lines.push(format!("+{}+", "-".repeat(width - 2)));
            }
        }
        let widths = self.scaled_widths(width);
        let ruler = {
            let mut ruler = String::new();
            for (index, width) in widths.iter().enumerate() {
                let edges = if index == 0 { 2 } else { 1 };
                ruler.push_str(if index == 0 { "+" } else { "" });
                ruler.push_str(&"-".repeat(width - edges));
                ruler.push('+');
            }
            ruler
        };
        if !self.headers.is_empty() {
            let header = self.headers.iter().zip(&widths).enumerate();
            let header = header.map(|(index, (cell, &width))| centred(cell, width, if index == 0 { "|" } else { "" }));
            lines.push(ruler.clone());
            lines.push(header.collect());
        }
        if !self.rows.is_empty() && !widths.is_empty() {
            lines.push(ruler.clone());
            for row in &self.rows {
                let row = row.iter().zip(&widths).enumerate();
                lines.push(row.map(|(index, (cell, &width))| aligned_left(cell, width, index == 0, style)).collect());
            }
            lines.push(ruler);
        }
        let edge = if style.is_coloured { "\u{1b}[2m\u{1b}[33m|\u{1b}[0m" } else { "|" }.repeat(self.indent);
        for line in lines {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{edge}{line}{edge}");
        }
    }
}

fn centred(text: &str, width: usize, left_edge: &str) -> String {
    let length = columns_of(text);
    let before = (width / 2).saturating_sub(length / 2 + 1);
    let after = width.saturating_sub(1 + left_edge.len() + before + length);
    format!("{left_edge}{}{text}{}|", " ".repeat(before), " ".repeat(after))
}

fn aligned_left(text: &str, width: usize, is_first: bool, style: TableStyle) -> String {
    let left_edge = if is_first { "|" } else { "" };
    let length = columns_of(text);
    let before = if width > length + 2 + left_edge.len() { 2 } else { 0 };
    let after = width.saturating_sub(left_edge.len() + before + length + 1);
    let (on, off) = if style.is_coloured { ("\u{1b}[1m\u{1b}[34m", "\u{1b}[0m") } else { ("", "") };
    format!("{left_edge}{}{on}{text}{off}{}|", " ".repeat(before), " ".repeat(after))
}

/// How many columns of a terminal the text takes: letters of East Asian width count twice.
fn columns_of(text: &str) -> usize {
    text.chars().map(|letter| if is_wide(letter) { 2 } else { 1 }).sum()
}

fn is_wide(letter: char) -> bool {
    matches!(u32::from(letter),
        0x1100..=0x115f | 0x2e80..=0x303e | 0x3041..=0x33ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xa000..=0xa4cf
        | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f | 0x1f900..=0x1f9ff | 0x20000..=0x3fffd)
}
