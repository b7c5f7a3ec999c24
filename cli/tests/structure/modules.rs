//! The modules of a crate, and which file uses which other one.

use crate::{source::Source, sources::token_end};
use std::collections::{BTreeMap, BTreeSet};

/// A path in the code. An import also has the name that it declares.
struct Used<'a> {
    path: Vec<&'a str>,
    declares: Option<&'a str>,
    is_reexport: bool,
}

struct Module<'a> {
    file: &'a str,
    paths: Vec<Used<'a>>,
    /// The types and functions that the code names, imports left out.
    names: BTreeSet<&'a str>,
}

/// The modules of one crate, by their path from its root.
pub(crate) struct Modules<'a>(BTreeMap<Vec<&'a str>, Module<'a>>);

impl<'a> Modules<'a> {
    pub(crate) fn new(sources: impl Iterator<Item = &'a Source>) -> Self {
        let modules = sources.map(|source| {
            let (paths, names) = paths(&tokens(&source.code));
            let file = source.name.as_str();
            (module_path(file), Module { file, paths, names })
        });
        Self(modules.collect())
    }

    /// Returns which file uses which other one, and by which path. A re-export that its file does
    /// not use itself does not count.
    fn edges(&self) -> BTreeMap<(&str, &str), String> {
        let mut edges = BTreeMap::new();
        for (at, module) in &self.0 {
            for used in &module.paths {
                let name = used.declares.unwrap_or_default();
                let is_used = !used.is_reexport || module.names.contains(name);
                let file = self.resolve(at, &used.path, 0).filter(|_| is_used);
                let edge = file.map(|file| (module.file, file));
                edges.extend(edge.map(|edge| (edge, used.path.join("::"))));
            }
        }
        edges.retain(|(from, to), _| from != to);
        edges
    }

    /// Returns the file that defines what a path names in the module `at`.
    fn resolve(&self, at: &[&'a str], path: &[&'a str], depth: usize) -> Option<&'a str> {
        let (mut module, mut rest) = (at.to_vec(), path);
        while let Some(name) = rest.first() {
            match *name {
                "crate" => module.clear(),
                "self" => {}
                "super" => {
                    module.pop()?;
                }
                name => {
                    module.push(name);
                    if !self.0.contains_key(&module) {
                        module.pop();
                        break;
                    }
                }
            }
            rest = &rest[1..];
        }
        let Module { file, paths, .. } = self.0.get(&module)?;
        // What the module imports or re-exports is defined elsewhere.
        let mut imports = paths.iter().filter(|used| used.declares.is_some());
        match imports.find(|used| used.declares == rest.first().copied()) {
            Some(import) if depth < 8 => {
                let path = [&import.path, &rest[1..]].concat();
                self.resolve(&module, &path, depth + 1)
            }
            _ if rest.len() == path.len() => None,
            _ => Some(file),
        }
    }

    /// Returns the uses that belong to a cycle, as `file: path, in another file`.
    pub(crate) fn cycles(&self) -> Vec<String> {
        let mut edges = self.edges();
        let all: BTreeSet<(&str, &str)> = edges.keys().copied().collect();
        edges.retain(|(from, to), _| {
            let (mut seen, mut next) = (BTreeSet::new(), vec![*to]);
            while let Some(file) = next.pop() {
                let further = all.range((file, "")..).take_while(|edge| edge.0 == file);
                next.extend(further.map(|edge| edge.1).filter(|file| seen.insert(*file)));
            }
            seen.contains(from)
        });
        let lines = edges.iter();
        lines
            .map(|((from, to), path)| format!("{from}: {path}, in {to}"))
            .collect()
    }
}

/// Returns the module of a file: `a::b` for `core/store/src/a/b.rs` and `…/a/b/mod.rs`.
fn module_path(name: &str) -> Vec<&str> {
    let path = name.split("/src/").nth(1).unwrap_or_default();
    let mut parts: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
    if parts == ["lib"] || parts == ["main"] || parts.ends_with(&["mod"]) {
        parts.pop();
    }
    parts
}

fn tokens(mut code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    while !code.is_empty() {
        let is_separator = code.starts_with("::");
        let (token, rest) = code.split_at(if is_separator { 2 } else { token_end(code) });
        tokens.extend((!token.trim().is_empty()).then_some(token));
        code = rest;
    }
    tokens
}

/// Returns the imports and the paths of at least two segments, and the names outside of imports.
fn paths<'a>(tokens: &[&'a str]) -> (Vec<Used<'a>>, BTreeSet<&'a str>) {
    let (mut found, mut names) = (Vec::new(), BTreeSet::new());
    let mut at = 0;
    while at < tokens.len() {
        let next = tokens.get(at + 1).copied().unwrap_or_default();
        let before = at.checked_sub(1).map_or("", |before| tokens[before]);
        let first = found.len();
        if tokens[at] == "use" && next != "<" {
            at = tree(tokens, at + 1, &[], &mut found);
            for used in &mut found[first..] {
                used.is_reexport = ["pub", ")"].contains(&before);
            }
            continue;
        }
        let is_type = tokens[at].starts_with(char::is_uppercase);
        let is_call = ["::", "("].contains(&next) && ![".", "fn"].contains(&before);
        names.extend((is_type || is_call).then_some(tokens[at]));
        if next == "::" && before != "::" {
            at = tree(tokens, at, &[], &mut found).max(at + 1);
            for used in &mut found[first..] {
                used.declares = None;
            }
        } else {
            at += 1;
        }
    }
    (found, names)
}

/// Reads the path or tree of imports that begins at `at`; returns where it ends.
fn tree<'a>(
    tokens: &[&'a str],
    mut at: usize,
    prefix: &[&'a str],
    found: &mut Vec<Used<'a>>,
) -> usize {
    let token = |at: usize| tokens.get(at).copied().unwrap_or_default();
    let mut path = prefix.to_vec();
    while token(at).starts_with(|c: char| c.is_alphabetic() || c == '_') {
        path.push(token(at));
        at += 1;
        if token(at) != "::" {
            break;
        }
        at += 1;
    }
    if token(at) == "{" && token(at - 1) == "::" {
        at += 1;
        while !["}", ""].contains(&token(at)) {
            at = tree(tokens, at, &path, found).max(at + 1);
            at += usize::from(token(at) == ",");
        }
        return at + 1;
    }
    // `use a::{self}` declares `a`; a path may begin with `self`.
    if path.len() > 1 {
        path.pop_if(|last| *last == "self");
    }
    let is_renamed = token(at) == "as";
    let name = if is_renamed {
        Some(token(at + 1))
    } else {
        path.last().copied()
    };
    found.push(Used {
        path,
        declares: name,
        is_reexport: false,
    });
    at + 2 * usize::from(is_renamed)
}
