//! Our runtime clients against AWS's own: the same handlers, the same events, and what each posts
//! and logs is compared. The official client is the oracle; where it is not installed, those tests
//! say so.

mod nodejs;
mod python;
mod run;
mod runtime_api;

use std::path::PathBuf;

/// The folder with the official clients (`venv/` with awslambdaric, `node_modules/` with
/// aws-lambda-ric 4.x and, as aws-lambda-ric-3, 3.x), which `cargo xtask test` sets up and names.
fn test_tools(test: &str) -> Option<PathBuf> {
    let tools = std::env::var_os("LAMBD_TEST_TOOLS").map(PathBuf::from);
    if tools.is_none() {
        testkit::skip::test(test, "LAMBD_TEST_TOOLS names no folder with the official clients");
    }
    tools
}
