//! Closing and settling a day: what the steps read.

use crate::claims::PeriodRow;
use balance_domain::settlement::VideoStatistics;
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
