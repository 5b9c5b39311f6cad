//! The life of an execution environment.
//!
//! Never here: processes, pipes and cgroups.

use std::fmt;
use std::time::Duration;

/// How the runtime's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with a status.
    Status(i32),
    /// By a signal, named as Go names it, because AWS's supervisor is written in Go (observed on AWS:
    /// `signal: segmentation fault`).
    Signal(i32),
}

impl Exit {
    /// By SIGKILL.
    pub const KILLED: Self = Self::Signal(9);

    /// The end of any process but one that succeeded, as Go's `ProcessState` tells it: `exit status 1`, `signal: killed`.
    pub fn cause(self) -> String {
        let name = match self {
            Self::Status(status) => return format!("exit status {status}"),
            Self::Signal(1) => "hangup",
            Self::Signal(2) => "interrupt",
            Self::Signal(3) => "quit",
            Self::Signal(4) => "illegal instruction",
            Self::Signal(5) => "trace/breakpoint trap",
            Self::Signal(6) => "aborted",
            Self::Signal(7) => "bus error",
            Self::Signal(8) => "floating point exception",
            Self::Signal(9) => "killed",
            Self::Signal(10) => "user defined signal 1",
            Self::Signal(11) => "segmentation fault",
            Self::Signal(12) => "user defined signal 2",
            Self::Signal(13) => "broken pipe",
            Self::Signal(14) => "alarm clock",
            Self::Signal(15) => "terminated",
            Self::Signal(other) => return format!("signal: signal {other}"),
        };
        format!("signal: {name}")
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Status(0) => f.write_str("Runtime exited without providing a reason"),
            exit => write!(f, "Runtime exited with error: {}", exit.cause()),
        }
    }
}

/// How an initialisation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitEnd {
    /// The runtime asked for its first event.
    Ready,
    /// It did not.
    Failed(Failure),
}

/// A failure of the function that the platform saw or was told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The runtime reported an error: the type from its header, the body as it came.
    Reported {
        /// `Lambda-Runtime-Function-Error-Type`, or what stands for it.
        error_type: String,
        /// Passed on byte for byte.
        payload: bytes::Bytes,
    },
    /// The process ended.
    Exited(Exit),
    /// The kernel killed it because the function had used up its memory (AWS re:Post, "Runtime.OutOfMemory").
    OutOfMemory,
    /// Time was up; the time is what had been allowed.
    TimedOut(Duration),
    /// The runtime could not be started at all.
    InvalidEntrypoint(String),
    /// The answer was beyond the limit; the environment stays usable.
    ResponseTooLarge {
        /// The limit that applied.
        bytes_max: usize,
    },
    /// The answer broke off while it was sent.
    ResponseTruncated,
    /// An extension failed, and the function with it.
    Extension {
        /// How: `Extension.Crash` and the like.
        error: ExtensionError,
        /// How its process ended, or why there is none.
        text: String,
    },
}

/// How an extension failed (source of AWS's runtime interface emulator, `fatalerror`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtensionError {
    /// Its process could not be started.
    Launch,
    /// It said at its initialisation that it cannot go on, and ended.
    Init,
    /// It said later that it cannot go on, and ended.
    Exit,
    /// Its process ended without a word.
    Crash,
}

impl ExtensionError {
    /// As `REPORT` and the payload name it.
    pub fn error_type(self) -> &'static str {
        match self {
            Self::Launch => "Extension.LaunchError",
            Self::Init => "Extension.InitError",
            Self::Exit => "Extension.ExitError",
            Self::Crash => "Extension.Crash",
        }
    }
}

/// How an environment is, between two invocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Initialised; the next event can be handed over at once.
    Ready,
    /// Reset after a failure: `/tmp` is kept, the next invocation initialises again
    /// (AWS developer guide, lambda-runtime-environment; recorded: `test_lambda_invoke_timed_out_environment_reuse`).
    Reset,
}

impl Failure {
    /// The type of error as `REPORT` prints it, and as the payload names it where the platform writes the payload.
    pub fn error_type(&self) -> &str {
        match self {
            Self::Reported { error_type, .. } => error_type,
            Self::Exited(_) => "Runtime.ExitError",
            Self::OutOfMemory => "Runtime.OutOfMemory",
            Self::TimedOut(_) => "Sandbox.Timedout",
            Self::InvalidEntrypoint(_) => "Runtime.InvalidEntrypoint",
            Self::ResponseTooLarge { .. } => "Function.ResponseSizeTooLarge",
            Self::ResponseTruncated => "Runtime.TruncatedResponse",
            Self::Extension { error, .. } => error.error_type(),
        }
    }

    /// Whether the environment must be reset before it can serve again.
    pub fn breaks_environment(&self) -> bool {
        match self {
            Self::Reported { .. } | Self::ResponseTooLarge { .. } => false,
            Self::Exited(_)
            | Self::OutOfMemory
            | Self::TimedOut(_)
            | Self::InvalidEntrypoint(_)
            | Self::ResponseTruncated
            | Self::Extension { .. } => true,
        }
    }
}

/// The error type that a runtime reported, as logs name it: a well-formed one is kept, the rest is named unknown
/// (source of AWS's runtime interface emulator).
pub fn reported_error_type(header: Option<&str>) -> String {
    let header = header.unwrap_or_default();
    let well_formed = |rest: &str| {
        rest.starts_with(|c: char| c.is_ascii_uppercase())
            && rest.len() > 1
            && rest.bytes().all(|c| c.is_ascii_alphabetic())
    };
    match header.split_once('.') {
        Some(("Runtime" | "Function", rest)) if well_formed(rest) => header.to_owned(),
        Some(("Function", _)) => "Function.Unknown".to_owned(),
        _ => "Runtime.Unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_are_told_as_aws_tells_them() {
        // Recorded: test_lambda_runtime_exit, test_lambda_runtime_wrapper_not_found; observed: signals.
        let cases = [
            (Exit::Status(0), "Runtime exited without providing a reason"),
            (Exit::Status(127), "Runtime exited with error: exit status 127"),
            (Exit::Signal(9), "Runtime exited with error: signal: killed"),
            (Exit::Signal(11), "Runtime exited with error: signal: segmentation fault"),
        ];
        for (exit, text) in cases {
            assert_eq!(exit.to_string(), text);
        }
    }

    #[test]
    fn reported_types_are_kept_only_when_well_formed() {
        let cases = [
            (Some("Runtime.ImportModuleError"), "Runtime.ImportModuleError"),
            (Some("Function.MyError"), "Function.MyError"),
            (Some("Function.my error"), "Function.Unknown"),
            (Some("ValueError"), "Runtime.Unknown"),
            (None, "Runtime.Unknown"),
        ];
        for (header, expected) in cases {
            assert_eq!(reported_error_type(header), expected, "{header:?}");
        }
    }
}
