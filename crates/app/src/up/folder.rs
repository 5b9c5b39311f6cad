//! Which folders are functions: those with a `lambd.toml`, and those whose files leave no doubt.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use domain::names::FunctionName;
use serde::Deserialize;

/// How deep below the folder given to `up` functions are looked for.
const DEPTH_MAX: usize = 4;
/// Folders in which nobody keeps functions.
const SKIPPED: [&str; 6] = ["node_modules", "target", "__pycache__", "venv", "dist", "build"];
/// The name of the file that describes a function.
pub(super) const DESCRIPTION: &str = "lambd.toml";

/// A `lambd.toml`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Description {
    /// The function's name; the folder's, if not given.
    name: Option<String>,
    /// The runtime; recognised by the files, if not given.
    runtime: Option<String>,
    /// The handler; recognised by the files, if not given.
    handler: Option<String>,
    /// MB.
    pub(super) memory: Option<u32>,
    /// Seconds.
    pub(super) timeout: Option<u32>,
    /// Free text.
    pub(super) description: Option<String>,
    /// Environment variables.
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    /// What makes the package, run by `sh -c` in the folder before each deployment.
    pub(super) build: Option<String>,
    /// What goes into the package instead of the whole folder: files and folders, each put at the package's top.
    pub(super) package: Option<Vec<PathBuf>>,
}

/// A folder that is a function.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) name: FunctionName,
    pub(super) runtime: Wanted,
    pub(super) handler: String,
    pub(super) description: Description,
}

/// Which runtime a folder wants.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wanted {
    /// This one.
    Exactly(String),
    /// The newest of the family that this machine has.
    Newest(&'static str),
}

/// A folder that looks like a function and cannot be one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unclear {
    pub(super) path: PathBuf,
    /// What is wrong and what to do.
    pub(super) why: String,
}

/// Finds the functions at and below `root`, by path.
pub(super) fn find(root: &Path) -> Vec<Result<Folder, Unclear>> {
    let mut found = Vec::new();
    walk(root, 0, &mut found);
    found
}

fn walk(path: &Path, depth: usize, found: &mut Vec<Result<Folder, Unclear>>) {
    if let Some(result) = read(path) {
        found.push(result);
        return;
    }
    let Ok(entries) = std::fs::read_dir(path) else { return };
    let mut below: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            !name.starts_with('.') && !SKIPPED.contains(&&*name)
        })
        .collect();
    below.sort();
    if depth < DEPTH_MAX {
        below.iter().for_each(|path| walk(path, depth + 1, found));
    }
}

/// What a folder is: `None` if nothing hints at a function.
fn read(path: &Path) -> Option<Result<Folder, Unclear>> {
    let unclear = |why: String| Some(Err(Unclear { path: path.to_owned(), why }));
    let described = path.join(DESCRIPTION);
    let description: Option<Description> = match std::fs::read_to_string(&described) {
        Ok(text) => match toml::from_str(&text) {
            Ok(description) => Some(description),
            Err(mistake) => return unclear(format!("{DESCRIPTION} is not right: {mistake}")),
        },
        Err(_) => None,
    };
    let is_described = description.is_some();
    let description = description.unwrap_or_default();
    let recognised = recognise(path);
    let (runtime, handler) = match (&description.runtime, &description.handler, recognised) {
        (Some(runtime), Some(handler), _) => (Wanted::Exactly(runtime.clone()), handler.clone()),
        // The handler of an OS-only runtime is its own business; nearly all ignore it.
        (Some(runtime), None, _) if runtime.starts_with("provided") => {
            (Wanted::Exactly(runtime.clone()), "bootstrap".to_owned())
        }
        (runtime, handler, Recognised::As(seen, seen_handler)) => {
            let runtime = runtime.clone().map_or(Wanted::Newest(seen), Wanted::Exactly);
            (runtime, handler.clone().unwrap_or(seen_handler))
        }
        (_, _, Recognised::Nothing) if !is_described => return None,
        (_, _, Recognised::Nothing) => {
            return unclear(format!("{DESCRIPTION} must name runtime and handler: the files do not tell them"));
        }
        (_, _, Recognised::Several(candidates)) => {
            return unclear(format!(
                "it may be any of {}: name runtime and handler in a {DESCRIPTION}",
                candidates.join(", ")
            ));
        }
    };
    let name = description.name.clone().or_else(|| {
        let absolute = std::path::absolute(path).ok()?;
        Some(absolute.components().next_back()?.as_os_str().to_string_lossy().into_owned())
    });
    let name = name.unwrap_or_default();
    match FunctionName::parse(&name).filter(FunctionName::for_creation) {
        Some(name) => Some(Ok(Folder { path: path.to_owned(), name, runtime, handler, description })),
        None => unclear(format!(
            "{name:?} cannot be a function's name (letters, digits, - and _, at most 64): give it a name in a {DESCRIPTION}"
        )),
    }
}

