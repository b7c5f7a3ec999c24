//! The schema is the same on all databases.

use balance_test_support::settlement::TestEnv;
use std::{collections::BTreeSet, fs, path::Path};

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
