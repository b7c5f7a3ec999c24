//! The HTTP server: wiring of the resources, middleware, start and shutdown.

use crate::{
    accounts::{
        limiter::{Limiter, Limits},
        resource::AccountsApi,
    },
    auth::token::{Secrets, Tokens},
    events::EventsApi,
    jobs::{control::JobControlApi, resource::JobsApi},
    middleware::{cors::Origins, stack::Middleware},
    openapi::{document, pages},
    operations::{
        health::{HealthApi, LivenessApi},
        metrics::{Metrics, MetricsApi, ProcessWorker, Sources},
        resource::OperationsApi,
    },
    play_rules::PlayRulesApi,
    playback::PlaybackApi,
    rates::RatesApi,
    reports::{resource::ReportsApi, video::VideoReportsApi},
    resources::Resources,
    videos::{ads::AdsApi, resource::VideosApi},
};
use balance_domain::clock::Clock;
use balance_service::{
    accounts::Accounts,
    events::stream::EventStream,
    jobs::{launcher::Launcher, queries::Jobs},
    operations::snapshot::SnapshotReader,
    playback::Playback,
    reports::Reports,
    videos::Videos,
};
use balance_store::Store;
use poem::{EndpointExt, Server, endpoint::BoxEndpoint, listener::TcpAcceptor};
use std::{future::Future, io, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::watch};

/// The time that open requests have to finish after a shutdown request.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);
/// The same limit for metrics requests to a worker. The worker's shutdown waits for them.
const METRICS_SHUTDOWN_GRACE: Duration = Duration::from_secs(1);
/// The time after which a connection without a request is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// The dependencies and settings of the API.
pub struct Api {
    pub store: Arc<Store>,
    pub playback: Arc<Playback>,
    /// Launches and controls jobs. Tokens and attempt limits use its clock.
    pub launcher: Launcher,
    /// The secrets that sign access tokens.
    pub secrets: Secrets,
    /// The limits on attempts to log in and to join.
    pub limits: Limits,
    /// The number of trusted proxies, each of which appends to `X-Forwarded-For`.
    pub proxies: usize,
    /// Whether cookies carry the `Secure` attribute.
    pub is_cookie_secure: bool,
    /// The origins whose pages may call the API from a browser, in addition to the API's own origin.
    pub origins: Origins,
    /// The event stream of a fleet, whose lag `/metrics` reports.
    pub stream: Option<Arc<dyn EventStream>>,
    /// The worker of this process, if it has one.
    pub worker: Option<ProcessWorker>,
}

impl Api {
    /// Returns all routes. Streams of server-sent events end when `stopping` becomes true.
    #[must_use]
    pub fn routes(self, stopping: watch::Receiver<bool>) -> BoxEndpoint<'static> {
        let clock: Arc<dyn Clock> = Arc::clone(&self.launcher.clock);
        let tokens = Arc::new(Tokens::new(
            self.secrets,
            Arc::clone(&clock),
            self.store.generation().clone(),
        ));
        let jobs = Jobs::new(Arc::clone(&self.store));
        let videos = Videos::new(Arc::clone(&self.store));
        let reports = Reports::new(Arc::clone(&self.store));
        let metrics = Arc::new(Metrics::new(Sources {
            snapshots: Some(SnapshotReader::new(&self.launcher, self.stream)),
            playback: Some(Arc::clone(&self.playback)),
            worker: self.worker,
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
                reports: reports.clone(),
                launcher: self.launcher.clone(),
            },
            VideoReportsApi {
                reports,
                videos: videos.clone(),
                launcher: self.launcher.clone(),
            },
            AdsApi { videos },
            JobsApi::new(clock, jobs.clone(), stopping),
            JobControlApi {
                launcher: self.launcher,
                jobs: jobs.clone(),
            },
            RatesApi {
                store: Arc::clone(&self.store),
            },
            PlayRulesApi {
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
        let (routes, methods) = pages::routes(&service);
        let routes = routes.nest("/", service).data(tokens);
        Middleware::around(routes, methods, metrics)
            .with_origins(self.origins)
            .boxed()
    }
}

/// Serves until `shutdown` completes, then waits up to 10 s for open requests.
///
/// # Errors
/// Returns the error of the listener.
pub async fn serve(
    api: Api,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let (stop, stopping) = watch::channel(false);
    let shutdown = async move {
        shutdown.await;
        // Without a receiver there is no stream to end.
        let _ = stop.send(true);
    };
    run(api.routes(stopping), listener, shutdown, SHUTDOWN_GRACE).await
}

/// Serves `/metrics`, `/health/live` and `/docs/errors` of a worker that has no API, until `shutdown`
/// completes.
///
/// # Errors
/// Returns the error of the listener.
pub async fn serve_metrics(
    worker: ProcessWorker,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let metrics = Arc::new(Metrics::new(Sources {
        worker: Some(worker),
        ..Sources::default()
    }));
    let resources = (
        MetricsApi {
            metrics: Arc::clone(&metrics),
        },
        LivenessApi,
    );
    let service = document::service(resources);
    let (routes, methods) = pages::error_routes(&service);
    let routes = routes.nest("/", service);
    let endpoint = Middleware::around(routes, methods, metrics).boxed();
    run(endpoint, listener, shutdown, METRICS_SHUTDOWN_GRACE).await
}

async fn run(
    endpoint: BoxEndpoint<'static>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
    grace: Duration,
) -> io::Result<()> {
    Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?)
        .idle_timeout(IDLE_TIMEOUT)
        .run_with_graceful_shutdown(endpoint, shutdown, Some(grace))
        .await
}
