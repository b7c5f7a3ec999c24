//! Planning partitions: id ranges of near-equal work, from a bounded number of index probes.

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

/// A day of at most so many rows is weighed whole; a larger one by sample.
const WHOLE: i64 = 20_000;
/// Rows sampled for each partition, and at least; a partition's load is then known to a few
/// percent.
const SAMPLE_PER_PARTITION: u64 = 256;
const MIN_SAMPLE: u64 = 4_096;
/// Windows that a day is sampled in, evenly over its time. A second long where possible: many
/// sources know whole seconds only.
const MIN_WINDOWS: u64 = 64;
const MAX_WINDOWS: u64 = 512;
const WINDOW_MS: u64 = 1_000;
/// The pilot that estimates the day's rows counts this part of it.
const PILOT_PART: u64 = 256;

pub(crate) async fn plan(
    store: &Store,
    step: Step,
    date: NaiveDate,
    count: u32,
) -> StoreResult<Vec<IdRange>> {
    let count = count.clamp(1, MAX_PARTITIONS);
    let mut tx = store.db.read().await?;
    let ranges = match step {
        Step::CloseDay => return Ok(Vec::new()),
        Step::DayStatistics => {
            let weights = play_weights(&mut tx, date, count).await?;
            split(&weights, count)
        }
        Step::DayRevenue | Step::PeriodRollup => quantiles(&mut tx, date, count).await?,
    };
    // Where nothing is to be done there may still be something to undo: the rows of an abandoned
    // run, or videos that are held.
    Ok(if ranges.is_empty() {
        vec![IdRange::ALL]
    } else {
        ranges
    })
}

/// The day's rows by video: exact for a small day, else estimated.
async fn play_weights(tx: &mut Tx, date: NaiveDate, count: u32) -> StoreResult<Vec<Weight>> {
    let beyond: Option<(i64,)> = tx
        .fetch_optional(
            "SELECT video_id FROM play_history WHERE date = ? ORDER BY video_id LIMIT 1 OFFSET ?",
            &params![date, WHOLE],
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

/// Samples a day. Event ids sort by time, so windows of one length, evenly over the day's time,
/// hold each video as often as it was watched, whatever the hour and however dense the rows.
async fn sample(tx: &mut Tx, date: NaiveDate, count: u32) -> StoreResult<Vec<Weight>> {
    let (first_ms, last_ms) = span(tx, date).await?;
    let span_ms = last_ms.saturating_sub(first_ms).max(1);
    let wanted = (u64::from(count) * SAMPLE_PER_PARTITION).max(MIN_SAMPLE);
    let rows = estimate(tx, date, first_ms, span_ms).await?.max(1);
    let sampled_ms = mul_div(span_ms, wanted.min(rows), rows);
    let windows = (sampled_ms / WINDOW_MS).clamp(MIN_WINDOWS, MAX_WINDOWS);
    let window_ms = (sampled_ms / windows).max(1);
    // An unforeseen peak must not fill the memory.
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

/// The times of a day's first and last event, in milliseconds since 1970.
async fn span(tx: &mut Tx, date: NaiveDate) -> StoreResult<(u64, u64)> {
    let middleware = |event: Option<(Vec<u8>,)>| event.map_or(0, |(id,)| event_ms(&id));
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
    Ok((middleware(first), middleware(last)))
}

/// About how many rows a day has, counted in a small part of it.
async fn estimate(tx: &mut Tx, date: NaiveDate, first_ms: u64, span_ms: u64) -> StoreResult<u64> {
    let window_ms = (span_ms / MIN_WINDOWS / PILOT_PART).max(1);
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
    // It has more than `WHOLE`, however unlucky the windows were.
    let least = u64::try_from(WHOLE).unwrap_or(0);
    Ok(mul_div(counted, span_ms, MIN_WINDOWS * window_ms).max(least))
}

/// `value` × `numerator` / `denominator` without overflow on the way.
fn mul_div(value: u64, numerator: u64, denominator: u64) -> u64 {
    let product = u128::from(value) * u128::from(numerator) / u128::from(denominator.max(1));
    u64::try_from(product).unwrap_or(u64::MAX)
}

/// The milliseconds since 1970 that a UUIDv7 begins with.
fn event_ms(id: &[u8]) -> u64 {
    id.iter()
        .take(6)
        .fold(0, |ms, byte| (ms << 8) | u64::from(*byte))
}

fn event_floor(ms: u64) -> Vec<u8> {
    let mut id = vec![0; 16];
    id[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
    id
}

/// Ranges with equal numbers of the day's settled videos: each is the same work.
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
