//! `--output yaml`: block style with sorted keys, as ruamel.yaml's safe dumper writes it for the AWS CLI; a bare scalar
//! is printed as JSON.

use std::fmt::Write;

use crate::cli::value::Value;

/// Longer plain text is folded at a blank (ruamel.yaml's `best_width`).
const WIDTH: usize = 80;

pub(super) fn render(value: &Value) -> String {
    if value.is_scalar() {
        return value.to_json_compact() + "\n";
    }
    let mut out = String::new();
    write_block(value, 0, &mut out);
    out
}

/// Writes a collection whose first line is already indented.
fn write_block(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::List(elements) if !elements.is_empty() => {
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    push_indent(indent, out);
                }
                out.push_str("- ");
                write_block(element, indent + 2, out);
            }
        }
        Value::Object(fields) if !fields.is_empty() => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by(|left, right| left.0.cmp(&right.0));
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    push_indent(indent, out);
                }
                write_text(key, indent, out);
                out.push(':');
                match value {
                    // A list in an object stands at the object's own indentation.
                    Value::List(elements) if !elements.is_empty() => {
                        out.push('\n');
                        push_indent(indent, out);
                        write_block(value, indent, out);
                    }
                    Value::Object(fields) if !fields.is_empty() => {
                        out.push('\n');
                        push_indent(indent + 2, out);
                        write_block(value, indent + 2, out);
                    }
                    other => {
                        out.push(' ');
                        write_block(other, indent + 2, out);
                    }
                }
            }
        }
        Value::List(_) => out.push_str("[]\n"),
        Value::Object(_) => out.push_str("{}\n"),
        Value::Text(text) => {
            write_text(text, indent, out);
            out.push('\n');
        }
        scalar => {
            out.push_str(&scalar.to_json_compact());
            out.push('\n');
        }
    }
}

fn push_indent(indent: usize, out: &mut String) {
    out.push_str(&" ".repeat(indent));
}

fn write_text(text: &str, indent: usize, out: &mut String) {
    let is_special = |letter: char| (letter.is_control() && letter != '\n') || letter == '\u{feff}';
    if text.contains(is_special) {
        write_double_quoted(text, out);
    } else if is_plain(text) {
        write_folded(text, indent, out);
    } else {
        out.push('\'');
        let quoted = text.replace('\'', "''");
        // A line break is written as an empty line, the next line indented.
        let broken = format!("\n\n{}", " ".repeat(indent.max(2)));
        for (index, line) in quoted.split('\n').enumerate() {
            if index > 0 {
                out.push_str(&broken);
            }
            write_folded(line, indent, out);
        }
        out.push('\'');
    }
}

fn write_folded(text: &str, indent: usize, out: &mut String) {
    let mut column = out.len() - out.rfind('\n').map_or(0, |position| position + 1);
    let words: Vec<&str> = text.split(' ').collect();
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            let between_words = !word.is_empty() && !words[index - 1].is_empty();
            if column > WIDTH && between_words {
                out.push('\n');
                push_indent(indent.max(2), out);
                column = indent.max(2);
            } else {
                out.push(' ');
                column += 1;
            }
        }
        out.push_str(word);
        column += word.chars().count();
    }
}

fn write_double_quoted(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\u{1b}' => out.push_str("\\e"),
            letter if letter.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(letter));
            }
            '\u{feff}' => out.push_str("\\uFEFF"),
            letter => out.push(letter),
        }
    }
    out.push('"');
}

/// Whether the text needs no quotes: it starts with no indicator, contains none, and would not be read as a number, a
/// date, a boolean or null.
fn is_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else {
        return false;
    };
    let second = text.chars().nth(1);
    let starts_badly = match first {
        '-' | '?' | ':' => second.is_none_or(|letter| letter == ' '),
        _ => "#,[]{}&*!|>'\"%@`".contains(first),
    };
    let is_broken = text.starts_with(' ')
        || text.ends_with([' ', ':'])
        || text.contains(": ")
        || text.contains(" #")
        || text.contains('\n')
        || text.starts_with("---")
        || text.starts_with("...");
    !starts_badly && !is_broken && !reads_as_another_type(text)
}

/// What YAML 1.2 resolves to something other than a string (ruamel.yaml's `resolver.py`).
fn reads_as_another_type(text: &str) -> bool {
    let is_word = matches!(
        text,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" | "null" | "Null" | "NULL" | "~" | "=" | "<<"
    );
    is_word || is_number(text) || is_date(text)
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = unsigned.strip_prefix(prefix) {
            return !digits.is_empty() && digits.chars().all(|letter| letter == '_' || letter.is_digit(radix));
        }
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let is_digits = |part: &str| part.chars().all(|letter| letter.is_ascii_digit() || letter == '_');
    let mantissa_is_good = match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            is_digits(whole) && is_digits(fraction) && (whole.len() + fraction.len()) > 0 && !whole.starts_with('_')
        }
        None => mantissa.starts_with(|letter: char| letter.is_ascii_digit()) && is_digits(mantissa),
    };
    mantissa_is_good && exponent.is_none_or(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 8
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && text.split(['-', 'T', 't', ' ', ':', '.', 'Z', '+']).all(|part| part.bytes().all(|b| b.is_ascii_digit()))
        && text.matches('-').count() >= 2
}
