//! Holds the layering of the workspace: which folder may name which crate, adapter or module.
//!
//! The scanner reads the source files as text: it drops comments, strings and `#[cfg(test)]`
//! items, and looks at every path that is left, in `use` trees and in expressions. It knows no
//! macros' output and no re-exports; what it sees is what a reader of the file sees.

#[path = "architecture/rules.rs"]
mod rules;

#[path = "architecture/scanner.rs"]
mod scanner;

use rules::{ADAPTERS, EVERYWHERE, MANIFESTS, RULES, Rule};
use scanner::{Source, dependencies};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The one file that may name several adapters.
const WIRING: &str = "cli/src/app.rs";

/// The most lines of a source file, its tests left out.
const MAX_LINES: usize = 400;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Paths of all files below the root, from the root, with `/` between folders.
fn files() -> io::Result<Vec<String>> {
    fn visit(folder: &Path, name: &str, found: &mut Vec<String>) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let file = entry.file_name().to_string_lossy().into_owned();
            let name = match name {
                "" => file,
                _ => format!("{name}/{file}"),
            };
            if matches!(name.as_str(), "target" | ".git" | "data") {
                continue;
            }
            if entry.file_type()?.is_dir() {
                visit(&entry.path(), &name, found)?;
            } else {
                found.push(name);
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    visit(&root(), "", &mut found)?;
    found.sort();
    Ok(found)
}

fn read(name: &str) -> io::Result<String> {
    fs::read_to_string(root().join(name))
}

/// All source files of the crates, tests left out.
fn sources() -> io::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for name in files()? {
        let is_source = EVERYWHERE.iter().any(|place| name.starts_with(place));
        if is_source && name.ends_with(".rs") && !name.ends_with("/tests.rs") {
            sources.push(Source::new(&name, &read(&name)?));
        }
    }
    Ok(sources)
}

fn names(path: &[String], forbidden: &str) -> bool {
    let wanted: Vec<&str> = forbidden.split("::").collect();
    match wanted[..] {
        [segment] => path.iter().any(|part| part == segment),
        _ => path.len() >= wanted.len() && path.iter().zip(&wanted).all(|(a, b)| a == b),
    }
}

fn violations(rule: &Rule, source: &Source) -> Vec<String> {
    let lies_in = |places: &[&str]| places.iter().any(|place| source.name.starts_with(place));
    if !lies_in(rule.within) || lies_in(rule.except) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for path in source.paths() {
        for forbidden in rule
            .forbidden
            .iter()
            .filter(|one| names(&path.segments, one))
        {
            found.push(format!(
                "{}:{} names {forbidden} (in `{}`), but {}",
                source.name,
                path.line,
                path.segments.join("::"),
                rule.why
            ));
        }
    }
    found
}

fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn no_file_names_what_its_place_forbids() -> io::Result<()> {
    let sources = sources()?;
    assert!(
        sources.len() > 50,
        "only {} files were found",
        sources.len()
    );
    let found: Vec<String> = RULES
        .iter()
        .flat_map(|rule| {
            sources
                .iter()
                .flat_map(move |source| violations(rule, source))
        })
        .collect();
    assert_none(&found);
    Ok(())
}

#[test]
fn every_place_that_a_rule_speaks_of_has_files_or_is_named_as_missing() -> io::Result<()> {
    // A folder that is renamed must not leave its rules without effect.
    let not_there_yet = ["core/src/intake/"];
    let files = files()?;
    let places = RULES
        .iter()
        .flat_map(|rule| rule.within.iter().chain(rule.except));
    for place in places {
        let exists = files.iter().any(|file| file.starts_with(place));
        assert!(
            exists || not_there_yet.contains(place),
            "a rule speaks of {place}, where there are no files"
        );
    }
    Ok(())
}

#[test]
fn only_the_wiring_names_several_adapters() -> io::Result<()> {
    let mut found = Vec::new();
    for source in sources()? {
        let paths = source.paths();
        let named: Vec<&str> = ADAPTERS
            .iter()
            .copied()
            .filter(|adapter| paths.iter().any(|path| names(&path.segments, adapter)))
            .collect();
        if named.len() > 1 && source.name != WIRING {
            found.push(format!(
                "{} names {}: only {WIRING} wires several adapters together",
                source.name,
                named.join(" and ")
            ));
        }
    }
    assert_none(&found);
    Ok(())
}

