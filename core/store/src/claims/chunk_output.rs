//! The rows that a chunk writes.

use crate::{
    StoreResult,
    sql::{statement::params, tx::Tx},
};
use balance_batch::chunk::Claim;
use balance_domain::{
    period::PeriodKind,
    settlement::{VideoRevenue, VideoStatistics},
    videos::VideoId,
};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

/// The sums of one video in a week or month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeriodRow {
    pub kind: PeriodKind,
    /// The first day of the period.
    pub start_date: NaiveDate,
    pub video_id: VideoId,
    pub view_count: i64,
    /// Credited seconds.
    pub total_play_time: i64,
    pub ad_view_count: i64,
    /// In hundredths of a won.
    pub view_revenue: i64,
    /// In hundredths of a won.
    pub ad_revenue: i64,
    /// The sum of both revenues, in hundredths of a won.
    pub total_revenue: i64,
}

/// The rows that a chunk writes. Statistics and revenue replace all rows of the chunk's id range and
/// day; weeks and months replace the rows of the same videos. So a repeated write has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChunkOutput {
    Statistics(Vec<VideoStatistics>),
    Revenue(Vec<VideoRevenue>),
    Rollup(Vec<PeriodRow>),
}

impl ChunkOutput {
    /// Returns the video of the first row.
    #[must_use]
    pub fn first_video(&self) -> Option<VideoId> {
        match self {
            Self::Statistics(rows) => rows.first().map(|row| row.video_id),
            Self::Revenue(rows) => rows.first().map(|row| row.video_id),
            Self::Rollup(rows) => rows.first().map(|row| row.video_id),
        }
    }

    /// Returns an output of the same step without rows.
    #[must_use]
    pub const fn without_rows(&self) -> Self {
        match self {
            Self::Statistics(_) => Self::Statistics(Vec::new()),
            Self::Revenue(_) => Self::Revenue(Vec::new()),
            Self::Rollup(_) => Self::Rollup(Vec::new()),
        }
    }
}

/// Replaces the rows of the chunk's ids (`after`, `upto`].
pub(super) async fn write_output(
    tx: &mut Tx,
    claim: &Claim,
    after: i64,
    upto: i64,
    output: &ChunkOutput,
) -> StoreResult<()> {
    // Also deletes the rows of an abandoned execution that this one does not replace.
    let clear = |table: &str| {
        AssertSqlSafe(format!(
            "DELETE FROM {table} WHERE date = ? AND video_id > ? AND video_id <= ?"
        ))
    };
    match output {
        ChunkOutput::Statistics(rows) => {
            tx.execute(clear("video_statistics"), &params![claim.date, after, upto])
                .await?;
            insert_statistics(tx, claim, rows).await
        }
        ChunkOutput::Revenue(rows) => {
            tx.execute(clear("video_revenue"), &params![claim.date, after, upto])
                .await?;
            insert_revenue(tx, claim, rows).await
        }
        ChunkOutput::Rollup(rows) => replace_periods(tx, rows).await,
    }
}

async fn insert_statistics(
    tx: &mut Tx,
    claim: &Claim,
    rows: &[VideoStatistics],
) -> StoreResult<()> {
    tx.insert_rows(
        "INSERT INTO video_statistics (video_id, date, view_count, total_play_time, \
         ad_view_count, cumulative_view_count, cumulative_ad_view_count) ",
        rows,
        |video| {
            params![
                video.video_id.0,
                claim.date,
                video.view_count,
                video.total_play_time,
                video.ad_view_count,
                video.cumulative.views,
                video.cumulative.ad_views
            ]
        },
        "",
    )
    .await?;
    Ok(())
}

async fn insert_revenue(tx: &mut Tx, claim: &Claim, rows: &[VideoRevenue]) -> StoreResult<()> {
    tx.insert_rows(
        "INSERT INTO video_revenue \
         (video_id, date, view_revenue, ad_revenue, total_revenue) ",
        rows,
        |video| {
            params![
                video.video_id.0,
                claim.date,
                video.view_revenue.hundredths(),
                video.ad_revenue.hundredths(),
                video.total_revenue.hundredths()
            ]
        },
        "",
    )
    .await?;
    Ok(())
}

/// Replaces the rows of the chunk's videos. Rows of other videos in the same week or month stay.
pub(super) async fn replace_periods(tx: &mut Tx, rows: &[PeriodRow]) -> StoreResult<()> {
    tx.insert_rows(
        "REPLACE INTO period_rollup (period, start_date, video_id, view_count, total_play_time, \
         ad_view_count, view_revenue, ad_revenue, total_revenue) ",
        rows,
        |video| {
            params![
                video.kind.name(),
                video.start_date,
                video.video_id.0,
                video.view_count,
                video.total_play_time,
                video.ad_view_count,
                video.view_revenue,
                video.ad_revenue,
                video.total_revenue
            ]
        },
        "",
    )
    .await?;
    Ok(())
}
