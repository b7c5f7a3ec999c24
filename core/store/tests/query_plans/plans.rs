//! Explains statements, and finds scans and sorts of large tables in their plans.

use balance_test_support::settlement::TestEnv;
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, Row};
use std::collections::BTreeMap;

/// Tables that stay small. Statements may read them whole.
const SMALL: [(&str, &str); 11] = [
    ("BATCH_JOB_EXECUTION_SEQ", "one row"),
    ("BATCH_JOB_INSTANCE_SEQ", "one row"),
    ("BATCH_STEP_EXECUTION_SEQ", "one row"),
    ("ad", "shown in turn, so that each is used"),
    ("closed_through", "one row"),
    ("intake_clock", "one row"),
    ("next_id", "a row for each kind of id"),
    ("play_rules", "a few versions, read by their key"),
    ("revenue_rate", "the tiers of a few versions"),
    ("setting", "a few rows"),
    ("worker", "a row for each registered worker"),
];

/// The number of sorted rows from which a sort before a page is reported.
const MANY: i64 = 1_000;

/// Returns the table that a name in a plan stands for: itself or, if it is an alias, its table.
pub(crate) fn table_of(sql: &str, name: &str) -> String {
    let spaced = sql
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace(',', " , ");
    let words: Vec<&str> = spaced
        .split_whitespace()
        .filter(|word| *word != "AS")
        .collect();
    let table = words
        .windows(3)
        .find(|words| matches!(words[0], "FROM" | "JOIN") && words[2] == name)
        .map_or(name, |words| words[1]);
    table.to_owned()
}

/// The large tables with the numbers of their rows.
pub(crate) type Tables = BTreeMap<String, i64>;

pub(crate) async fn large_tables(env: &TestEnv) -> Tables {
    let mut tables = Tables::new();
    for table in env.tables().await {
        if SMALL.iter().all(|(small, _)| *small != table) {
            let rows = env.rows(&format!("SELECT COUNT(*) FROM {table}")).await;
            let rows: i64 = rows[0].parse().unwrap();
            assert!(
                rows >= 500,
                "{table} has {rows} rows, so that its plans prove nothing: add 500 in query_plans.sql, \
                 or add the table to SMALL"
            );
            if env.is_server() {
                env.execute(&format!("ANALYZE TABLE {table}")).await;
            }
            tables.insert(table, rows);
        }
    }
    tables
}

/// Returns the scans and sorts of large tables in the plan of a statement.
pub(crate) async fn excesses(env: &TestEnv, sql: &str, tables: &Tables) -> Vec<String> {
    match &env.server {
        None => of_sqlite(env, sql, tables).await,
        Some(url) => of_server(url, sql, tables).await,
    }
}

/// Names what a statement does with the rows of a large table.
const fn complaint(scans: bool, sorts: bool) -> &'static str {
    match (scans, sorts) {
        (true, true) => "scans a large table, and sorts its rows before a limit",
        (true, false) => "scans a large table",
        (false, _) => "sorts the rows of a large table before a limit",
    }
}

async fn of_sqlite(env: &TestEnv, sql: &str, tables: &Tables) -> Vec<String> {
    // Placeholders without a value are NULL. The plans of SQLite do not depend on values.
    let rows = env.rows(&format!("EXPLAIN QUERY PLAN {sql}")).await;
    let plan: Vec<&str> = rows
        .iter()
        .filter_map(|row| row.splitn(4, '|').nth(3))
        .collect();
    let has = |text: &str| plan.iter().any(|line| line.contains(text));
    let has_limit = sql.contains(" LIMIT ");
    let sorts = has("TEMP B-TREE");
    let mut found = Vec::new();
    for line in &plan {
        let mut words = line.split(' ');
        let (verb, name) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let is_large = tables.contains_key(&table_of(sql, name));
        // Without a sort, a limit ends the scan.
        let scans = verb == "SCAN" && (!has_limit || sorts);
        // The rows of a subquery are few: it has a limit of its own, or groups.
        let sorts_all = has_limit && sorts && !has("CO-ROUTINE") && !has("MATERIALIZE");
        if is_large && (scans || sorts_all) {
            let complaint = complaint(scans, sorts_all);
            found.push(format!("{complaint}: {line}"));
        }
    }
    found
}

async fn of_server(url: &str, sql: &str, tables: &Tables) -> Vec<String> {
    let mut connection = MySqlConnection::connect(url).await.unwrap();
    // MySQL 9 explains as a tree by default. Other servers do not have the variable.
    let _ = sqlx::raw_sql("SET SESSION explain_format = 'TRADITIONAL'")
        .execute(&mut connection)
        .await;
    let explain = sqlx::raw_sql(AssertSqlSafe(format!("EXPLAIN {sql}")));
    let rows = explain.fetch_all(&mut connection).await;
    let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut found = Vec::new();
    for row in rows {
        let column = |name: &str| -> String {
            let text: Option<String> = row.try_get_unchecked(name).unwrap();
            text.unwrap_or_default()
        };
        let (name, access, extra) = (column("table"), column("type"), column("Extra"));
        let Some(&all) = tables.get(&table_of(sql, &name)) else {
            continue;
        };
        let estimate: i64 = column("rows").parse().unwrap_or(0);
        let sorts = extra.contains("filesort") || extra.contains("temporary");
        let has_limit = sql.contains(" LIMIT ") && column("select_type") != "MATERIALIZED";
        let is_whole = access == "ALL" || access == "index" || estimate * 2 > all;
        let stops_early = access != "ALL" && has_limit && !sorts;
        let sorts_many = has_limit && extra.contains("filesort") && estimate >= MANY;
        if (is_whole && !stops_early) || sorts_many {
            let complaint = complaint(is_whole && !stops_early, sorts_many);
            found.push(format!(
                "{complaint}: {access} {name}, {estimate} of {all} rows, {extra}"
            ));
        }
    }
    connection.close().await.unwrap();
    found
}
