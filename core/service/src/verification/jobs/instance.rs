//! A job instance: its name, its parameters, and the key by which Spring Batch finds it.

use crate::verification::{
    findings::{At, Findings, Kind, ROW},
    jobs::foreign,
};
use balance_batch::{
    job::Job,
    parameters::{JobParameter, JobParameters, ParameterValue},
    spring::key::JobKey,
    status::{BatchStatus, ExitCode},
};
use balance_store::verification::{ExecutionFacts, InstanceFacts, ParameterFacts};
use chrono::NaiveDate;

const PARAMETERS: &str = "BATCH_JOB_EXECUTION_PARAMS";

/// Verifies an instance by itself.
pub(in crate::verification) fn verify(
    date: NaiveDate,
    instance: &InstanceFacts,
    findings: &mut Findings,
) {
    let key = format!("instance {} of {date}", instance.id);
    let at = |table| At {
        kind: Kind::JobTables,
        table,
        key: &key,
    };
    if Job::from_name(&instance.job_name).is_none() {
        let expected = Job::DayStatistics.name();
        let at = at("BATCH_JOB_INSTANCE");
        findings.add(at, "JOB_NAME", expected, &instance.job_name);
    }
    if instance.executions.is_empty() {
        findings.add(at("BATCH_JOB_EXECUTION"), ROW, "an execution", "none");
    }
}

/// Compares the parameters and the exit code of an execution with its instance.
pub(in crate::verification) fn verify_execution(
    date: NaiveDate,
    instance: &InstanceFacts,
    execution: &ExecutionFacts,
    status: Option<BatchStatus>,
    findings: &mut Findings,
) {
    if let Some(parameters) = parameters(execution, findings) {
        identity(date, instance, execution, &parameters, findings);
    }
    // Spring Batch ends a day with skipped videos as COMPLETED.
    let is_foreign = execution.is_foreign || foreign::count(execution) > 0;
    if status == Some(BatchStatus::Completed) && !is_foreign {
        let expected = match instance.skipped {
            0 => ExitCode::COMPLETED,
            _ => ExitCode::COMPLETED_WITH_SKIPS,
        };
        let found = execution.run.exit_code.as_deref().unwrap_or_default();
        if found != expected.as_str() {
            let key = format!("execution {}", execution.id);
            let at = At {
                kind: Kind::JobTables,
                table: "BATCH_JOB_EXECUTION",
                key: &key,
            };
            let expected = format!("{expected}: {} videos were skipped", instance.skipped);
            findings.add(at, "EXIT_CODE", expected, found);
        }
    }
}

fn parameters(execution: &ExecutionFacts, findings: &mut Findings) -> Option<JobParameters> {
    let mut parameters = Vec::with_capacity(execution.parameters.len());
    for facts in &execution.parameters {
        parameters.push(parameter(execution, facts, findings));
    }
    let key = format!("execution {}", execution.id);
    let at = At {
        kind: Kind::JobTables,
        table: PARAMETERS,
        key: &key,
    };
    let parameters: Vec<JobParameter> = parameters.into_iter().collect::<Option<_>>()?;
    match JobParameters::new(parameters) {
        Ok(parameters) => Some(parameters),
        Err(error) => {
            findings.add(at, "PARAMETER_NAME", "names that differ", error);
            None
        }
    }
}

fn parameter(
    execution: &ExecutionFacts,
    facts: &ParameterFacts,
    findings: &mut Findings,
) -> Option<JobParameter> {
    let key = format!("execution {}, parameter {}", execution.id, facts.name);
    let at = At {
        kind: Kind::JobTables,
        table: PARAMETERS,
        key: &key,
    };
    let identifying = match facts.identifying.as_str() {
        "Y" => Some(true),
        "N" => Some(false),
        other => {
            findings.add(at, "IDENTIFYING", "Y or N", other);
            None
        }
    };
    let value = facts.value.as_deref().unwrap_or_default();
    match ParameterValue::parse(&facts.class, value) {
        Ok(value) => Some(JobParameter {
            name: facts.name.clone(),
            value,
            identifying: identifying?,
        }),
        Err(error) => {
            let expected = "a class and a value that Spring Batch reads";
            findings.add(at, "PARAMETER_TYPE", expected, error);
            None
        }
    }
}

fn identity(
    date: NaiveDate,
    instance: &InstanceFacts,
    execution: &ExecutionFacts,
    parameters: &JobParameters,
    findings: &mut Findings,
) {
    let key = format!("instance {} of {date}", instance.id);
    let job_key = JobKey::of(parameters);
    if job_key.as_str() != instance.job_key {
        let at = At {
            kind: Kind::JobTables,
            table: "BATCH_JOB_INSTANCE",
            key: &key,
        };
        let expected = format!("{job_key}, of the parameters of execution {}", execution.id);
        findings.add(at, "JOB_KEY", expected, &instance.job_key);
    }
    let key = format!("execution {}", execution.id);
    let at = At {
        kind: Kind::JobTables,
        table: PARAMETERS,
        key: &key,
    };
    if parameters.date() != Some(date) {
        let found = parameters.date();
        let found = found.map_or_else(|| "none".to_owned(), |date| date.to_string());
        findings.add(at, "PARAMETER_VALUE", format!("the date {date}"), found);
    }
    let run_id = parameters.run_id().unwrap_or(0);
    if run_id != instance.run_id {
        let expected = format!("the run.id {}", instance.run_id);
        findings.add(at, "PARAMETER_VALUE", expected, run_id);
    }
}
