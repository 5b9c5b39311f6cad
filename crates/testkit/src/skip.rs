//! Leaving a test out where the machine lacks what it needs: never quietly, and never in CI but for
//! disks, programs that one test alone needs and what the kernel allows.
//!
//! Never here: deciding whether something is missing.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Says that the test of this name cannot run here, and why; the test then returns. `cargo xtask test` lists
/// all of these at its end, from the file that `LAMBD_TEST_SKIPS` names.
///
/// # Panics
/// `CI` is `true`: there, nothing may be left out.
#[expect(clippy::disallowed_methods, reason = "the environment of a test is not the engine's")]
pub fn test(name: &str, reason: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{name} cannot run, and CI=true allows no skip: {reason}");
    say(name, reason);
}

/// As [`test`], but also in CI: for what needs a disk of its own, which not every machine can make.
pub fn without_disk(name: &str, reason: &str) {
    say(name, reason);
}

/// As [`test`], but also in CI: for what not every kernel, or not everybody's rights, allow.
pub fn without_kernel(name: &str, reason: &str) {
    say(name, reason);
}

#[expect(clippy::print_stderr, reason = "a skipped test says so by name")]
fn say(name: &str, reason: &str) {
    eprintln!("SKIPPED {name}: {reason}");
    if let Some(list) = std::env::var_os("LAMBD_TEST_SKIPS") {
        let line = format!("{name}: {}\n", reason.replace('\n', " "));
        // One write, so that tests running at once do not mix their lines.
        let written = OpenOptions::new().append(true).open(&list).and_then(|mut file| file.write_all(line.as_bytes()));
        assert!(written.is_ok(), "{name} is skipped, and cannot say so in {}: {written:?}", list.display());
    }
}

/// As [`test`], but also in CI: for a program that no other test needs.
pub fn without_program(name: &str, reason: &str) {
    say(name, reason);
}
