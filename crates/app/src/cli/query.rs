//! `--query`: JMESPath as the AWS CLI evaluates it.
//!
//! The `jmespath` crate parses, compares and has the functions, but its objects are sorted by key; the AWS CLI's keep
//! the order in which they were written. So everything that makes, takes apart or passes on an object is evaluated here,
//! and what a function of the crate answers gets its order back from what it was given.

use jmespath::ast::{Ast, Comparator};
use jmespath::{DEFAULT_RUNTIME, ErrorReason, Expression, Rcvar, RuntimeError, Variable};

use super::value::Value;

/// A parsed expression.
#[derive(Debug)]
pub(super) struct Query {
    expression: String,
    ast: Ast,
}

impl Query {
    /// Parses an expression; the error is the text of Python's jmespath.
    pub(super) fn parse(expression: &str) -> Result<Self, String> {
        if expression.is_empty() {
            return Err("Invalid JMESPath expression: cannot be empty.".to_owned());
        }
        let ast = jmespath::parse(expression).map_err(|failure| describe(expression, failure.offset))?;
        Ok(Self { expression: expression.to_owned(), ast })
    }

    /// Evaluates the expression; the error is the text of Python's jmespath.
    pub(super) fn search(&self, value: &Value) -> Result<Value, String> {
        self.evaluate(&self.ast, value)
    }

    fn evaluate(&self, ast: &Ast, current: &Value) -> Result<Value, String> {
        Ok(match ast {
            Ast::Identity { .. } => current.clone(),
            Ast::Field { name, .. } => current.field(name).cloned().unwrap_or(Value::Null),
            Ast::Literal { offset, value, .. } => self.literal(*offset).unwrap_or_else(|| from_variable(value, &[])),
            Ast::Subexpr { lhs, rhs, .. } => self.evaluate(rhs, &self.evaluate(lhs, current)?)?,
            Ast::MultiList { .. } | Ast::MultiHash { .. } if *current == Value::Null => Value::Null,
            Ast::MultiList { elements, .. } => {
                Value::List(elements.iter().map(|element| self.evaluate(element, current)).collect::<Result<_, _>>()?)
            }
            Ast::MultiHash { elements, .. } => {
                let mut fields: Vec<(String, Value)> = Vec::new();
                for pair in elements {
                    let value = self.evaluate(&pair.value, current)?;
                    match fields.iter_mut().find(|(key, _)| *key == pair.key) {
                        Some(field) => field.1 = value,
                        None => fields.push((pair.key.clone(), value)),
                    }
                }
                Value::Object(fields)
            }
            Ast::Not { node, .. } => Value::Bool(!is_truthy(&self.evaluate(node, current)?)),
            Ast::And { lhs, rhs, .. } => {
                let left = self.evaluate(lhs, current)?;
                if is_truthy(&left) { self.evaluate(rhs, current)? } else { left }
            }
            Ast::Or { lhs, rhs, .. } => {
                let left = self.evaluate(lhs, current)?;
                if is_truthy(&left) { left } else { self.evaluate(rhs, current)? }
            }
            Ast::Condition { predicate, then, .. } => {
                if is_truthy(&self.evaluate(predicate, current)?) {
                    self.evaluate(then, current)?
                } else {
                    Value::Null
                }
            }
            Ast::Comparison { comparator, lhs, rhs, .. } => {
                compare(comparator, &self.evaluate(lhs, current)?, &self.evaluate(rhs, current)?)
            }
            Ast::Projection { lhs, rhs, .. } => match self.evaluate(lhs, current)? {
                Value::List(elements) => {
                    let mut projected = Vec::new();
                    for element in &elements {
                        let value = self.evaluate(rhs, element)?;
                        if value != Value::Null {
                            projected.push(value);
                        }
                    }
                    Value::List(projected)
                }
                _ => Value::Null,
            },
            Ast::ObjectValues { node, .. } => match self.evaluate(node, current)? {
                Value::Object(fields) => Value::List(fields.into_iter().map(|(_, value)| value).collect()),
                _ => Value::Null,
            },
            Ast::Flatten { node, .. } => match self.evaluate(node, current)? {
                Value::List(elements) => Value::List(
                    elements
                        .into_iter()
                        .flat_map(|element| match element {
                            Value::List(inner) => inner,
                            other => vec![other],
                        })
                        .collect(),
                ),
                _ => Value::Null,
            },
            Ast::Index { .. } | Ast::Slice { .. } => match current {
                // The crate picks the positions, so that its arithmetic of negative ones holds.
                Value::List(elements) => {
                    let positions = (0..elements.len()).map(|position| Value::Number(position.into())).collect();
                    pick(elements, &run(ast, &Value::List(positions))?)
                }
                _ => Value::Null,
            },
            Ast::Function { name, args, .. } => self.call(name, args, current)?,
            Ast::Expref { .. } => Value::Null,
        })
    }

