//! Reading and watching jobs and their executions, for admins.

use crate::{
    auth::user::Admin,
    errors::{
        problem::{ApiError, Code},
        responses::{ErrorResponse, responses},
    },
    extract::{
        cursor::{self, default_limit},
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

/// The maximum number of concurrent event streams. Further requests are rejected with 503.
const MAX_STREAMS: usize = 256;

#[derive(ApiResponse)]
enum EventsResponse {
    /// The event stream: `progress` after each change, `ended` at the end.
    #[oai(status = 200)]
    Events(Events),
    /// The client has received the last event and must not reconnect.
    #[oai(status = 204)]
    Ended,
}

responses! {
    JobListErrors: 401 403;
    ExecutionListErrors: 401 403;
    ExecutionErrors: 401 403 404;
}

pub(crate) struct JobsApi {
    jobs: Jobs,
    clock: Arc<dyn Clock>,
    streams: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
}

impl JobsApi {
    pub(crate) fn new(clock: Arc<dyn Clock>, jobs: Jobs, stopping: watch::Receiver<bool>) -> Self {
        Self {
            clock,
            jobs,
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            stopping,
        }
    }
}

#[OpenApi(tag = "Tag::Jobs")]
impl JobsApi {
    /// List jobs
    ///
    /// Returns each job with its steps and its newest execution.
    #[oai(path = "/jobs", method = "get", operation_id = "listJobs")]
    async fn list(&self, _admin: Admin) -> Result<Json<JobList>, ErrorResponse<JobListErrors>> {
        // There is one job, so the newest of all executions is the newest of the job.
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
    /// Returns executions, the newest first.
    #[oai(
        path = "/jobs/executions",
        method = "get",
        operation_id = "listJobExecutions"
    )]
    async fn executions(
        &self,
        _admin: Admin,
        /// Return all executions of this business day on one page.
        date: Query<Option<Day>>,
        /// The `next` of the previous page.
        #[oai(validator(max_length = 2048))]
        cursor: Query<Option<String>>,
        /// The maximum number of executions per page.
        #[oai(
            default = "default_limit",
            validator(minimum(value = "1"), maximum(value = "100"))
        )]
        limit: Query<u32>,
    ) -> Result<Json<ExecutionPage>, ErrorResponse<ExecutionListErrors>> {
        let before: Option<i64> = cursor.0.as_deref().map(cursor::read).transpose()?;
        if let Some(Day(date)) = date.0 {
            let date = date::check_business_day(date, "date")?;
            let executions = self.jobs.executions_of(Job::DayStatistics, date).await?;
            return Ok(Json(ExecutionPage::new(executions, None)));
        }
        let page = self
            .jobs
            .executions(before.map(JobExecutionId), limit.0)
            .await?;
        let next = page.next.map(|id| cursor::write(&id.0)).transpose()?;
        Ok(Json(ExecutionPage::new(page.items, next)))
    }

    /// Read an execution
    ///
    /// Returns an execution with its steps, counts of its partitions, and its speed.
    #[oai(
        path = "/jobs/executions/:id",
        method = "get",
        operation_id = "getJobExecution"
    )]
    async fn execution(
        &self,
        _admin: Admin,
        /// The execution's id.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
    ) -> Result<Json<ProgressView>, ErrorResponse<ExecutionErrors>> {
        let progress = self.jobs.progress(JobExecutionId(id.0)).await?;
        Ok(Json(ProgressView::of(progress, self.clock.now_micros())))
    }

    /// List an execution's steps
    ///
    /// Returns steps and partitions by id, with the owners of their leases.
    #[oai(
        path = "/jobs/executions/:id/steps",
        method = "get",
        operation_id = "listStepExecutions"
    )]
    async fn steps(
        &self,
        _admin: Admin,
        /// The execution's id.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        /// The `next` of the previous page.
        #[oai(validator(max_length = 2048))]
        cursor: Query<Option<String>>,
        /// The maximum number of step executions per page.
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
    /// Sends the state of `GET /jobs/executions/{id}` as a server-sent event: immediately, after
    /// each change, and when the execution ends. Each event is complete, so a client that
    /// reconnects has missed nothing. After the end, a request with `Last-Event-ID: ended` is
    /// answered with 204.
    #[oai(
        path = "/jobs/executions/:id/events",
        method = "get",
        operation_id = "watchJobExecution"
    )]
    async fn events(
        &self,
        _admin: Admin,
        /// The execution's id.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        /// The id of the last event that the client received.
        #[oai(name = "Last-Event-ID")]
        last: Header<Option<String>>,
    ) -> Result<EventsResponse, ErrorResponse<ExecutionErrors>> {
        let id = JobExecutionId(id.0);
        let execution = self.jobs.execution(id).await?;
        if last.0.as_deref() == Some(ENDED) && !execution.status.is_running() {
            return Ok(EventsResponse::Ended);
        }
        let Ok(permit) = Arc::clone(&self.streams).try_acquire_owned() else {
            let detail = "The server has reached its limit of watched executions.";
            return Err(ApiError::new(Code::Overloaded, detail).into());
        };
        let events = progress::events(Watch {
            jobs: self.jobs.clone(),
            clock: Arc::clone(&self.clock),
            id,
            stopping: self.stopping.clone(),
            _permit: permit,
        });
        Ok(EventsResponse::Events(Events::of(events)))
    }
}
