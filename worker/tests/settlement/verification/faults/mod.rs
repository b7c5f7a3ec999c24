//! `verify` reports each injected fault, and nothing else.

mod job_tables;
mod results;

use crate::verification::fixtures::{assert_clean, differences};
use balance_test_support::settlement::TestEnv;

/// A table, a statement that corrupts it, and the beginnings of the expected differences.
pub(crate) type Fault<'a> = (&'a str, String, Vec<String>);

/// Returns a fault; the expected differences are one a line.
pub(crate) fn fault<'a>(table: &'a str, sql: impl Into<String>, differences: &str) -> Fault<'a> {
    let lines = differences.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty()).map(str::to_owned);
    (table, sql.into(), lines.collect())
}

/// Injects a fault, returns the differences, and restores the table's rows.
pub(crate) async fn inject(env: &TestEnv, table: &str, fault: &str) -> Vec<String> {
    let unchecked = if env.is_server() {
        "SET FOREIGN_KEY_CHECKS = 0"
    } else {
        "PRAGMA foreign_keys = OFF"
    };
    // A server may reject tables without a primary key.
    let create = if env.is_server() {
        format!("CREATE TABLE kept LIKE {table}; INSERT INTO kept SELECT * FROM {table}")
    } else {
        format!("CREATE TABLE kept AS SELECT * FROM {table}")
    };
    env.execute(&create).await;
    env.execute(&format!("{unchecked}; {fault}")).await;
    let found = differences(env).await;
    env.execute(&format!(
        "{unchecked}; DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept; \
         DROP TABLE kept"
    ))
    .await;
    found
}

/// Asserts that each fault leads to its differences. In statements and differences, the name of a
/// step in angle brackets stands for the ID of that step of execution 2.
pub(crate) async fn assert_found(env: &TestEnv, faults: &[Fault<'_>]) {
    assert_clean(env, "before").await;
    let steps = "SELECT STEP_NAME, STEP_EXECUTION_ID FROM BATCH_STEP_EXECUTION \
                 WHERE JOB_EXECUTION_ID = 2";
    let steps = env.rows(steps).await;
    let with_ids = |text: &String| {
        steps.iter().fold(text.clone(), |text, row| {
            let (name, id) = row.split_once('|').unwrap();
            text.replace(&format!("<{name}>"), id)
        })
    };
    for (table, sql, expected) in faults {
        let expected: Vec<String> = expected.iter().map(with_ids).collect();
        let found = inject(env, table, &with_ids(sql)).await;
        let is_expected = found.len() == expected.len()
            && found
                .iter()
                .zip(&expected)
                .all(|(one, start)| one.starts_with(start));
        assert!(is_expected, "{sql}: {found:#?} are not {expected:#?}");
    }
    assert_clean(env, "restored").await;
}
