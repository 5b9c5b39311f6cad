//! Which crate may name which, and what may come from outside: licences, sources, duplicate versions. Read from
//! `cargo metadata` as it resolves for Linux, our platform. For people who have it, `deny.toml` tells cargo-deny the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::Findings;
use crate::process::{cargo, read, root};

const PLATFORM: &str = "x86_64-unknown-linux-gnu";
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Who may name whom (ARCHITECTURE.md, the picture): in the product, and in tests also.
const EDGES: &[(&str, &[&str], &[&str])] = &[
    ("domain", &[], &[]),
    ("engine", &["domain"], &["testkit", "store"]),
    ("wire", &["domain", "engine"], &["testkit"]),
    ("store", &["domain", "engine"], &["testkit"]),
    ("sandbox", &["domain", "engine"], &["testkit"]),
    ("courier", &["domain", "engine"], &["testkit"]),
    ("app", &["domain", "engine", "wire", "store", "sandbox", "courier"], &["testkit"]),
    ("testkit", &["domain", "engine"], &[]),
    ("xtask", &[], &[]),
];

/// All that the domain may name from outside: small, pure, without clock, chance or input and output.
const DOMAIN_MAY: &[&str] = &["bytes", "data-encoding", "jiff", "md-5", "serde", "serde_json", "uuid"];
/// The engine cannot say HTTP, SQL or Linux.
const ENGINE_MUST_NOT: &[&str] = &["http", "http-body", "hyper", "hyper-util", "libc", "rusqlite", "rustix"];
/// The official SDK belongs to the courier; tests may call us with it.
const SDK: &[&str] = &["aws-sdk-", "aws-config", "aws-credential-types", "aws-runtime", "aws-smithy-", "aws-types"];
const SDK_ROOM: &str = "courier";

const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Unlicense",
    "CC0-1.0",
    "0BSD",
    "Zlib",
    "Unicode-3.0",
];
/// Versions of one crate that the product has twice, each with the reason. The list may only get shorter.
const DUPLICATES: &str = "xtask/duplicates.txt";

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

/// As the manifest names it.
#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    path: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Deserialize)]
struct EdgeKind {
    kind: Option<String>,
}

pub(super) fn check() -> Result<Findings> {
    let mut command = cargo();
    command.args(["metadata", "--format-version", "1", "--filter-platform", PLATFORM]);
    let metadata: Metadata = serde_json::from_str(&read(&mut command)?).context("reading cargo's metadata")?;
    let tolerated = fs::read_to_string(root().join(DUPLICATES)).with_context(|| format!("reading {DUPLICATES}"))?;
    let mut findings = Findings::new();
    for package in &metadata.packages {
        match &package.source {
            None => findings.extend(names(package)),
            Some(source) if source == REGISTRY => {}
            Some(source) => findings.push(format!(
                "{} {} comes from {source}: crates come from the registry, so that they stay to be had",
                package.name, package.version
            )),
        }
        findings.extend(licence(package));
        if package.source.is_none() {
            findings.extend(lints(package)?);
        }
    }
    findings.extend(duplicates(&metadata, &tolerated));
    Ok(findings)
}

/// What a crate of ours names that it may not.
fn names(package: &Package) -> Findings {
    let Some((_, product, tests)) = EDGES.iter().find(|(name, ..)| *name == package.name) else {
        return vec![format!(
            "the crate {} is new: it needs its place in ARCHITECTURE.md and in EDGES of xtask/src/tidy/crates.rs",
            package.name
        )];
    };
    let may_not = |dependency: &Dependency| -> Option<String> {
        let in_tests = dependency.kind.as_deref() == Some("dev");
        let name = dependency.name.as_str();
        if dependency.path.is_some() {
            let allowed = product.contains(&name) || (in_tests && tests.contains(&name));
            return (!allowed).then(|| "ARCHITECTURE.md has no such arrow".to_owned());
        }
        if in_tests {
            return None;
        }
        if package.name != SDK_ROOM && SDK.iter().any(|start| name.starts_with(start)) {
            return Some(format!("only {SDK_ROOM} speaks to AWS, by its SDK"));
        }
        match package.name.as_str() {
            "domain" if !DOMAIN_MAY.contains(&name) => {
                Some("domain is pure: std and the crates of DOMAIN_MAY in xtask/src/tidy/crates.rs".to_owned())
            }
            "engine" if ENGINE_MUST_NOT.contains(&name) => Some("engine cannot say HTTP, SQL or Linux".to_owned()),
            _ => None,
        }
    };
    let finding = |dependency: &Dependency| {
        may_not(dependency).map(|why| format!("{} may not name {}: {why}", package.name, dependency.name))
    };
    package.dependencies.iter().filter_map(finding).collect()
}

fn licence(package: &Package) -> Option<String> {
    let Some(licence) = &package.license else {
        return Some(format!("{} {} names no licence", package.name, package.version));
    };
    (!is_allowed(licence)).then(|| {
        format!(
            "{} {} is under {licence}, which LICENCES of xtask/src/tidy/crates.rs does not allow",
            package.name, package.version
        )
    })
}

/// Whether a licence expression (SPDX; `/` is an older way to write OR) leaves us a way that is allowed.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any_of(&mut rest) && rest.is_empty()
}

