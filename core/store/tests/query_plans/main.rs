//! Query plans: no statement that runs often, or on a large table, reads a whole table.
//!
//! The test runs the methods of the store on filled tables, records the statements that reach the
//! database, and explains each of them. A statement must not scan a large table, nor sort the rows
//! of one before it takes a page of them. A statement of the code that was not recorded fails the
//! test, because its plan is unknown.
//!
//! The database is a SQLite file, or a database on the server of `TEST_SERVER_URL` if that is set.
//! There the general log of the server records the statements: it has their values, without which
//! MariaDB and MySQL make no plan.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod plans;
mod platform;
mod recorder;
mod sources;
mod work;

use balance_test_support::settlement::TestEnv;
use plans::{excesses, large_tables, table_of};
use recorder::{recorded, shape};
use sources::{literals, pattern};

/// Statements that may read or sort more than they return, and why. A `…` stands for any text.
const ALLOWED: [(&str, &str); 10] = [
    (
        "SUM(claim_token IS NULL)…FROM step_lease",
        "metrics: there are leases of unfinished partitions only",
    ),
    (
        "FROM step_lease l JOIN…l.worker IN",
        "the list of workers: the same leases",
    ),
    (
        "UPDATE step_lease SET lease_until_micros = 0 WHERE",
        "a process that has the file to itself, once at its start",
    ),
    (
        "ORDER BY s.STEP_EXECUTION_ID LIMIT",
        "sorts the steps of one execution",
    ),
    ("SELECT EXISTS (SELECT 1 FROM", "stops at the first row"),
    (
        "FROM video WHERE 1 = 1 AND owner_id = …ORDER BY title, id LIMIT",
        "sorts the videos of one owner",
    ),
    (
        "GROUP BY v.owner_id ORDER BY SUM",
        "the creators with the highest revenue: sums a whole period, for the demo only",
    ),
    (
        "SELECT COUNT(*) FROM…LEFT JOIN",
        "verification: searches whole tables for orphans",
    ),
    (
        "SELECT COUNT(*) FROM late_event l JOIN",
        "verification: checks all late events",
    ),
    (
        "SELECT COUNT(*) FROM period_total t WHERE",
        "verification: checks all totals",
    ),
];

/// Returns whether a statement has the parts of a pattern in their order.
fn matches(sql: &str, pattern: &str) -> bool {
    let mut rest = sql;
    pattern.split('…').all(|part| {
        let found = rest.split_once(part);
        rest = found.map_or("", |(_, after)| after);
        found.is_some()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_read_no_large_table_whole() {
    let env = TestEnv::new().await;
    work::fill(&env).await;
    let statements = recorded(&env).await;
    assert!(
        statements.len() > 100,
        "only {} statements",
        statements.len()
    );
    // The placeholders of statements have values in the log of a server.
    if !env.is_server() {
        sources::assert_all_run(&statements);
    }
    let tables = large_tables(&env).await;

    // The rules find what they must.
    for bad in [
        "SELECT COUNT(play_time) FROM play_history p WHERE p.reported_time = 7",
        "SELECT title FROM video WHERE duration_s > 0 ORDER BY created_at LIMIT 1",
        "DELETE FROM late_event WHERE user_id = 7",
    ] {
        assert!(!excesses(&env, bad, &tables).await.is_empty(), "{bad}");
    }

    for (pattern, reason) in ALLOWED {
        let is_used = statements.iter().any(|sql| matches(sql, pattern));
        assert!(is_used, "no statement matches '{pattern}' ({reason})");
    }
    let mut found = Vec::new();
    for sql in &statements {
        if ALLOWED.iter().all(|(pattern, _)| !matches(sql, pattern)) {
            let excesses = excesses(&env, sql, &tables).await;
            found.extend(excesses.iter().map(|excess| format!("{excess}\n    {sql}")));
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn names_and_shapes_of_statements() {
    let sql =
        "SELECT 1 FROM a JOIN (SELECT b.x FROM b) AS c ON c.x = a.x LEFT JOIN d AS e ON e.y = 2";
    assert_eq!(table_of(sql, "a"), "a");
    assert_eq!(table_of(sql, "c"), "c");
    assert_eq!(table_of(sql, "e"), "d");
    assert_eq!(
        shape("x = 17 AND y = DATE'2024-06-03'"),
        "x =  AND y = DATE'"
    );
    assert!(matches(sql, "FROM a…LEFT JOIN"));
    assert!(!matches(sql, "LEFT JOIN…FROM a"));
}

#[test]
fn statements_are_found_in_code() {
    let code = r#"
        // A "comment".
        let sql = "SELECT a \
                   FROM b WHERE c = 'd'";
        let text = format!("say \"{x}\"");
        #[cfg(test)]
        const TEST: &str = "SELECT 1";
    "#;
    assert_eq!(
        literals(code),
        ["SELECT a FROM b WHERE c = 'd'", "say \"{x}\""]
    );
    assert_eq!(pattern("a {b} c{d}"), "a … c…");
}
