//! Writes `crates/wire/src/generated/` from the service model beside it: types, request tables, operations, errors.
//! Plain text, then rustfmt. What the service does otherwise than its model stands in `model/overrides.tsv`, what it
//! sends beyond it in `model/errors.tsv`; nothing generated is ever edited.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use heck::{ToShoutySnakeCase as _, ToSnakeCase as _, ToUpperCamelCase as _};

use serde_json::Value as Json;

use crate::process;

const MODEL: &str = "lambda-2015-03-31.json";
const FIRST_LINE: &str = "// Written by `cargo xtask codegen`. Do not edit.\n";

/// Patterns with look-around, which our engine cannot match: as published, what must match instead, what must not.
const LOOK_AROUND: &[(&str, &str, Option<&str>)] = &[
    // Not only digits.
    (r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)", r"[0-9]*[a-zA-Z_-][a-zA-Z0-9-_]*", None),
    (r"((?!^\d+$)^[0-9a-zA-Z-_]+$)", r"[0-9]*[a-zA-Z_-][0-9a-zA-Z-_]*", None),
    // The qualifier not only digits.
    (
        r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]{1,64})(:((?!\d+$)[0-9a-zA-Z-_]+))?",
        r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]:)?([0-9]{12}:)?(function:)?([a-zA-Z0-9-_]{1,64})(:([0-9]*[a-zA-Z_-][0-9a-zA-Z-_]*))?",
        None,
    ),
    // Not in MongoDB's own name space.
    (r"(^(?!(system\x2e)))(^[_a-zA-Z0-9])([^$]*)", r"[_a-zA-Z0-9][^$]*", Some(r"system\.[\s\S]*")),
    // No dot at the end.
    (r"[0-9A-Za-z\.\-_]*(?<!\.)", r"([0-9A-Za-z\.\-_]*[0-9A-Za-z\-_])?", None),
];

/// `cargo xtask codegen [--check | --import FILE]`
pub(crate) fn run(args: &[String]) -> Result<()> {
    let wire = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/wire");
    match args {
        [] => {
            write(&wire)?;
            write_compatibility(&wire)
        }
        [flag] if flag == "--check" => check(&wire),
        [flag, file] if flag == "--import" => {
            import(Path::new(file), &wire)?;
            write(&wire)?;
            write_compatibility(&wire)
        }
        _ => bail!("codegen takes --check, or --import FILE (a service-2.json of botocore)"),
    }
}

