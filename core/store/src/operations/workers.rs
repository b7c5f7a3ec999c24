//! The registry of workers and the leases that they own.

use crate::{
    Store, StoreError, StoreResult,
    claims::lease::lease_end,
    sql::{retry::on_conflict, statement::params},
};
use balance_batch::{
    execution::{JobExecutionId, StepExecutionId},
    job::StepName,
};
use balance_domain::units::MICROS_PER_S;
use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use std::collections::HashMap;

/// The identity of a worker process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerIdentity {
    /// A unique name per start: host, process id and a random part.
    pub name: String,
    /// The host name.
    pub host: String,
    pub process_id: u32,
    /// The version of the program.
    pub version: String,
    /// The maximum number of concurrent claims.
    pub concurrency: u32,
}

/// A partition or tasklet whose lease a worker owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedStep {
    pub id: StepExecutionId,
    pub job_execution_id: JobExecutionId,
    pub name: StepName,
}

/// A worker in the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredWorker {
    pub identity: WorkerIdentity,
    /// The time of the first heartbeat, by the database's clock.
    pub started_at: DateTime<Utc>,
    /// The time of the last heartbeat, by the database's clock.
    pub last_seen_at: DateTime<Utc>,
    /// Whether the lease of the last heartbeat is valid.
    pub is_alive: bool,
    /// The claimed steps in the order of their ids. For a dead worker: those that no other worker has
    /// claimed since.
    pub claims: Vec<ClaimedStep>,
}

/// The owner of a step execution's lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseOwner {
    pub step: StepExecutionId,
    /// The worker's name.
    pub worker: String,
    /// The end of the lease, by the database's clock.
    pub expires_at: DateTime<Utc>,
    /// Whether the lease has expired, so that any worker can claim the step.
    pub is_expired: bool,
}

#[derive(sqlx::FromRow)]
struct WorkerRow {
    name: String,
    host: String,
    process_id: i64,
    version: String,
    concurrency: i64,
    started_at_micros: i64,
    last_seen_micros: i64,
    alive_until_micros: i64,
}

impl Store {
    /// Records a heartbeat of a worker, and registers it if it is new. The worker counts as alive for
    /// `lease_s` seconds.
    pub async fn record_heartbeat(&self, worker: &WorkerIdentity, lease_s: u32) -> StoreResult<()> {
        on_conflict(|| record_heartbeat(self, worker, lease_s)).await
    }

    /// Removes a worker from the registry.
    pub async fn remove_worker(&self, name: &str) -> StoreResult<()> {
        on_conflict(|| async {
            let mut tx = self.db.write_heartbeat().await?;
            tx.execute("DELETE FROM worker WHERE name = ?", &params![name])
                .await?;
            tx.commit().await
        })
        .await
    }

    /// Removes the workers whose lease and last heartbeat are more than `dead_s` seconds old. Returns
    /// their number.
    pub async fn remove_dead_workers(&self, dead_s: u32) -> StoreResult<u64> {
        on_conflict(|| async {
            let mut tx = self.db.write_heartbeat().await?;
            let before = tx.now_micros().await? - i64::from(dead_s) * MICROS_PER_S;
            let removed = tx
                .execute(
                    "DELETE FROM worker WHERE alive_until_micros < ? AND last_seen_micros < ?",
                    &params![before, before],
                )
                .await?;
            tx.commit().await?;
            Ok(removed)
        })
        .await
    }

