//! Executions, steps and who holds them, as clients read them.

use crate::{
    extract::date::{Day, moment},
    jobs::status::{EndCode, Status},
};
use balance_batch::{execution::JobExecution, step::StepExecution};
use balance_service::jobs::queries::OwnedStepExecution;
use balance_store::{jobs::StepProgress, operations::LeaseOwner};
use chrono::{DateTime, NaiveDateTime, Utc};
use poem_openapi::{Object, types::Example};

/// An execution: one attempt at settling a day.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "JobExecution", rename_all = "camelCase", example)]
pub(crate) struct ExecutionView {
    /// Its id.
    pub(crate) id: i64,
    /// The instance that it runs: the job and the day.
    instance_id: i64,
    /// The job.
    job: String,
    /// The business day.
    date: Day,
    /// The number of the day's instance where it is not the first: after an abandoned one.
    run_id: Option<i64>,
    /// How far it is.
    status: Status,
    /// How it ended; EXECUTING or UNKNOWN before the end.
    exit_code: EndCode,
    /// Why it did not complete.
    exit_message: String,
    /// When it was launched.
    create_time: DateTime<Utc>,
    /// When it began.
    start_time: Option<DateTime<Utc>>,
    /// When it ended.
    end_time: Option<DateTime<Utc>>,
}

impl Example for ExecutionView {
    fn example() -> Self {
        Self {
            id: 14,
            instance_id: 14,
            job: "dayStatisticsJob".to_owned(),
            date: Day::example(),
            run_id: None,
            status: Status::Started,
            exit_code: EndCode::Unknown,
            exit_message: String::new(),
            create_time: moment(1),
            start_time: Some(moment(1)),
            end_time: None,
        }
    }
}

impl ExecutionView {
    /// Whether nothing of it goes on any more.
    pub(crate) const fn has_ended(&self) -> bool {
        self.end_time.is_some()
    }
}

impl From<JobExecution> for ExecutionView {
    fn from(execution: JobExecution) -> Self {
        Self {
            id: execution.id.0,
            instance_id: execution.instance_id.0,
            job: execution.job.name().to_owned(),
            date: execution.date.into(),
            run_id: execution.run_id,
            status: execution.status.into(),
            exit_code: (&execution.exit_code).into(),
            exit_message: execution.exit_message,
            create_time: execution.create_time.and_utc(),
            start_time: execution.start_time.as_ref().map(NaiveDateTime::and_utc),
            end_time: execution.end_time.as_ref().map(NaiveDateTime::and_utc),
        }
    }
}

/// A job.
#[derive(Debug, Object)]
#[oai(rename = "Job", rename_all = "camelCase", example)]
pub(crate) struct JobView {
    /// Its name.
    pub(crate) name: String,
    /// Its steps, in the order in which they run.
    pub(crate) steps: Vec<String>,
    /// Its newest execution.
    pub(crate) last_execution: Option<ExecutionView>,
}

impl Example for JobView {
    fn example() -> Self {
        Self {
            name: "dayStatisticsJob".to_owned(),
            steps: [
                "closeDayStep",
                "partitionedDayStatisticsStep",
                "partitionedDayRevenueStep",
                "partitionedPeriodRollupStep",
            ]
            .map(ToOwned::to_owned)
            .to_vec(),
            last_execution: Some(ExecutionView::example()),
        }
    }
}

/// All jobs.
#[derive(Debug, Object)]
#[oai(example)]
pub(crate) struct JobList {
    /// The jobs.
    pub(crate) items: Vec<JobView>,
}

impl Example for JobList {
    fn example() -> Self {
        Self {
            items: vec![JobView::example()],
        }
    }
}

/// A page of executions, the newest first.
#[derive(Debug, Object)]
#[oai(rename = "JobExecutionPage", example)]
pub(crate) struct ExecutionPage {
    /// The executions.
    pub(crate) items: Vec<ExecutionView>,
    /// The `cursor` of the next page; null on the last one.
    pub(crate) next: Option<String>,
}

impl Example for ExecutionPage {
    fn example() -> Self {
        Self {
            items: vec![ExecutionView::example()],
            next: Some("MTQ".to_owned()),
        }
    }
}

