//! What the database tells of the state of things, in numbers, for whoever watches the system.

use super::{error::StoreResult, progress::Leases};
use crate::batch::status::BatchStatus;
use async_trait::async_trait;
use chrono::NaiveDate;

/// Late and rejected events are counted up to so many: a count must not grow with them.
pub const MAX_COUNTED: u32 = 10_000;

/// The state of things, as one transaction sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The last day to which nothing is added any more.
    pub closed_through: Option<NaiveDate>,
    /// The first active day that is not settled, if any.
    pub first_unsettled_day: Option<NaiveDate>,
    /// Executions that run.
    pub running: u64,
    /// Their partitions by status; none for a status that no partition has.
    pub partitions: Vec<(BatchStatus, u64)>,
    /// Partitions and tasklets that have not ended, by who has them.
    pub leases: Leases,
    /// Workers seen within their leases.
    pub workers: u64,
    /// Claims that these can work at a time.
    pub slots: u64,
    /// Days whose newest execution has FAILED, of the newest 1,000 such executions.
    pub failed_days: u64,
    /// Days whose newest execution is STOPPED, likewise.
    pub stopped_days: u64,
    /// Days whose newest execution is ABANDONED, likewise: launched anew, or they hold up the rest.
    pub abandoned_days: u64,
    /// Events that came after their day was closed, at most [`MAX_COUNTED`].
    pub late_events: u64,
    /// Events that can never be written, at most [`MAX_COUNTED`].
    pub rejected_events: u64,
}

/// Observes.
#[async_trait]
pub trait ObservationStore: Send + Sync {
    /// The state of things, by a bounded number of reads of indexes.
    async fn observe(&self) -> StoreResult<Observation>;
}