    /// A literal as it is written: the crate's copy has lost the order of its keys.
    fn literal(&self, offset: usize) -> Option<Value> {
        let written = self.expression.get(offset..)?.strip_prefix('`')?;
        let mut end = 0;
        let mut escaped = false;
        for (position, letter) in written.char_indices() {
            if letter == '`' && !escaped {
                end = position;
                break;
            }
            escaped = letter == '\\' && !escaped;
        }
        let literal: serde_json::Value = serde_json::from_str(&written[..end].replace("\\`", "`")).ok()?;
        Some(literal.into())
    }

    fn call(&self, name: &str, args: &[Ast], current: &Value) -> Result<Value, String> {
        let mut given = Vec::new();
        let mut passed = Vec::new();
        for arg in args {
            if let Ast::Expref { .. } = arg {
                // Whatever objects it makes have the keys that stand in it.
                collect_written(arg, &mut given);
                passed.push(arg.clone());
            } else {
                let value = self.evaluate(arg, current)?;
                passed.push(Ast::Literal { offset: 0, value: Rcvar::new(to_variable(&value)) });
                given.push(value);
            }
        }
        match (name, given.as_slice()) {
            ("keys", [Value::Object(fields)]) => {
                return Ok(Value::List(fields.iter().map(|(key, _)| Value::from(key.as_str())).collect()));
            }
            ("values", [Value::Object(fields)]) => {
                return Ok(Value::List(fields.iter().map(|(_, value)| value.clone()).collect()));
            }
            ("to_string", [value]) if !matches!(value, Value::Text(_)) => {
                return Ok(Value::Text(value.to_json_compact()));
            }
            ("merge", objects) if !objects.is_empty() && objects.iter().all(|o| matches!(o, Value::Object(_))) => {
                return Ok(merge(objects));
            }
            _ => {}
        }
        let call = Ast::Function { offset: 0, name: name.to_owned(), args: passed };
        let answer =
            Expression::new("", call, &DEFAULT_RUNTIME).search(Variable::Null).map_err(|failure| {
                match failure.reason {
                    ErrorReason::Runtime(reason) => runtime_failure(name, &reason, &given),
                    ErrorReason::Parse(reason) => reason,
                }
            })?;
        Ok(from_variable(&answer, &given))
    }
}

fn merge(objects: &[Value]) -> Value {
    let mut merged: Vec<(String, Value)> = Vec::new();
    for object in objects {
        let Value::Object(fields) = object else {
            continue;
        };
        for (key, value) in fields {
            match merged.iter_mut().find(|(known, _)| known == key) {
                Some(field) => field.1 = value.clone(),
                None => merged.push((key.clone(), value.clone())),
            }
        }
    }
    Value::Object(merged)
}

fn pick(elements: &[Value], positions: &Value) -> Value {
    match positions {
        Value::List(positions) => Value::List(positions.iter().map(|position| pick(elements, position)).collect()),
        Value::Number(position) => position
            .as_u64()
            .and_then(|position| elements.get(usize::try_from(position).ok()?))
            .cloned()
            .unwrap_or(Value::Null),
        _ => Value::Null,
    }
}

/// A node whose value holds no object, run by the crate.
fn run(ast: &Ast, current: &Value) -> Result<Value, String> {
    let answer = Expression::new("", ast.clone(), &DEFAULT_RUNTIME)
        .search(to_variable(current))
        .map_err(|failure| failure.reason.to_string())?;
    Ok(from_variable(&answer, &[]))
}

