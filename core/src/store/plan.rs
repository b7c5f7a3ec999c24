//! Planning partitions: id ranges of near-equal work, from a bounded number of index probes.

use super::{
    SqlStore,
    db::{Tx, fetch_all, fetch_one, fetch_optional},
};
use crate::{
    batch::{
        job::Step,
        partition::{IdRange, MAX_PARTITIONS, Weight, split},
    },
    port::error::StoreResult,
};
use chrono::NaiveDate;
use std::collections::BTreeMap;

/// A day of at most so many rows is weighed whole; a larger one by sample.
const WHOLE: u32 = 50_000;
/// Where a day is sampled, evenly over its time.
const PROBES: u64 = 1_024;
/// Neighbouring rows read at each probe.
const ROWS_PER_PROBE: u32 = 16;

pub(super) async fn plan(
    store: &SqlStore,
    step: Step,
    date: NaiveDate,
    count: u32,
) -> StoreResult<Vec<IdRange>> {
    let count = count.clamp(1, MAX_PARTITIONS);
    let mut tx = store.db.read().await?;
    match step {
        Step::CloseDay => Ok(Vec::new()),
        Step::DayStatistics => {
            let weights = play_weights(&mut tx, date).await?;
            Ok(split(&weights, count))
        }
        Step::DayRevenue | Step::PeriodRollup => quantiles(&mut tx, date, count).await,
    }
}

/// The day's rows by video: exact for a small day, else estimated.
async fn play_weights(tx: &mut Tx, date: NaiveDate) -> StoreResult<Vec<Weight>> {
    let ids: Vec<(i64,)> = fetch_all!(
        tx,
        "SELECT video_id FROM play_history WHERE date = ? ORDER BY video_id LIMIT ?",
        date,
        WHOLE + 1
    )?;
    let mut work: BTreeMap<i64, u64> = BTreeMap::new();
    if u32::try_from(ids.len()).is_ok_and(|rows| rows <= WHOLE) {
        for (id,) in ids {
            *work.entry(id).or_default() += 1;
        }
    } else {
        drop(ids);
        sample(tx, date, &mut work).await?;
    }
    Ok(work
        .into_iter()
        .map(|(id, work)| Weight { id, work })
        .collect())
}

/// Samples a day. Event ids sort by time, so probes evenly over the day's time find a video as
/// often as it was watched, but for the hour: where the rows lie dense, a probe stands for more of
/// them. The density at a probe is known from the time that its rows span.
async fn sample(tx: &mut Tx, date: NaiveDate, work: &mut BTreeMap<i64, u64>) -> StoreResult<()> {
    let edge = |event: Option<(Vec<u8>,)>| event.map_or(0, |(id,)| event_ms(&id));
    let first: Option<(Vec<u8>,)> = fetch_optional!(
        tx,
        "SELECT event_id FROM play_history WHERE date = ? ORDER BY event_id LIMIT 1",
        date
    )?;
    let last: Option<(Vec<u8>,)> = fetch_optional!(
        tx,
        "SELECT event_id FROM play_history WHERE date = ? ORDER BY event_id DESC LIMIT 1",
        date
    )?;
    let (first, last) = (edge(first), edge(last));
    let distance = (last.saturating_sub(first) / PROBES).max(1);
    for probe in 0..PROBES {
        let from = first.saturating_add(distance.saturating_mul(probe));
        let rows: Vec<(Vec<u8>, i64)> = fetch_all!(
            tx,
            "SELECT event_id, video_id FROM play_history WHERE date = ? AND event_id >= ? \
             ORDER BY event_id LIMIT ?",
            date,
            event_floor(from),
            ROWS_PER_PROBE
        )?;
        let Some((until, _)) = rows.last() else {
            break;
        };
        let span = event_ms(until).saturating_sub(from).max(1);
        // Rows of this stretch of the day, shared out over the rows seen, in thousandths.
        let share = (distance.saturating_mul(1_000) / span).max(1);
        for (_, id) in rows {
            *work.entry(id).or_default() += share;
        }
    }
    Ok(())
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
    let (videos,): (i64,) = fetch_one!(
        tx,
        "SELECT COUNT(*) FROM video_statistics WHERE date = ?",
        date
    )?;
    let count = i64::from(count).min(videos);
    let mut ranges = Vec::new();
    let mut after = IdRange::ALL.after;
    for cut in 1..count {
        let id: Option<(i64,)> = fetch_optional!(
            tx,
            "SELECT video_id FROM video_statistics WHERE date = ? AND video_id > ? \
             ORDER BY video_id LIMIT 1 OFFSET ?",
            date,
            after,
            videos * cut / count - videos * (cut - 1) / count - 1
        )?;
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
