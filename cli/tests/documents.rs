//! Compares the documents with the code: the files, tests, settings, problem codes and links that
//! they name exist.

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// Lists changes by their old names too.
const CHANGELOG: &str = "CHANGELOG.md";
/// The most lines of the README.
const README_LINES: usize = 150;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(name: &str) -> io::Result<String> {
    fs::read_to_string(root().join(name))
}

/// All documents, by their paths from the root.
fn documents() -> io::Result<BTreeSet<String>> {
    let mut documents = BTreeSet::new();
    for folder in ["", "docs/", "openapi/"] {
        for entry in fs::read_dir(root().join(folder))? {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            if name.ends_with(".md") {
                documents.insert(format!("{folder}{name}"));
            }
        }
    }
    assert!(documents.contains("README.md"), "{documents:?}");
    Ok(documents)
}

/// The documents that describe the present state.
fn current_documents() -> io::Result<BTreeSet<String>> {
    let mut documents = documents()?;
    documents.remove(CHANGELOG);
    Ok(documents)
}

/// The lines of a text outside of code blocks, with their numbers.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut lines = Vec::new();
    let mut is_block = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with("```") {
            is_block = !is_block;
        } else if !is_block {
            lines.push((number, line));
        }
    }
    lines
}

/// The texts between backticks outside of code blocks, with their lines.
fn code_words(text: &str) -> Vec<(usize, String)> {
    let words = prose(text).into_iter().flat_map(|(number, line)| {
        let inside = line.split('`').skip(1).step_by(2);
        inside.map(move |word| (number, word.to_owned()))
    });
    words.collect()
}

/// The files below a folder whose names end with `.rs`.
fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            rust_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// All Rust text of the workspace's crates.
fn rust_text() -> io::Result<String> {
    let mut files = Vec::new();
    for member in ["core", "api", "worker", "cli", "test-support"] {
        let folder = root().join(member);
        if folder.exists() {
            rust_files(&folder, &mut files)?;
        }
    }
    files.into_iter().map(fs::read_to_string).collect()
}

#[test]
fn every_file_that_a_document_names_exists() -> io::Result<()> {
    let folders = [
        "core/",
        "api/",
        "worker/",
        "cli/",
        "test-support/",
        "tests/",
        "lua/",
        "migrations/",
        "openapi/",
        "docs/",
        "scripts/",
        ".ci/",
        ".github/",
    ];
    for document in current_documents()? {
        for (line, word) in code_words(&read(&document)?) {
            let is_path = folders.iter().any(|folder| word.starts_with(folder))
                && !word.contains([' ', '<', '*', '{']);
            assert!(
                !is_path || root().join(&word).exists(),
                "{document}:{line} names {word}, which does not exist"
            );
        }
    }
    Ok(())
}

#[test]
fn every_test_that_a_document_names_exists() -> io::Result<()> {
    let code = rust_text()?;
    for document in current_documents()? {
        for (line, word) in code_words(&read(&document)?) {
            // A metric has the shape of a test's name.
            let is_test = word.matches('_').count() >= 3
                && !word.starts_with("balance_")
                && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            assert!(
                !is_test || code.contains(&format!("fn {word}(")),
                "{document}:{line} names the test {word}, which does not exist"
            );
        }
    }
    Ok(())
}

/// The identifier that a heading has as a link's target.
fn anchor(heading: &str) -> String {
    let characters = heading.chars().filter_map(|c| match c {
        ' ' | '-' => Some('-'),
        '_' => Some('_'),
        c if c.is_alphanumeric() => Some(c.to_ascii_lowercase()),
        _ => None,
    });
    characters.collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text)
        .into_iter()
        .filter(|(_, line)| line.starts_with('#'));
    headings
        .map(|(_, line)| anchor(line.trim_start_matches('#').trim()))
        .collect()
}

