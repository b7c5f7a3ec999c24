//! `balance serve`, `balance api` and `balance worker`: the processes that stay.

use crate::{api::Parts, app::App, commands::watch, progress, shutdown};
use anyhow::Context;
use balance_api::{Api, Work};
use balance_worker::{Worker, settings::WorkerMode};
use std::{net::SocketAddr, process::ExitCode};
use tokio::net::TcpListener;

/// API and worker in one process.
pub(super) async fn serve(app: &App) -> anyhow::Result<ExitCode> {
    // First, so that nothing is begun where another process has the address.
    let listener = bind("LISTEN_ADDR", app.settings.api.listen_addr).await?;
    let parts = Parts::of(app).await?;
    let requested = shutdown::requested();
    let local_worker = app.start_worker(resident(app)).await?;
    let work = local_worker
        .worker
        .as_ref()
        .map(|worker| work_of(app, worker));
    let api = parts.api(app, local_worker.launcher.clone(), work);
    let served = listen(api, listener, requested).await;
    let stopped = watch::stop(local_worker).await;
    served?;
    Ok(stopped)
}

/// The API alone: workers are other processes. Starts while the fleet's Redis is away.
pub(super) async fn api(app: &App) -> anyhow::Result<ExitCode> {
    let listener = bind("LISTEN_ADDR", app.settings.api.listen_addr).await?;
    let (launcher, _backend) = app.launcher();
    let api = Parts::of(app).await?.api(app, launcher, None);
    listen(api, listener, shutdown::requested()).await?;
    Ok(ExitCode::SUCCESS)
}

/// A worker alone.
pub(super) async fn worker(app: &App) -> anyhow::Result<ExitCode> {
    let listener = match app.settings.observation.metrics_addr {
        Some(address) => Some(bind("METRICS_ADDR", address).await?),
        None => None,
    };
    app.require_notifier().await?;
    // Before the registry shows it: whoever sees a worker can ask it to end.
    let requested = shutdown::requested();
    let local_worker = app.start_worker(resident(app)).await?;
    if let Some(worker) = &local_worker.worker {
        progress::line(&format!("worker {} is at work", worker.name()));
    }
    match local_worker.worker.as_ref().zip(listener) {
        Some((worker, listener)) => {
            serve_metrics(work_of(app, worker), listener, requested).await?;
        }
        None => requested.await,
    }
    Ok(watch::stop(local_worker).await)
}

fn resident(app: &App) -> WorkerMode {
    WorkerMode::Daemon {
        retention_days: app.settings.job_retention_days,
    }
}

async fn bind(setting: &'static str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{setting}: {address}"))
}

/// Tells a worker's metrics until the process is asked to end. The work outranks them.
async fn serve_metrics(
    work: Work,
    listener: TcpListener,
    requested: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    progress::line(&format!("metrics on http://{address}/metrics"));
    let told = balance_api::serve_metrics(work, listener, requested).await;
    if let Err(error) = told {
        tracing::error!(%error, "metrics are told no longer");
        shutdown::requested().await;
    }
    Ok(())
}

fn work_of(app: &App, worker: &Worker) -> Work {
    Work {
        counters: worker.counters(),
        drains: app.stream().is_some(),
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
