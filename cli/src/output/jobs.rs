//! Job executions, steps and partitions.

use crate::output::{count, line, table};
use balance_batch::{execution::JobExecution, status::BatchStatus, step::StepExecution};
use balance_store::operations::LeaseOwner;
use chrono::NaiveDateTime;
use serde::Serialize;

/// Partitions of a step that are shown one a line; of more, only those that have not completed.
const SHOWN: usize = 32;

fn took(start: Option<NaiveDateTime>, end: Option<NaiveDateTime>) -> String {
    start.zip(end).map_or_else(String::new, |(start, end)| {
        format!("{} ms", (end - start).num_milliseconds())
    })
}

/// The newest executions, one a line.
pub(crate) fn executions(executions: &[JobExecution]) {
    let mut table = table(
        &[
            "execution",
            "job",
            "date",
            "run",
            "status",
            "exit code",
            "started",
            "took",
        ],
        7,
    );
    for one in executions {
        table.add_row([
            one.id.to_string(),
            one.job.to_string(),
            one.date.to_string(),
            one.run_id.map_or_else(String::new, |run| run.to_string()),
            one.status.to_string(),
            one.exit_code.to_string(),
            one.start_time
                .map_or_else(String::new, |at| at.format("%Y-%m-%d %H:%M:%S").to_string()),
            took(one.start_time, one.end_time),
        ]);
    }
    line(&table.to_string());
}

/// An execution with its steps and their partitions, one a line.
pub(crate) fn execution(execution: &JobExecution, steps: &[StepExecution]) {
    outcome(execution);
    for own in steps.iter().filter(|step| step.name.partition.is_none()) {
        step_line(own, 2);
        let partitions: Vec<&StepExecution> = steps
            .iter()
            .filter(|step| step.name.step == own.name.step && step.name.partition.is_some())
            .collect();
        for partition in &partitions {
            if partitions.len() <= SHOWN || partition.status != BatchStatus::Completed {
                step_line(partition, 4);
            }
        }
    }
    cause(execution);
}

fn outcome(execution: &JobExecution) {
    line(&format!(
        "{}  {} execution {}: {} ({})  {}",
        execution.date,
        execution.job,
        execution.id,
        execution.status,
        execution.exit_code,
        took(execution.start_time, execution.end_time),
    ));
}

/// Why it did not complete.
fn cause(execution: &JobExecution) {
    if !execution.exit_message.is_empty() {
        line(&format!(
            "  {}",
            execution.exit_message.replace('\n', "\n  ")
        ));
    }
}

fn step_line(step: &StepExecution, indent: usize) {
    let counters = if step.name.step.is_partitioned() {
        format!(
            "{:>9} read {:>9} written {:>3} skipped {:>5} commits",
            count(step.counters.reads),
            count(step.counters.writes),
            count(step.counters.skips()),
            count(step.counters.commits),
        )
    } else {
        String::new()
    };
    let took = took(step.start_time, step.end_time);
    let text = format!(
        "{:indent$}{:width$} {:9} {counters:53} {took:>9}",
        "",
        step.name,
        step.status,
        width = 36 - indent,
    );
    line(text.trim_end());
}

/// An execution with every step and partition in a table, their ids included.
pub(crate) fn execution_table(
    execution: &JobExecution,
    steps: &[StepExecution],
    owners: &[LeaseOwner],
) {
    outcome(execution);
    let mut table = table(
        &[
            "id",
            "step",
            "status",
            "commits",
            "read",
            "filtered",
            "written",
            "skipped",
            "rollbacks",
            "took",
            "held by",
        ],
        3,
    );
    for step in steps {
        let owner = owners.iter().find(|owner| owner.step == step.id);
        table.add_row([
            step.id.to_string(),
            step.name.to_string(),
            step.status.to_string(),
            count(step.counters.commits),
            count(step.counters.reads),
            count(step.counters.filters),
            count(step.counters.writes),
            count(step.counters.skips()),
            count(step.counters.rollbacks),
            took(step.start_time, step.end_time),
            owner.map_or_else(String::new, |owner| {
                let until = if owner.is_expired {
                    "was until"
                } else {
                    "until"
                };
                let at = owner.expires_at.format("%H:%M:%S");
                format!("{} ({until} {at})", owner.worker)
            }),
        ]);
    }
    line(&table.to_string());
    cause(execution);
}

/// An execution in JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExecutionJson {
    id: i64,
    instance_id: i64,
    job: &'static str,
    date: String,
    run_id: Option<i64>,
    status: &'static str,
    exit_code: String,
    exit_message: String,
    create_time: String,
    start_time: Option<String>,
    end_time: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<StepJson>,
}

/// A step execution in JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StepJson {
    id: i64,
    name: String,
    status: &'static str,
    exit_code: String,
    exit_message: String,
    commit_count: i64,
    read_count: i64,
    filter_count: i64,
    write_count: i64,
    skip_count: i64,
    rollback_count: i64,
    start_time: Option<String>,
    end_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_owner: Option<LeaseOwnerJson>,
}

/// Who holds a step execution, in JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LeaseOwnerJson {
    worker: String,
    until: String,
    is_expired: bool,
}

/// RFC 3339; the job tables hold UTC.
fn rfc3339(at: NaiveDateTime) -> String {
    at.and_utc()
        .to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// Executions in JSON.
pub(crate) fn executions_json(executions: &[JobExecution]) -> Vec<ExecutionJson> {
    executions
        .iter()
        .map(|one| execution_json(one, &[], &[]))
        .collect()
}

/// An execution with its steps in JSON.
pub(crate) fn execution_json(
    execution: &JobExecution,
    steps: &[StepExecution],
    owners: &[LeaseOwner],
) -> ExecutionJson {
    ExecutionJson {
        id: execution.id.0,
        instance_id: execution.instance_id.0,
        job: execution.job.name(),
        date: execution.date.to_string(),
        run_id: execution.run_id,
        status: execution.status.name(),
        exit_code: execution.exit_code.to_string(),
        exit_message: execution.exit_message.clone(),
        create_time: rfc3339(execution.create_time),
        start_time: execution.start_time.map(rfc3339),
        end_time: execution.end_time.map(rfc3339),
        steps: steps
            .iter()
            .map(|step| {
                let owner = owners.iter().find(|owner| owner.step == step.id);
                step_json(step, owner)
            })
            .collect(),
    }
}

fn step_json(step: &StepExecution, owner: Option<&LeaseOwner>) -> StepJson {
    StepJson {
        id: step.id.0,
        name: step.name.to_string(),
        status: step.status.name(),
        exit_code: step.exit_code.to_string(),
        exit_message: step.exit_message.clone(),
        commit_count: step.counters.commits,
        read_count: step.counters.reads,
        filter_count: step.counters.filters,
        write_count: step.counters.writes,
        skip_count: step.counters.skips(),
        rollback_count: step.counters.rollbacks,
        start_time: step.start_time.map(rfc3339),
        end_time: step.end_time.map(rfc3339),
        lease_owner: owner.map(|owner| LeaseOwnerJson {
            worker: owner.worker.clone(),
            until: rfc3339(owner.expires_at.naive_utc()),
            is_expired: owner.is_expired,
        }),
    }
}
