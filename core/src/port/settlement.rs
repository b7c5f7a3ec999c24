//! Closing and settling a day: what the steps read.

use super::{claims::PeriodRow, error::StoreResult};
use crate::{
    batch::{execution::JobInstanceId, job::Step, partition::IdRange},
    domain::statistics::{Activity, VideoStatistics},
};
use async_trait::async_trait;
use chrono::NaiveDate;

/// The items of one chunk, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The last id that this page covers: the range's end where there is nothing more.
    pub upto: i64,
}

/// What the revenue step reads of one video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevenueItem {
    /// Its settled day.
    Settled(VideoStatistics),
    /// Its statistics were skipped: nothing to pay until they exist.
    Held {
        /// The video.
        video_id: i64,
    },
}

/// What the rollup step reads of one video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoPeriods {
    /// The video.
    pub video_id: i64,
    /// Its week and its month, or nothing where a sum does not fit into 64 bits.
    pub rows: Option<Vec<PeriodRow>>,
}

/// What `closeDayStep` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// The day is closed; this call or an earlier one did it.
    Closed,
    /// An earlier active day is unsettled: not yet.
    EarlierDayUnsettled(NaiveDate),
}

/// What the steps need.
#[async_trait]
pub trait SettlementStore: Send + Sync {
    /// Raises `closed_through` to a day, unless it is on or past it already.
    async fn close_day(&self, date: NaiveDate) -> StoreResult<Closing>;

    /// Plans a step's partitions: at most `count` ranges of near-equal work.
    async fn plan(&self, step: Step, date: NaiveDate, count: u32) -> StoreResult<Vec<IdRange>>;

    /// A day's activity of at most `limit` videos of a range.
    async fn activity(
        &self,
        date: NaiveDate,
        range: IdRange,
        limit: u32,
    ) -> StoreResult<Page<Activity>>;

    /// A day's statistics, and the videos that are held, of at most `limit` videos of a range.
    async fn revenue_items(
        &self,
        instance: JobInstanceId,
        date: NaiveDate,
        range: IdRange,
        limit: u32,
    ) -> StoreResult<Page<RevenueItem>>;

    /// The weeks and months, recomputed, of at most `limit` videos of a range that were active on
    /// a day.
    async fn periods(
        &self,
        date: NaiveDate,
        range: IdRange,
        limit: u32,
    ) -> StoreResult<Page<VideoPeriods>>;

    /// The last day to which nothing is added any more.
    async fn closed_through(&self) -> StoreResult<Option<NaiveDate>>;

    /// The first active day that is not settled, if any.
    async fn first_unsettled_day(&self) -> StoreResult<Option<NaiveDate>>;

    /// The active days after a day, or from the first, in order, at most `limit`.
    async fn active_days(
        &self,
        after: Option<NaiveDate>,
        limit: u32,
    ) -> StoreResult<Vec<NaiveDate>>;

    /// Whether any instance of a date is COMPLETED.
    async fn is_settled(&self, date: NaiveDate) -> StoreResult<bool>;
}
