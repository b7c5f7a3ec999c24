//! The database adapter: every port of the store, on SQL written once.
//!
//! One method, one transaction; no transaction handle leaves this module. Locks are taken in the
//! order date, instance, execution, partition, `closed_through`, never upwards.

mod db;

mod dialect;

mod fault;

mod migration;

mod process_lock;

mod jobs;

mod job_rows;

mod launch;

mod advance;

mod rerun;

mod claims;

mod lease;

mod chunk;

mod settlement;

mod activity;

mod plan;

mod plays;

mod play_import;

mod catalog;

mod rates;

mod reports;

pub use process_lock::{Company, ProcessLock};

use crate::port::{
    clock::Clock,
    error::{StoreError, StoreResult},
};
use db::Db;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// A database that is ours: every port of the store.
pub struct SqlStore {
    db: Db,
}

impl SqlStore {
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
