//! Probes for whatever watches the process.

use crate::{
    errors::{
        problem::{ApiError, Code, FieldError},
        responses::{ErrorResponse, responses},
    },
    openapi::tag::Tag,
};
use balance_service::playback::{Playback, intake::IntakeError};
use balance_store::Store;
use poem_openapi::{Enum, Object, OpenApi, payload::Json, types::Example};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long a store has to answer a probe.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// How the process or its stores are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "HealthStatus", rename_all = "lowercase")]
enum Health {
    Up,
}

/// What a probe answers.
#[derive(Debug, Object)]
#[oai(example)]
struct Probe {
    /// `up`: whatever else is told by a problem.
    status: Health,
}

impl Example for Probe {
    fn example() -> Self {
        Self { status: Health::Up }
    }
}

impl Probe {
    fn up() -> Json<Self> {
        Json(Self { status: Health::Up })
    }
}

responses! {
    ProbeErrors:;
}

/// Whether the process runs.
pub(crate) struct LivenessApi;

#[OpenApi(prefix_path = "/health", tag = "Tag::Health")]
impl LivenessApi {
    /// Whether the process runs
    ///
    /// Asks nobody else: a process is not restarted because its database is away.
    #[oai(path = "/live", method = "get", operation_id = "getLiveness")]
    async fn live(&self) -> Result<Json<Probe>, ErrorResponse<ProbeErrors>> {
        Ok(Probe::up())
    }
}

/// Whether requests can be served.
pub(crate) struct HealthApi {
    pub(crate) store: Arc<Store>,
    pub(crate) playback: Arc<Playback>,
}

#[OpenApi(prefix_path = "/health", tag = "Tag::Health")]
impl HealthApi {
    /// Whether requests can be served
    ///
    /// The database and the intake of plays answer, and the intake keeps what it acknowledges.
    #[oai(path = "/ready", method = "get", operation_id = "getReadiness")]
    async fn ready(&self) -> Result<Json<Probe>, ErrorResponse<ProbeErrors>> {
        let (database, intake) = tokio::join!(self.database(), self.intake());
        let errors: Vec<FieldError> = [database, intake].into_iter().flatten().collect();
        if errors.is_empty() {
            return Ok(Probe::up());
        }
        let mut error = ApiError::new(Code::NotReady, "What is not ready is in errors.");
        error.errors = errors;
        Err(error.into())
    }
}

impl HealthApi {
    async fn database(&self) -> Option<FieldError> {
        match timeout(ANSWER_LIMIT, self.store.closed_through()).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => {
                tracing::debug!(%error, "the database is not ready");
                Some(not_ready("database", "is away"))
            }
            Err(_) => Some(not_ready("database", "does not answer")),
        }
    }

    async fn intake(&self) -> Option<FieldError> {
        match timeout(ANSWER_LIMIT, self.playback.readiness()).await {
            Ok(Ok(())) => None,
            Ok(Err(IntakeError::Unavailable(error))) => {
                tracing::debug!(error, "the intake is not ready");
                Some(not_ready("intake", "is away"))
            }
            // What is wrong with its set-up is no secret, and is for operators to mend.
            Ok(Err(error)) => Some(not_ready("intake", &error.to_string())),
            Err(_) => Some(not_ready("intake", "does not answer")),
        }
    }
}

fn not_ready(part: &str, reason: &str) -> FieldError {
    FieldError {
        field: part.to_owned(),
        reason: reason.to_owned(),
    }
}
