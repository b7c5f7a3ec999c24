//! Holds the texts of the project to plain technical English: documents, comments, help, messages
//! and the OpenAPI document use none of the avoided words.

#[path = "prose/rules.rs"]
mod rules;

#[path = "prose/text.rs"]
mod text;

#[path = "sources/mod.rs"]
mod sources;

use rules::{ALLOWED, FINE, RULES};
use sources::{files, read};
use std::io;
use text::{Word, words};

/// An avoided phrase in a file.
struct Finding {
    file: String,
    line: usize,
    phrase: String,
    instead: &'static str,
}

/// Whether a file contains text for readers.
fn is_text(name: &str) -> bool {
    const KINDS: [&str; 8] = ["rs", "md", "sql", "lua", "yml", "toml", "py", "ts"];
    const NAMES: [&str; 6] = [
        ".ci/run",
        ".editorconfig",
        ".env.example",
        "Dockerfile",
        "openapi/openapi.json",
        "scripts/test",
    ];
    let kind = name.rsplit('.').next().unwrap_or_default();
    KINDS.contains(&kind) || NAMES.contains(&name)
}

/// Whether `words` begin with a phrase.
fn begin_with(words: &[Word], phrase: &str) -> bool {
    let mut words = words.iter();
    phrase.split(' ').enumerate().all(|(index, wanted)| {
        words.next().is_some_and(|word| {
            (index == 0 || word.is_joined) && [&word.text, "_"].contains(&wanted)
        })
    })
}

/// Whether the word at `index` belongs to a phrase that may stay.
fn is_fine(words: &[Word], index: usize) -> bool {
    FINE.iter().any(|phrase| {
        let length = phrase.split(' ').count();
        (0..length).any(|back| index >= back && begin_with(&words[index - back..], phrase))
    })
}

fn findings(file: &str, text: &str) -> Vec<Finding> {
    let words = words(file, text);
    let mut found = Vec::new();
    for index in 0..words.len() {
        for (phrases, instead) in RULES {
            let phrase = phrases
                .split('|')
                .find(|phrase| begin_with(&words[index..], phrase));
            if let Some(phrase) = phrase.filter(|_| !is_fine(&words, index)) {
                found.push(Finding {
                    file: file.to_owned(),
                    line: words[index].line,
                    phrase: phrase.to_owned(),
                    instead,
                });
            }
        }
    }
    found
}

fn all_findings() -> io::Result<Vec<Finding>> {
    let mut found = Vec::new();
    for file in files()?.into_iter().filter(|name| is_text(name)) {
        found.extend(findings(&file, &read(&file)?));
    }
    Ok(found)
}

fn allows((file, phrase, _): &(&str, &str, &str), finding: &Finding) -> bool {
    finding.file.starts_with(file) && finding.phrase == *phrase
}

#[test]
fn texts_use_plain_technical_english() -> io::Result<()> {
    let lines: Vec<String> = all_findings()?
        .iter()
        .filter(|finding| !ALLOWED.iter().any(|allowed| allows(allowed, finding)))
        .map(|one| format!("{}:{}: {}: {}", one.file, one.line, one.phrase, one.instead))
        .collect();
    assert!(
        lines.is_empty(),
        "{} avoided words (cli/tests/prose/rules.rs lists them and the exceptions):\n{}",
        lines.len(),
        lines.join("\n")
    );
    Ok(())
}

#[test]
fn every_exception_is_needed() -> io::Result<()> {
    let found = all_findings()?;
    for allowed in ALLOWED {
        assert!(
            found.iter().any(|finding| allows(allowed, finding)),
            "{allowed:?} allows a word that is not used: remove the exception"
        );
    }
    Ok(())
}

#[test]
fn texts_name_no_folders_of_a_machine() -> io::Result<()> {
    let mut found = Vec::new();
    for file in files()? {
        // Files that are not text are skipped.
        let Ok(text) = read(&file) else { continue };
        for (line, text) in (1..).zip(text.lines()) {
            for folder in ["home", "root", "Users", "work"] {
                let path = format!("/{folder}/");
                // Otherwise the folder is a part of a longer path.
                let is_begin = |(at, _)| {
                    !text[..at].ends_with(|c: char| c.is_alphanumeric() || ".-_}".contains(c))
                };
                if text.match_indices(&path).any(is_begin) {
                    found.push(format!("{file}:{line}: names the folder /{folder}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    Ok(())
}

#[test]
fn comments_and_messages_are_read_and_code_is_not() {
    let code = r####"
//! The workers go
//! on; `nobody` is code. Locks are taken in the order of ids, right away.
fn ring<'a>(storm: &'a str) -> char {
    /* A remedy. */
    let _ = ("whatever {crew} is\
        at hand", r#"a "stray" \"#, '"', '\'', b"told");
    'r'
}
#[cfg(test)]
mod tests {
    // Nobody's.
    const A: &str = "mend";
}
"####;
    let found = |file: &str| -> Vec<(usize, String)> {
        let found = findings(file, code).into_iter();
        found.map(|one| (one.line, one.phrase)).collect()
    };
    let owned = |found: &[(usize, &str)]| -> Vec<(usize, String)> {
        let found = found.iter();
        found
            .map(|(line, phrase)| (*line, (*phrase).to_owned()))
            .collect()
    };
    let comments = [(2, "go on"), (5, "remedy"), (12, "nobody")];
    let all = [
        (2, "go on"),
        (5, "remedy"),
        (6, "whatever"),
        (7, "at hand"),
        (7, "stray"),
        (7, "told"),
        (12, "nobody"),
    ];
    assert_eq!(found("cli/src/sample.rs"), owned(&all));
    assert_eq!(found("cli/tests/sample.rs"), owned(&comments));
}
