//! The schema's versions.

use super::db::Db;
use crate::port::error::{StoreError, StoreResult};
use sqlx::migrate::{MigrateError, Migrator};

static SQLITE: Migrator = sqlx::migrate!("../migrations/sqlite");
static MYSQL: Migrator = sqlx::migrate!("../migrations/mysql");

/// Brings the schema up to this program's. Does nothing where it is.
pub(super) async fn migrate(db: &Db) -> StoreResult<()> {
    let result = match db {
        Db::Sqlite { writer, .. } => SQLITE.run(writer).await,
        Db::MySql { pool, .. } => MYSQL.run(pool).await,
    };
    result.map_err(|error| match error {
        MigrateError::VersionMissing(version) => StoreError::Unusable(format!(
            "the database's schema is newer than this program (it has migration {version}); \
             use the program that made it, or a newer one"
        )),
        MigrateError::VersionMismatch(version) => StoreError::Unusable(format!(
            "migration {version} of the database is not the one of this program"
        )),
        MigrateError::Execute(error) => super::db::store_error(error),
        other => StoreError::Other(Box::new(other)),
    })
}
