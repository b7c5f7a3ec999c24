//! Planning of partitions: id ranges of nearly equal work, from a bounded number of index lookups.

use crate::{
    Store, StoreResult,
    sql::{statement::params, tx::Tx},
};
use balance_batch::{
    job::Step,
    partition::{IdRange, MAX_PARTITIONS, Weight, split},
};
use chrono::NaiveDate;
use std::collections::BTreeMap;

/// The maximum number of rows of a day that are all counted. A larger day is sampled.
const MAX_COUNTED_ROWS: i64 = 20_000;
/// The number of rows sampled per partition. It estimates the load of a partition to a few percent.
const SAMPLE_PER_PARTITION: u64 = 256;
/// The minimum number of sampled rows.
const MIN_SAMPLE: u64 = 4_096;
/// The minimum and maximum number of sampled windows, which are spread evenly over the day.
const MIN_WINDOWS: u64 = 64;
const MAX_WINDOWS: u64 = 512;
/// The preferred length of a window in milliseconds. Many sources have a resolution of one second.
const WINDOW_MS: u64 = 1_000;
/// The estimate of the day's rows counts one part in this many.
const ESTIMATE_PART: u64 = 256;

impl Store {
    /// Plans at most `count` partitions of a step: id ranges of nearly equal work that cover all ids.
    pub async fn plan(&self, step: Step, date: NaiveDate, count: u32) -> StoreResult<Vec<IdRange>> {
        let count = count.clamp(1, MAX_PARTITIONS);
        let mut tx = self.db.read().await?;
        let ranges = match step {
            Step::CloseDay => return Ok(Vec::new()),
            Step::DayStatistics => {
                let weights = play_weights(&mut tx, date, count).await?;
                split(&weights, count)
            }
            Step::DayRevenue | Step::PeriodRollup => quantiles(&mut tx, date, count).await?,
        };
        // A day without input may still have rows of an abandoned execution to delete, or held videos.
        Ok(if ranges.is_empty() {
            vec![IdRange::ALL]
        } else {
            ranges
        })
    }
}

/// Returns the day's rows by video: counted for a small day, else estimated from a sample.
async fn play_weights(tx: &mut Tx, date: NaiveDate, count: u32) -> StoreResult<Vec<Weight>> {
    let beyond: Option<(i64,)> = tx
        .fetch_optional(
            "SELECT video_id FROM play_history WHERE date = ? ORDER BY video_id LIMIT 1 OFFSET ?",
            &params![date, MAX_COUNTED_ROWS],
        )
        .await?;
    if beyond.is_some() {
        return sample(tx, date, count).await;
    }
    let rows: Vec<(i64, i64)> = tx
        .fetch_all(
            "SELECT video_id, COUNT(*) FROM play_history WHERE date = ? \
         GROUP BY video_id ORDER BY video_id",
            &params![date],
        )
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, rows)| Weight {
            id,
            work: u64::try_from(rows).unwrap_or(1),
        })
        .collect())
}

/// Samples a day in windows of equal length, spread evenly over its time. Event ids sort by time, so
/// the sample is proportional to the plays of each video at any hour.
async fn sample(tx: &mut Tx, date: NaiveDate, count: u32) -> StoreResult<Vec<Weight>> {
    let (first_ms, last_ms) = span(tx, date).await?;
    let span_ms = last_ms.saturating_sub(first_ms).max(1);
    let wanted = (u64::from(count) * SAMPLE_PER_PARTITION).max(MIN_SAMPLE);
    let rows = estimate(tx, date, first_ms, span_ms).await?.max(1);
    let sampled_ms = mul_div(span_ms, wanted.min(rows), rows);
    let windows = (sampled_ms / WINDOW_MS).clamp(MIN_WINDOWS, MAX_WINDOWS);
    let window_ms = (sampled_ms / windows).max(1);
    // Bounds the memory if a window contains an unexpected peak.
    let limit = i64::try_from(wanted).unwrap_or(i64::MAX);
    let mut work: BTreeMap<i64, u64> = BTreeMap::new();
    for window in 0..windows {
        let from_ms = first_ms + mul_div(span_ms, window, windows);
        let rows: Vec<(i64,)> = tx
            .fetch_all(
                "SELECT video_id FROM play_history \
             WHERE date = ? AND event_id >= ? AND event_id < ? LIMIT ?",
                &params![
                    date,
                    event_floor(from_ms),
                    event_floor(from_ms + window_ms),
                    limit
                ],
            )
            .await?;
        for (id,) in rows {
            *work.entry(id).or_default() += 1;
        }
    }
    Ok(work
        .into_iter()
        .map(|(id, work)| Weight { id, work })
        .collect())
}

