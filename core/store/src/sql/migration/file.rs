//! The schema of an SQLite file. A migration is one transaction there.

use crate::{
    StoreError, StoreResult,
    sql::{
        db::Db,
        errors::store_error,
        journal::Journal,
        migration::{
            Schema,
            state::{APPLIED, Applied, check_current, check_known, different, newer},
        },
        timeout::limited,
    },
};
use backon::{ConstantBuilder, ExponentialBuilder, Retryable};
use sqlx::{
    ConnectOptions, Connection, SqliteConnection, SqlitePool,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteLockingMode},
};
use std::{
    path::Path,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

pub(super) static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");

impl Schema {
    /// Checks that the tables are not those of another program, and that no migration is unknown.
    pub(crate) fn check_file(self) -> StoreResult<()> {
        check_known(&self.require_own()?, &SQLITE)
    }

    /// Checks that the schema has exactly the migrations of this program.
    pub(crate) fn check_current_file(self) -> StoreResult<()> {
        check_current(self, &SQLITE)
    }
}

/// Reads which tables an SQLite file has, and which migrations. Changes nothing: no byte of the file
/// or of its journals, and creates no journal.
pub(crate) async fn schema(path: &Path) -> StoreResult<Schema> {
    let attempts = ConstantBuilder::new()
        .with_delay(Duration::from_millis(50))
        .with_max_times(3);
    // A process that writes to the file can disturb a read without locks.
    let attempt = || async { limited(read_schema(path)).await.map_err(store_error) };
    attempt.retry(attempts).await
}

async fn read_schema(path: &Path) -> sqlx::Result<Schema> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let options = match Journal::of(path) {
        // Without the index of the journal, this mode alone creates no index file.
        Journal::WithoutIndex if cfg!(unix) => options
            .vfs("unix-none")
            .locking_mode(SqliteLockingMode::Exclusive),
        Journal::None => options.immutable(true),
        Journal::WithoutIndex | Journal::WithIndex => options,
    };
    let mut connection = options.connect().await?;
    let schema = schema_of(&mut connection).await;
    connection.close().await?;
    schema
}

async fn schema_of(connection: &mut SqliteConnection) -> sqlx::Result<Schema> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut applied = Vec::new();
    if tables.iter().any(|table| table == APPLIED) {
        let read: sqlx::Result<Vec<Applied>> = sqlx::query_as(
            "SELECT version, checksum, success FROM _sqlx_migrations ORDER BY version",
        )
        .fetch_all(connection)
        .await;
        applied = match read {
            // The table of another program that has the same name and other columns.
            Err(error) if is_no_such_column(&error) => Vec::new(),
            read => read?,
        };
    }
    Ok(Schema::of(tables, applied, &SQLITE))
}

fn is_no_such_column(error: &sqlx::Error) -> bool {
    let message = error
        .as_database_error()
        .map(sqlx::error::DatabaseError::message);
    message.is_some_and(|message| message.contains("no such column"))
        || matches!(error, sqlx::Error::ColumnDecode { .. })
}

/// Migrates the schema. Several processes can do so at once: if another process applied a migration
/// first, the next attempt continues after it.
pub(crate) async fn migrate(db: &Db) -> StoreResult<()> {
    let Db::Sqlite { writer, .. } = db else {
        return Ok(());
    };
    let attempts = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(5))
        .with_max_delay(Duration::from_millis(200))
        .with_max_times(100)
        .with_jitter();
    let last = AtomicI64::new(-1);
    let attempt = || async {
        let before = applied(writer).await;
        let result = SQLITE.run(writer).await.map_err(migrate_error);
        match result {
            Err(StoreError::Locked) => Err((StoreError::Locked, true)),
            Err(error) => {
                let after = applied(writer).await;
                let progress = last.swap(after, Ordering::Relaxed).max(before) < after;
                Err((error, progress))
            }
            Ok(()) => Ok(()),
        }
    };
    attempt
        .retry(attempts)
        .when(|(_, is_retryable)| *is_retryable)
        .await
        .map_err(|(error, _)| error)
}

/// Returns the number of applied migrations, 0 if there is no schema.
async fn applied(writer: &SqlitePool) -> i64 {
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM _sqlx_migrations WHERE success");
    limited(count.fetch_one(writer)).await.unwrap_or(0)
}

fn migrate_error(error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(version) => newer(version),
        MigrateError::VersionMismatch(version) => different(version),
        MigrateError::Execute(error) => store_error(error),
        MigrateError::ExecuteMigration(error, version) => match store_error(error) {
            StoreError::Locked => StoreError::Locked,
            error => StoreError::Other(format!("migration {version} failed: {error}").into()),
        },
        other => StoreError::Other(Box::new(other)),
    }
}
