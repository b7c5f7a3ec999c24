//! How far an execution is, and how much work waits, in sums: bounded whatever the number of
//! partitions.

use super::error::StoreResult;
use crate::batch::{execution::JobExecutionId, job::Step, step::Counters};
use async_trait::async_trait;

/// The partitions of a step of an execution, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepProgress {
    /// The step.
    pub step: Step,
    /// Nobody has begun them.
    pub waiting: u64,
    /// Begun and not ended.
    pub at_work: u64,
    /// COMPLETED.
    pub completed: u64,
    /// Ended in another way.
    pub failed: u64,
    /// Their counters, summed.
    pub counters: Counters,
}

/// The partitions and tasklets of all executions that have not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leases {
    /// Nobody has one: they can be claimed.
    pub free: u64,
    /// Held by a worker.
    pub held: u64,
    /// Held by a worker whose lease ran out: they can be taken over.
    pub run_out: u64,
}

/// Sums of the job tables.
#[async_trait]
pub trait ProgressStore: Send + Sync {
    /// The partitions of an execution, by step; no row for a step that has none yet.
    async fn progress(&self, id: JobExecutionId) -> StoreResult<Vec<StepProgress>>;

    /// What is held and what is free.
    async fn leases(&self) -> StoreResult<Leases>;
}
