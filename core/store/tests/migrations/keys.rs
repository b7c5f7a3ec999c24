//! Primary keys, which a server can require of each table (`sql_require_primary_key`).

use crate::{database::Database, versions};
use balance_store::{Store, StoreError};
use sqlx::{AssertSqlSafe, Connection, MySqlConnection};

/// The migration that adds the primary keys of the job tables.
const KEYS: i64 = 13;
/// The password of a user that a test creates.
const PASSWORD: &str = "Geheim-4711";

#[tokio::test]
async fn every_table_has_a_primary_key() {
    let mut database = Database::create().await;
    database.migrate_to(versions()[versions().len() - 1]).await;
    for table in database.tables().await {
        let key = match database {
            Database::Sqlite(..) => format!("pragma_table_info('{table}') WHERE pk > 0"),
            Database::Server(..) => format!(
                "information_schema.table_constraints WHERE table_schema = DATABASE() \
                 AND table_name = '{table}' AND constraint_type = 'PRIMARY KEY'"
            ),
        };
        let has_key = database.count(&key).await > 0;
        // SQLite cannot add a primary key to a table; this one has a unique index.
        let is_excepted =
            matches!(database, Database::Sqlite(..)) && table == "BATCH_JOB_EXECUTION_PARAMS";
        assert_eq!(has_key, !is_excepted, "{table}");
    }
}

#[tokio::test]
async fn an_execution_has_one_parameter_of_a_name() {
    let mut database = Database::create().await;
    database.migrate_to(KEYS).await;
    database.seed(KEYS).await;
    let insert = "INSERT INTO BATCH_JOB_EXECUTION_PARAMS \
         (JOB_EXECUTION_ID, PARAMETER_NAME, PARAMETER_TYPE, PARAMETER_VALUE, IDENTIFYING) \
         VALUES (1, 'date', 'java.time.LocalDate', '2026-03-02', 'Y')";
    let error = database.try_execute(insert).await.unwrap_err();
    let error = error.into_database_error().unwrap();
    assert!(error.is_unique_violation(), "{error}");
}

/// Returns the URL of an empty database on a server that rejects tables without a primary key, as a user
/// who can create others.
async fn strict_database() -> Option<String> {
    let Database::Server(mut connection, url) = Database::create().await else {
        return None;
    };
    let rejects: Option<(String, String)> =
        sqlx::query_as("SHOW GLOBAL VARIABLES WHERE Variable_name = 'sql_require_primary_key'")
            .fetch_optional(&mut connection)
            .await
            .unwrap();
    let grants: Vec<(String,)> = sqlx::query_as("SHOW GRANTS")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    // MariaDB does not have the variable.
    let (_, value) = rejects?;
    let can_grant = grants
        .iter()
        .any(|(grant,)| grant.ends_with("WITH GRANT OPTION"));
    if value != "ON" || !can_grant {
        eprintln!(
            "SKIPPED: migrations by a user without rights; they need a server with \
             sql_require_primary_key = ON and a user WITH GRANT OPTION"
        );
        return None;
    }
    Some(url)
}

async fn execute(connection: &mut MySqlConnection, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

#[tokio::test]
async fn a_server_that_requires_primary_keys_is_migrated_by_a_user_with_the_right() {
    let Some(url) = strict_database().await else {
        return;
    };
    let (address, database) = url.rsplit_once('/').unwrap();
    let host = address.rsplit_once('@').unwrap().1;
    let user = database.replace("migrations_", "");
    let mut admin = MySqlConnection::connect(&url).await.unwrap();
    execute(
        &mut admin,
        &format!(
            "DROP USER IF EXISTS '{user}'@'%'; CREATE USER '{user}'@'%' IDENTIFIED BY '{PASSWORD}'; \
             GRANT ALL ON {database}.* TO '{user}'@'%'"
        ),
    )
    .await;
    let own = format!("mysql://{user}:{PASSWORD}@{host}/{database}");

    let error = Store::migrate_mysql(&own).await.unwrap_err();
    let StoreError::Unusable(reason) = error else {
        panic!("{error}");
    };
    assert!(
        reason.contains("grant SESSION_VARIABLES_ADMIN to the user"),
        "{reason}"
    );
    let tables: (i64,) = sqlx::query_as(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    assert_eq!(tables, (0,), "a rejected migration creates no table");

    let right = format!("SESSION_VARIABLES_ADMIN ON *.* TO '{user}'@'%'");
    execute(&mut admin, &format!("GRANT {right}")).await;
    Store::migrate_mysql(&own).await.unwrap();
    // The schema has its keys now, so that a later migration does not need the right.
    execute(
        &mut admin,
        &format!("REVOKE {}", right.replace(" TO ", " FROM ")),
    )
    .await;
    Store::migrate_mysql(&own).await.unwrap();
    execute(&mut admin, &format!("DROP USER '{user}'@'%'")).await;
    admin.close().await.unwrap();
}

#[tokio::test]
async fn an_older_schema_gets_its_keys_without_the_right() {
    let mut database = Database::create().await;
    database.migrate_to(KEYS - 1).await;
    database.seed(KEYS - 1).await;
    // As for a user who cannot change the variable. Other servers do not have it.
    if let Database::Server(connection, _) = &mut database {
        let _ = sqlx::raw_sql("SET SESSION sql_require_primary_key = ON")
            .execute(connection)
            .await;
    }
    database.migrate_to(KEYS).await;
    assert_eq!(database.count("job_execution_launch").await, 2);
}
