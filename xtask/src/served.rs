//! `lambd serve`, started for a measurement or the soak.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::process::{now, program, read};

/// Ended when dropped.
pub(crate) struct Served {
    child: Child,
    log: PathBuf,
    /// Where the API is answered.
    pub(crate) endpoint: String,
    /// Where the admin API is.
    pub(crate) admin: String,
    /// From its start to its first ready line, which says that it answers.
    pub(crate) ready_ms: f64,
    /// Kept open, so that it never writes into nothing.
    _lines: BufReader<ChildStdout>,
}

impl Served {
    /// Starts it on free ports and waits until it is ready.
    pub(crate) fn start(lambd: &Path, data: &Path, log: &Path, flags: &[&str]) -> Result<Self> {
        let mut command = program(lambd);
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data-dir"]).arg(data);
        command.args(flags);
        // What the engine does itself is measured, and the floor isolates nothing. The same settings in the environment
        // choose another level.
        for setting in ["LAMBD_ISOLATION", "LAMBD_ISOLATION_MIN"] {
            command.env(setting, std::env::var_os(setting).unwrap_or_else(|| "process".into()));
        }
        let errors = File::create(log).with_context(|| format!("creating {}", log.display()))?;
        let start = now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .with_context(|| format!("starting {}", lambd.display()))?;
        let mut lines = BufReader::new(child.stdout.take().expect("it was asked to be piped"));
        let mut line = String::new();
        lines.read_line(&mut line).context("reading the ready line")?;
        let ready_ms = start.elapsed().as_secs_f64() * 1e3;
        let mut admin = String::new();
        lines.read_line(&mut admin).context("reading the second ready line")?;
        let api = line.trim().strip_prefix("lambd: api ").map(str::to_owned);
        let of_admin = admin.trim().strip_prefix("lambd: admin ").map(str::to_owned);
        let (endpoint, nowhere) = (String::new(), String::new());
        let mut served = Self { child, log: log.to_owned(), endpoint, admin: nowhere, ready_ms, _lines: lines };
        let (Some(api), Some(of_admin)) = (api, of_admin) else {
            bail!("`lambd serve` printed {line:?} and {admin:?} instead of its ready lines\n{}", served.log());
        };
        (served.endpoint, served.admin) = (api, of_admin);
        Ok(served)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it logged.
    pub(crate) fn whole_log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of what it logged.
    pub(crate) fn log(&self) -> String {
        const LINES: usize = 20;
        let text = self.whole_log();
        let lines: Vec<&str> = text.lines().collect();
        format!("the engine's log ends with:\n{}", lines[lines.len().saturating_sub(LINES)..].join("\n"))
    }

    /// Ends it as people do, and expects it to go well.
    pub(crate) fn stop(mut self) -> Result<()> {
        read(program("kill").args(["-TERM", &self.id().to_string()]))?;
        let status = self.child.wait().context("waiting for the engine to end")?;
        ensure!(status.success(), "the engine ended with {status}\n{}", self.log());
        Ok(())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // One that has ended already is fine as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
