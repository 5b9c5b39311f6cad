//! Which interpreters this machine has, and which runtime each of them can run.
//!
//! Named in the settings, or found by version in the engine's PATH and where distributions and version managers put
//! them. Asking an interpreter for its version costs tens of milliseconds, so it is done in the background, and what
//! came of it is kept by path, size and time of change: a restart asks nobody.
//! Never here: how a runtime is started.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use domain::runtime::{Family, Runtime};
use engine::tasks::{self, Task};
use rustix::event::Timespec;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::clients;
use crate::launcher::end_with_us;
use crate::settings::RuntimeSetting;

/// An interpreter that runs some runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interpreter {
    /// What is executed.
    pub command: PathBuf,
    /// All three numbers of its version.
    pub version: Version,
    /// A folder of packages for its functions.
    pub packages: Option<PathBuf>,
}

/// Major, minor, patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// Whether it is the one that a runtime names: Python by major and minor, Node by major.
    fn serves(self, runtime: Runtime) -> bool {
        match runtime.family() {
            Family::Python => runtime.version() == format!("{}.{}", self.0, self.1),
            Family::Node => runtime.version() == self.0.to_string(),
            Family::Provided | Family::Java | Family::Ruby | Family::DotNet => false,
        }
    }

    /// `3.12.1`, with or without a `v` before it.
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim().trim_start_matches('v').splitn(3, '.').map(|number| {
            let digits = number.find(|c: char| !c.is_ascii_digit()).map_or(number, |end| &number[..end]);
            digits.parse().ok()
        });
        Some(Self(numbers.next()??, numbers.next()??, numbers.next()??))
    }
}

/// What is known about runtimes, once the search is over.
#[derive(Clone, Debug, Default)]
struct Found {
    interpreters: BTreeMap<&'static str, Result<Interpreter, String>>,
}

/// See the module.
pub(crate) struct Runtimes {
    found: watch::Receiver<Option<Arc<Found>>>,
    search: Task<()>,
}

/// Where to look, and where to keep what was found.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub named: BTreeMap<String, RuntimeSetting>,
    pub path: Vec<PathBuf>,
    pub home: Option<PathBuf>,
    pub cache: PathBuf,
    /// The folder of our Python client, in which each interpreter keeps it compiled.
    pub python_client: PathBuf,
    /// Whether functions are users of their own on the host's own paths, so that a home that is closed to others hides
    /// the interpreters in it.
    pub for_strangers: bool,
}

impl Runtimes {
    /// Starts the search.
    pub(crate) fn start(search: Search) -> Self {
        let (tell, found) = watch::channel(None);
        let search = tasks::spawn("looking for interpreters", async move {
            let compile = search.clone();
            match tasks::off_thread("looking for interpreters", move || search.run()).await {
                Ok(found) => {
                    let found = Arc::new(found);
                    tell.send_replace(Some(found.clone()));
                    let compiled =
                        tasks::off_thread("compiling the Python client", move || compile.compile_client(&found));
                    if let Err(fault) = compiled.await {
                        tracing::warn!(error = fault.chain(), "the Python client stays uncompiled");
                    }
                }
                Err(fault) => tracing::error!(error = fault.chain(), "no interpreter can be used"),
            }
        });
        Self { found, search }
    }

    /// The interpreter of a runtime that has one; the text says what to do.
    pub(crate) async fn interpreter(&self, runtime: Runtime) -> Result<Interpreter, String> {
        let mut found = self.found.clone();
        let found = found.wait_for(Option::is_some).await;
        let found = found.map_err(|_| "the search for interpreters failed; see the engine's log".to_owned())?;
        let found = found.as_ref().expect("waited for");
        found.interpreters.get(runtime.identifier()).cloned().unwrap_or_else(|| Err(other_runtime(runtime)))
    }

    /// The interpreter, if the search is over and there is one.
    pub(crate) fn known(&self, runtime: Runtime) -> Option<Interpreter> {
        self.found.borrow().as_ref()?.interpreters.get(runtime.identifier())?.clone().ok()
    }

