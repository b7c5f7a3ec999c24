//! Operations for operators: workers, queue, audit log.

use crate::{
    auth::user::Admin,
    errors::responses::{ErrorResponse, responses},
    extract::cursor::{self, default_limit},
    openapi::tag::Tag,
    operations::{audit::AuditPage, queue::QueueView, workers::WorkerList},
};
use balance_service::jobs::queries::Jobs;
use balance_store::operations::AuditId;
use poem_openapi::{OpenApi, param::Query, payload::Json};

responses! {
    LookupErrors: 401 403;
    AuditErrors: 401 403;
}

pub(crate) struct OperationsApi {
    pub(crate) jobs: Jobs,
}

#[OpenApi(tag = "Tag::Operations")]
impl OperationsApi {
    /// List workers
    ///
    /// Returns the workers of the last day with their claims.
    #[oai(path = "/workers", method = "get", operation_id = "listWorkers")]
    async fn workers(
        &self,
        _admin: Admin,
    ) -> Result<Json<WorkerList>, ErrorResponse<LookupErrors>> {
        Ok(Json(self.jobs.workers().await?.into()))
    }

    /// Read the queue
    ///
    /// Returns the numbers of partitions and tasklets of running executions by the state of their
    /// leases, and the capacity of the workers that are alive.
    #[oai(path = "/queue", method = "get", operation_id = "getQueue")]
    async fn queue(&self, _admin: Admin) -> Result<Json<QueueView>, ErrorResponse<LookupErrors>> {
        Ok(Json(self.jobs.queue_state().await?.into()))
    }

    /// List the audit log
    ///
    /// Returns the actions of operators, the newest first. Each entry was written in the
    /// transaction of its action.
    #[oai(path = "/audit", method = "get", operation_id = "listAudit")]
    async fn audit(
        &self,
        _admin: Admin,
        /// The `next` of the previous page.
        #[oai(validator(max_length = 2048))]
        cursor: Query<Option<String>>,
        /// The maximum number of entries per page.
        #[oai(
            default = "default_limit",
            validator(minimum(value = "1"), maximum(value = "100"))
        )]
        limit: Query<u32>,
    ) -> Result<Json<AuditPage>, ErrorResponse<AuditErrors>> {
        let before: Option<[u8; 16]> = cursor.0.as_deref().map(cursor::read).transpose()?;
        let page = self.jobs.audit(before.map(AuditId), limit.0).await?;
        Ok(Json(AuditPage {
            items: page.items.into_iter().map(Into::into).collect(),
            next: page
                .next
                .map(|AuditId(id)| cursor::write(&id))
                .transpose()?,
        }))
    }
}
