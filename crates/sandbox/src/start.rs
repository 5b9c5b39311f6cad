//! How a runtime is started: which program with which arguments, and every variable that it sees (AWS developer
//! guide, configuration-envvars; recorded: `test_introspection_invoke`, `test_lambda_init_environment`).
//!
//! Never here: processes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use domain::runtime::{Family, Runtime};
use domain::variables::lay_over;
use engine::ports::EnvironmentSpec;

use crate::clients;
use crate::images::Program;
use crate::launcher::protocol::Start;
use crate::runtimes::Interpreter;

/// The folders of an environment as its runtime names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paths {
    /// `/var/task`
    pub task: PathBuf,
    /// `/var/runtime`
    pub runtime: PathBuf,
    /// `/tmp`, where that is not what it is called.
    pub storage: Option<PathBuf>,
    /// `/opt`; `None` where there is none of its own.
    pub opt: Option<PathBuf>,
}

impl Paths {
    /// As on AWS.
    pub(crate) fn own() -> Self {
        Self { task: "/var/task".into(), runtime: "/var/runtime".into(), storage: None, opt: Some("/opt".into()) }
    }
}

/// Where programs of an image are looked for that says nothing of it, as container engines do.
const IMAGE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Names the folder of the layers where that is not `/opt`.
const OPT: &str = "LAMBD_OPT";

/// Where AWS looks for the program of an OS-only runtime (AWS developer guide, runtimes-custom).
const BOOTSTRAPS: &str = "[/var/task/bootstrap /opt/bootstrap]";

/// What `Runtime.InvalidEntrypoint` says where there is no bootstrap (observed on AWS).
pub(crate) fn no_bootstrap() -> String {
    format!("Couldn't find valid bootstrap(s): {BOOTSTRAPS}")
}

/// What it says where the program cannot be executed; the words for the reason are Go's, in which AWS's supervisor is
/// written (observed on AWS: `exec format error`).
pub(crate) fn not_executed(program: &Path, paths: &Paths, errno: i32) -> String {
    // On real folders the program has another name than on AWS; the text names it as AWS would.
    let below = |folder: &Path, name: &str| program.strip_prefix(folder).ok().map(|rest| Path::new(name).join(rest));
    let in_opt = || paths.opt.as_deref().and_then(|opt| below(opt, "/opt"));
    let shown = below(&paths.task, "/var/task").or_else(in_opt).unwrap_or_else(|| program.to_owned());
    let reason = match errno {
        libc::ENOEXEC => "exec format error".to_owned(),
        libc::EACCES => "permission denied".to_owned(),
        libc::ENOENT => "no such file or directory".to_owned(),
        libc::E2BIG => "argument list too long".to_owned(),
        libc::ETXTBSY => "text file busy".to_owned(),
        libc::ENOMEM => "cannot allocate memory".to_owned(),
        other => std::io::Error::from_raw_os_error(other).to_string().to_lowercase(),
    };
    format!("fork/exec {}: {reason}", shown.display())
}

/// The start of a runtime; `interpreter` is there for the families that have one.
pub(crate) fn start(
    serial: u32,
    spec: &EnvironmentSpec,
    interpreter: Option<&Interpreter>,
    paths: &Paths,
    runtime_api: &str,
) -> Start {
    let variables = variables(spec, interpreter, paths, runtime_api);
    let (programs, arguments) = match interpreter {
        None => {
            let mut programs = vec![paths.task.join("bootstrap")];
            programs.extend(paths.opt.as_ref().map(|opt| opt.join("bootstrap")));
            (programs, Vec::new())
        }
        Some(interpreter) => {
            let mut command = vec![interpreter.command.clone().into_os_string()];
            command.extend(client_arguments(spec.runtime, spec.memory_mb, interpreter, paths));
            let wrapper = variables.iter().find(|(key, value)| key == "AWS_LAMBDA_EXEC_WRAPPER" && !value.is_empty());
            match wrapper {
                // The shell says what is wrong with a wrapper, and ends as AWS's script does, with 127 where there is
                // none (recorded: `test_lambda_runtime_wrapper_not_found`).
                Some((_, wrapper)) => {
                    let mut arguments: Vec<OsString> = ["-c", "exec \"$0\" \"$@\""].map(OsString::from).into();
                    arguments.push(wrapper.into());
                    arguments.extend(command);
                    (vec!["/bin/sh".into()], arguments)
                }
                None => (vec![PathBuf::from(command.remove(0))], command),
            }
        }
    };
    Start { serial, programs, arguments, variables: pairs(variables), folder: paths.task.clone() }
}

