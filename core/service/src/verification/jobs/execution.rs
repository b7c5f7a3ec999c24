//! The rows of a job execution: statuses must be valid and times consistent, exactly the unfinished
//! steps must have leases, and managers must be the sums of their partitions.

use crate::verification::{
    findings::{At, Findings, Kind, ROW},
    jobs::{contexts, foreign},
};
use balance_batch::{job::StepName, status::BatchStatus};
use balance_store::verification::{COUNTERS, ExecutionFacts, RunFacts, StepFacts};

const JOB_EXECUTION: &str = "BATCH_JOB_EXECUTION";
pub(super) const STEP_EXECUTION: &str = "BATCH_STEP_EXECUTION";

fn job_tables<'a>(table: &'static str, key: &'a dyn std::fmt::Display) -> At<'a> {
    At {
        kind: Kind::JobTables,
        table,
        key,
    }
}

/// A step execution with a valid name and status.
struct ValidStep<'a> {
    facts: &'a StepFacts,
    name: StepName,
    status: BatchStatus,
}

/// Verifies an execution by itself. Returns its status; `None` if the status is invalid.
pub(in crate::verification) fn verify(
    facts: &ExecutionFacts,
    findings: &mut Findings,
) -> Option<BatchStatus> {
    let key = format!("execution {}", facts.id);
    let at = job_tables(JOB_EXECUTION, &key);
    let status = run(at, &facts.run, findings);
    let has_ended = status.is_some_and(|status| !status.is_running());
    if has_ended && !facts.run.has_start {
        findings.add(at, "START_TIME", "a time", "NULL");
    }
    contexts::decode(
        "BATCH_JOB_EXECUTION_CONTEXT",
        &key,
        facts.run.context.as_ref(),
        findings,
    );
    for step in &facts.orphaned_leases {
        let key = format!("step execution {step} of execution {}", facts.id);
        let at = job_tables("step_lease", &key);
        findings.add(
            at,
            ROW,
            "no lease: the execution has no such step",
            "a lease",
        );
    }
    let mut valid = Vec::with_capacity(facts.steps.len());
    let mut all_are_valid = true;
    for step in &facts.steps {
        match verify_step(facts, status, step, findings) {
            Some(step) => valid.push(step),
            None => all_are_valid = false,
        }
    }
    if all_are_valid {
        managers(facts, &valid, findings);
    }
    status
}

/// Verifies the columns that job executions and step executions have in common. Returns the status;
/// `None` if it is invalid.
fn run(at: At<'_>, run: &RunFacts, findings: &mut Findings) -> Option<BatchStatus> {
    if !run.has_version {
        findings.add(at, "VERSION", "a number", "NULL");
    }
    if !run.has_update {
        findings.add(at, "LAST_UPDATED", "a time", "NULL");
    }
    if run.exit_code.as_deref().unwrap_or_default().is_empty() {
        findings.add(at, "EXIT_CODE", "a word", "nothing");
    }
    let text = run.status.as_deref().unwrap_or("NULL");
    let Ok(status) = text.parse::<BatchStatus>() else {
        findings.add(at, "STATUS", "a status of Spring Batch", text);
        return None;
    };
    if status.is_running() && run.has_end {
        findings.add(at, "END_TIME", format!("NULL: it is {status}"), "a time");
    }
    if !status.is_running() && !run.has_end && status != BatchStatus::Unknown {
        findings.add(at, "END_TIME", format!("a time: it is {status}"), "NULL");
    }
    if status == BatchStatus::Started && !run.has_start {
        findings.add(at, "START_TIME", "a time: it is STARTED", "NULL");
    }
    Some(status)
}

