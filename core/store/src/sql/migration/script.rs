//! The statements of a migration's script.

/// A statement of a script.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) sql: String,
    /// Whether a transaction rolls the statement back. A change of the schema commits at once.
    pub(super) is_transactional: bool,
}

/// Splits a script at the semicolons outside of texts, quoted names and comments. Line comments are
/// left out. Scripts contain no compound statements.
pub(super) fn statements(script: &str) -> Vec<Statement> {
    let mut all = Vec::new();
    let mut sql = String::new();
    let mut quote: Option<char> = None;
    let mut characters = script.chars().peekable();
    while let Some(character) = characters.next() {
        match quote {
            Some(end) if character == end => quote = None,
            Some(_) => {}
            None if matches!(character, '\'' | '"' | '`') => quote = Some(character),
            None if character == '-' && characters.peek() == Some(&'-') => {
                while characters.peek().is_some_and(|next| *next != '\n') {
                    characters.next();
                }
                continue;
            }
            None if character == ';' => {
                push(&mut all, &sql);
                sql.clear();
                continue;
            }
            None => {}
        }
        sql.push(character);
    }
    push(&mut all, &sql);
    all
}

fn push(all: &mut Vec<Statement>, sql: &str) {
    let sql = sql.trim();
    if sql.is_empty() {
        return;
    }
    let verb = sql.split_whitespace().next().unwrap_or_default();
    let is_transactional = ["INSERT", "UPDATE", "DELETE", "REPLACE"]
        .iter()
        .any(|one| verb.eq_ignore_ascii_case(one));
    all.push(Statement {
        sql: sql.to_owned(),
        is_transactional,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::migration::server::MYSQL;

    #[test]
    fn a_script_is_split_at_the_ends_of_statements() {
        let script = "-- A comment; with a semicolon.\nCREATE TABLE a (x INT); -- more\n\
                      INSERT INTO a VALUES (';', '--', \"it's\", '''');;\n  update a set x = 1";
        let split: Vec<(String, bool)> = statements(script)
            .into_iter()
            .map(|one| (one.sql, one.is_transactional))
            .collect();
        let expected = [
            ("CREATE TABLE a (x INT)", false),
            ("INSERT INTO a VALUES (';', '--', \"it's\", '''')", true),
            ("update a set x = 1", true),
        ];
        let expected = expected.map(|(sql, is_transactional)| (sql.to_owned(), is_transactional));
        assert_eq!(split, expected);
    }

    /// Another kind needs a check of `is_done` in `server.rs`, and of the splitter.
    #[test]
    fn the_scripts_contain_only_statements_that_can_be_repeated() {
        for migration in MYSQL.iter() {
            for Statement { sql, .. } in statements(migration.sql.as_str()) {
                let words: Vec<&str> = sql.split_whitespace().take(2).collect();
                let is_known = matches!(
                    words[..],
                    ["CREATE", "TABLE" | "INDEX" | "UNIQUE"]
                        | ["DROP", "TABLE" | "INDEX"]
                        | ["ALTER", "TABLE"]
                        | ["INSERT" | "REPLACE", "INTO"]
                        | ["DELETE", "FROM"]
                        | ["UPDATE", _]
                );
                assert!(is_known, "migration {}: {sql}", migration.version);
                assert!(!sql.contains("/*"), "{sql}");
            }
        }
    }
}
