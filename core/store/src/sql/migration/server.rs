//! The schema of a server's database. A change of the schema is not rolled back there, so that the
//! progress of a migration is stored, and a migration that failed continues where it stopped.

use crate::{
    StoreError, StoreResult,
    sql::{
        db::Db,
        errors::store_error,
        fault,
        migration::{
            Schema,
            script::{Statement, statements},
            state::{APPLIED, Applied, PROGRESS, check_current, check_known, is_complete},
        },
        timeout::{limited, limited_to},
    },
};
use sqlx::{
    AssertSqlSafe, Connection, MySqlConnection,
    migrate::{Migrate, Migration, Migrator},
    mysql::MySqlDatabaseError,
};
use std::{sync::LazyLock, time::Duration};

pub(super) static MYSQL: LazyLock<Migrator> =
    LazyLock::new(|| sqlx::migrate!("../../migrations/mysql"));

/// The migration that adds the primary keys of Spring's tables.
const KEYS: i64 = 13;
/// How long a migration waits for another one of the same database, in seconds.
const LOCK_TIMEOUT_S: i64 = 600;
/// The time limit of the server's response to that wait.
const LOCK_LIMIT: Duration = Duration::from_secs(660);
/// The time limit of all migrations of a server, some of which copy a whole table.
const RUN_LIMIT: Duration = Duration::from_secs(86_400);

/// Checks that the schema has this program's version. Several processes share the server, so only
/// `balance migrate` changes its schema.
pub(crate) async fn check(db: &Db) -> StoreResult<()> {
    let Db::MySql { pool, .. } = db else {
        return Ok(());
    };
    let mut connection = limited(pool.acquire()).await.map_err(store_error)?;
    let schema = limited(schema(&mut connection))
        .await
        .map_err(store_error)?;
    check_current(schema, &MYSQL)
}

/// Returns the names of the tables and views.
async fn tables(connection: &mut MySqlConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
         WHERE table_schema = DATABASE() ORDER BY 1",
    )
    .fetch_all(connection)
    .await
}

/// Reads which tables the database has, and which migrations.
async fn schema(connection: &mut MySqlConnection) -> sqlx::Result<Schema> {
    let tables = tables(connection).await?;
    let mut applied = Vec::new();
    if tables.iter().any(|table| table == APPLIED) {
        let read: sqlx::Result<Vec<Applied>> = sqlx::query_as(
            "SELECT version, checksum, success FROM _sqlx_migrations ORDER BY version",
        )
        .fetch_all(connection)
        .await;
        applied = match read {
            // The table of another program that has the same name and other columns.
            Err(error) if number(&error) == Some(1054) => Vec::new(),
            read => read?,
        };
    }
    Ok(Schema::of(tables, applied, &MYSQL))
}

/// Migrates the schema. Several processes can do so at once: a lock of the server serializes them.
pub(crate) async fn migrate(db: &Db) -> StoreResult<()> {
    let Db::MySql { pool, .. } = db else {
        return Ok(());
    };
    let mut connection = limited(pool.acquire()).await.map_err(store_error)?;
    // Not the lock of sqlx: it waits for a negative time, which MariaDB rejects.
    let lock = sqlx::query_scalar(
        "SELECT GET_LOCK(CONCAT('balance-', LEFT(SHA2(DATABASE(), 256), 40)), ?)",
    )
    .bind(LOCK_TIMEOUT_S)
    .fetch_one(&mut *connection);
    let locked: Option<i64> = limited_to(LOCK_LIMIT, lock).await.map_err(store_error)?;
    if locked != Some(1) {
        return Err(StoreError::Transient(format!(
            "another process has been migrating the database for {LOCK_TIMEOUT_S} s"
        )));
    }
    let run = tokio::time::timeout(RUN_LIMIT, migrate_locked(&mut connection));
    let result = run.await.unwrap_or_else(|_| {
        Err(StoreError::Transient(
            "no response of the migration".to_owned(),
        ))
    });
    let release = "DO RELEASE_LOCK(CONCAT('balance-', LEFT(SHA2(DATABASE(), 256), 40)))";
    let released = limited(sqlx::query(release).execute(&mut *connection)).await;
    result.and(released.map(|_| ()).map_err(store_error))
}

