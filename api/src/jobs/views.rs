//! The JSON types of jobs, executions, steps and lease owners.

use crate::{
    extract::date::{Day, moment},
    jobs::status::{ExitCodeView, StatusView},
};
use balance_batch::{execution::JobExecution, step::StepExecution};
use balance_service::jobs::queries::OwnedStepExecution;
use balance_store::{jobs::StepProgress, operations::LeaseOwner};
use chrono::{DateTime, NaiveDateTime, Utc};
use poem_openapi::{Object, types::Example};

/// A job execution: one attempt to settle a day.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "JobExecution", rename_all = "camelCase", example)]
pub struct ExecutionView {
    /// The execution's id.
    id: i64,
    /// The id of the job instance: the job and the day.
    instance_id: i64,
    /// The name of the job.
    job: String,
    /// The business day.
    date: Day,
    /// The number of the day's instance after an abandoned one; null for the first instance.
    run_id: Option<i64>,
    /// The status.
    status: StatusView,
    /// The exit code; EXECUTING or UNKNOWN before the end.
    exit_code: ExitCodeView,
    /// The reason if it did not complete, otherwise empty.
    exit_message: String,
    /// The time of the launch.
    create_time: DateTime<Utc>,
    /// The time of the start.
    start_time: Option<DateTime<Utc>>,
    /// The time of the end.
    end_time: Option<DateTime<Utc>>,
    /// Whether another program launched it, such as Spring Batch. That program runs it.
    is_foreign: bool,
}

impl Example for ExecutionView {
    fn example() -> Self {
        Self {
            id: 14,
            instance_id: 14,
            job: "dayStatisticsJob".to_owned(),
            date: Day::example(),
            run_id: None,
            status: StatusView::Started,
            exit_code: ExitCodeView::Unknown,
            exit_message: String::new(),
            create_time: moment(1),
            start_time: Some(moment(1)),
            end_time: None,
            is_foreign: false,
        }
    }
}

impl ExecutionView {
    /// Returns whether the execution has ended.
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
            is_foreign: execution.is_foreign,
        }
    }
}

/// A job.
#[derive(Debug, Object)]
#[oai(rename = "Job", rename_all = "camelCase", example)]
pub(crate) struct JobView {
    /// The job's name.
    pub(crate) name: String,
    /// The names of the steps, in the order in which they run.
    pub(crate) steps: Vec<String>,
    /// The newest execution.
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
pub struct ExecutionPage {
    /// The executions.
    items: Vec<ExecutionView>,
    /// The cursor of the next page; null on the last page.
    next: Option<String>,
}

impl ExecutionPage {
    /// Creates a page. `next` is the cursor of the next page.
    #[must_use]
    pub fn new(executions: impl IntoIterator<Item = JobExecution>, next: Option<String>) -> Self {
        Self {
            items: executions.into_iter().map(Into::into).collect(),
            next,
        }
    }
}

impl Example for ExecutionPage {
    fn example() -> Self {
        Self {
            items: vec![ExecutionView::example()],
            next: Some("MTQ".to_owned()),
        }
    }
}

/// A step execution: a step, or a partition of a step.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "StepExecution", rename_all = "camelCase", example)]
pub struct StepView {
    /// The step execution's id.
    id: i64,
    /// The name, such as `closeDayStep`, `partitionedDayStatisticsStep`, or
    /// `dayStatisticsStep:partition0`.
    pub(crate) name: String,
    /// The status.
    status: StatusView,
    /// The exit code; EXECUTING or UNKNOWN before the end.
    exit_code: ExitCodeView,
    /// The reason if it did not complete, otherwise empty.
    exit_message: String,
    /// The committed chunks.
    commit_count: i64,
    /// The videos read.
    read_count: i64,
    /// The videos without a result row.
    filter_count: i64,
    /// The rows written.
    write_count: i64,
    /// The videos skipped.
    skip_count: i64,
    /// The chunks rolled back.
    rollback_count: i64,
    /// The time of the first claim.
    start_time: Option<DateTime<Utc>>,
    /// The time of the end.
    end_time: Option<DateTime<Utc>>,
    /// The owner of the lease, if a worker has claimed the step.
    pub(crate) lease_owner: Option<LeaseOwnerView>,
}

impl Example for StepView {
    fn example() -> Self {
        Self {
            id: 205,
            name: "dayStatisticsStep:partition3".to_owned(),
            status: StatusView::Started,
            exit_code: ExitCodeView::Executing,
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
    /// The cursor of the next page; null on the last page.
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

/// The owner of the lease on a step execution.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "LeaseOwner", rename_all = "camelCase", example)]
pub struct LeaseOwnerView {
    /// The name of the worker.
    worker: String,
    /// The time at which the lease expires.
    expires_at: DateTime<Utc>,
    /// Whether the lease has expired, so that another worker may claim the step.
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

/// The numbers of a step's partitions, and their counters.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(rename = "StepPartitions", rename_all = "camelCase", example)]
pub struct PartitionsView {
    /// The name of the step.
    step: String,
    /// The partitions that have not started.
    waiting: u64,
    /// The partitions that have started and not ended.
    running: u64,
    /// The partitions that are COMPLETED.
    completed: u64,
    /// The partitions that ended without completing.
    failed: u64,
    /// The videos read.
    read_count: i64,
    /// The rows written.
    write_count: i64,
    /// The videos skipped.
    skip_count: i64,
    /// The committed chunks.
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