enum Recognised {
    Nothing,
    /// A family of runtimes, and the handler.
    As(&'static str, String),
    Several(Vec<String>),
}

/// What the files at the top of a folder say.
fn recognise(path: &Path) -> Recognised {
    let Ok(entries) = std::fs::read_dir(path) else { return Recognised::Nothing };
    let mut candidates: Vec<(&'static str, String)> = Vec::new();
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    for name in names {
        let file = path.join(&name);
        if name == "bootstrap" && is_executable(&file) {
            candidates.push(("provided", "bootstrap".to_owned()));
        }
        let Some((stem, extension)) = name.rsplit_once('.') else { continue };
        let exported: &[(&str, &str)] = match extension {
            "py" => &[("def lambda_handler(", "lambda_handler"), ("def handler(", "handler")],
            "js" | "mjs" | "cjs" => &[
                ("exports.handler", "handler"),
                ("export const handler", "handler"),
                ("export async function handler", "handler"),
                ("export function handler", "handler"),
            ],
            _ => continue,
        };
        let family = if extension == "py" { "python" } else { "nodejs" };
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let handler = exported.iter().find(|(sign, _)| {
            text.lines().any(|line| {
                line.starts_with(sign)
                    || line.strip_prefix("async ").is_some_and(|l| l.starts_with(sign))
                    || line.starts_with(&format!("module.{sign}"))
            })
        });
        if let Some((_, function)) = handler {
            candidates.push((family, format!("{stem}.{function}")));
        }
    }
    match candidates.len() {
        0 => Recognised::Nothing,
        1 => candidates.pop().map_or(Recognised::Nothing, |(family, handler)| Recognised::As(family, handler)),
        _ => {
            Recognised::Several(candidates.into_iter().map(|(family, handler)| format!("{family} {handler}")).collect())
        }
    }
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("fn");
        std::fs::create_dir(&place).unwrap();
        for (name, text) in files {
            std::fs::write(place.join(name), text).unwrap();
        }
        root
    }

    fn check(files: &[(&str, &str)], expected: Result<(&str, Wanted, &str), &str>) {
        let root = folder(files);
        let found = find(root.path());
        assert_eq!(found.len(), 1, "{found:?}");
        match (&found[0], expected) {
            (Ok(folder), Ok((name, runtime, handler))) => {
                assert_eq!((folder.name.as_str(), &folder.runtime, folder.handler.as_str()), (name, &runtime, handler));
            }
            (Err(unclear), Err(part)) => assert!(unclear.why.contains(part), "{} lacks {part:?}", unclear.why),
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn files_that_leave_no_doubt_are_enough() {
        let python = "import json\n\ndef lambda_handler(event, context):\n    return 1\n";
        check(
            &[("lambda_function.py", python)],
            Ok(("fn", Wanted::Newest("python"), "lambda_function.lambda_handler")),
        );
        check(&[("app.py", "def handler(e, c): pass\n")], Ok(("fn", Wanted::Newest("python"), "app.handler")));
        let module = "export const handler = async () => 1;\n";
        check(
            &[("index.mjs", module), ("lib.mjs", "export const x = 1;\n")],
            Ok(("fn", Wanted::Newest("nodejs"), "index.handler")),
        );
        check(
            &[("index.js", "module.exports.handler = async () => 1\n")],
            Ok(("fn", Wanted::Newest("nodejs"), "index.handler")),
        );
    }

    #[test]
    fn doubt_is_said_and_not_guessed() {
        let python = "def handler(e, c): pass\n";
        check(&[("a.py", python), ("b.py", python)], Err("it may be any of python a.handler, python b.handler"));
        check(&[("lambd.toml", "memory = 256\n")], Err("must name runtime and handler"));
        check(&[("lambd.toml", "memry = 256\n")], Err("unknown field `memry`"));
        check(&[("lambd.toml", "name = \"a b\"\n"), ("a.py", python)], Err("cannot be a function's name"));
    }

    #[test]
    fn what_is_described_wins() {
        let toml = "name = \"thumbs\"\nruntime = \"python3.12\"\nmemory = 512\n[environment]\nWIDTH = \"100\"\n";
        check(
            &[("lambd.toml", toml), ("a.py", "def handler(e, c): pass\n")],
            Ok(("thumbs", Wanted::Exactly("python3.12".into()), "a.handler")),
        );
        check(
            &[("lambd.toml", "runtime = \"provided.al2023\"\n")],
            Ok(("fn", Wanted::Exactly("provided.al2023".into()), "bootstrap")),
        );
    }

    #[test]
    fn a_folder_of_other_things_is_no_function() {
        assert_eq!(find(folder(&[("README.md", "x"), ("util.py", "def help(): pass\n")]).path()), Vec::new());
    }
}
