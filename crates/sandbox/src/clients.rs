//! Our own runtime clients: the programs that stand between the Runtime API and a Python or Node
//! handler, carried inside the binary and laid out as `/var/runtime`. Never here: which interpreter
//! runs them, or when.

use std::path::Path;

/// A table entry for a file below `runtimes/`.
macro_rules! file {
    ($family:literal, $path:literal) => {
        ($path, include_bytes!(concat!("../runtimes/", $family, "/", $path)).as_slice())
    };
}
/// One file of a client: its path below the runtime folder, and its bytes.
pub type RuntimeFile = (&'static str, &'static [u8]);

/// The Python client (3.8 to 3.14), started as `python3.N [PYTHON_ENTRY]`.
pub const PYTHON: &[RuntimeFile] = &[
    file!("python", "bootstrap.py"),
    file!("python", "lambd_runtime/__init__.py"),
    file!("python", "lambd_runtime/bootstrap.py"),
    file!("python", "lambd_runtime/context.py"),
    file!("python", "lambd_runtime/logs.py"),
    file!("python", "lambd_runtime/payload.py"),
    file!("python", "lambd_runtime/stem.py"),
    file!("python", "lambd_runtime/wire.py"),
];

/// The script in the runtime folder by which the Python client is started.
///
/// The interpreter keeps compiled modules in `__pycache__` beside the sources. Where the folder is
/// read-only to the function, fill it once per interpreter with [`PYTHON_COMPILE`], or each start
/// compiles again.
pub const PYTHON_ENTRY: &str = "bootstrap.py";

/// Arguments for an interpreter which, followed by the runtime folder, compile the client's modules.
pub const PYTHON_COMPILE: &[&str] = &["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"];

/// The Node client (18 to 24), started as `node [nodejs_arguments] [NODEJS_ENTRY]`.
pub const NODEJS: &[RuntimeFile] = &[
    file!("nodejs", "callbacks.cjs"),
    file!("nodejs", "errors.cjs"),
    file!("nodejs", "handler.cjs"),
    file!("nodejs", "index.cjs"),
    file!("nodejs", "log.cjs"),
    file!("nodejs", "promises.cjs"),
    file!("nodejs", "runtime.cjs"),
    file!("nodejs", "stem.cjs"),
    file!("nodejs", "stream.cjs"),
    file!("nodejs", "wire.cjs"),
];

/// The script in the runtime folder by which the Node client is started.
pub const NODEJS_ENTRY: &str = "index.cjs";

/// Makes a client a stem: it boots, waits for what [`describe`] says on its descriptor 3, and is from then on what it
/// would be had it been started so. No function can set a variable whose name begins with `_`.
pub const STEM_VARIABLE: &str = "_LAMBD_STEM";

/// What makes a stem the runtime of a function: every variable that it is to see, and its working folder.
#[must_use]
pub fn describe(variables: &[(String, String)], folder: &Path) -> Vec<u8> {
    let variables: serde_json::Map<_, _> =
        variables.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let mut line = serde_json::json!({ "variables": variables, "folder": folder.to_string_lossy() }).to_string();
    line.push('\n');
    line.into_bytes()
}

/// What AWS gives `node` before the script: the heap in proportion to the function's memory, room
/// for large headers, and the module features that Lambda switches off (AWS developer guide,
/// lambda-nodejs, "Experimental Node.js features"). `version` is major and minor of the interpreter.
pub fn nodejs_arguments(version: (u32, u32), memory_mb: u32) -> Vec<String> {
    let young_mb = memory_mb / 10;
    let mut arguments = vec![
        "--expose-gc".to_owned(),
        "--max-http-header-size=81920".to_owned(),
        format!("--max-semi-space-size={}", young_mb / 2),
        format!("--max-old-space-size={}", memory_mb - young_mb),
    ];
    // Node refuses to start on an option that it does not know: these came with 20.17.
    if matches!(version, (20, 17..) | (22, _)) {
        arguments.push("--no-experimental-require-module".to_owned());
        arguments.push("--no-experimental-detect-module".to_owned());
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::nodejs_arguments;

    #[test]
    fn node_is_given_only_options_that_it_knows() {
        let has_switch = |version| {
            nodejs_arguments(version, 128).iter().any(|argument| argument == "--no-experimental-require-module")
        };
        assert!(!has_switch((18, 20)));
        assert!(!has_switch((20, 16)));
        assert!(has_switch((20, 19)));
        assert!(has_switch((22, 0)));
        assert!(!has_switch((24, 1)));
    }

    #[test]
    fn heap_follows_the_memory_of_the_function() {
        let arguments = nodejs_arguments((24, 0), 1024);
        assert!(arguments.contains(&"--max-semi-space-size=51".to_owned()));
        assert!(arguments.contains(&"--max-old-space-size=922".to_owned()));
    }
}
