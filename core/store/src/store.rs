//! The database adapter: every port of the store, on SQL written once.
//!
//! One method, one transaction; no transaction handle leaves this module. Locks are taken in the
//! order date, instance, execution, partition, `closed_through`, never upwards.

use crate::sql::{db::Db, fault, migration};
use crate::{StoreError, StoreResult};
use balance_domain::clock::{Clock, SystemClock};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// How long a server lets a migration's session be silent, in seconds.
const MIGRATION_IDLE_S: u32 = 600;

/// A database that is ours: every port of the store.
pub struct Store {
    pub(crate) db: Db,
}

impl Store {
    /// Opens an SQLite file, made where it is missing, and brings its schema up to this program's.
    /// `readers` connections read at a time.
    ///
    /// # Errors
    /// Where the file cannot be used, is locked, or comes from a newer program.
    pub async fn open_sqlite(
        path: &Path,
        readers: u32,
        clock: Arc<dyn Clock>,
    ) -> StoreResult<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| {
                StoreError::Unusable(format!(
                    "the folder {} cannot be made: {error}",
                    folder.display()
                ))
            })?;
        }
        let db = Db::open_sqlite(path, readers, clock).await?;
        migration::migrate(&db).await?;
        Ok(Self { db })
    }

    /// Opens a database of a MySQL or MariaDB server. `connections` is the most at a time, `idle_s`
    /// how long the server lets a silent session hold its locks, in seconds.
    ///
    /// # Errors
    /// Where the server cannot be reached or refuses us, or the schema is another one than this
    /// program's.
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

    /// Brings the schema of a server's database up to this program's. Does nothing where it is.
    ///
    /// # Errors
    /// Where the server cannot be reached, or the schema comes from a newer program.
    pub async fn migrate_mysql(url: &str) -> StoreResult<()> {
        let db = Db::open_mysql(url, 1, MIGRATION_IDLE_S, Arc::new(SystemClock)).await?;
        let result = migration::migrate(&db).await;
        db.close().await;
        result
    }

    /// The lock file that belongs to an SQLite file.
    #[must_use]
    pub fn lock_path(path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        name.into()
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.db.close().await;
        fault::report();
    }
}