/// A step execution: a step's own row, or a partition's.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "StepExecution", rename_all = "camelCase", example)]
pub(crate) struct StepView {
    /// Its id.
    id: i64,
    /// `closeDayStep`, `partitionedDayStatisticsStep`, `dayStatisticsStep:partition0`, …
    pub(crate) name: String,
    /// How far it is.
    status: Status,
    /// How it ended; EXECUTING or UNKNOWN before the end.
    exit_code: EndCode,
    /// Why it did not complete.
    exit_message: String,
    /// Chunks written.
    commit_count: i64,
    /// Videos read.
    read_count: i64,
    /// Videos that made no row.
    filter_count: i64,
    /// Rows written.
    write_count: i64,
    /// Videos skipped.
    skip_count: i64,
    /// Chunks rolled back.
    rollback_count: i64,
    /// When it was first claimed.
    start_time: Option<DateTime<Utc>>,
    /// When it ended.
    end_time: Option<DateTime<Utc>>,
    /// Who has a lease on it.
    pub(crate) lease_owner: Option<LeaseOwnerView>,
}

impl Example for StepView {
    fn example() -> Self {
        Self {
            id: 205,
            name: "dayStatisticsStep:partition3".to_owned(),
            status: Status::Started,
            exit_code: EndCode::Executing,
            exit_message: String::new(),
            commit_count: 2,
            read_count: 2_000,
            filter_count: 0,
            write_count: 2_000,
            skip_count: 0,
            rollback_count: 0,
            start_time: Some(moment(2)),
            end_time: None,
            lease_owner: Some(LeaseOwnerView::example()),
        }
    }
}

impl From<OwnedStepExecution> for StepView {
    fn from(OwnedStepExecution { step, owner }: OwnedStepExecution) -> Self {
        Self {
            lease_owner: owner.map(Into::into),
            ..step.into()
        }
    }
}

impl From<StepExecution> for StepView {
    fn from(step: StepExecution) -> Self {
        Self {
            id: step.id.0,
            name: step.name.to_string(),
            status: step.status.into(),
            exit_code: (&step.exit_code).into(),
            exit_message: step.exit_message,
            commit_count: step.counters.commits,
            read_count: step.counters.reads,
            filter_count: step.counters.filters,
            write_count: step.counters.writes,
            skip_count: step.counters.skips(),
            rollback_count: step.counters.rollbacks,
            start_time: step.start_time.as_ref().map(NaiveDateTime::and_utc),
            end_time: step.end_time.as_ref().map(NaiveDateTime::and_utc),
            lease_owner: None,
        }
    }
}

/// A page of step executions.
#[derive(Debug, Object)]
#[oai(rename = "StepExecutionPage", example)]
pub(crate) struct StepPage {
    /// The step executions, by id.
    pub(crate) items: Vec<StepView>,
    /// The `cursor` of the next page; null on the last one.
    pub(crate) next: Option<String>,
}

impl Example for StepPage {
    fn example() -> Self {
        Self {
            items: vec![StepView::example()],
            next: Some("MjA1".to_owned()),
        }
    }
}

/// Who holds a step execution.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "LeaseOwner", rename_all = "camelCase", example)]
pub(crate) struct LeaseOwnerView {
    /// The worker.
    worker: String,
    /// The end of its lease.
    expires_at: DateTime<Utc>,
    /// Whether that is over: anybody may take the step over.
    is_expired: bool,
}

impl Example for LeaseOwnerView {
    fn example() -> Self {
        Self {
            worker: "worker-a-4711-01976f3e".to_owned(),
            expires_at: moment(17),
            is_expired: false,
        }
    }
}

impl From<LeaseOwner> for LeaseOwnerView {
    fn from(owner: LeaseOwner) -> Self {
        Self {
            worker: owner.worker,
            expires_at: owner.expires_at,
            is_expired: owner.is_expired,
        }
    }
}

/// The partitions of a step, counted.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "StepPartitions", rename_all = "camelCase", example)]
pub(crate) struct PartitionsView {
    /// The step.
    step: String,
    /// Nobody has begun them.
    waiting: u64,
    /// Begun and not ended.
    running: u64,
    /// COMPLETED.
    completed: u64,
    /// Ended in another way.
    failed: u64,
    /// Videos read.
    read_count: i64,
    /// Rows written.
    write_count: i64,
    /// Videos skipped.
    skip_count: i64,
    /// Chunks written.
    commit_count: i64,
}

impl Example for PartitionsView {
    fn example() -> Self {
        Self {
            step: "partitionedDayStatisticsStep".to_owned(),
            waiting: 3,
            running: 4,
            completed: 1,
            failed: 0,
            read_count: 9_000,
            write_count: 9_000,
            skip_count: 0,
            commit_count: 9,
        }
    }
}

impl From<StepProgress> for PartitionsView {
    fn from(progress: StepProgress) -> Self {
        Self {
            step: progress.step.name().to_owned(),
            waiting: progress.waiting,
            running: progress.running,
            completed: progress.completed,
            failed: progress.failed,
            read_count: progress.counters.reads,
            write_count: progress.counters.writes,
            skip_count: progress.counters.skips(),
            commit_count: progress.counters.commits,
        }
    }
}
