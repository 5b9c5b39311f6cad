//! `--output text`: values separated by tabs, the fields of an object in the order of their names (the AWS CLI's
//! `text.py`).

use crate::cli::value::Value;

pub(super) fn render(value: &Value) -> String {
    let mut out = String::new();
    write(value, None, None, &mut out);
    out
}

fn write(value: &Value, name: Option<&str>, scalar_keys: Option<&[&str]>, out: &mut String) {
    match value {
        Value::Object(fields) => write_object(value, fields, name, scalar_keys, out),
        Value::List(elements) => write_list(elements, name, out),
        scalar => line(&[scalar.to_python_str()], out),
    }
}

fn write_list(elements: &[Value], name: Option<&str>, out: &mut String) {
    if elements.is_empty() {
        return;
    }
    if elements.iter().any(|element| matches!(element, Value::Object(_))) {
        let mut keys: Vec<&str> = elements
            .iter()
            .filter_map(|element| match element {
                Value::Object(fields) => Some(fields),
                _ => None,
            })
            .flatten()
            .filter(|(_, value)| value.is_scalar())
            .map(|(key, _)| key.as_str())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        for element in elements {
            write(element, name, Some(&keys), out);
        }
    } else if elements.iter().any(|element| matches!(element, Value::List(_))) {
        let (scalars, lists): (Vec<&Value>, Vec<&Value>) = elements.iter().partition(|element| element.is_scalar());
        if !scalars.is_empty() {
            write_scalars(scalars.into_iter(), name, out);
        }
        for list in lists {
            write(list, name, None, out);
        }
    } else {
        write_scalars(elements.iter(), name, out);
    }
}

fn write_scalars<'a>(scalars: impl Iterator<Item = &'a Value>, name: Option<&str>, out: &mut String) {
    match name {
        Some(name) => scalars.for_each(|scalar| line(&[name.to_uppercase(), scalar.to_python_str()], out)),
        None => line(&scalars.map(Value::to_python_str).collect::<Vec<_>>(), out),
    }
}

fn write_object(
    object: &Value,
    fields: &[(String, Value)],
    name: Option<&str>,
    scalar_keys: Option<&[&str]>,
    out: &mut String,
) {
    let mut sorted: Vec<&(String, Value)> = fields.iter().collect();
    sorted.sort_by(|left, right| left.0.cmp(&right.0));
    let mut scalars: Vec<String> = match scalar_keys {
        None => sorted.iter().filter(|(_, value)| value.is_scalar()).map(|(_, value)| value.to_python_str()).collect(),
        Some(keys) => keys.iter().map(|key| object.field(key).map_or_else(String::new, Value::to_python_str)).collect(),
    };
    if !scalars.is_empty() {
        if let Some(name) = name {
            scalars.insert(0, name.to_uppercase());
        }
        line(&scalars, out);
    }
    for (key, value) in sorted {
        let is_printed = match scalar_keys {
            None => value.is_scalar(),
            Some(keys) => keys.contains(&key.as_str()),
        };
        if !is_printed {
            write(value, Some(key), None, out);
        }
    }
}

fn line(cells: &[String], out: &mut String) {
    out.push_str(&cells.join("\t"));
    out.push('\n');
}