    /// Each runtime that can be run, with its interpreter; waits for the search.
    pub(crate) async fn all(&self) -> Vec<(Runtime, Interpreter)> {
        let mut all = Vec::new();
        for runtime in Runtime::all() {
            if let Ok(interpreter) = self.interpreter(runtime).await {
                all.push((runtime, interpreter));
            }
        }
        all
    }
}

impl Drop for Runtimes {
    fn drop(&mut self) {
        self.search.abort();
    }
}

fn other_runtime(runtime: Runtime) -> String {
    format!(
        "{runtime} functions cannot be run by this engine; build one for provided.al2023, with a bootstrap that brings its own runtime"
    )
}

/// What is kept about one file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
struct Cache(BTreeMap<PathBuf, Known>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Known {
    size: u64,
    modified_at: (i64, i64),
    /// `None`: it would not tell.
    version: Option<Version>,
    /// What it says it is, where that is another file than was asked.
    real: Option<PathBuf>,
}

impl Search {
    fn run(&self) -> Found {
        let mut cache: Cache =
            fs::read(&self.cache).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let before = cache.0.len();
        let mut used = HashSet::new();
        let mut found = Found::default();
        let pythons = self.candidates(Family::Python, &mut cache, &mut used);
        let nodes = self.candidates(Family::Node, &mut cache, &mut used);
        for runtime in Runtime::all() {
            let candidates = match runtime.family() {
                Family::Python => &pythons,
                Family::Node => &nodes,
                Family::Provided | Family::Java | Family::Ruby | Family::DotNet => continue,
            };
            let interpreter = match self.named.get(runtime.identifier()) {
                Some(setting) => named(runtime, setting, &mut cache, &mut used).and_then(|named| self.reached(&named)),
                None => {
                    let fitting = candidates.iter().filter(|candidate| candidate.version.serves(runtime));
                    let mut fitting = fitting.map(|candidate| self.reached(candidate));
                    let first = fitting.next().unwrap_or_else(|| Err(missing(runtime)));
                    first.or_else(|reason| fitting.find_map(Result::ok).ok_or(reason))
                }
            };
            found.interpreters.insert(runtime.identifier(), interpreter);
        }
        cache.0.retain(|path, _| used.contains(path));
        if cache.0.len() != before || !used.is_empty() {
            // Losing it costs a second look, nothing else.
            let _ = serde_json::to_vec(&cache).map(|bytes| write_whole(&self.cache, &bytes));
        }
        found
    }

    /// The interpreter, if functions can get to it.
    fn reached(&self, interpreter: &Interpreter) -> Result<Interpreter, String> {
        if self.for_strangers && !is_open_to_others(&interpreter.command) {
            return Err(format!(
                "{} is in a folder that is closed to others, and at isolation level confined a function is another user: \
                 install an interpreter for everybody, such as in /usr/local",
                interpreter.command.display()
            ));
        }
        Ok(interpreter.clone())
    }

    /// Every interpreter of a family on this machine, the preferred first.
    fn candidates(&self, family: Family, cache: &mut Cache, used: &mut HashSet<PathBuf>) -> Vec<Interpreter> {
        let mut seen = HashSet::new();
        let mut all = Vec::new();
        for folder in self.folders(family) {
            for name in names(family) {
                let path = folder.join(&name);
                let Ok(real) = path.canonicalize() else { continue };
                if !seen.insert(real.clone()) {
                    continue;
                }
                if let Some((version, told)) = ask(&real, family, cache, used) {
                    let command = told.unwrap_or(real);
                    all.push(Interpreter { command, version, packages: None });
                }
            }
        }
        all
    }

    /// Where interpreters of a family may be.
    fn folders(&self, family: Family) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        for folder in &self.path {
            // A version manager's shims are scripts that look for the version to run at each call; what they run is
            // beside them.
            match folder.parent().filter(|_| folder.ends_with("shims")) {
                Some(manager) => folders.extend(versions(&manager.join("versions"))),
                None => folders.push(folder.clone()),
            }
        }
        folders.extend(["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from));
        let below_home = |path: &str| self.home.as_ref().map(|home| home.join(path));
        let managed: &[&str] = match family {
            Family::Python => &[".pyenv/versions", ".asdf/installs/python", ".local/share/uv/python"],
            _ => {
                &[".nvm/versions/node", ".asdf/installs/nodejs", ".local/share/fnm/node-versions", "n/n/versions/node"]
            }
        };
        folders.extend(managed.iter().filter_map(|path| below_home(path)).flat_map(|path| versions(&path)));
        let installed: &[&str] = match family {
            Family::Python => &["/opt", "/opt/python", "/opt/hostedtoolcache/Python"],
            _ => &["/opt", "/opt/hostedtoolcache/node", "/usr/local/lib/nodejs", "/usr/local/n/versions/node"],
        };
        folders.extend(installed.iter().flat_map(|path| versions(Path::new(path))));
        folders
    }

    /// Lets each Python compile our client, so that no function has to.
    fn compile_client(&self, found: &Found) {
        let pythons = found.interpreters.iter().filter(|(name, _)| name.starts_with("python"));
        for interpreter in pythons.filter_map(|(_, found)| found.as_ref().ok()) {
            let Version(major, minor, _) = interpreter.version;
            let done = self.python_client.join(format!("lambd_runtime/__pycache__/wire.cpython-{major}{minor}.pyc"));
            if done.exists() {
                continue;
            }
            let status = end_with_us(&mut Command::new(&interpreter.command))
                .args(["-I", "-S"])
                .args(clients::PYTHON_COMPILE)
                .arg(&self.python_client)
                .env_clear()
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            tracing::debug!(command = %interpreter.command.display(), ?status, "compiled the Python client");
        }
    }
}

/// Whether everybody may pass all folders on the way to a program and execute it.
fn is_open_to_others(program: &Path) -> bool {
    const EXECUTE_BY_OTHERS: u32 = 0o001;
    let is_open = |path: &Path| {
        let mut parts = path.ancestors().map(fs::metadata);
        parts.all(|about| about.is_ok_and(|about| about.mode() & EXECUTE_BY_OTHERS != 0))
    };
    is_open(program) && program.canonicalize().is_ok_and(|real| is_open(&real))
}

/// The `bin` folders of each version that a version manager keeps in a folder, the newest first.
fn versions(folder: &Path) -> Vec<PathBuf> {
    let number = |path: &Path| -> Vec<u32> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
    };
    let mut all: Vec<PathBuf> =
        fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
    all.sort_by_key(|path| std::cmp::Reverse(number(path)));
    // Bounded: each is looked at for a dozen names.
    all.truncate(64);
    let inside = ["bin", "installation/bin", "x64/bin", "arm64/bin"];
    all.iter().flat_map(|path| inside.map(|inside| path.join(inside))).filter(|path| path.is_dir()).collect()
}

/// The names that an interpreter may have, the more telling first.
fn names(family: Family) -> Vec<String> {
    let numbered = Runtime::all().filter(|runtime| runtime.family() == family).map(|runtime| match family {
        Family::Python => runtime.identifier().to_owned(),
        _ => format!("node{}", runtime.version()),
    });
    let plain: &[&str] = match family {
        Family::Python => &["python3", "python"],
        _ => &["node", "nodejs"],
    };
    plain.iter().map(|name| (*name).to_owned()).chain(numbered).collect()
}

/// The interpreter that the settings name. It is executed as named: a virtual environment is known by its path.
fn named(
    runtime: Runtime,
    setting: &RuntimeSetting,
    cache: &mut Cache,
    used: &mut HashSet<PathBuf>,
) -> Result<Interpreter, String> {
    let command = std::path::absolute(&setting.command).unwrap_or_else(|_| setting.command.clone());
    let table = format!("[runtimes.\"{runtime}\"]");
    let shown = command.display();
    let Some((version, _)) = ask(&command, runtime.family(), cache, used) else {
        return Err(format!(
            "the command of {table} in the settings file, {shown}, did not tell its version; name an interpreter that runs"
        ));
    };
    if !version.serves(runtime) {
        let Version(major, minor, patch) = version;
        return Err(format!(
            "the command of {table} in the settings file, {shown}, is version {major}.{minor}.{patch}"
        ));
    }
    Ok(Interpreter { command, version, packages: setting.packages.clone() })
}

fn missing(runtime: Runtime) -> String {
    let (program, path) = match runtime.family() {
        Family::Python => (runtime.identifier().to_owned(), runtime.identifier().to_owned()),
        _ => (format!("node {}", runtime.version()), "node".to_owned()),
    };
    format!(
        "{program} was not found: install it, or name it in the settings file: [runtimes.\"{runtime}\"] command = \"/path/to/{path}\""
    )
}

/// The version of an interpreter, and its real file where it is another.
fn ask(
    path: &Path,
    family: Family,
    cache: &mut Cache,
    used: &mut HashSet<PathBuf>,
) -> Option<(Version, Option<PathBuf>)> {
    let about = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let (size, modified_at) = (about.size(), (about.mtime(), about.mtime_nsec()));
    used.insert(path.to_owned());
    if let Some(known) = cache.0.get(path)
        && (known.size, known.modified_at) == (size, modified_at)
    {
        return known.version.map(|version| (version, known.real.clone()));
    }
    let told = match family {
        Family::Python => ask_python(path),
        _ => run(path, &["--version"], ANSWER_TIME).map(|text| Some((Version::parse(&text?)?, None))),
    };
    // One that was too slow today may be quick the next time: that is not kept.
    let Ok(told) = told else { return None };
    let (version, real) = told.clone().map_or((None, None), |(version, real)| (Some(version), real));
    cache.0.insert(path.to_owned(), Known { size, modified_at, version, real });
    told
}

fn ask_python(path: &Path) -> Result<Option<(Version, Option<PathBuf>)>, NoEnd> {
    const QUESTION: &str = "import sys; print('.'.join(map(str, sys.version_info[:3]))); print(sys.implementation.name); print(sys.executable)";
    let told = run(path, &["-I", "-S", "-c", QUESTION], ANSWER_TIME)?;
    Ok(told.and_then(|told| python_of(path, &told)))
}

fn python_of(path: &Path, told: &str) -> Option<(Version, Option<PathBuf>)> {
    let mut lines = told.lines();
    let version = Version::parse(lines.next()?)?;
    // Lambda's Python is CPython; others lack modules of it.
    lines.next().filter(|name| *name == "cpython")?;
    // A script that stands for the interpreter names another file.
    let real = lines.next().map(PathBuf::from).filter(|real| real.is_absolute() && is_script(path) && real.is_file());
    Some((version, real))
}

fn is_script(path: &Path) -> bool {
    use std::io::Read as _;
    let mut start = [0; 2];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *b"#!"
}

/// How long an interpreter may take to tell its version.
const ANSWER_TIME: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// A program did not end by itself.
#[derive(Debug, PartialEq, Eq)]
struct NoEnd;

/// What a program prints, if it ends in time and well; `None` where it ends otherwise, or cannot be run.
fn run(program: &Path, arguments: &[&str], limit: Timespec) -> Result<Option<String>, NoEnd> {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
    use std::os::unix::process::CommandExt as _;
    let child = end_with_us(&mut Command::new(program))
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // What it starts itself ends with it.
        .process_group(0)
        .spawn();
    let Ok(mut child) = child else { return Ok(None) };
    let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
    let in_time = process.is_ok_and(|process| {
        let mut ended = [PollFd::new(&process, PollFlags::IN)];
        rustix::io::retry_on_intr(|| poll(&mut ended, Some(&limit))).is_ok_and(|ended| ended == 1)
    });
    // Its leader is not reaped yet, so the number is still that of the group. Where the program ended, what it has left
    // behind would hold the pipe open that is read to its end.
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    if !in_time {
        // Not read: what left the group may hold the pipe for as long as it likes.
        drop(child.stdout.take());
        let _ = child.wait();
        return Err(NoEnd);
    }
    let output = child.wait_with_output().ok();
    let output = output.filter(|output| output.status.success());
    Ok(output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// Replaces a file in one step.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, bytes)?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_interpreters_print_them() {
        let cases = [
            ("3.12.1\n", Some(Version(3, 12, 1))),
            ("v20.20.2\n", Some(Version(20, 20, 2))),
            ("v23.0.0-nightly2024", Some(Version(23, 0, 0))),
            ("3.14.0rc1", Some(Version(3, 14, 0))),
            ("Python", None),
            ("3.12", None),
        ];
        for (text, version) in cases {
            assert_eq!(Version::parse(text), version, "{text}");
        }
    }

    #[test]
    fn a_runtime_is_served_by_its_own_version_only() {
        let runtime = |identifier| Runtime::parse(identifier).unwrap();
        assert!(Version(3, 12, 9).serves(runtime("python3.12")));
        assert!(!Version(3, 1, 2).serves(runtime("python3.12")));
        assert!(Version(20, 1, 0).serves(runtime("nodejs20.x")));
        assert!(!Version(22, 1, 0).serves(runtime("nodejs20.x")));
        assert!(!Version(3, 12, 9).serves(runtime("ruby3.3")));
    }

    #[test]
    fn who_lacks_an_interpreter_is_told_what_to_do() {
        let text = missing(Runtime::parse("python3.12").unwrap());
        assert_eq!(
            text,
            "python3.12 was not found: install it, or name it in the settings file: [runtimes.\"python3.12\"] command = \"/path/to/python3.12\""
        );
        assert!(other_runtime(Runtime::parse("java21").unwrap()).contains("provided.al2023"));
    }

    #[test]
    fn a_program_that_does_not_end_is_ended_with_all_it_started() {
        let shell = Path::new("/bin/sh");
        let soon = Timespec { tv_sec: 0, tv_nsec: 0 };
        assert_eq!(run(shell, &["-c", "sleep 600 & sleep 600"], soon), Err(NoEnd));
        // What outlives its parent holds the pipe, and is not waited for.
        let told = run(shell, &["-c", "sleep 600 & echo v1.2.3"], ANSWER_TIME);
        assert_eq!(told, Ok(Some("v1.2.3\n".to_owned())));
        assert_eq!(run(shell, &["-c", "echo no; exit 3"], ANSWER_TIME), Ok(None));
        assert_eq!(run(Path::new("/no/such/program"), &[], ANSWER_TIME), Ok(None));
    }

    #[cfg(unix)]
    #[test]
    fn a_second_search_asks_nobody() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let asked = folder.path().join("asked");
        let node = folder.path().join("node");
        fs::write(&node, format!("#!/bin/sh\necho x >> {}\necho v20.1.2\n", asked.display())).unwrap();
        fs::set_permissions(&node, fs::Permissions::from_mode(0o755)).unwrap();
        let setting = RuntimeSetting { command: node, packages: None };
        let search = Search {
            named: BTreeMap::from([("nodejs20.x".to_owned(), setting)]),
            path: Vec::new(),
            home: None,
            cache: folder.path().join("cache.json"),
            python_client: folder.path().to_owned(),
            for_strangers: false,
        };
        for _ in 0..2 {
            let found = search.run();
            let interpreter = found.interpreters["nodejs20.x"].as_ref().unwrap();
            assert_eq!(interpreter.version, Version(20, 1, 2));
        }
        assert_eq!(fs::read_to_string(asked).unwrap(), "x\n");
    }
}
