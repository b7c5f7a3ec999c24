//! Job control for admins: launch, restart, stop, abandon, retry.

use crate::{
    auth::{token::Identity, user::Admin},
    errors::{
        problem::{ApiError, Code},
        responses::{ErrorResponse, responses},
    },
    extract::{
        body::OptionalBody,
        date::{self, Day},
    },
    jobs::views::ExecutionView,
    middleware::request_id::RequestId,
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

/// The date to launch.
#[derive(Debug, Object, Deserialize)]
#[serde(deny_unknown_fields)]
#[oai(deny_unknown_fields, example)]
struct LaunchRequest {
    /// The business day, from 1970-01-01 to 9998-12-31. The default is the last day that is over.
    date: Option<Day>,
}

impl Example for LaunchRequest {
    fn example() -> Self {
        Self {
            date: Some(Day::example()),
        }
    }
}

#[derive(ApiResponse)]
enum ControlResponse {
    /// Accepted. The execution runs asynchronously.
    #[oai(status = 202)]
    Accepted(
        Json<ExecutionView>,
        /// The path of the execution.
        #[oai(header = "Location")]
        String,
    ),
}

responses! {
    LaunchErrors: 401 403 409;
    LaunchJobErrors: 401 403 404 409 415;
    ControlErrors: 401 403 404 409;
}

pub(crate) struct JobControlApi {
    pub(crate) launcher: Launcher,
    pub(crate) jobs: Jobs,
}

impl JobControlApi {
    /// Returns a launcher that records the admin in the audit log.
    fn launcher(&self, identity: Identity, request_id: &RequestId) -> Launcher {
        self.launcher.by(Actor::Admin {
            user_id: identity.user_id,
            request_id: request_id.0.clone(),
        })
    }

    async fn launch(
        &self,
        launcher: &Launcher,
        date: Option<Day>,
    ) -> Result<ControlResponse, ApiError> {
        let date = match date {
            Some(Day(date)) => date::check_business_day(date, "date")?,
            None => launcher.last_day_over()?,
        };
        let launched = launcher.launch(date).await?;
        self.accepted(launched.id).await
    }

    async fn accepted(&self, id: JobExecutionId) -> Result<ControlResponse, ApiError> {
        let execution = self.jobs.execution(id).await?;
        let location = format!("/jobs/executions/{id}");
        Ok(ControlResponse::Accepted(Json(execution.into()), location))
    }
}

#[OpenApi(tag = "Tag::Jobs")]
impl JobControlApi {
    /// Settle a day
    ///
    /// Does the same as `POST /jobs/dayStatisticsJob/executions`, under the path of the former
    /// system. This GET has a side effect. It is safe from links and images, which send no access
    /// token.
    #[oai(
        path = "/run-day-batch-job",
        method = "get",
        operation_id = "runDayBatchJob"
    )]
    async fn run_day_batch_job(
        &self,
        admin: Admin,
        request_id: Data<&RequestId>,
        /// The business day, from 1970-01-01 to 9998-12-31. The default is the last day that is
        /// over.
        date: Query<Option<Day>>,
    ) -> Result<ControlResponse, ErrorResponse<LaunchErrors>> {
        let launcher = self.launcher(admin.0, request_id.0);
        Ok(self.launch(&launcher, date.0).await?)
    }

    /// Launch a job
    ///
    /// Settles a day that is over. Launches its first instance, restarts a stopped or failed
    /// execution, or launches a new instance after an abandoned one.
    #[oai(
        path = "/jobs/:name/executions",
        method = "post",
        operation_id = "launchJob"
    )]
    async fn launch_job(
        &self,
        admin: Admin,
        request_id: Data<&RequestId>,
        /// The job's name.
        name: Path<String>,
        body: OptionalBody<LaunchRequest>,
    ) -> Result<ControlResponse, ErrorResponse<LaunchJobErrors>> {
        if Job::from_name(&name.0).is_none() {
            return Err(ApiError::new(Code::NoSuchJob, "See /jobs for the names.").into());
        }
        let date = body.0.and_then(|body| body.date);
        let launcher = self.launcher(admin.0, request_id.0);
        Ok(self.launch(&launcher, date).await?)
    }

    /// Restart an execution
    ///
    /// Restarts a stopped or failed execution, which must be the newest of its day. A new execution
    /// keeps COMPLETED steps and resumes the others from their checkpoints. Quarantined partitions
    /// stay FAILED until they are retried.
    #[oai(
        path = "/jobs/executions/:id/restart",
        method = "post",
        operation_id = "restartJobExecution"
    )]
    async fn restart(
        &self,
        admin: Admin,
        request_id: Data<&RequestId>,
        /// The execution's id.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
    ) -> Result<ControlResponse, ErrorResponse<ControlErrors>> {
        let launcher = self.launcher(admin.0, request_id.0);
        let launched = launcher.restart(JobExecutionId(id.0)).await?;
        Ok(self.accepted(launched.id).await?)
    }

    /// Stop an execution
    ///
    /// Running chunks finish. Then the execution is STOPPED and can be restarted.
    #[oai(
        path = "/jobs/executions/:id/stop",
        method = "post",
        operation_id = "stopJobExecution"
    )]
    async fn stop(
        &self,
        admin: Admin,
        request_id: Data<&RequestId>,
        /// The execution's id.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
    ) -> Result<ControlResponse, ErrorResponse<ControlErrors>> {
        let id = JobExecutionId(id.0);
        self.launcher(admin.0, request_id.0).stop(id).await?;
        Ok(self.accepted(id).await?)
    }

    /// Abandon an execution
    ///
    /// Abandons an execution that has ended or is stopping. Its day can then be launched again.
    #[oai(
        path = "/jobs/executions/:id/abandon",
        method = "post",
        operation_id = "abandonJobExecution"
    )]
    async fn abandon(
        &self,
        admin: Admin,
        request_id: Data<&RequestId>,
        /// The execution's id.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
    ) -> Result<ControlResponse, ErrorResponse<ControlErrors>> {
        let id = JobExecutionId(id.0);
        self.launcher(admin.0, request_id.0).abandon(id).await?;
        Ok(self.accepted(id).await?)
    }

    /// Retry a partition
    ///
    /// Restarts the execution of a failed partition. The partition runs even if it is quarantined.
    #[oai(
        path = "/jobs/steps/:id/retry",
        method = "post",
        operation_id = "retryStepExecution"
    )]
    async fn retry(
        &self,
        admin: Admin,
        request_id: Data<&RequestId>,
        /// The id of the partition's step execution.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
    ) -> Result<ControlResponse, ErrorResponse<ControlErrors>> {
        let launcher = self.launcher(admin.0, request_id.0);
        let launched = launcher.retry(StepExecutionId(id.0)).await?;
        Ok(self.accepted(launched.id).await?)
    }
}
