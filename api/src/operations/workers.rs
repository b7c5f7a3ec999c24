//! The JSON types of workers and their claims.

use crate::extract::date::moment;
use balance_store::operations::{ClaimedStep, RegisteredWorker};
use chrono::{DateTime, Utc};
use poem_openapi::{Object, types::Example};

/// A partition or tasklet that a worker has claimed.
#[derive(Debug, Object)]
#[oai(rename = "ClaimedStep", rename_all = "camelCase", example)]
pub struct ClaimedStepView {
    /// The id of the step execution.
    id: i64,
    /// The id of the job execution.
    job_execution_id: i64,
    /// The name of the step execution.
    name: String,
}

impl Example for ClaimedStepView {
    fn example() -> Self {
        Self {
            id: 205,
            job_execution_id: 14,
            name: "dayStatisticsStep:partition3".to_owned(),
        }
    }
}

impl From<ClaimedStep> for ClaimedStepView {
    fn from(step: ClaimedStep) -> Self {
        Self {
            id: step.id.0,
            job_execution_id: step.job_execution_id.0,
            name: step.name.to_string(),
        }
    }
}

/// A worker.
#[derive(Debug, Object)]
#[oai(rename = "Worker", rename_all = "camelCase", example)]
pub struct WorkerView {
    /// The worker's name, unique to each start.
    name: String,
    /// The name of the host.
    host: String,
    /// The id of the process on the host.
    process_id: u32,
    /// The version of the program.
    version: String,
    /// The maximum number of concurrent claims.
    concurrency: u32,
    /// The time of the start.
    started_at: DateTime<Utc>,
    /// The time of the last heartbeat.
    last_seen_at: DateTime<Utc>,
    /// Whether the last heartbeat is more recent than the lease time.
    is_alive: bool,
    /// The claims of the worker. A dead worker's claims are listed until other workers claim them.
    claims: Vec<ClaimedStepView>,
    /// The suggested action for an operator; null if the worker is alive.
    suggested_action: Option<String>,
}

impl Example for WorkerView {
    fn example() -> Self {
        Self {
            name: "worker-a-4711-01976f3e".to_owned(),
            host: "worker-a".to_owned(),
            process_id: 4_711,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            concurrency: 4,
            started_at: moment(-3_600),
            last_seen_at: moment(2),
            is_alive: true,
            claims: vec![ClaimedStepView::example()],
            suggested_action: None,
        }
    }
}

fn suggested_action(worker: &RegisteredWorker) -> Option<String> {
    let action = match (worker.is_alive, worker.claims.is_empty()) {
        (true, _) => return None,
        (false, true) => {
            "The worker is dead and has no claims. It is removed from the registry after a day."
        }
        (false, false) => {
            "The worker is dead. Another worker takes over its claims a second after their leases \
             expire. If no worker is alive, start one: `balance worker`."
        }
    };
    Some(action.to_owned())
}

impl From<RegisteredWorker> for WorkerView {
    fn from(worker: RegisteredWorker) -> Self {
        Self {
            suggested_action: suggested_action(&worker),
            name: worker.identity.name,
            host: worker.identity.host,
            process_id: worker.identity.process_id,
            version: worker.identity.version,
            concurrency: worker.identity.concurrency,
            started_at: worker.started_at,
            last_seen_at: worker.last_seen_at,
            is_alive: worker.is_alive,
            claims: worker.claims.into_iter().map(Into::into).collect(),
        }
    }
}

/// The workers, the most recently seen first.
#[derive(Debug, Object)]
#[oai(example)]
pub struct WorkerList {
    /// The workers; at most 1,000.
    items: Vec<WorkerView>,
}

impl Example for WorkerList {
    fn example() -> Self {
        Self {
            items: vec![WorkerView::example()],
        }
    }
}

impl From<Vec<RegisteredWorker>> for WorkerList {
    fn from(workers: Vec<RegisteredWorker>) -> Self {
        Self {
            items: workers.into_iter().map(Into::into).collect(),
        }
    }
}