async fn migrate_locked(connection: &mut MySqlConnection) -> StoreResult<()> {
    let schema = schema(connection).await.map_err(store_error)?;
    let applied = schema.require_own()?;
    check_known(&applied, &MYSQL)?;
    let pending: Vec<&Migration> = MYSQL
        .iter()
        .filter(|migration| !is_complete(&applied, migration.version))
        .collect();
    if !pending.is_empty() {
        if pending.iter().any(|migration| migration.version < KEYS) {
            permit_missing_keys(connection).await?;
        }
        prepare(connection).await?;
        for migration in pending {
            apply(connection, migration).await?;
        }
    }
    let drop = async {
        if tables(connection)
            .await?
            .iter()
            .any(|table| table == PROGRESS)
        {
            execute(connection, format!("DROP TABLE {PROGRESS}")).await?;
        }
        Ok(())
    };
    drop.await.map_err(store_error)
}

/// Lets the session create tables without a primary key, if the server rejects such tables. Migration
/// [`KEYS`] adds the keys. MariaDB has no such variable.
async fn permit_missing_keys(connection: &mut MySqlConnection) -> StoreResult<()> {
    let rejects: Option<(String, String)> = sqlx::query_as(
        "SHOW SESSION VARIABLES WHERE Variable_name = 'sql_require_primary_key' AND Value = 'ON'",
    )
    .fetch_optional(&mut *connection)
    .await
    .map_err(store_error)?;
    if rejects.is_none() {
        return Ok(());
    }
    sqlx::raw_sql("SET SESSION sql_require_primary_key = OFF")
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(|error| match number(&error) {
            Some(1227) => StoreError::Unusable(
                "the server rejects tables without a primary key (sql_require_primary_key = ON), \
                 and the first migration creates some; grant SESSION_VARIABLES_ADMIN to the user \
                 of `balance migrate`, or set the variable OFF until the command has finished"
                    .to_owned(),
            ),
            _ => store_error(error),
        })
}

/// Creates the tables of the applied migrations and of the progress.
async fn prepare(connection: &mut MySqlConnection) -> StoreResult<()> {
    connection
        .ensure_migrations_table(APPLIED)
        .await
        .map_err(|error| StoreError::Other(Box::new(error)))?;
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS {PROGRESS} (version BIGINT NOT NULL PRIMARY KEY, \
         started BIGINT NOT NULL, done BIGINT NOT NULL) ENGINE = InnoDB"
    );
    let created = sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await;
    created.map(|_| ()).map_err(store_error)
}

