//! Imports that have not ended. A day of an unfinished import is not closed, and no other import
//! begins.

use crate::{
    Store, StoreResult,
    import::{ImportId, ImportStatus, liveness::is_dead},
    sql::{statement::params, tx::Tx},
};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

/// An import that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfinished {
    /// Its process is alive.
    Running(ImportId),
    /// A completed import that is being undone.
    Undoing(ImportId),
    /// It failed, or its process died, and its rows are not removed yet. The caller commits this finding,
    /// and then removes the rows.
    Failed(ImportId),
}

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

/// Returns an unfinished import with plays on or before a day, if any. The caller has locked
/// `closed_through`, so that no import begins.
pub(crate) async fn unfinished_upto(
    store: &Store,
    tx: &mut Tx,
    date: NaiveDate,
) -> StoreResult<Option<Unfinished>> {
    let found: Vec<Row> = tx
        .fetch_all(
            "SELECT id, status, CAST(ended_at IS NULL AS SIGNED) FROM play_import \
             WHERE status IN ('RUNNING', 'UNDOING') AND first_date <= ? ORDER BY id",
            &params![date],
        )
        .await?;
    first(store, tx, found, false).await
}

/// Returns an unfinished import, if any. The caller has locked the counter of imports, so that no other
/// one begins. `is_locked` is whether the caller holds the lock that an import holds on SQLite.
pub(super) async fn unfinished(
    store: &Store,
    tx: &mut Tx,
    is_locked: bool,
) -> StoreResult<Option<Unfinished>> {
    let found: Vec<Row> = tx
        .fetch_all(
            "SELECT id, status, CAST(ended_at IS NULL AS SIGNED) FROM play_import \
             WHERE status IN ('RUNNING', 'UNDOING') ORDER BY id",
            &[],
        )
        .await?;
    first(store, tx, found, is_locked).await
}

/// The id of an import, its status, and whether it never completed.
type Row = (i64, String, i64);

async fn first(
    store: &Store,
    tx: &mut Tx,
    found: Vec<Row>,
    is_locked: bool,
) -> StoreResult<Option<Unfinished>> {
    let Some((id, status, is_incomplete)) = found.into_iter().next() else {
        return Ok(None);
    };
    let id = ImportId(id);
    if ImportStatus::from_name(&status)? != ImportStatus::Running {
        return Ok(Some(match is_incomplete {
            0 => Unfinished::Undoing(id),
            _ => Unfinished::Failed(id),
        }));
    }
    Ok(Some(if is_locked || is_dead(&store.db, tx, id).await? {
        mark_failed(tx, id).await?;
        Unfinished::Failed(id)
    } else {
        Unfinished::Running(id)
    }))
}

/// Marks an import whose process died, so that none of its transactions commits any more.
pub(super) async fn mark_failed(tx: &mut Tx, id: ImportId) -> StoreResult<()> {
    lock_counter(tx).await?;
    set_status(tx, id, ImportStatus::Undoing).await
}

/// Locks the counter's row until the commit, so that no import begins.
pub(super) async fn lock_counter(tx: &mut Tx) -> StoreResult<()> {
    let lock = tx.for_update();
    let _: (i64,) = tx
        .fetch_one(
            AssertSqlSafe(format!(
                "SELECT id FROM next_id WHERE name = 'play_import'{lock}"
            )),
            &[],
        )
        .await?;
    Ok(())
}

/// Changes the status of an import.
pub(super) async fn set_status(tx: &mut Tx, id: ImportId, status: ImportStatus) -> StoreResult<()> {
    tx.execute(
        "UPDATE play_import SET status = ? WHERE id = ?",
        &params![status.name(), id.0],
    )
    .await?;
    Ok(())
}