fn compare(comparator: &Comparator, left: &Value, right: &Value) -> Value {
    to_variable(left).compare(comparator, &to_variable(right)).map_or(Value::Null, Value::Bool)
}

/// JMESPath's truth, in which a number is always true.
fn is_truthy(value: &Value) -> bool {
    matches!(value, Value::Number(_)) || value.is_true_in_python()
}

/// Objects with the keys of the multiselect hashes in `ast`, in their order.
fn collect_written(ast: &Ast, found: &mut Vec<Value>) {
    match ast {
        Ast::MultiHash { elements, .. } => {
            found.push(Value::Object(elements.iter().map(|pair| (pair.key.clone(), Value::Null)).collect()));
            for pair in elements {
                collect_written(&pair.value, found);
            }
        }
        Ast::MultiList { elements, .. } => elements.iter().for_each(|element| collect_written(element, found)),
        Ast::Function { args, .. } => args.iter().for_each(|arg| collect_written(arg, found)),
        Ast::Expref { ast: node, .. }
        | Ast::Not { node, .. }
        | Ast::Flatten { node, .. }
        | Ast::ObjectValues { node, .. } => collect_written(node, found),
        Ast::Condition { predicate: lhs, then: rhs, .. }
        | Ast::Comparison { lhs, rhs, .. }
        | Ast::Projection { lhs, rhs, .. }
        | Ast::And { lhs, rhs, .. }
        | Ast::Or { lhs, rhs, .. }
        | Ast::Subexpr { lhs, rhs, .. } => {
            collect_written(lhs, found);
            collect_written(rhs, found);
        }
        Ast::Identity { .. } | Ast::Field { .. } | Ast::Index { .. } | Ast::Literal { .. } | Ast::Slice { .. } => {}
    }
}

fn to_variable(value: &Value) -> Variable {
    match value {
        Value::Null => Variable::Null,
        Value::Bool(value) => Variable::Bool(*value),
        Value::Number(number) => Variable::Number(number.clone()),
        Value::Text(text) => Variable::String(text.clone()),
        Value::List(elements) => {
            Variable::Array(elements.iter().map(|element| Rcvar::new(to_variable(element))).collect())
        }
        Value::Object(fields) => {
            Variable::Object(fields.iter().map(|(key, value)| (key.clone(), Rcvar::new(to_variable(value)))).collect())
        }
    }
}

/// The crate's value; an object gets the order of one in `models` with the same keys.
fn from_variable(variable: &Variable, models: &[Value]) -> Value {
    match variable {
        Variable::Null | Variable::Expref(_) => Value::Null,
        Variable::Bool(value) => Value::Bool(*value),
        Variable::Number(number) => Value::Number(number.clone()),
        Variable::String(text) => Value::Text(text.clone()),
        Variable::Array(elements) => {
            Value::List(elements.iter().map(|element| from_variable(element, models)).collect())
        }
        Variable::Object(sorted) => {
            let mut fields: Vec<_> =
                sorted.iter().map(|(key, value)| (key.clone(), from_variable(value, models))).collect();
            if let Some(order) = models.iter().find_map(|model| order_of(model, &fields)) {
                fields.sort_by_key(|(key, _)| order.iter().position(|known| known == key));
            }
            Value::Object(fields)
        }
    }
}

fn order_of<'a>(model: &'a Value, keys: &[(String, Value)]) -> Option<Vec<&'a str>> {
    match model {
        Value::Object(fields) => {
            let same = fields.len() == keys.len() && keys.iter().all(|(key, _)| model.field(key).is_some());
            if same {
                return Some(fields.iter().map(|(key, _)| key.as_str()).collect());
            }
            fields.iter().find_map(|(_, value)| order_of(value, keys))
        }
        Value::List(elements) => elements.iter().find_map(|element| order_of(element, keys)),
        _ => None,
    }
}

