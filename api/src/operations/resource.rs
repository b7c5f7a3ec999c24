//! What operators look at: workers, what waits, who did what.

use crate::{
    auth::user::Admin,
    errors::responses::{ErrorResponse, responses},
    extract::{cursor, date::moment},
    openapi::tag::Tag,
};
use balance_service::jobs::queries::{Jobs, Work};
use balance_store::{
    jobs::Leases,
    operations::{Actor, AuditAction, AuditEntry, AuditId, ClaimedStep, RegisteredWorker},
};
use chrono::{DateTime, Utc};
use poem_openapi::{Enum, Object, OpenApi, param::Query, payload::Json, types::Example};
use uuid::Uuid;

/// A partition or tasklet that a worker holds.
#[derive(Debug, Object)]
#[oai(rename = "ClaimedStep", rename_all = "camelCase", example)]
struct ClaimedStepView {
    /// The step execution.
    id: i64,
    /// Its job execution.
    job_execution_id: i64,
    /// Its name.
    name: String,
}

impl Example for ClaimedStepView {
    fn example() -> Self {
        Self {
            id: 205,
            job_execution_id: 14,
            name: "dayStatisticsStep:partition3".to_owned(),
        }
    }
}

impl From<ClaimedStep> for ClaimedStepView {
    fn from(owned: ClaimedStep) -> Self {
        Self {
            id: owned.id.0,
            job_execution_id: owned.job_execution_id.0,
            name: owned.name.to_string(),
        }
    }
}

/// A worker.
#[derive(Debug, Object)]
#[oai(rename = "Worker", rename_all = "camelCase", example)]
struct WorkerView {
    /// Its name, new for each start.
    name: String,
    /// The machine.
    host: String,
    /// The process's id on it.
    process_id: u32,
    /// The program's version.
    version: String,
    /// Partitions worked at a time.
    concurrency: u32,
    /// When it started.
    started_at: DateTime<Utc>,
    /// When it was last seen.
    last_seen_at: DateTime<Utc>,
    /// Whether it was seen within its lease.
    is_alive: bool,
    /// What it holds; of a dead worker, what nobody has taken over yet.
    claims: Vec<ClaimedStepView>,
    /// What becomes of a dead one, and what to do; null where all is well.
    suggested_action: Option<String>,
}

impl Example for WorkerView {
    fn example() -> Self {
        Self {
            name: "worker-a-4711-01976f3e".to_owned(),
            host: "worker-a".to_owned(),
            process_id: 4_711,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            concurrency: 4,
            started_at: moment(-3_600),
            last_seen_at: moment(2),
            is_alive: true,
            claims: vec![ClaimedStepView::example()],
            suggested_action: None,
        }
    }
}

/// What to do about a worker.
fn suggested_action(worker: &RegisteredWorker) -> Option<String> {
    let suggested_action = match (worker.is_alive, worker.claims.is_empty()) {
        (true, _) => return None,
        (false, true) => "It is dead, and others have what it held. It is forgotten after a day.",
        (false, false) => {
            "It is dead. A living worker takes what it held a second after the lease has run out; \
             where none lives, start one: `balance worker`."
        }
    };
    Some(suggested_action.to_owned())
}

impl From<RegisteredWorker> for WorkerView {
    fn from(worker: RegisteredWorker) -> Self {
        Self {
            suggested_action: suggested_action(&worker),
            name: worker.identity.name,
            host: worker.identity.host,
            process_id: worker.identity.process_id,
            version: worker.identity.version,
            concurrency: worker.identity.concurrency,
            started_at: worker.started_at,
            last_seen_at: worker.last_seen_at,
            is_alive: worker.is_alive,
            claims: worker.claims.into_iter().map(Into::into).collect(),
        }
    }
}

/// The workers, those seen last first.
#[derive(Debug, Object)]
#[oai(example)]
struct WorkerList {
    /// The workers; at most 1,000.
    items: Vec<WorkerView>,
}

impl Example for WorkerList {
    fn example() -> Self {
        Self {
            items: vec![WorkerView::example()],
        }
    }
}

/// What waits for whom.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", example)]
struct Notifier {
    /// Partitions that the living workers can work at a time.
    slots: u32,
    /// Partitions that nobody holds: they can be claimed.
    claimable: u64,
    /// Partitions that a worker holds.
    owned: u64,
    /// Partitions whose worker's lease ran out: they can be taken over.
    expired: u64,
    /// What to do where something waits for nobody; null where nothing does.
    suggested_action: Option<String>,
}

