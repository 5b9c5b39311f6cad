//! Attempts to get out of an environment, made by its function. Each is made in a process of its own, so that what one
//! changes the next does not find. None does harm where it succeeds: what cannot be undone is asked for in a way that
//! the kernel refuses only after it has looked at the right to it.
//!
//! Never here: what should come of an attempt.
#![allow(unsafe_code, reason = "what is tried are raw system calls, in a process forked for it")]

mod errno;
mod exhaustion;
mod files;
mod kernel;
mod network;
mod processes;

use std::io::{self, Read as _, Write as _};

use serde_json::{Value, json};

/// What came of an attempt: `Ok` where it was allowed.
type Tried = io::Result<Value>;

/// Makes the attempt `[NAME, ARGUMENT...]`, and tells what came of it: `{"allowed", "errno", "detail"}`.
pub(crate) fn attempt(what: &Value) -> Value {
    let (mut told, mut tell) = io::pipe().unwrap();
    // SAFETY: the program has one thread here, so its child may do whatever it could do itself.
    match unsafe { libc::fork() } {
        -1 => report(Err(io::Error::last_os_error())),
        0 => {
            drop(told);
            let what: Vec<Value> = serde_json::from_value(what.clone()).unwrap();
            let report = report(make(what[0].as_str().unwrap(), &Arguments(&what[1..])));
            tell.write_all(report.to_string().as_bytes()).unwrap();
            // SAFETY: it ends this process, without what its parent wants done at its own end.
            unsafe { libc::_exit(0) }
        }
        child => {
            drop(tell);
            let mut report = Vec::new();
            told.read_to_end(&mut report).unwrap();
            let mut status = 0;
            // SAFETY: the kernel writes to `status`, which outlives the call.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            if libc::WIFSIGNALED(status) {
                return json!({"allowed": false, "errno": errno::signal(libc::WTERMSIG(status)), "detail": null});
            }
            serde_json::from_slice(&report).unwrap()
        }
    }
}

fn report(tried: Tried) -> Value {
    match tried {
        Ok(detail) => json!({"allowed": true, "errno": null, "detail": detail}),
        Err(error) => {
            json!({"allowed": false, "errno": error.raw_os_error().map(errno::name), "detail": error.to_string()})
        }
    }
}

fn make(name: &str, arguments: &Arguments<'_>) -> Tried {
    [files::attempt, processes::attempt, network::attempt, kernel::attempt, exhaustion::attempt]
        .into_iter()
        .find_map(|group| group(name, arguments))
        .unwrap_or_else(|| panic!("{name} is no attempt"))
}

/// What comes after an attempt's name.
struct Arguments<'a>(&'a [Value]);

impl Arguments<'_> {
    fn text(&self, at: usize) -> &str {
        self.0[at].as_str().unwrap()
    }

    fn number(&self, at: usize) -> i32 {
        i32::try_from(self.0[at].as_i64().unwrap()).unwrap()
    }
}

/// In the place of a folder's descriptor: the one that this process is in.
const HERE: usize = (libc::AT_FDCWD as isize).cast_unsigned();

/// Makes a system call.
fn call(number: libc::c_long, arguments: [usize; 6]) -> io::Result<usize> {
    let [first, second, third, fourth, fifth, sixth] = arguments;
    // SAFETY: callers hand over pointers to what outlives the call and is as large as the call takes it to be.
    let result = unsafe { libc::syscall(number, first, second, third, fourth, fifth, sixth) };
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// One that takes numbers only, or few pointers.
fn short(number: libc::c_long, arguments: &[usize]) -> Tried {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    call(number, all).map(|result| json!(result))
}

/// As an allowed attempt also counts what the kernel refuses for one of these reasons: it looks at them later than at
/// the right to do it.
fn unless_refused_later(tried: Tried, reasons: &[i32]) -> Tried {
    match tried {
        Err(error) if error.raw_os_error().is_some_and(|errno| reasons.contains(&errno)) => {
            Ok(json!(format!("had the right to it: {error}")))
        }
        tried => tried,
    }
}

/// A denial that is no system call's.
fn denied(reason: impl Into<String>) -> Tried {
    Err(io::Error::other(reason.into()))
}
