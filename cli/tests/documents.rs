//! Holds the documents to the code: the files, tests and settings that they name are there.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

const DOCUMENTS: [&str; 4] = [
    "README.md",
    "ARCHITECTURE.md",
    "docs/MIGRATING.md",
    "docs/OBSERVABILITY.md",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(name: &str) -> io::Result<String> {
    fs::read_to_string(root().join(name))
}

/// What a document writes between backticks outside of blocks, and on which line.
fn code_words(text: &str) -> Vec<(usize, String)> {
    let mut words = Vec::new();
    let mut is_block = false;
    for (line, text) in (1..).zip(text.lines()) {
        if text.starts_with("```") {
            is_block = !is_block;
        } else if !is_block {
            let inside = text.split('`').skip(1).step_by(2);
            words.extend(inside.map(|word| (line, word.to_owned())));
        }
    }
    words
}

/// All Rust text of the workspace's crates.
fn rust_text() -> io::Result<String> {
    fn visit(folder: &Path, text: &mut String) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                visit(&path, text)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&fs::read_to_string(path)?);
            }
        }
        Ok(())
    }
    let mut text = String::new();
    for member in ["core", "api", "worker", "cli"] {
        visit(&root().join(member), &mut text)?;
    }
    Ok(text)
}

#[test]
fn every_file_that_a_document_names_is_there() -> io::Result<()> {
    for document in DOCUMENTS {
        for (line, word) in code_words(&read(document)?) {
            let folders = [
                "core/",
                "api/",
                "worker/",
                "cli/",
                "lua/",
                "migrations/",
                "scripts/",
                ".ci/",
            ];
            let is_path = folders.iter().any(|folder| word.starts_with(folder))
                && !word.contains([' ', '<', '*']);
            assert!(
                !is_path || root().join(&word).exists(),
                "{document}:{line} names {word}, which is not there"
            );
        }
    }
    Ok(())
}

#[test]
fn every_test_that_a_document_names_is_there() -> io::Result<()> {
    let code = rust_text()?;
    for document in DOCUMENTS {
        for (line, word) in code_words(&read(document)?) {
            // A metric has the shape of a test's name.
            let is_test = word.matches('_').count() >= 3
                && !word.starts_with("balance_")
                && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            assert!(
                !is_test || code.contains(&format!("fn {word}(")),
                "{document}:{line} names the test {word}, which is not there"
            );
        }
    }
    Ok(())
}

/// A setting: its variable, its flag and, where it is a plain value, its default.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Setting {
    name: String,
    flag: String,
    default: Option<String>,
}

/// The settings of `settings.rs`, read from the arguments of its `#[arg(…)]` attributes.
fn settings(code: &str) -> BTreeSet<Setting> {
    let code = code
        .split("pub(crate) const DEFAULT_TIMEZONE")
        .next()
        .unwrap_or_default();
    code.split("#[arg(")
        .skip(1)
        .filter_map(|argument| {
            let after = |start: &str| argument.split_once(start).map(|(_, rest)| rest);
            let quoted = |rest: &str| rest.split('"').next().map(str::to_owned);
            let name = after("env = \"").and_then(quoted)?;
            let field = after("pub(crate) ")?.split(':').next()?.replace('_', "-");
            let long = after("long = \"").and_then(quoted).unwrap_or(field);
            let number = |rest: &str| {
                let digits = rest.split([',', ')', '\n']).next().unwrap_or_default();
                digits.trim().replace('_', "")
            };
            let default = after("default_value = \"")
                .and_then(quoted)
                .or_else(|| after("default_value_t = ").map(number));
            Some(Setting {
                name,
                flag: format!("--{long}"),
                default,
            })
        })
        .collect()
}

#[test]
fn the_table_of_settings_is_that_of_the_code() -> io::Result<()> {
    let readme = read("README.md")?;
    let table = readme
        .split("## Settings")
        .nth(1)
        .and_then(|rest| rest.split("\n## ").next())
        .unwrap_or_default();
    let mut settings = settings(&read("cli/src/settings.rs")?);
    settings.extend(self::settings(&read("cli/src/settings/api.rs")?));
    settings.extend(self::settings(&read("cli/src/settings/observation.rs")?));
    assert!(settings.len() > 10, "only {settings:?} were found");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            line.split('|')
                .map(|cell| cell.trim().trim_matches('`'))
                .collect()
        })
        .collect();
    let named: BTreeSet<&str> = rows.iter().map(|row| row[1]).collect();
    let there: BTreeSet<&str> = settings.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(named, there, "the names in the README and in settings.rs");
    for setting in &settings {
        let row = rows.iter().find(|row| row[1] == setting.name);
        let (flag, default) = row.map_or(("", ""), |row| (row[2], row[3]));
        assert_eq!(flag, setting.flag, "the flag of {}", setting.name);
        if let Some(expected) = &setting.default {
            assert_eq!(default, expected, "the default of {}", setting.name);
        }
    }
    Ok(())
}
