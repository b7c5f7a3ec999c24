//! `balance serve`, `balance api` and `balance worker`: the long-running processes.

use crate::{
    progress, shutdown,
    wiring::{ApiParts, App},
};
use anyhow::Context;
use balance_api::{Api, ProcessWorker};
use balance_worker::{Worker, settings::WorkerMode};
use std::{net::SocketAddr, process::ExitCode};
use tokio::net::TcpListener;

/// Runs the API and a worker in one process.
pub(super) async fn serve(app: &App) -> anyhow::Result<ExitCode> {
    // The address is bound first, so that no work starts if another process uses it.
    let listener = bind("LISTEN_ADDR", app.settings.api.listen_addr).await?;
    let parts = ApiParts::new(app).await?;
    let _ids = app.watch_ids();
    let requested = shutdown::requested();
    warn_of_settings(app)?;
    let local_worker = app.start_worker(daemon(app)).await?;
    let work = local_worker
        .worker
        .as_ref()
        .map(|worker| process_worker(app, worker));
    let api = parts.api(app, local_worker.launcher.clone(), work);
    let served = listen(api, listener, requested).await;
    let stopped = local_worker.stop().await;
    served?;
    Ok(stopped)
}

/// Runs the API without a worker. Starts even if the fleet's Redis is unavailable.
pub(super) async fn api(app: &App) -> anyhow::Result<ExitCode> {
    let listener = bind("LISTEN_ADDR", app.settings.api.listen_addr).await?;
    let (launcher, _backend) = app.launcher();
    let api = ApiParts::new(app).await?.api(app, launcher, None);
    let _ids = app.watch_ids();
    listen(api, listener, shutdown::requested()).await?;
    Ok(ExitCode::SUCCESS)
}

/// Runs a worker without the API.
pub(super) async fn worker(app: &App) -> anyhow::Result<ExitCode> {
    let listener = match app.settings.observability.metrics_addr {
        Some(address) => Some(bind("METRICS_ADDR", address).await?),
        None => None,
    };
    app.require_notifier().await?;
    // Signals are received before the worker is registered, because a client of the registry can
    // ask it to end at once.
    let requested = shutdown::requested();
    warn_of_settings(app)?;
    let local_worker = app.start_worker(daemon(app)).await?;
    if let Some(worker) = &local_worker.worker {
        progress::line(&format!("worker {} started", worker.name()));
    }
    match local_worker.worker.as_ref().zip(listener) {
        Some((worker, listener)) => {
            serve_metrics(process_worker(app, worker), listener, requested).await?;
        }
        None => requested.await,
    }
    Ok(local_worker.stop().await)
}

/// Logs what follows from settings that do not fit together.
fn warn_of_settings(app: &App) -> anyhow::Result<()> {
    if let Some(warning) = app.settings.processing.worker()?.warning() {
        // At info level, because the default values have this effect.
        tracing::info!("{warning}");
    }
    Ok(())
}

const fn daemon(app: &App) -> WorkerMode {
    WorkerMode::Daemon {
        retention_days: app.settings.processing.job_retention_days,
    }
}

async fn bind(setting: &'static str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{setting}: {address}"))
}

/// Serves the metrics of a worker until the process is asked to end. The worker continues if
/// serving fails.
async fn serve_metrics(
    worker: ProcessWorker,
    listener: TcpListener,
    requested: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    progress::line(&format!("metrics on http://{address}/metrics"));
    let served = balance_api::serve_metrics(worker, listener, requested).await;
    if let Err(error) = served {
        tracing::error!(%error, "failed to serve metrics");
        shutdown::requested().await;
    }
    Ok(())
}

fn process_worker(app: &App, worker: &Worker) -> ProcessWorker {
    ProcessWorker {
        counters: worker.counters(),
        has_event_writer: app.stream().is_some(),
    }
}

async fn listen(
    api: Api,
    listener: TcpListener,
    requested: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    progress::line(&format!("listening on http://{address}"));
    balance_api::serve(api, listener, requested)
        .await
        .with_context(|| format!("listening on {address}"))
}
