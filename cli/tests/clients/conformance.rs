//! Schemathesis asks every operation whatever the document allows and what it does not, and holds
//! each answer against the document.

use crate::{
    common::program::told,
    platform::{ADMIN, CREATOR, Platform},
    tools::{Python, run},
};
use std::path::Path;

fn ask_everything_as(username: &str) {
    let seed: u32 = told("TEST_SEED").map_or(1, |seed| {
        seed.parse().expect("TEST_SEED is a number of 32 bits")
    });
    eprintln!("TEST_SEED={seed}");
    let python = Python::installed();
    let platform = Platform::open();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi/schemathesis.toml");
    let folder = tempfile::tempdir().unwrap();
    let said = run(python
        .command("schemathesis")
        .arg("--config-file")
        .arg(config.canonicalize().unwrap())
        .args(["run", "--no-color", "--seed", &seed.to_string()])
        .arg(format!("{}/openapi.json", platform.server.base()))
        .env("BALANCE_TOKEN", platform.token(username))
        .current_dir(folder.path()));
    eprintln!("{said}");
    platform.close();
}

#[test]
fn whatever_a_user_asks_is_answered_as_the_document_says() {
    ask_everything_as(CREATOR);
}

#[test]
fn whatever_an_admin_asks_is_answered_as_the_document_says() {
    ask_everything_as(ADMIN);
}
