//! Reads Rust text as far as the rules need it: which paths a file names, and where.

/// A path as it stands in a file, resolved to its crate's root where it is relative.
pub(crate) struct NamedPath {
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
}

/// A source file without comments, strings and tests.
pub(crate) struct Source {
    /// Its path from the workspace's root.
    pub(crate) name: String,
    code: String,
    test_lines: usize,
}

impl Source {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let code = without_comments_and_strings(text);
        let (code, test_lines) = without_tests(&code);
        Self {
            name: name.to_owned(),
            code,
            test_lines,
        }
    }

    pub(crate) fn lines_without_tests(&self) -> usize {
        self.code.lines().count() - self.test_lines
    }

    /// Every path of the file, in `use` trees and elsewhere; single names too.
    pub(crate) fn paths(&self) -> Vec<NamedPath> {
        let tokens = tokens(&self.code);
        let mut paths = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at].1 {
                // `use<>` of an `impl Trait` is no import.
                Token::Name(word)
                    if word == "use" && !matches!(token(&tokens, at + 1), Some(Token::Other)) =>
                {
                    at = use_tree(&tokens, at + 1, &[], &mut paths);
                }
                Token::Name(_) => at = path(&tokens, at, &mut paths),
                _ => at += 1,
            }
        }
        for path in &mut paths {
            self.resolve(&mut path.segments);
        }
        paths
    }

    /// Turns `crate`, `self` and `super` at a path's beginning into what they stand for. A module
    /// written inside another one's file counts as that file.
    fn resolve(&self, segments: &mut Vec<String>) {
        let mut module = self.module();
        match segments[0].as_str() {
            "crate" => {
                module.truncate(1);
                segments.splice(..1, module);
            }
            "self" if segments.len() > 1 => {
                segments.splice(..1, module);
            }
            "super" => {
                while segments.first().is_some_and(|segment| segment == "super") {
                    segments.remove(0);
                    if module.len() > 1 {
                        module.pop();
                    }
                }
                segments.splice(..0, module);
            }
            _ => {}
        }
    }

    /// The file's module path: `core/src/store/db.rs` is `balance_core::store::db`.
    fn module(&self) -> Vec<String> {
        let (member, file) = self.name.split_once("/src/").unwrap_or(("", &self.name));
        let mut module = vec![format!("balance_{member}")];
        let file = file.trim_end_matches(".rs");
        module.extend(file.split('/').map(str::to_owned));
        if matches!(
            module.last().map(String::as_str),
            Some("mod" | "lib" | "main")
        ) {
            module.pop();
        }
        module
    }
}

/// Blanks comments and the insides of strings and characters; line breaks stay.
fn without_comments_and_strings(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let rest = &chars[at..];
        let end = match rest {
            ['/', '/', ..] => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => block_comment(rest),
            ['"', ..] => string(rest),
            ['r', ..] if !follows_a_name(&chars, at) => raw_string(rest),
            ['\'', ..] => character(rest),
            _ => 0,
        };
        if end == 0 {
            code.push(chars[at]);
            at += 1;
        } else {
            code.extend(chars[at..at + end].iter().map(|c| match c {
                '\n' => '\n',
                _ => ' ',
            }));
            at += end;
        }
    }
    code
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether the character is the end of a name; the `b` of `br"…"` does not count.
fn follows_a_name(chars: &[char], at: usize) -> bool {
    match chars[..at] {
        [.., before, 'b'] => is_name(before),
        [.., before] => is_name(before),
        [] => false,
    }
}

