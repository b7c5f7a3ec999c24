//! Extracts the text for readers from a file: comments, documents, and messages in strings.

use crate::sources::{is_test, tests_begin, token_end};

/// Stands for code; it separates words that are no phrase.
const BARRIER: char = '\0';

/// One word of a text.
pub(crate) struct Word {
    /// In lower case.
    pub(crate) text: String,
    pub(crate) line: usize,
    /// Whether only blanks separate it from the word before it.
    pub(crate) is_joined: bool,
}

/// Returns the words of the file `name` that are text for readers.
pub(crate) fn words(name: &str, text: &str) -> Vec<Word> {
    let prose = match name.rsplit('.').next() {
        Some("rs") => rust(text, is_test(name)),
        Some("sql" | "lua") => plain(text, "-"),
        Some("ts") => plain(text, "/"),
        Some("json") => plain(&text.replace("\\n", "\0"), ""),
        _ => plain(text, "#"),
    };
    split(&prose)
}

fn split(prose: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let (mut word, mut gap, mut line) = (String::new(), String::new(), 1);
    for c in prose.chars().chain([BARRIER]) {
        if c.is_ascii_alphanumeric() || c == '_' {
            word.push(c.to_ascii_lowercase());
            continue;
        }
        if !word.is_empty() {
            let is_blank = gap.chars().all(|c| c.is_whitespace() || "*>".contains(c));
            words.push(Word {
                text: std::mem::take(&mut word),
                line,
                is_joined: is_blank && !gap.is_empty() && !gap.contains("\n\n"),
            });
            gap.clear();
        }
        gap.push(c);
        line += usize::from(c == '\n');
    }
    words
}

/// Drops code between backticks, which does not span lines, and the marks that begin a comment.
fn plain(text: &str, mark: &str) -> String {
    let mut prose = String::new();
    for line in text.lines() {
        let is_mark = |c: char| mark.contains(c) || c == '!';
        let line = line.trim_start();
        let line = match line.chars().next() {
            Some(first) if mark.contains(first) => line.trim_start_matches(is_mark),
            _ => line,
        };
        for (index, part) in line.split('`').enumerate() {
            match index % 2 {
                0 => prose.push_str(part),
                _ => prose.push(BARRIER),
            }
        }
        prose.push('\n');
    }
    prose
}

/// Keeps the comments of Rust code and, outside of tests, the string literals.
fn rust(code: &str, is_test: bool) -> String {
    let messages_end = if is_test { 0 } else { tests_begin(code) };
    let mut prose = String::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let end = token_end(rest);
        let (token, after) = rest.split_at(end);
        let is_string = token.len() > 1 && token.ends_with(['"', '#']);
        if token.starts_with("//") || token.starts_with("/*") {
            let text = plain(token, "/");
            prose.push_str(text.strip_suffix('\n').unwrap_or(&text));
        } else if is_string && code.len() - rest.len() < messages_end {
            prose.push_str(&message(token));
        } else if first.is_whitespace() {
            prose.push(first);
        } else {
            prose.push(BARRIER);
            prose.extend(token.chars().filter(|c| *c == '\n'));
        }
        rest = after;
    }
    prose
}

/// Drops escapes, the names of values in `{}` and code between backticks from a string literal.
fn message(literal: &str) -> String {
    let text = literal.replace("\\\n", " \n").replace("\\n", "\0");
    let text = text.replace('"', "\0");
    let mut kept = String::new();
    for (index, part) in text.split('{').enumerate() {
        match part.split_once('}') {
            Some((value, after)) if index > 0 && !value.contains(char::is_whitespace) => {
                kept.push(BARRIER);
                kept.push_str(after);
            }
            _ => kept.push_str(part),
        }
    }
    let text = plain(&kept, "");
    text.strip_suffix('\n').unwrap_or(&text).to_owned()
}