/// Python's text of a mistake found while evaluating (`jmespath/exceptions.py`).
fn runtime_failure(function: &str, reason: &RuntimeError, given: &[Value]) -> String {
    match reason {
        RuntimeError::UnknownFunction(name) => format!("Unknown function: {name}()"),
        RuntimeError::TooManyArguments { expected, actual } => arity("", *expected, *actual, function),
        RuntimeError::NotEnoughArguments { expected, actual } => {
            let at_least = if matches!(function, "merge" | "not_null") { "at least " } else { "" };
            arity(at_least, *expected, *actual, function)
        }
        RuntimeError::InvalidType { expected, actual, position } => {
            let value = given.get(*position).map_or_else(String::new, Value::to_python_str);
            let expected: Vec<_> = expected.split('|').map(|kind| format!("'{kind}'")).collect();
            format!(
                "In function {function}(), invalid type for value: {value}, expected one of: [{}], received: \
                 \"{actual}\"",
                expected.join(", ")
            )
        }
        other => other.to_string(),
    }
}

fn arity(at_least: &str, expected: usize, actual: usize, function: &str) -> String {
    let plural = if expected == 1 { "" } else { "s" };
    format!("Expected {at_least}{expected} argument{plural} for function {function}(), received {actual}")
}

/// Python's text of a mistake at `offset` (`jmespath/exceptions.py`, `jmespath/parser.py`).
fn describe(expression: &str, offset: usize) -> String {
    let before = expression.get(..offset).unwrap_or(expression).trim_end();
    let rest = expression.get(offset..).unwrap_or_default();
    let column = before.chars().count().max(expression.chars().count() - rest.chars().count());
    let pointer = |indent: usize| " ".repeat(column + indent) + "^";
    let first = rest.chars().next();
    let (token, kind) = match (first, token(rest)) {
        (None, _) if before.ends_with('.') => ("", "EOF"),
        (None, _) => {
            return format!("Invalid jmespath expression: Incomplete expression:\n\"{expression}\"\n{}", pointer(1));
        }
        (Some(_), Some(token)) => token,
        (Some(first), None) => {
            let complaint = match first {
                '"' | '\'' | '`' => format!("Unclosed {first} delimiter"),
                '=' => "Unknown token '='".to_owned(),
                other => format!("Unknown token {other}"),
            };
            return format!("Bad jmespath expression: {complaint}:\n{expression}\n{}", pointer(0));
        }
    };
    let got = kind.to_ascii_lowercase();
    let reason = if before.ends_with('.') {
        format!("Expecting: ['quoted_identifier', 'unquoted_identifier', 'lbracket', 'lbrace'], got: {got}")
    } else if before.ends_with('{') {
        format!("Expecting: ['quoted_identifier', 'unquoted_identifier'], got: {got}")
    } else if jmespath::parse(before).is_ok() {
        format!("Unexpected token: {token}")
    } else {
        "invalid token".to_owned()
    };
    format!(
        "{reason}: Parse error at column {column}, token \"{token}\" ({kind}), for expression:\n\"{expression}\"\n{}",
        pointer(1)
    )
}

