//! Time limits: no statement, begin, commit or rollback waits for a database without a limit. A
//! frozen server answers nothing.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use std::{fs, path::Path};

/// The files that call sqlx. All others use the methods of `Tx`, which have a limit.
const CALLERS: [&str; 3] = ["sql/db.rs", "sql/statement.rs", "sql/tx.rs"];
/// The files that limit all calls of a function together.
const LIMITED_TOGETHER: [&str; 3] = [
    "sql/backup.rs",
    "sql/migration/file.rs",
    "sql/migration/server.rs",
];
/// What the other files may use of sqlx: it waits for nothing.
const HARMLESS: [&str; 3] = [
    "sqlx::AssertSqlSafe",
    "sqlx::FromRow",
    "sqlx::migrate::Migrator",
];
/// The files that convert errors of sqlx.
const CONVERTERS: [&str; 3] = ["sql/errors.rs", "sql/failover.rs", "sql/timeout.rs"];
/// Calls of sqlx that wait for a database.
const CALLS: [&str; 11] = [
    ".execute(",
    ".fetch(",
    ".fetch_all(",
    ".fetch_one(",
    ".fetch_optional(",
    ".begin()",
    ".begin_with(",
    ".acquire()",
    ".commit()",
    ".rollback()",
    ".connect()",
];
/// Calls whose limit is elsewhere, and where.
const LIMITED_ELSEWHERE: [(&str, &str); 13] = [
    ("begin_sqlite(", "in begin_sqlite"),
    (
        ".execute(&mut *connection)",
        "after_connect: in the limited begin",
    ),
    (
        ".execute(connection)",
        "after_connect: in the limited begin",
    ),
    ("db.read().await?.rollback()", "a method of Tx"),
    ("db.write().await?.rollback()", "a method of Tx"),
    ("|query, connection|", "in the macro on_database"),
    ("query.execute(connection)", "in the macro on_database"),
    ("query.fetch_", "in the macro on_database"),
    (".fetch(&mut **tx)", "a stream: each of its rows"),
    ("self.execute(", "a method of Tx"),
    ("self.fetch_", "a method of Tx"),
    (".fetch_one(", "tx.rs: methods of Tx"),
    (".fetch_all(AssertSqlSafe", "a method of Tx"),
];
/// The lines around a call that may name its limit.
const WINDOW: usize = 5;

/// Returns the files below a folder: the path relative to `base`, and the text without tests.
fn files(folder: &Path, base: &Path) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path, base));
            continue;
        }
        let name = path.strip_prefix(base).unwrap().display().to_string();
        let text = fs::read_to_string(&path).unwrap();
        let (text, _) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
        all.push((name, text.to_owned()));
    }
    all
}

#[test]
fn every_call_that_waits_for_a_database_has_a_time_limit() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut faults = Vec::new();
    let mut checked = 0;
    for (name, text) in files(&base, &base) {
        if LIMITED_TOGETHER.contains(&name.as_str()) {
            assert!(
                text.contains("limited_to(") || text.contains("limited("),
                "{name}"
            );
            continue;
        }
        let lines: Vec<&str> = text.lines().collect();
        let is_caller = CALLERS.contains(&name.as_str());
        for (at, line) in lines.iter().enumerate() {
            let place = || format!("{name}:{}: {}", at + 1, line.trim());
            if !is_caller {
                let uses = line.contains("sqlx::") && !CONVERTERS.contains(&name.as_str());
                if uses && !HARMLESS.iter().any(|one| line.contains(one)) {
                    faults.push(place());
                }
                continue;
            }
            if !CALLS.iter().any(|call| line.contains(call)) {
                continue;
            }
            checked += 1;
            let around = &lines[at.saturating_sub(WINDOW)..(at + WINDOW + 1).min(lines.len())];
            let is_limited = around.iter().any(|line| {
                ["limited(", "limited_to(", "timeout("]
                    .iter()
                    .any(|one| line.contains(one))
            });
            let is_elsewhere = LIMITED_ELSEWHERE.iter().any(|(one, _)| line.contains(one));
            if !is_limited && !is_elsewhere {
                faults.push(place());
            }
        }
    }
    assert!(checked >= 20, "only {checked} calls were found");
    assert!(faults.is_empty(), "{faults:#?}");
}