/// What `Runtime.InvalidEntrypoint` says of an image that does not say what to run. AWS's own words are not known.
pub(crate) const NO_ENTRY_POINT: &str =
    "the image has neither ENTRYPOINT nor CMD; ImageConfig can name an EntryPoint and a Command";

/// The start of what an image runs; `None` where it does not say what.
pub(crate) fn of_image(serial: u32, spec: &EnvironmentSpec, program: &Program, runtime_api: &str) -> Option<Start> {
    let paths = Paths::own();
    let defaults = [("PATH", IMAGE_PATH), ("HOME", "/tmp")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let mut own: Vec<(String, String)> = defaults.into();
    for (key, value) in &program.variables {
        own.retain(|(known, _)| known != key);
        own.push((key.clone(), value.clone()));
    }
    let variables = lay_over(own, &spec.variables, platform(spec, &paths, runtime_api));
    let mut words = program.words();
    let word = words.next()?;
    let folder = PathBuf::from(&program.working_directory);
    let programs = if word.contains('/') {
        vec![folder.join(word)]
    } else {
        let path = variables.iter().find(|(key, _)| key == "PATH").map_or(IMAGE_PATH, |(_, value)| value);
        path.split(':').filter(|folder| !folder.is_empty()).map(|folder| Path::new(folder).join(word)).collect()
    };
    Some(Start {
        serial,
        programs,
        arguments: words.map(OsString::from).collect(),
        variables: pairs(variables),
        folder,
    })
}

/// Everything that a function sees in its environment.
pub(crate) fn variables(
    spec: &EnvironmentSpec,
    interpreter: Option<&Interpreter>,
    paths: &Paths,
    runtime_api: &str,
) -> Vec<(String, String)> {
    lay_over(defaults(spec.runtime, interpreter, paths), &spec.variables, platform(spec, paths, runtime_api))
}

/// As a process takes them.
pub(crate) fn pairs(variables: Vec<(String, String)>) -> Vec<OsString> {
    variables.into_iter().map(|(key, value)| OsString::from(format!("{key}={value}"))).collect()
}

/// What follows the interpreter on its command line.
pub(crate) fn client_arguments(
    runtime: Runtime,
    memory_mb: u32,
    interpreter: &Interpreter,
    paths: &Paths,
) -> Vec<OsString> {
    if runtime.family() == Family::Python {
        return vec![paths.runtime.join(clients::PYTHON_ENTRY).into()];
    }
    let version = (interpreter.version.0, interpreter.version.1);
    let mut arguments: Vec<OsString> =
        clients::nodejs_arguments(version, memory_mb).into_iter().map(OsString::from).collect();
    arguments.push(paths.runtime.join(clients::NODEJS_ENTRY).into());
    arguments
}

/// Variables of the runtime that extensions do not get (AWS developer guide, runtimes-extensions-api, "Environment
/// variables"; source of AWS's runtime interface emulator, `rapidcore/env`). Nor do they get any that begins with `_`.
const NOT_FOR_EXTENSIONS: [&str; 7] = [
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// The start of an external extension.
pub(crate) fn extension(serial: u32, spec: &EnvironmentSpec, program: PathBuf, runtime_api: &str) -> Start {
    let paths = Paths::own();
    let variables = lay_over(owned(common(None, &paths)), &spec.variables, platform(spec, &paths, runtime_api));
    let seen = variables.into_iter().filter(|(key, _)| !key.starts_with('_') && !NOT_FOR_EXTENSIONS.contains(&&**key));
    Start {
        serial,
        programs: vec![program],
        arguments: Vec::new(),
        variables: pairs(seen.collect()),
        folder: "/".into(),
    }
}

/// What the user may override, whatever the runtime.
fn common(interpreter: Option<&Interpreter>, paths: &Paths) -> Vec<(&'static str, String)> {
    let task = paths.task.display();
    let runtime = paths.runtime.display();
    let opt = paths.opt.as_deref().unwrap_or(Path::new("/opt")).display();
    vec![
        ("LANG", "en_US.UTF-8".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("PATH", path(interpreter, &format!("{opt}/bin"))),
        (
            "LD_LIBRARY_PATH",
            format!("/var/lang/lib:/lib64:/usr/lib64:{runtime}:{runtime}/lib:{task}:{task}/lib:{opt}/lib"),
        ),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".to_owned()),
        // AWS's own address is link-local and nobody's here; this one is where a daemon listens by default.
        ("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000".to_owned()),
        ("_AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1".to_owned()),
        ("_AWS_XRAY_DAEMON_PORT", "2000".to_owned()),
    ]
}

/// What the user may override.
pub(crate) fn defaults(runtime: Runtime, interpreter: Option<&Interpreter>, paths: &Paths) -> Vec<(String, String)> {
    let task = paths.task.display();
    let client = paths.runtime.display();
    let opt = paths.opt.as_deref().unwrap_or(Path::new("/opt")).display();
    let mut all = common(interpreter, paths);
    let packages = interpreter.and_then(|interpreter| interpreter.packages.as_ref());
    let with_packages = |mut path: String| {
        if let Some(packages) = packages {
            path.push(':');
            path.push_str(&packages.to_string_lossy());
        }
        path
    };
    match runtime.family() {
        Family::Python => all.extend([
            ("PYTHONPATH", with_packages(client.to_string())),
            ("LC_CTYPE", "C.UTF-8".to_owned()),
            ("PWD", task.to_string()),
            ("SHLVL", "0".to_owned()),
        ]),
        Family::Node => {
            let major = runtime.version();
            let path = format!(
                "{opt}/nodejs/node{major}/node_modules:{opt}/nodejs/node_modules:{client}/node_modules:{client}:{task}"
            );
            all.push(("NODE_PATH", with_packages(path)));
        }
        Family::Provided | Family::Java | Family::Ruby | Family::DotNet => {}
    }
    if let Some(storage) = &paths.storage {
        all.push(("TMPDIR", storage.display().to_string()));
    }
    owned(all)
}

fn owned(pairs: Vec<(&'static str, String)>) -> Vec<(String, String)> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// AWS's, the interpreter's own folder where it is none of these, and where this host may have further programs.
fn path(interpreter: Option<&Interpreter>, opt: &str) -> String {
    let mut folders = vec!["/var/lang/bin", "/usr/local/bin", "/usr/bin/", "/bin", opt];
    let own = interpreter.and_then(|interpreter| interpreter.command.parent()).and_then(Path::to_str);
    if let Some(own) = own
        && !folders.iter().any(|folder| folder.trim_end_matches('/') == own)
    {
        folders.insert(1, own);
    }
    folders.extend(["/usr/local/sbin", "/usr/sbin", "/sbin"]);
    folders.join(":")
}

/// What the user cannot override.
fn platform(spec: &EnvironmentSpec, paths: &Paths, runtime_api: &str) -> Vec<(String, String)> {
    let mut all = spec.platform_variables.clone();
    all.push(("AWS_LAMBDA_RUNTIME_API".to_owned(), runtime_api.to_owned()));
    all.push(("LAMBDA_TASK_ROOT".to_owned(), paths.task.display().to_string()));
    all.push(("LAMBDA_RUNTIME_DIR".to_owned(), paths.runtime.display().to_string()));
    // Where it has another name than on AWS, whoever looks into a layer by its path must be told.
    if let Some(opt) = paths.opt.as_deref().filter(|opt| *opt != Path::new("/opt")) {
        all.push((OPT.to_owned(), opt.display().to_string()));
    }
    all
}
