//! Programs that use clients generated from the served document. They join, log in, register a
//! video, play and pause it, and read reports.

use crate::{
    platform::{CREATOR, Platform, SETTLED},
    tools::{Node, Python, run, sources},
};
use balance_test_support::process::block_on;
use serde_json::Value;
use std::{fs, os::unix::fs::symlink, path::Path, process::Command};
use tempfile::TempDir;

/// Copies sources of the clients into a temporary folder.
fn folder_with(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        let from = sources().join(name);
        fs::copy(&from, folder.path().join(from.file_name().unwrap())).unwrap();
    }
    folder
}

fn document(platform: &Platform) -> String {
    format!("{}/openapi.json", platform.server.base())
}

/// Runs a program, and asserts that it prints the month's top 5.
#[track_caller]
fn assert_reads_the_top(platform: &Platform, program: &mut Command) {
    let output = run(program.args([&platform.server.base(), SETTLED]));
    let read: Value = serde_json::from_str(&output).expect(&output);
    let path = format!("/top5/view-count?period=month&date={SETTLED}");
    let token = platform.token(CREATOR);
    let client = platform.server.client();
    let top = block_on(client.request("GET", &path, &token))
        .is(200)
        .json();
    let items = top["items"].as_array().unwrap();
    let ids: Vec<Value> = items.iter().map(|item| item["videoId"].clone()).collect();
    assert_eq!(ids.len(), 5, "{top}");
    assert_eq!(read, Value::from(ids));
}

#[test]
fn a_client_in_typescript_is_generated_and_works() {
    let node = Node::installed();
    let platform = Platform::open();
    let folder = folder_with(&[
        "typescript/package.json",
        "typescript/tsconfig.json",
        "typescript/client.ts",
    ]);
    let here = |command: &str| {
        let mut command = node.command(command);
        command.current_dir(folder.path());
        command
    };
    symlink(node.modules(), folder.path().join("node_modules")).unwrap();
    run(here("openapi-typescript").args([&document(&platform), "--output", "schema.d.ts"]));
    run(&mut here("tsc"));
    let mut program = Command::new("node");
    program.arg("client.js").current_dir(folder.path());
    assert_reads_the_top(&platform, &mut program);
    platform.close();
}

#[test]
fn a_client_in_python_is_generated_and_works() {
    let python = Python::installed();
    let platform = Platform::open();
    let folder = folder_with(&["python/generator.yml", "python/client.py"]);
    let here = |command: &str| {
        let mut command = python.command(command);
        command.current_dir(folder.path());
        command
    };
    let output = run(here("openapi-python-client")
        .args(["generate", "--meta", "none", "--config", "generator.yml"])
        .args(["--output-path", "balance_client"])
        .args(["--fail-on-warning", "--url", &document(&platform)]));
    assert!(
        Path::new(folder.path())
            .join("balance_client/client.py")
            .exists(),
        "{output}"
    );
    assert_reads_the_top(&platform, here("python").arg("client.py"));
    platform.close();
}
