//! What periods come to over all videos: summed once, when a day is settled, so that a report reads
//! one row.

use super::{
    db::{Tx, execute, fetch_one, fetch_optional},
    reports::{key, relation},
};
use crate::{
    domain::{
        money::Money,
        period::{Period, PeriodKind},
    },
    port::{
        error::{StoreError, StoreResult},
        reports::PeriodTotal,
    },
};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

/// The columns that are summed.
pub(super) const SUMMED: [&str; 6] = [
    "view_count",
    "total_play_time",
    "ad_view_count",
    "view_revenue",
    "ad_revenue",
    "total_revenue",
];

/// A row of sums.
#[derive(sqlx::FromRow)]
pub(super) struct TotalRow {
    pub(super) video_count: i64,
    pub(super) view_count: i64,
    pub(super) total_play_time: i64,
    pub(super) ad_view_count: i64,
    pub(super) view_revenue: i64,
    pub(super) ad_revenue: i64,
    pub(super) total_revenue: i64,
}

impl From<TotalRow> for PeriodTotal {
    fn from(row: TotalRow) -> Self {
        Self {
            video_count: row.video_count,
            view_count: row.view_count,
            total_play_time: row.total_play_time,
            ad_view_count: row.ad_view_count,
            view_revenue: Money::from_hundredths(row.view_revenue),
            ad_revenue: Money::from_hundredths(row.ad_revenue),
            total_revenue: Money::from_hundredths(row.total_revenue),
        }
    }
}

/// The sum of a column of `p`; one that does not fit is the largest number on a server.
pub(super) fn sum(column: &str) -> String {
    format!("CAST(COALESCE(SUM(p.{column}), 0) AS SIGNED) AS {column}")
}

/// Writes the totals of a settled day, and of its week and month so far, in place of those that are
/// there.
pub(super) async fn write(tx: &mut Tx, date: NaiveDate) -> StoreResult<()> {
    for kind in PeriodKind::ALL {
        let period = kind.containing(date);
        let total = of_all_videos(tx, period).await?;
        let (kind, from) = key(period);
        execute!(
            tx,
            "REPLACE INTO period_total (period, start_date, video_count, view_count, \
             total_play_time, ad_view_count, view_revenue, ad_revenue, total_revenue) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            kind,
            from,
            total.video_count,
            total.view_count,
            total.total_play_time,
            total.ad_view_count,
            total.view_revenue,
            total.ad_revenue,
            total.total_revenue
        )?;
    }
    Ok(())
}

async fn of_all_videos(tx: &mut Tx, period: Period) -> StoreResult<TotalRow> {
    let sums = SUMMED.map(sum).join(", ");
    let relation = relation(period.kind);
    let sql = format!("SELECT COUNT(*) AS video_count, {sums} FROM {relation}");
    let (kind, from) = key(period);
    match fetch_one!(tx, AssertSqlSafe(sql), kind, from) {
        // Beyond 64 bits in some column. A settled day must not fail on what is only shown.
        Err(StoreError::Data(_)) => one_by_one(tx, period).await,
        row => row,
    }
}

/// The same column by column, the largest number for those that do not fit.
async fn one_by_one(tx: &mut Tx, period: Period) -> StoreResult<TotalRow> {
    let relation = relation(period.kind);
    let (kind, from) = key(period);
    let mut sums = [0; SUMMED.len()];
    for (place, column) in sums.iter_mut().zip(SUMMED) {
        let sql = format!("SELECT {} FROM {relation}", sum(column));
        *place = match fetch_one!(tx, AssertSqlSafe(sql), kind, from) {
            Ok((sum,)) => sum,
            Err(StoreError::Data(_)) => i64::MAX,
            Err(error) => return Err(error),
        };
    }
    let sql = format!("SELECT COUNT(*) FROM {relation}");
    let (video_count,): (i64,) = fetch_one!(tx, AssertSqlSafe(sql), kind, from)?;
    let [
        view_count,
        total_play_time,
        ad_view_count,
        view_revenue,
        ad_revenue,
        total_revenue,
    ] = sums;
    Ok(TotalRow {
        video_count,
        view_count,
        total_play_time,
        ad_view_count,
        view_revenue,
        ad_revenue,
        total_revenue,
    })
}

/// A period's total, if a day of it was settled.
pub(super) async fn read(tx: &mut Tx, period: Period) -> StoreResult<Option<TotalRow>> {
    let (kind, from) = key(period);
    fetch_optional!(
        tx,
        "SELECT video_count, view_count, total_play_time, ad_view_count, view_revenue, \
         ad_revenue, total_revenue FROM period_total WHERE period = ? AND start_date = ?",
        kind,
        from
    )
}
