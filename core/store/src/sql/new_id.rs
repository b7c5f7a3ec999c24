//! Ids of new users, videos and ads.

use crate::{
    StoreError, StoreResult,
    sql::{statement::params, tx::Tx},
};
use balance_domain::{
    ids::{ASSIGNED_IDS, FIRST_ASSIGNED_ID},
    units::MICROS_PER_S,
};
use sqlx::AssertSqlSafe;

/// The kind of row that an id is allocated for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NewId {
    User,
    Video,
    Ad,
}

impl NewId {
    pub(crate) const fn table(self) -> &'static str {
        match self {
            Self::User => "users",
            Self::Video => "video",
            Self::Ad => "ad",
        }
    }

    /// Returns the columns that contain ids in use. The opening balance of a video may precede it.
    const fn in_use(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::User => &[("users", "id")],
            Self::Video => &[("video", "id"), ("opening_balance", "video_id")],
            Self::Ad => &[("ad", "id")],
        }
    }

    /// Returns the least id. Ads have no ids of other platforms.
    const fn first(self) -> i64 {
        match self {
            Self::User | Self::Video => FIRST_ASSIGNED_ID,
            Self::Ad => 1,
        }
    }
}

/// How often an id that is free in one table is searched for in the others.
const MAX_ROUNDS: u32 = 1_000;

/// Allocates an unused id. The counter's row stays locked until the commit, so that concurrent
/// transactions that create the same kind of row wait.
pub(crate) async fn next_id(tx: &mut Tx, of: NewId) -> StoreResult<i64> {
    let (name, first) = (of.table(), of.first());
    tx.execute(
        "UPDATE next_id SET id = CASE WHEN id < ? THEN ? ELSE id END + 1 WHERE name = ?",
        &params![first, first, name],
    )
    .await?;
    let (counter,): (i64,) = tx
        .fetch_one("SELECT id - 1 FROM next_id WHERE name = ?", &params![name])
        .await?;
    let id = first_free(tx, of, counter).await?;
    if !(1..=*ASSIGNED_IDS.end()).contains(&id) {
        return Err(no_id_left(name));
    }
    if id != counter {
        tx.execute(
            "UPDATE next_id SET id = ? WHERE name = ?",
            &params![id + 1, name],
        )
        .await?;
    }
    Ok(id)
}

/// The least distance by which a restore raises the sequences.
const RESTORE_STEP: i64 = 1_000_000;
/// The time for which a restore leaves one id. No platform assigns as many, so that ids from the time of a
/// restore on are above all earlier ones, also if the same backup is restored twice. The range of assigned
/// ids suffices for 319 years.
const MICROS_PER_ID: i64 = 10;
/// The begin of 2026 (UTC), in microseconds since 1970. No earlier version restores.
const EPOCH_MICROS: i64 = 1_767_225_600 * MICROS_PER_S;

/// Raises the counter of a kind above its own value, above a given id, and above all ids of the time
/// before `now_micros`. Returns the next id.
pub(crate) async fn raise(tx: &mut Tx, of: NewId, above: i64, now_micros: i64) -> StoreResult<i64> {
    let name = of.table();
    let elapsed_micros = now_micros.saturating_sub(EPOCH_MICROS).max(0);
    let of_time = of.first().saturating_add(elapsed_micros / MICROS_PER_ID);
    let of_ids = above.max(of.first()).saturating_add(RESTORE_STEP);
    let least = of_time.max(of_ids);
    tx.execute(
        "UPDATE next_id SET id = CASE WHEN id + ? < ? THEN ? ELSE id + ? END WHERE name = ?",
        &params![RESTORE_STEP, least, least, RESTORE_STEP, name],
    )
    .await?;
    let next = counter(tx, name).await?;
    if !(1..=*ASSIGNED_IDS.end()).contains(&next) {
        return Err(no_id_left(name));
    }
    Ok(next)
}

/// Returns the highest id that the counter of a kind has assigned; 0 if there is none.
pub(crate) async fn highest(tx: &mut Tx, of: NewId) -> StoreResult<i64> {
    let next = counter(tx, of.table()).await?;
    Ok(if next > of.first() { next - 1 } else { 0 })
}

async fn counter(tx: &mut Tx, name: &str) -> StoreResult<i64> {
    let (next,): (i64,) = tx
        .fetch_one("SELECT id FROM next_id WHERE name = ?", &params![name])
        .await?;
    Ok(next)
}

fn no_id_left(name: &str) -> StoreError {
    StoreError::Unusable(format!("no id is left in {name}"))
}

/// Returns the least id from one on that no row uses.
async fn first_free(tx: &mut Tx, of: NewId, from: i64) -> StoreResult<i64> {
    let mut id = from;
    for _ in 0..MAX_ROUNDS {
        let before = id;
        for (table, column) in of.in_use() {
            id = free_in(tx, table, column, id).await?;
        }
        if id == before {
            return Ok(id);
        }
    }
    Err(StoreError::Conflict(format!(
        "no free id was found in {}",
        of.table()
    )))
}

/// Returns the least id from one on that a table does not contain.
async fn free_in(tx: &mut Tx, table: &str, column: &str, id: i64) -> StoreResult<i64> {
    let found: Option<(i64,)> = tx
        .fetch_optional(
            AssertSqlSafe(format!("SELECT {column} FROM {table} WHERE {column} = ?")),
            &params![id],
        )
        .await?;
    if found.is_none() {
        return Ok(id);
    }
    let (last,): (i64,) = tx
        .fetch_one(
            AssertSqlSafe(format!(
                "SELECT t.{column} FROM {table} t WHERE t.{column} >= ? AND NOT EXISTS \
                 (SELECT 1 FROM {table} n WHERE n.{column} = t.{column} + 1) \
                 ORDER BY t.{column} LIMIT 1"
            )),
            &params![id],
        )
        .await?;
    Ok(last.saturating_add(1))
}