fn write(wire: &Path) -> Result<()> {
    for (path, text) in generate(wire)? {
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// `docs/compatibility.md` comes from the code that answers, so that code is asked. A test of `wire` compares them.
fn write_compatibility(wire: &Path) -> Result<()> {
    let mut command = process::cargo();
    command.args(["run", "--quiet", "--package", "wire", "--example", "compatibility"]);
    let output = command.stderr(Stdio::inherit()).output().context("asking what is built")?;
    ensure!(output.status.success(), "asking what is built ended with {}", output.status);
    let path = wire.join("../../docs/compatibility.md");
    fs::write(&path, output.stdout).with_context(|| format!("writing {}", path.display()))
}

fn check(wire: &Path) -> Result<()> {
    for (path, text) in generate(wire)? {
        let there = fs::read_to_string(&path).unwrap_or_default();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        ensure!(there == text, "{name} is not what the model says: run `cargo xtask codegen`");
    }
    Ok(())
}

/// Takes in a service model: without its prose, pretty-printed, so that the next one gives a readable diff.
fn import(file: &Path, wire: &Path) -> Result<()> {
    let text = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let model: Json = serde_json::from_slice(&text)
        .with_context(|| format!("{} is not JSON (is it still compressed?)", file.display()))?;
    let mut text = serde_json::to_string_pretty(&without_prose(&model, false))?;
    text.push('\n');
    Ok(fs::write(wire.join("model").join(MODEL), text)?)
}

/// `named` says that the keys of this object are names that the model gives, among which "documentation" may be one.
fn without_prose(json: &Json, named: bool) -> Json {
    match json {
        Json::Object(entries) => Json::Object(
            entries
                .iter()
                .filter(|(key, _)| named || *key != "documentation")
                .map(|(key, value)| {
                    let names = matches!(key.as_str(), "members" | "shapes" | "operations");
                    (key.clone(), without_prose(value, names && !named))
                })
                .collect(),
        ),
        Json::Array(items) => Json::Array(items.iter().map(|item| without_prose(item, false)).collect()),
        other => other.clone(),
    }
}

fn generate(wire: &Path) -> Result<Vec<(PathBuf, String)>> {
    let model = Model::read(&wire.join("model"))?;
    let files = [
        ("mod.rs", module()),
        ("types.rs", types(&model)?),
        ("schema.rs", schema(&model)?),
        ("operations.rs", operations(&model)?),
        ("errors.rs", errors(&model)?),
    ];
    let folder = wire.join("src/generated");
    files.into_iter().map(|(name, text)| Ok((folder.join(name), formatted(&format!("{FIRST_LINE}{text}"))?))).collect()
}

fn formatted(text: &str) -> Result<String> {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--emit", "stdout"])
        // The tables read better a member a line; `generated/mod.rs` keeps `cargo fmt` from them.
        .args(["--config", "max_width=220,use_small_heuristics=Max"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("rustfmt cannot be started: `rustup component add rustfmt`")?;
    let mut stdin = rustfmt.stdin.take().context("rustfmt has no stdin")?;
    let text = text.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = rustfmt.wait_with_output()?;
    writer.join().expect("writing does not panic")?;
    ensure!(output.status.success(), "rustfmt refused the generated text");
    Ok(String::from_utf8(output.stdout)?)
}

/// What the model's JSON is asked for. Its members keep their order (serde_json's `preserve_order`): the model's order is
/// that of our fields and of AWS's violations.
trait Ask {
    /// The text of the member of that name.
    fn text(&self, name: &str) -> Option<&str>;
    /// Whether the member of that name is there and true.
    fn is(&self, name: &str) -> bool;
    /// The members of the member of that name.
    fn entries(&self, name: &str) -> impl Iterator<Item = (&String, &Json)>;
    /// The texts in the list of that name.
    fn texts(&self, name: &str) -> Vec<&str>;
}

impl Ask for Json {
    fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Json::as_str)
    }

    fn is(&self, name: &str) -> bool {
        self.get(name).and_then(Json::as_bool) == Some(true)
    }

    fn entries(&self, name: &str) -> impl Iterator<Item = (&String, &Json)> {
        self.get(name).and_then(Json::as_object).into_iter().flatten()
    }

    fn texts(&self, name: &str) -> Vec<&str> {
        let items = self.get(name).and_then(Json::as_array);
        items.into_iter().flatten().filter_map(Json::as_str).collect()
    }
}

/// The model with what we know better.
struct Model {
    shapes: BTreeMap<String, Json>,
    operations: Vec<(String, Json)>,
    overrides: Vec<Line>,
    errors: Vec<Line>,
    /// What requests reach, and what answers reach.
    inbound: BTreeSet<String>,
    outbound: BTreeSet<String>,
    /// Outputs of operations by themselves, not only as part of one.
    answers: BTreeSet<String>,
    enums: BTreeSet<String>,
}

type Line = Vec<String>;

impl Model {
    fn read(folder: &Path) -> Result<Self> {
        let text = fs::read(folder.join(MODEL)).with_context(|| format!("reading {MODEL}"))?;
        let json: Json = serde_json::from_slice(&text)?;
        ensure!(json.entries("operations").count() > 0, "the model has no operations");
        let mut model = Self {
            shapes: json.entries("shapes").map(|(name, shape)| (name.clone(), shape.clone())).collect(),
            operations: json.entries("operations").map(|(name, operation)| (name.clone(), operation.clone())).collect(),
            overrides: table(&folder.join("overrides.tsv"), 4)?,
            errors: table(&folder.join("errors.tsv"), 5)?,
            inbound: BTreeSet::new(),
            outbound: BTreeSet::new(),
            answers: BTreeSet::new(),
            enums: BTreeSet::new(),
        };
        model.check_overrides()?;
        for (_, operation) in model.operations.clone() {
            if let Some(name) = operation.get("input").and_then(|input| input.text("shape")) {
                let mut reached = std::mem::take(&mut model.inbound);
                model.reach(name, &mut reached)?;
                model.inbound = reached;
            }
            if let Some(name) = operation.get("output").and_then(|output| output.text("shape")) {
                let mut reached = std::mem::take(&mut model.outbound);
                model.reach(name, &mut reached)?;
                model.outbound = reached;
                model.answers.insert(name.to_owned());
            }
        }
        Ok(model)
    }

    fn check_overrides(&self) -> Result<()> {
        for line in &self.overrides {
            let known = match line[0].split_once(' ') {
                Some(("operation", name)) => self.operations.iter().any(|(it, _)| it == name),
                Some(("shape", name)) => self.shapes.contains_key(name),
                Some(("member", name)) => {
                    let (shape, member) = name.split_once('.').unwrap_or_default();
                    let members = self.shapes.get(shape).and_then(|shape| shape.get("members"));
                    members.is_some_and(|members| members.get(member).is_some())
                }
                _ => false,
            };
            ensure!(known, "overrides.tsv: the model has no {}", line[0]);
            let property = line[1].as_str();
            ensure!(
                matches!(property, "status" | "open" | "pattern" | "min" | "max"),
                "overrides.tsv: what is {property}?"
            );
        }
        Ok(())
    }

    fn overridden(&self, what: &str, property: &str) -> Option<&str> {
        let line = self.overrides.iter().find(|line| line[0] == what && line[1] == property);
        line.map(|line| line[2].as_str())
    }

    fn shape(&self, name: &str) -> Result<&Json> {
        self.shapes.get(name).with_context(|| format!("the model names {name} and has it not"))
    }

    /// Adds the shape and all that it is made of. An event stream is framed by hand.
    fn reach(&mut self, name: &str, reached: &mut BTreeSet<String>) -> Result<()> {
        if !reached.insert(name.to_owned()) {
            return Ok(());
        }
        let shape = self.shape(name)?.clone();
        if shape.get("enum").is_some() {
            self.enums.insert(name.to_owned());
        }
        for part in ["member", "key", "value"] {
            if let Some(part) = shape.get(part).and_then(|part| part.text("shape")) {
                self.reach(part, reached)?;
            }
        }
        for member in self.members(name)? {
            if !member.open && !member.stream {
                self.reach(&member.shape, reached)?;
            }
        }
        Ok(())
    }

    fn members(&self, name: &str) -> Result<Vec<Member>> {
        let shape = self.shape(name)?;
        let payload = shape.text("payload");
        let required = shape.texts("required");
        shape
            .entries("members")
            .map(|(member, json)| {
                let of = json.text("shape").context("a member without shape")?.to_owned();
                let target = self.shape(&of)?;
                let blob = target.text("type") == Some("blob");
                let stream = target.is("eventstream");
                let location = json.text("location").unwrap_or_default().to_owned();
                Ok(Member {
                    field: field(member),
                    required: required.contains(&member.as_str()),
                    wire_name: json.text("locationName").unwrap_or(member).to_owned(),
                    payload: payload == Some(member),
                    beside: payload == Some(member) && (blob || stream),
                    stream,
                    open: self.overridden(&format!("member {name}.{member}"), "open").is_some(),
                    name: member.clone(),
                    shape: of,
                    location,
                })
            })
            .collect()
    }

    /// The Rust type of a shape.
    fn rust_type(&self, name: &str) -> Result<String> {
        let shape = self.shape(name)?;
        let part = |part: &str| -> Result<String> {
            let name = shape.get(part).and_then(|part| part.text("shape"));
            self.rust_type(name.with_context(|| format!("{part} without shape"))?)
        };
        Ok(match shape.text("type").unwrap_or_default() {
            "string" if shape.get("enum").is_some() => name.to_owned(),
            "string" => "String".to_owned(),
            "integer" => "i32".to_owned(),
            "long" => "i64".to_owned(),
            "double" => "f64".to_owned(),
            "boolean" => "bool".to_owned(),
            "blob" => "Blob".to_owned(),
            "timestamp" => "EpochSeconds".to_owned(),
            "list" => format!("Vec<{}>", part("member")?),
            "map" => format!("Map<{}, {}>", part("key")?, part("value")?),
            "structure" => name.to_owned(),
            other => bail!("{name} is a {other}, which this generator does not know"),
        })
    }

    /// Whether the type has a default, so that a structure holding one by value can have one too.
    fn has_default(&self, name: &str) -> Result<bool> {
        let shape = self.shape(name)?;
        if shape.get("enum").is_some() {
            return Ok(false);
        }
        for member in self.members(name)? {
            if member.required && !member.open && !self.has_default(&member.shape)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

struct Member {
    name: String,
    field: String,
    shape: String,
    required: bool,
    location: String,
    wire_name: String,
    payload: bool,
    /// Not in the typed structure: raw bytes or a stream, handed on beside it.
    beside: bool,
    stream: bool,
    open: bool,
}

/// The lines of a table, without comments, each of so many fields.
fn table(path: &Path, fields: usize) -> Result<Vec<Line>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let line: Line = line.split('\t').map(str::to_owned).collect();
            ensure!(line.len() == fields && !line[fields - 1].is_empty(), "not {fields} fields: {line:?}");
            Ok(line)
        })
        .collect()
}

fn module() -> String {
    "//! The API as tables and types, from the service model. See `crates/wire/model`.\n\n\
     #[rustfmt::skip]\npub mod errors;\n#[rustfmt::skip]\npub mod operations;\n\
     #[rustfmt::skip]\npub mod schema;\n#[rustfmt::skip]\npub mod types;\n"
        .to_owned()
}

fn types(model: &Model) -> Result<String> {
    let mut out = String::from(
        "//! The shapes of requests and answers, as AWS names them.\n\
         #![expect(missing_docs, reason = \"the model's prose is not ours; AWS's API reference has it\")]\n\
         #![allow(clippy::struct_field_names, reason = \"the names are AWS's\")]\n\n\
         use serde::{Deserialize, Serialize};\n\n\
         use crate::model::{Answer, Blob, EpochSeconds, Map, wire_enum};\n\n",
    );
    for name in &model.enums {
        let shape = model.shape(name)?;
        writeln!(out, "wire_enum!({name} {{")?;
        for value in shape.texts("enum") {
            writeln!(out, "    {} = {value:?},", variant(value))?;
        }
        writeln!(out, "}});\n")?;
    }
    for name in model.inbound.union(&model.outbound) {
        if model.shape(name)?.text("type") == Some("structure") {
            structure(model, name, &mut out)?;
        }
    }
    Ok(out)
}

fn structure(model: &Model, name: &str, out: &mut String) -> Result<()> {
    let (inbound, outbound) = (model.inbound.contains(name), model.outbound.contains(name));
    let mut derives = vec!["Clone", "Debug"];
    if model.has_default(name)? {
        derives.push("Default");
    }
    if inbound {
        derives.push("Deserialize");
    }
    derives.push("PartialEq");
    if outbound {
        derives.push("Serialize");
    }
    let members = model.members(name)?;
    writeln!(out, "#[derive({})]", derives.join(", "))?;
    if members.iter().any(|member| !member.stream) {
        writeln!(out, "#[serde(rename_all = \"PascalCase\")]")?;
    }
    writeln!(out, "pub struct {name} {{")?;
    for member in &members {
        if member.stream || (inbound && member.beside) {
            continue;
        }
        let mut attributes = Vec::new();
        let beside_body = outbound && (!member.location.is_empty() || member.beside);
        if beside_body {
            attributes.push("skip".to_owned());
        } else if pascal(&member.field) != member.name {
            attributes.push(format!("rename = {:?}", member.name));
        }
        if outbound && !beside_body && !member.required {
            attributes.push("skip_serializing_if = \"Option::is_none\"".to_owned());
        }
        if !attributes.is_empty() {
            writeln!(out, "#[serde({})]", attributes.join(", "))?;
        }
        let of = match () {
            () if member.open => "String".to_owned(),
            () if member.location == "statusCode" => "u16".to_owned(),
            () if member.beside => "bytes::Bytes".to_owned(),
            () => model.rust_type(&member.shape)?,
        };
        let of = if member.required { of } else { format!("Option<{of}>") };
        writeln!(out, "pub {}: {of},", member.field)?;
    }
    writeln!(out, "}}\n")?;
    if model.answers.contains(name) {
        answer(name, &members, out)?;
    }
    Ok(())
}

/// What an output sends besides JSON.
fn answer(name: &str, members: &[Member], out: &mut String) -> Result<()> {
    writeln!(out, "impl Answer for {name} {{")?;
    if members.iter().any(|member| member.payload) {
        writeln!(out, "const JSON: bool = false;\n")?;
    }
    if let Some(member) = members.iter().find(|member| member.location == "statusCode") {
        writeln!(
            out,
            "fn status(&self) -> Option<http::StatusCode> {{\
             self.{}.and_then(|status| http::StatusCode::from_u16(status).ok()) }}\n",
            member.field
        )?;
    }
    let headers: Vec<_> = members.iter().filter(|member| member.location == "header").collect();
    if !headers.is_empty() {
        writeln!(out, "fn headers(&self) -> Vec<(&'static str, &str)> {{\n[")?;
        for member in headers {
            writeln!(out, "({:?}, &self.{}),", member.wire_name.to_lowercase(), member.field)?;
        }
        writeln!(out, "].into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect() }}\n")?;
    }
    if let Some(member) = members.iter().find(|member| member.payload && !member.stream) {
        writeln!(out, "fn payload(&self) -> Option<&bytes::Bytes> {{ self.{}.as_ref() }}", member.field)?;
    }
    writeln!(out, "}}\n")?;
    Ok(())
}

fn schema(model: &Model) -> Result<String> {
    let mut patterns = BTreeSet::new();
    let mut shapes = String::new();
    for name in &model.inbound {
        let shape = model.shape(name)?;
        let part = |part: &str| {
            let name = shape.get(part).and_then(|part| part.text("shape")).unwrap_or_default();
            format!("&{}", constant(name))
        };
        let kind = match shape.text("type").unwrap_or_default() {
            "structure" => {
                let mut text = String::from("Kind::Structure(&[\n");
                for member in model.members(name)? {
                    writeln!(text, "{},", table_line(&member))?;
                }
                text + "])"
            }
            "list" => format!("Kind::List({})", part("member")),
            "map" => format!("Kind::Map({}, {})", part("key"), part("value")),
            "string" if shape.get("enum").is_some() => {
                format!("Kind::Enum(&{:?})", as_java_prints(&shape.texts("enum")))
            }
            other => format!("Kind::{}", other.to_upper_camel_case()),
        };
        write!(shapes, "pub static {}: Shape = shape({name:?}, {kind})", constant(name))?;
        for bound in ["min", "max"] {
            let what = format!("shape {name}");
            let given = shape.get(bound).map(Json::to_string);
            let bound_text = model.overridden(&what, bound).map(str::to_owned).or(given);
            if let Some(text) = bound_text {
                let value: f64 = text.parse()?;
                ensure!(value.fract() == 0.0, "{name} has a bound that is no whole number");
                write!(shapes, ".{bound}({})", grouped(&value.to_string()))?;
            }
        }
        let published = model.overridden(&format!("shape {name}"), "pattern");
        if let Some(published) = published.or(shape.text("pattern")) {
            let first = name.to_shouty_snake_case();
            write!(shapes, ".pattern(&PATTERN_{first})")?;
            patterns.insert((first, published.to_owned()));
        }
        if shape.is("sensitive") {
            shapes.push_str(".sensitive()");
        }
        shapes.push_str(";\n");
        if shape.text("type") == Some("structure") {
            shapes.push('\n');
        }
    }
    // Shapes with the same pattern share it.
    let mut first_with: BTreeMap<&str, &str> = BTreeMap::new();
    let mut statics = String::new();
    for (name, published) in &patterns {
        if let Some(first) = first_with.get(published.as_str()) {
            shapes = shapes.replace(&format!(".pattern(&PATTERN_{name})"), &format!(".pattern(&PATTERN_{first})"));
        } else {
            first_with.insert(published, name);
            let made = made_pattern(published)?;
            writeln!(statics, "static PATTERN_{name}: Pattern = {made};")?;
        }
    }
    Ok(format!(
        "//! What each request may hold: one line a member, where it travels and what shape it has.\n\
         #![expect(missing_docs, reason = \"the names are the model's\")]\n\n\
         use crate::model::{{Kind, Location, Pattern, Shape, optional, pattern, required, shape, split_pattern}};\n\
         use Location::{{Body, Header, Path, Payload, Query}};\n\n{statics}\n{shapes}"
    ))
}

fn table_line(member: &Member) -> String {
    let location = match member.location.as_str() {
        "uri" => format!("Path({:?})", member.wire_name),
        "querystring" => format!("Query({:?})", member.wire_name),
        "header" => format!("Header({:?})", member.wire_name.to_lowercase()),
        _ if member.payload => "Payload".to_owned(),
        _ => "Body".to_owned(),
    };
    // What lies beside the document is whatever bytes came; there is nothing to miss.
    let kind = if member.required && !member.beside { "required" } else { "optional" };
    let shape = if member.open { "STRING".to_owned() } else { constant(&member.shape) };
    format!("{kind}({:?}, {location}, &{shape})", member.name)
}

/// How a published pattern is matched. Java's `\d`, `\s` and `\w` know only ASCII.
fn made_pattern(published: &str) -> Result<String> {
    let split = LOOK_AROUND.iter().find(|(text, ..)| *text == published);
    let (must, must_not) = match split {
        Some((_, must, must_not)) => (ascii(must), must_not.map(ascii)),
        None => (ascii(published), None),
    };
    for pattern in [Some(&must), must_not.as_ref()].into_iter().flatten() {
        regex::Regex::new(&format!(r"\A(?:{pattern})\z")).with_context(|| {
            format!("a new pattern that cannot be matched as it stands; split it in LOOK_AROUND: {published}")
        })?;
    }
    Ok(if must == published && must_not.is_none() {
        format!("pattern({})", raw(published))
    } else {
        let must_not = must_not.map_or("None".to_owned(), |text| format!("Some({})", raw(&text)));
        format!("split_pattern({}, {}, {must_not})", raw(published), raw(&must))
    })
}

fn ascii(pattern: &str) -> String {
    // `[\s\S]` is everything in either meaning.
    let kept = pattern.replace(r"[\s\S]", "\u{1}");
    kept.replace(r"\d", "[0-9]").replace(r"\s", r"\t\n\x0B\f\r ").replace('\u{1}', r"[\s\S]")
}

fn raw(text: &str) -> String {
    if text.contains('"') { format!("r#\"{text}\"#") } else { format!("r\"{text}\"") }
}

/// The order in which AWS prints an enum's values: buckets of a Java hash table of 32, later values of the model first
/// within one. It explains every list recorded.
fn as_java_prints<'a>(values: &[&'a str]) -> Vec<&'a str> {
    let bucket = |value: &str| {
        let hash = value.encode_utf16().fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
        hash & 31
    };
    let mut printed: Vec<&str> = values.iter().rev().copied().collect();
    printed.sort_by_key(|value| bucket(value));
    printed
}