fn verify_step<'a>(
    execution: &ExecutionFacts,
    of_execution: Option<BatchStatus>,
    step: &'a StepFacts,
    findings: &mut Findings,
) -> Option<ValidStep<'a>> {
    let key = step_key(execution, step);
    let at = job_tables(STEP_EXECUTION, &key);
    let status = run(at, &step.run, findings);
    let name = StepName::parse(&step.name);
    if name.is_none() {
        findings.add(at, "STEP_NAME", "a step of dayStatisticsJob", &step.name);
    }
    for (column, counter) in COUNTERS.into_iter().zip(step.counters) {
        match counter {
            None => findings.add(at, column, "a number", "NULL"),
            Some(counter) if counter < 0 => findings.add(at, column, "0 or more", counter),
            Some(_) => {}
        }
    }
    contexts::decode(
        "BATCH_STEP_EXECUTION_CONTEXT",
        &key,
        step.run.context.as_ref(),
        findings,
    );
    let (name, status) = (name?, status?);
    if let Some(of_execution) = of_execution {
        check_consistent(at, of_execution, status, findings);
    }
    let is_claimable = name.partition.is_some() || !name.step.is_partitioned();
    let needs_lease = is_claimable && status.is_running();
    let is_foreign = foreign::is_created(execution, step) || foreign::is_ended(step, status);
    if needs_lease != step.has_lease && !is_foreign {
        let lease = |exists| if exists { "a lease" } else { "no lease" };
        let expected = format!("{}: it is {status}", lease(needs_lease));
        findings.add(
            job_tables("step_lease", &key),
            ROW,
            expected,
            lease(step.has_lease),
        );
    }
    Some(ValidStep {
        facts: step,
        name,
        status,
    })
}

/// Checks that the status of a step is consistent with that of its execution.
fn check_consistent(
    at: At<'_>,
    of_execution: BatchStatus,
    status: BatchStatus,
    findings: &mut Findings,
) {
    let wanted = match of_execution {
        BatchStatus::Completed if status != BatchStatus::Completed => "COMPLETED",
        BatchStatus::Stopped | BatchStatus::Failed | BatchStatus::Abandoned
            if status.is_running() =>
        {
            "ended"
        }
        _ => return,
    };
    let expected = format!("{wanted}: the execution is {of_execution}");
    findings.add(at, "STATUS", expected, status);
}

pub(super) fn step_key(execution: &ExecutionFacts, step: &StepFacts) -> String {
    format!(
        "step execution {} ({} of execution {})",
        step.id, step.name, execution.id
    )
}

/// Checks that each ended manager is the sum of its partitions.
fn managers(execution: &ExecutionFacts, steps: &[ValidStep<'_>], findings: &mut Findings) {
    for manager in steps {
        let is_manager = manager.name.partition.is_none() && manager.name.step.is_partitioned();
        if !is_manager || manager.status.is_running() {
            continue;
        }
        let partitions = steps
            .iter()
            .filter(|one| one.name.partition.is_some() && one.name.step == manager.name.step);
        let has_partitions = partitions.clone().next().is_some();
        // Another program ended it without the sums of its partitions, or before it had any.
        if foreign::is_ended(manager.facts, manager.status)
            || (!has_partitions && foreign::is_created(execution, manager.facts))
        {
            continue;
        }
        let mut sums = [0_i128; COUNTERS.len()];
        // COMPLETED is the smallest status.
        let mut worst = BatchStatus::Completed;
        for partition in partitions {
            worst = worst.max(partition.status);
            for (sum, counter) in sums.iter_mut().zip(partition.facts.counters) {
                *sum += i128::from(counter.unwrap_or(0));
            }
        }
        let key = step_key(execution, manager.facts);
        let at = At {
            kind: Kind::Managers,
            table: STEP_EXECUTION,
            key: &key,
        };
        for ((column, sum), counter) in COUNTERS.into_iter().zip(sums).zip(manager.facts.counters) {
            if let Some(counter) = counter {
                findings.compare(at, column, sum, counter.into());
            }
        }
        // To abandon an execution, Balance abandons its partitions too. Spring keeps the statuses of the
        // steps.
        let expected = match worst {
            BatchStatus::Completed | BatchStatus::Stopped | BatchStatus::Abandoned => worst,
            _ => BatchStatus::Failed,
        };
        if manager.status != expected {
            findings.add(at, "STATUS", expected, manager.status);
        }
    }
}
