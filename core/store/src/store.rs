//! Opening, migrating and closing a database.

use crate::{
    StoreError, StoreResult,
    sql::{db::Db, fault, migration},
};
use balance_domain::clock::{Clock, SystemClock};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The idle time after which a server ends the session of a migration, in seconds.
const MIGRATION_IDLE_S: u32 = 600;

/// An open database with the current schema.
pub struct Store {
    pub(crate) db: Db,
}

impl Store {
    /// Opens an SQLite file and migrates its schema to this program's version. Creates the file and
    /// its folder if they are missing. `readers` is the number of connections that read.
    ///
    /// # Errors
    /// If the file cannot be used, is locked, or was migrated by a newer program.
    pub async fn open_sqlite(
        path: &Path,
        readers: u32,
        clock: Arc<dyn Clock>,
    ) -> StoreResult<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| {
                StoreError::Unusable(format!(
                    "failed to create the database folder {}: {error}",
                    folder.display()
                ))
            })?;
        }
        let db = Db::open_sqlite(path, readers, clock).await?;
        migration::migrate(&db).await?;
        Ok(Self { db })
    }

    /// Opens a database of a MySQL or MariaDB server with at most `connections` connections. The
    /// server ends a session and releases its locks after `idle_s` seconds without a statement.
    ///
    /// # Errors
    /// If the server is unavailable or denies access, or if the schema has another version than this
    /// program.
    pub async fn open_mysql(
        url: &str,
        connections: u32,
        idle_s: u32,
        clock: Arc<dyn Clock>,
    ) -> StoreResult<Self> {
        let db = Db::open_mysql(url, connections, idle_s, clock).await?;
        migration::check(&db).await?;
        Ok(Self { db })
    }

    /// Migrates the schema of a server's database to this program's version.
    ///
    /// # Errors
    /// If the server is unavailable or the schema was migrated by a newer program.
    pub async fn migrate_mysql(url: &str) -> StoreResult<()> {
        let db = Db::open_mysql(url, 1, MIGRATION_IDLE_S, Arc::new(SystemClock)).await?;
        let result = migration::migrate(&db).await;
        db.close().await;
        result
    }

    /// Returns the path of the lock file of an SQLite file.
    #[must_use]
    pub fn lock_path(path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        name.into()
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.db.close().await;
        fault::report_commits();
    }
}
