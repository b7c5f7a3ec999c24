//! The weeks and months of the active videos: the input of the rollup step.

use crate::{
    Store, StoreError, StoreResult,
    claims::PeriodRow,
    settlement::page::{Page, page_end},
    sql::{dialect::CLAMPED_SUM, statement::params, tx::Tx},
};
use balance_batch::partition::IdRange;
use balance_domain::{
    period::{Period, PeriodKind},
    videos::VideoId,
};
use chrono::NaiveDate;
use std::collections::HashMap;

/// The input of the rollup step for one video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoPeriods {
    pub video_id: i64,
    /// The week and the month, or `None` if a sum exceeds 64 bits.
    pub rows: Option<Vec<PeriodRow>>,
}

/// The sums of a video over a period: id, views, seconds, ad views, view revenue, ad revenue, total
/// revenue.
pub(crate) type Sums = (i64, i64, i64, i64, i64, i64, i64);

impl Store {
    /// Recomputes the week and the month of at most `limit` videos of a range that were active on a
    /// day.
    pub async fn periods(
        &self,
        date: NaiveDate,
        range: IdRange,
        limit: u32,
    ) -> StoreResult<Page<VideoPeriods>> {
        let mut tx = self.db.read().await?;
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
            // A sum that overflows fails the whole statement, so each video is summed separately.
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
}

/// Returns the rows of one video, or `None` if a sum overflows.
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

/// Sums the week and the month of each video of a range that was active on a day. Reads at most 31
/// adjacent rows per video and period.
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
        for sums in sums {
            let row = period_row(period, sums)?;
            rows.entry(row.video_id.0).or_default().push(row);
        }
    }
    Ok(rows)
}

/// Builds the row of a period. Fails if a sum exceeds 64 bits.
pub(crate) fn period_row(period: Period, sums: Sums) -> StoreResult<PeriodRow> {
    let (video_id, view_count, total_play_time, ad_view_count, view_revenue, ad_revenue, total) =
        sums;
    if [view_count, total_play_time, ad_view_count, total].contains(&CLAMPED_SUM) {
        return Err(StoreError::Data("a sum exceeds 64 bits".to_owned()));
    }
    Ok(PeriodRow {
        kind: period.kind,
        start_date: period.from,
        video_id: VideoId(video_id),
        view_count,
        total_play_time,
        ad_view_count,
        view_revenue,
        ad_revenue,
        total_revenue: total,
    })
}