/// The length of a block comment, in which others may lie.
fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => {
                depth += 1;
                at += 2;
            }
            ['*', '/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a string that begins here.
fn string(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a raw string, or 0 where this is none (`r#type`, `return`).
fn raw_string(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    let open = 1 + hashes;
    if rest.get(open) != Some(&'"') {
        return 0;
    }
    let close: Vec<char> = std::iter::once('"')
        .chain(std::iter::repeat_n('#', hashes))
        .collect();
    let inside = &rest[open + 1..];
    inside
        .windows(close.len())
        .position(|window| *window == close[..])
        .map_or(rest.len(), |end| open + 1 + end + close.len())
}

/// The length of a character, or 0 where this is a lifetime.
fn character(rest: &[char]) -> usize {
    match rest {
        ['\'', '\\', ..] => rest[3..]
            .iter()
            .position(|c| *c == '\'')
            .map_or(rest.len(), |end| end + 4),
        ['\'', _, '\'', ..] => 3,
        _ => 0,
    }
}

/// Blanks every item under `#[cfg(test)]`; answers how many lines those items had.
fn without_tests(code: &str) -> (String, usize) {
    const MARK: &str = "#[cfg(test)]";
    let mut left = String::with_capacity(code.len());
    let mut test_lines = 0;
    let mut rest = code;
    while let Some(start) = rest.find(MARK) {
        left.push_str(&rest[..start]);
        let item = &rest[start..];
        let end = item_end(item);
        let breaks = item[..end].matches('\n').count();
        test_lines += breaks + 1;
        left.extend(std::iter::repeat_n('\n', breaks));
        rest = &item[end..];
    }
    left.push_str(rest);
    (left, test_lines)
}

/// Where an item ends: at its semicolon, or at the brace that closes its first one.
fn item_end(item: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in item.char_indices() {
        match c {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' if depth <= 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    item.len()
}

#[derive(PartialEq, Eq)]
enum Token {
    Name(String),
    PathSeparator,
    Open,
    Close,
    Comma,
    Semicolon,
    Other,
}

fn tokens(code: &str) -> Vec<(usize, Token)> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        let token = match c {
            '\n' => {
                line += 1;
                continue;
            }
            c if c.is_whitespace() => continue,
            '{' => Token::Open,
            '}' => Token::Close,
            ',' => Token::Comma,
            ';' => Token::Semicolon,
            ':' if chars.next_if_eq(&':').is_some() => Token::PathSeparator,
            c if is_name(c) => {
                let mut word = String::from(c);
                while let Some(c) = chars.next_if(|c| is_name(*c)) {
                    word.push(c);
                }
                Token::Name(word)
            }
            _ => Token::Other,
        };
        tokens.push((line, token));
    }
    tokens
}

fn token(tokens: &[(usize, Token)], at: usize) -> Option<&Token> {
    tokens.get(at).map(|(_, token)| token)
}

/// Reads `a::b::c` from here; answers where it ends.
fn path(tokens: &[(usize, Token)], start: usize, paths: &mut Vec<NamedPath>) -> usize {
    let mut segments = Vec::new();
    let mut at = start;
    while let Some(Token::Name(word)) = token(tokens, at) {
        segments.push(word.clone());
        at += 1;
        match (token(tokens, at), token(tokens, at + 1)) {
            (Some(Token::PathSeparator), Some(Token::Name(_))) => at += 1,
            _ => break,
        }
    }
    paths.push(NamedPath {
        line: tokens[start].0,
        segments,
    });
    at
}

/// Reads a `use` tree below a prefix; answers where it ends: at its comma, brace or semicolon.
fn use_tree(
    tokens: &[(usize, Token)],
    start: usize,
    prefix: &[String],
    paths: &mut Vec<NamedPath>,
) -> usize {
    let mut segments = prefix.to_vec();
    let mut at = start;
    let line = tokens.get(start).map_or(0, |(line, _)| *line);
    while let Some(token) = token(tokens, at) {
        match token {
            Token::Name(word) if word == "as" => at += 1,
            Token::Name(word) => {
                if word != "self" || segments.is_empty() {
                    segments.push(word.clone());
                }
            }
            Token::Open => {
                at += 1;
                while !matches!(tokens.get(at), None | Some((_, Token::Close))) {
                    at = use_tree(tokens, at, &segments, paths);
                    if matches!(tokens.get(at), Some((_, Token::Comma))) {
                        at += 1;
                    }
                }
                return at + 1;
            }
            Token::Comma | Token::Close | Token::Semicolon => break,
            Token::PathSeparator | Token::Other => {}
        }
        at += 1;
    }
    if !segments.is_empty() {
        paths.push(NamedPath { line, segments });
    }
    at
}

/// The crates of a manifest's `[dependencies]`, those of targets included, development's not; of a
/// renamed one both names.
pub(crate) fn dependencies(manifest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_dependencies = false;
    for line in manifest.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(section) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            let of_one = section.split_once("dependencies.");
            is_dependencies = section == "dependencies" || section.ends_with(".dependencies");
            if let Some((before, name)) = of_one
                && (before.is_empty() || before.ends_with('.'))
            {
                found.push(name.to_owned());
            }
        } else if is_dependencies && let Some((key, value)) = line.split_once('=') {
            let name = key.split('.').next().unwrap_or(key).trim();
            found.push(name.trim_matches('"').to_owned());
            if let Some((_, package)) = value.split_once("package = \"") {
                let name = package.split('"').next().unwrap_or_default();
                found.push(name.to_owned());
            }
        }
    }
    found
}

/// Whether a path in the text begins with this folder: `../x` and `a/x` are no such paths.
pub(crate) fn begins_a_path(text: &str, folder: &str) -> bool {
    text.match_indices(folder).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|c| is_name(c) || matches!(c, '.' | '/' | '-' | '~' | '}' | ')'))
    })
}
