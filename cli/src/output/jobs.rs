//! Job executions, steps and partitions.

use crate::output::{count, line, table};
use balance_api::views::{self, ExecutionPage, ExecutionView, NoJson, StepView};
use balance_batch::{
    execution::{JobExecution, JobExecutionId},
    status::BatchStatus,
    step::StepExecution,
};
use balance_service::{jobs::queries::OwnedStepExecution, listing::Listing};
use balance_store::operations::LeaseOwner;
use chrono::NaiveDateTime;
use serde_json::{Value, json};

/// Maximum number of partitions of a step that are all printed. Of more, only those that have not
/// completed are.
const SHOWN: usize = 32;

fn took(start: Option<NaiveDateTime>, end: Option<NaiveDateTime>) -> String {
    start.zip(end).map_or_else(String::new, |(start, end)| {
        format!("{} ms", (end - start).num_milliseconds())
    })
}

/// Prints executions as a table. It names the launching program if one of them is foreign.
pub(crate) fn executions(executions: &[JobExecution]) {
    let mut header = vec![
        "execution",
        "job",
        "date",
        "run",
        "status",
        "exit code",
        "started",
        "took",
    ];
    let has_foreign = executions.iter().any(|one| one.is_foreign);
    if has_foreign {
        header.push("launched by");
    }
    let mut table = table(&header, 7);
    for one in executions {
        let mut row = vec![
            one.id.to_string(),
            one.job.to_string(),
            one.date.to_string(),
            one.run_id.map_or_else(String::new, |run| run.to_string()),
            one.status.to_string(),
            one.exit_code.to_string(),
            one.start_time
                .map_or_else(String::new, |at| at.format("%Y-%m-%d %H:%M:%S").to_string()),
            took(one.start_time, one.end_time),
        ];
        if has_foreign {
            let program = if one.is_foreign {
                "another program"
            } else {
                "Balance"
            };
            row.push(program.to_owned());
        }
        table.add_row(row);
    }
    line(&table.to_string());
}

/// Prints an execution with its steps and partitions on one line each.
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
    if execution.is_foreign {
        line("  launched by another program, such as Spring Batch");
    }
}

/// Prints why the execution did not complete.
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

/// Prints an execution and a table of all its steps and partitions with their IDs.
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
            "owned by",
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

/// Returns a page of executions in the JSON of `GET /jobs/executions`. `next` is an execution ID for
/// `--after`.
pub(crate) fn executions_json(
    page: Listing<JobExecution, JobExecutionId>,
) -> Result<Value, NoJson> {
    let next = page.next.map(|id| id.to_string());
    views::to_json(&ExecutionPage::new(page.items, next))
}

/// Returns an execution with all its steps and partitions, in the JSON types of the API.
pub(crate) fn execution_json(
    execution: JobExecution,
    steps: Vec<StepExecution>,
    owners: &[LeaseOwner],
) -> Result<Value, NoJson> {
    let steps = steps
        .into_iter()
        .map(|step| {
            let owner = owners.iter().find(|owner| owner.step == step.id).cloned();
            let step = StepView::from(OwnedStepExecution { step, owner });
            views::to_json(&step)
        })
        .collect::<Result<Vec<Value>, NoJson>>()?;
    let execution = views::to_json(&ExecutionView::from(execution))?;
    Ok(json!({ "execution": execution, "steps": steps }))
}
