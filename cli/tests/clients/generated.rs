//! Programs on clients that generators make of the served document: they join, log in, register a
//! video, play and pause it, and read reports.

use crate::{
    common::program::block_on,
    platform::{CREATOR, Platform, SETTLED},
    tools::{Node, Python, run, sources},
};
use serde_json::Value;
use std::{fs, os::unix::fs::symlink, path::Path, process::Command};
use tempfile::TempDir;

/// Copies some of the clients' sources into a folder of the test's own.
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

/// Runs a program, which answers the month's top 5 as it has read them.
#[track_caller]
fn assert_reads_the_top(platform: &Platform, program: &mut Command) {
    let said = run(program.args([&platform.server.base(), SETTLED]));
    let read: Value = serde_json::from_str(&said).expect(&said);
    let path = format!("/top5/view-count?period=month&date={SETTLED}");
    let token = platform.token(CREATOR);
    let client = platform.server.client();
    let top = block_on(client.ask("GET", &path, &token)).is(200).json();
    let items = top["items"].as_array().unwrap();
    let ids: Vec<Value> = items.iter().map(|item| item["videoId"].clone()).collect();
    assert_eq!(ids.len(), 5, "{top}");
    assert_eq!(read, Value::from(ids));
}

#[test]
fn a_client_in_typescript_is_made_of_the_document_and_works() {
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
fn a_client_in_python_is_made_of_the_document_and_works() {
    let python = Python::installed();
    let platform = Platform::open();
    let folder = folder_with(&["python/generator.yml", "python/client.py"]);
    let here = |command: &str| {
        let mut command = python.command(command);
        command.current_dir(folder.path());
        command
    };
    let said = run(here("openapi-python-client")
        .args(["generate", "--meta", "none", "--config", "generator.yml"])
        .args(["--output-path", "balance_client"])
        .args(["--fail-on-warning", "--url", &document(&platform)]));
    assert!(
        Path::new(folder.path())
            .join("balance_client/client.py")
            .exists(),
        "{said}"
    );
    assert_reads_the_top(&platform, here("python").arg("client.py"));
    platform.close();
}