fn operations(model: &Model) -> Result<String> {
    let (mut variants, mut specs, mut markers) = (String::new(), String::new(), String::new());
    for (name, operation) in &model.operations {
        let http = operation.get("http").context("an operation without http")?;
        let uri = http.text("requestUri").context("an operation without path")?;
        let (path, literal) = match uri.split_once('?') {
            Some((path, literal)) => {
                let (key, value) = literal.split_once('=').context("a query literal without =")?;
                (path, format!("Some(({key:?}, {value:?}))"))
            }
            None => (uri, "None".to_owned()),
        };
        let modelled = http.get("responseCode").map(Json::to_string);
        let status = model.overridden(&format!("operation {name}"), "status");
        let status: u16 = status.map(str::to_owned).or(modelled).context("no status")?.parse()?;
        let status = match status {
            200 => "OK",
            201 => "CREATED",
            202 => "ACCEPTED",
            204 => "NO_CONTENT",
            other => bail!("{name} answers {other}, which this generator does not know"),
        };
        let input = operation.get("input").and_then(|input| input.text("shape"));
        let input = input.with_context(|| format!("{name} has no input"))?;
        let output = operation.get("output").and_then(|output| output.text("shape"));
        let output = output.map_or("()".to_owned(), |output| format!("types::{output}"));
        let method = http.text("method").context("an operation without method")?;
        writeln!(variants, "{name},")?;
        writeln!(
            specs,
            "spec({name:?}, Method::{method}, {path:?}, {literal}, StatusCode::{status}, &schema::{}),",
            constant(input)
        )?;
        writeln!(markers, "{name}: types::{input} => {output},")?;
    }
    let count = model.operations.len();
    Ok(format!(
        "//! The operations of the API: where each is reached, what it answers with, its types.\n\
         #![expect(missing_docs, reason = \"the names are the model's\")]\n\n\
         use http::{{Method, StatusCode}};\n\n\
         use super::{{schema, types}};\nuse crate::model::{{Shape, Spec, api_operations}};\n\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]\npub enum Operation {{\n{variants}}}\n\n\
         impl Operation {{\n/// All of them, in the model's order.\n\
         pub const ALL: [Operation; {count}] = [\n{}\n];\n\n\
         /// What the model says of it.\npub fn spec(self) -> &'static Spec {{ &SPECS[self as usize] }}\n\n\
         /// Its name.\npub fn name(self) -> &'static str {{ self.spec().name }}\n}}\n\n\
         const fn spec(name: &'static str, method: Method, path: &'static str, \
         query_literal: Option<(&'static str, &'static str)>, status: StatusCode, input: &'static Shape) -> Spec \
         {{ Spec {{ name, method, path, query_literal, status, input }} }}\n\n\
         static SPECS: [Spec; {count}] = [\n{specs}];\n\napi_operations! {{\n{markers}}}\n",
        all("Operation", &variants)
    ))
}

