//! Which folders are functions: those with a `lambd.toml`, and those whose files leave no doubt.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use domain::names::FunctionName;
use serde::Deserialize;

/// How deep below the folder given to `up` functions are looked for.
const DEPTH_MAX: usize = 4;
/// Folders in which nobody keeps functions.
const SKIPPED: [&str; 6] = ["node_modules", "target", "__pycache__", "venv", "dist", "build"];
/// The longest file in which a handler is looked for.
const SOURCE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The name of the file that describes a function.
pub(super) const DESCRIPTION: &str = "lambd.toml";

/// A `lambd.toml`.
#[expect(clippy::struct_field_names, reason = "its fields are the file's keys")]
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

/// What a look at all folders has found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The folders that are functions, or should be, by path.
    pub(super) folders: Vec<Result<Folder, Unclear>>,
    /// The folders that could not be looked into, and why: what is in them is not known to be gone.
    pub(super) unreadable: Vec<Unclear>,
}

/// Finds the functions at and below `root`, but not in the folder `except`, which has no links in its path.
pub(super) fn find(root: &Path, except: &Path) -> Found {
    let mut found = Found::default();
    walk(root, except, 0, &mut found);
    found
}

fn walk(path: &Path, except: &Path, depth: usize, found: &mut Found) {
    let names = match names_in(path) {
        Ok(names) => names,
        // Gone since it was listed: the next look will not meet it.
        Err(error) if error.kind() == io::ErrorKind::NotFound && depth > 0 => return,
        Err(error) => {
            let why = format!("it cannot be read: {error}");
            return found.unreadable.push(Unclear { path: path.to_owned(), why });
        }
    };
    if let Some(result) = read(path, &names) {
        return found.folders.push(result);
    }
    if depth == DEPTH_MAX {
        return;
    }
    for name in names.iter().filter(|name| !name.starts_with('.') && !SKIPPED.contains(&name.as_str())) {
        let below = path.join(name);
        // Links are not followed: what they lead to is found where it is.
        let is_folder = std::fs::symlink_metadata(&below).is_ok_and(|data| data.is_dir());
        if is_folder && below.canonicalize().is_ok_and(|below| below != except) {
            walk(&below, except, depth + 1, found);
        }
    }
}

/// The names in a folder that are text, in order.
fn names_in(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

/// What a folder is: `None` if nothing hints at a function.
fn read(path: &Path, names: &[String]) -> Option<Result<Folder, Unclear>> {
    let unclear = |why: String| Some(Err(Unclear { path: path.to_owned(), why }));
    let described = path.join(DESCRIPTION);
    let description: Option<Description> = match std::fs::read_to_string(&described) {
        Ok(text) => match toml::from_str(&text) {
            Ok(description) => Some(description),
            Err(mistake) => return unclear(format!("{DESCRIPTION} is not right: {}", mistake.to_string().trim_end())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return unclear(format!("{DESCRIPTION} cannot be read: {error}")),
    };
    let is_described = description.is_some();
    let description = description.unwrap_or_default();
    let recognised = recognise(path, names);
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
        (_, _, Recognised::Nothing) if path.join("bootstrap").is_file() => {
            return unclear("its bootstrap is not executable: chmod +x it".to_owned());
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
fn recognise(path: &Path, names: &[String]) -> Recognised {
    let mut candidates: Vec<(&'static str, String)> = Vec::new();
    for name in names {
        let file = path.join(name);
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
        // A pipe would never end; a file beyond any source tells nothing.
        let is_source = std::fs::metadata(&file).is_ok_and(|data| data.is_file() && data.len() <= SOURCE_BYTES_MAX);
        let text = if is_source { std::fs::read_to_string(&file).unwrap_or_default() } else { String::new() };
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
        let found = find(root.path(), Path::new("/nowhere")).folders;
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
        check(&[("bootstrap", "#!/bin/sh\n")], Err("bootstrap is not executable"));
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
        let root = folder(&[("README.md", "x"), ("util.py", "def help(): pass\n")]);
        let found = find(root.path(), Path::new("/nowhere"));
        assert_eq!((found.folders, found.unreadable), (Vec::new(), Vec::new()));
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_gone() {
        let found = find(Path::new("/nowhere/at/all"), Path::new("/nowhere"));
        assert!(found.folders.is_empty());
        assert!(found.unreadable[0].why.starts_with("it cannot be read: "), "{found:?}");

        // A description that is a folder cannot be read, whoever asks.
        let root = folder(&[("a.py", "def handler(e, c): pass\n")]);
        std::fs::create_dir(root.path().join("fn/lambd.toml")).unwrap();
        let found = find(root.path(), Path::new("/nowhere")).folders;
        assert!(matches!(&found[..], [Err(unclear)] if unclear.why.contains("cannot be read")), "{found:?}");
    }

    #[test]
    fn the_folder_excepted_and_what_links_lead_to_are_left_alone() {
        let root = folder(&[("a.py", "def handler(e, c): pass\n")]);
        let place = root.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(place.join("fn"), place.join("link")).unwrap();
        std::os::unix::fs::symlink(&place, place.join("up")).unwrap();
        assert_eq!(find(&place, Path::new("/nowhere")).folders.len(), 1);
        assert_eq!(find(&place, &place.join("fn")).folders.len(), 0);
    }
}
