//! Migration of the schema.

use crate::{StoreError, StoreResult, sql::db::Db};
use sqlx::migrate::{MigrateError, Migrator};

static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");
static MYSQL: Migrator = sqlx::migrate!("../../migrations/mysql");

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

/// Migrates the schema to this program's version.
pub(crate) async fn migrate(db: &Db) -> StoreResult<()> {
    let result = match db {
        Db::Sqlite { writer, .. } => SQLITE.run(writer).await,
        Db::MySql { pool, .. } => MYSQL.run(pool).await,
    };
    result.map_err(|error| match error {
        MigrateError::VersionMissing(version) => StoreError::Unusable(format!(
            "the database's schema is newer than this program (it has migration {version}); \
             use the program version that migrated it, or a newer one"
        )),
        MigrateError::VersionMismatch(version) => StoreError::Unusable(format!(
            "migration {version} of the database differs from this program's; use the program \
             version that migrated it"
        )),
        MigrateError::Execute(error) => crate::sql::errors::store_error(error),
        other => StoreError::Other(Box::new(other)),
    })
}
