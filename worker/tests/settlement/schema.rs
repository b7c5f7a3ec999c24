//! The schema is the same on all databases.

use balance_test_support::{
    day_job::RESULT_TABLES,
    settlement::{Shape, TestEnv, date, even_day},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

fn migrations(database: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../migrations")
        .join(database);
    fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn migrations_have_the_same_numbers_and_names() {
    assert_eq!(migrations("mysql"), migrations("sqlite"));
    assert!(!migrations("sqlite").is_empty());
}

/// Compares two files if the tests do not run on a server.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_has_the_tables_and_columns_of_a_file() {
    let (env, file) = (TestEnv::new().await, TestEnv::embedded().await);
    let tables = file.tables().await;
    assert_eq!(env.tables().await, tables);
    assert!(tables.len() > 15, "{tables:?}");
    // The sequences of Spring Batch differ between the databases.
    for table in tables.iter().filter(|table| !table.ends_with("_SEQ")) {
        assert_eq!(
            env.columns(table).await,
            file.columns(table).await,
            "{table}"
        );
    }
}

/// Returns the rows of each table.
async fn rows_of_tables(env: &TestEnv) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for table in env.tables().await {
        let mut rows = env.rows(&format!("SELECT * FROM {table}")).await;
        rows.sort_unstable();
        all.insert(table, rows);
    }
    all
}

/// Every table that a settlement changes has results, except those that record its course.
#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_result_tables_is_complete() {
    const DAY: &str = "2024-06-03";
    let env = TestEnv::new().await;
    env.import(&even_day(DAY, 40, 8), 1).await.unwrap();
    let before = rows_of_tables(&env).await;
    env.settle(date(DAY), Shape::default()).await.unwrap();
    let after = rows_of_tables(&env).await;
    let is_of_jobs = |table: &str| {
        let prefixes = ["BATCH_", "job_", "step_"];
        prefixes.iter().any(|prefix| table.starts_with(prefix))
            || ["audit", "closed_through", "worker"].contains(&table)
    };
    let changed = after
        .iter()
        .filter(|(table, rows)| before[*table] != **rows && !is_of_jobs(table));
    let changed: BTreeSet<&str> = changed.map(|(table, _)| table.as_str()).collect();
    let listed: BTreeSet<&str> = RESULT_TABLES.into_iter().map(|(table, _)| table).collect();
    assert_eq!(changed, listed);
}
