//! Running a folder's own build command.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// How much of a failed build's output is shown.
const SHOWN_LINES: usize = 30;
/// How much of it is read for that.
const SHOWN_BYTES: u64 = 64 * 1024;

/// Runs `command` by `sh -c` in the folder. When this is dropped, all that it started ends.
///
/// # Errors
/// The build failed; the text has the end of what it printed.
pub(super) async fn run(command: &str, folder: &Path) -> Result<()> {
    // A file and not a pipe: it never fills up, and a daemon that keeps it open (as build servers do) holds up nobody.
    let mut output = tempfile::tempfile().context("making a file for the build's output")?;
    let mut shell = std::process::Command::new("sh");
    sandbox::end_with_us(&mut shell)
        .args(["-c", command])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(output.try_clone().context("opening the build's output")?)
        .stderr(output.try_clone().context("opening the build's output")?)
        .process_group(0);
    let mut build = Build(Command::from(shell).spawn().context("running sh for the build")?);
    let status = build.0.wait().await.context("waiting for the build")?;
    if status.success() {
        return Ok(());
    }
    let shown = last_lines(&mut output).unwrap_or_default();
    bail!("{}: `{command}`{shown}", what_happened(status));
}

fn what_happened(status: ExitStatus) -> String {
    // What a shell answers when it does not find the command.
    if status.code() == Some(127) {
        return "its build needs a tool that is missing here".to_owned();
    }
    format!("its build failed ({status})")
}

fn last_lines(output: &mut File) -> std::io::Result<String> {
    let bytes = output.seek(SeekFrom::End(0))?;
    output.seek(SeekFrom::Start(bytes.saturating_sub(SHOWN_BYTES)))?;
    let mut text = Vec::new();
    output.read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
    Ok(last.iter().flat_map(|line| ["\n  ", *line]).collect())
}

/// A running build, a process group of its own.
struct Build(Child);

impl Drop for Build {
    fn drop(&mut self) {
        // Until it has been waited for, its number is nobody else's.
        if let Some(group) = self.0.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