/// The targets of a text's links, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let links = prose(text).into_iter().flat_map(|(number, line)| {
        let targets = line.split("](").skip(1);
        targets.filter_map(move |rest| Some((number, rest.split_once(')')?.0.to_owned())))
    });
    links.collect()
}

#[test]
fn every_relative_link_resolves() -> io::Result<()> {
    let mut broken = Vec::new();
    for document in documents()? {
        let path = root().join(&document);
        for (line, target) in links(&read(&document)?) {
            if target.contains("://") {
                continue;
            }
            let (file, fragment) = target.split_once('#').unwrap_or((target.as_str(), ""));
            let file = match file {
                "" => path.clone(),
                file => path.with_file_name(file),
            };
            let resolves = file.exists()
                && (fragment.is_empty() || anchors(&fs::read_to_string(&file)?).contains(fragment));
            if !resolves {
                broken.push(format!("{document}:{line}: {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
    Ok(())
}

#[test]
fn the_readme_is_short() -> io::Result<()> {
    let lines = read("README.md")?.lines().count();
    assert!(lines <= README_LINES, "README.md has {lines} lines");
    Ok(())
}

/// The text between two markers, without them; empty if one is missing.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    text.split_once(begin)
        .and_then(|(_, rest)| rest.split_once(end))
        .map_or("", |(inside, _)| inside)
}

/// The problem codes of the OpenAPI document with their statuses.
fn problem_codes() -> io::Result<BTreeMap<String, String>> {
    let document: Value = serde_json::from_str(&read("openapi/openapi.json")?)?;
    let description = document["info"]["description"].as_str();
    let rows = description.unwrap_or_default().lines();
    let codes = rows.filter_map(|row| {
        let (code, rest) = row.strip_prefix("| `")?.split_once("` | ")?;
        let (status, _) = rest.split_once(" | ")?;
        Some((code.to_owned(), status.to_owned()))
    });
    Ok(codes.collect())
}

#[test]
fn every_problem_code_has_a_section() -> io::Result<()> {
    let page = read("docs/errors.md")?;
    let mut sections = BTreeMap::new();
    for section in page.split("\n## ").skip(1) {
        let (code, text) = section.split_once('\n').unwrap_or((section, ""));
        let status = between(text, "- **Status:** ", "\n");
        let has_retry_after = text.contains("\n- **Retry-After:** ");
        assert_eq!(
            has_retry_after,
            ["429", "503"].contains(&status),
            "Retry-After of {code}"
        );
        for item in ["Meaning", "Cause", "Client action"] {
            assert!(
                text.contains(&format!("\n- **{item}:** ")),
                "{code}: {item}"
            );
        }
        sections.insert(code.to_owned(), status.to_owned());
    }
    let codes = problem_codes()?;
    assert!(codes.len() > 30, "only {codes:?} were found");
    assert_eq!(sections, codes, "the sections of docs/errors.md");
    Ok(())
}

/// Replaces the table of settings in docs/configuration.md.
const UPDATE_SETTINGS: &str = "cargo run -p balance -- help settings --markdown | sed -i \
    -e '/settings:begin/r /dev/stdin' -e '/settings:begin/,/settings:end/{//!d}' \
    docs/configuration.md";

#[test]
fn the_table_of_settings_matches_the_code() -> io::Result<()> {
    let page = read("docs/configuration.md")?;
    let table = between(&page, "<!-- settings:begin -->\n", "<!-- settings:end -->");
    let output = Command::new(env!("CARGO_BIN_EXE_balance"))
        .args(["help", "settings", "--markdown"])
        .env_clear()
        .output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.lines().count() > 10, "{output:?}");
    assert_eq!(
        table, printed,
        "docs/configuration.md is out of date; run: {UPDATE_SETTINGS}"
    );
    // The recipe quotes the command.
    let words = |text: &str| {
        text.replace('\\', "")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert!(words(&read("CONTRIBUTING.md")?).contains(&words(UPDATE_SETTINGS)));
    Ok(())
}
