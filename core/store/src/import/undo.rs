//! Undoing an import: removes its rows while its days are open.
//!
//! The rows are removed in many transactions. Until the last one the import is `UNDOING`: its days are
//! not closed, no import begins, and an interrupted call is repeated.

use crate::{
    Store, StoreError, StoreResult,
    import::{
        ImportId, ImportStatus, PlayImport, record,
        unfinished::{remove_dead, unfinished},
    },
    operations::{Actor, AuditAction, audit},
    settlement::days::{closed_through, next_active_day},
    sql::{
        retry::on_conflict,
        statement::{LIST_CHUNK, Query, params},
        tx::Tx,
    },
};
use chrono::NaiveDate;
use std::collections::HashSet;

/// The plays that one transaction removes, with their ad views.
const PAGE: u32 = 1_000;
/// The plays whose ad views one statement removes.
const PLAYS_PER_DELETE: usize = 128;

/// Why an import was not undone.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    #[error("there is no import {0}")]
    Unknown(ImportId),
    #[error("import {0} is already undone")]
    AlreadyUndone(ImportId),
    #[error("import {0} is running; stop it instead")]
    Running(ImportId),
    /// The import's process died. The database had rolled back its rows; only its record was left.
    #[error("import {0} was interrupted and left no rows; its record is removed")]
    Interrupted(ImportId),
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

/// What a call removed. A repeated call after an interruption counts only its own rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Undone {
    pub plays: u64,
    pub ad_views: u64,
    pub ads: u64,
}

impl Store {
    /// Undoes an import: removes its plays, its ad views, and the ads that it created, if no ad view is
    /// left. Its users and videos stay, because clients may know them. Runs many transactions;
    /// an interrupted call can be repeated.
    ///
    /// # Errors
    /// If the import is unknown, unfinished or undone, if one of its days is closed, if a later import
    /// has plays of its days, or if the store fails.
    pub async fn undo_import(&self, id: ImportId, by: &Actor) -> Result<Undone, UndoError> {
        let import = self.begin_undo(id, by).await?;
        let mut undone = Undone::default();
        if let (Some(first), Some(last)) = (import.first_date, import.last_date) {
            let mut day = first.pred_opt();
            while let Some(date) = self.next_active(day).await?
                && date <= last
            {
                self.remove_day(id, date, &mut undone).await?;
                day = Some(date);
            }
        }
        undone.ads = on_conflict(|| end(self, id)).await?;
        Ok(undone)
    }

    /// Marks the import as being undone, or finds it marked.
    async fn begin_undo(&self, id: ImportId, by: &Actor) -> Result<PlayImport, UndoError> {
        let mut tx = self.db.write().await?;
        // No day is closed, and no import begins, before the commit.
        let lock = tx.for_share();
        let closed = closed_through(&mut tx, lock).await?;
        record::lock_counter(&mut tx).await?;
        let import = record::find(&mut tx, id).await?;
        let import = import.ok_or(UndoError::Unknown(id))?;
        match import.status {
            ImportStatus::Undoing => return Ok(import),
            ImportStatus::Undone => return Err(UndoError::AlreadyUndone(id)),
            ImportStatus::Running => {
                let is_dead = remove_dead(&mut tx, id).await?;
                tx.commit().await?;
                return Err(if is_dead {
                    UndoError::Interrupted(id)
                } else {
                    UndoError::Running(id)
                });
            }
            ImportStatus::Completed => {}
        }
        if let Some((busy, _)) = unfinished(&mut tx).await? {
            return Err(UndoError::Busy(busy));
        }
        if let (Some(first), Some(closed)) = (import.first_date, closed)
            && first <= closed
        {
            return Err(UndoError::Closed { id, first, closed });
        }
        if let Some(later) = later_import(&mut tx, &import).await? {
            return Err(UndoError::Later { id, later });
        }
        record::set_status(&mut tx, id, ImportStatus::Undoing).await?;
        audit::record(
            &mut tx,
            by,
            AuditAction::UndoImport,
            &format!("import {id}"),
        )
        .await?;
        tx.commit().await?;
        Ok(import)
    }

    async fn next_active(&self, after: Option<NaiveDate>) -> StoreResult<Option<NaiveDate>> {
        let mut tx = self.db.read().await?;
        next_active_day(&mut tx, after).await
    }

