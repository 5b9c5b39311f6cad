//! The floor program with the runtime clients that poll it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::FUNCTION_VARIABLES;
use crate::process::program;

/// Ended when dropped.
pub(super) struct Floor {
    program: Child,
    functions: Vec<Child>,
    port: u16,
}

impl Floor {
    /// Starts it on one thread, as the engine runs, and that many processes of the function in the folder.
    pub(super) fn start(floor: &Path, function: &Path, processes: u32) -> Result<Self> {
        let (port, runtime_port) = free_ports()?;
        let socket = function.join("floor.sock");
        let mut command = program(floor);
        command.args(["0", &port.to_string(), &runtime_port.to_string()]).arg(&socket);
        let mut floor = Self { program: quiet(&mut command)?, functions: Vec::new(), port };
        answers(runtime_port)?;
        answers(port)?;
        for _ in 0..processes {
            let mut command = Command::new(function.join("bootstrap"));
            command.current_dir(function).env_clear().envs(FUNCTION_VARIABLES.iter().copied());
            command
                .env("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{runtime_port}"))
                .env("LAMBDA_TASK_ROOT", function);
            command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
            floor.functions.push(quiet(&mut command)?);
        }
        Ok(floor)
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = u32> {
        std::iter::once(&self.program).chain(&self.functions).map(Child::id)
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        for child in self.functions.iter_mut().chain([&mut self.program]) {
            // One that has ended by itself is fine as well.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn quiet(command: &mut Command) -> Result<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().with_context(|| format!("starting {}", command.get_program().display()))
}

/// The floor takes its ports by number: two that are free at this moment.
fn free_ports() -> Result<(u16, u16)> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a free port");
    // Both are bound until both are known, so they differ.
    let (first, second) = (bind()?, bind()?);
    Ok((first.local_addr()?.port(), second.local_addr()?.port()))
}

fn answers(port: u16) -> Result<()> {
    const TRIES: u32 = 500;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut last = Ok(());
    for _ in 0..TRIES {
        match TcpStream::connect(address) {
            Ok(_) => return Ok(()),
            Err(error) => last = Err(error),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    last.with_context(|| format!("the floor program does not listen on {address}"))
}