/// The token at the beginning of `rest`, and jmespath's name for its kind.
fn token(rest: &str) -> Option<(&str, &'static str)> {
    const SIGNS: [(&str, &str); 24] = [
        ("[?", "FILTER"),
        ("[]", "FLATTEN"),
        ("||", "OR"),
        ("&&", "AND"),
        ("==", "EQ"),
        ("!=", "NE"),
        ("<=", "LTE"),
        (">=", "GTE"),
        (".", "DOT"),
        ("*", "STAR"),
        ("]", "RBRACKET"),
        ("[", "LBRACKET"),
        (",", "COMMA"),
        (":", "COLON"),
        ("@", "CURRENT"),
        ("(", "LPAREN"),
        (")", "RPAREN"),
        ("{", "LBRACE"),
        ("}", "RBRACE"),
        ("|", "PIPE"),
        ("&", "EXPREF"),
        ("<", "LT"),
        (">", "GT"),
        ("!", "NOT"),
    ];
    if let Some((sign, kind)) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
        return Some((&rest[..sign.len()], kind));
    }
    let first = rest.chars().next()?;
    let length = |belongs: fn(char) -> bool| rest.find(|letter| !belongs(letter)).unwrap_or(rest.len());
    if first.is_ascii_alphabetic() || first == '_' {
        let end = length(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        return Some((&rest[..end], "UNQUOTED_IDENTIFIER"));
    }
    if first.is_ascii_digit() {
        return Some((&rest[..length(|letter| letter.is_ascii_digit())], "NUMBER"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, input: &str, expected: &str) {
        let input = Value::from(serde_json::from_str::<serde_json::Value>(input).unwrap());
        let answer = Query::parse(expression).unwrap().search(&input).unwrap();
        assert_eq!(answer.to_json_compact(), expected, "{expression}");
    }

    #[test]
    fn keeps_the_order_in_which_keys_are_written() {
        let answer = r#"{"StatusCode":200,"ExecutedVersion":"1"}"#;
        check("@", answer, answer);
        check("{v:ExecutedVersion,s:StatusCode}", answer, r#"{"v":"1","s":200}"#);
        check("{b:{z:StatusCode,a:StatusCode},a:ExecutedVersion}.b", answer, r#"{"z":200,"a":200}"#);
        check("[{z:StatusCode,a:ExecutedVersion}]", answer, r#"[{"z":200,"a":"1"}]"#);
        check("[{z:StatusCode,a:ExecutedVersion}][*].{y:a,b:z}", answer, r#"[{"y":"1","b":200}]"#);
        check("keys(@)", answer, r#"["StatusCode","ExecutedVersion"]"#);
        check("values(@)", answer, r#"[200,"1"]"#);
        check("*", answer, r#"[200,"1"]"#);
        check(r#"`{"b":1,"a":"\`"}`"#, answer, r#"{"b":1,"a":"`"}"#);
        check("to_string(@)", answer, r#""{\"StatusCode\":200,\"ExecutedVersion\":\"1\"}""#);
        check("merge(@, {a:StatusCode})", answer, r#"{"StatusCode":200,"ExecutedVersion":"1","a":200}"#);
        check("to_array(@)", answer, r#"[{"StatusCode":200,"ExecutedVersion":"1"}]"#);
        check("map(&{z:@,a:@}, `[1]`)", answer, r#"[{"z":1,"a":1}]"#);
    }

    #[test]
    fn evaluates_as_jmespath_does() {
        let input = r#"{"l":[3,1,2],"o":[{"n":"b","v":1},{"n":"a","v":0}],"z":0,"e":""}"#;
        check("l[0]", input, "3");
        check("l[-1]", input, "2");
        check("l[9]", input, "null");
        check("l[::-1]", input, "[2,1,3]");
        check("l[1:]", input, "[1,2]");
        check("sort(l)", input, "[1,2,3]");
        check("length(l)", input, "3");
        check("o[?v==`1`].n", input, r#"["b"]"#);
        check("sort_by(o,&n)", input, r#"[{"n":"a","v":0},{"n":"b","v":1}]"#);
        check("o[*].[n,v]", input, r#"[["b",1],["a",0]]"#);
        check("o[*].[n,v][]", input, r#"["b",1,"a",0]"#);
        check("z && l[0]", input, "3");
        check("e || z", input, "0");
        check("!e", input, "true");
        check("nope.{a:b}", input, "null");
        check("l | [0]", input, "3");
        check("z == `0`", input, "true");
        check("e < z", input, "null");
    }

    #[test]
    fn describes_mistakes_as_the_aws_cli_does() {
        let describe = |expression: &str| Query::parse(expression).unwrap_err();
        assert_eq!(describe(""), "Invalid JMESPath expression: cannot be empty.");
        assert_eq!(describe("["), "Invalid jmespath expression: Incomplete expression:\n\"[\"\n  ^");
        assert_eq!(
            describe("{}"),
            "Expecting: ['quoted_identifier', 'unquoted_identifier'], got: rbrace: Parse error at column 1, token \
             \"}\" (RBRACE), for expression:\n\"{}\"\n  ^"
        );
        let unknown = Query::parse("unknown(@)").unwrap().search(&Value::Null).unwrap_err();
        assert_eq!(unknown, "Unknown function: unknown()");
    }
}
