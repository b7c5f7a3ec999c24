//! Aggregated progress of executions. The size of the results does not depend on the number of
//! partitions.

use crate::{
    Store, StoreError, StoreResult,
    jobs::rows,
    sql::{statement::params, tx::Tx},
};
use balance_batch::{
    execution::JobExecutionId,
    job::{Job, Step},
    status::BatchStatus,
    step::Counters,
};

/// The number of partitions of a step by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepProgress {
    pub step: Step,
    /// STARTING: not claimed yet.
    pub waiting: u64,
    /// STARTED or STOPPING.
    pub running: u64,
    /// COMPLETED.
    pub completed: u64,
    /// STOPPED, FAILED, ABANDONED or UNKNOWN.
    pub failed: u64,
    /// The sums of the partitions' counters.
    pub counters: Counters,
}

/// The number of unfinished partitions and tasklets of all executions by their leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leases {
    /// Without an owner.
    pub claimable: u64,
    /// Owned by a worker whose lease is valid.
    pub owned: u64,
    /// Owned by a worker whose lease has expired. Another worker can claim them.
    pub expired: u64,
}

/// The partitions of one step in one status.
#[derive(sqlx::FromRow)]
struct Row {
    worker_name: String,
    status: Option<String>,
    partitions: i64,
    commits: i64,
    reads: i64,
    filters: i64,
    writes: i64,
    read_skips: i64,
    write_skips: i64,
    process_skips: i64,
    rollbacks: i64,
}

impl Store {
    /// Returns the progress of each step of an execution that has partitions, in the order of the
    /// steps.
    pub async fn progress(&self, id: JobExecutionId) -> StoreResult<Vec<StepProgress>> {
        let mut tx = self.db.read().await?;
        let rows: Vec<Row> = tx
            .fetch_all(
                "SELECT SUBSTR(STEP_NAME, 1, INSTR(STEP_NAME, ':') - 1) AS worker_name, \
             STATUS AS status, COUNT(*) AS partitions, \
             CAST(SUM(COMMIT_COUNT) AS SIGNED) AS commits, \
             CAST(SUM(READ_COUNT) AS SIGNED) AS `reads`, \
             CAST(SUM(FILTER_COUNT) AS SIGNED) AS filters, \
             CAST(SUM(WRITE_COUNT) AS SIGNED) AS writes, \
             CAST(SUM(READ_SKIP_COUNT) AS SIGNED) AS read_skips, \
             CAST(SUM(WRITE_SKIP_COUNT) AS SIGNED) AS write_skips, \
             CAST(SUM(PROCESS_SKIP_COUNT) AS SIGNED) AS process_skips, \
             CAST(SUM(ROLLBACK_COUNT) AS SIGNED) AS rollbacks \
             FROM BATCH_STEP_EXECUTION WHERE JOB_EXECUTION_ID = ? AND STEP_NAME LIKE '%:%' \
             GROUP BY worker_name, STATUS",
                &params![id.0],
            )
            .await?;
        let mut all: Vec<StepProgress> = Vec::new();
        for row in rows {
            let step = step_of(&row.worker_name)?;
            let status = rows::status(row.status.clone())?;
            let at = match all.iter().position(|one| one.step == step) {
                Some(at) => at,
                None => {
                    all.push(empty_progress(step));
                    all.len() - 1
                }
            };
            add(&mut all[at], status, &row);
        }
        let order = |step: Step| {
            Job::DayStatistics
                .steps()
                .iter()
                .position(|one| *one == step)
        };
        all.sort_by_key(|one| order(one.step));
        Ok(all)
    }

    /// Counts the leases by state.
    pub async fn leases(&self) -> StoreResult<Leases> {
        let mut tx = self.db.read().await?;
        leases(&mut tx).await
    }
}

pub(crate) async fn leases(tx: &mut Tx) -> StoreResult<Leases> {
    let now_micros = tx.now_micros().await?;
    let (claimable, owned, expired): (i64, i64, i64) = tx
        .fetch_one(
            "SELECT CAST(COALESCE(SUM(claim_token IS NULL), 0) AS SIGNED), \
         CAST(COALESCE(SUM(claim_token IS NOT NULL AND lease_until_micros > ?), 0) AS SIGNED), \
         CAST(COALESCE(SUM(claim_token IS NOT NULL AND lease_until_micros <= ?), 0) AS SIGNED) \
         FROM step_lease",
            &params![now_micros, now_micros],
        )
        .await?;
    Ok(Leases {
        claimable: claimable.unsigned_abs(),
        owned: owned.unsigned_abs(),
        expired: expired.unsigned_abs(),
    })
}

fn step_of(worker_name: &str) -> StoreResult<Step> {
    let mut steps = Job::ALL.iter().flat_map(|job| job.steps());
    let found = steps.find(|step| step.worker_name() == Some(worker_name));
    found
        .copied()
        .ok_or_else(|| StoreError::Damaged(format!("unknown step '{worker_name}'")))
}

fn empty_progress(step: Step) -> StepProgress {
    StepProgress {
        step,
        waiting: 0,
        running: 0,
        completed: 0,
        failed: 0,
        counters: Counters::default(),
    }
}

fn add(all: &mut StepProgress, status: BatchStatus, row: &Row) {
    let partitions = row.partitions.unsigned_abs();
    match status {
        BatchStatus::Completed => all.completed += partitions,
        BatchStatus::Starting => all.waiting += partitions,
        BatchStatus::Started | BatchStatus::Stopping => all.running += partitions,
        _ => all.failed += partitions,
    }
    all.counters += Counters {
        commits: row.commits,
        reads: row.reads,
        filters: row.filters,
        writes: row.writes,
        read_skips: row.read_skips,
        write_skips: row.write_skips,
        process_skips: row.process_skips,
        rollbacks: row.rollbacks,
    };
}
