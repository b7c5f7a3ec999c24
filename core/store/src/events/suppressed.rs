//! Counts of suppressed plays.

use crate::{
    Store, StoreResult,
    events::StreamLayout,
    playback::SuppressedReason,
    sql::{retry::on_conflict, statement::params},
};
use balance_domain::videos::VideoId;
use chrono::NaiveDate;
use std::collections::{HashMap, HashSet};

/// The shard of counts of the layout by video, which kept a video on one shard. Migration 17 gave it
/// to all existing rows, and it is the default of the column, which older workers do not set.
const BY_VIDEO: i32 = -1;

/// The shard that counted suppressed plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SuppressedShard {
    pub layout: StreamLayout,
    /// 0 and up.
    pub number: u16,
}

impl SuppressedShard {
    /// The only shard of the embedded intake.
    pub(crate) const EMBEDDED: i32 = 0;

    /// Returns the stored value. With the layout by video it is the same for all shards, because only
    /// one of them counts a video.
    fn stored(self) -> i32 {
        match self.layout {
            StreamLayout::ByVideo => BY_VIDEO,
            StreamLayout::ByViewer => self.number.into(),
        }
    }
}

/// How often a shard suppressed plays of a video on a day for one reason. The count of the video is
/// the sum over the shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuppressedCount {
    pub shard: SuppressedShard,
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
        counts.sort_unstable_by_key(|one| (one.date, one.video_id.0, one.reason, one.shard));
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
    let kind = |one: &SuppressedCount| (one.date, one.reason.name(), one.shard.stored());
    let kinds: HashSet<(NaiveDate, &str, i32)> = counts.iter().map(kind).collect();
    let mut tx = store.db.read().await?;
    for (date, reason, shard) in kinds {
        let is_of_kind = |one: &SuppressedCount| kind(one) == (date, reason, shard);
        let videos = counts.iter().filter(|one| is_of_kind(one));
        let stored: Vec<(i64, i64)> = tx
            .fetch_in(
                "SELECT video_id, count FROM refusal_count WHERE video_id IN ",
                videos.map(|one| one.video_id.0),
                " AND date = ? AND reason = ? AND shard = ?",
                &params![date, reason, shard],
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
    let raise = tx.on_conflict_raise("date, video_id, reason, shard", "count");
    tx.insert_rows(
        "INSERT INTO refusal_count (date, video_id, reason, shard, count) ",
        counts,
        |one| {
            params![
                one.date,
                one.video_id.0,
                one.reason.name(),
                one.shard.stored(),
                one.count
            ]
        },
        raise.as_str(),
    )
    .await?;
    tx.commit().await
}
