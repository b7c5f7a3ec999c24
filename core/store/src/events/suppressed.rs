//! Counts of suppressed plays.

use crate::{
    Store, StoreResult,
    playback::SuppressedReason,
    sql::{retry::on_conflict, statement::params},
};
use balance_domain::videos::VideoId;
use chrono::NaiveDate;
use std::collections::{HashMap, HashSet};

/// How often plays of a video were suppressed on a day for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuppressedCount {
    pub date: NaiveDate,
    pub video_id: VideoId,
    pub reason: SuppressedReason,
    /// Plays, or seconds for [`SuppressedReason::Capped`], 1 and up.
    pub count: i64,
}

impl Store {
    /// Stores counts of suppressed plays in one transaction. Stored counts only grow, so repeated and
    /// older counts have no effect.
    pub async fn save_suppressed(&self, counts: &[SuppressedCount]) -> StoreResult<()> {
        let mut counts = counts.to_vec();
        // One order for all workers avoids deadlocks between those that store the same counts.
        counts.sort_unstable_by_key(|one| (one.date, one.video_id.0, one.reason));
        // Most counts are stored already, by this or another worker, and a read is cheaper than a write.
        drop_stored(self, &mut counts).await?;
        if counts.is_empty() {
            return Ok(());
        }
        on_conflict(|| write_suppressed(self, &counts)).await
    }
}

/// Removes the counts whose stored values are equal or higher.
async fn drop_stored(store: &Store, counts: &mut Vec<SuppressedCount>) -> StoreResult<()> {
    let kinds: HashSet<(NaiveDate, &str)> = counts
        .iter()
        .map(|one| (one.date, one.reason.name()))
        .collect();
    let mut tx = store.db.read().await?;
    for (date, reason) in kinds {
        let is_of_kind = |one: &SuppressedCount| one.date == date && one.reason.name() == reason;
        let videos = counts.iter().filter(|one| is_of_kind(one));
        let stored: Vec<(i64, i64)> = tx
            .fetch_in(
                "SELECT video_id, count FROM refusal_count WHERE video_id IN ",
                videos.map(|one| one.video_id.0),
                " AND date = ? AND reason = ?",
                &params![date, reason],
            )
            .await?;
        let stored: HashMap<i64, i64> = stored.into_iter().collect();
        counts.retain(|one| {
            let stored = stored.get(&one.video_id.0).filter(|_| is_of_kind(one));
            stored.is_none_or(|stored| *stored < one.count)
        });
    }
    Ok(())
}

async fn write_suppressed(store: &Store, counts: &[SuppressedCount]) -> StoreResult<()> {
    let mut tx = store.db.write().await?;
    let raise = tx.on_conflict_raise("date, video_id, reason", "count");
    tx.insert_rows(
        "INSERT INTO refusal_count (date, video_id, reason, count) ",
        counts,
        |one| params![one.date, one.video_id.0, one.reason.name(), one.count],
        raise.as_str(),
    )
    .await?;
    tx.commit().await
}