    async fn remove_day(
        &self,
        id: ImportId,
        date: NaiveDate,
        undone: &mut Undone,
    ) -> StoreResult<()> {
        let mut after = Some(Vec::new());
        while let Some(last) = after {
            let removed = on_conflict(|| remove_page(self, id, date, &last)).await?;
            undone.plays += removed.plays;
            undone.ad_views += removed.ad_views;
            after = removed.last;
        }
        Ok(())
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

/// The rows that a transaction removed.
struct Removed {
    plays: u64,
    ad_views: u64,
    /// The last play, unless there are no more.
    last: Option<Vec<u8>>,
}

/// Removes the first plays after an event, with their ad views, in one transaction.
async fn remove_page(
    store: &Store,
    id: ImportId,
    date: NaiveDate,
    after: &[u8],
) -> StoreResult<Removed> {
    let mut tx = store.db.write().await?;
    let plays: Vec<(Vec<u8>, i64, i64)> = tx
        .fetch_all(
            "SELECT event_id, video_id, user_id FROM play_history \
             WHERE date = ? AND event_id > ? AND import_id = ? ORDER BY event_id LIMIT ?",
            &params![date, after, id.0, PAGE],
        )
        .await?;
    let Some((last, _, _)) = plays.last().cloned() else {
        return Ok(Removed {
            plays: 0,
            ad_views: 0,
            last: None,
        });
    };
    let viewers: HashSet<(i64, i64)> = plays
        .iter()
        .map(|(_, video, user)| (*video, *user))
        .collect();
    let viewers: Vec<(i64, i64)> = viewers.into_iter().collect();
    let mut ad_views = 0;
    for some in viewers.chunks(PLAYS_PER_DELETE) {
        ad_views += remove_ad_views(&mut tx, id, date, some).await?;
    }
    let mut delete = Query::new("DELETE FROM play_history WHERE date = ");
    delete.bind(date).push(" AND event_id IN ");
    delete.bind_list(plays.iter().map(|(event, _, _)| event.as_slice()));
    let removed = tx.execute_query(delete).await?;
    tx.commit().await?;
    Ok(Removed {
        plays: removed,
        ad_views,
        last: Some(last),
    })
}

/// Removes the ad views that the import showed to viewers of videos on a day.
async fn remove_ad_views(
    tx: &mut Tx,
    id: ImportId,
    date: NaiveDate,
    viewers: &[(i64, i64)],
) -> StoreResult<u64> {
    let mut delete = Query::new("DELETE FROM ad_history WHERE import_id = ");
    delete.bind(id.0);
    // The last pair is repeated, so that the number of prepared statements stays small. Each pair has
    // the date, so that the primary key finds its rows.
    let last = viewers.last().copied();
    let pairs = viewers.iter().copied().chain(last.into_iter().cycle());
    let mut joint = " AND (";
    for (video, user) in pairs.take(viewers.len().next_power_of_two()) {
        delete.push(joint).push("(date = ").bind(date);
        delete.push(" AND video_id = ").bind(video);
        delete.push(" AND user_id = ").bind(user).push(")");
        joint = " OR ";
    }
    delete.push(")");
    tx.execute_query(delete).await
}

/// Removes the ads that the import created, and marks it as undone. If any ad view is left, the ads stay:
/// it may be one of theirs, also on a closed day. Returns the number of removed ads.
async fn end(store: &Store, id: ImportId) -> StoreResult<u64> {
    let mut tx = store.db.write().await?;
    let left: Option<(i64,)> = tx
        .fetch_optional("SELECT 1 FROM ad_history LIMIT 1", &[])
        .await?;
    let created: Vec<(i64,)> = match left {
        Some(_) => Vec::new(),
        None => {
            tx.fetch_all("SELECT id FROM ad WHERE import_id = ?", &params![id.0])
                .await?
        }
    };
    let unused: Vec<i64> = created.into_iter().map(|(ad,)| ad).collect();
    for ads in unused.chunks(LIST_CHUNK) {
        let mut delete = Query::new("DELETE FROM ad WHERE id IN ");
        delete.bind_list(ads.iter().copied());
        tx.execute_query(delete).await?;
    }
    record::set_status(&mut tx, id, ImportStatus::Undone).await?;
    tx.commit().await?;
    Ok(u64::try_from(unused.len()).unwrap_or(0))
}