fn errors(model: &Model) -> Result<String> {
    let mut table: BTreeMap<String, [String; 3]> = BTreeMap::new();
    for (name, shape) in &model.shapes {
        if !shape.is("exception") {
            continue;
        }
        let error = shape.get("error").with_context(|| format!("{name} has no status"))?;
        let status = error.get("httpStatusCode").context("no status")?;
        let key = shape.entries("members").map(|(key, _)| key.as_str()).find(|key| key.eq_ignore_ascii_case("message"));
        let key = key.with_context(|| format!("{name} has no text"))?;
        let fault = if shape.is("fault") { "Service" } else { "User" };
        table.insert(name.clone(), [status.to_string(), key.to_owned(), fault.to_owned()]);
    }
    for line in &model.errors {
        let row = [line[1].clone(), line[2].clone(), line[3].clone()];
        let before = table.insert(line[0].clone(), row);
        ensure!(before.is_none(), "errors.tsv: {} is in the model", line[0]);
    }
    let (mut variants, mut rows) = (String::new(), String::new());
    for (name, [status, key, fault]) in &table {
        let short = name.strip_suffix("Exception").with_context(|| format!("what is {name}?"))?;
        let fault = if fault == "-" { "None".to_owned() } else { format!("Some({fault:?})") };
        writeln!(variants, "{},", short.to_upper_camel_case())?;
        writeln!(rows, "error({name:?}, {status}, {key:?}, {fault}),")?;
    }
    let count = table.len();
    Ok(format!(
        "//! The errors that clients know, and how each looks on the wire. Nobody else types a status.\n\
         #![expect(missing_docs, reason = \"the names are AWS's\")]\n\n\
         use crate::model::ErrorShape;\n\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]\npub enum ErrorCode {{\n{variants}}}\n\n\
         impl ErrorCode {{\n/// All of them, by name.\n\
         pub const ALL: [ErrorCode; {count}] = [\n{}\n];\n\n\
         /// How it looks on the wire.\npub const fn shape(self) -> ErrorShape {{ ERRORS[self as usize] }}\n}}\n\n\
         const fn error(name: &'static str, status: u16, message_key: &'static str, \
         fault: Option<&'static str>) -> ErrorShape {{ ErrorShape {{ name, status, message_key, fault }} }}\n\n\
         const ERRORS: [ErrorShape; {count}] = [\n{rows}];\n",
        all("ErrorCode", &variants)
    ))
}

