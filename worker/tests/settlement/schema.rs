//! The same tables on every database.

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_has_the_tables_and_columns_of_a_file() {
    let (server, file) = (World::new().await, World::embedded().await);
    if !server.is_server() {
        eprintln!("SKIPPED the server's schema: TEST_MYSQL_URL names no server");
        return;
    }
    let tables = file.tables().await;
    assert_eq!(server.tables().await, tables);
    assert!(tables.len() > 15, "{tables:?}");
    // Spring makes its sequences of what each database has.
    for table in tables.iter().filter(|table| !table.ends_with("_SEQ")) {
        assert_eq!(
            server.columns(table).await,
            file.columns(table).await,
            "{table}"
        );
    }
}
