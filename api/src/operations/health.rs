//! Liveness and readiness probes.

use crate::{
    errors::{
        problem::{ApiError, Code, FieldError},
        responses::{ErrorResponse, responses},
    },
    openapi::tag::Tag,
};
use balance_service::playback::{Playback, intake::IntakeError};
use balance_store::{Store, StoreError};
use poem_openapi::{Enum, Object, OpenApi, payload::Json, types::Example};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// The time limit of a store's answer to a probe.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// The status of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "HealthStatus", rename_all = "lowercase")]
enum Health {
    Up,
}

/// The response of a successful probe.
#[derive(Debug, Object)]
#[oai(example)]
struct Probe {
    /// Always `up`. A failed probe is reported as a problem.
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

pub(crate) struct LivenessApi;

#[OpenApi(prefix_path = "/health", tag = "Tag::Health")]
impl LivenessApi {
    /// Check that the process runs
    ///
    /// Does not check the stores: an unavailable database is no reason to restart the process.
    #[oai(path = "/live", method = "get", operation_id = "getLiveness")]
    async fn live(&self) -> Result<Json<Probe>, ErrorResponse<ProbeErrors>> {
        Ok(Probe::up())
    }
}

pub(crate) struct HealthApi {
    pub(crate) store: Arc<Store>,
    pub(crate) playback: Arc<Playback>,
}

#[OpenApi(prefix_path = "/health", tag = "Tag::Health")]
impl HealthApi {
    /// Check that the server can serve requests
    ///
    /// Checks that the database and the intake answer and accept writes, and that the intake persists
    /// acknowledged events.
    #[oai(path = "/ready", method = "get", operation_id = "getReadiness")]
    async fn ready(&self) -> Result<Json<Probe>, ErrorResponse<ProbeErrors>> {
        let (database, intake) = tokio::join!(self.database(), self.intake());
        let errors: Vec<FieldError> = [database, intake].into_iter().flatten().collect();
        if errors.is_empty() {
            return Ok(Probe::up());
        }
        let mut error = ApiError::new(
            Code::NotReady,
            "See errors for the parts that are not ready.",
        );
        error.errors = errors;
        Err(error.into())
    }
}

impl HealthApi {
    async fn database(&self) -> Option<FieldError> {
        match timeout(STORE_TIMEOUT, self.store.check_ready()).await {
            Ok(Ok(())) => None,
            // The server's message names an option, and no address.
            Ok(Err(error @ StoreError::ReadOnly(_))) => {
                Some(not_ready("database", &error.to_string()))
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "failed to check the database");
                Some(not_ready("database", "is unavailable"))
            }
            Err(_) => Some(not_ready("database", "does not respond")),
        }
    }

    async fn intake(&self) -> Option<FieldError> {
        match timeout(STORE_TIMEOUT, self.playback.readiness()).await {
            Ok(Ok(())) => None,
            Ok(Err(IntakeError::Unavailable(error))) => {
                tracing::debug!(error, "failed to check the intake");
                Some(not_ready("intake", "is unavailable"))
            }
            // The text is shown because it names the cause for the operator, and no address.
            Ok(Err(error)) => Some(not_ready("intake", &error.to_string())),
            Err(_) => Some(not_ready("intake", "does not respond")),
        }
    }
}

fn not_ready(part: &str, reason: &str) -> FieldError {
    FieldError {
        field: part.to_owned(),
        reason: reason.to_owned(),
    }
}
