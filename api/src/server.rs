//! The server: resources, middleware, life cycle.

use crate::{
    accounts::{
        limiter::{Limiter, Limits},
        resource::AccountsApi,
    },
    auth::token::{Secrets, Tokens},
    events::EventsApi,
    jobs::{control::JobControlApi, resource::JobsApi},
    middleware::{cors::Origins, stack::Middleware},
    openapi::document,
    operations::{
        health::{HealthApi, LivenessApi},
        metrics::{Metrics, MetricsApi, Sources, Work},
        resource::OperationsApi,
    },
    playback::PlaybackApi,
    rates::RatesApi,
    reports::resource::ReportsApi,
    videos::{ads::AdsApi, resource::VideosApi},
};
use balance_domain::clock::Clock;
use balance_service::{
    accounts::Accounts,
    events::stream::EventStream,
    jobs::{launcher::Launcher, queries::Jobs},
    operations::snapshot::Observer,
    playback::Playback,
    reports::Reports,
    videos::Videos,
};
use balance_store::Store;
use poem::{EndpointExt, Route, Server, endpoint::BoxEndpoint, listener::TcpAcceptor};
use std::{future::Future, io, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::watch};

/// How long requests may go on when the server is asked to end.
const GRACE: Duration = Duration::from_secs(10);
/// How long a scrape may go on likewise: the worker's end waits for it.
const METRICS_GRACE: Duration = Duration::from_secs(1);
/// How long a connection may be open without a request.
const IDLE_LIMIT: Duration = Duration::from_secs(75);

/// All resources.
pub(crate) type Resources = (
    AccountsApi,
    VideosApi,
    PlaybackApi,
    ReportsApi,
    AdsApi,
    JobsApi,
    JobControlApi,
    RatesApi,
    OperationsApi,
    EventsApi,
    MetricsApi,
    LivenessApi,
    HealthApi,
);

/// What the API needs.
pub struct Api {
    /// The database.
    pub store: Arc<Store>,
    /// Plays and pauses.
    pub playback: Arc<Playback>,
    /// Launches and steers jobs, by the clock that tokens and limits go by too.
    pub launcher: Launcher,
    /// What access tokens are signed with.
    pub secrets: Secrets,
    /// How often somebody may try to log in or to join.
    pub limits: Limits,
    /// Proxies between clients and this server, each of which adds to `X-Forwarded-For`.
    pub proxies: usize,
    /// Whether cookies are for encrypted connections only.
    pub is_cookie_secure: bool,
    /// Whose pages may use it from a browser, besides its own.
    pub origins: Origins,
    /// The stream of a fleet's plays, whose lag `/metrics` tells.
    pub stream: Option<Arc<dyn EventStream>>,
    /// The worker of this process, if it has one.
    pub work: Option<Work>,
}

impl Api {
    /// All routes. Streams of events end when `is_ending` is set.
    #[must_use]
    pub fn routes(self, is_ending: watch::Receiver<bool>) -> BoxEndpoint<'static> {
        let clock: Arc<dyn Clock> = Arc::clone(&self.launcher.clock);
        let tokens = Arc::new(Tokens::new(self.secrets, Arc::clone(&clock)));
        let jobs = Jobs::new(Arc::clone(&self.store));
        let videos = Videos::new(Arc::clone(&self.store));
        let metrics = Arc::new(Metrics::new(Sources {
            observer: Some(Observer::new(&self.launcher, self.stream)),
            playback: Some(Arc::clone(&self.playback)),
            work: self.work,
        }));
        let resources: Resources = (
            AccountsApi {
                accounts: Accounts::new(Arc::clone(&self.store)),
                tokens: Arc::clone(&tokens),
                limiter: Limiter::new(self.limits, &clock),
                proxies: self.proxies,
                is_cookie_secure: self.is_cookie_secure,
            },
            VideosApi {
                videos: videos.clone(),
            },
            PlaybackApi {
                playback: Arc::clone(&self.playback),
            },
            ReportsApi {
                reports: Reports::new(Arc::clone(&self.store)),
                videos: videos.clone(),
                launcher: self.launcher.clone(),
            },
            AdsApi { videos },
            JobsApi::new(clock, jobs.clone(), is_ending),
            JobControlApi {
                launcher: self.launcher,
                jobs: jobs.clone(),
            },
            RatesApi {
                store: Arc::clone(&self.store),
            },
            OperationsApi { jobs: jobs.clone() },
            EventsApi { jobs },
            MetricsApi {
                metrics: Arc::clone(&metrics),
            },
            LivenessApi,
            HealthApi {
                store: self.store,
                playback: self.playback,
            },
        );
        let service = document::service(resources);
        let (routes, methods) = document::routes(&service);
        let routes = routes.nest("/", service).data(tokens);
        Middleware::around(routes, methods, metrics)
            .open_to(self.origins)
            .boxed()
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
    let (ending, is_ending) = watch::channel(false);
    let shutdown = async move {
        shutdown.await;
        // Nobody may be left to hear it.
        let _ = ending.send(true);
    };
    run(api.routes(is_ending), listener, shutdown, GRACE).await
}

/// Serves `/metrics` of a worker that has no API, and `/health/live`, until `shutdown` is done.
///
/// # Errors
/// Where the listener fails.
pub async fn serve_metrics(
    work: Work,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let metrics = Arc::new(Metrics::new(Sources {
        work: Some(work),
        ..Sources::default()
    }));
    let resources = (
        MetricsApi {
            metrics: Arc::clone(&metrics),
        },
        LivenessApi,
    );
    let service = document::service(resources);
    let methods = document::methods(&service);
    let routes = Route::new().nest("/", service);
    let endpoint = Middleware::around(routes, methods, metrics).boxed();
    run(endpoint, listener, shutdown, METRICS_GRACE).await
}

async fn run(
    endpoint: BoxEndpoint<'static>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
    grace: Duration,
) -> io::Result<()> {
    Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?)
        .idle_timeout(IDLE_LIMIT)
        .run_with_graceful_shutdown(endpoint, shutdown, Some(grace))
        .await
}
