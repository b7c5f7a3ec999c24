//! Imports that have not ended. A day of an unfinished import is not closed, and no other import
//! begins.

use crate::{
    StoreResult,
    import::{ImportId, ImportStatus},
    sql::{statement::params, tx::Tx},
};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

/// Returns an import that was undone and had plays of a day, if any.
pub(crate) async fn undone_on(tx: &mut Tx, date: NaiveDate) -> StoreResult<Option<ImportId>> {
    let (id,): (Option<i64>,) = tx
        .fetch_one(
            "SELECT MAX(id) FROM play_import WHERE status = ? AND first_date <= ? AND last_date >= ?",
            &params![ImportStatus::Undone.name(), date, date],
        )
        .await?;
    Ok(id.map(ImportId))
}

/// Returns an unfinished import with plays on or before a day, and its status, if any. The caller has
/// locked `closed_through`, so that no import begins.
pub(crate) async fn unfinished_upto(
    tx: &mut Tx,
    date: NaiveDate,
) -> StoreResult<Option<(ImportId, ImportStatus)>> {
    let found: Vec<(i64, String)> = tx
        .fetch_all(
            "SELECT id, status FROM play_import \
             WHERE status IN ('RUNNING', 'UNDOING') AND first_date <= ? ORDER BY id",
            &params![date],
        )
        .await?;
    first_alive(tx, found).await
}

/// Returns an unfinished import and its status, if any. The caller has locked the counter of imports,
/// so that no other one begins.
pub(super) async fn unfinished(tx: &mut Tx) -> StoreResult<Option<(ImportId, ImportStatus)>> {
    let found: Vec<(i64, String)> = tx
        .fetch_all(
            "SELECT id, status FROM play_import \
             WHERE status IN ('RUNNING', 'UNDOING') ORDER BY id",
            &[],
        )
        .await?;
    first_alive(tx, found).await
}

async fn first_alive(
    tx: &mut Tx,
    found: Vec<(i64, String)>,
) -> StoreResult<Option<(ImportId, ImportStatus)>> {
    for (id, status) in found {
        let (id, status) = (ImportId(id), ImportStatus::from_name(&status)?);
        if status != ImportStatus::Running || !remove_dead(tx, id).await? {
            return Ok(Some((id, status)));
        }
    }
    Ok(None)
}

/// Removes a running import whose process has died: its transaction has locked the row until its end.
/// The database has rolled back what it wrote. Returns false if the import is alive.
pub(super) async fn remove_dead(tx: &mut Tx, id: ImportId) -> StoreResult<bool> {
    let lock = tx.for_update_skip_locked();
    let row: Option<(String,)> = tx
        .fetch_optional(
            AssertSqlSafe(format!("SELECT status FROM play_import WHERE id = ?{lock}")),
            &params![id.0],
        )
        .await?;
    let Some((status,)) = row else {
        return Ok(false);
    };
    if status == ImportStatus::Running.name() {
        tx.execute("DELETE FROM play_import WHERE id = ?", &params![id.0])
            .await?;
    }
    Ok(true)
}
