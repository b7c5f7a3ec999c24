//! Migration of the schema.

use crate::{
    StoreError, StoreResult,
    sql::{
        db::Db,
        errors::store_error,
        timeout::{limited, limited_to},
    },
};
use backon::{ExponentialBuilder, Retryable};
use sqlx::{
    MySqlConnection, MySqlPool, SqlitePool,
    migrate::{MigrateError, Migrator},
};
use std::{
    sync::{
        LazyLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");
/// Without the lock of sqlx: it waits for a negative time, which MariaDB rejects.
static MYSQL: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!("../../migrations/mysql");
    migrator.set_locking(false);
    migrator
});

/// How long a migration waits for another one of the same database, in seconds.
const LOCK_TIMEOUT_S: i64 = 600;
/// The time limit of the server's response to that wait.
const LOCK_LIMIT: Duration = Duration::from_secs(660);
/// The time limit of all migrations of a server, some of which copy a whole table.
const RUN_LIMIT: Duration = Duration::from_secs(86_400);

/// Checks that a server's schema has this program's version. Several processes share the server, so
/// only `balance migrate` changes its schema.
pub(crate) async fn check(db: &Db) -> StoreResult<()> {
    let mut tx = db.read().await?;
    let (tables,): (i64,) = tx
        .fetch_one(
            "SELECT COUNT(*) FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_name = '_sqlx_migrations'",
            &[],
        )
        .await?;
    let found: Option<i64> = if tables == 0 {
        None
    } else {
        let (version,): (Option<i64>,) = tx
            .fetch_one(
                "SELECT MAX(version) FROM _sqlx_migrations WHERE success = TRUE",
                &[],
            )
            .await?;
        version
    };
    let ours = MYSQL.iter().map(|migration| migration.version).max();
    if found == ours {
        return Ok(());
    }
    Err(StoreError::Unusable(if found < ours {
        "the database's schema is older than this program; run `balance migrate`".to_owned()
    } else {
        "the database's schema is newer than this program; use the program version that migrated \
         it, or a newer one"
            .to_owned()
    }))
}

/// Migrates the schema to this program's version. Several processes can do so at once.
pub(crate) async fn migrate(db: &Db) -> StoreResult<()> {
    match db {
        Db::Sqlite { writer, .. } => migrate_sqlite(writer).await,
        Db::MySql { pool, .. } => migrate_mysql(pool).await,
    }
}

/// A migration of SQLite is one transaction. If another process applied it first, the next attempt
/// continues after it.
async fn migrate_sqlite(writer: &SqlitePool) -> StoreResult<()> {
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

/// The statements of a migration of MySQL are not one transaction, so that a lock of the server
/// serializes the processes.
async fn migrate_mysql(pool: &MySqlPool) -> StoreResult<()> {
    let mut connection = limited(pool.acquire()).await.map_err(store_error)?;
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
    let run = tokio::time::timeout(RUN_LIMIT, MYSQL.run(&mut *connection));
    let result = match run.await {
        Ok(result) => result.map_err(migrate_error),
        Err(_) => Err(StoreError::Transient(
            "no response of the migration".to_owned(),
        )),
    };
    release(&mut connection).await?;
    result
}

async fn release(connection: &mut MySqlConnection) -> StoreResult<()> {
    let release =
        sqlx::query("DO RELEASE_LOCK(CONCAT('balance-', LEFT(SHA2(DATABASE(), 256), 40)))");
    let released = limited(release.execute(connection)).await;
    released.map(|_| ()).map_err(store_error)
}

fn migrate_error(error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(version) => StoreError::Unusable(format!(
            "the database's schema is newer than this program (it has migration {version}); \
             use the program version that migrated it, or a newer one"
        )),
        MigrateError::VersionMismatch(version) => StoreError::Unusable(format!(
            "migration {version} of the database differs from this program's; use the program \
             version that migrated it"
        )),
        MigrateError::Execute(error) => store_error(error),
        MigrateError::ExecuteMigration(error, version) => match store_error(error) {
            StoreError::Locked => StoreError::Locked,
            error => StoreError::Other(format!("migration {version} failed: {error}").into()),
        },
        other => StoreError::Other(Box::new(other)),
    }
}
