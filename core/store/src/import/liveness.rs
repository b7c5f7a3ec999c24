//! The sign that the process of an import is alive. The operating system or the server removes it when
//! the process ends.

use crate::{
    StoreError, StoreResult,
    import::{ImportId, ImportStatus},
    sql::{db::Db, journal::beside, statement::params, tx::Tx},
};
use sqlx::AssertSqlSafe;
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::Write,
    path::PathBuf,
    time::Duration,
};

/// How often an import tries to lock the file, which a process that looks for dead imports holds for an
/// instant.
const MAX_TRIES: u32 = 20;
const TRY_INTERVAL: Duration = Duration::from_millis(10);

/// The disk space that an import on SQLite reserves. If the import fills the disk, the removal of its rows
/// needs space for the journal.
const RESERVE_BYTES: usize = 8 << 20;

/// The sign of a running import.
pub(super) enum Liveness {
    /// The lock of a file beside an SQLite database.
    File(FileLock),
    /// A transaction that has locked the record on a server.
    Row(Tx),
}

impl Liveness {
    /// Locks the file beside an SQLite database. Returns `None` if another process holds the lock.
    pub(super) async fn of_file(db: &Db) -> StoreResult<Option<Self>> {
        for _ in 0..MAX_TRIES {
            if let Some(locked) = lock_file(db)? {
                return Ok(Some(Self::File(locked)));
            }
            tokio::time::sleep(TRY_INTERVAL).await;
        }
        Ok(None)
    }

    /// Reserves the disk space for the removal of the rows. It is free again when the import has ended.
    pub(super) fn reserve(&mut self) -> StoreResult<()> {
        match self {
            Self::File(lock) => lock.reserve(),
            Self::Row(_) => Ok(()),
        }
    }

    /// Locks the record of an import on a server. Returns `None` if another process has removed it.
    pub(super) async fn of_row(db: &Db, id: ImportId) -> StoreResult<Option<Self>> {
        let mut tx = db.write().await?;
        let lock = tx.for_update();
        let row: Option<(String,)> = tx
            .fetch_optional(
                AssertSqlSafe(format!("SELECT status FROM play_import WHERE id = ?{lock}")),
                &params![id.0],
            )
            .await?;
        let is_running = row.is_some_and(|(status,)| status == ImportStatus::Running.name());
        Ok(is_running.then_some(Self::Row(tx)))
    }

    /// Keeps the session on a server, which ends it after an idle time.
    ///
    /// # Errors
    /// If the session has ended. Then another process may take the import for dead.
    pub(super) async fn keep(&mut self) -> StoreResult<()> {
        if let Self::Row(tx) = self {
            let _: (i64,) = tx.fetch_one("SELECT 1", &[]).await?;
        }
        Ok(())
    }
}

/// Returns whether the process of a running import has ended. The caller is in a write transaction.
pub(super) async fn is_dead(db: &Db, tx: &mut Tx, id: ImportId) -> StoreResult<bool> {
    if matches!(tx, Tx::Sqlite(..)) {
        return Ok(lock_file(db)?.is_some());
    }
    let lock = tx.for_update_skip_locked();
    let row: Option<(i64,)> = tx
        .fetch_optional(
            AssertSqlSafe(format!("SELECT id FROM play_import WHERE id = ?{lock}")),
            &params![id.0],
        )
        .await?;
    Ok(row.is_some())
}

/// A locked file. Its lock and its content end with it, or with the process.
pub(super) struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    fn reserve(&mut self) -> StoreResult<()> {
        let written = self.file.write_all(&vec![0; RESERVE_BYTES]);
        let written = written.and_then(|()| self.file.sync_all());
        written.map_err(|error| {
            let path = self.path.display();
            StoreError::Unusable(format!("failed to reserve disk space in {path}: {error}"))
        })
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // If this fails, the next import does it.
        let _ = self.file.set_len(0);
    }
}

/// Locks the file beside an SQLite database and removes its content, unless another process holds the
/// lock.
fn lock_file(db: &Db) -> StoreResult<Option<FileLock>> {
    let Db::Sqlite { writer, .. } = db else {
        return Ok(None);
    };
    let path = beside(writer.connect_options().get_filename(), ".import-lock");
    let failed = |error: std::io::Error| {
        let path = path.display();
        StoreError::Unusable(format!("failed to lock the file {path}: {error}"))
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    file.set_len(0).map_err(failed)?;
    Ok(Some(FileLock { file, path }))
}
