//! Schemathesis sends valid and invalid requests to every operation, and compares each response with
//! the document.

use crate::{
    platform::{ADMIN, CREATOR, Platform},
    tools::{Python, run},
};
use balance_test_support::process::variable;
use std::path::Path;

fn run_schemathesis_as(username: &str) {
    let seed: u32 = variable("TEST_SEED").map_or(1, |seed| {
        seed.parse().expect("TEST_SEED is a number of 32 bits")
    });
    eprintln!("TEST_SEED={seed}");
    let python = Python::installed();
    let platform = Platform::open();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi/schemathesis.toml");
    let folder = tempfile::tempdir().unwrap();
    let output = run(python
        .command("schemathesis")
        .arg("--config-file")
        .arg(config.canonicalize().unwrap())
        .args(["run", "--no-color", "--seed", &seed.to_string()])
        .arg(format!("{}/openapi.json", platform.server.base()))
        .env("BALANCE_TOKEN", platform.token(username))
        .current_dir(folder.path()));
    eprintln!("{output}");
    platform.close();
}

#[test]
fn responses_to_a_user_match_the_document() {
    run_schemathesis_as(CREATOR);
}

#[test]
fn responses_to_an_admin_match_the_document() {
    run_schemathesis_as(ADMIN);
}
