//! Attempts on other processes.

use std::fs;
use std::io;
use std::os::unix::process::parent_id;

use serde_json::{Value, json};

use super::{Arguments, Tried, denied, short};

pub(super) fn attempt(name: &str, arguments: &Arguments<'_>) -> Option<Tried> {
    let number = |at: usize| usize::try_from(arguments.number(at)).unwrap();
    let function = usize::try_from(parent_id()).unwrap();
    Some(match name {
        "see others" => see_others(),
        "signal" => short(libc::SYS_kill, &[number(0), number(1)]),
        "open a process" => short(libc::SYS_pidfd_open, &[number(0), 0]),
        "trace" => short(libc::SYS_ptrace, &[PTRACE_SEIZE, function, 0, 0]),
        "read the memory of another" => read_memory(function),
        "take a descriptor of another" => take_descriptor(function),
        "compare with another" => short(libc::SYS_kcmp, &[function, function, 0, 0, 0]),
        "limit another" => limit(function),
        "move the pages of another" => short(libc::SYS_migrate_pages, &[function, 0, 0, 0]),
        _ => return None,
    })
}

const PTRACE_SEIZE: usize = 0x4206;

/// A process that neither is the function nor comes from it.
fn see_others() -> Tried {
    let own = [parent_id(), std::process::id()];
    let entries = fs::read_dir("/proc")?.map(|entry| Ok(entry?.file_name().into_string().unwrap_or_default()));
    let names: Vec<String> = entries.collect::<io::Result<_>>()?;
    let pids = names.iter().filter_map(|name| name.parse::<u32>().ok());
    let others: Vec<u32> = pids.filter(|pid| !own.contains(pid)).collect();
    if others.is_empty() { denied("there is nobody else") } else { Ok(json!(others)) }
}

/// In which the parent finds what this process has at the same address.
static WORD: u64 = 42;

fn read_memory(of: usize) -> Tried {
    let mut word = 0_u64;
    let here = libc::iovec { iov_base: (&raw mut word).cast(), iov_len: 8 };
    let there = libc::iovec { iov_base: (&raw const WORD).cast_mut().cast(), iov_len: 8 };
    let (here, there) = (&raw const here as usize, &raw const there as usize);
    short(libc::SYS_process_vm_readv, &[of, here, 1, there, 1, 0])?;
    Ok(json!(word))
}

fn take_descriptor(of: usize) -> Tried {
    let process = short(libc::SYS_pidfd_open, &[of, 0])?.as_u64().unwrap();
    short(libc::SYS_pidfd_getfd, &[usize::try_from(process).unwrap(), 0, 0])
}

/// Limits its size of core files, which is none already.
fn limit(of: usize) -> Tried {
    let limit = [0_u64; 2];
    short(libc::SYS_prlimit64, &[of, libc::RLIMIT_CORE as usize, &raw const limit as usize, 0]).map(|_| Value::Null)
}