    /// Returns at most `limit` workers, most recent heartbeat first.
    pub async fn workers(&self, limit: u32) -> StoreResult<Vec<RegisteredWorker>> {
        let mut tx = self.db.read().await?;
        let now_micros = tx.now_micros().await?;
        let rows: Vec<WorkerRow> = tx
            .fetch_all(
                "SELECT name, host, process_id, version, concurrency, started_at_micros, \
             last_seen_micros, alive_until_micros FROM worker \
             ORDER BY last_seen_micros DESC, name LIMIT ?",
                &params![limit],
            )
            .await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let owned: Vec<(String, i64, i64, String)> = tx
            .fetch_in(
                "SELECT l.worker, l.step_execution_id, l.job_execution_id, s.STEP_NAME \
             FROM step_lease l JOIN BATCH_STEP_EXECUTION s \
             ON s.STEP_EXECUTION_ID = l.step_execution_id \
             WHERE l.claim_token IS NOT NULL AND l.worker IN ",
                rows.iter().map(|row| row.name.as_str()),
                " ORDER BY l.step_execution_id",
                &[],
            )
            .await?;
        let mut claims: HashMap<String, Vec<ClaimedStep>> = HashMap::new();
        for (worker, id, job, name) in owned {
            let name = StepName::parse(&name)
                .ok_or_else(|| StoreError::Damaged(format!("unknown step '{name}'")))?;
            claims.entry(worker).or_default().push(ClaimedStep {
                id: StepExecutionId(id),
                job_execution_id: JobExecutionId(job),
                name,
            });
        }
        Ok(rows
            .into_iter()
            .map(|row| RegisteredWorker {
                started_at: DateTime::from_timestamp_micros(row.started_at_micros)
                    .unwrap_or_default(),
                last_seen_at: DateTime::from_timestamp_micros(row.last_seen_micros)
                    .unwrap_or_default(),
                is_alive: row.alive_until_micros > now_micros,
                claims: claims.remove(&row.name).unwrap_or_default(),
                identity: WorkerIdentity {
                    name: row.name,
                    host: row.host,
                    process_id: u32::try_from(row.process_id).unwrap_or(0),
                    version: row.version,
                    concurrency: u32::try_from(row.concurrency).unwrap_or(0),
                },
            })
            .collect())
    }

    /// Returns the lease owners of a job execution in the order of the step executions' ids.
    pub async fn owners(&self, id: JobExecutionId) -> StoreResult<Vec<LeaseOwner>> {
        let mut tx = self.db.read().await?;
        let now_micros = tx.now_micros().await?;
        let rows: Vec<(i64, String, i64)> = tx
            .fetch_all(
                "SELECT step_execution_id, worker, lease_until_micros FROM step_lease \
             WHERE job_execution_id = ? AND claim_token IS NOT NULL AND worker IS NOT NULL \
             ORDER BY step_execution_id",
                &params![id.0],
            )
            .await?;
        Ok(rows
            .into_iter()
            .map(|(step, worker, until_micros)| LeaseOwner {
                step: StepExecutionId(step),
                worker,
                expires_at: DateTime::from_timestamp_micros(until_micros).unwrap_or_default(),
                is_expired: until_micros <= now_micros,
            })
            .collect())
    }

    /// Returns the maximum number of concurrent claims of all workers that are alive.
    pub async fn slots(&self) -> StoreResult<u32> {
        let mut tx = self.db.read().await?;
        let now_micros = tx.now_micros().await?;
        let (slots,): (i64,) = tx
            .fetch_one(
                "SELECT CAST(COALESCE(SUM(concurrency), 0) AS SIGNED) FROM worker \
             WHERE alive_until_micros > ?",
                &params![now_micros],
            )
            .await?;
        Ok(u32::try_from(slots).unwrap_or(u32::MAX))
    }
}

async fn record_heartbeat(store: &Store, worker: &WorkerIdentity, lease_s: u32) -> StoreResult<()> {
    // The separate connection: chunks that use all others must not delay the heartbeat.
    let mut tx = store.db.write_heartbeat().await?;
    let now_micros = tx.now_micros().await?;
    let until = lease_end(now_micros, lease_s);
    let seen = tx
        .execute(
            "UPDATE worker SET last_seen_micros = ?, alive_until_micros = ? WHERE name = ?",
            &params![now_micros, until, worker.name.as_str()],
        )
        .await?;
    if seen == 0 {
        let keep = tx.on_conflict_keep("name");
        tx.execute(
            AssertSqlSafe(format!(
                "INSERT INTO worker (name, host, process_id, version, concurrency, \
                 started_at_micros, last_seen_micros, alive_until_micros) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?){keep}"
            )),
            &params![
                worker.name.as_str(),
                worker.host.as_str(),
                worker.process_id,
                worker.version.as_str(),
                worker.concurrency,
                now_micros,
                now_micros,
                until
            ],
        )
        .await?;
    }
    tx.commit().await
}
