//! The registered workers.

use crate::output::{line, table};
use balance_api::views::{self, NoJson, WorkerList};
use balance_store::operations::RegisteredWorker;
use serde_json::Value;

/// Prints the workers as a table.
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
            if worker.is_alive { "alive" } else { "dead" }.to_owned(),
            worker.started_at.format("%Y-%m-%d %H:%M:%S").to_string(),
            worker.last_seen_at.format("%Y-%m-%d %H:%M:%S").to_string(),
            claims.join("\n"),
        ]);
    }
    line(&table.to_string());
}

/// Returns the workers in the JSON of `GET /workers`.
pub(crate) fn workers_json(workers: Vec<RegisteredWorker>) -> Result<Value, NoJson> {
    views::to_json(&WorkerList::from(workers))
}
