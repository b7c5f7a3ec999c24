//! Undoing an import: removes its rows while its days are open.
//!
//! The rows are removed in many transactions. Until the last one the import is `UNDOING`: its days are
//! not closed, no import begins, and an interrupted call is repeated.

use crate::{
    Store, StoreError, StoreResult,
    import::{
        ImportId, ImportStatus, PlayImport, Undone,
        liveness::is_dead,
        record,
        removal::remove,
        unfinished::{Unfinished, lock_counter, mark_failed, set_status, unfinished},
    },
    operations::{Actor, AuditAction, audit},
    settlement::days::closed_through,
    sql::{statement::params, tx::Tx},
};
use chrono::NaiveDate;

/// Why an import was not undone.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    #[error("there is no import {0}")]
    Unknown(ImportId),
    #[error("import {0} is already undone")]
    AlreadyUndone(ImportId),
    #[error("import {0} is running; stop it instead")]
    Running(ImportId),
    #[error(
        "import {id} begins on {first}, and days are closed through {closed}; closed days do not change"
    )]
    Closed {
        id: ImportId,
        first: NaiveDate,
        closed: NaiveDate,
    },
    /// A later import depends on the plays of this one.
    #[error("import {later} came after import {id} and has plays of the same days; undo it first")]
    Later { id: ImportId, later: ImportId },
    /// Another import has not ended.
    #[error("import {0} has not ended; repeat this command when it has")]
    Busy(ImportId),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Undoes an import: removes its plays, its ad views, and the ads that it created, if no ad view is
    /// left. Its users and videos stay, because clients may know them; only those of a failed import are
    /// removed. Runs many transactions; an interrupted call can be repeated.
    ///
    /// # Errors
    /// If the import is unknown, running or undone, if another import has not ended, if one of its days is
    /// closed, if a later import has plays of its days, or if the store fails.
    pub async fn undo_import(&self, id: ImportId, by: &Actor) -> Result<Undone, UndoError> {
        self.ids.check()?;
        let import = match self.begin_undo(id, by).await? {
            Ok(import) => import,
            Err(failed) => {
                self.remove_failed_import(failed).await?;
                let again = self.begin_undo(id, by).await?;
                again.map_err(UndoError::Busy)?
            }
        };
        Ok(remove(self, &import).await?)
    }

    /// Marks the import as being undone, or finds it marked. Returns another import whose rows must be
    /// removed first as the inner error.
    async fn begin_undo(
        &self,
        id: ImportId,
        by: &Actor,
    ) -> Result<Result<PlayImport, ImportId>, UndoError> {
        let mut tx = self.db.write().await?;
        // No day is closed, and no import begins, before the commit.
        let lock = tx.for_share();
        let closed = closed_through(&mut tx, lock).await?;
        lock_counter(&mut tx).await?;
        let import = record::find(&mut tx, id).await?;
        let import = import.ok_or(UndoError::Unknown(id))?;
        match import.status {
            ImportStatus::Undoing => return Ok(Ok(import)),
            ImportStatus::Undone => return Err(UndoError::AlreadyUndone(id)),
            ImportStatus::Running if is_dead(&self.db, &mut tx, id).await? => {
                mark_failed(&mut tx, id).await?;
                tx.commit().await?;
                return Ok(Ok(import));
            }
            ImportStatus::Running => return Err(UndoError::Running(id)),
            ImportStatus::Completed => {}
        }
        match unfinished(self, &mut tx, false).await? {
            None => {}
            Some(Unfinished::Running(busy) | Unfinished::Undoing(busy)) => {
                return Err(UndoError::Busy(busy));
            }
            Some(Unfinished::Failed(failed)) => {
                tx.commit().await?;
                return Ok(Err(failed));
            }
        }
        if let (Some(first), Some(closed)) = (import.first_date, closed)
            && first <= closed
        {
            return Err(UndoError::Closed { id, first, closed });
        }
        if let Some(later) = later_import(&mut tx, &import).await? {
            return Err(UndoError::Later { id, later });
        }
        set_status(&mut tx, id, ImportStatus::Undoing).await?;
        audit::record(
            &mut tx,
            by,
            AuditAction::UndoImport,
            &format!("import {id}"),
        )
        .await?;
        tx.commit().await?;
        Ok(Ok(import))
    }
}

/// Returns a completed import after this one with plays of the same days, if any. Its view window
/// begins on the day before.
async fn later_import(tx: &mut Tx, import: &PlayImport) -> StoreResult<Option<ImportId>> {
    let (Some(first), Some(last)) = (import.first_date, import.last_date) else {
        return Ok(None);
    };
    let (latest,): (Option<i64>,) = tx
        .fetch_one(
            "SELECT MAX(id) FROM play_import WHERE id > ? AND status = ? AND last_date >= ? \
             AND first_date <= ?",
            &params![
                import.id.0,
                ImportStatus::Completed.name(),
                first,
                last.succ_opt().unwrap_or(last)
            ],
        )
        .await?;
    Ok(latest.map(ImportId))
}