/// Applies a migration from its first statement that is not done.
async fn apply(connection: &mut MySqlConnection, migration: &Migration) -> StoreResult<()> {
    let version = migration.version;
    let (started, done) = progress(connection, migration).await?;
    for (number, statement) in (1..).zip(statements(migration.sql.as_str())) {
        if number <= done {
            continue;
        }
        // The earlier attempt ended during or after the statement, so that its effect is unknown.
        let is_in_doubt = started == number;
        step(connection, version, number, &statement, is_in_doubt)
            .await
            .map_err(|error| match store_error(error) {
                StoreError::Other(error) => StoreError::Other(
                    format!("statement {number} of migration {version} failed: {error}").into(),
                ),
                error => error,
            })?;
    }
    let finish = async {
        let mut tx = connection.begin().await?;
        let sql = format!("UPDATE {APPLIED} SET success = TRUE WHERE version = {version}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
        let sql = format!("DELETE FROM {PROGRESS} WHERE version = {version}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
        commit(tx).await
    };
    finish.await.map_err(store_error)
}

/// Returns the numbers of started and of completed statements of a migration. Records the migration
/// if it is new.
async fn progress(
    connection: &mut MySqlConnection,
    migration: &Migration,
) -> StoreResult<(i64, i64)> {
    let version = migration.version;
    let sql = format!("SELECT started, done FROM {PROGRESS} WHERE version = ?");
    let row: Option<(i64, i64)> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(version)
        .fetch_optional(&mut *connection)
        .await
        .map_err(store_error)?;
    if let Some(progress) = row {
        return Ok(progress);
    }
    let begin = async {
        let mut tx = connection.begin().await?;
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, \
             execution_time) VALUES (?, ?, FALSE, ?, -1)",
        )
        .bind(version)
        .bind(&*migration.description)
        .bind(&*migration.checksum)
        .execute(&mut *tx)
        .await?;
        let sql =
            format!("INSERT INTO {PROGRESS} (version, started, done) VALUES ({version}, 0, 0)");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
        commit(tx).await
    };
    match begin.await {
        // Only an older program leaves a part of a migration without its progress.
        Err(error) if number(&error) == Some(1062) => Err(StoreError::Unusable(format!(
            "an older program has applied a part of migration {version}, and it is unknown which; \
             restore a backup, or use an empty database"
        ))),
        begun => begun.map(|()| (0, 0)).map_err(store_error),
    }
}

/// Runs a statement and records that it is done.
async fn step(
    connection: &mut MySqlConnection,
    version: i64,
    number: i64,
    statement: &Statement,
    is_in_doubt: bool,
) -> sqlx::Result<()> {
    let done = format!(
        "UPDATE {PROGRESS} SET started = {number}, done = {number} WHERE version = {version}"
    );
    if statement.is_transactional {
        let mut tx = connection.begin().await?;
        let sql = AssertSqlSafe(statement.sql.clone());
        sqlx::raw_sql(sql).execute(&mut *tx).await?;
        sqlx::raw_sql(AssertSqlSafe(done)).execute(&mut *tx).await?;
        return commit(tx).await;
    }
    if !is_in_doubt {
        let started = format!("UPDATE {PROGRESS} SET started = {number} WHERE version = {version}");
        execute(connection, started).await?;
    }
    match execute(connection, statement.sql.clone()).await {
        Err(error) if is_in_doubt && is_done(&error) => {}
        Err(error) => {
            if !is_in_doubt && matches!(error, sqlx::Error::Database(_)) {
                // The server has rejected the statement, so that its effect is not in doubt.
                let failed =
                    format!("UPDATE {PROGRESS} SET started = done WHERE version = {version}");
                execute(connection, failed).await?;
            }
            return Err(error);
        }
        Ok(()) => {}
    }
    execute(connection, done).await
}

/// Runs a statement outside of a transaction. It commits by itself.
async fn execute(connection: &mut MySqlConnection, sql: String) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await?;
    fault::before_commit();
    fault::after_commit();
    Ok(())
}

async fn commit(tx: sqlx::Transaction<'_, sqlx::MySql>) -> sqlx::Result<()> {
    fault::before_commit();
    let result = tx.commit().await;
    fault::after_commit();
    result
}

/// Returns whether an error of a repeated statement means that the first one has succeeded. Each
/// statement that changes the schema is atomic.
fn is_done(error: &sqlx::Error) -> bool {
    // A table, column, index, primary key, foreign key or CHECK exists; a table, or a column or index,
    // is gone.
    matches!(
        number(error),
        Some(1050 | 1060 | 1061 | 1068 | 1826 | 3822 | 1051 | 1091)
    )
}

/// Returns the error number of the server.
fn number(error: &sqlx::Error) -> Option<u16> {
    let database = error.as_database_error()?;
    Some(database.try_downcast_ref::<MySqlDatabaseError>()?.number())
}
