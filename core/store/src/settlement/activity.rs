//! What the steps read: a fixed number of range scans for each chunk, no query for a video.

use crate::{
    Store, StoreError, StoreResult,
    claims::PeriodRow,
    settlement::{Page, RevenueItem, VideoPeriods},
    sql::{statement::params, tx::Tx},
};
use balance_batch::{execution::JobInstanceId, job::Step, partition::IdRange};
use balance_domain::{
    period::PeriodKind,
    settlement::{Activity, LifetimeCounts, VideoStatistics},
    videos::VideoId,
};
use chrono::NaiveDate;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Where a page ends: at its last id where it is full, else at the range's end.
fn page_end(range: IdRange, limit: u32, last: Option<i64>, length: usize) -> i64 {
    let is_full = u32::try_from(length).is_ok_and(|length| length >= limit);
    match last {
        Some(last) if is_full => last,
        _ => range.upto,
    }
}

/// Where a sum does not fit into 64 bits SQLite fails, and MySQL answers the largest number.
const CLAMPED: i64 = i64::MAX;

/// A day of plays of one video: id, counted, seconds (nothing where they overflow), the least.
type Plays = (i64, i64, Option<i64>, i64);

pub(crate) async fn activity(
    store: &Store,
    date: NaiveDate,
    range: IdRange,
    limit: u32,
) -> StoreResult<Page<Activity>> {
    let mut tx = store.db.read().await?;
    let plays = plays(&mut tx, date, range, limit).await?;
    let upto = page_end(range, limit, plays.last().map(|row| row.0), plays.len());
    let page = IdRange {
        after: range.after,
        upto,
    };
    let mut items: BTreeMap<i64, Activity> = plays
        .into_iter()
        .map(|(id, view_count, total_play_time, min_play_time)| {
            let item = Activity {
                view_count,
                total_play_time,
                min_play_time,
                ..nothing(id)
            };
            (id, item)
        })
        .collect();
    for (id, ads) in ad_views(&mut tx, date, page).await? {
        items.entry(id).or_insert_with(|| nothing(id)).ad_view_count = ads;
    }
    if !items.is_empty() {
        add_lifetimes(&mut tx, date, page, &mut items).await?;
    }
    Ok(Page {
        items: items.into_values().collect(),
        upto,
    })
}

fn nothing(id: i64) -> Activity {
    Activity {
        video_id: VideoId(id),
        view_count: 0,
        total_play_time: Some(0),
        min_play_time: 0,
        ad_view_count: 0,
        is_registered: false,
        before: LifetimeCounts::default(),
        held_since: None,
    }
}

async fn plays(
    tx: &mut Tx,
    date: NaiveDate,
    range: IdRange,
    limit: u32,
) -> StoreResult<Vec<Plays>> {
    let plays: StoreResult<Vec<Plays>> = tx
        .fetch_all(
            "SELECT video_id, CAST(SUM(counted) AS SIGNED), CAST(SUM(play_time) AS SIGNED), \
         MIN(play_time) FROM play_history \
         WHERE date = ? AND video_id > ? AND video_id <= ? \
         GROUP BY video_id ORDER BY video_id LIMIT ?",
            &params![date, range.after, range.upto, limit],
        )
        .await;
    match plays {
        Ok(mut plays) => {
            for (_, _, seconds, _) in &mut plays {
                *seconds = seconds.filter(|sum| *sum < CLAMPED);
            }
            Ok(plays)
        }
        // One video's sum overflows and takes the whole statement with it: find out whose.
        Err(StoreError::Data(_)) => plays_one_by_one(tx, date, range, limit).await,
        Err(error) => Err(error),
    }
}

async fn plays_one_by_one(
    tx: &mut Tx,
    date: NaiveDate,
    range: IdRange,
    limit: u32,
) -> StoreResult<Vec<Plays>> {
    let rows: Vec<(i64, i64, i64)> = tx
        .fetch_all(
            "SELECT video_id, CAST(SUM(counted) AS SIGNED), MIN(play_time) FROM play_history \
         WHERE date = ? AND video_id > ? AND video_id <= ? \
         GROUP BY video_id ORDER BY video_id LIMIT ?",
            &params![date, range.after, range.upto, limit],
        )
        .await?;
    let mut plays = Vec::with_capacity(rows.len());
    for (id, counted, least) in rows {
        let sum: StoreResult<(i64,)> = tx
            .fetch_one(
                "SELECT CAST(SUM(play_time) AS SIGNED) FROM play_history \
             WHERE date = ? AND video_id = ?",
                &params![date, id],
            )
            .await;
        let seconds = match sum {
            Ok((seconds,)) => Some(seconds),
            Err(StoreError::Data(_)) => None,
            Err(error) => return Err(error),
        };
        plays.push((id, counted, seconds, least));
    }
    Ok(plays)
}

