//! An engine whose standard error nobody reads.

use std::fs::File;

use crate::engine_process::{Engine, Request, poll};

/// More than a pipe holds.
const LOG_BYTES: usize = 256 * 1024;

#[test]
fn nobody_waits_for_who_does_not_read_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    // Opened for both, it needs no reader; and the engine must not end for want of one either.
    let shell = ["sh", "-c", "exec \"$@\" 2<>pipe", "sh", env!("CARGO_BIN_EXE_lambd"), "serve", "--data-dir"];
    let mut program: Vec<_> = shell.map(Into::into).into();
    program.push(folder.path().join("data").into_os_string());
    let mut engine = Engine::not_started(folder, program, &[]);
    engine.begin();
    let reader = File::options().read(true).write(true).open(&pipe).unwrap();

    // Each of these is refused, and the log says why in a line of some hundred bytes.
    let refused = Request::new("POST", "/2015-03-31/functions").body(
        r#"{"FunctionName":"f","Runtime":"provided.al2023","Handler":"h","Role":"arn:aws:iam::000000000000:role/r","Code":{"ZipFile":"UEs="}}"#,
    );
    let mut connection = engine.connect();
    for _ in 0..LOG_BYTES / 64 {
        connection.write(&refused.bytes()).unwrap();
        assert_eq!(connection.read("POST").unwrap().status, 400);
    }
    poll("the pipe is full", || (rustix::io::ioctl_fionread(&reader).unwrap() > 60_000).then_some(()));
    assert!(engine.terminate().success());
}
