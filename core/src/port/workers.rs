//! The registry of workers: who works, and what each holds.

use super::error::StoreResult;
use crate::batch::{
    execution::{JobExecutionId, StepExecutionId},
    job::StepName,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// Who a worker is. Its name is new for each start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerIdentity {
    /// Unique for each incarnation: host, process id, random.
    pub name: String,
    /// The machine's name.
    pub host: String,
    /// The process's id on it.
    pub process_id: u32,
    /// The program's version.
    pub version: String,
    /// Claims worked at a time.
    pub concurrency: u32,
}

/// A partition or tasklet that a worker has a lease on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldStep {
    /// The step execution.
    pub id: StepExecutionId,
    /// Its job execution.
    pub job_execution_id: JobExecutionId,
    /// Its name.
    pub name: StepName,
}

/// A worker as the registry shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredWorker {
    /// Who it is.
    pub identity: WorkerIdentity,
    /// When it started, by the database's clock.
    pub started_at: DateTime<Utc>,
    /// When it was last seen, by the database's clock.
    pub last_seen_at: DateTime<Utc>,
    /// Whether it was seen within its lease.
    pub is_alive: bool,
    /// What it holds, in the order of the ids. Of a dead worker: what nobody has taken over yet.
    pub holds: Vec<HeldStep>,
}

/// Who holds a step execution, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The step execution.
    pub step: StepExecutionId,
    /// The worker's name.
    pub worker: String,
    /// The end of its lease, by the database's clock.
    pub until: DateTime<Utc>,
    /// Whether that is over: anybody may take the step over.
    pub is_over: bool,
}

/// Reads and writes the registry.
#[async_trait]
pub trait WorkerStore: Send + Sync {
    /// Registers a worker, or says that it still lives: it is presumed alive for `lease_s` seconds.
    async fn see_worker(&self, worker: &WorkerIdentity, lease_s: u32) -> StoreResult<()>;

    /// Takes a worker that ends out of the registry.
    async fn forget_worker(&self, name: &str) -> StoreResult<()>;

    /// Takes out the workers that have not been seen for so many seconds; answers how many.
    async fn forget_dead_workers(&self, silent_s: u32) -> StoreResult<u64>;

    /// The workers, those seen last first, at most `limit`.
    async fn workers(&self, limit: u32) -> StoreResult<Vec<RegisteredWorker>>;

    /// Who holds what of a job execution, in the order of the step executions' ids.
    async fn holders(&self, id: JobExecutionId) -> StoreResult<Vec<Holder>>;

    /// How many claims the workers that are alive can work at a time, all together.
    async fn slots(&self) -> StoreResult<u32>;
}
