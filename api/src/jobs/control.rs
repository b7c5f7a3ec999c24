//! What admins do to jobs: launch, restart, stop, abandon, retry.

use crate::{
    auth::{token::Person, user::Admin},
    errors::{
        problem::{ApiError, Code},
        responses::{ErrorResponse, responses},
    },
    extract::{
        body::OptionalBody,
        date::{self, Day},
    },
    jobs::views::ExecutionView,
    middleware::stack::RequestId,
    openapi::tag::Tag,
};
use balance_batch::{
    execution::{JobExecutionId, StepExecutionId},
    job::Job,
};
use balance_service::jobs::{launcher::Launcher, queries::Jobs};
use balance_store::operations::Actor;
use poem::web::Data;
use poem_openapi::{
    ApiResponse, Object, OpenApi,
    param::{Path, Query},
    payload::Json,
    types::Example,
};
use serde::Deserialize;

/// What to launch.
#[derive(Debug, Object, Deserialize)]
#[serde(deny_unknown_fields)]
#[oai(rename = "LaunchRequest", deny_unknown_fields, example)]
struct Launch {
    /// The business day, from 1970-01-01 to 9998-12-31; without one, the last that is over.
    date: Option<Day>,
}

impl Example for Launch {
    fn example() -> Self {
        Self {
            date: Some(Day::example()),
        }
    }
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

responses! {
    LaunchErrors: 401 403 409;
    LaunchJobErrors: 401 403 404 409 415;
    ControlErrors: 401 403 404 409;
}

/// Job control.
pub(crate) struct JobControlApi {
    pub(crate) launcher: Launcher,
    pub(crate) jobs: Jobs,
}

impl JobControlApi {
    /// The launcher on an admin's behalf.
    fn launcher(&self, person: Person, request_id: &RequestId) -> Launcher {
        self.launcher.by(Actor::Admin {
            user_id: person.user_id,
            request_id: request_id.0.clone(),
        })
    }

    async fn launch(&self, launcher: &Launcher, date: Option<Day>) -> Result<Accepted, ApiError> {
        let date = match date {
            Some(Day(date)) => date::business(date, "date")?,
            None => launcher.last_day_over()?,
        };
        let launched = launcher.launch(date).await?;
        self.accepted(launched.id).await
    }

    async fn accepted(&self, id: JobExecutionId) -> Result<Accepted, ApiError> {
        let execution = self.jobs.execution(id).await?;
        let location = format!("/jobs/executions/{id}");
        Ok(Accepted::Accepted(Json(execution.into()), location))
    }
}

#[OpenApi(tag = "Tag::Jobs")]
impl JobControlApi {
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
    ) -> Result<Accepted, ErrorResponse<LaunchErrors>> {
        let launcher = self.launcher(admin.0, request_id.0);
        Ok(self.launch(&launcher, date.0).await?)
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
    ) -> Result<Accepted, ErrorResponse<LaunchJobErrors>> {
        if Job::from_name(&name.0).is_none() {
            return Err(
                ApiError::new(Code::NoSuchJob, "See /jobs for those that there are.").into(),
            );
        }
        let date = body.0.and_then(|body| body.date);
        let launcher = self.launcher(admin.0, request_id.0);
        Ok(self.launch(&launcher, date).await?)
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
    ) -> Result<Accepted, ErrorResponse<ControlErrors>> {
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
    ) -> Result<Accepted, ErrorResponse<ControlErrors>> {
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
    ) -> Result<Accepted, ErrorResponse<ControlErrors>> {
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
    ) -> Result<Accepted, ErrorResponse<ControlErrors>> {
        let launcher = self.launcher(admin.0, request_id.0);
        let launched = launcher.retry(StepExecutionId(id.0)).await?;
        Ok(self.accepted(launched.id).await?)
    }
}
