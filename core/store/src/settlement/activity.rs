//! The activity of a day: the input of the statistics step. A chunk reads it with a fixed number of
//! range scans, without a query per video.

use crate::{
    Store, StoreError, StoreResult,
    settlement::page::{Page, page_end},
    sql::{dialect::CLAMPED_SUM, statement::params, statuses, tx::Tx},
};
use balance_batch::{job::Step, partition::IdRange, status::BatchStatus};
use balance_domain::{
    settlement::{Activity, LifetimeCounts},
    videos::VideoId,
};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;
use std::collections::BTreeMap;

/// The plays of one video on a day: id, counted views, credited seconds (`None` if the sum exceeds 64
/// bits), and the least seconds of a play.
type Plays = (i64, i64, Option<i64>, i64);

impl Store {
    /// Returns the activity of a day of at most `limit` videos of a range with plays, and of the
    /// videos between them with ad views only.
    pub async fn activity(
        &self,
        date: NaiveDate,
        range: IdRange,
        limit: u32,
    ) -> StoreResult<Page<Activity>> {
        let mut tx = self.db.read().await?;
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
                    ..no_activity(id)
                };
                (id, item)
            })
            .collect();
        for (id, ads) in ad_views(&mut tx, date, page).await? {
            items
                .entry(id)
                .or_insert_with(|| no_activity(id))
                .ad_view_count = ads;
        }
        if !items.is_empty() {
            add_lifetimes(&mut tx, date, page, &mut items).await?;
        }
        Ok(Page {
            items: items.into_values().collect(),
            upto,
        })
    }
}

fn no_activity(id: i64) -> Activity {
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

/// Returns the plays of a day by video.
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
                *seconds = seconds.filter(|sum| *sum < CLAMPED_SUM);
            }
            Ok(plays)
        }
        // A sum that overflows fails the whole statement, so each video is summed separately.
        Err(StoreError::Data(_)) => plays_by_video(tx, date, range, limit).await,
        Err(error) => Err(error),
    }
}

/// Sums the seconds of each video in a separate statement. A sum that overflows becomes `None`.
async fn plays_by_video(
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

/// Adds the state before the day: registration, opening balance or last settled day, and holds.
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
    // The last settled day may be earlier than yesterday, because a video can be idle.
    // The list restricts the scan: the id range may contain many videos that were idle on the day.
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
    // A video with a skipped earlier day has a gap in its lifetime counts, so it stays held. Skips of
    // an abandoned execution do not count, because a later execution has settled that day.
    let abandoned = statuses::literal(BatchStatus::Abandoned);
    let held: Vec<(i64, NaiveDate)> = tx
        .fetch_all(
            AssertSqlSafe(format!(
                "SELECT r.video_id, MIN(r.date) FROM rejected_item r \
                 WHERE r.step_name = ? AND r.video_id > ? AND r.video_id <= ? AND r.date < ? \
                 AND NOT EXISTS (SELECT 1 FROM BATCH_JOB_EXECUTION e \
                 WHERE e.JOB_INSTANCE_ID = r.job_instance_id AND e.STATUS = {abandoned}) \
                 AND NOT EXISTS (SELECT 1 FROM video_statistics s \
                 WHERE s.video_id = r.video_id AND s.date = r.date) GROUP BY r.video_id"
            )),
            &params![Step::DayStatistics.name(), range.after, range.upto, date],
        )
        .await?;
    for (id, since) in held {
        if let Some(item) = items.get_mut(&id) {
            item.held_since = Some(since);
        }
    }
    Ok(())
}
