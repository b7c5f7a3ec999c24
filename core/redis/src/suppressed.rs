//! The suppressed counts of a shard's day, which the scripts of the intake write.

use crate::connection::Connection;
use ::redis::RedisError;
use balance_domain::videos::VideoId;
use balance_service::events::stream::SuppressedPage;
use balance_store::{
    events::{SuppressedCount, SuppressedShard},
    playback::SuppressedReason,
};
use chrono::NaiveDate;

/// A field of the hash, and its count.
type Field = (Vec<u8>, Vec<u8>);

/// Reads a page of about `limit` counts.
pub(crate) async fn page(
    connection: &mut Connection,
    key: &str,
    shard: SuppressedShard,
    date: NaiveDate,
    cursor: u64,
    limit: u32,
) -> Result<SuppressedPage, RedisError> {
    let (next, counts): (u64, Vec<Field>) = ::redis::cmd("HSCAN")
        .arg(key)
        .arg(cursor)
        .arg("COUNT")
        .arg(limit)
        .query_async(connection)
        .await?;
    Ok(SuppressedPage {
        counts: counts
            .iter()
            .filter_map(|(field, count)| suppressed_count(shard, date, field, count))
            .collect(),
        next: (next != 0).then_some(next),
    })
}

/// Parses a count of the scripts. Returns `None` for any other field.
fn suppressed_count(
    shard: SuppressedShard,
    date: NaiveDate,
    field: &[u8],
    count: &[u8],
) -> Option<SuppressedCount> {
    let (video, reason) = std::str::from_utf8(field).ok()?.split_once(':')?;
    let count = std::str::from_utf8(count).ok()?.parse().ok()?;
    (count > 0).then_some(SuppressedCount {
        shard,
        date,
        video_id: VideoId(video.parse().ok()?),
        reason: SuppressedReason::ALL
            .into_iter()
            .find(|one| one.name() == reason)?,
        count,
    })
}
