//! `lambd invoke` against a server that plays recorded kinds of answers: alone in `table`, side by side with the real
//! AWS CLI v2 in `differential`.

mod differential;
mod server;
mod table;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use server::{Request, Server};

/// What a run of a client left behind.
#[derive(Debug)]
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
    /// Content of the file `out` in the working folder.
    outfile: Option<String>,
    requests: Vec<Request>,
}

/// Everything around a client: an empty home, a working folder, and no variable but those named.
#[derive(Debug, Default)]
struct Surroundings<'a> {
    variables: &'a [(&'a str, &'a str)],
    /// `~/.aws/config`
    config: &'a str,
    /// Files in the working folder.
    files: &'a [(&'a str, &'a [u8])],
    stdin: &'a str,
}

/// Runs a client in a fresh folder. `{url}` and `{port}` in arguments, variables and configuration are the server's.
fn run(program: &OsStr, arguments: &[&str], around: &Surroundings<'_>, server: &Server) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let (home, work) = (folder.path().join("home"), folder.path().join("work"));
    fs::create_dir_all(home.join(".aws")).unwrap();
    fs::create_dir_all(&work).unwrap();
    let fill = |text: &str| text.replace("{url}", &server.url()).replace("{port}", &server.port().to_string());
    if !around.config.is_empty() {
        fs::write(home.join(".aws/config"), fill(around.config)).unwrap();
    }
    for (name, content) in around.files {
        fs::write(work.join(name), content).unwrap();
    }
    let mut child = Command::new(program)
        .args(arguments.iter().map(|argument| fill(argument)))
        .env_clear()
        .env("HOME", &home)
        .env("PATH", "/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(around.variables.iter().map(|(name, value)| (name, fill(value))))
        .current_dir(&work)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The client may end before it has read its stdin.
    let _ = child.stdin.take().unwrap().write_all(around.stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    // The folder has another name in each run.
    let text = |bytes| String::from_utf8(bytes).unwrap().replace(folder.path().to_str().unwrap(), "FOLDER");
    Run {
        code: output.status.code().unwrap(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
        outfile: fs::read_to_string(work.join("out")).ok(),
        requests: server.take_requests(),
    }
}

fn lambd(arguments: &[&str], around: &Surroundings<'_>, server: &Server) -> Run {
    run(OsStr::new(env!("CARGO_BIN_EXE_lambd")), arguments, around, server)
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/invoke_cli").join(name);
    path.to_str().unwrap().to_owned()
}