#[test]
fn manifests_hold_no_dependency_that_their_sources_must_not_name() -> io::Result<()> {
    let mut found = Vec::new();
    for (manifest, forbidden) in MANIFESTS {
        for dependency in dependencies(&read(manifest)?) {
            if forbidden.contains(&dependency.as_str()) {
                found.push(format!(
                    "{manifest}: [dependencies] holds {dependency}, which this crate must not use"
                ));
            }
        }
    }
    assert_none(&found);
    Ok(())
}

#[test]
fn source_files_are_short() -> io::Result<()> {
    let mut found = Vec::new();
    for source in sources()? {
        let lines = source.lines_without_tests();
        if lines > MAX_LINES {
            found.push(format!(
                "{} has {lines} lines without its tests, more than {MAX_LINES}: split it",
                source.name
            ));
        }
    }
    assert_none(&found);
    Ok(())
}

#[test]
fn nothing_speaks_of_somebodys_folders() -> io::Result<()> {
    // In two parts, so that this file does not find itself.
    let folders = [
        concat!("/", "home/"),
        concat!("/", "root/"),
        concat!("/", "Users/"),
        concat!("/", "work/"),
    ];
    let mut found = Vec::new();
    for name in files()? {
        // Files that are no text have no words.
        let Ok(text) = read(&name) else { continue };
        for (line, words) in (1..).zip(text.lines()) {
            for folder in folders {
                if scanner::begins_a_path(words, folder) {
                    found.push(format!("{name}:{line} speaks of the folder {folder}"));
                }
            }
        }
    }
    assert_none(&found);
    Ok(())
}

#[test]
fn the_scanner_sees_through_groups_renames_and_relative_paths() {
    let text = r####"
//! Comments may speak of sqlx::query, and of /* nested */ things.
use crate::{
    port::error::{StoreError, StoreResult},
    store::{self, db as database},
};
/* use tokio::spawn; /* even here */ use redis::Client; */
fn f<'a>(x: &'a str) -> char {
    let _ = "sqlx::query \" still text"; let _ = r#"use poem::Route;"#; let _ = '"';
    ::serde_json::to_string(x);
    super::super::queue::ring();
    let _ = impl_it::<dyn Fn() -> u8 + use<>>;
    'x'
}
#[cfg(test)]
mod tests {
    use tokio::test;
    fn g() { if true { apalis::run() } }
}
fn after() { worker.run(redis::Client::open()) }
"####;
    let source = Source::new("core/src/service/import/sample.rs", text);
    let found: Vec<String> = RULES
        .iter()
        .flat_map(|rule| violations(rule, &source))
        .collect();
    let expected = [
        "core/src/service/import/sample.rs:5 names balance_core::store (in \
         `balance_core::store`), but dependencies point from the adapters to the ports, never back",
        "core/src/service/import/sample.rs:5 names balance_core::store (in \
         `balance_core::store::db`), but dependencies point from the adapters to the ports, never \
         back",
        "core/src/service/import/sample.rs:20 names redis (in `redis::Client::open`), but only \
         intake and queue speak to Redis",
    ];
    assert_eq!(found, expected);
    let all: Vec<String> = source
        .paths()
        .iter()
        .map(|path| path.segments.join("::"))
        .collect();
    for path in [
        "serde_json::to_string",
        "balance_core::service::queue::ring",
    ] {
        assert!(
            all.iter().any(|one| one == path),
            "{path} is not among {all:?}"
        );
    }
    assert_eq!(source.lines_without_tests(), 15);
}

#[test]
fn every_rule_catches_what_it_forbids() {
    for rule in RULES {
        for place in rule.within {
            for forbidden in rule.forbidden {
                let name = format!("{place}sample.rs");
                let text = format!("fn f() {{ let _ = {forbidden}::Thing::new(); }}");
                let used = format!("use {forbidden}::{{self as other, Thing}};");
                for text in [text, used] {
                    let caught = violations(rule, &Source::new(&name, &text));
                    let is_excepted = rule.except.iter().any(|one| name.starts_with(one));
                    assert!(is_excepted || !caught.is_empty(), "{name}: {text}");
                }
            }
        }
        for place in rule.except {
            let text = format!("use {}::Thing;", rule.forbidden[0]);
            let source = Source::new(&format!("{place}sample.rs"), &text);
            assert_none(&violations(rule, &source));
        }
    }
}

#[test]
fn manifests_are_read_by_section() {
    let text = "[package]\nname = \"x\"\n[dependencies]\nsqlx.workspace = true\n\
                db = { package = \"redis\", version = \"1\" } # tokio\n\
                [dependencies.poem]\nversion = \"3\"\n[dev-dependencies]\nclap = \"4\"\n\
                [target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n";
    assert_eq!(dependencies(text), ["sqlx", "db", "redis", "poem", "libc"]);
}
