//! Job executions, steps and partitions.

use super::{count, line, table};
use balance_core::batch::{execution::JobExecution, status::BatchStatus, step::StepExecution};
use chrono::NaiveDateTime;
use serde::Serialize;

/// Partitions that have not completed, of which so many are named on a step's line.
const NAMED: usize = 8;

fn took(start: Option<NaiveDateTime>, end: Option<NaiveDateTime>) -> String {
    start.zip(end).map_or_else(String::new, |(start, end)| {
        format!("{} ms", (end - start).num_milliseconds())
    })
}

/// The newest executions, one a line.
pub(crate) fn executions(executions: &[JobExecution]) {
    let mut table = table(
        &["execution", "job", "date", "run", "status", "exit code", "started", "took"],
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

/// An execution with a line for each of its steps, which sums up its partitions.
pub(crate) fn execution(execution: &JobExecution, steps: &[StepExecution]) {
    line(&format!(
        "{}  {} execution {}: {} ({})  {}",
        execution.date,
        execution.job,
        execution.id,
        execution.status,
        execution.exit_code,
        took(execution.start_time, execution.end_time),
    ));
    for own in steps.iter().filter(|step| step.name.partition.is_none()) {
        let partitions: Vec<&StepExecution> = steps
            .iter()
            .filter(|step| step.name.step == own.name.step && step.name.partition.is_some())
            .collect();
        line(&format!(
            "  {:30} {:10} {}",
            own.name,
            own.status,
            if partitions.is_empty() {
                took(own.start_time, own.end_time)
            } else {
                summary(own, &partitions)
            }
        ));
    }
    if !execution.exit_message.is_empty() {
        line(&format!("  {}", execution.exit_message.replace('\n', "\n  ")));
    }
}

fn summary(own: &StepExecution, partitions: &[&StepExecution]) -> String {
    let undone: Vec<String> = partitions
        .iter()
        .filter(|step| step.status != BatchStatus::Completed)
        .map(|step| format!("{} (id {}) {}", step.name, step.id, step.status))
        .collect();
    let done = partitions.len() - undone.len();
    let mut text = format!(
        "{done}/{} partitions, {} read, {} written, {} skipped, {} commits  {}",
        partitions.len(),
        count(own.counters.reads),
        count(own.counters.writes),
        count(own.counters.skips()),
        count(own.counters.commits),
        took(own.start_time, own.end_time),
    );
    for name in undone.iter().take(NAMED) {
        text.push_str("\n    ");
        text.push_str(name);
    }
    if undone.len() > NAMED {
        text.push_str(&format!("\n    and {} more", undone.len() - NAMED));
    }
    text
}

/// Every step and partition, one a line.
pub(crate) fn steps(steps: &[StepExecution]) {
    let mut table = table(
        &[
            "id", "step", "status", "commits", "read", "filtered", "written", "skipped",
            "rollbacks", "took",
        ],
        3,
    );
    for step in steps {
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
        ]);
    }
    line(&table.to_string());
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
        .map(|one| execution_json(one, &[]))
        .collect()
}

/// An execution with its steps in JSON.
pub(crate) fn execution_json(execution: &JobExecution, steps: &[StepExecution]) -> ExecutionJson {
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
        steps: steps.iter().map(step_json).collect(),
    }
}

fn step_json(step: &StepExecution) -> StepJson {
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
    }
}
