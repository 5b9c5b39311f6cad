//! Gathers the members of a request from path, query, headers and body into one JSON document, in which every value has
//! the sort of value that the model wants. Texts of refusal are those of AWS's own deserialiser where they are known.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::percent;
use super::request::{Parts, Rejected};
use crate::generated::errors::ErrorCode;
use crate::model::{Kind, Location, Shape};

/// The document of a request: member name to value. Members that the model does not know are left out, as AWS does.
pub(super) fn document(input: &'static Shape, parts: &Parts<'_>) -> Result<Map<String, Value>, Rejected> {
    let members = input.members();
    let query = query_items(parts.query);
    let mut body =
        if members.iter().any(|member| member.location == Location::Body) { object(parts.body)? } else { Map::new() };
    let mut document = Map::new();
    for member in members {
        let value = match member.location {
            Location::Body => body.remove(member.name),
            Location::Path(name) => parts.labels.get(name).map(|text| read_text(text, member.shape)).transpose()?,
            Location::Query(name) => from_query(&query, name, member.shape)?,
            Location::Header(name) => {
                // They are few: to look through them costs a fifth of looking a name up.
                let found = parts.headers.iter().find(|(key, _)| key.as_str().eq_ignore_ascii_case(name));
                let value = found.map(|(_, value)| String::from_utf8_lossy(value.as_bytes()));
                value.map(|text| read_text(&text, member.shape)).transpose()?
            }
            // Raw bytes are handed on beside the document.
            Location::Payload if matches!(member.shape.kind, Kind::Blob) => None,
            Location::Payload => (!parts.body.is_empty()).then(|| json(parts.body)).transpose()?,
        };
        if let Some(value) = value.filter(|value| !value.is_null()) {
            conform(&value, member.shape)?;
            document.insert(member.name.to_owned(), value);
        }
    }
    Ok(document)
}

type QueryItems<'q> = Vec<(Cow<'q, str>, Cow<'q, str>)>;

fn query_items(query: Option<&str>) -> QueryItems<'_> {
    let items = query.unwrap_or("").split('&').filter(|item| !item.is_empty());
    items
        .map(|item| {
            let (key, value) = item.split_once('=').unwrap_or((item, ""));
            (percent::query_item(key), percent::query_item(value))
        })
        .collect()
}

/// A list is sent as its name once for each item; of any other member the first counts.
fn from_query(query: &QueryItems<'_>, name: &str, shape: &'static Shape) -> Result<Option<Value>, Rejected> {
    let mut values = query.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
    if let Kind::List(item) = shape.kind {
        let items: Vec<Value> = values.map(|value| read_text(value, item)).collect::<Result<_, _>>()?;
        return Ok((!items.is_empty()).then_some(Value::Array(items)));
    }
    values.next().map(|value| read_text(value, shape)).transpose()
}

/// What travels as text outside of a body, as the value that it stands for.
fn read_text(text: &str, shape: &'static Shape) -> Result<Value, Rejected> {
    let refuse = || cannot("STRING_VALUE", shape);
    Ok(match shape.kind {
        Kind::Integer | Kind::Long => Value::from(text.parse::<i64>().map_err(|_| refuse())?),
        Kind::Double => Value::from(text.parse::<f64>().map_err(|_| refuse())?),
        Kind::Boolean => match text {
            _ if text.eq_ignore_ascii_case("true") => Value::Bool(true),
            _ if text.eq_ignore_ascii_case("false") => Value::Bool(false),
            _ => return Err(refuse()),
        },
        Kind::Timestamp => {
            let moment: jiff::Timestamp = text.parse().map_err(|_| refuse())?;
            serde_json::to_value(crate::model::EpochSeconds(moment)).map_err(|_| refuse())?
        }
        Kind::String | Kind::Enum(_) | Kind::Blob => Value::String(text.to_owned()),
        Kind::Structure(_) | Kind::List(_) | Kind::Map(..) => return Err(refuse()),
    })
}

fn json(body: &[u8]) -> Result<Value, Rejected> {
    serde_json::from_slice(body).map_err(|error| refused(format!("Could not parse request body into json: {error}")))
}

/// The body as a JSON object; no body is an empty one.
fn object(body: &[u8]) -> Result<Map<String, Value>, Rejected> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    match json(body)? {
        Value::Object(object) => Ok(object),
        Value::Null => Ok(Map::new()),
        Value::Array(_) => Err(refused(START_OF_LIST)),
        _ => Err(refused(EXPECTED_MAP)),
    }
}

const START_OF_LIST: &str = "Start of list found where not expected";
const START_OF_MAP: &str = "Start of structure or map found where not expected.";
const EXPECTED_LIST: &str = "Expected list or null";
const EXPECTED_MAP: &str = "Expected structure or map or null";

/// Whether the value is of the sort that the shape wants, all the way down. Null is nothing, and judged later.
fn conform(value: &Value, shape: &'static Shape) -> Result<(), Rejected> {
    match (&shape.kind, value) {
        (_, Value::Null)
        | (Kind::String | Kind::Enum(_) | Kind::Blob, Value::String(_))
        | (Kind::Boolean, Value::Bool(_))
        | (Kind::Double | Kind::Timestamp, Value::Number(_)) => Ok(()),
        (Kind::Integer, Value::Number(number)) if number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => Ok(()),
        (Kind::Long, Value::Number(number)) if number.is_i64() => Ok(()),
        (Kind::Structure(members), Value::Object(object)) => members
            .iter()
            .filter_map(|member| object.get(member.name).map(|value| (value, member.shape)))
            .try_for_each(|(value, shape)| conform(value, shape)),
        (Kind::List(item), Value::Array(items)) => items.iter().try_for_each(|value| conform(value, item)),
        (Kind::Map(_, of), Value::Object(object)) => object.values().try_for_each(|value| conform(value, of)),
        (_, Value::Object(_)) => Err(refused(START_OF_MAP)),
        (_, Value::Array(_)) => Err(refused(START_OF_LIST)),
        (Kind::List(_), _) => Err(refused(EXPECTED_LIST)),
        (Kind::Structure(_) | Kind::Map(..), _) => Err(refused(EXPECTED_MAP)),
        (_, Value::Bool(true)) => Err(cannot("TRUE_VALUE", shape)),
        (_, Value::Bool(false)) => Err(cannot("FALSE_VALUE", shape)),
        (_, Value::Number(_)) => Err(cannot("NUMBER_VALUE", shape)),
        (_, Value::String(_)) => Err(cannot("STRING_VALUE", shape)),
    }
}

fn cannot(token: &str, shape: &Shape) -> Rejected {
    let wanted = match shape.kind {
        Kind::Integer => "an Integer",
        Kind::Long => "a Long",
        Kind::Double => "a Double",
        Kind::Boolean => "a Boolean",
        Kind::Blob => "a Blob",
        Kind::Timestamp => "a Timestamp",
        Kind::String | Kind::Enum(_) => "a String",
        Kind::Structure(_) | Kind::List(_) | Kind::Map(..) => "a structure",
    };
    refused(format!("{token} can not be converted to {wanted}"))
}

fn refused(message: impl Into<String>) -> Rejected {
    Rejected { code: ErrorCode::Serialization, message: message.into() }
}
