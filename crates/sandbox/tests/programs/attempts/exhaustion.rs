//! Attempts to use up what others need, too.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use serde_json::{Value, json};

use super::{Arguments, Tried};

pub(super) fn attempt(name: &str, arguments: &Arguments<'_>) -> Option<Tried> {
    let number = |at: usize| usize::try_from(arguments.number(at)).unwrap();
    Some(match name {
        "fork" => fork(number(0)),
        "open files" => Ok(open_files(number(0))),
        "use memory" => Ok(use_memory(number(0))),
        "fill" => fill(arguments.text(0), number(1)),
        "make files" => Ok(make_files(arguments.text(0), number(1))),
        "nest folders" => nest_folders(arguments.text(0), number(1)),
        "spin" => Ok(spin(number(0))),
        _ => return None,
    })
}

/// Forks until that is refused. Tells how many processes there were, and the refusal.
fn fork(most: usize) -> Tried {
    // To be ended together.
    rustix::process::setpgid(None, None)?;
    let mut forked = 0;
    let refused = loop {
        if forked == most {
            break None;
        }
        // SAFETY: the child waits for its end and does nothing else.
        match unsafe { libc::fork() } {
            -1 => break io::Error::last_os_error().raw_os_error(),
            0 => loop {
                // SAFETY: it waits.
                unsafe { libc::pause() };
            },
            _ => forked += 1,
        }
    };
    let told = json!({"forked": forked, "errno": refused.map(super::errno::name)});
    // SAFETY: signals are sent to children of this process; this one ignores its own.
    unsafe {
        libc::signal(libc::SIGTERM, libc::SIG_IGN);
        let group = rustix::process::getpgrp().as_raw_pid();
        // Those who were forked before this are killed one by one: SIGTERM they do not ignore.
        libc::kill(-group, libc::SIGTERM);
        while libc::wait(std::ptr::null_mut()) > 0 {}
    }
    Ok(told)
}

fn open_files(most: usize) -> Value {
    let mut files = Vec::new();
    let refused = loop {
        if files.len() == most {
            break None;
        }
        match File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(error) => break error.raw_os_error(),
        }
    };
    json!({"opened": files.len(), "errno": refused.map(super::errno::name)})
}

fn use_memory(megabytes: usize) -> Value {
    let used = vec![1_u8; megabytes << 20];
    json!(std::hint::black_box(&used).iter().map(|byte| u64::from(*byte)).sum::<u64>())
}

/// Writes so many megabytes, or as many as there is room for, and takes them away.
fn fill(path: &str, megabytes: usize) -> Tried {
    let mut file = File::create(path)?;
    let piece = vec![1_u8; 1 << 20];
    let mut written = 0;
    let refused = loop {
        if written == megabytes {
            break None;
        }
        match file.write_all(&piece) {
            Ok(()) => written += 1,
            Err(error) => break error.raw_os_error(),
        }
    };
    fs::remove_file(path)?;
    Ok(json!({"megabytes": written, "errno": refused.map(super::errno::name)}))
}

fn make_files(folder: &str, most: usize) -> Value {
    let refused = (0..most).find_map(|number| File::create(format!("{folder}/{number}")).err());
    json!({"errno": refused.and_then(|error| error.raw_os_error()).map(super::errno::name)})
}

/// Each in the one before: a path that no system call takes.
fn nest_folders(path: &str, depth: usize) -> Tried {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut folder: OwnedFd = openat(CWD, path, flags, Mode::empty())?;
    for _ in 0..depth {
        mkdirat(&folder, "folder", Mode::RWXU)?;
        folder = openat(&folder, "folder", flags, Mode::empty())?;
    }
    Ok(json!(depth))
}

/// Keeps the processor busy for so many milliseconds of the clock on the wall; tells how many of them it had.
fn spin(milliseconds: usize) -> Value {
    let limit = Duration::from_millis(u64::try_from(milliseconds).unwrap());
    let begin = Instant::now();
    while begin.elapsed() < limit {}
    // SAFETY: all bits zero are a time, and the kernel writes one to `time`, which outlives the call.
    let had = unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time);
        time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    };
    json!({"milliseconds": had})
}
