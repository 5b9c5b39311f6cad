//! Prints `docs/compatibility.md`; `cargo xtask codegen` puts it in its place.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(wire::coverage::document().as_bytes())
}
