//! Job control, for admins.

use crate::{
    auth::Admin,
    body::OptionalBody,
    cursor,
    date::{self, Day},
    edge::RequestId,
    failure::{Failure, refusals},
    job_events::Events,
    job_views::{ExecutionPage, ExecutionView, JobList, JobView, StepPage},
    problem::{Code, Fault},
    progress::{self, ENDED, ProgressView, Watch},
    tag::Tag,
    token::Person,
};
use balance_core::{
    batch::{
        execution::{JobExecutionId, StepExecutionId},
        job::Job,
    },
    port::{audit::Actor, clock::Clock},
    service::{jobs::Jobs, launcher::Launcher},
};
use poem::web::Data;
use poem_openapi::{
    ApiResponse, Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};
use serde::Deserialize;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};

/// Streams of events at a time; more are told to come again.
const MAX_STREAMS: usize = 256;

/// What to launch.
#[derive(Debug, Object, Deserialize)]
#[serde(deny_unknown_fields)]
#[oai(deny_unknown_fields)]
struct Launch {
    /// The business day, from 1970-01-01 to 9998-12-31; without one, the last that is over.
    date: Option<Day>,
}

#[derive(ApiResponse)]
enum Accepted {
    /// It goes on without you; look at the execution.
    #[oai(status = 202)]
    Accepted(
        Json<ExecutionView>,
        /// The execution.
        #[oai(header = "Location")]
        String,
    ),
}

#[derive(ApiResponse)]
enum EventsAnswer {
    /// Events: `progress` whenever something has changed, `ended` at the end.
    #[oai(status = 200)]
    Events(Events),
    /// The end was told: do not come again.
    #[oai(status = 204)]
    Ended,
}

refusals! {
    JobListRefusals: 401 403;
    LaunchRefusals: 401 403 409;
    LaunchJobRefusals: 401 403 404 409 415;
    ExecutionListRefusals: 401 403;
    ExecutionRefusals: 401 403 404;
    ControlRefusals: 401 403 404 409;
}

const fn default_limit() -> u32 {
    20
}

/// Jobs.
pub(crate) struct JobsApi {
    launcher: Launcher,
    jobs: Jobs,
    clock: Arc<dyn Clock>,
    streams: Arc<Semaphore>,
    is_ending: watch::Receiver<bool>,
}

impl JobsApi {
    pub(crate) fn new(launcher: Launcher, jobs: Jobs, is_ending: watch::Receiver<bool>) -> Self {
        Self {
            clock: Arc::clone(&launcher.clock),
            launcher,
            jobs,
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            is_ending,
        }
    }

    /// The launcher on an admin's behalf.
    fn launcher(&self, person: Person, request_id: &RequestId) -> Launcher {
        self.launcher.by(Actor::Admin {
            user_id: person.user_id,
            request_id: request_id.0.clone(),
        })
    }

    async fn launch(&self, launcher: &Launcher, date: Option<Day>) -> Result<Accepted, Fault> {
        let date = match date {
            Some(Day(date)) => date::business(date, "date")?,
            None => launcher.last_day_over()?,
        };
        let launched = launcher.launch(date).await?;
        self.accepted(launched.id).await
    }

    async fn accepted(&self, id: JobExecutionId) -> Result<Accepted, Fault> {
        let execution = self.jobs.execution(id).await?;
        let location = format!("/jobs/executions/{id}");
        Ok(Accepted::Accepted(Json(execution.into()), location))
    }
}