/// Returns the times of a day's first and last event, in milliseconds since 1970 (UTC).
async fn span(tx: &mut Tx, date: NaiveDate) -> StoreResult<(u64, u64)> {
    let time_ms = |event: Option<(Vec<u8>,)>| event.map_or(0, |(id,)| event_ms(&id));
    let first: Option<(Vec<u8>,)> = tx
        .fetch_optional(
            "SELECT event_id FROM play_history WHERE date = ? ORDER BY event_id LIMIT 1",
            &params![date],
        )
        .await?;
    let last: Option<(Vec<u8>,)> = tx
        .fetch_optional(
            "SELECT event_id FROM play_history WHERE date = ? ORDER BY event_id DESC LIMIT 1",
            &params![date],
        )
        .await?;
    Ok((time_ms(first), time_ms(last)))
}

/// Estimates the number of rows of a day from a small part of it.
async fn estimate(tx: &mut Tx, date: NaiveDate, first_ms: u64, span_ms: u64) -> StoreResult<u64> {
    let window_ms = (span_ms / MIN_WINDOWS / ESTIMATE_PART).max(1);
    let mut counted = 0;
    for window in 0..MIN_WINDOWS {
        let from_ms = first_ms + mul_div(span_ms, window, MIN_WINDOWS);
        let (rows,): (i64,) = tx
            .fetch_one(
                "SELECT COUNT(*) FROM play_history \
             WHERE date = ? AND event_id >= ? AND event_id < ?",
                &params![date, event_floor(from_ms), event_floor(from_ms + window_ms)],
            )
            .await?;
        counted += u64::try_from(rows).unwrap_or(0);
    }
    // The caller has checked that the day has more rows than this.
    let least = u64::try_from(MAX_COUNTED_ROWS).unwrap_or(0);
    Ok(mul_div(counted, span_ms, MIN_WINDOWS * window_ms).max(least))
}

/// Returns `value` × `numerator` / `denominator`. The product does not overflow.
fn mul_div(value: u64, numerator: u64, denominator: u64) -> u64 {
    let product = u128::from(value) * u128::from(numerator) / u128::from(denominator.max(1));
    u64::try_from(product).unwrap_or(u64::MAX)
}

/// Returns the milliseconds since 1970 that a UUIDv7 begins with.
fn event_ms(id: &[u8]) -> u64 {
    id.iter()
        .take(6)
        .fold(0, |ms, byte| (ms << 8) | u64::from(*byte))
}

/// Returns the least event id of a millisecond.
fn event_floor(ms: u64) -> Vec<u8> {
    let mut id = vec![0; 16];
    id[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
    id
}

/// Returns ranges with equal numbers of the day's settled videos, which are equal work.
async fn quantiles(tx: &mut Tx, date: NaiveDate, count: u32) -> StoreResult<Vec<IdRange>> {
    let (videos,): (i64,) = tx
        .fetch_one(
            "SELECT COUNT(*) FROM video_statistics WHERE date = ?",
            &params![date],
        )
        .await?;
    let count = i64::from(count).min(videos);
    let mut ranges = Vec::new();
    let mut after = IdRange::ALL.after;
    for cut in 1..count {
        let id: Option<(i64,)> = tx
            .fetch_optional(
                "SELECT video_id FROM video_statistics WHERE date = ? AND video_id > ? \
             ORDER BY video_id LIMIT 1 OFFSET ?",
                &params![
                    date,
                    after,
                    videos * cut / count - videos * (cut - 1) / count - 1
                ],
            )
            .await?;
        if let Some((upto,)) = id {
            ranges.push(IdRange { after, upto });
            after = upto;
        }
    }
    if count > 0 {
        ranges.push(IdRange {
            after,
            upto: IdRange::ALL.upto,
        });
    }
    Ok(ranges)
}