async fn ad_views(tx: &mut Tx, date: NaiveDate, range: IdRange) -> StoreResult<Vec<(i64, i64)>> {
    tx.fetch_all(
        "SELECT video_id, COUNT(*) FROM ad_history \
         WHERE date = ? AND video_id > ? AND video_id <= ? GROUP BY video_id",
        &params![date, range.after, range.upto],
    )
    .await
}

/// Adds what came before the day: registration, opening balance, the last settled row, holds.
async fn add_lifetimes(
    tx: &mut Tx,
    date: NaiveDate,
    range: IdRange,
    items: &mut BTreeMap<i64, Activity>,
) -> StoreResult<()> {
    let registered: Vec<(i64, Option<i64>, Option<i64>)> = tx
        .fetch_in(
            "SELECT v.id, b.view_count, b.ad_view_count FROM video v \
         LEFT JOIN opening_balance b ON b.video_id = v.id WHERE v.id IN ",
            items.keys().copied(),
            "",
            &[],
        )
        .await?;
    for (id, views, ad_views) in registered {
        if let Some(item) = items.get_mut(&id) {
            item.is_registered = true;
            item.before = LifetimeCounts {
                views: views.unwrap_or(0),
                ad_views: ad_views.unwrap_or(0),
            };
        }
    }
    // 'The day before' alone is wrong where a video was idle.
    // Of these videos only: the page may span many that were idle today.
    let settled: Vec<(i64, i64, i64)> = tx
        .fetch_in(
            "SELECT s.video_id, s.cumulative_view_count, s.cumulative_ad_view_count \
         FROM (SELECT video_id, MAX(date) AS date FROM video_statistics WHERE video_id IN ",
            items.keys().copied(),
            " AND date < ? GROUP BY video_id) AS last \
         JOIN video_statistics s ON s.video_id = last.video_id AND s.date = last.date",
            &params![date],
        )
        .await?;
    for (id, views, ad_views) in settled {
        if let Some(item) = items.get_mut(&id) {
            item.before = LifetimeCounts { views, ad_views };
        }
    }
    // A video whose earlier day was skipped has a gap in its chain: it stays held. What an
    // abandoned run skipped does not count: another run has settled that day since.
    let owned: Vec<(i64, NaiveDate)> = tx
        .fetch_all(
            "SELECT r.video_id, MIN(r.date) FROM rejected_item r \
         WHERE r.step_name = ? AND r.video_id > ? AND r.video_id <= ? AND r.date < ? \
         AND NOT EXISTS (SELECT 1 FROM BATCH_JOB_EXECUTION e \
         WHERE e.JOB_INSTANCE_ID = r.job_instance_id AND e.STATUS = 'ABANDONED') \
         AND NOT EXISTS (SELECT 1 FROM video_statistics s \
         WHERE s.video_id = r.video_id AND s.date = r.date) GROUP BY r.video_id",
            &params![Step::DayStatistics.name(), range.after, range.upto, date],
        )
        .await?;
    for (id, since) in owned {
        if let Some(item) = items.get_mut(&id) {
            item.held_since = Some(since);
        }
    }
    Ok(())
}

pub(crate) async fn revenue_items(
    store: &Store,
    instance: JobInstanceId,
    date: NaiveDate,
    range: IdRange,
    limit: u32,
) -> StoreResult<Page<RevenueItem>> {
    let mut tx = store.db.read().await?;
    let rows: Vec<(i64, i64, i64, i64, i64, i64)> = tx
        .fetch_all(
            "SELECT video_id, view_count, total_play_time, ad_view_count, cumulative_view_count, \
         cumulative_ad_view_count FROM video_statistics \
         WHERE date = ? AND video_id > ? AND video_id <= ? ORDER BY video_id LIMIT ?",
            &params![date, range.after, range.upto, limit],
        )
        .await?;
    let upto = page_end(range, limit, rows.last().map(|row| row.0), rows.len());
    let owned: Vec<(i64,)> = tx
        .fetch_all(
            "SELECT video_id FROM rejected_item WHERE job_instance_id = ? AND step_name = ? \
         AND video_id > ? AND video_id <= ?",
            &params![instance.0, Step::DayStatistics.name(), range.after, upto],
        )
        .await?;
    let settled: HashSet<i64> = rows.iter().map(|row| row.0).collect();
    let mut items: BTreeMap<i64, RevenueItem> = owned
        .into_iter()
        .filter(|(id,)| !settled.contains(id))
        .map(|(video_id,)| (video_id, RevenueItem::Held { video_id }))
        .collect();
    for (id, view_count, total_play_time, ad_view_count, views, ad_views) in rows {
        let statistics = VideoStatistics {
            video_id: VideoId(id),
            view_count,
            total_play_time,
            ad_view_count,
            cumulative: LifetimeCounts { views, ad_views },
        };
        items.insert(id, RevenueItem::Settled(statistics));
    }
    Ok(Page {
        items: items.into_values().collect(),
        upto,
    })
}

