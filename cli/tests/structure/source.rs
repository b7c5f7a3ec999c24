//! What the checks see of a source file.

use crate::sources::{tests_begin, token_end};

/// Rust code without comments, without the text of strings, and without its module of tests.
pub(crate) struct Source {
    /// The path, relative to the root.
    pub(crate) name: String,
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let mut code = String::new();
        let mut rest = &text[..tests_begin(text)];
        while !rest.is_empty() {
            let (token, after) = rest.split_at(token_end(rest));
            let is_code = token.len() == 1 || !token.ends_with(['"', '#']);
            if is_code && !token.starts_with("//") && !token.starts_with("/*") {
                code.push_str(token);
            } else {
                code.extend(token.chars().filter(|c| *c == '\n'));
            }
            rest = after;
        }
        Self {
            name: name.to_owned(),
            code,
        }
    }

    /// Returns the folder of the crate: `core/store` for `core/store/src/lib.rs`.
    pub(crate) fn folder(&self) -> &str {
        self.name.split("/src/").next().unwrap_or_default()
    }

    /// Returns each function's name and its length in lines. Relies on the layout of rustfmt: a
    /// function ends with a brace in the column of its first line.
    pub(crate) fn functions(&self) -> Vec<(String, usize)> {
        let lines: Vec<&str> = self.code.lines().collect();
        let mut found = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            let Some(name) = function_name(line) else {
                continue;
            };
            let indent = &line[..line.len() - line.trim_start().len()];
            let is_end = |line: &&str| match line.strip_prefix(indent) {
                Some("}") => true,
                Some(last) => last.starts_with(')') && last.ends_with(';'),
                None => false,
            };
            let is_one_line = line.ends_with(['}', ';']);
            let length = match lines[index..].iter().position(is_end) {
                Some(end) if !is_one_line => end + 1,
                _ => 1,
            };
            found.push((name.to_owned(), length));
        }
        found
    }

    /// Returns the names of the public types at the top level of the file.
    pub(crate) fn public_types(&self) -> impl Iterator<Item = &str> {
        self.code.lines().filter_map(|line| {
            let mut words = line.strip_prefix("pub ")?.split(' ');
            let is_type = ["struct", "enum", "trait", "type", "union"].contains(&words.next()?);
            let name = words.next().filter(|_| is_type)?;
            name.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
        })
    }
}

fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let is_declaration = before
        .split_whitespace()
        .all(|word| word.starts_with("pub") || ["async", "const", "default", "in"].contains(&word));
    is_declaration.then(|| after.split(['(', '<']).next())?
}
