//! Stems: runtimes that have booted before their function is known. Here is which functions they can serve, how one is
//! started, and how it is told.
//!
//! Never here: how many there are.

use std::os::fd::OwnedFd;

use domain::runtime::{Family, Runtime};
use domain::variables::Variables;

use crate::clients;
use crate::launcher::protocol::Start;
use crate::runtimes::Interpreter;
use crate::start::{self, Paths};

/// What is settled when a stem boots, so that it serves no function with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StemKind {
    pub runtime: Runtime,
    /// V8 takes the size of its heap when it starts and never again (tried with Node 20: `v8.setFlagsFromString`
    /// changes no limit); to Python memory means nothing.
    pub memory_mb: Option<u32>,
}

impl StemKind {
    /// The stems for functions of a runtime; `None` where there are none.
    pub(crate) fn of(runtime: Runtime, memory_mb: u32) -> Option<Self> {
        match runtime.family() {
            Family::Python => Some(Self { runtime, memory_mb: None }),
            Family::Node => Some(Self { runtime, memory_mb: Some(memory_mb) }),
            Family::Provided | Family::Java | Family::Ruby | Family::DotNet => None,
        }
    }
}

/// The serial of a stem's runtime, which is that of the first start of an environment.
pub(crate) const SERIAL: u32 = 0;

/// A runtime that waits for its function. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Stem {
    /// What it writes can be read here.
    pub output: OwnedFd,
    /// Where it hears of its function.
    pub tell: OwnedFd,
    /// Its `/proc` files `stat` and `status`.
    pub files: Vec<OwnedFd>,
}

impl Stem {
    /// Makes it the runtime of a function; it need not have booted yet.
    pub(crate) fn become_runtime(&self, variables: &[(String, String)], paths: &Paths) -> std::io::Result<()> {
        let mut rest = clients::describe(variables, &paths.task);
        // A pipe holds more than all variables may have, so nothing waits here.
        while !rest.is_empty() {
            let written = rustix::io::retry_on_intr(|| rustix::io::write(&self.tell, &rest))?;
            rest.drain(..written);
        }
        Ok(())
    }
}

/// Variables that the dynamic loader, the C library, the interpreter or a library inside of it reads when it starts.
const READ_AT_START: [&str; 10] = [
    "AWS_LAMBDA_EXEC_WRAPPER",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "LANG",
    "LANGUAGE",
    "LOCPATH",
    "NLSPATH",
    "RANDFILE",
    "TZDIR",
    "UV_THREADPOOL_SIZE",
];
/// The beginnings of the names of further ones.
const READ_AT_START_PREFIXES: [&str; 9] =
    ["ICU_", "LC_", "LD_", "MALLOC_", "NODE_", "OPENSSL_", "PYTHON", "SSL_", "UV_"];
/// One of these that only functions read, and many do.
const READ_LATER: &str = "NODE_ENV";

/// Whether a stem can become this function's runtime and nothing is then as it would not be had it been started for it.
///
/// Layers are no hindrance: a stem has looked neither into `/opt` nor into `/var/task`, and the folders in which the
/// dynamic loader looks for libraries were there when it booted. External extensions are, since they start first.
pub(crate) fn may_use_stem(variables: &Variables, has_extensions: bool) -> bool {
    !has_extensions && variables.pairs().iter().all(|(name, value)| may_be_set_late(name, value))
}

fn may_be_set_late(name: &str, value: &str) -> bool {
    match name {
        READ_LATER => true,
        // Interpreters look for packages below it when they start, and in `/tmp` there are none then.
        "HOME" => value == "/tmp" || value.starts_with("/tmp/"),
        name => !READ_AT_START.contains(&name) && !READ_AT_START_PREFIXES.iter().any(|prefix| name.starts_with(prefix)),
    }
}

/// The start of a stem.
pub(crate) fn start(kind: StemKind, interpreter: &Interpreter, paths: &Paths) -> Start {
    let mut variables = start::defaults(kind.runtime, Some(interpreter), paths);
    variables.push((clients::STEM_VARIABLE.to_owned(), "1".to_owned()));
    Start {
        serial: SERIAL,
        programs: vec![interpreter.command.clone()],
        arguments: start::client_arguments(kind.runtime, kind.memory_mb.unwrap_or_default(), interpreter, paths),
        variables: start::pairs(variables),
        // Its own is another folder then.
        folder: "/".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pairs: &[(&str, &str)], has_extensions: bool, may: bool) {
        let owned = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(may_use_stem(&Variables::new(owned).unwrap(), has_extensions), may, "{pairs:?} {has_extensions}");
    }

    #[test]
    fn a_stem_serves_whoever_sets_nothing_that_is_read_at_start() {
        check(&[], false, true);
        check(&[], true, false);
        for name in ["TABLE", "NODE_ENV", "TZ", "PATH", "DEBUG", "TMPDIR", "LANGCHAIN_KEY", "HOMEPAGE", "AWS_PROFILE"] {
            check(&[(name, "x")], false, true);
            check(&[("A", "b"), (name, "")], true, false);
        }
        for name in [
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "PYTHONPATH",
            "PYTHONHASHSEED",
            "PYTHONUNBUFFERED",
            "NODE_OPTIONS",
            "NODE_PATH",
            "NODE_EXTRA_CA_CERTS",
            "NODE_TLS_REJECT_UNAUTHORIZED",
            "NODE_DEBUG",
            "MALLOC_ARENA_MAX",
            "GLIBC_TUNABLES",
            "LC_ALL",
            "LC_CTYPE",
            "LANG",
            "AWS_LAMBDA_EXEC_WRAPPER",
            "UV_THREADPOOL_SIZE",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "OPENSSL_CONF",
        ] {
            check(&[("A", "b"), (name, "x")], false, false);
        }
    }

    #[test]
    fn a_home_is_no_hindrance_where_nothing_can_be_in_it() {
        check(&[("HOME", "/tmp")], false, true);
        check(&[("HOME", "/tmp/home")], false, true);
        check(&[("HOME", "/tmpfs")], false, false);
        check(&[("HOME", "/var/task")], false, false);
    }

    #[test]
    fn memory_parts_the_stems_of_node_only() {
        let of = |name: &str, memory_mb| StemKind::of(Runtime::parse(name).unwrap(), memory_mb);
        assert_eq!(of("python3.12", 128), of("python3.12", 512));
        assert_ne!(of("nodejs20.x", 128), of("nodejs20.x", 512));
        assert_eq!(of("nodejs20.x", 128), of("nodejs20.x", 128));
        assert_eq!(of("provided.al2023", 128), None);
    }
}
