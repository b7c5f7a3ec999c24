//! The record of an import: its row in `play_import`.
//!
//! An import is recorded as running before it writes. The record keeps its days open. A sign of life
//! shows that its process is alive; a dead import is marked, so that it cannot write any more, and its
//! rows are removed.

use crate::{
    Store, StoreError, StoreResult,
    import::{
        ImportId, ImportRules, ImportStatus, MAX_IMPORT_NAME, PlayCounts, PlayImport,
        PlayImportError,
        liveness::Liveness,
        unfinished::{Unfinished, lock_counter, set_status, unfinished},
    },
    operations::{Actor, AuditAction, audit},
    settlement::days::closed_through,
    sql::{db::Db, statement::params, tx::Tx},
};
use chrono::{NaiveDate, NaiveDateTime};
use sqlx::AssertSqlSafe;

/// How often a recorded import is repeated whose row was removed before it was locked.
const MAX_BEGINS: u32 = 5;

/// An import to be recorded.
pub(super) struct NewImport<'a> {
    pub(super) name: &'a str,
    pub(super) rules: ImportRules,
    /// The day of the first play. It and the days after it stay open until the import has ended.
    pub(super) first_date: Option<NaiveDate>,
}

/// An import that has begun.
pub(super) struct Begun {
    pub(super) id: ImportId,
    pub(super) closed: Option<NaiveDate>,
    /// The import is alive until this is dropped.
    pub(super) liveness: Liveness,
}

/// Begins an import. Removes the rows of one that failed first.
pub(super) async fn begin(store: &Store, new: &NewImport<'_>) -> Result<Begun, PlayImportError> {
    for _ in 0..MAX_BEGINS {
        let file = match &store.db {
            Db::Sqlite { .. } => Liveness::of_file(&store.db).await?,
            Db::MySql { .. } => None,
        };
        let mut tx = store.db.write().await?;
        let lock = tx.for_share();
        let closed = closed_through(&mut tx, lock).await?;
        let id = next_import(&mut tx).await?;
        match unfinished(store, &mut tx, file.is_some()).await? {
            None => {}
            Some(Unfinished::Undoing(id)) => return Err(PlayImportError::Undoing(id)),
            Some(Unfinished::Running(id)) => return Err(PlayImportError::Running(id)),
            Some(Unfinished::Failed(id)) => {
                tx.commit().await?;
                store.remove_failed_import(id).await?;
                continue;
            }
        }
        insert(&mut tx, id, new).await?;
        tx.commit().await?;
        let liveness = match &store.db {
            Db::Sqlite { .. } => file,
            // Another process takes an import for dead if it sees the row before it is locked.
            Db::MySql { .. } => Liveness::of_row(&store.db, id).await?,
        };
        if let Some(mut liveness) = liveness {
            if let Err(error) = liveness.reserve() {
                drop(liveness);
                fail(store, id).await?;
                return Err(error.into());
            }
            return Ok(Begun {
                id,
                closed,
                liveness,
            });
        }
    }
    Err(StoreError::Conflict("other processes removed the import".to_owned()).into())
}

/// Checks that an import still runs. Until the commit of the transaction, no process marks it as dead.
pub(super) async fn require_running(tx: &mut Tx, id: ImportId) -> StoreResult<()> {
    lock_counter(tx).await?;
    let row: Option<(String,)> = tx
        .fetch_optional(
            "SELECT status FROM play_import WHERE id = ?",
            &params![id.0],
        )
        .await?;
    if row.is_some_and(|(status,)| status == ImportStatus::Running.name()) {
        return Ok(());
    }
    let reason = format!("another process took import {id} for dead and removed its rows");
    Err(StoreError::Unusable(reason))
}

/// Allocates an id. The counter's row stays locked until the commit, so that one import begins at a
/// time.
async fn next_import(tx: &mut Tx) -> StoreResult<ImportId> {
    tx.execute(
        "UPDATE next_id SET id = id + 1 WHERE name = 'play_import'",
        &[],
    )
    .await?;
    let (id,): (i64,) = tx
        .fetch_one("SELECT id - 1 FROM next_id WHERE name = 'play_import'", &[])
        .await?;
    Ok(ImportId(id))
}

async fn insert(tx: &mut Tx, id: ImportId, new: &NewImport<'_>) -> StoreResult<()> {
    let now = tx.now();
    let name: String = new.name.chars().take(MAX_IMPORT_NAME).collect();
    let NewImport {
        rules, first_date, ..
    } = new;
    tx.execute(
        "INSERT INTO play_import (id, name, status, ads, ad_interval_s, view_window_s, first_date, \
         play_count, ad_view_count, started_at) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, ?)",
        &params![
            id.0,
            name,
            ImportStatus::Running.name(),
            rules.ads,
            rules.ad_interval_s,
            rules.view_window_s,
            *first_date,
            now
        ],
    )
    .await?;
    Ok(())
}

