//! The record of an import: its row in `play_import`.
//!
//! On a server an import is recorded as running before its transaction begins, and the transaction
//! keeps the row locked until its end. It does not lock `closed_through`: the row alone keeps its days
//! open, and its lock shows that its process is alive. On SQLite the transaction has the file to itself.

use crate::{
    Store, StoreError, StoreResult,
    import::{
        ImportId, ImportRules, ImportStatus, MAX_IMPORT_NAME, PlayCounts, PlayImport,
        PlayImportError,
        unfinished::{remove_dead, unfinished},
    },
    operations::{Actor, AuditAction, audit},
    settlement::days::closed_through,
    sql::{statement::params, tx::Tx},
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

/// The transaction of an import that has begun.
pub(super) struct Begun {
    pub(super) tx: Tx,
    pub(super) id: ImportId,
    pub(super) closed: Option<NaiveDate>,
}

/// Begins an import.
pub(super) async fn begin(store: &Store, new: &NewImport<'_>) -> Result<Begun, PlayImportError> {
    for _ in 0..MAX_BEGINS {
        let mut tx = store.db.write().await?;
        let lock = tx.for_share();
        let closed = closed_through(&mut tx, lock).await?;
        let id = next_import(&mut tx).await?;
        match unfinished(&mut tx).await? {
            None => {}
            Some((id, ImportStatus::Undoing)) => return Err(PlayImportError::Undoing(id)),
            Some((id, _)) => return Err(PlayImportError::Running(id)),
        }
        insert(&mut tx, id, new).await?;
        if matches!(tx, Tx::Sqlite(..)) {
            return Ok(Begun { tx, id, closed });
        }
        tx.commit().await?;
        let mut tx = store.db.write().await?;
        let lock = tx.for_update();
        let row: Option<(i64,)> = tx
            .fetch_optional(
                AssertSqlSafe(format!("SELECT id FROM play_import WHERE id = ?{lock}")),
                &params![id.0],
            )
            .await?;
        // Another process takes an import for dead if it sees the row before it is locked.
        if row.is_some() {
            return Ok(Begun { tx, id, closed });
        }
    }
    Err(StoreError::Conflict("other processes removed the import".to_owned()).into())
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

/// Records the completion in the transaction of the import.
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

/// Changes the status of an import.
pub(super) async fn set_status(tx: &mut Tx, id: ImportId, status: ImportStatus) -> StoreResult<()> {
    tx.execute(
        "UPDATE play_import SET status = ? WHERE id = ?",
        &params![status.name(), id.0],
    )
    .await?;
    Ok(())
}

/// Removes the record of an import that failed. Its transaction has ended.
pub(super) async fn forget(store: &Store, id: ImportId) -> StoreResult<()> {
    let mut tx = store.db.write().await?;
    if remove_dead(&mut tx, id).await? {
        tx.commit().await?;
    }
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
