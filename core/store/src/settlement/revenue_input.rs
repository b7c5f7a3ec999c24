//! The settled statistics of a day: the input of the revenue step.

use crate::{
    Store, StoreResult,
    settlement::page::{Page, page_end},
    sql::statement::params,
};
use balance_batch::{execution::JobInstanceId, job::Step, partition::IdRange};
use balance_domain::{
    settlement::{LifetimeCounts, VideoStatistics},
    videos::VideoId,
};
use chrono::NaiveDate;
use std::collections::{BTreeMap, HashSet};

/// The input of the revenue step for one video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevenueInput {
    /// The statistics of the day.
    Settled(VideoStatistics),
    /// The statistics step skipped the video, so it has no revenue yet.
    Held { video_id: i64 },
}

impl Store {
    /// Returns the statistics of a day of at most `limit` videos of a range, and the held videos
    /// between them.
    pub async fn revenue_inputs(
        &self,
        instance: JobInstanceId,
        date: NaiveDate,
        range: IdRange,
        limit: u32,
    ) -> StoreResult<Page<RevenueInput>> {
        let mut tx = self.db.read().await?;
        let rows: Vec<(i64, i64, i64, i64, i64, i64)> = tx
            .fetch_all(
                "SELECT video_id, view_count, total_play_time, ad_view_count, cumulative_view_count, \
             cumulative_ad_view_count FROM video_statistics \
             WHERE date = ? AND video_id > ? AND video_id <= ? ORDER BY video_id LIMIT ?",
                &params![date, range.after, range.upto, limit],
            )
            .await?;
        let upto = page_end(range, limit, rows.last().map(|row| row.0), rows.len());
        let held: Vec<(i64,)> = tx
            .fetch_all(
                "SELECT video_id FROM rejected_item WHERE job_instance_id = ? AND step_name = ? \
             AND video_id > ? AND video_id <= ?",
                &params![instance.0, Step::DayStatistics.name(), range.after, upto],
            )
            .await?;
        let settled: HashSet<i64> = rows.iter().map(|row| row.0).collect();
        let mut items: BTreeMap<i64, RevenueInput> = held
            .into_iter()
            .filter(|(id,)| !settled.contains(id))
            .map(|(video_id,)| (video_id, RevenueInput::Held { video_id }))
            .collect();
        for (id, view_count, total_play_time, ad_view_count, views, ad_views) in rows {
            let statistics = VideoStatistics {
                video_id: VideoId(id),
                view_count,
                total_play_time,
                ad_view_count,
                cumulative: LifetimeCounts { views, ad_views },
            };
            items.insert(id, RevenueInput::Settled(statistics));
        }
        Ok(Page {
            items: items.into_values().collect(),
            upto,
        })
    }
}