/// Records the completion.
pub(super) async fn complete(
    tx: &mut Tx,
    id: ImportId,
    last_date: Option<NaiveDate>,
    counts: &PlayCounts,
    by: &Actor,
) -> StoreResult<()> {
    let now = tx.now();
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    tx.execute(
        "UPDATE play_import SET status = ?, last_date = ?, play_count = ?, ad_view_count = ?, \
         ended_at = ? WHERE id = ?",
        &params![
            ImportStatus::Completed.name(),
            last_date,
            count(counts.new),
            count(counts.ad_views),
            now,
            id.0
        ],
    )
    .await?;
    audit::record(tx, by, AuditAction::Import, &format!("import {id}")).await
}

/// Marks a failed import of this process and removes its rows. If it wrote none, its id is free again.
pub(super) async fn fail(store: &Store, id: ImportId) -> StoreResult<()> {
    let mut tx = store.db.write().await?;
    if require_running(&mut tx, id).await.is_err() {
        return Ok(());
    }
    set_status(&mut tx, id, ImportStatus::Undoing).await?;
    tx.commit().await?;
    store.remove_failed_import(id).await?;
    let mut tx = store.db.write().await?;
    tx.execute(
        "UPDATE next_id SET id = ? WHERE name = 'play_import' AND id = ? \
         AND NOT EXISTS (SELECT 1 FROM play_import WHERE play_import.id = ?)",
        &params![id.0, id.0 + 1, id.0],
    )
    .await?;
    tx.commit().await
}

/// Extends the days of a failed import to a day.
pub(super) async fn extend(tx: &mut Tx, id: ImportId, date: NaiveDate) -> StoreResult<()> {
    tx.execute(
        "UPDATE play_import SET last_date = ? WHERE id = ? AND (last_date IS NULL OR last_date < ?)",
        &params![date, id.0, date],
    )
    .await?;
    Ok(())
}

/// Ends a failed import whose rows are removed. Its record stays if other processes may have seen plays
/// of it: a day that they launched is not closed without these plays.
pub(super) async fn end_failed(tx: &mut Tx, id: ImportId) -> StoreResult<()> {
    let now = tx.now();
    tx.execute(
        "DELETE FROM play_import WHERE id = ? AND status = ? AND last_date IS NULL",
        &params![id.0, ImportStatus::Undoing.name()],
    )
    .await?;
    tx.execute(
        "UPDATE play_import SET status = ?, ended_at = ? WHERE id = ? AND status = ?",
        &params![
            ImportStatus::Undone.name(),
            now,
            id.0,
            ImportStatus::Undoing.name()
        ],
    )
    .await?;
    Ok(())
}

/// The columns of an import.
#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    name: String,
    status: String,
    ads: i64,
    first_date: Option<NaiveDate>,
    last_date: Option<NaiveDate>,
    play_count: i64,
    ad_view_count: i64,
    started_at: NaiveDateTime,
    ended_at: Option<NaiveDateTime>,
}

impl Row {
    fn into_import(self) -> StoreResult<PlayImport> {
        Ok(PlayImport {
            id: ImportId(self.id),
            status: ImportStatus::from_name(&self.status)?,
            name: self.name,
            ads: u32::try_from(self.ads).unwrap_or(u32::MAX),
            first_date: self.first_date,
            last_date: self.last_date,
            plays: u64::try_from(self.play_count).unwrap_or(0),
            ad_views: u64::try_from(self.ad_view_count).unwrap_or(0),
            started_at: self.started_at,
            ended_at: self.ended_at,
        })
    }
}

const COLUMNS: &str = "id, name, status, ads, first_date, last_date, play_count, ad_view_count, \
                       started_at, ended_at";

/// Returns the import with an id, if any.
pub(super) async fn find(tx: &mut Tx, id: ImportId) -> StoreResult<Option<PlayImport>> {
    let row: Option<Row> = tx
        .fetch_optional(
            AssertSqlSafe(format!("SELECT {COLUMNS} FROM play_import WHERE id = ?")),
            &params![id.0],
        )
        .await?;
    row.map(Row::into_import).transpose()
}

impl Store {
    /// Returns at most `limit` imports, newest first: all, or those before one.
    pub async fn imports(
        &self,
        before: Option<ImportId>,
        limit: u32,
    ) -> StoreResult<Vec<PlayImport>> {
        let mut tx = self.db.read().await?;
        let before = before.map_or(i64::MAX, |id| id.0);
        let rows: Vec<Row> = tx
            .fetch_all(
                AssertSqlSafe(format!(
                    "SELECT {COLUMNS} FROM play_import WHERE id < ? ORDER BY id DESC LIMIT ?"
                )),
                &params![before, limit],
            )
            .await?;
        rows.into_iter().map(Row::into_import).collect()
    }
}
