//! The weeks and months that an abandoned run of a day has written.

use crate::{
    StoreError, StoreResult,
    claims::chunk_output::replace_periods,
    settlement::periods::{Sums, period_row},
    sql::{
        statement::{LIST_CHUNK, Query, params},
        tx::Tx,
    },
};
use balance_domain::period::{Period, PeriodKind};
use chrono::NaiveDate;
use std::collections::HashSet;

/// Removes the amounts of a day from the weeks and months of the videos that have statistics of that
/// day: the rows are recomputed from the other days, or deleted if there are none. The rollup step
/// adds the amounts of the new run. A video that the new run skips, or that has lost its activity,
/// keeps no amount of the abandoned one.
///
/// Only an abandoned run leaves statistics before the chunk that writes them, so most calls read one
/// empty range.
pub(super) async fn remove_day(
    tx: &mut Tx,
    date: NaiveDate,
    after: i64,
    upto: i64,
) -> StoreResult<()> {
    let mut after = after;
    loop {
        let videos: Vec<(i64,)> = tx
            .fetch_all(
                "SELECT video_id FROM video_statistics \
                 WHERE date = ? AND video_id > ? AND video_id <= ? ORDER BY video_id LIMIT ?",
                &params![date, after, upto, i64::try_from(LIST_CHUNK).unwrap_or(1)],
            )
            .await?;
        let Some((last,)) = videos.last() else {
            return Ok(());
        };
        after = *last;
        let videos: Vec<i64> = videos.into_iter().map(|(id,)| id).collect();
        for kind in [PeriodKind::Week, PeriodKind::Month] {
            recompute(tx, kind.containing(date), date, &videos).await?;
        }
    }
}

/// Recomputes the existing rows of a period without a day.
async fn recompute(
    tx: &mut Tx,
    period: Period,
    date: NaiveDate,
    videos: &[i64],
) -> StoreResult<()> {
    let existing: Vec<(i64,)> = tx
        .fetch_in(
            "SELECT video_id FROM period_rollup WHERE video_id IN ",
            videos.iter().copied(),
            " AND period = ? AND start_date = ?",
            &params![period.kind.name(), period.from],
        )
        .await?;
    let existing: Vec<i64> = existing.into_iter().map(|(id,)| id).collect();
    if existing.is_empty() {
        return Ok(());
    }
    match replace(tx, period, date, &existing).await {
        // A sum that overflows fails the whole statement, so each video is summed separately.
        Err(StoreError::Data(_)) => {}
        result => return result,
    }
    for video in existing {
        match replace(tx, period, date, &[video]).await {
            // The rollup step of an earlier day has skipped the video: its row stays as it was then.
            Ok(()) | Err(StoreError::Data(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Replaces the rows of a period by the sums of the other days. Writes nothing if a sum overflows.
async fn replace(tx: &mut Tx, period: Period, date: NaiveDate, videos: &[i64]) -> StoreResult<()> {
    let sums: Vec<Sums> = tx
        .fetch_in(
            "SELECT s.video_id, CAST(SUM(s.view_count) AS SIGNED), \
             CAST(SUM(s.total_play_time) AS SIGNED), CAST(SUM(s.ad_view_count) AS SIGNED), \
             CAST(SUM(COALESCE(r.view_revenue, 0)) AS SIGNED), \
             CAST(SUM(COALESCE(r.ad_revenue, 0)) AS SIGNED), \
             CAST(SUM(COALESCE(r.total_revenue, 0)) AS SIGNED) \
             FROM video_statistics s \
             LEFT JOIN video_revenue r ON r.video_id = s.video_id AND r.date = s.date \
             WHERE s.video_id IN ",
            videos.iter().copied(),
            " AND s.date BETWEEN ? AND ? AND s.date <> ? GROUP BY s.video_id",
            &params![period.from, period.to, date],
        )
        .await?;
    let rows = sums
        .into_iter()
        .map(|sums| period_row(period, sums))
        .collect::<StoreResult<Vec<_>>>()?;
    let kept: HashSet<i64> = rows.iter().map(|row| row.video_id.0).collect();
    let mut others = videos.iter().copied().filter(|id| !kept.contains(id));
    if let Some(first) = others.next() {
        let mut delete = Query::new("DELETE FROM period_rollup WHERE period = ");
        delete
            .bind(period.kind.name())
            .push(" AND start_date = ")
            .bind(period.from)
            .push(" AND video_id IN ")
            .bind_list(std::iter::once(first).chain(others));
        tx.execute_query(delete).await?;
    }
    replace_periods(tx, &rows).await
}
