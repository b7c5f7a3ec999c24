//! The server: resources, middleware, life cycle.

use crate::{
    accounts::AccountsApi,
    ads::AdsApi,
    edge::Edge,
    health::HealthApi,
    limiter::{Limiter, Limits},
    playback::PlaybackApi,
    token::{Secrets, Tokens},
    videos::VideosApi,
};
use balance_core::{
    port::{Store, clock::Clock},
    service::{accounts::Accounts, playback::Playback, videos::Videos},
};
use poem::{EndpointExt, Route, Server, endpoint::BoxEndpoint, listener::TcpAcceptor};
use poem_openapi::OpenApiService;
use std::{future::Future, io, sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// How long requests may go on when the server is asked to end.
const GRACE: Duration = Duration::from_secs(10);
/// How long a connection may be open without a request.
const IDLE_LIMIT: Duration = Duration::from_secs(75);

/// What the API needs.
pub struct Api {
    /// The database.
    pub store: Arc<dyn Store>,
    /// Plays and pauses.
    pub playback: Arc<Playback>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What access tokens are signed with.
    pub secrets: Secrets,
    /// How often somebody may try to log in or to join.
    pub limits: Limits,
    /// Proxies between clients and this server, each of which adds to `X-Forwarded-For`.
    pub proxies: usize,
    /// Whether cookies are for encrypted connections only.
    pub is_cookie_secure: bool,
}

impl Api {
    /// All routes.
    #[must_use]
    pub fn routes(self) -> BoxEndpoint<'static> {
        let tokens = Arc::new(Tokens::new(self.secrets, Arc::clone(&self.clock)));
        let videos = Videos::new(Arc::clone(&self.store));
        let resources = (
            AccountsApi {
                accounts: Accounts::new(Arc::clone(&self.store)),
                tokens: Arc::clone(&tokens),
                limiter: Limiter::new(self.limits, &self.clock),
                proxies: self.proxies,
                is_cookie_secure: self.is_cookie_secure,
            },
            VideosApi {
                videos: videos.clone(),
            },
            PlaybackApi {
                playback: Arc::clone(&self.playback),
            },
            AdsApi { videos },
            HealthApi {
                store: self.store,
                playback: self.playback,
            },
        );
        let service = OpenApiService::new(resources, "Balance", env!("CARGO_PKG_VERSION"));
        let document = service.spec_endpoint();
        let routes = Route::new()
            .at("/openapi.json", document)
            .nest("/", service)
            .data(tokens);
        Edge::around(routes).boxed()
    }
}

/// Serves until `shutdown` is done, then lets requests finish.
///
/// # Errors
/// Where the listener fails.
pub async fn serve(
    api: Api,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?)
        .idle_timeout(IDLE_LIMIT)
        .run_with_graceful_shutdown(api.routes(), shutdown, Some(GRACE))
        .await
}
