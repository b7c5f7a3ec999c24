//! Jobs and their executions, read and watched, for admins.

use crate::{
    auth::user::Admin,
    errors::{
        problem::{ApiError, Code},
        responses::{ErrorResponse, responses},
    },
    extract::{
        cursor,
        date::{self, Day},
    },
    jobs::{
        progress::{self, ENDED, ProgressView, Watch},
        sse::Events,
        views::{ExecutionPage, JobList, JobView, StepPage},
    },
    openapi::tag::Tag,
};
use balance_batch::{
    execution::{JobExecutionId, StepExecutionId},
    job::Job,
};
use balance_domain::clock::Clock;
use balance_service::jobs::queries::Jobs;
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};

/// Streams of events at a time; more are told to come again.
const MAX_STREAMS: usize = 256;

#[derive(ApiResponse)]
enum EventsAnswer {
    /// Events: `progress` whenever something has changed, `ended` at the end.
    #[oai(status = 200)]
    Events(Events),
    /// The end was told: do not come again.
    #[oai(status = 204)]
    Ended,
}

responses! {
    JobListErrors: 401 403;
    ExecutionListErrors: 401 403;
    ExecutionErrors: 401 403 404;
}

const fn default_limit() -> u32 {
    20
}

/// Jobs.
pub(crate) struct JobsApi {
    jobs: Jobs,
    clock: Arc<dyn Clock>,
    streams: Arc<Semaphore>,
    is_ending: watch::Receiver<bool>,
}

impl JobsApi {
    pub(crate) fn new(clock: Arc<dyn Clock>, jobs: Jobs, is_ending: watch::Receiver<bool>) -> Self {
        Self {
            clock,
            jobs,
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            is_ending,
        }
    }
}

#[OpenApi(tag = "Tag::Jobs")]
impl JobsApi {
    /// List jobs
    ///
    /// Each with its steps and its newest execution.
    #[oai(path = "/jobs", method = "get", operation_id = "listJobs")]
    async fn list(&self, _admin: Admin) -> Result<Json<JobList>, ErrorResponse<JobListErrors>> {
        // There is one job: the newest execution of all is its newest.
        let mut newest = self.jobs.executions(None, 1).await?.items.into_iter();
        let items = Job::ALL
            .iter()
            .map(|job| JobView {
                name: job.name().to_owned(),
                steps: job
                    .steps()
                    .iter()
                    .map(|step| step.name().to_owned())
                    .collect(),
                last_execution: newest.next().map(Into::into),
            })
            .collect();
        Ok(Json(JobList { items }))
    }

    /// List executions
    ///
    /// The newest first.
    #[oai(
        path = "/jobs/executions",
        method = "get",
        operation_id = "listJobExecutions"
    )]
    async fn executions(
        &self,
        _admin: Admin,
        /// Only those of this business day; all of them are on one page.
        date: Query<Option<Day>>,
        /// The `next` of the page before.
        #[oai(validator(max_length = 2048))]
        cursor: Query<Option<String>>,
        /// Executions on a page.
        #[oai(
            default = "default_limit",
            validator(minimum(value = "1"), maximum(value = "100"))
        )]
        limit: Query<u32>,
    ) -> Result<Json<ExecutionPage>, ErrorResponse<ExecutionListErrors>> {
        let before: Option<i64> = cursor.0.as_deref().map(cursor::read).transpose()?;
        if let Some(Day(date)) = date.0 {
            let date = date::business(date, "date")?;
            let executions = self.jobs.executions_of(Job::DayStatistics, date).await?;
            let items = executions.into_iter().map(Into::into).collect();
            return Ok(Json(ExecutionPage { items, next: None }));
        }
        let page = self
            .jobs
            .executions(before.map(JobExecutionId), limit.0)
            .await?;
        Ok(Json(ExecutionPage {
            items: page.items.into_iter().map(Into::into).collect(),
            next: page.next.map(|id| cursor::write(&id.0)).transpose()?,
        }))
    }

    /// Read an execution
    ///
    /// With its steps, its partitions counted, and how fast it is.
    #[oai(
        path = "/jobs/executions/:id",
        method = "get",
        operation_id = "getJobExecution"
    )]
    async fn execution(
        &self,
        _admin: Admin,
        /// The execution.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
    ) -> Result<Json<ProgressView>, ErrorResponse<ExecutionErrors>> {
        let progress = self.jobs.progress(JobExecutionId(id.0)).await?;
        Ok(Json(ProgressView::of(progress, self.clock.now_micros())))
    }

    /// List an execution's steps
    ///
    /// Partitions included, by id, with who holds them.
    #[oai(
        path = "/jobs/executions/:id/steps",
        method = "get",
        operation_id = "listStepExecutions"
    )]
    async fn steps(
        &self,
        _admin: Admin,
        /// The execution.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        /// The `next` of the page before.
        #[oai(validator(max_length = 2048))]
        cursor: Query<Option<String>>,
        /// Steps on a page.
        #[oai(
            default = "default_limit",
            validator(minimum(value = "1"), maximum(value = "100"))
        )]
        limit: Query<u32>,
    ) -> Result<Json<StepPage>, ErrorResponse<ExecutionErrors>> {
        let after: Option<i64> = cursor.0.as_deref().map(cursor::read).transpose()?;
        let id = JobExecutionId(id.0);
        let page = self
            .jobs
            .steps(id, after.map(StepExecutionId), limit.0)
            .await?;
        Ok(Json(StepPage {
            items: page.items.into_iter().map(Into::into).collect(),
            next: page.next.map(|id| cursor::write(&id.0)).transpose()?,
        }))
    }

    /// Watch an execution
    ///
    /// Server-sent events, each with everything that `GET /jobs/executions/{id}` answers: at once,
    /// then whenever something has changed, until the execution ends. Whoever is cut off comes
    /// again and has missed nothing; after the end, with `Last-Event-ID: ended`, the answer is 204.
    #[oai(
        path = "/jobs/executions/:id/events",
        method = "get",
        operation_id = "watchJobExecution"
    )]
    async fn events(
        &self,
        _admin: Admin,
        /// The execution.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        /// The last event that was seen.
        #[oai(name = "Last-Event-ID")]
        last: Header<Option<String>>,
    ) -> Result<EventsAnswer, ErrorResponse<ExecutionErrors>> {
        let id = JobExecutionId(id.0);
        let execution = self.jobs.execution(id).await?;
        if last.0.as_deref() == Some(ENDED) && !execution.status.is_running() {
            return Ok(EventsAnswer::Ended);
        }
        let Ok(place) = Arc::clone(&self.streams).try_acquire_owned() else {
            let detail = "As many executions are watched as can be at a time.";
            return Err(ApiError::new(Code::Overloaded, detail).into());
        };
        let events = progress::events(Watch {
            jobs: self.jobs.clone(),
            clock: Arc::clone(&self.clock),
            id,
            is_ending: self.is_ending.clone(),
            _place: place,
        });
        Ok(EventsAnswer::Events(Events::of(events)))
    }
}