fn any_of(rest: &mut &[&str]) -> bool {
    let mut allowed = all_of(rest);
    while rest.first() == Some(&"OR") {
        *rest = &rest[1..];
        allowed |= all_of(rest);
    }
    allowed
}

fn all_of(rest: &mut &[&str]) -> bool {
    let mut allowed = one(rest);
    while rest.first() == Some(&"AND") {
        *rest = &rest[1..];
        allowed &= one(rest);
    }
    allowed
}

fn one(rest: &mut &[&str]) -> bool {
    let (Some(&first), mut after) = (rest.first(), rest.get(1..).unwrap_or_default()) else { return false };
    if first == "(" {
        *rest = after;
        let allowed = any_of(rest);
        *rest = rest.get(1..).unwrap_or_default();
        return allowed;
    }
    let mut name = first.to_owned();
    if let ["WITH", exception, behind @ ..] = after {
        name = format!("{first} WITH {exception}");
        after = behind;
    }
    *rest = after;
    LICENCES.contains(&name.as_str())
}

/// `unsafe_code` and the rest are denied by the workspace's lints, which a crate must ask for.
fn lints(package: &Package) -> Result<Option<String>> {
    let text =
        fs::read_to_string(&package.manifest_path).with_context(|| format!("reading {}", package.manifest_path))?;
    let asked =
        text.split("\n[lints]\n").nth(1).is_some_and(|section| section.trim_start().starts_with("workspace = true"));
    Ok((!asked).then(|| format!("{} has no `[lints] workspace = true`", package.name)))
}

/// Crates that the product, without what only tests use, has in more than one version.
fn duplicates(metadata: &Metadata, tolerated: &str) -> Findings {
    let nodes: HashMap<&str, &Node> = metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let mut todo: Vec<&str> = metadata
        .packages
        .iter()
        .filter(|package| package.source.is_none() && package.name == "app")
        .map(|package| package.id.as_str())
        .collect();
    let mut product = BTreeSet::new();
    while let Some(id) = todo.pop() {
        if !product.insert(id) {
            continue;
        }
        let edges = nodes.get(id).map_or(&[][..], |node| &node.deps);
        let shipped = |edge: &&Edge| edge.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev"));
        todo.extend(edges.iter().filter(shipped).map(|edge| edge.pkg.as_str()));
    }
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in metadata.packages.iter().filter(|package| product.contains(package.id.as_str())) {
        versions.entry(&package.name).or_default().insert(&package.version);
    }
    versions.retain(|_, versions| versions.len() > 1);

    let tolerated: BTreeMap<&str, &str> = tolerated
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| line.split_once(": ").unwrap_or((line, "")))
        .collect();
    let mut findings = Findings::new();
    for (name, versions) in &versions {
        let versions = versions.iter().copied().collect::<Vec<_>>().join(" and ");
        match tolerated.get(name) {
            None => findings.push(format!(
                "{name} is there in {versions}: `cargo tree --duplicates` shows why; choose versions that agree"
            )),
            Some(&"") => findings.push(format!("{DUPLICATES} gives no reason for {name}")),
            Some(_) => {}
        }
    }
    for name in tolerated.keys().filter(|name| !versions.contains_key(*name)) {
        findings.push(format!("{name} is there once only: take its line out of {DUPLICATES}"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_expressions() {
        for (expression, allowed) in [
            ("MIT", true),
            ("MIT OR Apache-2.0", true),
            ("Apache-2.0/MIT", true),
            ("GPL-3.0-only", false),
            ("GPL-3.0-only OR MIT", true),
            ("GPL-3.0-only AND MIT", false),
            ("(MIT OR GPL-2.0) AND Unicode-3.0", true),
            ("(MIT OR GPL-2.0) AND MPL-2.0", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("GPL-2.0 WITH Classpath-exception-2.0", false),
            ("Apache-2.0 WITH Something-else", false),
            ("", false),
            ("MIT )", false),
        ] {
            assert_eq!(is_allowed(expression), allowed, "{expression}");
        }
    }

    fn package(name: &str, dependency: &str, kind: Option<&str>, path: Option<&str>) -> Package {
        Package {
            id: name.into(),
            name: name.into(),
            version: "0.1.0".into(),
            license: None,
            source: None,
            manifest_path: String::new(),
            dependencies: vec![Dependency {
                name: dependency.into(),
                kind: kind.map(Into::into),
                path: path.map(Into::into),
            }],
        }
    }

    #[test]
    fn arrows_point_downwards() {
        for (name, dependency, kind, ours, fine) in [
            ("engine", "domain", None, true, true),
            ("domain", "engine", None, true, false),
            ("wire", "store", None, true, false),
            ("wire", "testkit", None, true, false),
            ("wire", "testkit", Some("dev"), true, true),
            ("store", "wire", Some("dev"), true, false),
            ("domain", "tokio", None, false, false),
            ("domain", "proptest", Some("dev"), false, true),
            ("engine", "hyper", None, false, false),
            ("app", "aws-sdk-sqs", None, false, false),
            ("courier", "aws-sdk-sqs", None, false, true),
            ("newcomer", "serde", None, false, false),
        ] {
            let findings = names(&package(name, dependency, kind, ours.then_some("crates")));
            assert_eq!(findings.is_empty(), fine, "{name} -> {dependency}: {findings:?}");
        }
    }
}