/// The variants as a list of values.
fn all(name: &str, variants: &str) -> String {
    variants.lines().fold(String::new(), |list, variant| list + name + "::" + variant)
}

/// A number with its thousands set apart.
fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    let mut text = sign.to_owned();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && digits.len() > 4 {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

fn constant(shape: &str) -> String {
    shape.to_shouty_snake_case()
}

fn field(member: &str) -> String {
    match member.to_snake_case().as_str() {
        "type" => "r#type".to_owned(),
        name => name.to_owned(),
    }
}

/// What serde's rename makes of a field's name.
fn pascal(field: &str) -> String {
    field
        .trim_start_matches("r#")
        .split('_')
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map_or(String::new(), |first| first.to_ascii_uppercase().to_string() + letters.as_str())
        })
        .collect()
}

/// `python3.12` becomes `Python3_12`, `RESPONSE_STREAM` becomes `ResponseStream`.
fn variant(value: &str) -> String {
    let mut name = String::new();
    for word in value.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let digits = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_digit());
        if digits(name.chars().last()) && digits(word.chars().next()) {
            name.push('_');
        }
        let shouted = !word.chars().any(|letter| letter.is_ascii_lowercase());
        let (first, rest) = word.split_at(1);
        name.push_str(&first.to_ascii_uppercase());
        name.push_str(&if shouted { rest.to_ascii_lowercase() } else { rest.to_owned() });
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enum_values_stand_in_the_order_recorded() {
        // Recorded: test_create_lambda_exceptions, test_lambda_url_invalid_invoke_mode, test_put_function_recursion_config_invalid_value.
        for (model, printed) in [
            (["x86_64", "arm64"], ["x86_64", "arm64"]),
            (["BUFFERED", "RESPONSE_STREAM"], ["RESPONSE_STREAM", "BUFFERED"]),
            (["Allow", "Terminate"], ["Terminate", "Allow"]),
        ] {
            assert_eq!(as_java_prints(&model), printed);
        }
    }

    #[test]
    fn names_of_values_are_names_of_variants() {
        for (value, name) in [
            ("python3.12", "Python3_12"),
            ("nodejs22.x", "Nodejs22X"),
            ("nodejs4.3-edge", "Nodejs4_3Edge"),
            ("RESPONSE_STREAM", "ResponseStream"),
            ("x86_64", "X86_64"),
            ("RequestResponse", "RequestResponse"),
        ] {
            assert_eq!(variant(value), name);
        }
    }

    #[test]
    fn what_is_checked_in_is_what_the_model_says() {
        run(&["--check".to_owned()]).unwrap();
    }

    #[test]
    fn prose_goes_and_names_stay() {
        let model = r#"{"documentation":"p","shapes":{"A":{"documentation":"p","members":{"documentation":{"shape":"B","documentation":"p"}}}}}"#;
        let model: Json = serde_json::from_str(model).unwrap();
        let bare = serde_json::to_string(&without_prose(&model, false)).unwrap();
        assert_eq!(bare, r#"{"shapes":{"A":{"members":{"documentation":{"shape":"B"}}}}}"#);
    }
}
