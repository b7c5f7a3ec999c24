//! The statements in the code of the store. Only those that the test runs are explained.

use crate::matches;
use std::{fs, path::Path};

/// Statements that the test does not run, and why. A `…` stands for any text.
const NOT_RUN: [(&str, &str); 20] = [
    (
        "SELECT MAX(id) FROM play_import WHERE status = ? AND first_date",
        "an empty day: few imports",
    ),
    (
        "SELECT id FROM ad WHERE import_id = ?",
        "only without ad views: few ads",
    ),
    ("SELECT COUNT(*) FROM ad", "a new ad: few ads"),
    (
        "DELETE FROM ad WHERE id IN",
        "only without ad views: by their ids",
    ),
    (
        "UPDATE next_id SET id = ? WHERE name = ?",
        "only if the id is taken: one row",
    ),
    (
        "NOT EXISTS (SELECT 1 FROM {table} n",
        "only if the id is taken: ends at the first gap",
    ),
    (
        "JOIN credential c ON c.user_id = u.id WHERE u.id IN",
        "only users without an import: by their ids",
    ),
    (
        "FROM play_import WHERE id = ?",
        "a lock on a server: one row",
    ),
    ("read_only", "the readiness of a server: variables"),
    ("LAST_INSERT_ID", "sequences of a server: one row"),
    ("UNIX_TIMESTAMP", "the clock of a server"),
    (
        "FROM ad_history WHERE (date, video_id, user_id, slot_s) IN",
        "only on a server",
    ),
    (
        "SET VERSION = VERSION + 1 WHERE STEP_EXECUTION_ID = ?",
        "after a stop by Spring Batch: by the primary key",
    ),
    (
        "SELECT COUNT(*), COALESCE(MAX(p.video_id), 0) FROM",
        "a sum above 64 bits: reads the page that the sum reads",
    ),
    (
        "SELECT video_id, CAST(SUM(counted) AS SIGNED), MIN(play_time) FROM play_history",
        "a sum above 64 bits: reads the page that the sum reads",
    ),
    (
        "SELECT CAST(SUM(play_time) AS SIGNED) FROM play_history",
        "a sum above 64 bits: reads the page that the sum reads",
    ),
    (
        "SELECT video_id FROM play_history WHERE date = ? AND video_id > ? GROUP BY",
        "verification of a sum above 64 bits",
    ),
    (
        "SELECT video_id, counted, play_time FROM play_history",
        "verification of a sum above 64 bits",
    ),
    (
        "SELECT l.date, l.event_id FROM",
        "verification: names invalid late events, after it counted them",
    ),
    (
        "SELECT t.period, t.start_date FROM period_total",
        "verification: names invalid totals, after it counted them",
    ),
];

/// Asserts that each statement in the code is among the recorded ones.
pub(crate) fn assert_all_run(recorded: &[String]) {
    let mut found = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    statements_below(&folder, &mut found);
    assert!(found.len() > 150, "only {} statements", found.len());
    let not_run = |sql: &String| !recorded.iter().any(|one| matches(one, &pattern(sql)));
    found.retain(not_run);
    for (allowed, reason) in NOT_RUN {
        let is_used = found.iter().any(|sql| matches(sql, allowed));
        assert!(is_used, "no statement matches '{allowed}' ({reason})");
    }
    found.retain(|sql| NOT_RUN.iter().all(|(allowed, _)| !matches(sql, allowed)));
    assert!(
        found.is_empty(),
        "work.rs runs no method with these statements, so that their plans are unknown:\n{}",
        found.join("\n")
    );
}

fn statements_below(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Migrations read the schema and their own progress only.
        if path.ends_with("sql/migration") {
            continue;
        }
        if path.is_dir() {
            statements_below(&path, found);
        } else {
            let code = fs::read_to_string(&path).unwrap();
            let verbs = ["SELECT ", "UPDATE ", "DELETE ", "WITH "];
            let is_statement = |text: &String| verbs.iter().any(|verb| text.starts_with(verb));
            found.extend(literals(&code).into_iter().filter(is_statement));
        }
    }
}

/// Returns the string literals of some code, up to its tests, with single spaces.
pub(crate) fn literals(code: &str) -> Vec<String> {
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines();
    let code: Vec<&str> = lines
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    let mut text: Option<String> = None;
    let mut chars = code.chars();
    while let Some(c) = chars.next() {
        match (c, &mut text) {
            ('"', None) => text = Some(String::new()),
            ('"', Some(_)) => found.extend(text.take()),
            // An escaped character, or the end of a line that the literal continues.
            ('\\', Some(text)) => text.extend(chars.next()),
            (_, Some(text)) => text.push(c),
            (_, None) => {}
        }
    }
    let words = |text: &String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    found.iter().map(words).collect()
}

/// Returns a literal with a `…` for each inserted value.
pub(crate) fn pattern(literal: &str) -> String {
    let mut parts = literal.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |pattern, part| {
        let rest = part.split_once('}').map_or(part, |(_, rest)| rest);
        format!("{pattern}…{rest}")
    })
}
