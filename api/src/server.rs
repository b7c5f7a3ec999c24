//! The server: resources, middleware, life cycle.

use crate::health::HealthApi;
use balance_core::port::Store;
use poem::{EndpointExt, Route, Server, endpoint::BoxEndpoint, listener::TcpListener};
use poem_openapi::OpenApiService;
use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

/// How long requests may go on when the server is asked to end.
const GRACE: Duration = Duration::from_secs(10);

/// What the API needs.
pub struct Api {
    /// The database.
    pub store: Arc<dyn Store>,
}

impl Api {
    /// All routes.
    pub fn routes(self) -> BoxEndpoint<'static> {
        let service = OpenApiService::new(
            HealthApi { store: self.store },
            "Balance",
            env!("CARGO_PKG_VERSION"),
        );
        let document = service.spec_endpoint();
        Route::new()
            .at("/openapi.json", document)
            .nest("/", service)
            .boxed()
    }
}

/// Serves until `shutdown` is done, then lets requests finish.
///
/// # Errors
/// Where the address cannot be listened on.
pub async fn serve(
    api: Api,
    address: SocketAddr,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    Server::new(TcpListener::bind(address))
        .run_with_graceful_shutdown(api.routes(), shutdown, Some(GRACE))
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use balance_core::{port::clock::SystemClock, store::SqlStore};
    use poem::test::TestClient;

    #[tokio::test]
    async fn the_probes_answer_and_the_document_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("balance.db");
        let store = SqlStore::open_sqlite(&path, 1, Arc::new(SystemClock))
            .await
            .unwrap();
        let api = Api {
            store: Arc::new(store),
        };
        let client = TestClient::new(api.routes());
        client
            .get("/health/live")
            .send()
            .await
            .assert_status_is_ok();
        client
            .get("/health/ready")
            .send()
            .await
            .assert_status_is_ok();
        let document = client.get("/openapi.json").send().await;
        let text = document.0.into_body().into_string().await.unwrap();
        assert!(text.contains("getReadiness"), "{text}");
    }
}
