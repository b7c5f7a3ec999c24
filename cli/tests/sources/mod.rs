//! The files of the workspace, and the tokens of Rust code, for the tests that read them as text.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Returns the folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Reads a file of the workspace.
pub(crate) fn read(name: &str) -> io::Result<String> {
    fs::read_to_string(root().join(name))
}

/// Returns the paths of the workspace's files, sorted and relative to the root. Build products and
/// data are left out.
pub(crate) fn files() -> io::Result<Vec<String>> {
    fn visit(folder: &Path, name: &str, found: &mut Vec<String>) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let file = entry.file_name().to_string_lossy().into_owned();
            if !entry.file_type()?.is_dir() {
                found.push(format!("{name}{file}"));
            } else if !["target", ".git", "node_modules", "data"].contains(&file.as_str()) {
                visit(&entry.path(), &format!("{name}{file}/"), found)?;
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    visit(&root(), "", &mut found)?;
    found.sort();
    Ok(found)
}

/// Whether a file belongs to the tests.
pub(crate) fn is_test(name: &str) -> bool {
    let folders = ["tests", "benches", "test-support"];
    name.split('/').any(|part| folders.contains(&part)) || name.ends_with("/tests.rs")
}

/// Returns the offset of the module of tests that a source file ends with, or its length.
pub(crate) fn tests_begin(code: &str) -> usize {
    let begin = |visibility| code.find(&format!("\n#[cfg(test)]\n{visibility}mod tests {{"));
    begin("")
        .or_else(|| begin("pub(super) "))
        .unwrap_or(code.len())
}

/// Returns the length of the first token of some Rust code: a comment, a literal, a name, or a
/// single character.
pub(crate) fn token_end(code: &str) -> usize {
    let after = |open: usize, close: &str| {
        let found = code[open..].find(close);
        found.map_or(code.len(), |at| open + at + close.len())
    };
    if code.starts_with("//") {
        return code.find('\n').unwrap_or(code.len());
    }
    if code.starts_with("/*") {
        return after(2, "*/");
    }
    if let Some(raw) = code.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            return after(hashes + 2, &format!("\"{}", "#".repeat(hashes)));
        }
    }
    let mut chars = code.char_indices();
    let first = chars.next().map_or(' ', |(_, first)| first);
    match first {
        '"' => {
            let mut is_escaped = false;
            for (at, c) in chars {
                match c {
                    '"' if !is_escaped => return at + 1,
                    _ => is_escaped = c == '\\' && !is_escaped,
                }
            }
            code.len()
        }
        // A character, not a lifetime.
        '\'' if code.starts_with("'\\") => after(3, "'"),
        '\'' => match chars.nth(1) {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        // A whole name, so that its end is not read as the prefix of a raw string.
        _ if first.is_alphanumeric() || first == '_' => code
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(code.len()),
        _ => first.len_utf8(),
    }
}
