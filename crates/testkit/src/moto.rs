//! AWS services as moto serves them, for tests; moto is one of the tools that `cargo xtask test` sets up.
//!
//! Never here: what a test asks of them.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running moto, which ends with the test. Everybody is account 123456789012 there; it asks for a signature, and does
/// not look at it.
#[derive(Debug)]
pub struct Moto {
    process: Child,
    /// Host and port.
    pub at: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Moto {
    /// Starts one on a port of its own; where the machine has no moto, the test of this name is left out.
    ///
    /// # Panics
    /// It does not start.
    pub fn start(test: &str) -> Option<Self> {
        let Some(tools) = std::env::var_os("LAMBD_TEST_TOOLS").map(PathBuf::from) else {
            crate::skip::test(test, "LAMBD_TEST_TOOLS names no folder with moto (`cargo xtask test` sets it up)");
            return None;
        };
        let python = tools.join("venv/bin/python");
        if !tools.join("venv/bin/moto_server").exists() {
            crate::skip::test(test, &format!("there is no moto in {}", tools.display()));
            return None;
        }
        let mut process = Command::new(python)
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("moto starts");
        let mut lines = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        let at = lines.find_map(|line| Some(line.expect("text").split_once("Running on http://")?.1.trim().to_owned()));
        // Read on, so that it is never held up by its own log.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { process, at: at.expect("moto says where it listens") })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.at)
    }
}
