//! The registry of workers.

use crate::output::{line, table};
use balance_store::operations::RegisteredWorker;
use serde::Serialize;

/// The workers, one a line.
pub(crate) fn workers(workers: &[RegisteredWorker]) {
    if workers.is_empty() {
        line("no workers");
        return;
    }
    let mut table = table(
        &[
            "worker",
            "host",
            "process",
            "version",
            "slots",
            "state",
            "started",
            "last seen",
            "claims",
        ],
        8,
    );
    for worker in workers {
        let identity = &worker.identity;
        let claims: Vec<String> = worker
            .claims
            .iter()
            .map(|step| format!("{} ({})", step.name, step.id))
            .collect();
        table.add_row([
            identity.name.clone(),
            identity.host.clone(),
            identity.process_id.to_string(),
            identity.version.clone(),
            identity.concurrency.to_string(),
            if worker.is_alive { "alive" } else { "silent" }.to_owned(),
            worker.started_at.format("%Y-%m-%d %H:%M:%S").to_string(),
            worker.last_seen_at.format("%Y-%m-%d %H:%M:%S").to_string(),
            claims.join("\n"),
        ]);
    }
    line(&table.to_string());
}

/// A worker, for programs. Times are RFC 3339, by the database's clock.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WorkerJson<'a> {
    name: &'a str,
    host: &'a str,
    process_id: u32,
    version: &'a str,
    concurrency: u32,
    started_at: String,
    last_seen_at: String,
    is_alive: bool,
    claims: Vec<ClaimedStepJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClaimedStepJson {
    step_execution_id: i64,
    job_execution_id: i64,
    step_name: String,
}

/// The workers as JSON.
pub(crate) fn workers_json(workers: &[RegisteredWorker]) -> impl Serialize + '_ {
    workers
        .iter()
        .map(|worker| WorkerJson {
            name: &worker.identity.name,
            host: &worker.identity.host,
            process_id: worker.identity.process_id,
            version: &worker.identity.version,
            concurrency: worker.identity.concurrency,
            started_at: worker.started_at.to_rfc3339(),
            last_seen_at: worker.last_seen_at.to_rfc3339(),
            is_alive: worker.is_alive,
            claims: worker
                .claims
                .iter()
                .map(|step| ClaimedStepJson {
                    step_execution_id: step.id.0,
                    job_execution_id: step.job_execution_id.0,
                    step_name: step.name.to_string(),
                })
                .collect(),
        })
        .collect::<Vec<_>>()
}
