//! Probes for whatever watches the process.

use balance_core::port::Store;
use poem_openapi::{ApiResponse, Object, OpenApi, Tags, payload::Json};
use std::sync::Arc;

#[derive(Tags)]
enum Tag {
    /// Probes.
    Health,
}

/// What a probe answers.
#[derive(Debug, Object)]
struct Probe {
    /// `up`.
    status: String,
}

/// The probes.
pub(crate) struct HealthApi {
    pub(crate) store: Arc<dyn Store>,
}

#[derive(ApiResponse)]
enum Readiness {
    /// Requests can be served.
    #[oai(status = 200)]
    Ready(Json<Probe>),
    /// The database is away.
    #[oai(status = 503)]
    NotReady(Json<Probe>),
}

fn probe(status: &str) -> Json<Probe> {
    Json(Probe {
        status: status.to_owned(),
    })
}

#[OpenApi(prefix_path = "/health", tag = "Tag::Health")]
impl HealthApi {
    /// The process runs.
    #[oai(path = "/live", method = "get", operation_id = "getLiveness")]
    async fn live(&self) -> Json<Probe> {
        probe("up")
    }

    /// The process can serve requests.
    #[oai(path = "/ready", method = "get", operation_id = "getReadiness")]
    async fn ready(&self) -> Readiness {
        match self.store.closed_through().await {
            Ok(_) => Readiness::Ready(probe("up")),
            Err(error) => {
                tracing::warn!(%error, "not ready");
                Readiness::NotReady(probe("down"))
            }
        }
    }
}