impl From<Work> for Notifier {
    fn from(work: Work) -> Self {
        let Leases {
            claimable,
            owned,
            expired,
        } = work.leases;
        let is_stuck = work.slots == 0 && claimable + owned + expired > 0;
        Self {
            slots: work.slots,
            claimable,
            owned,
            expired,
            suggested_action: is_stuck
                .then(|| "No worker lives: start one, `balance worker`.".to_owned()),
        }
    }
}

impl Example for Notifier {
    fn example() -> Self {
        Self {
            slots: 8,
            claimable: 3,
            owned: 5,
            expired: 0,
            suggested_action: None,
        }
    }
}

/// What operators do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(
    rename = "AuditAction",
    remote = "AuditAction",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
enum AuditActionView {
    Launch,
    Restart,
    Retry,
    Stop,
    Abandon,
    SetRates,
}

/// What an operator did.
#[derive(Debug, Object)]
#[oai(rename = "AuditEntry", rename_all = "camelCase", example)]
struct AuditView {
    /// Its id.
    id: Uuid,
    /// When.
    at: DateTime<Utc>,
    /// The admin; null for the program's own command line.
    user_id: Option<i64>,
    /// What.
    action: AuditActionView,
    /// To what.
    subject: String,
    /// The request's id; null for the command line.
    request_id: Option<String>,
}

impl Example for AuditView {
    fn example() -> Self {
        Self {
            id: Uuid::from_u128(0x0197_6f3e_4f00_7c3a_9b1d_2e4f_6a8c_0b1d),
            at: moment(60),
            user_id: Some(1),
            action: AuditActionView::Launch,
            subject: "execution 14 of 2026-03-15".to_owned(),
            request_id: Some("01976f3e-4f00-7c3a-9b1d-2e4f6a8c0b1d".to_owned()),
        }
    }
}

impl From<AuditEntry> for AuditView {
    fn from(entry: AuditEntry) -> Self {
        let (user_id, request_id) = match entry.actor {
            Actor::Admin {
                user_id,
                request_id,
            } => (Some(user_id.0), Some(request_id)),
            Actor::Console => (None, None),
        };
        Self {
            id: Uuid::from_bytes(entry.id.0),
            at: entry.at.and_utc(),
            user_id,
            action: entry.action.into(),
            subject: entry.subject,
            request_id,
        }
    }
}

/// A page of the audit, the newest first.
#[derive(Debug, Object)]
#[oai(example)]
struct AuditPage {
    /// What was done.
    items: Vec<AuditView>,
    /// The `cursor` of the next page; null on the last one.
    next: Option<String>,
}

impl Example for AuditPage {
    fn example() -> Self {
        Self {
            items: vec![AuditView::example()],
            next: None,
        }
    }
}

responses! {
    LookupErrors: 401 403;
    AuditErrors: 401 403;
}

const fn default_limit() -> u32 {
    20
}

/// Workers, queue, audit.
pub(crate) struct OperationsApi {
    pub(crate) jobs: Jobs,
}

#[OpenApi(tag = "Tag::Operations")]
impl OperationsApi {
    /// List workers
    ///
    /// Those of the last day, with what each holds.
    #[oai(path = "/workers", method = "get", operation_id = "listWorkers")]
    async fn workers(
        &self,
        _admin: Admin,
    ) -> Result<Json<WorkerList>, ErrorResponse<LookupErrors>> {
        let workers = self.jobs.workers().await?;
        let items = workers.into_iter().map(Into::into).collect();
        Ok(Json(WorkerList { items }))
    }

    /// See what waits
    ///
    /// The partitions of running executions, and how many the living workers take at a time.
    #[oai(path = "/queue", method = "get", operation_id = "getQueue")]
    async fn queue(&self, _admin: Admin) -> Result<Json<Notifier>, ErrorResponse<LookupErrors>> {
        Ok(Json(self.jobs.work().await?.into()))
    }

    /// Read the audit
    ///
    /// What operators did, the newest first: each row was written in the transaction of what it is
    /// about.
    #[oai(path = "/audit", method = "get", operation_id = "listAudit")]
    async fn audit(
        &self,
        _admin: Admin,
        /// The `next` of the page before.
        #[oai(validator(max_length = 2048))]
        cursor: Query<Option<String>>,
        /// Rows on a page.
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
