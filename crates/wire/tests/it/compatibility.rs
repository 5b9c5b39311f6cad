//! `docs/compatibility.md` says what the code does.

#[test]
fn the_document_is_what_the_code_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/compatibility.md");
    let there = std::fs::read_to_string(path).unwrap();
    assert!(there == wire::coverage::document(), "docs/compatibility.md is old: run `cargo xtask codegen`");
}