/// A video's sums over a period: id, views, seconds, ad views, view pay, ad pay, all pay.
type Sums = (i64, i64, i64, i64, i64, i64, i64);

pub(crate) async fn periods(
    store: &Store,
    date: NaiveDate,
    range: IdRange,
    limit: u32,
) -> StoreResult<Page<VideoPeriods>> {
    let mut tx = store.db.read().await?;
    let active: Vec<(i64,)> = tx
        .fetch_all(
            "SELECT video_id FROM video_statistics \
         WHERE date = ? AND video_id > ? AND video_id <= ? ORDER BY video_id LIMIT ?",
            &params![date, range.after, range.upto, limit],
        )
        .await?;
    let upto = page_end(range, limit, active.last().map(|row| row.0), active.len());
    let page = IdRange {
        after: range.after,
        upto,
    };
    let mut rows = match period_rows(&mut tx, date, page).await {
        Ok(rows) => Some(rows),
        // One video's sum overflows and takes the whole statement with it.
        Err(StoreError::Data(_)) => None,
        Err(error) => return Err(error),
    };
    let mut items = Vec::with_capacity(active.len());
    for (video_id,) in active {
        let rows = match &mut rows {
            Some(rows) => rows.remove(&video_id),
            None => one_video(&mut tx, date, video_id).await?,
        };
        items.push(VideoPeriods { video_id, rows });
    }
    Ok(Page { items, upto })
}

/// One video's rows; nothing where a sum overflows.
async fn one_video(
    tx: &mut Tx,
    date: NaiveDate,
    video_id: i64,
) -> StoreResult<Option<Vec<PeriodRow>>> {
    let page = IdRange {
        after: video_id - 1,
        upto: video_id,
    };
    match period_rows(tx, date, page).await {
        Ok(mut rows) => Ok(rows.remove(&video_id)),
        Err(StoreError::Data(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Week and month of the videos of a range that were active on a day: at most 31 neighbouring rows
/// for each video and period.
async fn period_rows(
    tx: &mut Tx,
    date: NaiveDate,
    page: IdRange,
) -> StoreResult<HashMap<i64, Vec<PeriodRow>>> {
    let mut rows: HashMap<i64, Vec<PeriodRow>> = HashMap::new();
    for kind in [PeriodKind::Week, PeriodKind::Month] {
        let period = kind.containing(date);
        let sums: Vec<Sums> = tx
            .fetch_all(
                "SELECT s.video_id, CAST(SUM(s.view_count) AS SIGNED), \
             CAST(SUM(s.total_play_time) AS SIGNED), CAST(SUM(s.ad_view_count) AS SIGNED), \
             CAST(SUM(COALESCE(r.view_revenue, 0)) AS SIGNED), \
             CAST(SUM(COALESCE(r.ad_revenue, 0)) AS SIGNED), \
             CAST(SUM(COALESCE(r.total_revenue, 0)) AS SIGNED) \
             FROM video_statistics today \
             JOIN video_statistics s ON s.video_id = today.video_id AND s.date BETWEEN ? AND ? \
             LEFT JOIN video_revenue r ON r.video_id = s.video_id AND r.date = s.date \
             WHERE today.date = ? AND today.video_id > ? AND today.video_id <= ? \
             GROUP BY s.video_id",
                &params![period.from, period.to, date, page.after, page.upto],
            )
            .await?;
        for (id, view_count, total_play_time, ad_view_count, view, ad, total) in sums {
            if [view_count, total_play_time, ad_view_count, total].contains(&CLAMPED) {
                return Err(StoreError::Data("a sum does not fit".to_owned()));
            }
            rows.entry(id).or_default().push(PeriodRow {
                kind,
                start_date: period.from,
                video_id: VideoId(id),
                view_count,
                total_play_time,
                ad_view_count,
                view_revenue: view,
                ad_revenue: ad,
                total_revenue: total,
            });
        }
    }
    Ok(rows)
}