#[OpenApi(tag = "Tag::Jobs")]
impl JobsApi {
    /// Settle a day
    ///
    /// As `POST /jobs/dayStatisticsJob/executions`, by the address that it has always had. A GET
    /// that does something: links and images cannot ask for it, for they bring no access token.
    #[oai(
        path = "/run-day-batch-job",
        method = "get",
        operation_id = "runDayBatchJob"
    )]
    async fn run_day_batch_job(
        &self,
        admin: Admin,
        request_id: Data<&RequestId>,
        /// The business day, from 1970-01-01 to 9998-12-31; without one, the last that is over.
        date: Query<Option<Day>>,
    ) -> Result<Accepted, Failure<LaunchRefusals>> {
        let launcher = self.launcher(admin.0, request_id.0);
        Ok(self.launch(&launcher, date.0).await?)
    }

    /// List jobs
    #[oai(path = "/jobs", method = "get", operation_id = "listJobs")]
    async fn list(&self, _admin: Admin) -> Result<Json<JobList>, Failure<JobListRefusals>> {
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

    /// Launch a job
    ///
    /// Settles a day that is over: its first instance, a restart of one that stopped or failed, or
    /// a new instance after an abandoned one.
    #[oai(
        path = "/jobs/:name/executions",
        method = "post",
        operation_id = "launchJob"
    )]
    async fn launch_job(
        &self,
        admin: Admin,
        request_id: Data<&RequestId>,
        /// The job.
        name: Path<String>,
        body: OptionalBody<Launch>,
    ) -> Result<Accepted, Failure<LaunchJobRefusals>> {
        if Job::from_name(&name.0).is_none() {
            return Err(Fault::new(Code::NoSuchJob, "See /jobs for those that there are.").into());
        }
        let date = body.0.and_then(|body| body.date);
        let launcher = self.launcher(admin.0, request_id.0);
        Ok(self.launch(&launcher, date).await?)
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
    ) -> Result<Json<ExecutionPage>, Failure<ExecutionListRefusals>> {
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
    ) -> Result<Json<ProgressView>, Failure<ExecutionRefusals>> {
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
    ) -> Result<Json<StepPage>, Failure<ExecutionRefusals>> {
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
    ) -> Result<EventsAnswer, Failure<ExecutionRefusals>> {
        let id = JobExecutionId(id.0);
        let execution = self.jobs.execution(id).await?;
        if last.0.as_deref() == Some(ENDED) && !execution.status.is_running() {
            return Ok(EventsAnswer::Ended);
        }
        let Ok(place) = Arc::clone(&self.streams).try_acquire_owned() else {
            let detail = "As many executions are watched as can be at a time.";
            return Err(Fault::new(Code::Overloaded, detail).into());
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

    /// Restart an execution
    ///
    /// One that stopped or failed, the newest of its day. What is COMPLETED stays; the rest goes on
    /// from where it was, in a new execution. Quarantined partitions stay FAILED: retry them.
    #[oai(
        path = "/jobs/executions/:id/restart",
        method = "post",
        operation_id = "restartJobExecution"
    )]
    async fn restart(
        &self,
        admin: Admin,
        request_id: Data<&RequestId>,
        /// The execution.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
    ) -> Result<Accepted, Failure<ControlRefusals>> {
        let launcher = self.launcher(admin.0, request_id.0);
        let launched = launcher.restart(JobExecutionId(id.0)).await?;
        Ok(self.accepted(launched.id).await?)
    }

    /// Stop an execution
    ///
    /// Chunks at work finish; then it is STOPPED and can be restarted.
    #[oai(
        path = "/jobs/executions/:id/stop",
        method = "post",
        operation_id = "stopJobExecution"
    )]
    async fn stop(
        &self,
        admin: Admin,
        request_id: Data<&RequestId>,
        /// The execution.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
    ) -> Result<Accepted, Failure<ControlRefusals>> {
        let id = JobExecutionId(id.0);
        self.launcher(admin.0, request_id.0).stop(id).await?;
        Ok(self.accepted(id).await?)
    }

    /// Abandon an execution
    ///
    /// Gives one up for good that has ended or is stopping; its day can then be launched anew.
    #[oai(
        path = "/jobs/executions/:id/abandon",
        method = "post",
        operation_id = "abandonJobExecution"
    )]
    async fn abandon(
        &self,
        admin: Admin,
        request_id: Data<&RequestId>,
        /// The execution.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
    ) -> Result<Accepted, Failure<ControlRefusals>> {
        let id = JobExecutionId(id.0);
        self.launcher(admin.0, request_id.0).abandon(id).await?;
        Ok(self.accepted(id).await?)
    }

    /// Retry a partition
    ///
    /// Restarts the execution of a failed partition, which runs again even if it is quarantined.
    #[oai(
        path = "/jobs/steps/:id/retry",
        method = "post",
        operation_id = "retryStepExecution"
    )]
    async fn retry(
        &self,
        admin: Admin,
        request_id: Data<&RequestId>,
        /// The partition's step execution.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
    ) -> Result<Accepted, Failure<ControlRefusals>> {
        let launcher = self.launcher(admin.0, request_id.0);
        let launched = launcher.retry(StepExecutionId(id.0)).await?;
        Ok(self.accepted(launched.id).await?)
    }
}
